/* SPDX-License-Identifier: MIT */
/*
 * space_fork.c - what a child of fork has of live spaces.
 *
 * Around a fork every space is locked. A space whose child is to have a copy
 * is copied to other memfds just before; the child then maps those.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostcall.h"
#include "transaction.h"

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

/* Data, by where a file of pages says that there is some. */
static bool copy_pages(const struct pool *from, int to)
{
    bool fine = true;
    off_t at = 0;

    while (fine && (at = lseek(from->fd, at, SEEK_DATA)) >= 0) {
        off_t hole = lseek(from->fd, at, SEEK_HOLE);

        fine = hole > at && copy_range(from->fd, to, at, hole);
        at = hole;
    }
    return fine;
}

/* A huge page: not written by write(2), and not made where there is nothing to say. */
static bool copy_huge_page(const struct pool *from, int to, off_t at, uint64_t *buffer)
{
    size_t page = (size_t)1 << from->log2_page;
    void *p;

    if (pread(from->fd, buffer, page, at) != (ssize_t)page)
        return false;
    if (mw_is_zero(buffer, page))
        return true;
    p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, to, at);
    if (p == MAP_FAILED)
        return false;
    memcpy(p, buffer, page);
    munmap(p, page);
    return true;
}

/* Of huge pages no file says where there are some: what is mapped is looked at. */
static bool copy_huge(const struct mw_live *live, const struct pool *from, int to)
{
    size_t page = (size_t)1 << from->log2_page;
    uint64_t *buffer = malloc(page);
    bool fine = buffer != NULL;
    struct mw_vma v;

    for (uint64_t a = live->range.start; fine && mw_find_vma(live->space, a, &v); a = v.end)
        for (uint64_t o = 0; pool_of(&v) == from && o < v.end - v.start && fine; o += page)
            fine = copy_huge_page(from, to, (off_t)(v.offset + o), buffer);
    free(buffer);
    return fine;
}

/* A memfd with the same data; -1: it can't be had. */
static int copy_of(const struct mw_live *live, const struct pool *pool)
{
    int to = mw_pool_memfd(live, pool);

    if (to < 0)
        return -1;
    if (pool == live->pool ? copy_pages(pool, to) : copy_huge(live, pool, to))
        return to;
    close(to);
    return -1;
}

static void before(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct mw_live *l = list; l; l = l->next) {
        pthread_mutex_lock(&l->lock);
        for (int i = 0; i < POOLS; i++)
            if (l->fork == MW_LIVE_FORK_COPY && l->pool[i].as_shared.file.object)
                l->pool[i].next_fd = copy_of(l, &l->pool[i]);
    }
}

static void unlock_all(void)
{
    for (struct mw_live *l = list; l; l = l->next)
        pthread_mutex_unlock(&l->lock);
    pthread_mutex_unlock(&list_lock);
}

static void drop_copies(struct mw_live *l)
{
    for (int i = 0; i < POOLS; i++) {
        if (l->pool[i].next_fd >= 0)
            close(l->pool[i].next_fd);
        l->pool[i].next_fd = -1;
    }
}

static void in_parent(void)
{
    for (struct mw_live *l = list; l; l = l->next)
        drop_copies(l);
    unlock_all();
}

/* No pages are better than the parent's. */
static void forget_all(struct mw_live *l)
{
    struct layout none;

    mw_munmap(l->space, l->range.start, l->range.end - l->range.start, NULL);
    mw_layout_init(&none, l->range);
    mw_live_force(&none);
    mw_live_forget_slots(l);
}

static bool have_copies(const struct mw_live *l)
{
    for (int i = 0; i < POOLS; i++)
        if (l->pool[i].as_shared.file.object && l->pool[i].next_fd < 0)
            return false;
    return true;
}

/* The child's pages are those of the copies. What is private in the host has been copied by fork. */
static void change_over(struct mw_live *l)
{
    bool fine = have_copies(l);
    struct layout all;

    mw_layout_init(&all, l->range);
    for (int i = 0; i < POOLS && fine; i++)
        if (l->pool[i].next_fd >= 0)
            fine = dup3(l->pool[i].next_fd, l->pool[i].fd, O_CLOEXEC) >= 0;
    drop_copies(l);
    if (!fine || !mw_layout_take(l, &all) || mw_live_force(&all))
        forget_all(l);
    mw_layout_free(&all);
}

/* The next mapping that MADV_DONTFORK keeps from a child. */
static bool next_left_out(const struct mw_live *l, struct mw_vma *v)
{
    for (uint64_t a = l->range.start; mw_find_vma(l->space, a, v); a = v->end)
        if (v->flags & MW_VM_DONTCOPY)
            return true;
    return false;
}

static void leave_out(struct mw_live *l)
{
    struct mw_vma v;

    while (next_left_out(l, &v)) {
        mw_slot_count(&v, false);
        mw_live_reserve(v.start, v.end);
        if (mw_munmap(l->space, v.start, v.end - v.start, NULL))
            return; /* no memory for it */
    }
}

static void in_child(void)
{
    for (struct mw_live *l = list; l; l = l->next) {
        leave_out(l);
        if (l->fork == MW_LIVE_FORK_NOTHING)
            forget_all(l);
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
