/* SPDX-License-Identifier: MIT */
/* mmap.c - scenarios of mmap(2): arguments, placement by request, files, limits. */
#include "scenario.h"

#define PA (PRIV | ANON)

/* length 0, one that rounds to 0, one that finds no room (ARG-2, ARG-4, MMAP-4) */
SCENARIO(mmap_length)
{
    do_mmap(w, 0, 0, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, ~0ull, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, ~0ull - PAGE + 2, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, ~0ull - PAGE + 1, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 63, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 47, RO, PA, NO_FILE, 0);
    do_mmap(w, 0, TASK_END, RO, PA, NO_FILE, 0);
    do_mmap(w, 0, TASK_END - PAGE, RO, PA, NO_FILE, 0);
    do_mmap(w, at(0), 1, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, at(2), PAGE + 1, RW, PA | FIXED, NO_FILE, 0);
    lay(w);
}

/* exactly one type; SHARED_VALIDATE is a file's only (MMAP-3, MMAP-14, MMAP-15) */
SCENARIO(mmap_type)
{
    int f = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, 0, PAGE, RW, ANON, NO_FILE, 0);
    do_mmap(w, 0, PAGE, RW, 0, f, 0);
    do_mmap(w, 0, PAGE, RW, MW_MAP_SHARED_VALIDATE | ANON, NO_FILE, 0);
    do_mmap(w, at(0), PAGE, RW, MW_MAP_SHARED_VALIDATE | FIXED, f, 0);
    do_mmap(w, at(1), PAGE, RW, MW_MAP_SHARED_VALIDATE | FIXED | 0x04000000u, f, 0);
    do_mmap(w, at(1), PAGE, RW, MW_MAP_SHARED_VALIDATE | FIXED | 0x00800000u, f, 0);
    do_mmap(w, at(1), PAGE, RW, MW_MAP_SHARED_VALIDATE | FIXED | MW_MAP_SYNC, f, 0);
    for (int bit = 21; bit < 32; bit++)
        do_mmap(w, at(5), PAGE, RW, MW_MAP_SHARED_VALIDATE | FIXED | 1u << bit, f, 0);
    do_mmap(w, at(2), PAGE, RW, PRIV | FIXED | 0x04000000u, f, 0);
    do_mmap(w, at(3), PAGE, RW, PA | FIXED | 0x04000000u, NO_FILE, 0);
    do_mmap(w, at(4), PAGE, RW, PA | FIXED | MW_MAP_DENYWRITE | MW_MAP_EXECUTABLE, NO_FILE, 0);
    lay(w);
    data(w, 0, 3);
}

/* MAP_DROPPABLE is a type of its own, anonymous only (MMAP-17) */
SCENARIO(mmap_droppable)
{
    do_mmap(w, at(0), PAGE, RW, MW_MAP_DROPPABLE | ANON | FIXED, NO_FILE, 0);
    do_mmap(w, at(1), PAGE, RW, MW_MAP_DROPPABLE | ANON | FIXED | MW_MAP_LOCKED, NO_FILE, 0);
    int f = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, at(4), PAGE, RW, MW_MAP_DROPPABLE | FIXED, f, 0);
    lay(w);
    flags_of(w, 0);
    count(w);
}

/* no descriptor and not anonymous; anonymous memory ignores descriptor and offset (MMAP-2) */
SCENARIO(mmap_descriptor)
{
    int f = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, at(0), PAGE, RW, PRIV | FIXED, NO_FILE, 0);
    do_mmap(w, at(0), PAGE, RW, SHARED | FIXED, NO_FILE, 0);
    do_mmap(w, at(0), 0, RW, PRIV | FIXED, NO_FILE, 0);
    do_mmap(w, at(1) + 1, PAGE, RW, PRIV | FIXED, NO_FILE, 0);
    do_mmap(w, at(2), PAGE, RW, PA | FIXED, f, 3 * PAGE);
    do_mmap(w, at(3), PAGE, RW, SHARED | ANON | FIXED, f, 3 * PAGE);
    lay(w);
    data(w, 2, 2);
}

