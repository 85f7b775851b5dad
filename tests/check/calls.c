/* SPDX-License-Identifier: MIT */
/*
 * calls.c - programs that make the rarer memory calls, one for each name:
 *
 *     calls NAME
 *
 * Each ends with status 0 when all went as it should for the program itself,
 * with 77 where this system lacks what it is about.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

/* An address with nothing near it. */
static char *const place = (char *)UINT64_C(0x10000000000);

static void *map_at(char *at, size_t size, int type)
{
    return mmap(at, size, RW, type | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static int lacks(void)
{
    return errno == ENOSYS || errno == EPERM ? 77 : 1;
}

/* ---- SysV shared memory --------------------------------------------------------- */

static int refuses(int id, char *at, int flags, int expected)
{
    errno = 0;
    return shmat(id, at, flags) == (void *)-1 && errno == expected;
}

/* Attached at chosen and at any address, over others, read-only; what is refused. */
static int attach(void)
{
    int id = shmget(IPC_PRIVATE, 5 * PAGE - 100, 0600), two = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
    char *any;
    int good;

    if (id < 0 || two < 0)
        return 77;
    good = shmat(id, place, 0) == place && shmat(id, place + 5 * PAGE, SHM_RDONLY) &&
           shmat(two, place + 16 * PAGE + 9, SHM_RND) == place + 16 * PAGE;
    good = good && refuses(id, place + PAGE, 0, EINVAL) && refuses(id, place + 1, 0, EINVAL) &&
           refuses(id, NULL, SHM_REMAP, EINVAL) && refuses(-1, NULL, 0, EINVAL);
    good = good && shmat(two, place + 4 * PAGE, SHM_REMAP | SHM_EXEC) == place + 4 * PAGE;
    any = shmat(id, NULL, 0);
    good = good && any != (char *)-1 && shmdt(place + PAGE) == -1 && errno == EINVAL &&
           shmdt(place + 1) == -1 && errno == EINVAL;
    if (fork() == 0)
        _exit(shmdt(any) != 0);
    good = good && shmdt(any) == 0 && shmdt(place) == 0 && shmdt(place + 4 * PAGE) == 0 &&
           shmdt(place + 16 * PAGE) == 0;
    shmctl(id, IPC_RMID, NULL);
    shmctl(two, IPC_RMID, NULL);
    return !good;
}

/* An attachment in pieces, some of which have moved away. */
static int detach_pieces(void)
{
    int id = shmget(IPC_PRIVATE, 5 * PAGE, 0600);
    int fixed = MREMAP_MAYMOVE | MREMAP_FIXED, good;

    if (id < 0)
        return 77;
    good = shmat(id, place, 0) == place && mprotect(place + PAGE, PAGE, PROT_READ) == 0 &&
           munmap(place + 3 * PAGE, PAGE) == 0;
    good = good && mremap(place + 4 * PAGE, PAGE, PAGE, fixed, place + 36 * PAGE) != MAP_FAILED &&
           mremap(place + 2 * PAGE, 0, PAGE, fixed, place + 66 * PAGE) != MAP_FAILED;
    if (fork() == 0) /* the child's pieces are one attachment too */
        _exit(shmdt(place) != 0);
    good = good && shmdt(place) == 0 && shmdt(place) == -1 && shmdt(place + 32 * PAGE) == 0 &&
           shmdt(place + 64 * PAGE) == 0;
    /* its file places by itself: it moves alone (since 6.17; before, nothing else does) */
    good = good && map_at(place, 2 * PAGE, MAP_PRIVATE) == place &&
           shmat(id, place + 2 * PAGE, 0) == place + 2 * PAGE;
    mremap(place, 4 * PAGE, 4 * PAGE, fixed, place + 16 * PAGE);
    shmctl(id, IPC_RMID, NULL);
    return !good;
}

/* Pieces that merge where no mapping is lost by it: a border that shifts, a duplicate's end. */
static int merge_pieces(void)
{
    int id = shmget(IPC_PRIVATE, 8 * PAGE, 0600), fixed = MREMAP_MAYMOVE | MREMAP_FIXED, good;

    if (id < 0)
        return 77;
    good = shmat(id, place, 0) == place && mprotect(place, 2 * PAGE, PROT_READ) == 0 &&
           mprotect(place + 2 * PAGE, 2 * PAGE, PROT_READ) == 0;
    good = good && mremap(place + 4 * PAGE, 0, PAGE, fixed, place + 16 * PAGE) != MAP_FAILED &&
           mremap(place + 5 * PAGE, 0, PAGE, fixed, place + 17 * PAGE) != MAP_FAILED;
    shmctl(id, IPC_RMID, NULL);
    return !good;
}

/* ---- aio rings ------------------------------------------------------------------- */

static int aio_rings(void)
{
    aio_context_t one = 0, two = 0;
    int good;

    if (syscall(SYS_io_setup, 200, &one) != 0)
        return lacks();
    good = syscall(SYS_io_setup, 1, &two) == 0;
    good = good && mremap((void *)one, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                          place) == place;
    good = good && map_at(place + PAGE, PAGE, MAP_PRIVATE) == place + PAGE &&
           map_at(place + 3 * PAGE, PAGE, MAP_PRIVATE) == place + 3 * PAGE;
    good = good && syscall(SYS_io_destroy, one) == -1 && syscall(SYS_io_destroy, place) == 0;
    return !(good && syscall(SYS_io_destroy, two) == 0);
}

/* ---- remap_file_pages -------------------------------------------------------------- */

static long other_pages(char *at, size_t size, size_t page)
{
    return syscall(SYS_remap_file_pages, at, size, 0, page, 0);
}

static int remap_pages(void)
{
    int good = map_at(place, 8 * PAGE, MAP_SHARED) == place;

    if (other_pages(place + PAGE, 2 * PAGE, 5) != 0)
        return lacks();
    good = good && other_pages(place + 3 * PAGE + 9, 2 * PAGE + 99, 0) == 0 &&
           other_pages(place + 7 * PAGE, 2 * PAGE, 0) == -1 && errno == EINVAL;
    good = good && other_pages(place, 8 * PAGE, 2) == 0 &&
           mprotect(place + PAGE, PAGE, PROT_READ) == 0 &&
           other_pages(place + PAGE, 2 * PAGE, 2) == -1 && errno == EINVAL;
    good = good && other_pages(place + PAGE, PAGE, 7) == 0 &&
           mlock(place + 4 * PAGE, PAGE) == 0 && other_pages(place + 4 * PAGE, PAGE, 1) == 0;
    good = good && other_pages(place, PAGE, (size_t)1 << 51) == -1 && errno == EOVERFLOW;
    good = good && map_at(place + 16 * PAGE, PAGE, MAP_PRIVATE) != MAP_FAILED &&
           other_pages(place + 16 * PAGE, PAGE, 0) == -1 && errno == EINVAL;
    return !good;
}

/* ---- memory policies --------------------------------------------------------------- */

static long bind_to(char *at, size_t size, int mode, unsigned long nodes, unsigned long bits)
{
    return syscall(SYS_mbind, at, size, mode, nodes ? &nodes : NULL, bits, 0);
}

/* Equal policies merge, others do not; a child has them too. */
static int policies(void)
{
    int good = map_at(place, 8 * PAGE, MAP_PRIVATE) == place, status;

    if (bind_to(place + PAGE, 2 * PAGE, MPOL_BIND, 1, 64) != 0)
        return lacks();
    good = good && bind_to(place + 3 * PAGE, PAGE, MPOL_BIND, 1, 2) == 0 &&
           bind_to(place + 4 * PAGE, PAGE, MPOL_PREFERRED, 1, 64) == 0 &&
           bind_to(place + 5 * PAGE, PAGE, MPOL_PREFERRED, 0, 0) == 0;
    good = good && bind_to(place + 6 * PAGE, PAGE, MPOL_BIND | MPOL_F_STATIC_NODES, 1, 64) == 0 &&
           bind_to(place, 9 * PAGE, MPOL_BIND, 1, 64) == -1 && errno == EFAULT;
    if (fork() == 0)
        _exit(bind_to(place, 3 * PAGE, MPOL_DEFAULT, 0, 0) != 0 || !map_at(place, PAGE, MAP_PRIVATE));
    good = good && wait(&status) > 0 && status == 0;
    good = good && mremap(place + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                          place + 32 * PAGE) == place + 32 * PAGE;
    good = good && map_at(place + 33 * PAGE, PAGE, MAP_PRIVATE) == place + 33 * PAGE;
    good = good && bind_to(place + 33 * PAGE, PAGE, MPOL_BIND, 1, 64) == 0 &&
           bind_to(place + 2 * PAGE, 6 * PAGE, MPOL_DEFAULT, 0, 0) == 0;
    return !good;
}

/* ---- userfaultfd ------------------------------------------------------------------------ */

static int watcher(uint64_t features)
{
    struct uffdio_api api = { .api = UFFD_API, .features = features };
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    return fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 ? fd : -1;
}

static int watch(int fd, char *at, size_t size, uint64_t mode)
{
    struct uffdio_register r = { { (uint64_t)(uintptr_t)at, size }, mode, 0 };

    return ioctl(fd, UFFDIO_REGISTER, &r);
}

static int unwatch(int fd, char *at, size_t size)
{
    struct uffdio_range range = { (uint64_t)(uintptr_t)at, size };

    return ioctl(fd, UFFDIO_UNREGISTER, &range);
}

/* Watches split and merge mappings, are lost by moving, and end when they are closed. */
static int watched(void)
{
    int one = watcher(0), two = watcher(0), good = map_at(place, 16 * PAGE, MAP_PRIVATE) == place;

    if (one < 0 || two < 0)
        return 77;
    good = good && watch(one, place + PAGE, 3 * PAGE, UFFDIO_REGISTER_MODE_MISSING) == 0 &&
           watch(one, place + 4 * PAGE, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING) == 0;
    good = good && watch(two, place + 5 * PAGE, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING) == -1 &&
           watch(two, place + 6 * PAGE, 2 * PAGE, UFFDIO_REGISTER_MODE_MISSING) == 0;
    /* more than is asked for stays; else the modes are the new ones */
    if (watch(one, place + 2 * PAGE, PAGE, UFFDIO_REGISTER_MODE_WP) == 0)
        good = good && watch(one, place + PAGE, 3 * PAGE, UFFDIO_REGISTER_MODE_MISSING) == 0;
    good = good && mremap(place + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                          place + 32 * PAGE) == place + 32 * PAGE;
    good = good && watch(one, place + 32 * PAGE, PAGE, UFFDIO_REGISTER_MODE_MISSING) == 0 &&
           unwatch(one, place + 32 * PAGE, PAGE) == 0 && unwatch(one, place + 9 * PAGE, PAGE) == 0;
    if (fork() == 0)
        _exit(!map_at(place + 9 * PAGE, PAGE, MAP_PRIVATE));
    wait(NULL);
    close(one);
    good = good && map_at(place + 8 * PAGE, PAGE, MAP_PRIVATE) == place + 8 * PAGE;
    close(two);
    return !(good && map_at(place + 7 * PAGE, PAGE, MAP_PRIVATE) == place + 7 * PAGE);
}

static void *take_events(void *fd)
{
    struct uffd_msg message;

    for (;;)
        if (read(*(int *)fd, &message, sizeof message) < 0)
            usleep(1000);
    return NULL;
}

/* Who asks for the events of mremap goes on watching what has moved. */
static int watched_moves(void)
{
    int fd = watcher(UFFD_FEATURE_EVENT_REMAP), fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    pthread_t reader;
    int good;

    if (fd < 0 || pthread_create(&reader, NULL, take_events, &fd) != 0)
        return 77;
    good = map_at(place, 8 * PAGE, MAP_PRIVATE) == place &&
           watch(fd, place, 4 * PAGE, UFFDIO_REGISTER_MODE_MISSING) == 0;
    good = good && mremap(place + PAGE, 2 * PAGE, 2 * PAGE, fixed, place + 32 * PAGE) != MAP_FAILED &&
           mremap(place + 32 * PAGE, 2 * PAGE, 4 * PAGE, fixed, place + 64 * PAGE) != MAP_FAILED;
    good = good && mremap(place, PAGE, PAGE, fixed, place + 63 * PAGE) != MAP_FAILED;
    return !good;
}

/* ---- process_madvise, PR_SET_MM ------------------------------------------------------------- */

static long advise(int pidfd, int advice, char *one, char *two)
{
    struct iovec range[2] = { { one, PAGE }, { two, 2 * PAGE } };

    return syscall(440, pidfd, range, two ? 2 : 1, advice, 0); /* process_madvise */
}

/* Its own memory may be advised of anything (since 6.13). */
static int advise_itself(void)
{
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int good = map_at(place, 8 * PAGE, MAP_PRIVATE) == place;

    memset(place, 1, PAGE);
    if (self < 0 || advise(self, MADV_DONTFORK, place, NULL) != PAGE)
        return 77;
    good = good && advise(self, MADV_RANDOM, place + 2 * PAGE, place + 5 * PAGE) == 3 * PAGE &&
           advise(self, MADV_SEQUENTIAL, place, place + 9 * PAGE) == PAGE;
    good = good && advise(self, MADV_RANDOM, place + 7 * PAGE, place + 7 * PAGE) == PAGE &&
           advise(self, MADV_RANDOM, place + 9 * PAGE, NULL) == -1 && errno == ENOMEM;
    good = good && advise(self, 99, place, NULL) == -1 && errno == EINVAL;
    return !good;
}

/* What the kernel takes for this program's parts, but for the heap's ends. */
static int read_parts(struct prctl_mm_map *parts)
{
    char line[1024], *at;
    unsigned long field[52] = { 0 };
    FILE *in = fopen("/proc/self/stat", "re");

    at = in && fgets(line, sizeof line, in) ? strrchr(line, ')') : NULL;
    for (int i = 3; at && i < 52; i++) {
        at = strchr(at + 1, ' ');
        field[i] = at ? strtoul(at, NULL, 10) : 0;
    }
    if (in)
        fclose(in);
    *parts = (struct prctl_mm_map){
        .start_code = field[26], .end_code = field[27], .start_stack = field[28],
        .start_data = field[45], .end_data = field[46], .arg_start = field[48],
        .arg_end = field[49], .env_start = field[50], .env_end = field[51], .exe_fd = (uint32_t)-1,
    };
    return at != NULL;
}

/* The heap goes on where the program says. */
static int move_heap(void)
{
    char *end = (char *)syscall(SYS_brk, 0);
    struct prctl_mm_map parts;

    if (!read_parts(&parts) || syscall(SYS_brk, end + 4 * PAGE) != (long)(end + 4 * PAGE))
        return 1;
    parts.start_brk = (uintptr_t)end + PAGE;
    parts.brk = (uintptr_t)end + 2 * PAGE;
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, &parts, sizeof parts, 0) != 0)
        return 77;
    return syscall(SYS_brk, 0) != (long)(end + 2 * PAGE) ||
           syscall(SYS_brk, end) != (long)(end + 2 * PAGE) || /* below its start */
           syscall(SYS_brk, end + PAGE) != (long)(end + PAGE);
}

