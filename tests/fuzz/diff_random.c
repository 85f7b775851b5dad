/* SPDX-License-Identifier: MIT */
/*
 * diff_random.c - random calls, the engine against the live kernel.
 *
 *   diff_random [--seed S] [--calls N] [--episode E] [--steps K] [--plain 1|2]
 *
 * Calls come in episodes of K steps, each from a fresh address space; results
 * and the layout are compared after each step, bytes and counters at times. A
 * difference is shrunk to the shortest sequence that still shows one, and
 * printed call by call. "Plain" 1 leaves out limits,
 * 2 hostile numbers too.
 *
 * Linux 6.17 and later never give back what a shrinking move is charged for
 * (MREMAP-38): not to be run for long under vm.overcommit_memory=2.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 600
#define PAGES 64
#define SAFE_LOW (ARENA - (1ull << 30))
#define SAFE_HIGH (ARENA + (4ull << 30))

enum kind { OP_MMAP, OP_MUNMAP, OP_MPROTECT, OP_MREMAP, OP_BRK, OP_TRUNCATE, OP_SHMAT, OP_SHMDT, OP_STORE, OP_TOUCH, OP_LOAD, OP_COPY_IN,
            OP_COPY_OUT, OP_MLOCK, OP_MLOCK2, OP_MUNLOCK, OP_MLOCKALL, OP_MUNLOCKALL, OP_ADVISE,
            OP_MSEAL, OP_MSYNC, OP_MINCORE, OP_COUNT, OP_DATA };

struct op {
    enum kind kind;
    bool dropped;
    bool unmodelled; /* the engine says ENOSYS: the kernel is not asked */
    uint64_t addr, len, more, to;
    uint32_t prot, flags;
    int file;
};

struct episode {
    struct op op[MAX_STEPS];
    int n;
    int64_t limit_as, limit_data, limit_lock; /* pages, -1 none */
    bool drop;
};

static uint64_t state;
static uint64_t plain;
static uint64_t borders[6]; /* an episode's popular pages */

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull >> 11;
}

static uint64_t below(uint64_t n)
{
    return next_random() % n;
}

static bool one_in(uint64_t n)
{
    return below(n) == 0;
}

/* Something out of the ordinary. */
static bool odd_one_in(uint64_t n)
{
    return one_in(n) && plain < 2;
}

static uint64_t some_page(void)
{
    return one_in(3) ? below(PAGES) : borders[below(6)];
}

static uint64_t hostile(void)
{
    static const uint64_t table[] = {
        0, 1, PAGE - 1, PAGE, PAGE + 1, TASK_END, TASK_END - PAGE, TASK_END + PAGE, TASK_END - 1,
        KERNEL_HALF, ~0ull, 0ull - PAGE, 0ull - PAGE + 1, 0ull - 2 * PAGE, 1ull << 47, 1ull << 46,
        1ull << 62, 1ull << 63, 1ull << 40, 1ull << 32, (1ull << 32) + PAGE, HUGE_PAGE,
        3 * HUGE_PAGE, 1ull << 30, 0xffffffffff600000ull, 0xffff888000000000ull, 65536, 61440,
    };
    uint64_t v = table[below(sizeof table / sizeof table[0])];
    return one_in(8) ? v - ARENA : v;
}

static uint64_t some_addr(void)
{
    if (odd_one_in(50))
        return hostile();
    return at((int64_t)some_page()) + (odd_one_in(60) ? below(PAGE) : 0);
}

static uint64_t some_len(void)
{
    if (odd_one_in(50))
        return hostile();
    if (one_in(2)) { /* up to a border */
        uint64_t a = some_page(), b = some_page();
        return (a > b ? a - b : b - a + 1) * PAGE;
    }
    return (one_in(4) ? 1 + below(PAGES) : 1 + below(6)) * PAGE - (one_in(20) ? below(PAGE) : 0);
}

static uint32_t some_prot(void)
{
    static const uint32_t table[] = { RW, RW, RW, RW, RO, RO, NONE, RX, RWX, WO, XO };
    uint32_t prot = table[below(sizeof table / sizeof table[0])];
    return one_in(100) ? prot | 1u << below(32) : prot;
}

static uint32_t some_mmap_flags(void)
{
    static const uint32_t odd[] = {
        MW_MAP_NORESERVE, MW_MAP_POPULATE, MW_MAP_GROWSDOWN, MW_MAP_STACK, MW_MAP_LOCKED,
        MW_MAP_NONBLOCK, MW_MAP_FIXED_NOREPLACE, MW_MAP_32BIT, MW_MAP_DENYWRITE,
    };
    uint32_t flags = one_in(4) ? SHARED : PRIV;
    flags |= one_in(12) ? 0 : FIXED;
    while (one_in(6))
        flags |= odd[below(sizeof odd / sizeof odd[0])];
    if (odd_one_in(80))
        flags ^= 1u << below(32);
    /* huge pages, DAX and droppable memory are other worlds */
    return flags & ~(MW_MAP_HUGETLB | MW_MAP_DROPPABLE);
}

