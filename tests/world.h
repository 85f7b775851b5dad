/* SPDX-License-Identifier: MIT */
/*
 * world.h - one interface to two address spaces: the live kernel's and the
 * engine's.
 *
 * A scenario is a function over a world. Each helper below makes one step and
 * writes one line to the world's log, in words that do not depend on which
 * world it is; two worlds that behave alike write the same log.
 *
 * Numbers in helpers are pages of the *arena*, a range that is free at the
 * start in both worlds; `at(n)` is the address of page n. Functions named
 * do_... take raw addresses and bytes.
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapwright/mapwright.h"
#include "mapwright/proc.h"

#define PAGE 4096ull
#define HUGE_PAGE (2ull << 20)
#define ARENA 0x200000000000ull
#define ARENA_BEFORE (4ull << 30)  /* the arena's zone begins this far below page 0 */
#define ARENA_AFTER (256ull << 30) /* and ends this far above */
#define HEAP_PAGE 30000000ll       /* where the heap starts */
#define TASK_END 0x7ffffffff000ull
#define KERNEL_HALF 0xffff800000000000ull

#define NONE 0u
#define RO MW_PROT_READ
#define WO MW_PROT_WRITE
#define RW (MW_PROT_READ | MW_PROT_WRITE)
#define RX (MW_PROT_READ | MW_PROT_EXEC)
#define XO MW_PROT_EXEC
#define RWX (RW | MW_PROT_EXEC)
#define PRIV MW_MAP_PRIVATE
#define SHARED MW_MAP_SHARED
#define ANON MW_MAP_ANONYMOUS
#define FIXED MW_MAP_FIXED
#define MAY MW_MREMAP_MAYMOVE
#define FIX (MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED)
#define DU (MW_MREMAP_MAYMOVE | MW_MREMAP_DONTUNMAP)
#define DUF (DU | MW_MREMAP_FIXED)

enum access { ACC_OK, ACC_MAPERR, ACC_ACCERR, ACC_BUS, ACC_OTHER };
enum file_kind { FILE_MEM, FILE_DISK, FILE_PIPE, FILE_HUGE, FILE_SHMEM }; /* SHMEM: MEM that is watched */
enum { NO_FILE = -1, MAX_FILES = 16, MAX_SEGMENTS = 4 };

/* One mapping, as both worlds can tell it. file: a handle, -1 none, -2 shared anonymous,
 * -3 other; a segment's has MAX_FILES added. */
struct seen {
    uint64_t start, end, offset;
    uint32_t prot;
    bool shared;
    int file;
};

struct counters {
    int64_t total, data, stack, locked;
};

struct world;

