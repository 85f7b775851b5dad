/* SPDX-License-Identifier: MIT */
/*
 * runner.c - runs every scenario in the live world and in the engine's and
 * holds one log against the other.
 *
 *   scenarios [-v] [-l] [PREFIX...]
 * -l lists the names, -v prints the kernel's log of each, PREFIX selects.
 */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scenario *all;

void scenario_add(struct scenario *s)
{
    struct scenario **p = &all;
    while (*p && strcmp((*p)->name, s->name) < 0)
        p = &(*p)->next;
    s->next = *p;
    *p = s;
}

static void run(struct world *w, void *ctx)
{
    ((struct scenario *)ctx)->run(w);
}

enum verdict { PASSED, FAILED, NOT_MODELLED };

static enum verdict judge(struct session *s, struct scenario *one, bool verbose)
{
    session_reset(s);
    snprintf(s->task, sizeof s->task, "%s", one->name);
    if (!world_run_live(s, run, one)) {
        printf("FAILED %s: the live run did not end\n%s\n", one->name, s->log[WORLD_LIVE].text);
        return FAILED;
    }
    if (verbose)
        printf("== %s\n%s", one->name, s->log[WORLD_LIVE].text);
    world_run_engine(s, run, one);
    if (s->log[WORLD_LIVE].skipped || s->log[WORLD_ENGINE].skipped) {
        const char *first = session_difference(s);
        printf("%s %s\n", s->log[WORLD_LIVE].skipped ? "not possible here" : "not modelled",
               one->name);
        if (verbose && first != NULL)
            printf("%s\n", first);
        return NOT_MODELLED;
    }
    const char *difference = session_difference(s);
    if (difference == NULL)
        return PASSED;
    printf("FAILED %s\n%s\n", one->name, difference);
    return FAILED;
}

static bool selected(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        any = true;
        if (strncmp(name, argv[i], strlen(argv[i])) == 0)
            return true;
    }
    return !any;
}

static bool option(const char *what, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], what) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    int counts[3] = { 0, 0, 0 };
    struct session *s = NULL;
    world_init(argc, argv);
    if (world_as_live(argc, argv, &s))
        for (struct scenario *one = all; one; one = one->next)
            if (strcmp(one->name, s->task) == 0)
                world_live_main(s, run, one);
    s = session_new();
    if (s == NULL)
        return 1;
    for (struct scenario *one = all; one; one = one->next) {
        if (!selected(one->name, argc, argv))
            continue;
        if (option("-l", argc, argv))
            puts(one->name);
        else
            counts[judge(s, one, option("-v", argc, argv))]++;
        fflush(stdout);
    }
    printf("%d passed, %d failed, %d skipped\n", counts[PASSED], counts[FAILED],
           counts[NOT_MODELLED]);
    return counts[FAILED] != 0 || counts[PASSED] + counts[NOT_MODELLED] == 0;
}
