/* SPDX-License-Identifier: MIT */
/* test_rewire.c - chosen pages in chosen order: REWIRE-1 to REWIRE-10. */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../live/hostcall.h"
#include "mapwright/rewire.h"

enum { PAGE = 4096, HUGE = 2 << 20 };
#define NONE MW_REWIRE_NONE

static struct mw_rewire *pool_of(uint64_t pages, uint64_t budget, unsigned flags)
{
    struct mw_rewire_config config = {.pages = pages, .budget = budget, .flags = flags};
    struct mw_rewire *pool = NULL;

    assert_int_equal(mw_rewire_create(&config, &pool), 0);
    assert_non_null(pool);
    return pool;
}

static struct mw_rewire_view *view_of(struct mw_rewire *pool, uint64_t units)
{
    struct mw_rewire_view *view = NULL;

    assert_int_equal(mw_rewire_view_create(pool, units, 0, &view), 0);
    assert_int_equal(view->units, units);
    assert_int_equal((uintptr_t)view->data % view->unit, 0);
    return view;
}

static uint64_t *word(const struct mw_rewire_view *view, uint64_t unit)
{
    return (uint64_t *)(void *)(view->data + unit * view->unit);
}

/* A view of all pages in order, each page marked with its number plus one, at both its ends. */
static struct mw_rewire_view *marked(struct mw_rewire *pool, uint64_t pages)
{
    struct mw_rewire_view *view = view_of(pool, pages);

    for (uint64_t i = 0; i < pages; i++) {
        assert_int_equal(mw_rewire_set(view, i, &i, 1), 0);
        *word(view, i) = i + 1;
        view->data[(i + 1) * view->unit - 1] = (unsigned char)(i + 1);
    }
    return view;
}

/* Whether a view's units show these pages: by what the call says and by the bytes there. */
static bool is(const struct mw_rewire_view *view, const uint64_t *pages)
{
    for (uint64_t i = 0; i < view->units; i++) {
        uint64_t said;

        assert_int_equal(mw_rewire_pages(view, i, 1, &said), 0);
        if (said != pages[i])
            return false;
        if (said != NONE && (*word(view, i) != said + 1 ||
                             view->data[(i + 1) * view->unit - 1] != (unsigned char)(said + 1)))
            return false;
    }
    return true;
}

#define SHOWS(view, ...) assert_true(is(view, (const uint64_t[]){__VA_ARGS__}))
#define SET(view, first, ...) \
    mw_rewire_set(view, first, (const uint64_t[]){__VA_ARGS__}, \
                  sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static uint64_t used(const struct mw_rewire *pool)
{
    struct mw_rewire_stats s;

    mw_rewire_stats(pool, &s);
    return s.host_mappings;
}

/* Host mappings that a view's addresses lie in, as /proc/self/maps has them. */
static uint64_t seen(const struct mw_rewire_view *view)
{
    uintptr_t from = (uintptr_t)view->data, to = from + view->units * view->unit;
    FILE *f = fopen("/proc/self/maps", "r");
    char line[500];
    uint64_t n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        unsigned long start, end;
        assert_int_equal(sscanf(line, "%lx-%lx", &start, &end), 2);
        n += start < to && end > from;
    }
    fclose(f);
    return n;
}

/* ---- host calls that are counted, or that fail as an old Linux may -------------------- */

static struct mw_hostcall real;
static unsigned maps, tear_at;
static size_t map_size; /* the last one's */

static void *counted(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    maps++;
    map_size = size;
    return real.map(at, size, prot, flags, fd, offset);
}

/* Fails once, when what was mapped there is gone already. */
static void *torn(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    if (maps++ == tear_at) {
        assert_int_equal(munmap(at, size), 0);
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return real.map(at, size, prot, flags, fd, offset);
}

static void watch(void *(*map)(void *, size_t, int, int, int, off_t))
{
    real = mw_hostcall;
    mw_hostcall.map = map;
    maps = 0;
}

static unsigned watched(void)
{
    mw_hostcall = real;
    return maps;
}

/* ---- what is shown: REWIRE-1 ----------------------------------------------------------- */

static void shown(void **state)
{
    struct mw_rewire *pool = pool_of(8, 0, 0);
    struct mw_rewire_view *all = marked(pool, 8), *view = view_of(pool, 6);
    (void)state;

    assert_int_equal(view->unit, PAGE);
    SHOWS(view, NONE, NONE, NONE, NONE, NONE, NONE);
    assert_true(faults(view->data, false));
    assert_int_equal(SET(view, 1, 5, 3, 3, 4), 0);
    SHOWS(view, NONE, 5, 3, 3, 4, NONE);
    assert_true(faults(view->data + PAGE - 1, true));
    assert_true(faults(view->data + 5 * PAGE, true));
    *word(view, 2) = 77; /* one page, three addresses */
    assert_int_equal(*word(view, 3), 77);
    assert_int_equal(*word(all, 3), 77);
    *word(all, 3) = 4;
    assert_int_equal(SET(view, 2, NONE, 0), 0);
    SHOWS(view, NONE, 5, NONE, 0, 4, NONE);
    assert_true(faults(view->data + 2 * PAGE, false));
    assert_int_equal(mw_rewire_set(view, 6, NULL, 0), 0);
    assert_int_equal(mw_rewire_pages(view, 6, 0, NULL), 0);
    mw_rewire_view_destroy(view);
    assert_true(faults((unsigned char *)word(view_of(pool, 1), 0), false));
    SHOWS(all, 0, 1, 2, 3, 4, 5, 6, 7);
    mw_rewire_destroy(pool);
    mw_rewire_destroy(NULL);
    mw_rewire_view_destroy(NULL);
}

/* Another mmap of the process never lands where a unit shows nothing. */
static void addresses_stay(void **state)
{
    struct mw_rewire *pool = pool_of(1, 0, 0);
    struct mw_rewire_view *view = view_of(pool, 3);
    (void)state;

    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(mmap(view->data + PAGE, PAGE, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
                         MAP_FAILED);
        assert_int_equal(errno, EEXIST);
        assert_int_equal(SET(view, 1, i == 0 ? 0 : NONE), 0);
    }
    mw_rewire_destroy(pool);
}

static void units(void **state)
{
    static const size_t sizes[] = {PAGE, 4 * PAGE, HUGE};
    (void)state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct mw_rewire_config config = {.unit = sizes[i], .pages = 5};
        struct mw_rewire *pool = NULL;
        struct mw_rewire_view *all, *view;

        assert_int_equal(mw_rewire_create(&config, &pool), 0);
        all = marked(pool, 5);
        view = view_of(pool, 3);
        assert_int_equal(view->unit, sizes[i]);
        assert_int_equal(SET(view, 0, 4, 0, 1), 0);
        SHOWS(view, 4, 0, 1);
        SHOWS(all, 0, 1, 2, 3, 4);
        mw_rewire_destroy(pool);
    }
}

