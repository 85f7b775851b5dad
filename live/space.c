/* SPDX-License-Identifier: MIT */
/*
 * space.c - a live space's calls.
 *
 * Each call is a transaction: the layout of what it may change is noted, the
 * engine makes the call, the host follows; when the host refuses, host and
 * engine go back to what was noted. Pages are given up only at the very end.
 */
#include "space.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"

#define HUGE (2ull << 20)
#define GIGA (1ull << 30)
#define STOCK_BYTES (256u << 10)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since 5.14 */
#endif

/* ---- memory for the engine's structs --------------------------------------------------- */

static void *take(void *ctx, size_t size)
{
    struct live_memory *m = ctx;
    void *p = malloc(size);

    size = (size + 15) & ~(size_t)15;
    if (p || !m->going_back || m->used + size > STOCK_BYTES)
        return p;
    p = m->stock + m->used;
    m->used += size;
    m->blocks++;
    return p;
}

static void give(void *ctx, void *p, size_t size)
{
    struct live_memory *m = ctx;
    unsigned char *c = p;

    (void)size;
    if (c < m->stock || c >= m->stock + STOCK_BYTES)
        free(p);
    else if (--m->blocks == 0)
        m->used = 0;
}

/* ---- transactions ------------------------------------------------------------------------------ */

enum { PARTS = 2 };

struct transaction {
    struct mw_live *live;
    size_t parts;
    struct layout before[PARTS], after[PARTS];
    struct layout now; /* what the host has in one part, where that is not what was before */
    size_t now_of;     /* which; PARTS: none */
    uint32_t fresh[POOLS]; /* slots taken for it: 1 + the first one, linked; 0: none */
    struct journal journal;
    struct mw_range aside; /* where carried pages wait that the call replaces */
};

static void begin(struct transaction *t, struct mw_live *live)
{
    t->live = live;
    t->parts = 0;
    t->now_of = PARTS;
    t->fresh[POOL_PAGES] = t->fresh[POOL_2M] = t->fresh[POOL_1G] = 0;
    t->journal.count = t->journal.room = 0;
    t->aside = (struct mw_range){ 0, 0 };
}

static void forget(struct transaction *t)
{
    while (t->parts) {
        t->parts--;
        mw_layout_free(&t->before[t->parts]);
        mw_layout_free(&t->after[t->parts]);
    }
}

static void end(struct transaction *t)
{
    forget(t);
    if (t->now_of < PARTS)
        mw_layout_free(&t->now);
    if (t->journal.room)
        mw_journal_free(&t->journal);
    if (t->aside.end)
        munmap(host_at(t->aside.start), (size_t)(t->aside.end - t->aside.start));
}

/* A part of which nothing was mapped, as far as is known yet. */
static struct layout *note_empty(struct transaction *t, struct mw_range range)
{
    struct layout *l = &t->before[t->parts];

    mw_layout_init(l, range);
    mw_layout_init(&t->after[t->parts++], range);
    return l;
}

/* Notes what a call in [start, end) may change: also the whole mappings that it might cut or merge with. */
static int note(struct transaction *t, uint64_t start, uint64_t end)
{
    struct layout *l = note_empty(t, (struct mw_range){ start, end });
    uint64_t at = start > t->live->range.start ? start - 1 : start;
    struct mw_vma v = { .end = at };

    while (v.end <= end && mw_find_vma(t->live->space, at, &v) && v.start <= end) {
        if (!mw_layout_add(l, &v))
            return -ENOMEM;
        at = v.end;
    }
    if (l->count && l->vma[0].start < start)
        l->range.start = l->vma[0].start;
    if (l->count && l->vma[l->count - 1].end > end)
        l->range.end = l->vma[l->count - 1].end;
    t->after[t->parts - 1].range = l->range;
    return 0;
}

/* The part that has `addr`. */
static size_t part_of(const struct transaction *t, uint64_t addr)
{
    size_t k = t->parts;

    while (k-- > 1 && (addr < t->before[k].range.start || addr >= t->before[k].range.end))
        continue;
    return k;
}

