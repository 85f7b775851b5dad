/* SPDX-License-Identifier: MIT */
/*
 * test_objects.c - objects and all that maps them, in all spaces: counts of
 * mappings, files that shrink and grow, and what is written back. What one
 * process shows of it is compared with the kernel in tests/scenarios/truncate.c.
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

/* page tables that a fork has left to both sides are cut for both (TRUNC-1, FORK-3) */
static void shared_tables(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    bench_start(&b);
    map_file(&b, 0, 1024, MW_MAP_PRIVATE, 0);
    for (int64_t i = 0; i < 64; i++)
        poke(&b, at(&b, i), (uint32_t)(500 + i));
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    cut(&b, 10);
    sound(child);
    for (int64_t i = 0; i < 64; i++) {
        assert_int_equal(peek(&b, at(&b, i)), i < 10 ? 500 + i : -1);
        assert_int_equal(met(child, at(&b, i)), i < 10 ? MW_FAULT_OK : MW_FAULT_BUS_ADRERR);
    }
    poke(&b, at(&b, 3), 1);
    assert_int_equal(seen(child, at(&b, 3)), 503);
    cut(&b, 0);
    assert_int_equal(met(child, at(&b, 3)), MW_FAULT_BUS_ADRERR);
    mw_space_destroy(child);
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

/* page tables that a fork has left to both sides lose the file's pages on both, not the copies (ADVICE-9, FORK-3) */
static void removed_from_shared_tables(void **state)
{
    (void)state;
    struct bench b;
    struct mw_object *o;
    struct mw_space *child;
    bench_start(&b);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 2048 * b.page, 0, &o), 0);
    b.file.object = o;
    map_file(&b, 0, 2048, MW_MAP_PRIVATE, 0);
    map_file(&b, 3000, 1500, MW_MAP_SHARED, 16);
    for (int64_t i = 0; i < 2048; i += 16) {
        if (i >= 16 && i < 1516)
            poke(&b, at(&b, 3000 + i - 16), 7);
        assert_int_equal(peek(&b, at(&b, i)), i >= 16 && i < 1516 ? 7 : 0);
        if (i % 32)
            poke(&b, at(&b, i), (uint32_t)(5000 + i));
    }
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_madvise(b.space, at(&b, 3000), 1500 * b.page, MW_MADV_REMOVE, NULL), 0);
    sound(b.space);
    sound(child);
    for (int64_t i = 0; i < 2048; i += 16) {
        bool gone = i % 32 == 0 && i >= 16 && i < 1516;
        uint32_t is = (uint32_t)(i % 32 ? 5000 + i : 0);
        assert_int_equal(pmap_find(&b.space->pmap, at(&b, i), NULL) == NULL, gone);
        assert_int_equal(peek(&b, at(&b, i)), is);
        assert_int_equal(seen(child, at(&b, i)), is);
    }
    poke(&b, at(&b, 16), 1);
    assert_int_equal(seen(child, at(&b, 16)), 5016);
    mw_space_destroy(child);
    mw_object_put(o);
    bench_close(&b);
}

/* as many steps as there are pages, not as the range has (ADVICE-9) */
static void removed_far_apart(void **state)
{
    (void)state;
    struct bench b;
    struct mw_object *o;
    const uint64_t size = 1ull << 45;
    bench_start(&b);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, size, 0, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    const uint64_t one = (uint64_t)mw_mmap(b.space, 0, size, RW_, MW_MAP_SHARED | MW_MAP_NORESERVE, &f, 0, NULL);
    const uint64_t two = (uint64_t)mw_mmap(b.space, 0, size, RW_, MW_MAP_PRIVATE | MW_MAP_NORESERVE, &f, 0, NULL);
    assert_true((int64_t)one > 0 && (int64_t)two > 0);
    for (uint64_t i = 0; i < size; i += size / 8) {
        poke(&b, one + i, 7);
        assert_int_equal(peek(&b, two + i), 7);
    }
    assert_int_equal(mw_madvise(b.space, one + b.page, size - b.page, MW_MADV_REMOVE, NULL), 0);
    sound(b.space);
    for (uint64_t i = 0; i < size; i += size / 8) {
        assert_int_equal(pmap_find(&b.space->pmap, two + i, NULL) == NULL, i > 0);
        assert_int_equal(peek(&b, two + i), i ? 0 : 7);
    }
    mw_object_put(o);
    bench_close(&b);
}

