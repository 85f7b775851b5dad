/* SPDX-License-Identifier: MIT */
/* madvise.c - scenarios of madvise(2). */
#include "scenario.h"

#define RWF (MW_FILE_READ | MW_FILE_WRITE)

/* those that set or clear a flag */
static const uint64_t marks[] = {
    MW_MADV_RANDOM, MW_MADV_SEQUENTIAL, MW_MADV_NORMAL, MW_MADV_DONTFORK, MW_MADV_DOFORK,
    MW_MADV_MERGEABLE, MW_MADV_UNMERGEABLE, MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE,
    MW_MADV_DONTDUMP, MW_MADV_DODUMP, MW_MADV_WIPEONFORK, MW_MADV_KEEPONFORK,
};
enum { MARKS = sizeof marks / sizeof marks[0] };

/* and those that do something about pages */
static const uint64_t deeds[] = {
    MW_MADV_WILLNEED, MW_MADV_COLD, MW_MADV_PAGEOUT, MW_MADV_FREE, MW_MADV_DONTNEED,
    MW_MADV_DONTNEED_LOCKED, MW_MADV_REMOVE, MW_MADV_POPULATE_READ, MW_MADV_POPULATE_WRITE,
};
enum { DEEDS = sizeof deeds / sizeof deeds[0] };

/* which advices there are, said before anything else is looked at (ADVICE-1) */
SCENARIO(madvise_numbers)
{
    for (uint64_t a = 0; a < 130; a++)
        if (a != MW_MADV_COLLAPSE && a != MW_MADV_HWPOISON && a != MW_MADV_SOFT_OFFLINE)
            do_madvise(w, at(0), 0, a);
    do_madvise(w, at(0) + 1, 0, 5);
    do_madvise(w, at(0) + 1, 0, MW_MADV_NORMAL);
    do_madvise(w, at(0), 0, 1ull << 32);
    do_madvise(w, at(0), 0, ~0ull);
    do_madvise(w, at(0), PAGE, 0xffffffff);
}

/* addresses, lengths (ADVICE-2, ADVICE-3) */
SCENARIO(madvise_arguments)
{
    static const uint64_t advice[] = { MW_MADV_DONTFORK, MW_MADV_DONTNEED, MW_MADV_POPULATE_READ };
    for (int i = 0; i < 3; i++) {
        anon(w, 0, 4, RW);
        do_madvise(w, at(0) + 1, PAGE, advice[i]);
        do_madvise(w, at(0), ~0ull, advice[i]);
        do_madvise(w, at(0), ~0ull - PAGE, advice[i]);
        do_madvise(w, at(0), 0ull - at(0), advice[i]);
        if (advice[i] == MW_MADV_DONTFORK) /* the program itself lies there */
            do_madvise(w, at(0), TASK_END - at(0) + 1, advice[i]);
        do_madvise(w, TASK_END, PAGE, advice[i]);
        do_madvise(w, TASK_END, 0, advice[i]);
        do_madvise(w, KERNEL_HALF, PAGE, advice[i]);
        do_madvise(w, 0ull - PAGE, PAGE, advice[i]);
        do_madvise(w, at(20), 0, advice[i]);
        do_madvise(w, at(20), PAGE, advice[i]);
        lay(w);
        anon(w, 0, 4, RW);
        do_madvise(w, at(1), 1, advice[i]);
        lay(w);
    }
}

/* a.a: holes are passed over, and said in the end (ADVICE-3) */
SCENARIO(madvise_holes)
{
    for (int i = 0; i < MARKS; i++) {
        anon(w, 0, 2, RW);
        anon(w, 3, 2, RW);
        advise(w, 0, 8, marks[i]);
        flags_of(w, 0);
        flags_of(w, 4);
    }
    for (int i = 0; i < DEEDS; i++) {
        if (deeds[i] == MW_MADV_REMOVE)
            continue;
        anon(w, 0, 2, RW);
        anon(w, 3, 2, RW);
        touch(w, 0, 5);
        advise(w, 1, 8, deeds[i]);
        data(w, 0, 6);
    }
}

