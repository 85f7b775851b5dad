/* SPDX-License-Identifier: MIT */
/* test_vec.c - the vector that moves instead of being copied: VEC-1 to VEC-7. */
#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mapwright/vec.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

static struct mw_vec *make(size_t elem_size, size_t hint, unsigned flags)
{
    struct mw_vec *vec = NULL;

    assert_int_equal(mw_vec_create(elem_size, hint, flags, &vec), 0);
    assert_int_equal(vec->size, 0);
    return vec;
}

/* Marks each page, so that a page that went astray shows. */
static void mark(struct mw_vec *vec, size_t from)
{
    unsigned char *data = mw_vec_data(vec);

    for (size_t i = from / 4096 * 4096; i + 8 <= vec->size; i += 4096)
        memcpy(data + i, &i, 8);
}

static bool marked(const struct mw_vec *vec, size_t size)
{
    const unsigned char *data = mw_vec_data(vec);

    for (size_t i = 0; i + 8 <= size; i += 4096)
        if (memcmp(data + i, &i, 8) != 0)
            return false;
    return true;
}

/* VEC-1 */
static void refusals(void **state)
{
    struct mw_vec *vec = NULL;
    (void)state;

    assert_int_equal(mw_vec_create(0, 0, 0, &vec), -EINVAL);
    assert_int_equal(mw_vec_create(1, SIZE_MAX, 2, &vec), -EINVAL);
    assert_int_equal(mw_vec_create(1, SIZE_MAX / 4 + 1, 0, &vec), -EOVERFLOW);
    assert_int_equal(mw_vec_create(SIZE_MAX, 1, 0, &vec), -EOVERFLOW);
    assert_int_equal(mw_vec_create(1, SIZE_MAX / 4, 0, &vec), -ENOMEM);
    assert_null(vec);
    vec = make(3, 0, 0);
    assert_int_equal(mw_vec_reserve(vec, SIZE_MAX / 12 + 1), -EOVERFLOW);
    assert_int_equal(mw_vec_resize(vec, SIZE_MAX), -EOVERFLOW);
    assert_int_equal(mw_vec_reserve(vec, SIZE_MAX / 16), -ENOMEM);
    assert_int_equal(vec->size, 0);
    assert_int_equal(vec->capacity, 0);
    mw_vec_destroy(vec);
    mw_vec_destroy(NULL);
}

static void pushes(size_t hint, unsigned flags)
{
    struct mw_vec *vec = make(12, hint, flags);

    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t three[3] = {i, i * 3, ~i};
        assert_int_equal(mw_vec_push(vec, three), 0);
        assert_true(vec->size <= vec->capacity);
    }
    assert_int_equal(vec->size, 1000000);
    for (uint32_t i = 0; i < 1000000; i++) {
        const uint32_t *three = (const uint32_t *)mw_vec_data(vec) + (size_t)i * 3;
        assert_true(three[0] == i && three[1] == i * 3 && three[2] == ~i);
    }
    mw_vec_destroy(vec);
}

/* from nothing, within a hint, and beyond one */
static void push(void **state)
{
    (void)state;
    pushes(0, 0);
    pushes(1000000, 0);
    pushes(1, 0);
    pushes(100000, MW_VEC_HUGE);
    pushes(0, MW_VEC_HUGE);
}

/* VEC-2: within the hint it never moves; beyond it, all goes along (one mapping still) */
static void hint(void **state)
{
    struct mw_vec *vec = make(1, 32 * MIB, 0);
    void *first = vec->data;
    (void)state;

    assert_int_equal((uintptr_t)first % (2 * MIB), 0);
    assert_true(faults(vec->data, false));
    for (size_t size = 10; size <= 32 * MIB; size *= 3) {
        size_t old = vec->size;
        assert_int_equal(mw_vec_resize(vec, size), 0);
        mark(vec, old);
        assert_ptr_equal(vec->data, first);
        if (vec->capacity < 32 * MIB)
            assert_true(faults((unsigned char *)first + vec->capacity, false));
    }
    assert_int_equal(mw_vec_resize(vec, 3 * MIB), 0);
    assert_int_equal(mw_vec_shrink_to_fit(vec), 0);
    assert_int_equal(vec->capacity, 4 * MIB);
    assert_true(faults((unsigned char *)first + 4 * MIB, false));
    assert_int_equal(mw_vec_resize(vec, 32 * MIB), 0);
    assert_ptr_equal(vec->data, first);
    mark(vec, 0);
    assert_int_equal(mw_vec_resize(vec, 33 * MIB), 0);
    assert_ptr_not_equal(vec->data, first);
    assert_int_equal((uintptr_t)vec->data % (2 * MIB), 0);
    assert_true(marked(vec, 32 * MIB));
    mw_vec_destroy(vec);
}

