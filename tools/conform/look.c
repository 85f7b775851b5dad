/* SPDX-License-Identifier: MIT */
/*
 * look.c - looks at this process's layout and counters: by the PROCMAP_QUERY
 * ioctl, else by /proc/self/maps, else page by page.
 */
#include "system.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's PROCMAP_QUERY (6.11), which older headers lack. */
struct map_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, name_size, build_id_size;
    uint64_t name, build_id;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)
#define MAP_QUERY_OR_NEXT 0x10u

#define TEXT_ROOM (4u << 20)
static char *text; /* what was read last */
static bool text_is_maps;

static const char *const window[] = { "/proc/self/maps", "/proc/self/statm", "/proc/self/status",
                                      "/proc/self/smaps" };

/*
 * Reads a window. Emulators show what was true when it was opened, so only
 * with PROCMAP_QUERY, which none has, is the open one good enough.
 */
static size_t slurp(int kept)
{
    size_t n = 0;
    ssize_t k;
    int fd = kept;
    const int fds[] = { sys_files.maps, sys_files.statm, sys_files.status, sys_files.smaps };
    for (int i = 0; i < 4 && sys.look != LOOK_QUERY; i++)
        if (fds[i] == kept)
            fd = open(window[i], O_RDONLY | O_CLOEXEC);
    while (n < TEXT_ROOM - 1 && (k = pread(fd, text + n, TEXT_ROOM - 1 - n, (off_t)n)) > 0) {
        n += (size_t)k;
        if ((kept == sys_files.status || kept == sys_files.statm) && n < PAGE) /* it comes in one piece */
            break;
    }
    text[n] = 0;
    text_is_maps = false;
    if (fd != kept && fd >= 0)
        close(fd);
    return n;
}

