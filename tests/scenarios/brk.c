/* SPDX-License-Identifier: MIT */
/* brk.c - scenarios of brk(2). h0, h1... are the heap's pages. */
#include "scenario.h"

/* asking, growing, shrinking; the break need not be aligned (BRK-5) */
SCENARIO(brk_grow_and_shrink)
{
    do_brk(w, 0);
    heap(w, 4);
    lay(w);
    flags_of(w, HEAP_PAGE);
    touch(w, HEAP_PAGE, 4);
    heap(w, 2);
    lay(w);
    data(w, HEAP_PAGE, 4);
    heap(w, 4);
    data(w, HEAP_PAGE, 5);
    do_brk(w, at(HEAP_PAGE + 4) + 1);
    lay(w);
    do_brk(w, at(HEAP_PAGE + 4) + 100);
    do_brk(w, at(HEAP_PAGE + 5));
    lay(w);
    do_brk(w, at(HEAP_PAGE + 3) + 1);
    lay(w);
    do_brk(w, 0);
    count(w);
    heap(w, 0);
    lay(w);
    count(w);
}

/* what brk refuses, it answers with the old break (BRK-1) */
SCENARIO(brk_refused)
{
    heap(w, 2);
    do_brk(w, at(HEAP_PAGE) - 1);
    do_brk(w, 1);
    do_brk(w, TASK_END);
    do_brk(w, TASK_END + PAGE);
    do_brk(w, ~0ull);
    do_brk(w, ~0ull - PAGE);
    do_brk(w, KERNEL_HALF);
    do_brk(w, 0);
    lay(w);
    count(w);
}

/* hh..r : growth stops at a neighbour; one page must stay free below it (BRK-3) */
SCENARIO(brk_blocked)
{
    heap(w, 2);
    anon(w, HEAP_PAGE + 5, 1, RO);
    heap(w, 6);
    heap(w, 5);
    heap(w, 4);
    heap(w, 3);
    heap(w, 10);
    lay(w);
    mapped(w, HEAP_PAGE + 1000, 1, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    unmap(w, HEAP_PAGE + 5, 1);
    heap(w, 800);
    heap(w, 744);
    heap(w, 743);
    heap(w, 742);
    lay(w);
}

/* a page mapped right at the break merges with the heap, the break does not know (BRK-5, BRK-6) */
SCENARIO(brk_merges)
{
    anon(w, HEAP_PAGE - 2, 2, RW);
    heap(w, 2);
    lay(w);
    touch(w, HEAP_PAGE - 2, 1);
    heap(w, 4);
    lay(w);
    anon(w, HEAP_PAGE + 4, 2, RW);
    lay(w);
    heap(w, 5);
    heap(w, 6);
    heap(w, 7);
    lay(w);
    heap(w, 1);
    lay(w);
    count(w);
}

/* touched heap, then more: one mapping */
SCENARIO(brk_touched)
{
    heap(w, 2);
    touch(w, HEAP_PAGE, 2);
    heap(w, 4);
    lay(w);
    touch(w, HEAP_PAGE + 3, 1);
    heap(w, 6);
    lay(w);
    protect(w, HEAP_PAGE + 1, 1, RO);
    heap(w, 8);
    lay(w);
    protect(w, HEAP_PAGE + 5, 3, RO);
    heap(w, 10);
    lay(w);
    count(w);
}

/* holes in the heap: growth continues at the break, shrinking passes them (BRK-4) */
SCENARIO(brk_holes)
{
    heap(w, 6);
    unmap(w, HEAP_PAGE + 4, 2);
    heap(w, 8);
    lay(w);
    unmap(w, HEAP_PAGE + 1, 1);
    heap(w, 1);
    lay(w);
    heap(w, 2);
    lay(w);
}

/* RLIMIT_DATA counts the heap and the program's data segment (BRK-2) */
SCENARIO(brk_limit_data)
{
    heap(w, 2);
    w->ops->limit(w, MW_LIMIT_DATA, 8 * PAGE);
    heap(w, 6);
    heap(w, 5);
    do_brk(w, at(HEAP_PAGE + 5) + 1);
    lay(w);
    heap(w, 1);
    count(w);
}

/* and, counted as mmap does, all private writable memory */
SCENARIO(brk_limit_data_all)
{
    heap(w, 2);
    limit(w, MW_LIMIT_DATA, 3);
    heap(w, 6);
    heap(w, 5);
    lay(w);
    count(w);
}

SCENARIO(brk_limit_as)
{
    heap(w, 2);
    limit(w, MW_LIMIT_AS, 2);
    heap(w, 5);
    heap(w, 4);
    heap(w, 5);
    lay(w);
}

/* under mlockall(MCL_FUTURE) the heap grows locked, within the limit */
SCENARIO(brk_locked)
{
    heap(w, 1);
    lock_all(w, MW_MCL_FUTURE);
    heap(w, 3);
    lay(w);
    flags_of(w, HEAP_PAGE + 1);
    present(w, HEAP_PAGE, 3);
    limit(w, MW_LIMIT_MEMLOCK, 3);
    drop_privileges(w);
    heap(w, 5);
    heap(w, 4);
    count(w);
}

/* more than all memory */
SCENARIO(brk_commit)
{
    heap(w, 2);
    do_brk(w, at(HEAP_PAGE) + (1ull << 36));
    heap(w, 4);
    lay(w);
}

/* brk and sealed heap (SEAL-1, MUNMAP-3) */
SCENARIO(brk_sealed)
{
    heap(w, 4);
    seal(w, HEAP_PAGE + 2, 1);
    heap(w, 1);
    lay(w);
    heap(w, 3);
    heap(w, 5);
    lay(w);
}

/* mremap neither reads nor changes the break (BRK-5) */
SCENARIO(brk_and_mremap)
{
    heap(w, 4);
    touch(w, HEAP_PAGE, 4);
    move(w, HEAP_PAGE, 4, 2, 0, 0);
    do_brk(w, 0);
    heap(w, 5);
    lay(w);
    data(w, HEAP_PAGE, 5);
    move(w, HEAP_PAGE + 4, 1, 1, FIX, 10);
    heap(w, 6);
    lay(w);
    move(w, HEAP_PAGE + 5, 1, 3, 0, 0);
    heap(w, 7);
    heap(w, 6);
    do_brk(w, 0);
    lay(w);
}

/* the map count: one mapping more than the limit refuses a fresh heap */
SCENARIO(brk_map_count)
{
    anon(w, HEAP_PAGE - 1, 1, RW);
    int64_t n = fill_map_count(w, 1000);
    heap(w, 2);
    lay(w);
    unmap(w, HEAP_PAGE - 1, 3);
    lay(w);
    heap(w, 4);
    w->quiet = true;
    unmap(w, 1000, n);
    w->quiet = false;
    lay(w);
}
