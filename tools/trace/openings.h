/* SPDX-License-Identifier: MIT */
/*
 * openings.h - tells apart the open files that a program maps. Linux merges
 * two mappings of a file only if they came from the same open(2) (the same
 * "open file description"), which no number in /proc shows.
 */
#ifndef MAPWRIGHT_TOOLS_OPENINGS_H
#define MAPWRIGHT_TOOLS_OPENINGS_H

#include <sys/types.h>

#include "event.h"
#include "mapwright/mapwright.h"

/*
 * The object of the open file behind descriptor fd of process tgid, which was
 * just mapped: the same for the same open file. A reference that the caller
 * drops by mw_object_put; the object ends with the last mapping. NULL: it
 * can't be told (an old kernel, no more descriptors).
 */
struct mw_object *openings_get(pid_t tgid, int fd, const struct event_file *file, uint32_t flags);

/*
 * The object of a mapping that is an opening of its own: an attachment of a
 * SysV segment, an aio ring. The reference and the end are as above. NULL: out of memory.
 */
struct mw_object *openings_new(const struct event_file *file, uint32_t flags);

/* Lets this process have as many descriptors as it may. */
void openings_prepare(void);

#endif
