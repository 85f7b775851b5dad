/* SPDX-License-Identifier: MIT */
/*
 * test_thp.c - transparent huge pages (rules THP-1..6, ADVICE-14): where they
 * come, what splits them, what memory they take; and all calls at random
 * against a model that knows for each address which page is there. What Linux
 * shows of them is compared with it in tests/scenarios/thp.c.
 */
#include "unit.h"

#include "mem/block.h"
#include "pmap/pmap.h"
#include "vma/space.h"

enum { PER = 512 }; /* pages of a huge page */

static void start(struct bench *b, uint32_t thp, uint64_t frames)
{
    bench_config(b, 12, frames);
    b->config.thp = thp;
    b->config.options |= MW_OPT_EXTENSIONS;
    bench_open(b);
}

static void map(struct bench *b, int64_t page, uint64_t n)
{
    assert_int_equal(mw_mmap(b->space, at(b, page), n * b->page, RW_, FIXED_, NULL, 0, NULL), at(b, page));
}

static int64_t advise(struct bench *b, int64_t page, uint64_t n, uint64_t advice)
{
    struct mw_why why;
    int64_t r = mw_madvise(b->space, at(b, page), n * b->page, advice, &why);
    expect_why(r, &why, "madvise");
    return r;
}

static bool is_huge(struct bench *b, int64_t page)
{
    uint32_t level;
    return pmap_find(&b->space->pmap, at(b, page), &level) != NULL && level == 2;
}

static uint64_t resident(struct bench *b)
{
    struct mw_stats stats;
    mw_stats(b->space, &stats);
    return stats.resident;
}

static void sound(struct mw_space *s)
{
    const char *what = "";
    if (mw_check(s, &what))
        fail_msg("unsound: %s", what);
}

/* Fills a huge page with its pages' numbers, from `first` on. */
static void fill(struct bench *b, int64_t page, uint32_t first)
{
    for (uint32_t i = 0; i < PER; i++)
        poke(b, at(b, page + i), first + i);
    assert_true(is_huge(b, page));
}

static void expect_filled(struct bench *b, int64_t page, uint32_t from, uint32_t to, uint32_t first)
{
    for (uint32_t i = from; i < to; i++)
        assert_int_equal(peek(b, at(b, page + i)), first + i);
}

/* Uses up all frames: the pool has none left for whatever comes. */
static uint32_t exhaust(struct bench *b, frame_t *held)
{
    uint32_t n = 0;
    while ((held[n] = frame_alloc(b->frames)) != 0)
        n++;
    return n;
}

static void relieve(struct bench *b, const frame_t *held, uint32_t n)
{
    while (n-- > 0)
        frame_put(b->frames, held[n]);
}

/* THP-1: by mode, by advice, by prctl, and nowhere but in private anonymous memory */
static void where(void **state)
{
    static const struct {
        uint32_t thp, advice, disable;
        bool huge;
    } c[] = {
        { MW_THP_NEVER, MW_MADV_HUGEPAGE, 0, false },   { MW_THP_MADVISE, MW_MADV_HUGEPAGE, 0, true },
        { MW_THP_MADVISE, MW_MADV_NORMAL, 0, false },   { MW_THP_ALWAYS, MW_MADV_NORMAL, 0, true },
        { MW_THP_ALWAYS, MW_MADV_NOHUGEPAGE, 0, false }, { MW_THP_ALWAYS, MW_MADV_HUGEPAGE, 0, true },
        { MW_THP_ALWAYS, MW_MADV_HUGEPAGE, MW_THP_DISABLE, false },
        { MW_THP_ALWAYS, MW_MADV_NORMAL, MW_THP_DISABLE_EXCEPT_ADVISED, false },
        { MW_THP_ALWAYS, MW_MADV_HUGEPAGE, MW_THP_DISABLE_EXCEPT_ADVISED, true },
        { MW_THP_MADVISE, MW_MADV_HUGEPAGE, MW_THP_DISABLE_EXCEPT_ADVISED, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        struct mw_space *child;
        start(&b, c[i].thp, 4096);
        map(&b, 0, 2 * PER);
        assert_int_equal(advise(&b, 0, 2 * PER, c[i].advice), 0);
        mw_set_thp_disable(b.space, c[i].disable);
        poke(&b, at(&b, 5), 7);
        assert_int_equal(is_huge(&b, 5), c[i].huge);
        assert_int_equal(resident(&b), c[i].huge ? PER : 1);
        assert_int_equal(peek(&b, at(&b, 6)), 0);
        assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0); /* which inherits all of it */
        assert_int_equal(mw_fault(child, at(&b, PER), MW_ACCESS_WRITE), MW_FAULT_OK);
        struct mw_stats stats;
        mw_stats(child, &stats);
        assert_int_equal(stats.resident, c[i].huge ? 2 * PER : 2);
        mw_space_destroy(child);
        bench_close(&b);
    }
}

