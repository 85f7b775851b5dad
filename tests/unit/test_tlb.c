/* SPDX-License-Identifier: MIT */
/* test_tlb.c - readers (reader.h) and the software TLB (tlb.h). */
#include "unit.h"

#include "mapwright/tlb.h"
#include "vma/space.h"

#define HUGE_ (2ull << 20)

struct world {
    struct bench b;
    struct mw_tlb *tlb;
};

static void attach(struct world *w)
{
    w->tlb = aligned_alloc(64, sizeof *w->tlb);
    assert_non_null(w->tlb);
    assert_int_equal(mw_tlb_attach(w->tlb, w->b.space), 0);
    mw_tlb_enter(w->tlb);
}

static void start(struct world *w, uint32_t page_shift, uint64_t frames, uint32_t options)
{
    bench_config(&w->b, page_shift, frames);
    w->b.config.options |= MW_OPT_EXTENSIONS | options;
    bench_open(&w->b);
    attach(w);
}

static void stop(struct world *w)
{
    mw_tlb_leave(w->tlb);
    mw_tlb_detach(w->tlb);
    free(w->tlb);
    bench_close(&w->b);
}

/* What a load meets: the value, or minus the fault. */
static int64_t get(struct world *w, uint64_t addr)
{
    uint32_t value;
    enum mw_fault_result r = mw_load32(w->tlb, addr, &value);
    return r == MW_FAULT_OK ? value : -(int64_t)r;
}

static int64_t set(struct world *w, uint64_t addr, uint32_t value)
{
    return -(int64_t)mw_store32(w->tlb, addr, value);
}

static int64_t run(struct world *w, uint64_t addr)
{
    uint32_t value;
    return -(int64_t)mw_fetch32(w->tlb, addr, &value);
}

static bool in_table(struct world *w, uint64_t addr, enum mw_tlb_kind kind)
{
    unsigned char *host;
    mw_tlb_poll(w->tlb);
    return mw_tlb_look(w->tlb, false, addr, 1, kind, &host) || mw_tlb_look(w->tlb, true, addr, 1, kind, &host);
}

/* ---- accesses ---- */

/* Every size at every place around a border of pages that are not neighbours in the host. */
static void sizes(void **state)
{
    static const size_t all[] = { 1, 2, 3, 4, 8, 16, 100, 4096 };
    struct world w;
    unsigned char bytes[4096], back[4096];
    (void)state;
    start(&w, 12, 256, 0);
    draw(&w.b, "aaaa");
    for (int i = 3; i >= 0; i--)
        poke(&w.b, at(&w.b, i), 1);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (uint64_t a = at(&w.b, 2) - 20; a <= at(&w.b, 2) + 20 && all[i] < 4096 + 1; a++) {
            size_t n = all[i];
            uint64_t addr = n == 4096 ? a - 2000 : a;
            for (size_t k = 0; k < n; k++)
                bytes[k] = (unsigned char)(a * 7 + k * 3 + i);
            assert_int_equal(mw_store(w.tlb, addr, bytes, n), MW_FAULT_OK);
            memset(back, 0, sizeof back);
            assert_int_equal(mw_read(w.b.space, addr, back, n, NULL), n);
            assert_memory_equal(back, bytes, n);
            memset(back, 0, sizeof back);
            assert_int_equal(mw_load(w.tlb, addr, back, n), MW_FAULT_OK);
            assert_memory_equal(back, bytes, n);
        }
    stop(&w);
}

/* The numbers are little endian. */
static void numbers(void **state)
{
    struct world w;
    static const unsigned char bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    unsigned char back[8];
    uint8_t n8;
    uint16_t n16;
    uint32_t n32;
    uint64_t n64;
    (void)state;
    start(&w, 12, 256, 0);
    draw(&w.b, "ww");
    for (uint64_t a = at(&w.b, 1) - 9; a < at(&w.b, 1) + 2; a++) {
        assert_int_equal(mw_write(w.b.space, a, bytes, 8, NULL), 8);
        assert_int_equal(mw_load8(w.tlb, a, &n8), MW_FAULT_OK);
        assert_int_equal(mw_load16(w.tlb, a, &n16), MW_FAULT_OK);
        assert_int_equal(mw_load32(w.tlb, a, &n32), MW_FAULT_OK);
        assert_int_equal(mw_load64(w.tlb, a, &n64), MW_FAULT_OK);
        assert_true(n8 == 1 && n16 == 0x0201 && n32 == 0x04030201 && n64 == 0x0807060504030201ull);
        assert_int_equal(mw_fetch8(w.tlb, a, &n8), MW_FAULT_OK);
        assert_int_equal(mw_fetch16(w.tlb, a, &n16), MW_FAULT_OK);
        assert_int_equal(mw_fetch32(w.tlb, a, &n32), MW_FAULT_OK);
        assert_int_equal(mw_fetch64(w.tlb, a, &n64), MW_FAULT_OK);
        assert_true(n8 == 1 && n16 == 0x0201 && n32 == 0x04030201 && n64 == 0x0807060504030201ull);
        assert_int_equal(mw_store64(w.tlb, a, 0x1817161514131211ull), MW_FAULT_OK);
        assert_int_equal(mw_store32(w.tlb, a, 0x24232221), MW_FAULT_OK);
        assert_int_equal(mw_store16(w.tlb, a, 0x3231), MW_FAULT_OK);
        assert_int_equal(mw_store8(w.tlb, a, 0x41), MW_FAULT_OK);
        assert_int_equal(mw_read(w.b.space, a, back, 8, NULL), 8);
        assert_memory_equal(back, "\x41\x32\x23\x24\x15\x16\x17\x18", 8);
    }
    stop(&w);
}

