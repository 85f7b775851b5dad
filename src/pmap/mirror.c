/* SPDX-License-Identifier: MIT */
/* mirror.c - the index of mirrored memory. */
#include "pmap/mirror.h"

#include "base/mem.h"
#include "base/range.h"

static void release(void *ctx)
{
    struct mirror *m = ctx;

    pmap_destroy(&m->index);
    if (m->promised)
        frame_unpromise(m->index.frames, m->level, m->promised);
    object_put(m->backing);
    m->port->free(m->port->ctx, m, sizeof *m);
}

static const struct mw_object_ops ops = { .release = release };

static struct mirror *create(const struct mw_port *port, const struct pmap *like)
{
    struct mirror *m = port->alloc(port->ctx, sizeof *m);

    if (!m)
        return NULL;
    *m = (struct mirror){ .port = port, .level = 1 };
    if (pmap_init(&m->index, like->frames, like->pool, like->levels, like->page_shift) == 0) {
        if (mw_object_create(port, like->frames, &ops, m, UINT64_MAX, OBJECT_MIRROR, &m->object) == 0)
            return m;
        pmap_destroy(&m->index);
    }
    port->free(port->ctx, m, sizeof *m);
    return NULL;
}

struct mirror *mirror_create(const struct mw_port *port, const struct pmap *like, uint64_t vm_flags,
                             struct mw_object *backing, uint64_t backing_delta)
{
    struct mirror *m = create(port, like);

    if (!m)
        return NULL;
    m->grant = pmap_grant(vm_flags);
    m->level = backing ? backing->level : 1;
    m->backing = backing;
    m->backing_delta = backing_delta;
    object_get(backing);
    return m;
}

struct mirror *mirror_fork(struct mirror *parent, const struct pmap *like)
{
    struct mirror *m = create(parent->port, like);

    if (!m)
        return NULL;
    m->grant = parent->grant;
    m->level = parent->level;
    m->backing = parent->backing;
    m->backing_delta = parent->backing_delta;
    object_get(m->backing);
    if (pmap_fork(&m->index, &parent->index, 0, pmap_reach(&parent->index), 0))
        return m;
    mw_object_put(m->object);
    return NULL;
}

static frame_t frame_for(struct mirror *m)
{
    frame_t n;

    if (m->level == 1)
        return frame_alloc(m->index.frames);
    n = frame_alloc_huge(m->index.frames, m->level, m->promised > 0);
    m->promised -= n && m->promised;
    return n;
}

static enum object_result no_frame(const struct mirror *m)
{
    return m->level > 1 && !frame_huge_waits(m->index.frames, m->level) ? OBJECT_FAILED : OBJECT_OOM;
}

static uint64_t page_bytes(const struct mirror *m)
{
    return 1ull << pmap_leaf_shift(&m->index, m->level);
}

/* Fills `frame` with what an absent page holds. */
static enum object_result fill(struct mirror *m, uint64_t offset, frame_t frame)
{
    void *to = frame_ptr(m->index.frames, frame);
    enum object_result r = OBJECT_OK;
    frame_t from = 0;

    if (m->backing && m->level > 1) /* a file's page only if it has one */
        from = object_peek(m->backing, (offset + m->backing_delta) >> pmap_leaf_shift(&m->index, m->level));
    else if (m->backing)
        r = !m->backing->frames ? OBJECT_FAILED
            : object_page(m->backing, (offset + m->backing_delta) >> m->index.page_shift, &from);
    if (r == OBJECT_OK && from)
        memcpy(to, frame_ptr(m->index.frames, from), (size_t)page_bytes(m));
    else if (r == OBJECT_OK)
        memset(to, 0, (size_t)page_bytes(m));
    return r;
}

static void put(struct mirror *m, frame_t frame)
{
    if (m->level > 1)
        frame_put_huge(m->index.frames, frame, m->level);
    else
        frame_put(m->index.frames, frame);
}

static pte_t own_bits(const struct mirror *m)
{
    return m->grant ? m->grant | PTE_A : PTE_HELD;
}

static enum object_result make(struct mirror *m, uint64_t offset, frame_t *frame)
{
    enum object_result r;

    *frame = frame_for(m);
    if (!*frame)
        return no_frame(m);
    r = fill(m, offset, *frame);
    if (r == OBJECT_OK && !pmap_enter(&m->index, offset, *frame, own_bits(m), m->level))
        r = OBJECT_OOM;
    if (r != OBJECT_OK)
        put(m, *frame);
    return r;
}

/* A page that others hold too becomes this mirror's own. */
static enum object_result separate(struct mirror *m, pte_t *e, frame_t *frame)
{
    frame_t old = pte_frame(&m->index, *e);

    if (m->index.frames->meta[old].refs == 1 && old != m->index.frames->zero) {
        pte_set(e, (*e & (PTE_ADDR | PTE_PS | PTE_D)) | own_bits(m));
        *frame = old;
        return OBJECT_OK;
    }
    *frame = frame_for(m);
    if (!*frame)
        return no_frame(m);
    memcpy(frame_ptr(m->index.frames, *frame), frame_ptr(m->index.frames, old),
           (size_t)page_bytes(m));
    pmap_replace(&m->index, e, *frame, own_bits(m) | (*e & PTE_D), m->level);
    return OBJECT_OK;
}

enum object_result mirror_page(struct mirror *m, uint64_t offset, frame_t *frame)
{
    pte_t *e;

    if (offset >= pmap_reach(&m->index))
        return OBJECT_BEYOND;
    offset &= ~(page_bytes(m) - 1);
    e = pmap_find(&m->index, offset, NULL);
    if (!e)
        return make(m, offset, frame);
    if (*e & PTE_COW)
        return separate(m, e, frame);
    *frame = pte_frame(&m->index, *e);
    return OBJECT_OK;
}
