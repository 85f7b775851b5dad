/* SPDX-License-Identifier: MIT */
/*
 * madvise.c - madvise(2).
 *
 * One table says what each advice is: flags of the mapping, or something done
 * to its pages. Linux follows it mapping by mapping, over holes, and says of
 * them in the end. Rules ADVICE-1..14 and SEAL-6.
 */
#include "calls/advise.h"
#include "calls/unmap.h"
#include "calls/walk.h"
#include "space/discard.h"
#include "space/fault.h"
#include "space/thp.h"
#include "space/watch.h"
#include "vma/account.h"
#include "vma/edit.h"

#define READING (MW_VM_SEQ_READ | MW_VM_RAND_READ)
#define HUGE (MW_VM_HUGEPAGE | MW_VM_NOHUGEPAGE)

/* Memory that the kernel never looks through for equal pages. */
#define NOT_MERGEABLE (SPECIAL | MW_VM_SHARED | MW_VM_MAYSHARE | MW_VM_HUGETLB | MW_VM_DROPPABLE)

/* Flags that Linux keeps above the lower 32. */
#define HIGH_FLAGS (MW_VM_SEALED | MW_VM_DROPPABLE | MW_VM_EXEC_ONLY | MW_VM_PKEY)

enum deed { MARK, NOTHING, AGE, DROP, FREE, REMOVE, POPULATE, GUARD, UNGUARD, COLLAPSE, NOT_MODELLED };

/* Asked for by every Linux. */
#define ALWAYS ROW_COUNT

static const struct advice {
    uint32_t number;
    uint32_t since;      /* a row, or ALWAYS */
    enum deed deed;
    uint64_t clear, set; /* MARK: flags */
    bool discards;       /* what is sealed may be kept from it */
} advices[] = {
    { MW_MADV_NORMAL, ALWAYS, MARK, READING, 0, false },
    { MW_MADV_RANDOM, ALWAYS, MARK, READING, MW_VM_RAND_READ, false },
    { MW_MADV_SEQUENTIAL, ALWAYS, MARK, READING, MW_VM_SEQ_READ, false },
    { MW_MADV_WILLNEED, ALWAYS, NOTHING, 0, 0, false },
    { MW_MADV_DONTNEED, ALWAYS, DROP, 0, 0, true },
    { MW_MADV_FREE, ROW_MADV_FREE, FREE, 0, 0, true },
    { MW_MADV_REMOVE, ALWAYS, REMOVE, 0, 0, true },
    { MW_MADV_DONTFORK, ALWAYS, MARK, 0, MW_VM_DONTCOPY, true },
    { MW_MADV_DOFORK, ALWAYS, MARK, MW_VM_DONTCOPY, 0, false },
    { MW_MADV_MERGEABLE, ALWAYS, MARK, 0, MW_VM_MERGEABLE, false },
    { MW_MADV_UNMERGEABLE, ALWAYS, MARK, MW_VM_MERGEABLE, 0, false },
    { MW_MADV_HUGEPAGE, ALWAYS, MARK, HUGE, MW_VM_HUGEPAGE, false },
    { MW_MADV_NOHUGEPAGE, ALWAYS, MARK, HUGE, MW_VM_NOHUGEPAGE, false },
    { MW_MADV_DONTDUMP, ALWAYS, MARK, 0, MW_VM_DONTDUMP, false },
    { MW_MADV_DODUMP, ALWAYS, MARK, MW_VM_DONTDUMP, 0, false },
    { MW_MADV_WIPEONFORK, ROW_MADV_WIPEONFORK, MARK, 0, MW_VM_WIPEONFORK, true },
    { MW_MADV_KEEPONFORK, ROW_MADV_WIPEONFORK, MARK, MW_VM_WIPEONFORK, 0, false },
    { MW_MADV_COLD, ROW_MADV_COLD, AGE, 0, 0, false },
    { MW_MADV_PAGEOUT, ROW_MADV_COLD, AGE, 0, 0, false },
    { MW_MADV_POPULATE_READ, ROW_MADV_POPULATE, POPULATE, 0, 0, false },
    { MW_MADV_POPULATE_WRITE, ROW_MADV_POPULATE, POPULATE, 0, 0, false },
    { MW_MADV_DONTNEED_LOCKED, ROW_MADV_DONTNEED_MORE, DROP, 0, 0, true },
    { MW_MADV_COLLAPSE, ROW_MADV_COLLAPSE, COLLAPSE, 0, 0, false },
    { MW_MADV_HWPOISON, ALWAYS, NOT_MODELLED, 0, 0, false },
    { MW_MADV_SOFT_OFFLINE, ALWAYS, NOT_MODELLED, 0, 0, false },
    { MW_MADV_GUARD_INSTALL, ROW_MADV_GUARD, GUARD, 0, 0, true },
    { MW_MADV_GUARD_REMOVE, ROW_MADV_GUARD, UNGUARD, 0, 0, false },
};

