/* SPDX-License-Identifier: MIT */
/*
 * strace_calls.c - one call of a log, from its text to what it means: an event,
 * or a change of the descriptor table. Decides which calls matter.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "mapwright/mapwright.h"
#include "strace_impl.h"
#include "symbols.h"

static const struct call calls[] = {
    {"mmap", WORK_MEMORY, CALL_MMAP, 6, 0},
    {"munmap", WORK_MEMORY, CALL_MUNMAP, 2, 0},
    {"mprotect", WORK_MEMORY, CALL_MPROTECT, 3, 0},
    {"brk", WORK_MEMORY, CALL_BRK, 1, 0},
    {"mremap", WORK_MEMORY, CALL_MREMAP, 4, 0},
    {"madvise", WORK_MEMORY, CALL_MADVISE, 3, 0},
    {"mlock", WORK_MEMORY, CALL_MLOCK, 2, 0},
    {"mlock2", WORK_MEMORY, CALL_MLOCK2, 3, 0},
    {"munlock", WORK_MEMORY, CALL_MUNLOCK, 2, 0},
    {"mlockall", WORK_MEMORY, CALL_MLOCKALL, 1, 0},
    {"munlockall", WORK_MEMORY, CALL_MUNLOCKALL, 0, 0},
    {"pkey_mprotect", WORK_MEMORY, CALL_PKEY_MPROTECT, 4, 0},
    {"pkey_alloc", WORK_MEMORY, CALL_PKEY_ALLOC, 2, 0},
    {"pkey_free", WORK_MEMORY, CALL_PKEY_FREE, 1, 0},
    {"mseal", WORK_MEMORY, CALL_MSEAL, 3, 0},
    {"syscall_0x1ce", WORK_MEMORY, CALL_MSEAL, 3, 0}, /* to a strace older than mseal */
    {"remap_file_pages", WORK_MEMORY, CALL_REMAP_FILE_PAGES, 5, 0},
    {"shmat", WORK_MEMORY, CALL_SHMAT, 3, 0},
    {"shmdt", WORK_MEMORY, CALL_SHMDT, 1, 0},
    {"io_setup", WORK_MEMORY, CALL_IO_SETUP, 2, 0},
    {"io_destroy", WORK_MEMORY, CALL_IO_DESTROY, 1, 0},
    {"prctl", WORK_MEMORY, CALL_PRCTL, 1, 0},
    {"prlimit64", WORK_MEMORY, CALL_PRLIMIT, 4, 0},
    {"setrlimit", WORK_MEMORY, CALL_SETRLIMIT, 2, 0},
    {"process_madvise", WORK_MEMORY, CALL_PROCESS_MADVISE, 4, 0},
    {"userfaultfd", WORK_MEMORY, CALL_USERFAULTFD, 1, 0},
    {"msync", WORK_MEMORY, CALL_MSYNC, 3, 0},
    {"mincore", WORK_MEMORY, CALL_MINCORE, 2, 0},
    {"map_shadow_stack", WORK_MEMORY, CALL_OTHER, 3, 0},
    {"open", WORK_OPEN, CALL_OTHER, 0, 1},
    {"openat", WORK_OPEN, CALL_OTHER, 1, 2},
    {"openat2", WORK_OPEN, CALL_OTHER, 1, 2},
    {"creat", WORK_OPEN, CALL_OTHER, 0, -1},
    {"memfd_create", WORK_NEWFD, CALL_OTHER, 0, 0},
    {"memfd_secret", WORK_NEWFD, CALL_OTHER, 0, 0},
    {"perf_event_open", WORK_NEWFD, CALL_OTHER, 0, 0},
    {"io_uring_setup", WORK_NEWFD, CALL_OTHER, 0, 0},
    {"socket", WORK_NEWFD, CALL_OTHER, 0, 0},
    {"dup", WORK_DUP, CALL_OTHER, -1, -1},
    {"dup2", WORK_DUP, CALL_OTHER, 1, -1},
    {"dup3", WORK_DUP, CALL_OTHER, 1, 2},
    {"fcntl", WORK_FCNTL, CALL_OTHER, 0, 0},
    {"close", WORK_CLOSE, CALL_OTHER, 0, 0},
    {"close_range", WORK_CLOSE_RANGE, CALL_OTHER, 0, 0},
    {"execve", WORK_EXEC, CALL_OTHER, 0, 0},
    {"execveat", WORK_EXEC, CALL_OTHER, 0, 0},
    {"fork", WORK_FORK, CALL_OTHER, 0, 0},
    {"vfork", WORK_FORK, CALL_OTHER, 0, 0},
    {"clone", WORK_FORK, CALL_OTHER, 0, 0},
    {"clone3", WORK_FORK, CALL_OTHER, 0, 0},
};

