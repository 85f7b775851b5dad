/* SPDX-License-Identifier: MIT */
/*
 * observe_calls.c - one call of an observed program, before and after. Decides
 * what the kernel is asked for the engine's answer: which memory was written
 * to, which file is meant, which limits and rights hold.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "observe_impl.h"
#include "trace/openings.h"
#include "trace/procfs.h"
#include "trace/touched.h"

enum { CHEAP_TO_LOOK_AT = 250 };

/* ---- before a call -------------------------------------------------------------- */

/* Where the call may change mappings; none: size 0. */
struct affected {
    struct draw_range range[2];
};

static struct affected affected_by(const struct watched *w, const struct event *event)
{
    const uint64_t *arg = event->arg;
    struct mw_stats stats;

    switch (event->call) {
    case CALL_BRK:
        mw_stats(watched_space(w), &stats);
        if (arg[0] > stats.brk)
            return (struct affected){ { { stats.brk, arg[0] - stats.brk }, { 0, 0 } } };
        return (struct affected){ { { arg[0], stats.brk - arg[0] + 1 }, { 0, 0 } } };
    case CALL_MREMAP:
        return (struct affected){ { { arg[0], arg[1] > arg[2] ? arg[1] : arg[2] },
                                    { arg[4], arg[3] & (MW_MREMAP_FIXED | MW_MREMAP_DONTUNMAP)
                                                  ? arg[2] : 0 } } };
    case CALL_MMAP:
        return (struct affected){ { { arg[0], arg[0] ? arg[1] : 0 }, { 0, 0 } } };
    case CALL_MUNMAP:
    case CALL_MPROTECT:
    case CALL_PKEY_MPROTECT:
    case CALL_MADVISE:
    case CALL_MLOCK:
    case CALL_MLOCK2:
    case CALL_MUNLOCK:
        return (struct affected){ { { arg[0], arg[1] }, { 0, 0 } } };
    case CALL_MSYNC:
    case CALL_MINCORE:
    case CALL_PKEY_ALLOC:
    case CALL_PKEY_FREE:
    case CALL_SETRLIMIT:
    case CALL_PRLIMIT:
        return (struct affected){ { { 0, 0 }, { 0, 0 } } };
    default: /* not known so well: everywhere */
        return (struct affected){ { { 0, UINT64_MAX }, { 0, 0 } } };
    }
}

static uint64_t range_end(const struct draw_range *range)
{
    uint64_t end = range->start + range->size;

    if (end < range->start || end > UINT64_MAX - 4096)
        return UINT64_MAX;
    return (end + 4095) & ~UINT64_C(4095);
}

/* Whether a mapping that grows down lies in the range or is the next above it. */
static bool is_below_stack(const struct watched *w, const struct draw_range *range)
{
    struct mw_vma vma;

    if (!mw_find_vma(watched_space(w), range_end(range), &vma))
        return mw_find_vma(watched_space(w), range->start, &vma) && (vma.flags & MW_VM_GROWSDOWN);
    return vma.flags & MW_VM_GROWSDOWN;
}

/*
 * Whether a task that has its memory for itself has had no page fault since this was last asked:
 * then it has written to nothing new. (What others write into its memory by process_vm_writev
 * and its like is met when a call concerns it.)
 */
static bool is_untouched(struct watched *w, const struct task *task)
{
    uint64_t faults = task->mm->users == 1 ? procfs_faults(task->tgid) : 0;
    bool same = faults && faults == w->faults;

    w->faults = faults;
    return same;
}

/*
 * Looking at everything before each call also shows in which order mappings
 * were written to first, on which it depends which of them share an identity.
 * In a large space that is done less often.
 */
static void look_everywhere(struct watched *w, const struct task *task)
{
    struct mw_stats stats;

    if (w->unlooked > 0) {
        w->unlooked--;
        return;
    }
    mw_stats(watched_space(w), &stats);
    w->unlooked = (uint32_t)(stats.map_count / CHEAP_TO_LOOK_AT);
    if (w->unlooked && is_untouched(w, task))
        return;
    touched_everywhere(w->pagemap, watched_space(w), false);
}

static void look_before(struct watched *w, const struct task *task)
{
    struct affected affected = affected_by(w, &task->event);

    look_everywhere(w, task);
    for (unsigned i = 0; i < 2; i++) {
        const struct draw_range *range = &affected.range[i];
        struct layout kernel = { 0 };
        if (!range->size)
            continue;
        if (is_below_stack(w, range) && procfs_layout(task->tid, false, &kernel))
            watched_adopt_growth(w, &kernel);
        layout_clear(&kernel);
        touched_near(w->pagemap, watched_space(w), range->start, range_end(range), false);
    }
}

