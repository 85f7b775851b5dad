/* SPDX-License-Identifier: MIT */
/* account.h - how many pages of which kind, and the limits on them. */
#ifndef MW_SPACE_ACCOUNT_H
#define MW_SPACE_ACCOUNT_H

#include "vma/space.h"

/* Counts a VMA of these flags, `pages` long, in or out. */
void account_add(struct mw_space *s, uint64_t flags, uint64_t pages);
void account_sub(struct mw_space *s, uint64_t flags, uint64_t pages);

/* What is mapped in a range, in pages: all, of them RLIMIT_DATA counts, of them promised, and locked. */
struct account_sum {
    uint64_t pages, data, charged, locked;
};

/* Is private writable memory, which RLIMIT_DATA counts? */
bool account_is_data(uint64_t flags);

/* Kinds of memory that are what the kernel made them; no call merges, cuts or locks them as others. */
#define SPECIAL (MW_VM_IO | MW_VM_DONTEXPAND | MW_VM_PFNMAP | MW_VM_MIXEDMAP)

/* Kinds of memory that are never locked, whatever asks for it. */
#define NEVER_LOCKED (SPECIAL | MW_VM_HUGETLB | MW_VM_DROPPABLE)

/* Does memory of these flags have to be promised (VM_ACCOUNT)? */
bool account_is_charged(uint64_t flags);

/* Pages that stay promised or locked for ever, though nothing maps them (defects of Linux). */
void account_lose_committed(struct mw_space *s, uint64_t pages);
void account_lose_locked(struct mw_space *s, uint64_t pages);

/*
 * May the space grow by `pages` of these flags (RLIMIT_AS, RLIMIT_DATA), once
 * `gone` (may be NULL) is unmapped? 0 or -ENOMEM.
 */
int account_room(const struct mw_space *s, uint64_t flags, uint64_t pages,
                 const struct account_sum *gone, struct mw_why *why);

/* May `pages` more be promised (overcommit)? 0 or -ENOMEM. */
int account_commit(const struct mw_space *s, uint64_t pages, struct mw_why *why);

/* May `bytes` more be locked, if the flags say locked (RLIMIT_MEMLOCK), `gone` as above? 0 or -EAGAIN. */
int account_lock(const struct mw_space *s, uint64_t flags, uint64_t bytes,
                 const struct account_sum *gone, struct mw_why *why);

#endif
