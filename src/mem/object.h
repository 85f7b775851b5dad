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
    uint32_t flags;    /* MW_OBJ_..., OBJECT_... */
    uint32_t level;    /* of the entries that map its pages: 1, or 2 and 3 for huge ones */
    uint64_t promised; /* huge pages set aside for it and not taken yet */
    uint32_t height;   /* levels of the page index */
    struct object_node *root;
};

/* Kinds of the engine's own, beside MW_OBJ_... */
#define OBJECT_MIRROR 0x80000000u /* its ctx is a struct mirror */
#define OBJECT_ZEROS 0x40000000u  /* private mappings have no pages behind them: zeros */

enum object_result { OBJECT_OK, OBJECT_BEYOND, OBJECT_FAILED, OBJECT_OOM };

/*
 * Makes an object of huge pages, `pages` of them set aside (0: none). 0, or
 * -ENOMEM: no memory, or not as many huge pages (then `*out` is NULL).
 */
int object_create_huge(const struct mw_port *port, struct mw_frames *frames, uint32_t level,
                       uint64_t size, uint64_t pages, uint32_t flags, struct mw_object **out);

/* A huge page for the object, from those set aside first; undefined content. 0: none. */
frame_t object_take_huge(struct mw_object *o);

/* Sets `pages` more aside. False: there are not as many. Gives some back. */
bool object_promise(struct mw_object *o, uint64_t pages);
void object_unpromise(struct mw_object *o, uint64_t pages);

/* Page `index` if it is there already, else 0. */
frame_t object_peek(const struct mw_object *o, uint64_t index);

/*
 * The frame of page `index` (in pages of its level), read in if it has to be. The object keeps its
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
