/* SPDX-License-Identifier: MIT */
/*
 * rmap.c - from an object to what maps it: through the spaces that it is linked
 * with, and there through all VMAs. Truncation and writing back, which need
 * it, are rare beside the edits that would have to keep a finer index true.
 */
#include "space/rmap.h"

bool rmap_is_objects(const struct mw_space *s, const struct mw_vma *v, uint64_t addr, frame_t frame)
{
    uint64_t offset = v->offset + (addr - v->start);

    return v->object &&
           object_peek(v->object, offset >> frame_shift_of(s->cfg.page_shift, vma_level(v))) == frame;
}

uint64_t rmap_space(struct mw_space *s, const struct mw_object *o, struct mw_range offsets,
                    const struct rmap *r)
{
    uint64_t found = 0;

    for (struct cursor c = tree_first(&s->tree); c.leaf; c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);
        uint64_t low, high;

        if (v->object != o)
            continue;
        found++;
        low = max_u64(v->offset, offsets.start);
        high = min_u64(add_ceil(v->offset, v->end - v->start), offsets.end);
        if (low < high)
            r->step(s, v, (struct mw_range){ v->start + (low - v->offset), v->start + (high - v->offset) },
                    r->ctx);
    }
    return found;
}

void rmap_all(struct mw_object *o, struct mw_range offsets, const struct rmap *r)
{
    for (struct object_link *l = o->links, *next; l; l = next) {
        next = l->next;
        if (rmap_space(l->space, o, offsets, r))
            space_send(l->space);
        else
            object_unlink(l); /* has unmapped it long ago; others have not */
    }
}
