/* SPDX-License-Identifier: MIT */
/* mremap_move.c - scenarios of moving (F of the recorded facts). */
#include "scenario.h"

#define READ_WRITE (MW_FILE_READ | MW_FILE_WRITE)

/* AAAA => ..........AAAA */
SCENARIO(mremap_F01_move)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 4, 4, FIX, 10);
    lay(w);
    data(w, 10, 4);
    data(w, 0, 2);
    store(w, 0, 1);
    count(w);
}

/* A moved mapping beside a fresh neighbour, below or above, made before or after.
 * Untouched memory takes its identity from its new place; touched memory keeps it.
 * (MREMAP-23, MERGE-2, MERGE-3) */
SCENARIO(mremap_F02_move_and_neighbours)
{
    for (int how = 0; how < 64; how++) {
        bool touched = how & 1, below = how & 2, above = how & 4, later = how & 8;
        bool below_touched = how & 16, above_touched = how & 32;
        if ((!below && below_touched) || (!above && above_touched) || (!below && !above))
            continue;
        say(w, "-- self%s below %d%d above %d%d %s", touched ? " touched" : "", below,
            below_touched, above, above_touched, later ? "later" : "before");
        for (int step = 0; step < 2; step++) {
            if (step == (later ? 0 : 1)) {
                anon(w, 0, 2, RW);
                if (touched)
                    touch(w, 0, 2);
                move(w, 0, 2, 2, FIX, 10);
            } else {
                if (below)
                    anon(w, 8, 2, RW);
                if (below_touched)
                    touch(w, 8, 2);
                if (above)
                    anon(w, 12, 2, RW);
                if (above_touched)
                    touch(w, 12, 2);
            }
        }
        lay(w);
        data(w, 8, 6);
        unmap(w, 0, 20);
    }
    count(w);
}

/* AAAA => AA......AA => AAAA : a part moved away and back merges again */
SCENARIO(mremap_F11_away_and_back)
{
    for (int touched = 0; touched < 2; touched++) {
        anon(w, 0, 4, RW);
        if (touched)
            touch(w, 0, 4);
        move(w, 2, 2, 2, FIX, 10);
        lay(w);
        move(w, 10, 2, 2, FIX, 2);
        lay(w);
        data(w, 0, 4);
        unmap(w, 0, 20);
    }
}

/* pieces side by side again elsewhere merge in their order, not when swapped (MERGE-2) */
SCENARIO(mremap_F13_pieces_elsewhere)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 2, 2, FIX, 10);
    move(w, 2, 2, 2, FIX, 12);
    lay(w);
    data(w, 10, 4);
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 2, 2, FIX, 22);
    move(w, 2, 2, 2, FIX, 20);
    lay(w);
    data(w, 20, 4);
}

/* AAAAAA: head, middle and tail */
SCENARIO(mremap_F15_parts)
{
    for (int from = 0; from < 6; from++)
        for (int n = 1; from + n <= 6; n++) {
            anon(w, 0, 6, RW);
            touch(w, 0, 6);
            move(w, from, n, n, FIX, 10);
            lay(w);
            data(w, 0, 6);
            data(w, 10, n);
            unmap(w, 0, 20);
        }
    count(w);
}

/* onto a whole mapping, its middle, several */
SCENARIO(mremap_F18_onto_mappings)
{
    anon(w, 0, 2, RW);
    touch(w, 0, 2);
    anon(w, 10, 2, RO);
    move(w, 0, 2, 2, FIX, 10);
    lay(w);
    data(w, 10, 2);
    anon(w, 0, 2, RW);
    touch(w, 0, 2);
    anon(w, 20, 6, RO);
    move(w, 0, 2, 2, FIX, 22);
    lay(w);
    data(w, 20, 6);
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    anon(w, 30, 3, RO);
    anon(w, 33, 3, RW);
    shanon(w, 37, 3, RO);
    move(w, 0, 6, 6, FIX, 32);
    lay(w);
    data(w, 30, 10);
    count(w);
}

