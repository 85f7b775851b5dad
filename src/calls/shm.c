/* SPDX-License-Identifier: MIT */
/*
 * shm.c - shmat(2) and shmdt(2). What Linux knows an attachment by, the file
 * that shmat opens, is here an identity that all its pieces keep. Rules SHM-1..8.
 */
#include "calls/map.h"
#include "calls/unmap.h"

struct attach {
    const struct mw_file *segment;
    uint64_t addr, flags;
    bool fixed; /* an address was given, though it may be 0 once it is rounded */
};

static int check_address(const struct mw_space *s, struct attach *a, struct mw_why *why)
{
    uint64_t addr = a->addr;

    if (a->flags & MW_SHM_RND)
        a->addr = page_down(addr, s->cfg.page_shift);
    if (!aligned(s, a->addr) || (!a->addr && (a->flags & MW_SHM_REMAP)))
        return why_at(why, WHY_shm_address, addr, addr);
    return 0;
}

static int check_permission(const struct attach *a, struct mw_why *why)
{
    uint32_t mode = a->segment->mode;

    if (!(mode & MW_FILE_READ) || (!(mode & MW_FILE_WRITE) && !(a->flags & MW_SHM_RDONLY)) ||
        ((mode & MW_FILE_NOEXEC) && (a->flags & MW_SHM_EXEC)))
        return why_plain(why, WHY_shm_not_allowed);
    return 0;
}

/* By the size as it is, not in pages. */
static int check_taken(const struct mw_space *s, const struct attach *a, struct mw_why *why)
{
    uint64_t end = a->addr + a->segment->object->size;
    const struct mw_vma *v = tree_at(tree_find(&s->tree, a->addr));

    if (!a->addr || (a->flags & MW_SHM_REMAP))
        return 0;
    if (end < a->addr || (v && v->start < end))
        return why_at(why, WHY_shm_taken, a->addr, end);
    return 0;
}

static int64_t do_shmat(struct mw_space *s, struct attach *a, struct mw_why *why)
{
    uint64_t prot = MW_PROT_READ;
    struct mw_file opened;
    int64_t at;
    int err = check_address(s, a, why);

    if (!err && (!a->segment || !a->segment->object ||
                 !(mw_object_flags(a->segment->object) & MW_OBJ_SHM)))
        err = why_plain(why, WHY_shm_no_segment);
    if (!err)
        err = check_permission(a, why);
    if (!err)
        err = check_taken(s, a, why);
    if (err)
        return err;
    opened = (struct mw_file){ a->segment->object, MW_FILE_READ };
    if (!(a->flags & MW_SHM_RDONLY)) {
        opened.mode |= MW_FILE_WRITE;
        prot |= MW_PROT_WRITE;
    }
    prot |= a->flags & MW_SHM_EXEC ? MW_PROT_EXEC : 0;
    at = map_file(s,
                  &(struct map_args){ .addr = a->addr, .length = opened.object->size, .prot = prot,
                                      .flags = MW_MAP_SHARED | (a->fixed ? MW_MAP_FIXED : 0),
                                      .file = &opened, .attachment = s->next_anon },
                  why);
    s->next_anon += at >= 0;
    return at;
}

int64_t mw_shmat(struct mw_space *s, const struct mw_file *segment, uint64_t addr, uint64_t flags,
                 struct mw_why *why)
{
    struct attach a = { segment, addr, (uint32_t)flags, addr != 0 };
    int64_t r;

    why_clear(why);
    space_enter(s);
    r = do_shmat(s, &a, why);
    space_leave(s);
    return r;
}

/* Does it lie where a segment attached at `addr` has it? */
static bool is_in_place(const struct mw_vma *v, uint64_t addr)
{
    return is_segment(v) && v->start - addr == v->offset;
}

/* Bytes of a whole attachment. */
static uint64_t segment_bytes(const struct mw_space *s, const struct mw_vma *v)
{
    return (v->object->size + vma_page(s, v) - 1) & ~(vma_page(s, v) - 1);
}

static int64_t do_shmdt(struct mw_space *s, uint64_t addr, struct mw_why *why)
{
    struct cursor c = aligned(s, addr) ? tree_find(&s->tree, addr) : (struct cursor){ 0 };
    struct mw_vma first, v;
    uint64_t size;

    while (c.leaf && !is_in_place(tree_at(c), addr))
        c = tree_next(c);
    if (!c.leaf)
        return why_at(why, WHY_shm_not_attached, addr, addr);
    first = *tree_at(c);
    size = segment_bytes(s, &first);
    while (c.leaf) {
        v = *tree_at(c);
        if (v.start != first.start && v.end - addr > size)
            break;
        if (is_in_place(&v, addr) && v.object == first.object && v.anon == first.anon &&
            !unmap_decide(s, v.start, v.end, NULL, NULL))
            unmap_commit(s, v.start, v.end); /* a whole one: nothing is cut */
        c = tree_find(&s->tree, v.end);
    }
    return 0;
}

int64_t mw_shmdt(struct mw_space *s, uint64_t addr, struct mw_why *why)
{
    int64_t r;

    why_clear(why);
    space_enter(s);
    r = do_shmdt(s, addr, why);
    space_leave(s);
    return r;
}
