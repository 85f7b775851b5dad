/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - words that one thread writes while others read them. Plain in
 * memory, so that page tables and public structs can hold them.
 */
#ifndef MW_BASE_ATOMIC_H
#define MW_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t load_relaxed(const uint64_t *p)
{
    return atomic_load_explicit((const _Atomic uint64_t *)p, memory_order_relaxed);
}

/* Sees what was written before the store whose value it finds. */
static inline uint64_t load_acquire(const uint64_t *p)
{
    return atomic_load_explicit((const _Atomic uint64_t *)p, memory_order_acquire);
}

static inline void store_release(uint64_t *p, uint64_t n)
{
    atomic_store_explicit((_Atomic uint64_t *)p, n, memory_order_release);
}

/* These also stand in one order that all threads agree on. */
static inline uint64_t load_ordered(const uint64_t *p) { return atomic_load((const _Atomic uint64_t *)p); }
static inline void store_ordered(uint64_t *p, uint64_t n) { atomic_store((_Atomic uint64_t *)p, n); }
static inline uint64_t exchange(uint64_t *p, uint64_t n) { return atomic_exchange((_Atomic uint64_t *)p, n); }

#endif
