/* SPDX-License-Identifier: MIT */
/*
 * model_layout.c - a model's layout as a whole: taken in from the kernel,
 * given out for comparison, handed on to a fork child. Decides what is kept of
 * what only the engine knows when the kernel's layout is taken over.
 */
#include "model_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTECTION (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC)

/* Identities made up here are far from those that the engine counts up from one. */
#define MADE_UP (UINT64_C(1) << 40)

/* The flags of an area of which only the mode is known. */
static uint64_t guess_flags(const struct area *area)
{
    uint64_t flags = area->flags | MW_VM_MAYREAD | MW_VM_MAYWRITE | MW_VM_MAYEXEC;

    if (area->flags & MW_VM_MAYSHARE)
        flags |= MW_VM_SHARED;
    else if (area->flags & MW_VM_WRITE)
        flags |= MW_VM_ACCOUNT;
    if (strncmp(area->path, "[stack", 6) == 0)
        flags |= MW_VM_GROWSDOWN;
    if (area->kind == AREA_SPECIAL)
        flags |= MW_VM_DONTEXPAND;
    if (strncmp(area->path, "[vvar", 5) == 0)
        flags = (flags & ~(MW_VM_MAYWRITE | MW_VM_MAYEXEC)) | MW_VM_IO | MW_VM_PFNMAP |
                MW_VM_DONTDUMP;
    return flags;
}

/* With a key, and nothing but executable: the kernel has no flag for it. */
static uint64_t exec_only(uint64_t flags)
{
    bool only = (flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC)) == MW_VM_EXEC;

    return only && (flags & MW_VM_PKEY) ? MW_VM_EXEC_ONLY : 0;
}

static int to_vma(struct model *model, const struct area *area, struct mw_vma *vma)
{
    *vma = (struct mw_vma){
        .start = area->start,
        .end = area->end,
        .offset = area->kind == AREA_ANON ? area->start : area->offset,
        .flags = area->flags_known ? area->flags : guess_flags(area),
    };
    vma->flags |= exec_only(vma->flags);
    if (area->kind == AREA_ANON)
        return 0;
    vma->object = objects_get(model->objects, area->dev, area->ino, area->path,
                              area->offset + (area->end - area->start),
                              objects_flags_of_path(area->path));
    return vma->object ? 0 : -ENOMEM;
}

int model_import(struct model *model, const struct layout *layout)
{
    for (size_t i = 0; i < layout->n; i++) {
        struct mw_vma vma;
        int err = to_vma(model, &layout->area[i], &vma);
        if (!err)
            err = mw_import(model->space, &vma);
        if (err)
            return err > 0 ? -err : err;
    }
    return 0;
}

/* ---- giving out ------------------------------------------------------------ */

/* Its identity is which attachment it is of. */
static bool is_segment(const struct mw_vma *vma)
{
    return vma->object && (mw_object_flags(vma->object) & MW_OBJ_SHM);
}

static void to_area(const struct mw_vma *vma, struct area *area)
{
    const struct object_info *info = vma->object ? mw_object_ctx(vma->object) : NULL;

    *area = (struct area){
        .start = vma->start,
        .end = vma->end,
        .flags = vma->flags & ~(MW_VM_LABEL | MW_VM_NAME | MW_VM_EXEC_ONLY),
        .object = vma->object,
        .anon = is_segment(vma) ? 0 : vma->anon,
        .identity = vma->offset,
        .kind = vma->object ? AREA_FILE : AREA_ANON,
        .flags_known = true,
    };
    if (vma->object)
        area->offset = vma->offset;
    if (!info)
        return;
    area->dev = info->dev;
    area->ino = info->ino;
    area->path = info->path;
    if (!info->dev && !info->ino && info->path[0] == '[') {
        area->kind = AREA_SPECIAL;
        area->offset = 0;
    }
}

bool model_layout(const struct model *model, struct layout *out)
{
    struct mw_vma vma;
    struct area area;
    uint64_t addr = 0;

    while (mw_find_vma(model->space, addr, &vma)) {
        to_area(&vma, &area);
        if (!layout_add(out, &area))
            return false;
        addr = vma.end;
    }
    return true;
}

/* ---- taking over ------------------------------------------------------------ */

/* Whether both are of one file; the engine's own objects may be any shared memory. */
static bool same_file(const struct mw_object *object, const struct mw_object *old)
{
    const struct object_info *a = mw_object_ctx(object), *b = mw_object_ctx(old);

    return object == old || !b || ((a->dev || a->ino) && a->dev == b->dev && a->ino == b->ino);
}