/* THP-1: what is no whole huge page of one mapping, shared memory, files, what userfaultfd watches */
static void where_not(void **state)
{
    (void)state;
    struct bench b;
    struct mw_vma v;
    start(&b, MW_THP_ALWAYS, 4096);
    map(&b, 1, 2 * PER);
    poke(&b, at(&b, 1), 1);
    poke(&b, at(&b, 2 * PER), 1);
    assert_false(is_huge(&b, 1) || is_huge(&b, 2 * PER));
    poke(&b, at(&b, PER), 1);
    assert_true(is_huge(&b, PER));
    assert_int_equal(mw_mmap(b.space, at(&b, 4 * PER), PER * b.page, RW_,
                             MW_MAP_SHARED | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL), at(&b, 4 * PER));
    poke(&b, at(&b, 4 * PER), 1);
    assert_false(is_huge(&b, 4 * PER));
    assert_int_equal(mw_mmap(b.space, at(&b, 4 * PER), PER * b.page, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED,
                             &b.file, 0, NULL), at(&b, 4 * PER));
    poke(&b, at(&b, 4 * PER), 1);
    assert_false(is_huge(&b, 4 * PER));
    v = (struct mw_vma){ .start = at(&b, 8 * PER), .end = at(&b, 9 * PER), .offset = at(&b, 8 * PER),
                         .flags = MW_VM_READ | MW_VM_WRITE | MW_VM_MAYREAD | MW_VM_MAYWRITE | MW_VM_UFFD };
    assert_int_equal(mw_import(b.space, &v), 0);
    poke(&b, at(&b, 8 * PER), 1);
    assert_false(is_huge(&b, 8 * PER));
    map(&b, 12 * PER, PER); /* a page is there already */
    mw_set_thp_disable(b.space, MW_THP_DISABLE);
    poke(&b, at(&b, 12 * PER), 1);
    mw_set_thp_disable(b.space, 0);
    poke(&b, at(&b, 12 * PER + 1), 1);
    assert_false(is_huge(&b, 12 * PER + 1));
    bench_close(&b);
    bench_config(&b, 12, 0); /* no such mode */
    b.config.thp = MW_THP_ALWAYS + 1;
    assert_int_equal(mw_space_create(&b.config, &b.space), -MW_EINVAL);
}

/* THP-2: read, it is there as a whole, of zeros and no memory; written, it is a huge page, or before 6.16 a page */
static void zeros(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct bench b;
        struct mw_stats stats;
        unsigned char vec[PER];
        bench_config(&b, 12, 4096);
        b.config.thp = MW_THP_ALWAYS;
        b.config.linux_version = old ? MW_LINUX(6, 12) : MW_LINUX(6, 16);
        bench_open(&b);
        map(&b, 0, 2 * PER);
        struct mw_vma v;
        assert_int_equal(peek(&b, at(&b, 3)), 0);
        assert_int_equal(resident(&b), 0);
        assert_true(mw_find_vma(b.space, at(&b, 0), &v));
        assert_int_not_equal(v.anon, 0); /* touched by reading */
        assert_int_equal(mw_mincore(b.space, at(&b, 0), PER * b.page, vec, NULL), 0);
        for (int i = 0; i < PER; i++)
            assert_int_equal(vec[i], 1);
        mw_stats(b.space, &stats);
        size_t flushes = b.flushes;
        poke(&b, at(&b, 9), 9);
        assert_true(b.flushes > flushes);
        assert_int_equal(resident(&b), old ? 1 : PER);
        assert_int_equal(peek(&b, at(&b, 9)), 9);
        assert_int_equal(peek(&b, at(&b, 10)), 0);
        uint64_t tables = stats.tables;
        mw_stats(b.space, &stats);
        assert_int_equal(stats.tables, tables); /* the table of zeros is kept */
        assert_int_equal(peek(&b, at(&b, PER)), 0);
        assert_int_equal(advise(&b, PER + 7, 1, MW_MADV_DONTNEED), 0); /* not of zeros alone any more */
        poke(&b, at(&b, PER), 1);
        assert_int_equal(resident(&b), old ? 2 : PER + 1);
        bench_close(&b);
    }
}

/* THP-3: where no block is free, it is a page */
static void no_block(void **state)
{
    (void)state;
    struct bench b;
    start(&b, MW_THP_ALWAYS, 2 * PER);
    map(&b, 0, 4 * PER);
    frame_t one = block_alloc(b.frames);
    poke(&b, at(&b, 0), 1);
    assert_false(is_huge(&b, 0));
    assert_int_equal(peek(&b, at(&b, PER)), 0);
    poke(&b, at(&b, PER), 1);
    assert_int_equal(resident(&b), 2);
    block_put(b.frames, one);
    poke(&b, at(&b, 2 * PER), 2);
    assert_true(is_huge(&b, 2 * PER));
    bench_close(&b);
}

/* What splits a huge page: each is tried without a frame left, and can't fail for it. */
enum cut { UNMAP, PROTECT, DROP, GUARD, MARK, REPLACE, FORK_MARK, CUTS };

static int64_t do_cut(struct bench *b, enum cut cut, int64_t page, uint64_t n)
{
    switch (cut) {
    case UNMAP:
        return mw_munmap(b->space, at(b, page), n * b->page, NULL);
    case PROTECT:
        return mw_mprotect(b->space, at(b, page), n * b->page, MW_PROT_READ, NULL);
    case DROP:
        return advise(b, page, n, MW_MADV_DONTNEED);
    case GUARD:
        return advise(b, page, n, MW_MADV_GUARD_INSTALL);
    case MARK:
        return advise(b, page, n, MW_MADV_SEQUENTIAL);
    case REPLACE:
        return mw_mmap(b->space, at(b, page), n * b->page, RW_, FIXED_, NULL, 0, NULL) < 0;
    default:
        return advise(b, page, n, MW_MADV_WIPEONFORK);
    }
}

/* THP-4: an edit that cuts it makes pages of it, and takes no memory for that */
static void cuts(void **state)
{
    (void)state;
    static frame_t held[8192];
    for (int cut = 0; cut < CUTS; cut++) {
        for (int where = 0; where < 3; where++) { /* a part in it, and one at either end */
            struct bench b;
            struct mw_stats before, after;
            static const int64_t from[] = { 100, 0, 200 };
            static const uint32_t n[] = { 100, 200, PER - 200 };
            start(&b, MW_THP_ALWAYS, 4096);
            map(&b, 0, 3 * PER);
            fill(&b, PER, 1000);
            mw_stats(b.space, &before);
            uint32_t count = exhaust(&b, held);
            assert_int_equal(do_cut(&b, (enum cut)cut, PER + from[where], n[where]), 0);
            sound(b.space);
            relieve(&b, held, count);
            assert_false(is_huge(&b, PER));
            mw_stats(b.space, &after);
            assert_int_equal(after.tables, before.tables);
            bool gone = cut == UNMAP || cut == DROP || cut == GUARD || cut == REPLACE;
            assert_int_equal(after.resident, gone ? PER - n[where] : PER);
            expect_filled(&b, PER, 0, (uint32_t)from[where], 1000);
            expect_filled(&b, PER, (uint32_t)from[where] + n[where], PER, 1000);
            if (!gone)
                expect_filled(&b, PER, (uint32_t)from[where], (uint32_t)from[where] + n[where], 1000);
            bench_close(&b);
        }
    }
}

