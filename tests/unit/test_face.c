/* SPDX-License-Identifier: MIT */
/*
 * test_face.c - what /proc shows where the scenarios can't look: whole texts,
 * other versions and page sizes, reading in parts, shares between spaces; and
 * names, which the kernels at hand are built without.
 */
#include "unit.h"

#include "mapwright/proc.h"
#include "vma/space.h"

#define V(major, minor) MW_LINUX(major, minor)

static const char *text_of(struct mw_space *s, const struct mw_proc *proc, enum mw_proc_face face)
{
    static char text[1 << 16];
    static const struct mw_proc plain;
    struct mw_proc_cursor cursor = { 0 };
    size_t n = 0, k;
    while ((k = mw_proc_read(s, proc ? proc : &plain, face, &cursor, text + n, sizeof text - 1 - n)) > 0)
        n += k;
    text[n] = '\0';
    return text;
}

static const char *maps(struct bench *b) { return text_of(b->space, NULL, MW_PROC_MAPS); }

/* The number that a field of smaps, smaps_rollup or status has where it first stands; -1: it is not there. */
static long field(const char *text, const char *name)
{
    const char *p = strstr(text, name);
    return p ? strtol(p + strlen(name), NULL, 10) : -1;
}

static void start_as(struct bench *b, uint32_t version)
{
    bench_config(b, 12, 4096);
    b->config.linux_version = version;
    bench_open(b);
}

static void map(struct bench *b, int64_t page, int64_t n, uint32_t prot, uint32_t flags)
{
    assert_true(mw_mmap(b->space, at(b, page), (uint64_t)n * b->page, prot,
                        flags | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL) > 0);
}

static void write_to(struct mw_space *s, uint64_t addr)
{
    assert_int_equal(mw_fault(s, addr, MW_ACCESS_WRITE), MW_FAULT_OK);
}

/* ---- maps ---- */

static bool show(void *ctx, const struct mw_object *object, struct mw_proc_file *out)
{
    const struct bench *b = ctx;
    if (object != b->object)
        return false;
    *out = (struct mw_proc_file){ .major = 0xfe, .minor = 0x12345, .inode = 18446744073709551615ull,
                                  .path = "/tmp/x y\n\\z\t", .flags = MW_PROC_DELETED };
    return true;
}

/* FACE-1, FACE-2: addresses of any size, a file's name and numbers, the engine's own objects, vsyscall */
static void lines(void **state)
{
    char expected[512];
    struct bench b;
    struct mw_vma low = { .start = 0x10000, .end = 0x11000, .offset = 0x10000,
                          .flags = MW_VM_READ | MW_VM_WRITE | MW_VM_MAYWRITE };
    (void)state;
    bench_start(&b);
    const struct mw_proc proc = { .file = show, .ctx = &b, .flags = MW_PROC_VSYSCALL };
    assert_int_equal(mw_import(b.space, &low), 0);
    assert_true(mw_mmap(b.space, at(&b, 0), b.page, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED, &b.file, 3 * b.page, NULL) > 0);
    map(&b, 2, 1, MW_PROT_NONE, MW_MAP_SHARED);
    snprintf(expected, sizeof expected,
             "00010000-00011000 rw-p 00000000 00:00 0 \n%-73s%s\n%-73s%s\n%-73s%s\n",
             "100000000000-100000001000 rw-p 00003000 fe:12345 18446744073709551615", "/tmp/x y\\012\\z\t (deleted)",
             "100000002000-100000003000 ---s 00000000 00:01 0", "/dev/zero (deleted)",
             "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0", "[vsyscall]");
    assert_string_equal(text_of(b.space, &proc, MW_PROC_MAPS), expected);
    bench_close(&b);
}

