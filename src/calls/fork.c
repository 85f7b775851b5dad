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
#include "vma/account.h"
#include "vma/edit.h"

#define LOCKS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

/* What the child has of a parent's mapping. */
static struct mw_vma inherited(struct mw_space *child, const struct mw_vma *v)
{
    struct mw_vma n = *v;

    n.flags &= ~(LOCKS | MW_VM_UFFD); /* a watcher with the FORK event would keep it; there is none */
    if (n.flags & MW_VM_WIPEONFORK) {
        n.anon = 0;
        if (n.flags & MW_VM_MIRRORED) { /* nothing is left to be an alias of */
            n.flags &= ~MW_VM_MIRRORED;
            n.object = NULL;
            n.offset = n.start;
        }
    }
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

/* Kinds whose pages are private without an identity. */
#define KEEPS_UNTOUCHED (MW_VM_MIRRORED | MW_VM_HUGETLB)

static bool copy_pages(struct mw_space *parent, struct mw_space *child, const struct mw_vma *v)
{
    if (v->flags & MW_VM_WIPEONFORK)
        return true; /* not inherited */
    if ((v->flags & MW_VM_MAYSHARE) || (!v->anon && !(v->flags & KEEPS_UNTOUCHED)))
        return pmap_fork_guards(&child->pmap, &parent->pmap, v->start, v->end); /* found again by fault */
    if (v->flags & MW_VM_MIRRORED)
        pmap_zap(&parent->pmap, v->start, v->end); /* the index has them */
    else if (!pmap_fork(&child->pmap, &parent->pmap, v->start, v->end, !(v->flags & MW_VM_HUGETLB)))
        return false;
    space_flush(parent, v->start, v->end);
    return true;
}

static bool copy_mapping(struct mw_space *parent, struct mw_space *child, const struct mw_vma *v)
{
    struct mw_vma n = inherited(child, v);

    if (!tree_reserve(&child->tree, EDIT_INSERT))
        return false;
    if (n.flags & MW_VM_MIRRORED) {
        n.object = child_mirror(child, mirror_of(v->object));
        if (!n.object)
            return false;
    }
    edit_add(child, &n);
    return copy_pages(parent, child, v);
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

static bool copy_all(struct mw_space *parent, struct mw_space *child)
{
    bool done = true;

    for (struct cursor c = tree_first(&parent->tree); c.leaf && done; c = tree_next(c))
        if (!(tree_at(c)->flags & MW_VM_DONTCOPY))
            done = copy_mapping(parent, child, tree_at(c));
    part(parent);
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
    if (mw_space_create(&config, &child))
        return why_plain(why, WHY_no_memory);
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    if (names_copy(&child->names, &parent->names, config.port) && copy_all(parent, child)) {
        *out = child;
        return 0;
    }
    mw_space_destroy(child);
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
