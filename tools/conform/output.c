/* SPDX-License-Identifier: MIT */
/* output.c - progress on a terminal, and the results as text, TAP, JUnit and JSON. */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct result {
    char name[96];
    enum verdict verdict;
    char *why;
};

static struct {
    struct result *result;
    size_t n, room;
    double last;
    bool line; /* a progress line stands on the terminal */
} out;

void say(const struct options *o, const char *fmt, ...)
{
    va_list ap;
    if (o->quiet)
        return;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

bool output_progress_due(const struct options *o, double seconds)
{
    return seconds - out.last >= 0.5 && !o->quiet && isatty(STDERR_FILENO);
}

void output_progress(const struct options *o, const struct tally *t, double seconds, int found)
{
    (void)o;
    out.last = seconds;
    out.line = true;
    fprintf(stderr, "\r\033[K%llu calls agree, %.0f a second, %d finding%s",
            (unsigned long long)t->calls, seconds > 0 ? (double)t->calls / seconds : 0.0, found,
            found == 1 ? "" : "s");
}

void output_progress_clear(const struct options *o)
{
    (void)o;
    if (out.line)
        fprintf(stderr, "\r\033[K");
    out.line = false;
}

void output_case(const char *name, enum verdict verdict, const char *why)
{
    struct result *r;
    if (out.n == out.room) {
        size_t room = out.room ? out.room * 2 : 256;
        r = realloc(out.result, room * sizeof *r);
        if (r == NULL)
            return;
        out.result = r;
        out.room = room;
    }
    r = &out.result[out.n++];
    snprintf(r->name, sizeof r->name, "%s", name);
    r->verdict = verdict;
    r->why = why && *why ? strdup(why) : NULL;
}

static void difference(const struct slot *slot, char *buf, size_t size)
{
    const struct disagreement *d = &slot->d;
    const struct step *s = &slot->episode.step[d->step < 0 ? 0 : d->step];
    char text[512];
    step_text(s, text, sizeof text);
    snprintf(buf, size, "%s: %s differs (system %lld, Linux %lld)", text, d->what,
             (long long)d->system, (long long)d->engine);
}

void output_finding(const struct slot *slot, uint64_t number)
{
    char name[96], why[1024];
    snprintf(name, sizeof name, "episode %llu", (unsigned long long)number);
    difference(slot, why, sizeof why);
    output_case(name, VERDICT_NOT_OK, why);
}

/* ---- files ---- */

static void xml_text(FILE *f, const char *p)
{
    for (; *p; p++)
        switch (*p) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        default: putc((unsigned char)*p < ' ' && *p != '\n' ? ' ' : *p, f);
        }
}

static void write_junit(const char *path, double seconds)
{
    size_t failed = 0, skipped = 0;
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        fprintf(stderr, "conform: can't write %s\n", path);
        return;
    }
    for (size_t i = 0; i < out.n; i++) {
        failed += out.result[i].verdict == VERDICT_NOT_OK;
        skipped += out.result[i].verdict == VERDICT_SKIP;
    }
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"mapwright-conform\" "
               "tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" time=\"%.3f\">\n",
            out.n, failed, skipped, seconds);
    for (size_t i = 0; i < out.n; i++) {
        const struct result *r = &out.result[i];
        fputs("  <testcase classname=\"mapwright\" name=\"", f);
        xml_text(f, r->name);
        if (r->verdict == VERDICT_OK) {
            fputs("\"/>\n", f);
            continue;
        }
        fprintf(f, "\">\n    <%s message=\"", r->verdict == VERDICT_SKIP ? "skipped" : "failure");
        xml_text(f, r->why ? r->why : "");
        fputs("\"/>\n  </testcase>\n", f);
    }
    fputs("</testsuite>\n", f);
    fclose(f);
}

static void json_text(FILE *f, const char *p)
{
    putc('"', f);
    for (; *p; p++)
        if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if ((unsigned char)*p < ' ')
            fprintf(f, "\\u%04x", *p);
        else
            putc(*p, f);
    putc('"', f);
}

static void json_results(FILE *f)
{
    static const char *const word[] = { "ok", "not ok", "skip" };
    fputs("  \"results\": [", f);
    for (size_t i = 0; i < out.n; i++) {
        fputs(i ? ",\n    {\"name\": " : "\n    {\"name\": ", f);
        json_text(f, out.result[i].name);
        fprintf(f, ", \"verdict\": \"%s\"", word[out.result[i].verdict]);
        if (out.result[i].why) {
            fputs(", \"why\": ", f);
            json_text(f, out.result[i].why);
        }
        putc('}', f);
    }
    fputs(out.n ? "\n  ]" : "]", f);
}

