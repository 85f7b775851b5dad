/* SPDX-License-Identifier: MIT */
/*
 * test_nomem.c - memory runs out at the Nth allocation, once or from then on
 * for ever, or the pool has only N frames left: for N = 1, 2, 3... until the
 * call succeeds. Each failed call must have changed nothing - mappings, page
 * tables, bytes, counters - and must succeed when tried again (ENGINE-1, ENGINE-3).
 */
#include "../unit/unit.h"

#include "mapwright/watch.h"
#include "vma/space.h"

#define SEEN_PAGES 700 /* of the arena, compared page by page */

struct step {
    const char *what;
    void (*prepare)(struct bench *b);
    int64_t (*call)(struct bench *b); /* negative errno, or success */
    bool partial; /* Linux itself stops half-way: what came before the failure stays */
};

/* a child that shares the space's page tables, or NULL */
static struct mw_space *child;

/* ---- what a space looks like ---- */

struct image {
    struct mw_vma vma[600];
    size_t vmas;
    uint64_t entry[SEEN_PAGES]; /* page-table entries, less the accessed and dirty bits */
    uint64_t hash[SEEN_PAGES];
    struct mw_stats stats;
};

static uint64_t hash_of(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t h = 1469598103934665603ull;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211ull;
    return h;
}

static void take(const struct bench *b, struct image *im)
{
    const struct pmap *pm = &b->space->pmap;
    struct mw_vma v;
    memset(im, 0, sizeof *im);
    for (uint64_t a = 0; im->vmas < 600 && mw_find_vma(b->space, a, &v); a = v.end)
        im->vma[im->vmas++] = v;
    for (int64_t i = 0; i < SEEN_PAGES; i++) {
        const pte_t *e = pmap_find(pm, at(b, i), NULL);
        if (e == NULL || !pte_used(*e))
            continue;
        im->entry[i] = *e & ~(PTE_A | PTE_D | (child ? PTE_W | PTE_COW : 0)); /* shared tables may be copied */
        im->hash[i] = hash_of(frame_ptr(b->frames, pte_frame(pm, *e)), b->page);
    }
    mw_stats(b->space, &im->stats);
}

static void same(const struct image *a, const struct image *b, const char *what, long n)
{
    if (a->vmas != b->vmas || memcmp(a->vma, b->vma, sizeof a->vma) != 0)
        fail_msg("%s, N = %ld: the mappings have changed", what, n);
    if (memcmp(a->entry, b->entry, sizeof a->entry) != 0)
        fail_msg("%s, N = %ld: the page tables have changed", what, n);
    if (memcmp(a->hash, b->hash, sizeof a->hash) != 0)
        fail_msg("%s, N = %ld: bytes have changed", what, n);
    if (memcmp(&a->stats, &b->stats, sizeof a->stats) != 0)
        fail_msg("%s, N = %ld: the counters have changed", what, n);
}

/* ---- the loops ---- */

static void start(struct bench *b, const struct step *s)
{
    bench_config(b, 12, 2048);
    b->config.brk_start = at(b, 400);
    b->config.options |= MW_OPT_EXTENSIONS;
    bench_open(b);
    s->prepare(b);
}

static void judge(struct bench *b, const struct step *s, const struct image *before, int64_t r,
                  long n)
{
    static struct image after;
    const char *bad = NULL;
    if (mw_check(b->space, &bad) != 0)
        fail_msg("%s, N = %ld: unsound: %s", s->what, n, bad);
    if (r >= 0)
        return;
    if (s->partial)
        return;
    if (r != -MW_ENOMEM)
        fail_msg("%s, N = %ld: %s instead of ENOMEM", s->what, n, mw_errno_name((int)-r));
    take(b, &after);
    same(before, &after, s->what, n);
}

static void finish(struct bench *b)
{
    if (child) {
        assert_int_equal(mw_check(child, NULL), 0);
        mw_space_destroy(child);
    }
    child = NULL;
    bench_close(b);
}

