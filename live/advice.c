/* SPDX-License-Identifier: MIT */
/* advice.c - mlock, madvise, msync and mincore of a live space. */
#include "transaction.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "hostcall.h"

static struct mw_range range_of(const struct change *c)
{
    uint64_t start = c->addr & ~((uint64_t)page_of(c->live) - 1);

    return (struct mw_range){ start, up(c->live, c->addr + c->length) };
}

/* ---- locks ---------------------------------------------------------------------------------- */

/* `how`: MW_VM_LOCKED, perhaps with _LOCKONFAULT, or 0. */
static int64_t call_lock(void *args)
{
    struct change *c = args;
    struct mw_range r = range_of(c);
    struct transaction t;
    int64_t err;

    err = mw_tx_open(&t, c->live, r.start, r.end);
    if (err)
        return err;
    err = c->how ? mw_mlock2(c->live->space, c->addr, c->length,
                             c->how & MW_VM_LOCKONFAULT ? MW_MLOCK_ONFAULT : 0, c->why)
                 : mw_munlock(c->live->space, c->addr, c->length, c->why);
    if (err)
        return mw_tx_roll_back(&t, err, false);
    err = mw_live_lock(r.start, r.end, c->how);
    return err ? mw_tx_roll_back(&t, err, true) : (mw_tx_end(&t), 0);
}

int64_t mw_live_mlock(struct mw_live *live, void *addr, uint64_t length, uint64_t flags,
                      struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, MW_VM_LOCKED, why };

    if ((flags & ~(uint64_t)MW_MLOCK_ONFAULT) || !inside(live, c.addr, length))
        return -EINVAL;
    if (flags)
        c.how |= MW_VM_LOCKONFAULT;
    return length ? mw_live_enter(live, why, call_lock, &c) : 0;
}

int64_t mw_live_munlock(struct mw_live *live, void *addr, uint64_t length, struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, 0, why };

    if (!inside(live, c.addr, length))
        return -EINVAL;
    return length ? mw_live_enter(live, why, call_lock, &c) : 0;
}

/* ---- advice ---------------------------------------------------------------------------------- */

/* MARK: a flag of the mapping. DROP: pages go. PASS: the host's own affair, nothing that shows. */
static enum deed { MARK, DROP, PASS, REFUSED } deed_of(uint64_t advice)
{
    switch (advice) {
    case MW_MADV_NORMAL: case MW_MADV_RANDOM: case MW_MADV_SEQUENTIAL: case MW_MADV_DONTFORK:
    case MW_MADV_DOFORK: case MW_MADV_MERGEABLE: case MW_MADV_UNMERGEABLE: case MW_MADV_HUGEPAGE:
    case MW_MADV_NOHUGEPAGE: case MW_MADV_DONTDUMP: case MW_MADV_DODUMP: case MW_MADV_WIPEONFORK:
    case MW_MADV_KEEPONFORK:
        return MARK;
    case MW_MADV_DONTNEED: case MW_MADV_FREE: case MW_MADV_REMOVE: case MW_MADV_DONTNEED_LOCKED:
        return DROP;
    case MW_MADV_WILLNEED: case MW_MADV_COLD: case MW_MADV_PAGEOUT: case MW_MADV_POPULATE_READ:
    case MW_MADV_POPULATE_WRITE:
        return PASS;
    default:
        return REFUSED; /* guards: a mapping made anew would lose them */
    }
}

static int64_t mark(struct change *c, struct mw_range r)
{
    struct transaction t;
    int64_t err;

    err = mw_tx_open(&t, c->live, r.start, r.end);
    if (err)
        return err;
    err = mw_madvise(c->live->space, c->addr, c->length, c->how, c->why);
    if (err)
        return mw_tx_roll_back(&t, err, false);
    if (mw_hostcall.advise(host_at(r.start), (size_t)(r.end - r.start), (int)c->how))
        return mw_tx_roll_back(&t, -errno, true);
    return mw_tx_end(&t), 0;
}

/* Private memory of a pool loses its pages for good, as any private memory; of the rest the host knows. */
static int drop_one(const struct mw_vma *v, uint64_t advice)
{
    const struct pool *pool = pool_of(v);
    size_t length = (size_t)(v->end - v->start);

    if (is_pools_private(v) || (pool && advice == MW_MADV_REMOVE))
        return mw_hostcall.punch(pool->fd, (off_t)v->offset, (off_t)length) ? -errno : 0;
    return mw_hostcall.advise(host_at(v->start), length, (int)advice) ? -errno : 0;
}