/* ---- what must not be tried on this process ---- */

static uint64_t rounded(uint64_t len)
{
    return (len + PAGE - 1) & ~(PAGE - 1);
}

static bool in_safe_zone(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + rounded(len);
    return end >= addr && addr >= SAFE_LOW && end <= SAFE_HIGH;
}

/* No range that the call can change: it wraps or leaves the address space. */
static bool impossible(uint64_t addr, uint64_t len)
{
    return rounded(len) == 0 || rounded(len) > TASK_END || addr > TASK_END - rounded(len);
}

static bool safe(const struct op *o)
{
    switch (o->kind) {
    case OP_MMAP:
        return !(o->flags & (FIXED | MW_MAP_FIXED_NOREPLACE)) || in_safe_zone(o->addr, o->len) ||
               impossible(o->addr, o->len) || o->addr % PAGE != 0;
    case OP_MUNMAP:
        return in_safe_zone(o->addr, o->len) || impossible(o->addr, o->len) ||
               o->addr % PAGE != 0;
    case OP_MPROTECT:
        return in_safe_zone(o->addr, o->len) || o->addr >= TASK_END || o->addr % PAGE != 0 ||
               o->addr + rounded(o->len) < o->addr;
    case OP_MREMAP:
        if (o->addr % PAGE != 0 || o->addr >= TASK_END)
            return true;
        if (!in_safe_zone(o->addr, o->len) && !impossible(o->addr, o->len))
            return false;
        if (!(o->flags & MW_MREMAP_FIXED))
            return in_safe_zone(o->addr, 1);
        return in_safe_zone(o->addr, 1) &&
               (in_safe_zone(o->to, o->more) || impossible(o->to, o->more) || o->to % PAGE != 0);
    case OP_SHMAT:
        return o->addr == 0 || in_safe_zone(o->addr & ~(PAGE - 1), 6 * PAGE) ||
               (o->addr % PAGE != 0 && !(o->flags & MW_SHM_RND)) ||
               impossible(o->addr & ~(PAGE - 1), PAGE);
    case OP_BRK:
    case OP_TRUNCATE:
    case OP_SHMDT: /* of the episode's own segments, wherever they are */
    case OP_MLOCKALL:
    case OP_MUNLOCKALL:
    case OP_COUNT:
    case OP_DATA:
        return true;
    default: /* the engine's copy of this process has no bytes, and the kernel's is in use */
        return in_safe_zone(o->addr, o->len) || o->addr >= TASK_END;
    }
}

/* ---- making an episode ---- */

static void make_mmap(struct op *o, int files)
{
    o->kind = OP_MMAP;
    o->flags = some_mmap_flags();
    o->prot = some_prot();
    o->file = NO_FILE;
    if (one_in(3)) {
        o->file = (int)below((uint64_t)files);
        o->more = odd_one_in(40) ? hostile() : below(16) * PAGE;
        if (one_in(2)) /* offsets that go on from the arena's start invite merging */
            o->more = o->addr - ARENA;
    } else if (!one_in(50)) {
        o->flags |= ANON;
    }
    if (!(o->flags & FIXED) && one_in(2))
        o->addr = 0;
    if (rounded(o->len) > 256 * PAGE || rounded(o->len) == 0)
        o->flags &= ~(MW_MAP_LOCKED | MW_MAP_POPULATE);
}

static void make_mremap(struct op *o)
{
    static const uint32_t table[] = { 0, 0, MAY, MAY, MAY, FIX, FIX, FIX, FIX, FIX, FIX, DU, DUF };
    o->kind = OP_MREMAP;
    o->flags = table[below(sizeof table / sizeof table[0])];
    if (one_in(60))
        o->flags ^= 1u << below(5);
    o->more = one_in(2) || o->flags & MW_MREMAP_DONTUNMAP ? o->len : some_len();
    o->to = some_addr();
    if (one_in(16))
        o->len = 0;
    /* locked memory is populated: never let it grow to all memory */
    if (rounded(o->more) > 4096 * PAGE && rounded(o->more) < 1ull << 44)
        o->more = 7 * PAGE;
}

/*
 * Not PAGEOUT, which may drop what FREE and droppable memory have left to be
 * dropped, nor what spoils pages of the machine, or depends on its state.
 */