/* each flag cuts, and merges again (ADVICE-4, ADVICE-7) */
SCENARIO(madvise_flags)
{
    for (int i = 0; i < MARKS; i++) {
        anon(w, 0, 6, RW);
        advise(w, 2, 2, marks[i]);
        lay(w);
        flags_of(w, 2);
        advise(w, 3, 2, marks[i]);
        lay(w);
        advise(w, 0, 6, marks[i]);
        lay(w);
        advise(w, 1, 1, MW_MADV_NORMAL);
        advise(w, 1, 1, MW_MADV_DOFORK);
        advise(w, 1, 1, MW_MADV_DODUMP);
        advise(w, 1, 1, MW_MADV_UNMERGEABLE);
        advise(w, 1, 1, MW_MADV_KEEPONFORK);
        flags_of(w, 1);
        lay(w);
    }
}

/* one advice takes another's place (ADVICE-7) */
SCENARIO(madvise_flags_replace)
{
    anon(w, 0, 2, RW);
    advise(w, 0, 2, MW_MADV_RANDOM);
    advise(w, 0, 2, MW_MADV_SEQUENTIAL);
    flags_of(w, 0);
    advise(w, 0, 2, MW_MADV_RANDOM);
    flags_of(w, 0);
    advise(w, 0, 2, MW_MADV_HUGEPAGE);
    advise(w, 0, 2, MW_MADV_NOHUGEPAGE);
    flags_of(w, 0);
    advise(w, 0, 2, MW_MADV_HUGEPAGE);
    flags_of(w, 0);
    advise(w, 0, 2, MW_MADV_NORMAL);
    flags_of(w, 0);
}

/* every advice on every kind of memory (ADVICE-5, ADVICE-7 to ADVICE-11) */
static void on_kind(struct world *w, void (*make)(struct world *w, int f), int f)
{
    for (int i = 0; i < MARKS; i++) {
        make(w, f);
        advise(w, 1, 2, marks[i]);
        flags_of(w, 1);
        lay(w);
    }
    for (int i = 0; i < DEEDS; i++) {
        make(w, f);
        if (deeds[i] == MW_MADV_PAGEOUT && w->ops->flags(w, at(0)) & MW_VM_DROPPABLE)
            continue; /* may drop them, or not */
        touch(w, 0, 4);
        advise(w, 1, 2, deeds[i]);
        data(w, 0, 4);
        flags_of(w, 1);
        lay(w);
    }
}

static void private_anon(struct world *w, int f)
{
    (void)f;
    anon(w, 0, 4, RW);
}

static void private_readonly(struct world *w, int f)
{
    (void)f;
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    protect(w, 0, 4, RO);
}

static void private_none(struct world *w, int f)
{
    (void)f;
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    protect(w, 0, 4, NONE);
}

static void write_only(struct world *w, int f)
{
    (void)f;
    anon(w, 0, 4, WO);
}

static void exec_readable(struct world *w, int f)
{
    (void)f;
    anon(w, 0, 4, RX);
}

static void locked(struct world *w, int f)
{
    (void)f;
    anon(w, 0, 4, RW);
    lock(w, 0, 4);
}

static void locked_onfault(struct world *w, int f)
{
    (void)f;
    anon(w, 0, 4, RW);
    do_mlock2(w, at(0), 4 * PAGE, MW_MLOCK_ONFAULT);
}

static void shared_anon(struct world *w, int f)
{
    (void)f;
    shanon(w, 0, 4, RW);
}

static void shared_readonly(struct world *w, int f)
{
    (void)f;
    shanon(w, 0, 4, RO);
}

static void shared_locked(struct world *w, int f)
{
    (void)f;
    shanon(w, 0, 4, RW);
    lock(w, 0, 4);
}

static void private_file(struct world *w, int f)
{
    filemap(w, 0, 4, RW, PRIV, f, 0);
}

static void shared_file(struct world *w, int f)
{
    filemap(w, 0, 4, RW, SHARED, f, 0);
}

static void shared_file_readonly(struct world *w, int f)
{
    filemap(w, 0, 4, RO, SHARED, f, 0);
}

