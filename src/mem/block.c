/* SPDX-License-Identifier: MIT */
/* block.c - frames in blocks: which are free, wholly or in part. */
#include "mem/block.h"

#include "base/mem.h"
#include "base/range.h"

static frame_t first_frame(const struct mw_frames *f, uint32_t i) { return i << (f->page_shift - 3); }

static uint32_t block_count(const struct mw_frames *f) { return block_of(f, f->count - 1) + 1; }

static bool is_whole(const struct mw_frames *f, const struct block *b)
{
    return b->use == BLOCK_FRAMES && b->free == block_size(f);
}

/* The list that a block is in; NULL: none. */
static uint32_t *list_of(struct mw_frames *f, const struct block *b)
{
    if (b->use != BLOCK_FRAMES || !b->free)
        return NULL;
    if (!is_whole(f, b))
        return &f->partial;
    return b->clean ? &f->zeroed : &f->whole;
}

static void list_add(struct mw_frames *f, uint32_t *list, uint32_t i)
{
    f->blocks[i].prev = BLOCK_NONE;
    f->blocks[i].next = *list;
    if (*list != BLOCK_NONE)
        f->blocks[*list].prev = i;
    *list = i;
}

static void list_remove(struct mw_frames *f, uint32_t *list, uint32_t i)
{
    struct block *b = &f->blocks[i];

    if (b->prev != BLOCK_NONE)
        f->blocks[b->prev].next = b->next;
    else
        *list = b->next;
    if (b->next != BLOCK_NONE)
        f->blocks[b->next].prev = b->prev;
}

/* All changes of a block go this way, so that it is in the list where it belongs. */
static void set(struct mw_frames *f, uint32_t i, uint32_t free, enum block_use use)
{
    struct block *b = &f->blocks[i];
    uint32_t *from = list_of(f, b), *to;

    b->free = free;
    b->use = use;
    b->clean = b->clean && is_whole(f, b);
    to = list_of(f, b);
    if (from == to)
        return;
    if (from)
        list_remove(f, from, i);
    if (to)
        list_add(f, to, i);
    if (to == &f->whole)
        b->head = b->fresh = 0;
}

bool block_create(struct mw_frames *f)
{
    uint32_t n = block_count(f), size = block_size(f);

    f->partial = f->whole = f->zeroed = BLOCK_NONE;
    f->blocks = f->port->alloc(f->port->ctx, n * sizeof *f->blocks);
    if (!f->blocks)
        return false;
    for (uint32_t i = n; i-- > 0;) { /* so that the lowest is first in its list */
        uint32_t here = (uint32_t)min_u64(size, f->count - first_frame(f, i));

        f->blocks[i] = (struct block){ .fresh = i == 0 }; /* frame 0 is never handed out */
        set(f, i, here - (i == 0), BLOCK_FRAMES);
    }
    return true;
}

void block_destroy(struct mw_frames *f)
{
    f->port->free(f->port->ctx, f->blocks, block_count(f) * sizeof *f->blocks);
}

/* One that was not cleaned in vain, if there is any. */
static uint32_t first_whole(const struct mw_frames *f)
{
    return f->whole != BLOCK_NONE ? f->whole : f->zeroed;
}

frame_t block_take_edge(struct mw_frames *f)
{
    uint32_t i = f->partial != BLOCK_NONE ? f->partial : first_whole(f);
    struct block *b;
    frame_t n;

    if (f->partial == BLOCK_NONE && f->clean_head) {
        n = f->clean_head;
        f->clean_head = f->meta[n].link;
        return n;
    }
    if (i == BLOCK_NONE)
        return 0;
    b = &f->blocks[i];
    n = b->head;
    if (n)
        b->head = f->meta[n].link;
    else
        n = first_frame(f, i) + b->fresh++;
    set(f, i, b->free - 1, BLOCK_FRAMES);
    return n;
}

void block_give_edge(struct mw_frames *f, struct block *b)
{
    set(f, (uint32_t)(b - f->blocks), b->free + 1, BLOCK_FRAMES);
}

void block_settle(struct mw_frames *f)
{
    while (f->clean_head) {
        frame_t n = f->clean_head;

        f->clean_head = f->meta[n].link;
        block_give(f, n);
    }
}

bool block_reserve(struct mw_frames *f, frame_t n, uint64_t blocks)
{
    uint32_t first = block_of(f, n), end = first + (uint32_t)blocks;

    for (uint32_t i = first; i < end; i++)
        if (!is_whole(f, &f->blocks[i]))
            return false;
    for (uint32_t i = first; i < end; i++)
        set(f, i, 0, BLOCK_STOCK);
    f->free_count -= (uint32_t)blocks * block_size(f);
    return true;
}

void block_release(struct mw_frames *f, frame_t n, uint64_t blocks)
{
    uint32_t first = block_of(f, n), end = first + (uint32_t)blocks;

    for (uint32_t i = first; i < end; i++)
        set(f, i, block_size(f), BLOCK_FRAMES);
    f->free_count += (uint32_t)blocks * block_size(f);
}

