/* SPDX-License-Identifier: MIT */
/*
 * model.c - performs an observed program's calls in the engine and says
 * whether its answers agree. Decides which calls are answered, which are only
 * followed, and which are not modelled.
 */
#include "model_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

struct model *model_create(struct objects *objects, const struct mw_config *config)
{
    struct model *model = calloc(1, sizeof *model);

    if (!model)
        return NULL;
    model->objects = objects;
    if (mw_space_create(config, &model->space) != 0) {
        free(model);
        return NULL;
    }
    return model;
}

void model_destroy(struct model *model)
{
    if (!model)
        return;
    mw_space_destroy(model->space);
    free(model);
}

struct mw_space *model_space(struct model *model)
{
    return model->space;
}

int model_set_brk(struct model *model, uint64_t start, uint64_t end)
{
    return mw_set_brk(model->space, start, end);
}

static bool failed(const struct event *event)
{
    return event->result_known && event->result < 0 && event->result >= -4095;
}

/*
 * The kernel starts the search for MAP_32BIT at a random address, a new one
 * each time: its choice can't be foretold, only checked for being free.
 */
static bool is_placed_at_random(const struct event *event)
{
    uint64_t flags = event->arg[3];

    return (flags & MW_MAP_32BIT) && !(flags & (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE)) &&
           event->result_known && !failed(event) && (uint64_t)event->result != event->arg[0];
}

static bool file_is_huge(const struct mw_object *object)
{
    return object && (mw_object_flags(object) & MW_OBJ_HUGETLB);
}

static void request_mmap(struct model *model, const struct event *event,
                         struct model_request *request)
{
    struct mw_file file = { NULL, event->file.mode };
    uint64_t addr = event->arg[0];
    uint64_t flags = event->arg[3];
    bool named = event->file.known && !(flags & MW_MAP_ANONYMOUS);

    if (named && (event->file.object & MW_OBJ_ANON) && (flags & 3) != MW_MAP_PRIVATE) {
        flags |= MW_MAP_ANONYMOUS; /* /dev/zero mapped shared is shared anonymous memory */
        named = false;
    }

    if (is_placed_at_random(event)) {
        request->placed = true;
        addr = (uint64_t)event->result;
        flags |= MW_MAP_FIXED_NOREPLACE;
    }
    if (named && event->file.opening)
        file.object = event->file.opening;
    else if (named)
        file.object = objects_get(model->objects, event->file.dev, event->file.ino,
                                  event->file.path, event->file.size,
                                  event->file.object | objects_flags_of_path(event->file.path));
    if (flags & MW_MAP_HUGETLB || file_is_huge(file.object)) /* the pool is the kernel's */
        mw_set_huge_pages(model->space,
                          event->result_known && event->result == -MW_ENOMEM ? 0 : MW_UNLIMITED);
    request->file = file;
    request->call = (struct mw_call){
        .name = MW_CALL_MMAP,
        .arg = { addr, event->arg[1], event->arg[2], flags, 0, event->arg[5] },
        .file = file.object ? &request->file : NULL,
    };
}

/* Calls other than mmap: the flags are what needs care. */
static struct mw_call plain_request(const struct event *event, enum mw_call_name name)
{
    struct mw_call call = { .name = name };

    for (unsigned i = 0; i < 5; i++)
        call.arg[i] = event->arg[i];
    if (name == MW_CALL_MPROTECT)
        call.arg[2] = event->arg[2];
    if (name == MW_CALL_MREMAP)
        call.arg[3] = event->arg[3];
    return call;
}

/* Of the program's own memory. */
static bool request_process_madvise(const struct event *event, struct model_request *request)
{
    request->call = (struct mw_call){
        .name = MW_CALL_PROCESS_MADVISE,
        .arg = { 0, event->arg[2], event->arg[3], event->arg[4], true },
        .ranges = event->ranges,
    };
    return event->ranges != NULL;
}

/* The advice of a call that gives some. */
static uint32_t advice_of(const struct event *event)
{
    return (uint32_t)event->arg[event->call == CALL_PROCESS_MADVISE ? 3 : 2];
}

static bool gives_advice(const struct event *event)
{
    return event->call == CALL_MADVISE || event->call == CALL_PROCESS_MADVISE;
}

/*
 * What the kernel was built with, and what state the machine is in, decide
 * some advice: nothing can be said to it. It leaves the layout as it is.
 */
