/* SPDX-License-Identifier: MIT */
/*
 * test_strace.c - the reader of strace's logs: each form of a line, the joining
 * of halves, who is whose child, which file a descriptor is, and what it says
 * of lines that are none. Run from the project's folder, or with the folder of
 * recorded logs as argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mapwright/mapwright.h"
#include "trace/scan.h"
#include "trace/strace.h"
#include "trace/symbols.h"

enum { EVENTS = 2000 };

/* A log read to its end. */
struct told {
    struct event event[EVENTS];
    char where[EVENTS][64];
    size_t n;
    char complaints[8192];
    struct strace_counts counts;
};

static struct told told;
static const char *data_folder = "tests/data";

static void keep_complaint(void *ctx, const char *text)
{
    struct told *t = ctx;
    size_t n = strlen(t->complaints);
    snprintf(t->complaints + n, sizeof t->complaints - n, "%s\n", text);
}

static void read_bytes(const char *name, const char *data, size_t size)
{
    memset(&told, 0, sizeof told);
    struct strace_reader *reader = strace_open(name, data, size, keep_complaint, &told);
    while (told.n < EVENTS && strace_next(reader, &told.event[told.n])) {
        struct event *e = &told.event[told.n];
        snprintf(told.where[told.n], sizeof told.where[0], "%s", e->where);
        e->where = told.where[told.n++];
    }
    told.counts = strace_counted(reader);
    strace_close(reader);
}

static void read_text(const char *text)
{
    /* exactly as long as the text, so that a sanitizer sees a byte too far */
    size_t n = strlen(text);
    char *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    char *tight = realloc(copy, n != 0 ? n : 1);
    assert_non_null(tight);
    read_bytes("log", tight, n);
    free(tight);
}

/* The only event of a text without complaints. */
static const struct event *only(const char *text)
{
    read_text(text);
    assert_string_equal(told.complaints, "");
    assert_int_equal(told.n, 1);
    return &told.event[0];
}

static void expect_complaint(const char *text, const char *complaint)
{
    read_text(text);
    assert_string_equal(told.complaints, complaint);
    assert_int_equal(told.counts.bad, 1);
}

/* ---- calls ----------------------------------------------------------------- */

static void plain_mmap(void **state)
{
    (void)state;
    const struct event *e = only("mmap(NULL, 8192, PROT_READ|PROT_WRITE, "
                                 "MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f9f11641000\n");
    assert_int_equal(e->kind, EVENT_CALL);
    assert_int_equal(e->call, CALL_MMAP);
    assert_string_equal(e->name, "mmap");
    assert_int_equal(e->arg[0], 0);
    assert_int_equal(e->arg[1], 8192);
    assert_int_equal(e->arg[2], MW_PROT_READ | MW_PROT_WRITE);
    assert_int_equal(e->arg[3], MW_MAP_PRIVATE | MW_MAP_ANONYMOUS);
    assert_int_equal(e->arg[4], UINT64_MAX);
    assert_int_equal(e->arg[5], 0);
    assert_int_equal(e->result, 0x7f9f11641000);
    assert_true(e->result_known);
    assert_string_equal(e->where, "log:1");
}

static void flags_of_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t flags;
    } forms[] = {
        {"MAP_PRIVATE", 0x2},
        {"MAP_SHARED_VALIDATE|MAP_SYNC", 0x80003},
        {"0", 0},
        {"0x22", 0x22},
        {"MAP_FILE", 0},
        {"0xf /* MAP_??? */|MAP_ANONYMOUS", 0x2f},
        {"MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|21<<MAP_HUGE_SHIFT", 0x54040022},
        {"MAP_SHARED|0x4000000", 0x4000001},
        {"0x22 /* MAP_PRIVATE|MAP_ANONYMOUS */", 0x22},
        {"0x2f /* 0xf /* MAP_??? */|MAP_ANONYMOUS */", 0x2f},
        {"MAP_PRIVATE|MAP_FIXED_NOREPLACE|MAP_DROPPABLE", 0x10000a},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "mmap(NULL, 4096, PROT_NONE, %s, -1, 0) = -1 EINVAL "
                 "(Invalid argument)\n", forms[i].text);
        const struct event *e = only(text);
        assert_int_equal(e->arg[3], forms[i].flags);
        assert_int_equal(e->result, -22);
    }
}

