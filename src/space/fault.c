/* SPDX-License-Identifier: MIT */
/* fault.c - what an access meets: demand paging, copy on write, growing stacks. */
#include "space/fault.h"

#include "base/mem.h"
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
    uint64_t gap = s->cfg.stack_gap << s->cfg.page_shift;
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

    if (v->end - start > s->cfg.limit_stack)
        return false;
    return !account_lock(s, v->flags, grown, NULL) &&
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
    edit_extend_down(s, v.start, start);
    if (v.flags & MW_VM_LOCKED)
        fault_populate(s, start, v.start);
    return true;
}

/* ---- pages ------------------------------------------------------------------------ */

static enum mw_fault_result object_fault(enum object_result r)
{
    return r == OBJECT_OK ? MW_FAULT_OK : r == OBJECT_OOM ? MW_FAULT_OOM : MW_FAULT_BUS_ADRERR;
}

static bool is_anon(const struct mw_vma *v)
{
    return !v->object ||
           (!(v->flags & MW_VM_SHARED) && (mw_object_flags(v->object) & MW_OBJ_ANON));
}

static uint64_t object_index(const struct mw_space *s, const struct mw_vma *v, uint64_t addr)
{
    return (v->offset + (addr - v->start)) >> s->cfg.page_shift;
}

/* The frame behind `addr` before anybody wrote: the object's, or zeros. */
static enum mw_fault_result source_frame(struct mw_space *s, const struct mw_vma *v,
                                         uint64_t addr, frame_t *frame)
{
    if (is_anon(v)) {
        *frame = s->pmap.frames->zero;
        return MW_FAULT_OK;
    }
    if (!v->object->frames)
        return MW_FAULT_BUS_ADRERR;
    return object_fault(object_page(v->object, object_index(s, v, addr), frame));
}

/* A private frame with the content of `from`. 0: no memory. */
static frame_t private_copy(struct mw_space *s, frame_t from)
{
    struct mw_frames *f = s->pmap.frames;
    frame_t n;

    if (from == f->zero)
        return frame_alloc_zeroed(f);
    n = frame_alloc(f);
    if (n)
        memcpy(frame_ptr(f, n), frame_ptr(f, from), (size_t)1 << f->page_shift);
    return n;
}

/* Enters `frame` at `addr`; takes over the caller's reference, also on failure. */
static enum mw_fault_result enter(struct mw_space *s, uint64_t addr, frame_t frame, pte_t bits)
{
    if (pmap_enter(&s->pmap, addr, frame, bits | PTE_A))
        return MW_FAULT_OK;
    frame_put(s->pmap.frames, frame);
    return MW_FAULT_OOM;
}

/* First access to a page that no entry knows. */
static enum mw_fault_result fault_absent(struct mw_space *s, struct cursor c, uint64_t addr,
                                         bool write)
{
    const struct mw_vma *v = tree_at(c);
    pte_t grant = pmap_grant(v->flags);
    enum mw_fault_result r;
    frame_t from, own;

    if (write)
        edit_touch(s, c); /* first of all: even a write that gets SIGBUS counts (ANON-1) */
    r = source_frame(s, v, addr, &from);
    if (r != MW_FAULT_OK)
        return r;
    if (!write || (v->flags & MW_VM_SHARED)) {
        frame_get(s->pmap.frames, from);
        return enter(s, addr, from, write ? grant | PTE_D : grant & ~PTE_W);
    }
    own = private_copy(s, from);
    if (!own)
        return MW_FAULT_OOM;
    return enter(s, addr, own, grant | PTE_D);
}

/* A write to a page that is present and not writable. */
static enum mw_fault_result fault_write(struct mw_space *s, struct cursor c, pte_t *entry)
{
    pte_t bits = pmap_grant(tree_at(c)->flags) | PTE_A | PTE_D;
    frame_t frame = pte_frame(&s->pmap, *entry), own;

