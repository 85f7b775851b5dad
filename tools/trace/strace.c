/* SPDX-License-Identifier: MIT */
/*
 * strace.c - a recorded log as events; see strace.h. From the file to an event:
 * physical lines, whose line each is (prefix), what kind of line, the two
 * halves of a call that was interrupted, the call.
 */
#include "strace.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fds.h"
#include "mapwright/mapwright.h"
#include "scan.h"
#include "symbols.h"

enum { QUEUE = 4, ARGS = 6, LOOKAHEAD = 4096, ATTACHED = 256 };

/* What a task is in the middle of. */
struct task {
    int tid;
    struct fds *fds;
    char *pending;       /* the first half of a call; NULL: none */
    size_t pending_size;
    uint64_t pending_line;
};

/* A clone whose result stands on a later line than its start. */
struct birth {
    const char *at; /* that later line */
    int child;
    bool told;
};

struct strace_reader {
    char *name;
    const char *at, *end;
    const char *here; /* the start of the line at hand */
    uint64_t line;
    struct strace_counts counts;
    strace_complaint *complain;
    void *ctx;

    struct task *tasks; /* in order of tid */
    size_t task_count, task_cap;
    struct birth *births; /* in order of place */
    size_t birth_count, birth_cap, birth_next;
    int main_tid; /* of lines without a task id */
    uint64_t serial;

    char *glued; /* the start of a line that strace itself broke */
    size_t glued_size;
    char *joined; /* the two halves of a call */
    bool line_bad;
    bool last_line_cut;

    struct event queue[QUEUE];
    unsigned queued, given;
    char *where; /* QUEUE texts of where_size bytes */
    size_t where_size;
};

/* What a call is to this reader. `a` and `b` say where its arguments are. */
enum work {
    WORK_MEMORY, /* told; a: arguments it must have */
    WORK_OPEN,   /* a: the path, b: the flags (-1: none) */
    WORK_NEWFD,  /* makes a descriptor of a kind of its own */
    WORK_DUP,    /* a: the new descriptor (-1: the result), b: the flags (-1: none) */
    WORK_FCNTL,
    WORK_CLOSE,
    WORK_CLOSE_RANGE,
    WORK_EXEC,
    WORK_FORK
};

struct call {
    const char *name;
    enum work work;
    enum call_nr nr;
    int a, b;
};

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
    {"mseal", WORK_MEMORY, CALL_MSEAL, 2, 0},
    {"syscall_0x1ce", WORK_MEMORY, CALL_MSEAL, 2, 0}, /* to a strace older than mseal */
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

static const struct call *find_call(struct text name)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (text_is(name, calls[i].name))
            return &calls[i];
    return NULL;
}

/* ---- complaints ---------------------------------------------------------- */

