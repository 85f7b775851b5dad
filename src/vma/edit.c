/* SPDX-License-Identifier: MIT */
/* edit.c - changes to the row of VMAs: split, remove, insert, modify, extend. */
#include "vma/edit.h"

#include "vma/account.h"
#include "vma/merge.h"

/* The part [start, end) of a VMA, with its offset. */
static struct mw_vma part(const struct mw_vma *v, uint64_t start, uint64_t end)
{
    struct mw_vma p = *v;

    p.offset += start - v->start;
    p.start = start;
    p.end = end;
    return p;
}

static uint64_t pages_of(const struct mw_space *s, const struct mw_vma *v)
{
    return to_pages(s, v->end - v->start);
}

/* The VMA at `c` becomes several. */
static void split(struct mw_space *s, struct cursor c, const struct mw_vma *piece, uint32_t pieces)
{
    for (uint32_t i = 1; i < pieces; i++) {
        pmap_cut(&s->pmap, piece[i].start);
        object_map(piece[i].object);
    }
    tree_split(&s->tree, c, piece, pieces);
}

/* The VMA at `c` becomes two. */
static void split_at(struct mw_space *s, struct cursor c, uint64_t at)
{
    const struct mw_vma *v = tree_at(c), piece[] = { part(v, v->start, at), part(v, at, v->end) };

    split(s, c, piece, 2);
}

void edit_split(struct mw_space *s, uint64_t at)
{
    struct cursor c = tree_find(&s->tree, at);

    if (c.leaf && tree_at(c)->start < at)
        split_at(s, c, at);
}

/* Takes [start, end) off one side of the VMA at `c`, or out of its middle; something of it stays. */
static void trim(struct mw_space *s, struct cursor c, uint64_t start, uint64_t end)
{
    struct mw_vma v = *tree_at(c), lower = part(&v, v.start, start), upper = part(&v, end, v.end);

    account_sub(s, v.flags, to_pages(s, end - start));
    if (start > v.start)
        pmap_cut(&s->pmap, start);
    if (end == v.end) {
        tree_set(c, &lower);
    } else if (start > v.start) {
        pmap_cut(&s->pmap, end);
        object_map(upper.object);
        c = tree_insert_after(&s->tree, c, &upper);
        tree_set(tree_prev(&s->tree, c), &lower);
    } else {
        pmap_cut(&s->pmap, end);
        tree_set(c, &upper);
    }
}

void edit_remove(struct mw_space *s, uint64_t start, uint64_t end)
{
    struct cursor c = tree_find(&s->tree, start), last;
    const struct mw_vma *v = tree_at(c);

    if (v && v->start < start) {
        bool spans = v->end >= end;

        trim(s, c, start, min_u64(v->end, end));
        if (spans)
            return;
        c = tree_next(c);
    }
    for (last = c; (v = tree_at(last)) && v->end <= end; last = tree_next(last)) {
        account_sub(s, v->flags, pages_of(s, v));
        object_unmap(v->object);
    }
    if (v && v->start < end)
        trim(s, last, v->start, end);
    tree_cut(&s->tree, c, end);
}

/* The VMAs right before and right after; NULL: none. Valid until the tree changes. */
struct around {
    const struct mw_vma *prev, *next;
};

/* Which neighbours `v` becomes one with: the lower one is asked first. Of a segment no mapping is lost by it. */
struct verdict {
    bool below, above;
};

static struct verdict judge(const struct mw_space *s, const struct around *a,
                            const struct mw_vma *v)
{
    struct verdict m;

    m.below = merge_below(s, a->prev, v, MERGE_PLACED);
    m.above = merge_above(s, v, a->next, MERGE_PLACED) &&
              (!m.below || (!is_segment(v) && merge_across(a->prev, a->next)));
    return m;
}

/* The same, but the upper one is asked first; the lower one must then suit both. */
static struct verdict judge_above(const struct mw_space *s, const struct around *a,
                                  const struct mw_vma *v)
{
    struct mw_vma both = *v;
    struct verdict m;

    m.above = merge_above(s, v, a->next, MERGE_PLACED);
    if (m.above)
        both.anon = a->next->anon;
    m.below = merge_below(s, a->prev, &both, MERGE_PLACED);
    return m;
}

/* `v` together with the neighbours that it merges with. */
static struct mw_vma joined(const struct around *a, struct verdict m, const struct mw_vma *v)
{
    struct mw_vma r = *v;

    if (m.below) {
        r.start = a->prev->start;
        r.offset = a->prev->offset;
        r.anon = a->prev->anon ? a->prev->anon : r.anon;
    }
    if (m.above) {
        r.end = a->next->end;
        r.anon = r.anon ? r.anon : a->next->anon;
    }
    return r;
}

