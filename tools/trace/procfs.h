/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - what the kernel tells about itself, a process, and a process's
 * files, in the terms of the engine.
 */
#ifndef MAPWRIGHT_TOOLS_PROCFS_H
#define MAPWRIGHT_TOOLS_PROCFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../layout.h"
#include "event.h"
#include "mapwright/mapwright.h"

/* Reads the layout; `flags`: with VmFlags, which takes the kernel longer. False: can't. */
bool procfs_layout(pid_t pid, bool flags, struct layout *layout);

/* The mapping that holds addr. False: none, or it can't be read. path is not filled in. */
bool procfs_area(pid_t pid, uint64_t addr, struct area *area);

/* Fills in what holds for the whole system: version, limits of memory, ... */
void procfs_system(struct mw_config *config);

/* Fills in what holds for a process: resource limits, capabilities, the heap. */
void procfs_process(pid_t pid, struct mw_config *config);

/* How many page faults the threads of a process have had, small and large. 0: can't be read. */
uint64_t procfs_faults(pid_t pid);

/* MW_CAP_... of a task. */
uint32_t procfs_caps(pid_t tid);

/* The memory nodes that a task may use, of the first 64. */
uint64_t procfs_nodes(pid_t tid);

/* personality(2)'s bits. */
uint64_t procfs_personality(pid_t pid);

/* The name of the program a process runs, its path. "" if it can't be read. */
void procfs_program(pid_t pid, char *buf, size_t size);

/* Whether the process runs a 32-bit program. */
bool procfs_is_32bit(pid_t pid);

/* The thread group of a task; 0: gone. And the same of any number in /proc/TID/status. */
pid_t procfs_tgid(pid_t tid);

/*
 * What an open descriptor of a task is, for an mmap of it. `known` stays false
 * for one that is not open or is O_PATH.
 */
void procfs_file(pid_t tid, int fd, struct event_file *file);

/*
 * What a SysV segment is, for a shmat of it: its size and what it is shown as. `known`
 * stays false for one that is not there, or is of another IPC namespace than ours.
 */
void procfs_segment(pid_t tid, int shmid, struct event_file *file);

/* Fills in what only the mapping [start, end) of the task tells of its file: huge pages. */
void procfs_mapped(pid_t tid, uint64_t start, uint64_t end, struct event_file *file);

#endif
