/* SPDX-License-Identifier: MIT */
/*
 * live.c - the live space's calls against the shortest sequence of host calls,
 * written by hand, that does the same in a reserved range; and what decides
 * where its private memory should lie.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapwright/live.h"
#include "report.h"

#define PAGE 4096ull
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define RW (MW_PROT_READ | MW_PROT_WRITE)
#define FIXED (MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED)
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
enum { ROUNDS = 200 };

/* A space; and by hand in a part of its range that it does not use, with a memfd. */
static struct {
    struct mw_live *live;
    bool pool;
    char *base, *hand;
    int fd;
} b;

static void check(bool fine)
{
    if (!fine) {
        perror("bench/live");
        exit(1);
    }
}

static void start(bool pool)
{
    struct mw_live_config c = { .size = 16 * GIB, .fork = MW_LIVE_FORK_COPY,
                                .private_memory = pool ? MW_LIVE_PRIVATE_POOL : MW_LIVE_PRIVATE_KERNEL };

    check(mw_live_create(&c, &b.live) == 0);
    b.pool = pool;
    b.base = (char *)(uintptr_t)mw_live_range(b.live).start + GIB;
    b.hand = b.base + 8 * GIB; /* reserved likewise: what a call costs the host depends on its place */
    b.fd = memfd_create("hand", MFD_CLOEXEC);
    check(b.fd >= 0 && ftruncate(b.fd, (off_t)(1ull << 40)) == 0);
}

static void stop(void)
{
    mw_live_destroy(b.live);
    close(b.fd);
}

/* By hand. `offset`: of the memfd, where there is one. */
static void hand_map(char *at, size_t n, off_t offset)
{
    check(mmap(at, n, PROT_READ | PROT_WRITE,
               MAP_FIXED | (b.pool ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS), b.pool ? b.fd : -1,
               b.pool ? offset : 0) == at);
}

static void hand_reserve(char *at, size_t n)
{
    check(mmap(at, n, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == at);
}

static void hand_punch(size_t n, off_t offset)
{
    if (b.pool)
        check(fallocate(b.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)n) == 0);
}

static void live_map(char *at, size_t n)
{
    check(mw_live_mmap(b.live, at, n, RW, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL) == (intptr_t)at);
}

/* ---- mmap and munmap; with `touch`, each page is written in between ------------------------- */

static bool touching;

static void touch(char *p, size_t n)
{
    for (size_t i = 0; touching && i < n; i += PAGE)
        p[i] = 1;
}

static double map_live(size_t n)
{
    double from = bench_now();

    for (int i = 0; i < ROUNDS; i++) {
        live_map(b.base, n);
        touch(b.base, n);
        check(mw_live_munmap(b.live, b.base, n, NULL) == 0);
    }
    return (bench_now() - from) / ROUNDS;
}

static double map_hand(size_t n)
{
    double from = bench_now();

    for (int i = 0; i < ROUNDS; i++) {
        hand_map(b.hand, n, 0);
        touch(b.hand, n);
        hand_reserve(b.hand, n);
        hand_punch(n, 0);
    }
    return (bench_now() - from) / ROUNDS;
}

/* ---- mprotect of a page in the middle, and back ----------------------------------------------- */

static double protect_live(size_t n)
{
    double from;

    live_map(b.base, n);
    touch(b.base, n);
    from = bench_now();
    for (int i = 0; i < ROUNDS; i++)
        check(mw_live_mprotect(b.live, b.base + PAGE, PAGE, i & 1 ? RW : MW_PROT_READ, NULL) == 0);
    from = (bench_now() - from) / ROUNDS;
    check(mw_live_munmap(b.live, b.base, n, NULL) == 0);
    return from;
}

static double protect_hand(size_t n)
{
    double from;

    hand_map(b.hand, n, 0);
    touch(b.hand, n);
    from = bench_now();
    for (int i = 0; i < ROUNDS; i++)
        check(mprotect(b.hand + PAGE, PAGE, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ) == 0);
    from = (bench_now() - from) / ROUNDS;
    hand_reserve(b.hand, n);
    hand_punch(n, 0);
    return from;
}

/* ---- growth by a page in place, and shrinking ----------------------------------------------------- */

