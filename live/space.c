/* SPDX-License-Identifier: MIT */
/* space.c - how a live space begins and ends. */
#include "space.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"

#define HUGE (2ull << 20)
#define GIGA (1ull << 30)
#define STOCK_BYTES (256u << 10)

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

/* To find out when it matters would be too late: before 6.17 a destination goes before what is wrong is found. */
static bool can_leave_objects(const struct pool *pool)
{
    size_t page = (size_t)1 << pool->log2_page;
    void *p = mmap(NULL, page, PROT_NONE, MAP_SHARED, pool->fd, 0), *q;

    if (p == MAP_FAILED)
        return false;
    q = mremap(p, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL); /* NULL: anywhere; DONTUNMAP reads it */
    munmap(p, page);
    if (q != MAP_FAILED)
        munmap(q, page);
    return q != MAP_FAILED;
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
    if (!err)
        live->leaves_objects = can_leave_objects(&live->pool[POOL_PAGES]);
    return err ? err : mw_import(live->space, &below);
}

void mw_live_destroy(struct mw_live *live)
{
    if (!live)
        return;
    mw_live_fork_remove(live);
    if (live->range.end)
        munmap(host_at(live->range.start), (size_t)(live->range.end - live->range.start));
    mw_spare_drop(&live->spare, (size_t)sysconf(_SC_PAGESIZE), SPARES);
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
        err = mw_spare_make(&live->spare, (size_t)sysconf(_SC_PAGESIZE), SPARES);
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
