/* SPDX-License-Identifier: MIT */
/* mremap_limits.c - scenarios of mremap(2)'s ENOMEM and EAGAIN, and of locked memory. */
#include "scenario.h"

#define P PAGE
#define LOCKED (PRIV | ANON | MW_MAP_LOCKED)

/* aa.r : growth needs free room, up to exactly the neighbour (MREMAP-15) */
SCENARIO(mremap_C01_blocked)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 1, RO);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
    move(w, 0, 2, 3, 0, 0);
    lay(w);
    move(w, 0, 3, 4, 0, 0);
    move(w, 0, 2, 3, 0, 0);
    lay(w);
}

/* MREMAP-15 */
SCENARIO(mremap_C03_from_the_middle)
{
    anon(w, 0, 4, RW);
    move(w, 0, 2, 3, 0, 0);
    move(w, 1, 2, 3, 0, 0);
    move(w, 2, 2, 4, 0, 0);
    lay(w);
}

SCENARIO(mremap_C04_limit_as)
{
    anon(w, 0, 2, RW);
    limit(w, MW_LIMIT_AS, 2);
    move(w, 0, 2, 5, 0, 0);
    move(w, 0, 2, 5, MAY, 0);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
    count(w);
    w->ops->limit(w, MW_LIMIT_AS, P);
    move(w, 0, 4, 4, FIX, 10);
    move(w, 10, 4, 1, 0, 0);
    lay(w);
}

SCENARIO(mremap_C06_limit_as_move_grow)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 1, RO);
    limit(w, MW_LIMIT_AS, 1);
    move(w, 0, 2, 4, FIX, 10);
    move(w, 0, 2, 4, MAY, 0);
    move(w, 0, 2, 3, MAY, 0);
    lay(w);
}

SCENARIO(mremap_C09_limit_data)
{
    anon(w, 0, 2, RW);
    anon(w, 20, 2, RO);
    shanon(w, 40, 2, RW);
    limit(w, MW_LIMIT_DATA, 2);
    move(w, 0, 2, 5, 0, 0);
    move(w, 0, 2, 5, MAY, 0);
    move(w, 0, 2, 4, 0, 0);
    move(w, 20, 2, 10, 0, 0);
    move(w, 40, 2, 10, 0, 0);
    move(w, 0, 4, 4, FIX, 60);
    lay(w);
    count(w);
}

/* How many mappings below the most that mmap allows does the call need? */
static void at_map_count(struct world *w, int64_t old, int64_t osz, int64_t nsz, uint32_t flags,
                         int64_t to)
{
    int64_t n = fill_map_count(w, 1000);
    for (int i = 0; i < 12; i++) {
        if (move(w, old, osz, nsz, flags, to) > 0)
            break;
        w->quiet = true;
        unmap(w, 1000 + n - 1 - i, 1);
        w->quiet = false;
    }
    lay(w);
}

SCENARIO(mremap_C11_map_count_grow)
{
    anon(w, 0, 2, RW);
    at_map_count(w, 0, 2, 4, 0, 0);
}

SCENARIO(mremap_C12_map_count_shrink_tail)
{
    anon(w, 0, 4, RW);
    at_map_count(w, 0, 4, 2, 0, 0);
}

SCENARIO(mremap_C13_map_count_shrink_middle)
{
    anon(w, 0, 6, RW);
    at_map_count(w, 1, 3, 1, 0, 0);
}

/* MREMAP-19 */
SCENARIO(mremap_C14_map_count_move)
{
    anon(w, 0, 2, RW);
    at_map_count(w, 0, 2, 2, FIX, 10);
}

SCENARIO(mremap_C15_map_count_move_middle)
{
    anon(w, 0, 6, RW);
    at_map_count(w, 2, 2, 2, FIX, 10);
}

SCENARIO(mremap_C16_map_count_onto_middle)
{
    anon(w, 0, 2, RW);
    anon(w, 10, 6, RW);
    at_map_count(w, 0, 2, 2, FIX, 12);
}

