/* SPDX-License-Identifier: MIT */
/* frame.h - physical pages: a pool over one host range, counted by reference. */
#ifndef MW_MEM_FRAME_H
#define MW_MEM_FRAME_H

#include "mapwright/reader.h"

/* A frame's number: its offset in the pool in pages. 0 is never handed out. */
typedef uint32_t frame_t;

struct frame {
    uint32_t refs;
    uint32_t link; /* free: the next free frame; a page table: its entries in use;
                      in a stock: the next one */
};

/* Levels of page-table entries that map a page: 1 a page, 2 and 3 huge ones. */
enum { FRAME_LEVELS = 3 };

struct block;

/* A stock of huge pages of one size, apart from the pages. */
struct huge_stock {
    uint32_t head;     /* free: first frame of each, linked */
    uint32_t total, free;
    uint32_t promised; /* of the free ones, to mappings that have not touched them yet */
};

/* What a frame that is given back becomes; of the stock's huge pages, by level, it is the first. */
enum frame_kind { FRAME_CLEAN, FRAME_PAGE, FRAME_HUGE_2, FRAME_HUGE_3, FRAME_BLOCK, FRAME_KINDS };

/* Frames that nobody maps any more, but that a reader may still be at, by kind. */
struct limbo {
    uint32_t head[FRAME_KINDS];
    bool any;
};

struct mw_frames {
    const struct mw_port *port;
    unsigned char *base;
    struct frame *meta;
    uint32_t page_shift;
    uint32_t count; /* frames, number 0 included */
    struct block *blocks;
    uint32_t partial, whole; /* lists of blocks (block.h) with free frames, and with no others; */
    uint32_t zeroed;         /*   and of those that are all zeros too */
    uint32_t clean_head; /* free ones that are all zeros: not in their blocks' lists */
    uint32_t free_count; /* both */
    frame_t zero;   /* all zeros, mapped read-only wherever nothing was written */
    struct huge_stock huge[FRAME_LEVELS + 1]; /* by level; those below 2 stay empty */
    struct mw_reader *readers; /* attached ones. NULL: what is put is free at once */
    uint64_t epoch;            /* raised when something has become stale */
    struct limbo young;        /* put since `old` was filled, */
    struct limbo old;          /* and before the epoch that readers have to reach: */
    uint64_t old_epoch;
};

/* A frame with one reference and undefined content; 0: none left. O(1). */
frame_t frame_alloc(struct mw_frames *f);

/* The same, filled with zeros. */
frame_t frame_alloc_zeroed(struct mw_frames *f);

static inline void frame_get(struct mw_frames *f, frame_t n) { f->meta[n].refs++; }

/* One without references counts as free, but is not handed out while a reader may be at it. */
void frame_put(struct mw_frames *f, frame_t n);

/* The same of a frame that is all zeros, as an empty page table is. */
void frame_put_clean(struct mw_frames *f, frame_t n);

/* log2 of the bytes of a page of `level`, in a format of this page size, or in this pool's. */
static inline uint32_t frame_shift_of(uint32_t page_shift, uint32_t level)
{
    return page_shift + (level - 1) * (page_shift - 3);
}

static inline uint32_t frame_shift(const struct mw_frames *f, uint32_t level)
{
    return frame_shift_of(f->page_shift, level);
}

/*
 * Huge pages of `level`, named by their first frame. `promised`: one that
 * frame_promise has set aside, else one beyond those. Undefined content.
 */
frame_t frame_alloc_huge(struct mw_frames *f, uint32_t level, bool promised);
void frame_put_huge(struct mw_frames *f, frame_t n, uint32_t level);

/* Is there none to be had only because readers may be at those that are free? */
static inline bool frame_huge_waits(const struct mw_frames *f, uint32_t level)
{
    return f->huge[level].free && !f->huge[level].head;
}

/* Sets `pages` huge pages aside, or gives them back. False: there are not as many. */
bool frame_promise(struct mw_frames *f, uint32_t level, uint64_t pages);
void frame_unpromise(struct mw_frames *f, uint32_t level, uint64_t pages);

/* What nobody holds any more is free, or will be when readers have left it. */
void frame_release(struct mw_frames *f, frame_t n, enum frame_kind kind);

/* Begins an epoch: every reader learns that something has become stale. */
void frame_new_epoch(struct mw_frames *f);

/*
 * Frees what readers have left behind, and begins an epoch for the rest; true:
 * it has begun one. Not in the midst of a call: what that has put may be in TLBs still.
 */
bool frame_settle(struct mw_frames *f);

static inline void *frame_ptr(const struct mw_frames *f, frame_t n)
{
    return f->base + ((size_t)n << f->page_shift);
}

#endif
