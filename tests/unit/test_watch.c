/* SPDX-License-Identifier: MIT */
/*
 * test_watch.c - watchers: what the scenarios can't compare with the kernel
 * they run on, and what is the engine's own about them.
 */
#include "unit.h"

#include "mapwright/watch.h"

#define MISSING MW_UFFD_MODE_MISSING
#define WP MW_UFFD_MODE_WP
#define MINOR MW_UFFD_MODE_MINOR
#define H (2ull << 20)
#define WATCH (0x3ffull << 32) /* what a VMA's flags say of its watch */

static struct mw_watcher *watcher(struct bench *b, uint64_t features)
{
    struct mw_watcher *w;
    assert_int_equal(mw_watch_create(b->space, features, NULL, NULL, &w, NULL), 0);
    return w;
}

static void watch(struct bench *b, struct mw_watcher *w, int64_t page, int64_t n, uint64_t mode)
{
    assert_int_equal(mw_watch_register(w, at(b, page), (uint64_t)n * b->page, mode, NULL, NULL), 0);
}

static uint64_t flags(const struct bench *b, int64_t page)
{
    struct mw_vma v;
    assert_true(mw_find_vma(b->space, at(b, page), &v));
    return v.flags;
}

static enum mw_fault_result meet(struct bench *b, int64_t page, uint32_t access, uint32_t flag,
                                 const struct mw_watcher *w)
{
    struct mw_watch_message m = { 0 };
    enum mw_fault_result r = mw_watch_fault(b->space, at(b, page) + 8, access, &m);
    if (r == MW_FAULT_WATCHED) {
        assert_ptr_equal(m.watcher, w);
        assert_int_equal(m.addr, at(b, page));
        assert_int_equal(m.flags, flag);
    }
    return r;
}

static void sound(const struct mw_space *s)
{
    const char *what = NULL;
    if (mw_check(s, &what) != 0)
        fail_msg("unsound: %s", what);
}

/* An object whose pages are its memory alone, as a memfd's are. */
static struct mw_file memory(struct bench *b, uint64_t pages)
{
    struct mw_file f = { .mode = MW_FILE_READ | MW_FILE_WRITE };
    assert_int_equal(mw_object_create(&b->port, b->frames, NULL, NULL, pages * b->page, MW_OBJ_SHMEM,
                                      &f.object), 0);
    return f;
}

/* a page that is missing is served, and the access begins again (WATCH-6, WATCH-11) */
static void served(void **state)
{
    (void)state;
    struct bench b;
    unsigned char bytes[3 * 4096];
    struct mw_why why;
    uint64_t calls = 0;
    bench_start(&b);
    draw(&b, "aaaa");
    struct mw_watcher *w = watcher(&b, 0);
    memset(bytes, 0x11, sizeof bytes);
    assert_int_equal(mw_watch_register(w, at(&b, 0), 3 * b.page, MISSING, &calls, NULL), 0);
    assert_true(calls & 1u << MW_UFFD_COPY);
    assert_false(calls & 1u << MW_UFFD_CONTINUE);
    assert_int_equal(meet(&b, 1, MW_ACCESS_WRITE, MW_UFFD_PAGEFAULT_FLAG_WRITE, w), MW_FAULT_WATCHED);
    assert_int_equal(meet(&b, 3, MW_ACCESS_WRITE, 0, w), MW_FAULT_OK);
    enum mw_fault_result r;
    assert_int_equal(mw_read(b.space, at(&b, 1), bytes, 4, &r), 0);
    assert_int_equal(r, MW_FAULT_WATCHED);
    assert_int_equal(mw_watch_copy(w, at(&b, 1), bytes, b.page, 0, &why), b.page);
    assert_int_equal(why.err, 0);
    assert_int_equal(peek(&b, at(&b, 1)), 0x11111111);
    /* half of it: what stopped it is said */
    assert_int_equal(mw_watch_copy(w, at(&b, 0), bytes, 3 * b.page, 0, &why), b.page);
    assert_int_equal(why.err, MW_EEXIST);
    assert_int_equal(why.addr, at(&b, 1));
    assert_string_equal(mw_why_rule(&why), "WATCH-11");
    expect_why(mw_watch_copy(w, at(&b, 0), bytes, 3 * b.page, 0, &why), &why, "all there");
    expect_why(mw_watch_copy(w, at(&b, 3), bytes, b.page, 0, &why), &why, "not watched");
    expect_why(mw_watch_copy(w, at(&b, 2), bytes, b.page, MW_UFFD_COPY_MODE_WP, &why), &why, "not for WP");
    expect_why(mw_watch_zeropage(w, at(&b, 2), 0, 0, &why), &why, "empty");
    expect_why(mw_watch_continue(w, at(&b, 2), b.page, 0, &why), &why, "no object");
    assert_int_equal(mw_watch_zeropage(w, at(&b, 2), b.page, 0, NULL), b.page);
    assert_int_equal(peek(&b, at(&b, 2)), 0);
    sound(b.space);
    mw_watch_destroy(w);
    assert_false(flags(&b, 0) & MW_VM_UFFD);
    expect_row(&b, "AAA|A", "each was touched by itself");
    bench_close(&b);
}

