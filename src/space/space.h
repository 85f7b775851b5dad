/* SPDX-License-Identifier: MIT */
/* space.h - the frame around each call on a space. */
#ifndef MW_SPACE_SPACE_H
#define MW_SPACE_SPACE_H

#include "vma/space.h"

/* mw_space_create of a configuration that is sound, and mw_space_destroy, within a call on another space. */
int space_new(const struct mw_config *config, struct mw_space **out);

/* What a child or another copy has of a space, whatever becomes of its mappings. */
void space_inherit(struct mw_space *copy, const struct mw_space *s);
void space_end(struct mw_space *s);

/* Every public call on a space begins and ends with these. */
void space_enter(struct mw_space *s);
void space_leave(struct mw_space *s);

/*
 * Notes that translations of [start, end) are stale; sent off by space_leave.
 * Where they are replaced, to be called before the new ones can be seen.
 */
void space_flush(struct mw_space *s, uint64_t start, uint64_t end);

/* Sends them off now. */
void space_send(struct mw_space *s);

/*
 * Sees to it that `o` (may be NULL: nothing) is found again by what will map
 * it, and holds it as a VMA does, until object_unmap. False: no memory.
 */
bool space_hold(struct mw_space *s, struct mw_object *o);

/*
 * Takes what a call may need before it changes anything: `inserts` insertions
 * into the tree. 0 or -ENOMEM.
 */
int space_reserve(struct mw_space *s, uint32_t inserts, struct mw_why *why);

#endif
