/* SPDX-License-Identifier: MIT */
/*
 * record.c - how demo.strace and demo.maps were made:
 *
 *     record demo.maps demo.strace PROGRAM ARGS...
 *
 * PROGRAM starts without address randomisation and stops before its first
 * instruction; its /proc/PID/maps is copied; then strace attaches and PROGRAM
 * runs on. So the log starts from exactly that layout.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "record: %s: %s\n", what, strerror(errno));
    exit(1);
}

static pid_t start_stopped(char **command)
{
    int status;
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        char *environment[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
        personality(ADDR_NO_RANDOMIZE);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execve(command[0], command, environment);
        fail(command[0]);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        fail("waiting for the exec");
    /* stays stopped when this tracer has gone and the next one comes */
    if (ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)SIGSTOP) != 0)
        fail("detach");
    return pid;
}

static void copy_maps(pid_t pid, const char *to)
{
    char path[64], buf[4096];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *in = fopen(path, "r"), *out = fopen(to, "w");
    if (in == NULL || out == NULL)
        fail(to);
    for (size_t n; (n = fread(buf, 1, sizeof buf, in)) != 0;)
        fwrite(buf, 1, n, out);
    fclose(in);
    fclose(out);
}

int main(int argc, char **argv)
{
    char id[16];
    if (argc < 4) {
        fputs("usage: record MAPS LOG PROGRAM [ARGS...]\n", stderr);
        return 2;
    }
    pid_t pid = start_stopped(argv + 3);
    copy_maps(pid, argv[1]);
    snprintf(id, sizeof id, "%d", (int)pid);
    pid_t strace = fork();
    if (strace == 0) {
        execlp("strace", "strace", "-f", "-y", "-o", argv[2], "-p", id, (char *)NULL);
        fail("strace");
    }
    sleep(1); /* strace says nothing on which to wait */
    kill(pid, SIGCONT);
    waitpid(pid, NULL, 0);
    waitpid(strace, NULL, 0);
    return 0;
}