/* an unaligned offset comes before everything; offset + length beyond 64 bits (MMAP-1, MMAP-5) */
SCENARIO(mmap_offset)
{
    int f = file_of(w, FILE_MEM, 8, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, 0, 0, RW, 0, NO_FILE, 1);
    do_mmap(w, 0, PAGE, RW, PRIV, NO_FILE, 1);
    do_mmap(w, 0, PAGE, RW, PRIV, f, 2048);
    do_mmap(w, 0, PAGE, RW, PA, NO_FILE, 2048);
    do_mmap(w, at(0), 2 * PAGE, RO, SHARED | FIXED, f, 0ull - PAGE);
    do_mmap(w, at(0), PAGE, RO, SHARED | FIXED, f, 0ull - PAGE);
    do_mmap(w, at(0), PAGE, RO, SHARED | FIXED, f, 1ull << 63);
    do_mmap(w, at(0), PAGE, RO, SHARED | FIXED, f, (1ull << 63) - PAGE);
    do_mmap(w, at(2), PAGE, RO, PA | FIXED, NO_FILE, 0ull - PAGE);
    do_mmap(w, at(4), 2 * PAGE, RO, PA | FIXED, NO_FILE, 0ull - PAGE);
    do_mmap(w, at(6), 2 * PAGE, RO, PRIV | FIXED, f, 1000 * PAGE);
    lay(w);
    data(w, 6, 1);
}

/* MAP_FIXED: aligned, inside the address space, zero and all (PLACE-2, PLACE-9) */
SCENARIO(mmap_fixed_address)
{
    do_mmap(w, at(0) + 1, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, at(0) + 2048, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, TASK_END, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, TASK_END - PAGE, 2 * PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, KERNEL_HALF, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, 0ull - PAGE, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, 0ull - 2 * PAGE, 4 * PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, ~0ull, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, 0, PAGE, RW, PA | FIXED, NO_FILE, 0);
    data_at(w, 0, 1);
    do_munmap(w, 0, PAGE);
    do_mmap(w, at(0), 1ull << 47, RW, PA | FIXED, NO_FILE, 0);
}

/* below min_addr: EPERM for the unprivileged with FIXED, pushed up as a hint (MMAP-6) */
SCENARIO(mmap_low_addresses)
{
    drop_privileges(w);
    do_mmap(w, 0, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, w->session->min_addr - PAGE, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, w->session->min_addr, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, w->session->min_hint, PAGE, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, PAGE, PAGE, RW, PA, NO_FILE, 0);
    do_mmap(w, 1, PAGE, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, PAGE, RW, PA | MW_MAP_FIXED_NOREPLACE, NO_FILE, 0);
}

/* the same hints for the privileged (PLACE-3) */
SCENARIO(mmap_low_hints)
{
    do_mmap(w, 1, PAGE, RW, PA, NO_FILE, 0);
    do_mmap(w, PAGE, PAGE, RO, PA, NO_FILE, 0);
    do_mmap(w, 3 * PAGE, PAGE, RW, PA, NO_FILE, 0);
    do_mmap(w, 2 * PAGE, 20 * PAGE, RW, PA, NO_FILE, 0);
}

/* aaaaaaaa => aarr.... : FIXED replaces what lies below it, part by part
 * a..rr-aa => a.sssssa : and across holes and several mappings              */
SCENARIO(mmap_fixed_over)
{
    anon(w, 0, 8, RW);
    touch(w, 0, 8);
    anon(w, 2, 2, RO);
    lay(w);
    data(w, 0, 8);
    anon(w, 0, 1, RO);
    anon(w, 7, 1, RO);
    lay(w);
    unmap(w, 1, 2);
    anon(w, 5, 1, NONE);
    shanon(w, 2, 5, RW);
    lay(w);
    data(w, 0, 8);
    count(w);
}

/* over itself whole: the old pages are gone */
SCENARIO(mmap_fixed_over_same)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    anon(w, 0, 4, RW);
    data(w, 0, 4);
    touch(w, 0, 4);
    anon(w, 1, 2, RW);
    lay(w);
    data(w, 0, 4);
    count(w);
}

