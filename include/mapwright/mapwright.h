/* SPDX-License-Identifier: MIT */
/*
 * mapwright.h - Linux's memory-mapping calls as a library.
 *
 * A *space* is one address space: its VMAs, page tables and pages. The calls
 * below take Linux's arguments and answer as Linux does: an address or 0 on
 * success, -errno on failure, with Linux's numbers and in Linux's order of
 * checks. Where two Linux versions differ, the space answers as the version
 * named in its configuration.
 *
 * Conventions
 *   - Addresses, lengths and offsets are uint64_t and in bytes, on every host.
 *     Any 64-bit value may be passed; what Linux refuses is refused.
 *   - "page" is the space's page, 1 << mw_config.page_shift bytes.
 *   - A call that fails has changed nothing, except where Linux itself stops
 *     half-way (said at the call).
 *   - Each call's optional last parameter, `why`, receives the reason of a
 *     failure: see mw_why_text. It may be NULL.
 *   - "SPEC x" names the rule in SPEC.md.
 *   - One call at a time per space, unless the port supplies lock and unlock.
 */
#ifndef MAPWRIGHT_MAPWRIGHT_H
#define MAPWRIGHT_MAPWRIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapwright/port.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define MW_VERSION "0.1.0"

/* The version string of the library that is linked in. */
const char *mw_version(void);

/* ---- Linux's numbers ---------------------------------------------------- */

#define MW_PROT_NONE 0x0u
#define MW_PROT_READ 0x1u
#define MW_PROT_WRITE 0x2u
#define MW_PROT_EXEC 0x4u
#define MW_PROT_SEM 0x8u
#define MW_PROT_GROWSDOWN 0x01000000u
#define MW_PROT_GROWSUP 0x02000000u

#define MW_MAP_SHARED 0x01u
#define MW_MAP_PRIVATE 0x02u
#define MW_MAP_SHARED_VALIDATE 0x03u
#define MW_MAP_DROPPABLE 0x08u
#define MW_MAP_FIXED 0x10u
#define MW_MAP_ANONYMOUS 0x20u
#define MW_MAP_32BIT 0x40u
#define MW_MAP_GROWSDOWN 0x0100u
#define MW_MAP_DENYWRITE 0x0800u
#define MW_MAP_EXECUTABLE 0x1000u
#define MW_MAP_LOCKED 0x2000u
#define MW_MAP_NORESERVE 0x4000u
#define MW_MAP_POPULATE 0x8000u
#define MW_MAP_NONBLOCK 0x10000u
#define MW_MAP_STACK 0x20000u
#define MW_MAP_HUGETLB 0x40000u
#define MW_MAP_SYNC 0x80000u
#define MW_MAP_FIXED_NOREPLACE 0x100000u
#define MW_MAP_HUGE_SHIFT 26 /* with MW_MAP_HUGETLB: log2 of the page above it, 0 for the default */

#define MW_MREMAP_MAYMOVE 1u
#define MW_MREMAP_FIXED 2u
#define MW_MREMAP_DONTUNMAP 4u

#define MW_MLOCK_ONFAULT 1u
#define MW_MCL_CURRENT 1u
#define MW_MCL_FUTURE 2u
#define MW_MCL_ONFAULT 4u

#define MW_SHM_RDONLY 0x1000u
#define MW_SHM_RND 0x2000u
#define MW_SHM_REMAP 0x4000u
#define MW_SHM_EXEC 0x8000u

#define MW_MS_ASYNC 1u
#define MW_MS_INVALIDATE 2u
#define MW_MS_SYNC 4u

#define MW_MADV_NORMAL 0u
#define MW_MADV_RANDOM 1u
#define MW_MADV_SEQUENTIAL 2u
#define MW_MADV_WILLNEED 3u
#define MW_MADV_DONTNEED 4u
#define MW_MADV_FREE 8u
#define MW_MADV_REMOVE 9u
#define MW_MADV_DONTFORK 10u
#define MW_MADV_DOFORK 11u
#define MW_MADV_MERGEABLE 12u
#define MW_MADV_UNMERGEABLE 13u
#define MW_MADV_HUGEPAGE 14u
#define MW_MADV_NOHUGEPAGE 15u
#define MW_MADV_DONTDUMP 16u
#define MW_MADV_DODUMP 17u
#define MW_MADV_WIPEONFORK 18u
#define MW_MADV_KEEPONFORK 19u
#define MW_MADV_COLD 20u
#define MW_MADV_PAGEOUT 21u
#define MW_MADV_POPULATE_READ 22u
#define MW_MADV_POPULATE_WRITE 23u
#define MW_MADV_DONTNEED_LOCKED 24u
#define MW_MADV_COLLAPSE 25u
#define MW_MADV_HWPOISON 100u
#define MW_MADV_SOFT_OFFLINE 101u
#define MW_MADV_GUARD_INSTALL 102u
#define MW_MADV_GUARD_REMOVE 103u

/* Mapwright's own, refused (EINVAL) without MW_OPT_EXTENSIONS. See mw_mremap. */
#define MW_MREMAP_MIRROR 0x01000000u
#define MW_MREMAP_RELOCATE 0x02000000u
#define MW_MREMAP_STRICT 0x04000000u

/* The huge page of hugetlb mappings and of placement, in bytes. */
#define MW_HUGE_SIZE (2ull << 20)

#define MW_EPERM 1
#define MW_ENOENT 2
#define MW_EIO 5
#define MW_EBADF 9
#define MW_EAGAIN 11
#define MW_ENOMEM 12
#define MW_EACCES 13
#define MW_EFAULT 14
#define MW_EBUSY 16
#define MW_EEXIST 17
#define MW_ENODEV 19
#define MW_EINVAL 22
#define MW_EFBIG 27
#define MW_ENOSPC 28
#define MW_ENOSYS 38
#define MW_EOVERFLOW 75
#define MW_EOPNOTSUPP 95
#define MW_EHWPOISON 133

/* ---- configuration ------------------------------------------------------ */

#define MW_LINUX(major, minor) ((uint32_t)(major) * 1000u + (uint32_t)(minor))

/* The newest version whose behaviour is modelled, and the default. */
#define MW_LINUX_NEWEST MW_LINUX(7, 3)

/* The oldest one that is told apart from others. */
#define MW_LINUX_OLDEST MW_LINUX(2, 6)

/*
 * The versions at which the modelled behaviour changes, ascending: the oldest,
 * each at which a row of src/linux/version.def begins or ends, and the newest.
 * A version that is not among them behaves as the nearest one below it does.
 * Writes at most `room` of them; returns how many there are.
 */
