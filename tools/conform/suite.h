/* SPDX-License-Identifier: MIT */
/*
 * suite.h - fixed scenarios as data. A scenario's steps are text:
 *
 *   anon PAGE N PROT [FLAGS]          a fixed private anonymous mapping; FLAGS are added
 *   shared PAGE N PROT                a fixed shared anonymous one
 *   file PAGE N PROT FLAGS FILE PG    a fixed one of a file, from its page PG
 *   ring PAGE N, vdso PAGE            an aio ring of 1 or 32 pages, the vdso (2 pages), moved there
 *   shm PAGE N                        a SysV shared memory segment
 *   huge PAGE N PROT [FLAGS]          a fixed one of huge pages
 *   hugefile PAGE N                   a shared one of a memfd of 4 huge pages
 *   unmap PAGE N, protect PAGE N PROT munmap and mprotect that are not what it is about
 *   touch PAGE N [FIRST]              write FIRST (1), FIRST + 1, ... into the pages
 *   htouch, hdata PAGE N              touch and data by huge pages
 *   pool                              huge pages free, and promised, as if 16 were all
 *   seal, nofork PAGE N               mseal, madvise(MADV_DONTFORK)
 *   advise WORD PAGE N                madvise: see setup.c
 *   lock PAGE N [onfault], unlock PAGE N
 *   watch PAGE N                      registers it with a userfaultfd, for missing pages
 *   limit as|data|lock|stack N        in pages; as and data from what is in use
 *   limit heap N                      RLIMIT_DATA as it is, for brk
 *   unprivileged; future [onfault]; fork
 *   engine                            first: for the engine alone, since it depends on the size
 *                                     of memory or replaces the program's own stack
 *   fill SPARE                        until only SPARE more mappings fit
 *   slots CALL                        fills until mmap fails, and makes the call with ever fewer
 *                                     mappings until it succeeds: fromN, N fewer
 *   mmap ADDR LEN PROT FLAGS FILE OFF   and munmap ADDR LEN, mprotect ADDR LEN PROT,
 *   mremap ADDR OLD NEW FLAGS TO, brk ADDR: the calls that it is about
 *   data PAGE N                       what each page reads; store PAGE V: what a write meets
 *   locked                            VmLck in pages
 *   size, committed                   what VmSize (in pages) and Committed_AS (in 256 MiB) have
 *                                     grown by since the last such step
 *   present PAGE N                    which pages have an entry in the page tables
 *   flags PAGE                        the mapping's flags, as smaps has them
 *   show                              the mappings now
 *
 * An address is a page of the arena, a length a number of pages: 4, 4+1b (a byte
 * more), -1b; 2h, in huge pages; 0x1000 stands for itself; heap+2; R+1, from the
 * last chosen address. PROT is of rwx or -, s PROT_SEM, d PROT_GROWSDOWN, u PROT_GROWSUP.
 *
 * What comes out is text as well: the answer of each call (an address in the
 * arena as @PAGE; `chosen` by the kernel, and `again` the one that was chosen
 * last), what was read, and the mappings at the end.
 */
#ifndef MAPWRIGHT_CONFORM_SUITE_H
#define MAPWRIGHT_CONFORM_SUITE_H

#include "conform.h"

#define MOST_VERSIONS 8

struct scenario {
    const char *name, *rule, *steps;
    struct {
        uint32_t since; /* MW_LINUX(...), 0: from the first */
        const char *text;
    } expected[MOST_VERSIONS];
};

/* By subject, each in a file of its own. A letter and number after the rule is the measurement. */
struct suite_table {
    const char *file;
    const struct scenario *first;
    const int *count;
};
extern const struct scenario suite_data[], suite_args[], suite_moves[], suite_kinds[], suite_huge[];
extern const int suite_data_count, suite_args_count, suite_moves_count, suite_kinds_count,
    suite_huge_count;

/* What is expected of a version. NULL: nothing is written down. */
const char *scenario_expected(const struct scenario *s, uint32_t version);

/* Runs it on one side, in this process, after sys_enter or model_open. */
enum side { SIDE_SYSTEM, SIDE_ENGINE };
enum outcome { OUTCOME_RAN, OUTCOME_SKIP, OUTCOME_WRONG };
enum outcome scenario_run(const struct scenario *s, enum side side, char *out, size_t size);

/*
 * What only scenarios do (setup.c), to one side. 0 or -errno; SETUP_CANT: this
 * system does not have it, or the engine does not know it.
 */
#define SETUP_CANT INT64_MIN
int64_t setup_lock(enum side side, uint64_t addr, uint64_t len, bool onfault);
int64_t setup_unlock(enum side side, uint64_t addr, uint64_t len);
int64_t setup_advise(enum side side, const char *word, uint64_t addr, uint64_t len);
int64_t setup_watch(enum side side, uint64_t addr, uint64_t len);
bool setup_file(int which); /* opened, on the system's side */
int64_t setup_ring(enum side side, uint64_t addr, uint64_t len);
int64_t setup_vdso(enum side side, uint64_t addr);
int64_t setup_huge_file(enum side side, uint64_t addr, uint64_t len);
int64_t setup_shm(enum side side, uint64_t addr, uint64_t len);

/* And what only they look at. */
int64_t look_committed(enum side side);               /* pages */
int look_present(enum side side, uint64_t addr);      /* 0 or 1; -1: it can't tell */
bool look_flags(enum side side, uint64_t addr, char *out, size_t size);

#endif
