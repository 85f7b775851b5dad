/* SPDX-License-Identifier: MIT */
/*
 * test_special.c - mappings of special kinds: those that no call cuts, those
 * whose place the kernel chooses, and those that userfaultfd watches.
 */
#include "unit.h"

#define V510 MW_LINUX(5, 10)
#define V61 MW_LINUX(6, 1)
#define V612 MW_LINUX(6, 12)
#define V70 MW_LINUX(7, 0)
#define V73 MW_LINUX(7, 3)
#define DUF_ (FIX_ | MW_MREMAP_DONTUNMAP)

static void start(struct bench *b, uint32_t version, uint32_t options)
{
    bench_config(b, 12, 64);
    b->config.linux_version = version;
    b->config.options = options;
    bench_open(b);
}

/* Two pages of a special object at page 10. */
static struct mw_object *import_special(struct bench *b, uint32_t kind)
{
    struct mw_object *o;
    assert_int_equal(mw_object_create(&b->port, NULL, NULL, b, 2 * b->page, kind, &o), 0);
    struct mw_vma v = { .start = at(b, 10), .end = at(b, 12), .object = o,
                        .flags = MW_VM_READ | MW_VM_MAYREAD | MW_VM_MAYWRITE | MW_VM_MAYEXEC |
                                 MW_VM_DONTEXPAND };
    assert_int_equal(mw_import(b->space, &v), 0);
    return o;
}

static void expect_rule(int64_t result, int err, const char *rule, const struct mw_why *why)
{
    assert_int_equal(result, -err);
    if (err)
        assert_string_equal(mw_why_rule(why), rule);
}

/* MUNMAP-4, MMAP-26, MREMAP-44: before 6.1 only a move of a part is refused. */
static void special_is_not_cut(void **state)
{
    static const struct { uint32_t version; int cut, by_mmap; } c[] = {
        { V510, 0, 0 }, { V61, MW_EINVAL, MW_ENOMEM }, { V612, MW_EINVAL, MW_EINVAL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct mw_why why;
        struct bench b;
        start(&b, c[i].version, 0);
        struct mw_object *o = import_special(&b, MW_OBJ_DONTEXPAND | MW_OBJ_WHOLE);
        int64_t r = mw_mremap(b.space, at(&b, 10), b.page, b.page, FIX_, at(&b, 0), &why);
        expect_rule(r, MW_EINVAL, "MREMAP-44", &why);
        assert_int_equal(mw_mremap(b.space, at(&b, 10), 2 * b.page, 2 * b.page, FIX_, at(&b, 20),
                                   &why), (int64_t)at(&b, 20));
        assert_int_equal(mw_mprotect(b.space, at(&b, 21), b.page, RO_, &why), 0); /* as it is */
        r = mw_mmap(b.space, at(&b, 21), b.page, RW_, FIXED_, NULL, 0, &why);
        expect_rule(r < 0 ? r : 0, c[i].by_mmap, "MUNMAP-4", &why);
        expect_rule(mw_mprotect(b.space, at(&b, 21), b.page, MW_PROT_NONE, &why),
                    i ? c[i].cut : 0, "MUNMAP-4", &why);
        if (i > 0) {
            expect_rule(mw_munmap(b.space, at(&b, 20), b.page, &why), MW_EINVAL, "MUNMAP-4", &why);
            assert_int_equal(mw_mprotect(b.space, at(&b, 20), 2 * b.page, MW_PROT_NONE, &why), 0);
        }
        assert_int_equal(mw_munmap(b.space, at(&b, 20), 2 * b.page, &why), 0);
        mw_object_put(o);
        bench_close(&b);
    }
}

/* What a move of a part leaves: its destination is gone (MREMAP-44, MREMAP-22). */
static void special_part_leaves_hole(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    start(&b, V612, 0);
    draw(&b, "rrr");
    struct mw_object *o = import_special(&b, MW_OBJ_DONTEXPAND | MW_OBJ_WHOLE);
    int64_t r = mw_mremap(b.space, at(&b, 10), b.page, b.page, FIX_, at(&b, 1), &why);
    expect_rule(r, MW_EINVAL, "MREMAP-44", &why);
    struct mw_vma v;
    assert_true(mw_find_vma(b.space, at(&b, 1), &v) && v.start == at(&b, 2));
    mw_object_put(o);
    bench_close(&b);
}

/* MREMAP-44, MUNMAP-4: an aio ring can be cut, but since 7.2 moves whole; a perf ring can't be cut. */
static void rings(void **state)
{
    static const struct { uint32_t kind, version; int part, cut; } c[] = {
        { MW_OBJ_AIO, V70, 0, 0 }, { MW_OBJ_AIO, MW_LINUX(7, 2), MW_EINVAL, 0 },
        { MW_OBJ_UNCUT, V510, 0, 0 }, { MW_OBJ_UNCUT, V61, MW_EINVAL, MW_EINVAL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct mw_why why;
        struct bench b;
        start(&b, c[i].version, 0);
        struct mw_object *o = import_special(&b, MW_OBJ_DONTEXPAND | c[i].kind);
        expect_rule(mw_mprotect(b.space, at(&b, 11), b.page, MW_PROT_NONE, &why), c[i].cut,
                    "MUNMAP-4", &why);
        mw_object_put(o);
        bench_close(&b);
        start(&b, c[i].version, 0);
        o = import_special(&b, MW_OBJ_DONTEXPAND | c[i].kind);
        int64_t r = mw_mremap(b.space, at(&b, 11), b.page, b.page, FIX_, at(&b, 1), &why);
        expect_rule(r < 0 ? r : 0, c[i].part, "MREMAP-44", &why);
        mw_object_put(o);
        bench_close(&b);
    }
}

/* PLACE-10: since 6.1; no address, and the destination is gone */
static void no_address(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct mw_object *o;
        struct mw_why why;
        struct mw_vma v;
        struct bench b;
        start(&b, old ? V510 : V61, 0);
        assert_int_equal(mw_object_create(&b.port, NULL, NULL, &b, b.page,
                                          MW_OBJ_DONTEXPAND | MW_OBJ_NO_ADDRESS, &o), 0);
        struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
        draw(&b, "rrr");
        int64_t r = mw_mmap(b.space, at(&b, 8), b.page, RW_, MW_MAP_SHARED, &f, 0, &why);
        expect_rule(r < 0 ? r : 0, old ? 0 : MW_EINVAL, "PLACE-10", &why);
        int64_t from = mw_mmap(b.space, 0, b.page, RW_, MW_MAP_SHARED, &f, 0, &why);
        assert_true(from > 0);
        r = mw_mremap(b.space, (uint64_t)from, b.page, b.page, FIX_, at(&b, 1), &why);
        expect_rule(r < 0 ? r : 0, old ? 0 : MW_EINVAL, "PLACE-10", &why);
        assert_true(mw_find_vma(b.space, at(&b, 1), &v));
        assert_int_equal(v.start, at(&b, old ? 1 : 2));
        mw_object_put(o);
        bench_close(&b);
    }
}

static bool watched(const struct bench *b, int page)
{
    struct mw_vma v;
    return mw_find_vma(b->space, at(b, page), &v) && v.start <= at(b, page) &&
           (v.flags & MW_VM_UFFD);
}

static void watch(struct bench *b, int page, int n)
{
    assert_int_equal(mw_import_flags(b->space, at(b, page), at(b, page + n), 0, MW_VM_UFFD, true),
                     0);
}

/* MREMAP-42: the watch stays where it was, and nothing merges at the new place */
static void watch_is_left_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct mw_why why;
        struct bench b;
        start(&b, V70, MW_OPT_DEFECTS);
        draw(&b, "aa..........aa");
        watch(&b, 0, 2);
        mw_mremap(b.space, at(&b, 0), 2 * b.page, 2 * b.page, i ? DUF_ : FIX_, at(&b, 10), &why);
        assert_false(watched(&b, 10));
        assert_int_equal(watched(&b, 0), i);
        expect_row(&b, i ? "aa........aa|aa" : "..........aa|aa", "apart from what was not watched");
        bench_close(&b);
    }
}

