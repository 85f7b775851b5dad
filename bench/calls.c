/* SPDX-License-Identifier: MIT */
/*
 * calls.c - the engine's calls against the kernel's: at 1,000 mappings, of large
 * populated memory, and how the cost grows with the number of mappings.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "bench.h"
#include "mapwright/host.h"
#include "mapwright/mapwright.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define PAGE 4096ull
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define RW (MW_PROT_READ | MW_PROT_WRITE)
#define ANON (MW_MAP_PRIVATE | MW_MAP_ANONYMOUS)
#define FIXED (MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED)

enum { ROUNDS = 400 };

static void check(bool fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "bench/calls: %s failed\n", what);
        exit(1);
    }
}

/* ---- a world: the engine's, or this process ------------------------------------------------ */

static struct {
    struct mw_space *space;
    struct mw_frames *frames;
    void *ram;
    uint64_t ram_bytes;
    uint64_t base; /* of what is played with, in the engine; */
    char *host;    /*   in this process */
} w;

static void open_engine(uint64_t ram)
{
    struct mw_config c;

    w.ram_bytes = ram;
    w.ram = mmap(NULL, ram, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(w.ram != MAP_FAILED, "mmap");
    madvise(w.ram, ram, 14 /* MADV_HUGEPAGE: a guest's memory */);
    check(mw_frames_create(mw_host_port(), w.ram, ram, 12, &w.frames) == 0, "mw_frames_create");
    mw_config_init(&c, mw_host_port());
    c.frames = w.frames;
    c.linux_version = MW_LINUX(6, 18);
    c.max_map_count = UINT64_MAX / 2;
    c.options |= MW_OPT_EXTENSIONS;
    check(mw_space_create(&c, &w.space) == 0, "mw_space_create");
    w.base = 1ull << 40;
}

static void close_engine(void)
{
    mw_space_destroy(w.space);
    mw_frames_destroy(w.frames);
    munmap(w.ram, w.ram_bytes);
}

/* Which of the two a function below works on. */
static bool engine;

static uint64_t at(uint64_t offset) { return engine ? w.base + offset : (uintptr_t)w.host + offset; }

static void do_map(uint64_t offset, uint64_t n, uint64_t more)
{
    uint64_t a = at(offset);

    if (engine)
        check(mw_mmap(w.space, a, n, RW, ANON | MW_MAP_FIXED | more, NULL, 0, NULL) == (int64_t)a, "mw_mmap");
    else
        check(mmap((void *)a, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (int)more, -1,
                   0) == (void *)a, "mmap");
}

static void do_unmap(uint64_t offset, uint64_t n)
{
    if (engine)
        check(mw_munmap(w.space, at(offset), n, NULL) == 0, "mw_munmap");
    else
        check(munmap((void *)at(offset), n) == 0, "munmap");
}

static void do_protect(uint64_t offset, uint64_t n, int prot)
{
    if (engine)
        check(mw_mprotect(w.space, at(offset), n, (uint64_t)prot, NULL) == 0, "mw_mprotect");
    else
        check(mprotect((void *)at(offset), n, prot) == 0, "mprotect");
}

static void do_resize(uint64_t offset, uint64_t n, uint64_t m)
{
    if (engine)
        check(mw_mremap(w.space, at(offset), n, m, 0, 0, NULL) > 0, "mw_mremap");
    else
        check(mremap((void *)at(offset), n, m, 0) != MAP_FAILED, "mremap");
}

static void do_move(uint64_t from, uint64_t to, uint64_t n)
{
    if (engine)
        check(mw_mremap(w.space, at(from), n, n, FIXED, at(to), NULL) > 0, "mw_mremap");
    else
        check(mremap((void *)at(from), n, n, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at(to)) != MAP_FAILED, "mremap");
}

static void do_touch(uint64_t offset, uint64_t n, uint64_t step)
{
    for (uint64_t o = offset; o < offset + n; o += step) {
        if (engine)
            check(mw_fault(w.space, at(o), MW_ACCESS_WRITE) == MW_FAULT_OK, "mw_fault");
        else
            *(volatile char *)at(o) = 1;
    }
}

/* `n` mappings of three pages each with a page between them, from 64 GiB on. */
#define FIELD (64 * GIB)
#define STRIDE (4 * PAGE)

static void do_field(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        do_map(FIELD + i * STRIDE, 3 * PAGE, 0);
}

/* ---- what is measured: nanoseconds a call ------------------------------------------------------ */

static uint64_t fields;
static uint64_t random_state = 88172645463325252ull;

static uint64_t rnd(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 8) % n;
}

