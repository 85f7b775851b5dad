/* SPDX-License-Identifier: MIT */
/*
 * test_advice.c - locks, advice, msync, mincore and mseal where the running
 * kernel can't show them: other versions, other page sizes, mirrored memory,
 * spaces without pages, memory that runs out.
 */
#include "unit.h"

#include "pmap/pmap.h"
#include "vma/space.h"

#define V(major, minor) MW_LINUX(major, minor)

static int64_t advise(struct bench *b, int64_t page, int64_t n, uint64_t advice)
{
    struct mw_why why;
    int64_t r = mw_madvise(b->space, at(b, page), (uint64_t)n * b->page, advice, &why);
    expect_why(r, &why, "madvise");
    return r;
}

static int64_t lock(struct bench *b, int64_t page, int64_t n)
{
    struct mw_why why;
    int64_t r = mw_mlock(b->space, at(b, page), (uint64_t)n * b->page, &why);
    expect_why(r, &why, "mlock");
    return r;
}

static uint64_t resident(struct bench *b)
{
    struct mw_stats s;
    mw_stats(b->space, &s);
    return s.resident;
}

static uint64_t locked(struct bench *b)
{
    struct mw_stats s;
    mw_stats(b->space, &s);
    return s.locked;
}

static void start_as(struct bench *b, uint32_t version, uint32_t options)
{
    bench_config(b, 12, 4096);
    b->config.linux_version = version;
    b->config.options |= options;
    bench_open(b);
}

static enum mw_fault_result fault(struct bench *b, int64_t page)
{
    return mw_fault(b->space, at(b, page), MW_ACCESS_READ);
}

/* ARG-5, LOCK-9: calls and flags that came later */
static void new_calls(void **state)
{
    static const struct { uint32_t version; int64_t mlock2, all, seal; } c[] = {
        { V(4, 3), -MW_ENOSYS, -MW_EINVAL, -MW_ENOSYS },
        { V(4, 4), 0, 0, -MW_ENOSYS },
        { V(6, 9), 0, 0, -MW_ENOSYS },
        { V(6, 10), 0, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct mw_why why;
        struct bench b;
        start_as(&b, c[i].version, 0);
        draw(&b, "aa");
        assert_int_equal(mw_mlock2(b.space, at(&b, 0), b.page, 1, &why), c[i].mlock2);
        if (c[i].mlock2)
            assert_string_equal(mw_why_rule(&why), "ARG-5");
        assert_int_equal(mw_mlockall(b.space, MW_MCL_FUTURE | MW_MCL_ONFAULT, &why), c[i].all);
        assert_int_equal(mw_mseal(b.space, at(&b, 0), b.page, 0, &why), c[i].seal);
        if (c[i].seal)
            assert_string_equal(mw_why_rule(&why), "ARG-5");
        bench_close(&b);
    }
}

/* LOCK-8: on fault, and no access */
static void onfault_none(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct bench b;
        start_as(&b, late ? V(6, 1) : V(5, 10), 0);
        draw(&b, "--");
        assert_int_equal(mw_mlock2(b.space, at(&b, 0), b.page, MW_MLOCK_ONFAULT, NULL),
                         late ? 0 : -MW_ENOMEM);
        assert_int_equal(locked(&b), 1);
        bench_close(&b);
    }
}

