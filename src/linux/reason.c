/* SPDX-License-Identifier: MIT */
/* reason.c - why a call failed, in words. */
#include "linux/reason.h"

#include "base/range.h"
#include "base/text.h"

#define ERRNOS(X)                                                                         \
    X(EPERM) X(ENOENT) X(EBADF) X(EAGAIN) X(ENOMEM) X(EACCES) X(EFAULT) X(EBUSY) X(EEXIST) \
    X(ENODEV) X(EINVAL) X(EFBIG) X(EIO) X(ENOSPC) X(ENOSYS) X(EOVERFLOW) X(EOPNOTSUPP) X(EHWPOISON)

#define MW_0 0

static const struct {
    int32_t err;
    const char *name, *rule, *text;
} reasons[] = {
#define REASON(name, err, rule, text) { MW_##err, #name, rule, text },
#include "linux/reason.def"
#undef REASON
};

int why_fail(struct mw_why *why, enum reason reason, struct mw_range at, uint64_t have,
             uint64_t limit)
{
    int32_t err = reasons[reason].err;

    if (why)
        *why = (struct mw_why){ err, reason, at.start, at.end, have, limit };
    return -err;
}

int why_amount(struct mw_why *why, enum reason reason, uint64_t have, uint64_t limit)
{
    return why_fail(why, reason, (struct mw_range){ 0, 0 }, have, limit);
}

int why_at(struct mw_why *why, enum reason reason, uint64_t start, uint64_t end)
{
    return why_fail(why, reason, (struct mw_range){ start, end }, 0, 0);
}

int why_plain(struct mw_why *why, enum reason reason)
{
    return why_amount(why, reason, 0, 0);
}

static uint32_t why_index(const struct mw_why *why)
{
    return why && why->reason < WHY_COUNT ? why->reason : 0;
}

const char *mw_why_rule(const struct mw_why *why) { return reasons[why_index(why)].rule; }
const char *mw_why_name(const struct mw_why *why) { return reasons[why_index(why)].name; }

const char *mw_errno_name(int err)
{
    switch (err) {
    case 0: return "0";
#define NAME(e) case MW_##e: return #e;
    ERRNOS(NAME)
#undef NAME
    default: return "E?";
    }
}

static void put_hex(struct text *t, uint64_t n)
{
    put_char(t, '0');
    put_char(t, 'x');
    put_number(t, n, 16, 0, 0);
}

/* Amounts read best in decimal up to some length, in hexadecimal beyond. */
static void put_amount(struct text *t, uint64_t n)
{
    if (n >= 1ull << 40)
        put_hex(t, n);
    else
        put_number(t, n, 10, 0, 0);
}

size_t mw_why_text(const struct mw_why *why, char *buf, size_t size)
{
    struct text t = { .buf = buf, .size = size ? size - 1 : 0 };

    for (const char *p = reasons[why_index(why)].text; *p; p++) {
        if (*p != '%') {
            put_char(&t, *p);
            continue;
        }
        switch (*++p) {
        case 'a': put_hex(&t, why->addr); break;
        case 'e': put_hex(&t, why->end); break;
        case 'h': put_amount(&t, why->have); break;
        default: put_amount(&t, why->limit); break;
        }
    }
    if (size)
        buf[min_u64(t.length, size - 1)] = '\0';
    return t.length;
}
