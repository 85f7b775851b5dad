/* SPDX-License-Identifier: MIT */
/* test_probe.c - mw_live_probe: on this kernel, and where much is forbidden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mapwright/mapwright.h"
#include "mapwright/probe.h"

#define NOBODY 65534

static struct mw_probe probe;

static enum mw_found_as as(enum mw_cap cap)
{
    return probe.found[cap].as;
}

static int err(enum mw_cap cap)
{
    return probe.found[cap].err;
}

/* In a process of its own: what is changed there ends with it. */
static void in_child(int (*body)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* For such a process: says which line, and ends with 1. */
#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                     \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* ---- the table ----------------------------------------------------------------------- */

static void names_are_there_and_differ(void **state)
{
    (void)state;
    for (int i = 0; i < MW_CAPS; i++) {
        assert_non_null(mw_cap_name((enum mw_cap)i));
        assert_non_null(mw_cap_text((enum mw_cap)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(mw_cap_name((enum mw_cap)i), mw_cap_name((enum mw_cap)k));
    }
    assert_null(mw_cap_name(MW_CAPS));
    assert_null(mw_cap_text((enum mw_cap)-1));
    assert_int_equal(mw_cap_since(MW_CAPS), 0);
    assert_int_equal(mw_cap_until(MW_CAPS), 0);
}

/* A capability that is a row of the engine's table stands there with the same versions. */
static void versions_are_the_engines(void **state)
{
    enum { RULE, DEFECT };
    static const struct {
        enum mw_cap cap;
        const char *row;
    } same[] = {
        { MW_CAP_MREMAP_ARGS_FIRST, "MREMAP_ARGS_FIRST" },
        { MW_CAP_MREMAP_KEEPS_DEST, "MREMAP_ARGS_FIRST" },
        { MW_CAP_MREMAP_SEVERAL, "MREMAP_SEVERAL" },
        { MW_CAP_DONTUNMAP_ANON, "DONTUNMAP" },
        { MW_CAP_DONTUNMAP_SHARED, "DONTUNMAP_ANY" },
        { MW_CAP_DONTUNMAP_PRIVATE_FILE, "DONTUNMAP_ANY" },
        { MW_CAP_DONTUNMAP_SHARED_FILE, "DONTUNMAP_ANY" },
        { MW_CAP_DONTUNMAP_COUNTS_TWICE, "DONTUNMAP_COUNTS_TWICE" },
        { MW_CAP_HUGETLB_2M_MOVE, "HUGE_MOVES" },
        { MW_CAP_FIXED_NOREPLACE, "FIXED_NOREPLACE" },
        { MW_CAP_DROPPABLE, "DROPPABLE" },
    };
    static const struct {
        const char *name;
        uint32_t since, until;
    } rows[] = {
#define ROW(name, since, until, kind, text) { #name, since, until },
#include "linux/version.def"
#undef ROW
    };
    size_t found = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t k = 0; k < sizeof same / sizeof same[0]; k++)
            if (strcmp(rows[i].name, same[k].row) == 0) {
                assert_int_equal(mw_cap_since(same[k].cap), rows[i].since);
                assert_int_equal(mw_cap_until(same[k].cap), rows[i].until);
                found++;
            }
        if (strcmp(rows[i].name, "PRIVATE_DUP_REFUSED") == 0) {
            assert_int_equal(mw_cap_since(MW_CAP_DUPLICATE_PRIVATE), 0);
            assert_int_equal(mw_cap_until(MW_CAP_DUPLICATE_PRIVATE), rows[i].since);
            found++;
        }
    }
    assert_int_equal(found, sizeof same / sizeof same[0] + 1);
}

/* PROBE-4 */
static void what_tells_and_what_misfits(void **state)
{
    static struct mw_probe p; /* nothing tried */
    struct mw_found *several = &p.found[MW_CAP_MREMAP_SEVERAL];

    (void)state;
    for (int i = 0; i < MW_CAPS; i++)
        assert_false(mw_probe_misfit(&p, (enum mw_cap)i, MW_LINUX(6, 18)));
    several->as = MW_FOUND_YES;
    assert_true(mw_probe_misfit(&p, MW_CAP_MREMAP_SEVERAL, MW_LINUX(6, 16)));
    assert_false(mw_probe_misfit(&p, MW_CAP_MREMAP_SEVERAL, MW_LINUX(6, 17)));
    *several = (struct mw_found){ .as = MW_FOUND_NO, .err = EFAULT };
    assert_false(mw_probe_misfit(&p, MW_CAP_MREMAP_SEVERAL, MW_LINUX(6, 16)));
    assert_true(mw_probe_misfit(&p, MW_CAP_MREMAP_SEVERAL, MW_LINUX(6, 17)));
    several->err = ENOSYS; /* as a filter says */
    assert_false(mw_probe_misfit(&p, MW_CAP_MREMAP_SEVERAL, MW_LINUX(6, 17)));
    several->as = MW_FOUND_REFUSED;
    assert_false(mw_probe_tells(&p, MW_CAP_MREMAP_SEVERAL));
    p.found[MW_CAP_DUPLICATE_PRIVATE].as = MW_FOUND_YES;
    assert_true(mw_probe_misfit(&p, MW_CAP_DUPLICATE_PRIVATE, MW_LINUX(4, 14)));
    assert_false(mw_probe_misfit(&p, MW_CAP_DUPLICATE_PRIVATE, MW_LINUX(4, 13)));
    p.found[MW_CAP_HUGETLB_2M_GROW].as = MW_FOUND_YES;
    assert_true(mw_probe_misfit(&p, MW_CAP_HUGETLB_2M_GROW, MW_LINUX_NEWEST));
    /* a kernel may be built without */
    p.found[MW_CAP_MADV_COLLAPSE] = (struct mw_found){ .as = MW_FOUND_NO, .err = EINVAL };
    assert_false(mw_probe_tells(&p, MW_CAP_MADV_COLLAPSE));
    p.found[MW_CAP_HUGETLB_2M].as = MW_FOUND_YES; /* no matter of the version */
    assert_false(mw_probe_tells(&p, MW_CAP_HUGETLB_2M));
    assert_false(mw_probe_tells(&p, MW_CAPS));
}

/* ---- this kernel ------------------------------------------------------------------------ */

/* Here alone the release is asked: whether what was found by trying agrees with it. */
static void the_running_kernel_is_among_those_named(void **state)
{
    struct utsname name;
    unsigned major, minor;

    (void)state;
    assert_int_equal(mw_live_probe(&probe), 0);
    assert_int_equal(as(MW_CAP_MREMAP_MAYMOVE), MW_FOUND_YES);
    assert_int_equal(as(MW_CAP_MREMAP_FIXED), MW_FOUND_YES);
    assert_int_equal(as(MW_CAP_DUPLICATE_SHARED), MW_FOUND_YES);
    assert_int_equal(as(MW_CAP_MADV_DONTFORK), MW_FOUND_YES);
    assert_int_equal(probe.found[MW_CAP_PAGE_SIZE].number, sysconf(_SC_PAGESIZE));
    assert_int_equal(uname(&name), 0);
    assert_int_equal(sscanf(name.release, "%3u.%3u", &major, &minor), 2);
    for (int i = 0; i < MW_CAPS; i++)
        if (mw_probe_misfit(&probe, (enum mw_cap)i, MW_LINUX(major, minor)))
            fail_msg("%s does not fit %s", mw_cap_name((enum mw_cap)i), name.release);
    assert_int_equal(probe.misfits, 0);
    assert_in_range(MW_LINUX(major, minor), probe.linux_from, UINT32_MAX);
    if (probe.linux_to != MW_LINUX_NEWEST)
        assert_in_range(MW_LINUX(major, minor), probe.linux_from, probe.linux_to);
}

/* A whole file as text. */
static size_t snapshot(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(buf, 1, size - 1, f) : 0;

    buf[n] = 0;
    if (f)
        fclose(f);
    return n;
}

static int open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static volatile sig_atomic_t children_ended;

static void on_child(int s)
{
    (void)s;
    children_ended++;
}

/* PROBE-1 */
static void nothing_of_the_process_changes(void **state)
{
    static char before[1 << 18], after[1 << 18];
    struct sigaction mine = { .sa_handler = on_child }, now;
    sigset_t mask_before, mask_after;
    int files = open_files();

    (void)state;
    memset(&mask_before, 0, sizeof mask_before);
    memset(&mask_after, 0, sizeof mask_after);
    sigaction(SIGCHLD, &mine, NULL);
    sigaction(SIGSEGV, &mine, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    assert_true(snapshot("/proc/self/maps", before, sizeof before) > 0);
    assert_true(snapshot("/proc/self/maps", before, sizeof before) > 0);
    assert_int_equal(mw_live_probe(&probe), 0);
    assert_true(snapshot("/proc/self/maps", after, sizeof after) > 0);
    assert_string_equal(before, after);
    assert_int_equal(open_files(), files);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    assert_memory_equal(&mask_before, &mask_after, sizeof mask_before);
    sigaction(SIGSEGV, NULL, &now);
    assert_ptr_equal(now.sa_handler, on_child);
    sigaction(SIGCHLD, NULL, &now);
    assert_ptr_equal(now.sa_handler, on_child);
    assert_int_equal(waitpid(-1, NULL, __WALL), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(children_ended, 0);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
}

static void mappings_are_those_of_the_asker(void **state)
{
    static char maps[1 << 18];
    int64_t lines = 0;

    (void)state;
    snapshot("/proc/self/maps", maps, sizeof maps);
    snapshot("/proc/self/maps", maps, sizeof maps);
    for (const char *c = maps; *c; c++)
        lines += *c == '\n';
    assert_int_equal(mw_live_probe(&probe), 0);
    assert_int_equal(as(MW_CAP_MAPPINGS), MW_FOUND_NUMBER);
    /* what is shared with the child is one mapping more for the time */
    assert_in_range(probe.found[MW_CAP_MAPPINGS].number, lines, lines + 1);
}

static volatile bool enough;

/* Takes and gives the allocator's lock, and has the layout change all the time. */
static void *allocates(void *arg)
{
    (void)arg;
    while (!enough) {
        void *p = malloc(200000), *q = malloc(100);
        void *m = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        free(p);
        free(q);
        munmap(m, 8192);
    }
    return NULL;
}

/* Another thread that waits for any child must not get the probe's. */
static void *waits(void *arg)
{
    long *reaped = arg;
    while (!enough)
        *reaped += waitpid(-1, NULL, WNOHANG) > 0;
    return NULL;
}

static void threads_go_on(void **state)
{
    pthread_t thread[3];
    long reaped = 0;
    int bad = 0;

    (void)state;
    enough = false;
    pthread_create(&thread[0], NULL, allocates, NULL);
    pthread_create(&thread[1], NULL, allocates, NULL);
    pthread_create(&thread[2], NULL, waits, &reaped);
    for (int i = 0; i < 10; i++)
        bad += mw_live_probe(&probe) != 0 || as(MW_CAP_MREMAP_FIXED) != MW_FOUND_YES;
    enough = true;
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(bad, 0);
    assert_int_equal(reaped, 0);
}

static int large(void)
{
    size_t size = (size_t)256 << 20;
    char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(m != MAP_FAILED);
    memset(m, 7, size);
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_MADV_DONTFORK) == MW_FOUND_YES && as(MW_CAP_MADV_WIPEONFORK) == MW_FOUND_YES);
    pid_t pid = fork();
    if (pid == 0)
        _exit(m[0] == 7 && m[size - 1] == 7 ? 0 : 1);
    int status = 1;
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
}

/* PROBE-1: what the probe's child keeps from its own children is still given to the process's. */
static void a_large_process_forks_as_before(void **state)
{
    (void)state;
    in_child(large);
}

/* ---- where much is forbidden --------------------------------------------------------------- */

/* One system call answered by a filter, all else allowed. */
static bool filter(long call, uint32_t answer)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int filtered(void)
{
    MUST(filter(SYS_mremap, SECCOMP_RET_ERRNO | EPERM));
    MUST(filter(SYS_memfd_create, SECCOMP_RET_ERRNO | ENOSYS));
    MUST(filter(SYS_userfaultfd, SECCOMP_RET_KILL_PROCESS));
    MUST(filter(SYS_process_vm_readv, SECCOMP_RET_KILL_THREAD));
    MUST(filter(SYS_mlock2, SECCOMP_RET_TRAP));
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_MREMAP_FIXED) == MW_FOUND_REFUSED && err(MW_CAP_MREMAP_FIXED) == EPERM);
    MUST(as(MW_CAP_MREMAP_SEVERAL) == MW_FOUND_REFUSED);
    MUST(as(MW_CAP_TABLES_MOVE) == MW_FOUND_UNTRIED);
    MUST(as(MW_CAP_MEMFD) == MW_FOUND_NO && err(MW_CAP_MEMFD) == ENOSYS);
    MUST(as(MW_CAP_MEMFD_PUNCH) == MW_FOUND_UNTRIED && err(MW_CAP_MEMFD_PUNCH) == ENOSYS);
    for (int i = MW_CAP_UFFD; i <= MW_CAP_UFFD_REMAP; i++)
        MUST(probe.found[i].as == MW_FOUND_KILLED && probe.found[i].number == SIGSYS);
    MUST(as(MW_CAP_PROCESS_VM_READV) == MW_FOUND_KILLED);
    MUST(as(MW_CAP_MLOCK_ONFAULT) == MW_FOUND_KILLED);
    MUST(as(MW_CAP_PAGE_SIZE) == MW_FOUND_NUMBER); /* the last: it has gone on */
    MUST(as(MW_CAP_MADV_DONTFORK) == MW_FOUND_YES);
    MUST(probe.misfits == 0); /* a filter makes no other Linux */
    return 0;
}

