/* SPDX-License-Identifier: MIT */
/*
 * scale.c - what a call costs as mappings become many, and what a mapping costs
 * in memory. The engine goes to ten million; the kernel to a million, where
 * vm.max_map_count may be raised for that long, or else to what it is.
 *
 *     scale [MAPPINGS]    at most so many, instead of 10000000
 *
 * GLIBC_TUNABLES= scale    with a heap of 4 KiB pages
 *
 * scripts/plot draws the result.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "world.h"

enum { KERNEL_MOST = 1000000, KERNEL_SPARE = 1000, TURNS = 31 };

/* ---- how many mappings the kernel lets this process have ---------------------------------------- */

static const char limit_file[] = "/proc/sys/vm/max_map_count";
static char limit_before[32]; /* what stood there; empty: unchanged */

/* One program of this kind at a time: else one would put back what the other had raised. */
static void wait_for_others(void)
{
    int fd = open(limit_file, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX) != 0)
        perror(limit_file);
    /* held until the process ends */
}

static void put_limit_back(void)
{
    int fd = limit_before[0] ? open(limit_file, O_WRONLY) : -1;

    if (fd < 0)
        return;
    if (write(fd, limit_before, strlen(limit_before)) > 0)
        limit_before[0] = '\0';
    close(fd);
}

static void interrupted(int number)
{
    put_limit_back();
    signal(number, SIG_DFL);
    raise(number);
}

static uint64_t limit_now(char *text, int room)
{
    FILE *f = fopen(limit_file, "r");
    uint64_t limit = f && fgets(text, room, f) ? strtoull(text, NULL, 10) : 0;

    if (f)
        fclose(f);
    return limit;
}

/* May there be `n` mappings of ours? Raises the limit where that is allowed. */
static bool room_for(uint64_t n)
{
    char text[sizeof limit_before];
    FILE *f;

    if (n > KERNEL_MOST)
        return false;
    if (limit_now(text, sizeof text) >= n + KERNEL_SPARE)
        return true;
    if (!limit_before[0])
        memcpy(limit_before, text, sizeof text);
    f = fopen(limit_file, "w");
    if (f) {
        fprintf(f, "%llu\n", (unsigned long long)n + KERNEL_SPARE);
        fclose(f);
    }
    return limit_now(text, sizeof text) >= n + KERNEL_SPARE;
}

/* ---- what is measured beside world.h's calls ---------------------------------------------------- */

/* A page where there is room for one, and away with it. */
static double place(size_t n)
{
    double from = bench_now();

    (void)n;
    for (int i = 0; i < ROUNDS; i++) {
        if (engine) {
            int64_t a = mw_mmap(w.space, 0, PAGE, RW, ANON, NULL, 0, NULL);
            check(a > 0 && mw_munmap(w.space, (uint64_t)a, PAGE, NULL) == 0, "mw_mmap");
        } else {
            void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            check(p != MAP_FAILED && munmap(p, PAGE) == 0, "mmap");
        }
    }
    return (bench_now() - from) / (2 * ROUNDS);
}

/* No field is a multiple of it: its multiples come by each mapping once. */
#define PRIME 6700417ull

/* First writes, each in another mapping; given up again, which does not count. */
static double fault(size_t n)
{
    uint64_t times = fields < ROUNDS ? fields : ROUNDS, first = (somewhere() - FIELD) / STRIDE;
    double from = bench_now(), spent;

    (void)n;
    for (uint64_t i = 0; i < times; i++)
        do_touch(FIELD + (first + i * PRIME) % fields * STRIDE, PAGE, PAGE);
    spent = (bench_now() - from) / (double)times;
    for (uint64_t i = 0; i < times; i++)
        do_advise(FIELD + (first + i * PRIME) % fields * STRIDE, PAGE, MW_MADV_DONTNEED);
    return spent;
}

static const struct {
    const char *what;
    bench_run run;
} calls[] = {
    { "munmap and mmap at a random place", replace },
    { "mmap where there is room, and munmap", place },
    { "mprotect at a random place", protect },
    { "mremap in place at a random place", resize },
    { "mremap that moves, from a random place", move_far },
    { "a fault at a random place", fault },
};

