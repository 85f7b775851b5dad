/* SPDX-License-Identifier: MIT */
/*
 * observe.c - the life of the address spaces that the tracer sees. Decides
 * when one is taken in, when whole layouts are compared, and when the kernel's
 * layout is taken over. observe_calls.c holds the calls against the engine.
 */
#include "observe.h"

#include <stdlib.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mapwright/host.h"
#include "observe_impl.h"
#include "trace/procfs.h"
#include "trace/touched.h"

enum { OFTEN = 100 };

/* ---- whole layouts ------------------------------------------------------------- */

void watched_take_over(struct watched *w, pid_t tid)
{
    struct layout kernel = { 0 };

    w->stale = !procfs_layout(tid, true, &kernel) ||
               model_take_over(w->model, &kernel, w->brk) != 0;
    layout_clear(&kernel);
    touched_everywhere(w->pagemap, watched_space(w), true);
    w->calls = 0;
}

void watched_adopt_growth(struct watched *w, const struct layout *kernel)
{
    struct mw_space *space = watched_space(w);
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

/* One that is killed has no mappings any more before the tracer hears of it. */
static bool is_dying(pid_t tid)
{
    struct layout now = { 0 };
    bool empty = !procfs_layout(tid, false, &now) || !now.n;

    layout_clear(&now);
    return empty;
}

void watched_compare(struct observation *ob, struct watched *w, pid_t tid, const char *when,
                     bool flags)
{
    struct layout engine = { 0 }, kernel = { 0 };
    struct layout_diff diff;

    observe_closed_watchers(w, tid);
    if (procfs_layout(tid, flags, &kernel)) {
        watched_adopt_growth(w, &kernel);
        if (model_layout(w->model, &engine)) {
            layout_compare(&engine, &kernel, &diff);
            w->stale = diff.differs && is_dying(tid);
            if (!w->stale)
                report_layout(ob->report, when, &diff, &engine, &kernel);
            if (diff.differs && !w->stale)
                watched_take_over(w, tid);
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

    mw_stats(watched_space(w), &stats);
    snprintf(when, sizeof when, "%s of %d", what, task->tid);
    watched_compare(ob, w, task->tid, when, stats.map_count < MOST_FLAGS_READ);
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
    born->watchers = w->watchers;
    born->watcher_fd = w->watcher_fd;
    compare_all(ob, born, child, "fork");
}

static void on_last_exit(void *ctx, struct task *task)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;

    if (!w->stale)
        compare_all(ob, w, task, "exit");
}

static void on_lost(void *ctx, struct task *task, const char *why)
{
    struct observation *ob = ctx;
    struct watched *w = task->mm->data;

    report_note(ob->report, false, "%s: not compared, the layout was taken over", why);
    w->stale = true;
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
        .enter = observe_enter,
        .leave = observe_leave,
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
