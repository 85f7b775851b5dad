/* SPDX-License-Identifier: MIT */
/*
 * suite.h - fixed scenarios as data. A scenario's steps are text:
 *
 *   anon PAGE N PROT [FLAGS]          a fixed private anonymous mapping; FLAGS are added
 *   shared PAGE N PROT                a fixed shared anonymous one
 *   file PAGE N PROT FLAGS FILE PG    a fixed one of a file, from its page PG
 *   touch PAGE N                      write page number + 1 into each page
 *   seal, nofork PAGE N               mseal, madvise(MADV_DONTFORK)
 *   limit as|data|lock|stack N        in pages; as and data from what is in use
 *   limit heap N                      RLIMIT_DATA as it is, for brk
 *   unprivileged; future [onfault]; fork
 *   engine                            first: for the engine alone, since it depends on the size
 *                                     of memory or replaces the program's own stack
 *   fill SPARE                        until only SPARE more mappings fit
 *   mmap ADDR LEN PROT FLAGS FILE OFF   and munmap ADDR LEN, mprotect ADDR LEN PROT,
 *   mremap ADDR OLD NEW FLAGS TO, brk ADDR: the calls that it is about
 *   data PAGE N                       what each page reads; store PAGE V: what a write meets
 *   locked                            VmLck in pages
 *
 * An address is a page of the arena, a length a number of pages: 4, 4+1b (a byte
 * more), -1b; 0x1000 stands for itself; heap+2; R+1, from the last chosen
 * address. PROT is of rwx or -, s PROT_SEM, d PROT_GROWSDOWN, u PROT_GROWSUP.
 *
 * What comes out is text as well: the answer of each call, what was read, and
 * the mappings at the end.
 */
#ifndef MAPWRIGHT_CONFORM_SUITE_H
#define MAPWRIGHT_CONFORM_SUITE_H

#include "conform.h"

#define MOST_VERSIONS 5

struct scenario {
    const char *name, *rule, *steps;
    struct {
        uint32_t since; /* MW_LINUX(...), 0: from the first */
        const char *text;
    } expected[MOST_VERSIONS];
};

extern const struct scenario scenarios[];
extern const int scenario_count;

/* What is expected of a version. NULL: nothing is written down. */
const char *scenario_expected(const struct scenario *s, uint32_t version);

/* Runs it on one side, in this process, after sys_enter or model_open. */
enum side { SIDE_SYSTEM, SIDE_ENGINE };
enum outcome { OUTCOME_RAN, OUTCOME_SKIP, OUTCOME_WRONG };
enum outcome scenario_run(const struct scenario *s, enum side side, char *out, size_t size);

#endif
