/* SPDX-License-Identifier: MIT */
/*
 * generate.c - makes up the next step: mostly near-valid arguments at and around
 * the borders that mappings have now or had lately, hostile ones at times. All
 * chance comes from the seed and the episode's number, and from the engine's
 * layout, so that an episode repeats.
 */
#include "generate.h"

#include <string.h>

#define LONGEST 8u         /* pages; more is never locked or populated */

static uint64_t any(struct generator *g)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return g->state * 0x2545f4914f6cdd1dull >> 11;
}

uint64_t below(struct generator *g, uint64_t n)
{
    return any(g) % n;
}

bool one_in(struct generator *g, uint64_t n)
{
    return below(g, n) == 0;
}

static void remember(struct generator *g, uint64_t addr)
{
    g->recent[g->recents++ % 32] = addr;
}

void generate_begin(struct generator *g, uint64_t seed, uint64_t episode, uint32_t only, int n)
{
    memset(g, 0, sizeof *g);
    g->state = seed * 0x9e3779b97f4a7c15ull ^ (episode + 1) * 0xbf58476d1ce4e5b9ull;
    if (g->state == 0)
        g->state = 1;
    for (int i = 0; i < 12; i++)
        any(g);
    g->seed = seed;
    g->episode = episode;
    g->only = only;
    g->n = n < MAX_STEPS ? n : MAX_STEPS;
    g->far_away = one_in(g, 3);
    g->hostile = !one_in(g, 4);
    g->limits = one_in(g, 5);
    g->unprivileged = one_in(g, 5);
    g->locks = one_in(g, 4);
    g->unprivileged = g->unprivileged || (g->limits && g->locks && one_in(g, 2));
    g->huge = one_in(g, 4);
    g->ages = one_in(g, 2);
    g->seals = sys.seal && (one_in(g, 48) || only >> STEP_MSEAL & 1);
    g->forks = sys.fork_ok && one_in(g, 16);
    g->watches = sys.watch && one_in(g, 12);
    g->rings = sys.ring_bytes && !g->forks && one_in(g, 64) ? 2 + (int)below(g, 2) : 0;
    g->fills = episode % 10000 == 7 && sys.look == LOOK_QUERY && sys.max_map_count <= 70000;
    g->hugetlb = sys.huge_pages > 0 && (episode % 96 == 11 || (g->fills && one_in(g, 2))); /* clearing them takes its time */
    if (g->hugetlb)
        g->forks = sys.fork_ok && g->rings == 0 && episode % 192 == 11;
    kinds_begin(g);
    if (g->fills) { /* it takes as long as a hundred others: it should tell much */
        g->n = MAX_STEPS;
        g->seals = sys.seal;
    }
    for (int i = 0; i < 32; i++)
        remember(g, ARENA + below(g, WINDOW) * PAGE);
}

bool generate_leaves_traces(const struct generator *g)
{
    return g->seals;
}

/* ---- addresses and lengths ---- */

uint64_t hostile(struct generator *g)
{
    static const uint64_t table[] = {
        0, 1, PAGE - 1, PAGE, PAGE + 1, TASK_END, TASK_END - PAGE, TASK_END + PAGE, TASK_END - 1,
        0xffff800000000000ull, ~0ull, 0ull - PAGE, 0ull - PAGE + 1, 0ull - 2 * PAGE, 1ull << 47,
        1ull << 46, 1ull << 62, 1ull << 63, 1ull << 40, 1ull << 32, (1ull << 32) + PAGE, HUGE,
        3 * HUGE, 1ull << 30, 0xffffffffff600000ull, 0xffff888000000000ull, 65536, 61440,
        0ull - 4095, (1ull << 63) - PAGE, (1ull << 63) + 3 * PAGE, TASK_END - 3 * PAGE,
    };
    uint64_t v = table[below(g, sizeof table / sizeof table[0])];
    if (one_in(g, 10))
        v -= ARENA;
    if (one_in(g, 10))
        v += (below(g, 5) - 2) * PAGE;
    return v;
}

/* Where a random mapping of the arena begins or ends now. */
static uint64_t border(struct generator *g)
{
    struct mw_vma v;
    uint64_t from = ARENA + below(g, WINDOW) * PAGE;
    if (g->far_away && one_in(g, 3))
        from = g->recent[below(g, 32)];
    if (!model_next_vma(from, &v) || v.start >= FILL || v.end > FILL)
        return from;
    return one_in(g, 3) ? v.end : v.start;
}

static uint64_t huge_border(struct generator *g)
{
    static const uint64_t larger[] = { 512 * HUGE, 512 * 3 * HUGE, 8 * HUGE, 4 * HUGE };
    uint64_t at = ARENA + (one_in(g, 6) ? larger[below(g, 4)] : below(g, 4) * HUGE);
    return at + (below(g, 5) - 2) * PAGE * (one_in(g, 2) ? 1 : 0);
}

