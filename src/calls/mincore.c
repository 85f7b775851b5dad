/* SPDX-License-Identifier: MIT */
/* mincore.c - mincore(2): which pages are there. Rules CORE-1..4. */
#include "calls/walk.h"

/* Where the next byte goes. */
struct report {
    unsigned char *next;
};

/* Is a page there that no entry of this space maps? */
static bool object_has(const struct mw_space *s, const struct mw_vma *v, uint64_t addr)
{
    struct mw_object *o = v->object;
    uint64_t offset = v->offset + (addr - v->start);

    if (!o || is_anonymous(v) || !o->frames)
        return false;
    if (v->flags & MW_VM_MIRRORED)
        return pmap_find(&mirror_of(o)->index, offset, NULL) != NULL;
    if (v->flags & MW_VM_HUGETLB)
        return false;
    return object_peek(o, offset >> s->cfg.page_shift) != 0;
}

static int report_one(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                      struct mw_why *why)
{
    struct report *r = ctx;

    (void)why;
    for (uint64_t a = at.start; a < at.end; a += page_size(s)) {
        const pte_t *e = pmap_find(&s->pmap, a, NULL);

        *r->next++ = pte_page(e) || object_has(s, v, a);
    }
    return 0;
}

int64_t mw_mincore(struct mw_space *s, uint64_t addr, uint64_t length, unsigned char *vec,
                   struct mw_why *why)
{
    struct report r = { vec };
    struct walk w = { .step = report_one, .ctx = &r, .hole = WHY_core_hole, .stops = true };
    struct mw_range at = { addr, addr };
    int err = 0;

    why_clear(why);
    space_enter(s);
    if (!aligned(s, addr))
        err = why_at(why, WHY_addr_unaligned, addr, addr);
    else if (!range_within(addr, length, 0, s->cfg.task_size))
        err = why_fail(why, WHY_core_beyond, at, length, s->cfg.task_size);
    else if (!s->pmap.frames)
        err = why_plain(why, WHY_not_modelled);
    else
        err = walk_range(s, (struct mw_range){ addr, addr + round_up(s, length) }, &w, why);
    space_leave(s);
    return err;
}
