/* SPDX-License-Identifier: MIT */
/* apply.c - from one layout to another, in as few host calls as their pieces need; and moving pages. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"
#include "space.h"

/* ---- layouts --------------------------------------------------------------------- */

void mw_layout_init(struct layout *l, struct mw_range range)
{
    l->range = range;
    l->vma = l->few;
    l->count = 0;
    l->room = sizeof l->few / sizeof l->few[0];
}

/* A row of `bytes`, twice as long; it began in `few`, which is its owner's. NULL: no memory, it is as it was. */
static void *longer(void *row, const void *few, size_t bytes)
{
    void *more = realloc(row == few ? NULL : row, 2 * bytes);

    if (more && row == few)
        memcpy(more, few, bytes);
    return more;
}

static bool more_room(struct layout *l)
{
    struct mw_vma *more = longer(l->vma, l->few, l->room * sizeof *more);

    if (!more)
        return false;
    l->vma = more;
    l->room *= 2;
    return true;
}

bool mw_layout_add(struct layout *l, const struct mw_vma *v)
{
    if (l->count == l->room && !more_room(l))
        return false;
    if (v->object)
        mw_object_get(v->object);
    l->vma[l->count++] = *v;
    return true;
}

bool mw_vma_part(const struct mw_vma *v, uint64_t start, uint64_t end, struct mw_vma *out)
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

bool mw_layout_take(const struct mw_live *live, struct layout *l)
{
    struct mw_vma v, p;

    for (uint64_t at = l->range.start; at < l->range.end && mw_find_vma(live->space, at, &v);
         at = v.end) {
        if (!mw_vma_part(&v, l->range.start, l->range.end, &p))
            break;
        if (!mw_layout_add(l, &p))
            return false;
    }
    return true;
}

void mw_layout_free(struct layout *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->vma[i].object)
            mw_object_put(l->vma[i].object);
    if (l->vma != l->few)
        free(l->vma);
    mw_layout_init(l, l->range);
}

/* ---- host calls --------------------------------------------------------------------- */

enum what { KEEP, PROTECT, MAP, RESERVE };

/* One host call, as far as it has grown. */
struct action {
    enum what what;
    uint64_t start, end, offset;
    const struct backing *behind;
    int prot, flags;
    uint64_t marks; /* MW_VM_...: locks and advice */
    bool relock;    /* PROTECT: the locks are to be set too */
};

#define LOCKS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

/* What a mapping made anew is advised of once more. */
static const struct {
    uint64_t mark;
    int advice;
} advised[] = {
    { MW_VM_RAND_READ, MADV_RANDOM },     { MW_VM_SEQ_READ, MADV_SEQUENTIAL },
    { MW_VM_DONTCOPY, MADV_DONTFORK },    { MW_VM_WIPEONFORK, MADV_WIPEONFORK },
    { MW_VM_MERGEABLE, MADV_MERGEABLE },  { MW_VM_DONTDUMP, MADV_DONTDUMP },
    { MW_VM_HUGEPAGE, MADV_HUGEPAGE },    { MW_VM_NOHUGEPAGE, MADV_NOHUGEPAGE },
};

enum { ADVISED = sizeof advised / sizeof advised[0] };

static uint64_t marks_of(const struct mw_vma *v)
{
    uint64_t marks = v->flags & LOCKS;

    for (size_t i = 0; i < ADVISED; i++)
        marks |= v->flags & advised[i].mark;
    return marks;
}

static int prot_of(const struct mw_vma *v) { return (int)(v->flags & 7); }

static int flags_of(const struct mw_vma *v)
{
    const struct backing *b = backing_of(v);
    int kind = !b ? MAP_PRIVATE | MAP_ANONYMOUS : b->keeps ? MAP_PRIVATE : MAP_SHARED;

    return kind | (v->flags & MW_VM_NORESERVE ? MAP_NORESERVE : 0) |
           ((v->flags & LOCKS) == MW_VM_LOCKED ? MAP_LOCKED : 0);
}

int mw_live_lock(uint64_t start, uint64_t end, uint64_t locks)
{
    int how = locks & MW_VM_LOCKONFAULT ? HOST_LOCK_ONFAULT : locks ? HOST_LOCK : HOST_UNLOCK;

    return mw_hostcall.lock(host_at(start), (size_t)(end - start), how) ? -errno : 0;
}

