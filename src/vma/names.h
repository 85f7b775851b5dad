/* SPDX-License-Identifier: MIT */
/*
 * names.h - names of anonymous memory.
 *
 * A VMA has its name's number in the high bits of its flags, so that what
 * splits, moves, forks and compares flags does so with names too. The strings
 * lie in a table of the space, each once. Nobody counts who uses one: those
 * that no VMA has any more are found when the table is full.
 */
#ifndef MW_VMA_NAMES_H
#define MW_VMA_NAMES_H

#include "vma/tree.h"

enum { NAME_MAX = 79 }; /* bytes */

struct name;

struct names {
    struct name *at;   /* number n is at[n - 1]; NULL: none was ever given */
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t used;
    uint32_t fresh;    /* all below are used */
};

/* The name in a VMA's flags; NULL: none. Valid until the next names_reserve. */
const char *names_of(const struct names *names, uint64_t flags);

/* Makes sure that one name more has its place. False: no memory, nothing changed. */
bool names_reserve(struct names *names, const struct tree *tree);

/* The number of this name, as bits of flags: the one it has, or a new one, reserved before. */
uint64_t names_put(struct names *names, const char *text);

/* Makes an empty table hold what `from` holds. False: no memory, and it is empty still. */
bool names_copy(struct names *names, const struct names *from, const struct mw_port *port);
void names_destroy(struct names *names, const struct mw_port *port);

/* Is there a name of the number in these flags, or none? */
bool names_sound(const struct names *names, uint64_t flags);

#endif