static void numbers_to_the_end_of_64_bits(void **state)
{
    (void)state;
    const struct event *e = only("munmap(0xffffffffffffffff, 18446744073709551615) = -1 EINVAL "
                                 "(Invalid argument)\n");
    assert_int_equal(e->arg[0], UINT64_MAX);
    assert_int_equal(e->arg[1], UINT64_MAX);
    e = only("munmap(010, 4096*2) = 0\n");
    assert_int_equal(e->arg[0], 8);
    assert_int_equal(e->arg[1], 8192);
    expect_complaint("munmap(NULL, 18446744073709551616) = 0\n",
                     "log:1: expected a number of at most 64 bits, found "
                     "'18446744073709551616) = 0'\n");
    expect_complaint("munmap(NULL, 4294967296*4294967296) = 0\n",
                     "log:1: expected a product of at most 64 bits, found '4294967296) = 0'\n");
}

static void mremap_with_and_without_address(void **state)
{
    (void)state;
    const struct event *e = only("mremap(0x7000, 4096, 8192, MREMAP_MAYMOVE) = 0x9000\n");
    assert_int_equal(e->call, CALL_MREMAP);
    assert_int_equal(e->arg[3], MW_MREMAP_MAYMOVE);
    assert_int_equal(e->arg[4], 0);
    assert_int_equal(e->result, 0x9000);
    e = only("mremap(0x7000, 4096, 8192, MREMAP_MAYMOVE|MREMAP_FIXED|0x30, 0x123) = -1 EINVAL "
             "(Invalid argument)\n");
    assert_int_equal(e->arg[3], 0x33);
    assert_int_equal(e->arg[4], 0x123);
}

static void brk_and_others(void **state)
{
    (void)state;
    const struct event *e = only("brk(NULL)                               = 0x55b1cb68b000\n");
    assert_int_equal(e->call, CALL_BRK);
    assert_int_equal(e->result, 0x55b1cb68b000);
    e = only("madvise(0x7f9be3767000, 8368128, MADV_DONTNEED) = 0\n");
    assert_int_equal(e->call, CALL_MADVISE);
    assert_int_equal(e->arg[2], 4);
    e = only("io_setup(1, [0x7f9be4157000])           = 0\n");
    assert_int_equal(e->arg[1], 0x7f9be4157000);
    e = only("syscall_0x1ce(0x7f9be4157000, 0x1000, 0, 0, 0, 0) = 0\n");
    assert_int_equal(e->call, CALL_MSEAL);
    assert_string_equal(e->name, "mseal");
    e = only("prctl(PR_SOMETHING_NEW, 1, \"x\") = 0\n"); /* its hundreds of names need not be known */
    assert_int_equal(e->call, CALL_PRCTL);
    e = only("setrlimit(RLIMIT_MEMLOCK, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0\n");
    assert_true(e->value_known);
    assert_int_equal(e->value, 8 << 20);
    e = only("prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=8192*1024}) = 0\n");
    assert_false(e->value_known);
}

static void results_without_value(void **state)
{
    (void)state;
    assert_false(only("munmap(0x1000, 4096) = ?\n")->result_known);
    assert_false(only("munmap(0x1000, 4096) = ? ERESTARTSYS (To be restarted)\n")->result_known);
    assert_false(only("munmap(0x1000, 4096 <unfinished ...>) = ?\n")->result_known);
    assert_false(only("munmap(0x1000, 4096 <unfinished ...>\n")->result_known); /* never back */
    read_text("7 munmap(0x1000, 4096 <unfinished ...>\n7 +++ killed by SIGKILL +++\n");
    assert_int_equal(told.n, 2);
    assert_int_equal(told.event[0].arg[1], 4096);
    assert_false(told.event[0].result_known);
    assert_int_equal(told.event[1].result, 9);
}

/* ---- prefixes -------------------------------------------------------------- */

