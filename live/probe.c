/* SPDX-License-Identifier: MIT */
/* probe.c - mw_live_probe: runs the tries in a child, and in the next one when that dies. */
#include "probe.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* What a capability's answer says of the version. */
enum tells { NOTHING, YES, BOTH };

static const struct {
    struct mw_found (*try)(struct mw_lab *);
    uint32_t since, until;
    enum tells tells;
    const char *name, *text;
} caps[MW_CAPS] = {
#define CAP(id, try, since, until, tells, name, text)                                              \
    [MW_CAP_##id] = { mw_try_##try, since, until, tells, name, text },
#include "probe.def"
#undef CAP
};

/* Shared with the child. */
struct notes {
    volatile int next; /* what is being tried */
    struct mw_found found[MW_CAPS];
};

enum { SECONDS = 20, LAB_SMALL = 4u << 20, LAB_LARGE = 128u << 20 };

static bool known(enum mw_cap cap)
{
    return (unsigned)cap < MW_CAPS;
}

const char *mw_cap_name(enum mw_cap cap)
{
    return known(cap) ? caps[cap].name : NULL;
}

const char *mw_cap_text(enum mw_cap cap)
{
    return known(cap) ? caps[cap].text : NULL;
}

uint32_t mw_cap_since(enum mw_cap cap)
{
    return known(cap) ? caps[cap].since : 0;
}

uint32_t mw_cap_until(enum mw_cap cap)
{
    return known(cap) ? caps[cap].until : 0;
}

bool mw_probe_tells(const struct mw_probe *probe, enum mw_cap cap)
{
    const struct mw_found *f;

    if (!known(cap) || caps[cap].tells == NOTHING)
        return false;
    f = &probe->found[cap];
    return f->as == MW_FOUND_YES ||
           (f->as == MW_FOUND_NO && f->err != ENOSYS && caps[cap].tells == BOTH);
}

bool mw_probe_misfit(const struct mw_probe *probe, enum mw_cap cap, uint32_t version)
{
    bool has;

    if (!mw_probe_tells(probe, cap))
        return false;
    has = version >= caps[cap].since && (!caps[cap].until || version < caps[cap].until);
    return has != (probe->found[cap].as == MW_FOUND_YES);
}

/* The version after this one; the first minor of the next major where a major has ended. */
static uint32_t next_version(uint32_t v)
{
    static const uint32_t last_of[] = { MW_LINUX(2, 6), MW_LINUX(3, 19), MW_LINUX(4, 20),
                                        MW_LINUX(5, 19), MW_LINUX(6, 19) };
    for (size_t i = 0; i < sizeof last_of / sizeof last_of[0]; i++)
        if (v == last_of[i])
            return (v / 1000 + 1) * 1000;
    return v + 1;
}

/* Which versions agree with most of what was found. */
static void fit(struct mw_probe *probe)
{
    probe->misfits = MW_CAPS + 1;
    for (uint32_t v = MW_LINUX_OLDEST; v <= MW_LINUX_NEWEST; v = next_version(v)) {
        uint32_t n = 0;
        for (int i = 0; i < MW_CAPS; i++)
            n += mw_probe_misfit(probe, (enum mw_cap)i, v);
        if (n < probe->misfits) {
            probe->misfits = n;
            probe->linux_from = v;
        }
        if (n == probe->misfits)
            probe->linux_to = v;
    }
}

/* ---- the child ---------------------------------------------------------------------- */

/* No handler of the program may run in its copy: it might return to the program. */
static void default_signals(void)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            sigaction(s, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Takes a range of addresses, the larger the better. */
static bool open_lab(struct mw_lab *lab)
{
    static const size_t sizes[] = { LAB_LARGE, LAB_SMALL };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        long r = SYS(SYS_mmap, NULL, sizes[i] + MW_HUGE, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (r < 0 && r > -4096)
            continue;
        lab->size = sizes[i];
        lab->base = (char *)(((uintptr_t)r + MW_HUGE - 1) & ~(uintptr_t)(MW_HUGE - 1));
        return true;
    }
    return false;
}

static bool clean_lab(const struct mw_lab *lab)
{
    long r = SYS(SYS_mmap, lab->base, lab->size, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return r == (long)(uintptr_t)lab->base;
}

static _Noreturn void child(struct notes *notes, struct mw_lab lab)
{
    static const struct rlimit no_core = { 0, 0 };

    default_signals();
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(SECONDS);
    if (!open_lab(&lab))
        _exit(1);
    while (notes->next < MW_CAPS && clean_lab(&lab)) {
        notes->found[notes->next] = caps[notes->next].try(&lab);
        notes->next++;
    }
    _exit(0);
}

/* ---- the parent ----------------------------------------------------------------------- */

/* What a child's end says of what it was trying. */
static struct mw_found found_by_death(int status)
{
    int s = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    if (s == 0)
        return mw_found_untried(0);
    if (s == SIGSEGV || s == SIGBUS)
        return mw_found_no(0); /* the memory was not what it should have been */
    return (struct mw_found){ .as = MW_FOUND_KILLED, .number = s };
}

/* With all signals blocked, so that no handler of the program runs in the child. */
static long start(struct notes *notes, const struct mw_lab *lab)
{
    sigset_t all, old;
    long pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid = mw_probe_fork();
    if (pid == 0)
        child(notes, *lab);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pid;
}

int64_t mw_live_probe(struct mw_probe *probe)
{
    struct mw_lab lab = { .page = (size_t)sysconf(_SC_PAGESIZE), .parent = (int)getpid() };
    struct notes *notes;
    long pid = 0;

    memset(probe, 0, sizeof *probe);
    notes = mmap(NULL, sizeof *notes, MW_RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (notes == MAP_FAILED)
        return -errno;
    while (notes->next < MW_CAPS) {
        int status;
        pid = start(notes, &lab);
        if (pid < 0)
            break;
        status = mw_probe_wait(pid);
        if (notes->next < MW_CAPS) {
            notes->found[notes->next] = found_by_death(status);
            notes->next++;
        }
    }
    memcpy(probe->found, notes->found, sizeof probe->found);
    munmap(notes, sizeof *notes);
    fit(probe);
    return pid < 0 ? pid : 0;
}
