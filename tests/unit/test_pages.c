/* SPDX-License-Identifier: MIT */
/*
 * test_pages.c - pages: what the page tables say to a CPU, where accesses
 * stop, which bytes are seen, and that no frame shows what it held before.
 */
#include "unit.h"

#include "vma/space.h"

#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_U 0x4ull
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

/*
 * Walks as an x86-64 CPU does. Returns the rights that all levels grant
 * together, as MW_PROT bits plus 8 for "present"; *frame: the page's offset.
 */
static unsigned walk(const struct bench *b, uint64_t addr, unsigned levels, uint64_t *frame)
{
    const unsigned char *memory = b->memory;
    uint64_t table = mw_root(b->space), entry, write = PTE_W, nx = 0;
    unsigned bits = 9;
    for (unsigned shift = 12 + bits * (levels - 1);; shift -= bits) {
        memcpy(&entry, memory + table + (addr >> shift & 511) * 8, 8);
        if (!(entry & PTE_P))
            return 0;
        assert_true(entry & PTE_U);
        write &= entry;
        nx |= entry & PTE_NX;
        table = entry & PTE_ADDRESS;
        if (shift == 12)
            break;
    }
    *frame = table;
    return 8u | MW_PROT_READ | (write ? MW_PROT_WRITE : 0) | (nx ? 0 : MW_PROT_EXEC);
}

/* Each protection, as the CPU sees it after a fault; PROT_NONE is not present. */
static void tables_format(void **state)
{
    static const struct { uint32_t prot, access; unsigned rights; } cases[] = {
        { MW_PROT_READ, MW_ACCESS_READ, 8 | MW_PROT_READ },
        { RW_, MW_ACCESS_WRITE, 8 | RW_ },
        { MW_PROT_READ | MW_PROT_EXEC, MW_ACCESS_EXEC, 8 | MW_PROT_READ | MW_PROT_EXEC },
        { RW_ | MW_PROT_EXEC, MW_ACCESS_WRITE, 8 | RW_ | MW_PROT_EXEC },
        { MW_PROT_EXEC, MW_ACCESS_EXEC, 8 | MW_PROT_READ | MW_PROT_EXEC },
        { MW_PROT_WRITE, MW_ACCESS_WRITE, 8 | RW_ },
    };
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            uint64_t frame = 0;
            struct bench b;
            bench_config(&b, 12, 128);
            if (levels == 5)
                b.config.task_size = 0xfffffffffff000;
            b.config.levels = levels;
            bench_open(&b);
            uint64_t far = levels == 5 ? 0xab000000001000 : 0x654321001000;
            assert_int_equal(mw_mmap(b.space, far, 4096, cases[i].prot, FIXED_, NULL, 0, NULL),
                             (int64_t)far);
            assert_int_equal(walk(&b, far, levels, &frame), 0);
            assert_int_equal(mw_fault(b.space, far, cases[i].access), MW_FAULT_OK);
            assert_int_equal(walk(&b, far, levels, &frame), cases[i].rights);
            assert_true(frame != 0 && frame < 128 * 4096);
            assert_int_equal(mw_mprotect(b.space, far, 4096, MW_PROT_NONE, NULL), 0);
            assert_int_equal(walk(&b, far, levels, &frame), 0);
            bench_close(&b);
        }
}

/* A page that was only read is not writable; the write gets a page of its own. */
static void tables_read_then_write(void **state)
{
    uint64_t zero = 0, own = 0, other = 0;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aa");
    assert_int_equal(peek(&b, at(&b, 0)), 0);
    assert_int_equal(walk(&b, at(&b, 0), 4, &zero), 8 | MW_PROT_READ);
    poke(&b, at(&b, 0), 7);
    assert_int_equal(walk(&b, at(&b, 0), 4, &own), 8 | RW_);
    assert_true(own != zero);
    assert_int_equal(peek(&b, at(&b, 1)), 0);
    poke(&b, at(&b, 1), 8);
    assert_int_equal(walk(&b, at(&b, 1), 4, &other), 8 | RW_);
    assert_true(other != own);
    mw_mprotect(b.space, at(&b, 0), 4096, RO_, NULL);
    assert_int_equal(walk(&b, at(&b, 0), 4, &other), 8 | MW_PROT_READ);
    assert_true(other == own);
    mw_mremap(b.space, at(&b, 0), 4096, 4096, FIX_, at(&b, 600), NULL);
    assert_int_equal(walk(&b, at(&b, 0), 4, &other), 0);
    assert_int_equal(walk(&b, at(&b, 600), 4, &other), 8 | MW_PROT_READ);
    assert_true(other == own); /* moved, not copied */
    bench_close(&b);
}

