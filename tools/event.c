/* SPDX-License-Identifier: MIT */
/*
 * event.c - an observed call as text: its kind of request and its arguments,
 * with the flags' names.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

struct name {
    uint64_t value;
    const char *text;
};

static const struct name advices[] = {
    { 0, "NORMAL" },       { 1, "RANDOM" },         { 2, "SEQUENTIAL" },    { 3, "WILLNEED" },
    { 4, "DONTNEED" },     { 8, "FREE" },           { 9, "REMOVE" },        { 10, "DONTFORK" },
    { 11, "DOFORK" },      { 12, "MERGEABLE" },     { 13, "UNMERGEABLE" },  { 14, "HUGEPAGE" },
    { 15, "NOHUGEPAGE" },  { 16, "DONTDUMP" },      { 17, "DODUMP" },       { 18, "WIPEONFORK" },
    { 19, "KEEPONFORK" },  { 20, "COLD" },          { 21, "PAGEOUT" },      { 22, "POPULATE_READ" },
    { 23, "POPULATE_WRITE" }, { 24, "DONTNEED_LOCKED" }, { 25, "COLLAPSE" }, { 100, "HWPOISON" },
    { 101, "SOFT_OFFLINE" }, { 102, "GUARD_INSTALL" }, { 103, "GUARD_REMOVE" }, { 0, NULL },
};

static const struct name prctls[] = {
    { 35, "PR_SET_MM" },      { 41, "PR_SET_THP_DISABLE" }, { 67, "PR_SET_MEMORY_MERGE" },
    { 0x53564d41, "PR_SET_VMA" }, { 0, NULL },
};

static const struct name limits[] = {
    { 2, "DATA" }, { 3, "STACK" }, { 8, "MEMLOCK" }, { 9, "AS" }, { 0, NULL },
};

static const struct name prots[] = {
    { MW_PROT_READ, "PROT_READ" },     { MW_PROT_WRITE, "PROT_WRITE" },
    { MW_PROT_EXEC, "PROT_EXEC" },     { MW_PROT_SEM, "PROT_SEM" },
    { MW_PROT_GROWSDOWN, "PROT_GROWSDOWN" }, { MW_PROT_GROWSUP, "PROT_GROWSUP" },
    { 0, NULL },
};

static const struct name maps[] = {
    { MW_MAP_FIXED, "MAP_FIXED" },           { MW_MAP_ANONYMOUS, "MAP_ANONYMOUS" },
    { MW_MAP_32BIT, "MAP_32BIT" },           { MW_MAP_GROWSDOWN, "MAP_GROWSDOWN" },
    { MW_MAP_DENYWRITE, "MAP_DENYWRITE" },   { MW_MAP_EXECUTABLE, "MAP_EXECUTABLE" },
    { MW_MAP_LOCKED, "MAP_LOCKED" },         { MW_MAP_NORESERVE, "MAP_NORESERVE" },
    { MW_MAP_POPULATE, "MAP_POPULATE" },     { MW_MAP_NONBLOCK, "MAP_NONBLOCK" },
    { MW_MAP_STACK, "MAP_STACK" },           { MW_MAP_HUGETLB, "MAP_HUGETLB" },
    { MW_MAP_SYNC, "MAP_SYNC" },             { MW_MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE" },
    { 0, NULL },
};

static const struct name remaps[] = {
    { MW_MREMAP_MAYMOVE, "MREMAP_MAYMOVE" }, { MW_MREMAP_FIXED, "MREMAP_FIXED" },
    { MW_MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP" }, { 0, NULL },
};

static const char *name_of(const struct name *names, uint64_t value)
{
    for (; names->text; names++)
        if (names->value == value)
            return names->text;
    return NULL;
}

/* The request that tells calls of one name apart; NULL: there is none. */
static const char *request_of(const struct event *event)
{
    switch (event->call) {
    case CALL_MADVISE:
        return name_of(advices, event->arg[2]);
    case CALL_PROCESS_MADVISE:
        return name_of(advices, event->arg[3]);
    case CALL_PRCTL:
        return name_of(prctls, event->arg[0]);
    case CALL_SETRLIMIT:
        return name_of(limits, event->arg[0]);
    case CALL_PRLIMIT:
        return name_of(limits, event->arg[1]);
    default:
        return NULL;
    }
}

void call_text(const struct event *event, char *buf, size_t size)
{
    const char *request = request_of(event);

    if (request)
        snprintf(buf, size, "%s(%s)", event->name, request);
    else
        snprintf(buf, size, "%s", event->name);
}

/* Text that is put together bit by bit and cut when there is no more room. */
struct text {
    char *buf;
    size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;

    if (t->at >= t->size)
        return;
    va_start(args, format);
    int n = vsnprintf(t->buf + t->at, t->size - t->at, format, args);
    va_end(args);
    if (n > 0)
        t->at += (size_t)n;
}

