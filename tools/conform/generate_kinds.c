/* SPDX-License-Identifier: MIT */
/*
 * generate_kinds.c - what only some episodes have: names, files that grow and
 * shrink, SysV segments, watchers, transparent huge pages.
 */
#include "generate.h"

#include "mapwright/watch.h"

#define PICK(g, list) list[below(g, sizeof(list) / sizeof(list)[0])]

void kinds_begin(struct generator *g)
{
    bool any_watchers = (g->only & STEPS_OF_WATCHERS) != 0;
    g->names = sys.names && (one_in(g, 8) || g->only >> STEP_NAME & 1);
    g->keys = sys.key_calls && (one_in(g, sys.keys ? 16 : 128) || g->only & STEPS_OF_KEYS);
    g->truncates = one_in(g, 10) || g->only >> STEP_TRUNCATE & 1;
    g->segments = sys.segments && (one_in(g, 12) || g->only & STEPS_OF_SHM);
    g->thp = sys.thp_mode != MW_THP_NEVER && (g->episode % 96 == 47 || (g->fills && g->episode % 20000 != 7 && one_in(g, 3)));
    g->watchers = sys.watch && (one_in(g, g->hugetlb ? 3 : 24) || any_watchers) ? 1 + (int)below(g, WATCHERS) : 0;
    if (g->fills)
        g->watchers = sys.watch && (g->episode % 20000 == 7 || one_in(g, 2)), g->watches = sys.watch;
    g->thp = g->thp && g->watchers == 0; /* where some memory was watched Linux may give pages, not huge ones */
    if (g->watchers > 0)
        g->watches = false;
    if (g->watchers > 0 && !any_watchers)
        g->locks = g->locks && one_in(g, 4);
    g->locks = g->locks || g->fills;
    if (g->thp) /* lengths and places that few huge pages hold */
        g->far_away = g->hostile = g->limits = g->locks = g->watches = false;
}

/* ---- which ---- */

enum step_kind some_kind(struct generator *g)
{
    static const uint8_t keys[] = {
        STEP_PKEY_ALLOC, STEP_PKEY_ALLOC, STEP_PKEY_ALLOC, STEP_PKEY_FREE,
        STEP_PKEY_MPROTECT, STEP_PKEY_MPROTECT, STEP_PKEY_MPROTECT, STEP_PKEY_MPROTECT,
    };
    static const uint8_t shm[] = { STEP_SHMAT, STEP_SHMAT, STEP_SHMDT };
    static const uint8_t watch[] = {
        STEP_REGISTER, STEP_REGISTER, STEP_REGISTER, STEP_UNREGISTER, STEP_COPY, STEP_COPY, STEP_ZEROPAGE,
        STEP_CONTINUE, STEP_POISON, STEP_MOVE, STEP_MOVE, STEP_WRITEPROTECT, STEP_WRITEPROTECT, STEP_WRITEPROTECT,
    };
    if (!g->thp && one_in(g, g->hugetlb ? 5 : 24))
        return one_in(g, 2) ? STEP_PROCESS_MADVISE : STEP_REMAP_FILE_PAGES;
    if (g->keys && one_in(g, 6))
        return (enum step_kind)PICK(g, keys);
    if (g->truncates && one_in(g, 20))
        return STEP_TRUNCATE;
    if (g->segments && one_in(g, 9))
        return (enum step_kind)PICK(g, shm);
    if (g->poison && g->watchers > 0 && one_in(g, 12))
        return STEP_MOVE;
    if (g->watchers > 0 && one_in(g, g->fills ? 24 : 2))
        return (enum step_kind)PICK(g, watch);
    return g->names && one_in(g, 12) ? STEP_NAME : STEP_KINDS;
}

/* ---- objects ---- */

/* Into the page that was written last. False: it is no file's. */
static bool cut_tail(struct generator *g, struct step *s)
{
    struct mw_vma v;
    if (!g->tail || !model_next_vma(g->tail, &v) || v.start > g->tail || v.object == NULL)
        return false;
    for (int8_t i = 0; i < FILE_PIPE; i++)
        if (v.object == model.file[i].object) {
            s->file = i;
            s->len = v.offset + (g->tail & ~(PAGE - 1)) - v.start + below(g, PAGE - 4);
            return true;
        }
    return false;
}

