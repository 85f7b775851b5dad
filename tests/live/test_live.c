/* SPDX-License-Identifier: MIT */
/*
 * test_live.c - the live space: its calls, what a refusal of the host leaves
 * (nothing), fork, threads that use the memory meanwhile, and all of it under
 * random calls against a model.
 */
#include "live.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* ---- helpers ------------------------------------------------------------------------------ */

static struct mw_live *start(uint64_t size, enum mw_live_fork fork)
{
    struct mw_live_config c = { .size = size, .fork = fork };
    struct mw_live *live = NULL;
    assert_int_equal(mw_live_create(&c, &live), 0);
    return live;
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

/* Does a touch of `p` get a signal? */
static sigjmp_buf landing;
static void land(int sig) { siglongjmp(landing, sig); }

static int signal_of(char *p, bool write)
{
    struct sigaction sa = { .sa_handler = land }, old_segv, old_bus;
    sigaction(SIGSEGV, &sa, &old_segv);
    sigaction(SIGBUS, &sa, &old_bus);
    int sig = sigsetjmp(landing, 1);
    if (sig == 0) {
        if (write)
            *(volatile char *)p = 1;
        else
            (void)*(volatile char *)p;
    }
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
    return sig;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* LIVE-1, LIVE-5 */
static void calls(void **state)
{
    (void)state;
    struct mw_live *live = start(64 * MIB, MW_LIVE_FORK_SHARE);
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
    (void)state;
    struct mw_live *live = start(256 * MIB, MW_LIVE_FORK_SHARE);
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
    for (uint64_t i = 0; i < 8 * MIB; i += PAGE)
        assert_int_equal(to[i], (char)(i >> 12));
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
    (void)state;
    struct mw_live *live = start(64 * MIB, MW_LIVE_FORK_SHARE);
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
    assert_int_equal(mw_live_mmap(live, NULL, PAGE, RW, ANON | MW_MAP_LOCKED, NULL), -EOPNOTSUPP);
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
    for (int how = 0; how < 3; how++) {
        struct mw_live *live = start(16 * MIB, (enum mw_live_fork)how);
        char *p = map(live, NULL, 4 * PAGE);
        char *q = move(live, p, 4 * PAGE, 4 * PAGE, MIRROR, NULL);
        p[0] = 1;
        assert_int_equal(child_of(check[how], live, p, q), 0);
        assert_int_equal(p[0], how == MW_LIVE_FORK_SHARE ? 3 : 1);
        assert_int_equal(q[0], p[0]);
        stop(live);
    }
}

/* ---- random calls against a model, the host failing at times -------------------------------------- */

enum { UNITS = 1536, CELLS = 1 << 15 };

static struct {
    struct mw_live *live;
    char *base;
    int cell[UNITS]; /* 0: nothing there */
    bool writable[UNITS];
    uint32_t value[CELLS];
    int cells;
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

static void new_cells(int page, int n)
{
    for (int i = page; i < page + n; i++) {
        m.cell[i] = ++m.cells % CELLS;
        if (m.cell[i] == 0)
            m.cell[i] = ++m.cells % CELLS;
        m.writable[i] = true;
        m.value[m.cell[i]] = 0;
    }
}

static void step(bool may_fail)
{
    int page, n, to;
    int64_t r;
    pick(&page, &n);
    if (may_fail && rnd(2))
        fail_from(rnd(4), ENOMEM, false);
    switch (rnd(9)) {
    case 0: case 1:
        r = mw_live_mmap(m.live, unit(page), PAGE * (unsigned)n, RW, ANON | MW_MAP_FIXED, NULL);
        if (refused(r, may_fail))
            break;
        assert_int_equal(r, unit(page));
        new_cells(page, n);
        break;
    case 2:
        r = mw_live_munmap(m.live, unit(page), PAGE * (unsigned)n, NULL);
        if (refused(r, may_fail))
            break;
        assert_int_equal(r, 0);
        memset(m.cell + page, 0, (size_t)n * sizeof m.cell[0]);
        break;
    case 3: {
        bool write = rnd(2), hole = false;
        for (int i = page; i < page + n; i++)
            hole = hole || m.cell[i] == 0;
        r = mw_live_mprotect(m.live, unit(page), PAGE * (unsigned)n, write ? RW : MW_PROT_READ, NULL);
        if (hole)
            assert_int_equal(r, -ENOMEM);
        else if (!refused(r, may_fail))
            for (int i = page; i < page + n; i++)
                m.writable[i] = write;
        break;
    }
    case 4: case 5: case 6: case 7: {
        static const uint64_t kinds[] = { FIX, FIX | MW_MREMAP_MIRROR, FIX | MW_MREMAP_DONTUNMAP };
        uint64_t how = kinds[rnd(3)];
        to = (int)rnd(UNITS);
        if (to + n > UNITS)
            n = UNITS - to;
        if (n <= 0 || (to < page + n && page < to + n))
            break;
        r = mw_live_mremap(m.live, unit(page), PAGE * (unsigned)n, PAGE * (unsigned)n, how, unit(to),
                           NULL);
        if (!m.cell[page]) {
            assert_int_equal(r, -EFAULT);
            break;
        }
        if (refused(r, may_fail))
            break;
        assert_int_equal(r, unit(to));
        for (int i = 0; i < n; i++) {
            bool there = m.cell[page + i] != 0;
            if (there || (how & MW_MREMAP_MIRROR)) {
                m.cell[to + i] = m.cell[page + i];
                m.writable[to + i] = m.writable[page + i];
            }
            if (!there || (how & MW_MREMAP_MIRROR))
                continue;
            bool writable = m.writable[page + i];
            m.cell[page + i] = 0;
            if (how & MW_MREMAP_DONTUNMAP) {
                new_cells(page + i, 1);
                m.writable[page + i] = writable;
            }
        }
        break;
    }
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

/* LIVE-2, LIVE-3, LIVE-5 */
static void random_calls(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        memset(&m, 0, sizeof m);
        m.random = seed * 0x9e3779b97f4a7c15ull;
        m.live = start(UNITS * PAGE, MW_LIVE_FORK_SHARE);
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
    }
}

/* ---- each host call of each call fails, once and twice in a row (LIVE-2) ---------------------------- */

struct scene {
    struct mw_live *live;
    char *base;
};

static struct scene arrange(void)
{
    struct scene s = { .live = start(16 * MIB, MW_LIVE_FORK_SHARE) };
    s.base = (char *)(uintptr_t)mw_live_range(s.live).start;
    map(s.live, s.base, 40 * PAGE);
    map(s.live, s.base + 50 * PAGE, 10 * PAGE);
    map(s.live, s.base + 100 * PAGE, 30 * PAGE);
    assert_int_equal(mw_live_mprotect(s.live, s.base + 110 * PAGE, 5 * PAGE, MW_PROT_READ, NULL), 0);
    for (unsigned i = 0; i < 130; i++)
        if (i < 40 || (i >= 50 && i < 60) || (i >= 100 && (i < 110 || i >= 115)))
            s.base[i * PAGE] = (char)i;
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
    default: return mw_live_mremap(s->live, b, 0, 40 * PAGE, FIX, b + 95 * PAGE, NULL);
    }
}

static void every_step(void **state)
{
    (void)state;
    for (int which = 0; which < 12; which++)
        for (unsigned n = 0;; n++) {
            struct scene s = arrange();
            fail_from(n, ENOMEM, false);
            int64_t r = one_of(&s, which);
            bool failed = fail_never();
            if (r < 0) {
                assert_int_equal(r, -ENOMEM);
                as_arranged(&s);
            }
            stop(s.live);
            if (!failed) {
                assert_true(n > 0);
                break;
            }
        }
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
    for (int i = 0; i < 20000; i++) {
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

/* LIVE-6: any thread may call */
static void *caller(void *arg)
{
    struct mw_live *live = arg;
    for (int i = 0; i < 2000; i++) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls), cmocka_unit_test(resizes_and_moves), cmocka_unit_test(mirrors),
        cmocka_unit_test(refusals), cmocka_unit_test(forks), cmocka_unit_test(random_calls),
        cmocka_unit_test(every_step), cmocka_unit_test(creation_fails), cmocka_unit_test(in_use),
        cmocka_unit_test(callers),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
