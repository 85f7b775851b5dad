/* SPDX-License-Identifier: MIT */
/* line.c - a mapping in maps and smaps. Rules FACE-1 to FACE-7. */
#include "proc/line.h"

#include "space/thp.h"
#include "vma/names.h"

/* Names begin behind this column. */
enum { NAME_COLUMN = 72 };

/* ---- names ------------------------------------------------------------------------------- */

/* What a mapping maps, as the embedder knows it; false: anonymous memory. */
static bool file_of(const struct face *f, const struct mw_vma *v, struct mw_proc_file *out)
{
    const struct mw_object *o = v->flags & MW_VM_MIRRORED ? mirror_of(v->object)->backing : v->object;

    *out = (struct mw_proc_file){ 0 };
    if (!o)
        return false;
    if (f->proc->file && f->proc->file(f->proc->ctx, o, out))
        return true;
    *out = (struct mw_proc_file){ .minor = 1, .flags = MW_PROC_DELETED | MW_PROC_SHMEM };
    out->path = mw_object_flags(o) & MW_OBJ_HUGETLB ? "/anon_hugepage" : "/dev/zero";
    return true;
}

void face_count(const struct face *f, const struct mw_vma *v, struct count *sum)
{
    struct mw_proc_file file;

    file_of(f, v, &file);
    count_vma(f->s, v, file.flags & MW_PROC_SHMEM, sum);
}

static bool is_heap(const struct mw_space *s, const struct mw_vma *v)
{
    if (!s->brk_start)
        return false;
    if (space_has(s, ROW_HEAP_NAME_STRICT))
        return v->start < s->brk && v->end > s->brk_start;
    return v->start <= s->brk && v->end >= s->brk_start;
}

/* The kernel's name for anonymous memory at this place; NULL: none. */
static const char *place_name(const struct face *f, const struct mw_vma *v)
{
    if (v->start == VSYSCALL)
        return "[vsyscall]";
    if (is_heap(f->s, v))
        return "[heap]";
    return f->proc->stack && v->start <= f->proc->stack && f->proc->stack < v->end ? "[stack]" : NULL;
}

static void put_path(struct text *t, const struct mw_proc_file *file)
{
    for (const char *p = file->path; *p; p++) {
        if (*p == '\n')
            put_string(t, "\\012");
        else
            put_char(t, *p);
    }
    if (file->flags & MW_PROC_DELETED)
        put_string(t, " (deleted)");
}

static void put_own_name(struct text *t, const char *kind, const char *name)
{
    put_string(t, kind);
    put_string(t, name);
    put_char(t, ']');
}

static void put_name(const struct face *f, const struct mw_vma *v, const struct mw_proc_file *file,
                     size_t start)
{
    const char *place = file->path ? NULL : place_name(f, v), *own = names_of(&f->s->names, v->flags);

    if (!file->path && !place && !own)
        return;
    while (f->t->length - start < NAME_COLUMN)
        put_char(f->t, ' ');
    put_char(f->t, ' ');
    if (place)
        put_string(f->t, place);
    else if (own)
        put_own_name(f->t, file->path ? "[anon_shmem:" : "[anon:", own);
    else
        put_path(f->t, file);
}

/* ---- the line ------------------------------------------------------------------------------ */

static void put_range(struct text *t, uint64_t start, uint64_t end)
{
    put_number(t, start, 16, 8, '0');
    put_char(t, '-');
    put_number(t, end, 16, 8, '0');
    put_char(t, ' ');
}

