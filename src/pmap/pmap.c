/* SPDX-License-Identifier: MIT */
/* pmap.c - page tables: walk, enter, protect, zap, move. */
#include "pmap/pmap.h"

#include "base/fetch.h"
#include "base/mem.h"
#include "base/range.h"
#include "mem/block.h"

/*
 * Levels count from 1, the lowest. An entry of a level-1 table maps a page; an
 * entry of a level-n table hangs in a level-(n-1) table.
 */
static uint32_t index_bits(const struct pmap *pm) { return pm->page_shift - 3; }

/* log2 of the bytes that one entry of a level's table spans. */
static uint32_t entry_shift(const struct pmap *pm, uint32_t level)
{
    return pm->page_shift + (level - 1) * index_bits(pm);
}

static uint32_t entry_count(const struct pmap *pm) { return 1u << index_bits(pm); }

static uint32_t entry_index(const struct pmap *pm, uint64_t va, uint32_t level)
{
    return (uint32_t)(va >> entry_shift(pm, level)) & (entry_count(pm) - 1);
}

static pte_t *table(const struct pmap *pm, frame_t n) { return frame_ptr(pm->frames, n); }

static pte_t table_entry(const struct pmap *pm, frame_t n)
{
    return (pte_t)n << pm->page_shift | PTE_P | PTE_W | PTE_U | PTE_A;
}

static pte_t leaf_entry(const struct pmap *pm, frame_t n, pte_t bits, uint32_t level)
{
    return (pte_t)n << pm->page_shift | bits | (level > 1 ? PTE_PS : 0);
}

/* Does an entry of `level`, in use, name a table? (Else it maps a page.) */
static bool is_table(pte_t e, uint32_t level)
{
    return level > 1 && !(e & PTE_PS);
}

static uint64_t leaf_pages(const struct pmap *pm, uint32_t level)
{
    return 1ull << (level - 1) * index_bits(pm);
}

/* What a leaf entry adds to the count of resident pages. */
static uint64_t counted(const struct pmap *pm, pte_t e, uint32_t level)
{
    if ((e & PTE_ALIAS) || pte_frame(pm, e) == pm->frames->zero)
        return 0;
    return leaf_pages(pm, level);
}

bool pmap_is_block(const struct pmap *pm, pte_t e, uint32_t level)
{
    return level == 2 && (e & (PTE_PS | PTE_MARK)) == PTE_PS &&
           pm->frames->blocks[block_of(pm->frames, pte_frame(pm, e))].use != BLOCK_STOCK;
}

static void leaf_put(struct pmap *pm, pte_t e, uint32_t level)
{
    if (e & PTE_ALIAS)
        return; /* it holds nothing */
    if (pmap_is_block(pm, e, level))
        block_put(pm->frames, pte_frame(pm, e));
    else if (level > 1 && !(e & PTE_MARK))
        frame_put_huge(pm->frames, pte_frame(pm, e), level);
    else
        frame_put(pm->frames, pte_frame(pm, e));
}

static uint32_t *in_use(const struct pmap *pm, frame_t table_frame)
{
    return &pm->frames->meta[table_frame].link;
}

/* Does another table or pmap link this table too? */
static bool is_shared(const struct pmap *pm, frame_t n) { return pm->frames->meta[n].refs > 1; }

/* ---- tables ------------------------------------------------------------------ */

/* An empty table: from the stock first. 0: no memory. */
static frame_t table_new(struct pmap *pm)
{
    frame_t n = pm->pool->stock;

    if (n) {
        pm->pool->stock = *in_use(pm, n);
        *in_use(pm, n) = 0;
    } else {
        n = frame_alloc_zeroed(pm->frames);
    }
    if (n)
        pm->pool->tables++;
    return n;
}

/* Takes a table out of entry `e` of table `n`; the last link frees it, which then is empty. */
static void unlink_table(struct pmap *pm, frame_t n, pte_t *e)
{
    frame_t child = pte_frame(pm, *e);

    pm->pool->tables -= !is_shared(pm, child);
    frame_put_clean(pm->frames, child);
    pte_set(e, 0);
    --*in_use(pm, n);
}

/* The same where nothing is left in it. */
static void unlink_empty(struct pmap *pm, frame_t n, pte_t *e)
{
    if (!*in_use(pm, pte_frame(pm, *e)))
        unlink_table(pm, n, e);
}

/* ---- tables that a fork has shared --------------------------------------------------- */

/* A link to a table, or a page, that is from now on others' too: nothing is written through it. */
static pte_t shared_entry(pte_t e) { return (e & ~PTE_W) | PTE_COW; }

/* `n` entries from `e` to `to`, where there are none. */
static void move_entries(const struct pmap *pm, pte_t *to, pte_t *e, uint32_t n)
{
    if (!pm->frames->readers) {
        memcpy(to, e, n * sizeof *e);
        memset(e, 0, n * sizeof *e);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        pte_set(&to[i], e[i]);
        pte_set(&e[i], 0);
    }
}

/* What is in a table with other owners is theirs and ours from now on. */
static void copy_table(struct pmap *pm, frame_t old, frame_t n)
{
    pte_t *from = table(pm, old), *to = table(pm, n);

    for (uint32_t i = 0; i < entry_count(pm); i++)
        if (pte_used(from[i])) {
            pte_set(&from[i], shared_entry(from[i]));
            to[i] = from[i];
            frame_get(pm->frames, pte_frame(pm, from[i]));
        }
}

/*
 * The table that `e` links becomes this pmap's own, in a copy if others have it
 * still. If they had it until now their readers may be in it, and must not find
 * what is this pmap's alone: then it is a copy too. False: no memory.
 */
static bool own_table(struct pmap *pm, pte_t *e)
{
    frame_t old = pte_frame(pm, *e), n = old;

    if (is_shared(pm, old) || pm->frames->readers) {
        n = table_new(pm);
        if (!n)
            return false;
        if (is_shared(pm, old))
            copy_table(pm, old, n);
        else
            move_entries(pm, table(pm, n), table(pm, old), entry_count(pm));
        *in_use(pm, n) = *in_use(pm, old);
        frame_put_clean(pm->frames, old);
    }
    pte_set(e, table_entry(pm, n));
    return true;
}

