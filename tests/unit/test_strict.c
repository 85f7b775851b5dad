/* SPDX-License-Identifier: MIT */
/*
 * test_strict.c - MW_MREMAP_STRICT (STRICT-1, STRICT-2), MW_MREMAP_RELOCATE
 * (RELOCATE-1), mw_would and its like (WOULD-1 to WOULD-3).
 */
#include "unit.h"

#define STRICT_FIX_ (FIX_ | MW_MREMAP_STRICT)
#define RELOCATE_FIX_ (FIX_ | MW_MREMAP_RELOCATE)

enum { MOST_VERSIONS = 140 };

static void start(struct bench *b)
{
    bench_config(b, 12, 1024);
    b->config.options |= MW_OPT_EXTENSIONS;
    bench_open(b);
}

static int64_t move(struct bench *b, int page, int n, uint64_t flags, int to, struct mw_why *why)
{
    return mw_mremap(b->space, at(b, page), (uint64_t)n * b->page, (uint64_t)n * b->page, flags,
                     at(b, to), why);
}

/* STRICT-1: where Linux stops half-way, nothing has moved */
static void several(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        struct bench b;
        struct mw_why why;
        start(&b);
        draw(&b, "Aa.rr.xx..............rrrrrrrr");
        poke(&b, at(&b, 0), 1);
        mw_import_flags(b.space, at(&b, 3), at(&b, 5), 0, MW_VM_UFFD, true);
        int64_t r = move(&b, 0, 8, strict ? STRICT_FIX_ : FIX_, 22, &why);
        assert_int_equal(r, -MW_EFAULT);
        assert_string_equal(mw_why_rule(&why), "MREMAP-26");
        expect_row(&b, strict ? "AA.rr.xx..............rrrrrrrr" : "...rr.xx..............AArrrrrr",
                   strict ? "strict" : "as Linux");
        mw_import_flags(b.space, at(&b, 3), at(&b, 5), MW_VM_UFFD, 0, true);
        if (strict) {
            assert_int_equal(move(&b, 0, 8, STRICT_FIX_, 22, &why), at(&b, 22));
            expect_row(&b, "......................AArrrrxx", "moved");
            assert_int_equal(peek(&b, at(&b, 22)), 1);
        }
        bench_close(&b);
    }
}

/* STRICT-1: and memory that runs out is no exception */
static void several_without_memory(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct bench b;
        start(&b);
        draw(&b, "Aa.rr.xx..............rrrrrrrr");
        poke(&b, at(&b, 0), 1);
        b.fail_in = n;
        int64_t r = move(&b, 0, 8, STRICT_FIX_, 22, NULL);
        b.fail_in = 0;
        expect_row(&b, r < 0 ? "AA.rr.xx..............rrrrrrrr" : "......................AArrrrxx",
                   "no memory");
        assert_int_equal(peek(&b, at(&b, r < 0 ? 0 : 22)), 1);
        bench_close(&b);
        if (!b.failed) {
            assert_true(n > 2 && r > 0);
            break;
        }
        assert_int_equal(r, -MW_ENOMEM);
    }
    for (uint64_t frames = 8;; frames++) {
        struct bench b;
        bench_config(&b, 12, frames);
        b.config.options |= MW_OPT_EXTENSIONS;
        bench_open(&b);
        draw(&b, "ar");
        mw_fault(b.space, at(&b, 0), MW_ACCESS_WRITE);
        mw_fault(b.space, at(&b, 1), MW_ACCESS_READ);
        int64_t r = move(&b, 0, 2, STRICT_FIX_, 1 << 20, NULL);
        if (r < 0)
            expect_row(&b, "Ar", "no frames");
        bench_close(&b);
        if (r > 0)
            break;
    }
}

