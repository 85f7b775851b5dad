/* SPDX-License-Identifier: MIT */
/*
 * rewire_threads.c - REWIRE-7: threads that read and count through a view while its pages
 * change places: built with ThreadSanitizer. Exit status 0: every access met a page that
 * was there, and no count was lost.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../live/hostcall.h"
#include "mapwright/rewire.h"

enum { PAGES = 8, ROUNDS = 3000, COUNTERS = 2 };

/* What lies on a page. */
struct page {
    _Atomic uint64_t number, count;
};

static struct mw_rewire *pool;
static struct mw_rewire_view *view, *all;
static atomic_bool stop;
static unsigned calls, refused;

static struct page *page_at(const struct mw_rewire_view *v, uint64_t unit)
{
    return (struct page *)(void *)(v->data + unit * v->unit);
}

/* Past ThreadSanitizer, which takes an mmap for a write to all that it maps. One in 37 is refused. */
static void *raw_map(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    if (flags & MAP_FIXED && ++calls % 37 == 0) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
}

/* Units of even number show pages of even number, the others the others. */
static void *count(void *arg)
{
    static char wrong;
    uint64_t *counted = arg;

    for (uint64_t unit = 0; !atomic_load(&stop); unit = (unit + 1) % PAGES) {
        struct page *p = page_at(view, unit);
        uint64_t number = atomic_load(&p->number);
        if (number >= PAGES || number % 2 != unit % 2)
            return &wrong;
        atomic_fetch_add(&p->count, 1);
        ++*counted;
    }
    return NULL;
}

static bool done_or_undone(int err)
{
    refused += err == -ENOMEM;
    return err == 0 || err == -ENOMEM;
}

/* Every kind of change, with some that the host refuses half-way. */
static bool change(uint64_t round)
{
    uint64_t a = round % 4 * 2, b = (round / 4 + round) % 4 * 2, pages[PAGES + 2];

    if (a != b && !done_or_undone(mw_rewire_swap(view, a, view, b, 1)))
        return false;
    if (!done_or_undone(mw_rewire_swap(view, 1, view, 5, 3)))
        return false;
    /* the last two to the front, the others after them */
    if (mw_rewire_pages(view, 0, PAGES, pages + 2) != 0)
        return false;
    pages[0] = pages[PAGES];
    pages[1] = pages[PAGES + 1];
    return done_or_undone(mw_rewire_set(view, 0, pages, PAGES));
}

static bool all_in_order(void)
{
    bool good = true;

    for (uint64_t i = 0; good && i < PAGES; i++) {
        good = mw_rewire_set(all, i, &i, 1) == 0 && mw_rewire_set(view, i, &i, 1) == 0;
        atomic_store(&page_at(all, i)->number, i);
    }
    return good;
}

static bool run(uint64_t rounds)
{
    pthread_t threads[COUNTERS];
    uint64_t counted[COUNTERS * 8] = {0}, there = 0;
    bool good = true;
    void *failed;

    for (int i = 0; i < COUNTERS; i++)
        if (pthread_create(&threads[i], NULL, count, &counted[i * 8]) != 0)
            return false;
    for (uint64_t i = 0; i < rounds && good; i++)
        good = change(i);
    atomic_store(&stop, true);
    for (int i = 0; i < COUNTERS; i++) {
        pthread_join(threads[i], &failed);
        good = good && !failed;
        there += counted[i * 8];
    }
    for (uint64_t i = 0; i < PAGES; i++)
        there -= atomic_load(&page_at(all, i)->count);
    return good && there == 0;
}

int main(void)
{
    struct mw_rewire_config config = {.pages = PAGES};
    bool good;

    mw_hostcall.map = raw_map;
    good = mw_rewire_create(&config, &pool) == 0 && mw_rewire_view_create(pool, PAGES, 0, &view) == 0 &&
           mw_rewire_view_create(pool, PAGES, 0, &all) == 0 && all_in_order() && run(ROUNDS) && refused > ROUNDS / 10;
    mw_rewire_destroy(pool);
    puts(good ? "every count is there" : "counts are missing");
    return good ? 0 : 1;
}
