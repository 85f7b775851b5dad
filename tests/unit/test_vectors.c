/* SPDX-License-Identifier: MIT */
/*
 * test_vectors.c - process_madvise and remap_file_pages where the running kernel
 * can't show them: other versions, other page sizes, reasons, spaces without pages.
 */
#include "unit.h"

#include "mapwright/watch.h"

#define V(major, minor) MW_LINUX(major, minor)

static void start_as(struct bench *b, uint32_t version, uint32_t shift)
{
    bench_config(b, shift, 4096);
    b->config.linux_version = version;
    bench_open(b);
}

static int64_t advise(struct bench *b, const struct mw_iovec *v, uint64_t n, uint64_t advice, bool self,
                      const char *rule)
{
    struct mw_why why;
    int64_t r = mw_process_madvise(b->space, v, n, advice, 0, self, &why);
    if (r < 0)
        expect_why(r, &why, "process_madvise");
    assert_string_equal(mw_why_rule(&why), rule);
    return r;
}

static int64_t remap(struct bench *b, int64_t page, int64_t n, uint64_t index, const char *rule)
{
    struct mw_why why;
    int64_t r = mw_remap_file_pages(b->space, at(b, page), (uint64_t)n * b->page, 0, index, 0, &why);
    expect_why(r, &why, "remap_file_pages");
    assert_string_equal(mw_why_rule(&why), rule);
    return r;
}

/* ARG-5, PMADV-3: when the call came, and what it may be asked of whom */
static void advice_by_version(void **state)
{
    static const struct { uint32_t version; bool self; uint64_t advice; int64_t r; const char *rule; } c[] = {
        { V(5, 9), true, MW_MADV_COLD, -MW_ENOSYS, "ARG-5" },
        { V(5, 10), true, MW_MADV_COLD, 4096, "" },
        { V(5, 10), false, MW_MADV_PAGEOUT, 4096, "" },
        { V(5, 10), true, MW_MADV_WILLNEED, -MW_EINVAL, "PMADV-3" },
        { V(6, 1), true, MW_MADV_WILLNEED, 4096, "" },
        { V(6, 1), false, MW_MADV_WILLNEED, 4096, "" },
        { V(6, 12), true, MW_MADV_DONTNEED, -MW_EINVAL, "PMADV-3" },
        { V(6, 13), true, MW_MADV_DONTNEED, 4096, "" },
        { V(7, 3), false, MW_MADV_DONTNEED, -MW_EINVAL, "PMADV-3" },
        { V(7, 3), false, MW_MADV_FREE, -MW_EINVAL, "PMADV-3" },
        { V(7, 3), true, 777, -MW_EINVAL, "ADVICE-1" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        start_as(&b, c[i].version, 12);
        draw(&b, "aa");
        const struct mw_iovec v = { at(&b, 0), b.page };
        assert_int_equal(advise(&b, &v, 1, c[i].advice, c[i].self, c[i].rule), c[i].r);
        bench_close(&b);
    }
}

/* PMADV-4: since 7.2 an unknown advice is one without any bytes too */
static void nothing_to_advise(void **state)
{
    static const struct { uint32_t version; int64_t r; const char *rule; } c[] = {
        { V(6, 13), 0, "" }, { V(7, 1), 0, "" }, { V(7, 2), -MW_EINVAL, "ADVICE-1" },
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bench b;
        start_as(&b, c[i].version, 12);
        const struct mw_iovec v[2] = { { at(&b, 0) + 1, 0 }, { at(&b, 0), 0 } };
        assert_int_equal(advise(&b, v, 2, 777, true, c[i].rule), c[i].r);
        assert_int_equal(advise(&b, NULL, 0, 777, true, c[i].rule), c[i].r);
        assert_int_equal(advise(&b, v, 2, MW_MADV_DONTNEED, true, ""), 0);
        bench_close(&b);
    }
}

/* PMADV-1, PMADV-2 and their order; PMADV-5: before 6.12 a range is not cut before it is looked at */
static void ranges(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++) {
        struct mw_iovec v[3];
        struct mw_why why;
        struct bench b;
        start_as(&b, old ? V(6, 1) : V(6, 12), 12);
        uint64_t end = b.config.task_size;
        draw(&b, "aaa");
        v[0] = v[1] = v[2] = (struct mw_iovec){ at(&b, 0), b.page };
        assert_int_equal(mw_process_madvise(b.space, v, 1025, MW_MADV_COLD, 4, true, &why), -MW_EINVAL);
        assert_string_equal(mw_why_rule(&why), "PMADV-1");
        assert_int_equal(advise(&b, v, 1025, MW_MADV_COLD, true, "PMADV-2"), -MW_EINVAL);
        v[1].base = end + 1;
        assert_int_equal(advise(&b, v, 3, MW_MADV_FREE, true, "PMADV-2"), -MW_EFAULT);
        v[2].length = 1ull << 63;
        assert_int_equal(advise(&b, v, 3, MW_MADV_COLD, true, "PMADV-2"), -MW_EINVAL);
        v[0] = (struct mw_iovec){ end - 0x7ffff000, 1ull << 40 };
        assert_int_equal(advise(&b, v, 1, MW_MADV_COLD, true, old ? "PMADV-2" : "ADVICE-3"),
                         old ? -MW_EFAULT : -MW_ENOMEM);
        bench_close(&b);
    }
}

