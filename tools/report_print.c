/* SPDX-License-Identifier: MIT */
/* report_print.c - a report in words, and as JSON. Decides nothing. */
#include "report_impl.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#define RED "\033[31m"
#define GREEN "\033[32m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

int report_exit(const struct report *report)
{
    if (report->options.strict && others_differ(report))
        return 1;
    return report_differences(report) ? 1 : 0;
}

static const char *colour(const struct report *report, const char *code)
{
    return report->colour ? code : "";
}

static const char *plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

static void print_head(const struct report *r, FILE *out)
{
    const struct report_options *o = &r->options;

    fprintf(out, "\n%smapwright %s%s: %s\n", colour(r, BOLD), o->command, colour(r, PLAIN),
            o->subject);
    fprintf(out, "  answered as Linux %s", o->linux_text);
    if (r->execs)
        fprintf(out, "; %" PRIu64 " %s, %" PRIu64 " forked, %" PRIu64 " %s", r->execs,
                plural(r->execs, "program", "programs"), r->forks, r->threads,
                plural(r->threads, "thread or vfork", "threads and vforks"));
    fprintf(out, "\n");
    if (r->status_known && WIFSIGNALED(r->status))
        fprintf(out, "  the program was ended by signal %d (%s)\n", WTERMSIG(r->status),
                strsignal(WTERMSIG(r->status)));
    else if (r->status_known && WEXITSTATUS(r->status))
        fprintf(out, "  the program exited with status %d\n", WEXITSTATUS(r->status));
}

static void print_programs(const struct report *r, FILE *out)
{
    if (r->programs < 2)
        return;
    fprintf(out, "\nprograms\n");
    for (size_t i = 0; i < r->programs; i++) {
        fprintf(out, "  %s", r->program[i].name);
        if (r->program[i].count > 1)
            fprintf(out, "  (%" PRIu64 " times)", r->program[i].count);
        fprintf(out, "\n");
    }
}

static void print_calls(const struct report *r, FILE *out)
{
    bool any = false;

    for (size_t i = 0; i < r->tallies; i++) {
        const struct tally *t = &r->tally[i];
        if (t->kind != MODEL_ANSWERED)
            continue;
        if (!any)
            fprintf(out, "\n  %-14s %9s %9s %9s %9s\n", "call", "made", "agree", "differ",
                    "failed");
        any = true;
        fprintf(out, "  %-14s %9" PRIu64 " %9" PRIu64 " %s%9" PRIu64 "%s %9" PRIu64, t->what,
                t->made, t->agree, t->differ ? colour(r, RED) : "", t->differ,
                t->differ ? colour(r, PLAIN) : "", t->failed);
        if (t->placed)
            fprintf(out, "   %" PRIu64 " placed at random by Linux", t->placed);
        fprintf(out, "\n");
    }
}

/* The calls of one other kind, on lines of their own. */
static void print_kind(const struct report *r, FILE *out, enum model_kind kind, const char *title)
{
    bool any = false;

    for (size_t i = 0; i < r->tallies; i++) {
        if (r->tally[i].kind != kind)
            continue;
        if (!any)
            fprintf(out, "\n%s\n", title);
        any = true;
        fprintf(out, "  %-24s %9" PRIu64 "\n", r->tally[i].what, r->tally[i].made);
    }
}

static void print_failures(const struct report *r, FILE *out)
{
    if (r->failures)
        fprintf(out, "\ncalls that failed, and why\n");
    for (size_t i = 0; i < r->failures; i++) {
        const struct failure *f = &r->failure[i];
        fprintf(out, "  %s %s, %" PRIu64 " %s", f->what, mw_errno_name(f->err), f->count,
                plural(f->count, "time", "times"));
        if (f->explained)
            fprintf(out, " [%s]: %s", f->rule, f->text);
        fprintf(out, "\n    %s%s\n", f->count > 1 ? "first: " : "", f->first);
    }
    if (r->unlisted_failures)
        fprintf(out, "  and %" PRIu64 " of other kinds\n", r->unlisted_failures);
}