/* THP-4: what takes all of it leaves it whole, and gives all of it back */
static void whole(void **state)
{
    (void)state;
    struct bench b;
    start(&b, MW_THP_ALWAYS, 4096);
    map(&b, 0, 3 * PER);
    fill(&b, PER, 1);
    assert_int_equal(mw_mprotect(b.space, at(&b, PER), PER * b.page, MW_PROT_NONE, NULL), 0);
    assert_true(is_huge(&b, PER));
    assert_int_equal(resident(&b), PER);
    assert_int_equal(peek(&b, at(&b, PER)), -1);
    assert_int_equal(mw_mprotect(b.space, at(&b, PER), PER * b.page, RW_, NULL), 0);
    expect_filled(&b, PER, 0, PER, 1);
    poke(&b, at(&b, PER + 3), 33);
    assert_true(is_huge(&b, PER));
    uint64_t free = mw_frames_free(b.frames);
    assert_int_equal(advise(&b, PER - 1, PER + 2, MW_MADV_DONTNEED), 0);
    assert_int_equal(resident(&b), 0);
    assert_true(mw_frames_free(b.frames) >= free + PER + 1); /* and the table kept for it */
    fill(&b, PER, 5);
    assert_int_equal(mw_munmap(b.space, at(&b, PER), PER * b.page, NULL), 0);
    assert_int_equal(resident(&b), 0);
    bench_close(&b);
}

static int64_t move(struct bench *b, int64_t page, uint64_t n, int64_t to, uint64_t flags)
{
    return mw_mremap(b->space, at(b, page), n * b->page, n * b->page, FIX_ | flags, at(b, to), NULL);
}

/* THP-5: moved by a multiple of 2 MiB it stays whole, else it becomes pages */
static void moves(void **state)
{
    (void)state;
    struct bench b;
    start(&b, MW_THP_ALWAYS, 8192);
    map(&b, 0, 4 * PER);
    fill(&b, 0, 1);
    fill(&b, PER, 1001);
    fill(&b, 2 * PER, 2001);
    uint64_t entries = b.space->pool.moved;
    assert_int_equal(move(&b, 0, 3 * PER, 8 * PER, 0), at(&b, 8 * PER)); /* whole entries */
    assert_int_equal(b.space->pool.moved - entries, 3);
    assert_true(is_huge(&b, 8 * PER) && is_huge(&b, 9 * PER) && is_huge(&b, 10 * PER));
    assert_int_equal(move(&b, 8 * PER + 5, 2 * PER, 5, 0), at(&b, 5)); /* ragged ends */
    assert_true(is_huge(&b, PER));
    assert_false(is_huge(&b, 5) || is_huge(&b, 2 * PER) || is_huge(&b, 8 * PER) || is_huge(&b, 10 * PER));
    expect_filled(&b, 0, 5, PER, 1);
    expect_filled(&b, PER, 0, PER, 1001);
    expect_filled(&b, 2 * PER, 0, 5, 2001);
    expect_filled(&b, 8 * PER, 0, 5, 1);
    expect_filled(&b, 10 * PER, 5, PER, 2001);
    sound(b.space);
    assert_int_equal(move(&b, PER, PER, 20 * PER + 1, 0), at(&b, 20 * PER + 1)); /* all of it, by a page */
    assert_false(is_huge(&b, 20 * PER + 1));
    expect_filled(&b, 20 * PER + 1, 0, PER, 1001);
    sound(b.space);
    map(&b, 24 * PER, PER);
    fill(&b, 24 * PER, 7);
    assert_int_equal(move(&b, 24 * PER, PER, 32 * PER, MW_MREMAP_DONTUNMAP), at(&b, 32 * PER));
    assert_true(is_huge(&b, 32 * PER));
    expect_filled(&b, 32 * PER, 0, PER, 7);
    assert_int_equal(peek(&b, at(&b, 24 * PER)), 0);
    bench_close(&b);
}

/* THP-5: the tables that a move by a page needs are reserved: without memory nothing has changed */
static void move_without_memory(void **state)
{
    (void)state;
    static frame_t held[8192];
    for (uint32_t spare = 0;; spare++) {
        struct bench b;
        start(&b, MW_THP_ALWAYS, 8192);
        map(&b, 0, 3 * PER);
        fill(&b, 0, 1);
        fill(&b, PER, 1001);
        uint32_t n = exhaust(&b, held);
        relieve(&b, held + n - spare, spare);
        int64_t r = move(&b, 0, 3 * PER, 512 * PER + 1, 0);
        sound(b.space);
        relieve(&b, held, n - spare);
        int64_t now = r < 0 ? 0 : 512 * PER + 1;
        assert_true(r == -MW_ENOMEM || r == (int64_t)at(&b, now));
        if (r < 0)
            assert_true(is_huge(&b, 0) && is_huge(&b, PER));
        expect_filled(&b, now, 0, PER, 1);
        expect_filled(&b, now + PER, 0, PER, 1001);
        bench_close(&b);
        if (r >= 0) {
            assert_true(spare > 3);
            return;
        }
    }
}

