/* SPDX-License-Identifier: MIT */
/* remap_file_pages.c - scenarios of remap_file_pages(2). */
#include "scenario.h"
#include "world_watch.h"

#define RWF (MW_FILE_READ | MW_FILE_WRITE)

static int shared_file(struct world *w)
{
    int f = file_of(w, FILE_MEM, 16, RWF);
    filemap(w, 0, 8, RW, SHARED, f, 0);
    return f;
}

static void again(struct world *w, int f)
{
    unmap(w, -1, 10);
    filemap(w, 0, 8, RW, SHARED, f, 0);
}

/* ssssssss: pages 1 and 2 show pages 5 and 6, and their own again (REMAPF-5) */
SCENARIO(remapf_moves_pages)
{
    int f = shared_file(w);
    remap(w, 1, 2, 5);
    lay(w);
    data(w, 0, 8);
    store(w, 1, 77);
    remap(w, 4, 1, 5);
    data(w, 0, 8);
    lay(w);
    remap(w, 1, 4, 1);
    lay(w);
    data(w, 0, 8);
    again(w, f);
    remap(w, 0, 8, 0);
    lay(w);
    remap(w, 6, 2, 15);
    data(w, 6, 2);
    remap(w, 0, 2, 1ull << 40);
    data(w, 0, 2);
    count(w);
}

/* protection, sizes, pages, addresses (REMAPF-1, REMAPF-2, REMAPF-3) */
SCENARIO(remapf_arguments)
{
    static const uint64_t indices[] = {
        ~0ull, ~0ull - 1, ~0ull - 2, 1ull << 52, (1ull << 52) - 2, 1ull << 51, (1ull << 51) - 1,
        (1ull << 51) - 2, (1ull << 51) - 3,
    };
    static const uint64_t sizes[] = { 0, 5, PAGE - 1, PAGE, 2 * PAGE + 5, ~0ull, 0ull - PAGE, 1ull << 63 };
    int f = shared_file(w);
    do_remap_file_pages(w, at(1), PAGE, 1, 5, 0);
    do_remap_file_pages(w, at(1), PAGE, 1ull << 32, 5, 0);
    do_remap_file_pages(w, at(1), PAGE, 8, 5, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        do_remap_file_pages(w, at(1), sizes[i], 0, 5, 0);
        do_remap_file_pages(w, at(2) - 1, sizes[i], 0, 9, 0);
        lay(w);
        again(w, f);
    }
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        do_remap_file_pages(w, at(0), 2 * PAGE, 0, indices[i], 0);
        do_remap_file_pages(w, at(0), PAGE, 0, indices[i], 0);
        lay(w);
        again(w, f);
    }
    remap(w, -1, 2, 5);
    remap(w, 20, 1, 5);
    remap(w, 7, 2, 5);
    do_remap_file_pages(w, 0, PAGE, 0, 0, 0);
    do_remap_file_pages(w, TASK_END, PAGE, 0, 0, 0);
    do_remap_file_pages(w, KERNEL_HALF, PAGE, 0, 0, 0);
    do_remap_file_pages(w, 0ull - PAGE, PAGE, 0, 0, 0);
    do_remap_file_pages(w, at(1), PAGE, 0, 5, ~0ull);
    do_remap_file_pages(w, at(3), PAGE, 0, 5, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_LOCKED);
    lay(w);
    flags_of(w, 3);
}

/* what can't be remapped, and what several mappings must have in common (REMAPF-3) */
SCENARIO(remapf_kinds)
{
    int f = shared_file(w), g = file_of(w, FILE_MEM, 16, RWF), ro = file_of(w, FILE_MEM, 16, MW_FILE_READ);
    unmap(w, 3, 1);
    remap(w, 2, 3, 5);
    again(w, f);
    remap(w, 2, 1, 9);
    remap(w, 1, 3, 3);
    lay(w);
    protect(w, 2, 1, RO);
    remap(w, 1, 3, 3);
    remap(w, 2, 1, 6);
    lay(w);
    again(w, f);
    filemap(w, 2, 2, RW, SHARED, g, 0);
    remap(w, 1, 2, 6);
    remap(w, 2, 2, 6);
    lay(w);
    filemap(w, 0, 8, RO, SHARED, ro, 0);
    remap(w, 1, 2, 6);
    filemap(w, 0, 8, RW, PRIV, f, 0);
    remap(w, 1, 2, 6);
    anon(w, 0, 8, RW);
    remap(w, 1, 2, 6);
    shanon(w, 0, 8, RW);
    touch(w, 0, 8);
    remap(w, 1, 2, 3);
    data(w, 0, 8);
    remap(w, 1, 2, 20);
    data(w, 0, 4);
    lay(w);
}