/* AAAAAA: onto another part of itself */
SCENARIO(mremap_F21_onto_own_rest)
{
    static const struct { int from, n, to; } moves[] = {
        { 0, 2, 4 }, { 0, 2, 2 }, { 2, 2, 0 }, { 4, 2, 0 }, { 0, 2, 3 }, { 5, 1, 0 }, { 1, 2, 3 },
    };
    for (int touched = 0; touched < 2; touched++)
        for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
            anon(w, 0, 6, RW);
            if (touched)
                touch(w, 0, 6);
            move(w, moves[i].from, moves[i].n, moves[i].n, FIX, moves[i].to);
            lay(w);
            data(w, 0, 6);
            unmap(w, 0, 6);
        }
    anon(w, 0, 9, RW);
    move(w, 0, 2, 2, FIX, 4);
    lay(w);
    count(w);
}

SCENARIO(mremap_F26_move_and_grow)
{
    anon(w, 0, 2, RW);
    touch(w, 0, 2);
    move(w, 0, 2, 4, FIX, 10);
    lay(w);
    data(w, 10, 5);
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 1, 1, 3, FIX, 20);
    lay(w);
    data(w, 20, 4);
    anon(w, 38, 8, RW);
    anon(w, 0, 2, RW);
    move(w, 0, 2, 4, FIX, 40);
    lay(w);
    count(w);
}

/* files keep their offset */
SCENARIO(mremap_F28_files)
{
    int f = file_of(w, FILE_MEM, 6, READ_WRITE);
    filemap(w, 0, 3, RW, SHARED, f, 1);
    store(w, 0, 7);
    move(w, 0, 3, 3, FIX, 10);
    lay(w);
    data(w, 10, 3);
    filemap(w, 0, 6, RW, SHARED, f, 0);
    move(w, 2, 2, 2, FIX, 20);
    lay(w);
    data(w, 20, 2);
    move(w, 20, 2, 2, FIX, 2);
    lay(w);
    data(w, 0, 6);
    filemap(w, 30, 3, RW, PRIV, f, 1);
    store(w, 31, 9);
    move(w, 30, 3, 3, FIX, 40);
    lay(w);
    data(w, 40, 3);
    filemap(w, 50, 3, RW, SHARED, f, 1);
    move(w, 50, 3, 7, FIX, 60);
    lay(w);
    data(w, 60, 8);
    count(w);
}

/* beside a piece of the same file: merges iff the offsets go on */
SCENARIO(mremap_F33_file_neighbours)
{
    int f = file_of(w, FILE_MEM, 12, READ_WRITE);
    for (int how = 0; how < 16; how++) {
        uint32_t type = how & 1 ? PRIV : SHARED;
        filemap(w, 0, 2, RW, type, f, how & 2 ? 2 : 3);
        if (how & 4)
            touch(w, 0, 1);
        filemap(w, 8, 2, RW, type, f, 0);
        filemap(w, 12, 2, RW, type, f, 4);
        if (how & 8)
            touch(w, 12, 1);
        move(w, 0, 2, 2, FIX, 10);
        lay(w);
        data(w, 8, 6);
        unmap(w, 0, 20);
    }
}

SCENARIO(mremap_F35_shared_anonymous)
{
    shanon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 1, 1, 4, FIX, 10);
    lay(w);
    data(w, 10, 5);
    move(w, 0, 1, 1, FIX, 20);
    move(w, 2, 2, 2, FIX, 21);
    lay(w);
    data(w, 20, 3);
    count(w);
}

/* pages that were not there are not there afterwards */
SCENARIO(mremap_F37_unbacked)
{
    anon(w, 0, 6, RW);
    touch(w, 1, 1);
    touch(w, 4, 1);
    move(w, 0, 6, 6, FIX, 10);
    present(w, 10, 6);
    present(w, 0, 6);
    data(w, 10, 6);
}

/* a part with other rights, moved, and its rights given back */
SCENARIO(mremap_F40_protected_part)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    protect(w, 2, 2, RO);
    move(w, 2, 2, 2, FIX, 10);
    lay(w);
    store(w, 10, 1);
    protect(w, 10, 2, RW);
    lay(w);
    store(w, 10, 1);
    move(w, 10, 2, 2, FIX, 2);
    lay(w);
    data(w, 0, 6);
}