/* THP-6: parent and child have one until either writes; who writes has pages then, and a copy of one */
static void forked(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    struct mw_stats stats;
    uint32_t value = 5;
    start(&b, MW_THP_ALWAYS, 8192);
    map(&b, 0, 3 * PER);
    fill(&b, 0, 1);
    fill(&b, PER, 1001);
    uint64_t free = mw_frames_free(b.frames);
    assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0);
    assert_true(is_huge(&b, 0));
    assert_true(free - mw_frames_free(b.frames) < 10);
    free = mw_frames_free(b.frames);
    assert_int_equal(mw_write(child, at(&b, 3), &value, sizeof value, NULL), sizeof value);
    assert_int_equal(free - mw_frames_free(b.frames), 1);
    mw_stats(child, &stats);
    assert_int_equal(stats.resident, 2 * PER);
    expect_filled(&b, 0, 0, PER, 1);
    assert_true(is_huge(&b, 0));
    sound(child);
    poke(&b, at(&b, PER + 1), 77); /* the parent writes first */
    assert_false(is_huge(&b, PER));
    assert_int_equal(mw_read(child, at(&b, PER + 1), &value, sizeof value, NULL), sizeof value);
    assert_int_equal(value, 1002);
    sound(b.space);
    sound(child);
    mw_space_destroy(child);
    poke(&b, at(&b, 3), 44); /* its own again, and one again */
    assert_true(is_huge(&b, 0));
    assert_int_equal(peek(&b, at(&b, 4)), 5);
    assert_int_equal(peek(&b, at(&b, 3)), 44);
    poke(&b, at(&b, PER + 2), 78);
    assert_int_equal(peek(&b, at(&b, PER + 2)), 78);
    sound(b.space);
    bench_close(&b);
}

/* THP-6: a fork that runs out of memory leaves no child and all pages */
static void fork_without_memory(void **state)
{
    (void)state;
    static frame_t held[8192];
    int64_t r;
    for (uint32_t spare = 0; spare < 20; spare++) {
        struct bench b;
        struct mw_space *child;
        start(&b, MW_THP_ALWAYS, 8192);
        map(&b, 0, 3 * PER);
        fill(&b, 0, 1);
        fill(&b, 2 * PER, 1001);
        uint32_t n = exhaust(&b, held);
        relieve(&b, held + n - spare, spare);
        r = mw_fork(b.space, b.config.id, &child, NULL);
        assert_true(r == -MW_ENOMEM || r == 0);
        if (r == 0) {
            sound(child);
            mw_space_destroy(child);
        }
        relieve(&b, held, n - spare);
        expect_filled(&b, 0, 0, PER, 1);
        fill(&b, 2 * PER, 5);
        bench_close(&b);
    }
    assert_int_equal(r, 0);
}

static void store_number(struct bench *b, struct mw_space *s, int64_t page, uint32_t value)
{
    assert_int_equal(mw_write(s, at(b, page), &value, sizeof value, NULL), sizeof value);
}

static uint32_t number(struct bench *b, struct mw_space *s, int64_t page)
{
    uint32_t value = 0;
    assert_int_equal(mw_read(s, at(b, page), &value, sizeof value, NULL), sizeof value);
    return value;
}

/* FORK-6, THP-6: tables of tables that both have get no huge page; the copy that one side makes of them does */
static void forked_tables(void **state)
{
    (void)state;
    const int64_t far = 100 * PER; /* in the same table of tables, of 1 GiB */
    struct bench b;
    struct mw_space *child, *second;
    start(&b, MW_THP_ALWAYS, 16 * PER);
    map(&b, 0, 2 * PER * PER);
    mw_set_thp_disable(b.space, MW_THP_DISABLE);
    for (int64_t i = 0; i < 4; i++)
        poke(&b, at(&b, i * PER), (uint32_t)i + 1);
    assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0); /* shares all of it */
    mw_set_thp_disable(b.space, 0);
    mw_set_thp_disable(child, 0);
    store_number(&b, child, far, 50);
    store_number(&b, b.space, far + PER, 60);
    store_number(&b, b.space, far, 70);
    sound(b.space);
    sound(child);
    assert_true(is_huge(&b, far) && is_huge(&b, far + PER));
    assert_int_equal(mw_fork(b.space, b.config.id, &second, NULL), 0); /* goes by entry */
    store_number(&b, second, far, 80);
    assert_int_equal(mw_madvise(second, at(&b, 0), 2 * PER * b.page, MW_MADV_COLLAPSE, NULL), 0);
    assert_int_equal(mw_madvise(child, at(&b, PER), PER * b.page, MW_MADV_COLLAPSE, NULL), 0);
    assert_int_equal(advise(&b, PER, PER, MW_MADV_COLLAPSE), 0);
    store_number(&b, child, PER + 1, 9);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(number(&b, b.space, i * PER), i + 1);
        assert_int_equal(number(&b, child, i * PER), i + 1);
        assert_int_equal(number(&b, second, i * PER), i + 1);
    }
    assert_int_equal(number(&b, b.space, PER + 1), 0);
    assert_int_equal(number(&b, child, far), 50);
    assert_int_equal(number(&b, child, far + PER), 0);
    assert_int_equal(number(&b, b.space, far), 70);
    assert_int_equal(number(&b, second, far), 80);
    assert_int_equal(number(&b, second, far + PER), 60);
    sound(b.space);
    sound(child);
    sound(second);
    mw_space_destroy(child);
    assert_int_equal(mw_munmap(b.space, at(&b, 0), 2 * PER * PER * b.page, NULL), 0);
    assert_int_equal(number(&b, second, far + PER), 60);
    sound(second);
    mw_space_destroy(second);
    bench_close(&b);
}

