/* SPDX-License-Identifier: MIT */
/*
 * test_pkey.c - protection keys where no kernel can be asked on a CPU without
 * them: page tables, copies, imports. tests/scenarios/pkey.c has the calls.
 */
#include "unit.h"

#include "vma/space.h"

static void start(struct bench *b)
{
    bench_config(b, 12, 4096);
    b->config.options |= MW_OPT_PKEYS;
    bench_open(b);
}

static void map(struct bench *b, int64_t page, int64_t n, uint32_t prot)
{
    assert_int_equal(mw_mmap(b->space, at(b, page), (uint64_t)n * b->page, prot,
                             MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL), at(b, page));
}

static int64_t give(struct bench *b, int64_t page, int64_t n, uint32_t prot, int32_t key)
{
    return mw_pkey_mprotect(b->space, at(b, page), (uint64_t)n * b->page, prot, key, NULL);
}

static int entry_key(const struct mw_space *s, uint64_t addr)
{
    const pte_t *e = pmap_find(&s->pmap, addr, NULL);
    return e ? (int)(*e >> 59 & 15) : -1;
}

static void sound(const struct mw_space *s)
{
    const char *what;
    if (mw_check(s, &what))
        fail_msg("unsound: %s", what);
}

static int key_of(const struct mw_space *s, uint64_t addr)
{
    struct mw_vma v;
    assert_true(mw_find_vma(s, addr, &v));
    return (int)((v.flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT);
}

/* the lowest that is free, and again when it has been given back (PKEY-1) */
static void numbers(void **state)
{
    (void)state;
    struct bench b;
    start(&b);
    for (int i = 1; i < 16; i++)
        assert_int_equal(mw_pkey_alloc(b.space, 0, i & 3, NULL), i);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), -MW_ENOSPC);
    assert_int_equal(mw_pkey_free(b.space, 7, NULL), 0);
    assert_int_equal(mw_pkey_free(b.space, 7, NULL), -MW_EINVAL);
    assert_int_equal(give(&b, 0, 1, RW_, 7), -MW_EINVAL);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 7);
    assert_int_equal(mw_pkey_free(b.space, 16, NULL), -MW_EINVAL);
    assert_int_equal(mw_pkey_free(b.space, -1, NULL), -MW_EINVAL);
    assert_int_equal(mw_pkey_free(b.space, 0, NULL), 0);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 0);
    bench_close(&b);
}

/* memory for execution only: one key, a child's too, which other protections take away (PKEY-5) */
static void exec_only(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    start(&b);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 1);
    map(&b, 0, 4, RW_);
    assert_int_equal(give(&b, 0, 1, RW_, 1), 0);
    assert_int_equal(mw_mprotect(b.space, at(&b, 0), 2 * b.page, MW_PROT_EXEC, NULL), 0);
    assert_int_equal(key_of(b.space, at(&b, 0)), 2);
    assert_int_equal(mw_fault(b.space, at(&b, 1), MW_ACCESS_READ), MW_FAULT_SEGV_ACCERR);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_mprotect(child, at(&b, 2), b.page, MW_PROT_EXEC, NULL), 0);
    assert_int_equal(key_of(child, at(&b, 2)), 2);
    assert_int_equal(mw_mprotect(b.space, at(&b, 0), b.page, RW_, NULL), 0);
    assert_int_equal(key_of(b.space, at(&b, 0)), 0);
    assert_int_equal(give(&b, 1, 1, MW_PROT_EXEC, 1), 0);
    assert_int_equal(key_of(b.space, at(&b, 1)), 1);
    assert_int_equal(mw_fault(b.space, at(&b, 1), MW_ACCESS_READ), MW_FAULT_OK);
    sound(b.space);
    mw_space_destroy(child);
    bench_close(&b);
}

