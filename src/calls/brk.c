/* SPDX-License-Identifier: MIT */
/* brk.c - brk(2): the heap, a mapping like others but for its limits. Rules BRK-1..5. */
#include "calls/unmap.h"
#include "vma/account.h"
#include "space/fault.h"
#include "vma/edit.h"
#include "vma/place.h"

static uint64_t heap_flags(const struct mw_space *s)
{
    uint64_t exec = s->cfg.options & MW_OPT_NO_NX ? MW_VM_EXEC : 0;

    return MW_VM_READ | MW_VM_WRITE | exec | MW_VM_MAYREAD | MW_VM_MAYWRITE | MW_VM_MAYEXEC |
           MW_VM_ACCOUNT | s->future;
}

static int shrink(struct mw_space *s, uint64_t new_end, uint64_t old_end, struct mw_why *why)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, new_end));
    int err;

    if ((!v || v->start >= old_end) && space_has(s, ROW_HEAP_SHRINKS_MAPPED))
        return why_at(why, WHY_brk_gone, new_end, old_end);
    err = unmap_decide(s, new_end, old_end, NULL, why);
    if (err)
        return unmap_refused(s, new_end, err);
    err = space_reserve(s, EDIT_REMOVE, why);
    if (!err)
        err = unmap_reserve(s, new_end, old_end, why);
    if (!err)
        unmap_commit(s, new_end, old_end);
    return err;
}

/* The heap keeps a page, and a stack's guard, from what lies above. */
static int check_room(const struct mw_space *s, uint64_t old_end, uint64_t new_end,
                      struct mw_why *why)
{
    struct place p = { .hint = old_end, .length = new_end - old_end, .flags = MW_MAP_FIXED };
    int64_t at = place_find(s, &p, why);
    const struct mw_vma *v;
    int err;

    if (at < 0)
        return (int)at;
    err = account_lock(s, s->future, p.length, NULL, why);
    if (err)
        return err;
    v = tree_at(tree_find(&s->tree, old_end));
    if (v && new_end + page_size(s) > room_end(s, v))
        return why_at(why, WHY_brk_blocked, v->start, new_end);
    return 0;
}

static int grow(struct mw_space *s, uint64_t old_end, uint64_t new_end, struct mw_why *why)
{
    struct mw_vma v = { .start = old_end, .end = new_end, .offset = old_end,
                        .flags = heap_flags(s) };
    uint64_t pages = to_pages(s, new_end - old_end);
    int err = check_room(s, old_end, new_end, why);

    if (!err)
        err = account_room(s, v.flags, pages, NULL, why);
    if (!err && s->tree.count > s->cfg.max_map_count)
        err = why_amount(why, WHY_map_count, s->tree.count, s->cfg.max_map_count);
    if (!err)
        err = account_commit(s, pages, why);
    if (!err)
        err = space_reserve(s, EDIT_INSERT, why);
    if (err)
        return err;
    if (old_end > s->brk_start || !space_has(s, ROW_HEAP_BEGINS_APART))
        edit_insert(s, &v, EDIT_NONE_APART);
    else
        edit_add(s, &v); /* what ends where the heap starts is not the heap's */
    if ((v.flags & (MW_VM_LOCKED | MW_VM_LOCKONFAULT)) == MW_VM_LOCKED)
        fault_populate(s, old_end, new_end);
    return 0;
}

static int move_break(struct mw_space *s, uint64_t brk, struct mw_why *why)
{
    uint64_t old_end = round_up(s, s->brk), new_end = round_up(s, brk);
    uint64_t size = add_ceil(sub_floor(brk, s->brk_start), s->cfg.data_size);

    if (!s->brk_start || brk < s->brk_start)
        return why_fail(why, WHY_brk_low, (struct mw_range){ brk, brk }, 0, s->brk_start);
    if (size > s->cfg.limit_data)
        return why_amount(why, WHY_brk_limit, size, s->cfg.limit_data);
    if (new_end == old_end)
        return 0;
    if (brk <= s->brk)
        return shrink(s, new_end, old_end, why);
    return grow(s, old_end, new_end, why);
}

uint64_t mw_brk(struct mw_space *s, uint64_t brk, struct mw_why *why)
{
    why_clear(why);
    space_enter(s);
    if (brk && !move_break(s, brk, why))
        s->brk = brk;
    brk = s->brk;
    space_leave(s);
    return brk;
}
