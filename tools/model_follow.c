/* SPDX-License-Identifier: MIT */
/*
 * model_follow.c - calls that the engine does not answer, but whose effect on
 * the layout is known: mlock and its kind, madvise, the limits. They are
 * applied when the program's call succeeded.
 */
#include "model_impl.h"

#include <sys/mman.h>
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

/* Whether one mapping covers all of [start, end). */
static bool in_one_vma(struct model *model, uint64_t start, uint64_t end)
{
    struct mw_vma vma;

    return mw_find_vma(model->space, start, &vma) && vma.start <= start && end <= vma.end;
}

/* Where the first hole in [start, end) begins; `end`: there is none. */
static uint64_t first_hole(struct model *model, uint64_t start, uint64_t end)
{
    struct mw_vma vma;

    while (start < end && mw_find_vma(model->space, start, &vma) && vma.start <= start)
        start = vma.end;
    return start < end ? start : end;
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
};

enum { CHANGES = sizeof changes / sizeof changes[0], GUARD_INSTALL = 102 };

static bool is_harmless(uint64_t advice)
{
    return advice != MADV_MERGEABLE && advice != MADV_UNMERGEABLE;
}

/* Whether Linux refuses this mapping the advice: EINVAL, after changing those before it. */
static bool refuses(const struct mw_vma *vma, uint64_t advice)
{
    switch (advice) {
    case MADV_WIPEONFORK:
        return vma->object || (vma->flags & MW_VM_MAYSHARE);
    case MADV_KEEPONFORK:
        return vma->flags & MW_VM_DROPPABLE;
    case MADV_DOFORK:
        return vma->flags & MW_VM_IO;
    case MADV_DODUMP:
        return (vma->flags & MW_VM_DROPPABLE) ||
               (!(vma->flags & MW_VM_HUGETLB) && (vma->flags & VM_SPECIAL));
    default:
        return false;
    }
}

/* Where the first mapping of [start, end) that refuses begins; `end`: there is none. */
static uint64_t first_refusal(struct model *model, uint64_t start, uint64_t end, uint64_t advice)
{
    struct mw_vma vma;

    while (start < end && mw_find_vma(model->space, start, &vma) && vma.start < end) {
        if (refuses(&vma, advice))
            return vma.start > start ? vma.start : start;
        start = vma.end;
    }
    return end;
}

/*
 * How far an advice that failed has come. A hole gives ENOMEM after all mapped
 * parts were changed; a mapping that refuses gives EINVAL at once.
 */
static enum model_kind advice_failed(struct model *model, const struct event *event,
                                     uint64_t *end)
{
    uint64_t start = event->arg[0], refusal = first_refusal(model, start, *end, event->arg[2]);

    if (event->result == -MW_ENOMEM && first_hole(model, start, *end) < *end)
        return MODEL_FOLLOWED;
    if (event->result == -MW_EINVAL && refusal < *end) {
        *end = refusal;
        return MODEL_FOLLOWED;
    }
    if (event->result == -MW_EINVAL && in_one_vma(model, start, *end))
        return MODEL_HARMLESS;
    return MODEL_NOT_MODELLED;
}

void model_apply_madvise(struct model *model, const struct event *event,
                         struct model_answer *answer)
{
    uint64_t start = event->arg[0], advice = event->arg[2];
    uint64_t end = start + ((event->arg[1] + page_of(model) - 1) & ~(page_of(model) - 1));

    answer->kind = MODEL_HARMLESS;
    if (advice == GUARD_INSTALL && !answer->failed) {
        mw_touch(model->space, start, end); /* it prepares the mapping as a write does */
        return;
    }
    for (size_t i = 0; i < CHANGES; i++) {
        if (changes[i].advice != advice)
            continue;
        answer->kind = answer->failed ? advice_failed(model, event, &end) : MODEL_FOLLOWED;
        if (answer->kind == MODEL_FOLLOWED &&
            !change_flags(model, start, end, changes[i].clear, changes[i].set, 0))
            answer->kind = MODEL_NOT_MODELLED;
        return;
    }
    if (!is_harmless(advice) && !answer->failed)
        answer->kind = MODEL_NOT_MODELLED;
}

/* ---- mlock ---------------------------------------------------------------- */

#define LOCK_FLAGS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

/* At a hole the call stops with ENOMEM; what lies before is changed. */
static bool lock_range(struct model *model, const struct event *event, uint64_t set)
{
    uint64_t page = page_of(model), start = event->arg[0] & ~(page - 1);
    uint64_t end = (event->arg[0] + event->arg[1] + page - 1) & ~(page - 1);

    if (event->result < 0)
        end = first_hole(model, start, end);
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
    /* ENOMEM is also what a limit gives, before anything is changed */
    bool at_hole = event->result == -MW_ENOMEM && event->call != CALL_MLOCKALL &&
                   (mw_space_config(model->space)->caps & MW_CAP_IPC_LOCK);

    if (answer->failed && !at_hole)
        answer->kind = event->result == -MW_ENOMEM ? MODEL_NOT_MODELLED : MODEL_HARMLESS;
    else
        answer->kind = apply_lock(model, event) ? MODEL_FOLLOWED : MODEL_NOT_MODELLED;
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
