/* SPDX-License-Identifier: MIT */
/*
 * space.c - a live space's calls.
 *
 * Each call is a transaction: the layout of what it may change is noted, the
 * engine makes the call, the host follows; when the host refuses, host and
 * engine go back to what was noted. Pages are given up only at the very end.
 */
#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostcall.h"

#define HUGE (2ull << 20)
#define STOCK_BYTES (256u << 10)
#define FILE_LIMIT (1ull << 62) /* offsets used, bytes; more than any tmpfs file may have on 32 bits */

static void *at(uint64_t addr) { return (void *)(uintptr_t)addr; }

/* ---- memory for the engine's structs --------------------------------------------------- */

static void *take(void *ctx, size_t size)
{
    struct live_memory *m = ctx;
    void *p = malloc(size);

    size = (size + 15) & ~(size_t)15;
    if (p || !m->going_back || m->used + size > STOCK_BYTES)
        return p;
    p = m->stock + m->used;
    m->used += size;
    m->blocks++;
    return p;
}

static void give(void *ctx, void *p, size_t size)
{
    struct live_memory *m = ctx;
    unsigned char *c = p;

    (void)size;
    if (c < m->stock || c >= m->stock + STOCK_BYTES)
        free(p);
    else if (--m->blocks == 0)
        m->used = 0;
}

/* ---- slots of the memfd ------------------------------------------------------------------ */

static int slot_take(struct mw_live *live, uint64_t *offset)
{
    uint32_t i = live->free_slot;

    if (i) {
        live->free_slot = live->slots[i - 1].next;
        *offset = (i - 1) * live->slot_bytes;
        return 0;
    }
    if (live->slot_count >= FILE_LIMIT / live->slot_bytes)
        return -ENOMEM;
    if (live->slot_count == live->slot_room) {
        uint32_t room = live->slot_room ? live->slot_room * 2 : 64;
        struct slot *more = realloc(live->slots, room * sizeof *more);

        if (!more)
            return -ENOMEM;
        live->slots = more;
        live->slot_room = room;
    }
    live->slots[live->slot_count] = (struct slot){ 0 };
    *offset = live->slot_count++ * live->slot_bytes;
    return 0;
}

static void slot_give(struct mw_live *live, uint32_t i)
{
    live->slots[i].next = live->free_slot;
    live->free_slot = i + 1;
}

/* Counts a layout's mappings in or out; slots that nothing maps any more are free again. */
static void slots_count(struct mw_live *live, const struct layout *l, bool in)
{
    for (size_t i = 0; i < l->count; i++) {
        uint32_t s = (uint32_t)(l->vma[i].offset / live->slot_bytes);
        uint64_t bytes = l->vma[i].end - l->vma[i].start;

        live->slots[s].mapped += in ? bytes : 0 - bytes;
        if (!in && !live->slots[s].mapped)
            slot_give(live, s);
    }
}

/* ---- pages that have lost their last address ------------------------------------------------ */

struct offsets {
    uint64_t start, end;
};

static bool is_memory(const struct mw_live *live, const struct mw_vma *v)
{
    return v->object == live->file.object;
}

/* Is `at` mapped by `v`? Until where; or from where on, if that is before *end. */
static bool covers(const struct mw_vma *v, uint64_t at_offset, uint64_t *end)
{
    uint64_t low = v->offset, high = v->offset + (v->end - v->start);

    if (high <= at_offset)
        return false;
    if (low <= at_offset) {
        *end = high;
        return true;
    }
    if (low < *end)
        *end = low;
    return false;
}

/* Asks what may still map an offset: the layouts after the call; with aliases, all of the space. */
static bool still_mapped(struct mw_live *live, const struct layout *after, size_t n, uint64_t offset,
                         uint64_t *end)
{
    struct mw_vma v;

    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < after[k].count; i++)
            if (covers(&after[k].vma[i], offset, end))
                return true;
    for (uint64_t a = live->range.start; live->aliased && mw_find_vma(live->space, a, &v); a = v.end)
        if (is_memory(live, &v) && covers(&v, offset, end))
            return true;
    return false;
}

