/* SPDX-License-Identifier: MIT */
/*
 * openings.c - tells apart the open files that a program maps. Keeps a
 * duplicate of each descriptor for as long as the engine has a mapping of it,
 * to compare later ones with. The mapping keeps the file open in the kernel
 * just as long, so that the duplicate is not felt: it is closed before the
 * program goes on after the call that removed the last mapping.
 */
#include "openings.h"

#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../model.h"
#include "mapwright/host.h"

enum { BUCKETS = 1024, NR_PIDFD_OPEN = 434, NR_PIDFD_GETFD = 438 };

struct opening {
    struct object_info info; /* first: it is the object's ctx */
    int fd;                  /* our duplicate; -1: none, it is no other's equal */
    struct mw_object *object;
    struct opening *next;
};

static struct opening *bucket[BUCKETS];

static struct opening **bucket_of(uint64_t dev, uint64_t ino)
{
    return &bucket[(dev * 31 + ino) % BUCKETS];
}

static void forget(struct opening *opening)
{
    struct opening **at = bucket_of(opening->info.dev, opening->info.ino);

    while (*at && *at != opening)
        at = &(*at)->next;
    if (*at)
        *at = opening->next;
    if (opening->fd >= 0)
        close(opening->fd);
    free(opening->info.path);
    free(opening);
}

/* The last mapping of it is gone. */
static void released(void *ctx)
{
    forget(ctx);
}

static const struct mw_object_ops ops = { .release = released };

void openings_prepare(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int duplicate(pid_t tgid, int fd)
{
    int pidfd = (int)syscall(NR_PIDFD_OPEN, tgid, 0);

    if (pidfd < 0)
        return -1;
    int copy = (int)syscall(NR_PIDFD_GETFD, pidfd, fd, 0);
    close(pidfd);
    return copy;
}

/* 1: the same open file; 0: another; -1: the kernel can't tell. */
static int is_same(int a, int b)
{
    pid_t self = getpid();
    long order = syscall(SYS_kcmp, self, self, KCMP_FILE, a, b);

    return order < 0 ? -1 : order == 0;
}

static struct opening *create(int fd, const struct event_file *file, uint32_t flags)
{
    struct opening *opening = calloc(1, sizeof *opening);

    if (!opening)
        return NULL;
    opening->info.dev = file->dev;
    opening->info.ino = file->ino;
    opening->info.size = file->size;
    opening->info.path = strdup(file->path);
    opening->fd = fd;
    if (!opening->info.path ||
        mw_object_create(mw_host_port(), NULL, &ops, &opening->info, file->size, flags,
                         &opening->object) != 0) {
        free(opening->info.path);
        free(opening);
        return NULL;
    }
    struct opening **head = bucket_of(file->dev, file->ino);
    opening->next = *head;
    *head = opening;
    return opening;
}

struct mw_object *openings_get(pid_t tgid, int fd, const struct event_file *file, uint32_t flags)
{
    struct opening *o = *bucket_of(file->dev, file->ino);
    int copy = duplicate(tgid, fd);

    if (copy < 0 || is_same(copy, copy) < 0) {
        if (copy >= 0)
            close(copy);
        return NULL;
    }
    for (; o; o = o->next) {
        if (o->fd < 0 || o->info.dev != file->dev || o->info.ino != file->ino)
            continue;
        if (is_same(copy, o->fd))
            break;
    }
    if (o) {
        close(copy);
        mw_object_get(o->object);
        return o->object;
    }
    o = create(copy, file, flags);
    if (!o)
        close(copy);
    return o ? o->object : NULL;
}

struct mw_object *openings_new(const struct event_file *file, uint32_t flags)
{
    struct opening *o = create(-1, file, flags);

    return o ? o->object : NULL;
}
