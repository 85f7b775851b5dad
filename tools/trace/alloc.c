/* SPDX-License-Identifier: MIT */
/* alloc.c - memory for the trace readers; see alloc.h. */
#include "alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void *must(void *p)
{
    if (p == NULL) {
        fputs("mapwright: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

void *trace_alloc(size_t bytes)
{
    return must(calloc(1, bytes != 0 ? bytes : 1));
}

void *trace_grow(void *old, size_t used, size_t *cap, size_t size)
{
    if (used < *cap)
        return old;
    size_t want = *cap != 0 ? *cap * 2 : 8;
    if (want > SIZE_MAX / size)
        return must(NULL);
    *cap = want;
    return must(realloc(old, want * size));
}
