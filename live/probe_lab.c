/* SPDX-License-Identifier: MIT */
/* probe_lab.c - what the tries of mw_live_probe share. */
#include "probe.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

long mw_probe_result(long r)
{
    return r == -1 ? -errno : r;
}

struct mw_found mw_found_yes(void)
{
    return (struct mw_found){ .as = MW_FOUND_YES };
}

struct mw_found mw_found_no(int err)
{
    return (struct mw_found){ .as = MW_FOUND_NO, .err = err };
}

struct mw_found mw_found_untried(int err)
{
    return (struct mw_found){ .as = MW_FOUND_UNTRIED, .err = err };
}

struct mw_found mw_found_number(int64_t n)
{
    return (struct mw_found){ .as = MW_FOUND_NUMBER, .number = n };
}

static bool forbidden(int err)
{
    switch (err) {
    case EPERM:
    case EACCES:
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
        return true;
    default:
        return false;
    }
}

struct mw_found mw_found_of(long r)
{
    int err = r < 0 && r > -4096 ? (int)-r : 0;

    if (!err)
        return mw_found_yes();
    return (struct mw_found){ .as = forbidden(err) ? MW_FOUND_REFUSED : MW_FOUND_NO, .err = err };
}

struct mw_found mw_found_if(long r, bool done)
{
    struct mw_found f = mw_found_of(r);
    return f.as == MW_FOUND_YES && !done ? mw_found_no(0) : f;
}

char *mw_lab_at(const struct mw_lab *lab, size_t n)
{
    return lab->base + n * lab->page;
}

long mw_lab_map(const struct mw_lab *lab, size_t n, size_t pages, int flags, int fd)
{
    long r = SYS(SYS_mmap, mw_lab_at(lab, n), pages * lab->page, MW_RW,
                 flags | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
    return r < 0 && r > -4096 ? r : 0;
}

/* msync does nothing, and says ENOMEM where nothing is mapped. */
bool mw_lab_mapped(const struct mw_lab *lab, const char *at)
{
    return SYS(SYS_msync, at, lab->page, MS_ASYNC) == 0;
}

int mw_lab_file(const struct mw_lab *lab, size_t pages)
{
    int fd = (int)SYS(SYS_memfd_create, "mapwright", 0);

    for (size_t i = 0; fd >= 0 && i < pages; i++) {
        char c = (char)('a' + i);
        if (pwrite(fd, &c, 1, (off_t)(i * lab->page)) != 1) {
            close(fd);
            return -ENOSPC;
        }
    }
    return fd >= 0 && ftruncate(fd, (off_t)(pages * lab->page)) != 0 ? -ENOSPC : fd;
}

long mw_probe_read(const char *path, char *buf, size_t size)
{
    size_t n = 0;
    long k = 0, fd = SYS(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

    buf[0] = 0;
    if (fd < 0)
        return fd;
    while (n < size - 1 && (k = SYS(SYS_read, fd, buf + n, size - 1 - n)) > 0)
        n += (size_t)k;
    buf[n] = 0;
    close((int)fd);
    return k < 0 ? k : (long)n;
}

long mw_probe_fork(void)
{
    long pid = SYS(SYS_clone, 0, NULL, NULL, NULL, NULL);
    /* an emulator that knows only a child that signals its end */
    return pid == -EINVAL ? SYS(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : pid;
}

int mw_probe_wait(long pid)
{
    int status = -1;
    long r;

    do
        r = SYS(SYS_wait4, pid, &status, __WALL, NULL);
    while (r == -EINTR);
    return r == pid ? status : -1;
}