/* the protection stays, the other flags do not; they must be equal (REMAPF-3, REMAPF-6) */
SCENARIO(remapf_flags)
{
    static const uint32_t prots[] = { NONE, RO, WO, RX, RWX };
    static const uint64_t advice[] = { MW_MADV_DONTFORK, MW_MADV_DONTDUMP, MW_MADV_RANDOM, MW_MADV_SEQUENTIAL,
                                       MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE };
    int f = shared_file(w);
    for (size_t i = 0; i < sizeof prots / sizeof prots[0]; i++) {
        protect(w, 0, 8, prots[i]);
        remap(w, 2, 2, 6);
        flags_of(w, 2);
        lay(w);
        again(w, f);
    }
    for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++) {
        advise(w, 2, 2, advice[i]);
        remap(w, 1, 2, 6);
        remap(w, 2, 1, 2);
        lay(w);
        flags_of(w, 2);
        flags_of(w, 3);
        again(w, f);
    }
    do_mmap(w, at(0), 8 * PAGE, RW, SHARED | FIXED | MW_MAP_STACK | MW_MAP_NORESERVE | MW_MAP_SYNC, f, 0);
    remap(w, 2, 2, 2);
    lay(w);
    flags_of(w, 2);
}

/* pages are made present, but with MAP_NONBLOCK (REMAPF-5) */
SCENARIO(remapf_populates)
{
    int f = shared_file(w);
    remap(w, 1, 2, 5);
    present(w, 0, 8);
    do_remap_file_pages(w, at(4), 2 * PAGE, 0, 9, MW_MAP_NONBLOCK);
    present(w, 0, 8);
    again(w, f);
    lock(w, 2, 4);
    do_remap_file_pages(w, at(3), 2 * PAGE, 0, 14, MW_MAP_NONBLOCK);
    present(w, 0, 8);
    protect(w, 0, 2, NONE);
    remap(w, 0, 1, 4);
    present(w, 0, 2);
}

/* locked memory stays so, and is no longer locked on fault; it counts as new (REMAPF-6, LIMIT-1) */
SCENARIO(remapf_locked)
{
    int f = shared_file(w);
    lock(w, 2, 4);
    remap(w, 3, 2, 10);
    remap(w, 1, 2, 10);
    lay(w);
    count(w);
    again(w, f);
    do_mlock2(w, at(0), 8 * PAGE, MW_MLOCK_ONFAULT);
    remap(w, 3, 2, 10);
    flags_of(w, 3);
    count(w);
    again(w, f);
    lock_all(w, MW_MCL_FUTURE | MW_MCL_ONFAULT);
    remap(w, 1, 1, 5);
    flags_of(w, 1);
    lock_all(w, MW_MCL_FUTURE);
    remap(w, 3, 1, 6);
    flags_of(w, 3);
    unlock_all(w);
}

SCENARIO(remapf_lock_limit)
{
    shared_file(w);
    lock(w, 0, 8);
    limit(w, MW_LIMIT_MEMLOCK, 8);
    drop_privileges(w);
    remap(w, 3, 2, 5);
    remap(w, 3, 2, 1ull << 51);
    limit(w, MW_LIMIT_MEMLOCK, 10);
    remap(w, 3, 2, 5);
    limit(w, MW_LIMIT_MEMLOCK, 0);
    remap(w, 3, 2, 5);
    remap(w, 3, 2, 1ull << 51);
    lay(w);
}

