/* SPDX-License-Identifier: MIT */
/* huge.c - promises of huge pages. */
#include "space/huge.h"

#include "space/rmap.h"

bool huge_is_promised(const struct mw_vma *v)
{
    const uint64_t others = MW_VM_MAYSHARE | MW_VM_NORESERVE | MW_VM_MIRRORED;

    return (v->flags & (others | MW_VM_HUGETLB)) == MW_VM_HUGETLB && !(v->anon & MW_ANON_FORKED);
}

uint64_t huge_owed(const struct mw_space *s, const struct mw_vma *v, uint64_t start, uint64_t end)
{
    uint64_t sum = 0, page = vma_page(s, v);

    for (uint64_t at = start; at < end && s->pmap.frames && huge_is_promised(v); at += page) {
        const pte_t *e = pmap_find(&s->pmap, at, NULL);

        sum += !pte_page(e) || rmap_is_objects(s, v, at, pte_frame(&s->pmap, *e));
    }
    return sum;
}

bool huge_prepare(struct mw_space *s, const struct mw_vma *v, uint64_t offset, uint64_t bytes)
{
    uint32_t shift = frame_shift_of(s->cfg.page_shift, vma_level(v));

    if (!s->pmap.frames || (v->flags & (MW_VM_NORESERVE | MW_VM_MAYSHARE)) != MW_VM_MAYSHARE)
        return true;
    return object_prepare(v->object, offset >> shift, bytes >> shift);
}

bool huge_promise(struct mw_space *s, const struct mw_vma *v, uint64_t offset, uint64_t bytes)
{
    uint32_t level = vma_level(v), shift = frame_shift_of(s->cfg.page_shift, level);

    if (v->flags & MW_VM_NORESERVE)
        return true;
    if (!s->pmap.frames)
        return bytes >> shift <= s->huge_pages;
    if (v->flags & MW_VM_MAYSHARE)
        return object_promise(v->object, offset >> shift, bytes >> shift);
    return !huge_is_promised(v) || frame_promise(s->pmap.frames, level, bytes >> shift);
}

void huge_unpromise(struct mw_space *s, uint64_t start, uint64_t end)
{
    if (!s->pmap.frames)
        return;
    for (struct cursor c = tree_find(&s->tree, start); c.leaf && tree_at(c)->start < end;
         c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        frame_unpromise(s->pmap.frames, vma_level(v),
                        huge_owed(s, v, max_u64(v->start, start), min_u64(v->end, end)));
    }
}
