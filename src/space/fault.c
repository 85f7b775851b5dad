/* SPDX-License-Identifier: MIT */
/* fault.c - what an access meets: demand paging, copy on write, growing stacks. */
#include "space/fault.h"

#include "base/mem.h"
#include "space/huge.h"
#include "space/rmap.h"
#include "space/thp.h"
#include "space/watch.h"
#include "vma/account.h"
#include "vma/edit.h"

/*
 * Does the protection allow the access? x86: what is mapped for anything can
 * be read, but on a CPU with protection keys not what is for execution only.
 */
static bool allowed(uint64_t flags, uint32_t access)
{
    if (access & MW_ACCESS_WRITE)
        return (flags & MW_VM_WRITE) != 0;
    if (access & MW_ACCESS_EXEC)
        return (flags & MW_VM_EXEC) != 0;
    return (flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC)) && !(flags & MW_VM_EXEC_ONLY);
}

/* ---- growing stacks (STACK-1..4) ------------------------------------------------ */

/* Is there room for a stack that begins at `start`, above `prev`? */
static bool stack_has_room(const struct mw_space *s, const struct mw_vma *prev, uint64_t start)
{
    uint64_t gap = stack_guard(s);
    bool accessible = prev && (prev->flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC));

    if (start < max_u64(max_u64(s->cfg.min_addr, s->cfg.min_hint), page_size(s)))
        return false;
    if (prev && prev->end > start)
        return false;
    return !accessible || (prev->flags & MW_VM_GROWSDOWN) || start - prev->end >= gap;
}

/* Do the limits let the stack `v` begin at `start`? */
static bool stack_is_granted(const struct mw_space *s, const struct mw_vma *v, uint64_t start)
{
    uint64_t grown = v->start - start;

    if (v->end - start > s->cfg.limit_stack || grown > v->offset)
        return false; /* (what was touched near address 0 and moved has but a small offset; so has a mirror) */
    return !account_lock(s, v->flags, grown, NULL, NULL) &&
           !account_room(s, v->flags, to_pages(s, grown), NULL, NULL) &&
           !account_commit(s, to_pages(s, grown), NULL);
}

/* Nothing is mapped at `addr`; a stack above may grow down to it. */
static bool stack_grow(struct mw_space *s, uint64_t addr)
{
    uint64_t start = page_down(addr, s->cfg.page_shift);
    struct cursor c = tree_find(&s->tree, addr);
    struct mw_vma v;

    if (!c.leaf || !(tree_at(c)->flags & MW_VM_GROWSDOWN))
        return false;
    if (!stack_has_room(s, tree_at(tree_prev(&s->tree, c)), start))
        return false;
    edit_touch(s, c); /* even if a limit then refuses */
    v = *tree_at(c);
    if (!stack_is_granted(s, &v, start))
        return false;
    edit_extend_down(s, v.start, start); /* locked or not: the other pages come as they are accessed */
    return true;
}

/* ---- pages ------------------------------------------------------------------------ */

static enum mw_fault_result object_fault(enum object_result r)
{
    return r == OBJECT_OK ? MW_FAULT_OK : r == OBJECT_OOM ? MW_FAULT_OOM : MW_FAULT_BUS_ADRERR;
}

/* One access that the VMA allows, on its way to a page. */
struct access {
    struct mw_space *s;
    struct cursor c;
    const struct mw_vma *vma; /* at c */
    uint64_t addr;  /* of the page, huge or not */
    uint64_t exact;
    uint32_t level; /* of the entries that map this VMA's pages */
    pte_t grant;
    bool write;
};

static const struct mw_vma *vma(const struct access *a) { return a->vma; }

static uint64_t offset_of(const struct access *a)
{
    return vma(a)->offset + (a->addr - vma(a)->start);
}

/* A shared page that is written to will have to be written back. */
static void note_write(const struct access *a)
{
    if (vma(a)->flags & MW_VM_MAYSHARE)
        object_soil(vma(a)->object, offset_of(a) >> pmap_leaf_shift(&a->s->pmap, a->level));
}

