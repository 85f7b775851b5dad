/* SPDX-License-Identifier: MIT */
/*
 * layout.c - reads, prints and compares the mappings of an address space.
 * Decides what counts as a difference between the engine's layout and the
 * kernel's.
 */
#include "layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "mapwright/mapwright.h"

/* User space ends below this; [vsyscall] lies above. */
#define HALF_WAY (UINT64_C(1) << 63)

#define FLAGS_IN_MAPS (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC | MW_VM_MAYSHARE)

/* VmFlags of smaps, in the order smaps prints them. */
static const struct {
    char two[3];
    uint64_t flag;
} mnemonic[] = {
    { "rd", MW_VM_READ },       { "wr", MW_VM_WRITE },      { "ex", MW_VM_EXEC },
    { "sh", MW_VM_SHARED },     { "mr", MW_VM_MAYREAD },    { "mw", MW_VM_MAYWRITE },
    { "me", MW_VM_MAYEXEC },    { "ms", MW_VM_MAYSHARE },   { "gd", MW_VM_GROWSDOWN },
    { "pf", MW_VM_PFNMAP },     { "lo", MW_VM_LOCKED },     { "lf", MW_VM_LOCKONFAULT },
    { "io", MW_VM_IO },         { "sr", MW_VM_SEQ_READ },   { "rr", MW_VM_RAND_READ },
    { "dc", MW_VM_DONTCOPY },   { "de", MW_VM_DONTEXPAND }, { "ac", MW_VM_ACCOUNT },
    { "nr", MW_VM_NORESERVE },  { "ht", MW_VM_HUGETLB },    { "sf", MW_VM_SYNC },
    { "wf", MW_VM_WIPEONFORK }, { "dd", MW_VM_DONTDUMP },   { "mm", MW_VM_MIXEDMAP },
    { "hg", MW_VM_HUGEPAGE },   { "nh", MW_VM_NOHUGEPAGE }, { "mg", MW_VM_MERGEABLE },
    { "um", MW_VM_UFFD },       { "uw", MW_VM_UFFD },       { "ui", MW_VM_UFFD },
    { "sl", MW_VM_SEALED },     { "dp", MW_VM_DROPPABLE },
};

enum { MNEMONICS = sizeof mnemonic / sizeof mnemonic[0] };

uint64_t flag_of_mnemonic(const char *two)
{
    for (size_t i = 0; i < MNEMONICS; i++)
        if (mnemonic[i].two[0] == two[0] && mnemonic[i].two[1] == two[1])
            return mnemonic[i].flag;
    return 0;
}

void flags_text(uint64_t flags, char *buf, size_t size)
{
    size_t at = 0;

    if (size)
        buf[0] = '\0';
    for (size_t i = 0; i < MNEMONICS && at + 4 <= size; i++) {
        if (!(flags & mnemonic[i].flag))
            continue;
        if (mnemonic[i].flag == MW_VM_UFFD)
            flags &= ~MW_VM_UFFD; /* three mnemonics stand for it: print one */
        at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? "," : "", mnemonic[i].two);
    }
    if ((flags & MW_VM_PKEY) && at + 8 <= size)
        snprintf(buf + at, size - at, "%skey %u", at ? "," : "", (unsigned)((flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT));
}

void layout_clear(struct layout *layout)
{
    for (size_t i = 0; i < layout->n; i++)
        free(layout->area[i].path);
    free(layout->area);
    *layout = (struct layout){ 0 };
}

bool layout_add(struct layout *layout, const struct area *area)
{
    if (layout->n == layout->room) {
        size_t room = layout->room ? layout->room * 2 : 64;
        struct area *more = realloc(layout->area, room * sizeof *more);
        if (!more)
            return false;
        layout->area = more;
        layout->room = room;
    }
    char *path = strdup(area->path ? area->path : "");
    if (!path)
        return false;
    layout->area[layout->n] = *area;
    layout->area[layout->n++].path = path;
    return true;
}

