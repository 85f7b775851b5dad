/* SPDX-License-Identifier: MIT */
/*
 * compact.c - a mark-and-evacuate collector that compacts by remapping whole blocks, while
 * another thread works on the objects.
 *
 *   compact [BLOCKS]      five collections of a heap of so many blocks of 2 MiB; each checked
 *   compact --measure     blocks moved by remapping against blocks moved by memmove
 *
 * There are two views of one pool of blocks: two ranges of addresses for the same memory. A
 * collection shows the blocks that stay, packed, in the view that is not in use. The old view
 * still shows them at their old addresses: what the mutator writes there is what is read at
 * the new ones. See README.md.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mapwright/rewire.h>

#include "measure.h"

enum { BLOCK = 2 << 20, LISTS = 48, CYCLES = 5, LARGEST = 2048 };

struct object {
    struct object *_Atomic next;  /* of its list; NULL: the last */
    struct object *_Atomic other; /* one of its list that the mutator has chosen, or NULL */
    _Atomic uint64_t count;       /* how often the mutator came by */
    struct object *moved;         /* where its copy is, if it was evacuated */
    uint64_t id;
    uint32_t size;   /* in bytes, this header included */
    uint32_t marked; /* the last collection that has found it */
    uint64_t payload[];
};

struct block { /* a page of the pool */
    bool used;
    uint64_t filled, live; /* bytes */
};

static struct mw_rewire *pool;
static struct mw_rewire_view *view[2]; /* the heap is view[now] */
static unsigned now;
static uint64_t blocks;
static struct block *block;
static uint64_t *shows[2]; /* the blocks that the views' units show */
static uint64_t top;       /* units in use; the last is being filled */

static uint64_t *to; /* during a collection, by old unit: the new one, or none: evacuated */
static _Atomic bool moving; /* some references may be of the old view still */
static uint32_t cycle;

static struct object *_Atomic list[LISTS];
static uint64_t length[LISTS], ids;

static void die(const char *what)
{
    fprintf(stderr, "compact: %s\n", what);
    exit(1);
}

static void must(int err, const char *what)
{
    if (err) {
        fprintf(stderr, "compact: %s: %s\n", what, strerror(-err));
        exit(1);
    }
}

static void *array(uint64_t n, size_t size)
{
    void *a = calloc(n, size);

    if (!a)
        die("no memory");
    return a;
}

/* ---- addresses ------------------------------------------------------------------- */

static bool in_view(const struct mw_rewire_view *v, const void *p)
{
    return (uintptr_t)p - (uintptr_t)v->data < v->units * BLOCK;
}

static uint64_t unit_of(const struct mw_rewire_view *v, const void *p)
{
    return ((uintptr_t)p - (uintptr_t)v->data) / BLOCK;
}

/* The new address of an object of the old view. */
static struct object *resolve(struct object *p)
{
    const struct mw_rewire_view *old = view[!now];
    uint64_t unit = unit_of(old, p);

    if (to[unit] == MW_REWIRE_NONE)
        return p->moved;
    return (struct object *)(void *)(view[now]->data + to[unit] * BLOCK + (uintptr_t)p % BLOCK);
}

/* A reference as anybody may read it: one to the old view is mended where it lies. */
static struct object *load(struct object *_Atomic *field)
{
    struct object *p = atomic_load(field), *mended;

    if (!p || !atomic_load(&moving) || !in_view(view[!now], p))
        return p;
    mended = resolve(p);
    /* if the field is another's by now, it was not set to an old address */
    atomic_compare_exchange_strong(field, &p, mended);
    return mended;
}

/* ---- the mutator --------------------------------------------------------------------- */

static pthread_mutex_t world = PTHREAD_MUTEX_INITIALIZER; /* held by who may touch objects */
static _Atomic bool pause_wanted, stop;
static uint64_t visits;
static _Atomic uint64_t visits_on_the_way; /* while blocks were being moved */

