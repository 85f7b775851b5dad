/* SPDX-License-Identifier: MIT */
/*
 * fds.h - which file each descriptor of a process names, as far as a log tells.
 * Threads share one table; a fork copies it.
 */
#ifndef MAPWRIGHT_TOOLS_FDS_H
#define MAPWRIGHT_TOOLS_FDS_H

#include <stdbool.h>
#include <stdint.h>

struct fds;

struct open_file {
    uint32_t refs;
    uint32_t mode;   /* MW_FILE_... */
    uint64_t serial; /* tells apart files that have no path of their own; else 0 */
    bool unknown;    /* the log never said which file it is; path is a stand-in */
    char path[256];
};

struct fds *fds_new(void);
struct fds *fds_copy(const struct fds *fds);
struct fds *fds_share(struct fds *fds);
void fds_drop(struct fds *fds);

/* Makes `fd` name a new file; the result is the table's, for filling in. */
struct open_file *fds_open(struct fds *fds, int fd, bool cloexec);
void fds_dup(struct fds *fds, int from, int to, bool cloexec);
void fds_close(struct fds *fds, int first, int last);
void fds_set_cloexec(struct fds *fds, int first, int last, bool cloexec);

/* What an exec closes. */
void fds_exec(struct fds *fds);

/* NULL: the log did not say. */
const struct open_file *fds_find(const struct fds *fds, int fd);

#endif