/* .rr. : EEXIST on any overlap, the address itself otherwise (MMAP-7) */
SCENARIO(mmap_noreplace)
{
    const uint32_t how = PA | MW_MAP_FIXED_NOREPLACE;
    anon(w, 1, 2, RO);
    do_mmap(w, at(1), PAGE, RW, how, NO_FILE, 0);
    do_mmap(w, at(0), 2 * PAGE, RW, how, NO_FILE, 0);
    do_mmap(w, at(2), 2 * PAGE, RW, how, NO_FILE, 0);
    do_mmap(w, at(0), 4 * PAGE, RW, how | FIXED, NO_FILE, 0);
    do_mmap(w, at(0), PAGE, RW, how, NO_FILE, 0);
    do_mmap(w, at(3), PAGE, RW, how | FIXED, NO_FILE, 0);
    do_mmap(w, at(5) + 1, PAGE, RW, how, NO_FILE, 0);
    do_mmap(w, TASK_END, PAGE, RW, how, NO_FILE, 0);
    do_mmap(w, at(1), 0, RW, how, NO_FILE, 0);
    do_mmap(w, at(1), PAGE, RW, MW_MAP_FIXED_NOREPLACE | ANON, NO_FILE, 0);
    lay(w);
}

/* unknown protection bits do no harm to mmap; SEM is none */
SCENARIO(mmap_protection)
{
    anon(w, 0, 1, RWX);
    anon(w, 2, 1, WO);
    anon(w, 4, 1, XO);
    anon(w, 6, 1, RO | MW_PROT_SEM);
    anon(w, 8, 1, RW | 0x40u);
    anon(w, 10, 1, RW | MW_PROT_GROWSDOWN);
    anon(w, 12, 1, RW | 0x80000000u);
    lay(w);
    for (int i = 0; i < 14; i += 2)
        flags_of(w, i);
    count(w);
}

/* POPULATE makes pages present at once, without the right to write too (MMAP-20) */
SCENARIO(mmap_populate)
{
    mapped(w, 0, 3, RW, PA | MW_MAP_POPULATE);
    mapped(w, 4, 3, RO, PA | MW_MAP_POPULATE);
    mapped(w, 8, 3, NONE, PA | MW_MAP_POPULATE);
    mapped(w, 12, 3, RW, PA | MW_MAP_POPULATE | MW_MAP_NONBLOCK);
    mapped(w, 16, 3, WO, PA | MW_MAP_POPULATE);
    mapped(w, 20, 2, RW, SHARED | ANON | MW_MAP_POPULATE);
    present(w, 0, 22);
    mapped(w, 3, 1, RW, PA);
    mapped(w, 7, 1, RO, PA);
    touch(w, 24, 1);
    lay(w);
    data(w, 0, 3);
    count(w);
}

/* populating past a file's end stops quietly (MMAP-20) */
SCENARIO(mmap_populate_file)
{
    int f = file_of(w, FILE_MEM, 2, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, at(0), 4 * PAGE, RW, SHARED | FIXED | MW_MAP_POPULATE, f, 0);
    do_mmap(w, at(8), 4 * PAGE, RW, PRIV | FIXED | MW_MAP_POPULATE, f, 0);
    lay(w);
    data(w, 0, 4);
    data(w, 8, 4);
    do_mmap(w, at(12), PAGE, RW, PRIV | FIXED, f, 4 * PAGE);
    do_mmap(w, at(4), PAGE, RW, SHARED | FIXED, f, 4 * PAGE);
    lay(w);
}

/* NORESERVE is a flag that keeps mappings apart */
SCENARIO(mmap_noreserve)
{
    mapped(w, 0, 2, RW, PA);
    mapped(w, 2, 2, RW, PA | MW_MAP_NORESERVE);
    mapped(w, 4, 2, RW, PA | MW_MAP_NORESERVE);
    mapped(w, 8, 2, RO, PA | MW_MAP_NORESERVE);
    mapped(w, 10, 2, RO, PA);
    lay(w);
    for (int i = 0; i < 12; i += 2)
        flags_of(w, i);
    do_mmap(w, at(1000), 1ull << 44, RW, PA | FIXED, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 44, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 42, RW, PA | MW_MAP_NORESERVE, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 42, RO, PA, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 42, RW, SHARED | ANON, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 42, RW, SHARED | ANON | MW_MAP_NORESERVE, NO_FILE, 0);
    count(w);
}