static void make_truncate(struct generator *g, struct step *s)
{
    static const int8_t files[] = { FILE_RW, FILE_RW, FILE_RW, FILE_RO, FILE_SMALL, FILE_NOEXEC };
    s->file = PICK(g, files);
    s->addr = 0;
    s->len = below(g, 36) * PAGE + (one_in(g, 3) ? below(g, PAGE) : 0);
    if (one_in(g, 3))
        s->len = 32 * PAGE;
    else if (one_in(g, 4))
        s->len = below(g, 6) * PAGE;
    else if (one_in(g, 3))
        cut_tail(g, s);
    if (g->hostile && one_in(g, 30))
        s->len = hostile(g);
}

static void make_shmat(struct generator *g, struct step *s)
{
    static const uint32_t how[] = { 0, 0, 0, MW_SHM_RDONLY, MW_SHM_EXEC, MW_SHM_RND, MW_SHM_REMAP, MW_SHM_REMAP };
    s->file = one_in(g, 50) ? FILE_NONE : (int8_t)below(g, SEGMENTS);
    s->flags = PICK(g, how) | (one_in(g, 20) ? (uint32_t)below(g, 16) << 12 : 0);
    if (g->hostile && one_in(g, 60))
        s->flags ^= 1u << below(g, 32);
    if (one_in(g, 12))
        s->addr = 0;
    s->len = 0;
}

/* Where one is attached, or what is left of it begins, or anywhere. */
static void make_shmdt(struct generator *g, struct step *s)
{
    struct mw_vma v;
    s->len = 0;
    if (one_in(g, 4))
        return;
    for (uint64_t a = s->addr; model_next_vma(a, &v) && v.start < FILL; a = v.end)
        if (v.object == model.file[FILE_SEGMENT].object || v.object == model.file[FILE_SEGMENT + 1].object) {
            s->addr = v.start - (one_in(g, 8) ? 0 : v.offset);
            return;
        }
}

/* ---- process_madvise, remap_file_pages ---- */

/* Two addresses, two lengths; the second one of 32 bits. */
static void make_process_madvise(struct generator *g, struct step *s)
{
    struct step other = { 0 };
    if (one_in(g, 2))
        some_piece(g, s);
    s->to = one_in(g, 2) && some_piece(g, &other) ? other.addr : some_addr(g);
    s->prot = one_in(g, 12) ? 0 : (uint32_t)(other.len ? other.len : some_len(g, s->to));
    s->more = some_advice(g);
    s->file = (int8_t)(1 + below(g, RANGES));
    s->flags = 0;
    if (g->hostile && one_in(g, 40))
        s->file = one_in(g, 2) ? 0 : RANGES + 1;
    if (g->hostile && one_in(g, 40))
        s->flags = 1u << below(g, 32);
    if (g->hostile && one_in(g, 40))
        s->len = hostile(g);
}

/* Among huge pages, which lie far from each other. False: these are none, or not shared. */
static bool shared_huge(struct generator *g, struct step *s)
{
    struct mw_vma v;
    if (!g->hugetlb || !model_next_vma(ARENA + below(g, 12) * HUGE, &v) || !(v.flags & MW_VM_HUGETLB) ||
        !(v.flags & MW_VM_SHARED) || v.end > FILL)
        return false;
    s->addr = one_in(g, 8) ? v.start + PAGE : v.start;
    s->len = one_in(g, 8) ? PAGE : one_in(g, 2) ? HUGE : v.end - v.start;
    s->more = below(g, 4) * (HUGE / PAGE) + one_in(g, 8);
    return true;
}

/* A shared mapping, a piece of it, or two: else what there is to be said is soon said. */
static bool shared_piece(struct generator *g, struct step *s)
{
    struct mw_vma v;
    for (int tries = 0; tries < 12; tries++)
        if (some_piece(g, s) && model_next_vma(s->addr, &v) && v.flags & MW_VM_SHARED) {
            s->more = (v.offset + (s->addr - v.start)) / PAGE;
            if (s->len > MOST_REMAPPED * PAGE && !(v.flags & MW_VM_HUGETLB))
                s->len = (1 + below(g, 4)) * PAGE;
            else if (one_in(g, 3) && model_next_vma(v.end, &v) && v.end - s->addr <= MOST_REMAPPED * PAGE)
                s->len = v.end - s->addr;
            return true;
        }
    return false;
}