/* Adds to `now` what the part has in [start, end). */
static bool now_as_before(struct transaction *t, uint64_t start, uint64_t end)
{
    const struct layout *l = &t->before[t->now_of];
    struct mw_vma p;

    for (size_t i = 0; i < l->count; i++)
        if (mw_vma_part(&l->vma[i], start, end, &p) && !mw_layout_add(&t->now, &p))
            return false;
    return true;
}

static void now_begins(struct transaction *t, uint64_t addr)
{
    t->now_of = part_of(t, addr);
    mw_layout_init(&t->now, t->before[t->now_of].range);
}

static int note_after(struct transaction *t)
{
    for (size_t k = 0; k < t->parts; k++)
        if (!mw_layout_take(t->live, &t->after[k]))
            return -ENOMEM;
    return 0;
}

/* The engine's side of going back. */
static void restore_engine(struct transaction *t)
{
    struct mw_live *live = t->live;

    live->memory.going_back = true;
    for (size_t k = 0; k < t->parts; k++)
        mw_munmap(live->space, t->before[k].range.start,
                  t->before[k].range.end - t->before[k].range.start, NULL);
    for (size_t k = 0; k < t->parts; k++)
        for (size_t i = 0; i < t->before[k].count; i++)
            mw_import(live->space, &t->before[k].vma[i]);
    live->memory.going_back = false;
}

/* Slots taken for what did not come to be. */
static void free_unused_slots(struct transaction *t)
{
    for (int i = 0; i < POOLS; i++)
        while (t->fresh[i]) {
            uint32_t slot = t->fresh[i] - 1;

            t->fresh[i] = t->live->pool[i].slots[slot].next;
            mw_slot_give(&t->live->pool[i], slot);
        }
}

/* The engine has made a call, or a part of one, that is not to be: nothing has happened. */
static int64_t roll_back(struct transaction *t, int64_t err, bool host_too)
{
    if (t->journal.room)
        mw_journal_undo(&t->journal);
    for (size_t k = 0; k < t->parts && host_too; k++)
        for (int tries = 3; mw_live_force(&t->before[k]) && tries; tries--)
            continue;
    restore_engine(t);
    free_unused_slots(t);
    end(t);
    return err;
}

/* Counts a mapping in or out; a slot that nothing maps any more is free again. */
static void slot_count(const struct mw_vma *v, bool in)
{
    struct pool *pool = pool_of(v);
    uint64_t bytes = v->end - v->start;
    uint32_t s;

    if (!pool)
        return;
    s = (uint32_t)(v->offset / pool->slot_bytes);
    pool->slots[s].mapped += in ? bytes : 0 - bytes;
    if (!in && !pool->slots[s].mapped)
        mw_slot_give(pool, s);
}

static void slots_count(const struct layout *l, bool in)
{
    for (size_t i = 0; i < l->count; i++)
        slot_count(&l->vma[i], in);
}

/* The host follows; where memory comes to before where it leaves. `result` is the call's. */
static int64_t carry_out(struct transaction *t, int64_t result)
{
    int err = 0;

    for (size_t k = t->parts; k-- > 0 && !err;)
        err = mw_live_apply(k == t->now_of ? &t->now : &t->before[k], &t->after[k]);
    if (err)
        return roll_back(t, err, true);
    for (size_t k = 0; k < t->parts; k++)
        slots_count(&t->after[k], true);
    for (size_t k = 0; k < t->parts; k++)
        slots_count(&t->before[k], false);
    for (size_t k = 0; k < t->parts; k++)
        for (size_t i = 0; i < t->before[k].count; i++)
            mw_live_give_back(t->live, &t->before[k].vma[i], t->after, t->parts);
    end(t);
    return result;
}

/*
 * The host follows in one call: [start, end) is `v`'s from now on, or no one's;
 * what was there has gone.
 */