static void growing(struct world *w, int f)
{
    (void)f;
    unmap(w, -600, 610);
    mapped(w, 0, 4, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
}

static void no_reserve(struct world *w, int f)
{
    (void)f;
    mapped(w, 0, 4, RW, PRIV | ANON | MW_MAP_NORESERVE);
}

static void droppable(struct world *w, int f)
{
    (void)f;
    do_mmap(w, at(0), 4 * PAGE, RW, MW_MAP_DROPPABLE | ANON | FIXED, NO_FILE, 0);
}

SCENARIO(madvise_private) { on_kind(w, private_anon, NO_FILE); }
SCENARIO(madvise_private_readonly) { on_kind(w, private_readonly, NO_FILE); }
SCENARIO(madvise_private_none) { on_kind(w, private_none, NO_FILE); }
SCENARIO(madvise_private_write_only) { on_kind(w, write_only, NO_FILE); }
SCENARIO(madvise_private_exec) { on_kind(w, exec_readable, NO_FILE); }
SCENARIO(madvise_private_locked) { on_kind(w, locked, NO_FILE); }
SCENARIO(madvise_private_locked_onfault) { on_kind(w, locked_onfault, NO_FILE); }
SCENARIO(madvise_private_noreserve) { on_kind(w, no_reserve, NO_FILE); }
SCENARIO(madvise_shared) { on_kind(w, shared_anon, NO_FILE); }
SCENARIO(madvise_shared_readonly) { on_kind(w, shared_readonly, NO_FILE); }
SCENARIO(madvise_shared_locked) { on_kind(w, shared_locked, NO_FILE); }
SCENARIO(madvise_growing) { on_kind(w, growing, NO_FILE); }
SCENARIO(madvise_droppable) { on_kind(w, droppable, NO_FILE); }
SCENARIO(madvise_private_file) { on_kind(w, private_file, file_of(w, FILE_MEM, 4, RWF)); }
SCENARIO(madvise_shared_file) { on_kind(w, shared_file, file_of(w, FILE_MEM, 4, RWF)); }
SCENARIO(madvise_shared_file_readonly)
{
    on_kind(w, shared_file_readonly, file_of(w, FILE_MEM, 4, RWF));
}
SCENARIO(madvise_readonly_file)
{
    on_kind(w, shared_file_readonly, file_of(w, FILE_MEM, 4, MW_FILE_READ));
}
SCENARIO(madvise_private_readonly_file)
{
    on_kind(w, private_file, file_of(w, FILE_MEM, 4, MW_FILE_READ));
}
SCENARIO(madvise_short_file) { on_kind(w, shared_file, file_of(w, FILE_MEM, 2, RWF)); }
SCENARIO(madvise_short_private_file) { on_kind(w, private_file, file_of(w, FILE_MEM, 2, RWF)); }

/* the same of huge pages */
SCENARIO(madvise_huge)
{
    huge(w);
    for (int i = 0; i < MARKS; i++) {
        huge_map(w, 0, 4, RW, PRIV);
        do_madvise(w, at(HUGE_PAGES(1)), 2 * HUGE_PAGE, marks[i]);
        flags_of(w, HUGE_PAGES(1));
        lay(w);
        do_madvise(w, at(HUGE_PAGES(1)), PAGE, marks[i]);
        do_madvise(w, at(HUGE_PAGES(1)) + PAGE, HUGE_PAGE, marks[i]);
        lay(w);
        huge_map(w, 0, 4, RW, PRIV);
        do_madvise(w, at(HUGE_PAGES(1)) + PAGE, HUGE_PAGE, marks[i]);
        do_madvise(w, at(HUGE_PAGES(1)), PAGE, marks[i]);
        lay(w);
    }
}

/* huge pages dropped: whole ones, and back in the pool (ADVICE-8) */
SCENARIO(madvise_huge_pages)
{
    huge(w);
    for (int i = 0; i < DEEDS; i++) {
        huge_map(w, 0, 4, RW, PRIV);
        huge_touch(w, 0, 4);
        pool(w);
        do_madvise(w, at(HUGE_PAGES(1)), 2 * HUGE_PAGE, deeds[i]);
        pool(w);
        huge_data(w, 0, 4);
        pool(w);
        do_madvise(w, at(HUGE_PAGES(1)), PAGE, deeds[i]);
        do_madvise(w, at(HUGE_PAGES(1)), HUGE_PAGE + PAGE, deeds[i]);
        do_madvise(w, at(HUGE_PAGES(1)) + PAGE, HUGE_PAGE, deeds[i]);
        pool(w);
        huge_data(w, 0, 4);
        unmap(w, 0, HUGE_PAGES(4));
        pool(w);
    }
}

SCENARIO(madvise_huge_shared)
{
    huge(w);
    for (int i = 0; i < DEEDS; i++) {
        huge_map(w, 0, 4, RW, SHARED);
        huge_touch(w, 0, 3);
        pool(w);
        do_madvise(w, at(HUGE_PAGES(1)), 2 * HUGE_PAGE, deeds[i]);
        pool(w);
        huge_data(w, 0, 4);
        pool(w);
        unmap(w, 0, HUGE_PAGES(4));
        pool(w);
    }
}

/* dropped memory stays touched (ADVICE-8, ANON-1) */
SCENARIO(madvise_dropped_is_touched)
{
    static const uint64_t drops[] = { MW_MADV_DONTNEED, MW_MADV_FREE };
    for (int i = 0; i < 2; i++) {
        anon(w, 0, 4, RW);
        touch(w, 0, 4);
        advise(w, 0, 4, drops[i]);
        move(w, 0, 4, 4, FIX, 10 + 10 * i);
        anon(w, 14 + 10 * i, 1, RW);
    }
    lay(w);
}

/* populated for reading is untouched, for writing touched (ADVICE-11) */
SCENARIO(madvise_populated_is_touched)
{
    static const uint64_t ways[] = { MW_MADV_POPULATE_READ, MW_MADV_POPULATE_WRITE };
    for (int i = 0; i < 2; i++) {
        anon(w, 0, 4, RW);
        advise(w, 0, 4, ways[i]);
        present(w, 0, 4);
        move(w, 0, 4, 4, FIX, 10 + 10 * i);
        anon(w, 14 + 10 * i, 1, RW);
    }
    lay(w);
}

/* populating ends at a hole, at a file's end, where access is refused (ADVICE-11) */
SCENARIO(madvise_populate)
{
    static const uint64_t ways[] = { MW_MADV_POPULATE_READ, MW_MADV_POPULATE_WRITE };
    int f = file_of(w, FILE_MEM, 2, RWF);
    for (int i = 0; i < 2; i++) {
        anon(w, 0, 2, RW);
        unmap(w, 2, 1);
        anon(w, 3, 2, RW);
        advise(w, 0, 5, ways[i]);
        present(w, 0, 5);
        advise(w, 2, 2, ways[i]);
        present(w, 0, 5);
        filemap(w, 10, 4, RW, PRIV, f, 0);
        anon(w, 14, 1, RW);
        advise(w, 10, 5, ways[i]);
        present(w, 10, 5);
        filemap(w, 20, 4, RW, SHARED, f, 0);
        advise(w, 20, 2, ways[i]);
        present(w, 20, 2);
        anon(w, 30, 2, RW);
        anon(w, 32, 1, RO);
        anon(w, 33, 1, NONE);
        anon(w, 34, 1, RW);
        advise(w, 30, 5, ways[i]);
        present(w, 30, 5);
        anon(w, 40, 2, RW);
        data(w, 40, 2);
        advise(w, 40, 2, ways[i]);
        do_mlock2(w, at(40), 2 * PAGE, MW_MLOCK_ONFAULT);
        advise(w, 40, 2, MW_MADV_DONTNEED_LOCKED);
        advise(w, 40, 2, ways[i]);
        present(w, 40, 2);
    }
}

/* REMOVE empties the object for all who map it, private copies stay (ADVICE-9) */
SCENARIO(madvise_remove)
{
    int f = file_of(w, FILE_MEM, 6, RWF);
    filemap(w, 0, 6, RW, SHARED, f, 0);
    filemap(w, 10, 6, RW, SHARED, f, 0);
    filemap(w, 20, 6, RW, PRIV, f, 0);
    touch(w, 0, 3);
    touch(w, 20, 2);
    data(w, 20, 6);
    advise(w, 1, 4, MW_MADV_REMOVE);
    data(w, 0, 6);
    data(w, 10, 6);
    data(w, 20, 6);
    filemap(w, 30, 4, RW, SHARED, f, 4);
    advise(w, 30, 4, MW_MADV_REMOVE);
    data(w, 30, 4);
    shanon(w, 40, 4, RW);
    touch(w, 40, 4);
    protect(w, 41, 1, RO);
    protect(w, 42, 1, NONE);
    advise(w, 40, 4, MW_MADV_REMOVE);
    data(w, 40, 4);
    advise(w, 41, 1, MW_MADV_REMOVE);
    advise(w, 42, 2, MW_MADV_REMOVE);
    data(w, 40, 4);
    protect(w, 40, 4, RW);
    data(w, 40, 4);
    advise(w, 40, 4, MW_MADV_REMOVE);
    data(w, 40, 4);
    touch(w, 40, 4);
    lock(w, 42, 1);
    advise(w, 40, 4, MW_MADV_REMOVE);
    data(w, 40, 4);
}

/* what a private mapping has read goes too: it is the file's page (ADVICE-9) */
SCENARIO(madvise_remove_read_privately)
{
    int f = file_of(w, FILE_SHMEM, 12, RWF);
    filemap(w, 0, 12, RW, SHARED, f, 0);
    filemap(w, 20, 12, RW, PRIV, f, 0);
    touch(w, 0, 12);
    data(w, 20, 12);
    touch(w, 22, 2);
    advise(w, 1, 4, MW_MADV_REMOVE);
    do_mincore(w, at(20), 12 * PAGE);
    data(w, 22, 2);
    forked(w);
    advise(w, 3, 6, MW_MADV_REMOVE);
    do_mincore(w, at(20), 12 * PAGE);
    data(w, 20, 12);
}

/* of huge pages private copies go as well, and the mapping has them set aside again (ADVICE-9, TRUNC-6) */
SCENARIO(madvise_remove_huge)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 6 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 6 * HUGE_PAGE, RW, SHARED | FIXED, f, 0);
    do_mmap(w, at(HUGE_PAGES(8)), 6 * HUGE_PAGE, RW, PRIV | FIXED, f, 0);
    huge_touch(w, 0, 3);
    huge_data(w, 8, 3);
    huge_touch(w, 9, 3);
    pool(w);
    advise(w, 0, 512 * 4, MW_MADV_REMOVE);
    pool(w);
    huge_data(w, 8, 6);
    pool(w);
    huge_touch(w, 8, 2);
    pool(w);
    do_munmap(w, at(HUGE_PAGES(8)), 6 * HUGE_PAGE);
    pool(w);
    do_munmap(w, at(0), 6 * HUGE_PAGE);
    pool(w);
}

