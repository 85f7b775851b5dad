/* SPDX-License-Identifier: MIT */
/*
 * test_mirror.c - MW_MREMAP_MIRROR (rules MIRROR-1..9), fork (FORK-1..5), and
 * both under random calls against a model that knows for each address which
 * page is there.
 */
#include "unit.h"

#include "pmap/mirror.h"
#include "vma/space.h"

#define MIRROR_ (MW_MREMAP_MAYMOVE | MW_MREMAP_MIRROR)
#define MIRROR_FIX_ (MIRROR_ | MW_MREMAP_FIXED)

static void start(struct bench *b, uint64_t frames)
{
    bench_config(b, 12, frames);
    b->config.options |= MW_OPT_EXTENSIONS;
    bench_open(b);
}

static int64_t mirror(struct bench *b, int64_t page, int64_t n, int64_t to)
{
    struct mw_why why;
    int64_t r = mw_mremap(b->space, at(b, page), (uint64_t)n * b->page, (uint64_t)n * b->page,
                          MIRROR_FIX_, at(b, to), &why);
    expect_why(r, &why, "mirror");
    return r;
}

static void mirror_ok(struct bench *b, int64_t page, int64_t n, int64_t to)
{
    assert_int_equal(mirror(b, page, n, to), at(b, to));
}

static void sound(struct mw_space *s)
{
    const char *what = "";
    if (mw_check(s, &what))
        fail_msg("unsound: %s", what);
}

static bool present(struct bench *b, int64_t page)
{
    return pmap_find(&b->space->pmap, at(b, page), NULL) != NULL;
}

/* MIRROR-1: its arguments are checked before the mapping, on versions that begin with that too */
static void arguments_first(void **state)
{
    (void)state;
    static const uint32_t versions[] = { MW_LINUX(5, 10), MW_LINUX(6, 1), MW_LINUX(6, 16), MW_LINUX(6, 18) };
    for (int i = 0; i < 4; i++) {
        struct bench b;
        struct mw_why why;
        bench_config(&b, 12, 64);
        b.config.options |= MW_OPT_EXTENSIONS;
        b.config.linux_version = versions[i];
        bench_open(&b);
        assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, MIRROR_FIX_, at(&b, 9) + 1, &why),
                         -MW_EINVAL);
        assert_string_equal(mw_why_rule(&why), "MREMAP-6");
        assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, 1ull << 60, MIRROR_, 0, &why), -MW_EINVAL);
        assert_string_equal(mw_why_rule(&why), "MREMAP-5");
        assert_int_equal(mirror(&b, 0, 1, 9), -MW_EFAULT);
        bench_close(&b);
    }
}

/* MIRROR-2: both addresses see each other's writes, those before and those after */
static void sees_writes(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "aaaaaa");
    poke(&b, at(&b, 1), 11);
    mirror_ok(&b, 0, 6, 20);
    expect_row(&b, "mmmmmm..............mmmmmm", "a whole mapping");
    assert_int_equal(peek(&b, at(&b, 21)), 11);
    poke(&b, at(&b, 22), 22); /* never touched before */
    assert_int_equal(peek(&b, at(&b, 2)), 22);
    poke(&b, at(&b, 1), 12);
    assert_int_equal(peek(&b, at(&b, 21)), 12);
    assert_int_equal(peek(&b, at(&b, 3)), 0); /* read first, */
    poke(&b, at(&b, 23), 33);                 /* then written */
    assert_int_equal(peek(&b, at(&b, 3)), 33);
    bench_close(&b);
}

/* MIRROR-2, MIRROR-5: of a table that both addresses link a part moves, and all keep their pages */
static void moves_part_of_table(void **state)
{
    (void)state;
    struct mw_vma v;
    struct bench b;
    start(&b, 8192);
    assert_int_equal(mw_mmap(b.space, BASE, 1024 * b.page, RW_, FIXED_, NULL, 0, NULL), BASE);
    for (int64_t i = 0; i < 1024; i += 7)
        poke(&b, at(&b, i), (uint32_t)i + 1);
    mirror_ok(&b, 0, 1024, 2048);
    for (int64_t page = 0; page <= 2048; page += 2048) { /* untouched, for that is for private memory */
        assert_true(mw_find_vma(b.space, at(&b, page), &v));
        assert_int_equal(v.anon, 0);
    }
    assert_int_equal(mw_mremap(b.space, at(&b, 2048 + 98), 70 * b.page, 70 * b.page, FIX_, at(&b, 8195),
                               NULL), at(&b, 8195));
    poke(&b, at(&b, 105), 9); /* seen at its new place too */
    for (int64_t i = 0; i < 1024; i += 7) {
        int64_t value = i == 105 ? 9 : i + 1;
        assert_int_equal(peek(&b, at(&b, i)), value);
        assert_int_equal(peek(&b, i >= 98 && i < 168 ? at(&b, 8195 + i - 98) : at(&b, 2048 + i)), value);
    }
    bench_close(&b);
}

/* MIRROR-3: what is present there is present here */
static void is_filled(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 8192);
    draw(&b, "aaaaaaFFFFffff");
    for (int i = 0; i < 14; i += 2)
        poke(&b, at(&b, i), (uint32_t)i);
    peek(&b, at(&b, 9));
    mirror_ok(&b, 0, 14, 40);
    for (int i = 0; i < 14; i++)
        assert_int_equal(present(&b, 40 + i), i % 2 == 0 || i == 9);
    /* whole tables are linked, not copied */
    uint64_t huge = 512 * b.page, from = BASE + 8 * huge, to = BASE + 16 * huge;
    assert_int_equal(mw_mmap(b.space, from, 2 * huge, RW_, FIXED_, NULL, 0, NULL), from);
    for (uint64_t i = 0; i < 1024; i++)
        poke(&b, from + i * b.page, (uint32_t)i);
    struct mw_stats before, after;
    mw_stats(b.space, &before);
    assert_int_equal(mw_mremap(b.space, from, 2 * huge, 2 * huge, MIRROR_FIX_, to, NULL), to);
    mw_stats(b.space, &after);
    assert_true(after.tables - before.tables <= 4); /* the index's path, and a shared rest */
    assert_int_equal(after.resident, before.resident);
    for (uint64_t i = 0; i < 1024; i++)
        assert_non_null(pmap_find(&b.space->pmap, to + i * b.page, NULL));
    /* and a cut takes from one address only */
    assert_int_equal(mw_munmap(b.space, to + 5 * b.page, b.page, NULL), 0);
    assert_int_equal(peek(&b, to + 6 * b.page), 6);
    assert_int_equal(peek(&b, from + 5 * b.page), 5);
    sound(b.space);
    bench_close(&b);
}

