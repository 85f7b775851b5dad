/* SPDX-License-Identifier: MIT */
/* rewire.c - chosen pages in chosen order. Rules: SPEC.md, REWIRE-1 to REWIRE-10. */
#include "mapwright/rewire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostcall.h"
#include "spare.h"

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4u
#endif
#define MFD_TWO_MIB (21u << 26)
#define HUGE_PAGE ((size_t)2 << 20)

#define HUGE_MODES (MW_REWIRE_HUGE | MW_REWIRE_ADVISE_HUGE)

/* Host calls are made so many at a time: to plan between them costs more than to plan them together. */
#define BATCH 32

/* The spare's pages differ in turn, so that the middle ones are host mappings of their own. */
#define SPARE_PAGES 7

struct mw_rewire {
    int fd;
    size_t unit;
    size_t small; /* the system's page */
    uint64_t pages;
    uint64_t budget, used; /* host mappings */
    uint64_t room, views;  /* how many views there may be, and are */
    unsigned flags;
    unsigned char *spare; /* host mappings to give up when one is refused; NULL: given up */
    struct view *list;
};

struct view {
    struct mw_rewire_view open; /* first: what the caller holds */
    struct mw_rewire *pool;
    uint64_t *table; /* what each unit shows */
    unsigned char *base; /* the whole reservation */
    size_t span;
    int prot, sharing;
    struct view *next;
};

/* Units that are to show other pages; the first `done` of them do so already. */
struct change {
    struct view *view;
    uint64_t first, n;
    const uint64_t *to;
    uint64_t done;
};

/* What happens wholly or not at all. The views' tables stay as they were until it has. */
struct plan {
    struct change part[2];
    unsigned parts;
    bool lost; /* undoing was refused */
};

/* Units side by side that are to show pages side by side, or none of them a page. */
struct run {
    struct view *view;
    uint64_t start, end, page; /* the first unit's page */
};

static struct view *inner(const struct mw_rewire_view *open)
{
    return (struct view *)(uintptr_t)open;
}

/* Whether [first, first + n) are among `units`. */
static bool within(uint64_t first, uint64_t n, uint64_t units)
{
    return first <= units && n <= units - first;
}

/* Whether a unit that shows `b` is one host mapping with the one before it, that shows `a`. */
static bool continues(uint64_t a, uint64_t b)
{
    return a >= MW_REWIRE_LOST ? a == MW_REWIRE_NONE && b == a : b == a + 1;
}

/* How many of pages[0, n) are one run, the first included. By four, for it is what a call costs beside the host's. */
static uint64_t run_length(const uint64_t *pages, uint64_t n)
{
    uint64_t step = pages[0] != MW_REWIRE_NONE, next = pages[0] + step, i = 1;

    if (pages[0] == MW_REWIRE_LOST)
        return 1;
    for (; n - i >= 4; i += 4, next += 4 * step) {
        const uint64_t *p = pages + i;
        if ((p[0] ^ next) | (p[1] ^ (next + step)) | (p[2] ^ (next + 2 * step)) | (p[3] ^ (next + 3 * step)))
            break;
    }
    for (; i < n && pages[i] == next; next += step)
        i++;
    return i;
}

/* How many runs pages[0, n) are. */
static uint64_t runs_in(const uint64_t *pages, uint64_t n)
{
    uint64_t runs = 0;

    for (uint64_t i = 0; i < n; runs++)
        i += run_length(pages + i, n - i);
    return runs;
}

/* ---- the spare --------------------------------------------------------------- */

/* What has been reached on the way takes three mappings more than the limit at most; the spare's five give way. */
static int spare_make(struct mw_rewire *pool) { return mw_spare_make(&pool->spare, pool->small, SPARE_PAGES); }
static void spare_drop(struct mw_rewire *pool) { mw_spare_drop(&pool->spare, pool->small, SPARE_PAGES); }

/* Unmaps what is ours; the ends may have merged with others' mappings, and to split them needs room. */
static void give_back(struct mw_rewire *pool, void *at, size_t size)
{
    if (mw_hostcall.unmap(at, size) == 0)
        return;
    spare_drop(pool);
    mw_hostcall.unmap(at, size);
    spare_make(pool);
}

/* ---- what is shown while a plan is carried out ---------------------------------- */