static void prefix_of_every_form(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "42  ", "[pid    42] ", "42  21:53:01 ", "42 21:53:01.123456 ", "42  1795298191.685387 ",
        "42       0.000123 ", "42 21:53:01 (+     0.000000) ", "42<sh> ", "[pid 42<a b>] ",
        "42 [00007f27b1f427f0] ", "42 [ 302] [00007f27b1f427f0] ", "42 [????????????????] ",
        "[pid    42]      0.000113 [  12] [00007f27b1f427f0] ",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "%smunmap(0x1000, 4096) = 0 <0.000020>\n", forms[i]);
        const struct event *e = only(text);
        assert_int_equal(e->tid, 42);
        assert_int_equal(e->call, CALL_MUNMAP);
    }
    assert_int_equal(only("     0.000123 brk(NULL) = 0x1000\n")->tid, 1);
    assert_int_equal(only("21:53:01 brk(NULL) = 0x1000\n")->tid, 1);
}

static void prefixes_that_are_none(void **state)
{
    (void)state;
    expect_complaint("0 brk(NULL) = 0x1000\n",
                     "log:1: expected a process id, found '0 brk(NULL) = 0x1000'\n");
    expect_complaint("99999999999 brk(NULL) = 0x1000\n", "log:1: expected a process id, found "
                     "'99999999999 brk(NULL) = 0x1000'\n");
    expect_complaint("[pid x] brk(NULL) = 0x1000\n",
                     "log:1: expected a process id, found 'x] brk(NULL) = 0x1000'\n");
}

static void name_of_the_file_tells_the_task(void **state)
{
    static const char text[] = "brk(NULL) = 0x1000\n";
    (void)state;
    read_bytes("trace.1234", text, sizeof text - 1);
    assert_int_equal(told.event[0].tid, 1234);
    read_bytes("trace.log", text, sizeof text - 1);
    assert_int_equal(told.event[0].tid, 1);
}

static void remarks_are_passed_over(void **state)
{
    (void)state;
    read_text("strace: Process 7 attached\n"
              "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL} ---\n"
              "7 --- SIGCONT {si_signo=SIGCONT} ---\n"
              " > /usr/lib/libc.so.6(_dl_catch_error+0x26f0) [0x1ab70]\n"
              "[ Process PID=7 runs in 32 bit mode. ]\n"
              "7 ???" "?( <detached ...>\n"
              "\n"
              "7 read(3, \"a, b) = 7\", 9) = 9\n"
              "7 <... futex resumed>) = 0\n"
              "7 futex(0x1000, FUTEX_WAIT <unfinished ...>\n"
              "7 exit_group(0) = ?\n");
    assert_string_equal(told.complaints, "");
    assert_int_equal(told.n, 0);
    assert_int_equal(told.counts.lines, 11);
}

/* ---- halves ---------------------------------------------------------------- */

static void halves_are_joined_by_task(void **state)
{
    (void)state;
    read_text("7 mmap(NULL, 8192, PROT_READ|PROT_WRITE <unfinished ...>\n"
              "8 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>\n"
              "7 <... mmap resumed>, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7000\n"
              "8 <... mmap resumed>)               = 0x9000\n");
    assert_string_equal(told.complaints, "");
    assert_int_equal(told.n, 2);
    assert_int_equal(told.event[0].tid, 7);
    assert_int_equal(told.event[0].arg[1], 8192);
    assert_int_equal(told.event[0].result, 0x7000);
    assert_string_equal(told.event[0].where, "log:3");
    assert_int_equal(told.event[1].tid, 8);
    assert_int_equal(told.event[1].result, 0x9000);
}

static void a_second_half_alone(void **state)
{
    (void)state;
    expect_complaint("7 <... mmap resumed>) = 0x7000\n",
                     "log:1: expected an unfinished call of this task before, found 'mmap'\n");
    expect_complaint("7 munmap(0x1000, 4096 <unfinished ...>\n"
                     "7 <... mmap resumed>) = 0x7000\n",
                     "log:2: expected an unfinished call of this task before, found 'mmap'\n");
}