static size_t page_bytes(const struct access *a)
{
    return (size_t)1 << pmap_leaf_shift(&a->s->pmap, a->level);
}

/* The frame behind the page before anybody wrote: the object's, or zeros (0: of a huge page). */
static enum mw_fault_result source_frame(const struct access *a, frame_t *frame)
{
    struct mw_object *o = vma(a)->object;
    uint64_t index = offset_of(a) >> pmap_leaf_shift(&a->s->pmap, a->level);

    *frame = a->level > 1 ? 0 : a->s->pmap.frames->zero;
    if (!o || (is_anonymous(vma(a)) && a->level == 1))
        return MW_FAULT_OK;
    if (!o->frames)
        return MW_FAULT_BUS_ADRERR;
    if (a->level > 1 && !(vma(a)->flags & MW_VM_MAYSHARE)) {
        *frame = object_peek(o, index); /* what is not there the copy has as zeros */
        return offset_of(a) < o->size ? MW_FAULT_OK : MW_FAULT_BUS_ADRERR;
    }
    return object_fault(object_page(o, index, frame));
}

/*
 * A private page with the content of `from` (0 and the zero frame: zeros).
 * `owed`: if huge, it is the mapping's first of its own there. 0: no memory.
 */
static frame_t private_copy(const struct access *a, frame_t from, bool owed)
{
    struct mw_frames *f = a->s->pmap.frames;
    bool zeros = !from || from == f->zero;
    frame_t n;

    n = a->level > 1 ? frame_alloc_huge(f, a->level, owed && huge_is_promised(vma(a)))
                     : frame_alloc(f);
    if (n && zeros)
        memset(frame_ptr(f, n), 0, page_bytes(a));
    else if (n)
        memcpy(frame_ptr(f, n), frame_ptr(f, from), page_bytes(a));
    return n;
}

static enum mw_fault_result no_frame(const struct access *a)
{
    bool gone = a->level > 1 && !frame_huge_waits(a->s->pmap.frames, a->level);

    return gone ? MW_FAULT_BUS_ADRERR : MW_FAULT_OOM;
}

static void put(const struct access *a, frame_t frame)
{
    if (a->level > 1)
        frame_put_huge(a->s->pmap.frames, frame, a->level);
    else
        frame_put(a->s->pmap.frames, frame);
}

/* Enters `frame`; takes over the caller's reference, also on failure. */
static enum mw_fault_result enter(const struct access *a, frame_t frame, pte_t bits)
{
    if (pmap_enter(&a->s->pmap, a->addr, frame, bits | PTE_A, a->level))
        return MW_FAULT_OK;
    put(a, frame);
    return MW_FAULT_OOM;
}

static enum mw_fault_result enter_copy(const struct access *a, frame_t from)
{
    frame_t own = private_copy(a, from, true);

    return own ? enter(a, own, a->grant | (a->write ? PTE_D : 0)) : no_frame(a);
}

/* First access to a page that no entry knows. */
static enum mw_fault_result fault_absent(const struct access *a)
{
    enum mw_fault_result r;
    frame_t from;

    if (a->write)
        edit_touch(a->s, a->c); /* first of all: even a write that gets SIGBUS counts (ANON-1) */
    if (a->level == 1 && a->s->cfg.thp != MW_THP_NEVER && thp_fault(a->s, a->c, a->addr, a->grant, a->write))
        return MW_FAULT_OK;
    r = source_frame(a, &from);
    if (r != MW_FAULT_OK)
        return r;
    if (vma(a)->flags & MW_VM_MAYSHARE) {
        if (a->write)
            note_write(a);
        frame_get(a->s->pmap.frames, from);
        return enter(a, from, a->write ? a->grant | PTE_D : a->grant & ~PTE_W);
    }
    if (a->write || !from)
        return enter_copy(a, from);
    frame_get(a->s->pmap.frames, from);
    return enter(a, from, (a->grant & ~PTE_W) | PTE_COW);
}