uint64_t some_page(struct generator *g)
{
    uint64_t dice = below(g, 16);
    if (dice < 6)
        return border(g);
    if (dice < 8)
        return border(g) + (below(g, 5) - 2) * PAGE;
    if (dice < 12)
        return g->recent[below(g, 32)];
    if (dice == 12 && g->huge)
        return huge_border(g);
    if (dice == 13 && g->far_away)
        return ARENA - 1024 * PAGE + below(g, 2048) * PAGE;
    return ARENA + below(g, WINDOW) * PAGE;
}

uint64_t some_addr(struct generator *g)
{
    uint64_t a;
    if (g->hostile && one_in(g, 50))
        return hostile(g);
    a = some_page(g);
    if (g->hostile && one_in(g, 60))
        a += below(g, PAGE);
    return a;
}

static uint64_t rounded(uint64_t len)
{
    return (len + PAGE - 1) & ~(PAGE - 1);
}

uint64_t some_len(struct generator *g, uint64_t addr)
{
    struct mw_vma v;
    uint64_t other, len;
    if (g->hostile && one_in(g, 50))
        return hostile(g);
    switch (below(g, 6)) {
    case 0: /* to the end of the mapping, or a page beside it */
    case 1:
        if (model_next_vma(addr, &v) && v.start < FILL && v.end > addr && v.end - addr < 1u << 30) {
            len = (one_in(g, 3) && v.start > addr ? v.start : v.end) - addr;
            if (one_in(g, 4))
                len += (below(g, 3) - 1) * PAGE;
            break;
        }
        len = (1 + below(g, 8)) * PAGE;
        break;
    case 2: /* to some border */
        other = some_page(g);
        len = other > addr ? other - addr : addr - other + PAGE;
        break;
    case 3:
        len = g->huge && one_in(g, 3) ? (1 + below(g, 3)) * HUGE + (below(g, 3) - 1) * PAGE
                                      : (1 + below(g, WINDOW)) * PAGE;
        break;
    default:
        len = (1 + below(g, 6)) * PAGE;
    }
    if (one_in(g, 20))
        len -= below(g, PAGE);
    return len;
}

uint32_t some_prot(struct generator *g)
{
    static const uint8_t table[] = { 3, 3, 3, 3, 3, 1, 1, 1, 0, 0, 5, 7, 2, 4, 6 };
    uint32_t prot = table[below(g, sizeof table)];
    return g->hostile && one_in(g, 100) ? prot | 1u << below(g, 32) : prot;
}

/* ---- what must not be tried on this process ---- */

/* No range that the call can change: it wraps or leaves the address space. */
static bool impossible(uint64_t addr, uint64_t len)
{
    return rounded(len) == 0 || rounded(len) > TASK_END || addr > TASK_END - rounded(len);
}

static bool harmless(uint64_t addr, uint64_t len)
{
    uint64_t page = addr & ~(PAGE - 1);
    if (impossible(addr, len))
        return true;
    if (page < ZONE_LOW ? page + rounded(len) > LOW_ZONE_END : page + rounded(len) > FILL - PAGE)
        if (page < (1ull << 30) || page + rounded(len) > (1ull << 31))
            return page >= TASK_END / 2 && !sys_precious(page, rounded(len));
    return !sys_precious(page, rounded(len));
}

/* A move of several mappings begins even where its range does not end within user space. */
static bool begins_in_own(uint64_t addr, uint64_t len)
{
    uint64_t page = addr & ~(PAGE - 1);
    return rounded(len) != 0 && rounded(len) <= TASK_END / 2 && page > TASK_END - rounded(len) &&
           sys_precious(page, TASK_END - page);
}

/*
 * Linux loses the huge pages that are set aside for the rest of a private
 * mapping when a part of it moves: until the next boot.
 */
static bool loses_huge_pages(const struct step *s)
{
    uint64_t end = s->addr + ((s->len + HUGE - 1) & ~(HUGE - 1));
    struct mw_vma v;
    if (!(s->flags & MW_MREMAP_FIXED))
        return false;
    for (uint64_t a = s->addr; model_next_vma(a, &v) && v.start < end; a = v.end)
        if (v.flags & MW_VM_HUGETLB && !(v.flags & (MW_VM_MAYSHARE | MW_VM_NORESERVE)) &&
            (v.start < s->addr || v.end > end))
            return true;
    return false;
}

/* Since 7.2 a ring of which a part is gone never moves; the engine knows of no part that is gone (CAVEATS.md). */
static bool has_cut_ring(uint64_t addr, uint64_t len)
{
    struct mw_vma v;
    uint64_t end = addr + len < addr ? UINT64_MAX : addr + len;
    for (uint64_t a = addr; model_next_vma(a, &v) && v.start < end; a = v.end)
        if (model_is_opaque(v.start) && v.end - v.start != sys.ring_bytes)
            return true;
    return false;
}

