/* SPDX-License-Identifier: MIT */
/* test_calls.c - each call's arguments, limits and reasons, with fixed expectations. */
#include "unit.h"

#include "linux/reason.h"

#define PA (MW_MAP_PRIVATE | MW_MAP_ANONYMOUS)

/* ---- mmap: arguments ---- */

struct mmap_case {
    const char *what;
    uint64_t addr, len;
    uint32_t prot, flags;
    int file; /* 0 none, 1 read-write, 2 read-only, 3 write-only, 4 noexec, 5 append, 6 no mmap */
    uint64_t off;
    int err;
    const char *rule; /* NULL: not looked at */
};

static const struct mmap_case mmap_cases[] = {
    { "offset first", 0, 0, RW_, 0, 0, 1, MW_EINVAL, "MMAP-1" },
    { "no descriptor", 0, 0, RW_, MW_MAP_PRIVATE, 0, 0, MW_EBADF, "MMAP-2" },
    { "length 0", 0, 0, RW_, PA, 0, 0, MW_EINVAL, "ARG-2" },
    { "length rounds to 0", 0, ~0ull, RW_, PA, 0, 0, MW_ENOMEM, NULL },
    { "longer than user space", 0, 1ull << 47, RW_, PA, 0, 0, MW_ENOMEM, NULL },
    { "2^63", 0, 1ull << 63, RO_, PA, 0, 0, MW_ENOMEM, NULL },
    { "no type", 0, 4096, RW_, MW_MAP_ANONYMOUS, 0, 0, MW_EINVAL, NULL },
    { "no type, file", 0, 4096, RW_, 0, 1, 0, MW_EINVAL, NULL },
    { "validate anonymous", 0, 4096, RW_, MW_MAP_SHARED_VALIDATE | MW_MAP_ANONYMOUS, 0, 0,
      MW_EINVAL, "MMAP-15" },
    { "validate unknown", 0, 4096, RW_, MW_MAP_SHARED_VALIDATE | 0x00800000, 1, 0,
      MW_EOPNOTSUPP, "MMAP-14" },
    { "fixed unaligned", BASE + 1, 4096, RW_, FIXED_, 0, 0, MW_EINVAL, NULL },
    { "fixed beyond the end", 0x7ffffffff000, 4096, RW_, FIXED_, 0, 0, MW_ENOMEM, NULL },
    { "fixed across the end", 0x7fffffffe000, 8192, RW_, FIXED_, 0, 0, MW_ENOMEM, NULL },
    { "fixed in the kernel half", 0xffff800000000000, 4096, RW_, FIXED_, 0, 0, MW_ENOMEM, NULL },
    { "fixed at the last page", 0xfffffffffffff000, 4096, RW_, FIXED_, 0, 0, MW_ENOMEM, NULL },
    { "fixed below min_addr", 0, 4096, RW_, FIXED_, 0, 0, MW_EPERM, "MMAP-6" },
    { "fixed right below min_addr", 61440, 4096, RW_, FIXED_, 0, 0, MW_EPERM, "MMAP-6" },
    { "offset overflows", 0, 8192, RO_, MW_MAP_SHARED, 1, 0xfffffffffffff000, MW_EOVERFLOW,
      "MMAP-5" },
    { "file not readable", 0, 4096, RO_, MW_MAP_PRIVATE, 3, 0, MW_EACCES, NULL },
    { "file not writable", 0, 4096, RW_, MW_MAP_SHARED, 2, 0, MW_EACCES, "MMAP-10" },
    { "append-only", 0, 4096, RW_, MW_MAP_SHARED, 5, 0, MW_EACCES, "MMAP-11" },
    { "noexec", 0, 4096, RO_ | MW_PROT_EXEC, MW_MAP_PRIVATE, 4, 0, MW_EPERM, "MMAP-12" },
    { "can't be mapped", 0, 4096, RO_, MW_MAP_PRIVATE, 6, 0, MW_ENODEV, "MMAP-13" },
    { "shared stack", 0, 4096, RW_, MW_MAP_SHARED | MW_MAP_ANONYMOUS | MW_MAP_GROWSDOWN, 0, 0,
      MW_EINVAL, "MMAP-16" },
    { "file stack", 0, 4096, RW_, MW_MAP_PRIVATE | MW_MAP_GROWSDOWN, 1, 0, MW_EINVAL, "MMAP-16" },
    { "anonymous", 0, 4096, RW_, PA, 0, 0, 0, NULL },
    { "private of read-only", 0, 4096, RW_, MW_MAP_PRIVATE, 2, 0, 0, NULL },
    { "private append", 0, 4096, RW_, MW_MAP_PRIVATE, 5, 0, 0, NULL },
    { "noexec without exec", 0, 4096, RO_, MW_MAP_PRIVATE, 4, 0, 0, NULL },
    { "unknown flag", 0, 4096, RW_, PA | 0x00800000, 0, 0, 0, NULL },
    { "last page", 0x7fffffffe000, 4096, RW_, FIXED_, 0, 0, 0, NULL },
    { "at min_addr", 65536, 4096, RW_, FIXED_, 0, 0, 0, NULL },
    { "file beyond its end", 0, 8192, RO_, MW_MAP_SHARED, 1, 1 << 30, 0, NULL },
};

