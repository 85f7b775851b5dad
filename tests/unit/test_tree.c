/* SPDX-License-Identifier: MIT */
/*
 * test_tree.c - the index of VMAs against a plain sorted array: random
 * insertions, removals, look-ups and searches for room, checked after each.
 */
#include "unit.h"

#include "vma/tree.h"

#define SPAN 4096

static struct mw_vma naive[SPAN + 1];
static size_t count;
static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull >> 11;
}

/* ---- the naive side ---- */

static size_t naive_find(uint64_t addr)
{
    size_t i = 0;
    while (i < count && naive[i].end <= addr)
        i++;
    return i;
}

static void naive_insert(const struct mw_vma *v)
{
    size_t i = naive_find(v->start);
    memmove(&naive[i + 1], &naive[i], (count - i) * sizeof naive[0]);
    naive[i] = *v;
    count++;
}

static void naive_remove(size_t i)
{
    count--;
    memmove(&naive[i], &naive[i + 1], (count - i) * sizeof naive[0]);
}

/* The gap below mapping i (i == count: above all), clipped; false: too small. */
static bool naive_gap_at(size_t i, uint64_t low, uint64_t high, uint64_t length,
                         struct mw_range *gap)
{
    uint64_t from = i == 0 ? 0 : naive[i - 1].end;
    uint64_t to = i == count ? UINT64_MAX : naive[i].start;
    from = from < low ? low : from;
    to = to > high ? high : to;
    *gap = (struct mw_range){ from, to };
    return from < to && to - from >= length;
}

static bool naive_gap(bool from_top, uint64_t low, uint64_t high, uint64_t length,
                      struct mw_range *gap)
{
    for (size_t k = 0; k <= count; k++)
        if (naive_gap_at(from_top ? count - k : k, low, high, length, gap))
            return true;
    return false;
}

/* ---- comparing ---- */

static void same_vma(const struct mw_vma *a, const struct mw_vma *b)
{
    assert_non_null(a);
    assert_int_equal(a->start, b->start);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->anon, b->anon);
}

static void compare_all(const struct tree *t)
{
    struct cursor c = tree_first(t), last = tree_last(t);
    const char *bad = tree_check(t);
    if (bad)
        fail_msg("tree_check: %s", bad);
    assert_int_equal(t->count, count);
    for (size_t i = 0; i < count; i++, c = tree_next(c))
        same_vma(tree_at(c), &naive[i]);
    assert_null(tree_at(c));
    for (size_t i = count; i > 0; i--, last = tree_prev(t, last))
        same_vma(tree_at(last), &naive[i - 1]);
    c = tree_prev(t, (struct cursor){ NULL, 0 });
    if (count > 0)
        same_vma(tree_at(c), &naive[count - 1]);
}

static void compare_search(const struct tree *t)
{
    uint64_t addr = next_random() % (SPAN * 4096ull + 8192), low = 0, high = SPAN * 4096ull;
    size_t i = naive_find(addr);
    const struct mw_vma *v = tree_at(tree_find(t, addr));
    if (i == count)
        assert_null(v);
    else
        same_vma(v, &naive[i]);
    uint64_t length = (1 + next_random() % 40) * 4096;
    if (next_random() % 2) {
        low = next_random() % SPAN * 4096;
        high = low + next_random() % SPAN * 4096;
    }
    for (int top = 0; top < 2; top++) {
        struct mw_range a = { 0, 0 }, b = { 0, 0 };
        bool has = naive_gap(top != 0, low, high, length, &a);
        bool tree_has = top ? tree_gap_high(t, low, high, length, &b)
                            : tree_gap_low(t, low, high, length, &b);
        assert_int_equal(tree_has, has);
        if (has) {
            assert_int_equal(b.start, a.start);
            assert_int_equal(b.end, a.end);
        }
    }
}

/* ---- changing both ---- */

static void insert_some(struct tree *t)
{
    uint64_t start = next_random() % SPAN * 4096, end = start + (1 + next_random() % 3) * 4096;
    size_t i = naive_find(start);
    if (i < count && naive[i].start < end)
        return;
    struct mw_vma v = { .start = start, .end = end, .offset = start,
                        .flags = next_random() % 8,
                        .anon = next_random() % 3 };
    assert_true(tree_reserve(t, 1));
    tree_insert(t, &v);
    naive_insert(&v);
}

