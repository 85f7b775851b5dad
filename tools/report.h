/* SPDX-License-Identifier: MIT */
/*
 * report.h - what check and replay tell the reader: counts, disagreements,
 * failing calls and why, calls that are not modelled. For people on a stream,
 * for machines as JSON. Memory stays bounded: after REPORT_DETAILS
 * disagreements (and as many kinds of failure) only the counts go on.
 */
#ifndef MAPWRIGHT_TOOLS_REPORT_H
#define MAPWRIGHT_TOOLS_REPORT_H

#include "layout.h"
#include "model.h"
#include "would.h"

enum { REPORT_DETAILS = 50 };

struct report_options {
    const char *command;   /* "check" or "replay" */
    const char *subject;   /* what was observed: the command line, or the file */
    const char *linux_text; /* "6.18": the version the engine answered as */
    const char *output;    /* file for the report, NULL: standard error (check keeps
                              standard output for the program) */
    FILE *stream;          /* used when output is NULL; NULL: stderr */
    const char *json;      /* file for the JSON, "-" for standard output, NULL: none */
    bool verbose;          /* a line for each call */
    bool quiet;            /* only differences and the last line */
    const struct linux_list *ask; /* the versions that report_would tells of, NULL: none */
    bool places;           /* another address is a difference between versions too */
    bool strict;           /* a difference between versions makes the exit status 1 */
};

struct report;

/* NULL when a file can't be written: then a message is on stderr already. `options` and
   its strings are borrowed for the report's life. */
struct report *report_open(const struct report_options *options);

/*
 * Counts a call; keeps it in full when the answer disagrees or the call
 * failed. For a disagreement `engine` and `kernel` show the mappings around
 * it; either may be NULL (a log has no kernel to ask).
 */
void report_call(struct report *report, const struct event *event,
                 const struct model_answer *answer, const struct layout *engine,
                 const struct layout *kernel);

/*
 * What other versions would answer to a call that is told of by report_call
 * too. What the engine itself disagrees with is not counted, here.
 */
void report_would(struct report *report, const struct event *event,
                  const struct model_answer *answer, const struct would *would);

/* A comparison of whole layouts was made; `when` names the point ("exit of 1234"). */
void report_layout(struct report *report, const char *when, const struct layout_diff *diff,
                   const struct layout *engine, const struct layout *kernel);

/* Something started: counts for the summary. */
void report_exec(struct report *report, int pid, const char *program);
void report_task(struct report *report, bool shares_vm);

/*
 * A thing the reader must know and which is counted by its text: a bad line,
 * a layout taken over, calls that overlapped. `difference` makes the exit
 * status 1.
 */
void report_note(struct report *report, bool difference, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How PROGRAM ended, as wait(2) has it. */
void report_status(struct report *report, int wait_status);

/* Shows "n calls" on a terminal, at most a few times a second; else nothing. */
void report_progress(struct report *report);

/* Differences so far, of calls and layouts. */
uint64_t report_differences(const struct report *report);

/* Frees the report and writes nothing more: there was nothing to observe. */
void report_discard(struct report *report);

/*
 * Writes the summary and the JSON, frees the report. Returns the exit status:
 * 0 everything agrees, 1 something differs, 2 the report could not be written.
 */
int report_close(struct report *report);

/* Escapes for JSON, quotes included: "a\"b". Bytes that are not UTF-8 become U+FFFD. */
void json_string(FILE *out, const char *text);

#endif