/* The new soft limit that setrlimit or prlimit64 is given. */
static void read_limit(const struct watched *w, struct task *task)
{
    struct event *event = &task->event;
    bool is_prlimit = event->call == CALL_PRLIMIT;
    uint64_t at = event->arg[is_prlimit ? 2 : 1];
    struct iovec here = { &event->value, sizeof event->value };
    struct iovec there = { (void *)(uintptr_t)at, sizeof event->value };

    /* a vfork child's limits are its own, not those of the memory it borrows */
    bool own = task->tgid == w->tgid &&
               (!is_prlimit || !event->arg[0] || (pid_t)event->arg[0] == task->tgid);
    event->value_known = own && at && process_vm_readv(task->tid, &here, 1, &there, 1, 0) ==
                                          (ssize_t)sizeof event->value;
}

/* The rights matter to few calls, and may have changed since the exec. */
static void read_rights(struct watched *w, const struct task *task)
{
    const struct event *e = &task->event;
    bool matter = e->call == CALL_MREMAP || e->call == CALL_MLOCK || e->call == CALL_MLOCK2 ||
                  e->call == CALL_MLOCKALL ||
                  (e->call == CALL_MMAP &&
                   ((e->arg[3] & MW_MAP_LOCKED) ||
                    (e->arg[0] && e->arg[0] < mw_space_config(watched_space(w))->min_addr)));
    if (matter)
        mw_set_caps(watched_space(w), procfs_caps(task->tid));
}

void observe_enter(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;
    struct event *event = &task->event;

    if (w->stale)
        watched_take_over(w, task->tid);
    if (task->row->role == ROLE_FORK) {
        touched_everywhere(w->pagemap, watched_space(w), false);
        return;
    }
    observe_closed_watchers(w, task->tid);
    look_before(w, task);
    observe_read_args(task);
    read_rights(w, task);
    if (event->call == CALL_MMAP && !(event->arg[3] & MW_MAP_ANONYMOUS))
        procfs_file(task->tid, (int)event->arg[4], &event->file);
    if (event->call == CALL_SHMAT)
        procfs_segment(task->tid, (int)event->arg[0], &event->file);
    if (event->call == CALL_SETRLIMIT || event->call == CALL_PRLIMIT)
        read_limit(w, task);
    if (ob->draw && !ob->drawn && event->call == CALL_MREMAP) {
        layout_clear(&ob->picture.before);
        model_layout(w->model, &ob->picture.before);
    }
}

/* ---- after a call ---------------------------------------------------------------- */

static bool succeeded(const struct event *event)
{
    return event->result >= 0 || event->result < -4095;
}

/*
 * What the kernel shows as a mapping's file may differ from what stat(2) says
 * (overlay and btrfs give inodes of their own). Found out once for a file
 * system where they agree, and for each mapping where they do not.
 */
static void learn_file(const struct task *task, struct event_file *file, uint64_t addr)
{
    enum { MOST = 64 };
    static uint64_t faithful[MOST];
    static unsigned n;
    struct area area;

    for (unsigned i = 0; i < n; i++)
        if (faithful[i] == file->dev)
            return;
    if (!procfs_area(task->tid, addr, &area))
        return;
    if (area.dev == file->dev && area.ino == file->ino && n < MOST)
        faithful[n++] = file->dev;
    file->dev = area.dev;
    file->ino = area.ino;
}

/*
 * Another thread may have written beside the result since the kernel decided
 * what to merge: what lies within one mapping with it now could be merged then.
 */
static bool merged_before_look(const struct task *task, uint64_t addr, uint64_t end)
{
    struct area area;

    if (task->mm->users == 1 || !procfs_area(task->tid, addr, &area))
        return false;
    bool below = area.start < addr, above = area.end > end;
    /* to one side anything merges with what is new, and has not been written to */
    return task->event.call == CALL_MREMAP ? below || above : below && above;
}

static void look_after_mmap(struct watched *w, struct task *task)
{
    struct event *event = &task->event;
    uint64_t addr = (uint64_t)event->result;
    uint64_t size = event->arg[event->call == CALL_MMAP ? 1 : 2];
    struct draw_range range = { addr, size };

    if (event->call == CALL_MMAP && event->result == -MW_ENODEV)
        event->file.mode |= MW_FILE_NOMMAP; /* no other way to know a device's abilities */
    if (!succeeded(event))
        return;
    /* where the kernel placed it was not known before; what lies beside it is still there */
    if (touched_beside(w->pagemap, watched_space(w), addr, range_end(&range), false) &&
        !merged_before_look(task, addr, range_end(&range)))
        touched_beside(w->pagemap, watched_space(w), addr, range_end(&range), true);
    if (!event->file.known)
        return;
    learn_file(task, &event->file, addr);
    event->file.opening = openings_get(task->tgid, (int)event->arg[4], &event->file,
                                       event->file.object |
                                           objects_flags_of_path(event->file.path));
}

