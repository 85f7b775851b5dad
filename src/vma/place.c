/* SPDX-License-Identifier: MIT */
/* place.c - the kernel's choice of addresses. */
#include "vma/place.h"

#define LOW32_START 0x40000000ull
#define LOW32_END 0x80000000ull

/* Is [addr, addr + length) free, guard gaps included? */
static bool is_free(const struct mw_space *s, uint64_t addr, uint64_t length)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, addr));

    return !v || addr + length <= room_end(s, v);
}

/* A hint counts where it lies within user space and room. */
static bool hint_taken(const struct mw_space *s, uint64_t hint, uint64_t length)
{
    return hint && range_within(hint, length, 0, s->cfg.task_size) &&
           is_free(s, hint, length);
}

/* The growing stack above `gap` whose guard reaches into it; NULL: none. */
static const struct mw_vma *guarded(const struct mw_space *s, struct mw_range gap)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, gap.end));

    return v && room_end(s, v) < gap.end ? v : NULL;
}

/*
 * The highest room in [low, high). A gap that is long enough but for a stack's
 * guard makes the search go on below that guard, whatever lies within it.
 */
static uint64_t room_high(const struct mw_space *s, uint64_t low, uint64_t high, uint64_t length)
{
    const struct mw_vma *stack;
    struct mw_range gap;

    while (tree_gap_high(&s->tree, low, high, length, &gap)) {
        stack = guarded(s, gap);
        if (!stack)
            return gap.end - length;
        high = room_end(s, stack);
        if (space_has(s, ROW_GUARD_IS_PASSED))
            continue;
        if (high >= add_ceil(gap.start, length))
            return high - length;
        high = gap.start; /* of what lies within the guard, the rooms count as others do */
    }
    return 0;
}

/* The lowest, going on above a stack whose guard is in the way. */
static uint64_t room_low(const struct mw_space *s, uint64_t low, uint64_t high, uint64_t length)
{
    const struct mw_vma *stack;
    struct mw_range gap;

    while (tree_gap_low(&s->tree, low, high, length, &gap)) {
        stack = guarded(s, gap);
        if (!stack || gap.start + length <= room_end(s, stack))
            return gap.start;
        low = stack->end;
    }
    return 0;
}

static uint64_t search_up(const struct mw_space *s, const struct place *p)
{
    bool legacy = s->cfg.options & MW_OPT_BOTTOM_UP;
    struct mw_range window = { legacy ? s->cfg.mmap_base : s->cfg.low_base, s->cfg.task_size };

    if (p->flags & MW_MAP_32BIT)
        window = (struct mw_range){ LOW32_START, LOW32_END };
    if (hint_taken(s, p->hint, p->length) && p->hint + p->length <= window.end)
        return p->hint;
    return room_low(s, window.start, window.end, p->length);
}

/* Top-down from mmap_base; where that finds nothing, bottom-up over all. 0: no room. */
static uint64_t search(const struct mw_space *s, const struct place *p)
{
    uint64_t at;

    if ((p->flags & MW_MAP_32BIT) || (s->cfg.options & MW_OPT_BOTTOM_UP))
        return search_up(s, p);
    if (hint_taken(s, p->hint, p->length))
        return p->hint;
    at = room_high(s, page_size(s), s->cfg.mmap_base, p->length);
    return at ? at : search_up(s, p);
}

/* Is this mapping one that is placed by huge pages? */
static bool wants_huge(const struct mw_space *s, const struct place *p)
{
    if (!(s->cfg.options & MW_OPT_THP) || !space_has(s, ROW_PLACE_HUGE_ALIGNED))
        return false;
    if (p->object)
        return (mw_object_flags(p->object) & MW_OBJ_THP_PLACE) != 0;
    if (p->flags & MW_MAP_SHARED) /* shared memory has huge pages only where mounted so */
        return false;
    if (space_has(s, ROW_PLACE_HUGE_ANY_LENGTH))
        return true;
    return !p->hint && (p->length & (MW_HUGE_SIZE - 1)) == 0;
}

/*
 * Room for a huge page more than needed, and in it the place where address and
 * file offset are congruent modulo the huge page. 0: do without.
 */
