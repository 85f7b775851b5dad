/* SPDX-License-Identifier: MIT */
/*
 * replay.c - `mapwright replay`: a recorded log instead of a running program.
 * Decides which task of the log lives in which space, and what a result counts
 * for that the log itself had to be asked for.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "draw.h"
#include "learn.h"
#include "mapwright/host.h"
#include "replay.h"
#include "report.h"
#include "trace/alloc.h"
#include "trace/strace.h"
#include "would.h"

enum { COMPLAINTS_SHOWN = 20 };

/* One address space, and how many tasks are in it. */
struct space {
    struct model *model;
    struct known known;
    unsigned refs;
};

struct member {
    int tid;
    struct space *space;
};

struct replay {
    struct objects *objects;
    struct mw_config config;
    struct layout maps; /* the first space's, with --maps */
    bool have_maps;
    struct report *report;
    struct member *member; /* in order of tid */
    size_t members, member_room;
    struct learnt learnt;
    uint64_t unknown_results;
    uint64_t complaints;
    struct would would;    /* which other versions to ask, and what they say */
    bool draw; /* the first mremap is still to be drawn */
    struct draw_picture picture;
};

struct options {
    const char *log, *maps, *linux_text, *would_text;
    bool pkeys;
    struct report_options report;
    bool draw;
};

/* ---- spaces ---------------------------------------------------------------- */

static void fatal(const char *what)
{
    fprintf(stderr, "mapwright replay: %s\n", what);
    exit(2);
}

/* Limits are inherited over an exec; `old` may be NULL. */
static struct space *space_new(struct replay *r, enum origin origin, struct space *old)
{
    struct mw_config config = r->config;
    struct space *space = trace_alloc(sizeof *space);
    if (old != NULL) {
        const struct mw_config *was = mw_space_config(model_space(old->model));
        config.limit_as = was->limit_as;
        config.limit_data = was->limit_data;
        config.limit_memlock = was->limit_memlock;
        config.limit_stack = was->limit_stack;
    }
    space->refs = 1;
    space->known.origin = origin;
    space->model = model_create(r->objects, &config);
    if (space->model == NULL)
        fatal("out of memory");
    if (r->have_maps && learn_layout(&space->known, space->model, &r->maps) != 0)
        report_note(r->report, false, "the layout given by --maps could not be taken over whole");
    r->have_maps = false;
    return space;
}

static void space_drop(struct space *space)
{
    if (--space->refs != 0)
        return;
    model_destroy(space->model);
    free(space);
}

static size_t member_position(const struct replay *r, int tid)
{
    size_t low = 0, high = r->members;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->member[mid].tid < tid)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct member *member_find(struct replay *r, int tid)
{
    size_t at = member_position(r, tid);
    return at < r->members && r->member[at].tid == tid ? &r->member[at] : NULL;
}

static void member_set(struct replay *r, int tid, struct space *space)
{
    size_t at = member_position(r, tid);
    if (at < r->members && r->member[at].tid == tid) {
        struct space *old = r->member[at].space;
        r->member[at].space = space;
        space_drop(old);
        return;
    }
    r->member = trace_grow(r->member, r->members, &r->member_room, sizeof *r->member);
    memmove(&r->member[at + 1], &r->member[at], (r->members - at) * sizeof *r->member);
    r->member[at] = (struct member){tid, space};
    r->members++;
}

static void member_remove(struct replay *r, struct member *member)
{
    size_t at = (size_t)(member - r->member);
    space_drop(member->space);
    memmove(member, member + 1, (r->members - at - 1) * sizeof *member);
    r->members--;
}

/* The space of a task; one the log has not spoken of before was there already. */
static struct space *space_of(struct replay *r, int tid)
{
    struct member *member = member_find(r, tid);
    if (member == NULL) {
        member_set(r, tid, space_new(r, ORIGIN_MIDDLE, NULL));
        member = member_find(r, tid);
    }
    return member->space;
}

/* ---- events ---------------------------------------------------------------- */

static void take_exec(struct replay *r, const struct event *e)
{
    struct member *member = member_find(r, e->tid);
    struct space *fresh = space_new(r, ORIGIN_EXEC, member != NULL ? member->space : NULL);
    member_set(r, e->tid, fresh);
    report_exec(r->report, e->tid, e->file.path);
}

