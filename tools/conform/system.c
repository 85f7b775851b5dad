/* SPDX-License-Identifier: MIT */
/*
 * system.c - makes a step on the system under test: raw system calls on this
 * process's own address space.
 */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>


struct system sys;
struct system_files sys_files;

static unsigned char pattern_text[COPY_MAX];

int64_t sys_raw(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
#if defined(__x86_64__)
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    int64_t result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#else
    long result = syscall(nr, a, b, c, d, e, f);
    return result == -1 ? -errno : result;
#endif
}

/* ---- files ---- */

void sys_fill(int fd, uint64_t bytes, uint32_t pages)
{
    static unsigned char page[PAGE];
    if (pages == ALL_PAGES && (ftruncate(fd, 0) || ftruncate(fd, (off_t)bytes)) && errno != EPERM)
        return; /* (a file that is only appended to never got another size) */
    /* what was stored beyond the end in the last page would stay there */
    if (bytes % PAGE && pages != ALL_PAGES && pages >> bytes / PAGE & 1 &&
        (ftruncate(fd, (off_t)(bytes - bytes % PAGE)) || ftruncate(fd, (off_t)bytes)))
        return;
    for (uint32_t i = 0; i < FILE_PAGES && i * PAGE < bytes; i++) {
        uint32_t value = 100 + i;
        uint64_t n = bytes - i * PAGE < PAGE ? bytes - i * PAGE : PAGE;
        memcpy(page, &value, sizeof value);
        while (pages >> i & 1 && pwrite(fd, page, n, (off_t)(i * PAGE)) < 0 && errno == EINTR)
            ;
    }
}

int sys_new_file(void)
{
    char name[] = "/tmp/mapwright-conform-XXXXXX";
    int fd = (int)syscall(SYS_memfd_create, "mapwright-conform", 1ul);
    if (fd >= 0)
        return fd;
    fd = mkstemp(name);
    if (fd >= 0)
        unlink(name);
    return fd;
}

/* The same file again, opened another way. */
static int opened_as(int fd, int how)
{
    char path[40] = "/proc/self/fd/";
    char digits[12];
    size_t at = strlen(path), n = 0;
    for (int v = fd; v > 0 || n == 0; v /= 10)
        digits[n++] = (char)('0' + v % 10);
    while (n > 0)
        path[at++] = digits[--n];
    path[at] = 0;
    return open(path, how | O_CLOEXEC);
}

static bool open_file(int which)
{
    struct stat st;
    int ends[2], fd;
    if (which == FILE_PIPE) {
        if (pipe(ends) != 0)
            return false;
        sys_files.fd[which] = ends[0];
        sys_files.writable[which] = -1;
        return true;
    }
    fd = sys_new_file();
    if (fd < 0 || ftruncate(fd, (off_t)file_bytes(which)) != 0 || fstat(fd, &st) != 0)
        return false;
    sys_fill(fd, file_bytes(which), ALL_PAGES);
    sys_files.inode[which] = st.st_ino;
    sys_files.writable[which] = fd;
    sys_files.fd[which] = which == FILE_RO   ? opened_as(fd, O_RDONLY)
                          : which == FILE_WO ? opened_as(fd, O_WRONLY)
                                             : fd;
    return true; /* without /proc a file of one kind may be missing: fd -1 */
}

bool sys_open_files(void)
{
    if (sys_files.opened)
        return true;
    for (int i = 0; i < FILE_ZERO; i++)
        if (!open_file(i))
            return false;
    sys_open_special();
    sys_files.pattern = sys_new_file();
    sys_files.out = sys_new_file();
    for (uint32_t i = 0; i < COPY_MAX; i++)
        pattern_text[i] = copy_pattern(i);
    sys_files.opened = pwrite(sys_files.pattern, pattern_text, COPY_MAX, 0) == COPY_MAX;
    return sys_files.opened;
}

