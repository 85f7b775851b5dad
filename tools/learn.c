/* SPDX-License-Identifier: MIT */
/* learn.c - what a log's results give away of a space; see learn.h. */
#include "learn.h"

#include <string.h>

#define HUGE_PAGE (UINT64_C(2) << 20)

/* Stands for whatever a range that nobody has seen maps. */
#define ASSUMED "(assumed)"

static uint64_t page_up(struct model *model, uint64_t n)
{
    uint64_t page = UINT64_C(1) << mw_space_config(model_space(model))->page_shift;
    return n > UINT64_MAX - page ? n & ~(page - 1) : (n + page - 1) & ~(page - 1);
}

/* a + n, at most the end of user space, whatever a log claims. */
static uint64_t range_end(struct model *model, uint64_t a, uint64_t n)
{
    uint64_t top = mw_space_config(model_space(model))->task_size;
    n = page_up(model, n);
    return a >= top || n > top - a ? top : a + n;
}

static bool succeeded(const struct event *e)
{
    return e->result_known && (e->result >= 0 || e->result < -4095);
}

static bool is_assumed(const struct mw_vma *vma)
{
    const struct object_info *info = vma->object != NULL ? mw_object_ctx(vma->object) : NULL;
    return info != NULL && strcmp(info->path, ASSUMED) == 0;
}

/* ---- ranges that must exist ---------------------------------------------- */

static void assume(struct model *model, struct objects *objects, uint64_t start, uint64_t end,
                   struct learnt *learnt)
{
    struct mw_vma vma = {
        .start = start,
        .end = end,
        .offset = start,
        .flags = MW_VM_READ | MW_VM_WRITE | MW_VM_MAYREAD | MW_VM_MAYWRITE | MW_VM_MAYEXEC |
                 MW_VM_ACCOUNT,
        .object = objects_get(objects, 0, 0, ASSUMED, 0, MW_OBJ_NOMERGE),
    };
    if (vma.object == NULL || mw_import(model_space(model), &vma) != 0)
        return;
    learnt->ranges++;
    learnt->bytes += end - start;
}

/* Assumes a mapping in every hole of [start, end). */
static void fill(struct model *model, struct objects *objects, uint64_t start, uint64_t end,
                 struct learnt *learnt)
{
    struct mw_vma vma;
    start &= ~(page_up(model, 1) - 1);
    while (start < end) {
        bool found = mw_find_vma(model_space(model), start, &vma) && vma.start < end;
        uint64_t stop = found ? vma.start : end;
        if (start < stop)
            assume(model, objects, start, stop, learnt);
        start = found ? vma.end : end;
    }
}

/* The kernel put something new here: what was assumed in [start, end) was not there. */
static void unassume(struct model *model, uint64_t start, uint64_t end)
{
    struct mw_vma vma;
    while (start < end && mw_find_vma(model_space(model), start, &vma) && vma.start < end) {
        uint64_t from = vma.start > start ? vma.start : start;
        uint64_t to = vma.end < end ? vma.end : end;
        if (is_assumed(&vma))
            mw_munmap(model_space(model), from, to - from, NULL);
        start = to;
    }
}

/* The range a successful call proves to be mapped from end to end; false: none. */
static bool proven_range(const struct event *e, uint64_t *start, uint64_t *size)
{
    if (!succeeded(e))
        return false;
    *start = e->arg[0];
    *size = e->arg[1];
    switch (e->call) {
    case CALL_MREMAP: /* old size 0 duplicates; a shrink needs only its head */
        if (*size > e->arg[2] || *size == 0)
            *size = 1;
        return true;
    case CALL_MPROTECT:
    case CALL_PKEY_MPROTECT:
    case CALL_MADVISE:
    case CALL_MLOCK:
    case CALL_MLOCK2:
    case CALL_MUNLOCK:
    case CALL_MSYNC:
    case CALL_MINCORE:
    case CALL_MSEAL:
        return true;
    default:
        return false;
    }
}

/* An address asked for and not given: something lies there. */
static bool refused_hint(const struct event *e)
{
    bool noreplace = (e->arg[3] & MW_MAP_FIXED_NOREPLACE) != 0;
    if (e->call != CALL_MMAP || e->arg[0] == 0 || !e->result_known)
        return false;
    if (noreplace)
        return e->result == -MW_EEXIST;
    return (e->arg[3] & MW_MAP_FIXED) == 0 && succeeded(e) && (uint64_t)e->result != e->arg[0];
}

static void learn_ranges(struct model *model, struct objects *objects, const struct event *e,
                         struct learnt *learnt)
{
    uint64_t start, size;
    if (proven_range(e, &start, &size)) {
        fill(model, objects, start, range_end(model, start, size), learnt);
    } else if (refused_hint(e)) {
        struct mw_vma vma;
        uint64_t end = range_end(model, e->arg[0], e->arg[1]);
        bool taken = mw_find_vma(model_space(model), e->arg[0], &vma) && vma.start < end;
        if (!taken && e->arg[0] >= mw_space_config(model_space(model))->min_addr)
            fill(model, objects, e->arg[0], range_end(model, e->arg[0], 1), learnt);
    }
}

/* ---- where things start --------------------------------------------------- */

/* Whether the kernel chose the place, and how long what it placed is. */
static bool placed_by_kernel(const struct event *e, uint64_t *size)
{
    const uint64_t fixed = MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE | MW_MAP_32BIT;
    if (!succeeded(e))
        return false;
    *size = e->arg[e->call == CALL_MREMAP ? 2 : 1];
    if (e->call == CALL_MMAP)
        return (e->arg[3] & fixed) == 0 && (uint64_t)e->result != e->arg[0];
    return e->call == CALL_MREMAP && (e->arg[3] & MW_MREMAP_FIXED) == 0 &&
           (uint64_t)e->result != e->arg[0];
}

