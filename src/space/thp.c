/* SPDX-License-Identifier: MIT */
/* thp.c - transparent huge pages. */
#include "space/thp.h"

#include "base/mem.h"
#include "mem/block.h"
#include "vma/edit.h"

static uint64_t huge_bytes(const struct mw_space *s) { return 1ull << pmap_leaf_shift(&s->pmap, 2); }

static struct mw_range huge_at(const struct mw_space *s, uint64_t addr)
{
    uint64_t start = addr & ~(huge_bytes(s) - 1);

    return (struct mw_range){ start, start + huge_bytes(s) };
}

/* Memory of this kind has huge pages, if they are asked for. */
static bool is_kind(const struct mw_vma *v)
{
    const uint64_t others = MW_VM_MAYSHARE | MW_VM_HUGETLB | MW_VM_MIRRORED | MW_VM_PFNMAP | MW_VM_IO;

    return is_anonymous(v) && !(v->flags & (others | MW_VM_NOHUGEPAGE));
}

static bool is_disabled(const struct mw_space *s) { return s->thp_disable == MW_THP_DISABLE; }

/* In a mode other than never: they come by access to this memory. */
static bool is_wanted(const struct mw_space *s, const struct mw_vma *v)
{
    bool advised = v->flags & MW_VM_HUGEPAGE;

    if (!(s->cfg.options & MW_OPT_THP) || is_disabled(s) || !is_kind(v))
        return false;
    return advised || (s->cfg.thp == MW_THP_ALWAYS && !s->thp_disable);
}

static bool holds(const struct mw_vma *v, struct mw_range huge)
{
    return v->start <= huge.start && huge.end <= v->end;
}

bool thp_eligible(const struct mw_space *s, const struct mw_vma *v)
{
    uint64_t last = v->end & ~(huge_bytes(s) - 1);

    return s->cfg.thp != MW_THP_NEVER && is_wanted(s, v) && last > v->start && last - v->start >= huge_bytes(s);
}

/* Is each absent page a watcher's? What was imported as watched may be. */
static bool is_missed(const struct mw_vma *v)
{
    return (v->flags & (MW_VM_UFFD | MW_VM_UFFD_WP)) == MW_VM_UFFD;
}

bool thp_fault(struct mw_space *s, struct cursor c, uint64_t addr, pte_t grant, bool write)
{
    const struct mw_vma *v = tree_at(c);
    struct mw_range huge = huge_at(s, addr);
    frame_t n;

    if (!is_wanted(s, v) || is_missed(v) || !holds(v, huge) || !pmap_is_vacant(&s->pmap, addr))
        return false;
    edit_touch(s, c); /* even to read */
    if (!write)
        return pmap_enter_zeros(&s->pmap, addr, (grant & ~PTE_W) | PTE_COW | PTE_A);
    n = block_alloc_zeroed(s->pmap.frames);
    if (!n)
        return false;
    if (pmap_enter_block(&s->pmap, addr, n, grant | PTE_A | PTE_D))
        return true;
    block_put(s->pmap.frames, n);
    return false;
}

/* Is it as thp_fault leaves it for reading? */
static bool all_zeros(const struct mw_space *s, const pte_t *pages)
{
    for (uint32_t i = 0; i < block_size(s->pmap.frames); i++)
        if (!(pages[i] & PTE_ZEROS))
            return false;
    return true;
}

/* The first write to a huge page of zeros, whatever is advised by now. False: a page is the way. */
static bool write_zeros(struct mw_space *s, struct cursor c, uint64_t addr, pte_t grant)
{
    struct mw_range huge = huge_at(s, addr);
    const pte_t *pages;
    frame_t n;

    if (!holds(tree_at(c), huge) || !space_has(s, ROW_HUGE_ZEROS_WRITTEN) || s->pmap.frames->readers)
        return false;
    pages = pmap_pages(&s->pmap, addr);
    n = pages && all_zeros(s, pages) ? block_alloc_zeroed(s->pmap.frames) : 0;
    if (!n)
        return false;
    pmap_join(&s->pmap, addr, n, grant | PTE_A | PTE_D);
    space_flush(s, huge.start, huge.end);
    return true;
}

