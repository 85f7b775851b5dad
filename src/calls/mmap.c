/* SPDX-License-Identifier: MIT */
/*
 * mmap.c - mmap(2).
 *
 * The checks stand in Linux's order: what is wrong first is reported. Rules
 * MMAP-1..17 in SPEC.md.
 */
#include "calls/map.h"
#include "calls/pkey.h"
#include "calls/unmap.h"
#include "vma/account.h"
#include "space/fault.h"
#include "space/huge.h"
#include "vma/edit.h"
#include "vma/place.h"

#define TYPE_MASK 0x0fu

/* The flags that MAP_SHARED_VALIDATE knows of for an ordinary file. */
#define KNOWN_FLAGS                                                                       \
    (MW_MAP_SHARED | MW_MAP_PRIVATE | MW_MAP_FIXED | MW_MAP_ANONYMOUS | MW_MAP_DENYWRITE | \
     MW_MAP_EXECUTABLE | MW_MAP_GROWSDOWN | MW_MAP_LOCKED | MW_MAP_NORESERVE |            \
     MW_MAP_POPULATE | MW_MAP_NONBLOCK | MW_MAP_STACK | MW_MAP_HUGETLB | MW_MAP_32BIT |    \
     0x7c000000u /* MAP_HUGE_..., MAP_UNINITIALIZED */ | 0x80u /* MAP_ABOVE4G */)

/* The largest offset of a file. */
#define FILE_MAX 0x7fffffffffffffffull

/* What the caller asks for, and what comes of it. */
struct request {
    uint64_t addr, length, offset;
    uint64_t prot, flags;
    const struct mw_file *file;
    struct mw_object *made;   /* for a shared anonymous mapping, or one of huge pages */
    struct mw_object *held;   /* the mapping's, until the call ends */
    uint32_t level;           /* of the entries that map its pages: 1, or 2 and 3 for huge ones */
    bool locks;               /* as asked for, by flag or by mlockall */
    bool covers;              /* something is in the way, and goes */
    bool silent;              /* which watchers are not told */
    enum { BEFORE, AT_UNMAP, CUT, UNMAPPED } stage; /* how far a failing call has got */
    int at_unmap;             /* why it got no further than AT_UNMAP, whatever it says (MMAP-26) */
    struct mw_vma v;          /* the result */
};

/* What a kind of object makes of each of its mappings. */
static uint64_t vm_flags_of_object(const struct mw_object *o)
{
    uint32_t kind = mw_object_flags(o);

    return (kind & MW_OBJ_HUGETLB ? MW_VM_HUGETLB | MW_VM_DONTEXPAND : 0) |
           (kind & MW_OBJ_DONTEXPAND ? MW_VM_DONTEXPAND : 0) |
           (kind & MW_OBJ_PFNMAP ? MW_VM_PFNMAP | MW_VM_IO : 0);
}

static uint64_t vm_flags_of(const struct mw_space *s, uint64_t prot, uint64_t flags)
{
    uint64_t f = prot & (MW_PROT_READ | MW_PROT_WRITE | MW_PROT_EXEC);

    if ((s->cfg.options & MW_OPT_NO_NX) && (prot & MW_PROT_READ))
        f |= MW_VM_EXEC;
    if (prot == MW_PROT_EXEC)
        f |= pkey_exec_flags(s);
    f |= MW_VM_MAYREAD | MW_VM_MAYWRITE | MW_VM_MAYEXEC | s->future;
    if (flags & MW_MAP_GROWSDOWN)
        f |= MW_VM_GROWSDOWN;
    if (flags & MW_MAP_LOCKED)
        f |= MW_VM_LOCKED;
    if ((flags & MW_MAP_SYNC) && space_has(s, ROW_SHARED_VALIDATE))
        f |= MW_VM_SYNC; /* kept even where it means nothing, so such mappings do not merge */
    if ((flags & MW_MAP_STACK) && (s->cfg.options & MW_OPT_THP) && space_has(s, ROW_STACK_NOHUGEPAGE))
        f |= MW_VM_NOHUGEPAGE;
    return f;
}

/* ---- decide ---------------------------------------------------------------------- */

/* The level of the huge pages that MAP_HUGETLB names by their size; 0: there are none such. */
static uint32_t huge_level(const struct mw_space *s, uint64_t flags)
{
    uint32_t shift = (uint32_t)(flags >> MW_MAP_HUGE_SHIFT) & 63;

    for (uint32_t level = 2; level <= FRAME_LEVELS; level++)
        if (!shift || frame_shift_of(s->cfg.page_shift, level) == shift)
            return level;
    return 0;
}