static void remove_some(struct tree *t)
{
    if (count == 0)
        return;
    size_t i = next_random() % count;
    struct cursor next = tree_remove(t, tree_find(t, naive[i].start));
    naive_remove(i);
    if (i < count)
        same_vma(tree_at(next), &naive[i]);
    else
        assert_null(tree_at(next));
}

/* all between two of them, at times beyond the last */
static void cut_some(struct tree *t)
{
    if (count == 0)
        return;
    size_t from = next_random() % count, n = next_random() % (next_random() % 8 ? 5 : 200) + 1;
    bool all = from + n >= count;
    n = all ? count - from : n;
    tree_cut(t, tree_find(t, naive[from].start), all ? UINT64_MAX : naive[from + n].start);
    count -= n;
    memmove(&naive[from], &naive[from + n], (count - from) * sizeof naive[0]);
    compare_all(t);
}

/* one becomes two or three, of a page each but the last */
static void split_some(struct tree *t)
{
    struct mw_vma v[3];
    size_t i = count ? next_random() % count : 0;
    uint64_t pages = count ? (naive[i].end - naive[i].start) / 4096 : 0;
    uint32_t n = pages < 3 ? 2 : 2 + next_random() % 2;
    if (pages < 2)
        return;
    for (uint32_t k = 0; k < n; k++) {
        v[k] = naive[i];
        v[k].start += k * 4096;
        v[k].end = k + 1 < n ? v[k].start + 4096 : naive[i].end;
        v[k].anon = next_random();
    }
    assert_true(tree_reserve(t, n - 1));
    tree_split(t, tree_find(t, naive[i].start), v, n);
    naive_remove(i);
    for (uint32_t k = 0; k < n; k++)
        naive_insert(&v[k]);
}

/* and two or three become one, with what may lie between them */
static void join_some(struct tree *t)
{
    uint32_t n = 2 + next_random() % 2;
    if (count < n)
        return;
    size_t i = next_random() % (count - n + 1);
    struct mw_vma v = naive[i];
    v.end = naive[i + n - 1].end;
    tree_join(t, tree_find(t, v.start), &v, n);
    for (uint32_t k = 1; k < n; k++)
        naive_remove(i + 1);
    naive[i] = v;
}

static void change_some(struct tree *t)
{
    if (count == 0)
        return;
    size_t i = next_random() % count;
    struct cursor c = tree_find(t, naive[i].start);
    struct mw_vma v = naive[i];
    uint64_t limit = i + 1 < count ? naive[i + 1].start : SPAN * 4096ull + 4096;
    v.flags ^= next_random() & 7;
    if (next_random() % 2 && v.end < limit)
        v.end += 4096;
    else if (v.end - v.start > 4096)
        v.start += 4096;
    naive[i] = v;
    tree_set(c, &v);
    same_vma(tree_at(c), &v);
}

static void random_changes(uint64_t seed, int steps, int insert_share)
{
    struct bench b;
    struct tree t;
    bench_config(&b, 12, 0);
    tree_init(&t, &b.port);
    count = 0;
    state = seed * 0x9e3779b97f4a7c15ull + 1;
    for (int i = 0; i < steps; i++) {
        int dice = (int)(next_random() % 100);
        if (dice < insert_share)
            insert_some(&t);
        else if (dice < 90)
            remove_some(&t);
        else if (dice == 90)
            cut_some(&t);
        else if (dice < 94)
            split_some(&t);
        else if (dice == 94)
            join_some(&t);
        else
            change_some(&t);
        compare_search(&t);
        if (i % 64 == 0)
            compare_all(&t);
        if (next_random() % 500 == 0)
            tree_trim(&t);
    }
    compare_all(&t);
    tree_destroy(&t);
    assert_int_equal(b.allocations, 0);
}

static void growing(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 4; seed++)
        random_changes(seed, 6000, 80);
}