/* the parts of huge pages at the ends of a range become zeros, in the file's own pages */
SCENARIO(madvise_remove_huge_part)
{
    static const int64_t part[][2] = { { 1, 2 * 512 }, { 512, 3 }, { 511, 2 }, { 600, 10 }, { 0, 1 }, { 3 * 512 + 7, 1 } };
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 4 * HUGE_PAGE, RW, SHARED | FIXED, f, 0);
    do_mmap(w, at(HUGE_PAGES(8)), 4 * HUGE_PAGE, RW, PRIV | FIXED, f, 0);
    for (unsigned i = 0; i < sizeof part / sizeof part[0]; i++) {
        for (int64_t page = 0; page < 3; page++)
            touch(w, HUGE_PAGES(page), 1), touch(w, HUGE_PAGES(page) + 90, 4), touch(w, HUGE_PAGES(page) + 511, 1);
        touch(w, HUGE_PAGES(9) + 1, 1);
        advise(w, part[i][0], part[i][1], MW_MADV_REMOVE);
        for (int64_t page = 0; page < 3; page++)
            data(w, HUGE_PAGES(page), 3), data(w, HUGE_PAGES(page) + 90, 4), data(w, HUGE_PAGES(page) + 511, 1);
        data(w, HUGE_PAGES(9), 2);
        data(w, HUGE_PAGES(10), 1);
        pool(w);
    }
}

