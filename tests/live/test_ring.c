/* SPDX-License-Identifier: MIT */
/* test_ring.c - the mirrored ring buffer: RING-1 to RING-7. */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapwright/ring.h"

enum { PAGE = 4096, HUGE = 2 << 20 };

static const unsigned modes[] = {MW_RING_FORK_SHARE, MW_RING_FORK_NOTHING, MW_RING_FORK_COPY};

static struct mw_ring *make(size_t size, unsigned flags)
{
    struct mw_ring *ring = NULL;

    assert_int_equal(mw_ring_create(size, flags, &ring), 0);
    assert_non_null(ring);
    return ring;
}

/* Whether the first bytes from `at` on are those of `text`. */
static bool holds(const void *at, const char *text)
{
    return memcmp(at, text, strlen(text)) == 0;
}

/* RING-1: rounded up to pages, zero, and each half the other */
static void halves(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 1 << 20; size = size * 3 + 1) {
        struct mw_ring *ring = make(size, 0);
        size_t whole = (size + PAGE - 1) / PAGE * PAGE;

        assert_int_equal(ring->size, whole);
        assert_int_equal(mw_ring_page_size(ring), PAGE);
        for (size_t i = 0; i < 2 * whole; i++)
            assert_int_equal(ring->data[i], 0);
        for (size_t i = 0; i < whole; i += 61)
            ring->data[i] = (unsigned char)(i % 251);
        for (size_t i = 0; i < whole; i += 61)
            assert_int_equal(ring->data[whole + i], i % 251);
        memcpy(ring->data + whole - 3, "across", 6);
        assert_memory_equal(ring->data, "oss", 3);
        mw_ring_destroy(ring);
    }
    mw_ring_destroy(NULL);
}

/* RING-2: whatever lies beside it, the byte before and the byte after fault */
static void guards(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct mw_ring *ring = make(3 * PAGE, modes[i]), *next = make(PAGE, modes[i]);

        for (int write = 0; write < 2; write++) {
            assert_true(faults(ring->data - 1, write));
            assert_true(faults(ring->data + 2 * ring->size, write));
            assert_true(faults(next->data - 1, write));
            assert_true(faults(next->data + 2 * next->size, write));
        }
        mw_ring_destroy(ring);
        mw_ring_destroy(next);
    }
}

/* RING-3: the errors, in their order; nothing is stored */
static void refusals(void **state)
{
    struct mw_ring *ring = NULL;
    (void)state;

    assert_int_equal(mw_ring_create(0, 0, &ring), -EINVAL);
    assert_int_equal(mw_ring_create(PAGE, 0x10, &ring), -EINVAL);
    assert_int_equal(mw_ring_create(SIZE_MAX, 0x80000000u, &ring), -EINVAL);
    assert_int_equal(mw_ring_create(PAGE, MW_RING_FORK_NOTHING | MW_RING_FORK_COPY, &ring), -EINVAL);
    assert_int_equal(mw_ring_create(PAGE, MW_RING_HUGE | MW_RING_TRY_HUGE, &ring), -EINVAL);
    assert_int_equal(mw_ring_create(SIZE_MAX, 0, &ring), -EOVERFLOW);
    assert_int_equal(mw_ring_create(SIZE_MAX / 4 + 1, 0, &ring), -EOVERFLOW);
    assert_int_equal(mw_ring_create(SIZE_MAX / 4, 0, &ring), -ENOMEM);
    assert_null(ring);
}