/* MIRROR-2, MIRROR-4: ranges of several mappings, gaps, a mirror of a mirror, partial unmaps, moves */
static void ranges(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "aa.rr.ssFF-");
    poke(&b, at(&b, 0), 1);
    poke(&b, at(&b, 6), 6);
    poke(&b, at(&b, 8), 8);
    mirror_ok(&b, 1, 10, 21);
    expect_row(&b, "Am.mm.ssFFm..........m.mm.ssFFm", "cut at its start");
    poke(&b, at(&b, 26), 66);
    assert_int_equal(peek(&b, at(&b, 6)), 66);
    poke(&b, at(&b, 21), 5);
    assert_int_equal(peek(&b, at(&b, 1)), 5);
    mirror_ok(&b, 21, 1, 40); /* of a mirror */
    poke(&b, at(&b, 40), 7);
    assert_int_equal(peek(&b, at(&b, 1)), 7);
    assert_int_equal(peek(&b, at(&b, 21)), 7);
    assert_int_equal(mw_munmap(b.space, at(&b, 1), b.page, NULL), 0);
    assert_int_equal(peek(&b, at(&b, 40)), 7);
    assert_int_equal(mw_mremap(b.space, at(&b, 21), b.page, b.page, FIX_, at(&b, 50), NULL),
                     at(&b, 50)); /* moved */
    poke(&b, at(&b, 50), 9);
    assert_int_equal(peek(&b, at(&b, 40)), 9);
    /* a mirror that grows has pages of its own there; both that grow share them */
    assert_int_equal(mw_mremap(b.space, at(&b, 50), b.page, 2 * b.page, 0, 0, NULL), at(&b, 50));
    assert_int_equal(mw_mremap(b.space, at(&b, 40), b.page, 2 * b.page, 0, 0, NULL), at(&b, 40));
    poke(&b, at(&b, 51), 51);
    assert_int_equal(peek(&b, at(&b, 41)), 51);
    bench_close(&b);
}

/* MIRROR-5: protections are each address's own */
static void protections(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 4096);
    uint64_t huge = 512 * b.page, from = BASE + 8 * huge, to = BASE + 16 * huge;
    assert_int_equal(mw_mmap(b.space, from, huge, RW_, FIXED_, NULL, 0, NULL), from);
    for (uint64_t i = 0; i < 512; i++)
        poke(&b, from + i * b.page, (uint32_t)i);
    assert_int_equal(mw_mremap(b.space, from, huge, huge, MIRROR_FIX_, to, NULL), to);
    assert_int_equal(mw_mprotect(b.space, to, huge, MW_PROT_READ | MW_PROT_EXEC, NULL), 0);
    assert_int_equal(mw_fault(b.space, to, MW_ACCESS_WRITE), MW_FAULT_SEGV_ACCERR);
    assert_int_equal(mw_fault(b.space, to + 9 * b.page, MW_ACCESS_EXEC), MW_FAULT_OK);
    poke(&b, from + 9 * b.page, 99);
    assert_int_equal(peek(&b, to + 9 * b.page), 99);
    sound(b.space);
    uint64_t again = BASE + 24 * huge; /* of what may only be read: no table of writable entries */
    assert_int_equal(mw_mremap(b.space, to, huge, huge, MIRROR_FIX_, again, NULL), again);
    sound(b.space);
    assert_int_equal(mw_fault(b.space, again, MW_ACCESS_WRITE), MW_FAULT_SEGV_ACCERR);
    assert_int_equal(peek(&b, again + 9 * b.page), 99);
    assert_int_equal(mw_mprotect(b.space, from, huge, MW_PROT_NONE, NULL), 0);
    assert_int_equal(peek(&b, to + 9 * b.page), 99);
    assert_int_equal(mw_fault(b.space, from, MW_ACCESS_READ), MW_FAULT_SEGV_ACCERR);
    bench_close(&b);
}

/* MIRROR-6: private file mappings keep their copies, and copy what is not there yet */
static void private_files(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "ffff");
    poke(&b, at(&b, 0), 5);
    assert_int_equal(peek(&b, at(&b, 1)), 101);
    mirror_ok(&b, 0, 4, 10);
    assert_int_equal(peek(&b, at(&b, 10)), 5);
    assert_int_equal(peek(&b, at(&b, 11)), 101);
    assert_int_equal(peek(&b, at(&b, 13)), 103);
    poke(&b, at(&b, 11), 6);
    assert_int_equal(peek(&b, at(&b, 1)), 6);
    poke(&b, at(&b, 2), 7);
    assert_int_equal(peek(&b, at(&b, 12)), 7);
    /* the file itself was not written */
    assert_int_equal(mw_mmap(b.space, at(&b, 30), 4 * b.page, RO_, MW_MAP_SHARED | MW_MAP_FIXED,
                             &b.file, 0, NULL), at(&b, 30));
    for (int i = 0; i < 4; i++)
        assert_int_equal(peek(&b, at(&b, 30 + i)), 100 + i);
    bench_close(&b);
}

/* MIRROR-7: a page goes when its last address does */
static void pages_go(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    uint64_t free_before = mw_frames_free(b.frames);
    struct mw_stats stats;
    draw(&b, "aaaaaaaa");
    for (int i = 0; i < 8; i++)
        poke(&b, at(&b, i), 1);
    mirror_ok(&b, 0, 8, 20);
    mw_stats(b.space, &stats);
    assert_int_equal(stats.resident, 8);
    assert_int_equal(mw_munmap(b.space, at(&b, 2), 2 * b.page, NULL), 0);
    mw_stats(b.space, &stats);
    assert_int_equal(stats.resident, 8);
    assert_int_equal(mw_munmap(b.space, at(&b, 21), 2 * b.page, NULL), 0);
    mw_stats(b.space, &stats);
    assert_int_equal(stats.resident, 7);
    assert_int_equal(peek(&b, at(&b, 1)), 1);
    sound(b.space);
    assert_int_equal(mw_munmap(b.space, at(&b, 0), 40 * b.page, NULL), 0);
    mw_stats(b.space, &stats);
    assert_int_equal(stats.resident, 0);
    assert_int_equal(mw_frames_free(b.frames), free_before);
    bench_close(&b);
}

static uint64_t resident(struct bench *b)
{
    struct mw_stats stats;
    mw_stats(b->space, &stats);
    return stats.resident;
}

/* MIRROR-7: the last address by itself, and beside another mirror's of the same offset */
static void last_pages_go(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    for (int i = 0; i < 2; i++) { /* both were made at page 0 */
        draw(&b, "aa");
        poke(&b, at(&b, 0), 1);
        poke(&b, at(&b, 1), 2);
        mirror_ok(&b, 0, 2, 20 + 10 * i);
        assert_int_equal(mw_mremap(b.space, at(&b, 0), 2 * b.page, 2 * b.page, FIX_,
                                   at(&b, 40 + 10 * i), NULL), at(&b, 40 + 10 * i));
    }
    assert_int_equal(resident(&b), 4);
    assert_int_equal(mw_munmap(b.space, at(&b, 20), 2 * b.page, NULL), 0);
    assert_int_equal(resident(&b), 4);
    assert_int_equal(mw_munmap(b.space, at(&b, 41), b.page, NULL), 0);
    assert_int_equal(resident(&b), 3);
    assert_int_equal(peek(&b, at(&b, 40)), 1);
    assert_int_equal(mw_munmap(b.space, at(&b, 30), b.page, NULL), 0);
    assert_int_equal(resident(&b), 3);
    assert_int_equal(mw_munmap(b.space, at(&b, 50), b.page, NULL), 0);
    assert_int_equal(resident(&b), 2);
    assert_int_equal(peek(&b, at(&b, 31)), 2);
    bench_close(&b);
}

