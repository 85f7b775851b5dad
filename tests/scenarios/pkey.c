/* SPDX-License-Identifier: MIT */
/*
 * pkey.c - scenarios of protection keys. A CPU without keys has their refusals;
 * scripts/in-kernel emulates one that has them.
 */
#include "scenario.h"

#define SEM 8u
#define GROWSDOWN 0x01000000u
#define GROWSUP 0x02000000u
#define DISABLE_WRITE 2u

/* numbers, and what is refused (PKEY-1, PKEY-2) */
SCENARIO(pkey_numbers)
{
    do_pkey_alloc(w, 1, 0);
    do_pkey_alloc(w, 0, 4);
    do_pkey_alloc(w, 1, 4);
    do_pkey_alloc(w, 0, ~0ull);
    do_pkey_alloc(w, 0, 3);
    do_pkey_alloc(w, 0, 0);
    do_pkey_alloc(w, 0, DISABLE_WRITE);
    do_pkey_free(w, 2);
    do_pkey_free(w, 2);
    do_pkey_free(w, 0);
    do_pkey_alloc(w, 0, 0);
    do_pkey_free(w, -1);
    do_pkey_free(w, 15);
    do_pkey_free(w, 16);
    do_pkey_free(w, INT32_MIN);
    for (int i = 0; i < 15; i++)
        do_pkey_alloc(w, 0, 0);
    do_pkey_alloc(w, 1, 0);
    for (int i = 1; i < 16; i++)
        do_pkey_free(w, i);
    do_pkey_alloc(w, 0, 0);
}

/* which refusal comes first (PKEY-3) */
SCENARIO(pkey_order)
{
    do_pkey_alloc(w, 0, 0);
    anon(w, 0, 8, RW);
    for (int32_t key = -2; key < 18; key += key < 5 ? 1 : 10) {
        do_pkey_mprotect(w, at(0) + 1, PAGE, RO, key);
        key_protect(w, 0, 1, 0x40, key);
        key_protect(w, 0, 0, RO, key);
        key_protect(w, 0, 1, GROWSDOWN | GROWSUP | RO, key);
        key_protect(w, 0, 1, GROWSDOWN | RO, key);
        key_protect(w, 0, 1, GROWSUP | RO, key);
        key_protect(w, 100, 1, RO, key);
        do_pkey_mprotect(w, at(0), ~0ull, RO, key);
        do_pkey_mprotect(w, at(0), ~0ull - 8191, RO, key);
        key_protect(w, 6, 4, RW, key);
        lay(w);
    keys(w);
    }
    do_pkey_mprotect(w, at(0), PAGE, RW, INT32_MAX);
    do_pkey_mprotect(w, at(0), PAGE, RW, INT32_MIN);
    seal(w, 0, 2);
    key_protect(w, 0, 1, RO, 1);
    key_protect(w, 0, 1, RO, 9);
    key_protect(w, 2, 1, RO, 1);
    lay(w);
    keys(w);
}