/* the heuristic commit limit: one mapping larger than all memory (LIMIT-5) */
SCENARIO(mmap_commit_heuristic)
{
    uint64_t ram = w->session->ram_pages * PAGE;
    do_mmap(w, 0, ram + PAGE, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, ram + PAGE, RO, PA, NO_FILE, 0);
    do_mmap(w, 0, ram, RW, PA, NO_FILE, 0);
    do_mmap(w, at(0), ram + PAGE, RW, PA | FIXED, NO_FILE, 0);
    lay(w);
}

/* ......gg : GROWSDOWN extends by an access right below, as far as the gap allows
 * (STACK-1, ANON-3) */
SCENARIO(mmap_growsdown_extends)
{
    mapped(w, 20, 2, RW, PA | MW_MAP_GROWSDOWN);
    flags_of(w, 20);
    lay(w);
    store(w, 19, 7);
    lay(w);
    store(w, 10, 8);
    data(w, 5, 1);
    lay(w);
    count(w);
    data(w, 4, 20);
    flags_of(w, 5);
    unmap(w, 8, 2);
    store(w, 7, 1);
    store(w, 9, 1);
    lay(w);
}

/* a read extends it too; the access must lie in the stack's limit (STACK-3) */
SCENARIO(mmap_growsdown_limit)
{
    mapped(w, 5000, 1, RW, PA | MW_MAP_GROWSDOWN);
    limit(w, MW_LIMIT_STACK, 16);
    data(w, 4985, 1);
    lay(w);
    data(w, 4984, 1);
    store(w, 4000, 1);
    lay(w);
    limit(w, MW_LIMIT_STACK, 20);
    store(w, 4981, 1);
    store(w, 4980, 1);
    lay(w);
    count(w);
}

/* RLIMIT_AS stops a growing stack; RLIMIT_DATA does not look at stacks (STACK-3, LIMIT-3) */
SCENARIO(mmap_growsdown_limit_as)
{
    mapped(w, 500, 1, RW, PA | MW_MAP_GROWSDOWN);
    limit(w, MW_LIMIT_AS, 2);
    store(w, 497, 1);
    store(w, 498, 1);
    lay(w);
    store(w, 497, 1);
    count(w);
}

SCENARIO(mmap_growsdown_limit_data)
{
    mapped(w, 500, 1, RW, PA | MW_MAP_GROWSDOWN);
    limit(w, MW_LIMIT_DATA, 0);
    store(w, 490, 1);
    mapped(w, 600, 1, RW, PA | MW_MAP_GROWSDOWN);
    mapped(w, 900, 1, RW, PA);
    mapped(w, 901, 1, RO, PA);
    lay(w);
    count(w);
}

/* a...gg : a neighbour nearer than 256 pages keeps it from growing
 * unless that is PROT_NONE or a growing stack itself (STACK-2) */
SCENARIO(mmap_growsdown_guard)
{
    anon(w, 0, 1, RW);
    mapped(w, 300, 1, RW, PA | MW_MAP_GROWSDOWN);
    store(w, 257, 1);
    store(w, 256, 1);
    lay(w);
    store(w, 200, 1);
    lay(w);
    anon(w, 1000, 1, NONE);
    mapped(w, 1010, 1, RW, PA | MW_MAP_GROWSDOWN);
    store(w, 1001, 1);
    store(w, 1000, 1);
    lay(w);
    mapped(w, 2000, 1, RW, PA | MW_MAP_GROWSDOWN);
    mapped(w, 2010, 1, RW, PA | MW_MAP_GROWSDOWN);
    store(w, 2001, 1);
    store(w, 1999, 1);
    lay(w);
}

