/* SPDX-License-Identifier: MIT */
/* fault.h - what an access meets, and pages made on demand. */
#ifndef MW_SPACE_FAULT_H
#define MW_SPACE_FAULT_H

#include "space/space.h"

/* mw_fault without entering the space. */
enum mw_fault_result fault_page(struct mw_space *s, uint64_t addr, uint32_t access);

/*
 * Makes the pages of [*at, end), part of one VMA, present for an access. Stops
 * at the first that can't be had: `*at` is its address, or `end`.
 */
enum mw_fault_result fault_pages(struct mw_space *s, uint64_t *at, uint64_t end, uint32_t access);

/*
 * Makes the pages of [start, end) present, as MAP_POPULATE and locks do: with
 * write access where it is private and writable. Best effort: what can't be
 * had, and what follows it in its mapping, is left out, and nobody is told.
 */
void fault_populate(struct mw_space *s, uint64_t start, uint64_t end);

/* The same, but ends at the first page that can't be had: `*at` is its address. */
enum mw_fault_result fault_populate_range(struct mw_space *s, uint64_t *at, uint64_t end);

#endif