SCENARIO(mremap_C24_map_count_unfixed)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 1, RO);
    at_map_count(w, 0, 2, 4, MAY, 0);
}

SCENARIO(mremap_C27_map_count_same)
{
    anon(w, 0, 2, RW);
    at_map_count(w, 0, 2, 2, MAY, 0);
}

SCENARIO(mremap_C35_map_count_and_others)
{
    anon(w, 0, 2, RW);
    shanon(w, 20, 2, RW);
    fill_map_count(w, 1000);
    move(w, 40, 2, 2, FIX, 10);
    move(w, 0, 3, 4, FIX, 10);
    move(w, 0, 0, 2, FIX, 10);
    move(w, 40, 2, 3, MAY, 10);
    move(w, 0, 3, 4, MAY, 10);
    do_mremap(w, at(0), P, P, FIX, at(10) + 1);
    move(w, 0, 2, 2, FIX, 1);
    move(w, 0, 1, 1, 8, 0);
    lay(w);
}

/* one growth beyond all memory */
SCENARIO(mremap_C20_commit)
{
    anon(w, 0, 2, RW);
    do_mremap(w, at(0), 2 * P, 1ull << 44, MAY, 0);
    do_mremap(w, at(0), 2 * P, 1ull << 37, 0, 0);
    anon(w, 0, 2, RO);
    do_mremap(w, at(0), 2 * P, 1ull << 44, MAY, 0);
    lay(w);
}

SCENARIO(mremap_C21_commit_noreserve)
{
    mapped(w, 0, 2, RW, PRIV | ANON | MW_MAP_NORESERVE);
    do_mremap(w, at(0), 2 * P, 1ull << 44, MAY, 0);
    lay(w);
}

SCENARIO(mremap_C23_no_room)
{
    anon(w, 0, 2, RO);
    anon(w, 2, 1, NONE);
    do_mremap(w, at(0), 2 * P, (1ull << 47) - P, MAY, 0);
    do_mremap(w, at(0), 2 * P, TASK_END - P, MAY, 0);
    lay(w);
}

/* the commit limit is looked at after the destination is gone (MREMAP-22, LIMIT-5) */
SCENARIO(mremap_C34_commit_dest)
{
    anon(w, 0, 2, RW);
    anon(w, 10, 2, RO);
    do_mremap(w, at(0), 2 * P, 1ull << 37, FIX, at(10));
    lay(w);
}

/* A shrinking fixed move is charged for what it cuts off, mapped or not (MREMAP-38). */
SCENARIO(mremap_C34_commit_shrink)
{
    uint64_t big = (w->session->ram_pages + 2) * P;
    anon(w, 1, 1, RW);
    anon(w, 0, 1, RO);
    do_mremap(w, at(1), big, P, FIX, at(0));
    lay(w); /* a smaller one would pass, and stay charged to this machine for ever */
}

/* ---- locked memory ---- */

SCENARIO(mremap_D01_locked_over_limit)
{
    mapped(w, 0, 2, RW, LOCKED);
    limit(w, MW_LIMIT_MEMLOCK, 3);
    drop_privileges(w);
    move(w, 0, 2, 4, 0, 0);
    move(w, 0, 2, 4, MAY, 0);
    move(w, 0, 2, 4, FIX, 10);
    move(w, 0, 2, 3, 0, 0);
    lay(w);
    count(w);
}

SCENARIO(mremap_D02_locked_move)
{
    mapped(w, 0, 2, RW, LOCKED);
    limit(w, MW_LIMIT_MEMLOCK, 1);
    drop_privileges(w);
    move(w, 0, 2, 2, FIX, 10);
    flags_of(w, 10);
    lay(w);
    count(w);
}

SCENARIO(mremap_D06_root_ignores)
{
    mapped(w, 0, 2, RW, LOCKED);
    limit(w, MW_LIMIT_MEMLOCK, 1);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
    count(w);
}

