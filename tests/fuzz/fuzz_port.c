/* SPDX-License-Identifier: MIT */
/*
 * fuzz_port.c - bytes become calls, and when what the embedder supplies fails
 * under them: the Nth allocation, all from the Nth on, all but N frames, a
 * page of a file. After each call mw_check holds and locks are given back; one that
 * fails for want of memory has changed nothing and works when tried again
 * (ENGINE-1, ENGINE-3); at the end nothing has leaked.
 *
 *   fuzz_port FILE...   or   fuzz_port --runs N --seed S
 */
#include <stdbool.h>

#include "input.h"
#include "mem/frame.h"

#define FRAMES 160
#define PAGE 4096ull
#define IMAGE_VMAS 256

/* ---- the port ---- */

static struct {
    size_t live;       /* allocations */
    uint32_t fail_in;  /* the allocation, counted from 1, that fails; 0: none */
    bool for_ever;     /* and all after it */
    bool refused;      /* something was */
    bool unreadable;   /* pages of the file */
    int locked;
} port_state;

static void die(const char *what)
{
    fprintf(stderr, "fuzz_port: %s\n", what);
    abort();
}

static void *port_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (port_state.fail_in && --port_state.fail_in == 0) {
        port_state.fail_in = port_state.for_ever;
        port_state.refused = true;
        return NULL;
    }
    port_state.live++;
    return memset(malloc(size), 0xa5, size); /* its content is the engine's to set */
}

static void port_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    memset(p, 0x5a, size);
    port_state.live--;
    free(p);
}

static void port_lock(void *ctx)
{
    (void)ctx;
    if (port_state.locked++ != 0)
        die("a lock taken twice");
}

static void port_unlock(void *ctx)
{
    (void)ctx;
    if (--port_state.locked != 0)
        die("a lock given back twice");
}

static void port_flush(void *ctx, uint64_t id, const struct mw_range *r, size_t n)
{
    (void)ctx;
    if (id != 7 || n == 0)
        die("a flush of nothing");
    for (size_t i = 0; i < n; i++)
        if (r[i].start >= r[i].end || (r[i].start | r[i].end) % PAGE != 0)
            die("a flush of no range");
}

static const struct mw_port port = { .alloc = port_alloc, .free = port_free, .lock = port_lock,
                                     .unlock = port_unlock, .flush = port_flush };

static int read_page(void *ctx, uint64_t index, void *page)
{
    (void)ctx;
    if (port_state.unreadable)
        return -5;
    memset(page, (int)index + 1, PAGE);
    return 0;
}

static int write_page(void *ctx, uint64_t index, const void *page)
{
    (void)ctx, (void)index, (void)page;
    return port_state.unreadable ? -5 : 0;
}

static const struct mw_object_ops file_ops = { .read = read_page, .write = write_page };

/* ---- what a space looks like ---- */

struct world {
    struct mw_space *space;
    struct mw_frames *frames;
    struct mw_file file, segment;
    frame_t hogged[FRAMES];
    uint32_t hogs;
};

struct image {
    struct mw_vma vma[IMAGE_VMAS];
    uint32_t vmas;
    struct mw_stats stats;
};

/* Looking asks for nothing. */
static void look(const struct world *w, struct image *im)
{
    struct mw_vma v;
    memset(im, 0, sizeof *im);
    for (uint64_t a = 0; im->vmas < IMAGE_VMAS && mw_find_vma(w->space, a, &v); a = v.end)
        im->vma[im->vmas++] = v;
    mw_stats(w->space, &im->stats);
}

static void same(const struct image *a, const struct image *b)
{
    if (a->vmas != b->vmas || memcmp(a->vma, b->vma, sizeof a->vma) != 0)
        die("a call without memory has changed the mappings");
    if (memcmp(&a->stats, &b->stats, sizeof a->stats) != 0)
        die("a call without memory has changed the counters");
}

/* ---- calls ---- */

struct call {
    uint64_t kind, addr, len, more, to;
    uint32_t prot, flags;
    bool with_file;
};

