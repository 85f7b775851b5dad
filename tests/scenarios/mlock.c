/* SPDX-License-Identifier: MIT */
/* mlock.c - scenarios of mlock(2), mlock2(2), munlock(2), mlockall(2) and munlockall(2). */
#include "scenario.h"

#define RWF (MW_FILE_READ | MW_FILE_WRITE)

/* arguments: rounding, wrapping, the end of the address space (LOCK-1, LOCK-5, LOCK-6) */
SCENARIO(mlock_arguments)
{
    anon(w, 0, 6, RW);
    do_mlock(w, at(1) + 1, 1);
    do_mlock(w, at(2) + 4095, 2);
    lay(w);
    do_mlock(w, at(0), 0);
    do_mlock(w, at(0) + 1, 0);
    do_mlock(w, at(20), 0);
    lay(w);
    do_mlock(w, at(0), ~0ull);
    do_mlock(w, at(0) + 1, ~0ull);
    do_mlock(w, at(0), ~0ull - PAGE);
    do_mlock(w, at(0), 0ull - at(0));
    do_mlock(w, TASK_END, PAGE);
    do_mlock(w, KERNEL_HALF, PAGE);
    do_mlock(w, 0ull - PAGE, PAGE);
    do_munlock(w, at(0), ~0ull);
    do_munlock(w, at(0), ~0ull - PAGE);
    do_munlock(w, at(20), 0);
    do_munlock(w, at(20), PAGE);
    do_munlock(w, at(2) + 5, 1);
    lay(w);
    count(w);
}

/* mlock2: flags (LOCK-2) */
SCENARIO(mlock_flags)
{
    anon(w, 0, 4, RW);
    for (uint64_t f = 2; f; f <<= 7)
        do_mlock2(w, at(0), PAGE, f);
    do_mlock2(w, at(0), PAGE, 3);
    do_mlock2(w, at(20), PAGE, 2);
    do_mlock2(w, at(0), PAGE, 1ull << 32);
    do_mlock2(w, at(0), 2 * PAGE, 0);
    do_mlock2(w, at(2), 2 * PAGE, MW_MLOCK_ONFAULT);
    flags_of(w, 0);
    flags_of(w, 2);
    present(w, 0, 4);
    lay(w);
    count(w);
}

/* aaaaaa: locked in the middle, one of it on fault, and back again (LOCK-6, LOCK-10) */
SCENARIO(mlock_parts)
{
    anon(w, 0, 6, RW);
    lock(w, 2, 2);
    lay(w);
    present(w, 0, 6);
    count(w);
    do_mlock2(w, at(1), 2 * PAGE, MW_MLOCK_ONFAULT);
    lay(w);
    present(w, 0, 6);
    for (int64_t i = 0; i < 5; i++)
        flags_of(w, i);
    count(w);
    lock(w, 1, 1);
    flags_of(w, 1);
    present(w, 0, 6);
    lay(w);
    unlock(w, 0, 6);
    flags_of(w, 2);
    lay(w);
    count(w);
}

/* aa.rr: up to the hole, which is not populated (LOCK-6) */
SCENARIO(mlock_hole)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RO);
    lock(w, 0, 5);
    lay(w);
    flags_of(w, 0);
    flags_of(w, 3);
    present(w, 0, 5);
    lock(w, 2, 2);
    lock(w, 1, 2);
    present(w, 0, 5);
    unlock(w, 1, 3);
    flags_of(w, 0);
    flags_of(w, 1);
    lay(w);
    count(w);
}

/* what can't be made present: PROT_NONE, beyond the end of a file (LOCK-8) */
SCENARIO(mlock_absent)
{
    int f = file_of(w, FILE_MEM, 2, RWF);
    anon(w, 0, 2, RW);
    anon(w, 2, 2, NONE);
    anon(w, 4, 2, RW);
    lock(w, 0, 6);
    lay(w);
    present(w, 0, 6);
    count(w);
    filemap(w, 10, 4, RW, SHARED, f, 0);
    anon(w, 14, 2, RW);
    lock(w, 10, 6);
    present(w, 10, 6);
    lay(w);
    filemap(w, 20, 4, RW, PRIV, f, 0);
    lock(w, 20, 4);
    present(w, 20, 4);
    touch(w, 23, 1);
    anon(w, 24, 2, RW);
    lay(w);
    filemap(w, 30, 4, RO, PRIV, f, 1);
    do_mlock2(w, at(30), 4 * PAGE, MW_MLOCK_ONFAULT);
    present(w, 30, 4);
    count(w);
}

