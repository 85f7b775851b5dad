/* SPDX-License-Identifier: MIT */
/* detect.c - which Linux a system behaves as: by trying. */
#include "suite.h"
#include "system.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT(page) (ARENA + (page) * PAGE)
#define RW (MW_PROT_READ | MW_PROT_WRITE)
#define PRIVATE (MW_MAP_PRIVATE | MW_MAP_ANONYMOUS)

/* 1 yes, 0 no, -1 can't tell */
typedef int probe_fn(void);

static int64_t anon(uint64_t addr, uint64_t pages, uint64_t prot, uint64_t flags)
{
    return sys_raw(SYS_mmap, addr, pages * PAGE, prot, flags | PRIVATE, UINT64_MAX, 0);
}

static int64_t fixed(uint64_t page, uint64_t pages, uint64_t prot)
{
    return anon(AT(page), pages, prot, MW_MAP_FIXED);
}

static void clear(void)
{
    sys_raw(SYS_munmap, ZONE_LOW, ZONE_HIGH - ZONE_LOW, 0, 0, 0, 0);
    sys_changed();
}

static int64_t remap(uint64_t old, uint64_t len, uint64_t size, uint64_t flags, uint64_t to)
{
    return sys_raw(SYS_mremap, AT(old), len * PAGE, size * PAGE, flags, AT(to), 0);
}

/* Whether one mapping is exactly [from, end). */
static int is_one(uint64_t from, uint64_t end)
{
    struct seen s;
    sys_changed();
    if (sys.look == LOOK_PROBE)
        return -1;
    return sys_next(AT(from), &s) && s.start == AT(from) && s.end == AT(end);
}

static int count_checked_always(void)
{
    int answer = -1;
    int64_t r = 0;
    if (sys.max_map_count > 70000 || fixed(0, 1, RW) < 0)
        return -1;
    for (uint64_t i = 0; r >= 0 && i < sys.max_map_count + 10; i++)
        r = anon(FILL + i * PAGE, 1, i & 1 ? MW_PROT_READ : RW, MW_MAP_FIXED);
    if (r == -MW_ENOMEM)
        answer = remap(0, 1, 1, 0, 0) == -MW_ENOMEM;
    clear();
    return answer;
}

static int leaves_watches(void)
{
    fixed(0, 2, RW);
    fixed(12, 2, RW);
    if (setup_watch(SIDE_SYSTEM, AT(0), 2 * PAGE) != 0 ||
        setup_watch(SIDE_SYSTEM, AT(12), 2 * PAGE) != 0)
        return -1;
    remap(0, 2, 2, MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED, 10);
    return is_one(10, 12);
}

static int pipe_is_noexec(void)
{
    int ends[2];
    int64_t r;
    if (pipe(ends) != 0)
        return -1;
    r = sys_raw(SYS_mmap, 0, PAGE, MW_PROT_EXEC, MW_MAP_PRIVATE, (uint64_t)ends[0], 0);
    return r == -MW_EPERM ? 1 : r == -MW_ENODEV ? 0 : -1;
}

static int arguments_first(void)
{
    return sys_raw(SYS_mremap, AT(0), PAGE, TASK_END + PAGE, MW_MREMAP_MAYMOVE, 0, 0) ==
           -MW_EINVAL;
}

static int merges_into_untouched(void)
{
    fixed(4, 2, RW);
    fixed(0, 2, RW);
    *(volatile char *)(uintptr_t)AT(0) = 1;
    remap(0, 2, 4, 0, 0);
    return is_one(0, 6);
}

static int leaves_cuts(void)
{
    if (!sys.seal)
        return 0;
    fixed(0, 4, RW);
    fixed(4, 1, MW_PROT_READ);
    sys_raw(NR_MSEAL, AT(4), PAGE, 0, 0, 0, 0);
    sys_raw(SYS_munmap, AT(2), 3 * PAGE, 0, 0, 0, 0);
    return is_one(0, 2);
}

static int gives_back(void)
{
    fixed(0, 2, RW);
    fixed(2, 2, MW_PROT_READ);
    sys_raw(SYS_mprotect, AT(0), 2 * PAGE, MW_PROT_READ, 0, 0, 0);
    return is_one(0, 4);
}

static int droppable(void)
{
    int64_t r = sys_raw(SYS_mmap, 0, PAGE, RW, MW_MAP_DROPPABLE | MW_MAP_ANONYMOUS, UINT64_MAX, 0);
    if (r > 0)
        sys_raw(SYS_munmap, (uint64_t)r, PAGE, 0, 0, 0, 0);
    return r > 0;
}

static int seals(void)
{
    return sys.seal;
}

static int stack_flag(void)
{
    uint64_t flags;
    if (anon(AT(0), 1, RW, MW_MAP_FIXED | MW_MAP_STACK) < 0)
        return -1;
    flags = sys_vm_flags(AT(0));
    return flags == 0 || !sys.thp ? -1 : (flags & MW_VM_NOHUGEPAGE) != 0;
}

static int placed_huge(void)
{
    int64_t r;
    bool aligned = true;
    if (!sys.thp)
        return -1;
    for (int i = 0; i < 3; i++) {
        r = anon(0, 2 * HUGE / PAGE, 0, 0);
        if (r < 0)
            return -1;
        aligned = aligned && (uint64_t)r % HUGE == 0;
        anon(0, 3, 0, 0);
    }
    return aligned;
}