/* ADVICE-14, FORK-6: the table of pages that a child has too is copied, or there is no memory */
static void collapse_shared_table(void **state)
{
    (void)state;
    static frame_t held[8192];
    struct bench b;
    struct mw_space *child;
    start(&b, MW_THP_NEVER, 8 * PER);
    map(&b, 0, PER * PER);
    poke(&b, at(&b, 3), 33);
    assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0);
    frame_t one = block_alloc(b.frames);
    uint32_t n = exhaust(&b, held);
    block_put(b.frames, one); /* there is a block, and no frame: the copy takes one of it */
    assert_int_equal(advise(&b, 0, PER, MW_MADV_COLLAPSE), -MW_ENOMEM);
    sound(b.space);
    relieve(&b, held, n);
    assert_int_equal(advise(&b, 0, PER, MW_MADV_COLLAPSE), 0);
    poke(&b, at(&b, 3), 44);
    assert_int_equal(number(&b, child, 3), 33);
    sound(child);
    mw_space_destroy(child);
    bench_close(&b);
}

/* MIRROR-2: mirrored memory is of pages */
static void mirrored(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        struct bench b;
        start(&b, MW_THP_ALWAYS, 8192);
        map(&b, 0, 3 * PER);
        fill(&b, 0, 1);
        fill(&b, PER, 1001);
        int64_t to = 1024 * PER + off;
        assert_int_equal(mw_mremap(b.space, at(&b, 7), (2 * PER - 7) * b.page, (2 * PER - 7) * b.page,
                                   FIX_ | MW_MREMAP_MIRROR, at(&b, to + 7), NULL), at(&b, to + 7));
        sound(b.space);
        assert_false(is_huge(&b, 0) || is_huge(&b, PER));
        expect_filled(&b, to, 7, PER, 1);
        expect_filled(&b, to + PER, 0, PER, 1001);
        poke(&b, at(&b, to + 9), 99);
        assert_int_equal(peek(&b, at(&b, 9)), 99);
        expect_filled(&b, 0, 0, 7, 1);
        assert_int_equal(advise(&b, PER, PER, MW_MADV_COLLAPSE), -MW_EINVAL);
        bench_close(&b);
    }
}

static uint32_t reason(struct bench *b, int64_t page, uint64_t n, int64_t result)
{
    struct mw_why why;
    assert_int_equal(mw_madvise(b->space, at(b, page), n * b->page, MW_MADV_COLLAPSE, &why), result);
    return why.reason;
}

/* ADVICE-14: pages become one, whatever the mode */
static void collapses(void **state)
{
    (void)state;
    struct bench b;
    start(&b, MW_THP_NEVER, 8192);
    map(&b, 0, 4 * PER);
    for (uint32_t i = 0; i < PER; i += 3)
        poke(&b, at(&b, PER + i), i + 1);
    assert_int_equal(peek(&b, at(&b, PER + 1)), 0);
    struct mw_stats before, after;
    mw_stats(b.space, &before);
    assert_int_equal(advise(&b, PER, PER, MW_MADV_COLLAPSE), 0);
    mw_stats(b.space, &after);
    assert_int_equal(after.tables, before.tables);
    assert_true(is_huge(&b, PER));
    assert_int_equal(after.resident, PER);
    for (uint32_t i = 0; i < PER; i++)
        assert_int_equal(peek(&b, at(&b, PER + i)), i % 3 ? 0 : i + 1);
    assert_int_equal(advise(&b, PER, PER, MW_MADV_COLLAPSE), 0); /* it is one */
    assert_int_equal(advise(&b, PER + 1, PER, MW_MADV_COLLAPSE), 0); /* none lies in it */
    assert_int_equal(reason(&b, 0, 4 * PER, -MW_EINVAL), WHY_collapse_absent);
    assert_int_equal(mw_mprotect(b.space, at(&b, PER), PER * b.page, MW_PROT_NONE, NULL), 0);
    assert_int_equal(advise(&b, PER + 3, 1, MW_MADV_DONTNEED), 0);
    assert_int_equal(advise(&b, PER, PER, MW_MADV_COLLAPSE), 0); /* also where no access is allowed */
    assert_true(is_huge(&b, PER));
    assert_int_equal(mw_mprotect(b.space, at(&b, PER), PER * b.page, RW_, NULL), 0);
    assert_int_equal(peek(&b, at(&b, PER + 6)), 7);
    assert_int_equal(peek(&b, at(&b, PER + 3)), 0);
    bench_close(&b);
}

/* ADVICE-14: what is refused, and what is done in spite of it */
static void collapse_refused(void **state)
{
    (void)state;
    struct bench b;
    start(&b, MW_THP_ALWAYS, 8192);
    map(&b, 0, 4 * PER);
    assert_int_equal(peek(&b, at(&b, 0)), 0); /* a huge page of zeros is one */
    assert_int_equal(advise(&b, 0, PER, MW_MADV_COLLAPSE), 0);
    assert_int_equal(resident(&b), 0);
    map(&b, 0, 4 * PER);
    mw_set_thp_disable(b.space, MW_THP_DISABLE);
    assert_int_equal(peek(&b, at(&b, 0)), 0);
    mw_set_thp_disable(b.space, 0);
    assert_int_equal(reason(&b, 0, PER, -MW_EINVAL), WHY_collapse_untouched);
    assert_int_equal(reason(&b, 1, PER, -MW_EINVAL), WHY_collapse_untouched); /* though none lies in it */
    poke(&b, at(&b, 2 * PER), 1);
    assert_int_equal(advise(&b, 0, PER, MW_MADV_COLLAPSE), 0); /* the mapping is, now */
    assert_int_equal(advise(&b, 5, 1, MW_MADV_GUARD_INSTALL), 0);
    assert_int_equal(reason(&b, 0, PER, -MW_EINVAL), WHY_collapse_guarded);
    assert_int_equal(advise(&b, 5, 1, MW_MADV_GUARD_REMOVE), 0);
    mw_set_thp_disable(b.space, MW_THP_DISABLE);
    assert_int_equal(reason(&b, 0, PER, -MW_EINVAL), WHY_advice_kind);
    mw_set_thp_disable(b.space, MW_THP_DISABLE_EXCEPT_ADVISED);
    assert_int_equal(advise(&b, 0, PER, MW_MADV_COLLAPSE), 0);
    assert_int_equal(advise(&b, PER, PER, MW_MADV_NOHUGEPAGE), 0);
    assert_int_equal(reason(&b, PER, PER, -MW_EINVAL), WHY_advice_kind);
    map(&b, 8 * PER + 1, PER); /* no whole one in it */
    assert_int_equal(reason(&b, 8 * PER + 1, 1, -MW_EINVAL), WHY_advice_kind);
    draw(&b, "ss");
    assert_int_equal(reason(&b, 0, 2, -MW_ENOSYS), WHY_not_modelled);
    bench_close(&b);

    bench_config(&b, 12, 0); /* no pages */
    bench_open(&b);
    map(&b, 0, 2 * PER);
    assert_int_equal(reason(&b, 1, PER, -MW_EINVAL), WHY_collapse_untouched);
    mw_touch(b.space, at(&b, 0), at(&b, PER));
    assert_int_equal(advise(&b, 1, PER, MW_MADV_COLLAPSE), 0);
    assert_int_equal(advise(&b, 0, PER, MW_MADV_COLLAPSE), -MW_ENOSYS);
    bench_close(&b);
}