static int64_t carry_out_one(struct transaction *t, uint64_t start, uint64_t end_, const struct mw_vma *v,
                             int64_t result)
{
    const struct layout *l = &t->before[0];
    int err = v ? mw_live_map(v) : mw_live_reserve(start, end_);
    struct mw_vma p;

    if (err)
        return roll_back(t, err, true);
    if (v)
        slot_count(v, true);
    for (size_t i = 0; i < l->count; i++)
        if (mw_vma_part(&l->vma[i], start, end_, &p)) {
            slot_count(&p, false);
            mw_live_give_back(t->live, &p, NULL, 0);
        }
    end(t);
    return result;
}

static bool inside(const struct mw_live *live, uint64_t addr, uint64_t length)
{
    return addr >= live->range.start && addr < live->range.end && length <= live->range.end - addr;
}

static uint64_t up_to(uint64_t bytes, uint64_t page) { return (bytes + page - 1) & ~(page - 1); }

static uint64_t up(const struct mw_live *live, uint64_t bytes)
{
    return up_to(bytes, 1ull << mw_space_config(live->space)->page_shift);
}

static int64_t enter(struct mw_live *live, struct mw_why *why, int64_t (*call)(void *), void *args)
{
    int64_t r;

    if (why)
        *why = (struct mw_why){ 0 };
    pthread_mutex_lock(&live->lock);
    r = call(args);
    pthread_mutex_unlock(&live->lock);
    return r;
}

/* ---- mmap ------------------------------------------------------------------------------------- */

#define TYPES (MW_MAP_PRIVATE | MW_MAP_SHARED)
#define PLACED (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE)
#define KNOWN (TYPES | PLACED | MW_MAP_POPULATE | MW_MAP_NORESERVE)
#define HUGE_SIZES (MW_MAP_HUGETLB | 63ull << MW_MAP_HUGE_SHIFT)

struct mapping {
    struct mw_live *live;
    uint64_t addr, length, prot, flags, offset;
    struct backing *behind; /* NULL: the kernel's own private memory */
    struct pool *pool;
    bool has_slot; /* `offset` is in one */
    int fd;        /* -1: anonymous */
    struct mw_why *why;
};

/* A slot, congruent with the address where that is known, so that page tables can move. */
static int take_slot(struct mapping *m)
{
    int err = mw_slot_take(m->pool, &m->offset);

    if (err)
        return err;
    m->has_slot = true;
    if (m->flags & PLACED)
        m->offset += m->addr & (HUGE - 1) & ~((1ull << m->pool->log2_page) - 1);
    return 0;
}

static int64_t ask_engine(const struct mapping *m)
{
    uint64_t keep = m->flags & (PLACED | MW_MAP_NORESERVE);

    if (m->fd >= 0)
        return mw_mmap(m->live->space, m->addr, m->length, m->prot, keep | (m->flags & TYPES),
                       &m->behind->file, m->offset, m->why);
    if (!m->behind)
        return mw_mmap(m->live->space, m->addr, m->length, m->prot,
                       keep | MW_MAP_PRIVATE | MW_MAP_ANONYMOUS, NULL, 0, m->why);
    return mw_mmap(m->live->space, m->addr, m->length, m->prot, keep | MW_MAP_SHARED,
                   &m->behind->file, m->offset, m->why);
}

/* The engine's side, with a slot that `t` gives back if need be. */
static int64_t map_in_engine(struct transaction *t, struct mapping *m)
{
    int err = m->pool && !m->has_slot ? take_slot(m) : 0;
    uint32_t slot;
    int64_t r;

    if (err)
        return err;
    r = ask_engine(m);
    if (!m->pool)
        return r;
    slot = (uint32_t)(m->offset / m->pool->slot_bytes);
    if (r < 0) {
        mw_slot_give(m->pool, slot);
    } else {
        m->pool->slots[slot].next = t->fresh[m->pool - m->live->pool];
        t->fresh[m->pool - m->live->pool] = slot + 1;
    }
    return r;
}