/* asking for more than there is takes no memory (HUGETLB-3) */
static void huge_without_end(void **state)
{
    (void)state;
    struct huge_bench h;
    huge_start(&h, 2, 2);
    const size_t before = h.b.allocations;
    assert_int_equal(mw_mmap(h.b.space, 0, 1ull << 46, RW_, MW_MAP_SHARED, &h.f, 0, NULL), -MW_ENOMEM);
    assert_true(h.b.allocations < before + 100);
    huge_end(&h);
}

static int read_ones(void *ctx, uint64_t index, void *page)
{
    (void)ctx, (void)index;
    memset(page, 1, H);
    return 0;
}

/* a part of a huge page that nobody has read in yet (ADVICE-9) */
static void removed_part_is_read_in(void **state)
{
    (void)state;
    static const struct mw_object_ops ones = { .read = read_ones };
    struct huge_bench h;
    struct mw_object *o;
    huge_start(&h, 3, 2);
    assert_int_equal(mw_object_create(&h.b.port, h.b.frames, &ones, NULL, 2 * H, MW_OBJ_HUGETLB, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    assert_int_equal(mw_mmap(h.b.space, ht(0), 2 * H, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL), ht(0));
    assert_int_equal(mw_madvise(h.b.space, ht(0) + h.b.page, H, MW_MADV_REMOVE, NULL), 0);
    assert_int_equal(peek(&h.b, ht(0)), 0x01010101);
    assert_int_equal(peek(&h.b, ht(0) + h.b.page), 0);
    assert_int_equal(peek(&h.b, ht(1) - 4), 0);
    assert_int_equal(peek(&h.b, ht(1)), 0);
    assert_int_equal(peek(&h.b, ht(1) + h.b.page), 0x01010101);
    mw_object_put(o);
    huge_end(&h);
}

/* ---- writing back -------------------------------------------------------------------- */

enum { STORE_PAGES = 16 };

/* Where a file lives: the first number of each of its pages. */
struct store {
    struct mw_object *object;
    struct mw_file file;
    uint32_t page[STORE_PAGES];
    uint32_t tail[STORE_PAGES]; /* and the last */
    int written[STORE_PAGES];
    int fails, released;        /* fails: the errno */
};

static int store_read(void *ctx, uint64_t index, void *page)
{
    struct store *t = ctx;
    memcpy(page, &t->page[index], 4);
    memcpy((char *)page + 4092, &t->tail[index], 4);
    return 0;
}

static int store_write(void *ctx, uint64_t index, const void *page)
{
    struct store *t = ctx;
    assert_true(index < STORE_PAGES);
    assert_false(t->released);
    t->written[index]++;
    if (t->fails)
        return -t->fails;
    memcpy(&t->page[index], page, 4);
    memcpy(&t->tail[index], (const char *)page + 4092, 4);
    return 0;
}

static void store_released(void *ctx)
{
    ((struct store *)ctx)->released = 1;
}

static const struct mw_object_ops store_ops = { .read = store_read, .write = store_write,
                                                .release = store_released };

static void store_open(struct bench *b, struct store *t)
{
    memset(t, 0, sizeof *t);
    for (uint32_t i = 0; i < STORE_PAGES; i++)
        t->page[i] = 100 + i;
    assert_int_equal(mw_object_create(&b->port, b->frames, &store_ops, t, STORE_PAGES * b->page, 0,
                                      &t->object), 0);
    t->file = (struct mw_file){ t->object, MW_FILE_READ | MW_FILE_WRITE };
}

/* The file's pages from `from` on, at page `page`. */
static void store_map(struct bench *b, struct mw_space *s, const struct store *t, int64_t page,
                      int64_t n, uint32_t type, int64_t from)
{
    assert_int_equal(mw_mmap(s, at(b, page), (uint64_t)n * b->page, RW_, type | MW_MAP_FIXED, &t->file,
                             (uint64_t)from * b->page, NULL), at(b, page));
}

/* Which pages have been written since the last look, one digit a page. */
static const char *written(struct store *t)
{
    static char digits[STORE_PAGES + 1];
    for (int i = 0; i < STORE_PAGES; i++)
        digits[i] = (char)('0' + t->written[i]);
    memset(t->written, 0, sizeof t->written);
    return digits;
}

static int64_t msync_pages(struct bench *b, int64_t page, int64_t n, uint64_t flags)
{
    struct mw_why why;
    int64_t r = mw_msync(b->space, at(b, page), (uint64_t)n * b->page, flags, &why);
    expect_why(r, &why, "msync");
    sound(b->space);
    return r;
}

/* what was written, through whichever shared mapping, once for each time (SYNC-5) */
static void writes_back(void **state)
{
    (void)state;
    struct bench b;
    struct store t;
    struct mw_space *child;
    bench_start(&b);
    store_open(&b, &t);
    store_map(&b, b.space, &t, 0, 16, MW_MAP_SHARED, 0);
    store_map(&b, b.space, &t, 20, 4, MW_MAP_PRIVATE, 0);
    store_map(&b, b.space, &t, 30, 4, MW_MAP_SHARED, 2);
    peek(&b, at(&b, 0));
    poke(&b, at(&b, 1), 1);
    poke(&b, at(&b, 20), 2); /* its own */
    poke(&b, at(&b, 30), 3); /* page 2 */
    peek(&b, at(&b, 1));
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    uint32_t four = 4;
    assert_int_equal(mw_write(child, at(&b, 9), &four, 4, NULL), 4);
    assert_int_equal(msync_pages(&b, 0, 16, MW_MS_ASYNC), 0);
    assert_int_equal(msync_pages(&b, 20, 4, MW_MS_SYNC), 0);
    assert_string_equal(written(&t), "0000000000000000");
    assert_int_equal(msync_pages(&b, 0, 2, MW_MS_SYNC), 0);
    assert_string_equal(written(&t), "0100000000000000");
    assert_int_equal(msync_pages(&b, 0, 16, MW_MS_SYNC), 0);
    assert_string_equal(written(&t), "0010000001000000");
    assert_int_equal(t.page[1] * 100 + t.page[2] * 10 + t.page[9], 134);
    assert_int_equal(msync_pages(&b, 0, 16, MW_MS_SYNC), 0);
    assert_string_equal(written(&t), "0000000000000000");
    poke(&b, at(&b, 1), 5); /* present, and faults again */
    assert_int_equal(mw_write(child, at(&b, 9), &four, 4, NULL), 4);
    assert_int_equal(mw_mremap(b.space, at(&b, 1), b.page, b.page, FIX_, at(&b, 50), NULL), at(&b, 50));
    poke(&b, at(&b, 50), 6);
    assert_int_equal(mw_munmap(b.space, at(&b, 50), b.page, NULL), 0);
    poke(&b, at(&b, 3), 6);
    assert_int_equal(mw_madvise(b.space, at(&b, 3), b.page, MW_MADV_DONTNEED, NULL), 0);
    assert_int_equal(mw_object_sync(t.object), 0);
    assert_string_equal(written(&t), "0101000001000000");
    assert_int_equal(t.page[1], 6);
    sound(child);
    mw_space_destroy(child);
    mw_object_put(t.object);
    bench_close(&b);
    assert_int_equal(t.released, 1);
}

/* not what was opened read-only, nor a question (SYNC-5, WOULD-1) */
static void writes_nothing(void **state)
{
    (void)state;
    struct bench b;
    struct store t;
    bench_start(&b);
    store_open(&b, &t);
    struct mw_file read_only = { t.object, MW_FILE_READ };
    store_map(&b, b.space, &t, 0, 4, MW_MAP_SHARED, 0);
    assert_int_equal(mw_mmap(b.space, at(&b, 10), 4 * b.page, RO_, MW_MAP_SHARED | MW_MAP_FIXED, &read_only,
                             0, NULL), at(&b, 10));
    poke(&b, at(&b, 0), 1);
    assert_int_equal(msync_pages(&b, 10, 4, MW_MS_SYNC), 0);
    struct mw_call call = { .name = MW_CALL_MSYNC, .arg = { at(&b, 0), b.page, MW_MS_SYNC } };
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &call, NULL), 0);
    assert_string_equal(written(&t), "0000000000000000");
    assert_int_equal(mw_mprotect(b.space, at(&b, 0), b.page, MW_PROT_NONE, NULL), 0);
    assert_int_equal(msync_pages(&b, 0, 1, MW_MS_SYNC), 0);
    assert_string_equal(written(&t), "1000000000000000");
    assert_int_equal(mw_mprotect(b.space, at(&b, 0), b.page, RW_, NULL), 0);
    poke(&b, at(&b, 0), 2);
    assert_int_equal(msync_pages(&b, 0, 1, MW_MS_SYNC), 0);
    assert_string_equal(written(&t), "1000000000000000");
    assert_int_equal(mw_object_sync(b.object), 0); /* has nowhere to go */
    mw_object_put(t.object);
    bench_close(&b);
}

