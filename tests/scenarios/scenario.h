/* SPDX-License-Identifier: MIT */
/*
 * scenario.h - how a scenario is written and registered.
 *
 * In the drawings one character is one page, from page 0 of the arena on:
 *   .  free            a  private anonymous, never written    A  the same, written
 *   r  read-only       R  read-only, written before           -  PROT_NONE
 *   f  private file    F  the same, written                   s  shared
 *   g  grows down      l  locked                              ^  where the call points
 * "=>" stands between the row before and the row after.
 */
#ifndef TEST_SCENARIO_H
#define TEST_SCENARIO_H

#include "world.h"

struct scenario {
    const char *name;
    void (*run)(struct world *w);
    struct scenario *next;
};

void scenario_add(struct scenario *s);

#define SCENARIO(name)                                                    \
    static void name(struct world *w);                                    \
    static struct scenario scenario_##name = { #name, name, NULL };       \
    __attribute__((constructor)) static void add_##name(void)             \
    {                                                                     \
        scenario_add(&scenario_##name);                                   \
    }                                                                     \
    static void name(struct world *w)

#endif
