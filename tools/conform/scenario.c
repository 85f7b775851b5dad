/* SPDX-License-Identifier: MIT */
/* scenario.c - runs one scenario's steps on one side, and writes down what comes of them. */
#include "suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

#define MOST_WORDS 8

static struct {
    enum side side;
    char *out;
    size_t size, n;
    uint64_t chosen, base; /* R, and how far it is mapped */
    int64_t locked, total, committed; /* at the start; when they were told last */
    struct mw_huge_stats pool;        /* at the start */
    bool skip;
} run;

static void put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *fmt, ...)
{
    va_list ap;
    int n;
    if (run.n + 2 >= run.size)
        return;
    if (run.n > 0)
        run.out[run.n++] = ' ';
    va_start(ap, fmt);
    n = vsnprintf(run.out + run.n, run.size - run.n, fmt, ap);
    va_end(ap);
    run.n += n > 0 ? (size_t)n : 0;
    if (run.n >= run.size)
        run.n = run.size - 1;
}

/* ---- reading words ---- */

static const char *const bases[] = { "heap", "R" };

/* pages, +bytes with b, 0x... as it is. `origin` is added to what is in pages. */
static bool amount(const char *w, uint64_t origin, uint64_t *out)
{
    char *end;
    uint64_t v;
    if (strncmp(w, "0x", 2) == 0) {
        *out = strtoull(w, &end, 16);
        return *end == 0;
    }
    if (strncmp(w, bases[0], 4) == 0 || w[0] == bases[1][0]) {
        origin = w[0] == 'R' ? run.chosen : HEAP;
        w += w[0] == 'R' ? 1 : 4;
        if (*w == 0)
            w = "0";
    }
    v = (uint64_t)strtoll(w, &end, 10);
    if (*end == 'b' && end[1] == 0) {
        *out = origin + v;
        return true;
    }
    v = v * PAGE;
    if (*end == 'h') {
        v *= HUGE / PAGE;
        end++;
    }
    if (*end == '+' || *end == '-') {
        v += (uint64_t)strtoll(end, &end, 10);
        if (*end++ != 'b')
            return false;
    }
    *out = origin + v;
    return *end == 0;
}

static bool address(const char *w, uint64_t *out)
{
    return amount(w, strcmp(w, "0x0") == 0 ? 0 : ARENA, out);
}

/* Letters as bits. */
static bool letters(const char *w, const char *names, const uint32_t *bits, uint32_t *out)
{
    *out = 0;
    if (strncmp(w, "0x", 2) == 0) {
        *out = (uint32_t)strtoul(w, NULL, 16);
        return true;
    }
    for (; *w; w++) {
        const char *p = strchr(names, *w);
        if (*w == '-' || *w == '0')
            continue;
        if (p == NULL)
            return false;
        *out |= bits[p - names];
    }
    return true;
}

static bool protection(const char *w, uint32_t *out)
{
    static const uint32_t bits[] = { 1, 2, 4, 8, MW_PROT_GROWSDOWN, MW_PROT_GROWSUP };
    return letters(w, "rwxsdu", bits, out);
}

static bool map_flags(const char *w, uint32_t *out)
{
    static const uint32_t bits[] = {
        MW_MAP_PRIVATE, MW_MAP_SHARED, MW_MAP_SHARED_VALIDATE, MW_MAP_FIXED,
        MW_MAP_FIXED_NOREPLACE, MW_MAP_ANONYMOUS, MW_MAP_GROWSDOWN, MW_MAP_LOCKED,
        MW_MAP_NORESERVE, MW_MAP_POPULATE, MW_MAP_STACK, MW_MAP_32BIT, MW_MAP_SYNC,
        MW_MAP_DROPPABLE, MW_MAP_NONBLOCK, MW_MAP_HUGETLB,
    };
    return letters(w, "psvfnadlrokt!DbH", bits, out);
}

static bool remap_flags(const char *w, uint32_t *out)
{
    static const uint32_t bits[] = { 1, 2, 4 };
    return letters(w, "mfu", bits, out);
}

