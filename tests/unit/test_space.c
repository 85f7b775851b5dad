/* SPDX-License-Identifier: MIT */
/* test_space.c - configuration, frames, objects, import, and the space's own settings. */
#include "unit.h"

/* Every default is what the header says. */
static void config_defaults(void **state)
{
    struct mw_config c;
    struct mw_port port = { 0 };
    (void)state;
    memset(&c, 0xff, sizeof c);
    mw_config_init(&c, &port);
    assert_ptr_equal(c.port, &port);
    assert_null(c.frames);
    assert_int_equal(c.id, 0);
    assert_int_equal(c.linux_version, MW_LINUX_NEWEST);
    assert_int_equal(c.page_shift, 12);
    assert_int_equal(c.levels, 0);
    assert_int_equal(c.options, MW_OPT_THP);
    assert_int_equal(c.caps, 0);
    assert_int_equal(c.overcommit, 0);
    assert_int_equal(c.task_size, 0x7ffffffff000);
    assert_int_equal(c.min_addr, 65536);
    assert_int_equal(c.min_hint, 65536);
    assert_int_equal(c.mmap_base, 0x7ffff7fff000);
    assert_int_equal(c.low_base, (c.task_size / 3 + 4095) & ~4095ull);
    assert_int_equal(c.brk_start, 0);
    assert_int_equal(c.data_size, 0);
    assert_int_equal(c.stack_gap, 256);
    assert_true(c.limit_as == MW_UNLIMITED && c.limit_data == MW_UNLIMITED);
    assert_true(c.limit_memlock == MW_UNLIMITED);
    assert_int_equal(c.limit_stack, 8 << 20);
    assert_int_equal(c.max_map_count, 65530);
    assert_true(c.ram_pages == MW_UNLIMITED && c.commit_limit == MW_UNLIMITED);
}

static void config_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct mw_space *space = NULL;
        struct bench b;
        bench_config(&b, 12, 16);
        switch (i) {
        case 0: b.config.page_shift = 13; break;
        case 1: b.config.page_shift = 14; break; /* not the pool's */
        case 2: b.config.task_size = 0; break;
        case 3: b.config.task_size += 1; break;
        case 4: b.config.mmap_base = b.config.task_size + 4096; break;
        case 5: b.config.mmap_base += 1; break;
        case 6: b.config.overcommit = 3; break;
        case 7: b.config.levels = 1; break; /* do not cover the space */
        }
        if (mw_space_create(&b.config, &space) != -MW_EINVAL)
            fail_msg("case %d was not refused", i);
        bench_close(&b);
    }
}

static void config_is_copied(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    b.config.max_map_count = 1;
    assert_int_equal(mw_space_config(b.space)->max_map_count, 65530);
    assert_ptr_equal(mw_space_config(b.space)->frames, b.frames);
    mw_set_limit(b.space, MW_LIMIT_STACK, 4096);
    assert_int_equal(mw_space_config(b.space)->limit_stack, 4096);
    mw_set_caps(b.space, MW_CAP_IPC_LOCK);
    assert_int_equal(mw_space_config(b.space)->caps, MW_CAP_IPC_LOCK);
    bench_close(&b);
}

/* ---- frames ---- */

static void frames_arguments(void **state)
{
    struct mw_frames *f = NULL;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 16);
    unsigned char *m = b.memory;
    assert_int_equal(mw_frames_create(&b.port, m + 1, 8 * 4096, 12, &f), -MW_EINVAL);
    assert_int_equal(mw_frames_create(&b.port, m, 8 * 4096 + 1, 12, &f), -MW_EINVAL);
    assert_int_equal(mw_frames_create(&b.port, m, 8 * 4096, 11, &f), -MW_EINVAL);
    assert_int_equal(mw_frames_create(&b.port, m, 8 * 4096, 13, &f), -MW_EINVAL);
    assert_int_equal(mw_frames_create(&b.port, m, 0, 12, &f), -MW_EINVAL);
    assert_true(mw_frames_total(b.frames) <= 16 && mw_frames_total(b.frames) >= 14);
    assert_int_equal(mw_frames_free(b.frames), mw_frames_total(b.frames));
    bench_close(&b);
}

static void frames_busy(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_frames_destroy(b.frames), -MW_EBUSY);
    draw(&b, "a");
    poke(&b, at(&b, 0), 1);
    assert_true(mw_frames_free(b.frames) < mw_frames_total(b.frames));
    bench_close(&b);
}

/* ---- objects ---- */

static int released;

static void on_release(void *ctx)
{
    (void)ctx;
    released++;
}

static int cant_read(void *ctx, uint64_t index, void *page)
{
    (void)ctx;
    (void)page;
    return index == 1 ? -5 : 0;
}

