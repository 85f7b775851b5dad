/* SPDX-License-Identifier: MIT */
/*
 * emit.c - writes a finding as a C program that needs nothing but a C compiler:
 * it makes the calls, prints what the system answers and what each Linux
 * answers, and ends with 0 or 1.
 */
#include "emit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint32_t versions[] = { MW_LINUX(6, 1),  MW_LINUX(6, 7),  MW_LINUX(6, 11),
                                     MW_LINUX(6, 12), MW_LINUX(6, 16), MW_LINUX(6, 17),
                                     MW_LINUX(7, 2),  MW_LINUX_NEWEST };
enum { VERSIONS = sizeof versions / sizeof versions[0] };

static FILE *f;
static const struct episode *ep;
static struct expectation want[VERSIONS];
static int wanted;

/* ---- addresses ---- */

static bool in_arena(uint64_t a)
{
    return a >= ZONE_LOW && a < ZONE_HIGH;
}

/* Its result is an address. */
static bool is_placed(const struct step *s)
{
    return s->kind == STEP_MMAP || s->kind == STEP_MREMAP || s->kind == STEP_RING || s->kind == STEP_SHMAT;
}

/* A step before `i` that the system chose a place for, where `a` lies: its number, or -1. */
static int place_of(int i, uint64_t a, uint64_t *from)
{
    for (int k = i - 1; k >= 0; k--) {
        const struct step *s = &ep->step[k];
        uint64_t len = s->kind == STEP_MREMAP ? s->more
                       : s->kind == STEP_RING ? sys.ring_bytes
                       : s->kind == STEP_SHMAT ? 6 * PAGE
                                              : s->len;
        int64_t r = want[0].result[k];
        if (!is_placed(s) || r <= 0 || in_arena((uint64_t)r))
            continue;
        if ((uint64_t)r == s->addr || (s->kind == STEP_MREMAP && (uint64_t)r == s->to))
            continue;
        if (a + 256 * PAGE >= (uint64_t)r && a <= (uint64_t)r + len + 16 * PAGE) {
            *from = (uint64_t)r;
            return k;
        }
    }
    return -1;
}

static void put_address(int i, uint64_t a)
{
    uint64_t from;
    int k = in_arena(a) ? -1 : place_of(i, a, &from);
    if (k >= 0)
        fprintf(f, "(unsigned long)result[%d] + %" PRId64 "L", k, (int64_t)(a - from));
    else if (in_arena(a) && a % PAGE == 0)
        fprintf(f, "A(%" PRId64 ")", (int64_t)(a - ARENA) / (int64_t)PAGE);
    else if (in_arena(a))
        fprintf(f, "A(%" PRId64 ") + %" PRIu64, (int64_t)((a & ~(PAGE - 1)) - ARENA) /
                                                    (int64_t)PAGE, a % PAGE);
    else
        fprintf(f, "0x%" PRIx64 "ul", a);
}

static void put_length(uint64_t n)
{
    if (n != 0 && n % PAGE == 0 && n / PAGE < 100000)
        fprintf(f, "%" PRIu64 " * P", n / PAGE);
    else
        fprintf(f, "0x%" PRIx64 "ul", n);
}

/* ---- one step ---- */

static const char *const file_variable[FILES_TO_MAP] = {
    "file", "small_file", "read_only_file", "write_only_file", "a_pipe", "dev_zero",
    "append_file", "noexec_file", "proc_file", "huge_file",
};

static void put_mmap(int i, const struct step *s)
{
    fprintf(f, "syscall(SYS_mmap, ");
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    fprintf(f, ", 0x%xul, 0x%xul, (long)%s, ", s->prot, s->flags,
            s->file == FILE_NONE ? "-1" : file_variable[s->file]);
    put_length(s->more);
    fprintf(f, ")");
}

static void put_range_call(int i, const struct step *s, const char *nr, uint64_t last, bool more)
{
    fprintf(f, "syscall(%s, ", nr);
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    if (more)
        fprintf(f, ", 0x%" PRIx64 "ul", last);
    fprintf(f, ")");
}

static void put_mremap(int i, const struct step *s)
{
    fprintf(f, "syscall(SYS_mremap, ");
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    fprintf(f, ", ");
    put_length(s->more);
    fprintf(f, ", 0x%xul, ", s->flags);
    put_address(i, s->to);
    fprintf(f, ")");
}

static void put_limit(const struct step *s)
{
    static const char *const name[] = { "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_MEMLOCK",
                                        "RLIMIT_STACK" };
    static const char *const used[] = { "VmSize:", "VmData:" };
    if (s->len == UINT64_MAX)
        fprintf(f, "limit(%s, NULL, -1)", name[s->prot]);
    else if (s->prot <= MW_LIMIT_DATA && !s->flags)
        fprintf(f, "limit(%s, \"%s\", %" PRIu64 ")", name[s->prot], used[s->prot], s->len);
    else
        fprintf(f, "limit(%s, NULL, %" PRIu64 ")", name[s->prot], s->len);
}