/* growing until it meets its own kind merges with nothing by itself (ANON-3, MERGE-1) */
SCENARIO(mmap_growsdown_meets)
{
    mapped(w, 100, 2, RW, PA | MW_MAP_GROWSDOWN);
    mapped(w, 104, 2, RW, PA | MW_MAP_GROWSDOWN);
    touch(w, 104, 1);
    store(w, 102, 1);
    lay(w);
    protect(w, 100, 6, RO);
    lay(w);
    protect(w, 100, 6, RW);
    lay(w);
}

/* a read-only or forbidden stack: extension first, then the protection says no */
SCENARIO(mmap_growsdown_protection)
{
    mapped(w, 100, 2, RO, PA | MW_MAP_GROWSDOWN);
    store(w, 98, 1);
    lay(w);
    data(w, 98, 1);
    lay(w);
    mapped(w, 1100, 2, NONE, PA | MW_MAP_GROWSDOWN);
    store(w, 1098, 1);
    data(w, 1098, 1);
    lay(w);
}

/* a file or shared memory does not grow (MMAP-16) */
SCENARIO(mmap_growsdown_kinds)
{
    int f = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    do_mmap(w, at(100), PAGE, RW, SHARED | ANON | FIXED | MW_MAP_GROWSDOWN, NO_FILE, 0);
    do_mmap(w, at(1100), PAGE, RW, SHARED | FIXED | MW_MAP_GROWSDOWN, f, 0);
    do_mmap(w, at(2100), PAGE, RW, PRIV | FIXED | MW_MAP_GROWSDOWN, f, PAGE);
    lay(w);
    flags_of(w, 2100);
    store(w, 2099, 1);
    lay(w);
}

/* the copy of a system call extends a stack as an access does */
SCENARIO(mmap_growsdown_copy)
{
    mapped(w, 100, 2, RW, PA | MW_MAP_GROWSDOWN);
    copy_in(w, at(98) + 100, 3 * PAGE);
    lay(w);
    copy_out(w, at(96), 3 * PAGE);
    lay(w);
}

/* touched memory keeps its offset, its old address, when it moves, and grows by no more (STACK-4) */
SCENARIO(mmap_growsdown_offset)
{
    int64_t low = 0x20 - (int64_t)(ARENA / PAGE); /* page 32 of the address space */
    for (int touched = 0; touched < 2; touched++)
        for (int too_far = 0; too_far < 2; too_far++) {
            mapped(w, low, 2, RW, PA | MW_MAP_GROWSDOWN);
            if (touched)
                touch(w, low, 2);
            move(w, low, 1, 1, FIX, 100);
            store(w, 68 - too_far, 7);
            store(w, 68, 8);
            store(w, 67, 9);
            lay(w);
            unmap(w, low, 2);
            unmap(w, 0, 101);
        }
}

/* MAP_STACK only asks for small pages (MMAP-21) */
SCENARIO(mmap_stack)
{
    mapped(w, 0, 2, RW, PA | MW_MAP_STACK);
    mapped(w, 2, 2, RW, PA);
    flags_of(w, 0);
    flags_of(w, 2);
    lay(w);
    count(w);
}

/* MAP_32BIT: the first gigabyte above 1 GiB, from below (PLACE-6) */
SCENARIO(mmap_32bit)
{
    do_mmap(w, 0, 2 * PAGE, RW, PA | MW_MAP_32BIT, NO_FILE, 0);
    do_mmap(w, 0, PAGE, RO, PA | MW_MAP_32BIT, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 30, RO, PA | MW_MAP_32BIT, NO_FILE, 0);
    do_mmap(w, 0, 1ull << 31, RO, PA | MW_MAP_32BIT, NO_FILE, 0);
    do_mmap(w, at(0), PAGE, RW, PA | MW_MAP_32BIT, NO_FILE, 0);
    do_mmap(w, at(5), PAGE, RW, PA | MW_MAP_32BIT | FIXED, NO_FILE, 0);
    do_mmap(w, 0x50000000, PAGE, RW, PA | MW_MAP_32BIT, NO_FILE, 0);
    do_mmap(w, 0, 4ull << 20, RW, PA | MW_MAP_32BIT, NO_FILE, 0);
    lay(w);
}

