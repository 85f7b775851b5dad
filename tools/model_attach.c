/* SPDX-License-Identifier: MIT */
/*
 * model_attach.c - calls that map as mmap does, each with checks of its own
 * first, and their counterparts: SysV shared memory and aio rings. Decides
 * what they ask of the engine.
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

bool attach_call(struct model *model, const struct event *event, struct model_answer *answer)
{
    switch (event->call) {
    case CALL_SHMDT:
        return call_shmdt(model, event, answer);
    case CALL_IO_SETUP:
        return call_io_setup(model, event, answer);
    case CALL_IO_DESTROY:
        return call_io_destroy(model, event, answer);
    default:
        return false;
    }
}
