/* SPDX-License-Identifier: MIT */
/* watch.c - scenarios of userfaultfd(2). */
#include "scenario.h"
#include "world_watch.h"

#define MISSING MW_UFFD_MODE_MISSING
#define WP MW_UFFD_MODE_WP
#define MINOR MW_UFFD_MODE_MINOR
#define F_WP MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP
#define F_ALL_WP (F_WP | MW_UFFD_FEATURE_WP_HUGETLBFS_SHMEM | MW_UFFD_FEATURE_WP_UNPOPULATED)
#define F_SIGBUS MW_UFFD_FEATURE_SIGBUS
#define EV_FORK MW_UFFD_FEATURE_EVENT_FORK
#define EV_REMAP MW_UFFD_FEATURE_EVENT_REMAP
#define EV_REMOVE MW_UFFD_FEATURE_EVENT_REMOVE
#define EV_UNMAP MW_UFFD_FEATURE_EVENT_UNMAP
#define RWF (MW_FILE_READ | MW_FILE_WRITE)
#define PROTECT_ON MW_UFFD_WRITEPROTECT_MODE_WP

/* which features there are, and what goes with what (WATCH-1) */
SCENARIO(watch_features)
{
    for (int i = 0; i < 20; i++)
        if (do_resolve(w, WATCH_OPEN, 0, 0, 0, 1ull << i, 0) == 0)
            unwatcher(w, 0);
    w->log->skipped = false;
}

/* ranges and modes (WATCH-2) */
SCENARIO(watch_arguments)
{
    int u = watcher(w, 0);
    anon(w, 0, 8, RW);
    watch(w, u, 0, 4, 0);
    watch(w, u, 0, 4, 8);
    watch(w, u, 0, 4, MISSING | 8);
    watch(w, u, 0, 4, WP);
    watch(w, u, 0, 4, MINOR);
    watch(w, u, 0, 4, MINOR | MISSING);
    do_watch(w, u, at(0) + 1, PAGE, MISSING);
    do_watch(w, u, at(0), PAGE + 1, MISSING);
    do_watch(w, u, at(0), 0, MISSING);
    do_watch(w, u, at(0), ~0ull, MISSING);
    do_watch(w, u, at(0), ~0ull - PAGE + 1, MISSING);
    do_watch(w, u, at(0), TASK_END - at(0), MISSING);
    do_watch(w, u, at(0), TASK_END - at(0) + PAGE, MISSING);
    do_watch(w, u, TASK_END, PAGE, MISSING);
    do_watch(w, u, 0, PAGE, MISSING);
    do_watch(w, u, PAGE, PAGE, MISSING);
    do_watch(w, u, 64 * 1024, PAGE, MISSING);
    do_watch(w, u, KERNEL_HALF, PAGE, MISSING);
    watch(w, u, 20, 4, MISSING);
    watch(w, u, -4, 4, MISSING);
    watch(w, u, -4, 8, MISSING);
    lay(w);
    unmap(w, 2, 1);
    watch(w, u, 0, 8, MISSING);
    lay(w);
    flags_of(w, 0);
    flags_of(w, 7);
    do_unwatch(w, u, at(0) + 1, PAGE);
    do_unwatch(w, u, at(0), 1);
    do_unwatch(w, u, at(0), 0);
    unwatch(w, u, 20, 1);
    unwatch(w, u, 0, 20);
    unwatch(w, u, -4, 20);
    flags_of(w, 0);
    unwatch(w, u, 0, 20);
    unwatch(w, u, -4, 4);
    unwatch(w, u, -4, 5);
}

/* which kinds allow which modes (WATCH-3) */
static void kinds(struct world *w, int u)
{
    static const uint64_t modes[] = { MISSING, WP, MINOR, MISSING | WP, MISSING | MINOR, WP | MINOR, 7 };
    for (int k = 0; k < 7; k++) {
        for (int i = 0; i < 12; i++) {
            watch(w, u, 10 * i, 2, modes[k]);
            flags_of(w, 10 * i);
            unwatch(w, u, 10 * i, 2);
        }
    }
}

static void rows(struct world *w)
{
    int m = file_of(w, FILE_SHMEM, 8, RWF), d = file_of(w, FILE_DISK, 8, RWF), r = file_of(w, FILE_SHMEM, 8, MW_FILE_READ);
    int dr = file_of(w, FILE_DISK, 8, MW_FILE_READ);
    anon(w, 0, 4, RW);
    shanon(w, 10, 4, RW);
    filemap(w, 20, 4, RW, SHARED, m, 0);
    filemap(w, 30, 4, RW, PRIV, m, 0);
    filemap(w, 40, 4, RW, SHARED, d, 0);
    filemap(w, 50, 4, RW, PRIV, d, 0);
    filemap(w, 60, 4, RO, SHARED, r, 0);
    filemap(w, 70, 4, RO, PRIV, r, 0);
    anon(w, 80, 4, RO);
    anon(w, 90, 4, NONE);
    mapped(w, 100, 4, RW, MW_MAP_DROPPABLE | ANON);
    filemap(w, 110, 4, RO, SHARED, dr, 0);
}

SCENARIO(watch_kinds)
{
    int u = watcher(w, F_WP);
    rows(w);
    kinds(w, u);
}

SCENARIO(watch_kinds_async)
{
    int u = watcher(w, F_WP | MW_UFFD_FEATURE_WP_ASYNC);
    rows(w);
    kinds(w, u);
}

SCENARIO(watch_kinds_huge)
{
    static const uint64_t modes[] = { MISSING, WP, MINOR, 7 };
    int u = watcher(w, F_WP);
    huge(w);
    huge_map(w, 0, 3, RW, PRIV);
    huge_map(w, 4, 3, RW, SHARED);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 2; i++) {
            watch(w, u, HUGE_PAGES(4 * i), 512, modes[k]);
            flags_of(w, HUGE_PAGES(4 * i));
            watch(w, u, HUGE_PAGES(4 * i), 513, modes[k]);
            watch(w, u, HUGE_PAGES(4 * i) + 1, 511, modes[k]);
            watch(w, u, HUGE_PAGES(4 * i) + 1, 512, modes[k]);
            watch(w, u, HUGE_PAGES(4 * i) - 1, 512, modes[k]);
            watch(w, u, HUGE_PAGES(4 * i) - 1, 513, modes[k]);
            unwatch(w, u, HUGE_PAGES(4 * i), 1);
            unwatch(w, u, HUGE_PAGES(4 * i) + 1, 1);
            unwatch(w, u, HUGE_PAGES(4 * i), 512);
            lay(w);
        }
}

/* again, more, less; others' (WATCH-4, WATCH-5) */
SCENARIO(watch_again)
{
    int u = watcher(w, F_WP), v = watcher(w, F_WP);
    anon(w, 0, 12, RW);
    watch(w, u, 0, 8, MISSING);
    watch(w, u, 2, 2, MISSING | WP);
    lay(w);
    for (int i = 0; i < 8; i += 2)
        flags_of(w, i);
    watch(w, u, 2, 2, MISSING);
    flags_of(w, 2);
    watch(w, u, 0, 8, WP);
    for (int i = 0; i < 8; i += 2)
        flags_of(w, i);
    lay(w);
    watch(w, v, 0, 8, MISSING);
    watch(w, v, 7, 2, MISSING);
    watch(w, v, 8, 2, WP);
    lay(w);
    unwatch(w, u, 6, 4);
    unwatch(w, v, 6, 4);
    lay(w);
    flags_of(w, 7);
    flags_of(w, 8);
    unwatch(w, v, 0, 2);
    unwatcher(w, u);
    lay(w);
    unwatcher(w, v);
    lay(w);
    flags_of(w, 8);
}

/* the merging of what is watched alike, and of what is not */
SCENARIO(watch_merges)
{
    int u = watcher(w, F_WP), v = watcher(w, F_WP);
    anon(w, 0, 4, RW);
    watch(w, u, 0, 4, MISSING);
    anon(w, 4, 4, RW);
    lay(w);
    watch(w, u, 4, 4, MISSING);
    lay(w);
    anon(w, 8, 4, RW);
    watch(w, v, 8, 4, MISSING);
    lay(w);
    unwatch(w, v, 8, 4);
    watch(w, u, 8, 4, MISSING);
    lay(w);
    touch(w, 0, 0);
    protect(w, 2, 2, RO);
    lay(w);
    protect(w, 2, 2, RW);
    lay(w);
    move(w, 8, 2, 2, FIX, 20);
    lay(w);
    flags_of(w, 20);
    move(w, 0, 2, 4, MAY, 0);
    lay(w);
}

/* what was watched and is so no more (WATCH-5) */
SCENARIO(watch_ends)
{
    int u = watcher(w, F_WP), v = watcher(w, F_WP), x = watcher(w, F_WP), m = file_of(w, FILE_SHMEM, 30, RWF);
    const int ids[] = { u, v, x };
    for (int i = 0; i < 3; i++) {
        int64_t p = 100 * i;
        anon(w, p, 8, RW);
        shanon(w, p + 20, 8, RW);
        filemap(w, p + 40, 8, RW, PRIV, m, 0);
        filemap(w, p + 60, 8, RW, SHARED, m, 0);
        for (int j = 0; j < 4; j++)
            watch(w, ids[i], p + 20 * j + 2, 2, i == 1 ? WP : MISSING);
        if (i == 2)
            for (int j = 0; j < 4; j++)
                unwatch(w, ids[i], p + 20 * j, 8);
    }
    lay(w);
    unwatcher(w, u);
    unwatcher(w, v);
    lay(w);
}