static void take_fork(struct replay *r, const struct event *e)
{
    struct space *parent = space_of(r, e->tid), *child = parent;
    if (e->shares_vm) {
        parent->refs++;
    } else {
        child = trace_alloc(sizeof *child);
        *child = *parent;
        child->refs = 1;
        child->model = model_fork(parent->model);
        if (child->model == NULL)
            fatal("out of memory");
    }
    member_set(r, (int)e->result, child);
    report_task(r->report, e->shares_vm);
}

static void take_exit(struct replay *r, const struct event *e)
{
    struct member *member = member_find(r, e->tid);
    if (member != NULL)
        member_remove(r, member);
}

/* The first mremap that moved or resized something is the one to show. */
static void draw_before(struct replay *r, struct space *space, const struct event *e)
{
    if (r->draw && draw_wanted(e))
        model_layout(space->model, &r->picture.before);
}

static void draw_after(struct replay *r, struct space *space, const struct event *e, bool agrees)
{
    if (!r->draw || !draw_wanted(e))
        return;
    if (!agrees) { /* a picture is of something that happened */
        layout_clear(&r->picture.before);
        return;
    }
    r->draw = false;
    r->picture.event = *e;
    model_layout(space->model, &r->picture.after);
}

/* The engine's answer differs: the log's is what happened. */
static bool disagreement(struct replay *r, struct space *space, const struct event *e,
                         struct model_answer *answer)
{
    bool followed = model_follow(space->model, e, answer);
    if (learn_after(&space->known, space->model, r->objects, e, answer, &r->learnt))
        return false;
    if (!followed)
        report_note(r->report, false, "%s: what %s did could not be brought about in the engine",
                    e->where, e->name);
    return true;
}

static void tell_call(struct replay *r, struct space *space, const struct event *e,
                      const struct model_answer *answer)
{
    struct layout layout = {0};
    /* what lies around is copied only while the report still keeps it */
    bool show = answer->kind == MODEL_ANSWERED && !answer->agrees &&
                report_differences(r->report) < REPORT_DETAILS;
    if (show)
        model_layout(space->model, &layout);
    report_call(r->report, e, answer, show ? &layout : NULL, NULL);
    layout_clear(&layout);
    report_progress(r->report);
}

/* Nothing changed, and nothing can be said of it. */
static void tell_refused(struct replay *r, struct space *space, const struct event *e)
{
    struct model_answer answer = {.kind = MODEL_HARMLESS, .agrees = true, .failed = true};
    answer.result = e->result;
    call_text(e, answer.what, sizeof answer.what);
    tell_call(r, space, e, &answer);
}

static void answer_call(struct replay *r, struct space *space, struct event *e)
{
    struct model_answer answer;
    bool learnt = learn_before(&space->known, space->model, r->objects, e, &r->learnt);
    if (e->call == CALL_MREMAP && e->arg[1] <= UINT64_MAX - e->arg[0])
        mw_touch(model_space(space->model), e->arg[0], e->arg[0] + e->arg[1]);
    draw_before(r, space, e);
    would_ask(&r->would, space->model, e);
    model_call(space->model, e, &answer);
    draw_after(r, space, e, answer.agrees);
    if (answer.kind == MODEL_ANSWERED && !answer.agrees)
        learnt = !disagreement(r, space, e, &answer);
    if (answer.kind == MODEL_ANSWERED && learnt) {
        answer.kind = MODEL_FOLLOWED;
        answer.agrees = true;
    }
    if (answer.kind == MODEL_NOT_MODELLED) /* from here on anything may be mapped */
        space->known.origin = ORIGIN_MIDDLE;
    tell_call(r, space, e, &answer);
    report_would(r->report, e, &answer, &r->would);
}

static void take_call(struct replay *r, struct event *e)
{
    struct space *space = space_of(r, e->tid);
    if (!e->result_known)
        r->unknown_results++;
    else if (learn_refused(e))
        tell_refused(r, space, e);
    else
        answer_call(r, space, e);
}

static void take_event(struct replay *r, struct event *e)
{
    switch (e->kind) {
    case EVENT_CALL:
        take_call(r, e);
        break;
    case EVENT_EXEC:
        take_exec(r, e);
        break;
    case EVENT_FORK:
        take_fork(r, e);
        break;
    case EVENT_EXIT:
        take_exit(r, e);
        break;
    }
}

/* ---- files ------------------------------------------------------------------ */

static bool read_all(FILE *in, char **data, size_t *size)
{
    size_t room = 0, n;
    *data = NULL;
    *size = 0;
    do {
        *data = trace_grow(*data, *size, &room, 1);
        n = fread(*data + *size, 1, room - *size, in);
        *size += n;
    } while (n != 0);
    return ferror(in) == 0;
}

