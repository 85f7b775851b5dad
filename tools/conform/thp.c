/* SPDX-License-Identifier: MIT */
/*
 * thp.c - episodes with transparent huge pages. Elsewhere they are disabled
 * for this process: one makes present what nobody has touched.
 *
 * Linux keeps a page table that has become empty, and gives pages there from
 * then on where the engine, which puts it away, gives a huge page (CAVEATS.md).
 * So the 2 MiB that have had a table are noted, and not accessed once they are empty.
 */
#include "system.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SETTINGS "/sys/kernel/mm/transparent_hugepage/"
#define MOST_MIXED 512
#define MOST_UNITS 64u /* of a range that is looked at */

/* ---- the system ---- */

static bool setting(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* Of other sizes than 2 MiB the engine knows nothing. */
static bool has_one_size(void)
{
    static const char *const smaller[] = { "16", "32", "64", "128", "256", "512", "1024" };
    char path[128], text[64];
    for (size_t i = 0; i < sizeof smaller / sizeof smaller[0]; i++) {
        strcpy(path, SETTINGS "hugepages-");
        strcat(path, smaller[i]);
        strcat(path, "kB/enabled");
        if (setting(path, text, sizeof text) && !strstr(text, "[never]"))
            return false;
    }
    return !setting(SETTINGS "hugepages-2048kB/enabled", text, sizeof text) || strstr(text, "[inherit]");
}

void sys_probe_thp(void)
{
    char text[64];
    sys.thp_mode = MW_THP_NEVER;
    if (prctl(PR_SET_THP_DISABLE, 1ul, 0ul, 0ul, 0ul) != 0 ||
        !setting(SETTINGS "use_zero_page", text, sizeof text) || text[0] != '1' || !has_one_size())
        return;
    setting(SETTINGS "enabled", text, sizeof text);
    sys.thp_mode = strstr(text, "[always]")    ? MW_THP_ALWAYS
                   : strstr(text, "[madvise]") ? MW_THP_MADVISE
                                               : MW_THP_NEVER;
}

static bool allowed;
static uint64_t collapsed;

static uint64_t collapsed_by_khugepaged(void)
{
    char text[32];
    return setting(SETTINGS "khugepaged/pages_collapsed", text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

void sys_allow_thp(bool allow)
{
    if (allow == allowed)
        return;
    allowed = allow;
    prctl(PR_SET_THP_DISABLE, allow ? 0ul : 1ul, 0ul, 0ul, 0ul);
    if (allow)
        collapsed = collapsed_by_khugepaged();
}

/* It makes huge pages of anybody's, at its own times. */
bool sys_khugepaged_came(void)
{
    return allowed && collapsed_by_khugepaged() != collapsed;
}

/* ---- where an empty table may be left ---- */

static uint64_t mixed[MOST_MIXED];
static int mixed_units;
static bool lost; /* there were more */

void thp_begin(void)
{
    mixed_units = 0;
    lost = false;
}

static bool is_mixed(uint64_t unit)
{
    for (int i = 0; i < mixed_units; i++)
        if (mixed[i] == unit)
            return true;
    return lost;
}

static void note_mixed(uint64_t unit)
{
    if (is_mixed(unit))
        return;
    if (mixed_units == MOST_MIXED)
        lost = true;
    else
        mixed[mixed_units++] = unit;
}

static void note_all(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + len;
    for (uint64_t u = addr & ~(HUGE - 1); u < end && !lost; u += HUGE)
        note_mixed(u);
}

#define ENTRY_LEAF 0x80u

/* A huge page has no table, and where nothing is mapped any more Linux puts it away too. */
static void forget_clean(void)
{
    struct mw_vma v;
    for (int i = 0; i < mixed_units;) {
        uint64_t u = mixed[i];
        if (model_entry(u) & ENTRY_LEAF || !model_next_vma(u, &v) || v.start >= u + HUGE)
            mixed[i] = mixed[--mixed_units];
        else
            i++;
    }
}

static void note_tables(void)
{
    struct mw_vma v;
    for (uint64_t a = ZONE_LOW; model_next_vma(a, &v) && v.start < FILL; a = v.end) {
        lost = lost || v.end - v.start > MOST_UNITS * HUGE;
        for (uint64_t u = v.start & ~(HUGE - 1); u < v.end && !lost; u += HUGE)
            if (model_entry(u) != 0 && !(model_entry(u) & ENTRY_LEAF))
                note_mixed(u);
    }
}

/* What a new mapping takes the place of is unmapped, with its tables. */
static void forget_replaced(uint64_t addr, uint64_t len)
{
    for (int i = 0; i < mixed_units;)
        if (mixed[i] >= addr && mixed[i] + HUGE <= addr + len)
            mixed[i] = mixed[--mixed_units];
        else
            i++;
}

void thp_after(const struct step *s, int64_t result)
{
    if (s->kind == STEP_MMAP && result > 0)
        forget_replaced((uint64_t)result, s->len);
    if (s->kind == STEP_MREMAP && result > 0) { /* tables are made where pages may go, and of what is split */
        note_all((uint64_t)result, s->more);
        note_all(s->addr, s->len);
    }
    note_tables();
    forget_clean();
}

bool thp_uncertain(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + len < addr ? UINT64_MAX : addr + len;
    struct mw_vma v;
    if (!model.thp)
        return false;
    for (uint64_t a = addr; model_next_vma(a, &v) && (v.start < end || v.flags & MW_VM_GROWSDOWN); a = v.end) {
        uint64_t u = (v.start > addr ? v.start : addr) & ~(HUGE - 1);
        if (v.flags & MW_VM_GROWSDOWN && v.start > addr) /* it grows by the access */
            v.start = addr & ~(PAGE - 1), u = addr & ~(HUGE - 1);
        if (v.object != NULL || (sys.thp_mode == MW_THP_MADVISE && !(v.flags & MW_VM_HUGEPAGE)))
            continue;
        for (; u < v.end && u < end; u += HUGE)
            if (u >= v.start && v.end - u >= HUGE && model_entry(u) == 0 && is_mixed(u))
                return true;
    }
    return false;
}

/* ---- what can't be compared ---- */

static bool has_empty_table(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + len;
    if (len > MOST_UNITS * HUGE || end < addr)
        return true;
    for (uint64_t u = addr & ~(HUGE - 1); u < end; u += HUGE)
        if (model_entry(u) == 0 && is_mixed(u))
            return true;
    return false;
}

static bool is_locked(uint64_t addr)
{
    struct mw_vma v;
    return model.future != 0 || (model_next_vma(addr, &v) && v.flags & MW_VM_LOCKED);
}

bool thp_step_is_safe(const struct step *s)
{
    if (s->kind == STEP_THP)
        return sys.thp_mode != MW_THP_NEVER;
    if (!model.thp)
        return true;
    switch (s->kind) {
    case STEP_STORE:
    case STEP_LOAD:
        return !thp_uncertain(s->addr, 4);
    case STEP_MADVISE:
        if ((uint32_t)s->more == MW_MADV_COLLAPSE) /* Linux makes one of an empty table too */
            return !has_empty_table(s->addr, s->len);
        return ((uint32_t)s->more != MW_MADV_POPULATE_READ && (uint32_t)s->more != MW_MADV_POPULATE_WRITE) ||
               !thp_uncertain(s->addr, s->len);
    case STEP_COPY_IN:
    case STEP_COPY_OUT:
    case STEP_MLOCK:
    case STEP_MLOCK2:
        return !thp_uncertain(s->addr, s->len);
    case STEP_MMAP:
        return !(s->flags & (MW_MAP_POPULATE | MW_MAP_LOCKED)) && model.future == 0;
    case STEP_MPROTECT:
    case STEP_MREMAP:
        return !is_locked(s->addr);
    default:
        return true;
    }
}