bool sys_has_file(int which)
{
    return which == FILE_NONE || (which < FILES_TO_MAP && sys_files.fd[which] >= 0);
}

/* ---- circumstances ---- */

static const int resource_of[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK };

static void set_limit(uint32_t which, uint64_t bytes)
{
    struct rlimit r;
    getrlimit((unsigned)resource_of[which], &r);
    if (which == MW_LIMIT_MEMLOCK && bytes != 0 && bytes != UINT64_MAX) /* 0 has rules of its own */
        bytes += (uint64_t)sys.leaked * PAGE;
    r.rlim_cur = bytes == UINT64_MAX ? r.rlim_max : bytes;
    setrlimit((unsigned)resource_of[which], &r);
}

void sys_lower_lock_limit(void)
{
    struct rlimit r;
    getrlimit(RLIMIT_MEMLOCK, &r);
    if (r.rlim_max != RLIM_INFINITY && sys.memlock > r.rlim_max / 2)
        sys.memlock = r.rlim_max / 2 & ~(PAGE - 1);
    set_limit(MW_LIMIT_MEMLOCK, sys.memlock);
}

bool sys_set_leaked(int64_t pages)
{
    struct rlimit r;
    getrlimit(RLIMIT_MEMLOCK, &r);
    if (sys.memlock != UINT64_MAX && (uint64_t)pages * PAGE > r.rlim_max - sys.memlock)
        return false;
    sys.leaked = pages;
    set_limit(MW_LIMIT_MEMLOCK, sys.memlock);
    return true;
}

/* A child has nothing locked. */
static void forget_leaked(void)
{
    struct rlimit r;
    getrlimit(RLIMIT_MEMLOCK, &r);
    if (r.rlim_cur != 0 && r.rlim_cur != RLIM_INFINITY)
        r.rlim_cur -= (uint64_t)sys.leaked * PAGE;
    setrlimit(RLIMIT_MEMLOCK, &r);
    sys.leaked = 0;
}

/* Limits of size count from what is in use now, if `flags` does not say otherwise. */
static int64_t limit_step(const struct step *s)
{
    struct counted now = { 0, 0, 0, 0 };
    uint64_t base = 0;
    if (s->len != UINT64_MAX && s->prot <= MW_LIMIT_DATA && !s->flags) {
        if (!sys_counters(&now))
            return 0;
        base = (uint64_t)(s->prot == MW_LIMIT_AS ? now.total : now.data);
    }
    set_limit(s->prot, s->len != UINT64_MAX            ? (base + s->len) * PAGE
                       : s->prot == MW_LIMIT_MEMLOCK ? sys.memlock
                       : s->prot == MW_LIMIT_STACK   ? sys.stack_limit
                                                     : UINT64_MAX);
    return 0;
}

static void set_effective(bool all)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &head, data) != 0)
        return;
    data[0].effective = all ? data[0].permitted : 0;
    data[1].effective = all ? data[1].permitted : 0;
    syscall(SYS_capset, &head, data);
}

static int64_t fill_step(const struct step *s)
{
    for (uint64_t i = 0; i < s->len; i++) {
        uint64_t prot = i & 1 ? MW_PROT_READ : MW_PROT_READ | MW_PROT_WRITE;
        int64_t r = sys_raw(SYS_mmap, FILL + i * PAGE, PAGE, prot,
                            MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, UINT64_MAX, 0);
        if (r < 0)
            return r;
    }
    return 0;
}

int64_t sys_fork(void)
{
    int64_t pid = sys_raw(SYS_fork, 0, 0, 0, 0, 0, 0);
    if (pid == 0) {
        alarm(EPISODE_SECONDS);
        sys_reopen();
        forget_leaked();
        sys_forget_watchers();
    }
    return pid;
}

int sys_wait(int64_t pid)
{
    int status = 0;
    if (pid > 0 && waitpid((pid_t)pid, &status, 0) != pid)
        return EXIT_DIED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_DIED;
}

