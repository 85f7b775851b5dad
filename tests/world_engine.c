/* SPDX-License-Identifier: MIT */
/*
 * world_engine.c - a Mapwright space as a world, set up as the live child was:
 * same layout, limits, rights, kernel version.
 */
#include "world_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vma/space.h"

#define POOL_PAGES 16384ull
#define COPY_MAX (1u << 20)
#define PTE_PRESENT 1ull
#define PTE_LEAF 0x80ull
#define PTE_ADDRESS 0x000ffffffffff000ull

struct watching {
    struct mw_watcher *watcher;
    struct watch_seen seen[64];
    size_t heard;
};

struct engine {
    struct watching watching[MAX_WATCHERS];
    struct mw_port port;
    struct mw_config config;
    struct mw_frames *frames;
    struct mw_space *space;
    struct mw_space *parent; /* after a fork: it waits, and holds what is its own; or NULL */
    struct mw_object *other; /* what the imported files map */
    struct mw_file file[MAX_FILES];
    int files;
    struct mw_file segment[MAX_SEGMENTS];
    int segments;
    size_t allocations;
    bool dropped; /* privileges */
};

static unsigned char *guest_ram; /* the frames' memory; dirty from run to run on purpose */
static unsigned char pattern[COPY_MAX], copies[COPY_PAGES * PAGE];
static uint64_t other_mark, segment_mark[MAX_SEGMENTS], file_mark[MAX_FILES]; /* how long a file has been at its shortest */

static struct engine *of(struct world *w)
{
    return w->impl;
}

static void *counted_alloc(void *ctx, size_t size)
{
    struct engine *e = ctx;
    void *p = malloc(size);
    if (p != NULL) {
        memset(p, 0xa5, size); /* the content is the engine's to set */
        e->allocations++;
    }
    return p;
}

static void counted_free(void *ctx, void *p, size_t size)
{
    struct engine *e = ctx;
    memset(p, 0x5a, size);
    e->allocations--;
    free(p);
}

/* ---- calls ---- */

static int64_t engine_mmap(struct world *w, uint64_t addr, uint64_t len, uint32_t prot,
                           uint32_t flags, int file, uint64_t off)
{
    struct engine *e = of(w);
    return mw_mmap(e->space, addr, len, prot, flags, file == NO_FILE ? NULL : &e->file[file], off,
                   NULL);
}

static int64_t engine_munmap(struct world *w, uint64_t addr, uint64_t len)
{
    return mw_munmap(of(w)->space, addr, len, NULL);
}

static int64_t engine_mprotect(struct world *w, uint64_t addr, uint64_t len, uint32_t prot)
{
    return mw_mprotect(of(w)->space, addr, len, prot, NULL);
}

static uint64_t engine_brk(struct world *w, uint64_t addr)
{
    return mw_brk(of(w)->space, addr, NULL);
}

static int64_t engine_mremap(struct world *w, uint64_t old, uint64_t osz, uint64_t nsz,
                             uint32_t flags, uint64_t to)
{
    return mw_mremap(of(w)->space, old, osz, nsz, flags, to, NULL);
}

static int64_t engine_mlock(struct world *w, uint64_t addr, uint64_t len)
{
    return mw_mlock(of(w)->space, addr, len, NULL);
}

static int64_t engine_mlock2(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return mw_mlock2(of(w)->space, addr, len, flags, NULL);
}

static int64_t engine_munlock(struct world *w, uint64_t addr, uint64_t len)
{
    return mw_munlock(of(w)->space, addr, len, NULL);
}

static int64_t engine_mlockall(struct world *w, uint64_t flags)
{
    return mw_mlockall(of(w)->space, flags, NULL);
}

static int64_t engine_munlockall(struct world *w)
{
    return mw_munlockall(of(w)->space, NULL);
}

static int64_t engine_madvise(struct world *w, uint64_t addr, uint64_t len, uint64_t advice)
{
    return mw_madvise(of(w)->space, addr, len, advice, NULL);
}

