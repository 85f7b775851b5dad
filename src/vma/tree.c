/* SPDX-License-Identifier: MIT */
/*
 * tree.c - the index of VMAs: a B+tree augmented with gaps.
 *
 * Nodes stay well filled: a full one first shares with a neighbour, then three
 * full ones become four; four become three when that leaves a little room. A run
 * of insertions side by side leaves nodes behind that are full but for a little.
 * Every node holds a quarter of what it can, but for the root and the first and
 * the last of a level.
 */
#include "vma/tree.h"

#include "base/fetch.h"
#include "base/mem.h"
#include "base/range.h"

enum {
    LEAF_MAX = 31,
    INNER_MAX = 45,
    SPARE_KEEP = 24,
    ROW = 5, /* neighbours that are filled or emptied together */
    RUN = 2  /* insertions next to the one before that make a run */
};

/*
 * A node, leaf or inner. `parent` and `slot` say where it hangs; for a spare
 * node `parent` is the next spare.
 */
struct node {
    struct node *parent;
    struct node *prev, *next; /* neighbouring leaves */
    uint16_t slot;            /* index in the parent when last looked for */
    uint16_t count;
    uint16_t level;           /* 0: leaf */
    uint16_t unused;
    union {
        struct mw_vma vma[LEAF_MAX];
        struct {
            uint64_t hi[INNER_MAX];  /* where the child's last VMA ends */
            struct node *child[INNER_MAX];
            uint64_t lo[INNER_MAX];  /* where its first VMA starts */
            uint64_t gap[INNER_MAX]; /* at least the largest gap between its VMAs */
            uint8_t fill[INNER_MAX]; /* its count, so that a look at neighbours does not touch them */
        } in;
    } u;
};

/* What a parent keeps of a child. */
struct summary {
    uint64_t lo, hi, gap;
    uint8_t fill;
};

static uint32_t node_max(const struct node *n)
{
    return n->level ? INNER_MAX : LEAF_MAX;
}

static uint32_t node_min(const struct node *n) { return node_max(n) / 4; }

/* What is left free where nodes are emptied into others, so that they are not filled again at once. */
static uint32_t node_slack(const struct node *n) { return node_max(n) / 12; }

/* Where `n` hangs. Its neighbours' coming and going does not touch it: it is looked for then. */
static uint32_t slot_of(struct node *n)
{
    const struct node *p = n->parent;
    uint16_t i = n->slot;

    if (i < p->count && p->u.in.child[i] == n)
        return i;
    for (i = 0; p->u.in.child[i] != n; i++)
        ;
    n->slot = i;
    return i;
}

/* ---- nodes --------------------------------------------------------------- */

static struct node *node_take(struct tree *t, uint16_t level)
{
    struct node *n = t->spare;

    t->spare = n->parent;
    t->spares--;
    n->parent = n->prev = n->next = NULL;
    n->slot = n->count = 0;
    n->level = level;
    return n;
}

static void node_give(struct tree *t, struct node *n)
{
    atomic_store_explicit(&t->hint, NULL, memory_order_relaxed);
    n->parent = t->spare;
    t->spare = n;
    t->spares++;
}

void tree_init(struct tree *t, const struct mw_port *port)
{
    memset(t, 0, sizeof *t);
    atomic_init(&t->hint, NULL);
    t->port = port;
}

static void spare_free(struct tree *t, uint32_t keep)
{
    while (t->spares > keep) {
        struct node *n = t->spare;

        t->spare = n->parent;
        t->spares--;
        t->port->free(t->port->ctx, n, sizeof *n);
    }
}

static void node_destroy(struct tree *t, struct node *n)
{
    if (n->level)
        for (uint32_t i = 0; i < n->count; i++)
            node_destroy(t, n->u.in.child[i]);
    t->port->free(t->port->ctx, n, sizeof *n);
}

void tree_destroy(struct tree *t)
{
    if (t->root)
        node_destroy(t, t->root);
    spare_free(t, 0);
    tree_init(t, t->port);
}

/* A copy of a node and all below it; `last` is the leaf before, then the last of these. */
static struct node *node_clone(struct tree *t, const struct node *from, struct node **last)
{
    struct node *n = t->port->alloc(t->port->ctx, sizeof *n);

    if (!n)
        return NULL;
    memcpy(n, from, sizeof *n);
    if (!n->level) {
        n->prev = *last;
        n->next = NULL;
        if (*last)
            (*last)->next = n;
        *last = n;
        return n;
    }
    for (uint16_t i = 0; i < from->count; i++) {
        struct node *child = node_clone(t, from->u.in.child[i], last);

        if (!child) {
            n->count = i; /* only these are its own */
            node_destroy(t, n);
            return NULL;
        }
        child->parent = n;
        n->u.in.child[i] = child;
    }
    return n;
}

bool tree_copy(struct tree *t, const struct tree *from)
{
    struct node *last = NULL, *root = from->root ? node_clone(t, from->root, &last) : NULL;

    if (from->root && !root)
        return false;
    t->root = root;
    t->height = from->height;
    t->count = from->count;
    return true;
}

/*
 * Nodes that insertions take at most. Each takes one a level, if any. One that
 * does found its neighbours full and leaves room for a node's worth among them:
 * of many, less than half do, but for what is full from the start. What is added
 * on top has room for as many again. A removal takes none, and gives back what
 * it makes another insertion take.
 */
