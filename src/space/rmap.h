/* SPDX-License-Identifier: MIT */
/* rmap.h - from an object to what maps it. */
#ifndef MW_SPACE_RMAP_H
#define MW_SPACE_RMAP_H

#include "space/space.h"

/* What a VMA, at `at`, maps of the offsets that are looked for. Changes pages only. */
typedef void rmap_step(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx);

struct rmap {
    rmap_step *step;
    void *ctx;
};

/* Is `frame`, which `v` maps at `addr`, the object's page, and not the mapping's own? */
bool rmap_is_objects(const struct mw_space *s, const struct mw_vma *v, uint64_t addr, frame_t frame);

/* Every VMA of one space that maps some of `o`'s offsets; how many map the object at all. */
uint64_t rmap_space(struct mw_space *s, const struct mw_object *o, struct mw_range offsets,
                    const struct rmap *r);

/* The same in all spaces with pages; then translations that have become stale are sent off. */
void rmap_all(struct mw_object *o, struct mw_range offsets, const struct rmap *r);

#endif
