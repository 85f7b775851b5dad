/* SPDX-License-Identifier: MIT */
/*
 * vec.c - mw_vec against the C library's realloc, growth alone (each new page is
 * written between two growths, off the clock), and with a hint against reserving
 * and committing by hand.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "mapwright/vec.h"
#include "report.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static void touch(char *data, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += 4096)
        data[i] = 1;
}

/* From 1 MiB to `to`: by doubling, or by 1 MiB. */
static size_t next_size(size_t size, bool doubling)
{
    return doubling ? size * 2 : size + MIB;
}

static double with_vec(size_t to, size_t hint, bool doubling)
{
    double spent = 0;
    struct mw_vec *vec;

    if (mw_vec_create(1, hint, 0, &vec) != 0 || mw_vec_resize(vec, MIB) != 0)
        abort();
    touch(vec->data, 0, MIB);
    for (size_t size = MIB; size < to; size = next_size(size, doubling)) {
        size_t wanted = next_size(size, doubling);
        double from = bench_now();
        if (mw_vec_resize(vec, wanted) != 0)
            abort();
        spent += bench_now() - from;
        touch(vec->data, size, wanted);
    }
    mw_vec_destroy(vec);
    return spent;
}

static double with_realloc(size_t to, bool doubling)
{
    char *data = malloc(MIB);
    double spent = 0;

    if (!data)
        abort();
    touch(data, 0, MIB);
    for (size_t size = MIB; size < to; size = next_size(size, doubling)) {
        size_t wanted = next_size(size, doubling);
        double from = bench_now();
        data = realloc(data, wanted);
        spent += bench_now() - from;
        if (!data)
            abort();
        touch(data, size, wanted);
    }
    free(data);
    return spent;
}

static double by_hand(size_t to, bool doubling)
{
    double spent = 0;
    char *data = mmap(NULL, to, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (data == MAP_FAILED || mprotect(data, MIB, PROT_READ | PROT_WRITE) != 0)
        abort();
    touch(data, 0, MIB);
    for (size_t size = MIB; size < to; size = next_size(size, doubling)) {
        size_t wanted = next_size(size, doubling);
        double from = bench_now();
        if (mprotect(data + size, wanted - size, PROT_READ | PROT_WRITE) != 0)
            abort();
        spent += bench_now() - from;
        touch(data, size, wanted);
    }
    munmap(data, to);
    return spent;
}

static double vec_doubling(size_t to) { return with_vec(to, 0, true); }
static double vec_steps(size_t to) { return with_vec(to, 0, false); }
static double hint_doubling(size_t to) { return with_vec(to, to, true); }
static double hint_steps(size_t to) { return with_vec(to, to, false); }
static double realloc_doubling(size_t to) { return with_realloc(to, true); }
static double realloc_steps(size_t to) { return with_realloc(to, false); }
static double hand_doubling(size_t to) { return by_hand(to, true); }
static double hand_steps(size_t to) { return by_hand(to, false); }

int main(void)
{
    static const struct {
        const char *what;
        bench_run ours, peer;
    } themes[] = {
        {"growth by doubling; peer: realloc", vec_doubling, realloc_doubling},
        {"growth in steps of 1 MiB; peer: realloc", vec_steps, realloc_steps},
        {"growth by doubling, with a hint; peer: mprotect by hand", hint_doubling, hand_doubling},
        {"growth in steps of 1 MiB, with a hint; peer: mprotect by hand", hint_steps, hand_steps},
    };
    size_t turns = 7;

    bench_pin();
    report_open("vec", "mw_vec, 1 MiB to 1 GiB, every page written, growth alone", "peer");
    for (size_t i = 0; i < sizeof themes / sizeof *themes; i++)
        report_pair(themes[i].what, "us", bench_compare(themes[i].ours, themes[i].peer, GIB, turns), 1e3);
    return report_close();
}