/* What the segment or the ring is that has just been mapped. Each is an opening of its own. */
static void look_after_attach(const struct task *task, struct event *event, uint64_t addr)
{
    struct event_file *file = &event->file;
    struct area area;

    if (!procfs_area(task->tid, addr, &area))
        return;
    file->dev = area.dev;
    file->ino = area.ino;
    file->size = area.end - area.start;
    if (event->call == CALL_IO_SETUP)
        snprintf(file->path, sizeof file->path, "/[aio] (deleted)");
    procfs_mapped(task->tid, area.start, area.end, file);
    file->opening = openings_new(file, file->object | objects_flags_of_path(file->path));
}

/* The number of a new aio context, which is the address of its ring. */
static void read_context(const struct task *task, struct event *event)
{
    struct iovec here = { &event->value, sizeof event->value };
    struct iovec there = { (void *)(uintptr_t)event->arg[1], sizeof event->value };

    event->value_known = process_vm_readv(task->tid, &here, 1, &there, 1, 0) ==
                         (ssize_t)sizeof event->value;
    if (event->value_known)
        look_after_attach(task, event, event->value);
}

static void report_answer(struct observation *ob, struct watched *w, struct task *task,
                          struct model_answer *answer)
{
    struct layout engine = { 0 }, kernel = { 0 };
    bool differs = answer->kind == MODEL_ANSWERED && !answer->agrees;

    if (differs) {
        procfs_layout(task->tid, false, &kernel);
        model_layout(w->model, &engine);
    }
    report_call(ob->report, &task->event, answer, differs ? &engine : NULL,
                differs ? &kernel : NULL);
    layout_clear(&engine);
    layout_clear(&kernel);
    if (differs || answer->kind == MODEL_NOT_MODELLED || task->event.file.peculiar)
        watched_take_over(w, task->tid);
}

/* What the rights to a sealed memfd, or the kind of a device, forbid can't be seen beforehand. */
static void answer_peculiar(struct observation *ob, struct event *event,
                            struct model_answer *answer)
{
    if (!event->file.peculiar)
        return;
    if (succeeded(event))
        report_note(ob->report, false, "the flags of a mapping of %s were taken from Linux",
                    event->file.path);
    else if (!answer->agrees)
        answer->kind = MODEL_NOT_MODELLED;
}

static void draw_after(struct observation *ob, struct watched *w, const struct task *task)
{
    if (!ob->draw || ob->drawn || !draw_wanted(&task->event))
        return;
    ob->picture.event = task->event;
    ob->drawn = model_layout(w->model, &ob->picture.after);
}

static void compare_after(struct observation *ob, struct watched *w, const struct task *task)
{
    char call[256], when[300];

    event_text(&task->event, call, sizeof call);
    snprintf(when, sizeof when, "%d %s", task->tid, call);
    watched_compare(ob, w, task->tid, when,
                    ob->every != LAYOUT_ADAPTIVE && w->interval < MOST_FLAGS_READ);
}

void observe_leave(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;
    struct event *event = &task->event;
    struct model_answer answer;

    if (event->call == CALL_MMAP || event->call == CALL_MREMAP)
        look_after_mmap(w, task);
    if (event->call == CALL_SHMAT && event->file.known && succeeded(event))
        look_after_attach(task, event, (uint64_t)event->result);
    if (event->call == CALL_USERFAULTFD)
        observe_after_watch(w, task);
    if (event->call == CALL_IO_SETUP && succeeded(event))
        read_context(task, event);
    if (event->call == CALL_BRK)
        w->brk = (uint64_t)event->result;
    if (event->call == CALL_PRCTL && event->arg[0] == PR_SET_MM)
        w->brk = 0; /* the model knows */
    observe_read_ranges(task);
    would_ask(&ob->would, w->model, event);
    model_call(w->model, event, &answer);
    if (event->file.opening)
        mw_object_put(event->file.opening); /* its mappings hold it */
    answer_peculiar(ob, event, &answer);
    draw_after(ob, w, task);
    report_would(ob->report, event, &answer, &ob->would);
    report_answer(ob, w, task, &answer);
    if (w->interval && ++w->calls >= w->interval)
        compare_after(ob, w, task);
}
