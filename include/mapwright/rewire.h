/* SPDX-License-Identifier: MIT */
/*
 * rewire.h - chosen pages in chosen order at contiguous addresses: a ready-made
 * piece on this process's own memory, for programs that have a C library.
 *
 *     pool     | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |      pages of a memfd
 *                    \   \   \         /
 *     a view       | 1 | 2 | 3 |   | 6 |              units, of which one shows no page
 *
 * Moving a page, swapping two, or showing one twice changes where it is mapped and
 * copies nothing. It costs one mmap for each *run*: units side by side that show
 * pages side by side in the pool.
 *
 * Conventions
 *   - A page of the pool and a unit of a view are equally large: `unit` bytes.
 *     Pages and units are counted from 0; n is a number of them, any 64-bit number.
 *   - 0 on success, -errno on failure; a call that fails has changed nothing, but
 *     for -ENOTRECOVERABLE (see mw_rewire_set) and a release that stopped half-way.
 *   - Calls on one pool and its views: one thread at a time. The memory: any thread at
 *     any time. While a call moves pages a unit shows its old or its new page; what
 *     is written meanwhile goes to the page that is shown, and none of it is lost.
 *   - A forked child has the pool, the views and the same pages: what either writes or
 *     releases the other sees. Which unit shows which page is each one's own from
 *     then on, and so are the copies of a MW_REWIRE_COPY_ON_WRITE snapshot. Fork while
 *     no other thread is inside a call on the pool. Each destroys its own.
 *   - Needs Linux 3.17 or later, no privilege, neither /proc nor /dev.
 */
#ifndef MAPWRIGHT_REWIRE_H
#define MAPWRIGHT_REWIRE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* What a unit may show instead of a page. */
#define MW_REWIRE_NONE UINT64_MAX       /* nothing: an access faults (SIGSEGV); the address stays the view's */
#define MW_REWIRE_LOST (UINT64_MAX - 1) /* not known; see mw_rewire_set. Never given to a call */

#define MW_REWIRE_HUGE 0x1u        /* pages of 2 MiB from the system's pool, or an error */
#define MW_REWIRE_ADVISE_HUGE 0x2u /* ask for transparent huge pages; where the kernel has none: nothing */

struct mw_rewire_config {
    size_t unit;     /* in bytes: a power of two, at least the system's page, with a flag at least
                        2 MiB; 0: the least */
    uint64_t pages;  /* how many there are in the pool */
    uint64_t views;  /* how many views there may be at a time; 0: no limit */
    uint64_t budget; /* how many host mappings the views may take together; 0: no limit. A system
                        allows a process 65530 of them by default (vm.max_map_count) */
    unsigned flags;
};

struct mw_rewire;

/* Made by mw_rewire_view_create. `data`, `units` and `unit` may be read, nothing may be written. */
struct mw_rewire_view {
    unsigned char *data; /* unit i is at data + i * unit; a multiple of `unit` */
    uint64_t units;
    size_t unit;
};

/*
 * Makes a pool of pages, all zero; memory is taken as they are touched (MW_REWIRE_HUGE: set
 * aside here). *pool is the caller's until mw_rewire_destroy. It keeps one file descriptor
 * open, and beside the budget up to seven host mappings, which it gives up for the moment
 * when the host refuses one: so that there is room to undo.
 *
 * Errors, in this order
 *   -EINVAL      no pages; unknown flags, or both; a unit that can't be one
 *   -EOVERFLOW   the pages are more bytes than a file can have
 *   -ENOMEM      no memory, or no host mapping
 *   -EMFILE, -ENFILE   no file descriptor free
 *   -EOPNOTSUPP  MW_REWIRE_HUGE, and the kernel has no huge pages of 2 MiB
 *   -ENOMEM      MW_REWIRE_HUGE, and the system's pool has not enough of them free
 *   others as memfd_create, ftruncate and mmap give them
 */
int mw_rewire_create(const struct mw_rewire_config *config, struct mw_rewire **pool);

/* Unmaps its views, which may not be used any more, and gives the pages back. `pool` may be NULL. */
void mw_rewire_destroy(struct mw_rewire *pool);

#define MW_REWIRE_READ_ONLY 0x1u     /* a view: writing to it faults */
#define MW_REWIRE_COPY_ON_WRITE 0x2u /* a snapshot: what is written to it is its own */

