/* SPDX-License-Identifier: MIT */
/*
 * tlb_threads.c - virtual CPUs that load and store by tlb.h while another thread
 * changes the space under them. Run under ThreadSanitizer.
 *
 * Each page of the space names its slot. A slot is at one of two addresses, or
 * at none for a moment; what is found at an address is what belongs there, and
 * what a CPU has written to a word of its own it finds again. What a call has
 * replaced or taken away is not met by an access that starts after it. With a
 * flush that waits for the CPUs they write; without, they only read.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapwright/host.h"
#include "mapwright/tlb.h"

#define PAGE 4096ull
#define RW (MW_PROT_READ | MW_PROT_WRITE)
#define ANON (MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED)
#define FIXED (MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED)

enum { CPUS = 2, SLOTS = 16, FRAMES = 2048 };

#define HERE 0x100000000000ull  /* slots that move by entries, */
#define THERE 0x100040001000ull
#define FAR 0x200000000000ull   /* a table full of them that moves as one, */
#define FARTHER 0x200040000000ull
#define TABLE (512 * PAGE)
#define LOST 0x300000000000ull  /* pages that come and go, */
#define HIDDEN 0x310000000000ull
#define TWIN 0x320000000000ull  /* mirrors of slots, */
#define NEWS 0x330000000000ull  /* a page that is replaced by the next version of itself, */
#define LOCKED 0x340000000000ull /* and one that is mapped, read-only or gone */

static void fail(const char *what)
{
    fprintf(stderr, "tlb_threads: %s\n", what);
    abort();
}

static void check(bool fine, const char *what)
{
    if (!fine)
        fail(what);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct mw_port port;
static struct mw_frames *frames;
static struct mw_space *space;
static bool waits;
static atomic_bool done;
static atomic_int ready;
static atomic_uint_fast64_t version; /* of NEWS, once the call that brings it has returned */
static atomic_uint_fast64_t lock_state; /* of LOCKED: 4 * n + one of these, or unsettled */
enum { OPEN, READ_ONLY, GONE, UNSETTLED };

static void lock(void *ctx) { pthread_mutex_lock(ctx); }
static void unlock(void *ctx) { pthread_mutex_unlock(ctx); }

static void flush(void *ctx, uint64_t id, const struct mw_range *ranges, size_t n)
{
    (void)ctx, (void)id, (void)ranges, (void)n;
    while (waits && !mw_readers_passed(frames))
        sched_yield();
}

/* What the first word of a slot's page says, and of a table's page. */
static uint64_t name_of(uint64_t slot) { return 0xabcd000000000000ull | slot; }

/* ---- a virtual CPU --------------------------------------------------------------------- */

struct cpu {
    pthread_t thread;
    unsigned number;
    struct mw_tlb *tlb;
    uint64_t written[SLOTS]; /* to a word of this CPU's in each slot */
    _Atomic uint64_t found, missing, stored, refused, settled;
    uint64_t random;
};

static uint64_t rnd(struct cpu *c, uint64_t n)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (c->random >> 11) % n;
}

static bool allowed(enum mw_fault_result r)
{
    check(r == MW_FAULT_OK || r == MW_FAULT_SEGV_MAPERR || r == MW_FAULT_SEGV_ACCERR || r == MW_FAULT_OOM,
          "a fault that can't be");
    return r == MW_FAULT_OK;
}

/* The name that is at an address, if it is one of two. */
static void look(struct cpu *c, uint64_t addr, uint64_t name, bool may_be_zero)
{
    uint64_t v;

    if (!allowed(mw_load64(c->tlb, addr, &v))) {
        c->missing++;
        return;
    }
    check(v == name || (may_be_zero && v == 0), "another page's bytes");
    c->found += v == name;
}

/* The CPU's own word of a slot is as it was left. */
static void own_word(struct cpu *c, uint64_t slot)
{
    uint64_t addr = (rnd(c, 2) ? HERE : rnd(c, 2) ? THERE : TWIN) + slot * PAGE + 64 + c->number * 8, v;

    if (!waits || !allowed(mw_load64(c->tlb, addr, &v))) {
        c->missing++;
        return;
    }
    check(v == c->written[slot], "a write is lost");
    if (!allowed(mw_store64(c->tlb, addr, v + 1)))
        return;
    c->written[slot]++;
    c->stored++;
}