/* a failure is said once, before a hole, and ends the call (SYNC-6) */
static void fails_to_write(void **state)
{
    (void)state;
    struct bench b;
    struct store t;
    bench_start(&b);
    store_open(&b, &t);
    store_map(&b, b.space, &t, 0, 8, MW_MAP_SHARED, 0);
    assert_int_equal(mw_munmap(b.space, at(&b, 2), b.page, NULL), 0);
    assert_int_equal(mw_munmap(b.space, at(&b, 5), b.page, NULL), 0);
    for (int64_t i = 0; i < 8; i++)
        if (i != 2 && i != 5)
            poke(&b, at(&b, i), 7);
    t.fails = MW_ENODEV;
    assert_int_equal(msync_pages(&b, 2, 6, MW_MS_SYNC), -MW_EIO);
    assert_string_equal(written(&t), "0001100000000000");
    assert_int_equal(peek(&b, at(&b, 3)), 7);
    assert_int_equal(msync_pages(&b, 3, 2, MW_MS_SYNC), 0);
    t.fails = MW_ENOSPC;
    assert_int_equal(msync_pages(&b, 6, 2, MW_MS_SYNC), -MW_ENOSPC);
    t.fails = 0;
    assert_int_equal(msync_pages(&b, 0, 8, MW_MS_SYNC), -MW_ENOMEM);
    assert_string_equal(written(&t), "1100001100000000");
    poke(&b, at(&b, 0), 8);
    t.fails = MW_EPERM;
    assert_int_equal(mw_object_sync(t.object), -MW_EIO);
    assert_int_equal(mw_object_sync(t.object), 0);
    assert_int_equal(mw_mlock(b.space, at(&b, 0), b.page, NULL), 0);
    poke(&b, at(&b, 0), 9);
    assert_int_equal(msync_pages(&b, 0, 1, MW_MS_SYNC | MW_MS_INVALIDATE), -MW_EBUSY);
    mw_object_put(t.object);
    bench_close(&b);
}

