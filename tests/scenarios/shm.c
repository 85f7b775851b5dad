/* SPDX-License-Identifier: MIT */
/* shm.c - scenarios of shmat(2) and shmdt(2). */
#include "scenario.h"

#define RND MW_SHM_RND
#define REMAP MW_SHM_REMAP
#define RDONLY MW_SHM_RDONLY
#define EXEC MW_SHM_EXEC

/* What the attachment and its pieces look like. */
static void see(struct world *w, int s)
{
    lay(w);
    attached(w, s);
}

static void clear(struct world *w, int s)
{
    do_munmap(w, at(-1000), 4000 * PAGE);
    attached(w, s);
}

/* addresses, rounded and not; a bad id (SHM-1, SHM-2) */
SCENARIO(shmat_addresses)
{
    int s = segment(w, 4 * PAGE, 0666);
    do_shmat(w, s, at(0) + 1, 0);
    do_shmat(w, s, at(1), 0);
    detach(w, 1);
    do_shmat(w, s, at(1) + 5, RND);
    detach(w, 1);
    do_shmat(w, s, at(2) - 1, RND | REMAP);
    clear(w, s);
    do_shmat(w, s, 0, REMAP);
    do_shmat(w, s, 5, RND | REMAP);
    do_shmat(w, s, 5, REMAP);
    do_shmat(w, NO_FILE, at(0) + 1, 0);
    do_shmat(w, NO_FILE, at(0), 0);
    do_shmat(w, NO_FILE, 0, REMAP);
    do_shmat(w, s, at(0), 0xffff0000);
    lay(w);
    clear(w, s);
    do_shmat(w, s, at(0), 1ull << 32 | RDONLY);
    do_shmat(w, s, at(8), 0xffff | RND);
    see(w, s);
    clear(w, s);
}

/* the first page, which RND may round to, is an address like others (SHM-1, MMAP-6) */
SCENARIO(shmat_at_zero)
{
    int s = segment(w, PAGE, 0666);
    do_shmat(w, s, 5, RND);
    do_shmdt(w, 0);
    do_mmap(w, 0, PAGE, RW, PRIV | ANON | FIXED, NO_FILE, 0);
    do_shmat(w, s, 5, RND);
    attached(w, s);
    do_shmdt(w, 0);
    drop_privileges(w);
    do_shmat(w, s, 5, RND);
}

/* the end of user space, sums that wrap (SHM-4, SHM-5) */
SCENARIO(shmat_ends)
{
    int s = segment(w, 2 * PAGE - 96, 0666);
    for (int i = 0; i < 2; i++) {
        uint64_t how = i ? REMAP : 0;
        do_shmat(w, s, TASK_END, how);
        do_shmat(w, s, TASK_END - PAGE, how);
        do_shmat(w, s, KERNEL_HALF, how);
        do_shmat(w, s, 0ull - 2 * PAGE, how);
        do_shmat(w, s, 0ull - PAGE, how);
        do_shmat(w, s, 0ull - PAGE + 1, RND | how);
        do_shmdt(w, TASK_END);
        do_shmdt(w, KERNEL_HALF);
        do_shmdt(w, 0ull - PAGE);
    }
}

/* protections and what they may become (SHM-3, MMAP-19) */
SCENARIO(shmat_protections)
{
    static const uint64_t how[] = { 0, RDONLY, EXEC, EXEC | RDONLY };
    int s = segment(w, 3 * PAGE, 0666);
    for (int i = 0; i < 4; i++) {
        attach(w, s, 0, how[i]);
        flags_of(w, 0);
        store(w, 1, 5);
        data(w, 0, 3);
        protect(w, 0, 1, RW);
        protect(w, 1, 1, RX);
        protect(w, 2, 1, NONE);
        see(w, s);
        count(w);
        detach(w, 0);
    }
}

/* root may do all, others what the segment allows (SHM-3) */
SCENARIO(shmat_permissions)
{
    static const uint64_t how[] = { 0, RDONLY, EXEC, EXEC | RDONLY };
    static const uint32_t perm[] = { 0, 0222, 0444, 0555, 0666, 0777 };
    for (int k = 0; k < 4; k++)
        segment(w, PAGE, perm[k]);
    do_shmat(w, 0, at(0), EXEC);
    do_shmat(w, 0, at(2), REMAP);
    drop_privileges(w);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 4; i++)
            do_shmat(w, k, at(10 * k + i), how[i]);
    do_shmat(w, 0, at(0) + 1, 0); /* SHM-1 comes first, */
    do_shmat(w, 0, at(10), 0);    /* and SHM-4 after it */
    do_shmat(w, 2, at(20), 0);
    do_shmat(w, 2, at(20), RDONLY);
    protect(w, 21, 1, RX);
    protect(w, 21, 1, RW);
    lay(w);
}

