/* SPDX-License-Identifier: MIT */
/*
 * strace.h - reads a log that `strace -f` wrote (also -y, -yy, -t, -r, -T, -i,
 * -n, -k, -X, -o or standard error) and tells it as events.
 *
 * The log is a piece of memory and may hold anything: what is not a line of
 * strace's is complained about and passed over. Lines that were cut in two
 * ("<unfinished ...>") are joined, a call that never came back is told with
 * result_known false, and a child is told before its first line.
 *
 * What an event has beyond event.h:
 *   - file.known is false where the log never said which file a descriptor is;
 *     file.path then says "fd 5 of 1234". Descriptors opened without O_ flags in
 *     the log count as readable and writable.
 *   - dev is 0. ino is 0 for files known by path; memfds and unknown files
 *     have a number of their own.
 */
#ifndef MAPWRIGHT_TOOLS_STRACE_H
#define MAPWRIGHT_TOOLS_STRACE_H

#include <stddef.h>

#include "event.h"

struct strace_reader;

/* Gets "file:line: expected ..., found ...", without newline. */
typedef void strace_complaint(void *ctx, const char *text);

struct strace_counts {
    uint64_t lines;  /* read so far */
    uint64_t bad;    /* of them, complained about */
    uint64_t events; /* told so far */
};

/*
 * `data` is borrowed until strace_close. `name` is for messages and copied; a
 * name that ends in ".1234", as `strace -ff -o` makes it, gives the task id of
 * lines that have none. `complain` may be NULL.
 */
struct strace_reader *strace_open(const char *name, const char *data, size_t size,
                                  strace_complaint *complain, void *ctx);

/* False at the end. event->where is good until the next call. */
bool strace_next(struct strace_reader *reader, struct event *event);

struct strace_counts strace_counted(const struct strace_reader *reader);
void strace_close(struct strace_reader *reader);

#endif
