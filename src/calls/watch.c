/* SPDX-License-Identifier: MIT */
/*
 * watch.c - userfaultfd(2) itself: watchers, and which ranges they watch.
 *
 * A registration is a change of flags, mapping by mapping, so cuts and merges
 * are those of any such change. Rules WATCH-1..5 in SPEC.md.
 */
#include "calls/unmap.h"
#include "calls/walk.h"
#include "space/watch.h"
#include "vma/account.h"
#include "vma/edit.h"

int mw_watch_create(struct mw_space *s, uint64_t features, mw_watch_event_fn *event, void *ctx,
                    struct mw_watcher **out, struct mw_why *why)
{
    int err = 0;

    why_clear(why);
    space_enter(s);
    if (features & ~version_watch_features(s->cfg.linux_version)) {
        err = why_amount(why, WHY_watch_features, features, 0);
    } else {
        if (features & MW_UFFD_FEATURE_WP_ASYNC)
            features |= MW_UFFD_FEATURE_WP_UNPOPULATED;
        *out = watch_new(s, features, event, ctx);
        err = *out ? 0 : why_plain(why, WHY_no_memory);
    }
    space_leave(s);
    return err;
}

void mw_watch_set_ctx(struct mw_watcher *w, void *ctx) { w->ctx = ctx; }
void *mw_watch_ctx(const struct mw_watcher *w) { return w->ctx; }

/* ---- arguments ---------------------------------------------------------------------- */

static int check_range(const struct mw_space *s, uint64_t addr, uint64_t length, struct mw_why *why)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, addr));
    struct mw_range at = { addr, addr };

    if (!aligned(s, addr | length) || !length || !range_within(addr, length, 0, s->cfg.task_size))
        return why_fail(why, WHY_watch_range, at, length, 0);
    if (!v || v->start >= addr + length)
        return why_at(why, WHY_watch_unmapped, addr, addr + length);
    if ((v->flags & MW_VM_HUGETLB) && (addr & (vma_page(s, v) - 1)))
        return why_at(why, WHY_watch_huge, addr, addr);
    return 0;
}

/* Which modes of watching suit a mapping at all? */
static bool can_watch(const struct mw_watcher *w, const struct mw_vma *v, uint64_t modes)
{
    const uint64_t known = version_watch_features(w->space->cfg.linux_version);
    bool held = (v->flags & MW_VM_HUGETLB) ||
                (v->object && !is_anonymous(v) && (mw_object_flags(v->object) & MW_OBJ_SHMEM));
    uint64_t minor = v->flags & MW_VM_HUGETLB ? MW_UFFD_FEATURE_MINOR_HUGETLBFS : MW_UFFD_FEATURE_MINOR_SHMEM;

    if ((v->flags & MW_VM_MIRRORED) ||
        ((v->flags & MW_VM_DROPPABLE) && space_has(w->space, ROW_WATCH_STRICTER)))
        return false;
    if (modes == MW_VM_UFFD_WP && (w->features & MW_UFFD_FEATURE_WP_ASYNC) && !(v->flags & SPECIAL))
        return true;
    if (!held)
        return is_anonymous(v) && !(v->flags & SPECIAL) && !(modes & MW_VM_UFFD_MINOR);
    return (!(modes & MW_VM_UFFD_MINOR) || (known & minor)) &&
           (!(modes & MW_VM_UFFD_WP) || (known & MW_UFFD_FEATURE_WP_HUGETLBFS_SHMEM)) &&
           (known & MW_UFFD_FEATURE_MISSING_SHMEM);
}

/* ---- register ------------------------------------------------------------------------ */

static int check_one(const struct mw_watcher *w, const struct mw_vma *v, uint64_t end,
                     uint64_t modes, struct mw_why *why)
{
    if (!can_watch(w, v, modes))
        return why_at(why, WHY_watch_kind, v->start, v->end);
    if ((v->flags & (MW_VM_MAYSHARE | MW_VM_MAYWRITE)) == MW_VM_MAYSHARE)
        return why_at(why, WHY_watch_not_writable, v->start, v->end);
    if ((v->flags & MW_VM_HUGETLB) && vma_cuts_page(w->space, v, end))
        return why_at(why, WHY_watch_huge, end, end);
    if ((v->flags & MW_VM_UFFD) && (v->flags & WATCH_OWN & ~WATCH_MODES) != w->id)
        return why_at(why, WHY_watch_other, v->start, v->end);
    return 0;
}

static int check_all(const struct mw_watcher *w, struct mw_range at, uint64_t modes,
                     uint64_t *calls, struct mw_why *why)
{
    struct mw_space *s = w->space;
    const uint64_t features = version_watch_features(s->cfg.linux_version);
    const uint64_t small = 1u << MW_UFFD_ZEROPAGE |
                           (features & MW_UFFD_FEATURE_MOVE ? 1u << MW_UFFD_MOVE : 0);
    int err = 0;

    *calls = small | 1u << MW_UFFD_WAKE | 1u << MW_UFFD_COPY |
             (features & MW_UFFD_FEATURE_POISON ? 1u << MW_UFFD_POISON : 0) |
             (modes & MW_VM_UFFD_WP ? 1u << MW_UFFD_WRITEPROTECT : 0) |
             (modes & MW_VM_UFFD_MINOR ? 1u << MW_UFFD_CONTINUE : 0);
    for (struct cursor c = tree_find(&s->tree, at.start);
         !err && c.leaf && tree_at(c)->start < at.end; c = tree_next(c)) {
        err = check_one(w, tree_at(c), at.end, modes, why);
        if (tree_at(c)->flags & MW_VM_HUGETLB)
            *calls &= ~small;
    }
    return err;
}

