/* SPDX-License-Identifier: MIT */
/* access.c - scenarios of accesses: what they meet, where copies stop, which bytes they see. */
#include "scenario.h"

#define READ_WRITE (MW_FILE_READ | MW_FILE_WRITE)

/* a.r-: hole, read-only, forbidden (FAULT-1, FAULT-2) */
SCENARIO(access_signals)
{
    anon(w, 0, 1, RW);
    anon(w, 2, 1, RO);
    anon(w, 3, 1, NONE);
    touch(w, 0, 5);
    data(w, 0, 5);
    for (int i = 0; i < 5; i++)
        execute(w, i);
    data_at(w, 0, 1);
    data_at(w, TASK_END, 1);
    data_at(w, 0x1000, 1);
    data_at(w, TASK_END - 4, 1);
}

/* reading a page never written: zero, and still not touched (FAULT-4, ANON-1) */
SCENARIO(access_zero_page)
{
    anon(w, 0, 3, RW);
    present(w, 0, 3);
    data(w, 0, 3);
    present(w, 0, 3);
    store(w, 1, 5);
    data(w, 0, 3);
    anon(w, 3, 1, RO);
    data(w, 3, 1);
    protect(w, 3, 1, RW);
    lay(w);
    store(w, 3, 9);
    data(w, 0, 4);
}

/* private copies: the file keeps its bytes, other pages still follow the file (FAULT-4) */
SCENARIO(access_copy_on_write)
{
    int f = file_of(w, FILE_MEM, 4, READ_WRITE);
    filemap(w, 0, 4, RW, PRIV, f, 0);
    filemap(w, 10, 4, RW, SHARED, f, 0);
    data(w, 0, 4);
    store(w, 1, 7);
    store(w, 11, 8);
    store(w, 12, 9);
    data(w, 0, 4);
    data(w, 10, 4);
    unmap(w, 0, 4);
    filemap(w, 0, 4, RW, PRIV, f, 0);
    data(w, 0, 4);
    protect(w, 0, 4, RO);
    store(w, 0, 1);
    data(w, 0, 4);
}

/* SIGBUS past the file's last page, for both kinds and both accesses (FAULT-3, ANON-1) */
SCENARIO(access_past_file)
{
    int f = file_of(w, FILE_MEM, 1, READ_WRITE);
    int e = file_of(w, FILE_MEM, 0, READ_WRITE);
    filemap(w, 0, 3, RW, SHARED, f, 0);
    filemap(w, 4, 3, RW, PRIV, f, 0);
    filemap(w, 8, 1, RW, PRIV, e, 0);
    filemap(w, 9, 1, NONE, PRIV, f, 5);
    filemap(w, 10, 1, RO, PRIV, f, 5);
    data(w, 0, 11);
    touch(w, 0, 11);
    data(w, 0, 11);
    lay(w);
}

/* copies from and to memory stop at the first byte that can't be had (FAULT-5) */
SCENARIO(access_copies_stop)
{
    int f = file_of_bytes(w, FILE_MEM, 2 * PAGE, READ_WRITE);
    anon(w, 0, 3, RW);
    anon(w, 3, 1, RO);
    anon(w, 4, 1, NONE);
    anon(w, 5, 1, RW);
    filemap(w, 10, 4, RW, SHARED, f, 0);
    for (uint64_t from = 0; from < 3 * PAGE; from += 1234) {
        copy_out(w, at(0) + from, 8 * PAGE);
        copy_in(w, at(0) + from, 8 * PAGE);
        copy_out(w, at(10) + from, 8 * PAGE);
        copy_in(w, at(10) + from, 8 * PAGE);
    }
    copy_out(w, at(3), 10);
    copy_in(w, at(3), 10);
    copy_out(w, at(4), 10);
    copy_out(w, at(6) - 1, 2);
    copy_in(w, at(6) - 1, 2);
    copy_out(w, at(6), 10);
    copy_in(w, at(5) + 4095, 1);
    copy_in(w, at(2) + 4090, 100);
    copy_out(w, at(0), 0);
    copy_out(w, at(100), 0);
    data(w, 0, 6);
    data(w, 10, 4);
}

/* copies across the end of the address space */
SCENARIO(access_copies_hostile)
{
    anon(w, 0, 1, RW);
    copy_out(w, 0, 100);
    copy_out(w, ~0ull, 1);
    copy_out(w, ~0ull - 10, 100);
    copy_out(w, KERNEL_HALF, 100);
    copy_in(w, KERNEL_HALF, 100);
    copy_in(w, ~0ull - 10, 100);
    copy_in(w, TASK_END, 100);
    copy_in(w, 0, 100);
}

/* bytes on both sides of a page border, moved, split, read back */
SCENARIO(access_bytes_follow)
{
    anon(w, 0, 4, RW);
    copy_in(w, at(0) + 100, 3 * PAGE);
    data_at(w, at(0) + 96, 4);
    move(w, 1, 2, 2, FIX, 10);
    data_at(w, at(10) + 2000, 2);
    move(w, 10, 2, 5, FIX, 20);
    data_at(w, at(20) + 2000, 5);
    data_at(w, at(0) + 100, 4);
}

/* a frame that served another mapping shows no old bytes (FAULT-6) */
SCENARIO(access_frames_reused)
{
    for (int round = 0; round < 4; round++) {
        anon(w, 0, 64, RW);
        data(w, 0, 4);
        for (int i = 0; i < 64; i++)
            copy_in(w, at(i), PAGE);
        unmap(w, 0, 64);
        shanon(w, 100, 64, RW);
        data_at(w, at(100) + 4092, 64);
        copy_in(w, at(100), 64 * PAGE);
        unmap(w, 100, 64);
        mapped(w, 200, 64, RW, PRIV | ANON | MW_MAP_POPULATE);
        data_at(w, at(200) + 8, 64);
        copy_in(w, at(200), 64 * PAGE);
        move(w, 200, 64, 8, 0, 0);
        move(w, 200, 8, 64, 0, 0);
        data_at(w, at(200) + 2048, 64);
        unmap(w, 200, 64);
    }
    count(w);
}

/* shared memory seen through two lengths and after one is gone */
SCENARIO(access_shared_views)
{
    int f = file_of(w, FILE_MEM, 4, READ_WRITE);
    filemap(w, 0, 4, RW, SHARED, f, 0);
    filemap(w, 10, 2, RW, SHARED, f, 2);
    copy_in(w, at(2) - 50, 100);
    data_at(w, at(10), 2);
    data_at(w, at(1) + 4092, 2);
    move(w, 0, 4, 4, FIX, 20);
    store(w, 22, 77);
    data(w, 10, 2);
    unmap(w, 20, 4);
    data(w, 10, 2);
    filemap(w, 0, 4, RO, PRIV, f, 0);
    data(w, 0, 4);
}

/* code runs where it may */
SCENARIO(access_execute)
{
    static const uint32_t rights[] = { RWX, RX, XO, RW, RO, NONE };
    anon(w, 0, 1, RW);
    store(w, 0, 0xc3c3c3c3u);
    for (int i = 0; i < 6; i++) {
        protect(w, 0, 1, rights[i]);
        execute(w, 0);
    }
    protect(w, 0, 1, RX);
    move(w, 0, 1, 1, FIX, 5);
    execute(w, 5);
    execute(w, 0);
}