static struct call take_call(struct input *in)
{
    struct call c = { .kind = take(in, 1) % 20, .addr = take_addr(in, PAGE),
                      .len = take_len(in, PAGE) };
    switch (c.kind) {
    case 0: case 1: case 2:
        c.prot = (uint32_t)take(in, 1) & 7;
        c.flags = take_mmap_flags(in);
        c.with_file = !(c.flags & MW_MAP_ANONYMOUS);
        c.more = take(in, 1) % 12 * PAGE;
        if (c.len > 1 << 20)
            c.flags &= ~(MW_MAP_POPULATE | MW_MAP_LOCKED);
        break;
    case 5: case 6: case 7:
        c.more = take_len(in, PAGE);
        c.flags = (uint32_t)take(in, 1) & 7;
        c.to = take_addr(in, PAGE);
        if (c.more > 1 << 20 && c.more < 1ull << 40) /* locked growth would populate for long */
            c.more = 1 << 20;
        break;
    default:
        c.prot = (uint32_t)take(in, 1) & (c.kind > 11 ? 127 : 7);
        c.len %= 1 << 16;
    }
    return c;
}

/* The rarer calls: two ranges that touch, or pages of a file. */
static int64_t call_vectors(struct world *w, const struct call *c, struct mw_why *why)
{
    const struct mw_iovec range[2] = { { c->addr, PAGE }, { c->addr + PAGE, c->len } };
    if (c->prot >= 123)
        return mw_remap_file_pages(w->space, c->addr, c->len, 0, c->prot - 123, 0, why);
    return mw_process_madvise(w->space, range, 2, MW_MADV_FREE + (c->prot - 118), 0, true, why);
}

/* A negative errno, or success; *why empty for what gives no reason. */
static int64_t make(struct world *w, const struct call *c, struct mw_why *why)
{
    static unsigned char buf[1 << 16];
    enum mw_fault_result r = MW_FAULT_OK;
    memset(why, 0, sizeof *why);
    switch (c->kind) {
    case 0: case 1: case 2:
        return mw_mmap(w->space, c->addr, c->len, c->prot, c->flags,
                       c->with_file ? &w->file : NULL, c->more, why);
    case 3:
        return mw_munmap(w->space, c->addr, c->len, why);
    case 4:
        return mw_mprotect(w->space, c->addr, c->len, c->prot, why);
    case 5: case 6: case 7:
        return mw_mremap(w->space, c->addr, c->len, c->more, c->flags, c->to, why);
    case 8:
        mw_brk(w->space, BASE + (100 + c->addr / PAGE % 9) * PAGE, why);
        return -why->err;
    case 9:
        memset(buf, (int)c->prot, sizeof buf);
        mw_write(w->space, c->addr, buf, c->len, &r);
        return 0;
    case 10:
        mw_read(w->space, c->addr, buf, c->len, &r);
        return 0;
    case 12:
        return mw_mlock(w->space, c->addr, c->len, why);
    case 13:
        return mw_mlock2(w->space, c->addr, c->len, MW_MLOCK_ONFAULT, why);
    case 14:
        return mw_munlock(w->space, c->addr, c->len, why);
    case 16:
        return mw_object_truncate(w->file.object, c->len);
    case 17:
        mw_object_sync(w->file.object);
        return mw_msync(w->space, c->addr, c->len, c->prot & 7, why);
    case 18:
        return mw_shmat(w->space, &w->segment, c->addr, (uint64_t)c->prot << 12, why);
    case 19:
        return mw_shmdt(w->space, c->addr, why);
    case 15:
        if (c->prot >= 118)
            return call_vectors(w, c, why);
        return mw_madvise(w->space, c->addr, c->len, c->prot % 27, why);
    default:
        return mw_import_flags(w->space, c->addr & ~(PAGE - 1), (c->addr & ~(PAGE - 1)) + 3 * PAGE, 0,
                               c->prot & 1 ? MW_VM_DONTCOPY : MW_VM_RAND_READ, true);
    }
}

static bool wants_memory(int64_t r, const struct mw_why *why)
{
    return r == -MW_ENOMEM && (why->err == 0 || strcmp(mw_why_name(why), "no_memory") == 0);
}

/* Linux too has moved what came first when one of several mappings is refused. */
static bool stops_half_way(const struct call *c)
{
    return c->kind >= 5 && c->kind <= 7 && c->flags & MW_MREMAP_FIXED && c->len == c->more;
}

/* ---- failures ---- */