/* ADVICE-1: which advice is known since when */
static void new_advice(void **state)
{
    static const struct { uint64_t advice; uint32_t since; } c[] = {
        { MW_MADV_FREE, V(4, 5) }, { MW_MADV_WIPEONFORK, V(4, 14) },
        { MW_MADV_KEEPONFORK, V(4, 14) }, { MW_MADV_COLD, V(5, 4) }, { MW_MADV_PAGEOUT, V(5, 4) },
        { MW_MADV_POPULATE_READ, V(5, 14) }, { MW_MADV_POPULATE_WRITE, V(5, 14) },
        { MW_MADV_DONTNEED_LOCKED, V(5, 18) }, { MW_MADV_GUARD_INSTALL, V(6, 13) },
        { MW_MADV_GUARD_REMOVE, V(6, 13) },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        for (uint32_t late = 0; late < 2; late++) {
            struct bench b;
            start_as(&b, c[i].since - 1 + late, 0);
            draw(&b, "aa");
            assert_int_equal(advise(&b, 0, 1, c[i].advice), late ? 0 : -MW_EINVAL);
            bench_close(&b);
        }
}

/* ADVICE-1, ADVICE-12: what needs transparent huge pages, and what is not modelled */
static void not_modelled(void **state)
{
    static const uint64_t huge[] = { MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE, MW_MADV_COLLAPSE };
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aa");
    assert_int_equal(advise(&b, 0, 1, MW_MADV_HUGEPAGE), 0);
    assert_int_equal(advise(&b, 0, 1, MW_MADV_HWPOISON), -MW_ENOSYS);
    assert_int_equal(advise(&b, 0, 1, MW_MADV_SOFT_OFFLINE), -MW_ENOSYS);
    bench_close(&b);
    bench_config(&b, 12, 64);
    b.config.options = 0;
    bench_open(&b);
    draw(&b, "aa");
    for (int i = 0; i < 3; i++)
        assert_int_equal(advise(&b, 0, 1, huge[i]), -MW_EINVAL);
    bench_close(&b);
}

/* what is said where two things are wrong, and the errno does not tell: ADVICE-1, SYNC-1, SEAL-2 */
static void order(void **state)
{
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_madvise(b.space, at(&b, 0) + 1, 1, 99, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "ADVICE-1");
    assert_int_equal(mw_madvise(b.space, at(&b, 0) + 1, ~0ull, 0, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "ARG-1");
    assert_int_equal(mw_msync(b.space, at(&b, 0) + 1, 1, 8, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "SYNC-1");
    assert_int_equal(mw_msync(b.space, at(&b, 0) + 1, 1, MW_MS_ASYNC | MW_MS_SYNC, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "ARG-1");
    assert_int_equal(mw_mseal(b.space, at(&b, 0) + 1, ~0ull, 1, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "SEAL-2");
    assert_int_equal(mw_mseal(b.space, at(&b, 0) + 1, ~0ull, 0, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "ARG-1");
    bench_close(&b);
}

/* ADVICE-4: what a cut too many is called */
static void cut_refused(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct bench b;
        bench_config(&b, 12, 64);
        b.config.linux_version = late ? V(6, 1) : V(5, 10);
        b.config.max_map_count = 1;
        bench_open(&b);
        draw(&b, "aaa");
        assert_int_equal(advise(&b, 1, 1, MW_MADV_DONTDUMP), late ? -MW_EAGAIN : -MW_ENOMEM);
        assert_int_equal(advise(&b, 0, 3, MW_MADV_DONTDUMP), 0);
        bench_close(&b);
    }
}

/* ADVICE-9: REMOVE of shared memory that is read only just now */
static void remove_readonly(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct bench b;
        start_as(&b, late ? V(6, 1) : V(5, 10), 0);
        draw(&b, "FF");
        poke(&b, at(&b, 0), 5);
        assert_int_equal(mw_mprotect(b.space, at(&b, 0), b.page, RO_, NULL), 0);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_REMOVE), late ? 0 : -MW_EACCES);
        assert_int_equal(peek(&b, at(&b, 0)), late ? 0 : 5);
        bench_close(&b);
    }
}

/* ADVICE-9: what is read in reads zero once it is removed, also where nobody had read it */
static void remove_files(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "FFFFffff");
    assert_int_equal(peek(&b, at(&b, 1)), 101);
    assert_int_equal(peek(&b, at(&b, 4)), 104);
    assert_int_equal(advise(&b, 0, 3, MW_MADV_REMOVE), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(peek(&b, at(&b, i)), 0);
    assert_int_equal(peek(&b, at(&b, 3)), 103);
    assert_int_equal(advise(&b, 4, 1, MW_MADV_REMOVE), -MW_EACCES);
    assert_int_equal(peek(&b, at(&b, 4)), 104);
    bench_close(&b);
}

/* ADVICE-9: offsets are signed */
static void remove_far(void **state)
{
    static const struct {
        uint64_t offset, pages;
        int64_t want;
    } cases[] = {
        { 0x7fffffffffffe000, 1, 0 }, { 0x7fffffffffffe000, 2, -MW_EFBIG }, { 0x7ffffffffffff000, 1, -MW_EFBIG },
        { 0x8000000000000000, 1, -MW_EINVAL }, { 0x8000000000001000, 2, -MW_EINVAL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        bench_start(&b);
        struct mw_file device = { b.file.object, MW_FILE_READ | MW_FILE_WRITE | MW_FILE_DEVICE };
        assert_int_equal(mw_mmap(b.space, at(&b, 0), cases[i].pages * b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED,
                                 &device, cases[i].offset, NULL), at(&b, 0));
        assert_int_equal(mw_madvise(b.space, at(&b, 0), cases[i].pages * b.page, MW_MADV_REMOVE, NULL), cases[i].want);
        bench_close(&b);
    }
}

/* ADVICE-11: before 6.12 populating goes on beyond a hole */
static void populate_holes(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct bench b;
        start_as(&b, late ? V(6, 12) : V(6, 1), 0);
        draw(&b, "aa.aa");
        assert_int_equal(advise(&b, 0, 5, MW_MADV_POPULATE_WRITE), -MW_ENOMEM);
        assert_int_equal(resident(&b), late ? 2 : 4);
        bench_close(&b);
    }
}

/* ADVICE-5: DOFORK of huge pages */
static void dofork_huge(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct bench b;
        start_as(&b, late ? V(7, 0) : V(6, 19), 0);
        assert_true(mw_mmap(b.space, BASE, MW_HUGE_SIZE, RW_,
                            FIXED_ | MW_MAP_HUGETLB | MW_MAP_NORESERVE, NULL, 0, NULL) > 0);
        assert_int_equal(advise(&b, 0, 512, MW_MADV_DONTFORK), 0);
        assert_int_equal(advise(&b, 0, 512, MW_MADV_DOFORK), late ? -MW_EINVAL : 0);
        bench_close(&b);
    }
}

/* ADVICE-13: guards of files and shared memory */
static void guard_files(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct bench b;
        start_as(&b, late ? V(6, 15) : V(6, 14), 0);
        draw(&b, "aaFFff");
        assert_int_equal(advise(&b, 0, 1, MW_MADV_GUARD_INSTALL), 0);
        assert_int_equal(advise(&b, 2, 1, MW_MADV_GUARD_INSTALL), late ? 0 : -MW_EINVAL);
        assert_int_equal(advise(&b, 4, 1, MW_MADV_GUARD_INSTALL), late ? 0 : -MW_EINVAL);
        assert_int_equal(fault(&b, 0), MW_FAULT_SEGV_MAPERR);
        assert_int_equal(fault(&b, 2), late ? MW_FAULT_SEGV_MAPERR : MW_FAULT_OK);
        bench_close(&b);
    }
}

