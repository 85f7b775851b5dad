/* SPDX-License-Identifier: MIT */
/*
 * mirror.c - MW_MREMAP_MIRROR: the same pages at a second address.
 *
 * What is shared is mapped a second time. Private memory first becomes a
 * mirror, whose pages both addresses then map (pmap/mirror.h). What is present
 * in the source is present in the mirror at once, by whole page tables where
 * both are congruent. Rules MIRROR-1..9 in SPEC.md.
 */
#include "calls/mirror.h"

#include "calls/unmap.h"
#include "space/fault.h"
#include "space/huge.h"
#include "vma/account.h"
#include "vma/edit.h"
#include "vma/place.h"

#define MUST_NOT_GROW (MW_VM_DONTEXPAND | MW_VM_PFNMAP)
#define LOCKS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

/* What the range amounts to. */
struct survey {
    struct account_sum sum;
    uint64_t pieces, locked; /* mappings; bytes */
    uint64_t huge;           /* the largest page among them, bytes; 0: none is huge */
};

/* The part of a mapping that lies in the range. */
static struct mw_range piece_of(const struct mirror_request *q, const struct mw_vma *v)
{
    return (struct mw_range){ max_u64(v->start, q->old), min_u64(v->end, q->old + q->size) };
}

static bool becomes_mirror(const struct mw_vma *v)
{
    return !(v->flags & (MW_VM_SHARED | MW_VM_MAYSHARE | MW_VM_MIRRORED));
}

/* ---- decide ----------------------------------------------------------------------- */

static uint64_t huge_bytes(const struct mw_space *s, const struct mw_vma *v)
{
    return v->flags & MW_VM_HUGETLB ? vma_page(s, v) : 0;
}

static int check_piece(const struct mw_space *s, const struct mw_vma *v, struct mw_range part,
                       uint64_t huge, struct mw_why *why)
{
    if (v->flags & MW_VM_SEALED)
        return why_at(why, WHY_sealed, v->start, v->end);
    if (v->flags & MW_VM_UFFD)
        return why_at(why, WHY_mremap_alone, v->start, v->end);
    if (!huge && (v->flags & MUST_NOT_GROW))
        return why_at(why, WHY_mremap_dontexpand, v->start, v->end);
    if (huge && ((part.start | part.end) & (huge - 1)))
        return why_at(why, WHY_mremap_huge_align, part.start, part.end);
    if (s->pool.guarded && pmap_first(&s->pmap, part.start, part.end, PTE_GUARD | PTE_MARK) < part.end)
        return why_at(why, WHY_mirror_guarded, part.start, part.end);
    return 0;
}

static int look_over(const struct mw_space *s, const struct mirror_request *q, struct survey *all,
                     struct mw_why *why)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, q->old));

    *all = (struct survey){ 0 };
    if (!v || v->start > q->old)
        return why_at(why, WHY_mremap_not_mapped, q->old, q->old);
    for (struct cursor c = tree_find(&s->tree, q->old);
         c.leaf && tree_at(c)->start < q->old + q->size; c = tree_next(c)) {
        struct mw_range part = piece_of(q, v = tree_at(c));
        uint64_t huge = huge_bytes(s, v), pages = to_pages(s, part.end - part.start);
        int err = check_piece(s, v, part, huge, why);

        if (err)
            return err;
        all->pieces++;
        all->sum.pages += pages;
        all->sum.data += account_is_data(v->flags) ? pages : 0;
        all->sum.charged += v->flags & MW_VM_ACCOUNT ? pages : 0;
        all->locked += v->flags & MW_VM_LOCKED ? part.end - part.start : 0;
        all->huge = max_u64(all->huge, huge);
    }
    return 0;
}

/* The mirror counts as growth, once what it replaces is gone. */
static int check_limits(const struct mw_space *s, const struct survey *all,
                        const struct account_sum *gone, struct mw_why *why)
{
    int err = account_lock(s, all->locked ? MW_VM_LOCKED : 0, all->locked, NULL, why);

    if (!err)
        err = account_room(s, 0, all->sum.pages, gone, why);
    if (!err)
        err = account_room(s, MW_VM_WRITE, all->sum.data, gone, why);
    if (!err)
        err = account_commit(s, all->sum.charged, why);
    /* a mapping each, and a cut at both ends of the source and of the destination */
    if (!err && s->tree.count + all->pieces + 3 > s->cfg.max_map_count)
        err = why_amount(why, WHY_mremap_count, s->tree.count, s->cfg.max_map_count);
    return err;
}

