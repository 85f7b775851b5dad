/* SPDX-License-Identifier: MIT */
/*
 * model_follow.c - what a program's call has done, where it does not come from
 * the engine's answer: the limits; and locks and advice that a log says have
 * succeeded though the engine refused.
 */
#include "model_impl.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Applies a change of flags, but not to mappings with a flag of `spare`. False: no memory. */
static bool change_flags(struct model *model, uint64_t start, uint64_t end, uint64_t clear,
                         uint64_t set, uint64_t spare)
{
    struct mw_vma vma;

    while (start < end && mw_find_vma(model->space, start, &vma) && vma.start < end) {
        uint64_t from = vma.start > start ? vma.start : start;
        uint64_t to = vma.end < end ? vma.end : end;
        uint64_t flags = (vma.flags & ~clear) | set;
        if (!(vma.flags & spare) && flags != vma.flags &&
            mw_import_flags(model->space, from, to, clear, set, true) != 0)
            return false;
        start = to;
    }
    return true;
}

static uint64_t page_of(const struct model *model)
{
    return UINT64_C(1) << mw_space_config(model->space)->page_shift;
}

/* ---- madvise -------------------------------------------------------------- */

/* Which flags an advice clears and sets. */
static const struct {
    uint64_t advice, clear, set;
} changes[] = {
    { MADV_NORMAL, MW_VM_RAND_READ | MW_VM_SEQ_READ, 0 },
    { MADV_RANDOM, MW_VM_SEQ_READ, MW_VM_RAND_READ },
    { MADV_SEQUENTIAL, MW_VM_RAND_READ, MW_VM_SEQ_READ },
    { MADV_DONTFORK, 0, MW_VM_DONTCOPY },
    { MADV_DOFORK, MW_VM_DONTCOPY, 0 },
    { MADV_HUGEPAGE, MW_VM_NOHUGEPAGE, MW_VM_HUGEPAGE },
    { MADV_NOHUGEPAGE, MW_VM_HUGEPAGE, MW_VM_NOHUGEPAGE },
    { MADV_DONTDUMP, 0, MW_VM_DONTDUMP },
    { MADV_DODUMP, MW_VM_DONTDUMP, 0 },
    { MADV_WIPEONFORK, 0, MW_VM_WIPEONFORK },
    { MADV_KEEPONFORK, MW_VM_WIPEONFORK, 0 },
    { MADV_MERGEABLE, 0, MW_VM_MERGEABLE },
    { MADV_UNMERGEABLE, MW_VM_MERGEABLE, 0 },
};

enum { CHANGES = sizeof changes / sizeof changes[0] };

void model_apply_madvise(struct model *model, const struct event *event,
                         struct model_answer *answer)
{
    uint64_t start = event->arg[0], advice = event->arg[2];
    uint64_t end = start + ((event->arg[1] + page_of(model) - 1) & ~(page_of(model) - 1));

    answer->kind = MODEL_HARMLESS;
    for (size_t i = 0; i < CHANGES; i++) {
        if (changes[i].advice != advice)
            continue;
        answer->kind = change_flags(model, start, end, changes[i].clear, changes[i].set, 0)
                           ? MODEL_FOLLOWED : MODEL_NOT_MODELLED;
        return;
    }
}

/* ---- mlock ---------------------------------------------------------------- */

#define LOCK_FLAGS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

static bool lock_range(struct model *model, const struct event *event, uint64_t set)
{
    uint64_t page = page_of(model), start = event->arg[0] & ~(page - 1);
    uint64_t end = (event->arg[0] + event->arg[1] + page - 1) & ~(page - 1);

    return change_flags(model, start, end, LOCK_FLAGS, set, VM_SPECIAL | MW_VM_HUGETLB);
}

static bool lock_all(struct model *model, uint64_t set)
{
    return change_flags(model, 0, mw_space_config(model->space)->task_size, LOCK_FLAGS, set,
                        VM_SPECIAL | MW_VM_HUGETLB);
}

static bool apply_mlockall(struct model *model, uint64_t flags)
{
    bool onfault = flags & MCL_ONFAULT;

    model->future = flags & MCL_FUTURE ? MW_FUTURE_LOCK | (onfault ? MW_FUTURE_ONFAULT : 0) : 0;
    mw_set_future(model->space, model->future);
    if (!(flags & MCL_CURRENT))
        return true;
    return lock_all(model, MW_VM_LOCKED | (onfault ? MW_VM_LOCKONFAULT : 0));
}

static bool apply_lock(struct model *model, const struct event *event)
{
    switch (event->call) {
    case CALL_MLOCK:
        return lock_range(model, event, MW_VM_LOCKED);
    case CALL_MLOCK2:
        return lock_range(model, event,
                          MW_VM_LOCKED | (event->arg[2] & 1 ? MW_VM_LOCKONFAULT : 0));
    case CALL_MUNLOCK:
        return lock_range(model, event, 0);
    case CALL_MLOCKALL:
        return apply_mlockall(model, event->arg[0]);
    default:
        model->future = 0;
        mw_set_future(model->space, 0);
        return lock_all(model, 0);
    }
}

void model_apply_mlock(struct model *model, const struct event *event,
                       struct model_answer *answer)
{
    answer->kind = apply_lock(model, event) ? MODEL_FOLLOWED : MODEL_NOT_MODELLED;
}

/* ---- the heap -------------------------------------------------------------- */

void model_apply_break(struct model *model, const struct event *event,
                       struct model_answer *answer)
{
    struct mw_stats stats;

    answer->kind = MODEL_HARMLESS; /* other numbers of the process, which no mapping depends on */
    if (answer->failed)
        return;
    mw_stats(model->space, &stats);
    if (event->arg[1] == PR_SET_MM_START_BRK)
        stats.brk_start = event->arg[2];
    else if (event->arg[1] == PR_SET_MM_BRK)
        stats.brk = event->arg[2];
    else if (event->arg[1] == PR_SET_MM_MAP && event->value_known) {
        stats.brk_start = event->arg[4];
        stats.brk = event->arg[5];
    } else
        return;
    answer->kind = mw_set_brk(model->space, stats.brk_start, stats.brk) == 0
                       ? MODEL_FOLLOWED : MODEL_NOT_MODELLED;
}

/* ---- limits --------------------------------------------------------------- */

void model_apply_limit(struct model *model, const struct event *event,
                       struct model_answer *answer)
{
    uint64_t resource = event->call == CALL_SETRLIMIT ? event->arg[0] : event->arg[1];

    answer->kind = MODEL_HARMLESS;
    if (answer->failed || !event->value_known)
        return;
    answer->kind = MODEL_FOLLOWED;
    switch (resource) {
    case RLIMIT_AS:
        mw_set_limit(model->space, MW_LIMIT_AS, event->value);
        break;
    case RLIMIT_DATA:
        mw_set_limit(model->space, MW_LIMIT_DATA, event->value);
        break;
    case RLIMIT_MEMLOCK:
        mw_set_limit(model->space, MW_LIMIT_MEMLOCK, event->value);
        break;
    case RLIMIT_STACK:
        mw_set_limit(model->space, MW_LIMIT_STACK, event->value);
        break;
    default:
        answer->kind = MODEL_HARMLESS;
        break;
    }
}