/* Zeros what is there, which frees nothing. */
static void wipe(const struct mw_live *live, off_t start, off_t end)
{
    static const char zeros[1 << 14];

    while ((start = lseek(live->fd, start, SEEK_DATA)) >= 0 && start < end) {
        size_t n = end - start < (off_t)sizeof zeros ? (size_t)(end - start) : sizeof zeros;
        ssize_t done = pwrite(live->fd, zeros, n, start);

        if (done <= 0)
            return;
        start += done;
    }
}

/* Pages go back to the host. Where it does not take them they are empty at least: offsets are used again. */
static void punch(const struct mw_live *live, struct offsets o)
{
    if (mw_hostcall.punch(live->fd, (off_t)o.start, (off_t)(o.end - o.start)))
        wipe(live, (off_t)o.start, (off_t)o.end);
}

static void give_pages_back(struct mw_live *live, const struct layout *before,
                            const struct layout *after, size_t n)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < before[k].count; i++) {
            const struct mw_vma *v = &before[k].vma[i];
            uint64_t o = v->offset, limit = v->offset + (v->end - v->start);

            while (o < limit) {
                uint64_t end = limit;

                if (!still_mapped(live, after, n, o, &end))
                    punch(live, (struct offsets){ o, end });
                o = end;
            }
        }
}

/* ---- transactions ------------------------------------------------------------------------------ */

enum { PARTS = 2 };

struct transaction {
    struct mw_live *live;
    struct layout before[PARTS], after[PARTS];
    struct layout moved; /* what the host has in the second part, where it has carried tables there */
    enum { AS_BEFORE, AS_MOVED, UNKNOWN } second;
    uint32_t fresh; /* slots taken for it: 1 + the first one, linked; 0: none */
    size_t parts;
};

/* The range, and what a call in it might merge with or cut: the whole mappings at its ends. */
static struct mw_range widened(const struct mw_live *live, uint64_t start, uint64_t end)
{
    struct mw_range r = { start, end };
    struct mw_vma v;

    if (start > live->range.start && mw_find_vma(live->space, start - 1, &v) && v.start < start)
        r.start = v.start > live->range.start ? v.start : live->range.start;
    if (end < live->range.end && mw_find_vma(live->space, end, &v) && v.start <= end)
        r.end = v.end;
    if (mw_find_vma(live->space, end - 1, &v) && v.start < end && v.end > r.end)
        r.end = v.end;
    return r;
}

/* Notes a range as it is. 0 or -ENOMEM. */
static int note_all_of(struct transaction *t, struct mw_range range)
{
    struct layout *l = &t->before[t->parts];

    *l = (struct layout){ .range = range };
    t->after[t->parts] = (struct layout){ .range = range };
    t->parts++;
    return mw_layout_take(t->live, l) ? 0 : -ENOMEM;
}

static int note(struct transaction *t, uint64_t start, uint64_t end)
{
    return note_all_of(t, widened(t->live, start, end));
}

/* Notes that nothing was in [start, end), which the engine has chosen. */
static void note_empty(struct transaction *t, uint64_t start, uint64_t end)
{
    struct mw_range r = { start, end };

    t->before[t->parts] = (struct layout){ .range = r };
    t->after[t->parts] = (struct layout){ .range = r };
    t->parts++;
}

static int note_after(struct transaction *t)
{
    for (size_t k = 0; k < t->parts; k++)
        if (!mw_layout_take(t->live, &t->after[k]))
            return -ENOMEM;
    return 0;
}

static void end(struct transaction *t)
{
    for (size_t k = 0; k < t->parts; k++) {
        mw_layout_free(&t->before[k]);
        mw_layout_free(&t->after[k]);
    }
    mw_layout_free(&t->moved);
}

/* The engine's side of going back. */
static void restore_engine(struct transaction *t)
{
    struct mw_live *live = t->live;

    live->memory.going_back = true;
    for (size_t k = 0; k < t->parts; k++)
        mw_munmap(live->space, t->before[k].range.start,
                  t->before[k].range.end - t->before[k].range.start, NULL);
    for (size_t k = 0; k < t->parts; k++)
        for (size_t i = 0; i < t->before[k].count; i++)
            mw_import(live->space, &t->before[k].vma[i]);
    live->memory.going_back = false;
}