int pmap_init(struct pmap *pm, struct mw_frames *frames, struct pmap_pool *pool, uint32_t levels,
              uint32_t page_shift)
{
    *pm = (struct pmap){ .frames = frames, .pool = pool, .levels = levels,
                         .page_shift = page_shift };
    if (!frames)
        return 0;
    if (frames->page_shift != page_shift)
        return -MW_EINVAL;
    pm->root = table_new(pm);
    return pm->root ? 0 : -MW_ENOMEM;
}

void pmap_destroy(struct pmap *pm)
{
    if (!pm->frames)
        return;
    pmap_zap(pm, 0, UINT64_MAX);
    pm->pool->tables--;
    frame_put_clean(pm->frames, pm->root);
}

uint32_t pmap_leaf_shift(const struct pmap *pm, uint32_t level) { return entry_shift(pm, level); }

uint64_t pmap_reach(const struct pmap *pm)
{
    uint32_t bits = entry_shift(pm, pm->levels) + index_bits(pm);

    return bits >= 64 ? UINT64_MAX : 1ull << bits;
}

pte_t *pmap_find(const struct pmap *pm, uint64_t va, uint32_t *level)
{
    frame_t n = pm->root;

    for (uint32_t l = pm->levels;; l--) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, l)];

        if (!pte_used(*e))
            return NULL;
        if (!is_table(*e, l)) {
            if (level)
                *level = l;
            return e;
        }
        n = pte_frame(pm, *e);
    }
}

void pmap_fetch(const struct pmap *pm, uint64_t va)
{
    frame_t n = pm->root, next = pm->frames->clean_head;

    for (uint32_t l = pm->levels; l > 2; l--) {
        pte_t e = table(pm, n)[entry_index(pm, va, l)];

        if (!(e & PTE_P) || !is_table(e, l))
            return;
        n = pte_frame(pm, e);
    }
    fetch(&table(pm, n)[entry_index(pm, va, 2)], 1);
    fetch(&pm->frames->meta[next], 1);
    fetch(&table(pm, next)[entry_index(pm, va, 1)], 1);
}

bool pmap_is_linked(const struct pmap *pm, uint64_t va)
{
    frame_t n = pm->root;

    for (uint32_t l = pm->levels;; l--) {
        pte_t e = table(pm, n)[entry_index(pm, va, l)];

        if (!pte_used(e) || !is_table(e, l))
            return false;
        n = pte_frame(pm, e);
        if (is_shared(pm, n))
            return true;
    }
}

void pmap_run(const struct pmap *pm, const struct pmap_leaf *leaf, uint64_t *start, uint64_t *end)
{
    const pte_t same = PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS | PTE_ALL_ALIKE;
    uint64_t size = 1ull << leaf->shift, index = ((uintptr_t)leaf->entry >> 3) & (entry_count(pm) - 1);
    const pte_t *first = leaf->entry - index, *last = first + entry_count(pm) - 1;
    pte_t e = load_acquire(leaf->entry) & (same | PTE_ADDR), next = e;

    for (const pte_t *p = leaf->entry; p < last && (load_acquire(p + 1) & (same | PTE_ADDR)) == next + size; p++) {
        next += size;
        *end += size;
    }
    next = e;
    for (const pte_t *p = leaf->entry; p > first && (load_acquire(p - 1) & (same | PTE_ADDR)) == next - size; p--) {
        next -= size;
        *start -= size;
    }
}

/* The table of `level` that reaches `va`, with those above it; made as needed. 0: no memory. */
static frame_t table_make(struct pmap *pm, uint64_t va, uint32_t level)
{
    frame_t n = pm->root;

    for (uint32_t l = pm->levels; l > level; l--) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, l)];

        if (!(*e & PTE_P)) {
            frame_t child = table_new(pm);

            if (!child)
                return 0;
            pte_set(e, table_entry(pm, child));
            ++*in_use(pm, n);
        } else if ((*e & PTE_COW) && !own_table(pm, e)) {
            return 0;
        }
        n = pte_frame(pm, *e);
    }
    return n;
}

/* Takes away tables on the way to `va` that hold nothing (left by a failed table_make). */
static void prune(struct pmap *pm, frame_t n, uint32_t level, uint64_t va)
{
    pte_t *e = &table(pm, n)[entry_index(pm, va, level)];

    if (!pte_used(*e) || !is_table(*e, level))
        return;
    prune(pm, pte_frame(pm, *e), level - 1, va);
    unlink_empty(pm, n, e);
}

/* Sets an entry that is empty; the frame's reference is the caller's. */
static void set_leaf(struct pmap *pm, frame_t n, pte_t *e, pte_t value, uint32_t level)
{
    pte_set(e, value);
    ++*in_use(pm, n);
    pm->pool->resident += counted(pm, value, level);
}

bool pmap_enter(struct pmap *pm, uint64_t va, frame_t frame, pte_t bits, uint32_t level)
{
    frame_t n = table_make(pm, va, level);
    pte_t *e;

    if (!n) {
        prune(pm, pm->root, pm->levels, va);
        return false;
    }
    e = &table(pm, n)[entry_index(pm, va, level)];
    if (pte_used(*e))
        pmap_replace(pm, e, frame, bits, level);
    else
        set_leaf(pm, n, e, leaf_entry(pm, frame, bits, level), level);
    return true;
}

void pmap_replace(struct pmap *pm, pte_t *entry, frame_t frame, pte_t bits, uint32_t level)
{
    pte_t old = *entry;

    pte_set(entry, leaf_entry(pm, frame, bits, level));
    pm->pool->resident += counted(pm, *entry, level) - counted(pm, old, level);
    leaf_put(pm, old, level);
}

/* ---- splitting transparent huge pages -------------------------------------------------- */

static void spare_add(struct pmap *pm, frame_t n)
{
    *in_use(pm, n) = pm->pool->spare;
    pm->pool->spare = n;
    pm->pool->spares++;
}