static double grow_live(size_t n)
{
    double from;

    live_map(b.base, n);
    from = bench_now();
    for (int i = 0; i < ROUNDS; i++) {
        check(mw_live_mremap(b.live, b.base, n, n + PAGE, 0, NULL, NULL) > 0);
        check(mw_live_mremap(b.live, b.base, n + PAGE, n, 0, NULL, NULL) > 0);
    }
    from = (bench_now() - from) / (2 * ROUNDS);
    check(mw_live_munmap(b.live, b.base, n, NULL) == 0);
    return from;
}

static double grow_hand(size_t n)
{
    double from;

    hand_map(b.hand, n, 0);
    from = bench_now();
    for (int i = 0; i < ROUNDS; i++) {
        hand_map(b.hand + n, PAGE, (off_t)n);
        hand_reserve(b.hand + n, PAGE);
        hand_punch(PAGE, (off_t)n);
    }
    from = (bench_now() - from) / (2 * ROUNDS);
    hand_reserve(b.hand, n);
    return from;
}

/* ---- moves there and back of touched memory ---------------------------------------------------------- */

static double move_live(size_t n)
{
    int rounds = n > MIB ? 20 : ROUNDS;
    double from;

    live_map(b.base, n);
    memset(b.base, 1, n);
    from = bench_now();
    for (int i = 0; i < rounds; i++) {
        check(mw_live_mremap(b.live, b.base, n, n, FIXED, b.base + 4 * GIB, NULL) > 0);
        check(mw_live_mremap(b.live, b.base + 4 * GIB, n, n, FIXED, b.base, NULL) > 0);
    }
    from = (bench_now() - from) / (2 * rounds);
    check(mw_live_munmap(b.live, b.base, n, NULL) == 0);
    return from;
}

static void hand_move(char *old, char *new, size_t n)
{
    if (b.pool && n <= MIB / 16)
        hand_map(new, n, 0);
    else
        check(mremap(old, n, n, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, new) == new);
    hand_reserve(old, n);
}

static double move_hand(size_t n)
{
    int rounds = n > MIB ? 20 : ROUNDS;
    double from;

    hand_map(b.hand, n, 0);
    memset(b.hand, 1, n);
    from = bench_now();
    for (int i = 0; i < rounds; i++) {
        hand_move(b.hand, b.hand + 4 * GIB, n);
        hand_move(b.hand + 4 * GIB, b.hand, n);
    }
    from = (bench_now() - from) / (2 * rounds);
    hand_reserve(b.hand, n);
    hand_punch(n, 0);
    return from;
}