/* STRICT-1: memory enough for all of many, before the first is moved */
static void many(void **state)
{
    (void)state;
    enum { PIECES = 3000 };
    struct mw_stats stats;
    struct bench b;
    bench_config(&b, 12, 0);
    b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&b);
    for (int i = 0; i < PIECES; i++)
        assert_int_equal(mw_mmap(b.space, at(&b, i), b.page, i & 1 ? RO_ : RW_, FIXED_, NULL, 0, NULL),
                         at(&b, i));
    uint64_t flags = STRICT_FIX_ | MW_MREMAP_DONTUNMAP;
    assert_int_equal(move(&b, 0, PIECES, flags, 2 * PIECES, NULL), at(&b, 2 * PIECES));
    mw_stats(b.space, &stats);
    assert_int_equal(stats.map_count, 2 * PIECES);
    bench_close(&b);
}

/* STRICT-2: a destination is kept when its mapping can't come */
static void keeps_destination(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        struct bench b;
        struct mw_why why;
        bench_config(&b, 12, 0);
        b.config.options |= MW_OPT_EXTENSIONS;
        b.config.overcommit = 2;
        b.config.commit_limit = 6;
        bench_open(&b);
        draw(&b, "aaaa......rrrrrr");
        int64_t r = mw_mremap(b.space, at(&b, 0), 4 * b.page, 7 * b.page,
                              strict ? STRICT_FIX_ : FIX_, at(&b, 10), &why);
        assert_int_equal(r, -MW_ENOMEM);
        assert_string_equal(mw_why_rule(&why), "LIMIT-5");
        expect_row(&b, strict ? "aaaa......rrrrrr" : "aaaa", "no promise");
        bench_close(&b);
    }
}

/* RELOCATE-1: touched memory merges where it comes to, and stays touched */
static void relocates(void **state)
{
    (void)state;
    struct bench b;
    start(&b);
    draw(&b, "AA........aa....AA.AA.aa");
    poke(&b, at(&b, 0), 1);
    assert_int_equal(move(&b, 0, 2, FIX_, 12, NULL), at(&b, 12));
    expect_row(&b, "..........aaAA..AA.AA.aa", "as Linux: it is another's");
    assert_int_equal(move(&b, 12, 2, RELOCATE_FIX_, 24, NULL), at(&b, 24));
    expect_row(&b, "..........aa....AA.AA.AAAA", "one with the untouched before it");
    assert_int_equal(peek(&b, at(&b, 24)), 1);
    assert_int_equal(move(&b, 16, 2, RELOCATE_FIX_, 30, NULL), at(&b, 30));
    expect_row(&b, "..........aa.......AA.AAAA....AA", "alone it stays touched");
    assert_int_equal(move(&b, 19, 2, RELOCATE_FIX_, 32, NULL), at(&b, 32));
    expect_row(&b, "..........aa..........AAAA....AAAA", "one with the touched before it");
    bench_close(&b);
}

/* RELOCATE-1: it does not make one of two that differ */
static void relocates_between(void **state)
{
    (void)state;
    struct bench b;
    start(&b);
    draw(&b, "AA.AA.AA");
    assert_int_equal(move(&b, 3, 1, RELOCATE_FIX_, 20, NULL), at(&b, 20));
    assert_int_equal(move(&b, 20, 1, RELOCATE_FIX_, 2, NULL), at(&b, 2));
    expect_row(&b, "AAA.A.AA", "below");
    assert_int_equal(move(&b, 4, 1, RELOCATE_FIX_, 5, NULL), at(&b, 5));
    expect_row(&b, "AAA..AAA", "above");
    assert_int_equal(move(&b, 0, 1, RELOCATE_FIX_, 3, NULL), at(&b, 3));
    assert_int_equal(move(&b, 1, 1, RELOCATE_FIX_, 4, NULL), at(&b, 4));
    expect_row(&b, "..AAA|AAA", "between two that differ: with the lower");
    bench_close(&b);
}