/* A write to a page that is present and not writable. */
static enum mw_fault_result fault_write(const struct access *a, pte_t *entry)
{
    pte_t bits = a->grant | PTE_A | PTE_D;
    frame_t frame, own;

    if (a->level == 1 && (*entry & (PTE_PS | PTE_ZEROS)))
        entry = thp_write(a->s, a->c, a->addr, entry, a->grant);
    frame = pte_frame(&a->s->pmap, *entry);
    if (!(*entry & PTE_COW) ||
        (frame != a->s->pmap.frames->zero && a->s->pmap.frames->meta[frame].refs == 1)) {
        pte_set(entry, (*entry & (PTE_ADDR | PTE_PS)) | bits);
        note_write(a);
        return MW_FAULT_OK;
    }
    own = private_copy(a, frame, a->level > 1 && rmap_is_objects(a->s, vma(a), a->addr, frame));
    if (!own)
        return no_frame(a);
    space_flush(a->s, a->addr, a->addr + page_bytes(a));
    pmap_replace(&a->s->pmap, entry, own, bits, a->level);
    edit_touch(a->s, a->c);
    return MW_FAULT_OK;
}

/*
 * A mirror's page that a fork has left to be copied: where the index shares its
 * tables with the space, every address of the page sees the copy at once.
 */
static void flush_aliases(const struct access *a)
{
    const struct pmap *index = &mirror_of(vma(a)->object)->index;
    uint64_t offset = offset_of(a);
    const pte_t *e = pmap_find(index, offset, NULL);

    if (!e || !(*e & PTE_COW) || !pmap_is_linked(index, offset))
        return;
    for (struct cursor c = tree_first(&a->s->tree); c.leaf; c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if (v->object == vma(a)->object && offset - v->offset < v->end - v->start)
            space_flush(a->s, v->start + (offset - v->offset),
                        v->start + (offset - v->offset) + page_bytes(a));
    }
}

/* Mirrored memory: the page is the index's, and this address an alias of it. */
static enum mw_fault_result fault_mirror(const struct access *a)
{
    pte_t *entry, dirty = a->write ? PTE_A | PTE_D : PTE_A;
    enum object_result r;
    frame_t frame;

    flush_aliases(a);
    r = mirror_page(mirror_of(vma(a)->object), offset_of(a), &frame);
    if (r != OBJECT_OK)
        return object_fault(r);
    entry = pmap_find(&a->s->pmap, a->addr, NULL);
    if (entry) { /* in a table that the index links too, or an alias that was read only */
        pte_set(entry, (*entry & (PTE_ADDR | PTE_PS | PTE_D | PTE_ALIAS)) | a->grant | dirty);
        return MW_FAULT_OK;
    }
    return pmap_enter(&a->s->pmap, a->addr, frame, a->grant | dirty | PTE_ALIAS, a->level) ? MW_FAULT_OK : MW_FAULT_OOM;
}

static enum mw_fault_result fault_present(const struct access *a, pte_t *entry)
{
    if (*entry & PTE_GUARD)
        return MW_FAULT_SEGV_MAPERR;
    if (*entry & PTE_MARK)
        return MW_FAULT_BUS_MCEERR;
    if (!(*entry & PTE_P)) /* held through PROT_NONE */
        pte_set(entry, (*entry & ~(pte_t)PTE_HELD) | (a->grant & ~PTE_W));
    if (a->write && !(*entry & PTE_W))
        return vma(a)->flags & MW_VM_MIRRORED ? fault_mirror(a) : fault_write(a, entry);
    pte_set(entry, *entry | (a->write ? PTE_A | PTE_D : PTE_A));
    return MW_FAULT_OK;
}

/* Nobody watches, or nobody minds. A mark of write protection is no page. */
static enum mw_fault_result fault_plain(const struct access *a, pte_t *entry)
{
    if (entry && (*entry & (PTE_MARK | PTE_WP)) != (PTE_MARK | PTE_WP))
        return fault_present(a, entry);
    return vma(a)->flags & MW_VM_MIRRORED ? fault_mirror(a) : fault_absent(a);
}