const struct call *log_call_find(struct text name)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (text_is(name, calls[i].name))
            return &calls[i];
    return NULL;
}

const struct call *log_call_of(struct text text)
{
    struct scan s = scan_text(text);
    return log_call_find(scan_word(&s));
}

/* ---- one call ------------------------------------------------------------ */

struct result {
    bool known;
    int64_t value;    /* -errno on failure */
    struct text path; /* a descriptor's, with -y */
};

enum { ARGS = 6 };

/* One finished call, on its way from text to event. */
struct finished {
    const struct call *call;
    struct task *task;
    struct text text; /* the whole of it, both halves */
    struct value arg[ARGS];
    int args;
    struct result result;
};

/* "-1 ENOMEM (Cannot allocate memory)", "?", "0x7f12000", "3</etc/passwd>" */
static bool scan_result(struct scan *s, struct result *out)
{
    uint64_t n;
    memset(out, 0, sizeof *out);
    scan_blanks(s);
    if (!scan_take(s, "="))
        return scan_fail(s, "'= result'");
    scan_blanks(s);
    if (scan_take(s, "?"))
        return true;
    bool failed = scan_peek(s) == '-';
    if (!scan_number(s, &n))
        return false;
    out->known = true;
    out->value = (int64_t)n;
    if (!failed)
        return scan_note(s, &out->path);
    scan_blanks(s);
    struct scan name = *s;
    int err = symbol_errno(scan_word(&name));
    if (err == 0)
        return scan_fail(s, "the name of an errno");
    out->value = -err;
    return true;
}

static bool opened(const struct result *result, int *fd)
{
    if (!result->known || result->value < 0 || result->value > INT_MAX)
        return false;
    *fd = (int)result->value;
    return true;
}

static uint32_t mode_of_flags(uint64_t flags)
{
    static const uint32_t modes[] = {MW_FILE_READ, MW_FILE_WRITE,
                                     MW_FILE_READ | MW_FILE_WRITE, 0};
    return (flags & 0x200000) != 0 ? 0 : modes[flags & 3]; /* O_PATH: neither */
}

static uint64_t open_flags(const struct finished *f)
{
    if (f->call->b < 0)
        return 0x1; /* creat: O_WRONLY */
    const struct value *v = &f->arg[f->call->b];
    const char *inside = v->kind == VALUE_OPAQUE ? text_find(v->text, "flags=") : NULL;
    if (inside == NULL)
        return v->number;
    struct scan s = {inside, v->text.s + v->text.n, NULL}; /* openat2's structure */
    struct value flags;
    return scan_value(&s, &flags) ? flags.number : 0;
}

static void do_open(struct strace_reader *r, const struct finished *f)
{
    int fd;
    if (!opened(&f->result, &fd))
        return;
    uint64_t flags = open_flags(f);
    struct open_file *file = fds_open(f->task->fds, fd, (flags & 0x80000) != 0);
    struct text path = f->result.path.n != 0 ? f->result.path : f->arg[f->call->a].text;
    text_unescape(path, file->path, sizeof file->path);
    file->mode = mode_of_flags(flags);
    if ((flags & 0x410000) == 0x410000) /* O_TMPFILE: the path is only the directory */
        file->serial = ++r->serial;
}

static void do_newfd(struct strace_reader *r, const struct finished *f)
{
    int fd;
    if (!opened(&f->result, &fd))
        return;
    bool memfd = strcmp(f->call->name, "memfd_create") == 0;
    struct open_file *file = fds_open(f->task->fds, fd, memfd && (f->arg[1].number & 1) != 0);
    char inside[200];
    text_unescape(f->arg[0].text, inside, sizeof inside);
    if (f->result.path.n != 0)
        text_unescape(f->result.path, file->path, sizeof file->path);
    else if (memfd)
        snprintf(file->path, sizeof file->path, "/memfd:%s", inside);
    else
        snprintf(file->path, sizeof file->path, "%s", f->call->name);
    file->mode = MW_FILE_READ | MW_FILE_WRITE;
    file->serial = ++r->serial;
}

