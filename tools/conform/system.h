/* SPDX-License-Identifier: MIT */
/* system.h - what system.c and look.c share with each other. */
#ifndef MAPWRIGHT_CONFORM_SYSTEM_H
#define MAPWRIGHT_CONFORM_SYSTEM_H

#include "conform.h"

#define FILE_PAGES 32u
#define COPY_MAX (64u << 10)
#define CORE_ROOM (256u << 10) /* more pages than mappings that touch each other ever have */
#define NR_MLOCK2 325
#define NR_MSEAL 462
#define NR_IO_URING_SETUP 425
#define MW_PR_SET_VMA 0x53564d41

#define EPISODE_SECONDS 30u

/* Exit codes of a worker. */
#define EXIT_AGREED 0
#define EXIT_DIFFERS 1
#define EXIT_FRESH 3 /* agreed; the next episode needs a new process */
#define EXIT_CANT 4
#define EXIT_DIED 5

struct system_files {
    int fd[ALL_FILES], writable[ALL_FILES];
    uint64_t inode[ALL_FILES];
    uint64_t device[ALL_FILES]; /* 0: any */
    int pattern, out;               /* for the copies */
    int maps, statm, status, smaps; /* windows; kept open, they answer after a loss of rights */
    bool opened;             /* all but the windows, which are each process's own */
};
extern struct system_files sys_files;

/* The size of a file, and what its pages and the copies hold. */
static inline uint64_t file_bytes(int which)
{
    return which == FILE_SMALL ? 5 * PAGE + 100 : which == FILE_POOL ? 4 * HUGE : FILE_PAGES * PAGE;
}

static inline unsigned char copy_pattern(uint32_t i)
{
    return (unsigned char)(i * 37u + (i >> 8) * 11u + 5u);
}

/* What was copied out, as a number. */
static inline uint32_t sum_of(const unsigned char *bytes, int64_t n)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

/* The first bytes that mincore wrote, as bits. */
static inline uint32_t core_bits(const unsigned char *vec)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < CORE_PAGES; i++)
        bits |= (vec[i] & 1u) << i;
    return bits;
}

uint64_t sys_seen_device(void); /* of what sys_next saw last */
bool sys_open_files(void); /* once; a child has them too */
int sys_new_file(void);
void sys_fill(int fd, uint64_t bytes, uint32_t pages); /* with what read_page (model.c) says */
#define ALL_PAGES UINT32_MAX

/* special.c */
void sys_open_special(void);
void sys_probe_special(void);
int64_t sys_ring(void);
bool sys_made_rings(void);
int64_t sys_watch(uint64_t addr, uint64_t len);

void sys_reopen(void);    /* this process's windows */
bool sys_move_heap(void); /* into the arena, empty */
bool sys_list_own(void);

#endif