static bool is_answerable(const struct event *event)
{
    switch (advice_of(event)) {
    case MW_MADV_COLLAPSE:
    case MW_MADV_HWPOISON:
    case MW_MADV_SOFT_OFFLINE:
        return false;
    case MW_MADV_MERGEABLE: /* of a kernel without KSM */
    case MW_MADV_UNMERGEABLE:
        return !event->result_known || event->result != -MW_EINVAL;
    default:
        return true;
    }
}

/* Locks, advice, seals and the like: the arguments are the call's own. */
static bool request_advice(const struct event *event, struct model_request *request)
{
    static const struct { enum call_nr call; enum mw_call_name name; } names[] = {
        { CALL_MLOCK, MW_CALL_MLOCK }, { CALL_MLOCK2, MW_CALL_MLOCK2 },
        { CALL_MUNLOCK, MW_CALL_MUNLOCK }, { CALL_MLOCKALL, MW_CALL_MLOCKALL },
        { CALL_MUNLOCKALL, MW_CALL_MUNLOCKALL }, { CALL_MADVISE, MW_CALL_MADVISE },
        { CALL_MSYNC, MW_CALL_MSYNC }, { CALL_MSEAL, MW_CALL_MSEAL },
        { CALL_REMAP_FILE_PAGES, MW_CALL_REMAP_FILE_PAGES },
    };

    if (gives_advice(event) && !is_answerable(event))
        return false;
    if (event->call == CALL_PROCESS_MADVISE)
        return request_process_madvise(event, request);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].call == event->call) {
            request->call = plain_request(event, names[i].name);
            return true;
        }
    return false;
}

bool model_request(struct model *model, const struct event *event, struct model_request *request)
{
    request->placed = false;
    switch (event->call) {
    case CALL_MMAP:
        request_mmap(model, event, request);
        return true;
    case CALL_MUNMAP:
        request->call = plain_request(event, MW_CALL_MUNMAP);
        return true;
    case CALL_MPROTECT:
        request->call = plain_request(event, MW_CALL_MPROTECT);
        return true;
    case CALL_BRK:
        request->call = plain_request(event, MW_CALL_BRK);
        return true;
    case CALL_MREMAP:
        request->call = plain_request(event, MW_CALL_MREMAP);
        return true;
    case CALL_PKEY_MPROTECT:
        request->call = plain_request(event, MW_CALL_PKEY_MPROTECT);
        return true;
    case CALL_PKEY_ALLOC:
        request->call = plain_request(event, MW_CALL_PKEY_ALLOC);
        return true;
    case CALL_PKEY_FREE:
        request->call = plain_request(event, MW_CALL_PKEY_FREE);
        return true;
    case CALL_SHMAT:
        return attach_request(model, event, request);
    default:
        return request_advice(event, request);
    }
}

static int64_t make(struct mw_space *space, const struct mw_call *call, struct mw_why *why)
{
    const uint64_t *arg = call->arg;

    switch (call->name) {
    case MW_CALL_MMAP:
        return mw_mmap(space, arg[0], arg[1], (uint32_t)arg[2], (uint32_t)arg[3], call->file,
                       arg[5], why);
    case MW_CALL_MUNMAP:
        return mw_munmap(space, arg[0], arg[1], why);
    case MW_CALL_MPROTECT:
        return mw_mprotect(space, arg[0], arg[1], (uint32_t)arg[2], why);
    case MW_CALL_BRK:
        return (int64_t)mw_brk(space, arg[0], why);
    case MW_CALL_MREMAP:
        return mw_mremap(space, arg[0], arg[1], arg[2], arg[3], arg[4], why);
    case MW_CALL_MLOCK:
        return mw_mlock(space, arg[0], arg[1], why);
    case MW_CALL_MLOCK2:
        return mw_mlock2(space, arg[0], arg[1], arg[2], why);
    case MW_CALL_MUNLOCK:
        return mw_munlock(space, arg[0], arg[1], why);
    case MW_CALL_MLOCKALL:
        return mw_mlockall(space, arg[0], why);
    case MW_CALL_MUNLOCKALL:
        return mw_munlockall(space, why);
    case MW_CALL_MADVISE:
        return mw_madvise(space, arg[0], arg[1], arg[2], why);
    case MW_CALL_PROCESS_MADVISE:
        return mw_process_madvise(space, call->ranges, arg[1], arg[2], arg[3], arg[4], why);
    case MW_CALL_REMAP_FILE_PAGES:
        return mw_remap_file_pages(space, arg[0], arg[1], arg[2], arg[3], arg[4], why);
    case MW_CALL_SHMAT:
        return mw_shmat(space, call->file, arg[0], arg[1], why);
    case MW_CALL_MSYNC:
        return mw_msync(space, arg[0], arg[1], arg[2], why);
    case MW_CALL_PKEY_MPROTECT:
        return mw_pkey_mprotect(space, arg[0], arg[1], (uint32_t)arg[2], (int32_t)arg[3], why);
    case MW_CALL_PKEY_ALLOC:
        return mw_pkey_alloc(space, arg[0], arg[1], why);
    case MW_CALL_PKEY_FREE:
        return mw_pkey_free(space, (int32_t)arg[0], why);
    default:
        return mw_mseal(space, arg[0], arg[1], arg[2], why);
    }
}

