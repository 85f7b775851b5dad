/* SPDX-License-Identifier: MIT */
/*
 * mremap.c - mremap(2): resize, move, duplicate, or move and leave behind.
 *
 * A request is decided whole before anything changes: the decision is a plan,
 * and the plan can't fail. Where Linux itself fails after it has cut away the
 * destination or the tail, the plan says so. A move of several mappings is
 * one plan a mapping, in order, as on Linux. Rules MREMAP-1..37 in SPEC.md.
 */
#include "calls/mirror.h"
#include "calls/unmap.h"
#include "space/clone.h"
#include "space/fault.h"
#include "space/huge.h"
#include "space/watch.h"
#include "vma/account.h"
#include "vma/edit.h"
#include "vma/place.h"

#define PLACED (MW_MREMAP_FIXED | MW_MREMAP_DONTUNMAP)
#define EXTENSIONS (MW_MREMAP_MIRROR | MW_MREMAP_RELOCATE | MW_MREMAP_STRICT)
#define LOCKS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)
#define MUST_NOT_GROW (MW_VM_DONTEXPAND | MW_VM_PFNMAP)
#define SPARE_MAPS 3 /* mappings that a move may need for a moment */

enum action {
    STAY,   /* nothing to do */
    SHRINK, /* cut off the tail */
    GROW,   /* in place */
    MOVE    /* or duplicate, or move and leave behind */
};

struct remap {
    uint64_t old, old_size, new, new_size; /* bytes, whole pages */
    uint64_t flags;
    bool reserved;          /* what the commit needs is there already */
    struct mw_vma v;        /* the mapping at `old` */
    /* the plan */
    enum action action;
    bool clear_dest;        /* something is in the way: unmap [new, new + new_size) first, */
    bool cut_tail;          /*   then [old + new_size, old + old_size), */
    int late;               /*   and then fail with this, if not 0 */
    bool refused;           /* what failed is the unmapping of a range */
    uint64_t refused_at;    /*   that starts here */
};

/* How much is moved: what the old range has of the new size. */
static uint64_t kept(const struct remap *r) { return min_u64(r->old_size, r->new_size); }

static bool is_fixed(const struct remap *r) { return r->flags & MW_MREMAP_FIXED; }
static bool leaves_behind(const struct remap *r) { return r->flags & MW_MREMAP_DONTUNMAP; }
static bool is_strict(const struct remap *r) { return r->flags & MW_MREMAP_STRICT; }

/* ---- arguments: one check each, put in order below ------------------------------------- */

static int check_flags(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    uint64_t known = MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED;

    if (space_has(s, ROW_DONTUNMAP))
        known |= MW_MREMAP_DONTUNMAP;
    if (s->cfg.options & MW_OPT_EXTENSIONS)
        known |= EXTENSIONS;
    if (r->flags & ~known)
        return why_amount(why, WHY_mremap_flags, r->flags, 0);
    if ((r->flags & PLACED) && !(r->flags & MW_MREMAP_MAYMOVE))
        return why_amount(why, WHY_mremap_needs_maymove, r->flags, 0);
    if (!aligned(s, r->old))
        return why_at(why, WHY_mremap_old_unaligned, r->old, r->old);
    if ((r->flags & MW_MREMAP_MIRROR) &&
        (r->flags & (MW_MREMAP_MAYMOVE | MW_MREMAP_DONTUNMAP)) != MW_MREMAP_MAYMOVE)
        return why_amount(why, WHY_mirror_flags, r->flags, 0);
    return 0;
}

static int check_equal_sizes(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    (void)s;
    if (leaves_behind(r) && r->old_size != r->new_size)
        return why_amount(why, WHY_mremap_dontunmap_size, r->old_size, r->new_size);
    return 0;
}

static int round_sizes(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    uint64_t new_size = r->new_size;

    r->old_size = round_up(s, r->old_size);
    r->new_size = round_up(s, r->new_size);
    return r->new_size ? 0 : why_amount(why, WHY_mremap_new_size_zero, new_size, 0);
}

static int check_new_size(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    if (r->new_size <= s->cfg.task_size)
        return 0;
    return why_amount(why, WHY_mremap_new_size_huge, r->new_size, s->cfg.task_size);
}

/* The new address counts only where a flag says so. */
static int check_new_alignment(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    if ((r->flags & PLACED) && !aligned(s, r->new))
        return why_at(why, WHY_mremap_new_unaligned, r->new, r->new);
    return 0;
}

