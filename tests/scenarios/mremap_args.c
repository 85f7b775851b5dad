/* SPDX-License-Identifier: MIT */
/*
 * mremap_args.c - scenarios of mremap(2)'s arguments, the order of its checks,
 * and EFAULT. The numbers behind A and B are those of the recorded facts.
 */
#include "scenario.h"

#define P PAGE

/* aaaa: an unaligned old address (MREMAP-3) */
SCENARIO(mremap_A01_old_unaligned)
{
    anon(w, 0, 4, RW);
    do_mremap(w, at(0) + 1, P, 2 * P, MAY, 0);
    do_mremap(w, at(0) + 2048, P, P, 0, 0);
    lay(w);
}

/* MREMAP-1 */
SCENARIO(mremap_A02_unknown_flags)
{
    anon(w, 0, 4, RW);
    move(w, 0, 4, 4, 8, 0);
    move(w, 0, 4, 4, 8 | MAY, 0);
    move(w, 0, 4, 4, 0x10000, 0);
    move(w, 0, 4, 4, 0x80000000u, 0);
    lay(w);
}

/* MREMAP-4 */
SCENARIO(mremap_A03_new_size_0)
{
    anon(w, 0, 4, RW);
    move(w, 0, 4, 0, 0, 0);
    move(w, 0, 4, 0, MAY, 0);
    move(w, 0, 4, 0, FIX, 10);
    move(w, 0, 0, 0, MAY, 0);
    lay(w);
}

/* FIXED and DONTUNMAP need MAYMOVE (MREMAP-2) */
SCENARIO(mremap_A04_maymove_missing)
{
    anon(w, 0, 4, RW);
    move(w, 0, 4, 4, MW_MREMAP_FIXED, 10);
    move(w, 0, 4, 4, MW_MREMAP_DONTUNMAP, 10);
    move(w, 0, 4, 4, MW_MREMAP_DONTUNMAP | MW_MREMAP_FIXED, 10);
    lay(w);
}

/* MREMAP-9 */
SCENARIO(mremap_A06_dontunmap_sizes_differ)
{
    anon(w, 0, 4, RW);
    move(w, 0, 4, 5, DU, 0);
    move(w, 0, 4, 3, DU, 0);
    move(w, 0, 4, 5, DUF, 10);
    lay(w);
}

/* MREMAP-6 */
SCENARIO(mremap_A08_new_unaligned)
{
    anon(w, 0, 4, RW);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, at(10) + 1);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, at(10) + 2048);
    do_mremap(w, at(0), 4 * P, 4 * P, DU, at(10) + 1);
    lay(w);
}

/* without FIXED the fifth argument is not looked at */
SCENARIO(mremap_A10_new_ignored)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 1, RO);
    do_mremap(w, at(0), 2 * P, 4 * P, MAY, at(10) + 1);
    lay(w);
    anon(w, 0, 2, RW);
    unmap(w, 2, 1);
    do_mremap(w, at(0), 2 * P, 3 * P, MAY, ~0ull);
    do_mremap(w, at(0), 3 * P, 3 * P, 0, at(0));
    do_mremap(w, at(0), 3 * P, 2 * P, MAY, at(1));
    lay(w);
}

/* aaaaaaaa: every overlap of the two ranges is refused (MREMAP-8) */
SCENARIO(mremap_A11_overlap)
{
    anon(w, 0, 8, RW);
    for (int old = 1; old <= 3; old++)
        for (int osz = 1; osz <= 4; osz++)
            for (int nsz = 1; nsz <= 4; nsz++)
                for (int to = 0; to <= 7; to++)
                    if (to < old + osz && old < to + nsz)
                        move(w, old, osz, nsz, FIX, to);
    lay(w);
}

/* sizes count on their own sides: a shrink's old range, a growth's new one */
SCENARIO(mremap_A14_overlap_by_size)
{
    anon(w, 0, 4, RW);
    anon(w, 8, 4, RW);
    move(w, 8, 2, 8, FIX, 1);
    move(w, 8, 2, 6, FIX, 2);
    lay(w);
    anon(w, 20, 8, RW);
    move(w, 20, 6, 1, FIX, 25);
    move(w, 20, 6, 1, FIX, 26);
    lay(w);
}

SCENARIO(mremap_A16_overlap_dontunmap)
{
    anon(w, 0, 8, RW);
    move(w, 0, 4, 4, DUF, 2);
    move(w, 0, 4, 4, DU, 2);
    move(w, 0, 4, 4, DU, 0);
    lay(w);
}

/* MREMAP-7 */
SCENARIO(mremap_A22_new_beyond_end)
{
    anon(w, 0, 4, RW);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, KERNEL_HALF);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, TASK_END);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, TASK_END - 3 * P);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, 0ull - 4 * P);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, 0ull - 2 * P);
    do_mremap(w, at(0), 4 * P, 4 * P, DU, KERNEL_HALF);
    do_mremap(w, at(0), 4 * P, 4 * P, DU, TASK_END - 3 * P);
    lay(w);
}

