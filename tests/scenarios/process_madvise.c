/* SPDX-License-Identifier: MIT */
/* process_madvise.c - scenarios of process_madvise(2). */
#include "scenario.h"

#define MOST 1024u
#define GIB (1ull << 30)

static struct mw_iovec many[MOST + 1];

static struct mw_iovec pages(int64_t page, int64_t n)
{
    return (struct mw_iovec){ at(page), (uint64_t)n * PAGE };
}

/* Of one range, of two, and of two whose other one is good. */
static void with(struct world *w, uint64_t base, uint64_t length)
{
    struct mw_iovec v[3] = { { base, length }, pages(0, 1), { base, length } };
    do_process_madvise(w, v, 1, MW_MADV_DONTFORK, 0, true);
    do_process_madvise(w, v, 2, MW_MADV_DONTFORK, 0, true);
    do_process_madvise(w, v + 1, 2, MW_MADV_DONTFORK, 0, true);
    do_process_madvise(w, v + 1, 2, MW_MADV_DOFORK, 0, true);
}

/* flags, the number of ranges: of 32 bits each (PMADV-1, PMADV-2) */
SCENARIO(pmadv_flags_and_count)
{
    anon(w, 0, 4, RW);
    for (uint32_t i = 0; i <= MOST; i++)
        many[i] = pages(0, 1);
    do_process_madvise(w, many, 1, MW_MADV_COLD, 1, true);
    do_process_madvise(w, many, MOST + 1, 777, 1u << 31, true);
    do_process_madvise(w, many, 1, MW_MADV_COLD, 1ull << 32, true);
    do_process_madvise(w, many, 1, 1ull << 32 | MW_MADV_COLD, 0, true);
    do_process_madvise(w, many, MOST, MW_MADV_COLD, 0, true);
    do_process_madvise(w, many, MOST + 1, MW_MADV_COLD, 0, true);
    do_process_madvise(w, many, (1ull << 32) + 2, MW_MADV_COLD, 0, true);
    do_process_madvise(w, NULL, 0, MW_MADV_COLD, 0, true);
    do_process_madvise(w, NULL, 0, MW_MADV_COLD, 1, true);
}

/* every number, of oneself and of another, with and without a range (PMADV-3, ADVICE-1) */
SCENARIO(pmadv_numbers)
{
    struct mw_iovec v[2] = { pages(1, 1), pages(3, 1) };
    anon(w, 0, 4, RW);
    for (uint64_t a = 0; a < 110; a++) {
        if (a == MW_MADV_HWPOISON || a == MW_MADV_SOFT_OFFLINE)
            continue;
        do_process_madvise(w, v, 0, a, 0, true);
        if (a != MW_MADV_COLLAPSE)
            do_process_madvise(w, v, 2, a, 0, true);
    }
    for (uint64_t a = 0; a < 30; a++) {
        do_process_madvise(w, v, 0, a, 0, false);
        if (a != MW_MADV_COLLAPSE)
            do_process_madvise(w, v, 2, a, 0, false);
    }
    do_process_madvise(w, v, 2, MW_MADV_GUARD_INSTALL, 0, false);
    do_process_madvise(w, v, 2, ~0ull, 0, false);
}

/* what is not asked for is not looked at (PMADV-3, PMADV-4) */
SCENARIO(pmadv_nothing)
{
    struct mw_iovec v[3] = { { at(0), 0 }, { at(0) + 1, 0 }, { TASK_END, 0 } };
    do_process_madvise(w, v, 3, MW_MADV_COLD, 0, true);
    do_process_madvise(w, v + 1, 1, MW_MADV_COLD, 0, true);
    do_process_madvise(w, v, 3, 777, 0, true);
    do_process_madvise(w, v, 3, 777, 0, false);
    do_process_madvise(w, v, 3, MW_MADV_DONTNEED, 0, false);
}

/* lengths and places (PMADV-2), addresses (ARG-1) */
SCENARIO(pmadv_ranges)
{
    anon(w, 0, 4, RW);
    with(w, at(2), PAGE);
    with(w, at(2), 1);
    with(w, at(2), PAGE + 1);
    with(w, at(2), 0);
    with(w, at(2) + 1, PAGE);
    with(w, at(2) + 1, 0);
    with(w, at(2), ~0ull);
    with(w, at(2), 1ull << 63);
    with(w, at(2), 0ull - PAGE);
    with(w, TASK_END - PAGE, PAGE);
    with(w, TASK_END - PAGE, PAGE + 1);
    with(w, TASK_END, 0);
    with(w, TASK_END, PAGE);
    with(w, TASK_END + 1, 0);
    with(w, KERNEL_HALF, 0);
    with(w, KERNEL_HALF, PAGE);
    with(w, KERNEL_HALF, ~0ull);
    with(w, ~0ull, 0);
    with(w, ~0ull, 1);
    lay(w);
}

