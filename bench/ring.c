/* SPDX-License-Identifier: MIT */
/*
 * ring.c - mw_ring against a ring that splits and copies (messages made, written,
 * read and summed up), and its creation against the same sequence by hand.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapwright/ring.h"
#include "report.h"

enum { SIZE = 64 << 10, ROUNDS = 2000, CREATIONS = 40 };

static volatile uint64_t sink;

static void make_message(unsigned char *to, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = seed + i;
        memcpy(to + i, &word, 8);
    }
}

static uint64_t sum(const unsigned char *from, size_t n)
{
    uint64_t all = 0;

    for (size_t i = 0; i < n; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, 8);
        all += word;
    }
    return all;
}

/* ---- the peer: split at the end, copied in and out --------------------------- */

struct split {
    unsigned char *data;
    size_t size;
    struct mw_ring_positions positions;
};

static bool split_write(struct split *r, const unsigned char *from, size_t n)
{
    struct mw_ring_end *w = &r->positions.writer;
    size_t first;

    if (n > r->size - (size_t)(w->at - w->seen)) {
        w->seen = __atomic_load_n(&r->positions.reader.at, __ATOMIC_ACQUIRE);
        if (n > r->size - (size_t)(w->at - w->seen))
            return false;
    }
    first = r->size - w->offset < n ? r->size - w->offset : n;
    memcpy(r->data + w->offset, from, first);
    if (first < n)
        memcpy(r->data, from + first, n - first);
    w->offset = first < n ? n - first : w->offset + n == r->size ? 0 : w->offset + n;
    __atomic_store_n(&w->at, w->at + n, __ATOMIC_RELEASE);
    return true;
}

static bool split_read(struct split *r, unsigned char *to, size_t n)
{
    struct mw_ring_end *e = &r->positions.reader;
    size_t first;

    e->seen = __atomic_load_n(&r->positions.writer.at, __ATOMIC_ACQUIRE);
    if (n > (size_t)(e->seen - e->at))
        return false;
    first = r->size - e->offset < n ? r->size - e->offset : n;
    memcpy(to, r->data + e->offset, first);
    if (first < n)
        memcpy(to + first, r->data, n - first);
    e->offset = first < n ? n - first : e->offset + n == r->size ? 0 : e->offset + n;
    __atomic_store_n(&e->at, e->at + n, __ATOMIC_RELEASE);
    return true;
}

static struct mw_ring *ring;
static struct split split;
static unsigned char scratch[8192];

static double in_place(size_t n)
{
    double from = bench_now();
    size_t there;

    for (uint64_t i = 0; i < ROUNDS; i++) {
        make_message(mw_ring_reserve(ring, n), n, i);
        mw_ring_commit(ring, n);
        sink += sum(mw_ring_peek(ring, &there), n);
        mw_ring_consume(ring, n);
    }
    return bench_now() - from;
}

static double split_copy(size_t n)
{
    double from = bench_now();

    for (uint64_t i = 0; i < ROUNDS; i++) {
        make_message(scratch, n, i);
        if (!split_write(&split, scratch, n) || !split_read(&split, scratch, n))
            abort();
        sink += sum(scratch, n);
    }
    return bench_now() - from;
}

/* ---- creation ------------------------------------------------------------- */

static double create(size_t size)
{
    double from = bench_now();
    struct mw_ring *r;

    for (int i = 0; i < CREATIONS; i++) {
        if (mw_ring_create(size, MW_RING_FORK_NOTHING, &r) != 0)
            abort();
        mw_ring_destroy(r);
    }
    return bench_now() - from;
}

/* What one writes down who wants the same: guards, a check, nothing for children. */
static double create_by_hand(size_t size)
{
    double from = bench_now();
    size_t page = (size_t)sysconf(_SC_PAGESIZE), span = 2 * size + 2 * page;

    for (int i = 0; i < CREATIONS; i++) {
        int fd = memfd_create("ring", MFD_CLOEXEC);
        char *base = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        char *a = base + page, *b = a + size;
        if (fd < 0 || base == MAP_FAILED || ftruncate(fd, (off_t)size) != 0 ||
            mmap(a, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != a ||
            mmap(b, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != b ||
            madvise(base, span, MADV_DONTFORK) != 0)
            abort();
        close(fd);
        *(volatile char *)a = 1;
        if (*(volatile char *)b != 1)
            abort();
        *(volatile char *)b = 0;
        munmap(base, span);
    }
    return bench_now() - from;
}

int main(void)
{
    char name[100];

    bench_pin();
    split.data = aligned_alloc(4096, SIZE);
    split.size = SIZE;
    if (!split.data || mw_ring_create(SIZE, 0, &ring) != 0)
        return 1;
    memset(split.data, 0, SIZE);
    memset(ring->data, 0, SIZE);
    report_open("ring", "mw_ring of 64 KiB, against one that splits and copies", "peer");
    /* 8 more than a power of two, so that messages do come to lie across the end */
    for (size_t n = 64; n <= 4096; n *= 2) {
        snprintf(name, sizeof name, "a message of %zu bytes made, written, read, summed up", n + 8);
        report_pair(name, "ns", bench_compare(in_place, split_copy, n + 8, BENCH_RUNS), ROUNDS);
    }
    for (size_t n = 4096; n <= 1 << 20; n *= 16) {
        snprintf(name, sizeof name, "a ring of %zu KiB created and destroyed; peer: by hand", n >> 10);
        report_pair(name, "ns", bench_compare(create, create_by_hand, n, BENCH_RUNS), CREATIONS);
    }
    mw_ring_destroy(ring);
    free(split.data);
    return report_close();
}
