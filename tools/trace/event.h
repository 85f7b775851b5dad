/* SPDX-License-Identifier: MIT */
/*
 * event.h - what an observed program did, one event at a time, whether a
 * tracer saw it (trace/ptrace.c) or a recorded log says so (trace/strace.c).
 */
#ifndef MAPWRIGHT_TOOLS_EVENT_H
#define MAPWRIGHT_TOOLS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_CALL,  /* a memory call returned */
    EVENT_EXEC,  /* an exec succeeded: the address space is new */
    EVENT_FORK,  /* result = the child's id; `shares_vm` for threads and vfork */
    EVENT_EXIT   /* the task is gone; result = wait status where known */
};

enum call_nr {
    CALL_MMAP, CALL_MUNMAP, CALL_MPROTECT, CALL_BRK, CALL_MREMAP,
    CALL_MADVISE, CALL_MLOCK, CALL_MLOCK2, CALL_MUNLOCK, CALL_MLOCKALL, CALL_MUNLOCKALL,
    CALL_PKEY_MPROTECT, CALL_PKEY_ALLOC, CALL_PKEY_FREE, CALL_MSEAL, CALL_REMAP_FILE_PAGES, CALL_SHMAT, CALL_SHMDT,
    CALL_IO_SETUP, CALL_IO_DESTROY, CALL_MBIND, CALL_PRCTL, CALL_PRLIMIT, CALL_SETRLIMIT,
    CALL_PROCESS_MADVISE, CALL_USERFAULTFD, CALL_MSYNC, CALL_MINCORE, CALL_OTHER,
    CALL_COUNT
};

/* An open file as an mmap met it. */
struct event_file {
    bool known;
    bool peculiar;      /* its driver sets flags of its own (devices, secret memory, sealed
                           memfds): the kernel's are to be taken */
    uint64_t dev, ino;  /* 0, 0 where the log does not tell */
    uint64_t size;      /* bytes, at the time of the call */
    uint32_t mode;      /* MW_FILE_... */
    uint32_t object;    /* MW_OBJ_... */
    void *opening;      /* the struct mw_object of this very open file, where it can be told
                           apart from others of the same inode; NULL: go by dev and ino */
    char path[256];     /* cut if longer; for people */
};

struct mw_iovec;

struct event {
    enum event_kind kind;
    int tid;             /* who did it */
    enum call_nr call;
    const char *name;    /* the call's name, static storage */
    uint64_t arg[6];     /* of an ioctl of userfaultfd from the fourth on what it is given:
                            API's api and features, else start, length and mode; of
                            PR_SET_MM_MAP the fifth and sixth: the heap's start and end */
    int64_t result;      /* address, 0, or -errno */
    bool result_known;   /* false: cut off, or "?" in a log */
    bool shares_vm;      /* EVENT_FORK */
    bool value_known;    /* what the call was given, or gave, by a pointer could be read: */
    uint64_t value;      /* setrlimit, prlimit64: the new rlim_cur in bytes, MW_UNLIMITED for
                            none; io_setup: the context's number; mbind: its nodes */
    struct event_file file; /* of an mmap of a file, a shmat, an io_setup; its `ino` of a
                               userfaultfd; its `path` the name of PR_SET_VMA */
    const struct mw_iovec *ranges; /* of a process_madvise of the program's own memory, as many as its
                               third argument says; NULL: of another's, or they could not be read */
    const char *where;   /* "file:line" of a log, "" otherwise */
};

#endif
