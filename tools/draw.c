/* SPDX-License-Identifier: MIT */
/*
 * draw.c - pictures of address spaces; see draw.h. The addresses where anything
 * starts or ends, in either layout, cut the picture into rows that both columns
 * share; so what lies at the same height is at the same address.
 */
#include "draw.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

enum { WIDTH = 27, GUTTER = 9, MARGIN = 16, BEND = 4, EDGES = 64, TEXT = 64,
       LINES = 4 * EDGES };

/* A neighbour beyond this says nothing about the picture's subject. */
#define FAR (UINT64_C(1) << 30)

struct pen {
    FILE *out;
    struct draw_options options;
};

/* One of the two layouts, and which of its memory is the subject. */
struct column {
    const struct layout *layout;
    struct draw_range subject;
};

/* A line of the picture: an edge between two rows, or a part of a row. */
struct line {
    bool edge;
    uint64_t low, high; /* the row; an edge has its address in both */
    bool middle;        /* of a row: labels stand here */
};

struct picture {
    struct column column[2];
    int columns;
    uint64_t edge[EDGES]; /* falling */
    size_t edges;
    struct line line[LINES];
    size_t lines;
};

/* ---- edges ------------------------------------------------------------------ */

static void add_edge(struct picture *p, uint64_t addr)
{
    size_t at = 0;
    while (at < p->edges && p->edge[at] > addr)
        at++;
    if (p->edges == EDGES || (at < p->edges && p->edge[at] == addr))
        return;
    memmove(&p->edge[at + 1], &p->edge[at], (p->edges - at) * sizeof p->edge[0]);
    p->edge[at] = addr;
    p->edges++;
}

static bool has_edge(const struct picture *p, uint64_t addr)
{
    for (size_t i = 0; i < p->edges; i++)
        if (p->edge[i] == addr)
            return true;
    return false;
}

/* The mappings that touch the range, and one more to each side if it is not far. */
static void add_around(struct picture *p, const struct layout *layout, struct draw_range range)
{
    uint64_t end = range.start + range.size;
    if (range.size == 0 || layout->n == 0)
        return;
    size_t first = layout_find(layout, range.start), last = first;
    while (last < layout->n && layout->area[last].start < end)
        last++;
    if (first > 0 && range.start - layout->area[first - 1].end < FAR)
        first--;
    if (last < layout->n && layout->area[last].start - end < FAR)
        last++;
    for (size_t i = first; i < last; i++) {
        add_edge(p, layout->area[i].start);
        add_edge(p, layout->area[i].end);
    }
}

static void find_edges(struct picture *p)
{
    for (int c = 0; c < p->columns; c++) {
        struct draw_range subject = p->column[c].subject;
        if (subject.size != 0) {
            add_edge(p, subject.start);
            add_edge(p, subject.start + subject.size);
        }
    }
    for (int c = 0; c < p->columns; c++)
        for (int other = 0; other < p->columns; other++)
            add_around(p, p->column[c].layout, p->column[other].subject);
}

/* ---- what is where ----------------------------------------------------------- */

/* The shown mapping over [low, high), or NULL. */
static const struct area *area_at(const struct picture *p, int c, uint64_t low, uint64_t high)
{
    const struct layout *layout = p->column[c].layout;
    size_t at = layout_find(layout, low);
    if (at == layout->n)
        return NULL;
    const struct area *area = &layout->area[at];
    bool shown = has_edge(p, area->start) && has_edge(p, area->end);
    return shown && area->start <= low && high <= area->end ? area : NULL;
}

/* Mappings inside [low, high) that are not shown. */
static size_t hidden_in(const struct picture *p, int c, uint64_t low, uint64_t high)
{
    const struct layout *layout = p->column[c].layout;
    size_t n = 0;
    for (size_t i = layout_find(layout, low); i < layout->n && layout->area[i].start < high; i++)
        n++;
    return n;
}

static bool is_subject(const struct picture *p, int c, uint64_t low, uint64_t high)
{
    struct draw_range s = p->column[c].subject;
    return s.size != 0 && s.start <= low && high <= s.start + s.size;
}

/* ---- lines ------------------------------------------------------------------- */

/* Rows grow with the logarithm of what they show. */
static int row_height(const struct picture *p, uint64_t low, uint64_t high)
{
    bool used = false;
    for (int c = 0; c < p->columns; c++)
        used |= area_at(p, c, low, high) != NULL;
    int height = 1;
    for (uint64_t size = (high - low) >> 16; used && size != 0 && height < 3; size >>= 6)
        height++;
    return height;
}