static void object_life(void **state)
{
    static const struct mw_object_ops ops = { .read = cant_read, .release = on_release };
    struct mw_object *o;
    struct bench b;
    int mark;
    (void)state;
    released = 0;
    bench_start(&b);
    assert_int_equal(mw_object_create(&b.port, b.frames, &ops, &mark, 3 * 4096, MW_OBJ_NOMERGE,
                                      &o), 0);
    assert_ptr_equal(mw_object_ctx(o), &mark);
    assert_int_equal(mw_object_flags(o), MW_OBJ_NOMERGE);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    for (int64_t i = 0; i < 2; i++)
        mw_mmap(b.space, at(&b, i), 4096, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f,
                (uint64_t)i * 4096, NULL);
    struct mw_stats s;
    mw_stats(b.space, &s);
    assert_int_equal(s.map_count, 2); /* NOMERGE */
    assert_int_equal(mw_fault(b.space, at(&b, 0), MW_ACCESS_READ), MW_FAULT_OK);
    assert_int_equal(mw_fault(b.space, at(&b, 1), MW_ACCESS_READ), MW_FAULT_BUS_ADRERR);
    mw_object_get(o);
    mw_object_put(o);
    mw_object_put(o);
    assert_int_equal(released, 0);
    mw_munmap(b.space, at(&b, 0), 4096, NULL);
    assert_int_equal(released, 0);
    mw_munmap(b.space, at(&b, 1), 4096, NULL);
    assert_int_equal(released, 1);
    bench_close(&b);
}

/* A kind of memory that must not grow: EFAULT (MREMAP-13), nor be left behind (MREMAP-14). */
static void object_kinds(void **state)
{
    struct mw_object *o;
    struct mw_why why;
    struct bench b;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 8 * 4096, MW_OBJ_DONTEXPAND,
                                      &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    mw_mmap(b.space, at(&b, 0), 2 * 4096, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 2 * 4096, 4 * 4096, MAY_, 0, &why),
                     -MW_EFAULT);
    assert_string_equal(mw_why_name(&why), "mremap_dontexpand");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 2 * 4096, 2 * 4096,
                               MAY_ | MW_MREMAP_DONTUNMAP, 0, &why), -MW_EINVAL);
    expect_why(-MW_EINVAL, &why, "DONTUNMAP");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), 2 * 4096, 2 * 4096, FIX_, at(&b, 8), NULL),
                     at(&b, 8));
    mw_object_put(o);
    bench_close(&b);
}

/* ---- import ---- */

static void import_checks(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "..aa");
    struct mw_vma good = { .start = at(&b, 0), .end = at(&b, 1), .offset = at(&b, 0),
                           .flags = MW_VM_READ | MW_VM_WRITE };
    for (int i = 0; i < 6; i++) {
        struct mw_vma v = good;
        switch (i) {
        case 0: v.start++; break;
        case 1: v.end++; break;
        case 2: v.end = v.start; break;
        case 3: v.end = at(&b, 3); break; /* over [2,4) */
        case 4: v.start = at(&b, 3), v.end = at(&b, 5); break;
        case 5: v.start = b.config.task_size, v.end = v.start + 4096; break;
        }
        if (mw_import(b.space, &v) != -MW_EINVAL)
            fail_msg("case %d was taken", i);
    }
    expect_row(&b, "..aa", "refused");
    assert_int_equal(mw_import(b.space, &good), 0);
    expect_row(&b, "a.aa", "taken");
    bench_close(&b);
}

/* Taken as given: neighbours that could merge stay two; every field comes back. */
static void import_is_exact(void **state)
{
    struct mw_vma v;
    struct mw_stats s;
    struct bench b;
    (void)state;
    bench_start(&b);
    const struct mw_vma in[] = {
        { at(&b, 0), at(&b, 2), at(&b, 0), MW_VM_READ | MW_VM_WRITE | MW_VM_ACCOUNT, 7, NULL },
        { at(&b, 2), at(&b, 3), at(&b, 2), MW_VM_READ | MW_VM_WRITE | MW_VM_ACCOUNT, 7, NULL },
        { at(&b, 3), at(&b, 5), 8192, MW_VM_READ | MW_VM_MAYSHARE | MW_VM_SHARED, 0, b.object },
        { at(&b, 9), at(&b, 12), at(&b, 9), MW_VM_READ | MW_VM_LOCKED, 5 | MW_ANON_FORKED, NULL },
    };
    for (int i = 0; i < 4; i++)
        assert_int_equal(mw_import(b.space, &in[i]), 0);
    uint64_t a = 0;
    for (int i = 0; i < 4; i++, a = v.end) {
        assert_true(mw_find_vma(b.space, a, &v));
        assert_memory_equal(&v, &in[i], sizeof v);
    }
    assert_false(mw_find_vma(b.space, a, &v));
    mw_stats(b.space, &s);
    assert_int_equal(s.map_count, 4);
    assert_int_equal(s.total, 8);
    assert_int_equal(s.locked, 3);
    assert_int_equal(s.committed, 3);
    /* identities given later are new ones: no merge with an imported one by accident */
    draw(&b, "............A");
    assert_true(mw_find_vma(b.space, at(&b, 12), &v));
    assert_true(v.anon != 7 && v.anon != 5 && v.anon != (5 | MW_ANON_FORKED));
    bench_close(&b);
}

