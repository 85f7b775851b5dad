/* SPDX-License-Identifier: MIT */
/* unit.c - the bench that unit tests work on, and rows of mappings as text. */
#include "unit.h"

#include <ctype.h>

static void *bench_alloc(void *ctx, size_t size)
{
    struct bench *b = ctx;
    if (b->fail_in > 0 && --b->fail_in == 0) {
        b->failed = true;
        b->fail_in = b->fail_for_ever;
        return NULL;
    }
    void *p = malloc(size);
    assert_non_null(p);
    memset(p, 0xa5, size);
    b->allocations++;
    return p;
}

static void bench_free(void *ctx, void *p, size_t size)
{
    struct bench *b = ctx;
    memset(p, 0x5a, size);
    free(p);
    b->allocations--;
}

static void bench_lock(void *ctx)
{
    struct bench *b = ctx;
    assert_int_equal(b->locked, 0);
    b->locked = 1;
}

static void bench_unlock(void *ctx)
{
    struct bench *b = ctx;
    assert_int_equal(b->locked, 1);
    b->locked = 0;
}

static void bench_flush(void *ctx, uint64_t id, const struct mw_range *ranges, size_t n)
{
    struct bench *b = ctx;
    assert_int_equal(id, b->config.id);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        assert_true(ranges[i].start < ranges[i].end);
    b->flushes++;
    b->flushed_ranges += n;
}

static int read_page(void *ctx, uint64_t index, void *page)
{
    uint32_t value = 100 + (uint32_t)index;
    (void)ctx;
    memcpy(page, &value, sizeof value);
    return 0;
}

static const struct mw_object_ops object_ops = { .read = read_page };

void bench_config(struct bench *b, uint32_t page_shift, uint64_t frames)
{
    memset(b, 0, sizeof *b);
    b->port = (struct mw_port){ .ctx = b, .alloc = bench_alloc, .free = bench_free,
                                .lock = bench_lock, .unlock = bench_unlock,
                                .flush = bench_flush };
    b->page = 1ull << page_shift;
    mw_config_init(&b->config, &b->port);
    b->config.page_shift = page_shift;
    b->config.task_size &= ~(b->page - 1);
    b->config.mmap_base &= ~(b->page - 1);
    b->config.low_base = b->config.task_size / 3 & ~(b->page - 1);
    b->config.id = 77;
    if (frames == 0)
        return;
    b->memory = aligned_alloc(b->page, frames * b->page);
    assert_non_null(b->memory);
    memset(b->memory, 0xee, frames * b->page);
    assert_int_equal(mw_frames_create(&b->port, b->memory, frames * b->page, page_shift,
                                      &b->frames), 0);
    b->config.frames = b->frames;
}

void bench_open(struct bench *b)
{
    assert_int_equal(mw_space_create(&b->config, &b->space), 0);
    assert_int_equal(mw_object_create(&b->port, b->frames, &object_ops, b, 64 * b->page, 0,
                                      &b->object), 0);
    b->file = (struct mw_file){ .object = b->object, .mode = MW_FILE_READ | MW_FILE_WRITE };
}

void bench_start(struct bench *b)
{
    bench_config(b, 12, 1024);
    bench_open(b);
}

void bench_close(struct bench *b)
{
    const char *what = "";
    if (b->space) {
        int bad = mw_check(b->space, &what);
        if (bad)
            fail_msg("unsound: %s", what);
        mw_space_destroy(b->space);
    }
    if (b->object)
        mw_object_put(b->object);
    if (b->frames) {
        assert_int_equal(mw_frames_free(b->frames), mw_frames_total(b->frames));
        assert_int_equal(mw_frames_destroy(b->frames), 0);
    }
    assert_int_equal(b->allocations, 0);
    assert_int_equal(b->locked, 0);
    free(b->memory);
}

uint64_t at(const struct bench *b, int64_t page)
{
    return BASE + (uint64_t)page * b->page;
}

/* ---- rows ---- */

static uint32_t prot_of(char c)
{
    switch (tolower(c)) {
    case 'r':
        return MW_PROT_READ;
    case 'x':
        return MW_PROT_READ | MW_PROT_EXEC;
    case 'w':
        return RW_ | MW_PROT_EXEC;
    case '-':
    case 'n':
        return MW_PROT_NONE;
    default:
        return RW_;
    }
}

static void draw_run(struct bench *b, char c, int64_t page, int64_t n)
{
    uint64_t len = (uint64_t)n * b->page;
    uint32_t flags = MW_MAP_FIXED;
    bool file = c == 'f' || c == 'F', touched = isupper(c) && c != 'F';
    flags |= c == 's' || c == 'F' ? MW_MAP_SHARED : MW_MAP_PRIVATE;
    flags |= file ? 0 : MW_MAP_ANONYMOUS;
    uint32_t first = touched ? RW_ : prot_of(c);
    assert_int_equal(mw_mmap(b->space, at(b, page), len, first, flags, file ? &b->file : NULL,
                             file ? (uint64_t)page * b->page : 0, NULL), at(b, page));
    if (!touched)
        return;
    mw_touch(b->space, at(b, page), at(b, page + n));
    if (prot_of(c) != RW_)
        assert_int_equal(mw_mprotect(b->space, at(b, page), len, prot_of(c), NULL), 0);
}

