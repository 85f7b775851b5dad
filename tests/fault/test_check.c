/* SPDX-License-Identifier: MIT */
/*
 * test_check.c - the checker's own test: the state of a sound space is broken
 * on purpose, one thing at a time, and mw_check must say which.
 */
#include "../unit/unit.h"

#include "mem/block.h"
#include "vma/space.h"
#include "vma/tree.c" /* for its nodes */

struct breakage {
    const char *said; /* what the checker must say, or a part of it */
    void (*harm)(struct bench *b);
};

/* 120 mappings: leaves and an inner node */
static void prepare(struct bench *b)
{
    char row[130];
    bench_start(b);
    for (int i = 0; i < 120; i++)
        row[i] = i % 4 == 3 ? '.' : i % 2 ? 'r' : 'a';
    memcpy(row + 120, "ffss--", 7);
    draw(b, row);
    for (int i = 0; i < 40; i += 4)
        poke(b, at(b, i), 7);
    peek(b, at(b, 1));
}

static struct mw_vma *first(struct bench *b)
{
    return &tree_first(&b->space->tree).leaf->u.vma[0];
}

static struct node *leaf(struct bench *b)
{
    return tree_first(&b->space->tree).leaf;
}

static pte_t *entry(struct bench *b, int64_t page)
{
    pte_t *e = pmap_find(&b->space->pmap, at(b, page), NULL);
    assert_non_null(e);
    return e;
}

/* ---- the tree ---- */

static void empty_vma(struct bench *b) { first(b)->end = first(b)->start; }
static void overlap(struct bench *b) { first(b)->end += 10 * 4096; }
static void level(struct bench *b) { leaf(b)->level = 3; }
static void node_count(struct bench *b) { leaf(b)->count = 0; }
static void parent(struct bench *b) { leaf(b)->parent = NULL; }
static void bounds(struct bench *b) { b->space->tree.root->u.in.hi[0] += 4096; }
static void bounds_low(struct bench *b) { b->space->tree.root->u.in.lo[0] -= 4096; }
static void gap(struct bench *b) { b->space->tree.root->u.in.gap[0] = 0; }
static void hint(struct bench *b) { b->space->tree.hint = b->space->tree.root; }
static void links(struct bench *b) { leaf(b)->next = leaf(b)->next->next; }
static void root_parent(struct bench *b) { b->space->tree.root->parent = leaf(b); }
static void tree_count(struct bench *b) { b->space->tree.count++; }

static void last_next(struct bench *b)
{
    tree_last(&b->space->tree).leaf->next = leaf(b);
}

/* ---- VMAs and counters ---- */

static void unaligned(struct bench *b) { first(b)->offset++; }
static void identity(struct bench *b) { first(b)->anon = 1ull << 40; }
static void total(struct bench *b) { b->space->total++; }
static void data(struct bench *b) { b->space->data--; }
static void stack(struct bench *b) { b->space->stack++; }
static void exec(struct bench *b) { b->space->exec++; }
static void locked(struct bench *b) { b->space->locked++; }
static void committed(struct bench *b) { b->space->committed++; }
static void dead_object(struct bench *b) { b->object->refs = 0; }

/* ---- page tables ---- */

static void free_frame(struct bench *b)
{
    pte_t *e = entry(b, 0);
    frame_t unused = frame_alloc(b->frames);
    frame_put(b->frames, unused);
    *e = (*e & ~PTE_ADDR) | (uint64_t)unused << 12;
}

static void present_and_held(struct bench *b) { *entry(b, 0) |= PTE_HELD; }
static void too_writable(struct bench *b) { *entry(b, 1) |= PTE_W; }
static void too_executable(struct bench *b) { *entry(b, 0) &= ~PTE_NX; }
static void entry_count(struct bench *b) { *entry(b, 0) = 0; }
static void resident(struct bench *b) { b->space->pool.resident++; }
static void tables(struct bench *b) { b->space->pool.tables++; }
static void writable_and_shared(struct bench *b) { *entry(b, 0) |= PTE_W | PTE_COW; }
static void alias_of_nothing(struct bench *b) { *entry(b, 0) |= PTE_ALIAS; }
static void stock(struct bench *b) { b->space->pool.stock = 5; }

