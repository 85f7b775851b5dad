/* SPDX-License-Identifier: MIT */
/* procfs.c - reads /proc. Decides how what is found there is told to the engine. */
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

bool procfs_layout(pid_t pid, bool flags, struct layout *layout)
{
    char name[64];

    snprintf(name, sizeof name, "/proc/%d/%s", pid, flags ? "smaps" : "maps");
    FILE *in = fopen(name, "re");
    if (!in)
        return false;
    int err = layout_read(layout, in);
    fclose(in);
    return err == 0;
}

bool procfs_area(pid_t pid, uint64_t addr, struct area *area)
{
    struct layout layout = { 0 };
    bool found = procfs_layout(pid, false, &layout);
    size_t i = layout_find(&layout, addr);

    found = found && i < layout.n && layout.area[i].start <= addr;
    if (found) {
        *area = layout.area[i];
        area->path = NULL;
    }
    layout_clear(&layout);
    return found;
}

/* ---- the system -------------------------------------------------------------- */

static uint64_t number_in(const char *name, uint64_t otherwise)
{
    FILE *in = fopen(name, "re");
    uint64_t value = otherwise;

    if (!in)
        return otherwise;
    if (fscanf(in, "%" SCNu64, &value) != 1)
        value = otherwise;
    fclose(in);
    return value;
}

/* A line "Key:  number" of a file; `base` as for strtoull. */
static bool keyed_number(const char *name, const char *key, int base, uint64_t *value)
{
    char line[512];
    size_t n = strlen(key);
    bool found = false;
    FILE *in = fopen(name, "re");

    while (in && !found && fgets(line, sizeof line, in)) {
        if (strncmp(line, key, n) != 0 || line[n] != ':')
            continue;
        *value = strtoull(line + n + 1, NULL, base);
        found = true;
    }
    if (in)
        fclose(in);
    return found;
}

static void read_memory(struct mw_config *config)
{
    uint64_t ram = 0, swap = 0, limit = 0;
    unsigned kib_shift = config->page_shift - 10;

    if (keyed_number("/proc/meminfo", "MemTotal", 10, &ram)) {
        keyed_number("/proc/meminfo", "SwapTotal", 10, &swap);
        config->ram_pages = (ram + swap) >> kib_shift;
    }
    if (keyed_number("/proc/meminfo", "CommitLimit", 10, &limit))
        config->commit_limit = limit >> kib_shift;
}

/* Of /proc/cpuinfo's flags, from which the kernel takes those that it does not use. */
static bool cpu_has(const char *flag)
{
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    FILE *in = fopen("/proc/cpuinfo", "re");

    while (in && !found && getline(&line, &room, in) > 0) {
        if (strncmp(line, "flags", 5) != 0)
            continue;
        found = strstr(line, flag) != NULL;
        break;
    }
    free(line);
    if (in)
        fclose(in);
    return found;
}

void procfs_system(struct mw_config *config)
{
    struct utsname name;
    unsigned major_nr, minor_nr;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    config->page_shift = (uint32_t)__builtin_ctzll(page);
    if (uname(&name) == 0 && sscanf(name.release, "%u.%u", &major_nr, &minor_nr) == 2)
        config->linux_version = MW_LINUX(major_nr, minor_nr);
    if (config->linux_version > MW_LINUX_NEWEST)
        config->linux_version = MW_LINUX_NEWEST;
    config->max_map_count = number_in("/proc/sys/vm/max_map_count", config->max_map_count);
    config->overcommit = (uint32_t)number_in("/proc/sys/vm/overcommit_memory", 0);
    config->min_addr = number_in("/proc/sys/vm/mmap_min_addr", config->min_addr);
    config->options |= MW_OPT_DEFECTS; /* the aim is to agree with this very kernel */
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0)
        config->options |= MW_OPT_THP;
    else
        config->options &= ~(uint32_t)MW_OPT_THP;
    if (cpu_has(" ospke"))
        config->options |= MW_OPT_PKEYS;
    if (cpu_has(" la57"))
        config->task_size = (UINT64_C(1) << 56) - page;
    read_memory(config);
}

/* ---- a process ----------------------------------------------------------------- */

