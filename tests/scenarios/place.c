/* SPDX-License-Identifier: MIT */
/* place.c - scenarios of the address that the kernel chooses. */
#include "scenario.h"

#define PA (PRIV | ANON)

static uint64_t put(struct world *w, uint64_t hint, uint64_t len, uint32_t more)
{
    return (uint64_t)do_mmap(w, hint, len, RW, PA | more, NO_FILE, 0);
}

/* top-down: the next one goes right below, freed room at the top is used again (PLACE-4) */
SCENARIO(place_top_down)
{
    uint64_t a = put(w, 0, 4 * PAGE, 0), b = put(w, 0, PAGE, MW_MAP_NORESERVE);
    put(w, 0, 2 * PAGE, 0);
    lay(w);
    do_munmap(w, a, 4 * PAGE);
    put(w, 0, 3 * PAGE, MW_MAP_STACK);
    put(w, 0, 2 * PAGE, MW_MAP_NORESERVE);
    put(w, 0, PAGE, MW_MAP_STACK);
    do_munmap(w, b, PAGE);
    put(w, 0, PAGE, 0);
    lay(w);
    count(w);
}

/* the highest hole that fits */
SCENARIO(place_holes)
{
    uint64_t a = put(w, 0, 40 * PAGE, 0);
    do_munmap(w, a + 2 * PAGE, 3 * PAGE);
    do_munmap(w, a + 10 * PAGE, 8 * PAGE);
    do_munmap(w, a + 30 * PAGE, 2 * PAGE);
    for (uint64_t n = 1; n < 6; n++) {
        do_mmap(w, 0, n * PAGE, RO, PA, NO_FILE, 0);
        lay(w);
    }
    do_mmap(w, 0, 5 * PAGE, NONE, PA, NO_FILE, 0);
    lay(w);
}

/* hints: taken, free, partly free, unaligned, at the ends of the address space (PLACE-3) */
SCENARIO(place_hints)
{
    anon(w, 10, 4, RO);
    put(w, at(0), PAGE, 0);
    put(w, at(10), PAGE, 0);
    put(w, at(9), 2 * PAGE, 0);
    put(w, at(8), 2 * PAGE, 0);
    put(w, at(14), PAGE, 0);
    put(w, at(20) + 1, PAGE, 0);
    put(w, at(22) + PAGE - 1, PAGE, 0);
    put(w, at(13) + 1, PAGE, 0);
    put(w, ~0ull, PAGE, 0);
    put(w, 0ull - PAGE, PAGE, 0);
    put(w, KERNEL_HALF, PAGE, 0);
    put(w, TASK_END, PAGE, 0);
    put(w, TASK_END - PAGE, PAGE, 0);
    put(w, TASK_END - 2 * PAGE, 4 * PAGE, 0);
    put(w, TASK_END + 1, PAGE, 0);
    put(w, 1ull << 63, PAGE, 0);
    lay(w);
}

/* a hint above the base is honoured where it is free: room under the stack */
SCENARIO(place_hint_above_base)
{
    put(w, w->session->mmap_base, PAGE, 0);
    put(w, w->session->mmap_base + 16 * PAGE, PAGE, 0);
    put(w, 0, PAGE, 0);
    do_munmap(w, w->session->mmap_base, 32 * PAGE);
    put(w, w->session->mmap_base + 4 * PAGE, 2 * PAGE, MW_MAP_FIXED_NOREPLACE);
    lay(w);
}

/* large anonymous mappings of whole huge pages are aligned (6.7), others are not (PLACE-7) */
SCENARIO(place_huge_lengths)
{
    static const uint64_t lengths[] = {
        HUGE_PAGE, HUGE_PAGE - PAGE, HUGE_PAGE + PAGE, 2 * HUGE_PAGE, 3 * HUGE_PAGE,
        5 * HUGE_PAGE + PAGE, 4 * HUGE_PAGE - 1, 512 * HUGE_PAGE, PAGE,
    };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        put(w, 0, lengths[i], 0);
        put(w, 0, lengths[i], MW_MAP_NORESERVE);
        put(w, 0, PAGE, MW_MAP_STACK);
        do_mmap(w, 0, lengths[i], RO, SHARED | ANON, NO_FILE, 0);
        put(w, at(5), lengths[i], 0);
        do_munmap(w, at(5), lengths[i]);
        lay(w);
    }
    put(w, 1, 2 * HUGE_PAGE, 0);
    put(w, PAGE, 2 * HUGE_PAGE, MW_MAP_STACK);
    count(w);
}