/* the end of an object, truncation, emptying (SYNC-7, TRUNC-3) */
static void written_at_last(void **state)
{
    (void)state;
    struct bench b;
    struct store t;
    bench_start(&b);
    store_open(&b, &t);
    store_map(&b, b.space, &t, 0, 16, MW_MAP_SHARED, 0);
    for (int64_t i = 0; i < 16; i++)
        poke(&b, at(&b, i), 50);
    assert_int_equal(mw_object_truncate(t.object, 4 * b.page), 0);
    sound(b.space);
    poke(&b, at(&b, 3) + 4092, 51);
    assert_int_equal(mw_object_sync(t.object), 0);
    assert_string_equal(written(&t), "1111000000000000");
    assert_int_equal(mw_madvise(b.space, at(&b, 1), b.page, MW_MADV_REMOVE, NULL), 0);
    assert_int_equal(mw_object_truncate(t.object, 3 * b.page + 100), 0);
    poke(&b, at(&b, 3) + 4092, 52); /* behind the end: a file does not keep it */
    assert_int_equal(mw_object_truncate(t.object, 5 * b.page), 0);
    assert_int_equal(peek(&b, at(&b, 3) + 4092), 0);
    assert_int_equal(mw_munmap(b.space, BASE, 100 * b.page, NULL), 0);
    assert_string_equal(written(&t), "0000000000000000");
    mw_object_put(t.object);
    assert_int_equal(t.released, 1);
    assert_string_equal(written(&t), "0101000000000000");
    assert_int_equal(t.page[0], 50);
    assert_int_equal(t.page[1], 0);
    assert_int_equal(t.tail[3], 0);
    bench_close(&b);
}

