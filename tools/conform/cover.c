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
    R_ENGINE_3, R_MMAP_4, R_MMAP_24, R_PLACE_5, R_PLACE_8, R_MUNMAP_3, R_MPROT_8, R_MPROT_9, R_BRK_5,
    R_BRK_6, R_MREMAP_25, R_MREMAP_29, R_MREMAP_30, R_MREMAP_31, R_MREMAP_32, R_MREMAP_33,
    R_MREMAP_38, R_MREMAP_41, R_MERGE_2, R_MERGE_3, R_MERGE_5, R_MERGE_6, R_ANON_1, R_ANON_2,
    R_ANON_3, R_FAULT_1, R_FAULT_2, R_FAULT_3, R_FAULT_4, R_FAULT_5, R_STACK_1, R_STACK_2, R_STACK_3,
    R_LOCK_1, R_LOCK_5, R_LOCK_8, R_LOCK_9, R_LOCK_ALL, R_LOCK_NONE, R_LOCK_10, R_ADVICE_3, R_ADVICE_7,
    R_ADVICE_8, R_ADVICE_9, R_ADVICE_10, R_ADVICE_11, R_ADVICE_13, R_UNGUARD, R_SYNC_2, R_CORE_3,
    R_SEAL_4, R_SEAL_5, R_SEAL_6, R_TRUNC_1, R_TRUNC_2, R_SHM_5, R_SHM_6, R_WATCH_4, R_WATCH_5,
    R_PMADV_6, R_PMADV_SOME, R_REMAPF_5, R_REMAPF_6, R_WATCH_11, R_WATCH_12, R_WATCH_13, R_WATCH_14, R_WATCH_15, R_WATCH_17, R_THP_1, R_ADVICE_14,
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
    [R_MREMAP_DUP] = { "MREMAP-27", "shared memory duplicated" },
    [R_MREMAP_DONTUNMAP] = { "MREMAP-28", "MREMAP_DONTUNMAP" },
    [R_MERGE_1] = { "MERGE-1", "a call left fewer mappings" },
    [R_SPLIT] = { "MUNMAP-1", "a call left more mappings" },
    [R_MPROT_4] = { "MPROT-4", "a failing mprotect changed what lies before" },
    [R_ENGINE_3] = { "ENGINE-3", "a failing call changed nothing" },
    [R_MMAP_4] = { "MMAP-4", "a length beyond all of user space" },
    [R_MMAP_24] = { "MMAP-24", "what could not be promised left a hole" },
    [R_PLACE_5] = { "PLACE-5", "a hint in a stack's guard was not used" },
    [R_PLACE_8] = { "PLACE-8", "placed as the file's huge pages lie" },
    [R_MUNMAP_3] = { "MUNMAP-3", "a refused call left a cut" },
    [R_MPROT_8] = { "MPROT-8", "mprotect changed what is promised" },
    [R_MPROT_9] = { "MPROT-9", "locked memory became writable and present" },
    [R_BRK_5] = { "BRK-5", "mremap of the heap" },
    [R_BRK_6] = { "BRK-6", "the heap apart from its neighbour below" },
    [R_MREMAP_25] = { "MREMAP-25", "grown in place and merged" },
    [R_MREMAP_29] = { "MREMAP-29", "DONTUNMAP's hint used" },
    [R_MREMAP_30] = { "MREMAP-30", "DONTUNMAP of a part of locked memory" },
    [R_MREMAP_31] = { "MREMAP-31", "DONTUNMAP of locked memory" },
    [R_MREMAP_32] = { "MREMAP-32", "several mappings moved" },
    [R_MREMAP_33] = { "MREMAP-33", "of several mappings some moved" },
    [R_MREMAP_38] = { "MREMAP-38", "a shrinking move to a fixed address" },
    [R_MREMAP_41] = { "MREMAP-41", "memory watched by userfaultfd moved" },
    [R_MERGE_2] = { "MERGE-2", "neighbours apart by what they belong to" },
    [R_MERGE_3] = { "MERGE-3", "neighbours apart by identity" },
    [R_MERGE_5] = { "MERGE-5", "neighbours that never merge" },
    [R_MERGE_6] = { "MERGE-6", "neighbours apart since a fork" },
    [R_ANON_1] = { "ANON-1", "a first write" },
    [R_ANON_2] = { "ANON-2", "a first write took over an identity" },
    [R_ANON_3] = { "ANON-3", "a stack touched by growing" },
    [R_FAULT_1] = { "FAULT-1", "an access where nothing is mapped" },
    [R_FAULT_2] = { "FAULT-2", "an access that is not permitted" },
    [R_FAULT_3] = { "FAULT-3", "an access beyond the file" },
    [R_FAULT_4] = { "FAULT-4", "an access" },
    [R_FAULT_5] = { "FAULT-5", "a copy that stopped half-way" },
    [R_STACK_1] = { "STACK-1", "a stack grew" },
    [R_STACK_2] = { "STACK-2", "a stack too near to what lies below" },
    [R_STACK_3] = { "STACK-3", "a stack that limits keep from growing" },
    [R_LOCK_1] = { "LOCK-1", "a lock from within a page" },
    [R_LOCK_5] = { "LOCK-5", "a lock of length 0" },
    [R_LOCK_8] = { "LOCK-8", "locked memory made present" },
    [R_LOCK_9] = { "LOCK-9", "mlockall(MCL_FUTURE)" },
    [R_LOCK_ALL] = { "LOCK-9", "mlockall(MCL_CURRENT) locked more" },
    [R_LOCK_NONE] = { "LOCK-9", "munlockall of what was locked" },
    [R_LOCK_10] = { "LOCK-10", "munlock of what was locked" },
    [R_ADVICE_3] = { "ADVICE-3", "advice followed on both sides of a hole" },
    [R_ADVICE_7] = { "ADVICE-7", "advice that cut a mapping" },
    [R_ADVICE_8] = { "ADVICE-8", "MADV_DONTNEED dropped pages" },
    [R_ADVICE_9] = { "ADVICE-9", "MADV_REMOVE emptied an object" },
    [R_ADVICE_10] = { "ADVICE-10", "advice that pages outlast" },
    [R_ADVICE_11] = { "ADVICE-11", "MADV_POPULATE_ made pages present" },
    [R_ADVICE_13] = { "ADVICE-13", "guards were installed" },
    [R_UNGUARD] = { "ADVICE-13", "guards were taken away" },
    [R_SYNC_2] = { "SYNC-2", "msync" },
    [R_CORE_3] = { "CORE-3", "mincore of pages, some there and some not" },
    [R_SEAL_4] = { "SEAL-4", "memory was sealed" },
    [R_SEAL_5] = { "SEAL-5", "mseal cut a mapping" },
    [R_SEAL_6] = { "SEAL-6", "advice refused because of a seal" },
    [R_TRUNC_1] = { "TRUNC-1", "a mapped file shrank" },
    [R_TRUNC_2] = { "TRUNC-2", "a mapped file grew" },
    [R_SHM_5] = { "SHM-5", "a segment was attached" },
    [R_SHM_6] = { "SHM-6", "a segment was detached" },
    [R_PMADV_6] = { "PMADV-6", "several ranges were advised" },
    [R_PMADV_SOME] = { "PMADV-6", "ranges were advised up to one that failed" },
    [R_REMAPF_5] = { "REMAPF-5", "other pages of a file" },
    [R_REMAPF_6] = { "REMAPF-6", "a lock outlasted the mapping" },
    [R_WATCH_4] = { "WATCH-4", "memory was watched" },
    [R_WATCH_5] = { "WATCH-5", "memory was watched no more" },
    [R_WATCH_11] = { "WATCH-11", "UFFDIO_COPY filled pages" },
    [R_WATCH_12] = { "WATCH-12", "UFFDIO_ZEROPAGE did" },
    [R_WATCH_13] = { "WATCH-13", "UFFDIO_CONTINUE mapped pages" },
    [R_WATCH_14] = { "WATCH-14", "UFFDIO_POISON" },
    [R_WATCH_15] = { "WATCH-15", "UFFDIO_WRITEPROTECT" },
    [R_WATCH_17] = { "WATCH-17", "UFFDIO_MOVE moved pages" },
    [R_THP_1] = { "THP-1", "a write made a huge page" },
    [R_ADVICE_14] = { "ADVICE-14", "MADV_COLLAPSE made a huge page" },
};

