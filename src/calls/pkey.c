/* SPDX-License-Identifier: MIT */
/* pkey.c - pkey_alloc(2), pkey_free(2): which protection keys are taken. Rules PKEY-1, 2 and 5. */
#include "calls/pkey.h"

#define KEYS (MW_VM_PKEY >> MW_VM_PKEY_SHIFT) /* one less than there are */

bool pkey_is_allocated(const struct mw_space *s, int32_t key)
{
    return (s->cfg.options & MW_OPT_PKEYS) && key >= 0 && key <= (int32_t)KEYS &&
           (s->pkeys >> key & 1) && (!key || (uint32_t)key != s->exec_pkey);
}

/* The lowest that is free; beyond KEYS: none is. */
static uint32_t lowest_free(const struct mw_space *s)
{
    uint32_t key = 0;

    while (s->pkeys >> key & 1)
        key++;
    return key;
}

uint64_t pkey_exec_flags(const struct mw_space *s)
{
    uint32_t key = s->exec_pkey ? s->exec_pkey : lowest_free(s);

    if (!(s->cfg.options & MW_OPT_PKEYS))
        return s->cfg.options & MW_OPT_EXEC_ONLY ? MW_VM_EXEC_ONLY : 0;
    return key <= KEYS ? MW_VM_EXEC_ONLY | PKEY_FLAGS(key) : 0;
}

void pkey_keep_exec(struct mw_space *s, uint64_t vm_flags)
{
    if (!(s->cfg.options & MW_OPT_PKEYS))
        return;
    s->exec_pkey = (uint32_t)((vm_flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT);
    s->pkeys |= 1u << s->exec_pkey;
}

static int64_t allocate(struct mw_space *s, uint64_t flags, uint64_t rights, struct mw_why *why)
{
    bool keys = s->cfg.options & MW_OPT_PKEYS;
    uint32_t key = lowest_free(s);

    if (!space_has(s, ROW_PKEYS))
        return why_plain(why, WHY_no_such_call);
    if (flags || (rights & ~(uint64_t)(MW_PKEY_DISABLE_ACCESS | MW_PKEY_DISABLE_WRITE)))
        return why_amount(why, WHY_pkey_arguments, flags ? flags : rights, 0);
    if (key > (keys ? KEYS : 0))
        return why_plain(why, WHY_pkey_none);
    s->pkeys |= 1u << key; /* without keys number 0 too, which is then found to have no rights */
    return keys ? (int64_t)key : why_plain(why, WHY_pkey_unsupported);
}

int64_t mw_pkey_alloc(struct mw_space *s, uint64_t flags, uint64_t rights, struct mw_why *why)
{
    int64_t key;

    why_clear(why);
    space_enter(s);
    key = allocate(s, flags, rights, why);
    space_leave(s);
    return key;
}

int64_t mw_pkey_free(struct mw_space *s, int32_t key, struct mw_why *why)
{
    int err = 0;

    why_clear(why);
    space_enter(s);
    if (!space_has(s, ROW_PKEYS))
        err = why_plain(why, WHY_no_such_call);
    else if (!pkey_is_allocated(s, key))
        err = why_amount(why, WHY_pkey_not_allocated, (uint64_t)(int64_t)key, 0);
    else
        s->pkeys &= ~(1u << key);
    space_leave(s);
    return err;
}
