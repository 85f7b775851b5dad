/* SPDX-License-Identifier: MIT */
/* would.h - what other versions of Linux would answer to a program's calls. */
#ifndef MAPWRIGHT_TOOLS_WOULD_H
#define MAPWRIGHT_TOOLS_WOULD_H

#include "linux.h"
#include "model.h"

struct would {
    struct linux_list list; /* whom to ask; n 0: nobody */
    bool asked;             /* the rest is about the last call */
    bool placed;            /* as in model_answer */
    /* first the version that the program is followed as, then those of the list */
    struct mw_answer answer[1 + LINUX_MOST];
};

/*
 * Asks all for their answer to a call that the model is about to be told. Each
 * is asked with the layout that the program has, not with the one that earlier
 * calls would have led to there. What the engine does not answer is not asked, nor
 * a call whose result is not known.
 */
void would_ask(struct would *would, struct model *model, const struct event *event);

#endif