static uint64_t some_advice(void)
{
    static const uint64_t table[] = {
        MW_MADV_NORMAL, MW_MADV_RANDOM, MW_MADV_SEQUENTIAL, MW_MADV_WILLNEED, MW_MADV_DONTNEED,
        MW_MADV_DONTNEED, MW_MADV_FREE, MW_MADV_REMOVE, MW_MADV_DONTFORK, MW_MADV_DOFORK,
        MW_MADV_MERGEABLE, MW_MADV_UNMERGEABLE, MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE,
        MW_MADV_DONTDUMP, MW_MADV_DODUMP, MW_MADV_WIPEONFORK, MW_MADV_KEEPONFORK, MW_MADV_COLD,
        MW_MADV_POPULATE_READ, MW_MADV_POPULATE_WRITE, MW_MADV_DONTNEED_LOCKED,
        MW_MADV_GUARD_INSTALL, MW_MADV_GUARD_INSTALL, MW_MADV_GUARD_REMOVE, MW_MADV_GUARD_REMOVE,
    };
    return odd_one_in(60) ? 26 + below(70) : table[below(sizeof table / sizeof table[0])];
}

/* Locks and advice. What makes pages present never asks for all memory. */
static void make_advice(struct op *o)
{
    static const enum kind kinds[] = { OP_MLOCK, OP_MLOCK, OP_MLOCK2, OP_MUNLOCK, OP_ADVISE,
                                       OP_ADVISE, OP_ADVISE, OP_ADVISE, OP_ADVISE, OP_ADVISE,
                                       OP_ADVISE, OP_ADVISE, OP_ADVISE, OP_ADVISE, OP_ADVISE,
                                       OP_ADVISE, OP_MSYNC, OP_MINCORE, OP_MINCORE };
    o->kind = kinds[below(sizeof kinds / sizeof kinds[0])];
    o->flags = one_in(9) ? (uint32_t)below(16) : 1u << below(3);
    if (o->kind == OP_ADVISE)
        o->more = some_advice();
    if (o->kind == OP_MLOCK2)
        o->flags = odd_one_in(20) ? 1u << below(32) : (uint32_t)below(2);
    if (o->kind == OP_MLOCK && one_in(12)) { /* never all of this process, present */
        o->kind = one_in(3) ? OP_MLOCKALL : OP_MUNLOCKALL;
        o->flags = one_in(9) ? 8 : MW_MCL_ONFAULT | (uint32_t)below(4);
    }
    if (o->kind == OP_MSYNC && one_in(40) && plain == 0)
        o->kind = OP_MSEAL, o->flags = one_in(9), o->len = (1 + below(3)) * PAGE;
    if (rounded(o->len) > 64 * PAGE && !impossible(o->addr, o->len))
        o->len = 5 * PAGE;
}

/* Files that shrink and grow, and SysV shared memory. */
static void make_object_op(struct op *o)
{
    static const int files[] = { 0, 1, 3 };
    static const uint32_t how[] = { 0, 0, 0, MW_SHM_RDONLY, MW_SHM_EXEC, MW_SHM_RND, MW_SHM_REMAP,
                                    MW_SHM_REMAP };
    uint64_t dice = below(6);
    o->file = files[below(3)];
    if (dice < 2) {
        o->kind = OP_TRUNCATE;
        o->len = odd_one_in(40) ? hostile() : below(22) * PAGE + (one_in(3) ? below(PAGE) : 0);
    } else if (dice < 5) {
        o->kind = OP_SHMAT;
        o->file = one_in(50) ? NO_FILE : (int)below(2);
        o->flags = how[below(sizeof how / sizeof how[0])] | (one_in(20) ? (uint32_t)below(16) << 12 : 0);
        if (one_in(12))
            o->addr = 0;
    } else {
        o->kind = OP_SHMDT;
    }
}

