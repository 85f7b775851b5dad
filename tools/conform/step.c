/* SPDX-License-Identifier: MIT */
/* step.c - steps as text: for people, and in corpus files. */
#include "conform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const step_name[STEP_KINDS] = {
    "mmap", "munmap", "mprotect", "mremap", "brk", "mlock", "mlock2", "munlock", "mlockall",
    "munlockall", "madvise", "msync", "mincore", "mseal", "name", "ftruncate", "shmat", "shmdt",
    "process_madvise", "remap_file_pages", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "uffd_register", "uffd_unregister", "uffd_copy", "uffd_zeropage", "uffd_continue", "uffd_poison",
    "uffd_move", "uffd_writeprotect", "store", "load", "copy_in", "copy_out",
    "setrlimit", "capabilities", "fill", "fork", "io_setup", "userfaultfd", "shm_remove", "watcher",
    "unwatcher", "transparent_huge_pages", "counters", "bytes", "smaps",
};
const char *const file_name[ALL_FILES] = {
    "file", "small_file", "read_only_file", "write_only_file", "pipe", "dev_zero", "append_file",
    "noexec_file", "proc_file", "huge_file", "ring", "huge", "uring", "perf", "vdso", "shm", "segment_0", "segment_1",
};
const char *const met_name[MET_OTHER + 1] = {
    "ok", "SIGSEGV (not mapped)", "SIGSEGV (not permitted)", "SIGBUS", "another signal",
};

struct word {
    const char *name;
    uint32_t bit;
};

static const struct word prot_words[] = {
    { "PROT_READ", 1 }, { "PROT_WRITE", 2 }, { "PROT_EXEC", 4 }, { "PROT_SEM", 8 },
    { "PROT_GROWSDOWN", 0x01000000 }, { "PROT_GROWSUP", 0x02000000 }, { NULL, 0 },
};
static const struct word map_words[] = {
    { "MAP_FIXED", 0x10 }, { "MAP_ANONYMOUS", 0x20 }, { "MAP_32BIT", 0x40 },
    { "MAP_GROWSDOWN", 0x100 }, { "MAP_DENYWRITE", 0x800 }, { "MAP_EXECUTABLE", 0x1000 },
    { "MAP_LOCKED", 0x2000 }, { "MAP_NORESERVE", 0x4000 }, { "MAP_POPULATE", 0x8000 },
    { "MAP_NONBLOCK", 0x10000 }, { "MAP_STACK", 0x20000 }, { "MAP_HUGETLB", 0x40000 },
    { "MAP_SYNC", 0x80000 }, { "MAP_FIXED_NOREPLACE", 0x100000 }, { NULL, 0 },
};
static const struct word remap_words[] = {
    { "MREMAP_MAYMOVE", 1 }, { "MREMAP_FIXED", 2 }, { "MREMAP_DONTUNMAP", 4 }, { NULL, 0 },
};

static const struct word shm_words[] = {
    { "SHM_RDONLY", MW_SHM_RDONLY }, { "SHM_RND", MW_SHM_RND }, { "SHM_REMAP", MW_SHM_REMAP },
    { "SHM_EXEC", MW_SHM_EXEC }, { NULL, 0 },
};

static const struct word lock_words[] = {
    { "MCL_CURRENT", 1 }, { "MCL_FUTURE", 2 }, { "MCL_ONFAULT", 4 }, { NULL, 0 },
};
static const struct word sync_words[] = {
    { "MS_ASYNC", 1 }, { "MS_INVALIDATE", 2 }, { "MS_SYNC", 4 }, { NULL, 0 },
};

