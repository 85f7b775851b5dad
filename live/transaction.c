/* SPDX-License-Identifier: MIT */
/* transaction.c - a live space's calls happen wholly or not at all. */
#include "transaction.h"

#include <errno.h>
#include <sys/mman.h>

void mw_tx_begin(struct transaction *t, struct mw_live *live)
{
    t->live = live;
    t->parts = 0;
    t->now_of = PARTS;
    t->fresh[POOL_PAGES] = t->fresh[POOL_2M] = t->fresh[POOL_1G] = 0;
    t->journal.count = t->journal.room = 0;
    t->aside = (struct mw_range){ 0, 0 };
}

void mw_tx_forget(struct transaction *t)
{
    while (t->parts) {
        t->parts--;
        mw_layout_free(&t->before[t->parts]);
        mw_layout_free(&t->after[t->parts]);
    }
}

void mw_tx_end(struct transaction *t)
{
    mw_tx_forget(t);
    if (t->now_of < PARTS)
        mw_layout_free(&t->now);
    if (t->journal.room)
        mw_journal_free(&t->journal);
    if (t->aside.end)
        munmap(host_at(t->aside.start), (size_t)(t->aside.end - t->aside.start));
}

struct layout *mw_tx_note_empty(struct transaction *t, struct mw_range range)
{
    struct layout *l = &t->before[t->parts];

    mw_layout_init(l, range);
    mw_layout_init(&t->after[t->parts++], range);
    return l;
}

int mw_tx_note(struct transaction *t, uint64_t start, uint64_t end)
{
    struct layout *l = mw_tx_note_empty(t, (struct mw_range){ start, end });
    uint64_t at = start > t->live->range.start ? start - 1 : start;
    struct mw_vma v = { .end = at };

    while (v.end <= end && mw_find_vma(t->live->space, at, &v) && v.start <= end) {
        if (!mw_layout_add(l, &v))
            return -ENOMEM;
        at = v.end;
    }
    if (l->count && l->vma[0].start < start)
        l->range.start = l->vma[0].start;
    if (l->count && l->vma[l->count - 1].end > end)
        l->range.end = l->vma[l->count - 1].end;
    t->after[t->parts - 1].range = l->range;
    return 0;
}

int mw_tx_open(struct transaction *t, struct mw_live *live, uint64_t start, uint64_t end)
{
    int err;

    mw_tx_begin(t, live);
    err = mw_tx_note(t, start, end);
    if (err)
        mw_tx_end(t);
    return err;
}

size_t mw_tx_part_of(const struct transaction *t, uint64_t addr)
{
    size_t k = t->parts;

    while (k-- > 1 && (addr < t->before[k].range.start || addr >= t->before[k].range.end))
        continue;
    return k;
}

bool mw_tx_now_as_before(struct transaction *t, uint64_t start, uint64_t end)
{
    const struct layout *l = &t->before[t->now_of];
    struct mw_vma p;

    for (size_t i = 0; i < l->count; i++)
        if (mw_vma_part(&l->vma[i], start, end, &p) && !mw_layout_add(&t->now, &p))
            return false;
    return true;
}

void mw_tx_now_begins(struct transaction *t, uint64_t addr)
{
    t->now_of = mw_tx_part_of(t, addr);
    mw_layout_init(&t->now, t->before[t->now_of].range);
}

int mw_tx_note_after(struct transaction *t)
{
    for (size_t k = 0; k < t->parts; k++)
        if (!mw_layout_take(t->live, &t->after[k]))
            return -ENOMEM;
    return 0;
}

/* The engine's side of going back. */
static void restore_engine(struct transaction *t)
{
    struct mw_live *live = t->live;

    live->memory.going_back = true;
    for (size_t k = 0; k < t->parts; k++)
        mw_munmap(live->space, t->before[k].range.start,
                  t->before[k].range.end - t->before[k].range.start, NULL);
    for (size_t k = 0; k < t->parts; k++)
        for (size_t i = 0; i < t->before[k].count; i++)
            mw_import(live->space, &t->before[k].vma[i]);
    live->memory.going_back = false;
}

