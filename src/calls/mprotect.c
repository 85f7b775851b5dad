/* SPDX-License-Identifier: MIT */
/*
 * mprotect.c - mprotect(2) and pkey_mprotect(2).
 *
 * Linux applies it mapping by mapping and stops at the first that refuses, so
 * the decision is made for each as it is reached. Rules MPROT-1..7 and PKEY-3..5.
 */
#include "calls/pkey.h"
#include "calls/unmap.h"
#include "space/fault.h"
#include "vma/account.h"
#include "vma/edit.h"

#define PROT_RWX (MW_PROT_READ | MW_PROT_WRITE | MW_PROT_EXEC)
#define GROWS (MW_PROT_GROWSDOWN | MW_PROT_GROWSUP)

/* The protection that is asked for, and the key; -1: whichever goes with it. */
struct wanted {
    uint64_t prot;
    int32_t key;
};

static int check_arguments(const struct mw_space *s, uint64_t addr, uint64_t length,
                           uint64_t prot, uint64_t *end, struct mw_why *why)
{
    *end = addr + round_up(s, length);
    if ((prot & GROWS) == GROWS)
        return why_plain(why, WHY_prot_grows_both);
    if (!aligned(s, addr))
        return why_at(why, WHY_addr_unaligned, addr, addr);
    if (!length)
        return 0;
    if (*end <= addr)
        return why_fail(why, WHY_prot_wraps, (struct mw_range){ addr, addr }, length, 0);
    if (prot & ~(uint64_t)(PROT_RWX | MW_PROT_SEM | GROWS))
        return why_amount(why, WHY_prot_unknown, prot, 0);
    return 0;
}

/* PROT_GROWSDOWN extends the range to the start of a growing mapping. `c` is the place of the first. */
static int check_start(struct cursor c, uint64_t *start, uint64_t end, uint64_t prot, struct mw_why *why)
{
    const struct mw_vma *v = tree_at(c);

    if (!v || v->start >= end)
        return why_at(why, WHY_prot_hole, *start, end);
    if (prot & MW_PROT_GROWSDOWN) {
        if (!(v->flags & MW_VM_GROWSDOWN))
            return why_at(why, WHY_prot_not_growing, v->start, v->end);
        *start = v->start;
        return 0;
    }
    if (v->start > *start)
        return why_at(why, WHY_prot_hole, *start, end);
    if (prot & MW_PROT_GROWSUP)
        return why_at(why, WHY_prot_not_growing, v->start, v->end);
    return 0;
}

/* The key, and whether the memory is for execution only. */
static uint64_t key_flags(const struct mw_space *s, const struct mw_vma *v, struct wanted wanted)
{
    uint64_t flags = 0;

    if (wanted.key >= 0)
        return PKEY_FLAGS(wanted.key);
    if ((wanted.prot & ~(uint64_t)GROWS) == MW_PROT_EXEC)
        flags = pkey_exec_flags(s);
    return flags || (v->flags & MW_VM_EXEC_ONLY) ? flags : v->flags & MW_VM_PKEY;
}

/* The flags that `v` gets; what the caller may not have is refused. */
static uint64_t new_flags(const struct mw_space *s, const struct mw_vma *v, struct wanted wanted)
{
    uint64_t access = (wanted.prot & PROT_RWX) | key_flags(s, v, wanted);

    if ((s->cfg.options & MW_OPT_NO_NX) && (wanted.prot & MW_PROT_READ) && (v->flags & MW_VM_MAYEXEC))
        access |= MW_VM_EXEC;
    return (v->flags & ~(MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC | MW_VM_EXEC_ONLY | MW_VM_PKEY)) | access;
}

/* Memory that becomes writable is promised; untouched memory that becomes read-only no longer. */
static int recharge(const struct mw_space *s, const struct mw_vma *v, uint64_t pages,
                    uint64_t *flags, struct mw_why *why)
{
    const uint64_t settled = MW_VM_ACCOUNT | MW_VM_WRITE | MW_VM_HUGETLB | MW_VM_SHARED |
                             MW_VM_NORESERVE;

    if (!(*flags & MW_VM_WRITE)) {
        if (space_has(s, ROW_READONLY_GIVES_BACK) && is_anonymous(v) && !v->anon)
            *flags &= ~MW_VM_ACCOUNT;
        return 0;
    }
    if (account_room(s, *flags, pages, NULL, NULL) && !account_room(s, v->flags, pages, NULL, NULL))
        return account_room(s, *flags, pages, NULL, why);
    if (v->flags & settled)
        return 0;
    *flags |= MW_VM_ACCOUNT;
    return account_commit(s, pages, why);
}