/* a page that is read in is zero behind the end (FAULT-3, TRUNC-3) */
static void read_after(void **state)
{
    (void)state;
    struct bench b;
    struct store t;
    bench_start(&b);
    store_open(&b, &t);
    t.tail[0] = 5;
    assert_int_equal(mw_object_truncate(t.object, 100), 0);
    store_map(&b, b.space, &t, 0, 1, MW_MAP_PRIVATE, 0);
    assert_int_equal(peek(&b, at(&b, 0)), 100);
    assert_int_equal(peek(&b, at(&b, 0) + 4092), 0);
    mw_object_put(t.object);
    bench_close(&b);
}

/* far apart pages are found, and those of a smaller file are not (SYNC-7) */
static int count_write(void *ctx, uint64_t index, const void *page)
{
    uint64_t *sum = ctx;
    (void)page;
    *sum = *sum * 31 + index;
    return 0;
}

static void finds_soiled(void **state)
{
    static const uint64_t pages[] = { 0, 63, 64, 4095, 4096, 1ull << 20, (1ull << 30) + 7 };
    enum { N = sizeof pages / sizeof pages[0] };
    static const struct mw_object_ops ops = { .write = count_write };
    (void)state;
    for (size_t from = 0; from <= N; from++)
        for (size_t keep = 0; keep <= N; keep++) {
            struct mw_object *o;
            struct bench b;
            uint64_t sum = 0, expected = 0;
            frame_t frame;
            bench_start(&b);
            assert_int_equal(mw_object_create(&b.port, b.frames, &ops, &sum, 1ull << 50, 0, &o), 0);
            for (size_t i = 0; i < N; i++) {
                assert_int_equal(object_page(o, pages[i], &frame), OBJECT_OK);
                object_soil(o, pages[i]);
            }
            if (keep < N)
                assert_int_equal(mw_object_truncate(o, pages[keep] * b.page), 0);
            for (size_t i = from; i < keep; i++)
                expected = expected * 31 + pages[i];
            assert_int_equal(object_write(o, from < N ? pages[from] : 1ull << 31, UINT64_MAX), 0);
            assert_int_equal(sum, expected);
            for (size_t i = 0; i < N; i++)
                assert_int_equal(object_is_soiled(o, pages[i]), i < from && i < keep);
            sum = expected = 0;
            for (size_t i = 0; i < from && i < keep; i++)
                expected = expected * 31 + pages[i];
            mw_object_put(o);
            assert_int_equal(sum, expected);
            bench_close(&b);
        }
}

/* ---- files with a will of their own --------------------------------------------------- */

struct driver {
    struct mw_object *object;
    struct mw_file file;
    int refuses;      /* what map says */
    uint64_t align;   /* what place asks for, */
    int64_t answer;   /* or all it says */
    uint32_t flags;   /* what it was told */
    int asked;
};

static int driver_map(void *ctx, const struct mw_space *space, const struct mw_vma *v)
{
    struct driver *d = ctx;
    assert_true(mw_space_config(space) != NULL);
    assert_ptr_equal(v->object, d->object);
    assert_true(v->start < v->end);
    d->asked++;
    return d->refuses;
}

