/* SPDX-License-Identifier: MIT */
/*
 * ptrace.c - the tracer's loop: waits for stops, sorts them, lets tasks go on.
 * Decides in which order concurrent memory calls of one address space are let
 * in (one at a time, so that the observer's order is the kernel's), and what
 * happens when one does not return (the others are let in after a while, and
 * the observer told that it can't know the order).
 */
#include "ptrace.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch.h"
#include "openings.h"
#include "tasks.h"

enum {
    TICK_MS = 200,        /* how often the observer's tick comes */
    PATIENCE_MS = 500,    /* how long a call may keep others waiting */
    ORPHAN_MS = 1000,     /* how long a new task may wait for its parent's fork */
    RESTARTS = 512,       /* ERESTARTSYS and its kind: -512 to -516, the call starts again */
    RESTARTS_END = 516
};

#define OPTIONS                                                                                  \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |    \
     PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)

struct tracer {
    const struct observer *observer;
    struct tasks tasks;
    bool filter;         /* only calls of interest stop */
    pid_t first;         /* the program itself */
    bool first_gone;
    int first_status;
    int ends_asked;      /* how often we were asked to end */
    long tick_at;
    struct launch launch;
    bool execed;         /* the program's exec has succeeded */
};

/* ---- going on ----------------------------------------------------------------- */

static void resume(const struct tracer *t, const struct task *task, int sig)
{
    bool every = !t->filter || task->row || task->execing;

    /* ESRCH: killed meanwhile; its end will be reported */
    ptrace(every ? PTRACE_SYSCALL : PTRACE_CONT, task->tid, NULL, (void *)(intptr_t)sig);
}

static struct mm *new_mm(void)
{
    struct mm *mm = calloc(1, sizeof *mm);

    if (!mm) {
        fputs("mapwright: out of memory\n", stderr);
        exit(2); /* EXITKILL takes the traced tasks along */
    }
    return mm;
}

static void join_mm(struct task *task, struct mm *mm)
{
    task->mm = mm;
    mm->users++;
    if (mm->users > 1)
        mm->shared_ever = true;
}

/* Lets the call be made that the task is stopped at. */
static void start_call(const struct tracer *t, struct task *task)
{
    task->mm->inside = task;
    task->mm->inside_since = tasks_now();
    if (task->mm->data)
        t->observer->enter(t->observer->ctx, task);
    resume(t, task, 0);
}

static void let_next_in(const struct tracer *t, struct mm *mm)
{
    struct task *task = mm->held;

    if (mm->inside || !task)
        return;
    mm_unhold(task);
    start_call(t, task);
}

/* The task leaves its address space: by its exit or by an exec. */
static void leave_mm(const struct tracer *t, struct task *task)
{
    struct mm *mm = task->mm;

    if (!mm)
        return;
    mm_unhold(task);
    task->mm = NULL;
    if (--mm->users == 0) {
        if (mm->data)
            t->observer->gone(t->observer->ctx, mm);
        free(mm);
        return;
    }
    if (mm->inside == task) {
        mm->inside = NULL;
        let_next_in(t, mm);
    }
}

/* ---- calls -------------------------------------------------------------------- */

/* What clone or clone3 was asked for. clone3's first eight bytes are its flags. */
static uint64_t clone_flags_of(const struct task *task)
{
    const uint64_t *arg = task->event.arg;
    uint64_t flags = 0;
    struct iovec here = { &flags, sizeof flags };
    struct iovec there = { (void *)(uintptr_t)arg[0], sizeof flags };

    switch (task->row->nr) {
    case SYS_clone:
        return arg[0];
    case SYS_vfork:
        return CLONE_VM | CLONE_VFORK;
    case SYS_clone3:
        process_vm_readv(task->tid, &here, 1, &there, 1, 0);
        return flags;
    default:
        return 0;
    }
}

/*
 * A child that is not to be traced would get ENOSYS from every filtered call,
 * and an untraced one can't be observed: the flag is taken away, as strace does.
 */
static void forbid_untraced(struct task *task)
{
    uint64_t flags = task->clone_flags & ~(uint64_t)CLONE_UNTRACED;
    struct user_regs_struct regs;
    struct iovec here = { &flags, sizeof flags };
    struct iovec there = { (void *)(uintptr_t)task->event.arg[0], sizeof flags };

    if (flags == task->clone_flags)
        return;
    if (task->row->nr == SYS_clone3) {
        process_vm_writev(task->tid, &here, 1, &there, 1, 0);
    } else if (ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) == 0) {
        regs.rdi = flags;
        ptrace(PTRACE_SETREGS, task->tid, NULL, &regs);
    }
}