/* a child's copies too; it has none set aside */
SCENARIO(madvise_remove_huge_forked)
{
    huge(w);
    int f = file_of_bytes(w, FILE_HUGE, 4 * HUGE_PAGE, RWF);
    do_mmap(w, at(0), 4 * HUGE_PAGE, RW, SHARED | FIXED, f, 0);
    do_mmap(w, at(HUGE_PAGES(8)), 4 * HUGE_PAGE, RW, PRIV | FIXED, f, 0);
    huge_touch(w, 8, 2);
    forked(w);
    pool(w);
    huge_touch(w, 9, 2);
    pool(w);
    advise(w, 0, 512 * 3, MW_MADV_REMOVE);
    pool(w);
    huge_data(w, 8, 4);
    pool(w);
}

/* a mapping that refuses ends it: what lies before is done (ADVICE-5, ADVICE-6) */
SCENARIO(madvise_stops)
{
    for (int i = 0; i < DEEDS; i++) {
        anon(w, 0, 6, RW);
        touch(w, 0, 6);
        lock(w, 2, 2);
        advise(w, 1, 4, deeds[i]);
        data(w, 0, 6);
        unlock(w, 0, 6);
    }
    for (int i = 0; i < MARKS; i++) {
        anon(w, 0, 2, RW);
        shanon(w, 2, 2, RW);
        anon(w, 4, 2, RW);
        advise(w, 0, 6, marks[i]);
        flags_of(w, 0);
        flags_of(w, 2);
        flags_of(w, 4);
    }
}