static void json_coverage(FILE *f, const struct tally *t)
{
    int reasons = cover_reasons();
    fputs("  \"reasons\": {", f);
    for (int i = 1; i < reasons; i++) {
        struct mw_why why = { .err = 1, .reason = (uint32_t)i };
        fprintf(f, "%s\n    \"%s\": %llu", i > 1 ? "," : "", mw_why_name(&why),
                (unsigned long long)t->reason[i]);
    }
    fputs("\n  },\n  \"calls\": {", f);
    for (int i = 0; i < STEP_CALLS; i++)
        fprintf(f, "%s\"%s\": %llu", i ? ", " : "", step_name[i],
                (unsigned long long)t->by_kind[i]);
    fputs("},\n", f);
}

static void write_json(const struct options *o, const struct tally *t, double seconds)
{
    FILE *f = strcmp(o->json, "-") == 0 ? stdout : fopen(o->json, "w");
    if (f == NULL) {
        fprintf(stderr, "conform: can't write %s\n", o->json);
        return;
    }
    fprintf(f, "{\n  \"linux\": \"%u.%u\",\n  \"seconds\": %.3f,\n", model_version / 1000,
            model_version % 1000, seconds);
    if (t) {
        fprintf(f, "  \"seed\": %llu,\n  \"compared\": %llu,\n  \"accesses\": %llu,\n"
                   "  \"episodes\": %llu,\n",
                (unsigned long long)o->seed, (unsigned long long)t->calls,
                (unsigned long long)t->accesses, (unsigned long long)t->episodes);
        json_coverage(f, t);
    }
    json_results(f);
    fputs("\n}\n", f);
    if (f != stdout)
        fclose(f);
}

static void write_tap(void)
{
    printf("TAP version 13\n1..%zu\n", out.n);
    for (size_t i = 0; i < out.n; i++) {
        const struct result *r = &out.result[i];
        printf("%sok %zu - %s%s%s\n", r->verdict == VERDICT_NOT_OK ? "not " : "", i + 1, r->name,
               r->verdict == VERDICT_SKIP ? " # SKIP " : "",
               r->verdict == VERDICT_SKIP && r->why ? r->why : "");
        if (r->verdict == VERDICT_NOT_OK && r->why)
            printf("# %s\n", r->why);
    }
}

static void write_files(const struct options *o, const struct tally *t, double seconds)
{
    if (o->tap)
        write_tap();
    if (o->junit)
        write_junit(o->junit, seconds);
    if (o->json)
        write_json(o, t, seconds);
}

/* ---- the ends ---- */

void output_end(const struct options *o, const struct tally *t, double seconds, int found,
                uint64_t again)
{
    char name[96];
    if (found == 0) {
        snprintf(name, sizeof name, "seed %llu, %llu calls", (unsigned long long)o->seed,
                 (unsigned long long)t->calls);
        output_case(name, VERDICT_OK, NULL);
    }
    if (o->coverage)
        cover_print(t);
    if (!o->tap) {
        say(o, "%llu calls and %llu accesses in %llu episodes agree; %.1f s, %.0f calls a second, "
               "%.0f a second of one core\n",
            (unsigned long long)t->calls, (unsigned long long)t->accesses,
            (unsigned long long)t->episodes, seconds,
            seconds > 0 ? (double)t->calls / seconds : 0.0,
            t->cpu_us ? (double)t->calls * 1e6 / (double)t->cpu_us : 0.0);
        if (found)
            say(o, "%d finding%s, met %llu times more\n", found, found == 1 ? "" : "s",
                (unsigned long long)again);
    }
    write_files(o, t, seconds);
}

int output_suite_end(const struct options *o, double seconds)
{
    size_t n[3] = { 0, 0, 0 };
    for (size_t i = 0; i < out.n; i++)
        n[out.result[i].verdict]++;
    if (!o->tap) {
        for (size_t i = 0; i < out.n; i++) {
            const struct result *r = &out.result[i];
            if (r->verdict == VERDICT_NOT_OK || !o->quiet)
                printf("%-6s %s%s%s\n",
                       r->verdict == VERDICT_OK       ? "ok"
                       : r->verdict == VERDICT_NOT_OK ? "not ok"
                                                      : "skip",
                       r->name, r->why ? ": " : "", r->why ? r->why : "");
        }
        printf("%zu ok, %zu not ok, %zu skipped\n", n[VERDICT_OK], n[VERDICT_NOT_OK],
               n[VERDICT_SKIP]);
    }
    write_files(o, NULL, seconds);
    return (int)n[VERDICT_NOT_OK];
}