static int64_t driver_place(void *ctx, const struct mw_space *space, uint64_t addr, uint64_t length,
                            uint64_t offset, uint32_t flags)
{
    struct driver *d = ctx;
    d->asked++;
    d->flags = flags;
    assert_int_equal(offset % 4096, 0);
    if (d->answer)
        return d->answer;
    return flags & MW_MAP_FIXED ? (int64_t)addr : mw_find_room(space, addr, length, d->align);
}

static const struct mw_object_ops refusing_ops = { .map = driver_map };
static const struct mw_object_ops placing_ops = { .place = driver_place };

static void driver_open(struct bench *b, struct driver *d, const struct mw_object_ops *ops)
{
    memset(d, 0, sizeof *d);
    assert_int_equal(mw_object_create(&b->port, b->frames, ops, d, 64 * b->page, 0, &d->object), 0);
    d->file = (struct mw_file){ d->object, MW_FILE_READ | MW_FILE_WRITE };
}

static int64_t driver_mmap(struct bench *b, struct driver *d, uint64_t addr, uint64_t n, uint32_t flags)
{
    struct mw_why why;
    int64_t r = mw_mmap(b->space, addr, n * b->page, RW_, flags, &d->file, 0, &why);
    expect_why(r, &why, "mmap");
    sound(b->space);
    return r;
}

/* the file refuses when all else would do, and the destination is gone (MMAP-28) */
static void refuses(void **state)
{
    static const struct { int says, result; } cases[] = {
        { -MW_ENODEV, -MW_ENODEV }, { -MW_EACCES, -MW_EACCES }, { -MW_EPERM, -MW_EPERM },
        { 1, -MW_ENODEV }, { -5000, -MW_ENODEV },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        struct driver d;
        bench_start(&b);
        driver_open(&b, &d, &refusing_ops);
        draw(&b, "aaaa");
        d.refuses = cases[i].says;
        assert_int_equal(driver_mmap(&b, &d, 0, 2, MW_MAP_SHARED), cases[i].result);
        assert_int_equal(driver_mmap(&b, &d, at(&b, 1), 2, MW_MAP_PRIVATE | MW_MAP_FIXED_NOREPLACE),
                         -MW_EEXIST);
        assert_int_equal(d.asked, 1);
        expect_row(&b, "aaaa", "before");
        assert_int_equal(driver_mmap(&b, &d, at(&b, 1), 2, MW_MAP_PRIVATE | MW_MAP_FIXED), cases[i].result);
        expect_row(&b, "a..a", "refused");
        struct mw_call call = { .name = MW_CALL_MMAP, .file = &d.file,
                                .arg = { 0, b.page, RW_, MW_MAP_SHARED } };
        assert_int_equal(mw_would(b.space, MW_LINUX(5, 10), &call, NULL), cases[i].result);
        d.refuses = 0;
        assert_int_equal(driver_mmap(&b, &d, at(&b, 1), 2, MW_MAP_PRIVATE | MW_MAP_FIXED), at(&b, 1));
        mw_object_put(d.object);
        bench_close(&b);
    }
}