/* Reasons (or with a _ at the end, all that begin so) that calls of a program on this Linux never have; SPEC.md says more of each. */
static const struct {
    const char *reason, *why;
} never[] = {
    { "no_memory", "the engine's own memory: tests/fault, fuzz_port" },
    { "not_modelled", "such calls are not compared" },
    { "mremap_huge_move", "before Linux 5.16" },
    { "mremap_leave_anon", "before Linux 5.13" },
    { "no_address", "rings of io_uring: the suite" },
    { "uncut", "the vdso and rings of perf: the suite" },
    { "mremap_whole", "the vdso and rings of perf: the suite" },
    { "mirror_flags", "of this engine alone: tests/unit" },
    { "mirror_size", "of this engine alone: tests/unit" },
    { "mirror_guarded", "of this engine alone: tests/unit" },
    { "name_", "kernels with names of memory are rare: tests/unit" },
    { "no_such_call", "before Linux 6.10" },
    { "advice_split_nomem", "before Linux 6.1" },
    { "lock_no_page", "the machine's memory runs out" },
    { "advice_no_page", "the machine's memory runs out" },
    { "file_refused", "files that refuse are no program's: tests/unit" },
    { "place_refused", "files that place themselves: tests/unit" },
    { "pmadv_advice", "before Linux 6.13, and of other processes: tests/scenarios" },
    { "pkey_unsupported", "the first call alone, which is made before all episodes: tests/scenarios" },
    { "watch_continue_far", "once in a hundred million calls: tests/unit" },
    { "sync_failed", "a disk would have to fail: tests/unit" },
    { "collapse_read_only", "before Linux 6.18" },
    { "watch_features", "none is asked for that is not there: tests/scenarios" },
    { "watch_call", "before Linux 6.8" },
    { "watch_waits", "watchers have SIGBUS here: tests/scenarios" },
    { "watch_no_page", "the machine's memory runs out" },
    { "watch_move_shared", "no watcher is left after a fork: tests/scenarios" },
    { "advice_offset", "once in millions of calls: tests/unit" },
    { "advice_too_far", "once in millions of calls: tests/unit" },
};

