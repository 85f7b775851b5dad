/* SPDX-License-Identifier: MIT */
/* run.c - makes the steps of one episode on both sides and compares. */
#include "system.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SCAN_EVERY 64
#define SCAN_AREAS 400

static struct slot *slot;
static bool strict;
static int64_t last_result; /* of a call or io_setup, on both sides */
static bool locked; /* some memory was locked in this episode */
static enum met met; /* of the last load */
static bool counters_known;
static bool is_child; /* made by a step */
static bool ended;    /* the rest of the episode was a child's */

static bool differ(int step, const char *what, int64_t by_system, int64_t by_engine)
{
    struct disagreement *d = &slot->d;
    d->step = step;
    snprintf(d->what, sizeof d->what, "%s", what);
    d->system = by_system;
    d->engine = by_engine;
    d->why = model.why;
    return false;
}

/* ---- layouts ---- */

/* Of the program's own mappings the engine knows no more than where they are. */
static bool same_area(const struct seen *by_system, const struct seen *by_engine)
{
    return by_system->start == by_engine->start && by_system->end == by_engine->end &&
           (by_engine->file == AREA_OTHER ||
            (by_system->offset == by_engine->offset && by_system->prot == by_engine->prot &&
             by_system->file == by_engine->file));
}

/* Compares what touches [lo, hi), piece by piece. */
static bool same_pages(uint64_t lo, uint64_t hi)
{
    struct seen e;
    bool mapped = false;
    if (hi - lo > 96 * PAGE)
        hi = lo + 96 * PAGE;
    for (uint64_t a = lo; a < hi; a += PAGE) {
        mapped = model_next(a, &e) && e.start <= a;
        if (mapped != sys_is_mapped(a))
            return false;
    }
    return true;
}

static bool same_layout(uint64_t lo, uint64_t hi)
{
    struct seen k, e;
    if (sys.look == LOOK_PROBE)
        return same_pages(lo, hi);
    for (int n = 0; lo < hi && n < SCAN_AREAS; n++) {
        bool has_k = sys_next(lo, &k) && k.start < hi;
        bool has_e = model_next(lo, &e) && e.start < hi;
        if (!has_k && !has_e)
            return true;
        if (has_k != has_e || !same_area(&k, &e))
            return false;
        lo = k.end;
    }
    return true;
}

/* Everywhere but the program's own surroundings. */
static bool same_everywhere(void)
{
    static const struct mw_range zone[] = {
        { 0, LOW_ZONE_END }, { 1ull << 30, 1ull << 31 }, { ZONE_LOW, FILL - PAGE },
    };
    if (sys.look == LOOK_PROBE)
        return same_pages(ARENA, ARENA + 80 * PAGE);
    for (size_t i = 0; i < sizeof zone / sizeof zone[0]; i++)
        if (!same_layout(zone[i].start, zone[i].end))
            return false;
    return sys.owned == 0 || same_layout(TASK_END / 2 + TASK_END / 4, sys.mmap_base);
}

static void keep_areas(struct seen *out, int *n, bool (*next)(uint64_t, struct seen *))
{
    static const struct mw_range zone[] = { { 0, LOW_ZONE_END }, { 1ull << 30, 1ull << 31 },
                                            { ZONE_LOW, FILL - PAGE },
                                            { TASK_END / 2, TASK_END - (1ull << 30) } };
    *n = 0;
    for (size_t i = 0; i < sizeof zone / sizeof zone[0]; i++)
        for (uint64_t a = zone[i].start; a < zone[i].end && *n < 48;) {
            struct seen *s = &out[*n];
            if (!next(a, s) || s->start >= zone[i].end)
                break;
            a = s->end;
            if (s->file != AREA_OTHER && !sys_precious(s->start, s->end - s->start))
                ++*n;
        }
}

/* For the report: what both sides have mapped. */
static void keep_layouts(void)
{
    struct disagreement *d = &slot->d;
    sys_changed();
    keep_areas(d->engine_area, &d->engine_areas, model_next);
    if (sys.look != LOOK_PROBE)
        keep_areas(d->system_area, &d->system_areas, sys_next);
}

/* ---- checks ---- */

static struct mw_huge_stats pool; /* the system's, at the start */

static bool same_pool(int i)
{
    struct mw_huge_stats k, e;
    if (model_huge_pages == 0)
        return true;
    if (!sys_huge_pool(&k) || k.total != pool.total) /* somebody else is at it */
        return true;
    model_huge_pool(&e);
    k.free += model_huge_pages - pool.free;
    k.promised -= pool.promised;
    if (k.free != e.free)
        return differ(i, "free huge pages", (int64_t)k.free, (int64_t)e.free);
    return k.promised == e.promised ||
           differ(i, "promised huge pages", (int64_t)k.promised, (int64_t)e.promised);
}

