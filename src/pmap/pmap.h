/* SPDX-License-Identifier: MIT */
/*
 * pmap.h - page tables in x86-64's format.
 *
 * A table is one page of 64-bit entries; with 4 KiB pages 512, with larger
 * pages more. A table's frame counts its entries in use, so that an empty one
 * goes back at once. No entry and no frame knows a guest address: whole tables
 * move by one write.
 */
#ifndef MW_PMAP_PMAP_H
#define MW_PMAP_PMAP_H

#include "base/atomic.h"
#include "mem/frame.h"

typedef uint64_t pte_t;

#define PTE_P 0x1ull         /* present */
#define PTE_W 0x2ull         /* writable */
#define PTE_U 0x4ull         /* user */
#define PTE_A 0x20ull        /* accessed */
#define PTE_D 0x40ull        /* dirty */
#define PTE_PS 0x80ull       /* a leaf above the lowest level */
#define PTE_GUARD 0x100ull   /* with PTE_HELD and the zero frame: no access passes (madvise) */
#define PTE_HELD 0x200ull    /* not present, yet holds its frame (PROT_NONE) */
#define PTE_COW 0x400ull     /* somebody else's frame, or table, too: a write copies it first */
#define PTE_ALIAS 0x800ull   /* a mirror's second entry for a page: counted elsewhere, and holds nothing */
#define PTE_XO (1ull << 52)  /* executable, not readable (MW_OPT_EXEC_ONLY) */
#define PTE_ZEROS (1ull << 53) /* a page of a huge page of zeros */
#define PTE_WP (1ull << 54)   /* write-protected by a watcher: it decides on the next write */
#define PTE_MARK (1ull << 55) /* with PTE_HELD and the zero frame: no page, but with PTE_WP one that
                                 comes write-protected, else poison */
#define PTE_PKEY_SHIFT 59
#define PTE_PKEY (15ull << PTE_PKEY_SHIFT) /* the protection key */
#define PTE_NX (1ull << 63)  /* not executable */
#define PTE_ADDR 0x000ffffffffff000ull

/* What a mapping's pages have in common, whatever became of each. */
#define PTE_ALL_ALIKE (PTE_NX | PTE_XO | PTE_PKEY)

/* What the pmaps of one space have in common: its own and those of its mirrors. */
struct pmap_pool {
    frame_t stock;     /* tables reserved for a commit */
    frame_t spare;     /* tables for the pages of each transparent huge page, should it be split */
    uint64_t spares;   /* how many: as many as there are such entries */
    uint64_t resident; /* pages in leaf entries; those of the zero frame and aliases left out */
    uint64_t tables;   /* roots included; a table that is linked twice counts once */
    bool guarded;      /* there may be guards, or marks */
    bool zeros;        /* and huge pages of zeros */
    bool forked;       /* there may be tables that a parent or a child has too: `resident` and
                          `tables` are void, pmap_count knows */
    uint64_t moved;    /* entries that moves have carried over, tables or pages */
};

struct pmap {
    struct mw_frames *frames; /* NULL: layout only, every call below does nothing */
    struct pmap_pool *pool;
    frame_t root;
    uint32_t levels;
    uint32_t page_shift;
};

/* 0, -EINVAL (levels do not cover the space) or -ENOMEM. `pool` outlives it. */
int pmap_init(struct pmap *pm, struct mw_frames *frames, struct pmap_pool *pool, uint32_t levels,
              uint32_t page_shift);
void pmap_destroy(struct pmap *pm);

/* The first address beyond what the tables can map. */
uint64_t pmap_reach(const struct pmap *pm);

/* log2 of the bytes that a leaf entry of `level` maps: level 1 a page, 2 a huge page, ... */
uint32_t pmap_leaf_shift(const struct pmap *pm, uint32_t level);

/*
 * The leaf entry that maps `va`; NULL: none. `level` (may be NULL) receives its
 * level. Where a fork's tables may be on the way (pool.forked), pmap_own comes
 * before a change of it.
 */
pte_t *pmap_find(const struct pmap *pm, uint64_t va, uint32_t *level);

/* Asks for what an access to `va` will read: the entry for its table of pages, and the table it may get. */
void pmap_fetch(const struct pmap *pm, uint64_t va);

/* Does another pmap link a table on the way to `va`? */
bool pmap_is_linked(const struct pmap *pm, uint64_t va);

