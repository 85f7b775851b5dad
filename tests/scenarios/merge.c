/* SPDX-License-Identifier: MIT */
/*
 * merge.c - when two neighbours are one mapping: every kind of neighbour below
 * and above, against every way in which a mapping gets between them.
 */
#include "scenario.h"

/* A neighbour of the middle one, which is private, anonymous and read-write. */
enum neighbour {
    FREE,
    UNTOUCHED,
    TOUCHED,
    ORIGIN,       /* split off the same touched mapping as the other neighbours of this kind */
    READ_ONLY,
    READ_TOUCHED, /* read-only now, written before */
    FORBIDDEN,
    EXECUTABLE,
    NO_RESERVE,
    SHARED_ANON,
    PRIVATE_FILE,
    LOCKED,
    GROWING,
    NO_FORK,
    NO_DUMP,
    SEALED,
    KINDS
};

static const char *const kind_names[KINDS] = {
    "free", "untouched", "touched", "origin", "read-only", "read-touched", "forbidden",
    "executable", "noreserve", "shared", "file", "locked", "growing", "dontfork", "dontdump",
    "sealed",
};

static void put_neighbour(struct world *w, enum neighbour kind, int64_t page, int file)
{
    static const uint32_t extra[KINDS] = {
        [NO_RESERVE] = MW_MAP_NORESERVE, [LOCKED] = MW_MAP_LOCKED, [GROWING] = MW_MAP_GROWSDOWN,
    };
    switch (kind) {
    case FREE:
    case ORIGIN:
        return;
    case SHARED_ANON:
        shanon(w, page, 2, RW);
        return;
    case PRIVATE_FILE:
        filemap(w, page, 2, RW, PRIV, file, 4);
        return;
    default:
        mapped(w, page, 2, RW, PRIV | ANON | extra[kind]);
    }
    if (kind == TOUCHED || kind == READ_TOUCHED)
        touch(w, page, 1);
    if (kind == READ_ONLY || kind == READ_TOUCHED)
        protect(w, page, 2, RO);
    if (kind == FORBIDDEN)
        protect(w, page, 2, NONE);
    if (kind == EXECUTABLE)
        protect(w, page, 2, RX);
    if (kind == NO_FORK)
        advise(w, page, 2, MW_MADV_DONTFORK);
    if (kind == NO_DUMP)
        advise(w, page, 2, MW_MADV_DONTDUMP);
}

/* Neighbours at [8,10) and [12,14), room at [10,12). */
static void put_both(struct world *w, enum neighbour below, enum neighbour above, int file)
{
    say(w, "-- %s, %s", kind_names[below], kind_names[above]);
    if (below == ORIGIN || above == ORIGIN) {
        anon(w, 8, 6, RW);
        touch(w, 8, 1);
        unmap(w, 10, 2);
        if (below != ORIGIN)
            unmap(w, 8, 2);
        if (above != ORIGIN)
            unmap(w, 12, 2);
    }
    put_neighbour(w, below, 8, file);
    put_neighbour(w, above, 12, file);
    if (below == SEALED)
        seal(w, 8, 2);
    if (above == SEALED)
        seal(w, 12, 2);
}

static bool clear(struct world *w, enum neighbour below, enum neighbour above)
{
    if (below == SEALED || above == SEALED)
        return false; /* sealed ones stay: the scenario ends here */
    w->quiet = true;
    unmap(w, 0, 40);
    w->quiet = false;
    return true;
}

enum way { BY_MMAP, BY_MPROTECT, BY_MOVE, BY_GROWTH, BY_MOVE_TOUCHED, BY_MPROTECT_TOUCHED };

static void fill_room(struct world *w, enum way way, bool below_free)
{
    switch (way) {
    case BY_MMAP:
        anon(w, 10, 2, RW);
        break;
    case BY_MPROTECT:
        anon(w, 10, 2, RO);
        protect(w, 10, 2, RW);
        break;
    case BY_MPROTECT_TOUCHED:
        anon(w, 10, 2, RW);
        protect(w, 10, 2, WO); /* apart from both neighbours */
        touch(w, 10, 2);
        protect(w, 10, 2, RW);
        break;
    case BY_MOVE:
        anon(w, 0, 2, RW);
        move(w, 0, 2, 2, FIX, 10);
        break;
    case BY_MOVE_TOUCHED:
        anon(w, 0, 2, RW);
        touch(w, 0, 2);
        move(w, 0, 2, 2, FIX, 10);
        break;
    case BY_GROWTH:
        if (!below_free)
            move(w, 8, 2, 4, 0, 0);
        break;
    }
}

static void all_neighbours(struct world *w, enum way way)
{
    int f = file_of(w, FILE_MEM, 16, MW_FILE_READ | MW_FILE_WRITE);
    for (int below = 0; below < SEALED; below++)
        for (int above = 0; above < SEALED; above++) {
            put_both(w, (enum neighbour)below, (enum neighbour)above, f);
            fill_room(w, way, below == FREE);
            lay(w);
            clear(w, (enum neighbour)below, (enum neighbour)above);
        }
    count(w);
}

