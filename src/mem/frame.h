/* SPDX-License-Identifier: MIT */
/* frame.h - physical pages: a pool over one host range, counted by reference. */
#ifndef MW_MEM_FRAME_H
#define MW_MEM_FRAME_H

#include "mapwright/mapwright.h"

/* A frame's number: its offset in the pool in pages. 0 is never handed out. */
typedef uint32_t frame_t;

struct frame {
    uint32_t refs;
    uint32_t link; /* free: the next free frame; a page table: its entries in use;
                      in a stock: the next one */
};

struct mw_frames {
    const struct mw_port *port;
    unsigned char *base;
    struct frame *meta;
    uint32_t page_shift;
    uint32_t count; /* frames, number 0 included */
    uint32_t fresh; /* frames from here on have never been used */
    uint32_t free_head;
    uint32_t free_count;
    frame_t zero;   /* all zeros, mapped read-only wherever nothing was written */
};

/* A frame with one reference and undefined content; 0: none left. O(1). */
frame_t frame_alloc(struct mw_frames *f);

/* The same, filled with zeros. */
frame_t frame_alloc_zeroed(struct mw_frames *f);

static inline void frame_get(struct mw_frames *f, frame_t n) { f->meta[n].refs++; }
void frame_put(struct mw_frames *f, frame_t n);

static inline void *frame_ptr(const struct mw_frames *f, frame_t n)
{
    return f->base + ((size_t)n << f->page_shift);
}

#endif