/* write protection, and what has been written since (WATCH-8, WATCH-15) */
static void protected(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    bench_start(&b);
    draw(&b, "aaaaaa");
    for (int i = 0; i < 3; i++)
        poke(&b, at(&b, i), 1);
    struct mw_watcher *w = watcher(&b, MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    expect_why(mw_watch_writeprotect(w, at(&b, 0), b.page, 1, &why), &why, "not watched");
    watch(&b, w, 0, 6, WP);
    assert_int_equal(mw_watch_writeprotect(w, at(&b, 0), 4 * b.page, 1, &why), 0);
    assert_int_equal(why.err, 0);
    assert_true(mw_watch_is_protected(b.space, at(&b, 1) + 5));
    assert_false(mw_watch_is_protected(b.space, at(&b, 3))); /* absent */
    assert_false(mw_watch_is_protected(b.space, UINT64_MAX));
    assert_int_equal(meet(&b, 1, MW_ACCESS_READ, 0, w), MW_FAULT_OK);
    assert_int_equal(meet(&b, 1, MW_ACCESS_WRITE, MW_UFFD_PAGEFAULT_FLAG_WRITE | MW_UFFD_PAGEFAULT_FLAG_WP, w),
                     MW_FAULT_WATCHED);
    assert_int_equal(mw_watch_writeprotect(w, at(&b, 1), b.page, 0, NULL), 0);
    assert_int_equal(meet(&b, 1, MW_ACCESS_WRITE, 0, w), MW_FAULT_OK);
    expect_why(mw_watch_writeprotect(w, at(&b, 1), b.page, 3, &why), &why, "both");
    mw_watch_destroy(w);
    assert_false(mw_watch_is_protected(b.space, at(&b, 0)));
    /* who writes what, without anybody to ask */
    w = watcher(&b, MW_UFFD_FEATURE_WP_ASYNC);
    watch(&b, w, 0, 6, WP);
    assert_int_equal(mw_watch_writeprotect(w, at(&b, 0), 6 * b.page, 1, NULL), 0);
    poke(&b, at(&b, 2), 5);
    poke(&b, at(&b, 4), 5);
    for (int i = 0; i < 6; i++)
        assert_int_equal(mw_watch_is_protected(b.space, at(&b, i)), i != 2 && i != 4);
    sound(b.space);
    bench_close(&b); /* the watcher ends with its space */
}

/* what waits on Linux (WATCH-9), and poison (WATCH-14) */
static void waits(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    bench_start(&b);
    draw(&b, "aaaa");
    struct mw_watcher *w = watcher(&b, MW_UFFD_FEATURE_POISON);
    watch(&b, w, 0, 4, MISSING);
    assert_int_equal(mw_mlock(b.space, at(&b, 0), 4 * b.page, &why), -MW_EAGAIN);
    assert_int_equal(why.addr, at(&b, 0));
    assert_string_equal(mw_why_rule(&why), "WATCH-9");
    assert_int_equal(mw_munlock(b.space, at(&b, 0), 4 * b.page, NULL), 0);
    assert_int_equal(mw_watch_zeropage(w, at(&b, 0), b.page, 0, NULL), b.page);
    assert_int_equal(mw_madvise(b.space, at(&b, 0), 4 * b.page, MW_MADV_POPULATE_READ, &why), -MW_EAGAIN);
    assert_int_equal(why.addr, at(&b, 1));
    assert_int_equal(mw_watch_poison(w, at(&b, 1), b.page, 0, NULL), b.page);
    assert_int_equal(mw_fault(b.space, at(&b, 1), MW_ACCESS_READ), MW_FAULT_BUS_MCEERR);
    assert_int_equal(mw_madvise(b.space, at(&b, 0), 4 * b.page, MW_MADV_POPULATE_WRITE, &why), -MW_EHWPOISON);
    expect_why(-MW_EHWPOISON, &why, "poison");
    assert_int_equal(mw_mlock(b.space, at(&b, 1), b.page, NULL), -MW_ENOMEM);
    mw_watch_destroy(w);
    assert_int_equal(mw_fault(b.space, at(&b, 1), MW_ACCESS_READ), MW_FAULT_BUS_MCEERR);
    sound(b.space);
    bench_close(&b);
}

struct ear {
    struct mw_watch_event heard[16];
    int n;
};

static void hear(void *ctx, const struct mw_watch_event *e)
{
    struct ear *ear = ctx;
    ear->heard[ear->n++] = *e;
}

static void expect_event(const struct ear *e, int i, uint32_t event, uint64_t start, uint64_t end, uint64_t to)
{
    assert_true(i < e->n);
    assert_int_equal(e->heard[i].event, event);
    assert_int_equal(e->heard[i].start, start);
    assert_int_equal(e->heard[i].end, end);
    assert_int_equal(e->heard[i].to, to);
}

/* REMAP before and since 6.16, and a dry run tells nobody (WATCH-19, WOULD-1) */
static void told(void **state)
{
    static const struct { uint32_t version; uint64_t pages; } c[] = {
        { MW_LINUX(6, 12), 4 }, { MW_LINUX(6, 18), 2 }, { MW_LINUX_NEWEST, 2 }
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        struct ear ear = { .n = 0 };
        struct mw_watcher *w;
        bench_config(&b, 12, 1024);
        b.config.linux_version = c[i].version;
        bench_open(&b);
        draw(&b, "aaaa");
        assert_int_equal(mw_watch_create(b.space, MW_UFFD_FEATURE_EVENT_REMAP | MW_UFFD_FEATURE_EVENT_UNMAP,
                                         hear, &ear, &w, NULL), 0);
        watch(&b, w, 0, 4, MISSING);
        struct mw_call call = { .name = MW_CALL_MREMAP, .arg = { at(&b, 0), 4 * b.page, 2 * b.page, FIX_, at(&b, 10) } };
        assert_int_equal(mw_would(b.space, c[i].version, &call, NULL), at(&b, 10));
        assert_int_equal(ear.n, 0);
        assert_int_equal(mw_mremap(b.space, at(&b, 0), 4 * b.page, 2 * b.page, FIX_, at(&b, 10), NULL), at(&b, 10));
        assert_int_equal(ear.n, 3);
        expect_event(&ear, 0, MW_UFFD_EVENT_REMAP, at(&b, 0), at(&b, (int64_t)c[i].pages), at(&b, 10));
        expect_event(&ear, 1, MW_UFFD_EVENT_UNMAP, at(&b, 2), at(&b, 4), 0);
        expect_event(&ear, 2, MW_UFFD_EVENT_UNMAP, at(&b, 0), at(&b, 2), 0);
        assert_true(flags(&b, 10) & MW_VM_UFFD_MISSING);
        assert_int_equal(meet(&b, 11, MW_ACCESS_READ, 0, w), MW_FAULT_WATCHED);
        bench_close(&b);
    }
}

/* a child's watcher: the same features, a context of its own (WATCH-20) */
static void forks(void **state)
{
    (void)state;
    struct bench b;
    struct ear ear = { .n = 0 };
    struct mw_watcher *w;
    struct mw_space *child, *parent;
    int childs_own;
    bench_start(&b);
    draw(&b, "aaaa.aa");
    poke(&b, at(&b, 0), 1);
    assert_int_equal(mw_watch_create(b.space, MW_UFFD_FEATURE_EVENT_FORK, hear, &ear, &w, NULL), 0);
    watch(&b, w, 0, 2, MISSING | WP);
    watch(&b, w, 5, 1, MISSING);
    assert_int_equal(mw_watch_writeprotect(w, at(&b, 0), b.page, 1, NULL), 0);
    assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0);
    assert_int_equal(ear.n, 1);
    assert_int_equal(ear.heard[0].event, MW_UFFD_EVENT_FORK);
    struct mw_watcher *heir = ear.heard[0].child;
    assert_ptr_equal(mw_watch_ctx(heir), &ear);
    mw_watch_set_ctx(heir, &childs_own);
    assert_ptr_equal(mw_watch_ctx(heir), &childs_own);
    parent = b.space;
    b.space = child;
    assert_int_equal(meet(&b, 0, MW_ACCESS_WRITE, MW_UFFD_PAGEFAULT_FLAG_WRITE | MW_UFFD_PAGEFAULT_FLAG_WP, heir),
                     MW_FAULT_WATCHED);
    assert_int_equal(meet(&b, 5, MW_ACCESS_READ, 0, heir), MW_FAULT_WATCHED);
    sound(child);
    mw_watch_destroy(heir);
    assert_int_equal(meet(&b, 0, MW_ACCESS_WRITE, 0, heir), MW_FAULT_OK);
    b.space = parent;
    assert_int_equal(meet(&b, 0, MW_ACCESS_WRITE, MW_UFFD_PAGEFAULT_FLAG_WRITE | MW_UFFD_PAGEFAULT_FLAG_WP, w),
                     MW_FAULT_WATCHED);
    /* without the event neither watch nor protection is inherited */
    mw_space_destroy(child);
    mw_watch_destroy(w);
    w = watcher(&b, 0);
    watch(&b, w, 0, 2, MISSING | WP);
    assert_int_equal(mw_watch_writeprotect(w, at(&b, 0), b.page, 1, NULL), 0);
    assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0);
    assert_false(mw_watch_is_protected(child, at(&b, 0)));
    assert_true(mw_watch_is_protected(b.space, at(&b, 0)));
    sound(child);
    mw_space_destroy(child);
    bench_close(&b);
}