static uint64_t nodes_for(const struct tree *t, uint64_t inserts)
{
    uint64_t need = 0;

    for (uint32_t level = 0; level < t->height; level++) {
        inserts = min_u64(inserts, t->count / 10 + inserts / 2 + 2);
        need += inserts;
    }
    return need + inserts / 8 + 1;
}

/* The same of a run: what it takes it fills, but for the first that tell that it is one. */
static uint64_t nodes_for_run(const struct tree *t, uint64_t inserts)
{
    uint64_t need = 0;

    for (uint32_t level = 0; level < t->height; level++) {
        inserts = inserts / 16 + 2;
        need += inserts;
    }
    return need + inserts / 8 + 1;
}

static bool nodes_reserve(struct tree *t, uint64_t need)
{
    while (t->spares < need) {
        struct node *n = t->port->alloc(t->port->ctx, sizeof *n);

        if (!n)
            return false;
        node_give(t, n);
    }
    return true;
}

bool tree_reserve(struct tree *t, uint32_t inserts)
{
    return nodes_reserve(t, nodes_for(t, inserts));
}

bool tree_reserve_run(struct tree *t, uint32_t inserts, uint64_t run)
{
    return nodes_reserve(t, nodes_for(t, inserts) + nodes_for_run(t, run));
}

void tree_trim(struct tree *t)
{
    if (t->spares > SPARE_KEEP * 2)
        spare_free(t, SPARE_KEEP);
}

static uint64_t node_bytes(const struct node *n)
{
    uint64_t sum = sizeof *n;

    if (n->level)
        for (uint32_t i = 0; i < n->count; i++)
            sum += node_bytes(n->u.in.child[i]);
    return sum;
}

uint64_t tree_bytes(const struct tree *t)
{
    return t->spares * sizeof(struct node) + (t->root ? node_bytes(t->root) : 0);
}

/* ---- summaries ------------------------------------------------------------ */

static struct summary leaf_summary(const struct node *n)
{
    const struct mw_vma *v = n->u.vma;
    struct summary s = { v->start, v[n->count - 1].end, 0, (uint8_t)n->count };

    for (uint32_t i = 1; i < n->count; i++)
        s.gap = max_u64(s.gap, sub_floor(v[i].start, v[i - 1].end));
    return s;
}

static struct summary inner_summary(const struct node *n)
{
    struct summary s = { n->u.in.lo[0], n->u.in.hi[n->count - 1], n->u.in.gap[0], (uint8_t)n->count };

    for (uint32_t i = 1; i < n->count; i++) {
        s.gap = max_u64(s.gap, n->u.in.gap[i]);
        s.gap = max_u64(s.gap, sub_floor(n->u.in.lo[i], n->u.in.hi[i - 1]));
    }
    return s;
}

static struct summary summary_of(const struct node *n)
{
    return n->level ? inner_summary(n) : leaf_summary(n);
}

static void inner_put(struct node *p, uint32_t i, struct node *child, const struct summary *s)
{
    p->u.in.lo[i] = s->lo;
    p->u.in.hi[i] = s->hi;
    p->u.in.gap[i] = s->gap;
    p->u.in.fill[i] = s->fill;
    p->u.in.child[i] = child;
    child->parent = p;
    child->slot = (uint16_t)i;
}

/* Brings what the ancestors keep of `n` up to date, until nothing changes. */
static void refresh_up(struct node *n)
{
    for (struct node *p = n->parent; p; n = p, p = p->parent) {
        struct summary s = summary_of(n);
        uint32_t i = slot_of(n);

        if (p->u.in.lo[i] == s.lo && p->u.in.hi[i] == s.hi && p->u.in.gap[i] == s.gap &&
            p->u.in.fill[i] == s.fill)
            return;
        inner_put(p, i, n, &s);
    }
}

static uint64_t node_lo(const struct node *n) { return n->level ? n->u.in.lo[0] : n->u.vma[0].start; }

static uint64_t node_hi(const struct node *n)
{
    return n->level ? n->u.in.hi[n->count - 1] : n->u.vma[n->count - 1].end;
}

/* There is a gap of so many bytes in `n`. */
static void gap_seen(struct node *n, uint64_t gap)
{
    for (struct node *p = n->parent; p && p->u.in.gap[slot_of(n)] < gap; n = p, p = p->parent)
        p->u.in.gap[n->slot] = gap;
}

/* The first or the last VMA of `n` has other borders. */
static void bounds_moved(struct node *n)
{
    for (struct node *p = n->parent; p; n = p, p = p->parent) {
        uint64_t lo = node_lo(n), hi = node_hi(n);
        uint32_t i = slot_of(n);

        if (p->u.in.lo[i] == lo && p->u.in.hi[i] == hi)
            return;
        p->u.in.lo[i] = lo;
        p->u.in.hi[i] = hi;
        if (i)
            gap_seen(p, sub_floor(lo, p->u.in.hi[i - 1]));
        if (i + 1u < p->count)
            gap_seen(p, sub_floor(p->u.in.lo[i + 1], hi));
        if (i && i + 1u < p->count)
            return;
    }
}

/* `n` has more entries than it had, or fewer. */
static void fill_changed(struct node *n)
{
    if (n->parent)
        n->parent->u.in.fill[slot_of(n)] = (uint8_t)n->count;
}