/* READER-4: what can't be done is told with its address, and nothing was done. */
static void faults(void **state)
{
    struct world w;
    uint64_t v = 7;
    (void)state;
    start(&w, 12, 256, 0);
    draw(&w.b, "ar.-f");
    assert_int_equal(set(&w, at(&w.b, 0) + 4092, 5), 0);
    assert_int_equal(get(&w, at(&w.b, 1)), 0);
    assert_int_equal(mw_store64(w.tlb, at(&w.b, 1) - 4, ~0ull), MW_FAULT_SEGV_ACCERR);
    assert_int_equal(w.tlb->fault, at(&w.b, 1));
    assert_int_equal(get(&w, at(&w.b, 0) + 4092), 5);
    assert_int_equal(mw_load64(w.tlb, at(&w.b, 2) - 4, &v), MW_FAULT_SEGV_MAPERR);
    assert_int_equal(w.tlb->fault, at(&w.b, 2));
    assert_int_equal(v, 0);
    assert_int_equal(mw_load64(w.tlb, at(&w.b, 2) + 3, &v), MW_FAULT_SEGV_MAPERR);
    assert_int_equal(w.tlb->fault, at(&w.b, 2) + 3);
    assert_int_equal(get(&w, at(&w.b, 3)), -MW_FAULT_SEGV_ACCERR);
    assert_int_equal(run(&w, at(&w.b, 0)), -MW_FAULT_SEGV_ACCERR);
    assert_int_equal(get(&w, at(&w.b, 4)), 104);
    mw_munmap(w.b.space, at(&w.b, 4), w.b.page, NULL);
    struct mw_file file = w.b.file;
    assert_int_equal(mw_mmap(w.b.space, at(&w.b, 4), w.b.page, RO_, MW_MAP_PRIVATE | MW_MAP_FIXED, &file, 64 * w.b.page,
                             NULL), at(&w.b, 4));
    assert_int_equal(get(&w, at(&w.b, 4)), -MW_FAULT_BUS_ADRERR);
    static const uint64_t nowhere[] = { 0, 4095, UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 8, 1ull << 63,
                                        0x7ffffffff000ull, 0x7fffffffefffull, 1ull << 47, 1ull << 56 };
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
        for (uint64_t a = nowhere[i] - 8; a != nowhere[i] + 9; a++) {
            assert_int_equal(mw_load64(w.tlb, a, &v), MW_FAULT_SEGV_MAPERR);
            assert_int_equal(mw_store64(w.tlb, a, v), MW_FAULT_SEGV_MAPERR);
        }
    stop(&w);
}

/* An address that differs from one in the TLB in its highest bits only is another. */
static void high_bits(void **state)
{
    struct world w;
    (void)state;
    start(&w, 12, 256, 0);
    draw(&w.b, "a");
    assert_int_equal(set(&w, at(&w.b, 0), 5), 0);
    for (int bit = 12; bit < 64; bit++)
        for (int flush = 0; flush < 3; flush++) {
            mw_tlb_flush(w.tlb);
            assert_int_equal(get(&w, at(&w.b, 0)), 5);
            if ((at(&w.b, 0) ^ 1ull << bit) >> 12)
                assert_int_equal(get(&w, at(&w.b, 0) ^ 1ull << bit), -MW_FAULT_SEGV_MAPERR);
        }
    stop(&w);
}

/* Execution without reading, which page tables have a bit of the engine's own for. */
static void exec_only(void **state)
{
    struct world w;
    (void)state;
    start(&w, 12, 256, MW_OPT_EXEC_ONLY);
    draw(&w.b, "xx");
    assert_int_equal(get(&w, at(&w.b, 0)), 0);
    assert_int_equal(mw_mprotect(w.b.space, at(&w.b, 0), w.b.page, MW_PROT_EXEC, NULL), 0);
    assert_int_equal(run(&w, at(&w.b, 0)), 0);
    assert_int_equal(get(&w, at(&w.b, 0)), -MW_FAULT_SEGV_ACCERR);
    assert_int_equal(run(&w, at(&w.b, 0)), 0);
    assert_int_equal(get(&w, at(&w.b, 1)), 0);
    assert_int_equal(mw_mprotect(w.b.space, at(&w.b, 0), w.b.page, MW_PROT_READ | MW_PROT_EXEC, NULL), 0);
    assert_int_equal(get(&w, at(&w.b, 0)), 0);
    stop(&w);
}

