/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - guest memory accesses through tlb.h against the same loop on plain
 * memory, the cost of a miss, and readers beside a thread that remaps.
 */
#include <pthread.h>

#include "mapwright/tlb.h"
#include "world.h"

/* ---- the guest ------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct mw_tlb *tlb;
static unsigned char *plain; /* what the guest's memory is compared with */

static void port_lock(void *ctx) { pthread_mutex_lock(ctx); }
static void port_unlock(void *ctx) { pthread_mutex_unlock(ctx); }

static void open_guest(void)
{
    static struct mw_port locked;

    locked = *mw_host_port();
    locked.ctx = &mutex;
    locked.lock = port_lock;
    locked.unlock = port_unlock;
    open_engine_on(&locked, 2 * GIB, MADV_HUGEPAGE);
    plain = mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(plain != MAP_FAILED, "mmap");
    madvise(plain, GIB, MADV_HUGEPAGE);
    tlb = aligned_alloc(64, sizeof *tlb);
    check(tlb && mw_tlb_attach(tlb, w.space) == 0, "mw_tlb_attach");
}

#define SMALL (1ull << 40)  /* memory in pages */
#define MIXED (2ull << 40)  /* in pages, in no order */
#define LARGE (3ull << 40)  /* in huge pages */

static void map_guest(void)
{
    const uint32_t fixed = ANON | MW_MAP_FIXED;

    check(mw_frames_set_huge(w.frames, 21, 512) == 512, "mw_frames_set_huge");
    check(mw_mmap(w.space, LARGE, GIB, RW, fixed | MW_MAP_HUGETLB | MW_MAP_POPULATE, NULL, 0, NULL) > 0, "mw_mmap, huge");
    check(mw_mmap(w.space, SMALL, 256 * MIB, RW, fixed | MW_MAP_POPULATE, NULL, 0, NULL) > 0, "mw_mmap");
    check(mw_mmap(w.space, MIXED, 16 * MIB, RW, fixed, NULL, 0, NULL) > 0, "mw_mmap");
    for (uint64_t i = 0; i < 4096; i++)
        check(mw_fault(w.space, MIXED + i * 1021 % 4096 * PAGE, MW_ACCESS_WRITE) == MW_FAULT_OK, "mw_fault");
    mw_tlb_enter(tlb);
}

/* ---- loops, each in the guest and on plain memory ---------------------------------------------- */

static volatile uint64_t sink;
static uint64_t base; /* of the guest's memory that is used */

enum { ACCESSES = 1 << 20 };

#define GUEST_SUM(name, type, get)                                    \
    static double name(size_t size)                                   \
    {                                                                 \
        struct mw_tlb *t = tlb;                                       \
        double from = bench_now();                                    \
        uint64_t sum = 0, n = 0;                                      \
                                                                      \
        for (; n < ACCESSES; n += size / sizeof(type))                \
            for (uint64_t a = base, end = base + size; a < end; a += sizeof(type)) { \
                type v;                                               \
                if (get(t, a, &v) != MW_FAULT_OK)                   \
                    abort();                                          \
                sum += v;                                             \
            }                                                         \
        sink = sum;                                                   \
        return (bench_now() - from) / (double)n;                      \
    }

/* The compiler is kept from adding several numbers at once: an emulated program's loads come one by one. */
#define PLAIN_SUM(name, type)                                         \
    static double name(size_t size)                                   \
    {                                                                 \
        double from = bench_now();                                    \
        uint64_t sum = 0, n = 0;                                      \
                                                                      \
        for (; n < ACCESSES; n += size / sizeof(type))                \
            for (uintptr_t a = (uintptr_t)plain, end = a + size; a < end; a += sizeof(type)) \
                sum += *(const volatile type *)a;                     \
        sink = sum;                                                   \
        return (bench_now() - from) / (double)n;                      \
    }

GUEST_SUM(guest_load8, uint8_t, mw_load8)
GUEST_SUM(guest_load32, uint32_t, mw_load32)
GUEST_SUM(guest_load64, uint64_t, mw_load64)
PLAIN_SUM(plain_load8, uint8_t)
PLAIN_SUM(plain_load32, uint32_t)
PLAIN_SUM(plain_load64, uint64_t)