/*
 * Reserves the addresses of a view of so many units, none of which shows a page, and
 * takes eight bytes of memory for each. `flags` are 0 or MW_REWIRE_READ_ONLY. *view is the caller's until
 * mw_rewire_view_destroy or mw_rewire_destroy.
 *
 * Errors, in this order
 *   -EINVAL     no units; unknown flags
 *   -EOVERFLOW  more than a quarter of SIZE_MAX bytes
 *   -EDQUOT     as many views as there may be, or no host mapping left of the budget
 *   -ENOMEM     no memory, no address space, or a limit on either
 */
int mw_rewire_view_create(struct mw_rewire *pool, uint64_t units, unsigned flags,
                          struct mw_rewire_view **view);

/* Unmaps it; the pages keep their bytes. `view` may be NULL. No thread may use it any more. */
void mw_rewire_view_destroy(struct mw_rewire_view *view);

/* Stores in pages[0, n) what the units [first, first + n) show. -EINVAL: not all of them are the view's. */
int mw_rewire_pages(const struct mw_rewire_view *view, uint64_t first, uint64_t n, uint64_t *pages);

/*
 * Makes the units [first, first + n) show pages[0, n), each a page or MW_REWIRE_NONE; a page
 * may be shown any number of times. One mmap a run, none where all is in place already.
 *
 * Errors, in this order
 *   -EPERM   the view is a copy-on-write snapshot: it stays as it was made
 *   -EINVAL  not all of the units are the view's; no such page
 *   -EDQUOT  it would take more host mappings than the budget has left, then or on the way:
 *            runs are mapped in order, and those not yet reached are still there
 *   -ENOMEM  the host has no memory or no mapping left; what was done is undone
 *   others as mmap gives them, undone likewise
 *   -ENOTRECOVERABLE  undoing was refused too. Some of the units are MW_REWIRE_LOST:
 *            what they show is not known, or that they show anything. Set them anew
 */
int mw_rewire_set(struct mw_rewire_view *view, uint64_t first, const uint64_t *pages, uint64_t n);

/*
 * Swaps what the units [first_a, first_a + n) of `a` and [first_b, first_b + n) of `b` show.
 * `a` and `b` are of one pool, and may be the same. While it runs both may show the same
 * pages. Errors as mw_rewire_set; -EINVAL also where the ranges overlap, where the
 * pools are two, or where a unit is MW_REWIRE_LOST.
 */
int mw_rewire_swap(struct mw_rewire_view *a, uint64_t first_a, struct mw_rewire_view *b, uint64_t first_b,
                   uint64_t n);

/*
 * Makes a view that shows the same pages as `view` does now, unit by unit. With flags 0 it
 * can be read only and is a view like another: it can be set to other pages. With
 * MW_REWIRE_COPY_ON_WRITE it can be written, and what it has written, page by page of the
 * system, is a copy of its own: never seen elsewhere, and gone with it. The other direction
 * is open in both: what is written through another view is seen in pages that the snapshot
 * has not written itself. Its wiring is frozen, its bytes are not.
 *
 * Errors as mw_rewire_view_create and mw_rewire_set; -EINVAL also where a unit is
 * MW_REWIRE_LOST; -EPERM: a snapshot of a copy-on-write snapshot.
 */
int mw_rewire_snapshot(struct mw_rewire_view *view, unsigned flags, struct mw_rewire_view **snapshot);

/*
 * Moves the units that show a page to the view's start, in an order in which they are as
 * few runs as can be: that of the pool, and pages that are shown again after all that are
 * shown once. The others show nothing. to[i], of as many entries as the view has units,
 * is where unit i went, or MW_REWIRE_NONE if it showed nothing.
 * Errors as mw_rewire_set; -ENOMEM also for want of memory to plan with (four words a unit).
 */
int mw_rewire_compact(struct mw_rewire_view *view, uint64_t *to);

/*
 * Gives the memory of the pages back to the system. They read zero from then on, wherever
 * they are shown; only copies that a snapshot has made stay. One call of the host for each
 * run of `pages`. With MW_REWIRE_HUGE nothing is set aside for them until they are set again:
 * touching one that is still shown raises SIGBUS if the system's pool has none.
 *
 * -EINVAL: no such page; nothing has changed. Others as fallocate gives them: the runs before are released.
 */
int mw_rewire_release(struct mw_rewire *pool, const uint64_t *pages, uint64_t n);

struct mw_rewire_stats {
    uint64_t host_mappings; /* that the views take. Those of units that show nothing may have
                               become one with another mapping of the process: then one too many */
    uint64_t views;
    uint64_t held;          /* bytes of memory in the pool's pages, each counted once */
};
void mw_rewire_stats(const struct mw_rewire *pool, struct mw_rewire_stats *out);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
