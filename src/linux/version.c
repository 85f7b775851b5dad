/* SPDX-License-Identifier: MIT */
/* version.c - the table of differences between Linux versions. */
#include "linux/version.h"

enum row_kind { RULE, DEFECT };

static const struct {
    uint32_t since, until;
    enum row_kind kind;
} rows[] = {
#define ROW(name, since, until, kind, text) { since, until, kind },
#include "linux/version.def"
#undef ROW
};

struct rows version_rows(uint32_t version, bool defects)
{
    struct rows set = { 0 };

    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].kind == DEFECT && !defects)
            continue;
        if (version >= rows[i].since && (!rows[i].until || version < rows[i].until))
            rows_add(&set, (enum version_row)i);
    }
    return set;
}

/* The lower of two versions, of which `v` only counts above `version`. */
static uint32_t nearest(uint32_t version, uint32_t v, uint32_t so_far)
{
    return v > version && v < so_far ? v : so_far;
}

uint32_t version_next(uint32_t version)
{
    uint32_t next = UINT32_MAX;

    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        next = nearest(version, rows[i].since, next);
        next = nearest(version, rows[i].until, next);
    }
    return next;
}

size_t mw_linux_versions(uint32_t *versions, size_t room)
{
    uint32_t v = MW_LINUX_OLDEST;
    size_t n = 0;

    for (; v < MW_LINUX_NEWEST; v = version_next(v), n++)
        if (n < room)
            versions[n] = v;
    if (n < room)
        versions[n] = MW_LINUX_NEWEST;
    return n + 1;
}
