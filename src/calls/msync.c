/* SPDX-License-Identifier: MIT */
/*
 * msync.c - msync(2). A page that is written is the object's own, so there is
 * nothing to write back: what is left are the checks. Rules SYNC-1..4.
 */
#include "calls/walk.h"

#define KNOWN (MW_MS_ASYNC | MW_MS_INVALIDATE | MW_MS_SYNC)

static int sync_one(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                    struct mw_why *why)
{
    const uint64_t *flags = ctx;

    (void)s, (void)at;
    if ((*flags & MW_MS_INVALIDATE) && (v->flags & MW_VM_LOCKED))
        return why_at(why, WHY_sync_locked, v->start, v->end);
    return 0;
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
