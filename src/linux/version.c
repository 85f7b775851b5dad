/* SPDX-License-Identifier: MIT */
/* version.c - the table of differences between Linux versions. */
#include "linux/version.h"

#include "mapwright/watch.h"

enum row_kind { RULE, DEFECT };

static const struct {
    uint32_t since, until;
    enum row_kind kind;
} rows[] = {
#define ROW(name, since, until, kind, text) { since, until, kind },
#include "linux/version.def"
#undef ROW
};

struct rows version_rows(uint32_t version, bool defects)
{
    struct rows set = { 0 };

    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].kind == DEFECT && !defects)
            continue;
        if (version >= rows[i].since && (!rows[i].until || version < rows[i].until))
            rows_add(&set, (enum version_row)i);
    }
    return set;
}

/* Bits of userfaultfd's numbers, and the first version that has them (documented). */
struct since {
    uint32_t bits, version;
};

static uint64_t bits_of(const struct since *s, size_t n, uint32_t version)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < n; i++)
        bits |= version >= s[i].version ? s[i].bits : 0;
    return bits;
}

uint64_t version_watch_features(uint32_t version)
{
    static const struct since features[] = {
        { MW_UFFD_FEATURE_EVENT_FORK | MW_UFFD_FEATURE_EVENT_REMAP | MW_UFFD_FEATURE_EVENT_REMOVE |
              MW_UFFD_FEATURE_EVENT_UNMAP | MW_UFFD_FEATURE_MISSING_HUGETLBFS |
              MW_UFFD_FEATURE_MISSING_SHMEM, MW_LINUX(4, 11) },
        { MW_UFFD_FEATURE_SIGBUS | MW_UFFD_FEATURE_THREAD_ID, MW_LINUX(4, 14) },
        { MW_UFFD_FEATURE_PAGEFAULT_FLAG_WP, MW_LINUX(5, 7) },
        { MW_UFFD_FEATURE_MINOR_HUGETLBFS, MW_LINUX(5, 13) },
        { MW_UFFD_FEATURE_MINOR_SHMEM, MW_LINUX(5, 14) },
        { MW_UFFD_FEATURE_EXACT_ADDRESS, MW_LINUX(5, 18) },
        { MW_UFFD_FEATURE_WP_HUGETLBFS_SHMEM, MW_LINUX(5, 19) },
        { MW_UFFD_FEATURE_WP_UNPOPULATED, MW_LINUX(6, 4) },
        { MW_UFFD_FEATURE_POISON, MW_LINUX(6, 6) },
        { MW_UFFD_FEATURE_WP_ASYNC, MW_LINUX(6, 7) },
        { MW_UFFD_FEATURE_MOVE, MW_LINUX(6, 8) },
    };

    return bits_of(features, sizeof features / sizeof features[0], version);
}

uint64_t version_watch_modes(uint32_t version)
{
    static const struct since modes[] = {
        { MW_UFFD_MODE_MISSING, MW_LINUX(4, 3) },
        { MW_UFFD_MODE_WP, MW_LINUX(5, 7) },
        { MW_UFFD_MODE_MINOR, MW_LINUX(5, 13) },
    };

    return bits_of(modes, sizeof modes / sizeof modes[0], version);
}

/* The lower of two versions, of which `v` only counts above `version`. */
static uint32_t nearest(uint32_t version, uint32_t v, uint32_t so_far)
{
    return v > version && v < so_far ? v : so_far;
}

uint32_t version_next(uint32_t version)
{
    uint32_t next = UINT32_MAX;

    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        next = nearest(version, rows[i].since, next);
        next = nearest(version, rows[i].until, next);
    }
    return next;
}

size_t mw_linux_versions(uint32_t *versions, size_t room)
{
    uint32_t v = MW_LINUX_OLDEST;
    size_t n = 0;

    for (; v < MW_LINUX_NEWEST; v = version_next(v), n++)
        if (n < room)
            versions[n] = v;
    if (n < room)
        versions[n] = MW_LINUX_NEWEST;
    return n + 1;
}
