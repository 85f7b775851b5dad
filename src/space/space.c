/* SPDX-License-Identifier: MIT */
/* space.c - spaces: configuration, creation, import, inspection, the checker. */
#include "space/space.h"

#include "base/mem.h"
#include "mem/block.h"
#include "space/huge.h"
#include "space/reader.h"
#include "space/watch.h"
#include "vma/account.h"
#include "vma/edit.h"

const char *mw_version(void) { return MW_VERSION; }

void mw_config_init(struct mw_config *c, const struct mw_port *port)
{
    *c = (struct mw_config){
        .port = port,
        .linux_version = MW_LINUX_NEWEST,
        .page_shift = 12,
        .options = MW_OPT_THP,
        .task_size = 0x7ffffffff000ull,
        .min_addr = 65536,
        .min_hint = 65536,
        .mmap_base = 0x7ffff7fff000ull,
        .low_base = 0x2aaaaaaab000ull,
        .stack_gap = 256,
        .limit_as = MW_UNLIMITED,
        .limit_data = MW_UNLIMITED,
        .limit_memlock = MW_UNLIMITED,
        .limit_stack = 8ull << 20,
        .max_map_count = 65530,
        .ram_pages = MW_UNLIMITED,
        .commit_limit = MW_UNLIMITED,
    };
}

static void lock(const struct mw_port *port)
{
    if (port->lock)
        port->lock(port->ctx);
}

static void unlock(const struct mw_port *port)
{
    if (port->unlock)
        port->unlock(port->ctx);
}

/* The levels that page tables need to cover the space. */
static uint32_t levels_for(const struct mw_config *c)
{
    uint32_t levels = 1, bits = c->page_shift - 3;

    while (c->page_shift + levels * bits < 64 &&
           (c->task_size - 1) >> (c->page_shift + levels * bits))
        levels++;
    return levels;
}

static bool config_sound(const struct mw_config *c)
{
    if (!c->port || !c->port->alloc || !c->port->free || !c->port->lock != !c->port->unlock)
        return false;
    if (c->page_shift != 12 && c->page_shift != 14 && c->page_shift != 16)
        return false;
    if (!c->task_size || c->task_size > 1ull << 56 || !page_aligned(c->task_size, c->page_shift))
        return false;
    if (c->mmap_base > c->task_size || !page_aligned(c->mmap_base, c->page_shift))
        return false;
    if (c->low_base > c->task_size || c->overcommit > 2 || c->brk_start > c->task_size)
        return false;
    if (c->thp > MW_THP_ALWAYS || c->stack_gap > c->task_size >> c->page_shift || c->min_addr > c->task_size ||
        c->min_hint > c->task_size)
        return false;
    return !c->levels || (c->levels >= levels_for(c) && c->levels <= 5);
}

int space_new(const struct mw_config *config, struct mw_space **out)
{
    const struct mw_port *port = config->port;
    struct mw_space *s;
    int err;

    s = port->alloc(port->ctx, sizeof *s);
    if (!s)
        return -MW_ENOMEM;
    memset(s, 0, sizeof *s);
    s->cfg = *config;
    s->cfg.low_base = page_down(config->low_base, config->page_shift);
    s->cfg.levels = config->levels ? config->levels : levels_for(config);
    s->rows = version_rows(config->linux_version, config->options & MW_OPT_DEFECTS);
    s->next_anon = 1;
    s->pkeys = config->options & MW_OPT_PKEYS ? 1 : 0; /* key 0 is everybody's */
    s->huge_pages = MW_UNLIMITED;
    s->brk_start = s->brk = config->brk_start;
    tree_init(&s->tree, port);
    err = pmap_init(&s->pmap, config->frames, &s->pool, s->cfg.levels, config->page_shift);
    if (err) {
        port->free(port->ctx, s, sizeof *s);
        return err;
    }
    *out = s;
    return 0;
}

void space_inherit(struct mw_space *copy, const struct mw_space *s)
{
    copy->next_anon = s->next_anon; /* beyond all that it has of it */
    copy->brk_start = s->brk_start;
    copy->brk = s->brk;
    copy->pkeys = s->pkeys;
    copy->exec_pkey = s->exec_pkey;
    copy->thp_disable = s->thp_disable;
}

/* These two hold the port's lock as calls do: the frames may be others' too. */
int mw_space_create(const struct mw_config *config, struct mw_space **out)
{
    int err;

    if (!config_sound(config))
        return -MW_EINVAL;
    lock(config->port);
    err = space_new(config, out);
    unlock(config->port);
    return err;
}

