/* SPDX-License-Identifier: MIT */
/* names.c - names of anonymous memory: a table of strings, found by hash. */
#include "vma/names.h"

#include "base/mem.h"
#include "base/range.h"

/* Entry i is the name of number i + 1, and the head of the names whose hash is i. */
struct name {
    uint32_t head, next; /* numbers; 0: none */
    bool used;
    char text[NAME_MAX + 1];
};

enum { CAPACITY_FIRST = 16, CAPACITY_MAX = 1 << 14 };

static uint32_t number_of(uint64_t flags) { return (uint32_t)(flags >> MW_VM_NAME_SHIFT); }

static uint32_t hash(const struct names *names, const char *text)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    while (*text)
        h = (h ^ (unsigned char)*text++) * 16777619u;
    return h & (names->capacity - 1);
}

static bool equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

const char *names_of(const struct names *names, uint64_t flags)
{
    return number_of(flags) ? names->at[number_of(flags) - 1].text : NULL;
}

bool names_sound(const struct names *names, uint64_t flags)
{
    uint32_t n = number_of(flags);

    return !n || (n <= names->capacity && names->at[n - 1].used);
}

/* Hangs every name that is used where its hash is. */
static void link_all(struct names *names)
{
    for (uint32_t i = 0; i < names->capacity; i++)
        names->at[i].head = 0;
    names->used = names->fresh = 0;
    for (uint32_t i = 0; i < names->capacity; i++) {
        struct name *n = &names->at[i], *at;

        if (!n->used)
            continue;
        at = &names->at[hash(names, n->text)];
        n->next = at->head;
        at->head = i + 1;
        names->used++;
    }
}

static void collect(struct names *names, const struct tree *tree)
{
    for (uint32_t i = 0; i < names->capacity; i++)
        names->at[i].used = false;
    for (struct cursor c = tree_first(tree); c.leaf; c = tree_next(c))
        if (number_of(tree_at(c)->flags))
            names->at[number_of(tree_at(c)->flags) - 1].used = true;
    link_all(names);
}

static bool grow(struct names *names, const struct mw_port *port)
{
    uint32_t capacity = names->capacity ? 2 * names->capacity : CAPACITY_FIRST;
    struct name *at;

    if (capacity > CAPACITY_MAX)
        return false;
    at = port->alloc(port->ctx, capacity * sizeof *at);
    if (!at)
        return false;
    memset(at, 0, capacity * sizeof *at);
    if (names->at) {
        memcpy(at, names->at, names->capacity * sizeof *at);
        port->free(port->ctx, names->at, names->capacity * sizeof *at);
    }
    names->at = at;
    names->capacity = capacity;
    link_all(names);
    return true;
}

bool names_reserve(struct names *names, const struct tree *tree)
{
    if (names->used < names->capacity)
        return true;
    collect(names, tree);
    /* a table that stays so full, or small beside the row of VMAs, would be searched again soon */
    if (names->used <= names->capacity / 2 && names->capacity >= tree->count / 16 && names->capacity)
        return true;
    return grow(names, tree->port) || names->used < names->capacity;
}

static uint32_t find(const struct names *names, const char *text)
{
    uint32_t n = names->at[hash(names, text)].head;

    while (n && !equal(names->at[n - 1].text, text))
        n = names->at[n - 1].next;
    return n;
}

uint64_t names_put(struct names *names, const char *text)
{
    uint32_t n = find(names, text), i = hash(names, text), place = names->fresh;
    struct name *entry;

    if (n)
        return (uint64_t)n << MW_VM_NAME_SHIFT;
    while (names->at[place].used)
        place++;
    names->fresh = place + 1;
    entry = &names->at[place];
    for (size_t k = 0; (entry->text[k] = text[k]); k++)
        ;
    entry->used = true;
    entry->next = names->at[i].head;
    names->at[i].head = place + 1;
    names->used++;
    return (uint64_t)(place + 1) << MW_VM_NAME_SHIFT;
}

bool names_copy(struct names *names, const struct names *from, const struct mw_port *port)
{
    size_t bytes = from->capacity * sizeof *from->at;

    if (!from->capacity)
        return true;
    names->at = port->alloc(port->ctx, bytes);
    if (!names->at)
        return false;
    memcpy(names->at, from->at, bytes);
    names->capacity = from->capacity;
    names->used = from->used;
    names->fresh = from->fresh;
    return true;
}

void names_destroy(struct names *names, const struct mw_port *port)
{
    if (names->at)
        port->free(port->ctx, names->at, names->capacity * sizeof *names->at);
    *names = (struct names){ 0 };
}
