/* SPDX-License-Identifier: MIT */
/* discard.h - pages that are given up while their mapping stays. */
#ifndef MW_SPACE_DISCARD_H
#define MW_SPACE_DISCARD_H

#include "space/space.h"

/*
 * Drops the pages of `at`, whole pages of `v`: private memory reads as it was
 * mapped again, of a shared object nothing is lost. A mirror's pages go from
 * all their addresses. False: no huge pages could be set aside again, because
 * a child has them; nothing has changed.
 */
bool discard_pages(struct mw_space *s, const struct mw_vma *v, struct mw_range at);

/*
 * Drops the pages of `at`, and puts guards in their place: no access passes
 * them until they are taken away or unmapped. False: no memory; `at` is what is left.
 */
bool discard_behind_guards(struct mw_space *s, struct mw_range *at);

/* Takes the guards in `at` away: the pages are absent. */
void discard_guards(struct mw_space *s, struct mw_range at);

/*
 * Drops the pages that any space maps of `o` from `offset` on, a multiple of
 * its page, private copies too. False: no memory; nothing has changed.
 */
bool discard_beyond(struct mw_object *o, uint64_t offset);

/*
 * Empties what `at` maps of the shared object of `v`, for everyone. False: no
 * memory for it; some may be empty.
 */
bool discard_content(struct mw_space *s, const struct mw_vma *v, struct mw_range at);

#endif
