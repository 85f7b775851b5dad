/* SPDX-License-Identifier: MIT */
/*
 * thp.c - scenarios of transparent huge pages: where they come, what splits
 * them, what moves and copies them. A 2 MiB that is advised begins at each
 * HUGE_PAGES(i); a kernel that never makes them skips these.
 */
#include "scenario.h"
#include "world_watch.h"

#define HP HUGE_PAGES

static void advised(struct world *w, int64_t i, int64_t n, uint32_t prot)
{
    anon(w, HP(i), HP(n), prot);
    advise(w, HP(i), HP(n), MW_MADV_HUGEPAGE);
}

/* by mode and advice, and only where a whole one lies in the mapping (THP-1) */
SCENARIO(thp_where)
{
    transparent(w);
    anon(w, HP(0), HP(2), RW);
    touch(w, HP(0) + 5, 1);
    resident(w, HP(0), HP(2));
    advised(w, 0, 2, RW);
    touch(w, HP(0) + 5, 1);
    data(w, HP(0) + 4, 3);
    resident(w, HP(0), HP(2));
    advise(w, HP(0), HP(2), MW_MADV_NOHUGEPAGE);
    touch(w, HP(1), 1);
    resident(w, HP(0), HP(2));
    anon(w, HP(4) + 1, HP(2), RW);
    advise(w, HP(4) + 1, HP(2), MW_MADV_HUGEPAGE);
    touch(w, HP(4) + 1, 1);
    touch(w, HP(6), 1);
    resident(w, HP(4) + 1, HP(2));
    touch(w, HP(5), 1);
    resident(w, HP(4) + 1, HP(2));
    anon(w, HP(8), HP(1), RW);
    touch(w, HP(8), 1); /* a page is there when the advice comes */
    advise(w, HP(8), HP(1), MW_MADV_HUGEPAGE);
    touch(w, HP(8) + 1, 1);
    resident(w, HP(8), HP(1));
    shanon(w, HP(8), HP(1), RW);
    advise(w, HP(8), HP(1), MW_MADV_HUGEPAGE);
    touch(w, HP(8), 1);
    do_mincore(w, at(HP(8)), 4 * PAGE);
    lay(w);
}

/* read before it is written (THP-2) */
SCENARIO(thp_zeros)
{
    transparent(w);
    advised(w, 0, 2, RW);
    data(w, HP(0) + 5, 1);
    resident(w, HP(0), HP(2));
    store(w, HP(0) + 7, 7);
    data(w, HP(0) + 5, 4);
    resident(w, HP(0), HP(2));
    data(w, HP(1), 1);
    advise(w, HP(1) + 3, 1, MW_MADV_DONTNEED);
    resident(w, HP(0), HP(2));
    store(w, HP(1) + 7, 7);
    resident(w, HP(0), HP(2));
    advised(w, 4, 1, RO);
    data(w, HP(4), 1);
    resident(w, HP(4), HP(1));
    protect(w, HP(4), HP(1), RW);
    store(w, HP(4), 4);
    resident(w, HP(4), HP(1));
    lay(w);
}

/* what cuts it, and what does not (THP-4) */
SCENARIO(thp_cuts)
{
    static const uint64_t advice[] = { MW_MADV_DONTNEED, MW_MADV_SEQUENTIAL, MW_MADV_DONTFORK,
                                       MW_MADV_NOHUGEPAGE, MW_MADV_GUARD_INSTALL, MW_MADV_WILLNEED };
    static const int64_t from[] = { 0, 0, 100, 200, 511 }, n[] = { 512, 100, 100, 312, 1 };
    transparent(w);
    for (int k = 0; k < 5; k++) {
        for (unsigned i = 0; i < sizeof advice / sizeof advice[0]; i++) {
            advised(w, 0, 3, RW);
            touch(w, HP(1) + 99, 104);
            advise(w, HP(1) + from[k], n[k], advice[i]);
            resident(w, HP(0), HP(3));
            data(w, HP(1) + 98, 3);
            touch(w, HP(1) + 150, 1);
            resident(w, HP(0), HP(3));
            unmap(w, HP(0), HP(3)); /* guards end with it */
        }
        advised(w, 0, 3, RW);
        touch(w, HP(1) + 99, 104);
        protect(w, HP(1) + from[k], n[k], RO);
        resident(w, HP(0), HP(3));
        protect(w, HP(1) + from[k], n[k], NONE);
        resident(w, HP(0), HP(3));
        protect(w, HP(1) + from[k], n[k], RW);
        touch(w, HP(1) + 98, 4);
        resident(w, HP(0), HP(3));
        lay(w);
        lock(w, HP(1) + from[k], n[k]);
        resident(w, HP(0), HP(3));
        unlock(w, HP(1) + from[k], n[k]);
        unmap(w, HP(1) + from[k], n[k]);
        lay(w);
        resident(w, HP(1) + 100, 100);
    }
}