static void mmap_arguments(void **state)
{
    static const uint32_t modes[] = {
        0, MW_FILE_READ | MW_FILE_WRITE, MW_FILE_READ, MW_FILE_WRITE,
        MW_FILE_READ | MW_FILE_NOEXEC, MW_FILE_READ | MW_FILE_WRITE | MW_FILE_APPEND,
        MW_FILE_READ | MW_FILE_NOMMAP,
    };
    (void)state;
    for (size_t i = 0; i < sizeof mmap_cases / sizeof mmap_cases[0]; i++) {
        const struct mmap_case *c = &mmap_cases[i];
        struct mw_why why;
        struct bench b;
        bench_start(&b);
        struct mw_file f = { b.object, modes[c->file] };
        int64_t r = mw_mmap(b.space, c->addr, c->len, c->prot, c->flags, c->file ? &f : NULL,
                            c->off, &why);
        if ((r < 0 ? -r : 0) != c->err)
            fail_msg("%s: %lld, should be %s", c->what, (long long)r, mw_errno_name(c->err));
        expect_why(r, &why, c->what);
        if (c->rule && strcmp(mw_why_rule(&why), c->rule) != 0)
            fail_msg("%s: rule %s, should be %s", c->what, mw_why_rule(&why), c->rule);
        struct mw_stats stats;
        mw_stats(b.space, &stats);
        assert_int_equal(stats.map_count, c->err ? 0 : 1);
        bench_close(&b);
    }
}

/* ---- munmap and mprotect: arguments ---- */

static void range_arguments(void **state)
{
    static const struct {
        bool protect;
        uint64_t addr, len;
        uint32_t prot;
        int err;
    } cases[] = {
        { false, BASE + 1, 4096, 0, MW_EINVAL },
        { false, BASE, 0, 0, MW_EINVAL },
        { false, BASE, ~0ull, 0, MW_EINVAL },
        { false, BASE, 1ull << 47, 0, MW_EINVAL },
        { false, 0x7ffffffff000, 4096, 0, MW_EINVAL },
        { false, 0xffff800000000000, 4096, 0, MW_EINVAL },
        { false, 0xfffffffffffff000, 4096, 0, MW_EINVAL },
        { true, BASE + 1, 4096, 1, MW_EINVAL },
        { true, BASE + 1, 0, 1, MW_EINVAL },
        { true, BASE, ~0ull, 1, MW_ENOMEM },
        { true, BASE, 0xfffffffffffff000, 1, MW_ENOMEM },
        { true, BASE, 4096, 0x10, MW_EINVAL },
        { true, BASE, 4096, MW_PROT_GROWSDOWN | MW_PROT_GROWSUP, MW_EINVAL },
        { true, BASE, 4096, MW_PROT_GROWSUP, MW_EINVAL },
        { true, 0xffff800000000000, 4096, 1, MW_ENOMEM },
        { true, BASE + 4 * 4096, 4096, 1, MW_ENOMEM },
        { true, BASE + 4 * 4096, 0, 1, 0 },
        { false, BASE + 4 * 4096, 4096, 0, 0 },
    };
    struct mw_why why;
    struct bench b;
    char what[32];
    (void)state;
    bench_start(&b);
    draw(&b, "aaaa");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t r = cases[i].protect
                        ? mw_mprotect(b.space, cases[i].addr, cases[i].len, cases[i].prot, &why)
                        : mw_munmap(b.space, cases[i].addr, cases[i].len, &why);
        snprintf(what, sizeof what, "case %zu", i);
        if (r != -cases[i].err)
            fail_msg("%s: %lld", what, (long long)r);
        expect_why(r, &why, what);
        expect_row(&b, "aaaa", what);
    }
    bench_close(&b);
}