static void find_lines(struct picture *p)
{
    for (size_t i = 0; i < p->edges; i++) {
        p->line[p->lines++] = (struct line){true, p->edge[i], p->edge[i], false};
        if (i + 1 == p->edges)
            break;
        int height = row_height(p, p->edge[i + 1], p->edge[i]);
        for (int h = 0; h < height; h++)
            p->line[p->lines++] =
                (struct line){false, p->edge[i + 1], p->edge[i], h == (height - 1) / 2};
    }
}

/* The line in whose middle the subject of a column stands. */
static size_t subject_line(const struct picture *p, int c)
{
    size_t first = p->lines, last = 0;
    for (size_t i = 0; i < p->lines; i++) {
        if (p->line[i].edge || !is_subject(p, c, p->line[i].low, p->line[i].high))
            continue;
        if (first == p->lines)
            first = i;
        last = i;
    }
    return first == p->lines ? p->lines : (first + last) / 2;
}

/* ---- text -------------------------------------------------------------------- */

static void size_text(uint64_t bytes, char *buf, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t whole = bytes, tenth = 0;
    while (whole >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        tenth = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit++;
    }
    if (tenth != 0 && whole < 100)
        snprintf(buf, size, "%" PRIu64 ".%" PRIu64 " %s", whole, tenth, units[unit]);
    else
        snprintf(buf, size, "%" PRIu64 " %s", whole, units[unit]);
}

static const char *area_name(const struct area *area)
{
    const char *slash = strrchr(area->path, '/');
    if (area->path[0] == '\0')
        return area->kind == AREA_ANON ? "anonymous" : "shared";
    return slash != NULL && slash[1] != '\0' ? slash + 1 : area->path;
}

static void area_label(const struct area *area, char *buf, size_t size)
{
    char mode[5], bytes[24];
    area_mode(area, mode);
    size_text(area->end - area->start, bytes, sizeof bytes);
    snprintf(buf, size, "%s %s %s", mode, bytes, area_name(area));
}

/* What stands in an empty place: how much is free, how many are left out. */
static void empty_label(const struct picture *p, int c, const struct line *line, char *buf,
                        size_t size)
{
    char bytes[24];
    size_t hidden = hidden_in(p, c, line->low, line->high);
    size_text(line->high - line->low, bytes, sizeof bytes);
    if (hidden != 0)
        snprintf(buf, size, "%zu more in %s", hidden, bytes);
    else
        snprintf(buf, size, "%s free", bytes);
}

/* Where a mapping of several rows has its label: its tallest, the first of them. */
static bool labels_here(const struct picture *p, int c, const struct line *line)
{
    const struct area *area = area_at(p, c, line->low, line->high);
    const struct line *best = NULL;
    int best_height = 0;
    if (area == NULL || !line->middle)
        return false;
    for (size_t i = 0; i < p->lines; i++) {
        const struct line *l = &p->line[i];
        if (!l->middle || l->low < area->start || l->high > area->end)
            continue;
        int height = row_height(p, l->low, l->high);
        if (best == NULL || height > best_height) {
            best = l;
            best_height = height;
        }
    }
    return best == line;
}

/* ---- ink --------------------------------------------------------------------- */

enum glyph { SIDE, FLAT, TOP_LEFT, TOP_RIGHT, LOW_LEFT, LOW_RIGHT, MID_LEFT, MID_RIGHT, SHADE,
             ARROW, BEND_DOWN, BEND_UP, BEND_FROM_UP, BEND_FROM_DOWN, GLYPHS };

static void ink(const struct pen *pen, enum glyph glyph)
{
    static const char *const plain[GLYPHS] = {"|", "-", "+", "+", "+", "+", "+", "+", ":",
                                              ">", "+", "+", "+", "+"};
    static const char *const fine[GLYPHS] = {"│", "─", "┌", "┐", "└", "┘", "├", "┤", "░",
                                             "▶", "┐", "┘", "┌", "└"};
    fputs(pen->options.utf8 ? fine[glyph] : plain[glyph], pen->out);
}

static void colour(const struct pen *pen, const char *code)
{
    if (pen->options.colour)
        fprintf(pen->out, "\033[%sm", code);
}

/* The subject stands out: what it was in yellow, what it became in green. */
static const char *subject_colour(const struct picture *p, int c)
{
    return p->columns == 2 && c == 0 ? "33" : "32";
}

