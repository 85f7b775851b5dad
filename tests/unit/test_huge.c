/* SPDX-License-Identifier: MIT */
/*
 * test_huge.c - huge pages: the pool, mappings of 2 MiB and 1 GiB, and what is
 * beyond Linux: growth (HUGE-1) and mirrors (MIRROR-8). What Linux has too is
 * compared with it in tests/scenarios/hugetlb.c.
 */
#include "unit.h"

#include <sys/mman.h>

#define H (2ull << 20)
#define G (1ull << 30)
#define HT_ (MW_MAP_ANONYMOUS | MW_MAP_FIXED | MW_MAP_HUGETLB)
#define MIRROR_FIX_ (FIX_ | MW_MREMAP_MIRROR)

/* Memory of its own that costs nothing until it is touched. */
static void start(struct bench *b, uint64_t bytes, uint32_t options)
{
    bench_config(b, 12, 0);
    b->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                     -1, 0);
    assert_true(b->memory != MAP_FAILED);
    assert_int_equal(mw_frames_create(&b->port, b->memory, bytes, 12, &b->frames), 0);
    b->config.frames = b->frames;
    b->config.options |= options;
    bench_open(b);
}

static void end(struct bench *b, uint64_t bytes)
{
    void *memory = b->memory;
    struct mw_huge_stats h;
    const char *what;
    if (mw_check(b->space, &what))
        fail_msg("unsound: %s", what);
    mw_space_destroy(b->space);
    b->space = NULL;
    for (uint32_t shift = 21; shift <= 30; shift += 9) {
        mw_frames_huge(b->frames, shift, &h);
        assert_int_equal(h.free, h.total);
        assert_int_equal(h.promised, 0);
        assert_int_equal(mw_frames_set_huge(b->frames, shift, 0), 0);
    }
    b->memory = NULL;
    bench_close(b);
    munmap(memory, bytes);
}

static uint64_t ht(uint64_t i) { return BASE + i * H; }

static int64_t map(struct bench *b, uint64_t i, uint64_t n, uint32_t flags)
{
    return mw_mmap(b->space, ht(i), n * H, RW_, HT_ | flags, NULL, 0, NULL);
}

static void expect_pool(struct bench *b, uint64_t free, uint64_t promised)
{
    struct mw_huge_stats h;
    mw_frames_huge(b->frames, 21, &h);
    assert_int_equal(h.free, free);
    assert_int_equal(h.promised, promised);
}

/* the stock grows from frames that are free, and gives back */
static void pool(void **state)
{
    (void)state;
    struct bench b;
    struct mw_huge_stats h;
    start(&b, 64 * H, 0);
    uint64_t frames = mw_frames_total(b.frames);
    assert_int_equal(mw_frames_set_huge(b.frames, 20, 4), 0); /* no such size */
    mw_frames_huge(b.frames, 20, &h);
    assert_int_equal(h.total, 0);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 8), 8);
    assert_int_equal(mw_frames_total(b.frames), frames - 8 * 512);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 1000), 63); /* the first has frame 0 */
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 3), 3);
    assert_int_equal(mw_frames_total(b.frames), frames - 3 * 512);
    assert_int_equal(map(&b, 0, 3, MW_MAP_PRIVATE), ht(0));
    poke(&b, ht(0), 1);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 0), 3); /* all in use, or promised */
    assert_int_equal(mw_munmap(b.space, ht(1), H, NULL), 0);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 0), 2);
    end(&b, 64 * H);
}

/* 1 GiB pages: fault, move, shrink (HUGETLB-1, MREMAP-16) */
static void giant(void **state)
{
    (void)state;
    struct bench b;
    struct mw_stats stats;
    start(&b, 4 * G, 0);
    assert_int_equal(mw_frames_set_huge(b.frames, 30, 2), 2);
    uint64_t at0 = 64 * G;
    uint32_t flags = HT_ | MW_MAP_PRIVATE | 30u << MW_MAP_HUGE_SHIFT;
    assert_int_equal(mw_mmap(b.space, at0 + H, G, RW_, flags, NULL, 0, NULL), -MW_EINVAL);
    assert_int_equal(mw_mmap(b.space, at0, 4096, RW_, flags, NULL, 0, NULL), at0);
    poke(&b, at0 + 5 * H, 5);
    mw_stats(b.space, &stats);
    assert_int_equal(stats.resident, G / 4096);
    assert_int_equal(stats.tables, 2); /* the root, and one of 1 GiB entries */
    assert_int_equal(mw_mremap(b.space, at0, H, H, FIX_, at0 + 2 * H, NULL), -MW_EINVAL);
    assert_int_equal(mw_mremap(b.space, at0, H, H, FIX_, at0 + 700 * G, NULL), at0 + 700 * G);
    assert_int_equal(peek(&b, at0 + 700 * G + 5 * H), 5);
    assert_int_equal(mw_munmap(b.space, at0 + 700 * G, H, NULL), -MW_EINVAL);
    assert_int_equal(mw_munmap(b.space, at0 + 700 * G, G, NULL), 0);
    end(&b, 4 * G);
}