/* The Nth allocation of the engine's own memory. Returns how many N it took. */
static long engine_memory(const struct step *s, bool for_ever)
{
    static struct image before;
    for (long n = 1;; n++) {
        struct bench b;
        start(&b, s);
        take(&b, &before);
        b.failed = false;
        b.fail_for_ever = for_ever;
        b.fail_in = n;
        int64_t r = s->call(&b);
        bool failed = b.failed;
        b.fail_in = 0;
        judge(&b, s, &before, r, n);
        if (!failed && r < 0)
            fail_msg("%s: %s without a cause", s->what, mw_errno_name((int)-r));
        if (r < 0 && !s->partial && s->call(&b) < 0)
            fail_msg("%s, N = %ld: a second try failed", s->what, n);
        finish(&b);
        if (!failed)
            return n - 1;
        assert_true(n < 10000);
    }
}

/* Only N frames are left in the pool. */
static long frames_left(const struct step *s)
{
    static struct image before;
    static frame_t hog[2048];
    for (uint64_t n = 0;; n++) {
        struct bench b;
        size_t hogged = 0;
        start(&b, s);
        while (mw_frames_free(b.frames) > n)
            hog[hogged++] = frame_alloc(b.frames);
        take(&b, &before);
        int64_t r = s->call(&b);
        uint64_t left = mw_frames_free(b.frames);
        judge(&b, s, &before, r, (long)n);
        while (hogged > 0)
            frame_put(b.frames, hog[--hogged]);
        if (r < 0 && !s->partial && s->call(&b) < 0)
            fail_msg("%s, %llu frames: a second try failed", s->what, (unsigned long long)n);
        finish(&b);
        if (r >= 0 && left > 0)
            return (long)n;
        assert_true(n < 2000);
    }
}

/* ---- the rows before ---- */

static void nothing(struct bench *b)
{
    (void)b;
}

static void write_pages(struct bench *b, int64_t page, int64_t n)
{
    for (int64_t i = page; i < page + n; i++)
        poke(b, at(b, i), (uint32_t)i + 1);
}

static void plain_row(struct bench *b)
{
    draw(b, "aaaaaa..rrrrxx..ss..FFFFff");
    write_pages(b, 0, 6);
    write_pages(b, 16, 2);
    write_pages(b, 24, 2);
}

/* 300 pages of alternating rights: a tree of several levels */
static void many(struct bench *b)
{
    char row[302];
    for (int i = 0; i < 300; i++)
        row[i] = i % 3 == 0 ? 'a' : i % 3 == 1 ? 'r' : 'x';
    row[300] = 0;
    draw(b, row);
    for (int64_t i = 0; i < 300; i += 30)
        poke(b, at(b, i), 7);
}

static void grown_heap(struct bench *b)
{
    mw_brk(b->space, at(b, 404), NULL);
    write_pages(b, 400, 4);
}

static void stack(struct bench *b)
{
    mw_mmap(b->space, at(b, 600), 2 * b->page, RW_, FIXED_ | MW_MAP_GROWSDOWN, NULL, 0, NULL);
    poke(b, at(b, 600), 1);
}

static void locked_row(struct bench *b)
{
    mw_mmap(b->space, at(b, 0), 4 * b->page, RW_, FIXED_ | MW_MAP_LOCKED, NULL, 0, NULL);
    draw(b, ".........rr");
}

static void wide(struct bench *b)
{
    mw_mmap(b->space, at(b, 0), 1400 * b->page, RW_, FIXED_, NULL, 0, NULL);
    for (int64_t i = 0; i < 1400; i += 111)
        poke(b, at(b, i), (uint32_t)i + 1);
}

/* the same, and a child has its page tables too */
static void forked(struct bench *b)
{
    wide(b);
    write_pages(b, 600, 3);
    assert_int_equal(mw_fork(b->space, 77, &child, NULL), 0);
    for (int i = 1500; i < 1520; i += 7)
        mw_mmap(b->space, at(b, i), b->page, RW_, FIXED_, NULL, 0, NULL);
}

/* ---- the calls ---- */

static int64_t map(struct bench *b, int64_t page, int64_t n, uint32_t prot, uint32_t flags)
{
    return mw_mmap(b->space, at(b, page), (uint64_t)n * b->page, prot, flags,
                   flags & MW_MAP_ANONYMOUS ? NULL : &b->file, 0, NULL);
}

static int64_t remap(struct bench *b, int64_t old, int64_t osz, int64_t nsz, uint32_t flags,
                     int64_t to)
{
    return mw_mremap(b->space, at(b, old), (uint64_t)osz * b->page, (uint64_t)nsz * b->page,
                     flags, at(b, to), NULL);
}