/* MREMAP-5, PLACE-1 */
SCENARIO(mremap_A24_new_size_huge)
{
    static const uint64_t sizes[] = { 1ull << 47, 1ull << 46, 1ull << 62, 0ull - P,
                                      TASK_END, TASK_END - P, TASK_END + 1, 1ull << 63 };
    anon(w, 0, 4, RW);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        do_mremap(w, at(0), 4 * P, sizes[i], MAY, 0);
        do_mremap(w, at(0), 4 * P, sizes[i], 0, 0);
        if (i != 1) /* that one would unmap this process */
            do_mremap(w, at(0), 4 * P, sizes[i], FIX, at(10));
        do_mremap(w, at(100), 4 * P, sizes[i], MAY, 0);
    }
    lay(w);
}

/* sizes that round up to 0 (MREMAP-4) */
SCENARIO(mremap_A26_rounds_to_0)
{
    anon(w, 0, 4, RW);
    do_mremap(w, at(0), 4 * P, ~0ull, MAY, 0);
    do_mremap(w, at(0), 4 * P, 0ull - P + 1, MAY, 0);
    do_mremap(w, at(0), 4 * P, ~0ull, 0, 0);
    do_mremap(w, at(0), 4 * P, ~0ull, FIX, at(10));
    do_mremap(w, at(0), ~0ull, 2 * P, MAY, 0);
    do_mremap(w, at(0), 0ull - P + 1, 2 * P, MAY, 0);
    lay(w);
}

/* old ranges that wrap or leave the address space (MREMAP-18) */
SCENARIO(mremap_A29_old_size_wraps)
{
    anon(w, 0, 4, RW);
    do_mremap(w, at(0), 0ull - P, 2 * P, MAY, 0);
    do_mremap(w, at(0), 0ull - 2 * P, 0ull - P, MAY, 0);
    do_mremap(w, at(0), 0ull - P, 2 * P, FIX, at(10));
    do_mremap(w, at(0), 1ull << 47, 2 * P, 0, 0);
    do_mremap(w, at(0), TASK_END, 2 * P, MAY, 0);
    do_mremap(w, at(0), TASK_END, 2 * P, FIX, at(10));
    do_mremap(w, at(0), 1ull << 63, 2 * P, 0, 0);
    do_mremap(w, at(0), TASK_END - P, TASK_END, MAY, 0);
    do_mremap(w, at(0), 0ull - P, 0ull - P, 0, 0);
    do_mremap(w, at(0), 1ull << 62, 1ull << 62, MAY, 0);
    lay(w);
}

/* FIXED unmaps the destination before the shrink finds its tail impossible
 * (MREMAP-18, MREMAP-22) */
SCENARIO(mremap_A31_wraps_fixed)
{
    anon(w, 0, 4, RW);
    anon(w, 10, 4, RW);
    do_mremap(w, at(0), 0ull - P, 2 * P, FIX, at(10));
    lay(w);
    do_mremap(w, at(0), 0ull - P, 2 * P, FIX, at(0));
    lay(w);
    anon(w, 20, 26, RWX);
    do_mremap(w, at(29), 0ull - P, 8 * P, FIX, at(28));
    lay(w);
    do_mremap(w, at(21), TASK_END, P, FIX, at(12));
    lay(w);
}

SCENARIO(mremap_A33_old_addr_kernel)
{
    do_mremap(w, 0xffff888000000000ull, P, P, MAY, 0);
    do_mremap(w, 0xffffffffff600000ull, P, P, MAY, 0);
    do_mremap(w, 0xffffffffff600000ull, P, P, FIX, at(10));
    do_mremap(w, 0x800000000000ull, P, 2 * P, MAY, 0);
    do_mremap(w, 0ull - P, P, P, 0, 0);
    do_mremap(w, 0ull - P, 2 * P, P, 0, 0);
    do_mremap(w, TASK_END, P, P, 0, 0);
}

/* sizes are rounded up before they are compared */
SCENARIO(mremap_A34_sizes_round_up)
{
    anon(w, 0, 4, RW);
    do_mremap(w, at(0), 3 * P + 1, 3 * P + 1, 0, 0);
    do_mremap(w, at(0), 4 * P, 3 * P + 1, 0, 0);
    do_mremap(w, at(0), 3 * P + 1, 2 * P, 0, 0);
    lay(w);
    do_mremap(w, at(0), 1, 1, 0, 0);
    do_mremap(w, at(1), 1, P + 1, 0, 0);
    lay(w);
}

