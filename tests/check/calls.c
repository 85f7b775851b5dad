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
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
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

static const struct {
    const char *name;
    int (*run)(void);
} programs[] = {
    { "shmat", attach },
    { "shmdt", detach_pieces },
    { "shm_merges", merge_pieces },
    { "aio", aio_rings },
    { "remap_file_pages", remap_pages },
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