/* aa|aa with equal identities merge at the next change of flags, as the kernel's do */
static void import_flags_merge(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    assert_int_equal(mw_import_flags(b.space, BASE + 1, BASE + 4096, 0, 0, true), -MW_EINVAL);
    draw(&b, "aaaaaa");
    assert_int_equal(mw_import_flags(b.space, at(&b, 2), at(&b, 4), 0, MW_VM_DONTCOPY, true), 0);
    expect_row(&b, "aa|aa|aa", "set");
    assert_int_equal(mw_import_flags(b.space, at(&b, 0), at(&b, 2), 0, MW_VM_DONTCOPY, true), 0);
    expect_row(&b, "aaaa|aa", "two are alike");
    assert_int_equal(mw_import_flags(b.space, at(&b, 0), at(&b, 6), MW_VM_DONTCOPY, 0, true), 0);
    expect_row(&b, "aaaaaa", "cleared");
    assert_int_equal(mw_import_flags(b.space, at(&b, 1), at(&b, 3), MW_VM_WRITE, 0, false), 0);
    expect_row(&b, "arraaa", "without merging");
    assert_int_equal(mw_import_flags(b.space, at(&b, 1), at(&b, 3), 0, MW_VM_WRITE, false), 0);
    expect_row(&b, "a|aa|aaa", "without merging");
    struct mw_stats s;
    mw_stats(b.space, &s);
    assert_int_equal(s.data, 6);
    bench_close(&b);
}

static void touching(void **state)
{
    struct bench b;
    struct mw_stats s;
    (void)state;
    bench_start(&b);
    draw(&b, "aa.rr.ff.FF.ss.--");
    mw_touch(b.space, at(&b, 1), at(&b, 9));
    expect_row(&b, "AA.RR.ff.FF.ss.--", "private memory in the range");
    struct mw_vma v;
    assert_true(mw_find_vma(b.space, at(&b, 6), &v) && v.anon != 0);
    assert_true(mw_find_vma(b.space, at(&b, 9), &v) && v.anon == 0);
    mw_touch(b.space, at(&b, 100), at(&b, 200));
    mw_touch(b.space, 0, UINT64_MAX);
    assert_true(mw_find_vma(b.space, at(&b, 9), &v) && v.anon == 0);
    assert_true(mw_find_vma(b.space, at(&b, 12), &v) && v.anon == 0);
    mw_stats(b.space, &s);
    assert_int_equal(s.resident, 0); /* no page is made */
    bench_close(&b);
}

/* MCL_FUTURE */
static void future(void **state)
{
    struct mw_stats s;
    struct mw_vma v;
    struct bench b;
    (void)state;
    bench_start(&b);
    mw_set_future(b.space, MW_FUTURE_LOCK);
    draw(&b, "aa");
    assert_true(mw_find_vma(b.space, at(&b, 0), &v) && (v.flags & MW_VM_LOCKED));
    mw_stats(b.space, &s);
    assert_int_equal(s.locked, 2);
    assert_int_equal(s.resident, 2);
    mw_set_future(b.space, MW_FUTURE_LOCK | MW_FUTURE_ONFAULT);
    draw(&b, "...aa");
    assert_true(mw_find_vma(b.space, at(&b, 3), &v) && (v.flags & MW_VM_LOCKONFAULT));
    mw_stats(b.space, &s);
    assert_int_equal(s.resident, 2);
    mw_set_future(b.space, 0);
    draw(&b, "......aa");
    assert_true(mw_find_vma(b.space, at(&b, 6), &v) && !(v.flags & MW_VM_LOCKED));
    bench_close(&b);
}

/* Many spaces over one pool do not see each other. */
static void spaces_apart(void **state)
{
    struct mw_space *all[8];
    struct bench b;
    (void)state;
    bench_start(&b);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t value = i + 1;
        assert_int_equal(mw_space_create(&b.config, &all[i]), 0);
        mw_mmap(all[i], BASE, 4096, RW_, FIXED_, NULL, 0, NULL);
        mw_write(all[i], BASE, &value, 4, NULL);
    }
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t value = 0;
        assert_int_equal(mw_read(all[i], BASE, &value, 4, NULL), 4);
        assert_int_equal(value, i + 1);
        for (uint32_t j = i + 1; j < 8; j++)
            assert_true(mw_root(all[i]) != mw_root(all[j]));
        mw_space_destroy(all[i]);
    }
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_defaults), cmocka_unit_test(config_refused),
        cmocka_unit_test(config_is_copied), cmocka_unit_test(frames_arguments),
        cmocka_unit_test(frames_busy), cmocka_unit_test(object_life),
        cmocka_unit_test(object_kinds), cmocka_unit_test(import_checks),
        cmocka_unit_test(import_is_exact), cmocka_unit_test(import_flags_merge),
        cmocka_unit_test(touching), cmocka_unit_test(future), cmocka_unit_test(spaces_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
