/* SPDX-License-Identifier: MIT */
/*
 * watch.c - userfaultfd(2) and its calls, on both sides.
 *
 * Watchers have the feature SIGBUS, so that an access that would wait for one
 * meets a signal instead, and no events: for those the call waits that causes
 * them, and one process can't both wait and answer.
 */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mapwright/watch.h"

#define USER_MODE_ONLY 1

/* What older headers lack. */
struct move_arg {
    uint64_t dst, src, len, mode;
    int64_t done;
};
struct range_arg {
    struct uffdio_range range;
    uint64_t mode;
    int64_t done;
};
#define IOC_MOVE _IOWR(0xaa, 5, struct move_arg)
#define IOC_CONTINUE _IOWR(0xaa, 7, struct range_arg)
#define IOC_POISON _IOWR(0xaa, 8, struct range_arg)

static _Alignas(4096) unsigned char copied[2 * HUGE]; /* what UFFDIO_COPY brings */

/* All are there: for a page that is not, Linux takes a huge page more for a while. */
static void fill_copied(void)
{
    uint32_t pages = model_huge_pages > 0 ? sizeof copied / PAGE : COPY_PAGES;
    for (uint32_t i = 0; i < pages; i++)
        memcpy(copied + i * PAGE, &(uint32_t){ 500 + i }, sizeof i);
}

/* ---- the system ---- */

static int descriptor[WATCHERS]; /* one more than it is; 0: closed */

static int64_t call(int watcher, unsigned long nr, void *arg)
{
    return sys_raw(SYS_ioctl, (uint64_t)(int64_t)(descriptor[watcher] - 1), nr, (uint64_t)(uintptr_t)arg, 0, 0, 0);
}

static int64_t open_watcher(const struct step *s)
{
    struct uffdio_api api = { .api = UFFD_API, .features = s->more };
    int64_t fd = sys_raw(SYS_userfaultfd, O_CLOEXEC | USER_MODE_ONLY, 0, 0, 0, 0, 0), r;
    if (fd < 0)
        return fd;
    descriptor[s->file] = (int)fd + 1;
    r = call(s->file, UFFDIO_API, &api);
    if (r != 0) {
        close((int)fd);
        descriptor[s->file] = 0;
    }
    fill_copied();
    return r;
}

static void close_watcher(int i)
{
    if (descriptor[i] > 0)
        close(descriptor[i] - 1);
    descriptor[i] = 0;
}

/* Also of a child, where they are still its parent's. */
void sys_forget_watchers(void)
{
    for (int i = 0; i < WATCHERS; i++)
        close_watcher(i);
}

/* What was done, in whole or in part; or why nothing was. */
static int64_t done(int64_t r, int64_t n)
{
    return r == 0 || n > 0 ? n : r;
}

static int64_t range_call(const struct step *s, unsigned long nr)
{
    struct range_arg a = { { s->addr, s->len }, s->more, 0 };
    int64_t r = call(s->file, nr, &a);
    return done(r, a.done);
}

int64_t sys_watch_step(const struct step *s)
{
    struct uffdio_register reg = { .range = { s->addr, s->len }, .mode = s->more };
    struct uffdio_copy copy = { .dst = s->addr, .src = (uint64_t)(uintptr_t)copied, .len = s->len, .mode = s->more };
    struct uffdio_writeprotect wp = { .range = { s->addr, s->len }, .mode = s->more };
    struct move_arg move = { s->addr, s->to, s->len, s->more, 0 };
    int64_t r;
    switch (s->kind) {
    case STEP_WATCHER:
        return open_watcher(s);
    case STEP_UNWATCHER:
        close_watcher(s->file);
        return 0;
    case STEP_REGISTER:
        r = call(s->file, UFFDIO_REGISTER, &reg);
        return done(r, (int64_t)reg.ioctls);
    case STEP_UNREGISTER:
        return call(s->file, UFFDIO_UNREGISTER, &reg.range);
    case STEP_COPY:
        r = call(s->file, UFFDIO_COPY, &copy);
        return done(r, copy.copy);
    case STEP_MOVE:
        r = call(s->file, IOC_MOVE, &move);
        return done(r, move.done);
    case STEP_WRITEPROTECT:
        return call(s->file, UFFDIO_WRITEPROTECT, &wp);
    default:
        return range_call(s, s->kind == STEP_ZEROPAGE   ? UFFDIO_ZEROPAGE
                             : s->kind == STEP_CONTINUE ? IOC_CONTINUE
                                                        : IOC_POISON);
    }
}

/* ---- the engine ---- */

bool model_is_watched(void)
{
    for (int i = 0; i < WATCHERS; i++)
        if (model.watcher[i] != NULL)
            return true;
    return false;
}

static int64_t register_range(const struct step *s)
{
    uint64_t calls = 0;
    int64_t r = mw_watch_register(model.watcher[s->file], s->addr, s->len, s->more, &calls, &model.why);
    return r == 0 ? (int64_t)calls : r;
}

