/* SPDX-License-Identifier: MIT */
/* main.c - mapwright-conform, the command as a static program of its own. */
#include "../command.h"

int main(int argc, char **argv)
{
    return cmd_conform(argc, argv);
}
