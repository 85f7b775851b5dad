/* SPDX-License-Identifier: MIT */
/* reason.h - how a call says why it fails. */
#ifndef MW_LINUX_REASON_H
#define MW_LINUX_REASON_H

#include "mapwright/mapwright.h"

enum reason {
#define REASON(name, err, rule, text) WHY_##name,
#include "linux/reason.def"
#undef REASON
    WHY_COUNT
};

/* Linux tells errors from addresses by it. */
enum { ERRNO_MAX = 4095 };

/* Nothing failed (yet). */
static inline void why_clear(struct mw_why *why)
{
    if (why)
        *why = (struct mw_why){ 0 };
}

/*
 * Notes a reason and returns its -errno. `at` is the range concerned, `have`
 * and `limit` what the text speaks of.
 */
int why_fail(struct mw_why *why, enum reason reason, struct mw_range at, uint64_t have,
             uint64_t limit);

/* The same with no range, or no amounts. */
int why_amount(struct mw_why *why, enum reason reason, uint64_t have, uint64_t limit);
int why_at(struct mw_why *why, enum reason reason, uint64_t start, uint64_t end);
int why_plain(struct mw_why *why, enum reason reason);

#endif
