/* SPDX-License-Identifier: MIT */
/*
 * fuzz_strace.c - any bytes as a log. The reader must come to an end, hand out
 * sound events and count its complaints. With -DFUZZ_MAIN it reads the files
 * named on the command line instead, for seeds and for what a fuzzer found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/strace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_strace: %s\n", what);
        abort();
    }
}

static void count(void *ctx, const char *text)
{
    uint64_t *complaints = ctx;
    require(strstr(text, ": expected ") != NULL && strlen(text) < 512, "a complaint's form");
    ++*complaints;
}

static void check_event(const struct event *e)
{
    require(e->kind <= EVENT_EXIT && e->call < CALL_COUNT, "a kind and a call that exist");
    require(e->name != NULL && e->where != NULL && strchr(e->where, ':') != NULL, "its texts");
    require(e->tid > 0, "a task");
    require(memchr(e->file.path, 0, sizeof e->file.path) != NULL, "a path that ends");
    require(e->kind != EVENT_FORK || (e->result > 0 && e->result != e->tid), "a child");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size != 0 ? size : 1); /* so that a byte too far is seen */
    uint64_t complaints = 0, events = 0;
    struct event event;
    require(copy != NULL, "memory");
    if (size != 0)
        memcpy(copy, data, size);
    struct strace_reader *reader = strace_open("fuzz.7", copy, size, count, &complaints);
    while (strace_next(reader, &event)) {
        check_event(&event);
        events++;
    }
    struct strace_counts counts = strace_counted(reader);
    require(counts.bad == complaints && counts.bad <= counts.lines, "the count of bad lines");
    require(counts.events == events, "the count of events");
    strace_close(reader);
    free(copy);
    return 0;
}

#ifdef FUZZ_MAIN
static void run_file(const char *path)
{
    static uint8_t data[1 << 24];
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        perror(path);
        exit(1);
    }
    size_t n = fread(data, 1, sizeof data, in);
    fclose(in);
    LLVMFuzzerTestOneInput(data, n);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    printf("%d files read\n", argc - 1);
    return 0;
}
#endif