static frame_t spare_take(struct pmap *pm)
{
    frame_t n = pm->pool->spare;

    pm->pool->spare = *in_use(pm, n);
    pm->pool->spares--;
    return n;
}

/* Pages of the block of entry `e`, in the table that was kept for them. */
static void split_block(struct pmap *pm, pte_t *e)
{
    frame_t first = pte_frame(pm, *e), n = spare_take(pm);
    pte_t *t = table(pm, n), bits = *e & ~(PTE_ADDR | PTE_PS);

    block_split(pm->frames, first);
    for (uint32_t i = 0; i < entry_count(pm); i++)
        t[i] = leaf_entry(pm, first + i, bits, 1);
    *in_use(pm, n) = entry_count(pm);
    pm->pool->tables++;
    pte_set(e, table_entry(pm, n));
}

/* Splits the block of `e` if only `bytes` of it are edited. */
static void split_for(struct pmap *pm, pte_t *e, uint32_t level, uint64_t bytes)
{
    if (bytes < 1ull << entry_shift(pm, level) && pmap_is_block(pm, *e, level))
        split_block(pm, e);
}

/* ---- visiting a range ----------------------------------------------------------- */

/* The end of the entry that spans `va`, or `end` if that comes first. */
static uint64_t entry_end(const struct pmap *pm, uint64_t va, uint64_t end, uint32_t level)
{
    uint64_t mask = (1ull << entry_shift(pm, level)) - 1;

    return (va | mask) >= end - 1 ? end : (va | mask) + 1;
}

static bool own_range(struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                      uint32_t whole)
{
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];

        next = entry_end(pm, va, end, level);
        if (!pte_used(*e) || !is_table(*e, level) ||
            (level - 1 <= whole && next - va == 1ull << entry_shift(pm, level)))
            continue;
        if ((*e & PTE_COW) && !own_table(pm, e))
            return false;
        if (!own_range(pm, pte_frame(pm, *e), level - 1, va, next, whole))
            return false;
    }
    return true;
}

bool pmap_own(struct pmap *pm, uint64_t start, uint64_t end, uint32_t whole)
{
    if (!pm->frames || !pm->pool->forked)
        return true;
    end = min_u64(end, pmap_reach(pm));
    return start >= end || own_range(pm, pm->root, pm->levels, start, end, whole);
}

/* Which entries a walk drops: all, those of pmap_drop, or guards. */
enum zap {
    ZAP_ALL, ZAP_ANON = DROP_ANON, ZAP_MAPPED = DROP_MAPPED, ZAP_MAPPED_WP = DROP_MAPPED_WP,
    ZAP_CONTENT_WP = DROP_CONTENT_WP, ZAP_POISON = DROP_POISON, ZAP_GUARDS
};

static bool zaps(enum zap which, pte_t e)
{
    if (which == ZAP_ALL)
        return true;
    if ((e & PTE_GUARD) || which == ZAP_GUARDS)
        return (e & PTE_GUARD) && which == ZAP_GUARDS;
    if (which == ZAP_POISON)
        return (e & (PTE_MARK | PTE_WP)) == PTE_MARK;
    return !(e & PTE_MARK) || which == ZAP_ANON ||
           ((which == ZAP_MAPPED || which == ZAP_MAPPED_WP) && !(e & PTE_WP));
}

static void zap_entry(struct pmap *pm, frame_t n, pte_t *e, uint32_t level, enum zap which)
{
    bool marked = (*e & PTE_WP) && (which == ZAP_MAPPED_WP || which == ZAP_CONTENT_WP);

    pm->pool->resident -= counted(pm, *e, level);
    if (pmap_is_block(pm, *e, level))
        frame_put(pm->frames, spare_take(pm));
    leaf_put(pm, *e, level);
    if (marked) {
        frame_get(pm->frames, pm->frames->zero);
        pte_set(e, leaf_entry(pm, pm->frames->zero, PTE_HELD | PTE_MARK | PTE_WP, level));
        return;
    }
    pte_set(e, 0);
    --*in_use(pm, n);
}

static void zap_leaves(struct pmap *pm, frame_t n, uint64_t va, uint64_t end, enum zap which)
{
    pte_t *e = table(pm, n) + entry_index(pm, va, 1), *last = table(pm, n) + entry_index(pm, end - 1, 1);
    uint64_t resident = 0;
    uint32_t gone = 0;

    for (; e <= last; e++) {
        if (!pte_used(*e) || (which != ZAP_ALL && !zaps(which, *e)))
            continue;
        if (*e & PTE_WP) { /* may leave a mark */
            zap_entry(pm, n, e, 1, which);
            continue;
        }
        gone++;
        if (!(*e & PTE_ALIAS)) {
            resident += counted(pm, *e, 1);
            frame_put(pm->frames, pte_frame(pm, *e));
        }
        pte_set(e, 0);
    }
    pm->pool->resident -= resident;
    *in_use(pm, n) -= gone;
}

static void zap_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                      enum zap which)
{
    if (level == 1) {
        zap_leaves(pm, n, va, end, which);
        return;
    }
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];

        next = entry_end(pm, va, end, level);
        if (!pte_used(*e))
            continue;
        if (which < ZAP_POISON)
            split_for(pm, e, level, next - va);
        if (!is_table(*e, level)) {
            if (zaps(which, *e))
                zap_entry(pm, n, e, level, which);
        } else if (which >= ZAP_POISON && (*e & PTE_COW)) {
            continue; /* no guard was ever shared, and no mark */
        } else if (is_shared(pm, pte_frame(pm, *e))) {
            unlink_table(pm, n, e);
        } else {
            zap_table(pm, pte_frame(pm, *e), level - 1, va, next, which);
            unlink_empty(pm, n, e);
        }
    }
}

static void zap_range(struct pmap *pm, uint64_t start, uint64_t end, enum zap which)
{
    if (!pm->frames)
        return;
    end = min_u64(end, pmap_reach(pm));
    if (start < end)
        zap_table(pm, pm->root, pm->levels, start, end, which);
}

