/* SPDX-License-Identifier: MIT */
/*
 * counts.c - the calls whose instructions scripts/counts counts, beside 1,000
 * mappings. Each count_ function is one call, or two that undo each other; what
 * it needs is made before it and taken away after it, uncounted.
 */
#include "world.h"

enum { TIMES = 100, MAPPINGS = 1000 };

/* Negative: it failed. */
#define COUNTED static __attribute__((noinline)) int64_t
#define AWAY (8 * TIB)
#define FIELD_SIZE (MAPPINGS * STRIDE - PAGE)

static uint64_t place; /* of the field: another one each time */
static int64_t found;
static struct mw_space *child;
static char text[PAGE];

static int64_t mw_move(uint64_t n, uint64_t flags, uint64_t to)
{
    return mw_mremap(w.space, w.base, n, n, flags, w.base + to, NULL);
}

COUNTED count_mmap_munmap(void)
{
    return mw_mmap(w.space, w.base, PAGE, RW, ANON | MW_MAP_FIXED, NULL, 0, NULL) |
           mw_munmap(w.space, w.base, PAGE, NULL);
}

COUNTED count_mmap_anywhere(void) { return found = mw_mmap(w.space, 0, PAGE, RW, ANON, NULL, 0, NULL); }
static void unmap_found(void) { check(mw_munmap(w.space, (uint64_t)found, PAGE, NULL) == 0, "mw_munmap"); }

COUNTED count_mprotect_split_merge(void)
{
    return mw_mprotect(w.space, place + PAGE, PAGE, MW_PROT_READ, NULL) |
           mw_mprotect(w.space, place + PAGE, PAGE, RW, NULL);
}

COUNTED count_mremap_shrink(void) { return mw_mremap(w.space, place, 3 * PAGE, 2 * PAGE, 0, 0, NULL); }
COUNTED count_mremap_grow(void) { return mw_mremap(w.space, place, 2 * PAGE, 3 * PAGE, 0, 0, NULL); }
static void shrink(void) { check(mw_mremap(w.space, place, 3 * PAGE, 2 * PAGE, 0, 0, NULL) > 0, "mw_mremap"); }
static void grow(void) { check(mw_mremap(w.space, place, 2 * PAGE, 3 * PAGE, 0, 0, NULL) > 0, "mw_mremap"); }

COUNTED count_find_vma(void)
{
    struct mw_vma vma;

    return mw_find_vma(w.space, place, &vma) ? 0 : -1;
}

static void populate(uint64_t n, uint64_t step)
{
    do_map_small(0, n);
    do_touch(0, n, step);
}
static void page(void) { populate(PAGE, PAGE); }
static void untouched_page(void) { do_map_small(0, PAGE); }
static void two_mib(void) { populate(2 * MIB, PAGE); }
static void sparse_gib(void) { populate(GIB, 2 * MIB); }
static void no_page(void) { do_unmap(0, PAGE); }
static void no_page_away(void) { do_unmap(AWAY, PAGE); }
static void no_two_mib(void) { do_unmap(0, 2 * MIB); }
static void no_two_mib_off(void) { do_unmap(AWAY + PAGE, 2 * MIB); }
static void no_gib(void) { do_unmap(AWAY, GIB); }
static void no_gibs(void)
{
    do_unmap(0, GIB);
    do_unmap(AWAY, GIB);
}

COUNTED count_fault(void) { return -(int64_t)mw_fault(w.space, w.base, MW_ACCESS_WRITE); }
COUNTED count_read(void) { return (int64_t)mw_read(w.space, w.base, text, PAGE, NULL) - (int64_t)PAGE; }
COUNTED count_munmap_2m(void) { return mw_munmap(w.space, w.base, 2 * MIB, NULL); }
COUNTED count_mremap_page(void) { return mw_move(PAGE, FIXED, AWAY); }
COUNTED count_mremap_2m_off(void) { return mw_move(2 * MIB, FIXED, AWAY + PAGE); }
COUNTED count_mremap_1g(void) { return mw_move(GIB, FIXED, AWAY); }
COUNTED count_mirror_1g(void) { return mw_move(GIB, FIXED | MW_MREMAP_MIRROR, AWAY); }

COUNTED count_mremap_1000(void)
{
    return mw_mremap(w.space, w.base + FIELD, FIELD_SIZE, FIELD_SIZE, FIXED, w.base + ELSEWHERE, NULL);
}
static void field_back(void) { do_move(ELSEWHERE, FIELD, FIELD_SIZE); }

COUNTED count_fork_2m(void) { return mw_fork(w.space, 1, &child, NULL); }
static void no_child(void)
{
    mw_space_destroy(child);
    no_two_mib();
}

static void nothing(void) {}

static const struct {
    const char *name, *what;
    void (*before)(void);
    int64_t (*counted)(void);
    void (*after)(void);
} counts[] = {
#define COUNT(name, what, before, after) { #name, what, before, count_##name, after }
    COUNT(mmap_munmap, "mmap and munmap of a page", nothing, nothing),
    COUNT(mmap_anywhere, "mmap of a page where there is room", nothing, unmap_found),
    COUNT(mprotect_split_merge, "mprotect that splits, and one that merges", nothing, nothing),
    COUNT(mremap_grow, "mremap that grows by a page in place", shrink, nothing),
    COUNT(mremap_shrink, "mremap that shrinks by a page", nothing, grow),
    COUNT(mremap_page, "mremap of a touched page to a fixed address", page, no_page_away),
    COUNT(mremap_2m_off, "mremap of 2 MiB, populated, off by a page", two_mib, no_two_mib_off),
    COUNT(mremap_1g, "mremap of 1 GiB, aligned, a page in each 2 MiB", sparse_gib, no_gib),
    COUNT(mremap_1000, "mremap of 1,000 mappings", nothing, field_back),
    COUNT(mirror_1g, "mirror of 1 GiB, aligned, a page in each 2 MiB", sparse_gib, no_gibs),
    COUNT(munmap_2m, "munmap of 2 MiB, populated", two_mib, nothing),
    COUNT(fault, "fault on anonymous memory, the page cleared", untouched_page, no_page),
    COUNT(read, "mw_read of a page", page, no_page),
    COUNT(find_vma, "mw_find_vma", nothing, nothing),
    COUNT(fork_2m, "fork beside 2 MiB populated", two_mib, no_child),
};

/* Prints each one's name, how often it was called, and what it is. */
int main(void)
{
    open_engine(64 * MIB, MADV_NOHUGEPAGE);
    engine = true;
    do_field(0, MAPPINGS);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (uint64_t i = 0; i < TIMES; i++) {
            place = at(FIELD + i * 617 % MAPPINGS * STRIDE);
            counts[c].before();
            check(counts[c].counted() >= 0, counts[c].name);
            counts[c].after();
        }
        printf("%s %d %s\n", counts[c].name, TIMES, counts[c].what);
    }
    close_engine();
    return 0;
}