/* FACE-3: the stack, by where its pointer was; the heap as before 6.12 */
static void places(void **state)
{
    static const struct { uint32_t version; const char *at_end; int width; } c[] = {
        { V(6, 12), "", 0 }, { V(6, 1), "[heap]", 73 },
    };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bench b;
        char expected[512];
        bench_config(&b, 12, 64);
        b.config.linux_version = c[i].version;
        b.config.brk_start = at(&b, 0);
        bench_open(&b);
        const struct mw_proc proc = { .stack = at(&b, 12) - 8 };
        assert_true(mw_brk(b.space, at(&b, 2), NULL) == at(&b, 2));
        map(&b, 2, 1, RO_, MW_MAP_PRIVATE);
        map(&b, 10, 2, RW_, MW_MAP_PRIVATE | MW_MAP_GROWSDOWN);
        map(&b, 12, 1, RO_, MW_MAP_PRIVATE);
        snprintf(expected, sizeof expected,
                 "%-73s[heap]\n%-*s%s\n%-73s[stack]\n"
                 "10000000c000-10000000d000 r--p 00000000 00:00 0 \n",
                 "100000000000-100000002000 rw-p 00000000 00:00 0 ", c[i].width,
                 "100000002000-100000003000 r--p 00000000 00:00 0 ", c[i].at_end,
                 "10000000a000-10000000c000 rw-p 00000000 00:00 0 ");
        assert_string_equal(text_of(b.space, &proc, MW_PROC_MAPS), expected);
        bench_close(&b);
    }
}

/* FACE-8: any size of buffer gives the same text; whole mappings as long as one fits */
static void parts(void **state)
{
    static const enum mw_proc_face faces[] = { MW_PROC_MAPS, MW_PROC_SMAPS, MW_PROC_SMAPS_ROLLUP,
                                               MW_PROC_STATUS, MW_PROC_STATM };
    const struct mw_proc proc = { .flags = MW_PROC_VSYSCALL };
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "a.r.A.s");
    for (size_t f = 0; f < sizeof faces / sizeof faces[0]; f++) {
        char *whole = strdup(text_of(b.space, &proc, faces[f])), buf[1000];
        for (size_t size = 1; size < sizeof buf; size = size * 3 / 2 + 1) {
            struct mw_proc_cursor cursor = { 0 };
            size_t done = 0, n;
            while ((n = mw_proc_read(b.space, &proc, faces[f], &cursor, buf, size)) > 0) {
                assert_memory_equal(whole + done, buf, n);
                done += n;
                if (size > 100 && faces[f] == MW_PROC_MAPS)
                    assert_int_equal(buf[n - 1], '\n');
            }
            assert_int_equal(done, strlen(whole));
        }
        free(whole);
    }
    bench_close(&b);
}

/* FACE-8: what is mapped behind the reader is not read, what is mapped before it is */
static void changes(void **state)
{
    const struct mw_proc proc = { 0 };
    struct mw_proc_cursor cursor = { 0 };
    char buf[60];
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "..a.a");
    assert_int_equal(mw_proc_read(b.space, &proc, MW_PROC_MAPS, &cursor, buf, sizeof buf), 49);
    assert_memory_equal(buf, "100000002000-", 13);
    map(&b, 0, 1, RW_, MW_MAP_PRIVATE);
    map(&b, 3, 1, RO_, MW_MAP_PRIVATE);
    assert_int_equal(mw_proc_read(b.space, &proc, MW_PROC_MAPS, &cursor, buf, sizeof buf), 49);
    assert_memory_equal(buf, "100000003000-", 13);
    assert_int_equal(mw_munmap(b.space, at(&b, 0), 10 * b.page, NULL), 0);
    assert_int_equal(mw_proc_read(b.space, &proc, MW_PROC_MAPS, &cursor, buf, sizeof buf), 0);
    bench_close(&b);
}

/* ---- smaps ---- */

