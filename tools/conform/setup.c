/* SPDX-License-Identifier: MIT */
/*
 * setup.c - what only fixed scenarios do and look at: mlock, madvise,
 * userfaultfd, special mappings; flags, page tables, Committed_AS. The engine
 * has no such calls: there it is done by flags and by import.
 */
#include "suite.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system.h"

#define LOCKS (MW_VM_LOCKED | MW_VM_LOCKONFAULT)

/* ---- mlock ---- */

/* As mlock makes pages present: what can be written and is private, by writing. */
static int64_t populate(uint64_t addr, uint64_t end)
{
    struct mw_vma v;
    int64_t result = 0;
    for (uint64_t a = addr; a < end && mw_find_vma(model.space, a, &v) && v.start < end; a = v.end) {
        bool write = (v.flags & (MW_VM_WRITE | MW_VM_SHARED)) == MW_VM_WRITE;
        uint64_t at = v.start > addr ? v.start : addr, to = v.end < end ? v.end : end;
        for (; at < to; at += PAGE)
            if (mw_fault(model.space, at, write ? MW_ACCESS_WRITE : MW_ACCESS_READ) != MW_FAULT_OK)
                result = -MW_ENOMEM;
    }
    return result;
}

int64_t setup_lock(enum side side, uint64_t addr, uint64_t len, bool onfault)
{
    struct mw_vma v;
    if (side == SIDE_SYSTEM)
        return onfault ? sys_raw(SYS_mlock2, addr, len, 1, 0, 0, 0)
                       : sys_raw(SYS_mlock, addr, len, 0, 0, 0, 0);
    if (mw_find_vma(model.space, addr, &v) && v.flags & MW_VM_HUGETLB) /* never locked */
        return populate(addr, addr + len);
    mw_import_flags(model.space, addr, addr + len, LOCKS, onfault ? LOCKS : MW_VM_LOCKED, true);
    return onfault ? 0 : populate(addr, addr + len);
}

int64_t setup_unlock(enum side side, uint64_t addr, uint64_t len)
{
    if (side == SIDE_SYSTEM)
        return sys_raw(SYS_munlock, addr, len, 0, 0, 0, 0);
    return mw_import_flags(model.space, addr, addr + len, LOCKS, 0, true);
}

/* ---- madvise ---- */

static const struct {
    const char *word;
    int advice;
    uint64_t clear, set;
} advices[] = {
    { "dontfork", MADV_DONTFORK, 0, MW_VM_DONTCOPY },
    { "wipeonfork", MADV_WIPEONFORK, 0, MW_VM_WIPEONFORK },
    { "nodump", MADV_DONTDUMP, 0, MW_VM_DONTDUMP },
    { "sequential", MADV_SEQUENTIAL, MW_VM_RAND_READ, MW_VM_SEQ_READ },
    { "random", MADV_RANDOM, MW_VM_SEQ_READ, MW_VM_RAND_READ },
    { "hugepage", MADV_HUGEPAGE, MW_VM_NOHUGEPAGE, MW_VM_HUGEPAGE },
    { "nohugepage", MADV_NOHUGEPAGE, MW_VM_HUGEPAGE, MW_VM_NOHUGEPAGE },
    { "mergeable", MADV_MERGEABLE, 0, MW_VM_MERGEABLE },
    { "free", MADV_FREE, 0, 0 },
    { "drop", MADV_DONTNEED, 0, 0 },
};

/* MADV_DONTNEED of private anonymous memory: the same mappings without their pages. */
static int64_t drop(uint64_t addr, uint64_t end)
{
    struct mw_vma v;
    for (uint64_t a = addr; a < end && mw_find_vma(model.space, a, &v) && v.start < end; a = v.end) {
        uint64_t start = v.start > addr ? v.start : addr;
        if (v.object != NULL)
            return SETUP_CANT;
        v.offset += start - v.start;
        v.start = start;
        v.end = v.end < end ? v.end : end;
        if (mw_munmap(model.space, v.start, v.end - v.start, NULL) != 0 ||
            mw_import(model.space, &v) != 0)
            return SETUP_CANT;
    }
    return mw_import_flags(model.space, addr, end, 0, 0, true);
}