static void pause_mutator(void)
{
    atomic_store(&pause_wanted, true);
    pthread_mutex_lock(&world);
    atomic_store(&pause_wanted, false);
}

static void resume_mutator(void)
{
    pthread_mutex_unlock(&world);
}

static uint64_t pattern(const struct object *o, size_t word)
{
    return (o->id + 1) * 0x9e3779b97f4a7c15u + word;
}

static bool intact(const struct object *o)
{
    size_t words = (o->size - sizeof *o) / sizeof *o->payload;

    for (size_t i = 0; i < words; i++)
        if (o->payload[i] != pattern(o, i))
            return false;
    return true;
}

/* Some steps along a list; each object counted, and some made to refer to one further on. */
static void stroll(uint64_t choice)
{
    struct object *o = load(&list[choice % LISTS]), *seen = NULL;
    uint64_t steps = choice / LISTS % 200;

    for (uint64_t i = 0; o && i < steps; i++) {
        struct object *other = load(&o->other);
        if (!intact(o) || (other && !intact(other)))
            die("the mutator met a damaged object");
        atomic_fetch_add(&o->count, 1);
        visits++;
        if (seen && i % 7 == 0)
            atomic_store(&seen->other, o);
        seen = o;
        o = choice >> 20 & 1 && other ? other : load(&o->next);
    }
}

static void *mutator(void *arg)
{
    uint64_t choice = 1;

    while (!atomic_load(&stop)) {
        uint64_t before = visits;

        while (atomic_load(&pause_wanted))
            sched_yield();
        choice = choice * 6364136223846793005u + 1442695040888963407u;
        pthread_mutex_lock(&world);
        stroll(choice >> 24);
        if (to)
            atomic_fetch_add(&visits_on_the_way, visits - before);
        pthread_mutex_unlock(&world);
    }
    return arg;
}

/* ---- allocation: while the mutator pauses --------------------------------------------- */

static uint64_t free_block(void)
{
    for (uint64_t b = 0; b < blocks; b++)
        if (!block[b].used) {
            block[b] = (struct block){.used = true};
            return b;
        }
    die("the heap is full");
    return 0;
}

static struct object *room_in(uint64_t unit, uint32_t size)
{
    struct block *b = &block[shows[now][unit]];
    unsigned char *at = view[now]->data + unit * BLOCK + b->filled;

    if (BLOCK - b->filled < size)
        return NULL;
    b->filled += size;
    return (struct object *)(void *)at;
}

static struct object *allocate(uint32_t size)
{
    struct object *o = top > 0 ? room_in(top - 1, size) : NULL;

    if (o)
        return o;
    shows[now][top] = free_block();
    must(mw_rewire_set(view[now], top, &shows[now][top], 1), "a new block");
    top++;
    return room_in(top - 1, size);
}

static void add_object(uint64_t n)
{
    /* long stretches of one list, with some of others in between */
    uint64_t of = n % 16 ? n / 6000 % LISTS : n / 16 % LISTS;
    uint32_t size = (uint32_t)(sizeof(struct object) + (n * 2654435761u >> 7) % (LARGEST - sizeof(struct object)));
    struct object *o = allocate(size &= ~15u);

    *o = (struct object){.id = ids++, .size = size};
    for (size_t i = 0; i < (size - sizeof *o) / 8; i++)
        o->payload[i] = pattern(o, i);
    atomic_store(&o->next, atomic_load(&list[of]));
    atomic_store(&list[of], o);
    length[of]++;
}

/* ---- a collection ------------------------------------------------------------------------- */

static struct {
    struct object **list;
    size_t n, room;
} grey;

static void mark(struct object *o)
{
    if (!o || o->marked == cycle)
        return;
    o->marked = cycle;
    block[shows[now][unit_of(view[now], o)]].live += o->size;
    if (grey.n == grey.room) {
        grey.room = grey.room ? grey.room * 2 : 1024;
        grey.list = realloc(grey.list, grey.room * sizeof *grey.list);
        if (!grey.list)
            die("no memory");
    }
    grey.list[grey.n++] = o;
}