pte_t *thp_write(struct mw_space *s, struct cursor c, uint64_t addr, pte_t *entry, pte_t grant)
{
    frame_t n = pte_frame(&s->pmap, *entry);

    if (*entry & PTE_ZEROS)
        return write_zeros(s, c, addr, grant) ? pmap_find(&s->pmap, addr, NULL) : entry;
    if (!(*entry & PTE_COW))
        return entry;
    if (block_is_alone(s->pmap.frames, n)) {
        pte_set(entry, *entry & ~PTE_COW);
        return entry;
    }
    pmap_split(&s->pmap, addr);
    return pmap_find(&s->pmap, addr, NULL);
}

/* ---- MADV_COLLAPSE ------------------------------------------------------------------------ */

/*
 * What stands against making a huge page of these pages; WHY_none: nothing. A page
 * is writable if it is in Linux's page tables: without a fault, unless it is copied first.
 */
static enum reason refusal(const struct mw_space *s, const struct mw_vma *v, const pte_t *pages)
{
    bool writable = space_has(s, ROW_COLLAPSE_READ_ONLY);

    for (uint32_t i = 0; i < block_size(s->pmap.frames); i++) {
        if (pages[i] & (PTE_GUARD | PTE_MARK))
            return WHY_collapse_guarded;
        writable |= (v->flags & MW_VM_WRITE) && pte_used(pages[i]) && !(pages[i] & PTE_COW);
    }
    return writable ? WHY_none : WHY_collapse_read_only;
}

/* Copies pages into a block. Returns the bits of its entry. */
static pte_t gather(struct mw_space *s, const struct mw_vma *v, const pte_t *pages, frame_t block)
{
    pte_t grant = pmap_grant(v->flags), bits = grant ? grant | PTE_A : PTE_HELD;
    struct mw_frames *f = s->pmap.frames;

    for (uint32_t i = 0; i < block_size(f); i++) {
        frame_t from = pte_used(pages[i]) ? pte_frame(&s->pmap, pages[i]) : f->zero;

        memcpy(frame_ptr(f, block + i), frame_ptr(f, from), (size_t)page_size(s));
        bits |= pages[i] & PTE_D;
    }
    return bits;
}

static enum reason collapse(struct mw_space *s, const struct mw_vma *v, uint64_t addr)
{
    struct mw_range huge = huge_at(s, addr);
    enum reason reason;
    const pte_t *pages;
    frame_t n;

    if (pmap_is_vacant(&s->pmap, addr))
        return WHY_collapse_absent;
    if (!pmap_own(&s->pmap, huge.start, huge.end, 0))
        return WHY_advice_no_page;
    pages = pmap_pages(&s->pmap, addr);
    if (!pages || all_zeros(s, pages)) /* a huge page already */
        return WHY_none;
    reason = refusal(s, v, pages);
    if (reason != WHY_none)
        return reason;
    n = s->pmap.frames->readers ? 0 : block_alloc(s->pmap.frames); /* they might write what is copied */
    if (!n)
        return WHY_advice_no_page;
    pmap_join(&s->pmap, addr, n, gather(s, v, pages, n));
    space_flush(s, huge.start, huge.end);
    return WHY_none;
}

/* Is the rest looked at, for all that the call fails in the end? */
static bool is_passed_over(const struct mw_space *s, enum reason reason)
{
    return reason == WHY_collapse_read_only ||
           (reason == WHY_collapse_absent && space_has(s, ROW_COLLAPSE_GOES_ON));
}

int thp_collapse(struct mw_space *s, const struct mw_vma *v, struct mw_range at, struct mw_why *why)
{
    uint64_t bytes = huge_bytes(s);
    uint64_t start = (at.start + bytes - 1) & ~(bytes - 1), end = at.end & ~(bytes - 1);
    int failed = 0;

    if ((v->flags & MW_VM_UFFD) || (v->object && !is_anonymous(v) && !(v->flags & (MW_VM_HUGETLB | MW_VM_MIRRORED))))
        return why_plain(why, WHY_not_modelled);
    if (!is_kind(v) || is_disabled(s) || !holds(v, huge_at(s, v->start + bytes - 1)))
        return why_at(why, WHY_advice_kind, v->start, v->end);
    if (!v->anon)
        return why_at(why, WHY_collapse_untouched, v->start, v->end);
    if (end < start && !space_has(s, ROW_COLLAPSE_GOES_ON)) /* not even a border */
        return why_at(why, WHY_collapse_absent, at.start, at.end);
    for (; start < end; start += bytes) {
        enum reason reason = s->pmap.frames ? collapse(s, v, start) : WHY_not_modelled;

        if (reason == WHY_none)
            continue;
        failed = why_at(why, reason, start, start + bytes);
        if (!is_passed_over(s, reason))
            break;
    }
    return failed;
}