static bool harmless_mremap(const struct step *s)
{
    uint64_t old = s->len > PAGE ? s->len : PAGE;
    if (s->addr % PAGE != 0)
        return true;
    if (model_version >= MW_LINUX(7, 2) && has_cut_ring(s->addr, old))
        return false;
    if (s->addr < TASK_END && (!harmless(s->addr, PAGE) || begins_in_own(s->addr, old) ||
                               (!harmless(s->addr, old) && !impossible(s->addr, old))))
        return false;
    return !(s->flags & (MW_MREMAP_FIXED | MW_MREMAP_DONTUNMAP)) || s->to % PAGE != 0 ||
           harmless(s->to, s->more ? s->more : PAGE);
}

/* Exactly a piece of one mapping, with room for cuts. */
static bool is_piece(const struct step *s)
{
    struct mw_stats now;
    struct mw_vma v;
    mw_stats(model.space, &now);
    if (now.map_count + 3 >= sys.max_map_count || s->len == 0 || (s->addr | s->len) % PAGE != 0)
        return false;
    if (!model_next_vma(s->addr, &v))
        return false;
    if (v.flags & MW_VM_HUGETLB)
        return false;
    return v.start <= s->addr && s->addr >= ZONE_LOW && s->len <= v.end - s->addr &&
           s->addr < FILL && !(v.flags & MW_VM_SEALED);
}

/* Locked memory is made present at once: never so much that it hurts. */
static bool too_much(uint64_t len)
{
    return rounded(len) > LONGEST * PAGE && rounded(len) < TASK_END;
}

static bool is_bearable(const struct step *s)
{
    struct mw_vma v;
    if (s->kind == STEP_MMAP && s->flags & MW_MAP_HUGETLB) /* of these there are few */
        return true;
    if (s->kind == STEP_MMAP)
        return !too_much(s->len) ||
               (!(s->flags & (MW_MAP_LOCKED | MW_MAP_POPULATE)) && model.future == 0);
    if (s->kind == STEP_MREMAP)
        return !too_much(s->more) || !model_next_vma(s->addr, &v) || !(v.flags & MW_VM_LOCKED);
    return true;
}

/* ---- and of the calls on locks and advice ---- */

#define MOST_PRESENT 16u /* pages made present, or guarded, at once */
#define MOST_WALKED (3 * HUGE)

static bool has_ring(uint64_t addr, uint64_t end)
{
    struct mw_vma v;
    for (uint64_t a = addr; model_next_vma(a, &v) && v.start < end; a = v.end)
        if (model_is_opaque(v.start))
            return true;
    return false;
}

/* Of huge pages there are few, however much is asked for. */
static uint64_t most_present(uint64_t addr)
{
    struct mw_vma v;
    return model_next_vma(addr, &v) && v.start <= addr && v.flags & MW_VM_HUGETLB ? MOST_WALKED : MOST_PRESENT * PAGE;
}

/*
 * PAGEOUT may drop what FREE and droppable memory have left to be dropped, and
 * pages of objects that nobody has written, and splits huge pages; HWPOISON and its like spoil the machine's pages. REMOVE is
 * the file's own matter, and these do as they like.
 */
static bool advice_is_safe(uint64_t advice, uint64_t addr, uint64_t end)
{
    switch ((uint32_t)advice) {
    case MW_MADV_PAGEOUT:
        return !model.lazy && !model.thp && !model_has_small_objects(addr, end);
    case MW_MADV_HWPOISON:
    case MW_MADV_SOFT_OFFLINE:
        return false;
    case MW_MADV_COLLAPSE: /* of objects it is not modelled, and then what lies before has been done */
        return !model_has_objects(addr, end);
    case MW_MADV_REMOVE:
        return !has_ring(addr, end);
    case MW_MADV_POPULATE_READ:
    case MW_MADV_POPULATE_WRITE:
    case MW_MADV_GUARD_INSTALL:
        return end - addr <= most_present(addr) && !has_ring(addr, end);
    default:
        return true;
    }
}

/* These go on over holes, to whatever lies within their range. */
static bool walks_safely(const struct step *s)
{
    uint64_t page = s->addr & ~(PAGE - 1), len = rounded(s->len + (s->addr - page));
    if (s->kind == STEP_MADVISE && !advice_is_safe(s->more, page, page))
        return false;
    if (s->addr >= TASK_END || len == 0 || page + len < page)
        return true;
    if (len > MOST_WALKED || !harmless(page, len) || sys_precious(page, len))
        return false;
    if (s->kind == STEP_MLOCK || s->kind == STEP_MLOCK2)
        return len <= most_present(page);
    if (s->kind == STEP_MSYNC) /* rings can't be written back: EINVAL, their file's own word */
        return !(s->flags & MW_MS_SYNC) || !has_ring(page, page + len);
    return s->kind != STEP_MADVISE || advice_is_safe(s->more, page, page + len);
}