static uint64_t promised(struct bench *b)
{
    struct mw_huge_stats h;
    mw_frames_huge(b->frames, 21, &h);
    return h.promised;
}

/* huge pages are filled, protected and poisoned as a whole, and what is set aside is used */
static void huge(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    unsigned char *bytes = malloc(2 * H);
    assert_non_null(bytes);
    memset(bytes, 0x22, 2 * H);
    for (int shared = 0; shared < 2; shared++) {
        uint64_t at0 = 0x200000000000ull;
        uint32_t kind = MW_MAP_FIXED | MW_MAP_ANONYMOUS | MW_MAP_HUGETLB;
        bench_config(&b, 12, 16 * 512);
        bench_open(&b);
        assert_int_equal(mw_frames_set_huge(b.frames, 21, 8), 8);
        mw_mmap(b.space, at0, 4 * H, RW_, kind | (shared ? MW_MAP_SHARED : MW_MAP_PRIVATE), NULL, 0, NULL);
        struct mw_watcher *w = watcher(&b, 0);
        expect_why(mw_watch_register(w, at0 + 4096, H, MISSING, NULL, &why), &why, "inside one");
        assert_int_equal(mw_watch_register(w, at0, 4 * H, MISSING | WP, NULL, NULL), 0);
        assert_int_equal(promised(&b), 4);
        expect_why(mw_watch_copy(w, at0 + 4096, bytes, H, 0, &why), &why, "part of one");
        expect_why(mw_watch_zeropage(w, at0, H, 0, &why), &why, "no zeros");
        assert_int_equal(mw_watch_copy(w, at0, bytes, H, MW_UFFD_COPY_MODE_WP, NULL), H);
        assert_int_equal(promised(&b), 3);
        assert_int_equal(peek(&b, at0 + H - 4), 0x22222222);
        assert_int_equal(mw_fault(b.space, at0, MW_ACCESS_WRITE), MW_FAULT_WATCHED);
        assert_int_equal(mw_watch_writeprotect(w, at0, 2 * H, 1, NULL), 0); /* the second is marked */
        assert_true(mw_watch_is_protected(b.space, at0 + H + 4096));
        expect_why(mw_watch_writeprotect(w, at0, 4096, 1, &why), &why, "part of one");
        assert_int_equal(mw_watch_poison(w, at0 + 2 * H, H, 0, NULL), H);
        assert_int_equal(mw_fault(b.space, at0 + 2 * H + 4096, MW_ACCESS_READ), MW_FAULT_BUS_MCEERR);
        assert_int_equal(promised(&b), 3);
        sound(b.space);
        assert_int_equal(mw_watch_copy(w, at0 + H, bytes, 2 * H, 0, NULL), 2 * H); /* marks give way */
        assert_int_equal(promised(&b), 1);
        mw_watch_destroy(w);
        assert_int_equal(mw_munmap(b.space, at0, 4 * H, NULL), 0);
        assert_int_equal(promised(&b), 0);
        sound(b.space);
        mw_frames_set_huge(b.frames, 21, 0);
        bench_close(&b);
    }
    free(bytes);
}

