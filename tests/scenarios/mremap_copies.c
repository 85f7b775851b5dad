/* SPDX-License-Identifier: MIT */
/*
 * mremap_copies.c - scenarios of old size 0 (G of the recorded facts),
 * DONTUNMAP (H), and several mappings in one call (K).
 */
#include "scenario.h"

#define P PAGE
#define READ_WRITE (MW_FILE_READ | MW_FILE_WRITE)
#define LOCKED (PRIV | ANON | MW_MAP_LOCKED)

/* ---- old size 0: ssss => ssss......ssss (MREMAP-27) ---- */

SCENARIO(mremap_G01_duplicate)
{
    shanon(w, 0, 4, RW);
    touch(w, 0, 4);
    int64_t r = move(w, 0, 0, 4, MAY, 0);
    lay(w);
    data_at(w, (uint64_t)r, 4);
    store(w, 1, 50);
    data_at(w, (uint64_t)r, 4);
    move(w, 0, 0, 4, FIX, 10);
    store(w, 12, 60);
    data(w, 0, 4);
    lay(w);
    count(w);
    unmap(w, 0, 4);
    data(w, 10, 4);
}

SCENARIO(mremap_G05_duplicate_file)
{
    int f = file_of(w, FILE_MEM, 4, READ_WRITE);
    int r = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    int d = file_of(w, FILE_DISK, 4, READ_WRITE);
    filemap(w, 0, 2, RW, SHARED, f, 0);
    move(w, 0, 0, 6, FIX, 10);
    data(w, 10, 6);
    filemap(w, 20, 4, RW, SHARED, f, 1);
    move(w, 22, 0, 2, FIX, 30);
    data(w, 30, 2);
    filemap(w, 40, 4, RO, SHARED, r, 0);
    move(w, 40, 0, 4, FIX, 50);
    protect(w, 50, 4, RW);
    filemap(w, 60, 4, RO, SHARED, f, 0);
    move(w, 60, 0, 4, FIX, 70);
    protect(w, 70, 1, RW);
    filemap(w, 80, 4, RW, SHARED, d, 0);
    move(w, 81, 0, 5, FIX, 90);
    data(w, 90, 5);
    lay(w);
    count(w);
}

/* longer than the mapping and than the object; past the end of a split one */
SCENARIO(mremap_G09_duplicate_longer)
{
    shanon(w, 0, 2, RW);
    touch(w, 0, 2);
    move(w, 0, 0, 4, FIX, 10);
    lay(w);
    data(w, 10, 4);
    shanon(w, 20, 4, RW);
    touch(w, 20, 4);
    protect(w, 22, 2, RO);
    move(w, 20, 0, 4, FIX, 30);
    data(w, 30, 4);
    shanon(w, 40, 2, NONE);
    move(w, 40, 0, 2, FIX, 50);
    lay(w);
}

/* a locked source gives a locked, populated copy */
SCENARIO(mremap_G15_duplicate_locked)
{
    mapped(w, 0, 4, RW, SHARED | ANON | MW_MAP_LOCKED);
    move(w, 0, 0, 4, FIX, 10);
    flags_of(w, 10);
    present(w, 10, 4);
    lay(w);
    count(w);
    limit(w, MW_LIMIT_MEMLOCK, 10);
    drop_privileges(w);
    move(w, 0, 0, 3, FIX, 20);
    move(w, 0, 0, 2, FIX, 20);
    count(w);
}

/* it merges where the object goes on */
SCENARIO(mremap_G16_duplicate_merges)
{
    int f = file_of(w, FILE_MEM, 6, READ_WRITE);
    filemap(w, 8, 2, RW, SHARED, f, 0);
    filemap(w, 0, 3, RW, SHARED, f, 2);
    move(w, 0, 0, 3, FIX, 10);
    lay(w);
    filemap(w, 20, 2, RW, SHARED, f, 0);
    filemap(w, 30, 3, RW, SHARED, f, 2);
    move(w, 30, 0, 2, FIX, 22);
    lay(w);
    data(w, 20, 4);
}

SCENARIO(mremap_G18_duplicate_onto)
{
    shanon(w, 0, 4, RW);
    touch(w, 0, 4);
    anon(w, 10, 6, RO);
    move(w, 0, 0, 2, FIX, 12);
    lay(w);
    data(w, 10, 6);
}

/* onto itself: over other pages fine; over the old address EFAULT, and those pages gone */
SCENARIO(mremap_G27_duplicate_onto_itself)
{
    for (int old = 0; old < 4; old++)
        for (int to = 0; to < 5; to++)
            for (int n = 1; n < 4; n++) {
                shanon(w, 0, 4, RW);
                touch(w, 0, 4);
                move(w, old, 0, n, FIX, to);
                lay(w);
                data(w, 0, 4);
                unmap(w, 0, 10);
            }
    count(w);
}

