/* SPDX-License-Identifier: MIT */
/*
 * thp.h - transparent huge pages of private anonymous memory: where they may
 * be, and how they come. That they go, where an edit cuts one, is the pmap's
 * (pmap_split). Rules THP-1..6, ADVICE-14.
 */
#ifndef MW_SPACE_THP_H
#define MW_SPACE_THP_H

#include "space/space.h"

/* Is there room for a huge page in `v` that an access would map, if nobody watched? */
bool thp_eligible(const struct mw_space *s, const struct mw_vma *v);

/*
 * In a mode other than never: the first access to a page at `addr` of the VMA
 * at `c`, which allows it. Maps a whole huge page, or for reading its zeros. False: a page is the way. Where a
 * huge page could be, the VMA has been touched.
 */
bool thp_fault(struct mw_space *s, struct cursor c, uint64_t addr, pte_t grant, bool write);

/*
 * A write at `addr` of the VMA at `c`, where `entry`, of a huge page or of zeros
 * that are one, is present and does not let it. Returns the entry of what is to
 * be written: a huge page of this space's own, or a page.
 */
pte_t *thp_write(struct mw_space *s, struct cursor c, uint64_t addr, pte_t *entry, pte_t grant);

/* Makes huge pages of the pages in `at`, part of `v`. 0 or -errno: what came before is done. */
int thp_collapse(struct mw_space *s, const struct mw_vma *v, struct mw_range at, struct mw_why *why);

#endif