/* FACE-4, FACE-7: the fields and letters that came later; keys */
static void versions(void **state)
{
    static const struct { uint32_t version; bool dirty, ksm; const char *onfault; } c[] = {
        { V(5, 10), false, false, "lo ?? ac" }, { V(6, 1), true, false, "lo ?? ac" },
        { V(6, 12), true, true, "lo lf ac" }, { V(7, 2), true, true, "lo lf ac" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        const char *text;
        start_as(&b, c[i].version);
        map(&b, 0, 1, RW_, MW_MAP_PRIVATE);
        assert_int_equal(mw_mlock2(b.space, at(&b, 0), b.page, MW_MLOCK_ONFAULT, NULL), 0);
        text = text_of(b.space, NULL, MW_PROC_SMAPS);
        assert_int_equal(strstr(text, "Pss_Dirty:") != NULL, c[i].dirty);
        assert_int_equal(strstr(text, "KSM:") != NULL, c[i].ksm);
        assert_non_null(strstr(text, c[i].onfault));
        assert_null(strstr(text, "ProtectionKey"));
        bench_close(&b);
    }
}

/* FACE-4: a mapping's protection key, where there are keys */
static void keys(void **state)
{
    struct bench b;
    const char *text;
    (void)state;
    bench_config(&b, 12, 4096);
    b.config.options |= MW_OPT_PKEYS;
    bench_open(&b);
    map(&b, 0, 2, RW_, MW_MAP_PRIVATE);
    for (int i = 1; i <= 12; i++)
        assert_int_equal(mw_pkey_alloc(b.space, 0, 0, NULL), i);
    assert_int_equal(mw_pkey_mprotect(b.space, at(&b, 1), b.page, RW_, 12, NULL), 0);
    text = text_of(b.space, NULL, MW_PROC_SMAPS);
    text = strstr(text, "THPeligible:           0\nProtectionKey:         0\nVmFlags: ");
    assert_non_null(text);
    assert_non_null(strstr(text, "THPeligible:           0\nProtectionKey:        12\nVmFlags: "));
    bench_close(&b);
}

/* FACE-5, FACE-8: a page of three spaces is a third each's; the sum is rounded, not the parts */
static void shares(void **state)
{
    struct mw_space *child[2];
    struct bench b;
    const char *text;
    char head[100];
    (void)state;
    bench_start(&b);
    map(&b, 0, 4, RW_, MW_MAP_PRIVATE);
    map(&b, 5, 4, RW_, MW_MAP_PRIVATE);
    for (int i = 0; i < 4; i++)
        write_to(b.space, at(&b, i));
    write_to(b.space, at(&b, 5));
    for (int i = 0; i < 2; i++)
        assert_int_equal(mw_fork(b.space, b.config.id, &child[i], NULL), 0);
    write_to(child[0], at(&b, 0));
    text = text_of(b.space, NULL, MW_PROC_SMAPS);
    assert_int_equal(field(text, "Rss:"), 16);
    assert_int_equal(field(text, "Pss:"), 5); /* 2 + 3 * 4/3, less what each third loses */
    assert_int_equal(field(text, "Shared_Dirty:"), 16);
    assert_int_equal(field(strstr(text, "VmFlags"), "Pss:"), 1);
    text = text_of(b.space, NULL, MW_PROC_SMAPS_ROLLUP);
    snprintf(head, sizeof head, "%-73s[rollup]\nRss: ", "100000000000-100000009000 ---p 00000000 00:00 0");
    assert_memory_equal(text, head, strlen(head));
    assert_int_equal(field(text, "Rss:"), 20);
    assert_int_equal(field(text, "\nPss:"), 7);
    assert_int_equal(field(text, "Pss_Anon:"), 7);
    assert_int_equal(field(text, "Pss_File:"), 0);
    text = text_of(child[0], NULL, MW_PROC_SMAPS);
    assert_int_equal(field(text, "Private_Dirty:"), 4);
    assert_int_equal(field(text, "Shared_Dirty:"), 12);
    mw_space_destroy(child[0]);
    mw_space_destroy(child[1]);
    text = text_of(b.space, NULL, MW_PROC_SMAPS_ROLLUP);
    assert_int_equal(field(text, "Private_Dirty:"), 20);
    bench_close(&b);
}

/* FACE-5: the same where a fork has left whole tables to both */
static void shared_tables(void **state)
{
    struct mw_space *child[2];
    struct bench b;
    const char *text;
    (void)state;
    bench_start(&b);
    map(&b, 0, 1024, RW_, MW_MAP_PRIVATE);
    for (int i = 0; i < 4; i++)
        write_to(b.space, at(&b, i));
    assert_int_equal(mw_fork(b.space, b.config.id, &child[0], NULL), 0);
    text = text_of(b.space, NULL, MW_PROC_SMAPS);
    assert_int_equal(field(text, "Pss:"), 8);
    assert_int_equal(field(text, "Shared_Dirty:"), 16);
    assert_int_equal(mw_fork(b.space, b.config.id, &child[1], NULL), 0);
    assert_int_equal(field(text_of(child[0], NULL, MW_PROC_SMAPS), "Pss:"), 5);
    mw_space_destroy(child[1]);
    write_to(child[0], at(&b, 0));
    text = text_of(child[0], NULL, MW_PROC_SMAPS);
    assert_int_equal(field(text, "Private_Dirty:"), 4);
    assert_int_equal(field(text, "Pss:"), 10);
    assert_int_equal(field(text_of(b.space, NULL, MW_PROC_SMAPS), "Pss:"), 10);
    assert_int_equal(field(text_of(child[0], NULL, MW_PROC_STATUS), "VmHWM:"), 16);
    assert_int_equal(field(text_of(child[0], NULL, MW_PROC_STATUS), "VmPTE:"), 12);
    mw_space_destroy(child[0]);
    assert_int_equal(field(text_of(b.space, NULL, MW_PROC_SMAPS), "Private_Dirty:"), 16);
    bench_close(&b);
}

/* FACE-5, FACE-6: an object's pages, read, written and copied; the zero page is nobody's */
static void kinds(void **state)
{
    struct bench b;
    const char *text;
    (void)state;
    bench_start(&b);
    map(&b, 0, 2, RW_, MW_MAP_PRIVATE);
    assert_true(mw_mmap(b.space, at(&b, 4), 4 * b.page, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED, &b.file, 0, NULL) > 0);
    map(&b, 10, 2, RW_, MW_MAP_SHARED);
    for (int i = 0; i < 12; i++)
        if (i != 2 && i != 3 && i != 8 && i != 9)
            peek(&b, at(&b, i));
    write_to(b.space, at(&b, 4));
    write_to(b.space, at(&b, 10));
    text = text_of(b.space, NULL, MW_PROC_SMAPS_ROLLUP); /* without a callback all is shared memory */
    assert_int_equal(field(text, "Rss:"), 24);
    assert_int_equal(field(text, "Pss_Shmem:"), 20);
    const struct mw_proc proc = { .file = show, .ctx = &b };
    text = text_of(b.space, &proc, MW_PROC_SMAPS_ROLLUP);
    assert_int_equal(field(text, "Pss_Anon:"), 4);
    assert_int_equal(field(text, "Pss_File:"), 12);
    assert_int_equal(field(text, "Pss_Shmem:"), 8);
    assert_int_equal(field(text, "Private_Clean:"), 16);
    assert_int_equal(field(text, "Private_Dirty:"), 8);
    assert_int_equal(field(text, "Referenced:"), 24);
    assert_int_equal(field(text, "Anonymous:"), 4);
    text = text_of(b.space, &proc, MW_PROC_STATUS);
    assert_int_equal(field(text, "VmRSS:"), 24);
    assert_int_equal(field(text, "RssAnon:"), 4);
    assert_int_equal(field(text, "RssFile:"), 12);
    assert_int_equal(field(text, "RssShmem:"), 8);
    assert_string_equal(text_of(b.space, &proc, MW_PROC_STATM), "8 6 5 0 0 6 0\n");
    bench_close(&b);
}

/* FACE-5: guards are no pages; both addresses of a mirrored page have it */
static void odd_pages(void **state)
{
    struct bench b;
    const char *text;
    (void)state;
    bench_config(&b, 12, 256);
    b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&b);
    map(&b, 0, 2, RW_, MW_MAP_PRIVATE);
    write_to(b.space, at(&b, 0));
    assert_int_equal(mw_madvise(b.space, at(&b, 1), b.page, MW_MADV_GUARD_INSTALL, NULL), 0);
    assert_int_equal(field(text_of(b.space, NULL, MW_PROC_SMAPS), "Rss:"), 4);
    map(&b, 4, 1, RW_, MW_MAP_PRIVATE);
    write_to(b.space, at(&b, 4));
    assert_true(mw_mremap(b.space, at(&b, 4), b.page, b.page, FIX_ | MW_MREMAP_MIRROR, at(&b, 6), NULL) > 0);
    text = strstr(text_of(b.space, NULL, MW_PROC_SMAPS), "100000004000-");
    assert_int_equal(field(text, "Rss:"), 4);
    assert_int_equal(field(text, "Anonymous:"), 4);
    text = strstr(text, "100000006000-");
    assert_memory_equal(text, "100000006000-100000007000 rw-p 00000000 00:00 0 \n", 49);
    assert_int_equal(field(text, "Rss:"), 4);
    bench_close(&b);
}