static int64_t engine_process_madvise(struct world *w, const struct mw_iovec *ranges, uint64_t n,
                                      uint64_t advice, uint64_t flags, bool self)
{
    struct mw_space *child;
    int64_t r;
    if (self)
        return mw_process_madvise(of(w)->space, ranges, n, advice, flags, true, NULL);
    r = mw_fork(of(w)->space, 2, &child, NULL);
    if (r == 0) {
        r = mw_process_madvise(child, ranges, n, advice, flags, false, NULL);
        mw_space_destroy(child);
    }
    return r;
}

static int64_t engine_remap_file_pages(struct world *w, uint64_t addr, uint64_t size, uint64_t prot,
                                       uint64_t index, uint64_t flags)
{
    return mw_remap_file_pages(of(w)->space, addr, size, prot, index, flags, NULL);
}

static int64_t engine_msync(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return mw_msync(of(w)->space, addr, len, flags, NULL);
}

static int64_t engine_mincore(struct world *w, uint64_t addr, uint64_t len, unsigned char *vec)
{
    return mw_mincore(of(w)->space, addr, len, vec, NULL);
}

static int64_t engine_mseal(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return mw_mseal(of(w)->space, addr, len, flags, NULL);
}

static int64_t engine_pkey_mprotect(struct world *w, uint64_t addr, uint64_t len, uint64_t prot, int32_t key)
{
    return mw_pkey_mprotect(of(w)->space, addr, len, prot, key, NULL);
}

static int64_t engine_pkey_alloc(struct world *w, uint64_t flags, uint64_t rights)
{
    return mw_pkey_alloc(of(w)->space, flags, rights, NULL);
}

static int64_t engine_pkey_free(struct world *w, int32_t key)
{
    return mw_pkey_free(of(w)->space, key, NULL);
}

/* ---- files ---- */

static int read_page(void *ctx, uint64_t index, void *page)
{
    uint32_t value = 100 + (uint32_t)index;
    const uint64_t *content = ctx;
    if (index < 4096 && index * PAGE + sizeof value <= *content)
        memcpy(page, &value, sizeof value);
    return 0;
}

static const struct mw_object_ops file_ops = { .read = read_page };

static int engine_file(struct world *w, enum file_kind kind, uint64_t bytes, uint32_t mode)
{
    struct engine *e = of(w);
    uint32_t flags = kind == FILE_DISK && w->session->disk_places_huge ? MW_OBJ_THP_PLACE
                     : kind == FILE_HUGE                               ? MW_OBJ_HUGETLB
                     : kind == FILE_SHMEM                              ? MW_OBJ_SHMEM
                     : kind == FILE_DISK && w->session->disk_in_memory ? MW_OBJ_SHMEM
                                                                       : 0;
    struct mw_file *f = &e->file[e->files];
    if (e->files == MAX_FILES ||
        mw_object_create(&e->port, e->frames, kind == FILE_HUGE || kind == FILE_SHMEM ? NULL : &file_ops, &file_mark[e->files], bytes, flags,
                         &f->object) != 0) {
        say(w, "no file");
        return NO_FILE;
    }
    file_mark[e->files] = bytes;
    for (uint64_t i = 0; kind == FILE_SHMEM && i * PAGE < bytes; i++) { /* as its writer left it */
        frame_t n;
        if (object_page(f->object, i, &n) != OBJECT_OK)
            return NO_FILE;
        read_page(&file_mark[e->files], i, frame_ptr(e->frames, n));
    }
    f->mode = kind == FILE_PIPE ? MW_FILE_READ | MW_FILE_NOMMAP : mode;
    return e->files++;
}

static int64_t engine_truncate(struct world *w, int file, uint64_t bytes)
{
    int err = mw_object_truncate(of(w)->file[file].object, bytes);
    if (err == 0 && bytes < file_mark[file])
        file_mark[file] = bytes;
    return err;
}

