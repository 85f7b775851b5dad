/* SPDX-License-Identifier: MIT */
/*
 * touched.h - finds out from the kernel which private mappings have been
 * written to, and tells the engine.
 *
 * Linux gives a private mapping an anonymous identity at the first write
 * fault, and merging looks at it, but no interface shows it. The private pages
 * it leaves behind can be seen (PAGEMAP_SCAN, or /proc/PID/pagemap before
 * 6.7). They must be looked for before each call that could discard them.
 */
#ifndef MAPWRIGHT_TOOLS_TOUCHED_H
#define MAPWRIGHT_TOOLS_TOUCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mapwright/mapwright.h"

/* The pagemap of one address space, which it goes on showing after an exec; -1: can't. */
int touched_open(pid_t pid);

/*
 * Looks at the mappings of the engine in [start, end) and those next to it
 * that are private and not known to be written to. Only writable ones, unless
 * `all`: whatever was written before the tracer looked may be read-only by
 * now.
 */
void touched_near(int pagemap, struct mw_space *space, uint64_t start, uint64_t end, bool all);

/*
 * The same for the mappings that lie beside [start, end) or reach into it,
 * looking at their pages outside only: what is inside has just been put there.
 * The engine is told only with `tell`. Returns whether one was found written.
 */
bool touched_beside(int pagemap, struct mw_space *space, uint64_t start, uint64_t end, bool tell);

/* All mappings. */
void touched_everywhere(int pagemap, struct mw_space *space, bool all);

#endif
