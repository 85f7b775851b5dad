/* SPDX-License-Identifier: MIT */
/* munmap.c - scenarios of munmap(2). */
#include "scenario.h"

/* arguments: alignment, length, the end of the address space (ARG-1, ARG-2, ARG-3) */
SCENARIO(munmap_arguments)
{
    anon(w, 0, 4, RW);
    do_munmap(w, at(0) + 1, PAGE);
    do_munmap(w, at(0), 0);
    do_munmap(w, at(0), ~0ull);
    do_munmap(w, at(0), ~0ull - PAGE + 2);
    do_munmap(w, at(0), 1ull << 47);
    do_munmap(w, at(0), TASK_END - at(0) + 1);
    do_munmap(w, TASK_END, PAGE);
    do_munmap(w, KERNEL_HALF, PAGE);
    do_munmap(w, 0ull - PAGE, PAGE);
    do_munmap(w, ~0ull, 1);
    do_munmap(w, at(0) + 2048, 0);
    lay(w);
    do_munmap(w, at(0), 1);
    do_munmap(w, at(2), PAGE + 1);
    lay(w);
}

/* nothing there is fine (ARG-3) */
SCENARIO(munmap_hole)
{
    unmap(w, 0, 4);
    anon(w, 2, 1, RW);
    unmap(w, 0, 1);
    unmap(w, 3, 5);
    lay(w);
    unmap(w, 0, 8);
    lay(w);
    do_munmap(w, 0, PAGE);
}

/* AAAAAA => .AAAA. => .A..A. => ...... : head, tail, middle, all */
SCENARIO(munmap_parts)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    unmap(w, 0, 1);
    lay(w);
    unmap(w, 5, 1);
    lay(w);
    unmap(w, 2, 2);
    lay(w);
    data(w, 0, 6);
    count(w);
    unmap(w, 0, 6);
    lay(w);
    count(w);
}

/* aarr.ss-- => a.......- : several mappings, the outer ones in part */
SCENARIO(munmap_spans)
{
    anon(w, 0, 2, RW);
    anon(w, 2, 2, RO);
    shanon(w, 5, 2, RW);
    anon(w, 7, 2, NONE);
    touch(w, 0, 2);
    unmap(w, 1, 7);
    lay(w);
    data(w, 0, 9);
    count(w);
}

/* a file's pieces keep their offsets: ssssss => ss..ss */
SCENARIO(munmap_file_middle)
{
    int f = file_of(w, FILE_MEM, 8, MW_FILE_READ | MW_FILE_WRITE);
    filemap(w, 0, 6, RW, SHARED, f, 1);
    unmap(w, 2, 2);
    lay(w);
    data(w, 0, 6);
    filemap(w, 2, 2, RW, SHARED, f, 3);
    lay(w);
    unmap(w, 2, 2);
    filemap(w, 2, 2, RW, SHARED, f, 4);
    lay(w);
}

/* what is mapped again reads zero */
SCENARIO(munmap_and_map_again)
{
    anon(w, 0, 4, RW);
    touch(w, 0, 4);
    unmap(w, 1, 2);
    anon(w, 1, 2, RW);
    lay(w);
    data(w, 0, 4);
}

/* shared anonymous memory lives as long as one piece of it */
SCENARIO(munmap_shared_piece)
{
    shanon(w, 0, 4, RW);
    touch(w, 0, 4);
    unmap(w, 1, 3);
    data(w, 0, 4);
    lay(w);
}

/* aas => EPERM and nothing changed (SEAL-1, MUNMAP-3) */
SCENARIO(munmap_sealed)
{
    anon(w, 0, 6, RW);
    touch(w, 0, 6);
    seal(w, 4, 2);
    unmap(w, 0, 6);
    unmap(w, 5, 1);
    lay(w);
    unmap(w, 3, 1);
    unmap(w, 6, 2);
    lay(w);
    data(w, 0, 6);
}

/* a split at the limit of mappings: ENOMEM; heads and tails still go (MUNMAP-1, LIMIT-2) */
SCENARIO(munmap_map_count)
{
    anon(w, 0, 6, RW);
    int64_t n = fill_map_count(w, 1000);
    unmap(w, 2, 1);
    unmap(w, 0, 1);
    unmap(w, 5, 1);
    lay(w);
    w->quiet = true;
    unmap(w, 1000 + n - 1, 1);
    w->quiet = false;
    unmap(w, 2, 1);
    w->quiet = true;
    unmap(w, 1000 + n - 2, 1);
    w->quiet = false;
    unmap(w, 2, 1);
    unmap(w, 1000, n);
    lay(w);
}

/* a growing stack's tail and head */
SCENARIO(munmap_growsdown)
{
    mapped(w, 100, 4, RW, PRIV | ANON | MW_MAP_GROWSDOWN);
    touch(w, 100, 4);
    unmap(w, 101, 1);
    store(w, 101, 5);
    lay(w);
    unmap(w, 100, 2);
    store(w, 101, 5);
    lay(w);
}

/* many small mappings at once, pages in some */
SCENARIO(munmap_many)
{
    for (int i = 0; i < 40; i++)
        anon(w, i * 2, 1, i % 3 ? RW : RO);
    touch(w, 2, 1);
    touch(w, 38, 1);
    unmap(w, 11, 55);
    lay(w);
    data(w, 0, 80);
    count(w);
}