/* Slots taken for what did not come to be. */
static void free_unused_slots(struct transaction *t)
{
    while (t->fresh) {
        uint32_t i = t->fresh - 1;

        t->fresh = t->live->slots[i].next;
        slot_give(t->live, i);
    }
}

/* Nothing has happened. */
static int64_t roll_back(struct transaction *t, int64_t err, bool host_too)
{
    for (size_t k = 0; k < t->parts && host_too; k++)
        for (int tries = 3; mw_live_force(t->live, &t->before[k]) && tries; tries--)
            continue;
    restore_engine(t);
    free_unused_slots(t);
    end(t);
    return err;
}

static int follow(const struct transaction *t, size_t k)
{
    if (k == 1 && t->second == UNKNOWN)
        return mw_live_force(t->live, &t->after[k]);
    return mw_live_apply(t->live, k == 1 && t->second == AS_MOVED ? &t->moved : &t->before[k],
                      &t->after[k]);
}

/* The engine has made the call: the host follows. `result` is the call's. */
static int64_t carry_out(struct transaction *t, int64_t result)
{
    struct mw_live *live = t->live;
    int err = note_after(t);

    if (err)
        return roll_back(t, err, false);
    for (size_t k = t->parts; k-- > 0 && !err;) /* where memory comes to before where it leaves */
        err = follow(t, k);
    if (err)
        return roll_back(t, err, true);
    for (size_t k = 0; k < t->parts; k++)
        slots_count(live, &t->after[k], true);
    for (size_t k = 0; k < t->parts; k++)
        slots_count(live, &t->before[k], false);
    give_pages_back(live, t->before, t->after, t->parts);
    end(t);
    return result;
}

static bool inside(const struct mw_live *live, uint64_t addr, uint64_t length)
{
    return addr >= live->range.start && addr < live->range.end && length <= live->range.end - addr;
}

static uint64_t up(const struct mw_live *live, uint64_t bytes)
{
    uint64_t mask = (1ull << mw_space_config(live->space)->page_shift) - 1;

    return (bytes + mask) & ~mask;
}

/* ---- mmap, munmap, mprotect ------------------------------------------------------------------------ */

#define ANONYMOUS (MW_MAP_PRIVATE | MW_MAP_SHARED | MW_MAP_ANONYMOUS)
#define PLACED (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE)
#define KNOWN (ANONYMOUS | PLACED | MW_MAP_POPULATE | MW_MAP_NORESERVE)

static int64_t map_anonymous(struct transaction *t, uint64_t addr, uint64_t length, uint64_t prot,
                             uint64_t flags, struct mw_why *why)
{
    uint64_t offset;
    uint32_t slot;
    int err = slot_take(t->live, &offset);

    if (err)
        return err;
    /* congruent with the address where that is known, so that page tables can move */
    if (flags & PLACED)
        offset += addr & (HUGE - 1);
    int64_t r = mw_mmap(t->live->space, addr, length, prot,
                        MW_MAP_SHARED | (flags & PLACED), &t->live->file, offset, why);
    slot = (uint32_t)(offset / t->live->slot_bytes);
    if (r < 0) {
        slot_give(t->live, slot);
    } else {
        t->live->slots[slot].next = t->fresh;
        t->fresh = slot + 1;
    }
    return r;
}

static int64_t live_map(struct mw_live *live, uint64_t addr, uint64_t length, uint64_t prot,
                        uint64_t flags, struct mw_why *why)
{
    struct transaction t = { .live = live };
    int64_t r = 0;

    if (flags & PLACED)
        r = note(&t, addr, addr + up(live, length));
    if (r < 0)
        return end(&t), r;
    r = map_anonymous(&t, addr, length, prot, flags, why);
    if (r < 0)
        return end(&t), r;
    if (!(flags & PLACED))
        note_empty(&t, (uint64_t)r, (uint64_t)r + up(live, length));
    r = carry_out(&t, r);
    if (r > 0 && (flags & MW_MAP_POPULATE))
        madvise(at((uint64_t)r), (size_t)up(live, length), 23 /* MADV_POPULATE_WRITE, since 5.14 */);
    return r;
}