static void hosts(void **state)
{
    struct world w;
    void *host;
    uint32_t v = 9;
    (void)state;
    start(&w, 12, 256, 0);
    draw(&w.b, "ar");
    for (int i = 0; i < 2; i++) { /* missed, and hit */
        assert_int_equal(mw_tlb_host(w.tlb, at(&w.b, 0) + 8, MW_TLB_WRITE, &host), MW_FAULT_OK);
        memcpy(host, &v, sizeof v);
        assert_int_equal(peek(&w.b, at(&w.b, 0) + 8), 9);
        assert_int_equal(mw_tlb_host(w.tlb, at(&w.b, 1), MW_TLB_WRITE, &host), MW_FAULT_SEGV_ACCERR);
        assert_null(host);
    }
    stop(&w);
}

/* ---- what calls make stale: READER-1, READER-3 ---- */

static void calls(void **state)
{
    struct world w;
    struct mw_space *child;
    uint64_t p;
    (void)state;
    start(&w, 12, 1024, 0);
    p = w.b.page;
    draw(&w.b, "aaaa");
    for (int i = 0; i < 4; i++)
        assert_int_equal(set(&w, at(&w.b, i), 10 + (uint32_t)i), 0);
    assert_true(in_table(&w, at(&w.b, 3), MW_TLB_WRITE));
    mw_mprotect(w.b.space, at(&w.b, 0), p, RO_, NULL);
    assert_int_equal(set(&w, at(&w.b, 0), 1), -MW_FAULT_SEGV_ACCERR);
    assert_int_equal(get(&w, at(&w.b, 0)), 10);
    assert_true(in_table(&w, at(&w.b, 3), MW_TLB_WRITE)); /* ranges, not all */
    mw_mprotect(w.b.space, at(&w.b, 0), p, RW_, NULL);
    assert_int_equal(set(&w, at(&w.b, 0), 20), 0);
    mw_mremap(w.b.space, at(&w.b, 0), p, p, FIX_, at(&w.b, 10), NULL);
    assert_int_equal(get(&w, at(&w.b, 0)), -MW_FAULT_SEGV_MAPERR);
    assert_int_equal(get(&w, at(&w.b, 10)), 20);
    mw_munmap(w.b.space, at(&w.b, 10), p, NULL);
    assert_int_equal(get(&w, at(&w.b, 10)), -MW_FAULT_SEGV_MAPERR);
    mw_madvise(w.b.space, at(&w.b, 1), p, MW_MADV_DONTNEED, NULL);
    assert_int_equal(get(&w, at(&w.b, 1)), 0);
    mw_madvise(w.b.space, at(&w.b, 1), p, MW_MADV_GUARD_INSTALL, NULL);
    assert_int_equal(get(&w, at(&w.b, 1)), -MW_FAULT_SEGV_MAPERR);
    assert_int_equal(mw_mmap(w.b.space, at(&w.b, 1), p, RW_, FIXED_, NULL, 0, NULL), at(&w.b, 1));
    assert_int_equal(set(&w, at(&w.b, 1), 30), 0);
    assert_int_equal(mw_fork(w.b.space, 77, &child, NULL), 0);
    assert_int_equal(get(&w, at(&w.b, 1)), 30);
    assert_int_equal(set(&w, at(&w.b, 1), 31), 0); /* the child keeps the old page */
    uint32_t theirs;
    assert_int_equal(mw_read(child, at(&w.b, 1), &theirs, sizeof theirs, NULL), sizeof theirs);
    assert_int_equal(theirs, 30);
    assert_int_equal(get(&w, at(&w.b, 1)), 31);
    mw_space_destroy(child);
    assert_int_equal(mw_mremap(w.b.space, at(&w.b, 1), p, p, MW_MREMAP_MIRROR | FIX_, at(&w.b, 20), NULL), at(&w.b, 20));
    assert_int_equal(set(&w, at(&w.b, 1), 40), 0);
    assert_int_equal(get(&w, at(&w.b, 20)), 40);
    assert_int_equal(mw_fork(w.b.space, 77, &child, NULL), 0);
    assert_int_equal(set(&w, at(&w.b, 20), 41), 0);
    assert_int_equal(get(&w, at(&w.b, 1)), 41);
    assert_int_equal(mw_read(child, at(&w.b, 1), &theirs, sizeof theirs, NULL), sizeof theirs);
    assert_int_equal(theirs, 40);
    mw_space_destroy(child);
    stop(&w);
}

