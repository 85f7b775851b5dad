/* SPDX-License-Identifier: MIT */
/*
 * suite.c - runs the fixed scenarios on the system under test, or, to check and
 * to renew what they expect, in the engine at every modelled version.
 */
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

#define OUT_ROOM 2048
#define SUITE_HUGE_PAGES 16
#define SCENARIO_SECONDS 60u /* an emulated machine may be slow */

/* Every version at which anything changes. */
static const uint32_t versions[] = {
    MW_LINUX(5, 10), MW_LINUX(5, 13), MW_LINUX(5, 16), MW_LINUX(6, 1),  MW_LINUX(6, 7),
    MW_LINUX(6, 10), MW_LINUX(6, 11), MW_LINUX(6, 12), MW_LINUX(6, 13), MW_LINUX(6, 16),
    MW_LINUX(6, 17), MW_LINUX(6, 18), MW_LINUX(6, 19), MW_LINUX(7, 0),  MW_LINUX(7, 2),
    MW_LINUX(7, 3),
};
enum { VERSIONS = sizeof versions / sizeof versions[0] };

static const struct suite_table tables[] = {
    { "suite_data.c", suite_data, &suite_data_count },
    { "suite_args.c", suite_args, &suite_args_count },
    { "suite_moves.c", suite_moves, &suite_moves_count },
    { "suite_kinds.c", suite_kinds, &suite_kinds_count },
    { "suite_huge.c", suite_huge, &suite_huge_count },
};
enum { TABLES = sizeof tables / sizeof tables[0] };

struct answer {
    enum outcome outcome;
    char text[OUT_ROOM];
};
static struct answer *answer; /* shared with the child that runs a scenario */