SCENARIO(watch_map_count)
{
    int u = watcher(w, F_WP);
    anon(w, 0, 12, RW);
    anon(w, 16, 2, RO);
    fill_map_count(w, 100);
    watch(w, u, 2, 2, MISSING);
    watch(w, u, 0, 2, MISSING);
    watch(w, u, 0, 12, MISSING);
    flags_of(w, 0);
    unwatch(w, u, 2, 2);
    unwatch(w, u, 0, 12);
    flags_of(w, 0);
}

/* an access to what is watched for missing pages (WATCH-6) */
SCENARIO(watch_missing)
{
    int u = watcher(w, F_WP);
    int m = file_of(w, FILE_SHMEM, 4, RWF);
    anon(w, 0, 8, RW);
    touch(w, 4, 1);
    watch(w, u, 0, 8, MISSING);
    meet(w, 0, false);
    meet(w, 0, true);
    meet(w, 4, true);
    marks(w, 0, 8);
    protect(w, 2, 1, RO);
    meet(w, 2, false);
    shanon(w, 10, 4, RW);
    data(w, 11, 1);
    watch(w, u, 10, 4, MISSING);
    meet(w, 10, false);
    meet(w, 10, true);
    meet(w, 11, false);
    meet(w, 11, true);
    meet(w, 12, true);
    filemap(w, 20, 6, RW, SHARED, m, 0);
    watch(w, u, 20, 6, MISSING);
    meet(w, 20, false);
    do_madvise(w, at(21), PAGE, MW_MADV_DONTNEED);
    meet(w, 21, true);
    do_madvise(w, at(22), PAGE, MW_MADV_REMOVE);
    meet(w, 22, false);
    meet(w, 22, true);
    meet(w, 24, true);
    filemap(w, 30, 6, RW, PRIV, m, 0);
    watch(w, u, 30, 6, MISSING);
    meet(w, 30, false);
    meet(w, 31, true);
    meet(w, 32, true);
    meet(w, 34, true);
    meet(w, 35, false);
}

/* to what its object has (WATCH-7) */
SCENARIO(watch_minor)
{
    int u = watcher(w, F_WP);
    int m = file_of(w, FILE_SHMEM, 4, RWF);
    filemap(w, 20, 6, RW, SHARED, m, 0);
    touch(w, 20, 1);
    watch(w, u, 20, 6, MINOR);
    meet(w, 20, false);
    meet(w, 20, true);
    meet(w, 21, true);
    meet(w, 21, false);
    do_madvise(w, at(22), PAGE, MW_MADV_REMOVE);
    meet(w, 22, false);
    meet(w, 22, false);
    meet(w, 24, false);
    filemap(w, 30, 6, RW, PRIV, m, 0);
    watch(w, u, 30, 6, MINOR);
    meet(w, 30, false);
    meet(w, 31, true);
    meet(w, 32, true);
    meet(w, 35, true);
    watch(w, u, 30, 6, MINOR | MISSING);
    meet(w, 31, false);
    resolve(w, WATCH_CONTINUE, u, 31, 1, 0);
    resolve(w, WATCH_CONTINUE, u, 31, 1, 0);
    meet(w, 31, false);
    meet(w, 31, true);
    data(w, 31, 1);
    resolve(w, WATCH_CONTINUE, u, 21, 1, 0);
    meet(w, 21, true);
    wps(w, 20, 16);
    resolve(w, WATCH_COPY, u, 30, 1, 0);
    data(w, 30, 1);
    data(w, 20, 1);
}

/* copies, and how they fail (WATCH-10, WATCH-11) */
SCENARIO(watch_copy)
{
    int u = watcher(w, F_WP), v = watcher(w, F_WP);
    int m = file_of(w, FILE_SHMEM, 8, RWF);
    anon(w, 0, 8, RW);
    resolve(w, WATCH_COPY, u, 0, 1, 0);
    watch(w, u, 0, 4, MISSING);
    resolve(w, WATCH_COPY, u, 0, 1, 0);
    marks(w, 0, 2);
    data(w, 0, 1);
    resolve(w, WATCH_COPY, u, 0, 1, 0);
    resolve(w, WATCH_COPY, u, 2, 4, 0);
    resolve(w, WATCH_COPY, u, 2, 2, 0);
    resolve(w, WATCH_COPY, v, 2, 2, 0);
    data(w, 2, 2);
    resolve(w, WATCH_COPY, u, 4, 1, 0);
    resolve(w, WATCH_COPY, u, 20, 1, 0);
    resolve(w, WATCH_COPY, u, 1, 1, 4);
    resolve(w, WATCH_COPY, u, 1, 1, MW_UFFD_COPY_MODE_WP);
    do_resolve(w, WATCH_COPY, u, at(1) + 1, PAGE, 0, 0);
    do_resolve(w, WATCH_COPY, u, at(1), PAGE + 1, 0, 0);
    do_resolve(w, WATCH_COPY, u, at(1), 0, 0, 0);
    do_resolve(w, WATCH_COPY, u, KERNEL_HALF, PAGE, 0, 0);
    resolve(w, WATCH_COPY, u, 1, 2, MW_UFFD_COPY_MODE_DONTWAKE);
    marks(w, 0, 8);
    touch(w, 0, 4);
    lay(w);
    /* without the right to write */
    anon(w, 20, 4, RO);
    watch(w, u, 20, 4, MISSING);
    resolve(w, WATCH_COPY, u, 20, 1, 0);
    data(w, 20, 1);
    store(w, 20, 5);
    protect(w, 20, 2, RW);
    store(w, 20, 5);
    anon(w, 30, 4, NONE);
    watch(w, u, 30, 4, MISSING);
    resolve(w, WATCH_COPY, u, 30, 2, 0);
    data(w, 30, 1);
    marks(w, 30, 4);
    /* shared */
    shanon(w, 40, 4, RW);
    watch(w, u, 40, 4, MISSING);
    resolve(w, WATCH_COPY, u, 40, 2, 0);
    resolve(w, WATCH_COPY, u, 41, 2, 0);
    marks(w, 40, 4);
    data(w, 40, 2);
    do_madvise(w, at(40), PAGE, MW_MADV_DONTNEED);
    resolve(w, WATCH_COPY, u, 40, 1, 0);
    data(w, 40, 1);
    /* a file, shared and private */
    filemap(w, 50, 12, RW, SHARED, m, 0);
    watch(w, u, 50, 12, MISSING);
    resolve(w, WATCH_COPY, u, 50, 1, 0);
    do_madvise(w, at(51), 2 * PAGE, MW_MADV_REMOVE);
    resolve(w, WATCH_COPY, u, 51, 1, 0);
    data(w, 51, 1);
    resolve(w, WATCH_COPY, u, 58, 1, 0);
    resolve(w, WATCH_COPY, u, 52, 8, 0);
    filemap(w, 70, 12, RW, PRIV, m, 0);
    watch(w, u, 70, 12, MISSING);
    resolve(w, WATCH_COPY, u, 70, 2, 0);
    data(w, 70, 2);
    data(w, 50, 1);
    resolve(w, WATCH_COPY, u, 77, 2, 0);
    resolve(w, WATCH_COPY, u, 79, 1, 0);
    wps(w, 70, 12);
    lay(w);
}

/* (WATCH-12) */
SCENARIO(watch_zeropage)
{
    int u = watcher(w, F_WP);
    int m = file_of(w, FILE_SHMEM, 8, RWF);
    anon(w, 0, 8, RW);
    resolve(w, WATCH_ZEROPAGE, u, 0, 1, 0);
    watch(w, u, 0, 4, MISSING);
    resolve(w, WATCH_ZEROPAGE, u, 0, 1, 0);
    resolve(w, WATCH_ZEROPAGE, u, 0, 2, 0);
    resolve(w, WATCH_ZEROPAGE, u, 1, 8, 0);
    resolve(w, WATCH_ZEROPAGE, u, 1, 2, 2);
    do_resolve(w, WATCH_ZEROPAGE, u, at(1) + 1, PAGE, 0, 0);
    do_resolve(w, WATCH_ZEROPAGE, u, at(1), 1, 0, 0);
    do_resolve(w, WATCH_ZEROPAGE, u, at(1), 0, 0, 0);
    resolve(w, WATCH_ZEROPAGE, u, 1, 2, 1);
    marks(w, 0, 4);
    data(w, 0, 2);
    lay(w);
    store(w, 0, 9);
    anon(w, 8, 2, RW);
    watch(w, u, 8, 2, MISSING);
    lay(w);
    shanon(w, 20, 4, RW);
    watch(w, u, 20, 4, MISSING);
    resolve(w, WATCH_ZEROPAGE, u, 20, 2, 0);
    marks(w, 20, 4);
    data(w, 20, 2);
    filemap(w, 30, 12, RW, PRIV, m, 0);
    watch(w, u, 30, 12, MISSING);
    resolve(w, WATCH_ZEROPAGE, u, 30, 2, 0);
    data(w, 30, 2);
    filemap(w, 50, 12, RW, SHARED, m, 0);
    watch(w, u, 50, 12, MISSING);
    resolve(w, WATCH_ZEROPAGE, u, 50, 2, 0);
    resolve(w, WATCH_ZEROPAGE, u, 58, 1, 0);
    watch(w, u, 0, 4, WP);
    flags_of(w, 0);
    resolve(w, WATCH_ZEROPAGE, u, 3, 1, 0);
    resolve(w, WATCH_COPY, u, 2, 1, MW_UFFD_COPY_MODE_WP);
    marks(w, 0, 4);
    resolve(w, WATCH_COPY, u, 3, 1, MW_UFFD_COPY_MODE_WP);
}

