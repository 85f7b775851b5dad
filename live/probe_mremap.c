/* SPDX-License-Identifier: MIT */
/* probe_mremap.c - tries mremap, on memory of each kind. */
#include "probe.h"

#include <string.h>
#include <time.h>

#define MAYMOVE 1
#define FIXED 2
#define DONTUNMAP 4

static long remap(const struct mw_lab *lab, const char *old, size_t from, size_t to, int flags,
                  const char *at)
{
    return SYS(SYS_mremap, old, from * lab->page, to * lab->page, flags, at);
}

static bool is(long r, const char *at)
{
    return r == (long)(uintptr_t)at;
}

/*
 * ENOMEM of an mremap that asks for no more than an mmap gets: not for want of
 * memory, but that it is not done.
 */
static struct mw_found moved_if(const struct mw_lab *lab, long r, bool done)
{
    struct mw_found f = mw_found_if(r, done);
    if (f.err == ENOMEM && mw_lab_map(lab, 100, 8, MAP_PRIVATE, -1) == 0)
        f.as = MW_FOUND_NO;
    return f;
}

struct mw_found mw_try_maymove(struct mw_lab *lab)
{
    char *old = mw_lab_at(lab, 10);
    struct mw_found f;
    long r = mw_lab_map(lab, 10, 2, MAP_PRIVATE, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    old[1] = 7;
    r = remap(lab, old, 2, 4, MAYMOVE, NULL);
    f = mw_found_of(r);
    if (f.as == MW_FOUND_YES) {
        f = moved_if(lab, r, ((char *)(uintptr_t)r)[1] == 7 && !mw_lab_mapped(lab, old));
        SYS(SYS_munmap, r, 4 * lab->page);
    }
    return f;
}

struct mw_found mw_try_fixed(struct mw_lab *lab)
{
    char *old = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);
    long r = mw_lab_map(lab, 10, 2, MAP_PRIVATE, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    old[1] = 7;
    r = remap(lab, old, 2, 2, MAYMOVE | FIXED, to);
    return moved_if(lab, r, is(r, to) && to[1] == 7 && !mw_lab_mapped(lab, old));
}

/* Without MREMAP_FIXED a size beyond user space was ENOMEM once: MREMAP-5. */
struct mw_found mw_try_args_first(struct mw_lab *lab)
{
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    r = SYS(SYS_mremap, mw_lab_at(lab, 10), lab->page, (size_t)1 << 63, MAYMOVE, NULL);
    return r == -EINVAL ? mw_found_yes() : r == -ENOMEM ? mw_found_no(ENOMEM) : mw_found_of(r);
}

struct mw_found mw_try_several(struct mw_lab *lab)
{
    char *old = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);
    long r = mw_lab_map(lab, 10, 2, MAP_PRIVATE, -1);

    if (r < 0 || (r = SYS(SYS_mprotect, old + lab->page, lab->page, PROT_READ)) < 0)
        return mw_found_untried((int)-r);
    *old = 7;
    r = remap(lab, old, 2, 2, MAYMOVE | FIXED, to);
    return moved_if(lab, r, is(r, to) && *to == 7 && to[lab->page] == 0);
}

/* The old range leaves its mapping, which fails: was the destination unmapped before? */
struct mw_found mw_try_keeps_dest(struct mw_lab *lab)
{
    char *old = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1);

    if (r < 0 || (r = SYS(SYS_munmap, old + lab->page, 3 * lab->page)) < 0)
        return mw_found_untried((int)-r);
    r = remap(lab, old, 4, 2, MAYMOVE | FIXED, to);
    if (r != -EFAULT)
        return moved_if(lab, r, false);
    return mw_lab_mapped(lab, to) ? mw_found_yes() : mw_found_no(EFAULT);
}