/* What each access meets, by protection. */
static void faults(void **state)
{
    enum { OK = MW_FAULT_OK, MAP = MW_FAULT_SEGV_MAPERR, ACC = MW_FAULT_SEGV_ACCERR,
           BUS = MW_FAULT_BUS_ADRERR };
    static const struct { const char *row; int read, write, exec; } cases[] = {
        { ".", MAP, MAP, MAP }, { "a", OK, OK, ACC }, { "r", OK, ACC, ACC },
        { "x", OK, ACC, OK },   { "w", OK, OK, OK },  { "-", ACC, ACC, ACC },
        { "s", OK, OK, ACC },   { "f", OK, OK, ACC }, { "F", OK, OK, ACC },
        { "R", OK, ACC, ACC },  { "N", ACC, ACC, ACC },
    };
    (void)state;
    for (uint32_t shift = 12; shift <= 16; shift += 2)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct bench b;
            bench_config(&b, shift, 64);
            bench_open(&b);
            draw(&b, cases[i].row);
            assert_int_equal(mw_fault(b.space, at(&b, 0), MW_ACCESS_READ), cases[i].read);
            assert_int_equal(mw_fault(b.space, at(&b, 0), MW_ACCESS_WRITE), cases[i].write);
            assert_int_equal(mw_fault(b.space, at(&b, 1) - 1, MW_ACCESS_EXEC), cases[i].exec);
            assert_int_equal(mw_fault(b.space, at(&b, 1), MW_ACCESS_READ), MAP);
            bench_close(&b);
        }
}

static void faults_hostile(void **state)
{
    static const uint64_t addrs[] = { 0, 4095, 0x7fffffffefff, 0x7ffffffff000, 1ull << 47,
                                      0xffff800000000000, ~0ull };
    enum mw_fault_result why;
    unsigned char byte = 0;
    struct bench b;
    (void)state;
    bench_start(&b);
    for (size_t i = 0; i < sizeof addrs / sizeof addrs[0]; i++) {
        assert_int_equal(mw_fault(b.space, addrs[i], MW_ACCESS_WRITE), MW_FAULT_SEGV_MAPERR);
        assert_int_equal(mw_read(b.space, addrs[i], &byte, 1, &why), 0);
        assert_int_equal(why, MW_FAULT_SEGV_MAPERR);
        assert_int_equal(mw_write(b.space, addrs[i], &byte, 1, NULL), 0);
    }
    assert_int_equal(mw_read(b.space, 0, &byte, 0, &why), 0);
    assert_int_equal(why, MW_FAULT_OK);
    bench_close(&b);
}

/* aaar-a, then 70 pages of a 64-page file: copies stop at the first byte that can't be had */
static void copies_stop(void **state)
{
    static unsigned char buf[80 * 65536];
    (void)state;
    for (uint32_t shift = 12; shift <= 16; shift += 2) {
        enum mw_fault_result why;
        struct bench b;
        bench_config(&b, shift, 128);
        bench_open(&b);
        draw(&b, "aaar-a");
        uint64_t p = b.page;
        mw_mmap(b.space, at(&b, 100), 70 * p, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &b.file, 0,
                NULL);
        assert_int_equal(mw_read(b.space, at(&b, 0) + 5, buf, 6 * p, &why), 4 * p - 5);
        assert_int_equal(why, MW_FAULT_SEGV_ACCERR);
        assert_int_equal(mw_write(b.space, at(&b, 0) + 5, buf, 6 * p, &why), 3 * p - 5);
        assert_int_equal(why, MW_FAULT_SEGV_ACCERR);
        assert_int_equal(mw_read(b.space, at(&b, 5), buf, 2 * p, &why), p);
        assert_int_equal(why, MW_FAULT_SEGV_MAPERR);
        assert_int_equal(mw_read(b.space, at(&b, 100) + 1, buf, 70 * p - 1, &why), 64 * p - 1);
        assert_int_equal(why, MW_FAULT_BUS_ADRERR);
        assert_int_equal(mw_read(b.space, at(&b, 0), buf, 3 * p, &why), 3 * p);
        assert_int_equal(why, MW_FAULT_OK);
        bench_close(&b);
    }
}