static void put_access(int i, const struct step *s)
{
    fprintf(f, s->kind == STEP_STORE ? "store(" : "load(");
    put_address(i, s->addr);
    if (s->kind == STEP_STORE)
        fprintf(f, ", %" PRIu64 ")", s->to);
    else
        fprintf(f, ", &value[%d])", i);
}

static void put_copy(int i, const struct step *s)
{
    fprintf(f, s->kind == STEP_COPY_IN ? "copy_in(" : "copy_out(");
    put_address(i, s->addr);
    fprintf(f, ", %" PRIu64, s->len);
    if (s->kind == STEP_COPY_OUT)
        fprintf(f, ", &value[%d]", i);
    fprintf(f, ")");
}

/* With the pages that are not a file's, and so can be compared. */
static void put_mincore(int i, const struct step *s)
{
    fprintf(f, "core(");
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    fprintf(f, ", 0x%xu, &value[%d])", want[0].known[i], i);
}

static void put_advise(int i, const struct step *s)
{
    struct mw_iovec range[RANGES];
    fprintf(f, "advise(%u, ", step_ranges(s, range));
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    fprintf(f, ", ");
    put_address(i, s->to);
    fprintf(f, ", ");
    put_length(s->prot);
    fprintf(f, ", 0x%" PRIx64 "ul, 0x%xul)", s->more, s->flags);
}

static void put_remap(int i, const struct step *s)
{
    fprintf(f, "syscall(SYS_remap_file_pages, ");
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    fprintf(f, ", 0x%xul, 0x%" PRIx64 "ul, 0x%xul)", s->prot, s->more, s->flags);
}

static void put_key_protect(int i, const struct step *s)
{
    fprintf(f, "syscall(SYS_pkey_mprotect, ");
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    fprintf(f, ", 0x%xul, %d)", s->prot, (int)s->more);
}

static void put_shmat(int i, const struct step *s)
{
    fprintf(f, "syscall(SYS_shmat, ");
    if (s->file < 0)
        fprintf(f, "-1, ");
    else
        fprintf(f, "segment(%d), ", s->file);
    put_address(i, s->addr);
    fprintf(f, ", 0x%xul)", s->flags);
}

/* Files, segments, names. */
static void put_object(int i, const struct step *s)
{
    const char *name = name_of_memory(s->file);
    switch (s->kind) {
    case STEP_TRUNCATE:
        fprintf(f, "syscall(SYS_ftruncate, (long)writable(%s), 0x%" PRIx64 "ul)", file_variable[s->file], s->len);
        break;
    case STEP_SHMAT:
        put_shmat(i, s);
        break;
    case STEP_SHMDT:
        fprintf(f, "syscall(SYS_shmdt, ");
        put_address(i, s->addr);
        fprintf(f, ")");
        break;
    case STEP_PROCESS_MADVISE:
        put_advise(i, s);
        break;
    case STEP_REMAP_FILE_PAGES:
        put_remap(i, s);
        break;
    case STEP_PKEY_ALLOC:
        fprintf(f, "syscall(SYS_pkey_alloc, 0x%xul, 0x%" PRIx64 "ul)", s->flags, s->more);
        break;
    case STEP_PKEY_FREE:
        fprintf(f, "syscall(SYS_pkey_free, %d)", (int)s->more);
        break;
    case STEP_PKEY_MPROTECT:
        put_key_protect(i, s);
        break;
    case STEP_SHM_REMOVE:
        fprintf(f, "remove_segment(%d)", s->file);
        break;
    default:
        fprintf(f, "syscall(SYS_prctl, 0x53564d41ul /* PR_SET_VMA */, 0ul, ");
        put_address(i, s->addr);
        fprintf(f, ", 0x%" PRIx64 "ul, %s%s%s)", s->len, name ? "\"" : "", name ? name : "NULL", name ? "\"" : "");
    }
}

static void put_watch(int i, const struct step *s)
{
    static const char *const call[] = { "watch_register", "watch_unregister", "watch_copy", "watch_zeropage",
                                        "watch_continue", "watch_poison", "watch_move", "watch_protect" };
    if (s->kind == STEP_WATCHER || s->kind == STEP_UNWATCHER) {
        fprintf(f, s->kind == STEP_WATCHER ? "open_watcher(%d, 0x%" PRIx64 "ul)" : "close_watcher(%d)", s->file, s->more);
        return;
    }
    fprintf(f, "%s(%d, ", call[s->kind - STEP_REGISTER], s->file);
    put_address(i, s->addr);
    fprintf(f, ", ");
    put_length(s->len);
    fprintf(f, ", 0x%" PRIx64 "ul, ", s->more);
    put_address(i, s->to);
    fprintf(f, ")");
}

