/* SPDX-License-Identifier: MIT */
/* face.c - scenarios of what /proc shows. */
#include "scenario.h"

#define RWF (MW_FILE_READ | MW_FILE_WRITE)

/* maps: protections, shared or private, offsets, files' names behind column 73 (FACE-1, FACE-2) */
SCENARIO(face_maps)
{
    int f = file_of(w, FILE_MEM, 8, RWF), ro = file_of(w, FILE_MEM, 8, MW_FILE_READ);
    anon(w, 0, 1, NONE);
    anon(w, 1, 1, RO);
    anon(w, 2, 1, WO);
    anon(w, 3, 1, RWX);
    filemap(w, 5, 2, RW, SHARED, f, 3);
    filemap(w, 8, 2, RX, PRIV, f, 0);
    filemap(w, 11, 1, RO, SHARED, ro, 1);
    shanon(w, 14, 2, RW);
    shanon(w, 17, 2, RW);
    maps(w);
    protect(w, 14, 1, RO);
    move(w, 18, 1, 1, FIX, 30);
    maps(w);
}

/* [heap]: anonymous memory that overlaps it, before 6.12 that touches it (FACE-3) */
SCENARIO(face_heap)
{
    int f = file_of(w, FILE_MEM, 8, RWF);
    heap(w, 8);
    maps(w);
    anon(w, HEAP_PAGE + 8, 2, RO);
    anon(w, HEAP_PAGE + 12, 2, RO);
    anon(w, HEAP_PAGE - 2, 2, RO);
    maps(w);
    protect(w, HEAP_PAGE + 3, 1, RO);
    filemap(w, HEAP_PAGE + 5, 1, RW, PRIV, f, 0);
    shanon(w, HEAP_PAGE + 6, 1, RW);
    maps(w);
    do_brk(w, at(HEAP_PAGE) + 100);
    maps(w);
}

/* smaps: all fields of written, dropped, moved, locked and inaccessible memory (FACE-4 to FACE-6) */
SCENARIO(face_smaps)
{
    anon(w, 0, 8, RW);
    touch(w, 0, 5);
    advise(w, 1, 1, MW_MADV_DONTNEED);
    smaps(w);
    protect(w, 2, 2, NONE);
    lock(w, 6, 2);
    smaps(w);
    move(w, 0, 2, 4, FIX, 20);
    smaps(w);
}

/* shares: two mappings of the same pages, shared and private (FACE-5, FACE-6) */
SCENARIO(face_shared)
{
    int f = file_of(w, FILE_MEM, 8, RWF);
    filemap(w, 0, 4, RW, SHARED, f, 0);
    filemap(w, 10, 4, RW, SHARED, f, 2);
    filemap(w, 20, 4, RW, PRIV, f, 0);
    touch(w, 0, 4);
    touch(w, 10, 3);
    touch(w, 21, 2);
    smaps(w);
    lock(w, 10, 1);
    unmap(w, 0, 3);
    smaps(w);
}

/* the child's pages are its parent's too, until it writes (FACE-5) */
SCENARIO(face_forked)
{
    anon(w, 0, 4, RW);
    shanon(w, 6, 2, RW);
    touch(w, 0, 4);
    touch(w, 6, 2);
    forked(w);
    touch(w, 0, 4);
    touch(w, 6, 2);
    smaps(w);
}