/* nn..nn => nnaann, by mmap (MERGE-1, MERGE-3, MERGE-4) */
SCENARIO(merge_by_mmap)
{
    all_neighbours(w, BY_MMAP);
}

/* nnrrnn => nnaann */
SCENARIO(merge_by_mprotect)
{
    all_neighbours(w, BY_MPROTECT);
}

SCENARIO(merge_by_mprotect_touched)
{
    all_neighbours(w, BY_MPROTECT_TOUCHED);
}

/* aa......nn..nn => nnaann */
SCENARIO(merge_by_move)
{
    all_neighbours(w, BY_MOVE);
}

SCENARIO(merge_by_move_touched)
{
    all_neighbours(w, BY_MOVE_TOUCHED);
}

/* nn..nn => nnnnnn : the lower neighbour grows */
SCENARIO(merge_by_growth)
{
    all_neighbours(w, BY_GROWTH);
}

/* sealed memory merges with nothing that is not sealed */
SCENARIO(merge_beside_sealed)
{
    put_both(w, SEALED, UNTOUCHED, 0);
    fill_room(w, BY_MMAP, false);
    lay(w);
    seal(w, 10, 4);
    lay(w);
}

/* Three of one origin, the middle one's protection changed and given back:
 * AAAAAA with every pair of rights outside                                 */
SCENARIO(merge_three_rights)
{
    static const uint32_t rights[] = { RW, RO, NONE, RX };
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++) {
                anon(w, 0, 6, RW);
                touch(w, 3, 1);
                protect(w, 0, 2, rights[i]);
                protect(w, 2, 2, rights[j]);
                protect(w, 4, 2, rights[k]);
                lay(w);
                protect(w, 2, 2, rights[i]);
                lay(w);
                protect(w, 1, 4, rights[k]);
                lay(w);
                unmap(w, 0, 6);
            }
    count(w);
}

/* The next touched neighbour of other protection lends its identity: touching
 * A next to a touched B, then equal rights, makes them one. (ANON-2) */
SCENARIO(merge_identity_shared)
{
    for (int order = 0; order < 2; order++)
        for (int b_prot = 0; b_prot < 3; b_prot++) {
            static const uint32_t prots[] = { RO, NONE, RX };
            anon(w, 0, 2, RW);
            anon(w, 2, 2, RW | MW_PROT_EXEC);
            if (order)
                touch(w, 0, 2);
            touch(w, 2, 2);
            if (!order)
                touch(w, 0, 2);
            protect(w, 2, 2, prots[b_prot]);
            lay(w);
            protect(w, 2, 2, RW);
            lay(w);
            data(w, 0, 4);
            unmap(w, 0, 4);
        }
    count(w);
}

/* Does the identity pass on to a neighbour of other flags, other file, or past a gap? (ANON-2) */
SCENARIO(merge_identity_conditions)
{
    for (int how = 0; how < 6; how++) {
        anon(w, 0, 2, RW);
        if (how == 0)
            anon(w, 2, 2, RWX);
        if (how == 1)
            mapped(w, 2, 2, RW, PRIV | ANON | MW_MAP_NORESERVE);
        if (how == 2)
            mapped(w, 2, 2, RW, PRIV | ANON | MW_MAP_STACK);
        if (how == 3)
            anon(w, 3, 1, RWX);
        if (how == 4) {
            anon(w, 2, 2, RW);
            advise(w, 2, 2, MW_MADV_DONTDUMP);
        }
        if (how == 5) {
            anon(w, 12, 2, RW);
            touch(w, 12, 2);
            move(w, 12, 2, 2, FIX, 2);
        }
        touch(w, how == 3 ? 3 : 2, 1);
        touch(w, 0, 1);
        if (how == 3)
            anon(w, 2, 1, RWX);
        protect(w, 0, 4, RO);
        protect(w, 0, 4, RW);
        lay(w);
        flags_of(w, 0);
        flags_of(w, 3);
        unmap(w, 0, 4);
    }
}

/* the identity passed on both ways, three in a row, and private files */
SCENARIO(merge_identity_three)
{
    int f = file_of(w, FILE_MEM, 8, MW_FILE_READ | MW_FILE_WRITE);
    for (int first = 0; first < 3; first++) {
        anon(w, 0, 2, RW);
        anon(w, 2, 2, RWX);
        anon(w, 4, 2, RW);
        touch(w, first * 2, 1);
        touch(w, (first + 1) % 3 * 2, 1);
        touch(w, (first + 2) % 3 * 2, 1);
        protect(w, 2, 2, RW);
        lay(w);
        unmap(w, 0, 6);
        filemap(w, 0, 2, RW, PRIV, f, 0);
        filemap(w, 2, 2, RWX, PRIV, f, 2);
        filemap(w, 4, 2, RW, PRIV, f, 4);
        touch(w, first * 2, 1);
        touch(w, (first + 1) % 3 * 2, 1);
        touch(w, (first + 2) % 3 * 2, 1);
        protect(w, 2, 2, RW);
        lay(w);
        data(w, 0, 6);
        unmap(w, 0, 6);
    }
}