/* ---- refusals: REWIRE-3 ------------------------------------------------------------------ */

static int creation(size_t unit, uint64_t pages, unsigned flags)
{
    struct mw_rewire_config config = {.unit = unit, .pages = pages, .flags = flags};
    struct mw_rewire *pool = NULL;
    int err = mw_rewire_create(&config, &pool);

    assert_true(err || pool);
    assert_true(!err || !pool);
    mw_rewire_destroy(pool);
    return err;
}

static void refused_pools(void **state)
{
    (void)state;
    assert_int_equal(creation(0, 0, 0), -EINVAL);
    assert_int_equal(creation(0, UINT64_MAX, 4), -EINVAL);
    assert_int_equal(creation(0, UINT64_MAX, MW_REWIRE_HUGE | MW_REWIRE_ADVISE_HUGE), -EINVAL);
    assert_int_equal(creation(PAGE / 2, UINT64_MAX, 0), -EINVAL);
    assert_int_equal(creation(3 * PAGE, UINT64_MAX, 0), -EINVAL);
    assert_int_equal(creation(HUGE / 2, UINT64_MAX, MW_REWIRE_HUGE), -EINVAL);
    assert_int_equal(creation(HUGE / 2, UINT64_MAX, MW_REWIRE_ADVISE_HUGE), -EINVAL);
    assert_int_equal(creation(0, UINT64_MAX, 0), -EOVERFLOW);
    assert_int_equal(creation(0, UINT64_MAX / PAGE + 2, 0), -EOVERFLOW); /* wraps to little */
    assert_int_equal(creation(0, (uint64_t)1 << 51, 0), -EOVERFLOW);
    assert_int_equal(creation((size_t)1 << 63, 1, 0), -EOVERFLOW);
    assert_int_equal(creation((size_t)1 << 32, (uint64_t)1 << 31, 0), -EOVERFLOW);
}

/* The descriptor that it keeps is not for programs that are run. */
static void closes_on_exec(void **state)
{
    int next = dup(0);
    struct mw_rewire *pool;
    (void)state;

    close(next);
    pool = pool_of(1, 0, 0);
    assert_int_equal(fcntl(next, F_GETFD), FD_CLOEXEC);
    mw_rewire_destroy(pool);
    assert_int_equal(fcntl(next, F_GETFD), -1);
}

/* Huge pages are set aside when the pool is made: a terabyte of them is not there. */
static void huge_pages_set_aside(void **state)
{
    int err = creation(0, (uint64_t)1 << 19, MW_REWIRE_HUGE);
    (void)state;

    assert_true(err == -ENOMEM || err == -EOPNOTSUPP);
}

static void refused_views(void **state)
{
    struct mw_rewire_config config = {.pages = 2, .views = 2, .budget = 3};
    struct mw_rewire_view *view = NULL, *other = NULL;
    struct mw_rewire *pool = NULL;
    (void)state;

    assert_int_equal(mw_rewire_create(&config, &pool), 0);
    assert_int_equal(mw_rewire_view_create(pool, 0, 0, &view), -EINVAL);
    assert_int_equal(mw_rewire_view_create(pool, UINT64_MAX, MW_REWIRE_COPY_ON_WRITE, &view), -EINVAL);
    assert_int_equal(mw_rewire_view_create(pool, UINT64_MAX, 0, &view), -EOVERFLOW);
    assert_int_equal(mw_rewire_view_create(pool, UINT64_MAX / PAGE + 2, 0, &view), -EOVERFLOW);
    assert_int_equal(mw_rewire_view_create(pool, SIZE_MAX / 4 / PAGE + 1, 0, &view), -EOVERFLOW);
    assert_int_equal(mw_rewire_view_create(pool, SIZE_MAX / 4 / PAGE, 0, &view), -ENOMEM);
    assert_null(view);
    view = view_of(pool, 3);
    other = view_of(pool, 1);
    assert_int_equal(mw_rewire_view_create(pool, 1, 0, &view), -EDQUOT);
    assert_int_equal(mw_rewire_snapshot(other, 0, &view), -EDQUOT);
    mw_rewire_view_destroy(other);
    mw_rewire_view_destroy(view_of(pool, 1));
    assert_int_equal(SET(view, 1, 0), 0); /* three mappings: the budget is used up */
    assert_int_equal(mw_rewire_view_create(pool, 1, 0, &other), -EDQUOT);
    assert_int_equal(mw_rewire_snapshot(view, 0, &other), -EDQUOT);
    mw_rewire_destroy(pool);
}