/* The VMA at `slot` of a leaf is another than it was, or has come, or those around it have met. */
static void leaf_changed(struct node *n, uint32_t slot)
{
    const struct mw_vma *v = n->u.vma;
    uint64_t gap = 0;

    if (!n->parent)
        return;
    if (slot && slot < n->count)
        gap = sub_floor(v[slot].start, v[slot - 1].end);
    if (slot + 1u < n->count)
        gap = max_u64(gap, sub_floor(v[slot + 1].start, v[slot].end));
    gap_seen(n, gap);
    if (slot == 0 || slot + 1u >= n->count)
        bounds_moved(n);
}

/* ---- search ----------------------------------------------------------------- */

/* By steps of about a cache line, and then one by one. */
static uint32_t inner_search(const struct node *n, uint64_t addr)
{
    uint32_t i = 0;

    while (i + 8 <= n->count && n->u.in.hi[i + 7] <= addr)
        i += 8;
    while (i < n->count && n->u.in.hi[i] <= addr)
        i++;
    return i;
}

/* Halves without a branch: which way a search goes is not foretold, and what it reads has been asked for. */
static uint32_t leaf_search(const struct node *n, uint64_t addr)
{
    const struct mw_vma *v = n->u.vma;
    uint32_t left = n->count;

    for (uint32_t half; left > 1; left -= half) {
        half = left / 2;
        v += v[half - 1].end <= addr ? half : 0;
    }
    return (uint32_t)(v - n->u.vma) + (v->end <= addr);
}

/* Is it the first in its leaf that ends above `addr`? */
static bool is_slot(const struct node *n, uint64_t addr, uint32_t i)
{
    return i < n->count && n->u.vma[i].end > addr && (!i || n->u.vma[i - 1].end <= addr);
}

/* leaf_search, where it is likely to be `i` or its neighbour. */
static uint32_t leaf_search_near(const struct node *n, uint64_t addr, uint32_t i)
{
    if (is_slot(n, addr, i))
        return i;
    i += i < n->count && n->u.vma[i].end <= addr ? 1u : -1u;
    return is_slot(n, addr, i) ? i : leaf_search(n, addr);
}

/* What a search reads of an inner node: what comes first in it. */
enum { INNER_SEARCHED = offsetof(struct node, u.in.lo) };

/* The leaf with the first VMA that ends above `addr`; NULL: none. */
static struct node *find_leaf(const struct tree *t, uint64_t addr)
{
    struct node *n = t->root;

    while (n && n->level) {
        uint32_t i = inner_search(n, addr);
        struct node *child;

        if (i == n->count)
            return NULL;
        child = n->u.in.child[i];
        if (tree_is_far(t))
            fetch(child, n->level > 1 ? INNER_SEARCHED : sizeof *child);
        n = child;
    }
    return n;
}

struct cursor tree_find(const struct tree *t, uint64_t addr)
{
    struct tree *hinted = (struct tree *)(uintptr_t)t; /* a search changes its hints alone */
    struct node *n = atomic_load_explicit(&hinted->hint, memory_order_relaxed);
    uint32_t i = atomic_load_explicit(&hinted->hint_slot, memory_order_relaxed);

    if (!n || addr < n->u.vma[0].start || addr >= n->u.vma[n->count - 1].end) {
        n = find_leaf(t, addr);
        if (!n)
            return (struct cursor){ NULL, 0 };
        atomic_store_explicit(&hinted->hint, n, memory_order_relaxed);
    }
    i = leaf_search_near(n, addr, i);
    atomic_store_explicit(&hinted->hint_slot, i, memory_order_relaxed);
    return i < n->count ? (struct cursor){ n, i } : (struct cursor){ NULL, 0 };
}

struct cursor tree_first(const struct tree *t)
{
    struct node *n = t->root;

    while (n && n->level)
        n = n->u.in.child[0];
    return (struct cursor){ n, 0 };
}

struct cursor tree_last(const struct tree *t)
{
    struct node *n = t->root;

    while (n && n->level)
        n = n->u.in.child[n->count - 1];
    return (struct cursor){ n, n ? n->count - 1u : 0 };
}

const struct mw_vma *tree_at(struct cursor c)
{
    return c.leaf ? &c.leaf->u.vma[c.slot] : NULL;
}

struct cursor tree_next(struct cursor c)
{
    if (!c.leaf || ++c.slot < c.leaf->count)
        return c;
    return (struct cursor){ c.leaf->next, 0 };
}

struct cursor tree_prev(const struct tree *t, struct cursor c)
{
    if (!c.leaf)
        return tree_last(t);
    if (c.slot)
        return (struct cursor){ c.leaf, c.slot - 1 };
    c.leaf = c.leaf->prev;
    c.slot = c.leaf ? c.leaf->count - 1u : 0;
    return c;
}

/* ---- entries on the move ------------------------------------------------------- */

/* Copies `n` children from one place to another, which may overlap. */
static void inner_copy(struct node *to, uint32_t ti, struct node *from, uint32_t fi, uint32_t n)
{
    memmove(to->u.in.lo + ti, from->u.in.lo + fi, n * sizeof to->u.in.lo[0]);
    memmove(to->u.in.hi + ti, from->u.in.hi + fi, n * sizeof to->u.in.hi[0]);
    memmove(to->u.in.gap + ti, from->u.in.gap + fi, n * sizeof to->u.in.gap[0]);
    memmove(to->u.in.child + ti, from->u.in.child + fi, n * sizeof to->u.in.child[0]);
    memmove(to->u.in.fill + ti, from->u.in.fill + fi, n * sizeof to->u.in.fill[0]);
    if (to == from)
        return;
    for (uint32_t i = ti; i < ti + n; i++)
        to->u.in.child[i]->parent = to;
}