/* a mapping split in three, all unmapped but one, grown again around it */
SCENARIO(merge_identity_survives)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    unmap(w, 0, 2);
    unmap(w, 4, 2);
    anon(w, 0, 2, RW);
    anon(w, 4, 2, RW);
    lay(w);
    anon(w, 10, 6, RW);
    touch(w, 10, 6);
    anon(w, 12, 2, RW);
    lay(w);
    touch(w, 13, 1);
    protect(w, 10, 6, RO);
    lay(w);
}

/* untouched between two touched of different origins goes with the lower one (MERGE-4) */
SCENARIO(merge_between_touched)
{
    anon(w, 0, 2, RW);
    anon(w, 4, 2, RW);
    touch(w, 0, 1);
    touch(w, 4, 1);
    anon(w, 2, 2, RW);
    lay(w);
    anon(w, 10, 2, RW);
    touch(w, 10, 1);
    anon(w, 14, 2, RW);
    touch(w, 14, 1);
    anon(w, 12, 2, RO);
    protect(w, 12, 2, RW);
    lay(w);
    protect(w, 10, 6, RO);
    lay(w);
}

/* files: offsets must go on, kinds must agree, both ways (MERGE-1) */
SCENARIO(merge_files)
{
    int a = file_of(w, FILE_MEM, 16, MW_FILE_READ | MW_FILE_WRITE);
    int b = file_of(w, FILE_MEM, 16, MW_FILE_READ | MW_FILE_WRITE);
    for (int type = 0; type < 2; type++)
        for (int below = 0; below < 5; below++)
            for (int above = 0; above < 5; above++) {
                static const int64_t low_offset[] = { -1, 0, 1, 0, 0 };
                static const int64_t high_offset[] = { -1, 4, 5, 4, 4 };
                uint32_t kind = type ? PRIV : SHARED, other = type ? SHARED : PRIV;
                say(w, "-- type %d, %d, %d", type, below, above);
                if (below)
                    filemap(w, 8, 2, RW, below == 3 ? other : kind, below == 4 ? b : a,
                            low_offset[below]);
                if (above)
                    filemap(w, 12, 2, RW, above == 3 ? other : kind, above == 4 ? b : a,
                            high_offset[above]);
                filemap(w, 10, 2, RW, kind, a, 2);
                lay(w);
                protect(w, 10, 2, RO);
                lay(w);
                protect(w, 10, 2, RW);
                lay(w);
                unmap(w, 8, 6);
            }
    count(w);
}

/* the same file: below and above touched or not, then joined by mprotect */
SCENARIO(merge_private_file_touched)
{
    int a = file_of(w, FILE_MEM, 16, MW_FILE_READ | MW_FILE_WRITE);
    for (int touched = 0; touched < 8; touched++) {
        filemap(w, 8, 2, RW, PRIV, a, 0);
        filemap(w, 12, 2, RW, PRIV, a, 4);
        for (int i = 0; i < 2; i++)
            if (touched & 1 << i)
                touch(w, i ? 12 : 8, 1);
        filemap(w, 10, 2, RWX, PRIV, a, 2);
        if (touched & 4)
            touch(w, 10, 1);
        lay(w);
        protect(w, 10, 2, RW);
        lay(w);
        data(w, 8, 6);
        unmap(w, 8, 6);
    }
}

/* what a fork inherits touched does not merge with what comes new (MERGE-6) */
SCENARIO(merge_after_fork)
{
    anon(w, 0, 2, RW);
    touch(w, 0, 2);
    anon(w, 10, 2, RW);
    anon(w, 20, 6, RW);
    touch(w, 20, 1);
    anon(w, 30, 2, RW);
    touch(w, 30, 1);
    forked(w);
    anon(w, 2, 2, RW);
    anon(w, 12, 2, RW);
    lay(w);
    protect(w, 22, 2, RO);
    lay(w);
    protect(w, 22, 2, RW);
    lay(w);
    move(w, 30, 2, 4, 0, 0);
    anon(w, 36, 1, RW);
    move(w, 30, 4, 6, 0, 0);
    lay(w);
    anon(w, 18, 2, RW);
    anon(w, 26, 2, RW);
    lay(w);
}

/* a hole filled from the middle outwards, touched or not */
SCENARIO(merge_rows)
{
    for (int touched = 0; touched < 16; touched++) {
        static const int order[] = { 1, 3, 2, 0 };
        for (int i = 0; i < 4; i++) {
            anon(w, order[i], 1, RW);
            if (touched & 1 << order[i])
                touch(w, order[i], 1);
            lay(w);
        }
        data(w, 0, 4);
        unmap(w, 0, 4);
    }
    count(w);
}
