/* SPDX-License-Identifier: MIT */
/*
 * probe.h - between the files of mw_live_probe: a try is a function that runs in a
 * forked child, in a range of addresses of its own, and calls nothing of the C library
 * but what a signal handler may.
 */
#ifndef MAPWRIGHT_LIVE_PROBE_H
#define MAPWRIGHT_LIVE_PROBE_H

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mapwright/mapwright.h"
#include "mapwright/probe.h"

#define MW_RW (PROT_READ | PROT_WRITE)
#define MW_HUGE ((size_t)2 << 20)

/* Where tries take place: reserved afresh for each, 2 MiB aligned. */
struct mw_lab {
    char *base;
    size_t size;
    size_t page;
    int parent; /* the process that asks */
};

#define CAP(id, try, since, until, tells, name, text) struct mw_found mw_try_##try(struct mw_lab *);
#include "probe.def"
#undef CAP

/* A system call, with -errno for a failure. */
#define SYS(...) mw_probe_result(syscall(__VA_ARGS__))
long mw_probe_result(long r);

struct mw_found mw_found_yes(void);
struct mw_found mw_found_no(int err);
struct mw_found mw_found_untried(int err);
struct mw_found mw_found_number(int64_t n);
/* What a result means: success yes, else no or refused by the errno. */
struct mw_found mw_found_of(long r);
/* Yes if it succeeded and did what it should. */
struct mw_found mw_found_if(long r, bool done);

/* Page n of the lab. */
char *mw_lab_at(const struct mw_lab *lab, size_t n);
/* Maps pages of the lab, there; -errno. fd -1: anonymous. */
long mw_lab_map(const struct mw_lab *lab, size_t n, size_t pages, int flags, int fd);
/* Whether anything is mapped at a page. */
bool mw_lab_mapped(const struct mw_lab *lab, const char *at);
/* A memfd of some pages, page i beginning with 'a' + i; -errno. */
int mw_lab_file(const struct mw_lab *lab, size_t pages);
/* Reads a small file; the length, or -errno. Always ends in 0. */
long mw_probe_read(const char *path, char *buf, size_t size);
/* fork without what the C library does at a fork; in the child 0. */
long mw_probe_fork(void);
/* Its exit status, as of waitpid; -1 if it can't be had. */
int mw_probe_wait(long pid);

#endif