static void refused_changes(void **state)
{
    struct mw_rewire *pool = pool_of(4, 0, 0), *foreign = pool_of(4, 0, 0);
    struct mw_rewire_view *view = marked(pool, 4), *copy = NULL, *alien = marked(foreign, 4);
    uint64_t pages[4];
    (void)state;

    assert_int_equal(mw_rewire_snapshot(view, MW_REWIRE_COPY_ON_WRITE, &copy), 0);
    assert_int_equal(SET(copy, UINT64_MAX, UINT64_MAX - 2), -EPERM);
    assert_int_equal(mw_rewire_swap(copy, 9, view, 9, 1), -EPERM);
    assert_int_equal(mw_rewire_swap(view, 9, copy, 9, 1), -EPERM);
    assert_int_equal(mw_rewire_compact(copy, pages), -EPERM);
    assert_int_equal(mw_rewire_snapshot(copy, 99, &copy), -EPERM);
    assert_int_equal(mw_rewire_snapshot(view, 1, &copy), -EINVAL);
    assert_int_equal(SET(view, 4, 0), -EINVAL);
    assert_int_equal(mw_rewire_set(view, 1, pages, UINT64_MAX), -EINVAL);
    assert_int_equal(mw_rewire_set(view, UINT64_MAX, pages, 2), -EINVAL);
    assert_int_equal(mw_rewire_pages(view, 2, 3, pages), -EINVAL);
    assert_int_equal(mw_rewire_pages(view, UINT64_MAX, 2, pages), -EINVAL);
    assert_int_equal(mw_rewire_pages(view, 1, UINT64_MAX, pages), -EINVAL);
    assert_int_equal(SET(view, 0, 3, 4), -EINVAL);
    assert_int_equal(SET(view, 0, 3, MW_REWIRE_LOST), -EINVAL);
    assert_int_equal(mw_rewire_swap(view, 0, alien, 0, 1), -EINVAL);
    assert_int_equal(mw_rewire_swap(view, 0, view, 1, 2), -EINVAL);
    assert_int_equal(mw_rewire_swap(view, 1, view, 0, 2), -EINVAL);
    assert_int_equal(mw_rewire_swap(view, 0, view, 3, 2), -EINVAL);
    assert_int_equal(mw_rewire_swap(view, UINT64_MAX, view, 0, 2), -EINVAL);
    pages[0] = 0, pages[1] = 4;
    assert_int_equal(mw_rewire_release(pool, pages, 2), -EINVAL);
    pages[1] = NONE;
    assert_int_equal(mw_rewire_release(pool, pages, 2), -EINVAL);
    SHOWS(view, 0, 1, 2, 3);
    SHOWS(alien, 0, 1, 2, 3);
    mw_rewire_destroy(pool);
    mw_rewire_destroy(foreign);
}

/* ---- host calls and host mappings: REWIRE-2, REWIRE-4 -------------------------------------- */

static void one_call_a_run(void **state)
{
    struct mw_rewire *pool = pool_of(64, 0, 0);
    struct mw_rewire_view *view = marked(pool, 64);
    uint64_t pages[64];
    (void)state;

    assert_int_equal(used(pool), 1);
    assert_int_equal(seen(view), 1);
    for (uint64_t i = 0; i < 64; i++) /* four runs, the last first */
        pages[i] = (3 - i / 16) * 16 + i % 16;
    watch(counted);
    assert_int_equal(mw_rewire_set(view, 0, pages, 64), 0);
    assert_int_equal(watched(), 4);
    assert_true(is(view, pages));
    assert_int_equal(used(pool), 4);
    assert_int_equal(seen(view), 4);
    watch(counted);
    assert_int_equal(mw_rewire_set(view, 0, pages, 64), 0);
    assert_int_equal(watched(), 0); /* all in place */
    watch(counted);
    assert_int_equal(SET(view, 10, 58, 59, 1, 61, 63, 63), 0);
    assert_int_equal(watched(), 2); /* 1, 63: the others are there */
    assert_int_equal(used(pool), 4 + 4);
    assert_int_equal(seen(view), 8);
    watch(counted);
    assert_int_equal(mw_rewire_set(view, 9, pages + 9, 20), 0);
    assert_int_equal(watched(), 1); /* back in a run, from the first that is not there to the last */
    assert_int_equal(map_size, 3 * PAGE);
    assert_int_equal(used(pool), 4);
    assert_int_equal(seen(view), 4);
    for (uint64_t i = 0; i < 64; i++)
        pages[i] = 63 - i;
    watch(counted);
    assert_int_equal(mw_rewire_set(view, 0, pages, 64), 0);
    assert_int_equal(watched(), 64);
    assert_int_equal(seen(view), 64);
    mw_rewire_destroy(pool);
}

static void budget(void **state)
{
    struct mw_rewire *pool = pool_of(8, 4, 0);
    struct mw_rewire_view *view = view_of(pool, 8);
    (void)state;

    assert_int_equal(SET(view, 0, 0, 1, 2, 3, 4, 5, 6, 7), 0);
    assert_int_equal(used(pool), 1);
    watch(counted);
    assert_int_equal(SET(view, 0, 0, 2, 4, 6, 1), -EDQUOT);
    assert_int_equal(SET(view, 1, 7, 2, 7), -EDQUOT); /* five */
    assert_int_equal(watched(), 0);
    assert_int_equal(SET(view, 1, 7, 7), 0); /* four */
    assert_int_equal(used(pool), 4);
    assert_int_equal(SET(view, 0, 5), 0); /* four still */
    assert_int_equal(SET(view, 5, 1), -EDQUOT);
    /* on the way: a third in front, before the two behind become one */
    assert_int_equal(SET(view, 0, 0, 1, 2, 3, 4, 5, 6, 7), 0);
    assert_int_equal(SET(view, 6, 0, 2), 0);
    assert_int_equal(used(pool), 3);
    assert_int_equal(SET(view, 0, 7, 5, 5, 3, 4, 5, 6, 7), -EDQUOT);
    assert_int_equal(SET(view, 6, 6, 7), 0);
    assert_int_equal(SET(view, 0, 7, 5, 5), 0);
    assert_int_equal(used(pool), 4);
    assert_int_equal(seen(view), 4);
    mw_rewire_destroy(pool);
}

/* ---- whatever comes: a model --------------------------------------------------------------- */

enum { PAGES = 12, UNITS = 10 };

struct model {
    struct mw_rewire *pool;
    struct mw_rewire_view *view[2];
    uint64_t pages[2][UNITS];
    uint32_t seed;
};

static uint32_t chance(struct model *m, uint32_t n)
{
    m->seed = m->seed * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)m->seed * n) >> 32);
}

static uint64_t some_page(struct model *m)
{
    return chance(m, 5) == 0 ? NONE : chance(m, PAGES);
}

static int model_set(struct model *m, uint64_t (*want)[UNITS])
{
    uint32_t v = chance(m, 2), first = chance(m, UNITS), n = chance(m, UNITS - first + 1);
    uint64_t page = some_page(m), pages[UNITS];

    for (uint32_t i = 0; i < n; i++) {
        if (chance(m, 3) == 0)
            page = some_page(m);
        want[v][first + i] = pages[i] = page;
        if (page != NONE)
            page = (page + 1) % PAGES;
    }
    return mw_rewire_set(m->view[v], first, pages, n);
}