int64_t setup_advise(enum side side, const char *word, uint64_t addr, uint64_t len)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        int64_t r;
        if (strcmp(advices[i].word, word) != 0)
            continue;
        if (side == SIDE_ENGINE)
            return advices[i].advice == MADV_DONTNEED
                       ? drop(addr, addr + len)
                       : mw_import_flags(model.space, addr, addr + len, advices[i].clear,
                                         advices[i].set, true);
        r = sys_raw(SYS_madvise, addr, len, (uint64_t)advices[i].advice, 0, 0, 0);
        return r == -MW_EINVAL ? SETUP_CANT : r; /* a kernel may be built without some */
    }
    return SETUP_CANT;
}

/* ---- userfaultfd ---- */

int64_t setup_watch(enum side side, uint64_t addr, uint64_t len)
{
    static int fd = -1; /* one watches all: memory of two watchers never merges */
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register r = { .range = { .start = addr, .len = len },
                                 .mode = UFFDIO_REGISTER_MODE_MISSING };
    if (side == SIDE_ENGINE)
        return mw_import_flags(model.space, addr, addr + len, 0, MW_VM_UFFD, true);
    if (fd < 0) {
        fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
            return SETUP_CANT;
    }
    return ioctl(fd, UFFDIO_REGISTER, &r) == 0 ? 0 : SETUP_CANT;
}

/* ---- special mappings ---- */

/* The random calls have no use for these, so they are opened when a scenario names them. */
bool setup_file(int which)
{
    static uint32_t params[30];
    static struct perf_event_attr clock = { .size = sizeof clock, .type = PERF_TYPE_SOFTWARE,
                                            .config = PERF_COUNT_SW_CPU_CLOCK };
    int *fd = &sys_files.fd[which];
    if (which == FILE_URING)
        *fd = (int)syscall(NR_IO_URING_SETUP, 4, params);
    else if (which == FILE_PERF)
        *fd = (int)syscall(SYS_perf_event_open, &clock, 0, -1, -1, 0);
    return *fd >= 0;
}

static int64_t move_to(uint64_t from, uint64_t len, uint64_t to)
{
    int64_t r = sys_raw(SYS_mremap, from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to, 0);
    sys_changed();
    return r == (int64_t)to ? 0 : SETUP_CANT;
}

/* The engine's share: a fixed mapping of one of its objects. */
static int64_t map_object(int which, uint64_t addr, uint64_t len, uint32_t flags)
{
    int64_t r = mw_mmap(model.space, addr, len, MW_PROT_READ | MW_PROT_WRITE, flags | MW_MAP_FIXED,
                        &model.file[which], 0, NULL);
    return r == (int64_t)addr ? 0 : SETUP_CANT;
}

int64_t setup_ring(enum side side, uint64_t addr, uint64_t len)
{
    aio_context_t ring = 0;
    struct seen a;
    if (side == SIDE_ENGINE)
        return map_object(FILE_RING, addr, len, MW_MAP_SHARED);
    if (sys.look == LOOK_PROBE || syscall(SYS_io_setup, len == PAGE ? 8 : 2000, &ring) != 0)
        return SETUP_CANT;
    sys_changed();
    /* its size depends on the number of CPUs */
    if (!sys_next(ring, &a) || a.start != ring || a.end != a.start + len)
        return SETUP_CANT;
    return move_to(ring, len, addr);
}