/* a key is the mapping's: it cuts, merges, stays under mprotect, moves, and a child has it (PKEY-4) */
SCENARIO(pkey_mappings)
{
    do_pkey_alloc(w, 0, 0);
    do_pkey_alloc(w, 0, 0);
    int f = file_of(w, FILE_SHMEM, 8, MW_FILE_READ | MW_FILE_WRITE);
    anon(w, 0, 8, RW);
    touch(w, 0, 4);
    key_protect(w, 1, 2, RW, 1);
    lay(w);
    keys(w);
    data(w, 0, 4);
    protect(w, 0, 8, RO);
    lay(w);
    keys(w);
    protect(w, 0, 8, NONE);
    protect(w, 0, 8, RW);
    touch(w, 0, 4);
    key_protect(w, 3, 1, RW, 2);
    key_protect(w, 4, 1, NONE, 1);
    key_protect(w, 5, 1, RO, -1);
    lay(w);
    keys(w);
    key_protect(w, 0, 8, RW, 2);
    lay(w);
    keys(w);
    do_pkey_free(w, 2);
    protect(w, 2, 2, RO);
    key_protect(w, 2, 2, RW, 2);
    lay(w);
    keys(w);
    move(w, 4, 2, 3, FIX, 20);
    move(w, 0, 1, 1, FIX | MW_MREMAP_DONTUNMAP, 30);
    lay(w);
    keys(w);
    lock(w, 20, 1);
    advise(w, 21, 1, MW_MADV_DONTFORK);
    filemap(w, 40, 4, RW, SHARED, f, 0);
    filemap(w, 44, 4, RW, PRIV, f, 4);
    key_protect(w, 41, 5, RW, 1);
    move(w, 41, 0, 2, FIX, 50);
    lay(w);
    keys(w);
    anon(w, 20, 1, RW);
    lay(w);
    keys(w);
    forked(w);
    do_pkey_alloc(w, 0, 0);
    do_pkey_alloc(w, 0, 0);
    key_protect(w, 0, 1, RW, 1);
    lay(w);
    keys(w);
}

