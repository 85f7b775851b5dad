/* SPDX-License-Identifier: MIT */
/* clone.h - a copy of a space's layout, to try calls on. */
#ifndef MW_SPACE_CLONE_H
#define MW_SPACE_CLONE_H

#include "vma/space.h"

/*
 * A layout-only space with the same mappings, counters and limits, that
 * behaves as `linux_version`. The caller's, by space_end. NULL: no memory.
 */
struct mw_space *space_clone(const struct mw_space *s, uint32_t linux_version);

#endif