/* By number; what is not here has none. */
static const char *const advice_name[] = {
    [MW_MADV_NORMAL] = "NORMAL", [MW_MADV_RANDOM] = "RANDOM", [MW_MADV_SEQUENTIAL] = "SEQUENTIAL",
    [MW_MADV_WILLNEED] = "WILLNEED", [MW_MADV_DONTNEED] = "DONTNEED", [MW_MADV_FREE] = "FREE",
    [MW_MADV_REMOVE] = "REMOVE", [MW_MADV_DONTFORK] = "DONTFORK", [MW_MADV_DOFORK] = "DOFORK",
    [MW_MADV_MERGEABLE] = "MERGEABLE", [MW_MADV_UNMERGEABLE] = "UNMERGEABLE",
    [MW_MADV_HUGEPAGE] = "HUGEPAGE", [MW_MADV_NOHUGEPAGE] = "NOHUGEPAGE",
    [MW_MADV_DONTDUMP] = "DONTDUMP", [MW_MADV_DODUMP] = "DODUMP",
    [MW_MADV_WIPEONFORK] = "WIPEONFORK", [MW_MADV_KEEPONFORK] = "KEEPONFORK",
    [MW_MADV_COLD] = "COLD", [MW_MADV_PAGEOUT] = "PAGEOUT",
    [MW_MADV_POPULATE_READ] = "POPULATE_READ", [MW_MADV_POPULATE_WRITE] = "POPULATE_WRITE",
    [MW_MADV_DONTNEED_LOCKED] = "DONTNEED_LOCKED", [MW_MADV_GUARD_INSTALL] = "GUARD_INSTALL",
    [MW_MADV_GUARD_REMOVE] = "GUARD_REMOVE", [MW_MADV_COLLAPSE] = "COLLAPSE",
};

static void words(char *buf, size_t size, uint32_t value, const struct word *w, const char *zero)
{
    size_t n = strlen(buf);
    for (; w->name; w++)
        if (value & w->bit) {
            n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? " | " : "", w->name);
            value &= ~w->bit;
        }
    if (value)
        snprintf(buf + n, size - n, "%s0x%x", n ? " | " : "", value);
    else if (n == 0)
        snprintf(buf, size, "%s", zero);
}

static void map_flags(char *buf, size_t size, uint32_t flags)
{
    static const char *const type[] = { "MAP_SHARED", "MAP_PRIVATE", "MAP_SHARED_VALIDATE" };
    uint32_t t = flags & 15u;
    buf[0] = 0;
    if (t >= 1 && t <= 3) {
        snprintf(buf, size, "%s", type[t - 1]);
        flags &= ~15u;
    }
    words(buf, size, flags, map_words, "0");
}

/* An address as people and compilers read it. */
static void address(char *buf, size_t size, uint64_t a)
{
    uint64_t off = a - ARENA, low = off % PAGE;
    if (a >= ARENA && a < ZONE_HIGH && low == 0)
        snprintf(buf, size, "A(%" PRIu64 ")", off / PAGE);
    else if (a >= ARENA && a < ZONE_HIGH)
        snprintf(buf, size, "A(%" PRIu64 ") + %" PRIu64, off / PAGE, low);
    else if (a >= ZONE_LOW && a < ARENA && low == 0)
        snprintf(buf, size, "A(-%" PRIu64 ")", (ARENA - a) / PAGE);
    else
        snprintf(buf, size, a < 10 ? "%" PRIu64 : "0x%" PRIx64, a);
}

static void length(char *buf, size_t size, uint64_t n)
{
    if (n != 0 && n % PAGE == 0 && n / PAGE < 100000)
        snprintf(buf, size, "%" PRIu64 " * P", n / PAGE);
    else
        snprintf(buf, size, n < 4096 ? "%" PRIu64 : "0x%" PRIx64, n);
}

static void advice_text(char *buf, size_t size, uint64_t n)
{
    if (n < sizeof advice_name / sizeof advice_name[0] && advice_name[n] != NULL)
        snprintf(buf, size, "MADV_%s", advice_name[n]);
    else
        snprintf(buf, size, "0x%" PRIx64, n);
}

/* The calls on locks and advice. */
static void lock_text(const struct step *s, char *buf, size_t size)
{
    const char *name = step_name[s->kind];
    char a[48], l[48], f[320] = "";
    address(a, sizeof a, s->addr);
    length(l, sizeof l, s->len);
    switch (s->kind) {
    case STEP_MLOCKALL:
        words(f, sizeof f, s->flags, lock_words, "0");
        snprintf(buf, size, "%s(%s)", name, f);
        break;
    case STEP_MUNLOCKALL:
        snprintf(buf, size, "%s()", name);
        break;
    case STEP_MADVISE:
        advice_text(f, sizeof f, s->more);
        snprintf(buf, size, "%s(%s, %s, %s)", name, a, l, f);
        break;
    case STEP_MSYNC:
        words(f, sizeof f, s->flags, sync_words, "0");
        snprintf(buf, size, "%s(%s, %s, %s)", name, a, l, f);
        break;
    case STEP_MLOCK2:
    case STEP_MSEAL:
        snprintf(buf, size, s->flags == 1 && s->kind == STEP_MLOCK2 ? "%s(%s, %s, MLOCK_ONFAULT)"
                                                                    : "%s(%s, %s, 0x%x)",
                 name, a, l, s->flags);
        break;
    default:
        snprintf(buf, size, "%s(%s, %s)", name, a, l);
    }
}