    if ((tree_at(c)->flags & MW_VM_SHARED) || s->pmap.frames->meta[frame].refs == 1) {
        *entry = (*entry & PTE_ADDR) | bits;
        return MW_FAULT_OK;
    }
    own = private_copy(s, frame);
    if (!own)
        return MW_FAULT_OOM;
    pmap_replace(&s->pmap, entry, own, bits);
    edit_touch(s, c);
    return MW_FAULT_OK;
}

enum mw_fault_result fault_page(struct mw_space *s, uint64_t addr, uint32_t access)
{
    bool write = access & MW_ACCESS_WRITE;
    struct cursor c = tree_find(&s->tree, addr);
    pte_t *entry;

    if (!c.leaf || tree_at(c)->start > addr) {
        if (!stack_grow(s, addr))
            return MW_FAULT_SEGV_MAPERR;
        c = tree_find(&s->tree, addr);
    }
    if (!allowed(tree_at(c)->flags, access))
        return MW_FAULT_SEGV_ACCERR;
    entry = pmap_find(&s->pmap, addr);
    if (!entry || !pte_used(*entry))
        return fault_absent(s, c, addr, write);
    if (!(*entry & PTE_P)) /* held through PROT_NONE */
        *entry = (*entry & PTE_ADDR) | (pmap_grant(tree_at(c)->flags) & ~PTE_W) | PTE_A;
    if (write && !(*entry & PTE_W))
        return fault_write(s, c, entry);
    *entry |= write ? PTE_A | PTE_D : PTE_A;
    return MW_FAULT_OK;
}

enum mw_fault_result mw_fault(struct mw_space *s, uint64_t addr, uint32_t access)
{
    enum mw_fault_result r;

    if (!s->pmap.frames)
        return MW_FAULT_NOSYS;
    space_enter(s);
    r = fault_page(s, addr, access);
    if (r == MW_FAULT_OK)
        space_flush(s, page_down(addr, s->cfg.page_shift),
                    page_down(addr, s->cfg.page_shift) + page_size(s));
    space_leave(s);
    return r;
}

/* What populating does to a space without pages: writable private memory is touched. */
static void touch_populated(struct mw_space *s, uint64_t start, uint64_t end)
{
    for (struct cursor c = tree_find(&s->tree, start); c.leaf && tree_at(c)->start < end;
         c = tree_next(c)) {
        uint64_t flags = tree_at(c)->flags;

        if (!allowed(flags, MW_ACCESS_READ) || (flags & MW_VM_LOCKONFAULT))
            return;
        if ((flags & (MW_VM_SHARED | MW_VM_WRITE)) == MW_VM_WRITE)
            edit_touch(s, c);
    }
}

void fault_populate(struct mw_space *s, uint64_t start, uint64_t end)
{
    if (!s->pmap.frames) {
        touch_populated(s, start, end);
        return;
    }
    for (uint64_t at = start; at < end; at += page_size(s)) {
        const struct mw_vma *v = tree_at(tree_find(&s->tree, at));
        uint32_t access = MW_ACCESS_READ;

        if (!v || v->start > at || (v->flags & MW_VM_LOCKONFAULT))
            return;
        if ((v->flags & (MW_VM_SHARED | MW_VM_WRITE)) == MW_VM_WRITE)
            access = MW_ACCESS_WRITE;
        if (fault_page(s, at, access) != MW_FAULT_OK)
            return;
    }
}

/* ---- copies ------------------------------------------------------------------------- */

/* The host address of `addr`, after a fault has made the access possible. */
static unsigned char *host(const struct mw_space *s, uint64_t addr)
{
    frame_t n = pte_frame(&s->pmap, *pmap_find(&s->pmap, addr));

    return (unsigned char *)frame_ptr(s->pmap.frames, n) + (addr & (page_size(s) - 1));
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
        if (n && from)
            space_flush(s, page_down(addr, s->cfg.page_shift),
                        page_up(addr + n, s->cfg.page_shift));
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