static bool eligible(struct bench *b, uint64_t start, uint64_t length, uint64_t advice)
{
    bool yes;
    assert_true(mw_mmap(b->space, start, length, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL) > 0);
    assert_int_equal(mw_madvise(b->space, start, length, advice, NULL), 0);
    yes = field(text_of(b->space, NULL, MW_PROC_SMAPS), "THPeligible:") == 1;
    assert_int_equal(mw_munmap(b->space, start, length, NULL), 0);
    return yes;
}

/* FACE-7: THPeligible by mode, advice, room and PR_SET_THP_DISABLE, as seen on 6.18 */
static void huge(void **state)
{
    static const struct {
        uint32_t mode, disable;
        bool plain, advised;
    } rows[] = {
        { MW_THP_NEVER, 0, false, false },
        { MW_THP_MADVISE, 0, false, true },
        { MW_THP_MADVISE, MW_THP_DISABLE, false, false },
        { MW_THP_MADVISE, MW_THP_DISABLE_EXCEPT_ADVISED, false, true },
        { MW_THP_ALWAYS, 0, true, true },
        { MW_THP_ALWAYS, MW_THP_DISABLE, false, false },
        { MW_THP_ALWAYS, MW_THP_DISABLE_EXCEPT_ADVISED, false, true },
    };
    const uint64_t huge = MW_HUGE_SIZE;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        bench_config(&b, 12, 64);
        b.config.thp = rows[i].mode;
        bench_open(&b);
        mw_set_thp_disable(b.space, rows[i].disable);
        assert_int_equal(eligible(&b, BASE, 2 * huge, MW_MADV_NORMAL), rows[i].plain);
        assert_int_equal(eligible(&b, BASE, 2 * huge, MW_MADV_HUGEPAGE), rows[i].advised);
        assert_false(eligible(&b, BASE, 2 * huge, MW_MADV_NOHUGEPAGE));
        assert_int_equal(eligible(&b, BASE + 4096, 2 * huge, MW_MADV_HUGEPAGE), rows[i].advised);
        assert_false(eligible(&b, BASE + 4096, 2 * huge - 8192, MW_MADV_HUGEPAGE));
        assert_false(eligible(&b, BASE, 32768, MW_MADV_HUGEPAGE));
        bench_close(&b);
    }
}

