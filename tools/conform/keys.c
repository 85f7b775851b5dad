/* SPDX-License-Identifier: MIT */
/*
 * keys.c - protection keys, on both sides. No key ever forbids anything here:
 * what it does is in a register, of which the engine knows nothing.
 */
#include "system.h"
#include "touch.h"

#include <sys/syscall.h>

enum { KEYS = 16 };

/* All keys that can be had, a bit each; they are given back. */
static uint32_t take_all(void)
{
    uint32_t given = 0;
    for (int64_t k; (k = sys_raw(SYS_pkey_alloc, 0, 0, 0, 0, 0, 0)) >= 0 && k < KEYS;)
        given |= 1u << k;
    for (uint64_t k = 0; k < KEYS; k++)
        if (given >> k & 1)
            sys_raw(SYS_pkey_free, k, 0, 0, 0, 0, 0);
    return given;
}

/* Memory for execution only has been asked for before (sys.exec_only), and has its key now. */
void sys_probe_keys(void)
{
    uint32_t left;
    sys.key_calls = sys_raw(SYS_pkey_free, (uint64_t)-1, 0, 0, 0, 0, 0) == -MW_EINVAL;
    left = sys.key_calls ? ~(take_all() | 1u) & ((1u << KEYS) - 1) : 0;
    sys.keys = sys.key_calls && left != ((1u << KEYS) - 2);
    sys.exec_key = sys.keys && left != 0 ? (uint32_t)__builtin_ctz(left) : 0;
    touch_keeps_rights(sys.keys);
}

void sys_free_keys(void)
{
    for (uint64_t k = 1; sys.keys && k < KEYS; k++)
        sys_raw(SYS_pkey_free, k, 0, 0, 0, 0, 0);
}

/* The register is left as it is by giving keys back, and nothing is said in it that forbids. */
int64_t sys_key_step(const struct step *s)
{
    switch (s->kind) {
    case STEP_PKEY_ALLOC:
        return sys_raw(SYS_pkey_alloc, s->flags, s->more, 0, 0, 0, 0);
    case STEP_PKEY_FREE:
        return sys_raw(SYS_pkey_free, s->more, 0, 0, 0, 0, 0);
    default:
        return sys_raw(SYS_pkey_mprotect, s->addr, s->len, s->prot, s->more, 0, 0);
    }
}

void model_begin_keys(void)
{
    mw_set_pkeys(model.space, 1u << sys.exec_key | 1u, sys.exec_key);
}

int64_t model_key_step(const struct step *s)
{
    switch (s->kind) {
    case STEP_PKEY_ALLOC:
        return mw_pkey_alloc(model.space, s->flags, s->more, &model.why);
    case STEP_PKEY_FREE:
        return mw_pkey_free(model.space, (int32_t)s->more, &model.why);
    default:
        return mw_pkey_mprotect(model.space, s->addr, s->len, s->prot, (int32_t)s->more, &model.why);
    }
}

/* Without key 0 the program itself could become memory for execution only. */
bool key_step_is_safe(const struct step *s)
{
    bool forbids = s->kind == STEP_PKEY_ALLOC && s->more != 0 && s->more < 4;
    return sys.key_calls && !forbids && !(s->kind == STEP_PKEY_FREE && (int32_t)s->more == 0);
}