/* ADVICE-13: what has a guard may not merge, until 6.17 not even shared memory */
static void guard_touches(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        const int shared = MW_MAP_SHARED | MW_MAP_FIXED;
        struct bench b;
        start_as(&b, late ? V(6, 18) : V(6, 17), 0);
        draw(&b, "FF");
        mw_mmap(b.space, at(&b, 3), b.page, RW_, (uint64_t)shared, &b.file, 3 * b.page, NULL);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_GUARD_INSTALL), 0);
        assert_int_equal(advise(&b, 3, 1, MW_MADV_GUARD_INSTALL), 0);
        mw_mmap(b.space, at(&b, 2), b.page, RW_, (uint64_t)shared, &b.file, 2 * b.page, NULL);
        expect_row(&b, late ? "FFFF" : "FFF|F", "shared");
        bench_close(&b);
    }
}

/* SEAL-6; ADVICE-7: a defect of 6.16 */
static void sealed_advice(void **state)
{
    (void)state;
    for (uint32_t defect = 0; defect < 2; defect++) {
        struct bench b;
        start_as(&b, defect ? V(6, 16) : V(6, 17), MW_OPT_DEFECTS);
        draw(&b, "rr");
        assert_int_equal(mw_mseal(b.space, at(&b, 0), b.page, 0, NULL), 0);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_WIPEONFORK), -MW_EPERM);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_UNMERGEABLE), 0);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_DONTNEED), -MW_EPERM);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_MERGEABLE), 0);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_UNMERGEABLE), 0);
        assert_int_equal(advise(&b, 0, 1, MW_MADV_DONTNEED), defect ? 0 : -MW_EPERM);
        assert_int_equal(mw_munmap(b.space, at(&b, 0), b.page, NULL), defect ? 0 : -MW_EPERM);
        bench_close(&b);
    }
}