/* MIRROR-1, MIRROR-8, MIRROR-9: what is refused, in order, and changes nothing */
static void refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t flags;
        int page, old, new, to, err;
        const char *rule;
    } c[] = {
        { MW_MREMAP_MIRROR, 0, 4, 4, 20, MW_EINVAL, "MIRROR-1" },
        { MIRROR_FIX_ | MW_MREMAP_DONTUNMAP, 0, 4, 4, 20, MW_EINVAL, "MIRROR-1" },
        { MIRROR_FIX_, 0, 4, 5, 20, MW_EINVAL, "MIRROR-1" },
        { MIRROR_FIX_, 0, 0, 4, 20, MW_EINVAL, "MIRROR-1" },
        { MIRROR_FIX_, 0, 4, 4, 2, MW_EINVAL, "MREMAP-8" },
        { MIRROR_FIX_, 5, 4, 4, 20, MW_EFAULT, "MREMAP-10" },
        { MIRROR_FIX_, 0, 4, 4, 60000000, MW_EINVAL, "MREMAP-7" },
    };
    struct bench b;
    start(&b, 1024);
    draw(&b, "aaaa");
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct mw_why why;
        int64_t r = mw_mremap(b.space, at(&b, c[i].page), (uint64_t)c[i].old * b.page,
                              (uint64_t)c[i].new * b.page, c[i].flags,
                              c[i].to == 60000000 ? b.config.task_size - b.page : at(&b, c[i].to),
                              &why);
        if (r != -c[i].err || strcmp(mw_why_rule(&why), c[i].rule) != 0)
            fail_msg("case %zu: %s by %s", i, mw_errno_name((int)-r), mw_why_rule(&why));
        expect_row(&b, "aaaa", "refused");
    }
    struct mw_why why;
    mw_set_limit(b.space, MW_LIMIT_AS, 7 * b.page);
    assert_int_equal(mirror(&b, 0, 4, 20), -MW_ENOMEM);
    mw_set_limit(b.space, MW_LIMIT_AS, MW_UNLIMITED);
    mw_set_limit(b.space, MW_LIMIT_DATA, 7 * b.page);
    assert_int_equal(mirror(&b, 0, 4, 20), -MW_ENOMEM);
    mw_set_limit(b.space, MW_LIMIT_DATA, 8 * b.page);
    mirror_ok(&b, 0, 4, 20);
    bench_close(&b);

    bench_start(&b); /* without extensions the flag is unknown */
    draw(&b, "aaaa");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, MIRROR_, 0, &why), -MW_EINVAL);
    assert_string_equal(mw_why_rule(&why), "MREMAP-1");
    bench_close(&b);

    start(&b, 1024); /* what is sealed, watched or special stays as it is */
    static const struct { uint64_t flag; int err; } kinds[] = {
        { MW_VM_SEALED, MW_EPERM }, { MW_VM_UFFD, MW_EFAULT }, { MW_VM_DONTEXPAND, MW_EFAULT },
        { MW_VM_PFNMAP, MW_EFAULT },
    };
    draw(&b, "aaaa");
    for (size_t i = 0; i < 4; i++) {
        mw_import_flags(b.space, at(&b, 2), at(&b, 3), 0, kinds[i].flag, true);
        assert_int_equal(mirror(&b, 0, 4, 20), -kinds[i].err);
        mw_import_flags(b.space, at(&b, 2), at(&b, 3), kinds[i].flag, 0, true);
    }
    expect_row(&b, "aaaa", "kinds");
    bench_close(&b);
}

/* MIRROR-4: where it is placed, both are congruent */
static void placed(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    uint64_t huge = 512 * b.page, from = BASE + 5 * huge + 3 * b.page, size = 3 * huge;
    assert_int_equal(mw_mmap(b.space, from, size, RW_, FIXED_, NULL, 0, NULL), from);
    poke(&b, from + huge, 1);
    int64_t to = mw_mremap(b.space, from, size, size, MIRROR_, 0, NULL);
    assert_true(to > 0);
    assert_int_equal((uint64_t)to % huge, from % huge);
    assert_int_equal(peek(&b, (uint64_t)to + huge), 1);
    bench_close(&b);
}

/* MIRROR-9: memory that runs out anywhere changes nothing */
static void out_of_memory(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct bench b;
        start(&b, 1024);
        draw(&b, "aa.rr.ssffaa");
        for (int i = 0; i < 12; i += 3)
            if (i != 3)
                poke(&b, at(&b, i == 0 ? 0 : i), 7);
        struct mw_stats before, after;
        mw_stats(b.space, &before);
        b.fail_in = n;
        int64_t r = mirror(&b, 0, 12, 40);
        b.fail_in = 0;
        sound(b.space);
        mw_stats(b.space, &after);
        if (r < 0) {
            assert_int_equal(r, -MW_ENOMEM);
            expect_row(&b, "AA.rr.ssffaa", "no memory");
            assert_memory_equal(&before, &after, sizeof before);
        }
        bench_close(&b);
        if (!b.failed) {
            assert_true(n > 3);
            break;
        }
    }
    for (uint64_t frames = 8;; frames++) { /* and frames */
        struct bench b;
        start(&b, frames);
        draw(&b, "aaaa");
        mw_fault(b.space, at(&b, 0), MW_ACCESS_WRITE);
        int64_t r = mirror(&b, 0, 4, 4000);
        sound(b.space);
        if (r < 0)
            expect_row(&b, "AAAA", "no frames");
        bench_close(&b);
        if (r > 0)
            break;
    }
}

/* A page on either side of `at`, written; false: there are no frames for that. */
static bool pair(struct bench *b, uint64_t where, uint32_t type)
{
    assert_int_equal(mw_mmap(b->space, where - b->page, 2 * b->page, RW_,
                             MW_MAP_ANONYMOUS | MW_MAP_FIXED | type, NULL, 0, NULL), where - b->page);
    for (uint64_t i = 0; i < 2; i++) {
        uint32_t value = (uint32_t)i + 1;
        if (mw_write(b->space, where - (1 - i) * b->page, &value, sizeof value, NULL) != sizeof value)
            return false;
    }
    return true;
}

static int64_t mirror_pair(struct bench *b, uint64_t from, uint64_t to)
{
    return mw_mremap(b->space, from - b->page, 2 * b->page, 2 * b->page, MIRROR_FIX_, to - b->page,
                     NULL);
}

/* MIRROR-9: tables at every level for both sides, of private memory, a mirror and shared memory */
static void out_of_frames(void **state)
{
    (void)state;
    uint64_t first = BASE, second = BASE + (1ull << 40), third = BASE + (1ull << 41);
    for (int kind = 0; kind < 3; kind++) {
        bool done = false;
        int refused = 0;
        for (uint64_t frames = 8; !done; frames++) {
            struct bench b;
            start(&b, frames);
            if (pair(&b, first, kind == 2 ? MW_MAP_SHARED : MW_MAP_PRIVATE) &&
                (kind != 1 || mirror_pair(&b, first, second) > 0)) {
                int64_t r = mirror_pair(&b, first, third);
                done = r > 0;
                refused += !done;
                assert_int_equal(r, done ? (int64_t)(third - b.page) : -MW_ENOMEM);
                sound(b.space);
                for (uint64_t i = 0; i < 2; i++) {
                    assert_int_equal(peek(&b, first - (1 - i) * b.page), i + 1);
                    if (done)
                        assert_int_equal(peek(&b, third - (1 - i) * b.page), i + 1);
                }
            }
            bench_close(&b);
        }
        assert_true(refused > 3);
    }
}

