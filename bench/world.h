/* SPDX-License-Identifier: MIT */
/*
 * world.h - the same calls on the engine and on this process, so that what is
 * measured is written once; and a field of mappings to make them in.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "mapwright/host.h"
#include "mapwright/mapwright.h"
#include "report.h"

#define PAGE 4096ull
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)
#define RW (MW_PROT_READ | MW_PROT_WRITE)
#define ANON (MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_NORESERVE)
#define FIXED (MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED)

enum { ROUNDS = 400 };

static inline void check(bool fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "bench: %s failed\n", what);
        exit(1);
    }
}

/* ---- two worlds ------------------------------------------------------------------------------ */

static struct world {
    struct mw_space *space;
    struct mw_frames *frames;
    void *ram;
    uint64_t ram_bytes;
    uint64_t base; /* of what is played with, in the engine; */
    char *host;    /*   in this process */
    uint64_t held; /* bytes that the engine has been given for its own structs */
} w;

static inline void *port_alloc(void *ctx, size_t size)
{
    (void)ctx;
    w.held += size;
    return malloc(size);
}

static inline void port_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    w.held -= size;
    free(p);
}

static const struct mw_port port = { .alloc = port_alloc, .free = port_free };

/* `advice` is for the guest's memory, of `ram` bytes; `p` stays. */
static inline void open_engine_on(const struct mw_port *p, uint64_t ram, int advice)
{
    struct mw_config c;

    w.ram_bytes = ram;
    w.ram = mmap(NULL, ram, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(w.ram != MAP_FAILED, "mmap");
    madvise(w.ram, ram, advice);
    check(mw_frames_create(p, w.ram, ram, 12, &w.frames) == 0, "mw_frames_create");
    mw_config_init(&c, p);
    c.frames = w.frames;
    c.linux_version = MW_LINUX(6, 18);
    c.max_map_count = UINT64_MAX / 2;
    c.options |= MW_OPT_EXTENSIONS;
    check(mw_space_create(&c, &w.space) == 0, "mw_space_create");
    w.base = TIB;
}

static inline void open_engine(uint64_t ram, int advice) { open_engine_on(&port, ram, advice); }

static inline void close_engine(void)
{
    mw_space_destroy(w.space);
    mw_frames_destroy(w.frames);
    munmap(w.ram, w.ram_bytes);
}

/* Finds `span` free bytes of this process. What it maps by itself meanwhile comes from their end: ask for more. */
static inline void open_host(uint64_t span, uint64_t align)
{
    w.host = mmap(NULL, span + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(w.host != MAP_FAILED, "mmap");
    munmap(w.host, span + align);
    w.host = (char *)(((uintptr_t)w.host + align - 1) & ~(align - 1));
}

/* Which of the two a function below works on. */
static bool engine;

static inline uint64_t at(uint64_t offset) { return engine ? w.base + offset : (uintptr_t)w.host + offset; }

static inline void do_map(uint64_t offset, uint64_t n)
{
    uint64_t a = at(offset);

    if (engine)
        check(mw_mmap(w.space, a, n, RW, ANON | MW_MAP_FIXED, NULL, 0, NULL) == (int64_t)a, "mw_mmap");
    else
        check(mmap((void *)a, n, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == (void *)a, "mmap");
}

static inline void do_unmap(uint64_t offset, uint64_t n)
{
    if (engine)
        check(mw_munmap(w.space, at(offset), n, NULL) == 0, "mw_munmap");
    else
        check(munmap((void *)at(offset), n) == 0, "munmap");
}

static inline void do_protect(uint64_t offset, uint64_t n, int prot)
{
    if (engine)
        check(mw_mprotect(w.space, at(offset), n, (uint64_t)prot, NULL) == 0, "mw_mprotect");
    else
        check(mprotect((void *)at(offset), n, prot) == 0, "mprotect");
}

static inline void do_resize(uint64_t offset, uint64_t n, uint64_t m)
{
    if (engine)
        check(mw_mremap(w.space, at(offset), n, m, 0, 0, NULL) > 0, "mw_mremap");
    else
        check(mremap((void *)at(offset), n, m, 0) != MAP_FAILED, "mremap");
}

static inline void do_move(uint64_t from, uint64_t to, uint64_t n)
{
    if (engine)
        check(mw_mremap(w.space, at(from), n, n, FIXED, at(to), NULL) > 0, "mw_mremap");
    else
        check(mremap((void *)at(from), n, n, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at(to)) != MAP_FAILED, "mremap");
}

static inline void do_advise(uint64_t offset, uint64_t n, uint64_t advice)
{
    if (engine)
        check(mw_madvise(w.space, at(offset), n, advice, NULL) == 0, "mw_madvise");
    else
        check(madvise((void *)at(offset), n, (int)advice) == 0, "madvise");
}

static inline void do_touch(uint64_t offset, uint64_t n, uint64_t step)
{
    for (uint64_t o = offset; o < offset + n; o += step) {
        if (engine)
            check(mw_fault(w.space, at(o), MW_ACCESS_WRITE) == MW_FAULT_OK, "mw_fault");
        else
            *(volatile char *)at(o) = 1;
    }
}

/* Small pages in both. */
static inline void do_map_small(uint64_t offset, uint64_t n)
{
    do_map(offset, n);
    do_advise(offset, n, MW_MADV_NOHUGEPAGE);
}

/* ---- a field of mappings, of three pages each with a page between them ------------------------ */

#define FIELD (64 * GIB)
#define STRIDE (4 * PAGE)
#define ELSEWHERE (32 * GIB)

static uint64_t fields; /* how many there are */

static inline void do_field(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        do_map(FIELD + i * STRIDE, 3 * PAGE);
}

static inline uint64_t somewhere(void)
{
    static uint64_t state = 88172645463325252ull;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return FIELD + (state >> 8) % fields * STRIDE;
}

/* ---- calls all over the field: nanoseconds each; `n` is not used ------------------------------ */

static inline double protect(size_t n)
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

static inline double resize(size_t n)
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

/* A mapping taken out and put back. */
static inline double replace(size_t n)
{
    double from = bench_now();

    (void)n;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t o = somewhere();
        do_unmap(o, 3 * PAGE);
        do_map(o, 3 * PAGE);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

static inline double move_far(size_t n)
{
    double from = bench_now();

    (void)n;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t o = somewhere();
        do_move(o, ELSEWHERE, 3 * PAGE);
        do_move(ELSEWHERE, o, 3 * PAGE);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

/* ---- comparing ---------------------------------------------------------------------------------- */

static bench_run current;

static inline double ours(size_t n)
{
    engine = true;
    return current(n);
}

static inline double kernels(size_t n)
{
    engine = false;
    return current(n);
}

static inline struct bench_pair compare(bench_run run, size_t n, size_t turns)
{
    current = run;
    return bench_compare(ours, kernels, n, turns);
}

/* `run` returns nanoseconds. */
static inline void row(const char *what, bench_run run, size_t n, size_t turns)
{
    report_pair(what, "ns", compare(run, n, turns), 1);
}

/* The same of the engine alone. */
static inline void row_alone(const char *what, bench_run run, size_t n, size_t wanted)
{
    static double t[BENCH_RUNS];
    size_t turns = bench_turns(wanted);

    engine = true;
    run(n);
    for (size_t i = 0; i < turns; i++)
        t[i] = run(n);
    report_alone(what, "ns", bench_median(t, turns), turns);
}

static inline void both(void (*what)(uint64_t), uint64_t n)
{
    engine = true;
    what(n);
    engine = false;
    what(n);
}

#endif