static void put_rare(int i, const struct step *s)
{
    if (s->kind == STEP_THP)
        fprintf(f, "prctl(PR_SET_THP_DISABLE, 0ul, 0ul, 0ul, 0ul)");
    else if ((s->kind >= STEP_NAME && s->kind < STEP_REGISTER) || s->kind == STEP_SHM_REMOVE)
        put_object(i, s);
    else if ((s->kind >= STEP_REGISTER && s->kind < STEP_CALLS) || s->kind == STEP_WATCHER || s->kind == STEP_UNWATCHER)
        put_watch(i, s);
    else
        fprintf(f, "0");
}

static void put_call(int i, const struct step *s)
{
    switch (s->kind) {
    case STEP_MMAP: put_mmap(i, s); break;
    case STEP_MUNMAP: put_range_call(i, s, "SYS_munmap", 0, false); break;
    case STEP_MPROTECT: put_range_call(i, s, "SYS_mprotect", s->prot, true); break;
    case STEP_MREMAP: put_mremap(i, s); break;
    case STEP_BRK:
        fprintf(f, "syscall(SYS_brk, ");
        put_address(i, s->addr);
        fprintf(f, ")");
        break;
    case STEP_STORE:
    case STEP_LOAD: put_access(i, s); break;
    case STEP_COPY_IN:
    case STEP_COPY_OUT: put_copy(i, s); break;
    case STEP_MLOCK: put_range_call(i, s, "SYS_mlock", 0, false); break;
    case STEP_MLOCK2: put_range_call(i, s, "325 /* mlock2 */", s->flags, true); break;
    case STEP_MUNLOCK: put_range_call(i, s, "SYS_munlock", 0, false); break;
    case STEP_MLOCKALL: fprintf(f, "syscall(SYS_mlockall, 0x%xul)", s->flags); break;
    case STEP_MUNLOCKALL: fprintf(f, "syscall(SYS_munlockall)"); break;
    case STEP_MADVISE: put_range_call(i, s, "SYS_madvise", s->more, true); break;
    case STEP_MSYNC: put_range_call(i, s, "SYS_msync", s->flags, true); break;
    case STEP_MINCORE: put_mincore(i, s); break;
    case STEP_MSEAL: put_range_call(i, s, "462 /* mseal */", s->flags, true); break;
    case STEP_LIMIT: put_limit(s); break;
    case STEP_CAPS: fprintf(f, "capabilities(%d)", s->flags != 0); break;
    case STEP_FILL: fprintf(f, "fill_up(%" PRIu64 ")", s->len); break;
    case STEP_FORK: fprintf(f, "go_on_as_a_child()"); break;
    case STEP_RING: fprintf(f, "make_ring()"); break;
    case STEP_WATCH:
        fprintf(f, "watch(");
        put_address(i, s->addr);
        fprintf(f, ", ");
        put_length(s->len);
        fprintf(f, ")");
        break;
    default: put_rare(i, s);
    }
}

static void put_steps(void)
{
    char text[512];
    for (int i = 0; i < ep->n; i++) {
        step_text(&ep->step[i], text, sizeof text);
        fprintf(f, "    /* %s */\n    result[%d] = ", text, i);
        put_call(i, &ep->step[i]);
        if (ep->step[i].kind < STEP_CALLS || ep->step[i].kind == STEP_RING)
            fprintf(f, ";\n    if (result[%d] == -1)\n        result[%d] = -errno", i, i);
        fprintf(f, ";\n");
    }
}

/* ---- what is expected ---- */

static void put_result(int i, int64_t r)
{
    const struct step *s = &ep->step[i];
    if (s->kind < STEP_CALLS && r < 0 && r > -4096 && strcmp(mw_errno_name((int)-r), "E?") != 0)
        fprintf(f, "-%s", mw_errno_name((int)-r));
    else if (s->kind == STEP_RING && r > 0)
        fprintf(f, "CHOSEN");
    else if (is_placed(s) && r > 0 && !in_arena((uint64_t)r) &&
             (uint64_t)r != s->addr && (uint64_t)r != s->to)
        fprintf(f, "CHOSEN");
    else if (in_arena((uint64_t)r))
        fprintf(f, "(long)A(%" PRId64 ")", (r - (int64_t)ARENA) / (int64_t)PAGE);
    else
        fprintf(f, "%" PRId64 "L", r);
}