void mw_tx_fresh_slot(struct transaction *t, struct pool *pool, uint32_t slot)
{
    uint32_t *first = &t->fresh[pool - t->live->pool];

    pool->slots[slot].next = *first;
    *first = slot + 1;
}

/* Slots taken for what did not come to be. */
static void free_unused_slots(struct transaction *t)
{
    for (int i = 0; i < POOLS; i++)
        while (t->fresh[i]) {
            uint32_t slot = t->fresh[i] - 1;

            t->fresh[i] = t->live->pool[i].slots[slot].next;
            mw_slot_give(&t->live->pool[i], slot);
        }
}

int64_t mw_tx_roll_back(struct transaction *t, int64_t err, bool host_too)
{
    if (host_too)
        mw_spare_drop(&t->live->spare, page_of(t->live), SPARES);
    if (t->journal.room)
        mw_journal_undo(&t->journal);
    for (size_t k = 0; k < t->parts && host_too; k++)
        for (int tries = 3; mw_live_force(&t->before[k]) && tries; tries--)
            continue;
    if (host_too)
        may_begin(t->live); /* where the spare can't be had, the next call says so */
    restore_engine(t);
    free_unused_slots(t);
    mw_tx_end(t);
    return err;
}

void mw_slot_count(const struct mw_vma *v, bool in)
{
    struct pool *pool = pool_of(v);
    uint64_t bytes = v->end - v->start;
    uint32_t s;

    if (!pool)
        return;
    s = (uint32_t)(v->offset / pool->slot_bytes);
    pool->slots[s].mapped += in ? bytes : 0 - bytes;
    if (!in && !pool->slots[s].mapped)
        mw_slot_give(pool, s);
}

static void slots_count(const struct layout *l, bool in)
{
    for (size_t i = 0; i < l->count; i++)
        mw_slot_count(&l->vma[i], in);
}

/* The host follows; where memory comes to before where it leaves. `result` is the call's. */
int64_t mw_tx_carry_out(struct transaction *t, int64_t result)
{
    int err = 0;

    for (size_t k = t->parts; k-- > 0 && !err;)
        err = mw_live_apply(k == t->now_of ? &t->now : &t->before[k], &t->after[k]);
    if (err)
        return mw_tx_roll_back(t, err, true);
    for (size_t k = 0; k < t->parts; k++)
        slots_count(&t->after[k], true);
    for (size_t k = 0; k < t->parts; k++)
        slots_count(&t->before[k], false);
    for (size_t k = 0; k < t->parts; k++)
        for (size_t i = 0; i < t->before[k].count; i++)
            mw_live_give_back(t->live, &t->before[k].vma[i], t->after, t->parts);
    mw_tx_end(t);
    return result;
}

/*
 * The host follows in one call: [start, end) is `v`'s from now on, or no one's;
 * what was there has gone.
 */
int64_t mw_tx_carry_out_one(struct transaction *t, uint64_t start, uint64_t end, const struct mw_vma *v,
                             int64_t result)
{
    const struct layout *l = &t->before[0];
    int err = v ? mw_live_map(v) : mw_live_reserve(start, end);
    struct mw_vma p;

    if (err)
        return mw_tx_roll_back(t, err, true);
    if (v)
        mw_slot_count(v, true);
    for (size_t i = 0; i < l->count; i++)
        if (mw_vma_part(&l->vma[i], start, end, &p)) {
            mw_slot_count(&p, false);
            mw_live_give_back(t->live, &p, NULL, 0);
        }
    mw_tx_end(t);
    return result;
}

int64_t mw_live_enter(struct mw_live *live, struct mw_why *why, int64_t (*call)(void *), void *args)
{
    int64_t r;

    if (why)
        *why = (struct mw_why){ 0 };
    pthread_mutex_lock(&live->lock);
    r = call(args);
    pthread_mutex_unlock(&live->lock);
    return r;
}
