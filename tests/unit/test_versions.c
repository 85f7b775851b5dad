/* SPDX-License-Identifier: MIT */
/*
 * test_versions.c - what other versions of Linux answer, from the recorded
 * runs, and what the running kernel can't be asked for: huge pages, watched
 * memory, kinds that never merge.
 */
#include "unit.h"

#include "linux/version.h"

#define V510 MW_LINUX(5, 10)
#define V61 MW_LINUX(6, 1)
#define V612 MW_LINUX(6, 12)
#define V616 MW_LINUX(6, 16)
#define V617 MW_LINUX(6, 17)
#define V70 MW_LINUX(7, 0)
#define V73 MW_LINUX(7, 3)
#define DUF_ (FIX_ | MW_MREMAP_DONTUNMAP)

static const uint32_t all_versions[] = { V510, V61, V612, V616, V617, MW_LINUX(6, 18),
                                         MW_LINUX(6, 19), V70, MW_LINUX(7, 2), V73 };

/* One mremap; what it answers in which versions. */
struct version_case {
    const char *name; /* of the recorded scenario */
    const char *before;
    int page, n, m;
    uint32_t flags;
    int to;
    struct {
        uint32_t until; /* the last version with this answer; 0 ends the list */
        int err;
        const char *after;
    } answers[5];
};

static const struct version_case cases[] = {
    /* the order of checks before 6.17 (MREMAP-36), what they leave (MREMAP-37) */
    { "A51", "a.........aa", 0, 0, 1, FIX_, 10,
      { { V616, MW_EINVAL, "a..........a" }, { V73, MW_EINVAL, "a.........aa" } } },
    { "A52", "..........aa", 0, 1, 1, FIX_, 10,
      { { V510, MW_EFAULT, "...........a" }, { V73, MW_EFAULT, "..........aa" } } },
    { "A53", "a.........aaa", 0, 2, 2, FIX_, 10,
      { { V616, MW_EFAULT, "a...........a" }, { V73, 0, "..........aaa" } } },
    { "A54", "a.........aaa", 0, 2, 3, FIX_, 10,
      { { V616, MW_EFAULT, "a" }, { V73, MW_EFAULT, "a.........aaa" } } },
    { "A56", "a.........aaa", 0, 4, 2, FIX_, 10,
      { { V616, MW_EFAULT, "a...........a" }, { V73, MW_EFAULT, "a.........aaa" } } },
    { "B08", "aa.aa", 0, 5, 4, FIX_, 10,
      { { V616, MW_EFAULT, "aa.a" }, { V73, MW_EFAULT, "aa.aa" } } },
    { "B14", "aarr", 0, 4, 3, FIX_, 10,
      { { V616, MW_EFAULT, "aar" }, { V73, MW_EFAULT, "aarr" } } },
    { "B20", "aa", 0, 3, 3, FIX_, 10,
      { { V616, MW_EFAULT, "aa" }, { V73, 0, "..........aa" } } },
    { "B01 same size", "", 0, 1, 1, 0, 0, { { V510, 0, "" }, { V73, MW_EFAULT, "" } } },
    { "B01 shrink", "", 0, 2, 1, 0, 0, { { V510, 0, "" }, { V73, MW_EFAULT, "" } } },
    { "B24 shrink", ".aa", 0, 3, 1, 0, 0,
      { { V510, 0, "" }, { V73, MW_EFAULT, ".aa" } } },
    { "A45 overlap, unmapped", "", 0, 2, 2, FIX_, 1,
      { { V510, MW_EINVAL, "" }, { V616, MW_EFAULT, "" }, { V73, MW_EINVAL, "" } } },
    /* several mappings: since 6.17 (MREMAP-32) */
    { "K01", "aarr", 0, 4, 4, FIX_, 10,
      { { V616, MW_EFAULT, "aarr" }, { V73, 0, "..........aarr" } } },
    { "K02", "AA.AA", 0, 5, 5, FIX_, 10,
      { { V616, MW_EFAULT, "AA.AA" }, { V73, 0, "..........AA.AA" } } },
    { "K10", "AArr", 0, 4, 4, DUF_, 10,
      { { V616, MW_EFAULT, "AArr" }, { V73, 0, "aarr......AArr" } } },
    { "K17", "aa.aa.....rrrrr", 0, 5, 5, FIX_, 10,
      { { V616, MW_EFAULT, "aa.aa" }, { V73, 0, "..........aaraa" } } },
    /* DONTUNMAP of other kinds: since 5.13 (MREMAP-35) */
    { "H03", "ssss", 0, 4, 4, DUF_, 10,
      { { V510, MW_EINVAL, "ssss" }, { V73, 0, "ssss......ssss" } } },
    { "H05", "FFFF", 0, 4, 4, DUF_, 10,
      { { V510, MW_EINVAL, "FFFF" }, { V73, 0, "FFFF......FFFF" } } },
    { "H28", "ffff", 0, 4, 4, DUF_, 10,
      { { V510, MW_EINVAL, "ffff" }, { V73, 0, "ffff......ffff" } } },
    /* what went whole is untouched again (MREMAP-28) */
    { "H01", "AAAA", 0, 4, 4, DUF_, 10,
      { { V510, 0, "AAAA......AAAA" }, { V73, 0, "aaaa......AAAA" } } },
    /* beside what it left behind, both untouched (MREMAP-39) */
    { "H13", "aaaa", 0, 4, 4, DUF_, 4, { { V70, 0, "aaaaaaaa" }, { V73, 0, "aaaa|aaaa" } } },
    /* growth that meets the next mapping (MREMAP-25, MERGE-3) */
    { "E13", "aa..aa", 0, 2, 4, 0, 0, { { V510, 0, "aaaa|aa" }, { V73, 0, "aaaaaa" } } },
    { "E14", "AA..aa", 0, 2, 4, 0, 0, { { V612, 0, "AAAAaa" }, { V73, 0, "AAAAAA" } } },
    { "E15", "aa..AA", 0, 2, 4, 0, 0, { { V510, 0, "aaaaAA" }, { V73, 0, "AAAAAA" } } },
    { "E16", "AA..AA", 0, 2, 4, 0, 0, { { V73, 0, "AAAA|AA" } } },
    { "E19", "FF..FF", 0, 2, 4, 0, 0, { { V510, 0, "FFFF|FF" }, { V73, 0, "FFFFFF" } } },
    /* the same everywhere */
    { "F01", "AAAA", 0, 4, 4, FIX_, 10, { { V73, 0, "..........AAAA" } } },
    { "F13", "AAAA", 2, 2, 2, FIX_, 10, { { V73, 0, "AA........AA" } } },
    { "E02", "AAAAAA", 1, 3, 1, 0, 0, { { V73, 0, "AA..AA" } } },
    { "C01", "aa.r", 0, 2, 4, 0, 0, { { V73, MW_ENOMEM, "aa.r" } } },
    { "G06", "aaaa", 0, 0, 4, MAY_, 0, { { V73, MW_EINVAL, "aaaa" } } },
    { "G02", "ssss", 0, 0, 4, 0, 0, { { V73, MW_ENOMEM, "ssss" } } },
    { "G04", "ssss", 0, 0, 4, FIX_, 10, { { V73, 0, "ssss......ssss" } } },
    { "G13", "ssss", 0, 0, 4, DUF_, 10, { { V73, MW_EINVAL, "ssss" } } },
    { "A02", "aaaa", 0, 4, 4, 8, 0, { { V73, MW_EINVAL, "aaaa" } } },
    { "A13", "aaaa", 0, 4, 4, FIX_, 0, { { V73, MW_EINVAL, "aaaa" } } },
};