/* PMADV-6: how many bytes, and why no more; PMADV-5 with larger pages */
static void bytes_and_reason(void **state)
{
    (void)state;
    for (uint32_t shift = 12; shift <= 16; shift += 4) {
        struct mw_iovec v[3];
        struct bench b;
        start_as(&b, V(6, 18), shift);
        draw(&b, "AA.A");
        v[0] = (struct mw_iovec){ at(&b, 0), 1 };
        v[1] = (struct mw_iovec){ at(&b, 1), 3 * b.page };
        v[2] = (struct mw_iovec){ at(&b, 0), b.page };
        assert_int_equal(advise(&b, v, 3, MW_MADV_DONTNEED, true, "ADVICE-3"), 1);
        assert_int_equal(peek(&b, at(&b, 0)), 0);
        assert_int_equal(peek(&b, at(&b, 3)), 0); /* done, and not counted */
        assert_int_equal(advise(&b, v + 1, 1, MW_MADV_DONTNEED, true, "ADVICE-3"), -MW_ENOMEM);
        v[0] = (struct mw_iovec){ at(&b, 0) + 1, 0 };
        assert_int_equal(advise(&b, v, 1, MW_MADV_DONTNEED, true, ""), 0);
        assert_int_equal(advise(&b, v, 3, MW_MADV_DONTNEED, true, "ARG-1"), -MW_EINVAL);
        assert_int_equal(mw_mmap(b.space, at(&b, 1 << 20), 4ull << 30, 0, FIXED_, NULL, 0, NULL), at(&b, 1 << 20));
        v[0] = v[1] = (struct mw_iovec){ at(&b, 1 << 20), 2ull << 30 };
        assert_int_equal(advise(&b, v, 2, MW_MADV_RANDOM, true, ""), (2ll << 30) - (int64_t)b.page);
        bench_close(&b);
    }
}

/* WOULD-1, WOULD-2: both are asked of other versions, and of spaces without pages */
static void would(void **state)
{
    (void)state;
    for (int pages = 0; pages < 2; pages++) {
        const uint32_t versions[] = { V(3, 19), V(5, 9), V(5, 10), V(6, 13), V(7, 2) };
        struct mw_answer a[5];
        struct mw_why why;
        struct bench b;
        bench_config(&b, 12, 4096);
        b.config.frames = pages ? b.config.frames : NULL;
        bench_open(&b);
        assert_int_equal(mw_mmap(b.space, at(&b, 0), 4 * b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &b.file, 0, NULL),
                         at(&b, 0));
        const struct mw_iovec v = { at(&b, 0), b.page };
        const struct mw_call advised = { .name = MW_CALL_PROCESS_MADVISE, .ranges = &v,
                                         .arg = { 0, 1, MW_MADV_DONTFORK, 0, true } };
        const struct mw_call remapped = { .name = MW_CALL_REMAP_FILE_PAGES,
                                          .arg = { at(&b, 1), b.page, 0, 3, MW_MAP_NONBLOCK } };
        mw_would_each(b.space, versions, 5, &advised, a);
        assert_int_equal(a[1].result, -MW_ENOSYS);
        assert_int_equal(a[2].result, -MW_EINVAL);
        assert_int_equal(a[3].result, 4096);
        mw_would_each(b.space, versions, 5, &remapped, a);
        assert_int_equal(a[0].result, -MW_ENOSYS);
        assert_string_equal(mw_why_rule(&a[0].why), "ENGINE-2");
        assert_int_equal(a[1].result, 0);
        assert_int_equal(mw_would(b.space, V(6, 18), &remapped, &why), 0);
        expect_row(&b, "FFFF", "nothing has changed");
        assert_int_equal(remap(&b, 1, 1, 3, ""), 0);
        expect_row(&b, "F|F|FF", "a page of the file");
        bench_close(&b);
    }
}