/* MIRROR-9: what counts, to the page, and what a destination gives back */
static void limits(void **state)
{
    (void)state;
    enum { AS = MW_LIMIT_AS, DATA = MW_LIMIT_DATA, MEMLOCK = MW_LIMIT_MEMLOCK };
    static const struct {
        const char *row;
        int limit, pages, err; /* what fits; one page less gets this */
    } c[] = {
        { "aaaa", AS, 8, MW_ENOMEM },    { "aaaa................aaaa", AS, 8, MW_ENOMEM },
        { "aaaa", DATA, 8, MW_ENOMEM },  { "aaaa................aaaa", DATA, 8, MW_ENOMEM },
        { "aarr", DATA, 4, MW_ENOMEM },  { "aaaa", MEMLOCK, 4, MW_EAGAIN },
        { "rrrr", AS, 8, MW_ENOMEM },    { "rrrr................aaaa", AS, 8, MW_ENOMEM },
    };
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++)
        for (int less = 1; less >= 0; less--) {
            struct bench b;
            start(&b, 1024);
            draw(&b, c[i].row);
            if (c[i].limit == MEMLOCK)
                mw_import_flags(b.space, at(&b, 1), at(&b, 3), 0, MW_VM_LOCKED, true);
            mw_set_limit(b.space, (enum mw_limit)c[i].limit, (uint64_t)(c[i].pages - less) * b.page);
            assert_int_equal(mirror(&b, 0, 4, 20), less ? -c[i].err : (int64_t)at(&b, 20));
            bench_close(&b);
        }
    for (int less = 1; less >= 0; less--) { /* LIMIT-5: read-only memory is promised nothing */
        struct bench b;
        bench_config(&b, 12, 1024);
        b.config.options |= MW_OPT_EXTENSIONS;
        b.config.overcommit = 2;
        b.config.commit_limit = (uint64_t)(4 - less);
        bench_open(&b);
        draw(&b, "aarr");
        assert_int_equal(mirror(&b, 0, 4, 20), less ? -MW_ENOMEM : (int64_t)at(&b, 20));
        bench_close(&b);
    }
    for (int less = 1; less >= 0; less--) { /* four mappings, and room for three */
        struct bench b;
        bench_config(&b, 12, 1024);
        b.config.options |= MW_OPT_EXTENSIONS;
        b.config.max_map_count = (uint64_t)(11 - less);
        bench_open(&b);
        draw(&b, "aarraarr");
        assert_int_equal(mirror(&b, 0, 8, 20), less ? -MW_ENOMEM : (int64_t)at(&b, 20));
        expect_row(&b, less ? "aarraarr" : "mm|mm|mm|mm............mm|mm|mm|mm", "count");
        bench_close(&b);
    }
}

/* MIRROR-9: a destination that is sealed, or where only the privileged may map */
static void destinations(void **state)
{
    (void)state;
    struct mw_why why;
    struct bench b;
    start(&b, 1024);
    draw(&b, "aaaa................rrrr");
    mw_import_flags(b.space, at(&b, 22), at(&b, 23), 0, MW_VM_SEALED, true);
    assert_int_equal(mirror(&b, 0, 4, 20), -MW_EPERM);
    expect_row(&b, "aaaa................rr|r|r", "sealed");
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, MIRROR_FIX_, 0x8000, &why),
                     -MW_EPERM);
    assert_string_equal(mw_why_rule(&why), "MMAP-6");
    mw_set_caps(b.space, MW_CAP_SYS_RAWIO);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, MIRROR_FIX_, 0x8000, &why),
                     0x8000);
    bench_close(&b);
}

/* MIRROR-2, MMAP-19: a shared mapping of a file opened read-only is the file's, not a copy */
static void readonly_files(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    struct mw_file readonly = { b.object, MW_FILE_READ };
    assert_int_equal(mw_mmap(b.space, at(&b, 0), 4 * b.page, RO_, MW_MAP_SHARED | MW_MAP_FIXED,
                             &readonly, 0, NULL), at(&b, 0));
    mirror_ok(&b, 0, 4, 20);
    assert_int_equal(peek(&b, at(&b, 21)), 101);
    assert_int_equal(mw_mmap(b.space, at(&b, 30), 4 * b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED,
                             &b.file, 0, NULL), at(&b, 30));
    poke(&b, at(&b, 31), 7);
    assert_int_equal(peek(&b, at(&b, 21)), 7);
    bench_close(&b);
}

/* MREMAP-24: what is locked is present in its mirror, but not what is locked ONFAULT */
static void locked(void **state)
{
    (void)state;
    for (int onfault = 0; onfault < 2; onfault++) {
        struct bench b;
        start(&b, 1024);
        draw(&b, "aaaa");
        mw_import_flags(b.space, at(&b, 0), at(&b, 4), 0,
                        MW_VM_LOCKED | (onfault ? MW_VM_LOCKONFAULT : 0), true);
        mirror_ok(&b, 0, 4, 20);
        for (int i = 0; i < 4; i++)
            assert_int_equal(present(&b, 20 + i), !onfault);
        bench_close(&b);
    }
}

static pte_t entry(struct bench *b, int64_t page)
{
    const pte_t *e = pmap_find(&b->space->pmap, at(b, page), NULL);
    assert_non_null(e);
    return *e;
}

/* MIRROR-3: what was only read is not writable yet, what was written is dirty */
static void entries(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "ss");
    assert_int_equal(peek(&b, at(&b, 0)), 0);
    poke(&b, at(&b, 1), 1);
    mirror_ok(&b, 0, 2, 20);
    assert_int_equal(entry(&b, 20) & (PTE_W | PTE_A | PTE_D), PTE_A);
    assert_int_equal(entry(&b, 21) & (PTE_W | PTE_A | PTE_D), PTE_W | PTE_A | PTE_D);
    bench_close(&b);
}

/* MIRROR-5: an offset that page tables can't hold has no page */
static void beyond_reach(void **state)
{
    (void)state;
    struct bench b;
    bench_config(&b, 12, 64);
    b.config.options |= MW_OPT_EXTENSIONS;
    b.config.task_size = b.config.mmap_base = 1 << 30;
    b.config.low_base = 1 << 28;
    bench_open(&b);
    uint64_t top = (1 << 30) - b.page, to = 1 << 20;
    assert_int_equal(mw_mmap(b.space, top, b.page, RW_, FIXED_, NULL, 0, NULL), top);
    assert_int_equal(mw_mremap(b.space, top, b.page, b.page, MIRROR_FIX_, to, NULL), to);
    assert_int_equal(mw_mremap(b.space, to, b.page, 2 * b.page, 0, 0, NULL), to);
    poke(&b, to, 3);
    assert_int_equal(peek(&b, top), 3);
    assert_int_equal(mw_fault(b.space, to + b.page, MW_ACCESS_WRITE), MW_FAULT_BUS_ADRERR);
    bench_close(&b);
}

/* MIRROR-4: of 1 GiB and more, modulo 1 GiB */
static void placed_giant(void **state)
{
    (void)state;
    struct bench b;
    bench_config(&b, 12, 0);
    b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&b);
    uint64_t giant = 1 << 30, from = BASE + 3 * b.page;
    assert_int_equal(mw_mmap(b.space, from, giant, RW_, FIXED_, NULL, 0, NULL), from);
    int64_t to = mw_mremap(b.space, from, giant, giant, MIRROR_, 0, NULL);
    assert_true(to > 0);
    assert_int_equal((uint64_t)to % giant, from % giant);
    bench_close(&b);
}