/* STRICT-2: a refusal leaves no mapping cut (MUNMAP-3) */
static void leaves_no_cut(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        struct bench b;
        struct mw_why why;
        bench_config(&b, 12, 64);
        b.config.linux_version = MW_LINUX(6, 18);
        b.config.options |= MW_OPT_EXTENSIONS | MW_OPT_DEFECTS;
        bench_open(&b);
        draw(&b, "aaa...rrrx");
        mw_import_flags(b.space, at(&b, 9), at(&b, 10), 0, MW_VM_SEALED, true);
        assert_int_equal(move(&b, 0, 3, strict ? STRICT_FIX_ : FIX_, 7, &why), -MW_EPERM);
        expect_row(&b, strict ? "aaa...rrrx" : "aaa...r|rrx", "sealed");
        bench_close(&b);
    }
}

/* RELOCATE-1: only what is touched, and anonymous without a file's name, belongs elsewhere */
static void relocates_no_other(void **state)
{
    (void)state;
    struct mw_object *zero;
    struct mw_vma v;
    struct bench b;
    start(&b);
    draw(&b, "aa..ffff");
    assert_int_equal(move(&b, 0, 2, RELOCATE_FIX_, 20, NULL), at(&b, 20));
    poke(&b, at(&b, 4), 1);
    assert_int_equal(move(&b, 4, 4, RELOCATE_FIX_, 24, NULL), at(&b, 24));
    expect_row(&b, "....................aa..ffff", "untouched, a file's");
    for (int i = 0; i < 4; i++)
        assert_int_equal(peek(&b, at(&b, 24 + i)), i ? 104 + i : 1);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, &b, 0, MW_OBJ_ANON, &zero), 0);
    struct mw_file f = { zero, MW_FILE_READ | MW_FILE_WRITE | MW_FILE_DEVICE };
    assert_int_equal(mw_mmap(b.space, at(&b, 0), b.page, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED, &f,
                             8 * b.page, NULL), at(&b, 0));
    poke(&b, at(&b, 0), 2);
    assert_int_equal(move(&b, 0, 1, RELOCATE_FIX_, 30, NULL), at(&b, 30));
    assert_true(mw_find_vma(b.space, at(&b, 30), &v));
    assert_int_equal(v.offset, 8 * b.page);
    mw_object_put(zero);
    bench_close(&b);
}

/* RELOCATE-1: what DONTUNMAP leaves behind is no neighbour to merge with, on any version */
static void relocates_apart(void **state)
{
    (void)state;
    struct bench b;
    bench_config(&b, 12, 64);
    b.config.linux_version = MW_LINUX(6, 18);
    b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&b);
    draw(&b, "AA");
    poke(&b, at(&b, 0), 1);
    assert_int_equal(move(&b, 0, 2, RELOCATE_FIX_ | MW_MREMAP_DONTUNMAP, 2, NULL), at(&b, 2));
    expect_row(&b, "aaAA", "left behind");
    assert_int_equal(peek(&b, at(&b, 2)), 1);
    assert_int_equal(peek(&b, at(&b, 0)), 0);
    bench_close(&b);
}

static int64_t would(struct bench *b, uint32_t version, uint64_t flags, struct mw_why *why)
{
    struct mw_call c = { .name = MW_CALL_MREMAP,
                         .arg = { at(b, 0), 4 * b->page, 4 * b->page, flags, at(b, 20) } };
    return mw_would(b->space, version, &c, why);
}