int64_t model_watch_step(const struct step *s)
{
    struct mw_watcher *w = model.watcher[s->file];
    if (w == NULL && s->kind != STEP_WATCHER) /* this Linux would not open it */
        return -MW_EBADF;
    switch (s->kind) {
    case STEP_WATCHER:
        fill_copied();
        return mw_watch_create(model.space, s->more, NULL, NULL, &model.watcher[s->file], &model.why);
    case STEP_UNWATCHER:
        mw_watch_destroy(w);
        model.watcher[s->file] = NULL;
        return 0;
    case STEP_REGISTER:
        return register_range(s);
    case STEP_UNREGISTER:
        return mw_watch_unregister(w, s->addr, s->len, &model.why);
    case STEP_COPY:
        return mw_watch_copy(w, s->addr, copied, s->len, s->more, &model.why);
    case STEP_ZEROPAGE:
        return mw_watch_zeropage(w, s->addr, s->len, s->more, &model.why);
    case STEP_CONTINUE:
        return mw_watch_continue(w, s->addr, s->len, s->more, &model.why);
    case STEP_POISON:
        return mw_watch_poison(w, s->addr, s->len, s->more, &model.why);
    case STEP_MOVE:
        return mw_watch_move(w, s->addr, s->to, s->len, s->more, &model.why);
    default:
        return mw_watch_writeprotect(w, s->addr, s->len, s->more, &model.why);
    }
}

/* ---- what must not be tried ---- */

static bool makes_present_by_reading(const struct step *s)
{
    switch (s->kind) {
    case STEP_LOAD:
    case STEP_COPY_OUT:
    case STEP_MLOCK:
        return true;
    case STEP_MLOCK2:
        return !(s->flags & 1u);
    case STEP_MADVISE: /* where a guard has been once, a fork copies all entries (CAVEATS.md) */
        return (uint32_t)s->more == MW_MADV_POPULATE_READ || (uint32_t)s->more == MW_MADV_GUARD_INSTALL;
    default:
        return false;
    }
}

static bool is_call_of_watchers(uint32_t kind)
{
    return kind < STEP_CALLS && STEPS_OF_WATCHERS >> kind & 1;
}

/*
 * Linux maps the neighbours of a page of a file that is read, unasked, and then
 * these are missed no more: while there are watchers, files are only written to.
 */
static bool bears_watchers(const struct step *s)
{
    if (s->kind == STEP_MMAP)
        return !(s->flags & (MW_MAP_POPULATE | MW_MAP_LOCKED)) && model.future == 0;
    if (s->kind == STEP_MLOCKALL)
        return false;
    if (s->kind == STEP_MADVISE && (uint32_t)s->more == MW_MADV_GUARD_INSTALL && model_version >= MW_LINUX(7, 2))
        return false; /* there they don't give way to pages (CAVEATS.md) */
    return !makes_present_by_reading(s) ||
           !model_has_small_objects(s->addr & ~(PAGE - 1), s->addr + (s->len > 0 ? s->len : 1));
}

/* Before 6.12 a call that is refused before it comes to the pages does not touch (CAVEATS.md). */
static bool touches_unwatched(const struct step *s)
{
    struct mw_vma v;
    return model_version < MW_LINUX(6, 12) && s->kind >= STEP_COPY && s->kind < STEP_CALLS &&
           model_next_vma(s->addr, &v) && v.start <= s->addr &&
           (!(v.flags & MW_VM_UFFD) || s->len > v.end - s->addr ||
            (s->more & MW_UFFD_COPY_MODE_WP && !(v.flags & MW_VM_UFFD_WP)) || s->kind == STEP_CONTINUE);
}

/* Linux never ends a write to a huge page that is protected, and watched otherwise by then (CAVEATS.md). */
static bool unwatches_huge(const struct step *s)
{
    struct mw_vma v;
    if (s->kind != STEP_REGISTER || s->more & MW_UFFD_MODE_WP)
        return false;
    for (uint64_t a = s->addr; model_next_vma(a, &v) && v.start < s->addr + s->len; a = v.end)
        if (v.flags & MW_VM_HUGETLB && v.flags & MW_VM_UFFD_WP)
            return true;
    return false;
}

/* Pages and marks, each of which needs an entry. */
static bool takes_too_many(const struct step *s)
{
    return s->kind != STEP_REGISTER && s->kind != STEP_UNREGISTER && s->len > 3 * HUGE && s->len < TASK_END;
}

/*
 * Linux sees a source without a page table before a page at the destination,
 * and keeps tables that have become empty (CAVEATS.md).
 */
static bool asks_for_tables(const struct step *s)
{
    return s->kind == STEP_MOVE && !(s->more & MW_UFFD_MOVE_MODE_ALLOW_SRC_HOLES) && s->len <= HUGE &&
           (model_entry(s->to) == 0 || model_entry(s->to + s->len - 1) == 0);
}

/* A child has its parent's memory, but none of its watchers. */
bool watch_step_is_safe(const struct step *s)
{
    bool open;
    if (s->kind != STEP_WATCHER && s->kind != STEP_UNWATCHER && !is_call_of_watchers(s->kind))
        return !model_is_watched() || bears_watchers(s);
    if (s->file < 0 || s->file >= WATCHERS || model.parents > 0)
        return false;
    open = model.watcher[s->file] != NULL;
    if (s->kind == STEP_WATCHER)
        return sys.watch && !open && model_files_whole;
    if (asks_for_tables(s) || takes_too_many(s) || touches_unwatched(s) || unwatches_huge(s))
        return false;
    if (s->kind == STEP_COPY && s->len > sizeof copied && s->len < TASK_END)
        return false;
    return open;
}