/* shared memory: a page that the object has is mapped, not copied (WATCH-7, WATCH-13) */
static void minor(void **state)
{
    static const struct { uint32_t version; int64_t copied, continued; } c[] = {
        { MW_LINUX(6, 18), -MW_EFAULT, -MW_EINVAL }, { MW_LINUX(7, 2), -MW_ENOMEM, -MW_EFAULT }
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b;
        bench_config(&b, 12, 1024);
        b.config.linux_version = c[i].version;
        bench_open(&b);
        struct mw_file f = memory(&b, 2);
        static unsigned char bytes[4096] = { 9 };
        for (int j = 0; j < 2; j++)
            assert_int_equal(mw_mmap(b.space, at(&b, 8 * j), 4 * b.page, RW_, MW_MAP_FIXED | MW_MAP_SHARED, &f, 0, NULL),
                             at(&b, 8 * j));
        struct mw_watcher *w = watcher(&b, 0);
        watch(&b, w, 0, 4, MINOR | MISSING);
        assert_int_equal(meet(&b, 0, MW_ACCESS_READ, 0, w), MW_FAULT_WATCHED);
        poke(&b, at(&b, 8), 7); /* the object has it now */
        assert_int_equal(meet(&b, 0, MW_ACCESS_READ, MW_UFFD_PAGEFAULT_FLAG_MINOR, w), MW_FAULT_WATCHED);
        assert_int_equal(mw_watch_copy(w, at(&b, 0), bytes, b.page, 0, NULL), -MW_EEXIST);
        assert_int_equal(mw_watch_continue(w, at(&b, 1), b.page, 0, NULL), -MW_EFAULT);
        assert_int_equal(mw_watch_continue(w, at(&b, 0), b.page, 0, NULL), b.page);
        assert_int_equal(peek(&b, at(&b, 0)), 7);
        assert_int_equal(mw_watch_copy(w, at(&b, 1), bytes, 3 * b.page, 0, NULL), b.page);
        assert_int_equal(peek(&b, at(&b, 9)), 9);
        assert_int_equal(mw_watch_copy(w, at(&b, 2), bytes, b.page, 0, NULL), c[i].copied);
        assert_int_equal(mw_watch_continue(w, at(&b, 2), b.page, 0, NULL), c[i].continued);
        sound(b.space);
        mw_object_put(f.object);
        bench_close(&b);
    }
}

