/* SPDX-License-Identifier: MIT */
/*
 * test_objects.c - objects and all that maps them, in all spaces: counts of
 * mappings, and files that shrink and grow. What one process shows of it is
 * compared with the kernel in tests/scenarios/truncate.c.
 */
#include "unit.h"

#include "vma/space.h"

#define H (2ull << 20)

static void sound(const struct mw_space *s)
{
    const char *what;
    if (mw_check(s, &what))
        fail_msg("unsound: %s", what);
}

static void map_file(struct bench *b, int64_t page, int64_t n, uint32_t type, int64_t from)
{
    assert_int_equal(mw_mmap(b->space, at(b, page), (uint64_t)n * b->page, RW_, type | MW_MAP_FIXED,
                             &b->file, (uint64_t)from * b->page, NULL), at(b, page));
}

static void cut(struct bench *b, int64_t pages)
{
    assert_int_equal(mw_object_truncate(b->object, (uint64_t)pages * b->page), 0);
    assert_int_equal(mw_object_size(b->object), (uint64_t)pages * b->page);
    sound(b->space);
}

static enum mw_fault_result met(struct mw_space *s, uint64_t addr)
{
    return mw_fault(s, addr, MW_ACCESS_READ);
}

static uint32_t seen(struct mw_space *s, uint64_t addr)
{
    uint32_t value = 0;
    assert_int_equal(mw_read(s, addr, &value, sizeof value, NULL), sizeof value);
    return value;
}

/* every edit keeps the count of an object's mappings (OBJECT-1) */
static void counts(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    bench_start(&b);
    assert_int_equal(mw_object_mapped(b.object), 0);
    map_file(&b, 0, 8, MW_MAP_SHARED, 0);
    assert_int_equal(mw_object_mapped(b.object), 1);
    assert_int_equal(mw_mprotect(b.space, at(&b, 2), 2 * b.page, RO_, NULL), 0);
    assert_int_equal(mw_object_mapped(b.object), 3);
    assert_int_equal(mw_mremap(b.space, at(&b, 2), 2 * b.page, 2 * b.page, FIX_, at(&b, 20), NULL),
                     at(&b, 20));
    assert_int_equal(mw_object_mapped(b.object), 3);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 0, 2 * b.page, FIX_, at(&b, 30), NULL), at(&b, 30));
    assert_int_equal(mw_object_mapped(b.object), 4);
    sound(b.space);
    struct mw_call gone = { .name = MW_CALL_MUNMAP, .arg = { BASE, 100 * b.page } };
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &gone, NULL), 0);
    assert_int_equal(mw_object_mapped(b.object), 4);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_object_mapped(b.object), 8);
    sound(child);
    assert_int_equal(mw_munmap(b.space, BASE, 100 * b.page, NULL), 0);
    assert_int_equal(mw_object_mapped(b.object), 4);
    sound(b.space);
    mw_space_destroy(child);
    assert_int_equal(mw_object_mapped(b.object), 0);
    map_file(&b, 0, 4, MW_MAP_SHARED, 0);
    map_file(&b, 0, 4, MW_MAP_PRIVATE, 0); /* the only one makes room for another of its object */
    assert_int_equal(mw_object_mapped(b.object), 1);
    assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RO_, NULL), 0);
    assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RW_, NULL), 0);
    assert_int_equal(mw_object_mapped(b.object), 1);
    bench_close(&b);
}

/* a shorter file is shorter in every space, and their translations are flushed (TRUNC-1, TRUNC-2) */
static void all_spaces(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child, *other;
    bench_start(&b);
    map_file(&b, 0, 8, MW_MAP_SHARED, 0);
    map_file(&b, 10, 8, MW_MAP_PRIVATE, 0);
    for (int64_t i = 0; i < 8; i += 2)
        poke(&b, at(&b, 10 + i), 50);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_space_create(&b.config, &other), 0);
    assert_int_equal(mw_mmap(other, at(&b, 0), 4 * b.page, RO_, MW_MAP_SHARED | MW_MAP_FIXED, &b.file,
                             4 * b.page, NULL), at(&b, 0));
    for (int64_t i = 0; i < 8; i++) {
        seen(b.space, at(&b, i));
        seen(child, at(&b, i));
        seen(child, at(&b, 10 + i));
        seen(b.space, at(&b, 10 + i));
    }
    assert_int_equal(seen(other, at(&b, 1)), 105);
    assert_int_equal(seen(other, at(&b, 0)), 104);
    uint64_t left = mw_frames_free(b.frames);
    size_t flushes = b.flushes;
    cut(&b, 5);
    assert_int_equal(mw_frames_free(b.frames), left + 3 + 1); /* the file's, and a copy that both had */
    assert_int_equal(b.flushes, flushes + 3);
    sound(child);
    sound(other);
    assert_int_equal(met(b.space, at(&b, 5)), MW_FAULT_BUS_ADRERR);
    assert_int_equal(met(child, at(&b, 16)), MW_FAULT_BUS_ADRERR);
    assert_int_equal(met(other, at(&b, 1)), MW_FAULT_BUS_ADRERR);
    assert_int_equal(seen(other, at(&b, 0)), 104);
    assert_int_equal(seen(child, at(&b, 14)), 50);
    cut(&b, 8);
    assert_int_equal(seen(other, at(&b, 1)), 105); /* its source still has it */
    assert_int_equal(seen(child, at(&b, 16)), 106);
    mw_space_destroy(child);
    mw_space_destroy(other);
    bench_close(&b);
}