static bool file_of(const char *w, int8_t *out)
{
    for (int8_t i = 0; i <= FILE_PERF; i++)
        if (i != FILE_RING && strcmp(w, file_name[i]) == 0) {
            run.skip = run.skip || (run.side == SIDE_SYSTEM && !setup_file(i));
            *out = i;
            return true;
        }
    *out = FILE_NONE;
    return strcmp(w, "none") == 0;
}

/* ---- steps ---- */

static int64_t make(const struct step *s)
{
    if (run.side == SIDE_SYSTEM)
        return sys_step(s);
    int64_t r = model_step(s);
    if (s->kind < STEP_CALLS && model_not_modelled(r) && r == -MW_ENOSYS)
        run.skip = true;
    return r;
}

static void put_answer(const struct step *s, int64_t r)
{
    uint64_t a = (uint64_t)r;
    bool gives_address = s->kind == STEP_MMAP || s->kind == STEP_MREMAP || s->kind == STEP_BRK;
    if (r < 0 && r > -4096) {
        const char *name = mw_errno_name((int)-r);
        if (strcmp(name, "E?") == 0)
            put("errno%d", (int)-r);
        else
            put("%s", name);
    } else if (!gives_address || a < PAGE) {
        put("%lld", (long long)r);
    } else if (s->kind == STEP_BRK && a >= HEAP - (1u << 20) && a < HEAP + (1u << 24)) {
        put("heap%+lldb", (long long)(r - (int64_t)HEAP));
    } else if (a >= ZONE_LOW && a < ZONE_HIGH) {
        put("@%lld", (long long)(r - (int64_t)ARENA) / (long long)PAGE);
    } else if (a == s->addr || (s->kind == STEP_MREMAP && a == s->to)) {
        put("0x%llx", (unsigned long long)a);
    } else {
        put(a == run.chosen   ? "again"
            : a % HUGE == 0 ? "huge-aligned"
            : s->flags & MW_MAP_32BIT ? "below-2G"
                                      : "chosen");
    }
    if (gives_address && s->kind != STEP_BRK && !(r < 0 && r > -4096) &&
        !(a >= ZONE_LOW && a < ZONE_HIGH)) {
        run.chosen = a;
        run.base = a + (s->kind == STEP_MREMAP ? s->more : s->len);
    }
}

/* Of a step that only prepares, a failure is told. */
static bool prepare(const struct step *s)
{
    int64_t r = make(s);
    if (r < 0 && r > -4096)
        put_answer(s, r);
    return true;
}

static bool call(const struct step *s)
{
    put_answer(s, make(s));
    return true;
}

static bool map_words(char **w, int n, struct step *s)
{
    uint32_t more = 0;
    s->kind = STEP_MMAP;
    s->flags = MW_MAP_FIXED;
    if (n < 4 || !address(w[1], &s->addr) || !amount(w[2], 0, &s->len) ||
        !protection(w[3], &s->prot))
        return false;
    if (strcmp(w[0], "file") == 0) {
        if (n != 7 || !map_flags(w[4], &more) || !file_of(w[5], &s->file) ||
            !amount(w[6], 0, &s->more))
            return false;
    } else {
        s->flags |= MW_MAP_ANONYMOUS | (strcmp(w[0], "huge") == 0 ? MW_MAP_HUGETLB : 0);
        s->flags |= strcmp(w[0], "shared") == 0 ? MW_MAP_SHARED : MW_MAP_PRIVATE;
        if (n > 4 && !map_flags(w[4], &more))
            return false;
    }
    s->flags |= more;
    if (s->flags & MW_MAP_SHARED)
        s->flags &= ~(uint32_t)MW_MAP_PRIVATE;
    run.skip = run.skip || (s->flags & MW_MAP_HUGETLB && sys.huge_pages == 0);
    return run.skip || prepare(s);
}