/*
 * Sets the leaf entry of `va` at `level`, where none of another level is. It
 * takes over the caller's reference on the frame. False: no memory.
 */
bool pmap_enter(struct pmap *pm, uint64_t va, frame_t frame, pte_t bits, uint32_t level);

/*
 * Transparent huge pages: leaf entries of level 2 that name a block of frames
 * (mem/block.h), in the place of a table of pages. The table for these pages
 * is kept ready, so that an edit that cuts the block never fails.
 *
 * pmap_enter_block is pmap_enter for a block, where pmap_is_vacant says that no
 * entry or table is. pmap_enter_zeros maps the zero frame at each page instead,
 * with PTE_ZEROS.
 */
bool pmap_is_vacant(const struct pmap *pm, uint64_t va);
bool pmap_enter_block(struct pmap *pm, uint64_t va, frame_t block, pte_t bits);
bool pmap_enter_zeros(struct pmap *pm, uint64_t va, pte_t bits);

/* Splits the block that maps `va`; or, of zeros too, unless `va` is its start. */
void pmap_split(struct pmap *pm, uint64_t va);
void pmap_cut(struct pmap *pm, uint64_t va);

/* Splits every block in [start, end), which cuts none. */
void pmap_split_all(struct pmap *pm, uint64_t start, uint64_t end);

/* The entries of the table of pages that spans `va`; NULL: there is none, or it is another pmap's too. */
pte_t *pmap_pages(const struct pmap *pm, uint64_t va);

/* Enters a block in the place of such a table, and drops what that maps. */
void pmap_join(struct pmap *pm, uint64_t va, frame_t block, pte_t bits);

/* Is this the entry of a block? */
bool pmap_is_block(const struct pmap *pm, pte_t e, uint32_t level);

/* Replaces the entry that pmap_find gave; the old frame's reference is dropped. */
void pmap_replace(struct pmap *pm, pte_t *entry, frame_t frame, pte_t bits, uint32_t level);

/*
 * Copies, of the tables that a fork has left to this pmap and others, those of
 * [start, end): all above the level `whole`, and of the others those that reach
 * beyond the range. Nobody sees a difference. What drops, moves or protects
 * pages of a range needs its own tables; PMAP_ENDS: those at its ends, because
 * tables within go whole. False: no memory.
 */
bool pmap_own(struct pmap *pm, uint64_t start, uint64_t end, uint32_t whole);
#define PMAP_ENDS UINT32_MAX

/*
 * Drops every page in [start, end), and tables that become empty. A table that
 * another pmap links too is let go whole: what it held beyond the range comes
 * back by fault from the mirror's index, where it still is.
 */
void pmap_zap(struct pmap *pm, uint64_t start, uint64_t end);

/*
 * The same, but guards stay. Marks go with private anonymous memory; a file's
 * pages that are write-protected leave a mark where that is watched for, and
 * when the file is emptied poison stays too. Or poison goes, and nothing else.
 */
enum pmap_drop { DROP_ANON = 1, DROP_MAPPED, DROP_MAPPED_WP, DROP_CONTENT, DROP_CONTENT_WP, DROP_POISON };
void pmap_drop(struct pmap *pm, uint64_t start, uint64_t end, enum pmap_drop how);

/* Only guards go. */
void pmap_unguard(struct pmap *pm, uint64_t start, uint64_t end);

/*
 * Write-protects for a watcher the pages that are there; or no page any more,
 * and takes such marks away. The range's tables are this pmap's own.
 */
void pmap_watch(struct pmap *pm, uint64_t start, uint64_t end, bool protect);

/* Puts a mark, PTE_WP or poison (0), where no page is. False: no memory. */
bool pmap_mark(struct pmap *pm, uint64_t va, pte_t wp, uint32_t level);

/* Puts a guard in the place of the page at `va`. False: no memory. */
bool pmap_guard(struct pmap *pm, uint64_t va);

/* The first entry in [start, end) that has any of these bits; `end`: there is none. */
uint64_t pmap_first(const struct pmap *pm, uint64_t start, uint64_t end, pte_t bits);

/*
 * Calls `visit` for each leaf entry that maps a part of [start, end), with the
 * address it maps. `others`: through how many links more, at least, a fork has
 * left the tables on the way to others.
 */
typedef void pmap_visitor(void *ctx, uint64_t va, pte_t e, uint32_t level, uint32_t others);
void pmap_visit(const struct pmap *pm, uint64_t start, uint64_t end, pmap_visitor *visit, void *ctx);