/* a space that has unmapped it is left out, and one without pages has none to lose (TRUNC-1) */
static void no_longer(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child, *layout;
    struct mw_config bare;
    bench_start(&b);
    map_file(&b, 0, 4, MW_MAP_SHARED, 0);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    bare = b.config;
    bare.frames = NULL;
    assert_int_equal(mw_space_create(&bare, &layout), 0);
    assert_int_equal(mw_mmap(layout, at(&b, 0), 4 * b.page, RO_, MW_MAP_SHARED | MW_MAP_FIXED, &b.file, 0,
                             NULL), at(&b, 0));
    assert_int_equal(mw_object_mapped(b.object), 3);
    assert_int_equal(mw_munmap(child, BASE, 100 * b.page, NULL), 0);
    seen(b.space, at(&b, 3));
    cut(&b, 1);
    sound(child);
    assert_null(child->objects);
    assert_null(layout->objects);
    assert_int_equal(mw_mlock(layout, at(&b, 0), 4 * b.page, NULL), -MW_ENOMEM); /* beyond its end */
    mw_space_destroy(child);
    mw_space_destroy(layout);
    bench_close(&b);
}

/* far apart pages, any height of the index: what is beyond goes, and its nodes (TRUNC-1) */
static void sparse(void **state)
{
    static const uint64_t pages[] = { 0, 1, 63, 64, 65, 4095, 4096, 1ull << 20, (1ull << 30) + 7 };
    enum { N = sizeof pages / sizeof pages[0] };
    (void)state;
    for (size_t keep = 0; keep <= N; keep++) {
        struct mw_object *o;
        struct bench b;
        frame_t frame;
        bench_start(&b);
        assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 1ull << 50, 0, &o), 0);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(object_page(o, pages[i], &frame), OBJECT_OK);
        assert_int_equal(mw_object_truncate(o, keep < N ? pages[keep] * b.page : 1ull << 50), 0);
        assert_int_equal(mw_frames_total(b.frames) - mw_frames_free(b.frames), keep + 1); /* and the root */
        for (size_t i = 0; i < N; i++)
            assert_int_equal(object_peek(o, pages[i]) != 0, i < keep);
        assert_int_equal(o->root == NULL, keep == 0);
        assert_int_equal(mw_object_truncate(o, 1ull << 51), 0);
        assert_int_equal(object_page(o, (1ull << 39) - 1, &frame), OBJECT_OK);
        mw_object_put(o);
        bench_close(&b);
    }
}

/* what a mirror has taken stays, the rest of the file is not there (TRUNC-7) */
static void mirrored(void **state)
{
    (void)state;
    struct bench b;
    bench_config(&b, 12, 1024);
    b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&b);
    map_file(&b, 0, 4, MW_MAP_PRIVATE, 0);
    poke(&b, at(&b, 3), 9);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 4 * b.page, 4 * b.page, FIX_ | MW_MREMAP_MIRROR,
                               at(&b, 10), NULL), at(&b, 10));
    struct mw_vma v;
    assert_true(mw_find_vma(b.space, at(&b, 0), &v));
    assert_int_equal(mw_object_truncate(v.object, 0), -MW_EINVAL);
    cut(&b, 1);
    assert_int_equal(peek(&b, at(&b, 13)), 9);
    assert_int_equal(peek(&b, at(&b, 3)), 9);
    assert_int_equal(met(b.space, at(&b, 2)), MW_FAULT_BUS_ADRERR);
    assert_int_equal(seen(b.space, at(&b, 10)), 100);
    bench_close(&b);
}

/* ---- huge pages -------------------------------------------------------------------- */

struct huge_bench {
    struct bench b;
    struct mw_object *o;
    struct mw_file f;
};

static void huge_start(struct huge_bench *h, uint64_t pages, uint64_t pool)
{
    bench_config(&h->b, 12, 16 * 512);
    h->b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&h->b);
    assert_int_equal(mw_frames_set_huge(h->b.frames, 21, pool), pool);
    assert_int_equal(mw_object_create(&h->b.port, h->b.frames, NULL, NULL, pages * H, MW_OBJ_HUGETLB, &h->o), 0);
    h->f = (struct mw_file){ h->o, MW_FILE_READ | MW_FILE_WRITE };
}