/* LOCKED: populated, counted (MMAP-20) */
SCENARIO(mmap_locked)
{
    mapped(w, 0, 4, RW, PA | MW_MAP_LOCKED);
    flags_of(w, 0);
    present(w, 0, 4);
    mapped(w, 4, 2, RW, PA);
    lay(w);
    count(w);
    mapped(w, 6, 2, NONE, PA | MW_MAP_LOCKED);
    mapped(w, 8, 2, RO, PA | MW_MAP_LOCKED);
    present(w, 6, 4);
    count(w);
    unmap(w, 1, 2);
    count(w);
}

/* RLIMIT_MEMLOCK: EAGAIN beyond it, EPERM when it is 0, root does as it likes (MMAP-8, LIMIT-1) */
SCENARIO(mmap_locked_limit)
{
    limit(w, MW_LIMIT_MEMLOCK, 2);
    mapped(w, 20, 3, RW, PA | MW_MAP_LOCKED);
    unmap(w, 20, 3);
    drop_privileges(w);
    mapped(w, 0, 3, RW, PA | MW_MAP_LOCKED);
    mapped(w, 0, 1, RW, PA | MW_MAP_LOCKED);
    mapped(w, 4, 2, RW, PA | MW_MAP_LOCKED);
    mapped(w, 4, 1, RW, PA | MW_MAP_LOCKED);
    mapped(w, 8, 1, RW, PA | MW_MAP_LOCKED);
    lay(w);
    count(w);
    limit(w, MW_LIMIT_MEMLOCK, 0);
    mapped(w, 8, 1, RW, PA | MW_MAP_LOCKED);
    do_mmap(w, at(8), 0, RW, PA | FIXED | MW_MAP_LOCKED, NO_FILE, 0);
    do_mmap(w, at(8) + 1, PAGE, RW, PA | FIXED | MW_MAP_LOCKED, NO_FILE, 0);
    mapped(w, 0, 1, RW, PA);
    lay(w);
    count(w);
}

/* mlockall(MCL_FUTURE): each new mapping is locked; ONFAULT does not populate (MMAP-22) */
SCENARIO(mmap_future)
{
    anon(w, 0, 2, RW);
    lock_all(w, MW_MCL_FUTURE);
    anon(w, 4, 2, RW);
    flags_of(w, 0);
    flags_of(w, 4);
    present(w, 4, 2);
    lock_all(w, MW_MCL_FUTURE | MW_MCL_ONFAULT);
    anon(w, 8, 2, RW);
    flags_of(w, 8);
    present(w, 8, 2);
    mapped(w, 12, 2, RW, PA | MW_MAP_LOCKED);
    flags_of(w, 12);
    lay(w);
    count(w);
}

/* the same against the limit: EAGAIN (MMAP-22, LIMIT-1) */
SCENARIO(mmap_future_limit)
{
    limit(w, MW_LIMIT_MEMLOCK, 3);
    lock_all(w, MW_MCL_FUTURE);
    drop_privileges(w);
    anon(w, 0, 4, RW);
    anon(w, 0, 3, RW);
    anon(w, 0, 3, RW);
    count(w);
}

/* RLIMIT_AS counts all; what FIXED replaces is not counted twice (LIMIT-3) */
SCENARIO(mmap_limit_as)
{
    anon(w, 0, 4, RW);
    limit(w, MW_LIMIT_AS, 2);
    anon(w, 10, 3, RW);
    anon(w, 10, 3, NONE);
    anon(w, 0, 6, RW);
    lay(w);
    anon(w, 3, 3, RW);
    anon(w, 10, 1, RO);
    shanon(w, 20, 1, RO);
    lay(w);
    count(w);
    unmap(w, 0, 1);
    anon(w, 20, 1, RO);
    do_mmap(w, 0, PAGE, RW, PA, NO_FILE, 0);
    do_mmap(w, 0, ~0ull - PAGE, RW, PA, NO_FILE, 0);
}

