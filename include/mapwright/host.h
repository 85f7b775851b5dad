/* SPDX-License-Identifier: MIT */
/*
 * host.h - a ready-made port for programs that have a C library.
 */
#ifndef MAPWRIGHT_HOST_H
#define MAPWRIGHT_HOST_H

#include "mapwright/port.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* malloc and free; no lock, no flush. Static storage. */
const struct mw_port *mw_host_port(void);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
