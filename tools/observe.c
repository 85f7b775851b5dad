/* SPDX-License-Identifier: MIT */
/*
 * observe.c - holds what the tracer sees against the engine. Decides when the
 * kernel is asked which memory was written to, when whole layouts are
 * compared, and when the kernel's layout is taken over.
 */
#include "observe.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mapwright/host.h"
#include "trace/openings.h"
#include "trace/procfs.h"
#include "trace/touched.h"

enum { OFTEN = 100, MOST_FLAGS_READ = 5000, CHEAP_TO_LOOK_AT = 250 };

/* What is kept of one address space. mm->data. */
struct watched {
    struct model *model;
    int pagemap;
    pid_t tgid;          /* whose limits hold: the process that made it */
    uint64_t brk;        /* the kernel's, as far as it was seen; 0: not yet */
    uint32_t calls;      /* since the layout was compared */
    uint32_t interval;   /* until it is compared again */
    uint32_t unlooked;   /* calls to go until all mappings are looked at again */
    bool stale;          /* the layout must be read anew */
};

static struct mw_space *space_of(const struct watched *w)
{
    return model_space(w->model);
}

/* ---- whole layouts ------------------------------------------------------------- */

static void take_over(struct watched *w, pid_t tid)
{
    struct layout kernel = { 0 };

    w->stale = !procfs_layout(tid, true, &kernel) ||
               model_take_over(w->model, &kernel, w->brk) != 0;
    layout_clear(&kernel);
    touched_everywhere(w->pagemap, space_of(w), true);
    w->calls = 0;
}

/* A stack grows by being used, without a call: the engine learns it here. */
static void adopt_growth(struct watched *w, const struct layout *kernel)
{
    struct mw_space *space = space_of(w);
    struct mw_vma vma;
    uint64_t addr = 0;

    while (mw_find_vma(space, addr, &vma)) {
        addr = vma.end;
        size_t i = layout_find(kernel, vma.end - 1);
        if (!(vma.flags & MW_VM_GROWSDOWN) || i == kernel->n)
            continue;
        const struct area *now = &kernel->area[i];
        if (now->end != vma.end || now->start >= vma.start)
            continue;
        if (mw_munmap(space, vma.start, vma.end - vma.start, NULL) != 0)
            continue;
        vma.offset -= vma.start - now->start;
        vma.start = now->start;
        mw_import(space, &vma);
    }
}

static uint32_t interval_after(const struct observation *ob, size_t areas)
{
    if (ob->every != LAYOUT_ADAPTIVE)
        return ob->every;
    /* reading a layout costs as many steps as it has areas */
    return areas > OFTEN ? (uint32_t)areas : OFTEN;
}

/*
 * Compares; with `flags` the VmFlags too, which the kernel takes longer to
 * tell. A difference is reported and the kernel's layout taken over.
 */
static void compare(struct observation *ob, struct watched *w, pid_t tid, const char *when,
                    bool flags)
{
    struct layout engine = { 0 }, kernel = { 0 };
    struct layout_diff diff;

    if (procfs_layout(tid, flags, &kernel)) {
        adopt_growth(w, &kernel);
        if (model_layout(w->model, &engine)) {
            layout_compare(&engine, &kernel, &diff);
            report_layout(ob->report, when, &diff, &engine, &kernel);
            if (diff.differs)
                take_over(w, tid);
        }
        w->interval = interval_after(ob, kernel.n);
        w->calls = 0;
    }
    layout_clear(&engine);
    layout_clear(&kernel);
}

static void compare_all(struct observation *ob, struct watched *w, const struct task *task,
                        const char *what)
{
    struct mw_stats stats;
    char when[64];

    mw_stats(space_of(w), &stats);
    snprintf(when, sizeof when, "%s of %d", what, task->tid);
    compare(ob, w, task->tid, when, stats.map_count < MOST_FLAGS_READ);
}

static void compare_after(struct observation *ob, struct watched *w, const struct task *task)
{
    char call[256], when[300];

    event_text(&task->event, call, sizeof call);
    snprintf(when, sizeof when, "%d %s", task->tid, call);
    compare(ob, w, task->tid, when, ob->every != LAYOUT_ADAPTIVE && w->interval < MOST_FLAGS_READ);
}

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
        mw_stats(space_of(w), &stats);
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

    if (!mw_find_vma(space_of(w), range_end(range), &vma))
        return mw_find_vma(space_of(w), range->start, &vma) && (vma.flags & MW_VM_GROWSDOWN);
    return vma.flags & MW_VM_GROWSDOWN;
}

/*
 * Looking at everything before each call also shows in which order mappings
 * were written to first, on which it depends which of them share an identity.
 * In a large space that is done less often.
 */
static void look_everywhere(struct watched *w)
{
    struct mw_stats stats;

    if (w->unlooked > 0) {
        w->unlooked--;
        return;
    }
    mw_stats(space_of(w), &stats);
    w->unlooked = (uint32_t)(stats.map_count / CHEAP_TO_LOOK_AT);
    touched_everywhere(w->pagemap, space_of(w), false);
}