static int model_swap(struct model *m, uint64_t (*want)[UNITS])
{
    uint32_t v = chance(m, 2), w = chance(m, 2), n = chance(m, UNITS / 2 + 1);
    uint32_t a = chance(m, UNITS - n + 1), b = chance(m, UNITS - n + 1);

    if (v == w && (a < b ? b - a : a - b) < n)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t page = want[v][a + i];
        want[v][a + i] = want[w][b + i];
        want[w][b + i] = page;
    }
    return mw_rewire_swap(m->view[v], a, m->view[w], b, n);
}

static uint64_t runs(const uint64_t *pages, uint64_t n)
{
    uint64_t all = 1;

    for (uint64_t i = 1; i < n; i++)
        all += pages[i - 1] == NONE ? pages[i] != NONE : pages[i] != pages[i - 1] + 1;
    return all;
}

/* The fewest runs that pages shown so many times each can be: REWIRE-9 */
static uint64_t fewest(const uint64_t *pages)
{
    unsigned times[PAGES + 1] = {0}, none = 0;
    uint64_t n = 0;

    for (uint64_t i = 0; i < UNITS; i++)
        if (pages[i] == NONE)
            none = 1;
        else
            times[pages[i] + 1]++;
    for (uint64_t i = 1; i <= PAGES; i++)
        n += times[i] > times[i - 1] ? times[i] - times[i - 1] : 0;
    return n + none;
}

static int model_compact(struct model *m, uint64_t (*want)[UNITS])
{
    uint32_t v = chance(m, 2);
    uint64_t to[UNITS], old[UNITS];
    int err = mw_rewire_compact(m->view[v], to);

    if (err)
        return err;
    memcpy(old, want[v], sizeof old);
    for (uint64_t i = 0; i < UNITS; i++)
        want[v][i] = NONE;
    for (uint64_t i = 0; i < UNITS; i++) {
        assert_int_equal(to[i] == NONE, old[i] == NONE);
        if (to[i] != NONE) {
            assert_true(to[i] < UNITS);
            assert_int_equal(want[v][to[i]], NONE); /* none came there twice */
            want[v][to[i]] = old[i];
        }
    }
    for (uint64_t i = 1; i < UNITS; i++)
        assert_true(want[v][i - 1] != NONE || want[v][i] == NONE);
    assert_int_equal(runs(want[v], UNITS), fewest(old));
    return 0;
}

static void model_check(const struct model *m)
{
    uint64_t here = 0;

    for (int v = 0; v < 2; v++) {
        assert_true(is(m->view[v], m->pages[v]));
        assert_int_equal(runs(m->pages[v], UNITS), seen(m->view[v]));
        here += seen(m->view[v]);
    }
    assert_int_equal(used(m->pool), here);
}

/* A call of the model, with a host call that fails in every third: done, or all as it was. */
static void model_step(struct model *m)
{
    int (*const calls[])(struct model *, uint64_t (*)[UNITS]) = {model_set, model_set, model_set, model_swap,
                                                                 model_compact};
    uint64_t want[2][UNITS];
    bool failed = false;
    int err;

    memcpy(want, m->pages, sizeof want);
    if (chance(m, 3) == 0)
        fail_from(chance(m, 8), ENOMEM, false);
    err = calls[chance(m, 5)](m, want);
    failed = fail_never();
    assert_true(err == 0 || err == -EDQUOT || (failed && err == -ENOMEM));
    if (err == 0)
        memcpy(m->pages, want, sizeof want);
}

static void run_model(unsigned flags, uint64_t limit, unsigned steps)
{
    struct model m = {.seed = flags * 77 + (uint32_t)limit};
    struct mw_rewire_view *all;

    m.pool = pool_of(PAGES, limit + 1, flags); /* one: the view of all */
    all = marked(m.pool, PAGES);
    mw_rewire_view_destroy(all);
    for (int v = 0; v < 2; v++) {
        m.view[v] = view_of(m.pool, UNITS);
        memset(m.pages[v], 0xff, sizeof m.pages[v]);
    }
    for (unsigned i = 0; i < steps; i++) {
        model_step(&m);
        model_check(&m);
        assert_true(used(m.pool) <= limit + 1);
    }
    mw_rewire_destroy(m.pool);
}

static void anything(void **state)
{
    (void)state;
    fail_never();
    run_model(0, 1000, 3000);
    run_model(0, 12, 3000);
    run_model(MW_REWIRE_ADVISE_HUGE, 1000, 1000);
    run_model(MW_REWIRE_ADVISE_HUGE, 15, 1000);
    if (creation(0, PAGES, MW_REWIRE_HUGE) == 0) {
        run_model(MW_REWIRE_HUGE, 1000, 1000);
        run_model(MW_REWIRE_HUGE, 12, 1000);
    }
}

/* ---- wholly or not at all: REWIRE-5, REWIRE-6 ------------------------------------------------ */

static const uint64_t before[8] = {0, 1, 5, NONE, NONE, 2, 3, 7}, after[8] = {6, 1, 2, 3, NONE, NONE, 0, 7};

static int to_after(struct mw_rewire_view *view)
{
    return mw_rewire_set(view, 0, after, 8);
}

/* The whole of it the other way round, in two ranges side by side. */
static int swap_halves(struct mw_rewire_view *view)
{
    return mw_rewire_swap(view, 0, view, 4, 4);
}

static int compact(struct mw_rewire_view *view)
{
    uint64_t to[8];
    return mw_rewire_compact(view, to);
}

static int snapshot(struct mw_rewire_view *view)
{
    struct mw_rewire_view *made = NULL;
    int err = mw_rewire_snapshot(view, MW_REWIRE_COPY_ON_WRITE, &made);

    mw_rewire_view_destroy(made);
    return err;
}

static int view_more(struct mw_rewire_view *view)
{
    struct mw_rewire_view *made = NULL;
    int err = mw_rewire_snapshot(view, 0, &made);

    mw_rewire_view_destroy(made);
    return err;
}

static int (*const changes[])(struct mw_rewire_view *) = {to_after, swap_halves, compact, snapshot, view_more};

