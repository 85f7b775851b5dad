/* SPDX-License-Identifier: MIT */
/* name.c - prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME). Rules NAME-1 to NAME-6. */
#include "calls/walk.h"
#include "vma/edit.h"
#include "vma/names.h"

/* Printable, but none of those that maps or a shell would take for something else. */
static bool is_allowed(char c)
{
    return c >= ' ' && c <= '~' && c != '[' && c != ']' && c != '\\' && c != '$' && c != '`';
}

static int check_text(const char *name, struct mw_why *why)
{
    for (uint32_t i = 0; name; i++) {
        if (i > NAME_MAX)
            return why_amount(why, WHY_name_long, NAME_MAX + 1, 0);
        if (!name[i])
            break;
        if (!is_allowed(name[i]))
            return why_amount(why, WHY_name_text, (unsigned char)name[i], i);
    }
    return 0;
}

static int check_arguments(const struct mw_space *s, uint64_t addr, uint64_t length,
                           const char *name, struct mw_range *at, struct mw_why *why)
{
    int err;

    *at = (struct mw_range){ addr, addr + round_up(s, length) };
    if (!space_has(s, ROW_ANON_NAME))
        return why_plain(why, WHY_name_unknown);
    err = check_text(name, why);
    if (err)
        return err;
    if (!aligned(s, addr))
        return why_at(why, WHY_addr_unaligned, addr, addr);
    if ((length && !round_up(s, length)) || at->end < addr)
        return why_fail(why, WHY_name_wraps, (struct mw_range){ addr, addr }, length, 0);
    return 0;
}

/* Private memory of no file, or what mmap made to share without one. */
static bool can_be_named(const struct mw_space *s, const struct mw_vma *v)
{
    const struct mw_object *o = v->object;

    if (v->flags & MW_VM_MIRRORED)
        return !mirror_of(o)->backing;
    return !o || (!o->ops && !o->ctx && !(o->flags & ~MW_OBJ_SHMEM) && space_has(s, ROW_ANON_NAME_SHARED));
}

static int name_one(struct mw_space *s, const struct mw_vma *v, struct mw_range at, void *ctx,
                    struct mw_why *why)
{
    const uint64_t *number = ctx;
    uint64_t flags = (v->flags & ~MW_VM_NAME) | *number;

    if (!can_be_named(s, v))
        return why_at(why, WHY_name_file, v->start, v->end);
    if (flags == v->flags || edit_modify(s, at.start, at.end, flags, true))
        return 0;
    return why_fail(why, WHY_advice_split, at, s->tree.count, s->cfg.max_map_count);
}

static int apply(struct mw_space *s, struct mw_range at, const char *name, struct mw_why *why)
{
    uint64_t number = 0;
    struct walk w = { .step = name_one, .ctx = &number, .hole = WHY_name_hole };
    int err = space_reserve(s, EDIT_MODIFY + EDIT_MODIFY, why);

    if (err)
        return err;
    if (name && !names_reserve(&s->names, &s->tree))
        return why_plain(why, WHY_no_memory);
    if (name)
        number = names_put(&s->names, name);
    return walk_range(s, at, &w, why);
}

int64_t mw_name(struct mw_space *s, uint64_t addr, uint64_t length, const char *name,
                struct mw_why *why)
{
    struct mw_range at;
    int err;

    why_clear(why);
    space_enter(s);
    err = check_arguments(s, addr, length, name, &at, why);
    if (!err && at.start < at.end)
        err = apply(s, at, name, why);
    space_leave(s);
    return err;
}

const char *mw_vma_name(const struct mw_space *s, const struct mw_vma *v)
{
    return names_of(&s->names, v->flags);
}
