/* SPDX-License-Identifier: MIT */
/*
 * launch.c - starts the program under ptrace. Decides how the tracer gets to
 * see the memory calls only: by a seccomp filter that hands just those to the
 * tracer. Installing one needs CAP_SYS_ADMIN or no_new_privs, and the latter
 * would be seen by the program (sudo would stop working in it), so that
 * without the capability every system call is stopped at instead.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syscalls.h"

enum { CAP_SYS_ADMIN_BIT = 21, X32_BIT = 0x40000000, MOST_STEPS = 512 };

bool launch_may_filter(void)
{
    char line[256];
    unsigned long long caps = 0;
    FILE *in = fopen("/proc/self/status", "re");

    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "CapEff: %llx", &caps) == 1)
            break;
    if (in)
        fclose(in);
    return caps >> CAP_SYS_ADMIN_BIT & 1;
}

/* ---- the filter ------------------------------------------------------------- */

struct program {
    struct sock_filter step[MOST_STEPS];
    unsigned short n;
};

static void add(struct program *p, unsigned code, uint32_t k, uint8_t yes, uint8_t no)
{
    if (p->n < MOST_STEPS)
        p->step[p->n++] = (struct sock_filter){ (uint16_t)code, yes, no, k };
}

static void load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *p, uint32_t what)
{
    add(p, BPF_RET | BPF_K, what, 0, 0);
}

/* One row: if it is this number (and argument), trace. The number is in A before and after. */
static void add_row(struct program *p, const struct syscall_row *row)
{
    if (!row->mask) {
        add(p, BPF_JMP | BPF_JEQ | BPF_K, row->nr, 0, 1);
        answer(p, SECCOMP_RET_TRACE);
        return;
    }
    add(p, BPF_JMP | BPF_JEQ | BPF_K, row->nr, 0, 5);
    load(p, offsetof(struct seccomp_data, args) + 8 * row->which);
    add(p, BPF_ALU | BPF_AND | BPF_K, row->mask, 0, 0);
    add(p, BPF_JMP | BPF_JEQ | BPF_K, row->value, 0, 1);
    answer(p, SECCOMP_RET_TRACE);
    load(p, offsetof(struct seccomp_data, nr));
}

/* Other ABIs than the native one are traced in full: they are rare. */
static void make_filter(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    answer(p, SECCOMP_RET_TRACE);
    load(p, offsetof(struct seccomp_data, nr));
    add(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    answer(p, SECCOMP_RET_TRACE);
    for (unsigned i = 0; i < syscall_row_count; i++)
        add_row(p, &syscall_rows[i]);
    answer(p, SECCOMP_RET_ALLOW);
}

static bool install_filter(void)
{
    static struct program program;
    struct sock_fprog prog;

    make_filter(&program);
    prog.len = program.n;
    prog.filter = program.step;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0;
}

/* ---- the child --------------------------------------------------------------- */

static _Noreturn void child(char **argv, bool filter, int go, int failure)
{
    char byte;
    int err = 0;

    while (read(go, &byte, 1) < 0 && errno == EINTR)
        continue;
    if (filter && !install_filter())
        err = errno;
    if (!err) {
        execvp(argv[0], argv);
        err = errno;
    }
    if (write(failure, &err, sizeof err) < 0)
        _exit(126);
    _exit(127);
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
}

static int make_pipes(int go[2], int failure[2])
{
    if (pipe2(go, O_CLOEXEC) != 0)
        return -errno;
    if (pipe2(failure, O_CLOEXEC) != 0) {
        int err = -errno;
        close(go[0]);
        close(go[1]);
        return err;
    }
    return 0;
}

int launch_start(char **argv, bool filter, unsigned long options, struct launch *launch,
                 const char **stage)
{
    int go[2], failure[2], err;

    *stage = "fork";
    err = make_pipes(go, failure);
    if (err)
        return err;
    launch->pid = fork();
    err = launch->pid < 0 ? -errno : 0;
    if (launch->pid == 0) {
        close(go[1]); /* or it would never see the end of the pipe */
        child(argv, filter, go[0], failure[1]);
    }
    close(go[0]);
    close(failure[1]);
    launch->go = go[1];
    launch->failure = failure[0];
    if (!err && ptrace(PTRACE_SEIZE, launch->pid, NULL, options) != 0) {
        err = -errno;
        *stage = "ptrace";
        end_child(launch->pid);
    }
    if (err) {
        close(launch->go);
        close(launch->failure);
    }
    return err;
}

void launch_go(struct launch *launch)
{
    close(launch->go);
    launch->go = -1;
}

int launch_failure(struct launch *launch)
{
    int err = 0;

    if (read(launch->failure, &err, sizeof err) != sizeof err)
        err = 0;
    close(launch->failure);
    launch->failure = -1;
    return err;
}
