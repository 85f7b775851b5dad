/* SPDX-License-Identifier: MIT */
/* tree.c - the index of VMAs: a B+tree augmented with gaps. */
#include "vma/tree.h"

#include "base/mem.h"
#include "base/range.h"

enum { LEAF_MAX = 31, INNER_MAX = 46, SPARE_KEEP = 24 };

/*
 * A node, leaf or inner. `parent` and `slot` say where it hangs; for a spare
 * node `parent` is the next spare.
 */
struct node {
    struct node *parent;
    struct node *prev, *next; /* neighbouring leaves */
    uint16_t slot;            /* index in the parent */
    uint16_t count;
    uint16_t level;           /* 0: leaf */
    uint16_t unused;
    union {
        struct mw_vma vma[LEAF_MAX];
        struct {
            uint64_t lo[INNER_MAX];  /* where the child's first VMA starts */
            uint64_t hi[INNER_MAX];  /* where its last VMA ends */
            uint64_t gap[INNER_MAX]; /* at least the largest gap between its VMAs */
            struct node *child[INNER_MAX];
        } in;
    } u;
};

/* What a parent keeps of a child. */
struct summary {
    uint64_t lo, hi, gap;
};

static uint32_t node_max(const struct node *n)
{
    return n->level ? INNER_MAX : LEAF_MAX;
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

bool tree_reserve(struct tree *t, uint32_t inserts)
{
    uint64_t need = 0, splits = inserts;

    /* An insertion splits at most one node a level, and may add a root. What a split leaves
       fullest takes one insertion more before it splits again: of many, half split. */
    for (uint32_t level = 0; level < t->height + 2; level++) {
        splits = min_u64(splits, t->count / 10 + splits / 2 + 2);
        need += splits;
    }
    while (t->spares < need) {
        struct node *n = t->port->alloc(t->port->ctx, sizeof *n);

        if (!n)
            return false;
        node_give(t, n);
    }
    return true;
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
    struct summary s = { v->start, v[n->count - 1].end, 0 };

    for (uint32_t i = 1; i < n->count; i++)
        s.gap = max_u64(s.gap, sub_floor(v[i].start, v[i - 1].end));
    return s;
}

static struct summary inner_summary(const struct node *n)
{
    struct summary s = { n->u.in.lo[0], n->u.in.hi[n->count - 1], n->u.in.gap[0] };

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

/* Brings what the ancestors keep of `n` up to date, until nothing changes. */
static void refresh_up(struct node *n)
{
    for (struct node *p = n->parent; p; n = p, p = p->parent) {
        struct summary s = summary_of(n);
        uint32_t i = n->slot;

        if (p->u.in.lo[i] == s.lo && p->u.in.hi[i] == s.hi && p->u.in.gap[i] == s.gap)
            return;
        p->u.in.lo[i] = s.lo;
        p->u.in.hi[i] = s.hi;
        p->u.in.gap[i] = s.gap;
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
    for (struct node *p = n->parent; p && p->u.in.gap[n->slot] < gap; n = p, p = p->parent)
        p->u.in.gap[n->slot] = gap;
}

/* The first or the last VMA of `n` has other borders. */
static void bounds_moved(struct node *n)
{
    for (struct node *p = n->parent; p; n = p, p = p->parent) {
        uint64_t lo = node_lo(n), hi = node_hi(n);
        uint32_t i = n->slot;

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

static uint32_t inner_search(const struct node *n, uint64_t addr)
{
    uint32_t i = 0;

    while (i < n->count && n->u.in.hi[i] <= addr)
        i++;
    return i;
}

static uint32_t leaf_search(const struct node *n, uint64_t addr)
{
    uint32_t low = 0, high = n->count;

    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (n->u.vma[mid].end <= addr)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The leaf with the first VMA that ends above `addr`; NULL: none. */
static struct node *find_leaf(const struct tree *t, uint64_t addr)
{
    struct node *n = t->root;

    while (n && n->level) {
        uint32_t i = inner_search(n, addr);

        n = i < n->count ? n->u.in.child[i] : NULL;
    }
    return n;
}

struct cursor tree_find(const struct tree *t, uint64_t addr)
{
    struct tree *hinted = (struct tree *)(uintptr_t)t; /* a search changes its hint alone */
    struct node *n = atomic_load_explicit(&hinted->hint, memory_order_relaxed);
    uint32_t i;

    if (!n || addr < n->u.vma[0].start || addr >= n->u.vma[n->count - 1].end) {
        n = find_leaf(t, addr);
        if (!n)
            return (struct cursor){ NULL, 0 };
        atomic_store_explicit(&hinted->hint, n, memory_order_relaxed);
    }
    i = leaf_search(n, addr);
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

/* ---- insertion --------------------------------------------------------------- */

static void inner_put(struct node *p, uint32_t i, struct node *child, const struct summary *s)
{
    p->u.in.lo[i] = s->lo;
    p->u.in.hi[i] = s->hi;
    p->u.in.gap[i] = s->gap;
    p->u.in.child[i] = child;
    child->parent = p;
    child->slot = (uint16_t)i;
}

/* Copies `n` children from one place to another, which may overlap. */
static void inner_copy(struct node *to, uint32_t ti, struct node *from, uint32_t fi, uint32_t n)
{
    memmove(to->u.in.lo + ti, from->u.in.lo + fi, n * sizeof to->u.in.lo[0]);
    memmove(to->u.in.hi + ti, from->u.in.hi + fi, n * sizeof to->u.in.hi[0]);
    memmove(to->u.in.gap + ti, from->u.in.gap + fi, n * sizeof to->u.in.gap[0]);
    memmove(to->u.in.child + ti, from->u.in.child + fi, n * sizeof to->u.in.child[0]);
    for (uint32_t i = ti; i < ti + n; i++) {
        to->u.in.child[i]->parent = to;
        to->u.in.child[i]->slot = (uint16_t)i;
    }
}

static void node_copy(struct node *to, uint32_t ti, struct node *from, uint32_t fi, uint32_t n)
{
    if (from->level)
        inner_copy(to, ti, from, fi, n);
    else
        memmove(to->u.vma + ti, from->u.vma + fi, n * sizeof to->u.vma[0]);
}

static void link_leaf_after(struct node *left, struct node *right)
{
    right->prev = left;
    right->next = left->next;
    if (right->next)
        right->next->prev = right;
    left->next = right;
}

static void insert_child(struct tree *t, struct node *left, struct node *right);

/*
 * Cuts a full node in two and returns the right half. An insertion at an end
 * leaves the old node full, so that runs of mappings fill their leaves.
 */
static struct node *node_split(struct tree *t, struct node *n, uint32_t at)
{
    struct node *right = node_take(t, n->level);
    uint32_t keep = at == n->count ? n->count - 1u : at == 0 ? 1u : n->count / 2u;

    node_copy(right, 0, n, keep, n->count - keep);
    right->count = (uint16_t)(n->count - keep);
    n->count = (uint16_t)keep;
    if (!n->level)
        link_leaf_after(n, right);
    insert_child(t, n, right);
    return right;
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

/* Hangs `right`, just split off `left`, next to it. */
static void insert_child(struct tree *t, struct node *left, struct node *right)
{
    struct summary s = summary_of(right);
    struct node *p;
    uint32_t i;

    if (!left->parent)
        grow_root(t);
    p = left->parent;
    if (p->count == INNER_MAX)
        node_split(t, p, left->slot + 1u);
    p = left->parent;
    i = left->slot + 1u;
    inner_copy(p, i + 1, p, i, p->count - i);
    inner_put(p, i, right, &s);
    p->count++;
    refresh_up(left);
    refresh_up(right);
}

/* Before the VMA at `c`, or at the end of its leaf. */
static void insert_at(struct tree *t, struct cursor c, const struct mw_vma *v)
{
    t->count++;
    if (c.leaf->count == LEAF_MAX) {
        struct node *right = node_split(t, c.leaf, c.slot);

        if (c.slot > c.leaf->count)
            c = (struct cursor){ right, c.slot - c.leaf->count };
    }
    node_copy(c.leaf, c.slot + 1, c.leaf, c.slot, c.leaf->count - c.slot);
    c.leaf->u.vma[c.slot] = *v;
    c.leaf->count++;
    leaf_changed(c.leaf, c.slot);
}

void tree_insert(struct tree *t, const struct mw_vma *v)
{
    struct cursor c;

    if (!t->root) {
        t->count = 1;
        t->root = node_take(t, 0);
        t->height = 1;
        t->root->count = 1;
        t->root->u.vma[0] = *v;
        return;
    }
    c = tree_find(t, v->start);
    if (!c.leaf) {
        c = tree_last(t);
        c.slot++;
    }
    insert_at(t, c, v);
}

void tree_insert_after(struct tree *t, struct cursor c, const struct mw_vma *v)
{
    c.slot++;
    insert_at(t, c, v);
}

void tree_set(struct cursor c, const struct mw_vma *v)
{
    c.leaf->u.vma[c.slot] = *v;
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

static void node_shrunk(struct tree *t, struct node *n);

/* Takes an empty node out of the tree. */
static void node_drop(struct tree *t, struct node *n)
{
    struct node *p = n->parent;

    if (!n->level)
        unlink_leaf(n);
    if (!p) {
        t->root = NULL;
        t->height = 0;
    } else {
        inner_copy(p, n->slot, p, n->slot + 1u, p->count - n->slot - 1u);
        p->count--;
    }
    node_give(t, n);
    if (p)
        node_shrunk(t, p);
}

/* Moves all of `right` into `left`, its neighbour under the same parent. */
static void node_join(struct tree *t, struct node *left, struct node *right)
{
    node_copy(left, left->count, right, 0, right->count);
    left->count = (uint16_t)(left->count + right->count);
    right->count = 0;
    refresh_up(left);
    node_drop(t, right);
}

/*
 * A node has lost an entry: drop it when empty, join it with a neighbour when
 * both together leave room, take off a root with one child.
 */
static void node_shrunk(struct tree *t, struct node *n)
{
    struct node *p = n->parent, *other;

    if (n->count == 0) {
        node_drop(t, n);
        return;
    }
    if (!p) {
        if (n->level && n->count == 1) {
            t->root = n->u.in.child[0];
            t->root->parent = NULL;
            t->height--;
            node_give(t, n);
        }
        return;
    }
    refresh_up(n);
    if (n->count > node_max(n) / 4 || p->count < 2)
        return;
    other = p->u.in.child[n->slot ? n->slot - 1 : 1];
    if (n->count + other->count > node_max(n) * 3 / 4)
        return;
    if (n->slot)
        node_join(t, other, n);
    else
        node_join(t, n, other);
}

struct cursor tree_remove(struct tree *t, struct cursor c)
{
    struct node *n = c.leaf;
    uint64_t end = n->u.vma[c.slot].end;
    bool stays = n->count > LEAF_MAX / 4 + 1;

    t->count--;
    node_copy(n, c.slot, n, c.slot + 1, n->count - c.slot - 1u);
    n->count--;
    if (!stays) {
        node_shrunk(t, n);
        return tree_find(t, end);
    }
    leaf_changed(n, c.slot);
    if (c.slot < n->count)
        return c;
    return (struct cursor){ n->next, 0 };
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

static const char *check_node(struct audit *a, const struct node *n, uint32_t level)
{
    if (n->level != level)
        return "tree: a node is on the wrong level";
    if (n->count == 0 || n->count > node_max(n))
        return "tree: a node's count is out of range";
    if (!n->level)
        return check_leaf(a, n);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct node *c = n->u.in.child[i];
        const char *bad;
        struct summary s;

        if (c->parent != n || c->slot != i)
            return "tree: a child does not know its place";
        bad = check_node(a, c, level - 1);
        if (bad)
            return bad;
        s = summary_of(c);
        if (s.lo != n->u.in.lo[i] || s.hi != n->u.in.hi[i])
            return "tree: a node's bounds are stale";
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
    bad = check_node(&a, t->root, t->height - 1);
    if (bad)
        return bad;
    if (a.last_leaf->next)
        return "tree: the last leaf has a successor";
    if (!is_leaf_of(t, atomic_load_explicit(&((struct tree *)(uintptr_t)t)->hint, memory_order_relaxed)))
        return "tree: the hint is no leaf";
    return a.count == t->count ? NULL : "tree: the count of VMAs is wrong";
}