static int check_new_range(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    struct mw_range dest = { r->new, r->new + r->new_size };

    if (!(r->flags & PLACED))
        return 0;
    if (r->new_size > s->cfg.task_size || r->new > s->cfg.task_size - r->new_size)
        return why_fail(why, WHY_mremap_new_beyond, dest, r->new_size, s->cfg.task_size);
    if (r->old + r->old_size > dest.start && dest.end > r->old)
        return why_at(why, WHY_mremap_overlap, dest.start, dest.end);
    return 0;
}

/* A move may for a moment need several mappings more. */
static int check_count(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    uint64_t spare = 0;

    if (space_has(s, ROW_MREMAP_COUNT_ALWAYS))
        spare = leaves_behind(r) ? 4 : 3;
    else if (r->flags & PLACED)
        spare = 5;
    if (spare && s->tree.count + spare >= s->cfg.max_map_count)
        return why_amount(why, WHY_mremap_count, s->tree.count, s->cfg.max_map_count);
    return 0;
}

/* ---- what is mapped there ------------------------------------------------------------ */

/* Huge pages: sizes count in them, and addresses must be multiples. */
static int adjust_huge(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    const uint64_t mask = vma_page(s, &r->v) - 1;

    if (!(r->v.flags & MW_VM_HUGETLB))
        return 0;
    r->old_size = (r->old_size + mask) & ~mask;
    r->new_size = (r->new_size + mask) & ~mask;
    if (r->old & mask)
        return why_at(why, WHY_mremap_huge_align, r->old, r->old);
    if (r->new & mask)
        return why_at(why, WHY_mremap_huge_align, r->new, r->new);
    if (r->new_size > r->old_size && !(s->cfg.options & MW_OPT_EXTENSIONS))
        return why_at(why, WHY_mremap_huge_grow, r->v.start, r->v.end);
    return 0;
}

static int find_mapping(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, r->old));

    if (!v || v->start > r->old)
        return why_at(why, WHY_mremap_not_mapped, r->old, r->old);
    r->v = *v;
    if (v->flags & MW_VM_SEALED)
        return why_at(why, WHY_sealed, v->start, v->end);
    return space_has(s, ROW_HUGE_MOVES) ? adjust_huge(s, r, why) : 0;
}

/* Which check comes first differs between versions, and is seen when two things are wrong. */
typedef int check_fn(const struct mw_space *s, struct remap *r, struct mw_why *why);

static check_fn *const arguments_first[] = { /* since 6.17 */
    check_flags, round_sizes, check_new_size, check_equal_sizes, check_new_alignment,
    check_new_range, check_count, NULL
};
static check_fn *const alignment_first[] = { /* 6.16 */
    check_flags, check_equal_sizes, round_sizes, check_new_alignment, check_count,
    find_mapping, check_new_range, NULL
};
static check_fn *const mapping_first[] = { /* 6.1 to 6.15 */
    check_flags, check_equal_sizes, round_sizes, find_mapping, check_new_alignment,
    check_new_range, check_count, NULL
};
static check_fn *const mapping_last[] = { /* before */
    check_flags, check_equal_sizes, round_sizes, check_new_alignment, check_new_range,
    check_count, NULL
};

static int check_in_order(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    bool ours = r->flags & MW_MREMAP_MIRROR;
    check_fn *const *check = ours || space_has(s, ROW_MREMAP_ARGS_FIRST) ? arguments_first
                             : space_has(s, ROW_MREMAP_ALIGN_FIRST)   ? alignment_first
                             : space_has(s, ROW_MREMAP_MAPPING_FIRST) ? mapping_first
                                                                      : mapping_last;
    int err = 0;

    while (!err && *check)
        err = (*check++)(s, r, why);
    return err;
}

/* What is asked of the mapping that its kind refuses, before its size is looked at. */
static int check_kind(const struct mw_space *s, const struct remap *r, struct mw_why *why)
{
    bool shared = r->v.flags & (MW_VM_SHARED | MW_VM_MAYSHARE);

    if ((r->v.flags & MW_VM_HUGETLB) && !space_has(s, ROW_HUGE_MOVES))
        return why_at(why, WHY_mremap_huge_move, r->v.start, r->v.end);
    if (!r->old_size && !shared && space_has(s, ROW_PRIVATE_DUP_REFUSED))
        return why_at(why, WHY_mremap_private_dup, r->v.start, r->v.end);
    if (leaves_behind(r) && (r->v.flags & MUST_NOT_GROW))
        return why_at(why, WHY_mremap_special, r->v.start, r->v.end);
    if (leaves_behind(r) && (shared || !is_anonymous(&r->v)) && !space_has(s, ROW_DONTUNMAP_ANY))
        return why_at(why, WHY_mremap_leave_anon, r->v.start, r->v.end);
    return 0;
}