static void every_failure(void **state)
{
    static const int errors[] = {ENOMEM, EAGAIN, EPERM};
    (void)state;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct mw_rewire *pool = pool_of(8, 0, 0);
        unsigned n;

        mw_rewire_view_destroy(marked(pool, 8));
        for (n = 0; n < 100; n++) {
            struct mw_rewire_view *view = view_of(pool, 8);
            size_t bytes;
            uint64_t mappings;
            int err;

            assert_int_equal(mw_rewire_set(view, 0, before, 8), 0);
            bytes = mapped_bytes();
            mappings = used(pool);
            fail_from(n, errors[n % 3], false);
            err = changes[i](view);
            if (!fail_never()) {
                assert_int_equal(err, 0);
                mw_rewire_view_destroy(view);
                break;
            }
            assert_true(err == -errors[n % 3] || err == -ENOMEM);
            assert_true(is(view, before));
            assert_int_equal(used(pool), mappings);
            assert_int_equal(seen(view), mappings);
            assert_int_equal(mapped_bytes(), bytes);
            mw_rewire_view_destroy(view);
        }
        assert_in_range(n, 3, 99);
        mw_rewire_destroy(pool);
    }
}

/* A host whose failing mmap has taken away what was there. */
static void torn_mappings(void **state)
{
    struct mw_rewire *pool = pool_of(8, 0, 0);
    struct mw_rewire_view *view = marked(pool, 8);
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        for (tear_at = 0; tear_at < 100; tear_at++) {
            int err;

            assert_int_equal(mw_rewire_set(view, 0, before, 8), 0);
            watch(torn);
            err = changes[i](view);
            if (watched() <= tear_at)
                break;
            assert_int_equal(err, -ENOMEM);
            assert_true(is(view, before));
            assert_int_equal(seen(view), used(pool));
        }
        assert_in_range(tear_at, 2, 99);
    }
    mw_rewire_destroy(pool);
}

/* When undoing is refused too, what is not known is told; and it can be set anew. */
static void lost(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct mw_rewire *pool = pool_of(8, 0, 0);
        struct mw_rewire_view *view = marked(pool, 8), *other = NULL;
        uint64_t pages[8], to[8];
        unsigned n, bad = 0;

        for (n = 0; n < 100; n++) {
            int err;

            assert_int_equal(mw_rewire_set(view, 0, before, 8), 0);
            fail_from(n, ENOMEM, true);
            err = changes[i](view);
            if (!fail_never())
                break;
            assert_int_equal(mw_rewire_pages(view, 0, 8, pages), 0);
            if (err == -ENOMEM) { /* before the first step */
                assert_true(is(view, before));
                continue;
            }
            assert_int_equal(err, -ENOTRECOVERABLE);
            bad = 0;
            for (int k = 0; k < 8; k++)
                if (pages[k] == MW_REWIRE_LOST)
                    bad++;
                else
                    assert_true(pages[k] == before[k] && (pages[k] == NONE || *word(view, (uint64_t)k) == pages[k] + 1));
            assert_true(bad > 0);
            assert_int_equal(mw_rewire_snapshot(view, 0, &other), -EINVAL);
            assert_int_equal(mw_rewire_compact(view, to), -EINVAL);
            assert_int_equal(mw_rewire_swap(view, 0, view, 4, 4), -EINVAL);
        }
        assert_in_range(n, 2, 99);
        assert_true(bad > 1);
        /* and where that fails half-way what is not known stays so */
        assert_int_equal(mw_rewire_pages(view, 0, 8, pages), 0);
        assert_int_equal(mw_rewire_set(view, 0, NULL, 0), 0); /* the spare is back */
        fail_from(1, ENOMEM, false);
        assert_int_equal(mw_rewire_set(view, 0, before, 8), -ENOMEM);
        assert_true(fail_never());
        assert_int_equal(mw_rewire_pages(view, 0, 8, to), 0);
        assert_memory_equal(to, pages, sizeof to);
        assert_int_equal(mw_rewire_set(view, 0, before, 8), 0);
        assert_true(is(view, before));
        assert_int_equal(seen(view), used(pool));
        mw_rewire_destroy(pool);
    }
}

/* What is lost counts as a mapping for each unit: a budget is no reason not to mend it. */
static void lost_beyond_the_budget(void **state)
{
    struct mw_rewire *pool = pool_of(4, 3, 0);
    struct mw_rewire_view *view = marked(pool, 4);
    (void)state;

    fail_from(1, ENOMEM, true);
    assert_int_equal(SET(view, 0, 0, 2, 3, 1), -ENOTRECOVERABLE);
    assert_true(fail_never());
    assert_int_equal(used(pool), 4);
    assert_int_equal(SET(view, 0, 0, 1, 2, 3), 0);
    SHOWS(view, 0, 1, 2, 3);
    assert_int_equal(used(pool), 1);
    mw_rewire_destroy(pool);
}

/* What a snapshot loses is its own. */
static void lost_snapshot(void **state)
{
    struct mw_rewire *pool = pool_of(8, 0, 0);
    struct mw_rewire_view *view = marked(pool, 8);
    unsigned n;
    (void)state;

    assert_int_equal(mw_rewire_set(view, 0, before, 8), 0);
    for (n = 0; n < 100; n++) {
        int err;

        fail_from(n, ENOMEM, true);
        err = snapshot(view);
        if (!fail_never())
            break;
        assert_int_equal(err, -ENOMEM);
        assert_true(is(view, before));
        assert_int_equal(used(pool), 5);
    }
    assert_in_range(n, 4, 99);
    mw_rewire_destroy(pool);
}

static int no_protect(void *at, size_t size, int prot)
{
    (void)at, (void)size, (void)prot;
    errno = ENOMEM;
    return -1;
}

/* Without a spare there might be no way back: nothing is begun. */
static void no_spare(void **state)
{
    struct mw_rewire *pool = pool_of(8, 0, 0);
    struct mw_rewire_view *view = marked(pool, 8);
    (void)state;

    assert_int_equal(mw_rewire_set(view, 0, before, 8), 0);
    watch(torn);
    tear_at = 0;
    mw_hostcall.protect = no_protect;
    assert_int_equal(to_after(view), -ENOMEM);
    assert_true(is(view, before));
    maps = 1; /* past the tear */
    assert_int_equal(to_after(view), -ENOMEM);
    assert_int_equal(watched(), 2); /* the spare's own, in vain */
    assert_true(is(view, before));
    assert_int_equal(to_after(view), 0);
    assert_true(is(view, after));
    mw_rewire_destroy(pool);
}

/* ---- on the way back ---------------------------------------------------------------------- */

static const struct model *on_the_way;
static uint64_t peak, peak_back;