/* ADVICE-14: before 6.18 one page must be writable; before 7.2 the first without a page ends it */
static void collapse_before(void **state)
{
    (void)state;
    static const uint32_t versions[] = { MW_LINUX(6, 17), MW_LINUX(6, 18), MW_LINUX(7, 2) };
    for (int i = 0; i < 3; i++) {
        struct bench b;
        struct mw_space *child;
        bench_config(&b, 12, 8192);
        b.config.linux_version = versions[i];
        bench_open(&b);
        map(&b, 0, 4 * PER);
        poke(&b, at(&b, PER), 1);
        poke(&b, at(&b, 3 * PER), 3);
        assert_int_equal(reason(&b, 0, 4 * PER, -MW_EINVAL), WHY_collapse_absent);
        assert_int_equal(is_huge(&b, PER), i == 2);
        assert_int_equal(is_huge(&b, 3 * PER), i == 2);
        assert_int_equal(advise(&b, PER + 1, 1, MW_MADV_COLLAPSE), i == 2 ? 0 : -MW_EINVAL);
        assert_int_equal(advise(&b, PER + 1, PER - 1, MW_MADV_COLLAPSE), 0);
        assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0);
        if (i == 0)
            assert_int_equal(reason(&b, PER, PER, -MW_EINVAL), WHY_collapse_read_only);
        else
            assert_int_equal(advise(&b, PER, PER, MW_MADV_COLLAPSE), 0);
        poke(&b, at(&b, PER + 1), 2); /* one that can be written is enough */
        assert_int_equal(advise(&b, PER, PER, MW_MADV_COLLAPSE), 0);
        assert_true(is_huge(&b, PER));
        assert_int_equal(peek(&b, at(&b, PER)), 1);
        uint32_t value = 0;
        assert_int_equal(mw_read(child, at(&b, PER), &value, sizeof value, NULL), sizeof value);
        assert_int_equal(value, 1);
        mw_space_destroy(child);
        assert_int_equal(mw_mprotect(b.space, at(&b, 3 * PER), PER * b.page, MW_PROT_READ, NULL), 0);
        assert_int_equal(advise(&b, 3 * PER + 1, 1, MW_MADV_DONTNEED), 0);
        assert_int_equal(advise(&b, 3 * PER, PER, MW_MADV_COLLAPSE), i == 0 ? -MW_EINVAL : 0);
        bench_close(&b);
    }
}

/* ADVICE-14: without a free block nothing changes */
static void collapse_without_memory(void **state)
{
    (void)state;
    struct bench b;
    start(&b, MW_THP_NEVER, 2 * PER);
    map(&b, 0, PER);
    poke(&b, at(&b, 1), 11);
    frame_t one = block_alloc(b.frames);
    assert_int_equal(reason(&b, 0, PER, -MW_ENOMEM), WHY_advice_no_page);
    assert_int_equal(peek(&b, at(&b, 1)), 11);
    block_put(b.frames, one);
    assert_int_equal(advise(&b, 0, PER, MW_MADV_COLLAPSE), 0);
    assert_int_equal(peek(&b, at(&b, 1)), 11);
    bench_close(&b);
}

/* pages of 16 KiB: a huge page has 2048 */
static void larger_pages(void **state)
{
    (void)state;
    struct bench b;
    bench_config(&b, 14, 3 * 2048 + 100);
    b.config.thp = MW_THP_ALWAYS;
    bench_open(&b);
    map(&b, 0, 2 * 2048);
    poke(&b, at(&b, 2048), 1);
    poke(&b, at(&b, 4095), 2);
    assert_int_equal(resident(&b), 2048);
    assert_int_equal(mw_munmap(b.space, at(&b, 2049), b.page, NULL), 0);
    assert_int_equal(resident(&b), 2047);
    assert_int_equal(peek(&b, at(&b, 4095)), 2);
    bench_close(&b);
}

/* ---- all calls at random ------------------------------------------------------------------- */

enum { PAGES = 4 * PER, CELLS = 4 * PAGES, NO_CELL = -1 };

/* What is at each page: a cell, which more than one page may show. */
struct view {
    int32_t cell[PAGES]; /* NO_CELL: nothing is mapped */
    uint8_t prot[PAGES];
    bool guard[PAGES], mirror[PAGES];
};

struct model {
    struct bench b;
    uint64_t random;
    uint32_t value[CELLS], next;
    struct view v;
};

static uint32_t below(struct model *m, uint32_t n)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 11) % n;
}

