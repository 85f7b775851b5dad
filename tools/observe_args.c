/* SPDX-License-Identifier: MIT */
/*
 * observe_args.c - what the arguments of the rarer calls point to, and which
 * watchers have gone without a call that is seen.
 */
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "observe_impl.h"
#include "trace/procfs.h"

enum { SET_VMA = 0x53564d41 };

static bool read_memory(pid_t tid, uint64_t at, void *buf, size_t size)
{
    struct iovec here = { buf, size }, there = { (void *)(uintptr_t)at, size };

    return process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* ---- userfaultfd ------------------------------------------------------------------- */

static void read_watch(struct task *task)
{
    struct event *event = &task->event;
    char name[64];
    struct stat st;

    snprintf(name, sizeof name, "/proc/%d/fd/%d", task->tid, (int)event->arg[0]);
    event->value_known = stat(name, &st) == 0 &&
                         read_memory(task->tid, event->arg[2], &event->arg[3],
                                     (uint32_t)event->arg[1] == UFFDIO_REGISTER
                                         ? 3 * sizeof event->arg[3] : 2 * sizeof event->arg[3]);
    event->file.ino = event->value_known ? st.st_ino : 0;
}

/* Whether the kernel's mapping at addr is watched. A descriptor may be of another process's memory. */
static bool is_watched(pid_t tid, uint64_t addr)
{
    struct layout kernel = { 0 };
    bool watched = false;

    if (procfs_layout(tid, true, &kernel)) {
        size_t i = layout_find(&kernel, addr);
        watched = i < kernel.n && (kernel.area[i].flags & MW_VM_UFFD);
    }
    layout_clear(&kernel);
    return watched;
}

/* Whether the task still has the descriptor by which a watcher was registered. */
static bool has_descriptor(const struct watched *w, pid_t tid, uint64_t watcher)
{
    char name[64];
    struct stat st;

    snprintf(name, sizeof name, "/proc/%d/fd/%d", tid, w->watcher_fd);
    return stat(name, &st) == 0 && st.st_ino == watcher;
}

void observe_closed_watchers(struct watched *w, pid_t tid)
{
    struct mw_vma vma = { 0 };
    uint64_t watcher;

    while (w->watchers && model_watched(w->model, vma.end, &vma, &watcher))
        if (!has_descriptor(w, tid, watcher) && !is_watched(tid, vma.start))
            model_unwatch(w->model, watcher);
}

void observe_after_watch(struct watched *w, struct task *task)
{
    struct event *event = &task->event;

    if ((uint32_t)event->arg[1] != UFFDIO_REGISTER || event->result != 0)
        return;
    event->value_known = event->value_known && is_watched(task->tid, event->arg[3]);
    w->watchers = true;
    w->watcher_fd = (int)event->arg[0];
}

/* ---- policies and names --------------------------------------------------------------- */

/* Without MPOL_F_STATIC_NODES and its kind only the nodes count that the task may use. */
static void read_nodes(struct task *task)
{
    struct event *event = &task->event;
    uint64_t bits = event->arg[4] - 1, nodes = 0;

    event->value_known = !event->arg[3] || !bits ||
                         read_memory(task->tid, event->arg[3], &nodes, sizeof nodes);
    if (event->arg[3] && bits < 64)
        nodes &= (UINT64_C(1) << bits) - 1;
    if (!(event->arg[2] & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)))
        nodes &= procfs_nodes(task->tid);
    event->value = nodes;
}

static void read_name(struct task *task)
{
    struct event *event = &task->event;
    char name[80] = "";
    size_t n = 0;

    /* byte by byte, for the next page may not be there */
    while (event->arg[4] && n < sizeof name - 1 &&
           read_memory(task->tid, event->arg[4] + n, &name[n], 1) && name[n])
        n++;
    name[n] = '\0';
    event->value_known = event->arg[1] == 0; /* PR_SET_VMA_ANON_NAME */
    snprintf(event->file.path, sizeof event->file.path, "%s", name);
}

/* ---- process_madvise -------------------------------------------------------------------- */

/* Whether a pidfd is of the very process: it may be one of the numbers that stand for that. */
static bool is_of_itself(const struct task *task)
{
    enum { SELF = -10000 };
    int fd = (int)task->event.arg[0];
    char name[64], line[128];
    int pid = 0;

    if (fd <= SELF)
        return true;
    snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", task->tid, fd);
    FILE *in = fopen(name, "re");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "Pid: %d", &pid) == 1)
            break;
    if (in)
        fclose(in);
    return pid == task->tgid;
}

void observe_read_ranges(struct task *task)
{
    static struct mw_iovec ranges[1024]; /* as many as one call takes */
    struct event *event = &task->event;
    uint64_t n = (uint32_t)event->arg[2];

    event->ranges = NULL; /* EPERM: without rights over itself, before 6.12 */
    if (event->call == CALL_PROCESS_MADVISE && event->result != -MW_EPERM && is_of_itself(task) &&
        (n > sizeof ranges / sizeof ranges[0] ||
         read_memory(task->tid, event->arg[1], ranges, n * sizeof ranges[0])))
        event->ranges = ranges;
}

/* The heap's start and end are the fifth and sixth number of the structure. */
static void read_break(struct task *task)
{
    struct event *event = &task->event;

    if (event->arg[1] == PR_SET_MM_MAP)
        event->value_known = read_memory(task->tid, event->arg[2] + 4 * sizeof event->arg[4],
                                         &event->arg[4], 2 * sizeof event->arg[4]);
}

void observe_read_args(struct task *task)
{
    switch (task->event.call) {
    case CALL_USERFAULTFD:
        read_watch(task);
        break;
    case CALL_MBIND:
        read_nodes(task);
        break;
    case CALL_PRCTL:
        if (task->event.arg[0] == SET_VMA)
            read_name(task);
        else if (task->event.arg[0] == PR_SET_MM)
            read_break(task);
        break;
    default:
        break;
    }
}