/*
 * Linux counts what a lock changes in 32 bits of pages (CAVEATS.md), and
 * droppable memory, which is never locked, is made present all the same.
 */
static bool has_too_large(void)
{
    struct mw_vma v;
    for (uint64_t a = 0; model_next_vma(a, &v); a = v.end)
        if (v.end - v.start >= (v.flags & MW_VM_DROPPABLE ? HUGE : PAGE << 31))
            return true;
    return false;
}

/* Every mapping of this process: never made present, nor when there are very many. */
static bool locks_safely(const struct step *s)
{
    struct mw_stats now;
    mw_stats(model.space, &now);
    return now.map_count < 4096 && !has_too_large() &&
           (s->flags > 7 || !(s->flags & MW_MCL_CURRENT) || s->flags & MW_MCL_ONFAULT);
}

/* userfaultfd's calls change nothing of what is beside their range. */
static bool stays_harmless(const struct step *s)
{
    return (harmless(s->addr, s->len) || s->addr % PAGE != 0) &&
           (s->kind != STEP_MOVE || harmless(s->to, s->len) || s->to % PAGE != 0);
}

bool step_is_safe(const struct step *s)
{
    if (!is_bearable(s) || !watch_step_is_safe(s) || !thp_step_is_safe(s))
        return false;
    switch (s->kind) {
    case STEP_MMAP:
        if (!sys_has_file(s->file))
            return false;
        return !(s->flags & (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE)) || s->addr % PAGE != 0 ||
               harmless(s->addr, s->len);
    case STEP_MUNMAP:
        return s->addr % PAGE != 0 || harmless(s->addr, s->len);
    case STEP_MPROTECT:
        if (s->addr % PAGE != 0 || s->addr >= TASK_END || s->addr + rounded(s->len) < s->addr)
            return true;
        return harmless(s->addr, s->len) && !sys_precious(s->addr, rounded(s->len));
    case STEP_MREMAP:
        return harmless_mremap(s) && !loses_huge_pages(s);
    case STEP_STORE:
    case STEP_LOAD:
    case STEP_COPY_IN:
    case STEP_COPY_OUT: /* what lies in between is the program's own */
        if (s->kind >= STEP_COPY_IN && s->addr < PAGE)
            return false; /* the kernel's copies from page 0 have rules of their own */
        return harmless(s->addr, s->len ? s->len : 4) ? s->addr < FILL : s->addr >= TASK_END;
    case STEP_LIMIT: /* these two count from what is in use */
        return sys.status || s->prot > MW_LIMIT_DATA || s->flags;
    case STEP_FILL: /* made present, these would use up the engine's frames */
        return !(model.future & MW_FUTURE_LOCK) || model.future & MW_FUTURE_ONFAULT;
    case STEP_MLOCK:
    case STEP_MLOCK2:
    case STEP_MUNLOCK:
    case STEP_MADVISE:
    case STEP_MSYNC:
    case STEP_MINCORE:
    case STEP_MSEAL:
        return walks_safely(s);
    case STEP_MLOCKALL:
    case STEP_MUNLOCKALL:
        return locks_safely(s);
    case STEP_WATCH:
        return is_piece(s) && !model_is_watched();
    case STEP_NAME:
        return sys.names && walks_safely(s);
    case STEP_TRUNCATE:
    case STEP_SHMDT:
    case STEP_SHM_REMOVE:
        return object_step_is_safe(s);
    case STEP_PROCESS_MADVISE:
    case STEP_REMAP_FILE_PAGES:
        return vector_step_is_safe(s);
    case STEP_PKEY_MPROTECT:
        if (s->addr % PAGE == 0 && s->addr < TASK_END && s->addr + rounded(s->len) >= s->addr &&
            (!harmless(s->addr, s->len) || sys_precious(s->addr, rounded(s->len))))
            return false;
        return key_step_is_safe(s);
    case STEP_PKEY_ALLOC:
    case STEP_PKEY_FREE:
        return key_step_is_safe(s);
    case STEP_SHMAT:
        return object_step_is_safe(s) && (s->addr == 0 || s->file < 0 || (s->addr % PAGE != 0 && !(s->flags & MW_SHM_RND)) ||
                                          harmless(s->addr & ~(PAGE - 1), segment_bytes(s->file)));
    default:
        return s->kind < STEP_REGISTER || s->kind >= STEP_CALLS || stays_harmless(s);
    }
}

/* ---- calls ---- */