static int32_t new_cell(struct model *m)
{
    static bool used[CELLS];
    if (m->next == CELLS) { /* those that nobody shows are free again: packed to the front */
        static int32_t to[CELLS];
        memset(used, 0, sizeof used);
        for (int i = 0; i < PAGES; i++)
            if (m->v.cell[i] != NO_CELL)
                used[m->v.cell[i]] = true;
        m->next = 0;
        for (int i = 0; i < CELLS; i++)
            if (used[i]) {
                m->value[m->next] = m->value[i];
                to[i] = (int32_t)m->next++;
            }
        for (int i = 0; i < PAGES; i++)
            if (m->v.cell[i] != NO_CELL)
                m->v.cell[i] = to[m->v.cell[i]];
    }
    m->value[m->next] = 0;
    return (int32_t)m->next++;
}

static void model_map(struct model *m, uint32_t page, uint32_t n, uint8_t prot)
{
    for (uint32_t i = page; i < page + n; i++) {
        m->v.cell[i] = NO_CELL;
        m->v.cell[i] = new_cell(m);
        m->v.prot[i] = prot;
        m->v.guard[i] = m->v.mirror[i] = false;
    }
}

static void model_unmap(struct model *m, uint32_t page, uint32_t n)
{
    for (uint32_t i = page; i < page + n; i++) {
        m->v.cell[i] = NO_CELL;
        m->v.guard[i] = m->v.mirror[i] = false;
    }
}

static void model_protect(struct model *m, uint32_t page, uint32_t n, uint8_t prot)
{
    for (uint32_t i = page; i < page + n && m->v.cell[i] != NO_CELL; i++)
        m->v.prot[i] = prot;
}

static void model_drop(struct model *m, uint32_t page, uint32_t n)
{
    for (uint32_t i = page; i < page + n; i++)
        if (m->v.cell[i] != NO_CELL && !m->v.guard[i])
            m->value[m->v.cell[i]] = 0;
}

/* A move, or one that leaves its mappings behind; what lies opposite a gap stays. */
static void model_move(struct model *m, uint32_t page, uint32_t n, uint32_t to, bool leave)
{
    for (uint32_t i = 0; i < n; i++) {
        if (m->v.cell[page + i] == NO_CELL)
            continue;
        m->v.cell[to + i] = m->v.cell[page + i];
        m->v.prot[to + i] = m->v.prot[page + i];
        m->v.guard[to + i] = m->v.guard[page + i];
        m->v.mirror[to + i] = m->v.mirror[page + i];
        m->v.guard[page + i] = false;
        if (!leave)
            model_unmap(m, page + i, 1);
        else if (!m->v.mirror[page + i])
            m->v.cell[page + i] = new_cell(m);
    }
}

static void model_mirror(struct model *m, uint32_t page, uint32_t n, uint32_t to)
{
    for (uint32_t i = 0; i < n; i++) {
        m->v.cell[to + i] = m->v.cell[page + i];
        m->v.prot[to + i] = m->v.prot[page + i];
        m->v.guard[to + i] = false;
        m->v.mirror[page + i] = m->v.mirror[to + i] = m->v.cell[page + i] != NO_CELL;
    }
}

/* A range: of whole huge pages, or of any, or a few pages. */
static void range(struct model *m, uint32_t *page, uint32_t *n)
{
    uint32_t unit = below(m, 2) ? PER : 1;
    *page = below(m, PAGES / unit) * unit;
    *n = unit + below(m, (PAGES - *page) / unit) * unit;
    if (unit == 1 && below(m, 4))
        *n = (uint32_t)(*n < 9 ? *n : 9);
}

static uint64_t mat(const struct model *m, uint32_t page) { return at(&m->b, page); }

static void store(struct model *m, struct mw_space *s)
{
    uint32_t page = below(m, PAGES), value = below(m, 1000000) + 1;
    enum mw_fault_result r, may = MW_FAULT_OK;
    uint64_t n = mw_write(s, mat(m, page) + 8, &value, sizeof value, &r);
    if (m->v.cell[page] == NO_CELL)
        may = MW_FAULT_SEGV_MAPERR;
    else if (m->v.prot[page] != RW_)
        may = MW_FAULT_SEGV_ACCERR;
    else if (m->v.guard[page])
        may = MW_FAULT_SEGV_MAPERR;
    assert_true(r == may || (r == MW_FAULT_OOM && may == MW_FAULT_OK));
    if (n == sizeof value)
        m->value[m->v.cell[page]] = value;
}

static void look(struct model *m, struct mw_space *s, uint32_t page)
{
    enum mw_fault_result r, may = MW_FAULT_OK;
    uint32_t value = 0;
    mw_read(s, mat(m, page) + 8, &value, sizeof value, &r);
    if (m->v.cell[page] == NO_CELL)
        may = MW_FAULT_SEGV_MAPERR;
    else if (m->v.prot[page] == 0)
        may = MW_FAULT_SEGV_ACCERR;
    else if (m->v.guard[page])
        may = MW_FAULT_SEGV_MAPERR;
    if (!(r == may || (r == MW_FAULT_OOM && may == MW_FAULT_OK)))
        fail_msg("page %u: %d, not %d", page, r, may);
    if (r == MW_FAULT_OK)
        assert_int_equal(value, m->value[m->v.cell[page]]);
}

static bool any(const struct model *m, uint32_t page, uint32_t n, bool (*is)(const struct view *, uint32_t))
{
    for (uint32_t i = page; i < page + n; i++)
        if (is(&m->v, i))
            return true;
    return false;
}

static bool no_guard_here(const struct view *v, uint32_t i) { return v->cell[i] == NO_CELL || v->mirror[i]; }

