/* SPDX-License-Identifier: MIT */
/* object.c - objects and the index of their pages (a radix tree over page numbers). */
#include "mem/object.h"

#include "base/mem.h"
#include "base/range.h"

enum { NODE_BITS = 6, NODE_SLOTS = 1 << NODE_BITS };

struct object_node {
    uint64_t dirty; /* a bit a slot: the page, or one below it, is to be written back */
    union {
        struct object_node *child;
        frame_t frame;
    } slot[NODE_SLOTS];
};

int mw_object_create(const struct mw_port *port, struct mw_frames *frames,
                     const struct mw_object_ops *ops, void *ctx, uint64_t size,
                     uint32_t flags, struct mw_object **out)
{
    struct mw_object *o = port->alloc(port->ctx, sizeof *o);

    if (!o)
        return -MW_ENOMEM;
    *o = (struct mw_object){ .port = port, .frames = frames, .ops = ops, .ctx = ctx,
                             .size = size, .refs = 1, .flags = flags, .level = 1 };
    if (flags & MW_OBJ_HUGETLB)
        o->level = flags & MW_OBJ_HUGETLB_LARGE ? 3 : 2;
    *out = o;
    return 0;
}

/* Does it live elsewhere, where its pages have to go? */
static bool is_written(const struct mw_object *o) { return o && o->ops && o->ops->write; }

/* In a slot: no page yet, but a huge one is set aside for it. */
#define PROMISED UINT32_MAX

static void page_put(struct mw_object *o, frame_t n)
{
    if (n == PROMISED)
        frame_unpromise(o->frames, o->level, 1);
    else if (o->level > 1)
        frame_put_huge(o->frames, n, o->level);
    else
        frame_put(o->frames, n);
}

static void node_free(struct mw_object *o, struct object_node *n, uint32_t level)
{
    for (uint32_t i = 0; i < NODE_SLOTS; i++) {
        if (level > 1 && n->slot[i].child)
            node_free(o, n->slot[i].child, level - 1);
        else if (level == 1 && n->slot[i].frame)
            page_put(o, n->slot[i].frame);
    }
    o->port->free(o->port->ctx, n, sizeof *n);
}

void mw_object_get(struct mw_object *o) { o->refs++; }

void mw_object_put(struct mw_object *o)
{
    if (--o->refs)
        return;
    if (is_written(o))
        object_write(o, 0, UINT64_MAX);
    if (o->root)
        node_free(o, o->root, o->height);
    if (o->ops && o->ops->release)
        o->ops->release(o->ctx);
    o->port->free(o->port->ctx, o, sizeof *o);
}

bool object_link(struct mw_object *o, struct mw_space *space, struct object_link **of_space)
{
    struct object_link *l = o->links;

    while (l && l->space != space)
        l = l->next;
    if (l)
        return true;
    l = o->port->alloc(o->port->ctx, sizeof *l);
    if (!l)
        return false;
    *l = (struct object_link){ o, space, o->links, &o->links, *of_space, of_space };
    if (l->next)
        l->next->at = &l->next;
    if (l->space_next)
        l->space_next->space_at = &l->space_next;
    o->links = *of_space = l;
    return true;
}

void object_unlink(struct object_link *l)
{
    *l->at = l->next;
    if (l->next)
        l->next->at = l->at;
    *l->space_at = l->space_next;
    if (l->space_next)
        l->space_next->space_at = l->space_at;
    l->object->port->free(l->object->port->ctx, l, sizeof *l);
}

void object_leave(struct mw_object *o)
{
    o->mapped--;
    while (!o->mapped && o->links)
        object_unlink(o->links);
    mw_object_put(o);
}

void *mw_object_ctx(const struct mw_object *o) { return o->ctx; }
uint32_t mw_object_flags(const struct mw_object *o) { return o->flags; }

static struct object_node *node_new(struct mw_object *o)
{
    struct object_node *n = o->port->alloc(o->port->ctx, sizeof *n);

    if (n)
        memset(n, 0, sizeof *n);
    return n;
}