void draw(struct bench *b, const char *row)
{
    int64_t page = 0;
    for (const char *p = row; *p;) {
        int64_t n = 1;
        while (p[n] == *p)
            n++;
        if (*p == '|') {
            p++;
            continue;
        }
        if (*p != '.')
            draw_run(b, *p, page, n);
        page += n;
        p += n;
    }
}

static char letter_of(const struct bench *b, const struct mw_vma *v)
{
    static const char letters[] = "-raaxxww";
    bool touched = v->anon != 0;
    char c = letters[v->flags & 7];
    if (v->flags & MW_VM_MIRRORED)
        return 'm';
    if (v->object != NULL)
        return v->flags & MW_VM_MAYSHARE ? (v->object == b->object ? 'F' : 's') : 'f';
    if (c == '-')
        return touched ? 'N' : '-';
    return touched ? (char)toupper(c) : c;
}

const char *drawn(const struct bench *b)
{
    static char row[512];
    size_t n = 0;
    struct mw_vma v;
    uint64_t from = BASE;
    char last = '.';
    for (uint64_t a = BASE; mw_find_vma(b->space, a, &v) && v.end <= BASE + 200 * b->page;
         a = v.end) {
        char c = letter_of(b, &v);
        for (; from < v.start; from += b->page)
            row[n++] = last = '.';
        if (c == last)
            row[n++] = '|';
        for (; from < v.end; from += b->page)
            row[n++] = last = c;
    }
    row[n] = 0;
    return row;
}

void expect_row(const struct bench *b, const char *row, const char *what)
{
    const char *is = drawn(b);
    char short_row[512];
    size_t n = strlen(row);
    while (n > 0 && row[n - 1] == '.')
        n--;
    memcpy(short_row, row, n);
    short_row[n] = 0;
    if (strcmp(is, short_row) != 0)
        fail_msg("%s: the row is \"%s\", should be \"%s\"", what, is, row);
}

void expect_why(int64_t result, const struct mw_why *why, const char *what)
{
    char text[400];
    if (result >= 0 || result < -4095) {
        if (why->err != 0)
            fail_msg("%s: a reason for a success: %s", what, mw_why_name(why));
        return;
    }
    if (why->err != -result)
        fail_msg("%s: result %s, reason %s", what, mw_errno_name((int)-result),
                 mw_errno_name(why->err));
    if (mw_why_rule(why)[0] == 0 || mw_why_name(why)[0] == 0)
        fail_msg("%s: a reason without rule or name", what);
    size_t n = mw_why_text(why, text, sizeof text);
    if (n == 0 || strlen(text) != (n < sizeof text ? n : sizeof text - 1) || strchr(text, '%'))
        fail_msg("%s: text \"%s\"", what, text);
}

int64_t peek(struct bench *b, uint64_t addr)
{
    uint32_t value;
    if (mw_read(b->space, addr, &value, sizeof value, NULL) != sizeof value)
        return -1;
    return value;
}

void poke(struct bench *b, uint64_t addr, uint32_t value)
{
    assert_int_equal(mw_write(b->space, addr, &value, sizeof value, NULL), sizeof value);
}

static int64_t call_of(struct bench *b, const struct row_case *c, struct mw_why *why)
{
    uint64_t addr = at(b, c->page), len = (uint64_t)c->n * b->page;
    switch (c->call) {
    case MMAP:
        return mw_mmap(b->space, addr, len, (uint32_t)c->m, c->flags,
                       c->flags & MW_MAP_ANONYMOUS ? NULL : &b->file,
                       c->flags & MW_MAP_ANONYMOUS ? 0 : (uint64_t)c->page * b->page, why);
    case MUNMAP:
        return mw_munmap(b->space, addr, len, why);
    case MPROTECT:
        return mw_mprotect(b->space, addr, len, (uint32_t)c->m, why);
    case MREMAP:
        return mw_mremap(b->space, addr, len, (uint64_t)c->m * b->page, c->flags, at(b, c->to),
                         why);
    }
    return -1;
}

void run_rows(const struct row_case *cases, size_t n, uint32_t page_shift)
{
    for (size_t i = 0; i < n; i++) {
        const struct row_case *c = &cases[i];
        struct mw_why why;
        struct bench b;
        char what[200];
        bench_config(&b, page_shift, 256);
        bench_open(&b);
        draw(&b, c->before);
        snprintf(what, sizeof what, "case %zu, \"%s\"", i, c->before);
        int64_t r = call_of(&b, c, &why);
        if ((r < 0 ? -r : 0) != c->err)
            fail_msg("%s: result %lld, should be %s", what, (long long)r, mw_errno_name(c->err));
        expect_why(r, &why, what);
        expect_row(&b, c->after, what);
        bench_close(&b);
    }
}