/* ADVICE-8, ADVICE-13, MIRROR-8: pages with two addresses */
static void mirrored(void **state)
{
    const uint32_t how = MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED | MW_MREMAP_MIRROR;
    struct mw_why why;
    struct bench b;
    (void)state;
    start_as(&b, MW_LINUX_NEWEST, MW_OPT_EXTENSIONS);
    draw(&b, "aaaaff");
    for (int i = 0; i < 6; i++)
        poke(&b, at(&b, i), (uint32_t)i + 1);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 6 * b.page, 6 * b.page, how, at(&b, 20), NULL),
                     at(&b, 20));
    assert_int_equal(advise(&b, 21, 2, MW_MADV_DONTNEED), 0);
    assert_int_equal(peek(&b, at(&b, 1)), 0);
    assert_int_equal(peek(&b, at(&b, 22)), 0);
    assert_int_equal(peek(&b, at(&b, 0)), 1);
    assert_int_equal(peek(&b, at(&b, 3)), 4);
    assert_int_equal(advise(&b, 4, 1, MW_MADV_DONTNEED), 0);
    assert_int_equal(peek(&b, at(&b, 24)), 104); /* as the file has it */
    assert_int_equal(peek(&b, at(&b, 25)), 6);
    assert_int_equal(advise(&b, 0, 1, MW_MADV_REMOVE), -MW_EINVAL);
    assert_int_equal(advise(&b, 0, 1, MW_MADV_GUARD_INSTALL), -MW_EINVAL);
    poke(&b, at(&b, 1), 9);
    assert_int_equal(peek(&b, at(&b, 21)), 9);
    draw(&b, ".......aaaa");
    assert_int_equal(advise(&b, 8, 1, MW_MADV_GUARD_INSTALL), 0);
    assert_int_equal(mw_mremap(b.space, at(&b, 7), 4 * b.page, 4 * b.page, how, at(&b, 40), &why),
                     -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MIRROR-8");
    assert_int_equal(advise(&b, 8, 1, MW_MADV_GUARD_REMOVE), 0);
    assert_int_equal(mw_mremap(b.space, at(&b, 7), 4 * b.page, 4 * b.page, how, at(&b, 40), NULL),
                     at(&b, 40));
    bench_close(&b);
}

/* ADVICE-8: of a mirror of whole tables a few pages go, and the rest stays */
static void mirrored_tables(void **state)
{
    const uint32_t how = MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED | MW_MREMAP_MIRROR;
    const uint64_t big = 1024;
    struct bench b;
    (void)state;
    start_as(&b, MW_LINUX_NEWEST, MW_OPT_EXTENSIONS);
    assert_true(mw_mmap(b.space, BASE, big * b.page, RW_, FIXED_, NULL, 0, NULL) > 0);
    for (int i = 0; i < (int)big; i++)
        poke(&b, at(&b, i), (uint32_t)i + 1);
    assert_int_equal(mw_mremap(b.space, BASE, big * b.page, big * b.page, how, BASE + (1ull << 30), NULL),
                     BASE + (1ull << 30));
    assert_int_equal(advise(&b, 100, 600, MW_MADV_DONTNEED), 0);
    assert_int_equal(resident(&b), big - 600);
    for (int i = 0; i < (int)big; i += 50) {
        int64_t want = i >= 100 && i < 700 ? 0 : i + 1;
        assert_int_equal(peek(&b, BASE + (1ull << 30) + (uint64_t)i * b.page), want);
        assert_int_equal(peek(&b, at(&b, i)), want);
    }
    bench_close(&b);
}