void mw_space_destroy(struct mw_space *s)
{
    const struct mw_port *port = s ? s->cfg.port : NULL;

    if (!s)
        return;
    lock(port);
    space_end(s);
    unlock(port);
}

void space_end(struct mw_space *s)
{
    const struct mw_port *port = s->cfg.port;

    if (s->huge)
        huge_unpromise(s, 0, UINT64_MAX);
    pmap_destroy(&s->pmap);
    for (struct cursor c = tree_first(&s->tree); c.leaf; c = tree_next(c))
        object_unmap(tree_at(c)->object);
    while (s->objects)
        object_unlink(s->objects);
    tree_destroy(&s->tree);
    names_destroy(&s->names, port);
    while (s->watchers && s->watchers->space == s)
        watch_free(s->watchers);
    port->free(port->ctx, s, sizeof *s);
}

/* ---- around a call ---------------------------------------------------------- */

void space_enter(struct mw_space *s)
{
    lock(s->cfg.port);
    if (s->cfg.frames && s->cfg.frames->readers)
        frame_settle(s->cfg.frames);
}

void space_send(struct mw_space *s)
{
    const struct mw_port *port = s->cfg.port;
    bool readers = s->cfg.frames && s->cfg.frames->readers;

    if (readers)
        readers_tell(s);
    if (s->stale_count && port->flush)
        port->flush(port->ctx, s->cfg.id, s->stale, s->stale_count);
    if (readers)
        readers_told(s);
    s->stale_count = 0;
}

void space_leave(struct mw_space *s)
{
    const struct mw_port *port = s->cfg.port;

    space_send(s);
    s->peak_total = max_u64(s->peak_total, s->total);
    if (!s->pool.forked)
        s->peak_resident = max_u64(s->peak_resident, s->pool.resident);
    tree_trim(&s->tree);
    unlock(port);
}

void space_flush(struct mw_space *s, uint64_t start, uint64_t end)
{
    struct mw_range *last = &s->stale[FLUSH_MAX - 1];

    if (!s->pmap.frames || start >= end)
        return;
    if (s->pmap.frames->readers)
        store_release(&s->busy, 1);
    if (s->stale_count < FLUSH_MAX) {
        s->stale[s->stale_count++] = (struct mw_range){ start, end };
        return;
    }
    /* a full batch: the last range widens */
    last->start = min_u64(last->start, start);
    last->end = max_u64(last->end, end);
}

int space_reserve(struct mw_space *s, uint32_t inserts, struct mw_why *why)
{
    return tree_reserve(&s->tree, inserts) ? 0 : why_plain(why, WHY_no_memory);
}

bool space_hold(struct mw_space *s, struct mw_object *o)
{
    /* (without pages nothing is looked for; a mirror is known by its space alone) */
    if (o && s->pmap.frames && !(o->flags & OBJECT_MIRROR) && !object_link(o, s, &s->objects))
        return false;
    object_map(o);
    return true;
}

/* ---- settings ------------------------------------------------------------------ */

const struct mw_config *mw_space_config(const struct mw_space *s) { return &s->cfg; }

void mw_set_limit(struct mw_space *s, enum mw_limit which, uint64_t bytes)
{
    switch (which) {
    case MW_LIMIT_AS: s->cfg.limit_as = bytes; break;
    case MW_LIMIT_DATA: s->cfg.limit_data = bytes; break;
    case MW_LIMIT_MEMLOCK: s->cfg.limit_memlock = bytes; break;
    case MW_LIMIT_STACK: s->cfg.limit_stack = bytes; break;
    }
}

void mw_set_caps(struct mw_space *s, uint32_t caps) { s->cfg.caps = caps; }

int mw_set_mmap_base(struct mw_space *s, uint64_t base)
{
    if (base > s->cfg.task_size || !aligned(s, base))
        return -MW_EINVAL;
    s->cfg.mmap_base = base;
    return 0;
}

int mw_set_brk(struct mw_space *s, uint64_t start, uint64_t end)
{
    if (end < start || end > s->cfg.task_size)
        return -MW_EINVAL;
    s->brk_start = start;
    s->brk = end;
    return 0;
}

void mw_set_future(struct mw_space *s, uint32_t flags)
{
    s->future = (flags & MW_FUTURE_LOCK ? MW_VM_LOCKED : 0) |
                (flags & MW_FUTURE_ONFAULT ? MW_VM_LOCKONFAULT : 0);
}

int mw_set_pkeys(struct mw_space *s, uint32_t taken, uint32_t exec_only)
{
    const uint32_t last = MW_VM_PKEY >> MW_VM_PKEY_SHIFT;

    if (taken >> last > 1 || exec_only > last || (exec_only && !(taken >> exec_only & 1)))
        return -MW_EINVAL;
    s->pkeys = taken;
    s->exec_pkey = exec_only;
    return 0;
}