/* Bytes written across page borders come back, moved or not, byte by byte. */
static void bytes(void **state)
{
    static unsigned char in[5 * 65536], out[5 * 65536];
    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i * 31 + i / 251);
    for (uint32_t shift = 12; shift <= 16; shift += 2) {
        struct bench b;
        bench_config(&b, shift, 64);
        bench_open(&b);
        draw(&b, "aaaaaa");
        size_t n = 4 * b.page + 100;
        assert_int_equal(mw_write(b.space, at(&b, 0) + 77, in, n, NULL), n);
        assert_int_equal(mw_read(b.space, at(&b, 0) + 77, out, n, NULL), n);
        assert_memory_equal(in, out, n);
        mw_mremap(b.space, at(&b, 0), 6 * b.page, 9 * b.page, FIX_, at(&b, 1000), NULL);
        assert_int_equal(mw_read(b.space, at(&b, 1000) + 77, out, n, NULL), n);
        assert_memory_equal(in, out, n);
        assert_int_equal(peek(&b, at(&b, 1000)), 0); /* what lay before stayed zero */
        assert_int_equal(peek(&b, at(&b, 1007)), 0);
        bench_close(&b);
    }
}

/* The zero page's frame is not one that writes reach. */
static void zero_stays_zero(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aaaa.rr");
    for (int i = 0; i < 4; i++)
        assert_int_equal(peek(&b, at(&b, i)), 0);
    for (int i = 0; i < 4; i++)
        poke(&b, at(&b, i), 0xffffffff);
    assert_int_equal(peek(&b, at(&b, 5)), 0);
    assert_int_equal(peek(&b, at(&b, 6)), 0);
    bench_close(&b);
}

/* Frames go from space to space, from anonymous to shared to tables, without old bytes. */
static void frames_do_not_leak(void **state)
{
    static unsigned char dirt[32 * 4096], seen[32 * 4096];
    (void)state;
    memset(dirt, 0xdb, sizeof dirt);
    struct bench a;
    bench_config(&a, 12, 80);
    bench_open(&a);
    for (int round = 0; round < 6; round++) {
        struct mw_space *other;
        bool shared = round % 2;
        draw(&a, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_int_equal(mw_write(a.space, at(&a, 0), dirt, sizeof dirt, NULL), sizeof dirt);
        mw_munmap(a.space, at(&a, 0), sizeof dirt, NULL);
        assert_int_equal(mw_space_create(&a.config, &other), 0);
        assert_true(mw_mmap(other, at(&a, 0), sizeof dirt, RW_,
                            MW_MAP_FIXED | MW_MAP_ANONYMOUS |
                                (shared ? MW_MAP_SHARED : MW_MAP_PRIVATE),
                            NULL, 0, NULL) > 0);
        for (int i = 0; i < 32; i++) /* a write, so that each gets a frame of its own */
            mw_write(other, at(&a, i) + 17, dirt, 1, NULL);
        assert_int_equal(mw_read(other, at(&a, 0), seen, sizeof seen, NULL), sizeof seen);
        for (size_t i = 0; i < sizeof seen; i++)
            if (seen[i] != (i % 4096 == 17 ? 0xdb : 0))
                fail_msg("round %d: old byte %#x at %zu", round, seen[i], i);
        assert_int_equal(mw_write(other, at(&a, 0), dirt, sizeof dirt, NULL), sizeof dirt);
        mw_space_destroy(other);
    }
    bench_close(&a);
}

/* A file page that is shorter than the page: its rest is zero, in frames used before too. */
static void short_file_pages(void **state)
{
    struct bench b;
    struct mw_object *o;
    (void)state;
    bench_config(&b, 12, 64);
    bench_open(&b);
    draw(&b, "aaaaaaaa");
    for (int i = 0; i < 8; i++)
        poke(&b, at(&b, i) + 2000, 0xdddddddd);
    mw_munmap(b.space, at(&b, 0), 8 * 4096, NULL);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 4096 + 100, 0, &o), 0);
    struct mw_file f = { o, MW_FILE_READ | MW_FILE_WRITE };
    mw_mmap(b.space, at(&b, 0), 4 * 4096, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL);
    assert_int_equal(peek(&b, at(&b, 0) + 2000), 0);
    assert_int_equal(peek(&b, at(&b, 1) + 2000), 0);
    assert_int_equal(mw_fault(b.space, at(&b, 2), MW_ACCESS_READ), MW_FAULT_BUS_ADRERR);
    mw_object_put(o); /* the mapping keeps it */
    poke(&b, at(&b, 0), 5);
    assert_int_equal(peek(&b, at(&b, 0)), 5);
    bench_close(&b);
}