static uint64_t somewhere(void) { return FIELD + rnd(fields) * STRIDE; }

static double map_unmap(size_t n)
{
    double from = bench_now();

    for (int i = 0; i < ROUNDS; i++) {
        do_map(0, n, 0);
        do_unmap(0, n);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

static double protect(size_t n)
{
    double from = bench_now();

    (void)n;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t o = somewhere();
        do_protect(o + PAGE, PAGE, PROT_READ);
        do_protect(o + PAGE, PAGE, PROT_READ | PROT_WRITE);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

static double resize(size_t n)
{
    double from = bench_now();

    (void)n;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t o = somewhere();
        do_resize(o, 3 * PAGE, 2 * PAGE);
        do_resize(o, 2 * PAGE, 3 * PAGE);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

/* A mapping taken out and put back, all over the field. */
static double replace(size_t n)
{
    double from = bench_now();

    (void)n;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t o = somewhere();
        do_unmap(o, 3 * PAGE);
        do_map(o, 3 * PAGE, 0);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

static double move_far(size_t n)
{
    double from = bench_now();

    (void)n;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t o = somewhere();
        do_move(o, 32 * GIB, 3 * PAGE);
        do_move(32 * GIB, o, 3 * PAGE);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

static uint64_t skew; /* of the destination */

static double move_touched(size_t n)
{
    int rounds = n >= 64 * MIB ? 4 : 100;
    double from = bench_now();

    for (int i = 0; i < rounds; i++) {
        do_move(0, 16 * GIB + skew, n);
        do_move(16 * GIB + skew, 0, n);
    }
    return (bench_now() - from) / (2 * rounds);
}

static double faults(size_t n)
{
    double spent;

    do_map(0, n, 0);
    if (!engine)
        madvise((void *)at(0), n, 15 /* MADV_NOHUGEPAGE */);
    spent = bench_now();
    do_touch(0, n, PAGE);
    spent = bench_now() - spent;
    do_unmap(0, n);
    return spent / (double)(n / PAGE);
}

static double clear_pages(size_t n)
{
    static char page[64 * MIB] __attribute__((aligned(4096)));
    double from = bench_now();

    for (size_t i = 0; i < n; i += PAGE)
        memset(page + i, 0, PAGE);
    return (bench_now() - from) / (double)(n / PAGE);
}

static bench_run current;
static double ours(size_t n)
{
    engine = true;
    return current(n);
}
static double kernels(size_t n)
{
    engine = false;
    return current(n);
}

static void row(const char *what, bench_run run, size_t n, size_t runs)
{
    struct bench_pair p;

    current = run;
    p = bench_compare(ours, kernels, n, runs);
    printf("%-58s %12.0f %12.0f %7.1fx\n", what, p.ours, p.peer, p.faster);
    fflush(stdout);
}

static void both(void (*what)(uint64_t), uint64_t n)
{
    engine = true;
    what(n);
    engine = false;
    what(n);
}

/* ---- the tables --------------------------------------------------------------------------------- */

static void populate(uint64_t n)
{
    do_map(0, n, 0);
    if (!engine)
        madvise((void *)at(0), n, 15);
    do_touch(0, n, PAGE);
}

static void depopulate(uint64_t n) { do_unmap(0, n); }

static void small_calls(void)
{
    fields = 1000;
    both(do_field, fields);
    row("mmap and munmap of a page", map_unmap, PAGE, 101);
    row("mprotect that splits and merges again", protect, 0, 101);
    row("mremap by a page in place", resize, 0, 101);
    row("munmap and mmap somewhere", replace, 0, 101);
    row("mremap to a fixed address, untouched", move_far, 0, 101);
    both(populate, PAGE);
    row("mremap of a touched page", move_touched, PAGE, 101);
    both(depopulate, PAGE);
    row("a fault, zeroing included", faults, 16 * MIB, 11);
    current = faults;
    struct bench_pair p = bench_compare(ours, clear_pages, 16 * MIB, 11);
    printf("%-58s %12.0f %12.0f %7.2fx\n", "  the same; peer: clearing a page by memset", p.ours, p.peer, p.faster);
}

static void large_moves(void)
{
    static const struct {
        const char *what;
        uint64_t bytes, skew;
    } moves[] = {
        { "mremap of 2 MiB, aligned", 2 * MIB, 0 },
        { "mremap of 1 GiB, aligned to 1 GiB", GIB, 0 },
        { "mremap of 1 GiB, aligned to 2 MiB", GIB, 2 * MIB },
        { "mremap of 1 GiB, off by a page", GIB, PAGE },
    };

    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        both(populate, moves[i].bytes);
        skew = moves[i].skew;
        row(moves[i].what, move_touched, moves[i].bytes, moves[i].bytes > MIB * 2 ? 11 : 51);
        both(depopulate, moves[i].bytes);
    }
    skew = 0;
}

static double mirror(size_t n)
{
    double from, spent;

    from = bench_now();
    check(mw_mremap(w.space, at(0), n, n, FIXED | MW_MREMAP_MIRROR, at(16 * GIB) + skew, NULL) > 0, "mirror");
    spent = bench_now() - from;
    do_unmap(16 * GIB + skew, n);
    return spent;
}

static double forks(size_t n)
{
    struct mw_space *child;
    double spent = bench_now();

    (void)n;
    check(mw_fork(w.space, 1, &child, NULL) == 0, "mw_fork");
    spent = bench_now() - spent;
    mw_space_destroy(child);
    return spent;
}

static void alone(const char *what, bench_run run, size_t n)
{
    double t[11];

    engine = true;
    run(n);
    for (int i = 0; i < 11; i++)
        t[i] = run(n);
    printf("%-58s %12.0f\n", what, bench_median(t, 11));
}

/* What the kernel has no call for, of a populated GiB; and fork. */
static void beyond(void)
{
    engine = true;
    populate(GIB);
    alone("a fork of 1 GiB populated, ns", forks, GIB);
    alone("MW_MREMAP_MIRROR of 1 GiB populated, aligned, filled, ns", mirror, GIB);
    skew = PAGE;
    alone("  the same, off by a page", mirror, GIB);
    skew = 0;
    depopulate(GIB);
}

/* The engine alone, beyond what the kernel allows. */
static void growth(void)
{
    static const struct {
        const char *what;
        bench_run run;
    } calls[] = { { "mprotect", protect }, { "mremap in place", resize }, { "munmap, mmap", replace },
                  { "mremap, moved", move_far } };
    static double t[101];

    printf("\nmappings  ");
    for (size_t c = 0; c < 4; c++)
        printf("%16s", calls[c].what);
    printf("   (ns a call, at random places)\n");
    engine = true;
    for (fields = 100; fields <= 1000000; fields *= 10) {
        do_field(fields);
        printf("%8llu  ", (unsigned long long)fields);
        for (size_t c = 0; c < 4; c++) {
            for (int i = 0; i < 101; i++)
                t[i] = calls[c].run(0);
            printf("%16.0f", bench_median(t, 101));
            fflush(stdout);
        }
        printf("\n");
        do_unmap(FIELD, fields * STRIDE);
    }
}

int main(void)
{
    bench_pin();
    w.host = mmap(NULL, 100 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(w.host != MAP_FAILED, "mmap");
    munmap(w.host, 100 * GIB);
    w.host = (char *)(((uintptr_t)w.host + GIB - 1) & ~(GIB - 1));
    open_engine(3 * GIB);
    printf("%-58s %12s %12s %8s\n", "engine against kernel, ns a call, 1,000 mappings", "here", "kernel", "faster");
    small_calls();
    large_moves();
    beyond();
    growth();
    close_engine();
    return 0;
}
