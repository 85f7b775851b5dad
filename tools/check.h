/* SPDX-License-Identifier: MIT */
/* check.h - the command `mapwright check`. */
#ifndef MAPWRIGHT_TOOLS_CHECK_H
#define MAPWRIGHT_TOOLS_CHECK_H

/* argv[0] is "check". Returns the exit status. */
int cmd_check(int argc, char **argv);

#endif