static int check_extent(const struct remap *r, struct mw_why *why)
{
    if (kept(r) <= r->v.end - r->old)
        return 0;
    return why_fail(why, WHY_mremap_leaves_vma, (struct mw_range){ r->v.start, r->v.end },
                    r->old + kept(r), 0);
}

/* `gone` (may be NULL): what is unmapped by then. */
static int check_growth(const struct mw_space *s, const struct remap *r,
                        const struct account_sum *gone, struct mw_why *why)
{
    uint64_t more = r->new_size - r->old_size;
    int err;

    if (r->new_size <= r->old_size)
        return 0;
    if ((r->v.flags & MUST_NOT_GROW) && !(r->v.flags & MW_VM_HUGETLB)) /* those have been asked */
        return why_at(why, WHY_mremap_dontexpand, r->v.start, r->v.end);
    err = account_lock(s, r->v.flags, more, gone, why);
    if (!err)
        err = account_room(s, r->v.flags, to_pages(s, more), gone, why);
    return err;
}

static int check_mapping(const struct mw_space *s, const struct remap *r,
                         const struct account_sum *gone, struct mw_why *why)
{
    int err = check_kind(s, r, why);

    if (!err)
        err = check_extent(r, why);
    if (!err)
        err = check_growth(s, r, gone, why);
    return err;
}

/* Growing in place needs the end of the mapping, and room above it; a stack's guard is no bar. */
static bool fits_in_place(const struct mw_space *s, const struct remap *r)
{
    uint64_t more = r->new_size - r->old_size;
    const struct mw_vma *next = tree_at(tree_find(&s->tree, r->v.end));

    if (r->v.start < s->cfg.min_addr && !(s->cfg.caps & MW_CAP_SYS_RAWIO))
        return false; /* the whole mapping is asked about, as if it were made now */
    return r->old_size && r->v.end == r->old + r->old_size &&
           range_within(r->v.end, more, 0, s->cfg.task_size) &&
           (!next || next->start >= r->v.end + more);
}

static int charge(const struct mw_space *s, const struct remap *r, uint64_t bytes,
                  struct mw_why *why)
{
    return r->v.flags & MW_VM_ACCOUNT ? account_commit(s, to_pages(s, bytes), why) : 0;
}

/* What a shrinking move is charged by mistake: the part that it cuts off. */
static uint64_t overcharge(const struct mw_space *s, const struct remap *r)
{
    if (!(r->v.flags & MW_VM_ACCOUNT) || !space_has(s, ROW_SHRINKING_MOVE_CHARGED))
        return 0;
    return sub_floor(r->old_size, r->new_size);
}

/* What a move has to be promised. */
static uint64_t to_charge(const struct mw_space *s, const struct remap *r)
{
    if (leaves_behind(r))
        return r->new_size;
    return r->new_size > r->old_size ? r->new_size - r->old_size : overcharge(s, r);
}

/* ---- decide -------------------------------------------------------------------------- */

/* unmap_decide, noted for what a refusal leaves behind. */
static int decide_unmap(const struct mw_space *s, struct remap *r, uint64_t start, uint64_t end,
                        struct account_sum *gone, struct mw_why *why)
{
    int err = unmap_decide(s, start, end, gone, why);

    r->refused = err != 0;
    r->refused_at = start;
    return err;
}

static int decide_tail(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    uint64_t tail = r->old + r->new_size, length = r->old_size - r->new_size, end;
    int err;

    if (unmap_range(s, tail, length, &end, NULL))
        return why_fail(why, WHY_mremap_tail, (struct mw_range){ tail, tail }, length, 0);
    err = decide_unmap(s, r, tail, end, NULL, why);
    r->cut_tail = !err;
    return err;
}