/* What mlockall has said of the future is said again to a new space. */
static void note_future(struct model *model, const struct event *event, int64_t result)
{
    bool onfault = event->arg[0] & MW_MCL_ONFAULT;

    if (event->call == CALL_MUNLOCKALL)
        model->future = 0;
    else if (event->call == CALL_MLOCKALL && result == 0)
        model->future = !(event->arg[0] & MW_MCL_FUTURE) ? 0
                        : onfault ? MW_FUTURE_LOCK | MW_FUTURE_ONFAULT : MW_FUTURE_LOCK;
}

/* False: not a call that the engine makes. */
static bool perform(struct model *model, const struct event *event, struct model_answer *answer)
{
    struct model_request request;

    if (!model_request(model, event, &request))
        return false;
    answer->placed = request.placed;
    answer->result = make(model->space, &request.call, &answer->why);
    note_future(model, event, answer->result);
    if (model->labelled && answer->result == event->result && !label_after_mremap(model, event))
        return false;
    model->guarded |= gives_advice(event) && advice_of(event) == MW_MADV_GUARD_INSTALL;
    if (event->call == CALL_BRK)
        answer->failed = event->arg[0] && event->result_known &&
                         (uint64_t)event->result != event->arg[0];
    return true;
}

/*
 * Where the engine does not have the moving of several mappings at once, they
 * are moved one by one: the kernel's layout is taken over afterwards anyway,
 * but what only the engine knows of the memory goes along to its new place.
 */
static void move_one_by_one(struct model *model, const struct event *event)
{
    uint64_t from = event->arg[0], size = event->arg[1], to = (uint64_t)event->result;
    uint64_t at = from;
    struct mw_vma vma;

    if (event->call != CALL_MREMAP || failed(event) || size != event->arg[2] ||
        !(event->arg[3] & MW_MREMAP_FIXED) || (event->arg[3] & MW_MREMAP_DONTUNMAP))
        return;
    while (at < from + size && mw_find_vma(model->space, at, &vma) && vma.start < from + size) {
        uint64_t start = vma.start > at ? vma.start : at;
        uint64_t end = vma.end < from + size ? vma.end : from + size;
        mw_mremap(model->space, start, end - start, end - start,
                  MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED, to + (start - from), NULL);
        at = end;
    }
}

/* Whether a file is mapped in [start, end): how long it is by now is not known here. */
static bool maps_file(struct model *model, uint64_t start, uint64_t end)
{
    struct mw_vma vma;

    while (start < end && mw_find_vma(model->space, start, &vma) && vma.start < end) {
        if (vma.object)
            return true;
        start = vma.end;
    }
    return false;
}

/*
 * Whether pages decide what comes of it, of which the engine has none here:
 * what is locked or populated may lie beyond a file's end or be a guard, what is
 * to be removed on a file system that can't. The mappings are the same either way.
 */
static bool depends_on_pages(struct model *model, const struct event *event)
{
    uint64_t advice = gives_advice(event) ? advice_of(event) : MW_MADV_NORMAL;
    bool matters = event->call == CALL_MLOCK || event->call == CALL_MLOCK2 ||
                   advice == MW_MADV_POPULATE_READ || advice == MW_MADV_POPULATE_WRITE ||
                   advice == MW_MADV_REMOVE;

    return matters && (model->guarded || event->call == CALL_PROCESS_MADVISE ||
                       maps_file(model, event->arg[0], event->arg[0] + event->arg[1]));
}

/* PR_SET_VMA_ANON_NAME. Of a kernel without names nothing is to be expected. */
static bool name_memory(struct model *model, const struct event *event,
                        struct model_answer *answer)
{
    enum { SET_VMA = 0x53564d41 };

    if (event->call != CALL_PRCTL || event->arg[0] != SET_VMA || !event->value_known ||
        event->result == -MW_EINVAL)
        return false;
    answer->result = mw_name(model->space, event->arg[2], event->arg[3],
                             event->file.path[0] ? event->file.path : NULL, &answer->why);
    return true;
}