static void make_op(struct op *o, int files)
{
    uint64_t dice = below(100);
    memset(o, 0, sizeof *o);
    o->addr = some_addr();
    o->len = some_len();
    if (dice < 24) {
        make_mmap(o, files);
    } else if (dice < 31) {
        o->kind = OP_MUNMAP;
    } else if (dice < 42) {
        o->kind = OP_MPROTECT;
        o->prot = some_prot();
    } else if (dice < 55) {
        make_mremap(o);
    } else if (dice < 57) {
        o->kind = OP_BRK;
        o->addr = at(HEAP_PAGE + (int64_t)below(8)) + (one_in(9) ? 9 : 0);
        if (odd_one_in(20))
            o->addr = hostile();
    } else if (dice < 64) {
        o->kind = OP_STORE;
        o->addr &= ~(PAGE - 1);
    } else if (dice < 70) {
        o->kind = OP_TOUCH;
        o->addr = at((int64_t)some_page());
        o->len = (1 + below(9)) * PAGE;
    } else if (dice < 73) {
        o->kind = OP_LOAD;
        o->addr &= ~(PAGE - 1);
    } else if (dice < 74) {
        o->kind = OP_COPY_IN;
    } else if (dice < 75) {
        o->kind = OP_COPY_OUT;
    } else if (dice < 79) {
        make_object_op(o);
    } else if (dice < 96) {
        make_advice(o);
    } else {
        o->kind = dice < 99 ? OP_DATA : OP_COUNT;
    }
    if (!safe(o))
        o->kind = OP_LOAD, o->addr = at((int64_t)below(PAGES));
}

static void make_episode(void *ctx, uint64_t seed, uint64_t number, int steps)
{
    struct episode *e = ctx;
    state = seed * 0x9e3779b97f4a7c15ull ^ (number + 1) * 0xbf58476d1ce4e5b9ull;
    if (state == 0)
        state = 1;
    for (int i = 0; i < 20; i++)
        next_random();
    for (int i = 0; i < 6; i++)
        borders[i] = below(PAGES);
    e->n = steps;
    e->limit_as = one_in(5) && plain == 0 ? (int64_t)below(120) : -1;
    e->limit_data = one_in(5) && plain == 0 ? (int64_t)below(60) : -1;
    e->limit_lock = one_in(5) && plain == 0 ? (int64_t)below(30) : -1;
    e->drop = one_in(3);
    for (int i = 0; i < steps; i++)
        make_op(&e->op[i], 4);
}

/* ---- running it ---- */

/* mincore; of files the kernel has all pages, and the engine those that were read. */
static void core(struct world *w, uint64_t addr, uint64_t len)
{
    unsigned char vec[65];
    char seen[66] = "";
    struct seen v;
    memset(vec, 7, sizeof vec);
    int64_t r = w->ops->mincore(w, addr, len, vec);
    for (uint64_t i = 0; i < 64 && i * PAGE < len; i++) {
        bool is_file = w->ops->next(w, addr + i * PAGE, &v) && v.start <= addr + i * PAGE && v.file >= 0;
        seen[i] = (char)(is_file ? 'f' : '0' + vec[i]);
    }
    say(w, "mincore(%#llx, %#llx) = %lld %s", (unsigned long long)addr, (unsigned long long)len,
        (long long)r, seen);
}

static void one_op(struct world *w, struct op *o)
{
    switch (o->kind) {
    case OP_MMAP:
        do_mmap(w, o->addr, o->len, o->prot, o->flags, o->file, o->more);
        break;
    case OP_MUNMAP:
        do_munmap(w, o->addr, o->len);
        break;
    case OP_MPROTECT:
        do_mprotect(w, o->addr, o->len, o->prot);
        break;
    case OP_MREMAP:
        do_mremap(w, o->addr, o->len, o->more, o->flags, o->to);
        break;
    case OP_BRK:
        do_brk(w, o->addr);
        break;
    case OP_TRUNCATE:
        truncate_to(w, o->file, o->len);
        break;
    case OP_SHMAT:
        do_shmat(w, o->file, o->addr, o->flags);
        break;
    case OP_SHMDT:
        do_shmdt(w, o->addr);
        break;
    case OP_STORE:
        store(w, (int64_t)(o->addr - ARENA) / (int64_t)PAGE, (uint32_t)o->len);
        break;
    case OP_TOUCH:
        touch(w, (int64_t)(o->addr - ARENA) / (int64_t)PAGE, (int64_t)(o->len / PAGE));
        break;
    case OP_LOAD:
        data_at(w, o->addr, 1);
        break;
    case OP_COPY_IN:
        copy_in(w, o->addr, o->len);
        break;
    case OP_COPY_OUT:
        copy_out(w, o->addr, o->len);
        break;
    case OP_MLOCK:
        do_mlock(w, o->addr, o->len);
        break;
    case OP_MLOCK2:
        do_mlock2(w, o->addr, o->len, o->flags);
        break;
    case OP_MUNLOCK:
        do_munlock(w, o->addr, o->len);
        break;
    case OP_MLOCKALL:
        lock_all(w, o->flags);
        break;
    case OP_MUNLOCKALL:
        unlock_all(w);
        break;
    case OP_ADVISE:
        do_madvise(w, o->addr, o->len, o->more);
        break;
    case OP_MSEAL:
        do_mseal(w, o->addr, o->len, o->flags);
        break;
    case OP_MSYNC:
        do_msync(w, o->addr, o->len, o->flags);
        break;
    case OP_MINCORE:
        core(w, o->addr, o->len);
        break;
    case OP_COUNT:
        count(w);
        maps_firm(w);
        smaps_firm(w);
        break;
    case OP_DATA:
        data(w, 0, PAGES);
        break;
    }
}

