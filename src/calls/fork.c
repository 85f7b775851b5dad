/* SPDX-License-Identifier: MIT */
/*
 * fork.c - fork(2): a child's space, its private pages shared until written.
 *
 * Each inherited identity becomes one of the child's own (FORK-2). A mirror
 * gets an index of the child's own, so that aliases stay aliases among
 * themselves; the parent's aliases go, and whichever side accesses a page
 * first takes a copy of it. Rules FORK-1..5 in SPEC.md.
 */
#include "space/huge.h"
#include "space/space.h"
#include "space/watch.h"
#include "vma/account.h"
#include "vma/edit.h"

#define LOCKS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

/* What the child has of a parent's mapping. `heir`: who watches it there, or NULL. */
static struct mw_vma inherited(struct mw_space *child, const struct mw_vma *v,
                               const struct mw_watcher *heir)
{
    struct mw_vma n = *v;

    n.flags &= ~(LOCKS | WATCH_FLAGS);
    if (heir)
        n.flags |= MW_VM_UFFD | (v->flags & WATCH_MODES) | heir->id;
    if (n.flags & MW_VM_WIPEONFORK) {
        n.anon = 0;
        if (n.flags & MW_VM_MIRRORED) { /* nothing is left to be an alias of */
            n.flags &= ~MW_VM_MIRRORED;
            n.object = NULL;
            n.offset = n.start;
        }
    }
    if (is_segment(&n))
        return n; /* the same attachment */
    if (n.anon || huge_is_promised(&n)) /* what is set aside stays the parent's, touched or not */
        n.anon = child->next_anon++ | MW_ANON_FORKED;
    return n;
}

/* The child's mirror that stands for the parent's: made at its first mapping. NULL: no memory. */
static struct mw_object *child_mirror(struct mw_space *child, struct mirror *m)
{
    if (!m->next) {
        m->next = mirror_fork(m, &child->pmap);
        if (!m->next)
            return NULL;
    }
    return m->next->object;
}

/* The child's watcher for a mapping whose own has asked for the event. False: no memory. */
static bool child_watcher(struct mw_space *parent, struct mw_space *child, uint64_t flags,
                          struct mw_watcher **heir)
{
    struct mw_watcher *w;

    *heir = NULL;
    if (!watch_asks(parent, flags, MW_UFFD_FEATURE_EVENT_FORK))
        return true;
    w = watch_of(parent, flags);
    if (!w->child)
        w->child = watch_new(child, w->features, w->event, w->ctx);
    *heir = w->child;
    return w->child;
}

/* Watched memory has its tables to itself: what a watcher protects, it protects in one space. */
static uint32_t fork_how(const struct mw_vma *v, bool watched)
{
    return (v->flags & (MW_VM_HUGETLB | MW_VM_UFFD) ? 0 : FORK_LINK) |
           (v->flags & MW_VM_MAYSHARE ? FORK_SHARED : 0) | (watched ? FORK_WATCHED : 0);
}

/* (Huge pages are private without an identity.) */
static bool copy_pages(struct mw_space *parent, struct mw_space *child, const struct mw_vma *v,
                       bool watched)
{
    if (v->flags & (MW_VM_WIPEONFORK | MW_VM_MIRRORED))
        return true; /* not inherited; the mirror's index has them */
    if (!watched && ((v->flags & MW_VM_MAYSHARE) || (!v->anon && !(v->flags & MW_VM_HUGETLB))))
        return pmap_fork_guards(&child->pmap, &parent->pmap, v->start, v->end); /* found again by fault */
    if (!pmap_fork(&child->pmap, &parent->pmap, v->start, v->end, fork_how(v, watched)))
        return false;
    space_flush(parent, v->start, v->end);
    return true;
}

/* No address of a mirror, inherited or not, writes past the index to a page that is the child's too. */
static void drop_aliases(struct mw_space *parent, const struct mw_vma *v)
{
    pmap_zap(&parent->pmap, v->start, v->end);
    space_flush(parent, v->start, v->end);
}

static bool copy_mapping(struct mw_space *parent, struct mw_space *child, const struct mw_vma *v)
{
    struct mw_watcher *heir;
    struct mw_vma n;

    if (!tree_reserve(&child->tree, EDIT_INSERT) || !child_watcher(parent, child, v->flags, &heir))
        return false;
    n = inherited(child, v, heir);
    if (n.flags & MW_VM_MIRRORED) {
        n.object = child_mirror(child, mirror_of(v->object));
        if (!n.object)
            return false;
    }
    if (n.object && !space_hold(child, n.object))
        return false;
    edit_add(child, &n);
    object_unmap(n.object);
    return copy_pages(parent, child, v, n.flags & MW_VM_UFFD_WP);
}

/* The parent's mirrors forget the child's, which its VMAs hold now. */
static void part(struct mw_space *parent)
{
    for (struct cursor c = tree_first(&parent->tree); c.leaf && parent->mirrored; c = tree_next(c)) {
        struct mirror *m = tree_at(c)->flags & MW_VM_MIRRORED ? mirror_of(tree_at(c)->object) : NULL;

        if (m && m->next) {
            mw_object_put(m->next->object);
            m->next = NULL;
        }
    }
}

/* The parent's watchers forget the child's, and hear of them if all went well. */
static void part_watchers(struct mw_space *parent, bool tell)
{
    for (struct mw_watcher *w = parent->watchers; w; w = w->next) {
        const struct mw_watch_event event = { .event = MW_UFFD_EVENT_FORK, .child = w->child };

        w->child = NULL;
        if (event.child && tell && w->event)
            w->event(w->ctx, &event);
    }
}

static bool copy_all(struct mw_space *parent, struct mw_space *child)
{
    bool done = true;

    for (struct cursor c = tree_first(&parent->tree); c.leaf && done; c = tree_next(c)) {
        if (tree_at(c)->flags & MW_VM_MIRRORED)
            drop_aliases(parent, tree_at(c));
        if (!(tree_at(c)->flags & MW_VM_DONTCOPY))
            done = copy_mapping(parent, child, tree_at(c));
    }
    part(parent);
    part_watchers(parent, done);
    return done;
}

static int charge(struct mw_space *parent, struct mw_why *why)
{
    uint64_t pages = 0;

    for (struct cursor c = tree_first(&parent->tree); c.leaf; c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if ((v->flags & (MW_VM_ACCOUNT | MW_VM_DONTCOPY)) == MW_VM_ACCOUNT)
            pages += to_pages(parent, v->end - v->start);
    }
    return account_commit(parent, pages, why);
}

static int fork_space(struct mw_space *parent, uint64_t id, struct mw_space **out,
                      struct mw_why *why)
{
    struct mw_config config = parent->cfg;
    struct mw_space *child;
    int err = charge(parent, why);

    if (err)
        return err;
    config.id = id;
    if (space_new(&config, &child))
        return why_plain(why, WHY_no_memory);
    space_inherit(child, parent);
    if (names_copy(&child->names, &parent->names, config.port) && copy_all(parent, child)) {
        *out = child;
        return 0;
    }
    space_end(child);
    return why_plain(why, WHY_no_memory);
}

int mw_fork(struct mw_space *parent, uint64_t id, struct mw_space **child, struct mw_why *why)
{
    int err;

    why_clear(why);
    space_enter(parent);
    err = fork_space(parent, id, child, why);
    space_leave(parent);
    return err;
}