size_t layout_find(const struct layout *layout, uint64_t addr)
{
    size_t lo = 0, hi = layout->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (layout->area[mid].end > addr)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* ---- reading ------------------------------------------------------------- */

static enum area_kind kind_of(const struct area *area)
{
    if (area->dev || area->ino)
        return AREA_FILE;
    if (area->path[0] == '[' && strcmp(area->path, "[heap]") != 0 &&
        strncmp(area->path, "[stack", 6) != 0 && strncmp(area->path, "[anon", 5) != 0)
        return AREA_SPECIAL;
    /* a path without inode is how some stacked file systems show a file */
    return area->path[0] == '/' ? AREA_FILE : AREA_ANON;
}

/* Reads hexadecimal digits at *at up to `stop`, and steps over it. */
static bool take_hex(char **at, char stop, uint64_t *value)
{
    char *end;

    errno = 0;
    if (!strchr("0123456789abcdefABCDEF", **at) || !**at)
        return false;
    *value = strtoull(*at, &end, 16);
    if (errno || *end != stop)
        return false;
    *at = end + 1;
    return true;
}

static bool take_mode(char **at, uint64_t *flags)
{
    const char *m = *at;

    if (strlen(m) < 5 || m[4] != ' ' || !strchr("r-", m[0]) || !strchr("w-", m[1]) ||
        !strchr("x-", m[2]) || !strchr("ps", m[3]))
        return false;
    *flags = (m[0] == 'r' ? MW_VM_READ : 0) | (m[1] == 'w' ? MW_VM_WRITE : 0) |
             (m[2] == 'x' ? MW_VM_EXEC : 0) | (m[3] == 's' ? MW_VM_MAYSHARE : 0);
    *at += 5;
    return true;
}

/* "start-end mode offset major:minor inode   path"; cuts `line` where the path ends. */
static bool parse_area(char *line, struct area *area)
{
    uint64_t major_nr, minor_nr;
    char *at = line, *end;

    *area = (struct area){ 0 };
    if (!take_hex(&at, '-', &area->start) || !take_hex(&at, ' ', &area->end) ||
        area->end <= area->start || !take_mode(&at, &area->flags) ||
        !take_hex(&at, ' ', &area->offset) || !take_hex(&at, ':', &major_nr) ||
        !take_hex(&at, ' ', &minor_nr))
        return false;
    errno = 0;
    area->ino = strtoull(at, &end, 10);
    if (errno || end == at || (*end && *end != ' ' && *end != '\n'))
        return false;
    area->dev = makedev((unsigned)major_nr, (unsigned)minor_nr);
    end += strspn(end, " ");
    end[strcspn(end, "\n")] = '\0';
    area->path = end;
    area->kind = kind_of(area);
    return true;
}

static void parse_flags(const char *at, struct area *area)
{
    area->flags &= MW_VM_PKEY; /* their line comes before */
    area->flags_known = true;
    for (;;) {
        at += strspn(at, " ");
        if (strcspn(at, " \n") != 2)
            return;
        area->flags |= flag_of_mnemonic(at);
        at += 2;
    }
}

/* A line "Name:   value" of smaps. */
static bool is_detail(const char *line)
{
    size_t name = strcspn(line, ": \n");
    return name && line[name] == ':' && line[0] >= 'A' && line[0] <= 'Z';
}

static bool parse_line(struct layout *layout, char *line, bool *in_area, bool *memory)
{
    struct area area;

    *memory = true;
    if (is_detail(line)) {
        if (*in_area && strncmp(line, "ProtectionKey:", 14) == 0)
            layout->area[layout->n - 1].flags |= (strtoull(line + 14, NULL, 10) << MW_VM_PKEY_SHIFT) & MW_VM_PKEY;
        if (*in_area && strncmp(line, "VmFlags:", 8) == 0)
            parse_flags(line + 8, &layout->area[layout->n - 1]);
        return true;
    }
    if (line[0] == '\n')
        return true;
    if (!parse_area(line, &area))
        return false;
    *in_area = area.start < HALF_WAY;
    if (*in_area)
        *memory = layout_add(layout, &area);
    return true;
}

int layout_read(struct layout *layout, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    int number = 0, result = 0;
    bool in_area = false, memory = true;

    while (!result && getline(&line, &room, in) > 0) {
        number++;
        if (!parse_line(layout, line, &in_area, &memory))
            result = number;
        else if (!memory)
            result = -ENOMEM;
    }
    free(line);
    return result;
}

/* ---- printing ------------------------------------------------------------ */

void area_mode(const struct area *area, char out[5])
{
    out[0] = area->flags & MW_VM_READ ? 'r' : '-';
    out[1] = area->flags & MW_VM_WRITE ? 'w' : '-';
    out[2] = area->flags & MW_VM_EXEC ? 'x' : '-';
    out[3] = area->flags & MW_VM_MAYSHARE ? 's' : 'p';
    out[4] = '\0';
}

/* What only the engine knows: the address it was made for, and which written memory it is of. */
static void identity_text(const struct area *area, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = '\0';
    if (area->kind == AREA_ANON && area->flags_known && area->identity &&
        area->identity != area->start)
        at = (size_t)snprintf(buf, size, " made at %" PRIx64, area->identity);
    if (area->anon)
        snprintf(buf + at, size - at, " written #%" PRIu64 "%s",
                 area->anon & ~(uint64_t)MW_ANON_FORKED,
                 area->anon & MW_ANON_FORKED ? " inherited" : "");
}

void area_text(const struct area *area, char *buf, size_t size)
{
    /* what the mode shows already, and what nearly every mapping has */
    const uint64_t plain = FLAGS_IN_MAPS | MW_VM_SHARED | MW_VM_MAYREAD | MW_VM_MAYWRITE |
                           MW_VM_MAYEXEC | MW_VM_ACCOUNT;
    char mode[5], flags[128] = "", offset[32] = "", identity[80];

    area_mode(area, mode);
    identity_text(area, identity, sizeof identity);
    if (area->flags_known && (area->flags & ~plain))
        flags_text(area->flags & ~plain, flags, sizeof flags);
    if (area->kind == AREA_FILE)
        snprintf(offset, sizeof offset, " +%" PRIx64, area->offset);
    snprintf(buf, size, "%" PRIx64 "-%" PRIx64 " %s%s%s%s%s%s%s%s", area->start, area->end, mode,
             offset, area->path[0] ? " " : "", area->path, flags[0] ? " {" : "", flags,
             flags[0] ? "}" : "", identity);
}

/* ---- comparing ----------------------------------------------------------- */

enum { PAIR_BUCKETS = 4096, NO_PAIR = 0 }; /* pairs are counted from 1 */

/* The engine's own objects, each with the kernel's inode it was first met with. */
struct pairing {
    struct pair {
        const void *object;
        uint64_t dev, ino;
        size_t next_object, next_inode; /* in the same bucket */
    } *pair;
    size_t n, room;
    size_t *by_object, *by_inode; /* buckets: the first pair in each */
};

static size_t *object_bucket(struct pairing *p, const void *object)
{
    return &p->by_object[((uintptr_t)object >> 4) % PAIR_BUCKETS];
}

static size_t *inode_bucket(struct pairing *p, const struct area *area)
{
    return &p->by_inode[(area->ino + area->dev) % PAIR_BUCKETS];
}

static size_t find_object(struct pairing *p, const void *object)
{
    size_t i = *object_bucket(p, object);

    while (i != NO_PAIR && p->pair[i - 1].object != object)
        i = p->pair[i - 1].next_object;
    return i;
}

static size_t find_inode(struct pairing *p, const struct area *area)
{
    size_t i = *inode_bucket(p, area);

    while (i != NO_PAIR && (p->pair[i - 1].dev != area->dev || p->pair[i - 1].ino != area->ino))
        i = p->pair[i - 1].next_inode;
    return i;
}

static bool make_room(struct pairing *p)
{
    if (!p->by_object)
        p->by_object = calloc(PAIR_BUCKETS, sizeof *p->by_object);
    if (!p->by_inode)
        p->by_inode = calloc(PAIR_BUCKETS, sizeof *p->by_inode);
    if (p->n == p->room) {
        size_t room = p->room ? p->room * 2 : 16;
        struct pair *more = realloc(p->pair, room * sizeof *more);
        if (!more)
            return false;
        p->pair = more;
        p->room = room;
    }
    return p->by_object && p->by_inode;
}

/* Out of memory counts as the same: a comparison must not invent differences. */
static bool paired(struct pairing *p, const struct area *engine, const struct area *kernel)
{
    if (!make_room(p))
        return true;
    size_t i = find_object(p, engine->object);
    if (i != NO_PAIR || find_inode(p, kernel) != NO_PAIR)
        return i == find_inode(p, kernel);
    size_t *of_object = object_bucket(p, engine->object), *of_inode = inode_bucket(p, kernel);
    p->pair[p->n++] = (struct pair){ engine->object, kernel->dev, kernel->ino, *of_object,
                                     *of_inode };
    *of_object = *of_inode = p->n;
    return true;
}

static bool same_file(struct pairing *pairing, const struct area *engine,
                      const struct area *kernel)
{
    if (engine->kind != kernel->kind)
        return false;
    if (engine->kind == AREA_ANON)
        return true;
    if (engine->kind == AREA_SPECIAL)
        return strcmp(engine->path, kernel->path) == 0;
    if (!engine->dev && !engine->ino && !engine->path[0])
        return paired(pairing, engine, kernel);
    return engine->dev == kernel->dev && engine->ino == kernel->ino;
}

/* What differs between two areas; NULL: nothing. */
static const char *differs(struct pairing *pairing, const struct area *engine,
                           const struct area *kernel)
{
    uint64_t flags = engine->flags ^ kernel->flags;

    if (engine->start != kernel->start || engine->end != kernel->end)
        return "boundaries";
    if (flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC))
        return "protection";
    if (flags & MW_VM_MAYSHARE)
        return "shared or private";
    if (!same_file(pairing, engine, kernel))
        return "file";
    if (engine->kind == AREA_FILE && engine->offset != kernel->offset)
        return "offset";
    if (flags && engine->flags_known && kernel->flags_known)
        return "flags";
    return NULL;
}

void layout_compare(const struct layout *engine, const struct layout *kernel,
                    struct layout_diff *diff)
{
    struct pairing pairing = { 0 };
    size_t i = 0;

    *diff = (struct layout_diff){ 0 };
    while (i < engine->n && i < kernel->n && !diff->what) {
        diff->what = differs(&pairing, &engine->area[i], &kernel->area[i]);
        if (!diff->what)
            i++;
    }
    free(pairing.pair);
    free(pairing.by_object);
    free(pairing.by_inode);
    if (!diff->what && engine->n == kernel->n)
        return;
    if (!diff->what)
        diff->what = "boundaries";
    diff->differs = true;
    diff->engine = diff->kernel = i;
    diff->addr = i < kernel->n ? kernel->area[i].start : engine->area[i].start;
    if (i < engine->n && engine->area[i].start < diff->addr)
        diff->addr = engine->area[i].start;
}
