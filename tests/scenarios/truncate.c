/* SPDX-License-Identifier: MIT */
/* truncate.c - scenarios of files that shrink and grow while they are mapped. */
#include "scenario.h"

#define RWF (MW_FILE_READ | MW_FILE_WRITE)

/* The middle of a page, where the rest of a last page shows. */
static uint64_t mid(int64_t page)
{
    return at(page) + 2048;
}

static void both(struct world *w, int f, int64_t n)
{
    filemap(w, 0, n, RW, SHARED, f, 0);
    filemap(w, 20, n, RW, PRIV, f, 0);
}

static void show(struct world *w, int64_t n)
{
    data(w, 0, n);
    data(w, 20, n);
}

/* pages beyond the end go from shared and private mappings, and come back as zeros (TRUNC-1, TRUNC-2) */
SCENARIO(truncate_shrinks_and_grows)
{
    int f = file_of(w, FILE_MEM, 8, RWF);
    both(w, f, 8);
    touch(w, 0, 8);
    for (int64_t i = 20; i < 28; i += 2)
        store(w, i, (uint32_t)i);
    show(w, 8);
    truncate_to(w, f, 5 * PAGE + 1000);
    show(w, 8);
    present(w, 0, 8);
    present(w, 20, 8);
    do_mincore(w, at(0), 6 * PAGE);
    store(w, 6, 1);
    store(w, 26, 1);
    truncate_to(w, f, 7 * PAGE);
    show(w, 8);
    truncate_to(w, f, 12 * PAGE);
    show(w, 8);
    store(w, 27, 9);
    lay(w);
    count(w);
}

/* the rest of the last page: of the file's own zeros, of a copy as it was (TRUNC-3) */
SCENARIO(truncate_last_page)
{
    int f = file_of(w, FILE_MEM, 2, RWF);
    both(w, f, 2);
    store_at(w, mid(1), 7);
    store_at(w, mid(20), 8);
    truncate_to(w, f, PAGE + 100);
    data_at(w, mid(1), 1);
    truncate_to(w, f, 100);
    data_at(w, mid(0), 2);
    data_at(w, mid(20), 2);
    store_at(w, mid(0), 9);
    truncate_to(w, f, 50);
    data_at(w, mid(0), 1);
    store_at(w, mid(0), 10);
    truncate_to(w, f, 2 * PAGE); /* what was written behind the end stays */
    data_at(w, mid(0), 2);
    data_at(w, mid(20), 2);
}

/* other spaces too (TRUNC-1) */
SCENARIO(truncate_of_a_child)
{
    int f = file_of(w, FILE_MEM, 6, RWF);
    both(w, f, 6);
    touch(w, 0, 6);
    touch(w, 21, 5);
    forked(w);
    show(w, 6);
    store(w, 24, 99);
    truncate_to(w, f, 2 * PAGE);
    show(w, 6);
    truncate_to(w, f, 6 * PAGE);
    show(w, 6);
}

/* whatever became of the mappings: cut, moved, protected, locked, duplicated (TRUNC-1) */
SCENARIO(truncate_of_pieces)
{
    int f = file_of(w, FILE_MEM, 8, RWF);
    both(w, f, 8);
    touch(w, 0, 8);
    touch(w, 20, 8);
    protect(w, 1, 1, NONE);
    protect(w, 6, 1, NONE);
    protect(w, 26, 1, RO);
    lock(w, 24, 2);
    move(w, 22, 2, 2, FIX, 40);
    move(w, 4, 0, 4, FIX, 50);
    move(w, 50, 2, 2, DUF, 60);
    unmap(w, 25, 1);
    data(w, 50, 4);
    truncate_to(w, f, 3 * PAGE);
    truncate_to(w, f, 8 * PAGE);
    protect(w, 0, 8, RW);
    protect(w, 26, 1, RW);
    show(w, 8);
    data(w, 40, 2);
    data(w, 50, 4);
    data(w, 60, 2);
    lay(w);
    count(w);
}

