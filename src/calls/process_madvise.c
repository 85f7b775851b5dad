/* SPDX-License-Identifier: MIT */
/* process_madvise.c - process_madvise(2): madvise of several ranges. Rules PMADV-1..6. */
#include "calls/advise.h"

enum { MOST_RANGES = 1024 };

/* What one call handles of all its ranges together. */
static uint64_t most_bytes(const struct mw_space *s)
{
    return page_down(INT32_MAX, s->cfg.page_shift);
}

static int check_range(const struct mw_space *s, uint64_t base, uint64_t length, struct mw_why *why)
{
    if (range_within(base, length, 0, s->cfg.task_size))
        return 0;
    return why_fail(why, WHY_pmadv_beyond, (struct mw_range){ base, base }, length, s->cfg.task_size);
}

static int check_ranges(const struct mw_space *s, const struct mw_iovec *range, uint32_t n,
                        struct mw_why *why)
{
    bool cut = n == 1 && space_has(s, ROW_PMADV_ONE_CUT_FIRST);
    int err = 0;

    if (n > MOST_RANGES)
        return why_amount(why, WHY_pmadv_count, n, MOST_RANGES);
    for (uint32_t i = 0; i < n; i++)
        if (range[i].length > INT64_MAX)
            return why_fail(why, WHY_pmadv_length, (struct mw_range){ range[i].base, range[i].base },
                            range[i].length, 0);
    for (uint32_t i = 0; i < n && !err; i++)
        err = check_range(s, range[i].base,
                          cut ? min_u64(range[i].length, most_bytes(s)) : range[i].length, why);
    return err;
}

/* What may be advised to another process. */
static bool is_for_others(const struct mw_space *s, uint64_t advice)
{
    switch ((uint32_t)advice) {
    case MW_MADV_COLD:
    case MW_MADV_PAGEOUT:
        return true;
    case MW_MADV_WILLNEED:
    case MW_MADV_COLLAPSE:
        return space_has(s, ROW_PMADV_MORE);
    default:
        return false;
    }
}

static int check_advice(const struct mw_space *s, uint64_t advice, bool self, struct mw_why *why)
{
    if (!(self && space_has(s, ROW_PMADV_SELF)) && !is_for_others(s, advice))
        return why_amount(why, WHY_pmadv_advice, advice, 0);
    return space_has(s, ROW_PMADV_ADVICE_FIRST) ? advice_check(s, advice, why) : 0;
}

static uint64_t bytes_of(const struct mw_space *s, const struct mw_iovec *range, uint32_t n)
{
    uint64_t all = 0;

    for (uint32_t i = 0; i < n; i++)
        all += min_u64(range[i].length, most_bytes(s) - all);
    return all;
}

/*
 * The bytes of the ranges before the first that fails; of that one none, whatever has been
 * done. An empty range is one like others, unless no bytes come after it.
 */
static int64_t advise(struct mw_space *s, const struct mw_iovec *range, uint32_t n, uint64_t advice,
                      struct mw_why *why)
{
    uint64_t all = bytes_of(s, range, n), done = 0;

    for (; done < all; range++) {
        uint64_t length = min_u64(range->length, all - done);
        int err = advise_range(s, range->base, length, advice, why);

        if (err)
            return done ? (int64_t)done : err;
        done += length;
    }
    return (int64_t)done;
}

int64_t mw_process_madvise(struct mw_space *s, const struct mw_iovec *ranges, uint64_t n,
                           uint64_t advice, uint64_t flags, bool self, struct mw_why *why)
{
    int64_t r = 0;

    why_clear(why);
    space_enter(s);
    if (!space_has(s, ROW_PROCESS_MADVISE))
        r = why_plain(why, WHY_no_such_call);
    else if ((uint32_t)flags)
        r = why_amount(why, WHY_pmadv_flags, (uint32_t)flags, 0);
    if (!r)
        r = check_ranges(s, ranges, (uint32_t)n, why);
    if (!r)
        r = check_advice(s, advice, self, why);
    if (!r)
        r = advise(s, ranges, (uint32_t)n, advice, why);
    space_leave(s);
    return r;
}
