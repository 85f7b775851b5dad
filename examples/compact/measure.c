/* SPDX-License-Identifier: MIT */
/*
 * measure.c - every other block of a heap is live; compaction brings them side by side.
 *
 * By remapping into a second view, by remapping in place, and by memmove in place. All memory
 * has been written, and is far more than the caches hold. "and read" is with one read of each
 * 4 KiB after the move: after remapping the page tables are new, and filled by faults. Both
 * sides have ordinary pages, then both have huge ones.
 */
#include "measure.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <mapwright/rewire.h>

#include "../../bench/report.h"

#define MIB ((size_t)1 << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { RUNS = 9, LIVE_MIB = 256 };

static size_t block, live; /* bytes of one; how many */
static bool huge;

static struct mw_rewire *pool;
static struct mw_rewire_view *heap, *packed;
static unsigned char *plain, *plain_base;
static uint64_t *order, *scattered, *none;

double measure_now(void)
{
    return bench_now();
}

static void touch(const volatile unsigned char *at)
{
    for (size_t i = 0; i < live * block; i += 4096)
        (void)at[i];
}

static void fail(const char *what)
{
    fprintf(stderr, "compact: %s\n", what);
    exit(1);
}

static void rewire(struct mw_rewire_view *v, const uint64_t *pages, size_t n)
{
    if (mw_rewire_set(v, 0, pages, n) != 0)
        fail("mw_rewire_set");
}

/* `with_reads`: 0 or 1 */
static double to_second_view(size_t with_reads)
{
    double spent;

    rewire(packed, none, live);
    spent = -bench_now();
    rewire(packed, order, live);
    if (with_reads)
        touch(packed->data);
    return spent + bench_now();
}

static double in_place(size_t with_reads)
{
    static uint64_t to[2 * LIVE_MIB];
    double spent;

    rewire(heap, scattered, 2 * live);
    for (size_t i = 0; i < 2 * live * block; i += 4096) /* as a heap in use: its page tables are there */
        if (i / block % 2 == 0)
            ((volatile unsigned char *)heap->data)[i] = 1;
    spent = -bench_now();
    if (mw_rewire_compact(heap, to) != 0)
        fail("mw_rewire_compact");
    if (with_reads)
        touch(heap->data);
    return spent + bench_now();
}

static double by_memmove(size_t with_reads)
{
    double spent = -bench_now();

    for (size_t i = 1; i < live; i++)
        memmove(plain + i * block, plain + 2 * i * block, block);
    if (with_reads)
        touch(plain);
    return spent + bench_now();
}

/* Memory for memmove, all written; from a multiple of 2 MiB on, so that its pages can be huge. */
static unsigned char *plain_memory(size_t bytes)
{
    unsigned char *at;

    plain_base = mmap(NULL, bytes + 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((void *)plain_base == MAP_FAILED)
        fail("no memory");
    at = (unsigned char *)(((uintptr_t)plain_base + 2 * MIB - 1) & ~(uintptr_t)(2 * MIB - 1));
    madvise(at, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(at, 1, bytes);
    return at;
}

/* False: there are no huge pages. */
static bool set_up(void)
{
    struct mw_rewire_config config = {.unit = block, .pages = 2 * live, .flags = huge ? MW_REWIRE_ADVISE_HUGE : 0};

    if (mw_rewire_create(&config, &pool) != 0 || mw_rewire_view_create(pool, 2 * live, 0, &heap) != 0 ||
        mw_rewire_view_create(pool, live, 0, &packed) != 0)
        fail("no memory");
    for (size_t i = 0; i < 2 * live; i++) {
        scattered[i] = i % 2 ? MW_REWIRE_NONE : i;
        none[i] = MW_REWIRE_NONE;
        if (i < live)
            order[i] = 2 * i;
    }
    rewire(heap, scattered, 2 * live);
    for (size_t i = 0; i < 2 * live; i += 2) {
        memset(heap->data + i * block, 1, block);
        if (huge && madvise(heap->data + i * block, block, MADV_COLLAPSE) != 0) {
            printf("  no huge pages here: MADV_COLLAPSE: %s\n", strerror(errno));
            return false;
        }
    }
    return true;
}

static void line(const char *what, bench_run ours)
{
    char name[100];

    for (size_t reads = 0; reads < 2; reads++) {
        snprintf(name, sizeof name, "blocks of %zu MiB, %s pages, %s%s", block / MIB, huge ? "huge" : "4 KiB", what,
                 reads ? ", each 4 KiB read" : "");
        report_pair(name, "ms", bench_compare(ours, by_memmove, reads, RUNS), 1e6);
    }
}

static void measure_blocks(void)
{
    live = LIVE_MIB * MIB / block;
    if (set_up()) {
        plain = plain_memory(2 * live * block);
        line("to a second view", to_second_view);
        line("in place", in_place);
        munmap(plain_base, 2 * live * block + 2 * MIB);
    }
    mw_rewire_destroy(pool);
}

int measure(void)
{
    static uint64_t tables[3][LIVE_MIB];

    order = tables[0];
    scattered = tables[1];
    none = tables[2];
    bench_pin();
    report_open("compact", "256 MiB compacted, every other block live", "memmove");
    for (int h = 0; h < 2; h++)
        for (block = 2 * MIB; block <= 32 * MIB; block *= 16) {
            huge = h;
            measure_blocks();
        }
    return report_close();
}