/* MIRROR-2, MIRROR-5: PROT_NONE memory has its pages back when it is given access */
static void without_access(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "a-");
    poke(&b, at(&b, 0), 1);
    assert_int_equal(mw_mprotect(b.space, at(&b, 0), b.page, MW_PROT_NONE, NULL), 0);
    mirror_ok(&b, 0, 2, 20);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mw_mprotect(b.space, at(&b, 20 + i), b.page, RW_, NULL), 0);
    assert_int_equal(peek(&b, at(&b, 20)), 1);
    poke(&b, at(&b, 21), 2); /* made in an index that grants nothing */
    sound(b.space);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mw_mprotect(b.space, at(&b, i), b.page, RO_, NULL), 0);
    assert_int_equal(peek(&b, at(&b, 0)), 1);
    assert_int_equal(peek(&b, at(&b, 1)), 2);
    bench_close(&b);
}

/* ---- random calls against a model ---- */

enum { UNITS = 5 * 512, CELLS = 1 << 16, SPACES = 3 };

/* What each page of the arena is: a cell, which holds a value. */
struct model {
    struct mw_space *space;
    int cell[UNITS]; /* 0: nothing mapped */
    bool writable[UNITS];
    uint32_t value[CELLS];
};

static struct {
    struct bench b;
    struct model space[SPACES];
    int spaces, cells;
    uint64_t random;
} m;

static uint32_t rnd(uint32_t n)
{
    m.random ^= m.random << 13;
    m.random ^= m.random >> 7;
    m.random ^= m.random << 17;
    return (uint32_t)(m.random >> 11) % n;
}

/* Mostly whole tables, some ragged by a few pages. */
static void pick(int *page, int *n)
{
    if (rnd(3) == 0) {
        *page = (int)rnd(UNITS);
        *n = 1 + (int)rnd(40);
    } else {
        *page = 512 * (int)rnd(5) + (rnd(2) ? 0 : (int)rnd(9));
        *n = 512 * (1 + (int)rnd(2)) + (rnd(2) ? 0 : (int)rnd(9));
    }
    if (*page + *n > UNITS)
        *n = UNITS - *page;
}

static void do_map(struct model *k)
{
    int page, n;
    pick(&page, &n);
    bool shared = false;
    assert_int_equal(mw_mmap(k->space, at(&m.b, page), (uint64_t)n * 4096, RW_,
                             MW_MAP_ANONYMOUS | MW_MAP_FIXED |
                                 (shared ? MW_MAP_SHARED : MW_MAP_PRIVATE), NULL, 0, NULL),
                     at(&m.b, page));
    for (int i = page; i < page + n; i++) {
        k->cell[i] = ++m.cells % CELLS;
        k->writable[i] = true;
        k->value[k->cell[i]] = 0;
    }
}

static void do_unmap(struct model *k)
{
    int page, n;
    pick(&page, &n);
    assert_int_equal(mw_munmap(k->space, at(&m.b, page), (uint64_t)n * 4096, NULL), 0);
    memset(k->cell + page, 0, (size_t)n * sizeof k->cell[0]);
}

static void do_protect(struct model *k)
{
    int page, n;
    bool write = rnd(2);
    pick(&page, &n);
    for (n = 1; page + n < UNITS && n < 700 && k->cell[page + n]; n++)
        ;
    if (!k->cell[page])
        return;
    assert_int_equal(mw_mprotect(k->space, at(&m.b, page), (uint64_t)n * 4096,
                                 write ? RW_ : MW_PROT_READ, NULL), 0);
    for (int i = page; i < page + n; i++)
        k->writable[i] = write;
}

static void do_remap(struct model *k, bool mirrors)
{
    int page, n, to;
    pick(&page, &n);
    to = rnd(2) ? (int)rnd(UNITS) : 512 * (int)rnd(5) + page % 512;
    if (to + n > UNITS)
        n = UNITS - to;
    if (n <= 0 || (to < page + n && page < to + n))
        return;
    int64_t r = mw_mremap(k->space, at(&m.b, page), (uint64_t)n * 4096, (uint64_t)n * 4096,
                          mirrors ? MIRROR_FIX_ : FIX_, at(&m.b, to), NULL);
    if (!k->cell[page]) {
        assert_int_equal(r, -MW_EFAULT);
        return;
    }
    assert_int_equal(r, at(&m.b, to));
    for (int i = 0; i < n; i++) {
        if (mirrors || k->cell[page + i]) {
            k->cell[to + i] = k->cell[page + i];
            k->writable[to + i] = k->writable[page + i];
        }
        if (!mirrors)
            k->cell[page + i] = 0;
    }
}

static void do_write(struct model *k)
{
    int page, n;
    pick(&page, &n);
    for (int i = page; i < page + n; i += 1 + (int)rnd(5)) {
        uint32_t value = rnd(1u << 30);
        enum mw_fault_result fault;
        uint64_t done = mw_write(k->space, at(&m.b, i) + 8, &value, 4, &fault);
        assert_int_equal(done == 4, k->cell[i] != 0 && k->writable[i]);
        if (done == 4)
            k->value[k->cell[i]] = value;
    }
}

/* DONTNEED: zeros, at all the addresses of a page */
static void do_drop(struct model *k)
{
    int page, n;
    pick(&page, &n);
    int64_t r = mw_madvise(k->space, at(&m.b, page), (uint64_t)n * 4096, MW_MADV_DONTNEED, NULL);
    bool hole = false;
    for (int i = page; i < page + n; i++) {
        hole |= !k->cell[i];
        k->value[k->cell[i]] = 0;
    }
    assert_int_equal(r, hole ? -MW_ENOMEM : 0);
}

static void do_fork(struct model *k)
{
    struct model *child = &m.space[m.spaces];
    if (m.spaces == SPACES)
        return;
    *child = *k;
    assert_int_equal(mw_fork(k->space, 77, &child->space, NULL), 0);
    m.spaces++;
}

static void do_exit(struct model *k)
{
    if (m.spaces == 1)
        return;
    mw_space_destroy(k->space);
    *k = m.space[--m.spaces];
}

static void compare(struct model *k)
{
    sound(k->space);
    for (int i = 0; i < UNITS; i += 1 + (int)rnd(3)) {
        uint32_t value = 0xdead;
        uint64_t got = mw_read(k->space, at(&m.b, i) + 8, &value, 4, NULL);
        assert_int_equal(got == 4, k->cell[i] != 0);
        if (got == 4 && value != k->value[k->cell[i]])
            fail_msg("page %d is %u, should be %u", i, value, k->value[k->cell[i]]);
    }
}