/* a hint outgrown by the first request of all */
static void hint_too_small(void **state)
{
    struct mw_vec *vec = make(1, 1, 0);
    size_t bytes = mapped_bytes();
    (void)state;

    assert_int_equal(mw_vec_reserve(vec, 5 * MIB), 0);
    assert_int_equal(vec->capacity, 6 * MIB);
    assert_int_equal(mapped_bytes(), bytes + 6 * MIB - 4 * KIB);
    mw_vec_destroy(vec);
}

/* VEC-3: addresses and sizes are such that tables can be moved */
static void alignment(void **state)
{
    struct mw_vec *vec = make(1, 0, 0);
    size_t moves = 0;
    (void)state;

    for (size_t size = 64 * KIB; size <= 4 * GIB; size += size / 2) {
        void *before = vec->data;
        void *blocked;

        assert_int_equal(mw_vec_reserve(vec, size), 0);
        moves += vec->data != before;
        if (size >= 2 * MIB)
            assert_int_equal(vec->capacity % (2 * MIB), 0);
        if (size >= GIB)
            assert_int_equal((uintptr_t)vec->data % GIB, 0);
        else if (size >= 2 * MIB)
            assert_int_equal((uintptr_t)vec->data % (2 * MIB), 0);
        /* every third time something is in the way */
        if (moves % 3 == 0 && size >= 2 * MIB) {
            blocked = mmap((char *)vec->data + vec->capacity, 4096, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            if (blocked != MAP_FAILED) {
                assert_int_equal(mw_vec_reserve(vec, vec->capacity + 1), 0);
                assert_int_equal(munmap(blocked, 4096), 0);
            }
        }
    }
    assert_in_range(moves, 3, 40);
    mw_vec_destroy(vec);
}

/* VEC-4: new elements are zero, also where older ones were */
static void zero(void **state)
{
    static const size_t sizes[] = {100, 50 * KIB, 10, 200 * KIB, 100 * KIB, 5 * MIB, 3, 9 * MIB, MIB, 20 * MIB};
    (void)state;

    for (int hinted = 0; hinted < 2; hinted++) {
        struct mw_vec *vec = make(1, hinted ? 6 * MIB : 0, 0);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t old = vec->size;
            unsigned char *data;

            if (i % 4 == 2)
                assert_int_equal(mw_vec_shrink_to_fit(vec), 0);
            assert_int_equal(mw_vec_resize(vec, sizes[i]), 0);
            data = mw_vec_data(vec);
            for (size_t k = 0; k < sizes[i]; k++)
                if (data[k] != (k < old ? 0xee : 0))
                    fail_msg("byte %zu of %zu is %u", k, sizes[i], data[k]);
            memset(data, 0xee, sizes[i]);
        }
        mw_vec_destroy(vec);
    }
}

/* VEC-5 */
static void shrink(void **state)
{
    struct mw_vec *vec = make(1, 0, 0);
    (void)state;

    assert_int_equal(mw_vec_shrink_to_fit(vec), 0);
    assert_int_equal(mw_vec_resize(vec, 9 * MIB), 0);
    mark(vec, 0);
    assert_int_equal(mw_vec_resize(vec, 2 * MIB + 1), 0);
    assert_int_equal(mw_vec_shrink_to_fit(vec), 0);
    assert_int_equal(vec->capacity, 4 * MIB);
    assert_true(marked(vec, 2 * MIB));
    assert_int_equal(mw_vec_resize(vec, 5000), 0);
    assert_int_equal(mw_vec_shrink_to_fit(vec), 0);
    assert_int_equal(vec->capacity, 8192);
    assert_true(marked(vec, 5000));
    assert_int_equal(mw_vec_resize(vec, 0), 0);
    assert_int_equal(mw_vec_shrink_to_fit(vec), 0);
    assert_int_equal(vec->capacity, 0);
    assert_null(mw_vec_data(vec));
    assert_int_equal(mw_vec_resize(vec, 100), 0);
    assert_int_equal(mw_vec_resize(vec, 10), 0);
    assert_int_equal(mw_vec_shrink_to_fit(vec), 0);
    assert_int_equal(vec->capacity, 10);
    mw_vec_destroy(vec);
}

/* ---- failures: VEC-6 -------------------------------------------------------- */

struct growth {
    size_t hint, before, after;
};

/* Each call fails in turn, or all from one on: grown, or as it was; and nothing is left over. */
static void failures(const struct growth *g, bool all)
{
    for (unsigned n = 0; n < 100; n++) {
        size_t bytes = mapped_bytes();
        struct mw_vec *vec = make(1, g->hint, 0);
        void *data;
        size_t capacity;
        bool failed;
        int err;

        assert_int_equal(mw_vec_resize(vec, g->before), 0);
        mark(vec, 0);
        data = vec->data;
        capacity = vec->capacity;
        fail_from(n, ENOMEM, all);
        err = mw_vec_resize(vec, g->after);
        failed = fail_never();
        assert_true(marked(vec, g->before));
        if (err) {
            assert_int_equal(err, -ENOMEM);
            assert_ptr_equal(vec->data, data);
            assert_int_equal(vec->capacity, capacity);
            assert_int_equal(vec->size, g->before);
        } else {
            assert_int_equal(vec->size, g->after);
        }
        assert_true(failed || !err);
        assert_true(!all || n > 0 || err);
        /* and it can go on */
        assert_int_equal(mw_vec_resize(vec, g->after + MIB), 0);
        assert_true(marked(vec, g->before));
        mw_vec_destroy(vec);
        if (g->before > 128 * KIB && !WITH_ASAN) /* the heap keeps what it likes */
            assert_int_equal(mapped_bytes(), bytes);
        if (!failed)
            return;
    }
    fail_msg("no end of failures");
}