/* guards stay (TRUNC-4) */
SCENARIO(truncate_keeps_guards)
{
    int f = file_of(w, FILE_MEM, 4, RWF);
    both(w, f, 4);
    touch(w, 0, 4);
    touch(w, 20, 4);
    advise(w, 2, 1, MW_MADV_GUARD_INSTALL);
    advise(w, 22, 1, MW_MADV_GUARD_INSTALL);
    truncate_to(w, f, PAGE);
    show(w, 4);
    truncate_to(w, f, 4 * PAGE);
    show(w, 4);
}

/* memory stays touched (ANON-1), locks and populating end at the new end (LOCK-8, MMAP-20) */
SCENARIO(truncate_and_identity)
{
    int f = file_of(w, FILE_MEM, 8, RWF);
    filemap(w, 0, 4, RW, PRIV, f, 0);
    touch(w, 3, 1);
    truncate_to(w, f, 2 * PAGE);
    filemap(w, 4, 4, RW, PRIV, f, 4);
    lay(w);
    lock(w, 0, 4);
    lock(w, 0, 2);
    filemap(w, 10, 4, RW, PRIV | MW_MAP_POPULATE, f, 0);
    present(w, 10, 2);
    advise(w, 10, 4, MW_MADV_POPULATE_READ);
    data(w, 10, 4);
    copy_in(w, at(11) + 100, 4 * PAGE);
}

/* sizes that are none (TRUNC-5) */
SCENARIO(truncate_sizes)
{
    int f = file_of(w, FILE_MEM, 4, RWF);
    both(w, f, 4);
    truncate_to(w, f, ~0ull);
    truncate_to(w, f, 1ull << 63);
    truncate_to(w, f, (1ull << 63) - 1);
    data(w, 0, 4);
    truncate_to(w, f, 0);
    show(w, 2);
    truncate_to(w, f, 1);
    show(w, 2);
}

/* huge pages, and what is set aside for them (TRUNC-5, TRUNC-6) */
SCENARIO(truncate_huge_shared)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 8 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 8 * HUGE_PAGE, RW, SHARED | FIXED, f, 0);
    for (int64_t i = 0; i < 8; i += 2)
        huge_touch(w, i, 1);
    pool(w);
    truncate_to(w, f, 5 * HUGE_PAGE + PAGE);
    truncate_to(w, f, 5 * HUGE_PAGE);
    pool(w);
    huge_data(w, 4, 3);
    truncate_to(w, f, 8 * HUGE_PAGE);
    pool(w);
    huge_data(w, 4, 3);
    pool(w);
    do_munmap(w, at(0), 8 * HUGE_PAGE);
    pool(w);
}

SCENARIO(truncate_huge_private)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 4 * HUGE_PAGE, RW, PRIV | FIXED, f, 0);
    huge_touch(w, 0, 3);
    huge_data(w, 0, 4);
    pool(w);
    truncate_to(w, f, 2 * HUGE_PAGE);
    pool(w);
    huge_data(w, 0, 4);
    truncate_to(w, f, 4 * HUGE_PAGE);
    huge_data(w, 0, 3);
    pool(w);
    do_munmap(w, at(0), 4 * HUGE_PAGE);
    pool(w);
}

/* a mapping that reaches beyond the end has pages set aside there, until the size is set: even the same (TRUNC-6) */
SCENARIO(truncate_huge_beyond)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 6 * HUGE_PAGE, RO, SHARED | FIXED, f, 2 * HUGE_PAGE);
    pool(w);
    truncate_to(w, f, 5 * HUGE_PAGE);
    pool(w);
    truncate_to(w, f, 5 * HUGE_PAGE);
    huge_data(w, 2, 2);
    pool(w);
    truncate_to(w, f, 7 * HUGE_PAGE);
    pool(w);
    do_munmap(w, at(0), 6 * HUGE_PAGE);
    pool(w);
}

/* a parent's set-aside pages come back, a child's never were (TRUNC-6) */
SCENARIO(truncate_huge_untouched)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 4 * HUGE_PAGE, RW, PRIV | FIXED, f, 0);
    do_mmap(w, at(HUGE_PAGES(8)), 4 * HUGE_PAGE, RW, SHARED | FIXED, f, 0);
    pool(w);
    truncate_to(w, f, HUGE_PAGE);
    pool(w);
    huge_data(w, 0, 2);
    do_munmap(w, at(0), 12 * HUGE_PAGE);
    pool(w);
}