void pmap_zap(struct pmap *pm, uint64_t start, uint64_t end)
{
    zap_range(pm, start, end, ZAP_ALL);
}

void pmap_drop(struct pmap *pm, uint64_t start, uint64_t end, enum pmap_drop how)
{
    zap_range(pm, start, end, (enum zap)how);
}

void pmap_unguard(struct pmap *pm, uint64_t start, uint64_t end)
{
    zap_range(pm, start, end, ZAP_GUARDS);
}

/* An entry of the zero frame that is no page. */
static bool stand_in(struct pmap *pm, uint64_t va, pte_t bits, uint32_t level)
{
    frame_t zero = pm->frames->zero;

    pmap_split(pm, va);
    frame_get(pm->frames, zero);
    pm->pool->guarded = true;
    if (pmap_enter(pm, va, zero, PTE_HELD | bits, level))
        return true;
    frame_put(pm->frames, zero);
    return false;
}

bool pmap_guard(struct pmap *pm, uint64_t va) { return stand_in(pm, va, PTE_GUARD, 1); }

bool pmap_mark(struct pmap *pm, uint64_t va, pte_t wp, uint32_t level)
{
    return stand_in(pm, va, PTE_MARK | wp, level);
}

static uint64_t first(const struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                      pte_t bits)
{
    for (uint64_t next; va < end; va = next) {
        pte_t e = table(pm, n)[entry_index(pm, va, level)];
        uint64_t found;

        next = entry_end(pm, va, end, level);
        if (!pte_used(e))
            continue;
        if ((e & bits) && !is_table(e, level))
            return va;
        found = is_table(e, level) ? first(pm, pte_frame(pm, e), level - 1, va, next, bits) : next;
        if (found < next)
            return found;
    }
    return end;
}

uint64_t pmap_first(const struct pmap *pm, uint64_t start, uint64_t end, pte_t bits)
{
    if (!pm->frames || start >= end)
        return end;
    return first(pm, pm->root, pm->levels, start, end, bits);
}

struct visit {
    const struct pmap *pm;
    pmap_visitor *visit;
    void *ctx;
};

static void visit_table(const struct visit *v, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                        uint32_t others)
{
    for (uint64_t next; va < end; va = next) {
        pte_t e = table(v->pm, n)[entry_index(v->pm, va, level)];
        frame_t child = pte_frame(v->pm, e);

        next = entry_end(v->pm, va, end, level);
        if (!pte_used(e))
            continue;
        if (is_table(e, level))
            visit_table(v, child, level - 1, va, next,
                        others + (e & PTE_COW ? v->pm->frames->meta[child].refs - 1 : 0));
        else
            v->visit(v->ctx, va, e, level, others);
    }
}

void pmap_visit(const struct pmap *pm, uint64_t start, uint64_t end, pmap_visitor *visit, void *ctx)
{
    struct visit v = { pm, visit, ctx };

    if (pm->frames && start < end)
        visit_table(&v, pm->root, pm->levels, start, min_u64(end, pmap_reach(pm)), 0);
}

/* ---- transparent huge pages ------------------------------------------------------------ */

bool pmap_is_vacant(const struct pmap *pm, uint64_t va)
{
    frame_t n = pm->root;

    for (uint32_t l = pm->levels; l >= 2; l--) {
        pte_t e = table(pm, n)[entry_index(pm, va, l)];

        if (!pte_used(e))
            return true;
        if (!is_table(e, l))
            return false;
        n = pte_frame(pm, e);
    }
    return false;
}

bool pmap_enter_block(struct pmap *pm, uint64_t va, frame_t block, pte_t bits)
{
    frame_t spare = frame_alloc(pm->frames);

    if (!spare)
        return false;
    if (!pmap_enter(pm, va, block, bits, 2)) {
        frame_put(pm->frames, spare);
        return false;
    }
    spare_add(pm, spare);
    return true;
}

bool pmap_enter_zeros(struct pmap *pm, uint64_t va, pte_t bits)
{
    frame_t zero = pm->frames->zero, n = table_make(pm, va, 1);
    pte_t *t;

    if (!n) {
        prune(pm, pm->root, pm->levels, va);
        return false;
    }
    t = table(pm, n);
    for (uint32_t i = 0; i < entry_count(pm); i++)
        pte_set(&t[i], leaf_entry(pm, zero, bits | PTE_ZEROS, 1));
    pm->frames->meta[zero].refs += entry_count(pm);
    pm->pool->zeros = true;
    *in_use(pm, n) = entry_count(pm);
    return true;
}

void pmap_split(struct pmap *pm, uint64_t va)
{
    uint32_t level;
    pte_t *e = pm->pool->spares ? pmap_find(pm, va, &level) : NULL;

    if (e && pmap_is_block(pm, *e, level))
        split_block(pm, e);
}

void pmap_cut(struct pmap *pm, uint64_t va)
{
    pte_t *e;

    if (!(va & ((1ull << entry_shift(pm, 2)) - 1)))
        return;
    pmap_split(pm, va);
    e = pm->pool->zeros ? pmap_find(pm, va, NULL) : NULL;
    if (e)
        pte_set(e, *e & ~PTE_ZEROS); /* the others have it in vain then */
}

static void split_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end)
{
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];

        next = entry_end(pm, va, end, level);
        if (!pte_used(*e))
            continue;
        if (level > 2 && is_table(*e, level))
            split_table(pm, pte_frame(pm, *e), level - 1, va, next);
        else if (pmap_is_block(pm, *e, level))
            split_block(pm, e);
    }
}

void pmap_split_all(struct pmap *pm, uint64_t start, uint64_t end)
{
    if (pm->pool->spares)
        split_table(pm, pm->root, pm->levels, start, end);
}