static void every_failure(void **state)
{
    static const struct growth growths[] = {
        {0, 0, 100},           {0, 100, 50 * KIB},       {0, 100, 5 * MIB},
        {0, 300 * KIB, 5 * MIB}, {0, 2 * MIB, 12 * MIB}, {32 * MIB, 3 * MIB, 12 * MIB},
        {8 * MIB, 3 * MIB, 9 * MIB}, {MIB, 0, 3 * MIB},
    };
    (void)state;

    for (size_t i = 0; i < sizeof growths / sizeof *growths; i++) {
        failures(&growths[i], false);
        failures(&growths[i], true);
    }
}

static void failing_creation(void **state)
{
    struct mw_vec *vec = NULL;
    size_t bytes = mapped_bytes();
    (void)state;

    for (unsigned n = 0; n < 2; n++) {
        fail_from(n, ENOMEM, false);
        assert_int_equal(mw_vec_create(8, MIB, 0, &vec), -ENOMEM);
        assert_true(fail_never());
        assert_null(vec);
        assert_int_equal(mapped_bytes(), bytes);
    }
}

static void failing_shrink(void **state)
{
    struct mw_vec *vec = make(1, 8 * MIB, 0);
    (void)state;

    assert_int_equal(mw_vec_resize(vec, 6 * MIB), 0);
    mark(vec, 0);
    vec->size = 100;
    fail_from(0, ENOMEM, false);
    assert_int_equal(mw_vec_shrink_to_fit(vec), -ENOMEM);
    assert_true(fail_never());
    assert_int_equal(vec->capacity, 8 * MIB);
    vec->size = 6 * MIB;
    assert_true(marked(vec, 6 * MIB));
    mw_vec_destroy(vec);
}

/* ---- never the old and the new: VEC-7 --------------------------------------- */

static bool limit(unsigned what, size_t bytes)
{
    struct rlimit r = {bytes, bytes};
    /* its first parameter's type depends on the C library */
    return (what == (unsigned)RLIMIT_AS ? setrlimit(RLIMIT_AS, &r) : setrlimit(RLIMIT_DATA, &r)) == 0;
}

/* Grows by doubling to 512 MiB where the limit has no room for 256 MiB beside it. */
static bool doubles(unsigned what, size_t limited)
{
    struct mw_vec *vec = make(1, 0, 0);

    if (!limit(what, limited))
        return false;
    for (size_t size = MIB; size <= 512 * MIB; size *= 2) {
        size_t old = vec->size;
        if (mw_vec_resize(vec, size) != 0)
            return false;
        mark(vec, old);
    }
    if (!marked(vec, vec->size))
        return false;
    /* and at the limit it stays as it is */
    if (mw_vec_resize(vec, 1024 * MIB) != -ENOMEM || vec->size != 512 * MIB)
        return false;
    if (!marked(vec, vec->size))
        return false;
    mw_vec_destroy(vec);
    return true;
}

static bool within_as(void *arg)
{
    (void)arg;
    return doubles(RLIMIT_AS, mapped_bytes() + 640 * MIB);
}

static bool within_data(void *arg)
{
    (void)arg;
    return doubles(RLIMIT_DATA, 640 * MIB);
}

static void limits(void **state)
{
    (void)state;
    if (WITH_ASAN) /* its shadow is beyond any limit */
        return;
    assert_true(in_child(within_as, NULL));
    assert_true(in_child(within_data, NULL));
}

static size_t peak_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[200];
    size_t kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %zu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static bool peak_is_its_size(void *arg)
{
    struct mw_vec *vec = make(1, 0, 0);
    size_t before = peak_kib();
    (void)arg;

    for (size_t size = MIB; size <= 256 * MIB; size *= 2) {
        size_t old = vec->size;
        if (mw_vec_resize(vec, size) != 0)
            return false;
        mark(vec, old);
    }
    return before > 0 && peak_kib() - before < 270 * KIB; /* in KiB: 256 MiB and a little */
}

static void peak(void **state)
{
    (void)state;
    assert_true(WITH_ASAN || in_child(peak_is_its_size, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(push),
        cmocka_unit_test(hint),
        cmocka_unit_test(hint_too_small),
        cmocka_unit_test(alignment),
        cmocka_unit_test(zero),
        cmocka_unit_test(shrink),
        cmocka_unit_test(every_failure),
        cmocka_unit_test(failing_creation),
        cmocka_unit_test(failing_shrink),
        cmocka_unit_test(limits),
        cmocka_unit_test(peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
