/* SPDX-License-Identifier: MIT */
/* fault.h - what an access meets, and pages made on demand. */
#ifndef MW_SPACE_FAULT_H
#define MW_SPACE_FAULT_H

#include "space/space.h"

/* mw_fault without entering the space. */
enum mw_fault_result fault_page(struct mw_space *s, uint64_t addr, uint32_t access);

/*
 * Makes the pages of [start, end) present, as MAP_POPULATE and locks do: with
 * write access where it is private and writable. Best effort: stops at the
 * first page that can't be had, and nobody is told.
 */
void fault_populate(struct mw_space *s, uint64_t start, uint64_t end);

#endif