/* Is it of a kind that moves as a whole only? */
static bool moves_whole(const struct mw_space *s, const struct mw_vma *v)
{
    uint32_t kind = v->object ? mw_object_flags(v->object) : 0;

    return (kind & MW_OBJ_WHOLE) || ((kind & MW_OBJ_UNCUT) && space_has(s, ROW_SPECIAL_UNCUT)) ||
           ((kind & MW_OBJ_AIO) && space_has(s, ROW_AIO_MOVES_WHOLE));
}

static struct place place_of(const struct mw_space *s, const struct remap *r)
{
    return (struct place){
        .hint = r->flags & PLACED ? r->new : 0,
        .length = r->new_size,
        .offset = r->v.object ? r->v.offset + (r->old - r->v.start) : 0,
        .flags = (is_fixed(r) ? MW_MAP_FIXED : 0) |
                 (r->v.flags & MW_VM_MAYSHARE ? MW_MAP_SHARED : 0),
        .align = r->v.flags & MW_VM_HUGETLB ? vma_page(s, &r->v) : 0,
        .object = r->v.object,
    };
}

/*
 * The destination, and the room to note one more mapping. `gone` (may be NULL)
 * is what lies there now. What leaves itself behind is all added.
 */
static int decide_dest(const struct mw_space *s, struct remap *r, const struct account_sum *gone,
                       struct mw_why *why)
{
    struct place p = place_of(s, r);
    int64_t at;

    if (leaves_behind(r)) {
        int err = account_room(s, r->v.flags, to_pages(s, r->new_size), gone, why);

        if (err)
            return err;
    }
    if (kept(r) != r->v.end - r->v.start && moves_whole(s, &r->v))
        return why_at(why, WHY_mremap_whole, r->v.start, r->v.end);
    at = place_find(s, &p, why);
    if (at < 0)
        return (int)at;
    r->new = (uint64_t)at;
    if (s->tree.count + SPARE_MAPS >= s->cfg.max_map_count)
        return why_amount(why, WHY_mremap_count, s->tree.count, s->cfg.max_map_count);
    return charge(s, r, to_charge(s, r), why);
}

/* A destination may cover where its source begins (old size 0, or one that wraps). */
static int check_uncovered(const struct remap *r, struct mw_why *why)
{
    if (r->new > r->old || r->old - r->new >= r->new_size)
        return 0;
    return why_at(why, WHY_mremap_not_mapped, r->old, r->old);
}

/*
 * To a fixed address: destination and tail are gone when the rest is looked
 * at; before 6.17 even before the mapping is.
 */
static int decide_late(const struct mw_space *s, struct remap *r, const struct account_sum *gone,
                       struct mw_why *why)
{
    bool looked = space_has(s, ROW_MREMAP_ALIGN_FIRST); /* for the mapping, before the tail */
    int err = looked ? check_uncovered(r, why) : 0;

    if (!err && r->new_size < r->old_size)
        err = decide_tail(s, r, why);
    if (!err && !looked)
        err = check_uncovered(r, why);
    if (!err && !space_has(s, ROW_MREMAP_MAPPING_FIRST))
        err = find_mapping(s, r, why);
    if (!err && !space_has(s, ROW_MREMAP_ARGS_FIRST))
        err = check_mapping(s, r, gone, why);
    return err ? err : decide_dest(s, r, gone, why);
}

static int decide_fixed(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    struct account_sum gone;
    int err;

    if (!r->new_size) /* rounded up to huge pages it has wrapped; munmap refuses to remove nothing */
        return why_at(why, WHY_length_zero, r->new, r->new);
    err = decide_unmap(s, r, r->new, r->new + r->new_size, &gone, why);
    if (err)
        return err;
    r->clear_dest = gone.pages;
    r->late = decide_late(s, r, &gone, why);
    return 0;
}

static int decide_grow(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    if (fits_in_place(s, r)) {
        r->action = GROW;
        return charge(s, r, r->new_size - r->old_size, why);
    }
    if (!(r->flags & MW_MREMAP_MAYMOVE))
        return why_at(why, WHY_mremap_blocked, r->old, r->old + r->new_size);
    return decide_dest(s, r, NULL, why);
}

