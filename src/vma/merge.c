/* SPDX-License-Identifier: MIT */
/* merge.c - when two neighbouring VMAs are one. */
#include "vma/merge.h"

/* Mappings of these kinds are one by one what their makers know them as. */
static const uint64_t never = MW_VM_IO | MW_VM_DONTEXPAND | MW_VM_PFNMAP | MW_VM_MIXEDMAP;

/* Would `low` and `high` be one mapping but for `ignore` flags and identities? */
static bool continues(const struct mw_vma *low, const struct mw_vma *high, uint64_t ignore)
{
    return low->end == high->start && low->object == high->object &&
           ((low->flags ^ high->flags) & ~ignore) == 0 &&
           low->offset + (low->end - low->start) == high->offset;
}

static bool mergeable(const struct mw_space *s, const struct mw_vma *v)
{
    if (v->flags & never)
        return false;
    if (is_segment(v))
        return space_has(s, ROW_COUNTED_MERGES);
    return !v->object || !(mw_object_flags(v->object) & MW_OBJ_NOMERGE);
}

/* An identity shared with a parent by fork stays with its own mapping. */
static bool alone(uint64_t anon) { return !(anon & MW_ANON_FORKED); }

/* May the pages of `v` and of its neighbour `n` be kept as one's? */
static bool anon_fits(const struct mw_space *s, const struct mw_vma *n, const struct mw_vma *v,
                      enum merge_source source)
{
    if (n->anon == v->anon)
        return true;
    if (n->anon && v->anon)
        return false;
    if (n->anon)
        return alone(n->anon);
    return space_has(s, ROW_MERGE_INTO_UNTOUCHED) && (source == MERGE_EXTENDED || alone(v->anon));
}

bool merge_below(const struct mw_space *s, const struct mw_vma *n, const struct mw_vma *v,
                 enum merge_source source)
{
    return n && mergeable(s, v) && continues(n, v, 0) && anon_fits(s, n, v, source);
}

bool merge_above(const struct mw_space *s, const struct mw_vma *v, const struct mw_vma *n,
                 enum merge_source source)
{
    return n && mergeable(s, v) && continues(v, n, 0) && anon_fits(s, n, v, source);
}

bool merge_across(const struct mw_vma *low, const struct mw_vma *high)
{
    return low->anon == high->anon || !low->anon || !high->anon;
}

/* Could these be one mapping if only their protections, and who watches them, were equal? */
static bool sharable(const struct mw_vma *low, const struct mw_vma *high)
{
    return continues(low, high, MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC | VMA_WATCHER);
}

uint64_t anon_identity(struct mw_space *s, const struct mw_vma *prev, const struct mw_vma *v,
                       const struct mw_vma *next)
{
    if (next && next->anon && alone(next->anon) && sharable(v, next))
        return next->anon;
    if (prev && prev->anon && alone(prev->anon) && sharable(prev, v))
        return prev->anon;
    return s->next_anon++;
}
