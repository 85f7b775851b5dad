/* SPDX-License-Identifier: MIT */
/* probe_system.c - tries userfaultfd, /proc, pidfds, locking, and reads the system's numbers. */
#include "probe.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

/* What older headers lack. */
#define NR_PIDFD_OPEN 434
#define NR_PROCESS_MADVISE 440
#define USER_MODE_ONLY 1
#define WITH_REMAP_EVENT (1u << 2)
#define WITH_MINOR_SHMEM (1u << 10)
#define WITH_MOVE (1u << 16)
#define WATCH_MISSING 1u
#define WATCH_WP 2u
#define WATCH_MINOR 4u
#define ADVICE_COLD 20
#define ONFAULT 1

struct uffd_move {
    uint64_t dst, src, len, mode;
    int64_t moved;
};
#define UFFD_MOVE_PAGES _IOWR(0xaa, 0x05, struct uffd_move)

struct uffd_protect {
    uint64_t start, len, mode;
};
#define UFFD_PROTECT _IOWR(0xaa, 0x06, struct uffd_protect)

struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t inverted, mask, any_of, returned;
};
struct scan_region {
    uint64_t start, end, categories;
};
#define SCAN _IOWR('f', 16, struct scan)
#define SCAN_PRESENT (1u << 3)

struct map_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, name_size, build_id_size;
    uint64_t name, build_id;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)

static uint64_t number_of(const char *at)
{
    return (uint64_t)(uintptr_t)at;
}

/* ---- userfaultfd ---------------------------------------------------------------------- */

/* One that knows the features; the negative errno of what failed. */
static long watcher(int flags, uint64_t features)
{
    struct uffdio_api api = { .api = UFFD_API, .features = features };
    long fd = SYS(SYS_userfaultfd, O_CLOEXEC | flags), r;

    if (fd < 0)
        return fd;
    r = SYS(SYS_ioctl, fd, UFFDIO_API, &api);
    if (r < 0) {
        close((int)fd);
        return r;
    }
    return fd;
}

/* With what is allowed to anyone, or as it was before that was there. */
static long any_watcher(uint64_t features)
{
    long fd = watcher(USER_MODE_ONLY, features);
    return fd == -EINVAL ? watcher(0, features) : fd;
}

static long watch(long fd, const struct mw_lab *lab, size_t n, uint64_t mode)
{
    struct uffdio_register r = { .range = { number_of(mw_lab_at(lab, n)), lab->page },
                                 .mode = mode };
    return fd < 0 ? fd : SYS(SYS_ioctl, fd, UFFDIO_REGISTER, &r);
}

static struct mw_found ended(long fd, struct mw_found f)
{
    if (fd >= 0)
        close((int)fd);
    return f;
}

/* A watcher that can't be had: whether by flag or for good is the business of the first two. */
static struct mw_found opened(int flags)
{
    long fd = watcher(flags, 0);
    return ended(fd, mw_found_of(fd));
}

struct mw_found mw_try_uffd(struct mw_lab *lab)
{
    (void)lab;
    return opened(0);
}

struct mw_found mw_try_uffd_user_mode(struct mw_lab *lab)
{
    (void)lab;
    return opened(USER_MODE_ONLY);
}

struct mw_found mw_try_uffd_missing(struct mw_lab *lab)
{
    char *from = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);
    struct uffdio_copy copy = { .dst = number_of(to), .src = number_of(from), .len = lab->page };
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1), fd;

    if (r < 0 || (r = mw_lab_map(lab, 20, 1, MAP_PRIVATE, -1)) < 0)
        return mw_found_untried((int)-r);
    *from = 7;
    fd = any_watcher(0);
    r = watch(fd, lab, 20, WATCH_MISSING);
    r = r < 0 ? r : SYS(SYS_ioctl, fd, UFFDIO_COPY, &copy);
    return ended(fd, mw_found_if(r, r == 0 && *to == 7));
}

struct mw_found mw_try_uffd_wp(struct mw_lab *lab)
{
    char *at = mw_lab_at(lab, 10);
    struct uffd_protect on = { number_of(at), lab->page, 1 };
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1), fd;

    if (r < 0)
        return mw_found_untried((int)-r);
    *at = 7;
    fd = any_watcher(0);
    r = watch(fd, lab, 10, WATCH_WP);
    r = r < 0 ? r : SYS(SYS_ioctl, fd, UFFD_PROTECT, &on);
    return ended(fd, mw_found_of(r));
}