SCENARIO(mremap_G24_duplicate_placed)
{
    int d = file_of(w, FILE_DISK, 4, READ_WRITE);
    shanon(w, 0, 2, RW);
    filemap(w, 10, 2, RW, SHARED, d, 1);
    move(w, 0, 0, 2, MAY, 50);
    do_mremap(w, at(0), 0, 2 * HUGE_PAGE, MAY, 0);
    do_mremap(w, at(10), 0, 2 * HUGE_PAGE, MAY, 0);
    do_mremap(w, at(0), 1, 2 * P, FIX, at(20));
    do_mremap(w, at(0), ~0ull, 2 * P, FIX, at(30));
    do_mremap(w, at(0), 0ull - P + 1, 2 * P, MAY, at(30));
    lay(w);
    count(w);
}

SCENARIO(mremap_C08_duplicate_limits)
{
    shanon(w, 0, 4, RW);
    limit(w, MW_LIMIT_AS, 3);
    limit(w, MW_LIMIT_DATA, 0);
    move(w, 0, 0, 4, FIX, 10);
    move(w, 0, 0, 4, MAY, 10);
    move(w, 0, 0, 3, FIX, 10);
    lay(w);
}

/* ---- DONTUNMAP: AAAA => aaaa......AAAA (MREMAP-28) ---- */

SCENARIO(mremap_H01_dontunmap)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    int64_t r = move(w, 0, 4, 4, DU, 0);
    lay(w);
    data_at(w, (uint64_t)r, 4);
    data(w, 0, 4);
    store(w, 1, 9);
    data(w, 0, 4);
    flags_of(w, 0);
    count(w);
}

SCENARIO(mremap_H03_dontunmap_kinds)
{
    int f = file_of(w, FILE_MEM, 8, READ_WRITE);
    shanon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 4, 4, DUF, 10);
    store(w, 10, 9);
    data(w, 0, 4);
    data(w, 10, 4);
    filemap(w, 20, 4, RW, PRIV, f, 0);
    touch(w, 20, 2);
    move(w, 20, 4, 4, DUF, 30);
    data(w, 20, 4);
    data(w, 30, 4);
    filemap(w, 40, 4, RW, SHARED, f, 2);
    store(w, 41, 77);
    move(w, 40, 4, 4, DUF, 50);
    data(w, 40, 4);
    data(w, 50, 4);
    data(w, 20, 4);
    lay(w);
    count(w);
}

/* onto mappings, part of a mapping, and back */
SCENARIO(mremap_H07_dontunmap_parts)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    anon(w, 10, 4, RO);
    move(w, 1, 3, 3, DUF, 11);
    lay(w);
    data(w, 0, 6);
    data(w, 10, 4);
    move(w, 11, 3, 3, FIX, 1);
    lay(w);
    data(w, 0, 6);
    for (int from = 0; from < 4; from++)
        for (int n = 1; from + n <= 4; n++) {
            anon(w, 20, 4, RW);
            touch(w, 20, 4);
            move(w, 20 + from, n, n, DUF, 30);
            lay(w);
            data(w, 20, 4);
            data(w, 30, 4);
            unmap(w, 20, 20);
        }
    count(w);
}

/* what stays is untouched again and merges with what comes new; what went is not (MREMAP-28) */
SCENARIO(mremap_H18_dontunmap_identity)
{
    for (int touched = 0; touched < 2; touched++) {
        anon(w, 0, 2, RW);
        if (touched)
            touch(w, 0, 2);
        move(w, 0, 2, 2, DUF, 10);
        anon(w, 2, 1, RW);
        anon(w, 12, 1, RW);
        lay(w);
        anon(w, 20, 4, RW);
        if (touched)
            touch(w, 20, 4);
        move(w, 20, 4, 4, DUF, 24);
        lay(w);
        unmap(w, 0, 40);
        anon(w, 0, 4, RW);
        if (touched)
            touch(w, 0, 4);
        move(w, 2, 2, 2, DUF, 10);
        anon(w, 4, 1, RW);
        anon(w, 12, 1, RW);
        lay(w);
        store(w, 0, 1);
        store(w, 3, 1);
        lay(w);
        unmap(w, 0, 40);
    }
}

