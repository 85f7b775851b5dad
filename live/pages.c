/* SPDX-License-Identifier: MIT */
/* pages.c - pages of pools: given up, copied in, filled in. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"
#include "space.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* ---- given up --------------------------------------------------------------------------- */

/* Zeros what is there, which frees nothing. */
static void wipe(const struct pool *pool, off_t start, off_t end)
{
    static const char zeros[1 << 14];

    while ((start = lseek(pool->fd, start, SEEK_DATA)) >= 0 && start < end) {
        size_t n = end - start < (off_t)sizeof zeros ? (size_t)(end - start) : sizeof zeros;
        ssize_t done = pwrite(pool->fd, zeros, n, start);

        if (done <= 0)
            return;
        start += done;
    }
}

/* The same of huge pages, which have no write(2). */
static void wipe_huge(const struct pool *pool, off_t start, off_t end)
{
    size_t page = (size_t)1 << pool->log2_page;

    for (; start < end; start += (off_t)page) {
        void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pool->fd, start);

        if (p == MAP_FAILED)
            return;
        memset(p, 0, page);
        munmap(p, page);
    }
}

void mw_pool_punch(const struct pool *pool, uint64_t start, uint64_t end)
{
    if (mw_hostcall.punch(pool->fd, (off_t)start, (off_t)(end - start)) == 0)
        return;
    if (pool == pool->as_private.live->pool)
        wipe(pool, (off_t)start, (off_t)end);
    else
        wipe_huge(pool, (off_t)start, (off_t)end);
}

/* Is `offset` mapped by `v`? Until where; or from where on, if that is before *end. */
static bool covers(const struct mw_vma *v, const struct pool *pool, uint64_t offset, uint64_t *end)
{
    uint64_t low = v->offset, high = v->offset + (v->end - v->start);

    if (pool_of(v) != pool || high <= offset)
        return false;
    if (low <= offset) {
        *end = high;
        return true;
    }
    if (low < *end)
        *end = low;
    return false;
}

/* Asks what may still map an offset: the layouts after the call; with aliases, all of the space. */
static bool still_mapped(struct mw_live *live, const struct layout *after, size_t n,
                         const struct pool *pool, uint64_t offset, uint64_t *end)
{
    struct mw_vma v;

    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < after[k].count; i++)
            if (covers(&after[k].vma[i], pool, offset, end))
                return true;
    for (uint64_t a = live->range.start; live->aliased && mw_find_vma(live->space, a, &v); a = v.end)
        if (covers(&v, pool, offset, end))
            return true;
    return false;
}

void mw_live_give_back(struct mw_live *live, const struct mw_vma *v, const struct layout *after,
                       size_t n)
{
    const struct pool *pool = pool_of(v);
    uint64_t offset = v->offset, limit = v->offset + (v->end - v->start);

    while (pool && offset < limit) {
        uint64_t end = limit;

        if (!still_mapped(live, after, n, pool, offset, &end))
            mw_pool_punch(pool, offset, end);
        offset = end;
    }
}

/* ---- copied in ------------------------------------------------------------------------------ */

enum { CHUNK = 512 }; /* pages looked up at once */

bool mw_is_zero(const uint64_t *p, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / sizeof *p; i++)
        if (p[i])
            return false;
    return true;
}

/* Which of the pages from `addr` on have something to be copied. */
static void look_up(int pagemap, uint64_t addr, size_t n, bool anonymous, bool present[CHUNK])
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), entry[CHUNK];
    size_t want = n * sizeof entry[0];
    bool known = anonymous && pagemap >= 0 &&
                 pread(pagemap, entry, want, (off_t)(addr / page * 8)) == (ssize_t)want;

    for (size_t i = 0; i < n; i++)
        if (known)
            present[i] = entry[i] >> 62; /* in memory, or swapped out */
        else
            present[i] = !anonymous || !mw_is_zero(host_at(addr + i * page), page); /* a file's may end early */
}

static int write_all(int fd, uint64_t addr, uint64_t bytes, uint64_t offset)
{
    while (bytes) {
        ssize_t n = mw_hostcall.write(fd, host_at(addr), (size_t)bytes, (off_t)offset);

        if (n <= 0)
            return n ? -errno : -ENOMEM;
        addr += (uint64_t)n;
        offset += (uint64_t)n;
        bytes -= (uint64_t)n;
    }
    return 0;
}

static int copy_chunk(const struct pool *pool, int pagemap, bool anonymous, uint64_t addr, size_t n,
                      uint64_t offset)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    bool present[CHUNK];
    int err = 0;

    look_up(pagemap, addr, n, anonymous, present);
    for (size_t i = 0, end; i < n && !err; i = end) {
        for (end = i + 1; end < n && present[end] == present[i]; end++)
            continue;
        if (present[i])
            err = write_all(pool->fd, addr + i * page, (end - i) * page, offset + i * page);
    }
    return err;
}

int mw_pool_copy_in(const struct pool *pool, const struct mw_vma *v, uint64_t offset)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), err = 0;
    bool hidden = !(v->flags & MW_VM_READ);
    size_t length = (size_t)(v->end - v->start);

    if (hidden && mw_hostcall.protect(host_at(v->start), length, PROT_READ))
        err = -errno;
    for (uint64_t a = v->start; a < v->end && !err; a += CHUNK * page) {
        uint64_t n = (v->end - a) / page;

        err = copy_chunk(pool, pagemap, !v->object, a, (size_t)(n < CHUNK ? n : CHUNK),
                         offset + (a - v->start));
    }
    if (hidden && err)
        mprotect(host_at(v->start), length, (int)(v->flags & 7));
    if (pagemap >= 0)
        close(pagemap);
    return err;
}

/* ---- filled in ---------------------------------------------------------------------------------- */

/* Without the advice, a read of each page. */
static void populate(uint64_t start, uint64_t end)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (madvise(host_at(start), (size_t)(end - start), MADV_POPULATE_READ) == 0)
        return;
    for (uint64_t a = start; a < end; a += page)
        (void)*(const volatile char *)host_at(a);
}

/* Only where the memfd has data: a hole's page would be made by looking at it. */
static void fill_data(const struct mw_vma *v)
{
    int fd = backing_of(v)->fd;
    off_t at = (off_t)v->offset, limit = (off_t)(v->offset + (v->end - v->start));

    while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && at < limit) {
        off_t end = lseek(fd, at, SEEK_HOLE);

        if (end < 0 || end > limit)
            end = limit;
        populate(v->start + ((uint64_t)at - v->offset), v->start + ((uint64_t)end - v->offset));
        at = end;
    }
}

void mw_live_fill(struct mw_live *live, uint64_t start, uint64_t end)
{
    struct mw_vma v, p;

    for (uint64_t a = start; a < end && mw_find_vma(live->space, a, &v); a = v.end) {
        if (!mw_vma_part(&v, start, end, &p))
            return;
        if (!(p.flags & MW_VM_READ) || !pool_of(&p))
            continue;
        if (pool_of(&p) == live->pool)
            fill_data(&p);
        else
            populate(p.start, p.end); /* huge pages that nobody has had yet are set aside at least */
    }
}
