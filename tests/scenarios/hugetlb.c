/* SPDX-License-Identifier: MIT */
/*
 * hugetlb.c - scenarios of huge pages: mmap, what follows, mremap.
 *
 * Lengths in these calls are huge pages unless they are raw.
 */
#include "scenario.h"

#define H HUGE_PAGE
#define HAT(i) at(HUGE_PAGES(i))
#define HT (ANON | FIXED | MW_MAP_HUGETLB)

/* sizes, offsets, alignment (HUGETLB-1, HUGETLB-2, HUGETLB-5) */
SCENARIO(hugetlb_arguments)
{
    huge(w);
    do_mmap(w, HAT(0), PAGE, RW, PRIV | HT, NO_FILE, 0);
    lay(w);
    do_mmap(w, HAT(3) + PAGE, H, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, HAT(3) + 1, H, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, HAT(3), 0, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, HAT(3), ~0ull, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, HAT(3), 0 - H + 1, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, HAT(3), 0 - H, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, HAT(3), H, RW, PRIV | HT | 22u << 26, NO_FILE, 0);
    do_mmap(w, HAT(3), H, RW, PRIV | HT | 12u << 26, NO_FILE, 0);
    do_mmap(w, HAT(3), H, RW, PRIV | HT | 30u << 26, NO_FILE, 0);
    do_mmap(w, HAT(3), H, RW, PRIV | HT | 22u << 26, NO_FILE, 1);
    do_mmap(w, HAT(3), H, RW, PRIV | HT, NO_FILE, H);
    do_mmap(w, HAT(6), H, RW, PRIV | HT | 21u << 26, NO_FILE, 0);
    do_mmap(w, 0x7fffffe00000, H, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, 0x7ffffffff000, H, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, 0xfffffffffffff001, H, RW, PRIV | HT, NO_FILE, 0);
    do_mmap(w, HAT(3) + PAGE, H, RW, PRIV | (HT & ~FIXED) | MW_MAP_FIXED_NOREPLACE, NO_FILE, 0);
    do_mmap(w, HAT(3), H, RW, PRIV | (HT & ~FIXED) | MW_MAP_FIXED_NOREPLACE, NO_FILE, 0);
    lay(w);
    pool(w);
}

/* which refusals come before the destination is gone (HUGETLB-2, HUGETLB-3) */
SCENARIO(hugetlb_destination_gone)
{
    huge(w);
    static const struct { uint32_t flags; uint64_t offset; int64_t n; } c[] = {
        { PRIV, PAGE, 1 }, { SHARED, PAGE, 1 }, { PRIV | MW_MAP_GROWSDOWN, 0, 1 }, { 0, 0, 1 },
        { PRIV | 22u << 26, 0, 1 }, { PRIV, 0, 1000 }, { SHARED, 0, 1000 }, { 8, 0, 1 },
        { MW_MAP_SHARED_VALIDATE | 0x800000, 0, 1 },
    };
    for (unsigned i = 0; i < sizeof c / sizeof c[0]; i++) {
        anon(w, HUGE_PAGES(0), 1024, RO);
        do_mmap(w, HAT(0), (uint64_t)c[i].n * H, RW, HT | c[i].flags, NO_FILE, c[i].offset);
        lay(w);
    }
    pool(w);
}

/* kinds and flags (MMAP-3, MMAP-16, MMAP-20, MMAP-21, MMAP-22, HUGETLB-4) */
SCENARIO(hugetlb_kinds)
{
    huge(w);
    static const uint32_t flags[] = {
        PRIV, SHARED, MW_MAP_SHARED_VALIDATE, PRIV | MW_MAP_STACK, PRIV | MW_MAP_LOCKED,
        PRIV | MW_MAP_POPULATE, PRIV | MW_MAP_NORESERVE, SHARED | MW_MAP_NORESERVE,
        SHARED | MW_MAP_POPULATE, PRIV | MW_MAP_GROWSDOWN, 8u, PRIV | MW_MAP_SYNC,
        SHARED | MW_MAP_LOCKED,
    };
    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        huge_map(w, 0, 2, RW, flags[i]);
        lay(w);
        flags_of(w, 0);
        count(w);
        pool(w);
        unmap(w, 0, HUGE_PAGES(2));
        pool(w);
    }
    static const uint32_t prots[] = { NONE, RO, WO, RX, RWX };
    for (unsigned i = 0; i < 5; i++) {
        huge_map(w, 0, 2, prots[i], PRIV);
        flags_of(w, 0);
        count(w);
        data(w, 1, 1);
        pool(w);
        unmap(w, 0, HUGE_PAGES(2));
    }
}