static void start(struct bench *b, uint32_t version)
{
    bench_config(b, 12, 128);
    b->config.linux_version = version;
    bench_open(b);
}

static void one_case(const struct version_case *c, uint32_t version)
{
    struct mw_why why;
    struct bench b;
    char what[120];
    size_t i = 0;
    while (c->answers[i].until < version)
        i++;
    snprintf(what, sizeof what, "%s on %u.%u", c->name, version / 1000, version % 1000);
    start(&b, version);
    draw(&b, c->before);
    int64_t r = mw_mremap(b.space, at(&b, c->page), (uint64_t)c->n * b.page,
                          (uint64_t)c->m * b.page, c->flags, at(&b, c->to), &why);
    if ((r < 0 ? -r : 0) != c->answers[i].err)
        fail_msg("%s: result %lld, should be %s", what, (long long)r,
                 mw_errno_name(c->answers[i].err));
    expect_why(r, &why, what);
    expect_row(&b, c->answers[i].after, what);
    bench_close(&b);
}

static void recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t v = 0; v < sizeof all_versions / sizeof all_versions[0]; v++)
            one_case(&cases[i], all_versions[v]);
}

/* A size beyond user space is "no room" before 6.17; EFAULT comes first then. */
static void huge_sizes(void **state)
{
    static const struct { uint64_t page; uint32_t flags; int before_617, since; } c[] = {
        { 0, MAY_, MW_ENOMEM, MW_EINVAL }, { 0, 0, MW_ENOMEM, MW_EINVAL },
        { 20, MAY_, MW_EFAULT, MW_EINVAL }, { 0, FIX_, MW_EINVAL, MW_EINVAL },
    };
    (void)state;
    for (size_t v = 1; v < sizeof all_versions / sizeof all_versions[0]; v++)
        for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
            struct bench b;
            start(&b, all_versions[v]);
            draw(&b, "aaaa");
            assert_int_equal(mw_mremap(b.space, at(&b, (int64_t)c[i].page), 4 * b.page, 1ull << 47,
                                       c[i].flags, at(&b, 10), NULL),
                             -(all_versions[v] < V617 ? c[i].before_617 : c[i].since));
            bench_close(&b);
        }
}

/* DONTUNMAP's sizes are compared before rounding until 6.16 (A07). */
static void dontunmap_rounding(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof all_versions / sizeof all_versions[0]; v++) {
        struct bench b;
        start(&b, all_versions[v]);
        draw(&b, "aaaa");
        assert_int_equal(mw_mremap(b.space, at(&b, 0), 4 * b.page - 1, 4 * b.page, DUF_,
                                   at(&b, 10), NULL),
                         all_versions[v] < V617 ? -MW_EINVAL : (int64_t)at(&b, 10));
        bench_close(&b);
    }
}

/* RLIMIT_AS of a growing move onto what it replaces (A58): the old kernel has unmapped it. */
static void limit_and_destination(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof all_versions / sizeof all_versions[0]; v++) {
        bool old = all_versions[v] < V617;
        struct bench b;
        start(&b, all_versions[v]);
        draw(&b, "aa........aa");
        mw_set_limit(b.space, MW_LIMIT_AS, 4 * b.page);
        assert_int_equal(mw_mremap(b.space, at(&b, 0), 2 * b.page, 4 * b.page, FIX_, at(&b, 10),
                                   NULL), old ? (int64_t)at(&b, 10) : -MW_ENOMEM);
        expect_row(&b, old ? "..........aaaa" : "aa........aa", "A58");
        mw_set_limit(b.space, MW_LIMIT_AS, b.page);
        bench_close(&b);
    }
}

