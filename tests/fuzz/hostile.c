/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - mremap with any arguments at all, on spaces of every version and
 * option; mw_check as it goes. What it may change it changes; nothing crashes,
 * leaks or is half done, and a result and its reason belong together.
 *
 *   hostile [--calls N] [--seed S]
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapwright/watch.h"

#define PAGE 4096ull
#define BASE 0x100000000000ull
#define FRAMES 600
#define HUGE_PAGES 3
#define EPISODE 500 /* calls on one space */

static _Alignas(4096) unsigned char ram[FRAMES * PAGE + (HUGE_PAGES + 1) * MW_HUGE_SIZE];
static size_t allocations;
static uint64_t state;
static uint32_t fail_one_in;

static void *count_alloc(void *ctx, size_t size)
{
    static uint32_t n;
    (void)ctx;
    if (fail_one_in && ++n % fail_one_in == 0)
        return NULL;
    allocations++;
    return malloc(size);
}

static void count_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    allocations--;
    free(p);
}

static const struct mw_port port = { .alloc = count_alloc, .free = count_free };

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}

static uint64_t below(uint64_t n) { return (rnd() >> 20) % n; }

static void die(const char *what, uint64_t call)
{
    fprintf(stderr, "hostile: call %llu: %s\n", (unsigned long long)call, what);
    abort();
}

/* Near what is mapped, near the ends of what can be, or anything. */
static uint64_t address(void)
{
    switch (below(20)) {
    case 0: return rnd();
    case 1: return rnd() & 0x7fffffffffff;
    case 2: return 0x7ffffffff000 - below(4) * PAGE + below(2);
    case 3: return 0 - below(3 * PAGE);
    case 4: return BASE + below(8) * MW_HUGE_SIZE + below(2) * PAGE;
    default: return BASE + below(80) * PAGE + (below(30) == 0);
    }
}

static uint64_t length(void)
{
    switch (below(20)) {
    case 0: return rnd();
    case 1: return 0 - below(3 * PAGE);
    case 2: return 1ull << below(64);
    case 3: return below(4) * MW_HUGE_SIZE;
    default: return below(30) * PAGE + (below(9) == 0);
    }
}

static uint64_t flags(void)
{
    static const uint64_t likely[] = { 0, 1, 1, 3, 3, 3, 5, 7 };
    uint64_t f = likely[below(8)];
    if (below(3) == 0)
        f |= (uint64_t)MW_MREMAP_MIRROR << below(3);
    return below(20) ? f : below(2) ? below(8) : rnd();
}

/* What there is to remap: every kind, in random places. */
static void furnish(struct mw_space *s, struct mw_file *file)
{
    static const uint64_t special[] = { MW_VM_SEALED, MW_VM_UFFD, MW_VM_DONTEXPAND, MW_VM_PFNMAP,
                                        MW_VM_LOCKED, MW_VM_DONTCOPY };
    for (int i = 0; i < 6; i++) {
        uint64_t at = BASE + below(70) * PAGE, n = (1 + below(6)) * PAGE;
        uint32_t how = below(2) ? MW_MAP_PRIVATE : MW_MAP_SHARED;
        how |= below(3) ? MW_MAP_ANONYMOUS : 0;
        how |= below(8) == 0 ? MW_MAP_GROWSDOWN : 0;
        mw_mmap(s, at, n, below(8), how | MW_MAP_FIXED, file, below(8) * PAGE, NULL);
        if (below(4) == 0)
            mw_import_flags(s, at, at + PAGE, 0, special[below(6)], true);
        if (below(4) == 0)
            mw_madvise(s, at, n, below(27), NULL);
        if (below(9) == 0)
            mw_madvise(s, at, PAGE, MW_MADV_GUARD_INSTALL, NULL);
        if (below(9) == 0)
            mw_mlock2(s, at, n, below(2), NULL);
        if (below(2))
            mw_write(s, at, &at, sizeof at, NULL);
    }
    if (below(4) == 0)
        mw_mmap(s, BASE + below(6) * MW_HUGE_SIZE, (1 + below(2)) * MW_HUGE_SIZE, 3,
                MW_MAP_ANONYMOUS | MW_MAP_FIXED | MW_MAP_HUGETLB |
                    (below(2) ? MW_MAP_PRIVATE : MW_MAP_SHARED),
                NULL, 0, NULL);
}