/* Moves of a page table's span and more keep each page, and tables that get empty go. */
static void large_moves(void **state)
{
    struct mw_stats s;
    struct bench b;
    (void)state;
    bench_start(&b);
    const int64_t h = 512;
    for (int64_t shift = 0; shift < 3; shift++) {
        int64_t from = 10 * h + shift, to = 5000 * h + shift * 7;
        mw_mmap(b.space, at(&b, from), (uint64_t)(4 * h) * 4096, RW_, FIXED_, NULL, 0, NULL);
        for (int64_t i = 0; i < 4 * h; i += 129)
            poke(&b, at(&b, from + i), (uint32_t)(i + 1));
        mw_mremap(b.space, at(&b, from), (uint64_t)(4 * h) * 4096, (uint64_t)(4 * h) * 4096,
                  FIX_, at(&b, to), NULL);
        for (int64_t i = 0; i < 4 * h; i += 129) {
            assert_int_equal(peek(&b, at(&b, to + i)), i + 1);
            assert_int_equal(peek(&b, at(&b, from + i)), -1);
        }
        assert_int_equal(mw_check(b.space, NULL), 0);
        mw_munmap(b.space, at(&b, to), (uint64_t)(4 * h) * 4096, NULL);
        mw_stats(b.space, &s);
        assert_int_equal(s.tables, 1);
        assert_int_equal(s.resident, 0);
    }
    bench_close(&b);
}

/* ---- moves by less than a table ---- */

enum { H = 512, SPAN = 6 * H, FAR = 9000 * H }; /* pages: a table's, what moves, and where to */

struct skewed {
    const char *kind; /* which pages are there */
    int64_t skew, ragged; /* pages that the destination is off by, and that are missing at the start */
    bool neighbours, read;
};

static bool is_there(const char *kind, int64_t i)
{
    switch (*kind) {
    case 'a': return true;
    case 's': return i % 37 == 3;
    case 'f': return i % H == 0;
    case 'l': return i % H == H - 1;
    case 'e': return i / H % 2;
    default: return i / 300 % 2;
    }
}

static void poke_new(struct bench *b, int64_t page)
{
    mw_mmap(b->space, at(b, page), 4096, RW_, FIXED_, NULL, 0, NULL);
    poke(b, at(b, page), 77);
}

