/* SPDX-License-Identifier: MIT */
/*
 * space.h - what the parts of a live space share.
 *
 * The space is a layout-only one whose every mapping is of one object, the
 * memfd. Each mmap gets a *slot* of the memfd's offsets, as large as the whole
 * range, so that a mapping may grow as far as there are addresses. What the
 * host is to do follows from two layouts, the one before a call and the one
 * after it: nothing else has to be remembered, and a step back is the same
 * thing the other way round.
 */
#ifndef MW_LIVE_SPACE_H
#define MW_LIVE_SPACE_H

#include <pthread.h>
#include <sys/types.h>

#include "mapwright/live.h"

struct slot {
    uint64_t mapped; /* bytes with an address; 0: free */
    uint32_t next;   /* of free ones: 1 + the next free one, 0: none */
};

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
    struct mw_file file;     /* the memfd, to the engine */
    int fd;
    enum mw_live_fork fork;
    bool aliased;            /* some page may have two addresses */
    struct mw_range range;   /* reserved */
    uint64_t slot_bytes;
    struct slot *slots;
    uint32_t slot_count, slot_room, free_slot;
    int next_fd;             /* the copy that a fork under way makes, or -1 */
    struct mw_live *next;    /* all live spaces, for fork */
};

/* Mappings of a range, in order. */
struct layout {
    struct mw_range range;
    struct mw_vma *vma;
    size_t count, room;
};

/* The mappings in layout->range as they are now, cut to it. False: no memory. */
bool mw_layout_take(const struct mw_live *live, struct layout *layout);
bool mw_layout_add(struct layout *layout, const struct mw_vma *v);
void mw_layout_free(struct layout *layout);

/* Makes the host's mappings of a range what `to` says, where they are what `from` says. 0 or -errno. */
int mw_live_apply(const struct mw_live *live, const struct layout *from, const struct layout *to);

/* The same, whatever they are. */
int mw_live_force(const struct mw_live *live, const struct layout *to);

/* space_fork.c: takes part in fork from now on, until... */
int mw_live_fork_add(struct mw_live *live);
void mw_live_fork_remove(struct mw_live *live);

/* space.c, for the child of a fork */
void mw_live_forget_all(struct mw_live *live);

#endif