static uint64_t number_in(const char *path, uint64_t otherwise)
{
    char buf[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return otherwise;
    buf[n] = 0;
    return strtoull(buf, NULL, 10);
}

void sys_changed(void)
{
    text_is_maps = false;
}

/* ---- mappings ---- */

static uint64_t seen_device;

uint64_t sys_seen_device(void)
{
    return seen_device;
}

static int file_of_inode(uint64_t inode, uint64_t device, bool named, bool shared)
{
    seen_device = device;
    if (inode == 0 && !named)
        return shared ? AREA_SHARED_ANONYMOUS : AREA_ANONYMOUS;
    if (device == sys.huge_device && device != 0)
        return inode == sys_files.inode[FILE_POOL] ? FILE_POOL : FILE_HUGE;
    for (int i = 0; i < ALL_FILES; i++)
        if (sys_files.inode[i] != 0 && sys_files.inode[i] == inode &&
            (sys_files.device[i] == 0 || sys_files.device[i] == device))
            return i;
    return shared ? AREA_SHARED_ANONYMOUS : AREA_OTHER;
}

static bool next_by_query(uint64_t addr, struct seen *out)
{
    static struct map_query q;
    q = (struct map_query){ .size = sizeof q, .query_flags = MAP_QUERY_OR_NEXT,
                            .query_addr = addr };
    if (sys_raw(SYS_ioctl, (uint64_t)sys_files.maps, MAP_QUERY, (uint64_t)(uintptr_t)&q, 0, 0,
                0) != 0)
        return false;
    out->start = q.vma_start;
    out->end = q.vma_end;
    out->offset = q.vma_offset;
    out->prot = (uint32_t)(q.vma_flags & 15u);
    out->file = file_of_inode(q.inode, makedev(q.dev_major, q.dev_minor), false,
                              (q.vma_flags & 8u) != 0);
    return true;
}

static const char *hex(const char *p, uint64_t *out)
{
    uint64_t v = 0;
    for (;; p++) {
        if (*p >= '0' && *p <= '9')
            v = v << 4 | (uint64_t)(*p - '0');
        else if (*p >= 'a' && *p <= 'f')
            v = v << 4 | (uint64_t)(*p - 'a' + 10);
        else
            break;
    }
    *out = v;
    return p;
}

/* One line of maps; the start of the next. *name: what follows the inode. */
static const char *maps_line(const char *p, struct seen *out, const char **name)
{
    uint64_t major, minor, inode = 0;
    p = hex(p, &out->start);
    p = hex(p + (*p == '-'), &out->end);
    p += *p == ' ';
    out->prot = (p[0] == 'r' ? 1u : 0) | (p[1] == 'w' ? 2u : 0) | (p[2] == 'x' ? 4u : 0) |
                (p[3] == 's' ? 8u : 0);
    p = hex(p + 5, &out->offset);
    p = hex(p + 1, &major);
    p = hex(p + (*p == ':'), &minor);
    for (p += *p == ' '; *p >= '0' && *p <= '9'; p++)
        inode = inode * 10 + (uint64_t)(*p - '0');
    while (*p == ' ')
        p++;
    *name = p;
    out->file = file_of_inode(inode, makedev((unsigned)major, (unsigned)minor),
                              strncmp(p, "/dev/zero", 9) == 0, (out->prot & 8) != 0);
    while (*p && *p != '\n')
        p++;
    return p + (*p == '\n');
}

static bool next_by_maps(uint64_t addr, struct seen *out)
{
    const char *name;
    if (!text_is_maps) {
        slurp(sys_files.maps);
        text_is_maps = true;
    }
    for (const char *p = text; *p;) {
        p = maps_line(p, out, &name);
        if (out->end > addr)
            return out->start < TASK_END;
    }
    return false;
}

bool sys_next(uint64_t addr, struct seen *out)
{
    return sys.look == LOOK_QUERY ? next_by_query(addr, out) : next_by_maps(addr, out);
}

bool sys_find_named(const char *name, struct seen *out)
{
    const char *is = NULL;
    if (sys_files.maps < 0)
        return false;
    slurp(sys_files.maps);
    for (const char *p = text; *p;) {
        p = maps_line(p, out, &is);
        if (strncmp(is, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

bool sys_is_mapped(uint64_t addr)
{
    return sys_raw(SYS_msync, addr, PAGE, MS_ASYNC, 0, 0, 0) == 0;
}

static const struct {
    char two[3];
    uint64_t flag;
} flag_names[] = {
    { "rd", MW_VM_READ },      { "wr", MW_VM_WRITE },        { "ex", MW_VM_EXEC },
    { "sh", MW_VM_SHARED },    { "gd", MW_VM_GROWSDOWN },    { "pf", MW_VM_PFNMAP },
    { "lo", MW_VM_LOCKED },    { "lf", MW_VM_LOCKONFAULT },  { "io", MW_VM_IO },
    { "sr", MW_VM_SEQ_READ },  { "rr", MW_VM_RAND_READ },    { "dc", MW_VM_DONTCOPY },
    { "de", MW_VM_DONTEXPAND }, { "ac", MW_VM_ACCOUNT },     { "nr", MW_VM_NORESERVE },
    { "wf", MW_VM_WIPEONFORK }, { "dd", MW_VM_DONTDUMP },    { "mm", MW_VM_MIXEDMAP },
    { "hg", MW_VM_HUGEPAGE },  { "nh", MW_VM_NOHUGEPAGE },   { "mg", MW_VM_MERGEABLE },
    { "ht", MW_VM_HUGETLB },   { "um", MW_VM_UFFD },         { "sl", MW_VM_SEALED },
    { "dp", MW_VM_DROPPABLE },
    { "??", MW_VM_LOCKONFAULT }, /* kernels up to 6.11 have no name for it */
};
enum { FLAG_NAMES = sizeof flag_names / sizeof flag_names[0] };

const char *vm_flag_name(int i, uint64_t *flag)
{
    if (i >= FLAG_NAMES - 1)
        return NULL;
    *flag = flag_names[i].flag;
    return flag_names[i].two;
}

/* Of the words behind "VmFlags:". */
static uint64_t flags_of(const char *p)
{
    uint64_t flags = 0;
    for (; *p && *p != '\n'; p++)
        for (int i = 0; i < FLAG_NAMES; i++)
            if (p[-1] == ' ' && strncmp(p, flag_names[i].two, 2) == 0)
                flags |= flag_names[i].flag;
    return flags;
}

uint64_t sys_vm_flags(uint64_t addr)
{
    uint64_t start, end;
    bool in = false;
    if (sys_files.smaps < 0)
        return 0;
    slurp(sys_files.smaps);
    for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const char *q = hex(p, &start);
        if (q > p + 3 && *q == '-') {
            hex(q + 1, &end);
            in = start <= addr && addr < end;
        } else if (in && strncmp(p, "VmFlags:", 8) == 0) {
            return flags_of(p + 8);
        }
    }
    return 0;
}

const char *sys_smaps(void)
{
    return sys.look == LOOK_QUERY && sys_files.smaps >= 0 && slurp(sys_files.smaps) > 0 ? text : NULL;
}

/* ---- counters ---- */

static int64_t status_pages(const char *key)
{
    const char *p = strstr(text, key);
    return p ? strtoll(p + strlen(key), NULL, 10) * 1024 / (int64_t)PAGE : 0;
}

bool sys_counters(struct counted *out)
{
    if (!sys.status || slurp(sys_files.status) == 0)
        return false;
    out->total = status_pages("VmSize:");
    out->data = status_pages("VmData:");
    out->stack = status_pages("VmStk:");
    out->locked = status_pages("VmLck:") - sys.leaked;
    return true;
}

bool sys_sizes(struct counted *out)
{
    char *p = text;
    if (!sys.status || sys.look != LOOK_QUERY || sys_files.statm < 0 || slurp(sys_files.statm) == 0)
        return false;
    memset(out, 0, sizeof *out);
    out->total = strtoll(p, &p, 10);
    for (int i = 0; i < 5; i++) /* resident, shared, text, libraries; data and stack */
        out->data = strtoll(p, &p, 10);
    return true;
}

/* ---- the program's own mappings ---- */

void sys_reopen(void)
{
    int *const fd[] = { &sys_files.maps, &sys_files.statm, &sys_files.status, &sys_files.smaps };
    for (size_t i = 0; i < 4; i++) {
        if (*fd[i] > 0)
            close(*fd[i]);
        *fd[i] = open(window[i], O_RDONLY | O_CLOEXEC);
    }
}

/* Puts the heap into the arena, so that moving the break touches nothing of the C library's. */
bool sys_move_heap(void)
{
    static struct prctl_mm_map m;
    if (m.start_brk == 0) {
        unsigned long f[52] = { 0 };
        char stat[2048], *p;
        int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, stat, sizeof stat - 1);
        if (fd >= 0)
            close(fd);
        stat[n > 0 ? n : 0] = 0;
        p = strrchr(stat, ')');
        for (int i = 3; p && i <= 51; i++) {
            p = strchr(p + 1, ' ');
            f[i] = p ? strtoul(p + 1, NULL, 10) : 0;
        }
        m = (struct prctl_mm_map){
            .start_code = f[26], .end_code = f[27], .start_stack = f[28],
            .start_data = 0x100000, .end_data = 0x100000 + 3 * PAGE,
            .start_brk = HEAP, .brk = HEAP, .arg_start = f[48], .arg_end = f[49],
            .env_start = f[50], .env_end = f[51], .exe_fd = (uint32_t)-1,
        };
    }
    return prctl(PR_SET_MM, (long)PR_SET_MM_MAP, &m, sizeof m, 0L) == 0 &&
           (uint64_t)sys_raw(SYS_brk, 0, 0, 0, 0, 0, 0) == HEAP;
}

#define LIBRARIES 0x700000000000ull

static void plug(uint64_t start, uint64_t end)
{
    sys_raw(SYS_mmap, start, end - start, 0,
            MW_MAP_SHARED | MW_MAP_ANONYMOUS | MW_MAP_FIXED_NOREPLACE | MW_MAP_NORESERVE,
            UINT64_MAX, 0);
}

static bool zone_is_own; /* something of the program lies in the arena */

static bool read_own(void)
{
    const char *p = text, *name;
    sys.owned = 0;
    zone_is_own = false;
    if (sys_files.maps < 0 || slurp(sys_files.maps) == 0)
        return false;
    while (*p) {
        struct seen *s = &sys.own[sys.owned];
        p = maps_line(p, s, &name);
        if (s->start >= TASK_END)
            continue;
        sys.own_flags[sys.owned] = strncmp(name, "[stack]", 7) == 0 ? MW_VM_GROWSDOWN
                                   : strncmp(name, "[v", 2) == 0    ? MW_VM_DONTEXPAND /* never locked */
                                                                    : 0;
        zone_is_own = zone_is_own || (s->start < ZONE_HIGH && s->end > ZONE_LOW);
        if (++sys.owned == MAX_AREAS)
            return false;
    }
    return true;
}

/*
 * Fills the room between the libraries: what the system places there would
 * merge with memory of unknown history. Then finds where a search begins.
 */
static void plug_gaps(void)
{
    uint64_t last = 0, first = 0, top;
    int64_t r;
    for (int i = 0; i < sys.owned; i++) {
        const struct seen *s = &sys.own[i];
        if (s->start < LIBRARIES || sys.own_flags[i] & MW_VM_GROWSDOWN)
            continue;
        if (last != 0 && last < s->start)
            plug(last, s->start);
        if (first == 0)
            first = s->start;
        last = s->end;
    }
    r = sys_raw(SYS_mmap, 0, PAGE, 0, MW_MAP_SHARED | MW_MAP_ANONYMOUS, UINT64_MAX, 0);
    top = r > 0 && (uint64_t)r >= last && last != 0 ? (uint64_t)r + PAGE : last;
    if (last != 0 && top > last + PAGE)
        plug(last, top - PAGE);
    if (first != 0)
        plug(first - PAGE, first);
    sys.mmap_base = top != 0 ? top : r > 0 ? (uint64_t)r + PAGE : TASK_END / 2;
}

bool sys_list_own(void)
{
    if (!read_own())
        return sys.look == LOOK_PROBE;
    plug_gaps();
    return read_own();
}

#define STACK_ROOM (64ull << 20)

bool sys_precious(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + len < addr ? UINT64_MAX : addr + len;
    if (sys.owned == 0) /* nothing is known: only the arena is safe */
        return addr < ZONE_LOW || end > ZONE_HIGH;
    if (addr >= ZONE_LOW && end <= ZONE_HIGH && !zone_is_own)
        return false;
    for (int i = 0; i < sys.owned; i++) {
        uint64_t start = sys.own[i].start;
        if (sys.own_flags[i] & MW_VM_GROWSDOWN)
            start -= STACK_ROOM;
        if (addr < sys.own[i].end && start < end)
            return true;
    }
    return false;
}

bool sys_own_intact(void)
{
    struct seen k;
    if (sys.look == LOOK_PROBE)
        return true;
    for (int i = 0; i < sys.owned; i++)
        if (!(sys.own_flags[i] & MW_VM_GROWSDOWN) &&
            (!sys_next(sys.own[i].start, &k) || k.start != sys.own[i].start || k.end != sys.own[i].end))
            return false;
    return true;
}

/* ---- what does not change ---- */

static bool can_query(void)
{
    struct seen s;
    sys.look = LOOK_QUERY;
    return sys_files.maps >= 0 && sys_next(0, &s);
}

static uint32_t capabilities(void)
{
    const char *p = strstr(text, "CapEff:");
    uint64_t bits = 0, all = 1ull << 14 | 1ull << 17 | 1ull << 21;
    if (p) {
        p += 7;
        while (*p == '\t' || *p == ' ')
            p++;
        hex(p, &bits);
    } else {
        bits = geteuid() == 0 ? all : 0;
    }
    return (bits >> 14 & 1 ? MW_CAP_IPC_LOCK : 0) | (bits >> 17 & 1 ? MW_CAP_SYS_RAWIO : 0) |
           (bits >> 21 & 1 ? MW_CAP_SYS_ADMIN : 0);
}

/* The kernel raises hints to more than the sysctl says, if a security module wants it. */
static void probe_lowest(void)
{
    int64_t r;
    sys.fixed_min = sys.min_addr = number_in("/proc/sys/vm/mmap_min_addr", 65536);
    r = sys_raw(SYS_mmap, PAGE, PAGE, 0, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS, UINT64_MAX, 0);
    if (r > 0)
        sys_raw(SYS_munmap, (uint64_t)r, PAGE, 0, 0, 0, 0);
    if (r > 0 && r <= 1 << 20 && (uint64_t)r > sys.min_addr)
        sys.min_addr = (uint64_t)r;
}

static void probe_numbers(void)
{
    struct rlimit r;
    struct sysinfo info;
    sys.max_map_count = number_in("/proc/sys/vm/max_map_count", 65530);
    probe_lowest();
    sys.overcommit = (uint32_t)number_in("/proc/sys/vm/overcommit_memory", 0);
    getrlimit(RLIMIT_MEMLOCK, &r);
    sys.memlock = r.rlim_cur == RLIM_INFINITY ? UINT64_MAX : r.rlim_cur;
    getrlimit(RLIMIT_STACK, &r);
    sys.stack_limit = r.rlim_cur == RLIM_INFINITY ? UINT64_MAX : r.rlim_cur;
    if (sysinfo(&info) == 0)
        sys.ram_pages = (info.totalram + info.totalswap) * info.mem_unit / PAGE;
}

static bool has_huge_pages(void)
{
    char buf[64] = "";
    int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, buf, sizeof buf - 1) < 0)
        buf[0] = 0;
    close(fd);
    return buf[0] != 0;
}

/* An emulator's counters may be its own: they have to fit the mappings. */
static bool counters_fit(void)
{
    struct counted c;
    int64_t pages = 0;
    if (!sys_counters(&c))
        return false;
    if (!read_own())
        return true;
    for (int i = 0; i < sys.owned; i++)
        pages += (int64_t)((sys.own[i].end - sys.own[i].start) / PAGE);
    return c.total >= pages - 1 && c.total <= pages + 1;
}

/* Can't what is mapped for execution only be read, as with protection keys? */
static bool has_exec_only(void)
{
    int fd = (int)syscall(SYS_memfd_create, "probe", 1ul);
    int64_t page = sys_raw(SYS_mmap, 0, PAGE, MW_PROT_EXEC, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS,
                           (uint64_t)-1, 0);
    int64_t n = page < 0 ? 0 : sys_raw(SYS_pwrite64, (uint64_t)fd, (uint64_t)page, 1, 0, 0, 0);

    sys_raw(SYS_munmap, (uint64_t)page, PAGE, 0, 0, 0, 0);
    if (fd >= 0)
        close(fd);
    return n == -MW_EFAULT;
}

/* Does a copy from memory to a file go as far as the memory does? (Linux 5.10: to a page's end.) */
static bool has_exact_copies(void)
{
    int fd = (int)syscall(SYS_memfd_create, "probe", 1ul);
    int64_t page = sys_raw(SYS_mmap, 0, 2 * PAGE, MW_PROT_READ, MW_MAP_PRIVATE | MW_MAP_ANONYMOUS,
                           (uint64_t)-1, 0), n;

    if (page < 0)
        return true;
    sys_raw(SYS_munmap, (uint64_t)page + PAGE, PAGE, 0, 0, 0, 0);
    n = sys_raw(SYS_pwrite64, (uint64_t)fd, (uint64_t)page + 8, PAGE, 0, 0, 0);
    sys_raw(SYS_munmap, (uint64_t)page, PAGE, 0, 0, 0, 0);
    if (fd >= 0)
        close(fd);
    return fd < 0 || n == PAGE - 8;
}

/* So that any limit can be set later, without rights. */
static void raise_lock_limit(void)
{
    struct rlimit r;
    getrlimit(RLIMIT_MEMLOCK, &r);
    r.rlim_max = RLIM_INFINITY;
    setrlimit(RLIMIT_MEMLOCK, &r);
}

void sys_probe(void)
{
    static char room[TEXT_ROOM];
    text = room;
    sys_reopen();
    sys.status = sys_files.status >= 0 && slurp(sys_files.status) > 0 &&
                 strstr(text, "VmSize:") && strstr(text, "VmLck:");
    sys.caps = capabilities();
    sys.privileged = (sys.caps & MW_CAP_IPC_LOCK) != 0;
    sys.look = can_query()                                           ? LOOK_QUERY
               : sys_files.maps >= 0 && slurp(sys_files.maps) > 0    ? LOOK_MAPS
                                                                     : LOOK_PROBE;
    sys.status = sys.status && counters_fit();
    raise_lock_limit();
    probe_numbers();
    sys.exact_copies = has_exact_copies();
    sys.thp = has_huge_pages();
    /* a huge page makes memory touched that has only been read: none for this program, but in some episodes */
    sys_probe_thp();
    sys.exec_only = has_exec_only();
    sys.seal = sys_raw(NR_MSEAL, 1, 0, 0, 0, 0, 0) == -MW_EINVAL;
    sys_probe_special();
    sys_probe_segments();
    sys_probe_vectors();
    sys_probe_keys();
    sys.fork_ok = true;
    sys.exact = true;
}