static int64_t unmap(struct bench *b, int64_t page, int64_t n)
{
    return mw_munmap(b->space, at(b, page), (uint64_t)n * b->page, NULL);
}

static int64_t protect(struct bench *b, int64_t page, int64_t n, uint32_t prot)
{
    return mw_mprotect(b->space, at(b, page), (uint64_t)n * b->page, prot, NULL);
}

static int64_t heap_to(struct bench *b, int64_t page)
{
    return mw_brk(b->space, at(b, page), NULL) == at(b, page) ? 0 : -MW_ENOMEM;
}

static int64_t fault(struct bench *b, int64_t page, uint32_t access)
{
    enum mw_fault_result r = mw_fault(b->space, at(b, page), access);
    return r == MW_FAULT_OK ? 0 : r == MW_FAULT_OOM ? -MW_ENOMEM : -MW_EFAULT;
}

#define SHARED_ (MW_MAP_SHARED | MW_MAP_FIXED)
#define DU_ (MW_MREMAP_MAYMOVE | MW_MREMAP_DONTUNMAP)

static int64_t mmap_free(struct bench *b) { return map(b, 30, 2, RW_, FIXED_); }
static int64_t mmap_middle(struct bench *b) { return map(b, 2, 2, RO_, FIXED_); }
static int64_t mmap_many(struct bench *b) { return map(b, 50, 200, RO_, FIXED_); }
static int64_t mmap_merging(struct bench *b) { return map(b, 6, 2, RO_, FIXED_); }
static int64_t mmap_shared(struct bench *b)
{
    return map(b, 2, 2, RW_, SHARED_ | MW_MAP_ANONYMOUS);
}
static int64_t mmap_file(struct bench *b) { return map(b, 1, 8, RW_, SHARED_); }
static int64_t mmap_populate(struct bench *b)
{
    return map(b, 30, 8, RW_, FIXED_ | MW_MAP_POPULATE);
}
static int64_t mmap_locked(struct bench *b) { return map(b, 2, 8, RW_, FIXED_ | MW_MAP_LOCKED); }
static int64_t mmap_chosen(struct bench *b) { return map(b, 0, 4, RW_, FIXED_ & ~MW_MAP_FIXED); }
static int64_t munmap_middle(struct bench *b) { return unmap(b, 2, 2); }
static int64_t munmap_head(struct bench *b) { return unmap(b, 0, 2); }
static int64_t munmap_span(struct bench *b) { return unmap(b, 1, 23); }
static int64_t munmap_many(struct bench *b) { return unmap(b, 50, 201); }
static int64_t mprotect_middle(struct bench *b) { return protect(b, 2, 2, RO_); }
static int64_t mprotect_whole(struct bench *b) { return protect(b, 0, 6, RO_); }
static int64_t mprotect_many(struct bench *b) { return protect(b, 10, 200, RW_ | MW_PROT_EXEC); }
static int64_t brk_fresh(struct bench *b) { return heap_to(b, 403); }
static int64_t brk_grow(struct bench *b) { return heap_to(b, 408); }
static int64_t brk_shrink(struct bench *b) { return heap_to(b, 401); }
static int64_t shrink_tail(struct bench *b) { return remap(b, 0, 6, 3, 0, 0); }
static int64_t shrink_middle(struct bench *b) { return remap(b, 1, 4, 2, 0, 0); }
static int64_t shrink_fixed(struct bench *b) { return remap(b, 0, 6, 3, FIX_, 30); }
static int64_t grow_place(struct bench *b) { return remap(b, 0, 6, 8, 0, 0); }
static int64_t grow_moved(struct bench *b) { return remap(b, 0, 6, 12, MAY_, 0); }
static int64_t grow_part(struct bench *b) { return remap(b, 2, 2, 5, MAY_, 0); }
static int64_t move_whole(struct bench *b) { return remap(b, 0, 6, 6, FIX_, 30); }
static int64_t move_middle(struct bench *b) { return remap(b, 2, 2, 2, FIX_, 600); }
static int64_t move_onto(struct bench *b) { return remap(b, 0, 3, 3, FIX_, 9); }
static int64_t move_onto_self(struct bench *b) { return remap(b, 0, 2, 2, FIX_, 3); }
static int64_t move_grow(struct bench *b) { return remap(b, 1, 2, 6, FIX_, 10); }
static int64_t move_file(struct bench *b) { return remap(b, 20, 2, 3, FIX_, 500); }
static int64_t move_wide(struct bench *b) { return remap(b, 3, 1390, 1390, FIX_, 5000); }
static int64_t move_dontunmap(struct bench *b) { return remap(b, 0, 6, 6, DU_ | FIX_, 600); }
static int64_t move_duplicate(struct bench *b) { return remap(b, 16, 0, 2, FIX_, 600); }
static int64_t move_several(struct bench *b) { return remap(b, 0, 20, 20, FIX_, 600); }
static int64_t mirror_middle(struct bench *b) { return remap(b, 600, 3, 3, FIX_ | MW_MREMAP_MIRROR, 1500); }
static int64_t move_strictly(struct bench *b)
{
    return remap(b, 1500, 20, 20, FIX_ | MW_MREMAP_STRICT, 590);
}
static int64_t locked_grow(struct bench *b) { return remap(b, 0, 4, 8, 0, 0); }
static int64_t locked_move(struct bench *b) { return remap(b, 0, 4, 8, FIX_, 600); }
static int64_t fault_write(struct bench *b) { return fault(b, 0, MW_ACCESS_WRITE); }
static int64_t fault_read(struct bench *b) { return fault(b, 8, MW_ACCESS_READ); }
static int64_t fault_far(struct bench *b) { return fault(b, 299, MW_ACCESS_READ); }
static int64_t fault_copy(struct bench *b) { return fault(b, 22, MW_ACCESS_WRITE); }
static int64_t fault_file(struct bench *b) { return fault(b, 23, MW_ACCESS_READ); }
static int64_t fault_cow(struct bench *b) { return fault(b, 25, MW_ACCESS_WRITE); }
static int64_t fault_stack(struct bench *b) { return fault(b, 590, MW_ACCESS_WRITE); }