static void hog(struct world *w, uint64_t leave)
{
    while (mw_frames_free(w->frames) > leave && w->hogs < FRAMES)
        w->hogged[w->hogs++] = frame_alloc(w->frames);
}

static void unhog(struct world *w)
{
    while (w->hogs > 0)
        frame_put(w->frames, w->hogged[--w->hogs]);
}

static void arm(struct world *w, struct input *in)
{
    uint64_t how = take(in, 1);
    port_state.refused = false;
    port_state.unreadable = how % 16 == 15;
    port_state.fail_in = how < 128 ? (uint32_t)how % 12 : 0;
    port_state.for_ever = how & 64;
    if (how >= 192)
        hog(w, how % 24);
}

static void disarm(struct world *w)
{
    port_state.fail_in = 0;
    port_state.unreadable = false;
    unhog(w);
}

static void check(const struct world *w)
{
    const char *what;
    if (mw_check(w->space, &what) != 0)
        die(what);
    if (port_state.locked)
        die("a call has kept the lock");
}

static void one_call(struct world *w, struct input *in)
{
    static struct image before, after;
    struct call c;
    struct mw_why why;
    int64_t r;
    arm(w, in);
    c = take_call(in);
    look(w, &before);
    r = make(w, &c, &why);
    check(w);
    if (!wants_memory(r, &why)) {
        disarm(w);
        return;
    }
    if (!port_state.refused && w->hogs == 0 && mw_frames_free(w->frames) > 8)
        die("memory is said to be wanted, and was not refused");
    look(w, &after);
    if (!stops_half_way(&c))
        same(&before, &after);
    disarm(w);
    port_state.refused = false;
    r = make(w, &c, &why);
    check(w);
    if (wants_memory(r, &why) && mw_frames_free(w->frames) > 64)
        die("a second try, with memory, failed for want of it");
}

/* ---- the whole ---- */

/* The objects are made under failures too: nothing may stay of what could not be made. */
static bool begin(struct world *w, struct input *in, unsigned char *pool)
{
    struct mw_config config;
    uint64_t how = take(in, 1);
    int err;
    memset(&port_state, 0, sizeof port_state);
    port_state.fail_in = how < 32 ? (uint32_t)how : 0;
    if (mw_frames_create(&port, pool, FRAMES * PAGE, 12, &w->frames) != 0)
        return false;
    mw_config_init(&config, &port);
    config.frames = w->frames;
    config.id = 7;
    config.linux_version = how & 1 ? MW_LINUX(6, 18) : MW_LINUX(6, 1);
    config.options = MW_OPT_DEFECTS;
    config.brk_start = BASE + 100 * PAGE;
    config.mmap_base = BASE + (2ull << 30);
    config.max_map_count = 60;
    err = mw_space_create(&config, &w->space);
    if (err == 0) {
        err = mw_object_create(&port, w->frames, &file_ops, NULL, 10 * PAGE + 7, 0, &w->file.object);
        if (err == 0) {
            err = mw_object_create(&port, w->frames, NULL, NULL, 3 * PAGE, MW_OBJ_SHM, &w->segment.object);
            if (err != 0)
                mw_object_put(w->file.object);
        }
        if (err != 0)
            mw_space_destroy(w->space);
    }
    if (err != 0 && (mw_frames_destroy(w->frames) != 0 || err != -MW_ENOMEM))
        die("what could not be made leaves something");
    w->file.mode = w->segment.mode = MW_FILE_READ | MW_FILE_WRITE;
    port_state.fail_in = 0;
    return err == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static _Alignas(4096) unsigned char pool[FRAMES * PAGE];
    struct input in = { bytes, n };
    struct world w = { .hogs = 0 };
    memset(pool, 0xee, sizeof pool);
    if (begin(&w, &in, pool)) {
        for (int i = 0; in.left > 0 && i < 300; i++)
            one_call(&w, &in);
        mw_space_destroy(w.space);
        mw_object_put(w.file.object);
        mw_object_put(w.segment.object);
        if (mw_frames_free(w.frames) != mw_frames_total(w.frames) ||
            mw_frames_destroy(w.frames) != 0)
            die("frames leaked");
    }
    if (port_state.live != 0)
        die("memory leaked");
    return 0;
}
