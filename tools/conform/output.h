/* SPDX-License-Identifier: MIT */
/* output.h - progress on a terminal, and the results as text, TAP, JUnit and JSON. */
#ifndef MAPWRIGHT_CONFORM_OUTPUT_H
#define MAPWRIGHT_CONFORM_OUTPUT_H

#include "conform.h"

/* printf, unless --quiet. */
void say(const struct options *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* On a terminal, twice a second. */
bool output_progress_due(const struct options *o, double seconds);
void output_progress(const struct options *o, const struct tally *t, double seconds, int found);
void output_progress_clear(const struct options *o);

/* One result of the suite. */
enum verdict { VERDICT_OK, VERDICT_NOT_OK, VERDICT_SKIP };
void output_case(const char *name, enum verdict verdict, const char *why);

/* One finding of random calls. */
void output_finding(const struct slot *slot, uint64_t number);

/* The end of random calls: totals, and the files that were asked for. */
void output_end(const struct options *o, const struct tally *t, double seconds, int found,
                uint64_t again);

/* The end of the suite: how many are not ok. */
int output_suite_end(const struct options *o, double seconds);

#endif
