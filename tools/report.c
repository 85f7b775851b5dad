/* SPDX-License-Identifier: MIT */
/*
 * report.c - gathers what check and replay find. Decides what is kept in full
 * and what only counted. report_print.c puts it into words.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report_impl.h"

enum { MOST_KINDS = 400, MOST_AREAS_SHOWN = 24, PROGRESS_MS = 250 };

static FILE *open_output(const struct report_options *options)
{
    if (!options->output)
        return options->stream ? options->stream : stderr;
    FILE *out = fopen(options->output, "we");
    if (!out)
        fprintf(stderr, "mapwright %s: can't write %s: %s\n", options->command, options->output,
                strerror(errno));
    return out;
}

/* A file that can't be written is found out before the program runs, not after. */
static bool json_is_writable(const struct report_options *options)
{
    if (!options->json || strcmp(options->json, "-") == 0)
        return true;
    FILE *json = fopen(options->json, "we");
    if (json)
        fclose(json);
    else
        fprintf(stderr, "mapwright %s: can't write %s: %s\n", options->command, options->json,
                strerror(errno));
    return json;
}

struct report *report_open(const struct report_options *options)
{
    struct report *report = calloc(1, sizeof *report);

    if (!report)
        return NULL;
    report->options = *options;
    report->out = open_output(options);
    if (!report->out || !json_is_writable(options)) {
        if (report->out && options->output)
            fclose(report->out);
        free(report);
        return NULL;
    }
    const char *no_colour = getenv("NO_COLOR");
    report->colour = isatty(fileno(report->out)) && !(no_colour && *no_colour);
    report->progress = isatty(STDERR_FILENO) && !options->verbose && !options->quiet;
    return report;
}

/* Appends a zeroed element of `size` bytes to *list; NULL: no memory. */
static void *append(void *list, size_t *n, size_t size)
{
    void **where = list;
    char *more = realloc(*where, (*n + 1) * size);

    if (!more)
        return NULL;
    *where = more;
    return memset(more + (*n)++ * size, 0, size);
}

static char *copy(const char *text)
{
    char *c = strdup(text);
    return c ? c : calloc(1, 1);
}

/* ---- calls ----------------------------------------------------------------- */

static struct tally *tally_of(struct report *report, const char *what, enum model_kind kind)
{
    for (size_t i = 0; i < report->tallies; i++)
        if (report->tally[i].kind == kind && strcmp(report->tally[i].what, what) == 0)
            return &report->tally[i];
    struct tally *t = report->tallies < MOST_KINDS
                          ? append(&report->tally, &report->tallies, sizeof *t)
                          : NULL;
    if (t) {
        snprintf(t->what, sizeof t->what, "%s", what);
        t->kind = kind;
    }
    return t;
}

static void explain(struct failure *f, const struct model_answer *answer)
{
    char text[512] = "";

    f->explained = answer->kind == MODEL_ANSWERED && answer->why.err != 0;
    if (f->explained) {
        mw_why_text(&answer->why, text, sizeof text);
        snprintf(f->rule, sizeof f->rule, "%s", mw_why_rule(&answer->why));
        snprintf(f->name, sizeof f->name, "%s", mw_why_name(&answer->why));
    }
    f->text = copy(text);
}

static void add_failure(struct report *report, const struct event *event,
                        const struct model_answer *answer)
{
    int err = event->call == CALL_BRK ? MW_ENOMEM : (int)-event->result;
    uint32_t reason = answer->kind == MODEL_ANSWERED ? answer->why.reason : 0;
    char text[512];

    for (size_t i = 0; i < report->failures; i++) {
        struct failure *f = &report->failure[i];
        if (f->err == err && f->reason == reason && strcmp(f->what, answer->what) == 0) {
            f->count++;
            return;
        }
    }
    struct failure *f = report->failures < MOST_KINDS
                            ? append(&report->failure, &report->failures, sizeof *f)
                            : NULL;
    if (!f) {
        report->unlisted_failures++;
        return;
    }
    snprintf(f->what, sizeof f->what, "%s", answer->what);
    f->err = err;
    f->reason = reason;
    f->count = 1;
    explain(f, answer);
    event_text(event, text, sizeof text);
    f->first = copy(text);
}

/* ---- differences ------------------------------------------------------------ */

/* Ranges of addresses that a difference is about. */
struct ranges {
    struct mw_range range[4];
    size_t n;
};

static void add_range(struct ranges *ranges, uint64_t start, uint64_t size)
{
    uint64_t end = size && start + size > start ? start + size : start + 1;

    if (start && ranges->n < 4)
        ranges->range[ranges->n++] = (struct mw_range){ start, end };
}

static void add_result(struct ranges *ranges, int64_t result, uint64_t size)
{
    if (result > 0 || result < -4095)
        add_range(ranges, (uint64_t)result, size);
}