static void steady(void **unused)
{
    (void)unused;
    for (uint64_t seed = 10; seed <= 13; seed++)
        random_changes(seed, 6000, 48);
}

static void small(void **unused)
{
    (void)unused;
    for (uint64_t seed = 20; seed <= 60; seed++)
        random_changes(seed, 300, 50);
}

/* one after the other upwards and downwards, then all away from one end or the other */
static void in_order(void **unused)
{
    (void)unused;
    for (int way = 0; way < 4; way++) {
        struct bench b;
        struct tree t;
        bench_config(&b, 12, 0);
        tree_init(&t, &b.port);
        count = 0;
        for (uint64_t i = 0; i < 1500; i++) {
            uint64_t page = way & 1 ? 3000 - 2 * i : 2 * i;
            struct mw_vma v = { .start = page * 4096, .end = page * 4096 + 4096, .flags = 1 };
            assert_true(tree_reserve(&t, 1));
            tree_insert(&t, &v);
            naive_insert(&v);
            if (i % 100 == 0)
                compare_all(&t);
        }
        compare_all(&t);
        while (count > 0) {
            size_t i = way & 2 ? count - 1 : 0;
            tree_remove(&t, tree_find(&t, naive[i].start));
            naive_remove(i);
            if (count % 100 == 0)
                compare_all(&t);
        }
        assert_null(tree_at(tree_first(&t)));
        assert_null(tree_at(tree_last(&t)));
        tree_destroy(&t);
        assert_int_equal(b.allocations, 0);
    }
}

/* reserved nodes suffice: n insertions after one reservation ask for no memory */
static void reservation(void **unused)
{
    (void)unused;
    struct bench b;
    struct tree t;
    bench_config(&b, 12, 0);
    tree_init(&t, &b.port);
    for (uint64_t i = 0; i < 2000; i += 10) {
        assert_true(tree_reserve(&t, 10));
        size_t before = b.allocations;
        for (uint64_t j = i; j < i + 10; j++) {
            struct mw_vma v = { .start = (j * 7919 % 2000) * 8192, .flags = 1 };
            v.end = v.start + 4096;
            tree_insert(&t, &v);
        }
        assert_int_equal(b.allocations, before);
    }
    assert_null(tree_check(&t));
    assert_int_equal(t.count, 2000);
    assert_true(tree_bytes(&t) > 2000 * sizeof(uint64_t));
    tree_destroy(&t);
    assert_int_equal(b.allocations, 0);
}

/* n insertions after one reservation, where they cost the most nodes they can */
static void reservation_of_many(void **unused)
{
    (void)unused;
    for (uint32_t batch = 1; batch <= 4096; batch *= 2)
        for (uint32_t first = 1; first <= 2000; first *= 3) {
            struct bench b;
            struct tree t;
            bench_config(&b, 12, 0);
            tree_init(&t, &b.port);
            for (uint64_t i = 0; i < first; i++) {
                struct mw_vma v = { .start = (1ull << 40) + i * 8192, .end = (1ull << 40) + i * 8192 + 4096 };
                assert_true(tree_reserve(&t, 1));
                tree_insert(&t, &v);
            }
            assert_true(tree_reserve(&t, batch));
            size_t before = b.allocations;
            for (uint64_t j = 0; j < batch; j++) { /* pairs: the upper one first, each below a full leaf */
                uint64_t at = (1ull << 30) + (j ^ 1) * 8192;
                struct mw_vma v = { .start = at, .end = at + 4096 };
                tree_insert(&t, &v);
            }
            assert_int_equal(b.allocations, before);
            assert_null(tree_check(&t));
            tree_destroy(&t);
            assert_int_equal(b.allocations, 0);
        }
}

/* ---- many ---- */

enum { MANY = 60000 };

static struct mw_vma place(uint64_t i)
{
    return (struct mw_vma){ .start = (1ull << 30) + i * 8192, .end = (1ull << 30) + i * 8192 + 4096 };
}

static void put(struct tree *t, uint64_t i)
{
    struct mw_vma v = place(i);
    assert_true(tree_reserve(t, 1));
    tree_insert(t, &v);
    tree_trim(t);
}

