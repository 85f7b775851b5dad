/* SPDX-License-Identifier: MIT */
/* frame.c - physical pages: alloc and free in O(1), one word of link and count each. */
#include "mem/frame.h"

#include "base/atomic.h"
#include "base/mem.h"
#include "base/range.h"
#include "mem/block.h"

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
                             .count = (uint32_t)count, .free_count = (uint32_t)count - 1 };
    f->meta = port->alloc(port->ctx, (size_t)count * sizeof *f->meta);
    if (!f->meta || !block_create(f)) {
        if (f->meta)
            port->free(port->ctx, f->meta, (size_t)count * sizeof *f->meta);
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
    block_destroy(f);
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
    frame_t n = block_take(f);

    return n ? handed_out(f, n) : 0;
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

/* Nobody can be at `n` any more. */
static void give(struct mw_frames *f, frame_t n, enum frame_kind kind)
{
    uint32_t *head = kind == FRAME_CLEAN ? &f->clean_head : &f->huge[kind & 3].head;

    if (kind == FRAME_PAGE) {
        block_give(f, n);
    } else if (kind == FRAME_BLOCK) {
        block_free(f, n);
    } else {
        f->meta[n].link = *head;
        *head = n;
    }
}

/* Somebody may. */
static void put_off(struct mw_frames *f, frame_t n, enum frame_kind kind)
{
    f->meta[n].link = f->young.head[kind];
    f->young.head[kind] = n;
    f->young.any = true;
}

void frame_release(struct mw_frames *f, frame_t n, enum frame_kind kind)
{
    if (f->readers)
        put_off(f, n, kind);
    else
        give(f, n, kind);
}

/* frame_release written out: this is what giving up memory consists of. */
void frame_put(struct mw_frames *f, frame_t n)
{
    if (--f->meta[n].refs)
        return;
    f->free_count++;
    if (f->readers)
        put_off(f, n, FRAME_PAGE);
    else
        block_give(f, n);
}

void frame_put_clean(struct mw_frames *f, frame_t n)
{
    if (--f->meta[n].refs)
        return;
    frame_release(f, n, FRAME_CLEAN);
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
    for (uint32_t kind = 0; kind < FRAME_KINDS; kind++)
        while (f->old.head[kind])
            give(f, pop(f, &f->old.head[kind]), (enum frame_kind)kind);
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

/* The blocks of a page of `level`. */
static uint64_t blocks_in(const struct mw_frames *f, uint32_t level)
{
    return block_frames(f, level) / block_size(f);
}

/* Makes a huge page of frames that are all free. */
static void carve(struct mw_frames *f, uint32_t level, frame_t start)
{
    struct huge_stock *h = &f->huge[level];

    if (!block_reserve(f, start, blocks_in(f, level)))
        return;
    f->meta[start] = (struct frame){ .link = h->head };
    h->head = start;
    h->free++;
    h->total++;
}

/* From the top, where frames are used last. */
static void grow(struct mw_frames *f, uint32_t level, uint64_t count)
{
    uint64_t n = block_frames(f, level);

    block_settle(f);
    for (uint64_t i = f->count / n; i-- > 0 && f->huge[level].total < count;)
        carve(f, level, (frame_t)(i * n));
}

/* Makes frames of a free huge page again. */
static void dissolve(struct mw_frames *f, uint32_t level)
{
    struct huge_stock *h = &f->huge[level];
    frame_t start = pop(f, &h->head);

    h->free--;
    h->total--;
    block_release(f, start, blocks_in(f, level));
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
    if (h->total < count)
        grow(f, level, count);
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
    frame_release(f, n, (enum frame_kind)level);
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