int64_t setup_vdso(enum side side, uint64_t addr)
{
    struct mw_vma v = { .start = addr, .end = addr + 2 * PAGE };
    struct seen a;
    if (side == SIDE_SYSTEM)
        return sys_find_named("[vdso]", &a) && a.end == a.start + 2 * PAGE
                   ? move_to(a.start, 2 * PAGE, addr)
                   : SETUP_CANT;
    v.object = model.file[FILE_VDSO].object;
    v.flags = MW_VM_READ | MW_VM_EXEC | MW_VM_MAYREAD | MW_VM_MAYWRITE | MW_VM_MAYEXEC |
              MW_VM_DONTEXPAND;
    return mw_import(model.space, &v);
}

#define MFD_OF_2M (MFD_HUGETLB | 21u << 26)

int64_t setup_huge_file(enum side side, uint64_t addr, uint64_t len)
{
    struct mw_file f = { .mode = MW_FILE_READ | MW_FILE_WRITE };
    int fd;
    int64_t r;
    if (sys.huge_pages == 0)
        return SETUP_CANT;
    if (side == SIDE_ENGINE) {
        f.object = model_huge_file(4 * HUGE);
        r = mw_mmap(model.space, addr, len, MW_PROT_READ | MW_PROT_WRITE,
                    MW_MAP_SHARED | MW_MAP_FIXED, &f, 0, NULL);
        mw_object_put(f.object);
        return r == (int64_t)addr ? 0 : SETUP_CANT;
    }
    fd = (int)syscall(SYS_memfd_create, "huge", MFD_OF_2M);
    if (fd < 0 || ftruncate(fd, 4 * HUGE) != 0)
        return SETUP_CANT;
    r = sys_raw(SYS_mmap, addr, len, MW_PROT_READ | MW_PROT_WRITE, MW_MAP_SHARED | MW_MAP_FIXED,
                (uint64_t)fd, 0);
    sys_changed();
    return r == (int64_t)addr ? 0 : SETUP_CANT;
}

int64_t setup_shm(enum side side, uint64_t addr, uint64_t len)
{
    int id;
    void *p;
    if (side == SIDE_ENGINE)
        return model_add_shm(len) &&
                       mw_shmat(model.space, &model.file[FILE_SHM], addr, 0, NULL) == (int64_t)addr
                   ? 0
                   : SETUP_CANT;
    id = shmget(IPC_PRIVATE, len, IPC_CREAT | 0600);
    if (id < 0)
        return SETUP_CANT;
    p = shmat(id, (void *)(uintptr_t)addr, 0);
    shmctl(id, IPC_RMID, NULL);
    sys_changed();
    return p == (void *)(uintptr_t)addr ? 0 : SETUP_CANT;
}

/* ---- looking ---- */

int64_t look_committed(enum side side)
{
    static char text[8192];
    struct mw_stats now;
    const char *p;
    ssize_t n;
    int fd;
    if (side == SIDE_ENGINE) {
        mw_stats(model.space, &now);
        return (int64_t)now.committed;
    }
    fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    p = strstr(text, "Committed_AS:");
    return p == NULL ? -1 : strtoll(p + 13, NULL, 10) * 1024 / (int64_t)PAGE;
}

int look_present(enum side side, uint64_t addr)
{
    uint64_t entry = 0;
    ssize_t n;
    int fd;
    if (side == SIDE_ENGINE)
        return model_present(addr);
    fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : pread(fd, &entry, sizeof entry, (off_t)(addr / PAGE * sizeof entry));
    if (fd >= 0)
        close(fd);
    return n == sizeof entry ? (int)(entry >> 63) : -1;
}

static uint64_t flags_of_engine(uint64_t addr)
{
    struct mw_vma v;
    return mw_find_vma(model.space, addr, &v) && v.start <= addr ? v.flags : 0;
}

bool look_flags(enum side side, uint64_t addr, char *out, size_t size)
{
    uint64_t flags = side == SIDE_ENGINE ? flags_of_engine(addr) : sys_vm_flags(addr), flag;
    const char *name;
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; (name = vm_flag_name(i, &flag)) != NULL && n + 4 < size; i++)
        if (flags & flag)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", name);
    return side == SIDE_ENGINE || sys.status;
}
