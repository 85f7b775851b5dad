/* SPDX-License-Identifier: MIT */
/*
 * test_rows.c - munmap, mprotect, mmap over what is there, and mremap, each as
 * a table of rows before and after.
 */
#include "unit.h"

static const struct row_case munmap_rows[] = {
    { "aaaaaa", MUNMAP, 0, 6, 0, 0, 0, 0, "" },
    { "aaaaaa", MUNMAP, 0, 2, 0, 0, 0, 0, "..aaaa" },
    { "aaaaaa", MUNMAP, 4, 2, 0, 0, 0, 0, "aaaa.." },
    { "AAAAAA", MUNMAP, 2, 2, 0, 0, 0, 0, "AA..AA" },
    { "aarr.ss-", MUNMAP, 1, 6, 0, 0, 0, 0, "a......-" },
    { "aa..rr", MUNMAP, 2, 2, 0, 0, 0, 0, "aa..rr" },
    { "", MUNMAP, 0, 9, 0, 0, 0, 0, "" },
    { "ffffff", MUNMAP, 1, 1, 0, 0, 0, 0, "f.ffff" },
    { "FFFFFF", MUNMAP, 1, 4, 0, 0, 0, 0, "F....F" },
    { "aa", MUNMAP, 0, 0, 0, 0, 0, MW_EINVAL, "aa" },
};

static const struct row_case mprotect_rows[] = {
    { "aaaaaa", MPROTECT, 2, 2, RO_, 0, 0, 0, "aarraa" },
    { "aarraa", MPROTECT, 2, 2, RW_, 0, 0, 0, "aaaaaa" },
    { "AAAAAA", MPROTECT, 0, 2, RO_, 0, 0, 0, "RRAAAA" },
    { "AAAAAA", MPROTECT, 4, 2, MW_PROT_NONE, 0, 0, 0, "AAAANN" },
    /* neighbours that differ in rights only share their identity when written to */
    { "RRAAAA", MPROTECT, 0, 6, RO_, 0, 0, 0, "RRRRRR" },
    { "AA|AAAA", MPROTECT, 0, 6, RO_, 0, 0, 0, "RRRRRR" },
    { "aarrxx", MPROTECT, 0, 6, RW_, 0, 0, 0, "aaaaaa" },
    { "aa.aa", MPROTECT, 0, 5, RO_, 0, 0, MW_ENOMEM, "rr.aa" },
    { "..aa", MPROTECT, 0, 4, RO_, 0, 0, MW_ENOMEM, "..aa" },
    { "aaaa", MPROTECT, 1, 9, RO_, 0, 0, MW_ENOMEM, "arrr" },
    { "aaaa", MPROTECT, 1, 0, RO_, 0, 0, 0, "aaaa" },
    { "aaaa", MPROTECT, 1, 1, 0x40, 0, 0, MW_EINVAL, "aaaa" },
    { "aaaa", MPROTECT, 1, 1, MW_PROT_GROWSDOWN, 0, 0, MW_EINVAL, "aaaa" },
    { "FFFF", MPROTECT, 0, 4, RW_, 0, 0, 0, "FFFF" },
    /* never writable with once writable: two, if that one was written to */
    { "rrRR", MPROTECT, 0, 2, RO_, 0, 0, 0, "rrRR" },
    { "rrrr", MPROTECT, 2, 2, RO_, 0, 0, 0, "rrrr" },
};