/* Huge pages, by file or by flag: lengths count in them. */
static int check_huge(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    uint64_t mask;

    q->level = q->file && q->file->object ? q->file->object->level : 1;
    if (q->level == 1 && (q->flags & MW_MAP_HUGETLB)) {
        if (q->file)
            return why_plain(why, WHY_hugetlb_file);
        q->level = huge_level(s, q->flags);
        if (!q->level)
            return why_amount(why, WHY_hugetlb_size, (q->flags >> MW_MAP_HUGE_SHIFT) & 63, 0);
    }
    mask = (1ull << frame_shift_of(s->cfg.page_shift, q->level)) - 1;
    if (q->level > 1)
        q->length = (q->length + mask) & ~mask;
    return 0;
}

static int check_arguments(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    int err;

    if (!aligned(s, q->offset))
        return why_amount(why, WHY_offset_unaligned, q->offset, 0);
    if (!(q->flags & MW_MAP_ANONYMOUS) && !q->file)
        return why_plain(why, WHY_bad_fd);
    if (q->flags & MW_MAP_ANONYMOUS)
        q->file = NULL;
    err = check_huge(s, q, why);
    if (err)
        return err;
    if (!q->length)
        return why_at(why, WHY_length_zero, q->addr, q->addr);
    if (!round_up(s, q->length))
        return why_amount(why, WHY_length_wraps, q->length, 0);
    q->length = round_up(s, q->length);
    if (s->tree.count > s->cfg.max_map_count)
        return why_amount(why, WHY_map_count, s->tree.count, s->cfg.max_map_count);
    return 0;
}

/* A hint is rounded down, and up to where the caller may map. */
static uint64_t usable_hint(const struct mw_space *s, uint64_t hint)
{
    uint64_t low = round_up(s, max_u64(s->cfg.min_addr, s->cfg.min_hint));

    hint = page_down(hint, s->cfg.page_shift);
    return hint && hint < low ? low : hint;
}

static uint64_t huge_bytes(const struct mw_space *s, const struct request *q)
{
    return 1ull << frame_shift_of(s->cfg.page_shift, q->level);
}

static int choose_address(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    bool fixed = q->flags & (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE);
    struct place p = { .hint = fixed ? q->addr : usable_hint(s, q->addr), .length = q->length,
                       .offset = q->file ? q->offset : 0,
                       .flags = (q->flags & MW_MAP_32BIT) | (fixed ? MW_MAP_FIXED : 0),
                       .align = q->level > 1 ? huge_bytes(s, q) : 0,
                       .object = q->file ? q->file->object : NULL };
    int64_t at;

    if (!q->file && (q->flags & TYPE_MASK) == MW_MAP_SHARED)
        p.flags |= MW_MAP_SHARED;
    at = place_find(s, &p, why);
    if (at < 0)
        return (int)at;
    q->v.start = (uint64_t)at;
    q->v.end = q->v.start + q->length;
    if (q->flags & MW_MAP_FIXED_NOREPLACE) {
        const struct mw_vma *v = tree_at(tree_find(&s->tree, q->v.start));

        if (v && v->start < q->v.end)
            return why_at(why, WHY_taken, q->v.start, q->v.end);
    }
    return 0;
}

static int check_lock(const struct mw_space *s, const struct request *q, struct mw_why *why)
{
    if ((q->flags & MW_MAP_LOCKED) && !s->cfg.limit_memlock && !(s->cfg.caps & MW_CAP_IPC_LOCK))
        return why_plain(why, WHY_lock_not_allowed);
    return account_lock(s, q->v.flags, q->length, NULL, why);
}

/* How the file was opened; one that MAP_HUGETLB makes can be read and written. */
static uint32_t file_mode(const struct request *q)
{
    return q->file ? q->file->mode : MW_FILE_READ | MW_FILE_WRITE;
}

static int check_shared_file(struct request *q, struct mw_why *why)
{
    uint32_t mode = file_mode(q);

    if ((q->prot & MW_PROT_WRITE) && !(mode & MW_FILE_WRITE))
        return why_plain(why, WHY_file_not_writable);
    if ((mode & MW_FILE_APPEND) && (mode & MW_FILE_WRITE))
        return why_plain(why, WHY_file_append_only);
    q->v.flags |= MW_VM_SHARED | MW_VM_MAYSHARE;
    if (!(mode & MW_FILE_WRITE))
        q->v.flags &= ~(MW_VM_MAYWRITE | MW_VM_SHARED);
    return 0;
}

