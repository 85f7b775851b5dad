/* SPDX-License-Identifier: MIT */
/* count.c - what the page tables say of a mapping. Rules FACE-5 and FACE-6. */
#include "proc/count.h"

#include "space/rmap.h"

struct visit {
    const struct mw_space *s;
    const struct mw_vma *v;
    bool shmem;
    struct count *sum;
};

/* Does the entry map the object's own page, and not a private copy? */
static bool is_objects(const struct visit *c, uint64_t va, frame_t n)
{
    if (c->v->flags & MW_VM_MIRRORED)
        return false;
    return (c->v->flags & MW_VM_MAYSHARE) || rmap_is_objects(c->s, c->v, va, n);
}

static void count_huge(struct count *sum, uint64_t bytes, uint32_t maps)
{
    if (maps > 1)
        sum->shared_huge += bytes;
    else
        sum->private_huge += bytes;
}

static void count_kind(const struct visit *c, bool objects, uint64_t bytes, uint64_t share)
{
    struct count *sum = c->sum;

    if (!objects) {
        sum->anonymous += bytes;
        sum->rss_anon += bytes;
        sum->pss_anon += share;
    } else if (c->shmem) {
        sum->rss_shmem += bytes;
        sum->pss_shmem += share;
    } else {
        sum->rss_file += bytes;
        sum->pss_file += share;
    }
}

static void count_page(struct count *sum, pte_t e, uint64_t bytes, uint32_t maps, uint64_t share)
{
    sum->rss += bytes;
    sum->pss += share;
    if (e & PTE_D)
        sum->pss_dirty += share;
    if (e & PTE_A)
        sum->referenced += bytes;
    if (maps > 1)
        *(e & PTE_D ? &sum->shared_dirty : &sum->shared_clean) += bytes;
    else
        *(e & PTE_D ? &sum->private_dirty : &sum->private_clean) += bytes;
}

static void count_entry(void *ctx, uint64_t va, pte_t e, uint32_t level, uint32_t others)
{
    const struct visit *c = ctx;
    const struct pmap *pm = &c->s->pmap;
    frame_t n = pte_frame(pm, e);
    uint64_t bytes = 1ull << pmap_leaf_shift(pm, level), share;
    bool objects;
    uint32_t maps;

    if (n == pm->frames->zero) /* guards too */
        return;
    objects = is_objects(c, va, n);
    maps = pm->frames->meta[n].refs - objects + others; /* one reference is the object's */
    if (c->v->flags & MW_VM_HUGETLB) {
        count_huge(c->sum, bytes, maps);
        return;
    }
    share = (bytes << PSS_SHIFT) / maps;
    count_page(c->sum, e, bytes, maps, share);
    count_kind(c, objects, bytes, share);
    if (level > 1)
        c->sum->anon_huge += bytes;
    if (c->v->flags & MW_VM_LOCKED)
        c->sum->pss_locked += share;
}

void count_vma(const struct mw_space *s, const struct mw_vma *v, bool shmem, struct count *sum)
{
    struct visit c = { s, v, shmem, sum };

    if (!(v->flags & MW_VM_PFNMAP)) /* the pages are nobody's */
        pmap_visit(&s->pmap, v->start, v->end, count_entry, &c);
}