/* each protection: what is present, what is touched by it (LOCK-8) */
SCENARIO(mlock_protections)
{
    static const uint32_t prots[] = { RO, WO, RW, RX, RWX, MW_PROT_WRITE | MW_PROT_EXEC };
    for (int64_t i = 0; i < 6; i++) {
        anon(w, i * 4, 2, prots[i]);
        lock(w, i * 4, 2);
        present(w, i * 4, 2);
        unlock(w, i * 4, 2);
        move(w, i * 4, 2, 2, FIX, 100 + i * 4); /* merges only if untouched */
        anon(w, 100 + i * 4 + 2, 2, prots[i]);
    }
    lay(w);
    shanon(w, 40, 2, RW);
    lock(w, 40, 2);
    present(w, 40, 2);
    count(w);
}

/* a page that is read only so far is copied for good (LOCK-8) */
SCENARIO(mlock_breaks_copy)
{
    int f = file_of(w, FILE_MEM, 4, RWF);
    anon(w, 0, 2, RW);
    data(w, 0, 2);
    lock(w, 0, 2);
    data(w, 0, 2);
    filemap(w, 4, 2, RW, PRIV, f, 0);
    filemap(w, 8, 2, RW, SHARED, f, 0);
    data(w, 4, 2);
    lock(w, 4, 2);
    touch(w, 8, 2);
    data(w, 4, 2);
}

/* RLIMIT_MEMLOCK in pages; what is locked already counts once (LOCK-4) */
SCENARIO(mlock_limit)
{
    anon(w, 0, 20, RW);
    limit(w, MW_LIMIT_MEMLOCK, 5);
    drop_privileges(w);
    lock(w, 0, 6);
    lock(w, 0, 5);
    lock(w, 2, 4);
    lock(w, 2, 3);
    lock(w, 5, 1);
    lock(w, 30, 1);
    do_mlock2(w, at(1), 2 * PAGE, MW_MLOCK_ONFAULT);
    do_mlock(w, at(0), ~0ull);
    do_mlock(w, at(0), ~0ull - PAGE);
    lock(w, 30, 1);
    lay(w);
    unlock(w, 1, 1);
    lock(w, 1, 2);
    lock(w, 10, 1);
    lock(w, 0, 20);
    count(w);
    lock_all(w, MW_MCL_FUTURE);
    lock_all(w, MW_MCL_CURRENT);
    lock_all(w, MW_MCL_CURRENT | MW_MCL_FUTURE);
    anon(w, 40, 1, RW);
    unlock(w, 0, 1);
    anon(w, 40, 1, RW);
    unlock_all(w);
    count(w);
    lay(w);
}

/* the same with a limit that is no multiple of the page */
SCENARIO(mlock_limit_in_bytes)
{
    anon(w, 0, 8, RW);
    w->ops->limit(w, MW_LIMIT_MEMLOCK, 3 * PAGE - 1);
    drop_privileges(w);
    lock(w, 0, 3);
    lock(w, 0, 2);
    w->ops->limit(w, MW_LIMIT_MEMLOCK, PAGE);
    lock(w, 0, 2);
    lock(w, 1, 1);
    lock(w, 2, 1);
    w->ops->limit(w, MW_LIMIT_MEMLOCK, PAGE - 1);
    lock(w, 1, 1);
    do_mlock(w, at(0), 0);
    count(w);
}