static void repeat(const struct pen *pen, enum glyph glyph, int times)
{
    for (int i = 0; i < times; i++)
        ink(pen, glyph);
}

/* `text` in the middle of `width`, with `fill` (GLYPHS: blanks) around it. */
static void centred(const struct pen *pen, const char *text, int width, enum glyph fill)
{
    int length = (int)strlen(text);
    int blanks = fill != GLYPHS && length != 0 ? 1 : 0;
    if (length > width - 2 * blanks)
        length = width - 2 * blanks;
    int left = (width - length) / 2 - blanks, right = width - length - left - 2 * blanks;
    if (fill == GLYPHS) {
        fprintf(pen->out, "%*s%.*s%*s", left, "", length, text, right, "");
        return;
    }
    repeat(pen, fill, left);
    fprintf(pen->out, "%*s%.*s%*s", blanks, "", length, text, blanks, "");
    repeat(pen, fill, right);
}

static void cell_edge(const struct pen *pen, const struct picture *p, int c, size_t i)
{
    const struct line *line = &p->line[i];
    const struct area *above = NULL, *below = NULL;
    if (i > 0)
        above = area_at(p, c, p->line[i - 1].low, p->line[i - 1].high);
    if (i + 1 < p->lines)
        below = area_at(p, c, p->line[i + 1].low, p->line[i + 1].high);
    bool inside = above != NULL && above == below && line->low != above->start;
    if (above == NULL && below == NULL) {
        fprintf(pen->out, "%*s", WIDTH, "");
        return;
    }
    if (inside) {
        bool dark = is_subject(p, c, p->line[i - 1].low, p->line[i - 1].high) &&
                    is_subject(p, c, p->line[i + 1].low, p->line[i + 1].high);
        ink(pen, SIDE);
        centred(pen, "", WIDTH - 2, dark ? SHADE : GLYPHS);
        ink(pen, SIDE);
        return;
    }
    ink(pen, above == NULL ? TOP_LEFT : below == NULL ? LOW_LEFT : MID_LEFT);
    repeat(pen, FLAT, WIDTH - 2);
    ink(pen, above == NULL ? TOP_RIGHT : below == NULL ? LOW_RIGHT : MID_RIGHT);
}

static void cell_row(const struct pen *pen, const struct picture *p, int c, size_t i)
{
    const struct line *line = &p->line[i];
    const struct area *area = area_at(p, c, line->low, line->high);
    char label[TEXT] = "";
    if (area == NULL) {
        if (line->middle)
            empty_label(p, c, line, label, sizeof label);
        colour(pen, "2");
        centred(pen, label, WIDTH, GLYPHS);
        colour(pen, "0");
        return;
    }
    bool subject = is_subject(p, c, line->low, line->high);
    if (labels_here(p, c, line))
        area_label(area, label, sizeof label);
    ink(pen, SIDE);
    if (subject)
        colour(pen, subject_colour(p, c));
    centred(pen, label, WIDTH - 2, subject ? SHADE : GLYPHS);
    if (subject)
        colour(pen, "0");
    ink(pen, SIDE);
}

static void blanks(const struct pen *pen, int n)
{
    fprintf(pen->out, "%*s", n, "");
}

/* Where the arrow leaves (`from` is this line), bends, or goes straight across. */
static void gutter_start(const struct pen *pen, size_t from, size_t to)
{
    blanks(pen, 1);
    repeat(pen, FLAT, BEND - 1);
    if (from == to) {
        repeat(pen, FLAT, GUTTER - BEND - 2);
        ink(pen, ARROW);
        blanks(pen, 1);
    } else {
        ink(pen, from < to ? BEND_DOWN : BEND_UP);
        blanks(pen, GUTTER - BEND - 1);
    }
}

/* Line `i` of an arrow that leaves at line `from` and arrives at line `to`. */
static void gutter(const struct pen *pen, size_t i, size_t from, size_t to)
{
    size_t first = from < to ? from : to, last = from < to ? to : from;
    if (i < first || i > last) {
        blanks(pen, GUTTER);
    } else if (i == from) {
        gutter_start(pen, from, to);
    } else if (i == to) {
        blanks(pen, BEND);
        ink(pen, from < to ? BEND_FROM_DOWN : BEND_FROM_UP);
        repeat(pen, FLAT, GUTTER - BEND - 3);
        ink(pen, ARROW);
        blanks(pen, 1);
    } else {
        blanks(pen, BEND);
        ink(pen, SIDE);
        blanks(pen, GUTTER - BEND - 1);
    }
}