/* at the limit of mappings cuts are EAGAIN (ADVICE-4) */
SCENARIO(madvise_map_count)
{
    anon(w, 0, 6, RW);
    anon(w, 10, 6, RW);
    fill_map_count(w, 1000);
    advise(w, 1, 1, MW_MADV_DONTFORK);
    advise(w, 0, 1, MW_MADV_DONTDUMP);
    advise(w, 0, 6, MW_MADV_DONTFORK);
    advise(w, 1, 1, MW_MADV_DONTNEED);
    advise(w, 0, 30, MW_MADV_DONTFORK);
    advise(w, 0, 30, MW_MADV_DOFORK);
    unmap(w, 1000, 2);
    advise(w, 11, 2, MW_MADV_DONTFORK);
    count(w);
    advise(w, 11, 5, MW_MADV_DONTFORK);
    flags_of(w, 11);
}

/* private memory drops what was written, shared memory keeps it (ADVICE-8) */
SCENARIO(madvise_dontneed)
{
    int f = file_of(w, FILE_MEM, 4, RWF);
    filemap(w, 0, 4, RW, PRIV, f, 0);
    touch(w, 0, 2);
    data(w, 0, 4);
    advise(w, 0, 4, MW_MADV_DONTNEED);
    present(w, 0, 4);
    data(w, 0, 4);
    shanon(w, 10, 2, RW);
    touch(w, 10, 2);
    advise(w, 10, 2, MW_MADV_DONTNEED);
    present(w, 10, 2);
    data(w, 10, 2);
    anon(w, 20, 4, RW);
    touch(w, 20, 4);
    protect(w, 21, 1, NONE);
    protect(w, 22, 1, RO);
    advise(w, 20, 4, MW_MADV_DONTNEED);
    present(w, 20, 4);
    protect(w, 20, 4, RW);
    data(w, 20, 4);
    lay(w);
}

/* a child drops its own pages only (ADVICE-8) */
SCENARIO(madvise_forked)
{
    anon(w, 0, 4, RW);
    shanon(w, 6, 2, RW);
    touch(w, 0, 8);
    forked(w);
    advise(w, 0, 2, MW_MADV_DONTNEED);
    advise(w, 6, 1, MW_MADV_DONTNEED);
    advise(w, 7, 1, MW_MADV_REMOVE);
    data(w, 0, 4);
    data(w, 6, 2);
    advise(w, 3, 1, MW_MADV_FREE);
    store(w, 3, 9);
    data(w, 3, 1);
}

/* what fork makes of the flags (ADVICE-7, FORK-1, FORK-3) */
SCENARIO(madvise_then_fork)
{
    anon(w, 0, 8, RW);
    touch(w, 0, 8);
    advise(w, 1, 2, MW_MADV_DONTFORK);
    advise(w, 4, 2, MW_MADV_WIPEONFORK);
    advise(w, 6, 1, MW_MADV_WIPEONFORK);
    advise(w, 6, 1, MW_MADV_KEEPONFORK);
    forked(w);
    lay(w);
    data(w, 0, 8);
}

