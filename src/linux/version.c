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

uint64_t version_rows(uint32_t version, bool defects)
{
    uint64_t set = 0;

    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].kind == DEFECT && !defects)
            continue;
        if (version >= rows[i].since && (!rows[i].until || version < rows[i].until))
            set |= 1ull << i;
    }
    return set;
}