/* what is in the way (SHM-4): a whole one, a page, a guard, something sealed */
SCENARIO(shmat_taken)
{
    int s = segment(w, 4 * PAGE, 0666), t = segment(w, 4 * PAGE, 0666);
    anon(w, 3, 1, RW);
    attach(w, s, 0, 0);
    attach(w, s, 4, 0);
    attach(w, s, 0, REMAP);
    lay(w);
    attach(w, t, 2, REMAP);
    see(w, s);
    attach(w, s, 3, 0);
    clear(w, s);
    mapped(w, 5, 1, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    attach(w, s, 0, 0);
    attach(w, s, 2, REMAP);
    lay(w);
    clear(w, s);
    anon(w, 0, 4, RW);
    seal(w, 2, 1);
    attach(w, s, 0, 0);
    attach(w, s, 0, REMAP);
    see(w, s);
}

/* the kernel chooses; what it asks of a mapping (SHM-5) */
SCENARIO(shmat_anywhere)
{
    int s = segment(w, 5 * PAGE, 0666), big = segment(w, 2 * HUGE_PAGE + PAGE, 0666);
    do_shmat(w, s, 0, 0);
    attached(w, s);
    do_shmat(w, big, 0, 0);
    do_shmat(w, big, 0, RND);
    do_shmdt(w, w->last);
    attached(w, big);
    do_mmap(w, 0, 2 * HUGE_PAGE, RW, PRIV | ANON, NO_FILE, 0);
    do_shmat(w, big, 0, RDONLY);
    limit(w, MW_LIMIT_AS, 4);
    do_shmat(w, s, 0, 0);
    attach(w, s, 0, 0);
    see(w, s);
}

SCENARIO(shmat_limits)
{
    int s = segment(w, 5 * PAGE, 0666);
    limit(w, MW_LIMIT_DATA, 0);
    attach(w, s, 0, 0);
    drop_privileges(w);
    limit(w, MW_LIMIT_MEMLOCK, 7);
    lock_all(w, MW_MCL_FUTURE);
    attach(w, s, 10, 0);
    present(w, 10, 5);
    attach(w, s, 20, 0);
    lock_all(w, MW_MCL_FUTURE | MW_MCL_ONFAULT);
    attach(w, s, 20, 0);
    count(w);
    unlock_all(w);
    attach(w, s, 20, 0);
    present(w, 20, 5);
    fill_map_count(w, 1000);
    attach(w, s, 40, 0);
    attach(w, s, 40, 0);
    attach(w, s, 40, REMAP);
}

/* pieces of one attachment go together: [ s )[ r )[ s ), with and without gaps (SHM-6) */
SCENARIO(shmdt_pieces)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    touch(w, 0, 4);
    protect(w, 1, 1, RO);
    see(w, s);
    do_shmdt(w, at(1));
    do_shmdt(w, at(0) + 5);
    do_shmdt(w, at(-1));
    detach(w, 0);
    attached(w, s);
    attach(w, s, 0, 0);
    data(w, 0, 4);
    unmap(w, 1, 1);
    detach(w, 0);
    attach(w, s, 0, 0);
    unmap(w, 0, 1);
    do_shmdt(w, at(1));
    detach(w, 0);
    attach(w, s, 0, 0);
    anon(w, 1, 1, RW);
    detach(w, 0);
    clear(w, s);
    attach(w, s, 0, 0);
    unmap(w, 0, 2);
    anon(w, 0, 2, RW);
    detach(w, 0);
    do_shmdt(w, at(0));
    attached(w, s);
}

/* a moved piece is known by where its start would be (SHM-6) */
SCENARIO(shmdt_moved)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    move(w, 2, 2, 2, FIX, 10);
    see(w, s);
    do_shmdt(w, at(10));
    detach(w, 8);
    detach(w, 0);
    attach(w, s, 0, 0);
    move(w, 2, 2, 2, FIX, 10);
    detach(w, 0);
    detach(w, 8);
    attach(w, s, 0, 0);
    move(w, 0, 2, 2, FIX, 10);
    detach(w, 0);
    detach(w, 10);
    attached(w, s);
    attach(w, s, 0, 0);
    move(w, 0, 1, 1, FIX, 2);
    detach(w, 0);
    detach(w, 2);
    attach(w, s, 0, 0);
    move(w, 0, 4, 4, DUF, 10);
    see(w, s);
    detach(w, 0);
    detach(w, 10);
    attached(w, s);
}