/* HUGE-1 */
static void grows(void **state)
{
    (void)state;
    static const uint32_t types[] = { MW_MAP_PRIVATE, MW_MAP_SHARED };
    for (int i = 0; i < 2; i++) {
        struct bench b;
        struct mw_why why;
        start(&b, 64 * H, MW_OPT_EXTENSIONS);
        mw_frames_set_huge(b.frames, 21, 8);
        map(&b, 0, 2, types[i]);
        poke(&b, ht(0), 1);
        poke(&b, ht(1), 2);
        assert_int_equal(mw_mremap(b.space, ht(0), 2 * H, 4 * H, 0, 0, &why), ht(0)); /* in place */
        expect_pool(&b, 6, 2);
        poke(&b, ht(2), 3);
        expect_pool(&b, 5, 1);
        assert_int_equal(mw_mremap(b.space, ht(0), 4 * H, 9 * H, 0, 0, &why), -MW_ENOMEM);
        assert_string_equal(mw_why_rule(&why), "HUGETLB-3");
        expect_pool(&b, 5, 1);
        map(&b, 4, 1, MW_MAP_PRIVATE);
        int64_t r = mw_mremap(b.space, ht(0), 4 * H, 5 * H - 4096, MAY_, 0, &why); /* by moving */
        assert_true(r > 0 && r % (int64_t)H == 0);
        for (uint64_t k = 0; k < 5; k++)
            assert_int_equal(peek(&b, (uint64_t)r + k * H), k < 3 ? k + 1 : 0);
        assert_int_equal(mw_mremap(b.space, (uint64_t)r, 5 * H, 6 * H, FIX_, ht(20), &why), ht(20));
        expect_pool(&b, 3, 2);
        assert_int_equal(mw_munmap(b.space, ht(20), 6 * H, NULL), 0);
        expect_pool(&b, 8, 1);
        end(&b, 64 * H);
    }
}