/* The level-2 entry that spans `va`, if it names a table that is this pmap's alone. */
static pte_t *pages_entry(const struct pmap *pm, uint64_t va)
{
    frame_t n = pm->root;

    for (uint32_t l = pm->levels; l >= 2; l--) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, l)];

        if (!pte_used(*e) || !is_table(*e, l) || is_shared(pm, pte_frame(pm, *e)))
            return NULL;
        if (l == 2)
            return e;
        n = pte_frame(pm, *e);
    }
    return NULL;
}

pte_t *pmap_pages(const struct pmap *pm, uint64_t va)
{
    const pte_t *e = pages_entry(pm, va);

    return e ? table(pm, pte_frame(pm, *e)) : NULL;
}

void pmap_join(struct pmap *pm, uint64_t va, frame_t block, pte_t bits)
{
    pte_t *e = pages_entry(pm, va);
    frame_t n = pte_frame(pm, *e);

    va &= ~((1ull << entry_shift(pm, 2)) - 1);
    zap_leaves(pm, n, va, va + (1ull << entry_shift(pm, 2)), ZAP_ALL);
    pm->pool->tables--;
    spare_add(pm, n);
    pte_set(e, leaf_entry(pm, block, bits, 2));
    pm->pool->resident += counted(pm, *e, 2);
}

/* ---- protection ----------------------------------------------------------------------- */

pte_t pmap_grant(uint64_t vm_flags)
{
    pte_t bits = PTE_P | PTE_U;

    if (!(vm_flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC)))
        return 0;
    if (vm_flags & MW_VM_WRITE)
        bits |= PTE_W;
    if (!(vm_flags & MW_VM_EXEC))
        bits |= PTE_NX;
    if (vm_flags & MW_VM_EXEC_ONLY)
        bits |= PTE_XO;
    return bits | ((vm_flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT) << PTE_PKEY_SHIFT;
}

/* May the page be written at once, as nobody else's? Its watcher's protection is not asked. */
static bool is_own(pte_t e) { return !(e & (PTE_COW | PTE_GUARD | PTE_MARK | PTE_ZEROS)); }

/* An entry cut down to what `grant` allows. */
static pte_t entry_protect(pte_t e, pte_t grant)
{
    pte_t keep = e & (PTE_ADDR | PTE_A | PTE_D | PTE_PS | PTE_COW | PTE_ALIAS | PTE_GUARD | PTE_WP |
                      PTE_MARK | PTE_ZEROS);

    if (!grant || (e & (PTE_GUARD | PTE_MARK)))
        return keep | PTE_HELD;
    return keep | PTE_P | PTE_U | (e & grant & PTE_W) | (grant & PTE_ALL_ALIKE);
}

/* Pages of its own lose `drop`. */
static void protect_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va,
                          uint64_t end, pte_t grant, pte_t drop)
{
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];

        next = entry_end(pm, va, end, level);
        if (!pte_used(*e))
            continue;
        if (!is_table(*e, level)) {
            pte_set(e, entry_protect(is_own(*e) ? *e & ~drop : *e, grant));
        } else if (is_shared(pm, pte_frame(pm, *e))) {
            unlink_table(pm, n, e);
        } else {
            protect_table(pm, pte_frame(pm, *e), level - 1, va, next, grant, drop);
            unlink_empty(pm, n, e);
        }
    }
}

void pmap_protect(struct pmap *pm, uint64_t start, uint64_t end, uint64_t vm_flags)
{
    bool frees = (vm_flags & (MW_VM_WRITE | MW_VM_UFFD_WP)) == MW_VM_WRITE;

    if (!pm->frames)
        return;
    end = min_u64(end, pmap_reach(pm));
    if (start < end)
        protect_table(pm, pm->root, pm->levels, start, end, pmap_grant(vm_flags), frees ? PTE_WP : 0);
}

static void watch_entry(struct pmap *pm, frame_t n, pte_t *e, uint32_t level, bool protect)
{
    if (protect && pte_page(e))
        pte_set(e, (*e & ~PTE_W) | PTE_WP);
    else if (!protect && (*e & PTE_MARK) && (*e & PTE_WP))
        zap_entry(pm, n, e, level, ZAP_ALL);
    else if (!protect)
        pte_set(e, *e & ~PTE_WP);
}

static void watch_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                        bool protect)
{
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];

        next = entry_end(pm, va, end, level);
        if (!pte_used(*e))
            continue;
        if (!is_table(*e, level)) {
            watch_entry(pm, n, e, level, protect);
        } else {
            watch_table(pm, pte_frame(pm, *e), level - 1, va, next, protect);
            unlink_empty(pm, n, e);
        }
    }
}

void pmap_watch(struct pmap *pm, uint64_t start, uint64_t end, bool protect)
{
    if (!pm->frames || start >= end)
        return;
    pmap_cut(pm, start);
    pmap_cut(pm, end);
    watch_table(pm, pm->root, pm->levels, start, end, protect);
}

/* ---- what a commit will need ---------------------------------------------------------- */

/*
 * The highest level whose whole tables can be handed over: both addresses are
 * congruent modulo what such a table spans. 0: only entries can.
 */
static uint32_t shared_level(const struct pmap *pm, uint64_t from, uint64_t to)
{
    uint32_t level = 0;

    while (level + 1 < pm->levels &&
           ((from ^ to) & ((1ull << entry_shift(pm, level + 2)) - 1)) == 0)
        level++;
    return level;
}

/* Tables in a range and runs of neighbouring ones, level by level. */
struct census {
    uint64_t tables[8], runs[8];
    uint64_t last[8]; /* 1 + the number of the table seen last */
};

static void count_tables(const struct pmap *pm, frame_t n, uint32_t level, uint64_t va,
                         uint64_t end, struct census *c, uint32_t stop)
{
    if (level - 1 <= stop)
        return;
    for (uint64_t next; va < end; va = next) {
        pte_t e = table(pm, n)[entry_index(pm, va, level)];
        uint64_t number = va >> entry_shift(pm, level);

        next = entry_end(pm, va, end, level);
        if (!pte_used(e) || !(is_table(e, level) || pmap_is_block(pm, e, level)))
            continue; /* (a block that does not move whole becomes a table) */
        c->tables[level - 1]++;
        c->runs[level - 1] += c->last[level - 1] != number || !number;
        c->last[level - 1] = number + 1;
        if (is_table(e, level))
            count_tables(pm, pte_frame(pm, e), level - 1, va, next, c, stop);
    }
}

