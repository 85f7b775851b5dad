/* SPDX-License-Identifier: MIT */
/* host.c - the port for programs that have a C library. */
#include "mapwright/host.h"

#include <stdlib.h>

static void *host_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static const struct mw_port host_port = { .alloc = host_alloc, .free = host_free };

const struct mw_port *mw_host_port(void)
{
    return &host_port;
}