static int advise(const struct action *a)
{
    if ((a->marks & LOCKS) == LOCKS && mw_live_lock(a->start, a->end, LOCKS))
        return -errno;
    for (size_t i = 0; i < ADVISED; i++)
        if ((a->marks & advised[i].mark) &&
            mw_hostcall.advise(host_at(a->start), (size_t)(a->end - a->start), advised[i].advice))
            return -errno;
    return 0;
}

static int map(const struct action *a)
{
    void *r = mw_hostcall.map(host_at(a->start), (size_t)(a->end - a->start), a->prot,
                              a->flags | MAP_FIXED, a->behind ? a->behind->fd : -1,
                              a->behind ? (off_t)a->offset : 0);
    if (r == MAP_FAILED)
        return -errno;
    return a->marks ? advise(a) : 0;
}

static int protect(const struct action *a)
{
    if (mw_hostcall.protect(host_at(a->start), (size_t)(a->end - a->start), a->prot))
        return -errno;
    return a->relock ? mw_live_lock(a->start, a->end, a->marks & LOCKS) : 0;
}

static int perform(const struct action *a)
{
    switch (a->what) {
    case KEEP:
        return 0;
    case PROTECT:
        return protect(a);
    default:
        return map(a);
    }
}

/* Are the pages that `to` has at `addr` those that `from` has there? */
static bool same_pages(const struct mw_vma *from, const struct mw_vma *to, uint64_t addr)
{
    return from->object == to->object &&
           (!to->object || from->offset + (addr - from->start) == to->offset + (addr - to->start));
}

/* What is to be done at `addr`, up to `end`. */
static struct action action_at(const struct mw_vma *from, const struct mw_vma *to, uint64_t addr,
                               uint64_t end, bool force)
{
    struct action a = { .start = addr, .end = end };

    if (!to) {
        a.what = from || force ? RESERVE : KEEP;
        a.prot = PROT_NONE;
        a.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        return a;
    }
    a.offset = to->offset + (addr - to->start);
    a.prot = prot_of(to);
    a.flags = flags_of(to);
    a.behind = backing_of(to);
    a.marks = marks_of(to);
    a.relock = !from || ((from->flags ^ to->flags) & LOCKS);
    if (force)
        a.what = is_carried(to) ? PROTECT : MAP;
    else if (!from || !same_pages(from, to, addr))
        a.what = MAP;
    else
        a.what = prot_of(from) == a.prot && !a.relock ? KEEP : PROTECT;
    return a;
}

static bool continues(const struct action *a, const struct action *b)
{
    if (a->what == RESERVE && b->what == RESERVE)
        return true;
    if (a->what != b->what || a->end != b->start || a->prot != b->prot || a->marks != b->marks ||
        a->relock != b->relock)
        return false;
    return a->what < MAP || (a->flags == b->flags && a->behind == b->behind &&
                             (!a->behind || a->offset + (a->end - a->start) == b->offset));
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

/*
 * One pass: what makes mappings, or what takes them away. A gap between pieces
 * that go is reserved once more with them: so one call takes all of a range
 * away, or none of it.
 */
static int sweep(const struct layout *from, const struct layout *to, bool reserving)
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
        a = action_at(f, t, addr, next, !from);
        if (reserving && !t && a.what == KEEP)
            continue;
        if ((a.what == RESERVE) != reserving)
            a = (struct action){ .what = KEEP, .start = addr, .end = next };
        if (continues(&grown, &a)) {
            grown.end = a.end;
        } else {
            err = perform(&grown);
            grown = a;
        }
    }
    return err ? err : perform(&grown);
}

int mw_live_apply(const struct layout *from, const struct layout *to)
{
    int err = to->count ? sweep(from, to, false) : 0;

    return err ? err : sweep(from, to, true);
}

int mw_live_map(const struct mw_vma *v)
{
    struct action a = action_at(NULL, v, v->start, v->end, false);

    return map(&a);
}

int mw_live_reserve(uint64_t start, uint64_t end)
{
    struct action a = action_at(NULL, NULL, start, end, true);

    return map(&a);
}

int mw_live_force(const struct layout *to) { return mw_live_apply(NULL, to); }

/* ---- moving pages ---------------------------------------------------------------------------- */