static frame_t handed_out(struct mw_frames *f, uint32_t i)
{
    frame_t n = first_frame(f, i);

    set(f, i, 0, BLOCK_ONE);
    f->free_count -= block_size(f);
    f->meta[n] = (struct frame){ .refs = 1 };
    return n;
}

frame_t block_alloc(struct mw_frames *f)
{
    if (first_whole(f) == BLOCK_NONE)
        block_settle(f);
    return first_whole(f) == BLOCK_NONE ? 0 : handed_out(f, first_whole(f));
}

static void fill_zeros(struct mw_frames *f, frame_t n)
{
    memset(frame_ptr(f, n), 0, (size_t)block_size(f) << f->page_shift);
}

frame_t block_alloc_zeroed(struct mw_frames *f)
{
    frame_t n;

    if (f->zeroed != BLOCK_NONE)
        return handed_out(f, f->zeroed);
    n = block_alloc(f);
    if (n)
        fill_zeros(f, n);
    return n;
}

uint64_t mw_frames_clean(struct mw_frames *f, uint64_t most)
{
    uint64_t n = 0;

    for (; n < most && f->whole != BLOCK_NONE; n++) {
        uint32_t i = f->whole;

        fill_zeros(f, first_frame(f, i));
        list_remove(f, &f->whole, i);
        f->blocks[i].clean = true;
        list_add(f, &f->zeroed, i);
    }
    return n;
}

static bool is_one(const struct mw_frames *f, frame_t n)
{
    return f->blocks[block_of(f, n)].use == BLOCK_ONE;
}

void block_get(struct mw_frames *f, frame_t n)
{
    uint32_t frames = is_one(f, n) ? 1 : block_size(f);

    for (frame_t i = n; i < n + frames; i++)
        frame_get(f, i);
}

void block_free(struct mw_frames *f, frame_t n)
{
    set(f, block_of(f, n), block_size(f), BLOCK_FRAMES);
}

void block_put(struct mw_frames *f, frame_t n)
{
    if (!is_one(f, n)) {
        for (frame_t i = n; i < n + block_size(f); i++)
            frame_put(f, i);
    } else if (!--f->meta[n].refs) {
        frame_release(f, n, FRAME_BLOCK);
        f->free_count += block_size(f);
    }
}

void block_split(struct mw_frames *f, frame_t n)
{
    struct block *b = &f->blocks[block_of(f, n)];
    uint32_t refs = f->meta[n].refs;

    if (!is_one(f, n))
        return;
    for (frame_t i = n; i < n + block_size(f); i++)
        f->meta[i] = (struct frame){ .refs = refs };
    b->head = 0;
    b->fresh = block_size(f);
    set(f, block_of(f, n), 0, BLOCK_FRAMES);
}

bool block_is_alone(struct mw_frames *f, frame_t n)
{
    uint32_t frames = is_one(f, n) ? 1 : block_size(f);

    for (frame_t i = n; i < n + frames; i++)
        if (f->meta[i].refs > 1)
            return false;
    set(f, block_of(f, n), 0, BLOCK_ONE);
    return true;
}

/* The blocks in a list; BLOCK_NONE: one does not belong there. */
static uint32_t listed(const struct mw_frames *f, uint32_t i, bool whole, bool clean)
{
    uint32_t n = 0;

    for (; i != BLOCK_NONE && n < block_count(f); i = f->blocks[i].next, n++)
        if (!f->blocks[i].free || f->blocks[i].use != BLOCK_FRAMES || f->blocks[i].clean != clean ||
            is_whole(f, &f->blocks[i]) != whole)
            return BLOCK_NONE;
    return n;
}

/* Free frames that readers may still be at. */
static uint32_t in_limbo(const struct mw_frames *f, const struct limbo *l)
{
    uint32_t n = 0;

    for (frame_t i = l->head[FRAME_CLEAN]; i; i = f->meta[i].link)
        n++;
    for (frame_t i = l->head[FRAME_PAGE]; i; i = f->meta[i].link)
        n++;
    for (frame_t i = l->head[FRAME_BLOCK]; i; i = f->meta[i].link)
        n += block_size(f);
    return n;
}

const char *block_check(const struct mw_frames *f)
{
    uint32_t free = 0, whole = 0, clean = 0, partial = 0;

    for (uint32_t i = 0; i < block_count(f); i++) {
        const struct block *b = &f->blocks[i];

        free += b->free;
        whole += is_whole(f, b) && !b->clean;
        clean += b->clean;
        partial += b->free && !is_whole(f, b);
    }
    for (frame_t n = f->clean_head; n && free <= f->free_count; n = f->meta[n].link)
        free++;
    free += in_limbo(f, &f->young) + in_limbo(f, &f->old);
    if (free != f->free_count)
        return "frames: the count of free ones is wrong";
    if (listed(f, f->whole, true, false) != whole || listed(f, f->zeroed, true, true) != clean ||
        listed(f, f->partial, false, false) != partial)
        return "frames: a block is not in the list where it belongs";
    return NULL;
}