static void run_steps(struct world *w, struct episode *e)
{
    bool engine = w->log == &w->session->log[WORLD_ENGINE];
    for (int i = 0; i < e->n; i++) {
        struct op *o = &e->op[i];
        if (o->dropped || (!engine && o->unmodelled))
            continue;
        size_t before = w->log->len;
        uint64_t last = w->last;
        w->log->skipped = false;
        one_op(w, o);
        if (engine && w->log->skipped) {
            o->unmodelled = true;
            w->log->len = before;
            w->log->text[before] = 0;
            w->last = last;
            continue;
        }
        if (o->kind <= OP_MSEAL && o->kind != OP_LOAD)
            lay(w);
    }
    w->log->skipped = false;
}

/* Each episode's first steps; done once alone, they tell the engine what the files are called. */
static void open_files(struct world *w, void *ctx)
{
    const uint32_t rw = MW_FILE_READ | MW_FILE_WRITE;
    (void)ctx;
    file_of(w, FILE_MEM, 20, rw);
    file_of(w, FILE_MEM, 6, rw);
    file_of(w, FILE_MEM, 20, MW_FILE_READ);
    file_of_bytes(w, FILE_MEM, 4 * PAGE + 100, rw);
}

static void run_episode(struct world *w, void *ctx)
{
    struct episode *e = ctx;
    open_files(w, NULL);
    segment(w, 6 * PAGE, 0666);
    segment(w, 2 * PAGE + 100, 0666);
    if (e->limit_as >= 0)
        limit(w, MW_LIMIT_AS, e->limit_as);
    if (e->limit_data >= 0)
        limit(w, MW_LIMIT_DATA, e->limit_data);
    if (e->limit_lock >= 0)
        limit(w, MW_LIMIT_MEMLOCK, e->limit_lock);
    if (e->drop)
        drop_privileges(w);
    run_steps(w, e);
    data(w, 0, PAGES);
    count(w);
    attached(w, 0);
    attached(w, 1);
}

/* True when both worlds agree. `e` lies in shared memory: the engine marks what it can't do. */
static bool agrees(struct session *s, void *ctx)
{
    struct episode *e = ctx;
    session_reset(s);
    for (int i = 0; i < e->n; i++)
        e->op[i].unmodelled = false;
    world_run_engine(s, run_episode, e);
    if (!world_run_live(s, run_episode, e))
        return false;
    return session_difference(s) == NULL;
}

static int dropped(const struct episode *e)
{
    int n = 0;
    for (int i = 0; i < e->n; i++)
        n += e->op[i].dropped;
    return n;
}

/* Drops calls, in ever smaller groups, while the difference stays. */
static int shrink(struct session *s, void *ctx)
{
    struct episode *e = ctx;
    for (int size = e->n / 2; size > 0; size = size > 1 ? size / 2 : 0)
        for (bool again = true; again;) {
            again = false;
            for (int from = e->n - size; from > -size; from -= size) {
                bool was[MAX_STEPS];
                int changed = 0;
                for (int i = from < 0 ? 0 : from; i < from + size; i++) {
                    was[i] = e->op[i].dropped;
                    changed += !was[i];
                    e->op[i].dropped = true;
                }
                if (changed == 0)
                    continue;
                if (agrees(s, e))
                    for (int i = from < 0 ? 0 : from; i < from + size; i++)
                        e->op[i].dropped = was[i];
                else
                    again = size == 1;
            }
        }
    agrees(s, e);
    return e->n - dropped(e);
}

int main(int argc, char **argv)
{
    static const struct episodes episodes = { 100000, 300, MAX_STEPS, make_episode, agrees, shrink };
    struct session *s = NULL;
    _Static_assert(sizeof(struct episode) <= sizeof s->extra, "the episode fits");
    world_init(argc, argv);
    if (world_as_live(argc, argv, &s))
        world_live_main(s, s->task[0] ? run_episode : open_files, s->extra);
    plain = world_argument(argc, argv, "--plain", 0);
    s = session_new();
    if (s == NULL)
        return 1;
    session_reset(s);
    world_run_live(s, open_files, NULL);
    s->keep_snapshot = true;
    snprintf(s->task, sizeof s->task, "episode");
    return world_random(s, &episodes, argc, argv);
}
