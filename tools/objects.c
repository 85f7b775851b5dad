/* SPDX-License-Identifier: MIT */
/*
 * objects.c - one engine object per file that an observed program maps.
 * Decides which mappings are "of the same file".
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "mapwright/host.h"

struct entry {
    struct object_info info;
    struct mw_object *object;
    struct entry *next;
};

struct objects {
    struct entry **bucket;
    size_t buckets, n;
};

static size_t hash_of(uint64_t dev, uint64_t ino, const char *path)
{
    uint64_t h = (dev * 31 + ino) * UINT64_C(0x9e3779b97f4a7c15);

    if (!dev && !ino)
        for (; *path; path++)
            h = (h ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    return (size_t)(h >> 20);
}

struct objects *objects_create(void)
{
    struct objects *objects = calloc(1, sizeof *objects);

    if (!objects)
        return NULL;
    objects->buckets = 256;
    objects->bucket = calloc(objects->buckets, sizeof(struct entry *));
    if (!objects->bucket) {
        free(objects);
        return NULL;
    }
    return objects;
}

void objects_destroy(struct objects *objects)
{
    if (!objects)
        return;
    for (size_t i = 0; i < objects->buckets; i++) {
        struct entry *next;
        for (struct entry *e = objects->bucket[i]; e; e = next) {
            next = e->next;
            mw_object_put(e->object);
            free(e->info.path);
            free(e);
        }
    }
    free(objects->bucket);
    free(objects);
}

/* Doubles the table; staying small when there is no memory only costs time. */
static void grow(struct objects *objects)
{
    size_t buckets = objects->buckets * 2;
    struct entry **bucket = calloc(buckets, sizeof(struct entry *));

    if (!bucket)
        return;
    for (size_t i = 0; i < objects->buckets; i++) {
        struct entry *next;
        for (struct entry *e = objects->bucket[i]; e; e = next) {
            size_t to = hash_of(e->info.dev, e->info.ino, e->info.path) % buckets;
            next = e->next;
            e->next = bucket[to];
            bucket[to] = e;
        }
    }
    free(objects->bucket);
    objects->bucket = bucket;
    objects->buckets = buckets;
}

static bool is_entry(const struct entry *e, uint64_t dev, uint64_t ino, const char *path)
{
    if (e->info.dev != dev || e->info.ino != ino)
        return false;
    return dev || ino || strcmp(e->info.path, path) == 0;
}

static struct entry *add(struct objects *objects, uint64_t dev, uint64_t ino, const char *path,
                         uint64_t size, uint32_t flags)
{
    struct entry *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->info.dev = dev;
    e->info.ino = ino;
    e->info.size = size;
    e->info.path = strdup(path);
    if (!e->info.path || mw_object_create(mw_host_port(), NULL, NULL, &e->info, size, flags,
                                          &e->object) != 0) {
        free(e->info.path);
        free(e);
        return NULL;
    }
    if (++objects->n > objects->buckets)
        grow(objects);
    struct entry **head = &objects->bucket[hash_of(dev, ino, path) % objects->buckets];
    e->next = *head;
    *head = e;
    return e;
}

struct mw_object *objects_get(struct objects *objects, uint64_t dev, uint64_t ino,
                              const char *path, uint64_t size, uint32_t flags)
{
    struct entry *e = objects->bucket[hash_of(dev, ino, path) % objects->buckets];

    while (e && !is_entry(e, dev, ino, path))
        e = e->next;
    if (!e)
        e = add(objects, dev, ino, path, size, flags);
    return e ? e->object : NULL;
}

uint32_t objects_flags_of_path(const char *path)
{
    if (strncmp(path, "/SYSV", 5) == 0)
        return MW_OBJ_SHM;
    if (strncmp(path, "/anon_hugepage", 14) == 0)
        return MW_OBJ_NOMERGE;
    if (strcmp(path, "anon_inode:[io_uring]") == 0)
        return MW_OBJ_OWN_PLACE | MW_OBJ_DONTEXPAND | MW_OBJ_NO_ADDRESS;
    if (strcmp(path, "anon_inode:[perf_event]") == 0)
        return MW_OBJ_DONTEXPAND | MW_OBJ_UNCUT;
    if (strncmp(path, "/[aio]", 6) == 0)
        return MW_OBJ_DONTEXPAND | MW_OBJ_AIO;
    if (strcmp(path, "/dev/zero") == 0)
        return MW_OBJ_ANON;
    if (strncmp(path, "[vvar", 5) == 0)
        return MW_OBJ_DONTEXPAND | MW_OBJ_PFNMAP | MW_OBJ_WHOLE;
    if (strcmp(path, "[vdso]") == 0)
        return MW_OBJ_DONTEXPAND | MW_OBJ_WHOLE;
    return 0;
}