/* What a leaf entry may grant for a VMA's flags; 0: nothing (PROT_NONE). */
pte_t pmap_grant(uint64_t vm_flags);

/*
 * Takes away what [start, end) no longer grants; what it grants anew comes by
 * fault. Tables that another pmap links are let go. Where writing is granted and
 * not watched, a watcher's protection of a page of its own ends (WATCH-5).
 */
void pmap_protect(struct pmap *pm, uint64_t start, uint64_t end, uint64_t vm_flags);

/*
 * Moves the entries of [from, from + length) to `to`, where none are. The
 * tables that this needs are reserved first; after that it cannot fail.
 * Whole tables go by one entry write where both addresses are congruent; else,
 * without readers, most take their entries along: each is touched once.
 */
bool pmap_move_reserve(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length);
void pmap_move(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length);

/*
 * Fills `to` of `dst`, where nothing is, with the entries that `src` has from
 * `from` on, each page's frame referenced once more. `link`: whole tables are
 * shared where the addresses are congruent. Entries for copying on write are
 * left out. What `dst` needs is reserved first, as for a move.
 */
bool pmap_fill_reserve(struct pmap *dst, const struct pmap *src, uint64_t from, uint64_t to,
                       uint64_t length, bool link);
void pmap_fill(struct pmap *dst, const struct pmap *src, uint64_t from, uint64_t to,
               uint64_t length, pte_t bits, bool link);

/*
 * Hands [start, end) of `src` to `dst`, at the same addresses: whole tables
 * are linked in both; of other pages `dst` has the entry and `src` an alias.
 */
bool pmap_adopt_reserve(struct pmap *dst, struct pmap *src, uint64_t start, uint64_t end);
void pmap_adopt(struct pmap *dst, struct pmap *src, uint64_t start, uint64_t end);

/*
 * Copies [start, end) to `dst` at the same addresses; both copy on write from
 * now on, unless the memory is shared. False: no memory.
 */
enum {
    FORK_LINK = 1,   /* whole tables are linked, and copied when one of them needs its own */
    FORK_SHARED = 2, /* the pages stay everybody's */
    FORK_WATCHED = 4 /* what watchers write-protect is so in `dst` too, and nothing is linked */
};
bool pmap_fork(struct pmap *dst, struct pmap *src, uint64_t start, uint64_t end, uint32_t how);

/* The guards only. False: no memory. */
bool pmap_fork_guards(struct pmap *dst, const struct pmap *src, uint64_t start, uint64_t end);

/* A leaf entry that readers found without a lock (space/reader.c). */
struct pmap_leaf {
    const pte_t *entry; /* where it stands */
    uint32_t shift;     /* log2 of what it maps */
};

/*
 * Widens [*start, *end), what the leaf maps, to its neighbours in the table that
 * allow the same and whose pages continue it.
 */
void pmap_run(const struct pmap *pm, const struct pmap_leaf *leaf, uint64_t *start, uint64_t *end);

/* Gives reserved tables back. */
void pmap_unreserve(struct pmap *pm);

/* What a walk through everything has found. */
struct pmap_sum {
    uint64_t tables, resident, blocks;
};

/*
 * Walks everything: levels, counts in tables, and `covered(ctx, va, e, level)`
 * for each page found. Adds to `sum`; tables that a mirror links too are left to
 * the walk of the pmap with `owner`. NULL when sound.
 */
typedef bool pmap_covered(void *ctx, uint64_t va, pte_t e, uint32_t level);
const char *pmap_check(const struct pmap *pm, bool owner, pmap_covered *covered, void *ctx,
                       struct pmap_sum *sum);

/* What pmap_check adds up, without the rest. */
void pmap_count(const struct pmap *pm, bool owner, struct pmap_sum *sum);

/*
 * Readers walk the tables while the writer, who holds the lock, changes them:
 * entries are set by this alone. The writer's own reads need no care.
 */
static inline void pte_set(pte_t *e, pte_t value) { store_release(e, value); }

static inline frame_t pte_frame(const struct pmap *pm, pte_t e)
{
    return (frame_t)((e & PTE_ADDR) >> pm->page_shift);
}

static inline bool pte_used(pte_t e) { return (e & (PTE_P | PTE_HELD)) != 0; }

/* Is there a page, and not what stands for one? `e` may be NULL. */
static inline bool pte_page(const pte_t *e) { return e && !(*e & (PTE_GUARD | PTE_MARK)); }

#endif
