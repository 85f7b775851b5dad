/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - what a watcher does about faults: fills, maps, poisons, moves and
 * write-protects pages.
 *
 * Pages are done one by one, and what was done before one that is refused
 * stays. Rules WATCH-10..17 in SPEC.md.
 */
#include "base/mem.h"
#include "space/huge.h"
#include "space/watch.h"
#include "vma/edit.h"

/* A resolving call on part of one mapping. */
struct resolve {
    struct mw_space *s;
    const struct mw_watcher *w;
    struct mw_vma v;
    uint64_t addr, length; /* of the whole call */
    uint64_t from;         /* MOVE */
    const unsigned char *bytes; /* COPY; NULL: zeros */
    uint32_t level;
    pte_t bits;            /* of an entry that may be written */
    bool protect;          /* for the watcher */
    bool holes;            /* MOVE: absent pages are passed over */
    struct mw_why *why;
};

/* One page; 0 or -errno. */
typedef int page_fn(const struct resolve *r, uint64_t at);

static const uint64_t every_call = 1; /* of the mode bits: do not wake */

/* `feature`: what a Linux that has the call has as well; 0: every one. */
static int check_range(const struct mw_space *s, uint64_t addr, uint64_t length, uint64_t feature,
                       struct mw_why *why)
{
    struct mw_range at = { addr, addr };

    if (!s->pmap.frames)
        return why_plain(why, WHY_not_modelled);
    if (feature & ~version_watch_features(s->cfg.linux_version))
        return why_plain(why, WHY_watch_call);
    if (!aligned(s, addr | length) || !length || !range_within(addr, length, 0, s->cfg.task_size))
        return why_fail(why, WHY_watch_range, at, length, 0);
    return 0;
}

/* What a page becomes that the mapping may write. */
static pte_t full_bits(uint64_t vm_flags)
{
    pte_t grant = pmap_grant(vm_flags);

    return (grant ? grant | PTE_A : PTE_HELD) | PTE_D;
}

static bool is_huge(const struct mw_vma *v) { return v->flags & MW_VM_HUGETLB; }

/* Memory whose pages are an object's: shared memory and files in memory. */
static bool is_held(const struct mw_vma *v)
{
    return is_huge(v) || (v->object && !is_anonymous(v) && (mw_object_flags(v->object) & MW_OBJ_SHMEM));
}

/* The watched mapping that has the whole range, and whether this can be done to it. */
static int find_mapping(struct resolve *r, bool huge, bool anonymous)
{
    struct mw_space *s = r->s;
    uint64_t end = r->addr + r->length;
    struct cursor c = tree_find(&s->tree, r->addr);

    if (c.leaf && tree_at(c)->start <= r->addr)
        edit_touch(s, c); /* whatever is refused then */
    if (!c.leaf || tree_at(c)->start > r->addr || tree_at(c)->end < end ||
        !(tree_at(c)->flags & WATCH_OWN))
        return why_at(r->why, WHY_watch_absent, r->addr, end);
    r->v = *tree_at(c);
    if (r->protect && !(r->v.flags & MW_VM_UFFD_WP))
        return why_at(r->why, WHY_watch_not_wp, r->v.start, r->v.end);
    if ((is_huge(&r->v) && !huge) || !(is_held(&r->v) || (is_anonymous(&r->v) && anonymous)))
        return why_at(r->why, WHY_watch_page_kind, r->v.start, r->v.end);
    if ((r->addr | r->length) & (vma_page(s, &r->v) - 1))
        return why_at(r->why, WHY_watch_huge, r->addr, r->addr);
    r->level = vma_level(&r->v);
    r->bits = full_bits(r->v.flags);
    return 0;
}

/* Page by page: how much has been done, or why nothing. */
static int64_t each_page(const struct resolve *r, page_fn *fn)
{
    uint64_t done = 0, page = 1ull << pmap_leaf_shift(&r->s->pmap, r->level);
    int err = 0;

    while (!err && done < r->length) {
        err = fn(r, r->addr + done);
        done += err ? 0 : page;
    }
    space_flush(r->s, r->addr, r->addr + done);
    return done ? (int64_t)done : err;
}

static uint64_t offset_of(const struct resolve *r, uint64_t at)
{
    return r->v.offset + (at - r->v.start);
}

static uint64_t index_of(const struct resolve *r, uint64_t at)
{
    return offset_of(r, at) >> pmap_leaf_shift(&r->s->pmap, r->level);
}

/* Private memory of /dev/zero, which is anonymous, yet of a file: one without any bytes. */
static bool is_of_zero(const struct resolve *r)
{
    return r->v.object && is_anonymous(&r->v) && !(r->v.flags & MW_VM_MIRRORED);
}

