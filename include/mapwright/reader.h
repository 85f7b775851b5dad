/* SPDX-License-Identifier: MIT */
/*
 * reader.h - threads that use guest memory while another one changes the space.
 *
 * One thread at a time makes calls on a space: the port's lock sees to that.
 * Beside it any number of *readers* (virtual CPUs, device models) translate
 * guest addresses and access the memory behind them, and take no lock: tlb.h is
 * made of this, and a thread that goes without a TLB of its own uses it alone.
 *
 *     mw_reader_attach(space, &reader);
 *     mw_reader_enter(&reader);           -- from here on this thread is "inside"
 *     while (running) {
 *         mw_reader_poll(&reader);        -- earlier translations end here
 *         if (mw_translate(&reader, addr, MW_ACCESS_READ, &t) == MW_FAULT_OK)
 *             memcpy(buf, t.host, n);
 *     }
 *     mw_reader_leave(&reader);           -- before it blocks, or makes a call on the space
 *     mw_reader_detach(&reader);
 *
 * What is promised
 *   - After a call on a space has returned, no reader that starts an access (by
 *     mw_translate, or a helper of tlb.h) meets what the call took away: the
 *     old page, the old address, the old permission.
 *   - While a call is under way an access meets what was before it or what is
 *     after it. A page that is copied on write is never seen old after new.
 *   - A page or page table that a call gives up is not used for anything else
 *     until every reader that was inside has polled, taken or left. It counts
 *     as free (mw_frames_free) but can't be had meanwhile, so MW_FAULT_OOM and
 *     ENOMEM may come early while a reader does not poll. Without readers all
 *     is free at once, and nothing here costs anything.
 *   - So an access never reaches memory that belongs to somebody else by then.
 *
 * What is left to the embedder: accesses *in flight*, whose translation was made
 * before the call returned. They end by the reader's next poll, and until then
 * may still read or write the page: after mprotect a write may land, after
 * mremap at the new address, after fork in a page that the child has too. A CPU
 * would have been interrupted and waited for; where the guest needs this (it
 * does if its threads write), the port's flush callback waits:
 *
 *     static void flush(void *ctx, uint64_t id, const struct mw_range *r, size_t n)
 *     {
 *         while (!mw_readers_passed(frames))
 *             sched_yield();
 *     }
 *
 * The epoch begins before the callback is called, and each reader is told of it:
 * its TLB, if it has one, hits nothing until it has dropped what is stale. A
 * reader that is inside therefore polls (or accesses memory by tlb.h, which
 * polls) every now and then, and never waits inside for a lock that a caller
 * holds; mw_translate leaves and enters around a fault by itself.
 */
#ifndef MAPWRIGHT_READER_H
#define MAPWRIGHT_READER_H

#include "mapwright/mapwright.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* A thread that uses guest memory. The caller's storage; nothing in it is to be written. */
struct mw_reader {
    uint64_t stamp;           /* what valid tags of its TLB end in; 0: something is stale */
    uint64_t reach;           /* bytes that a TLB reaches without asking a tag; 0 when `stamp` is */
    uint64_t generation;      /* what `stamp` becomes once that is dropped, 1 to 4094 */
    uint64_t seen;            /* the epoch that it has reached; UINT64_MAX: outside */
    uint64_t told;            /* how many stale ranges of its space it has been told */
    struct mw_space *space;
    struct mw_reader *next;   /* of the readers of one frame pool */
};

/*
 * Makes `reader` one of `space`, outside. Both, and the port, stay where they
 * are until it is detached; a thread that changes spaces detaches and attaches.
 * Takes the port's lock. MW_EINVAL: a layout-only space.
 */
int mw_reader_attach(struct mw_space *space, struct mw_reader *reader);

/* Ends that; the reader is outside. Takes the port's lock. */
void mw_reader_detach(struct mw_reader *reader);

/* Goes inside: what translations give may be accessed. Waits for nobody. */
void mw_reader_enter(struct mw_reader *reader);

/* Goes outside: what translations gave is not accessed any more. */
void mw_reader_leave(struct mw_reader *reader);

/* How many stale ranges a reader is told one by one. */
#define MW_READER_RANGES 16

/*
 * Ends all earlier translations of a reader that is inside. `ranges` (may be NULL)
 * receives what has become stale since the last time, for a TLB of any make;
 * returns how many ranges, or more than MW_READER_RANGES: everything is stale.
 */
size_t mw_reader_take(struct mw_reader *reader, struct mw_range ranges[MW_READER_RANGES]);

/* The same, without cost while nothing is stale. */
static inline void mw_reader_poll(struct mw_reader *reader)
{
    if (__atomic_load_n(&reader->stamp, __ATOMIC_RELAXED) == 0)
        (void)mw_reader_take(reader, NULL);
}

/*
 * Has every reader of the pool that is inside polled, taken, or left, since the
 * last epoch began? To be asked under the port's lock, as in its flush callback.
 */
bool mw_readers_passed(const struct mw_frames *frames);

/* Where an address leads. */
struct mw_translation {
    void *host;      /* of the very address */
    uint32_t shift;  /* the page is 1 << shift bytes, aligned, and contiguous in host memory too */
    uint32_t access; /* MW_ACCESS_..., all that need no fault */
};

/*
 * Translates `addr` for one access (one of MW_ACCESS_...): walks the page
 * tables without a lock, and faults under the port's lock where they do not
 * allow it. `out` is filled in for MW_FAULT_OK, and is good until the reader
 * polls, takes, leaves, or translates with a fault (its stamp is 0 then).
 */
enum mw_fault_result mw_translate(struct mw_reader *reader, uint64_t addr, uint32_t access,
                                  struct mw_translation *out);

/* Pages side by side, in the guest and in host memory, that can be read and written without a fault. */
struct mw_run {
    uint64_t start, bytes;
    void *host; /* of start */
};

/* The run around `addr`, as far as one page table knows. False: there is none. Good as long as a translation. */
bool mw_reader_run(struct mw_reader *reader, uint64_t addr, struct mw_run *out);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