size_t mw_linux_versions(uint32_t *versions, size_t room);

#define MW_UNLIMITED UINT64_MAX

/* mw_config.caps */
#define MW_CAP_IPC_LOCK 0x1u   /* not bound by limit_memlock */
#define MW_CAP_SYS_RAWIO 0x2u  /* may map below min_addr */
#define MW_CAP_SYS_ADMIN 0x4u  /* may use the commit reserve (overcommit mode 2), and
                                  spoil pages (MW_MADV_HWPOISON) */

/* mw_config.options */
#define MW_OPT_THP 0x1u       /* the kernel has transparent huge pages: large
                                 anonymous mappings are placed aligned (SPEC PLACE-7) */
#define MW_OPT_DEFECTS 0x2u   /* imitate Linux's own defects (rows marked so) */
#define MW_OPT_BOTTOM_UP 0x4u /* the legacy layout: search upwards from mmap_base */
#define MW_OPT_NO_NX 0x8u     /* reserved for READ_IMPLIES_EXEC personalities:
                                 PROT_READ implies PROT_EXEC */
#define MW_OPT_EXEC_ONLY 0x10u /* what is mapped with PROT_EXEC and no other bit can't
                                 be read, without protection keys (arm64) */

#define MW_OPT_EXTENSIONS 0x20u /* MW_MREMAP_MIRROR and its like are known; huge-page
                                 mappings can grow */
#define MW_OPT_PKEYS 0x40u    /* a CPU with 16 protection keys (x86): see
                                 mw_pkey_mprotect. One of them keeps what is mapped with
                                 PROT_EXEC and no other bit from being read */

/*
 * mw_config.thp, as /sys/kernel/mm/transparent_hugepage/enabled: never but by
 * MW_MADV_COLLAPSE, where MW_MADV_HUGEPAGE asks for them, or wherever
 * MW_MADV_NOHUGEPAGE does not forbid them (SPEC THP). A leaf entry of level 2
 * then maps frames that lie together; translations of that size may be cached, if
 * a flush of any part of what one maps drops it.
 */
enum mw_thp { MW_THP_NEVER, MW_THP_MADVISE, MW_THP_ALWAYS };

struct mw_frames;
struct mw_object;
struct mw_space;
struct mw_vma;

/*
 * How a space is to behave. mw_config_init fills in the defaults given in
 * brackets; change what differs. Copied by mw_space_create.
 */
struct mw_config {
    const struct mw_port *port;  /* required; borrowed until the space is gone */
    struct mw_frames *frames;    /* where pages and page tables come from. NULL: a
                                    *layout-only* space, which keeps VMAs and counters
                                    but no pages: mw_fault, mw_read, mw_write answer
                                    MW_ENOSYS [NULL] */
    uint64_t id;                 /* handed to the port's flush [0] */
    uint32_t linux_version;      /* MW_LINUX(major, minor) [MW_LINUX_NEWEST] */
    uint32_t page_shift;         /* 12, 14 or 16 [12] */
    uint32_t levels;             /* page-table levels, 0: as many as task_size needs [0] */
    uint32_t options;            /* MW_OPT_... [MW_OPT_THP] */
    uint32_t caps;               /* MW_CAP_... [0] */
    uint32_t overcommit;         /* 0 heuristic, 1 always, 2 never [0] */
    uint64_t task_size;          /* first address beyond user space [0x7ffffffff000] */
    uint64_t min_addr;           /* vm.mmap_min_addr [65536] */
    uint64_t min_hint;           /* hints below are raised to it, and stacks do not grow below
                                    it: Linux's CONFIG_LSM_MMAP_MIN_ADDR, where that is the
                                    greater one [65536] */
    uint64_t mmap_base;          /* mmap searches downwards from here, with
                                    MW_OPT_BOTTOM_UP upwards [0x7ffff7fff000] */
    uint64_t low_base;           /* where an upwards search starts when the downwards one
                                    found nothing [0x2aaaaaaab000, a third of
                                    task_size] */
    uint64_t brk_start;          /* start of the heap; 0: no heap, brk fails [0] */
    uint64_t data_size;          /* bytes of the program's data segment, counted by
                                    RLIMIT_DATA's brk rule [0] */
    uint64_t stack_gap;          /* guard below a MAP_GROWSDOWN mapping, in pages [256] */
    uint64_t limit_as;           /* RLIMIT_AS, bytes [MW_UNLIMITED] */
    uint64_t limit_data;         /* RLIMIT_DATA, bytes [MW_UNLIMITED] */
    uint64_t limit_memlock;      /* RLIMIT_MEMLOCK, bytes [MW_UNLIMITED] */
    uint64_t limit_stack;        /* RLIMIT_STACK, bytes [8 MiB] */
    uint64_t max_map_count;      /* vm.max_map_count [65530] */
    uint64_t ram_pages;          /* RAM + swap, for overcommit mode 0 [MW_UNLIMITED] */
    uint64_t commit_limit;       /* pages, for overcommit mode 2 [MW_UNLIMITED] */
    uint32_t thp;                /* where private anonymous memory gets transparent huge pages,
                                    with MW_OPT_THP: MW_THP_... [MW_THP_NEVER] */
};

/* Sets every field to its default. `port` is borrowed, see mw_config.port. */
void mw_config_init(struct mw_config *config, const struct mw_port *port);

/* ---- why a call failed -------------------------------------------------- */

/*
 * The reason of a failure. Filled in only when a call fails (err != 0) or when
 * a call succeeds in part; zeroed otherwise.
 */
struct mw_why {
    int32_t err;       /* the errno, positive; 0: none */
    uint32_t reason;   /* an entry of src/linux/reason.def */
    uint64_t addr;     /* the address or range concerned, */
    uint64_t end;      /*   [addr, end); 0, 0: none */
    uint64_t have;     /* the amount asked for or reached, and */
    uint64_t limit;    /*   the limit it ran into; unit as the text says */
};

/* The rule in SPEC.md, such as "MREMAP-12". Static storage; "" when why is empty. */
const char *mw_why_rule(const struct mw_why *why);

/* A short, stable name of the reason, such as "old_range_leaves_vma". Static storage. */
const char *mw_why_name(const struct mw_why *why);

/*
 * Writes the reason as one English sentence, without newline, into `buf`
 * (`size` bytes, always terminated when size > 0). Returns the length that
 * the whole sentence has.
 */
size_t mw_why_text(const struct mw_why *why, char *buf, size_t size);

/* The name of a Linux errno, such as "EFAULT"; "0" for 0; "E?" for unknown ones. */
const char *mw_errno_name(int err);