/* DONTUNMAP of locked memory with and without the kernels' defects (MREMAP-30, MREMAP-31). */
static void locked_defects(void **state)
{
    static const struct { uint32_t version; bool defects; uint64_t whole, part; bool rest; } c[] = {
        { V510, true, 4, 4, false },    { V61, true, 4, 4, false },
        { V612, true, 4, 4, false },    { V616, true, 8, 6, false },
        { V70, true, 8, 6, false },     { MW_LINUX(7, 2), true, 4, 4, true },
        { V70, false, 4, 4, true },     { V61, false, 4, 4, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        for (int part = 0; part < 2; part++) {
            struct mw_stats s;
            struct mw_vma v;
            struct bench b;
            bench_config(&b, 12, 128);
            b.config.linux_version = c[i].version;
            b.config.options |= c[i].defects ? MW_OPT_DEFECTS : 0;
            bench_open(&b);
            mw_mmap(b.space, at(&b, 0), 4 * b.page, RW_, FIXED_ | MW_MAP_LOCKED, NULL, 0, NULL);
            mw_mremap(b.space, at(&b, 0), part ? 2 * b.page : 4 * b.page,
                      part ? 2 * b.page : 4 * b.page, DUF_, at(&b, 10), NULL);
            mw_stats(b.space, &s);
            assert_true(mw_find_vma(b.space, at(&b, 3), &v));
            assert_int_equal(s.locked, part ? c[i].part : c[i].whole);
            if (part && ((v.flags & MW_VM_LOCKED) != 0) != c[i].rest)
                fail_msg("case %zu: the rest is %slocked", i, c[i].rest ? "not " : "");
            bench_close(&b);
        }
}

/* What is unlocked by being left behind is a mapping of its own (MREMAP-41). */
static void locked_pieces(void **state)
{
    static const struct { uint32_t version; const char *row; } c[] = {
        { V61, "rrr..r....rr" }, { V70, "rrr..r....rr" }, { V73, "r|rr..r....rr" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        bench_config(&b, 12, 128);
        b.config.linux_version = c[i].version;
        b.config.options |= MW_OPT_DEFECTS;
        bench_open(&b);
        mw_mmap(b.space, at(&b, 0), 3 * b.page, RO_, FIXED_ | MW_MAP_LOCKED, NULL, 0, NULL);
        mw_mremap(b.space, at(&b, 0), b.page, b.page, DUF_, at(&b, 5), NULL);
        mw_mremap(b.space, at(&b, 1), 2 * b.page, 2 * b.page, DUF_, at(&b, 10), NULL);
        expect_row(&b, c[i].row, "left behind");
        bench_close(&b);
    }
}

/* MERGE-7: from 6.1 to 6.11 mmap asks the mapping above first. */
static void asks_above(void **state)
{
    static const struct { uint32_t version; const char *touched_above, *touched_both; } c[] = {
        { V510, "AAAAAA", "AAAA|AA" }, { V61, "aaAAAA", "AA|AAAA" },
        { MW_LINUX(6, 11), "aaAAAA", "AA|AAAA" }, { V612, "AAAAAA", "AAAA|AA" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        for (int both = 0; both < 2; both++) {
            struct bench b;
            start(&b, c[i].version);
            draw(&b, both ? "AA..AA" : "aa..AA");
            mw_mmap(b.space, at(&b, 2), 2 * b.page, RW_, FIXED_, NULL, 0, NULL);
            expect_row(&b, both ? c[i].touched_both : c[i].touched_above, "mmap between");
            bench_close(&b);
        }
}

/* MMAP-25: before 6.12 what is in the way is gone when the commit charge is asked for. */
static void charge_of_replaced(void **state)
{
    static const struct {
        uint32_t version, mode;
        bool defects;
        int pages, err;
        const char *row;
    } c[] = {
        { V61, 2, true, 6, MW_ENOMEM, "aa" },    { V612, 2, true, 6, MW_ENOMEM, "aa|aa" },
        { V612, 2, false, 6, MW_ENOMEM, "aaaa" }, { V61, 2, true, 4, 0, "aarrrr" },
        { V61, 0, true, 7, MW_ENOMEM, "aa" },    { V612, 0, true, 7, 0, "aarrrrrrr" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        bench_config(&b, 12, 128);
        b.config.linux_version = c[i].version;
        b.config.options |= c[i].defects ? MW_OPT_DEFECTS : 0;
        b.config.overcommit = c[i].mode;
        b.config.commit_limit = b.config.ram_pages = 6;
        bench_open(&b);
        draw(&b, "aaaa");
        int64_t r = mw_mmap(b.space, at(&b, 2), (uint64_t)c[i].pages * b.page, RW_, FIXED_, NULL, 0,
                            NULL);
        if (c[i].err == 0) /* to tell it from its neighbour */
            mw_mprotect(b.space, at(&b, 2), (uint64_t)c[i].pages * b.page, RO_, NULL);
        assert_int_equal(r < 0 ? -r : 0, c[i].err);
        expect_row(&b, c[i].row, "refused");
        bench_close(&b);
    }
}

/* 6.16 forgets that what DONTUNMAP leaves behind was promised (MREMAP-40). */
static void unaccounted_defect(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const bool lost = i == 0;
        struct mw_vma v;
        struct bench b;
        bench_config(&b, 12, 128);
        b.config.linux_version = i == 2 ? V617 : V616;
        b.config.options |= i == 1 ? 0 : MW_OPT_DEFECTS;
        bench_open(&b);
        draw(&b, "AA");
        mw_mremap(b.space, at(&b, 0), 2 * b.page, 2 * b.page, DUF_, at(&b, 10), NULL);
        assert_true(mw_find_vma(b.space, at(&b, 0), &v));
        assert_int_equal((v.flags & MW_VM_ACCOUNT) == 0, lost);
        draw(&b, "..a");
        expect_row(&b, lost ? "aa|a.......AA" : "aaa.......AA", "H18");
        bench_close(&b);
    }
}

/* MREMAP-38: what a shrinking move cuts off is charged, mapped or not, from 6.16 to 7.2. */
static void shrinking_move(void **state)
{
    static const struct { uint32_t version; bool refused; } c[] = {
        { V612, false }, { V616, true }, { MW_LINUX(7, 2), true }, { V73, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct mw_stats s;
        struct bench b;
        bench_config(&b, 12, 128);
        b.config.linux_version = c[i].version;
        b.config.options |= MW_OPT_DEFECTS;
        b.config.ram_pages = 10;
        bench_open(&b);
        draw(&b, "aaaa");
        int64_t r = mw_mremap(b.space, at(&b, 0), 20 * b.page, b.page, FIX_, at(&b, 30), NULL);
        assert_int_equal(r, c[i].refused ? -MW_ENOMEM : (int64_t)at(&b, 30));
        r = mw_mmap(b.space, at(&b, 40), 4 * b.page, RW_, FIXED_, NULL, 0, NULL);
        r = mw_mremap(b.space, (uint64_t)r, 4 * b.page, b.page, FIX_, at(&b, 50), NULL);
        assert_int_equal(r, at(&b, 50));
        mw_stats(b.space, &s); /* the first left one page, moved or not, the second one */
        assert_int_equal(s.committed, c[i].refused ? 5 : 2);
        bench_close(&b);
    }
}

/* BRK-4, BRK-6, and droppable memory that mlockall reaches (MMAP-22), before and after. */
static void heap_and_droppable(void **state)
{
    static const struct { uint32_t version; bool heap_apart, droppable_locked; } c[] = {
        { V510, false, false }, { V61, true, false }, { V612, true, false },
        { V616, true, true },   { V617, true, true }, { MW_LINUX(6, 18), true, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct mw_stats s;
        struct bench b;
        bench_config(&b, 12, 128);
        b.config.linux_version = c[i].version;
        b.config.options |= MW_OPT_DEFECTS;
        b.config.brk_start = BASE + 20 * b.page;
        bench_open(&b);
        draw(&b, "..................aa");
        assert_int_equal(mw_brk(b.space, at(&b, 22), NULL), at(&b, 22));
        expect_row(&b, c[i].heap_apart ? "..................aa|aa" : "..................aaaa", "heap");
        mw_munmap(b.space, at(&b, 20), 2 * b.page, NULL);
        assert_int_equal(mw_brk(b.space, at(&b, 21), NULL), at(&b, c[i].heap_apart ? 22 : 21));
        mw_set_future(b.space, MW_FUTURE_LOCK);
        mw_mmap(b.space, at(&b, 40), b.page, RW_,
                MW_MAP_DROPPABLE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL);
        mw_stats(b.space, &s);
        assert_int_equal(s.locked, c[i].droppable_locked ? 1 : 0);
        bench_close(&b);
    }
}

/* What manual pages date before 5.10: MMAP-7, MMAP-3, MMAP-23, LIMIT-4, PLACE-5. */
static int64_t map_at(struct bench *b, int page, uint32_t prot, uint32_t flags)
{
    return mw_mmap(b->space, at(b, page), 2 * b->page, prot, flags | MW_MAP_ANONYMOUS, NULL, 0,
                   NULL);
}

static void noreplace(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct bench b;
        start(&b, known ? MW_LINUX(4, 17) : MW_LINUX(4, 16));
        draw(&b, "rr");
        int64_t r = map_at(&b, 1, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED_NOREPLACE);
        if (known)
            assert_int_equal(r, -MW_EEXIST);
        else
            assert_true(r > 0 && r != (int64_t)at(&b, 1));
        assert_int_equal(map_at(&b, 4, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED_NOREPLACE), at(&b, 4));
        bench_close(&b);
    }
}

static void validate_and_sync(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct mw_why why;
        struct bench b;
        start(&b, known ? MW_LINUX(4, 15) : MW_LINUX(4, 14));
        int64_t r = mw_mmap(b.space, at(&b, 10), b.page, RO_,
                            MW_MAP_SHARED_VALIDATE | MW_MAP_FIXED, &b.file, 0, &why);
        assert_int_equal(r, known ? (int64_t)at(&b, 10) : -MW_EINVAL);
        if (!known)
            assert_string_equal(mw_why_rule(&why), "MMAP-3");
        mw_munmap(b.space, at(&b, 10), b.page, NULL);
        map_at(&b, 0, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED);
        map_at(&b, 2, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED | MW_MAP_SYNC);
        expect_row(&b, known ? "aa|aa" : "aaaa", "MAP_SYNC");
        bench_close(&b);
    }
}

static void data_limit(void **state)
{
    (void)state;
    for (int counts = 0; counts < 2; counts++) {
        struct bench b;
        start(&b, counts ? MW_LINUX(4, 7) : MW_LINUX(4, 6));
        mw_set_limit(b.space, MW_LIMIT_DATA, b.page);
        assert_int_equal(map_at(&b, 0, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED),
                         counts ? -MW_ENOMEM : (int64_t)at(&b, 0));
        bench_close(&b);
    }
}

/* MREMAP-22, LIMIT-1: before 6.17 a destination no longer counts as locked when the limit is asked */
static void lock_limit_of_destination(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct bench b;
        start(&b, late ? MW_LINUX(6, 16) : MW_LINUX(6, 17));
        mw_set_limit(b.space, MW_LIMIT_MEMLOCK, 5 * b.page);
        mw_set_future(b.space, MW_FUTURE_LOCK);
        map_at(&b, 0, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED);
        map_at(&b, 8, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED);
        int64_t r = mw_mremap(b.space, at(&b, 0), b.page, 4 * b.page, MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED, at(&b, 8), NULL);
        assert_int_equal(r, late ? (int64_t)at(&b, 8) : -MW_EAGAIN);
        bench_close(&b);
    }
}

static void stack_guard(void **state)
{
    (void)state;
    for (int gap = 0; gap < 2; gap++) {
        struct bench b;
        start(&b, gap ? MW_LINUX(4, 12) : MW_LINUX(4, 11));
        map_at(&b, 20, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED | MW_MAP_GROWSDOWN);
        int64_t r = map_at(&b, 17, RW_, MW_MAP_PRIVATE);
        assert_int_equal(r == (int64_t)at(&b, 17), !gap);
        r = map_at(&b, 18, RW_, MW_MAP_PRIVATE);
        assert_true(r > 0 && r != (int64_t)at(&b, 18));
        bench_close(&b);
    }
}

/* PLACE-5: room within a stack's guard, below another mapping that lies there */
static void room_in_guard(void **state)
{
    (void)state;
    for (int passed = 0; passed < 2; passed++) {
        struct bench b;
        start(&b, passed ? V61 : V510);
        int64_t stack = mw_mmap(b.space, 0, 45 * b.page, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_GROWSDOWN, NULL, 0, NULL);
        int64_t page = (int64_t)b.page, other = stack - 239 * page;
        assert_int_equal(mw_mmap(b.space, 0, b.page, RO_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS, NULL, 0, NULL), stack - 257 * page);
        assert_int_equal(mw_munmap(b.space, (uint64_t)(stack - 257 * page), b.page, NULL), 0);
        assert_int_equal(mw_mmap(b.space, (uint64_t)other, b.page, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL), other);
        assert_int_equal(mw_mmap(b.space, 0, b.page, RO_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS, NULL, 0, NULL),
                         passed ? stack - 257 * page : other - page);
        assert_int_equal(mw_mmap(b.space, 0, 300 * b.page, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS, NULL, 0, NULL),
                         passed ? stack - 557 * page : other - 301 * page);
        bench_close(&b);
    }
}

/* LIMIT-1: before 6.1 the sum of what is locked may wrap. */
static void lock_sum(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct bench b;
        bench_config(&b, 12, 128);
        b.config.linux_version = i == 0 ? V510 : V61;
        b.config.options |= i == 2 ? 0 : MW_OPT_DEFECTS;
        b.config.limit_memlock = 4 * b.page;
        b.config.caps = 0;
        bench_open(&b);
        map_at(&b, 0, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED | MW_MAP_LOCKED);
        assert_int_equal(mw_mremap(b.space, at(&b, 1), b.page, 0 - b.page, 0, 0, NULL),
                         i == 0 ? -MW_ENOMEM : -MW_EAGAIN);
        bench_close(&b);
    }
}

/* ---- huge pages: taken over by import ---- */

static void import_huge(struct bench *b, struct mw_object **o)
{
    const uint64_t huge = 2 << 20;
    assert_int_equal(mw_object_create(&b->port, NULL, NULL, b, 8 * huge, MW_OBJ_NOMERGE, o), 0);
    struct mw_vma v = { .start = BASE, .end = BASE + 4 * huge, .object = *o,
                        .flags = MW_VM_READ | MW_VM_WRITE | MW_VM_MAYREAD | MW_VM_MAYWRITE |
                                 MW_VM_HUGETLB | MW_VM_DONTEXPAND };
    assert_int_equal(mw_import(b->space, &v), 0);
}

/* MUNMAP-2, MREMAP-16, MREMAP-17, MREMAP-34 */
static void huge_pages(void **state)
{
    const uint64_t h = 2 << 20, p = 4096;
    const struct { uint64_t old, osz, nsz; uint32_t flags; uint64_t to; int err, err_510; } c[] = {
        { 0, h, h, FIX_, 10 * h, 0, MW_EINVAL },          /* a move */
        { 0, h, h, FIX_, 10 * h + p, MW_EINVAL, MW_EINVAL },
        { p, h, h, FIX_, 10 * h, MW_EINVAL, MW_EINVAL },
        { 0, 4 * h, 5 * h, MAY_, 0, MW_EINVAL, MW_EINVAL }, /* growth */
        { 0, 0, h, MAY_, 0, MW_EINVAL, MW_EINVAL },         /* duplication */
        { 0, 4 * h, 2 * h, 0, 0, 0, 0 },                    /* a shrink */
        { 0, 4 * h, h + p, 0, 0, 0, MW_EINVAL },            /* sizes round up */
        { 0, h, h, DUF_, 10 * h, MW_EINVAL, MW_EINVAL },
    };
    (void)state;
    for (int old = 0; old < 2; old++)
        for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
            struct mw_object *o;
            struct mw_why why;
            struct bench b;
            bench_config(&b, 12, 0);
            b.config.linux_version = old ? V510 : V73;
            bench_open(&b);
            import_huge(&b, &o);
            int64_t r = mw_mremap(b.space, BASE + c[i].old, c[i].osz, c[i].nsz, c[i].flags,
                                  BASE + c[i].to, &why);
            if ((r < 0 ? -r : 0) != (old ? c[i].err_510 : c[i].err))
                fail_msg("case %zu%s: %lld", i, old ? " on 5.10" : "", (long long)r);
            expect_why(r, &why, "huge");
            mw_object_put(o);
            bench_close(&b);
        }
}

/* MREMAP-37: a new size that becomes 0 when it is rounded up to huge pages, as it was recorded */
static void huge_wraps(void **state)
{
    const uint64_t h = 2 << 20, max = 0 - 4096ull;
    const struct { uint64_t old, osz, nsz; uint32_t flags; uint64_t to; int err; uint32_t left; } c[] = {
        { 0, 2 * h, max, MAY_, 0, 0, 12 }, /* the range is unmapped */
        { 0, 2 * h, 4096 - h, 0, 0, 0, 12 },
        { h, h, max, 0, 0, 0, 13 },
        { h, 9 * h, max, 0, 0, 0, 1 },
        { 0, 0, max, MAY_, 0, 0, 15 }, /* nothing to unmap */
        { 0, max, max, MAY_, 0, 0, 15 },
        { 0, 2 * h, 0 - h, 0, 0, MW_EINVAL, 15 }, /* it does not wrap */
        { 4096, h, max, MAY_, 0, MW_EINVAL, 15 },
        { 0, h, max, MAY_, 4096, MW_EINVAL, 15 },
        { 0, max, h, MAY_, 0, MW_EINVAL, 15 }, /* the old size does: growth */
        { 0, max, h, FIX_, 10 * h, MW_EINVAL, 15 },
        { 0, 2 * h, max, FIX_, 10 * h, MW_EINVAL, 15 },
        { 0, 2 * h, max, FIX_, 2 * h, MW_EINVAL, 15 },
        { 0, max, max, FIX_, 10 * h, MW_EINVAL, 15 },
        { 0, 0, max, FIX_, 10 * h, MW_EINVAL, 15 },
        { 0, max, max, DUF_, 10 * h, MW_EINVAL, 15 },
        { 0, max, max, MAY_ | MW_MREMAP_DONTUNMAP, 0, MW_EINVAL, 15 },
    };
    static const uint32_t versions[] = { V61, V612, V616, V617 };
    (void)state;
    for (size_t i = 0; i < 4 * sizeof c / sizeof c[0]; i++) {
        size_t k = i / 4;
        bool before = versions[i % 4] < V617;
        uint32_t left = 0;
        struct mw_object *o;
        struct mw_why why;
        struct mw_vma v;
        struct bench b;
        bench_config(&b, 12, 0);
        b.config.linux_version = versions[i % 4];
        bench_open(&b);
        import_huge(&b, &o);
        int64_t r = mw_mremap(b.space, BASE + c[k].old, c[k].osz, c[k].nsz, c[k].flags,
                              c[k].to ? BASE + c[k].to : 0, &why);
        int64_t err = before ? c[k].err : MW_EINVAL;
        if (r != (err ? -err : (int64_t)(BASE + c[k].old)))
            fail_msg("case %zu on %u: %lld", k, versions[i % 4], (long long)r);
        expect_why(r, &why, "a size that wraps");
        for (uint32_t page = 0; page < 4; page++)
            if (mw_find_vma(b.space, BASE + page * h, &v) && v.start <= BASE + page * h)
                left |= 1u << page;
        assert_int_equal(left, before ? c[k].left : 15);
        mw_object_put(o);
        bench_close(&b);
    }
}

static void huge_munmap(void **state)
{
    const uint64_t h = 2 << 20;
    struct mw_object *o;
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 0);
    bench_open(&b);
    import_huge(&b, &o);
    assert_int_equal(mw_munmap(b.space, BASE + 4096, h, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MUNMAP-2");
    assert_int_equal(mw_munmap(b.space, BASE, 4096, &why), -MW_EINVAL);
    assert_int_equal(mw_munmap(b.space, BASE + h, h, &why), 0);
    mw_object_put(o);
    bench_close(&b);
}

/* MMAP-18, HUGETLB-3: huge pages of mmap's own */
static void huge_mmap(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_mmap(b.space, 0, 2 << 20, RW_, MW_MAP_PRIVATE | MW_MAP_HUGETLB, &b.file, 0,
                             &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MMAP-18");
    int64_t r = mw_mmap(b.space, 0, 2 << 20, RW_,
                        MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_HUGETLB, NULL, 0, &why);
    assert_int_equal(r, -MW_ENOMEM);
    expect_why(r, &why, "MAP_HUGETLB");
    assert_string_equal(mw_why_rule(&why), "HUGETLB-3");
    expect_row(&b, "", "none are there");
    bench_close(&b);
}

/* ---- several mappings: who can't take part (MREMAP-26, MREMAP-33) ---- */

static void alone(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int second = 0; second < 2; second++) {
            struct mw_object *o;
            struct mw_why why;
            struct bench b;
            start(&b, V73);
            assert_int_equal(mw_object_create(&b.port, b.frames, NULL, &b, 1 << 20,
                                              MW_OBJ_OWN_PLACE, &o), 0);
            struct mw_file f = { o, MW_FILE_READ };
            draw(&b, second ? "aarraa" : "rraa");
            uint64_t page = second ? 2 : 0;
            if (kind == 0)
                mw_import_flags(b.space, at(&b, (int64_t)page), at(&b, (int64_t)page + 2), 0,
                                MW_VM_UFFD, true);
            else
                mw_mmap(b.space, at(&b, (int64_t)page), 2 * b.page, RO_,
                        MW_MAP_PRIVATE | MW_MAP_FIXED, &f, 0, NULL);
            uint64_t len = (second ? 6 : 4) * b.page;
            assert_int_equal(mw_mremap(b.space, at(&b, 0), len, len, FIX_, at(&b, 10), &why),
                             -MW_EFAULT);
            assert_string_equal(mw_why_rule(&why), "MREMAP-26");
            const char *row = kind ? (second ? "..ffaa....aa" : "ffaa")
                                   : (second ? "..rraa....aa" : "rraa");
            expect_row(&b, row, "refused");
            /* by itself it moves */
            assert_int_equal(mw_mremap(b.space, at(&b, (int64_t)page), 2 * b.page, 2 * b.page,
                                       FIX_, at(&b, 20), &why), at(&b, 20));
            mw_object_put(o);
            bench_close(&b);
        }
}

/* ---- watched by userfaultfd: where it is, not what it is (MREMAP-42) ---- */

static uint64_t watched(const struct bench *b, int64_t page)
{
    struct mw_vma v;
    assert_true(mw_find_vma(b->space, at(b, page), &v) && v.start <= at(b, page));
    return v.flags & MW_VM_UFFD;
}

static void watched_moves(void **state)
{
    struct bench b;
    (void)state;
    bench_config(&b, 12, 1024);
    b.config.linux_version = V617;
    b.config.options |= MW_OPT_DEFECTS; /* MREMAP-43 */
    bench_open(&b);
    draw(&b, "aaaa......aaaa");
    mw_import_flags(b.space, at(&b, 0), at(&b, 14), 0, MW_VM_UFFD, true);
    /* it merges as if it still were, and then nothing of the whole is */
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 2 * b.page, 2 * b.page, FIX_, at(&b, 14), NULL),
                     at(&b, 14));
    expect_row(&b, "..aa......aaaaaa", "moved beside watched memory");
    assert_true(watched(&b, 2) && !watched(&b, 10) && !watched(&b, 15));
    /* beside what is not watched it stays apart; what is left behind stays watched */
    assert_int_equal(mw_mremap(b.space, at(&b, 2), 2 * b.page, 2 * b.page, DUF_, at(&b, 16), NULL),
                     at(&b, 16));
    expect_row(&b, "..aa......aaaaaa|aa", "moved beside plain memory");
    assert_true(watched(&b, 2) && !watched(&b, 16));
    /* growth in place is watched too */
    assert_int_equal(mw_mremap(b.space, at(&b, 2), 2 * b.page, 3 * b.page, 0, 0, NULL), at(&b, 2));
    assert_true(watched(&b, 4));
    bench_close(&b);
}

/* ---- /dev/zero, privately: anonymous memory with a file's name (MMAP-27) ---- */

static uint64_t offset_at(const struct bench *b, int64_t page)
{
    struct mw_vma v;
    assert_true(mw_find_vma(b->space, at(b, page), &v) && v.start <= at(b, page));
    return v.offset;
}

/* PLACE-8: which of two offsets comes first Linux asks of them as signed numbers; none wraps */
static void places_by_far_offsets(void **state)
{
    static const struct { uint64_t offset, pages; bool congruent; } c[] = {
        { 0x7fffffffffffd000, 2, true }, { 0xffffffffffffc000, 2, false }, { 0x1000, 2, false },
        { 0xfffffffffefbf000, 3648, true }, { 0xfffffffffefc0000, 3648, false },
        { 0xffffffffff602000, 3648, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct mw_object *o;
        struct bench b;
        start(&b, V617);
        assert_int_equal(mw_object_create(&b.port, b.frames, NULL, &b, 0,
                                          MW_OBJ_ANON | MW_OBJ_THP_PLACE, &o), 0);
        struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE | MW_FILE_DEVICE };
        uint64_t a = (uint64_t)mw_mmap(b.space, 0, c[i].pages * b.page, RW_, MW_MAP_PRIVATE, &f, c[i].offset, NULL);
        assert_int_equal((a ^ c[i].offset) % MW_HUGE_SIZE == 0, c[i].congruent);
        mw_object_put(o);
        bench_close(&b);
    }
}

static void private_zero(void **state)
{
    struct mw_object *o;
    struct bench b;
    (void)state;
    start(&b, V617);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, &b, 0, MW_OBJ_ANON, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE | MW_FILE_DEVICE };
    for (int64_t page = 0; page < 8; page += 4)
        assert_int_equal(mw_mmap(b.space, at(&b, page), 2 * b.page, RW_,
                                 MW_MAP_PRIVATE | MW_MAP_FIXED, &f, 0 - 4 * b.page, NULL),
                         at(&b, page));
    assert_int_equal(peek(&b, at(&b, 0)), 0);
    poke(&b, at(&b, 4), 7);
    for (int64_t page = 0; page < 8; page += 4)
        assert_int_equal(mw_mremap(b.space, at(&b, page), 2 * b.page, 2 * b.page, FIX_,
                                   at(&b, page + 20), NULL), at(&b, page + 20));
    assert_int_equal(offset_at(&b, 20), at(&b, 20)); /* untouched: it belongs where it is */
    assert_int_equal(offset_at(&b, 24), 0 - 4 * b.page);
    assert_int_equal(peek(&b, at(&b, 24)), 7);
    /* its promise is given back as that of other untouched memory (MPROT-8): one mapping */
    assert_int_equal(mw_mprotect(b.space, at(&b, 20), 2 * b.page, RO_, NULL), 0);
    struct mw_stats stats;
    mw_stats(b.space, &stats);
    assert_int_equal(stats.committed, 2);
    mw_object_put(o);
    bench_close(&b);
}

