/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the benchmarks share: a clock, one core, medians of many short
 * runs that take turns with the peer's, so that a busy machine is busy for both.
 */
#ifndef BENCH_H
#define BENCH_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_RUNS = 301 };

static inline double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Stays on the core it happens to be on. */
static inline void bench_pin(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    CPU_ZERO(&set);
    CPU_SET((size_t)(cpu < 0 ? 0 : cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        perror("sched_setaffinity");
}

static inline int bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static inline double bench_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, bench_order);
    return values[n / 2];
}

/* What is measured: does its work once and returns the nanoseconds that count. */
typedef double (*bench_run)(size_t size);

struct bench_pair {
    double ours, peer; /* medians, in nanoseconds */
    double faster;     /* the median of peer / ours, each of one turn */
    size_t turns;      /* how many there were */
};

/* As many turns as are wanted, or what BENCH_TURNS says if that is less: for a quick look. */
static inline size_t bench_turns(size_t wanted)
{
    const char *most = getenv("BENCH_TURNS");
    size_t n = most ? strtoul(most, NULL, 10) : 0;

    return n > 0 && n < wanted ? n : wanted;
}

/* Each once uncounted, then by turns. */
static inline struct bench_pair bench_compare(bench_run ours, bench_run peer, size_t size, size_t wanted)
{
    static double a[BENCH_RUNS], b[BENCH_RUNS], ratio[BENCH_RUNS];
    size_t turns = bench_turns(wanted);

    ours(size);
    peer(size);
    for (size_t i = 0; i < turns; i++) {
        /* who comes first changes: the second finds warmer caches */
        if (i % 2)
            b[i] = peer(size);
        a[i] = ours(size);
        if (i % 2 == 0)
            b[i] = peer(size);
        ratio[i] = b[i] / a[i];
    }
    return (struct bench_pair){bench_median(a, turns), bench_median(b, turns), bench_median(ratio, turns), turns};
}

#endif