/* duplicates, as those who live by mremap's old size 0 make them (MREMAP-27, SHM-7) */
SCENARIO(shm_duplicates)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    touch(w, 0, 4);
    move(w, 0, 0, 4, FIX, 4);
    see(w, s);
    store(w, 5, 77);
    data(w, 0, 8);
    detach(w, 0);
    data(w, 4, 4);
    detach(w, 4);
    attached(w, s);
    attach(w, s, 0, 0);
    data(w, 0, 4);
    move(w, 1, 0, 3, FIX, 4);
    do_shmdt(w, at(4));
    detach(w, 3);
    move(w, 0, 0, 8, FIX, 8);
    data(w, 8, 8);
    move(w, 0, 0, 4, MAY, 0);
    attached(w, s);
    do_shmdt(w, w->last);
    detach(w, 8);
    detach(w, 0);
    attached(w, s);
}

/* a duplicate, and what DONTUNMAP leaves, are of the same attachment as their source (SHM-7) */
SCENARIO(shm_stays_one)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    move(w, 0, 0, 4, FIX, 20);
    unmap(w, 2, 2);
    move(w, 22, 2, 2, FIX, 2);
    see(w, s);
    clear(w, s);
    attach(w, s, 0, 0);
    move(w, 0, 4, 4, DUF, 10);
    unmap(w, 2, 2);
    move(w, 12, 2, 2, FIX, 2);
    see(w, s);
}

/* two attachments, the pieces of one where the other's should be (SHM-6) */
SCENARIO(shmdt_two)
{
    int s = segment(w, 8 * PAGE, 0666), t = segment(w, 8 * PAGE, 0666);
    attach(w, s, 0, 0);
    unmap(w, 4, 4);
    attach(w, s, 20, 0);
    move(w, 24, 4, 4, FIX, 4);
    see(w, s);
    detach(w, 0);
    detach(w, 0);
    detach(w, 20);
    attached(w, s);
    attach(w, s, 0, 0);
    unmap(w, 1, 7);
    attach(w, t, 1, 0);
    unmap(w, 1, 1);
    see(w, s);
    detach(w, 0);
    detach(w, 1);
    attach(w, t, 0, 0);
    unmap(w, 0, 2);
    attach(w, s, -6, 0);
    detach(w, -6);
    detach(w, 0);
}

/* what has grown beyond the segment: its first piece always goes, others do not (SHM-6) */
SCENARIO(shmdt_beyond)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    move(w, 0, 4, 8, 0, 0);
    attached(w, s);
    data(w, 0, 8);
    protect(w, 5, 1, RO);
    see(w, s);
    detach(w, 0);
    detach(w, 0);
    detach(w, 0);
    attached(w, s);
    attach(w, s, 0, 0);
    move(w, 0, 4, 2, 0, 0);
    attach(w, s, 2, 0);
    detach(w, 0);
    detach(w, 2);
}

/* sealed pieces stay, and that is no failure (SHM-6, SEAL-1) */
SCENARIO(shmdt_sealed)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    seal(w, 1, 1);
    detach(w, 0);
    attached(w, s);
    detach(w, 0);
    attach(w, s, 0, REMAP);
}

/* a child's pieces count too, and are its own to detach (SHM-7, FORK-1) */
SCENARIO(shm_forked)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    touch(w, 0, 4);
    protect(w, 1, 1, RO);
    advise(w, 3, 1, MW_MADV_DONTFORK);
    attach(w, s, 20, 0);
    see(w, s);
    forked(w);
    see(w, s);
    data(w, 0, 4);
    store(w, 2, 9);
    data(w, 20, 4);
    attach(w, s, 10, 0);
    move(w, 12, 2, 2, FIX, 30);
    move(w, 0, 1, 1, FIX, 28); /* of another attachment than what lies there */
    lay(w);
    detach(w, 28);
    detach(w, 0);
    detach(w, 10);
    detach(w, 20);
    attached(w, s);
}