void face_maps(const struct face *f, const struct mw_vma *v)
{
    struct text *t = f->t;
    struct mw_proc_file file;
    bool has_file = file_of(f, v, &file);
    size_t start = t->length;

    put_range(t, v->start, v->end);
    put_char(t, v->flags & MW_VM_READ ? 'r' : '-');
    put_char(t, v->flags & MW_VM_WRITE ? 'w' : '-');
    put_char(t, v->flags & MW_VM_EXEC ? 'x' : '-');
    put_char(t, v->flags & MW_VM_MAYSHARE ? 's' : 'p');
    put_char(t, ' ');
    put_number(t, has_file ? v->offset : 0, 16, 8, '0');
    put_char(t, ' ');
    put_number(t, file.major, 16, 2, '0');
    put_char(t, ':');
    put_number(t, file.minor, 16, 2, '0');
    put_char(t, ' ');
    put_number(t, file.inode, 10, 0, 0);
    put_char(t, ' ');
    put_name(f, v, &file, start);
    put_char(t, '\n');
}

/* ---- smaps --------------------------------------------------------------------------------- */

#define ALWAYS ROW_COUNT

static const struct field {
    const char *name;
    size_t at;          /* in struct count */
    bool is_share;      /* in 1/4096 byte */
    bool rollup_only;
    uint32_t since;     /* a row, or ALWAYS */
} fields[] = {
#define COUNT(member) offsetof(struct count, member)
    { "Rss:", COUNT(rss), false, false, ALWAYS },
    { "Pss:", COUNT(pss), true, false, ALWAYS },
    { "Pss_Dirty:", COUNT(pss_dirty), true, false, ROW_SMAPS_PSS_DIRTY },
    { "Pss_Anon:", COUNT(pss_anon), true, true, ALWAYS },
    { "Pss_File:", COUNT(pss_file), true, true, ALWAYS },
    { "Pss_Shmem:", COUNT(pss_shmem), true, true, ALWAYS },
    { "Shared_Clean:", COUNT(shared_clean), false, false, ALWAYS },
    { "Shared_Dirty:", COUNT(shared_dirty), false, false, ALWAYS },
    { "Private_Clean:", COUNT(private_clean), false, false, ALWAYS },
    { "Private_Dirty:", COUNT(private_dirty), false, false, ALWAYS },
    { "Referenced:", COUNT(referenced), false, false, ALWAYS },
    { "Anonymous:", COUNT(anonymous), false, false, ALWAYS },
    { "KSM:", COUNT(none), false, false, ROW_SMAPS_KSM },
    { "LazyFree:", COUNT(none), false, false, ALWAYS },
    { "AnonHugePages:", COUNT(anon_huge), false, false, ALWAYS },
    { "ShmemPmdMapped:", COUNT(none), false, false, ALWAYS },
    { "FilePmdMapped:", COUNT(none), false, false, ALWAYS },
    { "Shared_Hugetlb:", COUNT(shared_huge), false, false, ALWAYS },
    { "Private_Hugetlb:", COUNT(private_huge), false, false, ALWAYS },
    { "Swap:", COUNT(none), false, false, ALWAYS },
    { "SwapPss:", COUNT(none), false, false, ALWAYS },
    { "Locked:", COUNT(pss_locked), true, false, ALWAYS },
#undef COUNT
};

/* A field's name and its number, which ends in column 24. */
static void put_field(struct text *t, const char *name, uint64_t n)
{
    size_t start = t->length;

    put_string(t, name);
    while (t->length - start < 16)
        put_char(t, ' ');
    put_number(t, n, 10, 8, ' ');
}

static void put_kb(struct text *t, const char *name, uint64_t bytes)
{
    put_field(t, name, bytes >> 10);
    put_string(t, " kB\n");
}

static void put_counts(const struct face *f, const struct count *sum, bool rollup)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const struct field *d = &fields[i];
        uint64_t n = *(const uint64_t *)(const void *)((const char *)sum + d->at);

        if ((d->rollup_only && !rollup) ||
            (d->since != ALWAYS && !space_has(f->s, (enum version_row)d->since)))
            continue;
        put_kb(f->t, d->name, d->is_share ? n >> PSS_SHIFT : n);
    }
}

