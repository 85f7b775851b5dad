/* SPDX-License-Identifier: MIT */
/*
 * transaction.h - how a live space's calls happen wholly or not at all.
 *
 * The layout of what a call may change is noted, the engine makes the call, the
 * host follows; when the host refuses, host and engine go back to what was
 * noted. Pages are given up only at the very end.
 */
#ifndef MW_LIVE_TRANSACTION_H
#define MW_LIVE_TRANSACTION_H

#include "space.h"

#define HUGE (2ull << 20)
#define GIGA (1ull << 30)

enum { PARTS = 2 };

struct transaction {
    struct mw_live *live;
    size_t parts;
    struct layout before[PARTS], after[PARTS];
    struct layout now;     /* what the host has in one part, where that is not what was before */
    size_t now_of;         /* which; PARTS: none */
    uint32_t fresh[POOLS]; /* slots taken for it: 1 + the first one, linked; 0: none */
    struct journal journal;
    struct mw_range aside; /* where carried pages wait that the call replaces */
};

void mw_tx_begin(struct transaction *t, struct mw_live *live);
void mw_tx_end(struct transaction *t);

/*
 * Notes, as one part, what a call in [start, end) may change: also the whole
 * mappings that it might cut or merge with. 0 or -ENOMEM.
 */
int mw_tx_note(struct transaction *t, uint64_t start, uint64_t end);

/* Begins and notes; what fails has ended. */
int mw_tx_open(struct transaction *t, struct mw_live *live, uint64_t start, uint64_t end);

/* Notes a part of which nothing was mapped; forgets all parts. */
struct layout *mw_tx_note_empty(struct transaction *t, struct mw_range range);
void mw_tx_forget(struct transaction *t);

/* The part that has `addr`. */
size_t mw_tx_part_of(const struct transaction *t, uint64_t addr);

/* `now` is to be that of the part with `addr`; adds to it what was in [start, end). False: no memory. */
void mw_tx_now_begins(struct transaction *t, uint64_t addr);
bool mw_tx_now_as_before(struct transaction *t, uint64_t start, uint64_t end);

/* Notes the parts as the engine has left them. 0 or -ENOMEM. */
int mw_tx_note_after(struct transaction *t);

/* A slot that was taken for what may not come to be. */
void mw_tx_fresh_slot(struct transaction *t, struct pool *pool, uint32_t slot);

/*
 * Each ends the transaction. The call, or a part of it, is not to be: returns
 * `err`; `host_too`: the host may have followed in part.
 */
int64_t mw_tx_roll_back(struct transaction *t, int64_t err, bool host_too);

/* The host follows. Returns `result`, or what the host says. */
int64_t mw_tx_carry_out(struct transaction *t, int64_t result);

/* The same in one host call: [start, end) is `v`'s from now on, or no one's (NULL). */
int64_t mw_tx_carry_out_one(struct transaction *t, uint64_t start, uint64_t end,
                            const struct mw_vma *v, int64_t result);

/* Counts a mapping in its slot, or out of it; a slot that nothing maps any more is free again. */
void mw_slot_count(const struct mw_vma *v, bool in);

/* ---- map.c: what remap.c asks of it ------------------------------------------------------- */

struct mapping {
    struct mw_live *live;
    uint64_t addr, length, prot, flags, offset;
    struct backing *behind; /* NULL: the kernel's own private memory */
    struct pool *pool;
    bool has_slot; /* `offset` is in one */
    int fd;        /* -1: anonymous */
    struct mw_why *why;
};

/* A slot for it, congruent with its address where that is known. 0 or -ENOMEM. */
int mw_map_take_slot(struct mapping *m);

/* The engine's side of mmap, and both. */
int64_t mw_map_in_engine(struct transaction *t, struct mapping *m);
int64_t mw_map_with(struct transaction *t, struct mapping *m);

/* ---- for all calls --------------------------------------------------------------------------- */

/* The arguments of a call on a range; `how`: its protection, flags or advice. */
struct change {
    struct mw_live *live;
    uint64_t addr, length, how;
    struct mw_why *why;
};

/* So that what takes several steps can be undone. 0 or -ENOMEM: then it is not begun. */
static inline int may_begin(struct mw_live *live)
{
    return mw_spare_make(&live->spare, page_of(live), SPARES);
}

/* Makes `call` under the lock. */
int64_t mw_live_enter(struct mw_live *live, struct mw_why *why, int64_t (*call)(void *), void *args);

static inline bool inside(const struct mw_live *live, uint64_t addr, uint64_t length)
{
    return addr >= live->range.start && addr < live->range.end && length <= live->range.end - addr;
}

static inline uint64_t up_to(uint64_t bytes, uint64_t page) { return (bytes + page - 1) & ~(page - 1); }

static inline uint64_t up(const struct mw_live *live, uint64_t bytes)
{
    return up_to(bytes, page_of(live));
}

#endif