static void ascending(struct tree *t)
{
    for (uint64_t i = 0; i < MANY; i++)
        put(t, i);
}

static void descending(struct tree *t)
{
    for (uint64_t i = MANY; i-- > 0;)
        put(t, i);
}

/* from the middle up, and then from below there down */
static void both_ways(struct tree *t)
{
    put(t, 0);
    put(t, MANY);
    for (uint64_t i = MANY / 2; i < MANY; i++)
        put(t, i);
    for (uint64_t i = MANY / 2 - 1; i > 0; i--)
        put(t, i);
}

/* of twice as many places; each in or out, `outs` times of ten out */
static void by_chance(struct tree *t, uint64_t outs)
{
    static bool in[2 * MANY];
    memset(in, 0, sizeof in);
    while (t->count < MANY) {
        uint64_t i = next_random() % (2 * MANY);
        bool out = next_random() % 10 < outs;
        if (in[i] != out)
            continue;
        in[i] = !out;
        if (out) {
            tree_remove(t, tree_find(t, place(i).start));
            tree_trim(t);
        } else {
            put(t, i);
        }
    }
}

static void inserted(struct tree *t) { by_chance(t, 0); }
static void mixed(struct tree *t) { by_chance(t, 4); }

static void thinned(struct tree *t)
{
    for (uint64_t i = 0; i < 2 * MANY; i++)
        put(t, i);
    while (t->count > MANY) {
        struct cursor c = tree_find(t, place(next_random() % (2 * MANY)).start);
        if (c.leaf)
            tree_remove(t, c);
    }
    tree_trim(t);
}

static void stays_small(void **unused)
{
    (void)unused;
    static const struct {
        void (*fill)(struct tree *t);
        uint64_t most; /* bytes a VMA of 48, spare nodes included */
    } fills[] = { { ascending, 56 }, { descending, 56 }, { both_ways, 56 }, { inserted, 62 }, { mixed, 62 }, { thinned, 64 } };
    for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++) {
        struct bench b;
        struct tree t;
        bench_config(&b, 12, 0);
        tree_init(&t, &b.port);
        state = 4711;
        fills[i].fill(&t);
        assert_null(tree_check(&t));
        if (tree_bytes(&t) > fills[i].most * t.count)
            fail_msg("case %zu: %f bytes each", i, (double)tree_bytes(&t) / (double)t.count);
        tree_destroy(&t);
        assert_int_equal(b.allocations, 0);
    }
}

/* Where a run has passed a mapping is cut in three without a node more, and mended again. */
static void cut_and_mended(void **unused)
{
    (void)unused;
    static void (*const fills[])(struct tree *t) = { ascending, descending, both_ways };
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++) {
        struct bench b;
        struct tree t;
        bench_config(&b, 12, 0);
        tree_init(&t, &b.port);
        fills[f](&t);
        for (uint64_t i = 1; i < MANY; i += 7) {
            assert_true(tree_reserve(&t, 2));
            uint32_t spares = t.spares;
            struct mw_vma v = place(i);
            struct cursor c = tree_find(&t, v.start);
            uint64_t count_before = t.count;
            for (int piece = 0; piece < 2; piece++) {
                v.start = v.end;
                v.end += 1024;
                c = tree_insert_after(&t, c, &v);
            }
            assert_int_equal(t.spares, spares);
            for (int piece = 0; piece < 2; piece++)
                tree_remove(&t, tree_find(&t, place(i).end));
            assert_int_equal(t.count, count_before);
        }
        assert_null(tree_check(&t));
        tree_destroy(&t);
        assert_int_equal(b.allocations, 0);
    }
}

