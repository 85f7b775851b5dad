/* SPDX-License-Identifier: MIT */
/*
 * model.h - one address space of an observed program, held by the engine.
 *
 * `check` and `replay` feed it the program's calls as events (trace/event.h).
 * The model performs each in the engine and says how the answer compares. It
 * knows nothing of ptrace or of logs: what the program has written to, which
 * file a descriptor means and which layout the program started with are told
 * to it.
 *
 *     struct objects *objects = objects_create();
 *     struct mw_config config;
 *     mw_config_init(&config, mw_host_port());     ... fill in ...
 *     struct model *m = model_create(objects, &config);
 *     model_import(m, &layout);                    the layout after exec, if known
 *     model_set_brk(m, start, end);
 *     for each event: model_call(m, &event, &answer); report_call(...);
 *     model_destroy(m); objects_destroy(objects);
 */
#ifndef MAPWRIGHT_TOOLS_MODEL_H
#define MAPWRIGHT_TOOLS_MODEL_H

#include "mapwright/mapwright.h"

#include "layout.h"
#include "trace/event.h"

/* ---- objects: one mw_object per file ------------------------------------ */

struct objects;

/* NULL: out of memory. */
struct objects *objects_create(void);

/* The models that used it must be gone. */
void objects_destroy(struct objects *objects);

/* What is known of an object that came from objects_get: mw_object_ctx. */
struct object_info {
    uint64_t dev, ino;
    uint64_t size; /* bytes, when it was first met */
    char *path;
};

/*
 * The object of a file: the same for equal dev:ino, or for equal paths where
 * dev and ino are both 0 (logs without inodes; "[vdso]" and its like). `flags`
 * are MW_OBJ_... and count the first time. Borrowed; lives as long as `objects`.
 * NULL: out of memory.
 */
struct mw_object *objects_get(struct objects *objects, uint64_t dev, uint64_t ino,
                              const char *path, uint64_t size, uint32_t flags);

/* MW_OBJ_... that follow from how /proc shows the mapping: "/SYSV..." and so on. */
uint32_t objects_flags_of_path(const char *path);

/* ---- models -------------------------------------------------------------- */

struct model;

/* How a call was dealt with. */
enum model_kind {
    MODEL_ANSWERED,   /* performed in the engine; `agrees` tells */
    MODEL_FOLLOWED,   /* the program's result was taken over: a change of limits, or what the
                         pages decide (mlock beyond a file's end) */
    MODEL_HARMLESS,   /* does not change the layout (mincore, madvise(COLLAPSE), ...) */
    MODEL_NOT_MODELLED /* may have changed the layout in a way that is not modelled: the
                         model is stale until model_take_over */
};

/* The engine's own form of a call, as mw_would takes it. */
struct model_request {
    struct mw_call call; /* its file, if any, is the one below: do not copy */
    struct mw_file file;
    bool placed;         /* as in model_answer */
};

/* What the engine says to a call. */
struct model_answer {
    enum model_kind kind;
    bool agrees;       /* MODEL_ANSWERED: same result as the program's. Also true when the
                          program's result is not known */
    bool placed;       /* the kernel places this mapping at random (MAP_32BIT): the engine
                          was told the kernel's address instead of choosing one */
    bool failed;       /* the program's call failed (or brk did not move the break) */
    int64_t result;    /* the engine's: address, 0, or -errno */
    struct mw_why why; /* why the engine's failed; err 0: it did not */
    char what[48];     /* the call for people and counts: "mmap", "madvise(DONTNEED)" */
};

/* NULL: out of memory, or a value of config out of its range. */
struct model *model_create(struct objects *objects, const struct mw_config *config);
void model_destroy(struct model *model);

/* The engine's space, for mw_touch, mw_find_vma, mw_set_mmap_base, ... Borrowed, and
   replaced by model_take_over: ask again after it. */
struct mw_space *model_space(struct model *model);

/* Adds the areas to the space as they are. 0 or -errno (one that overlaps: -EINVAL). */
int model_import(struct model *model, const struct layout *layout);

/* As mw_set_brk, kept over model_take_over. */
int model_set_brk(struct model *model, uint64_t start, uint64_t end);

/*
 * Performs the call. Never changes anything else; after a disagreement the
 * engine stands as its own answer left it (see model_take_over and
 * model_follow).
 */
void model_call(struct model *model, const struct event *event, struct model_answer *answer);

/* How model_call asks the engine, at this moment. False: not a call that the engine answers. */
bool model_request(struct model *model, const struct event *event, struct model_request *request);

/*
 * For logs, where there is no kernel to ask: after a disagreement, makes the
 * engine stand as the program's result says, as far as one result can tell
 * (an mmap or mremap lands where the log has it, an munmap happens or not).
 * False: it could not be brought about.
 */
bool model_follow(struct model *model, const struct event *event,
                  const struct model_answer *answer);

/* The engine's mappings, appended to `out` (zero it first). False: out of memory. */
bool model_layout(const struct model *model, struct layout *out);

/*
 * Replaces the mappings by the kernel's. Anonymous identities and offsets that
 * the engine knew are kept where the kind of memory is still the same. Limits,
 * capabilities and the heap's range stay; `brk` moves the heap's end unless 0.
 * 0 or -errno.
 */
int model_take_over(struct model *model, const struct layout *kernel, uint64_t brk);

/*
 * The first mapping that ends above addr and is watched by userfaultfd, and the inode of who
 * watches. False: none. And what happens when such a descriptor is closed for good.
 */
bool model_watched(struct model *model, uint64_t addr, struct mw_vma *vma, uint64_t *watcher);
void model_unwatch(struct model *model, uint64_t watcher);

/*
 * The address space of a fork child: DONTCOPY mappings are gone, lock flags
 * cleared, written private memory marked as inherited. NULL: out of memory.
 */
struct model *model_fork(const struct model *parent);

/* The name of a call with its kind of request, "madvise(DONTNEED)"; for reports. */
void call_text(const struct event *event, char *buf, size_t size);

/* Whole call as one line, "mmap(NULL, 4096, PROT_READ, ...) = 0x7f.."; for reports. */
void event_text(const struct event *event, char *buf, size_t size);

/* A result for people: an address, a small number, or "-1 ENOMEM". */
void result_text(int64_t result, char *buf, size_t size);

#endif
