/* SPDX-License-Identifier: MIT */
/*
 * ptrace.h - runs a program and all its descendants under ptrace and tells an
 * observer of their memory calls, in an order that is the kernel's: within one
 * address space one call at a time is let in.
 */
#ifndef MAPWRIGHT_TOOLS_PTRACE_H
#define MAPWRIGHT_TOOLS_PTRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "event.h"
#include "syscalls.h"

struct task;

/* An address space and the tasks in it. */
struct mm {
    int users;            /* live tasks */
    bool shared_ever;     /* more than one task has lived here */
    bool unordered;       /* calls overlapped: the observer can't know their order */
    struct task *inside;  /* whose memory call is under way, NULL: none */
    long inside_since;    /* milliseconds */
    struct task *held;    /* those waiting to be let in, oldest first */
    void *data;           /* the observer's; NULL: not observed */
};

/* A thread of a traced process. */
struct task {
    pid_t tid, tgid;
    struct mm *mm;
    const struct syscall_row *row; /* the call it is in, NULL: none of ours */
    struct event event;            /* that call */
    uint64_t clone_flags;          /* of a ROLE_FORK call */
    bool known;                    /* its parent's fork was seen, or it is the first */
    bool started;                  /* it has had its first stop */
    bool waits;                    /* stopped until `known` */
    int first_stop;                /* the status of that stop */
    bool held;                     /* in mm->held */
    bool has_later;                /* a stop that came during an injection ... */
    int later;                     /* ... still to be dealt with */
    bool execing;                  /* between the exec and the exec's return */
    bool exiting;                  /* its exit was seen */
    bool foreign;                  /* the call is of another ABI */
    long since;                    /* milliseconds, when it was first seen */
    struct task *next_held, *next; /* in mm->held; in the tracer's table */
};

/*
 * What the tracer tells. `ctx` comes first. The task is stopped throughout and
 * no other call is under way in its address space. (The exception is `lost`.)
 */
struct observer {
    void *ctx;
    /* The memory call in task->event is about to be made. */
    void (*enter)(void *ctx, struct task *task);
    /* It has returned: task->event.result. */
    void (*leave)(void *ctx, struct task *task);
    /* An exec is about to be tried. */
    void (*before_exec)(void *ctx, struct task *task);
    /* It has succeeded, task->mm is new: set mm->data. */
    void (*exec)(void *ctx, struct task *task);
    /* `child` was made; without shares_vm its mm is a new one: set mm->data. */
    void (*fork)(void *ctx, struct task *parent, struct task *child, bool shares_vm);
    /* The last task of an address space is about to leave it. */
    void (*last_exit)(void *ctx, struct task *task);
    /* A call's end was not seen or calls overlapped: the layout is to be read anew when next
       a call comes alone. `why` is for people. */
    void (*lost)(void *ctx, struct task *task, const char *why);
    /* A task that appeared without its parent's fork having been seen: set mm->data. */
    void (*adopt)(void *ctx, struct task *task);
    /* The address space is gone: free mm->data. */
    void (*gone)(void *ctx, struct mm *mm);
    /* A few times a second. */
    void (*tick)(void *ctx);
};

struct tracer_options {
    bool no_seccomp; /* stop at every system call instead of filtering */
};

/*
 * Runs argv under trace until the last task is gone. 0, with *status as wait(2)
 * has it for the program itself; or -errno: the program could not be started
 * (`*stage` says what failed: "ptrace", "exec", "fork").
 */
int tracer_run(char **argv, const struct tracer_options *options,
               const struct observer *observer, int *status, const char **stage);

/*
 * Makes the task, which must be in observer.exec, perform a system call.
 * False: it could not be made (a signal came first); no more can be then.
 */
bool tracer_inject(struct task *task, uint64_t nr, const uint64_t arg[6], int64_t *result);

#endif
