/* SPDX-License-Identifier: MIT */
/* pmap.c - page tables: walk, enter, protect, zap, move. */
#include "pmap/pmap.h"

#include "base/mem.h"
#include "base/range.h"

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

static pte_t leaf_entry(const struct pmap *pm, frame_t n, pte_t bits)
{
    return (pte_t)n << pm->page_shift | bits;
}

/* ---- tables ------------------------------------------------------------------ */

/* An empty table: from the stock first. 0: no memory. */
static frame_t table_new(struct pmap *pm)
{
    frame_t n = pm->stock;

    if (n) {
        pm->stock = pm->frames->meta[n].link;
        pm->frames->meta[n].link = 0;
    } else {
        n = frame_alloc_zeroed(pm->frames);
    }
    if (n)
        pm->tables++;
    return n;
}

static void table_free(struct pmap *pm, frame_t n)
{
    pm->tables--;
    frame_put(pm->frames, n);
}

int pmap_init(struct pmap *pm, struct mw_frames *frames, uint32_t levels, uint32_t page_shift)
{
    *pm = (struct pmap){ .frames = frames, .levels = levels, .page_shift = page_shift };
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
    pmap_unreserve(pm);
    pmap_zap(pm, 0, UINT64_MAX);
    table_free(pm, pm->root);
}

pte_t *pmap_find(const struct pmap *pm, uint64_t va)
{
    frame_t n = pm->root;

    for (uint32_t level = pm->levels; level > 1; level--) {
        pte_t e = table(pm, n)[entry_index(pm, va, level)];

        if (!(e & PTE_P))
            return NULL;
        n = pte_frame(pm, e);
    }
    return &table(pm, n)[entry_index(pm, va, 1)];
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
            *e = table_entry(pm, child);
            pm->frames->meta[n].link++;
        }
        n = pte_frame(pm, *e);
    }
    return n;
}

static bool counted(const struct pmap *pm, frame_t n) { return n != pm->frames->zero; }

/* Takes away tables on the way to `va` that hold nothing (left by a failed table_make). */
static void prune(struct pmap *pm, uint64_t va);

bool pmap_enter(struct pmap *pm, uint64_t va, frame_t frame, pte_t bits)
{
    frame_t n = table_make(pm, va, 1);
    pte_t *e;

    if (!n) {
        prune(pm, va);
        return false;
    }
    e = &table(pm, n)[entry_index(pm, va, 1)];
    if (pte_used(*e)) {
        pmap_replace(pm, e, frame, bits);
        return true;
    }
    pm->frames->meta[n].link++;
    pm->resident += counted(pm, frame);
    *e = leaf_entry(pm, frame, bits);
    return true;
}

void pmap_replace(struct pmap *pm, pte_t *entry, frame_t frame, pte_t bits)
{
    frame_t old = pte_frame(pm, *entry);

    pm->resident -= counted(pm, old);
    pm->resident += counted(pm, frame);
    *entry = leaf_entry(pm, frame, bits);
    frame_put(pm->frames, old);
}

/* ---- visiting a range ----------------------------------------------------------- */

/* The end of the entry that spans `va`, or `end` if that comes first. */
static uint64_t entry_end(const struct pmap *pm, uint64_t va, uint64_t end, uint32_t level)
{
    uint64_t mask = (1ull << entry_shift(pm, level)) - 1;

    return (va | mask) >= end - 1 ? end : (va | mask) + 1;
}

/* The first address beyond what the tables can map. */
static uint64_t reach(const struct pmap *pm)
{
    uint32_t bits = entry_shift(pm, pm->levels) + index_bits(pm);

    return bits >= 64 ? UINT64_MAX : 1ull << bits;
}