/* These need a pool of huge pages. */
static const char *const of_huge_pages[] = { "huge_split", "huge_pool", "hugetlb_size",
                                             "hugetlb_offset", "mremap_huge_align",
                                             "mremap_huge_grow", "remapf_huge", "watch_huge", "watch_no_huge" };

static const char *never_met(const char *reason)
{
    for (size_t i = 0; sys.huge_pages == 0 && i < sizeof of_huge_pages / sizeof of_huge_pages[0]; i++)
        if (strcmp(of_huge_pages[i], reason) == 0)
            return "no huge pages: --huge-pages, as root";
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        size_t n = strlen(never[i].reason);

        if (strncmp(never[i].reason, reason, never[i].reason[n - 1] == '_' ? n : n + 1) == 0)
            return never[i].why;
    }
    return NULL;
}

/* What a call is made on, and an access. */
static struct mw_vma at_first;
static bool was_mapped;
static uint64_t file_size;      /* of the one that ftruncate is about */
static struct mw_stats at_store; /* while huge pages may come */

static bool mapped_at(uint64_t addr, struct mw_vma *v)
{
    return model_next_vma(addr, v) && v->start <= addr;
}

void cover_before(const struct step *s)
{
    was_mapped = (s->kind == STEP_MREMAP || s->kind == STEP_STORE) && mapped_at(s->addr, &at_first);
    if (s->kind == STEP_TRUNCATE)
        file_size = mw_object_size(model.file[s->file].object);
    if (model.thp && s->kind == STEP_STORE)
        mw_stats(model.space, &at_store);
}

/* ---- neighbours ---- */

/* Why these two are two, where they could be one. */
static void pair_rules(uint64_t *n, const struct mw_vma *low, const struct mw_vma *high)
{
    if (high->start != low->end || low->flags != high->flags || low->object != high->object)
        return;
    n[R_BRK_6] += high->start == HEAP;
    if (low->flags & MW_VM_DONTEXPAND)
        n[R_MERGE_5]++;
    else if (low->offset + (low->end - low->start) != high->offset)
        n[R_MERGE_2] += low->object == NULL;
    else if ((low->anon | high->anon) & MW_ANON_FORKED)
        n[R_MERGE_6]++;
    else
        n[R_MERGE_3] += low->anon != 0 && high->anon != 0;
}

/* The mapping at `addr` with those above and below it. */
static void merge_rules(uint64_t *n, uint64_t addr)
{
    struct mw_vma v, other;
    if (!mapped_at(addr, &v))
        return;
    if (model_next_vma(v.end, &other))
        pair_rules(n, &v, &other);
    if (v.start != 0 && mapped_at(v.start - 1, &other))
        pair_rules(n, &other, &v);
}