/* ---- guards ---- */

#define GUARD MW_MADV_GUARD_INSTALL
#define UNGUARD MW_MADV_GUARD_REMOVE

/* a guard faults, whatever the mapping allows, until it is removed; then the page is empty (ADVICE-13) */
SCENARIO(guard_pages)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    advise(w, 1, 2, GUARD);
    data(w, 0, 6);
    store(w, 1, 1);
    execute(w, 1);
    lay(w);
    do_mincore(w, at(0), 6 * PAGE);
    copy_out(w, at(0), 4 * PAGE);
    copy_in(w, at(0), 4 * PAGE);
    advise(w, 2, 2, GUARD);
    data(w, 0, 6);
    advise(w, 0, 6, UNGUARD);
    data(w, 0, 6);
    lay(w);
    anon(w, 10, 2, RW);
    advise(w, 10, 2, UNGUARD);
    advise(w, 10, 2, GUARD);
    data(w, 10, 2);
    anon(w, 10, 1, RW);
    data(w, 10, 2);
    unmap(w, 11, 1);
    anon(w, 11, 1, RW);
    data(w, 10, 2);
    count(w);
}

/* it stays under all that does not unmap (ADVICE-13) */
SCENARIO(guard_stays)
{
    static const uint64_t ways[] = { MW_MADV_DONTNEED, MW_MADV_FREE, MW_MADV_COLD,
                                     MW_MADV_WILLNEED, MW_MADV_POPULATE_READ,
                                     MW_MADV_POPULATE_WRITE, MW_MADV_DONTNEED_LOCKED };
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    advise(w, 1, 2, GUARD);
    for (int i = 0; i < 7; i++) {
        advise(w, 0, 4, ways[i]);
        data(w, 0, 4);
    }
    protect(w, 0, 4, NONE);
    data(w, 1, 1);
    protect(w, 0, 4, RO);
    data(w, 0, 4);
    store(w, 1, 1);
    store(w, 0, 1);
    protect(w, 0, 4, RW);
    data(w, 0, 4);
    lock(w, 0, 4);
    flags_of(w, 0);
    data(w, 0, 4);
    advise(w, 0, 1, GUARD);
    advise(w, 2, 1, UNGUARD);
    unlock(w, 0, 4);
    data(w, 0, 4);
    move(w, 0, 4, 4, FIX, 20);
    data(w, 20, 4);
    move(w, 20, 4, 4, DUF, 30);
    data(w, 20, 4);
    data(w, 30, 4);
    move(w, 30, 4, 6, FIX, 40);
    data(w, 40, 6);
    advise(w, 40, 6, UNGUARD);
    data(w, 40, 6);
}

/* a child has it too, but not where it is wiped (ADVICE-13) */
SCENARIO(guard_fork)
{
    int f = file_of(w, FILE_MEM, 4, RWF);
    anon(w, 0, 4, RW);
    anon(w, 10, 4, RW);
    advise(w, 10, 4, MW_MADV_WIPEONFORK);
    shanon(w, 20, 4, RW);
    filemap(w, 30, 4, RW, PRIV, f, 0);
    filemap(w, 40, 4, RO, SHARED, f, 0);
    touch(w, 0, 4);
    for (int64_t i = 0; i < 50; i += 10)
        advise(w, i + 1, 2, GUARD);
    forked(w);
    for (int64_t i = 0; i < 50; i += 10)
        data(w, i, 4);
    for (int64_t i = 0; i < 50; i += 10)
        advise(w, i, 4, UNGUARD);
    for (int64_t i = 0; i < 50; i += 10)
        data(w, i, 4);
}

/* which memory can have guards (ADVICE-5, ADVICE-6, ADVICE-13) */
static void guard_one(struct world *w, int64_t page)
{
    advise(w, page + 1, 2, GUARD);
    data(w, page, 4);
    do_mincore(w, at(page), 4 * PAGE);
    flags_of(w, page);
    advise(w, page + 1, 2, UNGUARD);
    data(w, page, 4);
}