static uint64_t shows(const struct plan *p, const struct view *v, uint64_t unit)
{
    for (unsigned k = 0; k < p->parts; k++) {
        const struct change *c = &p->part[k];
        if (c->view == v && unit - c->first < c->done)
            return c->to[unit - c->first];
    }
    return v->table[unit];
}

/* The longest run from a unit on that is shown, up to `end`. */
static struct run run_shown(const struct plan *p, struct view *v, uint64_t start, uint64_t end)
{
    struct run r = {v, start, start + 1, shows(p, v, start)};

    for (uint64_t last = r.page; r.end < end; r.end++) {
        uint64_t page = shows(p, v, r.end);
        if (!continues(last, page))
            break;
        last = page;
    }
    return r;
}

static uint64_t last_page(const struct run *r)
{
    return r->page >= MW_REWIRE_LOST ? r->page : r->page + (r->end - r->start - 1);
}

/*
 * Huge pages of the system's pool never merge (SPEC MERGE-5): there the neighbours that a
 * run continues are mapped with it, so that a run is always one host mapping.
 */
static struct run extended(const struct plan *p, struct run r)
{
    if (!(r.view->pool->flags & MW_REWIRE_HUGE) || r.page >= MW_REWIRE_LOST)
        return r;
    while (r.start > 0 && continues(shows(p, r.view, r.start - 1), r.page)) {
        r.start--;
        r.page--;
    }
    while (r.end < r.view->open.units && continues(last_page(&r), shows(p, r.view, r.end)))
        r.end++;
    return r;
}

/* Whether a host mapping begins at a unit. */
static bool begins(const struct plan *p, const struct view *v, uint64_t unit)
{
    return unit == 0 || !continues(shows(p, v, unit - 1), shows(p, v, unit));
}

/* By how many the host mappings grow when r is mapped, where what the table says is shown yet. */
static int64_t growth(const struct plan *p, const struct run *r)
{
    const struct view *v = r->view;
    int64_t n = r->start == 0 || !continues(shows(p, v, r->start - 1), r->page);

    if (r->end < v->open.units)
        n += !continues(last_page(r), shows(p, v, r->end)) - begins(p, v, r->end);
    /* the first of them may be a mapping's that begins before */
    return n - begins(p, v, r->start) - (int64_t)(runs_in(v->table + r->start, r->end - r->start) - 1);
}

static void recount(struct mw_rewire *pool)
{
    pool->used = 0;
    for (struct view *v = pool->list; v; v = v->next)
        pool->used += runs_in(v->table, v->open.units);
}

/* ---- host calls ------------------------------------------------------------------- */

static int host_map(const struct run *r)
{
    const struct view *v = r->view;
    const struct mw_rewire *pool = v->pool;
    void *at = v->open.data + (size_t)r->start * pool->unit, *got;
    size_t size = (size_t)(r->end - r->start) * pool->unit;

    if (r->page == MW_REWIRE_NONE)
        got = mw_hostcall.map(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                              -1, 0);
    else
        got = mw_hostcall.map(at, size, v->prot, v->sharing | MAP_FIXED, pool->fd,
                              (off_t)(r->page * pool->unit));
    if (got == MAP_FAILED)
        return -errno;
    /* at once, for it merges with what is advised only then; EINVAL: a kernel without huge pages */
    if (pool->flags & MW_REWIRE_ADVISE_HUGE && r->page != MW_REWIRE_NONE &&
        mw_hostcall.advise(at, size, MADV_HUGEPAGE) != 0 && errno != EINVAL)
        return -errno;
    return 0;
}

static void lose(struct plan *p, const struct run *r)
{
    for (uint64_t i = r->start; i < r->end; i++)
        r->view->table[i] = MW_REWIRE_LOST;
    p->lost = true;
}

/* What was there may be gone when a fixed mmap fails: what is shown in r's place is mapped again. */
static void restore(struct plan *p, const struct run *r)
{
    struct run old;

    spare_drop(r->view->pool);
    for (uint64_t at = r->start; at < r->end; at = old.end) {
        old = run_shown(p, r->view, at, r->end);
        if (old.page != MW_REWIRE_LOST) {
            struct run whole = extended(p, old);
            if (host_map(&whole) != 0)
                lose(p, &whole);
        }
    }
}

