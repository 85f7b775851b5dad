/* SPDX-License-Identifier: MIT */
/* probe_memory.c - tries mmap's flags, mseal, memfds and madvise. */
#include "probe.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/ioctl.h>

/* What older headers lack. Numbers of system calls since 5.1 are those of every machine. */
#define NR_MSEAL 462
#define MEMFD_CLOEXEC 1u
#define MEMFD_SEALING 2u
#define MEMFD_HUGETLB 4u
#define MEMFD_NOEXEC_SEAL 8u
#define MEMFD_EXEC 16u
#define GET_SEALS 1034
#define SEAL_EXEC 0x20
#define ADVICE_COLD 20
#define ADVICE_PAGEOUT 21
#define ADVICE_POPULATE_READ 22
#define ADVICE_POPULATE_WRITE 23
#define ADVICE_COLLAPSE 25
#define ADVICE_GUARD 102
#define ADVICE_OF_NOBODY 12345

/* ---- mmap and mseal ------------------------------------------------------------------ */

struct mw_found mw_try_fixed_noreplace(struct mw_lab *lab)
{
    char *at = mw_lab_at(lab, 10);
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    *at = 7;
    r = SYS(SYS_mmap, at, lab->page, MW_RW,
            MAP_PRIVATE | MAP_ANONYMOUS | (int)MW_MAP_FIXED_NOREPLACE, -1, 0);
    if (r == -EEXIST)
        return *at == 7 ? mw_found_yes() : mw_found_no(0);
    if (r < 0 && r > -4096)
        return mw_found_of(r);
    SYS(SYS_munmap, r, lab->page);
    return mw_found_no(0);
}

struct mw_found mw_try_droppable(struct mw_lab *lab)
{
    long r = SYS(SYS_mmap, mw_lab_at(lab, 10), lab->page, MW_RW,
                 (int)MW_MAP_DROPPABLE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return mw_found_of(r);
}

/* Outside of the lab, for it stays there until the process ends. */
struct mw_found mw_try_mseal(struct mw_lab *lab)
{
    long at = SYS(SYS_mmap, NULL, lab->page, MW_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), r;

    if (at < 0 && at > -4096)
        return mw_found_untried((int)-at);
    r = SYS(NR_MSEAL, at, lab->page, 0);
    return mw_found_if(r, r == 0 && SYS(SYS_munmap, at, lab->page) == -EPERM);
}

/* ---- memfd_create ---------------------------------------------------------------------- */

static long memfd(unsigned flags)
{
    return SYS(SYS_memfd_create, "mapwright", flags);
}

static struct mw_found closed_if(long fd, bool done)
{
    struct mw_found f = mw_found_if(fd, done);
    if (fd >= 0)
        close((int)fd);
    return f;
}

struct mw_found mw_try_memfd(struct mw_lab *lab)
{
    long fd = memfd(0);
    char c = 0;

    (void)lab;
    return closed_if(fd, fd >= 0 && pwrite((int)fd, "x", 1, 0) == 1 &&
                             pread((int)fd, &c, 1, 0) == 1 && c == 'x');
}

struct mw_found mw_try_memfd_cloexec(struct mw_lab *lab)
{
    long fd = memfd(MEMFD_CLOEXEC);

    (void)lab;
    return closed_if(fd, fd >= 0 && (SYS(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC));
}

struct mw_found mw_try_memfd_sealing(struct mw_lab *lab)
{
    long fd = memfd(MEMFD_SEALING);

    return closed_if(fd, fd >= 0 && SYS(SYS_ftruncate, fd, lab->page) == 0 &&
                             SYS(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0 &&
                             SYS(SYS_ftruncate, fd, 0) == -EPERM);
}

struct mw_found mw_try_memfd_hugetlb_2m(struct mw_lab *lab)
{
    (void)lab;
    return closed_if(memfd(MEMFD_HUGETLB | 21u << MW_MAP_HUGE_SHIFT), true);
}

struct mw_found mw_try_memfd_hugetlb_1g(struct mw_lab *lab)
{
    (void)lab;
    return closed_if(memfd(MEMFD_HUGETLB | 30u << MW_MAP_HUGE_SHIFT), true);
}

struct mw_found mw_try_memfd_noexec_seal(struct mw_lab *lab)
{
    long fd = memfd(MEMFD_NOEXEC_SEAL), seals = fd < 0 ? 0 : SYS(SYS_fcntl, fd, GET_SEALS);