int64_t mw_live_mmap(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                     uint64_t flags, struct mw_why *why)
{
    uint64_t a = (uintptr_t)addr;
    int64_t r;

    if (why)
        *why = (struct mw_why){ 0 };
    if ((flags & ~(uint64_t)KNOWN) || !(flags & MW_MAP_ANONYMOUS) || length > live->slot_bytes)
        return length > live->slot_bytes ? -ENOMEM : -EOPNOTSUPP;
    if ((flags & PLACED) && !inside(live, a, length))
        return -EINVAL;
    pthread_mutex_lock(&live->lock);
    r = live_map(live, a, length, prot, flags, why);
    pthread_mutex_unlock(&live->lock);
    return r;
}

/* A call of the engine's that has failed may have done a part. */
static int64_t give_up(struct transaction *t, int64_t err)
{
    return roll_back(t, err, false);
}

static int64_t live_unmap(struct mw_live *live, uint64_t a, uint64_t length, struct mw_why *why)
{
    struct transaction t = { .live = live };
    int64_t r = note(&t, a, a + up(live, length));

    if (r)
        return end(&t), r;
    r = mw_munmap(live->space, a, length, why);
    return r < 0 ? give_up(&t, r) : carry_out(&t, r);
}

static int64_t live_protect(struct mw_live *live, uint64_t a, uint64_t length, uint64_t prot,
                            struct mw_why *why)
{
    struct transaction t = { .live = live };
    int64_t r = note(&t, a, a + up(live, length));

    if (r)
        return end(&t), r;
    r = mw_mprotect(live->space, a, length, prot, why);
    return r < 0 ? give_up(&t, r) : carry_out(&t, r);
}

int64_t mw_live_munmap(struct mw_live *live, void *addr, uint64_t length, struct mw_why *why)
{
    uint64_t a = (uintptr_t)addr;
    int64_t r;

    if (why)
        *why = (struct mw_why){ 0 };
    if (!inside(live, a, length) || !length)
        return -EINVAL;
    pthread_mutex_lock(&live->lock);
    r = live_unmap(live, a, length, why);
    pthread_mutex_unlock(&live->lock);
    return r;
}

int64_t mw_live_mprotect(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                         struct mw_why *why)
{
    uint64_t a = (uintptr_t)addr;
    int64_t r;

    if (why)
        *why = (struct mw_why){ 0 };
    if (!inside(live, a, length))
        return -EINVAL;
    if (!length)
        return 0;
    pthread_mutex_lock(&live->lock);
    r = live_protect(live, a, length, prot, why);
    pthread_mutex_unlock(&live->lock);
    return r;
}

/* ---- mremap ---------------------------------------------------------------------------------- */

/* Below this many bytes a page fault a page costs less than what mremap costs beyond mmap. */
#define WORTH_MOVING (64u << 10)

struct remap {
    struct transaction t;
    uint64_t old, old_size, new, new_size, flags; /* bytes, whole pages */
};

static bool overlap(struct mw_range a, struct mw_range b)
{
    return a.start < b.end && b.start < a.end;
}

/* Notes what the call may change: both ranges, in one where they meet. */
static int note_remap(struct remap *r)
{
    struct mw_live *live = r->t.live;
    uint64_t size = r->old_size > r->new_size ? r->old_size : r->new_size;
    struct mw_range a = widened(live, r->old, r->old + (size ? size : 1)), b;

    if (a.end > live->range.end)
        a.end = live->range.end;
    if (!(r->flags & MW_MREMAP_FIXED))
        return note_all_of(&r->t, a);
    b = widened(live, r->new, r->new + r->new_size);
    if (overlap(a, b))
        return note_all_of(&r->t, (struct mw_range){ a.start < b.start ? a.start : b.start,
                                                     a.end > b.end ? a.end : b.end });
    return note_all_of(&r->t, a) || note_all_of(&r->t, b) ? -ENOMEM : 0;
}

/* What DONTUNMAP leaves is empty: pages of its own. */
static int64_t empty_old(struct remap *r)
{
    struct mw_vma v;

    for (uint64_t a = r->old; a < r->old + r->old_size && mw_find_vma(r->t.live->space, a, &v); a = v.end) {
        uint64_t start = v.start > a ? v.start : a, stop = v.end;
        int64_t got;

        if (start >= r->old + r->old_size)
            break;
        if (stop > r->old + r->old_size)
            stop = r->old + r->old_size;
        got = map_anonymous(&r->t, start, stop - start, v.flags & 7, MW_MAP_FIXED, NULL);
        if (got < 0)
            return got;
    }
    return 0;
}

