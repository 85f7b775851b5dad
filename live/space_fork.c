/* SPDX-License-Identifier: MIT */
/*
 * space_fork.c - what a child of fork has of live spaces.
 *
 * Around a fork every space is locked. A space whose child is to have a copy
 * is copied to another memfd just before; the child then maps that one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"
#include "space.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mw_live *list;

static bool copy_range(int from, int to, off_t start, off_t end)
{
    static char buffer[1 << 16];

    while (start < end) {
        size_t n = end - start < (off_t)sizeof buffer ? (size_t)(end - start) : sizeof buffer;
        ssize_t got = pread(from, buffer, n, start);

        if (got <= 0 || pwrite(to, buffer, (size_t)got, start) != got)
            return false;
        start += got;
    }
    return true;
}

/* A memfd with the same data; -1: it can't be had. */
static int copy_of(const struct mw_live *live)
{
    int to = mw_hostcall.memfd("mapwright", MFD_CLOEXEC);
    off_t size = lseek(live->fd, 0, SEEK_END), at = 0;
    bool done = to >= 0 && ftruncate(to, size) == 0;

    while (done && (at = lseek(live->fd, at, SEEK_DATA)) >= 0) {
        off_t hole = lseek(live->fd, at, SEEK_HOLE);

        done = hole > at && copy_range(live->fd, to, at, hole);
        at = hole;
    }
    if (done || to < 0)
        return to;
    close(to);
    return -1;
}

static void before(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct mw_live *l = list; l; l = l->next) {
        pthread_mutex_lock(&l->lock);
        l->next_fd = l->fork == MW_LIVE_FORK_COPY ? copy_of(l) : -1;
    }
}

static void unlock_all(void)
{
    for (struct mw_live *l = list; l; l = l->next)
        pthread_mutex_unlock(&l->lock);
    pthread_mutex_unlock(&list_lock);
}

static void in_parent(void)
{
    for (struct mw_live *l = list; l; l = l->next)
        if (l->next_fd >= 0)
            close(l->next_fd);
    unlock_all();
}

/* The child's pages are those of the copy; where there is none, no pages are better than the parent's. */
static void change_over(struct mw_live *l)
{
    struct layout all = { .range = l->range };

    if (l->next_fd < 0 || !mw_layout_take(l, &all)) {
        mw_live_forget_all(l);
        return;
    }
    dup3(l->next_fd, l->fd, O_CLOEXEC);
    close(l->next_fd);
    if (mw_live_force(l, &all))
        mw_live_forget_all(l);
    mw_layout_free(&all);
}

static void in_child(void)
{
    for (struct mw_live *l = list; l; l = l->next) {
        if (l->fork == MW_LIVE_FORK_NOTHING)
            mw_live_forget_all(l);
        else if (l->fork == MW_LIVE_FORK_COPY)
            change_over(l);
    }
    unlock_all();
}

int mw_live_fork_add(struct mw_live *live)
{
    static bool watching;
    int err = 0;

    pthread_mutex_lock(&list_lock);
    if (!watching)
        err = pthread_atfork(before, in_parent, in_child);
    if (!err) {
        watching = true;
        live->next = list;
        list = live;
    }
    pthread_mutex_unlock(&list_lock);
    return -err;
}

void mw_live_fork_remove(struct mw_live *live)
{
    pthread_mutex_lock(&list_lock);
    for (struct mw_live **p = &list; *p; p = &(*p)->next)
        if (*p == live) {
            *p = live->next;
            break;
        }
    pthread_mutex_unlock(&list_lock);
}