/* ---- frames: where pages come from -------------------------------------- */

/*
 * A pool of page frames over one range of host memory, so that an embedder
 * maps its guest RAM once. `base` (aligned to 1 << page_shift) and its `bytes`
 * (whole pages) are borrowed until mw_frames_destroy; one pool may serve many
 * spaces with the same page_shift. A frame is zeroed before it becomes visible
 * in a space. Errors: MW_EINVAL (alignment, size, page_shift), MW_ENOMEM.
 */
int mw_frames_create(const struct mw_port *port, void *base, uint64_t bytes,
                     uint32_t page_shift, struct mw_frames **out);

/* Every space and object that used the pool must be gone: MW_EBUSY otherwise. */
int mw_frames_destroy(struct mw_frames *frames);

/* Frames in all, and frames free. Pages, not bytes. */
uint64_t mw_frames_total(const struct mw_frames *frames);
uint64_t mw_frames_free(const struct mw_frames *frames);

/*
 * Sets free frames aside as huge pages of 1 << log2_size bytes (with 4 KiB
 * pages: 21 or 30), until there are `count`, as vm.nr_hugepages does; or makes
 * frames again of those that nobody holds. A huge page takes frames that lie
 * together, aligned to its size, and are all free. Returns how many there are
 * then: perhaps fewer, 0 for a size that the format does not have.
 */
uint64_t mw_frames_set_huge(struct mw_frames *frames, uint32_t log2_size, uint64_t count);

/*
 * Fills up to `most` times 2 MiB (with 4 KiB pages) of free frames that lie
 * together with zeros, so that a transparent huge page that comes by access
 * need not wait for it: for when there is time. Returns how many.
 */
uint64_t mw_frames_clean(struct mw_frames *frames, uint64_t most);

/* Huge pages of one size: all, those that nobody holds, and of these the promised ones. */
struct mw_huge_stats {
    uint64_t total, free, promised;
};
void mw_frames_huge(const struct mw_frames *frames, uint32_t log2_size, struct mw_huge_stats *out);

/* ---- objects: what a mapping maps --------------------------------------- */

/*
 * Something that can be mapped shared, or privately as a file: a file, a
 * memfd, a device. Callbacks may be NULL. They are called under the port's
 * lock, and make no calls on spaces or objects.
 */
struct mw_object_ops {
    /*
     * Fills `page` (one page of host memory, zeroed) with the object's page
     * number `index`, which lies below its size. 0, or a negative errno: the
     * access gets SIGBUS. NULL: pages start as zeros.
     */
    int (*read)(void *ctx, uint64_t index, void *page);

    /* The last reference is gone. */
    void (*release)(void *ctx);

    /*
     * Takes page number `index` back: somebody may have written to it through a
     * shared mapping since it was read, or written back. Called by
     * msync(MS_SYNC) and mw_object_sync, and for what is left before `release`;
     * never for pages beyond the end. Bytes beyond the end, in the last page, are
     * no part of the object. A negative errno: msync says EIO, or ENOSPC if it is
     * that, and as on Linux the page counts as written all the same. NULL:
     * there is nothing to write back.
     */
    int (*write)(void *ctx, uint64_t index, const void *page);

    /*
     * May `vma` be made, a mapping of the object in `space`? 0, or a negative
     * errno, which mmap returns; what the mapping would have replaced is gone
     * then, as on Linux (SPEC MMAP-28). mw_would asks too, with a copy of the
     * space; a child's mappings, moved and cut ones are not asked about. Both borrowed.
     */
    int (*map)(void *ctx, const struct mw_space *space, const struct mw_vma *vma);

    /*
     * Chooses the address of a mapping of `length` bytes from `offset` on, as a
     * driver's get_unmapped_area does: `addr` is a hint (0: none), or with
     * MW_MAP_FIXED in `flags` the address asked for, which is returned if it is to be
     * had. mw_find_room and mw_find_vma may be called. Returns an address
     * or a negative errno (SPEC PLACE-11). mw_would asks too.
     */
    int64_t (*place)(void *ctx, const struct mw_space *space, uint64_t addr, uint64_t length,
                     uint64_t offset, uint32_t flags);
};

/* mw_object_create's flags */
#define MW_OBJ_NOMERGE 0x1u     /* VMAs of this object never merge */
#define MW_OBJ_DONTEXPAND 0x2u  /* mappings must not grow (aio, perf rings, vdso) */
#define MW_OBJ_PFNMAP 0x4u      /* raw device memory */
#define MW_OBJ_THP_PLACE 0x8u   /* large mappings are placed by file offset modulo the
                                   huge page (ext4, xfs, btrfs) */
#define MW_OBJ_OWN_PLACE 0x10u  /* has a placement routine of its own: its mappings move alone */
#define MW_OBJ_ANON 0x20u       /* a private mapping is anonymous memory (/dev/zero) */
#define MW_OBJ_WHOLE 0x40u      /* a mapping moves as a whole, and can't be cut (the vdso) */
#define MW_OBJ_NO_ADDRESS 0x80u /* no address may be asked for (io_uring's rings) */
#define MW_OBJ_UNCUT 0x100u     /* a mapping can't be cut (perf rings) */
#define MW_OBJ_AIO 0x200u       /* an aio ring */
#define MW_OBJ_HUGETLB 0x400u   /* a file of huge pages: page index counts those */
#define MW_OBJ_HUGETLB_LARGE 0x800u /* with it: of 1 GiB instead of 2 MiB */
#define MW_OBJ_SHM 0x1000u      /* a SysV segment: mw_shmat attaches it */
#define MW_OBJ_SHMEM 0x4000u /* memory that is a file's (memfd, tmpfs): it can be watched */

/*
 * Creates an object of `size` bytes (rounded up to pages for access; SIGBUS
 * beyond). `frames` holds its pages; NULL for layout-only use. `ops` is
 * borrowed until the object's release. The caller owns one reference and drops
 * it by mw_object_put; each VMA holds one of its own.
 * Errors: MW_ENOMEM.
 */
int mw_object_create(const struct mw_port *port, struct mw_frames *frames,
                     const struct mw_object_ops *ops, void *ctx, uint64_t size,
                     uint32_t flags, struct mw_object **out);
void mw_object_get(struct mw_object *object);
void mw_object_put(struct mw_object *object);

/* The ctx given at creation. NULL for the engine's own (shared anonymous) objects. */
void *mw_object_ctx(const struct mw_object *object);

/* The flags given at creation. */
uint32_t mw_object_flags(const struct mw_object *object);

