/* SPDX-License-Identifier: MIT */
/*
 * watch_random.c - random sequences around two userfaultfds, the engine's
 * watchers against the live kernel's.
 *
 *   watch_random [--seed S] [--calls N] [--episode E] [--steps K]
 *
 * Results, messages, the layout with its flags, and what page-table entries say
 * are compared after each step, bytes at the end. A difference is shrunk as far
 * as dropping single steps takes it. Shared memory is only written to: of what
 * is read Linux maps the neighbours unasked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world_watch.h"

enum { MAX_STEPS = 200, WATCHERS = 2 };

/* Where things of one kind are, and stay when they move. */
static const struct zone {
    int64_t page, n;
    bool private; /* and anonymous: can be read */
} zones[] = { { 0, 16, true }, { 80, 16, true }, { 24, 16, false }, { 48, 12, false }, { 64, 12, false } };
enum { ZONES = sizeof zones / sizeof zones[0] };

enum kind { WATCH, UNWATCH, RESOLVE, MOVE, MEET, PROTECT, REMAP, MAP, UNMAP, ADVISE, CORE, KINDS };

struct step {
    enum kind kind;
    enum watch_op op;
    bool dropped, write;
    int id;
    int64_t page, n, to, m;
    uint64_t mode;
};

struct episode {
    struct step step[MAX_STEPS];
    int n;
    uint64_t features[WATCHERS];
    bool forks;
};

static uint64_t state;

static uint64_t below(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state * 0x2545f4914f6cdd1dull >> 11) % n;
}

#define PICK(list) list[below(sizeof(list) / sizeof(list)[0])]

static struct step random_step(void)
{
    static const enum kind kinds[] = { WATCH, WATCH, UNWATCH, RESOLVE, RESOLVE, RESOLVE, RESOLVE, MOVE, MEET,
                                       MEET, MEET, PROTECT, REMAP, MAP, UNMAP, ADVISE, ADVISE, CORE };
    static const enum watch_op ops[] = { WATCH_COPY, WATCH_ZEROPAGE, WATCH_CONTINUE, WATCH_POISON,
                                         WATCH_PROTECT, WATCH_PROTECT, WATCH_PROTECT };
    static const uint64_t advices[] = { MW_MADV_DONTNEED, MW_MADV_DONTNEED, MW_MADV_REMOVE, MW_MADV_FREE,
                                        MW_MADV_GUARD_INSTALL, MW_MADV_GUARD_REMOVE,
                                        MW_MADV_DONTNEED_LOCKED, MW_MADV_WIPEONFORK, MW_MADV_DONTFORK };
    static const uint64_t remaps[] = { FIX, FIX, FIX, DUF };
    const struct zone *z = &zones[below(ZONES)];
    struct step s = { .kind = PICK(kinds), .op = PICK(ops), .write = below(2) || !z->private,
                      .id = (int)below(WATCHERS) };
    s.n = 1 + (int64_t)below(6);
    s.page = z->page + (int64_t)below((uint64_t)(z->n - s.n));
    if (s.kind == ADVISE && !z->private) /* where Linux has put a guard once, it copies all at a fork */
        while (s.mode == 0 || s.mode == MW_MADV_GUARD_INSTALL)
            s.mode = PICK(advices);
    s.m = below(3) ? s.n : 1 + (int64_t)below(6);
    if (z->private)
        z = &zones[below(2)];
    s.to = z->page + (int64_t)below((uint64_t)(z->n - s.m));
    s.mode = s.kind == WATCH     ? 1 + below(7)
             : s.kind == PROTECT ? below(4)
             : s.kind == ADVISE  ? (s.mode ? s.mode : PICK(advices))
             : s.kind == REMAP   ? PICK(remaps)
                                 : below(4) ? below(2) * 2 + (s.op == WATCH_PROTECT) * below(2) : below(4);
    return s;
}

