/* SPDX-License-Identifier: MIT */
/*
 * world_live.c - the running kernel as a world: a forked child makes the calls
 * on its own address space.
 *
 * The child allocates nothing between the snapshot of its layout and the last
 * step: the engine takes that layout over, so that even the addresses that the
 * kernel chooses can be compared.
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform/touch.h"

#define NR_MSEAL 462
#define NR_PIDFD_OPEN 434
#define NR_PROCESS_MADVISE 440
#define SCENARIO_SECONDS 60
#define COPY_MAX (1u << 20)

/* The kernel's PROCMAP_QUERY (6.11), which older headers lack. */
struct map_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, name_size, build_id_size;
    uint64_t name, build_id;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)
#define MAP_QUERY_OR_NEXT 0x10u

static struct {
    int maps, smaps, status, pagemap; /* kept open: they answer after a loss of privileges */
    int sink, pattern;                /* files for the copies */
    int fd[MAX_FILES];
    uint64_t inode[MAX_FILES];
    int files;
    bool heap, query;
    const struct session *session;
} live;

static char text[1 << 20];

static size_t slurp(int fd, char *buf, size_t size)
{
    size_t n = 0;
    ssize_t k;
    while (n < size - 1 && (k = pread(fd, buf + n, size - 1 - n, (off_t)n)) > 0)
        n += (size_t)k;
    buf[n] = 0;
    return n;
}