/* ---- watched memory (WATCH-6..9) ------------------------------------------------------ */

/* The access is the watcher's to resolve. */
static enum mw_fault_result watched(const struct access *a, uint32_t why)
{
    struct mw_watcher *w = watch_of(a->s, vma(a)->flags);

    if (w->features & MW_UFFD_FEATURE_SIGBUS)
        return MW_FAULT_BUS_ADRERR;
    a->s->met.by = w;
    a->s->met.addr = w->features & MW_UFFD_FEATURE_EXACT_ADDRESS ? a->exact : a->addr;
    a->s->met.flags = why | (a->write ? MW_UFFD_PAGEFAULT_FLAG_WRITE : 0);
    return MW_FAULT_WATCHED;
}

/* Is a page that no entry knows watched for being absent, or (then `*why` says so) for not being mapped? */
static bool is_missed(const struct access *a, uint32_t *why)
{
    const struct mw_object *o = vma(a)->object;
    bool there;

    *why = 0;
    if (is_anonymous(vma(a)) && a->level == 1)
        return vma(a)->flags & MW_VM_UFFD_MISSING;
    if (offset_of(a) >= o->size)
        return false;
    there = object_peek(o, offset_of(a) >> pmap_leaf_shift(&a->s->pmap, a->level)) ||
            (o->ops && o->ops->read);
    *why = there ? MW_UFFD_PAGEFAULT_FLAG_MINOR : 0;
    return vma(a)->flags & (there ? MW_VM_UFFD_MINOR : MW_VM_UFFD_MISSING);
}

/* A marked page becomes present, a page of its own where it would be written, write-protected as the mark says. */
static enum mw_fault_result fault_marked(const struct access *a)
{
    enum mw_fault_result r = fault_absent(a);
    pte_t *entry;

    if (r != MW_FAULT_OK)
        return r;
    entry = pmap_find(&a->s->pmap, a->addr, NULL);
    pte_set(entry, (*entry & ~PTE_W) | PTE_WP);
    return a->write ? watched(a, MW_UFFD_PAGEFAULT_FLAG_WP) : MW_FAULT_OK;
}

/* Of a huge page, or one of zeros, the others stay protected. */
static pte_t *unprotect_page(const struct access *a)
{
    pte_t *entry;

    pmap_split(&a->s->pmap, a->addr);
    entry = pmap_find(&a->s->pmap, a->addr, NULL);
    pte_set(entry, *entry & ~(PTE_WP | PTE_ZEROS));
    return entry;
}

static enum mw_fault_result fault_watched(struct access *a, pte_t *entry)
{
    bool absent = !entry || ((*entry & PTE_MARK) && (*entry & PTE_WP));
    bool protected = entry && (*entry & PTE_WP) && (vma(a)->flags & MW_VM_UFFD_WP);
    uint32_t why;

    if (absent && entry && !(vma(a)->flags & MW_VM_UFFD_WP)) { /* a mark that nobody asks for any more */
        pmap_zap(&a->s->pmap, a->addr, a->addr + page_bytes(a));
        entry = NULL;
    }
    if (absent && is_missed(a, &why)) {
        if (a->write)
            edit_touch(a->s, a->c);
        return watched(a, why);
    }
    if (protected && a->write && watch_asks(a->s, vma(a)->flags, MW_UFFD_FEATURE_WP_ASYNC)) {
        if (!absent)
            entry = unprotect_page(a);
        return fault_plain(a, entry);
    }
    if (protected && absent)
        return fault_marked(a);
    return protected && a->write ? watched(a, MW_UFFD_PAGEFAULT_FLAG_WP) : fault_plain(a, entry);
}

/* That memory can't be executed the CPU finds when the page is there: a guard comes first. */
static enum mw_fault_result refused(const struct mw_space *s, const struct access *a, uint64_t addr,
                                    uint32_t access)
{
    const pte_t *e = access & MW_ACCESS_EXEC ? pmap_find(&s->pmap, addr, NULL) : NULL;

    return e && (*e & PTE_GUARD) && allowed(vma(a)->flags, MW_ACCESS_READ) ? MW_FAULT_SEGV_MAPERR
                                                                           : MW_FAULT_SEGV_ACCERR;
}

