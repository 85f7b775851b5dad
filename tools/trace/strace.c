/* SPDX-License-Identifier: MIT */
/*
 * strace.c - a recorded log as events; see strace.h. From the file to an event:
 * physical lines, whose line each is (prefix), what kind of line, the two
 * halves of a call that was interrupted. The call itself: strace_calls.c.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "strace_impl.h"
#include "symbols.h"

/* ---- complaints ---------------------------------------------------------- */

/* What stands at a place, for a message: short, printable, quoted. */
static void describe(const char *at, const char *end, bool cut, char *buf, size_t size)
{
    size_t n = 0;
    if (at >= end) {
        snprintf(buf, size, cut ? "the end of the file" : "the end of the line");
        return;
    }
    buf[n++] = '\'';
    while (at < end && n + 6 < size) {
        unsigned char c = (unsigned char)*at++;
        buf[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    snprintf(buf + n, size - n, at < end ? "...'" : "'");
}

/* One complaint a line is enough. */
void log_complain(struct strace_reader *r, const char *expected, const char *at,
                     const char *end)
{
    if (r->line_bad)
        return;
    r->line_bad = true;
    r->counts.bad++;
    if (r->complain == NULL)
        return;
    char found[40], text[512];
    describe(at, end, r->last_line_cut, found, sizeof found);
    snprintf(text, sizeof text, "%.200s:%llu: expected %s, found %s", r->name,
             (unsigned long long)r->line, expected, found);
    r->complain(r->ctx, text);
}

void log_complain_scan(struct strace_reader *r, const struct scan *s)
{
    log_complain(r, s->expected != NULL ? s->expected : "a call", s->at, s->end);
}

/* ---- events out ---------------------------------------------------------- */

struct event *log_event(struct strace_reader *r, enum event_kind kind, int tid)
{
    struct event *e = &r->queue[r->queued];
    char *where = r->where + r->queued * r->where_size;
    memset(e, 0, sizeof *e);
    snprintf(where, r->where_size, "%s:%llu", r->name, (unsigned long long)r->line);
    e->kind = kind;
    e->tid = tid;
    e->name = "";
    e->call = CALL_OTHER;
    e->result_known = true;
    e->where = where;
    r->queued++;
    r->counts.events++;
    return e;
}

/* ---- kinds of lines ------------------------------------------------------ */

static struct text without(struct text t, const char *ending)
{
    if (text_ends(t, ending))
        t.n -= strlen(ending);
    while (t.n != 0 && t.s[t.n - 1] == ' ')
        t.n--;
    return t;
}

/* A call of no interest: whole enough to be one of strace's lines? */
static bool looks_whole(struct text t)
{
    const char *close = memrchr(t.s, '=', t.n);
    return text_ends(t, "...>") || (close != NULL && memchr(t.s, ')', t.n) != NULL) ||
           text_find(t, "<unfinished ...>") != NULL;
}

/* What strace says instead of a result when it loses sight of the call. */
static bool is_cut_off(struct text t)
{
    return text_ends(t, "<detached ...>") ||
           (text_ends(t, " ...>") && text_find(t, "<pid changed to ") != NULL);
}

static void call_line(struct strace_reader *r, struct task *task, struct text t)
{
    struct scan s = scan_text(t);
    struct text name = scan_word(&s);
    if (name.n == 0 || scan_peek(&s) != '(') {
        s.at = t.s;
        scan_fail(&s, "a call, a signal or an exit");
        log_complain_scan(r, &s);
        return;
    }
    const struct call *call = log_call_find(name);
    struct text trimmed = without(t, "");
    if (call != NULL && text_ends(trimmed, "<unfinished ...>"))
        log_set_pending(task, without(trimmed, "<unfinished ...>"), r->line);
    else if (call != NULL && !is_cut_off(trimmed))
        log_call(r, task, trimmed);
    else if (call == NULL && !looks_whole(trimmed))
        log_complain(r, "the rest of the call", t.s + t.n, t.s + t.n);
}

/* "<... mmap resumed>) = 0x7f..": joined with its first half. */
static void resumed_line(struct strace_reader *r, struct task *task, struct scan s)
{
    scan_blanks(&s);
    struct text name = scan_word(&s);
    if (log_call_find(name) == NULL)
        return;
    scan_blanks(&s);
    if (!scan_take(&s, "resumed>")) {
        scan_fail(&s, "'resumed>'");
        log_complain_scan(r, &s);
        return;
    }
    struct text head = log_pending(task);
    if (head.n == 0 && log_call_find(name)->work == WORK_EXEC) /* -ff: begun in another file */
        head = (struct text){"execve(\"\"", strlen("execve(\"\"")};
    if (log_call_of(head) != log_call_find(name)) {
        log_complain(r, "an unfinished call of this task before", name.s, name.s + name.n);
        return;
    }
    size_t tail = (size_t)(s.end - s.at);
    free(r->joined);
    r->joined = trace_alloc(head.n + tail);
    memcpy(r->joined, head.s, head.n);
    memcpy(r->joined + head.n, s.at, tail);
    free(task->pending);
    task->pending = NULL;
    log_call(r, task, without((struct text){r->joined, head.n + tail}, ""));
}

static void tell_exit(struct strace_reader *r, struct task *task, int64_t status)
{
    log_call_cut(r, task);
    struct event *e = log_event(r, EVENT_EXIT, task->tid);
    e->result = status;
    e->result_known = status >= 0;
    log_task_remove(r, task);
}

/* Another thread's exec gives that thread this task's id. */
static void superseded(struct strace_reader *r, struct task *task, struct scan *s)
{
    uint64_t tid;
    if (!scan_number(s, &tid) || tid > INT_MAX)
        return;
    struct task *other = log_task_find(r, (int)tid);
    if (other == NULL || other == task)
        return;
    free(task->pending);
    task->pending = other->pending;
    task->pending_size = other->pending_size;
    task->pending_line = other->pending_line;
    other->pending = NULL;
    tell_exit(r, other, -1);
}

/* "+++ exited with 0 +++", "+++ killed by SIGSEGV (core dumped) +++" */
static void exit_line(struct strace_reader *r, struct task *task, struct scan s)
{
    uint64_t code;
    scan_blanks(&s);
    if (scan_take(&s, "superseded by execve in pid ")) {
        superseded(r, task, &s);
    } else if (scan_take(&s, "exited with ")) {
        struct scan at = s;
        if (scan_number(&s, &code) && code <= 255) {
            tell_exit(r, task, (int64_t)(code << 8));
        } else {
            scan_fail(&at, "an exit code");
            log_complain_scan(r, &at);
        }
    } else if (scan_take(&s, "killed by ")) {
        int number = symbol_signal(scan_word(&s));
        bool core = scan_take(&s, " (core dumped)");
        tell_exit(r, task, number == 0 ? -1 : number | (core ? 0x80 : 0));
    } else {
        scan_fail(&s, "'exited with' or 'killed by'");
        log_complain_scan(r, &s);
    }
}

/* ---- prefixes ------------------------------------------------------------ */

/* 12:00:01, 12:00:01.123456, 1795298191.685387, 0.000123, (+     0.000123) */
static void skip_time(struct scan *s)
{
    struct scan try = *s;
    size_t marks = 0, digits = 0;
    for (int c; (c = scan_peek(&try)) == ':' || c == '.' || (c >= '0' && c <= '9'); try.at++) {
        marks += c == ':' || c == '.';
        digits += c >= '0' && c <= '9';
    }
    if (marks != 0 && digits != 0 && scan_peek(&try) == ' ')
        *s = try;
    scan_blanks(s);
    if (scan_take(s, "(+")) {
        while (s->at < s->end && *s->at != ')')
            s->at++;
        scan_take(s, ")");
        scan_blanks(s);
    }
}

/* -n's [ 302] and -i's [00007f27b1f427f0] or [????????????????]. */
static void skip_brackets(struct scan *s)
{
    while (scan_peek(s) == '[') {
        struct scan try = *s;
        try.at++;
        scan_blanks(&try);
        while (scan_peek(&try) == '?' || scan_word(&try).n != 0)
            try.at += scan_peek(&try) == '?';
        if (!scan_take(&try, "] "))
            return;
        *s = try;
        scan_blanks(s);
    }
}

/* A task id, "3597" or -Y's "3597<sh>". False: out of range; nothing there is fine. */
static bool scan_tid(struct scan *s, bool bracketed, int *tid)
{
    struct scan try = *s;
    struct text note;
    uint64_t n;
    if (scan_peek(&try) < '0' || scan_peek(&try) > '9')
        return !bracketed || scan_fail(s, "a process id");
    if (!scan_number(&try, &n)) {
        s->expected = try.expected;
        return false;
    }
    int next = scan_peek(&try);
    if (next == '.' || next == ':')
        return !bracketed || scan_fail(s, "a process id"); /* a time */
    if (n == 0 || n > INT_MAX)
        return scan_fail(s, "a process id");
    scan_note(&try, &note);
    if (bracketed ? !scan_take(&try, "] ") : scan_peek(&try) != ' ')
        return scan_fail(s, "a blank behind the process id");
    *tid = (int)n;
    *s = try;
    return true;
}

/* The task a line without an id belongs to: the only one there is, or the first. */
static int default_tid(const struct strace_reader *r)
{
    return r->task_count == 1 ? r->tasks[0].tid : r->main_tid;
}

static bool scan_prefix(struct strace_reader *r, struct scan *s, int *tid)
{
    *tid = default_tid(r);
    scan_blanks(s);
    bool bracketed = scan_take(s, "[pid ");
    scan_blanks(s);
    if (!scan_tid(s, bracketed, tid))
        return false;
    scan_blanks(s);
    skip_time(s);
    skip_brackets(s);
    return true;
}

/* ---- lines --------------------------------------------------------------- */

/* Messages of strace's own, and what -k puts under a call. */
static bool is_remark(struct text t)
{
    static const char *const starts[] = {" > ", "strace: ", "[ Process PID=", "--- "};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct scan s = scan_text(t);
        if (scan_take(&s, starts[i]))
            return true;
    }
    return without(t, "").n == 0;
}

static void handle_line(struct strace_reader *r, struct text t)
{
    struct scan s = scan_text(t);
    int tid;
    if (is_remark(t))
        return;
    if (!scan_prefix(r, &s, &tid)) {
        log_complain_scan(r, &s);
        return;
    }
    struct text rest = {s.at, (size_t)(s.end - s.at)};
    if (is_remark(rest) || scan_take(&s, "???" "?("))
        return;
    if (scan_take(&s, "+++ ")) {
        exit_line(r, log_task_known(r, tid), s);
        return;
    }
    if (scan_take(&s, "<... ")) {
        resumed_line(r, log_task_known(r, tid), s);
        return;
    }
    /* only what looks like a call may make a task known */
    struct scan look = s;
    if (scan_word(&look).n == 0 || scan_peek(&look) != '(') {
        scan_fail(&s, "a call, a signal or an exit");
        log_complain_scan(r, &s);
        return;
    }
    call_line(r, log_task_known(r, tid), rest);
}

/*
 * On standard error strace breaks a line to say "strace: Process 7 attached",
 * and goes on with it on the next one. True: `t` has such an end, now kept.
 */
static bool glue(struct strace_reader *r, struct text t)
{
    static const char mark[] = "strace: Process ";
    const char *at = text_ends(t, " attached") ? text_find(t, mark) : NULL;
    if (at == NULL || at == t.s)
        return false;
    r->glued_size = (size_t)(at - t.s);
    r->glued = trace_alloc(r->glued_size);
    memcpy(r->glued, t.s, r->glued_size);
    return true;
}

/* Puts the kept start before `t`. The caller frees the text. */
static char *unglue(struct strace_reader *r, struct text *t)
{
    char *both = trace_alloc(r->glued_size + t->n);
    memcpy(both, r->glued, r->glued_size);
    memcpy(both + r->glued_size, t->s, t->n);
    *t = (struct text){both, r->glued_size + t->n};
    free(r->glued);
    r->glued = NULL;
    return both;
}

bool log_next_line(const char **at, const char *end, struct text *out)
{
    if (*at >= end)
        return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    *out = (struct text){*at, (size_t)((stop != NULL ? stop : end) - *at)};
    *at = stop != NULL ? stop + 1 : end;
    if (text_ends(*out, "\r"))
        out->n--;
    return true;
}

static bool read_line(struct strace_reader *r)
{
    struct text t;
    r->here = r->at;
    if (!log_next_line(&r->at, r->end, &t))
        return false;
    r->line++;
    r->counts.lines++;
    r->line_bad = false;
    r->last_line_cut = r->at == r->end && r->end[-1] != '\n';
    char *both = r->glued != NULL ? unglue(r, &t) : NULL;
    if (!glue(r, t))
        handle_line(r, t);
    free(both);
    return true;
}

/* ---- the reader ---------------------------------------------------------- */

/* "trace.1234" is 1234's own log. */
static int tid_of_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL)
        return 1;
    struct scan s = scan_text((struct text){dot + 1, strlen(dot + 1)});
    uint64_t tid;
    bool ok = scan_number(&s, &tid) && s.at == s.end && tid > 0 && tid <= INT_MAX;
    return ok ? (int)tid : 1;
}