static uint32_t mmap_flags(struct generator *g)
{
    static const uint32_t odd[] = {
        MW_MAP_NORESERVE, MW_MAP_POPULATE, MW_MAP_GROWSDOWN, MW_MAP_STACK, MW_MAP_NONBLOCK,
        MW_MAP_FIXED_NOREPLACE, MW_MAP_32BIT, MW_MAP_DENYWRITE, MW_MAP_SYNC,
    };
    uint32_t flags = one_in(g, 5) ? MW_MAP_SHARED : MW_MAP_PRIVATE;
    if (one_in(g, 40))
        flags = g->ages || one_in(g, 2) ? MW_MAP_SHARED_VALIDATE : MW_MAP_DROPPABLE;
    flags |= one_in(g, 10) ? 0 : MW_MAP_FIXED;
    while (one_in(g, 6))
        flags |= odd[below(g, sizeof odd / sizeof odd[0])];
    if (g->locks && one_in(g, 6))
        flags |= MW_MAP_LOCKED;
    if (g->hostile && one_in(g, 60))
        flags ^= 1u << below(g, 32);
    if (g->hostile && one_in(g, 100))
        flags ^= (uint32_t)below(g, 16);
    if (!sys.fixed_layout)
        flags &= ~MW_MAP_32BIT; /* its search begins at random */
    return flags & ~MW_MAP_HUGETLB;
}

/* Files with rules of their own. */
static void special_file(struct generator *g, struct step *s)
{
    s->file = (int8_t)(FILE_ZERO + below(g, FILE_POOL - FILE_ZERO));
    if (s->file == FILE_PROC && s->more >= 1u << 30)
        s->more = 0; /* where a file of /proc ends is its file system's own matter */
    if (s->file == FILE_ZERO && rounded(s->len) > 1u << 26)
        s->len = 5 * PAGE; /* shared, it is charged as anonymous memory is, after all else */
    if (s->file == FILE_ZERO && one_in(g, 12)) { /* large, and anywhere: it has a placement of its own */
        s->flags &= ~MW_MAP_FIXED;
        s->len = (1 + below(g, 3)) * HUGE + below(g, 3) * PAGE;
    }
}

static void make_mmap(struct generator *g, struct step *s)
{
    s->flags = mmap_flags(g);
    s->prot = some_prot(g);
    s->file = FILE_NONE;
    if (one_in(g, 3)) {
        static const int8_t which[] = { FILE_RW, FILE_RW, FILE_RW, FILE_SMALL, FILE_RO, FILE_RO,
                                        FILE_WO, FILE_PIPE };
        s->file = which[below(g, one_in(g, 4) ? 8 : 6)];
        s->more = below(g, 16) * PAGE;
        if (one_in(g, 2)) /* offsets that go on from the arena's start invite merging */
            s->more = (s->addr - ARENA) & 0xfffff000u;
        if (g->hostile && one_in(g, 30))
            s->more = hostile(g);
        if (one_in(g, 8))
            special_file(g, s);
    }
    if (s->file == FILE_NONE ? !one_in(g, 60) : one_in(g, 60))
        s->flags |= MW_MAP_ANONYMOUS;
    if (s->file != FILE_NONE && !(s->flags & MW_MAP_ANONYMOUS) && g->hostile && one_in(g, 60))
        s->flags |= MW_MAP_HUGETLB; /* an ordinary file is none of theirs */
    if (!(s->flags & MW_MAP_FIXED) && one_in(g, 2))
        s->addr = 0;
    if (!is_bearable(s))
        s->len = 7 * PAGE;
}

static void make_mremap(struct generator *g, struct step *s)
{
    static const uint8_t table[] = { 0, 1, 1, 1, 3, 3, 3, 3, 3, 5, 7 };
    struct mw_vma v;
    s->flags = table[below(g, sizeof table)];
    if (one_in(g, 60))
        s->flags ^= 1u << below(g, 5);
    if (one_in(g, 2) && model_next_vma(s->addr, &v) && v.start < FILL && v.end - v.start < HUGE) {
        s->addr = v.start; /* a whole mapping, or its end */
        if (one_in(g, 3))
            s->addr += below(g, (v.end - v.start) / PAGE) * PAGE;
        s->len = v.end - s->addr;
    }
    if (g->ring && one_in(g, 8)) {
        s->addr = g->ring + (one_in(g, 4) ? PAGE : 0);
        s->len = g->ring + sys.ring_bytes - s->addr;
    }
    if (one_in(g, 24))
        s->len = 0;
    s->more = one_in(g, 2) ? s->len : some_len(g, s->addr);
    if (one_in(g, 8))
        s->more = s->len + (below(g, 5) - 2) * PAGE;
    s->to = some_addr(g);
    if (!is_bearable(s))
        s->more = 7 * PAGE;
}

static void make_brk(struct generator *g, struct step *s)
{
    s->addr = HEAP + below(g, 8) * PAGE + (one_in(g, 4) ? below(g, PAGE) : 0);
    if (one_in(g, 12))
        s->addr = HEAP - below(g, 3 * PAGE);
    if (g->hostile && one_in(g, 20))
        s->addr = hostile(g);
    if (s->addr > HEAP + (1ull << 20) && s->addr < TASK_END)
        s->addr = HEAP + 3 * PAGE; /* never a heap that goes on into other things */
}

static uint64_t heap_page(struct generator *g)
{
    return HEAP + (below(g, 12) - 3) * PAGE;
}