static bool is_beyond(const struct resolve *r, uint64_t at)
{
    return is_of_zero(r) || (is_held(&r->v) && offset_of(r, at) >= r->v.object->size);
}

static int refuse(const struct resolve *r, enum reason reason, uint64_t at)
{
    return why_at(r->why, reason, at, at);
}

static void put(const struct resolve *r, frame_t frame)
{
    if (r->level > 1)
        frame_put_huge(r->s->pmap.frames, frame, r->level);
    else
        frame_put(r->s->pmap.frames, frame);
}

/* Enters a frame; takes over the caller's reference, also on failure. */
static int enter(const struct resolve *r, uint64_t at, frame_t frame, pte_t bits)
{
    if (r->protect)
        bits = (bits & ~PTE_W) | PTE_WP;
    if (r->v.flags & MW_VM_MAYSHARE)
        object_soil(r->v.object, index_of(r, at));
    if (pmap_enter(&r->s->pmap, at, frame, bits, r->level))
        return 0;
    put(r, frame);
    return why_plain(r->why, WHY_no_memory);
}

static bool has_page(const struct resolve *r, uint64_t at)
{
    return pte_page(pmap_find(&r->s->pmap, at, NULL));
}

/* ---- copy and zeropage (WATCH-11, WATCH-12) ---------------------------------------------- */

static void fill(const struct resolve *r, frame_t frame, uint64_t at)
{
    size_t page = (size_t)1 << pmap_leaf_shift(&r->s->pmap, r->level);

    if (r->bytes)
        memcpy(frame_ptr(r->s->pmap.frames, frame), r->bytes + (at - r->addr), page);
    else
        memset(frame_ptr(r->s->pmap.frames, frame), 0, page);
}

/* Is no huge page to be had, neither one for this page of a file nor one that is not set aside? */
static bool lacks_huge(const struct resolve *r, uint64_t at)
{
    bool shared = r->v.flags & MW_VM_MAYSHARE;

    if (!is_huge(&r->v) || (shared && object_is_promised(r->v.object, index_of(r, at))))
        return false;
    if (!frame_promise(r->s->pmap.frames, r->level, 1))
        return true;
    frame_unpromise(r->s->pmap.frames, r->level, 1);
    return false;
}

static int no_page(const struct resolve *r, uint64_t at)
{
    return refuse(r, lacks_huge(r, at) && space_has(r->s, ROW_WATCH_NO_HUGE_EXISTS) ? WHY_watch_no_huge : WHY_watch_no_page,
                  at);
}

/* A huge page is looked for first. */
static int beyond(const struct resolve *r, uint64_t at, bool shared)
{
    bool told_apart = shared && !is_huge(&r->v) && space_has(r->s, ROW_WATCH_BEYOND_TOLD_APART);

    return told_apart || lacks_huge(r, at) ? no_page(r, at) : refuse(r, WHY_watch_beyond, at);
}

/* A page of the mapping's own. */
static int copy_private(const struct resolve *r, uint64_t at)
{
    struct mw_frames *f = r->s->pmap.frames;
    bool promised = r->level > 1 && huge_is_promised(&r->v);
    frame_t own = r->level > 1 ? frame_alloc_huge(f, r->level, promised) : frame_alloc(f);
    int err;

    if (!own)
        return no_page(r, at);
    fill(r, own, at);
    err = enter(r, at, own, r->bits);
    if (err && promised)
        frame_promise(f, r->level, 1); /* the page that was just given back */
    return err;
}

/* A new page of the object's. */
static int copy_shared(const struct resolve *r, uint64_t at)
{
    struct mw_object *o = r->v.object;
    frame_t frame;
    int err;

    if (object_peek(o, index_of(r, at)) || (o->ops && o->ops->read))
        return refuse(r, WHY_watch_exists, at);
    if (!o->frames || object_page(o, index_of(r, at), &frame) != OBJECT_OK)
        return no_page(r, at);
    fill(r, frame, at);
    frame_get(o->frames, frame);
    err = enter(r, at, frame, r->bits);
    if (err)
        object_empty(o, index_of(r, at), 1); /* nobody has seen it */
    return err;
}

static int copy_page(const struct resolve *r, uint64_t at)
{
    bool shared = r->v.flags & MW_VM_MAYSHARE;
    bool endless = (is_huge(&r->v) && !shared) || (is_of_zero(r) && space_has(r->s, ROW_WATCH_COPY_FILLS_ZERO));

    if (!endless && is_beyond(r, at))
        return beyond(r, at, shared);
    if (has_page(r, at))
        return refuse(r, WHY_watch_exists, at);
    return shared ? copy_shared(r, at) : copy_private(r, at);
}