/* FORK-1..5, MIRROR-2..7 together */
static void random_calls(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        memset(&m, 0, sizeof m);
        m.random = seed * 0x9e3779b97f4a7c15ull;
        start(&m.b, 60000);
        m.space[0].space = m.b.space;
        m.spaces = 1;
        for (int i = 0; i < 250; i++) {
            struct model *k = &m.space[rnd((uint32_t)m.spaces)];
            switch (rnd(13)) {
            case 12: do_drop(k); break;
            case 0: case 1: do_map(k); break;
            case 2: do_unmap(k); break;
            case 3: do_protect(k); break;
            case 4: case 5: case 6: do_remap(k, true); break;
            case 7: do_remap(k, false); break;
            case 8: do_fork(k); break;
            case 9: if (rnd(2)) do_exit(k); break;
            default: do_write(k); break;
            }
            compare(&m.space[rnd((uint32_t)m.spaces)]);
        }
        for (int i = 0; i < m.spaces; i++)
            compare(&m.space[i]);
        while (m.spaces > 1)
            mw_space_destroy(m.space[--m.spaces].space);
        m.b.space = m.space[0].space;
        bench_close(&m.b);
    }
}

/* FORK-4: the child has its own pair, aliased in the same way */
static void fork_pairs(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "aaaassFF");
    for (int i = 0; i < 8; i++)
        poke(&b, at(&b, i), (uint32_t)i);
    mirror_ok(&b, 0, 4, 20);
    struct mw_space *parent = b.space, *child;
    assert_int_equal(mw_fork(parent, 77, &child, NULL), 0);
    poke(&b, at(&b, 1), 50);
    assert_int_equal(peek(&b, at(&b, 21)), 50);
    poke(&b, at(&b, 4), 44);
    b.space = child;
    assert_int_equal(peek(&b, at(&b, 1)), 1);
    assert_int_equal(peek(&b, at(&b, 21)), 1);
    assert_int_equal(peek(&b, at(&b, 4)), 44); /* shared is shared */
    poke(&b, at(&b, 21), 60);
    poke(&b, at(&b, 22), 61);
    assert_int_equal(peek(&b, at(&b, 1)), 60);
    assert_int_equal(peek(&b, at(&b, 2)), 61);
    b.space = parent;
    assert_int_equal(peek(&b, at(&b, 1)), 50);
    assert_int_equal(peek(&b, at(&b, 22)), 2);
    sound(child);
    mw_space_destroy(child);
    bench_close(&b);
}

/* FORK-1, FORK-2, FORK-3: what is inherited, and what is not */
static void fork_inherits(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "AA.aa.aa.Aa");
    mirror_ok(&b, 6, 1, 40); /* MIRROR-2 of what is wiped: the child's are two empty pages */
    assert_int_equal(mw_munmap(b.space, at(&b, 6), 2 * b.page, NULL), 0);
    mw_import_flags(b.space, at(&b, 40), at(&b, 41), 0, MW_VM_WIPEONFORK, true);
    draw(&b, "......aa");
    poke(&b, at(&b, 40), 40);
    poke(&b, at(&b, 0), 5);
    poke(&b, at(&b, 6), 6);
    poke(&b, at(&b, 9), 9);
    mw_import_flags(b.space, at(&b, 3), at(&b, 5), 0, MW_VM_DONTCOPY, true);
    mw_import_flags(b.space, at(&b, 6), at(&b, 8), 0, MW_VM_WIPEONFORK, true);
    mw_import_flags(b.space, at(&b, 0), at(&b, 2), 0, MW_VM_LOCKED, true);
    mw_import_flags(b.space, at(&b, 9), at(&b, 11), 0, MW_VM_UFFD, true);
    struct mw_space *parent = b.space, *child;
    struct mw_vma watched;
    struct mw_stats stats;
    assert_int_equal(mw_fork(parent, 77, &child, NULL), 0);
    b.space = child;
    expect_row(&b, "AA....aa.AA.............................a", "the child");
    assert_int_equal(peek(&b, at(&b, 40)), 0);
    assert_true(mw_find_vma(child, at(&b, 9), &watched));
    assert_false(watched.flags & MW_VM_UFFD);
    struct mw_vma wiped;
    assert_true(mw_find_vma(child, at(&b, 40), &wiped));
    assert_int_equal(wiped.offset, at(&b, 40)); /* it belongs where it is (MERGE-2) */
    mw_stats(child, &stats);
    assert_int_equal(stats.locked, 0);
    assert_int_equal(peek(&b, at(&b, 0)), 5);
    assert_int_equal(peek(&b, at(&b, 6)), 0);
    poke(&b, at(&b, 9), 19);
    b.space = parent;
    assert_int_equal(peek(&b, at(&b, 9)), 9);
    poke(&b, at(&b, 0), 15);
    b.space = child;
    assert_int_equal(peek(&b, at(&b, 0)), 5);
    sound(child);
    mw_space_destroy(child);
    b.space = parent;
    bench_close(&b);
}

/* FORK-5: fails whole */
static void fork_fails(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct bench b;
        struct mw_space *child = NULL;
        struct mw_why why;
        start(&b, 1024);
        draw(&b, "AAAA.aa");
        poke(&b, at(&b, 5), 1);
        mirror_ok(&b, 5, 2, 20);
        b.fail_in = n;
        int err = mw_fork(b.space, 77, &child, &why);
        b.fail_in = 0;
        expect_why(err, &why, "fork");
        poke(&b, at(&b, 0), 3);
        assert_int_equal(peek(&b, at(&b, 20)), 1);
        mw_space_destroy(child);
        bench_close(&b);
        if (!b.failed) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, -MW_ENOMEM);
    }
    for (uint64_t frames = 10;; frames++) { /* and frames: those it had taken are let go */
        struct bench b;
        struct mw_space *child = NULL;
        start(&b, frames);
        draw(&b, "aaaa");
        for (int i = 0; i < 4; i++)
            poke(&b, at(&b, i), (uint32_t)i);
        int err = mw_fork(b.space, 77, &child, NULL);
        sound(b.space);
        mw_space_destroy(child);
        bench_close(&b);
        if (!err) {
            assert_true(frames > 11);
            break;
        }
        assert_int_equal(err, -MW_ENOMEM);
    }
    struct bench b;
    struct mw_space *child = NULL;
    bench_config(&b, 12, 0);
    b.config.overcommit = 2;
    b.config.commit_limit = 6;
    bench_open(&b);
    draw(&b, "aaaa");
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), -MW_ENOMEM);
    assert_null(child);
    bench_close(&b);
}

/* FORK-4, MIRROR-6: a child's mirror of a file copies from the same pages of it */
static void fork_file_mirror(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "....ffff");
    mirror_ok(&b, 4, 4, 20);
    struct mw_space *parent = b.space, *child;
    assert_int_equal(mw_fork(parent, 77, &child, NULL), 0);
    b.space = child;
    for (int i = 0; i < 4; i++)
        assert_int_equal(peek(&b, at(&b, 20 + i)), 104 + i);
    mw_space_destroy(child);
    b.space = parent;
    bench_close(&b);
}

/* FORK-2, MERGE-6: pieces of one identity are of two in the child, and neither spreads */
static void fork_identities(void **state)
{
    (void)state;
    struct bench b;
    start(&b, 1024);
    draw(&b, "AAAA");
    assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RO_, NULL), 0);
    struct mw_space *parent = b.space, *child;
    assert_int_equal(mw_fork(parent, 77, &child, NULL), 0);
    for (int i = 0; i < 2; i++) {
        b.space = i ? child : parent;
        assert_int_equal(mw_mprotect(b.space, at(&b, 1), b.page, RW_, NULL), 0);
        expect_row(&b, i ? "A|A|AA" : "AAAA", i ? "child" : "parent");
        draw(&b, "....aa");
        expect_row(&b, i ? "A|A|AAaa" : "AAAAAA", i ? "child's" : "parent's");
    }
    mw_space_destroy(child);
    b.space = parent;
    bench_close(&b);
}