/* As `torn`, and how many host mappings there are after each call, before the failure and since. */
static void *followed(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    bool back = maps > tear_at;
    void *got = torn(at, size, prot, flags, fd, offset);
    uint64_t n = seen(on_the_way->view[0]) + seen(on_the_way->view[1]);

    if (!back && got != MAP_FAILED && n > peak)
        peak = n;
    if (back && (flags & MAP_FIXED) && n > peak_back)
        peak_back = n;
    return got;
}

/* The way back is the way there: never more than one host mapping more, a piece of a run. */
static void way_back(void **state)
{
    struct model m = {.seed = 5};
    struct mw_rewire_view *all;
    unsigned times = 0;
    (void)state;

    m.pool = pool_of(PAGES, 0, 0);
    all = marked(m.pool, PAGES);
    mw_rewire_view_destroy(all);
    for (int v = 0; v < 2; v++) {
        m.view[v] = view_of(m.pool, UNITS);
        memset(m.pages[v], 0xff, sizeof m.pages[v]);
    }
    on_the_way = &m;
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t want[2][UNITS];
        int err;

        memcpy(want, m.pages, sizeof want);
        peak = used(m.pool);
        peak_back = 0;
        watch(followed);
        tear_at = chance(&m, 12);
        err = i % 2 ? model_swap(&m, want) : model_set(&m, want);
        times += watched() > tear_at;
        if (err == 0)
            memcpy(m.pages, want, sizeof want);
        assert_true(peak_back <= peak + 1);
    }
    model_check(&m);
    assert_true(times > 300);
    mw_rewire_destroy(m.pool);
}

static size_t map_limit(void)
{
    FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
    size_t n = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%zu", &n), 1);
    fclose(f);
    return n;
}

static bool mapped(void *at)
{
    return msync(at, PAGE, MS_ASYNC) == 0;
}

static unsigned char *place;

static void *map_at_place(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    return real.map(at ? at : place, size, prot, flags, fd, offset);
}

/* What is made next lies in a gap of `pages` and is one host mapping with what is around it. */
static void among_others(size_t pages)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

    place = mmap(NULL, 64 * PAGE, PROT_NONE, flags, -1, 0);
    place += 16 * PAGE;
    munmap(place, pages * PAGE);
    watch(map_at_place);
}

/* Takes a pool of 64 pages, its spare and a view that shows nothing among others' mappings. */
static struct mw_rewire_view *merged(struct mw_rewire **pool)
{
    struct mw_rewire_view *view;

    among_others(7);
    *pool = pool_of(64, 0, 0);
    watched();
    assert_true(mapped(place) && mapped(place + 6 * PAGE));
    among_others(8);
    view = view_of(*pool, 8);
    watched();
    assert_ptr_equal(view->data, place);
    return view;
}

/* Takes host mappings until the host has only about `left`. */
static bool take_mappings(unsigned char *at, size_t left)
{
    size_t splits = 0;

    while (mprotect(at + (2 * splits + 1) * PAGE, PAGE, PROT_READ) == 0)
        splits++;
    for (size_t i = 0; i < left / 2; i++) /* two each */
        if (mprotect(at + (2 * --splits + 1) * PAGE, PAGE, PROT_NONE) != 0)
            return false;
    return true;
}

/*
 * The host's own limit on mappings: `left` of them free, a change that needs more. At the
 * limit no mmap over a mapping succeeds any more, not even one that goes back.
 */
static bool at_the_limit(size_t left)
{
    struct mw_rewire *pool;
    struct mw_rewire_view *idle = merged(&pool), *view = marked(pool, 64);
    size_t size = 2 * (map_limit() + 10) * PAGE;
    unsigned char *fill = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned char *gone = idle->data;
    uint64_t pages[64], identity[64];
    bool good = fill != MAP_FAILED && take_mappings(fill, left);

    for (uint64_t i = 0; i < 64; i++)
        identity[i] = i, pages[i] = i % 2 ? i : 63 - i;
    mw_rewire_view_destroy(idle);
    good = good && !mapped(gone) && !mapped(gone + 7 * PAGE) && mapped(gone - PAGE);
    for (int i = 0; good && i < 3; i++) {
        good = mw_rewire_set(view, 0, pages, 64) == -ENOMEM && is(view, identity) && used(pool) == 1;
        good = good && mw_rewire_swap(view, 0, view, 32, 32) != -ENOTRECOVERABLE;
        good = good && mw_rewire_set(view, 0, identity, 64) != -ENOTRECOVERABLE;
        good = good && is(view, identity);
    }
    mw_rewire_view_destroy(view);
    munmap(fill, size);
    view = view_of(pool, 64);
    good = good && mw_rewire_set(view, 0, pages, 64) == 0 && is(view, pages);
    mw_rewire_destroy(pool);
    return good;
}

static bool limits(void *arg)
{
    (void)arg;
    for (size_t left = 0; left < 40; left += left < 16 ? 1 : 7)
        if (!at_the_limit(left))
            return false;
    return true;
}

static void host_limit(void **state)
{
    (void)state;
    assert_true(in_child(limits, NULL));
}

/* ---- swap, snapshots: REWIRE-8 ------------------------------------------------------------------ */

static void swaps(void **state)
{
    struct mw_rewire *pool = pool_of(8, 0, 0);
    struct mw_rewire_view *a = marked(pool, 8), *b = view_of(pool, 4);
    (void)state;

    assert_int_equal(mw_rewire_swap(a, 0, a, 4, 4), 0);
    SHOWS(a, 4, 5, 6, 7, 0, 1, 2, 3);
    assert_int_equal(mw_rewire_swap(a, 7, a, 1, 1), 0);
    SHOWS(a, 4, 3, 6, 7, 0, 1, 2, 5);
    assert_int_equal(mw_rewire_swap(a, 3, b, 0, 3), 0);
    SHOWS(a, 4, 3, 6, NONE, NONE, NONE, 2, 5);
    SHOWS(b, 7, 0, 1, NONE);
    assert_int_equal(mw_rewire_swap(b, 1, b, 1, 0), 0);
    SHOWS(b, 7, 0, 1, NONE);
    mw_rewire_destroy(pool);
}

