/* SPDX-License-Identifier: MIT */
/* command.h - `mapwright conform`. */
#ifndef MAPWRIGHT_CONFORM_COMMAND_H
#define MAPWRIGHT_CONFORM_COMMAND_H

/* argv[0] is the command's name. The exit code: 0 agrees, 1 differs, 2 misuse. */
int cmd_conform(int argc, char **argv);

#endif