static void zap_leaf(struct pmap *pm, frame_t n, uint64_t va, uint64_t end)
{
    pte_t *t = table(pm, n);
    uint32_t last = entry_index(pm, end - 1, 1);

    for (uint32_t i = entry_index(pm, va, 1); i <= last; i++) {
        if (!pte_used(t[i]))
            continue;
        pm->resident -= counted(pm, pte_frame(pm, t[i]));
        frame_put(pm->frames, pte_frame(pm, t[i]));
        t[i] = 0;
        pm->frames->meta[n].link--;
    }
}

static void zap_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end)
{
    if (level == 1) {
        zap_leaf(pm, n, va, end);
        return;
    }
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];
        frame_t child;

        next = entry_end(pm, va, end, level);
        if (!(*e & PTE_P))
            continue;
        child = pte_frame(pm, *e);
        zap_table(pm, child, level - 1, va, next);
        if (pm->frames->meta[child].link)
            continue;
        table_free(pm, child);
        *e = 0;
        pm->frames->meta[n].link--;
    }
}

void pmap_zap(struct pmap *pm, uint64_t start, uint64_t end)
{
    if (!pm->frames)
        return;
    end = min_u64(end, reach(pm));
    if (start < end)
        zap_table(pm, pm->root, pm->levels, start, end);
}

static void prune(struct pmap *pm, uint64_t va)
{
    /* zapping one page that is not there frees the empty tables above it */
    pmap_zap(pm, page_down(va, pm->page_shift), page_down(va, pm->page_shift) + 1);
}

pte_t pmap_grant(uint64_t vm_flags)
{
    pte_t bits = PTE_P | PTE_U;

    if (!(vm_flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC)))
        return 0;
    if (vm_flags & MW_VM_WRITE)
        bits |= PTE_W;
    if (!(vm_flags & MW_VM_EXEC))
        bits |= PTE_NX;
    return bits;
}

/* An entry cut down to what `grant` allows. */
static pte_t entry_protect(pte_t e, pte_t grant)
{
    pte_t keep = e & (PTE_ADDR | PTE_A | PTE_D);

    if (!grant)
        return keep | PTE_HELD;
    return keep | PTE_P | PTE_U | (e & grant & PTE_W) | (grant & PTE_NX);
}

static void protect_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va,
                          uint64_t end, pte_t grant)
{
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];

        next = entry_end(pm, va, end, level);
        if (level == 1 && pte_used(*e))
            *e = entry_protect(*e, grant);
        else if (level > 1 && (*e & PTE_P))
            protect_table(pm, pte_frame(pm, *e), level - 1, va, next, grant);
    }
}

void pmap_protect(struct pmap *pm, uint64_t start, uint64_t end, uint64_t vm_flags)
{
    if (!pm->frames)
        return;
    end = min_u64(end, reach(pm));
    if (start < end)
        protect_table(pm, pm->root, pm->levels, start, end, pmap_grant(vm_flags));
}

/* ---- moving ------------------------------------------------------------------------ */

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
        if (!(e & PTE_P))
            continue;
        c->tables[level - 1]++;
        c->runs[level - 1] += c->last[level - 1] != number || !number;
        c->last[level - 1] = number + 1;
        count_tables(pm, pte_frame(pm, e), level - 1, va, next, c, stop);
    }
}

bool pmap_move_reserve(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length)
{
    struct census c = { 0 };
    uint32_t shared = shared_level(pm, from, to);
    uint64_t need = 0;

    if (!pm->frames)
        return true;
    count_tables(pm, pm->root, pm->levels, from, from + length, &c, shared);
    for (uint32_t level = 1; level < pm->levels; level++)
        /* shared levels: only the ragged ends need tables of their own; the
           others land on one table more than they come from, a run */
        need += level <= shared ? 2 : c.tables[level] + c.runs[level];
    while (need--) {
        frame_t n = frame_alloc_zeroed(pm->frames);

        if (!n) {
            pmap_unreserve(pm);
            return false;
        }
        pm->frames->meta[n].link = pm->stock;
        pm->stock = n;
    }
    return true;
}