/* Whether the call is one that goes one at a time. */
static bool is_ordered(const struct task *task)
{
    if (task->row->role == ROLE_MEMORY)
        return true;
    return task->row->role == ROLE_FORK && !(task->clone_flags & CLONE_VM);
}

static void begin(const struct tracer *t, struct task *task)
{
    struct mm *mm = task->mm;

    if (task->row->role == ROLE_FORK) {
        task->clone_flags = clone_flags_of(task);
        forbid_untraced(task);
    }
    if (!mm || !mm->data || !is_ordered(task)) {
        if (task->row->role == ROLE_EXEC && mm && mm->data)
            t->observer->before_exec(t->observer->ctx, task);
        resume(t, task, 0);
    } else if (mm->inside && !mm->unordered) {
        mm_hold(task);
    } else {
        start_call(t, task);
    }
}

static void entering(const struct tracer *t, struct task *task, uint64_t nr, const uint64_t *args,
                     uint32_t arch)
{
    task->foreign = arch != AUDIT_ARCH_X86_64 || (nr & 0x40000000);
    task->event = (struct event){ .kind = EVENT_CALL, .tid = task->tid, .where = "" };
    memcpy(task->event.arg, args, sizeof task->event.arg);
    task->row = task->foreign ? syscall_find_foreign(nr, arch) : syscall_find(nr, args);
    if (!task->row) {
        resume(t, task, 0);
        return;
    }
    task->event.call = task->row->call;
    task->event.name = task->row->name;
    begin(t, task);
}

/* Whether this was the kernel saying that it will make the call again. */
static bool restarts(int64_t result)
{
    return result <= -RESTARTS && result >= -RESTARTS_END;
}

static void end_ordered(const struct tracer *t, struct task *task, int64_t result)
{
    struct mm *mm = task->mm;
    bool observed = mm->data && task->row->role == ROLE_MEMORY && !restarts(result);

    if (observed && mm->unordered)
        t->observer->lost(t->observer->ctx, task, "calls overlapped");
    else if (observed)
        t->observer->leave(t->observer->ctx, task);
    if (mm->inside == task) {
        mm->inside = NULL;
        mm->unordered = false;
    }
}

static void leaving(const struct tracer *t, struct task *task, int64_t result)
{
    struct mm *mm = task->mm;

    if (task->row && mm && is_ordered(task)) {
        task->event.result = result;
        task->event.result_known = true;
        end_ordered(t, task, result);
    }
    task->row = NULL;
    resume(t, task, 0);
    if (mm)
        let_next_in(t, mm);
}

/* The return of an exec: the new program's first instruction comes next. */
static bool exec_returned(const struct tracer *t, struct task *task)
{
    t->observer->exec(t->observer->ctx, task);
    task->execing = false;
    return !task->has_later;
}

static void stop_at_call(const struct tracer *t, struct task *task)
{
    struct __ptrace_syscall_info info = { 0 };

    if (task->execing) {
        if (exec_returned(t, task))
            resume(t, task, 0);
        return;
    }
    if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, (void *)sizeof info, &info) < 0)
        resume(t, task, 0);
    else if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        entering(t, task, info.entry.nr, (const uint64_t *)info.entry.args, info.arch);
    else if (info.op == PTRACE_SYSCALL_INFO_SECCOMP)
        entering(t, task, info.seccomp.nr, (const uint64_t *)info.seccomp.args, info.arch);
    else
        leaving(t, task, info.op == PTRACE_SYSCALL_INFO_EXIT ? info.exit.rval : 0);
}

/* ---- tasks come and go ----------------------------------------------------------- */

static void handle_stop(struct tracer *t, struct task *task, int status);

static struct task *get_task(struct tracer *t, pid_t tid)
{
    struct task *task = tasks_find(&t->tasks, tid);

    if (!task)
        task = tasks_add(&t->tasks, tid);
    if (!task) {
        fputs("mapwright: out of memory\n", stderr);
        exit(2);
    }
    return task;
}

/* A new task's first stop has come and its parent is known: it may run. */
static void start_task(struct tracer *t, struct task *task)
{
    task->waits = false;
    handle_stop(t, task, task->first_stop);
}

