/* SPDX-License-Identifier: MIT */
/*
 * spare.h - host mappings to give up when what was done has to be undone.
 *
 * At vm.max_map_count mmap is refused even where it would make mappings fewer, so that
 * there would be no way back.
 */
#ifndef MW_LIVE_SPARE_H
#define MW_LIVE_SPARE_H

#include <stddef.h>

/* A row of `pages` pages, every other one of another protection; nothing where there is one. 0 or -ENOMEM. */
int mw_spare_make(unsigned char **spare, size_t page, size_t pages);

/* Gives up pages - 2 mappings at least. */
void mw_spare_drop(unsigned char **spare, size_t page, size_t pages);

#endif