/* Locks have an episode's counters compared in full, and seals end a process: these not everywhere. */
static enum step_kind some_lock(struct generator *g)
{
    static const uint8_t locks[] = { STEP_MLOCK, STEP_MLOCK, STEP_MLOCK, STEP_MLOCK2, STEP_MUNLOCK,
                                     STEP_MUNLOCK };
    uint64_t dice = below(g, 100);
    if (g->seals && one_in(g, 8))
        return STEP_MSEAL;
    if (g->locks && dice < 4)
        return one_in(g, 3) ? STEP_MUNLOCKALL : STEP_MLOCKALL;
    if (g->locks && dice < (g->filled ? 60 : 30))
        return locks[below(g, sizeof locks)];
    return dice < 80 ? STEP_MADVISE : dice < 84 ? STEP_MUNLOCK : dice < 92 ? STEP_MSYNC : STEP_MINCORE;
}

/* Of those that --only names each as often, if some are seldom otherwise. */
static enum step_kind asked_for(struct generator *g)
{
    enum step_kind kind;
    do
        kind = (enum step_kind)below(g, STEP_CALLS);
    while (!(g->only >> kind & 1));
    return kind == STEP_BRK && !sys.heap ? STEP_MPROTECT : kind;
}

static enum step_kind some_call(struct generator *g)
{
    uint64_t dice = below(g, 100);
    enum step_kind of_kind = some_kind(g);
    enum step_kind kind = of_kind != STEP_KINDS ? of_kind
                          : dice < 28 ? STEP_MMAP
                          : dice < 36 ? STEP_MUNMAP
                          : dice < 55 ? STEP_MPROTECT
                          : dice < 85 ? STEP_MREMAP
                          : dice < 89 ? STEP_BRK
                                      : some_lock(g);
    return kind == STEP_BRK && !sys.heap ? STEP_MPROTECT : kind;
}

/* The protection of the next mapping for the one that ends there: some become one again, some never. */
static bool make_alike(struct generator *g, struct step *s)
{
    struct mw_vma v, next;
    if (!one_in(g, g->forked || g->ring ? 3 : 16) || !model_next_vma(s->addr, &v) ||
        !model_next_vma(v.end, &next) || next.start != v.end || v.end > FILL)
        return false;
    s->addr = v.start;
    s->len = v.end - v.start;
    s->prot = (uint32_t)next.flags & 7u;
    return true;
}

static void make_mprotect(struct generator *g, struct step *s)
{
    s->prot = some_prot(g);
    if (g->ring && one_in(g, 4)) {
        s->addr = g->ring + below(g, 2) * PAGE;
        s->len = (1 + below(g, 2)) * PAGE;
    }
    if (make_alike(g, s))
        return;
    if (g->hostile && one_in(g, 30))
        s->prot |= (one_in(g, 3) ? MW_PROT_GROWSUP : MW_PROT_GROWSDOWN) |
                   (one_in(g, 8) ? MW_PROT_GROWSUP : 0);
}

/* A piece of one mapping of the arena; false: there is none. */
bool some_piece(struct generator *g, struct step *s)
{
    struct mw_vma v;
    uint64_t from = some_page(g), pages;
    if (!model_next_vma(from, &v) || v.start < ZONE_LOW || v.end > FILL)
        return false;
    pages = (v.end - v.start) / PAGE;
    s->addr = v.start + (one_in(g, 2) ? below(g, pages) * PAGE : 0);
    s->len = one_in(g, 2) ? v.end - s->addr : PAGE;
    return true;
}

uint64_t some_advice(struct generator *g)
{
    static const uint8_t table[] = {
        MW_MADV_NORMAL, MW_MADV_RANDOM, MW_MADV_SEQUENTIAL, MW_MADV_WILLNEED, MW_MADV_DONTNEED,
        MW_MADV_DONTNEED, MW_MADV_FREE, MW_MADV_REMOVE, MW_MADV_DONTFORK, MW_MADV_DONTFORK,
        MW_MADV_DOFORK, MW_MADV_MERGEABLE, MW_MADV_UNMERGEABLE, MW_MADV_HUGEPAGE,
        MW_MADV_NOHUGEPAGE, MW_MADV_DONTDUMP, MW_MADV_DODUMP, MW_MADV_WIPEONFORK,
        MW_MADV_WIPEONFORK, MW_MADV_KEEPONFORK, MW_MADV_COLD, MW_MADV_POPULATE_READ,
        MW_MADV_POPULATE_WRITE, MW_MADV_DONTNEED_LOCKED, MW_MADV_GUARD_INSTALL,
        MW_MADV_GUARD_INSTALL, MW_MADV_GUARD_REMOVE, MW_MADV_GUARD_REMOVE, MW_MADV_COLLAPSE,
    };
    uint64_t advice = table[below(g, sizeof table)];
    if (g->ages && advice == MW_MADV_FREE)
        advice = MW_MADV_PAGEOUT;
    if (g->hostile && one_in(g, 60))
        advice = 26 + below(g, 70); /* up to where those for faults of memory begin */
    return g->hostile && one_in(g, 60) ? advice | (1 + below(g, 7)) << 32 : advice;
}