static double guest_store64(size_t size)
{
    struct mw_tlb *t = tlb;
    double from = bench_now();
    uint64_t n = 0;

    for (; n < ACCESSES; n += size / 8)
        for (uint64_t a = base, end = base + size; a < end; a += 8)
            if (mw_store64(t, a, n) != MW_FAULT_OK)
                abort();
    return (bench_now() - from) / (double)n;
}

static double plain_store64(size_t size)
{
    double from = bench_now();
    uint64_t n = 0;

    for (; n < ACCESSES; n += size / 8)
        for (uintptr_t a = (uintptr_t)plain, end = a + size; a < end; a += 8)
            *(volatile uint64_t *)a = n;
    return (bench_now() - from) / (double)n;
}

static uint64_t step(uint64_t x) { return x * 6364136223846793005ull + 1442695040888963407ull; }

/* Independent loads all over the memory. */
static double guest_random(size_t size)
{
    struct mw_tlb *t = tlb;
    double from = bench_now();
    uint64_t sum = 0, x = 1, v;

    for (int i = 0; i < ACCESSES; i++) {
        x = step(x);
        if (mw_load64(t, base + ((x >> 20) & (size - 8)), &v) != MW_FAULT_OK)
            abort();
        sum += v;
    }
    sink = sum;
    return (bench_now() - from) / ACCESSES;
}

static double plain_random(size_t size)
{
    double from = bench_now();
    uint64_t sum = 0, x = 1;

    for (int i = 0; i < ACCESSES; i++) {
        x = step(x);
        sum += *(const volatile uint64_t *)(plain + ((x >> 20) & (size - 8)));
    }
    sink = sum;
    return (bench_now() - from) / ACCESSES;
}

/* A list of cache lines in random order: each holds the offset of the next. */
static void make_chain(size_t size)
{
    size_t n = size / 64;
    uint32_t *order = malloc(n * sizeof *order);
    uint64_t x = 7;

    check(order, "malloc");
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = (size_t)((x = step(x)) >> 33) % (i + 1);
        uint32_t t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t next = order[(i + 1) % n] * 64ull;

        memcpy(plain + order[i] * 64ull, &next, sizeof next);
        check(mw_store64(tlb, base + order[i] * 64ull, next) == MW_FAULT_OK, "mw_store64");
    }
    free(order);
}

static double guest_chain(size_t size)
{
    struct mw_tlb *t = tlb;
    double from = bench_now();
    uint64_t at = 0;

    (void)size;
    for (int i = 0; i < ACCESSES; i++)
        if (mw_load64(t, base + at, &at) != MW_FAULT_OK)
            abort();
    sink = at;
    return (bench_now() - from) / ACCESSES;
}

static double plain_chain(size_t size)
{
    double from = bench_now();
    uint64_t at = 0;

    (void)size;
    for (int i = 0; i < ACCESSES; i++)
        at = *(const volatile uint64_t *)(plain + at);
    sink = at;
    return (bench_now() - from) / ACCESSES;
}

/* A walk and its entry, of pages one after the other that the TLB does not have. */
static double miss(size_t size)
{
    struct mw_tlb *t = tlb;
    double from;
    uint64_t v, n = size / PAGE;

    mw_tlb_flush(tlb);
    from = bench_now();
    for (uint64_t i = 0; i < n; i++)
        if (mw_load64(t, base + i * PAGE, &v) != MW_FAULT_OK)
            abort();
    return (bench_now() - from) / (double)n;
}

/* The walk alone, of pages whose tables are hot. */
static double walk(size_t size)
{
    struct mw_translation t;
    uint64_t n = size / PAGE;
    double from;

    mw_tlb_poll(tlb);
    from = bench_now();
    for (uint64_t i = 0; i < n; i++)
        if (mw_translate(&tlb->reader, base + i * PAGE, MW_ACCESS_READ, &t) != MW_FAULT_OK)
            abort();
    return (bench_now() - from) / (double)n;
}

static double hit_pages(size_t size)
{
    struct mw_tlb *t = tlb;
    double from;
    uint64_t v, n = size / PAGE;

    from = bench_now();
    for (uint64_t i = 0; i < n; i++)
        if (mw_load64(t, base + i * PAGE, &v) != MW_FAULT_OK)
            abort();
    return (bench_now() - from) / (double)n;
}