/* ADVICE-8: huge pages that a child has too are set aside anew, or stay */
static void huge_of_child(void **state)
{
    struct mw_space *child;
    struct mw_huge_stats h;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 8192);
    bench_open(&b);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 3), 3);
    assert_true(mw_mmap(b.space, BASE, 2 * MW_HUGE_SIZE, RW_, FIXED_ | MW_MAP_HUGETLB, NULL, 0, NULL) > 0);
    poke(&b, BASE, 1);
    poke(&b, BASE + MW_HUGE_SIZE, 2);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_madvise(b.space, BASE, MW_HUGE_SIZE, MW_MADV_DONTNEED, NULL), 0);
    mw_frames_huge(b.frames, 21, &h);
    assert_int_equal(h.promised, 1);
    assert_int_equal(mw_madvise(b.space, BASE + MW_HUGE_SIZE, MW_HUGE_SIZE, MW_MADV_DONTNEED, NULL),
                     -MW_ENOMEM);
    assert_int_equal(peek(&b, BASE), 0);
    assert_int_equal(peek(&b, BASE + MW_HUGE_SIZE), 2);
    mw_space_destroy(child);
    assert_int_equal(mw_madvise(b.space, BASE, 2 * MW_HUGE_SIZE, MW_MADV_DONTNEED, NULL), 0);
    mw_frames_huge(b.frames, 21, &h);
    assert_int_equal(h.promised, 2);
    assert_int_equal(h.free, 3);
    bench_close(&b);
}

/* ADVICE-10: what is only a hint changes nothing */
static void hints(void **state)
{
    static const uint64_t advice[] = { MW_MADV_FREE, MW_MADV_COLD, MW_MADV_PAGEOUT, MW_MADV_WILLNEED };
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aaaa");
    poke(&b, at(&b, 1), 7);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(advise(&b, 0, 4, advice[i]), 0);
        assert_int_equal(peek(&b, at(&b, 1)), 7);
    }
    bench_close(&b);
}

/* every call with larger pages: LOCK-1, ADVICE-2, ADVICE-8, ADVICE-13, CORE-3, SEAL-3, SYNC-2 */
static void larger_pages(void **state)
{
    (void)state;
    for (uint32_t shift = 14; shift <= 16; shift += 2) {
        unsigned char vec[4];
        struct bench b;
        bench_config(&b, shift, 256);
        bench_open(&b);
        draw(&b, "aaaa");
        assert_int_equal(mw_mlock(b.space, at(&b, 1) + 4096, 1, NULL), 0);
        assert_int_equal(locked(&b), 1);
        assert_int_equal(resident(&b), 1);
        assert_int_equal(mw_munlock(b.space, at(&b, 1) + 4096, 4096, NULL), 0);
        assert_int_equal(locked(&b), 0);
        assert_int_equal(mw_madvise(b.space, at(&b, 0) + 4096, b.page, MW_MADV_DONTNEED, NULL), -MW_EINVAL);
        poke(&b, at(&b, 0), 5);
        poke(&b, at(&b, 2), 6);
        assert_int_equal(mw_mincore(b.space, at(&b, 0), 3 * b.page + 1, vec, NULL), 0);
        assert_memory_equal(vec, "\1\1\1\0", 4);
        assert_int_equal(mw_madvise(b.space, at(&b, 0), 4096, MW_MADV_DONTNEED, NULL), 0);
        assert_int_equal(peek(&b, at(&b, 0)), 0);
        assert_int_equal(peek(&b, at(&b, 2)), 6);
        assert_int_equal(advise(&b, 2, 1, MW_MADV_GUARD_INSTALL), 0);
        assert_int_equal(fault(&b, 2), MW_FAULT_SEGV_MAPERR);
        assert_int_equal(fault(&b, 3), MW_FAULT_OK);
        assert_int_equal(mw_msync(b.space, at(&b, 0) + 4096, b.page, 0, NULL), -MW_EINVAL);
        assert_int_equal(mw_mseal(b.space, at(&b, 0) + 4096, b.page, 0, NULL), -MW_EINVAL);
        assert_int_equal(mw_mseal(b.space, at(&b, 0), 4096, 0, NULL), 0);
        assert_int_equal(mw_munmap(b.space, at(&b, 0), b.page, NULL), -MW_EPERM);
        assert_int_equal(mw_munmap(b.space, at(&b, 1), b.page, NULL), 0);
        bench_close(&b);
    }
}

