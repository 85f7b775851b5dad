/* SPDX-License-Identifier: MIT */
/* space.h - what a space is: the row of VMAs, the page tables, the counters. */
#ifndef MW_VMA_SPACE_H
#define MW_VMA_SPACE_H

#include "base/range.h"
#include "linux/reason.h"
#include "linux/version.h"
#include "mem/object.h"
#include "pmap/mirror.h"
#include "pmap/pmap.h"
#include "vma/names.h"
#include "vma/tree.h"

enum { FLUSH_MAX = 8 };

/* In a VMA's flags: the number of who watches it (space/watch.h). */
#define VMA_WATCHER_SHIFT 35
#define VMA_WATCHER (0x7full << VMA_WATCHER_SHIFT)

struct mw_space {
    struct mw_config cfg;
    struct rows rows;     /* the version's */
    struct rows *asked;       /* of a copy: collects the rows that its calls ask for; or NULL */
    struct tree tree;
    struct names names;   /* of anonymous memory */
    struct pmap pmap;
    struct pmap_pool pool; /* of pmap, and of the mirrors' indexes */
    struct object_link *objects; /* what it may map */
    uint64_t next_anon;   /* the next anonymous identity */
    uint64_t brk_start, brk;
    uint64_t future;      /* MW_VM_LOCKED..., what new mappings get */
    uint32_t pkeys;       /* the protection keys that are taken, a bit each; */
    uint32_t exec_pkey;   /* and of them that of memory for execution only, 0: none yet */
    uint32_t thp_disable; /* MW_THP_DISABLE... */
    uint64_t huge_pages;  /* of a layout-only space: how many a mapping may have set aside */
    /* counters, in pages */
    uint64_t total, data, stack, exec, locked, committed;
    uint64_t mirrored, huge; /* pages in mappings of mirrors, and of huge pages */
    uint64_t peak_total, peak_resident; /* the most there were after any call */
    uint64_t lost_locked, lost_committed; /* of these, what no VMA accounts for (account.h) */
    struct mw_watcher *watchers; /* of a copy: its original's */
    struct {
        struct mw_watcher *by;
        uint64_t addr;
        uint32_t flags;
    } met; /* what the last fault that was watched has met */
    /* translations that the call under way makes stale */
    struct mw_range stale[FLUSH_MAX];
    uint32_t stale_count;
    /* what readers see of it */
    uint64_t busy;        /* something is stale, and they have not been told yet */
    uint64_t told_count;  /* stale ranges ever told; the last are in `told`, in a ring */
    struct mw_range told[MW_READER_RANGES];
};

static inline bool space_has(const struct mw_space *s, enum version_row row)
{
    if (s->asked)
        rows_add(s->asked, row);
    return rows_have(&s->rows, row);
}

static inline uint64_t page_size(const struct mw_space *s) { return 1ull << s->cfg.page_shift; }

static inline uint64_t to_pages(const struct mw_space *s, uint64_t bytes)
{
    return bytes >> s->cfg.page_shift;
}

/* Memory with nothing behind it until it is written: of no object, or of /dev/zero. */
static inline bool is_anonymous(const struct mw_vma *v)
{
    return !v->object ||
           (!(v->flags & MW_VM_SHARED) && (mw_object_flags(v->object) & MW_OBJ_ANON));
}

/* SysV shared memory, whose `anon` tells its attachments apart. */
static inline bool is_segment(const struct mw_vma *v)
{
    return v->object && (mw_object_flags(v->object) & MW_OBJ_SHM);
}

/* What a growing stack keeps free below it, in bytes. */
static inline uint64_t stack_guard(const struct mw_space *s)
{
    uint64_t pages = s->cfg.stack_gap;

    if (!space_has(s, ROW_STACK_GUARD_GAP))
        pages = min_u64(pages, 1);
    return pages << s->cfg.page_shift;
}

/* Where room below `v` ends: its start, less a growing stack's guard. */
static inline uint64_t room_end(const struct mw_space *s, const struct mw_vma *v)
{
    return v->flags & MW_VM_GROWSDOWN ? sub_floor(v->start, stack_guard(s)) : v->start;
}

/* The level of the page-table entries that map a VMA's pages: 1, or 2 and 3 for huge ones. */
static inline uint32_t vma_level(const struct mw_vma *v)
{
    if (v->flags & MW_VM_MIRRORED)
        return mirror_of(v->object)->level;
    if (v->flags & MW_VM_HUGETLB)
        return v->object && v->object->level > 1 ? v->object->level : 2;
    return 1;
}

/* Bytes of a page of a VMA. */
static inline uint64_t vma_page(const struct mw_space *s, const struct mw_vma *v)
{
    return 1ull << frame_shift_of(s->cfg.page_shift, vma_level(v));
}

/* Would cutting `v` at `at` fall inside a huge page? */
static inline bool vma_cuts_page(const struct mw_space *s, const struct mw_vma *v, uint64_t at)
{
    return at > v->start && at < v->end && ((at - v->start) & (vma_page(s, v) - 1));
}

static inline bool aligned(const struct mw_space *s, uint64_t n)
{
    return page_aligned(n, s->cfg.page_shift);
}

static inline uint64_t round_up(const struct mw_space *s, uint64_t n)
{
    return page_up(n, s->cfg.page_shift);
}

#endif