static double flush_all(size_t n)
{
    double from = bench_now();

    for (size_t i = 0; i < n; i++)
        mw_tlb_flush(tlb);
    return (bench_now() - from) / (double)n;
}

static void against(const char *what, bench_run guest, bench_run peer, uint64_t at, size_t size, size_t turns)
{
    base = at;
    mw_tlb_flush(tlb);
    report_pair(what, "ns", bench_compare(guest, peer, size, turns), 1);
}

static void chains(void)
{
    static const struct {
        const char *what;
        uint64_t at, size;
    } chains[] = {
        { "dependent loads, 32 KiB (L1)", SMALL + MIB, 32 << 10 },
        { "dependent loads, 32 KiB (L1), scattered pages", MIXED, 32 << 10 },
        { "dependent loads, 512 KiB (L2)", SMALL + MIB, 512 << 10 },
        { "dependent loads, 512 KiB (L2), scattered pages", MIXED, 512 << 10 },
        { "dependent loads, 4 MiB", SMALL, 4 << 20 },
        { "dependent loads, 64 MiB, huge pages", LARGE, 64 << 20 },
        { "dependent loads, 1 GiB, huge pages", LARGE, GIB },
    };

    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        base = chains[i].at;
        make_chain(chains[i].size);
        against(chains[i].what, guest_chain, plain_chain, chains[i].at, chains[i].size, 15);
    }
}

/* ---- readers beside a thread that remaps ---------------------------------------------------------- */

enum { TURNS = 15 };
static bool stop;

struct vcpu {
    pthread_t thread;
    uint64_t done;
    double cpu, wall; /* ns that it ran, and that passed */
    bool by_tlb;
};

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Pages all over 64 MiB, by a walk each or through a TLB. */
static void *run_vcpu(void *arg)
{
    struct vcpu *c = arg;
    struct mw_tlb *t = aligned_alloc(64, sizeof *t);
    struct mw_translation found;
    uint64_t x = (uintptr_t)arg, n = 0, v;
    double cpu = cpu_now(), wall = bench_now();

    check(t && mw_tlb_attach(t, w.space) == 0, "mw_tlb_attach");
    mw_tlb_enter(t);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        for (int i = 0; i < 1000; i++, n++) {
            x = step(x);
            if (c->by_tlb && mw_load64(t, SMALL + (x >> 20) % (2 * MIB), &v) != MW_FAULT_OK)
                abort();
            if (!c->by_tlb) {
                mw_tlb_poll(t);
                if (mw_translate(&t->reader, SMALL + (x >> 20) % (64 * MIB), MW_ACCESS_READ, &found) != MW_FAULT_OK)
                    abort();
            }
        }
    *c = (struct vcpu){ c->thread, n, cpu_now() - cpu, bench_now() - wall, c->by_tlb };
    mw_tlb_leave(t);
    mw_tlb_detach(t);
    free(t);
    return NULL;
}

static uint64_t remaps;

/* A MiB goes to and fro for a tenth of a second, ten thousand times a second at most. */
static void remap(void)
{
    double end = bench_now() + 1e8;
    uint64_t to[2] = { SMALL + 128 * MIB, SMALL + GIB };

    for (; bench_now() < end; remaps++) {
        check(mw_mremap(w.space, to[remaps % 2], MIB, MIB, FIXED, to[(remaps + 1) % 2], NULL) > 0,
              "mw_mremap");
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    }
    while (remaps % 2) /* back where it began */
        remaps += mw_mremap(w.space, to[1], MIB, MIB, FIXED, to[0], NULL) > 0;
}

/* Accesses a microsecond, of all readers: of the time that passed, or that they had a core for. */
static void turn(size_t readers, bool by_tlb, double *by_wall, double *by_cpu)
{
    struct vcpu c[2] = { { .by_tlb = by_tlb }, { .by_tlb = by_tlb } };

    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    for (size_t i = 0; i < readers; i++)
        pthread_create(&c[i].thread, NULL, run_vcpu, &c[i]);
    remap();
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    *by_wall = *by_cpu = 0;
    for (size_t i = 0; i < readers; i++) {
        pthread_join(c[i].thread, NULL);
        *by_wall += (double)c[i].done / c[i].wall * 1e3;
        *by_cpu += (double)c[i].done / c[i].cpu * 1e3;
    }
}