static void make_remap_file_pages(struct generator *g, struct step *s)
{
    uint64_t in_place;
    bool piece;
    if (shared_huge(g, s))
        return;
    piece = !one_in(g, 8) && shared_piece(g, s);
    in_place = s->more;
    s->more = piece && one_in(g, 3) ? in_place : below(g, 36);
    s->flags = one_in(g, 3) ? MW_MAP_NONBLOCK : 0;
    if (piece && one_in(g, 3)) { /* inside of pages */
        s->addr += one_in(g, 8) ? below(g, PAGE) : 0;
        s->len += one_in(g, 8) ? below(g, PAGE) : 0;
    }
    if (!g->hostile || !one_in(g, 10))
        return;
    s->prot = one_in(g, 4) ? 1u << below(g, 32) : 0;
    s->flags ^= one_in(g, 3) ? 1u << below(g, 32) : 0;
    s->more = one_in(g, 2) ? hostile(g) >> 12 : hostile(g);
}

/* ---- protection keys ---- */

static void make_key(struct generator *g, struct step *s)
{
    static const uint64_t odd[] = { (uint64_t)-1, (uint64_t)-2, 15, 16, 17, 1ull << 31, 1ull << 32, ~0ull };
    s->more = one_in(g, 8) ? PICK(g, odd) : below(g, 6);
    s->flags = 0;
    if (s->kind == STEP_PKEY_ALLOC) {
        s->flags = one_in(g, 40) ? 1u << below(g, 32) : 0;
        s->more = one_in(g, 40) ? 4ull << below(g, 60) : 0;
        return;
    }
    if (s->kind == STEP_PKEY_FREE)
        return;
    if (!one_in(g, 4))
        some_piece(g, s);
    s->prot = one_in(g, 6) ? MW_PROT_EXEC : some_prot(g);
}

/* ---- watchers ---- */

uint64_t some_mode(struct generator *g, enum step_kind kind)
{
    if (g->hostile && one_in(g, 50))
        return hostile(g);
    switch (kind) {
    case STEP_REGISTER:
        return one_in(g, 60) ? 0 : 1 + below(g, 7);
    case STEP_WRITEPROTECT:
        return one_in(g, 9) ? 2 + below(g, 2) : below(g, 2);
    case STEP_COPY:
    case STEP_CONTINUE:
    case STEP_MOVE:
        return below(g, 2) * 2 + one_in(g, 8);
    default:
        return one_in(g, 8);
    }
}

/* Mostly within one mapping: Linux asks for that before all else. */
static void make_watch(struct generator *g, struct step *s)
{
    struct step from;
    bool piece = !one_in(g, 6) && some_piece(g, s);
    s->file = g->watchers > 0 ? (int8_t)below(g, (uint64_t)g->watchers) : 0; /* --only asks for them anywhere */
    s->more = some_mode(g, (enum step_kind)s->kind);
    if (piece && one_in(g, 2))
        s->len = (1 + below(g, 4)) * PAGE;
    if (s->len > COPY_PAGES * PAGE && s->kind == STEP_COPY)
        s->len = 3 * PAGE;
    if (s->kind != STEP_MOVE)
        return;
    if (one_in(g, 2))
        s->len = (1 + below(g, 2)) * PAGE;
    s->to = some_piece(g, &from) ? from.addr : some_addr(g);
    if (g->poison && one_in(g, 2)) {
        s->to = g->poison;
        s->addr = g->poison + (one_in(g, 2) ? PAGE : 0 - PAGE);
        s->len = PAGE;
        s->more = 0;
    } else if (one_in(g, 2)) { /* within one mapping */
        s->to = s->addr + (below(g, 5) - 2) * PAGE;
    }
}

/* ---- transparent huge pages ---- */

#define THP_WINDOW 5u

static uint64_t thp_at(struct generator *g)
{
    uint64_t a = ARENA + below(g, THP_WINDOW) * HUGE;
    if (one_in(g, 4))
        a += below(g, HUGE / PAGE) * PAGE;
    return one_in(g, 12) ? a + (below(g, 3) - 1) * PAGE : a;
}

static uint64_t thp_len(struct generator *g)
{
    uint64_t len = (1 + below(g, 3)) * HUGE;
    return one_in(g, 4) ? len + (below(g, 64) - 32) * PAGE : one_in(g, 4) ? (1 + below(g, 300)) * PAGE : len;
}