/* Room where both addresses are congruent modulo `align`. */
static int64_t find_congruent(const struct mw_space *s, const struct mirror_request *q,
                              uint64_t align, struct mw_why *why)
{
    struct place p = { .length = add_ceil(q->size, align - page_size(s)), .flags = MW_MAP_SHARED };
    int64_t at = place_find(s, &p, why);

    return at < 0 ? at : at + (int64_t)((q->old - (uint64_t)at) & (align - 1));
}

/* The larger the tables that both can share, the less a mirror costs. */
static int64_t find_place(const struct mw_space *s, const struct mirror_request *q, uint64_t huge,
                          struct mw_why *why)
{
    uint64_t least = max_u64(huge, page_size(s));

    for (uint32_t level = FRAME_LEVELS; level > 1; level--) {
        uint64_t align = 1ull << frame_shift_of(s->cfg.page_shift, level);
        int64_t at = q->size >= align && align > least ? find_congruent(s, q, align, NULL) : -1;

        if (at >= 0)
            return at;
    }
    return find_congruent(s, q, least, why);
}

static int decide(const struct mw_space *s, struct mirror_request *q, struct survey *all,
                  struct mw_why *why)
{
    struct account_sum gone = { 0 };
    int err = look_over(s, q, all, why);
    int64_t at;

    if (!err && q->fixed && all->huge && ((q->new - q->old) & (all->huge - 1)))
        err = why_at(why, WHY_mremap_huge_align, q->new, q->new);
    if (!err && q->fixed)
        err = unmap_decide(s, q->new, q->new + q->size, &gone, why);
    if (!err)
        err = check_limits(s, all, &gone, why);
    if (err)
        return err;
    at = (int64_t)q->new;
    if (q->fixed && q->new < s->cfg.min_addr && !(s->cfg.caps & MW_CAP_SYS_RAWIO))
        return why_fail(why, WHY_below_min_addr, (struct mw_range){ q->new, q->new }, 0,
                        s->cfg.min_addr);
    if (!q->fixed)
        at = find_place(s, q, all->huge, why);
    q->new = (uint64_t)at;
    return at < 0 ? (int)at : 0;
}

/* ---- reserve -------------------------------------------------------------------------- */

static struct mirror *new_mirror(struct mw_space *s, const struct mw_vma *v)
{
    bool anon = is_anonymous(v);

    return mirror_create(s->cfg.port, &s->pmap, v->flags, anon ? NULL : v->object,
                         anon ? 0 : v->offset - v->start);
}

/* Does the mirror's index map its pages as a VMA of these flags does? */
static bool links(const struct mirror *m, uint64_t flags)
{
    return m->grant == pmap_grant(flags);
}

/* The tables, and the mirror, that a piece will need. */
static bool reserve_piece(struct mw_space *s, const struct mirror_request *q,
                          const struct mw_vma *v, struct mirror ***tail)
{
    struct mw_range part = piece_of(q, v);
    uint64_t to = q->new + (part.start - q->old), length = part.end - part.start;
    struct mirror *m;

    if (v->flags & MW_VM_MIRRORED) {
        m = mirror_of(v->object);
        return pmap_fill_reserve(&s->pmap, &m->index, v->offset + (part.start - v->start), to,
                                 length, links(m, v->flags));
    }
    if (!becomes_mirror(v))
        return pmap_fill_reserve(&s->pmap, &s->pmap, part.start, to, length, false);
    m = new_mirror(s, v);
    if (!m)
        return false;
    **tail = m;
    *tail = &m->next;
    return pmap_adopt_reserve(&m->index, &s->pmap, part.start, part.end) &&
           pmap_fill_reserve(&s->pmap, &s->pmap, part.start, to, length, true);
}

static void give_back(struct mw_space *s, struct mirror *list)
{
    pmap_unreserve(&s->pmap);
    while (list) {
        struct mirror *m = list;

        list = m->next;
        mw_object_put(m->object);
    }
}