/* entries have the key, those that are there and those that come; a move takes them along (PKEY-4) */
static void entries(void **state)
{
    (void)state;
    struct bench b;
    start(&b);
    for (int i = 1; i < 16; i++)
        assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), i);
    map(&b, 0, 8, RW_);
    for (int i = 0; i < 4; i++)
        poke(&b, at(&b, i), 7);
    assert_int_equal(entry_key(b.space, at(&b, 1)), 0);
    size_t flushes = b.flushes;
    assert_int_equal(give(&b, 1, 5, RW_, 15), 0);
    assert_true(b.flushes > flushes);
    poke(&b, at(&b, 4), 7);
    static const int want[] = { 0, 15, 15, 15, 15, -1, -1, -1 };
    for (int i = 0; i < 8; i++)
        assert_int_equal(entry_key(b.space, at(&b, i)), want[i]);
    assert_int_equal(mw_mremap(b.space, at(&b, 2), b.page, b.page, FIX_, at(&b, 20), NULL), at(&b, 20));
    assert_int_equal(entry_key(b.space, at(&b, 20)), 15);
    assert_int_equal(give(&b, 1, 1, MW_PROT_NONE, 9), 0);
    assert_int_equal(give(&b, 1, 1, MW_PROT_READ, -1), 0);
    assert_int_equal(peek(&b, at(&b, 1)), 7);
    assert_int_equal(entry_key(b.space, at(&b, 1)), 9);
    sound(b.space);
    bench_close(&b);
}

/* both sides of a fork keep theirs, of tables that were linked too (PKEY-4, FORK-6) */
static void forked(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    start(&b);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 1);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 2);
    map(&b, 0, 1024, RW_);
    for (int i = 0; i < 1024; i += 64)
        poke(&b, at(&b, i), (uint32_t)i + 1);
    assert_int_equal(give(&b, 0, 1024, RW_, 1), 0);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(give(&b, 0, 600, RW_, 2), 0);
    sound(b.space);
    sound(child);
    for (int i = 0; i < 1024; i += 64) {
        assert_int_equal(entry_key(b.space, at(&b, i)), i < 600 ? 2 : 1);
        assert_int_equal(entry_key(child, at(&b, i)), 1);
        assert_int_equal(peek(&b, at(&b, i)), i + 1);
    }
    assert_int_equal(mw_pkey_alloc(child, 0, 0, NULL), 3);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 3);
    mw_space_destroy(child);
    bench_close(&b);
}

/* what was for execution only can't be read; keys that an import brings are taken (PKEY-5) */
static void imported(void **state)
{
    (void)state;
    struct bench b;
    struct mw_vma v = { .flags = MW_VM_EXEC | MW_VM_EXEC_ONLY | MW_VM_MAYREAD | MW_VM_MAYWRITE |
                                 MW_VM_MAYEXEC | 2ull << MW_VM_PKEY_SHIFT };
    start(&b);
    v.start = v.offset = at(&b, 0);
    v.end = at(&b, 1);
    assert_int_equal(mw_import(b.space, &v), 0);
    v.start = v.offset = at(&b, 4);
    v.end = at(&b, 5);
    v.flags = MW_VM_READ | MW_VM_WRITE | MW_VM_MAYREAD | MW_VM_MAYWRITE | 1ull << MW_VM_PKEY_SHIFT;
    assert_int_equal(mw_import(b.space, &v), 0);
    assert_int_equal(mw_import_flags(b.space, at(&b, 4), at(&b, 5), MW_VM_PKEY, 0, true), 0);
    assert_true(mw_find_vma(b.space, at(&b, 4), &v));
    assert_int_equal((v.flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT, 1);
    assert_int_equal(mw_fault(b.space, at(&b, 0), MW_ACCESS_READ), MW_FAULT_SEGV_ACCERR);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 3);
    map(&b, 8, 1, MW_PROT_EXEC);
    assert_true(mw_find_vma(b.space, at(&b, 8), &v));
    assert_int_equal((v.flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT, 2);
    assert_int_equal(mw_pkey_free(b.space, 2, NULL), -MW_EINVAL);
    assert_int_equal(mw_pkey_free(b.space, 1, NULL), 0);
    struct mw_stats stats;
    mw_stats(b.space, &stats);
    assert_int_equal(stats.pkeys, 0xd);
    assert_int_equal(stats.exec_pkey, 2);
    assert_int_equal(mw_set_pkeys(b.space, 0x10001, 0), -MW_EINVAL);
    assert_int_equal(mw_set_pkeys(b.space, ~0u, 0), -MW_EINVAL);
    assert_int_equal(mw_set_pkeys(b.space, 0x13, 3), -MW_EINVAL);
    assert_int_equal(mw_set_pkeys(b.space, 0x13, 16), -MW_EINVAL);
    assert_int_equal(mw_set_pkeys(b.space, 0x13, ~0u), -MW_EINVAL);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 1); /* as it was */
    assert_int_equal(mw_set_pkeys(b.space, 0xffff, 15), 0);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), -MW_ENOSPC);
    assert_int_equal(mw_set_pkeys(b.space, 0x13, 4), 0);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 2);
    assert_int_equal(mw_pkey_free(b.space, 4, NULL), -MW_EINVAL);
    bench_close(&b);
}

