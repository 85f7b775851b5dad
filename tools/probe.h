/* SPDX-License-Identifier: MIT */
/* probe.h - the command `mapwright probe`. */
#ifndef MAPWRIGHT_TOOLS_PROBE_H
#define MAPWRIGHT_TOOLS_PROBE_H

/* argv[0] is "probe". Returns the exit status. */
int cmd_probe(int argc, char **argv);

#endif
