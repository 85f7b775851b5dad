/* SPDX-License-Identifier: MIT */
/* mirrors.h - pages of mirrors that lose their last address. */
#ifndef MW_SPACE_MIRRORS_H
#define MW_SPACE_MIRRORS_H

#include "vma/space.h"

/* [start, end), whose page-table entries are gone, is about to be removed. */
void mirrors_trim(struct mw_space *s, uint64_t start, uint64_t end);

#endif
