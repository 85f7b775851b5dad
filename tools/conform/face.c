/* SPDX-License-Identifier: MIT */
/*
 * face.c - the arena's mappings as /proc/self/smaps shows them, compared line
 * by line with what the engine shows: of what was read Linux maps the
 * neighbours too, so of the counts only those of private pages.
 */
#include "system.h"

#include <stdlib.h>
#include <string.h>

#include "mapwright/proc.h"

#define ROOM (1u << 20)

/* The next line that is compared; NULL: the end. */
static const char *next_line(const char **at, uint64_t *start)
{
    static const char *const names[] = { "Size:", "KernelPageSize:", "MMUPageSize:", "Anonymous:", "VmFlags:" };
    while (**at) {
        const char *line = *at, *end = strchr(line, '\n');
        *at = end ? end + 1 : line + strlen(line);
        if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
            *start = strtoull(line, NULL, 16);
            return line;
        }
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                return line;
    }
    return NULL;
}

/* Flags that depend on how the kernel was built or on what was before, and those of watchers. */
static const char *skip_flags(const char *p)
{
    static const char *const left_out[] = { "sd ", "gu ", "um ", "uw ", "ui ", "pk " };
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (strncmp(p, left_out[i], 3) == 0) {
            p += 3;
            i = (size_t)-1;
        }
    return p;
}

/* Up to the offset; what it is called is not known to the engine. */
static bool same_line(const char *a, const char *b)
{
    bool flags = *a == 'V', first = *a != 'V' && (*a < 'A' || *a > 'Z');
    int spaces = 0;
    for (;; a++, b++) {
        if (flags && a[-1] == ' ')
            a = skip_flags(a);
        if (flags && b[-1] == ' ')
            b = skip_flags(b);
        if (*a != *b)
            return false;
        if (*a == '\n' || *a == 0 || (first && *a == ' ' && ++spaces == 3))
            return true;
    }
}

static void read_model(char *text)
{
    struct mw_proc proc = { 0 };
    struct mw_proc_cursor cursor = { .addr = ZONE_LOW };
    size_t n = 0, k;
    while (n < ROOM - 1 && (k = mw_proc_read(model.space, &proc, MW_PROC_SMAPS, &cursor, text + n, ROOM - 1 - n)) > 0)
        n += k;
    text[n] = 0;
}

bool same_smaps(uint64_t *addr)
{
    static char by_engine[ROOM];
    const char *k = sys_smaps(), *e = by_engine, *a, *b;
    uint64_t at_k = 0, at_e = 0;
    if (k == NULL)
        return true;
    read_model(by_engine);
    do
        a = next_line(&k, &at_k);
    while (a != NULL && at_k < ZONE_LOW);
    do
        b = next_line(&e, &at_e);
    while (b != NULL && at_e < ZONE_LOW);
    while (a != NULL && b != NULL && (at_k < FILL || at_e < FILL)) {
        *addr = at_k < at_e ? at_k : at_e;
        if (!same_line(a, b))
            return false;
        a = next_line(&k, &at_k);
        b = next_line(&e, &at_e);
    }
    return true;
}
