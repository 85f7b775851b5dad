/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - memory for the trace readers. A tool that runs out of memory can
 * only say so; the library never comes here.
 */
#ifndef MAPWRIGHT_TOOLS_ALLOC_H
#define MAPWRIGHT_TOOLS_ALLOC_H

#include <stddef.h>

/* Zeroed memory, or the end of the program with a message. Freed by free(). */
void *trace_alloc(size_t bytes);

/*
 * Makes room for one more element in the array `old` of `*cap` elements, `used`
 * of them in use, each of `size` bytes. Returns the array, which may have moved.
 */
void *trace_grow(void *old, size_t used, size_t *cap, size_t size);

#endif
