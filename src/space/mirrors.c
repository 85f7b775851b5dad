/* SPDX-License-Identifier: MIT */
/* mirrors.c - which pages of a mirror still have an address. */
#include "space/mirrors.h"

/* Offsets of one mirror, and what is to be removed of the space. */
struct search {
    const struct mw_object *object;
    struct mw_range removed;
    uint64_t at;      /* the offset asked about */
    uint64_t covered; /* mapped from `at` up to here; `at` itself: not at all */
    uint64_t next;    /* the first offset beyond `at` that is mapped */
};

/* A piece of a VMA that stays: what it says of the offset. */
static void note(struct search *q, const struct mw_vma *v, uint64_t start, uint64_t end)
{
    uint64_t low = v->offset + (start - v->start), high = v->offset + (end - v->start);

    if (start >= end || high <= q->at)
        return;
    if (low <= q->at)
        q->covered = max_u64(q->covered, high);
    else
        q->next = min_u64(q->next, low);
}

static void look(const struct mw_space *s, struct search *q, uint64_t at, uint64_t end)
{
    q->at = q->covered = at;
    q->next = end;
    for (struct cursor c = tree_first(&s->tree); c.leaf; c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if (v->object != q->object)
            continue;
        note(q, v, v->start, min_u64(v->end, q->removed.start));
        note(q, v, max_u64(v->start, q->removed.end), v->end);
    }
}

/* Drops the pages of [at, end) that nothing else maps. */
static void drop(struct mw_space *s, struct search *q, uint64_t at, uint64_t end)
{
    while (at < end) {
        look(s, q, at, end);
        if (q->covered == at)
            pmap_zap(&mirror_of(q->object)->index, at, q->next);
        at = q->covered == at ? q->next : q->covered;
    }
}

void mirrors_trim(struct mw_space *s, uint64_t start, uint64_t end)
{
    for (struct cursor c = tree_find(&s->tree, start); c.leaf && tree_at(c)->start < end;
         c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);
        struct search q = { .object = v->object, .removed = { start, end } };
        uint64_t low = max_u64(v->start, start), high = min_u64(v->end, end);

        if (!(v->flags & MW_VM_MIRRORED) || (v->object->refs == 1 && low == v->start && high == v->end))
            continue; /* the whole mirror goes with its last mapping */
        drop(s, &q, v->offset + (low - v->start), v->offset + (high - v->start));
    }
}
