/* SPDX-License-Identifier: MIT */
/*
 * check.c - `mapwright check -- PROGRAM ARGS...`: runs PROGRAM under ptrace and
 * holds each of its memory calls against the engine. Options and exit status.
 */
#include "check.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "observe.h"

static const char usage[] =
    "usage: mapwright check [options] [--] PROGRAM [ARGS...]\n"
    "\n"
    "Runs PROGRAM, performs each of its memory calls (mmap, munmap, mprotect, brk,\n"
    "mremap) in Mapwright's engine too, and compares: the result of every call, and\n"
    "the whole layout every now and then and at the end. Threads and child processes\n"
    "are followed. PROGRAM's input, output and signals are left alone; the report\n"
    "goes to standard error.\n"
    "\n"
    "  --layout=WHEN   when to compare whole layouts: end (of each address space),\n"
    "                  exec (also at each exec), each (after each call), or a number\n"
    "                  of calls. Default: every 100 calls or more, exec and end\n"
    "  --linux LIST    which calls would another Linux answer differently? LIST: versions\n"
    "                  such as 5.4,6.1, or all\n"
    "  --would LIST    the same, as `mapwright replay` has it\n"
    "  --places        with --linux: a mapping placed elsewhere is different too\n"
    "  --strict-linux  with --linux: exit with 1 if there is any such call\n"
    "  --draw          a picture of the first mremap that moved or resized something\n"
    "  --json FILE     the report for machines (\"-\": standard output)\n"
    "  --output FILE   the report for people into a file\n"
    "  --verbose, -v   a line for each call\n"
    "  --quiet, -q     only differences and the last line\n"
    "  --status        exit with PROGRAM's own status if all agrees\n"
    "  --no-seccomp    stop at every system call instead of filtering (slower)\n"
    "  --help          this text\n"
    "  --version\n"
    "\n"
    "Exit status: 0 everything agrees, 1 something differs, 2 wrong usage or PROGRAM\n"
    "could not be started.\n";

struct check {
    struct report_options report;
    struct tracer_options tracer;
    struct observation observation;
    bool status;
    char **argv;   /* of PROGRAM */
    char subject[256];
    char linux_text[32];
};

enum { OPT_LAYOUT = 256, OPT_JSON, OPT_OUTPUT, OPT_STATUS, OPT_NO_SECCOMP, OPT_DRAW, OPT_HELP,
       OPT_VERSION, OPT_LINUX, OPT_PLACES, OPT_STRICT_LINUX };

