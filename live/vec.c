/* SPDX-License-Identifier: MIT */
/* vec.c - the vector that moves instead of being copied. Rules: SPEC.md, VEC-1 to VEC-7. */
#include "mapwright/vec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"

#define TABLE ((size_t)2 << 20)     /* what one page table maps */
#define DIRECTORY ((size_t)1 << 30) /* what one table of page tables maps */

/*
 * Below this many bytes the vector lives on the C library's heap. A move costs two
 * system calls and a flush, 8 us where this was measured, whatever it moves; to copy
 * 64 KiB costs 0.7 us, 256 KiB 6 us, 1 MiB 24 us, when the target is warm. A fresh
 * target has page faults on top, hence half of the even point.
 */
#define SMALL ((size_t)128 << 10)

/* When it moves it looks for a place with room to grow to so many times its size. */
#define AHEAD 8

struct vec {
    struct mw_vec open; /* first: what the caller holds */
    size_t room;        /* bytes that may be used: mapped read-write, or on the heap */
    size_t span;        /* bytes of addresses that are its own, room included; 0: on the heap */
    size_t dirty;       /* bytes beyond this one were never an element's: they are zero */
    size_t page;        /* the system's: kept here, for growth after long work meets cold caches */
    bool huge;
    bool reserved;      /* within its first reservation still: its addresses stay its own */
};

static struct vec *inner(struct mw_vec *open)
{
    return (struct vec *)open;
}

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) & ~(unit - 1);
}

/* Where `size` bytes must lie so that tables can be moved, and not their entries. */
static size_t alignment(const struct vec *v, size_t size)
{
    return size >= DIRECTORY ? DIRECTORY : size >= TABLE ? TABLE : v->page;
}

/* Whole pages, and whole page tables from one on: a rest would be moved by entries. */
static size_t whole(const struct vec *v, size_t size)
{
    return round_up(size, size >= TABLE ? TABLE : v->page);
}

static void set(struct vec *v, void *data, size_t room, size_t span)
{
    v->open.data = data;
    v->open.capacity = room / v->open.elem_size;
    v->room = room;
    v->span = span;
}

/*
 * Reserves `size` bytes of addresses at the bottom of a free piece of `ahead`, aligned
 * as these would have to be: mappings fill a gap from its top, so the vector may grow from its bottom.
 * NULL and errno if there is no such place.
 */