/* moved whole, by pages, in part, left behind (THP-5) */
SCENARIO(thp_moves)
{
    static const int64_t to[] = { HP(8), HP(8) + 1, HP(9) - 1 }, from[] = { 0, 5, 512 };
    transparent(w);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            for (int leave = 0; leave < 2; leave++) {
                advised(w, 0, 3, RW);
                touch(w, HP(0) + 500, 20);
                touch(w, HP(1) + 500, 20);
                move(w, HP(0) + from[k], HP(2), HP(2), leave ? DUF : FIX, to[i] + from[k]);
                lay(w);
                resident(w, HP(0), HP(1) / 2);
                data(w, to[i] + 515, 3);
                data(w, HP(2) + 3, 6);
                resident(w, HP(0) + 3, 1);
                unmap(w, HP(0), HP(12));
            }
    advised(w, 0, 2, RW);
    touch(w, HP(1), 1);
    move(w, HP(0), HP(2), HP(1) + 10, MAY, 0);
    resident(w, HP(0), HP(1) + 10);
    move(w, HP(0), HP(1) + 10, HP(3), MAY, 0);
    touch(w, HP(2), 1);
    resident(w, HP(0), HP(3));
}

/* a child's, and the parent's (THP-6) */
SCENARIO(thp_fork)
{
    transparent(w);
    advised(w, 0, 4, RW);
    touch(w, HP(0) + 9, 3);
    touch(w, HP(1) + 9, 3);
    data(w, HP(2), 1);
    forked(w);
    resident(w, HP(0), HP(4));
    store(w, HP(0) + 10, 99);
    data(w, HP(0) + 9, 3);
    store(w, HP(2) + 10, 99);
    touch(w, HP(3), 1);
    resident(w, HP(0), HP(4));
    advise(w, HP(1), 1, MW_MADV_DONTNEED);
    data(w, HP(1) + 9, 3);
    resident(w, HP(0), HP(4));
    forked(w);
    protect(w, HP(1), HP(1), RO);
    data(w, HP(0) + 9, 3);
    store(w, HP(3) + 5, 7);
    resident(w, HP(0), HP(4));
    lay(w);
}

static void collapse(struct world *w, int64_t page, int64_t n)
{
    advise(w, page, n, MW_MADV_COLLAPSE);
    resident(w, HP(0), HP(4));
}

/* arguments, kinds, what is there (ADVICE-14) */
SCENARIO(thp_collapse)
{
    transparent(w);
    anon(w, HP(0), HP(4), RW);
    collapse(w, HP(0), HP(4)); /* nothing */
    collapse(w, HP(0) + 1, HP(1));
    touch(w, HP(1), 3);
    do_madvise(w, at(HP(1)) + 1, HUGE_PAGE, MW_MADV_COLLAPSE);
    collapse(w, HP(1) + 1, HP(1)); /* none lies in it */
    collapse(w, HP(1), HP(1) - 1);
    collapse(w, HP(1) + 1, HP(1) - 1);
    collapse(w, HP(1) + 1, HP(1) - 2);
    collapse(w, HP(1), 0);
    collapse(w, HP(0), HP(4)); /* the first has no page */
    collapse(w, HP(1), HP(3)); /* the second */
    collapse(w, HP(1), HP(1)); /* it is one */
    data(w, HP(1), 4);
    advise(w, HP(1) + 9, 1, MW_MADV_DONTNEED);
    collapse(w, HP(1), HP(1));
    advise(w, HP(1) + 9, 1, MW_MADV_GUARD_INSTALL);
    collapse(w, HP(1), HP(2));
    anon(w, HP(0), HP(4), RW);
    data(w, HP(0), 1); /* only read, in memory that nobody has written */
    collapse(w, HP(0), HP(1));
    touch(w, HP(1), 1);
    collapse(w, HP(0), HP(2)); /* and that somebody has */
    anon(w, HP(0), HP(4), RW);
    touch(w, HP(0), 10);
    touch(w, HP(1), 10);
    touch(w, HP(2), 10);
    advise(w, HP(1), HP(1), MW_MADV_NOHUGEPAGE);
    collapse(w, HP(0), HP(3));
    unmap(w, HP(1), HP(1));
    collapse(w, HP(0), HP(3));
    protect(w, HP(2), HP(1), NONE);
    advise(w, HP(2), 1, MW_MADV_DONTNEED);
    collapse(w, HP(2), HP(1));
    protect(w, HP(2), HP(1), RW);
    data(w, HP(2), 3);
    anon(w, HP(0), HP(2), RW);
    touch(w, HP(0), 1);
    advise(w, HP(0), HP(1) / 2, MW_MADV_SEQUENTIAL);
    collapse(w, HP(0), HP(1)); /* cut by a border */
    lay(w);
}

