/* SPDX-License-Identifier: MIT */
/*
 * syscalls.h - which x86-64 system calls the tracer stops at, and what each
 * does to an address space.
 */
#ifndef MAPWRIGHT_TOOLS_SYSCALLS_H
#define MAPWRIGHT_TOOLS_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

enum syscall_role {
    ROLE_MEMORY, /* may change the layout: one at a time in an address space */
    ROLE_FORK,   /* makes a task */
    ROLE_EXEC    /* makes a new address space, if it succeeds */
};

/* A call is of interest if (arg[which] & mask) == value; mask 0: always. */
struct syscall_row {
    uint32_t nr;
    enum call_nr call;
    const char *name;
    enum syscall_role role;
    unsigned which;
    uint32_t mask, value;
};

extern const struct syscall_row syscall_rows[];
extern const unsigned syscall_row_count;

/* The row of a call with these arguments; NULL: none of ours. */
const struct syscall_row *syscall_find(uint64_t nr, const uint64_t arg[6]);

/*
 * The row of a memory call made through another ABI (int 0x80, x32), of which
 * no more is known than that it was made: CALL_OTHER. NULL: none.
 */
const struct syscall_row *syscall_find_foreign(uint64_t nr, uint32_t audit_arch);

#endif