static void huge_end(struct huge_bench *h)
{
    struct mw_huge_stats stats;
    sound(h->b.space);
    mw_space_destroy(h->b.space);
    h->b.space = NULL;
    mw_object_put(h->o);
    mw_frames_huge(h->b.frames, 21, &stats);
    assert_int_equal(stats.free, stats.total);
    assert_int_equal(stats.promised, 0);
    assert_int_equal(mw_frames_set_huge(h->b.frames, 21, 0), 0);
    bench_close(&h->b);
}

static void expect_pool(struct huge_bench *h, uint64_t free, uint64_t promised)
{
    struct mw_huge_stats stats;
    mw_frames_huge(h->b.frames, 21, &stats);
    assert_int_equal(stats.free, free);
    assert_int_equal(stats.promised, promised);
}

static uint64_t ht(uint64_t i) { return BASE + i * H; }

static void huge_map(struct huge_bench *h, uint64_t i, uint64_t n, uint32_t type)
{
    assert_int_equal(mw_mmap(h->b.space, ht(i), n * H, RW_, type | MW_MAP_FIXED, &h->f, 0, NULL), ht(i));
}

/* copies that a child has too are set aside again once both have lost them (TRUNC-6) */
static void huge_forked(void **state)
{
    (void)state;
    struct huge_bench h;
    struct mw_space *child;
    huge_start(&h, 4, 4);
    huge_map(&h, 0, 3, MW_MAP_PRIVATE);
    for (uint64_t i = 0; i < 3; i++)
        poke(&h.b, ht(i), 5);
    expect_pool(&h, 1, 0);
    assert_int_equal(mw_fork(h.b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_object_truncate(h.o, H), 0);
    sound(child);
    expect_pool(&h, 3, 2);
    assert_int_equal(mw_object_truncate(h.o, 3 * H), 0);
    poke(&h.b, ht(1), 6);
    expect_pool(&h, 2, 1);
    assert_int_equal(seen(child, ht(0)), 5);
    assert_int_equal(met(child, ht(2)), MW_FAULT_OK); /* the one that nobody was promised */
    expect_pool(&h, 1, 1);
    assert_int_equal(met(child, ht(1)), MW_FAULT_BUS_ADRERR);
    mw_space_destroy(child);
    huge_end(&h);
}

/* but not what a mirror keeps, where there are no others (TRUNC-6, TRUNC-7) */
static void huge_kept(void **state)
{
    (void)state;
    struct huge_bench h;
    struct mw_space *child;
    huge_start(&h, 2, 2);
    huge_map(&h, 0, 2, MW_MAP_PRIVATE);
    poke(&h.b, ht(0), 5);
    poke(&h.b, ht(1), 6);
    assert_int_equal(mw_fork(h.b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_mremap(child, ht(1), H, H, FIX_ | MW_MREMAP_MIRROR, ht(8), NULL), ht(8));
    assert_int_equal(mw_object_truncate(h.o, H), 0);
    sound(child);
    sound(h.b.space);
    expect_pool(&h, 0, 0);
    assert_int_equal(seen(child, ht(8)), 6);
    assert_int_equal(seen(h.b.space, ht(0)), 5);
    assert_int_equal(mw_object_truncate(h.o, 2 * H), 0);
    assert_int_equal(met(h.b.space, ht(1)), MW_FAULT_BUS_ADRERR);
    mw_space_destroy(child);
    assert_int_equal(seen(h.b.space, ht(1)), 0);
    huge_end(&h);
}

/* MADV_REMOVE empties other spaces' mappings too (ADVICE-9) */
static void removed_everywhere(void **state)
{
    (void)state;
    struct bench b;
    struct mw_object *o;
    struct mw_space *child;
    bench_start(&b);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 2 * b.page, 0, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    assert_int_equal(mw_mmap(b.space, BASE, 2 * b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL), BASE);
    poke(&b, BASE, 3);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(seen(child, BASE), 3);
    uint64_t left = mw_frames_free(b.frames);
    assert_int_equal(mw_madvise(child, BASE, b.page, MW_MADV_REMOVE, NULL), 0);
    assert_true(mw_frames_free(b.frames) > left); /* nobody has the page any more */
    assert_null(pmap_find(&b.space->pmap, BASE, NULL));
    assert_int_equal(peek(&b, BASE), 0);
    mw_space_destroy(child);
    mw_object_put(o);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(all_spaces),
        cmocka_unit_test(no_longer),
        cmocka_unit_test(sparse),
        cmocka_unit_test(mirrored),
        cmocka_unit_test(huge_forked),
        cmocka_unit_test(huge_kept),
        cmocka_unit_test(removed_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