static int note(struct journal *j, struct moved m)
{
    if (!j->room) {
        j->moved = j->few;
        j->room = sizeof j->few / sizeof j->few[0];
    }
    if (j->count == j->room) {
        struct moved *more = longer(j->moved, j->few, j->room * sizeof *more);

        if (!more)
            return -ENOMEM;
        j->moved = more;
        j->room *= 2;
    }
    j->moved[j->count++] = m;
    return 0;
}

void mw_journal_free(struct journal *j)
{
    if (j->moved != j->few)
        free(j->moved);
    *j = (struct journal){ 0 };
}

static int remap(uint64_t from, uint64_t to, uint64_t bytes, int flags)
{
    return mw_hostcall.remap(host_at(from), (size_t)bytes, (size_t)bytes,
                             MREMAP_MAYMOVE | MREMAP_FIXED | flags, host_at(to)) == MAP_FAILED
               ? -errno
               : 0;
}

/* Where the host knows no DONTUNMAP for this kind: what it leaves is a hole, which is filled. */
static int move_and_fill(const struct mw_vma *v, uint64_t to)
{
    struct action a = action_at(NULL, v, v->start, v->end, false);
    int err = remap(v->start, to, v->end - v->start, 0);

    if (err)
        return err;
    err = map(&a);
    if (err) /* a hole has room for what came from it */
        remap(to, v->start, v->end - v->start, 0);
    return err;
}

static int move_unlocked(const struct mw_vma *v, uint64_t to)
{
    const struct backing *b = backing_of(v);
    int err = b && !b->live->leaves_objects ? -EINVAL
                                            : remap(v->start, to, v->end - v->start, MREMAP_DONTUNMAP);

    return err == -EINVAL && is_carried(v) ? move_and_fill(v, to) : err;
}

/* What lies where pages come back to, or have come from, is put right by the caller. */
static int move_back(struct moved m)
{
    int err = remap(m.to, m.from, m.bytes, MREMAP_DONTUNMAP);

    return err == -EINVAL ? remap(m.to, m.from, m.bytes, 0) : err;
}

/* Locks are taken off meanwhile: Linux 6.16 to 7.0 would count those of what stays for ever. */
static int move_one(const struct mw_vma *v, uint64_t to)
{
    uint64_t locks = v->flags & LOCKS, bytes = v->end - v->start;
    int err = locks ? mw_live_lock(v->start, v->end, 0) : 0;

    if (!err)
        err = move_unlocked(v, to);
    if (!err && locks && (err = mw_live_lock(to, to + bytes, locks)) != 0)
        move_back((struct moved){ v->start, to, bytes });
    if (err && locks)
        mw_live_lock(v->start, v->end, locks);
    return err;
}

/*
 * Has the host several mappings there? They would not move in one call, and before Linux 6.17
 * the attempt would leave a hole at its destination. A growth that no address space has room
 * for says so, and changes nothing.
 */
static bool is_several(const struct mw_vma *v)
{
    return mremap(host_at(v->start), (size_t)(v->end - v->start), (size_t)1 << 46, 0) == MAP_FAILED &&
           errno == EFAULT;
}

/* Where the host has several mappings: by halves. */
static int move_parts(const struct mw_vma *v, uint64_t to, uint64_t page, struct journal *j)
{
    uint64_t pages = (v->end - v->start) / page, middle = v->start + pages / 2 * page;
    size_t room = j->count;
    struct mw_vma half;
    int err;

    if (pages < 2 || !is_several(v)) {
        err = note(j, (struct moved){ v->start, to, v->end - v->start });
        if (!err && (err = move_one(v, to)) != 0)
            j->count = room;
        return err;
    }
    mw_vma_part(v, v->start, middle, &half);
    err = move_parts(&half, to, page, j);
    if (err)
        return err;
    mw_vma_part(v, middle, v->end, &half);
    return move_parts(&half, to + (middle - v->start), page, j);
}

int mw_live_move(const struct mw_vma *v, uint64_t to, struct journal *journal)
{
    if (!is_carried(v)) /* its pages are elsewhere as well */
        return move_one(v, to);
    return move_parts(v, to, (uint64_t)sysconf(_SC_PAGESIZE), journal);
}

void mw_journal_undo(struct journal *j)
{
    while (j->count) {
        const struct moved *m = &j->moved[--j->count];

        mw_live_lock(m->to, m->to + m->bytes, 0);
        for (int tries = 4; move_back(*m) && tries; tries--)
            continue;
    }
}
