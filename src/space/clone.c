/* SPDX-License-Identifier: MIT */
/* clone.c - a copy of a space's layout. */
#include "space/clone.h"

#include "mem/object.h"
#include "space/space.h"

struct mw_space *space_clone(const struct mw_space *s, uint32_t linux_version)
{
    struct mw_config config = s->cfg;
    struct mw_space *copy;

    config.frames = NULL;
    config.linux_version = linux_version;
    if (space_new(&config, &copy))
        return NULL;
    if (!tree_copy(&copy->tree, &s->tree)) {
        space_end(copy);
        return NULL;
    }
    for (struct cursor c = tree_first(&copy->tree); c.leaf; c = tree_next(c))
        object_map(tree_at(c)->object);
    space_inherit(copy, s);
    copy->asked = s->asked;
    copy->watchers = s->watchers;
    copy->future = s->future;
    copy->huge_pages = s->pmap.frames ? MW_UNLIMITED : s->huge_pages;
    copy->total = s->total;
    copy->data = s->data;
    copy->stack = s->stack;
    copy->exec = s->exec;
    copy->mirrored = s->mirrored;
    copy->huge = s->huge;
    copy->locked = s->locked;
    copy->lost_locked = s->lost_locked;
    copy->committed = s->committed;
    copy->lost_committed = s->lost_committed;
    return copy;
}
