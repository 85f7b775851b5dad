/* SPDX-License-Identifier: MIT */
/*
 * writeback.c - what was written through mappings goes where the object lives.
 * A page becomes writable by a fault, which notes it; so what is to be written
 * is write-protected everywhere first, and each later write is noted anew.
 */
#include "space/writeback.h"

#include "space/rmap.h"

static void protect(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx)
{
    (void)ctx;
    if (!(v->flags & MW_VM_MAYSHARE))
        return; /* its own copies, or pages that it can't write to */
    pmap_protect(&s->pmap, at.start, at.end, v->flags & ~MW_VM_WRITE);
    space_flush(s, at.start, at.end);
}

int write_back(struct mw_object *o, struct mw_range offsets)
{
    uint32_t shift;
    uint64_t first, end;

    if (!o->frames || !o->ops || !o->ops->write)
        return 0;
    shift = frame_shift(o->frames, o->level);
    first = offsets.start >> shift;
    end = (offsets.end - 1) >> shift;
    if (object_next_soiled(o, first) > end)
        return 0;
    rmap_all(o, offsets, &(struct rmap){ protect, NULL });
    return object_write(o, first, end + 1);
}
