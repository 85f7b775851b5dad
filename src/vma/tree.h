/* SPDX-License-Identifier: MIT */
/*
 * tree.h - the index of VMAs: a B+tree with the VMAs in its leaves.
 *
 * Leaves are linked, so that stepping to a neighbour is O(1). Every inner node
 * knows, for each child, where its VMAs begin and end and no less than the
 * largest gap between them: a search for room that enters a subtree in vain
 * puts its number right.
 *
 * Nodes that an insertion may need are reserved beforehand; after that,
 * inserting cannot fail.
 */
#ifndef MW_VMA_TREE_H
#define MW_VMA_TREE_H

#include <stdatomic.h>

#include "mapwright/mapwright.h"

struct node;

struct tree {
    struct node *root;   /* NULL: empty */
    struct node *spare;  /* reserved nodes */
    uint32_t spares;
    uint32_t height;     /* levels, 0 when empty */
    uint64_t count;      /* VMAs */
    uint64_t last;       /* where the VMA starts that was inserted last */
    int32_t run;         /* insertions on end, each right behind the one before; negative: before it */
    const struct mw_port *port;
    _Atomic(struct node *) hint; /* the leaf of the last hit, or NULL */
    _Atomic(uint32_t) hint_slot; /* which of it, or what has become of that */
};

/* A place in the tree. Void after an insertion or removal, except as said there. */
struct cursor {
    struct node *leaf; /* NULL: past the last VMA */
    uint32_t slot;
};

/* Is it so large that a search waits for memory? (Two levels lie in the cache anyhow.) */
static inline bool tree_is_far(const struct tree *t) { return t->height > 2; }

void tree_init(struct tree *t, const struct mw_port *port);

/* Gives every node back. The VMAs' objects are the caller's to drop first. */
void tree_destroy(struct tree *t);

/*
 * Makes an empty tree hold what `from` holds. The VMAs' objects are the caller's
 * to take. False: no memory, and it is empty still.
 */
bool tree_copy(struct tree *t, const struct tree *from);

/* Makes sure that `inserts` insertions will find their nodes. False: no memory, nothing changed. */
bool tree_reserve(struct tree *t, uint32_t inserts);

/* The same for `run` insertions more, each right behind the one before with nothing between. */
bool tree_reserve_run(struct tree *t, uint32_t inserts, uint64_t run);

/* Gives back nodes beyond a small stock. */
void tree_trim(struct tree *t);

/* The first VMA that ends above addr. */
struct cursor tree_find(const struct tree *t, uint64_t addr);
struct cursor tree_first(const struct tree *t);
struct cursor tree_last(const struct tree *t);

/* The VMA at a cursor, NULL past the end. Valid until the tree changes. */
const struct mw_vma *tree_at(struct cursor c);

/* The neighbours; of the end: nothing after it, the last VMA before it. */
struct cursor tree_next(struct cursor c);
struct cursor tree_prev(const struct tree *t, struct cursor c);

/* Adds a VMA that overlaps none. Needs a reserved insertion. Returns its place. */
struct cursor tree_insert(struct tree *t, const struct mw_vma *v);

/* The same, right before the one at `c`, or behind the last. */
struct cursor tree_insert_before(struct tree *t, struct cursor c, const struct mw_vma *v);

/* The same, right behind the one at `c`. */
struct cursor tree_insert_after(struct tree *t, struct cursor c, const struct mw_vma *v);

/* Puts `pieces` (2 or 3) in the place of the VMA at `c`: they cover what it covers. Needs an insertion for each but one. */
void tree_split(struct tree *t, struct cursor c, const struct mw_vma *v, uint32_t pieces);

/* Puts `v` in the place of so many VMAs, the first of them at `c`: it covers what they cover. */
void tree_join(struct tree *t, struct cursor c, const struct mw_vma *v, uint32_t pieces);

/* Replaces the VMA at `c`; its place in the order stays. `c` stays valid. */
void tree_set(struct cursor c, const struct mw_vma *v);

/* Removes the VMA at `c`. Returns the place of the next one. */
struct cursor tree_remove(struct tree *t, struct cursor c);

/* Removes the VMA at `c` and all behind it that lie below `end`, up to which the last of them reaches. */
void tree_cut(struct tree *t, struct cursor c, uint64_t end);

/*
 * The highest (lowest) gap of at least `length` bytes in [low, high), clipped
 * to it.
 */
bool tree_gap_high(const struct tree *t, uint64_t low, uint64_t high, uint64_t length,
                   struct mw_range *gap);
bool tree_gap_low(const struct tree *t, uint64_t low, uint64_t high, uint64_t length,
                  struct mw_range *gap);

/* Recomputes all that nodes keep. NULL when sound, else what is not. */
const char *tree_check(const struct tree *t);

/* Engine memory in nodes, bytes, the reserved ones included. */
uint64_t tree_bytes(const struct tree *t);

#endif