/* the file says where it is mapped, to mmap and mremap; what it says is looked at (PLACE-11) */
static void places(void **state)
{
    (void)state;
    struct bench b;
    struct driver d;
    bench_start(&b);
    driver_open(&b, &d, &placing_ops);
    d.align = 1 << 20;
    int64_t first = driver_mmap(&b, &d, 0, 2, MW_MAP_SHARED);
    assert_true(first > 0 && first % (1 << 20) == 0);
    assert_int_equal(d.flags, 0);
    assert_int_equal(driver_mmap(&b, &d, at(&b, 5), 2, MW_MAP_SHARED), BASE + (1 << 20)); /* a hint is rounded up */
    assert_int_equal(driver_mmap(&b, &d, at(&b, 3), 2, MW_MAP_SHARED | MW_MAP_FIXED), at(&b, 3));
    assert_int_equal(d.flags, MW_MAP_FIXED);
    assert_int_equal(mw_mremap(b.space, at(&b, 3), 2 * b.page, 2 * b.page, FIX_, at(&b, 40), NULL), at(&b, 40));
    d.answer = -MW_EACCES;
    assert_int_equal(driver_mmap(&b, &d, at(&b, 3), 2, MW_MAP_SHARED | MW_MAP_FIXED), -MW_EACCES);
    assert_int_equal(mw_mremap(b.space, at(&b, 40), 0, 2 * b.page, MAY_, 0, NULL), -MW_EACCES);
    d.answer = 4097;
    assert_int_equal(driver_mmap(&b, &d, 0, 2, MW_MAP_SHARED), -MW_EINVAL);
    d.answer = (int64_t)b.config.task_size - 4096;
    assert_int_equal(driver_mmap(&b, &d, 0, 2, MW_MAP_SHARED), -MW_ENOMEM);
    d.answer = INT64_MIN;
    assert_int_equal(driver_mmap(&b, &d, 0, 2, MW_MAP_SHARED), -MW_ENOMEM);
    d.answer = 4096;
    assert_int_equal(driver_mmap(&b, &d, 0, 2, MW_MAP_SHARED), -MW_EPERM);
    d.answer = 0;
    draw(&b, "a");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 60 * b.page, 60 * b.page, FIX_, at(&b, 100), NULL), -MW_EFAULT);
    assert_int_equal(peek(&b, at(&b, 100)), 0); /* what could move alone has moved */
    mw_object_put(d.object);
    bench_close(&b);
}

/* a file of huge pages can't be led astray (PLACE-11) */
static void places_huge(void **state)
{
    (void)state;
    struct huge_bench h;
    struct driver d = { .align = 4096 };
    huge_start(&h, 2, 2);
    assert_int_equal(mw_object_create(&h.b.port, h.b.frames, &placing_ops, &d, 2 * H, MW_OBJ_HUGETLB, &d.object), 0);
    d.file = (struct mw_file){ d.object, MW_FILE_READ | MW_FILE_WRITE };
    d.answer = BASE + 4096;
    assert_int_equal(driver_mmap(&h.b, &d, 0, 512, MW_MAP_SHARED), -MW_EINVAL);
    d.answer = BASE;
    assert_int_equal(driver_mmap(&h.b, &d, 0, 512, MW_MAP_SHARED), BASE);
    poke(&h.b, BASE, 1);
    mw_object_put(d.object);
    huge_end(&h);
}

static void room(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    draw(&b, "aaaa");
    assert_int_equal(mw_find_room(b.space, BASE + 5 * b.page, 2 * b.page, 0), BASE + 5 * b.page);
    assert_int_equal(mw_find_room(b.space, BASE, 2 * b.page, 0), b.config.mmap_base - 2 * b.page);
    assert_int_equal(mw_find_room(b.space, 0, 2 * b.page, H) % (int64_t)H, 0);
    assert_int_equal(mw_find_room(b.space, 0, 0, 0), -MW_EINVAL);
    assert_int_equal(mw_find_room(b.space, 0, 1, 3 << 12), -MW_EINVAL);
    assert_int_equal(mw_find_room(b.space, 0, 1ull << 60, 0), -MW_ENOMEM);
    assert_int_equal(mw_find_room(b.space, 0, ~0ull, 0), -MW_EINVAL);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(all_spaces),
        cmocka_unit_test(shared_tables),
        cmocka_unit_test(no_longer),
        cmocka_unit_test(sparse),
        cmocka_unit_test(mirrored),
        cmocka_unit_test(huge_forked),
        cmocka_unit_test(huge_kept),
        cmocka_unit_test(removed_everywhere),
        cmocka_unit_test(removed_from_shared_tables),
        cmocka_unit_test(removed_far_apart),
        cmocka_unit_test(removed_part_is_read_in),
        cmocka_unit_test(huge_without_end),
        cmocka_unit_test(writes_back),
        cmocka_unit_test(writes_nothing),
        cmocka_unit_test(fails_to_write),
        cmocka_unit_test(written_at_last),
        cmocka_unit_test(read_after),
        cmocka_unit_test(finds_soiled),
        cmocka_unit_test(refuses),
        cmocka_unit_test(places),
        cmocka_unit_test(places_huge),
        cmocka_unit_test(room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