static void print_lines(FILE *out, const char *title, const char *lines)
{
    if (!lines)
        return;
    fprintf(out, "    %s\n", title);
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        fprintf(out, "      %.*s\n", (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static void print_differences(const struct report *r, FILE *out)
{
    uint64_t all = r->call_differ + r->layout_differ;

    if (r->differences)
        fprintf(out, "\n%sdifferences%s\n", colour(r, RED), colour(r, PLAIN));
    for (size_t i = 0; i < r->differences; i++) {
        const struct difference *d = &r->difference[i];
        if (d->in_layout) {
            fprintf(out, "  %s\n", d->title);
        } else {
            fprintf(out, "  %s%s%d %s\n", d->where, *d->where ? ": " : "", d->tid, d->title);
            fprintf(out, "    the engine says %s%s%s\n", d->engine, *d->why ? ": " : "", d->why);
        }
        print_lines(out, "mappings, engine:", d->engine_areas);
        print_lines(out, "mappings, kernel:", d->kernel_areas);
    }
    if (all > r->differences)
        fprintf(out, "  and %" PRIu64 " more\n", all - r->differences);
}

static void print_notes(const struct report *r, FILE *out)
{
    if (r->notes)
        fprintf(out, "\nnotes\n");
    for (size_t i = 0; i < r->notes; i++) {
        const struct note *n = &r->note[i];
        fprintf(out, "  %s", n->text);
        if (n->count > 1)
            fprintf(out, " (%" PRIu64 " times)", n->count);
        fprintf(out, "\n");
    }
    if (r->unlisted_notes)
        fprintf(out, "  and %" PRIu64 " others\n", r->unlisted_notes);
}

static void print_layouts(const struct report *r, FILE *out)
{
    if (!r->layouts)
        return;
    fprintf(out, "\nlayouts: compared %" PRIu64 " %s (up to %" PRIu64 " mappings)", r->layouts,
            plural(r->layouts, "time", "times"), r->most_areas);
    if (r->layout_differ)
        fprintf(out, ", %s%" PRIu64 " differ%s\n", colour(r, RED), r->layout_differ,
                colour(r, PLAIN));
    else
        fprintf(out, ", all equal\n");
}

static uint64_t count_kind(const struct report *r, enum model_kind kind)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->tallies; i++)
        if (r->tally[i].kind == kind)
            n += r->tally[i].made;
    return n;
}

static void print_last(const struct report *r, FILE *out)
{
    uint64_t unknown = count_kind(r, MODEL_NOT_MODELLED);

    fprintf(out, "%s%" PRIu64 " %s, %" PRIu64 " agree%s",
            colour(r, report_differences(r) ? RED : GREEN), r->answered,
            plural(r->answered, "call", "calls"), r->agree, colour(r, PLAIN));
    if (r->layout_differ)
        fprintf(out, "; %" PRIu64 " of %" PRIu64 " layouts differ", r->layout_differ, r->layouts);
    if (unknown)
        fprintf(out, "; %" PRIu64 " not modelled", unknown);
    fprintf(out, "\n");
}

/* Only where there is a kernel to ask can its layout be taken over. */
static const char *not_modelled_title(const struct report *r)
{
    if (strcmp(r->options.command, "replay") == 0)
        return "calls not modelled yet (what a log uses afterwards and does not map is assumed)";
    return "calls not modelled yet (the layout was taken over again afterwards)";
}

void report_print(const struct report *report, FILE *out)
{
    if (!report->options.quiet) {
        print_head(report, out);
        print_programs(report, out);
        print_calls(report, out);
        print_kind(report, out, MODEL_FOLLOWED,
                   "calls whose effect was taken from Linux's answer, not computed");
        print_kind(report, out, MODEL_HARMLESS, "calls that leave the layout as it is");
        print_kind(report, out, MODEL_NOT_MODELLED, not_modelled_title(report));
        print_failures(report, out);
    }
    print_differences(report, out);
    if (!report->options.quiet) {
        print_notes(report, out);
        print_layouts(report, out);
    }
    others_print(report, out);
    print_last(report, out);
    others_print_last(report, out);
}

/* ---- JSON ------------------------------------------------------------------- */

static void json_key(FILE *out, const char *key, const char *value)
{
    fprintf(out, "\"%s\": ", key);
    json_string(out, value);
}

static void json_tallies(const struct report *r, FILE *out)
{
    static const char *const kind[] = { "answered", "followed", "harmless", "not modelled" };

    fprintf(out, ",\n  \"calls\": [");
    for (size_t i = 0; i < r->tallies; i++) {
        const struct tally *t = &r->tally[i];
        fprintf(out, "%s\n    {", i ? "," : "");
        json_key(out, "call", t->what);
        fprintf(out, ", ");
        json_key(out, "kind", kind[t->kind]);
        fprintf(out, ", \"made\": %" PRIu64, t->made);
        if (t->kind == MODEL_ANSWERED)
            fprintf(out, ", \"agree\": %" PRIu64 ", \"differ\": %" PRIu64 ", \"placed\": %" PRIu64,
                    t->agree, t->differ, t->placed);
        fprintf(out, ", \"failed\": %" PRIu64 "}", t->failed);
    }
    fprintf(out, "\n  ]");
}

static void json_failures(const struct report *r, FILE *out)
{
    fprintf(out, ",\n  \"failures\": [");
    for (size_t i = 0; i < r->failures; i++) {
        const struct failure *f = &r->failure[i];
        fprintf(out, "%s\n    {", i ? "," : "");
        json_key(out, "call", f->what);
        fprintf(out, ", ");
        json_key(out, "errno", mw_errno_name(f->err));
        fprintf(out, ", \"count\": %" PRIu64 ", ", f->count);
        json_key(out, "rule", f->rule);
        fprintf(out, ", ");
        json_key(out, "reason", f->name);
        fprintf(out, ", ");
        json_key(out, "text", f->text);
        fprintf(out, ", ");
        json_key(out, "first", f->first);
        fprintf(out, "}");
    }
    fprintf(out, "\n  ]");
}

static void json_lines(FILE *out, const char *key, const char *lines)
{
    char line[512];
    const char *comma = "";

    fprintf(out, ", \"%s\": ", key);
    if (!lines) {
        fprintf(out, "null");
        return;
    }
    fprintf(out, "[");
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, lines);
        fprintf(out, "%s", comma);
        json_string(out, line);
        comma = ", ";
        lines += n + (lines[n] == '\n');
    }
    fprintf(out, "]");
}