/* False: not a call that the engine answers. */
static bool call_answered(struct model *model, const struct event *event,
                          struct model_answer *answer)
{
    if (!perform(model, event, answer) && !attach_call(model, event, answer) &&
        !name_memory(model, event, answer))
        return false;
    answer->kind = MODEL_ANSWERED;
    answer->agrees = !event->result_known || answer->result == event->result;
    if (!answer->agrees && depends_on_pages(model, event)) {
        answer->kind = MODEL_FOLLOWED;
        answer->agrees = true;
    }
    if (answer->result == -MW_ENOSYS && !answer->agrees) {
        answer->kind = MODEL_NOT_MODELLED;
        move_one_by_one(model, event);
    }
    return true;
}

/* A call the model can't follow: harmless if it failed as a whole. */
static void call_unknown(const struct event *event, struct model_answer *answer)
{
    answer->kind = failed(event) ? MODEL_HARMLESS : MODEL_NOT_MODELLED;
}

void model_call(struct model *model, const struct event *event, struct model_answer *answer)
{
    *answer = (struct model_answer){ .agrees = true, .failed = failed(event) };
    call_text(event, answer->what, sizeof answer->what);
    answer->result = event->result;
    if (call_answered(model, event, answer) || label_call(model, event, answer))
        return;

    switch (event->call) {
    case CALL_PRLIMIT:
    case CALL_SETRLIMIT:
        model_apply_limit(model, event, answer);
        break;
    case CALL_PRCTL:
        if (event->arg[0] == PR_SET_MM)
            model_apply_break(model, event, answer);
        else
            call_unknown(event, answer);
        break;
    case CALL_MADVISE: /* what is_answerable names */
    case CALL_PROCESS_MADVISE: /* of another's memory: none of it changes the layout */
    case CALL_MINCORE:
        answer->kind = MODEL_HARMLESS;
        break;
    default:
        call_unknown(event, answer);
        break;
    }
}

/* ---- following a log ------------------------------------------------------ */

/* Undoes the engine's own placement and makes the program's. */
static bool follow_mmap(struct model *model, const struct event *event,
                        const struct model_answer *answer)
{
    struct event at = *event;
    struct model_answer again = { 0 };

    if (answer->result >= 0 || answer->result < -4095)
        mw_munmap(model->space, (uint64_t)answer->result, event->arg[1], NULL);
    if (failed(event))
        return true;
    at.arg[0] = (uint64_t)event->result;
    at.arg[3] = (event->arg[3] & ~(uint64_t)MW_MAP_FIXED_NOREPLACE) | MW_MAP_FIXED;
    perform(model, &at, &again);
    return again.result == event->result;
}

static bool follow_mremap(struct model *model, const struct event *event,
                          const struct model_answer *answer)
{
    uint64_t from = event->arg[0], size = event->arg[1];
    uint64_t to = (uint64_t)event->result;

    if (failed(event))
        return false; /* the engine has moved it already: what lay there is gone */
    if (answer->result >= 0 || answer->result < -4095) {
        from = (uint64_t)answer->result;
        size = event->arg[2];
    }
    if (from == to)
        return mw_mremap(model->space, from, size, event->arg[2], 0, 0, NULL) ==
               event->result;
    return mw_mremap(model->space, from, size, event->arg[2],
                     MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED, to, NULL) == event->result;
}

/* The flags that the program's success has set, where the engine refused. */
static bool follow_advice(struct model *model, const struct event *event)
{
    struct model_answer again = { .failed = failed(event), .result = event->result };

    if (again.failed)
        return false; /* the engine has done it already */
    if (event->call == CALL_MADVISE)
        model_apply_madvise(model, event, &again);
    else
        model_apply_mlock(model, event, &again);
    return again.kind != MODEL_NOT_MODELLED;
}

bool model_follow(struct model *model, const struct event *event,
                  const struct model_answer *answer)
{
    if (answer->agrees || !event->result_known)
        return true;
    switch (event->call) {
    case CALL_MMAP:
        return follow_mmap(model, event, answer);
    case CALL_MREMAP:
        return follow_mremap(model, event, answer);
    case CALL_BRK:
        return (int64_t)mw_brk(model->space, (uint64_t)event->result, NULL) == event->result;
    case CALL_MADVISE:
    case CALL_MLOCK:
    case CALL_MLOCK2:
    case CALL_MUNLOCK:
    case CALL_MLOCKALL:
    case CALL_MUNLOCKALL:
        return follow_advice(model, event);
    default:
        return false;
    }
}
