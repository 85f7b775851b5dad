/* SPDX-License-Identifier: MIT */
/* test_block.c - frames in blocks: under random use against a list of who holds what. */
#include "unit.h"

#include "mem/block.h"

enum { BLOCKS = 8, PER = 512, LAST = 5, HELD = BLOCKS * PER + LAST };

/* A pool of whole blocks, and a few frames more. */
static void start(struct bench *b)
{
    bench_config(b, 12, BLOCKS * PER + LAST);
}

static void end(struct bench *b)
{
    assert_int_equal(mw_frames_free(b->frames), mw_frames_total(b->frames));
    assert_int_equal(mw_frames_destroy(b->frames), 0);
    assert_int_equal(b->allocations, 0);
    free(b->memory);
}

/* every frame is handed out once, then none; given back, all but the first block and the last frames are whole */
static void all_frames(void **state)
{
    (void)state;
    static bool seen[BLOCKS * PER + LAST];
    static frame_t held[HELD];
    struct bench b;
    frame_t n, count = 0;
    start(&b);
    memset(seen, 0, sizeof seen);
    while ((n = frame_alloc(b.frames)) != 0) {
        assert_true(n < BLOCKS * PER + LAST);
        assert_false(seen[n]);
        seen[n] = true;
        held[count++] = n;
    }
    assert_int_equal(count, mw_frames_total(b.frames));
    assert_int_equal(block_alloc(b.frames), 0);
    while (count-- > 0) /* every other one is known to be clean */
        (count % 2 ? frame_put : frame_put_clean)(b.frames, held[count]);
    for (int i = 0; i < BLOCKS - 1; i++) {
        held[i] = block_alloc(b.frames);
        assert_true(held[i] != 0 && held[i] % PER == 0);
    }
    assert_int_equal(block_alloc(b.frames), 0);
    assert_int_equal(mw_frames_free(b.frames), PER - 2 + LAST);
    for (int i = 0; i < BLOCKS - 1; i++)
        block_put(b.frames, held[i]);
    end(&b);
}

/* a page takes no whole block while another has frames, and none at all while a clean one is there */
static void whole_blocks_last(void **state)
{
    (void)state;
    struct bench b;
    start(&b);
    frame_t held[PER + LAST], count = PER - 2 + LAST;
    for (frame_t i = 0; i < count; i++)
        held[i] = frame_alloc(b.frames);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 100), BLOCKS - 1);
    assert_int_equal(frame_alloc(b.frames), 0);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 0), 0);
    frame_put_clean(b.frames, held[0]);
    assert_int_equal(frame_alloc(b.frames), held[0]);
    for (frame_t i = 0; i < count; i++)
        frame_put(b.frames, held[i]);
    end(&b);
}

/* frames of a split block come back one by one, to both who hold it */
static void split(void **state)
{
    (void)state;
    struct bench b;
    start(&b);
    frame_t n = block_alloc(b.frames);
    uint64_t free = mw_frames_free(b.frames);
    block_get(b.frames, n);
    assert_false(block_is_alone(b.frames, n));
    block_split(b.frames, n);
    block_split(b.frames, n); /* it is */
    assert_int_equal(b.frames->meta[n + 7].refs, 2);
    block_get(b.frames, n);
    assert_int_equal(b.frames->meta[n + 7].refs, 3);
    block_put(b.frames, n);
    for (frame_t i = 0; i < PER; i++)
        frame_put(b.frames, n + i);
    assert_int_equal(mw_frames_free(b.frames), free);
    assert_true(block_is_alone(b.frames, n)); /* one again */
    block_put(b.frames, n);
    assert_int_equal(mw_frames_free(b.frames), free + PER);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 100), BLOCKS - 1);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 0), 0);
    end(&b);
}