/* The mappings of a range, if there is no hole in it. */
static int64_t take_whole(const struct mw_live *live, struct layout *l)
{
    uint64_t next = l->range.start;

    if (!mw_layout_take(live, l))
        return -ENOMEM;
    for (size_t i = 0; i < l->count && l->vma[i].start <= next; i++)
        next = l->vma[i].end;
    return next < l->range.end ? -ENOMEM : 0;
}

/* What the engine says of the advice; of a pool's private memory, that it may be dropped unless locked. */
static int64_t may_drop(struct change *c, const struct layout *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct mw_vma *v = &l->vma[i];
        uint64_t advice = is_pools_private(v) && c->how == MW_MADV_FREE ? MW_MADV_DONTNEED : c->how;
        int64_t err = mw_madvise(c->live->space, v->start, v->end - v->start, advice, c->why);

        if (err)
            return err;
    }
    return 0;
}

static int64_t drop(struct change *c, struct mw_range r)
{
    struct layout l;
    int64_t err;

    mw_layout_init(&l, r);
    err = take_whole(c->live, &l);
    if (!err)
        err = may_drop(c, &l);
    for (size_t i = 0; i < l.count && !err; i++)
        err = drop_one(&l.vma[i], c->how);
    mw_layout_free(&l);
    return err;
}

static int64_t pass(struct change *c, struct mw_range r)
{
    struct layout l;
    int64_t err;

    mw_layout_init(&l, r);
    err = take_whole(c->live, &l);
    mw_layout_free(&l);
    if (!err && mw_hostcall.advise(host_at(r.start), (size_t)(r.end - r.start), (int)c->how))
        err = -errno;
    return err;
}

static int64_t call_madvise(void *args)
{
    struct change *c = args;
    struct mw_range r = range_of(c);

    switch (deed_of(c->how)) {
    case MARK: return mark(c, r);
    case DROP: return drop(c, r);
    default: return pass(c, r);
    }
}

int64_t mw_live_madvise(struct mw_live *live, void *addr, uint64_t length, uint64_t advice,
                        struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, advice, why };

    if (deed_of(advice) == REFUSED || !inside(live, c.addr, length) || c.addr != up(live, c.addr))
        return -EINVAL;
    return length ? mw_live_enter(live, why, call_madvise, &c) : 0;
}

/* ---- discard, msync, mincore ------------------------------------------------------------------------ */

static int64_t call_discard(void *args)
{
    struct change *c = args;
    struct layout l;
    int64_t err;

    mw_layout_init(&l, range_of(c));
    err = take_whole(c->live, &l);
    for (size_t i = 0; i < l.count && !err; i++)
        err = drop_one(&l.vma[i], pool_of(&l.vma[i]) ? MW_MADV_REMOVE : MW_MADV_DONTNEED);
    mw_layout_free(&l);
    return err;
}

int64_t mw_live_discard(struct mw_live *live, void *addr, uint64_t length)
{
    struct change c = { live, (uintptr_t)addr, length, 0, NULL };

    if (!inside(live, c.addr, length) || c.addr != up(live, c.addr))
        return -EINVAL;
    return length ? mw_live_enter(live, NULL, call_discard, &c) : 0;
}

static int64_t call_msync(void *args)
{
    struct change *c = args;
    struct mw_range r = range_of(c);
    int64_t err = mw_msync(c->live->space, c->addr, c->length, c->how, c->why);

    if (!err && mw_hostcall.sync(host_at(r.start), (size_t)(r.end - r.start), (int)c->how))
        err = -errno;
    return err;
}

int64_t mw_live_msync(struct mw_live *live, void *addr, uint64_t length, uint64_t flags,
                      struct mw_why *why)
{
    struct change c = { live, (uintptr_t)addr, length, flags, why };

    return inside(live, c.addr, length) ? mw_live_enter(live, why, call_msync, &c) : -EINVAL;
}

struct core {
    struct change c;
    unsigned char *vec;
};

static int64_t call_mincore(void *args)
{
    struct core *core = args;
    struct mw_range r = range_of(&core->c);
    struct layout l;
    int64_t err;

    mw_layout_init(&l, r);
    err = take_whole(core->c.live, &l);
    mw_layout_free(&l);
    if (!err && mincore(host_at(r.start), (size_t)(r.end - r.start), core->vec))
        err = -errno;
    return err;
}

int64_t mw_live_mincore(struct mw_live *live, void *addr, uint64_t length, unsigned char *vec)
{
    struct core core = { { live, (uintptr_t)addr, length, 0, NULL }, vec };

    if (!inside(live, core.c.addr, length) || core.c.addr != up(live, core.c.addr))
        return -EINVAL;
    return length ? mw_live_enter(live, NULL, call_mincore, &core) : 0;
}
