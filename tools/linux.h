/* SPDX-License-Identifier: MIT */
/* linux.h - versions of Linux as text: "6.18", "5.4,6.1", "5.7 to 6.16". */
#ifndef MAPWRIGHT_TOOLS_LINUX_H
#define MAPWRIGHT_TOOLS_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The versions to ask, ascending, each once. */
enum { LINUX_MOST = 160 };
struct linux_list {
    uint32_t version[LINUX_MOST];
    size_t n;
    bool all; /* each stands for all up to the next one: from the oldest to the newest */
};

/* "6.18", "6.18.44", "6.18.44-generic" as MW_LINUX has it; 0: no such text. */
uint32_t linux_of(const char *text);

void linux_name(uint32_t version, char *buf, size_t size);

/*
 * Reads a version to answer as. False: it is none, there was no such Linux, or
 * it is not modelled: then a message that begins with `command` and names
 * `option` is on stderr.
 */
bool linux_parse(const char *command, const char *option, const char *text, uint32_t *version);

/* The same for "all", or versions with commas between. */
bool linux_parse_list(const char *command, const char *option, const char *text,
                      struct linux_list *list);

/* The versions list->version[first..last] and what each stands for: "before 5.7", "5.7 to
   6.16", "since 6.17", or those that were named. */
void linux_range(const struct linux_list *list, size_t first, size_t last, char *buf,
                 size_t size);

#endif