/* The part of a mapping in [start, end), moved by `delta`; false: none. */
static bool part(const struct mw_vma *v, uint64_t start, uint64_t end, struct mw_vma *out)
{
    *out = *v;
    if (v->start < start) {
        out->offset += start - v->start;
        out->start = start;
    }
    if (v->end > end)
        out->end = end;
    return out->start < out->end;
}

/*
 * Lets the host carry page tables over: its mappings then are at the new place
 * too, and still at the old one. Where it refuses, all of it is mapped anew.
 */
static void carry_tables(struct remap *r)
{
    struct transaction *t = &r->t;
    const struct layout *from = &t->before[0], *to = &t->before[1];
    uint64_t size = r->old_size < r->new_size ? r->old_size : r->new_size;
    struct mw_vma p;
    bool fine = true;

    if (t->parts != PARTS || size < WORTH_MOVING)
        return;
    t->moved = (struct layout){ .range = to->range };
    for (size_t i = 0; i < to->count; i++) /* what lies below, */
        if (part(&to->vma[i], 0, r->new, &p))
            fine = fine && mw_layout_add(&t->moved, &p);
    for (size_t i = 0; i < from->count && fine; i++) { /* what has come, */
        if (!part(&from->vma[i], r->old, r->old + size, &p))
            continue;
        fine = mw_hostcall.remap(at(p.start), (size_t)(p.end - p.start), (size_t)(p.end - p.start),
                                   MREMAP_MAYMOVE | MREMAP_FIXED | 4 /* MREMAP_DONTUNMAP */,
                                   at(p.start - r->old + r->new)) != MAP_FAILED;
        p.start += r->new - r->old;
        p.end += r->new - r->old;
        fine = fine && mw_layout_add(&t->moved, &p);
    }
    for (size_t i = 0; i < to->count; i++) /* and what lies above; opposite gaps it is mapped again */
        if (part(&to->vma[i], r->new + size, UINT64_MAX, &p))
            fine = fine && mw_layout_add(&t->moved, &p);
    t->second = fine ? AS_MOVED : UNKNOWN;
}

static bool moves(const struct remap *r, int64_t result)
{
    return r->old_size && (uint64_t)result != r->old && !(r->flags & MW_MREMAP_MIRROR);
}

static int64_t live_remap(struct remap *r, struct mw_why *why)
{
    struct transaction *t = &r->t;
    struct mw_live *live = t->live;
    int64_t result, err = note_remap(r);

    if (err)
        return end(t), err;
    result = mw_mremap(live->space, r->old, r->old_size, r->new_size, r->flags | MW_MREMAP_STRICT,
                       r->new, why);
    if (result < 0)
        return end(t), result; /* strict: nothing has changed */
    if (!(r->flags & MW_MREMAP_FIXED) && (uint64_t)result != r->old) {
        r->new = (uint64_t)result;
        note_empty(t, r->new, r->new + r->new_size);
    }
    if ((r->flags & MW_MREMAP_DONTUNMAP) && (err = empty_old(r)) < 0)
        return give_up(t, err);
    if (moves(r, result))
        carry_tables(r);
    else if ((uint64_t)result != r->old)
        live->aliased = true;
    return carry_out(t, result);
}

int64_t mw_live_mremap(struct mw_live *live, void *old_addr, uint64_t old_size, uint64_t new_size,
                       uint64_t flags, void *new_addr, struct mw_why *why)
{
    struct remap r = { .t.live = live, .old = (uintptr_t)old_addr, .old_size = up(live, old_size),
                       .new = (uintptr_t)new_addr, .new_size = up(live, new_size), .flags = flags };
    int64_t result;

    if (why)
        *why = (struct mw_why){ 0 };
    if (!inside(live, r.old, r.old_size) || !r.new_size || r.new_size > live->slot_bytes)
        return -EINVAL;
    if ((flags & MW_MREMAP_FIXED) && !inside(live, r.new, r.new_size))
        return -EINVAL;
    pthread_mutex_lock(&live->lock);
    result = live_remap(&r, why);
    pthread_mutex_unlock(&live->lock);
    return result;
}

