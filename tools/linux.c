/* SPDX-License-Identifier: MIT */
/* linux.c - versions of Linux as text. Knows which versions there were. */
#include "linux.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapwright/mapwright.h"

uint32_t linux_of(const char *text)
{
    unsigned major, minor;
    int end = 0;

    if (!isdigit((unsigned char)*text) || sscanf(text, "%3u.%n", &major, &end) != 1 || !end ||
        !isdigit((unsigned char)text[end]))
        return 0;
    text += end;
    end = 0;
    if (sscanf(text, "%3u%n", &minor, &end) != 1 || (text[end] && !strchr(".-+", text[end])))
        return 0;
    return MW_LINUX(major, minor);
}

void linux_name(uint32_t version, char *buf, size_t size)
{
    snprintf(buf, size, "%u.%u", version / 1000, version % 1000);
}

/* The last minor version of each major one that has ended. */
static const uint32_t last_of[] = { MW_LINUX(2, 6), MW_LINUX(3, 19), MW_LINUX(4, 20),
                                    MW_LINUX(5, 19), MW_LINUX(6, 19) };
enum { ENDED = sizeof last_of / sizeof last_of[0] };

static bool existed(uint32_t version)
{
    for (unsigned i = 0; i < ENDED; i++)
        if (version / 1000 == last_of[i] / 1000)
            return version <= last_of[i];
    return true;
}

/* The version right before this one. */
static uint32_t before(uint32_t version)
{
    for (unsigned i = ENDED; i-- > 0 && version % 1000 == 0;)
        if (last_of[i] < version)
            return last_of[i];
    return version - 1;
}

static bool complain(const char *command, const char *option, const char *text,
                     const char *expected)
{
    fprintf(stderr, "mapwright %s: %s '%s': expected %s\n", command, option, text, expected);
    return false;
}

bool linux_parse(const char *command, const char *option, const char *text, uint32_t *version)
{
    char newest[16], range[96];

    *version = linux_of(text);
    if (!*version)
        return complain(command, option, text, "a version such as 6.18");
    linux_name(MW_LINUX_NEWEST, newest, sizeof newest);
    snprintf(range, sizeof range, "a version from %u.%u to %s", MW_LINUX_OLDEST / 1000,
             MW_LINUX_OLDEST % 1000, newest);
    if (*version < MW_LINUX_OLDEST || *version > MW_LINUX_NEWEST)
        return complain(command, option, text, range);
    if (!existed(*version))
        return complain(command, option, text, "a version that Linux has had");
    return true;
}

static int in_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Puts them in order and drops those that stand there twice. */
static void tidy(struct linux_list *list)
{
    size_t n = 0;

    qsort(list->version, list->n, sizeof list->version[0], in_order);
    for (size_t i = 0; i < list->n; i++)
        if (!n || list->version[n - 1] != list->version[i])
            list->version[n++] = list->version[i];
    list->n = n;
}

bool linux_parse_list(const char *command, const char *option, const char *text,
                      struct linux_list *list)
{
    char one[32];

    *list = (struct linux_list){ .all = strcmp(text, "all") == 0 };
    if (list->all) {
        list->n = mw_linux_versions(list->version, LINUX_MOST);
        return true;
    }
    for (size_t size = 0;; text += size + 1) {
        size = strcspn(text, ",");
        snprintf(one, sizeof one, "%.*s", (int)size, text);
        if (!*one || list->n == LINUX_MOST)
            return complain(command, option, text, "versions such as 5.4,6.1 or all");
        if (!linux_parse(command, option, one, &list->version[list->n++]))
            return false;
        if (!text[size])
            break;
    }
    tidy(list);
    return true;
}

/* What versions of `all` stand for. */
static void range_of_all(const struct linux_list *list, size_t first, size_t last, char *buf,
                         size_t size)
{
    char from[16], next[16] = "", to[16] = "";

    linux_name(list->version[first], from, sizeof from);
    if (last + 1 < list->n) {
        linux_name(list->version[last + 1], next, sizeof next);
        linux_name(before(list->version[last + 1]), to, sizeof to);
    }
    if (!first && !*next)
        snprintf(buf, size, "always");
    else if (!first)
        snprintf(buf, size, "before %s", next);
    else if (!*next)
        snprintf(buf, size, "since %s", from);
    else if (strcmp(from, to) == 0)
        snprintf(buf, size, "%s", from);
    else
        snprintf(buf, size, "%s to %s", from, to);
}

void linux_range(const struct linux_list *list, size_t first, size_t last, char *buf,
                 size_t size)
{
    size_t at = 0;
    char name[16];

    if (list->all) {
        range_of_all(list, first, last, buf, size);
        return;
    }
    for (size_t i = first; i <= last && at < size; i++) {
        linux_name(list->version[i], name, sizeof name);
        at += (size_t)snprintf(buf + at, size - at, "%s%s", i > first ? ", " : "", name);
    }
}
