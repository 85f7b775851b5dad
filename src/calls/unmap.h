/* SPDX-License-Identifier: MIT */
/* unmap.h - munmap's two halves, which mmap, brk and mremap use too. */
#ifndef MW_CALLS_UNMAP_H
#define MW_CALLS_UNMAP_H

#include "space/space.h"
#include "vma/account.h"

/* May [start, end) be unmapped? 0, -ENOMEM, -EINVAL, -EPERM. Sums up what is there (`sum` may be NULL). */
int unmap_decide(const struct mw_space *s, uint64_t start, uint64_t end, struct account_sum *sum,
                 struct mw_why *why);

/*
 * Takes the page tables that unmap_commit of [start, end) needs for itself;
 * empty ranges need none. 0 or -ENOMEM.
 */
int unmap_reserve(struct mw_space *s, uint64_t start, uint64_t end, struct mw_why *why);

/* May `v` be cut at `start` and `end`, where they lie inside? 0 or -EINVAL. */
int unmap_cuts(const struct mw_space *s, const struct mw_vma *v, uint64_t start, uint64_t end,
               struct mw_why *why);

/*
 * The same for a piece [start, end) of one mapping that is to get other flags;
 * where only the second cut is refused, the first has been made. Needs EDIT_SPLIT insertions.
 */
int unmap_cut_piece(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                    struct mw_why *why);

/*
 * A refusal, `err`, of unmap_decide becomes the call's: Linux may by then have
 * cut the first mapping (a defect, imitated where the space asks). Returns err.
 */
int unmap_refused(struct mw_space *s, uint64_t start, int err);

/* The same for a call that fails later, when both ends have been cut. */
void unmap_abandoned(struct mw_space *s, uint64_t start, uint64_t end);

/* Unmaps it, pages and all. Needs EDIT_REMOVE insertions. */
void unmap_commit(struct mw_space *s, uint64_t start, uint64_t end);

/* The same, of which no watcher is told. */
void unmap_silently(struct mw_space *s, uint64_t start, uint64_t end);

/* The checks of munmap(2)'s arguments: 0 or -EINVAL. `*end` receives the rounded end. */
int unmap_range(const struct mw_space *s, uint64_t start, uint64_t length, uint64_t *end,
                struct mw_why *why);

#endif
