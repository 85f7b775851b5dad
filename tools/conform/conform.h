/* SPDX-License-Identifier: MIT */
/*
 * conform.h - what the parts of `mapwright conform` share.
 *
 * A *step* is one call or one access. An *episode* is a list of steps on an
 * arena that is empty at first. Each step is made twice: by the system under
 * test (system.c) and by the engine (model.c); run.c compares what came of it.
 */
#ifndef MAPWRIGHT_CONFORM_H
#define MAPWRIGHT_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "mapwright/mapwright.h"
#include "touch.h"

#define PAGE UINT64_C(4096)
#define HUGE (UINT64_C(2) << 20)
#define TASK_END UINT64_C(0x7ffffffff000)
#define ARENA UINT64_C(0x200000000000)            /* page 0 of the arena */
#define ZONE_LOW (ARENA - (UINT64_C(4) << 30))    /* all fixed mappings stay in here, */
#define ZONE_HIGH (ARENA + (UINT64_C(240) << 30)) /*   but for a few far below and above */
#define HEAP (ARENA + (UINT64_C(114) << 30))
#define FILL (ARENA + (UINT64_C(128) << 30)) /* from here on: mappings that only count */
#define LOW_ZONE_END UINT64_C(0x300000)      /* nothing of the program lies below */

#define MAX_STEPS 320
#define MAX_AREAS 160 /* the program's own mappings */
#define MAX_REASONS 256
#define MAX_CHAIN 250 /* episodes that one process runs */

/* ---- steps ---- */

enum step_kind {
    STEP_MMAP, STEP_MUNMAP, STEP_MPROTECT, STEP_MREMAP, STEP_BRK, /* compared calls, */
    STEP_MLOCK, STEP_MLOCK2, STEP_MUNLOCK, STEP_MLOCKALL, STEP_MUNLOCKALL,
    STEP_MADVISE, STEP_MSYNC, STEP_MINCORE, STEP_MSEAL,
    STEP_NAME, STEP_TRUNCATE, STEP_SHMAT, STEP_SHMDT, STEP_PROCESS_MADVISE, STEP_REMAP_FILE_PAGES,
    STEP_PKEY_ALLOC, STEP_PKEY_FREE, STEP_PKEY_MPROTECT,
    STEP_REGISTER, STEP_UNREGISTER, STEP_COPY, STEP_ZEROPAGE, STEP_CONTINUE, STEP_POISON, STEP_MOVE,
    STEP_WRITEPROTECT,                                            /* userfaultfd's */
    STEP_STORE, STEP_LOAD, STEP_COPY_IN, STEP_COPY_OUT,           /* accesses, */
    STEP_LIMIT, STEP_CAPS, STEP_FILL, STEP_FORK, STEP_RING, STEP_WATCH, /* circumstances, */
    STEP_SHM_REMOVE, STEP_WATCHER, STEP_UNWATCHER, STEP_THP,
    STEP_COUNTERS, STEP_BYTES, STEP_SMAPS,                        /* and checks */
    STEP_KINDS
};
#define STEP_CALLS (STEP_WRITEPROTECT + 1)
#define STEPS_OF_SHM (1u << STEP_SHMAT | 1u << STEP_SHMDT)
#define STEPS_OF_KEYS (1u << STEP_PKEY_ALLOC | 1u << STEP_PKEY_FREE | 1u << STEP_PKEY_MPROTECT)
#define STEPS_OF_WATCHERS ((1u << STEP_CALLS) - (1u << STEP_REGISTER))
#define CORE_PAGES 32u /* of mincore's answer are compared */

