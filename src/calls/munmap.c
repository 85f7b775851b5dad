/* SPDX-License-Identifier: MIT */
/* munmap.c - munmap(2). */
#include "calls/unmap.h"

#include "space/huge.h"
#include "space/mirrors.h"
#include "space/watch.h"
#include "vma/account.h"
#include "vma/edit.h"

int unmap_range(const struct mw_space *s, uint64_t start, uint64_t length, uint64_t *end,
                struct mw_why *why)
{
    struct mw_range at = { start, start };

    if (!aligned(s, start))
        return why_at(why, WHY_addr_unaligned, start, start);
    if (!range_within(start, length, 0, s->cfg.task_size))
        return why_fail(why, WHY_beyond_task_size, at, length, s->cfg.task_size);
    if (!length)
        return why_at(why, WHY_length_zero, start, start);
    *end = start + round_up(s, length);
    return 0;
}

/* Would cutting `v` at `at` cut what can't be cut at all? */
static bool cuts_whole(const struct mw_space *s, const struct mw_vma *v, uint64_t at)
{
    return v->object && (mw_object_flags(v->object) & (MW_OBJ_WHOLE | MW_OBJ_UNCUT)) &&
           at > v->start && at < v->end && space_has(s, ROW_SPECIAL_UNCUT);
}

int unmap_cuts(const struct mw_space *s, const struct mw_vma *v, uint64_t start, uint64_t end,
               struct mw_why *why)
{
    if (!v->object && !(v->flags & MW_VM_HUGETLB))
        return 0;
    if (vma_cuts_page(s, v, start))
        return why_at(why, WHY_huge_split, start, start);
    if (vma_cuts_page(s, v, end))
        return why_at(why, WHY_huge_split, end, end);
    if (cuts_whole(s, v, start) || cuts_whole(s, v, end))
        return why_at(why, WHY_uncut, v->start, v->end);
    return 0;
}

int unmap_cut_piece(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                    struct mw_why *why)
{
    int err = unmap_cuts(s, v, at.start, at.end, why);
    bool starts;

    if (!err)
        return 0;
    starts = at.start > v->start && !unmap_cuts(s, v, at.start, v->end, NULL);
    if (s->tree.count + starts >= s->cfg.max_map_count)
        return 0; /* that, which comes first, says the change itself */
    if (starts)
        edit_split(s, at.start);
    return err;
}

static int decide_one(const struct mw_space *s, const struct mw_vma *v, uint64_t start,
                      uint64_t end, struct mw_why *why)
{
    if (v->flags & MW_VM_SEALED)
        return why_at(why, WHY_sealed, v->start, v->end);
    return unmap_cuts(s, v, start, end, why);
}

int unmap_decide(const struct mw_space *s, uint64_t start, uint64_t end, struct account_sum *sum,
                 struct mw_why *why)
{
    struct account_sum all = { 0 };
    struct cursor c = tree_find(&s->tree, start);
    const struct mw_vma *v = tree_at(c);

    if (v && v->start < start && end < v->end && s->tree.count >= s->cfg.max_map_count)
        return why_fail(why, WHY_unmap_splits, (struct mw_range){ v->start, v->end },
                        s->tree.count, s->cfg.max_map_count);
    for (; c.leaf && tree_at(c)->start < end; c = tree_next(c)) {
        uint64_t n;
        int err;

        v = tree_at(c);
        err = decide_one(s, v, start, end, why);
        if (err)
            return err;
        n = to_pages(s, min_u64(v->end, end) - max_u64(v->start, start));
        all.pages += n;
        all.data += account_is_data(v->flags) ? n : 0;
        all.charged += v->flags & MW_VM_ACCOUNT ? n : 0;
        all.locked += v->flags & MW_VM_LOCKED ? n : 0;
    }
    if (sum)
        *sum = all;
    return 0;
}

int unmap_refused(struct mw_space *s, uint64_t start, int err)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, start));

    if (err == -MW_ENOMEM || (err != -MW_EINVAL && !space_has(s, ROW_REFUSED_LEAVES_CUT)))
        return err; /* what can't be cut is found by cutting, on every version */
    if (v && v->start < start && !(v->flags & MW_VM_SEALED) && !vma_cuts_page(s, v, start) &&
        !cuts_whole(s, v, start) &&
        tree_reserve(&s->tree, EDIT_SPLIT))
        edit_split(s, start);
    return err;
}

void unmap_abandoned(struct mw_space *s, uint64_t start, uint64_t end)
{
    if (!space_has(s, ROW_REFUSED_LEAVES_CUT) || !tree_reserve(&s->tree, 2 * EDIT_SPLIT))
        return;
    edit_split(s, start);
    edit_split(s, end);
}

int unmap_reserve(struct mw_space *s, uint64_t start, uint64_t end, struct mw_why *why)
{
    return pmap_own(&s->pmap, start, end, PMAP_ENDS) ? 0 : why_plain(why, WHY_no_memory);
}

void unmap_silently(struct mw_space *s, uint64_t start, uint64_t end)
{
    if (s->huge)
        huge_unpromise(s, start, end);
    pmap_zap(&s->pmap, start, end);
    if (s->mirrored && s->pmap.frames)
        mirrors_trim(s, start, end);
    edit_remove(s, start, end);
    space_flush(s, start, end);
}

void unmap_commit(struct mw_space *s, uint64_t start, uint64_t end)
{
    watch_tell_unmap(s, start, end);
    unmap_silently(s, start, end);
}

static int64_t do_munmap(struct mw_space *s, uint64_t addr, uint64_t length, struct mw_why *why)
{
    uint64_t end;
    int err = unmap_range(s, addr, length, &end, why);

    if (err)
        return err;
    err = unmap_decide(s, addr, end, NULL, why);
    if (err)
        return unmap_refused(s, addr, err);
    err = space_reserve(s, EDIT_REMOVE, why);
    if (!err)
        err = unmap_reserve(s, addr, end, why);
    if (!err)
        unmap_commit(s, addr, end);
    return err;
}

int64_t mw_munmap(struct mw_space *s, uint64_t addr, uint64_t length, struct mw_why *why)
{
    int64_t r;

    why_clear(why);
    space_enter(s);
    r = do_munmap(s, addr, length, why);
    space_leave(s);
    return r;
}