struct world_ops {
    int64_t (*mmap)(struct world *w, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags,
                    int file, uint64_t off);
    int64_t (*munmap)(struct world *w, uint64_t addr, uint64_t len);
    int64_t (*mprotect)(struct world *w, uint64_t addr, uint64_t len, uint32_t prot);
    int64_t (*pkey_mprotect)(struct world *w, uint64_t addr, uint64_t len, uint64_t prot, int32_t key);
    int64_t (*pkey_alloc)(struct world *w, uint64_t flags, uint64_t rights);
    int64_t (*pkey_free)(struct world *w, int32_t key);
    uint64_t (*brk)(struct world *w, uint64_t addr);
    int64_t (*mremap)(struct world *w, uint64_t old, uint64_t osz, uint64_t nsz, uint32_t flags,
                      uint64_t to);
    int64_t (*mlock2)(struct world *w, uint64_t addr, uint64_t len, uint64_t flags);
    int64_t (*mlock)(struct world *w, uint64_t addr, uint64_t len);
    int64_t (*munlock)(struct world *w, uint64_t addr, uint64_t len);
    int64_t (*mlockall)(struct world *w, uint64_t flags);
    int64_t (*munlockall)(struct world *w);
    int64_t (*madvise)(struct world *w, uint64_t addr, uint64_t len, uint64_t advice);
    int64_t (*process_madvise)(struct world *w, const struct mw_iovec *ranges, uint64_t n, uint64_t advice,
                               uint64_t flags, bool self);
    int64_t (*remap_file_pages)(struct world *w, uint64_t addr, uint64_t size, uint64_t prot,
                                uint64_t index, uint64_t flags);
    int64_t (*msync)(struct world *w, uint64_t addr, uint64_t len, uint64_t flags);
    int64_t (*mincore)(struct world *w, uint64_t addr, uint64_t len, unsigned char *vec);
    int64_t (*mseal)(struct world *w, uint64_t addr, uint64_t len, uint64_t flags);
    int (*file)(struct world *w, enum file_kind kind, uint64_t bytes, uint32_t mode);
    int64_t (*truncate)(struct world *w, int file, uint64_t bytes);
    int (*segment)(struct world *w, uint64_t bytes, uint32_t perm, bool huge);
    int64_t (*shmat)(struct world *w, int segment, uint64_t addr, uint64_t flags);
    int64_t (*shmdt)(struct world *w, uint64_t addr);
    int64_t (*attached)(struct world *w, int segment); /* how many mappings it has */
    enum access (*load)(struct world *w, uint64_t addr, uint32_t *value);
    enum access (*store)(struct world *w, uint64_t addr, uint32_t value);
    enum access (*exec)(struct world *w, uint64_t addr);
    uint64_t (*copy_out)(struct world *w, uint64_t addr, uint64_t len);
    uint64_t (*copy_in)(struct world *w, uint64_t addr, uint64_t len);
    bool (*next)(struct world *w, uint64_t addr, struct seen *out);
    uint64_t (*flags)(struct world *w, uint64_t addr);
    bool (*present)(struct world *w, uint64_t addr);
    void (*counters)(struct world *w, struct counters *out);
    void (*limit)(struct world *w, enum mw_limit which, uint64_t bytes);
    void (*drop)(struct world *w);
    void (*forked)(struct world *w);
    int64_t (*name)(struct world *w, uint64_t addr, uint64_t len, const char *name);
    size_t (*face)(struct world *w, enum mw_proc_face face, char *buf, size_t size);
    const char *(*sound)(struct world *w);
    bool (*huge)(struct world *w, int64_t pages); /* sees to it that so many are there */
    void (*huge_pool)(struct world *w, int64_t *unused, int64_t *promised);
    bool (*transparent)(struct world *w); /* transparent huge pages are not disabled any more */
    void (*resident)(struct world *w, int64_t *pages, int64_t *huge); /* of the arena's */
};

/* Memory shared by the runner and both worlds' processes. */
struct session {
    int fd;                   /* what it lies in, for a program of its own */
    char plain[256];          /* the same program without sanitizers, "": none needed */
    char task[128];           /* what that one is to run; its main knows the names */
    _Alignas(16) unsigned char extra[1 << 16]; /* for the task */
    char snapshot[1 << 20]; /* the live process's smaps, before the first step */
    size_t snapshot_len;
    bool keep_snapshot; /* later live runs start from the same layout: don't take it again */
    uint64_t mmap_base;
    uint32_t version, caps;
    bool thp, disk_places_huge, disk_in_memory;
    enum mw_thp thp_mode;
    bool pkeys; /* the CPU has protection keys */
    uint64_t ram_pages, max_map_count, min_addr, min_hint, memlock, stack_limit;
    uint64_t data_size; /* bytes, of RLIMIT_DATA's brk rule */
    uint64_t code_start, code_end, stack;
    struct file_seen {
        uint32_t major, minor;
        uint64_t inode;
        char path[64];
    } file[MAX_FILES]; /* the live process's, as its maps show them */
    int segment[MAX_SEGMENTS], segments; /* of the live run; removed when it has ended */
    struct world_log {
        char text[1 << 19];
        size_t len;
        bool skipped; /* the engine said ENOSYS, or this machine can't do it */
        bool finished;
    } log[2]; /* WORLD_LIVE, WORLD_ENGINE */
};
enum { WORLD_LIVE, WORLD_ENGINE };

struct world {
    const struct world_ops *ops;
    struct session *session;
    struct world_log *log;
    struct counters base; /* at the start */
    int64_t huge_unused, huge_promised; /* likewise */
    uint64_t last;        /* what the last successful call returned */
    bool quiet;           /* steps write nothing */
    void *impl;
};

typedef void world_fn(struct world *w, void *ctx);

/* The whole process runs without address randomization: call first thing in main. */
void world_init(int argc, char **argv);
struct session *session_new(void);
void session_reset(struct session *s);