/* Its size in bytes, and how many mappings of it there are, in all spaces: a segment's shm_nattch. */
uint64_t mw_object_size(const struct mw_object *object);
uint64_t mw_object_mapped(const struct mw_object *object);

/*
 * ftruncate(2): makes the object `size` bytes long. Pages beyond the new end are
 * gone from every mapping in every space, private copies included, and an access
 * to them gets SIGBUS until the object grows again; the rest of the last page
 * reads zero. Where ops->read fills pages, its source is the caller's to shorten
 * or to extend with zeros, before another access. Private pages of a mirror stay.
 * Errors: MW_EINVAL (size beyond 2^63 - 1; no multiple of the object's huge page; an
 * object of the engine's own that mirrors private memory), MW_ENOMEM (nothing has
 * changed). Takes the lock of the object's port (SPEC TRUNC).
 */
int mw_object_truncate(struct mw_object *object, uint64_t size);

/*
 * fsync(2), as far as mappings go: hands all that has been written through
 * shared mappings in any space to ops->write; afterwards a write faults again. 0,
 * -MW_EIO or -MW_ENOSPC, as ops->write has it: the first failure, when the rest
 * was tried too. Takes the lock of the object's port (SPEC SYNC-5 to SYNC-7).
 */
int mw_object_sync(struct mw_object *object);

/* mw_file.mode */
#define MW_FILE_READ 0x1u
#define MW_FILE_WRITE 0x2u
#define MW_FILE_NOEXEC 0x4u /* on a file system mounted noexec */
#define MW_FILE_APPEND 0x8u /* an append-only inode */
#define MW_FILE_NOMMAP 0x10u /* its kind can't be mapped: ENODEV */
#define MW_FILE_DEVICE 0x20u /* no regular file: offsets may reach 2^64 */

/* An open file: an object and how it was opened. */
struct mw_file {
    struct mw_object *object;
    uint32_t mode;
};

/* ---- spaces ------------------------------------------------------------- */

/*
 * Creates an empty space. Errors: MW_EINVAL (a value out of its range),
 * MW_ENOMEM. The caller owns it and ends it by mw_space_destroy, which gives
 * back every page, table and struct.
 */
int mw_space_create(const struct mw_config *config, struct mw_space **out);
void mw_space_destroy(struct mw_space *space);

/* The configuration in force; borrowed. */
const struct mw_config *mw_space_config(const struct mw_space *space);

/* Which limit: the resources of setrlimit(2) that these calls look at. */
enum mw_limit { MW_LIMIT_AS, MW_LIMIT_DATA, MW_LIMIT_MEMLOCK, MW_LIMIT_STACK };

/* Changes a limit, in bytes; MW_UNLIMITED for none. Takes effect on the next call. */
void mw_set_limit(struct mw_space *space, enum mw_limit which, uint64_t bytes);

/* Changes the capabilities, MW_CAP_... */
void mw_set_caps(struct mw_space *space, uint32_t caps);

/* Changes where the downwards search starts. MW_EINVAL if beyond task_size or unaligned. */
int mw_set_mmap_base(struct mw_space *space, uint64_t base);

/*
 * Sets the heap's start and current end, as PR_SET_MM does at a snapshot's
 * restoration; no mapping is made. MW_EINVAL if end < start.
 */
int mw_set_brk(struct mw_space *space, uint64_t start, uint64_t end);

/* mw_set_future's flags: what each new mapping gets, mlockall(2)'s MCL_FUTURE. */
#define MW_FUTURE_LOCK 0x1u
#define MW_FUTURE_ONFAULT 0x2u
void mw_set_future(struct mw_space *space, uint32_t flags);

/*
 * Sets which protection keys are taken, a bit each, and which of them is that of
 * memory for execution only (0: none yet), as mw_stats tells them. Keys that an
 * imported mapping has are taken without this. MW_EINVAL: a key beyond 15, or one
 * for execution only that is not taken.
 */
int mw_set_pkeys(struct mw_space *space, uint32_t taken, uint32_t exec_only);

/*
 * prctl(PR_SET_THP_DISABLE): no transparent huge pages come by access from now
 * on, nor by MW_MADV_COLLAPSE; or (Linux 6.18) by access only where they are
 * advised. Those that are there stay. A child inherits it.
 */
#define MW_THP_DISABLE 1u                /* these numbers are PR_GET_THP_DISABLE's */
#define MW_THP_DISABLE_EXCEPT_ADVISED 3u
void mw_set_thp_disable(struct mw_space *space, uint32_t which); /* 0: neither */

/*
 * How many huge pages one more mapping finds free, in a layout-only space
 * [MW_UNLIMITED]; others ask their frames (mw_frames_set_huge).
 */
void mw_set_huge_pages(struct mw_space *space, uint64_t pages);

/* ---- the calls ---------------------------------------------------------- */

/*
 * mmap(2). `offset` in bytes, a multiple of the page. `file` is borrowed for
 * the call; NULL without MW_MAP_ANONYMOUS is a bad descriptor.
 * Returns the address. Errors, in this order (SPEC MMAP):
 *   EBADF     no file and not anonymous
 *   EINVAL    length 0; unaligned offset (before all else); no or two types;
 *             MAP_FIXED at an unaligned address
 *   ENOMEM    length rounds to 0 or finds no room; more mappings than
 *             max_map_count; RLIMIT_AS, RLIMIT_DATA; commit limit
 *   EOVERFLOW offset + length exceed 64 bits
 *   EPERM     below min_addr; MAP_LOCKED without the right; noexec file
 *   EEXIST    MAP_FIXED_NOREPLACE over a mapping
 *   EAGAIN    MAP_LOCKED beyond RLIMIT_MEMLOCK
 *   EACCES    the file's mode does not allow it
 *   ENODEV    a file that can't be mapped
 *   EOPNOTSUPP a flag that MAP_SHARED_VALIDATE does not know
 */
int64_t mw_mmap(struct mw_space *space, uint64_t addr, uint64_t length, uint64_t prot,
                uint64_t flags, const struct mw_file *file, uint64_t offset,
                struct mw_why *why);

/*
 * munmap(2). Holes are fine. Errors: EINVAL (unaligned, length 0, beyond
 * task_size), ENOMEM (a split would exceed max_map_count), EPERM (sealed).
 */
int64_t mw_munmap(struct mw_space *space, uint64_t addr, uint64_t length, struct mw_why *why);

/*
 * mprotect(2). Applies mapping by mapping from the front: at the first failure
 * (a hole: ENOMEM; a file not opened for it: EACCES; a limit: ENOMEM; sealed:
 * EPERM) what lies before stays changed, as on Linux. EINVAL: unaligned
 * address, unknown bits, PROT_GROWSDOWN on a mapping that does not grow.
 */