/* MAP_SHARED, MAP_PRIVATE, ...; 0: none that this Linux has. */
static uint32_t map_type(const struct mw_space *s, const struct request *q)
{
    uint32_t type = q->flags & TYPE_MASK;

    return type == MW_MAP_SHARED_VALIDATE && !space_has(s, ROW_SHARED_VALIDATE) ? 0 : type;
}

static int check_file(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    uint32_t type = map_type(s, q), mode = file_mode(q);
    uint64_t last = mode & (MW_FILE_NOMMAP | MW_FILE_DEVICE) ? UINT64_MAX : FILE_MAX;
    int err = 0;

    if (to_pages(s, q->offset) > to_pages(s, last - q->length))
        return why_plain(why, WHY_offset_overflow);
    if (type == MW_MAP_SHARED_VALIDATE && (q->flags & ~(uint64_t)KNOWN_FLAGS))
        return why_amount(why, WHY_flag_unknown, q->flags & ~(uint64_t)KNOWN_FLAGS, 0);
    if (type == MW_MAP_SHARED || type == MW_MAP_SHARED_VALIDATE)
        err = check_shared_file(q, why);
    else if (type != MW_MAP_PRIVATE)
        err = why_plain(why, WHY_mmap_no_type);
    if (err)
        return err;
    if (!(mode & MW_FILE_READ))
        return why_plain(why, WHY_file_not_readable);
    if ((mode & MW_FILE_NOEXEC) && (q->v.flags & MW_VM_EXEC))
        return why_plain(why, WHY_file_noexec);
    if (mode & MW_FILE_NOEXEC)
        q->v.flags &= ~MW_VM_MAYEXEC;
    if (mode & MW_FILE_NOMMAP)
        return why_plain(why, WHY_file_no_mmap);
    if (q->v.flags & MW_VM_GROWSDOWN)
        return why_plain(why, WHY_growsdown_shared);
    q->v.object = q->file ? q->file->object : NULL;
    q->v.offset = q->offset;
    q->v.flags |= q->file ? vm_flags_of_object(q->v.object) : MW_VM_HUGETLB | MW_VM_DONTEXPAND;
    return 0;
}

static int check_droppable(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    if (!space_has(s, ROW_DROPPABLE))
        return why_plain(why, WHY_mmap_no_type);
    if (q->flags & (MW_MAP_LOCKED | MW_MAP_GROWSDOWN))
        return why_plain(why, WHY_droppable_file);
    q->v.flags |= MW_VM_DROPPABLE | MW_VM_NORESERVE | MW_VM_WIPEONFORK | MW_VM_DONTDUMP;
    return 0;
}

static int check_anonymous(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    q->v.offset = q->v.start;
    switch (map_type(s, q)) {
    case MW_MAP_PRIVATE:
        return 0;
    case MW_MAP_DROPPABLE:
        return check_droppable(s, q, why);
    case MW_MAP_SHARED:
        if (q->v.flags & MW_VM_GROWSDOWN)
            return why_plain(why, WHY_growsdown_shared);
        q->v.flags |= MW_VM_SHARED | MW_VM_MAYSHARE;
        q->v.offset = 0;
        return 0;
    case MW_MAP_SHARED_VALIDATE:
        return why_plain(why, WHY_validate_anonymous);
    default:
        return why_plain(why, WHY_mmap_no_type);
    }
}

/* What is replaced makes room in what is promised; if it is gone already, a whole is asked for. */
static int check_charge(const struct mw_space *s, struct request *q, uint64_t charged,
                        struct mw_why *why)
{
    bool gone = space_has(s, ROW_MMAP_UNMAPS_FIRST);
    uint64_t pages = to_pages(s, q->length);
    int err = account_commit(s, gone && s->cfg.overcommit == 0 ? pages : sub_floor(pages, charged),
                             why);

    if (err && gone)
        q->stage = UNMAPPED;
    return err;
}

/* What is in the way can't be unmapped: which error that becomes depends on the version. */
static int refused(const struct mw_space *s, int err, struct mw_why *why)
{
    if (!space_has(s, ROW_MMAP_REFUSED_NOMEM))
        return err;
    if (why)
        why->err = MW_ENOMEM;
    return -MW_ENOMEM;
}

