/* SPDX-License-Identifier: MIT */
/*
 * range.h - arithmetic on addresses and lengths that cannot overflow unseen.
 */
#ifndef MW_BASE_RANGE_H
#define MW_BASE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* a - b, or 0. */
static inline uint64_t sub_floor(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* a + b, or the largest number. */
static inline uint64_t add_ceil(uint64_t a, uint64_t b) { return a + b < a ? UINT64_MAX : a + b; }

/* Does [start, start + length) lie within [low, high)? `length` may be any number. */
static inline bool range_within(uint64_t start, uint64_t length, uint64_t low, uint64_t high)
{
    return start >= low && start <= high && length <= high - start;
}

/* Rounds up to the page; wraps to 0 as Linux's PAGE_ALIGN does. */
static inline uint64_t page_up(uint64_t n, uint32_t shift)
{
    uint64_t mask = (1ull << shift) - 1;

    return (n + mask) & ~mask;
}

static inline uint64_t page_down(uint64_t n, uint32_t shift)
{
    return n & ~((1ull << shift) - 1);
}

static inline bool page_aligned(uint64_t n, uint32_t shift)
{
    return (n & ((1ull << shift) - 1)) == 0;
}

#endif
