/* SPDX-License-Identifier: MIT */
/* walk.c - a range from mapping to mapping. */
#include "calls/walk.h"

int walk_range(struct mw_space *s, struct mw_range range, const struct walk *w,
                             struct mw_why *why)
{
    int hole = 0;

    for (uint64_t at = range.start, next; at < range.end; at = next) {
        const struct mw_vma *v = tree_at(tree_find(&s->tree, at));
        struct mw_vma one;
        int err;

        if (!v || v->start > at) {
            next = v ? min_u64(v->start, range.end) : range.end;
            hole = hole ? hole : why_at(why, w->hole, at, next);
            if (w->stops)
                return hole;
            continue;
        }
        one = *v;
        next = min_u64(v->end, range.end);
        err = w->step(s, &one, (struct mw_range){ at, next }, w->ctx, why);
        if (err)
            return err;
    }
    return hole;
}