    (void)lab;
    return closed_if(fd, seals > 0 && (seals & SEAL_EXEC));
}

struct mw_found mw_try_memfd_exec(struct mw_lab *lab)
{
    (void)lab;
    return closed_if(memfd(MEMFD_EXEC), true);
}

struct mw_found mw_try_memfd_punch(struct mw_lab *lab)
{
    int fd = mw_lab_file(lab, 2);
    char c[2] = { 1, 1 };
    long r;

    if (fd < 0)
        return mw_found_untried(-fd);
    r = SYS(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, lab->page);
    if (pread(fd, c, 1, 0) != 1 || pread(fd, c + 1, 1, (off_t)lab->page) != 1)
        c[0] = 1;
    close(fd);
    return mw_found_if(r, c[0] == 0 && c[1] == 'b');
}

/* ---- madvise ------------------------------------------------------------------------------ */

/*
 * Advice on two touched pages. Where advice that nobody has is accepted, accepting
 * tells nothing, and what can't be seen done is not done.
 */
static struct mw_found advised(struct mw_lab *lab, int advice)
{
    char *at = mw_lab_at(lab, 10);
    long r = mw_lab_map(lab, 10, 2, MAP_PRIVATE, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    at[0] = at[lab->page] = 7;
    r = SYS(SYS_madvise, at, 2 * lab->page, advice);
    return mw_found_if(r, SYS(SYS_madvise, at, 2 * lab->page, ADVICE_OF_NOBODY) == -EINVAL);
}

struct mw_found mw_try_cold(struct mw_lab *lab)
{
    return advised(lab, ADVICE_COLD);
}

struct mw_found mw_try_pageout(struct mw_lab *lab)
{
    return advised(lab, ADVICE_PAGEOUT);
}

struct mw_found mw_try_madv_free(struct mw_lab *lab)
{
    return advised(lab, MADV_FREE);
}

struct mw_found mw_try_hugepage(struct mw_lab *lab)
{
    return advised(lab, MADV_HUGEPAGE);
}

/* Of shared memory, so that mincore tells of pages only that are there. */
static struct mw_found populated(struct mw_lab *lab, int advice)
{
    char *at = mw_lab_at(lab, 10);
    unsigned char there[2] = { 0, 0 };
    long r = mw_lab_map(lab, 10, 2, MAP_SHARED, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    r = SYS(SYS_madvise, at, 2 * lab->page, advice);
    SYS(SYS_mincore, at, 2 * lab->page, there);
    return mw_found_if(r, (there[0] & there[1] & 1) != 0);
}

struct mw_found mw_try_populate_read(struct mw_lab *lab)
{
    return populated(lab, ADVICE_POPULATE_READ);
}

struct mw_found mw_try_populate_write(struct mw_lab *lab)
{
    return populated(lab, ADVICE_POPULATE_WRITE);
}

struct mw_found mw_try_madv_remove(struct mw_lab *lab)
{
    char *at = mw_lab_at(lab, 10);
    long r = mw_lab_map(lab, 10, 2, MAP_SHARED, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    at[0] = at[lab->page] = 7;
    r = SYS(SYS_madvise, at, lab->page, MADV_REMOVE);
    return mw_found_if(r, at[0] == 0 && at[lab->page] == 7);
}

static bool within(uintptr_t start, uintptr_t end, const void *p)
{
    return start <= (uintptr_t)p && (uintptr_t)p < end;
}

/* A sanitizer's code reads shadow memory, in large mappings of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SHADOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_SHADOW 1
#endif
#endif
#ifndef HAS_SHADOW
#define HAS_SHADOW 0
#endif

/* A large mapping that no code which runs here needs: not its own, its stack or its errno. */
static bool spare(const struct mw_lab *lab, uintptr_t start, uintptr_t end)
{
    static const char here = 0;
    static char there;

    return !HAS_SHADOW && end - start >= (size_t)32 << 20 && !within(start, end, &start) &&
           !within(start, end, &errno) && !within(start, end, &here) &&
           !within(start, end, &there) && !within(start, end, (const void *)(uintptr_t)spare) &&
           !within(start, end, (const void *)(uintptr_t)syscall) &&
           (end <= (uintptr_t)lab->base || start >= (uintptr_t)lab->base + lab->size);
}

/* A fork copies page tables: a child of this copy of a large process needs few of them. */
static void travel_light(const struct mw_lab *lab)
{
    uintptr_t border[2] = { 0, 0 };
    int field = 0; /* of the line: its start, its end, the rest */
    char buf[4096];
    long fd = SYS(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC), n;

    while (fd >= 0 && (n = SYS(SYS_read, fd, buf, sizeof buf)) > 0)
        for (long i = 0; i < n; i++) {
            char c = buf[i];
            if (c == '\n') {
                field = 0;
                border[0] = border[1] = 0;
            } else if (field < 2 && (c == '-' || c == ' ')) {
                if (++field == 2 && spare(lab, border[0], border[1]))
                    SYS(SYS_madvise, border[0], border[1] - border[0], MADV_DONTFORK);
            } else if (field < 2) {
                border[field] = border[field] << 4 | (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    if (fd >= 0)
        close((int)fd);
}

/* Whether a child finds the page there, and if so what it reads: 0 to 255, else -1. */
static int seen_by_child(const struct mw_lab *lab, const char *at)
{
    long pid;
    int status;

    travel_light(lab);
    pid = mw_probe_fork();
    if (pid == 0)
        _exit(mw_lab_mapped(lab, at) ? *(const volatile unsigned char *)at : 255);
    status = pid < 0 ? -1 : mw_probe_wait(pid);
    return status < 0 || (status & 0x7f) ? -1 : status >> 8;
}

static struct mw_found forked(struct mw_lab *lab, int advice, int expected)
{
    char *at = mw_lab_at(lab, 10);
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1);
    int seen;

    if (r < 0)
        return mw_found_untried((int)-r);
    *at = 7;
    r = SYS(SYS_madvise, at, lab->page, advice);
    seen = r < 0 ? expected : seen_by_child(lab, at);
    return seen < 0 ? mw_found_untried(0) : mw_found_if(r, seen == expected && *at == 7);
}

struct mw_found mw_try_dontfork(struct mw_lab *lab)
{
    return forked(lab, MADV_DONTFORK, 255);
}

struct mw_found mw_try_wipeonfork(struct mw_lab *lab)
{
    return forked(lab, MADV_WIPEONFORK, 0);
}

/* The kernel's own access to a guard fails instead of raising a signal. */
struct mw_found mw_try_guard(struct mw_lab *lab)
{
    char *at = mw_lab_at(lab, 10);
    long r = mw_lab_map(lab, 10, 2, MAP_PRIVATE, -1), copied;
    int ends[2];

    if (r < 0 || (r = SYS(SYS_pipe2, ends, O_CLOEXEC)) < 0)
        return mw_found_untried((int)-r);
    at[0] = at[lab->page] = 7;
    r = SYS(SYS_madvise, at, lab->page, ADVICE_GUARD);
    copied = SYS(SYS_write, ends[1], at, 1);
    close(ends[0]);
    close(ends[1]);
    return mw_found_if(r, copied == -EFAULT && at[lab->page] == 7);
}

struct mw_found mw_try_collapse(struct mw_lab *lab)
{
    long r = mw_lab_map(lab, 0, MW_HUGE / lab->page, MAP_PRIVATE, -1);
    struct mw_found f;

    if (r < 0)
        return mw_found_untried((int)-r);
    *lab->base = 7;
    f = mw_found_of(SYS(SYS_madvise, lab->base, MW_HUGE, ADVICE_COLLAPSE));
    if (f.as == MW_FOUND_YES &&
        SYS(SYS_madvise, lab->base, MW_HUGE, ADVICE_OF_NOBODY) != -EINVAL)
        f = mw_found_no(0);
    return f;
}