int64_t mw_mprotect(struct mw_space *space, uint64_t addr, uint64_t length, uint64_t prot,
                    struct mw_why *why);

/*
 * pkey_mprotect(2), pkey_alloc(2), pkey_free(2), since Linux 4.9: protection
 * keys, with MW_OPT_PKEYS. A key is a number below 16 that mappings carry
 * (MW_VM_PKEY) and their page-table entries (bits 59 to 62); key 0 is what all
 * memory has at first, and new memory. What a key allows is in a register
 * of each CPU, which is the embedder's: mw_fault, mw_read and the others do
 * not ask it, and `rights` are only looked at. A child of mw_fork has its parent's keys.
 *
 * mw_pkey_mprotect is mw_mprotect, and gives the range this key; -1: mw_mprotect
 * itself, which leaves a mapping's key alone, but for memory that is or was for
 * execution only (SPEC PKEY-5). EINVAL, after the bits of `prot`: a key that is not
 * allocated.
 *
 * mw_pkey_alloc returns the lowest key that is free, and takes it. Errors:
 *   EINVAL    any flag; `rights` beyond MW_PKEY_DISABLE_ACCESS and _WRITE
 *   ENOSPC    all are taken; without MW_OPT_PKEYS (the first time EINVAL, as on Linux)
 *
 * mw_pkey_free gives a key back; mappings keep the number. EINVAL: not allocated,
 * or the key of memory for execution only. All three: ENOSYS before Linux 4.9.
 */
#define MW_PKEY_DISABLE_ACCESS 0x1u
#define MW_PKEY_DISABLE_WRITE 0x2u

int64_t mw_pkey_mprotect(struct mw_space *space, uint64_t addr, uint64_t length, uint64_t prot,
                         int32_t pkey, struct mw_why *why);
int64_t mw_pkey_alloc(struct mw_space *space, uint64_t flags, uint64_t rights, struct mw_why *why);
int64_t mw_pkey_free(struct mw_space *space, int32_t pkey, struct mw_why *why);

/*
 * brk(2) as the system call has it: returns the new end of the heap, or the
 * unchanged one when it could not be moved (then `why` tells). 0 asks.
 */
uint64_t mw_brk(struct mw_space *space, uint64_t brk, struct mw_why *why);

/*
 * mremap(2): resize, move (MW_MREMAP_MAYMOVE, _FIXED), duplicate shared memory
 * (old_size 0), move and leave an empty mapping behind (_DONTUNMAP), or move
 * several mappings with their gaps (_FIXED and equal sizes, since Linux 6.17).
 * Sizes are rounded up to pages. Returns the (new) address. Errors, in Linux's
 * order, SPEC MREMAP:
 *   EINVAL    unknown or contradictory flags; unaligned old address; new size 0
 *             or beyond task_size; with FIXED or DONTUNMAP: unaligned new
 *             address, destination beyond task_size or over the old range,
 *             DONTUNMAP with sizes that differ
 *   ENOMEM    too near to max_map_count
 *   EFAULT    nothing mapped at old_addr
 *   EPERM     sealed
 *   EINVAL    old_size 0 of private memory; DONTUNMAP of what must not expand;
 *             huge pages: alignment, growth
 *   EFAULT    the old range leaves its mapping; growth of what must not expand;
 *             one of several mappings can't take part
 *   EAGAIN    locked memory beyond RLIMIT_MEMLOCK
 *   ENOMEM    RLIMIT_AS, RLIMIT_DATA; no room; commit limit
 * A failure found after Linux has unmapped the destination or cut the tail
 * leaves them so (SPEC MREMAP-22); of several mappings those before the one
 * that is refused have moved (SPEC MREMAP-33).
 *
 * With MW_OPT_EXTENSIONS also:
 *   MW_MREMAP_MIRROR    (with _MAYMOVE, perhaps _FIXED; equal sizes) a second
 *             mapping of the same pages of any range of mappings, gaps kept.
 *             Private memory becomes MW_VM_MIRRORED: both addresses see each
 *             other's writes; a forked child gets its own pair. What is present
 *             in the source is present in the mirror. Changes all or nothing.
 *             Beside the errors above: EINVAL (SPEC MIRROR-1).
 *   MW_MREMAP_RELOCATE  touched anonymous memory that is moved takes on the
 *             identity of its new place, and merges there like untouched.
 *   MW_MREMAP_STRICT    all or nothing: a call that fails has changed nothing,
 *             one that moves several mappings included.
 */
int64_t mw_mremap(struct mw_space *space, uint64_t old_addr, uint64_t old_size,
                  uint64_t new_size, uint64_t flags, uint64_t new_addr, struct mw_why *why);

/*
 * mlock(2), mlock2(2), munlock(2). The range is rounded outwards to whole pages. Flags
 * are set mapping by mapping, up to a hole; when all is locked its pages are
 * made present, with MW_MLOCK_ONFAULT each as it is accessed. Kinds that can't
 * be locked (huge pages, devices, droppable memory) are passed over. Errors, in
 * this order (SPEC LOCK):
 *   ENOSYS    mlock2 before Linux 4.4
 *   EINVAL    unknown flags
 *   EPERM     RLIMIT_MEMLOCK is 0, and no CAP_IPC_LOCK (not munlock)
 *   ENOMEM    beyond RLIMIT_MEMLOCK (not munlock)
 *   EINVAL    the range wraps around the address space
 *   ENOMEM    a hole, or a cut that max_map_count forbids: what lies before it
 *             is locked, but not made present
 *   ENOMEM    a page can't be had (PROT_NONE, beyond the object's end): all is locked
 *   EAGAIN    no memory for a page, or one that is a watcher's to resolve: all is locked
 */
int64_t mw_mlock(struct mw_space *space, uint64_t addr, uint64_t length, struct mw_why *why);
int64_t mw_mlock2(struct mw_space *space, uint64_t addr, uint64_t length, uint64_t flags,
                  struct mw_why *why);
int64_t mw_munlock(struct mw_space *space, uint64_t addr, uint64_t length, struct mw_why *why);

/*
 * mlockall(2): MW_MCL_CURRENT locks every mapping, as mlock does but without
 * failing for what can't be; MW_MCL_FUTURE, or its absence, decides what is
 * mapped from now on. munlockall(2) undoes both, and never fails. Errors:
 * EINVAL (no flag, an unknown one, MW_MCL_ONFAULT alone), EPERM (as mlock),
 * ENOMEM (MW_MCL_CURRENT, and all that is mapped exceeds RLIMIT_MEMLOCK).
 */
