/* SPDX-License-Identifier: MIT */
/* truncate.c - ftruncate(2), as far as it concerns mappings. Rules TRUNC-1..5. */
#include "space/discard.h"

/* The largest size, a signed number. */
#define SIZE_LIMIT 0x7fffffffffffffffull

/* The object's page, in bytes; 1: it has none. */
static uint64_t page_of(const struct mw_object *o)
{
    return o->frames ? 1ull << frame_shift(o->frames, o->level) : 1;
}

static int truncate(struct mw_object *o, uint64_t size)
{
    uint64_t page = page_of(o);

    if (size > SIZE_LIMIT || (o->flags & OBJECT_MIRROR))
        return -MW_EINVAL;
    if (o->level > 1 && (size & (page - 1)))
        return -MW_EINVAL;
    if ((size < o->size || o->level > 1) && /* (while it still tells which pages are its own) */
        !discard_beyond(o, (size + page - 1) & ~(page - 1)))
        return -MW_ENOMEM;
    object_resize(o, size);
    return 0;
}

int mw_object_truncate(struct mw_object *o, uint64_t size)
{
    const struct mw_port *port = o->port;
    int err;

    if (port->lock)
        port->lock(port->ctx);
    err = truncate(o, size);
    if (port->unlock)
        port->unlock(port->ctx);
    return err;
}

uint64_t mw_object_size(const struct mw_object *o) { return o->size; }
uint64_t mw_object_mapped(const struct mw_object *o) { return o->mapped; }
