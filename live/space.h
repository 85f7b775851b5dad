/* SPDX-License-Identifier: MIT */
/*
 * space.h - what the parts of a live space share.
 *
 * The space is a layout-only one. What a mapping of it maps tells the host's
 * side what to map: a *pool* (a memfd; each mmap has a *slot* of its offsets,
 * as large as the whole range, so that a mapping may grow as far as there are
 * addresses), a file, or nothing: then it is the kernel's own private memory.
 *
 * What the host is to do follows from two layouts, the one before a call and
 * the one after it. Of a pool's pages nothing else has to be remembered, and a
 * step back is the same thing the other way round. Pages that are only in a
 * mapping (private memory, private files) are *carried*: the host moves them
 * by mremap, a journal says how they come back, and what gives some up is the
 * last host call that can fail.
 */
#ifndef MW_LIVE_SPACE_H
#define MW_LIVE_SPACE_H

#include <pthread.h>
#include <sys/types.h>

#include "mapwright/live.h"
#include "spare.h"

enum { SPARES = 15 }; /* pages; mremap alone wants four mappings free */

struct slot {
    uint64_t mapped; /* bytes with an address; 0: free */
    uint32_t next;   /* of free ones: 1 + the next free one, 0: none */
};

/* What stands behind a mapping: the ctx of its object. */
struct backing {
    struct mw_live *live;
    struct mw_file file; /* to the engine */
    struct pool *pool;   /* NULL: a file */
    int fd;
    bool keeps;          /* its pages may be in the mapping alone (MAP_PRIVATE) */
    dev_t device;        /* of a file: which one */
    ino_t inode;
    struct backing *next;
};

/* A memfd of one size of page. Private and shared mappings are told apart, though of the same pages. */
struct pool {
    int fd, next_fd;     /* next_fd: the copy that a fork under way makes, or -1 */
    uint32_t log2_page;
    uint64_t slot_bytes;
    struct slot *slots;
    uint32_t count, room, free;
    struct backing as_private, as_shared;
};

enum { POOL_PAGES, POOL_2M, POOL_1G, POOLS };

/* Engine memory: malloc's, and for going back a stock that can't be refused. */
struct live_memory {
    unsigned char *stock;
    size_t used, blocks;
    bool going_back;
};

struct mw_live {
    pthread_mutex_t lock;
    struct mw_port port;
    struct live_memory memory;
    struct mw_space *space;
    struct pool pool[POOLS];
    struct backing *files;
    unsigned char *spare;    /* host mappings to give up when one is refused; NULL: given up */
    enum mw_live_fork fork;
    enum mw_live_memory private_memory;
    bool aliased;            /* some page may have two addresses */
    bool leaves_objects;     /* the host's DONTUNMAP is for memory of objects too (Linux 5.13) */
    struct mw_range range;   /* reserved */
    struct mw_live *next;    /* all live spaces, for fork */
};

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static inline void *host_at(uint64_t addr) { return (void *)(uintptr_t)addr; }

static inline size_t page_of(const struct mw_live *live)
{
    return (size_t)1 << mw_space_config(live->space)->page_shift;
}

/* ---- backing.c ------------------------------------------------------------------------ */

/* NULL: the kernel's own private memory. */
static inline struct backing *backing_of(const struct mw_vma *v)
{
    return v->object ? mw_object_ctx(v->object) : NULL;
}

static inline struct pool *pool_of(const struct mw_vma *v)
{
    struct backing *b = backing_of(v);

    return b ? b->pool : NULL;
}

/* Are its pages perhaps in the mapping alone? */
static inline bool is_carried(const struct mw_vma *v)
{
    struct backing *b = backing_of(v);

    return !b || b->keeps;
}

/* Private memory that lies in a pool: its pages are nobody else's, unless they are mirrored. */
static inline bool is_pools_private(const struct mw_vma *v)
{
    const struct pool *pool = pool_of(v);

    return pool && backing_of(v) == &pool->as_private;
}

uint64_t mw_live_page(const struct mw_live *live, const struct mw_vma *v);

/* The pool of these pages, which is made when it is first asked for. 0 or -errno. */
int mw_live_pool(struct mw_live *live, int which);
void mw_live_end_pools(struct mw_live *live);
void mw_live_forget_slots(struct mw_live *live);

/* A memfd of a pool's size of page, empty. -errno. */
int mw_pool_memfd(const struct mw_live *live, const struct pool *pool);

int mw_slot_take(struct pool *pool, uint64_t *offset);
void mw_slot_give(struct pool *pool, uint32_t slot);

/* The file behind `fd`, as a mapping of it needs it. One reference is the caller's. */
int mw_live_file(struct mw_live *live, int fd, bool keeps, struct backing **out);

/* ---- apply.c ---------------------------------------------------------------------------- */

/* Mappings of a range, in order; each holds its object. */
struct layout {
    struct mw_range range;
    struct mw_vma *vma, few[4];
    size_t count, room;
};

void mw_layout_init(struct layout *layout, struct mw_range range);
/* The mappings in layout->range as they are now, cut to it. False: no memory. */
bool mw_layout_take(const struct mw_live *live, struct layout *layout);
bool mw_layout_add(struct layout *layout, const struct mw_vma *v);
void mw_layout_free(struct layout *layout);

/* The part of a mapping in [start, end); false: none. */
bool mw_vma_part(const struct mw_vma *v, uint64_t start, uint64_t end, struct mw_vma *out);

/* Makes the host's mappings of a range what `to` says, where they are what `from` says. 0 or -errno. */
int mw_live_apply(const struct layout *from, const struct layout *to);

/* One mapping as it is, and none. 0 or -errno. */
int mw_live_map(const struct mw_vma *v);
int mw_live_reserve(uint64_t start, uint64_t end);

/* `locks`: MW_VM_LOCKED, perhaps with _LOCKONFAULT, or 0. */
int mw_live_lock(uint64_t start, uint64_t end, uint64_t locks);

/* The same as mw_live_apply, whatever they are; carried pages are where `to` has them. */
int mw_live_force(const struct layout *to);

/* What was moved by the host, to be moved back. */
struct journal {
    struct moved {
        uint64_t from, to, bytes;
    } *moved, few[2];
    size_t count, room;
};

/*
 * Moves the pages of `v` to `to`; what stays is a mapping like it that has
 * none. 0 or -errno; the journal knows what has been moved of carried ones,
 * also then.
 */
int mw_live_move(const struct mw_vma *v, uint64_t to, struct journal *journal);
void mw_journal_undo(struct journal *journal);
void mw_journal_free(struct journal *journal);

/* ---- pages.c ------------------------------------------------------------------------------- */

/* Drops pages of a pool. Where the host does not take them they are empty at least. */
void mw_pool_punch(const struct pool *pool, uint64_t start, uint64_t end);

/* Gives back those of a mapping's pages that lost their last address; `after`: what may have them now. */
void mw_live_give_back(struct mw_live *live, const struct mw_vma *v, const struct layout *after,
                       size_t n);

/* Copies a carried mapping's pages to a pool's offset. 0 or -errno. */
int mw_pool_copy_in(const struct pool *pool, const struct mw_vma *v, uint64_t offset);

/* Are these bytes, whole words, all zeros? */
bool mw_is_zero(const uint64_t *p, uint64_t bytes);

/* Makes page-table entries for what [start, end) has pages for. */
void mw_live_fill(struct mw_live *live, uint64_t start, uint64_t end);

/* ---- space_fork.c: takes part in fork from now on, until... ----------------------------------- */
int mw_live_fork_add(struct mw_live *live);
void mw_live_fork_remove(struct mw_live *live);

#endif