/* RLIMIT_DATA counts private writable memory only (LIMIT-4) */
SCENARIO(mmap_limit_data)
{
    int f = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    anon(w, 0, 4, RW);
    limit(w, MW_LIMIT_DATA, 1);
    anon(w, 10, 2, RW);
    anon(w, 10, 2, RO);
    shanon(w, 20, 9, RW);
    filemap(w, 40, 2, RW, PRIV, f, 0);
    filemap(w, 40, 1, RW, PRIV, f, 0);
    filemap(w, 44, 2, RO, PRIV, f, 0);
    filemap(w, 48, 2, RW, SHARED, f, 0);
    anon(w, 60, 1, RW);
    lay(w);
    protect(w, 10, 1, RW);
    protect(w, 0, 2, RO);
    protect(w, 10, 2, RW);
    lay(w);
    count(w);
}

/* what a descriptor allows: shared writing needs it writable, all need it readable
 * (MMAP-9, MMAP-10, MMAP-19) */
SCENARIO(mmap_file_modes)
{
    int rw = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    int r = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    int wo = file_of(w, FILE_MEM, 4, MW_FILE_WRITE);
    filemap(w, 0, 2, RW, SHARED, r, 0);
    filemap(w, 0, 2, RO, SHARED, r, 0);
    filemap(w, 2, 2, RW, PRIV, r, 0);
    filemap(w, 4, 2, RO, PRIV, wo, 0);
    filemap(w, 4, 2, WO, SHARED, wo, 0);
    filemap(w, 4, 2, NONE, SHARED, wo, 0);
    filemap(w, 6, 2, WO, SHARED, r, 0);
    filemap(w, 6, 2, RWX, SHARED, rw, 0);
    filemap(w, 8, 2, RW, MW_MAP_SHARED_VALIDATE, r, 0);
    lay(w);
    flags_of(w, 0);
    flags_of(w, 2);
    flags_of(w, 6);
    data(w, 0, 4);
    touch(w, 0, 4);
    data(w, 0, 4);
    count(w);
}

/* a pipe can't be mapped; its length and type are checked first (MMAP-13) */
SCENARIO(mmap_pipe)
{
    int p = file_of(w, FILE_PIPE, 0, MW_FILE_READ);
    filemap(w, 0, 1, RO, PRIV, p, 0);
    filemap(w, 0, 1, RO, SHARED, p, 0);
    filemap(w, 0, 1, RW, SHARED, p, 0);
    do_mmap(w, at(0), 0, RO, PRIV | FIXED, p, 0);
    do_mmap(w, at(0), PAGE, RO, FIXED, p, 0);
    do_mmap(w, at(0) + 1, PAGE, RO, PRIV | FIXED, p, 0);
    lay(w);
}

/* a failing FIXED keeps what was there when it fails early (ENGINE-3, MUNMAP-3) */
SCENARIO(mmap_fixed_failure_keeps)
{
    int r = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    int p = file_of(w, FILE_PIPE, 0, MW_FILE_READ);
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    filemap(w, 0, 2, RW, SHARED, r, 0);
    filemap(w, 0, 2, RO, SHARED, p, 0);
    do_mmap(w, at(0), 1ull << 44, RW, PA | FIXED, NO_FILE, 0);
    lay(w);
    data(w, 0, 4);
}

/* two views of one file: sss.. / sss.., one write seen in both (FAULT-4) */
SCENARIO(mmap_shared_file)
{
    int f = file_of(w, FILE_MEM, 6, MW_FILE_READ | MW_FILE_WRITE);
    filemap(w, 0, 3, RW, SHARED, f, 0);
    filemap(w, 10, 3, RW, SHARED, f, 1);
    filemap(w, 20, 4, RW, PRIV, f, 0);
    data(w, 0, 3);
    data(w, 20, 4);
    store(w, 1, 77);
    data(w, 10, 3);
    data(w, 20, 4);
    store(w, 20, 88);
    store(w, 11, 99);
    data(w, 0, 3);
    data(w, 20, 4);
    filemap(w, 3, 3, RW, SHARED, f, 3);
    lay(w);
    filemap(w, 9, 1, RW, SHARED, f, 1);
    filemap(w, 13, 1, RW, SHARED, f, 4);
    lay(w);
    unmap(w, 0, 6);
    filemap(w, 0, 6, RO, SHARED, f, 0);
    data(w, 0, 6);
}

