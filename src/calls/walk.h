/* SPDX-License-Identifier: MIT */
/*
 * walk.h - a range from mapping to mapping, for the calls that Linux applies so:
 * what lies before the mapping that refuses has been changed.
 */
#ifndef MW_CALLS_WALK_H
#define MW_CALLS_WALK_H

#include "space/space.h"

/*
 * One mapping, as it was when the walk came to it, and the part of it that lies
 * in the range. What is not 0 ends the walk.
 */
typedef int walk_step(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                      struct mw_why *why);

struct walk {
    walk_step *step;
    void *ctx;
    enum reason hole; /* why the call fails where nothing is mapped: */
    bool stops;       /* at once, or else when the rest has been done */
};

/* 0, what a step said, or `hole`. */
int walk_range(struct mw_space *s, struct mw_range range, const struct walk *w, struct mw_why *why);

#endif