static struct counted offset; /* what the engine was not told of: once a process */

static bool same_sizes(int i)
{
    struct counted k, e;
    int64_t other = offset.data + offset.stack;
    if (!counters_known || !sys_sizes(&k))
        return true;
    model_counters(&e);
    if (k.total - e.total != offset.total)
        return differ(i, "VmSize", k.total, e.total + offset.total);
    return k.data - e.data - e.stack == other ||
           differ(i, "VmData + VmStk", k.data, e.data + e.stack + other);
}

static bool same_counters(int i)
{
    struct counted k, e;
    if (!sys_counters(&k))
        return true;
    model_counters(&e);
    if (i < 0) {
        offset = (struct counted){ k.total - e.total, k.data - e.data, k.stack - e.stack,
                                   k.locked - e.locked };
        counters_known = true;
        return true;
    }
    if (!same_pool(i))
        return false;
    if (!counters_known)
        return true;
    if (k.total - e.total != offset.total)
        return differ(i, "VmSize", k.total, e.total + offset.total);
    if (k.data - e.data != offset.data)
        return differ(i, "VmData", k.data, e.data + offset.data);
    if (k.stack - e.stack != offset.stack)
        return differ(i, "VmStk", k.stack, e.stack + offset.stack);
    if (k.locked - e.locked != offset.locked)
        return differ(i, "VmLck", k.locked, e.locked + offset.locked);
    return true;
}

/* The first word of a page, or the signal. */
static bool same_word(int i, uint64_t addr)
{
    uint32_t k = 0, e = 0;
    enum met by_system, by_engine;
    if (thp_uncertain(addr, sizeof k))
        return true;
    by_system = touch_load(addr, &k);
    sys_changed(); /* a stack may have grown */
    met = by_engine = model_load(addr, &e);
    if (by_engine == MET_OTHER) /* out of frames */
        return true;
    slot->tally.accesses++;
    slot->d.addr = addr;
    cover_access(&slot->tally, addr, by_engine, false);
    if (by_system != by_engine)
        return differ(i, "the signal of a load", (int64_t)by_system, (int64_t)by_engine);
    if (by_system == MET_OK && k != e && !model_is_opaque(addr))
        return differ(i, "bytes", k, e);
    return true;
}

/* Reads `most` mapped pages of the arena. Of what can't be read, one stands for the rest. */
static bool same_bytes_of(int i, int most, bool (*which)(uint64_t))
{
    struct mw_vma v;
    int n = 0;
    for (uint64_t a = ZONE_LOW; n < most && model_next_vma(a, &v) && v.start < FILL; a = v.end) {
        if (which && !which(v.start))
            continue;
        met = MET_OK;
        for (uint64_t p = v.start; p < v.end && p < v.start + 6 * PAGE && met == MET_OK; p += PAGE, n++)
            if (!same_word(i, p))
                return false;
        if (v.end > v.start + 8 * PAGE && !same_word(i, v.end - PAGE))
            return false;
    }
    return true;
}

/* Reading it makes none of its neighbours present. */
static bool is_read_alone(uint64_t addr)
{
    struct mw_vma v;
    return model_is_private(addr) || (model_next_vma(addr, &v) && v.flags & MW_VM_HUGETLB);
}

/* Where watchers are, what is read of files may not become present. */
static bool same_bytes(int i)
{
    return same_bytes_of(i, 48, model_is_watched() ? is_read_alone : NULL);
}

/* Which pages are there, of private anonymous memory: huge pages bring more than was accessed. */
static bool same_presence(int i)
{
    static unsigned char by_system[CORE_ROOM], by_engine[CORE_ROOM];
    struct mw_vma v;
    for (uint64_t a = ZONE_LOW; model_next_vma(a, &v) && v.start < FILL; a = v.end) {
        uint64_t len = v.end - v.start < CORE_ROOM * PAGE ? v.end - v.start : CORE_ROOM * PAGE;
        if (v.object != NULL ||
            sys_raw(SYS_mincore, v.start, len, (uint64_t)(uintptr_t)by_system, 0, 0, 0) != 0 ||
            mw_mincore(model.space, v.start, len, by_engine, NULL) != 0)
            continue;
        for (uint64_t p = 0; p < len / PAGE; p++)
            if ((by_system[p] ^ by_engine[p]) & 1) {
                slot->d.addr = v.start + p * PAGE;
                return differ(i, "the pages that mincore names", by_system[p] & 1, by_engine[p] & 1);
            }
    }
    return true;
}

