/* SPDX-License-Identifier: MIT */
/*
 * draw.h - pictures of a piece of an address space in 80 columns of text: boxes
 * from high addresses down to low ones, taller for larger mappings, with what
 * is far away left out; and what an mremap did, before and after side by side.
 *
 * For `--draw`: before each call that draw_wanted likes, fill picture.before by
 * model_layout; after it, picture.after and picture.event. The first such call
 * is enough. At the end draw_picture and draw_picture_clear.
 */
#ifndef MAPWRIGHT_TOOLS_DRAW_H
#define MAPWRIGHT_TOOLS_DRAW_H

#include <stdbool.h>
#include <stdio.h>

#include "layout.h"
#include "trace/event.h"

struct draw_options {
    bool utf8;   /* box drawing characters instead of + - | */
    bool colour; /* escape sequences of a terminal */
};

/* UTF-8 and colours where `out` is a terminal that takes them; plain otherwise. */
struct draw_options draw_options_of(FILE *out);

/* A range that a picture is about; size 0: none. */
struct draw_range {
    uint64_t start, size;
};

/* The mappings that touch `range`, and their neighbours. */
void draw_layout(FILE *out, const struct layout *layout, struct draw_range range,
                 struct draw_options options);

/* Two layouts side by side, with an arrow from `from` in the first to `to` in the second. */
void draw_change(FILE *out, const struct layout *before, const struct layout *after,
                 struct draw_range from, struct draw_range to, const char *title,
                 struct draw_options options);

/* One mremap and the layouts around it. Zero-initialise. */
struct draw_picture {
    struct layout before, after;
    struct event event;
};

/* Whether the event is an mremap that succeeded and moved or resized something. */
bool draw_wanted(const struct event *event);

/* Draws it as draw_options_of says; says so if there is none. */
void draw_picture(FILE *out, const struct draw_picture *picture);
void draw_picture_clear(struct draw_picture *picture);

#endif