static bool open_answer(void)
{
    void *p = mmap((void *)(uintptr_t)0x0e0000000000ull, sizeof *answer, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    answer = p == MAP_FAILED ? NULL : p;
    return answer != NULL;
}

/* In a process of its own. False: it did not end well. */
static bool ask(const struct scenario *s, enum side side, uint32_t version)
{
    int status = 0;
    pid_t pid;
    answer->text[0] = 0;
    answer->outcome = OUTCOME_SKIP;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(SCENARIO_SECONDS);
        if (!sys_enter())
            _exit(9);
        model_version = version;
        model_huge_pages = sys.huge_pages;
        if (side == SIDE_ENGINE && !model_open())
            _exit(9);
        answer->outcome = scenario_run(s, side, answer->text, OUT_ROOM);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Committed_AS is the whole machine's: what others do at that moment shows in it. */
#define COMMITTED_TRIES 4

static bool agrees(const struct scenario *s, const char *expected)
{
    int tries = strstr(s->steps, "committed") != NULL ? COMMITTED_TRIES : 1;
    while (strcmp(answer->text, expected) != 0)
        if (--tries == 0 || !ask(s, SIDE_SYSTEM, model_version))
            return false;
    return true;
}

static void judge(const struct scenario *s)
{
    char name[96], why[OUT_ROOM + 1536];
    const char *expected = scenario_expected(s, model_version);
    snprintf(name, sizeof name, "%s (%s)", s->name, s->rule);
    if (expected == NULL) {
        output_case(name, VERDICT_SKIP, "this Linux does not have it");
        return;
    }
    if (!ask(s, SIDE_SYSTEM, model_version)) {
        output_case(name, VERDICT_NOT_OK, "the process did not end well");
        return;
    }
    if (answer->outcome != OUTCOME_RAN) {
        output_case(name, VERDICT_SKIP, strncmp(s->steps, "engine", 6) == 0
                                            ? "for the engine alone"
                                            : "it needs what this system or user does not have");
        return;
    }
    if (agrees(s, expected)) {
        output_case(name, VERDICT_OK, NULL);
        return;
    }
    snprintf(why, sizeof why, "%s | expected %s | got %s", s->steps, expected, answer->text);
    output_case(name, VERDICT_NOT_OK, why);
}

/* ---- the table against the engine ---- */

#define FEW_MAPPINGS 800 /* to be filled quickly */

/* In this process: the engine alone. NULL: it can't tell; else what comes out. */
static const char *engine_says(const struct scenario *s, uint32_t version)
{
    static char text[OUT_ROOM];
    enum outcome outcome;
    const char *left;
    model_version = version;
    if (!model_open())
        return NULL;
    outcome = scenario_run(s, SIDE_ENGINE, text, sizeof text);
    left = model_close();
    if (left != NULL)
        snprintf(text, sizeof text, "%s", left);
    return outcome == OUTCOME_RAN ? text : NULL;
}

/* What the table says against what the engine says, at every version. How often they differ. */
static int check_scenario(const struct scenario *s)
{
    int bad = 0;
    for (int v = 0; v < VERSIONS; v++) {
        const char *expected = scenario_expected(s, versions[v]);
        const char *says = engine_says(s, versions[v]);
        if (expected && says ? strcmp(expected, says) == 0 : expected == says)
            continue;
        bad++;
        printf("%s, Linux %u.%u: the table says %s, the engine %s\n", s->name, versions[v] / 1000,
               versions[v] % 1000, expected ? expected : "nothing", says ? says : "nothing");
    }
    return bad;
}

static int check_table(void)
{
    int bad = 0, all = 0;
    for (int t = 0; t < TABLES; t++) {
        for (int i = 0; i < *tables[t].count; i++)
            bad += check_scenario(&tables[t].first[i]);
        all += *tables[t].count;
    }
    printf("%d scenarios, %d differences between the table and the engine\n", all, bad);
    return bad > 0;
}

/* The table anew, from what the engine says. */
static void print_scenario(const struct scenario *s)
{
    char last[OUT_ROOM] = "";
    printf("    { \"%s\", \"%s\",\n      \"%s\",\n      { ", s->name, s->rule, s->steps);
    for (int v = 0; v < VERSIONS; v++) {
        const char *says = engine_says(s, versions[v]);
        if (says == NULL || strcmp(says, last) == 0)
            continue;
        if (v == 0)
            printf("{ 0, \"%s\" }", says);
        else
            printf("%s{ MW_LINUX(%u, %u), \"%s\" }", last[0] ? ",\n        " : "",
                   versions[v] / 1000, versions[v] % 1000, says);
        snprintf(last, sizeof last, "%s", says);
    }
    printf(" } },\n");
}

static int print_table(void)
{
    for (int t = 0; t < TABLES; t++) {
        printf("/* %s */\n", tables[t].file);
        for (int i = 0; i < *tables[t].count; i++)
            print_scenario(&tables[t].first[i]);
    }
    return 0;
}

/* Both work on a machine that is alike everywhere. */
static int with_table(int (*what)(void))
{
    int status = 2 << 8;
    pid_t pid;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        int code;
        alarm(2 * SCENARIO_SECONDS);
        if (!sys_enter())
            _exit(2);
        sys.heap = sys.thp = sys.exact = true;
        sys.caps = MW_CAP_IPC_LOCK | MW_CAP_SYS_RAWIO | MW_CAP_SYS_ADMIN;
        sys.overcommit = 0;
        sys.max_map_count = FEW_MAPPINGS;
        sys.ram_pages = 1u << 22;
        sys.huge_pages = model_huge_pages = SUITE_HUGE_PAGES;
        code = what();
        fflush(NULL);
        _exit(code);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                          : 2;
}

int suite_run(const struct options *o)
{
    struct timespec from, to;
    int failed = 0;
    if (!open_answer())
        return 2;
    if (o->check_table)
        return with_table(check_table);
    if (o->print_table)
        return with_table(print_table);
    sys_take_huge(SUITE_HUGE_PAGES);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int t = 0; t < TABLES; t++)
        for (int i = 0; i < *tables[t].count; i++)
            judge(&tables[t].first[i]);
    clock_gettime(CLOCK_MONOTONIC, &to);
    failed = output_suite_end(o, (double)(to.tv_sec - from.tv_sec) +
                                     (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    return failed > 0;
}