/* (WATCH-13) */
SCENARIO(watch_continue)
{
    int u = watcher(w, F_WP);
    int m = file_of(w, FILE_SHMEM, 8, RWF);
    anon(w, 0, 4, RW);
    watch(w, u, 0, 4, MISSING);
    resolve(w, WATCH_CONTINUE, u, 0, 1, 0);
    filemap(w, 20, 12, RW, SHARED, m, 0);
    resolve(w, WATCH_CONTINUE, u, 20, 1, 0);
    watch(w, u, 20, 12, MINOR);
    resolve(w, WATCH_CONTINUE, u, 20, 1, 0);
    wps(w, 20, 2);
    resolve(w, WATCH_CONTINUE, u, 20, 1, 0);
    resolve(w, WATCH_CONTINUE, u, 19, 2, 0);
    resolve(w, WATCH_CONTINUE, u, 26, 4, 0);
    resolve(w, WATCH_CONTINUE, u, 28, 4, 0);
    do_madvise(w, at(22), PAGE, MW_MADV_REMOVE);
    resolve(w, WATCH_CONTINUE, u, 22, 1, 0);
    resolve(w, WATCH_CONTINUE, u, 21, 2, 0);
    resolve(w, WATCH_CONTINUE, u, 23, 1, 4);
    resolve(w, WATCH_CONTINUE, u, 23, 1, MW_UFFD_CONTINUE_MODE_WP);
    do_resolve(w, WATCH_CONTINUE, u, at(23) + 1, PAGE, 0, 0);
    do_resolve(w, WATCH_CONTINUE, u, at(23), 0, 0, 0);
    watch(w, u, 20, 12, MINOR | WP);
    resolve(w, WATCH_CONTINUE, u, 23, 1, MW_UFFD_CONTINUE_MODE_WP);
    wps(w, 20, 8);
    meet(w, 23, true);
    meet(w, 23, false);
    watch(w, u, 20, 12, MISSING);
    flags_of(w, 20);
    resolve(w, WATCH_CONTINUE, u, 24, 1, 0);
    filemap(w, 40, 4, RO, SHARED, m, 0);
    watch(w, u, 40, 4, MINOR);
    resolve(w, WATCH_CONTINUE, u, 40, 1, 0);
    store(w, 40, 1);
    protect(w, 40, 1, RW);
    store(w, 40, 1);
    filemap(w, 50, 4, RW, PRIV, m, 0);
    watch(w, u, 50, 4, MINOR);
    resolve(w, WATCH_CONTINUE, u, 50, 2, 0);
    wps(w, 50, 4);
    data(w, 50, 2);
    store(w, 50, 7);
    data(w, 20, 1);
    data(w, 50, 1);
    resolve(w, WATCH_COPY, u, 53, 1, 0);
    resolve(w, WATCH_COPY, u, 22, 1, 0);
    lay(w);
}

/* (WATCH-14) */
SCENARIO(watch_poison)
{
    int u = watcher(w, F_WP | MW_UFFD_FEATURE_POISON);
    int m = file_of(w, FILE_SHMEM, 8, RWF);
    anon(w, 0, 12, RW);
    resolve(w, WATCH_POISON, u, 0, 1, 0);
    touch(w, 3, 1);
    watch(w, u, 0, 8, MISSING);
    resolve(w, WATCH_POISON, u, 0, 1, 0);
    resolve(w, WATCH_POISON, u, 0, 1, 0);
    resolve(w, WATCH_POISON, u, 2, 3, 0);
    resolve(w, WATCH_POISON, u, 1, 1, 2);
    resolve(w, WATCH_POISON, u, 6, 4, 0);
    do_resolve(w, WATCH_POISON, u, at(1) + 1, PAGE, 0, 0);
    do_resolve(w, WATCH_POISON, u, at(1), 0, 0, 0);
    resolve(w, WATCH_COPY, u, 0, 1, 0);
    marks(w, 0, 8);
    lay(w);
    store(w, 0, 1);
    data(w, 0, 1);
    resolve(w, WATCH_POISON, u, 1, 1, 0);
    do_mincore(w, at(0), 8 * PAGE);
    move(w, 0, 4, 4, FIX, 20);
    data(w, 20, 4);
    do_madvise(w, at(21), PAGE, MW_MADV_DONTNEED);
    data(w, 20, 4);
    protect(w, 20, 4, NONE);
    data(w, 20, 1);
    protect(w, 20, 4, RW);
    data(w, 20, 1);
    resolve(w, WATCH_POISON, u, 7, 1, 0);
    unwatch(w, u, 0, 8);
    lay(w);
    data(w, 7, 1);
    lock(w, 7, 1);
    advise(w, 7, 1, MW_MADV_POPULATE_READ);
    filemap(w, 30, 8, RW, SHARED, m, 0);
    watch(w, u, 30, 8, MISSING);
    resolve(w, WATCH_POISON, u, 30, 2, 0);
    resolve(w, WATCH_POISON, u, 31, 2, 0);
    data(w, 30, 2);
    advise(w, 30, 1, MW_MADV_DONTNEED);
    data(w, 30, 2);
    advise(w, 31, 1, MW_MADV_REMOVE);
    data(w, 30, 2);
    filemap(w, 40, 8, RW, SHARED, m, 0);
    data(w, 40, 2);
    advise(w, 20, 2, MW_MADV_GUARD_INSTALL);
    data(w, 20, 2);
    advise(w, 20, 2, MW_MADV_GUARD_REMOVE);
    data(w, 20, 2);
    forked(w);
    data(w, 7, 1);
    data(w, 30, 2);
}

/* an identity is taken over from what another watches for the same (ANON-2) */
SCENARIO(watch_identity)
{
    int u = watcher(w, F_ALL_WP), v = watcher(w, F_ALL_WP);
    anon(w, 0, 4, RW);
    anon(w, 8, 4, RW);
    watch(w, u, 0, 2, MISSING);
    watch(w, u, 8, 2, MISSING);
    watch(w, v, 2, 2, MISSING);
    watch(w, v, 10, 2, WP);
    for (int64_t at = 0; at < 16; at += 8) {
        resolve(w, WATCH_COPY, u, at, 1, 0);
        resolve(w, WATCH_COPY, v, at + 2, 1, 0);
    }
    lay(w);
    unwatcher(w, u);
    unwatcher(w, v);
    lay(w);
}

/* what is not watched for it any more leaves no mark where it was protected (WATCH-18) */
SCENARIO(watch_dropped_unwatched)
{
    int u = watcher(w, F_ALL_WP), m = file_of(w, FILE_SHMEM, 12, RWF);
    if (u < 0)
        return;
    filemap(w, 0, 12, RW, SHARED, m, 0);
    filemap(w, 20, 4, RW, PRIV, m, 0);
    for (int64_t at = 0; at <= 20; at += 20) {
        touch(w, at, 3);
        watch(w, u, at, 4, WP);
        resolve(w, WATCH_PROTECT, u, at, 4, PROTECT_ON);
        watch(w, u, at, 4, MISSING);
        advise(w, at + 1, 3, MW_MADV_DONTNEED);
        watch(w, u, at, 4, WP);
        wps(w, at, 4);
    }
    touch(w, 4, 3);
    watch(w, u, 4, 4, WP);
    resolve(w, WATCH_PROTECT, u, 4, 4, PROTECT_ON);
    watch(w, u, 4, 4, MISSING);
    advise(w, 5, 3, MW_MADV_REMOVE);
    watch(w, u, 4, 4, WP);
    wps(w, 4, 4);
}

/* a source without a page table is seen before a page at the destination (WATCH-17) */
SCENARIO(watch_move_from_nothing)
{
    int u = watcher(w, MW_UFFD_FEATURE_MOVE);
    if (u < 0)
        return;
    anon(w, 0, 1536, RW);
    advise(w, 0, 1536, MW_MADV_NOHUGEPAGE);
    touch(w, 1, 1);
    watch(w, u, 0, 512, MISSING);
    carry(w, u, 1024, 1, 1, 0);
    carry(w, u, 1024, 1, 1, MW_UFFD_MOVE_MODE_ALLOW_SRC_HOLES);
    touch(w, 1025, 1);
    carry(w, u, 1024, 1, 1, 0);
    carry(w, u, 1024, 3, 1, 0);
}

/* a write makes a page of what was marked absent, before it waits (WATCH-8) */
SCENARIO(watch_marked_write)
{
    int u = watcher(w, F_ALL_WP | F_SIGBUS), m = file_of(w, FILE_SHMEM, 4, RWF);
    if (u < 0)
        return;
    anon(w, 0, 4, RW);
    filemap(w, 8, 4, RW, PRIV, m, 0);
    filemap(w, 16, 4, RW, SHARED, m, 0);
    for (int64_t at = 0; at < 16; at += 8) {
        watch(w, u, at, 4, WP);
        resolve(w, WATCH_PROTECT, u, at, 2, PROTECT_ON);
        store(w, at, 77);
    }
    smaps_firm(w);
    store(w, 16, 99);
    unwatch(w, u, 0, 4);
    unwatch(w, u, 8, 4);
    data(w, 0, 2);
    data(w, 8, 2);
}