/* REMAPF-1 to REMAPF-4 by their reasons, with pages of each size */
static void remap_refused(void **state)
{
    (void)state;
    for (uint32_t shift = 12; shift <= 16; shift += 2) {
        struct mw_why why;
        struct bench b;
        start_as(&b, V(6, 18), shift);
        const uint64_t most = ~0ull >> shift;
        draw(&b, "ss.aafFFF");
        assert_int_equal(mw_remap_file_pages(b.space, at(&b, 0), b.page, 4, 0, 0, &why), -MW_EINVAL);
        assert_string_equal(mw_why_rule(&why), "REMAPF-1");
        assert_int_equal(mw_remap_file_pages(b.space, at(&b, 0), b.page - 1, 0, 0, 0, &why), -MW_EINVAL);
        assert_string_equal(mw_why_rule(&why), "REMAPF-2");
        assert_int_equal(mw_remap_file_pages(b.space, ~0ull, 2 * b.page, 0, 0, 0, &why), -MW_EINVAL);
        assert_string_equal(mw_why_rule(&why), "REMAPF-2");
        assert_int_equal(remap(&b, 0, 1, ~0ull, "REMAPF-2"), -MW_EINVAL);
        assert_int_equal(remap(&b, 0, 1, most, "MMAP-5"), -MW_EOVERFLOW);
        assert_int_equal(remap(&b, 0, 1, most + 1, "MMAP-5"), -MW_EOVERFLOW);
        assert_int_equal(remap(&b, 0, 1, ~0ull - 1, "MMAP-5"), -MW_EOVERFLOW);
        assert_int_equal(remap(&b, 1, 2, 0, "REMAPF-3"), -MW_EINVAL);
        assert_int_equal(remap(&b, 3, 1, 0, "REMAPF-3"), -MW_EINVAL);
        assert_int_equal(remap(&b, 5, 1, 0, "REMAPF-3"), -MW_EINVAL);
        assert_int_equal(remap(&b, 100, 1, 0, "REMAPF-3"), -MW_EINVAL);
        expect_row(&b, "ss.aafFFF", "nothing has changed");
        bench_close(&b);
    }
}

/* REMAPF-3: names and labels may differ, flags not; REMAPF-6: all of them are lost */
static void remap_beside_flags(void **state)
{
    struct mw_vma v;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "ssss");
    assert_int_equal(mw_name(b.space, at(&b, 1), b.page, "pool", NULL), 0);
    assert_int_equal(mw_import_flags(b.space, at(&b, 2), at(&b, 3), 0, MW_VM_LABEL & -MW_VM_LABEL, true), 0);
    assert_int_equal(remap(&b, 0, 4, 0, ""), 0);
    expect_row(&b, "ssss", "one again");
    assert_true(mw_find_vma(b.space, at(&b, 0), &v));
    assert_int_equal(v.flags & (MW_VM_NAME | MW_VM_LABEL), 0);
    assert_int_equal(mw_import_flags(b.space, at(&b, 2), at(&b, 3), 0, MW_VM_DONTCOPY, true), 0);
    assert_int_equal(remap(&b, 0, 4, 0, "REMAPF-3"), -MW_EINVAL);
    bench_close(&b);
}

/* REMAPF-5: pages are made present, or not */
static void remap_populates(void **state)
{
    (void)state;
    for (uint64_t flags = 0; flags <= MW_MAP_NONBLOCK; flags += MW_MAP_NONBLOCK) {
        struct mw_stats s;
        struct bench b;
        bench_start(&b);
        draw(&b, "ssssssss");
        assert_int_equal(mw_remap_file_pages(b.space, at(&b, 1), 3 * b.page, 0, 4, flags, NULL), 0);
        mw_stats(b.space, &s);
        assert_int_equal(s.resident, flags ? 0 : 3);
        bench_close(&b);
    }
}

/* REMAPF-6: a lock stays, without ONFAULT; REMAPF-4: huge pages are remapped whole */
static void remap_locked_and_huge(void **state)
{
    struct mw_stats s;
    struct mw_vma v;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 64);
    b.config.frames = NULL;
    bench_open(&b);
    draw(&b, "ssss");
    assert_int_equal(mw_mlock2(b.space, at(&b, 1), 2 * b.page, MW_MLOCK_ONFAULT, NULL), 0);
    assert_int_equal(remap(&b, 1, 1, 3, ""), 0);
    assert_true(mw_find_vma(b.space, at(&b, 1), &v));
    assert_int_equal(v.flags & (MW_VM_LOCKED | MW_VM_LOCKONFAULT), MW_VM_LOCKED);
    mw_stats(b.space, &s);
    assert_int_equal(s.locked, 2);
    assert_int_equal(mw_mmap(b.space, at(&b, 512), 1024 * b.page, RW_, MW_MAP_SHARED | MW_MAP_ANONYMOUS | MW_MAP_HUGETLB | MW_MAP_FIXED,
                             NULL, 0, NULL), at(&b, 512));
    assert_int_equal(remap(&b, 512, 1, 0, "REMAPF-4"), -MW_EINVAL);
    assert_int_equal(remap(&b, 513, 512, 0, "ARG-1"), -MW_EINVAL);
    assert_int_equal(remap(&b, 512, 512, 512, ""), 0);
    assert_true(mw_find_vma(b.space, at(&b, 512), &v));
    assert_int_equal(v.offset, 512 * b.page);
    bench_close(&b);
}