/* Whether area i touches one of the ranges or is the neighbour of one. */
static bool is_near(const struct layout *layout, size_t i, const struct ranges *ranges)
{
    for (size_t k = 0; k < ranges->n; k++) {
        uint64_t below = i ? layout->area[i - 1].end : 0;
        uint64_t above = i + 1 < layout->n ? layout->area[i + 1].start : UINT64_MAX;
        if (below <= ranges->range[k].end && above >= ranges->range[k].start)
            return true;
    }
    return false;
}

/* The areas near the ranges, a line each. NULL when there is no layout. */
static char *areas_near(const struct layout *layout, const struct ranges *ranges)
{
    char *text = NULL, line[512];
    size_t size, shown = 0;
    FILE *out = layout ? open_memstream(&text, &size) : NULL;

    if (!out)
        return NULL;
    for (size_t i = 0; i < layout->n && shown < MOST_AREAS_SHOWN; i++) {
        if (!is_near(layout, i, ranges))
            continue;
        area_text(&layout->area[i], line, sizeof line);
        fprintf(out, "%s\n", line);
        shown++;
    }
    fclose(out);
    return text;
}

static struct difference *new_difference(struct report *report)
{
    if (report->differences >= REPORT_DETAILS)
        return NULL;
    return append(&report->difference, &report->differences, sizeof *report->difference);
}

static void add_difference(struct report *report, const struct event *event,
                           const struct model_answer *answer, const struct layout *engine,
                           const struct layout *kernel)
{
    struct difference *d = new_difference(report);
    struct ranges ranges = { 0 };
    char text[512];

    if (!d)
        return;
    if (event->call == CALL_MMAP || event->call == CALL_MREMAP) {
        uint64_t size = event->arg[event->call == CALL_MMAP ? 1 : 2];
        add_result(&ranges, event->result, size);
        add_result(&ranges, answer->result, size);
    }
    add_range(&ranges, event->arg[0], event->call == CALL_BRK ? 1 : event->arg[1]);
    d->tid = event->tid;
    event_text(event, text, sizeof text);
    d->title = copy(text);
    result_text(answer->result, text, sizeof text);
    d->engine = copy(text);
    text[0] = '\0';
    if (answer->why.err)
        mw_why_text(&answer->why, text, sizeof text);
    d->why = copy(text);
    d->where = copy(event->where ? event->where : "");
    d->engine_areas = areas_near(engine, &ranges);
    d->kernel_areas = areas_near(kernel, &ranges);
}

/* ---- the entries ------------------------------------------------------------ */

static void clear_progress(struct report *report)
{
    if (report->progress_shown)
        fputs("\r\033[K", stderr);
    report->progress_shown = false;
}

static void print_call(struct report *report, const struct event *event,
                       const struct model_answer *answer)
{
    static const char *const verdict[] = { "", "  [followed]", "", "  [not modelled]" };
    char text[512], engine[48], why[512] = "";

    event_text(event, text, sizeof text);
    fprintf(report->out, "%s%s%d %s%s", event->where ? event->where : "",
            event->where && *event->where ? ": " : "", event->tid, text, verdict[answer->kind]);
    if (answer->kind == MODEL_ANSWERED && !answer->agrees) {
        result_text(answer->result, engine, sizeof engine);
        fprintf(report->out, "  [DIFFERS: engine says %s]", engine);
    }
    if (answer->kind == MODEL_ANSWERED && answer->why.err) {
        mw_why_text(&answer->why, why, sizeof why);
        fprintf(report->out, "  [%s: %s]", mw_why_rule(&answer->why), why);
    }
    fputc('\n', report->out);
}

void report_call(struct report *report, const struct event *event,
                 const struct model_answer *answer, const struct layout *engine,
                 const struct layout *kernel)
{
    bool answered = answer->kind == MODEL_ANSWERED;
    bool differs = answered && !answer->agrees;
    struct tally *t = tally_of(report, answer->what, answer->kind);

    report->calls++;
    report->answered += answered;
    report->agree += answered && answer->agrees;
    report->call_differ += differs;
    report->failed += answer->failed;
    if (t) {
        t->made++;
        t->agree += answered && answer->agrees;
        t->differ += differs;
        t->failed += answer->failed;
        t->placed += answer->placed;
    }
    if (report->options.verbose) {
        clear_progress(report);
        print_call(report, event, answer);
    }
    if (differs)
        add_difference(report, event, answer, engine, kernel);
    else if (answer->failed)
        add_failure(report, event, answer);
}

/* "flags" alone says little: which ones does one side have that the other has not? */
static void flags_of(const struct layout_diff *diff, const struct layout *engine,
                     const struct layout *kernel, char *buf, size_t size)
{
    char here[128], there[128];

    buf[0] = '\0';
    if (strcmp(diff->what, "flags") != 0)
        return;
    uint64_t e = engine->area[diff->engine].flags, k = kernel->area[diff->kernel].flags;
    flags_text(e & ~k, here, sizeof here);
    flags_text(k & ~e, there, sizeof there);
    snprintf(buf, size, " (engine only: %s; kernel only: %s)", *here ? here : "none",
             *there ? there : "none");
}