static void scaling(const char *what, const char *while_running, bool by_tlb)
{
    double wall[2][TURNS], cpu[2][TURNS], ratio[2][TURNS];
    size_t turns = bench_turns(TURNS);

    for (size_t i = 0; i < turns; i++) {
        turn(1 + i % 2, by_tlb, &wall[i % 2][i], &cpu[i % 2][i]);
        turn(2 - i % 2, by_tlb, &wall[1 - i % 2][i], &cpu[1 - i % 2][i]);
        ratio[0][i] = wall[1][i] / wall[0][i];
        ratio[1][i] = cpu[1][i] / cpu[0][i];
    }
    report_pair(what, "a us", (struct bench_pair){ bench_median(wall[1], turns), bench_median(wall[0], turns),
                                                   bench_median(ratio[0], turns), turns }, 1);
    report_pair(while_running, "a us", (struct bench_pair){ bench_median(cpu[1], turns), bench_median(cpu[0], turns),
                                                            bench_median(ratio[1], turns), turns }, 1);
}

static void alone(const char *what, bench_run run, uint64_t at, size_t size)
{
    base = at;
    row_alone(what, run, size, 101);
}

static void in_a_row(void)
{
    against("loads of 8 bytes in a row, 16 KiB", guest_load64, plain_load64, SMALL + MIB, 16 << 10, 51);
    against("loads of 8 bytes in a row, 16 KiB, scattered pages", guest_load64, plain_load64, MIXED, 16 << 10, 51);
    against("loads of 8 bytes in a row, 2 MiB", guest_load64, plain_load64, SMALL, 2 << 20, 51);
    against("loads of 8 bytes in a row, 2 MiB, scattered pages", guest_load64, plain_load64, MIXED, 2 << 20, 51);
    against("loads of 8 bytes in a row, 2 MiB, a huge page", guest_load64, plain_load64, LARGE, 2 << 20, 51);
    against("loads of 4 bytes in a row, 16 KiB", guest_load32, plain_load32, SMALL + MIB, 16 << 10, 51);
    against("loads of 1 byte in a row, 16 KiB", guest_load8, plain_load8, SMALL + MIB, 16 << 10, 51);
    against("stores of 8 bytes in a row, 16 KiB", guest_store64, plain_store64, SMALL + MIB, 16 << 10, 51);
    against("stores of 8 bytes in a row, 16 KiB, scattered pages", guest_store64, plain_store64, MIXED, 16 << 10, 51);
}

static void at_random(void)
{
    against("random loads, 1 MiB", guest_random, plain_random, SMALL + MIB, 1 << 20, 51);
    against("random loads, 1 MiB, scattered pages", guest_random, plain_random, MIXED, 1 << 20, 51);
    against("random loads, 1 GiB, huge pages", guest_random, plain_random, LARGE, GIB, 15);
}

static void close_guest(void)
{
    mw_tlb_leave(tlb);
    mw_tlb_detach(tlb);
    free(tlb);
    munmap(plain, GIB);
    close_engine();
}

int main(void)
{
    report_open("tlb", "guest memory through tlb.h against plain pointers, an access", "plain");
    open_guest();
    map_guest();
    mw_tlb_leave(tlb);
    scaling("walks while pages move, two readers; peer: one",
            "walks while pages move, two readers, of the time that they ran; peer: one", false);
    scaling("loads while pages move, two readers; peer: one",
            "loads while pages move, two readers, of the time that they ran; peer: one", true);
    mw_tlb_enter(tlb);
    bench_pin();
    in_a_row();
    chains();
    at_random();
    alone("a walk, hot tables (2 MiB)", walk, MIXED, 2 << 20);
    alone("a miss: the load, its walk and its entry", miss, MIXED, 2 << 20);
    alone("a hit, of the same pages", hit_pages, MIXED, 2 << 20);
    alone("a flush of everything", flush_all, SMALL, 100000);
    close_guest();
    return report_close();
}
