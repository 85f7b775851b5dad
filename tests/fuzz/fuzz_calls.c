/* SPDX-License-Identifier: MIT */
/*
 * fuzz_calls.c - bytes become calls on a space of few frames; mw_check after
 * each. With -DWITH_LIBFUZZER for clang's fuzzer; else a program of its own:
 *
 *   fuzz_calls FILE...            runs each file as one input
 *   fuzz_calls --runs N --seed S  N random inputs
 */
#include <stdbool.h>

#include "input.h"
#include "mapwright/proc.h"

#define FRAMES 96

static size_t allocations;
static uint32_t fail_one_in; /* every so many allocations fail; 0: none */
static uint32_t allocation;

static void *fuzz_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (fail_one_in && ++allocation % fail_one_in == 0)
        return NULL;
    allocations++;
    return malloc(size);
}

static void fuzz_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    allocations--;
    free(p);
}

static void die(const char *what)
{
    fprintf(stderr, "fuzz_calls: %s\n", what);
    abort();
}

struct world {
    struct mw_space *space;
    struct mw_object *object;
    struct mw_file file, segment;
    uint64_t page;
};

/* A populated or locked mapping of a huge range would only fill the pool: keep those short. */
static void call_mmap(struct world *w, struct input *in)
{
    uint64_t addr = take_addr(in, w->page), len = take_len(in, w->page);
    uint32_t prot = (uint32_t)take(in, 1) & 7, flags = take_mmap_flags(in);
    uint64_t off = take(in, 1) % 16 * w->page;
    struct mw_why why;
    int64_t r;
    if (len > 1 << 24)
        flags &= ~(MW_MAP_POPULATE | MW_MAP_LOCKED);
    r = mw_mmap(w->space, addr, len, prot, flags, flags & MW_MAP_ANONYMOUS ? NULL : &w->file, off,
                &why);
    if (r < 0 && r > -4096 && why.err != -r)
        die("mmap's reason is not its result");
}

static void call_mremap(struct world *w, struct input *in)
{
    uint64_t old = take_addr(in, w->page), osz = take_len(in, w->page);
    uint64_t nsz = take_len(in, w->page), to = take_addr(in, w->page);
    uint32_t flags = (uint32_t)take(in, 1);
    struct mw_why why;
    int64_t r;
    flags = flags < 240 ? flags & 7 : flags;
    if (nsz > 1 << 24 && nsz < 1ull << 40) /* locked growth would populate for long */
        nsz = 1 << 20;
    r = mw_mremap(w->space, old, osz, nsz, flags, to, &why);
    if (r < 0 && r > -4096 && why.err != -r)
        die("mremap's reason is not its result");
}

static void call_access(struct world *w, struct input *in, uint64_t kind)
{
    static unsigned char buf[70000];
    uint64_t addr = take_addr(in, w->page), len = take(in, 2);
    enum mw_fault_result why = MW_FAULT_OK;
    if (kind == 0)
        mw_fault(w->space, addr, 1u << take(in, 1) % 3);
    else if (kind == 1 && mw_read(w->space, addr, buf, len, &why) < len && why == MW_FAULT_OK)
        die("a short read without a reason");
    else if (kind == 2 && mw_write(w->space, addr, buf, len, &why) < len && why == MW_FAULT_OK)
        die("a short write without a reason");
}

static void call_import(struct world *w, struct input *in)
{
    static const uint64_t flags[] = { MW_VM_DONTCOPY, MW_VM_SEALED, MW_VM_DONTDUMP,
                                      MW_VM_GROWSDOWN };
    uint64_t start = take_addr(in, w->page), len = take_len(in, w->page);
    uint64_t which = flags[take(in, 1) % 4];
    if (take(in, 1) % 2) {
        struct mw_vma v = { .start = start, .end = start + len, .offset = start,
                            .flags = MW_VM_READ | MW_VM_MAYREAD | MW_VM_MAYWRITE,
                            .anon = take(in, 1) };
        mw_import(w->space, &v);
    } else if (len < 1 << 24) {
        mw_import_flags(w->space, start, start + len, take(in, 1) % 2 ? which : 0, which, true);
    }
}