static void guard(struct model *m, uint32_t page, uint32_t n)
{
    if (any(m, page, n, no_guard_here))
        return;
    if (mw_madvise(m->b.space, mat(m, page), n * m->b.page, MW_MADV_GUARD_INSTALL, NULL)) {
        assert_int_equal(mw_munmap(m->b.space, mat(m, page), n * m->b.page, NULL), 0); /* half done */
        model_unmap(m, page, n);
        return;
    }
    for (uint32_t i = page; i < page + n; i++) {
        m->v.guard[i] = true;
        m->value[m->v.cell[i]] = 0;
    }
}

static void unguard(struct model *m, uint32_t page, uint32_t n)
{
    mw_madvise(m->b.space, mat(m, page), n * m->b.page, MW_MADV_GUARD_REMOVE, NULL);
    for (uint32_t i = page; i < page + n && !m->v.mirror[i]; i++) /* over holes, up to a mirror */
        m->v.guard[i] = false;
}

static void relocate(struct model *m, uint32_t page, uint32_t n)
{
    uint32_t what = below(m, 8), unit = below(m, 2) && n >= PER ? PER : 1;
    uint32_t to = (below(m, PAGES - n + 1) / unit) * unit + (unit > 1 ? page % unit : 0);
    bool leave = what == 0, twice = what == 1;
    uint64_t flags = FIX_ | (leave ? MW_MREMAP_DONTUNMAP : MW_MREMAP_STRICT) | (twice ? MW_MREMAP_MIRROR : 0);
    int64_t r;
    if (to + n > PAGES || (leave && n > 9)) /* (several mappings are left one by one) */
        return;
    if (leave)
        n = 1;
    r = mw_mremap(m->b.space, mat(m, page), n * m->b.page, n * m->b.page,
                  twice ? flags & ~(uint64_t)MW_MREMAP_STRICT : flags, mat(m, to), NULL);
    if (r < 0)
        return;
    if (twice)
        model_mirror(m, page, n, to);
    else
        model_move(m, page, n, to, leave);
}

/* A child does as it likes and is compared; then one of the two goes. */
static void fork_off(struct model *m)
{
    static struct model child;
    struct mw_space *space;
    if (mw_fork(m->b.space, m->b.config.id, &space, NULL))
        return;
    child = *m;
    for (int i = 0; i < 30; i++) {
        store(m, m->b.space);
        child.random = m->random;
        store(&child, space);
        m->random = child.random;
    }
    for (uint32_t i = 0; i < PAGES; i += 1 + below(m, 3)) {
        look(m, m->b.space, i);
        look(&child, space, i);
    }
    sound(m->b.space);
    sound(space);
    if (below(m, 2)) {
        mw_space_destroy(space);
        return;
    }
    mw_space_destroy(m->b.space);
    m->b.space = space;
    m->v = child.v;
    memcpy(m->value, child.value, sizeof m->value);
}

static void step(struct model *m)
{
    static const uint8_t prots[] = { RW_, RW_, MW_PROT_READ, MW_PROT_NONE };
    static const uint64_t advice[] = { MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE, MW_MADV_SEQUENTIAL,
                                       MW_MADV_NORMAL, MW_MADV_COLLAPSE, MW_MADV_COLLAPSE };
    struct mw_space *s = m->b.space;
    uint32_t page, n, what = below(m, 100);
    uint8_t prot = prots[below(m, 4)];
    range(m, &page, &n);
    if (below(m, 40) == 0)
        page = 0, n = PAGES, what = 0, prot = RW_;
    if (what < 8) {
        assert_int_equal(mw_mmap(s, mat(m, page), n * m->b.page, prot, FIXED_, NULL, 0, NULL), mat(m, page));
        model_map(m, page, n, prot);
    } else if (what < 12) {
        assert_int_equal(mw_munmap(s, mat(m, page), n * m->b.page, NULL), 0);
        model_unmap(m, page, n);
    } else if (what < 18) {
        mw_mprotect(s, mat(m, page), n * m->b.page, prot, NULL);
        model_protect(m, page, n, prot);
    } else if (what < 24) {
        mw_madvise(s, mat(m, page), n * m->b.page, MW_MADV_DONTNEED, NULL);
        model_drop(m, page, n);
    } else if (what < 34) {
        mw_madvise(s, mat(m, page), n * m->b.page, advice[below(m, 6)], NULL);
    } else if (what < 36) {
        guard(m, page, n);
    } else if (what < 38) {
        unguard(m, page, n);
    } else if (what < 50) {
        relocate(m, page, n);
    } else if (what < 52) {
        fork_off(m);
    } else {
        for (int i = 0; i < 20; i++)
            below(m, 2) ? store(m, s) : look(m, s, below(m, PAGES));
    }
}

static void random_calls(void **state)
{
    static struct model m;
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        memset(&m, 0, sizeof m);
        m.random = seed * 0x9e3779b97f4a7c15ull;
        start(&m.b, seed % 3 ? MW_THP_ALWAYS : MW_THP_MADVISE, (seed % 4 ? 16 : 5) * PER + 50);
        memset(m.v.cell, 0xff, sizeof m.v.cell);
        for (int i = 0; i < 600; i++) {
            step(&m);
            sound(m.b.space);
        }
        for (uint32_t i = 0; i < PAGES; i++)
            look(&m, m.b.space, i);
        bench_close(&m.b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where), cmocka_unit_test(where_not), cmocka_unit_test(zeros), cmocka_unit_test(no_block),
        cmocka_unit_test(cuts), cmocka_unit_test(whole), cmocka_unit_test(moves), cmocka_unit_test(move_without_memory),
        cmocka_unit_test(forked), cmocka_unit_test(forked_tables), cmocka_unit_test(collapse_shared_table), cmocka_unit_test(fork_without_memory), cmocka_unit_test(mirrored),
        cmocka_unit_test(collapses), cmocka_unit_test(collapse_refused), cmocka_unit_test(collapse_before),
        cmocka_unit_test(collapse_without_memory), cmocka_unit_test(larger_pages), cmocka_unit_test(random_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