static uint64_t limit_of(pid_t pid, enum __rlimit_resource resource)
{
    struct rlimit limit;

    if (prlimit(pid, resource, NULL, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return MW_UNLIMITED;
    return limit.rlim_cur;
}

/* The fields of /proc/PID/stat count from 1; the second, in parentheses, may hold spaces. */
static uint64_t stat_field(const char *stat, int field)
{
    const char *at = strrchr(stat, ')');

    for (int i = 2; at && i < field; i++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* "": it can't be read. */
static void read_stat(pid_t pid, char stat[2048])
{
    char name[64];
    size_t n = 0;

    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    FILE *in = fopen(name, "re");
    if (in) {
        n = fread(stat, 1, 2047, in);
        fclose(in);
    }
    stat[n] = '\0';
}

uint64_t procfs_faults(pid_t pid)
{
    char stat[2048];

    read_stat(pid, stat);
    return stat_field(stat, 10) + stat_field(stat, 12);
}

static void read_heap(pid_t pid, struct mw_config *config)
{
    char stat[2048];

    read_stat(pid, stat);
    uint64_t start_data = stat_field(stat, 45), end_data = stat_field(stat, 46);
    config->data_size = end_data > start_data ? end_data - start_data : 0;
    config->brk_start = stat_field(stat, 47);
}

uint32_t procfs_caps(pid_t tid)
{
    char name[64];
    uint64_t caps = 0;

    snprintf(name, sizeof name, "/proc/%d/status", tid);
    keyed_number(name, "CapEff", 16, &caps);
    return (caps >> 14 & 1 ? MW_CAP_IPC_LOCK : 0) | (caps >> 17 & 1 ? MW_CAP_SYS_RAWIO : 0) |
           (caps >> 21 & 1 ? MW_CAP_SYS_ADMIN : 0);
}

uint64_t procfs_nodes(pid_t tid)
{
    char name[64], line[2048];
    uint64_t nodes = 1;

    snprintf(name, sizeof name, "/proc/%d/status", tid);
    FILE *in = fopen(name, "re");
    while (in && fgets(line, sizeof line, in)) {
        if (strncmp(line, "Mems_allowed:", 13) != 0)
            continue;
        const char *last = strrchr(line, ','); /* words of 32 bits, the first nodes last */
        nodes = strtoull(last ? last + 1 : line + 13, NULL, 16);
        if (last && last >= line + 8 + 13)
            nodes |= strtoull(last - 8, NULL, 16) << 32;
    }
    if (in)
        fclose(in);
    return nodes;
}

void procfs_process(pid_t pid, struct mw_config *config)
{
    config->limit_as = limit_of(pid, RLIMIT_AS);
    config->limit_data = limit_of(pid, RLIMIT_DATA);
    config->limit_memlock = limit_of(pid, RLIMIT_MEMLOCK);
    config->limit_stack = limit_of(pid, RLIMIT_STACK);
    config->caps = procfs_caps(pid);
    read_heap(pid, config);
}

uint64_t procfs_personality(pid_t pid)
{
    char name[64];
    uint64_t value = 0;

    snprintf(name, sizeof name, "/proc/%d/personality", pid);
    FILE *in = fopen(name, "re");
    if (in && fscanf(in, "%" SCNx64, &value) != 1)
        value = 0;
    if (in)
        fclose(in);
    return value;
}

void procfs_program(pid_t pid, char *buf, size_t size)
{
    char name[64];

    snprintf(name, sizeof name, "/proc/%d/exe", pid);
    ssize_t n = readlink(name, buf, size - 1);
    buf[n > 0 ? n : 0] = '\0';
}

bool procfs_is_32bit(pid_t pid)
{
    char name[64];
    unsigned char head[5] = { 0 };

    snprintf(name, sizeof name, "/proc/%d/exe", pid);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    return n == 5 && memcmp(head, "\x7f" "ELF", 4) == 0 && head[4] == 1;
}

pid_t procfs_tgid(pid_t tid)
{
    char name[64];
    uint64_t tgid = 0;

    snprintf(name, sizeof name, "/proc/%d/status", tid);
    keyed_number(name, "Tgid", 10, &tgid);
    return (pid_t)tgid;
}
