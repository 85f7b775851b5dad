/* SPDX-License-Identifier: MIT */
/*
 * model_attach.c - calls that map as mmap does, each with checks of its own
 * first, and their counterparts: SysV shared memory, aio rings and
 * remap_file_pages. Decides what they ask of the engine.
 */
#include "model_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/shm.h>

static uint64_t page_of(const struct model *model)
{
    return UINT64_C(1) << mw_space_config(model->space)->page_shift;
}

/* ---- shmat ------------------------------------------------------------------ */

static bool is_room(const struct model *model, uint64_t addr, uint64_t size)
{
    struct mw_vma vma;

    return addr + size >= addr &&
           (!mw_find_vma(model->space, addr, &vma) || vma.start >= addr + size);
}

/* Where it is to be attached; false: EINVAL. */
static bool attach_address(const struct model *model, const struct event *event, uint64_t *addr)
{
    uint64_t below = event->arg[1] & (page_of(model) - 1), flags = event->arg[2];

    *addr = event->arg[1] - below;
    if (below && !(flags & SHM_RND))
        return false;
    if (flags & SHM_REMAP)
        return *addr != 0;
    return !event->arg[1] || is_room(model, *addr, event->file.size);
}

/*
 * Not known here: what the segment's rights forbid, whether it is still there,
 * and until it is attached whether it is of huge pages, which need more room.
 */
static bool is_refused_for_its_kind(const struct model *model, const struct event *event,
                                    uint64_t addr)
{
    uint64_t huge = (event->file.size + MW_HUGE_SIZE - 1) & ~(MW_HUGE_SIZE - 1);

    return event->result == -MW_EACCES || event->result == -EIDRM ||
           (event->result == -MW_EINVAL && (addr % MW_HUGE_SIZE || !is_room(model, addr, huge)));
}

bool attach_request(struct model *model, const struct event *event,
                    struct model_request *request)
{
    uint64_t addr, flags = event->arg[2];
    uint64_t prot = MW_PROT_READ | (flags & SHM_RDONLY ? 0 : MW_PROT_WRITE) |
                    (flags & SHM_EXEC ? MW_PROT_EXEC : 0);

    if (!event->file.known || !attach_address(model, event, &addr) ||
        is_refused_for_its_kind(model, event, addr))
        return false;
    request->file.object = event->file.opening;
    if (!request->file.object)
        request->file.object = objects_get(model->objects, event->file.dev, event->file.ino,
                                           event->file.path, event->file.size,
                                           objects_flags_of_path(event->file.path));
    request->file.mode = MW_FILE_READ | (flags & SHM_RDONLY ? 0 : MW_FILE_WRITE);
    request->call = (struct mw_call){
        .name = MW_CALL_MMAP,
        .arg = { addr, event->file.size, prot,
                 MW_MAP_SHARED | (event->arg[1] ? MW_MAP_FIXED : 0) },
        .file = request->file.object ? &request->file : NULL,
    };
    return true;
}

/* What attach_request has left to be refused. */
static bool call_shmat(const struct model *model, const struct event *event,
                       struct model_answer *answer)
{
    uint64_t addr;

    answer->result = -MW_EINVAL;
    return event->file.known && event->result != -MW_EACCES && event->result != -EIDRM &&
           !attach_address(model, event, &addr);
}

/* ---- shmdt ------------------------------------------------------------------ */

/* What is known of the segment that a mapping is of; NULL: of none. */
static const struct object_info *segment_of(const struct mw_vma *vma)
{
    const struct object_info *info = vma->object ? mw_object_ctx(vma->object) : NULL;

    return info && strncmp(info->path, "/SYSV", 5) == 0 ? info : NULL;
}

/*
 * The first piece above addr tells which attachment is meant, wherever it is;
 * the others are its pieces within the segment's size.
 */
static bool call_shmdt(struct model *model, const struct event *event,
                       struct model_answer *answer)
{
    uint64_t page = page_of(model), addr = event->arg[0], end = UINT64_MAX, at = addr;
    const struct mw_object *object = NULL;
    struct mw_vma vma;

    answer->result = -MW_EINVAL;
    while (!(addr & (page - 1)) && mw_find_vma(model->space, at, &vma) && vma.end <= end) {
        const struct object_info *info = segment_of(&vma);
        at = vma.end;
        if (!info || vma.start < addr || vma.start - addr != vma.offset ||
            (object && vma.object != object))
            continue;
        object = vma.object;
        end = addr + ((info->size + page - 1) & ~(page - 1));
        mw_munmap(model->space, vma.start, vma.end - vma.start, NULL);
        answer->result = 0;
    }
    /* an attachment that a log does not show */
    return answer->result == event->result || event->result != 0;
}