/* A descriptor's rights bound mprotect on shared mappings, not on private ones. */
static void mprotect_descriptor(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_start(&b);
    b.file.mode = MW_FILE_READ;
    for (int64_t page = 0; page < 4; page += 2)
        assert_true(mw_mmap(b.space, at(&b, page), 2 * b.page, RO_,
                            MW_MAP_FIXED | (page ? MW_MAP_SHARED : MW_MAP_PRIVATE), &b.file, 0,
                            NULL) > 0);
    expect_row(&b, "ffFF", "mapped");
    int64_t r = mw_mprotect(b.space, at(&b, 0), 4 * b.page, RW_, &why);
    assert_int_equal(r, -MW_EACCES);
    expect_why(r, &why, "EACCES");
    struct mw_vma v;
    assert_true(mw_find_vma(b.space, at(&b, 0), &v));
    assert_true(v.flags & MW_VM_WRITE); /* what lay before the refusal has changed */
    assert_true(mw_find_vma(b.space, at(&b, 2), &v));
    assert_false(v.flags & (MW_VM_WRITE | MW_VM_MAYWRITE));
    bench_close(&b);
}

/* ---- brk ---- */

static void brk_moves(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 64);
    b.config.brk_start = BASE;
    bench_open(&b);
    assert_int_equal(mw_brk(b.space, 0, NULL), BASE);
    assert_int_equal(mw_brk(b.space, BASE + 100, NULL), BASE + 100);
    expect_row(&b, "a", "within the first page");
    assert_int_equal(mw_brk(b.space, at(&b, 3), NULL), at(&b, 3));
    expect_row(&b, "aaa", "grown");
    assert_int_equal(mw_brk(b.space, at(&b, 3) - 1, NULL), at(&b, 3) - 1);
    expect_row(&b, "aaa", "within the page");
    assert_int_equal(mw_brk(b.space, at(&b, 1) + 1, NULL), at(&b, 1) + 1);
    expect_row(&b, "aa", "shrunk");
    assert_int_equal(mw_brk(b.space, BASE - 1, &why), at(&b, 1) + 1);
    assert_int_equal(why.err, MW_ENOMEM);
    assert_string_equal(mw_why_rule(&why), "BRK-1");
    draw(&b, "...r");
    assert_int_equal(mw_brk(b.space, at(&b, 4), &why), at(&b, 1) + 1);
    assert_string_equal(mw_why_rule(&why), "BRK-3");
    assert_int_equal(mw_brk(b.space, at(&b, 3), &why), at(&b, 1) + 1);
    assert_int_equal(mw_brk(b.space, ~0ull, &why), at(&b, 1) + 1);
    assert_int_equal(why.err, MW_ENOMEM);
    assert_int_equal(mw_brk(b.space, at(&b, 2), &why), at(&b, 2));
    assert_int_equal(why.err, 0);
    expect_row(&b, "aa.r", "a page stays free below the neighbour");
    bench_close(&b);
}