/* Both sides. */
static int64_t map_with(struct transaction *t, struct mapping *m)
{
    uint64_t limit;
    struct mw_vma v;
    int64_t r = map_in_engine(t, m);

    if (r < 0)
        return roll_back(t, r, false); /* it may have cut something */
    limit = (uint64_t)r + m->length;
    if (!(m->flags & PLACED))
        note_empty(t, (struct mw_range){ (uint64_t)r, limit });
    mw_find_vma(t->live->space, (uint64_t)r, &v);
    mw_vma_part(&v, (uint64_t)r, limit, &v);
    return carry_out_one(t, (uint64_t)r, limit, &v, r);
}

static int64_t map_it(struct mapping *m)
{
    struct transaction t;
    int err = 0;

    begin(&t, m->live);
    if (m->flags & PLACED)
        err = note(&t, m->addr, m->addr + m->length);
    return err ? end(&t), err : map_with(&t, m);
}

/* Makes pages, by advice or by touching them without changing them. */
static void populate(uint64_t addr, uint64_t length, uint64_t prot, uint64_t page)
{
    if (madvise(host_at(addr), (size_t)length, MADV_POPULATE_WRITE) == 0 || !(prot & MW_PROT_WRITE))
        return;
    for (uint64_t a = addr; a < addr + length; a += page)
        __atomic_fetch_or((unsigned char *)host_at(a), 0, __ATOMIC_RELAXED);
}

/* Which pages anonymous memory has. 0 or -errno. */
static int choose_pool(struct mapping *m)
{
    uint64_t log2 = m->flags >> MW_MAP_HUGE_SHIFT & 63;
    bool shared = m->flags & MW_MAP_SHARED;
    int which = POOL_PAGES, err;

    if (m->flags & MW_MAP_HUGETLB)
        which = log2 == 30 ? POOL_1G : POOL_2M;
    if ((m->flags & MW_MAP_HUGETLB ? log2 && log2 != 21 && log2 != 30 : log2 != 0))
        return -EINVAL;
    if (which == POOL_PAGES && !shared && m->live->private_memory == MW_LIVE_PRIVATE_KERNEL)
        return 0;
    err = mw_live_pool(m->live, which);
    if (err)
        return err;
    m->pool = &m->live->pool[which];
    m->behind = shared ? &m->pool->as_shared : &m->pool->as_private;
    return 0;
}

static int64_t map_anonymous(struct mapping *m)
{
    uint64_t page;
    int64_t r = choose_pool(m);

    if (r)
        return r;
    page = m->pool ? 1ull << m->pool->log2_page : up(m->live, 1);
    if (m->length > m->live->range.end - m->live->range.start)
        return -ENOMEM;
    m->length = up_to(m->length, page);
    if ((m->flags & PLACED) && !inside(m->live, m->addr, m->length))
        return -EINVAL;
    return map_it(m);
}

static int64_t map_file(struct mapping *m)
{
    int64_t r = mw_live_file(m->live, m->fd, !(m->flags & MW_MAP_SHARED), &m->behind);

    if (r)
        return r;
    m->length = up(m->live, m->length);
    r = (m->flags & PLACED) && !inside(m->live, m->addr, m->length) ? -EINVAL : map_it(m);
    mw_object_put(m->behind->file.object);
    return r;
}

static int64_t call_mmap(void *args)
{
    struct mapping *m = args;
    int64_t r = m->fd < 0 ? map_anonymous(m) : map_file(m);

    if (r > 0 && (m->flags & MW_MAP_POPULATE))
        populate((uint64_t)r, m->length, m->prot, up(m->live, 1));
    return r;
}

int64_t mw_live_mmap(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                     uint64_t flags, struct mw_why *why)
{
    struct mapping m = { .live = live, .addr = (uintptr_t)addr, .length = length, .prot = prot,
                         .flags = flags, .fd = -1, .why = why };

    if ((flags & ~(KNOWN | HUGE_SIZES | MW_MAP_ANONYMOUS)) || !(flags & MW_MAP_ANONYMOUS))
        return -EOPNOTSUPP;
    if (!(flags & TYPES) || (flags & TYPES) == TYPES)
        return -EINVAL;
    return enter(live, why, call_mmap, &m);
}

