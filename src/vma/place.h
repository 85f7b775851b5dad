/* SPDX-License-Identifier: MIT */
/* place.h - the address that a mapping gets. */
#ifndef MW_VMA_PLACE_H
#define MW_VMA_PLACE_H

#include "vma/space.h"

/* What is to be placed. */
struct place {
    uint64_t hint;   /* bytes; 0: none */
    uint64_t length; /* bytes, whole pages */
    uint64_t offset; /* into the object, bytes */
    uint64_t align;  /* bytes, of huge pages; 0: a page */
    uint32_t flags;  /* MW_MAP_FIXED, MW_MAP_32BIT, MW_MAP_SHARED */
    const struct mw_object *object;
};

/*
 * Finds the address: a fixed one as it is, a hint where it is free, else the
 * highest room below mmap_base. Returns it, or -ENOMEM (no room, too long),
 * -EINVAL (fixed and unaligned), -EPERM (below min_addr). Rules PLACE-1..8.
 */
int64_t place_find(const struct mw_space *s, const struct place *p, struct mw_why *why);

#endif
