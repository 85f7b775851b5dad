/* SPDX-License-Identifier: MIT */
/* msync.c - scenarios of msync(2) and mincore(2). */
#include "scenario.h"

#define RWF (MW_FILE_READ | MW_FILE_WRITE)

/* flags, before the address, before their combination (SYNC-1) */
SCENARIO(msync_flags)
{
    anon(w, 0, 4, RW);
    for (uint64_t f = 0; f < 16; f++)
        do_msync(w, at(0), PAGE, f);
    for (uint64_t f = 16; f; f <<= 5)
        do_msync(w, at(0), PAGE, f);
    do_msync(w, at(0) + 1, PAGE, 8);
    do_msync(w, at(0) + 1, PAGE, MW_MS_ASYNC | MW_MS_SYNC);
    do_msync(w, at(0) + 1, PAGE, 0);
    do_msync(w, at(20), 0, MW_MS_ASYNC | MW_MS_SYNC);
    do_msync(w, at(20), 0, 0);
    do_msync(w, at(20), 0, 1ull << 32);
}

/* lengths, the end of the address space (SYNC-2, SYNC-3) */
SCENARIO(msync_arguments)
{
    anon(w, 0, 4, RW);
    do_msync(w, at(0), ~0ull, 0);
    do_msync(w, at(0), ~0ull - PAGE, 0);
    do_msync(w, at(0), 0ull - at(0), 0);
    do_msync(w, at(0), TASK_END - at(0) + 1, MW_MS_ASYNC);
    do_msync(w, TASK_END, PAGE, 0);
    do_msync(w, KERNEL_HALF, PAGE, 0);
    do_msync(w, 0ull - PAGE, PAGE, 0);
    do_msync(w, at(1), 1, 0);
    do_msync(w, at(20), PAGE, 0);
}

/* holes, and locked memory beyond them (SYNC-3, SYNC-4) */
SCENARIO(msync_holes)
{
    static const uint64_t flags[] = { 0, MW_MS_ASYNC, MW_MS_SYNC, MW_MS_INVALIDATE,
                                      MW_MS_ASYNC | MW_MS_INVALIDATE,
                                      MW_MS_SYNC | MW_MS_INVALIDATE };
    int f = file_of(w, FILE_MEM, 4, RWF);
    filemap(w, 0, 2, RW, SHARED, f, 0);
    filemap(w, 3, 1, RW, SHARED, f, 0);
    filemap(w, 4, 2, RO, PRIV, f, 0);
    touch(w, 0, 4);
    for (int i = 0; i < 6; i++) {
        do_msync(w, at(0), 6 * PAGE, flags[i]);
        do_msync(w, at(0), 2 * PAGE, flags[i]);
        do_msync(w, at(0), 3 * PAGE, flags[i]);
        do_msync(w, at(2), 3 * PAGE, flags[i]);
        lock(w, 4, 1);
        do_msync(w, at(0), 6 * PAGE, flags[i]);
        do_msync(w, at(3), 3 * PAGE, flags[i]);
        do_mlock2(w, at(4), PAGE, MW_MLOCK_ONFAULT);
        do_msync(w, at(4), PAGE, flags[i]);
        do_msync(w, at(5), 2 * PAGE, flags[i]);
        unlock(w, 4, 1);
    }
    data(w, 0, 6);
}

/* mincore's arguments (CORE-1, CORE-2) */
SCENARIO(mincore_arguments)
{
    anon(w, 0, 4, RW);
    do_mincore(w, at(0) + 1, PAGE);
    do_mincore(w, at(0), 0);
    do_mincore(w, at(20), 0);
    do_mincore(w, at(20), PAGE);
    do_mincore(w, at(0) + 1, 0);
    do_mincore(w, at(0), ~0ull);
    do_mincore(w, at(0), ~0ull - PAGE);
    do_mincore(w, at(0), TASK_END - at(0) + 1);
    do_mincore(w, TASK_END, PAGE);
    do_mincore(w, TASK_END, 0);
    do_mincore(w, KERNEL_HALF, PAGE);
    do_mincore(w, 0ull - PAGE, PAGE);
    do_mincore(w, at(3), PAGE + 1);
    do_mincore(w, at(2), PAGE + 1);
}

/* a byte for each page, up to a hole (CORE-2, CORE-3) */
SCENARIO(mincore_pages)
{
    anon(w, 0, 4, RW);
    do_mincore(w, at(0), 4 * PAGE);
    store(w, 1, 1);
    data(w, 2, 1);
    do_mincore(w, at(0), 4 * PAGE);
    advise(w, 1, 1, MW_MADV_DONTNEED);
    do_mincore(w, at(0), 4 * PAGE);
    touch(w, 0, 4);
    protect(w, 1, 1, NONE);
    protect(w, 2, 1, RO);
    do_mincore(w, at(0), 4 * PAGE);
    anon(w, 5, 2, RW);
    touch(w, 5, 1);
    do_mincore(w, at(0), 7 * PAGE);
    do_mincore(w, at(4), 3 * PAGE);
    do_mincore(w, at(5), 2 * PAGE);
    forked(w);
    do_mincore(w, at(0), 4 * PAGE);
}

/* of an object also what another mapping has made present (CORE-3) */
SCENARIO(mincore_objects)
{
    shanon(w, 0, 4, RW);
    move(w, 0, 0, 4, FIX, 10);
    do_mincore(w, at(0), 4 * PAGE);
    store(w, 1, 1);
    do_mincore(w, at(0), 4 * PAGE);
    do_mincore(w, at(10), 4 * PAGE);
    data(w, 12, 1);
    do_mincore(w, at(0), 4 * PAGE);
    advise(w, 0, 4, MW_MADV_DONTNEED);
    do_mincore(w, at(0), 4 * PAGE);
    data(w, 10, 3); /* present there too */
    advise(w, 0, 2, MW_MADV_REMOVE);
    do_mincore(w, at(0), 4 * PAGE);
    do_mincore(w, at(10), 4 * PAGE);
    move(w, 0, 4, 6, MAY, 0);
    do_mincore(w, w->last, 6 * PAGE);
}

/* private pages of a file: its page until they have one of their own (CORE-3) */
SCENARIO(mincore_private_file)
{
    int f = file_of(w, FILE_MEM, 3, RWF);
    filemap(w, 0, 4, RW, PRIV, f, 0);
    data(w, 0, 3);
    store(w, 1, 7);
    do_mincore(w, at(0), 4 * PAGE);
    advise(w, 0, 4, MW_MADV_DONTNEED);
    do_mincore(w, at(0), 4 * PAGE);
}

SCENARIO(mincore_huge)
{
    huge(w);
    huge_map(w, 0, 2, RW, PRIV);
    huge_touch(w, 0, 1);
    do_mincore(w, at(510), 4 * PAGE);
    huge_map(w, 4, 2, RW, SHARED);
    huge_touch(w, 4, 1);
    do_mincore(w, at(HUGE_PAGES(4)) + 510 * PAGE, 4 * PAGE);
    do_madvise(w, at(HUGE_PAGES(4)), HUGE_PAGE, MW_MADV_DONTNEED);
    do_mincore(w, at(HUGE_PAGES(4)) + 510 * PAGE, 4 * PAGE);
}