static void mark_all(void)
{
    for (uint64_t b = 0; b < blocks; b++)
        block[b].live = 0;
    for (int i = 0; i < LISTS; i++)
        mark(atomic_load(&list[i]));
    while (grey.n > 0) {
        struct object *o = grey.list[--grey.n];
        mark(atomic_load(&o->next));
        mark(atomic_load(&o->other));
    }
}

struct report {
    uint64_t used, whole, evacuated, empty, copied, host_mappings;
    double wiring; /* ns */
};

/* Blocks that are mostly live stay as they are, packed: to[]. Room for the others' objects after them. */
static uint64_t plan(struct report *r)
{
    uint64_t units = 0, bytes = 0, *shown = shows[!now];

    to = array(blocks, sizeof *to);
    for (uint64_t unit = 0; unit < top; unit++) {
        uint64_t b = shows[now][unit], live = block[b].live;
        bool whole = live >= BLOCK / 4 * 3;

        to[unit] = whole ? units : MW_REWIRE_NONE;
        if (whole)
            shown[units++] = b;
        else
            bytes += live;
        r->whole += whole;
        r->evacuated += !whole && live > 0;
        r->empty += live == 0;
    }
    r->used = top;
    r->copied = bytes;
    for (bytes += BLOCK - LARGEST - 1; bytes >= BLOCK - LARGEST; bytes -= BLOCK - LARGEST)
        shown[units++] = free_block();
    return units;
}

/* Calls what for each object that was found live in a unit of a view. */
static void each_live(unsigned v, uint64_t unit, void (*what)(struct object *))
{
    uint64_t filled = block[shows[v][unit]].filled;

    for (uint64_t at = 0; at < filled;) {
        struct object *o = (struct object *)(void *)(view[v]->data + unit * BLOCK + at);
        if (o->marked == cycle)
            what(o);
        at += o->size;
    }
}

static uint64_t filling; /* the new view's unit that copies go to */

static void evacuate(struct object *o)
{
    struct object *copy = room_in(filling, o->size);

    if (!copy)
        copy = room_in(++filling, o->size);
    memcpy(copy, o, o->size);
    o->moved = copy;
}

static void mend(struct object *o)
{
    load(&o->next);
    load(&o->other);
}

/* The old view shows nothing any more: an address that was forgotten faults. */
static void drop_old(uint64_t units)
{
    uint64_t *gone = array(units, sizeof *gone), *none = array(units, sizeof *none), n = 0;

    for (uint64_t i = 0; i < units; i++) {
        none[i] = MW_REWIRE_NONE;
        if (to[i] == MW_REWIRE_NONE) {
            gone[n++] = shows[!now][i];
            block[shows[!now][i]].used = false;
        }
    }
    must(mw_rewire_set(view[!now], 0, none, units), "dropping the old addresses");
    must(mw_rewire_release(pool, gone, n), "giving blocks back");
    free(none);
    free(gone);
    free(to);
    to = NULL;
}

static struct report collect(void)
{
    struct mw_rewire_stats stats;
    struct report r = {0};
    uint64_t old_top = top, units;

    cycle++;
    pause_mutator();
    mark_all();
    units = plan(&r);
    resume_mutator();

    /* The blocks move. Whatever the mutator does meanwhile it does to the same memory. */
    r.wiring = measure_now();
    must(mw_rewire_set(view[!now], 0, shows[!now], units), "moving blocks");
    r.wiring = measure_now() - r.wiring;

    pause_mutator();
    now = !now;
    top = units;
    filling = r.whole;
    for (uint64_t unit = 0; unit < old_top; unit++)
        if (to[unit] == MW_REWIRE_NONE)
            each_live(!now, unit, evacuate);
    atomic_store(&moving, true);
    for (int i = 0; i < LISTS; i++)
        load(&list[i]);
    resume_mutator();