static void call_name(struct world *w, uint64_t addr, uint64_t len, uint64_t how)
{
    char name[3] = { (char)('a' + how % 7), how % 3 ? '\0' : (char)how, '\0' };
    struct mw_why why;
    int64_t r = mw_name(w->space, addr, len, how % 8 ? name : NULL, &why);
    if (r < 0 && why.err != -r)
        die("a name's reason is not its result");
}

/* All of a face at once, and in parts: the same. */
static void call_face(struct world *w, uint64_t how)
{
    static char whole[1 << 18], parts[1 << 18];
    const struct mw_proc proc = { .stack = w->page, .flags = (uint32_t)how };
    struct mw_proc_cursor all = { 0 }, some = { 0 };
    enum mw_proc_face face = (enum mw_proc_face)(how % 5);
    size_t n = mw_proc_read(w->space, &proc, face, &all, whole, sizeof whole), done = 0, k;
    do
        done += k = mw_proc_read(w->space, &proc, face, &some, parts + done,
                                 sizeof parts - done < 50 + how ? sizeof parts - done : 50 + how);
    while (k > 0 && done < n);
    if (done < n || memcmp(whole, parts, n) != 0)
        die("a face reads differently in parts");
}

/* Locks and advice, of what can be made present in a short time. */
/* Ranges, too many or too few; pages of a file. */
static void call_vectors(struct world *w, struct input *in, uint64_t addr, uint64_t len, uint64_t how)
{
    struct mw_iovec range[4] = { { addr, len }, { addr, w->page }, { 0, 0 }, { addr, len } };
    struct mw_why why = { 0 };
    int64_t r;
    range[2].base = take_addr(in, w->page);
    range[2].length = take_len(in, w->page);
    if (how < 253)
        r = mw_process_madvise(w->space, range, take(in, 1) % 5, take(in, 1) % 108, how == 250, how == 251, &why);
    else
        r = mw_remap_file_pages(w->space, addr, len, how == 253, take(in, how == 254 ? 1 : 8), take(in, 4), &why);
    if (r < 0 && why.err != -r)
        die("the reason is not the result");
}

static void call_advice(struct world *w, struct input *in)
{
    static unsigned char vec[4096];
    uint64_t addr = take_addr(in, w->page), len = take_len(in, w->page), how = take(in, 1);
    if (len > 1 << 24 && len < 1ull << 44)
        len = 5 * w->page;
    switch (take(in, 1) % 10) {
    case 0:
        mw_mlock(w->space, addr, len, NULL);
        break;
    case 1:
        mw_mlock2(w->space, addr, len, how % 3, NULL);
        break;
    case 2:
        mw_munlock(w->space, addr, len, NULL);
        break;
    case 3:
        if (how & 7)
            mw_mlockall(w->space, how & 15, NULL);
        else
            mw_munlockall(w->space, NULL);
        break;
    case 4:
        mw_msync(w->space, addr, len, how & 15, NULL);
        break;
    case 5:
        if (len <= sizeof vec * w->page)
            mw_mincore(w->space, addr, len, vec, NULL);
        break;
    case 6:
        if (how < 40)
            mw_mseal(w->space, addr, len, how == 0, NULL);
        else if (how < 200)
            call_name(w, addr, len, how);
        else
            call_face(w, how);
        break;
    default:
        if (how >= 250) {
            call_vectors(w, in, addr, len, how);
            break;
        }
        mw_madvise(w->space, addr, len, how % 27 + (how >= 216 ? 100 : 0), NULL);
    }
}

/* Takes pages back, and at times can't. */
static int write_page(void *ctx, uint64_t index, const void *page)
{
    const unsigned char *byte = page;
    (void)ctx;
    return index % 5 == 4 ? -(int)byte[0] : 0;
}

static const struct mw_object_ops file_ops = { .write = write_page };

/* The file's length, and the segment. */
static void call_object(struct world *w, struct input *in)
{
    uint64_t addr = take_addr(in, w->page), how = take(in, 1);
    struct mw_why why = { 0 };
    int64_t r = 0;
    switch (how % 6) {
    case 0:
        mw_object_truncate(w->object, how < 240 ? take(in, 2) : take(in, 8));
        break;
    case 1:
        mw_object_sync(w->object);
        break;
    case 2: case 3:
        r = mw_shmat(w->space, how < 250 ? &w->segment : NULL, addr, take(in, 1) << 12, &why);
        break;
    default:
        r = mw_shmdt(w->space, addr, &why);
    }
    if (r < 0 && r > -4096 && why.err != -r)
        die("shmat's or shmdt's reason is not its result");
}

