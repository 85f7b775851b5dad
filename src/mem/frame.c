/* SPDX-License-Identifier: MIT */
/* frame.c - physical pages: alloc and free in O(1), one word of link and count each. */
#include "mem/frame.h"

#include "base/atomic.h"
#include "base/mem.h"
#include "base/range.h"

/* Frames in a page of `level`. */
static uint64_t block_frames(const struct mw_frames *f, uint32_t level)
{
    return 1ull << (frame_shift(f, level) - f->page_shift);
}

int mw_frames_create(const struct mw_port *port, void *base, uint64_t bytes,
                     uint32_t page_shift, struct mw_frames **out)
{
    struct mw_frames *f;
    uint64_t count;

    if (!port || !base || (page_shift != 12 && page_shift != 14 && page_shift != 16))
        return -MW_EINVAL;
    if (!page_aligned((uintptr_t)base | bytes, page_shift))
        return -MW_EINVAL;
    count = bytes >> page_shift;
    if (count < 2 || count >= UINT32_MAX)
        return -MW_EINVAL;
    f = port->alloc(port->ctx, sizeof *f);
    if (!f)
        return -MW_ENOMEM;
    *f = (struct mw_frames){ .port = port, .base = base, .page_shift = page_shift,
                             .count = (uint32_t)count, .fresh = 1, .top = (uint32_t)count,
                             .free_count = (uint32_t)count - 1 };
    f->meta = port->alloc(port->ctx, (size_t)count * sizeof *f->meta);
    if (!f->meta) {
        port->free(port->ctx, f, sizeof *f);
        return -MW_ENOMEM;
    }
    f->zero = frame_alloc_zeroed(f);
    *out = f;
    return 0;
}

int mw_frames_destroy(struct mw_frames *f)
{
    const struct mw_port *port;

    if (!f)
        return 0;
    for (uint32_t level = 2; level <= FRAME_LEVELS; level++)
        mw_frames_set_huge(f, frame_shift(f, level), 0);
    if (f->readers || f->free_count != f->count - 2)
        return -MW_EBUSY;
    port = f->port;
    port->free(port->ctx, f->meta, (size_t)f->count * sizeof *f->meta);
    port->free(port->ctx, f, sizeof *f);
    return 0;
}

/* Number 0 and the zero frame are the pool's own. */
uint64_t mw_frames_total(const struct mw_frames *f)
{
    uint64_t huge = 0;

    for (uint32_t level = 2; level <= FRAME_LEVELS; level++)
        huge += f->huge[level].total * block_frames(f, level);
    return f->count - 2 - huge;
}

uint64_t mw_frames_free(const struct mw_frames *f) { return f->free_count; }

/* Takes the first frame off a list. */
static frame_t pop(struct mw_frames *f, uint32_t *head)
{
    frame_t n = *head;

    *head = f->meta[n].link;
    return n;
}

static frame_t handed_out(struct mw_frames *f, frame_t n)
{
    f->free_count--;
    f->meta[n] = (struct frame){ .refs = 1 };
    return n;
}

frame_t frame_alloc(struct mw_frames *f)
{
    if (f->free_head)
        return handed_out(f, pop(f, &f->free_head));
    if (f->fresh < f->top)
        return handed_out(f, f->fresh++);
    return f->clean_head ? handed_out(f, pop(f, &f->clean_head)) : 0;
}

frame_t frame_alloc_zeroed(struct mw_frames *f)
{
    frame_t n;

    if (f->clean_head)
        return handed_out(f, pop(f, &f->clean_head));
    n = frame_alloc(f);
    if (n)
        memset(frame_ptr(f, n), 0, (size_t)1 << f->page_shift);
    return n;
}

/* The list of free frames of a kind: a limbo's index. */
static uint32_t *free_list(struct mw_frames *f, uint32_t kind)
{
    return kind > 1 ? &f->huge[kind].head : kind ? &f->free_head : &f->clean_head;
}

static void release(struct mw_frames *f, frame_t n, uint32_t kind)
{
    uint32_t *head = f->readers ? &f->young.head[kind] : free_list(f, kind);

    if (f->readers) {
        f->young.tail[kind] = *head ? f->young.tail[kind] : n;
        f->young.any = true;
    }
    f->meta[n].link = *head;
    *head = n;
}

void frame_put(struct mw_frames *f, frame_t n)
{
    if (--f->meta[n].refs)
        return;
    release(f, n, 1);
    f->free_count++;
}

void frame_put_clean(struct mw_frames *f, frame_t n)
{
    if (--f->meta[n].refs)
        return;
    release(f, n, 0);
    f->free_count++;
}

/* ---- readers -------------------------------------------------------------------------- */

static bool passed(const struct mw_frames *f, uint64_t epoch)
{
    for (const struct mw_reader *r = f->readers; r; r = r->next)
        if (load_ordered(&r->seen) < epoch)
            return false;
    return true;
}