/* What stands at a place, for a message: short, printable, quoted. */
static void describe(const char *at, const char *end, bool cut, char *buf, size_t size)
{
    size_t n = 0;
    if (at >= end) {
        snprintf(buf, size, cut ? "the end of the file" : "the end of the line");
        return;
    }
    buf[n++] = '\'';
    while (at < end && n + 6 < size) {
        unsigned char c = (unsigned char)*at++;
        buf[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    snprintf(buf + n, size - n, at < end ? "...'" : "'");
}

/* One complaint a line is enough. */
static void complain(struct strace_reader *r, const char *expected, const char *at,
                     const char *end)
{
    if (r->line_bad)
        return;
    r->line_bad = true;
    r->counts.bad++;
    if (r->complain == NULL)
        return;
    char found[40], text[512];
    describe(at, end, r->last_line_cut, found, sizeof found);
    snprintf(text, sizeof text, "%.200s:%llu: expected %s, found %s", r->name,
             (unsigned long long)r->line, expected, found);
    r->complain(r->ctx, text);
}

static void complain_scan(struct strace_reader *r, const struct scan *s)
{
    complain(r, s->expected != NULL ? s->expected : "a call", s->at, s->end);
}

/* ---- events out ---------------------------------------------------------- */

static struct event *new_event(struct strace_reader *r, enum event_kind kind, int tid)
{
    struct event *e = &r->queue[r->queued];
    char *where = r->where + r->queued * r->where_size;
    memset(e, 0, sizeof *e);
    snprintf(where, r->where_size, "%s:%llu", r->name, (unsigned long long)r->line);
    e->kind = kind;
    e->tid = tid;
    e->name = "";
    e->call = CALL_OTHER;
    e->result_known = true;
    e->where = where;
    r->queued++;
    r->counts.events++;
    return e;
}

/* ---- tasks --------------------------------------------------------------- */

static size_t task_position(const struct strace_reader *r, int tid)
{
    size_t low = 0, high = r->task_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->tasks[mid].tid < tid)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct task *task_find(struct strace_reader *r, int tid)
{
    size_t at = task_position(r, tid);
    return at < r->task_count && r->tasks[at].tid == tid ? &r->tasks[at] : NULL;
}

/* Takes the caller's reference to `fds`. */
static void task_add(struct strace_reader *r, int tid, struct fds *fds)
{
    size_t at = task_position(r, tid);
    r->tasks = trace_grow(r->tasks, r->task_count, &r->task_cap, sizeof *r->tasks);
    memmove(&r->tasks[at + 1], &r->tasks[at], (r->task_count - at) * sizeof *r->tasks);
    r->tasks[at] = (struct task){.tid = tid, .fds = fds};
    r->task_count++;
}

static void task_remove(struct strace_reader *r, struct task *task)
{
    size_t at = (size_t)(task - r->tasks);
    fds_drop(task->fds);
    free(task->pending);
    memmove(task, task + 1, (r->task_count - at - 1) * sizeof *task);
    r->task_count--;
}

static struct text pending_text(const struct task *task)
{
    return (struct text){task->pending, task->pending != NULL ? task->pending_size : 0};
}

static void set_pending(struct task *task, struct text text, uint64_t line)
{
    free(task->pending);
    task->pending = trace_alloc(text.n);
    memcpy(task->pending, text.s, text.n);
    task->pending_size = text.n;
    task->pending_line = line;
}

/* The call that a text starts with; NULL: none this reader knows. */
static const struct call *call_of(struct text text)
{
    struct scan s = scan_text(text);
    return find_call(scan_word(&s));
}

/* ---- children ------------------------------------------------------------ */

/* Whether clone's flags have this one: by name, or in a number (-X raw). */
static bool clone_flag(struct text text, const char *name, uint64_t bit)
{
    if (text_find_word(text, name) != NULL)
        return true;
    const char *flags = text_find(text, "flags=0x");
    if (flags == NULL)
        return false;
    struct scan s = {flags + strlen("flags="), text.s + text.n, NULL};
    uint64_t number;
    return scan_number(&s, &number) && (number & bit) != 0;
}

static void tell_fork(struct strace_reader *r, int parent, struct text text, int child)
{
    if (task_find(r, child) != NULL) /* it spoke before its birth could be told */
        return;
    struct task *task = task_find(r, parent);
    bool files = clone_flag(text, "CLONE_FILES", 0x400);
    struct event *e = new_event(r, EVENT_FORK, parent);
    e->result = child;
    e->name = call_of(text) != NULL ? call_of(text)->name : "";
    e->shares_vm = text_is((struct text){e->name, strlen(e->name)}, "vfork") ||
                   clone_flag(text, "CLONE_VM", 0x100);
    task_add(r, child, files ? fds_share(task->fds) : fds_copy(task->fds));
}

static bool is_fork(const struct call *call)
{
    return call != NULL && call->work == WORK_FORK;
}

/* Past the births on lines that have been read. */
static void skip_births(struct strace_reader *r)
{
    while (r->birth_next < r->birth_count && r->births[r->birth_next].at < r->here)
        r->birth_next++;
}

/*
 * The task whose unfinished clone made `child`: a line further on gives the
 * result, or (where the log is cut) only one task is cloning.
 */
static struct task *find_parent(struct strace_reader *r, int child)
{
    skip_births(r);
    size_t last = r->birth_next + LOOKAHEAD;
    for (size_t i = r->birth_next; i < r->birth_count && i < last; i++) {
        struct birth *b = &r->births[i];
        if (b->child != child || b->told)
            continue;
        struct scan s = {b->at, r->end, NULL};
        uint64_t tid = (uint64_t)r->main_tid;
        scan_blanks(&s);
        if (scan_take(&s, "[pid"))
            scan_blanks(&s);
        struct scan number = s;
        if (scan_number(&number, &tid))
            s = number;
        struct task *task = tid <= INT_MAX ? task_find(r, (int)tid) : NULL;
        if (task == NULL || !is_fork(call_of(pending_text(task))))
            continue;
        b->told = true;
        return task;
    }
    if (r->birth_next < r->birth_count) /* the log goes on to tell whose it is */
        return NULL;
    struct task *only = NULL;
    for (size_t i = 0; i < r->task_count; i++) {
        if (!is_fork(call_of(pending_text(&r->tasks[i]))))
            continue;
        if (only != NULL)
            return NULL;
        only = &r->tasks[i];
    }
    return only;
}

/* The task of this id, made known first if this is its first line. */
static struct task *task_known(struct strace_reader *r, int tid)
{
    struct task *task = task_find(r, tid);
    if (task != NULL)
        return task;
    struct task *parent = find_parent(r, tid);
    if (parent != NULL)
        tell_fork(r, parent->tid, pending_text(parent), tid);
    else
        task_add(r, tid, fds_new());
    return task_find(r, tid);
}

/* Whether the birth on this very line was told when the child first spoke. */
static bool birth_told(struct strace_reader *r)
{
    skip_births(r);
    return r->birth_next < r->birth_count && r->births[r->birth_next].at == r->here &&
           r->births[r->birth_next].told;
}

/* ---- one call ------------------------------------------------------------ */

struct result {
    bool known;
    int64_t value;    /* -errno on failure */
    struct text path; /* a descriptor's, with -y */
};

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
    struct event *e = new_event(r, EVENT_EXEC, f->task->tid);
    int path = strcmp(f->call->name, "execveat") == 0;
    e->name = f->call->name;
    text_unescape(f->arg[path].text, e->file.path, sizeof e->file.path);
    e->file.known = e->file.path[0] != '\0';
}

static void do_fork(struct strace_reader *r, const struct finished *f)
{
    int child;
    if (opened(&f->result, &child) && child > 0 && !birth_told(r))
        tell_fork(r, f->task->tid, f->text, child);
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
        complain(r, "more arguments", text_find(f->text, "("), end);
        return false;
    }
    for (int i = 0; i < f->args && i < ARGS && names_matter(f->call->nr); i++) {
        struct text name = f->arg[i].unknown;
        if (name.n != 0) {
            complain(r, "a name of Linux's", name.s, name.s + name.n);
            return false;
        }
    }
    return true;
}