/* A descriptor among the arguments; false: out of range, which the call refused. */
static bool fd_arg(const struct finished *f, int which, int *fd)
{
    uint64_t n = f->arg[which].number;
    if (which >= f->args || n > INT_MAX)
        return false;
    *fd = (int)n;
    return true;
}

static void do_dup(const struct finished *f, bool cloexec)
{
    int from, to;
    if (fd_arg(f, 0, &from) && opened(&f->result, &to))
        fds_dup(f->task->fds, from, to, cloexec);
}

static void do_fcntl(const struct finished *f)
{
    int fd;
    uint64_t command = f->arg[1].number;
    if (f->arg[1].unknown.n != 0 || f->args < 2 || !fd_arg(f, 0, &fd) || !f->result.known)
        return;
    if (command == 0 || command == 1030) /* F_DUPFD, F_DUPFD_CLOEXEC */
        do_dup(f, command == 1030);
    else if (command == 2 && f->result.value == 0) /* F_SETFD */
        fds_set_cloexec(f->task->fds, fd, fd, (f->arg[2].number & 1) != 0);
}

static void do_close_range(const struct finished *f)
{
    uint64_t first = f->arg[0].number, last = f->arg[1].number, flags = f->arg[2].number;
    if (f->args < 2 || !f->result.known || f->result.value != 0 || first > INT_MAX)
        return;
    if (last > INT_MAX)
        last = INT_MAX;
    if ((flags & 2) != 0) { /* CLOSE_RANGE_UNSHARE */
        struct fds *own = fds_copy(f->task->fds);
        fds_drop(f->task->fds);
        f->task->fds = own;
    }
    if ((flags & 4) != 0) /* CLOSE_RANGE_CLOEXEC */
        fds_set_cloexec(f->task->fds, (int)first, (int)last, true);
    else
        fds_close(f->task->fds, (int)first, (int)last);
}

static void do_exec(struct strace_reader *r, const struct finished *f)
{
    if (!f->result.known || f->result.value != 0)
        return;
    struct fds *own = fds_copy(f->task->fds);
    fds_drop(f->task->fds);
    f->task->fds = own;
    fds_exec(own);
    struct event *e = log_event(r, EVENT_EXEC, f->task->tid);
    int path = strcmp(f->call->name, "execveat") == 0;
    e->name = f->call->name;
    text_unescape(f->arg[path].text, e->file.path, sizeof e->file.path);
    e->file.known = e->file.path[0] != '\0';
}

static void do_fork(struct strace_reader *r, const struct finished *f)
{
    int child;
    if (opened(&f->result, &child) && child > 0)
        log_born(r, f->task->tid, f->text, child);
}

/* ---- memory calls -------------------------------------------------------- */

/* The file behind a descriptor that the log never opened. */
static const struct open_file *unknown_file(struct strace_reader *r, struct task *task, int fd)
{
    struct open_file *file = fds_open(task->fds, fd, false);
    snprintf(file->path, sizeof file->path, "fd %d of %d", fd, task->tid);
    file->mode = MW_FILE_READ | MW_FILE_WRITE;
    file->serial = ++r->serial;
    file->unknown = true;
    return file;
}

static void file_of_fd(struct strace_reader *r, struct task *task, const struct value *arg,
                       struct event_file *out)
{
    char path[sizeof out->path] = "";
    int fd = (int)arg->number;
    const struct open_file *file = fds_find(task->fds, fd);
    text_unescape(arg->text, path, sizeof path);
    /* a path of strace's own outweighs what was pieced together here */
    if (path[0] != '\0' && (file == NULL || strcmp(path, file->path) != 0)) {
        out->known = true;
        out->mode = MW_FILE_READ | MW_FILE_WRITE;
        snprintf(out->path, sizeof out->path, "%s", path);
        return;
    }
    if (file == NULL)
        file = unknown_file(r, task, fd);
    out->known = !file->unknown;
    out->mode = file->mode;
    out->ino = file->serial;
    snprintf(out->path, sizeof out->path, "%s", file->path);
}