/* FORK-1, FORK-5: name and break; what is not inherited need not be promised */
static void fork_child(void **state)
{
    (void)state;
    struct mw_space *child;
    struct bench b;
    bench_config(&b, 12, 1024);
    b.config.overcommit = 2;
    b.config.commit_limit = 10;
    b.config.brk_start = 1 << 28;
    bench_open(&b);
    draw(&b, "aaaa");
    mw_import_flags(b.space, at(&b, 1), at(&b, 3), 0, MW_VM_DONTCOPY, true);
    assert_int_equal(mw_brk(b.space, (1 << 28) + 5000, NULL), (1 << 28) + 5000);
    assert_int_equal(mw_fork(b.space, 78, &child, NULL), 0); /* without the marks 12 */
    assert_int_equal(mw_space_config(child)->id, 78);
    assert_int_equal(mw_brk(child, 0, NULL), (1 << 28) + 5000);
    mw_space_destroy(child);
    bench_close(&b);
}

/* FORK-3, MIRROR-2: what has lost its right to write, or its page, is not used on by a TLB */
static void stale_translations(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    start(&b, 1024);
    draw(&b, "aa");
    poke(&b, at(&b, 0), 1);
    size_t n = b.flushes;
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_true(b.flushes > n);
    n = b.flushes;
    int64_t to = mw_mremap(b.space, at(&b, 0), 2 * b.page, 2 * b.page, MIRROR_, 0, NULL);
    assert_true(to > 0);
    assert_true(b.flushes > n); /* its first page is the mirror's to copy now */
    mw_space_destroy(child);
    bench_close(&b);
}

/* FORK-4: an address that the child does not inherit is an alias like the others */
static void fork_keeps_aliases(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    uint32_t value;
    start(&b, 1024);
    draw(&b, "a");
    poke(&b, at(&b, 0), 1);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, MIRROR_ | MW_MREMAP_FIXED, at(&b, 5), NULL), at(&b, 5));
    assert_int_equal(peek(&b, at(&b, 5)), 1);
    assert_int_equal(mw_madvise(b.space, at(&b, 5), b.page, MW_MADV_DONTFORK, NULL), 0);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    poke(&b, at(&b, 5), 2);
    assert_int_equal(mw_read(child, at(&b, 0), &value, sizeof value, NULL), sizeof value);
    assert_int_equal(value, 1);
    assert_int_equal(peek(&b, at(&b, 0)), 2);
    mw_space_destroy(child);
    bench_close(&b);
}

/* READER-3: what a fork left to be copied is stale at every address that a linked table shows it at */
static void fork_copy_flushes_all(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    uint64_t size = 2 << 20, from = BASE, to = BASE + (1ull << 30), third = BASE + (2ull << 30);
    start(&b, 1024);
    assert_int_equal(mw_mmap(b.space, from, size, RW_, FIXED_, NULL, 0, NULL), from);
    poke(&b, from, 1);
    assert_int_equal(mw_mremap(b.space, from, size, size, MIRROR_ | MW_MREMAP_FIXED, to, NULL), to);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    assert_int_equal(mw_mremap(b.space, from, size, size, MIRROR_ | MW_MREMAP_FIXED, third, NULL), third);
    assert_int_equal(peek(&b, third), 1);
    size_t n = b.flushed_ranges;
    poke(&b, third, 2);
    assert_int_equal(b.flushed_ranges, n + 3);
    assert_int_equal(peek(&b, from), 2);
    mw_space_destroy(child);
    bench_close(&b);
}

/* FORK-3: the last side that has a page need not copy it */
static void fork_last_owner(void **state)
{
    (void)state;
    struct bench b;
    struct mw_space *child;
    start(&b, 1024);
    draw(&b, "a");
    poke(&b, at(&b, 0), 1);
    assert_int_equal(mw_fork(b.space, 77, &child, NULL), 0);
    mw_space_destroy(child);
    pte_t before = entry(&b, 0);
    poke(&b, at(&b, 0), 2);
    assert_int_equal(entry(&b, 0) & PTE_ADDR, before & PTE_ADDR);
    bench_close(&b);
}


/* FORK-6: whole page tables are both sides' until one of them needs its own */
static void fork_shares_tables(void **state)
{
    (void)state;
    enum { PAGES = 4 * 512 };
    struct bench b;
    struct mw_space *parent, *child;
    start(&b, 4096);
    parent = b.space;
    assert_int_equal(mw_mmap(parent, at(&b, 0), PAGES * 4096, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED,
                             NULL, 0, NULL), at(&b, 0));
    for (int i = 0; i < PAGES; i++)
        poke(&b, at(&b, i), (uint32_t)i);
    uint64_t free = mw_frames_free(b.frames);
    assert_int_equal(mw_fork(parent, 77, &child, NULL), 0);
    assert_int_equal(free - mw_frames_free(b.frames), 3); /* tables on the way, none of level 1 */
    assert_int_equal(resident(&(struct bench){ .space = parent }), PAGES);
    assert_int_equal(resident(&(struct bench){ .space = child }), PAGES);
    b.space = child;
    assert_int_equal(peek(&b, at(&b, 700)), 700); /* reading copies nothing */
    assert_int_equal(free - mw_frames_free(b.frames), 3);
    poke(&b, at(&b, 700), 1);
    assert_int_equal(free - mw_frames_free(b.frames), 5); /* a table and a page */
    assert_int_equal(mw_munmap(child, at(&b, 512 * 3), 512 * 4096, NULL), 0);
    assert_int_equal(mw_munmap(child, at(&b, 4), 4096, NULL), 0);
    assert_int_equal(resident(&(struct bench){ .space = child }), PAGES - 513);
    b.space = parent;
    assert_int_equal(resident(&(struct bench){ .space = parent }), PAGES);
    assert_int_equal(peek(&b, at(&b, 700)), 700);
    assert_int_equal(peek(&b, at(&b, 4)), 4);
    poke(&b, at(&b, 512 * 3 + 9), 2); /* what the child has let go is the parent's alone */
    sound(child);
    sound(parent);
    mw_space_destroy(child);
    for (int i = 0; i < PAGES; i += 256)
        poke(&b, at(&b, i), (uint32_t)i);
    assert_int_equal(mw_frames_free(b.frames), free);
    sound(parent);
    bench_close(&b);
}

/* ---- what one side does to page tables that both have ---- */

enum { FROM = 600, COUNT = 3, LAST = 1100, AWAY = 2000 };

static int64_t remap_pages(struct bench *b, int page, int n, int now, uint64_t flags, int to)
{
    return mw_mremap(b->space, at(b, page), (uint64_t)n * 4096, (uint64_t)now * 4096, flags, at(b, to), NULL);
}

