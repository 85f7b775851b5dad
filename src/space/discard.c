/* SPDX-License-Identifier: MIT */
/* discard.c - pages that are given up while their mapping stays. */
#include "space/discard.h"

#include "space/huge.h"
#include "space/rmap.h"

/* Guards stay. */
static void zap(struct mw_space *s, uint64_t start, uint64_t end, enum pmap_drop how)
{
    pmap_drop(&s->pmap, start, end, how);
    space_flush(s, start, end);
}

static enum pmap_drop drop_content(const struct mw_vma *v)
{
    return v->flags & MW_VM_UFFD_WP ? DROP_CONTENT_WP : DROP_CONTENT;
}

static enum pmap_drop drop_mapped(const struct mw_vma *v)
{
    return v->flags & MW_VM_UFFD_WP ? DROP_MAPPED_WP : DROP_MAPPED;
}

static void zap_any(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx)
{
    (void)ctx;
    zap(s, at.start, at.end, drop_content(v));
}

/*
 * A mapping's own huge pages, which it has set aside again once they are
 * dropped: those that are its alone, and those that a child has too.
 */
struct own_huge {
    uint64_t alone, shared;
};

static struct own_huge own_huge(const struct mw_space *s, const struct mw_vma *v, struct mw_range at)
{
    struct own_huge own = { 0 };

    for (uint64_t a = at.start; a < at.end && huge_is_promised(v); a += vma_page(s, v)) {
        const pte_t *e = pmap_find(&s->pmap, a, NULL);
        frame_t n = pte_page(e) ? pte_frame(&s->pmap, *e) : 0;

        if (!n || rmap_is_objects(s, v, a, n))
            continue;
        if (s->pmap.frames->meta[n].refs > 1)
            own.shared++;
        else
            own.alone++;
    }
    return own;
}

bool discard_pages(struct mw_space *s, const struct mw_vma *v, struct mw_range at)
{
    uint64_t offset = v->offset + (at.start - v->start), bytes = at.end - at.start;
    struct own_huge own;

    if (!s->pmap.frames)
        return true;
    if (v->flags & MW_VM_MIRRORED) {
        rmap_space(s, v->object, (struct mw_range){ offset, offset + bytes }, &(struct rmap){ zap_any, NULL });
        pmap_zap(&mirror_of(v->object)->index, offset, offset + bytes);
        return true;
    }
    own = own_huge(s, v, at);
    if (!pmap_own(&s->pmap, at.start, at.end, PMAP_ENDS) ||
        !frame_promise(s->pmap.frames, vma_level(v), own.shared))
        return false;
    zap(s, at.start, at.end, is_anonymous(v) ? DROP_ANON : drop_mapped(v));
    return frame_promise(s->pmap.frames, vma_level(v), own.alone);
}

/* What sets no huge pages aside goes first: then nobody but a mirror still has those that do. */
static void zap_unpromised(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx)
{
    (void)ctx;
    if (!huge_is_promised(v))
        zap(s, at.start, at.end, drop_mapped(v));
}

static void zap_promised(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx)
{
    struct mw_vma none = *v;

    (void)ctx;
    if (!huge_is_promised(v) || discard_pages(s, v, at))
        return;
    huge_unpromise(s, v->start, v->end); /* without them, as if it had asked for none */
    none.flags |= MW_VM_NORESERVE;
    tree_set(tree_find(&s->tree, v->start), &none);
    zap(s, at.start, at.end, drop_mapped(&none));
}

/* Tables that a parent or a child has too. */
struct owning {
    uint32_t whole; /* as pmap_own has it */
    bool failed;
};

static void own_tables(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx)
{
    struct owning *o = ctx;

    (void)v;
    o->failed = o->failed || !pmap_own(&s->pmap, at.start, at.end, o->whole);
}

static bool own_all(struct mw_object *o, struct mw_range offsets, uint32_t whole)
{
    struct owning owning = { whole, false };

    rmap_all(o, offsets, &(struct rmap){ own_tables, &owning });
    return !owning.failed;
}

/* Private copies too. */
static void zap_all(struct mw_object *o, struct mw_range offsets)
{
    rmap_all(o, offsets, &(struct rmap){ zap_unpromised, NULL });
    if (o->level > 1)
        rmap_all(o, offsets, &(struct rmap){ zap_promised, NULL });
}

static void zap_marks(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx)
{
    (void)v, (void)ctx;
    zap(s, at.start, at.end, DROP_ANON);
}

bool discard_beyond(struct mw_object *o, uint64_t offset)
{
    const struct mw_range gone = { offset, UINT64_MAX };

    if (!own_all(o, gone, PMAP_ENDS))
        return false;
    zap_all(o, gone);
    if (o->level > 1) /* no page is left to be protected */
        rmap_all(o, gone, &(struct rmap){ zap_marks, NULL });
    return true;
}

/* A shared mapping's pages; of a private one's those that it has read, not its copies. */
static void zap_files(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx)
{
    const uint64_t page = page_size(s);

    if (v->flags & MW_VM_MAYSHARE) {
        zap_any(s, v, at, ctx);
        return;
    }
    for (uint64_t a = pmap_first(&s->pmap, at.start, at.end, PTE_P | PTE_HELD); a < at.end;
         a = pmap_first(&s->pmap, a + page, at.end, PTE_P | PTE_HELD)) {
        const pte_t *e = pmap_find(&s->pmap, a, NULL);

        if (pte_page(e) && rmap_is_objects(s, v, a, pte_frame(&s->pmap, *e)))
            zap(s, a, a + page, drop_content(v));
    }
}

/* The pages wholly within [start, end). */
static bool discard_whole(struct mw_object *o, struct mw_range gone, uint32_t shift)
{
    if (gone.start >= gone.end)
        return true;
    if (!own_all(o, gone, 0))
        return false;
    if (o->level > 1)
        zap_all(o, gone);
    else
        rmap_all(o, gone, &(struct rmap){ zap_files, NULL });
    return !o->frames || object_empty(o, gone.start >> shift, (gone.end - gone.start) >> shift);
}

/* Of a huge page that goes only in part. */
static bool clear_part(struct mw_object *o, uint64_t start, uint64_t end)
{
    return o->level == 1 || !o->frames || object_clear(o, start, end);
}

bool discard_content(struct mw_space *s, const struct mw_vma *v, struct mw_range at)
{
    const uint32_t shift = frame_shift_of(s->cfg.page_shift, vma_level(v));
    const uint64_t page = 1ull << shift, start = v->offset + (at.start - v->start), end = start + (at.end - at.start);
    const struct mw_range whole = { (start + page - 1) & ~(page - 1), end & ~(page - 1) };

    if (!s->pmap.frames)
        return true;
    return clear_part(v->object, start, min_u64(whole.start, end)) && clear_part(v->object, max_u64(whole.end, whole.start), end) &&
           discard_whole(v->object, whole, shift);
}

bool discard_behind_guards(struct mw_space *s, struct mw_range *at)
{
    if (!s->pmap.frames)
        return true;
    space_flush(s, at->start, at->end);
    for (; at->start < at->end; at->start += page_size(s))
        if (!pmap_guard(&s->pmap, at->start))
            return false;
    return true;
}

void discard_guards(struct mw_space *s, struct mw_range at)
{
    pmap_unguard(&s->pmap, at.start, at.end);
}