/* where they are placed (HUGETLB-5) */
SCENARIO(hugetlb_placed)
{
    huge(w);
    for (unsigned i = 1; i < 4; i++)
        do_mmap(w, 0, (uint64_t)i * H - PAGE, RW, PRIV | ANON | MW_MAP_HUGETLB, NO_FILE, 0);
    do_mmap(w, 0, PAGE, RW, PRIV | ANON, NO_FILE, 0);
    do_mmap(w, 0, H, RW, SHARED | ANON | MW_MAP_HUGETLB, NO_FILE, 0);
    do_mmap(w, HAT(3) + PAGE, H, RW, PRIV | ANON | MW_MAP_HUGETLB, NO_FILE, 0);
    do_mmap(w, HAT(3) + 1, H, RW, PRIV | ANON | MW_MAP_HUGETLB, NO_FILE, 0);
    do_mmap(w, HAT(3), H, RW, PRIV | ANON | MW_MAP_HUGETLB, NO_FILE, 0);
    anon(w, HUGE_PAGES(9) - 1, 1, RW);
    do_mmap(w, HAT(8), H, RW, PRIV | ANON | MW_MAP_HUGETLB, NO_FILE, 0);
    lay(w);
}

/* neighbours stay apart (MERGE-5) */
SCENARIO(hugetlb_apart)
{
    huge(w);
    huge_map(w, 0, 1, RW, PRIV);
    huge_map(w, 1, 1, RW, PRIV);
    lay(w);
    huge_map(w, 4, 4, RW, PRIV);
    protect(w, HUGE_PAGES(5), HUGE_PAGES(1), RO);
    lay(w);
    protect(w, HUGE_PAGES(5), HUGE_PAGES(1), RW);
    lay(w);
}

/* promises: kept for what is absent, given back by unmapping (HUGETLB-3) */
SCENARIO(hugetlb_promises)
{
    huge(w);
    huge_map(w, 0, 4, RW, PRIV);
    huge_touch(w, 0, 2);
    pool(w);
    unmap(w, HUGE_PAGES(1), HUGE_PAGES(2));
    pool(w);
    huge_move(w, 3, 1, 1, FIX, 10);
    pool(w);
    huge_data(w, 10, 1);
    pool(w);
    unmap(w, HUGE_PAGES(0), HUGE_PAGES(20));
    pool(w);
    huge_map(w, 0, 4, RW, SHARED);
    huge_touch(w, 0, 2);
    pool(w);
    unmap(w, HUGE_PAGES(1), HUGE_PAGES(2));
    pool(w);
    unmap(w, HUGE_PAGES(0), HUGE_PAGES(4));
    pool(w);
    huge_map(w, 0, 16, RW, PRIV);
    huge_map(w, 0, 16, RW, PRIV); /* in place of itself */
    huge_map(w, 0, 16, RW, SHARED);
    pool(w);
    huge_map(w, 20, 1, RW, PRIV);
    huge_map(w, 20, 1, RW, PRIV | MW_MAP_NORESERVE);
    huge_touch(w, 20, 1);
    unmap(w, HUGE_PAGES(0), HUGE_PAGES(1));
    huge_touch(w, 20, 1);
    unmap(w, HUGE_PAGES(0), HUGE_PAGES(16));
    huge_touch(w, 20, 1);
    pool(w);
}