static void put_layout(const struct expectation *w)
{
    for (int i = 0; i < w->areas; i++) {
        const struct seen *a = &w->area[i];
        int64_t from = (int64_t)(a->start - ARENA) / (int64_t)PAGE;
        if (!in_arena(a->start))
            continue;
        fprintf(f, " [%" PRId64 ",%" PRId64 ")%c%c%c%c", from,
                from + (int64_t)((a->end - a->start) / PAGE), a->prot & 1 ? 'r' : '-',
                a->prot & 2 ? 'w' : '-', a->prot & 4 ? 'x' : '-', a->prot & 8 ? 's' : 'p');
        if (a->file >= 0)
            fprintf(f, ":%s@%" PRIu64, file_name[a->file], a->offset / PAGE);
        else if (a->file == AREA_SHARED_ANONYMOUS)
            fprintf(f, ":shared@%" PRIu64, a->offset / PAGE);
    }
}

static void put_expectation(const struct expectation *w)
{
    fprintf(f, "    { \"%u.%u\",\n      { ", w->version / 1000, w->version % 1000);
    for (int i = 0; i < ep->n; i++) {
        put_result(i, w->result[i]);
        fprintf(f, i + 1 < ep->n ? ", " : " },\n      { ");
    }
    for (int i = 0; i < ep->n; i++)
        fprintf(f, "%u%s", w->value[i], i + 1 < ep->n ? ", " : " },\n      \"");
    put_layout(w);
    fprintf(f, "\",\n      { %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 " } },\n",
            w->used.total, w->used.data, w->used.stack, w->used.locked);
}

/* What each modelled Linux answers; equal neighbours count once. */
static void collect(void)
{
    struct expectation w;
    wanted = 0;
    if (expect(ep, model_version, &w)) /* the first one: what it was compared with */
        want[wanted++] = w;
    for (int i = 0; i < VERSIONS && wanted > 0 && wanted < VERSIONS; i++) {
        if (versions[i] == model_version || !expect(ep, versions[i], &w))
            continue;
        want[wanted++] = w;
    }
}

static bool uses(enum step_kind kind)
{
    for (int i = 0; i < ep->n; i++)
        if (ep->step[i].kind == kind)
            return true;
    return false;
}

/* Files, rings and watches with rules of their own. */
static bool uses_special(void)
{
    for (int i = 0; i < ep->n; i++)
        if (ep->step[i].file >= FILE_ZERO)
            return true;
    return uses(STEP_RING) || uses(STEP_WATCH);
}

static bool uses_watchers(void)
{
    for (int k = STEP_REGISTER; k < STEP_CALLS; k++)
        if (uses((enum step_kind)k))
            return true;
    return uses(STEP_WATCHER) || uses(STEP_UNWATCHER);
}

static void put_texts(void)
{
    char text[512];
    fprintf(f, "static const char *const text[N] = {\n");
    for (int i = 0; i < ep->n; i++) {
        step_text(&ep->step[i], text, sizeof text);
        fprintf(f, "    \"%s\",\n", text);
    }
    fprintf(f, "};\n\n");
}

static void put_head(const struct slot *slot, uint64_t seed, uint64_t number)
{
    char why[512];
    fprintf(f, "/*\n * Differs from Linux: %s of the last step.\n"
               " * Found by mapwright-conform --seed %" PRIu64 " --episode %" PRIu64 "\n",
            slot->d.what, seed, number);
    if (slot->d.why.err != 0) {
        mw_why_text(&slot->d.why, why, sizeof why);
        fprintf(f, " * Linux answers %s, rule %s: %s.\n", mw_errno_name(slot->d.why.err),
                mw_why_rule(&slot->d.why), why);
    }
    fprintf(f, " *\n * cc -o finding this.c && ./finding [LINUX-VERSION]\n"
               " * Exit code 0: as that Linux (without an argument: as the first of `expected`);\n"
               " * 1: not.\n"
               " */\n");
}

bool emit_program(const struct slot *slot, const char *path, uint64_t seed, uint64_t number)
{
    static struct episode kept;
    kept = slot->episode;
    if (slot->d.step >= 0 && slot->d.step < kept.n)
        kept.n = slot->d.step + 1;
    ep = &kept;
    collect();
    f = wanted > 0 ? fopen(path, "w") : NULL;
    if (f == NULL)
        return false;
    put_head(slot, seed, number);
    fprintf(f, "%s#define N %d\n\n", emit_includes, ep->n);
    put_texts();
    fputs(emit_types, f);
    for (int i = 0; i < wanted; i++)
        put_expectation(&want[i]);
    fprintf(f, "};\n%s", emit_helpers);
    if (uses(STEP_BRK))
        fputs(emit_heap, f);
    if (uses_special())
        fputs(emit_special, f);
    if (uses_watchers())
        fputs(emit_watchers, f);
    fputs(emit_main, f);
    if (uses_special())
        fprintf(f, "    open_special();\n");
    if (uses(STEP_BRK))
        fprintf(f, "    move_heap(A(%" PRId64 "));\n", (int64_t)((HEAP - ARENA) / PAGE));
    put_steps();
    fputs(emit_end, f);
    return fclose(f) == 0;
}