int64_t mw_mlockall(struct mw_space *space, uint64_t flags, struct mw_why *why);
int64_t mw_munlockall(struct mw_space *space, struct mw_why *why);

/*
 * madvise(2). Applies mapping by mapping; holes are passed over and make the
 * call fail in the end (the MW_MADV_POPULATE_ ones stop there), a mapping that
 * refuses ends it, and what was done stays. Errors (SPEC ADVICE):
 *   EINVAL    an advice that this Linux does not know; an unaligned address; a
 *             length that wraps
 *   ENOMEM    a hole
 *   EPERM     sealed, and the advice would discard what can't be written
 *   EINVAL    the mapping is of a kind that the advice is not for, or locked
 *   EACCES    MW_MADV_REMOVE of memory that is not shared, or not writable
 *   EINVAL, EFBIG  MW_MADV_REMOVE of offsets that begin, or end, beyond 2^63
 *   EAGAIN    a cut that max_map_count forbids
 *   EFAULT    MW_MADV_POPULATE_: an access would get a signal
 *   EHWPOISON MW_MADV_POPULATE_: a poisoned page
 *   EAGAIN    MW_MADV_POPULATE_: a page that is a watcher's to resolve
 *   EINVAL    MW_MADV_COLLAPSE where no page is, or a guard
 *   ENOMEM    MW_MADV_COLLAPSE, and no 2 MiB of frames are free together
 *   ENOSYS    MW_MADV_HWPOISON, _SOFT_OFFLINE, and _COLLAPSE of files, of shared
 *             memory and in a layout-only space, are not modelled
 * COLD, PAGEOUT and WILLNEED change nothing that can be seen, FREE keeps the pages.
 */
int64_t mw_madvise(struct mw_space *space, uint64_t addr, uint64_t length, uint64_t advice,
                   struct mw_why *why);

/* A range, as struct iovec has it: bytes. */
struct mw_iovec {
    uint64_t base, length;
};

/*
 * process_madvise(2), since Linux 5.10: madvise of `n` ranges, one after the
 * other, up to the first that fails. `self`: the caller is the process whose
 * space this is; what one may advise another is less. Returns the bytes, as asked
 * for, of the ranges before that one, and then `why` tells of it; when it
 * is the first, its error. Of all ranges together 2 GiB less a page count, the rest is
 * cut off. n, advice and flags are of 32 bits. `ranges` is borrowed. The
 * caller's matter is what comes with the process: whether it is there (EBADF, ESRCH), and
 * its rights over it (EPERM: CAP_SYS_NICE and PTRACE_MODE_READ; before 6.12 Linux asks for the
 * former of one's own process too), which Linux asks for before PMADV-3; and reading the guest's
 * struct iovecs (EFAULT, after the number is checked). Errors, in this order (SPEC PMADV):
 *   ENOSYS    before Linux 5.10
 *   EINVAL    any flag; more than 1024 ranges; a length beyond 2^63 - 1
 *   EFAULT    a range reaches beyond user space, be its length 0
 *   EINVAL    an advice that is not for another process, or (before 6.13) not for this call
 *   then as mw_madvise of the first range
 */
int64_t mw_process_madvise(struct mw_space *space, const struct mw_iovec *ranges, uint64_t n,
                           uint64_t advice, uint64_t flags, bool self, struct mw_why *why);

/*
 * msync(2). MW_MS_SYNC writes back what the shared mappings in the range map of
 * their objects (ops->write), written through them or through others. Errors:
 *   EINVAL    unknown flags, MW_MS_ASYNC with MW_MS_SYNC; an unaligned address
 *   ENOMEM    the range wraps; a hole, said when the rest has been done
 *   EBUSY     MW_MS_INVALIDATE of locked memory
 *   EIO, ENOSPC  ops->write failed: what lies in later mappings was not tried
 */
int64_t mw_msync(struct mw_space *space, uint64_t addr, uint64_t length, uint64_t flags,
                 struct mw_why *why);

/*
 * mincore(2): `vec` receives a byte for each page of the range, 1 where it is
 * present: mapped in this space, or of a shared object that has it. Errors:
 *   EINVAL    an unaligned address
 *   ENOMEM    beyond user space; a hole: `vec` is filled up to it
 *   ENOSYS    a layout-only space
 */
int64_t mw_mincore(struct mw_space *space, uint64_t addr, uint64_t length, unsigned char *vec,
                   struct mw_why *why);

/*
 * mseal(2), since Linux 6.10: from then on the mappings in the range can't be
 * unmapped, moved, resized or given another protection (SPEC SEAL). Errors:
 *   ENOSYS    before Linux 6.10
 *   EINVAL    any flag; an unaligned address; a length that wraps
 *   ENOMEM    a hole (then nothing is sealed); a cut that max_map_count forbids
 */
int64_t mw_mseal(struct mw_space *space, uint64_t addr, uint64_t length, uint64_t flags,
                 struct mw_why *why);

/*
 * prctl(2), PR_SET_VMA with PR_SET_VMA_ANON_NAME: names the anonymous memory
 * in the range, private or (since 6.2) shared, as /proc shows it; `name` NULL
 * takes names away. At most 80 bytes of `name` are read; it is copied. Memory of
 * different names does not merge. Holes are passed over and make the call
 * fail in the end, a file's mapping ends it, and what was done stays. Errors
 * (SPEC NAME); a kernel built without CONFIG_ANON_VMA_NAME always says EINVAL:
 *   EINVAL    before Linux 5.17; a name longer than 79 bytes, or with other
 *             characters than printable ASCII without [ ] \ $ `
 *   EINVAL    an unaligned address; a length that wraps
 *   ENOMEM    a hole
 *   EBADF     a mapping of a file
 *   EAGAIN    a cut that max_map_count forbids
 */
int64_t mw_name(struct mw_space *space, uint64_t addr, uint64_t length, const char *name,
                struct mw_why *why);

/*
 * remap_file_pages(2), as Linux 4.0 and later do it: maps the pages from `index`
 * (in pages) on of the file that is mapped shared at addr over what is there, as
 * mmap(2) with MAP_SHARED, MAP_FIXED and MAP_POPULATE does, with the protection that the
 * mapping has, locked if it is; its other flags are gone. addr and size (bytes) are rounded down
 * to pages. Of `flags` MW_MAP_NONBLOCK counts: nothing is made present then. Returns 0. Errors, in
 * this order (SPEC REMAPF):
 *   EINVAL    prot is not 0; an empty size; a range, or pages of the file, that wrap
 *   EINVAL    a hole in the range; memory that is not shared, or of a file opened read-only;
 *             several mappings of which one is of another file or has other flags
 *   EINVAL    huge pages: the size
 *   then as mmap(2), EOVERFLOW and EPERM (sealed) among them
 */