/* What stays behind must read `left` in its first page. */
static struct mw_found dontunmap(struct mw_lab *lab, int flags, int fd, char left)
{
    char *old = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);
    long r = mw_lab_map(lab, 10, 2, flags, fd);

    if (r < 0)
        return mw_found_untried((int)-r);
    *old = 7;
    r = remap(lab, old, 2, 2, MAYMOVE | FIXED | DONTUNMAP, to);
    return moved_if(lab, r, is(r, to) && *to == 7 && mw_lab_mapped(lab, old) && *old == left);
}

static struct mw_found dontunmap_file(struct mw_lab *lab, int flags, char left)
{
    struct mw_found f;
    int fd = mw_lab_file(lab, 2);

    if (fd < 0)
        return mw_found_untried(-fd);
    f = dontunmap(lab, flags, fd, left);
    close(fd);
    return f;
}

struct mw_found mw_try_dontunmap_anon(struct mw_lab *lab)
{
    return dontunmap(lab, MAP_PRIVATE, -1, 0);
}

struct mw_found mw_try_dontunmap_shared(struct mw_lab *lab)
{
    return dontunmap(lab, MAP_SHARED, -1, 7);
}

struct mw_found mw_try_dontunmap_private_file(struct mw_lab *lab)
{
    return dontunmap_file(lab, MAP_PRIVATE, 'a');
}

struct mw_found mw_try_dontunmap_shared_file(struct mw_lab *lab)
{
    return dontunmap_file(lab, MAP_SHARED, 7);
}

/* VmLck of this process in KiB; -1 if it is not told. */
static long locked_now(void)
{
    char buf[4096];
    const char *at;
    long n = 0;

    if (mw_probe_read("/proc/self/status", buf, sizeof buf) <= 0 || !(at = strstr(buf, "VmLck:")))
        return -1;
    for (at += 6; *at == ' ' || *at == '\t'; at++)
        ;
    for (; *at >= '0' && *at <= '9'; at++)
        n = n * 10 + (*at - '0');
    return n;
}

struct mw_found mw_try_counts_twice(struct mw_lab *lab)
{
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1), before, moved, page = (long)lab->page / 1024;
    char *old = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);

    if (r < 0 || (r = SYS(SYS_mlock, old, lab->page)) < 0)
        return mw_found_untried((int)-r);
    before = locked_now();
    r = remap(lab, old, 1, 1, MAYMOVE | FIXED | DONTUNMAP, to);
    if (r < 0 && r > -4096)
        return mw_found_untried((int)-r);
    moved = locked_now();
    SYS(SYS_munlock, to, lab->page);
    if (before < page || moved < page)
        return mw_found_untried(0);
    return moved >= before + page ? mw_found_yes() : mw_found_no(0);
}

struct mw_found mw_try_duplicate_shared(struct mw_lab *lab)
{
    char *old = mw_lab_at(lab, 10), *to = mw_lab_at(lab, 20);
    long r = mw_lab_map(lab, 10, 1, MAP_SHARED, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    r = remap(lab, old, 0, 1, MAYMOVE | FIXED, to);
    if (is(r, to))
        *old = 7;
    return moved_if(lab, r, is(r, to) && *to == 7);
}

struct mw_found mw_try_duplicate_private(struct mw_lab *lab)
{
    char *to = mw_lab_at(lab, 20);
    long r = mw_lab_map(lab, 10, 1, MAP_PRIVATE, -1);