/* those that were cleaned ahead go to who needs zeros, and to others last */
static void cleaned(void **state)
{
    (void)state;
    struct bench b;
    start(&b);
    assert_int_equal(mw_frames_clean(b.frames, 2), 2);
    assert_null(block_check(b.frames));
    uint32_t i = b.frames->zeroed;
    frame_t clean = (frame_t)(i * PER), other = block_alloc(b.frames);
    assert_int_not_equal(other, clean);
    assert_int_equal(*(uint32_t *)frame_ptr(b.frames, clean + PER - 1), 0);
    *(uint32_t *)frame_ptr(b.frames, clean) = 7; /* it is not cleaned once more */
    assert_int_equal(block_alloc_zeroed(b.frames), clean);
    assert_int_equal(*(uint32_t *)frame_ptr(b.frames, clean), 7);
    block_put(b.frames, clean); /* and is not clean any more */
    assert_int_equal(mw_frames_clean(b.frames, 100), BLOCKS - 3);
    assert_int_equal(mw_frames_clean(b.frames, 100), 0);
    assert_int_equal(*(uint32_t *)frame_ptr(b.frames, clean), 0);
    block_put(b.frames, other);
    assert_int_equal(mw_frames_set_huge(b.frames, 21, 100), BLOCKS - 1);
    assert_int_equal(mw_frames_clean(b.frames, 100), 0);
    mw_frames_set_huge(b.frames, 21, 0);
    mw_frames_clean(b.frames, 1);
    static frame_t held[HELD];
    frame_t n = 0;
    while ((held[n] = frame_alloc(b.frames)) != 0)
        n++;
    assert_int_equal(n, mw_frames_total(b.frames));
    assert_null(block_check(b.frames));
    while (n-- > 0)
        frame_put(b.frames, held[n]);
    end(&b);
}

struct model {
    struct bench b;
    uint64_t random;
    frame_t frame[HELD], block[BLOCKS];
    bool cut[BLOCKS]; /* one frame of it is held alone */
    uint32_t frames, blocks;
};

static uint32_t below(struct model *m, uint32_t n)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 11) % n;
}

static void mark(struct model *m, frame_t n, uint32_t frames)
{
    for (frame_t i = n; i < n + frames; i++) {
        uint32_t *at = frame_ptr(m->b.frames, i);
        *at = i; /* what two hold would be overwritten */
    }
}

static void expect(struct model *m, frame_t n, uint32_t frames)
{
    for (frame_t i = n; i < n + frames; i++)
        assert_int_equal(*(uint32_t *)frame_ptr(m->b.frames, i), i);
}

static void drop_block(struct model *m, uint32_t i)
{
    expect(m, m->block[i], PER);
    if (m->cut[i]) { /* in pieces */
        block_split(m->b.frames, m->block[i]);
        for (frame_t k = 0; k < PER; k++)
            frame_put(m->b.frames, m->block[i] + k);
    } else {
        block_put(m->b.frames, m->block[i]);
    }
    m->block[i] = m->block[--m->blocks];
    m->cut[i] = m->cut[m->blocks];
}

static void step(struct model *m)
{
    struct mw_frames *f = m->b.frames;
    uint32_t what = below(m, 100);
    frame_t n;
    if (what < 45 && (n = what % 2 ? frame_alloc(f) : frame_alloc_zeroed(f)) != 0) {
        assert_true(what % 2 || *(uint32_t *)frame_ptr(f, n) == 0);
        mark(m, n, 1);
        m->frame[m->frames++] = n;
    } else if (what < 90 && m->frames > 0) {
        uint32_t i = below(m, m->frames);
        expect(m, m->frame[i], 1);
        if (what % 2)
            memset(frame_ptr(f, m->frame[i]), 0, 4096);
        (what % 2 ? frame_put_clean : frame_put)(f, m->frame[i]);
        m->frame[i] = m->frame[--m->frames];
    } else if (what < 95 && (n = what % 2 ? block_alloc(f) : block_alloc_zeroed(f)) != 0) {
        assert_true(what % 2 || *(uint32_t *)frame_ptr(f, n + below(m, PER)) == 0);
        mark(m, n, PER);
        m->cut[m->blocks] = what % 2;
        m->block[m->blocks++] = n;
    } else if (what < 99 && m->blocks > 0) {
        drop_block(m, below(m, m->blocks));
    } else {
        mw_frames_set_huge(f, 21, below(m, 4));
        mw_frames_clean(f, below(m, 3));
    }
}

static void random_use(void **state)
{
    (void)state;
    static struct model m;
    m = (struct model){ .random = 88172645463325252ull };
    start(&m.b);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 10000; i++)
            step(&m);
        while (round % 2 && m.frames > 0) /* so that there are whole blocks again */
            frame_put(m.b.frames, m.frame[--m.frames]);
        assert_null(block_check(m.b.frames));
        assert_int_equal(mw_frames_free(m.b.frames),
                         mw_frames_total(m.b.frames) - m.frames - PER * m.blocks);
    }
    while (m.frames > 0)
        frame_put(m.b.frames, m.frame[--m.frames]);
    while (m.blocks > 0)
        drop_block(&m, 0);
    mw_frames_set_huge(m.b.frames, 21, 0);
    end(&m.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_frames), cmocka_unit_test(whole_blocks_last),
                                        cmocka_unit_test(split), cmocka_unit_test(cleaned), cmocka_unit_test(random_use) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
