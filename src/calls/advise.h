/* SPDX-License-Identifier: MIT */
/* advise.h - madvise within another call. */
#ifndef MW_CALLS_ADVISE_H
#define MW_CALLS_ADVISE_H

#include "space/space.h"

/* Does this Linux know the advice? 0 or -EINVAL. */
int advice_check(const struct mw_space *s, uint64_t advice, struct mw_why *why);

/* madvise of a range: 0 or -errno. */
int advise_range(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t advice,
                 struct mw_why *why);

#endif