/* neighbours merge where no mapping is lost by it (MERGE-5) */
SCENARIO(shm_merges)
{
    int s = segment(w, 8 * PAGE, 0666);
    attach(w, s, 0, 0);
    move(w, 0, 0, 2, FIX, 10);
    move(w, 4, 0, 2, FIX, 14);
    move(w, 2, 0, 2, FIX, 12);
    see(w, s);
    clear(w, s);
    attach(w, s, 0, 0);
    protect(w, 0, 2, RO);
    protect(w, 2, 2, RO);
    see(w, s);
    protect(w, 6, 2, RO);
    protect(w, 5, 1, RO);
    see(w, s);
    protect(w, 0, 8, RW);
    see(w, s);
    clear(w, s);
    attach(w, s, 0, 0);
    protect(w, 2, 2, RO);
    protect(w, 2, 1, RW);
    protect(w, 3, 1, RW);
    see(w, s);
    lock(w, 4, 2);
    lock(w, 6, 1);
    unlock(w, 4, 4);
    see(w, s);
    clear(w, s);
    attach(w, s, 0, 0);
    move(w, 4, 4, 4, FIX, 20);
    move(w, 20, 4, 4, FIX, 4);
    see(w, s);
    move(w, 0, 4, 4, FIX, 20);
    move(w, 20, 4, 4, FIX, 0);
    see(w, s);
    move(w, 2, 2, 2, FIX, 20);
    move(w, 20, 2, 2, FIX, 2);
    see(w, s);
    clear(w, s);
    attach(w, s, 0, 0);
    unmap(w, 4, 1);
    move(w, 0, 4, 5, 0, 0);
    see(w, s);
    move(w, 5, 3, 3, DUF, 30);
    see(w, s);
}

/* several mappings at once: a segment can't take part (MREMAP-26) */
SCENARIO(shm_moves_alone)
{
    int s = segment(w, 4 * PAGE, 0666);
    anon(w, 0, 1, RW);
    attach(w, s, 1, 0);
    move(w, 0, 5, 5, FIX, 20);
    see(w, s);
    protect(w, 1, 1, RO);
    move(w, 1, 4, 4, FIX, 40);
    see(w, s);
}

/* the rest of the last page is there, a page behind it is not (SHM-8, FAULT-3) */
SCENARIO(shm_odd_size)
{
    int s = segment(w, PAGE + 100, 0666);
    attach(w, s, 0, 0);
    store(w, 1, 4);
    store_at(w, at(2) - 4, 5);
    data_at(w, at(2) - 4, 1);
    move(w, 0, 2, 4, 0, 0);
    data(w, 0, 3);
    lay(w);
    detach(w, 0);
    attach(w, s, 10, 0);
    data(w, 10, 2);
}

/* segments of huge pages (SHM-8, HUGETLB-5) */
SCENARIO(shm_huge)
{
    huge(w);
    int s = huge_segment(w, 3 * HUGE_PAGE);
    attach(w, s, 1, 0);
    attach(w, s, 1, RND);
    attach(w, s, 0, 0);
    lay(w);
    flags_of(w, 0);
    huge_touch(w, 0, 2);
    protect(w, HUGE_PAGES(1), 512, RO);
    protect(w, HUGE_PAGES(1), 512, RW);
    see(w, s);
    unmap(w, HUGE_PAGES(1) + 1, 1);
    unmap(w, HUGE_PAGES(1), 512);
    huge_move(w, 0, 0, 1, FIX, 40);
    huge_move(w, 0, 1, 1, FIX, 40);
    see(w, s);
    detach(w, 0);
    detach(w, HUGE_PAGES(40));
    attached(w, s);
    attach(w, s, HUGE_PAGES(4), 0);
    huge_data(w, 4, 3);
}

/* advice of a segment: as of shared memory (ADVICE-5, ADVICE-9) */
SCENARIO(shm_advised)
{
    int s = segment(w, 4 * PAGE, 0666);
    attach(w, s, 0, 0);
    touch(w, 0, 4);
    advise(w, 0, 1, MW_MADV_REMOVE);
    advise(w, 1, 1, MW_MADV_DONTNEED);
    advise(w, 0, 1, MW_MADV_FREE);
    advise(w, 0, 1, MW_MADV_WIPEONFORK);
    advise(w, 2, 1, MW_MADV_GUARD_INSTALL);
    data(w, 0, 4);
    do_msync(w, at(0), 4 * PAGE, MW_MS_SYNC);
    do_mincore(w, at(0), 4 * PAGE);
    see(w, s);
    detach(w, 0);
}