/* One mapping, or the part of one, at `old`. */
static int decide(const struct mw_space *s, struct remap *r, struct mw_why *why)
{
    bool blind = !space_has(s, ROW_MREMAP_MAPPING_FIRST);
    bool stays = !(r->flags & PLACED) && r->new_size <= r->old_size;
    int err = blind && (stays || is_fixed(r)) ? 0 : find_mapping(s, r, why);

    if (err)
        return err;
    stays = stays || (!(r->flags & PLACED) && r->new_size <= r->old_size); /* sizes in huge pages */
    if (stays) {
        r->action = r->new_size < r->old_size ? SHRINK : STAY;
        return r->action == SHRINK ? decide_tail(s, r, why) : 0;
    }
    r->action = MOVE;
    if (is_fixed(r) && !space_has(s, ROW_MREMAP_ARGS_FIRST))
        return decide_fixed(s, r, why);
    err = check_mapping(s, r, NULL, why);
    if (err)
        return err;
    if (is_fixed(r))
        return decide_fixed(s, r, why);
    return leaves_behind(r) ? decide_dest(s, r, NULL, why) : decide_grow(s, r, why);
}

/* ---- reserve, commit, finish ------------------------------------------------------------ */

/* Insertions that moving one mapping may need. */
enum { EDITS_OF_ONE = 3 * EDIT_REMOVE + EDIT_INSERT };

/* A mapping of huge pages that grows (an extension) has the new ones set aside. */
static int promise_growth(struct mw_space *s, const struct remap *r, struct mw_why *why)
{
    uint64_t more = sub_floor(r->new_size, r->old_size);
    uint64_t offset = r->v.offset + (r->old - r->v.start) + r->old_size;

    if (!(r->v.flags & MW_VM_HUGETLB) || !more || r->late)
        return 0;
    if (!huge_promise(s, &r->v, offset, more))
        return why_amount(why, WHY_huge_pool, more >> frame_shift_of(s->cfg.page_shift, vma_level(&r->v)), 0);
    if (r->v.object && (r->v.object->flags & OBJECT_HIDDEN))
        r->v.object->size = max_u64(r->v.object->size, offset + more);
    return 0;
}

/* A shared one keeps them, as the object does. */
static void withdraw_growth(struct mw_space *s, const struct remap *r)
{
    if (r->new_size > r->old_size && huge_is_promised(&r->v) && s->pmap.frames)
        frame_unpromise(s->pmap.frames, vma_level(&r->v),
                        (r->new_size - r->old_size) >>
                            frame_shift_of(s->cfg.page_shift, vma_level(&r->v)));
}

static int reserve(struct mw_space *s, const struct remap *r, struct mw_why *why)
{
    int err = 0;

    if (r->action != STAY && !r->reserved)
        err = space_reserve(s, EDITS_OF_ONE, why);
    if (!err && r->clear_dest)
        err = unmap_reserve(s, r->new, r->new + r->new_size, why);
    if (!err && r->cut_tail)
        err = unmap_reserve(s, r->old + r->new_size, r->old + r->old_size, why);
    if (!err)
        err = promise_growth(s, r, why);
    if (err || r->action != MOVE || r->late || r->reserved)
        return err;
    if (pmap_move_reserve(&s->pmap, r->old, r->new, kept(r)))
        return 0;
    withdraw_growth(s, r);
    return why_plain(why, WHY_no_memory);
}

/* Does touched memory take on the identity of where it comes to? */
static bool relocates(const struct remap *r)
{
    return (r->flags & MW_MREMAP_RELOCATE) && r->old_size && r->v.anon && !r->v.object;
}

/* Untouched anonymous memory belongs wherever it is; all else keeps its offset. */
static bool keeps_offset(const struct mw_vma *v) { return !is_anonymous(v) || v->anon; }

static struct mw_vma moved(const struct remap *r)
{
    struct mw_vma v = r->v;

    v.offset = keeps_offset(&v) ? v.offset + (r->old - v.start) : r->new;
    v.start = r->new;
    v.end = r->new + r->new_size;
    if (relocates(r)) {
        v.anon = 0;
        v.offset = r->new;
    }
    return v;
}

/* Is only the part that leaves unlocked? It becomes a mapping of its own for that. */
static bool unlocks_part(const struct mw_space *s, const struct remap *r)
{
    return leaves_behind(r) && (r->v.flags & MW_VM_LOCKED) &&
           !space_has(s, ROW_DONTUNMAP_UNLOCKS_ALL);
}

/* Of the pages that a move unlocks by mistake, those that do not stay counted as locked. */
static uint64_t uncounted(const struct mw_space *s, const struct remap *r)
{
    if (space_has(s, ROW_DONTUNMAP_COUNTS_TWICE))
        return 0;
    return space_has(s, ROW_DONTUNMAP_UNLOCKS_ALL) ? to_pages(s, r->new_size) : EDIT_SPARE_ALL;
}