static bool parse_call(char **w, int n, struct step *s)
{
    if (strcmp(w[0], "mmap") == 0) {
        s->kind = STEP_MMAP;
        return n == 7 && address(w[1], &s->addr) && amount(w[2], 0, &s->len) &&
               protection(w[3], &s->prot) && map_flags(w[4], &s->flags) &&
               file_of(w[5], &s->file) && amount(w[6], 0, &s->more);
    }
    if (strcmp(w[0], "munmap") == 0 || strcmp(w[0], "unmap") == 0) {
        s->kind = STEP_MUNMAP;
        return n == 3 && address(w[1], &s->addr) && amount(w[2], 0, &s->len);
    }
    if (strcmp(w[0], "mprotect") == 0 || strcmp(w[0], "protect") == 0) {
        s->kind = STEP_MPROTECT;
        return n == 4 && address(w[1], &s->addr) && amount(w[2], 0, &s->len) &&
               protection(w[3], &s->prot);
    }
    if (strcmp(w[0], "mremap") == 0) {
        s->kind = STEP_MREMAP;
        return n == 6 && address(w[1], &s->addr) && amount(w[2], 0, &s->len) &&
               amount(w[3], 0, &s->more) && remap_flags(w[4], &s->flags) && address(w[5], &s->to);
    }
    s->kind = STEP_BRK;
    if (run.side == SIDE_SYSTEM && !sys.heap)
        run.skip = true;
    return strcmp(w[0], "brk") == 0 && n == 2 && address(w[1], &s->addr);
}

static bool call_words(char **w, int n, struct step *s)
{
    bool quiet = strcmp(w[0], "unmap") == 0 || strcmp(w[0], "protect") == 0;
    if (!parse_call(w, n, s))
        return false;
    run.skip = run.skip || (s->kind == STEP_MMAP && s->flags & MW_MAP_HUGETLB && sys.huge_pages == 0);
    return run.skip || (quiet ? prepare(s) : call(s));
}

/* ---- touching and reading ---- */

static enum met one_store(uint64_t addr, uint32_t value)
{
    return run.side == SIDE_SYSTEM ? touch_store(addr, value) : model_store(addr, value);
}

static const char *met_short(enum met met)
{
    static const char *const text[] = { "ok", "MAPERR", "ACCERR", "BUS", "?" };
    return text[met <= MET_OTHER ? met : MET_OTHER];
}

/* `by`: the size of a page. */
static bool touch(uint64_t addr, uint64_t len, uint32_t first, uint64_t by)
{
    for (uint64_t a = addr; a < addr + len; a += by) {
        enum met met = one_store(a, (uint32_t)((a - addr) / by) + first);
        if (met != MET_OK)
            put("%s", met_short(met));
    }
    return true;
}

static bool read_pages(uint64_t addr, uint64_t len, uint64_t by)
{
    char text[256] = "";
    size_t n = 0;
    for (uint64_t a = addr; a < addr + len && n < sizeof text - 16; a += by) {
        uint32_t v = 0;
        enum met met = run.side == SIDE_SYSTEM ? touch_load(a, &v) : model_load(a, &v);
        const char *comma = n ? "," : "";
        n += (size_t)(met == MET_OK ? snprintf(text + n, sizeof text - n, "%s%u", comma, v)
                                    : snprintf(text + n, sizeof text - n, "%s%s", comma,
                                               met_short(met)));
    }
    put("data=%s", text);
    return true;
}

/* ---- circumstances ---- */

static bool limit_words(char **w, int n, struct step *s)
{
    static const char *const name[] = { "as", "data", "lock", "stack", "heap" };
    s->kind = STEP_LIMIT;
    if (n != 3)
        return false;
    for (s->prot = 0; s->prot < 5; s->prot++)
        if (strcmp(w[1], name[s->prot]) == 0)
            break;
    s->flags = s->prot == 4;
    if (s->prot == 4)
        s->prot = MW_LIMIT_DATA;
    s->len = strtoull(w[2], NULL, 10);
    if (run.side == SIDE_SYSTEM && !sys.status && s->prot <= MW_LIMIT_DATA && !s->flags)
        run.skip = true;
    return s->prot < 4 && (run.skip || prepare(s));
}

static bool piece_words(char **w, int n, struct step *s)
{
    s->kind = strcmp(w[0], "seal") == 0 ? STEP_MSEAL : STEP_MADVISE;
    s->more = s->kind == STEP_MADVISE ? MW_MADV_DONTFORK : 0;
    if (s->kind == STEP_MSEAL && run.side == SIDE_SYSTEM && !sys.seal)
        run.skip = true;
    if (n != 3 || !address(w[1], &s->addr) || !amount(w[2], 0, &s->len))
        return false;
    if (s->kind == STEP_MSEAL && run.side == SIDE_ENGINE) /* the table has a column for each Linux, with seals or not */
        return mw_import_flags(model.space, s->addr, s->addr + s->len, 0, MW_VM_SEALED, true) == 0;
    return run.skip || prepare(s);
}

