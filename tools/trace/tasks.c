/* SPDX-License-Identifier: MIT */
/* tasks.c - the table of traced threads. */
#include "tasks.h"

#include <stdlib.h>
#include <time.h>

static struct task **bucket_of(struct tasks *tasks, pid_t tid)
{
    return &tasks->bucket[(unsigned)tid % TASK_BUCKETS];
}

struct task *tasks_find(const struct tasks *tasks, pid_t tid)
{
    struct task *task = tasks->bucket[(unsigned)tid % TASK_BUCKETS];

    while (task && task->tid != tid)
        task = task->next;
    return task;
}

static void link_in(struct tasks *tasks, struct task *task)
{
    struct task **bucket = bucket_of(tasks, task->tid);

    task->next = *bucket;
    *bucket = task;
}

static void unlink_from(struct tasks *tasks, struct task *task)
{
    struct task **at = bucket_of(tasks, task->tid);

    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
}

struct task *tasks_add(struct tasks *tasks, pid_t tid)
{
    struct task *task = calloc(1, sizeof *task);

    if (!task)
        return NULL;
    task->tid = task->tgid = tid;
    task->since = tasks_now();
    link_in(tasks, task);
    tasks->n++;
    return task;
}

void tasks_remove(struct tasks *tasks, struct task *task)
{
    unlink_from(tasks, task);
    tasks->n--;
    free(task);
}

void tasks_rename(struct tasks *tasks, struct task *task, pid_t tid)
{
    unlink_from(tasks, task);
    task->tid = tid;
    link_in(tasks, task);
}

void mm_hold(struct task *task)
{
    struct task **at = &task->mm->held;

    while (*at)
        at = &(*at)->next_held;
    *at = task;
    task->next_held = NULL;
    task->held = true;
}

void mm_unhold(struct task *task)
{
    if (!task->held)
        return;
    struct task **at = &task->mm->held;
    while (*at != task)
        at = &(*at)->next_held;
    *at = task->next_held;
    task->held = false;
}

long tasks_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