/* Gives part of one mapping, `v`, other flags. */
static int set_flags(struct mw_space *s, const struct mw_vma *v, struct mw_range at, uint64_t flags,
                     struct mw_why *why)
{
    bool apart = at.start > v->start && !space_has(s, ROW_WATCH_CUT_MERGES);

    if (apart ? edit_modify_apart(s, at.start, at.end, flags)
              : edit_modify(s, at.start, at.end, flags, true))
        return 0;
    return why_fail(why, WHY_watch_split, at, s->tree.count, s->cfg.max_map_count);
}

/* A step of walk_range: what is to be watched, and by whom. */
static int watch_one(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                     struct mw_why *why)
{
    uint64_t want = *(const uint64_t *)ctx;

    if ((v->flags & want) == want)
        return 0;
    if (!pmap_own(&s->pmap, at.start, at.end, 0)) /* so that protecting needs no memory */
        return why_plain(why, WHY_no_memory);
    return set_flags(s, v, at, (v->flags & ~WATCH_FLAGS) | want, why);
}

/* From mapping to mapping; holes are fine. */
static int apply(struct mw_space *s, struct mw_range at, walk_step *step, uint64_t ctx,
                 struct mw_why *why)
{
    struct walk w = { .step = step, .ctx = &ctx, .hole = WHY_none };
    int err = space_reserve(s, 2 * EDIT_MODIFY, why);

    if (!err)
        err = walk_range(s, at, &w, why);
    if (!err)
        why_clear(why); /* of holes */
    return err;
}

/* The modes as flags of a VMA. */
static uint64_t modes_of(uint64_t mode)
{
    return (mode & MW_UFFD_MODE_MISSING ? MW_VM_UFFD_MISSING : 0) |
           (mode & MW_UFFD_MODE_WP ? MW_VM_UFFD_WP : 0) |
           (mode & MW_UFFD_MODE_MINOR ? MW_VM_UFFD_MINOR : 0);
}

static int do_register(struct mw_watcher *w, uint64_t addr, uint64_t length, uint64_t mode,
                       uint64_t *calls, struct mw_why *why)
{
    struct mw_range at = { addr, addr + length };
    uint64_t modes = modes_of(mode);
    int err;

    if (!mode || (mode & ~(uint64_t)version_watch_modes(w->space->cfg.linux_version)))
        return why_amount(why, WHY_watch_mode, mode, 0);
    err = check_range(w->space, addr, length, why);
    if (!err)
        err = check_all(w, at, modes, calls, why);
    return err ? err : apply(w->space, at, watch_one, MW_VM_UFFD | w->id | modes, why);
}

int64_t mw_watch_register(struct mw_watcher *w, uint64_t addr, uint64_t length, uint64_t mode,
                          uint64_t *calls, struct mw_why *why)
{
    uint64_t unused;
    int err;

    why_clear(why);
    space_enter(w->space);
    err = do_register(w, addr, length, mode, calls ? calls : &unused, why);
    space_leave(w->space);
    return err;
}

/* ---- unregister ---------------------------------------------------------------------- */

static int check_unwatch(const struct mw_watcher *w, struct mw_range at, struct mw_why *why)
{
    const struct mw_space *s = w->space;

    for (struct cursor c = tree_find(&s->tree, at.start); c.leaf && tree_at(c)->start < at.end;
         c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if (!can_watch(w, v, v->flags & WATCH_MODES))
            return why_at(why, WHY_watch_kind, v->start, v->end);
        if (space_has(s, ROW_WATCH_STRICTER) && (v->flags & WATCH_OWN) && (v->flags & WATCH_OWN & ~WATCH_MODES) != w->id)
            return why_at(why, WHY_unwatch_other, v->start, v->end);
    }
    return 0;
}

/* A step of walk_range: `ctx` is whose watch ends, 0: anybody's. */
static int unwatch_one(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                       struct mw_why *why)
{
    uint64_t whose = *(const uint64_t *)ctx;
    uint64_t page = vma_page(s, v), whole = (at.end + page - 1) & ~(page - 1);
    int err;

    if (!(v->flags & WATCH_OWN) || (whose && (v->flags & WATCH_OWN & ~WATCH_MODES) != whose))
        return 0;
    if (v->flags & MW_VM_UFFD_WP) { /* even if the cut is then refused */
        pmap_watch(&s->pmap, at.start, whole, false);
        space_flush(s, at.start, whole);
    }
    err = unmap_cut_piece(s, v, at, why);
    return err ? err : set_flags(s, v, at, v->flags & ~WATCH_FLAGS, why);
}

int64_t mw_watch_unregister(struct mw_watcher *w, uint64_t addr, uint64_t length, struct mw_why *why)
{
    struct mw_range at = { addr, addr + length };
    int err;

    why_clear(why);
    space_enter(w->space);
    err = check_range(w->space, addr, length, why);
    if (!err)
        err = check_unwatch(w, at, why);
    if (!err)
        err = apply(w->space, at, unwatch_one, 0, why);
    space_leave(w->space);
    return err;
}

void mw_watch_destroy(struct mw_watcher *w)
{
    struct mw_space *s = w->space;
    struct walk walk = { .step = unwatch_one, .ctx = &w->id, .hole = WHY_none };

    space_enter(s);
    walk_range(s, (struct mw_range){ 0, s->cfg.task_size }, &walk, NULL); /* whole mappings: no cuts */
    watch_free(w);
    space_leave(s);
}