static void ranges_text(const struct step *s, char *buf, size_t size)
{
    char a[48], l[48], f[48];
    struct mw_iovec range[RANGES];
    uint32_t n = step_ranges(s, range);
    size_t at;
    advice_text(f, sizeof f, s->more);
    at = (size_t)snprintf(buf, size, "%s(itself, %u:", step_name[s->kind], n);
    for (uint32_t i = 0; i < n && n <= RANGES; i++) {
        address(a, sizeof a, range[i].base);
        length(l, sizeof l, range[i].length);
        at += (size_t)snprintf(buf + at, size - at, " [%s, %s]", a, l);
    }
    snprintf(buf + at, size - at, ", %s, 0x%x)", f, s->flags);
}

/* The calls on objects, and userfaultfd's. */
static void object_text(const struct step *s, char *buf, size_t size)
{
    const char *name = step_name[s->kind];
    char a[48], l[48], t[48], f[320] = "";
    address(a, sizeof a, s->addr);
    address(t, sizeof t, s->to);
    length(l, sizeof l, s->len);
    switch (s->kind) {
    case STEP_NAME:
        snprintf(buf, size, "%s(%s, %s, %s)", name, a, l, name_of_memory(s->file) ? name_of_memory(s->file) : "none");
        break;
    case STEP_TRUNCATE:
        snprintf(buf, size, "%s(%s, %s)", name, file_name[s->file], l);
        break;
    case STEP_SHMAT:
        words(f, sizeof f, s->flags, shm_words, "0");
        snprintf(buf, size, "%s(%s, %s, %s)", name, s->file < 0 ? "-1" : file_name[FILE_SEGMENT + s->file], a, f);
        break;
    case STEP_SHMDT:
        snprintf(buf, size, "%s(%s)", name, a);
        break;
    case STEP_PROCESS_MADVISE:
        ranges_text(s, buf, size);
        break;
    case STEP_REMAP_FILE_PAGES:
        words(f, sizeof f, s->flags, map_words, "0");
        snprintf(buf, size, "%s(%s, %s, 0x%x, 0x%" PRIx64 ", %s)", name, a, l, s->prot, s->more, f);
        break;
    case STEP_PKEY_ALLOC:
        snprintf(buf, size, "%s(0x%x, 0x%" PRIx64 ")", name, s->flags, s->more);
        break;
    case STEP_PKEY_FREE:
        snprintf(buf, size, "%s(%d)", name, (int)s->more);
        break;
    case STEP_PKEY_MPROTECT:
        words(f, sizeof f, s->prot, prot_words, "PROT_NONE");
        snprintf(buf, size, "%s(%s, %s, %s, %d)", name, a, l, f, (int)s->more);
        break;
    case STEP_MOVE:
        snprintf(buf, size, "%s(%d, %s, from %s, %s, 0x%" PRIx64 ")", name, s->file, a, t, l, s->more);
        break;
    default:
        snprintf(buf, size, "%s(%d, %s, %s, 0x%" PRIx64 ")", name, s->file, a, l, s->more);
    }
}

static void call_text(const struct step *s, char *buf, size_t size)
{
    char a[48], l[48], m[48], t[48], p[160] = "", f[320] = "";
    address(a, sizeof a, s->addr);
    address(t, sizeof t, s->to);
    length(l, sizeof l, s->len);
    length(m, sizeof m, s->more);
    words(p, sizeof p, s->prot, prot_words, "PROT_NONE");
    switch (s->kind) {
    case STEP_MMAP:
        map_flags(f, sizeof f, s->flags);
        snprintf(buf, size, "mmap(%s, %s, %s, %s, %s, %s)", a, l, p, f,
                 s->file == FILE_NONE ? "-1" : file_name[s->file], m);
        break;
    case STEP_MUNMAP:
        snprintf(buf, size, "munmap(%s, %s)", a, l);
        break;
    case STEP_MPROTECT:
        snprintf(buf, size, "mprotect(%s, %s, %s)", a, l, p);
        break;
    case STEP_MREMAP:
        words(f, sizeof f, s->flags, remap_words, "0");
        snprintf(buf, size, "mremap(%s, %s, %s, %s, %s)", a, l, m, f, t);
        break;
    case STEP_BRK:
        snprintf(buf, size, "brk(%s)", a);
        break;
    default:
        (s->kind < STEP_NAME ? lock_text : object_text)(s, buf, size);
    }
}

