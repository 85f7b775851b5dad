/* SPDX-License-Identifier: MIT */
/*
 * block.h - a pool's frames in blocks as large as a huge page of level 2.
 *
 * A block's free frames are linked in it, so that it knows when all are free:
 * then it can be had whole, as a huge page or for the stock of those. A block
 * that is handed out as one may become frames again while it is in use.
 */
#ifndef MW_MEM_BLOCK_H
#define MW_MEM_BLOCK_H

#include "mem/frame.h"

/* What the frames of a block are. */
enum block_use {
    BLOCK_FRAMES, /* frames of their own, free ones and others */
    BLOCK_ONE,    /* one huge page: the first frame counts its references */
    BLOCK_STOCK   /* of the stock of huge pages (frame.h) */
};

struct block {
    uint32_t prev, next; /* in the list of those that are partly, wholly, or cleanly free */
    uint32_t head;       /* free frames, linked; 0: none */
    uint32_t fresh;      /* those from here on are free too, and not linked */
    uint32_t free;
    enum block_use use;
    bool clean;          /* all free, and all zeros */
};

#define BLOCK_NONE UINT32_MAX

/* The blocks of a new pool. False: no memory. */
bool block_create(struct mw_frames *f);
void block_destroy(struct mw_frames *f);

/* Gives back the clean frames, which may make blocks whole. */
void block_settle(struct mw_frames *f);

/* Moves `blocks` free blocks, from the one that frame `n` begins, into the stock. False: not all are free. */
bool block_reserve(struct mw_frames *f, frame_t n, uint64_t blocks);
void block_release(struct mw_frames *f, frame_t n, uint64_t blocks);

/* A whole block, named by its first frame, with one reference and undefined content; 0: none is free. */
frame_t block_alloc(struct mw_frames *f);

/* The same, filled with zeros. */
frame_t block_alloc_zeroed(struct mw_frames *f);

/* A block that nobody holds is frames again. */
void block_free(struct mw_frames *f, frame_t n);

/* References on all of a block, whether it is one still or has been split. */
void block_get(struct mw_frames *f, frame_t n);
void block_put(struct mw_frames *f, frame_t n);

/* Makes frames of it, each with as many references as it has. */
void block_split(struct mw_frames *f, frame_t n);

/* Is there one reference only? Then it is one again, if it was split. */
bool block_is_alone(struct mw_frames *f, frame_t n);

/* Compares lists and counts. NULL when sound. */
const char *block_check(const struct mw_frames *f);

static inline uint32_t block_of(const struct mw_frames *f, frame_t n)
{
    return n >> (f->page_shift - 3);
}

static inline uint32_t block_size(const struct mw_frames *f) { return 1u << (f->page_shift - 3); }

/* What block_take and block_give do where a block changes its list, and so rarely. */
frame_t block_take_edge(struct mw_frames *f);
void block_give_edge(struct mw_frames *f, struct block *b);

/*
 * Takes a free frame: of a block that is in use already, else a clean one, else
 * of a block that was whole; 0: none. O(1).
 */
static inline frame_t block_take(struct mw_frames *f)
{
    struct block *b = f->partial != BLOCK_NONE ? &f->blocks[f->partial] : NULL;
    frame_t n;

    if (!b || b->free == 1 || !b->head)
        return block_take_edge(f);
    n = b->head;
    b->head = f->meta[n].link;
    b->free--;
    return n;
}

/* Gives a frame back that nobody holds. O(1). */
static inline void block_give(struct mw_frames *f, frame_t n)
{
    struct block *b = &f->blocks[block_of(f, n)];

    f->meta[n].link = b->head;
    b->head = n;
    if (b->free && b->free + 1 < block_size(f))
        b->free++;
    else
        block_give_edge(f, b);
}

#endif