    /* and works on while its references are mended */
    for (uint64_t unit = 0; unit < top; unit++)
        each_live(now, unit, mend);

    pause_mutator();
    atomic_store(&moving, false);
    drop_old(old_top);
    mw_rewire_stats(pool, &stats);
    r.host_mappings = stats.host_mappings;
    resume_mutator();
    return r;
}

/* ---- the check ------------------------------------------------------------------------------ */

static uint64_t counts_of(uint64_t l, uint64_t *n)
{
    uint64_t all = 0;

    *n = 0;
    for (struct object *o = atomic_load(&list[l]); o; o = atomic_load(&o->next)) {
        struct object *other = atomic_load(&o->other);
        if (!in_view(view[now], o) || !intact(o))
            die("a damaged object");
        if (other && (!in_view(view[now], other) || !intact(other)))
            die("a damaged reference");
        all += atomic_load(&o->count);
        ++*n;
    }
    return all;
}

static uint64_t forgotten; /* counts of lists that are no more */

/* Every object is there and as it was, and every visit of the mutator's was counted. */
static void check(void)
{
    uint64_t counts = forgotten, n;

    for (uint64_t l = 0; l < LISTS; l++) {
        counts += counts_of(l, &n);
        if (n != length[l])
            die("a list has another length");
    }
    if (counts != visits)
        die("what the mutator wrote is not there");
}

/* A third of the lists becomes garbage; others take its place. */
static void churn(unsigned round)
{
    static uint64_t added;
    uint64_t n;

    for (uint64_t l = round % 3; l < LISTS; l += 3) {
        forgotten += counts_of(l, &n);
        atomic_store(&list[l], NULL);
        length[l] = 0;
    }
    while (top < blocks * 3 / 5)
        add_object(added++);
}

static void set_up(void)
{
    struct mw_rewire_config config = {.unit = BLOCK, .pages = blocks, .flags = MW_REWIRE_ADVISE_HUGE};

    must(mw_rewire_create(&config, &pool), "mw_rewire_create");
    block = array(blocks, sizeof *block);
    for (int i = 0; i < 2; i++) {
        must(mw_rewire_view_create(pool, blocks, 0, &view[i]), "mw_rewire_view_create");
        shows[i] = array(blocks, sizeof *shows[i]);
    }
}

static void tear_down(void)
{
    mw_rewire_destroy(pool);
    for (int i = 0; i < 2; i++)
        free(shows[i]);
    free(block);
    free(grey.list);
}

int main(int argc, char **argv)
{
    pthread_t thread;

    if (argc > 1 && strcmp(argv[1], "--measure") == 0)
        return measure();
    blocks = argc > 1 ? strtoull(argv[1], NULL, 10) : 64;
    if (argc > 2 || blocks < 20 || blocks > 1 << 20) {
        fprintf(stderr, "usage: compact [BLOCKS (at least 20)] | --measure\n");
        return 2;
    }
    set_up();
    if (pthread_create(&thread, NULL, mutator, NULL) != 0)
        die("no thread");
    for (unsigned i = 0; i < CYCLES; i++) {
        struct report r;

        pause_mutator();
        churn(i);
        resume_mutator();
        r = collect();
        pause_mutator();
        check();
        resume_mutator();
        printf("collection %u: %llu blocks; %llu moved whole in %.0f us, %llu empty, %llu evacuated (%.1f MiB "
               "copied); now %llu in %llu host mappings\n",
               i + 1, (unsigned long long)r.used, (unsigned long long)r.whole, r.wiring / 1e3,
               (unsigned long long)r.empty, (unsigned long long)r.evacuated, (double)r.copied / (1 << 20),
               (unsigned long long)top, (unsigned long long)r.host_mappings);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    check();
    printf("every object is there; the mutator made %llu visits, %llu of them during collections\n",
           (unsigned long long)visits, (unsigned long long)visits_on_the_way);
    tear_down();
    return 0;
}