/* truncation takes poison, emptying does not; marks stay (WATCH-18) */
SCENARIO(watch_truncated)
{
    int u = watcher(w, F_ALL_WP | F_SIGBUS | MW_UFFD_FEATURE_POISON);
    int m = file_of(w, FILE_SHMEM, 4, RWF), n = file_of(w, FILE_SHMEM, 4, RWF);
    if (u < 0)
        return;
    filemap(w, 0, 4, RW, SHARED, m, 0);
    filemap(w, 8, 4, RW, PRIV, m, 0);
    filemap(w, 16, 4, RW, SHARED, n, 0);
    for (int64_t at = 0; at <= 16; at += 8) {
        touch(w, at + 2, 1);
        watch(w, u, at, 4, MISSING | WP);
        resolve(w, WATCH_POISON, u, at, 1, 0);
        resolve(w, WATCH_PROTECT, u, at + 1, 3, PROTECT_ON);
    }
    truncate_to(w, m, 0);
    truncate_to(w, m, 4 * PAGE);
    advise(w, 16, 4, MW_MADV_REMOVE);
    for (int64_t at = 0; at <= 16; at += 8) {
        wps(w, at, 4);
        resolve(w, WATCH_POISON, u, at, 1, 0);
    }
    lay(w);
}

/* an access takes a mark away where that is not watched for any more, even if it then waits (WATCH-5) */
SCENARIO(watch_mark_accessed)
{
    int u = watcher(w, F_ALL_WP | F_SIGBUS | MW_UFFD_FEATURE_POISON);
    if (u < 0)
        return;
    anon(w, 0, 2, RW);
    watch(w, u, 0, 2, WP);
    resolve(w, WATCH_PROTECT, u, 0, 2, PROTECT_ON);
    watch(w, u, 0, 2, MISSING);
    data(w, 0, 1);
    resolve(w, WATCH_POISON, u, 0, 1, 0);
    resolve(w, WATCH_POISON, u, 1, 1, 0);
    wps(w, 0, 2);
}

/* FREE takes poison, and leaves marks (WATCH-18) */
SCENARIO(watch_free_poison)
{
    int u = watcher(w, F_ALL_WP | F_SIGBUS | MW_UFFD_FEATURE_POISON);
    if (u < 0)
        return;
    anon(w, 0, 8, RW);
    touch(w, 6, 2);
    watch(w, u, 0, 8, MISSING | WP);
    resolve(w, WATCH_POISON, u, 0, 4, 0);
    resolve(w, WATCH_PROTECT, u, 4, 4, PROTECT_ON);
    advise(w, 1, 6, MW_MADV_FREE);
    marks(w, 0, 8);
    unwatch(w, u, 0, 8);
    data(w, 0, 8);
    lay(w);
}

/* protection ends with the watch for it: what is watched otherwise by then keeps it (WATCH-5) */
SCENARIO(watch_kept_protection)
{
    int u = watcher(w, F_ALL_WP), v = watcher(w, F_ALL_WP), m = file_of(w, FILE_SHMEM, 4, RWF);
    if (u < 0)
        return;
    anon(w, 0, 4, RW);
    filemap(w, 8, 4, RW, SHARED, m, 0);
    for (int64_t at = 0; at < 16; at += 8) {
        touch(w, at, 3);
        watch(w, u, at, 4, WP);
        resolve(w, WATCH_PROTECT, u, at, 4, PROTECT_ON);
        watch(w, u, at, 4, MISSING);
        store(w, at, 7);
        unwatch(w, u, at, 2);
        wps(w, at + 1, 3);
        watch(w, v, at, 2, WP);
        meet(w, at, true);
        meet(w, at + 1, true);
    }
    unwatcher(w, u);
    wps(w, 10, 2);
    watch(w, v, 8, 4, WP);
    watch(w, v, 2, 2, WP);
    for (int64_t at = 2; at < 16; at += 8) {
        wps(w, at, 2);
        meet(w, at, true);
        meet(w, at + 1, true);
    }
}

/* writing granted anew meanwhile ends it, of what is not to be copied first (WATCH-5) */
SCENARIO(watch_regranted)
{
    int u = watcher(w, F_ALL_WP), m = file_of(w, FILE_SHMEM, 4, RWF);
    if (u < 0)
        return;
    anon(w, 0, 4, RW);
    filemap(w, 8, 4, RW, SHARED, m, 0);
    for (int64_t at = 0; at < 16; at += 8) {
        touch(w, at, 2);
        if (at == 0)
            data(w, at + 2, 1); /* of zeros; a file's page would bring its neighbours along */
        watch(w, u, at, 4, WP);
        resolve(w, WATCH_PROTECT, u, at, 4, PROTECT_ON);
        watch(w, u, at, 4, MISSING);
        protect(w, at, 4, RW); /* they are so already */
        watch(w, u, at, 1, WP);
        meet(w, at, true);
        protect(w, at + 1, 3, RO);
        protect(w, at + 1, 3, RW);
        watch(w, u, at, 4, WP);
        for (int64_t page = at; page < at + 4; page++)
            meet(w, page, true);
    }
}

/* write protection, and what keeps it (WATCH-8, WATCH-15, WATCH-18) */
static void protection(struct world *w, uint64_t features)
{
    int u = watcher(w, features), m = file_of(w, FILE_SHMEM, 12, RWF);
    anon(w, 0, 12, RW);
    touch(w, 0, 3);
    data(w, 3, 1);
    resolve(w, WATCH_PROTECT, u, 0, 1, PROTECT_ON);
    watch(w, u, 0, 10, WP);
    marks(w, 0, 12);
    resolve(w, WATCH_PROTECT, u, 0, 12, PROTECT_ON);
    marks(w, 0, 12);
    resolve(w, WATCH_PROTECT, u, 0, 8, PROTECT_ON);
    marks(w, 0, 12);
    meet(w, 0, false);
    meet(w, 0, true);
    meet(w, 3, true);
    meet(w, 3, false);
    meet(w, 4, false);
    marks(w, 0, 12);
    meet(w, 4, true);
    meet(w, 5, true);
    meet(w, 5, true);
    marks(w, 0, 12);
    resolve(w, WATCH_PROTECT, u, 1, 1, 0);
    meet(w, 1, true);
    resolve(w, WATCH_PROTECT, u, 3, 2, 0);
    meet(w, 3, true);
    marks(w, 0, 12);
    resolve(w, WATCH_PROTECT, u, 0, 1, 3);
    resolve(w, WATCH_PROTECT, u, 0, 1, 2);
    resolve(w, WATCH_PROTECT, u, 0, 1, 4);
    do_resolve(w, WATCH_PROTECT, u, at(0), 0, 1, 0);
    do_resolve(w, WATCH_PROTECT, u, at(0) + 1, PAGE, 1, 0);
    do_resolve(w, WATCH_PROTECT, u, at(40), PAGE, 1, 0);
    resolve(w, WATCH_PROTECT, u, 0, 8, PROTECT_ON);
    /* what keeps it */
    protect(w, 0, 2, RO);
    marks(w, 0, 2);
    protect(w, 0, 2, RW);
    marks(w, 0, 2);
    protect(w, 0, 2, NONE);
    marks(w, 0, 2);
    protect(w, 0, 2, RW);
    marks(w, 0, 2);
    data(w, 0, 2);
    advise(w, 0, 1, MW_MADV_DONTNEED);
    advise(w, 6, 1, MW_MADV_DONTNEED);
    marks(w, 0, 12);
    move(w, 0, 10, 10, FIX, 20);
    marks(w, 20, 12);
    flags_of(w, 20);
    lay(w);
    watch(w, u, 20, 10, WP | MISSING);
    resolve(w, WATCH_PROTECT, u, 20, 10, PROTECT_ON);
    marks(w, 20, 12);
    meet(w, 20, true);
    meet(w, 20, false);
    meet(w, 27, false);
    meet(w, 27, true);
    resolve(w, WATCH_ZEROPAGE, u, 27, 1, 0);
    resolve(w, WATCH_COPY, u, 28, 1, 0);
    resolve(w, WATCH_COPY, u, 29, 1, MW_UFFD_COPY_MODE_WP);
    marks(w, 20, 12);
    unwatch(w, u, 20, 5);
    marks(w, 20, 12);
    watch(w, u, 25, 5, MISSING);
    flags_of(w, 25);
    marks(w, 20, 12);
    meet(w, 21, true);
    /* shared */
    filemap(w, 40, 8, RW, SHARED, m, 0);
    data(w, 40, 2);
    watch(w, u, 40, 8, WP);
    resolve(w, WATCH_PROTECT, u, 40, 6, PROTECT_ON);
    wps(w, 40, 8);
    meet(w, 40, true);
    meet(w, 42, true);
    meet(w, 43, false);
    wps(w, 40, 8);
    advise(w, 41, 1, MW_MADV_DONTNEED);
    advise(w, 44, 1, MW_MADV_REMOVE);
    advise(w, 40, 1, MW_MADV_REMOVE);
    wps(w, 40, 8);
    meet(w, 41, true);
    meet(w, 41, false);
    meet(w, 40, true);
    meet(w, 40, false);
    meet(w, 40, true);
    wps(w, 40, 8);
    resolve(w, WATCH_PROTECT, u, 40, 8, 0);
    wps(w, 40, 8);
    /* a private file's */
    filemap(w, 60, 8, RW, PRIV, m, 0);
    data(w, 60, 1);
    touch(w, 61, 1);
    watch(w, u, 60, 8, WP);
    resolve(w, WATCH_PROTECT, u, 60, 6, PROTECT_ON);
    wps(w, 60, 8);
    meet(w, 60, true);
    meet(w, 61, true);
    meet(w, 62, true);
    meet(w, 62, false);
    wps(w, 60, 8);
    advise(w, 60, 8, MW_MADV_DONTNEED);
    wps(w, 60, 8);
    unwatcher(w, u);
    wps(w, 40, 8);
    wps(w, 60, 8);
    lay(w);
}