/* PROBE-3 */
static void filters_refuse_and_kill_only_what_they_are_about(void **state)
{
    (void)state;
    in_child(filtered);
}

/* Success of a call that was not made. */
static int pretended(void)
{
    MUST(filter(SYS_madvise, SECCOMP_RET_ERRNO | 0));
    MUST(mw_live_probe(&probe) == 0);
    for (int i = MW_CAP_MADV_POPULATE_READ; i <= MW_CAP_MADV_COLLAPSE; i++)
        MUST(probe.found[i].as == MW_FOUND_NO && probe.found[i].err == 0);
    MUST(probe.misfits > 0); /* MADV_DONTFORK is as old as any */
    MUST(filter(SYS_mremap, SECCOMP_RET_ERRNO | ENOMEM));
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_MREMAP_FIXED) == MW_FOUND_NO && err(MW_CAP_MREMAP_FIXED) == ENOMEM);
    MUST(mw_probe_misfit(&probe, MW_CAP_MREMAP_FIXED, MW_LINUX(6, 18)));
    return 0;
}

/* PROBE-2 */
static void success_without_effect_is_none(void **state)
{
    (void)state;
    in_child(pretended);
}

static void on_filtered(int s)
{
    (void)s;
    _exit(3); /* as a program might that takes itself for the only one */
}

