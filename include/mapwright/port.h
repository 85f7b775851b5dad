/* SPDX-License-Identifier: MIT */
/*
 * port.h - what the embedder supplies.
 *
 * Mapwright's core is freestanding: it allocates, locks and flushes only
 * through the callbacks below. A port may serve any number of spaces.
 */
#ifndef MAPWRIGHT_PORT_H
#define MAPWRIGHT_PORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* A half-open range of guest addresses, [start, end), in bytes. */
struct mw_range {
    uint64_t start;
    uint64_t end;
};

struct mw_port {
    /* Handed back to each callback untouched. Owned by the embedder. */
    void *ctx;

    /*
     * Memory for the engine's own structs: `size` > 0 bytes, aligned for any
     * type; the content is the engine's to set. NULL means "out of memory":
     * the call under way answers ENOMEM and has changed nothing. From some
     * 100,000 mappings on calls are a sixth faster where it lies in huge pages
     * (with malloc of glibc: GLIBC_TUNABLES=glibc.malloc.hugetlb=1).
     */
    void *(*alloc)(void *ctx, size_t size);

    /* Takes back what alloc gave, with the same size. Never fails. */
    void (*free)(void *ctx, void *ptr, size_t size);

    /*
     * Optional, both or none. Mutual exclusion over one space; every public
     * call on a space holds it for its duration. Not recursive.
     */
    void (*lock)(void *ctx);
    void (*unlock)(void *ctx);

    /*
     * Optional. Called at most once a call, before it returns: translations of
     * these ranges that a CPU or a software TLB has cached are stale. (What was
     * absent is not: a TLB keeps only what is present.) `n` > 0;
     * the ranges are borrowed for the duration of the callback. `space_id` is
     * the number given in mw_config.id. What concerns all mappings of an object
     * (mw_object_truncate, mw_object_sync, msync, MADV_REMOVE) calls it for each space that
     * has any, and for each stretch of the object. Here an embedder with readers waits for
     * them, if its guest needs that: see reader.h.
     */
    void (*flush)(void *ctx, uint64_t space_id, const struct mw_range *ranges, size_t n);
};

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
