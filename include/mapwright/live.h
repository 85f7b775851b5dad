/* SPDX-License-Identifier: MIT */
/*
 * live.h - the calls of mapwright.h on this process's own memory.
 *
 * A live space is a range of this process's addresses, reserved when it is
 * made. Its calls take and return pointers of that range, decide as any space
 * does, and carry the decision out with the host's mmap, mprotect and mremap.
 * Its pages lie in a memfd, so that any of them can have a second address:
 * mw_live_mremap with MW_MREMAP_MIRROR, private memory included.
 *
 *   - A call happens wholly or not at all: when the host refuses a step, those
 *     before it are undone, and bytes and layout are as before.
 *   - Calls return a pointer's value or 0, or -errno. Arguments are bytes.
 *     What mapwright.h says of a call's errors holds; beside them -ENOMEM when
 *     the host has no memory or no mapping (vm.max_map_count) left.
 *   - Any thread may call, and any thread may use the memory meanwhile. A
 *     moving page is at its old or at its new address, or at both.
 *   - Within the range no other mmap of the process ever lands.
 *
 * Hosted: Linux 3.17 and later (memfd_create), x86-64 or any other with 4 KiB
 * to 64 KiB pages.
 */
#ifndef MAPWRIGHT_LIVE_H
#define MAPWRIGHT_LIVE_H

#include "mapwright/mapwright.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct mw_live;

/* What a child of fork(2) has of a live space. Aliases stay aliases. */
enum mw_live_fork {
    MW_LIVE_FORK_SHARE,   /* the same pages as its parent */
    MW_LIVE_FORK_COPY,    /* pages of its own, as they were at the fork; what other threads
                             write while fork runs may be old or new. Costs a copy */
    MW_LIVE_FORK_NOTHING  /* no memory there, and an empty space */
};

/* Where private memory lies that nobody has mirrored. */
enum mw_live_memory {
    MW_LIVE_PRIVATE_POOL,  /* in a memfd, as shared memory does: any page can be mirrored at any time */
    MW_LIVE_PRIVATE_KERNEL /* in the kernel's own private memory: a first touch, a fork and an
                              munmap cost less; what is mirrored is first copied to the memfd,
                              and no other thread may write to it meanwhile. Not with
                              MW_LIVE_FORK_SHARE */
};

struct mw_live_config {
    uint64_t size;          /* bytes of address space to reserve; rounded up to 2 MiB */
    enum mw_live_fork fork;
    enum mw_live_memory private_memory;
};

/*
 * Reserves the range and makes the space. Errors: MW_EINVAL (size 0, or beyond
 * what the system has; kinds that are none or do not go together), MW_ENOMEM; and what memfd_create and mmap report. The
 * caller owns it and ends it by mw_live_destroy, which unmaps the range.
 */
int mw_live_create(const struct mw_live_config *config, struct mw_live **out);
void mw_live_destroy(struct mw_live *live);

/* The reserved range. */
struct mw_range mw_live_range(const struct mw_live *live);

/*
 * mmap(2) of anonymous memory, in the range. `flags` as mmap's: MW_MAP_PRIVATE
 * or _SHARED, MW_MAP_ANONYMOUS, perhaps _FIXED, _FIXED_NOREPLACE, _POPULATE,
 * _NORESERVE, _LOCKED, and _HUGETLB with 2 MiB (or 0) or 1 GiB as its size. Private and
 * shared differ in what MREMAP_DONTUNMAP leaves (nothing, or the pages) and in
 * what mw_live_config.private_memory says; what a forked child has is said by
 * mw_live_config.fork for both. Errors: EOPNOTSUPP (other flags), EINVAL (a
 * fixed address outside the range, no or two types, another huge page size),
 * then those of mw_mmap.
 */
int64_t mw_live_mmap(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                     uint64_t flags, struct mw_why *why);

/*
 * mmap(2) of a file, from its byte `offset` on. Its descriptor may be closed
 * afterwards. A private mapping's changed pages stay its own, also in a forked
 * child; what is mirrored of it becomes memory like any other. Errors: those
 * above; EBADF; and what the host says of the file (EACCES, ENODEV...).
 */
int64_t mw_live_mmap_file(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                          uint64_t flags, int fd, uint64_t offset, struct mw_why *why);

/* munmap(2), mprotect(2). The range may have gaps for munmap. EINVAL: outside the space's range. */
int64_t mw_live_munmap(struct mw_live *live, void *addr, uint64_t length, struct mw_why *why);
int64_t mw_live_mprotect(struct mw_live *live, void *addr, uint64_t length, uint64_t prot,
                         struct mw_why *why);

/*
 * mremap(2), with MAYMOVE, FIXED, DONTUNMAP (what stays of private memory is
 * empty), old size 0, several mappings; and MW_MREMAP_MIRROR. All of them all
 * or nothing. What has to move and has at least 2 MiB (1 GiB) goes, without
 * FIXED, where that leaves its page tables as they are. MW_LIVE_FILL: what is
 * mapped anew of pages that are there has its page-table entries when the call
 * returns. Huge pages grow and are mirrored too.
 */
#define MW_LIVE_FILL 0x10000000u
int64_t mw_live_mremap(struct mw_live *live, void *old_addr, uint64_t old_size, uint64_t new_size,
                       uint64_t flags, void *new_addr, struct mw_why *why);

/*
 * mlock2(2) and munlock(2). EPERM, ENOMEM, EAGAIN as the host has them; a call
 * that fails has locked nothing.
 */
int64_t mw_live_mlock(struct mw_live *live, void *addr, uint64_t length, uint64_t flags,
                      struct mw_why *why);
int64_t mw_live_munlock(struct mw_live *live, void *addr, uint64_t length, struct mw_why *why);

/*
 * madvise(2). What sets a flag of the mapping stays with it when it moves. DONTNEED
 * and FREE drop the pages of private memory at all their addresses, REMOVE those of
 * shared memory too. EINVAL: advice that is not of mapwright.h's list, and
 * MADV_COLLAPSE, _HWPOISON and _GUARD_...; what mw_madvise refuses (locked, of
 * another kind), and what the host does. ENOMEM: a hole, and nothing is done.
 */
int64_t mw_live_madvise(struct mw_live *live, void *addr, uint64_t length, uint64_t advice,
                        struct mw_why *why);

/* Drops the pages of [addr, addr + length), locked or not, at all their addresses: they read zero,
   a file's as the file. EINVAL; ENOMEM: a hole, and nothing is done. */
int64_t mw_live_discard(struct mw_live *live, void *addr, uint64_t length);

/* msync(2), of mapped files; mincore(2), whose bytes are the host's. Errors as theirs. */
int64_t mw_live_msync(struct mw_live *live, void *addr, uint64_t length, uint64_t flags,
                      struct mw_why *why);
int64_t mw_live_mincore(struct mw_live *live, void *addr, uint64_t length, unsigned char *vec);

struct mw_live_stats {
    uint64_t mapped;    /* bytes that have an address, each address counted */
    uint64_t aliased;   /* of these: second and further addresses of pages */
    uint64_t held;      /* bytes of memory in use, each page counted once; without /proc
                           private memory of the kernel's and of files is not counted */
    uint64_t mappings;  /* of the space */
    uint64_t host_used; /* mappings of the whole process, and */
    uint64_t host_left; /*   how many more vm.max_map_count allows; both 0 without /proc */
};
void mw_live_stats(struct mw_live *live, struct mw_live_stats *out);

/* NULL when sound, else what is not (static storage): the space, and the host's mappings against it. */
const char *mw_live_check(struct mw_live *live);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
