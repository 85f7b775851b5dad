/* SPDX-License-Identifier: MIT */
/* line.h - what maps says of a mapping, and smaps below it. */
#ifndef MW_PROC_LINE_H
#define MW_PROC_LINE_H

#include "base/text.h"
#include "mapwright/proc.h"
#include "proc/count.h"

/* The page that is at the end of every address space, and in none. */
#define VSYSCALL 0xffffffffff600000ull

struct face {
    const struct mw_space *s;
    const struct mw_proc *proc;
    struct text *t;
};

/* Adds the pages of `v` to `sum`, each as what it is. */
void face_count(const struct face *f, const struct mw_vma *v, struct count *sum);

void face_maps(const struct face *f, const struct mw_vma *v);
void face_smaps(const struct face *f, const struct mw_vma *v);

/* smaps_rollup of a space that has `sum`, from its first mapping to its last. */
void face_rollup(const struct face *f, const struct count *sum);

#endif