static int64_t one_write(struct bench *b)
{
    uint32_t value = 5;
    return mw_write(b->space, at(b, 21), &value, 4, NULL) == 4 ? 0 : -MW_ENOMEM;
}

static int64_t import_one(struct bench *b)
{
    struct mw_vma v = { .start = at(b, 30), .end = at(b, 33), .offset = at(b, 30),
                        .flags = MW_VM_READ | MW_VM_WRITE | MW_VM_ACCOUNT, .anon = 3 };
    return mw_import(b->space, &v);
}

static int64_t import_marks(struct bench *b)
{
    return mw_import_flags(b->space, at(b, 1), at(b, 23), 0, MW_VM_DONTCOPY, true);
}

static int64_t advise_mark(struct bench *b)
{
    return mw_madvise(b->space, at(b, 1), 3 * b->page, MW_MADV_DONTFORK, NULL);
}

static int64_t advise_marks_many(struct bench *b)
{
    return mw_madvise(b->space, at(b, 10), 200 * b->page, MW_MADV_DONTDUMP, NULL);
}

static int64_t advise_drop(struct bench *b)
{
    return mw_madvise(b->space, at(b, 1), 3 * b->page, MW_MADV_DONTNEED, NULL);
}

static int64_t advise_remove(struct bench *b)
{
    return mw_madvise(b->space, at(b, 20), 2 * b->page, MW_MADV_REMOVE, NULL);
}

static int64_t advise_populate(struct bench *b)
{
    return mw_madvise(b->space, at(b, 20), 6 * b->page, MW_MADV_POPULATE_WRITE, NULL);
}

static int64_t advise_guard(struct bench *b)
{
    return mw_madvise(b->space, at(b, 1), 3 * b->page, MW_MADV_GUARD_INSTALL, NULL);
}

static int64_t advise_guard_wide(struct bench *b)
{
    return mw_madvise(b->space, at(b, 0), 600 * b->page, MW_MADV_GUARD_INSTALL, NULL);
}

static int64_t advise_ranges(struct bench *b)
{
    const struct mw_iovec range[] = { { at(b, 1), 3 * b->page }, { at(b, 9), b->page } };
    return mw_process_madvise(b->space, range, 2, MW_MADV_DONTFORK, 0, true, NULL);
}