static char *reserve(const struct vec *v, size_t size, size_t ahead, int flags)
{
    size_t align = alignment(v, ahead), all = ahead + align - v->page, head;
    char *got = mw_hostcall.map(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    if ((void *)got == MAP_FAILED)
        return NULL;
    head = round_up((uintptr_t)got, align) - (uintptr_t)got;
    if (head > 0)
        mw_hostcall.unmap(got, head);
    if (all - head > size)
        mw_hostcall.unmap(got + head + size, all - head - size);
    return got + head;
}

/* The same where there is room ahead, or anywhere. */
static char *reserve_best(const struct vec *v, size_t size)
{
    char *at = size > SIZE_MAX / 64 ? NULL : reserve(v, size, size * AHEAD, 0);

    return at ? at : reserve(v, size, size, 0);
}

static void advise(const struct vec *v, void *at, size_t size)
{
    if (v->huge)
        mw_hostcall.advise(at, size, MADV_HUGEPAGE); /* advice: nothing depends on it */
}

/* ---- ways to grow to `want` bytes, at least the present room ------------------ */

/* Within what is reserved already: never moves, and stays one mapping (SPEC VEC-2). */
static int commit(struct vec *v, size_t want)
{
    if (mw_hostcall.protect((char *)v->open.data + v->room, want - v->room, PROT_READ | PROT_WRITE))
        return -errno;
    set(v, v->open.data, want, v->span);
    return 0;
}

/* From the heap into a mapping: the last time that bytes are copied. */
static int leave_heap(struct vec *v, size_t want)
{
    size_t used = v->open.size * v->open.elem_size;
    char *at = reserve_best(v, want);

    if (!at)
        return -ENOMEM;
    if (mw_hostcall.protect(at, want, PROT_READ | PROT_WRITE) != 0) {
        mw_hostcall.unmap(at, want);
        return -ENOMEM;
    }
    advise(v, at, want);
    if (used)
        memcpy(at, v->open.data, used);
    free(v->open.data);
    v->dirty = used;
    set(v, at, want, want);
    return 0;
}

/*
 * Before 6.17 a failing mremap has removed what was at its destination, and anybody
 * may map there. So everything that it may fail for is tried before: the growth is
 * committed at the destination, where mremap replaces it.
 */
static int move(struct vec *v, size_t want)
{
    char *old = v->open.data, *at = reserve_best(v, want);

    if (!at)
        return -ENOMEM;
    if (mw_hostcall.protect(at + v->room, want - v->room, PROT_READ | PROT_WRITE) != 0 ||
        mw_hostcall.remap(old, v->room, want, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED) {
        mw_hostcall.unmap(at, want);
        return -ENOMEM;
    }
    v->reserved = false;
    if (v->span > v->room)
        mw_hostcall.unmap(old + v->room, v->span - v->room);
    set(v, at, want, want);
    return 0;
}

/* A reservation in which nothing is yet, by a larger place. */
static int replace(struct vec *v, size_t want)
{
    void *old = v->open.data;
    size_t span = v->span;

    v->span = 0;
    v->open.data = NULL;
    if (leave_heap(v, want) == 0) {
        v->reserved = false;
        mw_hostcall.unmap(old, span);
        return 0;
    }
    set(v, old, 0, span);
    return -ENOMEM;
}

/* By the kernel's own choice, for want of any address space to choose from: a limit
 * that has no room for a reservation beside the vector may have some for the growth. */
static int squeeze(struct vec *v, size_t want, int flags)
{
    void *at;

    if (v->span > v->room)
        return -ENOMEM; /* what it has reserved is in the way, and is to stay if this fails */
    at = mw_hostcall.remap(v->open.data, v->room, want, flags, NULL);
    if (at == MAP_FAILED)
        return -ENOMEM;
    set(v, at, want, want);
    return 0;
}

static int grow_mapping(struct vec *v, size_t want)
{
    if (want <= v->span)
        return commit(v, want);
    if (v->room == 0)
        return replace(v, want);
    /* at an address that is good for the new size too */
    if ((uintptr_t)v->open.data % alignment(v, want) == 0 && squeeze(v, want, 0) == 0)
        return 0;
    if (move(v, want) == 0)
        return 0;
    return squeeze(v, want, MREMAP_MAYMOVE);
}

static int grow_heap(struct vec *v, size_t want)
{
    char *at = mw_hostcall.resize(v->open.data, want);

    if (!at)
        return -ENOMEM;
    memset(at + v->room, 0, want - v->room);
    set(v, at, want, 0);
    return 0;
}

/* Makes room for `need` bytes, and for `ahead` of them if there is memory for it. */
static int grow(struct vec *v, size_t need, size_t ahead)
{
    int err;

    if (v->span == 0 && ahead < SMALL)
        return grow_heap(v, ahead);
    ahead = whole(v, ahead);
    if (v->span >= need && ahead > v->span)
        ahead = v->span;
    err = v->span == 0 ? leave_heap(v, ahead) : grow_mapping(v, ahead);
    need = whole(v, need);
    if (!err || need >= ahead)
        return err;
    return v->span == 0 ? leave_heap(v, need) : grow_mapping(v, need);
}

/* ---- the calls ----------------------------------------------------------- */

/* n elements in bytes; false where that is more than a vector may have. */
static bool in_bytes(const struct vec *v, size_t n, size_t *bytes)
{
    if (n > SIZE_MAX / 4 / v->open.elem_size)
        return false;
    *bytes = n * v->open.elem_size;
    return true;
}

static int reserve_hint(struct vec *v, size_t hint)
{
    size_t bytes;
    char *at;

    if (!in_bytes(v, hint, &bytes))
        return -EOVERFLOW;
    bytes = whole(v, bytes);
    at = reserve(v, bytes, bytes, MAP_NORESERVE);
    if (!at)
        return -ENOMEM;
    advise(v, at, bytes);
    v->reserved = true;
    set(v, at, 0, bytes);
    return 0;
}

int mw_vec_create(size_t elem_size, size_t hint, unsigned flags, struct mw_vec **out)
{
    struct vec *v;
    int err = 0;

    if (elem_size == 0 || flags & ~MW_VEC_HUGE)
        return -EINVAL;
    if (hint > SIZE_MAX / 4 / elem_size)
        return -EOVERFLOW;
    v = mw_hostcall.resize(NULL, sizeof *v);
    if (!v)
        return -ENOMEM;
    memset(v, 0, sizeof *v);
    v->open.elem_size = elem_size;
    v->page = (size_t)sysconf(_SC_PAGESIZE);
    v->huge = flags & MW_VEC_HUGE;
    if (hint > 0)
        err = reserve_hint(v, hint);
    if (err)
        free(v);
    else
        *out = &v->open;
    return err;
}

void mw_vec_destroy(struct mw_vec *open)
{
    if (!open)
        return;
    if (inner(open)->span)
        mw_hostcall.unmap(open->data, inner(open)->span);
    else
        free(open->data);
    free(inner(open));
}

int mw_vec_reserve(struct mw_vec *open, size_t n)
{
    struct vec *v = inner(open);
    size_t bytes;

    if (!in_bytes(v, n, &bytes))
        return -EOVERFLOW;
    return bytes > v->room ? grow(v, bytes, bytes) : 0;
}

/*
 * By steps, not by elements: to double is right while a step costs more than the pages
 * that it is for; from one page table on an eighth is, for it may be all that is left.
 */
static size_t step(const struct vec *v, size_t bytes)
{
    size_t least = v->room + v->room / (v->room < TABLE ? 1 : 8);

    /* what is reserved is not charged for when it is committed: half of the calls will do */
    if (bytes <= v->span)
        least = 2 * bytes;
    return least > bytes ? least : bytes;
}

static int grow_to(struct vec *v, size_t n)
{
    size_t bytes;

    if (!in_bytes(v, n, &bytes))
        return -EOVERFLOW;
    if (bytes <= v->room)
        return 0;
    return grow(v, bytes, step(v, bytes));
}

int mw_vec_grow(struct mw_vec *open)
{
    return grow_to(inner(open), open->size + 1);
}

int mw_vec_resize(struct mw_vec *open, size_t n)
{
    struct vec *v = inner(open);
    size_t old = open->size * open->elem_size, bytes;
    int err = n > open->capacity ? grow_to(v, n) : 0;

    if (err)
        return err;
    bytes = n * open->elem_size;
    if (bytes < old && v->dirty < old)
        v->dirty = old;
    if (bytes > old && v->dirty > old)
        memset((char *)open->data + old, 0, (bytes < v->dirty ? bytes : v->dirty) - old);
    open->size = n;
    return 0;
}

/* Its own addresses back to a reservation: a fresh mapping has neither bytes nor a charge. */
static int decommit(struct vec *v, size_t keep)
{
    char *end = (char *)v->open.data + keep;
    size_t size = v->room - keep;

    if (mw_hostcall.map(end, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                        -1, 0) == MAP_FAILED)
        return -ENOMEM;
    advise(v, end, size);
    return 0;
}

static int shrink_heap(struct vec *v, size_t keep)
{
    char *at = NULL;

    if (keep == 0)
        free(v->open.data);
    else if (!(at = mw_hostcall.resize(v->open.data, keep)))
        return -ENOMEM;
    set(v, at, keep, 0);
    return 0;
}

int mw_vec_shrink_to_fit(struct mw_vec *open)
{
    struct vec *v = inner(open);
    size_t used = open->size * open->elem_size, keep = v->span ? whole(v, used) : used;

    if (keep >= v->room)
        return 0;
    if (v->span == 0) {
        int err = shrink_heap(v, keep);
        if (err)
            return err;
    } else if (v->reserved) {
        if (decommit(v, keep) != 0)
            return -ENOMEM;
        set(v, open->data, keep, v->span);
    } else {
        if (mw_hostcall.unmap((char *)open->data + keep, v->room - keep) != 0)
            return -ENOMEM;
        set(v, keep ? open->data : NULL, keep, keep);
    }
    if (v->dirty > keep)
        v->dirty = keep;
    return 0;
}