static uint64_t search_huge(const struct mw_space *s, const struct place *p)
{
    uint64_t first_huge = (p->offset + MW_HUGE_SIZE - 1) & ~(MW_HUGE_SIZE - 1);
    uint64_t end = p->offset + p->length;
    struct place padded = *p;
    uint64_t at, shift;

    /* a device's offsets reach 2^64: which comes first Linux asks of them as signed numbers */
    if ((int64_t)end <= (int64_t)first_huge || end - first_huge < MW_HUGE_SIZE)
        return 0;
    padded.length += MW_HUGE_SIZE;
    if (p->offset + padded.length < p->offset) /* what it is padded by counts as its offsets too */
        return 0;
    at = search(s, &padded);
    if (!at || at == p->hint)
        return at;
    shift = (p->offset - at) & (MW_HUGE_SIZE - 1);
    if (!shift && !(s->cfg.options & MW_OPT_BOTTOM_UP))
        return at + MW_HUGE_SIZE;
    return at + shift;
}

/* The last page of addresses, less a byte, is how the kernel tells errors from addresses. */
static int64_t taken_for_errno(uint64_t at, struct mw_why *why)
{
    why_at(why, WHY_fixed_is_error, at, at);
    if (why)
        why->err = -(int32_t)(int64_t)at;
    return (int64_t)at;
}

/*
 * The place of a mapping of huge pages: a hint is rounded up, and the search is
 * for what is long enough wherever the first huge page begins.
 */
static uint64_t search_aligned(const struct mw_space *s, const struct place *p)
{
    struct place padded = *p;
    uint64_t hint = (p->hint + p->align - 1) & ~(p->align - 1), at;

    if (hint_taken(s, hint, p->length))
        return hint;
    padded.hint = 0;
    padded.length += p->align - page_size(s);
    at = padded.length > p->length ? search(s, &padded) : 0;
    return at ? (at + p->align - 1) & ~(p->align - 1) : 0;
}

/* What the object's own placement says, which is asked for fixed addresses too. */
static int64_t place_own(const struct mw_space *s, const struct place *p, struct mw_why *why)
{
    uint64_t task = s->cfg.task_size;
    uint64_t at = (uint64_t)p->object->ops->place(p->object->ctx, s, p->hint, p->length, p->offset,
                                                  p->flags & MW_MAP_FIXED);

    if (at > 0 - (uint64_t)ERRNO_MAX - 1) {
        why_at(why, WHY_place_refused, p->hint, p->hint);
        if (why)
            why->err = -(int32_t)(int64_t)at;
        return (int64_t)at;
    }
    if (at > task - p->length)
        return why_fail(why, WHY_no_room, (struct mw_range){ at, at }, p->length, task);
    if (!aligned(s, at) || (p->align && (at & (p->align - 1))))
        return why_at(why, WHY_addr_unaligned, at, at);
    return (int64_t)at;
}

int64_t place_find(const struct mw_space *s, const struct place *p, struct mw_why *why)
{
    uint64_t at = 0, task = s->cfg.task_size;

    if (p->length > task)
        return why_amount(why, WHY_no_room, p->length, task);
    if (p->object && (mw_object_flags(p->object) & MW_OBJ_NO_ADDRESS) &&
        (p->hint || (p->flags & MW_MAP_FIXED)) && space_has(s, ROW_RING_HAS_NO_ADDRESS))
        return why_at(why, WHY_no_address, p->hint, p->hint);
    if (object_places(p->object)) {
        int64_t own = place_own(s, p, why);

        if (own < 0)
            return own;
        at = (uint64_t)own;
    } else if (p->flags & MW_MAP_FIXED) {
        at = p->hint;
        if (p->align && (at & (p->align - 1)))
            return why_at(why, WHY_addr_unaligned, at, at);
        if (at > 0 - (uint64_t)ERRNO_MAX - 1)
            return taken_for_errno(at, why);
        if (at > task - p->length)
            return why_fail(why, WHY_no_room, (struct mw_range){ at, at }, p->length, task);
        if (!aligned(s, at))
            return why_at(why, WHY_addr_unaligned, at, at);
    } else {
        if (p->align)
            at = search_aligned(s, p);
        else if (wants_huge(s, p))
            at = search_huge(s, p);
        if (!at && !p->align)
            at = search(s, p);
        if (!at)
            return why_amount(why, WHY_no_room, p->length, task);
    }
    if (at < s->cfg.min_addr && !(s->cfg.caps & MW_CAP_SYS_RAWIO))
        return why_fail(why, WHY_below_min_addr, (struct mw_range){ at, at }, 0, s->cfg.min_addr);
    return (int64_t)at;
}

int64_t mw_find_room(const struct mw_space *s, uint64_t hint, uint64_t length, uint64_t align)
{
    struct place p = { .hint = page_down(hint, s->cfg.page_shift), .length = round_up(s, length),
                       .flags = MW_MAP_SHARED, /* (no huge pages' place) */
                       .align = align > page_size(s) ? align : 0 };

    if (!p.length || (align & (align - 1)))
        return -MW_EINVAL;
    return place_find(s, &p, NULL);
}