/* ---- discard ------------------------------------------------------------------------------------ */

int64_t mw_live_discard(struct mw_live *live, void *addr, uint64_t length)
{
    uint64_t a = (uintptr_t)addr;
    struct layout l = { .range = { a, a + up(live, length) } };
    uint64_t next = a;
    int64_t r = 0;

    if (!inside(live, a, length) || a != up(live, a))
        return -EINVAL;
    pthread_mutex_lock(&live->lock);
    if (!mw_layout_take(live, &l))
        r = -ENOMEM;
    for (size_t i = 0; i < l.count && !r; i++) {
        uint64_t o = l.vma[i].offset;

        r = l.vma[i].start > next ? -ENOMEM : 0; /* a hole; what lies before it is done, as Linux */
        next = l.vma[i].end;
        if (!r && mw_hostcall.punch(live->fd, (off_t)o, (off_t)(l.vma[i].end - l.vma[i].start)))
            r = -errno;
    }
    if (!r && next < l.range.end)
        r = -ENOMEM;
    mw_layout_free(&l);
    pthread_mutex_unlock(&live->lock);
    return r;
}

/* ---- looking ---------------------------------------------------------------------------------------- */

/* Lines of /proc/self/maps: all, and the first disagreement with the space (NULL: none). */
static const char *read_maps(struct mw_live *live, uint64_t *lines)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    const char *bad = NULL;

    *lines = 0;
    while (f && fgets(line, sizeof line, f)) {
        unsigned long long start, stop, offset;
        char perms[8] = "";
        struct mw_vma v;

        if (sscanf(line, "%llx-%llx %7s %llx", &start, &stop, perms, &offset) != 4)
            continue;
        ++*lines;
        if (stop <= live->range.start || start >= live->range.end)
            continue;
        bool mapped = mw_find_vma(live->space, start, &v) && v.start <= start && perms[3] == 's';
        if (perms[3] == 's' && !mapped)
            bad = "the host maps what the space does not";
        if (!mapped)
            continue;
        if (stop > v.end && (!mw_find_vma(live->space, v.end, &v) || v.start > stop))
            bad = "the host's mapping reaches beyond the space's";
        else if (v.offset + (start - v.start) != offset && v.start <= start)
            bad = "the host maps other pages than the space";
        else if (((perms[0] == 'r') | (perms[1] == 'w') << 1 | (perms[2] == 'x') << 2) != (int)(v.flags & 7))
            bad = "the host's protection is not the space's";
    }
    if (f)
        fclose(f);
    return bad;
}

static uint64_t max_map_count(void)
{
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long long n = 0;

    if (f) {
        if (fscanf(f, "%llu", &n) != 1)
            n = 0;
        fclose(f);
    }
    return n;
}

void mw_live_stats(struct mw_live *live, struct mw_live_stats *out)
{
    struct mw_stats s;
    struct stat st;
    uint64_t most = max_map_count();
    struct mw_vma v;

    *out = (struct mw_live_stats){ 0 };
    pthread_mutex_lock(&live->lock);
    mw_stats(live->space, &s);
    for (uint64_t a = live->range.start; mw_find_vma(live->space, a, &v); a = v.end) {
        out->mapped += v.end - v.start;
        out->mappings++;
    }
    if (fstat(live->fd, &st) == 0)
        out->held = (uint64_t)st.st_blocks * 512;
    read_maps(live, &out->host_used);
    out->host_left = most > out->host_used ? most - out->host_used : 0;
    pthread_mutex_unlock(&live->lock);
}

/* Each mapping of the space is one that the host has. */
static const char *all_there(struct mw_live *live)
{
    uint64_t counted = 0, total = 0;
    struct mw_vma v;

    for (uint64_t a = live->range.start; mw_find_vma(live->space, a, &v); a = v.end) {
        unsigned char resident;

        total += v.end - v.start;
        if (mincore(at(v.start), 1, &resident) != 0)
            return "the space has a mapping that the host has not";
    }
    for (uint32_t i = 0; i < live->slot_count; i++)
        counted += live->slots[i].mapped;
    return counted == total ? NULL : "the count of mapped bytes is wrong";
}