struct mw_found mw_try_uffd_minor(struct mw_lab *lab)
{
    long r = mw_lab_map(lab, 10, 1, MAP_SHARED, -1), fd;

    if (r < 0)
        return mw_found_untried((int)-r);
    fd = any_watcher(WITH_MINOR_SHMEM);
    return ended(fd, mw_found_of(watch(fd, lab, 10, WATCH_MINOR)));
}

struct mw_found mw_try_uffd_move(struct mw_lab *lab)
{
    char *from = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);
    struct uffd_move move = { .dst = number_of(to), .src = number_of(from), .len = lab->page };
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1), fd;

    if (r < 0 || (r = mw_lab_map(lab, 20, 1, MAP_PRIVATE, -1)) < 0)
        return mw_found_untried((int)-r);
    *from = 7;
    fd = any_watcher(WITH_MOVE);
    r = watch(fd, lab, 20, WATCH_MISSING);
    r = r < 0 ? r : SYS(SYS_ioctl, fd, UFFD_MOVE_PAGES, &move);
    return ended(fd, mw_found_if(r, r == 0 && *to == 7));
}

struct mw_found mw_try_uffd_remap(struct mw_lab *lab)
{
    long fd = any_watcher(WITH_REMAP_EVENT);

    (void)lab;
    return ended(fd, mw_found_of(fd));
}

/* ---- /proc ------------------------------------------------------------------------------ */

/* Opens what is read about this process; where there is no /proc nothing can be tried. */
static long open_proc(const char *path)
{
    return SYS(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

static struct mw_found not_opened(long r)
{
    return r == -ENOENT ? mw_found_untried(ENOENT) : mw_found_of(r);
}

struct mw_found mw_try_pagemap(struct mw_lab *lab)
{
    char *at = mw_lab_at(lab, 10);
    uint64_t entry = 0;
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1), fd;

    if (r < 0)
        return mw_found_untried((int)-r);
    *at = 7;
    fd = open_proc("/proc/self/pagemap");
    if (fd < 0)
        return not_opened(fd);
    r = pread((int)fd, &entry, sizeof entry, (off_t)(number_of(at) / lab->page * sizeof entry));
    return ended(fd, mw_found_if(r < 0 ? -errno : r, entry >> 63 == 1));
}

struct mw_found mw_try_pagemap_scan(struct mw_lab *lab)
{
    char *at = mw_lab_at(lab, 10);
    struct scan_region region = { 0, 0, 0 };
    struct scan scan = { .size = sizeof scan, .start = number_of(at),
                         .end = number_of(at) + 2 * lab->page, .vec = (uint64_t)(uintptr_t)&region,
                         .vec_len = 1, .mask = SCAN_PRESENT, .returned = SCAN_PRESENT };
    long r = mw_lab_map(lab, 10, 2, MAP_PRIVATE, -1), fd;

    if (r < 0)
        return mw_found_untried((int)-r);
    at[lab->page] = 7;
    fd = open_proc("/proc/self/pagemap");
    if (fd < 0)
        return not_opened(fd);
    r = SYS(SYS_ioctl, fd, SCAN, &scan);
    return ended(fd, mw_found_if(r, r == 1 && region.start == scan.start + lab->page));
}

struct mw_found mw_try_procmap_query(struct mw_lab *lab)
{
    uint64_t at = number_of(mw_lab_at(lab, 10));
    struct map_query query = { .size = sizeof query, .query_addr = at + lab->page };
    long r = mw_lab_map(lab, 10, 2, MAP_PRIVATE, -1), fd;

    if (r < 0)
        return mw_found_untried((int)-r);
    fd = open_proc("/proc/self/maps");
    if (fd < 0)
        return not_opened(fd);
    r = SYS(SYS_ioctl, fd, MAP_QUERY, &query);
    return ended(fd, mw_found_if(r, query.vma_start == at));
}

/* ---- other processes' calls, on this one ------------------------------------------------- */

struct mw_found mw_try_pidfd(struct mw_lab *lab)
{
    long fd = SYS(NR_PIDFD_OPEN, SYS(SYS_getpid), 0);

    (void)lab;
    return ended(fd, mw_found_of(fd));
}

struct mw_found mw_try_process_madvise(struct mw_lab *lab)
{
    struct iovec range = { mw_lab_at(lab, 10), lab->page };
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1), fd;

    if (r < 0)
        return mw_found_untried((int)-r);
    fd = SYS(NR_PIDFD_OPEN, SYS(SYS_getpid), 0);
    if (fd < 0)
        return mw_found_untried((int)-fd);
    r = SYS(NR_PROCESS_MADVISE, fd, &range, 1, ADVICE_COLD, 0);
    return ended(fd, mw_found_if(r, r == (long)lab->page));
}