static void thp_advice(struct generator *g, struct step *s)
{
    static const uint8_t table[] = {
        MW_MADV_HUGEPAGE, MW_MADV_HUGEPAGE, MW_MADV_HUGEPAGE, MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE,
        MW_MADV_COLLAPSE, MW_MADV_COLLAPSE, MW_MADV_DONTNEED, MW_MADV_FREE, MW_MADV_GUARD_INSTALL,
        MW_MADV_GUARD_INSTALL, MW_MADV_GUARD_REMOVE, MW_MADV_DONTFORK,
    };
    s->kind = STEP_MADVISE;
    s->more = PICK(g, table);
    if (s->more == MW_MADV_GUARD_INSTALL || (s->more == MW_MADV_DONTNEED && one_in(g, 2)))
        s->len = (1 + below(g, 8)) * PAGE;
}

void make_thp(struct generator *g, struct step *s)
{
    static const uint8_t how[] = { 1, 3, 3, 3, 3, 5, 7 };
    uint64_t dice = below(g, 20);
    s->addr = thp_at(g);
    s->len = thp_len(g);
    if (g->fresh && one_in(g, 2)) { /* before anything is there */
        s->kind = STEP_MADVISE;
        s->more = MW_MADV_HUGEPAGE;
        s->addr = g->fresh;
        s->len = g->fresh_len;
        g->fresh = 0;
    } else if (g->poked && one_in(g, 3)) {
        s->kind = STEP_MADVISE;
        s->more = MW_MADV_COLLAPSE;
        s->addr = g->poked;
        s->len = HUGE;
        g->poked = 0;
    } else if (dice < 4) {
        s->kind = STEP_MMAP;
        s->prot = one_in(g, 4) ? some_prot(g) : MW_PROT_READ | MW_PROT_WRITE;
        s->flags = MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED;
    } else if (dice < 5) {
        s->kind = STEP_MUNMAP;
    } else if (dice < 6) {
        s->kind = STEP_MPROTECT;
        s->prot = some_prot(g);
    } else if (dice < 8) {
        s->kind = STEP_MREMAP;
        s->flags = PICK(g, how);
        s->more = one_in(g, 2) ? s->len : thp_len(g);
        s->to = thp_at(g);
    } else if (dice < 14) {
        thp_advice(g, s);
    } else if (dice < 15) {
        s->kind = STEP_MINCORE;
    } else {
        s->kind = one_in(g, 4) ? STEP_LOAD : STEP_STORE;
        g->poked = s->addr & ~(HUGE - 1);
        s->addr = g->poked + (one_in(g, 3) ? below(g, HUGE / PAGE) * PAGE : 0);
        s->to = ++g->value + 1000;
    }
}

/* ---- all of them ---- */

void make_kind(struct generator *g, struct step *s)
{
    switch (s->kind) {
    case STEP_TRUNCATE:
        make_truncate(g, s);
        break;
    case STEP_SHMAT:
        make_shmat(g, s);
        break;
    case STEP_SHMDT:
        make_shmdt(g, s);
        break;
    case STEP_PROCESS_MADVISE:
        make_process_madvise(g, s);
        break;
    case STEP_REMAP_FILE_PAGES:
        make_remap_file_pages(g, s);
        break;
    case STEP_PKEY_ALLOC:
    case STEP_PKEY_FREE:
    case STEP_PKEY_MPROTECT:
        make_key(g, s);
        break;
    case STEP_NAME:
        s->file = (int8_t)below(g, 8);
        if (!one_in(g, 4))
            some_piece(g, s);
        break;
    default:
        make_watch(g, s);
    }
}

static uint64_t some_features(struct generator *g)
{
    static const uint64_t extra[] = { 0, 0, MW_UFFD_FEATURE_WP_UNPOPULATED, MW_UFFD_FEATURE_WP_ASYNC };
    uint64_t features = MW_UFFD_FEATURE_SIGBUS | MW_UFFD_FEATURE_POISON | MW_UFFD_FEATURE_MOVE | PICK(g, extra);
    return features & sys.watch_features;
}

bool make_frame(struct generator *g, int i, struct step *s)
{
    bool opens;
    if (g->thp && i == 0) {
        s->kind = STEP_THP;
        return true;
    }
    if (g->segments && one_in(g, 300)) {
        s->kind = STEP_SHM_REMOVE;
        s->file = (int8_t)below(g, SEGMENTS);
        return true;
    }
    opens = i - g->thp < g->watchers;
    if (!opens && (i < g->n - g->watchers || g->forked))
        return false;
    s->kind = opens ? STEP_WATCHER : STEP_UNWATCHER;
    s->file = (int8_t)(opens ? i - g->thp : g->n - 1 - i);
    s->more = opens ? some_features(g) : 0;
    return true;
}
