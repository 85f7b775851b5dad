/* SPDX-License-Identifier: MIT */
/* map.h - mmap within another call. */
#ifndef MW_CALLS_MAP_H
#define MW_CALLS_MAP_H

#include "space/space.h"

/*
 * mmap of all of a segment, whose mapping gets the identity `attachment`: the
 * address, or -errno.
 */
int64_t mmap_segment(struct mw_space *s, const struct mw_file *segment, uint64_t addr, uint64_t prot,
                     uint64_t flags, uint64_t attachment, struct mw_why *why);

#endif