/* ---- aio rings --------------------------------------------------------------- */

/* The ring's address is the context's number, which the program is given. */
static bool call_io_setup(struct model *model, const struct event *event,
                          struct model_answer *answer)
{
    struct mw_file file = { event->file.opening, MW_FILE_READ | MW_FILE_WRITE | MW_FILE_NOEXEC };
    int64_t at;

    if (event->result != 0 || !event->value_known || !file.object)
        return false;
    at = mw_mmap(model->space, 0, event->file.size, MW_PROT_READ | MW_PROT_WRITE, MW_MAP_SHARED,
                 &file, 0, &answer->why);
    answer->result = at == (int64_t)event->value ? 0 : at;
    return true;
}

/* As much is unmapped as was mapped, wherever it is by now and whatever lies there. */
static bool call_io_destroy(struct model *model, const struct event *event,
                            struct model_answer *answer)
{
    const struct object_info *info;
    struct mw_vma vma;

    if (event->result != 0 || !mw_find_vma(model->space, event->arg[0], &vma) ||
        vma.start > event->arg[0] || !vma.object ||
        !(mw_object_flags(vma.object) & MW_OBJ_AIO))
        return false;
    info = mw_object_ctx(vma.object);
    answer->result = mw_munmap(model->space, event->arg[0], info->size, &answer->why);
    return true;
}

/* ---- remap_file_pages ---------------------------------------------------------- */

/* Whether [start, end) is of one shared file with equal flags, without a hole; *first: its start. */
static bool is_of_one_file(struct model *model, uint64_t start, uint64_t end,
                           struct mw_vma *first)
{
    struct mw_vma vma;

    if (!mw_find_vma(model->space, start, first) || first->start > start ||
        !(first->flags & MW_VM_SHARED))
        return false;
    for (vma = *first; vma.end < end;) {
        uint64_t at = vma.end;
        if (!mw_find_vma(model->space, at, &vma) || vma.start != at ||
            vma.object != first->object || vma.flags != first->flags)
            return false;
    }
    return true;
}

static bool call_remap_file_pages(struct model *model, const struct event *event,
                                  struct model_answer *answer)
{
    uint64_t page = page_of(model), start = event->arg[0] & ~(page - 1);
    uint64_t size = event->arg[1] & ~(page - 1), index = event->arg[3];
    uint64_t flags = MW_MAP_SHARED | MW_MAP_FIXED | MW_MAP_POPULATE |
                     (event->arg[4] & MW_MAP_NONBLOCK);
    struct mw_vma vma;

    answer->result = -MW_EINVAL;
    if (event->arg[2] || start + size <= start || index + size / page < index ||
        !is_of_one_file(model, start, start + size, &vma))
        return event->result != 0;
    struct mw_file file = { vma.object, MW_FILE_READ | MW_FILE_WRITE |
                                            (vma.flags & MW_VM_MAYEXEC ? 0 : MW_FILE_NOEXEC) };
    flags |= vma.flags & MW_VM_LOCKED ? MW_MAP_LOCKED : 0;
    answer->result = -MW_EOVERFLOW;
    if (index > (uint64_t)INT64_MAX / page)
        return true;
    mw_object_get(vma.object); /* what is replaced may have been all that held it */
    answer->result = mw_mmap(model->space, start, size,
                             (uint32_t)(vma.flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC)),
                             (uint32_t)flags, &file, index * page, &answer->why);
    mw_object_put(vma.object);
    if (answer->result == (int64_t)start)
        answer->result = 0;
    return true;
}

bool attach_call(struct model *model, const struct event *event, struct model_answer *answer)
{
    switch (event->call) {
    case CALL_SHMAT:
        return call_shmat(model, event, answer);
    case CALL_SHMDT:
        return call_shmdt(model, event, answer);
    case CALL_IO_SETUP:
        return call_io_setup(model, event, answer);
    case CALL_IO_DESTROY:
        return call_io_destroy(model, event, answer);
    case CALL_REMAP_FILE_PAGES:
        return call_remap_file_pages(model, event, answer);
    default:
        return false;
    }
}