SCENARIO(watch_protect) { protection(w, F_WP); }
SCENARIO(watch_protect_unpopulated) { protection(w, F_ALL_WP); }
SCENARIO(watch_protect_async) { protection(w, F_ALL_WP | MW_UFFD_FEATURE_WP_ASYNC); }

/* writeprotect over several mappings, and holes */
SCENARIO(watch_protect_several)
{
    int u = watcher(w, F_ALL_WP);
    anon(w, 0, 12, RW);
    touch(w, 0, 12);
    watch(w, u, 0, 12, WP);
    protect(w, 4, 2, RO);
    resolve(w, WATCH_PROTECT, u, 0, 8, PROTECT_ON);
    marks(w, 0, 12);
    unmap(w, 5, 1);
    resolve(w, WATCH_PROTECT, u, 0, 8, 0);
    marks(w, 0, 12);
    unwatch(w, u, 7, 1);
    resolve(w, WATCH_PROTECT, u, 0, 8, PROTECT_ON);
    marks(w, 0, 12);
    resolve(w, WATCH_PROTECT, u, 5, 2, PROTECT_ON);
    resolve(w, WATCH_PROTECT, u, 5, 1, PROTECT_ON);
    marks(w, 0, 12);
}

/* (WATCH-16, WATCH-17) */
SCENARIO(watch_move)
{
    int u = watcher(w, F_WP | MW_UFFD_FEATURE_MOVE);
    anon(w, 0, 12, RW);
    touch(w, 0, 4);
    data(w, 4, 1);
    anon(w, 20, 12, RW);
    carry(w, u, 0, 20, 1, 0);
    watch(w, u, 20, 8, MISSING);
    carry(w, u, 0, 20, 1, 0);
    lay(w);
    data(w, 20, 1);
    data(w, 0, 1);
    carry(w, u, 1, 20, 1, 0);
    carry(w, u, 1, 21, 1, 4);
    carry(w, u, 3, 21, 3, 0);
    marks(w, 0, 12);
    marks(w, 20, 12);
    carry(w, u, 5, 23, 1, 0);
    carry(w, u, 5, 23, 1, 2);
    carry(w, u, 8, 24, 2, 2);
    marks(w, 20, 12);
    carry(w, u, 2, 26, 4, 0);
    carry(w, u, 2, 28, 1, 0);
    carry(w, u, 10, 26, 2, 2);
    carry(w, u, 11, 26, 2, 2);
    carry(w, u, 2, 2, 1, 0);
    carry(w, u, 26, 25, 2, 2);
    do_resolve(w, WATCH_MOVE, u, at(26), 0, 0, at(2));
    do_resolve(w, WATCH_MOVE, u, at(26) + 1, PAGE, 0, at(2));
    do_resolve(w, WATCH_MOVE, u, at(26), PAGE, 0, at(2) + 1);
    protect(w, 2, 1, RO);
    carry(w, u, 2, 26, 1, 0);
    protect(w, 2, 1, RW);
    carry(w, u, 2, 26, 1, 0);
    data(w, 26, 1);
    touch(w, 5, 2);
    lock(w, 5, 1);
    carry(w, u, 5, 27, 1, 0);
    unlock(w, 5, 1);
    shanon(w, 40, 2, RW);
    touch(w, 40, 1);
    carry(w, u, 40, 27, 1, 0);
    watch(w, u, 40, 2, MISSING);
    carry(w, u, 5, 41, 1, 0);
    carry(w, u, 20, 27, 1, 0);
    marks(w, 20, 12);
    carry(w, u, 60, 27, 1, 2);
    carry(w, u, 60, 27, 1, 0);
    protect(w, 0, 12, RO);
    carry(w, u, 5, 27, 1, 0);
    protect(w, 20, 8, RO);
    carry(w, u, 5, 27, 1, 0);
    lay(w);
    marks(w, 20, 12);
}

/* (WATCH-19) */
static void events(struct world *w, uint64_t features)
{
    int u = watcher(w, F_WP | features);
    int m = file_of(w, FILE_SHMEM, 30, RWF);
    anon(w, 0, 30, RW);
    touch(w, 0, 30);
    watch(w, u, 0, 20, MISSING | WP);
    resolve(w, WATCH_PROTECT, u, 0, 20, PROTECT_ON);
    advise(w, 0, 2, MW_MADV_DONTNEED);
    messages(w, u);
    advise(w, 2, 2, MW_MADV_FREE);
    messages(w, u);
    advise(w, 18, 4, MW_MADV_DONTNEED);
    messages(w, u);
    advise(w, 4, 1, MW_MADV_DONTNEED_LOCKED);
    messages(w, u);
    advise(w, 4, 1, MW_MADV_COLD);
    messages(w, u);
    advise(w, 4, 1, MW_MADV_GUARD_INSTALL);
    messages(w, u);
    advise(w, 4, 1, MW_MADV_GUARD_REMOVE);
    messages(w, u);
    unmap(w, 4, 2);
    messages(w, u);
    unmap(w, 3, 4);
    messages(w, u);
    unmap(w, 40, 4);
    messages(w, u);
    anon(w, 7, 2, RW);
    messages(w, u);
    lay(w);
    /* moves */
    move(w, 10, 2, 2, FIX, 50);
    messages(w, u);
    lay(w);
    flags_of(w, 50);
    marks(w, 50, 2);
    move(w, 12, 2, 4, FIX, 60);
    messages(w, u);
    flags_of(w, 60);
    move(w, 14, 4, 2, FIX, 70);
    messages(w, u);
    flags_of(w, 70);
    marks(w, 70, 4);
    lay(w);
    move(w, 18, 2, 1, MAY, 0);
    messages(w, u);
    move(w, 60, 4, 6, MAY, 0);
    messages(w, u);
    move(w, 60, 2, 2, DUF, 80);
    messages(w, u);
    flags_of(w, 80);
    flags_of(w, 60);
    marks(w, 80, 2);
    move(w, 80, 2, 2, FIX, 62);
    messages(w, u);
    lay(w);
    /* shared */
    filemap(w, 100, 10, RW, SHARED, m, 0);
    filemap(w, 120, 10, RW, SHARED, m, 0);
    watch(w, u, 100, 10, MISSING);
    watch(w, u, 120, 10, WP);
    advise(w, 100, 1, MW_MADV_REMOVE);
    messages(w, u);
    advise(w, 101, 1, MW_MADV_DONTNEED);
    messages(w, u);
    move(w, 100, 0, 2, FIX, 140);
    messages(w, u);
    flags_of(w, 140);
    flags_of(w, 100);
    lay(w);
    protect(w, 101, 2, RO);
    unmap(w, 100, 25);
    messages(w, u);
    anon(w, 160, 8, RW);
    watch(w, u, 160, 2, MISSING);
    watch(w, u, 164, 2, MISSING);
    unmap(w, 161, 5);
    messages(w, u);
    /* over watched memory */
    anon(w, 180, 4, RW);
    watch(w, u, 180, 4, MISSING);
    anon(w, 190, 4, RW);
    move(w, 190, 2, 2, FIX, 181);
    messages(w, u);
    /* several */
    move(w, 180, 4, 4, FIX, 200);
    messages(w, u);
    heap(w, 4);
    do_watch(w, u, at(HEAP_PAGE), 4 * PAGE, MISSING);
    heap(w, 6);
    messages(w, u);
    heap(w, 2);
    messages(w, u);
    lay(w);
}

SCENARIO(watch_events_none) { events(w, 0); }
SCENARIO(watch_events) { events(w, EV_REMAP | EV_REMOVE | EV_UNMAP); }
SCENARIO(watch_event_remap) { events(w, EV_REMAP); }

