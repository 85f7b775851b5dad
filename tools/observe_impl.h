/* SPDX-License-Identifier: MIT */
/* observe_impl.h - what observe.c and observe_calls.c share; nobody else includes it. */
#ifndef MAPWRIGHT_TOOLS_OBSERVE_IMPL_H
#define MAPWRIGHT_TOOLS_OBSERVE_IMPL_H

#include "observe.h"

/* Above this many mappings the kernel takes too long to tell the VmFlags of all. */
enum { MOST_FLAGS_READ = 5000 };

/* What is kept of one address space. mm->data. */
struct watched {
    struct model *model;
    int pagemap;
    pid_t tgid;          /* whose limits hold: the process that made it */
    uint64_t brk;        /* the kernel's, as far as it was seen; 0: not yet */
    uint32_t calls;      /* since the layout was compared */
    uint32_t interval;   /* until it is compared again */
    uint32_t unlooked;   /* calls to go until all mappings are looked at again */
    uint64_t faults;     /* of the process, when they were last; 0: not known */
    bool stale;          /* the layout must be read anew */
    bool watchers;       /* userfaultfd watches something, or did, ... */
    int watcher_fd;      /* ... registered last by this descriptor */
};

static inline struct mw_space *watched_space(const struct watched *w)
{
    return model_space(w->model);
}

/* Takes over the kernel's layout; where that fails, the space is stale. */
void watched_take_over(struct watched *w, pid_t tid);

/* A stack grows by being used, without a call: the engine learns it here. */
void watched_adopt_growth(struct watched *w, const struct layout *kernel);

/*
 * Compares; with `flags` the VmFlags too, which the kernel takes longer to
 * tell. A difference is reported and the kernel's layout taken over.
 */
void watched_compare(struct observation *ob, struct watched *w, pid_t tid, const char *when,
                     bool flags);

/* Reads what the arguments of a call point to into its event, before it is made. */
void observe_read_args(struct task *task);

/* And those of a process_madvise, which has been made. */
void observe_read_ranges(struct task *task);

/* A watch was registered or ended, by its ioctl. */
void observe_after_watch(struct watched *w, struct task *task);

/* Closing a userfaultfd ends its watch, and no memory call tells. */
void observe_closed_watchers(struct watched *w, pid_t tid);

/* A task is about to make a memory call, and has made it: struct observer. */
void observe_enter(void *ctx, struct task *task);
void observe_leave(void *ctx, struct task *task);

#endif
