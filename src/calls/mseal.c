/* SPDX-License-Identifier: MIT */
/* mseal.c - mseal(2): mappings that stay as they are. Rules SEAL-1..5. */
#include "calls/unmap.h"
#include "calls/walk.h"
#include "vma/edit.h"

static int look(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                struct mw_why *why)
{
    (void)s, (void)v, (void)at, (void)ctx, (void)why;
    return 0;
}

static int seal_one(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                    struct mw_why *why)
{
    int err = v->flags & MW_VM_SEALED ? 0 : unmap_cut_piece(s, v, at, why);

    (void)ctx;
    if (err || (v->flags & MW_VM_SEALED) ||
        edit_modify(s, at.start, at.end, v->flags | MW_VM_SEALED, true))
        return err;
    return why_fail(why, WHY_seal_split, at, s->tree.count, s->cfg.max_map_count);
}

static int check_arguments(const struct mw_space *s, uint64_t addr, uint64_t length, uint64_t flags,
                           struct mw_range *at, struct mw_why *why)
{
    *at = (struct mw_range){ addr, addr + round_up(s, length) };
    if (!space_has(s, ROW_MSEAL))
        return why_plain(why, WHY_no_such_call);
    if (flags)
        return why_amount(why, WHY_seal_flags, flags, 0);
    if (!aligned(s, addr))
        return why_at(why, WHY_addr_unaligned, addr, addr);
    if ((length && !round_up(s, length)) || at->end < addr)
        return why_fail(why, WHY_seal_wraps, (struct mw_range){ addr, addr }, length, 0);
    return 0;
}

int64_t mw_mseal(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t flags,
                 struct mw_why *why)
{
    struct walk w = { .step = look, .hole = WHY_seal_hole, .stops = true };
    struct mw_range at;
    int err;

    why_clear(why);
    space_enter(s);
    err = check_arguments(s, addr, length, flags, &at, why);
    if (!err)
        err = walk_range(s, at, &w, why); /* all of it is mapped, or nothing is done */
    if (!err)
        err = space_reserve(s, 2 * EDIT_SPLIT, why);
    w.step = seal_one;
    if (!err)
        err = walk_range(s, at, &w, why);
    space_leave(s);
    return err;
}