static void measure(uint64_t n, bool kernel)
{
    char name[100];

    fields = n;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        snprintf(name, sizeof name, "%s, %llu mappings", calls[i].what, (unsigned long long)n);
        if (kernel)
            row(name, calls[i].run, 0, TURNS);
        else
            row_alone(name, calls[i].run, 0, TURNS);
    }
}

/* ---- memory -------------------------------------------------------------------------------------- */

/* Bytes in the kernel's slabs of what a mapping consists of; 0 where that can't be read. */
static double kernel_slabs(void)
{
    FILE *f = fopen("/proc/slabinfo", "r");
    double bytes = 0;
    char line[512], name[64];
    unsigned long pages, slabs;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%63s %*u %*u %*u %*u %lu : tunables %*u %*u %*u : slabdata %*u %lu", name, &pages,
                   &slabs) == 3 &&
            (strcmp(name, "vm_area_struct") == 0 || strcmp(name, "maple_node") == 0))
            bytes += (double)pages * (double)slabs * (double)PAGE;
    if (f)
        fclose(f);
    return bytes;
}

/* What the engine takes for a mapping, of `n`. */
static double engine_bytes(uint64_t n, bool scattered)
{
    double before, bytes;

    open_engine(MIB, MADV_NOHUGEPAGE);
    before = (double)w.held;
    engine = true;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = scattered ? i * PRIME % n : i;
        do_field(k, k + 1);
    }
    bytes = ((double)w.held - before) / (double)n;
    close_engine();
    return bytes;
}

static void memory(uint64_t n, double kernel_bytes)
{
    char name[100];

    for (int scattered = 0; scattered < 2; scattered++) {
        double bytes = engine_bytes(n, scattered);
        snprintf(name, sizeof name, "memory of a mapping, made in %s, %llu mappings",
                 scattered ? "scattered order" : "order", (unsigned long long)n);
        if (kernel_bytes > 0)
            report_pair(name, "bytes", (struct bench_pair){ bytes, kernel_bytes, kernel_bytes / bytes, 1 }, 1);
        else
            report_alone(name, "bytes", bytes, 1);
    }
}

/* ---- the field grows ------------------------------------------------------------------------------- */

static void clear_host(uint64_t n)
{
    engine = false;
    if (n > 0)
        do_unmap(FIELD, n * STRIDE);
    put_limit_back();
}

/* Returns the kernel's bytes a mapping, as the largest field tells; 0: not known. */
static double grow(uint64_t most)
{
    double slabs = kernel_slabs(), bytes = 0;
    uint64_t there = 0;
    bool kernel = true;

    for (uint64_t n = 100, step = 0; n <= most; n = step++ % 2 ? n / 3 * 10 : n * 3) {
        engine = true;
        do_field(there, n);
        if (kernel && !room_for(n)) {
            clear_host(there);
            kernel = false;
        }
        engine = false;
        if (kernel)
            do_field(there, n);
        if (kernel && n >= 10000 && slabs > 0) /* fewer are lost among others' */
            bytes = (kernel_slabs() - slabs) / (double)n;
        measure(n, kernel);
        there = n;
    }
    if (kernel)
        clear_host(there);
    return bytes;
}

/*
 * The engine's own memory in huge pages, as the kernel's is: glibc is told so
 * before the program begins. GLIBC_TUNABLES, if it is set, stands.
 */
static void want_huge_heap(char **argv)
{
    if (!getenv("GLIBC_TUNABLES") && setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 1) == 0)
        execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    uint64_t most = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    double kernel_bytes;

    want_huge_heap(argv);
    wait_for_others();
    bench_pin();
    atexit(put_limit_back);
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    signal(SIGHUP, interrupted);
    open_engine(256 * MIB, MADV_HUGEPAGE);
    open_host(400 * GIB, GIB);
    report_open("scale", "a call, by the number of mappings", "kernel");
    kernel_bytes = grow(most);
    close_engine();
    memory(most < KERNEL_MOST ? most : KERNEL_MOST, kernel_bytes);
    return report_close();
}