/* what is replaced makes room (REMAPF-5, LIMIT-3) */
SCENARIO(remapf_size_limit)
{
    shared_file(w);
    limit(w, MW_LIMIT_AS, 0);
    remap(w, 3, 2, 5);
    lay(w);
}

/* sealed memory: another flag, then mmap's word (REMAPF-3, SEAL-1) */
SCENARIO(remapf_sealed)
{
    shared_file(w);
    seal(w, 4, 1);
    remap(w, 4, 1, 5);
    remap(w, 3, 2, 5);
    remap(w, 4, 1, 1ull << 51);
    seal(w, 5, 3);
    remap(w, 5, 2, 5);
    lay(w);
}

/* near vm.max_map_count (MUNMAP-1, LIMIT-2) */
SCENARIO(remapf_map_count)
{
    int f = shared_file(w);
    fill_map_count(w, 2000);
    unmap(w, 2000, 1);
    remap(w, 3, 1, 5);
    remap(w, 7, 1, 5);
    remap(w, 0, 1, 6);
    remap(w, 7, 1, 7);
    unmap(w, 7, 1);
    filemap(w, 7, 1, RW, SHARED, f, 9);
    data(w, 0, 8);
}

/* a segment stays attached by what is left of it (REMAPF-7) */
SCENARIO(remapf_segment)
{
    int s = segment(w, 8 * PAGE, 0666), t = segment(w, 8 * PAGE, 0666);
    attach(w, s, 0, 0);
    touch(w, 0, 8);
    remap(w, 1, 2, 5);
    lay(w);
    data(w, 0, 8);
    attached(w, s);
    remap(w, 0, 8, 0);
    lay(w);
    attached(w, s);
    attach(w, s, 8, 0);
    remap(w, 7, 2, 7);
    remap(w, 7, 1, 0);
    remap(w, 0, 1, 3);
    detach(w, 0);
    lay(w);
    attached(w, s);
    attach(w, t, 20, MW_SHM_RDONLY);
    remap(w, 20, 1, 1);
    lay(w);
}

/* huge pages: sizes, places (REMAPF-4, HUGETLB-2, HUGETLB-5) */
SCENARIO(remapf_huge)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 2 * HUGE_PAGE, RW, SHARED | FIXED, f, 0);
    pool(w);
    do_remap_file_pages(w, at(0), HUGE_PAGE, 0, 1024, 0);
    lay(w);
    pool(w);
    do_remap_file_pages(w, at(0), PAGE, 0, 0, 0);
    do_remap_file_pages(w, at(0), HUGE_PAGE + PAGE, 0, 1024, 0);
    do_remap_file_pages(w, at(0), PAGE, 0, 1ull << 51, 0);
    do_remap_file_pages(w, at(0), HUGE_PAGE, 0, 1ull << 51, 0);
    do_remap_file_pages(w, at(1), HUGE_PAGE, 0, 512, 0);
    do_remap_file_pages(w, at(0), 2 * HUGE_PAGE, 0, 0, MW_MAP_NONBLOCK);
    lay(w);
    pool(w);
    do_remap_file_pages(w, at(0), HUGE_PAGE, 0, 1, 0);
    lay(w);
    pool(w);
}

/* guards go with what is there (REMAPF-6) */
SCENARIO(remapf_guards)
{
    shared_file(w);
    advise(w, 2, 1, MW_MADV_GUARD_INSTALL);
    remap(w, 1, 3, 1);
    data(w, 0, 8);
}

/* the watch ends with the mapping, and of that the watcher is not told (REMAPF-8) */
SCENARIO(remapf_watched)
{
    int u = watcher(w, MW_UFFD_FEATURE_EVENT_UNMAP);
    file_of(w, FILE_SHMEM, 16, RWF);
    filemap(w, 0, 8, RW, SHARED, 0, 0);
    watch(w, u, 0, 8, MW_UFFD_MODE_MISSING);
    do_remap_file_pages(w, at(1), 2 * PAGE, 0, 5, 0);
    messages(w, u);
    lay(w);
    flags_of(w, 0);
    flags_of(w, 1);
    do_remap_file_pages(w, at(0), 8 * PAGE, 0, 0, 0);
    unmap(w, 5, 1);
    messages(w, u);
}
