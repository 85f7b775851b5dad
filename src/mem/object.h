/* SPDX-License-Identifier: MIT */
/* object.h - what a VMA maps when it is not private anonymous memory. */
#ifndef MW_MEM_OBJECT_H
#define MW_MEM_OBJECT_H

#include "mem/frame.h"

/* A node of the page index: 64 children, or at the bottom 64 frame numbers. */
struct object_node;

struct mw_space;

/*
 * One object, and one space with pages that may map it: what finds the VMAs of
 * an object. It lasts until no VMA of any space maps the object, or the space
 * is gone, so that cutting, moving and merging VMAs need not know of it.
 */
struct object_link {
    struct mw_object *object;
    struct mw_space *space;
    struct object_link *next, **at;             /* of the object's, and what points here */
    struct object_link *space_next, **space_at; /* of the space's */
};

struct mw_object {
    const struct mw_port *port;
    struct mw_frames *frames;
    const struct mw_object_ops *ops;
    void *ctx;
    uint64_t size;     /* bytes */
    uint64_t refs;
    uint64_t mapped;   /* of these, VMAs */
    struct object_link *links;
    uint32_t flags;    /* MW_OBJ_..., OBJECT_... */
    uint32_t level;    /* of the entries that map its pages: 1, or 2 and 3 for huge ones */
    uint32_t height;   /* levels of the page index */
    struct object_node *root;
    struct mw_object *next; /* OBJECT_KEPT: the next one */
};

/* Kinds of the engine's own, beside MW_OBJ_... */
#define OBJECT_MIRROR 0x80000000u /* its ctx is a struct mirror */
#define OBJECT_HIDDEN 0x40000000u /* made by mmap for one mapping of huge pages, and grows with it */
#define OBJECT_KEPT 0x20000000u   /* alive until the call ends that unmaps it */

enum object_result { OBJECT_OK, OBJECT_BEYOND, OBJECT_FAILED, OBJECT_OOM };

/* Makes room to note something of each of these pages. False: no memory. */
bool object_prepare(struct mw_object *o, uint64_t first, uint64_t pages);

/*
 * Sets a huge page aside for each of `pages` pages from `first` on that is not
 * there and has none yet. False: there are not as many, or no memory; nothing
 * has changed.
 */
bool object_promise(struct mw_object *o, uint64_t first, uint64_t pages);
bool object_is_promised(const struct mw_object *o, uint64_t index);

/*
 * Makes `pages` pages from `first` on read zero, for all who map them: gives
 * back those that nobody maps. False: no memory for it.
 */
bool object_empty(struct mw_object *o, uint64_t first, uint64_t pages);

/* Makes bytes [start, end) of one page read zero. False: no memory for it. */
bool object_clear(struct mw_object *o, uint64_t start, uint64_t end);

/*
 * Makes the object `size` bytes long: pages that lie beyond it are given up,
 * and what is promised for them; the rest of the last one is zeros. Mappings are the caller's.
 */
void object_resize(struct mw_object *o, uint64_t size);

/*
 * Of an object that is written back (o may be NULL): page `index`, which is
 * there, may be written to from now on. What is writable anywhere is noted so.
 */
void object_soil(struct mw_object *o, uint64_t index);
bool object_is_soiled(const struct mw_object *o, uint64_t index);

/* The first such page from `from` on; UINT64_MAX: none. */
uint64_t object_next_soiled(const struct mw_object *o, uint64_t from);

/*
 * Writes such pages of [first, end) back, all of them, and they are none any
 * more; nobody can write to them. 0, or what the first failed with: -EIO or -ENOSPC.
 */
int object_write(struct mw_object *o, uint64_t first, uint64_t end);

/* Page `index` if it is there already, else 0. */
frame_t object_peek(const struct mw_object *o, uint64_t index);

/*
 * The frame of page `index` (in pages of its level), read in if it has to be. The object keeps its
 * reference; a caller that maps the frame takes another.
 */
enum object_result object_page(struct mw_object *o, uint64_t index, frame_t *frame);

/*
 * Notes that `space`, whose links are at `of_space`, may map the object; nothing
 * if it is noted. False: no memory.
 */
bool object_link(struct mw_object *o, struct mw_space *space, struct object_link **of_space);
void object_unlink(struct object_link *link);

/* Does it choose the addresses of its mappings? */
static inline bool object_places(const struct mw_object *o)
{
    return o && o->ops && o->ops->place;
}

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

/* A VMA's reference. */
static inline void object_map(struct mw_object *o)
{
    if (o) {
        o->refs++;
        o->mapped++;
    }
}

/* Gives a VMA's reference back. */
void object_leave(struct mw_object *o);

static inline void object_unmap(struct mw_object *o)
{
    if (o)
        object_leave(o);
}

#endif
