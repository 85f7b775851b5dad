/* SPDX-License-Identifier: MIT */
/* model_impl.h - what the files of the model share; nobody else includes it. */
#ifndef MAPWRIGHT_TOOLS_MODEL_IMPL_H
#define MAPWRIGHT_TOOLS_MODEL_IMPL_H

#include "model.h"

/* What sets a mapping apart that the engine does not know of: who watches it, and its policy. */
struct label {
    uint64_t watcher, watch; /* the inode of a userfaultfd, UFFDIO_REGISTER_MODE_... */
    uint64_t policy, nodes;  /* mbind's mode with its flags, plus one */
};

enum { LABELS = 8 };

struct model {
    struct objects *objects; /* borrowed */
    struct mw_space *space;
    uint32_t future;         /* MW_FUTURE_..., to be set again in a new space */
    bool guarded;            /* there are, or were, guards (MADV_GUARD_INSTALL) */
    bool labelled;           /* there are, or were, mappings with a label or a name */
    struct label label[LABELS]; /* by MW_VM_LABEL; [0]: none */
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
/* PR_SET_MM, which may move both ends of the heap. */
void model_apply_break(struct model *model, const struct event *event,
                       struct model_answer *answer);

/*
 * Calls that map as mmap does, and their counterparts: SysV shared memory, aio
 * rings. model_attach.c. attach_request, of a shmat: false where the
 * segment is not known or the call is refused for reasons of its own. attach_call
 * performs them all; false: it can't be followed.
 */
bool attach_request(struct model *model, const struct event *event,
                    struct model_request *request);
bool attach_call(struct model *model, const struct event *event, struct model_answer *answer);

/*
 * Calls that set mappings apart: mbind and userfaultfd's registration; model_label.c.
 * label_call: false: none of these. label_after_mremap sets right what has moved; false: it
 * can't. label_inherited: what a child's mapping has of its parent's flags and label.
 */
bool label_call(struct model *model, const struct event *event, struct model_answer *answer);
bool label_after_mremap(struct model *model, const struct event *event);
uint64_t label_inherited(struct model *child, uint64_t flags);

#endif