/* one written page marks the whole mapping, and any piece of it (ANON-1) */
SCENARIO(mremap_F41_untouched_piece)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 1);
    move(w, 4, 2, 2, FIX, 10);
    anon(w, 12, 1, RW);
    lay(w);
    anon(w, 20, 6, RW);
    data(w, 20, 6);
    move(w, 20, 6, 6, FIX, 30);
    anon(w, 36, 1, RW);
    lay(w);
}

SCENARIO(mremap_F44_move_grow_beside)
{
    for (int how = 0; how < 4; how++) {
        anon(w, 8, 2, RW);
        anon(w, 14, 2, RW);
        anon(w, 0, 2, RW);
        if (how & 1)
            touch(w, 0, 1);
        if (how & 2)
            touch(w, 14, 1);
        move(w, 0, 2, 4, FIX, 10);
        lay(w);
        unmap(w, 0, 20);
    }
    anon(w, 0, 2, RW);
    touch(w, 0, 2);
    move(w, 0, 2, 2, FIX, 10);
    anon(w, 14, 2, RW);
    move(w, 10, 2, 4, 0, 0);
    lay(w);
}

/* huge steps: page tables move as a whole or entry by entry */
SCENARIO(mremap_F46_large)
{
    const int64_t h = 512;
    anon(w, 0, 4 * h, RW);
    touch(w, 0, 1);
    touch(w, h - 1, 2);
    touch(w, 3 * h, 1);
    move(w, 0, 4 * h, 4 * h, FIX, 10 * h);
    lay(w);
    data(w, 10 * h, 1);
    data(w, 11 * h - 1, 2);
    data(w, 13 * h, 1);
    move(w, 10 * h, 4 * h, 4 * h, FIX, 20 * h + 3);
    data(w, 20 * h + 3, 1);
    data(w, 21 * h + 2, 2);
    data(w, 23 * h + 3, 1);
    move(w, 20 * h + 3 + h, 2 * h, 2 * h, FIX, 40 * h);
    lay(w);
    data(w, 40 * h, 2);
    data(w, 20 * h + 3, 1);
    present(w, 40 * h, 3);
    count(w);
}

/* a gigabyte and more, with pages here and there */
SCENARIO(mremap_F46_gigabytes)
{
    const int64_t g = 262144;
    anon(w, g, 3 * g, RW);
    for (int64_t i = 0; i < 3 * g; i += g / 2 + 77)
        touch(w, g + i, 1);
    touch(w, 4 * g - 1, 1);
    move(w, g, 3 * g, 3 * g, FIX, 10 * g);
    for (int64_t i = 0; i < 3 * g; i += g / 2 + 77)
        data(w, 10 * g + i, 1);
    data(w, 13 * g - 1, 1);
    move(w, 10 * g + 5, 2 * g, 2 * g, FIX, 30 * g);
    lay(w);
    for (int64_t i = 0; i < 3 * g; i += g / 2 + 77)
        data(w, i >= 5 && i < 2 * g + 5 ? 30 * g + i - 5 : 10 * g + i, 1);
    count(w);
}

