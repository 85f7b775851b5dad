/* SPDX-License-Identifier: MIT */
/*
 * fds.c - descriptor tables; see fds.h. An array in the order of the numbers,
 * as long as there are open descriptors, whatever their numbers are.
 */
#include "fds.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

struct slot {
    int fd;
    bool cloexec;
    struct open_file *file;
};

struct fds {
    uint32_t refs;
    size_t count, cap;
    struct slot *slots;
};

struct fds *fds_new(void)
{
    struct fds *fds = trace_alloc(sizeof *fds);
    fds->refs = 1;
    return fds;
}

struct fds *fds_copy(const struct fds *from)
{
    struct fds *fds = fds_new();
    if (from->count == 0)
        return fds;
    fds->count = fds->cap = from->count;
    fds->slots = trace_alloc(from->count * sizeof *fds->slots);
    memcpy(fds->slots, from->slots, from->count * sizeof *fds->slots);
    for (size_t i = 0; i < fds->count; i++)
        fds->slots[i].file->refs++;
    return fds;
}

struct fds *fds_share(struct fds *fds)
{
    fds->refs++;
    return fds;
}

static void file_drop(struct open_file *file)
{
    if (--file->refs == 0)
        free(file);
}

void fds_drop(struct fds *fds)
{
    if (--fds->refs != 0)
        return;
    for (size_t i = 0; i < fds->count; i++)
        file_drop(fds->slots[i].file);
    free(fds->slots);
    free(fds);
}

/* The first slot whose number is not below `fd`. */
static size_t position(const struct fds *fds, int fd)
{
    size_t low = 0, high = fds->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (fds->slots[mid].fd < fd)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct open_file *fds_find(const struct fds *fds, int fd)
{
    size_t at = position(fds, fd);
    return at < fds->count && fds->slots[at].fd == fd ? fds->slots[at].file : NULL;
}

/* Gives `file`, with the caller's reference, the number `fd`. */
static void put(struct fds *fds, int fd, struct open_file *file, bool cloexec)
{
    size_t at = position(fds, fd);
    if (at < fds->count && fds->slots[at].fd == fd) {
        file_drop(fds->slots[at].file);
    } else {
        fds->slots = trace_grow(fds->slots, fds->count, &fds->cap, sizeof *fds->slots);
        memmove(&fds->slots[at + 1], &fds->slots[at], (fds->count - at) * sizeof *fds->slots);
        fds->count++;
    }
    fds->slots[at] = (struct slot){fd, cloexec, file};
}

struct open_file *fds_open(struct fds *fds, int fd, bool cloexec)
{
    struct open_file *file = trace_alloc(sizeof *file);
    file->refs = 1;
    put(fds, fd, file, cloexec);
    return file;
}

void fds_dup(struct fds *fds, int from, int to, bool cloexec)
{
    size_t at = position(fds, from);
    if (from == to)
        return;
    if (at == fds->count || fds->slots[at].fd != from) {
        fds_close(fds, to, to); /* an unknown file replaces a known one */
        return;
    }
    struct open_file *file = fds->slots[at].file;
    file->refs++;
    put(fds, to, file, cloexec);
}

void fds_close(struct fds *fds, int first, int last)
{
    size_t from = position(fds, first), to = from;
    while (to < fds->count && fds->slots[to].fd <= last)
        file_drop(fds->slots[to++].file);
    if (to == from)
        return;
    memmove(&fds->slots[from], &fds->slots[to], (fds->count - to) * sizeof *fds->slots);
    fds->count -= to - from;
}

void fds_set_cloexec(struct fds *fds, int first, int last, bool cloexec)
{
    for (size_t i = position(fds, first); i < fds->count && fds->slots[i].fd <= last; i++)
        fds->slots[i].cloexec = cloexec;
}

void fds_exec(struct fds *fds)
{
    size_t kept = 0;
    for (size_t i = 0; i < fds->count; i++) {
        if (fds->slots[i].cloexec)
            file_drop(fds->slots[i].file);
        else
            fds->slots[kept++] = fds->slots[i];
    }
    fds->count = kept;
}