enum mw_fault_result fault_page(struct mw_space *s, uint64_t addr, uint32_t access)
{
    struct access a = { .s = s, .exact = addr, .write = access & MW_ACCESS_WRITE };
    pte_t *entry;

    if (tree_is_far(&s->tree))
        pmap_fetch(&s->pmap, addr); /* while the index is searched */
    a.c = tree_find(&s->tree, addr);
    a.vma = tree_at(a.c);
    if (!a.vma || a.vma->start > addr) {
        if (!stack_grow(s, addr))
            return MW_FAULT_SEGV_MAPERR;
        a.c = tree_find(&s->tree, addr);
        a.vma = tree_at(a.c);
    }
    if (!allowed(vma(&a)->flags, access))
        return refused(s, &a, addr, access);
    a.grant = pmap_grant(vma(&a)->flags);
    a.level = vma_level(vma(&a));
    a.addr = addr & ~(uint64_t)(page_bytes(&a) - 1);
    entry = pmap_find(&s->pmap, addr, NULL);
    if (entry && s->pool.forked && (a.write || !(*entry & PTE_P))) {
        if (!pmap_own(&s->pmap, a.addr, a.addr + page_bytes(&a), 0))
            return MW_FAULT_OOM;
        entry = pmap_find(&s->pmap, addr, NULL);
    }
    return vma(&a)->flags & WATCH_MODES ? fault_watched(&a, entry) : fault_plain(&a, entry);
}

enum mw_fault_result mw_fault(struct mw_space *s, uint64_t addr, uint32_t access)
{
    return mw_watch_fault(s, addr, access, &(struct mw_watch_message){ 0 });
}

enum mw_fault_result mw_watch_fault(struct mw_space *s, uint64_t addr, uint32_t access,
                                    struct mw_watch_message *message)
{
    enum mw_fault_result r;

    if (!s->pmap.frames)
        return MW_FAULT_NOSYS;
    space_enter(s);
    r = fault_page(s, addr, access);
    if (r == MW_FAULT_WATCHED)
        *message = (struct mw_watch_message){ s->met.by, s->met.addr, s->met.flags };
    space_leave(s);
    return r;
}

/* ---- populating ---------------------------------------------------------------------- */

/* Where in [at, end) of `v` its object ends, for a space without pages. */
static uint64_t object_end(const struct mw_space *s, const struct mw_vma *v, uint64_t at, uint64_t end)
{
    uint64_t size = v->object && !is_anonymous(v) ? round_up(s, v->object->size) : UINT64_MAX;

    if (size == 0 && v->object->size) /* of all 2^64 bytes */
        return end;
    if (size <= v->offset)
        return at;
    return max_u64(at, min_u64(end, add_ceil(v->start, size - v->offset)));
}

/* What it does to a space without pages: private memory that is written is touched. */
static enum mw_fault_result touch_pages(struct mw_space *s, struct cursor c, uint64_t *at,
                                        uint64_t end, uint32_t access)
{
    if (!allowed(tree_at(c)->flags, access))
        return MW_FAULT_SEGV_ACCERR;
    if (access & MW_ACCESS_WRITE)
        edit_touch(s, c);
    *at = object_end(s, tree_at(c), *at, end);
    return *at < end ? MW_FAULT_BUS_ADRERR : MW_FAULT_OK;
}

enum mw_fault_result fault_pages(struct mw_space *s, uint64_t *at, uint64_t end, uint32_t access)
{
    struct cursor c = tree_find(&s->tree, *at);
    enum mw_fault_result r = MW_FAULT_OK;

    if (!s->pmap.frames)
        return touch_pages(s, c, at, end, access);
    while (*at < end) {
        r = fault_page(s, *at, access);
        if (r != MW_FAULT_OK)
            break;
        *at += page_size(s);
    }
    return r;
}