/* files of huge pages (HUGETLB-2, HUGETLB-4) */
SCENARIO(hugetlb_files)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 4 * H, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, HAT(0), PAGE, RW, SHARED | FIXED, f, 0);
    do_mmap(w, HAT(2), 2 * H, RW, SHARED | FIXED, f, H);
    lay(w);
    pool(w);
    do_mmap(w, HAT(6), 4 * H, RW, SHARED | FIXED, f, 0);
    pool(w);
    huge_touch(w, 2, 2);
    huge_data(w, 6, 3);
    pool(w);
    do_mmap(w, HAT(20), H, RW, SHARED | FIXED, f, PAGE);
    do_mmap(w, HAT(20), PAGE, RW, SHARED | FIXED | MW_MAP_HUGETLB, f, 0);
    do_mmap(w, HAT(20), PAGE, RW, SHARED | FIXED | MW_MAP_HUGETLB | 22u << 26, f, 0);
    do_mmap(w, HAT(20) + PAGE, PAGE, RW, SHARED | FIXED, f, 0);
    unmap(w, 0, HUGE_PAGES(30));
    pool(w); /* what was touched is the file's */
    do_mmap(w, HAT(0), 4 * H, RW, PRIV | FIXED, f, 0);
    pool(w);
    huge_data(w, 0, 4);
    pool(w);
    huge_touch(w, 1, 2);
    pool(w);
    unmap(w, 0, HUGE_PAGES(4));
    pool(w);
    int plain = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, HAT(0), H, RW, SHARED | FIXED | MW_MAP_HUGETLB, plain, 0);
    int readonly = file_of_bytes(w, FILE_HUGE, 4 * H, MW_FILE_READ);
    do_mmap(w, HAT(0), H, RW, SHARED | FIXED, readonly, 0);
    do_mmap(w, HAT(0), H, RO, SHARED | FIXED, readonly, 0);
    flags_of(w, 0);
    protect(w, 0, HUGE_PAGES(1), RW);
    huge_data(w, 0, 1);
}

/* a huge page can't be cut (MUNMAP-2, HUGETLB-6) */
SCENARIO(hugetlb_cuts)
{
    huge(w);
    huge_map(w, 1, 3, RW, PRIV);
    anon(w, HUGE_PAGES(1) - 1, 1, RW);
    unmap(w, HUGE_PAGES(1), 1);
    unmap(w, HUGE_PAGES(1) + 1, 511);
    unmap(w, HUGE_PAGES(1) - 1, 2);
    unmap(w, HUGE_PAGES(2), 1);
    lay(w);
    protect(w, HUGE_PAGES(1), 1, RO);
    protect(w, HUGE_PAGES(1) + 1, 512, RO);
    protect(w, HUGE_PAGES(1), 513, RO);
    protect(w, HUGE_PAGES(2), 1, RO);
    protect(w, HUGE_PAGES(1), 1, RW);
    protect(w, HUGE_PAGES(1) - 1, 2, RO);
    lay(w);
    protect(w, HUGE_PAGES(2), 512, RO);
    lay(w);
    do_mmap(w, HAT(1) + PAGE, PAGE, RW, PRIV | ANON | FIXED, NO_FILE, 0);
    do_mmap(w, HAT(1), PAGE, RW, PRIV | ANON | FIXED, NO_FILE, 0);
    lay(w);
}

/* at the limit of mappings a cut that would be one too many is refused before one that can't be (HUGETLB-6) */
SCENARIO(hugetlb_cuts_at_limit)
{
    huge(w);
    huge_map(w, 1, 3, RW, PRIV);
    anon(w, HUGE_PAGES(4), 2, RW);
    fill_map_count(w, HUGE_PAGES(6));
    for (int i = 0; i < 3; i++) {
        protect(w, HUGE_PAGES(1) + 1, 1, RO);
        protect(w, HUGE_PAGES(1), 1, RO);
        protect(w, HUGE_PAGES(2), 1, RO);
        advise(w, HUGE_PAGES(1) + 1, 512, MW_MADV_DONTDUMP);
        seal(w, HUGE_PAGES(3) - 1, 1);
        unmap(w, HUGE_PAGES(2) + 1, 1);
        unmap(w, HUGE_PAGES(3) - 1, 513);
        lay(w);
        unmap(w, HUGE_PAGES(6) + 4 * i, 1);
    }
}