/* a stack keeps growing at its new place */
SCENARIO(mremap_L01_growsdown)
{
    mapped(w, 1000, 2, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    move(w, 1000, 2, 2, FIX, 2000);
    flags_of(w, 2000);
    store(w, 1999, 1);
    lay(w);
    anon(w, 0, 2, RW);
    move(w, 0, 2, 2, FIX, 1997);
    lay(w);
    store(w, 1996, 1);
    move(w, 2000, 1, 1, FIX, 3000);
    store(w, 2999, 1);
    lay(w);
    move(w, 2990, 2, 2, 0, 0);
    count(w);
}

/* rights that x86 can't tell apart; what moved keeps them */
SCENARIO(mremap_L48_odd_protections)
{
    anon(w, 0, 2, WO);
    touch(w, 0, 2);
    move(w, 0, 2, 2, FIX, 10);
    data(w, 10, 2);
    anon(w, 0, 2, RX);
    move(w, 0, 2, 2, FIX, 12);
    data(w, 12, 2);
    store(w, 12, 1);
    anon(w, 0, 2, NONE);
    move(w, 0, 2, 4, FIX, 14);
    data(w, 14, 4);
    protect(w, 14, 4, RW);
    store(w, 17, 1);
    lay(w);
}

/* fixed flags travel (MREMAP-23) */
SCENARIO(mremap_L20_flags_travel)
{
    static const uint64_t advice[] = { MW_MADV_DONTFORK, MW_MADV_WIPEONFORK, MW_MADV_DONTDUMP,
                                       MW_MADV_SEQUENTIAL, MW_MADV_RANDOM };
    for (int i = 0; i < 5; i++) {
        anon(w, 0, 4, RW);
        advise(w, 0, 4, advice[i]);
        move(w, 0, 4, 4, FIX, 10 + 6 * i);
        flags_of(w, 10 + 6 * i);
        anon(w, 14 + 6 * i, 1, RW);
    }
    lay(w);
}

/* The errnos of what one mapping does not cover: these must be right even
 * where the call itself is not modelled.                                   */
SCENARIO(mremap_G02_duplicate_errors)
{
    shanon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 1, 0, 2, FIX, 0);
    move(w, 0, 0, 2, DU, 0);
    move(w, 0, 0, 2, DUF, 10);
    move(w, 20, 0, 2, MAY, 0);
    move(w, 20, 0, 2, FIX, 10);
    lay(w);
}

SCENARIO(mremap_G03_duplicate_in_place)
{
    shanon(w, 0, 4, RW);
    move(w, 0, 0, 4, 0, 0);
    move(w, 1, 0, 2, 0, 0);
    lay(w);
}

SCENARIO(mremap_G_duplicate)
{
    shanon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 0, 4, FIX, 10);
    lay(w);
    data(w, 10, 4);
}

SCENARIO(mremap_H_dontunmap_errors)
{
    anon(w, 0, 4, RW);
    move(w, 0, 6, 6, DU, 0);
    move(w, 20, 2, 2, DU, 0);
    move(w, 20, 2, 2, DUF, 10);
    lay(w);
}

SCENARIO(mremap_H_dontunmap_limit)
{
    anon(w, 0, 4, RW);
    limit(w, MW_LIMIT_AS, 1);
    move(w, 0, 4, 4, DUF, 10);
    lay(w);
}

SCENARIO(mremap_H_dontunmap)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    move(w, 0, 4, 4, DUF, 10);
    lay(w);
    data(w, 10, 4);
    data(w, 0, 4);
}

SCENARIO(mremap_K_several_errors)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    move(w, 0, 4, 5, MAY, 0);
    move(w, 0, 4, 4, DU, 0);
    move(w, 0, 4, 3, FIX, 10);
    move(w, 0, 4, 4, FIX, 3);
    lay(w);
}

SCENARIO(mremap_K_several)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    touch(w, 0, 2);
    move(w, 0, 4, 4, FIX, 10);
    lay(w);
    data(w, 10, 4);
}

SCENARIO(mremap_B20_past_end_same_fixed)
{
    anon(w, 0, 2, RW);
    touch(w, 0, 2);
    move(w, 0, 3, 3, FIX, 10);
    lay(w);
    data(w, 10, 3);
}

/* untouched memory that a move of several mappings brings back below touched memory takes on its identity (MREMAP-33, MERGE-2) */
SCENARIO(several_join_touched)
{
    anon(w, 11, 1, RW);
    touch(w, 11, 1);
    move(w, 11, 1, 1, FIX, 31);
    anon(w, 30, 1, RW);
    anon(w, 32, 1, RO);
    lay(w);
    move(w, 30, 3, 3, FIX, 10);
    lay(w);
    anon(w, 42, 2, RW);
    move(w, 10, 2, 2, FIX, 40);
    lay(w);
}
