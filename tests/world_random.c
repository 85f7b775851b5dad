/* SPDX-License-Identifier: MIT */
/* world_random.c - random episodes, one after the other. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t world_argument(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 0);
    return otherwise;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fails(struct session *s, const struct episodes *of, uint64_t seed, uint64_t number, int steps)
{
    int left = of->shrink(s, s->extra);
    const char *what = session_difference(s);
    printf("FAILED --seed %llu --episode %llu --steps %d, %d calls left\n%s\n", (unsigned long long)seed,
           (unsigned long long)number, steps, left, what ? what : "(the live run did not end)");
    fflush(stdout);
}

int world_random(struct session *s, const struct episodes *of, int argc, char **argv)
{
    uint64_t seed = world_argument(argc, argv, "--seed", 1);
    uint64_t calls = world_argument(argc, argv, "--calls", of->calls);
    uint64_t only = world_argument(argc, argv, "--episode", UINT64_MAX), failed = 0, ran = 0;
    int steps = (int)world_argument(argc, argv, "--steps", (uint64_t)of->steps);
    double began = seconds(), rate;
    if (steps < 1 || steps > of->most)
        steps = of->most;
    while (ran * (uint64_t)steps < calls && failed < 5 && !(ran && only != UINT64_MAX)) {
        uint64_t number = only == UINT64_MAX ? ran : only;
        of->make(s->extra, seed, number, steps);
        ran++;
        if (!of->agrees(s, s->extra)) {
            failed++;
            fails(s, of, seed, number, steps);
        }
    }
    rate = (double)(ran * (uint64_t)steps) / (seconds() - began + 1e-9);
    printf("%llu episodes, %llu calls, %.0f a second\n", (unsigned long long)ran,
           (unsigned long long)(ran * (uint64_t)steps), rate);
    /* the run counts as one test, however long */
    printf("%d passed, %llu failed\n", failed == 0, (unsigned long long)failed);
    return failed != 0;
}
