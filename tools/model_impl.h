/* SPDX-License-Identifier: MIT */
/* model_impl.h - what the files of the model share; nobody else includes it. */
#ifndef MAPWRIGHT_TOOLS_MODEL_IMPL_H
#define MAPWRIGHT_TOOLS_MODEL_IMPL_H

#include "model.h"

struct model {
    struct objects *objects; /* borrowed */
    struct mw_space *space;
    uint32_t future;         /* MW_FUTURE_..., to be set again in a new space */
    bool guarded;            /* there are, or were, guards (MADV_GUARD_INSTALL) */
    uint64_t identity;       /* the last anonymous identity that was made up here */
};

/* Flags that the kernel sets on mappings mlock, madvise and the like leave alone. */
#define VM_SPECIAL (MW_VM_IO | MW_VM_DONTEXPAND | MW_VM_PFNMAP | MW_VM_MIXEDMAP)

/* What is followed, not answered; locks and advice where they have succeeded: model_follow.c. */
void model_apply_madvise(struct model *model, const struct event *event,
                         struct model_answer *answer);
void model_apply_mlock(struct model *model, const struct event *event,
                       struct model_answer *answer);
void model_apply_limit(struct model *model, const struct event *event,
                       struct model_answer *answer);

/*
 * Calls that map as mmap does, and their counterparts: SysV shared memory, aio
 * rings, remap_file_pages. model_attach.c. attach_request, of a shmat: false where the
 * segment is not known or the call is refused for reasons of its own. attach_call
 * performs them all; false: it can't be followed.
 */
bool attach_request(struct model *model, const struct event *event,
                    struct model_request *request);
bool attach_call(struct model *model, const struct event *event, struct model_answer *answer);

#endif