/* FACE-4: pages of 64 KiB, and layouts without pages */
static void other_spaces(void **state)
{
    struct bench b;
    const char *text;
    (void)state;
    bench_config(&b, 16, 64);
    bench_open(&b);
    map(&b, 0, 2, RW_, MW_MAP_PRIVATE);
    write_to(b.space, at(&b, 1));
    text = text_of(b.space, NULL, MW_PROC_SMAPS);
    assert_int_equal(field(text, "Size:"), 128);
    assert_int_equal(field(text, "MMUPageSize:"), 64);
    assert_int_equal(field(text, "Rss:"), 64);
    assert_int_equal(field(text_of(b.space, NULL, MW_PROC_STATUS), "VmSize:"), 128);
    bench_close(&b);

    bench_config(&b, 12, 0);
    bench_open(&b);
    assert_string_equal(maps(&b), "");
    assert_int_equal(field(text_of(b.space, NULL, MW_PROC_SMAPS_ROLLUP), "Rss:"), 0);
    map(&b, 0, 2, RW_, MW_MAP_PRIVATE);
    assert_int_equal(field(text_of(b.space, NULL, MW_PROC_SMAPS), "Rss:"), 0);
    bench_close(&b);
}

/* FACE-9, FACE-10: the most that there was between calls; code and libraries; tables but for the root */
static void status(void **state)
{
    const struct mw_proc proc = { .code_start = BASE + 10, .code_end = BASE + 4097 };
    struct bench b;
    const char *text;
    (void)state;
    bench_start(&b);
    map(&b, 0, 3, MW_PROT_READ | MW_PROT_EXEC, MW_MAP_PRIVATE);
    map(&b, 10, 5, RW_, MW_MAP_PRIVATE);
    for (int i = 10; i < 15; i++)
        write_to(b.space, at(&b, i));
    assert_true(mw_mremap(b.space, at(&b, 10), 5 * b.page, 5 * b.page, FIX_, at(&b, 20), NULL) > 0);
    assert_int_equal(mw_munmap(b.space, at(&b, 20), 4 * b.page, NULL), 0);
    text = text_of(b.space, &proc, MW_PROC_STATUS);
    assert_memory_equal(text, "VmPeak:\t      32 kB\nVmSize:\t      16 kB\nVmLck:\t       0 kB\n", 57);
    assert_int_equal(field(text, "VmHWM:"), 20);
    assert_int_equal(field(text, "VmRSS:"), 4);
    assert_int_equal(field(text, "VmExe:"), 8);
    assert_int_equal(field(text, "VmLib:"), 4);
    assert_int_equal(field(text, "VmPTE:"), 12);
    bench_close(&b);
}