/* a length that is wrong is found before a place that is (PMADV-2) */
SCENARIO(pmadv_order)
{
    struct mw_iovec v[3] = { { KERNEL_HALF, PAGE }, { at(0), ~0ull }, { at(0) + 1, PAGE } };
    anon(w, 0, 4, RW);
    do_process_madvise(w, v, 3, MW_MADV_COLD, 0, true);
    do_process_madvise(w, v, 3, 777, 0, false);
    do_process_madvise(w, v, 1, MW_MADV_COLD, 0, true);
    do_process_madvise(w, v, 1, MW_MADV_DONTNEED, 0, false);
    do_process_madvise(w, v + 2, 1, 777, 0, true);
    do_process_madvise(w, v + 2, 1, MW_MADV_DONTNEED, 0, false);
    do_process_madvise(w, v + 2, 1, MW_MADV_COLD, 0, false);
}

/* more than 2 GiB: the rest is cut off, a single range even before it is looked at (PMADV-5) */
SCENARIO(pmadv_most)
{
    struct mw_iovec v[4];
    uint64_t large = at(0) + 16 * GIB;
    do_mmap(w, large, 4 * GIB, NONE, PRIV | ANON | FIXED | MW_MAP_NORESERVE, NO_FILE, 0);
    v[0] = (struct mw_iovec){ large, 2 * GIB - PAGE };
    do_process_madvise(w, v, 1, MW_MADV_DONTFORK, 0, true);
    v[0].length = 2 * GIB - PAGE + 1;
    do_process_madvise(w, v, 1, MW_MADV_DOFORK, 0, true);
    v[0].length = 4 * GIB;
    do_process_madvise(w, v, 1, MW_MADV_DONTFORK, 0, true);
    v[1] = v[0] = (struct mw_iovec){ large, GIB };
    v[2] = (struct mw_iovec){ large + GIB, GIB };
    v[3] = (struct mw_iovec){ large + 1, GIB };
    do_process_madvise(w, v, 2, MW_MADV_COLD, 0, true);
    do_process_madvise(w, v, 4, MW_MADV_DOFORK, 0, true);
    v[1].length = GIB - PAGE - 1;
    do_process_madvise(w, v, 4, MW_MADV_DONTDUMP, 0, true);
    v[1] = (struct mw_iovec){ large, 1ull << 62 };
    do_process_madvise(w, v, 2, MW_MADV_DODUMP, 0, true);
    v[0] = v[1] = (struct mw_iovec){ TASK_END - 2 * GIB + PAGE, 2 * GIB };
    do_process_madvise(w, v, 1, MW_MADV_WILLNEED, 0, false);
    do_process_madvise(w, v, 2, MW_MADV_WILLNEED, 0, false);
    v[0].base += PAGE;
    do_process_madvise(w, v, 1, MW_MADV_WILLNEED, 0, false);
    lay(w);
}

/* one after the other, up to the first that fails; of that one nothing counts (PMADV-6) */
SCENARIO(pmadv_failing)
{
    struct mw_iovec hole[3] = { pages(6, 1), pages(3, 3), pages(0, 1) };
    struct mw_iovec lock_in[3] = { pages(8, 1), pages(9, 3), pages(0, 1) };
    for (int first = 0; first < 2; first++) {
        anon(w, 0, 13, RW);
        touch(w, 0, 13);
        unmap(w, 4, 1);
        lock(w, 10, 1);
        do_process_madvise(w, hole + first, (uint64_t)(3 - first), MW_MADV_DONTNEED, 0, true);
        data(w, 0, 8);
        do_process_madvise(w, lock_in + first, (uint64_t)(3 - first), MW_MADV_DONTNEED, 0, true);
        data(w, 6, 7);
        do_process_madvise(w, hole + first, (uint64_t)(3 - first), MW_MADV_DONTFORK, 0, true);
        lay(w);
        do_process_madvise(w, hole + first, (uint64_t)(3 - first), MW_MADV_POPULATE_READ, 0, true);
        present(w, 0, 8);
        unmap(w, 0, 13);
    }
}

/* the same range twice, ranges within each other, pages in parts (PMADV-6) */
SCENARIO(pmadv_overlaps)
{
    struct mw_iovec v[4] = { pages(1, 2), pages(1, 2), pages(0, 4), { at(5), 1 } };
    anon(w, 0, 8, RW);
    touch(w, 0, 8);
    do_process_madvise(w, v, 4, MW_MADV_DONTNEED, 0, true);
    data(w, 0, 8);
    do_process_madvise(w, v, 4, MW_MADV_GUARD_INSTALL, 0, true);
    data(w, 0, 8);
    do_process_madvise(w, v + 1, 1, MW_MADV_GUARD_REMOVE, 0, true);
    data(w, 0, 8);
    do_process_madvise(w, v, 4, MW_MADV_DONTFORK, 0, true);
    lay(w);
    flags_of(w, 5);
}
