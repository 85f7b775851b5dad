/* SPDX-License-Identifier: MIT */
/*
 * report.h - what a benchmark has found: a line of a table for each thing it
 * measured, and the same for machines in bench/results/THEME.json, or in the
 * directory that BENCH_RESULTS names.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "bench.h"

static struct {
    FILE *json; /* NULL: it can't be written; the table still is */
    char path[512], unfinished[520];
    size_t rows;
} report;

/* The CPU's own name, without what JSON would take amiss; the machine's kind where it has none. */
static inline void report_cpu(char *to, size_t room, const char *otherwise)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(to, room, "%s", otherwise);
    while (f && fgets(line, sizeof line, f)) {
        size_t n = 0;
        if (strncmp(line, "model name", 10) != 0 || !strchr(line, ':'))
            continue;
        for (const char *c = strchr(line, ':') + 2; *c && n + 1 < room; c++)
            if (*c >= ' ' && *c != '"' && *c != '\\')
                to[n++] = *c;
        to[n] = '\0';
        break;
    }
    if (f)
        fclose(f);
}

/* `peer` heads its column; names and units are plain text without quotes. */
static inline void report_open(const char *theme, const char *about, const char *peer)
{
    const char *into = getenv("BENCH_RESULTS");
    struct utsname u;
    char cpu[128];

    if (!into)
        into = "bench/results";
    mkdir(into, 0777);
    snprintf(report.path, sizeof report.path, "%s/%s.json", into, theme);
    snprintf(report.unfinished, sizeof report.unfinished, "%s.new", report.path);
    report.json = fopen(report.unfinished, "w");
    report.rows = 0;
    if (!report.json)
        perror(report.unfinished);
    uname(&u);
    report_cpu(cpu, sizeof cpu, u.machine);
    if (report.json)
        fprintf(report.json,
                "{\"theme\": \"%s\", \"about\": \"%s\", \"peer\": \"%s\", \"kernel\": \"%s\", \"cpu\": \"%s\",\n"
                " \"compiler\": \"%s\", \"rows\": [", theme, about, peer, u.release, cpu, __VERSION__);
    printf("\n%-68s %11s %11s       %8s\n", about, "here", peer, "faster");
}

/* As many digits as tell something. */
static inline void report_number(double value)
{
    printf(" %11.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
}

static inline void report_line(const char *name, const char *unit, const struct bench_pair *p, bool alone)
{
    printf("%-68s", name);
    report_number(p->ours);
    if (alone)
        printf(" %11s %-5s\n", "", unit);
    else {
        report_number(p->peer);
        printf(" %-5s %7.*fx\n", unit, p->faster < 10 ? 2 : 0, p->faster);
    }
    fflush(stdout);
    if (!report.json)
        return;
    fprintf(report.json, "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"ours\": %.6g, ", report.rows++ ? "," : "", name,
            unit, p->ours);
    if (alone)
        fprintf(report.json, "\"peer\": null, \"ratio\": null, \"n\": %zu}", p->turns);
    else
        fprintf(report.json, "\"peer\": %.6g, \"ratio\": %.4g, \"n\": %zu}", p->peer, p->faster, p->turns);
}

/* In `unit`, of which `per` nanoseconds make one; or a turn is `per` times what the row names. */
static inline void report_pair(const char *name, const char *unit, struct bench_pair p, double per)
{
    p.ours /= per;
    p.peer /= per;
    report_line(name, unit, &p, false);
}

/* What nobody else does. */
static inline void report_alone(const char *name, const char *unit, double ours, size_t turns)
{
    report_line(name, unit, &(struct bench_pair){ .ours = ours, .turns = turns }, true);
}

/* The exit status: 1 if there is no record. A file that stands is whole. */
static inline int report_close(void)
{
    if (!report.json)
        return 1;
    fprintf(report.json, "]}\n");
    if (fclose(report.json) != 0 || rename(report.unfinished, report.path) != 0) {
        perror(report.path);
        return 1;
    }
    return 0;
}

#endif