/* ---- names ---- */

static int64_t name(struct bench *b, int64_t page, int64_t n, const char *text)
{
    struct mw_why why;
    int64_t r = mw_name(b->space, at(b, page), (uint64_t)n * b->page, text, &why);
    expect_why(r, &why, "name");
    assert_int_equal(mw_check(b->space, NULL), 0);
    return r;
}

static int mappings(struct bench *b)
{
    struct mw_stats s;
    mw_stats(b->space, &s);
    return (int)s.map_count;
}

static const char *name_at(struct mw_space *s, uint64_t addr)
{
    struct mw_vma v;
    assert_true(mw_find_vma(s, addr, &v) && v.start <= addr);
    return mw_vma_name(s, &v);
}

/* NAME-1, NAME-2, NAME-3: what is looked at before the range is, and in which order */
static void name_arguments(void **state)
{
    char longest[81];
    struct bench b;
    int refused = 0;
    (void)state;
    start_as(&b, V(5, 16));
    draw(&b, "aa");
    assert_int_equal(name(&b, 0, 1, "x"), -MW_EINVAL);
    bench_close(&b);
    start_as(&b, V(5, 17));
    draw(&b, "aa");
    memset(longest, 'n', sizeof longest);
    longest[80] = '\0';
    assert_int_equal(name(&b, 0, 1, longest), -MW_EINVAL);
    longest[79] = '\0';
    assert_int_equal(name(&b, 0, 1, longest), 0);
    assert_string_equal(name_at(b.space, at(&b, 0)), longest);
    for (int c = 1; c < 256; c++) {
        char text[] = { 'x', (char)c, '\0' };
        refused += name(&b, 0, 1, text) == -MW_EINVAL;
    }
    assert_int_equal(refused, 255 - (0x7f - 0x20) + 5);
    assert_int_equal(mw_name(b.space, at(&b, 0), 0, "[", NULL), -MW_EINVAL);
    assert_int_equal(mw_name(b.space, at(&b, 0) + 1, 0, "x", NULL), -MW_EINVAL);
    assert_int_equal(mw_name(b.space, at(&b, 0), UINT64_MAX, "x", NULL), -MW_EINVAL);
    assert_int_equal(mw_name(b.space, at(&b, 0), 0 - at(&b, 0), "x", NULL), -MW_EINVAL);
    assert_int_equal(mw_name(b.space, at(&b, 9), 0, "x", NULL), 0);
    assert_int_equal(mw_name(b.space, at(&b, 1), 1, "rounded up", NULL), 0);
    assert_string_equal(name_at(b.space, at(&b, 1)), "rounded up");
    bench_close(&b);
}