static int reserve(struct mw_space *s, const struct mirror_request *q, uint64_t pieces,
                   struct mirror **list, struct mw_why *why)
{
    struct mirror **tail = list;
    uint64_t inserts = EDIT_REMOVE + pieces * (EDIT_MODIFY + EDIT_INSERT);

    *list = NULL;
    if (inserts > UINT32_MAX || !tree_reserve(&s->tree, (uint32_t)inserts) ||
        (q->fixed && unmap_reserve(s, q->new, q->new + q->size, NULL)))
        return why_plain(why, WHY_no_memory);
    for (struct cursor c = tree_find(&s->tree, q->old);
         c.leaf && tree_at(c)->start < q->old + q->size; c = tree_next(c)) {
        if (reserve_piece(s, q, tree_at(c), &tail))
            continue;
        give_back(s, *list);
        return why_plain(why, WHY_no_memory);
    }
    return 0;
}

/* ---- commit, finish ---------------------------------------------------------------------- */

/* Fills [to, ...) with what `part` of the mapping `v` has. */
static void fill(struct mw_space *s, const struct mw_vma *v, struct mw_range part, uint64_t to)
{
    uint64_t length = part.end - part.start;
    pte_t grant = pmap_grant(v->flags), bits = grant ? grant : PTE_HELD;

    if (v->flags & MW_VM_MIRRORED) {
        struct mirror *m = mirror_of(v->object);

        pmap_fill(&s->pmap, &m->index, v->offset + (part.start - v->start), to, length,
                  bits | PTE_ALIAS, links(m, v->flags));
    } else {
        pmap_fill(&s->pmap, &s->pmap, part.start, to, length, bits, false);
    }
}

static void commit_piece(struct mw_space *s, const struct mirror_request *q, struct mw_range part,
                         struct mirror **list)
{
    struct mw_vma v = *tree_at(tree_find(&s->tree, part.start)), copy;

    if (becomes_mirror(&v)) {
        struct mirror *m = *list;

        *list = m->next;
        m->next = NULL;
        m->promised = huge_owed(s, &v, part.start, part.end);
        pmap_adopt(&m->index, &s->pmap, part.start, part.end);
        edit_mirror(s, part.start, part.end, m->object);
        mw_object_put(m->object); /* the VMA holds its own */
        v = *tree_at(tree_find(&s->tree, part.start));
    }
    copy = v;
    copy.offset += part.start - v.start;
    copy.start = q->new + (part.start - q->old);
    copy.end = copy.start + (part.end - part.start);
    edit_insert(s, &copy, EDIT_NONE_APART);
    fill(s, &v, part, copy.start);
}

static void commit(struct mw_space *s, const struct mirror_request *q, struct mirror *list)
{
    uint64_t end = q->old + q->size, at = q->old;
    const struct mw_vma *v;

    if (q->fixed)
        unmap_commit(s, q->new, q->new + q->size);
    while (at < end && (v = tree_at(tree_find(&s->tree, at))) && v->start < end) {
        struct mw_range part = piece_of(q, v);

        part.start = max_u64(part.start, at);
        commit_piece(s, q, part, &list);
        at = part.end;
    }
    pmap_unreserve(&s->pmap);
    space_flush(s, q->old, end);
}

/* What is locked is present; that it can't be is no error. */
static void finish(struct mw_space *s, const struct mirror_request *q)
{
    for (struct cursor c = tree_find(&s->tree, q->new);
         c.leaf && tree_at(c)->start < q->new + q->size; c = tree_next(c)) {
        struct mw_vma v = *tree_at(c);

        if ((v.flags & LOCKS) == MW_VM_LOCKED)
            fault_populate(s, max_u64(v.start, q->new), min_u64(v.end, q->new + q->size));
    }
}

int64_t mirror_remap(struct mw_space *s, struct mirror_request *q, struct mw_why *why)
{
    struct mirror *list;
    struct survey all;
    int err = decide(s, q, &all, why);

    if (!err)
        err = reserve(s, q, all.pieces, &list, why);
    if (err)
        return err;
    commit(s, q, list);
    finish(s, q);
    return (int64_t)q->new;
}
