/* SPDX-License-Identifier: MIT */
/* cover.c - which rules of SPEC.md and which reasons a run has exercised. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

/* Rules that show in a success. */
enum rule {
    R_PLACE_2, R_PLACE_3, R_PLACE_4, R_PLACE_6, R_PLACE_7, R_MMAP_2, R_MMAP_7, R_MMAP_19, R_MMAP_20,
    R_MMAP_21, R_MMAP_22, R_MMAP_23, R_MUNMAP_HOLE, R_MPROT_NOTHING, R_MPROT_5, R_BRK_GROW,
    R_BRK_SHRINK, R_BRK_SAME, R_MREMAP_20, R_MREMAP_21, R_MREMAP_15, R_MREMAP_22, R_MREMAP_23,
    R_MREMAP_24, R_MREMAP_MOVED, R_MREMAP_DUP, R_MREMAP_DONTUNMAP, R_MERGE_1, R_SPLIT, R_MPROT_4,
    RULES
};

static const struct {
    const char *rule, *text;
} rules[RULES] = {
    [R_PLACE_2] = { "PLACE-2", "a fixed address" },
    [R_PLACE_3] = { "PLACE-3", "a hint used as it is" },
    [R_PLACE_4] = { "PLACE-4", "a place chosen from above" },
    [R_PLACE_6] = { "PLACE-6", "MAP_32BIT" },
    [R_PLACE_7] = { "PLACE-7", "a huge-aligned place" },
    [R_MMAP_2] = { "MMAP-2", "anonymous memory with a descriptor" },
    [R_MMAP_7] = { "MMAP-7", "MAP_FIXED_NOREPLACE on free room" },
    [R_MMAP_19] = { "MMAP-19", "a read-only file, shared" },
    [R_MMAP_20] = { "MMAP-20", "populated at once" },
    [R_MMAP_21] = { "MMAP-21", "MAP_STACK" },
    [R_MMAP_22] = { "MMAP-22", "under mlockall(MCL_FUTURE)" },
    [R_MMAP_23] = { "MMAP-23", "MAP_SYNC" },
    [R_MUNMAP_HOLE] = { "ARG-3", "munmap where nothing is mapped" },
    [R_MPROT_NOTHING] = { "ARG-2", "mprotect of length 0" },
    [R_MPROT_5] = { "MPROT-5", "PROT_GROWSDOWN on a stack" },
    [R_BRK_GROW] = { "BRK-3", "the heap grew" },
    [R_BRK_SHRINK] = { "BRK-4", "the heap shrank" },
    [R_BRK_SAME] = { "BRK-2", "the break within its page" },
    [R_MREMAP_20] = { "MREMAP-20", "equal sizes, in place" },
    [R_MREMAP_21] = { "MREMAP-21", "shrunk in place" },
    [R_MREMAP_15] = { "MREMAP-15", "grown in place" },
    [R_MREMAP_22] = { "MREMAP-22", "to a fixed address" },
    [R_MREMAP_23] = { "MREMAP-23", "moved and of a new size" },
    [R_MREMAP_24] = { "MREMAP-24", "locked memory grown" },
    [R_MREMAP_MOVED] = { "PLACE-4", "moved to a chosen address" },
    [R_MREMAP_DUP] = { "MREMAP-11", "shared memory duplicated" },
    [R_MREMAP_DONTUNMAP] = { "MREMAP-14", "MREMAP_DONTUNMAP" },
    [R_MERGE_1] = { "MERGE-1", "a call left fewer mappings" },
    [R_SPLIT] = { "MUNMAP-1", "a call left more mappings" },
    [R_MPROT_4] = { "MPROT-4", "a failing mprotect changed what lies before" },
};

static void mmap_rules(uint64_t *n, const struct step *s, uint64_t at)
{
    if (s->flags & MW_MAP_FIXED_NOREPLACE)
        n[R_MMAP_7]++;
    else if (s->flags & MW_MAP_FIXED)
        n[R_PLACE_2]++;
    else if (s->flags & MW_MAP_32BIT)
        n[R_PLACE_6]++;
    else if (s->addr != 0 && at == (s->addr & ~(PAGE - 1)))
        n[R_PLACE_3]++;
    else if (at % HUGE == 0 && s->len >= HUGE)
        n[R_PLACE_7]++;
    else
        n[R_PLACE_4]++;
    n[R_MMAP_2] += s->flags & MW_MAP_ANONYMOUS && s->file != FILE_NONE;
    n[R_MMAP_19] += s->file == FILE_RO && (s->flags & 3u) == MW_MAP_SHARED;
    n[R_MMAP_20] += (s->flags & (MW_MAP_POPULATE | MW_MAP_LOCKED)) != 0;
    n[R_MMAP_21] += (s->flags & MW_MAP_STACK) != 0;
    n[R_MMAP_22] += model.future != 0;
    n[R_MMAP_23] += (s->flags & MW_MAP_SYNC) != 0;
}

