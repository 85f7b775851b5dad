/* SPDX-License-Identifier: MIT */
/* touched.c - which private mappings have been written to, by their pages. */
#include "touched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* linux/fs.h of 6.7 and later; the C library's may be older. */
struct scan_region {
    uint64_t start, end, categories;
};

struct scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t inverted, mask, any_of, returned;
};

#define SCAN _IOWR('f', 16, struct scan_arg)
#define IS_FILE (1u << 2)
#define IS_PRESENT (1u << 3)
#define IS_SWAPPED (1u << 4)
#define IS_ZERO_PAGE (1u << 5)

/* /proc/PID/pagemap's entries */
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)
#define ENTRY_FILE (UINT64_C(1) << 61)
#define ENTRY_FRAME ((UINT64_C(1) << 55) - 1)

int touched_open(pid_t pid)
{
    char name[64];

    snprintf(name, sizeof name, "/proc/%d/pagemap", pid);
    return open(name, O_RDONLY | O_CLOEXEC);
}

/* 1: a private page is there; 0: none; -1: the kernel has no such call. */
static int scan(int pagemap, uint64_t start, uint64_t end)
{
    struct scan_region region;
    struct scan_arg arg = {
        .size = sizeof arg,
        .start = start,
        .end = end,
        .vec = (uint64_t)(uintptr_t)&region,
        .vec_len = 1,
        .max_pages = 1,
        .inverted = IS_FILE | IS_ZERO_PAGE,
        .mask = IS_FILE | IS_ZERO_PAGE,
        .any_of = IS_PRESENT | IS_SWAPPED,
        .returned = IS_PRESENT | IS_SWAPPED,
    };
    int n = ioctl(pagemap, SCAN, &arg);

    if (n < 0)
        return errno == ENOTTY || errno == EINVAL ? -1 : 0;
    return n > 0;
}

/* The entry of the zero page, learnt from one of our own; 0: frames are not shown. */
static uint64_t zero_entry(void)
{
    static volatile char zeros[3 * 4096]; /* only ever read, so that its pages are the zero page */
    static uint64_t entry;
    static bool tried;
    uint64_t addr = ((uint64_t)(uintptr_t)zeros + 4095) / 4096;
    int fd;

    if (tried)
        return entry;
    tried = true;
    (void)zeros[addr * 4096 - (uint64_t)(uintptr_t)zeros];
    fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && pread(fd, &entry, sizeof entry, (off_t)(addr * 8)) != sizeof entry)
        entry = 0;
    if (fd >= 0)
        close(fd);
    entry &= ENTRY_FRAME;
    return entry;
}

static bool is_private_page(uint64_t entry)
{
    if (entry & ENTRY_SWAPPED)
        return true;
    if (!(entry & ENTRY_PRESENT) || (entry & ENTRY_FILE))
        return false;
    return !zero_entry() || (entry & ENTRY_FRAME) != zero_entry();
}

/* The same by reading an entry for each page. */
static bool read_entries(int pagemap, uint64_t start, uint64_t end)
{
    static uint64_t entry[4096];
    uint64_t at = start / 4096, to = end / 4096;

    while (at < to) {
        size_t want = to - at < 4096 ? (size_t)(to - at) : 4096;
        ssize_t got = pread(pagemap, entry, want * sizeof entry[0], (off_t)(at * 8));
        if (got <= 0)
            return false;
        for (size_t i = 0; i < (size_t)got / sizeof entry[0]; i++)
            if (is_private_page(entry[i]))
                return true;
        at += (uint64_t)got / sizeof entry[0];
    }
    return false;
}

static bool has_private_pages(int pagemap, uint64_t start, uint64_t end)
{
    static bool no_scan;

    if (!no_scan) {
        int found = scan(pagemap, start, end);
        if (found >= 0)
            return found;
        no_scan = true;
    }
    return read_entries(pagemap, start, end);
}

static bool may_be_touched(const struct mw_vma *vma, bool all)
{
    if (vma->anon || (vma->flags & (MW_VM_MAYSHARE | MW_VM_PFNMAP | MW_VM_HUGETLB)))
        return false;
    return all || (vma->flags & MW_VM_WRITE);
}

unsigned touched_near(int pagemap, struct mw_space *space, uint64_t start, uint64_t end, bool all)
{
    struct mw_vma vma;
    uint64_t addr = start ? start - 1 : 0;
    unsigned found = 0;

    if (pagemap < 0)
        return 0;
    while (mw_find_vma(space, addr, &vma) && vma.start <= end) {
        addr = vma.end;
        if (!may_be_touched(&vma, all) || !has_private_pages(pagemap, vma.start, vma.end))
            continue;
        mw_touch(space, vma.start, vma.end);
        found++;
    }
    return found;
}

/* Looks at the part of a mapping in [start, end). */
static bool look_at_part(int pagemap, struct mw_space *space, const struct mw_vma *vma,
                         uint64_t start, uint64_t end, bool tell)
{
    if (start >= end || !may_be_touched(vma, false) || !has_private_pages(pagemap, start, end))
        return false;
    if (tell)
        mw_touch(space, vma->start, vma->end);
    return true;
}

bool touched_beside(int pagemap, struct mw_space *space, uint64_t start, uint64_t end, bool tell)
{
    struct mw_vma vma;
    bool found = false;

    if (pagemap < 0)
        return false;
    if (start && mw_find_vma(space, start - 1, &vma) && vma.start < start)
        found = look_at_part(pagemap, space, &vma, vma.start, start, tell);
    if (mw_find_vma(space, end, &vma) && vma.start <= end)
        found |= look_at_part(pagemap, space, &vma, end, vma.end, tell);
    return found;
}

unsigned touched_everywhere(int pagemap, struct mw_space *space, bool all)
{
    return touched_near(pagemap, space, 0, UINT64_MAX, all);
}
