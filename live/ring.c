/* SPDX-License-Identifier: MIT */
/* ring.c - the mirrored ring buffer. Rules: SPEC.md, RING-1 to RING-7. */
#include "mapwright/ring.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4u
#endif
#define MFD_TWO_MIB (21u << 26)
#define HUGE_PAGE ((size_t)2 << 20)

#define FORK_MODES (MW_RING_FORK_NOTHING | MW_RING_FORK_COPY)
#define HUGE_MODES (MW_RING_HUGE | MW_RING_TRY_HUGE)

struct ring {
    struct mw_ring open; /* first: what the caller holds */
    struct mw_ring_positions own;
    unsigned char *base; /* the whole reservation */
    size_t span;
    size_t page;
    unsigned fork_mode;
    pid_t owner;        /* FORK_NOTHING: the process in which it is mapped */
    struct ring *next;  /* FORK_COPY: in `copied` */
    int copy;           /* during a fork: the object with the child's bytes, or -1 */
    uint64_t head, tail; /* and the positions that belong to them */
};

/*
 * The rings that a fork copies. The lock is held from before the fork until after
 * it, so that the list stands still; `hooked` is whether the handlers are known.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ring *copied;
static bool hooked;

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) & ~(unit - 1);
}

/* ---- the object ------------------------------------------------------------ */