/* WOULD-1: another version's answer, and nothing has changed */
static void asks(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    struct mw_stats before, after;
    start(&b);
    draw(&b, "Aa.aaFF");
    poke(&b, at(&b, 0), 1);
    mw_stats(b.space, &before);
    uint64_t du = FIX_ | MW_MREMAP_DONTUNMAP;
    assert_int_equal(would(&b, MW_LINUX(5, 6), du, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MREMAP-1");
    assert_int_equal(would(&b, MW_LINUX(6, 16), FIX_, &why), -MW_EFAULT);
    assert_string_equal(mw_why_rule(&why), "MREMAP-12");
    assert_int_equal(would(&b, MW_LINUX(6, 17), FIX_, &why), at(&b, 20));
    assert_int_equal(why.err, 0);
    struct mw_call calls[] = {
        { .name = MW_CALL_MUNMAP, .arg = { at(&b, 0), 9 * b.page } },
        { .name = MW_CALL_MPROTECT, .arg = { at(&b, 0), b.page, MW_PROT_NONE } },
        { .name = MW_CALL_MMAP, .arg = { at(&b, 0), b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED, 0, 0 },
          .file = &b.file },
    };
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &calls[0], &why), 0);
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &calls[1], &why), 0);
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &calls[2], &why), at(&b, 0));
    struct mw_call brk = { .name = MW_CALL_BRK, .arg = { 0 } };
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &brk, &why), 0);
    mw_stats(b.space, &after);
    assert_memory_equal(&before, &after, sizeof before);
    expect_row(&b, "AA.aaFF", "asked");
    assert_int_equal(peek(&b, at(&b, 0)), 1);
    for (long n = 1; n < 3; n++) {
        b.fail_in = n;
        assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &calls[0], &why), -MW_ENOMEM);
        assert_string_equal(mw_why_rule(&why), "ENGINE-1");
        b.fail_in = 0;
    }
    bench_close(&b);
}

/* WOULD-3: ascending, from the oldest to the newest, each boundary of a row that stands for long */
static void versions(void **state)
{
    (void)state;
    uint32_t list[MOST_VERSIONS] = { 0 };
    size_t n = mw_linux_versions(list, MOST_VERSIONS), found = 0;
    assert_in_range(n, 3, MOST_VERSIONS);
    assert_int_equal(list[0], MW_LINUX_OLDEST);
    assert_int_equal(list[n - 1], MW_LINUX_NEWEST);
    for (size_t i = 1; i < n; i++)
        assert_true(list[i - 1] < list[i]);
    for (size_t i = 0; i < n; i++)
        found += list[i] == MW_LINUX(4, 14) || list[i] == MW_LINUX(5, 7) ||
                 list[i] == MW_LINUX(6, 17) || list[i] == MW_LINUX(6, 18); /* where one ends */
    assert_int_equal(found, 4);
    uint32_t few[3] = { 0, 0, 1 };
    assert_int_equal(mw_linux_versions(few, 2), n);
    assert_int_equal(few[1], list[1]);
    assert_int_equal(few[2], 1);
    assert_int_equal(mw_linux_versions(NULL, 0), n);
}

static uint64_t any(uint64_t n)
{
    return (uint64_t)rand() % n;
}

static struct mw_call any_call(struct bench *b)
{
    static const uint64_t flags[] = { 0, MAY_, FIX_, FIX_ | MW_MREMAP_DONTUNMAP,
                                      MAY_ | MW_MREMAP_DONTUNMAP };
    static const uint64_t maps[] = { FIXED_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS,
                                     MW_MAP_SHARED | MW_MAP_ANONYMOUS, MW_MAP_DROPPABLE | MW_MAP_ANONYMOUS,
                                     FIXED_ | MW_MAP_FIXED_NOREPLACE };
    uint64_t from = at(b, (int64_t)any(12)), size = any(8) * b->page;
    struct mw_call c = { .arg = { from, size } };
    switch (any(4)) {
    case 0:
        c.name = MW_CALL_MMAP;
        c.arg[1] = any(3) ? size : 5 << 20;
        c.arg[2] = any(8);
        c.arg[3] = maps[any(5)];
        break;
    case 1:
        c.name = any(2) ? MW_CALL_MUNMAP : MW_CALL_MPROTECT;
        c.arg[2] = any(4);
        break;
    default:
        c.name = MW_CALL_MREMAP;
        c.arg[2] = any(3) ? size : any(8) * b->page;
        c.arg[3] = flags[any(5)];
        c.arg[4] = at(b, (int64_t)any(24));
        break;
    }
    return c;
}