/* On standard error strace breaks into its own lines. */
static void line_broken_by_attaching(void **state)
{
    (void)state;
    read_text("brk(NULL) = 0x1000\n"
              "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLDstrace: Process 8 attached\n"
              ", child_tidptr=0x7f9be3f68a10) = 8\n"
              "[pid     8] munmap(0x1000, 4096) = 0\n"
              "[pid     7] munmap(0x2000, 4096) = 0\n"
              "[pid     8] +++ exited with 3 +++\n"
              "munmap(0x3000, 4096) = 0\n");
    static const int tids[] = {7, 7, 8, 7, 8, 7};
    assert_string_equal(told.complaints, "");
    assert_int_equal(told.n, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(told.event[i].tid, tids[i]);
    assert_int_equal(told.event[1].kind, EVENT_FORK);
    assert_int_equal(told.event[1].result, 8);
    assert_false(told.event[1].shares_vm);
}

/* ---- tasks ----------------------------------------------------------------- */

static void children_of_every_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool shares;
    } kinds[] = {
        {"fork() = 8\n", false},
        {"vfork() = 8\n", true},
        {"clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x10) = 8\n", false},
        {"clone(child_stack=0x7f, flags=CLONE_VM|CLONE_VFORK|SIGCHLD) = 8\n", true},
        {"clone(child_stack=0x7f, flags=CLONE_VFORK|SIGCHLD) = 8\n", false},
        {"clone(child_stack=0x7f, flags=0x4111) = 8\n", true},
        {"clone3({flags=CLONE_VM|CLONE_FS, stack=0x7f} => {parent_tid=[8]}, 88) = 8\n", true},
        {"clone3({flags=0, exit_signal=SIGCHLD}, 88) = 8\n", false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct event *e = only(kinds[i].text);
        assert_int_equal(e->kind, EVENT_FORK);
        assert_int_equal(e->result, 8);
        assert_int_equal(e->shares_vm, kinds[i].shares);
    }
    read_text("fork() = -1 EAGAIN (Resource temporarily unavailable)\n7 clone(flags=0) = 7\n");
    assert_int_equal(told.n, 0);
}

/* The child speaks before its parent's clone returns: it is told first. */
static void child_that_is_quicker(void **state)
{
    (void)state;
    read_text("7 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>\n"
              "6 clone(child_stack=0x1, flags=CLONE_VM|SIGCHLD <unfinished ...>\n"
              "8 munmap(0x1000, 4096) = 0\n"
              "9 +++ exited with 0 +++\n"
              "6 <... clone resumed>) = 9\n"
              "7 <... clone resumed>, child_tidptr=0x7f9f11451a10) = 8\n");
    assert_string_equal(told.complaints, "");
    assert_int_equal(told.n, 4);
    assert_int_equal(told.event[0].kind, EVENT_FORK);
    assert_int_equal(told.event[0].tid, 7);
    assert_int_equal(told.event[0].result, 8);
    assert_int_equal(told.event[1].tid, 8);
    assert_int_equal(told.event[2].kind, EVENT_FORK);
    assert_int_equal(told.event[2].tid, 6);
    assert_true(told.event[2].shares_vm);
    assert_int_equal(told.event[3].kind, EVENT_EXIT);
}

static void exec_of_a_thread(void **state)
{
    (void)state;
    read_text("7 clone(child_stack=0x1, flags=CLONE_VM|CLONE_THREAD) = 8\n"
              "8 execve(\"/bin/true\", [\"true\"], 0x7ffd /* 41 vars */ <unfinished ...>\n"
              "7 +++ superseded by execve in pid 8 +++\n"
              "7 <... execve resumed>)             = 0\n");
    assert_string_equal(told.complaints, "");
    assert_int_equal(told.n, 3);
    assert_int_equal(told.event[1].kind, EVENT_EXIT);
    assert_int_equal(told.event[1].tid, 8);
    assert_int_equal(told.event[2].kind, EVENT_EXEC);
    assert_int_equal(told.event[2].tid, 7);
    assert_string_equal(told.event[2].file.path, "/bin/true");
}

static void ends_of_every_kind(void **state)
{
    (void)state;
    assert_int_equal(only("7 +++ exited with 3 +++\n")->result, 3 << 8);
    assert_int_equal(only("7 +++ killed by SIGSEGV +++\n")->result, 11);
    assert_int_equal(only("7 +++ killed by SIGABRT (core dumped) +++\n")->result, 6 | 0x80);
    assert_false(only("7 +++ killed by SIGRT_5 +++\n")->result_known);
    expect_complaint("7 +++ exited with 4711 +++\n",
                     "log:1: expected an exit code, found '4711 +++'\n");
}