/* What is replaced makes room, in the address space and in what is promised. */
static int check_limits(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    uint64_t pages = to_pages(s, q->length);
    struct account_sum gone;
    int err = unmap_decide(s, q->v.start, q->v.end, &gone, why);

    q->stage = err ? AT_UNMAP : CUT;
    q->at_unmap = err;
    q->covers = !err && gone.pages;
    if (err)
        return refused(s, err, why);
    if ((q->flags & MW_MAP_NORESERVE) && s->cfg.overcommit != 2)
        q->v.flags |= MW_VM_NORESERVE;
    err = account_room(s, q->v.flags, pages - gone.pages, NULL, why);
    if (err)
        return err;
    if (account_is_charged(q->v.flags)) {
        q->v.flags |= MW_VM_ACCOUNT;
        return check_charge(s, q, gone.charged, why);
    }
    if (!q->file && q->level == 1 && (q->v.flags & MW_VM_SHARED) &&
        !(q->v.flags & MW_VM_NORESERVE))
        err = account_commit(s, pages, why);
    if (!err && q->level > 1 && (q->offset & (huge_bytes(s, q) - 1)))
        err = why_amount(why, WHY_hugetlb_offset, q->offset, 0);
    if (err)
        q->stage = UNMAPPED; /* Linux makes the object last, over nothing */
    return err;
}

/* The object's own say comes last: when it refuses, what was in the way is gone (MMAP-28). */
static int ask_object(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    const struct mw_object *o = q->v.object;
    int err = o && o->ops && o->ops->map ? o->ops->map(o->ctx, s, &q->v) : 0;

    if (!err)
        return 0;
    q->stage = UNMAPPED;
    why_at(why, WHY_file_refused, q->v.start, q->v.end);
    if (err > 0 || err < -ERRNO_MAX)
        return -MW_ENODEV;
    if (why)
        why->err = -err;
    return err;
}

static int decide(const struct mw_space *s, struct request *q, struct mw_why *why)
{
    int err = check_arguments(s, q, why);

    if (!space_has(s, ROW_FIXED_NOREPLACE))
        q->flags &= ~MW_MAP_FIXED_NOREPLACE; /* unknown flags are ignored: a hint */
    if (err)
        return err;
    q->v.flags = vm_flags_of(s, q->prot, q->flags);
    err = choose_address(s, q, why);
    if (err && !space_has(s, ROW_EXEC_KEY_BEFORE_PLACE))
        q->v.flags = 0;
    if (!err)
        err = check_lock(s, q, why);
    if (!err)
        err = q->file || q->level > 1 ? check_file(s, q, why) : check_anonymous(s, q, why);
    if (!err)
        err = check_limits(s, q, why);
    if (!err)
        err = ask_object(s, q, why);
    return err;
}

static void unmap_old(struct mw_space *s, const struct request *q)
{
    (q->silent ? unmap_silently : unmap_commit)(s, q->v.start, q->v.end);
}

/* What Linux leaves of a call that failed. */
static void give_up(struct mw_space *s, const struct request *q)
{
    if (q->stage == AT_UNMAP)
        unmap_refused(s, q->v.start, q->at_unmap);
    else if (q->stage == CUT)
        unmap_abandoned(s, q->v.start, q->v.end);
    else if (q->stage == UNMAPPED && tree_reserve(&s->tree, EDIT_REMOVE) &&
             !unmap_reserve(s, q->v.start, q->v.end, NULL))
        unmap_old(s, q);
}

/* ---- reserve, commit, finish -------------------------------------------------------- */

/* Huge pages are set aside last of all: what they replace has gone by then. */
static int reserve_huge(struct mw_space *s, struct request *q, struct mw_why *why)
{
    if (!huge_prepare(s, &q->v, q->offset, q->length))
        return why_plain(why, WHY_no_memory);
    if (huge_promise(s, &q->v, q->offset, q->length))
        return 0;
    unmap_old(s, q);
    if (huge_promise(s, &q->v, q->offset, q->length)) /* those that are free now */
        return 0;
    return why_amount(why, WHY_huge_pool, q->length >> frame_shift_of(s->cfg.page_shift, q->level), 0);
}