void step_text(const struct step *s, char *buf, size_t size)
{
    static const char *const limit[] = { "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_MEMLOCK",
                                         "RLIMIT_STACK" };
    char a[48];
    address(a, sizeof a, s->addr);
    switch (s->kind) {
    case STEP_STORE:
        snprintf(buf, size, "store(%s, %" PRIu64 ")", a, s->to);
        break;
    case STEP_LOAD:
        snprintf(buf, size, "load(%s)", a);
        break;
    case STEP_COPY_IN:
    case STEP_COPY_OUT:
    case STEP_WATCH:
        snprintf(buf, size, "%s(%s, %" PRIu64 ")", step_name[s->kind], a, s->len);
        break;
    case STEP_SHM_REMOVE:
        snprintf(buf, size, "%s(%s)", step_name[s->kind], file_name[FILE_SEGMENT + s->file]);
        break;
    case STEP_WATCHER:
    case STEP_UNWATCHER:
        snprintf(buf, size, "%s(%d, 0x%" PRIx64 ")", step_name[s->kind], s->file, s->more);
        break;
    case STEP_LIMIT:
        if (s->len == UINT64_MAX)
            snprintf(buf, size, "setrlimit(%s, as it was)", limit[s->prot & 3]);
        else
            snprintf(buf, size, "setrlimit(%s, %s%" PRIu64 " * P)", limit[s->prot & 3],
                     s->prot <= MW_LIMIT_DATA && !s->flags ? "used + " : "", s->len);
        break;
    case STEP_CAPS:
        snprintf(buf, size, s->flags ? "capabilities back" : "capabilities dropped");
        break;
    case STEP_FILL:
        snprintf(buf, size, "fill(%" PRIu64 " mappings)", s->len);
        break;
    case STEP_FORK:
    case STEP_RING:
    case STEP_THP:
    case STEP_COUNTERS:
    case STEP_BYTES:
    case STEP_SMAPS:
        snprintf(buf, size, "%s", step_name[s->kind]);
        break;
    default:
        call_text(s, buf, size);
    }
}

/* ---- corpus files ---- */

bool episode_save(const struct episode *e, const char *path)
{
    FILE *f = fopen(path, "w");
    char text[512];
    if (f == NULL)
        return false;
    for (int i = 0; i < e->n; i++) {
        const struct step *s = &e->step[i];
        if (s->dropped)
            continue;
        step_text(s, text, sizeof text);
        fprintf(f, "%s %d %x %x %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " # %s\n",
                step_name[s->kind], s->file, s->prot, s->flags, s->addr, s->len, s->more, s->to,
                text);
    }
    return fclose(f) == 0;
}

/* Is `file` what the step needs? */
static bool names_one(const struct step *s)
{
    if (s->kind == STEP_TRUNCATE || s->kind == STEP_SHM_REMOVE)
        return s->file >= 0 && (s->file < SEGMENTS || s->kind == STEP_TRUNCATE);
    if (s->kind == STEP_SHMAT)
        return s->file < SEGMENTS;
    return true;
}

static bool parse(struct step *s, const char *line)
{
    char name[32];
    int file;
    memset(s, 0, sizeof *s);
    if (sscanf(line, "%31s %d %x %x %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64, name, &file,
               &s->prot, &s->flags, &s->addr, &s->len, &s->more, &s->to) != 8)
        return false;
    if (file < FILE_NONE || file >= FILES_TO_MAP)
        return false;
    s->file = (int8_t)file;
    for (s->kind = 0; s->kind < STEP_KINDS; s->kind++)
        if (strcmp(step_name[s->kind], name) == 0)
            return (s->kind != STEP_LIMIT || s->prot <= MW_LIMIT_STACK) && names_one(s);
    return false;
}

bool episode_load(struct episode *e, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[1024];
    bool ok = f != NULL;
    e->n = 0;
    while (ok && fgets(line, sizeof line, f))
        if (line[0] != '#' && line[0] != '\n')
            ok = e->n < MAX_STEPS && parse(&e->step[e->n], line) && ++e->n > 0;
    if (f)
        fclose(f);
    return ok;
}
