/* SPDX-License-Identifier: MIT */
/* generate_huge.c - steps of episodes that have huge pages: of memory, and of a file. */
#include "generate.h"

#define HUGE_WINDOW 12u
#define PICK(g, list) list[below(g, sizeof(list) / sizeof(list)[0])]

static uint64_t huge_at(struct generator *g)
{
    uint64_t a = ARENA + below(g, HUGE_WINDOW) * HUGE;
    struct mw_vma v;
    if (one_in(g, 2) && model_next_vma(a, &v) && v.flags & MW_VM_HUGETLB)
        a = one_in(g, 3) ? v.end : v.start;
    if (one_in(g, 12))
        a += (below(g, 5) - 2) * PAGE;
    return g->hostile && one_in(g, 60) ? some_addr(g) : a;
}

static uint64_t huge_len(struct generator *g)
{
    uint64_t len = (1 + below(g, 4)) * HUGE;
    if (one_in(g, 6))
        len += (below(g, 7) - 3) * PAGE;
    if (one_in(g, 16))
        len = (1 + below(g, 10)) * HUGE;
    if (one_in(g, 20))
        len = below(g, 3) * PAGE;
    return g->hostile && one_in(g, 60) ? hostile(g) : len;
}

static void huge_mmap(struct generator *g, struct step *s)
{
    static const uint32_t odd[] = {
        MW_MAP_POPULATE, MW_MAP_STACK, MW_MAP_GROWSDOWN, MW_MAP_FIXED_NOREPLACE, MW_MAP_SYNC,
        MW_MAP_NONBLOCK, MW_MAP_POPULATE, 21u << 26, 22u << 26, 12u << 26,
    };
    s->flags = one_in(g, 3) ? MW_MAP_SHARED : MW_MAP_PRIVATE;
    if (one_in(g, 20))
        s->flags = (uint32_t)below(g, 10);
    s->flags |= MW_MAP_HUGETLB | MW_MAP_ANONYMOUS | (one_in(g, 6) ? 0 : MW_MAP_FIXED);
    s->flags |= one_in(g, 4) ? MW_MAP_NORESERVE : 0;
    if (one_in(g, 4))
        s->flags |= PICK(g, odd);
    if (g->locks && one_in(g, 4))
        s->flags |= MW_MAP_LOCKED;
    s->prot = one_in(g, 3) ? some_prot(g) : MW_PROT_READ | MW_PROT_WRITE;
    s->more = one_in(g, 8) ? below(g, 4) * HUGE : one_in(g, 16) ? below(g, 4) * PAGE : 0;
    if (!(s->flags & MW_MAP_FIXED) && one_in(g, 2))
        s->addr = 0;
}

static void huge_mmap_file(struct generator *g, struct step *s)
{
    s->file = FILE_POOL;
    if (!one_in(g, 30))
        s->flags &= ~MW_MAP_ANONYMOUS;
    if (!one_in(g, 6))
        s->flags &= ~MW_MAP_HUGETLB;
    s->flags ^= one_in(g, 3) ? MW_MAP_SHARED ^ MW_MAP_PRIVATE : 0;
    if (one_in(g, 2))
        s->more = below(g, 5) * HUGE;
}

static void huge_access(struct generator *g, struct step *s)
{
    s->kind = one_in(g, 4) ? STEP_LOAD : STEP_STORE;
    s->len = 0;
    s->addr = (huge_at(g) & ~(PAGE - 1)) + (one_in(g, 3) ? below(g, HUGE / PAGE) * PAGE : 0);
    s->to = ++g->value + 1000;
}

static void huge_remap(struct generator *g, struct step *s)
{
    static const uint8_t how[] = { 0, 0, 1, 1, 3, 3, 3, 3, 5, 7 };
    s->kind = STEP_MREMAP;
    s->flags = PICK(g, how);
    s->more = one_in(g, 2) ? s->len : huge_len(g);
    s->to = huge_at(g);
    if (one_in(g, 16))
        s->len = 0;
}