static void node_copy(struct node *to, uint32_t ti, struct node *from, uint32_t fi, uint32_t n)
{
    if (from->level)
        inner_copy(to, ti, from, fi, n);
    else
        memmove(to->u.vma + ti, from->u.vma + fi, n * sizeof to->u.vma[0]);
}

/* The first `k` entries of `right` go to the end of `left`. */
static void pour_left(struct node *left, struct node *right, uint32_t k)
{
    node_copy(left, left->count, right, 0, k);
    node_copy(right, 0, right, k, right->count - k);
    left->count = (uint16_t)(left->count + k);
    right->count = (uint16_t)(right->count - k);
}

/* The last `k` entries of `left` go to the front of `right`. */
static void pour_right(struct node *left, struct node *right, uint32_t k)
{
    node_copy(right, k, right, 0, right->count);
    node_copy(right, 0, left, left->count - k, k);
    left->count = (uint16_t)(left->count - k);
    right->count = (uint16_t)(right->count + k);
}

/* Fills the nodes of a row up to `each`, from the left, out of those behind them. */
static void gather_left(struct node *const *row, uint32_t nodes, uint32_t each)
{
    for (uint32_t i = 0; i < nodes; i++)
        for (uint32_t j = i + 1; j < nodes && row[i]->count < each; j++)
            pour_left(row[i], row[j], (uint32_t)min_u64(row[j]->count, each - row[i]->count));
}

/* The same from the right, out of those before them. */
static void gather_right(struct node *const *row, uint32_t nodes, uint32_t each)
{
    for (uint32_t i = nodes; i-- > 0;)
        for (uint32_t j = i; j-- > 0 && row[i]->count < each;)
            pour_right(row[j], row[i], (uint32_t)min_u64(row[j]->count, each - row[i]->count));
}

static uint32_t row_sum(struct node *const *row, uint32_t nodes)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < nodes; i++)
        sum += row[i]->count;
    return sum;
}

/* The slot of the first of up to `nodes` neighbours around `n`, itself included, and how many they are. */
static uint32_t row_around(struct node *n, uint32_t *nodes)
{
    uint32_t all = n->parent->count;

    *nodes = (uint32_t)min_u64(*nodes, all);
    return (uint32_t)min_u64(sub_floor(slot_of(n), *nodes / 2), all - *nodes);
}

/* ---- insertion --------------------------------------------------------------- */

/* Where one more entry has its place, and the nodes whose entries have moved for that. */
struct room {
    struct node *node;
    uint32_t at;
    struct node *row[ROW];
    uint32_t nodes;
    bool grown; /* the last of them is new and hangs nowhere yet */
};

/* The place that is entry `at` of all in the row; where two nodes meet, the lower one's if it holds less than `most`. */
static void room_in(struct room *r, uint32_t at, uint32_t most)
{
    uint32_t i = 0;

    while (i + 1 < r->nodes && at >= r->row[i]->count && (at > r->row[i]->count || at >= most))
        at -= r->row[i++]->count;
    r->node = r->row[i];
    r->at = at;
}

/* What a run leaves full: but for a little, so that what is cut there later finds room in its node. */
static uint32_t run_max(const struct node *n) { return node_max(n) - node_slack(n); }

static bool is_roomy(const struct node *n, uint32_t most) { return n && n->count + node_slack(n) <= most; }

/* Is nothing on its level below `n` (above it)? */
static bool is_first(struct node *n)
{
    while (n->parent && slot_of(n) == 0)
        n = n->parent;
    return !n->parent;
}

static bool is_last(struct node *n)
{
    while (n->parent && slot_of(n) + 1u == n->parent->count)
        n = n->parent;
    return !n->parent;
}

/* A full node gives a neighbour some entries: half of what fits or, in a run, what the run has passed. */
static bool room_shared(struct room *r, struct node *left, struct node *n, struct node *right,
                        int32_t run)
{
    uint32_t most = node_max(n) - node_min(n), room, passed;
    uint32_t full = run ? run_max(n) : node_max(n);
    bool to_left = is_roomy(left, full) &&
                   (run > 0 || !is_roomy(right, full) || (run == 0 && left->count <= right->count));
    struct node *to = to_left ? left : right;

    if (!is_roomy(to, full))
        return false;
    room = full - to->count;
    passed = (uint32_t)min_u64(most, to_left ? r->at : n->count - r->at);
    r->nodes = 2;
    if (to_left) {
        r->row[0] = left;
        r->row[1] = n;
        r->at += left->count;
        pour_left(left, n, run > 0 ? (uint32_t)min_u64(room, passed) : room / 2);
    } else {
        r->row[0] = n;
        r->row[1] = right;
        pour_right(n, right, run < 0 ? (uint32_t)min_u64(room, passed) : room / 2);
    }
    room_in(r, r->at, full);
    return true;
}

/* In a run: cuts `n` where the run goes on, so that what it has passed stays full. */
static void room_cut(struct room *r, struct node *n)
{
    uint64_t cut = max_u64(r->at, is_first(n) ? 0 : node_min(n));

    cut = min_u64(cut, is_last(n) ? n->count : n->count - node_min(n));
    r->row[0] = n;
    r->nodes = 2;
    pour_right(n, r->row[1], n->count - (uint32_t)cut);
    room_in(r, r->at, run_max(n));
}

