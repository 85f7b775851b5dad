/* SPDX-License-Identifier: MIT */
/*
 * large.c - calls on large memory, the engine's against the kernel's: moves that
 * page tables allow to be cheap and moves that they do not, sparse terabytes,
 * populated memory given up, and mirrors.
 */
#include <unistd.h>

#include "world.h"

#define AWAY (8 * TIB)

static uint64_t skew; /* of the destination */

static void populate(uint64_t n)
{
    do_map_small(0, n);
    do_touch(0, n, PAGE);
}

static void clear(uint64_t n) { do_unmap(0, n); }

/* ---- moves, there and back ------------------------------------------------------------------- */

static int rounds; /* in a turn: as many as make a call of the engine warm */

static double move(size_t n)
{
    double from = bench_now();

    for (int i = 0; i < rounds; i++) {
        do_move(0, AWAY + skew, n);
        do_move(AWAY + skew, 0, n);
    }
    return (bench_now() - from) / (2 * rounds);
}

static void moves(void)
{
    static const struct {
        const char *what;
        uint64_t bytes, skew;
        int rounds;
    } all[] = {
        { "mremap of 2 MiB, aligned", 2 * MIB, 0, 100 },
        { "mremap of 2 MiB, off by a page", 2 * MIB, PAGE, 100 },
        { "mremap of 1 GiB, aligned to 1 GiB", GIB, 0, 100 },
        { "mremap of 1 GiB, aligned to 2 MiB", GIB, 2 * MIB, 20 },
        { "mremap of 1 GiB, off by a page", GIB, PAGE, 4 },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        both(populate, all[i].bytes);
        skew = all[i].skew;
        rounds = all[i].rounds;
        row(all[i].what, move, all[i].bytes, 11);
        both(clear, all[i].bytes);
    }
    skew = 0;
}

/* One page in each `step` bytes. */
static uint64_t step;

static void sprinkle(uint64_t n)
{
    do_map_small(0, n);
    do_touch(0, n, step);
}

static void sparse_moves(void)
{
    static const struct {
        const char *what;
        uint64_t bytes, step, skew;
        int rounds;
    } all[] = {
        { "mremap of 512 GiB, a page in each GiB, aligned to 512 GiB", 512 * GIB, GIB, 0, 100 },
        { "mremap of 512 GiB, a page in each GiB, aligned to 2 MiB", 512 * GIB, GIB, 2 * MIB, 2 },
        { "mremap of 512 GiB, a page in each GiB, off by a page", 512 * GIB, GIB, PAGE, 2 },
        { "mremap of 4 TiB, a page in each 512 GiB, aligned to 512 GiB", 4 * TIB, 512 * GIB, 0, 100 },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        step = all[i].step;
        both(sprinkle, all[i].bytes);
        skew = all[i].skew;
        rounds = all[i].rounds;
        row(all[i].what, move, all[i].bytes, 5);
        both(clear, all[i].bytes);
    }
    skew = 0;
}

/* Words of the guest's memory, page tables included, that a move changes. */
static double changed_by_move(uint64_t n)
{
    uint64_t *before = malloc(w.ram_bytes), *ram = w.ram;
    double changed = 0;

    check(before, "malloc");
    memcpy(before, ram, w.ram_bytes);
    do_move(0, AWAY, n);
    for (uint64_t i = 0; i < w.ram_bytes / sizeof *ram; i++)
        changed += before[i] != ram[i];
    free(before);
    do_unmap(AWAY, n);
    return changed;
}

static void count_entries(void)
{
    open_engine(64 * MIB, MADV_HUGEPAGE);
    engine = true;
    step = GIB;
    sprinkle(512 * GIB);
    report_alone("mremap of 512 GiB, aligned to 512 GiB: page-table entries that change", "",
                 changed_by_move(512 * GIB), 1);
    step = 512 * GIB;
    sprinkle(4 * TIB);
    report_alone("mremap of 4 TiB, aligned to 512 GiB: page-table entries that change", "",
                 changed_by_move(4 * TIB), 1);
    close_engine();
}

/* ---- given up: the pages are made anew for each turn -------------------------------------------- */

static double give_up(size_t n)
{
    double spent;

    populate(n);
    spent = bench_now();
    do_unmap(0, n);
    return bench_now() - spent;
}

static double discard(size_t n)
{
    double spent;

    populate(n);
    spent = bench_now();
    do_advise(0, n, MW_MADV_DONTNEED);
    spent = bench_now() - spent;
    do_unmap(0, n);
    return spent;
}

/* ---- mirrors: the nearest that the kernel has is shared memory mapped again, its pages entered ---- */

static char *shared; /* of a GiB, all written */

static double mirror(size_t n)
{
    double spent = 0;

    for (int i = 0; i < rounds; i++) {
        double from = bench_now();
        check(mw_mremap(w.space, w.base, n, n, FIXED | MW_MREMAP_MIRROR, w.base + AWAY + skew, NULL) > 0, "mirror");
        spent += bench_now() - from;
        check(mw_munmap(w.space, w.base + AWAY + skew, n, NULL) == 0, "mw_munmap");
    }
    return spent / rounds;
}

static double map_again(size_t n)
{
    char *to = w.host + AWAY + skew;
    double spent = bench_now();

    check(mremap(shared, 0, n, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to, "mremap");
    check(madvise(to, n, (int)MW_MADV_POPULATE_READ) == 0, "MADV_POPULATE_READ");
    spent = bench_now() - spent;
    munmap(to, n);
    return spent;
}

static void mirrors(void)
{
    int fd = memfd_create("shared", MFD_CLOEXEC);

    check(fd >= 0 && ftruncate(fd, (off_t)GIB) == 0, "memfd_create");
    shared = mmap(w.host, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
    check(shared == w.host, "mmap");
    engine = true;
    populate(GIB);
    rounds = 100;
    report_pair("a mirror of 1 GiB, aligned; peer: mapped again, and populated", "ns",
                bench_compare(mirror, map_again, GIB, 11), 1);
    skew = PAGE;
    rounds = 20;
    report_pair("a mirror of 1 GiB, off by a page; for each page", "ns", bench_compare(mirror, map_again, GIB, 11),
                (double)(GIB / PAGE));
    skew = 0;
    do_unmap(0, GIB);
    munmap(shared, GIB);
    close(fd);
}

int main(void)
{
    bench_pin();
    report_open("large", "engine against kernel, large memory, a call", "kernel");
    count_entries();
    open_engine(3 * GIB / 2, MADV_HUGEPAGE);
    open_host(24 * TIB, 512 * GIB);
    moves();
    sparse_moves();
    row("munmap of 1 GiB, populated", give_up, GIB, 5);
    row("madvise(DONTNEED) of 1 GiB, populated", discard, GIB, 5);
    mirrors();
    close_engine();
    return report_close();
}
