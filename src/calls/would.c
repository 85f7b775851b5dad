/* SPDX-License-Identifier: MIT */
/* would.c - what another version would answer. */
#include "linux/reason.h"
#include "space/clone.h"
#include "space/space.h"

static int64_t perform(struct mw_space *s, const struct mw_call *c, struct mw_why *why)
{
    const uint64_t *a = c->arg;

    switch (c->name) {
    case MW_CALL_MMAP:
        return mw_mmap(s, a[0], a[1], a[2], a[3], c->file, a[5], why);
    case MW_CALL_MUNMAP:
        return mw_munmap(s, a[0], a[1], why);
    case MW_CALL_MPROTECT:
        return mw_mprotect(s, a[0], a[1], a[2], why);
    case MW_CALL_BRK:
        return (int64_t)mw_brk(s, a[0], why);
    case MW_CALL_MREMAP:
        return mw_mremap(s, a[0], a[1], a[2], a[3], a[4], why);
    case MW_CALL_MLOCK:
        return mw_mlock(s, a[0], a[1], why);
    case MW_CALL_MLOCK2:
        return mw_mlock2(s, a[0], a[1], a[2], why);
    case MW_CALL_MUNLOCK:
        return mw_munlock(s, a[0], a[1], why);
    case MW_CALL_MLOCKALL:
        return mw_mlockall(s, a[0], why);
    case MW_CALL_MUNLOCKALL:
        return mw_munlockall(s, why);
    case MW_CALL_MADVISE:
        return mw_madvise(s, a[0], a[1], a[2], why);
    case MW_CALL_MSYNC:
        return mw_msync(s, a[0], a[1], a[2], why);
    case MW_CALL_MSEAL:
        return mw_mseal(s, a[0], a[1], a[2], why);
    case MW_CALL_SHMAT:
        return mw_shmat(s, c->file, a[0], a[1], why);
    case MW_CALL_SHMDT:
        return mw_shmdt(s, a[0], why);
    case MW_CALL_PKEY_MPROTECT:
        return mw_pkey_mprotect(s, a[0], a[1], a[2], (int32_t)a[3], why);
    case MW_CALL_PKEY_ALLOC:
        return mw_pkey_alloc(s, a[0], a[1], why);
    case MW_CALL_PKEY_FREE:
        return mw_pkey_free(s, (int32_t)a[0], why);
    case MW_CALL_PROCESS_MADVISE:
        return mw_process_madvise(s, c->ranges, a[1], a[2], a[3], a[4], why);
    case MW_CALL_REMAP_FILE_PAGES:
        return mw_remap_file_pages(s, a[0], a[1], a[2], a[3], a[4], why);
    }
    return why_plain(why, WHY_not_modelled);
}

/* Makes the call on a copy; `asked` receives the rows on which its answer stands. */
static void answer_of(const struct mw_space *s, uint32_t version, const struct mw_call *call,
                      struct mw_answer *answer, struct rows *asked)
{
    struct mw_space *locked = (struct mw_space *)(uintptr_t)s, *copy;

    *asked = (struct rows){ 0 };
    space_enter(locked);
    copy = space_clone(s, version);
    space_leave(locked);
    if (!copy) {
        answer->result = why_plain(&answer->why, WHY_no_memory);
        return;
    }
    copy->asked = asked;
    answer->result = perform(copy, call, &answer->why);
    space_enter(locked);
    space_end(copy); /* lets go of objects that the space maps too */
    space_leave(locked);
}

int64_t mw_would(const struct mw_space *s, uint32_t linux_version, const struct mw_call *call,
                 struct mw_why *why)
{
    struct mw_answer answer;
    struct rows asked;

    answer_of(s, linux_version, call, &answer, &asked);
    if (why)
        *why = answer.why;
    return answer.result;
}

/* Calls that were made: which answers, for which rows, and the rows that they asked for. */
enum { MADE_MAX = 32 };
struct made {
    const struct mw_answer *answer[MADE_MAX];
    struct rows rows[MADE_MAX], asked[MADE_MAX];
    uint32_t n;
};

/* Do two versions agree in the rows that a call asked for? */
static bool go_the_same_way(const struct rows *a, const struct rows *b, const struct rows *asked)
{
    for (int i = 0; i < ROW_WORDS; i++)
        if ((a->word[i] ^ b->word[i]) & asked->word[i])
            return false;
    return true;
}

/* The answer of a version that goes the same way as one before; NULL: none did. */
static const struct mw_answer *known_answer(const struct made *made, const struct rows *rows)
{
    for (uint32_t i = 0; i < made->n; i++)
        if (go_the_same_way(rows, &made->rows[i], &made->asked[i]))
            return made->answer[i];
    return NULL;
}

void mw_would_each(const struct mw_space *s, const uint32_t *versions, size_t n,
                   const struct mw_call *call, struct mw_answer *answers)
{
    struct made made = { .n = 0 };
    struct rows asked;

    for (size_t i = 0; i < n; i++) {
        struct rows rows = version_rows(versions[i], s->cfg.options & MW_OPT_DEFECTS);
        const struct mw_answer *known = known_answer(&made, &rows);

        if (known) {
            answers[i] = *known;
            continue;
        }
        answer_of(s, versions[i], call, &answers[i], &asked);
        if (made.n == MADE_MAX || answers[i].why.reason == WHY_no_memory)
            continue; /* another copy may find the memory */
        made.answer[made.n] = &answers[i];
        made.rows[made.n] = rows;
        made.asked[made.n++] = asked;
    }
}