/* Private memory shows the page of zeros that all have; there a mark is in the way. */
static int zero_page(const struct resolve *r, uint64_t at)
{
    frame_t zero = r->s->pmap.frames->zero;

    if (r->v.flags & MW_VM_MAYSHARE)
        return copy_page(r, at);
    if (is_beyond(r, at))
        return refuse(r, WHY_watch_beyond, at);
    if (pmap_find(&r->s->pmap, at, NULL))
        return refuse(r, WHY_watch_exists, at);
    frame_get(r->s->pmap.frames, zero);
    return enter(r, at, zero, (r->bits & ~(PTE_W | PTE_D)) | PTE_COW);
}

/* ---- continue and poison (WATCH-13, WATCH-14) --------------------------------------------- */

static int continue_page(const struct resolve *r, uint64_t at)
{
    struct mw_object *o = r->v.object;
    bool is_read = o->ops && o->ops->read, past = !is_huge(&r->v) && is_beyond(r, at);
    frame_t frame = object_peek(o, index_of(r, at));

    if (past && space_has(r->s, ROW_WATCH_BEYOND_TOLD_APART))
        return refuse(r, WHY_watch_beyond, at);
    if (past) /* offsets are signed to Linux */
        return refuse(r, offset_of(r, at) > INT64_MAX ? WHY_watch_continue_far : WHY_watch_continue_beyond, at);
    if (!frame && (!is_read || object_page(o, index_of(r, at), &frame) != OBJECT_OK))
        return refuse(r, WHY_watch_no_content, at);
    if (has_page(r, at))
        return refuse(r, WHY_watch_exists, at);
    frame_get(r->s->pmap.frames, frame);
    return enter(r, at, frame, r->v.flags & MW_VM_MAYSHARE ? r->bits : (r->bits & ~(PTE_W | PTE_D)) | PTE_COW);
}

static int poison_page(const struct resolve *r, uint64_t at)
{
    if (!is_huge(&r->v) && is_beyond(r, at))
        return refuse(r, WHY_watch_beyond, at);
    if (pmap_find(&r->s->pmap, at, NULL))
        return refuse(r, WHY_watch_exists, at);
    return pmap_mark(&r->s->pmap, at, 0, r->level) ? 0 : why_plain(r->why, WHY_no_memory);
}

/* ---- the calls that fill -------------------------------------------------------------------- */

/* What one of them is. */
struct kind {
    page_fn *page;
    uint64_t modes;       /* known ones */
    uint64_t feature;
    bool huge, anonymous; /* can be done to these */
};

static int64_t resolve(struct resolve *r, const struct kind *k, uint64_t mode)
{
    int64_t result;

    why_clear(r->why);
    space_enter(r->s);
    r->protect = mode & k->modes & ~every_call;
    result = check_range(r->s, r->addr, r->length, k->feature, r->why);
    if (!result && (mode & ~k->modes))
        result = why_amount(r->why, WHY_watch_mode, mode, 0);
    if (!result)
        result = find_mapping(r, k->huge, k->anonymous);
    if (!result)
        result = each_page(r, k->page);
    space_leave(r->s);
    return result;
}

int64_t mw_watch_copy(struct mw_watcher *w, uint64_t addr, const void *from, uint64_t length,
                      uint64_t mode, struct mw_why *why)
{
    static const struct kind copy = {
        copy_page, MW_UFFD_COPY_MODE_DONTWAKE | MW_UFFD_COPY_MODE_WP, 0, true, true
    };
    struct resolve r = { .s = w->space, .addr = addr, .length = length, .bytes = from, .why = why };

    return resolve(&r, &copy, mode);
}

int64_t mw_watch_zeropage(struct mw_watcher *w, uint64_t addr, uint64_t length, uint64_t mode,
                          struct mw_why *why)
{
    static const struct kind zero = { zero_page, MW_UFFD_ZEROPAGE_MODE_DONTWAKE, 0, false, true };
    struct resolve r = { .s = w->space, .addr = addr, .length = length, .why = why };

    return resolve(&r, &zero, mode);
}

int64_t mw_watch_continue(struct mw_watcher *w, uint64_t addr, uint64_t length, uint64_t mode,
                          struct mw_why *why)
{
    const struct kind cont = {
        continue_page,
        MW_UFFD_CONTINUE_MODE_DONTWAKE |
            (space_has(w->space, ROW_WATCH_WP_WIDER) ? MW_UFFD_CONTINUE_MODE_WP : 0),
        MW_UFFD_FEATURE_MINOR_HUGETLBFS, true, false
    };
    struct resolve r = { .s = w->space, .addr = addr, .length = length, .why = why };