/* WOULD-2: of random calls, each answer is the one that its version gives alone */
static void asks_each(void **state)
{
    (void)state;
    uint32_t list[MOST_VERSIONS];
    struct mw_answer answers[MOST_VERSIONS];
    struct mw_why why;
    size_t n = mw_linux_versions(list, MOST_VERSIONS), differ = 0;
    srand(1);
    for (int round = 0; round < 300; round++) {
        struct bench b;
        bench_config(&b, 12, 1024);
        b.config.options |= MW_OPT_DEFECTS;
        b.config.max_map_count = any(4) ? 65530 : 9;
        bench_open(&b);
        draw(&b, round & 1 ? "Aa.aRrr-s|sFfaa" : "aa|AArr..A-aa.s");
        for (int k = 0; k < 20; k++) {
            struct mw_call call = any_call(&b);
            mw_would_each(b.space, list, n, &call, answers);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(answers[i].result, mw_would(b.space, list[i], &call, &why));
                assert_memory_equal(&answers[i].why, &why, sizeof why);
                differ += answers[i].result != answers[0].result;
            }
        }
        bench_close(&b);
    }
    assert_true(differ > 1000);
}

/* How many allocations the question takes. */
static long cost(struct bench *b, const uint32_t *list, size_t n, const struct mw_call *call)
{
    struct mw_answer answers[MOST_VERSIONS];
    enum { PLENTY = 1000000 };
    b->fail_in = PLENTY;
    mw_would_each(b->space, list, n, call, answers);
    long used = PLENTY - b->fail_in;
    b->fail_in = 0;
    return used;
}

/* WOULD-2: what no row has a say in is asked once; a copy that can't be made is an answer of its own */
static void shares_copies(void **state)
{
    (void)state;
    struct bench b;
    struct mw_answer answers[MOST_VERSIONS];
    uint32_t list[MOST_VERSIONS];
    size_t n = mw_linux_versions(list, MOST_VERSIONS);
    start(&b);
    draw(&b, "aa.rr");
    struct mw_call unmap = { .name = MW_CALL_MUNMAP, .arg = { at(&b, 3), 2 * b.page } };
    struct mw_call move = { .name = MW_CALL_MREMAP,
                            .arg = { at(&b, 0), 5 * b.page, 5 * b.page, FIX_, at(&b, 20) } };
    long once = cost(&b, list, 1, &unmap);
    assert_true(once > 0);
    assert_int_equal(cost(&b, list, n, &unmap), once);
    assert_true(cost(&b, list, n, &move) > once);
    b.fail_in = 1;
    mw_would_each(b.space, list, n, &unmap, answers);
    assert_int_equal(answers[0].result, -MW_ENOMEM);
    assert_string_equal(mw_why_rule(&answers[0].why), "ENGINE-1");
    assert_int_equal(answers[1].result, 0);
    assert_int_equal(answers[n - 1].result, 0);
    expect_row(&b, "aa.rr", "asked");
    bench_close(&b);
}

/* The settings of a space where this much is mapped decide what it may still do. */
static void constrain(struct bench *b)
{
    mw_import_flags(b->space, at(b, 0), at(b, 2), 0, MW_VM_LOCKED, true);
    mw_set_limit(b->space, MW_LIMIT_AS, any(2) ? MW_UNLIMITED : (13 + any(8)) * b->page);
    mw_set_limit(b->space, MW_LIMIT_DATA, any(2) ? MW_UNLIMITED : (8 + any(8)) * b->page);
    mw_set_limit(b->space, MW_LIMIT_MEMLOCK, (2 + any(6)) * b->page);
    mw_set_future(b->space, any(2) ? MW_FUTURE_LOCK : 0);
    mw_set_huge_pages(b->space, 1);
}

static struct mw_call call_within_limits(struct bench *b)
{
    struct mw_call c = any_call(b);
    if (any(6) == 0)
        c = (struct mw_call){ .name = MW_CALL_BRK, .arg = { (1 << 28) + any(9) * b->page } };
    else if (any(12) == 0)
        c = (struct mw_call){ .name = MW_CALL_MMAP,
                              .arg = { 0, (1 + any(2)) << 21, RW_,
                                       MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_HUGETLB } };
    return c;
}

