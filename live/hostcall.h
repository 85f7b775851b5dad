/* SPDX-License-Identifier: MIT */
/*
 * hostcall.h - the calls that the ready-made pieces make on the host.
 *
 * A table, so that a test can let any one of them fail; nothing else writes it.
 * Each entry is the C library's own: -1 (or MAP_FAILED, NULL) and errno.
 */
#ifndef LIVE_HOSTCALL_H
#define LIVE_HOSTCALL_H

#include <stddef.h>
#include <sys/types.h>

enum { HOST_LOCK, HOST_LOCK_ONFAULT, HOST_UNLOCK };

struct mw_hostcall {
    void *(*alloc)(size_t align, size_t size);
    void *(*resize)(void *at, size_t size);
    int (*memfd)(const char *name, unsigned flags);
    int (*truncate)(int fd, off_t size);
    void *(*map)(void *at, size_t size, int prot, int flags, int fd, off_t offset);
    int (*unmap)(void *at, size_t size);
    int (*protect)(void *at, size_t size, int prot);
    int (*lock)(void *at, size_t size, int how); /* HOST_... */
    int (*advise)(void *at, size_t size, int advice);
    int (*sync)(void *at, size_t size, int flags);
    void *(*remap)(void *at, size_t size, size_t new_size, int flags, void *to);
    ssize_t (*write)(int fd, const void *from, size_t size, off_t offset);
    int (*punch)(int fd, off_t start, off_t size); /* gives pages of a memfd back */
};

extern struct mw_hostcall mw_hostcall;

#endif
