/* SPDX-License-Identifier: MIT */
/*
 * world_watch_live.c - a real userfaultfd.
 *
 * An event stops the call that causes it until it has been read. A second
 * process in the same memory reads it (the *pump*); an access that may be held
 * up is made by a third, which ends when its message has been read.
 */
#include "world_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What older headers lack. */
struct move_arg { uint64_t dst, src, len, mode; int64_t done; };
struct range_arg { struct uffdio_range range; uint64_t mode; int64_t done; };
#define IOC_MOVE _IOWR(0xaa, 5, struct move_arg)
#define IOC_POISON _IOWR(0xaa, 8, struct range_arg)

#define EVENTS (MW_UFFD_FEATURE_EVENT_FORK | MW_UFFD_FEATURE_EVENT_REMAP | \
                MW_UFFD_FEATURE_EVENT_REMOVE | MW_UFFD_FEATURE_EVENT_UNMAP)
enum { PUMP_ROOM = 64, STACK = 16384 };

static struct live_watcher {
    int fd, bell[2]; /* a byte in the bell asks the pump whether all has been read */
    bool pumped;
    volatile bool stop;
    pid_t owner, pump;
    struct uffd_msg msg[PUMP_ROOM];
    _Atomic uint32_t read, answered;
    uint32_t taken, asked;
    _Alignas(16) char stack[STACK];
} watchers[MAX_WATCHERS];
static int opened;

static _Alignas(4096) unsigned char copies[COPY_PAGES * PAGE];
static _Alignas(16) char toucher_stack[STACK];

/* errno is the main process's: these two share its memory. */
static long bare(long n, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return r;
}

static int pump(void *arg)
{
    struct live_watcher *v = arg;
    struct pollfd p[2] = { { .fd = v->fd, .events = POLLIN }, { .fd = v->bell[0], .events = POLLIN } };
    bare(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) {
        char byte;
        bare(SYS_poll, (long)p, 2, -1, 0, 0);
        if (v->stop || bare(SYS_getppid, 0, 0, 0, 0, 0) != v->owner)
            bare(SYS_exit, 0, 0, 0, 0, 0);
        while (bare(SYS_read, v->fd, (long)&v->msg[v->read % PUMP_ROOM], sizeof v->msg[0], 0, 0) > 0)
            v->read++;
        if ((p[1].revents & POLLIN) && bare(SYS_read, v->bell[0], (long)&byte, 1, 0, 0) == 1)
            v->answered++;
    }
    return 0;
}

static int64_t failed(void) { return -errno; }

static int64_t open_one(uint64_t features)
{
    int id = 0;
    while (id < opened && watchers[id].fd >= 0)
        id++;
    struct live_watcher *v = &watchers[id];
    struct uffdio_api api = { .api = UFFD_API, .features = features };
    if (id == MAX_WATCHERS)
        return -EMFILE;
    for (size_t i = 0; i < COPY_PAGES; i++)
        memcpy(copies + i * PAGE, &(uint32_t){ 500 + (uint32_t)i }, 4);
    *v = (struct live_watcher){ 0 };
    v->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (v->fd < 0)
        return failed();
    if (ioctl(v->fd, UFFDIO_API, &api) != 0) {
        int64_t r = failed();
        close(v->fd);
        v->fd = -1;
        return r;
    }
    v->pumped = features & EVENTS;
    v->owner = getpid();
    if (v->pumped && pipe2(v->bell, O_CLOEXEC) != 0)
        return failed();
    if (v->pumped)
        v->pump = clone(pump, v->stack + STACK, CLONE_VM | CLONE_FILES | SIGCHLD, v);
    opened = id < opened ? opened : id + 1;
    return v->pump < 0 ? failed() : id;
}

/* The pump, which waits for messages, would keep it open. */
static int64_t close_one(struct live_watcher *v)
{
    v->stop = true;
    if (v->pumped && (write(v->bell[1], "", 1) != 1 || waitpid(v->pump, NULL, 0) < 0))
        return failed();
    v->pumped = false;
    int r = close(v->fd);
    v->fd = -1;
    return r;
}

/* What was done, whole or in part; or why nothing was. */
static int64_t done(int r, int64_t n)
{
    return r == 0 || n > 0 ? n : failed();
}

