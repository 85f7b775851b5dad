/* SPDX-License-Identifier: MIT */
/*
 * fetch.h - asks for memory before it is read, so that what is far from the
 * cache is waited for once, not line by line.
 */
#ifndef MW_BASE_FETCH_H
#define MW_BASE_FETCH_H

#include <stddef.h>

/* Inlined by force: gcc drops a call of what does nothing but this. */
#if defined(__GNUC__)
__attribute__((always_inline)) static inline void fetch(const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch((const char *)from + i);
}
#else
static inline void fetch(const void *from, size_t bytes) { (void)from, (void)bytes; }
#endif

#endif