static int64_t guard_ranges(struct bench *b)
{
    const struct mw_iovec range[] = { { at(b, 1), 3 * b->page }, { at(b, 700), 2 * b->page } };
    return mw_process_madvise(b->space, range, 2, MW_MADV_GUARD_INSTALL, 0, true, NULL);
}

/* shared: pages 10 to 19, of which a few are there, and far off, in tables of their own */
static void shared_row(struct bench *b)
{
    draw(b, "aa........ssssssssss");
    write_pages(b, 12, 5);
    mw_mmap(b->space, at(b, 500), 90 * b->page, RW_, MW_MAP_SHARED | MW_MAP_FIXED, &b->file, 0, NULL);
    write_pages(b, 505, 20);
}

static int64_t remap_pages(struct bench *b)
{
    return mw_remap_file_pages(b->space, at(b, 13), 4 * b->page, 0, 2, 0, NULL);
}

static int64_t remap_pages_far(struct bench *b)
{
    return mw_remap_file_pages(b->space, at(b, 508), 30 * b->page, 0, 30, MW_MAP_NONBLOCK, NULL);
}

static int64_t lock_middle(struct bench *b)
{
    return mw_mlock(b->space, at(b, 1), 3 * b->page, NULL);
}

static int64_t lock_onfault(struct bench *b)
{
    return mw_mlock2(b->space, at(b, 20), 3 * b->page, MW_MLOCK_ONFAULT, NULL);
}

static int64_t lock_files(struct bench *b)
{
    return mw_mlock(b->space, at(b, 20), 6 * b->page, NULL);
}

static int64_t unlock_middle(struct bench *b)
{
    return mw_munlock(b->space, at(b, 1), 2 * b->page, NULL);
}

static int64_t lock_all(struct bench *b)
{
    return mw_mlockall(b->space, MW_MCL_CURRENT | MW_MCL_FUTURE, NULL);
}

static int64_t seal_middle(struct bench *b)
{
    return mw_mseal(b->space, at(b, 1), 3 * b->page, 0, NULL);
}

