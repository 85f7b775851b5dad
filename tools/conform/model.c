/* SPDX-License-Identifier: MIT */
/*
 * model.c - makes a step in the engine: a Mapwright space set up like this
 * process. It allocates from one range of its own, so that nothing of the
 * process's layout changes while steps are made.
 */
#include "system.h"

#include <string.h>
#include <sys/mman.h>

#define SMALL_FRAMES 8192ull
#define HUGE_FRAMES (HUGE / PAGE)
#define MOST_HUGE 16ull
#define POOL_FRAMES (SMALL_FRAMES + MOST_HUGE * HUGE_FRAMES)
#define HOARD (24ull << 20)
#define POOL_AT 0x100000000000ull
#define LARGE_CLASSES 16u

struct model model;
uint32_t model_version = MW_LINUX_NEWEST;
uint64_t model_huge_pages;
bool model_files_whole;

static struct mw_frames *frames;
static struct mw_object *other; /* what the program's own mappings map */
static int other_mark, file_mark[ALL_FILES];
static struct mw_port port;

/* ---- memory for the engine's structs ---- */

struct chunk {
    struct chunk *next;
};

static struct {
    unsigned char *base;
    size_t used;
    int64_t live;
    struct chunk *small[129]; /* by size / 16, up to 2 KiB */
    struct chunk *large[LARGE_CLASSES]; /* by power of two above that */
} hoard;

static struct chunk **class_of(size_t *size)
{
    uint32_t n = 0;
    *size = (*size + 15) & ~(size_t)15;
    if (*size <= 2048)
        return &hoard.small[*size / 16];
    while ((size_t)4096 << n < *size)
        n++;
    *size = (size_t)4096 << n;
    return &hoard.large[n < LARGE_CLASSES ? n : LARGE_CLASSES - 1];
}

static void *hoard_alloc(void *ctx, size_t size)
{
    struct chunk **head = class_of(&size), *c = *head;
    (void)ctx;
    if (c != NULL) {
        *head = c->next;
    } else {
        if (size > HOARD - hoard.used)
            return NULL;
        c = (struct chunk *)(void *)(hoard.base + hoard.used);
        hoard.used += size;
    }
    hoard.live++;
    return c;
}

static void hoard_free(void *ctx, void *p, size_t size)
{
    struct chunk **head = class_of(&size), *c = p;
    (void)ctx;
    c->next = *head;
    *head = c;
    hoard.live--;
}

