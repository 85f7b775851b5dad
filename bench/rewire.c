/* SPDX-License-Identifier: MIT */
/*
 * rewire.c - mw_rewire_set and mw_rewire_swap against the same mmap calls written by hand,
 * with addresses and offsets computed beforehand.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapwright/rewire.h"
#include "report.h"

enum { UNITS = 1024, TURNS = 4, USED_RUNS = 51 };

/* The two orders that take turns: runs from the last to the first, and from the middle one. */
static uint64_t orders[2][UNITS];
static struct mw_rewire_view *view;

struct piece {
    void *at;
    size_t length;
    off_t offset;
};
static struct piece pieces[2][UNITS];
static size_t unit, count;
static unsigned char *area;
static int fd;
static bool touched;

static void fill(uint64_t *order, size_t run, size_t first)
{
    size_t runs = UNITS / run;

    for (size_t i = 0; i < UNITS; i++)
        order[i] = (first + runs - i / run) % runs * run + i % run;
}

static void prepare(size_t run)
{
    count = UNITS / run;
    fill(orders[0], run, count - 1);
    fill(orders[1], run, count / 2);
    for (int o = 0; o < 2; o++)
        for (size_t i = 0; i < count; i++)
            pieces[o][i] = (struct piece){area + i * run * unit, run * unit, (off_t)(orders[o][i * run] * unit)};
}

/* Off the clock: what is rewired has been in use, if it is to be. */
static void use(const volatile unsigned char *data)
{
    for (size_t i = 0; touched && i < UNITS; i++)
        (void)data[i * unit];
}

static double by_set(size_t run)
{
    double spent = 0;

    (void)run;
    for (int i = 0; i < TURNS; i++) {
        double from = bench_now();
        if (mw_rewire_set(view, 0, orders[i % 2], UNITS) != 0)
            abort();
        spent += bench_now() - from;
        use(view->data);
    }
    return spent;
}

static double by_hand(size_t run)
{
    double spent = 0;

    (void)run;
    for (int i = 0; i < TURNS; i++) {
        double from = bench_now();
        for (size_t k = 0; k < count; k++) {
            const struct piece *p = &pieces[i % 2][k];
            if (mmap(p->at, p->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, p->offset) != p->at)
                abort();
        }
        spent += bench_now() - from;
        use(area);
    }
    return spent;
}

/* ---- swaps of the view's halves, one run each ------------------------------------------- */

static double by_swap(size_t times)
{
    double spent = 0;

    for (size_t i = 0; i < times; i++) {
        double from = bench_now();
        if (mw_rewire_swap(view, 0, view, UNITS / 2, UNITS / 2) != 0)
            abort();
        spent += bench_now() - from;
        use(view->data);
    }
    return spent;
}

static double swap_by_hand(size_t times)
{
    size_t half = UNITS / 2 * unit;
    double spent = 0;

    for (size_t i = 0; i < times; i++) {
        double from = bench_now();
        for (size_t k = 0; k < 2; k++)
            if (mmap(area + k * half, half, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                     (off_t)((i + k + 1) % 2 * half)) == MAP_FAILED)
                abort();
        spent += bench_now() - from;
        use(area);
    }
    return spent;
}

/* ------------------------------------------------------------------------------------------- */

static void measure(size_t size, bool in_use)
{
    struct mw_rewire_config config = {.unit = size, .pages = UNITS};
    size_t turns = in_use ? USED_RUNS : BENCH_RUNS;
    struct mw_rewire *pool;
    char what[80];

    unit = size;
    touched = in_use;
    fd = memfd_create("peer", MFD_CLOEXEC);
    area = mmap(NULL, UNITS * unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fd < 0 || area == MAP_FAILED || ftruncate(fd, (off_t)(UNITS * unit)) != 0 ||
        mw_rewire_create(&config, &pool) != 0 || mw_rewire_view_create(pool, UNITS, 0, &view) != 0)
        abort();
    for (size_t run = 1; run <= 64; run *= 4) {
        prepare(run);
        snprintf(what, sizeof what, "set, %zu KiB units%s, runs of %zu", unit >> 10, touched ? " in use" : "", run);
        report_pair(what, "ns", bench_compare(by_set, by_hand, run, turns), (double)(TURNS * count));
    }
    for (size_t i = 0; i < UNITS; i++)
        orders[0][i] = i;
    if (mw_rewire_set(view, 0, orders[0], UNITS) != 0)
        abort();
    snprintf(what, sizeof what, "swap, %zu KiB units%s, two runs of %d", unit >> 10, touched ? " in use" : "",
             UNITS / 2);
    report_pair(what, "ns", bench_compare(by_swap, swap_by_hand, TURNS, turns), 2 * TURNS);
    mw_rewire_destroy(pool);
    munmap(area, UNITS * unit);
    close(fd);
}

int main(void)
{
    bench_pin();
    /* in use: with pages that have been read since they were mapped */
    report_open("rewire", "mw_rewire, a view of 1024 units, for each run that is mapped", "by hand");
    measure(4096, false);
    measure(4096, true);
    measure((size_t)2 << 20, false);
    return report_close();
}
