/* SPDX-License-Identifier: MIT */
/* world_watch.c - the steps that concern userfaultfd. */
#include "world_watch.h"

#include <stdio.h>

static const struct watch_ops *ops_of(const struct world *w)
{
    return w->log == &w->session->log[WORLD_LIVE] ? &watch_live : &watch_engine;
}

static const char *page_text(uint64_t addr, char *buf)
{
    if (addr >= at(0) - ARENA_BEFORE && addr < at(0) + ARENA_AFTER)
        sprintf(buf, "@%lld+%u", (long long)(addr - at(0)) >> 12, (unsigned)(addr % PAGE));
    else
        sprintf(buf, "%#llx", (unsigned long long)addr);
    return buf;
}

static int64_t logged(struct world *w, const struct watch_step *s)
{
    static const char *const names[] = { "open", "close", "register", "unregister", "copy",
                                         "zeropage", "continue", "poison", "move", "writeprotect" };
    char addr[40], from[40], result[40];
    int64_t r = s->id < 0 ? -MW_EBADF : ops_of(w)->step(w, s);
    const char *bad = w->quiet ? NULL : w->ops->sound(w);
    snprintf(result, sizeof result, r < 0 ? "%s" : "%s%#llx", r < 0 ? mw_errno_name((int)-r) : "", (unsigned long long)r);
    if (r == -MW_ENOSYS)
        w->log->skipped = true;
    say(w, "u%d %s(%s, %#llx, mode %#llx, from %s) = %s%s%s", s->id, names[s->op],
        page_text(s->addr, addr), (unsigned long long)s->len, (unsigned long long)s->mode,
        page_text(s->from, from), result, bad ? " UNSOUND: " : "", bad ? bad : "");
    return r;
}

int watcher(struct world *w, uint64_t features)
{
    int64_t id = logged(w, &(struct watch_step){ .op = WATCH_OPEN, .mode = features });
    w->log->skipped |= id < 0; /* this kernel lacks the feature */
    return (int)id;
}

void unwatcher(struct world *w, int id)
{
    logged(w, &(struct watch_step){ .op = WATCH_CLOSE, .id = id });
}

int64_t do_watch(struct world *w, int id, uint64_t addr, uint64_t len, uint64_t mode)
{
    return logged(w, &(struct watch_step){ WATCH_REGISTER, id, addr, len, mode, 0 });
}

int64_t do_unwatch(struct world *w, int id, uint64_t addr, uint64_t len)
{
    return logged(w, &(struct watch_step){ WATCH_UNREGISTER, id, addr, len, 0, 0 });
}

int64_t watch(struct world *w, int id, int64_t page, int64_t n, uint64_t mode)
{
    return do_watch(w, id, at(page), (uint64_t)n * PAGE, mode);
}

int64_t unwatch(struct world *w, int id, int64_t page, int64_t n)
{
    return do_unwatch(w, id, at(page), (uint64_t)n * PAGE);
}

int64_t do_resolve(struct world *w, enum watch_op op, int id, uint64_t addr, uint64_t len,
                   uint64_t mode, uint64_t from)
{
    return logged(w, &(struct watch_step){ op, id, addr, len, mode, from });
}

int64_t resolve(struct world *w, enum watch_op op, int id, int64_t page, int64_t n, uint64_t mode)
{
    return do_resolve(w, op, id, at(page), (uint64_t)n * PAGE, mode, 0);
}

int64_t carry(struct world *w, int id, int64_t from, int64_t to, int64_t n, uint64_t mode)
{
    return do_resolve(w, WATCH_MOVE, id, at(to), (uint64_t)n * PAGE, mode, at(from));
}

static void tell(struct world *w, int id, const struct watch_seen *m)
{
    char a[40], b[40];
    if (m->event == 0)
        say(w, "u%d fault at %s, flags %#llx", id, page_text(m->a, a), (unsigned long long)m->b);
    else
        say(w, "u%d event %#x: %s, %s, %#llx", id, m->event, page_text(m->a, a),
            page_text(m->b, b), (unsigned long long)m->c);
}

void meet(struct world *w, int64_t page, bool write)
{
    struct watch_seen m;
    int id;
    say(w, "%s of page %lld", write ? "write" : "read", (long long)page);
    if (ops_of(w)->access(w, at(page) + 24, write, &id, &m))
        tell(w, id, &m);
}

void messages(struct world *w, int id)
{
    struct watch_seen m[32];
    size_t n = ops_of(w)->messages(w, id, m, 32);
    for (size_t i = 0; i < n; i++)
        tell(w, id, &m[i]);
}

static void put_marks(struct world *w, int64_t page, int64_t n, const char *letters)
{
    char row[256];
    if (n > 255)
        n = 255;
    for (int64_t i = 0; i < n; i++)
        row[i] = letters[ops_of(w)->page(w, at(page + i))];
    row[n] = 0;
    say(w, "pages %lld: %s", (long long)page, row);
}

void marks(struct world *w, int64_t page, int64_t n)
{
    put_marks(w, page, n, ".PwW");
}

void wps(struct world *w, int64_t page, int64_t n)
{
    put_marks(w, page, n, "..ww");
}