/* a page where no mapping is */
static void stray_page(struct bench *b)
{
    assert_true(pmap_enter(&b->space->pmap, at(b, 3), frame_alloc(b->frames),
                           PTE_P | PTE_U | PTE_W | PTE_NX, 1));
}

/* a table without entries */
static void empty_table(struct bench *b)
{
    assert_true(pmap_enter(&b->space->pmap, at(b, 100000), frame_alloc(b->frames), PTE_P, 1));
    pte_t *e = entry(b, 100000);
    uint64_t table = ((uint64_t)(uintptr_t)e - (uint64_t)(uintptr_t)b->memory) >> 12;
    *e = 0;
    b->frames->meta[table].link = 0;
}

/* ---- transparent huge pages, and blocks ---- */

static void spares(struct bench *b) { b->space->pool.spares++; }
static void free_count(struct bench *b) { b->frames->free_count++; }
static void zeros_of_nothing(struct bench *b) { b->space->pool.zeros = true, *entry(b, 0) |= PTE_ZEROS; }
static void zeros_unknown(struct bench *b) { *entry(b, 1) |= PTE_ZEROS; }
static void block_forgotten(struct bench *b) { b->frames->whole = b->frames->blocks[b->frames->whole].next; }

static void block_misplaced(struct bench *b)
{
    b->frames->blocks[b->frames->whole].next = b->frames->partial;
}

static const struct breakage breakages[] = {
    { "empty VMA", empty_vma }, { "overlap or are out of order", overlap },
    { "wrong level", level }, { "count is out of range", node_count },
    { "know its parent", parent }, { "bounds are stale", bounds },
    { "bounds are stale", bounds_low }, { "larger gap than it says", gap }, { "hint is no leaf", hint },
    { "linked in order", links }, { "root has a parent", root_parent },
    { "successor", last_next }, { "tree:", tree_count }, { "unaligned", unaligned },
    { "identity", identity }, { "size counter", total }, { "size counter", data },
    { "size counter", stack }, { "size counter", exec }, { "locked pages", locked },
    { "committed pages", committed }, { "dead object", dead_object },
    { "free frame", free_frame }, { "present and held", present_and_held },
    { "no VMA allows", too_writable }, { "no VMA allows", too_executable },
    { "no VMA allows", stray_page }, { "count of entries", entry_count },
    { "empty table", empty_table }, { "reserved tables", stock },
    { "count of tables", tables }, { "resident pages", resident },
    { "transparent huge pages", spares }, { "count of free ones", free_count },
    { "of zeros is none", zeros_of_nothing }, { "of zeros is none", zeros_unknown },
    { "not in the list", block_forgotten }, { "not in the list", block_misplaced },
    { "others own too", writable_and_shared }, { "no VMA allows", alias_of_nothing },
};

enum { BREAKAGES = sizeof breakages / sizeof breakages[0] };

/* A broken space can't be taken down in order: it is kept, and left to the process's end. */
static struct bench broken[BREAKAGES];

static void each_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < BREAKAGES; i++) {
        const char *what = NULL;
        struct bench *b = &broken[i];
        prepare(b);
        assert_int_equal(mw_check(b->space, &what), 0);
        assert_null(what);
        breakages[i].harm(b);
        int bad = mw_check(b->space, &what);
        if (bad == 0)
            fail_msg("breakage %zu (\"%s\") was not found", i, breakages[i].said);
        if (what == NULL || strstr(what, breakages[i].said) == NULL)
            fail_msg("breakage %zu: \"%s\" instead of \"%s\"", i, what, breakages[i].said);
        assert_int_equal(mw_check(b->space, NULL), bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_is_found) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
