/* SPDX-License-Identifier: MIT */
/* measure.h - blocks moved by remapping against blocks moved by memmove. */
#ifndef MEASURE_H
#define MEASURE_H

/* A clock, in nanoseconds. */
double measure_now(void);

/* Prints a table, and writes bench/results/compact.json. 0, or 1 where that can't be. */
int measure(void);

#endif
