/* SPDX-License-Identifier: MIT */
/* measure.h - blocks moved by remapping against blocks moved by memmove. */
#ifndef MEASURE_H
#define MEASURE_H

/* A clock, in nanoseconds. */
double measure_now(void);

/* Prints a table. 0, or 1 where memory is missing. */
int measure(void);

#endif