/* (WATCH-20) */
static void child(struct world *w, uint64_t features)
{
    int u = watcher(w, F_ALL_WP | F_SIGBUS | features), m = file_of(w, FILE_SHMEM, 30, RWF);
    anon(w, 0, 8, RW);
    touch(w, 0, 4);
    watch(w, u, 0, 8, MISSING | WP);
    resolve(w, WATCH_PROTECT, u, 1, 5, PROTECT_ON);
    filemap(w, 20, 8, RW, SHARED, m, 0);
    data(w, 20, 2);
    watch(w, u, 20, 8, WP);
    resolve(w, WATCH_PROTECT, u, 21, 3, PROTECT_ON);
    anon(w, 40, 4, RW);
    watch(w, u, 40, 4, MISSING);
    anon(w, 50, 4, RW);
    touch(w, 50, 4);
    watch(w, u, 50, 4, MISSING | WP);
    resolve(w, WATCH_PROTECT, u, 50, 4, PROTECT_ON);
    advise(w, 50, 4, MW_MADV_WIPEONFORK);
    filemap(w, 60, 8, RW, PRIV, m, 0);
    touch(w, 60, 2);
    data(w, 62, 1);
    watch(w, u, 60, 8, WP);
    resolve(w, WATCH_PROTECT, u, 61, 3, PROTECT_ON);
    messages(w, u);
    forked(w);
    lay(w);
    flags_of(w, 0);
    flags_of(w, 20);
    flags_of(w, 40);
    flags_of(w, 50);
    marks(w, 0, 8);
    marks(w, 40, 4);
    marks(w, 50, 4);
    wps(w, 20, 8);
    wps(w, 60, 8);
    store(w, 0, 1);
    store(w, 1, 1);
    store(w, 5, 1);
    data(w, 0, 8);
    store(w, 21, 1);
    store(w, 22, 1);
    data(w, 20, 8);
    store(w, 41, 1);
    store(w, 51, 1);
    store(w, 61, 1);
    store(w, 62, 1);
    store(w, 63, 1);
}
SCENARIO(watch_fork) { child(w, 0); }
SCENARIO(watch_fork_event) { child(w, EV_FORK); }

/* what a change of modes does to what is write-protected, and whom the calls touch */
SCENARIO(watch_modes)
{
    int u = watcher(w, F_ALL_WP | MW_UFFD_FEATURE_POISON | MW_UFFD_FEATURE_MOVE), m = file_of(w, FILE_SHMEM, 30, RWF);
    filemap(w, 0, 8, RW, SHARED, m, 0);
    watch(w, u, 0, 8, WP);
    touch(w, 0, 3);
    resolve(w, WATCH_PROTECT, u, 0, 6, PROTECT_ON);
    wps(w, 0, 8);
    watch(w, u, 0, 4, MINOR);
    wps(w, 0, 8);
    watch(w, u, 0, 4, WP);
    wps(w, 0, 8);
    meet(w, 0, true);
    lay(w);
    /* markers and the other calls */
    anon(w, 20, 12, RW);
    watch(w, u, 20, 12, MISSING | WP);
    resolve(w, WATCH_PROTECT, u, 20, 2, PROTECT_ON);
    resolve(w, WATCH_POISON, u, 20, 1, 0);
    resolve(w, WATCH_POISON, u, 22, 3, 0);
    resolve(w, WATCH_ZEROPAGE, u, 22, 1, 0);
    resolve(w, WATCH_PROTECT, u, 22, 3, PROTECT_ON);
    marks(w, 20, 8);
    resolve(w, WATCH_PROTECT, u, 20, 8, 0);
    marks(w, 20, 8);
    meet(w, 22, false);
    anon(w, 40, 8, RW);
    touch(w, 40, 8);
    resolve(w, WATCH_POISON, u, 25, 1, 0);
    resolve(w, WATCH_PROTECT, u, 26, 1, PROTECT_ON);
    carry(w, u, 40, 25, 1, 0);
    carry(w, u, 40, 26, 1, 0);
    carry(w, u, 40, 27, 1, 0);
    watch(w, u, 40, 8, MISSING | WP);
    resolve(w, WATCH_PROTECT, u, 41, 2, PROTECT_ON);
    carry(w, u, 41, 28, 1, 0);
    marks(w, 20, 12);
    advise(w, 42, 2, MW_MADV_DONTNEED);
    resolve(w, WATCH_PROTECT, u, 42, 1, PROTECT_ON);
    resolve(w, WATCH_POISON, u, 43, 1, 0);
    carry(w, u, 42, 29, 1, 0);
    carry(w, u, 42, 29, 1, 2);
    carry(w, u, 43, 30, 1, 0);
    carry(w, u, 43, 30, 1, 2);
    marks(w, 20, 12);
    marks(w, 40, 8);
    carry(w, u, 44, 300, 1, 0);
    carry(w, u, 400, 300, 1, 0);
    filemap(w, 60, 8, RW, SHARED, m, 10);
    watch(w, u, 60, 8, MINOR | WP | MISSING);
    resolve(w, WATCH_PROTECT, u, 60, 2, PROTECT_ON);
    resolve(w, WATCH_CONTINUE, u, 60, 1, 0);
    resolve(w, WATCH_CONTINUE, u, 61, 1, MW_UFFD_CONTINUE_MODE_WP);
    resolve(w, WATCH_POISON, u, 62, 1, 0);
    resolve(w, WATCH_CONTINUE, u, 62, 1, 0);
    advise(w, 63, 4, MW_MADV_REMOVE);
    resolve(w, WATCH_PROTECT, u, 63, 1, PROTECT_ON);
    resolve(w, WATCH_ZEROPAGE, u, 63, 1, 0);
    resolve(w, WATCH_POISON, u, 64, 1, 0);
    resolve(w, WATCH_ZEROPAGE, u, 64, 1, 0);
    resolve(w, WATCH_PROTECT, u, 65, 1, PROTECT_ON);
    resolve(w, WATCH_COPY, u, 65, 1, MW_UFFD_COPY_MODE_WP);
    wps(w, 60, 8);
    filemap(w, 80, 8, RW, SHARED, m, 26);
    watch(w, u, 80, 8, MISSING | WP);
    resolve(w, WATCH_POISON, u, 83, 2, 0);
    data(w, 83, 2);
    resolve(w, WATCH_ZEROPAGE, u, 83, 2, 0);
    resolve(w, WATCH_PROTECT, u, 84, 2, PROTECT_ON);
    meet(w, 85, true);
    filemap(w, 90, 8, RW, PRIV, m, 26);
    watch(w, u, 90, 8, MISSING | WP);
    resolve(w, WATCH_POISON, u, 93, 2, 0);
    resolve(w, WATCH_ZEROPAGE, u, 93, 2, 0);
    resolve(w, WATCH_ZEROPAGE, u, 90, 1, 0);
    resolve(w, WATCH_ZEROPAGE, u, 95, 1, 0);
    store(w, 90, 3);
}

/* which calls make a mapping touched: then it does not merge with another one that is */
SCENARIO(watch_touches)
{
    int u = watcher(w, F_ALL_WP | MW_UFFD_FEATURE_POISON | MW_UFFD_FEATURE_MOVE);
    for (int i = 0; i < 9; i++) {
        int64_t p = 100 * (i + 1);
        anon(w, p, 4, RW);
        anon(w, p + 20, 4, RW);
        touch(w, p + 20, 4);
        watch(w, u, p, 4, MISSING | WP);
        switch (i) {
        case 0: resolve(w, WATCH_COPY, u, p, 1, 0); break;
        case 1: resolve(w, WATCH_ZEROPAGE, u, p, 1, 0); break;
        case 2: resolve(w, WATCH_POISON, u, p, 1, 0); break;
        case 3: resolve(w, WATCH_PROTECT, u, p, 1, 1); break;
        case 4: carry(w, u, p + 20, p, 1, 0); break;
        case 5: meet(w, p, true); break;
        case 6: meet(w, p, false); break;
        case 7: resolve(w, WATCH_ZEROPAGE, u, p, 1, 0); resolve(w, WATCH_COPY, u, p, 1, 0); break;
        default: carry(w, u, p + 60, p, 1, 2); break;
        }
        unwatch(w, u, p, 4);
        move(w, p, 4, 4, FIX, p + 24);
        lay(w);
    }
}

/* the same of shared memory, where only such a call does */
SCENARIO(watch_touches_shared)
{
    int u = watcher(w, F_ALL_WP | MW_UFFD_FEATURE_POISON | MW_UFFD_FEATURE_MOVE), m = file_of(w, FILE_SHMEM, 30, RWF);
    for (int i = 0; i < 5; i++) {
        int64_t p = 40 * i;
        filemap(w, p, 2, RW, SHARED, m, 10);
        filemap(w, p + 10, 2, RW, SHARED, m, 12);
        advise(w, p, 2, MW_MADV_REMOVE);
        advise(w, p + 10, 2, MW_MADV_REMOVE);
        watch(w, u, p, 2, MISSING | WP);
        watch(w, u, p + 10, 2, MISSING | WP);
        if (i == 0) {
            resolve(w, WATCH_COPY, u, p, 1, 0);
            resolve(w, WATCH_COPY, u, p + 10, 1, 0);
        } else if (i == 1) {
            resolve(w, WATCH_POISON, u, p, 1, 0);
            resolve(w, WATCH_POISON, u, p + 10, 1, 0);
        } else if (i == 2) {
            resolve(w, WATCH_CONTINUE, u, p, 1, 0);
            resolve(w, WATCH_CONTINUE, u, p + 10, 1, 0);
        } else if (i == 3) {
            resolve(w, WATCH_PROTECT, u, p, 1, PROTECT_ON);
            resolve(w, WATCH_PROTECT, u, p + 10, 1, PROTECT_ON);
        } else {
            carry(w, u, p, p, 1, 0);
            carry(w, u, p + 10, p + 10, 1, 0);
        }
        unwatch(w, u, p, 2);
        unwatch(w, u, p + 10, 2);
        move(w, p + 10, 2, 2, FIX, p + 2);
        lay(w);
    }
}