/* REMAPF-3, REMAPF-7: two attachments of a segment are two files, and a piece is of its own */
static void remap_attachments(void **state)
{
    struct mw_file f = { NULL, MW_FILE_READ | MW_FILE_WRITE };
    struct bench b;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, &b, 2 * b.page, MW_OBJ_SHM, &f.object), 0);
    assert_int_equal(mw_shmat(b.space, &f, at(&b, 0), 0, NULL), at(&b, 0));
    assert_int_equal(mw_shmat(b.space, &f, at(&b, 2), 0, NULL), at(&b, 2));
    assert_int_equal(remap(&b, 1, 2, 0, "REMAPF-3"), -MW_EINVAL);
    assert_int_equal(remap(&b, 1, 1, 0, ""), 0);
    assert_int_equal(mw_object_mapped(f.object), 3);
    assert_int_equal(remap(&b, 0, 2, 0, ""), 0);
    assert_int_equal(mw_object_mapped(f.object), 2);
    assert_int_equal(mw_shmdt(b.space, at(&b, 0), NULL), 0);
    assert_int_equal(mw_object_mapped(f.object), 1);
    mw_object_put(f.object);
    bench_close(&b);
}

static void hear(void *ctx, const struct mw_watch_event *event)
{
    *(uint64_t *)ctx = event->start;
}

/* REMAPF-8: no watcher is told, as mmap tells it */
static void remap_silently(void **state)
{
    struct mw_watcher *w;
    uint64_t heard = 0;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "ssss");
    assert_int_equal(mw_watch_create(b.space, MW_UFFD_FEATURE_EVENT_UNMAP, hear, &heard, &w, NULL), 0);
    assert_int_equal(mw_watch_register(w, at(&b, 0), 4 * b.page, MW_UFFD_MODE_MISSING, NULL, NULL), 0);
    assert_int_equal(remap(&b, 1, 1, 3, ""), 0);
    assert_int_equal(heard, 0);
    assert_int_equal(mw_mmap(b.space, at(&b, 2), b.page, RW_, FIXED_, NULL, 0, NULL), at(&b, 2));
    assert_int_equal(heard, at(&b, 2));
    mw_watch_destroy(w);
    bench_close(&b);
}

/* REMAPF-5: the last mapping of an object whose maker has let go of it is replaced by one of it */
static void remap_all_there_is(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "ssss");
    poke(&b, at(&b, 3), 7);
    assert_int_equal(remap(&b, 0, 4, 1, ""), 0);
    assert_int_equal(peek(&b, at(&b, 2)), 7);
    assert_int_equal(peek(&b, at(&b, 3)), -1); /* beyond its end */
    bench_close(&b);
}

/* a file that refuses at the last (MMAP-28): what was there is gone, the object with it */
static int refuse(void *ctx, const struct mw_space *space, const struct mw_vma *vma)
{
    int *n = ctx;
    (void)space, (void)vma;
    return (*n)++ ? -MW_EACCES : 0;
}

static void remap_file_refuses(void **state)
{
    static const struct mw_object_ops ops = { .map = refuse };
    struct mw_file f = { NULL, MW_FILE_READ | MW_FILE_WRITE };
    struct bench b;
    int n = 0;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_object_create(&b.port, b.frames, &ops, &n, 4 * b.page, 0, &f.object), 0);
    assert_int_equal(mw_mmap(b.space, at(&b, 0), 2 * b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL), at(&b, 0));
    mw_object_put(f.object);
    assert_int_equal(remap(&b, 0, 2, 1, "MMAP-28"), -MW_EACCES);
    expect_row(&b, "", "all is gone");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advice_by_version), cmocka_unit_test(nothing_to_advise), cmocka_unit_test(ranges),
        cmocka_unit_test(bytes_and_reason), cmocka_unit_test(would), cmocka_unit_test(remap_refused),
        cmocka_unit_test(remap_beside_flags), cmocka_unit_test(remap_all_there_is),
        cmocka_unit_test(remap_file_refuses), cmocka_unit_test(remap_populates),
        cmocka_unit_test(remap_attachments), cmocka_unit_test(remap_locked_and_huge), cmocka_unit_test(remap_silently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