/* ranges of any size taken out of many, until none is left */
static void cut_to_pieces(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct bench b;
        struct tree t;
        bench_config(&b, 12, 0);
        tree_init(&t, &b.port);
        state = seed * 0x9e3779b97f4a7c15ull;
        if (seed % 2)
            ascending(&t);
        else
            inserted(&t);
        while (t.count > 0) {
            uint64_t from = next_random() % (2 * MANY), before = t.count, n = 0;
            uint64_t size = 1 + next_random() % (next_random() % 8 ? 3000 : 2 * MANY);
            struct mw_range r = { place(from).start, place(from + size).start };
            for (struct cursor c = tree_find(&t, r.start); c.leaf && tree_at(c)->start < r.end; c = tree_next(c))
                n++;
            tree_cut(&t, tree_find(&t, r.start), r.end);
            assert_int_equal(t.count, before - n);
            assert_null(tree_check(&t));
            const struct mw_vma *v = tree_at(tree_find(&t, r.start));
            assert_true(!v || v->start >= r.end);
        }
        assert_null(t.root);
        tree_destroy(&t);
        assert_int_equal(b.allocations, 0);
    }
}

/* a run and two insertions elsewhere, after one reservation for both */
static void reservation_of_runs(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct bench b;
        struct tree t;
        struct cursor c;
        bench_config(&b, 12, 0);
        tree_init(&t, &b.port);
        state = seed * 0x9e3779b97f4a7c15ull;
        uint64_t first = 2 + next_random() % 3000, run = 1 + next_random() % 4000, gap = next_random() % first;
        bool in_order = next_random() % 2;
        for (uint64_t i = 0; i < first; i++) {
            uint64_t k = in_order ? i : i * 7919 % first;
            put(&t, k < gap ? k : k + 10000);
        }
        assert_true(tree_reserve_run(&t, 2, run));
        size_t before = b.allocations;
        for (uint64_t i = 0; i < 2; i++) {
            struct mw_vma v = place(i ? 20000 : gap / 2);
            v.start = v.end;
            v.end += 4096;
            tree_insert(&t, &v);
        }
        c = tree_prev(&t, tree_find(&t, place(5000).start));
        for (uint64_t i = 0; i < run; i++) {
            struct mw_vma v = place(5000 + i);
            c = c.leaf ? tree_insert_after(&t, c, &v) : tree_insert(&t, &v);
            assert_int_equal(tree_at(c)->start, v.start);
        }
        assert_int_equal(b.allocations, before);
        assert_null(tree_check(&t));
        assert_int_equal(t.count, first + 2 + run);
        tree_destroy(&t);
        assert_int_equal(b.allocations, 0);
    }
}

/* A copy of what `naive` holds too: equal, on its own, and none at all without memory. */
static void check_copy(struct bench *b, struct tree *t)
{
    struct tree copy;
    size_t before = b->allocations;
    tree_init(&copy, &b->port);
    for (long n = 1;; n++) {
        b->fail_in = n;
        bool whole = tree_copy(&copy, t);
        b->fail_in = 0;
        if (whole)
            break;
        assert_int_equal(b->allocations, before);
        assert_null(tree_at(tree_first(&copy)));
        assert_int_equal(copy.count, 0);
    }
    compare_all(&copy);
    while (copy.count > 1)
        tree_remove(&copy, tree_first(&copy));
    struct mw_vma v = { .start = SPAN * 8192ull, .end = SPAN * 8192ull + 4096 };
    assert_true(tree_reserve(&copy, 1));
    tree_insert(&copy, &v);
    assert_null(tree_check(&copy));
    same_vma(tree_at(tree_last(&copy)), &v);
    tree_destroy(&copy);
    assert_int_equal(b->allocations, before);
    compare_all(t);
}

static void copies(void **unused)
{
    (void)unused;
    static const size_t sizes[] = { 0, 1, 31, 32, 33, 100, 1400, 1500 };
    struct bench b;
    struct tree t;
    bench_config(&b, 12, 0);
    tree_init(&t, &b.port);
    count = 0;
    state = 12345;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        while (count < sizes[i])
            insert_some(&t);
        check_copy(&b, &t);
    }
    tree_destroy(&t);
    assert_int_equal(b.allocations, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growing), cmocka_unit_test(steady), cmocka_unit_test(small), cmocka_unit_test(reservation_of_many),
        cmocka_unit_test(in_order), cmocka_unit_test(reservation),
        cmocka_unit_test(copies), cmocka_unit_test(stays_small),
        cmocka_unit_test(cut_to_pieces), cmocka_unit_test(cut_and_mended), cmocka_unit_test(reservation_of_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
