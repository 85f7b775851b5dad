/* SPDX-License-Identifier: MIT */
/* look.c - a live space's figures, and whether the host's mappings are the space's. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "space.h"

/* ---- the host's mappings -------------------------------------------------------------------- */

struct line {
    unsigned long long start, end, offset, inode;
    char perms[8];
};

static bool read_line(FILE *f, struct line *l)
{
    char text[4352];

    while (fgets(text, sizeof text, f))
        if (sscanf(text, "%llx-%llx %7s %llx %*x:%*x %llu", &l->start, &l->end, l->perms, &l->offset,
                   &l->inode) == 5)
            return true;
    return false;
}

static unsigned prot_of(const struct line *l)
{
    return (l->perms[0] == 'r' ? MW_PROT_READ : 0) | (l->perms[1] == 'w' ? MW_PROT_WRITE : 0) |
           (l->perms[2] == 'x' ? MW_PROT_EXEC : 0);
}

/* A piece that the host has mapped, against what the space has there. */
static const char *compare(const struct line *l, uint64_t addr, const struct mw_vma *v)
{
    const struct backing *b;

    if (!v)
        return l->perms[3] == 'p' && !l->inode && !prot_of(l) ? NULL
                                                              : "the host maps what the space does not";
    b = backing_of(v);
    if (prot_of(l) != (v->flags & 7))
        return "the host's protection is not the space's";
    if ((l->perms[3] == 's') != (b && !b->keeps) || !l->inode != !b)
        return "the host maps memory of another kind than the space";
    if (b && l->offset + (addr - l->start) != v->offset + (addr - v->start))
        return "the host maps other pages than the space";
    return NULL;
}

static const char *compare_line(const struct mw_live *live, const struct line *l)
{
    uint64_t end = l->end < live->range.end ? l->end : live->range.end;
    const char *bad = NULL;
    struct mw_vma v;

    for (uint64_t a = l->start > live->range.start ? l->start : live->range.start; a < end && !bad;) {
        uint64_t next = end;
        bool there = mw_find_vma(live->space, a, &v);

        if (there && v.start > a) {
            there = false;
            next = v.start < end ? v.start : end;
        } else if (there && v.end < end) {
            next = v.end;
        }
        bad = compare(l, a, there ? &v : NULL);
        a = next;
    }
    return bad;
}

/* Lines of /proc/self/maps: all, and the first disagreement with the space (NULL: none). */
static const char *read_maps(const struct mw_live *live, uint64_t *lines)
{
    FILE *f = fopen("/proc/self/maps", "re");
    const char *bad = NULL;
    struct line l;

    *lines = 0;
    while (f && read_line(f, &l)) {
        ++*lines;
        if (!bad)
            bad = compare_line(live, &l);
    }
    if (f)
        fclose(f);
    return bad;
}

/* ---- figures ----------------------------------------------------------------------------------- */

static uint64_t max_map_count(void)
{
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long long n = 0;

    if (f) {
        if (fscanf(f, "%llu", &n) != 1)
            n = 0;
        fclose(f);
    }
    return n;
}

/* Pages in [start, end) that are the process's own: present or swapped out, and no file's. */
static uint64_t own_pages(int pagemap, uint64_t start, uint64_t end)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), entry[512], n = 0;

    for (uint64_t a = start; a < end;) {
        uint64_t want = (end - a) / page;
        ssize_t got = pread(pagemap, entry, (want < 512 ? want : 512) * 8, (off_t)(a / page * 8));

        if (got < 8)
            break;
        for (ssize_t i = 0; i < got / 8; i++)
            n += (entry[i] >> 62) && !(entry[i] >> 61 & 1);
        a += (uint64_t)(got / 8) * page;
    }
    return n;
}

struct view {
    const struct pool *pool;
    uint64_t start, end; /* offsets */
};

static int by_offset(const void *a, const void *b)
{
    const struct view *x = a, *y = b;

    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Bytes of views of pages that have another address as well, the first one not counted. */
static uint64_t count_aliased(const struct mw_live *live, uint64_t mappings)
{
    struct view *view = live->aliased ? malloc(mappings * sizeof *view) : NULL;
    uint64_t aliased = 0, reached = 0;
    struct mw_vma v;
    size_t n = 0;

    for (uint64_t a = live->range.start; view && n < mappings && mw_find_vma(live->space, a, &v); a = v.end)
        if (pool_of(&v))
            view[n++] = (struct view){ pool_of(&v), v.offset, v.offset + (v.end - v.start) };
    if (n)
        qsort(view, n, sizeof *view, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || view[i].pool != view[i - 1].pool)
            reached = 0;
        if (view[i].start < reached)
            aliased += (view[i].end < reached ? view[i].end : reached) - view[i].start;
        if (view[i].end > reached)
            reached = view[i].end;
    }
    free(view);
    return aliased;
}

static uint64_t pools_hold(const struct mw_live *live)
{
    uint64_t bytes = 0;
    struct stat st;

    for (int i = 0; i < POOLS; i++)
        if (live->pool[i].as_shared.file.object && fstat(live->pool[i].fd, &st) == 0)
            bytes += (uint64_t)st.st_blocks * 512;
    return bytes;
}

void mw_live_stats(struct mw_live *live, struct mw_live_stats *out)
{
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uint64_t most = max_map_count(), page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct mw_vma v;

    *out = (struct mw_live_stats){ 0 };
    pthread_mutex_lock(&live->lock);
    out->held = pools_hold(live);
    for (uint64_t a = live->range.start; mw_find_vma(live->space, a, &v); a = v.end) {
        out->mapped += v.end - v.start;
        out->mappings++;
        if (is_carried(&v) && pagemap >= 0)
            out->held += own_pages(pagemap, v.start, v.end) * page;
    }
    out->aliased = count_aliased(live, out->mappings);
    read_maps(live, &out->host_used);
    out->host_left = most > out->host_used ? most - out->host_used : 0;
    pthread_mutex_unlock(&live->lock);
    if (pagemap >= 0)
        close(pagemap);
}

/* ---- soundness ----------------------------------------------------------------------------------- */

/* Each mapping of the space is one that the host has; slots know how much of them is mapped. */
static const char *all_there(const struct mw_live *live)
{
    uint64_t counted = 0, total = 0;
    struct mw_vma v;

    for (uint64_t a = live->range.start; mw_find_vma(live->space, a, &v); a = v.end) {
        unsigned char resident;

        if (pool_of(&v))
            total += v.end - v.start;
        if (mincore(host_at(v.start), 1, &resident) != 0)
            return "the space has a mapping that the host has not";
    }
    for (int i = 0; i < POOLS; i++)
        for (uint32_t s = 0; s < live->pool[i].count; s++)
            counted += live->pool[i].slots[s].mapped;
    return counted == total ? NULL : "the count of mapped bytes is wrong";
}

const char *mw_live_check(struct mw_live *live)
{
    const char *bad = NULL;
    uint64_t lines;

    pthread_mutex_lock(&live->lock);
    mw_check(live->space, &bad);
    if (!bad)
        bad = read_maps(live, &lines);
    if (!bad)
        bad = all_there(live);
    pthread_mutex_unlock(&live->lock);
    return bad;
}
