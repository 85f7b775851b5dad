/* SPDX-License-Identifier: MIT */
/* world_face.c - what /proc shows, brought to what both worlds can know. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARED = 256, DEVICE = sizeof "00:01" };

static char text[4 << 20];

/* The lines of a text one after the other; each is terminated in place. */
static char *next_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');
    if (*line == '\0')
        return NULL;
    *at = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    return line;
}

static bool in_zone(uint64_t addr)
{
    return addr >= ARENA - ARENA_BEFORE && addr < ARENA + ARENA_AFTER;
}

static uint64_t shared[MAX_SHARED];
static int shared_count;

static int ordinal(uint64_t inode)
{
    int i = 0;
    while (i < shared_count && shared[i] != inode)
        i++;
    if (i == shared_count && i < MAX_SHARED)
        shared[shared_count++] = inode;
    return i;
}

/*
 * A line of maps; of what mmap made to share, (`firm`: of all
 * files) device and inode are how many of them came before.
 */
static void say_mapping(struct world *w, const char *line, bool firm)
{
    const char *path = NULL, *inode = line;
    static const char *const made[] = { "/dev/zero (deleted)", "[anon_shmem:", "/anon_hugepage (deleted)" };
    for (size_t i = 0; path == NULL && i < sizeof made / sizeof made[0]; i++)
        path = strstr(line, made[i]);
    if (path == NULL && firm)
        path = strchr(line, '/');
    if (path == NULL) {
        say(w, "|%s|", line);
        return;
    }
    for (int field = 0; field < 4; field++)
        inode = strchr(inode, ' ') + 1;
    say(w, "|%.*s%d %s|", (int)(inode - line - DEVICE), line, ordinal(strtoull(inode, NULL, 10)), path);
}

/* smaps' VmFlags, but for what depends on how the kernel was built, or was done before. */
static void say_flags(struct world *w, char *line)
{
    static const char *const left_out[] = { " sd ", " gu " };
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        char *p = strstr(line, left_out[i]);
        if (p != NULL)
            memmove(p, p + 3, strlen(p + 3) + 1);
    }
    say(w, "|%s|", line);
}

static bool is_firm(const char *line)
{
    static const char *const names[] = { "Size:", "KernelPageSize:", "MMUPageSize:", "Anonymous:", "AnonHugePages:",
                                         "THPeligible:" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void show(struct world *w, enum mw_proc_face face, bool firm)
{
    unsigned long long start, end;
    bool in = false;
    char *at = text, *line;
    shared_count = 0;
    w->ops->face(w, face, text, sizeof text);
    say(w, "%s:", face == MW_PROC_MAPS ? "maps" : "smaps");
    while ((line = next_line(&at)) != NULL) {
        if (sscanf(line, "%llx-%llx ", &start, &end) == 2) {
            in = in_zone(start);
            if (in)
                say_mapping(w, line, firm);
        } else if (in && strncmp(line, "VmFlags:", 8) == 0) {
            say_flags(w, line);
        } else if (in && (!firm || is_firm(line))) {
            say(w, "|%s|", line);
        }
    }
}

void maps(struct world *w)
{
    show(w, MW_PROC_MAPS, false);
}

void maps_firm(struct world *w)
{
    show(w, MW_PROC_MAPS, true);
}

void smaps(struct world *w)
{
    show(w, MW_PROC_SMAPS, false);
}

void smaps_firm(struct world *w)
{
    show(w, MW_PROC_SMAPS, true);
}

void keys(struct world *w)
{
    unsigned long long start, end, in = 0;
    char *at = text, *line;
    w->ops->face(w, MW_PROC_SMAPS, text, sizeof text);
    say(w, "protection keys:");
    while ((line = next_line(&at)) != NULL) {
        if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
            in = start;
        else if (in_zone(in) && strncmp(line, "ProtectionKey:", 14) == 0)
            say(w, "|%llx %s|", in, line);
    }
}

/* Of statm the sizes: resident and shared pages are the whole process's. */
static void show_statm(struct world *w)
{
    unsigned long size, code, library, data, dirty;
    w->ops->face(w, MW_PROC_STATM, text, sizeof text);
    if (sscanf(text, "%lu %*u %*u %lu %lu %lu %lu\n", &size, &code, &library, &data, &dirty) == 5)
        say(w, "statm: %lu %lu %lu %lu %lu", size, code, library, data, dirty);
}

void sizes(struct world *w)
{
    static const char *const names[] = { "VmPeak:", "VmSize:", "VmLck:", "VmPin:", "VmData:", "VmStk:",
                                         "VmExe:", "VmLib:", "VmSwap:", "HugetlbPages:" };
    char *at = text, *line;
    w->ops->face(w, MW_PROC_STATUS, text, sizeof text);
    while ((line = next_line(&at)) != NULL)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                say(w, "|%s|", line);
    show_statm(w);
}

int64_t name(struct world *w, int64_t page, int64_t n, const char *to)
{
    int64_t r = w->ops->name(w, at(page), (uint64_t)n * PAGE, to);
    say(w, "name %lld+%lld %s: %lld", (long long)page, (long long)n, to ? to : "(none)", (long long)r);
    return r;
}