static void exec_that_failed(void **state)
{
    (void)state;
    read_text("execve(\"/no\", [\"no\"], 0x7ffd /* 4 vars */) = -1 ENOENT (No such file or "
              "directory)\n");
    assert_int_equal(told.n, 0);
    assert_string_equal(told.complaints, "");
}

/* ---- descriptors ----------------------------------------------------------- */

#define MAP_FD(fd) "7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, " fd ", 0) = 0x7000\n"

static const struct event_file *last_file(const char *text)
{
    read_text(text);
    assert_string_equal(told.complaints, "");
    assert_true(told.n > 0);
    return &told.event[told.n - 1].file;
}

static void descriptor_with_its_path(void **state)
{
    (void)state;
    const struct event_file *f = last_file(MAP_FD("3</usr/lib/libc.so.6>"));
    assert_true(f->known);
    assert_string_equal(f->path, "/usr/lib/libc.so.6");
    f = last_file(MAP_FD("3</a, b) \\76\\\"x>(deleted)"));
    assert_string_equal(f->path, "/a, b) >\"x");
    f = last_file(MAP_FD("3</dev/zero<char 1:5>>"));
    assert_string_equal(f->path, "/dev/zero");
    f = last_file(MAP_FD("3</tmp/ends-in->"));
    assert_string_equal(f->path, "/tmp/ends-in-");
    f = last_file(MAP_FD("3<TCP:[127.0.0.1:34->127.0.0.1:80]>"));
    assert_string_equal(f->path, "TCP:[127.0.0.1:34->127.0.0.1:80]");
}

static void descriptor_that_was_opened(void **state)
{
    (void)state;
    const struct event_file *f =
        last_file("7 openat(AT_FDCWD, \"/etc/a\\\"b\", O_RDONLY|O_CLOEXEC) = 3\n" MAP_FD("3"));
    assert_true(f->known);
    assert_string_equal(f->path, "/etc/a\"b");
    assert_int_equal(f->mode, MW_FILE_READ);
    f = last_file("7 open(\"/x\", O_RDWR|O_CREAT, 0600) = 3\n" MAP_FD("3"));
    assert_int_equal(f->mode, MW_FILE_READ | MW_FILE_WRITE);
    f = last_file("7 creat(\"/x\", 0600) = 3\n" MAP_FD("3"));
    assert_int_equal(f->mode, MW_FILE_WRITE);
    f = last_file("7 openat2(AT_FDCWD, \"/x\", {flags=O_WRONLY, resolve=0}, 24) = 3\n" MAP_FD("3"));
    assert_int_equal(f->mode, MW_FILE_WRITE);
    f = last_file("7 openat(AT_FDCWD, \"/x\", O_RDONLY|O_PATH) = 3\n" MAP_FD("3"));
    assert_int_equal(f->mode, 0);
}

static void descriptors_copied_and_closed(void **state)
{
    (void)state;
#define OPEN_3 "7 openat(AT_FDCWD, \"/x\", O_RDWR) = 3\n"
    assert_string_equal(last_file(OPEN_3 "7 dup(3) = 5\n7 close(3) = 0\n" MAP_FD("5"))->path, "/x");
    assert_string_equal(last_file(OPEN_3 "7 dup2(3, 9) = 9\n" MAP_FD("9"))->path, "/x");
    assert_string_equal(last_file(OPEN_3 "7 dup3(3, 9, O_CLOEXEC) = 9\n" MAP_FD("9"))->path, "/x");
    assert_string_equal(last_file(OPEN_3 "7 fcntl(3, F_DUPFD, 5) = 6\n" MAP_FD("6"))->path, "/x");
    assert_string_equal(last_file(OPEN_3 "7 fork() = 8\n7 close(3) = 0\n"
                                         "8 mmap(NULL, 1, PROT_READ, MAP_PRIVATE, 3, 0) = 0x1000\n")
                            ->path,
                        "/x");
    assert_false(last_file(OPEN_3 "7 close(3) = 0\n" MAP_FD("3"))->known);
    assert_false(last_file(OPEN_3 "7 close_range(3, 4294967295, 0) = 0\n" MAP_FD("3"))->known);
    assert_false(last_file("7 open(\"/x\", O_RDWR|O_CLOEXEC) = 3\n"
                           "7 execve(\"/y\", [], 0) = 0\n" MAP_FD("3"))
                     ->known);
#undef OPEN_3
}