/* 0 in the child; the parent never gets this far. */
static int64_t fork_step(void)
{
    int64_t pid = sys_fork();
    if (pid == 0)
        return 0;
    _exit(sys_wait(pid));
}

/* ---- steps ---- */

static int64_t mincore_step(const struct step *s)
{
    static unsigned char vec[CORE_ROOM];
    int64_t r;
    memset(vec, 0, CORE_PAGES);
    r = sys_raw(SYS_mincore, s->addr, s->len, (uint64_t)(uintptr_t)vec, 0, 0, 0);
    sys.core = core_bits(vec);
    return r;
}

/* The calls on locks and advice. */
/* COLLAPSE says EAGAIN of pages that the kernel holds for a moment: madvise(2) asks to try again. */
static int64_t advise(const struct step *s)
{
    int64_t r;
    for (int tries = 0; tries < 100; tries++) {
        r = sys_raw(SYS_madvise, s->addr, s->len, s->more, 0, 0, 0);
        if (r != -MW_EAGAIN || (uint32_t)s->more != MW_MADV_COLLAPSE)
            break;
        usleep(200);
    }
    return r;
}

static int64_t lock_step(const struct step *s)
{
    switch (s->kind) {
    case STEP_MLOCK:
        return sys_raw(SYS_mlock, s->addr, s->len, 0, 0, 0, 0);
    case STEP_MLOCK2:
        return sys_raw(NR_MLOCK2, s->addr, s->len, s->flags, 0, 0, 0);
    case STEP_MUNLOCK:
        return sys_raw(SYS_munlock, s->addr, s->len, 0, 0, 0, 0);
    case STEP_MLOCKALL:
        return sys_raw(SYS_mlockall, s->flags, 0, 0, 0, 0, 0);
    case STEP_MUNLOCKALL:
        return sys_raw(SYS_munlockall, 0, 0, 0, 0, 0, 0);
    case STEP_MADVISE:
        return advise(s);
    case STEP_MSYNC:
        return sys_raw(SYS_msync, s->addr, s->len, s->flags, 0, 0, 0);
    case STEP_MINCORE:
        return mincore_step(s);
    case STEP_NAME:
        return sys_raw(SYS_prctl, MW_PR_SET_VMA, 0, s->addr, s->len, (uint64_t)(uintptr_t)name_of_memory(s->file), 0);
    default:
        return sys_raw(NR_MSEAL, s->addr, s->len, s->flags, 0, 0, 0);
    }
}

static int64_t call_step(const struct step *s)
{
    switch (s->kind) {
    case STEP_MMAP:
        return sys_raw(SYS_mmap, s->addr, s->len, s->prot, s->flags,
                       s->file == FILE_NONE ? UINT64_MAX : (uint64_t)sys_files.fd[s->file],
                       s->more);
    case STEP_MUNMAP:
        return sys_raw(SYS_munmap, s->addr, s->len, 0, 0, 0, 0);
    case STEP_MPROTECT:
        return sys_raw(SYS_mprotect, s->addr, s->len, s->prot, 0, 0, 0);
    case STEP_MREMAP:
        return sys_raw(SYS_mremap, s->addr, s->len, s->more, s->flags, s->to, 0);
    case STEP_BRK:
        return sys_raw(SYS_brk, s->addr, 0, 0, 0, 0, 0);
    case STEP_TRUNCATE:
    case STEP_SHMAT:
    case STEP_SHMDT:
        return sys_object_step(s);
    case STEP_PROCESS_MADVISE:
    case STEP_REMAP_FILE_PAGES:
        return sys_vector_step(s);
    case STEP_PKEY_ALLOC:
    case STEP_PKEY_FREE:
    case STEP_PKEY_MPROTECT:
        return sys_key_step(s);
    default:
        return s->kind < STEP_REGISTER ? lock_step(s) : sys_watch_step(s);
    }
}