/* NAME-4, NAME-5: holes are passed over, a file ends it; shared memory since 6.2; cuts at the limit */
static void name_kinds(void **state)
{
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "a.a.f.s");
    assert_int_equal(name(&b, 0, 3, "x"), -MW_ENOMEM);
    assert_string_equal(name_at(b.space, at(&b, 2)), "x");
    assert_int_equal(name(&b, 0, 7, "y"), -MW_EBADF);
    assert_string_equal(name_at(b.space, at(&b, 2)), "y");
    assert_null(name_at(b.space, at(&b, 6)));
    assert_int_equal(name(&b, 6, 1, "sh"), 0);
    assert_non_null(strstr(maps(&b), "[anon:y]\n"));
    assert_non_null(strstr(maps(&b), " [anon_shmem:sh]\n"));
    bench_close(&b);

    start_as(&b, V(6, 1));
    draw(&b, "s");
    assert_int_equal(name(&b, 0, 1, "sh"), -MW_EBADF);
    bench_close(&b);

    bench_config(&b, 12, 64);
    b.config.max_map_count = 2;
    bench_open(&b);
    draw(&b, "aaa");
    assert_int_equal(name(&b, 1, 1, "x"), -MW_EAGAIN);
    assert_int_equal(name(&b, 0, 3, "x"), 0);
    bench_close(&b);
}

/* NAME-6: names part and join mappings; splitting, moving and forking keep them */
static void name_keeps(void **state)
{
    struct mw_space *child;
    struct bench b;
    (void)state;
    bench_start(&b);
    draw(&b, "aaaaaa");
    assert_int_equal(name(&b, 0, 2, "x"), 0);
    assert_int_equal(name(&b, 2, 2, "x"), 0);
    assert_int_equal(mappings(&b), 2);
    assert_int_equal(name(&b, 1, 2, "y"), 0);
    assert_int_equal(mappings(&b), 4);
    assert_int_equal(name(&b, 1, 2, "x"), 0);
    assert_int_equal(mappings(&b), 2);
    map(&b, 6, 2, RW_, MW_MAP_PRIVATE);
    assert_int_equal(mappings(&b), 2);
    assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RO_, NULL), 0);
    assert_string_equal(name_at(b.space, at(&b, 1)), "x");
    assert_true(mw_mremap(b.space, at(&b, 0), b.page, 3 * b.page, FIX_, at(&b, 20), NULL) > 0);
    assert_string_equal(name_at(b.space, at(&b, 22)), "x");
    assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0);
    assert_int_equal(name(&b, 20, 3, "z"), 0);
    assert_string_equal(name_at(child, at(&b, 20)), "x");
    assert_int_equal(mw_name(child, at(&b, 20), b.page, "child's", NULL), 0);
    assert_string_equal(name_at(child, at(&b, 20)), "child's");
    assert_string_equal(name_at(b.space, at(&b, 20)), "z");
    assert_int_equal(mw_check(child, NULL), 0);
    mw_space_destroy(child);
    assert_int_equal(name(&b, 20, 3, NULL), 0);
    assert_null(name_at(b.space, at(&b, 20)));
    bench_close(&b);
}