/* Large layouts take their time. Pages of a huge one that holds zeros Linux gives up at times (CAVEATS.md). */
static bool same_face(int i)
{
    struct mw_stats now;
    mw_stats(model.space, &now);
    return model.thp || now.map_count > 1000 || same_smaps(&slot->d.addr) || differ(i, "smaps", 0, 0);
}

/* How many mappings each segment has, in this process and its parents. */
static bool same_attached(int i)
{
    int64_t k;
    for (int n = 0; n < SEGMENTS && model.segments; n++)
        if (sys_attached(n, &k) && k != (int64_t)mw_object_mapped(model.file[FILE_SEGMENT + n].object))
            return differ(i, "shm_nattch", k, (int64_t)mw_object_mapped(model.file[FILE_SEGMENT + n].object));
    return true;
}

/* ---- steps ---- */

static bool access_step(int i, const struct step *s)
{
    enum met k, e;
    slot->tally.accesses++;
    if (s->kind == STEP_LOAD)
        return same_word(i, s->addr);
    cover_before(s);
    e = model_store(s->addr, (uint32_t)s->to);
    if (e == MET_OTHER)
        return true;
    cover_access(&slot->tally, s->addr, e, true);
    k = touch_store(s->addr, (uint32_t)s->to);
    sys_changed();
    return k == e || differ(i, "the signal of a store", (int64_t)k, (int64_t)e);
}

static bool grows(const struct step *s)
{
    return (s->more + PAGE - 1) / PAGE > (s->len + PAGE - 1) / PAGE;
}

/*
 * Where the system chooses other places than Linux, the engine follows: the
 * same request at the system's address. False: it is no such request.
 */
static bool follows(struct step *s, int64_t *k, int64_t *e)
{
    struct step fixed = *s;
    if (sys.exact || (s->kind != STEP_MMAP && s->kind != STEP_MREMAP))
        return false;
    if (s->kind == STEP_MMAP && s->flags & (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE))
        return false;
    if (s->kind == STEP_MREMAP &&
        (s->flags != MW_MREMAP_MAYMOVE || s->len == 0 || !grows(s))) /* nothing to choose */
        return false;
    *k = sys_step(s);
    if (*k > 0 && (uint64_t)*k != s->addr) {
        if (s->kind == STEP_MREMAP)
            fixed.to = (uint64_t)*k;
        else
            fixed.addr = (uint64_t)*k;
        fixed.flags |= s->kind == STEP_MMAP ? MW_MAP_FIXED_NOREPLACE : MW_MREMAP_FIXED;
    }
    *e = model_step(&fixed);
    return true;
}

/* What the step answered, by both. False: the engine can't tell, so it was not made. */
static bool both(struct step *s, int64_t *k, int64_t *e)
{
    if (follows(s, k, e))
        return true;
    *e = model_step(s);
    if (model_not_modelled(*e)) {
        s->skipped = true;
        return false;
    }
    *k = sys_step(s);
    return true;
}

/* What changes no mapping, or many at once, waits for the next look at all. */
static bool same_around(const struct step *s, int64_t result)
{
    if (s->kind == STEP_BRK || s->kind == STEP_MLOCKALL || s->kind == STEP_MUNLOCKALL ||
        s->kind == STEP_MSYNC || s->kind == STEP_MINCORE || s->kind == STEP_TRUNCATE)
        return true;
    uint64_t from = s->addr & ~(PAGE - 1), at = from;
    if (s->kind == STEP_MMAP || s->kind == STEP_MREMAP || s->kind == STEP_SHMAT)
        at = (uint64_t)result & ~(PAGE - 1);
    return same_layout(at, at + PAGE) &&
           (s->kind != STEP_MREMAP || at == from || same_layout(from, from + PAGE));
}

static bool call_step(int i, struct step *s)
{
    int64_t k, e;
    struct mw_stats before, after;
    mw_stats(model.space, &before);
    cover_before(s);
    if (!both(s, &k, &e)) {
        slot->tally.skipped++;
        return true;
    }
    if (k != e)
        return differ(i, "result", k, e);
    if (s->kind == STEP_MINCORE && (sys.core & model.core_known) != model.core)
        return differ(i, "the pages that mincore names", sys.core & model.core_known, model.core);
    last_result = e;
    mw_stats(model.space, &after);
    cover_call(&slot->tally, s, e, &before, &after);
    locked = locked || after.locked != 0;
    if (!same_pool(i))
        return false;
    if (strict ? !same_everywhere() : (e >= 0 && !same_around(s, e)))
        return differ(i, "layout", k, e);
    return true;
}

