/* SPDX-License-Identifier: MIT */
/* hostcall.c - the host's calls, as they are outside of a test. */
#include "hostcall.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* mremap is variadic, and madvise's like differ in their types between C libraries */
static void *remap(void *at, size_t size, size_t new_size, int flags, void *to)
{
    return mremap(at, size, new_size, flags, to);
}

static void *map(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    return mmap(at, size, prot, flags, fd, offset);
}

/* By number: mlock2 is not in each C library, and sanitizers make mlock do nothing. */
static int lock(void *at, size_t size, int how)
{
    if (how == HOST_UNLOCK)
        return (int)syscall(SYS_munlock, at, size);
    return (int)(how == HOST_LOCK ? syscall(SYS_mlock, at, size) : syscall(SYS_mlock2, at, size, 1));
}

static int punch(int fd, off_t start, off_t size)
{
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, size);
}

struct mw_hostcall mw_hostcall = {
    .alloc = aligned_alloc,
    .resize = realloc,
    .memfd = memfd_create,
    .truncate = ftruncate,
    .map = map,
    .unmap = munmap,
    .protect = mprotect,
    .lock = lock,
    .advise = madvise,
    .sync = msync,
    .remap = remap,
    .write = pwrite,
    .punch = punch,
};