void pmap_unreserve(struct pmap *pm)
{
    while (pm->frames && pm->stock) {
        frame_t n = pm->stock;

        pm->stock = pm->frames->meta[n].link;
        frame_put(pm->frames, n);
    }
}

/* Moves one entry of a table of `level` to the same level at `to`. */
static void move_entry(struct pmap *pm, frame_t n, pte_t *e, uint32_t level, uint64_t to)
{
    frame_t m = table_make(pm, to, level);

    table(pm, m)[entry_index(pm, to, level)] = *e;
    pm->frames->meta[m].link++;
    *e = 0;
    pm->frames->meta[n].link--;
}

static void move_table(struct pmap *pm, frame_t n, uint32_t level, uint64_t va, uint64_t end,
                       uint64_t to, uint32_t shared)
{
    for (uint64_t next; va < end; to += next - va, va = next) {
        pte_t *e = &table(pm, n)[entry_index(pm, va, level)];
        uint64_t span = 1ull << entry_shift(pm, level);
        frame_t child;

        next = entry_end(pm, va, end, level);
        if (!pte_used(*e))
            continue;
        if (level == 1 || (level - 1 <= shared && next - va == span)) {
            move_entry(pm, n, e, level, to);
            continue;
        }
        child = pte_frame(pm, *e);
        move_table(pm, child, level - 1, va, next, to, shared);
        if (pm->frames->meta[child].link)
            continue;
        table_free(pm, child);
        *e = 0;
        pm->frames->meta[n].link--;
    }
}

void pmap_move(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length)
{
    if (pm->frames)
        move_table(pm, pm->root, pm->levels, from, from + length, to,
                   shared_level(pm, from, to));
}

/* ---- the checker ---------------------------------------------------------------------- */

struct audit {
    const struct pmap *pm;
    bool (*covered)(void *ctx, uint64_t va, pte_t e);
    void *ctx;
    uint64_t tables, resident;
};

static const char *check_entry(struct audit *a, pte_t e, uint64_t va)
{
    frame_t frame = pte_frame(a->pm, e);

    if (!frame || frame >= a->pm->frames->count || !a->pm->frames->meta[frame].refs)
        return "pmap: an entry names a free frame";
    if ((e & PTE_P) && (e & PTE_HELD))
        return "pmap: an entry is present and held";
    if (!a->covered(a->ctx, va, e))
        return "pmap: a page is mapped where no VMA allows it";
    a->resident += counted(a->pm, frame);
    return NULL;
}

static const char *check_table(struct audit *a, frame_t n, uint32_t level, uint64_t va)
{
    const pte_t *t = table(a->pm, n);
    uint32_t used = 0;

    a->tables++;
    for (uint32_t i = 0; i < entry_count(a->pm); i++) {
        uint64_t at = va + ((uint64_t)i << entry_shift(a->pm, level));
        const char *bad;

        if (!pte_used(t[i]))
            continue;
        used++;
        bad = level == 1 ? check_entry(a, t[i], at)
                         : check_table(a, pte_frame(a->pm, t[i]), level - 1, at);
        if (bad)
            return bad;
    }
    if (used != a->pm->frames->meta[n].link)
        return "pmap: a table's count of entries is wrong";
    if (!used && level < a->pm->levels)
        return "pmap: an empty table was kept";
    return NULL;
}

const char *pmap_check(const struct pmap *pm, bool (*covered)(void *ctx, uint64_t va, pte_t e),
                       void *ctx)
{
    struct audit a = { pm, covered, ctx, 0, 0 };
    const char *bad;

    if (!pm->frames)
        return NULL;
    bad = check_table(&a, pm->root, pm->levels, 0);
    if (bad)
        return bad;
    if (pm->stock)
        return "pmap: reserved tables were kept";
    if (a.tables != pm->tables)
        return "pmap: the count of tables is wrong";
    return a.resident == pm->resident ? NULL : "pmap: the count of resident pages is wrong";
}
