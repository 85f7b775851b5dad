/* SPDX-License-Identifier: MIT */
/* writeback.h - what was written through mappings goes where the object lives. */
#ifndef MW_SPACE_WRITEBACK_H
#define MW_SPACE_WRITEBACK_H

#include "space/space.h"

/*
 * Writes back what any space has written to `offsets` of `o`, whole pages of
 * it; who writes again faults. 0, -EIO or -ENOSPC: the first failure.
 */
int write_back(struct mw_object *o, struct mw_range offsets);

#endif
