/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - makes a disagreement small: fewer steps first, by halves and then
 * one by one; then simpler arguments; as long as the two sides still disagree.
 */
#include "conform.h"

#include <string.h>
#include <time.h>

#define MOST_TRIALS 3000
#define MOST_SECONDS 60

static struct slot *work_on;
static bool strictly;
static int trials;
static time_t began;

static bool disagrees(void)
{
    return trials++ < MOST_TRIALS && time(NULL) - began < MOST_SECONDS &&
           !trial(work_on, strictly);
}

/* ---- fewer steps ---- */

/* Leaves [from, from + size) out if that is possible. */
static bool drop(int from, int size)
{
    struct episode *e = &work_on->episode;
    bool was[MAX_STEPS];
    int end = from + size < e->n ? from + size : e->n, n = 0;
    for (int i = from; i < end; i++) {
        was[i] = e->step[i].dropped;
        n += !was[i];
        e->step[i].dropped = true;
    }
    if (n > 0 && disagrees())
        return true;
    for (int i = from; i < end; i++)
        e->step[i].dropped = was[i];
    return false;
}

static void fewer_steps(void)
{
    struct episode *e = &work_on->episode;
    for (int size = e->n / 2; size > 1; size /= 2)
        for (int from = e->n - size; from > -size; from -= size)
            drop(from < 0 ? 0 : from, size);
    for (bool again = true; again;) {
        again = false;
        for (int i = e->n - 1; i >= 0; i--)
            again = (!e->step[i].dropped && drop(i, 1)) || again;
    }
}

/* Removes what is dropped, and what follows the disagreement. */
static void compact(void)
{
    struct episode *e = &work_on->episode;
    int n = 0;
    for (int i = 0; i < e->n; i++)
        if (!e->step[i].dropped)
            e->step[n++] = e->step[i];
    e->n = n;
}

/* ---- simpler arguments ---- */

static bool try_step(int i, const struct step *with)
{
    struct step was = work_on->episode.step[i];
    if (memcmp(&was, with, sizeof was) == 0)
        return false;
    work_on->episode.step[i] = *with;
    if (disagrees())
        return true;
    work_on->episode.step[i] = was;
    return false;
}

static bool try_field(int i, uint64_t struct_offset, uint64_t value)
{
    struct step with = work_on->episode.step[i];
    memcpy((char *)&with + struct_offset, &value, sizeof value);
    return try_step(i, &with);
}

static void smaller(int i, size_t field)
{
    uint64_t v;
    memcpy(&v, (char *)&work_on->episode.step[i] + field, sizeof v);
    if (v == 0 || v == UINT64_MAX)
        return;
    if (v % PAGE != 0 && try_field(i, field, (v + PAGE - 1) & ~(PAGE - 1)))
        v = (v + PAGE - 1) & ~(PAGE - 1);
    for (uint64_t to = PAGE; to < v && to <= 4 * PAGE; to += PAGE)
        if (try_field(i, field, to))
            return;
    while (v / 2 >= PAGE && v % (2 * PAGE) == 0 && try_field(i, field, v / 2))
        v /= 2;
}

static void plainer_flags(int i)
{
    for (uint32_t bit = 0; bit < 32; bit++) {
        struct step with = work_on->episode.step[i];
        if (!(with.flags >> bit & 1))
            continue;
        with.flags &= ~(1u << bit);
        try_step(i, &with);
    }
}

static void plainer_protection(int i)
{
    static const uint32_t plain[] = { 3, 1, 0 };
    for (int k = 0; k < 3; k++) {
        struct step with = work_on->episode.step[i];
        if (with.prot == plain[k])
            return;
        with.prot = plain[k];
        if (try_step(i, &with))
            return;
    }
}

static void plainer_file(int i)
{
    struct step with = work_on->episode.step[i];
    if (with.file == FILE_NONE)
        return;
    with.file = FILE_NONE;
    with.more = 0;
    with.flags |= MW_MAP_ANONYMOUS;
    if (try_step(i, &with))
        return;
    with = work_on->episode.step[i];
    with.file = FILE_RW;
    try_step(i, &with);
    try_field(i, offsetof(struct step, more), 0);
}

