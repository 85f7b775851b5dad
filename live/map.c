/* SPDX-License-Identifier: MIT */
/* map.c - mmap, munmap and mprotect of a live space. */
#include "transaction.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "hostcall.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since 5.14 */
#endif

/* ---- mmap ------------------------------------------------------------------------------------- */

#define TYPES (MW_MAP_PRIVATE | MW_MAP_SHARED)
#define PLACED (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE)
#define KEPT (PLACED | MW_MAP_NORESERVE | MW_MAP_LOCKED)
#define KNOWN (TYPES | KEPT | MW_MAP_POPULATE)
#define HUGE_SIZES (MW_MAP_HUGETLB | 63ull << MW_MAP_HUGE_SHIFT)

/* A slot, congruent with the address where that is known, so that page tables can move. */
int mw_map_take_slot(struct mapping *m)
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
    uint64_t keep = m->flags & KEPT;

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
int64_t mw_map_in_engine(struct transaction *t, struct mapping *m)
{
    int err = m->pool && !m->has_slot ? mw_map_take_slot(m) : 0;
    uint32_t slot;
    int64_t r;

    if (err)
        return err;
    r = ask_engine(m);
    if (!m->pool)
        return r;
    slot = (uint32_t)(m->offset / m->pool->slot_bytes);
    if (r < 0)
        mw_slot_give(m->pool, slot);
    else
        mw_tx_fresh_slot(t, m->pool, slot);
    return r;
}

/* Both sides. */
int64_t mw_map_with(struct transaction *t, struct mapping *m)
{
    uint64_t limit;
    struct mw_vma v;
    int64_t r = mw_map_in_engine(t, m);

    if (r < 0)
        return mw_tx_roll_back(t, r, false); /* it may have cut something */
    limit = (uint64_t)r + m->length;
    if (!(m->flags & PLACED))
        mw_tx_note_empty(t, (struct mw_range){ (uint64_t)r, limit });
    mw_find_vma(t->live->space, (uint64_t)r, &v);
    mw_vma_part(&v, (uint64_t)r, limit, &v);
    return mw_tx_carry_out_one(t, (uint64_t)r, limit, &v, r);
}

static int64_t map_it(struct mapping *m)
{
    struct transaction t;
    int err = 0;

    mw_tx_begin(&t, m->live);
    if (m->flags & PLACED)
        err = mw_tx_note(&t, m->addr, m->addr + m->length);
    return err ? mw_tx_end(&t), err : mw_map_with(&t, m);
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
    page = m->pool ? 1ull << m->pool->log2_page : page_of(m->live);
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
        populate((uint64_t)r, m->length, m->prot, page_of(m->live));
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
    return mw_live_enter(live, why, call_mmap, &m);
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
    return mw_live_enter(live, why, call_mmap, &m);
}

/* ---- munmap, mprotect ---------------------------------------------------------------------------- */

static int64_t call_munmap(void *args)
{
    struct change *c = args;
    uint64_t end = c->addr + up(c->live, c->length);
    struct transaction t;
    int64_t r;

    r = mw_tx_open(&t, c->live, c->addr, end);
    if (r)
        return r;
    r = mw_munmap(c->live->space, c->addr, c->length, c->why);
    return r < 0 ? mw_tx_roll_back(&t, r, false) : mw_tx_carry_out_one(&t, c->addr, end, NULL, r);
}

static int64_t call_mprotect(void *args)
{
    struct change *c = args;
    uint64_t end = c->addr + up(c->live, c->length);
    struct transaction t;
    int64_t r;

    r = mw_tx_open(&t, c->live, c->addr, end);
    if (r)
        return r;
    r = mw_mprotect(c->live->space, c->addr, c->length, c->how, c->why);
    if (r < 0)
        return mw_tx_roll_back(&t, r, false);
    if (mw_hostcall.protect(host_at(c->addr), (size_t)(end - c->addr), (int)(c->how & 7)))
        return mw_tx_roll_back(&t, -errno, true);
    return mw_tx_end(&t), 0;
}

int64_t mw_live_munmap(struct mw_live *live, void *addr, uint64_t length, struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, 0, why };

    if (!inside(live, c.addr, length) || !length)
        return -EINVAL;
    return mw_live_enter(live, why, call_munmap, &c);
}

int64_t mw_live_mprotect(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                         struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, prot, why };

    if (!inside(live, c.addr, length))
        return -EINVAL;
    return length ? mw_live_enter(live, why, call_mprotect, &c) : 0;
}