static uint64_t mappings(void)
{
    struct mw_stats now;
    struct seen a;
    uint64_t count = 0;
    if (run.side == SIDE_ENGINE) {
        mw_stats(model.space, &now);
        return now.map_count;
    }
    for (uint64_t at = 0; sys_next(at, &a) && a.start < TASK_END; at = a.end)
        count++;
    return count;
}

static bool can_fill(void)
{
    run.skip = run.skip || sys.max_map_count > 100000 ||
               (run.side == SIDE_SYSTEM && sys.look == LOOK_PROBE);
    return !run.skip;
}

static bool fill_words(char **w, int n, struct step *s)
{
    s->kind = STEP_FILL;
    if (!can_fill())
        return true;
    s->len = sys.max_map_count - mappings() - (n == 2 ? strtoull(w[1], NULL, 10) : 0);
    return n == 2 && prepare(s);
}

#define MOST_SLOTS 12

static bool slots_words(char **w, int n, struct step *s)
{
    struct step fill = { .kind = STEP_FILL }, one = { .kind = STEP_MUNMAP, .len = PAGE };
    int64_t last = 0, r;
    if (n < 2 || !parse_call(w + 1, n - 1, s))
        return false;
    if (!can_fill())
        return true;
    fill.len = sys.max_map_count - mappings() + 1;
    make(&fill);
    for (int i = 0; i < MOST_SLOTS; i++) {
        r = make(s);
        r = r < 0 && r > -4096 ? r : 1;
        if (r != last)
            put("from%d=%s", i, r < 0 ? mw_errno_name((int)-r) : "ok");
        last = r;
        if (r > 0)
            break;
        one.addr = FILL + (fill.len - 1 - (uint64_t)i) * PAGE;
        make(&one);
    }
    one.addr = FILL; /* a look at so many mappings would take long */
    one.len = fill.len * PAGE;
    make(&one);
    return true;
}

/* Of a step of setup.c: a failure is told. */
static bool set_up(int64_t result)
{
    run.skip = run.skip || result == SETUP_CANT;
    if (result < 0 && !run.skip)
        put("%s", mw_errno_name((int)-result));
    return true;
}

/* False: it is none of these words. */
static bool setup_words(char **w, int n, bool *good)
{
    uint64_t a = 0, len = 0;
    bool advise = strcmp(w[0], "advise") == 0 && n > 2;
    char **range = advise ? w + 1 : w;
    *good = n > 1 && address(range[1], &a) && (range + 2 >= w + n || amount(range[2], 0, &len));
    if (!*good)
        return false;
    if (advise)
        set_up(setup_advise(run.side, w[1], a, len));
    else if (strcmp(w[0], "lock") == 0)
        set_up(setup_lock(run.side, a, len, n > 3));
    else if (strcmp(w[0], "unlock") == 0)
        set_up(setup_unlock(run.side, a, len));
    else if (strcmp(w[0], "watch") == 0)
        set_up(setup_watch(run.side, a, len));
    else if (strcmp(w[0], "ring") == 0)
        set_up(setup_ring(run.side, a, len));
    else if (strcmp(w[0], "vdso") == 0)
        set_up(setup_vdso(run.side, a));
    else if (strcmp(w[0], "hugefile") == 0)
        set_up(setup_huge_file(run.side, a, len));
    else if (strcmp(w[0], "shm") == 0)
        set_up(setup_shm(run.side, a, len));
    else
        return false;
    return true;
}

static void put_present(uint64_t addr, uint64_t len)
{
    char text[128] = "";
    size_t n = 0;
    for (uint64_t a = addr; a < addr + len && n < sizeof text - 1; a += PAGE) {
        int is = look_present(run.side, a);
        run.skip = run.skip || is < 0;
        text[n++] = is > 0 ? '1' : '0';
    }
    put("present=%s", text);
}

static uint64_t page_of(const char *word)
{
    return *word == 'h' ? HUGE : PAGE;
}

