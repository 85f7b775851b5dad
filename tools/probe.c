/* SPDX-License-Identifier: MIT */
/* probe.c - the command `mapwright probe`: what this system can do with memory, as a table. */
#include "probe.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "linux.h"
#include "mapwright/mapwright.h"
#include "mapwright/probe.h"
#include "report.h"

static const char usage[] =
    "Usage: mapwright probe [options]\n"
    "Tries what this system can do with memory, and tells which Linux would answer so.\n"
    "Nothing of the system is changed.\n"
    "\n"
    "  --json      for machines\n"
    "  --help      this text\n";

/* The errnos that answers to memory calls have, by name. */
static const char *errno_name(int err, char *buf, size_t size)
{
    static const struct {
        int err;
        const char *name;
    } others[] = {
        { ENOSYS, "ENOSYS" }, { ENOTTY, "ENOTTY" }, { EOPNOTSUPP, "EOPNOTSUPP" },
        { ESRCH, "ESRCH" },   { ENOENT, "ENOENT" }, { EBUSY, "EBUSY" },
        { EMFILE, "EMFILE" }, { ENFILE, "ENFILE" }, { ENOSPC, "ENOSPC" },
        { EIO, "EIO" },       { ENODEV, "ENODEV" }, { EBADF, "EBADF" },
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i].err == err)
            return others[i].name;
    if (strcmp(mw_errno_name(err), "E?") != 0)
        return mw_errno_name(err);
    snprintf(buf, size, "errno %d", err);
    return buf;
}

static const char *as_name(enum mw_found_as as)
{
    switch (as) {
    case MW_FOUND_YES: return "yes";
    case MW_FOUND_NO: return "no";
    case MW_FOUND_REFUSED: return "refused";
    case MW_FOUND_KILLED: return "killed";
    case MW_FOUND_NUMBER: return "number";
    case MW_FOUND_TEXT: return "text";
    default: return "not tried";
    }
}

static const char *answer(const struct mw_found *f, char *buf, size_t size)
{
    char err[24];

    if (f->as == MW_FOUND_NUMBER && f->number < 0)
        snprintf(buf, size, "no limit");
    else if (f->as == MW_FOUND_NUMBER)
        snprintf(buf, size, "%" PRId64, f->number);
    else if (f->as == MW_FOUND_TEXT)
        snprintf(buf, size, "%s", f->text);
    else if (f->as == MW_FOUND_KILLED)
        snprintf(buf, size, "killed (%" PRId64 ")", f->number);
    else if (f->err)
        snprintf(buf, size, "%s (%s)", as_name(f->as), errno_name(f->err, err, sizeof err));
    else
        snprintf(buf, size, "%s", as_name(f->as));
    return buf;
}

/* Which Linux answers what was found; "" if that tells nothing. */
static const char *range(const struct mw_probe *p, enum mw_cap cap, char *buf, size_t size)
{
    uint32_t since = mw_cap_since(cap), until = mw_cap_until(cap);
    bool yes = p->found[cap].as == MW_FOUND_YES;
    char from[16], to[16];

    linux_name(since, from, sizeof from);
    linux_name(until, to, sizeof to);
    if (!mw_probe_tells(p, cap))
        snprintf(buf, size, "%s", "");
    else if (since == MW_LINUX_NEVER)
        snprintf(buf, size, yes ? "none" : "all");
    else if (!since && !until)
        snprintf(buf, size, yes ? "all" : "none");
    else if (!until)
        snprintf(buf, size, "%s %s", yes ? "since" : "before", from);
    else if (!since)
        snprintf(buf, size, "%s %s", yes ? "before" : "since", to);
    else
        snprintf(buf, size, yes ? "%s until %s" : "not %s until %s", from, to);
    return buf;
}

static void versions(const struct mw_probe *p, char *buf, size_t size)
{
    char from[16], to[16];

    linux_name(p->linux_from, from, sizeof from);
    linux_name(p->linux_to, to, sizeof to);
    if (p->linux_from == p->linux_to)
        snprintf(buf, size, "%s", from);
    else if (p->linux_to == MW_LINUX_NEWEST)
        snprintf(buf, size, "%s or later", from);
    else
        snprintf(buf, size, "%s to %s", from, to);
}

static void print_table(const struct mw_probe *p)
{
    char got[64], which[48];

    printf("%-24s %-20s %s\n", "", "found", "as Linux");
    for (int i = 0; i < MW_CAPS; i++)
        printf("%-24s %-20s %-19s %s\n", mw_cap_name((enum mw_cap)i),
               answer(&p->found[i], got, sizeof got), range(p, (enum mw_cap)i, which, sizeof which),
               mw_cap_text((enum mw_cap)i));
    versions(p, which, sizeof which);
    if (!p->misfits) {
        printf("\nas Linux %s\n", which);
        return;
    }
    printf("\nas no Linux; next to %s, but for %u:\n", which, p->misfits);
    for (int i = 0; i < MW_CAPS; i++)
        if (mw_probe_misfit(p, (enum mw_cap)i, p->linux_to))
            printf("  %s: %s\n", mw_cap_name((enum mw_cap)i),
                   answer(&p->found[i], got, sizeof got));
}

static void print_json(const struct mw_probe *p)
{
    char name[24];

    printf("{\n  \"found\": {\n");
    for (int i = 0; i < MW_CAPS; i++) {
        const struct mw_found *f = &p->found[i];
        printf("    \"%s\": {\"answer\": \"%s\"", mw_cap_name((enum mw_cap)i), as_name(f->as));
        if (f->err)
            printf(", \"errno\": \"%s\"", errno_name(f->err, name, sizeof name));
        if (f->as == MW_FOUND_NUMBER)
            printf(", \"value\": %" PRId64, f->number);
        if (f->as == MW_FOUND_KILLED)
            printf(", \"signal\": %" PRId64, f->number);
        if (f->as == MW_FOUND_TEXT) {
            printf(", \"value\": ");
            json_string(stdout, f->text);
        }
        printf(", \"misfit\": %s}%s\n",
               mw_probe_misfit(p, (enum mw_cap)i, p->linux_to) ? "true" : "false",
               i + 1 < MW_CAPS ? "," : "");
    }
    linux_name(p->linux_from, name, sizeof name);
    printf("  },\n  \"linux\": {\"from\": \"%s\", ", name);
    linux_name(p->linux_to, name, sizeof name);
    printf("\"to\": \"%s\", \"newest_known\": %s, \"misfits\": %u}\n}\n", name,
           p->linux_to == MW_LINUX_NEWEST ? "true" : "false", p->misfits);
}

int cmd_probe(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct mw_probe probe;
    bool json = false;
    int64_t r;

    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (c != 'j') {
            fputs(usage, stderr);
            return 2;
        }
        json = true;
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return 2;
    }
    r = mw_live_probe(&probe);
    if (r < 0) {
        fprintf(stderr, "mapwright probe: no child process: %s\n", strerror((int)-r));
        return 1;
    }
    if (json)
        print_json(&probe);
    else
        print_table(&probe);
    return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
