/* SPDX-License-Identifier: MIT */
/* symbols.h - the numbers behind the names in a log of x86-64 Linux. */
#ifndef MAPWRIGHT_TOOLS_SYMBOLS_H
#define MAPWRIGHT_TOOLS_SYMBOLS_H

#include "scan.h"

/* PROT_READ, MAP_SHARED, O_RDWR, NULL, ... False: not a name known here. */
bool symbol_find(struct text name, uint64_t *out);

/* ENOMEM is 12. 0: unknown. */
int symbol_errno(struct text name);

/* SIGSEGV is 11. 0: unknown. */
int symbol_signal(struct text name);

#endif