static void do_memory(struct strace_reader *r, const struct finished *f)
{
    if (!check_memory(r, f))
        return;
    struct event *e = new_event(r, EVENT_CALL, f->task->tid);
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

static void parse_call(struct strace_reader *r, struct task *task, struct text text)
{
    struct finished f = {.task = task, .text = text};
    struct scan s = scan_text(text);
    f.call = find_call(scan_word(&s));
    scan_take(&s, "(");
    f.args = scan_args(&s, f.arg, ARGS);
    if (f.args < 0 || !scan_result(&s, &f.result))
        complain_scan(r, &s);
    else
        do_call(r, &f);
}

/*
 * A memory call that never came back, because the task ended or the log does:
 * as if its result were "?".
 */
static void tell_pending(struct strace_reader *r, struct task *task)
{
    struct text text = pending_text(task);
    const struct call *call = call_of(text);
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

/* ---- kinds of lines ------------------------------------------------------ */

static struct text without(struct text t, const char *ending)
{
    if (text_ends(t, ending))
        t.n -= strlen(ending);
    while (t.n != 0 && t.s[t.n - 1] == ' ')
        t.n--;
    return t;
}

/* A call of no interest: whole enough to be one of strace's lines? */
static bool looks_whole(struct text t)
{
    const char *close = memrchr(t.s, '=', t.n);
    return text_ends(t, "...>") || (close != NULL && memchr(t.s, ')', t.n) != NULL) ||
           text_find(t, "<unfinished ...>") != NULL;
}

/* What strace says instead of a result when it loses sight of the call. */
static bool is_cut_off(struct text t)
{
    return text_ends(t, "<detached ...>") ||
           (text_ends(t, " ...>") && text_find(t, "<pid changed to ") != NULL);
}

static void call_line(struct strace_reader *r, struct task *task, struct text t)
{
    struct scan s = scan_text(t);
    struct text name = scan_word(&s);
    if (name.n == 0 || scan_peek(&s) != '(') {
        s.at = t.s;
        scan_fail(&s, "a call, a signal or an exit");
        complain_scan(r, &s);
        return;
    }
    const struct call *call = find_call(name);
    struct text trimmed = without(t, "");
    if (call != NULL && text_ends(trimmed, "<unfinished ...>"))
        set_pending(task, without(trimmed, "<unfinished ...>"), r->line);
    else if (call != NULL && !is_cut_off(trimmed))
        parse_call(r, task, trimmed);
    else if (call == NULL && !looks_whole(trimmed))
        complain(r, "the rest of the call", t.s + t.n, t.s + t.n);
}

/* "<... mmap resumed>) = 0x7f..": joined with its first half. */
static void resumed_line(struct strace_reader *r, struct task *task, struct scan s)
{
    scan_blanks(&s);
    struct text name = scan_word(&s);
    if (find_call(name) == NULL)
        return;
    scan_blanks(&s);
    if (!scan_take(&s, "resumed>")) {
        scan_fail(&s, "'resumed>'");
        complain_scan(r, &s);
        return;
    }
    struct text head = pending_text(task);
    if (head.n == 0 && find_call(name)->work == WORK_EXEC) /* -ff: begun in another file */
        head = (struct text){"execve(\"\"", strlen("execve(\"\"")};
    if (call_of(head) != find_call(name)) {
        complain(r, "an unfinished call of this task before", name.s, name.s + name.n);
        return;
    }
    size_t tail = (size_t)(s.end - s.at);
    free(r->joined);
    r->joined = trace_alloc(head.n + tail);
    memcpy(r->joined, head.s, head.n);
    memcpy(r->joined + head.n, s.at, tail);
    free(task->pending);
    task->pending = NULL;
    parse_call(r, task, without((struct text){r->joined, head.n + tail}, ""));
}

static void tell_exit(struct strace_reader *r, struct task *task, int64_t status)
{
    tell_pending(r, task);
    struct event *e = new_event(r, EVENT_EXIT, task->tid);
    e->result = status;
    e->result_known = status >= 0;
    task_remove(r, task);
}

/* Another thread's exec gives that thread this task's id. */
static void superseded(struct strace_reader *r, struct task *task, struct scan *s)
{
    uint64_t tid;
    if (!scan_number(s, &tid) || tid > INT_MAX)
        return;
    struct task *other = task_find(r, (int)tid);
    if (other == NULL || other == task)
        return;
    free(task->pending);
    task->pending = other->pending;
    task->pending_size = other->pending_size;
    task->pending_line = other->pending_line;
    other->pending = NULL;
    tell_exit(r, other, -1);
}

/* "+++ exited with 0 +++", "+++ killed by SIGSEGV (core dumped) +++" */
static void exit_line(struct strace_reader *r, struct task *task, struct scan s)
{
    uint64_t code;
    scan_blanks(&s);
    if (scan_take(&s, "superseded by execve in pid ")) {
        superseded(r, task, &s);
    } else if (scan_take(&s, "exited with ")) {
        struct scan at = s;
        if (scan_number(&s, &code) && code <= 255) {
            tell_exit(r, task, (int64_t)(code << 8));
        } else {
            scan_fail(&at, "an exit code");
            complain_scan(r, &at);
        }
    } else if (scan_take(&s, "killed by ")) {
        int number = symbol_signal(scan_word(&s));
        bool core = scan_take(&s, " (core dumped)");
        tell_exit(r, task, number == 0 ? -1 : number | (core ? 0x80 : 0));
    } else {
        scan_fail(&s, "'exited with' or 'killed by'");
        complain_scan(r, &s);
    }
}

/* ---- prefixes ------------------------------------------------------------ */

/* 12:00:01, 12:00:01.123456, 1795298191.685387, 0.000123, (+     0.000123) */
static void skip_time(struct scan *s)
{
    struct scan try = *s;
    size_t marks = 0, digits = 0;
    for (int c; (c = scan_peek(&try)) == ':' || c == '.' || (c >= '0' && c <= '9'); try.at++) {
        marks += c == ':' || c == '.';
        digits += c >= '0' && c <= '9';
    }
    if (marks != 0 && digits != 0 && scan_peek(&try) == ' ')
        *s = try;
    scan_blanks(s);
    if (scan_take(s, "(+")) {
        while (s->at < s->end && *s->at != ')')
            s->at++;
        scan_take(s, ")");
        scan_blanks(s);
    }
}

/* -n's [ 302] and -i's [00007f27b1f427f0] or [????????????????]. */
static void skip_brackets(struct scan *s)
{
    while (scan_peek(s) == '[') {
        struct scan try = *s;
        try.at++;
        scan_blanks(&try);
        while (scan_peek(&try) == '?' || scan_word(&try).n != 0)
            try.at += scan_peek(&try) == '?';
        if (!scan_take(&try, "] "))
            return;
        *s = try;
        scan_blanks(s);
    }
}

/* A task id, "3597" or -Y's "3597<sh>". False: out of range; nothing there is fine. */
static bool scan_tid(struct scan *s, bool bracketed, int *tid)
{
    struct scan try = *s;
    struct text note;
    uint64_t n;
    if (scan_peek(&try) < '0' || scan_peek(&try) > '9')
        return !bracketed || scan_fail(s, "a process id");
    if (!scan_number(&try, &n)) {
        s->expected = try.expected;
        return false;
    }
    int next = scan_peek(&try);
    if (next == '.' || next == ':')
        return !bracketed || scan_fail(s, "a process id"); /* a time */
    if (n == 0 || n > INT_MAX)
        return scan_fail(s, "a process id");
    scan_note(&try, &note);
    if (bracketed ? !scan_take(&try, "] ") : scan_peek(&try) != ' ')
        return scan_fail(s, "a blank behind the process id");
    *tid = (int)n;
    *s = try;
    return true;
}

/* The task a line without an id belongs to: the only one there is, or the first. */
static int default_tid(const struct strace_reader *r)
{
    return r->task_count == 1 ? r->tasks[0].tid : r->main_tid;
}

static bool scan_prefix(struct strace_reader *r, struct scan *s, int *tid)
{
    *tid = default_tid(r);
    scan_blanks(s);
    bool bracketed = scan_take(s, "[pid ");
    scan_blanks(s);
    if (!scan_tid(s, bracketed, tid))
        return false;
    scan_blanks(s);
    skip_time(s);
    skip_brackets(s);
    return true;
}

/* ---- lines --------------------------------------------------------------- */

/* Messages of strace's own, and what -k puts under a call. */
static bool is_remark(struct text t)
{
    static const char *const starts[] = {" > ", "strace: ", "[ Process PID=", "--- "};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct scan s = scan_text(t);
        if (scan_take(&s, starts[i]))
            return true;
    }
    return without(t, "").n == 0;
}

static void handle_line(struct strace_reader *r, struct text t)
{
    struct scan s = scan_text(t);
    int tid;
    if (is_remark(t))
        return;
    if (!scan_prefix(r, &s, &tid)) {
        complain_scan(r, &s);
        return;
    }
    struct text rest = {s.at, (size_t)(s.end - s.at)};
    if (is_remark(rest) || scan_take(&s, "???" "?("))
        return;
    if (scan_take(&s, "+++ ")) {
        exit_line(r, task_known(r, tid), s);
        return;
    }
    if (scan_take(&s, "<... ")) {
        resumed_line(r, task_known(r, tid), s);
        return;
    }
    /* only what looks like a call may make a task known */
    struct scan look = s;
    if (scan_word(&look).n == 0 || scan_peek(&look) != '(') {
        scan_fail(&s, "a call, a signal or an exit");
        complain_scan(r, &s);
        return;
    }
    call_line(r, task_known(r, tid), rest);
}

/*
 * On standard error strace breaks a line to say "strace: Process 7 attached",
 * and goes on with it on the next one. True: `t` has such an end, now kept.
 */
static bool glue(struct strace_reader *r, struct text t)
{
    static const char mark[] = "strace: Process ";
    const char *at = text_ends(t, " attached") ? text_find(t, mark) : NULL;
    if (at == NULL || at == t.s)
        return false;
    r->glued_size = (size_t)(at - t.s);
    r->glued = trace_alloc(r->glued_size);
    memcpy(r->glued, t.s, r->glued_size);
    return true;
}

/* Puts the kept start before `t`. The caller frees the text. */
static char *unglue(struct strace_reader *r, struct text *t)
{
    char *both = trace_alloc(r->glued_size + t->n);
    memcpy(both, r->glued, r->glued_size);
    memcpy(both + r->glued_size, t->s, t->n);
    *t = (struct text){both, r->glued_size + t->n};
    free(r->glued);
    r->glued = NULL;
    return both;
}

static bool next_line(const char **at, const char *end, struct text *out)
{
    if (*at >= end)
        return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    *out = (struct text){*at, (size_t)((stop != NULL ? stop : end) - *at)};
    *at = stop != NULL ? stop + 1 : end;
    if (text_ends(*out, "\r"))
        out->n--;
    return true;
}

static bool read_line(struct strace_reader *r)
{
    struct text t;
    r->here = r->at;
    if (!next_line(&r->at, r->end, &t))
        return false;
    r->line++;
    r->counts.lines++;
    r->line_bad = false;
    r->last_line_cut = r->at == r->end && r->end[-1] != '\n';
    char *both = r->glued != NULL ? unglue(r, &t) : NULL;
    if (!glue(r, t))
        handle_line(r, t);
    free(both);
    return true;
}

/* ---- before the first line ----------------------------------------------- */

/* "<... clone resumed>, child_tidptr=0x7f..) = 3792" gives the birth of 3792. */
static void note_birth(struct strace_reader *r, struct text t)
{
    if (text_find(t, " resumed>") == NULL ||
        (text_find(t, "<... clone") == NULL && text_find(t, "fork resumed>") == NULL))
        return;
    const char *equals = memrchr(t.s, '=', t.n);
    if (equals == NULL)
        return;
    struct scan s = {equals + 1, t.s + t.n, NULL};
    uint64_t child;
    scan_blanks(&s);
    if (!scan_number(&s, &child) || child == 0 || child > INT_MAX)
        return;
    r->births = trace_grow(r->births, r->birth_count, &r->birth_cap, sizeof *r->births);
    r->births[r->birth_count++] = (struct birth){t.s, (int)child, false};
}

/*
 * On standard error the first task has no id until a second one exists: it is
 * the first "[pid 7]" that was never attached.
 */
struct attached {
    int tid[ATTACHED];
    unsigned count;
    bool found;
};

static void note_main(struct strace_reader *r, struct attached *a, struct text t)
{
    uint64_t tid;
    struct scan s = scan_text(t);
    const char *at = text_find(t, "strace: Process ");
    if (at != NULL) {
        s.at = at + strlen("strace: Process ");
        if (a->count < ATTACHED && scan_number(&s, &tid) && tid <= INT_MAX)
            a->tid[a->count++] = (int)tid;
        return;
    }
    if (!scan_take(&s, "[pid "))
        return;
    scan_blanks(&s);
    if (!scan_number(&s, &tid) || tid == 0 || tid > INT_MAX)
        return;
    for (unsigned i = 0; i < a->count; i++)
        if (a->tid[i] == (int)tid)
            return;
    r->main_tid = (int)tid;
    a->found = true;
}

static void look_ahead(struct strace_reader *r)
{
    struct attached attached = {.count = 0};
    const char *at = r->at;
    struct text t;
    while (next_line(&at, r->end, &t)) {
        note_birth(r, t);
        if (!attached.found && attached.count < ATTACHED)
            note_main(r, &attached, t);
    }
}

/* "trace.1234" is 1234's own log. */
static int tid_of_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL)
        return 1;
    struct scan s = scan_text((struct text){dot + 1, strlen(dot + 1)});
    uint64_t tid;
    bool ok = scan_number(&s, &tid) && s.at == s.end && tid > 0 && tid <= INT_MAX;
    return ok ? (int)tid : 1;
}

