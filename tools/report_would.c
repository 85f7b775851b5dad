/* SPDX-License-Identifier: MIT */
/*
 * report_would.c - the calls that another Linux would answer differently.
 * Decides what counts as different, and which calls are told of together.
 */
#include "report_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What one version says to one call. */
struct outcome {
    bool differs;   /* from the version that the program is followed as */
    int err;        /* 0: it succeeds */
    int64_t result;
    struct mw_why why;
};

/* Calls of one kind to which all versions say the same. */
struct other {
    char what[48];
    uint64_t count;
    char *first;             /* the first such call */
    struct outcome own;      /* and what is said to it */
    struct outcome *outcome; /* one for each version asked */
};

struct others {
    struct other other[REPORT_DETAILS];
    size_t n;
    uint64_t asked, differ, unlisted;
    uint64_t by_version[LINUX_MOST];
};

/* ---- gathering --------------------------------------------------------------- */

static struct outcome outcome_of(const struct event *event, const struct mw_answer *answer)
{
    struct outcome o = { .result = answer->result, .why = answer->why };

    if (event->call == CALL_BRK)
        o.err = answer->why.err;
    else if (answer->result < 0 && answer->result >= -4095)
        o.err = (int)-answer->result;
    return o;
}

/* Whether the engine has no answer, for want of memory or of the call. */
static bool is_unknown(const struct outcome *o)
{
    return strncmp(mw_why_rule(&o->why), "ENGINE-", 7) == 0;
}

/* What has happened is what the engine says, up to the place. */
static bool has_happened(const struct event *event, const struct outcome *own)
{
    bool failed = event->result < 0 && event->result >= -4095;

    if (event->call == CALL_BRK)
        return event->result == own->result;
    return own->err == (failed ? (int)-event->result : 0);
}

static bool same_group(const struct report *report, const struct other *other, const char *what,
                       const struct outcome *own, const struct outcome *outcome)
{
    if (strcmp(other->what, what) != 0 || other->own.err != own->err ||
        other->own.why.reason != own->why.reason)
        return false;
    for (size_t i = 0; i < report->options.ask->n; i++) {
        const struct outcome *a = &other->outcome[i], *b = &outcome[i];
        if (a->differs != b->differs ||
            (a->differs && (a->err != b->err || a->why.reason != b->why.reason)))
            return false;
    }
    return true;
}

static void tell_others(struct report *report, const struct event *event, const char *what,
                        const struct outcome *own, const struct outcome *outcome)
{
    struct others *others = report->others;
    size_t size = report->options.ask->n * sizeof *outcome;
    char text[512];

    for (size_t i = 0; i < others->n; i++)
        if (same_group(report, &others->other[i], what, own, outcome)) {
            others->other[i].count++;
            return;
        }
    struct other *o = &others->other[others->n];
    struct outcome *kept = others->n < REPORT_DETAILS ? malloc(size) : NULL;
    event_text(event, text, sizeof text);
    char *first = kept ? strdup(text) : NULL;
    if (!first) {
        free(kept);
        others->unlisted++;
        return;
    }
    *o = (struct other){ .count = 1, .first = first, .own = *own, .outcome = kept };
    snprintf(o->what, sizeof o->what, "%s", what);
    memcpy(kept, outcome, size);
    others->n++;
}

void report_would(struct report *report, const struct event *event,
                  const struct model_answer *answer, const struct would *would)
{
    struct outcome own, outcome[LINUX_MOST];
    bool any = false;

    if (!would->asked)
        return;
    if (!report->others)
        report->others = calloc(1, sizeof *report->others);
    own = outcome_of(event, &would->answer[0]);
    if (!report->others || is_unknown(&own) || !has_happened(event, &own))
        return;
    report->others->asked++;
    for (size_t i = 0; i < would->list.n; i++) {
        struct outcome *o = &outcome[i];
        *o = outcome_of(event, &would->answer[1 + i]);
        bool elsewhere = report->options.places && !would->placed && o->result != own.result;
        o->differs = !is_unknown(o) && (o->err != own.err || (!o->err && elsewhere));
        report->others->by_version[i] += o->differs;
        any |= o->differs;
    }
    report->others->differ += any;
    if (any)
        tell_others(report, event, answer->what, &own, outcome);
}

bool others_differ(const struct report *report)
{
    return report->others && report->others->differ;
}

void others_free(struct others *others)
{
    for (size_t i = 0; others && i < others->n; i++) {
        free(others->other[i].first);
        free(others->other[i].outcome);
    }
    free(others);
}

/* ---- in words ------------------------------------------------------------------ */

/* The last of the neighbours, from `first` on, that say the same. */
static size_t last_alike(const struct other *other, size_t first, size_t n)
{
    const struct outcome *a = &other->outcome[first], *b;

    for (size_t i = first + 1; i < n; i++) {
        b = &other->outcome[i];
        if (a->differs != b->differs || a->err != b->err || a->why.reason != b->why.reason ||
            (a->differs && !a->err && a->result != b->result))
            return i - 1;
    }
    return n - 1;
}

static void print_outcome(FILE *out, const char *who, const struct outcome *o, bool elsewhere)
{
    char text[512];

    fprintf(out, "    %s: ", who);
    if (o->err) {
        mw_why_text(&o->why, text, sizeof text);
        fprintf(out, "fails with %s [%s]: %s\n", mw_errno_name(o->err), mw_why_rule(&o->why),
                text);
        return;
    }
    fprintf(out, "succeeds");
    if (elsewhere)
        fprintf(out, " at 0x%" PRIx64, (uint64_t)o->result);
    fprintf(out, "\n");
}