static bool load(const char *path, char **data, size_t *size)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    bool ok = in != NULL && read_all(in, data, size);
    if (!ok)
        fprintf(stderr, "mapwright replay: %s: %s\n", path, strerror(errno));
    if (!ok && in != NULL)
        free(*data);
    if (in != NULL && in != stdin)
        fclose(in);
    return ok;
}

static bool load_maps(struct replay *r, const char *path)
{
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        fprintf(stderr, "mapwright replay: %s: %s\n", path, strerror(errno));
        return false;
    }
    int bad = layout_read(&r->maps, in);
    fclose(in);
    if (bad > 0)
        fprintf(stderr, "%s:%d: expected a line of /proc/PID/maps or smaps\n", path, bad);
    else if (bad < 0)
        fatal("out of memory");
    else if (r->maps.n == 0)
        fprintf(stderr, "mapwright replay: %s: no mapping in it\n", path);
    r->have_maps = bad == 0 && r->maps.n != 0;
    return r->have_maps;
}

static void take_complaint(void *ctx, const char *text)
{
    struct replay *r = ctx;
    if (++r->complaints <= COMPLAINTS_SHOWN)
        fprintf(stderr, "%s\n", text);
}

/* ---- the command ------------------------------------------------------------- */

static void usage(FILE *out)
{
    fputs("Usage: mapwright replay [options] FILE\n"
          "Performs the memory calls of a log made by `strace -f` in the engine and\n"
          "compares each result with the log's. FILE may be - for standard input.\n"
          "\n"
          "  --maps FILE    the /proc/PID/maps (or smaps) the log starts from\n"
          "  --linux X.Y    the Linux on which the log was made (default: the running one)\n"
          "  --pkeys        its CPU has protection keys\n"
          "  --would LIST   which calls would another Linux answer differently? LIST:\n"
          "                 versions such as 5.4,6.1, or all\n"
          "  --places       with --would: a mapping placed elsewhere is different too\n"
          "  --strict-linux with --would: exit with 1 if there is any such call\n"
          "  --draw         draw the first mremap that moved or resized something\n"
          "  --json FILE    write the report for machines too; - for standard output\n"
          "  --output FILE  write the report to FILE\n"
          "  --quiet, -q    only differences and the last line\n"
          "  --verbose, -v  a line for each call\n"
          "  --help, -h\n"
          "  --version\n"
          "\n"
          "A log without --maps does not show what was mapped before it began. What\n"
          "its results give away of that is learnt, said so, and not counted as\n"
          "agreement. Exit status: 0 all agree, 1 something differs, 2 misuse.\n",
          out);
}

/* 0: go on; else the exit status plus one. */
static int parse_options(int argc, char **argv, struct options *o)
{
    enum { MAPS = 1, LINUX, DRAW, JSON, OUTPUT, QUIET, VERBOSE, HELP, VERSION, WOULD,
           PLACES, STRICT_LINUX, PKEYS };
    static const struct option known[] = {
        {"maps", 1, NULL, MAPS},       {"linux", 1, NULL, LINUX}, {"draw", 0, NULL, DRAW},
        {"json", 1, NULL, JSON},       {"output", 1, NULL, OUTPUT}, {"quiet", 0, NULL, QUIET},
        {"verbose", 0, NULL, VERBOSE}, {"help", 0, NULL, HELP},   {"version", 0, NULL, VERSION},
        {"would", 1, NULL, WOULD},     {"places", 0, NULL, PLACES},
        {"strict-linux", 0, NULL, STRICT_LINUX}, {"pkeys", 0, NULL, PKEYS},
        {NULL, 0, NULL, 0}};
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "hqv", known, NULL)) != -1;) {
        switch (c) {
        case MAPS: o->maps = optarg; break;
        case LINUX: o->linux_text = optarg; break;
        case PKEYS: o->pkeys = true; break;
        case WOULD: o->would_text = optarg; break;
        case PLACES: o->report.places = true; break;
        case STRICT_LINUX: o->report.strict = true; break;
        case DRAW: o->draw = true; break;
        case JSON: o->report.json = optarg; break;
        case OUTPUT: o->report.output = optarg; break;
        case 'q':
        case QUIET: o->report.quiet = true; break;
        case 'v':
        case VERBOSE: o->report.verbose = true; break;
        case 'h':
        case HELP: usage(stdout); return 1;
        case VERSION: printf("mapwright %s\n", mw_version()); return 1;
        default: usage(stderr); return 3;
        }
    }
    if (optind + 1 != argc) {
        usage(stderr);
        return 3;
    }
    o->log = argv[optind];
    return 0;
}

