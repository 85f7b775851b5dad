/* SPDX-License-Identifier: MIT */
/* backing.c - what stands behind a live space's mappings: pools and their slots, files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostcall.h"
#include "space.h"

#define HUGE (2ull << 20)
#define FILE_LIMIT (1ull << 62) /* offsets used, bytes */
#define NO_END (1ull << 63)     /* an object's size: the host knows where it ends */

uint64_t mw_live_page(const struct mw_live *live, const struct mw_vma *v)
{
    const struct pool *pool = v->end ? pool_of(v) : NULL;

    return pool ? 1ull << pool->log2_page : page_of(live);
}

/* ---- pools --------------------------------------------------------------------------------- */

int mw_pool_memfd(const struct mw_live *live, const struct pool *pool)
{
    unsigned flags = MFD_CLOEXEC;
    int fd;

    if (pool->log2_page != mw_space_config(live->space)->page_shift)
        flags |= MFD_HUGETLB | pool->log2_page << MW_MAP_HUGE_SHIFT;
    fd = mw_hostcall.memfd("mapwright", flags);
    if (fd < 0)
        return -errno;
    if (mw_hostcall.truncate(fd, (off_t)FILE_LIMIT) == 0)
        return fd;
    flags = (unsigned)errno;
    close(fd);
    return -(int)flags;
}

static int make_object(struct mw_live *live, struct backing *b, struct pool *pool)
{
    static const uint32_t kind[POOLS] = { MW_OBJ_THP_PLACE, MW_OBJ_HUGETLB,
                                          MW_OBJ_HUGETLB | MW_OBJ_HUGETLB_LARGE };

    *b = (struct backing){ .live = live, .pool = pool, .fd = pool->fd };
    b->file.mode = MW_FILE_READ | MW_FILE_WRITE;
    return mw_object_create(&live->port, NULL, NULL, b, NO_END, kind[pool - live->pool],
                            &b->file.object);
}

int mw_live_pool(struct mw_live *live, int which)
{
    static const uint32_t log2_page[POOLS] = { 0, 21, 30 };
    struct pool *pool = &live->pool[which];
    uint64_t step;
    int err;

    if (pool->as_shared.file.object)
        return 0;
    pool->log2_page = which ? log2_page[which] : mw_space_config(live->space)->page_shift;
    step = 1ull << pool->log2_page > HUGE ? 1ull << pool->log2_page : HUGE;
    pool->slot_bytes = ((live->range.end - live->range.start + step - 1) & ~(step - 1)) + step;
    pool->fd = mw_pool_memfd(live, pool);
    if (pool->fd < 0)
        return pool->fd;
    err = make_object(live, &pool->as_private, pool);
    if (!err)
        err = make_object(live, &pool->as_shared, pool);
    if (!err)
        return 0;
    if (pool->as_private.file.object)
        mw_object_put(pool->as_private.file.object);
    close(pool->fd);
    *pool = (struct pool){ .fd = -1, .next_fd = -1 };
    return err;
}

void mw_live_end_pools(struct mw_live *live)
{
    for (int i = 0; i < POOLS; i++) {
        struct pool *pool = &live->pool[i];

        if (!pool->as_shared.file.object)
            continue;
        mw_object_put(pool->as_private.file.object);
        mw_object_put(pool->as_shared.file.object);
        close(pool->fd);
        free(pool->slots);
    }
}

void mw_live_forget_slots(struct mw_live *live)
{
    for (int i = 0; i < POOLS; i++)
        live->pool[i].count = live->pool[i].free = 0;
}

int mw_slot_take(struct pool *pool, uint64_t *offset)
{
    uint32_t i = pool->free;

    if (i) {
        pool->free = pool->slots[i - 1].next;
        *offset = (i - 1) * pool->slot_bytes;
        return 0;
    }
    if (pool->count >= FILE_LIMIT / pool->slot_bytes)
        return -ENOMEM;
    if (pool->count == pool->room) {
        uint32_t room = pool->room ? pool->room * 2 : 64;
        struct slot *more = realloc(pool->slots, room * sizeof *more);

        if (!more)
            return -ENOMEM;
        pool->slots = more;
        pool->room = room;
    }
    pool->slots[pool->count] = (struct slot){ 0 };
    *offset = pool->count++ * pool->slot_bytes;
    return 0;
}

void mw_slot_give(struct pool *pool, uint32_t i)
{
    pool->slots[i].next = pool->free;
    pool->free = i + 1;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void let_file_go(void *ctx)
{
    struct backing *b = ctx, **p = &b->live->files;

    while (*p != b)
        p = &(*p)->next;
    *p = b->next;
    close(b->fd);
    free(b);
}

static const struct mw_object_ops file_ops = { .release = let_file_go };

static uint32_t mode_of(int fd)
{
    switch (fcntl(fd, F_GETFL) & O_ACCMODE) {
    case O_RDONLY: return MW_FILE_READ;
    case O_WRONLY: return MW_FILE_WRITE;
    default: return MW_FILE_READ | MW_FILE_WRITE;
    }
}

int mw_live_file(struct mw_live *live, int fd, bool keeps, struct backing **out)
{
    struct backing *b;
    struct stat st;
    int err;

    if (fstat(fd, &st))
        return -EBADF;
    for (b = live->files; b; b = b->next)
        if (b->device == st.st_dev && b->inode == st.st_ino && b->keeps == keeps &&
            b->file.mode == mode_of(fd)) {
            mw_object_get(b->file.object);
            *out = b;
            return 0;
        }
    b = malloc(sizeof *b);
    if (!b)
        return -ENOMEM;
    *b = (struct backing){ .live = live, .keeps = keeps, .device = st.st_dev, .inode = st.st_ino,
                           .file.mode = mode_of(fd), .next = live->files };
    b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    err = b->fd < 0 ? -errno
                    : mw_object_create(&live->port, NULL, &file_ops, b, NO_END,
                                       MW_OBJ_THP_PLACE, &b->file.object);
    if (err) {
        if (b->fd >= 0)
            close(b->fd);
        free(b);
        return err;
    }
    live->files = b;
    *out = b;
    return 0;
}