bool mw_readers_passed(const struct mw_frames *f) { return passed(f, f->epoch); }

void frame_new_epoch(struct mw_frames *f)
{
    store_release(&f->epoch, f->epoch + 1);
    for (struct mw_reader *r = f->readers; r; r = r->next) {
        store_ordered(&r->stamp, 0);
        store_ordered(&r->reach, 0); /* after the stamp: see mw_tlb_reach */
    }
}

/* Nobody is at the frames in `old` any more. */
static void free_old(struct mw_frames *f)
{
    for (uint32_t kind = 0; kind <= FRAME_LEVELS; kind++) {
        uint32_t *head = free_list(f, kind);

        if (!f->old.head[kind])
            continue;
        f->meta[f->old.tail[kind]].link = *head;
        *head = f->old.head[kind];
    }
    f->old = (struct limbo){ 0 };
}

bool frame_settle(struct mw_frames *f)
{
    if (f->old.any && passed(f, f->old_epoch))
        free_old(f);
    if (f->old.any || !f->young.any)
        return false;
    frame_new_epoch(f);
    f->old = f->young;
    f->young = (struct limbo){ 0 };
    f->old_epoch = f->epoch;
    if (passed(f, f->old_epoch))
        free_old(f);
    return true;
}

/* ---- huge pages ---------------------------------------------------------------------- */

static void push_free(struct mw_frames *f, frame_t n)
{
    f->meta[n] = (struct frame){ .link = f->free_head };
    f->free_head = n;
}

/* Cuts one more huge page off the frames that were never used. */
static bool carve(struct mw_frames *f, uint32_t level)
{
    uint64_t n = block_frames(f, level), start = f->top >= n ? (f->top - n) & ~(n - 1) : 0;
    struct huge_stock *h = &f->huge[level];

    if (start < f->fresh || !start)
        return false;
    for (uint64_t i = start + n; i < f->top; i++) /* what alignment leaves over */
        push_free(f, (frame_t)i);
    f->top = (uint32_t)start;
    f->free_count -= (uint32_t)n;
    f->meta[start] = (struct frame){ .link = h->head };
    h->head = (frame_t)start;
    h->free++;
    h->total++;
    return true;
}

/* Makes pages of a free huge page again. */
static void dissolve(struct mw_frames *f, uint32_t level)
{
    struct huge_stock *h = &f->huge[level];
    frame_t start = h->head;
    uint64_t n = block_frames(f, level);

    h->head = f->meta[start].link;
    h->free--;
    h->total--;
    f->free_count += (uint32_t)n;
    if (start == f->top && start >= f->fresh) { /* the last one carved: as if never used */
        f->top += (uint32_t)n;
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        push_free(f, start + (frame_t)i);
}

/* The level of pages of this size; 0: there are none. */
static uint32_t level_of(const struct mw_frames *f, uint32_t shift)
{
    for (uint32_t level = 2; level <= FRAME_LEVELS; level++)
        if (frame_shift(f, level) == shift)
            return level;
    return 0;
}

void mw_frames_huge(const struct mw_frames *f, uint32_t shift, struct mw_huge_stats *out)
{
    const struct huge_stock *h = &f->huge[level_of(f, shift)]; /* level 0 stays empty */

    *out = (struct mw_huge_stats){ h->total, h->free, h->promised };
}

uint64_t mw_frames_set_huge(struct mw_frames *f, uint32_t shift, uint64_t count)
{
    uint32_t level = level_of(f, shift);
    struct huge_stock *h = &f->huge[level];

    if (!level)
        return 0;
    while (h->total < count && carve(f, level))
        ;
    while (h->total > count && h->free > h->promised && h->head)
        dissolve(f, level);
    return h->total;
}

frame_t frame_alloc_huge(struct mw_frames *f, uint32_t level, bool promised)
{
    struct huge_stock *h = &f->huge[level];
    frame_t n = h->head;

    if (!n || (!promised && h->free <= h->promised))
        return 0;
    h->promised -= promised;
    h->free--;
    h->head = f->meta[n].link;
    f->meta[n] = (struct frame){ .refs = 1 };
    return n;
}

void frame_put_huge(struct mw_frames *f, frame_t n, uint32_t level)
{
    if (--f->meta[n].refs)
        return;
    release(f, n, level);
    f->huge[level].free++;
}

bool frame_promise(struct mw_frames *f, uint32_t level, uint64_t pages)
{
    struct huge_stock *h = &f->huge[level];

    if (pages > h->free - h->promised)
        return false;
    h->promised += (uint32_t)pages;
    return true;
}

void frame_unpromise(struct mw_frames *f, uint32_t level, uint64_t pages)
{
    f->huge[level].promised -= (uint32_t)pages;
}