/* Does an index of this height reach page number `index`? */
static bool covers(uint32_t height, uint64_t index)
{
    return height * NODE_BITS >= 64 || index >> (height * NODE_BITS) == 0;
}

/* Adds levels until `index` is reachable. */
static bool index_raise(struct mw_object *o, uint64_t index)
{
    while (!o->root || !covers(o->height, index)) {
        struct object_node *n = node_new(o);

        if (!n)
            return false;
        n->slot[0].child = o->root;
        n->dirty = o->root && o->root->dirty;
        o->root = n;
        o->height++;
    }
    return true;
}

/* The bottom slot of page `index`, made if it has to be; NULL: no memory. */
static frame_t *index_slot(struct mw_object *o, uint64_t index)
{
    struct object_node *n;

    if (!index_raise(o, index))
        return NULL;
    n = o->root;
    for (uint32_t level = o->height; level > 1; level--) {
        uint32_t i = (index >> ((level - 1) * NODE_BITS)) & (NODE_SLOTS - 1);

        if (!n->slot[i].child)
            n->slot[i].child = node_new(o);
        n = n->slot[i].child;
        if (!n)
            return NULL;
    }
    return &n->slot[index & (NODE_SLOTS - 1)].frame;
}

/* What the bottom slot of page `index` holds. */
static frame_t index_look(const struct mw_object *o, uint64_t index)
{
    const struct object_node *n = o->root;

    if (!n || !covers(o->height, index))
        return 0;
    for (uint32_t level = o->height; n && level > 1; level--)
        n = n->slot[(index >> ((level - 1) * NODE_BITS)) & (NODE_SLOTS - 1)].child;
    return n ? n->slot[index & (NODE_SLOTS - 1)].frame : 0;
}

frame_t object_peek(const struct mw_object *o, uint64_t index)
{
    frame_t n = index_look(o, index);

    return n == PROMISED ? 0 : n;
}

bool object_is_promised(const struct mw_object *o, uint64_t index) { return index_look(o, index) == PROMISED; }

/* ---- pages that are to be written back ------------------------------------------------ */

/* Which slot of a node at `level` leads to page `index`? */
static uint32_t slot_of(uint64_t index, uint32_t level)
{
    return (uint32_t)(index >> ((level - 1) * NODE_BITS)) & (NODE_SLOTS - 1);
}

void object_soil(struct mw_object *o, uint64_t index)
{
    struct object_node *n;

    if (!is_written(o))
        return;
    n = o->root;
    for (uint32_t level = o->height; level; level--) {
        n->dirty |= 1ull << slot_of(index, level);
        n = n->slot[slot_of(index, level)].child;
    }
}

/* True: nothing below the node is left to write. */
static bool node_clean(struct object_node *n, uint32_t level, uint64_t index)
{
    uint32_t i = slot_of(index, level);

    if (level == 1 || node_clean(n->slot[i].child, level - 1, index))
        n->dirty &= ~(1ull << i);
    return !n->dirty;
}

/* Which pages a search is for: those to write back, or all that are there. */
enum sought { SOILED, THERE };

static bool leads(const struct object_node *n, uint32_t level, uint64_t i, enum sought what)
{
    if (what == SOILED)
        return n->dirty >> i & 1;
    return level > 1 ? n->slot[i].child != NULL : n->slot[i].frame && n->slot[i].frame != PROMISED;
}

/* Both as numbers within the node. */
static uint64_t node_next(const struct object_node *n, uint32_t level, uint64_t from, enum sought what)
{
    uint32_t shift = (level - 1) * NODE_BITS;

    for (uint64_t i = from >> shift; i < NODE_SLOTS; i++, from = i << shift) {
        uint64_t at = 0;

        if (!leads(n, level, i, what))
            continue;
        if (level > 1)
            at = node_next(n->slot[i].child, level - 1, from - (i << shift), what);
        if (at != UINT64_MAX)
            return (i << shift) + at;
    }
    return UINT64_MAX;
}

