/* SPDX-License-Identifier: MIT */
/* account.c - counters and limits. */
#include "vma/account.h"

bool account_is_data(uint64_t flags)
{
    return (flags & (MW_VM_WRITE | MW_VM_SHARED | MW_VM_GROWSDOWN)) == MW_VM_WRITE;
}

bool account_is_charged(uint64_t flags)
{
    return (flags & (MW_VM_NORESERVE | MW_VM_SHARED | MW_VM_WRITE | MW_VM_HUGETLB)) == MW_VM_WRITE;
}

static bool is_exec(uint64_t flags)
{
    return (flags & (MW_VM_EXEC | MW_VM_WRITE | MW_VM_GROWSDOWN)) == MW_VM_EXEC;
}

void account_add(struct mw_space *s, uint64_t flags, uint64_t pages)
{
    s->total += pages;
    if (is_exec(flags))
        s->exec += pages;
    else if (flags & MW_VM_GROWSDOWN)
        s->stack += pages;
    else if (account_is_data(flags))
        s->data += pages;
    if (flags & MW_VM_LOCKED)
        s->locked += pages;
    if (flags & MW_VM_ACCOUNT)
        s->committed += pages;
    if (flags & MW_VM_MIRRORED)
        s->mirrored += pages;
    if (flags & MW_VM_HUGETLB)
        s->huge += pages;
}

void account_sub(struct mw_space *s, uint64_t flags, uint64_t pages)
{
    account_add(s, flags, 0 - pages);
}

void account_lose_committed(struct mw_space *s, uint64_t pages)
{
    s->committed += pages;
    s->lost_committed += pages;
}

void account_lose_locked(struct mw_space *s, uint64_t pages)
{
    s->locked += pages;
    s->lost_locked += pages;
}

int account_room(const struct mw_space *s, uint64_t flags, uint64_t pages,
                 const struct account_sum *gone, struct mw_why *why)
{
    uint64_t as = to_pages(s, s->cfg.limit_as), limit = to_pages(s, s->cfg.limit_data);
    uint64_t total = add_ceil(s->total - (gone ? gone->pages : 0), pages);
    uint64_t data = add_ceil(s->data - (gone ? gone->data : 0), pages);

    if (total > as)
        return why_amount(why, WHY_limit_as, total, as);
    if (account_is_data(flags) && data > limit && space_has(s, ROW_DATA_LIMIT_COUNTS))
        return why_amount(why, WHY_limit_data, data, limit);
    return 0;
}

int account_commit(const struct mw_space *s, uint64_t pages, struct mw_why *why)
{
    if (s->cfg.overcommit == 0 && pages > s->cfg.ram_pages)
        return why_amount(why, WHY_commit, pages, s->cfg.ram_pages);
    if (s->cfg.overcommit == 2 && add_ceil(s->committed, pages) > s->cfg.commit_limit)
        return why_amount(why, WHY_commit, add_ceil(s->committed, pages), s->cfg.commit_limit);
    return 0;
}

int account_lock(const struct mw_space *s, uint64_t flags, uint64_t bytes,
                 const struct account_sum *gone, struct mw_why *why)
{
    uint64_t locked = s->locked - (gone ? gone->locked : 0), want = add_ceil(locked, to_pages(s, bytes));

    if (space_has(s, ROW_LOCK_SUM_WRAPS))
        want = to_pages(s, (locked << s->cfg.page_shift) + bytes);
    if (!(flags & MW_VM_LOCKED) || (s->cfg.caps & MW_CAP_IPC_LOCK))
        return 0;
    if (want <= to_pages(s, s->cfg.limit_memlock))
        return 0;
    return why_amount(why, WHY_lock_limit, want << s->cfg.page_shift, s->cfg.limit_memlock);
}