static int put(struct plan *p, struct run *r)
{
    int err;

    if (r->view->pool->flags & MW_REWIRE_HUGE)
        *r = extended(p, *r);
    err = host_map(r);
    if (err)
        restore(p, r);
    return err;
}

/* ---- plans -------------------------------------------------------------------------- */

/* The next run of a change, without units at its ends that show the right page already. */
static bool next_run(const struct change *c, struct run *r)
{
    const uint64_t *old = c->view->table + c->first, *to = c->to;
    uint64_t i = c->done, end;

    while (i < c->n && old[i] == to[i])
        i++;
    if (i == c->n)
        return false;
    end = i + run_length(to + i, c->n - i);
    while (old[end - 1] == to[end - 1])
        end--;
    *r = (struct run){c->view, c->first + i, c->first + end, to[i]};
    return true;
}

/* How many host mappings more there are at most on the way. */
static int64_t rehearse(struct plan *p)
{
    int64_t more = 0, most = 0;
    struct run r;

    for (unsigned k = 0; k < p->parts; k++) {
        struct change *c = &p->part[k];
        for (; next_run(c, &r); c->done = r.end - c->first) {
            more += growth(p, &r);
            if (more > most)
                most = more;
        }
        c->done = c->n;
    }
    for (unsigned k = 0; k < p->parts; k++)
        p->part[k].done = 0;
    return most;
}

/* From the right to the left, so that there are never more host mappings than there were on the way. */
static void take_back(struct plan *p)
{
    for (unsigned k = p->parts; k-- > 0;) {
        struct change *c = &p->part[k];
        const uint64_t *old = c->view->table + c->first;

        while (c->done > 0) {
            uint64_t end = c->done, start = end - 1;
            bool same = old[start] == c->to[start];
            struct run r;

            for (; start > 0 && continues(old[start - 1], old[start]); start--)
                same = same && old[start - 1] == c->to[start - 1];
            c->done = start;
            r = (struct run){c->view, c->first + start, c->first + end, old[start]};
            if (same || r.page == MW_REWIRE_LOST)
                continue;
            r = extended(p, r);
            if (host_map(&r) != 0)
                lose(p, &r);
        }
    }
}

/* The next runs of a change, as many as there is room for. `*more`: by how many the host mappings grow. */
static unsigned next_runs(const struct plan *p, struct change *c, struct run *batch, int64_t *more)
{
    unsigned n = 0;

    for (; n < BATCH && next_run(c, &batch[n]); n++) {
        *more += growth(p, &batch[n]);
        c->done = batch[n].end - c->first;
    }
    return n;
}

static int perform_part(struct plan *p, struct change *c, int64_t *more)
{
    struct run batch[BATCH];
    uint64_t planned;
    unsigned n;

    do {
        n = next_runs(p, c, batch, more);
        planned = c->done;
        for (unsigned i = 0; i < n; i++) {
            int err;

            c->done = batch[i].start - c->first;
            err = put(p, &batch[i]);
            if (err)
                return err;
        }
        c->done = planned;
    } while (n == BATCH);
    c->done = c->n;
    return 0;
}

static int perform(struct plan *p, int64_t *more)
{
    int err = 0;

    for (unsigned k = 0; k < p->parts && !err; k++)
        err = perform_part(p, &p->part[k], more);
    if (err)
        take_back(p);
    return err;
}

static bool beyond_budget(const struct mw_rewire *pool, struct plan *p)
{
    int64_t most = pool->budget ? rehearse(p) : 0;

    return most > 0 && pool->used + (uint64_t)most > pool->budget;
}

/* Everything of a call that may fail once its arguments are good. The caller writes the tables. */
static int carry_out(struct mw_rewire *pool, struct plan *p)
{
    int64_t more = 0;
    int err;

    if (beyond_budget(pool, p))
        return -EDQUOT;
    err = spare_make(pool);
    if (err)
        return err;
    err = perform(p, &more);
    if (err)
        spare_make(pool); /* where it can't be, the next call says so */
    else
        pool->used += (uint64_t)more;
    if (!p->lost)
        return err;
    recount(pool);
    return -ENOTRECOVERABLE;
}

/* ---- the pool --------------------------------------------------------------------- */