static int grown_merges(void)
{
    fixed(4, 2, RW);
    fixed(0, 2, RW);
    remap(0, 2, 4, 0, 0);
    return is_one(0, 6);
}

static int moves_shared(void)
{
    sys_raw(SYS_mmap, AT(0), PAGE, RW, MW_MAP_SHARED | MW_MAP_ANONYMOUS | MW_MAP_FIXED, UINT64_MAX,
            0);
    return remap(0, 1, 1, MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED | MW_MREMAP_DONTUNMAP, 9) > 0;
}

/* A fault that comes and goes: in 6.16 and 6.17, in 6.19, in no update of 6.18. */
static int locks_droppable(void)
{
    struct counted before, after;
    if (!sys.status || !sys.privileged ||
        sys_raw(SYS_mlockall, 2 /* MCL_FUTURE */, 0, 0, 0, 0, 0) != 0 || !sys_counters(&before))
        return -1;
    if (sys_raw(SYS_mmap, AT(0), PAGE, RW, MW_MAP_DROPPABLE | MW_MAP_ANONYMOUS | MW_MAP_FIXED,
                UINT64_MAX, 0) < 0)
        return -1;
    return sys_counters(&after) && after.locked > before.locked;
}

/* From new to old. A system is as old as the newest behaviour that it lacks. */
static const struct {
    uint32_t since;
    const char *what;
    probe_fn *probe;
} probes[] = {
    { MW_LINUX(7, 3), "a move leaves its neighbours watched", leaves_watches },
    { MW_LINUX(7, 2), "mremap checks max_map_count always", count_checked_always },
    { MW_LINUX(6, 18), "pipes can't be executed", pipe_is_noexec },
    { MW_LINUX(6, 17), "mremap checks all arguments first", arguments_first },
    { MW_LINUX(6, 16), "touched memory merges into untouched", merges_into_untouched },
    { MW_LINUX(6, 12), "a refused munmap leaves its cut", leaves_cuts },
    { MW_LINUX(6, 12), "mprotect gives promised memory back", gives_back },
    { MW_LINUX(6, 11), "MAP_DROPPABLE", droppable },
    { MW_LINUX(6, 10), "mseal", seals },
    { MW_LINUX(6, 7), "MAP_STACK keeps huge pages away", stack_flag },
    { MW_LINUX(6, 7), "large mappings are huge-aligned", placed_huge },
    { MW_LINUX(6, 1), "growth in place merges", grown_merges },
    { MW_LINUX(5, 13), "MREMAP_DONTUNMAP of shared memory", moves_shared },
};
enum { PROBES = sizeof probes / sizeof probes[0] };

/* Each probe in a process of its own: what it maps is gone afterwards. */
static int ask(probe_fn *probe)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int answer;
        sys_reopen();
        answer = probe();
        _exit(answer < 0 ? 2 : answer);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status) == 2 ? -1 : WEXITSTATUS(status);
}

/*
 * The version whose behaviour agrees with most answers; the newest of those
 * that do so equally well.
 */
static uint32_t best_fit(const int *answer)
{
    uint32_t best = MW_LINUX_NEWEST;
    int least = PROBES + 1;
    for (int v = 0; v <= PROBES; v++) {
        uint32_t version = v < PROBES ? probes[v].since : MW_LINUX(5, 10);
        int misfits = 0;
        for (int i = 0; i < PROBES; i++)
            misfits += answer[i] >= 0 && answer[i] != (probes[i].since <= version);
        if (misfits < least) {
            least = misfits;
            best = version;
        }
    }
    return best;
}

uint32_t detect_version(char *doubt, size_t size)
{
    int answer[PROBES];
    uint32_t version;
    size_t n = 0;
    for (int i = 0; i < PROBES; i++)
        answer[i] = ask(probes[i].probe);
    version = best_fit(answer);
    if (version == MW_LINUX(6, 18) && ask(locks_droppable) == 1)
        version = MW_LINUX(6, 19);
    doubt[0] = 0;
    for (int i = 0; i < PROBES && n < size; i++)
        if (answer[i] >= 0 && answer[i] != (probes[i].since <= version))
            n += (size_t)snprintf(doubt + n, size - n, "%s%s (%u.%u): %s", n ? "; " : "",
                                  probes[i].what, probes[i].since / 1000, probes[i].since % 1000,
                                  answer[i] ? "yes" : "no");
    return version;
}

/* Where the system places mappings: as the engine would, three times in a row? */
static int places_alike(void)
{
    static const uint64_t pages[] = { 1, 5, 3 };
    if (!sys_enter() || sys.owned == 0 || !model_open())
        return 0;
    for (size_t i = 0; i < 3; i++) {
        struct step s = { .kind = STEP_MMAP, .file = FILE_NONE, .prot = RW, .flags = PRIVATE,
                          .len = pages[i] * PAGE };
        if (model_step(&s) != sys_step(&s))
            return 0;
    }
    return 1;
}

bool detect_placement(void)
{
    return ask(places_alike) == 1;
}