/* A full node and those around it become one more. */
static void room_spread(struct room *r, struct node *n)
{
    struct node *fresh = r->row[1];
    uint32_t nodes = ROW - 1, at = r->at, first = 0;

    if (n->parent)
        first = row_around(n, &nodes);
    else
        nodes = 1;
    for (uint32_t i = 0; i < nodes; i++)
        r->row[i] = n->parent ? n->parent->u.in.child[first + i] : n;
    for (uint32_t i = 0; r->row[i] != n; i++)
        at += r->row[i]->count;
    r->row[nodes++] = fresh;
    r->nodes = nodes;
    gather_right(r->row, nodes, row_sum(r->row, nodes) / nodes);
    room_in(r, at, node_max(n));
}

/* Upwards, downwards, or 0: none. */
static int32_t run_of(const struct tree *t) { return t->run >= RUN ? 1 : t->run <= -RUN ? -1 : 0; }

/* Room as it is; what a run has passed is full before the node is. */
static bool has_room(const struct tree *t, const struct node *n, uint32_t at)
{
    int32_t run = run_of(t);
    uint32_t passed = run > 0 ? at : run < 0 ? n->count - at : 0;

    return n->count < node_max(n) && passed < run_max(n);
}

/* Room for an entry before entry `at` of `n`. */
static struct room make_room(struct tree *t, struct node *n, uint32_t at)
{
    struct room r = { .node = n, .at = at };
    int32_t run = run_of(t);
    struct node *left = NULL, *right = NULL;

    if (has_room(t, n, at))
        return r;
    if (n->parent) {
        uint32_t i = slot_of(n);

        left = i ? n->parent->u.in.child[i - 1] : NULL;
        right = i + 1 < n->parent->count ? n->parent->u.in.child[i + 1] : NULL;
    }
    if (at == 0 && left && left->count < node_max(left)) {
        r.node = left;
        r.at = left->count;
    } else if (at == n->count && right && right->count < node_max(right)) {
        r.node = right;
        r.at = 0;
    } else if (!room_shared(&r, left, n, right, run)) {
        r.grown = true;
        r.row[1] = node_take(t, n->level);
        if (run)
            room_cut(&r, n);
        else
            room_spread(&r, n);
    }
    return r;
}

static void link_leaf_after(struct node *left, struct node *right)
{
    right->prev = left;
    right->next = left->next;
    if (right->next)
        right->next->prev = right;
    left->next = right;
}

static void grow_root(struct tree *t)
{
    struct node *root = node_take(t, (uint16_t)(t->root->level + 1));
    struct summary s = summary_of(t->root);

    inner_put(root, 0, t->root, &s);
    root->count = 1;
    t->root = root;
    t->height++;
}

static void room_settle(struct tree *t, const struct room *r);

/* Hangs `right` next to `left`. */
static void insert_child(struct tree *t, struct node *left, struct node *right)
{
    struct summary s = summary_of(right);
    struct room r;

    if (!left->parent)
        grow_root(t);
    r = make_room(t, left->parent, slot_of(left) + 1u);
    inner_copy(r.node, r.at + 1, r.node, r.at, r.node->count - r.at);
    inner_put(r.node, r.at, right, &s);
    r.node->count++;
    room_settle(t, &r);
    refresh_up(r.node);
}

/* The entry is in its place: what is new is hung up, and parents learn what their children hold. */
static void room_settle(struct tree *t, const struct room *r)
{
    if (r->grown) {
        struct node *left = r->row[r->nodes - 2], *fresh = r->row[r->nodes - 1];

        if (!fresh->level)
            link_leaf_after(left, fresh);
        insert_child(t, left, fresh);
    }
    for (uint32_t i = 0; i < r->nodes; i++)
        refresh_up(r->row[i]);
}

/* Keeps count of insertions that come each right behind, or right before, the one before. */
static void note_run(struct tree *t, struct cursor c, uint64_t start)
{
    const struct mw_vma *prev = tree_at(tree_prev(t, c));
    const struct mw_vma *next = c.slot < c.leaf->count ? tree_at(c) : NULL;

    if (prev && prev->start == t->last)
        t->run = t->run < 0 ? 1 : t->run < RUN ? t->run + 1 : RUN;
    else if (next && next->start == t->last)
        t->run = t->run > 0 ? -1 : t->run > -RUN ? t->run - 1 : -RUN;
    else
        t->run = 0;
    t->last = start;
}

static void put_entry(struct tree *t, struct cursor c, const struct mw_vma *v)
{
    struct node *n = c.leaf;

    node_copy(n, c.slot + 1, n, c.slot, n->count - c.slot);
    n->u.vma[c.slot] = *v;
    n->count++;
    t->count++;
}

/* Before the VMA at `c`, or at the end of its leaf. */
static struct cursor insert_at(struct tree *t, struct cursor c, const struct mw_vma *v)
{
    note_run(t, c, v->start);
    if (!has_room(t, c.leaf, c.slot)) {
        struct room r = make_room(t, c.leaf, c.slot);

        c = (struct cursor){ r.node, r.at };
        if (r.nodes) {
            put_entry(t, c, v);
            room_settle(t, &r);
            return c;
        }
    }
    put_entry(t, c, v);
    fill_changed(c.leaf);
    leaf_changed(c.leaf, c.slot);
    return c;
}

struct cursor tree_insert_before(struct tree *t, struct cursor c, const struct mw_vma *v)
{
    if (!t->root) {
        t->count = 1;
        t->root = node_take(t, 0);
        t->height = 1;
        t->root->count = 1;
        t->root->u.vma[0] = *v;
        return (struct cursor){ t->root, 0 };
    }
    if (!c.leaf) {
        c = tree_last(t);
        c.slot++;
    }
    return insert_at(t, c, v);
}