void edit_add(struct mw_space *s, const struct mw_vma *v)
{
    account_add(s, v->flags, pages_of(s, v));
    object_map(v->object);
    tree_insert(&s->tree, v);
}

struct cursor edit_append(struct mw_space *s, struct cursor prev, const struct mw_vma *v)
{
    struct around a = { tree_at(prev), NULL };
    struct verdict m = judge(s, &a, v);

    account_add(s, v->flags, pages_of(s, v));
    if (m.below) {
        struct mw_vma r = joined(&a, m, v);

        tree_set(prev, &r);
        return prev;
    }
    object_map(v->object);
    return prev.leaf ? tree_insert_after(&s->tree, prev, v) : tree_insert(&s->tree, v);
}

static bool contains(const struct mw_vma *v, uint64_t addr)
{
    return v && v->start <= addr && addr < v->end;
}

static void insert(struct mw_space *s, const struct mw_vma *v, uint64_t apart, bool above_first)
{
    struct cursor next = tree_find(&s->tree, v->start), prev = tree_prev(&s->tree, next);
    struct around a = { tree_at(prev), tree_at(next) };
    struct verdict m;
    struct mw_vma r;

    a.prev = contains(a.prev, apart) ? NULL : a.prev;
    a.next = contains(a.next, apart) ? NULL : a.next;
    m = above_first ? judge_above(s, &a, v) : judge(s, &a, v);
    account_add(s, v->flags, pages_of(s, v));
    if (!m.below && !m.above) {
        object_map(v->object);
        tree_insert_before(&s->tree, next, v);
        return;
    }
    r = joined(&a, m, v);
    if (m.below && m.above) {
        object_unmap(a.next->object);
        prev = tree_prev(&s->tree, tree_remove(&s->tree, next));
    }
    tree_set(m.below ? prev : next, &r);
}

void edit_insert(struct mw_space *s, const struct mw_vma *v, uint64_t apart)
{
    insert(s, v, apart, false);
}

void edit_insert_new(struct mw_space *s, const struct mw_vma *v)
{
    insert(s, v, EDIT_NONE_APART, space_has(s, ROW_MMAP_ASKS_ABOVE));
}

/*
 * Changed memory that merges moves its borders only:
 *
 *     [ prev  )[ v   changed )[ next )      the changed part goes to a neighbour,
 *     [ prev           )[ v  )              what is left of v shrinks or goes
 */
static void modify_merged(struct mw_space *s, struct cursor c, const struct around *a,
                          struct verdict m, const struct mw_vma *v, const struct mw_vma *changed)
{
    struct mw_vma r = joined(a, m, changed);
    uint32_t gone = m.below + m.above;

    pmap_cut(&s->pmap, changed->start);
    pmap_cut(&s->pmap, changed->end);
    if (v->start < changed->start || changed->end < v->end) {
        /* a part of v stays: below the part that goes up, or above the one that goes down */
        struct mw_vma rest = m.below ? part(v, changed->end, v->end)
                                     : part(v, v->start, changed->start);

        tree_set(m.below ? tree_prev(&s->tree, c) : tree_next(c), &r); /* first: no gap is ever seen */
        tree_set(c, &rest);
        return;
    }
    if (m.below)
        c = tree_prev(&s->tree, c);
    for (uint32_t i = 0; i < gone; i++) /* theirs is the same object */
        object_unmap(v->object);
    tree_join(&s->tree, c, &r, gone + 1);
}

/* What does not merge is cut out of `v`, at `c`, by cuts that max_map_count may forbid. */
static bool modify_cut_out(struct mw_space *s, struct cursor c, const struct mw_vma *v,
                           const struct mw_vma *changed, bool limited)
{
    bool below = v->start < changed->start, above = changed->end < v->end;
    uint64_t room = limited ? sub_floor(s->cfg.max_map_count, s->tree.count) : UINT64_MAX;
    struct mw_vma piece[3];
    uint32_t n = 0;

    if (room < (uint64_t)below + above) {
        if (room) /* Linux has made the first cut by then */
            split_at(s, c, changed->start);
        return false;
    }
    if (!below && !above) {
        tree_set(c, changed);
        return true;
    }
    if (below)
        piece[n++] = part(v, v->start, changed->start);
    piece[n++] = *changed;
    if (above)
        piece[n++] = part(v, changed->end, v->end);
    split(s, c, piece, n);
    return true;
}

static void recount(struct mw_space *s, uint64_t was, const struct mw_vma *changed)
{
    account_sub(s, was, pages_of(s, changed));
    account_add(s, changed->flags, pages_of(s, changed));
}

