/* SPDX-License-Identifier: MIT */
/* main.c - the `mapwright` tool: which command is meant. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "conform/command.h"
#include "mapwright/mapwright.h"
#include "probe.h"
#include "replay.h"

static const char usage[] =
    "usage: mapwright COMMAND [options] ...\n"
    "\n"
    "  check [options] [--] PROGRAM [ARGS...]   run a program and hold each of its memory\n"
    "                                           calls against Mapwright's own answer\n"
    "  replay [options] FILE                    the same from a recorded `strace -f` log\n"
    "  conform [options]                        make calls on this system and compare them all\n"
    "  probe [--json]                           what this system can do, by trying\n"
    "\n"
    "`mapwright COMMAND --help` tells more. `mapwright --version` names the version.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "check", cmd_check },
    { "replay", cmd_replay },
    { "conform", cmd_conform },
    { "probe", cmd_probe },
};

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(what, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0 || strcmp(what, "help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (strcmp(what, "--version") == 0) {
        printf("mapwright %s\n", mw_version());
        return 0;
    }
    if (*what)
        fprintf(stderr, "mapwright: no command '%s'\n", what);
    fputs(usage, stderr);
    return 2;
}