/* pages that a child has too (ADVICE-14) */
SCENARIO(thp_collapse_forked)
{
    transparent(w);
    anon(w, HP(0), HP(4), RW);
    touch(w, HP(0), 20);
    advise(w, HP(1), HP(1), MW_MADV_HUGEPAGE);
    touch(w, HP(1), 20);
    forked(w);
    collapse(w, HP(0), HP(1));
    data(w, HP(0) + 18, 3);
    store(w, HP(1) + 3, 3);
    collapse(w, HP(1), HP(1));
    data(w, HP(1) + 18, 3);
}

/* ---- watched (userfaultfd) ---- */

#define MISSING MW_UFFD_MODE_MISSING
#define WP MW_UFFD_MODE_WP
#define PROTECT_ON MW_UFFD_WRITEPROTECT_MODE_WP

/* A huge page each from the i-th on that is written all over, so that none of its pages is of zeros. */
static void written(struct world *w, int64_t i, int64_t n)
{
    advised(w, i, n, RW);
    for (int64_t k = i; k < i + n; k++)
        for (int64_t page = 0; page < 512; page += 64)
            touch(w, HP(k) + page, 64);
}

static void see(struct world *w, int64_t i, int64_t n)
{
    resident(w, HP(i), HP(n));
    wps(w, HP(i), 12);
}

