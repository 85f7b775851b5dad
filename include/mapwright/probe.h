/* SPDX-License-Identifier: MIT */
/*
 * probe.h - what the system that this program runs on can do with memory: found
 * by trying, never by its name or version. For programs that have a C library.
 *
 * Everything is tried in a forked child, whose memory and descriptors go with
 * it: nothing of the calling process changes. A filter (seccomp) that kills
 * takes the child; the next one goes on with what comes after. The child makes
 * system calls only, so that it may be forked off a program with threads.
 */
#ifndef MAPWRIGHT_PROBE_H
#define MAPWRIGHT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* What is tried. mw_cap_name and mw_cap_text tell of each. */
enum mw_cap {
    MW_CAP_MREMAP_MAYMOVE,
    MW_CAP_MREMAP_FIXED,
    MW_CAP_MREMAP_ARGS_FIRST,
    MW_CAP_MREMAP_SEVERAL,
    MW_CAP_MREMAP_KEEPS_DEST,
    MW_CAP_DONTUNMAP_ANON,
    MW_CAP_DONTUNMAP_SHARED,
    MW_CAP_DONTUNMAP_PRIVATE_FILE,
    MW_CAP_DONTUNMAP_SHARED_FILE,
    MW_CAP_DONTUNMAP_COUNTS_TWICE,
    MW_CAP_DUPLICATE_SHARED,
    MW_CAP_DUPLICATE_PRIVATE,
    MW_CAP_TABLES_MOVE,
    MW_CAP_HUGETLB_2M_FREE,
    MW_CAP_HUGETLB_2M,
    MW_CAP_HUGETLB_2M_MOVE,
    MW_CAP_HUGETLB_2M_GROW,
    MW_CAP_HUGETLB_1G_FREE,
    MW_CAP_HUGETLB_1G,
    MW_CAP_FIXED_NOREPLACE,
    MW_CAP_DROPPABLE,
    MW_CAP_MSEAL,
    MW_CAP_MEMFD,
    MW_CAP_MEMFD_CLOEXEC,
    MW_CAP_MEMFD_SEALING,
    MW_CAP_MEMFD_HUGETLB_2M,
    MW_CAP_MEMFD_HUGETLB_1G,
    MW_CAP_MEMFD_NOEXEC_SEAL,
    MW_CAP_MEMFD_EXEC,
    MW_CAP_MEMFD_PUNCH,
    MW_CAP_MADV_POPULATE_READ,
    MW_CAP_MADV_POPULATE_WRITE,
    MW_CAP_MADV_COLD,
    MW_CAP_MADV_PAGEOUT,
    MW_CAP_MADV_FREE,
    MW_CAP_MADV_REMOVE,
    MW_CAP_MADV_DONTFORK,
    MW_CAP_MADV_WIPEONFORK,
    MW_CAP_MADV_GUARD,
    MW_CAP_MADV_HUGEPAGE,
    MW_CAP_MADV_COLLAPSE,
    MW_CAP_THP_ANON,
    MW_CAP_THP_SHMEM,
    MW_CAP_UFFD,
    MW_CAP_UFFD_USER_MODE,
    MW_CAP_UFFD_MISSING,
    MW_CAP_UFFD_WP,
    MW_CAP_UFFD_MINOR,
    MW_CAP_UFFD_MOVE,
    MW_CAP_UFFD_REMAP,
    MW_CAP_PAGEMAP,
    MW_CAP_PAGEMAP_SCAN,
    MW_CAP_PROCMAP_QUERY,
    MW_CAP_PIDFD,
    MW_CAP_PROCESS_MADVISE,
    MW_CAP_PROCESS_VM_READV,
    MW_CAP_MLOCK_ONFAULT,
    MW_CAP_MEMLOCK_LIMIT,
    MW_CAP_MAX_MAP_COUNT,
    MW_CAP_MAPPINGS,
    MW_CAP_OVERCOMMIT,
    MW_CAP_PAGE_SIZE,
    MW_CAPS
};

/* What came of it. */
enum mw_found_as {
    MW_FOUND_UNTRIED, /* what it takes to try it is not there; err may say what */
    MW_FOUND_YES,     /* it works: what it should have done was looked at */
    MW_FOUND_NO,      /* refused as unknown or not supported (err), or done otherwise (err 0) */
    MW_FOUND_REFUSED, /* err says that something forbids it or is used up: EPERM, ENOMEM, ... */
    MW_FOUND_KILLED,  /* the child that tried it was killed; number is the signal */
    MW_FOUND_NUMBER,  /* number; -1 for no limit */
    MW_FOUND_TEXT     /* text */
};

struct mw_found {
    enum mw_found_as as;
    int32_t err;    /* an errno of this system, positive; 0 none */
    int64_t number;
    char text[16];
};

struct mw_probe {
    struct mw_found found[MW_CAPS];
    /*
     * The versions, MW_LINUX(major, minor), whose behaviour agrees with most of
     * what was found: from the oldest to the newest of them. misfits counts what
     * does not agree; not 0: this is no Linux as it was released.
     */
    uint32_t linux_from, linux_to;
    uint32_t misfits;
};

/*
 * Tries all. Returns 0, or -errno when no child could be made (EAGAIN, ENOMEM,
 * EPERM); `probe` is filled then too, with nothing tried.
 *
 * Takes some ten milliseconds and the time of a fork, which is long for a process with
 * gigabytes in small pages (0.2 s for one was seen). The child raises no SIGCHLD and
 * is not seen by a wait() elsewhere in the process, but where the system knows only
 * fork (QEMU's user mode). No signal handler of the program runs in it: a filtered call
 * that a handler for SIGSYS would have answered is found as MW_FOUND_KILLED.
 */
int64_t mw_live_probe(struct mw_probe *probe);

/* "mremap-fixed", and a few words. Static. NULL for what is no capability. */
const char *mw_cap_name(enum mw_cap cap);
const char *mw_cap_text(enum mw_cap cap);

/*
 * Which versions have it: since <= v < until. 0: from the first, or until today.
 * MW_LINUX_NEVER: none has it.
 */
#define MW_LINUX_NEVER UINT32_MAX
uint32_t mw_cap_since(enum mw_cap cap);
uint32_t mw_cap_until(enum mw_cap cap);

/* Whether what was found tells versions apart. A kernel may be built without some
 * things, and a filter may answer ENOSYS: that something is not there then tells nothing. */
bool mw_probe_tells(const struct mw_probe *probe, enum mw_cap cap);

/* Whether what was found is none of what the version does. */
bool mw_probe_misfit(const struct mw_probe *probe, enum mw_cap cap, uint32_t version);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
