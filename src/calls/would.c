/* SPDX-License-Identifier: MIT */
/* would.c - what another version would answer. */
#include "linux/reason.h"
#include "space/clone.h"
#include "space/space.h"

static int64_t perform(struct mw_space *s, const struct mw_call *c, struct mw_why *why)
{
    const uint64_t *a = c->arg;

    switch (c->name) {
    case MW_CALL_MMAP:
        return mw_mmap(s, a[0], a[1], a[2], a[3], c->file, a[5], why);
    case MW_CALL_MUNMAP:
        return mw_munmap(s, a[0], a[1], why);
    case MW_CALL_MPROTECT:
        return mw_mprotect(s, a[0], a[1], a[2], why);
    case MW_CALL_BRK:
        return (int64_t)mw_brk(s, a[0], why);
    case MW_CALL_MREMAP:
        return mw_mremap(s, a[0], a[1], a[2], a[3], a[4], why);
    }
    return why_plain(why, WHY_not_modelled);
}

int64_t mw_would(const struct mw_space *s, uint32_t linux_version, const struct mw_call *call,
                 struct mw_why *why)
{
    struct mw_space *locked = (struct mw_space *)(uintptr_t)s, *copy;
    int64_t result;

    why_clear(why);
    space_enter(locked);
    copy = space_clone(s, linux_version);
    space_leave(locked);
    if (!copy)
        return why_plain(why, WHY_no_memory);
    result = perform(copy, call, why);
    space_enter(locked);
    mw_space_destroy(copy); /* lets go of objects that the space maps too */
    space_leave(locked);
    return result;
}
