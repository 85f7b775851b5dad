/* SPDX-License-Identifier: MIT */
/* probe.c - `mapwright probe` as a program of its own. */
#include "../../probe.h"

int main(int argc, char **argv)
{
    return cmd_probe(argc, argv);
}
