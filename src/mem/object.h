/* SPDX-License-Identifier: MIT */
/* object.h - what a VMA maps when it is not private anonymous memory. */
#ifndef MW_MEM_OBJECT_H
#define MW_MEM_OBJECT_H

#include "mem/frame.h"

/* A node of the page index: 64 children, or at the bottom 64 frame numbers. */
struct object_node;

struct mw_object {
    const struct mw_port *port;
    struct mw_frames *frames;
    const struct mw_object_ops *ops;
    void *ctx;
    uint64_t size;     /* bytes */
    uint64_t refs;
    uint32_t flags;    /* MW_OBJ_... */
    uint32_t height;   /* levels of the page index */
    struct object_node *root;
};

enum object_result { OBJECT_OK, OBJECT_BEYOND, OBJECT_FAILED, OBJECT_OOM };

/*
 * The frame of page `index`, read in if it has to be. The object keeps its
 * reference; a caller that maps the frame takes another.
 */
enum object_result object_page(struct mw_object *o, uint64_t index, frame_t *frame);

/* NULL-safe forms, for VMAs of either kind. */
static inline void object_get(struct mw_object *o)
{
    if (o)
        o->refs++;
}

static inline void object_put(struct mw_object *o)
{
    if (o)
        mw_object_put(o);
}

#endif