static int engine_segment(struct world *w, uint64_t bytes, uint32_t perm, bool is_huge)
{
    struct engine *e = of(w);
    struct mw_file *f = &e->segment[e->segments];
    if (e->segments == MAX_SEGMENTS ||
        mw_object_create(&e->port, e->frames, NULL, &segment_mark[e->segments], bytes,
                         MW_OBJ_SHM | (is_huge ? MW_OBJ_HUGETLB : 0), &f->object) != 0) {
        say(w, "no segment");
        return NO_FILE;
    }
    f->mode = (perm & 0444 ? MW_FILE_READ : 0) | (perm & 0222 ? MW_FILE_WRITE : 0) |
              (perm & 0111 ? 0 : MW_FILE_NOEXEC);
    return e->segments++;
}

static int64_t engine_shmat(struct world *w, int seg, uint64_t addr, uint64_t flags)
{
    struct engine *e = of(w);
    struct mw_file f = { 0 };
    if (seg != NO_FILE)
        f = e->segment[seg];
    if (!e->dropped) /* root may */
        f.mode = MW_FILE_READ | MW_FILE_WRITE;
    return mw_shmat(e->space, seg == NO_FILE ? NULL : &f, addr, flags, NULL);
}

static int64_t engine_shmdt(struct world *w, uint64_t addr)
{
    return mw_shmdt(of(w)->space, addr, NULL);
}

static int64_t engine_attached(struct world *w, int seg)
{
    return (int64_t)mw_object_mapped(of(w)->segment[seg].object);
}

/* ---- accesses ---- */

static enum access access_of(enum mw_fault_result r)
{
    switch (r) {
    case MW_FAULT_OK:
        return ACC_OK;
    case MW_FAULT_SEGV_MAPERR:
        return ACC_MAPERR;
    case MW_FAULT_SEGV_ACCERR:
        return ACC_ACCERR;
    case MW_FAULT_BUS_ADRERR:
    case MW_FAULT_BUS_MCEERR:
        return ACC_BUS;
    default:
        return ACC_OTHER;
    }
}

static enum access engine_load(struct world *w, uint64_t addr, uint32_t *value)
{
    enum mw_fault_result r;
    uint64_t n = mw_read(of(w)->space, addr, value, sizeof *value, &r);
    return n == sizeof *value ? ACC_OK : access_of(r);
}

static enum access engine_store(struct world *w, uint64_t addr, uint32_t value)
{
    enum mw_fault_result r;
    uint64_t n = mw_write(of(w)->space, addr, &value, sizeof value, &r);
    return n == sizeof value ? ACC_OK : access_of(r);
}

static enum access engine_exec(struct world *w, uint64_t addr)
{
    return access_of(mw_fault(of(w)->space, addr, MW_ACCESS_EXEC));
}

static uint64_t engine_copy_out(struct world *w, uint64_t addr, uint64_t len)
{
    static unsigned char sink[COPY_MAX];
    return mw_read(of(w)->space, addr, sink, len < COPY_MAX ? len : COPY_MAX, NULL);
}

static uint64_t engine_copy_in(struct world *w, uint64_t addr, uint64_t len)
{
    return mw_write(of(w)->space, addr, pattern, len < COPY_MAX ? len : COPY_MAX, NULL);
}

/* ---- looking ---- */

static bool in_arena(uint64_t addr)
{
    return addr >= at(0) - ARENA_BEFORE && addr < at(0) + ARENA_AFTER;
}

static int handle_of(const struct mw_object *object)
{
    if (object == NULL)
        return -1;
    void *ctx = mw_object_ctx(object);
    if (ctx == NULL)
        return -2;
    for (int i = 0; i < MAX_SEGMENTS; i++)
        if (ctx == &segment_mark[i])
            return MAX_FILES + i;
    return ctx == &other_mark ? -3 : (int)((uint64_t *)ctx - file_mark);
}