struct cursor tree_insert(struct tree *t, const struct mw_vma *v)
{
    return tree_insert_before(t, tree_find(t, v->start), v);
}

struct cursor tree_insert_after(struct tree *t, struct cursor c, const struct mw_vma *v)
{
    c.slot++;
    return insert_at(t, c, v);
}

/* As long as the leaf has room, nobody above sees more than that it has more entries. */
void tree_split(struct tree *t, struct cursor c, const struct mw_vma *v, uint32_t pieces)
{
    struct node *n = c.leaf;
    uint32_t more = pieces - 1;

    if (n->count + more > LEAF_MAX || !has_room(t, n, c.slot + 1)) {
        for (uint32_t i = more; i > 0; i--) /* the VMA itself last: no gap is ever seen between them */
            c = tree_prev(t, tree_insert_after(t, c, &v[i]));
        tree_set(c, v);
        return;
    }
    note_run(t, (struct cursor){ n, c.slot + 1 }, v[more].start);
    node_copy(n, c.slot + pieces, n, c.slot + 1, n->count - c.slot - 1);
    memcpy(n->u.vma + c.slot, v, pieces * sizeof *v);
    n->count = (uint16_t)(n->count + more);
    t->count += more;
    fill_changed(n);
}

void tree_set(struct cursor c, const struct mw_vma *v)
{
    struct mw_vma *old = &c.leaf->u.vma[c.slot];
    bool moved = old->start != v->start || old->end != v->end;

    *old = *v;
    if (moved)
        leaf_changed(c.leaf, c.slot);
}

/* ---- removal ------------------------------------------------------------------ */

static void unlink_leaf(struct node *n)
{
    if (n->prev)
        n->prev->next = n->next;
    if (n->next)
        n->next->prev = n->prev;
}

/* Takes the children [from, to) of `p`, which are empty or counted out, off it. */
static void drop_children(struct tree *t, struct node *p, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        struct node *n = p->u.in.child[i];

        if (!n->level)
            unlink_leaf(n);
        node_give(t, n);
    }
    inner_copy(p, from, p, to, p->count - to);
    p->count = (uint16_t)(p->count - (to - from));
}

/* How many nodes of the row around `n` could hold what all hold, and leave some room? */
static uint32_t row_needs(struct node *n, uint32_t *first, uint32_t *nodes, uint32_t *sum)
{
    uint32_t most = node_max(n) - node_slack(n);

    *nodes = ROW;
    *first = row_around(n, nodes);
    *sum = 0;
    for (uint32_t i = *first; i < *first + *nodes; i++)
        *sum += n->parent->u.in.fill[i];
    return (*sum + most - 1) / most;
}

/* Empties the nodes of the row around `*n` that it can do without. `*n` is then the first of it. */
static bool join_row(struct tree *t, struct node **n)
{
    struct node *p = (*n)->parent, *const *row;
    uint32_t first, nodes, sum, stay = row_needs(*n, &first, &nodes, &sum);

    if (stay >= nodes)
        return false;
    row = p->u.in.child + first;
    gather_left(row, nodes, (sum + stay - 1) / stay);
    if (stay > 1 && row[stay - 1]->count < node_min(*row))
        gather_right(row + stay - 2, 2, (row[stay - 2]->count + row[stay - 1]->count) / 2u);
    drop_children(t, p, first + stay, first + nodes);
    for (uint32_t i = 0; i < stay; i++)
        refresh_up(row[i]);
    *n = row[0];
    return true;
}

static bool can_join(struct node *n)
{
    uint32_t first, nodes, sum;

    /* the fullest of a row that can be joined need not ask */
    return n->parent && n->count <= node_max(n) * 4 / 5 && row_needs(n, &first, &nodes, &sum) < nodes;
}

/* What no row can do without has half of what its fuller neighbour has too much. */
static void borrow(struct node *n)
{
    struct node *const *child = n->parent->u.in.child;
    uint32_t i = slot_of(n), nodes = n->parent->count;
    bool from_left = i && (i + 1 == nodes || child[i - 1]->count >= child[i + 1]->count);
    uint32_t half;

    i -= from_left;
    half = (child[i]->count + child[i + 1]->count) / 2u;
    if (from_left)
        gather_right(child + i, 2, half);
    else
        gather_left(child + i, 2, half);
    refresh_up(child[i]);
    refresh_up(child[i + 1]);
}

static void root_shrunk(struct tree *t)
{
    while (t->root->level && t->root->count == 1) {
        struct node *n = t->root;

        t->root = n->u.in.child[0];
        t->root->parent = NULL;
        t->height--;
        node_give(t, n);
    }
    if (t->root->count)
        return;
    node_give(t, t->root);
    t->root = NULL;
    t->height = 0;
}

/* `n` has lost entries, maybe all: it is filled, or emptied, as nodes have to be. */
static void node_shrunk(struct tree *t, struct node *n)
{
    fill_changed(n);
    while (n->parent && n->parent->count == 1 && n->parent->parent)
        node_shrunk(t, n->parent); /* for neighbours */
    while (n->parent && n->parent->count > 1 && join_row(t, &n)) {
        node_shrunk(t, n->parent);
        if (n->count >= node_min(n))
            return;
    }
    if (!n->parent || n->parent->count == 1)
        root_shrunk(t);
    else if (n->count < node_min(n))
        borrow(n);
    else
        refresh_up(n);
}