    return resolve(&r, &cont, mode);
}

int64_t mw_watch_poison(struct mw_watcher *w, uint64_t addr, uint64_t length, uint64_t mode,
                        struct mw_why *why)
{
    static const struct kind poison = {
        poison_page, MW_UFFD_POISON_MODE_DONTWAKE, MW_UFFD_FEATURE_POISON, true, true
    };
    struct resolve r = { .s = w->space, .addr = addr, .length = length, .why = why };

    return resolve(&r, &poison, mode);
}

/* ---- move (WATCH-16, WATCH-17) --------------------------------------------------------------- */

/* The mapping at one end. NULL: none (`r->why` says why). */
static const struct mw_vma *move_end(const struct resolve *r, uint64_t start)
{
    const struct mw_vma *v = tree_at(tree_find(&r->s->tree, start));

    if (v && v->start <= start)
        return v;
    why_at(r->why, WHY_watch_move_absent, start, start);
    return NULL;
}

/* May these two take part? */
static bool can_move(const struct resolve *r, const struct mw_vma *src, const struct mw_vma *dst)
{
    const uint64_t same = MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC | MW_VM_LOCKED;
    const uint64_t never = MW_VM_SHARED | MW_VM_MAYSHARE | MW_VM_HUGETLB | MW_VM_MIRRORED;

    return src->end - r->from >= r->length && dst->end - r->addr >= r->length &&
           !((src->flags | dst->flags) & never) && !((src->flags ^ dst->flags) & same) &&
           (src->flags & MW_VM_WRITE) && is_anonymous(src) && is_anonymous(dst) &&
           (dst->flags & WATCH_OWN & ~WATCH_MODES) == r->w->id;
}

static int find_ends(struct resolve *r)
{
    const struct mw_vma *src, *dst = move_end(r, r->addr);

    if (!dst)
        return -MW_ENOENT;
    edit_touch(r->s, tree_find(&r->s->tree, r->addr)); /* whatever is refused then */
    src = move_end(r, r->from);
    if (!src)
        return -MW_ENOENT;
    if (!can_move(r, src, dst))
        return why_at(r->why, WHY_watch_move_kind, r->addr, r->addr + r->length);
    r->v = *dst;
    r->bits = full_bits(dst->flags);
    return 0;
}

/* How much goes at once: a huge page to where one can be, else a page. */
static uint64_t move_step(const struct resolve *r, uint64_t done)
{
    const struct pmap *pm = &r->s->pmap;
    uint64_t huge = 1ull << pmap_leaf_shift(pm, 2), from = r->from + done, to = r->addr + done;
    uint32_t level;
    const pte_t *e = pmap_find(pm, from, &level);
    bool whole = e && pmap_is_block(pm, *e, level) && !((from | to) & (huge - 1)) &&
                 r->length - done >= huge && pmap_is_vacant(pm, to);

    return whole ? huge : page_size(r->s);
}

static int move_one(const struct resolve *r, uint64_t from, uint64_t to, uint64_t bytes)
{
    struct pmap *pm = &r->s->pmap;
    pte_t *e;
    bool zero;

    if (!pmap_own(pm, from, from + bytes, 0))
        return why_plain(r->why, WHY_no_memory);
    e = pmap_find(pm, from, NULL);
    zero = e && pte_frame(pm, *e) == pm->frames->zero;
    if (!e && !r->holes && !pmap_pages(pm, from)) /* without so much as a table it is seen first */
        return refuse(r, WHY_watch_move_hole, from);
    if (pmap_find(pm, to, NULL))
        return refuse(r, WHY_watch_exists, to);
    if (!e && r->holes)
        return 0;
    if (!e)
        return refuse(r, WHY_watch_move_hole, from);
    if (!pte_page(e))
        return refuse(r, WHY_watch_move_mark, from);
    if ((*e & PTE_COW) && !zero)
        return refuse(r, WHY_watch_move_shared, from);
    if (!pmap_move_reserve(pm, from, to, bytes))
        return why_plain(r->why, WHY_no_memory);
    pmap_move(pm, from, to, bytes);
    pmap_unreserve(pm);
    e = pmap_find(pm, to, NULL);
    pte_set(e, (*e & (PTE_ADDR | PTE_PS)) | (zero ? (r->bits & ~(PTE_W | PTE_D)) | PTE_COW : r->bits));
    return 0;
}

