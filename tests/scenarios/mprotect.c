/* SPDX-License-Identifier: MIT */
/* mprotect.c - scenarios of mprotect(2). */
#include "scenario.h"

/* arguments (MPROT-1, MPROT-2, MPROT-3, ARG-1, ARG-2) */
SCENARIO(mprotect_arguments)
{
    anon(w, 0, 4, RW);
    do_mprotect(w, at(0) + 1, PAGE, RO);
    do_mprotect(w, at(0), 0, RO);
    do_mprotect(w, at(9), 0, RO);
    do_mprotect(w, at(9) + 1, 0, RO);
    do_mprotect(w, at(0), 0, 0x10);
    do_mprotect(w, at(0), PAGE, 0x10);
    do_mprotect(w, at(0), PAGE, 0x80000000u);
    do_mprotect(w, at(0), PAGE, RO | MW_PROT_SEM);
    do_mprotect(w, at(0), ~0ull, RO);
    do_mprotect(w, at(0), ~0ull - PAGE + 1, RO);
    do_mprotect(w, 0ull - PAGE, PAGE, RO);
    do_mprotect(w, 0ull - PAGE, 2 * PAGE, RO);
    do_mprotect(w, KERNEL_HALF, PAGE, RO);
    do_mprotect(w, TASK_END, PAGE, RO);
    do_mprotect(w, at(1), PAGE, RO | MW_PROT_GROWSDOWN);
    do_mprotect(w, at(1), PAGE, RO | MW_PROT_GROWSUP);
    do_mprotect(w, at(1), PAGE, RO | MW_PROT_GROWSDOWN | MW_PROT_GROWSUP);
    do_mprotect(w, at(1), 0, RO | MW_PROT_GROWSDOWN | MW_PROT_GROWSUP);
    do_mprotect(w, at(1), 0, RO | MW_PROT_GROWSDOWN);
    lay(w);
    do_mprotect(w, at(1), 1, RO);
    do_mprotect(w, at(2), PAGE + 1, NONE);
    lay(w);
}

/* AAAAAA => AARRAA => AAAAAA : splits and merges back, at head, tail, middle (MERGE-1) */
SCENARIO(mprotect_split_and_merge)
{
    for (int touched = 0; touched < 2; touched++)
        for (int from = 0; from < 6; from++)
            for (int n = 1; from + n <= 6; n++) {
                anon(w, 0, 6, RW);
                if (touched)
                    touch(w, 0, 6);
                protect(w, from, n, RO);
                lay(w);
                count(w);
                protect(w, from, n, RW);
                lay(w);
                data(w, 0, 6);
                unmap(w, 0, 6);
            }
    count(w);
}

/* aaaaaa: each half its own way, then equal again */
SCENARIO(mprotect_chain)
{
    anon(w, 0, 6, RW);
    touch(w, 1, 1);
    protect(w, 0, 3, RO);
    protect(w, 3, 3, NONE);
    lay(w);
    protect(w, 2, 2, RX);
    lay(w);
    protect(w, 0, 2, RX);
    lay(w);
    protect(w, 4, 2, RX);
    lay(w);
    protect(w, 0, 6, RX);
    protect(w, 0, 6, RW);
    lay(w);
    data(w, 0, 6);
    count(w);
}

/* aa.aa => rr.aa, ENOMEM: what lies before the hole has changed (MPROT-4) */
SCENARIO(mprotect_hole)
{
    anon(w, 0, 2, RW);
    anon(w, 3, 2, RW);
    protect(w, 0, 5, RO);
    lay(w);
    protect(w, 2, 3, RO);
    protect(w, 1, 2, NONE);
    lay(w);
    protect(w, 3, 9, RO);
    lay(w);
    protect(w, 4, 1ll << 30, RX);
    lay(w);
    protect(w, 20, 2, RO);
}