/* A page that a lock or the system copies is not read where it was. */
static void copies(void **state)
{
    struct world w;
    struct mw_space *child;
    (void)state;
    start(&w, 12, 1024, 0);
    draw(&w.b, "aa");
    assert_int_equal(set(&w, at(&w.b, 0), 1), 0);
    assert_int_equal(set(&w, at(&w.b, 1), 1), 0);
    assert_int_equal(mw_fork(w.b.space, 77, &child, NULL), 0);
    assert_int_equal(get(&w, at(&w.b, 0)), 1);
    poke(&w.b, at(&w.b, 0), 2);
    assert_int_equal(get(&w, at(&w.b, 0)), 2);
    assert_int_equal(get(&w, at(&w.b, 1)), 1);
    assert_int_equal(mw_mlock(w.b.space, at(&w.b, 1), w.b.page, NULL), 0);
    assert_int_equal(mw_write(child, at(&w.b, 1), "\3", 1, NULL), 1); /* in place: it is the child's alone now */
    assert_int_equal(get(&w, at(&w.b, 1)), 1);
    mw_space_destroy(child);
    stop(&w);
}

/* READER-1: more ranges than a reader is told: all is stale. */
static void many_ranges(void **state)
{
    struct world w;
    (void)state;
    for (int calls = 14; calls < 40; calls++) {
        start(&w, 12, 1024, 0);
        draw(&w.b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        for (int i = 0; i < 40; i++)
            assert_int_equal(set(&w, at(&w.b, i), 1), 0);
        for (int i = 0; i < calls; i++)
            mw_madvise(w.b.space, at(&w.b, i), w.b.page, MW_MADV_DONTNEED, NULL);
        for (int i = 39; i >= 0; i--)
            assert_int_equal(get(&w, at(&w.b, i)), i >= calls);
        stop(&w);
    }
}

/* Stamps come round; what has an old one is cleared before. */
static void wrap(void **state)
{
    struct world w;
    (void)state;
    start(&w, 12, 256, 0);
    draw(&w.b, "aa");
    for (int i = 0; i < 3 * 4095; i++) {
        assert_false(in_table(&w, at(&w.b, i % 2), MW_TLB_READ));
        if (i % 4094 < 3 || i % 4094 > 4090 || i % 100 == 0) {
            assert_int_equal(get(&w, at(&w.b, i % 2)), 0);
            assert_true(in_table(&w, at(&w.b, i % 2), MW_TLB_READ));
        }
        mw_tlb_flush(w.tlb);
        assert_true(w.tlb->reader.generation >= 1 && w.tlb->reader.generation <= 4094);
    }
    stop(&w);
}

/* ---- huge pages and runs ---- */

static void huge(void **state)
{
    struct world w;
    uint64_t a = BASE & ~(HUGE_ - 1), v;
    (void)state;
    start(&w, 12, 4096, 0);
    assert_int_equal(mw_frames_set_huge(w.b.frames, 21, 3), 3);
    assert_int_equal(mw_mmap(w.b.space, a, 2 * HUGE_, RW_, FIXED_ | MW_MAP_HUGETLB, NULL, 0, NULL), a);
    assert_int_equal(mw_load64(w.tlb, a, &v), MW_FAULT_OK);
    assert_int_equal(*pmap_find(&w.b.space->pmap, a, NULL) & (PTE_W | PTE_D), PTE_W);
    assert_int_equal(mw_store64(w.tlb, a, 1), MW_FAULT_OK); /* noted under the lock */
    assert_int_equal(*pmap_find(&w.b.space->pmap, a, NULL) & (PTE_W | PTE_D), PTE_W | PTE_D);
    for (uint64_t o = 8; o < 2 * HUGE_; o += HUGE_ / 16 - 4)
        assert_int_equal(mw_store64(w.tlb, a + o, o), MW_FAULT_OK);
    for (uint64_t o = 8; o < 2 * HUGE_; o += HUGE_ / 16 - 4) {
        assert_int_equal(mw_load64(w.tlb, a + o, &v), MW_FAULT_OK);
        assert_int_equal(v, o);
        assert_int_equal(mw_read(w.b.space, a + o, &v, 8, NULL), 8);
        assert_int_equal(v, o);
    }
    assert_int_equal(mw_store64(w.tlb, a + HUGE_ - 3, 0x0102030405060708ull), MW_FAULT_OK);
    assert_int_equal(mw_load64(w.tlb, a + HUGE_ - 3, &v), MW_FAULT_OK);
    assert_int_equal(v, 0x0102030405060708ull);
    unsigned char *host;
    assert_true(mw_tlb_look(w.tlb, true, a + HUGE_ - 1, 1, MW_TLB_WRITE, &host));
    assert_false(mw_tlb_look(w.tlb, true, a + HUGE_ - 1, 2, MW_TLB_WRITE, &host));
    mw_mprotect(w.b.space, a, HUGE_, MW_PROT_NONE, NULL);
    assert_int_equal(mw_load64(w.tlb, a + HUGE_ - 3, &v), MW_FAULT_SEGV_ACCERR);
    assert_int_equal(mw_load64(w.tlb, a + HUGE_, &v), MW_FAULT_OK);
    stop(&w);
}

/* Many pages, huge ones among them, in turn: whichever table is asked first. */
static void both_tables(void **state)
{
    struct world w;
    uint64_t a = BASE & ~(HUGE_ - 1), small = a + HUGE_;
    uint32_t v;
    (void)state;
    start(&w, 12, 4096, 0);
    assert_int_equal(mw_frames_set_huge(w.b.frames, 21, 1), 1);
    assert_int_equal(mw_mmap(w.b.space, a, HUGE_, RW_, FIXED_ | MW_MAP_HUGETLB, NULL, 0, NULL), a);
    assert_int_equal(mw_mmap(w.b.space, small, 64 * 4096, RW_, FIXED_, NULL, 0, NULL), small);
    for (uint32_t i = 0; i < 64; i++) /* in no order, so that there is no run */
        assert_int_equal(mw_store32(w.tlb, small + i * 37 % 64 * 4096, i * 37 % 64), MW_FAULT_OK);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(mw_store32(w.tlb, a + i * 4096, i), MW_FAULT_OK);
    for (int round = 0; round < 6; round++) {
        uint64_t from = round % 2 ? a : small;
        w.tlb->run.bytes = 0;
        mw_tlb_reach(w.tlb);
        for (uint32_t i = 0; i < 640; i++) {
            assert_int_equal(mw_load32(w.tlb, from + i % 64 * 4096, &v), MW_FAULT_OK);
            assert_int_equal(v, i % 64);
        }
        assert_int_equal(w.tlb->huge_first, round % 2);
    }
    stop(&w);
}

/* Pages side by side are reached without a table, to their last byte and no further. */
static void runs(void **state)
{
    struct world w;
    struct mw_run r;
    uint64_t n = 64 * 4096, v;
    (void)state;
    start(&w, 12, 1024, 0);
    assert_int_equal(mw_mmap(w.b.space, BASE, n, RW_, FIXED_ | MW_MAP_POPULATE, NULL, 0, NULL), BASE);
    poke(&w.b, BASE + 20 * 4096, 20);
    assert_true(mw_reader_run(&w.tlb->reader, BASE + 20 * 4096 + 5, &r));
    assert_int_equal(r.start, BASE + 4096); /* the first page came before its table */
    assert_int_equal(r.bytes, n - 4096);
    assert_int_equal(*((const unsigned char *)r.host + 19 * 4096), 20);
    assert_int_equal(get(&w, BASE + 20 * 4096), 20);
    assert_int_equal(w.tlb->reader.reach, n - 4096 - 15);
    assert_int_equal(set(&w, BASE + 30 * 4096, 30), 0);
    assert_int_equal(peek(&w.b, BASE + 30 * 4096), 30);
    assert_false(in_table(&w, BASE + 30 * 4096, MW_TLB_WRITE)); /* it was the run */
    for (uint64_t a = BASE + n - 40; a < BASE + n - 7; a++) {
        assert_int_equal(mw_store64(w.tlb, a, a), MW_FAULT_OK);
        assert_int_equal(mw_load64(w.tlb, a, &v), MW_FAULT_OK);
        assert_int_equal(v, a);
    }
    assert_int_equal(mw_load64(w.tlb, BASE + n - 7, &v), MW_FAULT_SEGV_MAPERR);
    assert_int_equal(w.tlb->fault, BASE + n);
    mw_mprotect(w.b.space, BASE + 10 * 4096, 4096, RO_, NULL);
    assert_int_equal(set(&w, BASE + 10 * 4096, 1), -MW_FAULT_SEGV_ACCERR);
    assert_int_equal(get(&w, BASE + 20 * 4096), 20);
    assert_true(mw_reader_run(&w.tlb->reader, BASE + 20 * 4096, &r));
    assert_int_equal(r.start, BASE + 11 * 4096);
    assert_true(mw_reader_run(&w.tlb->reader, BASE + 9 * 4096, &r));
    assert_int_equal(r.start + r.bytes, BASE + 10 * 4096);
    assert_false(mw_reader_run(&w.tlb->reader, BASE + 10 * 4096, &r)); /* not to be written */
    assert_false(mw_reader_run(&w.tlb->reader, BASE + n, &r));
    mw_munmap(w.b.space, BASE, n, NULL);
    assert_int_equal(get(&w, BASE + 20 * 4096), -MW_FAULT_SEGV_MAPERR);
    stop(&w);
}

/* A page that is read from its start on is a run by itself: not one that can't be written, nor instead of a longer one. */
static void page_runs(void **state)
{
    const uint64_t row = BASE + 64 * 4096;
    struct world w;
    uint64_t v;
    (void)state;
    start(&w, 12, 1024, 0);
    assert_int_equal(mw_mmap(w.b.space, BASE, 2 * 4096, RW_, FIXED_, NULL, 0, NULL), BASE);
    for (int64_t i = 1; i >= 0; i--) /* no neighbours in the host */
        assert_int_equal(mw_store64(w.tlb, BASE + (uint64_t)i * 4096, 0x1111111111111111 * (uint64_t)(i + 1)), MW_FAULT_OK);
    assert_int_equal(get(&w, BASE + 16), 0);
    assert_int_equal(w.tlb->reader.reach, 0);
    assert_int_equal(get(&w, BASE), 0x11111111);
    assert_int_equal(w.tlb->run.start, BASE);
    assert_int_equal(w.tlb->reader.reach, 4096 - 15);
    assert_int_equal(mw_store64(w.tlb, BASE + 4088, 0x3333333333333333), MW_FAULT_OK);
    assert_int_equal(mw_load64(w.tlb, BASE + 4092, &v), MW_FAULT_OK);
    assert_int_equal(v, 0x2222222233333333);
    assert_int_equal(get(&w, BASE + 4096 + 16), 0);
    assert_int_equal(w.tlb->run.start, BASE);
    assert_int_equal(set(&w, BASE + 4096 + 4, 4), 0);
    assert_int_equal(w.tlb->run.start, BASE + 4096);
    assert_int_equal(mw_mprotect(w.b.space, BASE, 2 * 4096, RO_, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(&w, BASE), 0x11111111);
    assert_int_equal(w.tlb->reader.reach, 0);
    assert_int_equal(set(&w, BASE, 1), -MW_FAULT_SEGV_ACCERR);
    assert_int_equal(mw_mmap(w.b.space, row, 64 * 4096, RW_, FIXED_ | MW_MAP_POPULATE, NULL, 0, NULL), row);
    for (uint64_t i = 0; i < 64; i++)
        assert_int_equal(set(&w, row + i * 4096, 1), 0);
    v = w.tlb->run.bytes;
    assert_true(v > 4096);
    assert_int_equal(mw_mprotect(w.b.space, BASE, 2 * 4096, RW_, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(set(&w, BASE, 1), 0);
    assert_int_equal(w.tlb->run.bytes, v);
    stop(&w);
}

/* ---- what is given up ---- */

/* READER-2: frames that a reader may be at are not had, until it polls, leaves or is detached. */
static void waiting_frames(void **state)
{
    struct world w;
    struct mw_translation t;
    uint64_t pages = 0;
    (void)state;
    start(&w, 12, 64, 0);
    assert_int_equal(mw_mmap(w.b.space, BASE, 100 * 4096, RW_, FIXED_, NULL, 0, NULL), BASE);
    assert_int_equal(mw_translate(&w.tlb->reader, BASE, MW_ACCESS_WRITE, &t), MW_FAULT_OK);
    memset(t.host, 0x77, 4096);
    mw_tlb_poll(w.tlb);
    while (mw_fault(w.b.space, BASE + pages * 4096, MW_ACCESS_WRITE) == MW_FAULT_OK)
        pages++;
    assert_true(pages > 30 && pages < 100);
    assert_int_equal(mw_readers_passed(w.b.frames), true);
    mw_munmap(w.b.space, BASE, 50 * 4096, NULL);
    assert_int_equal(mw_readers_passed(w.b.frames), false);
    assert_true(mw_frames_free(w.b.frames) > 30);
    assert_int_equal(mw_fault(w.b.space, BASE + 99 * 4096, MW_ACCESS_WRITE), MW_FAULT_OOM);
    for (int i = 0; i < 4096; i++)
        assert_int_equal(((const unsigned char *)t.host)[i], 0x77);
    mw_tlb_poll(w.tlb);
    assert_int_equal(mw_readers_passed(w.b.frames), true);
    for (int i = 70; i < 99; i++)
        assert_int_equal(mw_fault(w.b.space, BASE + (uint64_t)i * 4096, MW_ACCESS_WRITE), MW_FAULT_OK);
    for (uint64_t i = 0; i < 10; i++) /* call after call, and no poll */
        mw_munmap(w.b.space, BASE + i * 10 * 4096, 10 * 4096, NULL);
    mw_tlb_leave(w.tlb);
    assert_int_equal(mw_readers_passed(w.b.frames), true);
    assert_int_equal(mw_mmap(w.b.space, BASE, 100 * 4096, RW_, FIXED_, NULL, 0, NULL), BASE);
    for (uint64_t i = 0; i < pages; i++) /* every frame comes back */
        assert_int_equal(mw_fault(w.b.space, BASE + i * 4096, MW_ACCESS_WRITE), MW_FAULT_OK);
    assert_int_equal(mw_frames_destroy(w.b.frames), -MW_EBUSY);
    mw_tlb_enter(w.tlb);
    stop(&w);
}

static void waiting_huge(void **state)
{
    struct world w;
    struct mw_huge_stats h;
    uint64_t a = BASE & ~(HUGE_ - 1);
    (void)state;
    start(&w, 12, 2048, 0);
    assert_int_equal(mw_frames_set_huge(w.b.frames, 21, 1), 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mw_mmap(w.b.space, a, HUGE_, RW_, FIXED_ | MW_MAP_HUGETLB, NULL, 0, NULL), a);
        assert_int_equal(set(&w, a, 1), 0);
        mw_munmap(w.b.space, a, HUGE_, NULL);
        mw_frames_huge(w.b.frames, 21, &h);
        assert_true(h.total == 1 && h.free == 1 && h.promised == 0);
        assert_int_equal(mw_frames_set_huge(w.b.frames, 21, 0), 1); /* can't be dissolved yet */
        assert_int_equal(mw_mmap(w.b.space, a, HUGE_, RW_, FIXED_ | MW_MAP_HUGETLB, NULL, 0, NULL), a);
        assert_int_equal(mw_fault(w.b.space, a, MW_ACCESS_WRITE), MW_FAULT_OOM);
        mw_tlb_poll(w.tlb);
        assert_int_equal(mw_fault(w.b.space, a, MW_ACCESS_WRITE), MW_FAULT_OK);
        mw_munmap(w.b.space, a, HUGE_, NULL);
        mw_tlb_poll(w.tlb);
    }
    stop(&w);
}

/* READER-2: a table that a fork has shared is no place for one side's pages while readers of the other may be in it. */
static void forked_tables(void **state)
{
    struct world w;
    struct mw_space *child;
    uint64_t a = BASE & ~(HUGE_ - 1), v;
    (void)state;
    for (int readers = 0; readers < 2; readers++) {
        start(&w, 12, 2048, 0);
        assert_int_equal(mw_mmap(w.b.space, a, HUGE_, RW_, FIXED_ | MW_MAP_POPULATE, NULL, 0, NULL), a);
        if (!readers) {
            mw_tlb_leave(w.tlb);
            mw_tlb_detach(w.tlb);
        }
        assert_int_equal(mw_fork(w.b.space, 77, &child, NULL), 0);
        const pte_t *shared = pmap_find(&w.b.space->pmap, a, NULL);
        assert_ptr_equal(pmap_find(&child->pmap, a, NULL), shared);
        if (readers)
            assert_int_equal(set(&w, a, 1), 0);
        else
            poke(&w.b, a, 1);
        assert_ptr_not_equal(pmap_find(&w.b.space->pmap, a, NULL), shared);
        assert_int_equal(mw_write(child, a + 4096, "\2", 1, NULL), 1);
        assert_int_equal(pmap_find(&child->pmap, a, NULL) == shared, !readers);
        for (int i = 0; readers && i < 512; i++)
            assert_int_equal(shared[i], 0);
        assert_int_equal(mw_read(child, a, &v, 8, NULL), 8);
        assert_int_equal(v, 0);
        assert_int_equal(peek(&w.b, a + 4096), 0);
        assert_int_equal(peek(&w.b, a), 1);
        assert_int_equal(mw_check(child, NULL), 0);
        assert_int_equal(mw_check(w.b.space, NULL), 0);
        mw_space_destroy(child);
        if (!readers) {
            assert_int_equal(mw_tlb_attach(w.tlb, w.b.space), 0);
            mw_tlb_enter(w.tlb);
        }
        stop(&w);
    }
}

/* A reader that does not use a TLB, one that is outside, and the last one that goes. */
static void two_readers(void **state)
{
    struct world w;
    struct mw_reader other;
    struct mw_range ranges[MW_READER_RANGES];
    (void)state;
    start(&w, 12, 256, 0);
    draw(&w.b, "aaa");
    for (int i = 0; i < 3; i++)
        assert_int_equal(set(&w, at(&w.b, i), 1), 0);
    assert_int_equal(mw_reader_attach(w.b.space, &other), 0);
    mw_munmap(w.b.space, at(&w.b, 0), w.b.page, NULL);
    mw_tlb_poll(w.tlb);
    assert_true(mw_readers_passed(w.b.frames)); /* the other is outside */
    mw_reader_enter(&other);
    assert_int_equal(mw_reader_take(&other, ranges), 1);
    assert_true(ranges[0].start == at(&w.b, 0) && ranges[0].end == at(&w.b, 1));
    assert_int_equal(mw_reader_take(&other, ranges), 0);
    mw_munmap(w.b.space, at(&w.b, 1), w.b.page, NULL);
    mw_tlb_poll(w.tlb);
    assert_false(mw_readers_passed(w.b.frames));
    mw_reader_poll(&other);
    assert_true(mw_readers_passed(w.b.frames));
    mw_munmap(w.b.space, at(&w.b, 2), w.b.page, NULL);
    mw_reader_leave(&other);
    mw_reader_detach(&other);
    stop(&w);

    bench_config(&w.b, 12, 0); /* layout only */
    bench_open(&w.b);
    assert_int_equal(mw_reader_attach(w.b.space, &other), -MW_EINVAL);
    bench_close(&w.b);
}

/* ---- against the calls' own copies ---- */

static uint64_t state_of_random;

static uint64_t rnd(uint64_t n)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (state_of_random >> 11) % n;
}

static void change(struct world *w, uint64_t base, uint64_t pages)
{
    uint64_t p = w->b.page, a = base + rnd(pages) * p, n = (1 + rnd(6)) * p, to = base + rnd(pages) * p;
    static const uint64_t prots[] = { RW_, RW_, RO_, 0, RW_ | MW_PROT_EXEC, MW_PROT_EXEC };
    struct mw_space *child;

    switch (rnd(9)) {
    case 0:
        mw_munmap(w->b.space, a, n, NULL);
        break;
    case 1:
    case 2:
        mw_mmap(w->b.space, a, n, prots[rnd(6)], FIXED_ | (rnd(4) ? 0 : MW_MAP_POPULATE), NULL, 0, NULL);
        break;
    case 3:
        mw_mmap(w->b.space, a, n, RW_, MW_MAP_FIXED | (rnd(2) ? MW_MAP_SHARED : MW_MAP_PRIVATE), &w->b.file, rnd(60) * p, NULL);
        break;
    case 4:
        mw_mprotect(w->b.space, a, n, prots[rnd(6)], NULL);
        break;
    case 5:
        mw_mremap(w->b.space, a, n, n, FIX_, to, NULL);
        break;
    case 6:
        mw_mremap(w->b.space, a, n, n, FIX_ | MW_MREMAP_MIRROR, to, NULL);
        break;
    case 7:
        mw_madvise(w->b.space, a, n, rnd(2) ? MW_MADV_DONTNEED : MW_MADV_GUARD_INSTALL, NULL);
        break;
    default:
        if (mw_fork(w->b.space, 77, &child, NULL) == 0) {
            mw_write(child, a, "child", 5, NULL);
            mw_space_destroy(child);
        }
    }
}

static void compare(struct world *w, uint64_t addr)
{
    unsigned char bytes[16], expected[16] = { 0 };
    size_t n = 1 + rnd(16);
    enum mw_fault_result fault, r;
    uint64_t done;

    if (rnd(2)) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)rnd(256);
        r = mw_store(w->tlb, addr, bytes, n);
        fault = mw_fault(w->b.space, addr, MW_ACCESS_WRITE);
        if (fault == MW_FAULT_OK)
            fault = mw_fault(w->b.space, addr + n - 1, MW_ACCESS_WRITE);
        assert_int_equal(r, fault);
        if (r != MW_FAULT_OK)
            return;
        done = mw_read(w->b.space, addr, expected, n, NULL);
        if (done == n)
            assert_memory_equal(bytes, expected, n);
    } else {
        done = mw_read(w->b.space, addr, expected, n, &fault);
        assert_int_equal(mw_load(w->tlb, addr, bytes, n), fault);
        assert_int_equal(done == n, fault == MW_FAULT_OK);
        if (done == n)
            assert_memory_equal(bytes, expected, n);
        else
            assert_int_equal(w->tlb->fault, addr + done);
    }
}