/* RING-4: positions go round, and nothing is ever split */
static void positions(void **state)
{
    struct mw_ring *ring = make(PAGE, 0);
    unsigned char sent = 0, expected = 0;
    size_t n;
    (void)state;

    assert_null(mw_ring_peek(ring, &n));
    assert_int_equal(n, 0);
    assert_int_equal(mw_ring_consume(ring, 1), -EINVAL);
    assert_null(mw_ring_reserve(ring, PAGE + 1));
    for (size_t size = 1; size <= PAGE; size += 7) {
        unsigned char *to = mw_ring_reserve(ring, size), *from;

        assert_non_null(to);
        for (size_t i = 0; i < size; i++)
            to[i] = sent++;
        assert_null(mw_ring_peek(ring, &n)); /* not before the commit */
        assert_int_equal(mw_ring_commit(ring, size), 0);
        assert_int_equal(mw_ring_commit(ring, PAGE - size + 1), -EINVAL);
        assert_null(mw_ring_reserve(ring, PAGE - size + 1));
        from = mw_ring_peek(ring, &n);
        assert_ptr_equal(from, to);
        assert_int_equal(n, size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(from[i], expected++);
        assert_int_equal(mw_ring_consume(ring, size + 1), -EINVAL);
        assert_int_equal(mw_ring_consume(ring, size), 0);
        assert_true(ring->positions->writer.offset < PAGE);
    }
    mw_ring_destroy(ring);
}

/* ---- fork: RING-5 ---------------------------------------------------------- */

static bool child_answers(void *arg)
{
    struct mw_ring *ring = arg;
    size_t n;
    bool asked = holds(mw_ring_peek(ring, &n), "question") && n == 8;

    memcpy(mw_ring_reserve(ring, 6), "answer", 6);
    asked = asked && mw_ring_consume(ring, 8) == 0 && mw_ring_commit(ring, 6) == 0;
    mw_ring_destroy(ring);
    return asked;
}

static void say(struct mw_ring *ring, const char *text)
{
    memcpy(mw_ring_reserve(ring, strlen(text)), text, strlen(text));
    assert_int_equal(mw_ring_commit(ring, strlen(text)), 0);
}

static void fork_shares(void **state)
{
    struct mw_ring *ring = make(PAGE, MW_RING_FORK_SHARE);
    size_t n;
    (void)state;

    say(ring, "question");
    assert_true(in_child(child_answers, ring));
    assert_true(holds(mw_ring_peek(ring, &n), "answer"));
    assert_int_equal(n, 6);
    assert_true(holds(ring->data, "question")); /* the child's destroy was its own */
    mw_ring_destroy(ring);
}

/* A page put where the parent's ring was must outlive the ring's destroy. */
static bool child_has_nothing(void *arg)
{
    struct mw_ring *ring = arg;
    unsigned char *data = ring->data;
    bool nothing = faults(data, false);
    void *own = mmap(data, PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (!nothing || own != data)
        return false;
    data[0] = 7;
    mw_ring_destroy(ring);
    return data[0] == 7;
}

static void fork_gives_nothing(void **state)
{
    struct mw_ring *ring = make(PAGE, MW_RING_FORK_NOTHING);
    (void)state;

    say(ring, "question");
    assert_true(in_child(child_has_nothing, ring));
    assert_true(holds(ring->data, "question"));
    mw_ring_destroy(ring);
}

static bool child_has_a_copy(void *arg)
{
    struct mw_ring *ring = arg;
    size_t n;
    unsigned char *at = mw_ring_peek(ring, &n);
    bool good = at && n == 8 && holds(at, "question");

    /* its own, and a ring still */
    memcpy(ring->data + ring->size, "changed!", 8);
    good = good && holds(ring->data, "changed!") && mw_ring_consume(ring, 8) == 0;
    good = good && mw_ring_reserve(ring, ring->size) == ring->data + ring->positions->writer.offset;
    mw_ring_destroy(ring);
    return good;
}

static void fork_copies(void **state)
{
    struct mw_ring *ring = make(PAGE, MW_RING_FORK_COPY), *other = make(2 * PAGE, MW_RING_FORK_COPY);
    unsigned files = open_files();
    size_t n;
    (void)state;

    say(ring, "question");
    say(other, "the other");
    assert_true(in_child(child_has_a_copy, ring));
    assert_true(holds(ring->data, "question"));
    assert_true(holds(mw_ring_peek(ring, &n), "question"));
    assert_int_equal(n, 8);
    assert_int_equal(open_files(), files);
    mw_ring_destroy(ring);
    /* round the corner, and no longer a list of two */
    assert_int_equal(mw_ring_consume(other, 0), 0);
    mw_ring_peek(other, &n);
    assert_int_equal(mw_ring_consume(other, n), 0);
    say(other, "question");
    assert_true(in_child(child_has_a_copy, other));
    mw_ring_destroy(other);
}

static bool stop_here(void *arg)
{
    struct mw_ring *ring = arg;
    return ring->size == 0 || holds(ring->data, "question");
}

static bool child_has_no_copy(void *arg)
{
    struct mw_ring *ring = arg;
    size_t n;
    bool good = ring->size == 0 && !mw_ring_reserve(ring, 1) && !mw_ring_peek(ring, &n) && n == 0 &&
                mw_ring_commit(ring, 1) == -EINVAL &&
                msync(ring->data - PAGE, PAGE, MS_ASYNC) == -1 && errno == ENOMEM;

    good = good && in_child(stop_here, ring); /* forking again is nothing special */
    mw_ring_destroy(ring);
    return good;
}

/* RING-6: a copy that can't be made is none: the parent's bytes are never the child's */
static void fork_without_memory(void **state)
{
    unsigned n, files = open_files();
    (void)state;

    for (n = 0; n < 100; n++) {
        struct mw_ring *ring = make(PAGE, MW_RING_FORK_COPY);
        bool failed, good;

        say(ring, "question");
        fail_from(n, ENOMEM, false);
        good = in_child(stop_here, ring);
        failed = fail_never();
        assert_true(good);
        assert_true(holds(ring->data, "question"));
        assert_int_equal(open_files(), files);
        mw_ring_destroy(ring);
        if (!failed)
            break;
    }
    assert_in_range(n, 3, 99); /* memfd, truncate and map at the least, in the parent alone */
}

static bool child_fails(void *arg)
{
    struct mw_ring *ring = arg;
    return ring->size == 0;
}

/* the child's own two calls come after the parent's three */
static void fork_without_memory_in_the_child(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 5; n++) {
        struct mw_ring *ring = make(PAGE, MW_RING_FORK_COPY);
        bool good, nothing;

        say(ring, "question");
        fail_from(n, ENOMEM, false);
        good = in_child(child_fails, ring);
        fail_never();
        fail_from(n, ENOMEM, true);
        nothing = in_child(child_fails, ring);
        fail_never();
        assert_true(good);
        assert_true(nothing);
        assert_true(holds(ring->data, "question"));
        mw_ring_destroy(ring);
    }
}

static void fork_without_memory_is_usable(void **state)
{
    struct mw_ring *ring = make(PAGE, MW_RING_FORK_COPY);
    bool good;
    (void)state;

    fail_from(0, EMFILE, true);
    good = in_child(child_has_no_copy, ring);
    assert_true(fail_never());
    assert_true(good);
    mw_ring_destroy(ring);
}

/* ---- failures: RING-7 ------------------------------------------------------ */

/* A failing call has left nothing mapped and nothing open. */
static void nothing_leaks(void **state)
{
    static const int errors[] = {ENOMEM, EMFILE, EAGAIN};
    (void)state;

    mw_ring_destroy(make(PAGE, MW_RING_FORK_COPY)); /* the handlers stay */
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        unsigned n;
        for (n = 0; n < 100; n++) {
            size_t bytes = mapped_bytes();
            unsigned files = open_files();
            struct mw_ring *ring = NULL;
            int err;

            fail_from(n, errors[n % 3], false);
            err = mw_ring_create(PAGE, modes[i], &ring);
            if (!fail_never()) {
                assert_int_equal(err, 0);
                mw_ring_destroy(ring);
                break;
            }
            assert_int_equal(err, n == 0 ? -ENOMEM : -errors[n % 3]);
            assert_null(ring);
            assert_int_equal(mapped_bytes(), bytes);
            assert_int_equal(open_files(), files);
        }
        assert_in_range(n, 6, 99); /* alloc, reserve, memfd, truncate, two halves */
    }
}

