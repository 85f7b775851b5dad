/*
 * Differs from Linux: layout of the last step.
 * Found by mapwright-conform --seed 11 --episode 2
 *
 * cc -o finding this.c && ./finding [LINUX-VERSION]
 * Exit code 0: as that Linux (without an argument: as the first of `expected`);
 * 1: not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define P 4096ul
#define A(page) (0x200000000000ul + (unsigned long)(long)(page) * P) /* page of the arena */
#define CHOSEN LONG_MAX /* an address that the system chooses */
#define UNUSED __attribute__((unused))
#define N 3

static const char *const text[N] = {
    "mmap(A(0), 1 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)",
    "mremap(A(0), 1 * P, 92 * P, MREMAP_MAYMOVE | MREMAP_FIXED, A(1))",
    "mremap(A(61), 32 * P, 32 * P, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, A(1))",
};

/* What a Linux answers. An access: 0 or the number of its signal's name in `met`. */
static const struct expected {
    const char *linux_version;
    long result[N];
    unsigned value[N]; /* of loads */
    const char *layout;
    long used[4];
} expected[] = {
    { "7.2",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,33)rw-p [33,93)rw-p",
      { 92, 92, 0, 0 } },
    { "6.1",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,93)rw-p",
      { 92, 92, 0, 0 } },
    { "6.7",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,93)rw-p",
      { 92, 92, 0, 0 } },
    { "6.11",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,93)rw-p",
      { 92, 92, 0, 0 } },
    { "6.12",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,93)rw-p",
      { 92, 92, 0, 0 } },
    { "6.16",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,93)rw-p",
      { 92, 92, 0, 0 } },
    { "6.17",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,93)rw-p",
      { 92, 92, 0, 0 } },
    { "7.3",
      { (long)A(0), (long)A(1), (long)A(1) },
      { 0, 0, 0 },
      " [1,33)rw-p [33,93)rw-p",
      { 92, 92, 0, 0 } },
};

static const char *const met[] = { "ok", "SIGSEGV, not mapped", "SIGSEGV, not permitted", "SIGBUS",
                                   "another signal" };
static const char *const counter[] = { "VmSize:", "VmData:", "VmStk:", "VmLck:" };
static long result[N];
static unsigned value[N];
static int file, small_file, read_only_file, write_only_file, a_pipe;
UNUSED static int dev_zero = -1, append_file = -1, noexec_file = -1, proc_file = -1;
static sigjmp_buf out;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    siglongjmp(out, sig == SIGBUS ? 3 : info->si_code != SEGV_MAPERR && info->si_code > 0 &&
                    info->si_code < 5 ? 2 : 1);
}

UNUSED static long store(unsigned long at, unsigned v)
{
    int how = sigsetjmp(out, 1);
    if (how == 0)
        *(volatile unsigned *)at = v;
    return how;
}

UNUSED static long load(unsigned long at, unsigned *v)
{
    int how = sigsetjmp(out, 1);
    if (how == 0)
        *v = *(volatile unsigned *)at;
    return how;
}

/* Which of the first 32 pages are there. */
UNUSED static long core(unsigned long at, unsigned long len, unsigned compared, unsigned *v)
{
    static unsigned char vec[1 << 18];
    long r = syscall(SYS_mincore, at, len, vec);
    *v = 0;
    for (unsigned i = 0; i < 32; i++)
        *v |= (unsigned)(vec[i] & 1) << i & compared;
    memset(vec, 0, 32);
    return r;
}

UNUSED static long copy_in(unsigned long at, unsigned long len)
{
    static unsigned char pattern[65536];
    int fd = (int)syscall(SYS_memfd_create, "pattern", 0ul);
    for (unsigned i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(i * 37u + (i >> 8) * 11u + 5u);
    if (pwrite(fd, pattern, sizeof pattern, 0) < 0)
        return 0;
    long n = syscall(SYS_pread64, fd, at, len, 0L);
    return n < 0 ? 0 : n;
}

UNUSED static long copy_out(unsigned long at, unsigned long len)
{
    int fd = (int)syscall(SYS_memfd_create, "copy", 0ul);
    long n = syscall(SYS_pwrite64, fd, at, len, 0L);
    return n < 0 ? 0 : n;
}

static long used_pages(const char *key)
{
    char line[256];
    long pages = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, key, strlen(key)) == 0)
            pages = strtol(line + strlen(key), NULL, 10) / 4;
    if (status)
        fclose(status);
    return pages;
}

UNUSED static long limit(int which, const char *used, long pages)
{
    struct rlimit r;
    getrlimit(which, &r);
    r.rlim_cur = pages < 0 ? r.rlim_max : (rlim_t)((used ? used_pages(used) : 0) + pages) * P;
    setrlimit(which, &r);
    return 0;
}

UNUSED static long capabilities(int all)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    syscall(SYS_capget, &head, data);
    for (int i = 0; i < 2; i++)
        data[i].effective = all ? data[i].permitted : 0;
    syscall(SYS_capset, &head, data);
    return 0;
}

UNUSED static long fill_up(unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        if (syscall(SYS_mmap, A(33554432) + i * P, P, i & 1 ? 1ul : 3ul, 0x32ul, -1L, 0L) == -1)
            return -errno;
    return 0;
}