struct mw_found mw_try_vm_readv(struct mw_lab *lab)
{
    char from = 7, to = 0;
    struct iovec remote = { &from, 1 }, local = { &to, 1 };
    long r = SYS(SYS_process_vm_readv, SYS(SYS_getpid), &local, 1, &remote, 1, 0);

    (void)lab;
    return mw_found_if(r, r == 1 && to == 7);
}

struct mw_found mw_try_mlock_onfault(struct mw_lab *lab)
{
    char *at = mw_lab_at(lab, 10);
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    r = SYS(SYS_mlock2, at, lab->page, ONFAULT);
    SYS(SYS_munlock, at, lab->page);
    return mw_found_of(r);
}

/* ---- numbers ------------------------------------------------------------------------------ */

/* The first number of a file, and its word in brackets if there is one. */
static struct mw_found told_by(const char *path)
{
    struct mw_found f = mw_found_number(0);
    char buf[128];
    const char *at;
    long r = mw_probe_read(path, buf, sizeof buf);

    if (r < 0)
        return mw_found_untried((int)-r);
    at = strchr(buf, '[');
    if (at) {
        f.as = MW_FOUND_TEXT;
        for (size_t i = 0; i + 1 < sizeof f.text && at[i + 1] && at[i + 1] != ']'; i++)
            f.text[i] = at[i + 1];
        return f;
    }
    for (at = buf; *at >= '0' && *at <= '9'; at++)
        f.number = f.number * 10 + (*at - '0');
    return at > buf ? f : mw_found_untried(0);
}

struct mw_found mw_try_free_2m(struct mw_lab *lab)
{
    (void)lab;
    return told_by("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
}

struct mw_found mw_try_free_1g(struct mw_lab *lab)
{
    (void)lab;
    return told_by("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages");
}

struct mw_found mw_try_thp_anon(struct mw_lab *lab)
{
    (void)lab;
    return told_by("/sys/kernel/mm/transparent_hugepage/enabled");
}

struct mw_found mw_try_thp_shmem(struct mw_lab *lab)
{
    (void)lab;
    return told_by("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
}

struct mw_found mw_try_max_map_count(struct mw_lab *lab)
{
    (void)lab;
    return told_by("/proc/sys/vm/max_map_count");
}

struct mw_found mw_try_overcommit(struct mw_lab *lab)
{
    (void)lab;
    return told_by("/proc/sys/vm/overcommit_memory");
}

struct mw_found mw_try_page_size(struct mw_lab *lab)
{
    return mw_found_number((int64_t)lab->page);
}

struct mw_found mw_try_memlock_limit(struct mw_lab *lab)
{
    struct rlimit limit;

    (void)lab;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return mw_found_untried(errno);
    return mw_found_number(limit.rlim_cur == RLIM_INFINITY ? -1 : (int64_t)limit.rlim_cur);
}

/* "/proc/" parent "/maps" */
static void path_of(char *path, int parent)
{
    char digits[12];
    int n = 0;

    strcpy(path, "/proc/");
    path += 6;
    do
        digits[n++] = (char)('0' + parent % 10);
    while (parent /= 10);
    while (n)
        *path++ = digits[--n];
    strcpy(path, "/maps");
}

/* Of the process that asks. */
struct mw_found mw_try_mappings(struct mw_lab *lab)
{
    char path[32], buf[4096];
    int64_t lines = 0;
    long r, fd;

    path_of(path, lab->parent);
    fd = open_proc(path);
    if (fd < 0)
        return mw_found_untried((int)-fd);
    while ((r = SYS(SYS_read, fd, buf, sizeof buf)) > 0)
        for (long i = 0; i < r; i++)
            lines += buf[i] == '\n';
    return ended(fd, r < 0 ? mw_found_untried((int)-r) : mw_found_number(lines));
}
