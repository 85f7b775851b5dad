/* SPDX-License-Identifier: MIT */
/*
 * observe.h - holds what the tracer sees against the engine. The heart of
 * `mapwright check`: what to ask the kernel before and after each call, when
 * to compare whole layouts, when to take the kernel's over.
 */
#ifndef MAPWRIGHT_TOOLS_OBSERVE_H
#define MAPWRIGHT_TOOLS_OBSERVE_H

#include "draw.h"
#include "model.h"
#include "report.h"
#include "trace/ptrace.h"
#include "would.h"

/* observation.every: compare only at the ends of address spaces; or also at execs */
#define LAYOUT_AT_END 0u
#define LAYOUT_ADAPTIVE UINT32_MAX

struct observation {
    struct report *report;
    struct objects *objects;
    struct mw_config system;  /* what holds for all processes */
    uint32_t every;           /* compare the layout every so many calls, or LAYOUT_... */
    bool at_exec;             /* also right after an exec and before the next */
    struct would would;       /* which other versions to ask, and what they say */
    bool draw;                /* fill `picture` with the first mremap that is worth it */
    bool drawn;
    struct draw_picture picture;
};

/* Makes an observer for the tracer; `observation` is its ctx. */
struct observer observe(struct observation *observation);

#endif
