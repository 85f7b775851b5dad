/* SPDX-License-Identifier: MIT */
/* mseal.c - scenarios of mseal(2). */
#include "scenario.h"

#define RWF (MW_FILE_READ | MW_FILE_WRITE)

/* flags, addresses, lengths (SEAL-2, SEAL-3) */
SCENARIO(mseal_arguments)
{
    anon(w, 0, 4, RW);
    for (uint64_t f = 1; f; f <<= 9)
        do_mseal(w, at(0), PAGE, f);
    do_mseal(w, at(0) + 1, PAGE, 1);
    do_mseal(w, at(0) + 1, PAGE, 0);
    do_mseal(w, at(0) + 1, 0, 0);
    do_mseal(w, at(0), 0, 0);
    do_mseal(w, at(20), 0, 0);
    do_mseal(w, at(20), PAGE, 0);
    do_mseal(w, at(0), ~0ull, 0);
    do_mseal(w, at(0), ~0ull - PAGE, 0);
    do_mseal(w, at(0), 0ull - at(0), 0);
    do_mseal(w, TASK_END, PAGE, 0);
    do_mseal(w, KERNEL_HALF, PAGE, 0);
    do_mseal(w, 0ull - PAGE, PAGE, 0);
    lay(w);
    do_mseal(w, at(1), PAGE + 1, 0);
    lay(w);
}

/* aa.a: a hole anywhere, and nothing is sealed (SEAL-4) */
SCENARIO(mseal_holes)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 1, RW);
    anon(w, 4, 2, RO);
    seal(w, 0, 4);
    seal(w, 2, 2);
    seal(w, 3, 4);
    unmap(w, 0, 1);
    seal(w, 3, 3);
    unmap(w, 3, 1);
    lay(w);
}

/* it cuts, and merges with what is sealed (SEAL-5) */
SCENARIO(mseal_parts)
{
    anon(w, 0, 6, RW);
    seal(w, 2, 2);
    lay(w);
    flags_of(w, 2);
    seal(w, 2, 2);
    seal(w, 1, 2);
    lay(w);
    seal(w, 0, 6);
    lay(w);
    anon(w, 6, 2, RW);
    lay(w);
    seal(w, 6, 2);
    lay(w);
    shanon(w, 20, 2, RO);
    seal(w, 20, 1);
    lay(w);
}

SCENARIO(mseal_map_count)
{
    anon(w, 0, 6, RW);
    anon(w, 10, 6, RW);
    fill_map_count(w, 1000);
    seal(w, 1, 1);
    seal(w, 0, 6);
    unmap(w, 1000, 2);
    seal(w, 12, 2);
    count(w);
    unmap(w, 11, 1);
    unmap(w, 12, 1);
}

/* which advice is refused, of which memory (SEAL-6) */
static void sealed(struct world *w, int64_t page, int64_t n)
{
    for (uint64_t a = 0; a < 25; a++) {
        bool is_one = (a >= 8 && a < 22) || a < 5 || a == MW_MADV_DONTNEED_LOCKED;
        if (is_one)
            advise(w, page, n, a);
    }
    data(w, page, n);
    lay(w);
}

SCENARIO(mseal_advice_anonymous)
{
    anon(w, 0, 2, RW);
    anon(w, 10, 2, RO);
    anon(w, 20, 2, NONE);
    anon(w, 30, 2, RX);
    anon(w, 40, 2, RW);
    touch(w, 40, 2);
    protect(w, 40, 2, RO);
    for (int64_t i = 0; i < 50; i += 10) {
        seal(w, i, 2);
        sealed(w, i, 2);
    }
}

SCENARIO(mseal_advice_shared)
{
    shanon(w, 0, 2, RW);
    shanon(w, 10, 2, RO);
    shanon(w, 20, 2, NONE);
    for (int64_t i = 0; i < 30; i += 10) {
        seal(w, i, 2);
        sealed(w, i, 2);
    }
}

SCENARIO(mseal_advice_file)
{
    int f = file_of(w, FILE_MEM, 4, RWF), r = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    filemap(w, 0, 2, RW, PRIV, f, 0);
    filemap(w, 10, 2, RO, PRIV, f, 0);
    filemap(w, 20, 2, RW, PRIV, f, 0);
    touch(w, 20, 2);
    protect(w, 20, 2, RO);
    filemap(w, 30, 2, RO, PRIV, r, 0);
    filemap(w, 40, 2, RO, SHARED, f, 0);
    filemap(w, 50, 2, RO, SHARED, r, 0);
    filemap(w, 60, 2, RW, SHARED, f, 0);
    for (int64_t i = 0; i < 70; i += 10) {
        seal(w, i, 2);
        sealed(w, i, 2);
    }
}

/* aSa: what lies before the sealed part has followed the advice, or not (SEAL-6) */
SCENARIO(mseal_advice_range)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    protect(w, 2, 2, RO);
    seal(w, 2, 2);
    advise(w, 0, 6, MW_MADV_DONTNEED);
    data(w, 0, 6);
    touch(w, 0, 2);
    advise(w, 0, 6, MW_MADV_DONTFORK);
    flags_of(w, 0);
    unmap(w, 1, 1);
    advise(w, 0, 6, MW_MADV_DONTNEED);
    advise(w, 0, 6, MW_MADV_RANDOM);
    flags_of(w, 2);
    data(w, 0, 6);
}

/* sealed and locked, or sealed huge pages (SEAL-1) */
SCENARIO(mseal_huge)
{
    huge(w);
    huge_map(w, 0, 2, RW, PRIV);
    seal(w, 3, 1);
    seal(w, 512, 1);
    lay(w);
    seal(w, 0, 512);
    lay(w);
    do_madvise(w, at(0), HUGE_PAGE, MW_MADV_DONTNEED);
    unmap(w, 0, 512);
}

/* a sealed mapping can be forked, and is sealed there */
SCENARIO(mseal_fork)
{
    anon(w, 0, 4, RW);
    seal(w, 1, 2);
    forked(w);
    unmap(w, 1, 1);
    unmap(w, 0, 1);
    lay(w);
}
