/* SPDX-License-Identifier: MIT */
/* version.h - asks whether a space's Linux version has a behaviour. */
#ifndef MW_LINUX_VERSION_H
#define MW_LINUX_VERSION_H

#include "mapwright/mapwright.h"

enum version_row {
#define ROW(name, since, until, kind, text) ROW_##name,
#include "linux/version.def"
#undef ROW
    ROW_COUNT
};

/* A set of rows, one bit each. */
enum { ROW_WORDS = (ROW_COUNT + 63) / 64 };

struct rows {
    uint64_t word[ROW_WORDS];
};

static inline void rows_add(struct rows *set, enum version_row row)
{
    set->word[row / 64] |= 1ull << row % 64;
}

static inline bool rows_have(const struct rows *set, enum version_row row)
{
    return set->word[row / 64] >> row % 64 & 1;
}

/* The rows that hold for a version. */
struct rows version_rows(uint32_t version, bool defects);

/* The first version above this one at which a row begins or ends. UINT32_MAX: none. */
uint32_t version_next(uint32_t version);

/* What userfaultfd has in a version: features, and modes of registration (WATCH-1, WATCH-2). */
uint64_t version_watch_features(uint32_t version);
uint64_t version_watch_modes(uint32_t version);

#endif