static void swaps_of_many(void **state)
{
    struct mw_rewire *pool = pool_of(301, 0, 0);
    struct mw_rewire_view *view = marked(pool, 301);
    uint64_t pages[301];
    (void)state;

    assert_int_equal(mw_rewire_swap(view, 0, view, 151, 150), 0);
    for (uint64_t i = 0; i < 301; i++)
        pages[i] = i < 150 ? i + 151 : i > 150 ? i - 151 : i;
    assert_true(is(view, pages));
    assert_int_equal(used(pool), 3);
    mw_rewire_destroy(pool);
}

static void aliases(void **state)
{
    struct mw_rewire *pool = pool_of(4, 0, 0);
    struct mw_rewire_view *view = marked(pool, 4), *alias = NULL, *fixed = NULL;
    (void)state;

    assert_int_equal(SET(view, 0, 2, NONE, 0), 0);
    assert_int_equal(mw_rewire_snapshot(view, 0, &alias), 0);
    assert_int_equal(SET(view, 0, 3, 3), 0);
    SHOWS(alias, 2, NONE, 0, 3); /* its wiring is its own, the bytes are not */
    *word(view, 2) = 99;
    assert_int_equal(*word(alias, 2), 99);
    assert_true(faults(alias->data, true));
    assert_true(faults(alias->data + PAGE, false));
    assert_int_equal(SET(alias, 0, 1), 0);
    assert_int_equal(*word(alias, 0), 2);
    assert_true(faults(alias->data, true));
    assert_int_equal(mw_rewire_view_create(pool, 1, MW_REWIRE_READ_ONLY, &fixed), 0);
    assert_int_equal(SET(fixed, 0, 1), 0);
    SHOWS(fixed, 1);
    assert_true(faults(fixed->data, true));
    mw_rewire_destroy(pool);
}

static void copies(void **state)
{
    struct mw_rewire *pool = pool_of(4, 0, 0);
    struct mw_rewire_view *view = marked(pool, 4), *copy = NULL;
    struct mw_rewire_stats s;
    (void)state;

    assert_int_equal(mw_rewire_snapshot(view, MW_REWIRE_COPY_ON_WRITE, &copy), 0);
    SHOWS(copy, 0, 1, 2, 3);
    *word(copy, 1) = 100;
    assert_int_equal(*word(view, 1), 2);
    *word(view, 1) = 200; /* not seen where it has written, */
    *word(view, 2) = 300; /* seen where it has not */
    assert_int_equal(*word(copy, 1), 100);
    assert_int_equal(*word(copy, 2), 300);
    mw_rewire_stats(pool, &s);
    assert_int_equal(s.views, 2);
    assert_int_equal(s.held, 4 * PAGE);
    assert_int_equal(mw_rewire_release(pool, (const uint64_t[]){1, 2}, 2), 0);
    assert_int_equal(*word(copy, 1), 100);
    assert_int_equal(*word(copy, 2), 0);
    assert_int_equal(SET(view, 0, 3), 0);
    assert_int_equal(*word(copy, 0), 1);
    mw_rewire_view_destroy(copy);
    assert_int_equal(*word(view, 1), 0);
    mw_rewire_destroy(pool);
}

/* ---- compact: REWIRE-9 --------------------------------------------------------------------------- */

static void compacts(void **state)
{
    struct mw_rewire *pool = pool_of(8, 0, 0);
    struct mw_rewire_view *view = marked(pool, 8);
    uint64_t to[8];
    (void)state;

    assert_int_equal(SET(view, 0, NONE, 5, NONE, 6, 5, 2, 6, NONE), 0);
    assert_int_equal(mw_rewire_compact(view, to), 0);
    SHOWS(view, 2, 5, 6, 5, 6, NONE, NONE, NONE);
    assert_memory_equal(to, ((const uint64_t[]){NONE, 1, NONE, 2, 3, 0, 4, NONE}), sizeof to);
    assert_int_equal(used(pool), 4);
    watch(counted);
    assert_int_equal(mw_rewire_compact(view, to), 0);
    assert_int_equal(watched(), 0);
    assert_memory_equal(to, ((const uint64_t[]){0, 1, 2, 3, 4, NONE, NONE, NONE}), sizeof to);
    assert_true(faults(view->data + 5 * PAGE, false));
    mw_rewire_destroy(pool);
}

/* ---- release: REWIRE-10 --------------------------------------------------------------------------- */

static void releases(void **state)
{
    struct mw_rewire *pool = pool_of(8, 0, 0);
    struct mw_rewire_view *view = marked(pool, 8);
    struct mw_rewire_stats s;
    (void)state;

    mw_rewire_stats(pool, &s);
    assert_int_equal(s.held, 8 * PAGE);
    assert_int_equal(SET(view, 0, 7), 0);
    assert_int_equal(mw_rewire_release(pool, (const uint64_t[]){7, 2, 3, 0}, 4), 0);
    mw_rewire_stats(pool, &s);
    assert_int_equal(s.held, 4 * PAGE);
    for (uint64_t i = 0; i < 8; i++) /* shown or not: 7 is twice, 0 is nowhere */
        assert_int_equal(*word(view, i), i == 0 || i == 2 || i == 3 || i == 7 ? 0 : i + 1);
    assert_int_equal(SET(view, 1, 0), 0);
    assert_int_equal(*word(view, 1), 0);
    *word(view, 1) = 5; /* and it is memory again */
    assert_int_equal(*word(view, 1), 5);
    fail_from(1, EIO, false);
    assert_int_equal(mw_rewire_release(pool, (const uint64_t[]){4, 6}, 2), -EIO);
    assert_true(fail_never());
    assert_int_equal(*word(view, 4), 0);
    assert_int_equal(*word(view, 6), 7);
    assert_int_equal(mw_rewire_release(pool, NULL, 0), 0);
    mw_rewire_destroy(pool);
}

/* ---- fork: REWIRE-7 ---------------------------------------------------------------------------------- */

struct family {
    struct mw_rewire *pool;
    struct mw_rewire_view *view, *copy;
};

static bool child_rewires(void *arg)
{
    struct family *f = arg;
    bool good = is(f->view, (const uint64_t[]){0, 1, 2, 3}) && *word(f->copy, 0) == 50;

    *word(f->view, 3) = 33;
    *word(f->copy, 0) = 51;
    *word(f->copy, 1) = 52;
    good = good && SET(f->view, 0, 3, 2, 1, 0) == 0 && *word(f->view, 0) == 33 && *word(f->view, 3) == 1;
    good = good && mw_rewire_release(f->pool, (const uint64_t[]){2}, 1) == 0;
    mw_rewire_destroy(f->pool);
    return good;
}