/* ---- the reader ---------------------------------------------------------- */

struct strace_reader *strace_open(const char *name, const char *data, size_t size,
                                  strace_complaint *complaint, void *ctx)
{
    struct strace_reader *r = trace_alloc(sizeof *r);
    r->name = trace_alloc(strlen(name) + 1);
    memcpy(r->name, name, strlen(name));
    r->at = data;
    r->end = size != 0 ? data + size : data;
    r->complain = complaint;
    r->ctx = ctx;
    r->main_tid = tid_of_name(name);
    r->where_size = strlen(name) + 24;
    r->where = trace_alloc(QUEUE * r->where_size);
    look_ahead(r);
    return r;
}

/* At the end of the log: calls that were under way, one task after the other. */
static bool flush(struct strace_reader *r)
{
    if (r->task_count == 0)
        return false;
    struct task *last = &r->tasks[r->task_count - 1];
    tell_pending(r, last);
    task_remove(r, last);
    return true;
}

bool strace_next(struct strace_reader *r, struct event *event)
{
    while (r->given == r->queued) {
        r->given = r->queued = 0;
        if (!read_line(r) && !flush(r))
            return false;
    }
    *event = r->queue[r->given++];
    return true;
}

struct strace_counts strace_counted(const struct strace_reader *r)
{
    return r->counts;
}

void strace_close(struct strace_reader *r)
{
    if (r == NULL)
        return;
    while (r->task_count != 0)
        task_remove(r, &r->tasks[r->task_count - 1]);
    free(r->tasks);
    free(r->births);
    free(r->glued);
    free(r->joined);
    free(r->where);
    free(r->name);
    free(r);
}