static int reserve(struct mw_space *s, struct request *q, struct mw_why *why)
{
    int err = space_reserve(s, EDIT_REMOVE + EDIT_INSERT, why);
    uint32_t kind = q->level == 1 ? MW_OBJ_SHMEM : OBJECT_HIDDEN | MW_OBJ_HUGETLB;

    if (!err && q->covers)
        err = unmap_reserve(s, q->v.start, q->v.end, why);
    if (err || (!q->file && q->level == 1 && !(q->v.flags & MW_VM_SHARED)))
        return err;
    if (!q->file) {
        kind |= q->level == 3 ? MW_OBJ_HUGETLB_LARGE : 0;
        if (mw_object_create(s->cfg.port, s->pmap.frames, NULL, NULL,
                             q->level > 1 ? q->length : add_ceil(q->v.offset, q->length), kind, &q->made))
            return why_plain(why, WHY_no_memory);
        q->v.object = q->made;
    }
    if (q->v.object && !space_hold(s, q->v.object))
        return why_plain(why, WHY_no_memory);
    q->held = q->v.object;
    return q->level > 1 ? reserve_huge(s, q, why) : 0;
}

static void commit(struct mw_space *s, struct request *q)
{
    bool lock_droppable = space_has(s, ROW_DROPPABLE_LOCKED) || space_has(s, ROW_DROPPABLE_LOCKED_AGAIN);
    uint64_t never = NEVER_LOCKED & ~(lock_droppable ? MW_VM_DROPPABLE : 0);
    bool unlock;

    q->locks = q->v.flags & MW_VM_LOCKED;
    unlock = q->locks && (q->v.flags & never);
    if (unlock)
        q->v.flags &= ~(MW_VM_LOCKED | MW_VM_LOCKONFAULT);
    if (q->covers)
        unmap_old(s, q);
    if (q->level > 1 && (q->v.flags & MW_VM_WRITE)) /* such a file grows by being mapped */
        q->v.object->size = max_u64(q->v.object->size, q->offset + q->length);
    if (unlock)
        edit_add(s, &q->v); /* Linux unlocks it after it has looked for neighbours */
    else
        edit_insert_new(s, &q->v);
}

static void finish(struct mw_space *s, const struct request *q)
{
    bool now = (q->flags & (MW_MAP_POPULATE | MW_MAP_NONBLOCK)) == MW_MAP_POPULATE;

    if (now || q->locks)
        fault_populate(s, q->v.start, q->v.end);
}

/*
 * The files of huge pages that are in the way: Linux closes them when the call
 * has ended, so that what they hold is not free for it.
 */
static struct mw_object *keep_files(struct mw_space *s, const struct request *q)
{
    struct mw_object *kept = NULL;

    for (struct cursor c = tree_find(&s->tree, q->v.start); c.leaf && tree_at(c)->start < q->v.end;
         c = tree_next(c)) {
        struct mw_object *o = tree_at(c)->object;

        if (!(tree_at(c)->flags & MW_VM_HUGETLB) || !o || (o->flags & OBJECT_KEPT))
            continue;
        o->flags |= OBJECT_KEPT;
        o->refs++;
        o->next = kept;
        kept = o;
    }
    return kept;
}

static void let_go(struct mw_object *kept)
{
    while (kept) {
        struct mw_object *o = kept;

        kept = o->next;
        o->flags &= ~OBJECT_KEPT;
        mw_object_put(o);
    }
}

static int64_t do_mmap(struct mw_space *s, struct request *q, struct mw_why *why)
{
    struct mw_object *kept = NULL;
    int err = decide(s, q, why);

    if (q->v.flags & MW_VM_EXEC_ONLY)
        pkey_keep_exec(s, q->v.flags); /* Linux gets it early, and keeps it if the call fails */
    if (err) {
        give_up(s, q);
    } else {
        kept = q->level > 1 ? keep_files(s, q) : NULL;
        err = reserve(s, q, why);
    }
    if (!err) {
        commit(s, q);
        finish(s, q);
    }
    object_unmap(q->held);
    object_put(q->made);
    let_go(kept);
    return err ? err : (int64_t)q->v.start;
}

int64_t map_file(struct mw_space *s, const struct map_args *a, struct mw_why *why)
{
    struct request q = { .addr = a->addr, .length = a->length, .offset = a->offset, .prot = a->prot,
                         .flags = a->flags, .file = a->file, .silent = a->silent,
                         .v.anon = a->attachment };

    return do_mmap(s, &q, why);
}

int64_t mw_mmap(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t prot,
                uint64_t flags, const struct mw_file *file, uint64_t offset, struct mw_why *why)
{
    struct request q = { .addr = addr, .length = length, .offset = offset,
                         .prot = prot, .flags = flags, .file = file };
    int64_t r;

    why_clear(why);
    space_enter(s);
    r = do_mmap(s, &q, why);
    space_leave(s);
    return r;
}