static bool other_words(char **w, int n, struct step *s)
{
    uint64_t a, len;
    bool good;
    if (setup_words(w, n, &good))
        return good;
    if (strcmp(w[0], "present") == 0 && n == 3 && address(w[1], &a) && amount(w[2], 0, &len)) {
        put_present(a, len);
        return true;
    }
    if (strcmp(w[0], "slots") == 0)
        return slots_words(w, n, s);
    if (strcmp(w[0], "touch") == 0 || strcmp(w[0], "htouch") == 0)
        return n >= 3 && address(w[1], &a) && amount(w[2], 0, &len) &&
               touch(a, len, n > 3 ? (uint32_t)strtoul(w[3], NULL, 10) : 1, page_of(w[0]));
    if (strcmp(w[0], "data") == 0 || strcmp(w[0], "hdata") == 0)
        return n == 3 && address(w[1], &a) && amount(w[2], 0, &len) &&
               read_pages(a, len, page_of(w[0]));
    if (strcmp(w[0], "store") == 0 && n == 3 && address(w[1], &a)) {
        put("%s", met_short(one_store(a, (uint32_t)strtoul(w[2], NULL, 10))));
        return true;
    }
    if (strcmp(w[0], "limit") == 0)
        return limit_words(w, n, s);
    if (strcmp(w[0], "seal") == 0 || strcmp(w[0], "nofork") == 0)
        return piece_words(w, n, s);
    if (strcmp(w[0], "fill") == 0)
        return fill_words(w, n, s);
    if (strcmp(w[0], "fork") == 0)
        return s->kind = STEP_FORK, prepare(s);
    if (strcmp(w[0], "future") == 0) {
        s->kind = STEP_MLOCKALL;
        s->flags = n > 1 ? MW_MCL_FUTURE | MW_MCL_ONFAULT : MW_MCL_FUTURE;
        run.skip = run.skip || (run.side == SIDE_SYSTEM && !sys.privileged);
        return run.skip || prepare(s);
    }
    if (strcmp(w[0], "engine") == 0) { /* not for a real system */
        run.skip = run.side == SIDE_SYSTEM;
        return true;
    }
    if (strcmp(w[0], "unprivileged") == 0) {
        s->kind = STEP_CAPS;
        return prepare(s);
    }
    return call_words(w, n, s);
}

/* ---- counters ---- */

static void count(struct counted *c)
{
    memset(c, 0, sizeof *c);
    if (run.side == SIDE_ENGINE)
        model_counters(c);
    else
        run.skip = !sys.status || !sys_counters(c);
}

static void put_locked(void)
{
    struct counted c;
    count(&c);
    put("locked=%lld", (long long)(c.locked - run.locked));
}

static void put_size(void)
{
    struct counted c;
    count(&c);
    put("size=%+lld", (long long)(c.total - run.total));
    run.total = c.total;
}

static void put_committed(void)
{
    const int64_t unit = (256 << 20) / (int64_t)PAGE;
    int64_t now = look_committed(run.side), more = now - run.committed;
    run.skip = run.skip || now < 0;
    put("committed=%+lld", (long long)((more + (more < 0 ? -unit : unit) / 2) / unit));
    run.committed = now;
}

static void look_at_pool(struct mw_huge_stats *out)
{
    if (run.side == SIDE_ENGINE)
        model_huge_pool(out);
    else if (!sys_huge_pool(out))
        run.skip = true;
}

static void put_pool(void)
{
    struct mw_huge_stats now;
    look_at_pool(&now);
    put("free=%lld rsvd=%lld", (long long)(sys.huge_pages + now.free - run.pool.free),
        (long long)(now.promised - run.pool.promised));
}

static void put_flags(uint64_t addr)
{
    char text[96];
    run.skip = !look_flags(run.side, addr, text, sizeof text);
    put("flags=%s", text);
}

static void put_layout(void);

/* What is looked at. False: it is none of these words. */
static bool look_words(char **w, int n)
{
    uint64_t a;
    if (strcmp(w[0], "locked") == 0)
        put_locked();
    else if (strcmp(w[0], "size") == 0)
        put_size();
    else if (strcmp(w[0], "committed") == 0)
        put_committed();
    else if (strcmp(w[0], "pool") == 0)
        put_pool();
    else if (strcmp(w[0], "show") == 0)
        put_layout();
    else if (strcmp(w[0], "flags") == 0 && n == 2 && address(w[1], &a))
        put_flags(a);
    else
        return false;
    return true;
}