/* The advice of this number; NULL: this Linux has none such. */
static const struct advice *advice_of(const struct mw_space *s, uint64_t number)
{
    for (uint32_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        const struct advice *a = &advices[i];

        if (a->number != (uint32_t)number)
            continue;
        if (a->since != ALWAYS && !space_has(s, (enum version_row)a->since))
            return NULL;
        if (((a->set | a->clear) & HUGE || a->number == MW_MADV_COLLAPSE) &&
            !(s->cfg.options & MW_OPT_THP))
            return NULL;
        return a;
    }
    return NULL;
}

static int unknown(uint64_t advice, struct mw_why *why)
{
    return why_amount(why, WHY_advice_unknown, advice, 0);
}

int advice_check(const struct mw_space *s, uint64_t advice, struct mw_why *why)
{
    return advice_of(s, advice) ? 0 : unknown(advice, why);
}

/* ---- decide, mapping by mapping ------------------------------------------------------ */

static int refuse(const struct mw_vma *v, enum reason reason, struct mw_why *why)
{
    return why_at(why, reason, v->start, v->end);
}

/* Flags that a mapping of this kind can't be given, or lose. */
static bool mark_refused(const struct mw_space *s, const struct mw_vma *v, const struct advice *a)
{
    switch (a->number) {
    case MW_MADV_DOFORK:
        return v->flags & (space_has(s, ROW_DOFORK_NOT_SPECIAL) ? SPECIAL : MW_VM_IO);
    case MW_MADV_WIPEONFORK:
        return v->object || (v->flags & MW_VM_SHARED);
    case MW_MADV_KEEPONFORK:
        return v->flags & MW_VM_DROPPABLE;
    case MW_MADV_DODUMP:
        return (v->flags & MW_VM_DROPPABLE) ||
               (!(v->flags & MW_VM_HUGETLB) && (v->flags & SPECIAL));
    default:
        return false;
    }
}

static int mark(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                const struct advice *a, struct mw_why *why)
{
    uint64_t flags = (v->flags & ~a->clear) | a->set;
    bool rekeyed;
    int err;

    if (mark_refused(s, v, a))
        return refuse(v, WHY_advice_kind, why);
    if (a->number == MW_MADV_MERGEABLE && (v->flags & NOT_MERGEABLE))
        return 0;
    if (flags == v->flags)
        return 0;
    if (a->number == MW_MADV_UNMERGEABLE && space_has(s, ROW_UNMERGEABLE_UNSEALS))
        flags &= ~HIGH_FLAGS;
    rekeyed = (flags ^ v->flags) & (MW_VM_EXEC_ONLY | MW_VM_PKEY);
    if (rekeyed && !pmap_own(&s->pmap, at.start, at.end, 0))
        return why_plain(why, WHY_no_memory);
    err = unmap_cut_piece(s, v, at, why);
    if (err)
        return err;
    if (!edit_modify(s, at.start, at.end, flags, true))
        return why_fail(why, space_has(s, ROW_ADVICE_CUT_AGAIN) ? WHY_advice_split : WHY_advice_split_nomem,
                        at, s->tree.count, s->cfg.max_map_count);
    if (rekeyed) {
        pmap_protect(&s->pmap, at.start, at.end, flags);
        space_flush(s, at.start, at.end);
    }
    return 0;
}

/* ---- pages ----------------------------------------------------------------------------- */

/* What can be dropped, aged, freed; huge pages only by DROP. */
static int check_pages(const struct mw_space *s, const struct mw_vma *v, const struct advice *a,
                       struct mw_why *why)
{
    bool huge = a->deed == DROP && space_has(s, ROW_MADV_DONTNEED_MORE);

    if ((v->flags & MW_VM_LOCKED) && a->number != MW_MADV_DONTNEED_LOCKED)
        return refuse(v, WHY_advice_locked, why);
    if ((v->flags & MW_VM_PFNMAP) || (!huge && (v->flags & MW_VM_HUGETLB)))
        return refuse(v, WHY_advice_kind, why);
    return 0;
}

static int drop(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                const struct advice *a, struct mw_why *why)
{
    int err = check_pages(s, v, a, why);

    if (err)
        return err;
    if (a->deed == FREE) {
        watch_tell_remove(s, v->flags, at);
        if (!is_anonymous(v))
            return refuse(v, WHY_advice_kind, why);
        if (s->pool.guarded) /* there may be marks at all */
            pmap_drop(&s->pmap, at.start, at.end, DROP_POISON);
        return 0;
    }
    if (vma_cuts_page(s, v, at.start))
        return why_at(why, WHY_huge_split, at.start, at.start);
    at.end -= (at.end - v->start) & (vma_page(s, v) - 1);
    if (at.start >= at.end)
        return 0;
    watch_tell_remove(s, v->flags, at);
    return discard_pages(s, v, at)
               ? 0
               : why_at(why, WHY_advice_no_page, at.start, at.end);
}