/* Removes entries [from, to) of a leaf. False: it may have gone with them. */
static bool leaf_remove(struct tree *t, struct node *n, uint32_t from, uint32_t to)
{
    node_copy(n, from, n, to, n->count - to);
    n->count = (uint16_t)(n->count - (to - from));
    t->count -= to - from;
    fill_changed(n);
    if (n->count < node_min(n) || to - from > 1 || can_join(n)) {
        node_shrunk(t, n);
        return false;
    }
    leaf_changed(n, from);
    return true;
}

struct cursor tree_remove(struct tree *t, struct cursor c)
{
    uint64_t end = tree_at(c)->end;

    if (!leaf_remove(t, c.leaf, c.slot, c.slot + 1))
        return tree_find(t, end);
    if (c.slot < c.leaf->count)
        return c;
    return (struct cursor){ c.leaf->next, 0 };
}

void tree_join(struct tree *t, struct cursor c, const struct mw_vma *v, uint32_t pieces)
{
    struct node *n = c.leaf;
    uint32_t less = pieces - 1;

    if (c.slot + pieces > n->count) {
        tree_cut(t, tree_next(c), v->end);
        tree_set(tree_find(t, v->start), v);
        return;
    }
    n->u.vma[c.slot] = *v;
    node_copy(n, c.slot + 1, n, c.slot + pieces, n->count - c.slot - pieces);
    n->count = (uint16_t)(n->count - less);
    t->count -= less;
    fill_changed(n);
    if (n->count < node_min(n) || can_join(n))
        node_shrunk(t, n);
}

/* Gives up `n` and all below it. */
static void node_cut_off(struct tree *t, struct node *n)
{
    if (!n->level)
        t->count -= n->count;
    else {
        for (uint32_t i = 0; i < n->count; i++)
            node_cut_off(t, n->u.in.child[i]);
        drop_children(t, n, 0, n->count);
    }
}

static void cut_below(struct tree *t, struct node *n, uint64_t start, uint64_t end);

/* The child at slot `i` of `p` loses a part of what it holds. */
static void cut_part(struct tree *t, struct node *p, uint32_t i, uint64_t start, uint64_t end)
{
    struct node *n = p->u.in.child[i];
    struct summary s;

    cut_below(t, n, start, end);
    s = summary_of(n);
    inner_put(p, i, n, &s);
}

/* Takes [start, end) out of `n`, which holds more than that; whole subtrees go as they are. */
static void cut_below(struct tree *t, struct node *n, uint64_t start, uint64_t end)
{
    uint32_t from, to;

    if (!n->level) {
        from = leaf_search(n, start);
        for (to = from; to < n->count && n->u.vma[to].start < end; to++)
            ;
        node_copy(n, from, n, to, n->count - to);
        n->count = (uint16_t)(n->count - (to - from));
        t->count -= to - from;
        return;
    }
    from = inner_search(n, start);
    if (from < n->count && n->u.in.lo[from] < start)
        cut_part(t, n, from++, start, end);
    for (to = from; to < n->count && n->u.in.hi[to] <= end; to++)
        node_cut_off(t, n->u.in.child[to]);
    drop_children(t, n, from, to);
    if (from < n->count && n->u.in.lo[from] < end)
        cut_part(t, n, from, start, end);
}

/* The node of a level with the last VMA below `addr`, or with the first above, if there is one. */
static struct node *node_beside(const struct tree *t, uint32_t level, uint64_t addr, bool above)
{
    struct node *n = t->root;

    while (n->level > level) {
        uint32_t i = inner_search(n, addr);

        if (i == n->count || (!above && i && n->u.in.lo[i] >= addr))
            i--;
        n = n->u.in.child[i];
    }
    return n;
}

void tree_cut(struct tree *t, struct cursor c, uint64_t end)
{
    uint64_t start;

    if (!c.leaf)
        return;
    start = tree_at(c)->start;
    if (end <= node_hi(c.leaf) || !c.leaf->next) {
        uint32_t to = c.slot;

        while (to < c.leaf->count && c.leaf->u.vma[to].start < end)
            to++;
        if (to > c.slot)
            leaf_remove(t, c.leaf, c.slot, to);
        return;
    }
    if (start <= node_lo(t->root) && end >= node_hi(t->root))
        node_cut_off(t, t->root);
    else
        cut_below(t, t->root, start, end);
    root_shrunk(t);
    /* from the top down, so that who lacks entries has neighbours; and on both sides of the cut */
    for (uint32_t level = t->height; level-- > 0;)
        for (int above = 0; above < 2 && level < t->height; above++)
            node_shrunk(t, node_beside(t, level, start, above));
}

/* ---- gaps ------------------------------------------------------------------------ */

struct search {
    uint64_t low, high, length;
    struct mw_range *found;
};

/* Is [a, b), clipped to the window, long enough? */
static bool gap_fits(const struct search *s, uint64_t a, uint64_t b)
{
    a = max_u64(a, s->low);
    b = min_u64(b, s->high);
    if (b <= a || b - a < s->length)
        return false;
    *s->found = (struct mw_range){ a, b };
    return true;
}

static bool leaf_gap_high(const struct node *n, const struct search *s)
{
    const struct mw_vma *v = n->u.vma;

    for (uint32_t i = n->count - 1u; i > 0 && v[i].end > s->low; i--)
        if (gap_fits(s, v[i - 1].end, v[i].start))
            return true;
    return false;
}