SCENARIO(mremap_D07_dest_kept)
{
    mapped(w, 0, 2, RW, LOCKED);
    anon(w, 10, 4, RW);
    limit(w, MW_LIMIT_MEMLOCK, 2);
    drop_privileges(w);
    move(w, 0, 2, 3, FIX, 10);
    lay(w);
}

SCENARIO(mremap_D08_unlocked)
{
    anon(w, 0, 2, RW);
    limit(w, MW_LIMIT_MEMLOCK, 0);
    drop_privileges(w);
    move(w, 0, 2, 4, 0, 0);
    lay(w);
}

/* EAGAIN before the ENOMEM of RLIMIT_AS and before "blocked"; after EFAULT */
SCENARIO(mremap_D09_order)
{
    mapped(w, 0, 2, RW, LOCKED);
    anon(w, 2, 1, RO);
    limit(w, MW_LIMIT_AS, 0);
    limit(w, MW_LIMIT_MEMLOCK, 2);
    drop_privileges(w);
    move(w, 0, 2, 3, 0, 0);
    move(w, 0, 2, 3, MAY, 0);
    move(w, 0, 3, 4, 0, 0);
    move(w, 0, 0, 4, MAY, 0);
    limit(w, MW_LIMIT_MEMLOCK, 0);
    move(w, 0, 2, 3, 0, 0);
    lay(w);
}

/* the new pages of locked memory are there at once, and only they (MREMAP-24) */
SCENARIO(mremap_J01_locked_populates)
{
    mapped(w, 0, 2, RW, LOCKED);
    move(w, 0, 2, 4, 0, 0);
    present(w, 0, 4);
    move(w, 0, 4, 6, FIX, 10);
    present(w, 10, 6);
    flags_of(w, 10);
    count(w);
    move(w, 10, 6, 2, 0, 0);
    lay(w);
    count(w);
    mapped(w, 20, 2, NONE, LOCKED);
    move(w, 20, 2, 4, 0, 0);
    present(w, 20, 4);
    lay(w);
    count(w);
}

/* ONFAULT does not populate */
SCENARIO(mremap_J05_onfault)
{
    lock_all(w, MW_MCL_FUTURE | MW_MCL_ONFAULT);
    anon(w, 0, 2, RW);
    touch(w, 0, 1);
    move(w, 0, 2, 5, 0, 0);
    flags_of(w, 0);
    present(w, 0, 5);
    move(w, 0, 5, 7, FIX, 10);
    flags_of(w, 10);
    present(w, 10, 7);
    count(w);
}

/* MCL_FUTURE acts at mmap only */
SCENARIO(mremap_J07_future)
{
    anon(w, 0, 2, RW);
    lock_all(w, MW_MCL_FUTURE);
    move(w, 0, 2, 4, 0, 0);
    flags_of(w, 0);
    present(w, 0, 4);
    move(w, 0, 4, 6, FIX, 10);
    flags_of(w, 10);
    anon(w, 20, 2, RW);
    move(w, 20, 2, 4, 0, 0);
    flags_of(w, 20);
    present(w, 20, 4);
    count(w);
}

/* populating stops quietly at a file's end */
SCENARIO(mremap_J17_locked_file)
{
    int f = file_of(w, FILE_MEM, 3, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, at(0), 2 * P, RW, SHARED | FIXED | MW_MAP_LOCKED, f, 0);
    move(w, 0, 2, 5, 0, 0);
    lay(w);
    data(w, 0, 6);
    count(w);
}

/* ll over lll: counters follow what is replaced */
SCENARIO(mremap_J09_locked_dest)
{
    mapped(w, 0, 2, RW, LOCKED);
    mapped(w, 10, 4, RW, LOCKED);
    move(w, 0, 2, 2, FIX, 11);
    lay(w);
    count(w);
    anon(w, 20, 3, RW);
    move(w, 20, 3, 3, FIX, 10);
    lay(w);
    count(w);
    mapped(w, 30, 2, RW, LOCKED);
    anon(w, 32, 2, RW);
    lay(w);
    move(w, 30, 2, 2, FIX, 40);
    move(w, 32, 2, 2, FIX, 42);
    lay(w);
    count(w);
}