static void one_call(struct world *w, struct input *in)
{
    struct mw_stats stats;
    uint64_t kind = take(in, 1);
    switch (kind % 22) {
    case 20: case 21:
        call_object(w, in);
        break;
    case 16: case 17: case 18: case 19:
        call_advice(w, in);
        break;
    case 0: case 1: case 2: case 3:
        call_mmap(w, in);
        break;
    case 4: case 5: {
        uint64_t addr = take_addr(in, w->page);
        mw_munmap(w->space, addr, take_len(in, w->page), NULL);
        break;
    }
    case 6: case 7: {
        uint64_t addr = take_addr(in, w->page), len = take_len(in, w->page);
        mw_mprotect(w->space, addr, len, (uint32_t)take(in, 1) & 15, NULL);
        break;
    }
    case 8: case 9: case 10:
        call_mremap(w, in);
        break;
    case 11:
        mw_brk(w->space, take(in, 1) < 200 ? BASE + (100 + take(in, 1) % 9) * w->page
                                           : take(in, 8), NULL);
        break;
    case 12: case 13:
        call_access(w, in, take(in, 1) % 3);
        break;
    case 14:
        call_import(w, in);
        break;
    default:
        mw_set_limit(w->space, (enum mw_limit)(take(in, 1) % 4), take(in, 1) * w->page * 4);
        mw_set_caps(w->space, (uint32_t)take(in, 1) & 7);
        mw_touch(w->space, take_addr(in, w->page), take_addr(in, w->page));
        mw_stats(w->space, &stats);
    }
}

static void configure(struct mw_config *c, struct input *in, const struct mw_port *port,
                      struct mw_frames *frames)
{
    static const uint32_t versions[] = { MW_LINUX(5, 10), MW_LINUX(6, 1), MW_LINUX(6, 12),
                                         MW_LINUX(6, 16), MW_LINUX(6, 18), MW_LINUX(7, 3) };
    mw_config_init(c, port);
    c->frames = frames;
    c->linux_version = versions[take(in, 1) % 6];
    c->options = (uint32_t)take(in, 1) & 7;
    c->brk_start = BASE + 100 * 4096;
    c->max_map_count = 40;
    c->overcommit = (uint32_t)take(in, 1) % 3;
    c->ram_pages = c->commit_limit = 4096;
    c->mmap_base = BASE + (2ull << 30);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static _Alignas(4096) unsigned char pool[FRAMES * 4096];
    static const struct mw_port port = { .alloc = fuzz_alloc, .free = fuzz_free };
    struct input in = { bytes, n };
    struct mw_config config;
    struct mw_frames *frames;
    struct world w = { .page = 4096 };
    const char *what;
    allocation = 0;
    fail_one_in = 0;
    if (mw_frames_create(&port, pool, sizeof pool, 12, &frames) != 0)
        die("no frames");
    configure(&config, &in, &port, frames);
    if (mw_space_create(&config, &w.space) != 0 ||
        mw_object_create(&port, frames, &file_ops, NULL, 10 * 4096 + 7, 0, &w.object) != 0 ||
        mw_object_create(&port, frames, NULL, NULL, 5 * 4096 + 9, MW_OBJ_SHM, &w.segment.object) != 0)
        die("no space");
    w.file = (struct mw_file){ w.object, MW_FILE_READ | MW_FILE_WRITE };
    w.segment.mode = (uint32_t)take(&in, 1) & 7;
    fail_one_in = (uint32_t)take(&in, 1) % 8;
    for (int i = 0; in.left > 0 && i < 400; i++) {
        one_call(&w, &in);
        if (mw_check(w.space, &what) != 0)
            die(what);
    }
    mw_space_destroy(w.space);
    mw_object_put(w.object);
    mw_object_put(w.segment.object);
    if (mw_frames_free(frames) != mw_frames_total(frames) || mw_frames_destroy(frames) != 0)
        die("frames leaked");
    if (allocations != 0)
        die("memory leaked");
    return 0;
}