/*
 * The search goes downwards, so its start lies at or above the end of whatever
 * it finds. A huge-page aligned place was found with room to align in.
 */
static bool learn_base(struct known *known, struct model *model, const struct event *e)
{
    uint64_t size, at = (uint64_t)e->result;
    if (!placed_by_kernel(e, &size))
        return false;
    uint64_t end = range_end(model, at, size);
    const struct mw_config *config = mw_space_config(model_space(model));
    if (known->base && end <= config->mmap_base)
        return false;
    if (page_up(model, size) >= HUGE_PAGE && at % HUGE_PAGE == 0)
        end = range_end(model, end, HUGE_PAGE);
    known->base = mw_set_mmap_base(model_space(model), end) == 0;
    return known->base;
}

static bool learn_heap(struct known *known, struct model *model, const struct event *e)
{
    uint64_t end = (uint64_t)e->result, start = known->heap_start;
    if (e->call != CALL_BRK || known->heap || !succeeded(e) || end == 0)
        return false;
    if (start == 0 || start > end)
        start = end;
    if (known->origin == ORIGIN_MIDDLE) /* how far down it may shrink is not known */
        start = end > UINT64_C(1) << 32 ? page_up(model, end - (UINT64_C(1) << 32)) : start;
    known->heap = model_set_brk(model, start, end) == 0;
    return known->heap;
}

/* ---- files ----------------------------------------------------------------- */

/* What a refusal gives away of a file. True: it told something new. */
static bool learn_mode(struct event *e)
{
    uint32_t mode = e->file.mode, before = mode;
    bool shared_write = (e->arg[3] & MW_MAP_SHARED) != 0 && (e->arg[2] & MW_PROT_WRITE) != 0;
    if (e->result == -MW_EACCES)
        mode &= (mode & MW_FILE_WRITE) != 0 && shared_write ? ~MW_FILE_WRITE : ~0u;
    if (e->result == -MW_EACCES && !shared_write)
        mode &= ~MW_FILE_READ;
    if (e->result == -MW_EPERM && (e->arg[2] & MW_PROT_EXEC) != 0)
        mode |= MW_FILE_NOEXEC;
    if (e->result == -MW_ENODEV)
        mode |= MW_FILE_NOMMAP;
    e->file.mode = mode;
    return mode != before;
}

/* Some file systems place large mappings so that huge pages fit: the result shows it. */
static bool placed_for_huge_pages(const struct event *e)
{
    uint64_t size;
    return placed_by_kernel(e, &size) && size >= HUGE_PAGE &&
           ((uint64_t)e->result - e->arg[5]) % HUGE_PAGE == 0;
}

static bool learn_file(struct event *e)
{
    if (e->call != CALL_MMAP || e->file.path[0] == '\0' || !e->result_known)
        return false;
    if (!e->file.known)
        e->file.known = e->result != -MW_EBADF;
    if (placed_for_huge_pages(e))
        e->file.object |= MW_OBJ_THP_PLACE;
    return !succeeded(e) && learn_mode(e);
}

/* ---- the whole -------------------------------------------------------------- */

int learn_layout(struct known *known, struct model *model, struct layout *maps)
{
    uint64_t base = 0;
    known->origin = ORIGIN_MAPS;
    for (size_t i = 0; i < maps->n; i++) {
        struct area *area = &maps->area[i];
        area->dev = area->ino = 0;
        if (strcmp(area->path, "[heap]") == 0 && known->heap_start == 0)
            known->heap_start = area->start;
        bool stack = strcmp(area->path, "[stack]") == 0;
        bool above = i > 0 && strcmp(maps->area[i - 1].path, "[stack]") == 0;
        if (stack || above) /* the kernel puts these by rules of their own */
            break;
        base = area->end;
    }
    if (base != 0)
        known->base = mw_set_mmap_base(model_space(model), base) == 0;
    return model_import(model, maps);
}

bool learn_refused(const struct event *e)
{
    bool on_disk = e->file.path[0] == '/' && strncmp(e->file.path, "/dev/", 5) != 0;
    return e->call == CALL_MMAP && e->file.path[0] != '\0' && e->file.known && !on_disk &&
           e->result_known && !succeeded(e);
}

bool learn_before(struct known *known, struct model *model, struct objects *objects,
                  struct event *event, struct learnt *learnt)
{
    uint64_t size;
    bool used = learn_file(event);
    used |= learn_heap(known, model, event);
    used |= learn_base(known, model, event);
    if (known->origin != ORIGIN_MAPS)
        learn_ranges(model, objects, event, learnt);
    if (known->origin != ORIGIN_MAPS && placed_by_kernel(event, &size))
        unassume(model, (uint64_t)event->result,
                 range_end(model, (uint64_t)event->result, size));
    learnt->results += used;
    return used;
}

bool learn_after(struct known *known, struct model *model, struct objects *objects,
                 const struct event *event, const struct model_answer *answer,
                 struct learnt *learnt)
{
    uint64_t size, at = (uint64_t)event->result, engine = (uint64_t)answer->result;
    bool placed = placed_by_kernel(event, &size) && answer->result > 0;
    if (known->origin != ORIGIN_MIDDLE || !placed || engine <= at)
        return false;
    fill(model, objects, range_end(model, at, size), range_end(model, engine, size), learnt);
    learnt->results++;
    return true;
}
