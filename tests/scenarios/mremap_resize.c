/* SPDX-License-Identifier: MIT */
/* mremap_resize.c - scenarios of shrinking and growing (E of the recorded facts). */
#include "scenario.h"

#define P PAGE
#define READ_WRITE (MW_FILE_READ | MW_FILE_WRITE)

/* AAAA => AA.. (MREMAP-21) */
SCENARIO(mremap_E01_shrink_tail)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 4, 2, 0, 0);
    lay(w);
    data(w, 0, 4);
    count(w);
}

/* AAAAAA => AA..AA : a shrink from the middle punches a hole */
SCENARIO(mremap_E02_shrink_middle)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    move(w, 1, 3, 1, 0, 0);
    lay(w);
    data(w, 0, 6);
}

/* AAAA => ..........AA */
SCENARIO(mremap_E03_shrink_fixed)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 4, 2, FIX, 10);
    lay(w);
    data(w, 10, 3);
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    move(w, 1, 3, 1, FIX, 20);
    lay(w);
    data(w, 20, 2);
    count(w);
}

SCENARIO(mremap_E05_shrink_into_own_tail)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    move(w, 0, 2, 1, FIX, 3);
    lay(w);
    data(w, 0, 6);
}

/* MREMAP-20 */
SCENARIO(mremap_E06_same_size)
{
    anon(w, 0, 4, RW);
    move(w, 0, 4, 4, 0, 0);
    move(w, 0, 4, 4, MAY, 0);
    move(w, 1, 2, 2, 0, 0);
    move(w, 1, 2, 2, MAY, 9);
    do_mremap(w, at(0), 4 * P, 3 * P + 1, 0, 0);
    lay(w);
}

/* AA.. => AAaa : new pages read zero, MAYMOVE stays where it fits (MREMAP-15) */
SCENARIO(mremap_E08_grow)
{
    anon(w, 0, 2, RW);
    touch(w, 0, 2);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
    data(w, 0, 5);
    move(w, 0, 4, 40, MAY, 0);
    lay(w);
    move(w, 38, 2, 4, 0, 0);
    lay(w);
    count(w);
}

/* AAAA, inner part: moved out, leaves a hole */
SCENARIO(mremap_E11_grow_inner)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    int64_t r = move(w, 0, 2, 3, MAY, 0);
    lay(w);
    data_at(w, (uint64_t)r, 3);
    anon(w, 10, 6, RW);
    touch(w, 10, 6);
    r = move(w, 12, 2, 3, MAY, 0);
    lay(w);
    data_at(w, (uint64_t)r, 3);
    count(w);
}

/* aa..aa => aaaaaa : growth that closes a gap merges by the rules of identity
 * (MREMAP-25, MERGE-3) */
SCENARIO(mremap_E13_grow_meets_next)
{
    for (int how = 0; how < 16; how++) {
        if (how & 4) { /* one origin */
            anon(w, 0, 6, RW);
            touch(w, 1, 1);
            unmap(w, 2, 2);
        } else {
            anon(w, 0, 2, RW);
            anon(w, 4, 2, RW);
        }
        if (how & 1)
            touch(w, 0, 2);
        if (how & 2)
            touch(w, 4, 2);
        if (how & 8)
            protect(w, 4, 2, RO);
        move(w, 0, 2, 4, 0, 0);
        lay(w);
        data(w, 0, 6);
        unmap(w, 0, 6);
    }
    count(w);
}

SCENARIO(mremap_E19_grow_file_meets)
{
    int f = file_of(w, FILE_MEM, 9, READ_WRITE);
    for (int how = 0; how < 12; how++) {
        uint32_t type = how & 1 ? PRIV : SHARED;
        filemap(w, 0, 2, RW, type, f, 0);
        filemap(w, 4, 2, RW, type, f, how & 2 ? 5 : 4);
        if (how >= 4)
            touch(w, 0, 1);
        if (how >= 8)
            touch(w, 4, 1);
        move(w, 0, 2, 4, 0, 0);
        lay(w);
        data(w, 0, 6);
        unmap(w, 0, 6);
    }
    count(w);
}

