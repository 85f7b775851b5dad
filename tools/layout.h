/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the mappings of one address space as plain data, whoever says so:
 * the kernel (/proc/PID/maps or smaps, or a file with such text) or the engine
 * (model_layout in model.h). Comparing, reporting and drawing work on this.
 */
#ifndef MAPWRIGHT_TOOLS_LAYOUT_H
#define MAPWRIGHT_TOOLS_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What an area maps. */
enum area_kind {
    AREA_ANON,    /* private anonymous memory, [heap] and [stack] included */
    AREA_FILE,    /* has an inode: files, memfds, devices, SysV and shared anonymous memory */
    AREA_SPECIAL  /* the kernel's own: [vdso], [vvar], [vvar_vclock], [uprobes] */
};

/* One mapping. */
struct area {
    uint64_t start, end;   /* bytes */
    uint64_t offset;       /* into the file; 0 for AREA_ANON and AREA_SPECIAL */
    uint64_t flags;        /* MW_VM_...; without flags_known only READ, WRITE, EXEC and
                              MAYSHARE mean something (all that /proc/PID/maps shows).
                              Never EXEC_ONLY: the kernel does not tell */
    uint64_t dev, ino;     /* identity of AREA_FILE; dev as makedev() has it */
    const void *object;    /* the engine's object behind an area of the engine's, else NULL */
    uint64_t anon;         /* engine: identity of written pages, 0 none. kernel: 0 */
    uint64_t identity;     /* engine: mw_vma.offset as it is, also of anonymous memory */
    char *path;            /* owned by the layout; "" when there is none */
    enum area_kind kind;
    bool flags_known;      /* VmFlags were there to read, or the engine says so */
};

/* Areas in order of address. Zero-initialise; layout_clear frees what is inside. */
struct layout {
    struct area *area;
    size_t n, room;
};

void layout_clear(struct layout *layout);

/* Appends a copy (path included; NULL counts as ""). False: out of memory. */
bool layout_add(struct layout *layout, const struct area *area);

/*
 * Reads text in the form of /proc/PID/maps or /proc/PID/smaps (told apart by
 * its lines) until the end of `in`. [vsyscall], which lies beyond user space,
 * is left out. 0; or the number of the first line that is neither, with what
 * was read before it kept; or -ENOMEM.
 */
int layout_read(struct layout *layout, FILE *in);

/* The index of the first area that ends above addr; layout->n: none. */
size_t layout_find(const struct layout *layout, uint64_t addr);

/* "rw-p" and so on, as in /proc/PID/maps. `out` has room for 5. */
void area_mode(const struct area *area, char out[5]);

/* One line for people, "7f..-7f.. rw-p 1000 /path {lo,nr}", without newline. */
void area_text(const struct area *area, char *buf, size_t size);

/* The VmFlags mnemonic of each bit in `flags` into buf, "rd,wr,mr,mw,me,ac". */
void flags_text(uint64_t flags, char *buf, size_t size);

/* MW_VM_... of one two-letter VmFlags mnemonic; 0: not one that is modelled. */
uint64_t flag_of_mnemonic(const char *two);

/* Where two layouts part. */
struct layout_diff {
    bool differs;
    uint64_t addr;          /* from here on */
    size_t engine, kernel;  /* index of the first area that differs in each (may be n) */
    const char *what;       /* "boundaries", "protection", "flags", "offset", "file", ... */
};

/*
 * Compares boundaries, protections, shared or private, offsets, files, and the
 * VmFlags where both know them. Objects that the engine made itself (shared
 * anonymous memory) have no inode: they are paired with the kernel's inodes
 * one to one within this comparison.
 */
void layout_compare(const struct layout *engine, const struct layout *kernel,
                    struct layout_diff *diff);

#endif
