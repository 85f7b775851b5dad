/* SPDX-License-Identifier: MIT */
/* reader.h - what a call tells readers before it ends. */
#ifndef MW_SPACE_READER_H
#define MW_SPACE_READER_H

#include "space/space.h"

/* Tells readers what has become stale: from here on they start no access with it. */
void readers_tell(struct mw_space *s);

/* After the port's flush, which may have waited for them. */
void readers_told(struct mw_space *s);

#endif