static int handled(void)
{
    MUST(signal(SIGSYS, on_filtered) != SIG_ERR);
    MUST(filter(SYS_mlock2, SECCOMP_RET_TRAP));
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_MLOCK_ONFAULT) == MW_FOUND_KILLED);
    MUST(probe.found[MW_CAP_MLOCK_ONFAULT].number == SIGSYS);
    MUST(as(MW_CAP_PAGE_SIZE) == MW_FOUND_NUMBER);
    MUST(signal(SIGSYS, SIG_DFL) == on_filtered);
    return 0;
}

/* PROBE-1 */
static void no_handler_runs_in_the_child(void **state)
{
    (void)state;
    in_child(handled);
}

static int without_child(void)
{
    MUST(filter(SYS_clone, SECCOMP_RET_ERRNO | EAGAIN));
    MUST(mw_live_probe(&probe) == -EAGAIN);
    for (int i = 0; i < MW_CAPS; i++)
        MUST(probe.found[i].as == MW_FOUND_UNTRIED);
    MUST(probe.linux_from == MW_LINUX_OLDEST && probe.linux_to == MW_LINUX_NEWEST);
    return 0;
}

/* PROBE-5 */
static void without_a_child_nothing_is_tried(void **state)
{
    (void)state;
    in_child(without_child);
}

