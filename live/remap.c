/* SPDX-License-Identifier: MIT */
/* remap.c - mremap of a live space: moves, mirrors, growth. */
#include "transaction.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "hostcall.h"

/* Below this many bytes a page fault a page costs less than what mremap costs beyond mmap. */
#define WORTH_MOVING (64u << 10)

struct remap {
    struct transaction t;
    uint64_t old, old_size, new, new_size, flags; /* bytes, whole pages */
    struct mw_why *why;
};

static bool overlap(struct mw_range a, struct mw_range b)
{
    return a.start < b.end && b.start < a.end;
}

/* Notes what the call may change: both ranges, in one where they meet. */
static int note_remap(struct remap *r)
{
    struct transaction *t = &r->t;
    uint64_t size = r->old_size > r->new_size ? r->old_size : r->new_size;
    uint64_t end = r->old + (size ? size : 1), limit = t->live->range.end;
    struct mw_range a, b;

    if (mw_tx_note(t, r->old, end < limit ? end : limit))
        return -ENOMEM;
    if (!(r->flags & MW_MREMAP_FIXED))
        return 0;
    if (mw_tx_note(t, r->new, r->new + r->new_size))
        return -ENOMEM;
    a = t->before[0].range;
    b = t->before[1].range;
    if (!overlap(a, b))
        return 0;
    mw_tx_forget(t);
    return mw_tx_note(t, a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end);
}

/* What DONTUNMAP leaves of a pool's private memory is empty: pages of its own. */
static int64_t empty_old(struct remap *r)
{
    struct mw_live *live = r->t.live;
    struct mw_vma v, p;

    for (uint64_t a = r->old; a < r->old + r->old_size && mw_find_vma(live->space, a, &v); a = v.end) {
        struct mapping m = { .live = live, .flags = MW_MAP_FIXED, .fd = -1 };
        int64_t got;

        if (!mw_vma_part(&v, r->old, r->old + r->old_size, &p))
            break;
        if (!is_pools_private(&p))
            continue;
        m.behind = backing_of(&p);
        m.pool = pool_of(&p);
        m.addr = p.start;
        m.length = p.end - p.start;
        m.prot = p.flags & 7;
        got = mw_map_in_engine(&r->t, &m);
        if (got < 0)
            return got;
    }
    return 0;
}

static bool moves(const struct remap *r, uint64_t result)
{
    return r->old_size && result != r->old && !(r->flags & MW_MREMAP_MIRROR);
}

/* Is it to be carried by the host's mremap? Huge pages of a pool are not: few entries, and no DONTUNMAP. */
static bool worth_moving(const struct mw_live *live, const struct mw_vma *p, uint64_t size)
{
    return is_carried(p) ||
           (live->leaves_objects && size >= WORTH_MOVING && mw_live_page(live, p) < HUGE);
}

/*
 * Lets the host carry page tables over: its mappings then are at the new place
 * too, and still at the old one. What has pages elsewhere and is not carried
 * is mapped anew.
 */
static int carry(struct remap *r)
{
    struct transaction *t = &r->t;
    const struct layout *from = &t->before[mw_tx_part_of(t, r->old)];
    uint64_t size = r->old_size < r->new_size ? r->old_size : r->new_size, at = 0;
    struct mw_vma p, moved;

    mw_tx_now_begins(t, r->new);
    for (size_t i = 0; i < from->count; i++) {
        int err = -EINVAL;

        if (!mw_vma_part(&from->vma[i], r->old, r->old + size, &p))
            continue;
        moved = p;
        moved.start += r->new - r->old;
        moved.end += r->new - r->old;
        if (worth_moving(t->live, &p, size))
            err = mw_live_move(&p, moved.start, &t->journal);
        if (err && is_carried(&p))
            return err;
        if (!mw_tx_now_as_before(t, at, moved.start) || (!err && !mw_layout_add(&t->now, &moved)))
            return -ENOMEM;
        at = moved.end;
    }
    return mw_tx_now_as_before(t, at, UINT64_MAX) ? 0 : -ENOMEM;
}