/*
 * What a move leaves behind is as it was, but empty and unlocked: memory that
 * went whole is untouched again.
 */
static void leave_behind(struct mw_space *s, const struct remap *r)
{
    if (space_has(s, ROW_DONTUNMAP_FORGETS))
        edit_forget(s, r->old, r->old + r->old_size, space_has(s, ROW_DONTUNMAP_REBASES));
    if (space_has(s, ROW_DONTUNMAP_LOSES_PROMISE))
        edit_strip(s, r->old, MW_VM_ACCOUNT, 0);
    if (r->v.flags & MW_VM_LOCKED)
        edit_strip(s, r->old, LOCKS, uncounted(s, r));
}

/* Does watched memory lose its watch where it goes? Not if the watcher follows it. */
static bool loses_watch(const struct mw_space *s, const struct remap *r)
{
    return (r->v.flags & MW_VM_UFFD) && !watch_asks(s, r->v.flags, MW_UFFD_FEATURE_EVENT_REMAP);
}

/*
 * What was watched by userfaultfd is not at its new place. It merges there as
 * long as it is, with others that are watched, and these lose their watch too;
 * since 7.3 it stays alone.
 */
static void insert_moved(struct mw_space *s, const struct remap *r)
{
    struct mw_vma v = moved(r);
    bool apart = leaves_behind(r) && (relocates(r) || space_has(s, ROW_DONTUNMAP_STAYS_APART));

    if (loses_watch(s, r) && !space_has(s, ROW_MOVE_UNWATCHES_NEIGHBOUR)) {
        v.flags &= ~WATCH_FLAGS;
        edit_add(s, &v);
        return;
    }
    edit_insert(s, &v, apart ? r->old : EDIT_NONE_APART);
    if (relocates(r)) /* it has merged as if it were untouched, and is not */
        edit_touch(s, tree_find(&s->tree, r->new));
    if (loses_watch(s, r))
        edit_strip(s, r->new, WATCH_FLAGS, EDIT_SPARE_ALL);
}

static void commit_move(struct mw_space *s, const struct remap *r)
{
    bool goes = r->old_size && !leaves_behind(r);

    if (goes)
        watch_tell_unmap(s, r->old, r->old + kept(r));
    if (loses_watch(s, r) && space_has(s, ROW_WATCH_WP_WIDER))
        pmap_watch(&s->pmap, r->old, r->old + kept(r), false);
    if (relocates(r) && goes)
        edit_remove(s, r->old, r->old + kept(r)); /* or it would merge with itself */
    if (unlocks_part(s, r)) {
        edit_split(s, r->old);
        edit_split(s, r->old + r->old_size);
    }
    insert_moved(s, r);
    pmap_move(&s->pmap, r->old, r->new, kept(r));
    if (!r->reserved)
        pmap_unreserve(&s->pmap);
    if (leaves_behind(r))
        leave_behind(s, r);
    else if (goes && !relocates(r))
        edit_remove(s, r->old, r->old + kept(r));
    account_lose_committed(s, to_pages(s, overcharge(s, r)));
    space_flush(s, r->old, r->old + kept(r));
}

static void commit(struct mw_space *s, const struct remap *r)
{
    if (r->clear_dest)
        unmap_commit(s, r->new, r->new + r->new_size);
    if (r->action == MOVE && !r->late)
        watch_tell_remap(s, r->v.flags, r->old, r->new,
                         space_has(s, ROW_REMAP_EVENT_KEPT) ? kept(r) : r->old_size);
    if (r->cut_tail)
        unmap_commit(s, r->old + r->new_size, r->old + r->old_size);
    if (r->late)
        return;
    if (r->action == GROW)
        edit_extend(s, r->v.end, r->old + r->new_size, space_has(s, ROW_GROW_MERGES));
    if (r->action == MOVE)
        commit_move(s, r);
}

/* What is locked is present; that it can't be is no error. */
static void finish(struct mw_space *s, const struct remap *r, uint64_t at)
{
    if ((r->v.flags & LOCKS) == MW_VM_LOCKED && r->new_size > r->old_size)
        fault_populate(s, at + r->old_size, at + r->new_size);
}