/* REMOVE: what a private mapping has read leaves its mark, its own pages stay; a copy finds no page then (WATCH-18) */
SCENARIO(watch_removed_privately)
{
    int u = watcher(w, F_ALL_WP | MW_UFFD_FEATURE_POISON), v = watcher(w, F_ALL_WP), m = file_of(w, FILE_SHMEM, 30, RWF);
    filemap(w, 0, 8, RW, SHARED, m, 10);
    filemap(w, 10, 8, RW, PRIV, m, 10);
    watch(w, u, 10, 8, MISSING | WP);
    resolve(w, WATCH_POISON, u, 17, 1, 0);
    data(w, 10, 6);
    touch(w, 13, 2);
    resolve(w, WATCH_PROTECT, u, 11, 3, PROTECT_ON);
    resolve(w, WATCH_PROTECT, u, 16, 1, PROTECT_ON);
    wps(w, 10, 8);
    advise(w, 0, 8, MW_MADV_REMOVE);
    wps(w, 10, 8);
    watch(w, v, 0, 8, MISSING);
    resolve(w, WATCH_COPY, v, 0, 8, 0);
    unwatcher(w, v);
    wps(w, 10, 8);
    data(w, 0, 8);
    data(w, 10, 7);
    meet(w, 17, false);
}

/* the same of huge pages, shared and private (WATCH-18) */
SCENARIO(watch_removed_huge)
{
    int u, m;
    huge(w);
    u = watcher(w, F_ALL_WP | MW_UFFD_FEATURE_POISON);
    m = file_of_bytes(w, FILE_HUGE, 6 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 6 * HUGE_PAGE, RW, SHARED | FIXED, m, 0);
    do_mmap(w, at(HUGE_PAGES(8)), 6 * HUGE_PAGE, RW, PRIV | FIXED, m, 0);
    do_mmap(w, at(HUGE_PAGES(16)), 6 * HUGE_PAGE, RW, SHARED | FIXED, m, 0);
    huge_touch(w, 0, 4);
    huge_data(w, 8, 2);
    huge_touch(w, 10, 2);
    huge_data(w, 16, 4);
    for (int i = 8; i <= 16; i += 8) {
        watch(w, u, HUGE_PAGES(i), 6 * 512, MISSING | WP);
        resolve(w, WATCH_PROTECT, u, HUGE_PAGES(i + 1), 2 * 512, PROTECT_ON);
        resolve(w, WATCH_PROTECT, u, HUGE_PAGES(i + 4), 512, PROTECT_ON);
        resolve(w, WATCH_POISON, u, HUGE_PAGES(i + 5), 512, 0);
        for (int k = 0; k < 6; k++)
            wps(w, HUGE_PAGES(i + k), 1);
    }
    pool(w);
    advise(w, 0, 6 * 512, MW_MADV_REMOVE);
    pool(w);
    for (int k = 0; k < 6; k++) {
        wps(w, HUGE_PAGES(8 + k), 1);
        wps(w, HUGE_PAGES(16 + k), 1);
    }
    meet(w, HUGE_PAGES(13), false);
    meet(w, HUGE_PAGES(21), false);
    unwatcher(w, u);
    pool(w);
}

/* a shared mapping of a file that can only be read is touched as well, and its duplicate is as it is (WATCH-10, MREMAP-27) */
SCENARIO(watch_touches_readonly)
{
    int u = watcher(w, F_SIGBUS), r = file_of(w, FILE_MEM, 8, MW_FILE_READ);
    for (int i = 0; i < 8; i++) {
        int64_t p = 20 * i;
        filemap(w, p, 1, RO, SHARED, r, 0);
        if (i & 1)
            resolve(w, WATCH_ZEROPAGE, u, p, 1, 0);
        if (i & 4)
            move(w, p, 0, 4, FIX, p + 1);
        else
            filemap(w, p + 1, 4, RO, SHARED, r, 0);
        if (i & 2)
            resolve(w, WATCH_COPY, u, p + 2, 1, 0);
        move(w, p, 1, 1, FIX, p + 1);
        lay(w);
    }
}

/* beyond the end of a file of huge pages (WATCH-11, WATCH-13, WATCH-14); setting its size takes marks and poison away (WATCH-18) */
SCENARIO(watch_huge_beyond)
{
    static const uint32_t type[] = { PRIV, SHARED };
    huge(w);
    int u = watcher(w, F_ALL_WP | MW_UFFD_FEATURE_POISON);
    for (int i = 0; i < 2; i++) {
        int m = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
        do_mmap(w, at(0), 4 * HUGE_PAGE, RW, type[i] | FIXED, m, 0);
        watch(w, u, 0, 4 * 512, MISSING | WP | MINOR);
        truncate_to(w, m, HUGE_PAGE);
        resolve(w, WATCH_CONTINUE, u, HUGE_PAGES(1), 512, 0);
        resolve(w, WATCH_COPY, u, HUGE_PAGES(1), 512, 0);
        meet(w, HUGE_PAGES(1), true);
        resolve(w, WATCH_POISON, u, HUGE_PAGES(2), 512, 0);
        resolve(w, WATCH_PROTECT, u, HUGE_PAGES(3), 512, PROTECT_ON);
        meet(w, HUGE_PAGES(2), true);
        pool(w);
        truncate_to(w, m, 2 * HUGE_PAGE);
        for (int64_t page = 1; page < 4; page++)
            wps(w, HUGE_PAGES(page), 1);
        truncate_to(w, m, 4 * HUGE_PAGE);
        resolve(w, WATCH_COPY, u, HUGE_PAGES(1), 512, MW_UFFD_COPY_MODE_WP);
        resolve(w, WATCH_POISON, u, HUGE_PAGES(2), 512, 0);
        resolve(w, WATCH_POISON, u, HUGE_PAGES(3), 512, 0);
        truncate_to(w, m, HUGE_PAGE);
        for (int64_t page = 1; page < 4; page++)
            wps(w, HUGE_PAGES(page), 1);
        pool(w);
    }
}

/* a page that can't be had is said to be there: a defect since 6.18 (WATCH-11) */
SCENARIO(watch_huge_gone)
{
    huge(w);
    int u = watcher(w, F_ALL_WP), m = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
    huge_map(w, 0, 4, RW, SHARED);
    huge_map(w, 4, 12, RW, SHARED);
    huge_map(w, 20, 2, RW, PRIV | MW_MAP_NORESERVE);
    huge_map(w, 24, 2, RW, SHARED | MW_MAP_NORESERVE);
    do_mmap(w, at(HUGE_PAGES(28)), 4 * HUGE_PAGE, RW, SHARED | FIXED | MW_MAP_NORESERVE, m, 0);
    truncate_to(w, m, 0);
    for (int64_t i = 20; i <= 28; i += 4) {
        watch(w, u, HUGE_PAGES(i), 1024, MISSING);
        resolve(w, WATCH_COPY, u, HUGE_PAGES(i), 512, 0);
    }
    unmap(w, 0, HUGE_PAGES(4));
    do_mmap(w, at(0), 4 * HUGE_PAGE, RO, SHARED | FIXED, m, 0); /* the last ones, beyond the end */
    resolve(w, WATCH_COPY, u, HUGE_PAGES(28), 512, 0);
    unmap(w, 0, HUGE_PAGES(16));
    for (int64_t i = 20; i <= 28; i += 4)
        resolve(w, WATCH_COPY, u, HUGE_PAGES(i), 512, 0);
    pool(w);
}

/* protection ends before the cut is refused (WATCH-5) */
SCENARIO(watch_cut_at_limit)
{
    int u = watcher(w, F_ALL_WP);
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    watch(w, u, 0, 6, WP);
    resolve(w, WATCH_PROTECT, u, 0, 6, PROTECT_ON);
    fill_map_count(w, 1000);
    unwatch(w, u, 2, 2);
    wps(w, 0, 6);
    flags_of(w, 2);
}

/* what is asked of the whole range, and what of the part in a mapping (WATCH-2, WATCH-5, WATCH-15) */
SCENARIO(watch_huge_part)
{
    huge(w);
    int u = watcher(w, F_ALL_WP);
    huge_map(w, 1, 3, RW, PRIV);
    anon(w, HUGE_PAGES(1) - 2, 2, RW);
    unwatch(w, u, HUGE_PAGES(1), 1);
    unwatch(w, u, HUGE_PAGES(1) - 2, 3);
    watch(w, u, HUGE_PAGES(1) - 2, 2 + 3 * 512, MISSING | WP);
    resolve(w, WATCH_PROTECT, u, HUGE_PAGES(1) - 2, 2 + 512, PROTECT_ON);
    wps(w, HUGE_PAGES(1) - 2, 2);
    wps(w, HUGE_PAGES(1), 1);
    resolve(w, WATCH_PROTECT, u, HUGE_PAGES(2), 2 * 512, PROTECT_ON);
    wps(w, HUGE_PAGES(2), 1);
    unwatch(w, u, HUGE_PAGES(2), 513);
    wps(w, HUGE_PAGES(2), 1);
    wps(w, HUGE_PAGES(3), 1);
    lay(w);
    resolve(w, WATCH_PROTECT, u, HUGE_PAGES(1), 512, PROTECT_ON);
    unwatch(w, u, HUGE_PAGES(1), 1);
    wps(w, HUGE_PAGES(1), 1);
    lay(w);
    unwatch(w, u, HUGE_PAGES(1) - 2, 3);
    lay(w);
    flags_of(w, HUGE_PAGES(1) - 2);
    flags_of(w, HUGE_PAGES(1));
    unwatch(w, u, HUGE_PAGES(1) - 2, 2 + 3 * 512);
    lay(w);
}

