/* SPDX-License-Identifier: MIT */
/* syscalls.c - the table of system calls that the tracer stops at. */
#include "syscalls.h"

#include <elf.h>
#include <linux/audit.h>
#include <stddef.h>
#include <sys/syscall.h>

#define MEMORY(nr, call, name) { nr, call, name, ROLE_MEMORY, 0, 0, 0 }

/* Numbers that the C library's headers may not have yet. */
enum {
    NR_PROCESS_MADVISE = 440,
    NR_SET_MEMPOLICY_HOME_NODE = 450,
    NR_MAP_SHADOW_STACK = 453,
    NR_MSEAL = 462
};

const struct syscall_row syscall_rows[] = {
    MEMORY(SYS_mmap, CALL_MMAP, "mmap"),
    MEMORY(SYS_munmap, CALL_MUNMAP, "munmap"),
    MEMORY(SYS_mprotect, CALL_MPROTECT, "mprotect"),
    MEMORY(SYS_brk, CALL_BRK, "brk"),
    MEMORY(SYS_mremap, CALL_MREMAP, "mremap"),
    MEMORY(SYS_madvise, CALL_MADVISE, "madvise"),
    MEMORY(SYS_mlock, CALL_MLOCK, "mlock"),
    MEMORY(SYS_mlock2, CALL_MLOCK2, "mlock2"),
    MEMORY(SYS_munlock, CALL_MUNLOCK, "munlock"),
    MEMORY(SYS_mlockall, CALL_MLOCKALL, "mlockall"),
    MEMORY(SYS_munlockall, CALL_MUNLOCKALL, "munlockall"),
    MEMORY(SYS_pkey_mprotect, CALL_PKEY_MPROTECT, "pkey_mprotect"),
    MEMORY(SYS_pkey_alloc, CALL_PKEY_ALLOC, "pkey_alloc"),
    MEMORY(SYS_pkey_free, CALL_PKEY_FREE, "pkey_free"),
    MEMORY(NR_MSEAL, CALL_MSEAL, "mseal"),
    MEMORY(SYS_remap_file_pages, CALL_REMAP_FILE_PAGES, "remap_file_pages"),
    MEMORY(SYS_shmat, CALL_SHMAT, "shmat"),
    MEMORY(SYS_shmdt, CALL_SHMDT, "shmdt"),
    MEMORY(SYS_io_setup, CALL_IO_SETUP, "io_setup"),
    MEMORY(SYS_io_destroy, CALL_IO_DESTROY, "io_destroy"),
    MEMORY(NR_PROCESS_MADVISE, CALL_PROCESS_MADVISE, "process_madvise"),
    MEMORY(SYS_mbind, CALL_MBIND, "mbind"),
    MEMORY(NR_SET_MEMPOLICY_HOME_NODE, CALL_OTHER, "set_mempolicy_home_node"),
    MEMORY(NR_MAP_SHADOW_STACK, CALL_OTHER, "map_shadow_stack"),
    MEMORY(SYS_setrlimit, CALL_SETRLIMIT, "setrlimit"),
    MEMORY(SYS_prlimit64, CALL_PRLIMIT, "prlimit64"),
    { SYS_prctl, CALL_PRCTL, "prctl", ROLE_MEMORY, 0, UINT32_MAX, 0x53564d41 /* PR_SET_VMA */ },
    { SYS_prctl, CALL_PRCTL, "prctl", ROLE_MEMORY, 0, UINT32_MAX, 35 /* PR_SET_MM */ },
    { SYS_prctl, CALL_PRCTL, "prctl", ROLE_MEMORY, 0, UINT32_MAX, 67 /* PR_SET_MEMORY_MERGE */ },
    /* mapping a vdso (0x2001 to 0x2003), and shadow stacks (0x5001 to 0x5003) */
    { SYS_arch_prctl, CALL_OTHER, "arch_prctl", ROLE_MEMORY, 0, 0xfffffffc, 0x2000 },
    { SYS_arch_prctl, CALL_OTHER, "arch_prctl", ROLE_MEMORY, 0, 0xfffffffc, 0x5000 },
    /* UFFDIO_REGISTER, UNREGISTER, API: type 0xaa, numbers 0, 1, 0x3f */
    { SYS_ioctl, CALL_USERFAULTFD, "ioctl(UFFDIO)", ROLE_MEMORY, 1, 0xffff, 0xaa00 },
    { SYS_ioctl, CALL_USERFAULTFD, "ioctl(UFFDIO)", ROLE_MEMORY, 1, 0xffff, 0xaa01 },
    { SYS_ioctl, CALL_USERFAULTFD, "ioctl(UFFDIO)", ROLE_MEMORY, 1, 0xffff, 0xaa3f },
    { SYS_fork, CALL_OTHER, "fork", ROLE_FORK, 0, 0, 0 },
    { SYS_vfork, CALL_OTHER, "vfork", ROLE_FORK, 0, 0, 0 },
    { SYS_clone, CALL_OTHER, "clone", ROLE_FORK, 0, 0, 0 },
    { SYS_clone3, CALL_OTHER, "clone3", ROLE_FORK, 0, 0, 0 },
    { SYS_execve, CALL_OTHER, "execve", ROLE_EXEC, 0, 0, 0 },
    { SYS_execveat, CALL_OTHER, "execveat", ROLE_EXEC, 0, 0, 0 },
};

const unsigned syscall_row_count = sizeof syscall_rows / sizeof syscall_rows[0];

const struct syscall_row *syscall_find(uint64_t nr, const uint64_t arg[6])
{
    for (unsigned i = 0; i < syscall_row_count; i++) {
        const struct syscall_row *row = &syscall_rows[i];
        if (row->nr == nr && ((uint32_t)arg[row->which] & row->mask) == row->value)
            return row;
    }
    return NULL;
}

/* The memory calls of the 32-bit table: mmap, munmap, mprotect, brk, mremap and their kind. */
static const uint32_t i386_memory[] = { 45,  90,  91,  117, 125, 150, 151, 152, 153, 163,
                                        192, 219, 245, 257, 274, 376, 380, 397, 398, 462 };

static const struct syscall_row foreign[] = {
    { 0, CALL_OTHER, "a memory call by int 0x80", ROLE_MEMORY, 0, 0, 0 },
    { 0, CALL_OTHER, "a memory call by the x32 ABI", ROLE_MEMORY, 0, 0, 0 },
};

const struct syscall_row *syscall_find_foreign(uint64_t nr, uint32_t audit_arch)
{
    static const uint64_t none[6];

    if (audit_arch == AUDIT_ARCH_X86_64) {
        const struct syscall_row *row = syscall_find(nr & ~UINT64_C(0x40000000), none);
        return row && row->role == ROLE_MEMORY ? &foreign[1] : NULL;
    }
    for (size_t i = 0; i < sizeof i386_memory / sizeof i386_memory[0]; i++)
        if (i386_memory[i] == nr)
            return &foreign[0];
    return NULL;
}
