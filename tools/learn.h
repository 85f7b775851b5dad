/* SPDX-License-Identifier: MIT */
/*
 * learn.h - what a log shows of an address space by its results alone: where
 * the heap starts, where the search for room starts, which ranges must have
 * been mapped before the log began. A recorded log has no kernel to ask, so
 * `replay` learns these, says how often, and counts no such result as agreement.
 */
#ifndef MAPWRIGHT_TOOLS_LEARN_H
#define MAPWRIGHT_TOOLS_LEARN_H

#include "model.h"

/* How the start of a space is known. */
enum origin {
    ORIGIN_MAPS, /* its layout was given: nothing is assumed */
    ORIGIN_EXEC, /* its exec is in the log: only what exec sets up is unknown */
    ORIGIN_MIDDLE /* it existed before the log: anything may be mapped */
};

/* What is known of one space so far. */
struct known {
    enum origin origin;
    bool base, heap;     /* the search's start; the heap's place */
    uint64_t heap_start; /* from a layout; 0: the first brk tells */
};

/* Over all spaces, for the summary. */
struct learnt {
    uint64_t results; /* used to learn from */
    uint64_t ranges;  /* assumed to exist, */
    uint64_t bytes;   /*   and their size */
};

/*
 * Takes over the layout a space starts with, as far as /proc/PID/maps shows it;
 * sets where the search for room starts and what is known of the heap. Files
 * get the identity they have in a log, their path. 0 or -errno.
 */
int learn_layout(struct known *known, struct model *model, struct layout *maps);

/*
 * A file that is none on disk (a socket, a device) refused to be mapped, for
 * reasons of its own: nothing that an engine could foretell.
 */
bool learn_refused(const struct event *event);

/*
 * Before the engine answers: sets up in the model what the event's result
 * gives away. True: the answer then says nothing of its own.
 */
bool learn_before(struct known *known, struct model *model, struct objects *objects,
                  struct event *event, struct learnt *learnt);

/*
 * After a disagreement on where a mapping goes: true if something that the log
 * does not show may lie where the engine put it. Then that is assumed.
 */
bool learn_after(struct known *known, struct model *model, struct objects *objects,
                 const struct event *event, const struct model_answer *answer,
                 struct learnt *learnt);

#endif
