/* SPDX-License-Identifier: MIT */
/*
 * objects.c - what lies behind mappings, on both sides: files that grow and
 * shrink, SysV segments that are attached, detached and removed.
 *
 * Segments live in a namespace of this program's own, where nobody else's are
 * and which takes them along when it ends.
 */
#include "system.h"

#include <sched.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One that its owner may write, and one that he may execute; with all rights, both. */
static const struct {
    uint64_t bytes;
    uint32_t perm;
} kind[SEGMENTS] = { { 6 * PAGE, 0600 }, { 2 * PAGE + 100, 0500 } };

/* ---- the system ---- */

static int id[SEGMENTS]; /* for as long as sys_files has an inode */

/* /proc shows the number as an inode: 0 is no file's, and memfds have the first ones after a boot. */
static bool is_taken(int n)
{
    for (int i = 0; i < ALL_FILES; i++)
        if (sys_files.inode[i] == (uint64_t)n)
            return true;
    return n < 32768;
}

/* Each has another number than the last. */
static int new_segment(uint64_t bytes, uint32_t perm)
{
    int n = shmget(IPC_PRIVATE, bytes, IPC_CREAT | (int)perm);
    for (int tries = 0; n >= 0 && is_taken(n) && tries < 100; tries++) {
        shmctl(n, IPC_RMID, NULL);
        n = shmget(IPC_PRIVATE, bytes, IPC_CREAT | (int)perm);
    }
    return n;
}

/* An episode's, when it first asks. */
static void make_segments(void)
{
    for (int i = 0; i < SEGMENTS; i++)
        if (sys_files.inode[FILE_SEGMENT + i] == 0 && (id[i] = new_segment(kind[i].bytes, kind[i].perm)) > 0)
            sys_files.inode[FILE_SEGMENT + i] = (uint64_t)id[i];
}

void sys_remove_segments(void)
{
    for (int i = 0; i < SEGMENTS; i++) {
        if (sys_files.inode[FILE_SEGMENT + i] != 0)
            shmctl(id[i], IPC_RMID, NULL);
        sys_files.inode[FILE_SEGMENT + i] = 0;
    }
}

bool sys_attached(int segment, int64_t *n)
{
    struct shmid_ds d;
    if (sys_files.inode[FILE_SEGMENT + segment] == 0 || shmctl(id[segment], IPC_STAT, &d) != 0)
        return false;
    *n = (int64_t)d.shm_nattch;
    return true;
}

/* Rights that files of other users need are what the engine's answers take for granted. */
void sys_probe_segments(void)
{
    int n;
    int64_t at;
    if (unshare(CLONE_NEWIPC) != 0 || (n = new_segment(PAGE, 0)) < 0)
        return;
    at = sys_raw(SYS_shmat, (uint64_t)n, 0, 0, 0, 0, 0);
    sys.segments = at > 0 && sys_raw(SYS_shmdt, (uint64_t)at, 0, 0, 0, 0, 0) == 0;
    shmctl(n, IPC_RMID, NULL);
}

int64_t sys_object_step(const struct step *s)
{
    int n = -1;
    if (s->kind == STEP_TRUNCATE)
        return sys_raw(SYS_ftruncate, (uint64_t)sys_files.writable[s->file], s->len, 0, 0, 0, 0);
    if (s->kind == STEP_SHMDT)
        return sys_raw(SYS_shmdt, s->addr, 0, 0, 0, 0, 0);
    make_segments();
    if (s->file >= 0)
        n = id[s->file];
    if (s->kind == STEP_SHM_REMOVE)
        return shmctl(n, IPC_RMID, NULL) == 0 ? 0 : -MW_EINVAL;
    return sys_raw(SYS_shmat, (uint64_t)(int64_t)n, s->addr, s->flags, 0, 0, 0);
}

/* ---- the engine ---- */

uint64_t segment_bytes(int segment)
{
    return kind[segment].bytes;
}

static int64_t truncate_file(const struct step *s)
{
    int err = mw_object_truncate(model.file[s->file].object, s->len);
    if (err == 0 && s->len < model.content[s->file])
        model.content[s->file] = s->len;
    if (err == 0)
        model.dirty[s->file] = UINT32_MAX; /* what it held is gone */
    return err;
}

/* A segment that was removed is there until nothing of it is attached any more. */
static bool is_gone(int segment)
{
    return model.removed >> segment & 1 && mw_object_mapped(model.file[FILE_SEGMENT + segment].object) == 0;
}

static int64_t attach(const struct step *s)
{
    struct mw_file f;
    if (s->file < 0 || is_gone(s->file))
        return mw_shmat(model.space, NULL, s->addr, s->flags, &model.why);
    f = model.file[FILE_SEGMENT + s->file];
    f.mode = !model.unprivileged ? MW_FILE_READ | MW_FILE_WRITE
                                 : MW_FILE_READ | (kind[s->file].perm & 0200 ? MW_FILE_WRITE : 0) |
                                       (kind[s->file].perm & 0100 ? 0 : MW_FILE_NOEXEC);
    return mw_shmat(model.space, &f, s->addr, s->flags, &model.why);
}

int64_t model_object_step(const struct step *s)
{
    if (s->kind == STEP_TRUNCATE)
        return truncate_file(s);
    if (s->kind == STEP_SHMDT)
        return mw_shmdt(model.space, s->addr, &model.why);
    model.segments = true;
    if (s->kind == STEP_SHMAT)
        return attach(s);
    if (is_gone(s->file))
        return -MW_EINVAL;
    model.removed |= 1u << s->file;
    return 0;
}

/* ---- what must not be tried ---- */

bool object_step_is_safe(const struct step *s)
{
    if (s->kind == STEP_TRUNCATE)
        return s->file >= 0 && s->file < FILES_TO_MAP && sys_has_file(s->file) &&
               sys_files.writable[s->file] >= 0 && s->file != FILE_ZERO && s->file != FILE_APPEND;
    if (!sys.segments)
        return false;
    if (s->kind == STEP_SHMDT)
        return true; /* it finds what is an episode's own alone */
    return s->file < SEGMENTS && (s->file >= 0 || s->kind == STEP_SHMAT) &&
           (s->addr != 0 || sys.exact || s->kind != STEP_SHMAT);
}