static int nobody(void)
{
    char knob[8] = "";

    snapshot("/proc/sys/vm/unprivileged_userfaultfd", knob, sizeof knob);
    MUST(geteuid() != 0 || setuid(NOBODY) == 0);
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_MREMAP_FIXED) == MW_FOUND_YES);
    MUST(as(MW_CAP_DONTUNMAP_SHARED) != MW_FOUND_REFUSED);
    if (*knob == '0')
        MUST(as(MW_CAP_UFFD) == MW_FOUND_REFUSED && err(MW_CAP_UFFD) == EPERM);
    MUST(probe.misfits == 0);
    return 0;
}

static void anyone_may_ask(void **state)
{
    (void)state;
    in_child(nobody);
}

static char empty_dir[] = "/tmp/probe-XXXXXX";

static int emptied(void)
{
    MUST(chroot(empty_dir) == 0 && chdir("/") == 0);
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_MREMAP_FIXED) == MW_FOUND_YES);
    MUST(as(MW_CAP_MAX_MAP_COUNT) == MW_FOUND_UNTRIED && err(MW_CAP_MAX_MAP_COUNT) == ENOENT);
    MUST(as(MW_CAP_PAGEMAP) == MW_FOUND_UNTRIED && as(MW_CAP_PROCMAP_QUERY) == MW_FOUND_UNTRIED);
    MUST(as(MW_CAP_THP_ANON) == MW_FOUND_UNTRIED && as(MW_CAP_MAPPINGS) == MW_FOUND_UNTRIED);
    MUST(as(MW_CAP_DONTUNMAP_COUNTS_TWICE) == MW_FOUND_UNTRIED);
    MUST(probe.misfits == 0);
    return 0;
}