static void copied(struct world *w, uint64_t features, uint64_t mode)
{
    int u = watcher(w, F_ALL_WP | F_SIGBUS | features), m = file_of(w, FILE_SHMEM, 30, RWF);
    shanon(w, 0, 8, RW);
    watch(w, u, 0, 8, mode);
    resolve(w, WATCH_COPY, u, 1, 1, mode & WP ? MW_UFFD_COPY_MODE_WP : 0);
    resolve(w, WATCH_POISON, u, 2, 1, 0);
    filemap(w, 20, 8, RW, SHARED, m, 0);
    watch(w, u, 20, 8, mode);
    resolve(w, WATCH_CONTINUE, u, 21, 1, 0);
    resolve(w, WATCH_POISON, u, 22, 1, 0);
    wps(w, 0, 8);
    forked(w);
    flags_of(w, 0);
    wps(w, 0, 8);
    data(w, 0, 8);
    data(w, 20, 8);
}
SCENARIO(watch_fork_copied) { copied(w, 0, WP | MINOR); }
SCENARIO(watch_fork_copied_event) { copied(w, EV_FORK, WP | MINOR); }
SCENARIO(watch_fork_copied_minor) { copied(w, EV_FORK, MISSING | MINOR); }

/* which refusal comes first */
SCENARIO(watch_order)
{
    int u = watcher(w, F_ALL_WP), v = watcher(w, F_ALL_WP), d = file_of(w, FILE_DISK, 8, RWF), r = file_of(w, FILE_SHMEM, 8, MW_FILE_READ);
    anon(w, 0, 4, RW);
    watch(w, v, 0, 4, MISSING);
    filemap(w, 4, 4, RW, SHARED, d, 0);
    watch(w, u, 0, 8, MISSING);
    filemap(w, 4, 4, RO, SHARED, r, 0);
    watch(w, u, 0, 8, MISSING);
    watch(w, u, 2, 4, MINOR);
    filemap(w, -4, 4, RO, SHARED, r, 0);
    watch(w, u, -4, 8, MISSING);
    unwatch(w, u, -4, 2);
    unwatch(w, u, -4, 8);
    unwatch(w, v, -4, 8);
    filemap(w, 10, 4, RW, SHARED, d, 0);
    unwatch(w, v, 10, 4);
    unwatch(w, v, 6, 6);
    mapped(w, 20, 4, RW, MW_MAP_DROPPABLE | ANON);
    unwatch(w, v, 20, 4);
    /* zero, private, is anonymous */
    anon(w, 30, 2, RW);
    watch(w, u, 30, 2, MISSING);
    seal(w, 30, 1);
    unwatch(w, u, 30, 2);
    watch(w, u, 30, 2, MISSING);
    lay(w);
    /* advice that is refused tells nobody */
    unwatcher(w, u);
    unwatcher(w, v);
}

SCENARIO(watch_event_unmap)
{
    int u = watcher(w, F_WP | EV_UNMAP), v = watcher(w, F_WP | EV_REMOVE | EV_UNMAP);
    anon(w, 0, 30, RW);
    watch(w, u, 0, 10, MISSING);
    watch(w, v, 10, 10, MISSING);
    move(w, 4, 2, 2, FIX, 50);
    messages(w, u);
    flags_of(w, 50);
    move(w, 6, 2, 1, FIX, 60);
    messages(w, u);
    move(w, 0, 1, 1, DUF, 70);
    messages(w, u);
    unmap(w, 8, 4);
    messages(w, u);
    messages(w, v);
    do_mlock2(w, at(13), PAGE, MW_MLOCK_ONFAULT);
    advise(w, 12, 4, MW_MADV_DONTNEED);
    messages(w, v);
    unlock(w, 13, 1);
    shanon(w, 40, 4, RW);
    watch(w, v, 40, 4, MISSING);
    advise(w, 40, 4, MW_MADV_FREE);
    messages(w, v);
    advise(w, 12, 4, MW_MADV_REMOVE);
    messages(w, v);
    advise(w, 19, 2, MW_MADV_GUARD_INSTALL);
    messages(w, v);
    anon(w, 10, 10, RW);
    messages(w, v);
    anon(w, 80, 4, RW);
    watch(w, u, 80, 4, MISSING);
    unwatcher(w, v);
    do_mmap(w, at(80), 2 * PAGE, RW, PRIV | ANON | FIXED | MW_MAP_LOCKED, NO_FILE, 0);
    messages(w, u);
}

SCENARIO(watch_async)
{
    int u = watcher(w, MW_UFFD_FEATURE_WP_ASYNC), d = file_of(w, FILE_DISK, 8, RWF);
    anon(w, 0, 8, RW);
    touch(w, 0, 2);
    watch(w, u, 0, 8, WP);
    resolve(w, WATCH_PROTECT, u, 0, 6, PROTECT_ON);
    marks(w, 0, 8);
    store(w, 1, 4);
    store(w, 3, 4);
    data(w, 4, 1);
    marks(w, 0, 8);
    filemap(w, 20, 8, RW, SHARED, d, 0);
    watch(w, u, 20, 8, WP);
    resolve(w, WATCH_PROTECT, u, 20, 6, PROTECT_ON);
    store(w, 21, 4);
    data(w, 20, 3);
    resolve(w, WATCH_COPY, u, 24, 1, 0);
    resolve(w, WATCH_ZEROPAGE, u, 24, 1, 0);
    resolve(w, WATCH_CONTINUE, u, 24, 1, 0);
    resolve(w, WATCH_POISON, u, 24, 1, 0);
    resolve(w, WATCH_PROTECT, u, 20, 8, 0);
    wps(w, 20, 8);
    unwatch(w, u, 20, 8);
    lay(w);
}

/* nobody waits (WATCH-9) */
SCENARIO(watch_sigbus)
{
    int u = watcher(w, F_ALL_WP | F_SIGBUS), m = file_of(w, FILE_SHMEM, 30, RWF);
    anon(w, 0, 8, RW);
    touch(w, 0, 2);
    watch(w, u, 0, 8, MISSING | WP);
    resolve(w, WATCH_PROTECT, u, 1, 5, PROTECT_ON);
    data(w, 0, 8);
    store(w, 1, 1);
    store(w, 2, 1);
    store(w, 7, 1);
    lay(w);
    copy_out(w, at(0), 4 * PAGE);
    copy_in(w, at(0), 4 * PAGE);
    advise(w, 0, 8, MW_MADV_POPULATE_READ);
    advise(w, 0, 8, MW_MADV_POPULATE_WRITE);
    lock(w, 0, 8);
    unlock(w, 0, 8);
    lock(w, 0, 1);
    filemap(w, 20, 8, RW, SHARED, m, 0);
    watch(w, u, 20, 8, MINOR);
    data(w, 20, 2);
    lock(w, 20, 1);
    do_mincore(w, at(0), 8 * PAGE);
    do_mincore(w, at(20), 8 * PAGE);
    execute(w, 0);
    protect(w, 0, 8, NONE);
    data(w, 0, 2);
    anon(w, 40, 8, RW);
    watch(w, u, 40, 4, MISSING);
    copy_out(w, at(40), 4 * PAGE);
    copy_in(w, at(39), 4 * PAGE);
    lay(w);
}

SCENARIO(watch_exact)
{
    int u = watcher(w, F_ALL_WP | MW_UFFD_FEATURE_EXACT_ADDRESS), v = watcher(w, F_ALL_WP);
    anon(w, 0, 8, RW);
    watch(w, u, 0, 2, MISSING);
    meet(w, 0, true);
    resolve(w, WATCH_COPY, u, 0, 1, 0);
    watch(w, u, 0, 2, WP);
    resolve(w, WATCH_PROTECT, u, 0, 1, PROTECT_ON);
    meet(w, 0, true);
    huge(w);
    huge_map(w, 1, 2, RW, PRIV);
    huge_map(w, 4, 2, RW, SHARED);
    watch(w, u, HUGE_PAGES(1), 512, MISSING | WP);
    watch(w, v, HUGE_PAGES(4), 512, MISSING | WP);
    meet(w, HUGE_PAGES(1) + 3, true);
    meet(w, HUGE_PAGES(4) + 3, true);
    resolve(w, WATCH_ZEROPAGE, v, HUGE_PAGES(4), 512, 0);
    resolve(w, WATCH_COPY, v, HUGE_PAGES(4), 1, 0);
    resolve(w, WATCH_COPY, v, HUGE_PAGES(4) + 1, 512, 0);
    resolve(w, WATCH_POISON, v, HUGE_PAGES(4), 512, 0);
    huge_data(w, 4, 1);
    resolve(w, WATCH_PROTECT, v, HUGE_PAGES(4), 1, PROTECT_ON);
    resolve(w, WATCH_PROTECT, v, HUGE_PAGES(4) + 1, 512, PROTECT_ON);
    resolve(w, WATCH_PROTECT, u, HUGE_PAGES(1), 512, PROTECT_ON);
    marks(w, HUGE_PAGES(1), 2);
    meet(w, HUGE_PAGES(1) + 3, true);
    watch(w, u, HUGE_PAGES(1), 512, WP);
    meet(w, HUGE_PAGES(1) + 3, false);
    marks(w, HUGE_PAGES(1), 2);
    meet(w, HUGE_PAGES(1) + 3, true);
    pool(w);
}