/* HUGE-1: without the extension MREMAP-17 */
static void does_not_grow(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    start(&b, 64 * H, 0);
    mw_frames_set_huge(b.frames, 21, 8);
    map(&b, 0, 2, MW_MAP_PRIVATE);
    assert_int_equal(mw_mremap(b.space, ht(0), 2 * H, 4 * H, MAY_, 0, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MREMAP-17");
    /* the new address counts though no flag asks for it */
    assert_int_equal(mw_mremap(b.space, ht(0), 2 * H, 2 * H, 0, ht(4) + 4096, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MREMAP-16");
    end(&b, 64 * H);
}

/* MIRROR-8: mirrors of huge pages, private and shared, and fork of them */
static void mirrors(void **state)
{
    (void)state;
    static const uint32_t types[] = { MW_MAP_PRIVATE, MW_MAP_SHARED };
    for (int i = 0; i < 2; i++) {
        struct bench b;
        struct mw_stats stats;
        start(&b, 64 * H, MW_OPT_EXTENSIONS);
        mw_frames_set_huge(b.frames, 21, 16);
        map(&b, 0, 4, types[i]);
        for (uint64_t k = 0; k < 3; k++)
            poke(&b, ht(k) + 8192, (uint32_t)k + 1);
        assert_int_equal(mw_mremap(b.space, ht(1), 4096, 4096, MIRROR_FIX_, ht(10), NULL),
                         -MW_EINVAL);
        assert_int_equal(mw_mremap(b.space, ht(1), 3 * H, 3 * H, MIRROR_FIX_, ht(10) + 4096, NULL),
                         -MW_EINVAL);
        assert_int_equal(mw_mremap(b.space, ht(1), 3 * H, 3 * H, MIRROR_FIX_, ht(10), NULL), ht(10));
        expect_pool(&b, 13, 1);
        assert_int_equal(peek(&b, ht(10) + 8192), 2);
        poke(&b, ht(12) + 8192, 40); /* was absent */
        assert_int_equal(peek(&b, ht(3) + 8192), 40);
        expect_pool(&b, 12, 0);
        mw_stats(b.space, &stats);
        assert_int_equal(stats.resident, i == 0 ? 4 * 512 : 7 * 512);
        int64_t r = mw_mremap(b.space, ht(10), H, H, MAY_ | MW_MREMAP_MIRROR, 0, NULL);
        assert_true(r > 0 && r % (int64_t)H == 0);
        poke(&b, (uint64_t)r + 8192, 77);
        assert_int_equal(peek(&b, ht(1) + 8192), 77);
        struct mw_space *parent = b.space, *child;
        assert_int_equal(mw_fork(parent, 77, &child, NULL), 0);
        b.space = child;
        poke(&b, ht(1) + 8192, 78);
        assert_int_equal(peek(&b, (uint64_t)r + 8192), 78);
        b.space = parent;
        assert_int_equal(peek(&b, ht(10) + 8192), i == 0 ? 77 : 78);
        mw_space_destroy(child);
        assert_int_equal(mw_munmap(b.space, ht(0), 12 * H, NULL), 0);
        assert_int_equal(peek(&b, (uint64_t)r + 8192), i == 0 ? 77 : 78);
        end(&b, 64 * H);
    }
}

/* HUGETLB-3: a child has none set aside, whether its parent's were touched or not, and takes none */
static void forked(void **state)
{
    (void)state;
    for (uint64_t touched = 0; touched < 3; touched++) {
        struct bench b;
        struct mw_space *parent, *child;
        start(&b, 64 * H, 0);
        mw_frames_set_huge(b.frames, 21, 4);
        map(&b, 0, 3, MW_MAP_PRIVATE);
        for (uint64_t i = 0; i < touched; i++)
            poke(&b, ht(i), 1);
        expect_pool(&b, 4 - touched, 3 - touched);
        parent = b.space;
        struct mw_call unmap = { .name = MW_CALL_MUNMAP, .arg = { ht(0), 3 * H } };
        assert_int_equal(mw_would(parent, MW_LINUX_NEWEST, &unmap, NULL), 0);
        expect_pool(&b, 4 - touched, 3 - touched); /* asked only (WOULD-1) */
        assert_int_equal(mw_fork(parent, 77, &child, NULL), 0);
        b.space = child;
        assert_int_equal(mw_munmap(child, ht(2), H, NULL), 0);
        expect_pool(&b, 4 - touched, 3 - touched);
        poke(&b, ht(1), 2); /* the one that is free */
        expect_pool(&b, 3 - touched, 3 - touched);
        assert_int_equal(mw_fault(child, ht(0), MW_ACCESS_WRITE), MW_FAULT_BUS_ADRERR);
        mw_space_destroy(child);
        b.space = parent;
        expect_pool(&b, 4 - touched, 3 - touched);
        for (uint64_t i = 0; i < 3; i++)
            poke(&b, ht(i), 3);
        expect_pool(&b, 1, 0);
        end(&b, 64 * H);
    }
}

/* HUGETLB-3: the copy that a parent makes for its child's sake is not one of those set aside */
static void forked_parent(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    start(&b, 64 * H, 0);
    mw_frames_set_huge(b.frames, 21, 4);
    map(&b, 0, 3, MW_MAP_PRIVATE);
    poke(&b, ht(0), 1);
    expect_pool(&b, 3, 2);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    poke(&b, ht(0), 2);
    expect_pool(&b, 2, 2);
    mw_space_destroy(child);
    expect_pool(&b, 3, 2);
    end(&b, 64 * H);
}

/* MERGE-5, MREMAP-14: files of huge pages are mapped as what must not expand */
static void must_not_expand(void **state)
{
    (void)state;
    struct mw_object *o;
    struct mw_why why;
    struct mw_vma v;
    struct bench b;
    start(&b, 64 * H, 0);
    mw_frames_set_huge(b.frames, 21, 8);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 4 * H, MW_OBJ_HUGETLB, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    for (uint64_t i = 0; i < 4; i += 2)
        assert_int_equal(mw_mmap(b.space, ht(i), 2 * H, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f, i * H,
                                 NULL), ht(i));
    assert_true(mw_find_vma(b.space, ht(0), &v));
    assert_int_equal(v.end, ht(2)); /* they go on from each other, and are two */
    assert_int_equal(mw_mremap(b.space, ht(0), 2 * H, 2 * H, FIX_ | MW_MREMAP_DONTUNMAP, ht(10), &why),
                     -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MREMAP-14");
    assert_int_equal(mw_munmap(b.space, ht(0), 4 * H, NULL), 0);
    mw_object_put(o);
    end(&b, 64 * H);
}

/* HUGETLB-6: what is refused at its end has been cut at its start */
static void first_cut(void **state)
{
    (void)state;
    struct mw_vma v;
    struct bench b;
    start(&b, 64 * H, 0);
    mw_frames_set_huge(b.frames, 21, 8);
    map(&b, 0, 4, MW_MAP_PRIVATE);
    assert_int_equal(mw_mprotect(b.space, ht(1), 4096, RO_, NULL), -MW_EINVAL);
    assert_true(mw_find_vma(b.space, ht(1), &v));
    assert_int_equal(v.start, ht(1));
    assert_int_equal(v.flags & RW_, RW_);
    end(&b, 64 * H);
}

/* MIRROR-6, MIRROR-8: a private mapping of a file of huge pages copies what the file has */
static void file_mirror(void **state)
{
    (void)state;
    struct mw_object *o;
    struct bench b;
    start(&b, 64 * H, MW_OPT_EXTENSIONS);
    mw_frames_set_huge(b.frames, 21, 8);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 3 * H, MW_OBJ_HUGETLB, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    assert_int_equal(mw_mmap(b.space, ht(0), 3 * H, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL),
                     ht(0));
    poke(&b, ht(1), 5);
    assert_int_equal(mw_mmap(b.space, ht(4), 2 * H, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED, &f, H, NULL),
                     ht(4));
    assert_int_equal(mw_mremap(b.space, ht(4), 2 * H, 2 * H, MIRROR_FIX_, ht(8), NULL), ht(8));
    assert_int_equal(peek(&b, ht(8)), 5);
    assert_int_equal(peek(&b, ht(9)), 0);
    poke(&b, ht(8), 6);
    assert_int_equal(peek(&b, ht(4)), 6);
    assert_int_equal(peek(&b, ht(1)), 5);
    assert_int_equal(mw_munmap(b.space, ht(0), 20 * H, NULL), 0);
    mw_object_put(o);
    end(&b, 64 * H);
}

/* FAULT-6: a huge page that was used is zero when it comes again, to its last byte */
static void zeroed(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) { /* each kind after each */
        static const uint32_t types[] = { MW_MAP_PRIVATE, MW_MAP_SHARED, MW_MAP_PRIVATE };
        struct bench b;
        start(&b, 64 * H, MW_OPT_EXTENSIONS);
        mw_frames_set_huge(b.frames, 21, 1);
        for (int round = 0; round < 2; round++) {
            int kind = round ? i / 3 : i % 3;
            assert_int_equal(map(&b, 0, 1, types[kind]), ht(0));
            if (kind == 2)
                assert_int_equal(mw_mremap(b.space, ht(0), H, H, MIRROR_FIX_, ht(4), NULL), ht(4));
            assert_int_equal(peek(&b, ht(0) + H - 4), 0);
            assert_int_equal(peek(&b, ht(0) + 8192), 0);
            poke(&b, ht(0) + H - 4, 1);
            poke(&b, ht(0) + 8192, 2);
            poke(&b, ht(0), 3);
            assert_int_equal(peek(&b, ht(0) + H - 4), 1); /* each at its own place in the page */
            assert_int_equal(peek(&b, ht(0) + 8192), 2);
            assert_int_equal(mw_munmap(b.space, ht(0), 5 * H, NULL), 0);
        }
        end(&b, 64 * H);
    }
}

/* Takes small pages until there are none; all that are said to be free can be had. */
static void exhaust(struct bench *b)
{
    const uint64_t small = BASE + (1ull << 30);
    enum mw_fault_result r = MW_FAULT_OK;
    assert_int_equal(mw_mmap(b->space, small, G, RW_, FIXED_, NULL, 0, NULL), small);
    for (uint64_t i = 0; r == MW_FAULT_OK && i < G / 4096; i++)
        r = mw_fault(b->space, small + i * 4096, MW_ACCESS_WRITE);
    assert_int_equal(r, MW_FAULT_OOM);
    assert_int_equal(mw_frames_free(b->frames), 0);
    assert_int_equal(mw_munmap(b->space, small, G, NULL), 0);
}

/* what the stock of huge pages takes and gives back is small pages, no more and no less */
static void stock(void **state)
{
    (void)state;
    const uint64_t bytes = 5 * H + 5 * 4096;
    struct bench b;
    start(&b, bytes, 0);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 2), 2); /* aligned: five pages lie above */
    exhaust(&b);
    end(&b, bytes);

    start(&b, bytes, 0);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 2), 2);
    map(&b, 0, 1, MW_MAP_PRIVATE);
    poke(&b, ht(0), 7); /* the lower one, so that the upper one goes first */
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 0), 1);
    exhaust(&b);
    assert_int_equal(peek(&b, ht(0)), 7);
    end(&b, bytes);

    start(&b, bytes, 0); /* frames that were used are not to be had */
    uint64_t small = BASE + G;
    assert_int_equal(mw_mmap(b.space, small, 2 * H, RW_, FIXED_, NULL, 0, NULL), small);
    for (uint64_t i = 0; i < 600; i++)
        poke(&b, small + i * 4096, (uint32_t)i);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 1000), 3);
    map(&b, 0, 3, MW_MAP_PRIVATE);
    for (uint64_t i = 0; i < 3; i++)
        poke(&b, ht(i), 9);
    for (uint64_t i = 0; i < 600; i++)
        assert_int_equal(peek(&b, small + i * 4096), i);
    end(&b, bytes);
}