static bool shares_vm(const struct task *parent, int kind)
{
    if (parent->row && parent->row->role == ROLE_FORK)
        return parent->clone_flags & CLONE_VM;
    return kind != PTRACE_EVENT_FORK; /* made through another ABI: by its usual meaning */
}

static void forked(struct tracer *t, struct task *parent, int kind)
{
    unsigned long tid = 0;
    bool shared = shares_vm(parent, kind);

    if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &tid) == 0 && tid) {
        struct task *child = get_task(t, (pid_t)tid);
        child->known = true;
        if (parent->row && (parent->clone_flags & CLONE_THREAD))
            child->tgid = parent->tgid;
        if (!child->mm && !child->exiting) {
            join_mm(child, shared && parent->mm ? parent->mm : new_mm());
            if (parent->mm && parent->mm->data)
                t->observer->fork(t->observer->ctx, parent, child, shared);
        }
        if (child->waits)
            start_task(t, child);
    }
    resume(t, parent, 0);
}

/*
 * The exec has replaced all threads by one, which now has the process's id
 * whichever thread called it.
 */
static void execed(struct tracer *t, struct task *task)
{
    unsigned long former = 0;
    pid_t tid = task->tid;

    ptrace(PTRACE_GETEVENTMSG, tid, NULL, &former);
    struct task *caller = former && (pid_t)former != tid ? tasks_find(&t->tasks, (pid_t)former)
                                                         : NULL;
    if (caller) {
        leave_mm(t, task);
        tasks_remove(&t->tasks, task);
        tasks_rename(&t->tasks, caller, tid);
        task = caller;
    }
    leave_mm(t, task);
    join_mm(task, new_mm());
    task->tgid = tid;
    task->row = NULL;
    task->known = task->started = true;
    task->waits = task->exiting = false;
    task->execing = true;
    t->execed = true;
    resume(t, task, 0);
}

static void exiting(struct tracer *t, struct task *task)
{
    struct mm *mm = task->mm;

    task->exiting = true;
    if (mm && mm->data) {
        if (mm->inside == task && mm->users > 1)
            t->observer->lost(t->observer->ctx, task, "a thread ended in the middle of a call");
        else if (mm->users == 1 && mm->inside != task)
            t->observer->last_exit(t->observer->ctx, task);
    }
    leave_mm(t, task);
    task->row = NULL;
    ptrace(PTRACE_CONT, task->tid, NULL, NULL);
}

static void gone(struct tracer *t, struct task *task, int status)
{
    if (task->tid == t->first) {
        t->first_gone = true;
        t->first_status = status;
    }
    leave_mm(t, task);
    tasks_remove(&t->tasks, task);
}

/* A task whose parent was killed before it could tell of the fork. */
static void adopt(struct tracer *t, struct task *task)
{
    task->known = true;
    join_mm(task, new_mm());
    t->observer->adopt(t->observer->ctx, task);
    start_task(t, task);
}

/* ---- stops ------------------------------------------------------------------------ */