/* pages move, unless a child has them too (WATCH-16, WATCH-17) */
static void moves(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    struct mw_space *child;
    bench_start(&b);
    draw(&b, "aaaa..aaaa");
    for (int i = 0; i < 4; i++)
        poke(&b, at(&b, i), (uint32_t)i + 1);
    struct mw_watcher *w = watcher(&b, 0);
    watch(&b, w, 6, 4, MISSING);
    expect_why(mw_watch_move(w, at(&b, 0), at(&b, 6), b.page, 0, &why), &why, "not watched");
    expect_why(mw_watch_move(w, at(&b, 6), at(&b, 4), b.page, 2, &why), &why, "from nowhere");
    expect_why(mw_watch_move(w, at(&b, 4), at(&b, 0), b.page, 0, &why), &why, "to nowhere");
    assert_int_equal(mw_watch_move(w, at(&b, 6), at(&b, 0), 2 * b.page, 0, NULL), 2 * b.page);
    assert_int_equal(peek(&b, at(&b, 7)), 2);
    expect_why(mw_watch_move(w, at(&b, 8), at(&b, 0), b.page, 0, &why), &why, "a hole");
    assert_int_equal(mw_watch_move(w, at(&b, 8), at(&b, 0), b.page, MW_UFFD_MOVE_MODE_ALLOW_SRC_HOLES, NULL), b.page);
    assert_int_equal(mw_fork(b.space, b.config.id, &child, NULL), 0);
    assert_int_equal(mw_watch_move(w, at(&b, 8), at(&b, 2), b.page, 0, &why), -MW_EBUSY);
    expect_why(-MW_EBUSY, &why, "a child's too");
    mw_space_destroy(child);
    poke(&b, at(&b, 2), 3);
    assert_int_equal(mw_watch_move(w, at(&b, 8), at(&b, 2), b.page, 0, NULL), b.page);
    assert_int_equal(peek(&b, at(&b, 8)), 3);
    sound(b.space);
    bench_close(&b);
}