static bool engine_next(struct world *w, uint64_t addr, struct seen *out)
{
    struct mw_vma v;
    if (!mw_find_vma(of(w)->space, addr, &v))
        return false;
    out->start = v.start;
    out->end = v.end;
    out->prot = (uint32_t)(v.flags & 7u);
    out->shared = (v.flags & MW_VM_MAYSHARE) != 0;
    out->file = handle_of(v.object);
    if (out->file == -2 && !(v.flags & MW_VM_MAYSHARE) && !in_arena(v.start))
        out->file = -3; /* as the live side sees huge pages that lie elsewhere */
    out->offset = v.object ? v.offset : 0;
    return true;
}

static uint64_t engine_flags(struct world *w, uint64_t addr)
{
    struct mw_vma v;
    if (!mw_find_vma(of(w)->space, addr, &v) || v.start > addr)
        return 0;
    return v.flags;
}

/* Walks the page tables as a CPU would. */
static bool engine_huge(struct world *w, int64_t pages)
{
    return mw_frames_set_huge(of(w)->frames, 21, (uint64_t)pages) >= (uint64_t)pages;
}

static void engine_huge_pool(struct world *w, int64_t *unused, int64_t *promised)
{
    struct mw_huge_stats h;
    mw_frames_huge(of(w)->frames, 21, &h);
    *unused = (int64_t)h.free;
    *promised = (int64_t)h.promised;
}

static bool engine_transparent(struct world *w)
{
    mw_set_thp_disable(of(w)->space, 0);
    return w->session->thp_mode != MW_THP_NEVER;
}

static int64_t count_huge(uint64_t table, int shift)
{
    int64_t n = 0;
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t entry;
        memcpy(&entry, guest_ram + table + i * 8, sizeof entry);
        if (shift == 21)
            n += (entry & PTE_LEAF) != 0;
        else if (entry & PTE_PRESENT)
            n += count_huge(entry & PTE_ADDRESS, shift - 9);
    }
    return n;
}

static void engine_resident(struct world *w, int64_t *pages, int64_t *whole)
{
    struct mw_stats s;
    mw_stats(of(w)->space, &s);
    *pages = (int64_t)s.resident;
    *whole = count_huge(mw_root(of(w)->space), 39);
}

static bool engine_present(struct world *w, uint64_t addr)
{
    uint64_t table = mw_root(of(w)->space), entry = 0;
    for (int shift = 39; shift >= 12; shift -= 9) {
        uint64_t index = addr >> shift & 511u;
        memcpy(&entry, guest_ram + table + index * 8, sizeof entry);
        if ((entry & PTE_PRESENT) == 0)
            return false;
        if (shift > 12 && (entry & PTE_LEAF))
            return true;
        table = entry & PTE_ADDRESS;
    }
    return true;
}

static void engine_counters(struct world *w, struct counters *out)
{
    struct mw_stats s;
    mw_stats(of(w)->space, &s);
    out->total = (int64_t)s.total;
    out->data = (int64_t)s.data;
    out->stack = (int64_t)s.stack;
    out->locked = (int64_t)s.locked;
}

/* ---- circumstances ---- */

static void engine_limit(struct world *w, enum mw_limit which, uint64_t bytes)
{
    mw_set_limit(of(w)->space, which, bytes);
}

static void engine_drop(struct world *w)
{
    mw_set_caps(of(w)->space, 0);
    of(w)->dropped = true;
}

static void engine_forked(struct world *w)
{
    struct engine *e = of(w);
    struct mw_space *child;
    if (mw_fork(e->space, 0, &child, NULL) != 0) {
        say(w, "no child");
        return;
    }
    mw_space_destroy(e->parent);
    e->parent = e->space;
    e->space = child;
}

static int64_t engine_name(struct world *w, uint64_t addr, uint64_t len, const char *name)
{
    return mw_name(of(w)->space, addr, len, name, NULL);
}

/* A file is shown as the live process had it; what mmap made has some number of its own. */
static bool show_file(void *ctx, const struct mw_object *object, struct mw_proc_file *out)
{
    const struct session *s = ctx;
    int file = handle_of(object);
    if (file < 0 || file >= MAX_FILES) {
        *out = (struct mw_proc_file){ .minor = 1, .inode = (uintptr_t)object, .path = "/dev/zero",
                                      .flags = MW_PROC_DELETED | MW_PROC_SHMEM };
        if (mw_object_flags(object) & MW_OBJ_HUGETLB)
            out->path = "/anon_hugepage";
        if (file >= MAX_FILES)
            out->path = "/SYSV00000000";
        return true;
    }
    out->major = s->file[file].major;
    out->minor = s->file[file].minor;
    out->inode = s->file[file].inode;
    out->path = s->file[file].path;
    return true;
}