static void descriptor_that_nobody_opened(void **state)
{
    (void)state;
    const struct event_file *f = last_file(MAP_FD("3") MAP_FD("3"));
    assert_false(f->known);
    assert_string_equal(f->path, "fd 3 of 7");
    assert_int_not_equal(f->ino, 0);
    assert_int_equal(told.event[0].file.ino, told.event[1].file.ino);
    last_file(MAP_FD("3") "7 close(3) = 0\n" MAP_FD("3"));
    assert_int_not_equal(told.event[0].file.ino, told.event[1].file.ino);
}

static void memfds_of_one_name_are_two(void **state)
{
    (void)state;
    last_file("7 memfd_create(\"foo\", MFD_CLOEXEC) = 3\n7 memfd_create(\"foo\", 0) = 4\n"
              MAP_FD("3") MAP_FD("4"));
    assert_string_equal(told.event[0].file.path, "/memfd:foo");
    assert_string_equal(told.event[1].file.path, "/memfd:foo");
    assert_int_not_equal(told.event[0].file.ino, told.event[1].file.ino);
    last_file("7 memfd_create(\"foo\", 0) = 3</memfd:foo>(deleted)\n"
              MAP_FD("3</memfd:foo>(deleted)"));
    assert_int_not_equal(told.event[0].file.ino, 0);
}

/* ---- bad lines ------------------------------------------------------------- */

static void each_says_what_was_expected(void **state)
{
    (void)state;
    expect_complaint("hello, world\n", "log:1: expected a call, a signal or an exit, found "
                     "'hello, world'\n");
    expect_complaint("brk(NULL) = 0x1000\nmunmap(0x1000) = 0\n",
                     "log:2: expected more arguments, found '(0x1000) = 0'\n");
    expect_complaint("munmap(0x1000, 4096) = -1 ESTRANGE (No)\n",
                     "log:1: expected the name of an errno, found 'ESTRANGE (No)'\n");
    expect_complaint("munmap(0x1000, 4096) 0\n", "log:1: expected '= result', found '0'\n");
    expect_complaint("munmap(0x1000, {4096 = 0\n",
                     "log:1: expected a closing bracket, found the end of the line\n");
    expect_complaint("mprotect(0x1000, 4096, PROT_FOO) = 0\n",
                     "log:1: expected a name of Linux's, found 'PROT_FOO'\n");
    expect_complaint("munmap(0x1000, 40",
                     "log:1: expected ',' or ')', found the end of the file\n");
    expect_complaint("read(3, \"half", "log:1: expected the rest of the call, found the end of "
                     "the file\n");
}

static void the_rest_goes_on(void **state)
{
    (void)state;
    read_text("munmap(0x1000, 4096) = 0\r\n\x7f" "ELF\x01\x02\nmunmap(0x2000, 4096) = 0\r\n");
    assert_int_equal(told.n, 2);
    assert_int_equal(told.counts.bad, 1);
    assert_int_equal(told.event[1].arg[0], 0x2000);
    assert_string_equal(told.event[1].where, "log:3");
}

static void zero_bytes_and_nothing(void **state)
{
    static const char zeros[] = "munmap(0x1000, 4096)\0 = 0\n\0\0\0\nbrk(NULL) = 0x1000\n";
    (void)state;
    read_bytes("log", zeros, sizeof zeros - 1);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.counts.bad, 2);
    read_text("");
    assert_int_equal(told.counts.lines, 0);
    read_bytes("log", NULL, 0);
    assert_int_equal(told.n, 0);
}

static void a_gigantic_line(void **state)
{
    (void)state;
    size_t size = 4 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', size);
    memcpy(text, "munmap(", 7);
    text[size - 1] = '\n';
    read_bytes("log", text, size);
    assert_int_equal(told.counts.bad, 1);
    free(text);
}

/* ---- recorded logs --------------------------------------------------------- */