/* Fills in r->config and the text for the report. False: misuse, said so. */
static bool choose_linux(struct replay *r, struct options *o, char *text, size_t size)
{
    struct utsname name;
    uint32_t version = 0;
    mw_config_init(&r->config, mw_host_port());
    if (o->linux_text != NULL && !linux_parse("replay", "--linux", o->linux_text, &version))
        return false;
    if (version == 0 && uname(&name) == 0)
        version = linux_of(name.release);
    if (version != 0)
        r->config.linux_version = version;
    r->config.options |= MW_OPT_DEFECTS | (o->pkeys ? MW_OPT_PKEYS : 0);
    linux_name(r->config.linux_version, text, size);
    return true;
}

/* Whom to ask. False: misuse, said so. */
static bool choose_others(struct replay *r, struct options *o)
{
    if (o->would_text != NULL) {
        o->report.ask = &r->would.list;
        return linux_parse_list("replay", "--would", o->would_text, &r->would.list);
    }
    if (!o->report.places && !o->report.strict)
        return true;
    fputs("mapwright replay: --places and --strict-linux need --would\n", stderr);
    return false;
}

/* What the reader must know to judge the counts. */
static void tell_notes(struct replay *r, const struct strace_counts *counts)
{
    if (counts->bad != 0)
        report_note(r->report, false, "lines that are not strace's, passed over: %" PRIu64
                    " of %" PRIu64, counts->bad, counts->lines);
    if (r->learnt.ranges != 0)
        report_note(r->report, false, "ranges that the log uses and never maps, assumed to be "
                    "mapped: %" PRIu64 " (%" PRIu64 " KiB)", r->learnt.ranges,
                    r->learnt.bytes >> 10);
    if (r->learnt.results != 0)
        report_note(r->report, false, "results that had to tell where things start, not "
                    "counted as agreement: %" PRIu64, r->learnt.results);
    if (r->unknown_results != 0)
        report_note(r->report, false, "calls whose result the log lacks, not compared: %" PRIu64,
                    r->unknown_results);
}

/* False: nothing in it was a call. */
static bool read_log(struct replay *r, const char *name, const char *data, size_t size)
{
    struct strace_reader *reader = strace_open(name, data, size, take_complaint, r);
    struct event event;
    while (strace_next(reader, &event))
        take_event(r, &event);
    struct strace_counts counts = strace_counted(reader);
    if (r->complaints > COMPLAINTS_SHOWN)
        fprintf(stderr, "%s: %" PRIu64 " more lines like these\n", name,
                r->complaints - COMPLAINTS_SHOWN);
    tell_notes(r, &counts);
    if (counts.events == 0)
        fprintf(stderr, "mapwright replay: %s: no memory call in it; expected what "
                "`strace -f` wrote\n", name);
    strace_close(reader);
    return counts.events != 0;
}

static void replay_end(struct replay *r)
{
    while (r->members != 0)
        member_remove(r, &r->member[r->members - 1]);
    free(r->member);
    layout_clear(&r->maps);
    draw_picture_clear(&r->picture);
    objects_destroy(r->objects);
}

static int run(struct replay *r, struct options *o)
{
    char *data = NULL, text[16];
    size_t size = 0;
    if (!choose_linux(r, o, text, sizeof text) || !choose_others(r, o) ||
        !load(o->log, &data, &size))
        return 2;
    if (o->maps != NULL && !load_maps(r, o->maps)) {
        free(data);
        return 2;
    }
    o->report.command = "replay";
    o->report.subject = o->log;
    o->report.linux_text = text;
    o->report.stream = o->report.json != NULL && strcmp(o->report.json, "-") == 0 ? stderr
                                                                                 : stdout;
    r->report = report_open(&o->report);
    r->objects = objects_create();
    if (r->report == NULL || r->objects == NULL) {
        free(data);
        return 2;
    }
    r->draw = o->draw;
    bool any = read_log(r, o->log, data, size);
    free(data);
    int status = report_close(r->report);
    if (o->draw)
        draw_picture(stdout, &r->picture);
    return any ? status : 2;
}

int cmd_replay(int argc, char **argv)
{
    struct options options = {.log = NULL};
    struct replay replay = {.draw = false};
    int stop = parse_options(argc, argv, &options);
    if (stop != 0)
        return stop - 1;
    int status = run(&replay, &options);
    replay_end(&replay);
    return status;
}
