/* SPDX-License-Identifier: MIT */
/*
 * An emulator's inner loop: a guest of a few instructions fetches, loads and stores
 * through tlb.h, and grows its memory by a system call, which moves it.
 */
#include <mapwright/host.h>
#include <mapwright/tlb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An instruction is four bytes: what, register a, register b, a signed number n. */
enum { HALT, ADD_NUMBER, ADD, SUB, STORE, LOAD, JUMP_IF_LESS, GROW };

static const int8_t program[][4] = {
    /* r1 runs from r3, where memory is, to r2, where it ends: fill it with 0, 1, 2, ... */
    { STORE, 0, 1, 0 }, { ADD_NUMBER, 0, 0, 1 }, { ADD_NUMBER, 1, 0, 8 }, { JUMP_IF_LESS, 1, 2, -3 },
    { SUB, 2, 3, 0 }, { GROW, 3, 0, 0 }, { ADD, 2, 3, 0 }, /* it is elsewhere then: */
    { LOAD, 4, 3, 0 }, { ADD, 5, 4, 0 }, { ADD_NUMBER, 3, 0, 8 }, { JUMP_IF_LESS, 3, 2, -3 }, /* add it up */
    { HALT, 0, 0, 0 },
};

struct cpu {
    struct mw_tlb tlb;
    struct mw_space *space;
    uint64_t pc, r[6];
};

/* What the guest's kernel does: the CPU is outside meanwhile. */
static void grow(struct cpu *c, uint64_t *where)
{
    mw_tlb_leave(&c->tlb);
    *where = (uint64_t)mw_mremap(c->space, *where, 1 << 20, 4 << 20, MW_MREMAP_MAYMOVE, 0, NULL);
    mw_tlb_enter(&c->tlb);
}

/* One instruction: MW_FAULT_OK, or what the guest gets a signal for. */
static enum mw_fault_result step(struct cpu *c, bool *halted)
{
    int8_t i[4];
    enum mw_fault_result r = mw_fetch(&c->tlb, c->pc, i, sizeof i);
    uint64_t *a = &c->r[i[1] % 6], *b = &c->r[i[2] % 6];

    if (r != MW_FAULT_OK)
        return r;
    c->pc += 4;
    switch (i[0]) {
    case ADD_NUMBER: *a += (uint64_t)(int64_t)i[3]; break;
    case ADD: *a += *b; break;
    case SUB: *a -= *b; break;
    case STORE: return mw_store64(&c->tlb, *b, *a);
    case LOAD: return mw_load64(&c->tlb, *b, a);
    case JUMP_IF_LESS: c->pc += *a < *b ? (uint64_t)(int64_t)i[3] * 4 - 4 : 0; break;
    case GROW: grow(c, a); break;
    default: *halted = true;
    }
    return MW_FAULT_OK;
}

int main(void)
{
    const uint64_t rw = MW_PROT_READ | MW_PROT_WRITE, anon = MW_MAP_PRIVATE | MW_MAP_ANONYMOUS;
    void *ram = aligned_alloc(4096, 16 << 20);
    struct cpu *c = aligned_alloc(64, sizeof *c);
    enum mw_fault_result r = MW_FAULT_OK;
    struct mw_config config;
    bool halted = false;

    if (!ram || !c)
        return 1;
    memset(c, 0, sizeof *c);
    mw_config_init(&config, mw_host_port());
    if (mw_frames_create(mw_host_port(), ram, 16 << 20, 12, &config.frames) ||
        mw_space_create(&config, &c->space) || mw_tlb_attach(&c->tlb, c->space))
        return 1;
    mw_mmap(c->space, 0, 4096, MW_PROT_READ, anon, NULL, 0, NULL); /* in the way of growth */
    c->r[1] = c->r[3] = (uint64_t)mw_mmap(c->space, 0, 1 << 20, rw, anon, NULL, 0, NULL);
    c->r[2] = c->r[1] + (1 << 20);
    c->pc = (uint64_t)mw_mmap(c->space, 0, 4096, rw | MW_PROT_EXEC, anon, NULL, 0, NULL);
    mw_write(c->space, c->pc, program, sizeof program, NULL);

    mw_tlb_enter(&c->tlb);
    while (r == MW_FAULT_OK && !halted)
        r = step(c, &halted);
    mw_tlb_leave(&c->tlb);
    printf("%s: sum %llu\n", r == MW_FAULT_OK ? "halted" : "a fault", (unsigned long long)c->r[5]);
    mw_tlb_detach(&c->tlb);
    mw_space_destroy(c->space);
    mw_frames_destroy(config.frames);
    free(c);
    free(ram);
    return r != MW_FAULT_OK;
}
