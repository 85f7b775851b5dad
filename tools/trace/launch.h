/* SPDX-License-Identifier: MIT */
/* launch.h - starts the program that is to be traced. */
#ifndef MAPWRIGHT_TOOLS_LAUNCH_H
#define MAPWRIGHT_TOOLS_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

/* A program between its start and its exec. */
struct launch {
    pid_t pid;
    int go;      /* closed to let it exec */
    int failure; /* its errno arrives here if it can't exec; end of file: it has */
};

/*
 * Forks, seizes the child with these ptrace options, and leaves it waiting.
 * 0 or -errno, *stage naming what failed.
 */
int launch_start(char **argv, bool filter, unsigned long options, struct launch *launch,
                 const char **stage);

/* Lets it exec. */
void launch_go(struct launch *launch);

/* After the child is gone without an exec: its errno, 0 if none was told. Closes `failure`. */
int launch_failure(struct launch *launch);

/* Whether a filter can be used without changing the program's privileges. */
bool launch_may_filter(void);

#endif
