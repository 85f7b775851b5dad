/* SPDX-License-Identifier: MIT */
/* emit.h - the parts of an emitted program that are always alike. */
#ifndef MAPWRIGHT_CONFORM_EMIT_H
#define MAPWRIGHT_CONFORM_EMIT_H

#include "conform.h"

extern const char emit_includes[], emit_types[], emit_helpers[], emit_heap[], emit_special[], emit_watchers[], emit_main[],
    emit_end[];

#endif