/* MREMAP-43: a neighbour loses its watch, where the defects of kernels before 7.3 are asked for */
static void neighbour_loses_its_watch(void **state)
{
    static const struct { uint32_t version, options; bool lost; } c[] = {
        { V70, MW_OPT_DEFECTS, true }, { V70, 0, false }, { V73, MW_OPT_DEFECTS, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct mw_why why;
        struct bench b;
        start(&b, c[i].version, c[i].options);
        draw(&b, "aa..........aa");
        watch(&b, 0, 2);
        watch(&b, 12, 2);
        mw_mremap(b.space, at(&b, 0), 2 * b.page, 2 * b.page, FIX_, at(&b, 10), &why);
        assert_false(watched(&b, 10));
        assert_int_equal(watched(&b, 12), !c[i].lost);
        expect_row(&b, c[i].lost ? "..........aaaa" : "..........aa|aa", "MREMAP-43");
        bench_close(&b);
    }
}

/* MREMAP-35: a private mapping of /dev/zero is anonymous memory to DONTUNMAP */
static void dev_zero_leaves_itself(void **state)
{
    struct mw_object *o;
    struct mw_why why;
    struct bench b;
    (void)state;
    start(&b, V510, 0);
    assert_int_equal(mw_object_create(&b.port, NULL, NULL, &b, b.page, MW_OBJ_ANON, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    mw_mmap(b.space, at(&b, 0), b.page, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED, &f, 0, &why);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, DUF_, at(&b, 10), &why),
                     (int64_t)at(&b, 10));
    mw_object_put(o);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_is_not_cut), cmocka_unit_test(special_part_leaves_hole),
        cmocka_unit_test(rings), cmocka_unit_test(no_address),
        cmocka_unit_test(watch_is_left_behind),
        cmocka_unit_test(neighbour_loses_its_watch), cmocka_unit_test(dev_zero_leaves_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