/* A hint where room is, but for a stack's guard above it. */
static bool hint_in_guard(const struct step *s)
{
    struct mw_vma v;
    uint64_t end = (s->addr & ~(PAGE - 1)) + s->len;
    return s->addr != 0 && s->len < HUGE && model_next_vma(s->addr & ~(PAGE - 1), &v) &&
           v.flags & MW_VM_GROWSDOWN && v.start >= end && v.start - end < 256 * PAGE;
}

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
    if (!(s->flags & (MW_MAP_FIXED | MW_MAP_FIXED_NOREPLACE | MW_MAP_32BIT))) {
        n[R_PLACE_5] += at != (s->addr & ~(PAGE - 1)) && hint_in_guard(s);
        n[R_PLACE_8] += s->file == FILE_ZERO && s->len >= HUGE && (at - s->more) % HUGE == 0;
    }
    n[R_MMAP_2] += s->flags & MW_MAP_ANONYMOUS && s->file != FILE_NONE;
    n[R_MMAP_19] += s->file == FILE_RO && (s->flags & 3u) == MW_MAP_SHARED;
    n[R_MMAP_20] += (s->flags & (MW_MAP_POPULATE | MW_MAP_LOCKED)) != 0;
    n[R_MMAP_21] += (s->flags & MW_MAP_STACK) != 0;
    n[R_MMAP_22] += model.future != 0;
    n[R_MMAP_23] += (s->flags & MW_MAP_SYNC) != 0;
}

static bool spans_several(const struct step *s)
{
    return s->flags & MW_MREMAP_FIXED && s->len == s->more && s->addr + s->len > at_first.end;
}