/*
 * A sanitizer's runtime maps memory when it likes, and can't live under
 * RLIMIT_AS. A program built with one therefore lets its sibling, NAME_plain,
 * make the live runs: that one's main asks world_as_live first, looks up
 * session->task, and hands it to world_live_main.
 */
bool world_as_live(int argc, char **argv, struct session **out);
void world_live_main(struct session *s, world_fn *fn, void *ctx);

/*
 * Run `fn` in a forked child; false when the child did not end well (the log
 * then says how). The live run comes first: the engine takes over its layout.
 */
bool world_run_live(struct session *s, world_fn *fn, void *ctx);
bool world_run_engine(struct session *s, world_fn *fn, void *ctx);

/* The engine's world in this process. */
struct world *engine_open(struct session *s);
void engine_close(struct world *w); /* logs what leaked */

/* smaps' VmFlags, up to the end of the line, as MW_VM_ bits. */
uint64_t vm_flags_of_text(const char *line);

/* Where the logs part; NULL: they agree. Points at static text. */
const char *session_difference(const struct session *s);

/* ---- random episodes ---- */

/* The number that follows `name` in a program's arguments. */
uint64_t world_argument(int argc, char **argv, const char *name, uint64_t otherwise);

/* What they are, each in session->extra: the same for the same seed and number. */
struct episodes {
    uint64_t calls;  /* in all, */
    int steps, most; /* and in each, unless --calls and --steps say otherwise */
    void (*make)(void *episode, uint64_t seed, uint64_t number, int steps);
    bool (*agrees)(struct session *s, void *episode);
    int (*shrink)(struct session *s, void *episode); /* drops calls while the worlds differ: how many are left */
};

/* Runs them, or --episode alone, up to the fifth that fails. What main returns. */
int world_random(struct session *s, const struct episodes *of, int argc, char **argv);

/* ---- steps, each logs a line ---- */