/* ---- pictures ---------------------------------------------------------------- */

static void draw_line(const struct pen *pen, const struct picture *p, size_t i, size_t from,
                      size_t to)
{
    if (p->line[i].edge)
        fprintf(pen->out, "%15" PRIx64 " ", p->line[i].low);
    else
        blanks(pen, MARGIN);
    for (int c = 0; c < p->columns; c++) {
        if (c == 1)
            gutter(pen, i, from, to);
        if (p->line[i].edge)
            cell_edge(pen, p, c, i);
        else
            cell_row(pen, p, c, i);
    }
    fputc('\n', pen->out);
}

static void draw_lines(const struct pen *pen, const struct picture *p)
{
    size_t from = subject_line(p, 0), to = p->columns == 2 ? subject_line(p, 1) : p->lines;
    if (from == p->lines || to == p->lines) /* no arrow */
        from = to = p->lines;
    for (size_t i = 0; i < p->lines; i++)
        draw_line(pen, p, i, from, to);
}

/* Copies text without the blanks before each end of line. */
static void copy_trimmed(FILE *out, const char *text, size_t size)
{
    size_t pending = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == ' ') {
            pending++;
            continue;
        }
        if (text[i] != '\n')
            fprintf(out, "%*s", (int)pending, "");
        pending = 0;
        fputc(text[i], out);
    }
}

/* Lays out and draws; `heading` may be NULL. */
static void draw(FILE *out, struct picture *p, const char *heading, struct draw_options options)
{
    char *text = NULL;
    size_t size = 0;
    struct pen pen = {open_memstream(&text, &size), options};
    if (pen.out == NULL)
        return;
    find_edges(p);
    find_lines(p);
    if (heading != NULL) {
        fprintf(pen.out, "%s\n\n", heading);
        blanks(&pen, MARGIN);
        centred(&pen, "before", WIDTH, GLYPHS);
        blanks(&pen, GUTTER);
        centred(&pen, "after", WIDTH, GLYPHS);
        fputc('\n', pen.out);
    }
    draw_lines(&pen, p);
    if (fclose(pen.out) == 0)
        copy_trimmed(out, text, size);
    free(text);
}

void draw_layout(FILE *out, const struct layout *layout, struct draw_range range,
                 struct draw_options options)
{
    struct picture picture = {.columns = 1, .column = {{layout, range}}};
    draw(out, &picture, NULL, options);
}

void draw_change(FILE *out, const struct layout *before, const struct layout *after,
                 struct draw_range from, struct draw_range to, const char *title,
                 struct draw_options options)
{
    struct picture picture = {.columns = 2, .column = {{before, from}, {after, to}}};
    draw(out, &picture, title, options);
}

struct draw_options draw_options_of(FILE *out)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    struct draw_options options = {false, false};
    if (!isatty(fileno(out)))
        return options;
    const char *term = getenv("TERM"), *lang = NULL;
    for (size_t i = 0; i < 3 && (lang == NULL || *lang == '\0'); i++)
        lang = getenv(names[i]);
    options.utf8 = lang != NULL && (strcasestr(lang, "utf-8") || strcasestr(lang, "utf8"));
    options.colour = term != NULL && strcmp(term, "dumb") != 0 && getenv("NO_COLOR") == NULL;
    return options;
}

bool draw_wanted(const struct event *e)
{
    bool succeeded = e->result_known && (e->result > 0 || e->result < -4095);
    return e->kind == EVENT_CALL && e->call == CALL_MREMAP && succeeded &&
           ((uint64_t)e->result != e->arg[0] || e->arg[1] != e->arg[2]);
}

static uint64_t pages(uint64_t bytes)
{
    return bytes > UINT64_MAX - 4095 ? bytes : (bytes + 4095) & ~UINT64_C(4095);
}

void draw_picture(FILE *out, const struct draw_picture *picture)
{
    const struct event *e = &picture->event;
    char title[512];
    if (!draw_wanted(e)) {
        fputs("No mremap moved or resized anything: nothing to draw.\n", out);
        return;
    }
    event_text(e, title, sizeof title);
    struct draw_range from = {e->arg[0], pages(e->arg[1])};
    struct draw_range to = {(uint64_t)e->result, pages(e->arg[2])};
    fputc('\n', out);
    draw_change(out, &picture->before, &picture->after, from, to, title, draw_options_of(out));
}

void draw_picture_clear(struct draw_picture *picture)
{
    layout_clear(&picture->before);
    layout_clear(&picture->after);
}
