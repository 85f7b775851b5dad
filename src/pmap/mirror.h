/* SPDX-License-Identifier: MIT */
/*
 * mirror.h - the pages of private memory that has more than one address.
 *
 * A mirror is an object of one space. Its index holds each page once, at the
 * address that the memory had when it was first mirrored; it is made of page
 * tables, so that whole tables are linked in the index and in the space. What
 * the space has beyond that are aliases, which a fault makes anew.
 */
#ifndef MW_PMAP_MIRROR_H
#define MW_PMAP_MIRROR_H

#include "mem/object.h"
#include "pmap/pmap.h"

struct mirror {
    struct mw_object *object;  /* whose ctx this is */
    const struct mw_port *port;
    struct pmap index;         /* by offset; no frames: layout only */
    pte_t grant;               /* what entries of the index allow */
    uint32_t level;            /* of its leaf entries */
    struct mw_object *backing; /* what absent pages are copies of; NULL: zeros */
    uint64_t backing_delta;    /* from offsets here to offsets there */
    uint64_t promised;         /* huge pages set aside for absent ones */
    struct mirror *next;       /* in a call's list of reserved ones */
    bool seen;                 /* by the checker, in the walk under way */
};

/*
 * An empty mirror for memory of these flags, with one reference on its object.
 * `like` gives the format; `backing` (may be NULL) is referenced. NULL: no memory.
 */
struct mirror *mirror_create(const struct mw_port *port, const struct pmap *like, uint64_t vm_flags,
                             struct mw_object *backing, uint64_t backing_delta);

/* The same for a child's space: every page is shared until one side accesses it. NULL: no memory. */
struct mirror *mirror_fork(struct mirror *parent, const struct pmap *like);

static inline struct mirror *mirror_of(const struct mw_object *o) { return o->ctx; }

/*
 * The page at `offset`, made or made this mirror's own if it has to be. The
 * index keeps its reference.
 */
enum object_result mirror_page(struct mirror *m, uint64_t offset, frame_t *frame);

#endif
