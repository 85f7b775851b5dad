/* SPDX-License-Identifier: MIT */
/*
 * proc.h - a space as /proc/PID shows it: maps, smaps, smaps_rollup, status, statm.
 *
 * The text is what the Linux version of the space prints, byte for byte, of
 * all that the engine knows (SPEC FACE; CAVEATS.md lists what it does not
 * know). What a file is called only the embedder can tell: struct mw_proc.
 */
#ifndef MAPWRIGHT_PROC_H
#define MAPWRIGHT_PROC_H

#include "mapwright/mapwright.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* mw_proc_file.flags */
#define MW_PROC_DELETED 0x1u /* unlinked: the path is followed by " (deleted)" */
#define MW_PROC_SHMEM 0x2u   /* pages count as shared memory, not as a file's (tmpfs, memfd) */

/* What an object is shown as. */
struct mw_proc_file {
    uint32_t major, minor; /* of its device */
    uint64_t inode;
    const char *path;      /* terminated; a newline in it is shown as \012. Kernel mappings
                              have "[vdso]" and the like, and zeros above. Borrowed until
                              the next callback */
    uint32_t flags;        /* MW_PROC_DELETED, MW_PROC_SHMEM */
};

/* mw_proc.flags */
#define MW_PROC_VSYSCALL 0x1u /* maps and smaps end with the vsyscall page */

/* What the faces show beside the space. All zeros is fine. */
struct mw_proc {
    /*
     * Optional. Fills `out` (zeroed) for an object and returns true; false:
     * it is one that mmap made itself, shown as Linux shows those:
     * "/dev/zero (deleted)" or "/anon_hugepage (deleted)", device 0:1, inode 0.
     * Called with the port's lock held: must not call into the space.
     */
    bool (*file)(void *ctx, const struct mw_object *object, struct mw_proc_file *out);
    void *ctx;
    uint64_t stack;                /* the stack pointer at the program's start; the mapping
                                      there is [stack]. 0: none */
    uint64_t code_start, code_end; /* the program's code, for VmExe; bytes */
    uint32_t flags;                /* MW_PROC_... */
};

enum mw_proc_face {
    MW_PROC_MAPS,         /* a line a mapping */
    MW_PROC_SMAPS,        /* the same line, its fields, a line each, and VmFlags */
    MW_PROC_SMAPS_ROLLUP, /* the sum of smaps' fields */
    MW_PROC_STATUS,       /* of status the lines VmPeak to HugetlbPages */
    MW_PROC_STATM         /* one line of seven numbers, in pages */
};

/* Where a reader is; zeroed at the start. */
struct mw_proc_cursor {
    uint64_t addr; /* mappings up to here have been read */
    uint64_t skip; /* of the next one's text so many bytes have been */
};

/*
 * Reads on, as read(2) does: fills `buf` with up to `size` bytes (not
 * terminated), moves the cursor, returns how many; 0: the end. Mappings come
 * whole, as on Linux, as many as fit; one that does not fit in `size` alone
 * comes in parts. Between two reads the space may change: each mapping is
 * shown as it is when it is read. Never fails, allocates nothing.
 * Cost: the mappings read; for all but maps, their page tables as well.
 */
size_t mw_proc_read(struct mw_space *space, const struct mw_proc *proc, enum mw_proc_face face,
                    struct mw_proc_cursor *cursor, char *buf, size_t size);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
