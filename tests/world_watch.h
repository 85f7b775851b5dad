/* SPDX-License-Identifier: MIT */
/* world_watch.h - userfaultfd in both worlds. */
#ifndef TEST_WORLD_WATCH_H
#define TEST_WORLD_WATCH_H

#include "mapwright/watch.h"
#include "world.h"

enum { MAX_WATCHERS = 4, COPY_PAGES = 512 };

enum watch_op {
    WATCH_OPEN, WATCH_CLOSE, WATCH_REGISTER, WATCH_UNREGISTER, WATCH_COPY, WATCH_ZEROPAGE,
    WATCH_CONTINUE, WATCH_POISON, WATCH_MOVE, WATCH_PROTECT
};

/* One ioctl; what it has no use for stays 0. OPEN: `mode` are the features. */
struct watch_step {
    enum watch_op op;
    int id;
    uint64_t addr, len, mode, from;
};

/* A message, as both worlds tell it. */
struct watch_seen {
    uint32_t event; /* 0: a fault */
    uint64_t a, b, c;
};

/* What a page-table entry says of a page. */
enum { PAGE_PRESENT = 1, PAGE_WP = 2 };

struct watch_ops {
    /* What was done in bytes, 1 << the calls possible (REGISTER), 0 or -errno. */
    int64_t (*step)(struct world *w, const struct watch_step *s);
    /* Tries an access: true if a message came of it instead, to the watcher `*id`. */
    bool (*access)(struct world *w, uint64_t addr, bool write, int *id, struct watch_seen *out);
    /* The messages since it was asked last. */
    size_t (*messages)(struct world *w, int id, struct watch_seen *out, size_t room);
    uint32_t (*page)(struct world *w, uint64_t addr);
};

extern const struct watch_ops watch_live, watch_engine;

/* ---- steps, each logs a line ---- */

/* A watcher of these features; its number. */
int watcher(struct world *w, uint64_t features);
void unwatcher(struct world *w, int id);
int64_t do_watch(struct world *w, int id, uint64_t addr, uint64_t len, uint64_t mode);
int64_t do_unwatch(struct world *w, int id, uint64_t addr, uint64_t len);
int64_t watch(struct world *w, int id, int64_t page, int64_t n, uint64_t mode);
int64_t unwatch(struct world *w, int id, int64_t page, int64_t n);
/* Any of the resolving calls, by bytes and by pages. */
int64_t do_resolve(struct world *w, enum watch_op op, int id, uint64_t addr, uint64_t len,
                   uint64_t mode, uint64_t from);
int64_t resolve(struct world *w, enum watch_op op, int id, int64_t page, int64_t n, uint64_t mode);
int64_t carry(struct world *w, int id, int64_t from, int64_t to, int64_t n, uint64_t mode);
void meet(struct world *w, int64_t page, bool write); /* an access, and the message */
void messages(struct world *w, int id);
void marks(struct world *w, int64_t page, int64_t n); /* P present, w write-protected, W both */
void wps(struct world *w, int64_t page, int64_t n);   /* w write-protected: of files, Linux maps pages unasked */

#endif