static void move_skewed(const struct skewed *c)
{
    static pte_t before[SPAN], *where[SPAN];
    const int64_t to = FAR + c->skew + c->ragged, first = FAR + (c->ragged ? 0 : c->skew - 1), last = to + SPAN + 1;
    const uint64_t bytes = (uint64_t)(SPAN - c->ragged) * 4096;
    struct mw_reader reader;
    struct bench b;
    bench_config(&b, 12, 8192);
    bench_open(&b);
    mw_mmap(b.space, at(&b, c->ragged), bytes, RW_, FIXED_, NULL, 0, NULL);
    for (int64_t i = c->ragged; i < SPAN; i++) {
        if (is_there(c->kind, i))
            poke(&b, at(&b, i), (uint32_t)i);
        where[i] = pmap_find(&b.space->pmap, at(&b, i), NULL);
        before[i] = where[i] ? *where[i] : 0;
    }
    if (c->neighbours) {
        poke_new(&b, first);
        poke_new(&b, last);
    }
    if (c->read)
        assert_int_equal(mw_reader_attach(b.space, &reader), 0);
    assert_int_equal(mw_mremap(b.space, at(&b, c->ragged), bytes, bytes, FIX_, at(&b, to), NULL), at(&b, to));
    for (int64_t i = c->ragged; i < SPAN; i++) {
        const pte_t *e = pmap_find(&b.space->pmap, at(&b, to + i - c->ragged), NULL);
        if ((e ? *e : 0) != before[i] || pmap_find(&b.space->pmap, at(&b, i), NULL))
            fail_msg("%s, skew %d: page %d", c->kind, (int)c->skew, (int)i);
        if (c->read && where[i] && *where[i]) /* somebody who still looks there */
            fail_msg("%s, skew %d: page %d is another's", c->kind, (int)c->skew, (int)i);
    }
    if (c->read)
        mw_reader_detach(&reader);
    if (c->neighbours) {
        assert_int_equal(peek(&b, at(&b, first)), 77);
        assert_int_equal(peek(&b, at(&b, last)), 77);
    }
    assert_int_equal(mw_check(b.space, NULL), 0); /* also: no empty table was kept */
    bench_close(&b);
}

/* Each entry arrives, between holes too, and what lies in the same tables stays. */
static void moves_off_tables(void **state)
{
    static const char *const kinds[] = { "all", "some", "first of each", "last of each", "every other table", "runs" };
    static const int64_t skews[] = { 1, 5, 255, 256, 257, 511 };
    (void)state;
    for (size_t k = 0; k < 6 * 6 * 2 * 2; k++)
        move_skewed(&(struct skewed){ kinds[k % 6], skews[k / 6 % 6], k / 72 ? 100 : 0, k / 36 % 2, k % 5 == 4 });
}

/* The port hears of stale translations, once a call. */
static void flushes(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aaaa");
    for (int i = 0; i < 4; i++)
        poke(&b, at(&b, i), 1);
    size_t n = b.flushes;
    mw_mprotect(b.space, at(&b, 0), 4 * 4096, RO_, NULL);
    assert_int_equal(b.flushes, n + 1);
    mw_mremap(b.space, at(&b, 0), 2 * 4096, 2 * 4096, FIX_, at(&b, 10), NULL);
    assert_int_equal(b.flushes, n + 2);
    mw_munmap(b.space, at(&b, 2), 2 * 4096, NULL);
    assert_int_equal(b.flushes, n + 3);
    draw(&b, "aar");
    poke(&b, at(&b, 0), 1);
    n = b.flushes; /* a move that unmaps nothing but what has moved */
    assert_true(mw_mremap(b.space, at(&b, 0), 2 * 4096, 3 * 4096, MAY_, 0, NULL) > 0);
    assert_int_equal(b.flushes, n + 1);
    draw(&b, "....a");
    n = b.flushes; /* READER-3: what was absent is in no TLB, but what a lock copies was */
    poke(&b, at(&b, 4), 1);
    assert_int_equal(b.flushes, n);
    struct mw_space *child;
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(b.flushes, n + 1);
    assert_int_equal(mw_mlock(b.space, at(&b, 4), 4096, NULL), 0);
    assert_int_equal(b.flushes, n + 2);
    mw_space_destroy(child);
    bench_close(&b);
}