/* several mappings in one call become one */
SCENARIO(mprotect_several)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    anon(w, 4, 2, NONE);
    shanon(w, 6, 2, RW);
    lay(w);
    protect(w, 1, 6, RX);
    lay(w);
    count(w);
    protect(w, 0, 8, RW);
    lay(w);
    count(w);
}

/* PROT_NONE and back: the bytes stay; what each right allows (FAULT-2) */
SCENARIO(mprotect_rights)
{
    static const uint32_t all[] = { NONE, RO, WO, RW, XO, RX, WO | XO, RWX };
    anon(w, 0, 2, RW);
    store(w, 0, 0xc3c3c3c3u);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        protect(w, 0, 1, all[i]);
        data(w, 0, 2);
        execute(w, 0);
        store(w, 0, 0xc3c3c3c3u);
        copy_in(w, at(1) - 4, 4);
        copy_out(w, at(0), 8);
        protect(w, 0, 1, RW);
        store(w, 0, 0xc3c3c3c3u);
    }
    lay(w);
}

/* a shared mapping of a read-only descriptor never gets writable; private does
 * (MPROT-6, MMAP-19) */
SCENARIO(mprotect_descriptor)
{
    int r = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    int rw = file_of(w, FILE_MEM, 4, MW_FILE_READ | MW_FILE_WRITE);
    filemap(w, 0, 2, RO, SHARED, r, 0);
    filemap(w, 2, 2, RO, PRIV, r, 0);
    filemap(w, 4, 2, RO, SHARED, rw, 0);
    protect(w, 0, 2, RW);
    protect(w, 2, 2, RW);
    protect(w, 4, 2, RW);
    protect(w, 0, 1, NONE);
    protect(w, 0, 1, RX);
    lay(w);
    count(w);
    touch(w, 0, 6);
    data(w, 0, 6);
}

/* ffss : the private part changes before the shared one says EACCES (MPROT-6) */
SCENARIO(mprotect_partial_eacces)
{
    int r = file_of(w, FILE_MEM, 4, MW_FILE_READ);
    filemap(w, 0, 2, RO, PRIV, r, 0);
    filemap(w, 2, 2, RO, SHARED, r, 2);
    anon(w, 4, 2, RO);
    protect(w, 0, 6, RW);
    lay(w);
    protect(w, 2, 2, RW);
    protect(w, 1, 3, RW);
    lay(w);
}

/* RLIMIT_DATA: making private memory writable counts (LIMIT-4) */
SCENARIO(mprotect_limit_data)
{
    anon(w, 0, 4, RO);
    anon(w, 8, 1, RO);
    anon(w, 9, 2, NONE);
    anon(w, 11, 3, RO);
    limit(w, MW_LIMIT_DATA, 3);
    protect(w, 0, 4, RW);
    lay(w);
    protect(w, 0, 2, RW);
    lay(w);
    protect(w, 8, 6, RW);
    lay(w);
    count(w);
    protect(w, 0, 2, RO);
    protect(w, 8, 6, RW);
    lay(w);
    count(w);
}