/* An unaligned start: the heap's first page is the next whole one. */
static void brk_unaligned_start(void **state)
{
    struct bench b;
    (void)state;
    bench_config(&b, 12, 64);
    b.config.brk_start = BASE + 8;
    bench_open(&b);
    assert_int_equal(mw_brk(b.space, BASE + 100, NULL), BASE + 100);
    expect_row(&b, "", "within the first page");
    assert_int_equal(mw_brk(b.space, at(&b, 3), NULL), at(&b, 3));
    expect_row(&b, ".aa", "grown");
    assert_int_equal(mw_brk(b.space, BASE + 7, NULL), at(&b, 3));
    assert_int_equal(mw_brk(b.space, BASE + 8, NULL), BASE + 8);
    expect_row(&b, "", "shrunk");
    bench_close(&b);
}

/* No heap: brk fails. mw_set_brk restores one. */
static void brk_without_heap(void **state)
{
    struct mw_stats stats;
    struct bench b;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_brk(b.space, at(&b, 1), NULL), 0);
    expect_row(&b, "", "no heap");
    assert_int_equal(mw_set_brk(b.space, at(&b, 2), at(&b, 1)), -MW_EINVAL);
    assert_int_equal(mw_set_brk(b.space, at(&b, 0), at(&b, 1)), 0);
    assert_int_equal(mw_brk(b.space, at(&b, 3), NULL), at(&b, 3));
    expect_row(&b, ".aa", "from the restored break");
    mw_stats(b.space, &stats);
    assert_int_equal(stats.brk_start, at(&b, 0));
    assert_int_equal(stats.brk, at(&b, 3));
    bench_close(&b);
}

/* ---- limits ---- */

static void limits(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 64);
    b.config.limit_as = 10 * 4096 + 4095; /* whole pages count */
    b.config.limit_data = 6 * 4096;
    bench_open(&b);
    draw(&b, "aaaa");
    assert_int_equal(mw_mmap(b.space, at(&b, 10), 3 * b.page, RW_, FIXED_, NULL, 0, &why),
                     -MW_ENOMEM);
    assert_string_equal(mw_why_rule(&why), "LIMIT-4");
    assert_int_equal(mw_mmap(b.space, at(&b, 10), 7 * b.page, RO_, FIXED_, NULL, 0, &why),
                     -MW_ENOMEM);
    assert_string_equal(mw_why_rule(&why), "LIMIT-3");
    assert_int_equal(why.have, 11);
    assert_int_equal(why.limit, 10);
    draw(&b, "aaaa..rrr");
    expect_row(&b, "aaaa..rrr", "6 more fit");
    assert_int_equal(mw_mprotect(b.space, at(&b, 6), 3 * b.page, RW_, &why), -MW_ENOMEM);
    assert_string_equal(mw_why_rule(&why), "LIMIT-4");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 4 * b.page, 8 * b.page, MAY_, 0, &why),
                     -MW_ENOMEM);
    expect_why(-MW_ENOMEM, &why, "mremap");
    mw_set_limit(b.space, MW_LIMIT_AS, MW_UNLIMITED);
    mw_set_limit(b.space, MW_LIMIT_DATA, MW_UNLIMITED);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 4 * b.page, 6 * b.page, 0, 0, &why),
                     at(&b, 0));
    expect_row(&b, "aaaaaarrr", "unlimited");
    bench_close(&b);
}

static void lock_limit(void **state)
{
    const uint32_t how = FIXED_ | MW_MAP_LOCKED;
    struct mw_stats stats;
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 64);
    b.config.limit_memlock = 4 * 4096;
    bench_open(&b);
    assert_int_equal(mw_mmap(b.space, at(&b, 0), 5 * b.page, RW_, how, NULL, 0, &why),
                     -MW_EAGAIN);
    assert_string_equal(mw_why_rule(&why), "LIMIT-1");
    assert_int_equal(mw_mmap(b.space, at(&b, 0), 3 * b.page, RW_, how, NULL, 0, &why), at(&b, 0));
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 3 * b.page, 5 * b.page, 0, 0, &why),
                     -MW_EAGAIN);
    expect_why(-MW_EAGAIN, &why, "mremap");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 3 * b.page, 4 * b.page, 0, 0, &why),
                     at(&b, 0));
    mw_stats(b.space, &stats);
    assert_int_equal(stats.locked, 4);
    assert_int_equal(stats.resident, 4);
    mw_set_limit(b.space, MW_LIMIT_MEMLOCK, 0);
    assert_int_equal(mw_mmap(b.space, at(&b, 8), b.page, RW_, how, NULL, 0, &why), -MW_EPERM);
    assert_string_equal(mw_why_rule(&why), "MMAP-8");
    mw_set_caps(b.space, MW_CAP_IPC_LOCK);
    assert_int_equal(mw_mmap(b.space, at(&b, 8), b.page, RW_, how, NULL, 0, &why), at(&b, 8));
    bench_close(&b);
}