/* A layout-only space keeps mappings but no pages. */
static void layout_only(void **state)
{
    unsigned char byte = 0;
    enum mw_fault_result why;
    struct mw_stats s;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 0);
    bench_open(&b);
    draw(&b, "aaaa..FF");
    assert_int_equal(mw_root(b.space), 0);
    assert_int_equal(mw_fault(b.space, at(&b, 0), MW_ACCESS_READ), MW_FAULT_NOSYS);
    assert_int_equal(mw_read(b.space, at(&b, 0), &byte, 1, &why), 0);
    assert_int_equal(why, MW_FAULT_NOSYS);
    assert_int_equal(mw_write(b.space, at(&b, 0), &byte, 1, NULL), 0);
    mw_touch(b.space, at(&b, 0), at(&b, 1));
    mw_mremap(b.space, at(&b, 0), 4 * 4096, 6 * 4096, FIX_, at(&b, 10), NULL);
    expect_row(&b, "......FF..AAAAAA", "moved");
    mw_stats(b.space, &s);
    assert_int_equal(s.tables + s.resident, 0);
    bench_close(&b);
}

/* MREMAP-23: whole tables go by one entry, at each level; only ragged ends go page by page */
static void moves_tables(void **state)
{
    (void)state;
    static const struct {
        uint64_t from, to, length, step; /* bytes; a page is touched every `step` */
        uint64_t most;                   /* entries written */
    } c[] = {
        { 2ull << 20, 8ull << 20, 2ull << 20, 4096, 1 },
        { 2ull << 20, 8ull << 20, 1ull << 20, 4096, 256 },
        { 1ull << 30, 5ull << 30, 1ull << 30, 1ull << 20, 1 },
        { 1ull << 30, (5ull << 30) + (2 << 20), 1ull << 30, 1ull << 20, 512 },
        { 1ull << 30, (5ull << 30) + 4096, 1ull << 30, 1ull << 20, 1024 },
        { 512ull << 30, 5ull << 39, 512ull << 30, 1ull << 30, 1 },
        { 512ull << 30, (5ull << 39) + (1 << 30), 512ull << 30, 1ull << 30, 512 },
        { 512ull << 30, 64ull << 39, 8ull << 39, 64ull << 30, 8 },
        /* a page at each end, whole tables between */
        { (2ull << 20) - 4096, (1ull << 30) - 4096, (64ull << 20) + 8192, 4096, 32 + 2 },
        { (1ull << 30) - (2 << 20), (8ull << 30) - (2 << 20), (4ull << 30) + (4 << 20), 1 << 21, 4 + 2 },
    };
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        struct mw_vma v = { .start = c[i].from, .end = c[i].from + c[i].length, .offset = c[i].from,
                            .flags = MW_VM_READ | MW_VM_WRITE | MW_VM_MAYREAD | MW_VM_MAYWRITE };
        bench_config(&b, 12, 24000);
        b.config.min_addr = b.config.min_hint = 0;
        bench_open(&b);
        assert_int_equal(mw_import(b.space, &v), 0);
        for (uint64_t a = 0; a < c[i].length; a += c[i].step)
            poke(&b, c[i].from + a, (uint32_t)(a / c[i].step));
        uint64_t before = b.space->pool.moved;
        assert_int_equal(mw_mremap(b.space, c[i].from, c[i].length, c[i].length, FIX_, c[i].to, NULL),
                         c[i].to);
        uint64_t moved = b.space->pool.moved - before;
        if (moved > c[i].most)
            fail_msg("case %zu: %llu entries", i, (unsigned long long)moved);
        for (uint64_t a = 0; a < c[i].length; a += c[i].step)
            assert_int_equal(peek(&b, c[i].to + a), a / c[i].step);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_format), cmocka_unit_test(tables_read_then_write),
        cmocka_unit_test(faults), cmocka_unit_test(faults_hostile),
        cmocka_unit_test(copies_stop), cmocka_unit_test(bytes), cmocka_unit_test(zero_stays_zero),
        cmocka_unit_test(frames_do_not_leak), cmocka_unit_test(short_file_pages),
        cmocka_unit_test(large_moves), cmocka_unit_test(flushes), cmocka_unit_test(layout_only),
        cmocka_unit_test(moves_tables), cmocka_unit_test(moves_off_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
