/* SPDX-License-Identifier: MIT */
/*
 * ring.h - a ring buffer whose end is its beginning: a ready-made piece on this
 * process's own memory, for programs that have a C library.
 *
 *     guard | the buffer | the same buffer again | guard
 *
 * Any `size` bytes from any place in the first half on are contiguous, so a
 * message is written and read in place, never split. An access beyond either
 * end meets a guard page: SIGSEGV.
 *
 * Conventions
 *   - Sizes are size_t and in bytes.
 *   - 0 on success, -errno on failure; a call that fails has changed nothing.
 *   - Needs Linux 5.10 or later, no privilege, neither /proc nor /dev.
 */
#ifndef MAPWRIGHT_RING_H
#define MAPWRIGHT_RING_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* What a forked child gets: one of these three. See mw_ring_create. */
#define MW_RING_FORK_SHARE 0x0u
#define MW_RING_FORK_NOTHING 0x1u
#define MW_RING_FORK_COPY 0x2u

#define MW_RING_HUGE 0x4u     /* pages of 2 MiB from the system's pool, or an error */
#define MW_RING_TRY_HUGE 0x8u /* the same, or ordinary pages where there are none */

/* One end's position; each on a cache line of its own. */
struct mw_ring_end {
    uint64_t at;   /* bytes passed since creation: written by this end alone */
    uint64_t seen; /* the other end's `at`, when this one last looked */
    size_t offset; /* at % size */
} __attribute__((aligned(64)));

struct mw_ring_positions {
    struct mw_ring_end writer, reader;
};

/* Made by mw_ring_create. `data` and `size` may be read, nothing may be written. */
struct mw_ring {
    unsigned char *data; /* [data, data + size) is the buffer, [data + size, data + 2 * size) it again */
    size_t size;         /* 0: in a forked child that got no copy */
    struct mw_ring_positions *positions;
};

/*
 * Makes a ring of at least `size` bytes, rounded up to whole pages (2 MiB with
 * huge ones), all zero, and verifies that what is written through one half is
 * read through the other. *ring is the caller's until mw_ring_destroy.
 *
 * A forked child gets
 *   MW_RING_FORK_SHARE    the same bytes and the same positions: parent and child
 *                         may be the two ends. Each destroys its own ring.
 *   MW_RING_FORK_NOTHING  an address range where nothing is mapped (MADV_DONTFORK).
 *                         All that it may do with the ring is mw_ring_destroy.
 *   MW_RING_FORK_COPY     bytes and positions of its own, as they were at the fork.
 *                         fork() copies the whole buffer beforehand, by a handler
 *                         of pthread_atfork; where memory for it is missing the
 *                         child's ring has size 0 and its bytes can't be reached.
 *                         Not for vfork, posix_spawn and the bare clone system
 *                         call, which run no handlers: their child shares.
 *
 * Errors, in this order
 *   -EINVAL      size is 0; unknown flags, or two that exclude each other
 *   -EOVERFLOW   size is more than a quarter of SIZE_MAX
 *   -ENOMEM      no memory, no address space, or a limit on either
 *   -EMFILE, -ENFILE   no file descriptor free (one is used during the call)
 *   -EOPNOTSUPP  MW_RING_HUGE, and the kernel has no huge pages of 2 MiB
 *   -ENOMEM      MW_RING_HUGE, and the pool has not enough of them free
 *   -EIO         the halves do not mirror each other: an emulated kernel's fault
 *   others as memfd_create, ftruncate, mmap and pthread_atfork give them
 */
int mw_ring_create(size_t size, unsigned flags, struct mw_ring **ring);

/* Unmaps and frees. `ring` may be NULL. No other thread may use it any more. */
void mw_ring_destroy(struct mw_ring *ring);

/* The size of the pages it is made of, in bytes: tells what MW_RING_TRY_HUGE got. */
size_t mw_ring_page_size(const struct mw_ring *ring);

/*
 * One writer and one reader, in two threads, or in two processes of a ring that
 * is shared: positions without a lock. Use these, or `data` and positions of your
 * own, not both. mw_ring_reserve and mw_ring_commit are the writer's,
 * mw_ring_peek and mw_ring_consume the reader's.
 */

/* Where the next n bytes go, contiguous, or NULL if they do not fit yet (with
 * n > size, ever). They stay the reader's unseen until mw_ring_commit. */
static inline void *mw_ring_reserve(struct mw_ring *ring, size_t n)
{
    struct mw_ring_positions *p = ring->positions;

    if (n > ring->size - (size_t)(p->writer.at - p->writer.seen)) {
        p->writer.seen = __atomic_load_n(&p->reader.at, __ATOMIC_ACQUIRE);
        if (n > ring->size - (size_t)(p->writer.at - p->writer.seen))
            return NULL;
    }
    return ring->data + p->writer.offset;
}

/* Hands the first n reserved bytes to the reader. -EINVAL if so many were not free. */
static inline int mw_ring_commit(struct mw_ring *ring, size_t n)
{
    struct mw_ring_positions *p = ring->positions;

    if (n > ring->size - (size_t)(p->writer.at - p->writer.seen))
        return -EINVAL;
    p->writer.offset += n;
    if (p->writer.offset >= ring->size)
        p->writer.offset -= ring->size;
    __atomic_store_n(&p->writer.at, p->writer.at + n, __ATOMIC_RELEASE);
    return 0;
}

/* All that is there to read, contiguous: its address, its length in *n. NULL and 0
 * when there is nothing. It stays as it is until mw_ring_consume. */
static inline void *mw_ring_peek(struct mw_ring *ring, size_t *n)
{
    struct mw_ring_positions *p = ring->positions;

    p->reader.seen = __atomic_load_n(&p->writer.at, __ATOMIC_ACQUIRE);
    *n = (size_t)(p->reader.seen - p->reader.at);
    return *n ? ring->data + p->reader.offset : NULL;
}

/* Gives the first n bytes of the last mw_ring_peek back to the writer. -EINVAL if
 * it did not show so many. */
static inline int mw_ring_consume(struct mw_ring *ring, size_t n)
{
    struct mw_ring_positions *p = ring->positions;

    if (n > (size_t)(p->reader.seen - p->reader.at))
        return -EINVAL;
    p->reader.offset += n;
    if (p->reader.offset >= ring->size)
        p->reader.offset -= ring->size;
    __atomic_store_n(&p->reader.at, p->reader.at + n, __ATOMIC_RELEASE);
    return 0;
}

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