/* The memory itself: `size` bytes, without a name. A descriptor, or -errno. */
static int object_make(size_t size, size_t page)
{
    unsigned huge = page == HUGE_PAGE ? MFD_HUGETLB | MFD_TWO_MIB : 0;
    int fd = mw_hostcall.memfd("mw_ring", MFD_CLOEXEC | huge);
    int err;

    if (fd < 0)
        /* how a kernel says that it does not have such pages: by version and build */
        return huge && (errno == EINVAL || errno == ENOSYS || errno == ENODEV || errno == ENOENT)
                   ? -EOPNOTSUPP
                   : -errno;
    if (mw_hostcall.truncate(fd, (off_t)size) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

/* Maps it, or a part of it, at a place that is ours already. */
static int object_map(int fd, unsigned char *at, size_t size, size_t offset)
{
    void *got = mw_hostcall.map(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                                (off_t)offset);
    return got == MAP_FAILED ? -errno : 0;
}

static int map_halves(const struct ring *ring, int fd)
{
    size_t size = ring->open.size;
    int err = object_map(fd, ring->open.data, size, 0);

    return err ? err : object_map(fd, ring->open.data + size, size, 0);
}

/* ---- fork: a copy ---------------------------------------------------------- */

/*
 * The bytes are taken while the two ends may be at work. What lies from the
 * reader's position after copying to the writer's before it was there all the
 * time and nobody wrote to it: that is what the child finds in its ring.
 */
static void snapshot(struct ring *ring, void *to)
{
    const struct mw_ring_positions *p = &ring->own;

    ring->head = __atomic_load_n(&p->writer.at, __ATOMIC_ACQUIRE);
    memcpy(to, ring->open.data, ring->open.size);
    ring->tail = __atomic_load_n(&p->reader.at, __ATOMIC_ACQUIRE);
    if (ring->tail > ring->head)
        ring->head = ring->tail;
}

static int copy_make(struct ring *ring)
{
    size_t size = ring->open.size;
    int fd = object_make(size, ring->page);
    void *at;

    if (fd < 0)
        return -1;
    at = mw_hostcall.map(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        close(fd);
        return -1;
    }
    snapshot(ring, at);
    mw_hostcall.unmap(at, size);
    return fd;
}

static void before_fork(void)
{
    int kept = errno;

    pthread_mutex_lock(&lock);
    for (struct ring *r = copied; r; r = r->next)
        r->copy = r->open.size ? copy_make(r) : -1;
    errno = kept;
}

static void copy_drop(struct ring *ring)
{
    if (ring->copy >= 0)
        close(ring->copy);
    ring->copy = -1;
}

static void in_parent(void)
{
    for (struct ring *r = copied; r; r = r->next)
        copy_drop(r);
    pthread_mutex_unlock(&lock);
}

static void end_set(struct mw_ring_end *end, uint64_t at, uint64_t seen, size_t size)
{
    end->at = at;
    end->seen = seen;
    end->offset = (size_t)(at % size);
}

/*
 * A guard may have merged with another ring's, and taking a part of a mapping
 * fails where the process has as many as it may: then at least the bytes go.
 */
static int unmap_all(const struct ring *ring)
{
    if (mw_hostcall.unmap(ring->base, ring->span) == 0)
        return 0;
    return mw_hostcall.unmap(ring->open.data, 2 * ring->open.size);
}

/* The child's half of it: what can't be replaced is taken away, never shared. */
static void copy_take(struct ring *ring)
{
    size_t size = ring->open.size;

    if (ring->copy < 0 || map_halves(ring, ring->copy) != 0) {
        if (unmap_all(ring) != 0)
            abort(); /* else the child would write to the parent's bytes */
        ring->base = NULL;
        ring->open.size = 0;
        memset(&ring->own, 0, sizeof ring->own);
        return;
    }
    end_set(&ring->own.writer, ring->head, ring->tail, size);
    end_set(&ring->own.reader, ring->tail, ring->head, size);
}

static void in_child(void)
{
    int kept = errno;

    for (struct ring *r = copied; r; r = r->next) {
        if (r->open.size)
            copy_take(r);
        copy_drop(r);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
}

static int copied_add(struct ring *ring)
{
    int err = 0;

    pthread_mutex_lock(&lock);
    if (!hooked)
        err = pthread_atfork(before_fork, in_parent, in_child);
    if (!err) {
        hooked = true;
        ring->next = copied;
        copied = ring;
    }
    pthread_mutex_unlock(&lock);
    return -err;
}

static void copied_remove(struct ring *ring)
{
    struct ring **at = &copied;

    pthread_mutex_lock(&lock);
    while (*at && *at != ring)
        at = &(*at)->next;
    if (*at)
        *at = ring->next;
    pthread_mutex_unlock(&lock);
}

/* ---- creation -------------------------------------------------------------- */

/*
 * The reservation: a page for the positions (unused unless they are shared), a
 * guard, the halves, a guard. More than these to find a huge page's boundary.
 */
static int reserve(struct ring *ring, size_t small)
{
    size_t slack = ring->page > small ? ring->page : 0;
    void *at;

    ring->span = 2 * ring->open.size + 3 * small + slack;
    at = mw_hostcall.map(NULL, ring->span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    ring->base = at;
    ring->open.data = (unsigned char *)round_up((uintptr_t)at + 2 * small, ring->page);
    return 0;
}

/* A shared ring's positions are shared too: on a page of an object. */
static int share_positions(struct ring *ring, size_t small)
{
    void *got = mw_hostcall.map(ring->base, small, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (got == MAP_FAILED)
        return -errno;
    ring->open.positions = got;
    return 0;
}

static int verify(const struct ring *ring)
{
    volatile unsigned char *one = ring->open.data, *other = one + ring->open.size;
    bool same;

    *one = 0x5a;
    same = *other == 0x5a;
    *other = 0;
    return same && *one == 0 ? 0 : -EIO;
}

static int fill(struct ring *ring)
{
    int err, fd = object_make(ring->open.size, ring->page);

    if (fd < 0)
        return fd;
    err = map_halves(ring, fd);
    close(fd);
    return err ? err : verify(ring);
}

static int fork_setup(struct ring *ring, size_t small)
{
    switch (ring->fork_mode) {
    case MW_RING_FORK_SHARE:
        return share_positions(ring, small);
    case MW_RING_FORK_NOTHING:
        ring->owner = getpid();
        return mw_hostcall.advise(ring->base, ring->span, MADV_DONTFORK) ? -errno : 0;
    default:
        return copied_add(ring);
    }
}

static int build(struct ring *ring, size_t size, size_t page)
{
    size_t small = (size_t)sysconf(_SC_PAGESIZE);
    int err;

    ring->page = page ? page : small;
    ring->open.size = round_up(size, ring->page);
    ring->open.positions = &ring->own;
    err = reserve(ring, small);
    if (err)
        return err;
    err = fill(ring);
    if (!err)
        err = fork_setup(ring, small);
    if (err)
        unmap_all(ring);
    return err;
}

int mw_ring_create(size_t size, unsigned flags, struct mw_ring **out)
{
    unsigned fork_mode = flags & FORK_MODES, huge = flags & HUGE_MODES;
    struct ring *ring;
    int err;

    if (size == 0 || flags & ~(FORK_MODES | HUGE_MODES) || fork_mode == FORK_MODES || huge == HUGE_MODES)
        return -EINVAL;
    if (size > SIZE_MAX / 4)
        return -EOVERFLOW;
    ring = mw_hostcall.alloc(_Alignof(struct ring), sizeof *ring);
    if (!ring)
        return -ENOMEM;
    memset(ring, 0, sizeof *ring);
    ring->fork_mode = fork_mode;
    ring->copy = -1;
    err = build(ring, size, huge ? HUGE_PAGE : 0);
    if (err && huge == MW_RING_TRY_HUGE)
        err = build(ring, size, 0);
    if (err)
        free(ring);
    else
        *out = &ring->open;
    return err;
}

void mw_ring_destroy(struct mw_ring *open)
{
    struct ring *ring = (struct ring *)open;

    if (!ring)
        return;
    if (ring->fork_mode == MW_RING_FORK_COPY)
        copied_remove(ring);
    /* in a child that got nothing the addresses may be another's by now */
    if (ring->base && (ring->fork_mode != MW_RING_FORK_NOTHING || ring->owner == getpid()))
        unmap_all(ring);
    free(ring);
}

size_t mw_ring_page_size(const struct mw_ring *open)
{
    return ((const struct ring *)open)->page;
}