/* The files that an episode may map. */
enum {
    FILE_NONE = -1,
    FILE_RW, FILE_SMALL, FILE_RO, FILE_WO, FILE_PIPE,
    FILE_ZERO, FILE_APPEND, FILE_NOEXEC, FILE_PROC, /* special.c; not everywhere */
    FILE_POOL, /* of huge pages (huge.c); only in episodes that have some */
    FILES_TO_MAP,
    FILE_RING = FILES_TO_MAP, /* what io_setup makes; no file to open */
    FILES,
    FILE_HUGE = FILES, /* what MAP_HUGETLB maps; no file to open either */
    /* Only in fixed scenarios: rings of io_uring and perf, the vdso, SysV shared memory. */
    FILE_URING, FILE_PERF, FILE_VDSO, FILE_SHM,
    FILE_SEGMENT, /* what shmat attaches: this one and the next */
    ALL_FILES = FILE_SEGMENT + 2
};
#define SEGMENTS 2
#define WATCHERS 2
#define COPY_PAGES 16u /* most that UFFDIO_COPY copies */
#define RANGES 4       /* most that process_madvise is given */
#define MOST_REMAPPED 16u /* pages, for they become present */

struct step {
    uint8_t kind;
    bool dropped;  /* left out by the shrinker */
    bool skipped;  /* the engine does not model it: not made */
    int8_t file;   /* STEP_MMAP, STEP_TRUNCATE: FILE_...; which segment, watcher or name; how many ranges */
    uint32_t prot; /* STEP_MMAP, STEP_MPROTECT; STEP_LIMIT: which; STEP_PROCESS_MADVISE: another length */
    uint32_t flags; /* of calls that have some; STEP_CAPS, STEP_COUNTERS: all */
    uint64_t addr, len; /* STEP_LIMIT: len is in pages, UINT64_MAX none */
    uint64_t more;      /* offset, new size, advice, page of a file, key or its rights; userfaultfd's mode and features */
    uint64_t to;        /* new or other address; STEP_MOVE: from where; STEP_STORE: the value */
};

struct episode {
    struct step step[MAX_STEPS];
    int n;
};

/* The names of kinds, "mmap" and so on. */
extern const char *const step_name[STEP_KINDS];
extern const char *const file_name[ALL_FILES];
const char *name_of_memory(int i); /* NULL: none */

/* One step as C-like text. */
void step_text(const struct step *s, char *buf, size_t size);

/* Corpus files: one step a line. */
bool episode_save(const struct episode *e, const char *path);
bool episode_load(struct episode *e, const char *path);

/* ---- areas as both sides can tell them ---- */

enum { AREA_ANONYMOUS = -1, AREA_SHARED_ANONYMOUS = -2, AREA_OTHER = -3 };

struct seen {
    uint64_t start, end, offset;
    uint32_t prot; /* and MW_VM_SHARED */
    int file;      /* FILE_... or AREA_... */
};

struct counted {
    int64_t total, data, stack, locked;
};

extern const char *const met_name[MET_OTHER + 1];

/* ---- the system under test (system.c, look.c) ---- */

enum look { LOOK_QUERY, LOOK_MAPS, LOOK_PROBE };

struct system {
    enum look look;
    bool heap;      /* the heap could be moved into the arena */
    bool exact;     /* chosen addresses are compared */
    bool privileged, thp, seal, status, fork_ok, fixed_layout;
    bool watch;     /* there is userfaultfd */
    uint64_t watch_features; /* of watchers */
    bool segments;  /* there is SysV shared memory, in a namespace of this program's own */
    bool names;     /* anonymous memory can have a name */
    bool advises;   /* process_madvise of this process, */
    bool remaps;    /*   and remap_file_pages are there */
    bool key_calls; /* pkey_mprotect and its kind, */
    bool keys;      /*   and keys */
    uint32_t exec_key; /* that of memory for execution only, 0: it has none */
    uint32_t thp_mode; /* MW_THP_...: NEVER as well where huge pages can't be compared */
    uint64_t ring_bytes; /* what io_setup maps; 0: it does not */
    bool ring_dontcopy;
    bool exec_only; /* memory for execution only can't be read */
    bool exact_copies; /* a copy by the system stops at the first byte that faults */
    uint64_t mmap_base, ram_pages, max_map_count, stack_limit, memlock;
    uint32_t core;  /* what the last mincore said, a bit for each page */
    uint32_t copied; /* the sum of what was copied out last */
    int64_t leaked; /* pages that this process has locked for ever: a defect counts some twice */
    uint64_t min_addr, fixed_min; /* the lowest address that is chosen, that may be named */
    uint32_t caps, overcommit;
    uint64_t huge_pages;  /* in the pool, and nobody else's; 0: none can be had */
    uint64_t huge_device; /* of their mappings */
    struct seen own[MAX_AREAS]; /* the program's own mappings */
    uint64_t own_flags[MAX_AREAS];
    int owned;
};
extern struct system sys;