static void mremap_rules(uint64_t *n, const struct step *s, uint64_t at,
                         const struct mw_stats *before, const struct mw_stats *after)
{
    uint64_t was = (s->len + PAGE - 1) / PAGE, is = (s->more + PAGE - 1) / PAGE;
    if (s->flags & MW_MREMAP_DONTUNMAP)
        n[R_MREMAP_DONTUNMAP]++;
    else if (was == 0)
        n[R_MREMAP_DUP]++;
    else if (s->flags & MW_MREMAP_FIXED)
        n[was == is ? R_MREMAP_22 : R_MREMAP_23]++;
    else if (at != s->addr)
        n[R_MREMAP_MOVED]++;
    else
        n[is == was ? R_MREMAP_20 : is < was ? R_MREMAP_21 : R_MREMAP_15]++;
    n[R_MREMAP_24] += is > was && after->locked > before->locked;
}

static void brk_rules(uint64_t *n, const struct mw_stats *before, const struct mw_stats *after)
{
    if (after->brk == before->brk)
        return;
    if ((after->brk + PAGE - 1) / PAGE == (before->brk + PAGE - 1) / PAGE)
        n[R_BRK_SAME]++;
    else
        n[after->brk > before->brk ? R_BRK_GROW : R_BRK_SHRINK]++;
}

void cover_call(struct tally *t, const struct step *s, int64_t result,
                const struct mw_stats *before, const struct mw_stats *after)
{
    t->calls++;
    if (model.why.err != 0) {
        t->reason[model.why.reason < MAX_REASONS ? model.why.reason : 0]++;
        t->rule[R_MPROT_4] += s->kind == STEP_MPROTECT && after->map_count != before->map_count;
        return;
    }
    t->ok_by_kind[s->kind]++;
    t->rule[R_MERGE_1] += after->map_count < before->map_count && s->kind != STEP_MUNMAP;
    t->rule[R_SPLIT] += after->map_count > before->map_count && s->kind == STEP_MUNMAP;
    switch (s->kind) {
    case STEP_MMAP:
        mmap_rules(t->rule, s, (uint64_t)result);
        break;
    case STEP_MREMAP:
        mremap_rules(t->rule, s, (uint64_t)result, before, after);
        break;
    case STEP_BRK:
        brk_rules(t->rule, before, after);
        break;
    case STEP_MUNMAP:
        t->rule[R_MUNMAP_HOLE] += after->total == before->total;
        break;
    default:
        t->rule[R_MPROT_NOTHING] += s->len == 0;
        t->rule[R_MPROT_5] += (s->prot & MW_PROT_GROWSDOWN) != 0;
    }
}

void cover_add(struct tally *to, const struct tally *from)
{
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
}

/* How many reasons there are: names beyond the last repeat the first. */
int cover_reasons(void)
{
    int n = 1;
    for (; n < MAX_REASONS; n++) {
        struct mw_why why = { .err = 1, .reason = (uint32_t)n };
        if (strcmp(mw_why_name(&why), "none") == 0)
            break;
    }
    return n;
}

const char *cover_rule(int i, uint64_t *n, const struct tally *t)
{
    if (i >= RULES)
        return NULL;
    *n = t->rule[i];
    return rules[i].rule;
}

void cover_print(const struct tally *t)
{
    int reasons = cover_reasons(), met = 0, shown = 0;
    printf("reasons of failures\n");
    for (int i = 1; i < reasons; i++) {
        struct mw_why why = { .err = 1, .reason = (uint32_t)i };
        met += t->reason[i] != 0;
        printf("  %-10s %-24s %12llu%s\n", mw_why_rule(&why), mw_why_name(&why),
               (unsigned long long)t->reason[i], t->reason[i] ? "" : "  NOT EXERCISED");
    }
    printf("rules of success\n");
    for (int i = 0; i < RULES; i++) {
        shown += t->rule[i] != 0;
        printf("  %-10s %-44s %12llu%s\n", rules[i].rule, rules[i].text,
               (unsigned long long)t->rule[i], t->rule[i] ? "" : "  NOT EXERCISED");
    }
    printf("%d of %d reasons and %d of %d rules of success exercised\n", met, reasons - 1, shown,
           RULES);
}