static void json_differences(const struct report *r, FILE *out)
{
    fprintf(out, ",\n  \"differences\": [");
    for (size_t i = 0; i < r->differences; i++) {
        const struct difference *d = &r->difference[i];
        fprintf(out, "%s\n    {\"in\": \"%s\", \"tid\": %d, ", i ? "," : "",
                d->in_layout ? "layout" : "call", d->tid);
        json_key(out, "what", d->title);
        fprintf(out, ", ");
        json_key(out, "engine", d->engine);
        fprintf(out, ", ");
        json_key(out, "why", d->why);
        fprintf(out, ", ");
        json_key(out, "where", d->where);
        json_lines(out, "engine_mappings", d->engine_areas);
        json_lines(out, "kernel_mappings", d->kernel_areas);
        fprintf(out, "}");
    }
    fprintf(out, "\n  ]");
}

static void json_notes(const struct report *r, FILE *out)
{
    fprintf(out, ",\n  \"notes\": [");
    for (size_t i = 0; i < r->notes; i++) {
        fprintf(out, "%s\n    {", i ? "," : "");
        json_key(out, "text", r->note[i].text);
        fprintf(out, ", \"count\": %" PRIu64 ", \"difference\": %s}", r->note[i].count,
                r->note[i].difference ? "true" : "false");
    }
    fprintf(out, "\n  ],\n  \"programs\": [");
    for (size_t i = 0; i < r->programs; i++) {
        fprintf(out, "%s\n    {", i ? "," : "");
        json_key(out, "name", r->program[i].name);
        fprintf(out, ", \"first_pid\": %d, \"count\": %" PRIu64 "}", r->program[i].pid,
                r->program[i].count);
    }
    fprintf(out, "\n  ]");
}

static void json_status(const struct report *r, FILE *out)
{
    if (!r->status_known)
        fprintf(out, ",\n  \"status\": null");
    else if (WIFSIGNALED(r->status))
        fprintf(out, ",\n  \"status\": {\"signal\": %d}", WTERMSIG(r->status));
    else
        fprintf(out, ",\n  \"status\": {\"exited\": %d}", WEXITSTATUS(r->status));
}

void report_print_json(const struct report *r, FILE *out)
{
    fprintf(out, "{\n  ");
    json_key(out, "mapwright", MW_VERSION);
    fprintf(out, ",\n  ");
    json_key(out, "command", r->options.command);
    fprintf(out, ",\n  ");
    json_key(out, "subject", r->options.subject);
    fprintf(out, ",\n  ");
    json_key(out, "linux", r->options.linux_text);
    json_status(r, out);
    fprintf(out,
            ",\n  \"execs\": %" PRIu64 ", \"forks\": %" PRIu64 ", \"shared\": %" PRIu64
            ",\n  \"total\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"agree\": %" PRIu64
            ", \"differ\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"not_modelled\": %" PRIu64
            ",\n  \"layouts\": {\"compared\": %" PRIu64 ", \"differ\": %" PRIu64
            ", \"most_mappings\": %" PRIu64 "}",
            r->execs, r->forks, r->threads, r->calls, r->answered, r->agree, r->call_differ,
            r->failed, count_kind(r, MODEL_NOT_MODELLED), r->layouts, r->layout_differ,
            r->most_areas);
    json_tallies(r, out);
    json_failures(r, out);
    json_differences(r, out);
    json_notes(r, out);
    others_print_json(r, out);
    fprintf(out, ",\n  \"exit\": %d\n}\n", report_exit(r));
}