/* As each_page. */
static int64_t move_all(const struct resolve *r)
{
    uint64_t done = 0, step;
    int err = 0;

    for (; !err && done < r->length; done += err ? 0 : step) {
        step = move_step(r, done);
        err = move_one(r, r->from + done, r->addr + done, step);
    }
    space_flush(r->s, r->addr, r->addr + done);
    space_flush(r->s, r->from, r->from + done);
    return done ? (int64_t)done : err;
}

int64_t mw_watch_move(struct mw_watcher *w, uint64_t to, uint64_t from, uint64_t length,
                      uint64_t mode, struct mw_why *why)
{
    const uint64_t known = MW_UFFD_MOVE_MODE_DONTWAKE | MW_UFFD_MOVE_MODE_ALLOW_SRC_HOLES;
    struct resolve r = { .s = w->space, .w = w, .addr = to, .from = from, .length = length,
                         .holes = mode & MW_UFFD_MOVE_MODE_ALLOW_SRC_HOLES, .why = why };
    int64_t result;

    why_clear(why);
    space_enter(r.s);
    result = check_range(r.s, to, length, MW_UFFD_FEATURE_MOVE, why);
    if (!result)
        result = check_range(r.s, from, length, 0, why);
    if (!result && (mode & ~known))
        result = why_amount(why, WHY_watch_mode, mode, 0);
    if (!result)
        result = find_ends(&r);
    if (!result)
        result = move_all(&r);
    space_leave(r.s);
    return result;
}

/* ---- writeprotect (WATCH-15) ------------------------------------------------------------------ */

/* Absent pages of [at.start, at.end), part of `v`, are marked. */
static int mark_absent(struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                       struct mw_why *why)
{
    if (is_anonymous(v) && !is_huge(v) && !watch_asks(s, v->flags, MW_UFFD_FEATURE_WP_UNPOPULATED))
        return 0;
    for (; at.start < at.end; at.start += vma_page(s, v))
        if (!pmap_find(&s->pmap, at.start, NULL) &&
            !pmap_mark(&s->pmap, at.start, PTE_WP, vma_level(v)))
            return why_plain(why, WHY_no_memory);
    return 0;
}

/* The part of `call`, the whole range, that lies in `v`. */
static int protect_one(struct mw_space *s, const struct mw_vma *v, struct mw_range call, bool protect,
                       struct mw_why *why)
{
    const struct mw_range at = { max_u64(v->start, call.start), min_u64(v->end, call.end) };

    if (!(v->flags & MW_VM_UFFD_WP))
        return why_at(why, WHY_watch_unprotected, at.start, at.end);
    if ((call.start | call.end) & (vma_page(s, v) - 1))
        return why_at(why, WHY_watch_huge, call.start, call.end);
    pmap_watch(&s->pmap, at.start, at.end, protect);
    space_flush(s, at.start, at.end);
    return protect ? mark_absent(s, v, at, why) : 0;
}

static int protect(struct mw_space *s, struct mw_range at, bool on, struct mw_why *why)
{
    int err = why_at(why, WHY_watch_unprotected, at.start, at.end); /* unless something is mapped */
    const struct mw_vma *first = tree_at(tree_find(&s->tree, at.start));

    if (!space_has(s, ROW_WATCH_WP_WIDER) && (!first || first->start > at.start || first->end < at.end))
        return err;
    for (struct cursor c = tree_find(&s->tree, at.start); c.leaf && tree_at(c)->start < at.end;
         c = tree_next(c)) {
        err = protect_one(s, tree_at(c), at, on, why);
        if (err)
            return err;
        why_clear(why);
    }
    return err;
}

int64_t mw_watch_writeprotect(struct mw_watcher *w, uint64_t addr, uint64_t length, uint64_t mode,
                              struct mw_why *why)
{
    const uint64_t known = MW_UFFD_WRITEPROTECT_MODE_WP | MW_UFFD_WRITEPROTECT_MODE_DONTWAKE;
    struct mw_space *s = w->space;
    int err;

    why_clear(why);
    space_enter(s);
    err = check_range(s, addr, length, MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP, why);
    if (!err && ((mode & ~known) || (mode & known) == known))
        err = why_amount(why, WHY_watch_mode, mode, 0);
    if (!err)
        err = protect(s, (struct mw_range){ addr, addr + length },
                      mode & MW_UFFD_WRITEPROTECT_MODE_WP, why);
    space_leave(s);
    return err;
}

bool mw_watch_is_protected(const struct mw_space *s, uint64_t addr)
{
    const pte_t *e = s->pmap.frames && addr < pmap_reach(&s->pmap) ? pmap_find(&s->pmap, addr, NULL) : NULL;

    return e && (*e & PTE_WP);
}
