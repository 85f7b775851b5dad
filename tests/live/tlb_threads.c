/* SPDX-License-Identifier: MIT */
/*
 * tlb_threads.c - virtual CPUs that load and store by tlb.h while another thread
 * changes the space under them. Run under ThreadSanitizer.
 *
 * Each page of the space names its slot. A slot is at one of two addresses, or
 * at none for a moment; what is found at an address is what belongs there, and
 * what a CPU has written to a word of its own it finds again. What a call has
 * replaced or taken away is not met by an access that starts after it. With a
 * flush that waits for the CPUs they write; without, they only read. A file is
 * cut, made longer, mapped elsewhere and written back meanwhile.
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
#define LOCKED 0x340000000000ull /* one that is mapped, read-only or gone, */
#define BOOK 0x350000040000ull   /* a file, mapped shared, */
#define COPY 0x360000050000ull   /* the same, private, */
#define COVER 0x370000060000ull  /* and its first pages, to which a CPU each writes */
#define HALF 4ull                /* of its pages. No two of the last three meet in a TLB, nor with slots */

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
static atomic_uint_fast64_t book_state; /* the same, of BOOK and COPY */
enum { LONGER, CUT, SHIFTED };
static struct mw_object *book;
static uint64_t on_disk[CPUS][PAGE / 8]; /* the book's first pages, as they were last written back */

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
    uint64_t written[SLOTS]; /* to a word of this CPU's in each slot, */
    _Atomic uint64_t noted;  /* and on a page of the book's cover */
    _Atomic uint64_t found, missing, stored, refused, settled, turned;
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
    check(r == MW_FAULT_OK || r == MW_FAULT_SEGV_MAPERR || r == MW_FAULT_SEGV_ACCERR ||
              r == MW_FAULT_BUS_ADRERR || r == MW_FAULT_OOM,
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

/* What BOOK's or COPY's page has in a settled state; false: nothing. */
static bool book_has(unsigned state, bool copy, uint64_t page, uint64_t *name)
{
    bool behind = page >= HALF;

    if (behind && (state == CUT || (state == SHIFTED && !copy)))
        return false;
    *name = name_of(3000 + page);
    if (state == SHIFTED && (behind || !copy))
        *name = name_of(copy ? 4000 + page : 3000 + HALF + page);
    else if (behind)
        *name = 0;
    return true;
}

static void look_at_book(struct cpu *c)
{
    uint64_t page = rnd(c, 2 * HALF), before = book_state, v = 0, name = 0;
    bool copy = rnd(c, 2), there;
    bool found = allowed(mw_load64(c->tlb, (copy ? COPY : BOOK) + page * PAGE, &v));

    if (book_state != before || before % 4 == UNSETTLED)
        return;
    there = book_has(before % 4, copy, page, &name);
    check(found == there, "a page of the book that is gone or there");
    check(!there || v == name, "another page's bytes in the book");
    c->turned++;
}

/* What is written while the book is written back is not lost. */
static void note(struct cpu *c)
{
    uint64_t addr = COVER + c->number * PAGE + 64, v = 0;

    if (!waits)
        return;
    check(mw_load64(c->tlb, addr, &v) == MW_FAULT_OK && v == c->noted, "a note is lost");
    check(mw_store64(c->tlb, addr, ++c->noted) == MW_FAULT_OK, "a note can't be written");
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
        look_at_book(c);
        note(c);
        if (rnd(c, 64) == 0) { /* a system call */
            mw_tlb_leave(c->tlb);
            sched_yield();
            mw_tlb_enter(c->tlb);
        }
        if (rnd(c, 256) == 0)
            mw_tlb_flush(c->tlb);
        mw_tlb_poll(c->tlb);
    }
    note(c); /* all has been written back just now: this is to be, too */
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

static int write_back(void *ctx, uint64_t index, const void *page)
{
    (void)ctx;
    if (index < CPUS)
        memcpy(on_disk[index], page, PAGE);
    return 0;
}

static void map_book(uint64_t addr, uint32_t type, uint64_t first, uint64_t pages)
{
    const struct mw_file file = { book, MW_FILE_READ | MW_FILE_WRITE };

    check(mw_mmap(space, addr, pages * PAGE, RW, type | MW_MAP_FIXED, &file, first * PAGE, NULL) == (int64_t)addr,
          "mmap of the book");
}

static void open_book(void)
{
    static const struct mw_object_ops ops = { .write = write_back };

    check(!mw_object_create(&port, frames, &ops, NULL, 2 * HALF * PAGE, 0, &book), "mw_object_create");
    map_book(BOOK, MW_MAP_SHARED, 0, 2 * HALF);
    map_book(COPY, MW_MAP_PRIVATE, 0, 2 * HALF);
    map_book(COVER, MW_MAP_SHARED, 0, CPUS);
    for (uint64_t i = 0; i < HALF; i++)
        put_name(BOOK + i * PAGE, name_of(3000 + i));
    book_state = UNSETTLED;
}

/* Everything where it begins. */
static void build(void)
{
    map(HERE, SLOTS * PAGE);
    for (uint64_t i = 0; i < SLOTS; i++)
        put_name(HERE + i * PAGE, name_of(i));
    check(mw_mremap(space, HERE, SLOTS * PAGE, SLOTS * PAGE, FIXED | MW_MREMAP_MIRROR, TWIN, NULL) == (int64_t)TWIN,
          "mirror");
    open_book();
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

static void settle(atomic_uint_fast64_t *of, unsigned state)
{
    *of = (*of / 4 + 1) * 4 + state;
    for (int i = 0; i < 4 && state != UNSETTLED; i++)
        sched_yield();
}

static void turn_lock(void)
{
    settle(&lock_state, UNSETTLED);
    map(LOCKED, PAGE);
    settle(&lock_state, OPEN);
    settle(&lock_state, UNSETTLED);
    mw_mprotect(space, LOCKED, PAGE, MW_PROT_READ, NULL);
    settle(&lock_state, READ_ONLY);
    settle(&lock_state, UNSETTLED);
    mw_munmap(space, LOCKED, PAGE, NULL);
    settle(&lock_state, GONE);
}

static void cut_book(uint64_t pages)
{
    check(!mw_object_truncate(book, pages * PAGE), "truncate");
}

/* Its second half anew, and a copy of that: written where no CPU looks. */
static void write_book(void)
{
    mw_munmap(space, BOOK, 2 * HALF * PAGE, NULL);
    mw_munmap(space, COPY + HALF * PAGE, HALF * PAGE, NULL);
    cut_book(HALF);
    cut_book(2 * HALF);
    map_book(HIDDEN, MW_MAP_SHARED, HALF, HALF);
    for (uint64_t i = 0; i < HALF; i++)
        put_name(HIDDEN + i * PAGE, name_of(3000 + HALF + i));
    map_book(HIDDEN, MW_MAP_PRIVATE, HALF, HALF);
    for (uint64_t i = 0; i < HALF; i++)
        put_name(HIDDEN + i * PAGE, name_of(4000 + HALF + i));
    move(HIDDEN, COPY + HALF * PAGE, HALF * PAGE);
    map_book(BOOK, MW_MAP_SHARED, HALF, HALF);
}

static void turn_book(void)
{
    settle(&book_state, UNSETTLED);
    cut_book(HALF);
    settle(&book_state, CUT);
    settle(&book_state, UNSETTLED);
    cut_book(2 * HALF);
    settle(&book_state, LONGER);
    settle(&book_state, UNSETTLED);
    write_book();
    settle(&book_state, SHIFTED);
    settle(&book_state, UNSETTLED);
    map_book(BOOK, MW_MAP_SHARED, 0, 2 * HALF);
    check(!mw_object_sync(book), "sync");
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
    if (i % 4 == 0)
        turn_book();
    mw_munmap(space, LOST + (slot ^ 1) * PAGE, PAGE, NULL);
}

static bool has_done_all(const struct cpu *c)
{
    return c->found > 100 && c->missing > 10 && c->settled > 10 && c->turned > 10 && (!waits || (c->stored > 10 && c->refused > 0));
}

static bool have_done_all(const struct cpu *cpus)
{
    bool all = true;

    for (unsigned i = 0; i < CPUS; i++)
        all = all && has_done_all(&cpus[i]);
    return all;
}

/* Until all CPUs have the cover in their TLBs again, while no call is made. */
static void write_notes(const struct cpu *cpus)
{
    uint64_t noted[CPUS];

    for (unsigned i = 0; i < CPUS; i++)
        noted[i] = cpus[i].noted;
    for (unsigned i = 0; waits && i < CPUS; i++)
        while (cpus[i].noted < noted[i] + 10)
            sched_yield();
}

static bool have_passed(void)
{
    bool passed;

    lock(&mutex);
    passed = mw_readers_passed(frames);
    unlock(&mutex);
    return passed;
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
        while (i % 8 == 0 && !have_passed()) /* what has been taken away waits for them in limbo */
            sched_yield();
    }
    write_notes(cpus);
    check(!mw_object_sync(book), "sync");
    done = true;
    for (unsigned i = 0; i < CPUS; i++) {
        pthread_join(cpus[i].thread, NULL);
        mw_tlb_detach(cpus[i].tlb);
        printf("cpu %u: %llu found, %llu missing, %llu stored, %llu refused, %llu settled, %llu turned\n", i, (unsigned long long)cpus[i].found,
               (unsigned long long)cpus[i].missing, (unsigned long long)cpus[i].stored,
               (unsigned long long)cpus[i].refused, (unsigned long long)cpus[i].settled,
               (unsigned long long)cpus[i].turned);
        check(has_done_all(&cpus[i]), "a CPU that did nothing");
        free(cpus[i].tlb);
    }
    check(!mw_object_sync(book), "sync");
    for (unsigned i = 0; i < CPUS; i++)
        check(on_disk[i][8] == cpus[i].noted, "a note was not written back");
    check(mw_check(space, &what) == 0, what);
    mw_space_destroy(space);
    mw_object_put(book);
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
