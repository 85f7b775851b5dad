/* SPDX-License-Identifier: MIT */
/*
 * huge.c - the system's pool of huge pages: a few are added for as long as the
 * comparison runs, and taken away again. One comparison at a time has them.
 */
#include "system.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static int pool = -1;
static int entry_lock = -1; /* a worker's own: a lock is an open file's */
static pid_t owner;
static int64_t had; /* pages, before */

static int64_t number_of(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    return n > 0 ? strtoll(text, NULL, 10) : -1;
}

/* Also in a signal's handler. */
static bool set_pool(int64_t pages)
{
    char digits[24];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + pages % 10);
    while ((pages /= 10) > 0);
    return pwrite(pool, digits + at, sizeof digits - at, 0) > 0;
}

bool sys_huge_pool(struct mw_huge_stats *out)
{
    int64_t unused = number_of(POOL "free_hugepages"), promised = number_of(POOL "resv_hugepages");
    *out = (struct mw_huge_stats){ (uint64_t)number_of(POOL "nr_hugepages"), (uint64_t)unused, (uint64_t)promised };
    return unused >= 0 && promised >= 0;
}

/* What is still in use goes when its process ends. */
static void put_back(void)
{
    if (pool >= 0 && getpid() == owner)
        set_pool(had);
}

static void interrupted(int signal)
{
    put_back();
    (void)sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    raise(signal);
}

/* Each episode's own: its pages are the pool's until it is closed. */
static void open_file(void)
{
    struct stat st;
    int fd = (int)syscall(SYS_memfd_create, "mapwright-conform", MFD_CLOEXEC | MFD_HUGETLB | 21u << 26);
    if (fd < 0 || ftruncate(fd, (off_t)file_bytes(FILE_POOL)) != 0 || fstat(fd, &st) != 0)
        return;
    sys_files.fd[FILE_POOL] = sys_files.writable[FILE_POOL] = fd;
    sys_files.inode[FILE_POOL] = st.st_ino;
}

/*
 * Waits until no other worker is at the pool, which then is as it was taken:
 * Linux loses a promise at times, so that pages are added again.
 */
void sys_enter_huge(void)
{
    struct mw_huge_stats now;
    if (entry_lock < 0)
        entry_lock = open(POOL "free_hugepages", O_RDONLY | O_CLOEXEC);
    flock(entry_lock, LOCK_EX);
    open_file();
    if (sys_huge_pool(&now) && now.free - now.promised != sys.huge_pages)
        set_pool(number_of(POOL "nr_hugepages") + (int64_t)sys.huge_pages -
                 (int64_t)(now.free - now.promised));
}

void sys_leave_huge(void)
{
    close(sys_files.fd[FILE_POOL]);
    sys_files.fd[FILE_POOL] = sys_files.writable[FILE_POOL] = -1;
    sys_files.inode[FILE_POOL] = 0;
    flock(entry_lock, LOCK_UN);
}

/* The mappings have a file of a file system of their own: by its device they are known. */
static uint64_t device_of_huge(void)
{
    struct seen a;
    uint64_t device = 0;
    int64_t r = sys_raw(SYS_mmap, ARENA, HUGE, 0,
                        MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED | MW_MAP_HUGETLB |
                            MW_MAP_NORESERVE,
                        UINT64_MAX, 0);
    sys_changed();
    if (r == (int64_t)ARENA && sys_next(ARENA, &a))
        device = sys_seen_device();
    sys_raw(SYS_munmap, ARENA, HUGE, 0, 0, 0, 0);
    sys_changed();
    return device;
}

void sys_take_huge(uint64_t pages)
{
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
    struct mw_huge_stats now;
    uint64_t device;
    if (sys.look == LOOK_PROBE || !sys.privileged)
        return;
    pool = open(POOL "nr_hugepages", O_RDWR | O_CLOEXEC);
    if (pool < 0 || flock(pool, LOCK_EX | LOCK_NB) != 0 || !sys_huge_pool(&now))
        return;
    had = number_of(POOL "nr_hugepages");
    owner = getpid();
    atexit(put_back);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        (void)sigaction(ends[i], &(struct sigaction){ .sa_handler = interrupted }, NULL);
    device = device_of_huge();
    if (device == 0 || !set_pool(had - (int64_t)(now.free - now.promised) + (int64_t)pages) ||
        !sys_huge_pool(&now) || now.free - now.promised != pages)
        return;
    sys.huge_pages = pages;
    sys.huge_device = device;
}