void mw_set_thp_disable(struct mw_space *s, uint32_t which) { s->thp_disable = which; }

void mw_set_huge_pages(struct mw_space *s, uint64_t pages) { s->huge_pages = pages; }

uint64_t mw_root(const struct mw_space *s)
{
    return s->pmap.frames ? (uint64_t)s->pmap.root << s->cfg.page_shift : 0;
}

/* ---- inspection and import ------------------------------------------------------- */

bool mw_find_vma(const struct mw_space *s, uint64_t addr, struct mw_vma *out)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, addr));

    if (v)
        *out = *v;
    return v != NULL;
}

/* Identities made from now on differ from every imported one. */
static void note_identity(struct mw_space *s, uint64_t anon)
{
    s->next_anon = max_u64(s->next_anon, (anon & ~MW_ANON_FORKED) + 1);
}

/* Keys that are in use are taken. */
static void note_key(struct mw_space *s, uint64_t vm_flags)
{
    uint32_t key = (uint32_t)((vm_flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT);

    if (!(s->cfg.options & MW_OPT_PKEYS))
        return;
    s->pkeys |= 1u << key;
    s->exec_pkey = vm_flags & MW_VM_EXEC_ONLY ? key : s->exec_pkey;
}

static int import_held(struct mw_space *s, const struct mw_vma *v)
{
    if (!tree_reserve(&s->tree, 1))
        return -MW_ENOMEM;
    if ((v->flags & MW_VM_HUGETLB) && !huge_promise(s, v, v->offset, v->end - v->start))
        return -MW_ENOMEM;
    edit_add(s, v);
    note_identity(s, v->anon);
    note_key(s, v->flags);
    return 0;
}

static int import(struct mw_space *s, const struct mw_vma *given)
{
    struct mw_vma unnamed = *given, *v = &unnamed;
    const struct mw_vma *next;
    int err;

    v->flags &= ~(MW_VM_NAME | WATCH_OWN); /* numbers are their own space's */

    if (!aligned(s, v->start | v->end | v->offset) || v->start >= v->end ||
        v->end > s->cfg.task_size)
        return -MW_EINVAL;
    next = tree_at(tree_find(&s->tree, v->start));
    if (next && next->start < v->end)
        return -MW_EINVAL;
    if (!space_hold(s, v->object))
        return -MW_ENOMEM;
    err = import_held(s, v);
    object_unmap(v->object);
    return err;
}

int mw_import(struct mw_space *s, const struct mw_vma *v)
{
    int err;

    space_enter(s);
    err = import(s, v);
    space_leave(s);
    return err;
}

/* Gives [start, end), part of one VMA or without `merge` all of one, other flags. */
static void import_flags_one(struct mw_space *s, uint64_t start, uint64_t end, uint64_t flags,
                             bool merge)
{
    struct cursor c = tree_find(&s->tree, start);
    struct mw_vma v = *tree_at(c);

    if (merge) {
        edit_modify(s, start, end, flags, false);
    } else {
        account_sub(s, v.flags, to_pages(s, v.end - v.start));
        account_add(s, flags, to_pages(s, v.end - v.start));
        v.flags = flags;
        tree_set(c, &v);
    }
    pmap_protect(&s->pmap, start, end, flags);
    space_flush(s, start, end);
}

/* One VMA after the other; without merging, borders stay. */
static void import_flags(struct mw_space *s, uint64_t start, uint64_t end, uint64_t clear,
                         uint64_t set, bool merge)
{
    if (!merge) {
        edit_split(s, start);
        edit_split(s, end);
    }
    while (start < end) {
        const struct mw_vma *v = tree_at(tree_find(&s->tree, start));
        uint64_t from, next, flags;

        if (!v || v->start >= end)
            return;
        from = max_u64(start, v->start);
        next = min_u64(v->end, end);
        flags = ((v->flags & ~clear) | set) & ~WATCH_OWN;
        if (v->flags & WATCH_OWN) /* is for its watcher to say */
            flags |= v->flags & WATCH_FLAGS;
        if (flags != v->flags)
            import_flags_one(s, from, next, flags, merge);
        start = next;
    }
}

static bool cuts_huge_page(const struct mw_space *s, uint64_t at)
{
    const struct mw_vma *v = tree_at(tree_find(&s->tree, at));

    return v && vma_cuts_page(s, v, at);
}

int mw_import_flags(struct mw_space *s, uint64_t start, uint64_t end, uint64_t clear,
                    uint64_t set, bool merge)
{
    int err = 0;

    if (!aligned(s, start | end))
        return -MW_EINVAL;
    clear &= ~(MW_VM_NAME | MW_VM_PKEY);
    set &= ~(MW_VM_NAME | MW_VM_PKEY);
    space_enter(s);
    if (start >= end)
        ;
    else if (cuts_huge_page(s, start) || cuts_huge_page(s, end))
        err = -MW_EINVAL;
    else if (!tree_reserve(&s->tree, 2 * EDIT_MODIFY) || !pmap_own(&s->pmap, start, end, 0))
        err = -MW_ENOMEM;
    else
        import_flags(s, start, end, clear, set, merge);
    space_leave(s);
    return err;
}

void mw_touch(struct mw_space *s, uint64_t start, uint64_t end)
{
    space_enter(s);
    for (struct cursor c = tree_find(&s->tree, start); c.leaf && tree_at(c)->start < end;
         c = tree_next(c))
        edit_touch(s, c);
    space_leave(s);
}

/* In an index: within reach of the mirror's format. */
static bool page_indexed(void *ctx, uint64_t va, pte_t e, uint32_t level)
{
    const struct mirror *m = ctx;

    (void)va;
    return level == m->level && !(e & PTE_ALIAS);
}

/* Each mirror's index once. */
static const char *check_mirrors(const struct mw_space *s, struct pmap_sum *sum)
{
    const char *bad = NULL;

    for (struct cursor c = tree_first(&s->tree); c.leaf; c = tree_next(c))
        if (tree_at(c)->flags & MW_VM_MIRRORED)
            mirror_of(tree_at(c)->object)->seen = false;
    for (struct cursor c = tree_first(&s->tree); c.leaf && !bad; c = tree_next(c)) {
        struct mirror *m;

        if (!(tree_at(c)->flags & MW_VM_MIRRORED))
            continue;
        m = mirror_of(tree_at(c)->object);
        if (!m->seen)
            bad = pmap_check(&m->index, true, page_indexed, m, sum);
        m->seen = true;
    }
    return bad;
}

/* What the page tables hold, the mirrors' too. */
static struct pmap_sum count_pages(const struct mw_space *s)
{
    struct pmap_sum sum = { .tables = s->pool.tables, .resident = s->pool.resident };

    if (!s->pool.forked)
        return sum;
    sum = (struct pmap_sum){ 0 };
    pmap_count(&s->pmap, false, &sum);
    check_mirrors(s, &sum);
    return sum;
}

void mw_stats(const struct mw_space *s, struct mw_stats *out)
{
    struct pmap_sum sum = count_pages(s);

    *out = (struct mw_stats){
        .map_count = s->tree.count,
        .total = s->total,
        .data = s->data,
        .stack = s->stack,
        .exec = s->exec,
        .locked = s->locked,
        .committed = s->committed,
        .resident = sum.resident,
        .tables = sum.tables + s->pool.spares,
        .brk_start = s->brk_start,
        .brk = s->brk,
        .pkeys = s->pkeys,
        .exec_pkey = s->exec_pkey,
    };
}

/* ---- the checker --------------------------------------------------------------------- */

/* Does the object that `va` maps know that it has to be written back, if it does so? */
static bool writing_is_noted(const struct mw_space *s, const struct mw_vma *v, uint64_t va)
{
    const struct mw_object *o = v->object;

    return !o || !o->ops || !o->ops->write ||
           object_is_soiled(o, (v->offset + (va - v->start)) >> frame_shift_of(s->cfg.page_shift, vma_level(v)));
}

/* Does the mirror's index have, where an alias says so, this very page? */
static bool is_alias(const struct mw_vma *v, uint64_t va, pte_t e)
{
    const struct mirror *m = v->flags & MW_VM_MIRRORED ? mirror_of(v->object) : NULL;
    const pte_t *own = m ? pmap_find(&m->index, v->offset + (va - v->start), NULL) : NULL;

    return own && !((*own ^ e) & PTE_ADDR);
}

static bool page_allowed(void *ctx, uint64_t va, pte_t e, uint32_t level)
{
    const struct mw_space *s = ctx;
    const struct mw_vma *v = tree_at(tree_find(&s->tree, va));
    pte_t grant;

    if (!v || v->start > va || v->end - va < 1ull << pmap_leaf_shift(&s->pmap, level))
        return false;
    if ((e & PTE_ALIAS) && !is_alias(v, va, e))
        return false;
    grant = pmap_grant(v->flags);
    if (!(e & PTE_P))
        return true;
    if ((e & PTE_W) && (v->flags & MW_VM_MAYSHARE) && !writing_is_noted(s, v, va))
        return false;
    return grant && !(e & PTE_W & ~grant) && !((e ^ grant) & PTE_ALL_ALIKE);
}

/* Adds up what the VMAs amount to and compares it with the counters. */
static const char *check_counters(const struct mw_space *s)
{
    struct mw_space sum = { .cfg = s->cfg };

    for (struct cursor c = tree_first(&s->tree); c.leaf; c = tree_next(c)) {
        const struct mw_vma *v = tree_at(c);

        if (!aligned(s, v->start | v->end | v->offset) || v->end > s->cfg.task_size)
            return "space: a VMA is unaligned or beyond user space";
        if (!names_sound(&s->names, v->flags))
            return "space: a VMA's name is not in the table";
        if (v->object && !v->object->refs)
            return "space: a VMA names a dead object";
        if ((v->flags & WATCH_OWN) && !watch_of(s, v->flags))
            return "space: a VMA is watched by nobody";
        if ((v->anon & ~MW_ANON_FORKED) >= s->next_anon)
            return "space: an identity was never given out";
        account_add(&sum, v->flags, to_pages(s, v->end - v->start));
    }
    if (sum.total != s->total || sum.data != s->data || sum.stack != s->stack ||
        sum.exec != s->exec)
        return "space: a size counter is wrong";
    if (sum.mirrored != s->mirrored || sum.huge != s->huge)
        return "space: the count of mirrored or huge pages is wrong";
    if (sum.locked + s->lost_locked != s->locked)
        return "space: the count of locked pages is wrong";
    return sum.committed + s->lost_committed == s->committed ? NULL : "space: the count of committed pages is wrong";
}

static uint64_t vmas_of(const struct mw_space *s, const struct mw_object *o)
{
    uint64_t n = 0;

    for (struct cursor c = tree_first(&s->tree); c.leaf; c = tree_next(c))
        n += tree_at(c)->object == o;
    return n;
}

/* Is it counted by its object, and by all spaces that map it too? */
static const char *check_link(const struct mw_space *s, const struct object_link *l)
{
    const struct mw_object *o = l->object;
    uint64_t n = 0;

    if (l->space != s || *l->space_at != l || *l->at != l)
        return "object: a space is linked wrongly";
    for (const struct object_link *k = o->links; k; k = k->next)
        n += vmas_of(k->space, o);
    /* (those without pages map it too) */
    return o->mapped && n <= o->mapped ? NULL : "object: the count of its mappings is wrong";
}

/* Whatever maps an object can be found from it. */
static const char *check_objects(const struct mw_space *s)
{
    const char *bad = NULL;

    for (const struct object_link *l = s->objects; l && !bad; l = l->space_next)
        bad = check_link(s, l);
    for (struct cursor c = tree_first(&s->tree); c.leaf && !bad; c = tree_next(c)) {
        const struct mw_object *o = tree_at(c)->object;
        const struct object_link *l = o ? o->links : NULL;

        while (l && l->space != s)
            l = l->next;
        if (o && !l && s->pmap.frames && !(o->flags & OBJECT_MIRROR))
            bad = "object: a mapping can't be found from it";
    }
    return bad;
}

static const char *check_pages(struct mw_space *s)
{
    struct pmap_sum sum = { 0 };
    const char *bad;

    if (!s->pmap.frames)
        return NULL;
    bad = block_check(s->pmap.frames);
    if (bad)
        return bad;
    bad = pmap_check(&s->pmap, false, page_allowed, s, &sum);
    if (!bad)
        bad = check_mirrors(s, &sum);
    if (bad)
        return bad;
    if (s->pool.stock)
        return "pmap: reserved tables were kept";
    if (sum.blocks != s->pool.spares)
        return "pmap: the tables kept for transparent huge pages are not as many as these";
    if (s->pool.forked)
        return NULL;
    if (sum.tables != s->pool.tables)
        return "pmap: the count of tables is wrong";
    return sum.resident == s->pool.resident ? NULL : "pmap: the count of resident pages is wrong";
}

int mw_check(const struct mw_space *s, const char **what)
{
    struct mw_space *mutable = (struct mw_space *)(uintptr_t)s;
    const char *bad = tree_check(&s->tree);
    int part = 1;

    if (!bad)
        bad = check_counters(s), part = 2;
    if (!bad)
        bad = check_pages(mutable), part = 3;
    if (!bad)
        bad = check_objects(s), part = 4;
    if (what)
        *what = bad;
    return bad ? part : 0;
}