/* mremap alone, in memory of no one's: what a program without any of this does. */
static double move_by(size_t distance, size_t n)
{
    char *p = b.hand;
    enum { TURNS = 20 };
    double from;

    check(mmap(p, n, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == p);
    memset(p, 1, n);
    from = bench_now();
    for (int i = 0; i < TURNS; i++) {
        check(mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, p + distance) == p + distance);
        check(mremap(p + distance, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
    }
    from = (bench_now() - from) / (2 * TURNS);
    hand_reserve(p, n);
    return from;
}

static double move_raw(size_t n) { return move_by(4 * GIB, n); }

/* Where realloc's mremap puts it, if it has to move: by pages. */
static double move_off(size_t n) { return move_by(4 * GIB - PAGE, n); }

/* ---- a second address ------------------------------------------------------------------------------------ */

static double mirror_live(size_t n)
{
    double spent = 0;

    live_map(b.base, n);
    memset(b.base, 1, n);
    for (int i = 0; i < 20; i++) {
        double from = bench_now();
        check(mw_live_mremap(b.live, b.base, n, n, FIXED | MW_MREMAP_MIRROR, b.base + 4 * GIB, NULL) > 0);
        spent += bench_now() - from;
        check(mw_live_munmap(b.live, b.base + 4 * GIB, n, NULL) == 0);
    }
    check(mw_live_munmap(b.live, b.base, n, NULL) == 0);
    return spent / 20;
}

static double mirror_hand(size_t n)
{
    double spent = 0;

    hand_map(b.hand, n, 0);
    memset(b.hand, 1, n);
    for (int i = 0; i < 20; i++) {
        double from = bench_now();
        hand_map(b.hand + 4 * GIB, n, 0);
        spent += bench_now() - from;
        hand_reserve(b.hand + 4 * GIB, n);
    }
    hand_reserve(b.hand, n);
    hand_punch(n, 0);
    return spent / 20;
}

/* A mirror and one read of each page: filled or not, of huge pages or not. */
static uint64_t filling, huge_flags;

static double read_mirror(uint64_t flags, uint64_t kind, size_t n)
{
    char *p = b.base, *q = b.base + 4 * GIB;
    volatile char sink;
    double from;

    check(mw_live_mmap(b.live, p, n, RW, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED | kind, NULL) > 0);
    memset(p, 1, n);
    from = bench_now();
    check(mw_live_mremap(b.live, p, n, n, FIXED | MW_MREMAP_MIRROR | flags, q, NULL) > 0);
    for (size_t i = 0; i < n; i += PAGE)
        sink = q[i];
    from = bench_now() - from;
    (void)sink;
    check(mw_live_munmap(b.live, p, n, NULL) == 0 && mw_live_munmap(b.live, q, n, NULL) == 0);
    return from;
}

static double read_filled(size_t n) { return read_mirror(filling, huge_flags, n); }
static double read_unfilled(size_t n) { return read_mirror(0, 0, n); }

/* ---- the table ----------------------------------------------------------------------------------------------- */

/* Its name begins with what the private memory lies in. */
static void row(const char *what, bench_run ours, bench_run peer, size_t n, size_t turns)
{
    char name[100];

    snprintf(name, sizeof name, "%s: %s", b.pool ? "memfd" : "private", what);
    report_pair(name, "ns", bench_compare(ours, peer, n, turns), 1);
}

static void calls(void)
{
    touching = false;
    row("mmap and munmap of 16 KiB", map_live, map_hand, 4 * PAGE, 101);
    row("mprotect of a page in the middle", protect_live, protect_hand, 4 * PAGE, 101);
    row("mremap by a page in place", grow_live, grow_hand, 4 * PAGE, 101);
    touching = true;
    row("mmap, a write to each page, munmap, 64 KiB", map_live, map_hand, 16 * PAGE, 51);
    row("move of 16 KiB", move_live, move_hand, 4 * PAGE, 101);
    row("move of 1 MiB", move_live, move_hand, MIB, 51);
    row("move of 256 MiB", move_live, move_hand, 256 * MIB, 11);
    row("move of 1 GiB", move_live, move_hand, GIB, 5);
    row("move of 1 GiB; peer: mremap alone, aligned", move_live, move_raw, GIB, 5);
    row("move of 1 GiB; peer: mremap alone, by pages, as realloc does it", move_live, move_off, GIB, 3);
}

/* So many, or with `more` so many more than there are; returns what there were, -1: can't be changed. */
static long set_huge(long count, bool more)
{
    FILE *f = fopen("/proc/sys/vm/nr_hugepages", "r+");
    long old = -1;

    if (!f)
        return -1;
    if (fscanf(f, "%ld", &old) == 1) {
        rewind(f);
        fprintf(f, "%ld", more ? old + count : count);
    }
    fclose(f);
    return old;
}

/* Is there a GiB of them now? The system gives fewer than it is asked for where memory is in pieces. */
static bool has_huge(void)
{
    return mw_live_mmap(b.live, b.base, GIB, RW, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED | huge_flags, NULL) > 0 &&
           mw_live_munmap(b.live, b.base, GIB, NULL) == 0;
}

static void huge_pages(void)
{
    long old = set_huge(520, true);

    huge_flags = MW_MAP_HUGETLB;
    if (old >= 0 && has_huge())
        row("a mirror of 1 GiB of huge pages, filled, and each 4 KiB read; peer: small, unfilled",
            read_filled, read_unfilled, GIB, 5);
    else
        fprintf(stderr, "bench/live: left out for want of 512 huge pages: a mirror of 1 GiB of them\n");
    if (old >= 0)
        set_huge(old, false);
}

int main(void)
{
    bench_pin();
    report_open("live", "live space, private memory in the kernel's own, or in a memfd", "by hand");
    start(false);
    calls();
    stop();
    start(true);
    calls();
    row("a mirror of 1 MiB", mirror_live, mirror_hand, MIB, 51);
    filling = MW_LIVE_FILL;
    row("a mirror of 1 GiB, filled, and each page read; peer: unfilled", read_filled, read_unfilled, GIB, 5);
    huge_pages();
    stop();
    return report_close();
}
