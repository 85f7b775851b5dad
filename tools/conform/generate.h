/* SPDX-License-Identifier: MIT */
/* generate.h - what generate.c and generate_kinds.c share: chance, and arguments made of it. */
#ifndef MAPWRIGHT_CONFORM_GENERATE_H
#define MAPWRIGHT_CONFORM_GENERATE_H

#include "conform.h"

#define WINDOW 64u /* pages that most of an episode happens in */

uint64_t below(struct generator *g, uint64_t n);
bool one_in(struct generator *g, uint64_t n);

uint64_t hostile(struct generator *g); /* any number */
uint64_t some_page(struct generator *g);
uint64_t some_addr(struct generator *g);
uint64_t some_len(struct generator *g, uint64_t addr);
uint32_t some_prot(struct generator *g);
uint64_t some_advice(struct generator *g);
bool some_piece(struct generator *g, struct step *s); /* of one mapping of the arena; false: there is none */

/* Episodes of a kind: whether this is one, its steps of that kind, and those it begins and ends with. */
void kinds_begin(struct generator *g);
enum step_kind some_kind(struct generator *g); /* STEP_KINDS: none now */
void make_kind(struct generator *g, struct step *s);
bool make_frame(struct generator *g, int i, struct step *s); /* false: nothing of that */
void make_thp(struct generator *g, struct step *s);
void make_huge(struct generator *g, struct step *s);
uint64_t some_mode(struct generator *g, enum step_kind kind); /* of a watcher's call */

#endif