static void moved_rules(uint64_t *n, const struct step *s, uint64_t at,
                        const struct mw_stats *before, const struct mw_stats *after)
{
    bool part = s->addr > at_first.start || s->addr + s->len < at_first.end;
    bool left = s->flags & MW_MREMAP_DONTUNMAP && at_first.flags & MW_VM_LOCKED;
    n[R_MREMAP_30] += left && part;
    n[R_MREMAP_31] += left && after->locked > before->locked;
    n[R_MREMAP_32] += spans_several(s);
    n[R_MREMAP_38] += s->flags & MW_MREMAP_FIXED && s->more < s->len &&
                      (at_first.flags & MW_VM_ACCOUNT) != 0;
    n[R_MREMAP_41] += at != s->addr && (at_first.flags & MW_VM_UFFD) != 0;
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
    n[R_MREMAP_25] += is > was && at == s->addr && after->map_count < before->map_count;
    n[R_MREMAP_29] += s->flags == (MW_MREMAP_MAYMOVE | MW_MREMAP_DONTUNMAP) && at == s->to;
    n[R_BRK_5] += at != s->addr && s->addr >= HEAP && s->addr < HEAP + 8 * PAGE;
    if (was_mapped)
        moved_rules(n, s, at, before, after);
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

static void failure_rules(uint64_t *n, const struct step *s, int64_t result, const struct mw_stats *before,
                          const struct mw_stats *after)
{
    struct mw_vma v;
    bool sealed = model.why.err == MW_EPERM && after->map_count > before->map_count;
    n[R_ENGINE_3] += memcmp(before, after, sizeof *after) == 0;
    n[R_SEAL_6] += s->kind == STEP_MADVISE && model.why.err == MW_EPERM;
    n[R_ADVICE_3] += s->kind == STEP_MADVISE && model.why.err == MW_ENOMEM &&
                     mapped_at(s->addr, &v) && mapped_at(s->addr + s->len - PAGE, &v);
    n[R_PMADV_SOME] += s->kind == STEP_PROCESS_MADVISE && result > 0;
    n[R_MMAP_4] += s->kind == STEP_MMAP && model.why.err == MW_ENOMEM && s->len > TASK_END;
    n[R_MMAP_24] += s->kind == STEP_MMAP && after->total < before->total;
    n[R_MUNMAP_3] += sealed && s->kind != STEP_MPROTECT;
    n[R_MPROT_4] += s->kind == STEP_MPROTECT && after->map_count != before->map_count;
    n[R_MREMAP_33] += s->kind == STEP_MREMAP && was_mapped && spans_several(s) &&
                      !mapped_at(s->addr, &v);
}

static void lock_rules(uint64_t *n, const struct step *s, const struct mw_stats *before,
                       const struct mw_stats *after)
{
    bool more = after->locked > before->locked, fewer = after->locked < before->locked;
    switch (s->kind) {
    case STEP_MLOCKALL:
        n[R_LOCK_9] += (s->flags & MW_MCL_FUTURE) != 0;
        n[R_LOCK_ALL] += more;
        break;
    case STEP_MUNLOCKALL:
        n[R_LOCK_NONE] += fewer;
        break;
    default:
        n[R_LOCK_1] += more && s->addr % PAGE != 0;
        n[R_LOCK_5] += s->len == 0;
        n[R_LOCK_8] += more && after->resident > before->resident;
        n[R_LOCK_10] += fewer;
    }
}

static void advice_rules(uint64_t *n, const struct step *s, const struct mw_stats *before,
                         const struct mw_stats *after)
{
    bool fewer = after->resident < before->resident;
    switch (s->more) {
    case MW_MADV_DONTNEED:
    case MW_MADV_DONTNEED_LOCKED:
        n[R_ADVICE_8] += fewer;
        break;
    case MW_MADV_REMOVE:
        n[R_ADVICE_9] += s->len != 0;
        break;
    case MW_MADV_FREE:
    case MW_MADV_COLD:
    case MW_MADV_WILLNEED:
        n[R_ADVICE_10] += s->len != 0;
        break;
    case MW_MADV_POPULATE_READ:
    case MW_MADV_POPULATE_WRITE:
        n[R_ADVICE_11] += after->resident > before->resident;
        break;
    case MW_MADV_GUARD_INSTALL:
        n[R_ADVICE_13] += s->len != 0;
        break;
    case MW_MADV_GUARD_REMOVE:
        n[R_UNGUARD] += s->len != 0;
        break;
    case MW_MADV_COLLAPSE:
        n[R_ADVICE_14] += after->resident > before->resident;
        break;
    default:
        n[R_ADVICE_7] += after->map_count > before->map_count;
    }
}

/* Those on objects, of several ranges, and userfaultfd's. */
static void object_rules(uint64_t *n, const struct step *s, int64_t result, const struct mw_stats *after)
{
    static const uint8_t rule_of[STEP_CALLS] = {
        [STEP_SHMAT] = R_SHM_5, [STEP_SHMDT] = R_SHM_6, [STEP_REMAP_FILE_PAGES] = R_REMAPF_5, [STEP_REGISTER] = R_WATCH_4,
        [STEP_UNREGISTER] = R_WATCH_5, [STEP_COPY] = R_WATCH_11, [STEP_ZEROPAGE] = R_WATCH_12,
        [STEP_CONTINUE] = R_WATCH_13, [STEP_POISON] = R_WATCH_14, [STEP_MOVE] = R_WATCH_17,
        [STEP_WRITEPROTECT] = R_WATCH_15,
    };
    struct mw_vma v;
    bool mapped = s->kind == STEP_TRUNCATE && mw_object_mapped(model.file[s->file].object) > 0;
    if (mapped)
        n[s->len < file_size ? R_TRUNC_1 : R_TRUNC_2] += s->len != file_size;
    else if (rule_of[s->kind] != 0)
        n[rule_of[s->kind]]++;
    n[R_PMADV_6] += s->kind == STEP_PROCESS_MADVISE && s->file > 1 && result > (int64_t)s->len;
    n[R_REMAPF_6] += s->kind == STEP_REMAP_FILE_PAGES && after->locked > 0 && mapped_at(s->addr, &v) &&
                     v.flags & MW_VM_LOCKED;
}

/* The calls on locks and advice that succeeded. */
static void lock_and_advice_rules(uint64_t *n, const struct step *s, const struct mw_stats *before,
                                  const struct mw_stats *after)
{
    switch (s->kind) {
    case STEP_MADVISE:
        advice_rules(n, s, before, after);
        break;
    case STEP_MSYNC:
        n[R_SYNC_2] += s->len != 0;
        break;
    case STEP_MINCORE:
        n[R_CORE_3] += model.core != 0 && model.core != model.core_known;
        break;
    case STEP_MSEAL:
        n[R_SEAL_4] += s->len != 0;
        n[R_SEAL_5] += after->map_count > before->map_count;
        break;
    default:
        lock_rules(n, s, before, after);
    }
}

void cover_call(struct tally *t, const struct step *s, int64_t result,
                const struct mw_stats *before, const struct mw_stats *after)
{
    t->calls++;
    if (model.why.err != 0) {
        t->reason[model.why.reason < MAX_REASONS ? model.why.reason : 0]++;
        failure_rules(t->rule, s, result, before, after);
        return;
    }
    if (s->kind == STEP_TRUNCATE && result < 0) /* the file's own word */
        return;
    t->ok_by_kind[s->kind]++;
    t->rule[R_MERGE_1] += after->map_count < before->map_count && s->kind != STEP_MUNMAP;
    if ((t->calls % 4 == 0 || model.parents > 0) && s->kind != STEP_MUNMAP)
        merge_rules(t->rule, s->kind == STEP_MMAP || s->kind == STEP_MREMAP ? (uint64_t)result
                             : s->kind == STEP_BRK                          ? HEAP - PAGE
                                                                            : s->addr);
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
    case STEP_MPROTECT:
        t->rule[R_MPROT_NOTHING] += s->len == 0;
        t->rule[R_MPROT_8] += after->committed != before->committed;
        t->rule[R_MPROT_9] += after->resident > before->resident && after->locked != 0;
        t->rule[R_MPROT_5] += (s->prot & MW_PROT_GROWSDOWN) != 0;
        break;
    default:
        if (s->kind < STEP_NAME)
            lock_and_advice_rules(t->rule, s, before, after);
        else
            object_rules(t->rule, s, result, after);
    }
}

