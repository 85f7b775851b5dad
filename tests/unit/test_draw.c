/* SPDX-License-Identifier: MIT */
/* test_draw.c - pictures of address spaces, as plain text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "draw.h"
#include "mapwright/mapwright.h"

enum { PAGE = 4096 };

#define AT(n) (UINT64_C(0x7f0000000000) + UINT64_C(n) * PAGE)

static const uint64_t rw = MW_VM_READ | MW_VM_WRITE;

static void add(struct layout *layout, uint64_t start, uint64_t end, uint64_t flags, char *path)
{
    struct area area = {.start = start, .end = end, .flags = flags, .path = path};
    area.kind = path[0] != '\0' ? AREA_FILE : AREA_ANON;
    assert_true(layout_add(layout, &area));
}

static const struct draw_options plain = {false, false};

/*
 *   before  AAAA NN         after  .... NN AAAAAAAA
 */
static void a_move(void **state)
{
    struct layout before = {0}, after = {0};
    char *text = NULL;
    size_t size;
    (void)state;
    add(&before, AT(0), AT(4), rw, "");
    add(&before, AT(4), AT(6), MW_VM_READ, "/usr/lib/libc.so.6");
    add(&after, AT(4), AT(6), MW_VM_READ, "/usr/lib/libc.so.6");
    add(&after, AT(8), AT(16), rw, "");
    FILE *out = open_memstream(&text, &size);
    draw_change(out, &before, &after, (struct draw_range){AT(0), 4 * PAGE},
                (struct draw_range){AT(8), 8 * PAGE}, "a move", plain);
    fclose(out);
    assert_string_equal(
        text,
        "a move\n\n"
        "                          before                               after\n"
        "   7f0000010000                                     +-------------------------+\n"
        "                        32 KiB free            +--> |: rw-p 32 KiB anonymous :|\n"
        "   7f0000008000                                |    +-------------------------+\n"
        "                        8 KiB free             |            8 KiB free\n"
        "   7f0000006000 +-------------------------+    |    +-------------------------+\n"
        "                |  r--p 8 KiB libc.so.6   |    |    |  r--p 8 KiB libc.so.6   |\n"
        "   7f0000004000 +-------------------------+    |    +-------------------------+\n"
        "                |: rw-p 16 KiB anonymous :| ---+            16 KiB free\n"
        "   7f0000000000 +-------------------------+\n");
    free(text);
    layout_clear(&before);
    layout_clear(&after);
}

/* A shrink in place: the cut goes through both columns, so both ends of the arrow show it. */
static void a_shrink(void **state)
{
    struct layout before = {0}, after = {0};
    char *text = NULL;
    size_t size;
    (void)state;
    add(&before, AT(0), AT(4), rw, "");
    add(&after, AT(0), AT(1), rw, "");
    FILE *out = open_memstream(&text, &size);
    draw_change(out, &before, &after, (struct draw_range){AT(0), 4 * PAGE},
                (struct draw_range){AT(0), PAGE}, "a shrink", plain);
    fclose(out);
    assert_string_equal(
        text,
        "a shrink\n\n"
        "                          before                               after\n"
        "   7f0000004000 +-------------------------+\n"
        "                |: rw-p 16 KiB anonymous :|                 12 KiB free\n"
        "   7f0000001000 |:::::::::::::::::::::::::| ---+    +-------------------------+\n"
        "                |:::::::::::::::::::::::::|    +--> |: rw-p 4 KiB anonymous ::|\n"
        "   7f0000000000 +-------------------------+         +-------------------------+\n");
    free(text);
    layout_clear(&before);
    layout_clear(&after);
}

static void one_layout_and_nothing(void **state)
{
    struct layout layout = {0};
    char *text = NULL;
    size_t size;
    (void)state;
    FILE *out = open_memstream(&text, &size);
    draw_layout(out, &layout, (struct draw_range){AT(0), PAGE}, plain);
    add(&layout, AT(0), AT(1), rw | MW_VM_MAYSHARE, "");
    draw_layout(out, &layout, (struct draw_range){AT(0), PAGE}, plain);
    /* a range at the very top of the numbers, which no layout has */
    draw_layout(out, &layout, (struct draw_range){UINT64_MAX - 4095, 8192}, plain);
    fclose(out);
    assert_non_null(text);
    free(text);
    layout_clear(&layout);
}

static struct event mremap_event(uint64_t old, uint64_t old_size, uint64_t size, int64_t result)
{
    struct event e = {.kind = EVENT_CALL, .call = CALL_MREMAP, .result_known = true};
    e.arg[0] = old;
    e.arg[1] = old_size;
    e.arg[2] = size;
    e.result = result;
    return e;
}

static void what_is_worth_drawing(void **state)
{
    (void)state;
    struct event moved = mremap_event(AT(0), PAGE, PAGE, (int64_t)AT(5));
    struct event grown = mremap_event(AT(0), PAGE, 2 * PAGE, (int64_t)AT(0));
    struct event same = mremap_event(AT(0), PAGE, PAGE, (int64_t)AT(0));
    struct event failed = mremap_event(AT(0), PAGE, 2 * PAGE, -MW_ENOMEM);
    struct event unknown = moved;
    unknown.result_known = false;
    assert_true(draw_wanted(&moved));
    assert_true(draw_wanted(&grown));
    assert_false(draw_wanted(&same));
    assert_false(draw_wanted(&failed));
    assert_false(draw_wanted(&unknown));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move),
        cmocka_unit_test(a_shrink),
        cmocka_unit_test(one_layout_and_nothing),
        cmocka_unit_test(what_is_worth_drawing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