int64_t mw_remap_file_pages(struct mw_space *space, uint64_t addr, uint64_t size, uint64_t prot,
                            uint64_t index, uint64_t flags, struct mw_why *why);

/*
 * shmat(2): attaches a segment, an object of MW_OBJ_SHM, NULL for a bad id. What
 * shmget and shmctl do is the caller's: the object's size is shm_segsz, its count of
 * mappings shm_nattch, and segment->mode what the permissions allow the caller:
 * MW_FILE_READ, MW_FILE_WRITE, and to execute without MW_FILE_NOEXEC. SHMLBA
 * is a page. Returns the address. Errors, in this order (SPEC SHM):
 *   EINVAL    an unaligned address without MW_SHM_RND; MW_SHM_REMAP at no address; no segment
 *   EACCES    the permissions
 *   EINVAL    something is mapped there, without MW_SHM_REMAP
 *   then as mmap(2) of it, MAP_SHARED and, with an address, MAP_FIXED
 */
int64_t mw_shmat(struct mw_space *space, const struct mw_file *segment, uint64_t addr, uint64_t flags,
                 struct mw_why *why);

/*
 * shmdt(2): unmaps all that is left of the attachment whose start is, or was,
 * `addr`, but for sealed pieces. EINVAL: there is nothing; unaligned.
 */
int64_t mw_shmdt(struct mw_space *space, uint64_t addr, struct mw_why *why);

/*
 * fork(2): a space that begins as `parent` is. Private pages are shared until
 * one side writes (mirrored ones: accesses); what is not to be inherited is
 * left out or empty, nothing is locked. `id` is the child's mw_config.id.
 * Errors: ENOMEM (the commit limit; no memory), and then no child is made; the
 * parent's pages may be write-protected, which a fault undoes.
 */
int mw_fork(struct mw_space *parent, uint64_t id, struct mw_space **child, struct mw_why *why);

/* A call, for mw_would: which one, and its arguments in the order of the call above. */
struct mw_call {
    enum mw_call_name {
        MW_CALL_MMAP, MW_CALL_MUNMAP, MW_CALL_MPROTECT, MW_CALL_BRK, MW_CALL_MREMAP,
        MW_CALL_MLOCK, MW_CALL_MLOCK2, MW_CALL_MUNLOCK, MW_CALL_MLOCKALL, MW_CALL_MUNLOCKALL,
        MW_CALL_MADVISE, MW_CALL_MSYNC, MW_CALL_MSEAL, MW_CALL_SHMAT, MW_CALL_SHMDT,
        MW_CALL_PKEY_MPROTECT, MW_CALL_PKEY_ALLOC, MW_CALL_PKEY_FREE,
        MW_CALL_PROCESS_MADVISE, MW_CALL_REMAP_FILE_PAGES
    } name;
    uint64_t arg[6];            /* mmap: addr, length, prot, flags, unused, offset; shmat: addr, flags;
                                   process_madvise: unused, n, advice, flags, self */
    const struct mw_file *file; /* mmap's, shmat's; borrowed */
    const struct mw_iovec *ranges; /* process_madvise's; borrowed */
};

/*
 * What would another Linux answer? Makes the call on a copy of the space's
 * layout that behaves as `linux_version`, and returns its result; `why` as
 * ever. The space itself is untouched. -MW_ENOMEM as well when the copy could
 * not be made (then `why` names ENGINE-1). Cost: the number of mappings.
 */
int64_t mw_would(const struct mw_space *space, uint32_t linux_version, const struct mw_call *call,
                 struct mw_why *why);

/* What a version answers: as mw_would returns it. */
struct mw_answer {
    int64_t result;
    struct mw_why why;
};

/*
 * mw_would for each of `n` versions; answers[i] is what versions[i] says.
 * Cheaper than asking one by one: a copy is made for each way to answer this
 * very call, not for each version (SPEC WOULD-2).
 */
void mw_would_each(const struct mw_space *space, const uint32_t *versions, size_t n,
                   const struct mw_call *call, struct mw_answer *answers);

/* ---- access ------------------------------------------------------------- */

#define MW_ACCESS_READ 0x1u
#define MW_ACCESS_WRITE 0x2u
#define MW_ACCESS_EXEC 0x4u

/* What an access meets. */
enum mw_fault_result {
    MW_FAULT_OK = 0,
    MW_FAULT_SEGV_MAPERR,  /* SIGSEGV, SEGV_MAPERR: nothing is mapped there */
    MW_FAULT_SEGV_ACCERR,  /* SIGSEGV, SEGV_ACCERR: the protection forbids it */
    MW_FAULT_BUS_ADRERR,   /* SIGBUS, BUS_ADRERR: beyond the object's end, or it can't be read */
    MW_FAULT_OOM,          /* no frame or no memory: no page was made, try again. As on Linux
                              the mapping may be touched by then, and a stack have grown */
    MW_FAULT_NOSYS,        /* a layout-only space */
    MW_FAULT_WATCHED,      /* a watcher's to resolve: see mw_watch_fault in mapwright/watch.h */
    MW_FAULT_BUS_MCEERR    /* SIGBUS, BUS_MCEERR_AR: a page that a watcher has poisoned */
};

/*
 * Makes one access (one of MW_ACCESS_...) at `addr` possible: populates,
 * copies on write, extends a stack. Afterwards the page tables allow it.
 */
enum mw_fault_result mw_fault(struct mw_space *space, uint64_t addr, uint32_t access);

/*
 * Copies from or to the guest, faulting as needed, and stops exactly where
 * Linux's copy would: at the first byte that can't be accessed. Returns the
 * number of bytes copied; `*fault` (may be NULL) tells why it stopped.
 */
uint64_t mw_read(struct mw_space *space, uint64_t addr, void *buf, uint64_t length,
                 enum mw_fault_result *fault);
uint64_t mw_write(struct mw_space *space, uint64_t addr, const void *buf, uint64_t length,
                  enum mw_fault_result *fault);

/*
 * The physical address (offset from the pool's base) of the top-level page
 * table, for a CPU or an emulator's walker; 0 for a layout-only space. It is
 * constant for the space's life.
 */
uint64_t mw_root(const struct mw_space *space);

/* ---- inspection and import ---------------------------------------------- */

