/* SPDX-License-Identifier: MIT */
/* live.h - what the tests of the ready-made pieces share. */
#ifndef TESTS_LIVE_H
#define TESTS_LIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

/*
 * fail_from(n, err): the n-th of the host's calls from now on (0 is the next), and
 * if `all` each one after it, fails with err. fail_never(): none does any more;
 * returns whether one has failed.
 */
void fail_from(unsigned n, int err, bool all);
bool fail_never(void);

/* How much is mapped, in bytes, and how many descriptors are open. */
size_t mapped_bytes(void);
unsigned open_files(void);

/* The signal that reading, or writing 1 to, a byte there gets; 0: none. And whether it is SIGSEGV. */
int signal_of(const volatile void *at, bool write);
bool faults(const volatile void *at, bool write);

/* Runs `what` in a forked child: 0 if it returned true. */
bool in_child(bool (*what)(void *), void *arg);

#endif