/* a space without pages: LOCK-8 by protections and sizes, CORE-1 and ENGINE-2, what is touched */
static void layout_only(void **state)
{
    unsigned char vec[4];
    struct mw_vma v;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 0);
    bench_open(&b);
    draw(&b, "aaa-rrr");
    assert_int_equal(lock(&b, 0, 2), 0);
    assert_int_equal(locked(&b), 2);
    assert_true(mw_find_vma(b.space, at(&b, 0), &v) && v.anon);
    assert_int_equal(lock(&b, 3, 1), -MW_ENOMEM);
    assert_int_equal(lock(&b, 4, 2), 0);
    assert_true(mw_find_vma(b.space, at(&b, 4), &v) && !v.anon);
    assert_int_equal(advise(&b, 6, 1, MW_MADV_POPULATE_WRITE), -MW_EINVAL);
    assert_int_equal(advise(&b, 6, 1, MW_MADV_POPULATE_READ), 0);
    assert_int_equal(advise(&b, 2, 1, MW_MADV_GUARD_INSTALL), 0);
    assert_int_equal(advise(&b, 2, 1, MW_MADV_DONTNEED), 0);
    assert_true(mw_mmap(b.space, at(&b, 10), 70 * b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &b.file, 0,
                        NULL) > 0);
    assert_int_equal(lock(&b, 10, 64), 0);
    assert_int_equal(lock(&b, 10, 65), -MW_ENOMEM);
    assert_int_equal(advise(&b, 73, 2, MW_MADV_POPULATE_READ), -MW_EFAULT);
    assert_int_equal(advise(&b, 10, 2, MW_MADV_REMOVE), -MW_EINVAL);
    assert_int_equal(mw_mincore(b.space, at(&b, 0) + 1, 1, vec, NULL), -MW_EINVAL);
    assert_int_equal(mw_mincore(b.space, b.config.task_size, 1, vec, NULL), -MW_ENOMEM);
    assert_int_equal(mw_mincore(b.space, at(&b, 0), b.page, vec, NULL), -MW_ENOSYS);
    bench_close(&b);
}

/* CORE-4: huge pages; CORE-3: a mirror's page is its object's */
static void core(void **state)
{
    const uint32_t how = MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED | MW_MREMAP_MIRROR;
    unsigned char vec[4];
    struct bench b;
    (void)state;
    bench_config(&b, 12, 8192);
    b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&b);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 3), 3);
    assert_true(mw_mmap(b.space, BASE, 2 * MW_HUGE_SIZE, RW_, FIXED_ | MW_MAP_HUGETLB, NULL, 0, NULL) > 0);
    poke(&b, BASE, 1);
    assert_int_equal(mw_mincore(b.space, BASE + MW_HUGE_SIZE - 2 * b.page, 4 * b.page, vec, NULL), 0);
    assert_memory_equal(vec, "\1\1\0\0", 4);
    assert_true(mw_mmap(b.space, at(&b, 2000), 4 * b.page, RW_, FIXED_, NULL, 0, NULL) > 0);
    assert_int_equal(mw_mremap(b.space, at(&b, 2000), 4 * b.page, 4 * b.page, how, at(&b, 3000), NULL),
                     at(&b, 3000));
    poke(&b, at(&b, 2001), 1);
    assert_int_equal(mw_mincore(b.space, at(&b, 3000), 4 * b.page, vec, NULL), 0);
    assert_memory_equal(vec, "\0\1\0\0", 4);
    bench_close(&b);
}

/* LOCK-8, ADVICE-11, ADVICE-13: no frame is left */
static void no_frames(void **state)
{
    struct mw_why why;
    struct bench b;
    int64_t r;
    (void)state;
    bench_config(&b, 12, 16);
    bench_open(&b);
    assert_true(mw_mmap(b.space, BASE, 64 * b.page, RW_, FIXED_, NULL, 0, NULL) > 0);
    r = mw_mlock(b.space, BASE, 64 * b.page, &why);
    assert_int_equal(r, -MW_EAGAIN);
    assert_string_equal(mw_why_rule(&why), "LOCK-8");
    assert_int_equal(locked(&b), 64);
    assert_int_equal(mw_munlockall(b.space, NULL), 0);
    assert_int_equal(locked(&b), 0);
    assert_int_equal(advise(&b, 0, 64, MW_MADV_POPULATE_WRITE), -MW_ENOMEM);
    assert_int_equal(mw_mmap(b.space, BASE + (1ull << 40), b.page, RW_, FIXED_, NULL, 0, NULL),
                     BASE + (1ull << 40));
    assert_int_equal(mw_madvise(b.space, BASE + (1ull << 40), b.page, MW_MADV_GUARD_INSTALL, &why), -MW_ENOMEM);
    assert_string_equal(mw_why_rule(&why), "ADVICE-11");
    assert_int_equal(advise(&b, 0, 64, MW_MADV_DONTNEED), 0);
    assert_int_equal(resident(&b), 0);
    bench_close(&b);
}