/* What the system may refuse for reasons of its own comes first there. */
static bool asking_step(int i, const struct step *s)
{
    int64_t k = sys_step(s), e;
    if (s->kind == STEP_RING ? k == -MW_EAGAIN : k < 0)
        return true;
    last_result = e = model_step(s);
    if (s->kind == STEP_RING && e < 0)
        e = -MW_ENOMEM; /* io_setup's word for a mapping that fails, whatever the reason */
    if (k != e)
        return differ(i, "result", k, e);
    return !strict || same_everywhere() || differ(i, "layout", k, e);
}

/* The child went on and has ended: nothing that is the parent's own may have changed. */
static bool parent_after_fork(int i, int code)
{
    if (code != EXIT_AGREED && code != EXIT_FRESH)
        _exit(code); /* what differs is the child's */
    sys_changed();
    if (!same_everywhere())
        return differ(i, "the parent's layout after its child", 0, 0);
    if (!same_bytes_of(i, 96, model_is_private))
        return false;
    model_huge_pages = 0; /* the child may have made pages of shared files */
    for (int file = 0; file < FILES_TO_MAP; file++)
        model.dirty[file] |= slot->dirty[file];
    ended = true;
    return same_counters(i);
}

/* Goes on as the child. */
static bool fork_step(int i, const struct step *s)
{
    int64_t pid = sys_fork(), e;
    if (pid < 0)
        return true;
    if (pid > 0)
        return parent_after_fork(i, sys_wait(pid));
    is_child = true;
    e = model_step(s);
    if (e != 0 && !model_not_modelled(e))
        return differ(i, "the engine could not fork", 0, e);
    ended = e != 0; /* out of memory: it proves nothing */
    if (ended)
        return true;
    same_counters(-1);
    if (!same_everywhere())
        return differ(i, "the child's layout", 0, 0);
    return same_bytes_of(i, 400, NULL);
}

static bool has_opaque(uint64_t addr, uint64_t len)
{
    struct mw_vma v;
    for (uint64_t a = addr; model_next_vma(a, &v) && v.start < addr + len; a = v.end)
        if (model_is_opaque(v.start))
            return true;
    return false;
}

static bool other_step(int i, struct step *s)
{
    int64_t k, e;
    slot->tally.others++;
    if (s->kind == STEP_RING || s->kind == STEP_WATCH || s->kind == STEP_WATCHER)
        return asking_step(i, s);
    if (s->kind == STEP_FORK)
        return fork_step(i, s);
    if (s->kind == STEP_COUNTERS) /* no memory was locked: VmLck is looked at now and then */
        return locked || strict || s->flags ? same_counters(i) : same_pool(i) && same_sizes(i);
    if (s->kind == STEP_BYTES)
        return same_bytes(i) && (!model.thp || same_presence(i));
    if (s->kind == STEP_SMAPS)
        return same_face(i);
    e = model_step(s);
    k = sys_step(s);
    if (s->kind == STEP_COPY_IN || s->kind == STEP_COPY_OUT)
        cover_copy(&slot->tally, s, e);
    if (k != e)
        return differ(i, "result", k, e);
    if (s->kind == STEP_COPY_OUT && k > 0 && sys.copied != model.copied && !has_opaque(s->addr, (uint64_t)k))
        return differ(i, "the sum of the bytes", sys.copied, model.copied);
    return !strict || same_everywhere() || differ(i, "layout", k, e);
}

static bool one_step(int i, struct step *s)
{
    bool ok;
    s->skipped = !step_is_safe(s);
    last_result = 0;
    if (s->skipped)
        return true;
    slot->tally.by_kind[s->kind]++;
    if (s->kind < STEP_CALLS)
        ok = call_step(i, s);
    else if (s->kind == STEP_STORE || s->kind == STEP_LOAD)
        ok = access_step(i, s);
    else
        ok = other_step(i, s);
    if (model.thp)
        thp_after(s, last_result);
    return ok;
}

static bool same_at_the_end(int i, const struct generator *g)
{
    if (!same_everywhere())
        return differ(i, "layout", 0, 0);
    if (!same_attached(i) || (model.thp && !same_presence(i)))
        return false;
    if ((!g || g->episode % 16 == 5) && !same_face(i))
        return false;
    if (g && g->episode % 4 != 0) /* these take their time */
        return g->episode % 2 != 0 || same_bytes(i);
    return same_bytes(i) && same_counters(i);
}