static uint64_t next_page(const struct mw_object *o, uint64_t from, enum sought what)
{
    return o->root && covers(o->height, from) ? node_next(o->root, o->height, from, what) : UINT64_MAX;
}

uint64_t object_next_soiled(const struct mw_object *o, uint64_t from)
{
    return next_page(o, from, SOILED);
}

bool object_is_soiled(const struct mw_object *o, uint64_t index)
{
    return object_next_soiled(o, index) == index;
}

int object_write(struct mw_object *o, uint64_t first, uint64_t end)
{
    int err = 0;

    for (uint64_t i = object_next_soiled(o, first); i < end; i = object_next_soiled(o, i)) {
        int r = o->ops->write(o->ctx, i, frame_ptr(o->frames, object_peek(o, i)));

        node_clean(o->root, o->height, i); /* also what failed, as on Linux */
        if (r < 0 && !err)
            err = r == -MW_ENOSPC ? r : -MW_EIO;
    }
    return err;
}

/* More huge pages than there are: none is noted, however many a guest asks for. */
static bool exceeds_pool(const struct mw_object *o, uint64_t pages)
{
    return o->level > 1 && pages > o->frames->huge[o->level].total;
}

bool object_prepare(struct mw_object *o, uint64_t first, uint64_t pages)
{
    if (exceeds_pool(o, pages)) /* object_promise will refuse it */
        return true;
    for (uint64_t i = 0; i < pages; i++)
        if (!index_slot(o, first + i))
            return false;
    return true;
}

bool object_promise(struct mw_object *o, uint64_t first, uint64_t pages)
{
    uint64_t absent = 0;

    if (exceeds_pool(o, pages))
        return false;
    for (uint64_t i = 0; i < pages; i++) {
        frame_t *slot = index_slot(o, first + i);

        if (!slot)
            return false;
        absent += !*slot;
    }
    if (!frame_promise(o->frames, o->level, absent))
        return false;
    for (uint64_t i = 0; i < pages; i++) {
        frame_t *slot = index_slot(o, first + i);

        *slot = *slot ? *slot : PROMISED;
    }
    return true;
}

/* A page of zeros. */
static frame_t page_new(struct mw_object *o, bool promised)
{
    frame_t n;

    if (o->level == 1)
        return frame_alloc_zeroed(o->frames);
    n = frame_alloc_huge(o->frames, o->level, promised);
    if (n)
        memset(frame_ptr(o->frames, n), 0, (size_t)1 << frame_shift(o->frames, o->level));
    return n;
}

/* Zeros behind an end of the object at `size` bytes, in its last page, if that is there. */
static void clear_tail(struct mw_object *o, frame_t last, uint64_t size)
{
    uint64_t page = 1ull << frame_shift(o->frames, o->level), used = size & (page - 1);

    if (last && used)
        memset((unsigned char *)frame_ptr(o->frames, last) + used, 0, (size_t)(page - used));
}

enum object_result object_page(struct mw_object *o, uint64_t index, frame_t *frame)
{
    uint32_t shift = frame_shift(o->frames, o->level);
    frame_t *slot;

    if (index > UINT64_MAX >> shift || index << shift >= o->size)
        return OBJECT_BEYOND;
    slot = index_slot(o, index);
    if (!slot)
        return OBJECT_OOM;
    if (!*slot || *slot == PROMISED) {
        frame_t n = page_new(o, *slot == PROMISED);

        if (!n)
            return o->level > 1 && !frame_huge_waits(o->frames, o->level) ? OBJECT_FAILED : OBJECT_OOM;
        if (o->ops && o->ops->read && o->ops->read(o->ctx, index, frame_ptr(o->frames, n)) < 0) {
            page_put(o, n);
            *slot = 0;
            return OBJECT_FAILED;
        }
        if (index == o->size >> shift)
            clear_tail(o, n, o->size);
        *slot = n;
    }
    *frame = *slot;
    return OBJECT_OK;
}

static bool node_cut(struct mw_object *o, struct object_node *n, uint32_t level, uint64_t first);