/* HUGETLB-4, FAULT-3: a writable mapping extends its file, no other does, and none cuts it */
static void file_grows(void **state)
{
    (void)state;
    static const struct { uint32_t prot; uint64_t pages, size; } c[] = {
        { RO_, 4, 2 }, { RW_, 1, 2 }, { RW_, 4, 4 }, { RW_, 1, 4 },
    };
    struct mw_object *o;
    struct bench b;
    start(&b, 64 * H, 0);
    mw_frames_set_huge(b.frames, 21, 8);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 2 * H, MW_OBJ_HUGETLB, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        assert_int_equal(mw_mmap(b.space, ht(0), c[i].pages * H, c[i].prot,
                                 MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL), ht(0));
        for (uint32_t type = MW_MAP_SHARED; type <= MW_MAP_PRIVATE; type++) {
            uint32_t how = type | MW_MAP_FIXED | MW_MAP_NORESERVE;
            assert_int_equal(mw_mmap(b.space, ht(10), 6 * H, RO_, how, &f, 0, NULL), ht(10));
            assert_int_equal(mw_fault(b.space, ht(10 + c[i].size - 1), MW_ACCESS_READ), MW_FAULT_OK);
            assert_int_equal(mw_fault(b.space, ht(10 + c[i].size), MW_ACCESS_READ),
                             MW_FAULT_BUS_ADRERR);
        }
    }
    assert_int_equal(mw_munmap(b.space, ht(0), 20 * H, NULL), 0);
    mw_object_put(o);
    end(&b, 64 * H);
}

