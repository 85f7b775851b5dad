/* SPDX-License-Identifier: MIT */
/* apply.c - from one layout to another, in as few host calls as their pieces need. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hostcall.h"
#include "space.h"

/* ---- layouts --------------------------------------------------------------------- */

bool mw_layout_add(struct layout *l, const struct mw_vma *v)
{
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 8;
        struct mw_vma *more = realloc(l->vma, room * sizeof *more);

        if (!more)
            return false;
        l->vma = more;
        l->room = room;
    }
    l->vma[l->count++] = *v;
    return true;
}

bool mw_layout_take(const struct mw_live *live, struct layout *l)
{
    struct mw_vma v;

    l->count = 0;
    for (uint64_t at = l->range.start; at < l->range.end && mw_find_vma(live->space, at, &v);
         at = v.end) {
        uint64_t end = v.end;

        if (v.start >= l->range.end)
            break;
        if (v.start < l->range.start) {
            v.offset += l->range.start - v.start;
            v.start = l->range.start;
        }
        if (v.end > l->range.end)
            v.end = l->range.end;
        if (!mw_layout_add(l, &v))
            return false;
        v.end = end;
    }
    return true;
}

void mw_layout_free(struct layout *l)
{
    free(l->vma);
    l->vma = NULL;
    l->count = l->room = 0;
}

/* ---- host calls --------------------------------------------------------------------- */

enum what { KEEP, RESERVE, MAP, PROTECT };

/* One host call, as far as it has grown. */
struct action {
    enum what what;
    uint64_t start, end, offset;
    int prot;
};

static void *at(uint64_t addr) { return (void *)(uintptr_t)addr; }

static int perform(const struct mw_live *live, const struct action *a)
{
    size_t length = (size_t)(a->end - a->start);
    void *r = NULL;

    switch (a->what) {
    case KEEP:
        return 0;
    case PROTECT:
        return mw_hostcall.protect(at(a->start), length, a->prot) ? -errno : 0;
    case RESERVE:
        r = mw_hostcall.map(at(a->start), length, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        break;
    case MAP:
        r = mw_hostcall.map(at(a->start), length, a->prot, MAP_SHARED | MAP_FIXED, live->fd,
                              (off_t)a->offset);
        break;
    }
    return r == MAP_FAILED ? -errno : 0;
}

static int prot_of(const struct mw_vma *v) { return (int)(v->flags & 7); }

/* What is to be done at `addr`, up to `*end`. */
static struct action action_at(const struct mw_vma *from, const struct mw_vma *to, uint64_t addr,
                               uint64_t end, bool force)
{
    struct action a = { .start = addr, .end = end };

    if (to) {
        a.offset = to->offset + (addr - to->start);
        a.prot = prot_of(to);
    }
    if (force)
        a.what = to ? MAP : RESERVE;
    else if (!to)
        a.what = from ? RESERVE : KEEP;
    else if (!from || from->offset + (addr - from->start) != a.offset)
        a.what = MAP;
    else
        a.what = prot_of(from) == a.prot ? KEEP : PROTECT;
    return a;
}

static bool continues(const struct action *a, const struct action *b)
{
    if (a->what != b->what || a->end != b->start)
        return false;
    return a->what == KEEP || a->what == RESERVE ||
           (a->prot == b->prot && (a->what == PROTECT || a->offset + (a->end - a->start) == b->offset));
}

/* The mapping at `addr`, NULL: none; lowers `*end` to where that changes. */
static const struct mw_vma *piece(const struct layout *l, size_t *i, uint64_t addr, uint64_t *end)
{
    uint64_t border;

    if (!l)
        return NULL;
    while (*i < l->count && l->vma[*i].end <= addr)
        ++*i;
    if (*i == l->count)
        return NULL;
    border = l->vma[*i].start > addr ? l->vma[*i].start : l->vma[*i].end;
    if (border < *end)
        *end = border;
    return l->vma[*i].start <= addr ? &l->vma[*i] : NULL;
}

static int sweep(const struct mw_live *live, const struct layout *from, const struct layout *to,
                 bool force)
{
    struct action grown = { .what = KEEP };
    uint64_t next;
    size_t i = 0, j = 0;
    int err = 0;

    for (uint64_t addr = to->range.start; addr < to->range.end && !err; addr = next) {
        const struct mw_vma *f, *t;
        struct action a;

        next = to->range.end;
        f = piece(from, &i, addr, &next);
        t = piece(to, &j, addr, &next);
        a = action_at(f, t, addr, next, force);
        if (continues(&grown, &a)) {
            grown.end = a.end;
        } else {
            err = perform(live, &grown);
            grown = a;
        }
    }
    return err ? err : perform(live, &grown);
}

int mw_live_apply(const struct mw_live *live, const struct layout *from, const struct layout *to)
{
    return sweep(live, from, to, false);
}

int mw_live_force(const struct mw_live *live, const struct layout *to)
{
    return sweep(live, NULL, to, true);
}