SCENARIO(mremap_A36_new_addr_0)
{
    anon(w, 0, 1, RW);
    touch(w, 0, 1);
    do_mremap(w, at(0), P, P, FIX, 0);
    data_at(w, 0, 1);
    lay(w);
}

SCENARIO(mremap_A37_new_addr_0_unprivileged)
{
    anon(w, 0, 1, RW);
    anon(w, 10, 1, RW);
    drop_privileges(w);
    do_mremap(w, at(0), P, P, FIX, 0);
    lay(w);
}

/* the refusal of a low address comes after the shrink has cut the tail (MREMAP-22) */
SCENARIO(mremap_A68_low_after_shrink)
{
    anon(w, 0, 4, RW);
    drop_privileges(w);
    do_mremap(w, at(0), 4 * P, 2 * P, FIX, 0);
    lay(w);
}

/* two mistakes at once: which one is told */
SCENARIO(mremap_A40_order_unmapped)
{
    move(w, 0, 1, 1, 8, 0);
    do_mremap(w, at(0) + 1, P, P, MAY, 0);
    move(w, 0, 1, 0, MAY, 0);
    move(w, 0, 1, 1, MW_MREMAP_FIXED, 10);
    do_mremap(w, at(0), P, P, FIX, at(10) + 1);
    move(w, 0, 2, 2, FIX, 1);
    do_mremap(w, at(0), P, P, FIX, KERNEL_HALF);
    move(w, 0, 1, 2, DU, 0);
    move(w, 0, 0, 1, MAY, 0);
    move(w, 0, 0, 1, 0, 0);
    move(w, 0, 0, 1, FIX, 10);
    do_mremap(w, 0xffff888000000000ull, P, P, FIX, at(10) + 1);
    do_mremap(w, at(0) + 1, P, P, FIX, at(10) + 1);
}

/* old_size 0 of private memory: EINVAL in every combination (MREMAP-11) */
SCENARIO(mremap_A50_old_size_0_private)
{
    int f = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    anon(w, 0, 1, RW);
    anon(w, 10, 2, RW);
    filemap(w, 20, 2, RW, PRIV, f, 0);
    do_mremap(w, at(0), 0, P, FIX, at(10) + 1);
    move(w, 0, 0, 1, FIX, 10);
    move(w, 0, 0, 1, MAY, 0);
    move(w, 0, 0, 1, 0, 0);
    move(w, 20, 0, 1, MAY, 0);
    move(w, 20, 0, 1, FIX, 10);
    do_mremap(w, at(0), 0, 1ull << 62, MAY, 0);
    do_mremap(w, at(0), 0, 1ull << 46, MAY, 0);
    do_mremap(w, at(0), 0, P, DU, 0);
    lay(w);
}

/* a failed FIXED call leaves the destination whole */
SCENARIO(mremap_A52_dest_kept)
{
    anon(w, 10, 3, RW);
    touch(w, 10, 3);
    move(w, 0, 1, 1, FIX, 10);
    anon(w, 0, 1, RW);
    move(w, 0, 2, 3, FIX, 10);
    move(w, 0, 4, 2, FIX, 10);
    lay(w);
    data(w, 10, 3);
    anon(w, 1, 1, RW);
    move(w, 0, 3, 1, FIX, 10);
    lay(w);
}

SCENARIO(mremap_A57_limit_as_dest_kept)
{
    anon(w, 0, 2, RW);
    anon(w, 10, 2, RW);
    limit(w, MW_LIMIT_AS, 0);
    move(w, 0, 2, 8, FIX, 10);
    lay(w);
    move(w, 0, 2, 4, FIX, 10);
    lay(w);
}

SCENARIO(mremap_A65_order_locked_limits)
{
    mapped(w, 0, 2, RW, PRIV | ANON | MW_MAP_LOCKED);
    w->ops->limit(w, MW_LIMIT_AS, P);
    limit(w, MW_LIMIT_MEMLOCK, 1);
    drop_privileges(w);
    move(w, 0, 3, 4, MAY, 0);
    move(w, 0, 2, 3, MAY, 0);
    move(w, 0, 2, 3, 0, 0);
    lay(w);
}

/* ---- EFAULT ---- */

/* MREMAP-10 */
SCENARIO(mremap_B01_unmapped)
{
    move(w, 0, 1, 1, 0, 0);
    move(w, 0, 1, 1, MAY, 0);
    move(w, 0, 1, 2, MAY, 0);
    move(w, 0, 2, 1, 0, 0);
    move(w, 0, 1, 1, FIX, 10);
}

/* aa.aa : the same size does not look at the rest, growth does (MREMAP-12, MREMAP-20) */
SCENARIO(mremap_B02_hole)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RW);
    move(w, 0, 5, 5, 0, 0);
    move(w, 0, 5, 5, MAY, 0);
    move(w, 0, 5, 6, 0, 0);
    move(w, 0, 5, 6, MAY, 0);
    lay(w);
    move(w, 0, 5, 4, FIX, 10);
    lay(w);
    move(w, 0, 5, 4, 0, 0);
    lay(w);
    move(w, 0, 5, 2, 0, 0);
    lay(w);
}