UNUSED static long go_on_as_a_child(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        return 0;
    waitpid(pid, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static int new_file(unsigned long bytes)
{
    int fd = (int)syscall(SYS_memfd_create, "finding", 0ul);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        exit(2);
    for (unsigned i = 0; i * P + 4 <= bytes; i++) {
        unsigned v = 100 + i;
        if (pwrite(fd, &v, sizeof v, (off_t)(i * P)) < 0)
            exit(2);
    }
    return fd;
}

static int opened_as(int how)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", new_file(32 * P));
    return open(path, how);
}

static void prepare(void)
{
    struct sigaction sa;
    int ends[2];
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_signal;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    file = new_file(32 * P);
    small_file = new_file(5 * P + 100);
    read_only_file = opened_as(O_RDONLY);
    write_only_file = opened_as(O_WRONLY);
    a_pipe = pipe(ends) == 0 ? ends[0] : -1;
}

static const char *kind_of(unsigned long inode, int shared)
{
    static const char *const name[] = { "file", "small_file", "read_only_file", "write_only_file",
                                        "dev_zero", "append_file", "noexec_file" };
    const int fd[] = { file, small_file, read_only_file, write_only_file, dev_zero, append_file,
                       noexec_file };
    struct stat st;
    for (int i = 0; i < 7; i++)
        if (inode && fstat(fd[i], &st) == 0 && st.st_ino == inode && !(shared && fd[i] == dev_zero))
            return name[i];
    return shared ? "shared" : NULL;
}

/* The arena's mappings as one line; NULL: this system does not tell. */
static char *layout(void)
{
    static char text_of[65536];
    char line[512], mode[8];
    unsigned long start, end, offset, inode;
    size_t n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps)
        return NULL;
    while (fgets(line, sizeof line, maps) && n < sizeof text_of - 200) {
        if (sscanf(line, "%lx-%lx %7s %lx %*x:%*x %lu", &start, &end, mode, &offset, &inode) != 5)
            continue;
        if (start < A(-1048576) || start >= A(33554431))
            continue;
        const char *kind = kind_of(inode, mode[3] == 's');
        n += (size_t)sprintf(text_of + n, " [%ld,%ld)%s", (long)(start - A(0)) / (long)P,
                             (long)(end - A(0)) / (long)P, mode);
        if (kind)
            n += (size_t)sprintf(text_of + n, ":%s@%lu", kind, offset / P);
    }
    fclose(maps);
    text_of[n] = 0;
    return text_of;
}

static const char *in_words(long r, int access)
{
    static char text_of[64];
    if (access)
        return met[r >= 0 && r <= 4 ? r : 4];
    if (r == CHOSEN)
        return "an address of its choice";
    if (r < 0 && r > -4096)
        snprintf(text_of, sizeof text_of, "error %ld (%s)", -r, strerror((int)-r));
    else if ((unsigned long)r >= A(-1048576) && (unsigned long)r < A(62914560))
        snprintf(text_of, sizeof text_of, "A(%ld)", (r - (long)A(0)) / (long)P);
    else
        snprintf(text_of, sizeof text_of, r > 4096 ? "0x%lx" : "%ld", r);
    return text_of;
}

static int compare_steps(const struct expected *e)
{
    int bad = 0;
    for (int i = 0; i < N; i++) {
        int access = strncmp(text[i], "store(", 6) == 0 || strncmp(text[i], "load(", 5) == 0;
        int same = e->result[i] == CHOSEN ? result[i] > 0 || result[i] < -4095
                                          : result[i] == e->result[i];
        same = same && value[i] == e->value[i];
        bad += !same;
        printf("%s %s\n    system   %s", same ? "  " : "! ", text[i], in_words(result[i], access));
        printf(value[i] ? " (%u)\n" : "\n", value[i]);
        if (same)
            continue;
        printf("    Linux %s %s", e->linux_version, in_words(e->result[i], access));
        printf(e->value[i] ? " (%u)\n" : "\n", e->value[i]);
    }
    return bad;
}

static int compare_end(const struct expected *e, const char *mapped, const long *used)
{
    int bad = 0;
    if (mapped) {
        int same = strcmp(mapped, e->layout) == 0;
        bad += !same;
        printf("%s mappings\n    system  %s\n", same ? "  " : "! ", mapped);
        if (!same)
            printf("    Linux %s%s\n", e->linux_version, e->layout);
    }
    for (int i = 0; i < 4; i++)
        if (strncmp(text[N - 1], "counters", 8) == 0 && used[i] != e->used[i]) {
            bad++;
            printf("!  %s system %ld pages, Linux %s %ld\n", counter[i], used[i], e->linux_version,
                   e->used[i]);
        }
    return bad;
}

int main(int argc, char **argv)
{
    static char output[1 << 16];
    const struct expected *e = expected;
    long used[4];
    setvbuf(stdout, output, _IOFBF, sizeof output);
    for (size_t i = 0; argc > 1 && i < sizeof expected / sizeof expected[0]; i++)
        if (strcmp(expected[i].linux_version, argv[1]) == 0)
            e = &expected[i];
    prepare();
    for (int i = 0; i < 4; i++)
        used[i] = used_pages(counter[i]);
    /* mmap(A(0), 1 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) */
    result[0] = syscall(SYS_mmap, A(0), 1 * P, 0x3ul, 0x22ul, (long)-1, 0x0ul);
    if (result[0] == -1)
        result[0] = -errno;
    /* mremap(A(0), 1 * P, 92 * P, MREMAP_MAYMOVE | MREMAP_FIXED, A(1)) */
    result[1] = syscall(SYS_mremap, A(0), 1 * P, 92 * P, 0x3ul, A(1));
    if (result[1] == -1)
        result[1] = -errno;
    /* mremap(A(61), 32 * P, 32 * P, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, A(1)) */
    result[2] = syscall(SYS_mremap, A(61), 32 * P, 32 * P, 0x7ul, A(1));
    if (result[2] == -1)
        result[2] = -errno;

    for (int i = 0; i < 4; i++)
        used[i] = used_pages(counter[i]) - used[i];
    char *mapped = layout();
    int bad = compare_steps(e) + compare_end(e, mapped, used);
    printf("%s\n", bad ? "DIFFERS" : "the same");
    return bad != 0;
}