const char *mw_live_check(struct mw_live *live)
{
    const char *bad = NULL;
    uint64_t lines;

    pthread_mutex_lock(&live->lock);
    mw_check(live->space, &bad);
    if (!bad)
        bad = read_maps(live, &lines);
    if (!bad)
        bad = all_there(live);
    pthread_mutex_unlock(&live->lock);
    return bad;
}

/* ---- creation ------------------------------------------------------------------------------------------- */

static int reserve_range(struct mw_live *live, uint64_t size)
{
    uint64_t padded = size + HUGE, start, over;
    void *p = mw_hostcall.map(NULL, (size_t)padded, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return -errno;
    start = ((uintptr_t)p + HUGE - 1) & ~(HUGE - 1);
    over = (uintptr_t)p + padded - (start + size);
    if (start > (uintptr_t)p)
        munmap(p, (size_t)(start - (uintptr_t)p));
    if (over)
        munmap(at(start + size), (size_t)over);
    live->range = (struct mw_range){ start, start + size };
    return 0;
}

/* The space: nothing is its own below the range. */
static int open_space(struct mw_live *live)
{
    struct mw_config c;
    uint32_t shift = 12;
    int err;

    while ((1l << shift) < sysconf(_SC_PAGESIZE))
        shift += 2;
    mw_config_init(&c, &live->port);
    c.page_shift = shift;
    c.options = MW_OPT_THP | MW_OPT_EXTENSIONS;
    c.task_size = c.mmap_base = live->range.end;
    c.min_addr = c.min_hint = c.low_base = live->range.start;
    c.max_map_count = UINT64_MAX / 2;
    err = mw_space_create(&c, &live->space);
    if (!err)
        err = mw_object_create(&live->port, NULL, NULL, live, 1ull << 63, MW_OBJ_THP_PLACE,
                               &live->file.object);
    if (!err) {
        struct mw_vma below = { .end = live->range.start };

        live->file.mode = MW_FILE_READ | MW_FILE_WRITE;
        err = mw_import(live->space, &below);
    }
    return err;
}

void mw_live_destroy(struct mw_live *live)
{
    if (!live)
        return;
    mw_live_fork_remove(live);
    mw_space_destroy(live->space);
    if (live->file.object)
        mw_object_put(live->file.object);
    if (live->range.end)
        munmap(at(live->range.start), (size_t)(live->range.end - live->range.start));
    if (live->fd >= 0)
        close(live->fd);
    pthread_mutex_destroy(&live->lock);
    free(live->memory.stock);
    free(live->slots);
    free(live);
}

int mw_live_create(const struct mw_live_config *config, struct mw_live **out)
{
    uint64_t size = (config->size + HUGE - 1) & ~(HUGE - 1);
    struct mw_live *live;
    int err;

    if (!size || size > 1ull << 46 || config->fork > MW_LIVE_FORK_NOTHING)
        return -EINVAL;
    live = calloc(1, sizeof *live);
    if (!live)
        return -ENOMEM;
    pthread_mutex_init(&live->lock, NULL);
    live->fork = config->fork;
    live->next_fd = -1;
    live->slot_bytes = size + HUGE;
    live->memory.stock = malloc(STOCK_BYTES);
    live->port = (struct mw_port){ .ctx = &live->memory, .alloc = take, .free = give };
    live->fd = mw_hostcall.memfd("mapwright", MFD_CLOEXEC);
    err = live->fd < 0 ? -errno : !live->memory.stock ? -ENOMEM : 0;
    if (!err && mw_hostcall.truncate(live->fd, (off_t)FILE_LIMIT))
        err = -errno;
    if (!err)
        err = reserve_range(live, size);
    if (!err)
        err = open_space(live);
    if (!err)
        err = mw_live_fork_add(live);
    if (err) {
        mw_live_destroy(live);
        return err;
    }
    *out = live;
    return 0;
}

struct mw_range mw_live_range(const struct mw_live *live) { return live->range; }

/* The child of a fork that is to have nothing. */
void mw_live_forget_all(struct mw_live *live)
{
    struct layout none = { .range = live->range };

    mw_munmap(live->space, live->range.start, live->range.end - live->range.start, NULL);
    mw_live_force(live, &none);
    live->slot_count = live->free_slot = 0;
}