static void random_calls(void **state)
{
    static const struct {
        uint32_t shift;
        uint64_t base;
        uint32_t options;
    } kinds[] = { { 12, BASE, 0 }, { 12, BASE + 508 * 4096, MW_OPT_EXEC_ONLY }, { 14, BASE, 0 }, { 16, BASE, 0 } };
    (void)state;
    for (size_t k = 0; k < 8; k++) {
        struct world w;
        uint64_t pages = 40;
        state_of_random = 1 + k;
        start(&w, kinds[k % 4].shift, 600, kinds[k % 4].options);
        for (int i = 0; i < 6000; i++) {
            if (rnd(4) == 0) {
                change(&w, kinds[k % 4].base, pages);
            } else {
                uint64_t near = rnd(2) ? rnd(w.b.page) : rnd(3) ? w.b.page - rnd(16) : rnd(w.b.page / 4096) * 4096;
                compare(&w, kinds[k % 4].base + rnd(pages) * w.b.page + near);
            }
            if (rnd(500) == 0)
                mw_tlb_flush(w.tlb);
        }
        stop(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes), cmocka_unit_test(numbers), cmocka_unit_test(faults),
        cmocka_unit_test(high_bits), cmocka_unit_test(exec_only), cmocka_unit_test(hosts),
        cmocka_unit_test(calls), cmocka_unit_test(copies), cmocka_unit_test(many_ranges),
        cmocka_unit_test(wrap), cmocka_unit_test(huge), cmocka_unit_test(both_tables),
        cmocka_unit_test(runs), cmocka_unit_test(page_runs), cmocka_unit_test(waiting_frames), cmocka_unit_test(waiting_huge),
        cmocka_unit_test(two_readers), cmocka_unit_test(forked_tables), cmocka_unit_test(random_calls),
    };
    return cmocka_run_group_tests_name("tlb", tests, NULL, NULL);
}