static void print_other(const struct report *r, const struct other *other, FILE *out)
{
    const struct linux_list *list = r->options.ask;
    char range[1024];

    fprintf(out, "  %s", other->first);
    if (other->count > 1)
        fprintf(out, "  (the first of %" PRIu64 " like it)", other->count);
    fprintf(out, "\n");
    if (other->own.err)
        print_outcome(out, r->options.linux_text, &other->own, false);
    for (size_t i = 0, last; i < list->n; i = last + 1) {
        last = last_alike(other, i, list->n);
        if (!other->outcome[i].differs)
            continue;
        linux_range(list, i, last, range, sizeof range);
        print_outcome(out, range, &other->outcome[i], !other->own.err);
    }
}

/* How many calls each version answers differently; of all, equal neighbours together. */
static void print_by_version(const struct report *r, FILE *out)
{
    const struct linux_list *list = r->options.ask;
    const uint64_t *by = r->others->by_version;
    const char *comma = " (";
    char range[1024];

    for (size_t i = 0, last; i < list->n; i = last + 1) {
        for (last = i; list->all && last + 1 < list->n && by[last + 1] == by[i]; last++)
            continue;
        if (!by[i])
            continue;
        linux_range(list, i, last, range, sizeof range);
        fprintf(out, "%s%s: %" PRIu64, comma, range, by[i]);
        comma = ", ";
    }
    fprintf(out, ")");
}

void others_print(const struct report *r, FILE *out)
{
    const struct others *others = r->others;

    if (!others_differ(r))
        return;
    fprintf(out, "\nanswered differently by another Linux\n");
    for (size_t i = 0; i < others->n; i++)
        print_other(r, &others->other[i], out);
    if (others->unlisted)
        fprintf(out, "  and %" PRIu64 " more\n", others->unlisted);
    fprintf(out, "\n");
}

void others_print_last(const struct report *r, FILE *out)
{
    uint64_t asked = r->others ? r->others->asked : 0;
    char first[1024];

    if (!r->options.ask)
        return;
    fprintf(out, "%" PRIu64 " %s, ", asked, asked == 1 ? "call" : "calls");
    if (others_differ(r)) {
        fprintf(out, "%" PRIu64 " of them answered differently by another Linux",
                r->others->differ);
        print_by_version(r, out);
    } else if (r->options.ask->all) {
        fprintf(out, "none of them answered differently by another Linux");
    } else {
        linux_range(r->options.ask, 0, r->options.ask->n - 1, first, sizeof first);
        fprintf(out, "none of them answered differently by Linux %s", first);
    }
    fprintf(out, "\n");
}

/* ---- JSON ------------------------------------------------------------------------ */

static void json_text(FILE *out, const char *key, const char *value)
{
    fprintf(out, "\"%s\": ", key);
    json_string(out, value);
}

static void json_outcome(FILE *out, const struct outcome *o)
{
    char text[512] = "";

    if (o->err)
        mw_why_text(&o->why, text, sizeof text);
    json_text(out, "errno", o->err ? mw_errno_name(o->err) : "0");
    fprintf(out, ", ");
    json_text(out, "rule", o->err ? mw_why_rule(&o->why) : "");
    fprintf(out, ", ");
    json_text(out, "reason", o->err ? mw_why_name(&o->why) : "");
    fprintf(out, ", ");
    json_text(out, "text", text);
    fprintf(out, ", ");
    result_text(o->result, text, sizeof text);
    json_text(out, "result", text);
}

static void json_other(const struct report *r, const struct other *other, FILE *out)
{
    const struct linux_list *list = r->options.ask;
    const char *comma = "";
    char range[1024];

    fprintf(out, "{");
    json_text(out, "call", other->what);
    fprintf(out, ", \"count\": %" PRIu64 ", ", other->count);
    json_text(out, "first", other->first);
    fprintf(out, ", ");
    json_outcome(out, &other->own);
    fprintf(out, ", \"others\": [");
    for (size_t i = 0, last; i < list->n; i = last + 1) {
        last = last_alike(other, i, list->n);
        if (!other->outcome[i].differs)
            continue;
        linux_range(list, i, last, range, sizeof range);
        fprintf(out, "%s{", comma);
        json_text(out, "linux", range);
        fprintf(out, ", ");
        json_outcome(out, &other->outcome[i]);
        fprintf(out, "}");
        comma = ", ";
    }
    fprintf(out, "]}");
}

void others_print_json(const struct report *r, FILE *out)
{
    const struct others *others = r->others;
    const struct linux_list *list = r->options.ask;
    char name[16];

    fprintf(out, ",\n  \"other_linux\": ");
    if (!list) {
        fprintf(out, "null");
        return;
    }
    fprintf(out, "{\"asked\": %" PRIu64 ", \"differ\": %" PRIu64 ", \"versions\": {",
            others ? others->asked : 0, others ? others->differ : 0);
    for (size_t i = 0; i < list->n; i++) {
        linux_name(list->version[i], name, sizeof name);
        fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "", name,
                others ? others->by_version[i] : 0);
    }
    fprintf(out, "}, \"calls\": [");
    for (size_t i = 0; others && i < others->n; i++) {
        fprintf(out, "%s\n    ", i ? "," : "");
        json_other(r, &others->other[i], out);
    }
    fprintf(out, "\n  ], \"unlisted\": %" PRIu64 "}", others ? others->unlisted : 0);
}
