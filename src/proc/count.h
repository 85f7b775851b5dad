/* SPDX-License-Identifier: MIT */
/* count.h - what the page tables say of a mapping, as smaps counts it. */
#ifndef MW_PROC_COUNT_H
#define MW_PROC_COUNT_H

#include "vma/space.h"

/* Bytes; those named pss in 1/4096 of one: a page's share is rounded there, not in kB. */
struct count {
    uint64_t rss, rss_anon, rss_file, rss_shmem;
    uint64_t pss, pss_dirty, pss_anon, pss_file, pss_shmem, pss_locked;
    uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t referenced, anonymous;
    uint64_t anon_huge;                 /* of anonymous: transparent huge pages mapped whole */
    uint64_t shared_huge, private_huge; /* hugetlb's, which none of the above counts */
    uint64_t none;                      /* what the engine has nothing of */
};

enum { PSS_SHIFT = 12 };

/* Adds the pages of `v` to `sum`. `shmem`: those of its object are shared memory's, no file's. */
void count_vma(const struct mw_space *s, const struct mw_vma *v, bool shmem, struct count *sum);

#endif