static char *next_line(char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

static uint64_t number_in(const char *path)
{
    char buf[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    slurp(fd, buf, sizeof buf);
    close(fd);
    return strtoull(buf, NULL, 10);
}

/* ---- calls ---- */

static int64_t result(long r)
{
    return r == -1 ? -errno : r;
}

static int64_t live_mmap(struct world *w, uint64_t addr, uint64_t len, uint32_t prot,
                         uint32_t flags, int file, uint64_t off)
{
    (void)w;
    int fd = file == NO_FILE ? -1 : live.fd[file];
    return result(syscall(SYS_mmap, addr, len, (unsigned long)prot, (unsigned long)flags, (long)fd,
                          off));
}

static int64_t live_munmap(struct world *w, uint64_t addr, uint64_t len)
{
    (void)w;
    return result(syscall(SYS_munmap, addr, len));
}

static int64_t live_mprotect(struct world *w, uint64_t addr, uint64_t len, uint32_t prot)
{
    (void)w;
    return result(syscall(SYS_mprotect, addr, len, (unsigned long)prot));
}

static uint64_t live_brk(struct world *w, uint64_t addr)
{
    if (!live.heap)
        w->log->skipped = true;
    return live.heap ? (uint64_t)syscall(SYS_brk, addr) : 0;
}

static int64_t live_mremap(struct world *w, uint64_t old, uint64_t osz, uint64_t nsz,
                           uint32_t flags, uint64_t to)
{
    (void)w;
    return result(syscall(SYS_mremap, old, osz, nsz, (unsigned long)flags, to));
}

/* A call that this kernel lacks can't be compared. */
static int64_t known(struct world *w, long r)
{
    if (result(r) == -ENOSYS)
        w->log->skipped = true;
    return result(r);
}

static int64_t live_mlock(struct world *w, uint64_t addr, uint64_t len)
{
    (void)w;
    return result(syscall(SYS_mlock, addr, len));
}

static int64_t live_mlock2(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return known(w, syscall(SYS_mlock2, addr, len, flags));
}

static int64_t live_munlock(struct world *w, uint64_t addr, uint64_t len)
{
    (void)w;
    return result(syscall(SYS_munlock, addr, len));
}

static int64_t live_mlockall(struct world *w, uint64_t flags)
{
    (void)w;
    return result(syscall(SYS_mlockall, flags));
}

static int64_t live_munlockall(struct world *w)
{
    (void)w;
    return result(syscall(SYS_munlockall));
}

static int64_t live_madvise(struct world *w, uint64_t addr, uint64_t len, uint64_t advice)
{
    (void)w;
    return result(syscall(SYS_madvise, addr, len, advice));
}

static int64_t live_process_madvise(struct world *w, const struct mw_iovec *ranges, uint64_t n,
                                    uint64_t advice, uint64_t flags, bool self)
{
    pid_t pid = self ? getpid() : fork();
    int64_t r;
    int fd;
    if (pid == 0)
        for (;;)
            pause();
    fd = (int)syscall(NR_PIDFD_OPEN, pid, 0);
    r = known(w, syscall(NR_PROCESS_MADVISE, fd, ranges, n, advice, flags));
    close(fd);
    if (!self) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return r;
}

static int64_t live_remap_file_pages(struct world *w, uint64_t addr, uint64_t size, uint64_t prot,
                                     uint64_t index, uint64_t flags)
{
    return known(w, syscall(SYS_remap_file_pages, addr, size, prot, index, flags));
}

static int64_t live_msync(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    (void)w;
    return result(syscall(SYS_msync, addr, len, flags));
}

static int64_t live_mincore(struct world *w, uint64_t addr, uint64_t len, unsigned char *vec)
{
    (void)w;
    return result(syscall(SYS_mincore, addr, len, vec));
}

static int64_t live_mseal(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return known(w, syscall(NR_MSEAL, addr, len, flags));
}

static int64_t live_pkey_mprotect(struct world *w, uint64_t addr, uint64_t len, uint64_t prot, int32_t key)
{
    (void)w;
    return result(syscall(SYS_pkey_mprotect, addr, len, prot, key));
}

static int64_t live_pkey_alloc(struct world *w, uint64_t flags, uint64_t rights)
{
    (void)w;
    return result(syscall(SYS_pkey_alloc, flags, rights));
}

static int64_t live_pkey_free(struct world *w, int32_t key)
{
    (void)w;
    return result(syscall(SYS_pkey_free, key));
}

/* ---- files ---- */

static int new_fd(enum file_kind kind)
{
    char name[] = "/tmp/mapwright-test-XXXXXX";
    int fd, ends[2];
    if (kind == FILE_MEM || kind == FILE_SHMEM)
        return memfd_create("mapwright-test", 0);
    if (kind == FILE_HUGE)
        return memfd_create("mapwright-test", MFD_HUGETLB);
    if (kind == FILE_PIPE)
        return pipe(ends) == 0 ? ends[0] : -1;
    fd = mkstemp(name);
    if (fd >= 0)
        unlink(name);
    return fd;
}

static bool fill_file(int fd, uint64_t bytes, bool huge)
{
    if (ftruncate(fd, (off_t)bytes) != 0)
        return false;
    for (uint64_t i = 0; !huge && i * PAGE + 4 <= bytes && i < 4096; i++) {
        uint32_t value = 100 + (uint32_t)i;
        if (pwrite(fd, &value, sizeof value, (off_t)(i * PAGE)) != (ssize_t)sizeof value)
            return false;
    }
    return true;
}

static int live_file(struct world *w, enum file_kind kind, uint64_t bytes, uint32_t mode)
{
    struct stat st;
    char path[64];
    int fd = new_fd(kind), how = O_RDWR;
    if (fd < 0 || (kind != FILE_PIPE && !fill_file(fd, bytes, kind == FILE_HUGE))) {
        say(w, "no file: %d", errno);
        return NO_FILE;
    }
    if (kind != FILE_PIPE && mode != (MW_FILE_READ | MW_FILE_WRITE)) {
        how = mode & MW_FILE_READ ? O_RDONLY : O_WRONLY;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int again = open(path, how);
        close(fd);
        fd = again;
    }
    if (fd < 0 || fstat(fd, &st) != 0 || live.files == MAX_FILES) {
        say(w, "no file: %d", errno);
        return NO_FILE;
    }
    struct file_seen *seen = &w->session->file[live.files];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, seen->path, sizeof seen->path - 1);
    seen->path[n < 0 ? 0 : n] = '\0';
    seen->major = major(st.st_dev);
    seen->minor = minor(st.st_dev);
    seen->inode = st.st_ino;
    live.fd[live.files] = fd;
    live.inode[live.files] = st.st_ino;
    return live.files++;
}

/* Its id is its inode in the list of mappings, where 0 is none. */
static int live_segment(struct world *w, uint64_t bytes, uint32_t perm, bool is_huge)
{
    struct session *s = w->session;
    int how = (int)perm | (is_huge ? SHM_HUGETLB : 0), id, zero;
    if (s->segments == MAX_SEGMENTS || (id = shmget(IPC_PRIVATE, bytes, how)) < 0) {
        say(w, "no segment");
        return NO_FILE;
    }
    if ((zero = id) == 0) {
        id = shmget(IPC_PRIVATE, bytes, how);
        shmctl(zero, IPC_RMID, NULL);
    }
    s->segment[s->segments] = id;
    return s->segments++;
}

static void remove_segments(struct session *s)
{
    for (int i = 0; i < s->segments; i++)
        shmctl(s->segment[i], IPC_RMID, NULL);
    s->segments = 0;
}

static int64_t live_shmat(struct world *w, int seg, uint64_t addr, uint64_t flags)
{
    return known(w, syscall(SYS_shmat, seg == NO_FILE ? -1 : w->session->segment[seg], addr, flags));
}

static int64_t live_shmdt(struct world *w, uint64_t addr)
{
    return known(w, syscall(SYS_shmdt, addr));
}

static int64_t live_attached(struct world *w, int seg)
{
    struct shmid_ds d;
    return shmctl(w->session->segment[seg], IPC_STAT, &d) == 0 ? (int64_t)d.shm_nattch : -1;
}

static int64_t live_truncate(struct world *w, int file, uint64_t bytes)
{
    return known(w, syscall(SYS_ftruncate, live.fd[file], bytes));
}

static int handle_of(uint64_t inode)
{
    for (int i = 0; i < live.session->segments; i++)
        if ((uint64_t)live.session->segment[i] == inode)
            return MAX_FILES + i;
    for (int i = 0; i < live.files; i++)
        if (live.inode[i] == inode)
            return i;
    return -3;
}

/* ---- accesses ---- */

_Static_assert((int)ACC_MAPERR == MET_MAPERR && (int)ACC_ACCERR == MET_ACCERR &&
                   (int)ACC_BUS == MET_BUS && (int)ACC_OTHER == MET_OTHER, "in one order");

static enum access live_load(struct world *w, uint64_t addr, uint32_t *value)
{
    (void)w;
    return (enum access)touch_load(addr, value);
}

static enum access live_store(struct world *w, uint64_t addr, uint32_t value)
{
    (void)w;
    return (enum access)touch_store(addr, value);
}

static enum access live_exec(struct world *w, uint64_t addr)
{
    (void)w;
    return (enum access)touch_call(addr);
}

static uint64_t live_copy_out(struct world *w, uint64_t addr, uint64_t len)
{
    (void)w;
    long n = syscall(SYS_pwrite64, live.sink, addr, len < COPY_MAX ? len : COPY_MAX, 0L);
    return n < 0 ? 0 : (uint64_t)n;
}

static uint64_t live_copy_in(struct world *w, uint64_t addr, uint64_t len)
{
    (void)w;
    long n = syscall(SYS_pread64, live.pattern, addr, len < COPY_MAX ? len : COPY_MAX, 0L);
    return n < 0 ? 0 : (uint64_t)n;
}

/* ---- looking ---- */

static bool in_arena(uint64_t addr)
{
    return addr >= at(0) - ARENA_BEFORE && addr < at(0) + ARENA_AFTER;
}

/* What has no handle, and is the scenario's, was made by mmap itself. */
static void classify(struct seen *out, uint64_t inode)
{
    out->file = inode == 0 ? -1 : handle_of(inode);
    if (out->file == -3 && (out->shared || in_arena(out->start)))
        out->file = -2;
}

static bool parse_line(const char *line, uint64_t addr, struct seen *out)
{
    unsigned long long start, end, off, inode;
    char perm[5];
    if (sscanf(line, "%llx-%llx %4s %llx %*x:%*x %llu", &start, &end, perm, &off, &inode) < 5 ||
        end <= addr)
        return false;
    out->start = start;
    out->end = end;
    out->offset = off;
    out->prot = (perm[0] == 'r' ? RO : 0) | (perm[1] == 'w' ? WO : 0) | (perm[2] == 'x' ? XO : 0);
    out->shared = perm[3] == 's';
    classify(out, inode);
    return true;
}

/*
 * The same from /proc/PID/maps, for kernels without the query. Who goes on
 * where the last answer ended gets the next line of the same reading.
 */
static bool next_in_text(uint64_t addr, struct seen *out)
{
    static char maps[8 << 20];
    static char *line;
    static uint64_t last_end;
    if (line == NULL || addr != last_end) {
        slurp(live.maps, maps, sizeof maps);
        line = maps;
    }
    for (; *line; line = next_line(line))
        if (parse_line(line, addr, out)) {
            last_end = out->end;
            return true;
        }
    line = NULL;
    return false;
}

static bool live_next(struct world *w, uint64_t addr, struct seen *out)
{
    struct map_query q = { .size = sizeof q, .query_flags = MAP_QUERY_OR_NEXT,
                           .query_addr = addr };
    (void)w;
    if (!live.query)
        return next_in_text(addr, out);
    if (ioctl(live.maps, MAP_QUERY, &q) != 0)
        return false;
    out->start = q.vma_start;
    out->end = q.vma_end;
    out->offset = q.vma_offset;
    out->prot = (uint32_t)(q.vma_flags & 7u);
    out->shared = (q.vma_flags & 8u) != 0;
    classify(out, q.inode);
    return true;
}

/* The VmFlags line of the mapping that holds addr, as MW_VM_ bits. */
static uint64_t live_flags(struct world *w, uint64_t addr)
{
    unsigned long long start, end;
    bool in = false;
    (void)w;
    slurp(live.smaps, text, sizeof text);
    for (char *line = text; *line; line = next_line(line)) {
        if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
            in = start <= addr && addr < end;
        else if (in && strncmp(line, "VmFlags:", 8) == 0)
            return vm_flags_of_text(line + 8);
    }
    return 0;
}

#define HUGE_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static int64_t huge_number(const char *path)
{
    char line[32] = "";
    int fd = open(path, O_RDONLY);
    if (fd >= 0 && read(fd, line, sizeof line - 1) < 0)
        line[0] = 0;
    close(fd);
    return strtoll(line, NULL, 10);
}

static void live_huge_pool(struct world *w, int64_t *unused, int64_t *promised)
{
    (void)w;
    *unused = huge_number(HUGE_DIR "free_hugepages");
    *promised = huge_number(HUGE_DIR "resv_hugepages");
}

static bool live_huge(struct world *w, int64_t pages)
{
    char line[32];
    int64_t unused, promised;
    int fd = open(HUGE_DIR "nr_hugepages", O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        flock(fd, LOCK_EX); /* until this process ends: one at a time counts in the pool */
    live_huge_pool(w, &unused, &promised);
    if (unused - promised == pages)
        return true;
    snprintf(line, sizeof line, "%lld\n",
             (long long)(huge_number(HUGE_DIR "nr_hugepages") - unused + promised + pages));
    bool done = fd >= 0 && write(fd, line, strlen(line)) > 0;
    live_huge_pool(w, &unused, &promised);
    return done && unused - promised == pages;
}

static bool live_transparent(struct world *w)
{
    return w->session->thp_mode != MW_THP_NEVER && prctl(PR_SET_THP_DISABLE, 0ul, 0ul, 0ul, 0ul) == 0;
}

static void live_resident(struct world *w, int64_t *pages, int64_t *whole)
{
    unsigned long long start, end, kilobytes;
    bool in = false;
    (void)w;
    *pages = *whole = 0;
    slurp(live.smaps, text, sizeof text);
    for (char *line = text; *line; line = next_line(line)) {
        if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
            in = start >= ARENA - ARENA_BEFORE && start < ARENA + ARENA_AFTER;
        else if (in && sscanf(line, "Rss: %llu", &kilobytes) == 1)
            *pages += (int64_t)(kilobytes / 4);
        else if (in && sscanf(line, "AnonHugePages: %llu", &kilobytes) == 1)
            *whole += (int64_t)(kilobytes / 2048);
    }
}

static bool live_present(struct world *w, uint64_t addr)
{
    uint64_t entry = 0;
    (void)w;
    if (pread(live.pagemap, &entry, sizeof entry, (off_t)(addr / PAGE * 8)) != 8)
        return false;
    return entry >> 63 || (entry >> 62 & 1);
}

static int64_t status_pages(const char *key)
{
    const char *p = strstr(text, key);
    return p ? strtoll(p + strlen(key), NULL, 10) * 1024 / (int64_t)PAGE : 0;
}

static void live_counters(struct world *w, struct counters *out)
{
    (void)w;
    slurp(live.status, text, sizeof text);
    out->total = status_pages("VmSize:");
    out->data = status_pages("VmData:");
    out->stack = status_pages("VmStk:");
    out->locked = status_pages("VmLck:");
}

/* ---- circumstances ---- */

static void live_limit(struct world *w, enum mw_limit which, uint64_t bytes)
{
    static const int resource[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK };
    struct rlimit r;
    (void)w;
    getrlimit((unsigned)resource[which], &r);
    r.rlim_cur = bytes;
    if (bytes > r.rlim_max) /* before 5.16 locked memory has a hard limit of 64 KiB */
        r.rlim_max = bytes;
    if (setrlimit((unsigned)resource[which], &r) != 0)
        say(w, "setrlimit: %d", errno);
}

static void live_drop(struct world *w)
{
    if (geteuid() == 0 &&
        (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
        say(w, "setresuid: %d", errno);
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

static void open_windows(void)
{
    live.maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    live.smaps = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
    live.status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    live.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

static void close_windows(void)
{
    close(live.maps);
    close(live.smaps);
    close(live.status);
    close(live.pagemap);
}

/* The parent only waits and passes on how its child ended. */
static void live_forked(struct world *w)
{
    int status = 0;
    pid_t pid = fork();
    if (pid > 0) {
        waitpid(pid, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
    }
    if (pid < 0)
        say(w, "fork: %d", errno);
    alarm(SCENARIO_SECONDS);
    close_windows();
    open_windows();
}

static int64_t live_name(struct world *w, uint64_t addr, uint64_t len, const char *name)
{
    long r = syscall(SYS_prctl, 0x53564d41L /* PR_SET_VMA */, 0L, addr, len, name);
    /* without CONFIG_ANON_VMA_NAME all is EINVAL, a length of 0 as well */
    if (r != 0 && syscall(SYS_prctl, 0x53564d41L, 0L, PAGE, 0L, NULL) != 0)
        w->log->skipped = true;
    return result(r);
}

static size_t live_face(struct world *w, enum mw_proc_face face, char *buf, size_t size)
{
    static const char *const path[] = { "/proc/self/maps", "/proc/self/smaps",
                                        "/proc/self/smaps_rollup", "/proc/self/status",
                                        "/proc/self/statm" };
    int fd = open(path[face], O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    (void)w;
    if (fd >= 0)
        n = slurp(fd, buf, size);
    close(fd);
    return n;
}

static const char *live_sound(struct world *w)
{
    (void)w;
    return NULL;
}

static const struct world_ops live_ops = {
    .mmap = live_mmap, .munmap = live_munmap, .mprotect = live_mprotect, .brk = live_brk,
    .mremap = live_mremap, .mlock = live_mlock, .mlock2 = live_mlock2, .munlock = live_munlock,
    .mlockall = live_mlockall, .munlockall = live_munlockall, .madvise = live_madvise,
    .process_madvise = live_process_madvise, .remap_file_pages = live_remap_file_pages,
    .msync = live_msync, .mincore = live_mincore, .mseal = live_mseal,
    .pkey_mprotect = live_pkey_mprotect, .pkey_alloc = live_pkey_alloc, .pkey_free = live_pkey_free,
    .file = live_file, .truncate = live_truncate,
    .segment = live_segment, .shmat = live_shmat, .shmdt = live_shmdt, .attached = live_attached, .load = live_load, .store = live_store, .exec = live_exec,
    .copy_out = live_copy_out, .copy_in = live_copy_in, .next = live_next, .flags = live_flags,
    .present = live_present, .huge = live_huge, .huge_pool = live_huge_pool,
    .transparent = live_transparent, .resident = live_resident,
    .counters = live_counters, .limit = live_limit, .drop = live_drop,
    .forked = live_forked, .name = live_name, .face = live_face, .sound = live_sound,
};

/* ---- the child's start ---- */

/* Puts the heap into the arena, so that moving the break touches nothing of the C library's. */
static bool move_heap(struct session *s)
{
    unsigned long f[52] = { 0 };
    struct prctl_mm_map m;
    char *p;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    slurp(fd, text, sizeof text);
    close(fd);
    p = strrchr(text, ')');
    for (int i = 3; p && i <= 51; i++) {
        p = strchr(p + 1, ' ');
        f[i] = p ? strtoul(p + 1, NULL, 10) : 0;
    }
    memset(&m, 0, sizeof m);
    m.start_code = f[26];
    m.end_code = f[27];
    m.start_stack = f[28];
    s->code_start = f[26];
    s->code_end = f[27];
    s->stack = f[28];
    m.start_data = 0x100000;
    m.end_data = 0x100000 + 3 * PAGE;
    m.start_brk = m.brk = at(HEAP_PAGE);
    m.arg_start = f[48];
    m.arg_end = f[49];
    m.env_start = f[50];
    m.env_end = f[51];
    m.exe_fd = (uint32_t)-1;
    s->data_size = 3 * PAGE;
    return prctl(PR_SET_MM, (long)PR_SET_MM_MAP, &m, sizeof m, 0L) == 0;
}

/*
 * Fills the room between the libraries with mappings that merge with nothing:
 * whether an inherited anonymous mapping was written to is not visible, and
 * would decide merges.
 */
static void plug_gaps(void)
{
    uint64_t last_end = 0, offset = 0, pages = 1;
    struct seen v;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    for (uint64_t a = 0x7f0000000000; live_next(NULL, a, &v) && v.start < TASK_END; a = v.end) {
        uint64_t room = last_end != 0 ? v.start - last_end : 0;
        if (room > 0 && v.end < TASK_END)
            syscall(SYS_mmap, last_end, room, 0L, (long)(MAP_PRIVATE | MAP_FIXED), (long)fd,
                    offset += 2 * PAGE);
        last_end = v.end;
    }
    syscall(SYS_mmap, 0L, pages * PAGE, 0L, (long)MAP_PRIVATE, (long)fd, offset + 2 * PAGE);
    close(fd);
}

/* The search for room starts at the highest address that a mapping can get. */
static uint64_t find_mmap_base(void)
{
    struct seen v;
    uint64_t below = 0;
    for (uint64_t a = 0x7f0000000000; live_next(NULL, a, &v) && v.end < TASK_END; a = v.end)
        below = v.end;
    long p = syscall(SYS_mmap, 0L, PAGE, 0L, (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
    syscall(SYS_munmap, p, PAGE);
    return (uint64_t)p >= below ? (uint64_t)p + PAGE : below;
}

/* File systems that place large mappings by file offset modulo the huge page. */
static bool places_huge(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && (fs.f_type == 0xef53 || fs.f_type == 0x58465342 ||
                                      fs.f_type == (long)0x9123683e);
}

/* tmpfs, or the root of an early user space, which is one too. */
static bool in_memory(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == 0x01021994;
}

static uint32_t capabilities(void)
{
    const char *p;
    slurp(live.status, text, sizeof text);
    p = strstr(text, "CapEff:");
    uint64_t eff = p ? strtoull(p + 7, NULL, 16) : 0;
    return (eff >> 14 & 1 ? MW_CAP_IPC_LOCK : 0) | (eff >> 17 & 1 ? MW_CAP_SYS_RAWIO : 0) |
           (eff >> 21 & 1 ? MW_CAP_SYS_ADMIN : 0);
}

/* A flag of the CPU, as /proc/cpuinfo lists the first one's. No stdio: it would use the heap. */
static bool cpu_has(const char *flag)
{
    char list[8192];
    char *flags, *end;
    int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, list, sizeof list - 1);

    if (fd >= 0)
        close(fd);
    list[n < 0 ? 0 : n] = '\0';
    flags = strstr(list, "\nflags");
    end = flags ? strchr(flags + 1, '\n') : NULL;
    if (end)
        *end = '\0';
    return flags && strstr(flags, flag);
}

static enum mw_thp thp_mode(void)
{
    char line[64] = "";
    int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, line, sizeof line - 1) < 0)
        line[0] = 0;
    close(fd);
    return strstr(line, "[always]") ? MW_THP_ALWAYS : strstr(line, "[madvise]") ? MW_THP_MADVISE : MW_THP_NEVER;
}

static void describe_machine(struct session *s)
{
    struct utsname u;
    struct sysinfo info;
    struct rlimit r;
    unsigned major = 0, minor = 0;
    uname(&u);
    sscanf(u.release, "%u.%u", &major, &minor);
    s->version = MW_LINUX(major, minor);
    sysinfo(&info);
    s->ram_pages = (info.totalram + info.totalswap) * info.mem_unit / PAGE;
    s->max_map_count = number_in("/proc/sys/vm/max_map_count");
    getrlimit(RLIMIT_MEMLOCK, &r);
    s->memlock = r.rlim_cur;
    getrlimit(RLIMIT_STACK, &r);
    s->stack_limit = r.rlim_cur;
    s->caps = capabilities();
    s->disk_places_huge = places_huge("/tmp");
    s->disk_in_memory = in_memory("/tmp");
    s->thp = access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0;
    s->thp_mode = thp_mode();
    s->pkeys = cpu_has(" ospke");
}

/*
 * The lowest hint that is honoured: a security module may hold it above what
 * vm.mmap_min_addr says.
 */
static uint64_t find_min_hint(uint64_t min_addr)
{
    long p = syscall(SYS_mmap, PAGE, PAGE, 0L, (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
    syscall(SYS_munmap, p, PAGE);
    return (uint64_t)p >= min_addr && (uint64_t)p <= (1u << 20) ? (uint64_t)p : min_addr;
}

/* Files for the copies, made once and inherited by every child. */
static void make_copy_files(void)
{
    if (live.pattern > 0)
        return;
    live.sink = memfd_create("sink", MFD_CLOEXEC);
    live.pattern = memfd_create("pattern", MFD_CLOEXEC);
    for (uint32_t i = 0; i < COPY_MAX / 4; i += 1024) {
        uint32_t words[1024];
        for (uint32_t j = 0; j < 1024; j++)
            words[j] = (i + j) * 2654435761u;
        if (pwrite(live.pattern, words, sizeof words, (off_t)i * 4) != (ssize_t)sizeof words)
            exit(98);
    }
}

static void prepare(struct session *s)
{
    struct map_query q = { .size = sizeof q, .query_flags = MAP_QUERY_OR_NEXT };
    alarm(SCENARIO_SECONDS);
    prctl(PR_SET_THP_DISABLE, 1ul, 0ul, 0ul, 0ul); /* a huge page is present and touched as a whole */
    live.files = 0;
    live.session = s;
    open_windows();
    live.query = ioctl(live.maps, MAP_QUERY, &q) == 0;
    live.heap = move_heap(s);
    touch_catch();
    plug_gaps();
    if (s->keep_snapshot && s->snapshot_len > 0)
        return;
    describe_machine(s);
    s->mmap_base = find_mmap_base();
    s->min_addr = number_in("/proc/sys/vm/mmap_min_addr");
    s->min_hint = find_min_hint(s->min_addr);
    s->snapshot_len = slurp(live.smaps, s->snapshot, sizeof s->snapshot);
}

void world_live_main(struct session *s, world_fn *fn, void *ctx)
{
    struct world w = { .ops = &live_ops, .session = s, .log = &s->log[WORLD_LIVE] };
    make_copy_files();
    prepare(s);
    live_counters(&w, &w.base);
    fn(&w, ctx);
    w.log->finished = true;
    _exit(0);
}

bool world_run_live(struct session *s, world_fn *fn, void *ctx)
{
    char fd[16];
    int status = 0;
    make_copy_files();
    pid_t pid = fork();
    if (pid == 0 && s->plain[0] != 0) {
        snprintf(fd, sizeof fd, "%d", s->fd);
        execl(s->plain, s->plain, "--as-live", fd, (char *)NULL);
        _exit(95);
    }
    if (pid == 0)
        world_live_main(s, fn, ctx);
    if (pid > 0)
        waitpid(pid, &status, 0);
    remove_segments(s);
    return pid > 0 && status == 0 && s->log[WORLD_LIVE].finished;
}