static bool node_gap_high(struct node *n, const struct search *s)
{
    if (!n->level)
        return leaf_gap_high(n, s);
    for (uint32_t i = n->count; i-- > 0;) {
        if (n->u.in.hi[i] <= s->low)
            return false;
        if (n->u.in.gap[i] >= s->length && n->u.in.lo[i] < s->high) {
            if (node_gap_high(n->u.in.child[i], s))
                return true;
            n->u.in.gap[i] = summary_of(n->u.in.child[i]).gap;
        }
        if (i && gap_fits(s, n->u.in.hi[i - 1], n->u.in.lo[i]))
            return true;
    }
    return false;
}

static bool leaf_gap_low(const struct node *n, const struct search *s)
{
    const struct mw_vma *v = n->u.vma;

    for (uint32_t i = 1; i < n->count && v[i - 1].end < s->high; i++)
        if (gap_fits(s, v[i - 1].end, v[i].start))
            return true;
    return false;
}

static bool node_gap_low(struct node *n, const struct search *s)
{
    if (!n->level)
        return leaf_gap_low(n, s);
    for (uint32_t i = 0; i < n->count; i++) {
        if (i && gap_fits(s, n->u.in.hi[i - 1], n->u.in.lo[i]))
            return true;
        if (n->u.in.hi[i] > s->low && n->u.in.gap[i] >= s->length) {
            if (node_gap_low(n->u.in.child[i], s))
                return true;
            n->u.in.gap[i] = summary_of(n->u.in.child[i]).gap;
        }
        if (n->u.in.hi[i] >= s->high)
            return false;
    }
    return false;
}

bool tree_gap_high(const struct tree *t, uint64_t low, uint64_t high, uint64_t length,
                   struct mw_range *gap)
{
    struct search s = { low, high, length, gap };

    if (!t->root)
        return gap_fits(&s, 0, UINT64_MAX);
    return gap_fits(&s, node_hi(t->root), UINT64_MAX) || node_gap_high(t->root, &s) ||
           gap_fits(&s, 0, node_lo(t->root));
}

bool tree_gap_low(const struct tree *t, uint64_t low, uint64_t high, uint64_t length,
                  struct mw_range *gap)
{
    struct search s = { low, high, length, gap };

    if (!t->root)
        return gap_fits(&s, 0, UINT64_MAX);
    return gap_fits(&s, 0, node_lo(t->root)) || node_gap_low(t->root, &s) ||
           gap_fits(&s, node_hi(t->root), UINT64_MAX);
}

/* ---- the checker ------------------------------------------------------------------- */

enum { FIRST = 1, LAST = 2 };

struct audit {
    const struct node *last_leaf;
    uint64_t end;   /* of the last VMA seen */
    uint64_t count;
};

static const char *check_leaf(struct audit *a, const struct node *n)
{
    if (n->prev != a->last_leaf || (a->last_leaf && a->last_leaf->next != n))
        return "tree: leaves are not linked in order";
    a->last_leaf = n;
    for (uint32_t i = 0; i < n->count; i++) {
        const struct mw_vma *v = &n->u.vma[i];

        if (v->start >= v->end)
            return "tree: an empty VMA";
        if (v->start < a->end)
            return "tree: VMAs overlap or are out of order";
        a->end = v->end;
    }
    a->count += n->count;
    return NULL;
}

/* `ends`: it is the first or the last of its level. */
static const char *check_node(struct audit *a, const struct node *n, uint32_t level, uint32_t ends)
{
    if (n->level != level)
        return "tree: a node is on the wrong level";
    if (n->count == 0 || n->count > node_max(n))
        return "tree: a node's count is out of range";
    if (!ends && n->count < node_min(n))
        return "tree: a node holds too little";
    if (!n->level)
        return check_leaf(a, n);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct node *c = n->u.in.child[i];
        uint32_t end = (i == 0 ? FIRST : 0) | (i + 1u == n->count ? LAST : 0);
        const char *bad;
        struct summary s;

        if (c->parent != n)
            return "tree: a child does not know its parent";
        bad = check_node(a, c, level - 1, ends & end);
        if (bad)
            return bad;
        s = summary_of(c);
        if (s.lo != n->u.in.lo[i] || s.hi != n->u.in.hi[i])
            return "tree: a node's bounds are stale";
        if (s.fill != n->u.in.fill[i])
            return "tree: a node's count is not what its parent thinks";
        if (s.gap > n->u.in.gap[i])
            return "tree: a node has a larger gap than it says";
    }
    return NULL;
}

static bool is_leaf_of(const struct tree *t, const struct node *n)
{
    struct cursor c = tree_first(t);

    while (n && c.leaf && c.leaf != n)
        c.leaf = c.leaf->next;
    return !n || c.leaf;
}

const char *tree_check(const struct tree *t)
{
    struct audit a = { 0 };
    const char *bad;

    if (!t->root)
        return t->count || t->height ? "tree: an empty tree counts VMAs" : NULL;
    if (t->root->parent)
        return "tree: the root has a parent";
    bad = check_node(&a, t->root, t->height - 1, FIRST | LAST);
    if (bad)
        return bad;
    if (a.last_leaf->next)
        return "tree: the last leaf has a successor";
    if (!is_leaf_of(t, atomic_load_explicit(&((struct tree *)(uintptr_t)t)->hint, memory_order_relaxed)))
        return "tree: the hint is no leaf";
    return a.count == t->count ? NULL : "tree: the count of VMAs is wrong";
}
