/* SPDX-License-Identifier: MIT */
/* report_impl.h - what a report gathers; shared by report.c (gathers) and report_print.c. */
#ifndef MAPWRIGHT_TOOLS_REPORT_IMPL_H
#define MAPWRIGHT_TOOLS_REPORT_IMPL_H

#include "report.h"

/* How often a call was made, and what became of it. */
struct tally {
    char what[48];
    enum model_kind kind;
    uint64_t made, agree, differ, failed, placed;
};

/* Failing calls of one kind that failed for one reason. */
struct failure {
    char what[48];
    int err;
    uint32_t reason;
    bool explained;  /* the engine failed too and says why */
    uint64_t count;
    char rule[24], name[48];
    char *text;      /* the first one's reason in words */
    char *first;     /* the first such call */
};

/* A disagreement in a call or in a layout, in full. */
struct difference {
    bool in_layout;
    int tid;
    char *title;     /* the call, or when and what of a layout */
    char *engine;    /* the engine's answer, "" for a layout */
    char *why;       /* and why it fails */
    char *where;
    char *engine_areas, *kernel_areas; /* lines; NULL: not known */
};

struct note {
    char *text;
    bool difference;
    uint64_t count;
};

struct program {
    char *name;
    int pid;
    uint64_t count;
};

struct report {
    struct report_options options;
    FILE *out;
    bool colour, progress;
    long progress_at;          /* milliseconds, when progress was shown last */
    bool progress_shown;
    struct tally *tally;
    size_t tallies;
    struct failure *failure;
    size_t failures;
    struct difference *difference;
    size_t differences;
    struct note *note;
    size_t notes;
    struct program *program;
    size_t programs;
    uint64_t calls, answered, agree, call_differ, failed;
    uint64_t layouts, layout_differ, note_differ, most_areas;
    uint64_t execs, forks, threads;
    uint64_t unlisted_failures, unlisted_notes;
    struct others *others;     /* NULL: none asked yet */
    int status;
    bool status_known;
};

/* What other versions would answer: report_would.c. */
struct others;
bool others_differ(const struct report *report);
void others_print(const struct report *report, FILE *out);
void others_print_last(const struct report *report, FILE *out);
void others_print_json(const struct report *report, FILE *out);
void others_free(struct others *others);

/* Writes the summary for people, and the JSON. */
void report_print(const struct report *report, FILE *out);
void report_print_json(const struct report *report, FILE *out);

/* 0 or 1. */
int report_exit(const struct report *report);

#endif