static void simpler_step(int i)
{
    struct step *s = &work_on->episode.step[i];
    if (s->kind >= STEP_CALLS)
        return;
    if (s->kind == STEP_MMAP)
        plainer_file(i);
    if (s->flags != 0)
        plainer_flags(i);
    if (s->kind == STEP_MMAP || s->kind == STEP_MPROTECT)
        plainer_protection(i);
    if (s->kind != STEP_BRK)
        smaller(i, offsetof(struct step, len));
    if (s->kind == STEP_MREMAP)
        smaller(i, offsetof(struct step, more));
    if (s->kind == STEP_MREMAP && !(s->flags & (MW_MREMAP_FIXED | MW_MREMAP_DONTUNMAP)))
        try_field(i, offsetof(struct step, to), 0);
    if (s->kind == STEP_MMAP && !(s->flags & MW_MAP_FIXED))
        try_field(i, offsetof(struct step, addr), 0);
}

/* ---- nearer pages ---- */

static bool in_arena(uint64_t a)
{
    return a >= ZONE_LOW && a < HEAP - (1ull << 30);
}

static bool has_second_address(const struct step *s)
{
    return s->kind == STEP_MREMAP || s->kind == STEP_MOVE || s->kind == STEP_PROCESS_MADVISE;
}

/* Moves what lies at or above `from` down by `by`. */
static bool move_down(uint64_t from, uint64_t by)
{
    struct episode was = work_on->episode;
    for (int i = 0; i < was.n; i++) {
        struct step *s = &work_on->episode.step[i];
        if (in_arena(s->addr) && s->addr >= from && s->kind != STEP_LIMIT)
            s->addr -= by;
        if (has_second_address(s) && in_arena(s->to) && s->to >= from)
            s->to -= by;
    }
    if (disagrees())
        return true;
    work_on->episode = was;
    return false;
}

/* The lowest address in use that is at least `from`. */
static uint64_t lowest(uint64_t from)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < work_on->episode.n; i++) {
        const struct step *s = &work_on->episode.step[i];
        uint64_t to = has_second_address(s) ? s->to : UINT64_MAX;
        if (s->kind == STEP_LIMIT)
            continue;
        if (in_arena(s->addr) && s->addr >= from && s->addr < best)
            best = s->addr;
        if (in_arena(to) && to >= from && to < best)
            best = to;
    }
    return best & ~(PAGE - 1);
}

static void nearer_pages(void)
{
    uint64_t a = lowest(ZONE_LOW), next;
    if (a < ARENA && a != (UINT64_MAX & ~(PAGE - 1)))
        move_down(a, a - ARENA); /* wraps: moves up */
    a = lowest(ZONE_LOW);
    if (a > ARENA && a < HEAP)
        move_down(a, a - ARENA);
    for (int n = 0; n < 24; n++) {
        a = lowest(n == 0 ? ZONE_LOW : a);
        next = lowest(a + PAGE);
        if (a >= HEAP || next >= HEAP)
            return;
        for (uint64_t to = a + PAGE; to < next && to <= a + 3 * PAGE; to += PAGE)
            if (move_down(next, next - to))
                break;
        a = lowest(a + PAGE);
    }
}

/* What a check at the end has found becomes a step of its own. */
static void name_the_check(void)
{
    struct episode *e = &work_on->episode;
    const struct disagreement *d = &work_on->d;
    struct step s;
    bool load = strcmp(d->what, "bytes") == 0 || strcmp(d->what, "the signal of a load") == 0;
    bool core = strncmp(d->what, "the pages", 9) == 0, smaps = strcmp(d->what, "smaps") == 0;
    uint8_t kind = load ? STEP_LOAD : core ? STEP_MINCORE : smaps ? STEP_SMAPS : STEP_COUNTERS;
    if (d->step < 0 || e->n == MAX_STEPS || (kind == STEP_COUNTERS && strncmp(d->what, "Vm", 2) != 0) ||
        e->step[d->step].kind == kind)
        return;
    memset(&s, 0, sizeof s);
    s.file = FILE_NONE;
    s.kind = kind;
    s.addr = kind == STEP_COUNTERS ? 0 : d->addr;
    s.len = core ? PAGE : 0;
    e->step[e->n++] = s;
    if (!disagrees())
        e->n--;
}

void shrink(struct slot *slot)
{
    work_on = slot;
    trials = 0;
    began = time(NULL);
    strictly = !trial(slot, true);
    if (!strictly && !disagrees())
        return;
    if (strictly && slot->d.step >= 0 && slot->d.step + 1 < slot->episode.n)
        slot->episode.n = slot->d.step + 1;
    name_the_check();
    fewer_steps();
    compact();
    for (int i = slot->episode.n - 1; i >= 0; i--)
        simpler_step(i);
    nearer_pages();
    fewer_steps();
    compact();
    trial(slot, strictly);
    name_the_check(); /* the check at the end has made it superfluous */
    trial(slot, strictly);
    if (slot->d.step < 0 || slot->d.step >= slot->episode.n)
        slot->d.step = slot->episode.n - 1;
}
