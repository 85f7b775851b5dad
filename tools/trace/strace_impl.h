/* SPDX-License-Identifier: MIT */
/* strace_impl.h - what the files of the log reader share; nobody else includes it. */
#ifndef MAPWRIGHT_TOOLS_STRACE_IMPL_H
#define MAPWRIGHT_TOOLS_STRACE_IMPL_H

#include "fds.h"
#include "scan.h"
#include "strace.h"

enum { QUEUE = 4 /* events that one line can give */ };

/* What a task is in the middle of. */
struct task {
    int tid;
    struct fds *fds;
    char *pending;       /* the first half of a call; NULL: none */
    size_t pending_size;
    uint64_t pending_line;
};

/* A clone whose result stands on a later line than its start. */
struct birth {
    const char *at; /* that later line */
    int child;
    bool told;
};

struct strace_reader {
    char *name;
    const char *at, *end;
    const char *here; /* the start of the line at hand */
    uint64_t line;
    struct strace_counts counts;
    strace_complaint *complain;
    void *ctx;

    struct task *tasks; /* in order of tid */
    size_t task_count, task_cap;
    struct birth *births; /* in order of place */
    size_t birth_count, birth_cap, birth_next;
    int main_tid; /* of lines without a task id */
    uint64_t serial;

    char *glued; /* the start of a line that strace itself broke */
    size_t glued_size;
    char *joined; /* the two halves of a call */
    bool line_bad;
    bool last_line_cut;

    struct event queue[QUEUE];
    unsigned queued, given;
    char *where; /* QUEUE texts of where_size bytes */
    size_t where_size;
};

/* What a call is to this reader. `a` and `b` say where its arguments are. */
enum work {
    WORK_MEMORY, /* told; a: arguments it must have */
    WORK_OPEN,   /* a: the path, b: the flags (-1: none) */
    WORK_NEWFD,  /* makes a descriptor of a kind of its own */
    WORK_DUP,    /* a: the new descriptor (-1: the result), b: the flags (-1: none) */
    WORK_FCNTL,
    WORK_CLOSE,
    WORK_CLOSE_RANGE,
    WORK_EXEC,
    WORK_FORK
};

struct call {
    const char *name;
    enum work work;
    enum call_nr nr;
    int a, b;
};

/* ---- strace.c: lines ---- */

/* At most one complaint a line: what was expected, and what stands at `at`. */
void log_complain(struct strace_reader *r, const char *expected, const char *at,
                     const char *end);
void log_complain_scan(struct strace_reader *r, const struct scan *s);

/* Cuts the next line off [*at, end), without its end. False: there is none. */
bool log_next_line(const char **at, const char *end, struct text *out);

/* The next event of the line at hand, for filling in. */
struct event *log_event(struct strace_reader *r, enum event_kind kind, int tid);

/* ---- strace_tasks.c: who there is, and whose child ---- */

struct task *log_task_find(struct strace_reader *r, int tid);

/* The task of this id, made known first if this is its first line. */
struct task *log_task_known(struct strace_reader *r, int tid);
void log_task_remove(struct strace_reader *r, struct task *task);

/* The first half of a call; empty: none. */
struct text log_pending(const struct task *task);
void log_set_pending(struct task *task, struct text text, uint64_t line);

/* A clone's result: tells of the child unless that has been done. */
void log_born(struct strace_reader *r, int parent, struct text text, int child);

/* Before the first line: children's births, and the id of lines that have none. */
void log_look_ahead(struct strace_reader *r);

/* ---- strace_calls.c: one call ---- */

/* NULL: none this reader knows. */
const struct call *log_call_find(struct text name);
const struct call *log_call_of(struct text text); /* that a text starts with */

/* A whole call, from its name to its result. */
void log_call(struct strace_reader *r, struct task *task, struct text text);

/*
 * A memory call that never came back, because the task ended or the log does:
 * as if its result were "?".
 */
void log_call_cut(struct strace_reader *r, struct task *task);

#endif