static void forks(void **state)
{
    struct family f = {.pool = pool_of(4, 0, 0)};
    (void)state;

    f.view = marked(f.pool, 4);
    assert_int_equal(mw_rewire_snapshot(f.view, MW_REWIRE_COPY_ON_WRITE, &f.copy), 0);
    *word(f.copy, 0) = 50;
    assert_true(in_child(child_rewires, &f));
    assert_int_equal(*word(f.view, 0), 1); /* as it was set here */
    assert_int_equal(*word(f.view, 1), 2);
    assert_int_equal(*word(f.view, 2), 0); /* released there */
    assert_int_equal(*word(f.view, 3), 33);
    assert_int_equal(*word(f.copy, 0), 50);
    assert_int_equal(*word(f.copy, 1), 2);
    mw_rewire_destroy(f.pool);
}

/* ---- nothing is left over -------------------------------------------------------------------------------- */

static void nothing_leaks(void **state)
{
    static const int errors[] = {ENOMEM, EMFILE, EAGAIN};
    (void)state;

    for (unsigned huge = 0; huge < 2; huge++) {
        unsigned n;
        for (n = 0; n < 100; n++) {
            size_t bytes = mapped_bytes();
            unsigned files = open_files();
            int err;

            fail_from(n, errors[n % 3], false);
            err = creation(0, 4, huge ? MW_REWIRE_HUGE : 0);
            if (!fail_never()) {
                assert_true(err == 0 || huge);
                break;
            }
            assert_true(err == -errors[n % 3] || err == -ENOMEM || (huge && err == -EOPNOTSUPP));
            assert_int_equal(mapped_bytes(), bytes);
            assert_int_equal(open_files(), files);
        }
        assert_in_range(n, 7, 99); /* its own memory, four calls for the spare, memfd, truncate */
    }
}

static void nothing_remains(void **state)
{
    size_t bytes = 0;
    unsigned files = 0;
    (void)state;

    for (int n = 0; n < 100; n++) {
        struct mw_rewire_config config = {.unit = 4 * PAGE, .pages = 8};
        struct mw_rewire *pool = NULL;
        struct mw_rewire_view *view, *copy = NULL;

        assert_int_equal(mw_rewire_create(&config, &pool), 0);
        view = marked(pool, 8);
        assert_int_equal(mw_rewire_snapshot(view, MW_REWIRE_COPY_ON_WRITE, &copy), 0);
        if (n % 2)
            mw_rewire_view_destroy(view);
        assert_int_equal(used(pool), n % 2 ? 1 : 2);
        mw_rewire_destroy(pool);
        if (n == 1) {
            bytes = mapped_bytes();
            files = open_files();
        }
    }
    assert_int_equal(mapped_bytes(), bytes);
    assert_int_equal(open_files(), files);
}

static void view_without_memory(void **state)
{
    struct mw_rewire *pool = pool_of(4, 0, 0);
    struct mw_rewire_view *view = NULL;
    size_t bytes = mapped_bytes();
    (void)state;

    for (unsigned n = 0; n < 3; n++) {
        fail_from(n, ENOMEM, false);
        assert_int_equal(mw_rewire_view_create(pool, 4, 0, &view), -ENOMEM);
        assert_true(fail_never());
        assert_null(view);
        assert_int_equal(mapped_bytes(), bytes);
        assert_int_equal(used(pool), 0);
    }
    mw_rewire_destroy(pool);
}

static void huge_pages_missing(void **state)
{
    static const struct {
        int err, answer;
    } cases[] = {{EINVAL, -EOPNOTSUPP}, {ENOSYS, -EOPNOTSUPP}, {ENODEV, -EOPNOTSUPP},
                 {ENOENT, -EOPNOTSUPP}, {EMFILE, -EMFILE}, {ENOMEM, -ENOMEM}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fail_from(5, cases[i].err, false); /* after its own memory and the spare: memfd */
        assert_int_equal(creation(0, 1, MW_REWIRE_HUGE), cases[i].answer);
        assert_true(fail_never());
    }
}

/* Advice is advice where the kernel knows none; where it is refused the step is undone. */
static void advice(void **state)
{
    struct mw_rewire *pool = pool_of(3, 0, MW_REWIRE_ADVISE_HUGE);
    struct mw_rewire_view *view = marked(pool, 3);
    (void)state;

    assert_int_equal(view->unit, HUGE);
    assert_int_equal(seen(view), 1);
    fail_from(1, EINVAL, false);
    assert_int_equal(SET(view, 0, 2), 0);
    assert_true(fail_never());
    SHOWS(view, 2, 1, 2);
    fail_from(1, ENOMEM, false);
    assert_int_equal(SET(view, 0, 0), -ENOMEM);
    assert_true(fail_never());
    SHOWS(view, 2, 1, 2);
    mw_rewire_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shown),
        cmocka_unit_test(addresses_stay),
        cmocka_unit_test(units),
        cmocka_unit_test(refused_pools),
        cmocka_unit_test(closes_on_exec),
        cmocka_unit_test(huge_pages_set_aside),
        cmocka_unit_test(refused_views),
        cmocka_unit_test(refused_changes),
        cmocka_unit_test(one_call_a_run),
        cmocka_unit_test(budget),
        cmocka_unit_test(anything),
        cmocka_unit_test(every_failure),
        cmocka_unit_test(torn_mappings),
        cmocka_unit_test(lost),
        cmocka_unit_test(lost_beyond_the_budget),
        cmocka_unit_test(lost_snapshot),
        cmocka_unit_test(no_spare),
        cmocka_unit_test(way_back),
        cmocka_unit_test(host_limit),
        cmocka_unit_test(swaps),
        cmocka_unit_test(swaps_of_many),
        cmocka_unit_test(aliases),
        cmocka_unit_test(copies),
        cmocka_unit_test(compacts),
        cmocka_unit_test(releases),
        cmocka_unit_test(forks),
        cmocka_unit_test(nothing_leaks),
        cmocka_unit_test(nothing_remains),
        cmocka_unit_test(view_without_memory),
        cmocka_unit_test(huge_pages_missing),
        cmocka_unit_test(advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