static const struct row_case mmap_rows[] = {
    { "", MMAP, 0, 4, RW_, FIXED_, 0, 0, "aaaa" },
    { "aa..aa", MMAP, 2, 2, RW_, FIXED_, 0, 0, "aaaaaa" },
    { "aa..aa", MMAP, 2, 2, RO_, FIXED_, 0, 0, "aarraa" },
    { "AA..aa", MMAP, 2, 2, RW_, FIXED_, 0, 0, "AAAAAA" },
    { "aa..AA", MMAP, 2, 2, RW_, FIXED_, 0, 0, "AAAAAA" },
    { "AA..AA", MMAP, 2, 2, RW_, FIXED_, 0, 0, "AAAA|AA" },
    { "aaaaaa", MMAP, 1, 4, RO_, FIXED_, 0, 0, "arrrra" },
    { "rrxx--", MMAP, 1, 4, RW_, FIXED_, 0, 0, "raaaa-" },
    { "AAAA", MMAP, 0, 4, RW_, FIXED_, 0, 0, "aaaa" },
    { "AAAA", MMAP, 1, 2, RW_, FIXED_, 0, 0, "AAAA" },
    { "aaaa", MMAP, 1, 2, RW_, MW_MAP_SHARED | MW_MAP_ANONYMOUS | MW_MAP_FIXED, 0, 0, "assa" },
    { "ss", MMAP, 2, 2, RW_, MW_MAP_SHARED | MW_MAP_ANONYMOUS | MW_MAP_FIXED, 0, 0, "ss|ss" },
    { "FF..FF", MMAP, 2, 2, RW_, MW_MAP_SHARED | MW_MAP_FIXED, 0, 0, "FFFFFF" },
    { "ff..ff", MMAP, 2, 2, RW_, MW_MAP_PRIVATE | MW_MAP_FIXED, 0, 0, "ffffff" },
    { "ff..ff", MMAP, 2, 2, RW_, MW_MAP_SHARED | MW_MAP_FIXED, 0, 0, "ffFFff" },
    { ".rr.", MMAP, 0, 2, RW_, FIXED_ | MW_MAP_FIXED_NOREPLACE, 0, MW_EEXIST, ".rr." },
    { ".rr.", MMAP, 3, 2, RW_, FIXED_ | MW_MAP_FIXED_NOREPLACE, 0, 0, ".rraa" },
    { "aa", MMAP, 0, 0, RW_, FIXED_, 0, MW_EINVAL, "aa" },
    { "aa", MMAP, 0, 2, RW_, MW_MAP_ANONYMOUS | MW_MAP_FIXED, 0, MW_EINVAL, "aa" },
    { "aa", MMAP, 0, 2, RW_, FIXED_ | MW_MAP_SHARED, 0, MW_EINVAL, "aa" },
    { "aa", MMAP, 1, 1, RW_, FIXED_ | MW_MAP_NORESERVE, 0, 0, "a|a" },
    { "aa", MMAP, 1, 1, RW_, FIXED_ | MW_MAP_LOCKED, 0, 0, "aA" },
    { "aa", MMAP, 1, 1, RW_, FIXED_ | MW_MAP_POPULATE, 0, 0, "AA" },
};

