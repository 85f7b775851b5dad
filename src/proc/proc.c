/* SPDX-License-Identifier: MIT */
/* proc.c - reading a space as /proc/PID shows it. Rules FACE-8 to FACE-10. */
#include "proc/line.h"
#include "space/space.h"

static struct count count_all(const struct face *f)
{
    struct count sum = { 0 };

    for (struct cursor c = tree_first(&f->s->tree); c.leaf; c = tree_next(c))
        face_count(f, tree_at(c), &sum);
    return sum;
}

/* Bytes of executable mappings that are the program's own. */
static uint64_t code_bytes(const struct face *f)
{
    uint64_t start = page_down(f->proc->code_start, f->s->cfg.page_shift);
    uint64_t end = round_up(f->s, f->proc->code_end);

    return min_u64(sub_floor(end, start), f->s->exec << f->s->cfg.page_shift);
}

/* Of page tables, but for the root. */
static uint64_t table_bytes(const struct mw_space *s)
{
    struct mw_stats stats;

    mw_stats(s, &stats);
    return sub_floor(stats.tables, 1) << s->cfg.page_shift;
}

static void status(const struct face *f)
{
    const struct mw_space *s = f->s;
    uint32_t shift = s->cfg.page_shift;
    struct count sum = count_all(f);
    uint64_t code = code_bytes(f);
    const struct {
        const char *name;
        uint64_t bytes;
    } lines[] = {
        { "VmPeak:\t", max_u64(s->peak_total, s->total) << shift },
        { "VmSize:\t", s->total << shift },
        { "VmLck:\t", s->locked << shift },
        { "VmPin:\t", 0 },
        { "VmHWM:\t", max_u64(s->peak_resident << shift, sum.rss) },
        { "VmRSS:\t", sum.rss },
        { "RssAnon:\t", sum.rss_anon },
        { "RssFile:\t", sum.rss_file },
        { "RssShmem:\t", sum.rss_shmem },
        { "VmData:\t", s->data << shift },
        { "VmStk:\t", s->stack << shift },
        { "VmExe:\t", code },
        { "VmLib:\t", (s->exec << shift) - code },
        { "VmPTE:\t", table_bytes(s) },
        { "VmSwap:\t", 0 },
        { "HugetlbPages:\t", sum.shared_huge + sum.private_huge },
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        put_string(f->t, lines[i].name);
        put_number(f->t, lines[i].bytes >> 10, 10, 8, ' ');
        put_string(f->t, " kB\n");
    }
}

static void statm(const struct face *f)
{
    const struct mw_space *s = f->s;
    struct count sum = count_all(f);
    uint64_t numbers[7] = {
        s->total, to_pages(s, sum.rss), to_pages(s, sum.rss_file + sum.rss_shmem),
        to_pages(s, code_bytes(f)), 0, s->data + s->stack, 0
    };

    for (int i = 0; i < 7; i++) {
        put_number(f->t, numbers[i], 10, 0, 0);
        put_char(f->t, i < 6 ? ' ' : '\n');
    }
}

/* The mapping that a reader who has read up to `addr` comes to; false: the end. */
static bool next_mapping(const struct face *f, uint64_t addr, struct mw_vma *v)
{
    const struct mw_vma *found = tree_at(tree_find(&f->s->tree, addr));

    *v = (struct mw_vma){ .start = VSYSCALL, .end = VSYSCALL + 4096, .flags = MW_VM_EXEC };
    if (found)
        *v = *found;
    return found || ((f->proc->flags & MW_PROC_VSYSCALL) && addr < v->end);
}

/* Writes what comes at `addr`. Returns where the reader then is; 0: this is the end. */
static uint64_t entry(const struct face *f, enum mw_proc_face face, uint64_t addr)
{
    struct mw_vma v = { .end = UINT64_MAX };
    struct count sum;

    if (face == MW_PROC_MAPS || face == MW_PROC_SMAPS) {
        if (!next_mapping(f, addr, &v))
            return 0;
        if (face == MW_PROC_MAPS)
            face_maps(f, &v);
        else
            face_smaps(f, &v);
    } else if (addr) {
        return 0;
    } else if (face == MW_PROC_SMAPS_ROLLUP) {
        sum = count_all(f);
        face_rollup(f, &sum);
    } else if (face == MW_PROC_STATUS) {
        status(f);
    } else {
        statm(f);
    }
    return v.end;
}

static size_t read_on(const struct mw_space *s, const struct mw_proc *proc, enum mw_proc_face face,
                      struct mw_proc_cursor *cursor, char *buf, size_t size)
{
    size_t done = 0;

    while (done < size) {
        struct text t = { .buf = buf + done, .size = size - done, .skip = (size_t)cursor->skip };
        struct face f = { s, proc, &t };
        uint64_t next = entry(&f, face, cursor->addr);
        size_t left = t.length > t.skip ? t.length - t.skip : 0;

        if (!next || (left > t.size && done))
            break;
        done += (size_t)min_u64(left, t.size);
        if (left > t.size) {
            cursor->skip += t.size;
            break;
        }
        *cursor = (struct mw_proc_cursor){ .addr = next };
    }
    return done;
}

size_t mw_proc_read(struct mw_space *s, const struct mw_proc *proc, enum mw_proc_face face,
                    struct mw_proc_cursor *cursor, char *buf, size_t size)
{
    size_t done;

    space_enter(s);
    done = read_on(s, proc, face, cursor, buf, size);
    space_leave(s);
    return done;
}
