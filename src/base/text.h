/* SPDX-License-Identifier: MIT */
/* text.h - text in parts: counts all of it, keeps what falls into a window. */
#ifndef MW_BASE_TEXT_H
#define MW_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *buf;
    size_t size, skip; /* `buf` receives the `size` bytes after the first `skip` */
    size_t length;     /* of the whole text so far */
};

static inline void put_char(struct text *t, char c)
{
    if (t->length >= t->skip && t->length - t->skip < t->size)
        t->buf[t->length - t->skip] = c;
    t->length++;
}

static inline void put_string(struct text *t, const char *s)
{
    while (*s)
        put_char(t, *s++);
}

/* At least `width` characters, with `pad` before the digits. */
static inline void put_number(struct text *t, uint64_t n, uint32_t base, uint32_t width, char pad)
{
    char digits[20];
    uint32_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    for (uint32_t i = count; i < width; i++)
        put_char(t, pad);
    while (count)
        put_char(t, digits[--count]);
}

#endif
