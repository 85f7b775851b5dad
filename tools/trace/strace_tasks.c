/* SPDX-License-Identifier: MIT */
/*
 * strace_tasks.c - the tasks of a log. Decides whose child a task is, also when
 * it speaks before the clone that made it has returned.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "strace_impl.h"

enum { LOOKAHEAD = 4096, ATTACHED = 256 };

/* ---- tasks --------------------------------------------------------------- */

static size_t task_position(const struct strace_reader *r, int tid)
{
    size_t low = 0, high = r->task_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->tasks[mid].tid < tid)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct task *log_task_find(struct strace_reader *r, int tid)
{
    size_t at = task_position(r, tid);
    return at < r->task_count && r->tasks[at].tid == tid ? &r->tasks[at] : NULL;
}

/* Takes the caller's reference to `fds`. */
static void task_add(struct strace_reader *r, int tid, struct fds *fds)
{
    size_t at = task_position(r, tid);
    r->tasks = trace_grow(r->tasks, r->task_count, &r->task_cap, sizeof *r->tasks);
    memmove(&r->tasks[at + 1], &r->tasks[at], (r->task_count - at) * sizeof *r->tasks);
    r->tasks[at] = (struct task){.tid = tid, .fds = fds};
    r->task_count++;
}

void log_task_remove(struct strace_reader *r, struct task *task)
{
    size_t at = (size_t)(task - r->tasks);
    fds_drop(task->fds);
    free(task->pending);
    memmove(task, task + 1, (r->task_count - at - 1) * sizeof *task);
    r->task_count--;
}

struct text log_pending(const struct task *task)
{
    return (struct text){task->pending, task->pending != NULL ? task->pending_size : 0};
}

void log_set_pending(struct task *task, struct text text, uint64_t line)
{
    free(task->pending);
    task->pending = trace_alloc(text.n);
    memcpy(task->pending, text.s, text.n);
    task->pending_size = text.n;
    task->pending_line = line;
}

/* ---- children ------------------------------------------------------------ */

/* Whether clone's flags have this one: by name, or in a number (-X raw). */
static bool clone_flag(struct text text, const char *name, uint64_t bit)
{
    if (text_find_word(text, name) != NULL)
        return true;
    const char *flags = text_find(text, "flags=0x");
    if (flags == NULL)
        return false;
    struct scan s = {flags + strlen("flags="), text.s + text.n, NULL};
    uint64_t number;
    return scan_number(&s, &number) && (number & bit) != 0;
}

static void tell_fork(struct strace_reader *r, int parent, struct text text, int child)
{
    if (log_task_find(r, child) != NULL) /* it spoke before its birth could be told */
        return;
    struct task *task = log_task_find(r, parent);
    bool files = clone_flag(text, "CLONE_FILES", 0x400);
    struct event *e = log_event(r, EVENT_FORK, parent);
    e->result = child;
    e->name = log_call_of(text) != NULL ? log_call_of(text)->name : "";
    e->shares_vm = text_is((struct text){e->name, strlen(e->name)}, "vfork") ||
                   clone_flag(text, "CLONE_VM", 0x100);
    task_add(r, child, files ? fds_share(task->fds) : fds_copy(task->fds));
}

static bool is_fork(const struct call *call)
{
    return call != NULL && call->work == WORK_FORK;
}

/* Past the births on lines that have been read. */
static void skip_births(struct strace_reader *r)
{
    while (r->birth_next < r->birth_count && r->births[r->birth_next].at < r->here)
        r->birth_next++;
}

/*
 * The task whose unfinished clone made `child`: a line further on gives the
 * result, or (where the log is cut) only one task is cloning.
 */