/* `shared`: the highest level of tables that change hands whole. */
static bool reserve_tables(struct pmap *dst, const struct pmap *src, uint64_t from, uint64_t length,
                           uint32_t shared)
{
    struct census c = { 0 };
    uint64_t need = 0;

    count_tables(src, src->root, src->levels, from, from + length, &c, shared);
    for (uint32_t level = 1; level < src->levels; level++)
        /* shared levels: only the ragged ends need tables of their own; the
           others land on one table more than they come from, a run */
        need += level <= shared ? 2 : c.tables[level] + c.runs[level];
    while (need--) {
        frame_t n = frame_alloc_zeroed(dst->frames);

        if (!n) {
            pmap_unreserve(dst);
            return false;
        }
        *in_use(dst, n) = dst->pool->stock;
        dst->pool->stock = n;
    }
    return true;
}

void pmap_unreserve(struct pmap *pm)
{
    while (pm->frames && pm->pool->stock) {
        frame_t n = pm->pool->stock;

        pm->pool->stock = *in_use(pm, n);
        frame_put_clean(pm->frames, n);
    }
}

/* ---- moving ------------------------------------------------------------------------ */

bool pmap_move_reserve(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length)
{
    uint32_t shared = shared_level(pm, from, to);

    return !pm->frames || (pmap_own(pm, from, from + length, shared) &&
                           reserve_tables(pm, pm, from, length, shared));
}

/* Moves one entry of a table of `level` to the same level at `to`. */
static void move_entry(struct pmap *pm, frame_t n, pte_t *e, uint32_t level, uint64_t to)
{
    frame_t m = table_make(pm, to, level);

    pte_set(&table(pm, m)[entry_index(pm, to, level)], *e);
    ++*in_use(pm, m);
    pte_set(e, 0);
    --*in_use(pm, n);
    pm->pool->moved++;
}

/* How many of the `count` entries from `e` on are in use, of the `used` that their table has. */
static uint32_t count_used(const struct pmap *pm, const pte_t *e, uint32_t count, uint32_t used)
{
    uint32_t found = 0;

    if (used == entry_count(pm))
        return count;
    for (uint32_t i = 0; i < count && found < used; i++)
        found += e[i] != 0;
    return found;
}

/* Entries of pages that go from one table to one other; those between them are empty in both. */
static void move_run(struct pmap *pm, frame_t n, uint32_t first, uint32_t count, uint64_t to)
{
    pte_t *e = table(pm, n) + first;
    uint32_t moved = count_used(pm, e, count, *in_use(pm, n));
    frame_t m;

    if (!moved)
        return;
    m = table_make(pm, to, 1);
    move_entries(pm, table(pm, m) + entry_index(pm, to, 1), e, count);
    *in_use(pm, m) += moved;
    *in_use(pm, n) -= moved;
    pm->pool->moved += moved;
}

static void move_pages(struct pmap *pm, frame_t n, uint64_t va, uint64_t end, uint64_t to)
{
    uint32_t shift = entry_shift(pm, 1), entries = 1u << (pm->page_shift - 3);

    for (uint64_t run; va < end; va += run << shift, to += run << shift) {
        run = min_u64((end - va) >> shift, entries - entry_index(pm, to, 1));
        move_run(pm, n, entry_index(pm, va, 1), (uint32_t)run, to);
    }
}

/*
 * A whole table of pages that goes to where it spans two: its first entries
 * into the table there, while the others slide down in their own, which becomes
 * the next one. False: there is a next one, or a reader may be in this.
 */
static bool slide_table(struct pmap *pm, frame_t n, pte_t *e, uint64_t to)
{
    frame_t m = pte_frame(pm, *e);
    uint32_t rest = entry_index(pm, to, 1), first = entry_count(pm) - rest;
    uint64_t next = to + ((uint64_t)first << entry_shift(pm, 1));
    pte_t *t = table(pm, m);

    if (pm->frames->readers || !pmap_is_vacant(pm, next))
        return false;
    move_run(pm, m, 0, first, to);
    if (!*in_use(pm, m)) {
        unlink_table(pm, n, e);
        return true;
    }
    memmove(t, t + first, rest * sizeof *t);
    if (first < rest)
        first = rest; /* what has been moved over is overwritten */
    memset(t + first, 0, (entry_count(pm) - first) * sizeof *t);
    pm->pool->moved += *in_use(pm, m);
    move_entry(pm, n, e, 2, next);
    return true;
}

static void move_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                       uint64_t to, uint32_t shared)
{
    if (level == 1) {
        move_pages(pm, n, va, end, to);
        return;
    }
    for (uint64_t next; va < end; to += next - va, va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];
        uint64_t span = 1ull << entry_shift(pm, level);

        next = entry_end(pm, va, end, level);
        if (!pte_used(*e))
            continue;
        split_for(pm, e, level, level - 1 <= shared ? next - va : 0);
        if (!is_table(*e, level) || (level - 1 <= shared && next - va == span)) {
            move_entry(pm, n, e, level, to);
        } else if (is_shared(pm, pte_frame(pm, *e))) {
            unlink_table(pm, n, e);
        } else if (level > 2 || next - va < span || !slide_table(pm, n, e, to)) {
            move_table(pm, pte_frame(pm, *e), level - 1, va, next, to, shared);
            unlink_empty(pm, n, e);
        }
    }
}

void pmap_move(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length)
{
    if (pm->frames)
        move_table(pm, pm->root, pm->levels, from, from + length, to,
                   shared_level(pm, from, to));
}

/* ---- mirrors and forks ------------------------------------------------------------------ */

static void leaf_get(struct pmap *pm, pte_t e) { frame_get(pm->frames, pte_frame(pm, e)); }

