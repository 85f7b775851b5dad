/* SPDX-License-Identifier: MIT */
/*
 * merge.h - when two neighbouring VMAs are one.
 *
 * Two things decide: what they map (kind, flags, and offsets that continue),
 * and, for private memory that has been written, whose pages they hold (the
 * anonymous identity).
 */
#ifndef MW_VMA_MERGE_H
#define MW_VMA_MERGE_H

#include "vma/space.h"

/* Where `v` comes from: a call extended it, or made, moved or changed it. */
enum merge_source { MERGE_EXTENDED, MERGE_PLACED };

/* May `v` become one with the neighbour `n`? `n` may be NULL (no). Rules MERGE-1..6. */
bool merge_below(const struct mw_space *s, const struct mw_vma *n, const struct mw_vma *v,
                 enum merge_source source);
bool merge_above(const struct mw_space *s, const struct mw_vma *v, const struct mw_vma *n,
                 enum merge_source source);

/* May three become one, once both pairs may? Their outer identities must agree. */
bool merge_across(const struct mw_vma *low, const struct mw_vma *high);

/*
 * The identity that private memory in `v` takes on with its first write: a
 * neighbour's, if they could become one by a change of protection (ANON-2), or
 * a new one.
 */
uint64_t anon_identity(struct mw_space *s, const struct mw_vma *prev, const struct mw_vma *v,
                       const struct mw_vma *next);

#endif
