/* SPDX-License-Identifier: MIT */
/* ring_threads.c - RING-4 with a writer and a reader in threads of their own: built with
 * ThreadSanitizer (which takes the halves for different memory, so the bytes are
 * compared as well). Exit status 0: every byte in order. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stddef.h>

#include "mapwright/ring.h"

enum { MESSAGES = 20000, LARGEST = 3000 };

static struct mw_ring *ring;

static size_t length(unsigned i)
{
    return 1 + i * 2654435761u % LARGEST;
}

static void *writer(void *arg)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        size_t n = length(i);
        unsigned char *to;

        while (!(to = mw_ring_reserve(ring, n)))
            sched_yield();
        for (size_t k = 0; k < n; k++)
            to[k] = (unsigned char)(i + k);
        if (mw_ring_commit(ring, n) != 0)
            return arg;
    }
    return NULL;
}

/* Whether what comes next is message i. */
static bool next_is(unsigned i)
{
    size_t n = length(i), there;
    const unsigned char *from;

    while (from = mw_ring_peek(ring, &there), there < n)
        sched_yield();
    for (size_t k = 0; k < n; k++)
        if (from[k] != (unsigned char)(i + k))
            return false;
    return mw_ring_consume(ring, n) == 0;
}

static bool run(unsigned flags)
{
    pthread_t thread;
    void *failed;
    bool good = true;

    if (mw_ring_create(2 * LARGEST, flags, &ring) != 0)
        return false;
    if (pthread_create(&thread, NULL, writer, ring) != 0)
        return false;
    for (unsigned i = 0; i < MESSAGES; i++)
        good = next_is(i) && good;
    pthread_join(thread, &failed);
    mw_ring_destroy(ring);
    return good && !failed;
}

int main(void)
{
    bool good = run(MW_RING_FORK_SHARE);

    good = run(MW_RING_FORK_NOTHING) && good;
    puts(good ? "every byte in order" : "bytes out of order");
    return good ? 0 : 1;
}