/* ---- kinds that never merge (MERGE-5) ---- */

static void never_merge(void **state)
{
    static const uint64_t kinds[] = { 0, MW_VM_DONTEXPAND, MW_VM_PFNMAP, MW_VM_MIXEDMAP,
                                      MW_VM_IO };
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct bench b;
        bench_start(&b);
        draw(&b, "aaaa");
        mw_import_flags(b.space, at(&b, 0), at(&b, 4), 0, kinds[i], false);
        assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RO_, NULL), 0);
        assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RW_, NULL), 0);
        expect_row(&b, kinds[i] ? "a|a|aa" : "aaaa", "split and made equal again");
        bench_close(&b);
    }
}

/* ---- the rows of the table ---- */

#define V(major, minor) MW_LINUX(major, minor)

static bool holds(uint32_t version, enum version_row row)
{
    struct rows set = version_rows(version, true);
    return rows_have(&set, row);
}

/* WOULD-3: where each behaviour begins and ends, as it was measured or is documented */
static void boundaries(void **state)
{
    static const struct { enum version_row row; uint32_t since, until; } c[] = {
        { ROW_MREMAP_COUNT_ALWAYS, V(7, 2), 0 },
        { ROW_PRIVATE_DUP_REFUSED, V(4, 14), 0 },
        { ROW_DONTUNMAP, V(5, 7), 0 },
        { ROW_DONTUNMAP_ANY, V(5, 13), 0 },
        { ROW_HUGE_MOVES, V(5, 16), 0 },
        { ROW_MREMAP_MAPPING_FIRST, V(6, 1), 0 },
        { ROW_MREMAP_ALIGN_FIRST, V(6, 16), 0 },
        { ROW_MREMAP_ARGS_FIRST, V(6, 17), 0 },
        { ROW_SHRINKING_MOVE_CHARGED, V(6, 16), V(7, 3) },
        { ROW_LOCK_SUM_WRAPS, 0, V(6, 1) },
        { ROW_MREMAP_SEVERAL, V(6, 17), 0 },
        { ROW_DONTUNMAP_FORGETS, V(6, 1), 0 },
        { ROW_DONTUNMAP_STAYS_APART, V(7, 2), 0 },
        { ROW_DONTUNMAP_LOSES_PROMISE, V(6, 16), V(6, 17) },
        { ROW_DONTUNMAP_REBASES, V(7, 2), 0 },
        { ROW_DONTUNMAP_UNLOCKS_ALL, V(5, 7), V(7, 2) },
        { ROW_DONTUNMAP_COUNTS_TWICE, V(6, 16), V(7, 2) },
        { ROW_MMAP_UNMAPS_FIRST, 0, V(6, 12) },
        { ROW_REFUSED_LEAVES_CUT, V(6, 12), 0 },
        { ROW_GROW_MERGES, V(6, 1), 0 },
        { ROW_COUNTED_MERGES, V(6, 12), 0 },
        { ROW_MERGE_INTO_UNTOUCHED, V(6, 16), 0 },
        { ROW_MMAP_ASKS_ABOVE, V(6, 1), V(6, 12) },
        { ROW_PLACE_HUGE_ALIGNED, V(6, 7), 0 },
        { ROW_PLACE_HUGE_ANY_LENGTH, V(6, 7), V(6, 12) },
        { ROW_SPECIAL_UNCUT, V(6, 1), 0 },
        { ROW_AIO_MOVES_WHOLE, V(7, 2), 0 },
        { ROW_RING_HAS_NO_ADDRESS, V(6, 1), 0 },
        { ROW_MMAP_REFUSED_NOMEM, 0, V(6, 12) },
        { ROW_MOVE_UNWATCHES_NEIGHBOUR, 0, V(7, 3) },
        { ROW_WATCH_STRICTER, V(6, 17), 0 },
        { ROW_REMAP_EVENT_KEPT, V(6, 16), 0 },
        { ROW_WATCH_WP_WIDER, V(6, 12), 0 },
        { ROW_WATCH_CUT_MERGES, V(6, 12), 0 },
        { ROW_WATCH_COPY_FILLS_ZERO, V(6, 1), V(6, 12) },
        { ROW_WATCH_BEYOND_TOLD_APART, V(7, 2), 0 },
        { ROW_WATCH_NO_HUGE_EXISTS, V(6, 18), 0 },
        { ROW_STACK_NOHUGEPAGE, V(6, 7), 0 },
        { ROW_READONLY_GIVES_BACK, V(6, 12), 0 },
        { ROW_MLOCK2, V(4, 4), 0 },
        { ROW_ONFAULT_IS_LOOKED_AT, 0, V(6, 1) },
        { ROW_MSEAL, V(6, 10), 0 },
        { ROW_MADV_FREE, V(4, 5), 0 },
        { ROW_MADV_WIPEONFORK, V(4, 14), 0 },
        { ROW_MADV_COLD, V(5, 4), 0 },
        { ROW_MADV_POPULATE, V(5, 14), 0 },
        { ROW_MADV_DONTNEED_MORE, V(5, 18), 0 },
        { ROW_REMOVE_MAY_WRITE, V(6, 1), 0 },
        { ROW_ADVICE_CUT_AGAIN, V(6, 1), 0 },
        { ROW_POPULATE_STOPS, V(6, 12), 0 },
        { ROW_UNMERGEABLE_UNSEALS, V(6, 16), V(6, 17) },
        { ROW_GUARD_TOUCHES_FILES, V(6, 15), V(6, 18) },
        { ROW_DOFORK_NOT_SPECIAL, V(7, 0), 0 },
        { ROW_MADV_COLLAPSE, V(6, 1), 0 },
        { ROW_COLLAPSE_READ_ONLY, V(6, 18), 0 },
        { ROW_COLLAPSE_GOES_ON, V(7, 2), 0 },
        { ROW_HUGE_ZEROS_WRITTEN, V(6, 16), 0 },
        { ROW_REMAP_FILE_MAPS, V(4, 0), 0 },
        { ROW_PROCESS_MADVISE, V(5, 10), 0 },
        { ROW_PMADV_MORE, V(6, 1), 0 },
        { ROW_PMADV_ONE_CUT_FIRST, V(6, 12), 0 },
        { ROW_PMADV_SELF, V(6, 13), 0 },
        { ROW_PMADV_ADVICE_FIRST, V(7, 2), 0 },
        { ROW_MADV_GUARD, V(6, 13), 0 },
        { ROW_GUARD_ANY, V(6, 15), 0 },
        { ROW_DROPPABLE, V(6, 11), 0 },
        { ROW_GUARD_IS_PASSED, V(6, 1), 0 },
        { ROW_PKEYS, V(4, 9), 0 },
        { ROW_EXEC_KEY_BEFORE_PLACE, V(6, 12), 0 },
        { ROW_FIXED_NOREPLACE, V(4, 17), 0 },
        { ROW_SHARED_VALIDATE, V(4, 15), 0 },
        { ROW_STACK_GUARD_GAP, V(4, 12), 0 },
        { ROW_DATA_LIMIT_COUNTS, V(4, 7), 0 },
        { ROW_DROPPABLE_LOCKED, V(6, 16), V(6, 18) },
        { ROW_DROPPABLE_LOCKED_AGAIN, V(6, 19), V(7, 0) },
        { ROW_ANON_NAME, V(5, 17), 0 },
        { ROW_ANON_NAME_SHARED, V(6, 2), 0 },
        { ROW_HEAP_NAME_STRICT, V(6, 12), 0 },
        { ROW_SMAPS_PSS_DIRTY, V(6, 1), 0 },
        { ROW_SMAPS_KSM, V(6, 12), 0 },
        { ROW_ONFAULT_LETTERS, V(6, 12), 0 },
        { ROW_HEAP_SHRINKS_MAPPED, V(6, 1), 0 },
        { ROW_HEAP_BEGINS_APART, V(6, 1), 0 },
    };
    (void)state;
    assert_int_equal(sizeof c / sizeof c[0], ROW_COUNT);
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        for (uint32_t v = MW_LINUX_OLDEST; v < MW_LINUX_NEWEST; v = version_next(v)) {
            bool has = v >= c[i].since && (!c[i].until || v < c[i].until);
            if (holds(v, c[i].row) != has)
                fail_msg("row %zu on %u.%u", i, v / 1000, v % 1000);
        }
        assert_true(holds(c[i].since, c[i].row));
        if (c[i].since)
            assert_false(holds(c[i].since - 1, c[i].row));
        if (c[i].until) {
            assert_true(holds(c[i].until - 1, c[i].row));
            assert_false(holds(c[i].until, c[i].row));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded), cmocka_unit_test(huge_sizes),
        cmocka_unit_test(dontunmap_rounding), cmocka_unit_test(limit_and_destination),
        cmocka_unit_test(locked_defects), cmocka_unit_test(locked_pieces),
        cmocka_unit_test(asks_above), cmocka_unit_test(charge_of_replaced),
        cmocka_unit_test(unaccounted_defect),
        cmocka_unit_test(noreplace), cmocka_unit_test(validate_and_sync),
        cmocka_unit_test(data_limit), cmocka_unit_test(lock_limit_of_destination), cmocka_unit_test(stack_guard),
        cmocka_unit_test(room_in_guard), cmocka_unit_test(lock_sum),
        cmocka_unit_test(shrinking_move), cmocka_unit_test(heap_and_droppable),
        cmocka_unit_test(huge_pages), cmocka_unit_test(huge_wraps),
        cmocka_unit_test(huge_munmap), cmocka_unit_test(huge_mmap), cmocka_unit_test(alone),
        cmocka_unit_test(never_merge), cmocka_unit_test(watched_moves),
        cmocka_unit_test(places_by_far_offsets), cmocka_unit_test(private_zero), cmocka_unit_test(boundaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