/* a limit of 0: EPERM before all but the flags (LOCK-3) */
SCENARIO(mlock_forbidden)
{
    anon(w, 0, 4, RW);
    lock(w, 0, 2);
    limit(w, MW_LIMIT_MEMLOCK, 0);
    drop_privileges(w);
    lock(w, 0, 1);
    do_mlock(w, at(0), 0);
    lock(w, 30, 1);
    do_mlock(w, at(0), ~0ull - PAGE);
    do_mlock2(w, at(0), PAGE, 8);
    do_mlock2(w, at(0), PAGE, 1);
    lock_all(w, MW_MCL_CURRENT);
    lock_all(w, MW_MCL_FUTURE);
    lock_all(w, 0);
    lock_all(w, 8);
    unlock(w, 0, 1);
    count(w);
    unlock_all(w);
    count(w);
}

/* shared, stacks, noreserve, huge, droppable: what is locked (LOCK-10) */
SCENARIO(mlock_kinds)
{
    int f = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    shanon(w, 0, 2, RW);
    filemap(w, 2, 2, RO, SHARED, f, 0);
    filemap(w, 4, 2, RW, PRIV, f, 2);
    mapped(w, 6, 2, RW, PRIV | ANON | MW_MAP_NORESERVE);
    mapped(w, 300, 2, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    lock(w, 0, 8);
    for (int64_t i = 0; i < 8; i += 2)
        flags_of(w, i);
    present(w, 0, 8);
    lock(w, 300, 2);
    store(w, 298, 1);
    present(w, 298, 4);
    lay(w);
    count(w);
    lock(w, -1000, 1);
}

/* droppable memory is never locked (LOCK-10) */
SCENARIO(mlock_droppable)
{
    do_mmap(w, at(0), 4 * PAGE, RW, MW_MAP_DROPPABLE | ANON | FIXED, NO_FILE, 0);
    lock(w, 1, 2);
    present(w, 0, 4);
    do_mlock2(w, at(0), PAGE, MW_MLOCK_ONFAULT);
    flags_of(w, 1);
    lay(w);
    count(w);
    lock_all(w, MW_MCL_CURRENT);
    flags_of(w, 1);
    lay(w);
}

/* nor are huge pages (LOCK-10) */
SCENARIO(mlock_huge)
{
    huge(w);
    huge_map(w, 0, 2, RW, PRIV);
    lock(w, 3, 600);
    pool(w);
    lay(w);
    count(w);
    unlock(w, 3, 1);
    huge_map(w, 4, 1, RW, PRIV);
    do_mlock2(w, at(HUGE_PAGES(4)), PAGE, MW_MLOCK_ONFAULT);
    pool(w);
}

/* mlockall: flags (LOCK-9) */
SCENARIO(mlockall_flags)
{
    anon(w, 0, 2, RW);
    lock_all(w, 0);
    lock_all(w, MW_MCL_ONFAULT);
    for (uint64_t f = 8; f < 1ull << 34; f <<= 5)
        lock_all(w, f);
    lock_all(w, 15);
    flags_of(w, 0);
    lock_all(w, MW_MCL_FUTURE | MW_MCL_ONFAULT);
    flags_of(w, 0);
    anon(w, 4, 2, RW);
    flags_of(w, 4);
    lock_all(w, MW_MCL_FUTURE);
    anon(w, 8, 2, RW);
    flags_of(w, 8);
}

/* MCL_CURRENT: everything, for once; a new call forgets what the one before said of the future (LOCK-9) */
SCENARIO(mlockall_current)
{
    int f = file_of(w, FILE_MEM, 2, RWF);
    anon(w, 0, 2, RW);
    anon(w, 2, 2, NONE);
    anon(w, 4, 2, RO);
    filemap(w, 6, 4, RW, SHARED, f, 0);
    shanon(w, 12, 2, RW);
    lock_all(w, MW_MCL_CURRENT | MW_MCL_FUTURE);
    for (int64_t i = 0; i < 14; i += 2)
        flags_of(w, i);
    present(w, 0, 14);
    anon(w, 20, 2, RW);
    flags_of(w, 20);
    lock_all(w, MW_MCL_CURRENT | MW_MCL_ONFAULT);
    flags_of(w, 0);
    flags_of(w, 4);
    flags_of(w, 20);
    anon(w, 24, 2, RW);
    flags_of(w, 24);
    present(w, 24, 2);
    lay(w);
    unlock_all(w);
    flags_of(w, 0);
    flags_of(w, 20);
    lay(w);
    count(w);
}

/* MCL_CURRENT with MCL_ONFAULT: nothing becomes present (LOCK-9) */
SCENARIO(mlockall_onfault)
{
    anon(w, 0, 4, RW);
    lock(w, 1, 1);
    lock_all(w, MW_MCL_CURRENT | MW_MCL_FUTURE | MW_MCL_ONFAULT);
    present(w, 0, 4);
    lay(w);
    flags_of(w, 1);
    anon(w, 4, 2, RW);
    lay(w);
    present(w, 0, 6);
    lock(w, 2, 1);
    lay(w);
    unlock_all(w);
    anon(w, 6, 2, RW);
    lay(w);
    flags_of(w, 6);
}

/* unlocked at the limit of mappings: cuts are refused, whole mappings are not (LOCK-7) */
SCENARIO(mlock_map_count)
{
    anon(w, 0, 6, RW);
    anon(w, 10, 6, RW);
    anon(w, 20, 6, RW);
    fill_map_count(w, 1000);
    lock(w, 11, 1);
    lock(w, 0, 6);
    lock(w, 20, 1);
    unlock(w, 1, 1);
    unmap(w, 1000, 2);
    lock(w, 11, 1);
    count(w);
    lock(w, 20, 2);
    unmap(w, 1002, 3);
    lock(w, 21, 2);
    lock(w, 12, 1);
    lock(w, 12, 2);
    count(w);
}

/* sealed memory can be locked and unlocked (SEAL-1 does not hold here) */
SCENARIO(mlock_sealed)
{
    anon(w, 0, 4, RW);
    seal(w, 0, 4);
    lock(w, 1, 2);
    lay(w);
    flags_of(w, 1);
    unlock(w, 0, 4);
    lay(w);
}

/* locked and unlocked pieces merge when they are alike again (LOCK-10, MERGE-1) */
SCENARIO(mlock_merges)
{
    anon(w, 0, 2, RW);
    lock(w, 0, 2);
    anon(w, 2, 2, RW);
    lay(w);
    lock(w, 2, 2);
    lay(w);
    anon(w, 4, 2, RW);
    touch(w, 4, 1);
    lock(w, 4, 1);
    lay(w);
    lock(w, 5, 1);
    lay(w);
    anon(w, 10, 6, RW);
    lock(w, 12, 2);
    touch(w, 10, 1);
    touch(w, 15, 1);
    unlock(w, 12, 2);
    lay(w);
}

/* a child's memory is not locked, and its future neither (FORK-1) */
SCENARIO(mlock_fork)
{
    anon(w, 0, 2, RW);
    lock_all(w, MW_MCL_CURRENT | MW_MCL_FUTURE);
    forked(w);
    flags_of(w, 0);
    anon(w, 4, 2, RW);
    flags_of(w, 4);
}

/* on fault: nothing is populated, so nothing can fail (LOCK-8) */
SCENARIO(mlock_onfault_protections)
{
    static const uint32_t prots[] = { RO, WO, RW, RX, NONE, XO };
    int f = file_of(w, FILE_MEM, 2, RWF);
    for (int64_t i = 0; i < 6; i++) {
        anon(w, i * 4, 2, prots[i]);
        do_mlock2(w, at(i * 4), 2 * PAGE, MW_MLOCK_ONFAULT);
        flags_of(w, i * 4);
        filemap(w, 40 + i * 4, 3, prots[i], PRIV, f, 0);
        do_mlock2(w, at(40 + i * 4), 3 * PAGE, MW_MLOCK_ONFAULT);
        filemap(w, 80 + i * 4, 3, prots[i], SHARED, f, 0);
        do_mlock2(w, at(80 + i * 4), 3 * PAGE, MW_MLOCK_ONFAULT);
        present(w, i * 4, 2);
    }
    lay(w);
}

/* what is for execution only, which some CPUs can't read (LOCK-8) */
SCENARIO(mlock_exec_only)
{
    anon(w, 0, 2, XO);
    lock(w, 0, 2);
    present(w, 0, 2);
    advise(w, 0, 2, MW_MADV_POPULATE_READ);
}