static size_t engine_face(struct world *w, enum mw_proc_face face, char *buf, size_t size)
{
    const struct session *s = w->session;
    struct mw_proc proc = { .file = show_file, .ctx = w->session, .stack = s->stack,
                            .code_start = s->code_start, .code_end = s->code_end };
    struct mw_proc_cursor cursor = { 0 };
    size_t length = 0, n;
    while ((n = mw_proc_read(of(w)->space, &proc, face, &cursor, buf + length, size - 1 - length)) > 0)
        length += n;
    buf[length] = '\0';
    return length;
}

static const char *engine_sound(struct world *w)
{
    const char *what = NULL;
    return mw_check(of(w)->space, &what) == 0 ? NULL : what;
}

static const struct world_ops engine_ops = {
    .mmap = engine_mmap, .munmap = engine_munmap, .mprotect = engine_mprotect, .brk = engine_brk,
    .mremap = engine_mremap, .mlock = engine_mlock, .mlock2 = engine_mlock2,
    .munlock = engine_munlock, .mlockall = engine_mlockall, .munlockall = engine_munlockall,
    .process_madvise = engine_process_madvise, .remap_file_pages = engine_remap_file_pages,
    .madvise = engine_madvise, .msync = engine_msync, .mincore = engine_mincore,
    .mseal = engine_mseal,
    .pkey_mprotect = engine_pkey_mprotect, .pkey_alloc = engine_pkey_alloc, .pkey_free = engine_pkey_free,
    .file = engine_file, .truncate = engine_truncate,
    .segment = engine_segment, .shmat = engine_shmat, .shmdt = engine_shmdt, .attached = engine_attached, .load = engine_load, .store = engine_store,
    .exec = engine_exec, .copy_out = engine_copy_out, .copy_in = engine_copy_in,
    .next = engine_next, .flags = engine_flags, .present = engine_present,
    .huge = engine_huge, .huge_pool = engine_huge_pool, .transparent = engine_transparent,
    .resident = engine_resident,
    .counters = engine_counters, .limit = engine_limit, .drop = engine_drop,
    .forked = engine_forked, .name = engine_name, .face = engine_face, .sound = engine_sound,
};

/* ---- userfaultfd ---- */

static void hear(void *ctx, const struct mw_watch_event *e)
{
    struct watching *v = ctx;
    bool remap = e->event == MW_UFFD_EVENT_REMAP, fork = e->event == MW_UFFD_EVENT_FORK;
    if (v->heard < sizeof v->seen / sizeof v->seen[0])
        v->seen[v->heard++] = (struct watch_seen){ e->event, fork ? 0 : e->start,
                                                   remap ? e->to : fork ? 0 : e->end,
                                                   remap ? e->end - e->start : 0 };
}

static int64_t open_watcher(struct engine *e, uint64_t features)
{
    int id = 0, err;
    while (id < MAX_WATCHERS && e->watching[id].watcher)
        id++;
    if (id == MAX_WATCHERS)
        return -24; /* EMFILE */
    struct watching *v = &e->watching[id];
    for (size_t i = 0; i < COPY_PAGES; i++)
        memcpy(copies + i * PAGE, &(uint32_t){ 500 + (uint32_t)i }, 4);
    err = mw_watch_create(e->space, features, hear, v, &v->watcher, NULL);
    return err ? err : id;
}

