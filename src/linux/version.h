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

_Static_assert(ROW_COUNT <= 64, "a space keeps its rows in one word");

/* The rows that hold for a version, one bit each. */
uint64_t version_rows(uint32_t version, bool defects);

/* The first version above this one at which a row begins or ends. UINT32_MAX: none. */
uint32_t version_next(uint32_t version);

#endif