static void named(struct bench *b)
{
    char text[16];
    draw(b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    for (int i = 0; i < 16; i++) {
        snprintf(text, sizeof text, "name %d", i);
        assert_int_equal(mw_name(b->space, at(b, 2 * i), b->page, text, NULL), 0);
    }
}

static int64_t name_middle(struct bench *b)
{
    return mw_name(b->space, at(b, 1), 3 * b->page, "a name", NULL);
}

static int64_t name_many(struct bench *b)
{
    return mw_name(b->space, at(b, 10), 200 * b->page, "a name", NULL);
}

static int64_t fork_named(struct bench *b)
{
    struct mw_space *heir;
    int err = mw_fork(b->space, b->config.id, &heir, NULL);
    if (err == 0)
        mw_space_destroy(heir);
    return err;
}

static int64_t seal_many(struct bench *b)
{
    return mw_mseal(b->space, at(b, 10), 200 * b->page, 0, NULL);
}

static int64_t import_marks_many(struct bench *b)
{
    return mw_import_flags(b->space, at(b, 10), at(b, 200), 0, MW_VM_DONTDUMP, false);
}

/* ---- watchers ---- */

static struct mw_watcher *watcher;
static unsigned char filling[4096] = { 1, 2, 3 };

/* page 0..9 private, 10..19 shared, 20.. untouched; every second page of 0..9 is there */
static void watched(struct bench *b)
{
    draw(b, "aaaaaaaaaassssssssss");
    for (int64_t i = 0; i < 10; i += 2)
        poke(b, at(b, i), 1);
    poke(b, at(b, 18), 1);
    mw_watch_create(b->space, MW_UFFD_FEATURE_EVENT_FORK | MW_UFFD_FEATURE_WP_UNPOPULATED, NULL, NULL, &watcher, NULL);
    mw_watch_register(watcher, at(b, 0), 20 * b->page, MW_UFFD_MODE_MISSING | MW_UFFD_MODE_WP, NULL, NULL);
}

/* the same a table further on, where none is yet */
static void watched_far(struct bench *b)
{
    watched(b);
    remap(b, 10, 10, 10, FIX_, 600);
    mw_madvise(b->space, at(b, 600), 10 * b->page, MW_MADV_DONTNEED, NULL);
    mw_watch_register(watcher, at(b, 600), 10 * b->page, MW_UFFD_MODE_MISSING | MW_UFFD_MODE_WP, NULL, NULL);
}

static int64_t watch_create(struct bench *b)
{
    struct mw_watcher *w;
    return mw_watch_create(b->space, 0, NULL, NULL, &w, NULL);
}
static int64_t watch_register(struct bench *b)
{
    struct mw_watcher *w = watcher;
    return mw_watch_register(w, at(b, 4), 200 * b->page, MW_UFFD_MODE_MISSING, NULL, NULL);
}
static void many_watched(struct bench *b)
{
    many(b);
    mw_watch_create(b->space, 0, NULL, NULL, &watcher, NULL);
}
static void forked_watched(struct bench *b)
{
    forked(b);
    mw_watch_create(b->space, 0, NULL, NULL, &watcher, NULL);
}
static int64_t watch_unregister(struct bench *b) { return mw_watch_unregister(watcher, at(b, 3), 3 * b->page, NULL); }
static int64_t watch_copy(struct bench *b) { return mw_watch_copy(watcher, at(b, 3), filling, b->page, 0, NULL); }
static int64_t watch_copy_shared(struct bench *b) { return mw_watch_copy(watcher, at(b, 603), filling, b->page, 0, NULL); }
static int64_t watch_zero_shared(struct bench *b) { return mw_watch_zeropage(watcher, at(b, 603), b->page, 0, NULL); }
static int64_t watch_continue(struct bench *b) { return mw_watch_continue(watcher, at(b, 608), b->page, 0, NULL); }
static int64_t watch_poison(struct bench *b) { return mw_watch_poison(watcher, at(b, 603), b->page, 0, NULL); }
static int64_t watch_move(struct bench *b) { return mw_watch_move(watcher, at(b, 3), at(b, 4), b->page, 0, NULL); }
static int64_t watch_protect(struct bench *b)
{
    return mw_watch_writeprotect(watcher, at(b, 600), 10 * b->page, MW_UFFD_WRITEPROTECT_MODE_WP, NULL);
}
static int64_t watch_marked(struct bench *b) { return fault(b, 603, MW_ACCESS_READ); }
static void marked(struct bench *b)
{
    watched_far(b);
    mw_watch_unregister(watcher, at(b, 600), 10 * b->page, NULL);
    mw_watch_register(watcher, at(b, 600), 10 * b->page, MW_UFFD_MODE_WP, NULL, NULL);
    watch_protect(b);
}
static int64_t watch_fork(struct bench *b)
{
    struct mw_space *heir;
    int64_t r = mw_fork(b->space, b->config.id, &heir, NULL);
    if (r == 0)
        mw_space_destroy(heir);
    return r;
}

/* copies of a file's pages in a table that a child has too */
static void forked_file(struct bench *b)
{
    assert_true(mw_mmap(b->space, at(b, 0), 1400 * b->page, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED, &b->file, 0, NULL) > 0);
    write_pages(b, 0, 64);
    assert_int_equal(mw_fork(b->space, 77, &child, NULL), 0);
}

static int64_t truncate_file(struct bench *b) { return mw_object_truncate(b->object, 10 * b->page); }

static void segment_row(struct bench *b)
{
    plain_row(b);
    b->object->flags |= MW_OBJ_SHM;
}

static void attached_row(struct bench *b)
{
    segment_row(b);
    mw_shmat(b->space, &b->file, at(b, 100), 0, NULL);
    write_pages(b, 110, 2);
    mw_mprotect(b->space, at(b, 110), b->page, RO_, NULL);
}

static int64_t shmat_free(struct bench *b) { return mw_shmat(b->space, &b->file, at(b, 100), 0, NULL); }
static int64_t shmat_over(struct bench *b)
{
    return mw_shmat(b->space, &b->file, at(b, 1), MW_SHM_REMAP, NULL);
}
static int64_t shmat_chosen(struct bench *b) { return mw_shmat(b->space, &b->file, 0, MW_SHM_RDONLY, NULL); }
static int64_t shmdt_all(struct bench *b) { return mw_shmdt(b->space, at(b, 100), NULL); }
static int64_t move_segment(struct bench *b) { return remap(b, 105, 2, 2, FIX_, 500); }

#define STEP(prepare, call) { #call " after " #prepare, prepare, call, false }
#define PARTIAL(prepare, call) { #call " after " #prepare, prepare, call, true }

static const struct step steps[] = {
    STEP(nothing, mmap_free), STEP(plain_row, mmap_free), STEP(plain_row, mmap_middle),
    STEP(many, mmap_many), STEP(plain_row, mmap_merging), STEP(plain_row, mmap_shared),
    STEP(plain_row, mmap_file), STEP(plain_row, mmap_populate), STEP(plain_row, mmap_locked),
    STEP(plain_row, mmap_chosen), STEP(many, mmap_middle), STEP(many, mmap_chosen),
    STEP(plain_row, munmap_middle), STEP(plain_row, munmap_head), STEP(plain_row, munmap_span),
    STEP(many, munmap_many), STEP(many, munmap_middle), STEP(wide, munmap_middle),
    STEP(plain_row, mprotect_middle), STEP(plain_row, mprotect_whole),
    STEP(many, mprotect_many), STEP(wide, mprotect_middle),
    STEP(plain_row, brk_fresh), STEP(grown_heap, brk_grow), STEP(grown_heap, brk_shrink),
    STEP(plain_row, shrink_tail), STEP(plain_row, shrink_middle), STEP(plain_row, shrink_fixed),
    STEP(plain_row, grow_place), STEP(plain_row, grow_moved), STEP(plain_row, grow_part),
    STEP(plain_row, move_whole), STEP(plain_row, move_middle), STEP(plain_row, move_onto),
    STEP(plain_row, move_onto_self), STEP(plain_row, move_grow), STEP(plain_row, move_file),
    STEP(wide, move_wide), STEP(wide, move_middle), STEP(wide, grow_part),
    STEP(plain_row, move_dontunmap), STEP(plain_row, move_duplicate),
    PARTIAL(plain_row, move_several), STEP(locked_row, locked_grow),
    STEP(locked_row, locked_move),
    STEP(many, fault_write), STEP(plain_row, fault_read), STEP(many, fault_far),
    STEP(plain_row, fault_copy), STEP(plain_row, fault_file), STEP(plain_row, fault_cow),
    PARTIAL(stack, fault_stack), STEP(plain_row, one_write), STEP(plain_row, import_one),
    STEP(plain_row, import_marks), STEP(many, import_marks_many),
    STEP(plain_row, advise_mark), STEP(many, advise_mark), STEP(many, advise_marks_many),
    STEP(plain_row, advise_ranges), STEP(many, advise_ranges), PARTIAL(wide, guard_ranges),
    STEP(shared_row, remap_pages), STEP(shared_row, remap_pages_far),
    STEP(plain_row, advise_drop), STEP(wide, advise_drop), PARTIAL(plain_row, advise_remove),
    PARTIAL(plain_row, advise_populate), PARTIAL(plain_row, advise_guard),
    PARTIAL(wide, advise_guard_wide), PARTIAL(plain_row, lock_middle),
    STEP(plain_row, lock_onfault), PARTIAL(plain_row, lock_files),
    STEP(locked_row, unlock_middle), STEP(plain_row, lock_all), STEP(many, lock_all),
    STEP(watched, watch_create), PARTIAL(forked_watched, watch_register), STEP(many_watched, watch_register), STEP(watched, watch_unregister),
    STEP(watched, watch_copy), STEP(watched_far, watch_copy_shared), STEP(watched_far, watch_zero_shared),
    STEP(watched_far, watch_continue), STEP(watched_far, watch_poison), STEP(watched, watch_move),
    PARTIAL(watched_far, watch_protect), STEP(marked, watch_marked), PARTIAL(watched, watch_fork),
    PARTIAL(marked, watch_fork),
    STEP(forked, munmap_middle), STEP(forked, munmap_span), STEP(forked, mmap_middle), STEP(forked, mprotect_middle),
    STEP(forked, move_middle), STEP(forked, move_onto), STEP(forked, move_wide), STEP(forked, shrink_middle),
    STEP(forked, move_strictly),
    STEP(forked, advise_drop), PARTIAL(forked, advise_guard), STEP(forked, fault_write), STEP(forked, mirror_middle),
    STEP(forked, import_marks),
    STEP(named, name_middle), STEP(plain_row, name_middle), STEP(many, name_many),
    STEP(named, fork_named), STEP(plain_row, seal_middle), STEP(many, seal_middle), STEP(many, seal_many),
    STEP(forked_file, truncate_file), STEP(plain_row, truncate_file),
    STEP(segment_row, shmat_free), STEP(segment_row, shmat_over), STEP(segment_row, shmat_chosen),
    STEP(attached_row, shmat_chosen), STEP(attached_row, shmdt_all), STEP(attached_row, move_segment),
};
enum { STEPS = sizeof steps / sizeof steps[0] };

static void engine_memory_once(void **state)
{
    long failures = 0;
    (void)state;
    for (size_t i = 0; i < STEPS; i++)
        failures += engine_memory(&steps[i], false);
    assert_true(failures >= 10); /* the loop has met real allocations */
}

static void engine_memory_for_ever(void **state)
{
    long failures = 0;
    (void)state;
    for (size_t i = 0; i < STEPS; i++)
        failures += engine_memory(&steps[i], true);
    assert_true(failures >= 10);
}

static void few_frames(void **state)
{
    long failures = 0;
    (void)state;
    for (size_t i = 0; i < STEPS; i++)
        failures += frames_left(&steps[i]);
    assert_true(failures >= 20);
}

/* Creation: NULL memory at each point leaves nothing behind. */
static void creation(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct bench b;
        struct mw_space *space;
        struct mw_object *object;
        struct mw_frames *frames;
        unsigned char *more = aligned_alloc(4096, 8 * 4096);
        bench_config(&b, 12, 64);
        b.fail_in = n;
        b.failed = false;
        int err = mw_frames_create(&b.port, more, 8 * 4096, 12, &frames);
        if (err == 0) {
            err = mw_object_create(&b.port, frames, NULL, NULL, 4096, 0, &object);
            if (err == 0) {
                err = mw_space_create(&b.config, &space);
                if (err == 0)
                    mw_space_destroy(space);
                mw_object_put(object);
            }
            assert_int_equal(mw_frames_destroy(frames), 0);
        }
        bool failed = b.failed;
        b.fail_in = 0;
        assert_int_equal(err, failed ? -MW_ENOMEM : 0);
        bench_close(&b);
        free(more);
        if (!failed) {
            assert_true(n > 2);
            break;
        }
    }
}