/* who else's watch ends (WATCH-5), and what a move keeps of the protection (MREMAP-42) */
static void versions(void **state)
{
    static const struct { uint32_t version; bool others, keeps; } c[] = {
        { MW_LINUX(6, 1), true, true }, { MW_LINUX(6, 16), true, false }, { MW_LINUX(6, 17), false, false }
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        struct mw_why why;
        bench_config(&b, 12, 1024);
        b.config.linux_version = c[i].version;
        bench_open(&b);
        draw(&b, "aaaaaa");
        struct mw_watcher *w = watcher(&b, 0), *other = watcher(&b, 0);
        watch(&b, w, 0, 2, MISSING);
        assert_int_equal(mw_watch_register(other, at(&b, 0), b.page, MISSING, NULL, &why), -MW_EBUSY);
        expect_why(-MW_EBUSY, &why, "taken");
        int64_t r = mw_watch_unregister(other, at(&b, 0), 6 * b.page, &why);
        assert_int_equal(r, c[i].others ? 0 : -MW_EINVAL);
        expect_why(r, &why, "another's");
        assert_int_equal((flags(&b, 0) & MW_VM_UFFD) != 0, !c[i].others);
        poke(&b, at(&b, 4), 1);
        watch(&b, w, 4, 1, WP);
        assert_int_equal(mw_watch_writeprotect(w, at(&b, 4), b.page, 1, NULL), 0);
        assert_int_equal(mw_watch_writeprotect(w, at(&b, 3), 2 * b.page, 1, NULL), -MW_ENOENT);
        assert_int_equal(mw_mremap(b.space, at(&b, 4), b.page, b.page, FIX_, at(&b, 20), NULL), at(&b, 20));
        assert_int_equal(mw_watch_is_protected(b.space, at(&b, 20)), c[i].keeps);
        poke(&b, at(&b, 20), 2); /* nobody minds */
        sound(b.space);
        bench_close(&b);
    }
}

/* features and modes come with their version (WATCH-1, WATCH-2) */
static void known(void **state)
{
    (void)state;
    struct bench b;
    struct mw_why why;
    struct mw_watcher *w;
    bench_config(&b, 12, 64);
    b.config.linux_version = MW_LINUX(4, 19);
    bench_open(&b);
    draw(&b, "a");
    expect_why(mw_watch_create(b.space, MW_UFFD_FEATURE_MOVE, NULL, NULL, &w, &why), &why, "since 6.8");
    w = watcher(&b, MW_UFFD_FEATURE_SIGBUS);
    expect_why(mw_watch_register(w, at(&b, 0), b.page, WP, NULL, &why), &why, "since 5.7");
    watch(&b, w, 0, 1, MISSING);
    bench_close(&b);
}

/* a watch can't be imported or taken away from outside, nor mirrored; a mirror can't be watched (MIRROR-8) */
static void apart(void **state)
{
    (void)state;
    struct bench b;
    struct mw_vma v;
    bench_config(&b, 12, 1024);
    b.config.options |= MW_OPT_EXTENSIONS;
    bench_open(&b);
    draw(&b, "aa..aa");
    struct mw_watcher *w = watcher(&b, 0);
    watch(&b, w, 0, 2, MISSING);
    assert_true(mw_find_vma(b.space, at(&b, 0), &v));
    uint64_t mine = v.flags;
    v.start = v.offset = at(&b, 10);
    v.end = at(&b, 11);
    v.flags = WATCH | (mine & 0xffffffff);
    assert_int_equal(mw_import(b.space, &v), 0);
    assert_int_equal(flags(&b, 10), mine & 0xffffffff);
    assert_int_equal(mw_import_flags(b.space, at(&b, 0), at(&b, 6), MW_VM_UFFD | WATCH, WATCH, true), 0);
    assert_int_equal(flags(&b, 0), mine);
    assert_int_equal(flags(&b, 4) >> 32, 0);
    assert_int_equal(mw_mremap(b.space, at(&b, 0), b.page, b.page, MAY_ | MW_MREMAP_MIRROR, 0, NULL), -MW_EFAULT);
    int64_t copy = mw_mremap(b.space, at(&b, 4), b.page, b.page, MAY_ | MW_MREMAP_MIRROR, 0, NULL);
    assert_true(copy > 0);
    assert_int_equal(mw_watch_register(w, at(&b, 4), b.page, MISSING, NULL, NULL), -MW_EINVAL);
    poke(&b, at(&b, 5), 1); /* poison can't be mirrored either */
    watch(&b, w, 5, 1, MISSING);
    assert_int_equal(mw_madvise(b.space, at(&b, 5), b.page, MW_MADV_DONTNEED, NULL), 0);
    assert_int_equal(mw_watch_poison(w, at(&b, 5), b.page, 0, NULL), b.page);
    assert_int_equal(mw_watch_unregister(w, at(&b, 5), b.page, NULL), 0);
    assert_int_equal(mw_mremap(b.space, at(&b, 5), b.page, b.page, MAY_ | MW_MREMAP_MIRROR, 0, NULL), -MW_EINVAL);
    sound(b.space);
    bench_close(&b);
}

