/* SPDX-License-Identifier: MIT */
/*
 * watch.h - watchers: what userfaultfd(2) is built on.
 *
 * A *watcher* belongs to one space. Ranges are registered with it; an access
 * that meets an absent, a write-protected or an unmapped page there is not
 * answered by the engine: it ends in MW_FAULT_WATCHED, mw_watch_fault tells
 * what happened, and the embedder resolves it by one of the calls below and
 * lets the access begin again. The calls are the ioctls of ioctl_userfaultfd(2),
 * with their checks in Linux's order; numbers are Linux's, so that a guest's own
 * can be handed through. Queues, threads that wait and are woken, and reading
 * messages are the embedder's: the MODE_DONTWAKE bits are known and do nothing.
 * Rules WATCH in SPEC.md.
 *
 * Where Linux lets a call wait for a watcher in the midst of its work (mlock,
 * MADV_POPULATE_), the call ends with EAGAIN: resolve the fault at `why->addr`
 * and call again. What is made present besides (MAP_POPULATE, locked memory that
 * grows) leaves watched pages out.
 */
#ifndef MAPWRIGHT_WATCH_H
#define MAPWRIGHT_WATCH_H

#include "mapwright/mapwright.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct mw_watcher;

/* ---- Linux's numbers ---------------------------------------------------- */

#define MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP 0x1u
#define MW_UFFD_FEATURE_EVENT_FORK 0x2u
#define MW_UFFD_FEATURE_EVENT_REMAP 0x4u
#define MW_UFFD_FEATURE_EVENT_REMOVE 0x8u
#define MW_UFFD_FEATURE_MISSING_HUGETLBFS 0x10u
#define MW_UFFD_FEATURE_MISSING_SHMEM 0x20u
#define MW_UFFD_FEATURE_EVENT_UNMAP 0x40u
#define MW_UFFD_FEATURE_SIGBUS 0x80u
#define MW_UFFD_FEATURE_THREAD_ID 0x100u
#define MW_UFFD_FEATURE_MINOR_HUGETLBFS 0x200u
#define MW_UFFD_FEATURE_MINOR_SHMEM 0x400u
#define MW_UFFD_FEATURE_EXACT_ADDRESS 0x800u
#define MW_UFFD_FEATURE_WP_HUGETLBFS_SHMEM 0x1000u
#define MW_UFFD_FEATURE_WP_UNPOPULATED 0x2000u
#define MW_UFFD_FEATURE_POISON 0x4000u
#define MW_UFFD_FEATURE_WP_ASYNC 0x8000u
#define MW_UFFD_FEATURE_MOVE 0x10000u

/* What is watched for, in mw_watch_register. */
#define MW_UFFD_MODE_MISSING 0x1u
#define MW_UFFD_MODE_WP 0x2u
#define MW_UFFD_MODE_MINOR 0x4u

/* What mw_watch_register says can be called: bits 1 << MW_UFFD_... */
#define MW_UFFD_WAKE 2
#define MW_UFFD_COPY 3
#define MW_UFFD_ZEROPAGE 4
#define MW_UFFD_MOVE 5
#define MW_UFFD_WRITEPROTECT 6
#define MW_UFFD_CONTINUE 7
#define MW_UFFD_POISON 8

#define MW_UFFD_COPY_MODE_DONTWAKE 0x1u
#define MW_UFFD_COPY_MODE_WP 0x2u
#define MW_UFFD_ZEROPAGE_MODE_DONTWAKE 0x1u
#define MW_UFFD_WRITEPROTECT_MODE_WP 0x1u
#define MW_UFFD_WRITEPROTECT_MODE_DONTWAKE 0x2u
#define MW_UFFD_CONTINUE_MODE_DONTWAKE 0x1u
#define MW_UFFD_CONTINUE_MODE_WP 0x2u
#define MW_UFFD_POISON_MODE_DONTWAKE 0x1u
#define MW_UFFD_MOVE_MODE_DONTWAKE 0x1u
#define MW_UFFD_MOVE_MODE_ALLOW_SRC_HOLES 0x2u

#define MW_UFFD_PAGEFAULT_FLAG_WRITE 0x1u
#define MW_UFFD_PAGEFAULT_FLAG_WP 0x2u
#define MW_UFFD_PAGEFAULT_FLAG_MINOR 0x4u

#define MW_UFFD_EVENT_FORK 0x13u
#define MW_UFFD_EVENT_REMAP 0x14u
#define MW_UFFD_EVENT_REMOVE 0x15u
#define MW_UFFD_EVENT_UNMAP 0x16u

/* ---- watchers ------------------------------------------------------------- */

/* What happened to watched memory. */
struct mw_watch_event {
    uint32_t event;           /* MW_UFFD_EVENT_... */
    uint64_t start, end;      /* the range, bytes; of UNMAP all that the call unmaps */
    uint64_t to;              /* REMAP: where [start, end) goes */
    struct mw_watcher *child; /* FORK: the watcher of the child's copy; it has the same
                                 features, callback and context (mw_watch_set_ctx) */
};

/*
 * Told within the call that causes it, which can't fail any more: before the
 * change is made, of FORK when the child is there. The space is locked: no call
 * on it. `event` is borrowed.
 */
typedef void mw_watch_event_fn(void *ctx, const struct mw_watch_event *event);

/*
 * userfaultfd(2) and UFFDIO_API: a watcher of `space` with these features,
 * MW_UFFD_FEATURE_... It hears of the events that it has asked for through
 * `event` (may be NULL). It is the caller's, by mw_watch_destroy, but ends at
 * the latest with its space. Errors: EINVAL (a feature that this Linux does not
 * have), ENOMEM (also beyond 127 watchers of a space).
 */