/* What has returned has happened. */
static void look_at_news(struct cpu *c)
{
    uint64_t least = version, v = 0, before = lock_state;
    enum mw_fault_result r;

    check(mw_load64(c->tlb, NEWS, &v) == MW_FAULT_OK && v >= least, "a page that was replaced");
    r = rnd(c, 2) ? mw_load64(c->tlb, LOCKED, &v)
                  : (waits ? mw_store64(c->tlb, LOCKED + 8 * (c->number + 1), 0) : MW_FAULT_SEGV_ACCERR + 100);
    if (lock_state != before || before % 4 == UNSETTLED || r > MW_FAULT_NOSYS)
        return;
    check((before % 4 == GONE) == (r == MW_FAULT_SEGV_MAPERR), "a page that is gone");
    check(before % 4 != OPEN || r == MW_FAULT_OK, "a page that is there");
    c->settled++;
    c->refused += r == MW_FAULT_SEGV_ACCERR;
}

static void *run_cpu(void *arg)
{
    struct cpu *c = arg;

    mw_tlb_enter(c->tlb);
    ready++;
    while (!done) {
        uint64_t slot = rnd(c, SLOTS), page = rnd(c, 512);

        look(c, (rnd(c, 2) ? HERE : THERE) + slot * PAGE, name_of(slot), false);
        look(c, TWIN + slot * PAGE, name_of(slot), false);
        look(c, (rnd(c, 2) ? FAR : FARTHER) + page * PAGE, name_of(1000 + page), false);
        look(c, LOST + slot * PAGE, name_of(2000 + slot), true);
        own_word(c, slot);
        look_at_news(c);
        if (rnd(c, 64) == 0) { /* a system call */
            mw_tlb_leave(c->tlb);
            sched_yield();
            mw_tlb_enter(c->tlb);
        }
        if (rnd(c, 256) == 0)
            mw_tlb_flush(c->tlb);
        mw_tlb_poll(c->tlb);
    }
    mw_tlb_leave(c->tlb);
    return NULL;
}

/* ---- the thread that changes the space ---------------------------------------------------- */

static void map(uint64_t addr, uint64_t bytes)
{
    check(mw_mmap(space, addr, bytes, RW, ANON, NULL, 0, NULL) == (int64_t)addr, "mmap");
}

static void put_name(uint64_t addr, uint64_t name)
{
    check(mw_write(space, addr, &name, sizeof name, NULL) == sizeof name, "mw_write");
}

static void move(uint64_t from, uint64_t to, uint64_t bytes)
{
    check(mw_mremap(space, from, bytes, bytes, FIXED, to, NULL) == (int64_t)to, "mremap");
}

/* Everything where it begins. */
static void build(void)
{
    map(HERE, SLOTS * PAGE);
    for (uint64_t i = 0; i < SLOTS; i++)
        put_name(HERE + i * PAGE, name_of(i));
    check(mw_mremap(space, HERE, SLOTS * PAGE, SLOTS * PAGE, FIXED | MW_MREMAP_MIRROR, TWIN, NULL) == (int64_t)TWIN,
          "mirror");
    map(NEWS, PAGE);
    version = 0;
    lock_state = UNSETTLED;
    map(FAR, TABLE);
    for (uint64_t i = 0; i < 512; i++)
        put_name(FAR + i * PAGE, name_of(1000 + i));
}

/* Pages with a name take the place of those that are there: their frames go round. */
static void renew(uint64_t slot)
{
    map(HIDDEN, PAGE);
    put_name(HIDDEN, name_of(2000 + slot));
    move(HIDDEN, LOST + slot * PAGE, PAGE);
}

static void fork_and_end(uint64_t slot)
{
    struct mw_space *child;
    uint64_t v = 0;

    check(mw_fork(space, 1, &child, NULL) == 0, "fork");
    sched_yield();
    check(mw_write(child, FARTHER + slot * PAGE, "child", 5, NULL) == 5, "a child's write");
    check(mw_write(child, TWIN + slot * PAGE, "child", 5, NULL) == 5, "a child's write");
    mw_read(child, TWIN + slot * PAGE + 8, &v, sizeof v, NULL);
    check(v == 0, "a child's page");
    mw_space_destroy(child);
}

static void replace_news(void)
{
    uint64_t next = version + 1;

    map(HIDDEN, PAGE);
    put_name(HIDDEN, next);
    move(HIDDEN, NEWS, PAGE);
    version = next;
}

static void settle(unsigned state)
{
    lock_state = (lock_state / 4 + 1) * 4 + state;
    for (int i = 0; i < 4 && state != UNSETTLED; i++)
        sched_yield();
}

