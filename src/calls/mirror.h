/* SPDX-License-Identifier: MIT */
/* mirror.h - mremap's extension MW_MREMAP_MIRROR. */
#ifndef MW_CALLS_MIRROR_H
#define MW_CALLS_MIRROR_H

#include "vma/space.h"

/* Arguments that mremap has checked: whole pages, no overlap. */
struct mirror_request {
    uint64_t old, size, new; /* bytes */
    bool fixed;              /* `new` is where the mirror goes; else that is chosen */
};

/* Mirrors [old, old + size), gaps kept. All or nothing: the new address, or -errno. */
int64_t mirror_remap(struct mw_space *s, struct mirror_request *q, struct mw_why *why);

#endif