static void nothing_remains(void **state)
{
    size_t bytes;
    unsigned files;
    (void)state;

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        mw_ring_destroy(make(PAGE, modes[i]));
        bytes = mapped_bytes();
        files = open_files();
        for (int n = 0; n < 100; n++)
            mw_ring_destroy(make(16 * PAGE, modes[i]));
        assert_int_equal(mapped_bytes(), bytes);
        assert_int_equal(open_files(), files);
    }
}

/* Huge pages where the pool has some; else a clear error, and ordinary pages for who tries */
static void huge_pages(void **state)
{
    struct mw_ring *ring = NULL;
    int err = mw_ring_create(PAGE, MW_RING_HUGE | MW_RING_FORK_NOTHING, &ring);
    (void)state;

    if (err == 0) {
        assert_int_equal(ring->size, HUGE);
        assert_int_equal(mw_ring_page_size(ring), HUGE);
        assert_int_equal((uintptr_t)ring->data % HUGE, 0);
        memcpy(ring->data + HUGE - 3, "across", 6);
        assert_memory_equal(ring->data, "oss", 3);
        assert_true(faults(ring->data - 1, false));
        mw_ring_destroy(ring);
    } else {
        assert_true(err == -ENOMEM || err == -EOPNOTSUPP);
        assert_null(ring);
    }
    ring = make(PAGE, MW_RING_TRY_HUGE);
    assert_int_equal(ring->size, mw_ring_page_size(ring));
    mw_ring_destroy(ring);
}

static void huge_pages_missing(void **state)
{
    static const struct {
        int err, answer;
    } cases[] = {{EINVAL, -EOPNOTSUPP}, {ENOSYS, -EOPNOTSUPP}, {ENODEV, -EOPNOTSUPP},
                 {ENOENT, -EOPNOTSUPP}, {EMFILE, -EMFILE}, {ENOMEM, -ENOMEM}};
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mw_ring *ring = NULL;
        size_t bytes = mapped_bytes();

        fail_from(2, cases[i].err, false); /* after alloc and the reservation: memfd */
        assert_int_equal(mw_ring_create(PAGE, MW_RING_HUGE, &ring), cases[i].answer);
        assert_true(fail_never());
        assert_null(ring);
        assert_int_equal(mapped_bytes(), bytes);
        fail_from(2, cases[i].err, false);
        assert_int_equal(mw_ring_create(PAGE, MW_RING_TRY_HUGE, &ring), 0);
        assert_true(fail_never());
        assert_int_equal(ring->size, PAGE);
        assert_int_equal(mw_ring_page_size(ring), PAGE);
        mw_ring_destroy(ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves),
        cmocka_unit_test(guards),
        cmocka_unit_test(refusals),
        cmocka_unit_test(positions),
        cmocka_unit_test(fork_shares),
        cmocka_unit_test(fork_gives_nothing),
        cmocka_unit_test(fork_copies),
        cmocka_unit_test(fork_without_memory),
        cmocka_unit_test(fork_without_memory_in_the_child),
        cmocka_unit_test(fork_without_memory_is_usable),
        cmocka_unit_test(nothing_leaks),
        cmocka_unit_test(nothing_remains),
        cmocka_unit_test(huge_pages),
        cmocka_unit_test(huge_pages_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