/* Mostly a piece of a mapping, for what is mapped is what they are about. */
static void lock_range(struct generator *g, struct step *s)
{
    bool piece = one_in(g, 2) && some_piece(g, s);
    if (s->kind == STEP_MLOCKALL || s->kind == STEP_MUNLOCKALL)
        s->addr = s->len = 0;
    else if (g->hostile && one_in(g, 40))
        s->len = 0ull - below(g, 3 * PAGE); /* it wraps, or rounds up to 0 */
    else if (!walks_safely(s) || (s->kind == STEP_MSEAL && !piece))
        s->len = (1 + below(g, 5)) * PAGE; /* what is sealed stays for the episode: little */
}

/* Flags are of the lower 32 bits; most are few. */
static void make_lock(struct generator *g, struct step *s)
{
    bool wild = g->hostile && one_in(g, 16);
    if (s->kind == STEP_MADVISE)
        s->more = some_advice(g);
    else if (s->kind == STEP_MLOCK2)
        s->flags = wild ? 1u << below(g, 32) : (uint32_t)below(g, 2);
    else if (s->kind == STEP_MSYNC)
        s->flags = wild ? 1u << below(g, 32) : one_in(g, 8) ? (uint32_t)below(g, 8) : 1u << below(g, 3);
    else if (s->kind == STEP_MSEAL)
        s->flags = wild;
    else if (s->kind == STEP_MLOCKALL)
        s->flags = one_in(g, 9) ? 8 * (uint32_t)below(g, 2) : MW_MCL_ONFAULT | (uint32_t)below(g, 4);
    if (s->kind == STEP_MLOCKALL && one_in(g, 3))
        s->flags = MW_MCL_FUTURE;
    lock_range(g, s);
    if (s->kind == STEP_MADVISE && g->poison && one_in(g, 3)) {
        s->more = one_in(g, 2) ? MW_MADV_POPULATE_READ : MW_MADV_POPULATE_WRITE;
        s->addr = g->poison;
        s->len = PAGE;
    }
}

/* Near the limit of mappings this is refused. */
static void make_hole(struct generator *g, struct step *s)
{
    static const uint8_t kinds[] = { STEP_MUNMAP, STEP_MUNMAP, STEP_MUNMAP, STEP_MLOCK, STEP_MADVISE,
                                     STEP_MADVISE, STEP_MSEAL, STEP_REGISTER, STEP_REGISTER };
    struct mw_vma v;
    s->kind = kinds[below(g, sizeof kinds)];
    s->flags = 0;
    s->more = MW_MADV_DONTDUMP;
    if ((s->kind == STEP_MSEAL && !g->seals) || (s->kind == STEP_REGISTER && g->watchers == 0))
        s->kind = STEP_MUNMAP;
    if (s->kind == STEP_REGISTER)
        s->file = 0, s->more = 1;
    if (model_next_vma(s->addr, &v) && v.end - v.start >= 3 * PAGE && v.end <= FILL) {
        s->addr = v.start + PAGE;
        s->len = PAGE;
    }
}

static void make_call(struct generator *g, struct step *s)
{
    do
        s->kind = (uint8_t)(g->only >> STEP_MLOCK ? asked_for(g) : some_call(g));
    while (g->only && !(g->only >> s->kind & 1));
    if (g->poison && !g->only && one_in(g, 12)) /* soon, or it is gone */
        s->kind = STEP_MADVISE;
    s->addr = sys.heap && one_in(g, 40) ? heap_page(g) : some_addr(g);
    s->len = some_len(g, s->addr);
    if (s->kind == STEP_MMAP)
        make_mmap(g, s);
    else if (s->kind == STEP_MREMAP)
        make_mremap(g, s);
    else if (s->kind == STEP_MPROTECT)
        make_mprotect(g, s);
    else if (s->kind == STEP_BRK)
        make_brk(g, s);
    else if (s->kind >= STEP_NAME)
        make_kind(g, s);
    else if (s->kind != STEP_MUNMAP)
        make_lock(g, s);
    if (g->filled && !g->only && one_in(g, 8))
        make_hole(g, s);
}

/* ---- the other steps ---- */

static void make_limit(struct generator *g, struct step *s)
{
    s->kind = STEP_LIMIT;
    s->prot = (uint32_t)below(g, 4);
    s->len = below(g, 40);
    if (g->locks && one_in(g, 3))
        s->prot = MW_LIMIT_MEMLOCK;
    if (s->prot == MW_LIMIT_MEMLOCK && one_in(g, 4))
        s->len = 0;
    if (s->prot == MW_LIMIT_STACK) /* the program's own stack must fit */
        s->len = 8 + below(g, 64);
    if (s->prot == MW_LIMIT_DATA && one_in(g, 4)) /* less than is in use: the heap's own rule */
        s->flags = 1, s->len = 1 + below(g, 12);
    if (one_in(g, 4))
        s->len = UINT64_MAX;
}