static const struct row_case mremap_rows[] = {
    /* in place */
    { "aaaa", MREMAP, 0, 4, 4, 0, 0, 0, "aaaa" },
    { "aaaa", MREMAP, 0, 4, 2, 0, 0, 0, "aa" },
    { "aaaaaa", MREMAP, 1, 3, 1, 0, 0, 0, "aa..aa" },
    { "aa", MREMAP, 0, 2, 4, 0, 0, 0, "aaaa" },
    { "aa..aa", MREMAP, 0, 2, 4, 0, 0, 0, "aaaaaa" },
    { "AA..aa", MREMAP, 0, 2, 4, 0, 0, 0, "AAAAAA" },
    { "aa..AA", MREMAP, 0, 2, 4, 0, 0, 0, "AAAAAA" },
    { "AA..AA", MREMAP, 0, 2, 4, 0, 0, 0, "AAAA|AA" },
    { "aa..rr", MREMAP, 0, 2, 4, 0, 0, 0, "aaaarr" },
    { "aa.r", MREMAP, 0, 2, 4, 0, 0, MW_ENOMEM, "aa.r" },
    { "aaaa", MREMAP, 0, 2, 3, 0, 0, MW_ENOMEM, "aaaa" },
    { "aaaa", MREMAP, 2, 2, 4, 0, 0, 0, "aaaaaa" },
    { "FF", MREMAP, 0, 2, 4, 0, 0, 0, "FFFF" },
    { "FF..FF", MREMAP, 0, 2, 4, 0, 0, 0, "FFFFFF" },
    /* moves */
    { "aaaa", MREMAP, 0, 4, 4, FIX_, 6, 0, "......aaaa" },
    { "AAAA", MREMAP, 0, 2, 2, FIX_, 6, 0, "..AA..AA" },
    { "aaaaaa", MREMAP, 2, 2, 2, FIX_, 7, 0, "aa..aa.aa" },
    { "aa...rr", MREMAP, 0, 2, 2, FIX_, 5, 0, ".....aa" },
    { "aa...rrrr", MREMAP, 0, 2, 2, FIX_, 6, 0, ".....raar" },
    { "aa...a", MREMAP, 0, 2, 2, FIX_, 3, 0, "...aaa" },
    { "aa...A", MREMAP, 0, 2, 2, FIX_, 3, 0, "...AAA" },
    { "AA...A", MREMAP, 0, 2, 2, FIX_, 3, 0, "...AA|A" },
    { "AA...a", MREMAP, 0, 2, 2, FIX_, 3, 0, "...AAa" },
    { "aaaaaa", MREMAP, 0, 2, 2, FIX_, 4, 0, "..aaaa" },
    { "AAAAAA", MREMAP, 0, 2, 2, FIX_, 4, 0, "..AA|AA" },
    { "aa", MREMAP, 0, 2, 4, FIX_, 5, 0, ".....aaaa" },
    { "aaaa", MREMAP, 0, 4, 2, FIX_, 6, 0, "......aa" },
    { "aaaa", MREMAP, 1, 2, 1, FIX_, 6, 0, "a..a..a" },
    { "ffff", MREMAP, 1, 2, 2, FIX_, 6, 0, "f..f..ff" },
    /* errors */
    { "aa.aa", MREMAP, 0, 5, 6, MAY_, 0, MW_EFAULT, "aa.aa" },
    { "aarr", MREMAP, 0, 4, 5, FIX_, 10, MW_EFAULT, "aarr" },
    { "..aa", MREMAP, 0, 4, 3, 0, 0, MW_EFAULT, "..aa" },
    { "aaaa", MREMAP, 0, 4, 4, FIX_, 2, MW_EINVAL, "aaaa" },
    { "aaaa", MREMAP, 0, 4, 0, MAY_, 0, MW_EINVAL, "aaaa" },
    { "aaaa", MREMAP, 0, 4, 4, MW_MREMAP_FIXED, 8, MW_EINVAL, "aaaa" },
    { "aaaa", MREMAP, 0, 4, 4, 8, 8, MW_EINVAL, "aaaa" },
    { "aaaa", MREMAP, 0, 0, 2, FIX_, 8, MW_EINVAL, "aaaa" },
    { "aa....aa", MREMAP, 0, 3, 4, FIX_, 6, MW_EFAULT, "aa....aa" },
    { "aa.aa", MREMAP, 0, 5, 4, 0, 0, 0, "aa.a" },
};

static void munmap_4k(void **state) { (void)state; ROWS(munmap_rows, 12); }
static void munmap_16k(void **state) { (void)state; ROWS(munmap_rows, 14); }
static void munmap_64k(void **state) { (void)state; ROWS(munmap_rows, 16); }
static void mprotect_4k(void **state) { (void)state; ROWS(mprotect_rows, 12); }
static void mprotect_16k(void **state) { (void)state; ROWS(mprotect_rows, 14); }
static void mprotect_64k(void **state) { (void)state; ROWS(mprotect_rows, 16); }
static void mmap_4k(void **state) { (void)state; ROWS(mmap_rows, 12); }
static void mmap_16k(void **state) { (void)state; ROWS(mmap_rows, 14); }
static void mmap_64k(void **state) { (void)state; ROWS(mmap_rows, 16); }
static void mremap_4k(void **state) { (void)state; ROWS(mremap_rows, 12); }
static void mremap_16k(void **state) { (void)state; ROWS(mremap_rows, 14); }
static void mremap_64k(void **state) { (void)state; ROWS(mremap_rows, 16); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(munmap_4k), cmocka_unit_test(munmap_16k), cmocka_unit_test(munmap_64k),
        cmocka_unit_test(mprotect_4k), cmocka_unit_test(mprotect_16k),
        cmocka_unit_test(mprotect_64k), cmocka_unit_test(mmap_4k), cmocka_unit_test(mmap_16k),
        cmocka_unit_test(mmap_64k), cmocka_unit_test(mremap_4k), cmocka_unit_test(mremap_16k),
        cmocka_unit_test(mremap_64k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
