/* SPDX-License-Identifier: MIT */
/*
 * test_bulk.c - many mappings changed by one call: as if it were a call for
 * each, one after the other; and whole, or not at all, without memory.
 */
#include "unit.h"

enum { FROM = 8, TO = 40, PAGES = 64 };

static uint64_t state;

static uint64_t next_random(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * 0x2545f4914f6cdd1dull >> 20) % n;
}

/* Mappings by chance below TO - 2, nothing in [TO, TO + n), and around that what may merge. */
static void chance_row(char *row, int n)
{
    static const char kinds[] = "aaAArrRRx-fs..";

    for (int i = 0; i < PAGES; i++)
        row[i] = i >= TO && i < TO + n ? '.' : kinds[next_random(sizeof kinds - 1)];
    row[PAGES] = 0;
}

static void write_all(struct bench *b, const char *row)
{
    for (int i = 0; i < PAGES; i++)
        if (strchr("AR", row[i]))
            mw_write(b->space, at(b, i) + 8, &i, sizeof i, NULL);
}

static void arrange(struct bench *b, const char *row)
{
    bench_start(b);
    draw(b, row);
    write_all(b, row);
}

static int64_t move_as_one(struct bench *b, int from, int n)
{
    uint64_t length = (uint64_t)n * b->page;

    return mw_mremap(b->space, at(b, from), length, length, FIX_, at(b, TO), NULL);
}

/* One call a mapping, from the lowest up. */
static void move_each(struct bench *b, int from, int n)
{
    uint64_t end = at(b, from + n), start = at(b, from);
    struct mw_vma v;

    while (start < end && mw_find_vma(b->space, start, &v) && v.start < end) {
        uint64_t piece = v.start > start ? v.start : start, next = v.end < end ? v.end : end;
        uint64_t to = at(b, TO) + (piece - at(b, from));

        assert_int_equal(mw_mremap(b->space, piece, next - piece, next - piece, FIX_, to, NULL), to);
        start = next;
    }
}

static void same(const struct bench *a, const struct bench *b)
{
    struct mw_vma v, w;
    struct mw_stats s, t;
    uint64_t next = 0;
    const char *what = NULL;

    assert_int_equal(mw_check(a->space, &what), 0);
    mw_stats(a->space, &s);
    mw_stats(b->space, &t);
    assert_memory_equal(&s, &t, sizeof s);
    for (; mw_find_vma(a->space, next, &v); next = v.end) {
        assert_true(mw_find_vma(b->space, next, &w));
        assert_int_equal(v.start, w.start);
        assert_int_equal(v.end, w.end);
        assert_int_equal(v.offset, w.offset);
        assert_int_equal(v.flags, w.flags);
        assert_int_equal(v.anon, w.anon);
        assert_int_equal(!v.object, !w.object);
    }
    assert_false(mw_find_vma(b->space, next, &w));
    for (int i = 0; i < PAGES; i++)
        assert_int_equal(peek((struct bench *)(uintptr_t)a, at(a, i)), peek((struct bench *)(uintptr_t)b, at(b, i)));
}

static void as_one_by_one(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct bench one, each;
        char row[PAGES + 1];
        int n, from;

        state = seed * 0x9e3779b97f4a7c15ull;
        n = 2 + (int)next_random(14);
        from = FROM + (int)next_random(TO - FROM - 16);
        chance_row(row, n);
        row[from] = 'A'; /* a range begins where something is mapped */
        arrange(&one, row);
        arrange(&each, row);
        move_each(&each, from, n);
        assert_int_equal(move_as_one(&one, from, n), at(&one, TO));
        same(&one, &each);
        bench_close(&one);
        bench_close(&each);
    }
}

/* MREMAP-32: what the range begins or ends in is cut, the more so where the pieces adjoin what stays */
static void beside_the_source(void **unused)
{
    (void)unused;
    for (int n = 2; n < 12; n++)
        for (int from = TO - n; from >= TO - 2 * n && from > 0; from--) {
            struct bench one, each;
            const char *row = "aAArrRxxaaArrRaaxxArArArrraaxAxrAraAArrA..............aAArrrrAAAa";

            arrange(&one, row);
            arrange(&each, row);
            move_each(&each, from, n);
            assert_int_equal(move_as_one(&one, from, n), at(&one, TO));
            same(&one, &each);
            bench_close(&one);
            bench_close(&each);
        }
}

/* More than a leaf holds, and memory runs out at each allocation in turn. */
static void whole_or_not(void **unused)
{
    enum { MANY = 400 };

    (void)unused;
    for (long n = 1;; n++) {
        struct bench b;
        const char *what;

        bench_start(&b);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(mw_mmap(b.space, at(&b, i), b.page, i & 1 ? RO_ : RW_, FIXED_, NULL, 0, NULL), at(&b, i));
        poke(&b, at(&b, 100), 5);
        b.fail_in = n;
        int64_t r = mw_mremap(b.space, at(&b, 0), MANY * b.page, MANY * b.page, FIX_, at(&b, 5 * MANY), NULL);
        b.fail_in = 0;
        assert_int_equal(mw_check(b.space, &what), 0);
        for (int i = 0; i < MANY; i++) {
            struct mw_vma v;
            uint64_t is = at(&b, r < 0 ? i : i + 5 * MANY);

            assert_true(mw_find_vma(b.space, is, &v));
            assert_int_equal(v.start, is);
            assert_int_equal(v.end, is + b.page);
        }
        assert_int_equal(peek(&b, at(&b, r < 0 ? 100 : 100 + 5 * MANY)), 5);
        bench_close(&b);
        if (!b.failed) {
            assert_true(n > 2 && r > 0);
            break;
        }
        assert_int_equal(r, -MW_ENOMEM);
    }
}

/* Each of many is unmapped with its object let go, whatever part of the row it is. */
static void unmapped_at_once(void **unused)
{
    enum { MANY = 600 };

    (void)unused;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct bench b;
        struct mw_stats stats;
        const char *what;
        bool mapped[MANY + 1] = { false };
        uint64_t count = 0;

        bench_start(&b);
        state = seed * 0x9e3779b97f4a7c15ull;
        for (int i = 0; i < MANY; i++)
            mapped[i] = mw_mmap(b.space, at(&b, 2 * i), b.page, RO_, MW_MAP_SHARED | MW_MAP_FIXED, &b.file, 0, NULL) > 0;
        for (int k = 0; k < 4; k++) {
            int from = (int)next_random(MANY), n = 1 + (int)next_random((uint64_t)(MANY - from));

            assert_int_equal(mw_munmap(b.space, at(&b, 2 * from), (uint64_t)(2 * n - 1) * b.page, NULL), 0);
            memset(mapped + from, 0, (size_t)n);
            assert_int_equal(mw_check(b.space, &what), 0);
        }
        for (int i = 0; i < MANY; i++) {
            struct mw_vma v;

            count += mapped[i];
            assert_int_equal(mw_find_vma(b.space, at(&b, 2 * i), &v) && v.start == at(&b, 2 * i), mapped[i]);
        }
        mw_stats(b.space, &stats);
        assert_int_equal(stats.map_count, count);
        assert_int_equal(stats.total, count);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_one_by_one), cmocka_unit_test(beside_the_source),
        cmocka_unit_test(whole_or_not), cmocka_unit_test(unmapped_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