/* PROBE-3 */
static void without_proc_sys_and_dev(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(empty_dir));
    in_child(emptied);
    assert_int_equal(rmdir(empty_dir), 0);
}

static int limited(void)
{
    struct rlimit page = { (rlim_t)sysconf(_SC_PAGESIZE), (rlim_t)sysconf(_SC_PAGESIZE) };
    struct rlimit none = { 0, 0 };

    MUST(setrlimit(RLIMIT_MEMLOCK, &page) == 0);
    MUST(mw_live_probe(&probe) == 0);
    MUST(probe.found[MW_CAP_MEMLOCK_LIMIT].number == (int64_t)page.rlim_cur);
    MUST(as(MW_CAP_MLOCK_ONFAULT) == MW_FOUND_YES);
    MUST(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    MUST(geteuid() != 0 || setuid(NOBODY) == 0);
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_MLOCK_ONFAULT) == MW_FOUND_REFUSED && err(MW_CAP_MLOCK_ONFAULT) == EPERM);
    MUST(as(MW_CAP_DONTUNMAP_COUNTS_TWICE) == MW_FOUND_UNTRIED);
    return 0;
}

static void limits_are_told_and_refuse(void **state)
{
    (void)state;
    in_child(limited);
}

#if !defined(__SANITIZE_ADDRESS__)
/* Room for the small lab only: what needs more is not tried. */
static int narrow(void)
{
    char statm[64];
    struct rlimit limit;

    snapshot("/proc/self/statm", statm, sizeof statm);
    limit.rlim_cur = strtoul(statm, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + (16u << 20);
    limit.rlim_max = limit.rlim_cur;
    MUST(setrlimit(RLIMIT_AS, &limit) == 0);
    MUST(mw_live_probe(&probe) == 0);
    MUST(as(MW_CAP_TABLES_MOVE) == MW_FOUND_UNTRIED && err(MW_CAP_TABLES_MOVE) == ENOMEM);
    MUST(as(MW_CAP_MREMAP_FIXED) == MW_FOUND_YES);
    MUST(as(MW_CAP_HUGETLB_1G) != MW_FOUND_YES);
    MUST(probe.misfits == 0);
    return 0;
}

static void little_address_space_is_enough(void **state)
{
    (void)state;
    in_child(narrow);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_there_and_differ),
        cmocka_unit_test(versions_are_the_engines),
        cmocka_unit_test(what_tells_and_what_misfits),
        cmocka_unit_test(the_running_kernel_is_among_those_named),
        cmocka_unit_test(nothing_of_the_process_changes),
        cmocka_unit_test(mappings_are_those_of_the_asker),
        cmocka_unit_test(threads_go_on),
        cmocka_unit_test(a_large_process_forks_as_before),
        cmocka_unit_test(filters_refuse_and_kill_only_what_they_are_about),
        cmocka_unit_test(success_without_effect_is_none),
        cmocka_unit_test(no_handler_runs_in_the_child),
        cmocka_unit_test(without_a_child_nothing_is_tried),
        cmocka_unit_test(anyone_may_ask),
        cmocka_unit_test(without_proc_sys_and_dev),
        cmocka_unit_test(limits_are_told_and_refuse),
#if !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(little_address_space_is_enough),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