int64_t mw_live_mmap_file(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                          uint64_t flags, int fd, uint64_t offset, struct mw_why *why)
{
    struct mapping m = { .live = live, .addr = (uintptr_t)addr, .length = length, .prot = prot,
                         .flags = flags, .offset = offset, .fd = fd, .why = why };

    if (flags & ~(uint64_t)KNOWN)
        return -EOPNOTSUPP;
    if (!(flags & TYPES) || (flags & TYPES) == TYPES)
        return -EINVAL;
    if (fd < 0)
        return -EBADF;
    if (length > live->range.end - live->range.start)
        return -ENOMEM;
    return enter(live, why, call_mmap, &m);
}

/* ---- munmap, mprotect ---------------------------------------------------------------------------- */

struct change {
    struct mw_live *live;
    uint64_t addr, length, prot;
    struct mw_why *why;
};

static int64_t call_munmap(void *args)
{
    struct change *c = args;
    struct transaction t;
    int64_t r;

    begin(&t, c->live);
    r = note(&t, c->addr, c->addr + up(c->live, c->length));
    if (r)
        return end(&t), r;
    r = mw_munmap(c->live->space, c->addr, c->length, c->why);
    return r < 0 ? roll_back(&t, r, false)
                 : carry_out_one(&t, c->addr, c->addr + up(c->live, c->length), NULL, r);
}

static int64_t call_mprotect(void *args)
{
    struct change *c = args;
    struct transaction t;
    int64_t r;

    begin(&t, c->live);
    r = note(&t, c->addr, c->addr + up(c->live, c->length));
    if (r)
        return end(&t), r;
    r = mw_mprotect(c->live->space, c->addr, c->length, c->prot, c->why);
    if (r < 0)
        return roll_back(&t, r, false);
    if (mw_hostcall.protect(host_at(c->addr), (size_t)up(c->live, c->length), (int)(c->prot & 7)))
        return roll_back(&t, -errno, true);
    return end(&t), 0;
}

int64_t mw_live_munmap(struct mw_live *live, void *addr, uint64_t length, struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, 0, why };

    if (!inside(live, c.addr, length) || !length)
        return -EINVAL;
    return enter(live, why, call_munmap, &c);
}

int64_t mw_live_mprotect(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                         struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, prot, why };

    if (!inside(live, c.addr, length))
        return -EINVAL;
    return length ? enter(live, why, call_mprotect, &c) : 0;
}

/* ---- mremap ---------------------------------------------------------------------------------- */

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

    if (note(t, r->old, end < limit ? end : limit))
        return -ENOMEM;
    if (!(r->flags & MW_MREMAP_FIXED))
        return 0;
    if (note(t, r->new, r->new + r->new_size))
        return -ENOMEM;
    a = t->before[0].range;
    b = t->before[1].range;
    if (!overlap(a, b))
        return 0;
    forget(t);
    return note(t, a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end);
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
        m.behind = backing_of(&p);
        m.pool = pool_of(&p);
        if (!m.pool || m.behind == &m.pool->as_shared)
            continue;
        m.addr = p.start;
        m.length = p.end - p.start;
        m.prot = p.flags & 7;
        got = map_in_engine(&r->t, &m);
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
    return is_carried(p) || (size >= WORTH_MOVING && mw_live_page(live, p) < HUGE);
}

/*
 * Lets the host carry page tables over: its mappings then are at the new place
 * too, and still at the old one. What has pages elsewhere and is not carried
 * is mapped anew.
 */
static int carry(struct remap *r)
{
    struct transaction *t = &r->t;
    const struct layout *from = &t->before[part_of(t, r->old)];
    uint64_t size = r->old_size < r->new_size ? r->old_size : r->new_size, at = 0;
    struct mw_vma p, moved;

    now_begins(t, r->new);
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
        if (!now_as_before(t, at, moved.start) || (!err && !mw_layout_add(&t->now, &moved)))
            return -ENOMEM;
        at = moved.end;
    }
    return now_as_before(t, at, UINT64_MAX) ? 0 : -ENOMEM;
}

