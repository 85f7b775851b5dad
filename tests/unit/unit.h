/* SPDX-License-Identifier: MIT */
/*
 * unit.h - spaces for unit tests, and rows of mappings as text.
 *
 * A row is drawn with one character a page, from page 0 of the test's base on:
 *   .  free            a  private anonymous rw   r  the same r--    x  r-x   w  rwx
 *   m  mirrored private memory (only shown, not drawn)
 *   -  PROT_NONE       s  shared anonymous       f  private file    F  shared file
 * An upper-case A, R, X, W, N ("-" touched) was written to. "|" stands between
 * two neighbours that look alike but are two mappings.
 */
#ifndef TEST_UNIT_H
#define TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mapwright/mapwright.h"

#define BASE 0x100000000000ull

struct bench {
    struct mw_port port;
    struct mw_config config;
    struct mw_frames *frames;
    struct mw_space *space;
    struct mw_object *object; /* 64 pages, page i starting with 100 + i */
    struct mw_file file;      /* it, read-write */
    void *memory;
    uint64_t page;
    size_t allocations;
    size_t flushes, flushed_ranges;
    int locked;
    long fail_in;      /* the allocation, counted from 1, that fails; 0: none */
    bool fail_for_ever; /* and all after it */
    bool failed;
};

/* A bench with `frames` frames; bench_config first, then bench_open. */
void bench_config(struct bench *b, uint32_t page_shift, uint64_t frames);
void bench_open(struct bench *b);
/* Ends all; asserts that nothing leaked. */
void bench_close(struct bench *b);
/* Both, with 4 KiB pages. */
void bench_start(struct bench *b);

uint64_t at(const struct bench *b, int64_t page);

/* Makes the row (see above), and the row as it is. */
void draw(struct bench *b, const char *row);
const char *drawn(const struct bench *b);
void expect_row(const struct bench *b, const char *row, const char *what);

/* Asserts that a result and its reason belong together: an errno and the rest filled in. */
void expect_why(int64_t result, const struct mw_why *why, const char *what);

/* Reads one number, -1 when that can't be. */
int64_t peek(struct bench *b, uint64_t addr);
void poke(struct bench *b, uint64_t addr, uint32_t value);

/* The calls that rows are about. */
enum call { MMAP, MUNMAP, MPROTECT, MREMAP };

struct row_case {
    const char *before;
    enum call call;
    int page, n, m;       /* page, pages; new pages (mremap), protection (mmap, mprotect) */
    uint32_t flags;       /* mmap, mremap */
    int to;               /* mremap's new address */
    int err;              /* 0: success */
    const char *after;
};

/* Runs each case in a fresh space. */
void run_rows(const struct row_case *cases, size_t n, uint32_t page_shift);

#define ROWS(cases, shift) run_rows(cases, sizeof(cases) / sizeof((cases)[0]), shift)

#define RW_ (MW_PROT_READ | MW_PROT_WRITE)
#define RO_ MW_PROT_READ
#define FIXED_ (MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED)
#define MAY_ MW_MREMAP_MAYMOVE
#define FIX_ (MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED)

#endif