/* A pool without a frame left: no space. */
static void creation_without_frames(void **state)
{
    struct mw_space *space[64];
    size_t n = 0;
    struct bench b;
    (void)state;
    bench_config(&b, 12, 16);
    while (mw_space_create(&b.config, &space[n]) == 0)
        n++;
    assert_true(n > 0 && n < 16);
    assert_int_equal(mw_space_create(&b.config, &space[n]), -MW_ENOMEM);
    while (n > 0)
        mw_space_destroy(space[--n]);
    bench_close(&b);
}

/* Reading and writing through a pool that runs dry stops where it must, and goes on later. */
static void pool_runs_dry(void **state)
{
    static unsigned char in[40 * 4096], out[40 * 4096];
    enum mw_fault_result why;
    struct bench b;
    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i >> 4);
    bench_config(&b, 12, 32);
    bench_open(&b);
    mw_mmap(b.space, at(&b, 0), sizeof in, RW_, FIXED_, NULL, 0, NULL);
    uint64_t n = mw_write(b.space, at(&b, 0), in, sizeof in, &why);
    assert_int_equal(why, MW_FAULT_OOM);
    assert_true(n > 10 * 4096 && n < 32 * 4096 && n % 4096 == 0);
    assert_int_equal(mw_check(b.space, NULL), 0);
    assert_int_equal(mw_read(b.space, at(&b, 0), out, n, NULL), n);
    assert_memory_equal(in, out, n);
    mw_munmap(b.space, at(&b, 0), 10 * 4096, NULL);
    assert_int_equal(mw_write(b.space, at(&b, 0) + n, in, 5 * 4096, NULL), 5 * 4096);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_memory_once), cmocka_unit_test(engine_memory_for_ever),
        cmocka_unit_test(few_frames), cmocka_unit_test(creation),
        cmocka_unit_test(creation_without_frames), cmocka_unit_test(pool_runs_dry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