static int64_t engine_watch(struct world *w, const struct watch_step *s)
{
    struct mw_watcher *u = of(w)->watching[s->id].watcher;
    uint64_t calls = 0;
    int64_t r;
    switch (s->op) {
    case WATCH_OPEN:
        return open_watcher(of(w), s->mode);
    case WATCH_CLOSE:
        mw_watch_destroy(u);
        of(w)->watching[s->id].watcher = NULL;
        return 0;
    case WATCH_REGISTER:
        r = mw_watch_register(u, s->addr, s->len, s->mode, &calls, NULL);
        return r ? r : (int64_t)calls;
    case WATCH_UNREGISTER:
        return mw_watch_unregister(u, s->addr, s->len, NULL);
    case WATCH_COPY:
        return mw_watch_copy(u, s->addr, copies, s->len, s->mode, NULL);
    case WATCH_ZEROPAGE:
        return mw_watch_zeropage(u, s->addr, s->len, s->mode, NULL);
    case WATCH_CONTINUE:
        return mw_watch_continue(u, s->addr, s->len, s->mode, NULL);
    case WATCH_POISON:
        return mw_watch_poison(u, s->addr, s->len, s->mode, NULL);
    case WATCH_MOVE:
        return mw_watch_move(u, s->addr, s->from, s->len, s->mode, NULL);
    default:
        return mw_watch_writeprotect(u, s->addr, s->len, s->mode, NULL);
    }
}

static bool engine_access(struct world *w, uint64_t addr, bool write, int *id, struct watch_seen *out)
{
    struct mw_watch_message m;
    uint8_t byte = 77;
    enum mw_fault_result r = mw_watch_fault(of(w)->space, addr, write ? MW_ACCESS_WRITE : MW_ACCESS_READ, &m);
    if (r == MW_FAULT_OK && write)
        mw_write(of(w)->space, addr, &byte, 1, NULL);
    if (r == MW_FAULT_WATCHED) {
        *id = (int)((struct watching *)mw_watch_ctx(m.watcher) - of(w)->watching);
        *out = (struct watch_seen){ 0, m.addr, m.flags, 0 };
        return true;
    }
    if (r != MW_FAULT_OK)
        say(w, "signal %d", access_of(r) == ACC_BUS ? 7 : 11);
    return false;
}

static size_t engine_messages(struct world *w, int id, struct watch_seen *out, size_t room)
{
    struct watching *v = &of(w)->watching[id];
    size_t n = v->heard < room ? v->heard : room;
    memcpy(out, v->seen, n * sizeof *out);
    v->heard = 0;
    return n;
}

static uint32_t engine_page(struct world *w, uint64_t addr)
{
    const pte_t *e = pmap_find(&of(w)->space->pmap, addr, NULL); /* PROT_NONE is present as well */
    return (pte_page(e) ? PAGE_PRESENT : 0) |
           (mw_watch_is_protected(of(w)->space, addr) ? PAGE_WP : 0);
}

const struct watch_ops watch_engine = {
    .step = engine_watch, .access = engine_access, .messages = engine_messages, .page = engine_page,
};

/* ---- taking the live child's layout over ---- */

static void configure(struct engine *e, const struct session *s)
{
    struct mw_config *c = &e->config;
    mw_config_init(c, &e->port);
    c->frames = e->frames;
    c->linux_version = s->version;
    c->options = (s->thp ? MW_OPT_THP : 0) | MW_OPT_DEFECTS | (s->pkeys ? MW_OPT_PKEYS : 0);
    c->thp = s->thp_mode;
    c->caps = s->caps;
    c->task_size = TASK_END;
    c->min_addr = s->min_addr;
    c->min_hint = s->min_hint;
    c->mmap_base = s->mmap_base;
    c->low_base = TASK_END / 3 / PAGE * PAGE + (TASK_END / 3 % PAGE ? PAGE : 0);
    c->brk_start = at(HEAP_PAGE);
    c->data_size = s->data_size;
    c->limit_memlock = s->memlock;
    c->limit_stack = s->stack_limit;
    c->max_map_count = s->max_map_count;
    c->ram_pages = s->ram_pages;
}

