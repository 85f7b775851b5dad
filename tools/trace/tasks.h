/* SPDX-License-Identifier: MIT */
/* tasks.h - the table of traced threads, and the address spaces they live in. */
#ifndef MAPWRIGHT_TOOLS_TASKS_H
#define MAPWRIGHT_TOOLS_TASKS_H

#include "ptrace.h"

enum { TASK_BUCKETS = 1024 };

struct tasks {
    struct task *bucket[TASK_BUCKETS];
    unsigned n;
};

/* NULL: none. */
struct task *tasks_find(const struct tasks *tasks, pid_t tid);

/* A new, zeroed one with that tid. NULL: no memory. */
struct task *tasks_add(struct tasks *tasks, pid_t tid);

/* Takes it out and frees it; it must have left its mm. */
void tasks_remove(struct tasks *tasks, struct task *task);

/* Gives it another tid, which must be free. */
void tasks_rename(struct tasks *tasks, struct task *task, pid_t tid);

/* Takes the task out of the line of those waiting for their turn. */
void mm_unhold(struct task *task);

/* Puts it at the line's end. */
void mm_hold(struct task *task);

/* Milliseconds of the monotonic clock. */
long tasks_now(void);

#endif