/* What a shared mapping of huge pages sets aside stays so when it is gone. */
static int set_aside(int fd, size_t size)
{
    void *all = mw_hostcall.map(NULL, size, PROT_NONE, MAP_SHARED, fd, 0);

    if (all == MAP_FAILED)
        return -errno;
    mw_hostcall.unmap(all, size);
    return 0;
}

/* The memory itself. */
static int object_make(size_t size, unsigned flags, int *out)
{
    unsigned huge = flags & MW_REWIRE_HUGE ? MFD_HUGETLB | MFD_TWO_MIB : 0;
    int fd = mw_hostcall.memfd("mw_rewire", MFD_CLOEXEC | huge), err;

    if (fd < 0)
        /* how a kernel says that it does not have such pages: by version and build */
        return huge && (errno == EINVAL || errno == ENOSYS || errno == ENODEV || errno == ENOENT)
                   ? -EOPNOTSUPP
                   : -errno;
    err = mw_hostcall.truncate(fd, (off_t)size) != 0 ? -errno : huge ? set_aside(fd, size) : 0;
    if (err)
        close(fd);
    else
        *out = fd;
    return err;
}

static int unit_of(const struct mw_rewire_config *config, size_t small, size_t *unit)
{
    size_t least = config->flags & HUGE_MODES && small < HUGE_PAGE ? HUGE_PAGE : small;

    *unit = config->unit ? config->unit : least;
    return *unit < least || *unit & (*unit - 1) ? -EINVAL : 0;
}

/* Whether so many bytes are a size, and one that a file can have. */
static bool file_size(uint64_t bytes)
{
    return bytes <= SIZE_MAX / 2 && (off_t)bytes >= 0 && (uint64_t)(off_t)bytes == bytes;
}

int mw_rewire_create(const struct mw_rewire_config *config, struct mw_rewire **out)
{
    size_t small = (size_t)sysconf(_SC_PAGESIZE), unit;
    struct mw_rewire *pool;
    int err;

    if (config->pages == 0 || config->flags & ~HUGE_MODES || config->flags == HUGE_MODES ||
        unit_of(config, small, &unit) != 0)
        return -EINVAL;
    if (config->pages > UINT64_MAX / unit || !file_size(config->pages * unit))
        return -EOVERFLOW;
    pool = mw_hostcall.resize(NULL, sizeof *pool);
    if (!pool)
        return -ENOMEM;
    *pool = (struct mw_rewire){.unit = unit,
                               .small = small,
                               .pages = config->pages,
                               .budget = config->budget,
                               .room = config->views,
                               .flags = config->flags};
    err = spare_make(pool);
    if (!err)
        err = object_make((size_t)config->pages * unit, config->flags, &pool->fd);
    if (err) {
        spare_drop(pool);
        free(pool);
        return err;
    }
    *out = pool;
    return 0;
}

void mw_rewire_destroy(struct mw_rewire *pool)
{
    if (!pool)
        return;
    while (pool->list)
        mw_rewire_view_destroy(&pool->list->open);
    spare_drop(pool);
    close(pool->fd);
    free(pool);
}

int mw_rewire_release(struct mw_rewire *pool, const uint64_t *pages, uint64_t n)
{
    uint64_t end;

    for (uint64_t i = 0; i < n; i++)
        if (pages[i] >= pool->pages)
            return -EINVAL;
    for (uint64_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && continues(pages[end - 1], pages[end]);)
            end++;
        if (mw_hostcall.punch(pool->fd, (off_t)(pages[i] * pool->unit), (off_t)((end - i) * pool->unit)) != 0)
            return -errno;
    }
    return 0;
}

void mw_rewire_stats(const struct mw_rewire *pool, struct mw_rewire_stats *out)
{
    struct stat s = {0};

    fstat(pool->fd, &s);
    *out = (struct mw_rewire_stats){
        .host_mappings = pool->used, .views = pool->views, .held = (uint64_t)s.st_blocks * 512};
}

/* ---- views ---------------------------------------------------------------------------- */