/* HUGETLB-3: of a layout without pages, as many as its embedder says; a copy that is asked knows it */
static void layout_only(void **state)
{
    (void)state;
    struct mw_why why;
    struct bench b;
    bench_config(&b, 12, 0);
    bench_open(&b);
    mw_set_huge_pages(b.space, 1);
    struct mw_call two = { .name = MW_CALL_MMAP,
                           .arg = { ht(0), 2 * H, RW_, HT_ | MW_MAP_PRIVATE } };
    assert_int_equal(mw_would(b.space, MW_LINUX_NEWEST, &two, &why), -MW_ENOMEM);
    assert_int_equal(map(&b, 0, 2, MW_MAP_PRIVATE), -MW_ENOMEM);
    assert_int_equal(map(&b, 0, 2, MW_MAP_PRIVATE | MW_MAP_NORESERVE), ht(0));
    assert_int_equal(map(&b, 4, 1, MW_MAP_SHARED), ht(4));
    /* MUNMAP-2: what is taken over cuts no huge page either */
    assert_int_equal(mw_import_flags(b.space, ht(0), ht(0) + 4096, 0, MW_VM_UFFD, true), -MW_EINVAL);
    assert_int_equal(mw_import_flags(b.space, ht(0) + 4096, ht(1), 0, MW_VM_UFFD, false), -MW_EINVAL);
    bench_close(&b);
}