/* aa......g : growth keeps a stack's guard gap free (PLACE-5) */
SCENARIO(mremap_E22_guard_gap)
{
    anon(w, 0, 2, RW);
    mapped(w, 300, 2, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    move(w, 0, 2, 44, 0, 0);
    move(w, 0, 2, 45, 0, 0);
    move(w, 0, 2, 299, 0, 0);
    lay(w);
    move(w, 0, 44, 45, MAY, 0);
    lay(w);
    move(w, 300, 2, 5, 0, 0);
    flags_of(w, 300);
    count(w);
}

/* a shared anonymous object does not grow with its mapping */
SCENARIO(mremap_E23_grow_shared)
{
    shanon(w, 0, 2, RW);
    touch(w, 0, 2);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
    data(w, 0, 5);
    store(w, 3, 1);
    count(w);
}

/* blocked: moved to where mmap(NULL) would put it, whatever the fifth argument says */
SCENARIO(mremap_E24_blocked_moves)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 1, RO);
    touch(w, 0, 2);
    int64_t r = move(w, 0, 2, 4, MAY, 50);
    lay(w);
    data_at(w, (uint64_t)r, 4);
    data(w, 0, 2);
    do_mmap(w, 0, 2 * P, RW, PRIV | ANON, NO_FILE, 0);
    lay(w);
    anon(w, 0, 2, RW);
    do_mremap(w, at(0), 2 * P, 4 * HUGE_PAGE, MAY, 0);
    lay(w);
    anon(w, 0, 2, RW);
    do_mremap(w, at(0), 2 * P, 4 * HUGE_PAGE + P, MAY, 0);
    lay(w);
    count(w);
}

SCENARIO(mremap_E27_shrink_then_grow)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 4, 2, 0, 0);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
    data(w, 0, 4);
}

/* a file's growth shows what follows in the file, SIGBUS past its end */
SCENARIO(mremap_E28_grow_file)
{
    int f = file_of(w, FILE_MEM, 4, READ_WRITE);
    int d = file_of_bytes(w, FILE_DISK, 3 * P + 10, READ_WRITE);
    filemap(w, 0, 2, RW, PRIV, f, 1);
    move(w, 0, 2, 5, 0, 0);
    lay(w);
    data(w, 0, 6);
    store(w, 3, 1);
    filemap(w, 10, 1, RW, SHARED, d, 1);
    move(w, 10, 1, 5, 0, 0);
    data(w, 10, 6);
    anon(w, 22, 1, RO);
    filemap(w, 20, 2, RW, SHARED, f, 0);
    int64_t r = move(w, 20, 2, 6, MAY, 0);
    lay(w);
    data_at(w, (uint64_t)r, 6);
    count(w);
}

/* from the middle to beyond the end, meeting the next */
SCENARIO(mremap_E29_middle_meets)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RW);
    move(w, 1, 1, 2, 0, 0);
    lay(w);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
}

/* a large blocked growth of a file: placed by the file's rules */
SCENARIO(mremap_E32_grow_file_placed)
{
    int f = file_of(w, FILE_MEM, 4, READ_WRITE);
    int d = file_of(w, FILE_DISK, 4, READ_WRITE);
    filemap(w, 0, 2, RW, SHARED, f, 1);
    anon(w, 2, 1, RO);
    do_mremap(w, at(0), 2 * P, 2 * HUGE_PAGE, MAY, 0);
    lay(w);
    filemap(w, 0, 2, RW, SHARED, d, 1);
    do_mremap(w, at(0), 2 * P, 2 * HUGE_PAGE, MAY, 0);
    lay(w);
    filemap(w, 0, 2, RW, PRIV, d, 2);
    do_mremap(w, at(0), 2 * P, 3 * HUGE_PAGE, MAY, 0);
    lay(w);
}

/* growth keeps protections and all */
SCENARIO(mremap_grow_keeps_flags)
{
    anon(w, 0, 2, RX);
    mapped(w, 10, 2, RW, PRIV | ANON | MW_MAP_NORESERVE);
    mapped(w, 20, 2, RW, PRIV | ANON | MW_MAP_STACK);
    anon(w, 30, 2, RW);
    advise(w, 30, 2, MW_MADV_DONTDUMP);
    for (int i = 0; i < 40; i += 10) {
        move(w, i, 2, 4, 0, 0);
        flags_of(w, i + 3);
        move(w, i, 4, 5, FIX, i + 100);
        flags_of(w, i + 104);
    }
    lay(w);
    count(w);
}

/* the lower side: growth never merges downwards, the mapping below stays */
SCENARIO(mremap_grow_between)
{
    anon(w, 0, 2, RO);
    anon(w, 2, 2, RW);
    anon(w, 6, 2, RO);
    move(w, 2, 2, 4, 0, 0);
    lay(w);
    protect(w, 2, 4, RO);
    lay(w);
    move(w, 0, 8, 20, 0, 0);
    lay(w);
}
