/* SPDX-License-Identifier: MIT */
/*
 * huge.h - promises of huge pages.
 *
 * A mapping of huge pages has those it has not got yet set aside: a shared one
 * in its object (object_promise), a private one in the pool, a page for each
 * that is absent or still the file's. One made with MAP_NORESERVE, or
 * inherited, has none.
 */
#ifndef MW_SPACE_HUGE_H
#define MW_SPACE_HUGE_H

#include "vma/space.h"

/* Has this mapping pages set aside in the pool? */
bool huge_is_promised(const struct mw_vma *v);

/* How many, for [start, end) of it? */
uint64_t huge_owed(const struct mw_space *s, const struct mw_vma *v, uint64_t start, uint64_t end);

/* Gets the memory that huge_promise needs for the same. False: there is none. */
bool huge_prepare(struct mw_space *s, const struct mw_vma *v, uint64_t offset, uint64_t bytes);

/* Sets `bytes` aside for a mapping like `v`, whose next offset is `offset`. False: there are not as many. */
bool huge_promise(struct mw_space *s, const struct mw_vma *v, uint64_t offset, uint64_t bytes);

/* Gives back what is promised to [start, end). */
void huge_unpromise(struct mw_space *s, uint64_t start, uint64_t end);

#endif
