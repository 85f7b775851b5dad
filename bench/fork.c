/* SPDX-License-Identifier: MIT */
/*
 * fork.c - fork against the kernel's: of populated memory, and with the writes
 * after it that copy pages; and of more memory than this machine need have.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

static double *child_done; /* when the child's work was done: shared with it */

static void populate(uint64_t n)
{
    do_map_small(0, n);
    do_touch(0, n, PAGE);
}

static double fork_engine(size_t written)
{
    struct mw_space *parent = w.space, *child;
    int times = written ? 1 : 20; /* alone it would be a matter of cold caches */
    double spent = 0;

    engine = true;
    for (int i = 0; i < times; i++) {
        double from = bench_now();
        check(mw_fork(parent, 1, &child, NULL) == 0, "mw_fork");
        w.space = child;
        do_touch(0, written, PAGE);
        spent += bench_now() - from;
        w.space = parent;
        mw_space_destroy(child);
    }
    return spent / times;
}

static double fork_kernel(size_t written)
{
    double from = bench_now(), done;
    pid_t child = fork();

    if (child == 0) {
        engine = false;
        do_touch(0, written, PAGE);
        *child_done = bench_now();
        _exit(0);
    }
    done = bench_now();
    check(child > 0 && waitpid(child, NULL, 0) == child, "fork");
    return (written ? *child_done : done) - from;
}

/* ---- 16 GiB populated: the pages read as zeros, and the host need not keep them ------------------ */

#define MANY (16 * GIB)
#define FRAME 0x000ffffffffff000ull /* an entry's bits that say where */

/* The engine's page table, as a CPU would walk it, where the leaves of `offset` are. */
static const uint64_t *leaf_table(uint64_t offset)
{
    uint64_t table = mw_root(w.space);

    for (int shift = 39; shift > 12; shift -= 9)
        table = ((const uint64_t *)((char *)w.ram + table))[at(offset) >> shift & 511] & FRAME;
    return (const uint64_t *)((char *)w.ram + table);
}

static void populate_virtually(uint64_t n)
{
    do_map_small(0, n);
    for (uint64_t o = 0; o < n; o += 2 * MIB) {
        const uint64_t *leaf;
        uint64_t run;

        do_touch(o, 2 * MIB, PAGE);
        leaf = leaf_table(o);
        for (uint64_t i = 0; i < 512; i += run) {
            run = 1;
            while (i + run < 512 && leaf[i + run] == leaf[i] + run * PAGE)
                run++;
            madvise((char *)w.ram + (leaf[i] & FRAME), run * PAGE, MADV_DONTNEED);
        }
    }
}

static double fork_alone(size_t n)
{
    (void)n;
    return fork_engine(0);
}

static void fork_many(void)
{
    open_engine(MANY + GIB / 4, MADV_NOHUGEPAGE);
    engine = true;
    populate_virtually(MANY);
    row_alone("fork of 16 GiB, populated", fork_alone, 0, 11);
    close_engine();
}

int main(void)
{
    bench_pin();
    child_done = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check((void *)child_done != MAP_FAILED, "mmap");
    open_engine(3 * GIB / 2, MADV_HUGEPAGE);
    /* the kernel's fork shall not have the engine's pages to copy the tables of */
    check(madvise(w.ram, w.ram_bytes, MADV_DONTFORK) == 0, "madvise");
    open_host(8 * GIB, GIB);
    report_open("fork", "fork of private memory, against the kernel's", "kernel");
    both(populate, GIB);
    report_pair("fork of 1 GiB, populated", "ns", bench_compare(fork_engine, fork_kernel, 0, 11), 1);
    report_pair("fork of 1 GiB, populated, and the child writes to each page of 256 MiB", "ns",
                bench_compare(fork_engine, fork_kernel, 256 * MIB, 5), 1);
    engine = false;
    do_unmap(0, GIB);
    close_engine();
    fork_many();
    return report_close();
}