/* MREMAP-21 */
SCENARIO(mremap_B05_hole_shrink)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RW);
    move(w, 0, 5, 1, 0, 0);
    lay(w);
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RW);
    move(w, 0, 5, 1, FIX, 10);
    lay(w);
}

/* aarr */
SCENARIO(mremap_B09_two_protections)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    move(w, 0, 4, 4, 0, 0);
    move(w, 0, 4, 4, MAY, 0);
    move(w, 0, 4, 5, 0, 0);
    move(w, 0, 4, 5, MAY, 0);
    move(w, 0, 4, 5, FIX, 10);
    move(w, 0, 4, 3, FIX, 10);
    lay(w);
    move(w, 0, 4, 3, 0, 0);
    lay(w);
    move(w, 0, 3, 1, 0, 0);
    lay(w);
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    move(w, 0, 4, 1, FIX, 10);
    lay(w);
}

SCENARIO(mremap_B15_two_files)
{
    int a = file_of(w, FILE_MEM, 2, MW_FILE_READ | MW_FILE_WRITE);
    int b = file_of(w, FILE_MEM, 2, MW_FILE_READ | MW_FILE_WRITE);
    filemap(w, 0, 2, RW, SHARED, a, 0);
    filemap(w, 2, 2, RW, SHARED, b, 0);
    move(w, 0, 4, 4, MAY, 0);
    move(w, 0, 4, 5, MAY, 0);
    move(w, 0, 4, 5, FIX, 10);
    lay(w);
}

/* MREMAP-12, MREMAP-21 */
SCENARIO(mremap_B16_past_end)
{
    anon(w, 0, 2, RW);
    move(w, 0, 3, 4, 0, 0);
    move(w, 0, 3, 4, MAY, 0);
    move(w, 0, 3, 4, FIX, 10);
    move(w, 0, 4, 3, 0, 0);
    move(w, 0, 4, 3, MAY, 0);
    move(w, 0, 4, 3, FIX, 10);
    move(w, 0, 3, 3, 0, 0);
    move(w, 0, 3, 3, MAY, 0);
    move(w, 0, 100, 2, 0, 0);
    lay(w);
    move(w, 0, 4, 1, 0, 0);
    lay(w);
    move(w, 0, 4, 1, FIX, 10);
    lay(w);
}

/* .aa : the old address itself must be mapped (MREMAP-10) */
SCENARIO(mremap_B24_starts_in_hole)
{
    anon(w, 1, 2, RW);
    move(w, 0, 3, 3, 0, 0);
    move(w, 0, 3, 1, 0, 0);
    move(w, 0, 3, 4, MAY, 0);
    move(w, 0, 3, 3, FIX, 10);
    lay(w);
}

SCENARIO(mremap_B26_prot_none)
{
    anon(w, 0, 2, NONE);
    move(w, 0, 2, 2, FIX, 10);
    move(w, 10, 2, 3, 0, 0);
    lay(w);
}

/* sealed: EPERM after the arguments, before all else (SEAL-1) */
SCENARIO(mremap_sealed)
{
    anon(w, 0, 4, RW);
    seal(w, 0, 4);
    move(w, 0, 4, 4, 0, 0);
    move(w, 0, 4, 6, 0, 0);
    move(w, 0, 4, 6, MAY, 0);
    move(w, 0, 4, 2, 0, 0);
    move(w, 0, 4, 4, FIX, 10);
    move(w, 1, 2, 2, 0, 0);
    do_mremap(w, at(0), 4 * P, 4 * P, FIX, at(10) + 1);
    move(w, 0, 6, 7, MAY, 0);
    move(w, 0, 4, 4, FIX, 2);
    move(w, 0, 0, 1, MAY, 0);
    lay(w);
}

/* a sealed destination, and a sealed tail of a shrink; both leave a split at the cut
 * (SEAL-1, MUNMAP-3) */
SCENARIO(mremap_onto_sealed)
{
    anon(w, 0, 2, RW);
    anon(w, 10, 2, RW);
    anon(w, 12, 2, RO);
    seal(w, 11, 1);
    move(w, 0, 2, 2, FIX, 10);
    move(w, 0, 2, 2, FIX, 11);
    move(w, 0, 2, 2, FIX, 9);
    lay(w);
    anon(w, 20, 2, RW);
    anon(w, 22, 2, RO);
    seal(w, 22, 2);
    move(w, 20, 4, 1, 0, 0);
    lay(w);
    move(w, 20, 2, 1, 0, 0);
    lay(w);
}
