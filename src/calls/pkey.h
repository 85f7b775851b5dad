/* SPDX-License-Identifier: MIT */
/* pkey.h - protection keys, as the calls that protect memory need them. */
#ifndef MW_CALLS_PKEY_H
#define MW_CALLS_PKEY_H

#include "space/space.h"

/* The key in a VMA's flags. */
#define PKEY_FLAGS(key) ((uint64_t)(key) << MW_VM_PKEY_SHIFT)

bool pkey_is_allocated(const struct mw_space *s, int32_t key);

/*
 * What memory gets that is to be executed and nothing else: MW_VM_EXEC_ONLY, and
 * with MW_OPT_PKEYS a key; 0: it can't be kept from being read, for all keys are
 * taken. pkey_keep_exec takes the key that such flags name, if it is a new one.
 */
uint64_t pkey_exec_flags(const struct mw_space *s);
void pkey_keep_exec(struct mw_space *s, uint64_t vm_flags);

#endif