static bool all_steps(struct generator *g)
{
    struct episode *e = &slot->episode;
    for (int i = 0; i < e->n; i++) {
        struct step *s = &e->step[i];
        if (g)
            generate_step(g, i, s);
        if (s->dropped)
            continue;
        if (!one_step(i, s))
            return false;
        if (ended)
            return true;
        if (g)
            generate_result(g, s, last_result);
        if (!strict && i % SCAN_EVERY == SCAN_EVERY - 1 && !same_everywhere())
            return differ(i, "layout", 0, 0);
    }
    return same_at_the_end(e->n - 1, g);
}

/* Does a list of steps, or one to be made up, have watchers? */
static bool has_watchers(const struct generator *g, const struct episode *e)
{
    bool any = g && g->watchers > 0;
    for (int i = 0; !g && i < e->n; i++)
        any = any || e->step[i].kind == STEP_WATCHER;
    return any;
}

/* Is the pool of huge pages needed? */
static uint64_t huge_pages_of(const struct generator *g, const struct episode *e)
{
    bool any = g && g->hugetlb;
    for (int i = 0; !g && i < e->n; i++)
        any = any || (e->step[i].kind == STEP_MMAP && e->step[i].flags & MW_MAP_HUGETLB) || e->step[i].file == FILE_POOL;
    return any ? sys.huge_pages : 0;
}

bool run_is_child(void)
{
    return is_child;
}

bool run_episode(struct slot *of, struct generator *g, bool thorough)
{
    struct counted after;
    const char *left;
    bool huge;
    slot = of;
    strict = thorough;
    slot->d.step = -1;
    locked = ended = false;
    if (g)
        slot->episode.n = g->n;
    sys_begin(slot->dirty);
    memset(slot->dirty, 0xff, sizeof slot->dirty); /* should this process die */
    model_huge_pages = huge_pages_of(g, &slot->episode);
    model_files_whole = has_watchers(g, &slot->episode);
    huge = model_huge_pages > 0;
    if (huge) {
        sys_enter_huge();
        sys_huge_pool(&pool);
    }
    if (!model_open())
        return differ(0, "the engine could not start", 0, 0);
    if (!counters_known)
        same_counters(-1);
    thp_begin();
    if (!all_steps(g)) {
        if (!sys_khugepaged_came()) {
            keep_layouts();
            return false;
        }
        slot->d.step = -1; /* its doing, perhaps: it proves nothing */
    }
    memcpy(slot->dirty, model.dirty, sizeof slot->dirty);
    slot->stale = !sys_wipe();
    if (huge) {
        if (model.parents == 0) /* a parent still has its pages, and the same lock */
            sys_leave_huge();
        slot->stale = true; /* VmSize has been seen to keep some pages */
    }
    if (locked && sys_counters(&after) && after.locked != 0 && !sys_set_leaked(sys.leaked + after.locked))
        slot->stale = true;
    left = model_close();
    return left == NULL || differ(slot->episode.n - 1, left, 0, 0);
}

/* ---- the engine alone ---- */

static int64_t expected_step(const struct step *s, uint32_t *value)
{
    if (s->kind == STEP_STORE)
        return (int64_t)model_store(s->addr, (uint32_t)s->to);
    if (s->kind == STEP_LOAD)
        return (int64_t)model_load(s->addr, value);
    if (s->kind == STEP_COUNTERS || s->kind == STEP_BYTES || s->kind == STEP_SMAPS)
        return 0;
    return model_step(s);
}

bool model_expect(const struct episode *e, struct expectation *out)
{
    struct counted before, after;
    model_huge_pages = huge_pages_of(NULL, e);
    model_files_whole = has_watchers(NULL, e);
    if (!model_open())
        return false;
    model_counters(&before);
    for (int i = 0; i < e->n; i++) {
        out->result[i] = expected_step(&e->step[i], &out->value[i]);
        if (e->step[i].kind == STEP_COPY_OUT)
            out->value[i] = out->result[i] > 0 ? model.copied : 0;
        if (e->step[i].kind == STEP_MINCORE)
            out->value[i] = model.core, out->known[i] = model.core_known;
        if (e->step[i].kind < STEP_CALLS && model_not_modelled(out->result[i]))
            return false;
    }
    model_counters(&after);
    out->used = (struct counted){ after.total - before.total, after.data - before.data,
                                  after.stack - before.stack, after.locked - before.locked };
    keep_areas(out->area, &out->areas, model_next);
    return true;
}