static int64_t remap_one(struct mw_space *s, struct remap *r, struct mw_why *why)
{
    int err = decide(s, r, why);
    uint64_t at;

    if (!err && is_strict(r))
        err = r->late;
    if (!err)
        err = reserve(s, r, why);
    if (err)
        return r->refused && !is_strict(r) ? unmap_refused(s, r->refused_at, err) : err;
    commit(s, r);
    if (r->late)
        return r->refused ? unmap_refused(s, r->refused_at, r->late) : r->late;
    at = r->action == MOVE ? r->new : r->old;
    finish(s, r, at);
    return (int64_t)at;
}

/* ---- several mappings (since 6.17) -------------------------------------------------------- */

/* Must a mapping of this kind move alone? */
static bool moves_alone(const struct mw_vma *v)
{
    return (v->flags & MW_VM_UFFD) || is_segment(v) ||
           (v->object && (mw_object_flags(v->object) & MW_OBJ_OWN_PLACE)) || object_places(v->object);
}

static bool spans_several(const struct mw_space *s, const struct remap *r)
{
    const struct mw_vma *v;

    if (!is_fixed(r) || r->old_size != r->new_size || !space_has(s, ROW_MREMAP_SEVERAL))
        return false;
    v = tree_at(tree_find(&s->tree, r->old));
    return v && v->start <= r->old && v->end - r->old < r->old_size;
}

/*
 * Each mapping in the old range goes to the same place in the new one; what
 * lies opposite a gap stays. The first that fails ends the call: those before
 * it have moved.
 */
static int64_t remap_several(struct mw_space *s, const struct remap *all, struct mw_why *why)
{
    uint64_t end = all->old + all->old_size, at = all->old;
    const struct mw_vma *v;

    while (at < end && (v = tree_at(tree_find(&s->tree, at))) && v->start < end) {
        struct remap r = *all;
        int64_t result;

        r.old = max_u64(v->start, at);
        r.new = all->new + (r.old - all->old);
        r.old_size = r.new_size = min_u64(v->end, end) - r.old;
        at = r.old + r.old_size;
        if (moves_alone(v))
            return why_at(why, WHY_mremap_alone, v->start, v->end);
        result = remap_one(s, &r, why);
        if (result < 0)
            return result;
    }
    return (int64_t)all->new;
}

/* All that moving the range takes, before anything is moved. */
static int reserve_several(struct mw_space *s, const struct remap *all, struct mw_why *why)
{
    uint64_t pieces = 0, end = all->old + all->old_size;

    for (struct cursor c = tree_find(&s->tree, all->old); c.leaf && tree_at(c)->start < end;
         c = tree_next(c)) {
        uint64_t from = max_u64(tree_at(c)->start, all->old), to = min_u64(tree_at(c)->end, end);

        if (unmap_reserve(s, from, to, why) ||
            unmap_reserve(s, from - all->old + all->new, to - all->old + all->new, why))
            return -MW_ENOMEM;
        pieces++;
    }
    if (pieces > UINT32_MAX / EDITS_OF_ONE ||
        !tree_reserve(&s->tree, (uint32_t)pieces * EDITS_OF_ONE) ||
        !pmap_move_reserve(&s->pmap, all->old, all->new, all->old_size))
        return why_plain(why, WHY_no_memory);
    return 0;
}

/* All or nothing: what fails on a copy of the layout is not begun. */
static int64_t remap_strictly(struct mw_space *s, struct remap *all, struct mw_why *why)
{
    struct mw_space *copy = space_clone(s, s->cfg.linux_version);
    int64_t result;

    if (!copy)
        return why_plain(why, WHY_no_memory);
    result = remap_several(copy, all, why);
    space_end(copy);
    if (result < 0)
        return result;
    result = reserve_several(s, all, why);
    if (result < 0)
        return result;
    all->reserved = true;
    result = remap_several(s, all, why);
    pmap_unreserve(&s->pmap);
    return result;
}

/*
 * How many mappings a call moves that can't fail half-way: each is memory of a
 * plain kind, and goes where nothing is and to the side of none that moves too.
 * 0: it may fail, or what it does depends on the order.
 */
