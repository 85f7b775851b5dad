/* SPDX-License-Identifier: MIT */
/*
 * remap_file_pages.c - remap_file_pages(2), as it is since Linux 4.0: mmap of
 * other pages of the same file over what is there. Rules REMAPF-1..8.
 */
#include "calls/map.h"

#include "vma/edit.h"

/* What may differ between mappings that are remapped as one: Linux keeps it beside the flags. */
#define NO_FLAGS (MW_VM_NAME | MW_VM_LABEL | VMA_WATCHER)

static int check_arguments(const struct mw_space *s, struct mw_range at, uint64_t prot, uint64_t index,
                           struct mw_why *why)
{
    if (!space_has(s, ROW_REMAP_FILE_MAPS))
        return why_plain(why, WHY_not_modelled);
    if (prot)
        return why_amount(why, WHY_remapf_prot, prot, 0);
    if (at.end <= at.start)
        return why_fail(why, WHY_remapf_empty, (struct mw_range){ at.start, at.start },
                        at.end - at.start, 0);
    if (index + to_pages(s, at.end - at.start) < index)
        return why_amount(why, WHY_remapf_index, index, 0);
    return 0;
}

/* Of one opening of a file, with the same flags: a segment is opened by each attachment. */
static bool are_alike(const struct mw_vma *a, const struct mw_vma *b)
{
    return a->object == b->object && !((a->flags ^ b->flags) & ~NO_FLAGS) &&
           (!is_segment(a) || a->anon == b->anon);
}

/* All of the range must be mapped from one file, shared. `*first`: the mapping that ends above its start. */
static int check_mapped(const struct mw_space *s, struct mw_range at, const struct mw_vma *first,
                        struct mw_why *why)
{
    uint64_t next = at.start;

    for (struct cursor c = tree_find(&s->tree, at.start); next < at.end; c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if (!v || v->start > next)
            return why_at(why, WHY_remapf_hole, next, next);
        if (!(v->flags & MW_VM_SHARED))
            return why_at(why, WHY_remapf_private, v->start, v->end);
        if (!are_alike(first, v))
            return why_at(why, WHY_remapf_differs, v->start, v->end);
        next = v->end;
    }
    /* mmap would round it; LIMIT-2 is asked before */
    if (((at.end - at.start) & (vma_page(s, first) - 1)) && s->tree.count <= s->cfg.max_map_count)
        return why_amount(why, WHY_remapf_huge, at.end - at.start, vma_page(s, first));
    return 0;
}

/* The protection and the lock stay; no other flag does. */
static int64_t map_over(struct mw_space *s, struct mw_range at, const struct mw_vma *v, uint64_t index,
                        uint64_t flags, struct mw_why *why)
{
    const struct mw_file file = { v->object, MW_FILE_READ | MW_FILE_WRITE |
                                                 (v->flags & MW_VM_MAYEXEC ? 0 : MW_FILE_NOEXEC) };
    const uint64_t most = to_pages(s, UINT64_MAX);
    struct map_args a = { .addr = at.start, .length = at.end - at.start,
                          .offset = min_u64(index, most) << s->cfg.page_shift, /* or beyond every file */
                          .prot = v->flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC),
                          .flags = MW_MAP_SHARED | MW_MAP_FIXED | MW_MAP_POPULATE |
                                   (flags & MW_MAP_NONBLOCK) |
                                   (v->flags & MW_VM_LOCKED ? MW_MAP_LOCKED : 0),
                          .file = &file, .attachment = is_segment(v) ? v->anon : 0, .silent = true };
    int64_t r = map_file(s, &a, why);

    return r == (int64_t)at.start ? 0 : r;
}

static int64_t remap(struct mw_space *s, struct mw_range at, uint64_t prot, uint64_t index,
                     uint64_t flags, struct mw_why *why)
{
    int err = check_arguments(s, at, prot, index, why);
    const struct mw_vma *v = tree_at(tree_find(&s->tree, at.start));
    struct mw_vma first;

    if (!err && !v)
        err = why_at(why, WHY_remapf_hole, at.start, at.start);
    if (err)
        return err;
    first = *v; /* it goes */
    err = check_mapped(s, at, &first, why);
    return err ? err : map_over(s, at, &first, index, flags, why);
}

int64_t mw_remap_file_pages(struct mw_space *s, uint64_t addr, uint64_t size, uint64_t prot,
                            uint64_t index, uint64_t flags, struct mw_why *why)
{
    uint64_t start = page_down(addr, s->cfg.page_shift);
    struct mw_range at = { start, start + page_down(size, s->cfg.page_shift) };
    int64_t r;

    why_clear(why);
    space_enter(s);
    r = remap(s, at, prot, index, flags, why);
    space_leave(s);
    return r;
}