SCENARIO(guard_kinds)
{
    int f = file_of(w, FILE_MEM, 4, RWF), r = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    for (int i = 0; i < 16; i++) {
        unmap(w, -600, 610);
        switch (i) {
        case 0: private_anon(w, 0); break;
        case 1: private_readonly(w, 0); break;
        case 2: private_none(w, 0); break;
        case 3: write_only(w, 0); break;
        case 4: locked(w, 0); break;
        case 5: locked_onfault(w, 0); break;
        case 6: shared_anon(w, 0); break;
        case 7: shared_readonly(w, 0); break;
        case 8: private_file(w, f); break;
        case 9: shared_file(w, f); break;
        case 10: shared_file_readonly(w, f); break;
        case 11: shared_file_readonly(w, r); break;
        case 12: private_file(w, r); break;
        case 13: growing(w, 0); break;
        case 14: no_reserve(w, 0); break;
        default: shared_locked(w, 0); break;
        }
        touch(w, 0, 4);
        data(w, 0, 4);
        guard_one(w, 0);
        lay(w);
    }
}

SCENARIO(guard_droppable)
{
    droppable(w, 0);
    guard_one(w, 0);
}

SCENARIO(guard_huge)
{
    huge(w);
    huge_map(w, 0, 1, RW, PRIV);
    advise(w, 0, 512, GUARD);
    advise(w, 0, 512, UNGUARD);
    huge_touch(w, 0, 1);
}

/* REMOVE under a guard, and a guard of pages that others map too */
SCENARIO(guard_of_objects)
{
    int f = file_of(w, FILE_MEM, 4, RWF);
    filemap(w, 0, 4, RW, SHARED, f, 0);
    filemap(w, 10, 4, RW, SHARED, f, 0);
    touch(w, 0, 4);
    advise(w, 1, 2, GUARD);
    data(w, 10, 4);
    advise(w, 10, 4, MW_MADV_REMOVE);
    data(w, 0, 4);
    advise(w, 0, 4, MW_MADV_REMOVE);
    data(w, 0, 4);
    advise(w, 0, 4, UNGUARD);
    data(w, 0, 4);
}

/* installing one touches (ADVICE-13, ANON-1); removing does not; what it does to merging */
SCENARIO(guard_touches)
{
    int f = file_of(w, FILE_MEM, 20, RWF);
    anon(w, 0, 4, RW);
    advise(w, 1, 1, GUARD);
    advise(w, 1, 1, UNGUARD);
    move(w, 0, 4, 4, FIX, 10);
    anon(w, 14, 1, RW);
    anon(w, 20, 4, RW);
    advise(w, 21, 1, UNGUARD);
    move(w, 20, 4, 4, FIX, 30);
    anon(w, 34, 1, RW);
    lay(w);
    filemap(w, 40, 2, RW, SHARED, f, 0);
    filemap(w, 43, 2, RW, SHARED, f, 3);
    advise(w, 40, 1, GUARD);
    advise(w, 43, 1, GUARD);
    filemap(w, 42, 1, RW, SHARED, f, 2);
    lay(w);
    filemap(w, 50, 2, RO, PRIV, f, 0);
    filemap(w, 53, 2, RO, PRIV, f, 3);
    advise(w, 50, 1, GUARD);
    advise(w, 53, 1, GUARD);
    filemap(w, 52, 1, RO, PRIV, f, 2);
    lay(w);
}

/* .gg.: holes, and what refuses (ADVICE-3) */
SCENARIO(guard_ranges)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 3, RW);
    lock(w, 4, 1);
    advise(w, 1, 3, GUARD);
    data(w, 0, 6);
    advise(w, 0, 6, GUARD);
    data(w, 0, 6);
    advise(w, 0, 6, UNGUARD);
    data(w, 0, 6);
    advise(w, 0, 20, GUARD);
    seal(w, 0, 2);
    advise(w, 0, 2, GUARD);
    advise(w, 0, 2, UNGUARD);
    anon(w, 10, 2, RO);
    seal(w, 10, 2);
    advise(w, 10, 2, GUARD);
    advise(w, 10, 2, UNGUARD);
    data(w, 10, 2);
}