/* a space has so many watchers, and their numbers are used again */
static void many(void **state)
{
    (void)state;
    struct bench b;
    struct mw_watcher *w[127], *more;
    bench_start(&b);
    draw(&b, "aaa");
    for (int i = 0; i < 127; i++)
        w[i] = watcher(&b, 0);
    assert_int_equal(mw_watch_create(b.space, 0, NULL, NULL, &more, NULL), -MW_ENOMEM);
    watch(&b, w[126], 0, 1, MISSING);
    watch(&b, w[0], 1, 1, MISSING);
    assert_int_equal(meet(&b, 0, MW_ACCESS_READ, 0, w[126]), MW_FAULT_WATCHED);
    mw_watch_destroy(w[100]);
    w[100] = watcher(&b, 0);
    watch(&b, w[100], 2, 1, MISSING);
    assert_int_equal(meet(&b, 1, MW_ACCESS_READ, 0, w[0]), MW_FAULT_WATCHED);
    assert_int_equal(meet(&b, 2, MW_ACCESS_READ, 0, w[100]), MW_FAULT_WATCHED);
    for (int i = 0; i < 127; i++)
        mw_watch_destroy(w[i]);
    expect_row(&b, "aaa", "one again");
    bench_close(&b);
}

/* what a call cuts off at the lower end merges with the next one since 6.12 (WATCH-4) */
static void cut_off(void **state)
{
    static const struct { uint32_t version; const char *watched, *ended, *last; } c[] = {
        { MW_LINUX(5, 10), "a|a|a|a", "a|a|a|a", "aa|a|a" },
        { MW_LINUX(6, 1), "a|a|a|a", "a|a|a|a", "aa|a|a" },
        { MW_LINUX(6, 12), "a|aa|a", "a|aa|a", "aaa|a" },
        { MW_LINUX_NEWEST, "a|aa|a", "a|aa|a", "aaa|a" }
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        struct bench b;
        bench_config(&b, 12, 1024);
        b.config.linux_version = c[i].version;
        bench_open(&b);
        draw(&b, "aaaa");
        struct mw_watcher *w = watcher(&b, 0);
        watch(&b, w, 2, 1, MISSING);
        watch(&b, w, 1, 2, MISSING);
        expect_row(&b, c[i].watched, "watched");
        watch(&b, w, 0, 1, MISSING); /* begins where its mapping does */
        expect_row(&b, c[i].last, "one below");
        watch(&b, w, 3, 1, MISSING);
        assert_int_equal(mw_watch_unregister(w, at(&b, 0), 4 * b.page, NULL), 0);
        expect_row(&b, "aaaa", "none");
        watch(&b, w, 0, 4, MISSING);
        assert_int_equal(mw_watch_unregister(w, at(&b, 2), b.page, NULL), 0);
        assert_int_equal(mw_watch_unregister(w, at(&b, 1), 2 * b.page, NULL), 0);
        expect_row(&b, c[i].ended, "unwatched");
        sound(b.space);
        bench_close(&b);
    }
}

static void fill_zero_file(uint32_t version, bool copied)
{
    static const char bytes[4096] = { 9 };
    struct bench b;
    bench_config(&b, 12, 64);
    b.config.linux_version = version;
    bench_open(&b);
    struct mw_file z = { .mode = MW_FILE_READ | MW_FILE_WRITE | MW_FILE_DEVICE };
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, 8 * b.page, MW_OBJ_ANON, &z.object), 0);
    assert_int_equal(mw_mmap(b.space, at(&b, 0), 4 * b.page, MW_PROT_READ | MW_PROT_WRITE,
                             MW_MAP_PRIVATE | MW_MAP_FIXED, &z, 0, NULL), at(&b, 0));
    struct mw_watcher *w = watcher(&b, 0);
    watch(&b, w, 0, 4, MISSING | WP);
    for (int again = 0; again < 2; again++)
        assert_int_equal(mw_watch_copy(w, at(&b, 0), bytes, b.page, 0, NULL),
                         !copied ? -MW_EFAULT : again ? -MW_EEXIST : (int64_t)b.page);
    if (copied)
        assert_int_equal(peek(&b, at(&b, 0)), 9);
    assert_int_equal(mw_watch_zeropage(w, at(&b, 1), b.page, 0, NULL), -MW_EFAULT);
    assert_int_equal(mw_watch_poison(w, at(&b, 2), b.page, 0, NULL),
                     version < MW_LINUX(6, 6) ? -MW_EINVAL : -MW_EFAULT);
    assert_int_equal(mw_watch_writeprotect(w, at(&b, 0), 4 * b.page, 1, NULL), 0);
    sound(b.space);
    mw_object_put(z.object);
    bench_close(&b);
}

/* private /dev/zero is anonymous, but its file has no bytes: only 6.1's COPY fills it (WATCH-11) */
static void zero_file(void **state)
{
    (void)state;
    fill_zero_file(MW_LINUX(5, 10), false);
    fill_zero_file(MW_LINUX(6, 1), true);
    fill_zero_file(MW_LINUX(6, 12), false);
    fill_zero_file(MW_LINUX(6, 18), false);
    fill_zero_file(MW_LINUX_NEWEST, false);
}