static void read_file(const char *name)
{
    static char data[1 << 20];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", data_folder, name);
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        fail_msg("%s: not there", path);
    size_t n = fread(data, 1, sizeof data, in);
    fclose(in);
    read_bytes(name, data, n);
}

static size_t count_events(enum event_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < told.n; i++)
        n += told.event[i].kind == kind;
    return n;
}

static void recorded_logs_have_no_bad_line(void **state)
{
    static const char *const names[] = {
        "demo.strace", "pipeline-y.strace", "pipeline-times.strace", "python.strace",
        "grow-stderr.strace", "grow-verbose.strace", "grow-k.strace", "calls-stderr.strace",
        "files-yy.strace", "versions.strace"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        read_file(names[i]);
        assert_string_equal(told.complaints, "");
        assert_true(count_events(EVENT_CALL) > 20);
    }
}

static void a_pipeline_has_four_programs(void **state)
{
    static const char *const names[] = {"pipeline-y.strace", "pipeline-times.strace"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        read_file(names[i]);
        assert_int_equal(count_events(EVENT_EXEC), 4);
        assert_int_equal(count_events(EVENT_FORK), 3);
        assert_int_equal(count_events(EVENT_EXIT), 4);
    }
}

static void cut_and_hostile_logs(void **state)
{
    (void)state;
    read_file("truncated.strace");
    assert_int_equal(told.counts.bad, 1);
    assert_non_null(strstr(told.complaints, "found the end of the file"));
    read_file("hostile.strace");
    assert_int_equal(told.counts.bad, 20);
    assert_int_equal(told.event[told.n - 1].kind, EVENT_EXIT);
}

/* ---- names ----------------------------------------------------------------- */

static void names_are_found(void **state)
{
    static const char *const first_and_last[] = {"AT_FDCWD", "SHM_RND", "PROT_READ", "NULL"};
    uint64_t n;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_true(symbol_find((struct text){first_and_last[i], strlen(first_and_last[i])}, &n));
    assert_false(symbol_find((struct text){"PROT_", 5}, &n));
    assert_false(symbol_find((struct text){"", 0}, &n));
    assert_int_equal(symbol_errno((struct text){"EHWPOISON", 9}), 133);
    assert_int_equal(symbol_errno((struct text){"EOPNOTSUPP", 10}), 95);
    assert_int_equal(symbol_errno((struct text){"", 0}), 0);
    assert_int_equal(symbol_signal((struct text){"SIGSYS", 6}), 31);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_mmap),
        cmocka_unit_test(flags_of_every_form),
        cmocka_unit_test(numbers_to_the_end_of_64_bits),
        cmocka_unit_test(mremap_with_and_without_address),
        cmocka_unit_test(brk_and_others),
        cmocka_unit_test(results_without_value),
        cmocka_unit_test(prefix_of_every_form),
        cmocka_unit_test(prefixes_that_are_none),
        cmocka_unit_test(name_of_the_file_tells_the_task),
        cmocka_unit_test(remarks_are_passed_over),
        cmocka_unit_test(halves_are_joined_by_task),
        cmocka_unit_test(a_second_half_alone),
        cmocka_unit_test(line_broken_by_attaching),
        cmocka_unit_test(children_of_every_kind),
        cmocka_unit_test(child_that_is_quicker),
        cmocka_unit_test(exec_of_a_thread),
        cmocka_unit_test(ends_of_every_kind),
        cmocka_unit_test(exec_that_failed),
        cmocka_unit_test(descriptor_with_its_path),
        cmocka_unit_test(descriptor_that_was_opened),
        cmocka_unit_test(descriptors_copied_and_closed),
        cmocka_unit_test(descriptor_that_nobody_opened),
        cmocka_unit_test(memfds_of_one_name_are_two),
        cmocka_unit_test(each_says_what_was_expected),
        cmocka_unit_test(the_rest_goes_on),
        cmocka_unit_test(zero_bytes_and_nothing),
        cmocka_unit_test(a_gigantic_line),
        cmocka_unit_test(recorded_logs_have_no_bad_line),
        cmocka_unit_test(a_pipeline_has_four_programs),
        cmocka_unit_test(cut_and_hostile_logs),
        cmocka_unit_test(names_are_found),
    };
    if (argc > 1)
        data_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