struct strace_reader *strace_open(const char *name, const char *data, size_t size,
                                  strace_complaint *complaint, void *ctx)
{
    struct strace_reader *r = trace_alloc(sizeof *r);
    r->name = trace_alloc(strlen(name) + 1);
    memcpy(r->name, name, strlen(name));
    r->at = data;
    r->end = size != 0 ? data + size : data;
    r->complain = complaint;
    r->ctx = ctx;
    r->main_tid = tid_of_name(name);
    r->where_size = strlen(name) + 24;
    r->where = trace_alloc(QUEUE * r->where_size);
    log_look_ahead(r);
    return r;
}

/* At the end of the log: calls that were under way, one task after the other. */
static bool flush(struct strace_reader *r)
{
    if (r->task_count == 0)
        return false;
    struct task *last = &r->tasks[r->task_count - 1];
    log_call_cut(r, last);
    log_task_remove(r, last);
    return true;
}

bool strace_next(struct strace_reader *r, struct event *event)
{
    while (r->given == r->queued) {
        r->given = r->queued = 0;
        if (!read_line(r) && !flush(r))
            return false;
    }
    *event = r->queue[r->given++];
    return true;
}

struct strace_counts strace_counted(const struct strace_reader *r)
{
    return r->counts;
}

void strace_close(struct strace_reader *r)
{
    if (r == NULL)
        return;
    while (r->task_count != 0)
        log_task_remove(r, &r->tasks[r->task_count - 1]);
    free(r->tasks);
    free(r->births);
    free(r->glued);
    free(r->joined);
    free(r->where);
    free(r->name);
    free(r);
}
