/* SPDX-License-Identifier: MIT */
/* show.c - a disagreement for people: the calls, both answers, both layouts, the rule. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

#include "../draw.h"

static void answer(const struct disagreement *d, const struct step *s, int64_t value, char *buf,
                   size_t size)
{
    bool call = s->kind < STEP_CALLS || s->kind == STEP_WATCHER;
    if (strncmp(d->what, "the signal", 10) == 0 && value >= 0 && value <= MET_OTHER)
        snprintf(buf, size, "%s", met_name[value]);
    else if (call && value < 0 && value > -4096 && s->kind != STEP_BRK)
        snprintf(buf, size, "%s", strcmp(mw_errno_name((int)-value), "E?") == 0
                                      ? "an unknown errno"
                                      : mw_errno_name((int)-value));
    else if (value >= (int64_t)ARENA && value < (int64_t)ZONE_HIGH)
        snprintf(buf, size, "A(%lld)", (long long)(value - (int64_t)ARENA) / (long long)PAGE);
    else
        snprintf(buf, size, value > 99999 ? "0x%llx" : "%lld", (long long)value);
}

static void row(const char *who, const struct seen *a, int n)
{
    printf("  %-7s", who);
    for (int i = 0; i < n; i++) {
        static const char *const kind[] = { "other", "shared", "anon" };
        int64_t from = (int64_t)(a[i].start - ARENA) / (int64_t)PAGE;
        if (a[i].start >= ZONE_LOW && a[i].end <= ZONE_HIGH)
            printf(" [%lld,%lld)", (long long)from,
                   (long long)from + (long long)((a[i].end - a[i].start) / PAGE));
        else
            printf(" [0x%llx,0x%llx)", (unsigned long long)a[i].start,
                   (unsigned long long)a[i].end);
        printf("%c%c%c%c", a[i].prot & 1 ? 'r' : '-', a[i].prot & 2 ? 'w' : '-',
               a[i].prot & 4 ? 'x' : '-', a[i].prot & 8 ? 's' : 'p');
        if (a[i].file >= 0)
            printf(":%s@%llu", file_name[a[i].file], (unsigned long long)(a[i].offset / PAGE));
        else if (a[i].file != AREA_ANONYMOUS)
            printf(":%s", kind[a[i].file + 3]);
    }
    printf("%s\n", n ? "" : " (nothing)");
}

static void to_layout(struct layout *l, const struct seen *a, int n)
{
    for (int i = 0; i < n; i++) {
        struct area area;
        memset(&area, 0, sizeof area);
        area.start = a[i].start;
        area.end = a[i].end;
        area.offset = a[i].offset;
        area.flags = a[i].prot & 7u;
        if (a[i].prot & 8)
            area.flags |= MW_VM_MAYSHARE;
        area.kind = a[i].file == AREA_ANONYMOUS ? AREA_ANON : AREA_FILE;
        area.path = (char *)(uintptr_t)(a[i].file >= 0                       ? file_name[a[i].file]
                                        : a[i].file == AREA_SHARED_ANONYMOUS ? "shared memory"
                                                                             : "");
        layout_add(l, &area);
    }
}

/* From the first mapping to the last; the pictures leave out what is empty. */
static struct draw_range hull(const struct layout *l)
{
    return (struct draw_range){ l->area[0].start, l->area[l->n - 1].end - l->area[0].start };
}

static void draw(const struct disagreement *d)
{
    struct layout system = { 0 }, engine = { 0 };
    to_layout(&system, d->system_area, d->system_areas);
    to_layout(&engine, d->engine_area, d->engine_areas);
    if (system.n > 0 && system.n < 10 && engine.n > 0 && engine.n < 10 &&
        strcmp(d->what, "layout") == 0)
        draw_change(stdout, &engine, &system, hull(&engine), hull(&system),
                    "mappings: Linux on the left, this system on the right",
                    draw_options_of(stdout));
    layout_clear(&system);
    layout_clear(&engine);
}

void show_disagreement(const struct slot *slot, uint64_t seed, uint64_t number)
{
    const struct disagreement *d = &slot->d;
    const struct step *last = &slot->episode.step[d->step];
    char text[512], by[64];
    printf("\nDISAGREEMENT (--seed %llu --episode %llu): %s of the last call",
           (unsigned long long)seed, (unsigned long long)number, d->what);
    printf(d->addr ? ", at A(0) + 0x%llx\n" : "\n", (unsigned long long)(d->addr - ARENA));
    printf("  A(n) is page n of the arena, 0x%llx + n * P; P is %llu\n",
           (unsigned long long)ARENA, (unsigned long long)PAGE);
    for (int i = 0; i <= d->step; i++) {
        if (slot->episode.step[i].dropped || slot->episode.step[i].skipped)
            continue;
        step_text(&slot->episode.step[i], text, sizeof text);
        printf("    %s\n", text);
    }
    answer(d, last, d->system, by, sizeof by);
    printf("  system  %s\n", by);
    answer(d, last, d->engine, by, sizeof by);
    printf("  Linux   %s", by);
    if (d->why.err != 0) {
        mw_why_text(&d->why, text, sizeof text);
        printf("   (%s: %s)", mw_why_rule(&d->why), text);
    }
    printf("\n");
    row("system", d->system_area, d->system_areas);
    row("Linux", d->engine_area, d->engine_areas);
    draw(d);
}