bool edit_modify_at(struct mw_space *s, struct cursor c, uint64_t start, uint64_t end, uint64_t flags,
                    bool limited)
{
    struct mw_vma v = *tree_at(c), changed = part(&v, start, end);
    struct around a = { start == v.start ? tree_at(tree_prev(&s->tree, c)) : NULL,
                        end == v.end ? tree_at(tree_next(c)) : NULL };
    struct verdict m;

    changed.flags = flags;
    m = judge(s, &a, &changed);
    if ((m.below || m.above) && !(is_segment(&v) && start == v.start && end == v.end))
        modify_merged(s, c, &a, m, &v, &changed);
    else if (!modify_cut_out(s, c, &v, &changed, limited))
        return false;
    recount(s, v.flags, &changed);
    return true;
}

bool edit_modify(struct mw_space *s, uint64_t start, uint64_t end, uint64_t flags, bool limited)
{
    return edit_modify_at(s, tree_find(&s->tree, start), start, end, flags, limited);
}

bool edit_modify_apart(struct mw_space *s, uint64_t start, uint64_t end, uint64_t flags)
{
    struct cursor c = tree_find(&s->tree, start);
    struct mw_vma v = *tree_at(c), changed = part(&v, start, end);

    changed.flags = flags;
    if (!modify_cut_out(s, c, &v, &changed, true))
        return false;
    recount(s, v.flags, &changed);
    return true;
}

void edit_extend(struct mw_space *s, uint64_t end, uint64_t new_end, bool merge)
{
    struct cursor c = tree_find(&s->tree, end - 1), next = tree_next(c);
    struct mw_vma v = *tree_at(c);

    account_add(s, v.flags, to_pages(s, new_end - end));
    v.end = new_end;
    if (merge && next.leaf && !is_segment(&v) && merge_above(s, &v, tree_at(next), MERGE_EXTENDED)) {
        struct mw_vma n = *tree_at(next);

        v.end = n.end;
        v.anon = v.anon ? v.anon : n.anon;
        object_unmap(n.object);
        tree_remove(&s->tree, next);
        c = tree_find(&s->tree, v.start);
    }
    tree_set(c, &v);
}

void edit_extend_down(struct mw_space *s, uint64_t start, uint64_t new_start)
{
    struct cursor c = tree_find(&s->tree, start);
    struct mw_vma v = *tree_at(c);

    account_add(s, v.flags, to_pages(s, start - new_start));
    v.offset -= start - new_start;
    v.start = new_start;
    tree_set(c, &v);
}

void edit_forget(struct mw_space *s, uint64_t start, uint64_t end, bool rebase)
{
    struct cursor c = tree_find(&s->tree, start);
    struct mw_vma v = *tree_at(c);

    if (v.start != start || v.end != end || is_segment(&v))
        return; /* a part, or it has merged with where its pages went */
    v.anon = 0;
    if (rebase && !v.object) /* private /dev/zero keeps its offset */
        v.offset = v.start;
    tree_set(c, &v);
}

void edit_strip(struct mw_space *s, uint64_t addr, uint64_t flags, uint64_t spared)
{
    struct cursor c = tree_find(&s->tree, addr);
    struct mw_vma v = *tree_at(c);
    uint64_t pages = pages_of(s, &v), lost = sub_floor(pages, spared), gone = v.flags & flags;

    account_sub(s, v.flags, pages);
    if (gone & MW_VM_LOCKED)
        account_lose_locked(s, lost);
    if (gone & MW_VM_ACCOUNT)
        account_lose_committed(s, lost);
    v.flags &= ~flags;
    account_add(s, v.flags, pages);
    tree_set(c, &v);
}

void edit_mirror(struct mw_space *s, uint64_t start, uint64_t end, struct mw_object *object)
{
    struct cursor c;
    struct mw_vma v;

    edit_split(s, start);
    edit_split(s, end);
    c = tree_find(&s->tree, start);
    v = *tree_at(c);
    account_sub(s, v.flags, pages_of(s, &v));
    object_map(object);
    object_unmap(v.object);
    v.object = object;
    v.offset = start;
    v.anon = 0;
    v.flags |= MW_VM_MIRRORED;
    account_add(s, v.flags, pages_of(s, &v));
    tree_set(c, &v);
}

void edit_identify(struct mw_space *s, struct cursor c)
{
    struct cursor prev = tree_prev(&s->tree, c), next = tree_next(c);
    struct mw_vma v = *tree_at(c);

    if (v.anon)
        return;
    v.anon = anon_identity(s, tree_at(prev), &v, tree_at(next));
    tree_set(c, &v);
}

void edit_touch(struct mw_space *s, struct cursor c)
{
    if (!(tree_at(c)->flags & (MW_VM_SHARED | MW_VM_MIRRORED)))
        edit_identify(s, c);
}