/* offsets are signed: CONTINUE tells those of 2^63 and more apart (WATCH-13) */
static void continue_far(uint32_t version, int64_t near, int64_t far)
{
    struct bench b;
    struct mw_file z = { .mode = MW_FILE_READ | MW_FILE_WRITE | MW_FILE_DEVICE };
    bench_config(&b, 12, 64);
    b.config.linux_version = version;
    bench_open(&b);
    struct mw_watcher *w = watcher(&b, 0);
    assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, b.page, MW_OBJ_SHMEM, &z.object), 0);
    assert_int_equal(mw_mmap(b.space, at(&b, 0), 2 * b.page, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &z,
                             (1ull << 63) - b.page, NULL), at(&b, 0));
    watch(&b, w, 0, 2, MISSING);
    assert_int_equal(mw_watch_continue(w, at(&b, 0), b.page, 0, NULL), near);
    assert_int_equal(mw_watch_continue(w, at(&b, 1), b.page, 0, NULL), far);
    mw_object_put(z.object);
    bench_close(&b);
}

static void far_away(void **state)
{
    (void)state;
    continue_far(MW_LINUX(6, 1), -MW_EINVAL, -MW_EFBIG);
    continue_far(MW_LINUX(6, 18), -MW_EINVAL, -MW_EFBIG);
    continue_far(MW_LINUX(7, 2), -MW_EFAULT, -MW_EFAULT);
}

/* with WP_ASYNC files can be watched for WP, rings can't (WATCH-3) */
static void any_kind(void **state)
{
    (void)state;
    struct bench b;
    bench_config(&b, 12, 64);
    bench_open(&b);
    struct mw_watcher *w = watcher(&b, MW_UFFD_FEATURE_WP_ASYNC);
    for (uint32_t ring = 0; ring < 2; ring++) {
        struct mw_file f = { .mode = MW_FILE_READ | MW_FILE_WRITE };
        assert_int_equal(mw_object_create(&b.port, b.frames, NULL, NULL, b.page,
                                          ring ? MW_OBJ_DONTEXPAND : 0, &f.object), 0);
        assert_int_equal(mw_mmap(b.space, at(&b, 0), b.page, MW_PROT_READ | MW_PROT_WRITE,
                                 MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL), at(&b, 0));
        assert_int_equal(mw_watch_register(w, at(&b, 0), b.page, WP, NULL, NULL), ring ? -MW_EINVAL : 0);
        assert_int_equal(mw_watch_register(w, at(&b, 0), b.page, WP | MISSING, NULL, NULL), -MW_EINVAL);
        mw_object_put(f.object);
    }
    bench_close(&b);
}

/* without pages there is a layout to watch, and nothing to resolve */
static void layout_only(void **state)
{
    (void)state;
    struct bench b;
    struct mw_watch_message m;
    char byte = 0;
    bench_config(&b, 12, 64);
    b.config.frames = NULL;
    bench_open(&b);
    draw(&b, "aaaa");
    struct mw_watcher *w = watcher(&b, 0);
    watch(&b, w, 1, 2, MISSING | WP);
    expect_row(&b, "a|aa|a", "watched");
    assert_int_equal(mw_watch_fault(b.space, at(&b, 1), MW_ACCESS_READ, &m), MW_FAULT_NOSYS);
    assert_int_equal(mw_watch_copy(w, at(&b, 1), &byte, b.page, 0, NULL), -MW_ENOSYS);
    assert_int_equal(mw_watch_move(w, at(&b, 1), at(&b, 0), b.page, 0, NULL), -MW_ENOSYS);
    assert_int_equal(mw_watch_writeprotect(w, at(&b, 1), b.page, 1, NULL), -MW_ENOSYS);
    assert_false(mw_watch_is_protected(b.space, at(&b, 1)));
    assert_int_equal(mw_watch_unregister(w, at(&b, 0), 4 * b.page, NULL), 0);
    expect_row(&b, "aaaa", "one again");
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(served), cmocka_unit_test(protected), cmocka_unit_test(waits),
        cmocka_unit_test(told), cmocka_unit_test(forks), cmocka_unit_test(huge),
        cmocka_unit_test(minor), cmocka_unit_test(moves), cmocka_unit_test(versions),
        cmocka_unit_test(known), cmocka_unit_test(apart), cmocka_unit_test(many),
        cmocka_unit_test(cut_off), cmocka_unit_test(zero_file),
        cmocka_unit_test(far_away), cmocka_unit_test(any_kind), cmocka_unit_test(layout_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
