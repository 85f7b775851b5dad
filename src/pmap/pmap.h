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

#include "mem/frame.h"

typedef uint64_t pte_t;

#define PTE_P 0x1ull         /* present */
#define PTE_W 0x2ull         /* writable */
#define PTE_U 0x4ull         /* user */
#define PTE_A 0x20ull        /* accessed */
#define PTE_D 0x40ull        /* dirty */
#define PTE_PS 0x80ull       /* a leaf above the lowest level */
#define PTE_HELD 0x200ull    /* not present, yet holds its frame (PROT_NONE) */
#define PTE_NX (1ull << 63)  /* not executable */
#define PTE_ADDR 0x000ffffffffff000ull

struct pmap {
    struct mw_frames *frames; /* NULL: layout only, every call below does nothing */
    frame_t root;
    uint32_t levels;
    uint32_t page_shift;
    frame_t stock;            /* tables reserved for a move */
    uint64_t resident;        /* leaf entries, those of the zero frame left out */
    uint64_t tables;          /* the root included */
};

/* 0, -EINVAL (levels do not cover the space) or -ENOMEM. */
int pmap_init(struct pmap *pm, struct mw_frames *frames, uint32_t levels, uint32_t page_shift);
void pmap_destroy(struct pmap *pm);

/* The lowest-level entry of `va`; NULL: no table reaches there. */
pte_t *pmap_find(const struct pmap *pm, uint64_t va);

/* Sets the entry of `va`, which takes over the caller's reference on the frame. False: no memory. */
bool pmap_enter(struct pmap *pm, uint64_t va, frame_t frame, pte_t bits);

/* Replaces the entry that pmap_find gave; the old frame's reference is dropped. */
void pmap_replace(struct pmap *pm, pte_t *entry, frame_t frame, pte_t bits);

/* Drops every page in [start, end), and tables that become empty. */
void pmap_zap(struct pmap *pm, uint64_t start, uint64_t end);

/* What a leaf entry may grant for a VMA's flags; 0: nothing (PROT_NONE). */
pte_t pmap_grant(uint64_t vm_flags);

/* Takes away what [start, end) no longer grants; what it grants anew comes by fault. */
void pmap_protect(struct pmap *pm, uint64_t start, uint64_t end, uint64_t vm_flags);

/*
 * Moves the entries of [from, from + length) to `to`, where none are. The
 * tables that this needs are reserved first; after that it cannot fail.
 * Whole tables go by one entry write where both addresses are congruent.
 */
bool pmap_move_reserve(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length);
void pmap_move(struct pmap *pm, uint64_t from, uint64_t to, uint64_t length);

/* Gives reserved tables back. */
void pmap_unreserve(struct pmap *pm);

/*
 * Walks everything: counts, levels, and `covered(ctx, va)` for each page found.
 * NULL when sound.
 */
const char *pmap_check(const struct pmap *pm, bool (*covered)(void *ctx, uint64_t va, pte_t e),
                       void *ctx);

static inline frame_t pte_frame(const struct pmap *pm, pte_t e)
{
    return (frame_t)((e & PTE_ADDR) >> pm->page_shift);
}

static inline bool pte_used(pte_t e) { return (e & (PTE_P | PTE_HELD)) != 0; }

#endif