static void turn_lock(void)
{
    settle(UNSETTLED);
    map(LOCKED, PAGE);
    settle(OPEN);
    settle(UNSETTLED);
    mw_mprotect(space, LOCKED, PAGE, MW_PROT_READ, NULL);
    settle(READ_ONLY);
    settle(UNSETTLED);
    mw_munmap(space, LOCKED, PAGE, NULL);
    settle(GONE);
}

static void change(unsigned i)
{
    uint64_t slot = i % SLOTS;

    move(HERE + slot * PAGE, THERE + slot * PAGE, PAGE);
    renew(slot);
    replace_news();
    move(FAR, FARTHER, TABLE);
    mw_mprotect(space, TWIN + slot * PAGE, PAGE, i % 2 ? MW_PROT_READ : MW_PROT_NONE, NULL);
    mw_madvise(space, LOST + slot * PAGE, PAGE, MW_MADV_DONTNEED, NULL);
    mw_mprotect(space, TWIN + slot * PAGE, PAGE, RW, NULL);
    if (i % 4 == 0)
        fork_and_end(slot);
    move(THERE + slot * PAGE, HERE + slot * PAGE, PAGE);
    renew(slot);
    move(FARTHER, FAR, TABLE);
    if (i % 8 == 0)
        turn_lock();
    mw_munmap(space, LOST + (slot ^ 1) * PAGE, PAGE, NULL);
}

static bool has_done_all(const struct cpu *c)
{
    return c->found > 100 && c->missing > 10 && c->settled > 10 && (!waits || (c->stored > 10 && c->refused > 0));
}

static bool have_done_all(const struct cpu *cpus)
{
    bool all = true;

    for (unsigned i = 0; i < CPUS; i++)
        all = all && has_done_all(&cpus[i]);
    return all;
}

static void run(bool with_waiting, unsigned changes)
{
    struct mw_config config;
    struct cpu cpus[CPUS] = { 0 };
    void *ram = aligned_alloc(PAGE, FRAMES * PAGE);
    const char *what = "";

    waits = with_waiting;
    done = false;
    ready = 0;
    check(ram && !mw_frames_create(&port, ram, FRAMES * PAGE, 12, &frames), "mw_frames_create");
    mw_config_init(&config, &port);
    config.frames = frames;
    config.options |= MW_OPT_EXTENSIONS;
    check(!mw_space_create(&config, &space), "mw_space_create");
    build();
    for (unsigned i = 0; i < CPUS; i++) {
        cpus[i] = (struct cpu){ .number = i, .random = i + 1, .tlb = aligned_alloc(64, sizeof *cpus[i].tlb) };
        check(cpus[i].tlb && !mw_tlb_attach(cpus[i].tlb, space), "mw_tlb_attach");
        pthread_create(&cpus[i].thread, NULL, run_cpu, &cpus[i]);
    }
    while (ready < CPUS)
        sched_yield();
    /* longer where there is so much else to do that a CPU had no turn */
    for (unsigned i = 0; i < changes || (!have_done_all(cpus) && i < 100 * changes); i++) {
        change(i);
        if (i % 8 == 0)
            sched_yield();
    }
    done = true;
    for (unsigned i = 0; i < CPUS; i++) {
        pthread_join(cpus[i].thread, NULL);
        mw_tlb_detach(cpus[i].tlb);
        printf("cpu %u: %llu found, %llu missing, %llu stored, %llu refused, %llu settled\n", i, (unsigned long long)cpus[i].found,
               (unsigned long long)cpus[i].missing, (unsigned long long)cpus[i].stored,
               (unsigned long long)cpus[i].refused, (unsigned long long)cpus[i].settled);
        check(has_done_all(&cpus[i]), "a CPU that did nothing");
        free(cpus[i].tlb);
    }
    check(mw_check(space, &what) == 0, what);
    mw_space_destroy(space);
    check(mw_frames_free(frames) == mw_frames_total(frames), "frames are missing");
    check(mw_frames_destroy(frames) == 0, "mw_frames_destroy");
    free(ram);
}

int main(int argc, char **argv)
{
    unsigned changes = argc > 1 ? (unsigned)atoi(argv[1]) : 400;

    port = *mw_host_port();
    port.ctx = &mutex;
    port.lock = lock;
    port.unlock = unlock;
    port.flush = flush;
    run(true, changes);
    run(false, changes);
    return 0;
}
