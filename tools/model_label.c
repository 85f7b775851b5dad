/* SPDX-License-Identifier: MIT */
/*
 * model_label.c - calls that set mappings apart by what the engine does not
 * keep: userfaultfd's watch and memory policies. Decides which mappings they
 * reach; the engine splits and merges them by their labels.
 */
#include "model_impl.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>


/* ---- labels ---------------------------------------------------------------------- */

enum { MOST_WATCHERS = 64 };

#define UNIT (MW_VM_LABEL & -MW_VM_LABEL)

/* Which events a userfaultfd has asked for. Inodes are used again: the latest counts. */
static struct {
    uint64_t watcher, features;
} events[MOST_WATCHERS];
static unsigned next_event;

static void note_events(uint64_t watcher, uint64_t features)
{
    events[next_event % MOST_WATCHERS].watcher = watcher;
    events[next_event++ % MOST_WATCHERS].features = features;
}

static uint64_t events_of(uint64_t watcher)
{
    for (unsigned i = 1; i <= MOST_WATCHERS; i++)
        if (events[(next_event - i) % MOST_WATCHERS].watcher == watcher)
            return events[(next_event - i) % MOST_WATCHERS].features;
    return 0;
}

static const struct label *label_of(const struct model *model, uint64_t flags)
{
    return &model->label[(flags & MW_VM_LABEL) / UNIT];
}

static bool is_same(const struct label *a, const struct label *b)
{
    return a->watcher == b->watcher && a->watch == b->watch && a->policy == b->policy &&
           a->nodes == b->nodes;
}

/* A label that no mapping has; 0: all are in use. */
static unsigned unused_label(const struct model *model)
{
    bool used[LABELS] = { true };
    struct mw_vma vma = { 0 };
    unsigned n = 0;

    while (mw_find_vma(model->space, vma.end, &vma))
        used[(vma.flags & MW_VM_LABEL) / UNIT] = true;
    while (n < LABELS && used[n])
        n++;
    return n % LABELS;
}

/* Sets MW_VM_LABEL of *flags to the number of this label. False: there are too many. */
static bool label_set(struct model *model, struct label label, uint64_t *flags)
{
    unsigned n = 0;

    while (n < LABELS && !is_same(&model->label[n], &label))
        n++;
    if (n == LABELS) {
        n = unused_label(model);
        if (!n)
            return false;
        model->label[n] = label;
    }
    *flags = (*flags & ~MW_VM_LABEL) | n * UNIT;
    return true;
}

/* What a call makes of a mapping. `label` comes as it was, and is as it is to be. */
struct relabel {
    const struct event *event;
    struct label label;
    uint64_t flags;
    bool leave; /* set: as it was */
};

typedef void change_fn(struct relabel *r, const struct mw_vma *vma);

/* Changes the mappings in [start, end), one after the other. False: no memory, or too many labels. */
static bool relabel(struct model *model, uint64_t start, uint64_t end, const struct event *event,
                    change_fn *change, bool merge)
{
    struct relabel r = { .event = event };
    struct mw_vma vma;

    model->labelled = true;
    while (start < end && mw_find_vma(model->space, start, &vma) && vma.start < end) {
        uint64_t from = vma.start > start ? vma.start : start;
        start = vma.end < end ? vma.end : end;
        r.label = *label_of(model, vma.flags);
        r.flags = vma.flags;
        r.leave = false;
        change(&r, &vma);
        if (r.leave)
            continue;
        if (!label_set(model, r.label, &r.flags) ||
            mw_import_flags(model->space, from, start, MW_VM_LABEL | MW_VM_UFFD,
                            r.flags & (MW_VM_LABEL | MW_VM_UFFD), merge) != 0)
            return false;
    }
    return true;
}

static uint64_t page_up(const struct model *model, uint64_t n)
{
    uint64_t page = UINT64_C(1) << mw_space_config(model->space)->page_shift;

    return (n + page - 1) & ~(page - 1);
}

/* ---- memory policies ------------------------------------------------------------- */

static void set_policy(struct relabel *r, const struct mw_vma *vma)
{
    uint64_t mode = r->event->arg[2], nodes = r->event->value;

    (void)vma;
    if (mode == MPOL_PREFERRED && !nodes)
        mode = MPOL_LOCAL;
    r->label.policy = mode == MPOL_DEFAULT ? 0 : mode + 1;
    r->label.nodes = nodes;
}

