/* SPDX-License-Identifier: MIT */
/*
 * watch.h - watchers, and what they are told.
 *
 * A watched VMA says in its flags what it is watched for and by whom: so it
 * merges with none that is watched otherwise, and a VMA that is not watched
 * costs nothing.
 */
#ifndef MW_SPACE_WATCH_H
#define MW_SPACE_WATCH_H

#include "mapwright/watch.h"
#include "space/space.h"

/* In a VMA's flags: kinds of faults, and the watcher's number (0: nobody's, an imported watch). */
#define WATCH_MODES (MW_VM_UFFD_MISSING | MW_VM_UFFD_WP | MW_VM_UFFD_MINOR)
#define WATCH_ID_SHIFT VMA_WATCHER_SHIFT
#define WATCH_IDS (VMA_WATCHER >> WATCH_ID_SHIFT)
#define WATCH_OWN (WATCH_MODES | VMA_WATCHER)
#define WATCH_FLAGS (MW_VM_UFFD | WATCH_OWN)

struct mw_watcher {
    struct mw_space *space;
    uint64_t id;              /* in its place in the flags */
    uint64_t features;
    mw_watch_event_fn *event; /* may be NULL */
    void *ctx;
    struct mw_watcher *next;  /* by number */
    struct mw_watcher *child; /* while a fork is under way */
};

/* Who watches memory of these flags; NULL: nobody known. */
struct mw_watcher *watch_of(const struct mw_space *s, uint64_t vm_flags);

/* Has the watcher of memory of these flags asked for a feature? */
bool watch_asks(const struct mw_space *s, uint64_t vm_flags, uint64_t feature);

/* A new watcher of `s`. NULL: no memory, or no number is left. */
struct mw_watcher *watch_new(struct mw_space *s, uint64_t features, mw_watch_event_fn *event,
                             void *ctx);

/* Frees it; what it watched is the caller's. */
void watch_free(struct mw_watcher *w);

/* Each watcher in [start, end) that has asked for it hears of the whole range, once. */
void watch_tell_unmap(struct mw_space *s, uint64_t start, uint64_t end);

/* The watcher of memory of these flags hears what becomes of it. */
void watch_tell_remove(struct mw_space *s, uint64_t vm_flags, struct mw_range at);
void watch_tell_remap(struct mw_space *s, uint64_t vm_flags, uint64_t from, uint64_t to,
                      uint64_t length);

#endif
