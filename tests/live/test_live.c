/* SPDX-License-Identifier: MIT */
/*
 * test_live.c - the live space: its calls, what a refusal of the host leaves
 * (nothing), fork, threads that use the memory meanwhile, and all of it under
 * random calls against a model.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mapwright/live.h"

#define PAGE 4096ull
#define MIB (1ull << 20)
#define RW (MW_PROT_READ | MW_PROT_WRITE)
#define ANON (MW_MAP_PRIVATE | MW_MAP_ANONYMOUS)
#define MAY MW_MREMAP_MAYMOVE
#define FIX (MAY | MW_MREMAP_FIXED)
#define MIRROR (MAY | MW_MREMAP_MIRROR)

static bool shortened; /* where each instruction is emulated */
static int rounds(int n) { return shortened ? n / 50 : n; }

/* ---- helpers ------------------------------------------------------------------------------ */

static struct mw_live *start_with(uint64_t size, enum mw_live_fork fork, enum mw_live_memory memory)
{
    struct mw_live_config c = { .size = size, .fork = fork, .private_memory = memory };
    struct mw_live *live = NULL;
    assert_int_equal(mw_live_create(&c, &live), 0);
    return live;
}

static struct mw_live *start(uint64_t size, enum mw_live_fork fork)
{
    return start_with(size, fork, MW_LIVE_PRIVATE_POOL);
}

static void sound(struct mw_live *live)
{
    const char *bad = mw_live_check(live);
    if (bad)
        fail_msg("unsound: %s", bad);
}

static void stop(struct mw_live *live)
{
    sound(live);
    mw_live_destroy(live);
}

static char *map(struct mw_live *live, void *at, uint64_t n)
{
    int64_t r = mw_live_mmap(live, at, n, RW, ANON | (at ? MW_MAP_FIXED : 0), NULL);
    assert_true(r > 0);
    return (char *)(uintptr_t)r;
}

static char *move(struct mw_live *live, void *old, uint64_t n, uint64_t m, uint64_t flags, void *to)
{
    struct mw_why why;
    char text[200];
    int64_t r = mw_live_mremap(live, old, n, m, flags, to, &why);
    if (r <= 0) {
        mw_why_text(&why, text, sizeof text);
        fail_msg("mremap: %s: %s", mw_errno_name((int)-r), text);
    }
    return (char *)(uintptr_t)r;
}

static uint64_t held(struct mw_live *live)
{
    struct mw_live_stats s;
    mw_live_stats(live, &s);
    return s.held;
}

static long minor_faults(void)
{
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_minflt;
}

/* Does this host move the page tables of shared memory, and leave it? Not before Linux 5.13. */
static bool leaves_shared(void)
{
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *q = mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, NULL);
    munmap(p, PAGE);
    if (q != MAP_FAILED)
        munmap(q, PAGE);
    return q != MAP_FAILED;
}

/* Has each page its number? A sanitizer's own memory is not touched, for the faults are counted. */
__attribute__((noinline, no_sanitize("address", "thread")))
static bool is_numbered(const char *p, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += PAGE)
        if (p[i] != (char)(i >> 12))
            return false;
    return true;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* LIVE-1, LIVE-5 */