/* Links the table of `src`'s entry into `dst` at `to`. */
static void link_table(struct pmap *dst, uint64_t to, pte_t src, uint32_t level)
{
    frame_t m = table_make(dst, to, level);

    leaf_get(dst, src);
    pte_set(&table(dst, m)[entry_index(dst, to, level)], src);
    ++*in_use(dst, m);
}

struct fill {
    struct pmap *dst;
    const struct pmap *src;
    pte_t bits;
    uint32_t shared; /* tables up to this level are linked where they are whole */
};

/* A page that is not writable yet was not written: a fault will note the first write. */
static pte_t filled(pte_t e, pte_t bits)
{
    return (e & (PTE_ADDR | PTE_A | PTE_D | (bits & PTE_W))) | (bits & ~PTE_W);
}

/* Is there a page to be filled in? */
static bool is_filled(pte_t e) { return pte_used(e) && !(e & PTE_COW); }

/* Copies what `count` entries map, whose frames are not held yet. Returns how many did. */
static uint32_t fill_entries(pte_t *to, const pte_t *e, uint32_t count, pte_t bits)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < count; i++) {
        pte_t from = e[i]; /* once: pte_set keeps the compiler from knowing that it stays */

        if (is_filled(from)) {
            pte_set(&to[i], filled(from, bits));
            used++;
        }
    }
    return used;
}

/* Pages of one table, into one other. */
static void fill_run(const struct fill *f, const pte_t *e, uint32_t count, uint64_t to)
{
    uint32_t first = 0;
    frame_t m = 0;
    pte_t *d;

    while (first < count && !is_filled(e[first]))
        first++;
    if (first == count)
        return;
    m = table_make(f->dst, to, 1);
    d = table(f->dst, m) + entry_index(f->dst, to, 1);
    *in_use(f->dst, m) += fill_entries(d, e, count, f->bits);
    for (uint32_t i = first; i < count && !(f->bits & PTE_ALIAS); i++)
        if (is_filled(e[i])) {
            leaf_get(f->dst, e[i]);
            f->dst->pool->resident += counted(f->dst, d[i], 1);
        }
}

static void fill_pages(const struct fill *f, frame_t n, uint64_t va, uint64_t end, uint64_t to)
{
    uint32_t shift = entry_shift(f->src, 1), entries = 1u << (f->src->page_shift - 3);

    for (uint64_t run; va < end; va += run << shift, to += run << shift) {
        run = min_u64((end - va) >> shift, entries - entry_index(f->dst, to, 1));
        fill_run(f, table(f->src, n) + entry_index(f->src, va, 1), (uint32_t)run, to);
    }
}

static void fill_table(const struct fill *f, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                       uint64_t to)
{
    if (level == 1) {
        fill_pages(f, n, va, end, to);
        return;
    }
    for (uint64_t next; va < end; to += next - va, va = next) {
        pte_t e = table(f->src, n)[entry_index(f->src, va, level)];
        uint64_t span = 1ull << entry_shift(f->src, level);

        next = entry_end(f->src, va, end, level);
        if (!pte_used(e))
            continue;
        if (!is_table(e, level)) {
            if (!is_filled(e))
                continue;
            if (!(f->bits & PTE_ALIAS))
                leaf_get(f->dst, e);
            pmap_enter(f->dst, to, pte_frame(f->src, e), filled(e, f->bits) & ~PTE_ADDR, level);
        } else if (level - 1 <= f->shared && next - va == span) {
            link_table(f->dst, to, e, level);
        } else {
            fill_table(f, pte_frame(f->src, e), level - 1, va, next, to);
        }
    }
}

static uint32_t link_level(const struct pmap *pm, uint64_t from, uint64_t to, bool link)
{
    return link ? shared_level(pm, from, to) : 0;
}

bool pmap_fill_reserve(struct pmap *dst, const struct pmap *src, uint64_t from, uint64_t to,
                       uint64_t length, bool link)
{
    return !dst->frames ||
           reserve_tables(dst, src, from, length, link_level(src, from, to, link));
}

void pmap_fill(struct pmap *dst, const struct pmap *src, uint64_t from, uint64_t to,
               uint64_t length, pte_t bits, bool link)
{
    struct fill f = { dst, src, bits, link_level(src, from, to, link) };

    if (dst->frames)
        fill_table(&f, src->root, src->levels, from, from + length, to);
}

/* A page changes hands: what others may still copy goes whole, of the rest an alias stays. */
static void adopt_entry(struct pmap *dst, struct pmap *src, frame_t n, pte_t *e, uint32_t level,
                        uint64_t va)
{
    frame_t m = table_make(dst, va, level);

    pte_set(&table(dst, m)[entry_index(dst, va, level)], *e);
    ++*in_use(dst, m);
    if (*e & PTE_COW) {
        pte_set(e, 0);
        --*in_use(src, n);
    } else {
        pte_set(e, *e | PTE_ALIAS);
    }
}

static void adopt_table(struct pmap *dst, struct pmap *src, frame_t n, uint32_t level, uint64_t va,
                        uint64_t end)
{
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(src, n)[entry_index(src, va, level)];

        next = entry_end(src, va, end, level);
        if (!pte_used(*e))
            continue;
        if (!is_table(*e, level)) {
            adopt_entry(dst, src, n, e, level, va);
        } else if (next - va == 1ull << entry_shift(src, level)) {
            link_table(dst, va, *e, level);
        } else {
            adopt_table(dst, src, pte_frame(src, *e), level - 1, va, next);
            unlink_empty(src, n, e);
        }
    }
}

bool pmap_adopt_reserve(struct pmap *dst, struct pmap *src, uint64_t start, uint64_t end)
{
    return !src->frames || (pmap_own(src, start, end, 0) &&
                            reserve_tables(dst, src, start, end - start, src->levels - 1));
}

void pmap_adopt(struct pmap *dst, struct pmap *src, uint64_t start, uint64_t end)
{
    if (!src->frames)
        return;
    pmap_split_all(src, start, end); /* the index has pages */
    adopt_table(dst, src, src->root, src->levels, start, end);
}

struct forking {
    struct pmap *dst, *src;
    uint32_t how;
};