void report_layout(struct report *report, const char *when, const struct layout_diff *diff,
                   const struct layout *engine, const struct layout *kernel)
{
    char text[768], flags[300];

    report->layouts++;
    if (kernel && kernel->n > report->most_areas)
        report->most_areas = kernel->n;
    if (!diff->differs)
        return;
    report->layout_differ++;
    struct difference *d = new_difference(report);
    if (!d)
        return;
    uint64_t end = diff->addr + 1;
    if (diff->kernel < kernel->n && kernel->area[diff->kernel].end > end)
        end = kernel->area[diff->kernel].end;
    if (diff->engine < engine->n && engine->area[diff->engine].end > end)
        end = engine->area[diff->engine].end;
    struct ranges ranges = { { { diff->addr, end } }, 1 };
    d->in_layout = true;
    flags_of(diff, engine, kernel, flags, sizeof flags);
    snprintf(text, sizeof text, "layout after %s: %s%s from %" PRIx64 " on", when, diff->what,
             flags, diff->addr);
    d->title = copy(text);
    d->engine = copy("");
    d->why = copy("");
    d->where = copy("");
    d->engine_areas = areas_near(engine, &ranges);
    d->kernel_areas = areas_near(kernel, &ranges);
}

void report_exec(struct report *report, int pid, const char *program)
{
    report->execs++;
    for (size_t i = 0; i < report->programs; i++)
        if (strcmp(report->program[i].name, program) == 0) {
            report->program[i].count++;
            return;
        }
    struct program *p = report->programs < MOST_KINDS
                            ? append(&report->program, &report->programs, sizeof *p)
                            : NULL;
    if (p)
        *p = (struct program){ copy(program), pid, 1 };
}

void report_task(struct report *report, bool shares_vm)
{
    if (shares_vm)
        report->threads++;
    else
        report->forks++;
}

void report_note(struct report *report, bool difference, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->note_differ += difference;
    for (size_t i = 0; i < report->notes; i++)
        if (strcmp(report->note[i].text, text) == 0) {
            report->note[i].count++;
            return;
        }
    struct note *n = report->notes < MOST_KINDS ? append(&report->note, &report->notes, sizeof *n)
                                                : NULL;
    if (n)
        *n = (struct note){ copy(text), difference, 1 };
    else
        report->unlisted_notes++;
}

void report_status(struct report *report, int wait_status)
{
    report->status = wait_status;
    report->status_known = true;
}

void report_progress(struct report *report)
{
    struct timespec now;

    if (!report->progress)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (!report->progress_at)
        report->progress_at = ms + 1000; /* nothing for what ends within a second */
    if (ms < report->progress_at)
        return;
    report->progress_at = ms + PROGRESS_MS;
    report->progress_shown = true;
    fprintf(stderr, "\r\033[K%" PRIu64 " calls, %" PRIu64 " differ", report->calls,
            report_differences(report));
}

uint64_t report_differences(const struct report *report)
{
    return report->call_differ + report->layout_differ + report->note_differ;
}

/* ---- the end ---------------------------------------------------------------- */

static void free_report(struct report *report)
{
    for (size_t i = 0; i < report->failures; i++) {
        free(report->failure[i].text);
        free(report->failure[i].first);
    }
    for (size_t i = 0; i < report->differences; i++) {
        struct difference *d = &report->difference[i];
        free(d->title);
        free(d->engine);
        free(d->why);
        free(d->where);
        free(d->engine_areas);
        free(d->kernel_areas);
    }
    for (size_t i = 0; i < report->notes; i++)
        free(report->note[i].text);
    for (size_t i = 0; i < report->programs; i++)
        free(report->program[i].name);
    free(report->tally);
    free(report->failure);
    free(report->difference);
    free(report->note);
    free(report->program);
    others_free(report->others);
    free(report);
}

void report_discard(struct report *report)
{
    clear_progress(report);
    if (report->options.output)
        fclose(report->out);
    free_report(report);
}

static bool write_json(const struct report *report)
{
    const char *name = report->options.json;
    bool standard = strcmp(name, "-") == 0;
    FILE *out = standard ? stdout : fopen(name, "we");

    if (!out)
        return false;
    report_print_json(report, out);
    bool good = fflush(out) == 0 && !ferror(out);
    if (!standard)
        good = fclose(out) == 0 && good;
    return good;
}

int report_close(struct report *report)
{
    int status = report_exit(report);
    bool good = true;

    clear_progress(report);
    report_print(report, report->out);
    if (report->options.json && !write_json(report)) {
        fprintf(stderr, "mapwright %s: can't write %s: %s\n", report->options.command,
                report->options.json, strerror(errno));
        good = false;
    }
    good = fflush(report->out) == 0 && good;
    if (report->options.output)
        good = fclose(report->out) == 0 && good;
    free_report(report);
    return good ? status : 2;
}