/* WOULD-1: of its own version, what the call then does, whatever was set and is mapped */
static void asks_itself(void **state)
{
    (void)state;
    long refused = 0;
    srand(2);
    for (int round = 0; round < 600; round++) {
        struct mw_why would_why, why;
        struct bench b;
        bench_config(&b, 12, 0);
        b.config.overcommit = 2;
        b.config.commit_limit = 12 + any(12);
        b.config.brk_start = 1 << 28;
        bench_open(&b);
        draw(&b, "aaAA.arr-s|sFfaa");
        assert_int_equal(mw_set_brk(b.space, (1 << 28) + 2 * b.page, (1 << 28) + 2 * b.page), 0);
        constrain(&b);
        for (int k = 0; k < 8; k++) {
            struct mw_call c = call_within_limits(&b);
            const uint64_t *a = c.arg;
            int64_t r = mw_would(b.space, b.config.linux_version, &c, &would_why);
            int64_t is = c.name == MW_CALL_MMAP
                             ? mw_mmap(b.space, a[0], a[1], a[2], a[3], NULL, a[5], &why)
                         : c.name == MW_CALL_MUNMAP   ? mw_munmap(b.space, a[0], a[1], &why)
                         : c.name == MW_CALL_MPROTECT ? mw_mprotect(b.space, a[0], a[1], a[2], &why)
                         : c.name == MW_CALL_BRK ? (int64_t)mw_brk(b.space, a[0], &why)
                                                 : mw_mremap(b.space, a[0], a[1], a[2], a[3], a[4], &why);
            assert_int_equal(r, is);
            assert_memory_equal(&would_why, &why, sizeof why);
            refused += why.err != 0;
        }
        bench_close(&b);
    }
    assert_true(refused > 500);
}

/* ENGINE-2, WOULD-1: a call that is none */
static void asks_unknown(void **state)
{
    (void)state;
    struct mw_call c = { .name = (enum mw_call_name)99 };
    struct mw_why why;
    struct bench b;
    start(&b);
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &c, &why), -MW_ENOSYS);
    assert_string_equal(mw_why_rule(&why), "ENGINE-2");
    bench_close(&b);
}

/* WOULD-2, MREMAP-38: versions that differ in a defect only are two, where defects are asked for */
static void asks_for_defects(void **state)
{
    (void)state;
    static const uint32_t list[] = { MW_LINUX(7, 2), MW_LINUX(7, 3) };
    struct mw_answer answers[2];
    struct bench b;
    bench_config(&b, 12, 0);
    b.config.options |= MW_OPT_DEFECTS;
    b.config.ram_pages = 10;
    bench_open(&b);
    draw(&b, "aaaa");
    struct mw_call c = { .name = MW_CALL_MREMAP,
                         .arg = { at(&b, 0), 20 * b.page, b.page, FIX_, at(&b, 30) } };
    mw_would_each(b.space, list, 2, &c, answers);
    assert_int_equal(answers[0].result, -MW_ENOMEM);
    assert_int_equal(answers[1].result, at(&b, 30));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several), cmocka_unit_test(several_without_memory),
        cmocka_unit_test(many), cmocka_unit_test(keeps_destination), cmocka_unit_test(relocates),
        cmocka_unit_test(relocates_between), cmocka_unit_test(asks),
        cmocka_unit_test(versions), cmocka_unit_test(asks_each),
        cmocka_unit_test(shares_copies), cmocka_unit_test(leaves_no_cut),
        cmocka_unit_test(relocates_no_other), cmocka_unit_test(relocates_apart),
        cmocka_unit_test(asks_itself), cmocka_unit_test(asks_unknown),
        cmocka_unit_test(asks_for_defects),
    };
    return cmocka_run_group_tests_name("strict", tests, NULL, NULL);
}