/* watched, they stay whole; what is absent comes by pages where that is watched (THP-1, THP-4) */
SCENARIO(thp_watched)
{
    int u;
    transparent(w);
    u = watcher(w, MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    advised(w, 0, 6, RW);
    touch(w, HP(0), 1);
    data(w, HP(1), 1);
    watch(w, u, HP(0), HP(3), MISSING);
    see(w, 0, 6);
    meet(w, HP(2) + 7, true);
    resolve(w, WATCH_COPY, u, HP(2) + 7, 3, 0);
    resolve(w, WATCH_COPY, u, HP(0) + 7, 1, 0);
    resolve(w, WATCH_ZEROPAGE, u, HP(0) + 7, 1, 0);
    see(w, 2, 1);
    store(w, HP(1) + 9, 9);
    advise(w, HP(0), HP(1), MW_MADV_DONTNEED);
    meet(w, HP(0), true);
    see(w, 0, 6);
    watch(w, u, HP(3), HP(2), WP);
    touch(w, HP(3), 1);
    data(w, HP(4), 1);
    see(w, 0, 6);
    touch(w, HP(4) + 9, 1);
    see(w, 3, 3);
    unwatch(w, u, HP(3), HP(1));
    watch(w, u, HP(4) + 9, 1, WP);
    see(w, 0, 6);
    lay(w);
}

/* write protection of all of one, and of a part (WATCH-8, WATCH-15) */
SCENARIO(thp_protected)
{
    int u;
    transparent(w);
    u = watcher(w, MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    advised(w, 0, 7, RW);
    for (int64_t i = 0; i < 4; i++)
        touch(w, HP(i), 2);
    data(w, HP(4), 1);
    data(w, HP(5), 1);
    watch(w, u, HP(0), HP(6), WP);
    resolve(w, WATCH_PROTECT, u, HP(0), HP(6), PROTECT_ON);
    see(w, 0, 6);
    meet(w, HP(0) + 5, true);
    meet(w, HP(0) + 5, false);
    see(w, 0, 1);
    resolve(w, WATCH_PROTECT, u, HP(0) + 5, 1, 0);
    touch(w, HP(0) + 5, 1);
    see(w, 0, 1);
    resolve(w, WATCH_PROTECT, u, HP(1), HP(1), 0);
    touch(w, HP(1) + 5, 1);
    see(w, 1, 1);
    resolve(w, WATCH_PROTECT, u, HP(1) + 3, 4, PROTECT_ON);
    see(w, 1, 1);
    protect(w, HP(2), HP(1), NONE);
    protect(w, HP(2), HP(1), RW);
    see(w, 2, 1);
    protect(w, HP(2) + 1, 1, RO);
    see(w, 2, 1);
    move(w, HP(3), HP(1), HP(1), FIX, HP(8));
    resident(w, HP(8), HP(1));
    wps(w, HP(8), 8);
    touch(w, HP(6), 1);
    watch(w, u, HP(6), HP(1), WP);
    resolve(w, WATCH_PROTECT, u, HP(6), 4, PROTECT_ON);
    see(w, 6, 1);
    resolve(w, WATCH_PROTECT, u, HP(4), HP(1), 0);
    touch(w, HP(4) + 5, 1);
    resolve(w, WATCH_PROTECT, u, HP(5) + 5, 1, 0);
    touch(w, HP(5) + 5, 1);
    see(w, 4, 2);
    unwatch(w, u, HP(0), HP(3));
    touch(w, HP(2) + 6, 1);
    see(w, 0, 6);
}

/* without messages: the page that is written is protected no more (WATCH-8) */
SCENARIO(thp_protected_async)
{
    int u;
    transparent(w);
    u = watcher(w, MW_UFFD_FEATURE_WP_ASYNC);
    advised(w, 0, 3, RW);
    touch(w, HP(0), 1);
    data(w, HP(1), 1);
    watch(w, u, HP(0), HP(3), WP);
    resolve(w, WATCH_PROTECT, u, HP(0), HP(3), PROTECT_ON);
    see(w, 0, 3);
    for (int64_t i = 0; i < 3; i++) {
        touch(w, HP(i) + 4, 1);
        see(w, i, 1);
    }
    data(w, HP(0) + 4, 2);
    advise(w, HP(0), 3, MW_MADV_DONTNEED);
    see(w, 0, 3);
    forked(w);
    see(w, 0, 3);
}

/* moved whole from one place for a huge page to another, else by pages (WATCH-17) */
SCENARIO(thp_carried)
{
    int u;
    transparent(w);
    u = watcher(w, MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    written(w, 0, 3);
    advised(w, 4, 4, RW);
    watch(w, u, HP(4), HP(4), MISSING);
    carry(w, u, HP(0), HP(4), HP(1), 0);
    resident(w, HP(0), HP(8));
    data(w, HP(4) + 3, 2);
    carry(w, u, HP(1) + 3, HP(5) + 3, 1, 0);
    resident(w, HP(0), HP(8));
    carry(w, u, HP(2), HP(6) + 8, HP(1), 0);
    resident(w, HP(0), HP(8));
    data(w, HP(6) + 8, 2);
    unmap(w, HP(0), HP(8));
    written(w, 0, 2);
    advised(w, 4, 3, RW);
    touch(w, HP(4), 1);
    watch(w, u, HP(4), HP(3), MISSING);
    carry(w, u, HP(0), HP(4), HP(2), 0); /* a huge page is there */
    resident(w, HP(0), HP(8));
    resolve(w, WATCH_COPY, u, HP(5) + 3, 1, 0);
    carry(w, u, HP(1), HP(5), HP(1), 0); /* a page is there */
    resident(w, HP(0), HP(8));
    carry(w, u, HP(0), HP(6), HP(1) - 1, 0);
    resident(w, HP(0), HP(8));
    unmap(w, HP(0), HP(8));
    written(w, 1, 1);
    data(w, HP(2), 1);
    advised(w, 4, 3, RW);
    watch(w, u, HP(4), HP(3), MISSING | WP);
    carry(w, u, HP(0), HP(4), HP(3), MW_UFFD_MOVE_MODE_ALLOW_SRC_HOLES);
    resident(w, HP(0), HP(8));
}

/* So many written and protected huge pages, and from the fourth on room for others to go to; returns their watcher. */
static int carrier(struct world *w, int64_t pages, int64_t room)
{
    int u;
    transparent(w);
    u = watcher(w, MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    written(w, 0, pages);
    watch(w, u, HP(0), HP(pages), WP);
    resolve(w, WATCH_PROTECT, u, HP(0), HP(pages), PROTECT_ON);
    advised(w, 4, room, RW);
    watch(w, u, HP(4), HP(room), MISSING | WP);
    return u;
}

/* a child has it too; protected (WATCH-17) */
SCENARIO(thp_carried_shared)
{
    int u = carrier(w, 1, 2);
    carry(w, u, HP(0), HP(4), HP(1), 0);
    resident(w, HP(0), HP(5));
    wps(w, HP(4), 8);
    touch(w, HP(4), 1);
    forked(w);
    u = watcher(w, MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP);
    watch(w, u, HP(5), HP(1), MISSING);
    carry(w, u, HP(4), HP(5), HP(1), 0);
    resident(w, HP(0), HP(6));
}

/* protected ones that go by pages: each arrives unprotected (WATCH-17) */
SCENARIO(thp_carried_by_pages)
{
    int u = carrier(w, 3, 5);
    carry(w, u, HP(0), HP(4) + 8, HP(1), 0);
    wps(w, HP(4), 24);
    carry(w, u, HP(1) + 3, HP(6), HP(1), 0);
    wps(w, HP(6), 16);
    wps(w, HP(1), 16);
    resident(w, HP(0), HP(9));
}

/* ---- at random ---- */

static uint64_t seed;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

enum { ALL = 8 * 512 };

static void any_range(int64_t *page, int64_t *n)
{
    int64_t unit = below(2) ? 512 : 1;
    *page = below((uint32_t)(ALL / unit)) * unit;
    *n = (1 + below((uint32_t)((ALL - *page) / unit))) * unit;
    if (unit == 1 && below(4))
        *n = *n < 9 ? *n : 9;
}

/*
 * One call. `counted`: what is there and in how many huge pages is compared
 * too. Then pages go by whole huge pages only, for a table of pages that the kernel keeps
 * when all its pages have gone keeps huge pages away (CAVEATS.md).
 */
static void random_step(struct world *w, bool counted)
{
    static const uint64_t advice[] = { MW_MADV_HUGEPAGE, MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE, MW_MADV_SEQUENTIAL,
                                       MW_MADV_NORMAL, MW_MADV_COLLAPSE, MW_MADV_DONTNEED, MW_MADV_DONTNEED,
                                       MW_MADV_GUARD_INSTALL, MW_MADV_GUARD_REMOVE };
    static const uint32_t prots[] = { RW, RW, RW, RO, NONE };
    uint32_t what = below(100), prot = prots[below(5)];
    int64_t page, n, to;
    any_range(&page, &n);
    if (below(30) == 0)
        advised(w, 0, 8, RW);
    if (what < 16 && counted) {
        page &= ~511ll;
        n = (n + 511) & ~511ll;
    }
    to = below(2) && !counted ? below((uint32_t)(ALL - n + 1)) : (page & 511) + below(8) * 512;
    if (what < 4)
        anon(w, page, n, prot);
    else if (what < 8)
        unmap(w, page, n);
    else if (what < 16)
        move(w, page, n, n, below(4) || counted ? FIX : DUF, to);
    else if (what < 22)
        protect(w, page, n, prot);
    else if (what < 42)
        advise(w, page, n, advice[below(counted ? 6 : 10)]);
    else if (what < 43)
        forked(w);
    else if (what < 80)
        touch(w, page, 1 + below(4));
    else
        data(w, page, 4);
    if (counted)
        resident(w, 0, ALL);
}

static void at_random(struct world *w, uint64_t first, bool counted)
{
    transparent(w);
    seed = first * 0x9e3779b97f4a7c15ull;
    advised(w, 0, 8, RW);
    for (int i = 0; i < 400; i++)
        random_step(w, counted);
    lay(w);
}

SCENARIO(thp_random_1) { at_random(w, 1, false); }
SCENARIO(thp_random_2) { at_random(w, 2, false); }
SCENARIO(thp_random_3) { at_random(w, 3, true); }
SCENARIO(thp_random_4) { at_random(w, 4, true); }