static uint64_t moves_as_row(const struct mw_space *s, const struct remap *all)
{
    const uint64_t odd = MW_VM_HUGETLB | MW_VM_MIRRORED | MW_VM_SEALED | MW_VM_UFFD;
    const uint32_t odd_object = MW_OBJ_OWN_PLACE | MW_OBJ_WHOLE | MW_OBJ_NO_ADDRESS | MW_OBJ_UNCUT |
                                MW_OBJ_AIO | MW_OBJ_SHM;
    uint64_t end = all->old + all->old_size, new_end = all->new + all->new_size, count = 0;
    const struct mw_vma *there = tree_at(tree_find(&s->tree, all->new));

    if (leaves_behind(all) || (all->flags & MW_MREMAP_RELOCATE) || (there && there->start < new_end) ||
        new_end == all->old || end == all->new || all->new < s->cfg.min_addr ||
        s->tree.count + 2 * EDIT_SPLIT + SPARE_MAPS >= s->cfg.max_map_count || account_commit(s, 0, NULL))
        return 0;
    for (struct cursor c = tree_find(&s->tree, all->old); c.leaf && tree_at(c)->start < end; c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if ((v->flags & odd) || object_places(v->object) ||
            (v->object && (mw_object_flags(v->object) & odd_object)))
            return 0;
        count++;
    }
    return count;
}

/* Puts a copy of each mapping of the row in its place. The tree moves its VMAs meanwhile: some are noted at a time. */
static void copy_row(struct mw_space *s, const struct remap *all)
{
    enum { NOTED = 16 };
    uint64_t at = all->old, end = all->old + all->old_size;
    struct cursor last = tree_prev(&s->tree, tree_find(&s->tree, all->new));
    struct mw_vma noted[NOTED];

    while (at < end) {
        uint32_t n = 0;

        for (struct cursor c = tree_find(&s->tree, at); n < NOTED && c.leaf && tree_at(c)->start < end; c = tree_next(c))
            noted[n++] = *tree_at(c);
        at = n < NOTED ? end : noted[n - 1].end;
        for (uint32_t i = 0; i < n; i++) {
            struct mw_vma *v = &noted[i];

            v->start += all->new - all->old;
            v->end += all->new - all->old;
            v->offset = keeps_offset(v) ? v->offset : v->start;
            if (v->end == all->new + all->new_size)
                edit_insert(s, v, EDIT_NONE_APART); /* the last, and another may adjoin */
            else
                last = edit_append(s, last, v);
        }
    }
}

/* Moves a row of `count` mappings as one: it happens whole or, without memory, not at all. */
static int64_t move_row(struct mw_space *s, const struct remap *all, uint64_t count, struct mw_why *why)
{
    uint64_t end = all->old + all->old_size;

    if (!tree_reserve_run(&s->tree, 2 * EDIT_SPLIT, count) ||
        !pmap_move_reserve(&s->pmap, all->old, all->new, all->old_size))
        return why_plain(why, WHY_no_memory);
    edit_split(s, all->old);
    edit_split(s, end);
    copy_row(s, all);
    pmap_move(&s->pmap, all->old, all->new, all->old_size);
    pmap_unreserve(&s->pmap);
    edit_remove(s, all->old, end);
    space_flush(s, all->old, end);
    return (int64_t)all->new;
}

static int64_t mirror(struct mw_space *s, const struct remap *r, struct mw_why *why)
{
    struct mirror_request q = { r->old, r->old_size, r->new, is_fixed(r) };

    if (r->old_size != r->new_size)
        return why_amount(why, WHY_mirror_size, r->old_size, r->new_size);
    return mirror_remap(s, &q, why);
}

/* ---- the call ---------------------------------------------------------------------------------- */

static int64_t do_mremap(struct mw_space *s, struct remap *r, struct mw_why *why)
{
    int err = check_in_order(s, r, why);
    uint64_t row;

    if (err)
        return err;
    if (r->flags & MW_MREMAP_MIRROR)
        return mirror(s, r, why);
    if (!spans_several(s, r))
        return remap_one(s, r, why);
    row = moves_as_row(s, r);
    if (row)
        return move_row(s, r, row, why);
    return is_strict(r) ? remap_strictly(s, r, why) : remap_several(s, r, why);
}

int64_t mw_mremap(struct mw_space *s, uint64_t old_addr, uint64_t old_size, uint64_t new_size,
                  uint64_t flags, uint64_t new_addr, struct mw_why *why)
{
    struct remap r = { .old = old_addr, .old_size = old_size, .new_size = new_size,
                       .new = new_addr, .flags = flags };
    int64_t result;

    why_clear(why);
    space_enter(s);
    result = do_mremap(s, &r, why);
    space_leave(s);
    return result;
}