/* HUGETLB-3: what is imported has its pages set aside, or is refused */
static void imported(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 64 * H, 0);
    mw_frames_set_huge(b.frames, 21, 2);
    struct mw_vma v = { .start = ht(0), .end = ht(3), .flags = MW_VM_READ | MW_VM_HUGETLB };
    assert_int_equal(mw_import(b.space, &v), -MW_ENOMEM);
    expect_pool(&b, 2, 0);
    v.end = ht(2);
    assert_int_equal(mw_import(b.space, &v), 0);
    expect_pool(&b, 2, 2);
    end(&b, 64 * H);
}

/* ENGINE-1 for each of them */
static void out_of_memory(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        for (long n = 1;; n++) {
            struct bench b;
            start(&b, 64 * H, MW_OPT_EXTENSIONS);
            mw_frames_set_huge(b.frames, 21, 8);
            uint32_t type = kind & 1 ? MW_MAP_SHARED : MW_MAP_PRIVATE;
            map(&b, 0, 2, type);
            poke(&b, ht(0), 1);
            assert_int_equal(mw_mmap(b.space, ht(10), 4096, RW_, FIXED_, NULL, 0, NULL), ht(10));
            poke(&b, ht(10), 2); /* in the way */
            struct mw_huge_stats before, after;
            mw_frames_huge(b.frames, 21, &before);
            b.fail_in = n;
            int64_t r = kind < 2   ? map(&b, 10, 2, type)
                        : kind < 4 ? mw_mremap(b.space, ht(0), 2 * H, 4 * H, FIX_, ht(10), NULL)
                                   : mw_mremap(b.space, ht(0), 2 * H, 2 * H, MIRROR_FIX_, ht(10), NULL);
            b.fail_in = 0;
            mw_frames_huge(b.frames, 21, &after);
            if (r < 0) {
                assert_int_equal(r, -MW_ENOMEM);
                assert_int_equal(before.free, after.free);
                if (kind != 3) /* a shared one keeps the promise, in its object */
                    assert_int_equal(before.promised, after.promised);
                assert_int_equal(peek(&b, ht(0)), 1);
                assert_int_equal(peek(&b, ht(10)), 2);
            }
            end(&b, 64 * H);
            if (!b.failed)
                break;
            assert_true(r < 0);
        }
    }
}

/* ENGINE-1, HUGE-1: no frame is left for page tables at the new place; nothing stays set aside */
static void out_of_frames(void **state)
{
    (void)state;
    enum mw_fault_result f = MW_FAULT_OK;
    const uint64_t bytes = 12 * H, small = BASE + G;
    struct bench b;
    start(&b, bytes, MW_OPT_EXTENSIONS);
    mw_frames_set_huge(b.frames, 21, 8);
    map(&b, 0, 2, MW_MAP_PRIVATE);
    poke(&b, ht(0), 1);
    expect_pool(&b, 7, 1);
    assert_int_equal(mw_mmap(b.space, small, bytes, RW_, FIXED_, NULL, 0, NULL), small);
    for (uint64_t i = 0; f == MW_FAULT_OK; i++)
        f = mw_fault(b.space, small + i * 4096, MW_ACCESS_WRITE);
    assert_int_equal(f, MW_FAULT_OOM);
    assert_int_equal(mw_mremap(b.space, ht(0), 2 * H, 4 * H, FIX_, 1ull << 40, NULL), -MW_ENOMEM);
    expect_pool(&b, 7, 1);
    assert_int_equal(mw_munmap(b.space, small, bytes, NULL), 0);
    assert_int_equal(mw_mremap(b.space, ht(0), 2 * H, 4 * H, FIX_, 1ull << 40, NULL), 1ull << 40);
    expect_pool(&b, 7, 3);
    end(&b, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool), cmocka_unit_test(giant), cmocka_unit_test(grows),
        cmocka_unit_test(does_not_grow), cmocka_unit_test(mirrors), cmocka_unit_test(forked), cmocka_unit_test(forked_parent),
        cmocka_unit_test(must_not_expand), cmocka_unit_test(first_cut), cmocka_unit_test(file_mirror),
        cmocka_unit_test(zeroed), cmocka_unit_test(stock), cmocka_unit_test(file_grows), cmocka_unit_test(layout_only), cmocka_unit_test(imported),
        cmocka_unit_test(out_of_memory), cmocka_unit_test(out_of_frames),
    };
    return cmocka_run_group_tests_name("huge", tests, NULL, NULL);
}