/* the hint (MREMAP-29) */
SCENARIO(mremap_H15_dontunmap_hint)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    anon(w, 20, 4, RO);
    move(w, 0, 2, 2, DU, 10);
    move(w, 0, 2, 2, DU, 22);
    move(w, 0, 2, 2, DU, 2);
    do_mremap(w, at(0), 2 * P, 2 * P, DU, 0);
    do_mremap(w, at(0), 2 * P - 1, 2 * P, DU, at(30));
    do_mremap(w, at(0), 2 * P, 2 * P, DU, TASK_END - P);
    do_mremap(w, at(0), 2 * P, 2 * P, DU, KERNEL_HALF);
    do_mremap(w, at(0), 2 * P, 2 * P, DU, 0ull - P);
    lay(w);
    data(w, 0, 4);
    count(w);
}

/* counts in full as new address space */
SCENARIO(mremap_H25_dontunmap_limits)
{
    anon(w, 0, 4, RW);
    anon(w, 20, 4, RW);
    limit(w, MW_LIMIT_AS, 3);
    move(w, 0, 4, 4, DUF, 10);
    move(w, 0, 3, 3, DUF, 10);
    lay(w);
    move(w, 0, 4, 4, DUF, 20);
    lay(w);
    count(w);
}

SCENARIO(mremap_H25_dontunmap_limit_data)
{
    anon(w, 0, 4, RW);
    anon(w, 20, 4, RW);
    limit(w, MW_LIMIT_DATA, 3);
    move(w, 0, 4, 4, DUF, 10);
    move(w, 0, 4, 4, DUF, 20);
    lay(w);
    move(w, 0, 3, 3, DUF, 30);
    lay(w);
    count(w);
}

/* locked: the lock goes with the pages, off the whole old mapping (MREMAP-30),
 * and the old ones stay counted (MREMAP-31), on the kernels that have these defects */
SCENARIO(mremap_H08_dontunmap_locked)
{
    mapped(w, 0, 4, RW, LOCKED);
    move(w, 0, 4, 4, DUF, 10);
    flags_of(w, 0);
    flags_of(w, 10);
    count(w);
    unmap(w, 10, 4);
    unmap(w, 0, 4);
    count(w);
    mapped(w, 0, 6, RW, LOCKED);
    move(w, 2, 2, 2, DUF, 10);
    lay(w);
    flags_of(w, 0);
    flags_of(w, 2);
    flags_of(w, 10);
    count(w);
    limit(w, MW_LIMIT_MEMLOCK, 1);
    drop_privileges(w);
    move(w, 10, 2, 2, DUF, 20);
    lay(w);
    count(w);
}

SCENARIO(mremap_H34_dontunmap_growsdown)
{
    mapped(w, 1000, 2, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    touch(w, 1000, 2);
    move(w, 1000, 2, 2, DUF, 3000);
    flags_of(w, 1000);
    flags_of(w, 3000);
    store(w, 999, 1);
    store(w, 2999, 1);
    lay(w);
    data(w, 999, 3);
    data(w, 2999, 3);
    anon(w, 0, 2, RW);
    seal(w, 0, 1);
    move(w, 0, 1, 1, DUF, 10);
    move(w, 1, 1, 1, DUF, 10);
    lay(w);
}

SCENARIO(mremap_C17_map_count_dontunmap)
{
    anon(w, 0, 2, RW);
    shanon(w, 6, 2, RW);
    int64_t n = fill_map_count(w, 1000);
    for (int i = 0; i < 10; i++) {
        move(w, 0, 2, 2, DUF, 10);
        move(w, 0, 2, 2, DU, 20);
        move(w, 6, 0, 2, MAY, 0);
        w->quiet = true;
        unmap(w, 10, 20);
        unmap(w, 1000 + n - 1 - i, 1);
        w->quiet = false;
    }
    lay(w);
}

/* ---- several mappings: AArr => ..........AArr (MREMAP-32) ---- */

SCENARIO(mremap_K01_adjacent)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    touch(w, 0, 2);
    move(w, 0, 4, 4, FIX, 10);
    lay(w);
    data(w, 10, 4);
    data(w, 0, 4);
    anon(w, 20, 2, RW);
    anon(w, 22, 2, RO);
    anon(w, 24, 2, NONE);
    touch(w, 20, 2);
    do_mremap(w, at(20), 6 * P - 5, 6 * P, FIX, at(30));
    lay(w);
    data(w, 30, 6);
    count(w);
}