static int64_t cut_unmap(struct bench *b) { return mw_munmap(b->space, at(b, FROM), COUNT * 4096, NULL); }
static int64_t cut_map(struct bench *b)
{
    return mw_mmap(b->space, at(b, FROM), COUNT * 4096, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED,
                   NULL, 0, NULL);
}
static int64_t cut_protect(struct bench *b)
{
    return mw_mprotect(b->space, at(b, FROM), COUNT * 4096, MW_PROT_NONE, NULL);
}
static int64_t cut_flags(struct bench *b)
{
    return mw_import_flags(b->space, at(b, FROM), at(b, FROM + COUNT), MW_VM_WRITE, 0, false);
}
static int64_t cut_advise(struct bench *b, int advice)
{
    return mw_madvise(b->space, at(b, FROM), COUNT * 4096, (uint32_t)advice, NULL);
}
static int64_t cut_drop(struct bench *b) { return cut_advise(b, MW_MADV_DONTNEED); }
static int64_t cut_guard(struct bench *b) { return cut_advise(b, MW_MADV_GUARD_INSTALL); }
static int64_t cut_heap(struct bench *b)
{
    return mw_brk(b->space, at(b, FROM), NULL) == at(b, FROM) ? 0 : -MW_ENOMEM;
}
static int64_t cut_move(struct bench *b) { return remap_pages(b, FROM, COUNT, COUNT, FIX_, AWAY); }
static int64_t cut_shrink(struct bench *b) { return remap_pages(b, FROM, 4, 2, 0, 0); }
static int64_t cut_onto(struct bench *b)
{
    mw_mmap(b->space, at(b, AWAY), 4096 * COUNT, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL);
    return remap_pages(b, AWAY, COUNT, COUNT, FIX_, FROM);
}
/* two mappings that meet within a table, to a place that is congruent */
static int64_t cut_several(struct bench *b)
{
    mw_madvise(b->space, at(b, FROM), COUNT * 4096, MW_MADV_DONTDUMP, NULL); /* of mappings alone */
    int64_t r = remap_pages(b, FROM - 200, 700, 700, FIX_ | MW_MREMAP_STRICT, AWAY + 448);
    return r < 0 ? r : remap_pages(b, AWAY + 448, 700, 700, FIX_ | MW_MREMAP_STRICT, FROM - 200);
}
/* two mappings, to where shared tables are */
static int64_t cut_places(struct bench *b)
{
    for (int i = 0; i < COUNT; i += 2)
        mw_mmap(b->space, at(b, AWAY + i), 4096, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL);
    return remap_pages(b, AWAY, COUNT, COUNT, FIX_ | MW_MREMAP_STRICT, FROM);
}
static int64_t cut_mirror(struct bench *b) { return remap_pages(b, FROM, COUNT, COUNT, MIRROR_FIX_, AWAY); }
static int64_t cut_mirrored(struct bench *b)
{
    mw_mmap(b->space, at(b, AWAY), 4096 * COUNT, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL);
    return remap_pages(b, AWAY, COUNT, COUNT, MIRROR_FIX_, FROM);
}
static int64_t cut_write(struct bench *b)
{
    for (int i = 0; i < COUNT; i++)
        poke(b, at(b, FROM + i), 0x5555);
    return 0;
}
/* a page that was absent in a shared table */
static int64_t cut_enter(struct bench *b) { return poke(b, at(b, LAST + 1), 9), 0; }
/* guards came after the fork, elsewhere */
static int64_t cut_unguard(struct bench *b)
{
    mw_mmap(b->space, at(b, AWAY), 4096, RW_, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL);
    mw_madvise(b->space, at(b, AWAY), 4096, MW_MADV_GUARD_INSTALL, NULL);
    return mw_madvise(b->space, at(b, 0), LAST * 4096, MW_MADV_GUARD_REMOVE, NULL);
}

static void all_there(struct bench *b, int from, int end)
{
    for (int i = from; i < end; i++)
        if (peek(b, at(b, i)) != (uint32_t)i + 1)
            fail_msg("page %d has changed", i);
}

/* `whose`: 0 the parent, 1 the child makes the call. */
static void cut_one(int64_t (*cut)(struct bench *b), int whose, bool guarded)
{
    struct bench b;
    struct mw_space *side[2];
    bench_config(&b, 12, 6000);
    b.config.options |= MW_OPT_EXTENSIONS;
    b.config.brk_start = at(&b, 0);
    bench_open(&b);
    assert_int_equal(mw_brk(b.space, at(&b, LAST + 436), NULL), at(&b, LAST + 436)); /* to the end of a table */
    for (int i = 0; i < LAST; i++)
        poke(&b, at(&b, i), (uint32_t)i + 1);
    if (guarded)
        assert_int_equal(mw_madvise(b.space, at(&b, LAST + 5), 4096, MW_MADV_GUARD_INSTALL, NULL), 0);
    side[0] = b.space;
    assert_int_equal(mw_fork(b.space, 77, &side[1], NULL), 0);
    b.space = side[whose];
    assert_true(cut(&b) >= 0);
    sound(b.space);
    all_there(&b, 0, FROM);
    if (cut != cut_heap)
        all_there(&b, FROM + 4, LAST);
    b.space = side[1 - whose];
    sound(b.space);
    all_there(&b, 0, LAST);
    if (guarded) { /* the guard is each side's own */
        uint32_t value;
        assert_int_equal(mw_madvise(b.space, at(&b, LAST + 5), 4096, MW_MADV_GUARD_REMOVE, NULL), 0);
        poke(&b, at(&b, LAST + 5), 1);
        assert_int_equal(mw_read(side[whose], at(&b, LAST + 5), &value, 4, NULL), 0);
    }
    sound(side[whose]);
    mw_space_destroy(side[1]);
    b.space = side[0];
    bench_close(&b);
}

/* FORK-3, FORK-6: the other side sees nothing of it */
static void fork_cuts(void **state)
{
    static int64_t (*const cuts[])(struct bench *b) = {
        cut_unmap, cut_map, cut_protect, cut_flags, cut_drop, cut_guard, cut_heap, cut_move, cut_shrink, cut_onto,
        cut_several, cut_places, cut_mirror, cut_mirrored, cut_write, cut_enter, cut_unguard,
    };
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
        for (int how = 0; how < 4; how++)
            if (!(how & 2 && cuts[i] == cut_unguard) && !(how & 2 && cuts[i] == cut_heap))
                cut_one(cuts[i], how & 1, how & 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_first), cmocka_unit_test(sees_writes), cmocka_unit_test(moves_part_of_table), cmocka_unit_test(is_filled), cmocka_unit_test(ranges),
        cmocka_unit_test(protections), cmocka_unit_test(private_files), cmocka_unit_test(pages_go),
        cmocka_unit_test(refused), cmocka_unit_test(placed), cmocka_unit_test(out_of_memory),
        cmocka_unit_test(fork_pairs), cmocka_unit_test(fork_inherits), cmocka_unit_test(fork_fails),
        cmocka_unit_test(random_calls), cmocka_unit_test(limits), cmocka_unit_test(last_pages_go),
        cmocka_unit_test(out_of_frames), cmocka_unit_test(destinations),
        cmocka_unit_test(readonly_files), cmocka_unit_test(locked), cmocka_unit_test(entries),
        cmocka_unit_test(beyond_reach), cmocka_unit_test(placed_giant),
        cmocka_unit_test(without_access), cmocka_unit_test(fork_file_mirror),
        cmocka_unit_test(fork_identities), cmocka_unit_test(fork_child),
        cmocka_unit_test(stale_translations), cmocka_unit_test(fork_keeps_aliases), cmocka_unit_test(fork_copy_flushes_all),
        cmocka_unit_test(fork_last_owner),
        cmocka_unit_test(fork_shares_tables), cmocka_unit_test(fork_cuts),
    };
    return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