/* mw_vma.flags */
#define MW_VM_READ 0x1ull
#define MW_VM_WRITE 0x2ull
#define MW_VM_EXEC 0x4ull
#define MW_VM_SHARED 0x8ull
#define MW_VM_MAYREAD 0x10ull
#define MW_VM_MAYWRITE 0x20ull
#define MW_VM_MAYEXEC 0x40ull
#define MW_VM_MAYSHARE 0x80ull /* mapped MAP_SHARED, perhaps of a read-only file */
#define MW_VM_GROWSDOWN 0x100ull
#define MW_VM_LOCKED 0x200ull
#define MW_VM_LOCKONFAULT 0x400ull
#define MW_VM_NORESERVE 0x800ull
#define MW_VM_ACCOUNT 0x1000ull
#define MW_VM_DONTEXPAND 0x2000ull
#define MW_VM_PFNMAP 0x4000ull
#define MW_VM_IO 0x8000ull
#define MW_VM_MIXEDMAP 0x10000ull
#define MW_VM_HUGETLB 0x20000ull
#define MW_VM_DONTCOPY 0x40000ull
#define MW_VM_WIPEONFORK 0x80000ull
#define MW_VM_DONTDUMP 0x100000ull
#define MW_VM_SEQ_READ 0x200000ull
#define MW_VM_RAND_READ 0x400000ull
#define MW_VM_HUGEPAGE 0x800000ull
#define MW_VM_NOHUGEPAGE 0x1000000ull
#define MW_VM_MERGEABLE 0x2000000ull
#define MW_VM_SEALED 0x4000000ull
#define MW_VM_DROPPABLE 0x8000000ull
#define MW_VM_UFFD 0x10000000ull
#define MW_VM_SYNC 0x20000000ull
#define MW_VM_EXEC_ONLY 0x40000000ull /* can't be read: see MW_OPT_EXEC_ONLY, MW_OPT_PKEYS */
#define MW_VM_MIRRORED 0x80000000ull  /* private memory with more than one address: `object`
                                         is the engine's own, borrowed while the space lives */
#define MW_VM_UFFD_MISSING 0x100000000ull /* watched by a watcher of the space (mapwright/watch.h), */
#define MW_VM_UFFD_WP 0x200000000ull      /*   for these kinds of faults; the seven bits */
#define MW_VM_UFFD_MINOR 0x400000000ull   /*   above say which watcher. MW_VM_UFFD is set as well */
#define MW_VM_PKEY_SHIFT 42
#define MW_VM_PKEY (15ull << MW_VM_PKEY_SHIFT) /* the protection key */
#define MW_VM_LABEL 0x1c00000000000ull /* the embedder's own, by mw_import and mw_import_flags:
                                         mappings whose labels differ never merge */

/* The number of the mapping's name, in the high bits of its flags; 0: it has none. Ignored by
   imports: mw_name gives names. */
#define MW_VM_NAME_SHIFT 49
#define MW_VM_NAME (~0ull << MW_VM_NAME_SHIFT)

/*
 * One mapping. In an import every field is read; `anon` 0 says untouched.
 */
struct mw_vma {
    uint64_t start;             /* bytes, page aligned */
    uint64_t end;               /* bytes, page aligned, > start */
    uint64_t offset;            /* bytes into the object; for anonymous memory the
                                   address it belongs to (its identity) */
    uint64_t flags;             /* MW_VM_... */
    uint64_t anon;              /* identity of its private pages, 0: none written yet; of a
                                   segment: its attachment's.
                                   Equal numbers: pieces that may merge. See MW_ANON_FORKED */
    struct mw_object *object;   /* borrowed; NULL: anonymous private memory */
};

/* In mw_vma.anon: inherited through fork, and so shared with a parent (SPEC MERGE-6). */
#define MW_ANON_FORKED 0x8000000000000000ull

/*
 * The first mapping that ends above `addr` (which may lie in it or below it).
 * False: none.
 */
bool mw_find_vma(const struct mw_space *space, uint64_t addr, struct mw_vma *out);

/* The name that mw_name gave a mapping found in this space; NULL: none. Borrowed until the next call. */
const char *mw_vma_name(const struct mw_space *space, const struct mw_vma *vma);

/*
 * Where mmap would put `length` bytes without MW_MAP_FIXED: at `hint`, if there
 * is room, else in the highest room; at a multiple of `align`, a power of
 * two (or 0). For ops->place. Takes no lock. Errors: MW_EINVAL, MW_ENOMEM, MW_EPERM (below min_addr).
 */
int64_t mw_find_room(const struct mw_space *space, uint64_t hint, uint64_t length, uint64_t align);

/*
 * Adds a mapping exactly as given: no merge, no limit, no page. For taking over
 * an existing layout. EINVAL: unaligned, empty, beyond task_size, or over an
 * existing mapping. ENOMEM.
 */
int mw_import(struct mw_space *space, const struct mw_vma *vma);

/*
 * Changes the flags of every mapping inside [start, end) exactly to
 * (flags & ~clear) | set, without limit checks and, with `merge`, merging as
 * the kernel does after a change of flags. Names and protection keys stay. EINVAL: unaligned, or a border inside
 * a huge page. ENOMEM.
 */
int mw_import_flags(struct mw_space *space, uint64_t start, uint64_t end, uint64_t clear,
                    uint64_t set, bool merge);

/*
 * Notes that private memory in [start, end) has been written to, as a write
 * fault would: each private mapping there takes on an anonymous identity
 * (SPEC ANON-1..3). No page is made. Never fails.
 */
void mw_touch(struct mw_space *space, uint64_t start, uint64_t end);

/* Counters, in pages unless said otherwise. */
struct mw_stats {
    uint64_t map_count;   /* mappings */
    uint64_t total;       /* VmSize */
    uint64_t data;        /* VmData */
    uint64_t stack;       /* VmStk */
    uint64_t exec;        /* VmExe + VmLib */
    uint64_t locked;      /* VmLck */
    uint64_t committed;   /* what this space counts in Committed_AS */
    uint64_t resident;    /* VmRSS: pages present */
    uint64_t tables;      /* page-table pages in use, and one kept for each transparent huge page */
    uint64_t brk_start;   /* bytes */
    uint64_t brk;         /* bytes */
    uint32_t pkeys;       /* protection keys that are taken, a bit each, */
    uint32_t exec_pkey;   /* and which of them is that of memory for execution only, 0: none yet */
};
void mw_stats(const struct mw_space *space, struct mw_stats *out);

/*
 * Recomputes what the space keeps (order, counts, gaps, counters, page-table
 * contents, frame references that it can see) and compares. 0 when sound; else
 * the number of a check that failed, and its text in `*what` (static storage;
 * may be NULL).
 */
int mw_check(const struct mw_space *space, const char **what);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