/* AA.AA: gaps stay gaps; what lies opposite one stays */
SCENARIO(mremap_K02_gaps)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RW);
    touch(w, 0, 2);
    touch(w, 3, 2);
    shanon(w, 10, 7, RW);
    touch(w, 10, 7);
    move(w, 0, 6, 6, FIX, 10);
    lay(w);
    data(w, 10, 7);
    anon(w, 20, 2, RW);
    move(w, 20, 4, 4, FIX, 30);
    move(w, 19, 4, 4, FIX, 40);
    lay(w);
    for (int i = 0; i < 5; i++)
        anon(w, 50 + 3 * i, 1, RW);
    touch(w, 50, 1);
    touch(w, 59, 1);
    move(w, 50, 13, 13, FIX, 70);
    lay(w);
    count(w);
}

/* the first and the last mapping in part */
SCENARIO(mremap_K06_parts)
{
    for (int from = 0; from < 4; from++)
        for (int to = 5; to <= 8; to++) {
            anon(w, 0, 4, RW);
            anon(w, 4, 4, RO);
            touch(w, 0, 4);
            move(w, from, to - from, to - from, FIX, 20);
            lay(w);
            data(w, 20, 8);
            unmap(w, 0, 40);
        }
}

/* without FIXED, or with other sizes: as for one mapping */
SCENARIO(mremap_K08_not_several)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    move(w, 0, 4, 4, MAY, 0);
    move(w, 0, 4, 4, 0, 0);
    move(w, 0, 4, 4, DU, 10);
    move(w, 0, 4, 5, FIX, 10);
    move(w, 0, 4, 3, FIX, 10);
    move(w, 0, 4, 4, FIX, 2);
    move(w, 0, 4, 2, FIX, 10);
    lay(w);
}

SCENARIO(mremap_K10_dontunmap)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RO);
    touch(w, 0, 2);
    move(w, 0, 6, 6, DUF, 10);
    lay(w);
    data(w, 0, 5);
    data(w, 10, 5);
    count(w);
}

/* right beside the source, and over mappings of all kinds */
SCENARIO(mremap_K19_beside)
{
    int f = file_of(w, FILE_MEM, 8, READ_WRITE);
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    touch(w, 0, 2);
    move(w, 0, 4, 4, FIX, 4);
    lay(w);
    data(w, 0, 8);
    move(w, 4, 4, 4, FIX, 0);
    lay(w);
    data(w, 0, 8);
    filemap(w, 20, 2, RW, SHARED, f, 1);
    filemap(w, 22, 2, RW, PRIV, f, 0);
    shanon(w, 24, 2, RW);
    mapped(w, 26, 2, RW, LOCKED);
    touch(w, 20, 8);
    move(w, 20, 8, 8, FIX, 40);
    lay(w);
    data(w, 40, 8);
    flags_of(w, 46);
    count(w);
}

/* pieces of one mapping, each with other rights: one again when the rights are equal */
SCENARIO(mremap_K37_pieces)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    protect(w, 2, 2, RO);
    protect(w, 4, 2, NONE);
    move(w, 0, 6, 6, FIX, 10);
    lay(w);
    protect(w, 10, 6, RW);
    lay(w);
    data(w, 10, 6);
    anon(w, 20, 4, RW);
    touch(w, 20, 4);
    protect(w, 22, 2, RO);
    anon(w, 34, 2, RW);
    touch(w, 34, 1);
    move(w, 20, 4, 4, FIX, 30);
    protect(w, 30, 4, RW);
    lay(w);
    move(w, 30, 6, 6, FIX, 20);
    lay(w);
}

/* a sealed one: those before it have moved (MREMAP-33) */
SCENARIO(mremap_K30_sealed)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    anon(w, 4, 2, RW);
    touch(w, 0, 2);
    seal(w, 2, 2);
    shanon(w, 12, 2, RW);
    move(w, 0, 6, 6, FIX, 10);
    lay(w);
    data(w, 10, 2);
    move(w, 2, 4, 4, FIX, 20);
    lay(w);
}

SCENARIO(mremap_K33_limits)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    mapped(w, 4, 2, RW, LOCKED);
    w->ops->limit(w, MW_LIMIT_AS, P);
    limit(w, MW_LIMIT_MEMLOCK, 1);
    drop_privileges(w);
    move(w, 0, 6, 6, FIX, 10);
    lay(w);
    move(w, 10, 6, 6, DUF, 20);
    lay(w);
    do_mremap(w, at(10), 6 * P, 6 * P, FIX, 0);
    lay(w);
    count(w);
}

SCENARIO(mremap_C28_map_count_several)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    int64_t n = fill_map_count(w, 1000);
    for (int i = 0; i < 10; i++) {
        if (move(w, 0, 4, 4, FIX, 10) > 0)
            break;
        w->quiet = true;
        unmap(w, 1000 + n - 1 - i, 1);
        w->quiet = false;
    }
    lay(w);
}
