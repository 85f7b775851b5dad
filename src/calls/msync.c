/* SPDX-License-Identifier: MIT */
/* msync.c - msync(2), and an object's fsync(2). Rules SYNC-1..7. */
#include "calls/walk.h"
#include "space/writeback.h"

#define KNOWN (MW_MS_ASYNC | MW_MS_INVALIDATE | MW_MS_SYNC)

static int failed(int err, struct mw_range at, struct mw_why *why)
{
    why_at(why, WHY_sync_failed, at.start, at.end);
    if (why)
        why->err = -err;
    return err;
}

static int sync_one(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                    struct mw_why *why)
{
    const uint64_t *flags = ctx;
    uint64_t offset = v->offset + (at.start - v->start);
    int err = 0;

    if ((*flags & MW_MS_INVALIDATE) && (v->flags & MW_VM_LOCKED))
        return why_at(why, WHY_sync_locked, v->start, v->end);
    if ((*flags & MW_MS_SYNC) && (v->flags & MW_VM_SHARED) && v->object && s->pmap.frames)
        err = write_back(v->object, (struct mw_range){ offset, add_ceil(offset, at.end - at.start) });
    return err ? failed(err, at, why) : 0;
}

static int check_arguments(const struct mw_space *s, uint64_t addr, uint64_t length, uint64_t flags,
                           struct mw_range *at, struct mw_why *why)
{
    *at = (struct mw_range){ addr, addr + round_up(s, length) };
    if (flags & ~(uint64_t)KNOWN)
        return why_amount(why, WHY_sync_flags, flags, 0);
    if (!aligned(s, addr))
        return why_at(why, WHY_addr_unaligned, addr, addr);
    if ((flags & MW_MS_ASYNC) && (flags & MW_MS_SYNC))
        return why_amount(why, WHY_sync_flags, flags, 0);
    if (at->end < addr)
        return why_fail(why, WHY_sync_wraps, (struct mw_range){ addr, addr }, length, 0);
    return 0;
}

int64_t mw_msync(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t flags,
                 struct mw_why *why)
{
    struct walk w = { .step = sync_one, .ctx = &flags, .hole = WHY_sync_hole };
    struct mw_range at;
    int err;

    why_clear(why);
    flags = (uint32_t)flags; /* an int */
    space_enter(s);
    err = check_arguments(s, addr, length, flags, &at, why);
    if (!err)
        err = walk_range(s, at, &w, why);
    space_leave(s);
    return err;
}

int mw_object_sync(struct mw_object *o)
{
    const struct mw_port *port = o->port;
    int err;

    if (port->lock)
        port->lock(port->ctx);
    err = write_back(o, (struct mw_range){ 0, UINT64_MAX });
    if (port->unlock)
        port->unlock(port->ctx);
    return err;
}