static int64_t live_step(struct world *w, const struct watch_step *s)
{
    int fd = watchers[s->id].fd;
    (void)w;
    switch (s->op) {
    case WATCH_OPEN:
        return open_one(s->mode);
    case WATCH_CLOSE:
        return close_one(&watchers[s->id]);
    case WATCH_REGISTER: {
        struct uffdio_register a = { .range = { s->addr, s->len }, .mode = s->mode };
        int r = ioctl(fd, UFFDIO_REGISTER, &a);
        return done(r, (int64_t)a.ioctls);
    }
    case WATCH_UNREGISTER: {
        struct uffdio_range a = { s->addr, s->len };
        return done(ioctl(fd, UFFDIO_UNREGISTER, &a), 0);
    }
    case WATCH_COPY: {
        struct uffdio_copy a = { .dst = s->addr, .src = (uint64_t)(uintptr_t)copies, .len = s->len,
                                 .mode = s->mode };
        int r = ioctl(fd, UFFDIO_COPY, &a);
        return done(r, a.copy);
    }
    case WATCH_MOVE: {
        struct move_arg a = { s->addr, s->from, s->len, s->mode, 0 };
        int r = ioctl(fd, IOC_MOVE, &a);
        return done(r, a.done);
    }
    case WATCH_PROTECT: {
        struct uffdio_writeprotect a = { .range = { s->addr, s->len }, .mode = s->mode };
        return done(ioctl(fd, UFFDIO_WRITEPROTECT, &a), 0);
    }
    default: {
        struct range_arg a = { { s->addr, s->len }, s->mode, 0 };
        unsigned long call = s->op == WATCH_ZEROPAGE ? UFFDIO_ZEROPAGE
                             : s->op == WATCH_CONTINUE ? UFFDIO_CONTINUE : IOC_POISON;
        int r = ioctl(fd, call, &a);
        return done(r, a.done);
    }
    }
}

/* ---- messages ---- */

static struct watch_seen seen_of(const struct uffd_msg *m)
{
    switch (m->event) {
    case UFFD_EVENT_PAGEFAULT:
        return (struct watch_seen){ 0, m->arg.pagefault.address, m->arg.pagefault.flags, 0 };
    case UFFD_EVENT_REMAP:
        return (struct watch_seen){ m->event, m->arg.remap.from, m->arg.remap.to, m->arg.remap.len };
    case UFFD_EVENT_FORK:
        return (struct watch_seen){ m->event, 0, 0, 0 };
    default:
        return (struct watch_seen){ m->event, m->arg.remove.start, m->arg.remove.end, 0 };
    }
}

static size_t live_messages(struct world *w, int id, struct watch_seen *out, size_t room)
{
    struct live_watcher *v = &watchers[id];
    size_t n = 0;
    (void)w;
    if (!v->pumped)
        return 0;
    if (write(v->bell[1], "", 1) != 1)
        return 0;
    v->asked++;
    while (v->answered != v->asked)
        sched_yield();
    for (; v->taken != v->read && n < room; v->taken++)
        out[n++] = seen_of(&v->msg[v->taken % PUMP_ROOM]);
    return n;
}

struct touch { volatile unsigned char *at; bool write; };

/* (Ended by the signal itself, it would take all who share its memory along on older kernels.) */
static void leave(int sig)
{
    bare(SYS_exit, sig, 0, 0, 0, 0);
}

static int toucher(void *arg)
{
    const struct touch *t = arg;
    bare(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGBUS, leave);
    signal(SIGSEGV, leave);
    if (t->write)
        *t->at = 77;
    else
        (void)*t->at;
    bare(SYS_exit, 0, 0, 0, 0, 0);
    return 0;
}

static bool first_message(struct live_watcher *v, struct watch_seen *out)
{
    struct uffd_msg m;
    if (v->pumped) {
        if (v->taken == v->read)
            return false;
        *out = seen_of(&v->msg[v->taken++ % PUMP_ROOM]);
        return true;
    }
    if (read(v->fd, &m, sizeof m) != sizeof m)
        return false;
    *out = seen_of(&m);
    return true;
}

static bool live_access(struct world *w, uint64_t addr, bool write_it, int *id, struct watch_seen *out)
{
    static struct touch t;
    int status = 0;
    pid_t pid;
    t = (struct touch){ (volatile unsigned char *)(uintptr_t)addr, write_it };
    pid = clone(toucher, toucher_stack + STACK, CLONE_VM | SIGCHLD, &t);
    for (;;) {
        for (*id = 0; *id < opened; ++*id)
            if (first_message(&watchers[*id], out)) {
                kill(pid, SIGKILL);
                waitpid(pid, &status, 0);
                return true;
            }
        if (waitpid(pid, &status, WNOHANG) == pid)
            break;
        sched_yield();
    }
    if (status != 0)
        say(w, "signal %d", WEXITSTATUS(status));
    return false;
}

static uint32_t live_page(struct world *w, uint64_t addr)
{
    static int pagemap;
    static pid_t owner;
    uint64_t e = 0;
    (void)w;
    if (owner != getpid()) {
        owner = getpid();
        pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    }
    if (pread(pagemap, &e, sizeof e, (off_t)(addr / PAGE * 8)) != 8)
        return 0;
    return (e >> 63 ? PAGE_PRESENT : 0) | (e >> 57 & 1 ? PAGE_WP : 0);
}

const struct watch_ops watch_live = {
    .step = live_step, .access = live_access, .messages = live_messages, .page = live_page,
};