static int decide_one(const struct mw_space *s, const struct mw_vma *v, struct mw_range at,
                      struct wanted wanted, uint64_t *flags, struct mw_why *why)
{
    *flags = new_flags(s, v, wanted);
    if (*flags & ~(*flags >> 4) & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC))
        return why_at(why, WHY_prot_not_allowed, v->start, v->end);
    if (v->flags & MW_VM_SEALED)
        return why_at(why, WHY_sealed, v->start, v->end);
    if (*flags == v->flags)
        return 0;
    return recharge(s, v, to_pages(s, at.end - at.start), flags, why);
}

static int commit_one(struct mw_space *s, struct cursor c, struct mw_range at, uint64_t flags,
                      struct mw_why *why)
{
    uint64_t old = tree_at(c)->flags;

    if (!edit_modify_at(s, c, at.start, at.end, flags, true))
        return why_fail(why, WHY_prot_split, at, s->tree.count, s->cfg.max_map_count);
    pmap_protect(&s->pmap, at.start, at.end, flags);
    space_flush(s, at.start, at.end);
    if ((old & (MW_VM_WRITE | MW_VM_SHARED | MW_VM_LOCKED | MW_VM_LOCKONFAULT)) == MW_VM_LOCKED &&
        (flags & MW_VM_WRITE))
        fault_populate(s, at.start, at.end);
    return 0;
}

/* From mapping to mapping, the first of them at `c`, up to the first that is missing or refuses. */
static int apply(struct mw_space *s, struct cursor c, uint64_t start, uint64_t end,
                 struct wanted wanted, struct mw_why *why)
{
    for (;; c = tree_find(&s->tree, start)) {
        const struct mw_vma *v = tree_at(c);
        struct mw_range at = { start, end };
        uint64_t flags;
        int err;

        if (!v || v->start > start)
            return why_at(why, WHY_prot_hole, start, end);
        at.end = min_u64(v->end, end);
        err = decide_one(s, v, at, wanted, &flags, why);
        if (flags & MW_VM_EXEC_ONLY)
            pkey_keep_exec(s, flags); /* whatever is refused then */
        if (!err && flags != v->flags) {
            err = unmap_cut_piece(s, v, at, why);
            if (!err)
                err = commit_one(s, c, at, flags, why);
        }
        if (err || at.end == end)
            return err;
        start = at.end;
    }
}

static int64_t protect(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t prot, int32_t key,
                       struct mw_why *why)
{
    uint64_t end;
    int err;

    why_clear(why);
    space_enter(s);
    err = check_arguments(s, addr, length, prot, &end, why);
    if (!err && length && key != -1 && !pkey_is_allocated(s, key))
        err = why_amount(why, WHY_pkey_not_allocated, (uint64_t)(int64_t)key, 0);
    if (!err && length) {
        struct cursor c = tree_find(&s->tree, addr);

        err = check_start(c, &addr, end, prot, why);
        if (!err)
            err = space_reserve(s, 2 * EDIT_MODIFY, why);
        if (!err && !pmap_own(&s->pmap, addr, end, 0))
            err = why_plain(why, WHY_no_memory);
        if (!err)
            err = apply(s, c, addr, end, (struct wanted){ prot, key }, why);
    }
    space_leave(s);
    return err;
}

int64_t mw_mprotect(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t prot,
                    struct mw_why *why)
{
    return protect(s, addr, length, prot, -1, why);
}

int64_t mw_pkey_mprotect(struct mw_space *s, uint64_t addr, uint64_t length, uint64_t prot,
                         int32_t pkey, struct mw_why *why)
{
    if (!space_has(s, ROW_PKEYS))
        return why_plain(why, WHY_no_such_call);
    return protect(s, addr, length, prot, pkey, why);
}