static int remove_pages(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                        struct mw_why *why)
{
    const uint64_t need = MW_VM_SHARED |
                          (space_has(s, ROW_REMOVE_MAY_WRITE) ? MW_VM_MAYWRITE : MW_VM_WRITE);
    uint64_t offset = v->offset + (at.start - v->start);

    if (v->flags & MW_VM_LOCKED)
        return refuse(v, WHY_advice_locked, why);
    if (!v->object || (v->flags & (MW_VM_MIRRORED | MW_VM_IO)))
        return refuse(v, WHY_advice_kind, why);
    if ((v->flags & need) != need)
        return refuse(v, WHY_advice_not_shared, why);
    if (offset > INT64_MAX) /* signed to Linux */
        return why_amount(why, WHY_advice_offset, offset, 0);
    if (at.end - at.start > INT64_MAX - offset)
        return why_amount(why, WHY_advice_too_far, offset + (at.end - at.start), INT64_MAX);
    watch_tell_remove(s, v->flags, at);
    return discard_content(s, v, at) ? 0 : why_at(why, WHY_advice_no_page, at.start, at.end);
}

static int populate(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                    const struct advice *a, struct mw_why *why)
{
    bool write = a->number == MW_MADV_POPULATE_WRITE;

    if ((v->flags & (MW_VM_IO | MW_VM_PFNMAP)) || !(v->flags & (write ? MW_VM_WRITE : MW_VM_READ)))
        return refuse(v, WHY_populate_access, why);
    switch (fault_pages(s, &at.start, at.end, write ? MW_ACCESS_WRITE : MW_ACCESS_READ)) {
    case MW_FAULT_OK:
        return 0;
    case MW_FAULT_OOM:
        return why_at(why, WHY_advice_no_page, at.start, at.start);
    case MW_FAULT_WATCHED:
        return why_at(why, WHY_watch_waits, at.start, at.start);
    case MW_FAULT_BUS_MCEERR:
        return why_at(why, WHY_populate_poison, at.start, at.start);
    default:
        return why_at(why, WHY_populate_fault, at.start, at.start);
    }
}

static int guard(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                 const struct advice *a, struct mw_why *why)
{
    bool any = space_has(s, ROW_GUARD_ANY);

    if ((v->flags & (SPECIAL | MW_VM_HUGETLB | MW_VM_MIRRORED)) || !(any || is_anonymous(v)))
        return refuse(v, WHY_advice_kind, why);
    if (a->deed == UNGUARD) {
        discard_guards(s, at);
        return 0;
    }
    if (v->flags & MW_VM_LOCKED)
        return refuse(v, WHY_advice_locked, why);
    if (is_anonymous(v) || space_has(s, ROW_GUARD_TOUCHES_FILES))
        edit_identify(s, tree_find(&s->tree, at.start));
    return discard_behind_guards(s, &at) ? 0 : why_at(why, WHY_advice_no_page, at.start, at.end);
}

/* ---- the call --------------------------------------------------------------------------- */

static bool is_sealed(const struct mw_vma *v, const struct advice *a)
{
    return a->discards && (v->flags & MW_VM_SEALED) && is_anonymous(v) && !(v->flags & MW_VM_WRITE);
}

static int follow(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                  struct mw_why *why)
{
    const struct advice *a = ctx;

    if (is_sealed(v, a))
        return refuse(v, WHY_sealed, why);
    switch (a->deed) {
    case MARK:
        return mark(s, v, at, a, why);
    case AGE:
        return check_pages(s, v, a, why);
    case DROP:
    case FREE:
        return drop(s, v, at, a, why);
    case REMOVE:
        return remove_pages(s, v, at, why);
    case POPULATE:
        return populate(s, v, at, a, why);
    case GUARD:
    case UNGUARD:
        return guard(s, v, at, a, why);
    case COLLAPSE:
        return thp_collapse(s, v, at, why);
    case NOTHING:
        return 0;
    default:
        return why_plain(why, WHY_not_modelled);
    }
}

static int check_arguments(const struct mw_space *s, uint64_t addr, uint64_t length,
                           uint64_t advice, struct mw_range *at, const struct advice **a,
                           struct mw_why *why)
{
    *at = (struct mw_range){ addr, addr + round_up(s, length) };
    *a = advice_of(s, advice);
    if (!*a)
        return unknown(advice, why);
    if (!aligned(s, addr))
        return why_at(why, WHY_addr_unaligned, addr, addr);
    if ((length && !round_up(s, length)) || at->end < addr)
        return why_fail(why, WHY_advice_wraps, (struct mw_range){ addr, addr }, length, 0);
    return 0;
}

int advise_range(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t advice,
                 struct mw_why *why)
{
    const struct advice *a;
    struct mw_range at;
    int err = check_arguments(s, addr, length, advice, &at, &a, why);

    if (!err && at.start < at.end) {
        bool stops = a->deed == POPULATE && space_has(s, ROW_POPULATE_STOPS);
        struct walk w = { .step = follow, .ctx = (void *)(uintptr_t)a, .stops = stops,
                          .hole = stops ? WHY_populate_hole : WHY_advice_hole };

        err = a->deed == MARK ? space_reserve(s, 2 * EDIT_SPLIT, why) : 0;
        if (!err)
            err = walk_range(s, at, &w, why);
    }
    return err;
}

int64_t mw_madvise(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t advice,
                   struct mw_why *why)
{
    int err;

    why_clear(why);
    space_enter(s);
    err = advise_range(s, addr, length, advice, why);
    space_leave(s);
    return err;
}