/* Flag names joined by |, and what has no name in hexadecimal. */
static void put_flags(struct text *t, const struct name *names, uint64_t value, const char *first)
{
    const char *bar = "";

    if (first) {
        put(t, "%s", first);
        bar = "|";
    }
    for (; names->text; names++) {
        if ((value & names->value) != names->value)
            continue;
        put(t, "%s%s", bar, names->text);
        bar = "|";
        value &= ~names->value;
    }
    if (value || !*bar)
        put(t, value ? "%s0x%" PRIx64 : "%s%" PRIx64, bar, value);
}

static void put_prot(struct text *t, uint64_t prot)
{
    if (prot)
        put_flags(t, prots, prot, NULL);
    else
        put(t, "PROT_NONE");
}

static void put_map_flags(struct text *t, uint64_t flags)
{
    static const char *const type[16] = { NULL, "MAP_SHARED", "MAP_PRIVATE",
                                          "MAP_SHARED_VALIDATE", [8] = "MAP_DROPPABLE" };

    put_flags(t, maps, flags & ~(type[flags & 15] ? UINT64_C(15) : 0), type[flags & 15]);
}

static void put_addr(struct text *t, uint64_t addr)
{
    put(t, addr ? "0x%" PRIx64 : "NULL", addr);
}

static void put_mmap(struct text *t, const struct event *e)
{
    put_addr(t, e->arg[0]);
    put(t, ", %" PRIu64 ", ", e->arg[1]);
    put_prot(t, e->arg[2]);
    put(t, ", ");
    put_map_flags(t, e->arg[3]);
    put(t, ", %d", (int)e->arg[4]);
    if (e->file.known && e->file.path[0])
        put(t, "<%s>", e->file.path);
    put(t, ", 0x%" PRIx64, e->arg[5]);
}

static void put_mremap(struct text *t, const struct event *e)
{
    put_addr(t, e->arg[0]);
    put(t, ", %" PRIu64 ", %" PRIu64 ", ", e->arg[1], e->arg[2]);
    put_flags(t, remaps, e->arg[3], NULL);
    if (e->arg[3] & (MW_MREMAP_FIXED | MW_MREMAP_DONTUNMAP)) {
        put(t, ", ");
        put_addr(t, e->arg[4]);
    }
}

static void put_madvise(struct text *t, const struct event *e)
{
    const char *advice = name_of(advices, e->arg[2]);

    put_addr(t, e->arg[0]);
    put(t, ", %" PRIu64 ", ", e->arg[1]);
    if (advice)
        put(t, "MADV_%s", advice);
    else
        put(t, "%" PRIu64, e->arg[2]);
}

static void put_args(struct text *t, const struct event *e)
{
    switch (e->call) {
    case CALL_MMAP:
        put_mmap(t, e);
        return;
    case CALL_MREMAP:
        put_mremap(t, e);
        return;
    case CALL_MADVISE:
        put_madvise(t, e);
        return;
    case CALL_BRK:
        put_addr(t, e->arg[0]);
        return;
    case CALL_MPROTECT:
    case CALL_PKEY_MPROTECT:
        put_addr(t, e->arg[0]);
        put(t, ", %" PRIu64 ", ", e->arg[1]);
        put_prot(t, e->arg[2]);
        if (e->call == CALL_PKEY_MPROTECT)
            put(t, ", %d", (int)e->arg[3]);
        return;
    case CALL_PKEY_ALLOC:
        put(t, "0x%" PRIx64 ", 0x%" PRIx64, e->arg[0], e->arg[1]);
        return;
    case CALL_PKEY_FREE:
        put(t, "%d", (int)e->arg[0]);
        return;
    case CALL_MUNMAP:
    case CALL_MLOCK:
    case CALL_MUNLOCK:
        put_addr(t, e->arg[0]);
        put(t, ", %" PRIu64, e->arg[1]);
        return;
    default:
        put(t, "0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64, e->arg[0], e->arg[1], e->arg[2]);
    }
}

void event_text(const struct event *event, char *buf, size_t size)
{
    struct text t = { buf, size, 0 };
    char result[48];

    put(&t, "%s(", event->name);
    put_args(&t, event);
    if (event->result_known)
        result_text(event->result, result, sizeof result);
    else
        snprintf(result, sizeof result, "?");
    put(&t, ") = %s", result);
}

void result_text(int64_t result, char *buf, size_t size)
{
    if (result < 0 && result >= -4095)
        snprintf(buf, size, "-1 %s", mw_errno_name((int)-result));
    else if (result >= 0 && result < 4096)
        snprintf(buf, size, "%" PRId64, result);
    else
        snprintf(buf, size, "0x%" PRIx64, (uint64_t)result);
}