static uint64_t copy_piece(const struct step *s, uint64_t done, uint64_t len)
{
    int64_t n = s->kind == STEP_COPY_IN
                    ? sys_raw(SYS_pread64, (uint64_t)sys_files.pattern, s->addr + done, len, done, 0, 0)
                    : sys_raw(SYS_pwrite64, (uint64_t)sys_files.out, s->addr + done, len, done, 0, 0);
    return n < 0 ? 0 : (uint64_t)n;
}

static int64_t copy_pieces(const struct step *s)
{
    uint64_t len = s->len < COPY_MAX ? s->len : COPY_MAX, done = 0, want, n = 0;
    if (sys.exact_copies)
        return (int64_t)copy_piece(s, 0, len);
    do {
        want = PAGE - (s->addr + done) % PAGE;
        want = want < len - done ? want : len - done;
        n = copy_piece(s, done, want);
        done += n;
    } while (n == want && done < len);
    return (int64_t)done;
}

static int64_t copy_step(const struct step *s)
{
    static unsigned char bytes[COPY_MAX];
    int64_t n = copy_pieces(s);
    if (s->kind == STEP_COPY_OUT && n > 0)
        sys.copied = sum_of(bytes, pread(sys_files.out, bytes, (size_t)n, 0));
    return n;
}

int64_t sys_step(const struct step *s)
{
    sys_changed();
    switch (s->kind) {
    case STEP_COPY_IN:
    case STEP_COPY_OUT:
        return copy_step(s);
    case STEP_LIMIT:
        return limit_step(s);
    case STEP_CAPS:
        set_effective(s->flags != 0);
        return 0;
    case STEP_FILL:
        return fill_step(s);
    case STEP_FORK:
        return fork_step();
    case STEP_RING:
        return sys_ring();
    case STEP_WATCH:
        return sys_watch(s->addr, s->len);
    case STEP_SHM_REMOVE:
        return sys_object_step(s);
    case STEP_WATCHER:
    case STEP_UNWATCHER:
        return sys_watch_step(s);
    case STEP_THP:
        sys_allow_thp(true);
        return 0;
    default:
        return call_step(s);
    }
}

/* ---- before and after ---- */

bool sys_enter(void)
{
    touch_catch();
    if (!sys_open_files() || !model_prepare())
        return false;
    sys_reopen();
    sys.heap = sys_move_heap();
    return sys_list_own();
}

void sys_begin(const uint32_t *dirty)
{
    for (int i = 0; i < FILES_TO_MAP; i++)
        if (dirty[i] != 0 && sys_files.writable[i] >= 0)
            sys_fill(sys_files.writable[i], file_bytes(i), dirty[i]);
    if (sys.heap)
        sys_move_heap();
}

static void reset_limits(void)
{
    set_limit(MW_LIMIT_AS, UINT64_MAX);
    set_limit(MW_LIMIT_DATA, UINT64_MAX);
    set_limit(MW_LIMIT_MEMLOCK, sys.memlock);
    set_limit(MW_LIMIT_STACK, sys.stack_limit);
}

/* Unmaps all that the engine knows to be mapped, but for the program's own. */
bool sys_wipe(void)
{
    struct mw_vma v;
    set_effective(true);
    reset_limits();
    if (model.future || model.all_locked)
        sys_raw(SYS_munlockall, 0, 0, 0, 0, 0, 0);
    sys_raw(SYS_munmap, ZONE_LOW, ZONE_HIGH - ZONE_LOW, 0, 0, 0, 0);
    for (uint64_t a = 0; model_next_vma(a, &v); a = v.end) {
        uint64_t start = v.start >= ZONE_LOW && v.start < ZONE_HIGH ? ZONE_HIGH : v.start;
        if (start < v.end && !sys_precious(start, v.end - start))
            sys_raw(SYS_munmap, start, v.end - start, 0, 0, 0, 0);
    }
    sys_forget_watchers();
    sys_remove_segments();
    sys_free_keys();
    sys_allow_thp(false);
    sys_changed();
    return !sys_made_rings();
}