static bool one(char **w, int n)
{
    struct step s;
    memset(&s, 0, sizeof s);
    s.file = FILE_NONE;
    if (look_words(w, n))
        return true;
    if (strcmp(w[0], "anon") == 0 || strcmp(w[0], "shared") == 0 || strcmp(w[0], "file") == 0 ||
        strcmp(w[0], "huge") == 0)
        return map_words(w, n, &s);
    return other_words(w, n, &s);
}

/* ---- the end ---- */

static void put_area(const struct seen *a, const char *where, uint64_t from)
{
    char kind[48] = "";
    if (a->file >= 0)
        snprintf(kind, sizeof kind, ":%s@%llu", file_name[a->file],
                 (unsigned long long)(a->offset / PAGE));
    else if (a->file == AREA_SHARED_ANONYMOUS)
        snprintf(kind, sizeof kind, ":shared@%llu", (unsigned long long)(a->offset / PAGE));
    put("%s[%lld,%lld)%c%c%c%c%s", where, (long long)(a->start - from) / (long long)PAGE,
        (long long)(a->end - from) / (long long)PAGE, a->prot & 1 ? 'r' : '-',
        a->prot & 2 ? 'w' : '-', a->prot & 4 ? 'x' : '-', a->prot & 8 ? 's' : 'p', kind);
}

static bool next_area(uint64_t addr, struct seen *out)
{
    return run.side == SIDE_ENGINE ? model_next(addr, out) : sys_next(addr, out);
}

static void put_layout(void)
{
    struct seen a;
    if (run.side == SIDE_SYSTEM && sys.look == LOOK_PROBE)
        return;
    sys_changed();
    for (uint64_t at = ZONE_LOW; next_area(at, &a) && a.start < FILL; at = a.end) {
        bool heap = a.start >= HEAP - (1u << 20);
        put_area(&a, heap ? "heap" : "", heap ? HEAP : ARENA);
    }
    if (run.chosen == 0 || run.chosen >= run.base)
        return;
    for (uint64_t at = run.chosen; at < run.base && next_area(at, &a) && a.start < run.base; at = a.end) {
        a.start = a.start < run.chosen ? run.chosen : a.start;
        a.end = a.end > run.base ? (run.base + PAGE - 1) & ~(PAGE - 1) : a.end;
        put_area(&a, "R", run.chosen);
    }
}

enum outcome scenario_run(const struct scenario *s, enum side side, char *out, size_t size)
{
    char text[1024], *save = NULL;
    struct counted c = { 0, 0, 0, 0 };
    if (strlen(s->steps) >= sizeof text)
        return OUTCOME_WRONG;
    strcpy(text, s->steps);
    memset(&run, 0, sizeof run);
    run.side = side;
    run.out = out;
    run.size = size;
    out[0] = 0;
    if (side == SIDE_ENGINE)
        model_counters(&c);
    else
        sys_counters(&c);
    run.locked = c.locked;
    run.total = c.total;
    run.committed = look_committed(side);
    if (sys.huge_pages > 0)
        look_at_pool(&run.pool);
    for (char *p = strtok_r(text, ";", &save); p; p = strtok_r(NULL, ";", &save)) {
        char *w[MOST_WORDS], *more = NULL;
        int n = 0;
        for (char *q = strtok_r(p, " ", &more); q && n < MOST_WORDS; q = strtok_r(NULL, " ", &more))
            w[n++] = q;
        if (n > 0 && !one(w, n))
            return OUTCOME_WRONG;
        if (run.skip)
            return OUTCOME_SKIP;
    }
    put_layout();
    return OUTCOME_RAN;
}

const char *scenario_expected(const struct scenario *s, uint32_t version)
{
    const char *text = NULL;
    for (int i = 0; i < MOST_VERSIONS && s->expected[i].text; i++)
        if (s->expected[i].since <= version)
            text = s->expected[i].text;
    return text;
}