/* WOULD-1: other versions are asked for these calls too */
static void would(void **state)
{
    const struct mw_call guard = { .name = MW_CALL_MADVISE,
                                   .arg = { BASE, 4096, MW_MADV_GUARD_INSTALL } };
    const struct mw_call calls[] = {
        { .name = MW_CALL_MLOCK, .arg = { BASE, 4096 } },
        { .name = MW_CALL_MLOCK2, .arg = { BASE, 4096, 1 } },
        { .name = MW_CALL_MUNLOCK, .arg = { BASE, 4096 } },
        { .name = MW_CALL_MLOCKALL, .arg = { MW_MCL_CURRENT } },
        { .name = MW_CALL_MUNLOCKALL },
        { .name = MW_CALL_MSYNC, .arg = { BASE, 4096, MW_MS_SYNC } },
        { .name = MW_CALL_MSEAL, .arg = { BASE, 4096, 0 } },
    };
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aa");
    assert_int_equal(mw_would(b.space, V(6, 12), &guard, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "ADVICE-1");
    assert_int_equal(mw_would(b.space, V(6, 13), &guard, &why), 0);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        assert_int_equal(mw_would(b.space, V(6, 18), &calls[i], &why), 0);
    assert_int_equal(locked(&b), 0);
    expect_row(&b, "aa", "nothing has changed");
    bench_close(&b);
}

/* FORK-3, CORE-3: what was only read is not there for a child, what was written is */
static void pages_of_child(void **state)
{
    (void)state;
    for (int written = 0; written < 2; written++) {
        struct mw_space *child;
        unsigned char vec[2] = { 9, 9 };
        struct bench b;
        start_as(&b, V(6, 18), 0);
        assert_true(mw_mmap(b.space, at(&b, 0), 2 * b.page, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL) > 0);
        assert_int_equal(fault(&b, 0), MW_FAULT_OK);
        if (written)
            assert_int_equal(mw_fault(b.space, at(&b, 1), MW_ACCESS_WRITE), MW_FAULT_OK);
        assert_int_equal(mw_fork(b.space, 2, &child, NULL), 0);
        assert_int_equal(mw_mincore(b.space, at(&b, 0), 2 * b.page, vec, NULL), 0);
        assert_int_equal(vec[0] + 2 * vec[1], 1 + 2 * written);
        assert_int_equal(mw_mincore(child, at(&b, 0), 2 * b.page, vec, NULL), 0);
        assert_int_equal(vec[0] + 2 * vec[1], written ? 3 : 0);
        mw_space_destroy(child);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_calls), cmocka_unit_test(onfault_none), cmocka_unit_test(new_advice), cmocka_unit_test(not_modelled),
        cmocka_unit_test(order), cmocka_unit_test(cut_refused), cmocka_unit_test(remove_readonly),
        cmocka_unit_test(remove_files), cmocka_unit_test(remove_far), cmocka_unit_test(populate_holes),
        cmocka_unit_test(dofork_huge), cmocka_unit_test(guard_files), cmocka_unit_test(guard_touches), cmocka_unit_test(sealed_advice),
        cmocka_unit_test(mirrored),
        cmocka_unit_test(mirrored_tables), cmocka_unit_test(huge_of_child), cmocka_unit_test(hints),
        cmocka_unit_test(larger_pages), cmocka_unit_test(layout_only), cmocka_unit_test(core),
        cmocka_unit_test(no_frames), cmocka_unit_test(pages_of_child), cmocka_unit_test(would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