/* The soft limit in "{rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}". */
static void limit_of(const struct value *arg, struct event *e)
{
    const char *at = arg->kind == VALUE_OPAQUE ? text_find(arg->text, "rlim_cur=") : NULL;
    if (at == NULL)
        return;
    struct scan s = {at, arg->text.s + arg->text.n, NULL};
    struct value limit;
    if (!scan_value(&s, &limit) || limit.unknown.n != 0)
        return;
    e->value_known = true;
    e->value = limit.number;
}

/* Names that must be understood; prctl and its like have hundreds that need not be. */
static bool names_matter(enum call_nr nr)
{
    return nr != CALL_PRCTL && nr != CALL_PRLIMIT && nr != CALL_SETRLIMIT &&
           nr != CALL_USERFAULTFD && nr != CALL_OTHER;
}

static bool check_memory(struct strace_reader *r, const struct finished *f)
{
    const char *end = f->text.s + f->text.n;
    if (f->args < f->call->a) {
        log_complain(r, "more arguments", text_find(f->text, "("), end);
        return false;
    }
    for (int i = 0; i < f->args && i < ARGS && names_matter(f->call->nr); i++) {
        struct text name = f->arg[i].unknown;
        if (name.n != 0) {
            log_complain(r, "a name of Linux's", name.s, name.s + name.n);
            return false;
        }
    }
    return true;
}

static void do_memory(struct strace_reader *r, const struct finished *f)
{
    if (!check_memory(r, f))
        return;
    struct event *e = log_event(r, EVENT_CALL, f->task->tid);
    e->call = f->call->nr;
    e->name = f->call->nr == CALL_MSEAL ? "mseal" : f->call->name;
    e->result = f->result.value;
    e->result_known = f->result.known;
    for (int i = 0; i < f->args && i < ARGS; i++)
        e->arg[i] = f->arg[i].unknown.n == 0 ? f->arg[i].number : UINT64_MAX;
    if (f->call->nr == CALL_MMAP && (e->arg[3] & MW_MAP_ANONYMOUS) == 0 && e->arg[4] <= INT_MAX)
        file_of_fd(r, f->task, &f->arg[4], &e->file);
    if (f->call->nr == CALL_PRLIMIT)
        limit_of(&f->arg[2], e);
    if (f->call->nr == CALL_SETRLIMIT)
        limit_of(&f->arg[1], e);
}

static void do_call(struct strace_reader *r, const struct finished *f)
{
    int fd;
    switch (f->call->work) {
    case WORK_MEMORY:
        do_memory(r, f);
        break;
    case WORK_OPEN:
        do_open(r, f);
        break;
    case WORK_NEWFD:
        do_newfd(r, f);
        break;
    case WORK_DUP:
        do_dup(f, f->call->b >= 0 && (f->arg[f->call->b].number & 0x80000) != 0);
        break;
    case WORK_FCNTL:
        do_fcntl(f);
        break;
    case WORK_CLOSE: /* even a failing close lets go of the descriptor */
        if (fd_arg(f, 0, &fd))
            fds_close(f->task->fds, fd, fd);
        break;
    case WORK_CLOSE_RANGE:
        do_close_range(f);
        break;
    case WORK_EXEC:
        do_exec(r, f);
        break;
    case WORK_FORK:
        do_fork(r, f);
        break;
    }
}

void log_call(struct strace_reader *r, struct task *task, struct text text)
{
    struct finished f = {.task = task, .text = text};
    struct scan s = scan_text(text);
    f.call = log_call_find(scan_word(&s));
    scan_take(&s, "(");
    f.args = scan_args(&s, f.arg, ARGS);
    if (f.args < 0 || !scan_result(&s, &f.result))
        log_complain_scan(r, &s);
    else
        do_call(r, &f);
}

/*
 * A memory call that never came back, because the task ended or the log does:
 * as if its result were "?".
 */
void log_call_cut(struct strace_reader *r, struct task *task)
{
    struct text text = log_pending(task);
    const struct call *call = log_call_of(text);
    if (call == NULL || call->work != WORK_MEMORY)
        return;
    struct finished f = {.task = task, .call = call, .text = text};
    struct scan s = scan_text(text);
    scan_word(&s);
    scan_take(&s, "(");
    while (f.args < ARGS && scan_value(&s, &f.arg[f.args]) && ++f.args > 0 && scan_take(&s, ","))
        continue;
    uint64_t line = r->line;
    r->line = task->pending_line;
    if (f.args >= call->a && call->nr != CALL_PRLIMIT)
        do_memory(r, &f);
    r->line = line;
}