/* ---- protection keys ------------------------------------------------------------------- */

/* Where there are any; what is refused where there are none. A child has them too. */
static int protect_by_keys(void)
{
    char *at = map_at(place, 8 * PAGE, MAP_PRIVATE);
    long given = syscall(SYS_pkey_alloc, 0, 0), none = given < 0, key = none ? 1 : given;

    if (at == MAP_FAILED || syscall(SYS_pkey_alloc, 1, 0) != -1)
        return 1;
    at[0] = at[5 * PAGE] = 1;
    if ((syscall(SYS_pkey_mprotect, at + PAGE, 2 * PAGE, PROT_READ, key) != 0) != none ||
        syscall(SYS_pkey_mprotect, at, 8 * PAGE, RW, -1) != 0 ||
        syscall(SYS_pkey_mprotect, at, PAGE, RW, 99) != -1)
        return 1;
    mprotect(at + 4 * PAGE, PAGE, PROT_EXEC);
    mprotect(at + 4 * PAGE, PAGE, PROT_READ);
    syscall(SYS_pkey_mprotect, at + 6 * PAGE, PAGE, PROT_NONE, key);
    if (fork() == 0) {
        syscall(SYS_pkey_alloc, 0, 0);
        syscall(SYS_pkey_mprotect, at, 4 * PAGE, PROT_READ, key);
        _exit(0);
    }
    wait(NULL);
    mremap(at + 2 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    return (syscall(SYS_pkey_free, key) != 0) != none || syscall(SYS_pkey_free, 15) != -1 ||
           munmap(at, 8 * PAGE) != 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} programs[] = {
    { "shmat", attach },
    { "shmdt", detach_pieces },
    { "shm_merges", merge_pieces },
    { "aio", aio_rings },
    { "remap_file_pages", remap_pages },
    { "mbind", policies },
    { "userfaultfd", watched },
    { "event_remap", watched_moves },
    { "process_madvise", advise_itself },
    { "pr_set_mm", move_heap },
    { "pkeys", protect_by_keys },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (argc == 2 && strcmp(argv[1], programs[i].name) == 0)
            return programs[i].run();
    for (size_t i = 0; argc == 1 && i < sizeof programs / sizeof programs[0]; i++)
        puts(programs[i].name);
    return argc != 1;
}