static void calls(void **state)
{
    struct mw_live *live = start_with(64 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    struct mw_range range = mw_live_range(live);
    char *p = map(live, NULL, 5 * PAGE);
    assert_true((uintptr_t)p >= range.start && (uintptr_t)p < range.end);
    memset(p, 7, 5 * PAGE);
    assert_int_equal(p[4 * PAGE], 7);
    assert_int_equal(signal_of(p + 5 * PAGE - 2 * 5 * PAGE, false), SIGSEGV);
    assert_int_equal(mw_live_mprotect(live, p + PAGE, PAGE, MW_PROT_READ, NULL), 0);
    assert_int_equal(signal_of(p + PAGE, true), SIGSEGV);
    assert_int_equal(signal_of(p + PAGE, false), 0);
    assert_int_equal(mw_live_mprotect(live, p, 5 * PAGE, RW, NULL), 0);
    sound(live);
    assert_int_equal(mw_live_munmap(live, p + 2 * PAGE, PAGE, NULL), 0);
    assert_int_equal(signal_of(p + 2 * PAGE, false), SIGSEGV);
    assert_int_equal(p[PAGE] + p[3 * PAGE], 14);
    assert_int_equal(held(live), 4 * PAGE);
    sound(live);
    assert_int_equal(mw_live_munmap(live, p, 5 * PAGE, NULL), 0);
    assert_int_equal(held(live), 0);
    stop(live);
}

/* LIVE-3: what DONTUNMAP leaves is empty */
static void resizes_and_moves(void **state)
{
    struct mw_live *live = start_with(256 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    char *base = (char *)(uintptr_t)mw_live_range(live).start;
    char *p = map(live, base, 2 * PAGE);
    strcpy(p, "first");
    strcpy(p + PAGE, "second");
    assert_ptr_equal(move(live, p, 2 * PAGE, 4 * PAGE, 0, NULL), p); /* in place */
    assert_int_equal(p[3 * PAGE], 0);
    strcpy(p + 3 * PAGE, "grown");
    map(live, base + 4 * PAGE, PAGE);
    char *q = move(live, p, 4 * PAGE, 8 * PAGE, MAY, NULL); /* by moving */
    assert_true(q != p);
    assert_string_equal(q, "first");
    assert_string_equal(q + 3 * PAGE, "grown");
    assert_int_equal(signal_of(p, false), SIGSEGV);
    q = move(live, q, 8 * PAGE, PAGE, 0, NULL); /* shrunk */
    assert_int_equal(signal_of(q + PAGE, false), SIGSEGV);
    assert_int_equal(held(live), PAGE);
    char *r = move(live, q, PAGE, PAGE, FIX | MW_MREMAP_DONTUNMAP, base + 64 * PAGE);
    assert_string_equal(r, "first");
    assert_int_equal(q[0], 0); /* what stays is empty, */
    q[0] = 'x';                /* and apart */
    assert_string_equal(r, "first");
    sound(live);
    /* large: the host's page tables go along */
    char *big = map(live, base + 64 * MIB, 8 * MIB);
    for (uint64_t i = 0; i < 8 * MIB; i += PAGE)
        big[i] = (char)(i >> 12);
    char *to = move(live, big, 8 * MIB, 8 * MIB, FIX, base + 128 * MIB);
    long before = minor_faults();
    assert_true(is_numbered(to, 8 * MIB));
    if (*(enum mw_live_memory *)*state == MW_LIVE_PRIVATE_KERNEL || leaves_shared())
        assert_in_range(minor_faults() - before, 0, 40); /* of 2048 pages */
    sound(live);
    /* several mappings with their gaps */
    map(live, base + 160 * MIB, PAGE)[0] = 1;
    map(live, base + 160 * MIB + 2 * PAGE, PAGE)[0] = 2;
    assert_int_equal(mw_live_mprotect(live, base + 160 * MIB + 2 * PAGE, PAGE, MW_PROT_READ, NULL), 0);
    move(live, base + 160 * MIB, 3 * PAGE, 3 * PAGE, FIX, base + 170 * MIB);
    assert_int_equal(base[170 * MIB] + base[170 * MIB + 2 * PAGE], 3);
    assert_int_equal(signal_of(base + 170 * MIB + PAGE, false), SIGSEGV);
    assert_int_equal(signal_of(base + 170 * MIB + 2 * PAGE, true), SIGSEGV);
    stop(live);
}

/* LIVE-3, LIVE-5 */
static void mirrors(void **state)
{
    struct mw_live *live = start_with(64 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    char *p = map(live, NULL, 8 * PAGE);
    strcpy(p, "here");
    char *q = move(live, p, 8 * PAGE, 8 * PAGE, MIRROR, NULL);
    assert_true(q != p);
    assert_string_equal(q, "here");
    strcpy(q + 5 * PAGE, "there");
    assert_string_equal(p + 5 * PAGE, "there");
    char *r = move(live, q + 4 * PAGE, 2 * PAGE, 2 * PAGE, MIRROR, NULL); /* of a mirror */
    assert_string_equal(r + PAGE, "there");
    uint64_t before = held(live);
    assert_int_equal(mw_live_munmap(live, p, 8 * PAGE, NULL), 0);
    assert_string_equal(q, "here");
    assert_int_equal(held(live), before);
    assert_int_equal(mw_live_munmap(live, q, 8 * PAGE, NULL), 0);
    assert_string_equal(r + PAGE, "there");
    assert_int_equal(held(live), PAGE);
    assert_int_equal(mw_live_discard(live, r, 2 * PAGE), 0);
    assert_int_equal(held(live), 0);
    assert_int_equal(r[PAGE], 0);
    stop(live);
}

/* LIVE-1, LIVE-2 */
static void refusals(void **state)
{
    (void)state;
    struct mw_live *live = start(4 * MIB, MW_LIVE_FORK_SHARE);
    struct mw_range range = mw_live_range(live);
    char *base = (char *)(uintptr_t)range.start;
    char *p = map(live, base, 2 * PAGE);
    assert_int_equal(mw_live_mmap(live, NULL, 8 * MIB, RW, ANON, NULL), -ENOMEM);
    assert_int_equal(mw_live_mmap(live, NULL, 0, RW, ANON, NULL), -EINVAL);
    assert_int_equal(mw_live_mmap(live, NULL, PAGE, RW, ANON | MW_MAP_GROWSDOWN, NULL), -EOPNOTSUPP);
    assert_int_equal(mw_live_mmap(live, base + 4 * MIB, PAGE, RW, ANON | MW_MAP_FIXED, NULL), -EINVAL);
    assert_int_equal(mw_live_mmap(live, base, PAGE, RW, ANON | MW_MAP_FIXED_NOREPLACE, NULL), -EEXIST);
    assert_int_equal(mw_live_mmap(live, NULL, ~0ull, RW, ANON, NULL), -ENOMEM);
    assert_int_equal(mw_live_munmap(live, base + 1, PAGE, NULL), -EINVAL);
    assert_int_equal(mw_live_munmap(live, base - PAGE, PAGE, NULL), -EINVAL);
    assert_int_equal(mw_live_mprotect(live, p, 3 * PAGE, MW_PROT_READ, NULL), -ENOMEM); /* a hole: */
    p[0] = 1;                                                                          /* undone */
    assert_int_equal(mw_live_mprotect(live, p, PAGE, 1ull << 40, NULL), -EINVAL);
    assert_int_equal(mw_live_mremap(live, p + 8 * PAGE, PAGE, PAGE, MAY, NULL, NULL), -EFAULT);
    assert_int_equal(mw_live_mremap(live, p, PAGE, 5 * MIB, MAY, NULL, NULL), -ENOMEM);
    assert_int_equal(mw_live_mremap(live, p, PAGE, PAGE, FIX, base + 8 * MIB, NULL), -EINVAL);
    assert_int_equal(mw_live_discard(live, p, 4 * PAGE), -ENOMEM);
    struct mw_live_config bad = { 0 };
    struct mw_live *none = NULL;
    assert_int_equal(mw_live_create(&bad, &none), -EINVAL);
    while (mw_live_mmap(live, NULL, 64 * PAGE, RW, ANON, NULL) > 0) /* until the range is full */
        ;
    stop(live);
}

/* LIVE-3, LIVE-7: a private mapping's pages are its own, a shared one's the file's */
static void files(void **state)
{
    struct mw_live *live = start_with(64 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    char *base = (char *)(uintptr_t)mw_live_range(live).start;
    int fd = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(pwrite(fd, "first", 5, 0), 5);
    assert_int_equal(pwrite(fd, "third", 5, 2 * PAGE), 5);
    char *p = (char *)(uintptr_t)mw_live_mmap_file(live, base, 3 * PAGE, RW, MW_MAP_PRIVATE | MW_MAP_FIXED, fd, 0, NULL);
    char *s = (char *)(uintptr_t)mw_live_mmap_file(live, NULL, 3 * PAGE, RW, MW_MAP_SHARED, fd, 0, NULL);
    assert_ptr_equal(p, base);
    p[PAGE] = 'o';
    s[PAGE] = 's';
    assert_int_equal(p[PAGE], 'o');
    sound(live);
    char *q = move(live, p, 3 * PAGE, 3 * PAGE, FIX, base + 100 * PAGE);
    assert_int_equal(q[PAGE], 'o');
    assert_string_equal(q + 2 * PAGE, "third");
    p = move(live, q, 3 * PAGE, 3 * PAGE, FIX | MW_MREMAP_DONTUNMAP, base);
    assert_int_equal(q[PAGE], 's'); /* what stays is the file's */
    assert_int_equal(p[PAGE], 'o');
    sound(live);
    char *again = move(live, s, 0, 2 * PAGE, MAY, NULL); /* old size 0 */
    again[1] = 'I';
    assert_string_equal(s, "fIrst");
    char *m = move(live, p, 2 * PAGE, 2 * PAGE, MIRROR, NULL); /* becomes memory */
    m[PAGE] = 'm';
    assert_int_equal(p[PAGE], 'm');
    assert_string_equal(m, "fIrst");
    assert_int_equal(mw_live_discard(live, p + 2 * PAGE, PAGE), 0);
    assert_string_equal(p + 2 * PAGE, "third");
    sound(live);
    close(fd);
    p = move(live, s, 3 * PAGE, 4 * PAGE, MAY, NULL); /* grows, the descriptor closed long since */
    assert_int_equal(signal_of(p + 3 * PAGE, false), SIGBUS);
    int reading = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(mw_live_mmap_file(live, NULL, PAGE, RW, MW_MAP_SHARED, reading, 0, NULL), -EACCES);
    assert_int_equal(mw_live_mmap_file(live, NULL, PAGE, MW_PROT_READ, MW_MAP_PRIVATE, reading, 1, NULL), -EINVAL);
    assert_int_equal(mw_live_mmap_file(live, NULL, PAGE, MW_PROT_READ, MW_MAP_PRIVATE, 999, 0, NULL), -EBADF);
    int tube[2];
    assert_int_equal(pipe(tube), 0);
    assert_int_equal(mw_live_mmap_file(live, NULL, PAGE, MW_PROT_READ, MW_MAP_PRIVATE, tube[0], 0, NULL), -ENODEV);
    close(tube[0]);
    close(tube[1]);
    close(reading);
    unsigned open_now = open_files();
    assert_int_equal(mw_live_munmap(live, base, 64 * MIB, NULL), 0);
    assert_int_equal(open_files(), open_now - 2); /* let go with their last mapping */
    stop(live);
}

/* LIVE-8: where a large mapping has to move its page tables can go along; a filled mirror has its entries */
static void placed_well(void **state)
{
    struct mw_live *live = start_with(4096 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    struct mw_live_stats stats;
    char *p = map(live, NULL, 6 * MIB), *wall = map(live, NULL, PAGE);
    p[0] = 1;
    for (uint64_t size = 6 * MIB; size < 200 * MIB; size = size * 3 / 2 & ~(PAGE - 1)) {
        char *q = move(live, p, size, size * 3 / 2 & ~(PAGE - 1), MAY, NULL);
        assert_int_equal(((uintptr_t)q ^ (uintptr_t)p) & (2 * MIB - 1), 0);
        p = q;
        wall = map(live, NULL, PAGE);
    }
    assert_int_equal(p[0], 1);
    assert_int_equal(wall[0], 0);
    int64_t r = mw_live_mmap(live, NULL, 1024 * MIB, RW, ANON | MW_MAP_NORESERVE, NULL);
    assert_true(r > 0);
    char *big = (char *)(uintptr_t)r;
    big[77] = 7;
    map(live, big + 1024 * MIB, PAGE); /* no growing in place */
    char *to = move(live, big, 1024 * MIB, 1026 * MIB, MAY, NULL);
    assert_int_equal(to[77], 7);
    assert_int_equal(((uintptr_t)to ^ (uintptr_t)big) & (1024 * MIB - 1), 0);
    char *m = move(live, to, 4 * MIB, 4 * MIB, MIRROR | MW_LIVE_FILL, NULL);
    unsigned char there[1024];
    uint64_t before = held(live);
    assert_int_equal(mincore(m, 4 * MIB, there), 0);
    assert_int_equal(there[0] & 1, 1);
    assert_int_equal(m[77], 7);
    assert_int_equal(held(live), before); /* nothing is made where nothing was */
    mw_live_stats(live, &stats);
    assert_int_equal(stats.aliased, 4 * MIB);
    assert_true(stats.host_used > 5 && stats.host_left > 1000);
    stop(live);
}

static int child_of(int (*check)(struct mw_live *, char *, char *), struct mw_live *live, char *p, char *q);

/* VmLck, bytes */
static uint64_t locked(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    unsigned long long kib = 0;
    char line[256];
    while (fgets(line, sizeof line, f))
        sscanf(line, "VmLck: %llu", &kib);
    fclose(f);
    return kib << 10;
}

/* LIVE-10: locks stay with what moves, and are all or nothing */
static void locks(void **state)
{
    struct mw_live *live = start_with(64 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    char *base = (char *)(uintptr_t)mw_live_range(live).start, *p = map(live, base, 8 * PAGE);
    uint64_t none = locked();
    unsigned char there[16];
    assert_int_equal(mw_live_mlock(live, p + PAGE, 2 * PAGE, 0, NULL), 0);
    assert_int_equal(locked() - none, 2 * PAGE);
    assert_int_equal(mw_live_mincore(live, p, 4 * PAGE, there), 0);
    assert_int_equal((there[0] & 1) | (there[1] & 1) << 1 | (there[2] & 1) << 2 | (there[3] & 1) << 3, 6);
    assert_int_equal(mw_live_mlock(live, p + 4 * PAGE, 2 * PAGE, MW_MLOCK_ONFAULT, NULL), 0);
    assert_int_equal(locked() - none, 4 * PAGE);
    char *q = move(live, p + PAGE, 2 * PAGE, 2 * PAGE, FIX, base + 100 * PAGE);
    assert_int_equal(locked() - none, 4 * PAGE);
    q = move(live, q, 2 * PAGE, 3 * PAGE, MAY, NULL); /* what it grows by is locked as well */
    assert_int_equal(locked() - none, 5 * PAGE);
    q = move(live, q, 3 * PAGE, 3 * PAGE, FIX | MW_MREMAP_DONTUNMAP, base + 200 * PAGE);
    assert_int_equal(locked() - none, 5 * PAGE);
    sound(live);
    assert_int_equal(mw_live_madvise(live, q, PAGE, MW_MADV_DONTNEED, NULL), -EINVAL);
    assert_int_equal(mw_live_mlock(live, p + 6 * PAGE, 4 * PAGE, 0, NULL), -ENOMEM); /* a hole */
    assert_int_equal(locked() - none, 5 * PAGE);
    fail_from(0, EAGAIN, false);
    assert_int_equal(mw_live_mlock(live, p + 6 * PAGE, PAGE, 0, NULL), -EAGAIN);
    fail_never();
    assert_int_equal(mw_live_munlock(live, q, 2 * PAGE, NULL), 0);
    assert_int_equal(locked() - none, 3 * PAGE);
    int64_t r = mw_live_mmap(live, NULL, 4 * PAGE, RW, ANON | MW_MAP_LOCKED, NULL);
    assert_true(r > 0);
    assert_int_equal(locked() - none, 7 * PAGE);
    assert_int_equal(mw_live_mlock(live, p, PAGE, 2, NULL), -EINVAL);
    assert_int_equal(mw_live_munmap(live, base, 64 * MIB, NULL), 0);
    assert_int_equal(locked(), none);
    stop(live);
}

static int child_without(struct mw_live *live, char *p, char *q)
{
    if (signal_of(p + PAGE, false) != SIGSEGV || p[0] != 'a' || q[0] != 'b' || mw_live_check(live))
        return 1;
    return map(live, p + PAGE, PAGE)[0] == 0 && mw_live_check(live) == NULL ? 0 : 2;
}

/* LIVE-10 */
static void advice(void **state)
{
    struct mw_live *live = start_with(64 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    char *base = (char *)(uintptr_t)mw_live_range(live).start, *p = map(live, base, 8 * PAGE);
    int64_t r = mw_live_mmap(live, NULL, 4 * PAGE, RW, MW_MAP_SHARED | MW_MAP_ANONYMOUS, NULL);
    char *s = (char *)(uintptr_t)r;
    struct mw_live_stats stats;
    memset(p, 'a', 8 * PAGE);
    memset(s, 's', 4 * PAGE);
    assert_int_equal(held(live), 12 * PAGE);
    assert_int_equal(mw_live_madvise(live, p + PAGE, 2 * PAGE, MW_MADV_DONTNEED, NULL), 0);
    assert_int_equal(p[PAGE] + p[3 * PAGE], 'a');
    assert_int_equal(mw_live_madvise(live, s, 2 * PAGE, MW_MADV_DONTNEED, NULL), 0);
    assert_int_equal(s[0], 's'); /* shared memory keeps its pages, */
    assert_int_equal(mw_live_madvise(live, s, 2 * PAGE, MW_MADV_REMOVE, NULL), 0);
    assert_int_equal(s[0] + s[PAGE], 0); /* until they are removed */
    assert_int_equal(mw_live_madvise(live, s, PAGE, MW_MADV_FREE, NULL), -EINVAL);
    assert_int_equal(mw_live_madvise(live, p + 4 * PAGE, PAGE, MW_MADV_FREE, NULL), 0);
    assert_int_equal(mw_live_madvise(live, p, 9 * PAGE, MW_MADV_DONTNEED, NULL), -ENOMEM);
    assert_int_equal(p[0], 'a'); /* nothing is done before a hole */
    assert_int_equal(mw_live_madvise(live, p, PAGE, MW_MADV_GUARD_INSTALL, NULL), -EINVAL);
    assert_int_equal(mw_live_madvise(live, p + 1, PAGE, MW_MADV_DONTNEED, NULL), -EINVAL);
    assert_int_equal(mw_live_madvise(live, p, 8 * PAGE, MW_MADV_COLD, NULL), 0);
    mw_live_stats(live, &stats);
    assert_int_equal(stats.mappings, 2);
    assert_int_equal(mw_live_madvise(live, p + 3 * PAGE, PAGE, MW_MADV_DONTFORK, NULL), 0);
    mw_live_stats(live, &stats);
    assert_int_equal(stats.mappings, 4);
    fail_from(0, ENOMEM, false);
    assert_int_equal(mw_live_madvise(live, p + 5 * PAGE, PAGE, MW_MADV_DONTDUMP, NULL), -ENOMEM);
    fail_never();
    mw_live_stats(live, &stats);
    assert_int_equal(stats.mappings, 4);
    /* it goes along, also where the mapping is made anew */
    char *q = move(live, p + 2 * PAGE, 3 * PAGE, 3 * PAGE, FIX, base + 64 * PAGE);
    strcpy(q, "a");
    strcpy(p, "b");
    assert_int_equal(child_of(child_without, live, q, p), 0);
    sound(live);
    assert_int_equal(mw_live_msync(live, q, 3 * PAGE, MW_MS_SYNC, NULL), 0);
    assert_int_equal(mw_live_msync(live, q, 4 * PAGE, MW_MS_SYNC, NULL), -ENOMEM);
    assert_int_equal(mw_live_msync(live, q, PAGE, MW_MS_SYNC | MW_MS_ASYNC, NULL), -EINVAL);
    unsigned char there[4];
    assert_int_equal(mw_live_mincore(live, q, 4 * PAGE, there), -ENOMEM);
    stop(live);
}

static long huge_pages(long n)
{
    FILE *f = fopen("/proc/sys/vm/nr_hugepages", "r+");
    long old = -1, now = -1;
    if (!f || fscanf(f, "%ld", &old) != 1)
        return f ? fclose(f), -1 : -1;
    rewind(f);
    fprintf(f, "%ld", n < 0 ? -n : old + n);
    fclose(f);
    f = fopen("/proc/sys/vm/nr_hugepages", "r");
    if (fscanf(f, "%ld", &now) != 1 || (n > 0 && now < old + n))
        old = -1;
    fclose(f);
    return old;
}

static int child_huge(struct mw_live *live, char *p, char *q)
{
    (void)live;
    if (p[5] != 5 || q[2 * MIB] != 6)
        return 1;
    p[5] = 9;
    return q[5] == 9 ? 0 : 2;
}

/* LIVE-9: huge pages grow and are mirrored; what Linux refuses both */
static void huge(void **state)
{
    (void)state;
    long old = huge_pages(24);
    if (old < 0) {
        print_message("SKIPPED huge: no huge pages can be set aside here\n");
        return;
    }
    struct mw_live *live = start(16384 * MIB, MW_LIVE_FORK_COPY);
    char *base = (char *)(uintptr_t)mw_live_range(live).start;
    uint64_t tlb = ANON | MW_MAP_HUGETLB;
    char *p = (char *)(uintptr_t)mw_live_mmap(live, NULL, 2 * MIB + 1, RW, tlb | 21ull << MW_MAP_HUGE_SHIFT, NULL);
    assert_int_equal((uintptr_t)p & (2 * MIB - 1), 0);
    p[5] = 5;
    p[2 * MIB] = 6;
    p = move(live, p, 4 * MIB, 6 * MIB, MAY, NULL);
    p[4 * MIB] = 7;
    char *q = move(live, p, 6 * MIB, 6 * MIB, MIRROR | MW_LIVE_FILL, NULL);
    assert_int_equal(q[5] + q[2 * MIB] + q[4 * MIB], 18);
    sound(live);
    assert_int_equal(child_of(child_huge, live, p, q), 0);
    assert_int_equal(p[5], 5);
    q = move(live, q, 6 * MIB, 2 * MIB, FIX, base);
    q[5]++;
    assert_int_equal(p[5], 6);
    assert_int_equal(mw_live_munmap(live, q + PAGE, PAGE, NULL), -EINVAL);
    assert_int_equal(mw_live_mmap(live, NULL, MIB, RW, tlb | 16ull << MW_MAP_HUGE_SHIFT, NULL), -EINVAL);
    assert_int_equal(mw_live_mmap(live, base, 8192 * MIB, RW, tlb | MW_MAP_FIXED, NULL), -ENOMEM); /* not so many */
    sound(live);
    assert_int_equal(p[5] + q[5], 12);
    assert_int_equal(held(live), 6 * MIB);
    assert_int_equal(mw_live_munmap(live, base, 16384 * MIB, NULL), 0);
    assert_int_equal(held(live), 0);
    stop(live);
    huge_pages(-old);
}

/* ---- fork ------------------------------------------------------------------------------------- */

static int child_of(int (*check)(struct mw_live *, char *, char *), struct mw_live *live, char *p, char *q)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(check(live, p, q));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static int child_copy(struct mw_live *live, char *p, char *q)
{
    if (p[0] != 1 || q[0] != 1)
        return 1;
    for (char *a = (char *)(uintptr_t)mw_live_range(live).start; a < p + 8 * PAGE; a += PAGE)
        if (signal_of(a, false) == 0 && a[0] == 7)
            a[0] = 8; /* the parent looks for the 7 */
    q[0] = 2; /* its own pair */
    if (p[0] != 2)
        return 2;
    if (mw_live_check(live))
        return 3;
    char *r = map(live, NULL, 3 * PAGE);
    r[0] = 5;
    return mw_live_munmap(live, p, PAGE, NULL) == 0 && q[0] == 2 ? 0 : 4;
}

static int child_share(struct mw_live *live, char *p, char *q)
{
    (void)live;
    p[0] = 3;
    return q[0] == 3 ? 0 : 1;
}

static int child_nothing(struct mw_live *live, char *p, char *q)
{
    if (signal_of(p, false) != SIGSEGV || signal_of(q, false) != SIGSEGV)
        return 1;
    map(live, p, PAGE)[0] = 9;
    return mw_live_check(live) ? 2 : 0;
}

/* LIVE-4 */
static void forks(void **state)
{
    (void)state;
    static int (*const check[])(struct mw_live *, char *, char *) = { child_share, child_copy,
                                                                      child_nothing };
    for (int i = 0; i < 5; i++) {
        int how = i < 3 ? i : i - 2;
        struct mw_live *live = start_with(16 * MIB, (enum mw_live_fork)how,
                                          i < 3 ? MW_LIVE_PRIVATE_POOL : MW_LIVE_PRIVATE_KERNEL);
        char *p = map(live, NULL, 4 * PAGE), *alone = map(live, NULL, PAGE);
        alone[0] = 7;
        char *q = move(live, p, 4 * PAGE, 4 * PAGE, MIRROR, NULL);
        p[0] = 1;
        assert_int_equal(child_of(check[how], live, p, q), 0);
        assert_int_equal(p[0], how == MW_LIVE_FORK_SHARE ? 3 : 1);
        assert_int_equal(q[0], p[0]);
        assert_int_equal(alone[0], 7);
        stop(live);
    }
    struct mw_live_config c = { .size = MIB, .private_memory = MW_LIVE_PRIVATE_KERNEL };
    struct mw_live *none = NULL;
    assert_int_equal(mw_live_create(&c, &none), -EINVAL); /* the kernel's private memory is not shared */
}

/* ---- random calls against a model, the host failing at times -------------------------------------- */

enum { UNITS = 1536, CELLS = 1 << 15, FILE_PAGES = 300 };
enum kind { PRIVATE, SHARED, OF_FILE };

static struct {
    struct mw_live *live;
    char *base;
    int cell[UNITS]; /* 0: nothing there */
    bool writable[UNITS];
    enum kind kind[UNITS];
    int page[UNITS]; /* of the file; -1: may have become memory, after a mirror that failed */
    uint32_t value[CELLS];
    int cells, file;
    uint64_t random;
    unsigned long refused;
} m;

static uint32_t rnd(uint32_t n)
{
    m.random ^= m.random << 13;
    m.random ^= m.random >> 7;
    m.random ^= m.random << 17;
    return (uint32_t)(m.random >> 11) % n;
}

static void pick(int *page, int *n)
{
    *page = (int)rnd(UNITS);
    *n = rnd(3) ? 1 + (int)rnd(20) : 1 + (int)rnd(600);
    if (*page + *n > UNITS)
        *n = UNITS - *page;
}

static char *unit(int page) { return m.base + PAGE * (unsigned)page; }

static bool refused(int64_t r, bool may_fail)
{
    if (r == -ENOMEM && may_fail) {
        m.refused++;
        return true;
    }
    return false;
}

static uint32_t file_value(int page) { return 1000000u + (unsigned)page; }

static void new_cell(int i, enum kind kind, int file_page)
{
    do
        m.cell[i] = ++m.cells % CELLS;
    while (m.cell[i] == 0);
    m.kind[i] = kind;
    m.page[i] = file_page;
    m.writable[i] = true;
    m.value[m.cell[i]] = kind == OF_FILE ? file_value(file_page) : 0;
}

static void map_something(int page, int n, bool may_fail)
{
    enum kind kind = (enum kind)rnd(3);
    uint64_t fixed = MW_MAP_FIXED | (kind == SHARED ? MW_MAP_SHARED : MW_MAP_PRIVATE);
    int first = (int)rnd(FILE_PAGES);
    int64_t r;
    if (kind == OF_FILE && n > FILE_PAGES - first)
        n = FILE_PAGES - first;
    r = kind == OF_FILE
            ? mw_live_mmap_file(m.live, unit(page), PAGE * (unsigned)n, RW, fixed, m.file, PAGE * (unsigned)first, NULL)
            : mw_live_mmap(m.live, unit(page), PAGE * (unsigned)n, RW, fixed | MW_MAP_ANONYMOUS, NULL);
    if (refused(r, may_fail))
        return;
    assert_int_equal(r, unit(page));
    for (int i = 0; i < n; i++)
        new_cell(page + i, kind, first + i);
}

static void protect_something(int page, int n, bool may_fail)
{
    bool write = rnd(2), hole = false;
    for (int i = page; i < page + n; i++)
        hole = hole || m.cell[i] == 0;
    int64_t r = mw_live_mprotect(m.live, unit(page), PAGE * (unsigned)n, write ? RW : MW_PROT_READ, NULL);
    if (hole)
        assert_int_equal(r, -ENOMEM);
    else if (!refused(r, may_fail))
        for (int i = page; i < page + n; i++)
            m.writable[i] = write;
}

/* One page of what mremap does: the mirrored page, or the moved one and what it leaves. */
static void page_moved(int from, int to, uint64_t how)
{
    bool mirrored = how & MW_MREMAP_MIRROR;
    if (!m.cell[from] && !mirrored)
        return;
    if (mirrored && m.kind[from] == OF_FILE)
        m.kind[from] = PRIVATE;
    m.cell[to] = m.cell[from];
    m.writable[to] = m.writable[from];
    m.kind[to] = m.kind[from];
    m.page[to] = m.page[from];
    if (mirrored || ((how & MW_MREMAP_DONTUNMAP) && m.kind[from] == SHARED))
        return;
    m.cell[from] = 0;
    if (how & MW_MREMAP_DONTUNMAP) {
        new_cell(from, m.kind[from], m.page[from]);
        m.writable[from] = m.writable[to];
    }
}

static void remap_something(int page, int n, bool may_fail)
{
    static const uint64_t kinds[] = { FIX, FIX | MW_MREMAP_MIRROR, FIX | MW_MREMAP_DONTUNMAP };
    uint64_t how = kinds[rnd(3)];
    int to = (int)rnd(UNITS);
    if (to + n > UNITS)
        n = UNITS - to;
    if (n <= 0 || (to < page + n && page < to + n))
        return;
    for (int i = page; i < page + n; i++)
        if ((how & MW_MREMAP_DONTUNMAP) && m.cell[i] && m.kind[i] == OF_FILE && m.page[i] < 0)
            return;
    int64_t r = mw_live_mremap(m.live, unit(page), PAGE * (unsigned)n, PAGE * (unsigned)n, how, unit(to), NULL);
    if (!m.cell[page]) {
        assert_true(r == -EFAULT || refused(r, may_fail));
    } else if (!refused(r, may_fail)) {
        assert_int_equal(r, unit(to));
        for (int i = 0; i < n; i++)
            page_moved(page + i, to + i, how);
        return;
    }
    for (int i = page; (how & MW_MREMAP_MIRROR) && i < page + n; i++)
        m.page[i] = -1;
}

static void step(bool may_fail)
{
    int page, n;
    pick(&page, &n);
    if (may_fail && rnd(2))
        fail_from(rnd(6), ENOMEM, false);
    switch (rnd(9)) {
    case 0: case 1:
        map_something(page, n, may_fail);
        break;
    case 2:
        if (!refused(mw_live_munmap(m.live, unit(page), PAGE * (unsigned)n, NULL), may_fail))
            memset(m.cell + page, 0, (size_t)n * sizeof m.cell[0]);
        break;
    case 3:
        protect_something(page, n, may_fail);
        break;
    case 4: case 5: case 6: case 7:
        remap_something(page, n, may_fail);
        break;
    default:
        for (int i = page; i < page + n; i++)
            if (m.cell[i] && m.writable[i]) {
                uint32_t value = rnd(1u << 30);
                memcpy(unit(i) + 16, &value, 4);
                m.value[m.cell[i]] = value;
            }
    }
    fail_never();
}

static void compare(void)
{
    sound(m.live);
    for (int i = 0; i < UNITS; i++) {
        uint32_t value;
        if (!m.cell[i])
            continue;
        memcpy(&value, unit(i) + 16, 4);
        if (value != m.value[m.cell[i]])
            fail_msg("page %d is %u, should be %u", i, value, m.value[m.cell[i]]);
    }
}

static int some_file(void)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, FILE_PAGES * (off_t)PAGE), 0);
    for (int i = 0; i < FILE_PAGES; i++) {
        uint32_t value = file_value(i);
        assert_int_equal(pwrite(fd, &value, 4, i * (off_t)PAGE + 16), 4);
    }
    return fd;
}

/* LIVE-2, LIVE-3, LIVE-5 */
static void random_calls(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        memset(&m, 0, sizeof m);
        m.random = seed * 0x9e3779b97f4a7c15ull;
        m.live = start_with(UNITS * PAGE, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
        m.file = some_file();
        m.base = (char *)(uintptr_t)mw_live_range(m.live).start;
        for (int i = 0; i < 400; i++) {
            step(seed > 2);
            compare();
        }
        if (seed > 2)
            assert_true(m.refused > 10);
        mw_live_munmap(m.live, m.base, UNITS * PAGE, NULL);
        if (seed <= 2) /* else some could not be given back, which is no error */
            assert_int_equal(held(m.live), 0);
        stop(m.live);
        close(m.file);
    }
}

/* ---- each host call of each call fails, once and twice in a row (LIVE-2) ---------------------------- */

struct scene {
    struct mw_live *live;
    char *base;
    int file;
};

static struct scene arrange(enum mw_live_memory memory)
{
    struct scene s = { .live = start_with(16 * MIB, MW_LIVE_FORK_COPY, memory) };
    s.base = (char *)(uintptr_t)mw_live_range(s.live).start;
    map(s.live, s.base, 40 * PAGE);
    map(s.live, s.base + 50 * PAGE, 10 * PAGE);
    map(s.live, s.base + 100 * PAGE, 30 * PAGE);
    assert_int_equal(mw_live_mprotect(s.live, s.base + 110 * PAGE, 5 * PAGE, MW_PROT_READ, NULL), 0);
    for (unsigned i = 0; i < 130; i++)
        if (i < 40 || (i >= 50 && i < 60) || (i >= 100 && (i < 110 || i >= 115)))
            s.base[i * PAGE] = (char)i;
    assert_int_equal(mw_live_mlock(s.live, s.base + 100 * PAGE, 10 * PAGE, 0, NULL), 0);
    s.file = some_file();
    return s;
}

static void as_arranged(const struct scene *s)
{
    sound(s->live);
    for (unsigned i = 0; i < 130; i++)
        if (i < 40 || (i >= 50 && i < 60) || (i >= 100 && (i < 110 || i >= 115)))
            assert_int_equal(s->base[i * PAGE], (char)i);
    struct mw_live_stats stats;
    mw_live_stats(s->live, &stats);
    assert_int_equal(locked(), 10 * PAGE);
    assert_int_equal(stats.mapped, 80 * PAGE);
    assert_int_equal(stats.mappings, 5);
}

static int64_t one_of(const struct scene *s, int which)
{
    char *b = s->base;
    switch (which) {
    case 0: return mw_live_mmap(s->live, b + 30 * PAGE, 30 * PAGE, RW, ANON | MW_MAP_FIXED, NULL);
    case 1: return mw_live_mmap(s->live, NULL, 8 * PAGE, RW, ANON, NULL);
    case 2: return mw_live_munmap(s->live, b + 30 * PAGE, 85 * PAGE, NULL);
    case 3: return mw_live_mprotect(s->live, b + 102 * PAGE, 20 * PAGE, MW_PROT_NONE, NULL);
    case 4: return mw_live_mremap(s->live, b, 40 * PAGE, 40 * PAGE, FIX, b + 90 * PAGE, NULL);
    case 5: return mw_live_mremap(s->live, b, 60 * PAGE, 60 * PAGE, FIX, b + 95 * PAGE, NULL);
    case 6: return mw_live_mremap(s->live, b, 40 * PAGE, 40 * PAGE, FIX | MW_MREMAP_DONTUNMAP, b + 95 * PAGE, NULL);
    case 7: return mw_live_mremap(s->live, b, 60 * PAGE, 60 * PAGE, FIX | MW_MREMAP_MIRROR, b + 95 * PAGE, NULL);
    case 8: return mw_live_mremap(s->live, b, 40 * PAGE, 90 * PAGE, MAY, NULL, NULL);
    case 9: return mw_live_mremap(s->live, b + 50 * PAGE, 10 * PAGE, 20 * PAGE, 0, NULL, NULL);
    case 10: return mw_live_mremap(s->live, b, 40 * PAGE, 10 * PAGE, 0, NULL, NULL);
    case 11: return mw_live_mremap(s->live, b + 100 * PAGE, 5 * PAGE, 30 * PAGE, FIX, b, NULL);
    case 12: return mw_live_mremap(s->live, b + 100 * PAGE, 10 * PAGE, 10 * PAGE, FIX | MW_MREMAP_DONTUNMAP, b + 200 * PAGE, NULL);
    case 13: return mw_live_mlock(s->live, b, 40 * PAGE, MW_MLOCK_ONFAULT, NULL);
    case 14: return mw_live_madvise(s->live, b + 10 * PAGE, 10 * PAGE, MW_MADV_DONTFORK, NULL);
    default: return mw_live_mmap_file(s->live, b + 35 * PAGE, 40 * PAGE, RW, MW_MAP_PRIVATE | MW_MAP_FIXED, s->file, 0, NULL);
    }
}

static void every_step(void **state)
{
    for (int which = 0; which < 16; which++)
        for (unsigned n = 0;; n++) {
            struct scene s = arrange(*(enum mw_live_memory *)*state);
            fail_from(n, ENOMEM, false);
            int64_t r = one_of(&s, which);
            bool failed = fail_never();
            if (r < 0) {
                assert_int_equal(r, -ENOMEM);
                as_arranged(&s);
            }
            stop(s.live);
            close(s.file);
            if (!failed) {
                assert_true(n > 0);
                break;
            }
        }
}

/* Takes host mappings in `at` until the host has only about `left`. */
static void take_mappings(char *at, size_t left)
{
    size_t split = 0;
    while (mprotect(at + (2 * split + 1) * PAGE, PAGE, PROT_READ) == 0)
        split++;
    for (size_t i = 0; i < left; i += 2) /* two each */
        mprotect(at + (2 * --split + 1) * PAGE, PAGE, PROT_NONE);
}

/* The host's own limit on mappings, `left` of them free: each call happens wholly or not at all. */
static bool at_limit(enum mw_live_memory memory, int which, size_t left)
{
    size_t size = 1ull << 30;
    struct scene s = arrange(memory);
    char *fill = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    take_mappings(fill, left);
    int64_t r = one_of(&s, which);
    munmap(fill, size);
    if (r < 0)
        as_arranged(&s);
    stop(s.live);
    close(s.file);
    if (r < 0 && r != -ENOMEM && r != -EAGAIN) /* madvise says so */
        print_error("call %d with %zu mappings left: %d\n", which, left, (int)r);
    return r >= 0 || r == -ENOMEM || r == -EAGAIN;
}

static bool limits(void *arg)
{
    for (int which = 0; which < 16; which++) {
        bool steps = (which >= 4 && which <= 8) || which == 12;
        for (size_t left = 0; left < (!steps ? 1 : shortened ? 2 : 18); left += 8)
            if ((steps || which < 3) && !at_limit(*(enum mw_live_memory *)arg, which, left))
                return false;
    }
    return true;
}

/* A sanitizer's runtime asks for mappings of its own. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(thread_sanitizer) || __has_feature(address_sanitizer))
#else
#define SANITIZED 0
#endif

static void host_limit(void **state)
{
    if (SANITIZED) {
        print_message("SKIPPED host_limit: a sanitizer needs mappings too\n");
        return;
    }
    assert_true(in_child(limits, *state));
}

/* LIVE-1: nor does a creation that fails leave anything */
static void creation_fails(void **state)
{
    (void)state;
    stop(start(4 * MIB, MW_LIVE_FORK_COPY)); /* what is made once is made */
    for (unsigned n = 0;; n++) {
        struct mw_live_config c = { .size = 4 * MIB, .fork = MW_LIVE_FORK_COPY };
        struct mw_live *live = NULL;
        unsigned files = open_files();
        fail_from(n, ENOMEM, false);
        int err = mw_live_create(&c, &live);
        if (!fail_never()) {
            assert_int_equal(err, 0);
            stop(live);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(open_files(), files);
    }
}

/* ---- threads ------------------------------------------------------------------------------------------ */

static struct {
    _Atomic(uint32_t) *one, *two; /* two addresses of the same page */
    atomic_bool done;
    atomic_ulong reads;
} shared;

static void *user(void *arg)
{
    (void)arg;
    uint32_t last = 0;
    while (!atomic_load(&shared.done)) {
        uint32_t a = atomic_load(shared.one), b = atomic_load(shared.two);
        if (b < a || a < last)
            abort(); /* a hole would be a signal, an old page a number that falls */
        last = b;
        atomic_fetch_add(shared.two, 1);
        atomic_fetch_add(&shared.reads, 1);
    }
    return NULL;
}

/* LIVE-6: a page in use is never gone: its mapping is protected, cut and mirrored round about it */
static void in_use(void **state)
{
    (void)state;
    struct mw_live *live = start(64 * MIB, MW_LIVE_FORK_SHARE);
    char *p = map(live, NULL, 64 * PAGE), *base = (char *)(uintptr_t)mw_live_range(live).start;
    char *q = move(live, p, 64 * PAGE, 64 * PAGE, MIRROR, NULL);
    pthread_t thread;
    shared.one = (_Atomic(uint32_t) *)(void *)(p + 32 * PAGE);
    shared.two = (_Atomic(uint32_t) *)(void *)(q + 32 * PAGE);
    atomic_store(&shared.done, false);
    assert_int_equal(pthread_create(&thread, NULL, user, NULL), 0);
    for (int i = 0; i < rounds(125000); i++) { /* two in five remap */
        char *side = i & 1 ? p : q;
        switch (i % 5) {
        case 0:
            move(live, side + 20 * PAGE, 8 * PAGE, 8 * PAGE, FIX | MW_MREMAP_MIRROR, base);
            break;
        case 1:
            assert_int_equal(mw_live_mprotect(live, side, 30 * PAGE, MW_PROT_READ, NULL), 0);
            break;
        case 2:
            assert_int_equal(mw_live_mprotect(live, side, 64 * PAGE, RW, NULL), 0);
            break;
        case 3:
            move(live, side + 40 * PAGE, 16 * PAGE, 16 * PAGE, FIX | MW_MREMAP_DONTUNMAP, base + MIB);
            break;
        default:
            assert_int_equal(mw_live_munmap(live, base, 8 * PAGE, NULL), 0);
        }
    }
    atomic_store(&shared.done, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&shared.reads) > 0);
    stop(live);
}

/*
 * Reads what is moved away and back again: it is there, or empty, but never gone. (ThreadSanitizer
 * takes a mapping for a write of its range.)
 */
#ifdef __clang__
__attribute__((no_sanitize("thread")))
#else
__attribute__((no_sanitize_thread))
#endif
static void *reader(void *arg)
{
    const volatile char *p = arg;
    while (!atomic_load(&shared.done)) {
        char c = p[PAGE];
        if (c != 0 && c != 'x')
            abort();
        atomic_fetch_add(&shared.reads, 1);
    }
    return NULL;
}

/* LIVE-6: nor is what DONTUNMAP leaves */
static void source_stays(void **state)
{
    struct mw_live *live = start_with(16 * MIB, MW_LIVE_FORK_COPY, *(enum mw_live_memory *)*state);
    char *base = (char *)(uintptr_t)mw_live_range(live).start, *p = map(live, base, 32 * PAGE);
    pthread_t thread;
    memset(p, 'x', 32 * PAGE);
    atomic_store(&shared.done, false);
    atomic_store(&shared.reads, 0);
    assert_int_equal(pthread_create(&thread, NULL, reader, p), 0);
    for (int i = 0; i < rounds(25000); i++) {
        unsigned n = i & 1 ? 32 : 2;
        move(live, p, n * PAGE, n * PAGE, FIX | MW_MREMAP_DONTUNMAP, base + MIB);
        move(live, base + MIB, n * PAGE, n * PAGE, FIX, p);
    }
    atomic_store(&shared.done, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&shared.reads) > 0);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(p[i * PAGE], 'x');
    stop(live);
}

/* LIVE-6: any thread may call */
static void *caller(void *arg)
{
    struct mw_live *live = arg;
    for (int i = 0; i < rounds(2000); i++) {
        int64_t r = mw_live_mmap(live, NULL, 4 * PAGE, RW, ANON, NULL);
        if (r <= 0)
            abort();
        char *p = (char *)(uintptr_t)r, *q;
        memset(p, i, 4 * PAGE);
        r = mw_live_mremap(live, p, 4 * PAGE, (4 + (unsigned)i % 30) * PAGE, MAY, NULL, NULL);
        if (r <= 0)
            abort();
        q = (char *)(uintptr_t)r;
        if (q[0] != (char)i || q[4 * PAGE - 1] != (char)i ||
            mw_live_munmap(live, q, (4 + (unsigned)i % 30) * PAGE, NULL) != 0)
            abort();
    }
    return NULL;
}

static void callers(void **state)
{
    (void)state;
    struct mw_live *live = start(64 * MIB, MW_LIVE_FORK_SHARE);
    pthread_t thread[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, caller, live), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(held(live), 0);
    stop(live);
}

#define WITH(test, memory) { #test "_" #memory, test, NULL, NULL, &memory }

int main(int argc, char **argv)
{
    shortened = argc > 1 && strcmp(argv[1], "short") == 0;
    static enum mw_live_memory pool = MW_LIVE_PRIVATE_POOL, kernel = MW_LIVE_PRIVATE_KERNEL;
    const struct CMUnitTest tests[] = {
        WITH(calls, pool), WITH(calls, kernel), WITH(resizes_and_moves, pool),
        WITH(resizes_and_moves, kernel), WITH(mirrors, pool), WITH(mirrors, kernel),
        WITH(random_calls, pool), WITH(random_calls, kernel), WITH(every_step, pool),
        WITH(every_step, kernel), WITH(host_limit, pool), WITH(host_limit, kernel), WITH(files, pool), WITH(files, kernel), WITH(placed_well, pool), WITH(locks, pool), WITH(locks, kernel), WITH(advice, pool), WITH(advice, kernel),
        WITH(placed_well, kernel), WITH(source_stays, pool), WITH(source_stays, kernel), cmocka_unit_test(huge),
        cmocka_unit_test(refusals), cmocka_unit_test(forks), cmocka_unit_test(creation_fails), cmocka_unit_test(in_use),
        cmocka_unit_test(callers),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