/* One entry of the parent's, a page or a whole table, for both. */
static bool fork_entry(const struct forking *f, pte_t *e, uint32_t level, uint64_t va)
{
    pte_t drop = is_table(*e, level) || (f->how & FORK_WATCHED) ? 0 : PTE_WP;
    bool block = pmap_is_block(f->src, *e, level);
    frame_t m, spare;

    if ((*e & drop) && (*e & PTE_MARK))
        return true;
    m = table_make(f->dst, va, level);
    spare = m && block ? frame_alloc(f->dst->frames) : 0;
    if (!m || (block && !spare))
        return false;
    if (!(f->how & FORK_SHARED))
        pte_set(e, shared_entry(*e));
    if (block) {
        block_get(f->src->frames, pte_frame(f->src, *e));
        spare_add(f->dst, spare);
    } else {
        leaf_get(f->src, *e);
    }
    pte_set(&table(f->dst, m)[entry_index(f->dst, va, level)], *e & ~drop);
    ++*in_use(f->dst, m);
    if (!is_table(*e, level))
        f->dst->pool->resident += counted(f->dst, *e, level);
    return true;
}

static bool fork_table(const struct forking *f, frame_t n, uint32_t level, uint64_t va, uint64_t end)
{
    bool done = true;

    for (uint64_t next; va < end && done; va = next) {
        pte_t *e = &table(f->src, n)[entry_index(f->src, va, level)];
        uint64_t span = 1ull << entry_shift(f->src, level);
        bool whole;

        next = entry_end(f->src, va, end, level);
        if (!pte_used(*e))
            continue;
        /* a table with blocks is one pmap's alone: each block has a spare table there */
        whole = (f->how & FORK_LINK) && next - va == span && (level == 2 || !f->src->pool->spares);
        if (is_table(*e, level) && !whole)
            done = fork_table(f, pte_frame(f->src, *e), level - 1, va, next);
        else
            done = fork_entry(f, e, level, va);
    }
    return done;
}

bool pmap_fork(struct pmap *dst, struct pmap *src, uint64_t start, uint64_t end, uint32_t how)
{
    struct forking f = { dst, src, how };

    if (!src->frames)
        return true;
    if (src->pool->guarded)
        f.how &= ~(uint32_t)FORK_LINK;
    dst->pool->guarded |= src->pool->guarded;
    dst->pool->zeros |= src->pool->zeros;
    dst->pool->forked |= (f.how & FORK_LINK) != 0;
    src->pool->forked |= (f.how & FORK_LINK) != 0;
    return fork_table(&f, src->root, src->levels, start, end);
}

bool pmap_fork_guards(struct pmap *dst, const struct pmap *src, uint64_t start, uint64_t end)
{
    if (!src->pool->guarded)
        return true;
    for (start = pmap_first(src, start, end, PTE_GUARD); start < end;
         start = pmap_first(src, start + (1ull << src->page_shift), end, PTE_GUARD))
        if (!pmap_guard(dst, start))
            return false;
    return true;
}

/* ---- the checker ---------------------------------------------------------------------- */

struct audit {
    const struct pmap *pm;
    bool owner;
    pmap_covered *covered;
    void *ctx;
    struct pmap_sum *sum;
};

static const char *check_entry(struct audit *a, pte_t e, uint64_t va, uint32_t level, bool counts)
{
    frame_t frame = pte_frame(a->pm, e);

    if (!frame || frame >= a->pm->frames->count || !a->pm->frames->meta[frame].refs)
        return "pmap: an entry names a free frame";
    if ((e & PTE_P) && (e & PTE_HELD))
        return "pmap: an entry is present and held";
    if (a->covered && !a->covered(a->ctx, va, e, level))
        return "pmap: a page is mapped where no VMA allows it";
    if ((e & PTE_W) && (e & PTE_WP))
        return "pmap: a page that a watcher write-protects is writable";
    if ((e & (PTE_GUARD | PTE_MARK)) && (!(e & PTE_HELD) || frame != a->pm->frames->zero))
        return "pmap: a guard or a mark is a page";
    if ((e & PTE_ZEROS) && (frame != a->pm->frames->zero || !a->pm->pool->zeros))
        return "pmap: a page of zeros is none";
    if (counts) {
        a->sum->resident += counted(a->pm, e, level);
        a->sum->blocks += pmap_is_block(a->pm, e, level);
    }
    return NULL;
}

/* `counts`: this walk is the one that counts what it finds here. */
static const char *check_table(struct audit *a, frame_t n, uint32_t level, uint64_t va, bool counts)
{
    const pte_t *t = table(a->pm, n);
    uint32_t used = 0;

    a->sum->tables += counts;
    for (uint32_t i = 0; i < entry_count(a->pm); i++) {
        uint64_t at = va + ((uint64_t)i << entry_shift(a->pm, level));
        const char *bad;

        if (!pte_used(t[i]))
            continue;
        used++;
        if (is_table(t[i], level)) {
            frame_t child = pte_frame(a->pm, t[i]);
            bool ours = a->owner || (t[i] & PTE_COW) || !is_shared(a->pm, child);

            bad = check_table(a, child, level - 1, at, counts && ours);
        } else {
            bad = check_entry(a, t[i], at, level, counts);
        }
        if (!bad && (t[i] & PTE_W) && (t[i] & PTE_COW))
            bad = "pmap: what others own too is writable";
        if (bad)
            return bad;
    }
    if (used != *in_use(a->pm, n))
        return "pmap: a table's count of entries is wrong";
    if (!used && level < a->pm->levels)
        return "pmap: an empty table was kept";
    return NULL;
}

const char *pmap_check(const struct pmap *pm, bool owner, pmap_covered *covered, void *ctx,
                       struct pmap_sum *sum)
{
    struct audit a = { pm, owner, covered, ctx, sum };

    return check_table(&a, pm->root, pm->levels, 0, true);
}

void pmap_count(const struct pmap *pm, bool owner, struct pmap_sum *sum)
{
    pmap_check(pm, owner, NULL, NULL, sum);
}