/* holes that a large mapping could use only unaligned */
SCENARIO(place_huge_holes)
{
    uint64_t a = put(w, 0, 10 * HUGE_PAGE, 0);
    put(w, 0, PAGE, MW_MAP_STACK);
    do_munmap(w, a + PAGE, 2 * HUGE_PAGE);
    do_munmap(w, a + 4 * HUGE_PAGE, HUGE_PAGE);
    do_munmap(w, a + 6 * HUGE_PAGE + 5 * PAGE, 2 * HUGE_PAGE);
    for (int i = 0; i < 5; i++)
        put(w, 0, HUGE_PAGE, i & 1 ? MW_MAP_NORESERVE : 0);
    put(w, 0, 2 * HUGE_PAGE, 0);
    lay(w);
}

/* files and shared memory: huge alignment by file offset on file systems that do so (PLACE-8) */
SCENARIO(place_files)
{
    int m = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    int d = file_of(w, FILE_DISK, 4, MW_FILE_READ | MW_FILE_WRITE);
    for (int i = 0; i < 2; i++)
        for (int type = 1; type <= 2; type++)
            for (uint64_t off = 0; off < 4 * PAGE; off += 3 * PAGE) {
                do_mmap(w, 0, 2 * HUGE_PAGE, RO, (uint32_t)type, i ? m : d, off);
                do_mmap(w, 0, 2 * HUGE_PAGE + PAGE, RO, (uint32_t)type, i ? m : d, off);
                do_mmap(w, 0, 3 * PAGE, RO, (uint32_t)type, i ? m : d, off);
                do_mmap(w, 0, HUGE_PAGE, RO, (uint32_t)type, i ? m : d, off + HUGE_PAGE);
                do_mmap(w, 0, HUGE_PAGE / 2, RO, (uint32_t)type, i ? m : d, off);
            }
    lay(w);
}

/* a growing stack placed by the kernel gets its guard gap, and keeps others away (PLACE-5) */
SCENARIO(place_guard_gap)
{
    put(w, 0, 2 * PAGE, MW_MAP_GROWSDOWN);
    put(w, 0, PAGE, 0);
    put(w, 0, PAGE, MW_MAP_STACK);
    lay(w);
    mapped(w, 1000, 2, RW, PA | MW_MAP_GROWSDOWN);
    put(w, at(999), PAGE, 0);
    put(w, at(744), PAGE, 0);
    put(w, at(743), PAGE, 0);
    put(w, at(742), 2 * PAGE, 0);
    put(w, at(800), PAGE, MW_MAP_FIXED_NOREPLACE);
    put(w, at(1002), PAGE, 0);
    put(w, at(1002), PAGE, MW_MAP_FIXED_NOREPLACE);
    lay(w);
    anon(w, 2000, 1, RW);
    put(w, at(2001), PAGE, MW_MAP_GROWSDOWN);
    put(w, at(2256), PAGE, MW_MAP_GROWSDOWN);
    put(w, at(2257), PAGE, MW_MAP_GROWSDOWN);
    lay(w);
}

/* nothing fits below the base: the search goes on from below (PLACE-4, PLACE-1) */
SCENARIO(place_from_below)
{
    uint64_t big = 0;
    do_mmap(w, 0, 0x600000000000ull, NONE, PA | MW_MAP_NORESERVE, NO_FILE, 0);
    do_mmap(w, 0, 0x500000000000ull, NONE, PA | MW_MAP_NORESERVE, NO_FILE, 0);
    for (uint64_t size = 1ull << 46; size >= 1ull << 30; size /= 2)
        for (int i = 0; i < 3; i++)
            big += do_mmap(w, 0, size, NONE, PA | MW_MAP_NORESERVE, NO_FILE, 0) > 0;
    say(w, "%llu fitted", (unsigned long long)big);
    lay(w);
}

/* what mremap and brk leave behind is room for mmap */
SCENARIO(place_after_moves)
{
    uint64_t a = put(w, 0, 8 * PAGE, 0);
    do_mremap(w, a + 2 * PAGE, 2 * PAGE, 2 * PAGE, FIX, at(5));
    put(w, 0, 2 * PAGE, MW_MAP_STACK);
    do_mremap(w, a + 6 * PAGE, 2 * PAGE, PAGE, 0, 0);
    put(w, 0, PAGE, MW_MAP_NORESERVE);
    do_mremap(w, a, 2 * PAGE, 4 * PAGE, MAY, 0);
    lay(w);
    put(w, 0, 2 * PAGE, 0);
    lay(w);
}

/* MAP_FIXED_NOREPLACE and hints inside a sea of small mappings */
SCENARIO(place_sea)
{
    for (int i = 0; i < 100; i++)
        put(w, 0, PAGE * (1 + (uint64_t)i % 3), i % 2 ? MW_MAP_NORESERVE : MW_MAP_STACK);
    uint64_t last = w->last;
    for (int i = 0; i < 60; i += 7)
        do_munmap(w, last + (uint64_t)(i * 4096), 2 * PAGE);
    for (int i = 0; i < 12; i++)
        put(w, i % 3 ? 0 : last + (uint64_t)i * 5 * PAGE, PAGE * (1 + (uint64_t)i % 2), 0);
    lay(w);
    count(w);
}
