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

/*
 * Finds up to `most` regions of private pages; *walked: where it went on to. -1: the
 * kernel has no such call. Only one page is looked for where only one region is wanted.
 */
static int scan(int pagemap, uint64_t start, uint64_t end, struct scan_region *region,
                unsigned most, uint64_t *walked)
{
    struct scan_arg arg = {
        .size = sizeof arg,
        .start = start,
        .end = end,
        .vec = (uint64_t)(uintptr_t)region,
        .vec_len = most,
        .max_pages = most == 1,
        .inverted = IS_FILE | IS_ZERO_PAGE,
        .mask = IS_FILE | IS_ZERO_PAGE,
        .any_of = IS_PRESENT | IS_SWAPPED,
        .returned = IS_PRESENT | IS_SWAPPED,
    };
    int n = ioctl(pagemap, SCAN, &arg);

    if (n < 0)
        n = errno == ENOTTY || errno == EINVAL ? -1 : 0;
    *walked = n == (int)most ? arg.walk_end : end;
    return n;
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

static bool no_scan; /* an older kernel */

static bool has_private_pages(int pagemap, uint64_t start, uint64_t end)
{
    struct scan_region region;
    uint64_t walked;

    if (!no_scan) {
        int found = scan(pagemap, start, end, &region, 1, &walked);
        if (found >= 0)
            return found > 0;
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

/*
 * Whether a scan may run over it on its way to the next one that is looked for: it has few pages,
 * so that this costs less than a call more.
 */
static bool may_be_passed(const struct mw_vma *vma)
{
    const uint64_t few = 16 * 4096;

    if (vma->flags & (MW_VM_PFNMAP | MW_VM_HUGETLB))
        return false;
    return vma->end - vma->start <= few || (!vma->object && !vma->anon);
}

/* The mappings in [start, end), which may be touched or passed: many are looked at in one call. */
static void look_at_row(int pagemap, struct mw_space *space, uint64_t start, uint64_t end)
{
    enum { MANY = 256 };
    struct scan_region region[MANY];
    struct mw_vma vma;
    int n = 0;

    for (uint64_t walked; !no_scan && start < end; start = walked) {
        n = scan(pagemap, start, end, region, MANY, &walked);
        no_scan = n < 0;
        for (int i = 0; i < n; i++)
            mw_touch(space, region[i].start, region[i].end);
    }
    for (; no_scan && mw_find_vma(space, start, &vma) && vma.start < end; start = vma.end)
        if (may_be_touched(&vma, true) && read_entries(pagemap, vma.start, vma.end))
            mw_touch(space, vma.start, vma.end);
}

void touched_near(int pagemap, struct mw_space *space, uint64_t start, uint64_t end, bool all)
{
    struct mw_vma vma = { .end = start ? start - 1 : 0 };

    while (pagemap >= 0 && mw_find_vma(space, vma.end, &vma) && vma.start <= end) {
        uint64_t first = vma.start, last = first;
        bool more = true;
        while (more && vma.start <= end) {
            if (may_be_touched(&vma, all))
                last = vma.end;
            else if (last == first || !may_be_passed(&vma))
                break;
            more = mw_find_vma(space, vma.end, &vma);
        }
        look_at_row(pagemap, space, first, last);
    }
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

void touched_everywhere(int pagemap, struct mw_space *space, bool all)
{
    touched_near(pagemap, space, 0, UINT64_MAX, all);
}