/* Reads what does not change: limits, rights, which windows exist. */
void sys_probe(void);

/* In a worker: opens files and windows, moves the heap, lists its own mappings. False: can't. */
bool sys_enter(void);

bool sys_has_file(int which); /* after sys_enter */

/* Adds huge pages to the system's pool (sys.huge_pages), until this process ends. */
void sys_take_huge(uint64_t pages);
void sys_enter_huge(void);          /* an episode has the pool to itself, and a file of its pages, */
void sys_leave_huge(void);          /*   until it ends */
bool sys_huge_pool(struct mw_huge_stats *out); /* of all the system */

/* Before and after an episode. `dirty`: for each file, one bit for each page that was written to. */
void sys_begin(const uint32_t *dirty);
bool sys_wipe(void); /* false: something of the system's stays, until the process ends */

int64_t sys_step(const struct step *s);
int64_t sys_fork(void);    /* 0: in the child */
int sys_wait(int64_t pid); /* a child's exit code */

/* The first mapping that ends above addr. False: none. Only with LOOK_QUERY and LOOK_MAPS. */
bool sys_next(uint64_t addr, struct seen *out);
bool sys_find_named(const char *name, struct seen *out);
bool sys_is_mapped(uint64_t addr); /* by probing */
void sys_changed(void);            /* what was read of the layout is old */
bool sys_counters(struct counted *out);
bool sys_sizes(struct counted *out); /* VmSize, and VmData and VmStk as one, at a tenth of the cost */
void sys_lower_lock_limit(void);    /* so that it can be raised again by what leaks */
bool sys_set_leaked(int64_t pages); /* limits and counters are without these. False: too many */
const char *sys_smaps(void);        /* all of it, until something else is looked at; NULL: not to be had */
uint64_t sys_vm_flags(uint64_t addr); /* from smaps; 0 when it can't tell */
const char *vm_flag_name(int i, uint64_t *flag); /* as smaps has it; NULL: no more */
int64_t sys_raw(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

/* Whether a range holds anything of the program's own that must not be lost. */
bool sys_precious(uint64_t addr, uint64_t len);
bool sys_own_intact(void); /* the program's own mappings are those that it began with */

/* ---- the engine (model.c) ---- */

#define MOST_PARENTS 4

struct model {
    struct mw_space *space;
    struct mw_file file[ALL_FILES];
    struct mw_why why;
    uint64_t future; /* MW_FUTURE_... */
    bool all_locked; /* by mlockall(MCL_CURRENT) */
    bool unprivileged; /* by a step */
    bool segments;     /* some segment was asked for */
    uint32_t removed;  /* segments, one bit each */
    struct mw_watcher *watcher[WATCHERS];
    bool thp; /* transparent huge pages may come */
    bool guarded; /* guards were installed */
    bool lazy; /* some memory may be dropped when it is short, or when PAGEOUT asks */
    uint64_t content[FILES]; /* bytes of each file that no ftruncate has taken */
    uint32_t copied;
    uint32_t core, core_known; /* what the last mincore said; pages that it may be asked of */
    struct mw_space *parent[MOST_PARENTS]; /* after a fork */
    int parents;
    uint32_t dirty[FILES_TO_MAP]; /* pages, one bit each, that may have been written to */
};
extern struct model model;
extern uint32_t model_version;
extern uint64_t model_huge_pages; /* what the next model_open has */
extern bool model_files_whole; /* the next model_open has files whose pages are all there */

bool model_prepare(void); /* takes its memory, before the layout is looked at */
bool model_open(void);
const char *model_close(void); /* NULL, or what was left over */
int64_t model_step(const struct step *s);
enum met model_store(uint64_t addr, uint32_t value);
enum met model_load(uint64_t addr, uint32_t *value);
bool model_next(uint64_t addr, struct seen *out);
bool model_next_vma(uint64_t addr, struct mw_vma *out);
void model_counters(struct counted *out);
void model_huge_pool(struct mw_huge_stats *out);
bool model_is_private(uint64_t addr); /* anonymous: no other process can change it */
bool model_is_opaque(uint64_t addr); /* the engine does not know what lies there */
bool model_present(uint64_t addr); /* the page tables have an entry */
bool model_add_shm(uint64_t bytes); /* the object of FILE_SHM */
struct mw_object *model_huge_file(uint64_t bytes); /* NULL: no memory */
bool model_not_modelled(int64_t result); /* the last step: the engine can't tell */

void model_note_advice(uint64_t advice, uint64_t addr, uint64_t len); /* it is about to be given */
uint64_t model_entry(uint64_t addr); /* of the page tables, of level 2; 0: none */
bool model_has_objects(uint64_t addr, uint64_t end); /* something there is not private anonymous */
bool model_has_small_objects(uint64_t addr, uint64_t end); /* nor of huge pages */

/* ---- kinds of steps with a file each, both sides: objects.c, vectors.c, keys.c, watch.c, thp.c ---- */

/* ftruncate, shmat, shmdt, and IPC_RMID. */
int64_t sys_object_step(const struct step *s);
int64_t model_object_step(const struct step *s);
uint64_t segment_bytes(int segment);
void sys_probe_segments(void);
void sys_remove_segments(void);
bool sys_attached(int segment, int64_t *n); /* how many mappings; false: it is gone */
bool object_step_is_safe(const struct step *s);

/* process_madvise and remap_file_pages. */
uint32_t step_ranges(const struct step *s, struct mw_iovec *range); /* RANGES of them: how many count */
int64_t sys_vector_step(const struct step *s);
int64_t model_vector_step(const struct step *s);
void sys_probe_vectors(void);
bool vector_step_is_safe(const struct step *s);

/* Protection keys, which an episode begins without. */
int64_t sys_key_step(const struct step *s);
int64_t model_key_step(const struct step *s);
void sys_probe_keys(void);
void sys_free_keys(void);
void model_begin_keys(void);
bool key_step_is_safe(const struct step *s);

/* userfaultfd. Each watcher has SIGBUS for its messages, so that nothing waits. */
int64_t sys_watch_step(const struct step *s);
int64_t model_watch_step(const struct step *s);
void sys_forget_watchers(void);
bool model_is_watched(void); /* a watcher is open */
bool watch_step_is_safe(const struct step *s);

/* Transparent huge pages. */
void sys_probe_thp(void);
void sys_allow_thp(bool allow);
bool sys_khugepaged_came(void); /* since they were allowed */
void thp_begin(void);
void thp_after(const struct step *s, int64_t result); /* each step, while there may be some */
bool thp_uncertain(uint64_t addr, uint64_t len);
bool thp_step_is_safe(const struct step *s);

/* Of smaps what both sides know. False: `*addr` is the first mapping that differs. (face.c) */
bool same_smaps(uint64_t *addr);

/* ---- one episode (run.c) ---- */

/* Why the two sides do not agree. */
struct disagreement {
    int step; /* -1: they agree */
    char what[64];
    int64_t system, engine;
    uint64_t addr; /* of bytes or a signal */
    struct mw_why why;
    struct seen system_area[48], engine_area[48];
    int system_areas, engine_areas;
};

/* Shared with the workers. Counted by everyone. */
struct tally {
    uint64_t calls, accesses, others, episodes, skipped;
    uint64_t by_kind[STEP_KINDS], ok_by_kind[STEP_CALLS];
    uint64_t reason[MAX_REASONS];
    uint64_t rule[112]; /* cover.c's list of rules of success */
    uint64_t cpu_us; /* of all processes */
};

struct slot { /* one worker's */
    struct episode episode;
    struct disagreement d;
    struct tally tally;
    uint64_t number; /* the episode in work */
    uint64_t chain[MAX_CHAIN]; /* those before it in the same process, and it */
    int chained;
    uint32_t dirty[FILES_TO_MAP]; /* pages that the slot's next episode has to write anew */
    bool stale; /* something stays behind in this process */
};

/* Generates (replay false) or replays slot's episode. True: both agree. */
struct generator;
bool run_episode(struct slot *slot, struct generator *g, bool strict);
bool run_is_child(void); /* this process was made by a fork that is a step */

/* ---- generating (generate.c) ---- */

struct generator {
    uint64_t state;
    uint64_t seed, episode;
    uint32_t only; /* bits of STEP_..., 0: all */
    int n;         /* steps */
    bool hugetlb; /* some calls are about huge pages */
    bool far_away, locks, limits, hostile, fills, huge, unprivileged, seals, forks, watches;
    bool truncates, segments, names, thp, keys;
    bool ages; /* with PAGEOUT, and no memory that it would drop */
    int watchers; /* open, or still to be opened */
    int rings;         /* still to be made */
    uint64_t ring;     /* where the last one is */
    uint64_t fresh, fresh_len; /* what was mapped last, in an episode with huge pages; 0: known by now */
    uint64_t poked;    /* the huge page that was accessed last, likewise */
    uint64_t poison;   /* a page that got some last; 0: none */
    uint64_t tail;     /* the end of a page that was written last; 0: none */
    uint64_t recent[32];
    uint32_t recents;
    uint32_t value;
    bool filled, forked;
};
void generate_begin(struct generator *g, uint64_t seed, uint64_t episode, uint32_t only, int n);
bool generate_leaves_traces(const struct generator *g); /* sealed memory can't be unmapped */
void generate_step(struct generator *g, int i, struct step *s);
bool step_is_safe(const struct step *s); /* it leaves the program's own mappings alone */
void generate_result(struct generator *g, const struct step *s, int64_t result);

/* ---- coverage (cover.c) ---- */

void cover_call(struct tally *t, const struct step *s, int64_t result,
                const struct mw_stats *before, const struct mw_stats *after);
void cover_before(const struct step *s); /* a call or a store */
void cover_access(struct tally *t, uint64_t addr, enum met met, bool store);
void cover_copy(struct tally *t, const struct step *s, int64_t copied);
void cover_print(const struct tally *t);
void cover_add(struct tally *to, const struct tally *from);
int cover_reasons(void);
const char *cover_rule(int i, uint64_t *n, const struct tally *t); /* NULL: no more */

/* ---- the rest ---- */

struct options {
    uint64_t seed, calls, from;
    uint64_t chain[MAX_CHAIN]; /* episodes to run, one after the other, in one process */
    int chained;               /* 0: all of them, from `from` on */
    double seconds;
    uint32_t only, version;
    int jobs, steps, findings;
    bool huge_pages; /* random calls too */
    bool suite, tap, quiet, coverage, no_emit, no_shrink;
    bool check_table, print_table; /* the suite's expectations against the engine */
    const char *corpus, *junit, *json, *emit;
};

/* Which Linux the system behaves as (detect.c); *doubt says what does not fit, or "". */
uint32_t detect_version(char *doubt, size_t size);
bool detect_placement(void);

/* Runs a list of steps in a process of its own. True: both agree. (work.c) */
bool trial(struct slot *slot, bool strict);
void shrink(struct slot *slot);

/* What one Linux answers to a list of steps, and what it leaves behind. */
struct expectation {
    uint32_t version;
    int64_t result[MAX_STEPS]; /* STEP_STORE, STEP_LOAD: MET_... */
    uint32_t value[MAX_STEPS]; /* of a load, of mincore; the sum of a copy */
    uint32_t known[MAX_STEPS]; /* the pages that mincore's answer may be compared for */
    struct seen area[48];
    int areas;
    struct counted used; /* at the end, from the start */
};

/* Runs the engine alone, in a process of its own. False: it can't tell. (work.c) */
bool expect(const struct episode *e, uint32_t version, struct expectation *out);
bool model_expect(const struct episode *e, struct expectation *out); /* (run.c) in this process */

/* Writes a C program that shows slot's disagreement. (emit.c) */
bool emit_program(const struct slot *slot, const char *path, uint64_t seed, uint64_t number);

void show_disagreement(const struct slot *slot, uint64_t seed, uint64_t number);
int suite_run(const struct options *o);
int work(const struct options *o);

#endif