/* The pages of slot `i` from `first` on, a number within it. */
static void slot_cut(struct mw_object *o, struct object_node *n, uint32_t level, uint64_t i,
                     uint64_t first)
{
    bool soiled = false;

    if (level > 1 && n->slot[i].child) {
        if (node_cut(o, n->slot[i].child, level - 1, first))
            n->slot[i].child = NULL;
        else
            soiled = n->slot[i].child->dirty != 0;
    } else if (level == 1 && n->slot[i].frame) {
        page_put(o, n->slot[i].frame);
        n->slot[i].frame = 0;
    }
    if (!soiled)
        n->dirty &= ~(1ull << i);
}

/* Gives up the pages of a node from `first` on, a number within it, and the node itself if none is left: true. */
static bool node_cut(struct mw_object *o, struct object_node *n, uint32_t level, uint64_t first)
{
    uint32_t shift = (level - 1) * NODE_BITS;
    uint64_t whole = first >> shift; /* so many slots stay as they are */

    for (uint64_t i = whole; i < NODE_SLOTS; i++)
        slot_cut(o, n, level, i, i == whole ? first - (whole << shift) : 0);
    for (uint32_t i = 0; i < NODE_SLOTS; i++)
        if (level > 1 ? n->slot[i].child != NULL : n->slot[i].frame != 0)
            return false;
    o->port->free(o->port->ctx, n, sizeof *n);
    return true;
}

void object_resize(struct mw_object *o, uint64_t size)
{
    uint64_t old = o->size, last;
    uint32_t shift;

    o->size = size;
    if (!o->frames)
        return;
    shift = frame_shift(o->frames, o->level);
    last = min_u64(old, size) >> shift;
    if (size <= old || is_written(o)) /* what lies behind the end of a file never reaches it */
        clear_tail(o, object_peek(o, last), min_u64(old, size));
    last = size >> shift;
    if ((size < old || o->level > 1) && o->root && node_cut(o, o->root, o->height, last + (last << shift != size))) {
        o->root = NULL;
        o->height = 0;
    }
}

/* A page of an object that lives elsewhere: zeros, which go there. */
static bool page_blank(struct mw_object *o, uint64_t index)
{
    frame_t *slot = index_slot(o, index), n;

    if (!slot)
        return false;
    if (*slot && *slot != PROMISED) {
        memset(frame_ptr(o->frames, *slot), 0, (size_t)1 << frame_shift(o->frames, o->level));
    } else {
        n = page_new(o, *slot == PROMISED);
        if (!n)
            return false;
        *slot = n;
    }
    object_soil(o, index);
    return true;
}

bool object_empty(struct mw_object *o, uint64_t first, uint64_t pages)
{
    const uint32_t shift = frame_shift(o->frames, o->level);
    const uint64_t end = min_u64(first + pages, add_ceil(o->size, (1ull << shift) - 1) >> shift);
    const bool is_read = o->ops && o->ops->read;
    frame_t *slot;

    for (uint64_t i = first;; i++) {
        i = is_read ? i : next_page(o, i, THERE);
        if (i >= end)
            return true;
        if (is_read || is_written(o)) {
            if (!page_blank(o, i))
                return false;
            continue;
        }
        slot = index_slot(o, i);
        page_put(o, *slot);
        *slot = 0;
    }
}

bool object_clear(struct mw_object *o, uint64_t start, uint64_t end)
{
    const uint32_t shift = frame_shift(o->frames, o->level);
    enum object_result found = OBJECT_OK;
    frame_t n = 0;

    if (start >= end)
        return true;
    if (o->ops && o->ops->read)
        found = object_page(o, start >> shift, &n);
    else
        n = object_peek(o, start >> shift);
    if (n) {
        memset((unsigned char *)frame_ptr(o->frames, n) + (start & ((1ull << shift) - 1)), 0, (size_t)(end - start));
        object_soil(o, start >> shift);
    }
    return found == OBJECT_OK || found == OBJECT_BEYOND;
}