static const struct option options[] = {
    { "layout", required_argument, NULL, OPT_LAYOUT },
    { "json", required_argument, NULL, OPT_JSON },
    { "output", required_argument, NULL, OPT_OUTPUT },
    { "linux", required_argument, NULL, OPT_LINUX },
    { "would", required_argument, NULL, OPT_LINUX },
    { "places", no_argument, NULL, OPT_PLACES },
    { "strict-linux", no_argument, NULL, OPT_STRICT_LINUX },
    { "verbose", no_argument, NULL, 'v' },
    { "quiet", no_argument, NULL, 'q' },
    { "status", no_argument, NULL, OPT_STATUS },
    { "no-seccomp", no_argument, NULL, OPT_NO_SECCOMP },
    { "draw", no_argument, NULL, OPT_DRAW },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static bool parse_layout(struct check *check, const char *when)
{
    char *end;
    unsigned long n;

    check->observation.at_exec = strcmp(when, "end") != 0;
    check->observation.every = LAYOUT_AT_END;
    if (strcmp(when, "end") == 0 || strcmp(when, "exec") == 0)
        return true;
    if (strcmp(when, "each") == 0)
        when = "1";
    errno = 0;
    n = strtoul(when, &end, 10);
    if (errno || *end || end == when || !n || n >= LAYOUT_ADAPTIVE || *when == '-') {
        fprintf(stderr, "mapwright check: --layout wants end, exec, each or a number, not '%s'\n",
                when);
        return false;
    }
    check->observation.every = (uint32_t)n;
    return true;
}

/* One option. -1: go on; else the exit status. */
static int take_option(struct check *check, int option)
{
    switch (option) {
    case OPT_LAYOUT:
        return parse_layout(check, optarg) ? -1 : 2;
    case OPT_JSON:
        check->report.json = optarg;
        return -1;
    case OPT_OUTPUT:
        check->report.output = optarg;
        return -1;
    case OPT_LINUX:
        return linux_parse_list("check", "--linux", optarg, &check->observation.would.list) ? -1
                                                                                            : 2;
    case OPT_PLACES:
        check->report.places = true;
        return -1;
    case OPT_STRICT_LINUX:
        check->report.strict = true;
        return -1;
    case 'v':
        check->report.verbose = true;
        return -1;
    case 'q':
        check->report.quiet = true;
        return -1;
    case OPT_STATUS:
        check->status = true;
        return -1;
    case OPT_NO_SECCOMP:
        check->tracer.no_seccomp = true;
        return -1;
    case OPT_DRAW:
        check->observation.draw = true;
        return -1;
    case OPT_HELP:
        fputs(usage, stdout);
        return 0;
    case OPT_VERSION:
        printf("mapwright %s\n", mw_version());
        return 0;
    default: /* getopt has said what is wrong */
        fputs("Try 'mapwright check --help'.\n", stderr);
        return 2;
    }
}

static int parse(struct check *check, int argc, char **argv)
{
    int option, status = -1;

    check->observation.every = LAYOUT_ADAPTIVE;
    check->observation.at_exec = true;
    static char name[] = "mapwright check";

    argv[0] = name; /* what getopt puts before its messages */
    optind = 1;
    while (status < 0 && (option = getopt_long(argc, argv, "+vq", options, NULL)) != -1)
        status = take_option(check, option);
    if (status >= 0)
        return status;
    if (optind == argc) {
        fputs("mapwright check: which program?\nTry 'mapwright check --help'.\n", stderr);
        return 2;
    }
    if (check->observation.would.list.n)
        check->report.ask = &check->observation.would.list;
    if ((check->report.places || check->report.strict) && !check->report.ask) {
        fputs("mapwright check: --places and --strict-linux need --linux\n", stderr);
        return 2;
    }
    check->argv = argv + optind;
    return -1;
}

/* The command line for people, cut where it gets long. */
static void name_subject(struct check *check)
{
    size_t at = 0, size = sizeof check->subject;

    for (char **arg = check->argv; *arg && at < size; arg++)
        at += (size_t)snprintf(check->subject + at, size - at, "%s%s", at ? " " : "", *arg);
}

static void name_linux(struct check *check)
{
    linux_name(check->observation.system.linux_version, check->linux_text,
               sizeof check->linux_text);
}

static int explain_start(const struct check *check, int err, const char *stage)
{
    const char *program = check->argv[0];

    if (strcmp(stage, "ptrace") == 0 && (err == -EPERM || err == -EACCES))
        fprintf(stderr,
                "mapwright check: ptrace is refused here (%s): a container's seccomp profile, a\n"
                "security module or another tracer forbids it. `mapwright replay` works from a\n"
                "log made elsewhere by `strace -f`.\n",
                strerror(-err));
    else if (strcmp(stage, "exec") == 0)
        fprintf(stderr, "mapwright check: can't run %s: %s\n", program, strerror(-err));
    else
        fprintf(stderr, "mapwright check: can't start %s: %s: %s\n", program, stage,
                strerror(-err));
    return 2;
}

static int status_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static int run(struct check *check)
{
    struct observer observer = observe(&check->observation);
    struct report *report;
    const char *stage;
    int status = 0;

    name_subject(check);
    name_linux(check);
    check->report.command = "check";
    check->report.subject = check->subject;
    check->report.linux_text = check->linux_text;
    report = report_open(&check->report);
    if (!report)
        return 2;
    check->observation.report = report;
    int err = tracer_run(check->argv, &check->tracer, &observer, &status, &stage);
    if (err) {
        report_discard(report);
        return explain_start(check, err, stage);
    }
    report_status(report, status);
    int result = report_close(report);
    if (check->observation.draw)
        draw_picture(stderr, &check->observation.picture);
    return result == 0 && check->status ? status_of(status) : result;
}

int cmd_check(int argc, char **argv)
{
    struct check check = { 0 };
    int status = parse(&check, argc, argv);

    if (status >= 0)
        return status;
    check.observation.objects = objects_create();
    if (!check.observation.objects) {
        fputs("mapwright check: out of memory\n", stderr);
        return 2;
    }
    status = run(&check);
    draw_picture_clear(&check.observation.picture);
    objects_destroy(check.observation.objects);
    return status;
}