/* ---- accesses ---- */

/* Nothing was mapped, and a stack above did not grow: because of what lies below, or a limit. */
static void stack_refused(uint64_t *n, uint64_t addr)
{
    struct mw_vma above, below;
    uint64_t from = addr > 256 * PAGE ? addr - 256 * PAGE : 0;
    if (!model_next_vma(addr, &above) || !(above.flags & MW_VM_GROWSDOWN))
        return;
    if (model_next_vma(from, &below) && below.start < addr && !(below.flags & MW_VM_GROWSDOWN) &&
        below.flags & (MW_VM_READ | MW_VM_WRITE | MW_VM_EXEC))
        n[R_STACK_2]++;
    else
        n[R_STACK_3]++;
}

static void first_write(uint64_t *n, uint64_t addr)
{
    struct mw_vma v, other;
    if (!mapped_at(addr, &v) || v.anon == 0)
        return;
    if (!was_mapped) {
        n[R_STACK_1]++;
        n[R_ANON_3]++;
        return;
    }
    if (at_first.anon != 0)
        return;
    n[R_ANON_1]++;
    n[R_ANON_2] += (model_next_vma(v.end, &other) && other.anon == v.anon) ||
                   (mapped_at(v.start - 1, &other) && other.anon == v.anon);
}

void cover_access(struct tally *t, uint64_t addr, enum met met, bool store)
{
    t->rule[R_FAULT_1] += met == MET_MAPERR;
    t->rule[R_FAULT_2] += met == MET_ACCERR;
    t->rule[R_FAULT_3] += met == MET_BUS;
    t->rule[R_FAULT_4] += met == MET_OK;
    if (store && met == MET_OK)
        first_write(t->rule, addr);
    if (store && model.thp) {
        struct mw_stats now;
        mw_stats(model.space, &now);
        t->rule[R_THP_1] += now.resident > at_store.resident + 1;
    }
    if (met == MET_MAPERR)
        stack_refused(t->rule, addr);
}

void cover_copy(struct tally *t, const struct step *s, int64_t copied)
{
    t->rule[R_FAULT_5] += copied > 0 && (uint64_t)copied < s->len;
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
    int reasons = cover_reasons(), met = 0, shown = 0, beyond = 0;
    printf("reasons of failures\n");
    for (int i = 1; i < reasons; i++) {
        struct mw_why why = { .err = 1, .reason = (uint32_t)i };
        const char *excuse = never_met(mw_why_name(&why));
        met += t->reason[i] != 0;
        beyond += excuse != NULL;
        printf("  %-10s %-24s %12llu%s%s\n", mw_why_rule(&why), mw_why_name(&why),
               (unsigned long long)t->reason[i],
               t->reason[i] ? "" : excuse ? "  not to be met: " : "  NOT EXERCISED",
               t->reason[i] || !excuse ? "" : excuse);
    }
    printf("rules of success\n");
    for (int i = 0; i < RULES; i++) {
        shown += t->rule[i] != 0;
        printf("  %-10s %-44s %12llu%s\n", rules[i].rule, rules[i].text,
               (unsigned long long)t->rule[i], t->rule[i] ? "" : "  NOT EXERCISED");
    }
    printf("%d of %d reasons (%d of them not to be met) and %d of %d rules of success exercised\n",
           met, reasons - 1, beyond, shown, RULES);
}