/* a file that ends within a page: the rest of that page is zero, the next one SIGBUS (FAULT-3) */
SCENARIO(mmap_file_tail)
{
    int f = file_of_bytes(w, FILE_MEM, PAGE + 100, MW_FILE_READ | MW_FILE_WRITE);
    int d = file_of_bytes(w, FILE_DISK, 2 * PAGE + 8, MW_FILE_READ | MW_FILE_WRITE);
    filemap(w, 0, 4, RW, SHARED, f, 0);
    filemap(w, 10, 4, RW, PRIV, f, 0);
    filemap(w, 20, 4, RW, SHARED, d, 1);
    data(w, 0, 5);
    data(w, 10, 5);
    data(w, 20, 5);
    store(w, 2, 1);
    store(w, 12, 1);
    copy_out(w, at(0), 4 * PAGE);
    copy_in(w, at(11), 4 * PAGE);
    lay(w);
}

/* shared anonymous mappings never merge with each other */
SCENARIO(mmap_shared_anonymous)
{
    shanon(w, 0, 2, RW);
    shanon(w, 2, 2, RW);
    touch(w, 0, 4);
    lay(w);
    protect(w, 1, 1, RO);
    lay(w);
    protect(w, 1, 1, RW);
    lay(w);
    data(w, 0, 4);
    flags_of(w, 0);
    count(w);
}

/* MAP_SYNC marks even anonymous memory, which then does not merge (MMAP-23) */
SCENARIO(mmap_sync)
{
    mapped(w, 0, 2, RW, PA | MW_MAP_SYNC);
    mapped(w, 2, 2, RW, PA);
    mapped(w, 4, 2, RW, PA | MW_MAP_SYNC);
    mapped(w, 6, 2, RW, PA | MW_MAP_SYNC);
    lay(w);
    shanon(w, 10, 2, RW);
    mapped(w, 12, 2, RW, SHARED | ANON | MW_MAP_SYNC);
    lay(w);
}

/* shared anonymous memory that can't be promised: what it would replace is gone (MMAP-24) */
SCENARIO(mmap_shared_commit)
{
    uint64_t big = (w->session->ram_pages + 1) * PAGE;
    anon(w, 2, 3, RW);
    touch(w, 2, 3);
    do_mmap(w, at(3), big, RW, SHARED | ANON | FIXED, NO_FILE, 0);
    lay(w);
    data(w, 2, 3);
    count(w);
    anon(w, 2, 3, RW);
    do_mmap(w, at(3), big, RW, PA | FIXED, NO_FILE, 0);
    lay(w);
    do_mmap(w, at(0), big, RW, SHARED | ANON | FIXED | MW_MAP_NORESERVE, NO_FILE, 0);
    lay(w);
}

/* sealed mappings are not replaced (SEAL-1) */
SCENARIO(mmap_over_sealed)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    seal(w, 2, 2);
    lay(w);
    anon(w, 0, 6, RO);
    anon(w, 3, 1, RO);
    anon(w, 0, 2, RO);
    lay(w);
    data(w, 0, 6);
}

/* dddd, then d in its middle under mlockall: not locked, present, and apart (MMAP-22) */
SCENARIO(mmap_droppable_under_mlockall)
{
    do_mmap(w, at(0), 4 * PAGE, RW, MW_MAP_DROPPABLE | ANON | FIXED, NO_FILE, 0);
    lock_all(w, MW_MCL_FUTURE | MW_MCL_ONFAULT);
    do_mmap(w, at(1), PAGE, RW, MW_MAP_DROPPABLE | ANON | FIXED, NO_FILE, 0);
    lay(w);
    count(w);
}

/* the offset of an anonymous mapping counts for nothing, not even for its size (MMAP-2, FAULT-3) */
SCENARIO(mmap_anonymous_offset_is_no_size)
{
    do_mmap(w, at(0), 2 * PAGE, RW, SHARED | ANON | FIXED, NO_FILE, 952 * PAGE);
    move(w, 0, 2, 4, 0, 0);
    data(w, 0, 4);
    lay(w);
}
