/* SPDX-License-Identifier: MIT */
/*
 * mlock.c - mlock(2), mlock2(2), munlock(2), mlockall(2) and munlockall(2).
 *
 * A lock is two flags of a mapping and the pages being there. Linux sets the
 * flags mapping by mapping and stops at a hole; only when all is locked does it
 * make the pages present. Rules LOCK-1..10.
 */
#include "calls/walk.h"
#include "space/fault.h"
#include "vma/account.h"
#include "vma/edit.h"

#define LOCKS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

/* ---- decide ---------------------------------------------------------------------- */

static bool unbound(const struct mw_space *s) { return s->cfg.caps & MW_CAP_IPC_LOCK; }

static int may_lock(const struct mw_space *s, struct mw_why *why)
{
    return unbound(s) || s->cfg.limit_memlock ? 0 : why_plain(why, WHY_lock_forbidden);
}

/* Pages that the range adds to what is locked. */
static uint64_t added(const struct mw_space *s, struct mw_range r)
{
    uint64_t pages = to_pages(s, r.end - r.start);

    for (struct cursor c = tree_find(&s->tree, r.start); c.leaf && tree_at(c)->start < r.end;
         c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if (v->flags & MW_VM_LOCKED)
            pages -= to_pages(s, min_u64(v->end, r.end) - max_u64(v->start, r.start));
    }
    return pages;
}

static int check_limit(const struct mw_space *s, struct mw_range r, struct mw_why *why)
{
    uint64_t limit = to_pages(s, s->cfg.limit_memlock), want;

    if (unbound(s))
        return 0;
    want = s->locked + to_pages(s, r.end - r.start);
    if (want > limit && r.start < r.end)
        want = s->locked + added(s, r);
    return want > limit ? why_amount(why, WHY_lock_too_much, want, limit) : 0;
}

/* Both ends are rounded outwards: no address is unaligned. */
static struct mw_range whole_pages(const struct mw_space *s, uint64_t addr, uint64_t length)
{
    uint64_t start = page_down(addr, s->cfg.page_shift);

    return (struct mw_range){ start, start + round_up(s, length + (addr - start)) };
}

/* ---- reserve, commit -------------------------------------------------------------- */

static int set_locks(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                     struct mw_why *why)
{
    uint64_t flags = (v->flags & ~LOCKS) | *(const uint64_t *)ctx;

    if (flags == v->flags || (v->flags & NEVER_LOCKED))
        return 0;
    if (edit_modify(s, at.start, at.end, flags, true))
        return 0;
    return why_fail(why, WHY_lock_split, at, s->tree.count, s->cfg.max_map_count);
}

static int apply(struct mw_space *s, struct mw_range r, uint64_t locks, struct mw_why *why)
{
    struct walk w = { .step = set_locks, .ctx = &locks, .hole = WHY_lock_hole, .stops = true };
    int err;

    if (r.end < r.start)
        return why_fail(why, WHY_lock_wraps, (struct mw_range){ r.start, r.start },
                        r.end - r.start, 0);
    err = space_reserve(s, 2 * EDIT_SPLIT, why);
    return err ? err : walk_range(s, r, &w, why);
}

/* ---- finish: what is locked is made present ------------------------------------------ */

static int populate(struct mw_space *s, struct mw_range r, struct mw_why *why)
{
    uint64_t at = r.start;

    switch (fault_populate_range(s, &at, r.end)) {
    case MW_FAULT_OK:
        return 0;
    case MW_FAULT_OOM:
        return why_at(why, WHY_lock_no_page, at, at);
    case MW_FAULT_WATCHED:
        return why_at(why, WHY_watch_waits, at, at);
    default:
        return why_at(why, WHY_lock_absent, at, at);
    }
}

/* ---- the calls --------------------------------------------------------------------- */

static int64_t lock(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t locks,
                    struct mw_why *why)
{
    struct mw_range r = whole_pages(s, addr, length);
    int err = may_lock(s, why);

    if (!err)
        err = check_limit(s, r, why);
    if (!err)
        err = apply(s, r, locks, why);
    return err ? err : populate(s, r, why);
}

int64_t mw_mlock2(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t flags,
                  struct mw_why *why)
{
    int64_t r;

    why_clear(why);
    if (!space_has(s, ROW_MLOCK2))
        return why_plain(why, WHY_no_such_call);
    flags = (uint32_t)flags; /* an int */
    if (flags & ~(uint64_t)MW_MLOCK_ONFAULT)
        return why_amount(why, WHY_lock_flags, flags, 0);
    space_enter(s);
    r = lock(s, addr, length, flags ? LOCKS : MW_VM_LOCKED, why);
    space_leave(s);
    return r;
}

int64_t mw_mlock(struct mw_space *s, uint64_t addr, uint64_t length, struct mw_why *why)
{
    int64_t r;

    why_clear(why);
    space_enter(s);
    r = lock(s, addr, length, MW_VM_LOCKED, why);
    space_leave(s);
    return r;
}

int64_t mw_munlock(struct mw_space *s, uint64_t addr, uint64_t length, struct mw_why *why)
{
    int64_t r;

    why_clear(why);
    space_enter(s);
    r = apply(s, whole_pages(s, addr, length), 0, why);
    space_leave(s);
    return r;
}

/* Every mapping as a whole: nothing is cut, and what can't be locked is passed over. */
static void apply_all(struct mw_space *s, uint64_t locks)
{
    struct walk w = { .step = set_locks, .ctx = &locks, .hole = WHY_lock_hole };

    walk_range(s, (struct mw_range){ 0, s->cfg.task_size }, &w, NULL);
}

static int check_all(const struct mw_space *s, uint64_t flags, struct mw_why *why)
{
    const uint64_t known = MW_MCL_CURRENT | MW_MCL_FUTURE |
                           (space_has(s, ROW_MLOCK2) ? MW_MCL_ONFAULT : 0);
    int err;

    if (!flags || (flags & ~known) || flags == MW_MCL_ONFAULT)
        return why_amount(why, WHY_lock_all_flags, flags, 0);
    err = may_lock(s, why);
    if (!err && (flags & MW_MCL_CURRENT) && !unbound(s) &&
        s->total > to_pages(s, s->cfg.limit_memlock))
        err = why_amount(why, WHY_lock_too_much, s->total, to_pages(s, s->cfg.limit_memlock));
    return err;
}

int64_t mw_mlockall(struct mw_space *s, uint64_t flags, struct mw_why *why)
{
    uint64_t locks = flags & MW_MCL_ONFAULT ? LOCKS : MW_VM_LOCKED;
    int err;

    flags = (uint32_t)flags; /* an int */
    why_clear(why);
    space_enter(s);
    err = check_all(s, flags, why);
    if (!err) {
        s->future = flags & MW_MCL_FUTURE ? locks : 0;
        if (flags & MW_MCL_CURRENT) {
            apply_all(s, locks);
            fault_populate(s, 0, s->cfg.task_size);
        }
    }
    space_leave(s);
    return err;
}

int64_t mw_munlockall(struct mw_space *s, struct mw_why *why)
{
    why_clear(why);
    space_enter(s);
    s->future = 0;
    apply_all(s, 0);
    space_leave(s);
    return 0;
}
