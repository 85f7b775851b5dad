/* SPDX-License-Identifier: MIT */
/*
 * fuzz_replay.c - any bytes as a log for the whole of `mapwright replay`: the
 * reader, what it learns, the model and the engine under hostile arguments.
 * The exit status must be one that the command documents.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Complaints and reports would drown what the fuzzer says on descriptor 2. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    int null = open("/dev/null", O_WRONLY);
    stderr = fdopen(null, "w");
    stdout = stderr;
    return null < 0 || stderr == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("log", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    char *argv[] = {"replay", "--linux", "6.18", "--draw", "--verbose", "--would",
                    "all", "--places", path, NULL};
    int status = cmd_replay(9, argv);
    if (status < 0 || status > 2)
        abort();
    close(fd);
    return 0;
}