/* VmFlags: each advice, and what is locked on fault (FACE-7) */
SCENARIO(face_flags)
{
    static const uint64_t advice[] = {
        MW_MADV_RANDOM, MW_MADV_SEQUENTIAL, MW_MADV_DONTFORK, MW_MADV_MERGEABLE, MW_MADV_HUGEPAGE,
        MW_MADV_NOHUGEPAGE, MW_MADV_DONTDUMP, MW_MADV_WIPEONFORK
    };
    for (int i = 0; i < 8; i++) {
        anon(w, 2 * i, 1, RW);
        advise(w, 2 * i, 1, advice[i]);
    }
    anon(w, 20, 1, RW);
    do_mlock2(w, at(20), PAGE, MW_MLOCK_ONFAULT);
    for (int i = 0; i < 8; i++)
        advise(w, 20, 1, advice[i]);
    mapped(w, 22, 1, RW, PRIV | ANON | MW_MAP_NORESERVE);
    mapped(w, 24, 1, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    mapped(w, 26, 1, RW, PRIV | ANON | MW_MAP_STACK);
    shanon(w, 28, 1, RWX);
    smaps(w);
}

/* a sealed, and a droppable one (FACE-7) */
SCENARIO(face_flags_new)
{
    anon(w, 0, 1, RW);
    seal(w, 0, 1);
    do_mmap(w, at(2), PAGE, RW, MW_MAP_DROPPABLE | ANON | FIXED, NO_FILE, 0);
    seal(w, 2, 1);
    smaps(w);
}

/* huge pages: their size, and counts of their own (FACE-4, FACE-6) */
SCENARIO(face_huge)
{
    huge(w);
    huge_map(w, 0, 2, RW, PRIV);
    huge_touch(w, 0, 1);
    smaps_firm(w);
    sizes(w);
    forked(w);
    smaps_firm(w);
}

/* transparent huge pages: whole, shared, cut, of zeros, inaccessible, locked (FACE-6, FACE-7) */
SCENARIO(face_transparent)
{
    transparent(w);
    anon(w, HUGE_PAGES(0), HUGE_PAGES(5), RW);
    smaps(w);
    advise(w, HUGE_PAGES(0), HUGE_PAGES(5), MW_MADV_HUGEPAGE);
    touch(w, HUGE_PAGES(0), 1);
    touch(w, HUGE_PAGES(1), 1);
    touch(w, HUGE_PAGES(2), 1);
    data(w, HUGE_PAGES(3), 1);
    smaps(w);
    advise(w, HUGE_PAGES(1) + 7, 1, MW_MADV_DONTNEED);
    protect(w, HUGE_PAGES(2), HUGE_PAGES(1), NONE);
    lock(w, HUGE_PAGES(2), HUGE_PAGES(1));
    smaps(w);
    advise(w, HUGE_PAGES(0), HUGE_PAGES(1), MW_MADV_NOHUGEPAGE);
    shanon(w, HUGE_PAGES(8), HUGE_PAGES(1), RW);
    advise(w, HUGE_PAGES(8), HUGE_PAGES(1), MW_MADV_HUGEPAGE);
    mapped(w, HUGE_PAGES(10) + 1, HUGE_PAGES(2) - 2, RW, PRIV | ANON);
    advise(w, HUGE_PAGES(10) + 1, HUGE_PAGES(2) - 2, MW_MADV_HUGEPAGE);
    mapped(w, HUGE_PAGES(13), HUGE_PAGES(2), RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    advise(w, HUGE_PAGES(13), HUGE_PAGES(2), MW_MADV_HUGEPAGE);
    forked(w);
    smaps_firm(w);
    touch(w, HUGE_PAGES(0), 1);
    smaps_firm(w);
}

/* status and statm: sizes, and the most that there was (FACE-9, FACE-10) */
SCENARIO(face_status)
{
    anon(w, 0, 100000, NONE);
    sizes(w);
    anon(w, 200000, 1000, RW);
    shanon(w, 300000, 10, RX);
    mapped(w, 400000, 10, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    lock(w, 200000, 2);
    sizes(w);
    move(w, 200000, 1000, 1000, FIX, 500000);
    move(w, 500000, 1000, 2000, FIX, 600000);
    anon(w, 600000, 2000, RW);
    sizes(w);
    unmap(w, 600000, 2000);
    unmap(w, 0, 100000);
    sizes(w);
}

/* names part mappings and join them, and stay with pieces, moved memory and a child (NAME-6, FACE-2) */
SCENARIO(face_names)
{
    anon(w, 0, 6, RW);
    name(w, 0, 2, "a name");
    name(w, 2, 2, "a name");
    maps(w);
    name(w, 1, 2, "another");
    maps(w);
    protect(w, 1, 1, RO);
    move(w, 0, 1, 3, FIX, 20);
    shanon(w, 30, 4, RW);
    name(w, 31, 2, "shared");
    maps(w);
    name(w, 20, 3, NULL);
    forked(w);
    maps(w);
}