    if (r < 0)
        return mw_found_untried((int)-r);
    r = remap(lab, mw_lab_at(lab, 10), 0, 1, MAYMOVE | FIXED, to);
    return moved_if(lab, r, is(r, to));
}

/* ---- time --------------------------------------------------------------------------- */

/* The first ones fill caches, an emulator's too. */
enum { WARM_UP = 2, TRIES = 7 };

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Moves 2 MiB and says how long it took; 0: it failed. */
static long timed_move(char **from, char *to)
{
    long began = now(), r = SYS(SYS_mremap, *from, MW_HUGE, MW_HUGE, MAYMOVE | FIXED, to);
    if (!is(r, to))
        return 0;
    *from = to;
    return now() - began + 1;
}

static long median(long *t)
{
    for (int i = 1; i < TRIES; i++)
        for (int k = i; k > 0 && t[k] < t[k - 1]; k--) {
            long swap = t[k];
            t[k] = t[k - 1];
            t[k - 1] = swap;
        }
    return t[TRIES / 2];
}

/*
 * Each move goes where no page table is yet, 4 MiB on, for only there can one be put.
 * The third brings the memory back to where its tables are its own.
 */
struct mw_found mw_try_tables_move(struct mw_lab *lab)
{
    char *at = lab->base, *next = lab->base;
    long whole[TRIES], pieces[TRIES], r;

    if (lab->size < (3 * (WARM_UP + TRIES) + 1) * 2 * MW_HUGE)
        return mw_found_untried(ENOMEM);
    r = mw_lab_map(lab, 0, MW_HUGE / lab->page, MAP_PRIVATE, -1);
    if (r < 0)
        return mw_found_untried((int)-r);
    SYS(SYS_madvise, at, MW_HUGE, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < MW_HUGE; i += lab->page)
        at[i] = 1;
    for (int n = -WARM_UP; n < TRIES; n++) {
        int i = n < 0 ? 0 : n;
        whole[i] = timed_move(&at, next += 2 * MW_HUGE);
        pieces[i] = timed_move(&at, (next += 2 * MW_HUGE) + lab->page);
        if (!whole[i] || !pieces[i] || !timed_move(&at, next += 2 * MW_HUGE))
            return mw_found_untried(0);
    }
    return median(whole) * 3 <= median(pieces) * 2 ? mw_found_yes() : mw_found_no(0);
}

/* ---- huge pages ----------------------------------------------------------------------- */

static long map_huge(char *at, size_t size, int shift, int flags)
{
    flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | shift << MW_MAP_HUGE_SHIFT;
    return SYS(SYS_mmap, at, size, MW_RW, flags, -1, 0);
}

static struct mw_found hugetlb(size_t size, int shift)
{
    long r = map_huge(NULL, size, shift, 0);
    struct mw_found f = mw_found_of(r);

    if (f.as == MW_FOUND_YES) {
        *(volatile char *)(uintptr_t)r = 1;
        SYS(SYS_munmap, r, size);
    }
    return f;
}

struct mw_found mw_try_hugetlb_2m(struct mw_lab *lab)
{
    (void)lab;
    return hugetlb(MW_HUGE, 21);
}

struct mw_found mw_try_hugetlb_1g(struct mw_lab *lab)
{
    (void)lab;
    return hugetlb((size_t)1 << 30, 30);
}

/* Without a page set aside it can be moved all the same, so an empty pool is no matter. */
struct mw_found mw_try_hugetlb_2m_move(struct mw_lab *lab)
{
    char *to = lab->base + MW_HUGE;
    long r = map_huge(lab->base, MW_HUGE, 21, MAP_NORESERVE | MAP_FIXED);

    if (!is(r, lab->base))
        return mw_found_untried(r < 0 ? (int)-r : 0);
    r = SYS(SYS_mremap, lab->base, MW_HUGE, MW_HUGE, MAYMOVE | FIXED, to);
    return mw_found_if(r, is(r, to));
}

struct mw_found mw_try_hugetlb_2m_grow(struct mw_lab *lab)
{
    long r = map_huge(lab->base, MW_HUGE, 21, MAP_NORESERVE | MAP_FIXED);

    if (!is(r, lab->base))
        return mw_found_untried(r < 0 ? (int)-r : 0);
    r = SYS(SYS_munmap, lab->base + MW_HUGE, MW_HUGE);
    r = r < 0 ? r : SYS(SYS_mremap, lab->base, MW_HUGE, 2 * MW_HUGE, 0, NULL);
    return mw_found_if(r, is(r, lab->base));
}