/* The carried mappings in [start, end) of what was, which the call is to replace, wait elsewhere. */
static int put_aside(struct remap *r, uint64_t start, uint64_t end)
{
    struct transaction *t = &r->t;
    const struct layout *l = &t->before[part_of(t, r->new)];
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
    const struct layout *from = &r->t.before[part_of(&r->t, r->old)];
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

    begin(&t, live);
    r = note(&t, v->start, v->end);
    if (!r)
        r = take_slot(&m);
    if (r < 0)
        return end(&t), r;
    r = mw_pool_copy_in(m.pool, v, m.offset);
    if (r) {
        mw_slot_give(m.pool, (uint32_t)(m.offset / m.pool->slot_bytes));
        end(&t);
    } else {
        r = map_with(&t, &m);
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

static int64_t remap_it(struct remap *r)
{
    struct transaction *t = &r->t;
    int64_t result, err = note_remap(r);

    if (err)
        return end(t), err;
    result = decide(r);
    if (result < 0)
        return end(t), result; /* strict: nothing has changed */
    if (!(r->flags & MW_MREMAP_FIXED) && (uint64_t)result != r->old) {
        r->new = (uint64_t)result;
        note_empty(t, (struct mw_range){ r->new, r->new + r->new_size });
    }
    if (r->flags & MW_MREMAP_DONTUNMAP)
        err = empty_old(r);
    if (!err)
        err = note_after(t);
    if (err < 0)
        return roll_back(t, err, false);
    err = put_all_aside(r);
    if (!err && moves(r, (uint64_t)result))
        err = carry(r);
    if (err)
        return roll_back(t, err, true);
    if (!moves(r, (uint64_t)result) && (uint64_t)result != r->old)
        t->live->aliased = true;
    if (r->flags & MW_MREMAP_DONTUNMAP) /* shared memory is at both */
        t->live->aliased = true;
    return carry_out(t, result);
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
    if (!r->old_size && v.end && pool_of(&v) && backing_of(&v) == &pool_of(&v)->as_private)
        return -EINVAL; /* private memory is mirrored, by that name */
    page = mw_live_page(live, &v);
    r->old_size = up_to(r->old_size, page);
    r->new_size = up_to(r->new_size, page);
    if (!inside(live, r->old, r->old_size) ||
        ((r->flags & MW_MREMAP_FIXED) && !inside(live, r->new, r->new_size)))
        return -EINVAL;
    if (r->flags & MW_MREMAP_MIRROR)
        result = convert_all(r);
    begin(&r->t, live);
    if (!result)
        result = remap_it(r);
    if (result > 0 && fill)
        mw_live_fill(live, (uint64_t)result, (uint64_t)result + r->new_size);
    return result;
}

int64_t mw_live_mremap(struct mw_live *live, void *old_addr, uint64_t old_size, uint64_t new_size,
                       uint64_t flags, void *new_addr, struct mw_why *why)
{
    struct remap r = { .t.live = live, .old = (uintptr_t)old_addr, .old_size = old_size,
                       .new = (uintptr_t)new_addr, .new_size = new_size, .flags = flags, .why = why };

    if (!new_size || !inside(live, r.old, old_size))
        return -EINVAL;
    if (new_size > live->range.end - live->range.start)
        return -ENOMEM;
    return enter(live, why, call_mremap, &r);
}

/* ---- discard ------------------------------------------------------------------------------------ */

static int discard_one(const struct mw_vma *v)
{
    const struct pool *pool = pool_of(v);
    size_t length = (size_t)(v->end - v->start);

    if (!pool)
        return mw_hostcall.advise(host_at(v->start), length, MADV_DONTNEED) ? -errno : 0;
    return mw_hostcall.punch(pool->fd, (off_t)v->offset, (off_t)length) ? -errno : 0;
}

static int64_t call_discard(void *args)
{
    struct change *c = args;
    struct layout l;
    uint64_t next = c->addr;
    int64_t r = 0;

    mw_layout_init(&l, (struct mw_range){ c->addr, c->addr + up(c->live, c->length) });
    if (!mw_layout_take(c->live, &l))
        r = -ENOMEM;
    for (size_t i = 0; i < l.count && !r; i++) {
        r = l.vma[i].start > next ? -ENOMEM : 0; /* a hole; what lies before it is done, as Linux */
        next = l.vma[i].end;
        if (!r)
            r = discard_one(&l.vma[i]);
    }
    if (!r && next < l.range.end)
        r = -ENOMEM;
    mw_layout_free(&l);
    return r;
}

int64_t mw_live_discard(struct mw_live *live, void *addr, uint64_t length)
{
    struct change c = { live, (uintptr_t)addr, length, 0, NULL };

    if (!inside(live, c.addr, length) || c.addr != up(live, c.addr))
        return -EINVAL;
    return enter(live, NULL, call_discard, &c);
}

/* ---- creation ------------------------------------------------------------------------------------------- */

/* On a boundary of what page tables span, where there is room to. */
static int reserve_range(struct mw_live *live, uint64_t size)
{
    uint64_t step = size >= GIGA ? GIGA : HUGE, padded = size + step, start, over;
    void *p = mw_hostcall.map(NULL, (size_t)padded, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return -errno;
    start = ((uintptr_t)p + step - 1) & ~(step - 1);
    over = (uintptr_t)p + padded - (start + size);
    if (start > (uintptr_t)p)
        munmap(p, (size_t)(start - (uintptr_t)p));
    if (over)
        munmap(host_at(start + size), (size_t)over);
    live->range = (struct mw_range){ start, start + size };
    return 0;
}

/* The space: nothing is its own below the range. */
static int open_space(struct mw_live *live)
{
    struct mw_vma below = { .end = live->range.start };
    struct mw_config c;
    uint32_t shift = 12;
    int err;

    while ((1l << shift) < sysconf(_SC_PAGESIZE))
        shift += 2;
    mw_config_init(&c, &live->port);
    c.page_shift = shift;
    c.options = MW_OPT_THP | MW_OPT_EXTENSIONS;
    c.task_size = c.mmap_base = live->range.end;
    c.min_addr = c.min_hint = c.low_base = live->range.start;
    c.max_map_count = UINT64_MAX / 2;
    err = mw_space_create(&c, &live->space);
    if (!err)
        err = mw_live_pool(live, POOL_PAGES);
    return err ? err : mw_import(live->space, &below);
}

void mw_live_destroy(struct mw_live *live)
{
    if (!live)
        return;
    mw_live_fork_remove(live);
    if (live->range.end)
        munmap(host_at(live->range.start), (size_t)(live->range.end - live->range.start));
    mw_space_destroy(live->space);
    mw_live_end_pools(live);
    pthread_mutex_destroy(&live->lock);
    free(live->memory.stock);
    free(live);
}

int mw_live_create(const struct mw_live_config *config, struct mw_live **out)
{
    uint64_t size = (config->size + HUGE - 1) & ~(HUGE - 1);
    struct mw_live *live;
    int err;

    if (!size || size > 1ull << 46 || config->fork > MW_LIVE_FORK_NOTHING ||
        config->private_memory > MW_LIVE_PRIVATE_KERNEL ||
        (config->private_memory == MW_LIVE_PRIVATE_KERNEL && config->fork == MW_LIVE_FORK_SHARE))
        return -EINVAL;
    live = calloc(1, sizeof *live);
    if (!live)
        return -ENOMEM;
    pthread_mutex_init(&live->lock, NULL);
    live->fork = config->fork;
    live->private_memory = config->private_memory;
    for (int i = 0; i < POOLS; i++)
        live->pool[i].next_fd = -1;
    live->memory.stock = malloc(STOCK_BYTES);
    live->port = (struct mw_port){ .ctx = &live->memory, .alloc = take, .free = give };
    err = live->memory.stock ? reserve_range(live, size) : -ENOMEM;
    if (!err)
        err = open_space(live);
    if (!err)
        err = mw_live_fork_add(live);
    if (err) {
        mw_live_destroy(live);
        return err;
    }
    *out = live;
    return 0;
}

struct mw_range mw_live_range(const struct mw_live *live) { return live->range; }
