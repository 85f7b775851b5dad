/* SPDX-License-Identifier: MIT */
/* live.c - host calls that fail on demand, and what a process has mapped. */
#include "live.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../live/hostcall.h"

static struct mw_hostcall real;
static unsigned left;
static int with;
static bool armed, each, failed;

/* Whether this call is to fail. */
static bool turn(void)
{
    if (!armed)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    if (failed && !each)
        return false;
    failed = true;
    errno = with;
    return true;
}

static void *t_alloc(size_t align, size_t size)
{
    return turn() ? NULL : real.alloc(align, size);
}
static void *t_resize(void *at, size_t size)
{
    return turn() ? NULL : real.resize(at, size);
}
static int t_memfd(const char *name, unsigned flags)
{
    return turn() ? -1 : real.memfd(name, flags);
}
static int t_truncate(int fd, off_t size)
{
    return turn() ? -1 : real.truncate(fd, size);
}
static void *t_map(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    return turn() ? MAP_FAILED : real.map(at, size, prot, flags, fd, offset);
}
static int t_protect(void *at, size_t size, int prot)
{
    return turn() ? -1 : real.protect(at, size, prot);
}
static int t_lock(void *at, size_t size, int how)
{
    return turn() ? -1 : real.lock(at, size, how);
}
static int t_advise(void *at, size_t size, int advice)
{
    return turn() ? -1 : real.advise(at, size, advice);
}
static int t_sync(void *at, size_t size, int flags)
{
    return turn() ? -1 : real.sync(at, size, flags);
}
static void *t_remap(void *at, size_t size, size_t new_size, int flags, void *to)
{
    return turn() ? MAP_FAILED : real.remap(at, size, new_size, flags, to);
}

static ssize_t t_write(int fd, const void *from, size_t size, off_t offset)
{
    return turn() ? -1 : real.write(fd, from, size, offset);
}
static int t_punch(int fd, off_t start, off_t size)
{
    return turn() ? -1 : real.punch(fd, start, size);
}

void fail_from(unsigned n, int err, bool all)
{
    if (!real.map)
        real = mw_hostcall;
    /* unmapping what is one's own does not fail */
    mw_hostcall = (struct mw_hostcall){t_alloc, t_resize, t_memfd, t_truncate, t_map,
                                       real.unmap, t_protect, t_lock, t_advise, t_sync, t_remap, t_write, t_punch};
    left = n;
    with = err;
    each = all;
    failed = false;
    armed = true;
}

bool fail_never(void)
{
    armed = false;
    if (real.map)
        mw_hostcall = real;
    return failed;
}

size_t mapped_bytes(void)
{
    /* a small buffer of our own, so that counting maps nothing */
    unsigned long pages = 0;
    char text[64];
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    setvbuf(f, text, _IOFBF, sizeof text);
    assert_int_equal(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

unsigned open_files(void)
{
    struct dirent *entry;
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static int status_of(pid_t pid)
{
    int status;

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static sigjmp_buf landing;
static void land(int sig) { siglongjmp(landing, sig); }

int signal_of(const volatile void *at, bool write)
{
    struct sigaction sa = { .sa_handler = land }, old_segv, old_bus;
    volatile unsigned char *byte = (volatile unsigned char *)(uintptr_t)at;

    sigaction(SIGSEGV, &sa, &old_segv);
    sigaction(SIGBUS, &sa, &old_bus);
    int sig = sigsetjmp(landing, 1);
    if (sig == 0) {
        if (write)
            *byte = 1;
        else
            (void)*byte;
    }
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
    return sig;
}

bool faults(const volatile void *at, bool write) { return signal_of(at, write) == SIGSEGV; }

bool in_child(bool (*what)(void *), void *arg)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(what(arg) ? 0 : 1);
    status = status_of(pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