/* FACE-2: the heap is the heap, whatever its name; an import takes no number over */
static void name_elsewhere(void **state)
{
    struct mw_vma v;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 64);
    b.config.brk_start = at(&b, 0);
    bench_open(&b);
    assert_true(mw_brk(b.space, at(&b, 2), NULL) == at(&b, 2));
    assert_int_equal(name(&b, 0, 2, "h"), 0);
    assert_non_null(strstr(maps(&b), "[heap]\n"));
    assert_true(mw_find_vma(b.space, at(&b, 0), &v));
    v.start = v.offset = at(&b, 10);
    v.end = at(&b, 11);
    v.flags |= 99ull << MW_VM_NAME_SHIFT;
    assert_int_equal(mw_import(b.space, &v), 0);
    assert_null(name_at(b.space, at(&b, 10)));
    assert_int_equal(mw_import_flags(b.space, at(&b, 10), at(&b, 11), 0, MW_VM_NAME, false), 0);
    assert_null(name_at(b.space, at(&b, 10)));
    assert_int_equal(mw_import_flags(b.space, at(&b, 0), at(&b, 2), MW_VM_NAME, 0, false), 0);
    assert_string_equal(name_at(b.space, at(&b, 0)), "h");
    bench_close(&b);
}

/* Names come and go: as many as there are mappings, and the memory of those that are gone is used again. */
static void name_table(void **state)
{
    enum { PAGES = 300 };
    char text[32];
    struct bench b;
    size_t bytes;
    (void)state;
    bench_config(&b, 12, 0);
    bench_open(&b);
    map(&b, 0, PAGES, RW_, MW_MAP_PRIVATE);
    for (int i = 0; i < PAGES; i++) {
        snprintf(text, sizeof text, "name %d", i);
        assert_int_equal(name(&b, i, 1, text), 0);
    }
    for (int i = 0; i < PAGES; i++) {
        snprintf(text, sizeof text, "name %d", i);
        assert_string_equal(name_at(b.space, at(&b, i)), text);
    }
    assert_int_equal(name(&b, 0, PAGES, "one"), 0);
    assert_int_equal(mappings(&b), 1);
    bytes = b.space->names.capacity;
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "other %d", i);
        assert_int_equal(name(&b, i % 2, 1, text), 0);
        assert_string_equal(name_at(b.space, at(&b, i % 2)), text);
    }
    assert_string_equal(name_at(b.space, at(&b, 2)), "one");
    assert_int_equal(b.space->names.capacity, bytes);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines), cmocka_unit_test(places), cmocka_unit_test(parts),
        cmocka_unit_test(changes), cmocka_unit_test(versions),
        cmocka_unit_test(keys), cmocka_unit_test(shares), cmocka_unit_test(shared_tables),
        cmocka_unit_test(kinds), cmocka_unit_test(odd_pages), cmocka_unit_test(huge),
        cmocka_unit_test(other_spaces), cmocka_unit_test(status),
        cmocka_unit_test(name_arguments), cmocka_unit_test(name_kinds), cmocka_unit_test(name_keeps),
        cmocka_unit_test(name_elsewhere), cmocka_unit_test(name_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