/* mremap: sizes count in huge pages (MREMAP-16, MREMAP-17, I01 to I05) */
SCENARIO(hugetlb_remap_sizes)
{
    huge(w);
    huge_map(w, 0, 4, RW, PRIV);
    huge_touch(w, 0, 4);
    huge_move(w, 0, 4, 2, 0, 0);
    lay(w);
    huge_data(w, 0, 2);
    pool(w);
    huge_map(w, 0, 4, RW, PRIV);
    do_mremap(w, HAT(0), 4 * H, H + PAGE, 0, 0);
    do_mremap(w, HAT(0), H + PAGE, H, 0, 0);
    do_mremap(w, HAT(0), H - PAGE, H, 0, 0);
    do_mremap(w, HAT(0), PAGE, 2 * PAGE, MAY, 0);
    huge_move(w, 0, 1, 2, 0, 0);
    huge_move(w, 0, 1, 2, MAY, 0);
    huge_move(w, 0, 1, 2, FIX, 10);
    huge_move(w, 0, 0, 1, MAY, 0);
    huge_move(w, 0, 0, 1, FIX, 10);
    huge_move(w, 0, 1, 1, DUF, 10);
    huge_move(w, 0, 3, 4, MAY, 0);
    do_mremap(w, HAT(0), PAGE, PAGE, 0, 0);
    do_mremap(w, HAT(0) + PAGE, PAGE, PAGE, 0, 0);
    do_mremap(w, HAT(0), 2 * H, PAGE, MAY, 0);
    lay(w);
}

/* mremap: moves, whole, in part, onto others (MREMAP-16, MREMAP-23, I06 to I22) */
SCENARIO(hugetlb_remap_moves)
{
    huge(w);
    huge_map(w, 0, 4, RW, PRIV);
    huge_touch(w, 0, 3);
    pool(w);
    huge_move(w, 1, 2, 2, FIX, 10);
    lay(w);
    huge_data(w, 10, 2);
    pool(w);
    do_mremap(w, HAT(10), PAGE, PAGE, FIX, HAT(20));
    lay(w);
    huge_data(w, 20, 1);
    do_mremap(w, HAT(20), H, H, FIX, HAT(30) + PAGE);
    do_mremap(w, HAT(20) + PAGE, H, H, FIX, HAT(30));
    huge_map(w, 40, 3, RW, SHARED);
    huge_touch(w, 40, 3);
    huge_move(w, 20, 1, 1, FIX, 41);
    lay(w);
    huge_data(w, 40, 3);
    pool(w);
    huge_move(w, 40, 3, 3, FIX, 50);
    lay(w);
    huge_data(w, 50, 3);
    anon(w, HUGE_PAGES(60), 1, RW);
    do_mremap(w, HAT(60), PAGE, PAGE, FIX, HAT(50) + PAGE);
    anon(w, HUGE_PAGES(61), 1, RW);
    huge_move(w, 50, 2, 2, FIX, 60);
    lay(w);
    pool(w);
}

/* fork: pages are copied when written, and nothing is promised to the child (FORK-3) */
SCENARIO(hugetlb_fork)
{
    huge(w);
    huge_map(w, 0, 3, RW, PRIV);
    huge_map(w, 10, 2, RW, SHARED);
    huge_map(w, 20, 2, RW, PRIV);
    huge_touch(w, 0, 2);
    huge_touch(w, 10, 1);
    forked(w);
    lay(w);
    pool(w);
    unmap(w, HUGE_PAGES(20), HUGE_PAGES(2)); /* untouched: what is set aside is the parent's */
    pool(w);
    huge_data(w, 0, 2);
    huge_data(w, 10, 2);
    store(w, HUGE_PAGES(0) + 3, 70);
    huge_data(w, 0, 3);
}

/* populating stops at what is not there */
SCENARIO(hugetlb_access)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 2 * H, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, HAT(0), 4 * H, RW, SHARED | FIXED | MW_MAP_NORESERVE, f, 0);
    huge_touch(w, 0, 4);
    do_mmap(w, HAT(0), 4 * H, RW, PRIV | FIXED | MW_MAP_NORESERVE, f, 0);
    huge_touch(w, 0, 4);
    huge_data(w, 0, 4);
    huge_map(w, 10, 1, NONE, PRIV);
    huge_touch(w, 10, 1);
    protect(w, HUGE_PAGES(10), HUGE_PAGES(1), RW);
    huge_touch(w, 10, 1);
    present(w, HUGE_PAGES(10), 3);
    protect(w, HUGE_PAGES(10), HUGE_PAGES(1), NONE);
    huge_data(w, 10, 1);
    protect(w, HUGE_PAGES(10), HUGE_PAGES(1), RO);
    huge_data(w, 10, 1);
    huge_touch(w, 10, 1);
}
