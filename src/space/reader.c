/* SPDX-License-Identifier: MIT */
/*
 * reader.c - readers: threads that walk the page tables without a lock.
 *
 * A reader's `seen` says which epoch it has reached; what is given up waits for
 * all readers to reach an epoch that began later (mem/frame.c). Its `stamp` is
 * set to 0 by the writer; the exchange that takes it orders what the reader
 * does before and after. Stale ranges stand in a ring of the space: who has
 * fallen too far behind takes everything for stale.
 */
#include "space/reader.h"

#include "base/atomic.h"

#define OUTSIDE UINT64_MAX

int mw_reader_attach(struct mw_space *s, struct mw_reader *r)
{
    struct mw_frames *f = s->cfg.frames;

    if (!f)
        return -MW_EINVAL;
    space_enter(s);
    *r = (struct mw_reader){ .generation = 1, .seen = OUTSIDE, .told = s->told_count, .space = s,
                             .next = f->readers };
    f->readers = r;
    space_leave(s);
    return 0;
}

void mw_reader_detach(struct mw_reader *r)
{
    struct mw_space *s = r->space;
    struct mw_reader **link = &s->cfg.frames->readers;

    space_enter(s);
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    frame_settle(s->cfg.frames);
    space_leave(s);
}

/* The order counts: either the writer finds this reader inside, or its exchange finds what the writer did. */
void mw_reader_enter(struct mw_reader *r)
{
    store_ordered(&r->seen, load_acquire(&r->space->cfg.frames->epoch));
    store_ordered(&r->reach, 0);
    exchange(&r->stamp, 0);
}

void mw_reader_leave(struct mw_reader *r) { store_release(&r->seen, OUTSIDE); }

/* Copies `n` ranges from `first` on. False: the writer may have come round to them. */
static bool copy_told(const struct mw_space *s, uint64_t first, uint64_t n, struct mw_range *ranges)
{
    for (uint64_t i = 0; i < n; i++) {
        const struct mw_range *told = &s->told[(first + i) % MW_READER_RANGES];

        ranges[i] = (struct mw_range){ load_acquire(&told->start), load_acquire(&told->end) };
    }
    return load_acquire(&s->told_count) - first < MW_READER_RANGES;
}

size_t mw_reader_take(struct mw_reader *r, struct mw_range ranges[MW_READER_RANGES])
{
    const struct mw_space *s = r->space;
    uint64_t first = r->told, n, epoch;

    exchange(&r->stamp, r->generation);
    epoch = load_acquire(&s->cfg.frames->epoch);
    r->told = load_acquire(&s->told_count);
    n = r->told - first;
    if (n >= MW_READER_RANGES || (ranges && !copy_told(s, first, n, ranges)))
        n = MW_READER_RANGES + 1;
    store_release(&r->seen, epoch);
    return (size_t)n;
}

void readers_tell(struct mw_space *s)
{
    for (uint32_t i = 0; i < s->stale_count; i++) {
        struct mw_range *told = &s->told[s->told_count % MW_READER_RANGES];

        store_release(&told->start, s->stale[i].start);
        store_release(&told->end, s->stale[i].end);
        store_release(&s->told_count, s->told_count + 1);
    }
    if (!frame_settle(s->cfg.frames) && s->stale_count)
        frame_new_epoch(s->cfg.frames);
}

void readers_told(struct mw_space *s)
{
    store_release(&s->busy, 0);
    frame_settle(s->cfg.frames);
}

/*
 * What the tables say of `va`: 0, or the leaf entry, writable where the tables
 * above it are. What can be summed before the entry above is there, is: a walk
 * is a chain of loads and as little else as can be.
 */
static inline pte_t walk(const struct pmap *pm, uint64_t va, struct pmap_leaf *leaf)
{
    uint32_t last = pm->page_shift, bits = last - 3, shift = last + (pm->levels - 1) * bits;
    uint64_t at = (uint64_t)pm->root << last, mask = ((1ull << bits) - 1) << 3;
    pte_t all = PTE_W;

    for (;; shift -= bits) {
        const unsigned char *column = pm->frames->base + (va >> (shift - 3) & mask);
        const pte_t *slot = (const pte_t *)(const void *)(column + at);
        pte_t e = load_acquire(slot);

        if (!(e & PTE_P))
            return 0;
        if (shift == last || (e & PTE_PS)) {
            *leaf = (struct pmap_leaf){ slot, shift };
            return e & (all | ~PTE_W);
        }
        all &= e;
        at = e & PTE_ADDR;
    }
}

/* What an entry allows without a fault: accessed and dirty bits are set under the lock. */
static uint32_t allows(pte_t e)
{
    if (!(e & PTE_A))
        return 0;
    return (e & PTE_XO ? 0 : MW_ACCESS_READ) |
           ((e & (PTE_W | PTE_D | PTE_WP)) == (PTE_W | PTE_D) ? MW_ACCESS_WRITE : 0) |
           (e & PTE_NX ? 0 : MW_ACCESS_EXEC);
}

static bool translate(const struct mw_space *s, uint64_t addr, uint32_t access,
                      struct mw_translation *out, struct pmap_leaf *leaf)
{
    pte_t e = addr < s->cfg.task_size ? walk(&s->pmap, addr, leaf) : 0;

    if (!(allows(e) & access))
        return false;
    /* a page that may replace what others have in their TLBs is not written before they are told */
    if ((access & MW_ACCESS_WRITE) && load_acquire(&s->busy))
        return false;
    *out = (struct mw_translation){
        .host = s->pmap.frames->base + (e & PTE_ADDR) + (addr & ((1ull << leaf->shift) - 1)),
        .shift = leaf->shift,
        .access = allows(e),
    };
    return true;
}

enum mw_fault_result mw_translate(struct mw_reader *r, uint64_t addr, uint32_t access,
                                  struct mw_translation *out)
{
    struct pmap_leaf leaf;

    while (!translate(r->space, addr, access, out, &leaf)) {
        enum mw_fault_result result;

        mw_reader_leave(r); /* whoever holds the lock may be waiting for this reader */
        result = mw_fault(r->space, addr, access);
        mw_reader_enter(r);
        if (result != MW_FAULT_OK)
            return result;
    }
    return MW_FAULT_OK;
}

bool mw_reader_run(struct mw_reader *r, uint64_t addr, struct mw_run *out)
{
    struct mw_translation t;
    struct pmap_leaf leaf;
    uint64_t start, end;

    if (!translate(r->space, addr, MW_ACCESS_WRITE, &t, &leaf) || !(t.access & MW_ACCESS_READ))
        return false;
    start = addr >> leaf.shift << leaf.shift;
    end = start + (1ull << leaf.shift);
    pmap_run(&r->space->pmap, &leaf, &start, &end);
    *out = (struct mw_run){ .start = start, .bytes = end - start, .host = (char *)t.host - (addr - start) };
    return true;
}