static void map_count(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 64);
    b.config.max_map_count = 3;
    bench_open(&b);
    draw(&b, "aaa.r.x.w"); /* mmap works while no more than the limit exist */
    assert_int_equal(mw_mmap(b.space, at(&b, 20), b.page, RW_, FIXED_, NULL, 0, &why),
                     -MW_ENOMEM);
    assert_string_equal(mw_why_rule(&why), "LIMIT-2");
    assert_int_equal(mw_munmap(b.space, at(&b, 1), b.page, &why), -MW_ENOMEM);
    expect_why(-MW_ENOMEM, &why, "munmap");
    assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RO_, &why), -MW_ENOMEM);
    expect_why(-MW_ENOMEM, &why, "mprotect");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, FIX_, at(&b, 30), &why),
                     -MW_ENOMEM);
    expect_why(-MW_ENOMEM, &why, "mremap");
    expect_row(&b, "aaa.r.x.w", "nothing changed");
    assert_int_equal(mw_munmap(b.space, at(&b, 0), b.page, &why), 0);
    expect_row(&b, ".aa.r.x.w", "a head goes without a split");
    bench_close(&b);
}

/* Overcommit: heuristic, always, never; what each charges. */
static void commit(void **state)
{
    static const struct {
        uint32_t mode, flags, prot, caps;
        uint64_t pages;
        int err;
    } cases[] = {
        { 0, PA, RW_, 0, 101, MW_ENOMEM },
        { 0, PA, RW_, 0, 100, 0 },
        { 0, PA, RO_, 0, 1000, 0 },
        { 0, PA | MW_MAP_NORESERVE, RW_, 0, 1000, 0 },
        { 0, MW_MAP_SHARED | MW_MAP_ANONYMOUS, RW_, 0, 101, MW_ENOMEM },
        { 1, PA, RW_, 0, 1000, 0 },
        { 2, PA, RW_, 0, 1000, MW_ENOMEM },
        { 2, PA | MW_MAP_NORESERVE, RW_, 0, 1000, MW_ENOMEM },
        { 2, PA, RO_, 0, 1000, 0 },
        { 2, PA, RW_, 0, 20, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mw_stats stats;
        struct mw_why why;
        struct bench b;
        char what[32];
        bench_config(&b, 12, 64);
        b.config.overcommit = cases[i].mode;
        b.config.ram_pages = 100;
        b.config.commit_limit = 50;
        b.config.caps = cases[i].caps;
        bench_open(&b);
        snprintf(what, sizeof what, "case %zu", i);
        int64_t r = mw_mmap(b.space, 0, cases[i].pages * b.page, cases[i].prot, cases[i].flags,
                            NULL, 0, &why);
        if ((r < 0 ? -r : 0) != cases[i].err)
            fail_msg("%s: %lld", what, (long long)r);
        expect_why(r, &why, what);
        mw_stats(b.space, &stats);
        if (r < 0 || cases[i].prot == RO_)
            assert_int_equal(stats.committed, 0);
        bench_close(&b);
    }
}

/* The charge follows: growth and mprotect add, a move is free, unmapping gives back. */
static void commit_follows(void **state)
{
    struct mw_stats s;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aa..rr");
    mw_stats(b.space, &s);
    assert_int_equal(s.committed, 2);
    mw_mremap(b.space, at(&b, 0), 2 * b.page, 4 * b.page, 0, 0, NULL);
    mw_stats(b.space, &s);
    assert_int_equal(s.committed, 4);
    mw_mremap(b.space, at(&b, 0), 4 * b.page, 4 * b.page, FIX_, at(&b, 10), NULL);
    mw_stats(b.space, &s);
    assert_int_equal(s.committed, 4);
    mw_mprotect(b.space, at(&b, 4), 2 * b.page, RW_, NULL);
    mw_stats(b.space, &s);
    assert_int_equal(s.committed, 6);
    mw_mprotect(b.space, at(&b, 4), 2 * b.page, RO_, NULL); /* untouched: given back */
    mw_stats(b.space, &s);
    assert_int_equal(s.committed, 4);
    poke(&b, at(&b, 10), 1);
    mw_mprotect(b.space, at(&b, 10), 4 * b.page, RO_, NULL); /* touched: kept */
    mw_stats(b.space, &s);
    assert_int_equal(s.committed, 4);
    mw_munmap(b.space, at(&b, 0), 20 * b.page, NULL);
    mw_stats(b.space, &s);
    assert_int_equal(s.committed, 0);
    assert_int_equal(s.total, 0);
    bench_close(&b);
}

/* ---- counters ---- */

static void counters(void **state)
{
    struct mw_stats s;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aaa.rr.xx.ss.ff.FF.-");
    mw_mmap(b.space, at(&b, 400), 3 * b.page, RW_, FIXED_ | MW_MAP_GROWSDOWN, NULL, 0, NULL);
    mw_stats(b.space, &s);
    assert_int_equal(s.map_count, 8);
    assert_int_equal(s.total, 3 + 2 + 2 + 2 + 2 + 2 + 1 + 3);
    assert_int_equal(s.data, 3 + 2);
    assert_int_equal(s.exec, 2);
    assert_int_equal(s.stack, 3);
    assert_int_equal(s.locked, 0);
    assert_int_equal(s.resident, 0);
    poke(&b, at(&b, 0), 1);
    poke(&b, at(&b, 10), 1);
    mw_stats(b.space, &s);
    assert_int_equal(s.resident, 2);
    assert_true(s.tables >= 4);
    mw_munmap(b.space, BASE, 500 * b.page, NULL);
    mw_stats(b.space, &s);
    assert_int_equal(s.map_count + s.total + s.data + s.exec + s.stack + s.resident, 0);
    assert_int_equal(s.tables, 1); /* the root stays */
    bench_close(&b);
}

/* ---- reasons ---- */

static void every_reason(void **state)
{
    (void)state;
    for (uint32_t r = 0; r < WHY_COUNT; r++) {
        struct mw_why why = { .err = 1, .reason = r, .addr = 0x1000, .end = 0x2000, .have = 7,
                              .limit = 5 };
        char text[400], small[8];
        size_t n = mw_why_text(&why, text, sizeof text);
        if (r == WHY_none)
            continue;
        if (n == 0 || n >= sizeof text || strlen(text) != n || strchr(text, '%') ||
            strchr(text, '\n'))
            fail_msg("reason %u (%s): \"%s\"", r, mw_why_name(&why), text);
        if (mw_why_rule(&why)[0] == 0 || mw_why_name(&why)[0] == 0)
            fail_msg("reason %u has no rule or no name", r);
        assert_int_equal(mw_why_text(&why, small, sizeof small), n);
        assert_int_equal(strlen(small), sizeof small - 1);
        assert_int_equal(strncmp(small, text, sizeof small - 1), 0);
        assert_int_equal(mw_why_text(&why, NULL, 0), n);
    }
    struct mw_why wrong = { .err = 1, .reason = 1000000 }, none = { 0 };
    char text[64];
    assert_true(mw_why_text(&wrong, text, sizeof text) == strlen(text));
    assert_string_equal(mw_why_rule(&none), "");
}

static void errno_names(void **state)
{
    static const struct { const char *name; int err; } names[] = {
        { "EPERM", MW_EPERM }, { "ENOENT", MW_ENOENT }, { "EBADF", MW_EBADF },
        { "EAGAIN", MW_EAGAIN }, { "ENOMEM", MW_ENOMEM }, { "EACCES", MW_EACCES },
        { "EFAULT", MW_EFAULT }, { "EBUSY", MW_EBUSY }, { "EEXIST", MW_EEXIST },
        { "ENODEV", MW_ENODEV }, { "EINVAL", MW_EINVAL }, { "ENOSYS", MW_ENOSYS },
        { "EOVERFLOW", MW_EOVERFLOW }, { "EOPNOTSUPP", MW_EOPNOTSUPP }, { "0", 0 },
        { "E?", 99999 }, { "E?", -5 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(mw_errno_name(names[i].err), names[i].name);
    assert_string_equal(mw_version(), MW_VERSION);
}

/* ---- where the kernel's choice falls ---- */

static void placement(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 0);
    b.config.mmap_base = 0x7ffff7fff000;
    bench_open(&b);
    const uint64_t top = b.config.mmap_base, huge = 2 << 20;
    assert_int_equal(mw_mmap(b.space, 0, 4096, RW_, PA, NULL, 0, NULL), top - 4096);
    assert_int_equal(mw_mmap(b.space, 0, 8192, RO_, PA, NULL, 0, NULL), top - 3 * 4096);
    assert_int_equal(mw_mmap(b.space, 0, huge, RW_, PA, NULL, 0, NULL), 0x7ffff7c00000);
    assert_int_equal(mw_mmap(b.space, 0, huge + 1, RW_, PA, NULL, 0, NULL), 0x7ffff79ff000);
    assert_int_equal(mw_mmap(b.space, top - 4096, 4096, RW_, PA, NULL, 0, NULL),
                     top - 3 * 4096 - 4096);
    assert_int_equal(mw_mmap(b.space, BASE + 5, 4096, RW_, PA, NULL, 0, NULL), BASE);
    assert_int_equal(mw_mmap(b.space, 1, 4096, RW_, PA, NULL, 0, &why), top - 5 * 4096);
    assert_int_equal(mw_mmap(b.space, 4096, 4096, RW_, PA, NULL, 0, &why), 65536);
    assert_int_equal(mw_mmap(b.space, 0, 4096, RO_, PA | MW_MAP_32BIT, NULL, 0, &why),
                     0x40000000);
    assert_int_equal(mw_set_mmap_base(b.space, 0x600000000001), -MW_EINVAL);
    assert_int_equal(mw_set_mmap_base(b.space, 0x800000000000), -MW_EINVAL);
    assert_int_equal(mw_set_mmap_base(b.space, 0x600000000000), 0);
    assert_int_equal(mw_mmap(b.space, 0, 4096, RW_, PA, NULL, 0, NULL), 0x5ffffffff000);
    bench_close(&b);
}

static void placement_bottom_up(void **state)
{
    struct bench b;
    (void)state;
    bench_config(&b, 12, 0);
    b.config.options = MW_OPT_BOTTOM_UP;
    b.config.mmap_base = b.config.low_base = 0x2aaaaaaab000;
    bench_open(&b);
    assert_int_equal(mw_mmap(b.space, 0, 8192, RW_, PA, NULL, 0, NULL), 0x2aaaaaaab000);
    assert_int_equal(mw_mmap(b.space, 0, 4096, RO_, PA, NULL, 0, NULL), 0x2aaaaaaad000);
    bench_close(&b);
}

/* Older kernels do not align large mappings; nor does one without huge pages. */
static void placement_versions(void **state)
{
    static const struct { uint32_t version, options; bool aligned; } cases[] = {
        { MW_LINUX(5, 10), MW_OPT_THP, false }, { MW_LINUX(6, 1), MW_OPT_THP, false },
        { MW_LINUX(6, 12), MW_OPT_THP, true }, { MW_LINUX(6, 18), MW_OPT_THP, true },
        { MW_LINUX(6, 18), 0, false }, { MW_LINUX_NEWEST, MW_OPT_THP, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        bench_config(&b, 12, 0);
        b.config.linux_version = cases[i].version;
        b.config.options = cases[i].options;
        b.config.mmap_base = 0x7ffff7fff000;
        bench_open(&b);
        int64_t r = mw_mmap(b.space, 0, 4 << 20, RW_, PA, NULL, 0, NULL);
        assert_int_equal(r, cases[i].aligned ? 0x7ffff7a00000 : 0x7ffff7bff000);
        bench_close(&b);
    }
}

/* What changed between versions: growth that meets its next neighbour, max_map_count. */
static void versions(void **state)
{
    static const struct { uint32_t version; const char *untouched, *touched; int at_limit; } c[] = {
        { MW_LINUX(5, 10), "aaaa|aa", "AAAAaa", 0 },
        { MW_LINUX(6, 1), "aaaaaa", "AAAAaa", 0 },
        { MW_LINUX(6, 12), "aaaaaa", "AAAAaa", 0 },
        { MW_LINUX(6, 16), "aaaaaa", "AAAAAA", 0 },
        { MW_LINUX(6, 18), "aaaaaa", "AAAAAA", 0 },
        { MW_LINUX(7, 0), "aaaaaa", "AAAAAA", 0 },
        { MW_LINUX(7, 2), "aaaaaa", "AAAAAA", MW_ENOMEM },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        for (int touched = 0; touched < 2; touched++) {
            struct bench b;
            struct mw_why why;
            bench_config(&b, 12, 64);
            b.config.linux_version = c[i].version;
            b.config.max_map_count = 7;
            bench_open(&b);
            draw(&b, touched ? "AA..aa" : "aa..aa");
            mw_mremap(b.space, at(&b, 0), 2 * b.page, 4 * b.page, 0, 0, NULL);
            expect_row(&b, touched ? c[i].touched : c[i].untouched, "grown");
            draw(&b, "........r.x.w");
            int64_t r = mw_mremap(b.space, at(&b, 8), b.page, b.page, 0, 0, &why);
            assert_int_equal(r, c[i].at_limit ? -c[i].at_limit : (int64_t)at(&b, 8));
            bench_close(&b);
        }
}

/* ENGINE-2: what is not modelled says so, and changes nothing */
static void not_modelled(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "ss.aarr");
    struct mw_call call = { .name = (enum mw_call_name)99, .arg = { at(&b, 0), b.page } };
    int64_t r = mw_would(b.space, MW_LINUX_NEWEST, &call, &why);
    assert_int_equal(r, -MW_ENOSYS);
    expect_why(r, &why, "not modelled");
    expect_row(&b, "ss.aarr", "not modelled");
    bench_close(&b);
}

/* all 64 bits of an argument count (MPROT-1, MMAP-14, MREMAP-1), or none above the known ones */
static void high_bits(void **state)
{
    const uint64_t high = 1ull << 32;
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aa");
    assert_int_equal(mw_mprotect(b.space, at(&b, 0), b.page, RO_ | high, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MPROT-1");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, MAY_ | high, 0, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MREMAP-1");
    assert_int_equal(mw_mmap(b.space, at(&b, 4), b.page, RW_ | high, FIXED_ | high, NULL, 0, &why),
                     at(&b, 4));
    expect_row(&b, "aa..a", "ignored");
    assert_int_equal(mw_mmap(b.space, at(&b, 6), b.page, RW_,
                             MW_MAP_SHARED_VALIDATE | MW_MAP_FIXED | high, &b.file, 0, &why),
                     -MW_EOPNOTSUPP);
    assert_string_equal(mw_why_rule(&why), "MMAP-14");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mmap_arguments), cmocka_unit_test(range_arguments),
        cmocka_unit_test(mprotect_descriptor), cmocka_unit_test(brk_moves),
        cmocka_unit_test(brk_unaligned_start),
        cmocka_unit_test(brk_without_heap), cmocka_unit_test(limits),
        cmocka_unit_test(lock_limit), cmocka_unit_test(map_count), cmocka_unit_test(commit),
        cmocka_unit_test(commit_follows), cmocka_unit_test(counters),
        cmocka_unit_test(every_reason), cmocka_unit_test(errno_names),
        cmocka_unit_test(placement), cmocka_unit_test(placement_bottom_up),
        cmocka_unit_test(placement_versions), cmocka_unit_test(versions),
        cmocka_unit_test(not_modelled), cmocka_unit_test(high_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