bool model_prepare(void)
{
    void *p;
    if (hoard.base != NULL)
        return true;
    p = mmap((void *)(uintptr_t)POOL_AT, POOL_FRAMES * PAGE + HOARD, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    hoard.base = (unsigned char *)p + POOL_FRAMES * PAGE;
    port = (struct mw_port){ .alloc = hoard_alloc, .free = hoard_free };
    return true;
}

/* ---- files ---- */

static int read_page(void *ctx, uint64_t index, void *page)
{
    uint32_t value = 100 + (uint32_t)index;
    uint64_t bytes = model.content[(int *)ctx - file_mark], n = bytes > index * PAGE ? bytes - index * PAGE : 0;
    if (index < FILE_PAGES)
        memcpy(page, &value, n < sizeof value ? n : sizeof value);
    return 0;
}

static const struct mw_object_ops file_ops = { .read = read_page };

/* The ring of io_setup is as large as the number of CPUs makes it; in fixed scenarios, 32 pages. */
static uint64_t object_bytes(int which)
{
    if (which == FILE_RING)
        return sys.ring_bytes > 32 * PAGE ? sys.ring_bytes : 32 * PAGE;
    return which >= FILE_SEGMENT ? segment_bytes(which - FILE_SEGMENT)
           : which < FILES       ? file_bytes(which)
                                 : 2 * PAGE;
}

static const uint32_t object_flags[ALL_FILES] = {
    [FILE_RW] = MW_OBJ_SHMEM, [FILE_SMALL] = MW_OBJ_SHMEM, [FILE_RO] = MW_OBJ_SHMEM,
    [FILE_WO] = MW_OBJ_SHMEM, [FILE_APPEND] = MW_OBJ_SHMEM, [FILE_NOEXEC] = MW_OBJ_SHMEM,
    [FILE_SEGMENT] = MW_OBJ_SHM, [FILE_SEGMENT + 1] = MW_OBJ_SHM,
    [FILE_ZERO] = MW_OBJ_ANON | MW_OBJ_OWN_PLACE | MW_OBJ_THP_PLACE,
    [FILE_POOL] = MW_OBJ_HUGETLB,
    [FILE_RING] = MW_OBJ_DONTEXPAND | MW_OBJ_AIO,
    [FILE_URING] = MW_OBJ_OWN_PLACE | MW_OBJ_DONTEXPAND | MW_OBJ_NO_ADDRESS,
    [FILE_PERF] = MW_OBJ_DONTEXPAND | MW_OBJ_UNCUT,
    [FILE_VDSO] = MW_OBJ_DONTEXPAND | MW_OBJ_WHOLE,
};

/* Those that are read in page by page; watchers see which pages a file has, so for them all are there. */
static const struct mw_object_ops *ops_of(int which)
{
    return which < FILES && which != FILE_POOL && !model_files_whole ? &file_ops : NULL;
}

static bool open_objects(void)
{
    /* the file system of pipes is noexec since 6.18 (6.17 measured without) */
    const uint32_t noexec = model_version >= MW_LINUX(6, 18) ? MW_FILE_NOEXEC : 0;
    const uint32_t mode[ALL_FILES] = {
        [FILE_RW] = MW_FILE_READ | MW_FILE_WRITE, [FILE_SMALL] = MW_FILE_READ | MW_FILE_WRITE,
        [FILE_RO] = MW_FILE_READ, [FILE_WO] = MW_FILE_WRITE,
        [FILE_PIPE] = MW_FILE_READ | MW_FILE_NOMMAP | noexec,
        [FILE_ZERO] = MW_FILE_READ | MW_FILE_WRITE | MW_FILE_DEVICE,
        [FILE_APPEND] = MW_FILE_READ | MW_FILE_WRITE | MW_FILE_APPEND,
        [FILE_NOEXEC] = MW_FILE_READ | MW_FILE_WRITE | MW_FILE_NOEXEC,
        [FILE_PROC] = MW_FILE_READ | MW_FILE_NOMMAP | MW_FILE_NOEXEC,
        [FILE_POOL] = MW_FILE_READ | MW_FILE_WRITE,
        [FILE_RING] = MW_FILE_READ | MW_FILE_WRITE | MW_FILE_NOEXEC,
        [FILE_URING] = MW_FILE_READ | MW_FILE_WRITE, [FILE_PERF] = MW_FILE_READ | MW_FILE_WRITE,
        [FILE_VDSO] = MW_FILE_READ | MW_FILE_WRITE,
    };
    for (int i = 0; i < ALL_FILES; i++) {
        uint32_t flags = object_flags[i];
        if (i == FILE_ZERO && model_version < MW_LINUX(6, 18)) /* 6.12, 6.16, 6.17 measured without */
            flags &= ~(uint32_t)MW_OBJ_THP_PLACE;
        model.file[i].mode = mode[i];
        if (i < FILES)
            model.content[i] = file_bytes(i);
        if (i != FILE_HUGE && i != FILE_SHM &&
            mw_object_create(&port, frames, ops_of(i), &file_mark[i], object_bytes(i), flags,
                             &model.file[i].object) != 0)
            return false;
    }
    return mw_object_create(&port, NULL, NULL, &other_mark, 1ull << 46, MW_OBJ_NOMERGE, &other) ==
           0;
}

bool model_add_shm(uint64_t bytes)
{
    struct mw_file *f = &model.file[FILE_SHM];
    f->mode = MW_FILE_READ | MW_FILE_WRITE;
    return f->object == NULL &&
           mw_object_create(&port, frames, NULL, &file_mark[FILE_SHM], bytes, MW_OBJ_SHM,
                            &f->object) == 0;
}

struct mw_object *model_huge_file(uint64_t bytes)
{
    struct mw_object *o;
    return mw_object_create(&port, frames, NULL, NULL, bytes, MW_OBJ_HUGETLB, &o) == 0 ? o : NULL;
}

/* Writes into a file's object what the system's file holds. */
static bool fill_object(int which)
{
    struct mw_file f = { model.file[which].object, MW_FILE_READ | MW_FILE_WRITE };
    uint64_t bytes = file_bytes(which);
    if (mw_mmap(model.space, ARENA, bytes, MW_PROT_READ | MW_PROT_WRITE, MW_MAP_SHARED | MW_MAP_FIXED, &f, 0,
                NULL) != (int64_t)ARENA)
        return false;
    for (uint32_t i = 0; i * PAGE < bytes; i++)
        if (mw_write(model.space, ARENA + i * PAGE, &(uint32_t){ 100 + i }, sizeof i, NULL) != sizeof i)
            return false;
    return mw_munmap(model.space, ARENA, bytes, NULL) == 0;
}

static bool fill_objects(void)
{
    for (int i = 0; i < FILES_TO_MAP; i++)
        if (object_flags[i] & MW_OBJ_SHMEM && !fill_object(i))
            return false;
    return true;
}

/* ---- the space ---- */

static void configure(struct mw_config *c)
{
    uint64_t third = TASK_END / 3;
    mw_config_init(c, &port);
    c->frames = frames;
    c->linux_version = model_version;
    c->options = (sys.thp ? MW_OPT_THP : 0) | (sys.keys ? MW_OPT_PKEYS : sys.exec_only ? MW_OPT_EXEC_ONLY : 0) |
                 MW_OPT_DEFECTS;
    c->caps = sys.caps;
    c->overcommit = sys.overcommit;
    c->thp = sys.thp_mode;
    c->task_size = TASK_END;
    c->min_addr = sys.fixed_min;
    c->min_hint = sys.min_addr;
    c->mmap_base = sys.mmap_base;
    c->low_base = (third + PAGE - 1) & ~(PAGE - 1);
    c->brk_start = sys.heap ? HEAP : 0;
    c->data_size = sys.heap ? 3 * PAGE : 0;
    c->limit_memlock = sys.memlock;
    c->limit_stack = sys.stack_limit;
    c->max_map_count = sys.max_map_count;
    c->ram_pages = sys.ram_pages;
}

static bool import_own(void)
{
    for (int i = 0; i < sys.owned; i++) {
        const struct seen *s = &sys.own[i];
        struct mw_vma v = {
            .start = s->start, .end = s->end, .object = other,
            .flags = (s->prot & 7u) | sys.own_flags[i] | MW_VM_MAYREAD | MW_VM_MAYWRITE |
                     MW_VM_MAYEXEC,
        };
        if (s->prot & MW_VM_SHARED)
            v.flags |= MW_VM_SHARED | MW_VM_MAYSHARE;
        if (mw_import(model.space, &v) != 0)
            return false;
    }
    return true;
}

bool model_open(void)
{
    struct mw_config config;
    if (!model_prepare())
        return false;
    hoard.used = 0;
    hoard.live = 0;
    memset(hoard.small, 0, sizeof hoard.small);
    memset(hoard.large, 0, sizeof hoard.large);
    memset(&model, 0, sizeof model);
    if (mw_frames_create(&port, hoard.base - POOL_FRAMES * PAGE,
                         (SMALL_FRAMES + (model_huge_pages ? model_huge_pages : MOST_HUGE) * HUGE_FRAMES) * PAGE,
                         12, &frames) != 0 ||
        !open_objects())
        return false;
    if (mw_frames_set_huge(frames, 21, model_huge_pages) != model_huge_pages)
        return false;
    configure(&config);
    if (mw_space_create(&config, &model.space) != 0)
        return false;
    mw_set_thp_disable(model.space, MW_THP_DISABLE);
    model_begin_keys();
    return (!model_files_whole || fill_objects()) && import_own();
}

const char *model_close(void)
{
    const char *what = NULL;
    if (mw_check(model.space, &what) != 0)
        return what;
    mw_space_destroy(model.space);
    while (model.parents > 0)
        mw_space_destroy(model.parent[--model.parents]);
    for (int i = 0; i < ALL_FILES; i++)
        if (model.file[i].object != NULL)
            mw_object_put(model.file[i].object);
    mw_object_put(other);
    if (mw_frames_free(frames) != mw_frames_total(frames))
        return "the engine lost page frames";
    if (mw_frames_destroy(frames) != 0)
        return "the engine's pool stays busy";
    return hoard.live != 0 ? "the engine lost memory" : NULL;
}

/* ---- steps ---- */

/* /dev/zero, mapped shared: each time an object of its own. */
static int64_t map_shared_zero(const struct step *s)
{
    struct mw_file file = model.file[FILE_ZERO];
    int64_t r;
    if (mw_object_create(&port, frames, NULL, NULL, (s->len + PAGE - 1) & ~(PAGE - 1), MW_OBJ_SHMEM,
                         &file.object) != 0)
        return -MW_ENOSYS;
    r = mw_mmap(model.space, s->addr, s->len, s->prot, s->flags, &file, s->more, &model.why);
    mw_object_put(file.object);
    return r;
}

static int file_of_object(const struct mw_object *object);
static void note_dirty(uint64_t addr, uint64_t len);

/* Of files the system may have pages that the engine has not read; rings are the system's alone. */
static uint32_t pages_known(const struct step *s)
{
    uint32_t known = 0;
    struct mw_vma v;
    for (uint32_t i = 0; i < CORE_PAGES && i * PAGE < s->len; i++) {
        uint64_t a = s->addr + i * PAGE;
        if (mw_find_vma(model.space, a, &v) && v.start <= a && file_of_object(v.object) < 0 &&
            !model_is_opaque(a) && (v.object == NULL || !model_is_watched()))
            known |= 1u << i;
    }
    return known;
}

static int64_t mincore_step(const struct step *s)
{
    static unsigned char vec[CORE_ROOM];
    int64_t r;
    memset(vec, 0, CORE_PAGES);
    r = mw_mincore(model.space, s->addr, s->len, vec, &model.why);
    model.core_known = pages_known(s);
    model.core = core_bits(vec) & model.core_known;
    return r;
}

static int64_t lock_all_step(const struct step *s)
{
    int64_t r = mw_mlockall(model.space, s->flags, &model.why);
    if (r == 0) {
        model.future = !(s->flags & MW_MCL_FUTURE)  ? 0
                       : s->flags & MW_MCL_ONFAULT ? MW_FUTURE_LOCK | MW_FUTURE_ONFAULT
                                                    : MW_FUTURE_LOCK;
        model.all_locked = model.all_locked || s->flags & MW_MCL_CURRENT;
    }
    return r;
}

#define NAMES 7
static const char *const names[NAMES] = {
    "pool", "stack of 1", "pool", "",
    "seventy-nine characters are the most that any name of memory may have on Linux!",
    "seventy-nine characters are the most that any name of memory may have on Linux!!",
    "no $ in a name",
};

/* By number; what is not here takes the name away. */
const char *name_of_memory(int i)
{
    return i >= 0 && i < NAMES ? names[i] : NULL;
}

/* The calls on locks and advice. */
static int64_t lock_step(const struct step *s)
{
    struct mw_space *space = model.space;
    switch (s->kind) {
    case STEP_MLOCK:
        return mw_mlock(space, s->addr, s->len, &model.why);
    case STEP_MLOCK2:
        return mw_mlock2(space, s->addr, s->len, s->flags, &model.why);
    case STEP_MUNLOCK:
        return mw_munlock(space, s->addr, s->len, &model.why);
    case STEP_MLOCKALL:
        return lock_all_step(s);
    case STEP_MUNLOCKALL:
        model.future = 0;
        return mw_munlockall(space, &model.why);
    case STEP_MADVISE:
        model_note_advice(s->more, s->addr, s->len);
        return mw_madvise(space, s->addr, s->len, s->more, &model.why);
    case STEP_MSYNC:
        return mw_msync(space, s->addr, s->len, s->flags, &model.why);
    case STEP_MINCORE:
        return mincore_step(s);
    case STEP_NAME:
        return mw_name(space, s->addr, s->len, name_of_memory(s->file), &model.why);
    default:
        return mw_mseal(space, s->addr, s->len, s->flags, &model.why);
    }
}

static int64_t call_step(const struct step *s)
{
    struct mw_space *space = model.space;
    switch (s->kind) {
    case STEP_MMAP:
        if (s->file == FILE_ZERO && s->flags & MW_MAP_SHARED && !(s->flags & MW_MAP_ANONYMOUS))
            return map_shared_zero(s);
        model.lazy = model.lazy || (s->flags & 15u) == MW_MAP_DROPPABLE;
        return mw_mmap(space, s->addr, s->len, s->prot, s->flags,
                       s->file == FILE_NONE ? NULL : &model.file[s->file], s->more, &model.why);
    case STEP_MUNMAP:
        return mw_munmap(space, s->addr, s->len, &model.why);
    case STEP_MPROTECT:
        return mw_mprotect(space, s->addr, s->len, s->prot, &model.why);
    case STEP_MREMAP:
        return mw_mremap(space, s->addr, s->len, s->more, s->flags, s->to, &model.why);
    case STEP_BRK:
        return (int64_t)mw_brk(space, s->addr, &model.why);
    case STEP_TRUNCATE:
    case STEP_SHMAT:
    case STEP_SHMDT:
        return model_object_step(s);
    case STEP_PROCESS_MADVISE:
    case STEP_REMAP_FILE_PAGES:
        return model_vector_step(s);
    case STEP_PKEY_ALLOC:
    case STEP_PKEY_FREE:
    case STEP_PKEY_MPROTECT:
        return model_key_step(s);
    default:
        return s->kind < STEP_REGISTER ? lock_step(s) : model_watch_step(s);
    }
}

bool model_not_modelled(int64_t result)
{
    return result == -MW_ENOSYS ||
           (model.why.err == MW_ENOMEM && strcmp(mw_why_name(&model.why), "no_memory") == 0);
}

static int file_of_object(const struct mw_object *object)
{
    int which;
    void *ctx;
    if (object == NULL)
        return AREA_ANONYMOUS;
    ctx = mw_object_ctx(object);
    if (ctx == NULL)
        return AREA_SHARED_ANONYMOUS;
    if (ctx == &other_mark)
        return AREA_OTHER;
    if (ctx == &file_mark[FILE_VDSO])
        return AREA_ANONYMOUS;
    which = (int)((int *)ctx - file_mark);
    return which >= FILE_RING && which < FILE_SEGMENT ? AREA_SHARED_ANONYMOUS : which; /* as a look at the system tells */
}

/* Which pages of files a write there may reach. */
static void note_dirty(uint64_t addr, uint64_t len)
{
    struct mw_vma v;
    for (uint64_t a = addr; mw_find_vma(model.space, a, &v) && v.start < addr + len; a = v.end) {
        int file = file_of_object(v.object);
        uint64_t at = v.start > addr ? v.start : addr & ~(PAGE - 1);
        uint64_t end = v.end < addr + len ? v.end : addr + len;
        if (file < 0 || file >= FILES_TO_MAP || !(v.flags & MW_VM_MAYSHARE))
            continue;
        for (; at < end && (v.offset + (at - v.start)) / PAGE < FILE_PAGES; at += PAGE)
            model.dirty[file] |= 1u << (v.offset + (at - v.start)) / PAGE;
    }
}

void model_note_advice(uint64_t advice, uint64_t addr, uint64_t len)
{
    if ((uint32_t)advice == MW_MADV_REMOVE)
        note_dirty(addr, len);
    model.guarded = model.guarded || (uint32_t)advice == MW_MADV_GUARD_INSTALL;
    model.lazy = model.lazy || (uint32_t)advice == MW_MADV_FREE;
}

static int64_t copy_step(const struct step *s)
{
    static unsigned char read[COPY_MAX], pattern[COPY_MAX]; /* two: what was read is no pattern */
    uint64_t len = s->len < COPY_MAX ? s->len : COPY_MAX;
    if (s->kind == STEP_COPY_OUT) {
        len = mw_read(model.space, s->addr, read, len, NULL);
        model.copied = sum_of(read, (int64_t)len);
        return (int64_t)len;
    }
    if (pattern[0] != copy_pattern(0))
        for (uint32_t i = 0; i < COPY_MAX; i++)
            pattern[i] = copy_pattern(i);
    note_dirty(s->addr, len);
    return (int64_t)mw_write(model.space, s->addr, pattern, len, NULL);
}

static int64_t limit_step(const struct step *s)
{
    struct mw_stats now;
    uint64_t base = 0;
    mw_stats(model.space, &now);
    if (s->prot <= MW_LIMIT_DATA && !s->flags)
        base = s->prot == MW_LIMIT_AS ? now.total : now.data;
    if (s->len != UINT64_MAX)
        base = (base + s->len) * PAGE;
    else
        base = s->prot == MW_LIMIT_MEMLOCK ? sys.memlock
               : s->prot == MW_LIMIT_STACK ? sys.stack_limit
                                           : MW_UNLIMITED;
    mw_set_limit(model.space, (enum mw_limit)s->prot, base);
    return 0;
}

static int64_t fill_step(const struct step *s)
{
    for (uint64_t i = 0; i < s->len; i++) {
        uint32_t prot = i & 1 ? MW_PROT_READ : MW_PROT_READ | MW_PROT_WRITE;
        int64_t r = mw_mmap(model.space, FILL + i * PAGE, PAGE, prot,
                            MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, &model.why);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Goes on as the child. The parent stays as it is, with its pages. */
static int64_t fork_step(void)
{
    struct mw_space *child;
    int64_t r;
    if (model.parents == MOST_PARENTS)
        return -MW_ENOMEM;
    r = mw_fork(model.space, 2 + (uint64_t)model.parents, &child, &model.why);
    if (r != 0)
        return r;
    model.parent[model.parents++] = model.space;
    model.space = child;
    model.future = 0;
    model.all_locked = false;
    memset(model.watcher, 0, sizeof model.watcher); /* those are the parent's */
    return 0;
}

static int64_t ring_step(void)
{
    int64_t r = mw_mmap(model.space, 0, sys.ring_bytes, MW_PROT_READ | MW_PROT_WRITE,
                        MW_MAP_SHARED, &model.file[FILE_RING], 0, &model.why);
    if (r > 0 && sys.ring_dontcopy)
        mw_import_flags(model.space, (uint64_t)r, (uint64_t)r + sys.ring_bytes, 0, MW_VM_DONTCOPY,
                        false);
    return r;
}

int64_t model_step(const struct step *s)
{
    model.why.err = 0;
    switch (s->kind) {
    case STEP_COPY_IN:
    case STEP_COPY_OUT:
        return copy_step(s);
    case STEP_WATCH:
        return mw_import_flags(model.space, s->addr, s->addr + s->len, 0, MW_VM_UFFD, true);
    case STEP_LIMIT:
        return limit_step(s);
    case STEP_CAPS:
        model.unprivileged = !s->flags;
        mw_set_caps(model.space, s->flags ? sys.caps : 0);
        return 0;
    case STEP_FILL:
        return fill_step(s);
    case STEP_FORK:
        return fork_step();
    case STEP_RING:
        return ring_step();
    case STEP_SHM_REMOVE:
        return model_object_step(s);
    case STEP_WATCHER:
    case STEP_UNWATCHER:
        return model_watch_step(s);
    case STEP_THP:
        model.thp = true;
        mw_set_thp_disable(model.space, 0);
        return 0;
    default:
        return call_step(s);
    }
}

/* ---- accesses ---- */

static enum met met_of(enum mw_fault_result r)
{
    switch (r) {
    case MW_FAULT_OK:
        return MET_OK;
    case MW_FAULT_SEGV_MAPERR:
        return MET_MAPERR;
    case MW_FAULT_SEGV_ACCERR:
        return MET_ACCERR;
    case MW_FAULT_BUS_ADRERR:
    case MW_FAULT_BUS_MCEERR:
        return MET_BUS;
    default:
        return MET_OTHER;
    }
}

enum met model_store(uint64_t addr, uint32_t value)
{
    enum mw_fault_result r;
    note_dirty(addr, sizeof value);
    return mw_write(model.space, addr, &value, sizeof value, &r) == sizeof value ? MET_OK
                                                                                 : met_of(r);
}

enum met model_load(uint64_t addr, uint32_t *value)
{
    enum mw_fault_result r;
    return mw_read(model.space, addr, value, sizeof *value, &r) == sizeof *value ? MET_OK
                                                                                 : met_of(r);
}

/* ---- looking ---- */

bool model_is_private(uint64_t addr)
{
    struct mw_vma v;
    return mw_find_vma(model.space, addr, &v) && v.start <= addr && v.object == NULL;
}

bool model_is_opaque(uint64_t addr)
{
    struct mw_vma v;
    return mw_find_vma(model.space, addr, &v) && v.start <= addr &&
           v.object == model.file[FILE_RING].object;
}

/* The entry of x86-64's tables, from the root down to where shift says; 0: none is present. */
static uint64_t entry_at(uint64_t addr, uint32_t last)
{
    const unsigned char *ram = hoard.base - POOL_FRAMES * PAGE;
    uint64_t entry = mw_root(model.space);
    for (uint32_t shift = 39; shift >= last; shift -= 9) {
        const uint64_t *table = (const void *)(ram + (entry & 0x000ffffffffff000ull));
        entry = table[addr >> shift & 511u];
        if (!(entry & 1))
            return 0;
        if (entry & 0x80) /* a leaf of a higher level */
            break;
    }
    return entry;
}

bool model_present(uint64_t addr)
{
    return entry_at(addr, 12) != 0;
}

uint64_t model_entry(uint64_t addr)
{
    return entry_at(addr, 21);
}

static bool has_objects(uint64_t addr, uint64_t end, uint64_t but)
{
    struct mw_vma v;
    for (uint64_t a = addr; model_next_vma(a, &v) && v.start < end; a = v.end)
        if (v.object != NULL && !(v.flags & but))
            return true;
    return false;
}

bool model_has_objects(uint64_t addr, uint64_t end)
{
    return has_objects(addr, end, 0);
}

bool model_has_small_objects(uint64_t addr, uint64_t end)
{
    return has_objects(addr, end, MW_VM_HUGETLB);
}

bool model_next_vma(uint64_t addr, struct mw_vma *out)
{
    return mw_find_vma(model.space, addr, out);
}

bool model_next(uint64_t addr, struct seen *out)
{
    struct mw_vma v;
    if (!mw_find_vma(model.space, addr, &v))
        return false;
    out->start = v.start;
    out->end = v.end;
    out->prot = (uint32_t)(v.flags & 7u) | (v.flags & MW_VM_MAYSHARE ? 8u : 0);
    out->file = v.flags & MW_VM_HUGETLB && v.object != model.file[FILE_POOL].object ? FILE_HUGE : file_of_object(v.object);
    out->offset = v.object ? v.offset : 0;
    return true;
}

void model_huge_pool(struct mw_huge_stats *out)
{
    mw_frames_huge(frames, 21, out);
}

void model_counters(struct counted *out)
{
    struct mw_stats s;
    mw_stats(model.space, &s);
    out->total = (int64_t)s.total;
    out->data = (int64_t)s.data;
    out->stack = (int64_t)s.stack;
    out->locked = (int64_t)s.locked;
}