/* Circumstances, rare or at the start. Nothing fits: a check. */
static void make_other(struct generator *g, int i, struct step *s)
{
    s->kind = one_in(g, 4) ? STEP_BYTES : STEP_COUNTERS;
    if (g->limits && one_in(g, 2))
        make_limit(g, s);
    else if (g->unprivileged && sys.privileged && one_in(g, 2))
        s->kind = STEP_CAPS, s->flags = one_in(g, 3);
    else if (g->forks && !g->forked && i > 20)
        s->kind = STEP_FORK;
    else if (g->rings > 0 && one_in(g, 2))
        s->kind = STEP_RING, g->rings--;
    else if (g->watches && !g->forked && one_in(g, 2) && some_piece(g, s))
        s->kind = STEP_WATCH;
    if (s->kind == STEP_COUNTERS)
        s->flags = one_in(g, 4); /* all of them */
}

static void make_fill(struct generator *g, struct step *s)
{
    struct mw_stats now;
    uint64_t room, spare = below(g, 9);
    mw_stats(model.space, &now);
    s->kind = STEP_FILL;
    room = sys.max_map_count > now.map_count ? sys.max_map_count - now.map_count : 0;
    s->len = room > spare ? room - spare : room;
    g->filled = true;
}

/* The end of a page, which a file that ends in it loses (make_truncate). */
static void access_tail(struct generator *g, struct step *s)
{
    if (s->kind == STEP_LOAD && g->tail)
        s->addr = g->tail;
    else
        s->addr += PAGE - sizeof(uint32_t);
    if (s->kind == STEP_STORE)
        g->tail = s->addr;
}

static void make_access(struct generator *g, struct step *s)
{
    uint64_t dice = below(g, 20);
    s->kind = dice < 14 ? STEP_STORE : dice < 18 ? STEP_LOAD : dice < 19 ? STEP_COPY_IN
                                                                      : STEP_COPY_OUT;
    s->addr = sys.heap && one_in(g, 20) ? heap_page(g) : some_addr(g);
    s->addr &= ~(PAGE - 1);
    if (g->truncates && one_in(g, 2))
        access_tail(g, s);
    s->to = ++g->value + 1000;
    if (s->kind == STEP_COPY_IN || s->kind == STEP_COPY_OUT) {
        s->len = 1 + below(g, 6 * PAGE);
        s->addr = (s->addr & ~(PAGE - 1)) + (one_in(g, 2) ? below(g, PAGE) : 0);
    }
}

static void make_step(struct generator *g, int i, struct step *s, uint64_t dice)
{
    if (g->hugetlb && !g->only && dice % 2 == 0)
        make_huge(g, s);
    else if (g->thp && !g->only && dice % 2 == 0)
        make_thp(g, s);
    else if (dice < 86)
        make_call(g, s);
    else if (dice < 97)
        make_access(g, s);
    else
        make_other(g, i, s);
}

void generate_step(struct generator *g, int i, struct step *s)
{
    uint64_t dice = below(g, 100);
    for (int tries = 0; tries < 8; tries++) {
        memset(s, 0, sizeof *s);
        s->file = FILE_NONE;
        if (i == 40 && g->fills && !g->filled)
            make_fill(g, s);
        else if (!make_frame(g, i, s))
            make_step(g, i, s, dice);
        if (step_is_safe(s))
            return;
    }
    memset(s, 0, sizeof *s);
    s->file = FILE_NONE;
    s->kind = STEP_LOAD;
    s->addr = ARENA + below(g, WINDOW) * PAGE;
}

void generate_result(struct generator *g, const struct step *s, int64_t result)
{
    g->forked = g->forked || s->kind == STEP_FORK;
    if (g->thp && s->kind == STEP_MMAP && result > 0) {
        g->fresh = (uint64_t)result;
        g->fresh_len = s->len;
    }
    if (s->kind == STEP_POISON && result > 0)
        g->poison = s->addr;
    if (s->kind < STEP_CALLS && s->addr % PAGE == 0) {
        remember(g, s->addr);
        if (s->len % PAGE == 0 && s->len < 1u << 30)
            remember(g, s->addr + s->len);
        if (s->kind == STEP_MREMAP && s->to % PAGE == 0)
            remember(g, s->to);
    }
    if (result <= 0 || (s->kind != STEP_MMAP && s->kind != STEP_MREMAP && s->kind != STEP_SHMAT && s->kind != STEP_RING))
        return;
    remember(g, (uint64_t)result);
    if (s->kind == STEP_RING || (s->kind == STEP_MREMAP && s->addr == g->ring))
        g->ring = (uint64_t)result;
}