/* ggg: PROT_GROWSDOWN goes down to the mapping's start (MPROT-5) */
SCENARIO(mprotect_growsdown)
{
    mapped(w, 100, 4, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    touch(w, 100, 4);
    protect(w, 102, 1, RO | MW_PROT_GROWSDOWN);
    lay(w);
    protect(w, 103, 1, RO | MW_PROT_GROWSDOWN);
    lay(w);
    protect(w, 100, 4, RW);
    protect(w, 90, 4, RO | MW_PROT_GROWSDOWN);
    protect(w, 90, 12, RO | MW_PROT_GROWSDOWN);
    lay(w);
    protect(w, 100, 4, RW | MW_PROT_GROWSUP);
    anon(w, 0, 2, RW);
    protect(w, 0, 2, RO | MW_PROT_GROWSDOWN);
    protect(w, 50, 2, RO | MW_PROT_GROWSDOWN);
    lay(w);
    store(w, 99, 1);
    lay(w);
}

/* only the lower piece of a split stack grows */
SCENARIO(mprotect_growsdown_split)
{
    mapped(w, 600, 6, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    protect(w, 602, 2, RO);
    store(w, 599, 1);
    lay(w);
    flags_of(w, 604);
    protect(w, 599, 7, RW);
    lay(w);
}

/* once writable means accounted: such memory made read-only again does not
 * merge with memory that never was, unless it was never written (MPROT-8) */
SCENARIO(mprotect_account)
{
    for (int touched = 0; touched < 2; touched++) {
        anon(w, 0, 2, RO);
        anon(w, 2, 2, RW);
        if (touched)
            touch(w, 2, 2);
        flags_of(w, 2);
        protect(w, 2, 2, RO);
        flags_of(w, 0);
        flags_of(w, 2);
        lay(w);
        protect(w, 0, 2, RW);
        flags_of(w, 0);
        protect(w, 0, 2, RO);
        lay(w);
        protect(w, 0, 4, RW);
        lay(w);
        unmap(w, 0, 4);
    }
    count(w);
}

/* the same for private files, and NORESERVE is never accounted (MPROT-8) */
SCENARIO(mprotect_account_file)
{
    int f = file_of(w, FILE_MEM, 8, MW_FILE_READ | MW_FILE_WRITE);
    filemap(w, 0, 4, RO, PRIV, f, 0);
    protect(w, 2, 2, RW);
    flags_of(w, 0);
    flags_of(w, 2);
    protect(w, 2, 2, RO);
    flags_of(w, 2);
    lay(w);
    protect(w, 0, 4, RW);
    protect(w, 0, 4, RO);
    lay(w);
    mapped(w, 8, 4, RO, PRIV | ANON | MW_MAP_NORESERVE);
    protect(w, 8, 2, RW);
    flags_of(w, 8);
    protect(w, 8, 2, RO);
    lay(w);
    shanon(w, 16, 4, RO);
    protect(w, 16, 2, RW);
    flags_of(w, 16);
    protect(w, 16, 2, RO);
    lay(w);
}

/* one mapping larger than all memory can't be made writable (LIMIT-5) */
SCENARIO(mprotect_commit)
{
    uint64_t big = 1ull << 36;
    do_mmap(w, at(0), big, RO, PRIV | ANON | FIXED, NO_FILE, 0);
    do_mprotect(w, at(0), big, RW);
    do_mprotect(w, at(0), PAGE, RW);
    lay(w);
    do_mprotect(w, at(0), big, RW);
    lay(w);
    count(w);
}

/* sealed: EPERM, what lies before it has changed (SEAL-1) */
SCENARIO(mprotect_sealed)
{
    anon(w, 0, 6, RW);
    seal(w, 2, 2);
    protect(w, 0, 6, RO);
    lay(w);
    protect(w, 2, 1, RW);
    protect(w, 4, 2, RO);
    lay(w);
}

/* a split at the limit of mappings (MPROT-7) */
SCENARIO(mprotect_map_count)
{
    anon(w, 0, 6, RW);
    anon(w, 10, 3, RW);
    int64_t n = fill_map_count(w, 1000);
    protect(w, 2, 1, RO);
    protect(w, 0, 1, RO);
    lay(w);
    protect(w, 10, 3, RO);
    lay(w);
    for (int i = 1; i < 4; i++) {
        w->quiet = true;
        unmap(w, 1000 + n - i, 1);
        w->quiet = false;
        protect(w, 2, 1, RO);
        lay(w);
    }
}

/* locked memory stays populated when rights come and go (MPROT-9) */
SCENARIO(mprotect_locked)
{
    mapped(w, 0, 4, NONE, PRIV | ANON | MW_MAP_LOCKED);
    present(w, 0, 4);
    protect(w, 1, 2, RW);
    present(w, 0, 4);
    lay(w);
    count(w);
    protect(w, 1, 2, NONE);
    lay(w);
}
