/* SPDX-License-Identifier: MIT */
/* touch.h - touches any address of this process, and says which signal came of it. */
#ifndef MAPWRIGHT_TOUCH_H
#define MAPWRIGHT_TOUCH_H

#include <stdbool.h>
#include <stdint.h>

enum met { MET_OK, MET_MAPERR, MET_ACCERR, MET_BUS, MET_OTHER };

/*
 * A signal's handler begins with the rights of protection keys that a program
 * begins with: a touch that has met one brings back those that were.
 */
void touch_keeps_rights(bool keep);

/* Catches SIGSEGV and SIGBUS from now on. One that no touch has met ends the process, as ever. */
void touch_catch(void);

enum met touch_load(uint64_t addr, uint32_t *value);
enum met touch_store(uint64_t addr, uint32_t value);
enum met touch_call(uint64_t addr); /* what lies there should return */

#endif