static void look_before(struct watched *w, const struct task *task)
{
    struct affected affected = affected_by(w, &task->event);

    look_everywhere(w);

    for (unsigned i = 0; i < 2; i++) {
        const struct draw_range *range = &affected.range[i];
        struct layout kernel = { 0 };
        if (!range->size)
            continue;
        if (is_below_stack(w, range) && procfs_layout(task->tid, false, &kernel))
            adopt_growth(w, &kernel);
        layout_clear(&kernel);
        touched_near(w->pagemap, space_of(w), range->start, range_end(range), false);
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
                  (e->call == CALL_MMAP &&
                   ((e->arg[3] & MW_MAP_LOCKED) ||
                    (e->arg[0] && e->arg[0] < mw_space_config(space_of(w))->min_addr)));
    if (matter)
        mw_set_caps(space_of(w), procfs_caps(task->tid));
}

static void on_enter(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;
    struct event *event = &task->event;

    if (w->stale)
        take_over(w, task->tid);
    if (task->row->role == ROLE_FORK) {
        touched_everywhere(w->pagemap, space_of(w), false);
        return;
    }
    look_before(w, task);
    read_rights(w, task);
    if (event->call == CALL_MMAP && !(event->arg[3] & MW_MAP_ANONYMOUS))
        procfs_file(task->tid, (int)event->arg[4], &event->file);
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
    touched_beside(w->pagemap, space_of(w), addr, range_end(&range));
    if (!event->file.known)
        return;
    learn_file(task, &event->file, addr);
    event->file.opening = openings_get(task->tgid, (int)event->arg[4], &event->file,
                                       event->file.object |
                                           objects_flags_of_path(event->file.path));
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
        take_over(w, task->tid);
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

static void on_leave(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;
    struct event *event = &task->event;
    struct model_answer answer;

    if (event->call == CALL_MMAP || event->call == CALL_MREMAP)
        look_after_mmap(w, task);
    if (event->call == CALL_BRK)
        w->brk = (uint64_t)event->result;
    model_call(w->model, event, &answer);
    if (event->file.opening)
        mw_object_put(event->file.opening); /* its mappings hold it */
    answer_peculiar(ob, event, &answer);
    draw_after(ob, w, task);
    report_answer(ob, w, task, &answer);
    if (w->interval && ++w->calls >= w->interval)
        compare_after(ob, w, task);
}

static void on_lost(void *ctx, struct task *task, const char *why)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;

    report_note(ob->report, false, "%s: not compared, the layout was taken over", why);
    w->stale = true;
}

/* ---- address spaces begin and end ---------------------------------------------------- */

static struct watched *watch(struct model *model, pid_t tid, pid_t tgid)
{
    struct watched *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->model = model;
    w->pagemap = touched_open(tid);
    w->tgid = tgid;
    return w;
}

static void unwatch(struct watched *w)
{
    if (w->pagemap >= 0)
        close(w->pagemap);
    model_destroy(w->model);
    free(w);
}

static const struct area *stack_of(const struct layout *layout)
{
    for (size_t i = layout->n; i-- > 0;)
        if (layout->area[i].flags & MW_VM_GROWSDOWN)
            return &layout->area[i];
    return NULL;
}

/* The address Linux gives to one new page; 0: it could not be found out. */
static uint64_t try_page(struct task *task, uint64_t page)
{
    const uint64_t map[6] = { 0, page, MW_PROT_NONE, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS,
                              (uint64_t)-1, 0 };
    int64_t result = 0;

    if (!tracer_inject(task, SYS_mmap, map, &result) || (result < 0 && result >= -4095))
        return 0;
    return (uint64_t)result;
}

static void drop_page(struct task *task, uint64_t addr, uint64_t page)
{
    const uint64_t unmap[6] = { addr, page };
    int64_t result;

    if (addr)
        tracer_inject(task, SYS_munmap, unmap, &result);
}

/*
 * The end of the mappings that follow on one another without a gap from addr
 * upwards. A search downwards that found the page below addr began there: a
 * gap above it would have been taken first.
 */
static uint64_t end_of_row(const struct layout *layout, uint64_t addr)
{
    for (size_t i = layout_find(layout, addr); i < layout->n && layout->area[i].start == addr; i++)
        addr = layout->area[i].end;
    return addr;
}

/* The same for a search upwards that found addr. */
static uint64_t start_of_row(const struct layout *layout, uint64_t addr)
{
    for (size_t i = layout_find(layout, addr); i-- > 0 && layout->area[i].end == addr;)
        addr = layout->area[i].start;
    return addr;
}

/* A guess for when no page could be mapped: the topmost mapping below the stack was first. */
static uint64_t guess_base(const struct layout *layout)
{
    const struct area *stack = stack_of(layout);
    uint64_t top = 0;

    for (size_t i = 0; i < layout->n && (!stack || layout->area[i].start < stack->start); i++)
        top = layout->area[i].end;
    return top;
}

/*
 * The kernel does not show in which direction its search for room goes nor
 * where it starts. Two pages are mapped to see: the second lies below the
 * first where the search goes down.
 */
static void find_base(struct task *task, const struct layout *layout, struct mw_config *config)
{
    uint64_t page = UINT64_C(1) << config->page_shift;
    uint64_t first = try_page(task, page), second = first ? try_page(task, page) : 0;

    drop_page(task, second, page);
    drop_page(task, first, page);
    if (second > first)
        config->options |= MW_OPT_BOTTOM_UP;
    if (!first)
        config->mmap_base = guess_base(layout);
    else if (config->options & MW_OPT_BOTTOM_UP)
        config->mmap_base = start_of_row(layout, first);
    else
        config->mmap_base = end_of_row(layout, first + page);
}

/* The configuration of a space that an exec has just made. */
static void configure(const struct observation *ob, struct task *task,
                      const struct layout *layout, struct mw_config *config)
{
    uint64_t persona = procfs_personality(task->tid);

    *config = ob->system;
    procfs_process(task->tid, config);
    if (persona & ADDR_COMPAT_LAYOUT)
        config->options |= MW_OPT_BOTTOM_UP;
    if (persona & READ_IMPLIES_EXEC)
        config->options |= MW_OPT_NO_NX;
    find_base(task, layout, config);
}

static struct watched *take_in(struct observation *ob, struct task *task,
                               const struct layout *layout, const struct mw_config *config)
{
    struct model *model = model_create(ob->objects, config);

    if (!model)
        return NULL;
    int err = model_import(model, layout);
    struct watched *w = err ? NULL : watch(model, task->tid, task->tgid);
    if (!w) {
        model_destroy(model);
        return NULL;
    }
    model_set_brk(model, config->brk_start, config->brk_start);
    touched_everywhere(w->pagemap, model_space(model), true);
    w->interval = interval_after(ob, layout->n);
    return w;
}

static void start_watching(struct observation *ob, struct task *task)
{
    struct layout layout = { 0 };
    struct mw_config config;

    if (procfs_is_32bit(task->tid)) {
        report_note(ob->report, false, "a 32-bit program was not observed");
        return;
    }
    if (procfs_layout(task->tid, true, &layout)) {
        configure(ob, task, &layout, &config);
        task->mm->data = take_in(ob, task, &layout, &config);
    }
    if (!task->mm->data)
        report_note(ob->report, true, "an address space could not be taken in");
    else if (ob->at_exec)
        compare_all(ob, task->mm->data, task, "exec");
    layout_clear(&layout);
}

static void on_exec(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    char program[512];

    procfs_program(task->tid, program, sizeof program);
    report_exec(ob->report, task->tid, program);
    start_watching(ob, task);
}

static void on_before_exec(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;

    /* of a vfork child's exec nothing is to be seen: the space goes on with its parent */
    if (task->mm->users == 1 && !w->stale && (w->calls || ob->at_exec))
        compare_all(ob, w, task, "exec");
}

static void on_fork(void *ctx, struct task *parent, struct task *child, bool shares_vm)
{
    struct observation *ob = ctx;
    struct watched *w = parent->mm->data;

    report_task(ob->report, shares_vm);
    if (shares_vm)
        return;
    struct model *model = w->stale ? NULL : model_fork(w->model);
    struct watched *born = model ? watch(model, child->tid, child->tid) : NULL;
    child->mm->data = born;
    if (!born) {
        model_destroy(model);
        report_note(ob->report, false, "a forked address space was not observed until its exec");
        return;
    }
    born->brk = w->brk;
    compare_all(ob, born, child, "fork");
}

static void on_last_exit(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;

    if (!w->stale)
        compare_all(ob, w, task, "exit");
}

static void on_gone(void *ctx, struct mm *mm)
{
    (void)ctx;
    unwatch(mm->data);
    mm->data = NULL;
}

/* A task whose fork was not seen runs in a copy of we do not know what: read it anew. */
static void on_adopt(void *ctx, struct task *task)
{
    struct observation *ob = ctx;

    task->tgid = procfs_tgid(task->tid);
    report_note(ob->report, false,
                "a task whose fork was not seen was not observed until its exec");
}

static void on_tick(void *ctx)
{
    struct observation *ob = ctx;
    report_progress(ob->report);
}

struct observer observe(struct observation *observation)
{
    mw_config_init(&observation->system, mw_host_port());
    procfs_system(&observation->system);
    return (struct observer){
        .ctx = observation,
        .enter = on_enter,
        .leave = on_leave,
        .before_exec = on_before_exec,
        .exec = on_exec,
        .fork = on_fork,
        .last_exit = on_last_exit,
        .lost = on_lost,
        .adopt = on_adopt,
        .gone = on_gone,
        .tick = on_tick,
    };
}