static bool same_kind(const struct mw_vma *vma, const struct mw_vma *old)
{
    if (((vma->flags ^ old->flags) & MW_VM_MAYSHARE) || !vma->object != !old->object)
        return false;
    return !vma->object || same_file(vma->object, old->object);
}

/* Gives `vma` what the engine knew of the memory there, from the mappings of `old`. */
static void keep_identity(const struct mw_space *old, struct mw_vma *vma, bool flags_known)
{
    struct mw_vma was;
    uint64_t addr = vma->start;
    bool first = true;

    while (addr < vma->end && mw_find_vma(old, addr, &was) && was.start < vma->end) {
        addr = was.end;
        if (!same_kind(vma, &was))
            continue;
        if (!vma->anon)
            vma->anon = was.anon;
        if (first && vma->object && mw_object_ctx(was.object))
            vma->object = was.object; /* the engine may know which opening of the file it is */
        if (first && !vma->object)
            vma->offset = was.offset + (vma->start - was.start);
        if (first && !flags_known)
            vma->flags = (was.flags & ~PROTECTION) | (vma->flags & PROTECTION);
        else if (first)
            vma->flags |= was.flags & MW_VM_LABEL;
        first = false;
    }
}

/* The name that /proc shows of a mapping; NULL: none. */
static const char *name_in(const char *path, char name[81])
{
    return sscanf(path, "[anon:%80[^]]]", name) == 1 ||
           sscanf(path, "[anon_shmem:%80[^]]]", name) == 1 ? name : NULL;
}

static void name_as(struct model *model, const struct mw_vma *vma, const char *name)
{
    if (name)
        mw_name(model->space, vma->start, vma->end - vma->start, name, NULL);
}

static int import_kept(struct model *model, const struct mw_space *old,
                       const struct layout *kernel)
{
    char name[81];

    for (size_t i = 0; i < kernel->n; i++) {
        struct mw_vma vma;
        int err = to_vma(model, &kernel->area[i], &vma);
        if (err)
            return err;
        keep_identity(old, &vma, kernel->area[i].flags_known);
        err = mw_import(model->space, &vma);
        if (err)
            return err > 0 ? -err : err;
        name_as(model, &vma, name_in(kernel->area[i].path, name));
    }
    return 0;
}

int model_take_over(struct model *model, const struct layout *kernel, uint64_t brk)
{
    struct mw_space *old = model->space;
    struct mw_config config = *mw_space_config(old);
    struct mw_stats stats;

    mw_stats(old, &stats);
    int err = mw_space_create(&config, &model->space);
    if (err) {
        model->space = old;
        return err > 0 ? -err : err;
    }
    mw_set_pkeys(model->space, stats.pkeys, stats.exec_pkey);
    err = import_kept(model, old, kernel);
    mw_set_brk(model->space, stats.brk_start, brk ? brk : stats.brk);
    mw_set_future(model->space, model->future);
    mw_space_destroy(old);
    return err;
}

/* ---- fork ------------------------------------------------------------------- */

/* How the child gets a mapping; false: not at all. */
static bool inherit(struct model *child, struct mw_vma *vma)
{
    if (vma->flags & MW_VM_DONTCOPY)
        return false;
    vma->flags = label_inherited(child, vma->flags & ~(MW_VM_LOCKED | MW_VM_LOCKONFAULT));
    if (vma->flags & MW_VM_WIPEONFORK)
        vma->anon = 0;
    if (vma->anon && !is_segment(vma)) /* each gets an identity of its own that hangs on its parent's */
        vma->anon = (MADE_UP + ++child->identity) | MW_ANON_FORKED;
    return true;
}

static int copy_into(struct model *child, const struct model *parent)
{
    struct mw_vma vma;
    uint64_t addr = 0;

    while (mw_find_vma(parent->space, addr, &vma)) {
        addr = vma.end;
        if (!inherit(child, &vma))
            continue;
        if (mw_import(child->space, &vma) != 0)
            return -ENOMEM;
        name_as(child, &vma, mw_vma_name(parent->space, &vma));
    }
    return 0;
}

struct model *model_fork(const struct model *parent)
{
    struct model *child = model_create(parent->objects, mw_space_config(parent->space));
    struct mw_stats stats;

    if (!child)
        return NULL;
    child->identity = parent->identity;
    child->guarded = parent->guarded;
    child->labelled = parent->labelled;
    memcpy(child->label, parent->label, sizeof child->label);
    mw_stats(parent->space, &stats);
    mw_set_brk(child->space, stats.brk_start, stats.brk);
    if (copy_into(child, parent) != 0) {
        model_destroy(child);
        return NULL;
    }
    mw_set_pkeys(child->space, stats.pkeys, stats.exec_pkey);
    return child;
}
