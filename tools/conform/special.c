/* SPDX-License-Identifier: MIT */
/*
 * special.c - what has rules of its own: /dev/zero, append-only and noexec
 * files, files without mmap, io_setup's ring, memory watched by userfaultfd.
 * What the system or the user lacks is left out.
 */
#include "system.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of a newer kernel than the headers may be. */
#define NR_FSOPEN 430
#define NR_FSCONFIG 431
#define NR_FSMOUNT 432
#define CONFIG_CREATE 6
#define ATTRIBUTE_NOEXEC 8
#define USER_MODE_ONLY 1

#define RING_EVENTS 200

/* ---- files ---- */

static int noexec_mount = -1;

/* Nothing is left behind, for the mount belongs to no namespace. */
static void mount_noexec(void)
{
    int context = (int)syscall(NR_FSOPEN, "tmpfs", 0);
    if (context < 0)
        return;
    if (syscall(NR_FSCONFIG, context, CONFIG_CREATE, 0, 0, 0) == 0)
        noexec_mount = (int)syscall(NR_FSMOUNT, context, 0, ATTRIBUTE_NOEXEC);
    close(context);
}

/* Its content must be there before. */
static bool make_append_only(int fd)
{
    int flags = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0)
        return false;
    flags |= FS_APPEND_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static int open_special(int which)
{
    int fd;
    switch (which) {
    case FILE_ZERO:
        return open("/dev/zero", O_RDWR | O_CLOEXEC);
    case FILE_PROC:
        return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    case FILE_NOEXEC:
        fd = noexec_mount < 0
                 ? -1
                 : openat(noexec_mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        break;
    case FILE_APPEND:
        fd = sys_new_file();
        break;
    default:
        return -1;
    }
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)file_bytes(which)) != 0)
        return -1;
    sys_fill(fd, file_bytes(which), ALL_PAGES);
    return which == FILE_APPEND && !make_append_only(fd) ? -1 : fd;
}

void sys_open_special(void)
{
    struct stat st;
    for (int i = FILE_ZERO; i < FILES; i++) {
        int fd = open_special(i);
        sys_files.fd[i] = sys_files.writable[i] = fd;
        if (fd < 0 || fstat(fd, &st) != 0 || i == FILE_PROC)
            continue;
        sys_files.inode[i] = st.st_ino;
        sys_files.device[i] = i == FILE_APPEND ? 0 : st.st_dev;
    }
}

/* ---- the ring of io_setup(2) ---- */

static int rings; /* made, and not ended */

int64_t sys_ring(void)
{
    uint64_t context = 0; /* becomes the ring's address */
    int64_t r = sys_raw(SYS_io_setup, RING_EVENTS, (uint64_t)(uintptr_t)&context, 0, 0, 0, 0);
    rings += r == 0;
    return r < 0 ? r : (int64_t)context;
}

/* They end with the process, all at once: to end one takes the system milliseconds of waiting. */
bool sys_made_rings(void)
{
    return rings > 0;
}

static void probe_ring(void)
{
    struct seen s;
    int64_t at = sys_ring();
    sys.ring_bytes = 0;
    if (at <= 0)
        return;
    if (sys.look != LOOK_PROBE && sys_next((uint64_t)at, &s) && s.start == (uint64_t)at)
        sys.ring_bytes = s.end - s.start;
    sys.ring_dontcopy = sys_vm_flags((uint64_t)at) & MW_VM_DONTCOPY;
    sys_raw(SYS_io_destroy, (uint64_t)at, 0, 0, 0, 0, 0);
    rings = 0;
    sys_changed();
}

/* ---- userfaultfd(2) ---- */

static struct uffdio_api api;

static int open_watch(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | USER_MODE_ONLY);
    api = (struct uffdio_api){ .api = UFFD_API };
    if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* For writes to protected pages, of which there are none: nothing ever waits. */
int64_t sys_watch(uint64_t addr, uint64_t len)
{
    static int fd = -1;
    struct uffdio_register r = { .range = { addr, len }, .mode = UFFDIO_REGISTER_MODE_WP };
    if (fd < 0)
        fd = open_watch();
    if (fd < 0)
        return -MW_ENOSYS;
    return sys_raw(SYS_ioctl, (uint64_t)fd, UFFDIO_REGISTER, (uint64_t)(uintptr_t)&r, 0, 0, 0);
}

static void probe_watch(void)
{
    int fd = open_watch();
    sys.watch = fd >= 0;
    sys.watch_features = api.features;
    if (fd >= 0)
        close(fd);
}

/* Where nothing can be named, the call itself is unknown: before a hole would be found. */
static void probe_names(void)
{
    sys.names = sys_raw(SYS_prctl, MW_PR_SET_VMA, 0, ARENA, 0, 0, 0) == 0;
}

void sys_probe_special(void)
{
    mount_noexec();
    probe_ring();
    probe_watch();
    probe_names();
}
