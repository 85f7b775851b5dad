/* SPDX-License-Identifier: MIT */
/*
 * model_attach.c - calls that map as mmap does, each with checks of its own
 * first, and their counterparts: SysV shared memory, aio rings and
 * remap_file_pages. Decides what they ask of the engine.
 */
#include "model_impl.h"

#include <errno.h>

static uint64_t page_of(const struct model *model)
{
    return UINT64_C(1) << mw_space_config(model->space)->page_shift;
}

/* ---- shmat and shmdt ---------------------------------------------------------- */

static bool is_room(const struct model *model, uint64_t addr, uint64_t size)
{
    struct mw_vma vma;

    return addr + size >= addr &&
           (!mw_find_vma(model->space, addr, &vma) || vma.start >= addr + size);
}

/*
 * Not known here: what the segment's rights forbid, whether it is still there,
 * and until it is attached whether it is of huge pages, which need more room.
 */
static bool is_refused_for_its_kind(const struct model *model, const struct event *event)
{
    uint64_t addr = event->arg[1] & ~(page_of(model) - 1);
    uint64_t huge = (event->file.size + MW_HUGE_SIZE - 1) & ~(MW_HUGE_SIZE - 1);

    return event->result == -MW_EACCES || event->result == -EIDRM ||
           (event->result == -MW_EINVAL && (addr % MW_HUGE_SIZE || !is_room(model, addr, huge)));
}

bool attach_request(struct model *model, const struct event *event,
                    struct model_request *request)
{
    if (!event->file.known || is_refused_for_its_kind(model, event))
        return false;
    request->file.object = event->file.opening;
    if (!request->file.object)
        request->file.object = objects_get(model->objects, event->file.dev, event->file.ino,
                                           event->file.path, event->file.size,
                                           objects_flags_of_path(event->file.path));
    request->file.mode = MW_FILE_READ | MW_FILE_WRITE;
    request->call = (struct mw_call){ .name = MW_CALL_SHMAT,
                                      .arg = { event->arg[1], event->arg[2] },
                                      .file = &request->file };
    return true;
}

/* Of an attachment that a log does not show nothing is known. */
static bool call_shmdt(struct model *model, const struct event *event,
                       struct model_answer *answer)
{
    answer->result = mw_shmdt(model->space, event->arg[0], &answer->why);
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