static struct mw_space *new_space(struct mw_frames *frames)
{
    static const uint32_t versions[] = { MW_LINUX(2, 6), MW_LINUX(5, 4), MW_LINUX(5, 10),
                                         MW_LINUX(6, 1), MW_LINUX(6, 12), MW_LINUX(6, 16),
                                         MW_LINUX(6, 18), MW_LINUX(7, 3) };
    struct mw_config c;
    struct mw_space *s;
    mw_config_init(&c, &port);
    c.frames = below(4) ? frames : NULL;
    c.linux_version = versions[below(8)];
    c.options = (below(2) ? MW_OPT_DEFECTS : 0) | (below(2) ? MW_OPT_EXTENSIONS : 0) |
                (below(2) ? MW_OPT_THP : 0);
    c.max_map_count = below(3) ? 65530 : 30;
    c.overcommit = (uint32_t)below(3);
    c.ram_pages = c.commit_limit = below(2) ? 1 << 20 : 200;
    c.limit_as = below(3) ? MW_UNLIMITED : 300 * PAGE;
    c.limit_memlock = below(3) ? MW_UNLIMITED : 9 * PAGE;
    fail_one_in = 0;
    if (mw_space_create(&c, &s) != 0)
        die("no space", 0);
    return s;
}

static void one(struct mw_space *s, uint64_t call)
{
    uint64_t old = address(), osz = length(), nsz = below(3) ? osz : length(), how = flags();
    uint64_t to = address();
    struct mw_why why;
    if (nsz > 1 << 26 && nsz < 1ull << 44) /* locked growth would populate for long */
        nsz &= (1 << 26) - 1;
    int64_t r = mw_mremap(s, old, osz, nsz, how, to, &why);
    if (r < 0 && r > -4096 ? why.err != -r : why.err != 0)
        die("the reason is not the result's", call);
}

/* A watcher's calls. What is copied from is the caller's own memory, and as long as the caller says. */
static void watch(struct mw_watcher *w, uint64_t call)
{
    static const unsigned char page[4096];
    uint64_t at = address(), n = length(), mode = below(9) ? below(8) : rnd();
    struct mw_why why;
    int64_t r;
    switch (below(9)) {
    case 0: r = mw_watch_unregister(w, at, n, &why); break;
    case 1: r = mw_watch_copy(w, at, page, below(5) ? PAGE : 0, mode, &why); break;
    case 2: r = mw_watch_zeropage(w, at, n, mode, &why); break;
    case 3: r = mw_watch_continue(w, at, n, mode, &why); break;
    case 4: r = mw_watch_poison(w, at, n, mode, &why); break;
    case 5: r = mw_watch_move(w, at, address(), n, mode, &why); break;
    case 6: r = mw_watch_writeprotect(w, at, n, mode, &why); break;
    default: r = mw_watch_register(w, at, n, mode, NULL, &why); break;
    }
    if (r < 0 && why.err != -r)
        die("a watcher's reason is not the result's", call);
}

static void episode(uint64_t first, uint64_t calls)
{
    struct mw_frames *frames;
    struct mw_object *o;
    const char *what;
    fail_one_in = 0;
    if (mw_frames_create(&port, ram, sizeof ram, 12, &frames) != 0)
        die("no frames", first);
    mw_frames_set_huge(frames, 21, HUGE_PAGES);
    if (mw_object_create(&port, frames, NULL, NULL, 12 * PAGE + 5, MW_OBJ_SHMEM, &o) != 0)
        die("no object", first);
    struct mw_file file = { o, MW_FILE_READ | MW_FILE_WRITE };
    struct mw_space *s = new_space(frames);
    struct mw_watcher *w;
    bool watched = mw_watch_create(s, below(2) ? 0 : below(1 << 17), NULL, NULL, &w, NULL) == 0;
    fail_one_in = below(3) ? 0 : 2 + (uint32_t)below(12);
    for (uint64_t i = 0; i < calls; i++) {
        if (i % 25 == 0)
            furnish(s, &file);
        if (watched && below(3) == 0)
            watch(w, first + i);
        else
            one(s, first + i);
        if (i % 10 == 9 && mw_check(s, &what) != 0)
            die(what, first + i);
    }
    mw_space_destroy(s);
    mw_object_put(o);
    mw_frames_set_huge(frames, 21, 0);
    if (mw_frames_free(frames) != mw_frames_total(frames) || mw_frames_destroy(frames) != 0)
        die("frames leaked", first);
    if (allocations != 0)
        die("memory leaked", first);
}

int main(int argc, char **argv)
{
    uint64_t calls = 200000, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--calls") == 0)
            calls = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 0);
    for (uint64_t done = 0; done < calls; done += EPISODE) {
        state = (seed * 0x9e3779b97f4a7c15ull + done) | 1;
        for (int i = 0; i < 8; i++)
            rnd();
        episode(done, EPISODE);
    }
    printf("%llu calls\n1 passed, 0 failed\n", (unsigned long long)calls);
    return 0;
}
