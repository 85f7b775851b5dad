/* SPDX-License-Identifier: MIT */
/*
 * vec.h - a growable array that is moved, not copied, when it grows: a ready-made
 * piece on this process's own memory, for programs that have a C library.
 *
 * From 128 KiB on it is a mapping. It grows where it lies while there is room, and
 * else moves by mremap to an address at which the kernel moves whole page tables.
 * Old and new bytes are never there at the same time.
 *
 * Conventions
 *   - Sizes are size_t and in elements, where not said otherwise.
 *   - 0 on success, -errno on failure; a call that fails has changed nothing.
 *   - A call that may grow or shrink it may change `data`.
 *   - One thread at a time per vector. A forked child has a copy.
 *   - Needs Linux 5.10 or later, no privilege, neither /proc nor /dev.
 */
#ifndef MAPWRIGHT_VEC_H
#define MAPWRIGHT_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define MW_VEC_HUGE 0x1u /* ask for transparent huge pages; where the kernel has none: nothing */

/* Made by mw_vec_create. All may be read, nothing may be written, but for the elements. */
struct mw_vec {
    void *data;       /* the elements; nothing is there while capacity is 0 */
    size_t size;      /* how many there are */
    size_t capacity;  /* how many fit before it has to grow */
    size_t elem_size; /* in bytes */
};

/*
 * Makes an empty vector. With reserve_hint > 0, so many elements' addresses are
 * reserved: within them it grows without ever moving, and memory is taken only as it
 * grows. It may outgrow them. *vec is the caller's until mw_vec_destroy.
 *
 * Errors, in this order
 *   -EINVAL     elem_size is 0; unknown flags
 *   -EOVERFLOW  reserve_hint elements are more than a quarter of SIZE_MAX bytes
 *   -ENOMEM     no memory, or no such address range (RLIMIT_AS counts reservations)
 */
int mw_vec_create(size_t elem_size, size_t reserve_hint, unsigned flags, struct mw_vec **vec);

/* `vec` may be NULL. */
void mw_vec_destroy(struct mw_vec *vec);

/*
 * Makes the capacity at least n. Errors: -EOVERFLOW (more than a quarter of SIZE_MAX
 * bytes), -ENOMEM; the vector is then as it was, at the same address.
 */
int mw_vec_reserve(struct mw_vec *vec, size_t n);

/* Makes the size n. New elements are zero bytes. The capacity grows by an eighth at
 * least, if it grows. Errors as mw_vec_reserve. */
int mw_vec_resize(struct mw_vec *vec, size_t n);

/* Gives back what the elements do not need, down to whole pages (2 MiB from 2 MiB on);
 * addresses that are reserved stay so. Errors: -ENOMEM. */
int mw_vec_shrink_to_fit(struct mw_vec *vec);

/* Makes room for one element more. mw_vec_push's slow half. Errors as mw_vec_reserve. */
int mw_vec_grow(struct mw_vec *vec);

/* Appends a copy of *elem, which must not lie in the vector. Errors as mw_vec_reserve. */
static inline int mw_vec_push(struct mw_vec *vec, const void *elem)
{
    if (vec->size == vec->capacity) {
        int err = mw_vec_grow(vec);
        if (err)
            return err;
    }
    memcpy((char *)vec->data + vec->size * vec->elem_size, elem, vec->elem_size);
    vec->size++;
    return 0;
}

/* The first element. While the capacity is 0: NULL, or where a reservation begins. */
static inline void *mw_vec_data(const struct mw_vec *vec)
{
    return vec->data;
}

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
