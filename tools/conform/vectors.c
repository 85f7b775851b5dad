/* SPDX-License-Identifier: MIT */
/*
 * vectors.c - process_madvise of this process itself, and remap_file_pages, on
 * both sides.
 */
#include "system.h"

#include <sys/syscall.h>
#include <unistd.h>

#define NR_PIDFD_OPEN 434
#define NR_PROCESS_MADVISE 440
#define TOO_MANY 1025u

/* A step has two addresses and two lengths: each with each. More than four ranges are too many. */
uint32_t step_ranges(const struct step *s, struct mw_iovec *range)
{
    range[0] = (struct mw_iovec){ s->addr, s->len };
    range[1] = (struct mw_iovec){ s->to, s->prot };
    range[2] = (struct mw_iovec){ s->addr, s->prot };
    range[3] = (struct mw_iovec){ s->to, s->len };
    return s->file < 0 ? 0 : s->file <= RANGES ? (uint32_t)s->file : TOO_MANY;
}

/* ---- the system ---- */

static int64_t advise(const struct mw_iovec *range, uint32_t n, uint64_t advice, uint32_t flags)
{
    int64_t fd = sys_raw(NR_PIDFD_OPEN, (uint64_t)getpid(), 0, 0, 0, 0, 0), r;
    if (fd < 0)
        return fd;
    r = sys_raw(NR_PROCESS_MADVISE, (uint64_t)fd, (uint64_t)(uintptr_t)range, n, advice, flags, 0);
    close((int)fd);
    return r;
}

void sys_probe_vectors(void)
{
    sys.advises = advise(NULL, 0, MW_MADV_COLD, 0) == 0;
    sys.remaps = sys_raw(SYS_remap_file_pages, 0, 0, 1, 0, 0, 0) == -MW_EINVAL;
}

int64_t sys_vector_step(const struct step *s)
{
    struct mw_iovec range[RANGES];
    uint32_t n = step_ranges(s, range);
    if (s->kind == STEP_PROCESS_MADVISE)
        return advise(range, n, s->more, s->flags);
    return sys_raw(SYS_remap_file_pages, s->addr, s->len, s->prot, s->more, s->flags, 0);
}

/* ---- the engine ---- */

int64_t model_vector_step(const struct step *s)
{
    struct mw_iovec range[RANGES];
    uint32_t n = step_ranges(s, range);
    if (s->kind == STEP_REMAP_FILE_PAGES)
        return mw_remap_file_pages(model.space, s->addr, s->len, s->prot, s->more, s->flags, &model.why);
    for (uint32_t i = 0; i < n && n <= RANGES; i++)
        model_note_advice(s->more, range[i].base, range[i].length);
    return mw_process_madvise(model.space, range, n, s->more, s->flags, true, &model.why);
}

/* ---- what must not be tried ---- */

static bool advice_is_safe(const struct step *s)
{
    struct mw_iovec range[RANGES];
    uint32_t n = step_ranges(s, range);
    if (!sys.advises || (model.unprivileged && model_version < MW_LINUX(6, 12))) /* there it asks for rights */
        return false;
    for (uint32_t i = 0; i < n && n <= RANGES; i++) {
        struct step one = { .kind = STEP_MADVISE, .addr = range[i].base, .len = range[i].length, .more = s->more };
        if (!step_is_safe(&one))
            return false;
    }
    return true;
}

/*
 * A segment that is removed goes with its last mapping, guards keep a mapping
 * from being remapped with others (CAVEATS.md), and where io_setup's ring ends the engine does not know.
 */
static bool is_peculiar(const struct mw_vma *v, bool several)
{
    for (int i = 0; i < SEGMENTS; i++)
        if (v->object == model.file[FILE_SEGMENT + i].object && model.removed >> i & 1)
            return true;
    return model_is_opaque(v->start) || (several && model.guarded && model_version >= MW_LINUX(6, 18));
}

static bool remap_is_safe(const struct step *s)
{
    uint64_t start = s->addr & ~(PAGE - 1), len = s->len & ~(PAGE - 1);
    bool reads = !(s->flags & MW_MAP_NONBLOCK) || model.future;
    struct mw_vma v;
    if (!sys.remaps || model.thp)
        return false;
    for (uint64_t a = start; start + len > start && model_next_vma(a, &v) && v.start < start + len; a = v.end)
        if ((v.flags & MW_VM_SHARED && len > MOST_REMAPPED * PAGE && !(v.flags & MW_VM_HUGETLB)) ||
            is_peculiar(&v, start + len > v.end || v.start > start) ||
            (model_is_watched() && (reads || v.flags & MW_VM_LOCKED)) || sys_precious(start, len))
            return false;
    return true;
}

bool vector_step_is_safe(const struct step *s)
{
    return s->kind == STEP_PROCESS_MADVISE ? advice_is_safe(s) : remap_is_safe(s);
}