/* A failing one finds what is wrong before it begins, but for pages that it can't move. */
static bool call_mbind(struct model *model, const struct event *event)
{
    uint64_t start = event->arg[0], end = start + page_up(model, event->arg[1]);

    if (event->result != 0 && event->result != -EIO)
        return true;
    if (!event->value_known)
        return false;
    return relabel(model, start, end, event, set_policy, true);
}

/* ---- userfaultfd ----------------------------------------------------------------- */

static void watch(struct relabel *r, const struct mw_vma *vma)
{
    uint64_t modes = r->event->arg[5];

    if ((vma->flags & MW_VM_UFFD) && r->label.watcher == r->event->file.ino &&
        (r->label.watch & modes) == modes)
        r->leave = true;
    r->label.watcher = r->event->file.ino;
    r->label.watch = modes;
    r->flags |= MW_VM_UFFD;
}

static void unwatch(struct relabel *r, const struct mw_vma *vma)
{
    if (!(vma->flags & MW_VM_UFFD) || r->label.watcher != r->event->file.ino)
        r->leave = true;
    r->label.watcher = r->label.watch = 0;
    r->flags &= ~MW_VM_UFFD;
}

static bool call_watch(struct model *model, const struct event *event)
{
    uint64_t start = event->arg[3], end = start + event->arg[4];

    if (event->result != 0 || !event->value_known)
        return event->result != 0;
    if ((uint32_t)event->arg[1] == UFFDIO_REGISTER)
        return relabel(model, start, end, event, watch, true);
    if ((uint32_t)event->arg[1] == UFFDIO_UNREGISTER)
        return relabel(model, start, end, event, unwatch, true);
    note_events(event->file.ino, event->arg[4]);
    return true;
}

/* What the engine has moved is not watched any more, unless its watcher has asked to be told. */
static void settle(struct relabel *r, const struct mw_vma *vma)
{
    bool follows = events_of(r->label.watcher) & UFFD_FEATURE_EVENT_REMAP;

    if (!r->label.watcher || (vma->flags & MW_VM_UFFD))
        r->leave = true;
    if (follows)
        r->flags |= MW_VM_UFFD;
    else
        r->label.watcher = r->label.watch = 0;
}

bool label_after_mremap(struct model *model, const struct event *event)
{
    struct mw_vma vma;
    uint64_t at = (uint64_t)event->result, end = at + page_up(model, event->arg[2]);

    if (event->call != CALL_MREMAP || !mw_find_vma(model->space, at, &vma))
        return true;
    /* what it has merged into is in the same case */
    return relabel(model, vma.start < at ? vma.start : at, end > vma.end ? end : vma.end, event,
                   settle, false);
}

bool model_watched(struct model *model, uint64_t addr, struct mw_vma *vma, uint64_t *watcher)
{
    while (mw_find_vma(model->space, addr, vma)) {
        addr = vma->end;
        if (!(vma->flags & MW_VM_UFFD))
            continue;
        *watcher = label_of(model, vma->flags)->watcher;
        return true;
    }
    return false;
}

void model_unwatch(struct model *model, uint64_t watcher)
{
    struct event event = { .file.ino = watcher };

    relabel(model, 0, mw_space_config(model->space)->task_size, &event, unwatch, true);
}

uint64_t label_inherited(struct model *child, uint64_t flags)
{
    struct label label = *label_of(child, flags);

    if (!(flags & MW_VM_UFFD) || (events_of(label.watcher) & UFFD_FEATURE_EVENT_FORK))
        return flags;
    label.watcher = label.watch = 0;
    for (unsigned n = 0; n < LABELS; n++) /* without one of its own the parent's will do */
        if (is_same(&child->label[n], &label))
            return (flags & ~(MW_VM_UFFD | MW_VM_LABEL)) | n * UNIT;
    return flags & ~MW_VM_UFFD;
}

/* ---- the calls ------------------------------------------------------------------- */

bool label_call(struct model *model, const struct event *event, struct model_answer *answer)
{
    bool done;

    switch (event->call) {
    case CALL_MBIND:
        done = call_mbind(model, event);
        break;
    case CALL_USERFAULTFD:
        done = call_watch(model, event);
        break;
    default:
        return false;
    }
    answer->kind = !done ? MODEL_NOT_MODELLED : answer->failed ? MODEL_HARMLESS : MODEL_FOLLOWED;
    return true;
}
