/* SPDX-License-Identifier: MIT */
/* json.c - text as a JSON string, whatever bytes it holds. */
#include <stdint.h>
#include <string.h>

#include "report.h"

/* The length of the well-formed UTF-8 sequence at `s`; 0: it is none. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                           : (s[0] & 0xf0) == 0xe0           ? 3
                           : s[0] >= 0xf0 && s[0] < 0xf5     ? 4
                                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, and what lies beyond U+10FFFF */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static void put_ascii(FILE *out, unsigned char c)
{
    static const char plain[] = "\"\\\n\t\r", escaped[] = "\"\\ntr";
    const char *at = strchr(plain, c);

    if (at)
        fprintf(out, "\\%c", escaped[at - plain]);
    else if (c < 0x20 || c == 0x7f)
        fprintf(out, "\\u%04x", c);
    else
        fputc(c, out);
}

void json_string(FILE *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    fputc('"', out);
    while (*s) {
        size_t n = utf8_length(s);
        if (n == 1)
            put_ascii(out, *s);
        else if (n)
            fwrite(s, 1, n, out);
        else
            fputs("\xef\xbf\xbd", out);
        s += n ? n : 1;
    }
    fputc('"', out);
}
