/* SPDX-License-Identifier: MIT */
/* spare.c - host mappings to give up. */
#include "spare.h"

#include <errno.h>
#include <sys/mman.h>

#include "hostcall.h"

int mw_spare_make(unsigned char **spare, size_t page, size_t pages)
{
    unsigned char *at;

    if (*spare)
        return 0;
    at = mw_hostcall.map(NULL, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if ((void *)at == MAP_FAILED)
        return -ENOMEM;
    for (size_t i = 1; i < pages; i += 2)
        if (mw_hostcall.protect(at + i * page, page, PROT_READ) != 0) {
            mw_hostcall.unmap(at, pages * page);
            return -ENOMEM;
        }
    *spare = at;
    return 0;
}

/* The middle first: its ends are the mappings' own, which needs no room. */
void mw_spare_drop(unsigned char **spare, size_t page, size_t pages)
{
    if (!*spare)
        return;
    mw_hostcall.unmap(*spare + page, (pages - 2) * page);
    mw_hostcall.unmap(*spare, pages * page);
    *spare = NULL;
}