/* what would be is asked of a copy; before 4.9 there are no such calls (PKEY-1, ARG-5) */
static void would(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    struct mw_call call = { .name = MW_CALL_PKEY_ALLOC };
    start(&b);
    assert_int_equal(mw_would(b.space, MW_LINUX(6, 18), &call, NULL), 1);
    assert_int_equal(mw_would(b.space, MW_LINUX(6, 18), &call, NULL), 1);
    assert_int_equal(mw_would(b.space, MW_LINUX(4, 8), &call, &why), -MW_ENOSYS);
    assert_string_equal(mw_why_rule(&why), "ARG-5");
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 1);
    call = (struct mw_call){ .name = MW_CALL_PKEY_MPROTECT, .arg = { at(&b, 0), b.page, RW_, 2 } };
    assert_int_equal(mw_would(b.space, MW_LINUX(6, 18), &call, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "PKEY-3");
    call.arg[3] = 1;
    assert_int_equal(mw_would(b.space, MW_LINUX(6, 18), &call, NULL), -MW_ENOMEM);
    assert_int_equal(mw_would(b.space, MW_LINUX(4, 8), &call, NULL), -MW_ENOSYS);
    call = (struct mw_call){ .name = MW_CALL_PKEY_FREE, .arg = { 1 } };
    assert_int_equal(mw_would(b.space, MW_LINUX(6, 18), &call, NULL), 0);
    assert_int_equal(mw_would(b.space, MW_LINUX(4, 8), &call, NULL), -MW_ENOSYS);
    bench_close(&b);
}

/* MADV_UNMERGEABLE of 6.16 takes the key from the entries too, of linked tables as well (PKEY-4) */
static void unmergeable(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    bench_config(&b, 12, 4096);
    b.config.options |= MW_OPT_PKEYS | MW_OPT_DEFECTS;
    b.config.linux_version = MW_LINUX(6, 16);
    bench_open(&b);
    assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), 1);
    map(&b, 0, 1024, RW_);
    poke(&b, at(&b, 600), 7);
    assert_int_equal(give(&b, 0, 1024, RW_, 1), 0);
    assert_int_equal(mw_madvise(b.space, at(&b, 0), 1024 * b.page, MW_MADV_MERGEABLE, NULL), 0);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_madvise(b.space, at(&b, 0), 1024 * b.page, MW_MADV_UNMERGEABLE, NULL), 0);
    assert_int_equal(entry_key(b.space, at(&b, 600)), 0);
    assert_int_equal(entry_key(child, at(&b, 600)), 1);
    assert_int_equal(peek(&b, at(&b, 600)), 7);
    sound(b.space);
    sound(child);
    mw_space_destroy(child);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(exec_only),
        cmocka_unit_test(entries),
        cmocka_unit_test(forked),
        cmocka_unit_test(imported),
        cmocka_unit_test(would),
        cmocka_unit_test(unmergeable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
