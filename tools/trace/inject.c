/* SPDX-License-Identifier: MIT */
/*
 * inject.c - makes a stopped task perform a system call of ours. Used at the
 * return of an exec only: nothing of the program has run then, so no handler,
 * no lock and no other thread can be in the way.
 */
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <signal.h>
#include <stdio.h>
#include <inttypes.h>

#include "ptrace.h"

enum { PIECE = 65536 };

/* The address of a `syscall` instruction in [start, end) of the task; 0: none. */
static uint64_t search(pid_t tid, uint64_t start, uint64_t end)
{
    static unsigned char buf[PIECE];

    while (start < end) {
        size_t want = end - start < PIECE ? (size_t)(end - start) : PIECE;
        struct iovec here = { buf, want }, there = { (void *)(uintptr_t)start, want };
        ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);
        if (got < 2)
            return 0;
        unsigned char *at = memmem(buf, (size_t)got, "\x0f\x05", 2);
        if (at)
            return start + (uint64_t)(at - buf);
        start += (uint64_t)got;
    }
    return 0;
}

/* Looks through the executable mappings, which at an exec are few. */
static uint64_t find_syscall(pid_t tid)
{
    char name[64], line[512], mode[5];
    uint64_t start, end, found = 0;

    snprintf(name, sizeof name, "/proc/%d/maps", tid);
    FILE *in = fopen(name, "re");
    while (in && !found && fgets(line, sizeof line, in))
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, mode) == 3 &&
            mode[2] == 'x' && mode[0] == 'r')
            found = search(tid, start, end);
    if (in)
        fclose(in);
    return found;
}

/* Resumes until the next stop. True: it is a system call stop, or seccomp's. */
static bool step(struct task *task, bool *seccomp)
{
    int status;

    if (ptrace(PTRACE_SYSCALL, task->tid, NULL, NULL) != 0)
        return false;
    while (waitpid(task->tid, &status, __WALL) < 0)
        if (errno != EINTR)
            return false;
    *seccomp = status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
    if (*seccomp || (WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80)))
        return true;
    task->has_later = true;
    task->later = status;
    return false;
}

/* From before the instruction to the stop at the call's return. */
static bool pass(struct task *task)
{
    bool seccomp;

    if (!step(task, &seccomp) || !step(task, &seccomp))
        return false;
    return !seccomp || step(task, &seccomp);
}

bool tracer_inject(struct task *task, uint64_t nr, const uint64_t arg[6], int64_t *result)
{
    struct user_regs_struct saved, regs;
    uint64_t at;

    if (task->has_later || ptrace(PTRACE_GETREGS, task->tid, NULL, &saved) != 0)
        return false;
    at = find_syscall(task->tid);
    if (!at)
        return false;
    regs = saved;
    regs.rip = at;
    regs.rax = nr;
    regs.orig_rax = (unsigned long long)-1;
    regs.rdi = arg[0];
    regs.rsi = arg[1];
    regs.rdx = arg[2];
    regs.r10 = arg[3];
    regs.r8 = arg[4];
    regs.r9 = arg[5];
    if (ptrace(PTRACE_SETREGS, task->tid, NULL, &regs) != 0)
        return false;
    bool done = pass(task) && ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) == 0;
    if (done)
        *result = (int64_t)regs.rax;
    ptrace(PTRACE_SETREGS, task->tid, NULL, &saved);
    return done;
}