int mw_watch_create(struct mw_space *space, uint64_t features, mw_watch_event_fn *event, void *ctx,
                    struct mw_watcher **out, struct mw_why *why);

/* close(2): nothing is watched by it any more, write-protected or marked so. Poison stays. */
void mw_watch_destroy(struct mw_watcher *watcher);

void mw_watch_set_ctx(struct mw_watcher *watcher, void *ctx);
void *mw_watch_ctx(const struct mw_watcher *watcher);

/*
 * UFFDIO_REGISTER: [addr, addr + length) is watched for the kinds of faults in
 * `mode`, MW_UFFD_MODE_... Holes are passed over. What this watcher watches for
 * all of them already stays as it is; what it watches otherwise is watched for
 * these alone from now on. `*calls` (may be NULL) receives which calls are
 * possible there, bits 1 << MW_UFFD_COPY and so on. Errors (SPEC WATCH-2, 3):
 *   EINVAL  mode 0 or unknown; unaligned, empty or beyond user space; nothing
 *           mapped; a border inside a huge page; memory of a kind that can't be
 *           watched so (shared memory and huge pages: any way; private anonymous:
 *           MISSING, WP; with WP_ASYNC all but I/O memory and rings for WP)
 *   EPERM   shared memory without the right to be written
 *   EBUSY   watched by another watcher
 *   ENOMEM  a cut that max_map_count forbids: what lies before it is watched
 */
int64_t mw_watch_register(struct mw_watcher *watcher, uint64_t addr, uint64_t length,
                          uint64_t mode, uint64_t *calls, struct mw_why *why);

/*
 * UFFDIO_UNREGISTER. What is watched by nobody is passed over. Write protection
 * ends with it, poison stays. Errors: EINVAL (as above; watched by another
 * watcher), ENOMEM (a cut).
 */
int64_t mw_watch_unregister(struct mw_watcher *watcher, uint64_t addr, uint64_t length,
                            struct mw_why *why);

/* ---- faults --------------------------------------------------------------- */

/* What the watcher is to be told of an access: UFFD_EVENT_PAGEFAULT. */
struct mw_watch_message {
    struct mw_watcher *watcher;
    uint64_t addr;  /* bytes; the page's, unless EXACT_ADDRESS was asked for */
    uint32_t flags; /* MW_UFFD_PAGEFAULT_FLAG_... */
};

/* mw_fault; when it answers MW_FAULT_WATCHED, `*message` says why. */
enum mw_fault_result mw_watch_fault(struct mw_space *space, uint64_t addr, uint32_t access,
                                    struct mw_watch_message *message);

/*
 * The resolving calls return how many bytes have been done: fewer than `length`
 * where Linux answers EAGAIN with a partial result (`why` says what stopped it);
 * or -errno when nothing has. In this order:
 *   EINVAL  unaligned, empty or beyond user space; unknown mode bits
 *   ENOENT  the range is not part of one watched mapping (whoever watches it)
 *   EINVAL  MODE_WP where it is not watched for WP; a border inside a huge page;
 *           memory of another kind
 *   EEXIST  a page is there; EFAULT one lies beyond the object's end
 *   ENOMEM  no page, no memory
 *   ENOSYS  a layout-only space
 * COPY, CONTINUE and, where the memory is shared, ZEROPAGE replace marks of write
 * protection and poison.
 */

/* UFFDIO_COPY: fills absent pages from host memory. mode: MW_UFFD_COPY_MODE_... */
int64_t mw_watch_copy(struct mw_watcher *watcher, uint64_t addr, const void *from, uint64_t length,
                      uint64_t mode, struct mw_why *why);

/* UFFDIO_ZEROPAGE: with zeros; not huge pages. */
int64_t mw_watch_zeropage(struct mw_watcher *watcher, uint64_t addr, uint64_t length, uint64_t mode,
                          struct mw_why *why);

/* UFFDIO_CONTINUE: maps the pages that the object has. EFAULT: it has none there;
 * EINVAL: beyond its end, or memory without an object. */
int64_t mw_watch_continue(struct mw_watcher *watcher, uint64_t addr, uint64_t length, uint64_t mode,
                          struct mw_why *why);

/* UFFDIO_POISON: accesses to these absent pages get MW_FAULT_BUS_MCEERR. */
int64_t mw_watch_poison(struct mw_watcher *watcher, uint64_t addr, uint64_t length, uint64_t mode,
                        struct mw_why *why);

/*
 * UFFDIO_MOVE: private anonymous pages at `from` go to `to`, a watched mapping
 * of the same protection and lock. Other errors:
 *   EINVAL  a range that is not part of one mapping, or of another kind
 *   ENOENT  nothing mapped, or a page absent at `from` without _ALLOW_SRC_HOLES
 *   EBUSY   the page is a forked process's too; EFAULT there is but a mark
 */
int64_t mw_watch_move(struct mw_watcher *watcher, uint64_t to, uint64_t from, uint64_t length,
                      uint64_t mode, struct mw_why *why);

/*
 * UFFDIO_WRITEPROTECT: with MODE_WP a write to what is present is a fault from
 * now on, without it no longer. Absent pages are marked so: of private anonymous
 * memory only with the feature WP_UNPOPULATED or WP_ASYNC. Mapping by mapping,
 * holes are passed over. 0, or EINVAL as above, or ENOENT (nothing mapped, or a
 * mapping not watched for WP), ENOMEM: what lies before has been done.
 */
int64_t mw_watch_writeprotect(struct mw_watcher *watcher, uint64_t addr, uint64_t length,
                              uint64_t mode, struct mw_why *why);

/* Is the page of `addr` write-protected, or marked to come so? With WP_ASYNC: not written since. */
bool mw_watch_is_protected(const struct mw_space *space, uint64_t addr);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
