/* SPDX-License-Identifier: MIT */
/* replay.h - the command `mapwright replay`. */
#ifndef MAPWRIGHT_TOOLS_REPLAY_H
#define MAPWRIGHT_TOOLS_REPLAY_H

/* argv[0] is "replay". Returns the exit status. */
int cmd_replay(int argc, char **argv);

#endif
