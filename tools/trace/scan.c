/* SPDX-License-Identifier: MIT */
/* scan.c - the small words of strace's language; see scan.h. */
#include "scan.h"

#include <string.h>

#include "symbols.h"

struct scan scan_text(struct text text)
{
    const char *s = text.s != NULL ? text.s : ""; /* nothing at all is an empty text */
    return (struct scan){s, s + text.n, NULL};
}

bool scan_fail(struct scan *s, const char *expected)
{
    if (s->expected == NULL)
        s->expected = expected;
    return false;
}

int scan_peek(const struct scan *s)
{
    return s->at < s->end ? (unsigned char)*s->at : -1;
}

void scan_blanks(struct scan *s)
{
    while (scan_peek(s) == ' ' || scan_peek(s) == '\t')
        s->at++;
}

bool scan_take(struct scan *s, const char *literal)
{
    size_t n = strlen(literal);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, literal, n) != 0)
        return false;
    s->at += n;
    return true;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(int c)
{
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct text scan_word(struct scan *s)
{
    const char *from = s->at;
    while (is_word(scan_peek(s)))
        s->at++;
    return (struct text){from, (size_t)(s->at - from)};
}

/* ---- texts ---- */

bool text_is(struct text t, const char *literal)
{
    return t.n == strlen(literal) && memcmp(t.s, literal, t.n) == 0;
}

bool text_ends(struct text t, const char *literal)
{
    size_t n = strlen(literal);
    return t.n >= n && memcmp(t.s + t.n - n, literal, n) == 0;
}

const char *text_find(struct text t, const char *needle)
{
    return t.n == 0 ? NULL : memmem(t.s, t.n, needle, strlen(needle));
}

const char *text_find_word(struct text t, const char *needle)
{
    size_t n = strlen(needle);
    const char *end = t.s + t.n, *from = t.s;
    while (from < end) {
        const char *at = memmem(from, (size_t)(end - from), needle, n);
        if (at == NULL)
            return NULL;
        bool open = at == t.s || !is_word((unsigned char)at[-1]);
        bool closed = at + n == end || !is_word((unsigned char)at[n]);
        if (open && closed)
            return at;
        from = at + 1;
    }
    return NULL;
}

/* One escape behind a backslash: \n, \", \ooo, \xhh. */
static int unescape_one(struct scan *s)
{
    static const char names[] = "ntrvf", means[] = "\n\t\r\v\f";
    int c = scan_peek(s);
    const char *at = c > 0 ? strchr(names, c) : NULL;
    if (at != NULL) {
        s->at++;
        return means[at - names];
    }
    if (c < '0' || c > '7') {
        s->at += c >= 0;
        return c;
    }
    int byte = 0;
    for (int i = 0; i < 3 && scan_peek(s) >= '0' && scan_peek(s) <= '7'; i++)
        byte = byte * 8 + (*s->at++ - '0');
    return byte & 0xff;
}

void text_unescape(struct text t, char *out, size_t size)
{
    struct scan s = scan_text(t);
    size_t n = 0;
    while (n + 1 < size && s.at < s.end) {
        int c = (unsigned char)*s.at++;
        if (c == '\\')
            c = unescape_one(&s);
        out[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    out[n] = '\0';
}

/* ---- numbers ---- */

static int digit_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Unsigned, as C writes it: 0x is hexadecimal, a leading 0 octal. */
static bool scan_unsigned(struct scan *s, uint64_t *out)
{
    const char *from = s->at;
    unsigned base = 10;
    if (scan_take(s, "0x"))
        base = 16;
    else if (scan_peek(s) == '0')
        base = 8;
    const char *digits = s->at;
    uint64_t n = 0;
    for (int d; (d = digit_value(scan_peek(s))) < (int)base; s->at++) {
        if (n > (UINT64_MAX - (uint64_t)d) / base) {
            s->at = from;
            return scan_fail(s, "a number of at most 64 bits");
        }
        n = n * base + (uint64_t)d;
    }
    if (s->at == digits) {
        s->at = from;
        return scan_fail(s, "a number");
    }
    *out = n;
    return true;
}

bool scan_number(struct scan *s, uint64_t *out)
{
    bool minus = scan_take(s, "-");
    if (!scan_unsigned(s, out))
        return false;
    if (minus)
        *out = 0 - *out;
    return true;
}

/* ---- things with an inside ---- */

/* From an opening quote to behind the closing one. */
static bool scan_string(struct scan *s, struct text *out)
{
    const char *from = ++s->at;
    for (; s->at < s->end; s->at++) {
        if (*s->at == '"') {
            *out = (struct text){from, (size_t)(s->at - from)};
            s->at++;
            scan_take(s, "...");
            return true;
        }
        if (*s->at == '\\' && s->at + 1 < s->end)
            s->at++;
    }
    return scan_fail(s, "a closing '\"'");
}

/* They nest: -X verbose wraps a comment of strace's own into another. */
static bool scan_comment(struct scan *s)
{
    unsigned depth = 0;
    while (s->at < s->end) {
        if (scan_take(s, "/*")) {
            depth++;
        } else if (scan_take(s, "*/")) {
            if (--depth == 0)
                return true;
        } else {
            s->at++;
        }
    }
    return scan_fail(s, "a closing '*/'");
}

/*
 * In a socket's note, <TCP:[1.2.3.4:5->6.7.8.9:80]>, the arrow's '>' closes
 * nothing; a path may end in '-' too, but then the argument ends behind it.
 */
static bool closes_note(const struct scan *s, const char *from)
{
    if (s->at == from || s->at[-1] != '-' || s->at + 1 >= s->end)
        return true;
    return strchr(",) (>", s->at[1]) != NULL && s->at[1] != '\0';
}

bool scan_note(struct scan *s, struct text *out)
{
    if (scan_peek(s) != '<')
        return true;
    const char *from = ++s->at;
    unsigned depth = 1;
    for (; s->at < s->end; s->at++) {
        if (*s->at == '<')
            depth++;
        else if (*s->at == '>' && closes_note(s, from) && --depth == 0)
            break;
    }
    if (s->at == s->end)
        return scan_fail(s, "a closing '>'");
    struct text inside = {from, (size_t)(s->at - from)};
    s->at++;
    scan_take(s, "(deleted)");
    /* </dev/zero<char 1:5>>: the path alone */
    const char *device = text_find(inside, "<char ");
    if (device == NULL)
        device = text_find(inside, "<block ");
    if (device != NULL)
        inside.n = (size_t)(device - from);
    *out = inside;
    return true;
}

/* Behind a descriptor a '<' opens a note; "1<<26" is a shift. */
static bool at_note(const struct scan *s)
{
    return scan_peek(s) == '<' && s->at + 1 < s->end && s->at[1] != '<';
}

/* One bracketed thing, its insides unread. */
static bool scan_group(struct scan *s)
{
    uint64_t depth = 0;
    struct text ignored;
    while (s->at < s->end) {
        char c = *s->at;
        bool ok = true;
        if (c == '"') {
            ok = scan_string(s, &ignored);
        } else if (c == '/' && s->at + 1 < s->end && s->at[1] == '*') {
            ok = scan_comment(s);
        } else if (is_digit(c)) {
            scan_word(s);
            ok = !at_note(s) || scan_note(s, &ignored);
        } else {
            s->at++;
            if (strchr("{[(", c) != NULL && c != '\0')
                depth++;
            else if (strchr("}])", c) != NULL && c != '\0' && --depth == 0)
                return true;
        }
        if (!ok)
            return false;
    }
    return scan_fail(s, "a closing bracket");
}

/* ---- values ---- */

static bool scan_product(struct scan *s, uint64_t *n)
{
    uint64_t by;
    const char *at = s->at;
    if (!scan_unsigned(s, &by))
        return false;
    if (by != 0 && *n > UINT64_MAX / by) {
        s->at = at;
        return scan_fail(s, "a product of at most 64 bits");
    }
    *n *= by;
    return true;
}

/* By a number, or by a name such as MAP_HUGE_SHIFT. */
static bool scan_shift(struct scan *s, uint64_t *n)
{
    uint64_t by;
    const char *at = s->at;
    bool ok = is_digit(scan_peek(s)) ? scan_unsigned(s, &by) : symbol_find(scan_word(s), &by);
    if (!ok || by > 63) {
        s->at = at;
        return scan_fail(s, "a shift below 64");
    }
    *n <<= by;
    return true;
}

/* `a*b` and `a<<b`, behind the a. */
static bool scan_factor(struct scan *s, uint64_t *n)
{
    if (scan_take(s, "*"))
        return scan_product(s, n);
    return !scan_take(s, "<<") || scan_shift(s, n);
}

static bool scan_symbol(struct scan *s, struct value *out, uint64_t *n)
{
    struct text word = scan_word(s);
    if (word.n == 0)
        return scan_fail(s, "an argument");
    if (scan_peek(s) == '(') { /* makedev(1, 5) */
        out->kind = VALUE_OPAQUE;
        return scan_group(s);
    }
    if (!symbol_find(word, n) && out->unknown.n == 0)
        out->unknown = word;
    return true;
}

/* Comments strace adds, and what clone3 wrote: " => {parent_tid=[7]}". */
static bool scan_remarks(struct scan *s)
{
    for (;;) {
        scan_blanks(s);
        scan_take(s, "<unfinished ...>");
        if (scan_peek(s) == '/' && s->at + 1 < s->end && s->at[1] == '*') {
            if (!scan_comment(s))
                return false;
        } else if (scan_take(s, "=>")) {
            struct value after;
            scan_blanks(s);
            if (strchr("{[", scan_peek(s)) == NULL || scan_peek(s) <= 0)
                return scan_number(s, &after.number);
            if (!scan_group(s))
                return false;
        } else {
            return true;
        }
    }
}

/* PROT_READ|PROT_WRITE|0x10, 1<<MAP_HUGE_SHIFT, 8192*1024, 3</lib/libc.so.6> */
static bool scan_terms(struct scan *s, struct value *out)
{
    do {
        uint64_t n = 0;
        int c = scan_peek(s);
        bool ok = is_digit(c) || c == '-' ? scan_number(s, &n) && scan_factor(s, &n)
                                          : scan_symbol(s, out, &n);
        if (!ok || (at_note(s) && !scan_note(s, &out->text)) || !scan_remarks(s))
            return false;
        out->number |= n;
    } while (scan_take(s, "|"));
    return true;
}

/* {...}, [...], ~[...]; the number in [0x1000] counts. */
static bool scan_structure(struct scan *s, struct value *out)
{
    const char *from = s->at;
    scan_take(s, "~");
    out->kind = VALUE_OPAQUE;
    if (!scan_group(s))
        return false;
    out->text = (struct text){from, (size_t)(s->at - from)};
    struct scan in = {from + 1, s->at, NULL};
    uint64_t n;
    if (*from == '[' && scan_number(&in, &n) && scan_peek(&in) == ']')
        out->number = n;
    return true;
}

/* "flags=" in clone(child_stack=NULL, flags=SIGCHLD) */
static void skip_label(struct scan *s)
{
    struct scan try = *s;
    if (scan_word(&try).n != 0 && scan_take(&try, "="))
        *s = try;
}

bool scan_value(struct scan *s, struct value *out)
{
    memset(out, 0, sizeof *out);
    scan_blanks(s);
    skip_label(s);
    switch (scan_peek(s)) {
    case '"':
        out->kind = VALUE_STRING;
        return scan_string(s, &out->text) && scan_remarks(s);
    case '{':
    case '[':
    case '~':
        return scan_structure(s, out) && scan_remarks(s);
    default:
        return scan_terms(s, out);
    }
}

int scan_args(struct scan *s, struct value *out, int max)
{
    int n = 0;
    scan_remarks(s);
    if (scan_take(s, ")"))
        return 0;
    do {
        struct value value;
        if (!scan_value(s, &value))
            return -1;
        if (n < max)
            out[n] = value;
        n++;
    } while (scan_take(s, ","));
    if (!scan_take(s, ")")) {
        scan_fail(s, "',' or ')'");
        return -1;
    }
    return n;
}