static bool import_line(struct engine *e, const char *line, const char *flags, uint64_t number)
{
    unsigned long long start, end, offset, inode;
    struct mw_vma v;
    if (sscanf(line, "%llx-%llx %*s %llx %*x:%*x %llu", &start, &end, &offset, &inode) != 4)
        return false;
    if (start >= TASK_END)
        return true;
    memset(&v, 0, sizeof v);
    v.start = start;
    v.end = end;
    v.flags = vm_flags_of_text(flags + 8);
    v.offset = offset;
    if (inode != 0 || (v.flags & MW_VM_MAYSHARE)) {
        v.object = e->other;
    } else if (v.flags & MW_VM_MAYWRITE) {
        v.offset = start;
        v.anon = number | MW_ANON_FORKED;
    }
    return mw_import(e->space, &v) == 0;
}

static bool import_snapshot(struct engine *e, const struct session *s)
{
    const char *head = s->snapshot;
    uint64_t number = 1;
    while (*head) {
        const char *flags = strstr(head, "\nVmFlags:");
        if (flags == NULL || !import_line(e, head, flags + 1, number++))
            return false;
        head = flags + 1 + strcspn(flags + 1, "\n");
        head += *head == '\n';
    }
    return true;
}

static void prepare_memory(void)
{
    if (guest_ram != NULL)
        return;
    void *p = mmap(NULL, POOL_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    if (p == MAP_FAILED)
        exit(97);
    guest_ram = p;
    memset(guest_ram, 0xee, POOL_PAGES / 8 * PAGE); /* an unzeroed frame shows */
    for (uint32_t i = 0; i < COPY_MAX / 4; i++) {
        uint32_t word = i * 2654435761u;
        memcpy(pattern + i * 4, &word, sizeof word);
    }
}

struct world *engine_open(struct session *s)
{
    struct engine *e = calloc(1, sizeof *e);
    struct world *w = calloc(1, sizeof *w);
    if (e == NULL || w == NULL)
        exit(97);
    prepare_memory();
    w->ops = &engine_ops;
    w->session = s;
    w->log = &s->log[WORLD_ENGINE];
    w->impl = e;
    e->port = (struct mw_port){ .ctx = e, .alloc = counted_alloc, .free = counted_free };
    if (mw_frames_create(&e->port, guest_ram, POOL_PAGES * PAGE, 12, &e->frames) != 0 ||
        mw_object_create(&e->port, NULL, NULL, &other_mark, 1ull << 40, MW_OBJ_NOMERGE,
                         &e->other) != 0)
        exit(96);
    configure(e, s);
    if (mw_space_create(&e->config, &e->space) != 0 || !import_snapshot(e, s))
        exit(96);
    mw_set_thp_disable(e->space, MW_THP_DISABLE);
    engine_counters(w, &w->base);
    return w;
}

void engine_close(struct world *w)
{
    struct engine *e = of(w);
    mw_space_destroy(e->space);
    mw_space_destroy(e->parent);
    for (int i = 0; i < e->files; i++)
        mw_object_put(e->file[i].object);
    for (int i = 0; i < e->segments; i++)
        mw_object_put(e->segment[i].object);
    mw_object_put(e->other);
    if (mw_frames_free(e->frames) != mw_frames_total(e->frames))
        say(w, "leak: %llu frames",
            (unsigned long long)(mw_frames_total(e->frames) - mw_frames_free(e->frames)));
    if (mw_frames_destroy(e->frames) != 0)
        say(w, "leak: the guest_ram is busy");
    if (e->allocations != 0)
        say(w, "leak: %zu allocations", e->allocations);
    free(e);
    free(w);
}

bool world_run_engine(struct session *s, world_fn *fn, void *ctx)
{
    int status = 0;
    struct world_log *log = &s->log[WORLD_ENGINE];
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        struct world *w = engine_open(s);
        fn(w, ctx);
        engine_close(w);
        log->finished = true;
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (pid > 0 && status == 0 && log->finished)
        return true;
    if (log->len < sizeof log->text - 64)
        log->len += (size_t)snprintf(log->text + log->len, 64, "engine ended: status %#x\n",
                                     (unsigned)status);
    return false;
}
