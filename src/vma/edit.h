/* SPDX-License-Identifier: MIT */
/*
 * edit.h - the changes a commit makes to the row of VMAs. None can fail: their
 * insertions are reserved before. Counters and object references follow; pages
 * are the caller's, but that a border splits the transparent huge page it cuts.
 */
#ifndef MW_VMA_EDIT_H
#define MW_VMA_EDIT_H

#include "vma/space.h"

/* Insertions that each may need. */
enum { EDIT_SPLIT = 1, EDIT_REMOVE = 1, EDIT_INSERT = 1, EDIT_MODIFY = 2 };

/*
 *     [ v              )   ->   [ v     )[ upper  )
 *             ^ at
 * Nothing where no VMA spans `at`.
 */
void edit_split(struct mw_space *s, uint64_t at);

/* Removes every VMA, or part of one, in [start, end). */
void edit_remove(struct mw_space *s, uint64_t start, uint64_t end);

/* Adds a mapping where none is; takes a reference on its object. */
void edit_add(struct mw_space *s, const struct mw_vma *v);

/* The same, and it merges with what it may, but not with the VMA at `apart`. */
void edit_insert(struct mw_space *s, const struct mw_vma *v, uint64_t apart);
#define EDIT_NONE_APART UINT64_MAX

/*
 * The same where `prev` is the place of the mapping before it, if any, and none
 * adjoins above: for one after the other of a row. Returns its place.
 */
struct cursor edit_append(struct mw_space *s, struct cursor prev, const struct mw_vma *v);

/* The same as mmap does it. */
void edit_insert_new(struct mw_space *s, const struct mw_vma *v);

/*
 * Gives [start, end), which lies in one VMA, other flags, and merges. False:
 * a cut was needed and max_map_count forbids it (`limited`); a first of two
 * cuts may then have been made, as on Linux.
 */
bool edit_modify(struct mw_space *s, uint64_t start, uint64_t end, uint64_t flags, bool limited);

/* The same where the place of that VMA is known. */
bool edit_modify_at(struct mw_space *s, struct cursor c, uint64_t start, uint64_t end, uint64_t flags,
                    bool limited);

/* As edit_modify, limited, but it merges with nothing. */
bool edit_modify_apart(struct mw_space *s, uint64_t start, uint64_t end, uint64_t flags);

/* Extends the VMA that ends at `end` to `new_end`, over nothing; merges with the next if `merge`. */
void edit_extend(struct mw_space *s, uint64_t end, uint64_t new_end, bool merge);

/* Extends the VMA that starts at `start` down to `new_start` (a growing stack). */
void edit_extend_down(struct mw_space *s, uint64_t start, uint64_t new_start);

/*
 * [start, end) has lost its pages to another VMA: if it is whole, it is
 * untouched again. `rebase`: anonymous memory then belongs where it is.
 */
void edit_forget(struct mw_space *s, uint64_t start, uint64_t end, bool rebase);

/*
 * Takes flags off the whole VMA at `addr`, and merges nothing. `spared`: of its
 * pages all but so many stay counted as locked or promised for ever (defects
 * of Linux); EDIT_SPARE_ALL: none does.
 */
void edit_strip(struct mw_space *s, uint64_t addr, uint64_t flags, uint64_t spared);
#define EDIT_SPARE_ALL UINT64_MAX

/*
 * [start, end), which lies in one VMA, maps a mirror from now on, at the offset
 * that is its address. Takes a reference on `object`. Needs EDIT_MODIFY insertions.
 */
void edit_mirror(struct mw_space *s, uint64_t start, uint64_t end, struct mw_object *object);

/* Gives the private VMA at `c` an identity, if it has none. */
void edit_touch(struct mw_space *s, struct cursor c);

/* The same for a VMA of any kind. */
void edit_identify(struct mw_space *s, struct cursor c);

#endif