/* Addresses, of which all show nothing; more than the units', to begin at a multiple of one. */
static int reserve(struct view *v)
{
    size_t unit = v->pool->unit, bytes = (size_t)v->open.units * unit;
    void *at;

    v->span = bytes + unit - v->pool->small;
    at = mw_hostcall.map(NULL, v->span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    v->base = at;
    v->open.data = (unsigned char *)(((uintptr_t)at + unit - 1) & ~(uintptr_t)(unit - 1));
    return 0;
}

/* A view that shows nothing yet, its limits asked already. */
static int view_make(struct mw_rewire *pool, uint64_t units, int prot, int sharing, struct view **out)
{
    struct view *v = mw_hostcall.resize(NULL, sizeof *v);
    int err;

    if (!v)
        return -ENOMEM;
    *v = (struct view){.open = {.units = units, .unit = pool->unit},
                       .pool = pool,
                       .prot = prot,
                       .sharing = sharing};
    err = reserve(v);
    if (!err) {
        v->table = mw_hostcall.resize(NULL, (size_t)units * sizeof *v->table);
        if (!v->table) {
            give_back(pool, v->base, v->span);
            err = -ENOMEM;
        }
    }
    if (err) {
        free(v);
        return err;
    }
    memset(v->table, 0xff, (size_t)units * sizeof *v->table); /* MW_REWIRE_NONE */
    v->next = pool->list;
    pool->list = v;
    pool->views++;
    pool->used++;
    *out = v;
    return 0;
}

static int view_room(const struct mw_rewire *pool)
{
    return (pool->room && pool->views >= pool->room) || (pool->budget && pool->used >= pool->budget) ? -EDQUOT
                                                                                                      : 0;
}

int mw_rewire_view_create(struct mw_rewire *pool, uint64_t units, unsigned flags, struct mw_rewire_view **out)
{
    int prot = flags & MW_REWIRE_READ_ONLY ? PROT_READ : PROT_READ | PROT_WRITE, err;
    struct view *v;

    if (units == 0 || flags & ~MW_REWIRE_READ_ONLY)
        return -EINVAL;
    if (units > SIZE_MAX / 4 / pool->unit)
        return -EOVERFLOW;
    err = view_room(pool);
    if (!err)
        err = view_make(pool, units, prot, MAP_SHARED, &v);
    if (!err)
        *out = &v->open;
    return err;
}

void mw_rewire_view_destroy(struct mw_rewire_view *open)
{
    struct view *v = inner(open), **at;
    struct mw_rewire *pool;

    if (!open)
        return;
    pool = v->pool;
    for (at = &pool->list; *at != v;)
        at = &(*at)->next;
    *at = v->next;
    pool->views--;
    pool->used -= runs_in(v->table, open->units);
    give_back(pool, v->base, v->span);
    free(v->table);
    free(v);
}

int mw_rewire_pages(const struct mw_rewire_view *open, uint64_t first, uint64_t n, uint64_t *pages)
{
    const struct view *v = inner(open);

    if (!within(first, n, open->units))
        return -EINVAL;
    if (n > 0)
        memcpy(pages, v->table + first, (size_t)n * sizeof *pages);
    return 0;
}

/* ---- calls that move pages -------------------------------------------------------------- */

static bool all_exist(const struct mw_rewire *pool, const uint64_t *pages, uint64_t n)
{
    uint64_t length;

    for (uint64_t i = 0; i < n; i += length) {
        length = run_length(pages + i, n - i);
        if (pages[i] != MW_REWIRE_NONE && (pages[i] >= pool->pages || length > pool->pages - pages[i]))
            return false;
    }
    return true;
}

/* `set` without asking who may. */
static int wire(struct view *v, uint64_t first, const uint64_t *pages, uint64_t n)
{
    struct plan p = {.part = {{v, first, n, pages, 0}}, .parts = 1};
    int err;

    if (!within(first, n, v->open.units) || !all_exist(v->pool, pages, n))
        return -EINVAL;
    err = carry_out(v->pool, &p);
    if (!err && n > 0)
        memcpy(v->table + first, pages, (size_t)n * sizeof *pages);
    return err;
}

int mw_rewire_set(struct mw_rewire_view *open, uint64_t first, const uint64_t *pages, uint64_t n)
{
    struct view *v = inner(open);

    return v->sharing == MAP_PRIVATE ? -EPERM : wire(v, first, pages, n);
}

static void swap_entries(uint64_t *a, uint64_t *b, uint64_t n)
{
    uint64_t kept[64];

    for (uint64_t i = 0; i < n; i += 64) {
        size_t size = (size_t)(n - i < 64 ? n - i : 64) * sizeof *a;
        memcpy(kept, a + i, size);
        memcpy(a + i, b + i, size);
        memcpy(b + i, kept, size);
    }
}

int mw_rewire_swap(struct mw_rewire_view *open_a, uint64_t first_a, struct mw_rewire_view *open_b,
                   uint64_t first_b, uint64_t n)
{
    struct view *a = inner(open_a), *b = inner(open_b);
    struct plan p = {.parts = 2};
    int err;

    if (a->sharing == MAP_PRIVATE || b->sharing == MAP_PRIVATE)
        return -EPERM;
    if (a->pool != b->pool || !within(first_a, n, open_a->units) || !within(first_b, n, open_b->units))
        return -EINVAL;
    if (a == b && (first_a < first_b ? first_b - first_a : first_a - first_b) < n)
        return -EINVAL;
    p.part[0] = (struct change){a, first_a, n, b->table + first_b, 0};
    p.part[1] = (struct change){b, first_b, n, a->table + first_a, 0};
    if (!all_exist(a->pool, p.part[0].to, n) || !all_exist(a->pool, p.part[1].to, n))
        return -EINVAL;
    err = carry_out(a->pool, &p);
    if (!err)
        swap_entries(a->table + first_a, b->table + first_b, n);
    return err;
}

int mw_rewire_snapshot(struct mw_rewire_view *open, unsigned flags, struct mw_rewire_view **out)
{
    struct view *v = inner(open), *made;
    int prot = flags ? PROT_READ | PROT_WRITE : PROT_READ, err;

    if (v->sharing == MAP_PRIVATE)
        return -EPERM;
    if (flags & ~MW_REWIRE_COPY_ON_WRITE)
        return -EINVAL;
    err = view_room(v->pool);
    if (!err)
        err = view_make(v->pool, open->units, prot, flags ? MAP_PRIVATE : MAP_SHARED, &made);
    if (err)
        return err;
    err = wire(made, 0, v->table, open->units);
    if (!err) {
        *out = &made->open;
        return 0;
    }
    mw_rewire_view_destroy(&made->open);
    /* what was lost was the new view's, and is gone with it */
    return err == -ENOTRECOVERABLE ? -ENOMEM : err;
}

/* ---- compaction ---------------------------------------------------------------------------- */

struct shown {
    uint64_t layer; /* how many units before it show its page too */
    uint64_t page, unit;
};

/* Each layer has a page once at most, so that in the pool's order it is as few runs as can be. */
static int in_order(const void *x, const void *y)
{
    const struct shown *a = x, *b = y;

    if (a->layer != b->layer)
        return a->layer < b->layer ? -1 : 1;
    if (a->page != b->page)
        return a->page < b->page ? -1 : 1;
    return (a->unit > b->unit) - (a->unit < b->unit);
}

static void sort(struct shown *list, size_t n)
{
    bool again = false;

    qsort(list, n, sizeof *list, in_order);
    for (size_t i = 1; i < n; i++)
        if (list[i].page == list[i - 1].page) {
            list[i].layer = list[i - 1].layer + 1;
            again = true;
        }
    if (again)
        qsort(list, n, sizeof *list, in_order);
}

static size_t collect(const struct view *v, struct shown *list)
{
    size_t n = 0;

    for (uint64_t i = 0; i < v->open.units; i++)
        if (v->table[i] != MW_REWIRE_NONE)
            list[n++] = (struct shown){0, v->table[i], i};
    return n;
}

int mw_rewire_compact(struct mw_rewire_view *open, uint64_t *to)
{
    struct view *v = inner(open);
    size_t units = (size_t)open->units, n;
    struct shown *list;
    uint64_t *pages;
    int err;

    if (v->sharing == MAP_PRIVATE)
        return -EPERM;
    list = mw_hostcall.resize(NULL, units * sizeof *list);
    pages = list ? mw_hostcall.resize(NULL, units * sizeof *pages) : NULL;
    if (!pages) {
        free(list);
        return -ENOMEM;
    }
    n = collect(v, list);
    sort(list, n);
    for (size_t i = 0; i < units; i++)
        pages[i] = i < n ? list[i].page : MW_REWIRE_NONE;
    err = wire(v, 0, pages, units);
    if (!err) {
        memset(to, 0xff, units * sizeof *to);
        for (size_t i = 0; i < n; i++)
            to[list[i].unit] = i;
    }
    free(pages);
    free(list);
    return err;
}