static void make_episode(void *ctx, uint64_t seed, uint64_t number, int steps)
{
    struct episode *e = ctx;
    static const uint64_t extra[] = { 0, MW_UFFD_FEATURE_WP_UNPOPULATED, MW_UFFD_FEATURE_WP_ASYNC };
    state = (seed * 1000003 + number + 1) * 0x9e3779b97f4a7c15ull;
    memset(e, 0, sizeof *e);
    e->n = steps;
    for (int i = 0; i < WATCHERS; i++)
        e->features[i] = MW_UFFD_FEATURE_POISON | MW_UFFD_FEATURE_MOVE | PICK(extra) |
                         (below(2) ? MW_UFFD_FEATURE_EVENT_REMAP : 0) |
                         (below(2) ? MW_UFFD_FEATURE_EVENT_REMOVE : 0) |
                         (below(2) ? MW_UFFD_FEATURE_EVENT_UNMAP : 0) |
                         (below(2) ? MW_UFFD_FEATURE_EVENT_FORK : 0) |
                         (below(3) ? 0 : MW_UFFD_FEATURE_EXACT_ADDRESS);
    e->forks = below(2);
    for (int i = 0; i < WATCHERS && e->forks; i++)
        e->features[i] |= MW_UFFD_FEATURE_SIGBUS; /* a child has nobody who would resolve its faults */
    for (int i = 0; i < steps; i++)
        e->step[i] = random_step();
}

static void take(struct world *w, const struct step *s)
{
    switch (s->kind) {
    case WATCH:
        watch(w, s->id, s->page, s->n, s->mode);
        break;
    case UNWATCH:
        unwatch(w, s->id, s->page, s->n);
        break;
    case RESOLVE:
        resolve(w, s->op, s->id, s->page, s->n, s->mode);
        break;
    case MOVE:
        carry(w, s->id, s->to, s->page, s->n, s->mode & 2);
        break;
    case MEET:
        meet(w, s->page, s->write);
        break;
    case PROTECT:
        protect(w, s->page, s->n, (uint32_t)s->mode);
        break;
    case REMAP:
        move(w, s->page, s->n, s->mode == DUF ? s->n : s->m, (uint32_t)s->mode, s->to);
        break;
    case MAP:
        if (s->page < 16 || s->page >= 80)
            anon(w, s->page, s->n, RW);
        break;
    case UNMAP:
        unmap(w, s->page, 1);
        break;
    case ADVISE:
        advise(w, s->page, s->n, s->mode);
        break;
    default:
        if (s->page < 16 || s->page >= 80)
            do_mincore(w, at(s->page), (uint64_t)s->n * PAGE);
        break;
    }
}

static void look(struct world *w, const struct step *s)
{
    for (int i = 0; i < WATCHERS; i++)
        messages(w, i);
    lay(w);
    flags_of(w, s->page);
    flags_of(w, s->to);
    for (int i = 0; i < ZONES; i++)
        (zones[i].private ? marks : wps)(w, zones[i].page, zones[i].n);
}

static void run_episode(struct world *w, void *ctx)
{
    struct episode *e = ctx;
    int f = file_of(w, FILE_SHMEM, 10, MW_FILE_READ | MW_FILE_WRITE);
    for (int i = 0; i < WATCHERS; i++)
        watcher(w, e->features[i]);
    anon(w, 0, 16, RW);
    anon(w, 80, 16, RW);
    shanon(w, 24, 16, RW);
    filemap(w, 48, 12, RW, SHARED, f, 0);
    filemap(w, 64, 12, RW, PRIV, f, 0);
    for (int i = 0; i < e->n; i++)
        if (!e->step[i].dropped) {
            take(w, &e->step[i]);
            look(w, &e->step[i]);
        }
    if (e->forks)
        forked(w);
    for (int i = 0; i < WATCHERS && !e->forks; i++)
        unwatcher(w, i);
    lay(w);
    for (int i = 0; i < ZONES; i++) {
        wps(w, zones[i].page, zones[i].n);
        data(w, zones[i].page, zones[i].n);
    }
}

static bool agrees(struct session *s, void *e)
{
    session_reset(s);
    if (!world_run_live(s, run_episode, e))
        return false;
    world_run_engine(s, run_episode, e);
    return session_difference(s) == NULL;
}

static int shrink(struct session *s, void *ctx)
{
    struct episode *e = ctx;
    int left = e->n;
    for (bool again = true; again;) {
        again = false;
        for (int i = e->n - 1; i >= 0; i--) {
            if (e->step[i].dropped)
                continue;
            e->step[i].dropped = true;
            if (agrees(s, e))
                e->step[i].dropped = false;
            else
                again = true;
            left -= e->step[i].dropped;
        }
    }
    agrees(s, e);
    return left;
}

int main(int argc, char **argv)
{
    static const struct episodes episodes = { 20000, 40, MAX_STEPS, make_episode, agrees, shrink };
    struct session *s = NULL;
    _Static_assert(sizeof(struct episode) <= sizeof s->extra, "the episode fits");
    world_init(argc, argv);
    if (world_as_live(argc, argv, &s))
        world_live_main(s, run_episode, s->extra);
    s = session_new();
    return s ? world_random(s, &episodes, argc, argv) : 1;
}