static void huge_truncate(struct generator *g, struct step *s)
{
    s->kind = STEP_TRUNCATE;
    s->file = FILE_POOL;
    s->addr = 0;
    s->len = one_in(g, 3) ? 4 * HUGE : below(g, 7) * HUGE;
    if (one_in(g, 12))
        s->len += PAGE;
    if (g->hostile && one_in(g, 30))
        s->len = hostile(g);
}

static void huge_advice(struct generator *g, struct step *s)
{
    static const uint8_t table[] = {
        MW_MADV_DONTNEED, MW_MADV_DONTNEED, MW_MADV_DONTNEED, MW_MADV_DONTNEED_LOCKED, MW_MADV_REMOVE, MW_MADV_REMOVE,
        MW_MADV_REMOVE, MW_MADV_POPULATE_READ, MW_MADV_POPULATE_READ, MW_MADV_POPULATE_WRITE, MW_MADV_POPULATE_WRITE,
        MW_MADV_DONTFORK, MW_MADV_DOFORK, MW_MADV_WIPEONFORK, MW_MADV_WILLNEED, MW_MADV_COLD, MW_MADV_FREE,
        MW_MADV_GUARD_INSTALL, MW_MADV_HUGEPAGE, MW_MADV_NOHUGEPAGE, MW_MADV_MERGEABLE, MW_MADV_DONTDUMP, MW_MADV_DODUMP,
        MW_MADV_RANDOM, MW_MADV_COLLAPSE,
    };
    s->kind = STEP_MADVISE;
    s->more = PICK(g, table);
    if (g->ages && s->more == MW_MADV_FREE)
        s->more = MW_MADV_PAGEOUT;
}

static void huge_lock(struct generator *g, struct step *s)
{
    static const uint8_t kinds[] = { STEP_MLOCK, STEP_MLOCK2, STEP_MUNLOCK, STEP_MSYNC, STEP_MINCORE, STEP_MINCORE };
    s->kind = PICK(g, kinds);
    if (s->kind == STEP_MLOCK2)
        s->flags = (uint32_t)below(g, 2);
    else if (s->kind == STEP_MSYNC)
        s->flags = 1u << below(g, 3);
}

static void huge_watch(struct generator *g, struct step *s)
{
    static const uint8_t kinds[] = {
        STEP_REGISTER, STEP_REGISTER, STEP_REGISTER, STEP_UNREGISTER, STEP_COPY, STEP_COPY, STEP_COPY, STEP_ZEROPAGE,
        STEP_CONTINUE, STEP_CONTINUE, STEP_POISON, STEP_POISON, STEP_MOVE, STEP_WRITEPROTECT, STEP_WRITEPROTECT,
        STEP_WRITEPROTECT,
    };
    s->kind = PICK(g, kinds);
    s->file = (int8_t)below(g, (uint64_t)g->watchers);
    s->more = some_mode(g, (enum step_kind)s->kind);
    if (s->kind != STEP_REGISTER && one_in(g, 2))
        s->len = HUGE;
    if (s->kind == STEP_MOVE)
        s->to = huge_at(g);
}

void make_huge(struct generator *g, struct step *s)
{
    uint64_t dice = below(g, 32);
    s->addr = huge_at(g);
    s->len = huge_len(g);
    if (g->watchers > 0 && one_in(g, 3)) {
        huge_watch(g, s);
    } else if (dice < 8) {
        s->kind = STEP_MMAP;
        huge_mmap(g, s);
        if (one_in(g, 2))
            huge_mmap_file(g, s);
    } else if (dice < 11) {
        s->kind = STEP_MUNMAP;
    } else if (dice < 14) {
        s->kind = STEP_MPROTECT;
        s->prot = some_prot(g);
    } else if (dice < 20) {
        huge_remap(g, s);
    } else if (dice < 21) {
        huge_truncate(g, s);
    } else if (dice < 24) {
        huge_advice(g, s);
    } else if (dice < 25) {
        huge_lock(g, s);
    } else {
        huge_access(g, s);
    }
}