void say(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t at(int64_t page);

int64_t do_mmap(struct world *w, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags,
                int file, uint64_t off);
int64_t do_munmap(struct world *w, uint64_t addr, uint64_t len);
int64_t do_mprotect(struct world *w, uint64_t addr, uint64_t len, uint32_t prot);
int64_t do_mremap(struct world *w, uint64_t old, uint64_t osz, uint64_t nsz, uint32_t flags,
                  uint64_t to);
int64_t do_pkey_mprotect(struct world *w, uint64_t addr, uint64_t len, uint64_t prot, int32_t key);
int64_t do_pkey_alloc(struct world *w, uint64_t flags, uint64_t rights);
int64_t do_pkey_free(struct world *w, int32_t key);
void do_brk(struct world *w, uint64_t addr);
int64_t do_mlock(struct world *w, uint64_t addr, uint64_t len);
int64_t do_mlock2(struct world *w, uint64_t addr, uint64_t len, uint64_t flags);
int64_t do_munlock(struct world *w, uint64_t addr, uint64_t len);
int64_t do_madvise(struct world *w, uint64_t addr, uint64_t len, uint64_t advice);
/* Of this process, or (not self) of a child that is there for the call alone. */
int64_t do_process_madvise(struct world *w, const struct mw_iovec *ranges, uint64_t n, uint64_t advice,
                           uint64_t flags, bool self);
int64_t do_remap_file_pages(struct world *w, uint64_t addr, uint64_t size, uint64_t prot, uint64_t index,
                            uint64_t flags);
int64_t do_msync(struct world *w, uint64_t addr, uint64_t len, uint64_t flags);
int64_t do_mseal(struct world *w, uint64_t addr, uint64_t len, uint64_t flags);
int64_t do_mincore(struct world *w, uint64_t addr, uint64_t len); /* and logs the vector */

/* Fixed mappings of n pages at page `at`: private or shared anonymous, a file from page `pg`. */
void anon(struct world *w, int64_t page, int64_t n, uint32_t prot);
void shanon(struct world *w, int64_t page, int64_t n, uint32_t prot);
void filemap(struct world *w, int64_t page, int64_t n, uint32_t prot, uint32_t type, int file,
             int64_t pg);
void mapped(struct world *w, int64_t page, int64_t n, uint32_t prot, uint32_t more_flags);
void unmap(struct world *w, int64_t page, int64_t n);
void protect(struct world *w, int64_t page, int64_t n, uint32_t prot);
int64_t key_protect(struct world *w, int64_t page, int64_t n, uint64_t prot, int32_t key);
int64_t move(struct world *w, int64_t old, int64_t osz, int64_t nsz, uint32_t flags, int64_t to);
void heap(struct world *w, int64_t pages); /* brk at that many pages above its start */
void seal(struct world *w, int64_t page, int64_t n);
int64_t advise(struct world *w, int64_t page, int64_t n, uint64_t advice);
int64_t remap(struct world *w, int64_t page, int64_t n, uint64_t index);
int64_t lock(struct world *w, int64_t page, int64_t n);
int64_t unlock(struct world *w, int64_t page, int64_t n);
int64_t lock_all(struct world *w, uint64_t flags);
void unlock_all(struct world *w);

/* A file of n pages, page i starting with the number 100 + i. Returns its handle. */
int file_of(struct world *w, enum file_kind kind, int64_t pages, uint32_t mode);
int file_of_bytes(struct world *w, enum file_kind kind, uint64_t bytes, uint32_t mode);

/*
 * A SysV segment, with the permission bits 0444 or 0666 and perhaps 0111, for
 * all users. Before anything is mapped that counts. NO_FILE: a bad id.
 */
int segment(struct world *w, uint64_t bytes, uint32_t perm);
int huge_segment(struct world *w, uint64_t bytes);
int64_t do_shmat(struct world *w, int seg, uint64_t addr, uint64_t flags);
int64_t attach(struct world *w, int seg, int64_t page, uint64_t flags); /* logs the count too */
int64_t do_shmdt(struct world *w, uint64_t addr);
void detach(struct world *w, int64_t page);
void attached(struct world *w, int seg);

int64_t truncate_to(struct world *w, int file, uint64_t bytes); /* one that can be written to */

void touch(struct world *w, int64_t page, int64_t n);        /* writes page number + 1 to each */
void store(struct world *w, int64_t page, uint32_t value);   /* one write, logs what it met */
void execute(struct world *w, int64_t page);                 /* runs a `ret` placed there */
void data(struct world *w, int64_t page, int64_t n);         /* reads each page */
void data_at(struct world *w, uint64_t addr, int64_t n);
void store_at(struct world *w, uint64_t addr, uint32_t value);
void copy_out(struct world *w, uint64_t addr, uint64_t len); /* as write(2) from memory */
void copy_in(struct world *w, uint64_t addr, uint64_t len);  /* as read(2) to memory */
void lay(struct world *w);                                   /* the row of mappings */
void flags_of(struct world *w, int64_t page);
void present(struct world *w, int64_t page, int64_t n);
void count(struct world *w);                                 /* counters since the start */

/*
 * What /proc shows of the arena and the heap: maps and smaps whole, or (firm) but for
 * files' inodes and for what depends on who has read which page; status and statm
 * without what the rest of the process makes of them.
 */
void maps(struct world *w);
void maps_firm(struct world *w);
void smaps(struct world *w);
void smaps_firm(struct world *w);
void keys(struct world *w); /* of smaps the protection keys */
void sizes(struct world *w);
int64_t name(struct world *w, int64_t page, int64_t n, const char *text);

/* Huge pages: first of all a pool; HUGE_PAGES(i) is the i-th huge page's page of the arena. */
#define HUGE_PAGES(i) ((int64_t)(i) * 512)
void huge(struct world *w);
void huge_map(struct world *w, int64_t i, int64_t n, uint32_t prot, uint32_t flags);
void huge_touch(struct world *w, int64_t i, int64_t n);
void huge_data(struct world *w, int64_t i, int64_t n);
int64_t huge_move(struct world *w, int64_t old, int64_t osz, int64_t nsz, uint32_t flags, int64_t to);
void pool(struct world *w); /* since the start: free ones, promised ones */

/* Transparent ones, which are disabled until this says otherwise. */
void transparent(struct world *w);
void resident(struct world *w, int64_t page, int64_t n); /* how many pages of these are there, how many are in memory, and in how many huge ones */

/* Limits: AS and DATA in pages above what is in use now, the others absolute pages. */
void limit(struct world *w, enum mw_limit which, int64_t pages);
void drop_privileges(struct world *w);
void forked(struct world *w); /* goes on as a forked child */

/* Maps single pages of alternating protection from `page` on until refused; how many. */
int64_t fill_map_count(struct world *w, int64_t page);

#endif