/* The carried mappings in [start, end) of what was, which the call is to replace, wait elsewhere. */
static int put_aside(struct remap *r, uint64_t start, uint64_t end)
{
    struct transaction *t = &r->t;
    const struct layout *l = &t->before[mw_tx_part_of(t, r->new)];
    struct mw_vma p;

    for (size_t i = 0; i < l->count; i++) {
        int err;

        if (!mw_vma_part(&l->vma[i], start, end, &p) || !is_carried(&p))
            continue;
        if (!t->aside.end) {
            void *room = mw_hostcall.map(NULL, (size_t)r->new_size, PROT_NONE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (room == MAP_FAILED)
                return -errno;
            t->aside = (struct mw_range){ (uintptr_t)room, (uintptr_t)room + r->new_size };
        }
        err = mw_live_move(&p, t->aside.start + (p.start - r->new), &t->journal);
        if (err)
            return err;
    }
    return 0;
}

/* What lies opposite gaps of what moves there stays. */
static int put_all_aside(struct remap *r)
{
    const struct layout *from = &r->t.before[mw_tx_part_of(&r->t, r->old)];
    struct mw_vma p;
    int err = 0;

    if (!(r->flags & MW_MREMAP_FIXED))
        return 0;
    if (r->old_size != r->new_size || (r->flags & MW_MREMAP_MIRROR))
        return put_aside(r, r->new, r->new + r->new_size);
    for (size_t i = 0; i < from->count && !err; i++)
        if (mw_vma_part(&from->vma[i], r->old, r->old + r->old_size, &p))
            err = put_aside(r, p.start - r->old + r->new, p.end - r->old + r->new);
    return err;
}

/* Room for `size` bytes congruent with `addr`, as page tables are; 0: none. */
static uint64_t congruent_room(const struct mw_live *live, uint64_t addr, uint64_t size)
{
    for (uint64_t step = size >= GIGA ? GIGA : HUGE; step >= HUGE; step = step > HUGE ? HUGE : 0) {
        int64_t room = mw_mmap(live->space, 0, size + step, MW_PROT_NONE,
                               MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_NORESERVE, NULL, 0, NULL);
        uint64_t high = (uint64_t)room + step;

        if (room < 0)
            continue;
        mw_munmap(live->space, (uint64_t)room, size + step, NULL);
        return high - ((high - addr) & (step - 1));
    }
    return 0;
}

/* The engine's answer; a large mapping that has to move goes where its page tables can. */
static int64_t decide(struct remap *r)
{
    struct mw_space *s = r->t.live->space;
    uint64_t flags = r->flags | MW_MREMAP_STRICT, to;
    bool must = r->flags & (MW_MREMAP_DONTUNMAP | MW_MREMAP_MIRROR);
    struct mw_vma v;
    int64_t got;

    if (!(flags & MW_MREMAP_MAYMOVE) || (flags & MW_MREMAP_FIXED) || r->new_size < HUGE || !r->old_size ||
        !mw_find_vma(s, r->old, &v) || v.start > r->old || v.end - r->old < r->old_size)
        return mw_mremap(s, r->old, r->old_size, r->new_size, flags, r->new, r->why);
    got = must ? -ENOMEM
               : mw_mremap(s, r->old, r->old_size, r->new_size, flags & ~(uint64_t)MW_MREMAP_MAYMOVE, 0, NULL);
    if (got == -ENOMEM && (to = congruent_room(r->t.live, r->old, r->new_size)) != 0)
        got = mw_mremap(s, r->old, r->old_size, r->new_size, flags | MW_MREMAP_FIXED, to, NULL);
    return got < 0 ? mw_mremap(s, r->old, r->old_size, r->new_size, flags, 0, r->why) : got;
}

/* Private memory of the kernel's, or a private file's, becomes a pool's. */
static int64_t convert(struct mw_live *live, const struct mw_vma *v)
{
    struct mapping m = { .live = live, .addr = v->start, .length = v->end - v->start,
                         .prot = v->flags & 7, .flags = MW_MAP_FIXED, .fd = -1,
                         .pool = live->pool, .behind = &live->pool->as_private };
    struct transaction t;
    int64_t r;

    r = mw_tx_open(&t, live, v->start, v->end);
    if (r)
        return r;
    r = mw_map_take_slot(&m);
    if (r)
        return mw_tx_end(&t), r;
    r = mw_pool_copy_in(m.pool, v, m.offset);
    if (r) {
        mw_slot_give(m.pool, (uint32_t)(m.offset / m.pool->slot_bytes));
        mw_tx_end(&t);
    } else {
        r = mw_map_with(&t, &m);
    }
    if (r < 0)
        mw_pool_punch(m.pool, m.offset, m.offset + m.length);
    return r < 0 ? r : 0;
}

/* All that is to have a second address. */
static int64_t convert_all(const struct remap *r)
{
    struct mw_live *live = r->t.live;
    struct mw_vma v, p;
    int64_t err = 0;

    for (uint64_t a = r->old; a < r->old + r->old_size && mw_find_vma(live->space, a, &v) && !err;
         a = v.end) {
        if (!mw_vma_part(&v, r->old, r->old + r->old_size, &p))
            break;
        if (is_carried(&p))
            err = convert(live, &p);
    }
    return err;
}

/* The mapping only grows or shrinks where it is: the host follows at its end. */
static int64_t resize(struct remap *r)
{
    struct transaction *t = &r->t;
    uint64_t end = r->old + r->old_size, new_end = r->old + r->new_size;
    struct mw_vma v;

    if (new_end <= end)
        return new_end < end ? mw_tx_carry_out_one(t, new_end, end, NULL, (int64_t)r->old)
                             : (mw_tx_end(t), (int64_t)r->old);
    mw_find_vma(t->live->space, end, &v);
    mw_vma_part(&v, end, new_end, &v);
    return mw_tx_carry_out_one(t, end, new_end, &v, (int64_t)r->old);
}

static int64_t remap_it(struct remap *r)
{
    struct transaction *t = &r->t;
    int64_t result, err = may_begin(t->live);

    if (!err)
        err = note_remap(r);
    if (err)
        return mw_tx_end(t), err;
    result = decide(r);
    if (result < 0)
        return mw_tx_end(t), result; /* strict: nothing has changed */
    if (!(r->flags & MW_MREMAP_FIXED) && (uint64_t)result == r->old)
        return resize(r);
    if (!(r->flags & MW_MREMAP_FIXED)) {
        r->new = (uint64_t)result;
        mw_tx_note_empty(t, (struct mw_range){ r->new, r->new + r->new_size });
    }
    if (r->flags & MW_MREMAP_DONTUNMAP)
        err = empty_old(r);
    if (!err)
        err = mw_tx_note_after(t);
    if (err < 0)
        return mw_tx_roll_back(t, err, false);
    err = put_all_aside(r);
    if (!err && moves(r, (uint64_t)result))
        err = carry(r);
    if (err)
        return mw_tx_roll_back(t, err, true);
    if (!moves(r, (uint64_t)result) && (uint64_t)result != r->old)
        t->live->aliased = true;
    if (r->flags & MW_MREMAP_DONTUNMAP) /* shared memory is at both */
        t->live->aliased = true;
    return mw_tx_carry_out(t, result);
}

static int64_t call_mremap(void *args)
{
    struct remap *r = args;
    struct mw_live *live = r->t.live;
    bool fill = r->flags & MW_LIVE_FILL;
    struct mw_vma v = { 0 };
    uint64_t page;
    int64_t result = 0;

    r->flags &= ~(uint64_t)MW_LIVE_FILL;
    if (!mw_find_vma(live->space, r->old, &v) || v.start > r->old)
        v = (struct mw_vma){ 0 };
    if (!r->old_size && v.end && is_pools_private(&v))
        return -EINVAL; /* private memory is mirrored, by that name */
    page = mw_live_page(live, &v);
    r->old_size = up_to(r->old_size, page);
    r->new_size = up_to(r->new_size, page);
    if (!inside(live, r->old, r->old_size) ||
        ((r->flags & MW_MREMAP_FIXED) && !inside(live, r->new, r->new_size)))
        return -EINVAL;
    if (r->flags & MW_MREMAP_MIRROR)
        result = convert_all(r);
    mw_tx_begin(&r->t, live);
    if (!result)
        result = remap_it(r);
    if (result > 0 && fill)
        mw_live_fill(live, (uint64_t)result, (uint64_t)result + r->new_size);
    return result;
}

int64_t mw_live_mremap(struct mw_live *live, void *old_addr, uint64_t old_size, uint64_t new_size,
                       uint64_t flags, void *new_addr, struct mw_why *why)
{
    struct remap r; /* its transaction, which is large, begins later */

    r.t.live = live;
    r.old = (uintptr_t)old_addr;
    r.old_size = old_size;
    r.new = (uintptr_t)new_addr;
    r.new_size = new_size;
    r.flags = flags;
    r.why = why;
    if (!inside(live, r.old, old_size))
        return -EINVAL;
    if (new_size > live->range.end - live->range.start)
        return -ENOMEM;
    return mw_live_enter(live, why, call_mremap, &r);
}