/* A mapping's pages, if it is of a kind that is populated. */
static enum mw_fault_result populate_part(struct mw_space *s, uint64_t *at, uint64_t end,
                                          uint64_t flags)
{
    bool copies = (flags & (MW_VM_SHARED | MW_VM_WRITE)) == MW_VM_WRITE;

    if ((flags & MW_VM_LOCKONFAULT) && !allowed(flags, MW_ACCESS_READ) &&
        space_has(s, ROW_ONFAULT_IS_LOOKED_AT))
        return MW_FAULT_SEGV_ACCERR;
    if (flags & (MW_VM_LOCKONFAULT | MW_VM_IO | MW_VM_PFNMAP))
        return MW_FAULT_OK;
    return fault_pages(s, at, end, copies ? MW_ACCESS_WRITE : MW_ACCESS_READ);
}

enum mw_fault_result fault_populate_range(struct mw_space *s, uint64_t *at, uint64_t end)
{
    for (uint64_t next; *at < end; *at = next) {
        const struct mw_vma *v = tree_at(tree_find(&s->tree, *at));
        enum mw_fault_result r;

        if (!v || v->start >= end)
            break;
        *at = max_u64(*at, v->start);
        next = min_u64(v->end, end);
        r = populate_part(s, at, next, v->flags);
        if (r != MW_FAULT_OK)
            return r;
    }
    return MW_FAULT_OK;
}

void fault_populate(struct mw_space *s, uint64_t start, uint64_t end)
{
    while (start < end) {
        const struct mw_vma *v = tree_at(tree_find(&s->tree, start));
        uint64_t next;

        if (!v || v->start >= end)
            return;
        start = max_u64(start, v->start);
        next = min_u64(v->end, end);
        populate_part(s, &start, next, v->flags);
        start = next;
    }
}

/* ---- copies ------------------------------------------------------------------------- */

/* The host address of `addr`, after a fault has made the access possible. */
static unsigned char *host(const struct mw_space *s, uint64_t addr)
{
    uint32_t level;
    frame_t n = pte_frame(&s->pmap, *pmap_find(&s->pmap, addr, &level));

    return (unsigned char *)frame_ptr(s->pmap.frames, n) +
           (addr & ((1ull << pmap_leaf_shift(&s->pmap, level)) - 1));
}

/* Copies page by page; exactly one of `to` and `from` is given. */
static uint64_t copy(struct mw_space *s, uint64_t addr, unsigned char *to,
                     const unsigned char *from, uint64_t length, enum mw_fault_result *fault)
{
    uint64_t done = 0;

    *fault = MW_FAULT_OK;
    while (done < length) {
        uint64_t at = addr + done, n = page_size(s) - (at & (page_size(s) - 1));

        if (at < addr) {
            *fault = MW_FAULT_SEGV_MAPERR;
            break;
        }
        n = min_u64(n, length - done);
        *fault = fault_page(s, at, to ? MW_ACCESS_READ : MW_ACCESS_WRITE);
        if (*fault != MW_FAULT_OK)
            break;
        if (to)
            memcpy(to + done, host(s, at), (size_t)n);
        else
            memcpy(host(s, at), from + done, (size_t)n);
        done += n;
    }
    return done;
}

static uint64_t copy_locked(struct mw_space *s, uint64_t addr, void *to, const void *from,
                            uint64_t length, enum mw_fault_result *fault)
{
    enum mw_fault_result r = MW_FAULT_NOSYS;
    uint64_t n = 0;

    if (s->pmap.frames) {
        space_enter(s);
        n = copy(s, addr, to, from, length, &r);
        space_leave(s);
    }
    if (fault)
        *fault = r;
    return n;
}

uint64_t mw_read(struct mw_space *s, uint64_t addr, void *buf, uint64_t length,
                 enum mw_fault_result *fault)
{
    return copy_locked(s, addr, buf, NULL, length, fault);
}

uint64_t mw_write(struct mw_space *s, uint64_t addr, const void *buf, uint64_t length,
                  enum mw_fault_result *fault)
{
    return copy_locked(s, addr, NULL, buf, length, fault);
}