/* In the order in which Linux prints them. */
static const struct {
    uint64_t flag;
    char letters[3];
} letters[] = {
    { MW_VM_READ, "rd" },       { MW_VM_WRITE, "wr" },      { MW_VM_EXEC, "ex" },
    { MW_VM_SHARED, "sh" },     { MW_VM_MAYREAD, "mr" },    { MW_VM_MAYWRITE, "mw" },
    { MW_VM_MAYEXEC, "me" },    { MW_VM_MAYSHARE, "ms" },   { MW_VM_GROWSDOWN, "gd" },
    { MW_VM_UFFD, "um" },       { MW_VM_PFNMAP, "pf" },     { MW_VM_UFFD_WP, "uw" },
    { MW_VM_LOCKED, "lo" },
    { MW_VM_IO, "io" },         { MW_VM_SEQ_READ, "sr" },   { MW_VM_RAND_READ, "rr" },
    { MW_VM_DONTCOPY, "dc" },   { MW_VM_DONTEXPAND, "de" }, { MW_VM_LOCKONFAULT, "lf" },
    { MW_VM_ACCOUNT, "ac" },    { MW_VM_NORESERVE, "nr" },  { MW_VM_HUGETLB, "ht" },
    { MW_VM_SYNC, "sf" },       { MW_VM_WIPEONFORK, "wf" }, { MW_VM_DONTDUMP, "dd" },
    { MW_VM_MIXEDMAP, "mm" },   { MW_VM_HUGEPAGE, "hg" },   { MW_VM_NOHUGEPAGE, "nh" },
    { MW_VM_MERGEABLE, "mg" },  { MW_VM_DROPPABLE, "dp" },  { MW_VM_UFFD_MINOR, "ui" },
    { MW_VM_SEALED, "sl" },
};

static void put_flags(const struct face *f, uint64_t flags)
{
    put_string(f->t, "VmFlags: ");
    if (flags & MW_VM_HUGETLB)
        flags |= MW_VM_DONTEXPAND;
    if ((flags & (MW_VM_UFFD_WP | MW_VM_UFFD_MINOR)) && !(flags & MW_VM_UFFD_MISSING))
        flags &= ~MW_VM_UFFD;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        bool unnamed = letters[i].flag == MW_VM_LOCKONFAULT && !space_has(f->s, ROW_ONFAULT_LETTERS);

        if (!(flags & letters[i].flag))
            continue;
        put_string(f->t, unnamed ? "??" : letters[i].letters);
        put_char(f->t, ' ');
    }
    put_char(f->t, '\n');
}

void face_smaps(const struct face *f, const struct mw_vma *v)
{
    struct count sum = { 0 };

    face_count(f, v, &sum);
    face_maps(f, v);
    put_kb(f->t, "Size:", v->end - v->start);
    put_kb(f->t, "KernelPageSize:", vma_page(f->s, v));
    put_kb(f->t, "MMUPageSize:", vma_page(f->s, v));
    put_counts(f, &sum, false);
    put_field(f->t, "THPeligible:", thp_eligible(f->s, v));
    put_char(f->t, '\n');
    if (f->s->cfg.options & MW_OPT_PKEYS) {
        put_field(f->t, "ProtectionKey:", (v->flags & MW_VM_PKEY) >> MW_VM_PKEY_SHIFT);
        put_char(f->t, '\n');
    }
    put_flags(f, v->flags);
}

void face_rollup(const struct face *f, const struct count *sum)
{
    const struct mw_vma *first = tree_at(tree_first(&f->s->tree));
    size_t start = f->t->length;

    put_range(f->t, first ? first->start : 0, first ? tree_at(tree_last(&f->s->tree))->end : 0);
    put_string(f->t, "---p 00000000 00:00 0 ");
    while (f->t->length - start < NAME_COLUMN)
        put_char(f->t, ' ');
    put_string(f->t, " [rollup]\n");
    put_counts(f, sum, true);
}