static bool is_stopping_signal(int sig)
{
    return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

static void handle_event(struct tracer *t, struct task *task, int event, int sig)
{
    switch (event) {
    case PTRACE_EVENT_SECCOMP:
        stop_at_call(t, task);
        break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        forked(t, task, event);
        break;
    case PTRACE_EVENT_EXEC:
        execed(t, task);
        break;
    case PTRACE_EVENT_EXIT:
        exiting(t, task);
        break;
    case PTRACE_EVENT_STOP:
        if (is_stopping_signal(sig))
            ptrace(PTRACE_LISTEN, task->tid, NULL, NULL); /* stays stopped until SIGCONT */
        else
            resume(t, task, 0);
        break;
    default:
        resume(t, task, 0);
        break;
    }
}

static void handle_stop(struct tracer *t, struct task *task, int status)
{
    int event = status >> 16, sig = WSTOPSIG(status);

    if (!task->known && event != PTRACE_EVENT_EXIT && event != PTRACE_EVENT_EXEC) {
        task->waits = task->started = true;
        task->first_stop = status;
        return;
    }
    task->started = true;
    if (event)
        handle_event(t, task, event, sig);
    else if (sig == (SIGTRAP | 0x80))
        stop_at_call(t, task);
    else
        resume(t, task, sig);
}

static void handle(struct tracer *t, pid_t tid, int status)
{
    struct task *task = get_task(t, tid);

    if (WIFSTOPPED(status))
        handle_stop(t, task, status);
    else
        gone(t, task, status);
    /* what came during an injection; the task may have got another record by an exec */
    task = tasks_find(&t->tasks, tid);
    if (task && task->has_later) {
        task->has_later = false;
        handle(t, tid, task->later);
    }
}

/* ---- the clock and signals to ourselves ---------------------------------------------- */

/* Calls `what` for each task. `what` may not remove others. */
static void for_each(struct tracer *t, void (*what)(struct tracer *, struct task *))
{
    for (unsigned i = 0; i < TASK_BUCKETS; i++) {
        struct task *next;
        for (struct task *task = t->tasks.bucket[i]; task; task = next) {
            next = task->next;
            what(t, task);
        }
    }
}

/* Someone has waited too long for a call to return: order is given up. */
static void look_after(struct tracer *t, struct task *task)
{
    long now = tasks_now();
    struct mm *mm = task->mm;

    if (task->waits && now - task->since > ORPHAN_MS) {
        adopt(t, task);
        return;
    }
    if (!task->held || now - mm->inside_since < PATIENCE_MS)
        return;
    mm->unordered = true;
    mm_unhold(task);
    start_call(t, task);
}

static void kill_one(struct tracer *t, struct task *task)
{
    (void)t;
    kill(task->tid, SIGKILL);
}

/*
 * A signal from the terminal has gone to the program as well; one that was
 * sent to us alone is passed on. Asked twice, or when only descendants are
 * left, we end all: they can't be let go, their calls need the tracer.
 */
static void asked_to_end(struct tracer *t, const siginfo_t *info)
{
    if (info->si_code == SI_KERNEL && !t->first_gone)
        return;
    if (t->ends_asked++ || t->first_gone)
        for_each(t, kill_one);
    else
        kill(t->first, info->si_signo);
}

static void pause_for_events(struct tracer *t, const sigset_t *signals)
{
    struct timespec timeout = { 0, TICK_MS * 1000000L };
    siginfo_t info;
    int sig = sigtimedwait(signals, &info, &timeout);

    if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT)
        asked_to_end(t, &info);
}

static void tick(struct tracer *t)
{
    long now = tasks_now();

    if (now < t->tick_at)
        return;
    t->tick_at = now + TICK_MS;
    for_each(t, look_after);
    t->observer->tick(t->observer->ctx);
}

static void loop(struct tracer *t, const sigset_t *signals)
{
    int status;

    while (t->tasks.n) {
        pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
        if (tid > 0)
            handle(t, tid, status);
        else if (tid < 0 && errno == ECHILD)
            break;
        else
            pause_for_events(t, signals);
        tick(t);
    }
}

static void watch_signals(sigset_t *signals)
{
    static const int watched[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT };

    signal(SIGCHLD, SIG_DFL); /* ignored, it would not be sent, nor children be waited for */
    sigemptyset(signals);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        sigaddset(signals, watched[i]);
    sigprocmask(SIG_BLOCK, signals, NULL);
}

/* Whatever is left of an aborted run: tasks that never reported their end. */
static void clear(struct tracer *t)
{
    for (unsigned i = 0; i < TASK_BUCKETS; i++)
        while (t->tasks.bucket[i])
            gone(t, t->tasks.bucket[i], 0);
}

int tracer_run(char **argv, const struct tracer_options *options,
               const struct observer *observer, int *status, const char **stage)
{
    struct tracer *t = calloc(1, sizeof *t);
    unsigned long ptrace_options = OPTIONS;
    sigset_t signals;
    int err;

    *stage = "fork";
    if (!t)
        return -ENOMEM;
    t->observer = observer;
    t->filter = !options->no_seccomp && launch_may_filter();
    if (t->filter)
        ptrace_options |= PTRACE_O_TRACESECCOMP;
    err = launch_start(argv, t->filter, ptrace_options, &t->launch, stage);
    if (!err) {
        t->first = t->launch.pid;
        struct task *task = get_task(t, t->first);
        task->known = task->started = true;
        join_mm(task, new_mm());
        watch_signals(&signals);
        openings_prepare();
        launch_go(&t->launch);
        loop(t, &signals);
        err = -launch_failure(&t->launch);
        *stage = "exec";
        *status = t->first_status;
        clear(t);
    }
    free(t);
    return err;
}
