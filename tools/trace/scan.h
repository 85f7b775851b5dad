/* SPDX-License-Identifier: MIT */
/*
 * scan.h - the small words of strace's language: numbers, names joined by '|',
 * strings, structures, descriptors with their path. A cursor walks over bytes
 * that need not end in NUL; at the first thing that does not fit it stays there
 * and remembers what it expected.
 */
#ifndef MAPWRIGHT_TOOLS_SCAN_H
#define MAPWRIGHT_TOOLS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    const char *s;
    size_t n;
};

struct scan {
    const char *at;
    const char *end;
    const char *expected; /* NULL: all well so far */
};

enum value_kind { VALUE_NUMBER, VALUE_STRING, VALUE_OPAQUE };

/* One argument of a call. */
struct value {
    enum value_kind kind;
    uint64_t number;     /* 0 for strings and structures; [X] counts as X */
    struct text text;    /* a string's inside, a descriptor's path, a structure */
    struct text unknown; /* a name that symbols.c lacks; n 0: none */
};

struct scan scan_text(struct text text);
bool scan_fail(struct scan *s, const char *expected);
void scan_blanks(struct scan *s);
int scan_peek(const struct scan *s); /* the next byte, -1 at the end */
bool scan_take(struct scan *s, const char *literal);
struct text scan_word(struct scan *s); /* letters, digits, '_'; may be empty */
bool scan_number(struct scan *s, uint64_t *out);

/* <path> or <path<char 1:5>> behind a descriptor; nothing there is fine. */
bool scan_note(struct scan *s, struct text *out);

bool scan_value(struct scan *s, struct value *out);

/*
 * Reads arguments up to and with the closing ')'. Those past `max` are checked
 * and dropped. Returns how many there were, -1 on failure.
 */
int scan_args(struct scan *s, struct value *out, int max);

bool text_is(struct text t, const char *literal);
bool text_ends(struct text t, const char *literal);

/* The place of `needle` in `t` as a whole word, or NULL. */
const char *text_find_word(struct text t, const char *needle);

/* The place of `needle` in `t`, or NULL. */
const char *text_find(struct text t, const char *needle);

/* Copies a string's inside with its escapes undone, printable, cut to `size`. */
void text_unescape(struct text t, char *out, size_t size);

#endif
