/* SPDX-License-Identifier: MIT */
/* frame.c - physical pages: alloc and free in O(1), one word of link and count each. */
#include "mem/frame.h"

#include "base/mem.h"
#include "base/range.h"

int mw_frames_create(const struct mw_port *port, void *base, uint64_t bytes,
                     uint32_t page_shift, struct mw_frames **out)
{
    struct mw_frames *f;
    uint64_t count;

    if (!port || !base || (page_shift != 12 && page_shift != 14 && page_shift != 16))
        return -MW_EINVAL;
    if (!page_aligned((uintptr_t)base | bytes, page_shift))
        return -MW_EINVAL;
    count = bytes >> page_shift;
    if (count < 2 || count >= UINT32_MAX)
        return -MW_EINVAL;
    f = port->alloc(port->ctx, sizeof *f);
    if (!f)
        return -MW_ENOMEM;
    *f = (struct mw_frames){ .port = port, .base = base, .page_shift = page_shift,
                             .count = (uint32_t)count, .fresh = 1,
                             .free_count = (uint32_t)count - 1 };
    f->meta = port->alloc(port->ctx, (size_t)count * sizeof *f->meta);
    if (!f->meta) {
        port->free(port->ctx, f, sizeof *f);
        return -MW_ENOMEM;
    }
    f->zero = frame_alloc_zeroed(f);
    *out = f;
    return 0;
}

int mw_frames_destroy(struct mw_frames *f)
{
    const struct mw_port *port;

    if (!f)
        return 0;
    if (f->free_count != f->count - 2)
        return -MW_EBUSY;
    port = f->port;
    port->free(port->ctx, f->meta, (size_t)f->count * sizeof *f->meta);
    port->free(port->ctx, f, sizeof *f);
    return 0;
}

/* Number 0 and the zero frame are the pool's own. */
uint64_t mw_frames_total(const struct mw_frames *f) { return f->count - 2; }
uint64_t mw_frames_free(const struct mw_frames *f) { return f->free_count; }

frame_t frame_alloc(struct mw_frames *f)
{
    frame_t n = f->free_head;

    if (n)
        f->free_head = f->meta[n].link;
    else if (f->fresh < f->count)
        n = f->fresh++;
    else
        return 0;
    f->free_count--;
    f->meta[n] = (struct frame){ .refs = 1 };
    return n;
}

frame_t frame_alloc_zeroed(struct mw_frames *f)
{
    frame_t n = frame_alloc(f);

    if (n)
        memset(frame_ptr(f, n), 0, (size_t)1 << f->page_shift);
    return n;
}

void frame_put(struct mw_frames *f, frame_t n)
{
    if (--f->meta[n].refs)
        return;
    f->meta[n].link = f->free_head;
    f->free_head = n;
    f->free_count++;
}