/* the heap, a stack, holes, what MADV_UNMERGEABLE leaves (PKEY-4) */
SCENARIO(pkey_kinds)
{
    do_pkey_alloc(w, 0, 0);
    heap(w, 8);
    key_protect(w, HEAP_PAGE + 2, 2, RW, 1);
    heap(w, 10);
    lay(w);
    keys(w);
    mapped(w, 30, 4, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    key_protect(w, 32, 1, RO | GROWSDOWN, 1);
    store(w, 29, 1);
    lay(w);
    keys(w);
    anon(w, 40, 4, RW);
    anon(w, 46, 2, RW);
    key_protect(w, 41, 6, RW, 1);
    lay(w);
    keys(w);
    advise(w, 41, 1, MW_MADV_MERGEABLE);
    advise(w, 41, 1, MW_MADV_UNMERGEABLE);
    lay(w);
    keys(w);
}

/* memory for execution only has a key of its own, from the first time on (PKEY-5) */
SCENARIO(pkey_exec_only)
{
    do_pkey_alloc(w, 0, 0);
    anon(w, 0, 8, RW);
    protect(w, 0, 2, XO);
    do_pkey_free(w, 2);
    key_protect(w, 3, 1, RW, 2);
    key_protect(w, 3, 1, XO, 2);
    do_pkey_alloc(w, 0, 0);
    key_protect(w, 4, 1, XO, 1);
    key_protect(w, 5, 1, XO, 0);
    key_protect(w, 6, 1, XO, -1);
    anon(w, 10, 2, XO);
    lay(w);
    keys(w);
    protect(w, 4, 2, XO);
    lay(w);
    keys(w);
    protect(w, 4, 1, RW);
    protect(w, 5, 1, RX);
    protect(w, 6, 1, NONE);
    protect(w, 7, 1, XO | SEM);
    protect(w, 1, 1, XO | SEM);
    anon(w, 14, 1, XO | SEM);
    lay(w);
    keys(w);
    key_protect(w, 0, 1, RW, 1);
    protect(w, 0, 1, XO);
    protect(w, 0, 1, RO);
    lay(w);
    keys(w);
    forked(w);
    do_pkey_alloc(w, 0, 0);
    protect(w, 0, 1, XO);
    lay(w);
    keys(w);
}

/* with all keys taken there is none for it; the mapping's own stays (PKEY-5) */
SCENARIO(pkey_exec_last)
{
    for (int i = 0; i < 15; i++)
        do_pkey_alloc(w, 0, 0);
    anon(w, 0, 8, RW);
    key_protect(w, 0, 1, RW, 7);
    protect(w, 0, 2, XO);
    anon(w, 10, 1, XO);
    lay(w);
    keys(w);
    data(w, 10, 1);
    do_pkey_free(w, 9);
    protect(w, 0, 2, XO);
    anon(w, 11, 1, XO);
    lay(w);
    keys(w);
    protect(w, 0, 2, RO);
    do_pkey_alloc(w, 0, 0);
    lay(w);
    keys(w);
}

/* calls that fail have taken the key by then, or not (PKEY-5) */
static void keyless(struct world *w, int way)
{
    anon(w, 0, 2, RW);
    switch (way) {
    case 0: do_mmap(w, 0, 0, XO, PRIV | ANON, NO_FILE, 0); break;
    case 1: do_mmap(w, 0, 1ull << 60, XO, PRIV | ANON, NO_FILE, 0); break;
    case 2: do_mmap(w, at(0), PAGE, XO, PRIV | ANON | MW_MAP_FIXED_NOREPLACE, NO_FILE, 0); break;
    case 3: do_mmap(w, 0, PAGE, XO, ANON, NO_FILE, 0); break;
    case 4: do_mmap(w, 0, PAGE, XO, PRIV | ANON, NO_FILE, 1); break;
    case 5: do_mmap(w, at(0) + 1, PAGE, XO, PRIV | ANON | FIXED, NO_FILE, 0); break;
    case 6: do_mmap(w, 1ull << 62, PAGE, XO, PRIV | ANON | FIXED, NO_FILE, 0); break;
    case 7: do_mmap(w, 0, PAGE, XO, SHARED | ANON | MW_MAP_GROWSDOWN, NO_FILE, 0); break;
    case 8: do_mprotect(w, at(5), PAGE, XO); break;
    case 9: do_mprotect(w, at(0) + 1, PAGE, XO); break;
    case 10: do_mprotect(w, at(0), 0, XO); break;
    case 11: do_mprotect(w, at(0), PAGE, XO | GROWSDOWN); break;
    case 12: do_mprotect(w, at(1), 2 * PAGE, XO); break;
    case 13: seal(w, 0, 1); do_mprotect(w, at(0), PAGE, XO); break;
    default: key_protect(w, 0, 1, XO, 0); break;
    }
    do_pkey_alloc(w, 0, 0);
    lay(w);
    keys(w);
}
SCENARIO(pkey_failed_0) { keyless(w, 0); }
SCENARIO(pkey_failed_1) { keyless(w, 1); }
SCENARIO(pkey_failed_2) { keyless(w, 2); }
SCENARIO(pkey_failed_3) { keyless(w, 3); }
SCENARIO(pkey_failed_4) { keyless(w, 4); }
SCENARIO(pkey_failed_5) { keyless(w, 5); }
SCENARIO(pkey_failed_6) { keyless(w, 6); }
SCENARIO(pkey_failed_7) { keyless(w, 7); }
SCENARIO(pkey_failed_8) { keyless(w, 8); }
SCENARIO(pkey_failed_9) { keyless(w, 9); }
SCENARIO(pkey_failed_10) { keyless(w, 10); }
SCENARIO(pkey_failed_11) { keyless(w, 11); }
SCENARIO(pkey_failed_12) { keyless(w, 12); }
SCENARIO(pkey_failed_13) { keyless(w, 13); }
SCENARIO(pkey_failed_14) { keyless(w, 14); }

/* a protection key is a flag like others; memory for execution only gets its own again (REMAPF-3, REMAPF-6, PKEY-5) */
SCENARIO(pkey_remapped)
{
    int f = file_of(w, FILE_MEM, 16, MW_FILE_READ | MW_FILE_WRITE);
    filemap(w, 0, 8, RW, SHARED, f, 0);
    do_pkey_alloc(w, 0, 0);
    key_protect(w, 2, 2, RW, 1);
    remap(w, 1, 2, 5);
    remap(w, 3, 1, 3);
    lay(w);
    keys(w);
    protect(w, 4, 4, XO);
    remap(w, 5, 1, 9);
    data(w, 3, 3);
    lay(w);
    keys(w);
}
