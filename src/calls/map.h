/* SPDX-License-Identifier: MIT */
/* map.h - mmap within another call. */
#ifndef MW_CALLS_MAP_H
#define MW_CALLS_MAP_H

#include "space/space.h"

/* mmap's arguments, for a file; and those of the calls that map by it. */
struct map_args {
    uint64_t addr, length, offset, prot, flags;
    const struct mw_file *file;
    uint64_t attachment; /* the identity that the mapping gets: shmat's; 0: none */
    bool silent;         /* watchers are not told of what goes */
};

/* The address, or -errno. */
int64_t map_file(struct mw_space *s, const struct map_args *args, struct mw_why *why);

#endif