static struct task *find_parent(struct strace_reader *r, int child)
{
    skip_births(r);
    size_t last = r->birth_next + LOOKAHEAD;
    for (size_t i = r->birth_next; i < r->birth_count && i < last; i++) {
        struct birth *b = &r->births[i];
        if (b->child != child || b->told)
            continue;
        struct scan s = {b->at, r->end, NULL};
        uint64_t tid = (uint64_t)r->main_tid;
        scan_blanks(&s);
        if (scan_take(&s, "[pid"))
            scan_blanks(&s);
        struct scan number = s;
        if (scan_number(&number, &tid))
            s = number;
        struct task *task = tid <= INT_MAX ? log_task_find(r, (int)tid) : NULL;
        if (task == NULL || !is_fork(log_call_of(log_pending(task))))
            continue;
        b->told = true;
        return task;
    }
    if (r->birth_next < r->birth_count) /* the log goes on to tell whose it is */
        return NULL;
    struct task *only = NULL;
    for (size_t i = 0; i < r->task_count; i++) {
        if (!is_fork(log_call_of(log_pending(&r->tasks[i]))))
            continue;
        if (only != NULL)
            return NULL;
        only = &r->tasks[i];
    }
    return only;
}

/* The task of this id, made known first if this is its first line. */
struct task *log_task_known(struct strace_reader *r, int tid)
{
    struct task *task = log_task_find(r, tid);
    if (task != NULL)
        return task;
    struct task *parent = find_parent(r, tid);
    if (parent != NULL)
        tell_fork(r, parent->tid, log_pending(parent), tid);
    else
        task_add(r, tid, fds_new());
    return log_task_find(r, tid);
}

/* Whether the birth on this very line was told when the child first spoke. */
static bool birth_told(struct strace_reader *r)
{
    skip_births(r);
    return r->birth_next < r->birth_count && r->births[r->birth_next].at == r->here &&
           r->births[r->birth_next].told;
}

void log_born(struct strace_reader *r, int parent, struct text text, int child)
{
    if (child != parent && !birth_told(r))
        tell_fork(r, parent, text, child);
}

/* ---- before the first line ----------------------------------------------- */

/* "<... clone resumed>, child_tidptr=0x7f..) = 3792" gives the birth of 3792. */
static void note_birth(struct strace_reader *r, struct text t)
{
    if (text_find(t, " resumed>") == NULL ||
        (text_find(t, "<... clone") == NULL && text_find(t, "fork resumed>") == NULL))
        return;
    const char *equals = memrchr(t.s, '=', t.n);
    if (equals == NULL)
        return;
    struct scan s = {equals + 1, t.s + t.n, NULL};
    uint64_t child;
    scan_blanks(&s);
    if (!scan_number(&s, &child) || child == 0 || child > INT_MAX)
        return;
    r->births = trace_grow(r->births, r->birth_count, &r->birth_cap, sizeof *r->births);
    r->births[r->birth_count++] = (struct birth){t.s, (int)child, false};
}

/*
 * On standard error the first task has no id until a second one exists: it is
 * the first "[pid 7]" that was never attached.
 */
struct attached {
    int tid[ATTACHED];
    unsigned count;
    bool found;
};

static void note_main(struct strace_reader *r, struct attached *a, struct text t)
{
    uint64_t tid;
    struct scan s = scan_text(t);
    const char *at = text_find(t, "strace: Process ");
    if (at != NULL) {
        s.at = at + strlen("strace: Process ");
        if (a->count < ATTACHED && scan_number(&s, &tid) && tid <= INT_MAX)
            a->tid[a->count++] = (int)tid;
        return;
    }
    if (!scan_take(&s, "[pid "))
        return;
    scan_blanks(&s);
    if (!scan_number(&s, &tid) || tid == 0 || tid > INT_MAX)
        return;
    for (unsigned i = 0; i < a->count; i++)
        if (a->tid[i] == (int)tid)
            return;
    r->main_tid = (int)tid;
    a->found = true;
}

void log_look_ahead(struct strace_reader *r)
{
    struct attached attached = {.count = 0};
    const char *at = r->at;
    struct text t;
    while (log_next_line(&at, r->end, &t)) {
        note_birth(r, t);
        if (!attached.found && attached.count < ATTACHED)
            note_main(r, &attached, t);
    }
}
