/* SPDX-License-Identifier: MIT */
/* calls.c - the engine's small calls against the kernel's, beside 1,000 mappings; and faults. */
#include "world.h"

static void make_field(uint64_t n)
{
    do_field(0, n);
    fields = n;
}

static double map_unmap(size_t n)
{
    double from = bench_now();

    for (int i = 0; i < ROUNDS; i++) {
        do_map(0, n);
        do_unmap(0, n);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

static void one_page(uint64_t n)
{
    do_map_small(0, n);
    do_touch(0, n, PAGE);
}

static double move_touched(size_t n)
{
    double from = bench_now();

    for (int i = 0; i < ROUNDS; i++) {
        do_move(0, 16 * GIB, n);
        do_move(16 * GIB, 0, n);
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

/* The whole field, there and back. */
static double move_field(size_t touched)
{
    uint64_t n = fields * STRIDE - PAGE;
    double from;

    do_field(0, fields);
    for (uint64_t i = 0; touched && i < fields; i++)
        do_touch(FIELD + i * STRIDE, PAGE, PAGE);
    from = bench_now();
    do_move(FIELD, ELSEWHERE, n);
    do_move(ELSEWHERE, FIELD, n);
    return (bench_now() - from) / 2;
}

static double faults(size_t n)
{
    double spent;

    do_map_small(0, n);
    spent = bench_now();
    do_touch(0, n, PAGE);
    spent = bench_now() - spent;
    do_unmap(0, n);
    return spent / (double)(n / PAGE);
}

static double clear_pages(size_t n)
{
    static char page[64 * MIB] __attribute__((aligned(4096)));
    double from = bench_now();

    for (size_t i = 0; i < n; i += PAGE)
        memset(page + i, 0, PAGE);
    return (bench_now() - from) / (double)(n / PAGE);
}

/* Linux before 6.17 has no call that moves several mappings. */
static bool kernel_moves_several(void)
{
    uint64_t n = 2 * STRIDE - PAGE;

    engine = false;
    return mremap((void *)at(FIELD), n, n, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at(ELSEWHERE)) != MAP_FAILED;
}

static void move_fields(void)
{
    static const char *const what[] = { "one mremap that moves 1,000 mappings",
                                        "one mremap that moves 1,000 mappings, a page of each touched" };
    bool kernel = kernel_moves_several();

    for (size_t touched = 0; touched < 2; touched++) {
        if (kernel)
            row(what[touched], move_field, touched, 51);
        else
            row_alone(what[touched], move_field, touched, 51);
    }
}

int main(void)
{
    bench_pin();
    open_engine(GIB, MADV_HUGEPAGE);
    open_host(200 * GIB, GIB);
    report_open("calls", "engine against kernel, a call, beside 1,000 mappings", "kernel");
    both(make_field, 1000);
    row("mmap and munmap of a page", map_unmap, PAGE, 101);
    row("mprotect that splits and merges again", protect, 0, 101);
    row("mremap by a page in place", resize, 0, 101);
    row("munmap and mmap somewhere", replace, 0, 101);
    row("mremap to a fixed address, untouched", move_far, 0, 101);
    both(one_page, PAGE);
    row("mremap of a touched page", move_touched, PAGE, 101);
    row("a fault on anonymous memory, zeroing included", faults, 16 * MIB, 21);
    current = faults;
    report_pair("a fault on anonymous memory; peer: clearing a page by memset", "ns",
                bench_compare(ours, clear_pages, 16 * MIB, 21), 1);
    move_fields();
    close_engine();
    return report_close();
}
