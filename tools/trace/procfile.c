/* SPDX-License-Identifier: MIT */
/*
 * procfile.c - what an open descriptor of a traced task is. Decides which
 * files can't be mapped and which place large mappings by their offset; the
 * latter is measured once for each file system, since it depends on the
 * kernel's version and options.
 */
#include "procfs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HUGETLBFS 0x958458f6u
enum { HUGE_PAGE = 2 << 20, MOST_SYSTEMS = 64 };

/* ---- placement ------------------------------------------------------------------ */

/* Whether a large mapping of fd at this offset is placed congruent to it. */
static bool is_congruent(int fd, off_t offset)
{
    size_t size = 4 * (size_t)HUGE_PAGE + 4096;
    void *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE, fd, offset);

    if (at == MAP_FAILED)
        return false;
    munmap(at, size);
    return ((uintptr_t)at - (uintptr_t)offset) % HUGE_PAGE == 0;
}

/* What is known of file systems that place by offset, when none can be tried. */
static bool is_known_to_place(const char *name)
{
    struct statfs fs;

    if (statfs(name, &fs) != 0)
        return false;
    return fs.f_type == 0xef53 || fs.f_type == 0x58465342 || (uint32_t)fs.f_type == 0x9123683e;
}

/*
 * Tries it in this process, at two offsets so that chance is no answer.
 * O_NOATIME keeps the file's time of access.
 */
static bool places_by_offset(const char *name)
{
    int fd = open(name, O_RDONLY | O_NOATIME | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return is_known_to_place(name);
    bool places = is_congruent(fd, 0) && is_congruent(fd, 4096) && is_congruent(fd, 3 * 4096);
    close(fd);
    return places;
}

/* Files of huge pages, and of which: MW_OBJ_HUGETLB... or 0. */
static uint32_t huge_pages_of(const char *name)
{
    struct statfs fs;

    if (statfs(name, &fs) != 0 || (uint32_t)fs.f_type != HUGETLBFS)
        return 0;
    return MW_OBJ_HUGETLB | (fs.f_bsize > HUGE_PAGE ? MW_OBJ_HUGETLB_LARGE : 0);
}

/* What the files of a file system have in common, MW_OBJ_... */
static uint32_t placement_of(const char *name, dev_t dev)
{
    static struct {
        dev_t dev;
        uint32_t flags;
    } known[MOST_SYSTEMS];
    static unsigned n;

    for (unsigned i = 0; i < n; i++)
        if (known[i].dev == dev)
            return known[i].flags;
    uint32_t flags = huge_pages_of(name);
    if (!flags && places_by_offset(name))
        flags = MW_OBJ_THP_PLACE;
    if (n < MOST_SYSTEMS) {
        known[n].dev = dev;
        known[n++].flags = flags;
    }
    return flags;
}

/* ---- files ----------------------------------------------------------------------- */

/* The flags a descriptor was opened with; false: it is not open. */
static bool open_flags(pid_t tid, int fd, uint64_t *flags)
{
    char name[64], line[128];
    bool found = false;

    snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", tid, fd);
    FILE *in = fopen(name, "re");
    while (in && !found && fgets(line, sizeof line, in))
        found = sscanf(line, "flags: %" SCNo64, flags) == 1;
    if (in)
        fclose(in);
    return found;
}

static uint32_t mode_of(const char *name, uint64_t flags)
{
    struct statvfs fs;
    struct statx more;
    uint32_t mode = 0;

    if ((flags & O_ACCMODE) != O_WRONLY)
        mode |= MW_FILE_READ;
    if ((flags & O_ACCMODE) != O_RDONLY)
        mode |= MW_FILE_WRITE;
    if (statvfs(name, &fs) == 0 && (fs.f_flag & ST_NOEXEC))
        mode |= MW_FILE_NOEXEC;
    if (statx(AT_FDCWD, name, AT_STATX_DONT_SYNC, 0, &more) == 0 &&
        (more.stx_attributes & STATX_ATTR_APPEND))
        mode |= MW_FILE_APPEND;
    return mode;
}

static bool cannot_be_mapped(mode_t mode)
{
    return S_ISDIR(mode) || S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISLNK(mode);
}

static bool is_dev_zero(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 5);
}

/* Seals are the inode's: any opening of it tells them. */
static bool is_sealed(const char *name)
{
    int fd = open(name, O_RDONLY | O_NOATIME | O_CLOEXEC | O_NONBLOCK);
    int seals = fd < 0 ? 0 : fcntl(fd, F_GET_SEALS);

    if (fd >= 0)
        close(fd);
    return seals > 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

static bool is_peculiar(const char *name, const struct stat *st, const char *path)
{
    if (!S_ISREG(st->st_mode))
        return !is_dev_zero(st);
    if (strncmp(path, "/secretmem", 10) == 0)
        return true;
    return strncmp(path, "/memfd:", 7) == 0 && is_sealed(name);
}

void procfs_file(pid_t tid, int fd, struct event_file *file)
{
    char name[64];
    struct stat st;
    uint64_t flags;

    *file = (struct event_file){ 0 };
    snprintf(name, sizeof name, "/proc/%d/fd/%d", tid, fd);
    if (fd < 0 || stat(name, &st) != 0 || !open_flags(tid, fd, &flags) || (flags & O_PATH))
        return;
    ssize_t n = readlink(name, file->path, sizeof file->path - 1);
    file->path[n > 0 ? n : 0] = '\0';
    file->known = true;
    file->dev = st.st_dev;
    file->ino = st.st_ino;
    file->size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
    file->mode = mode_of(name, flags);
    if (cannot_be_mapped(st.st_mode))
        file->mode |= MW_FILE_NOMMAP;
    if (is_dev_zero(&st))
        file->object |= MW_OBJ_ANON | MW_OBJ_OWN_PLACE | placement_of(name, st.st_rdev);
    else if (S_ISREG(st.st_mode))
        file->object |= placement_of(name, st.st_dev);
    file->peculiar = is_peculiar(name, &st, file->path);
}

/* ---- SysV segments ----------------------------------------------------------------- */

/* Ids mean something within an IPC namespace only. */
static bool shares_ids(pid_t tid)
{
    char name[64];
    struct stat theirs, ours;

    snprintf(name, sizeof name, "/proc/%d/ns/ipc", tid);
    return stat(name, &theirs) == 0 && stat("/proc/self/ns/ipc", &ours) == 0 &&
           theirs.st_ino == ours.st_ino;
}

void procfs_segment(pid_t tid, int shmid, struct event_file *file)
{
    struct shmid_ds segment;

    *file = (struct event_file){ 0 };
    if (!shares_ids(tid) || shmctl(shmid, IPC_STAT, &segment) != 0)
        return;
    file->known = true;
    file->size = segment.shm_segsz;
    snprintf(file->path, sizeof file->path, "/SYSV%08x (deleted)",
             (unsigned)segment.shm_perm.__key);
}

void procfs_mapped(pid_t tid, uint64_t start, uint64_t end, struct event_file *file)
{
    char name[96];

    snprintf(name, sizeof name, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, tid, start, end);
    file->object |= huge_pages_of(name);
}
