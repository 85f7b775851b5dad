/* SPDX-License-Identifier: MIT */
/*
 * work.c - runs episodes in worker processes, watches over them, and has what
 * they find shrunk, shown and written down.
 */
#include "system.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

#define MAX_JOBS 64
#define RANDOM_HUGE_PAGES 8 /* few, so that they run out */
#define SHARED_AT 0x0f0000000000ull

/* What the parent and its workers share. */
struct board {
    uint64_t next; /* the first episode that nobody has taken */
    uint64_t until;
    bool stop;
    struct expectation expectation;
    struct slot slot[MAX_JOBS + 1]; /* the last one is the parent's, for trials */
};
static struct board *board;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool open_board(void)
{
    void *p;
    if (board != NULL)
        return true;
    p = mmap((void *)(uintptr_t)SHARED_AT, sizeof *board, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    board = p == MAP_FAILED ? NULL : p;
    return board != NULL;
}

/* Grows the stack, which all processes inherit, so that it does not grow between two looks. */
__attribute__((noinline)) static void use_stack(void)
{
    volatile char room[128 << 10];
    for (size_t i = 0; i < sizeof room; i += 1024)
        room[i] = 0;
}

static uint64_t cpu_us(int whose)
{
    struct rusage u;
    getrusage(whose, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* The slot's files, opened for the first of its processes: that takes as long as some hundred calls. */
static void lend_files(struct slot *slot)
{
    static struct system_files of[MAX_JOBS + 1];
    struct system_files *mine = &of[slot - board->slot];
    if (!mine->opened)
        memset(slot->dirty, 0, sizeof slot->dirty);
    mine->maps = sys_files.maps;
    mine->statm = sys_files.statm;
    mine->status = sys_files.status;
    mine->smaps = sys_files.smaps;
    sys_files = *mine;
    if (sys_open_files())
        *mine = sys_files;
}

static void enter(void)
{
    alarm(EPISODE_SECONDS);
    if (!sys_enter())
        _exit(EXIT_CANT);
}

/* A list of steps in a process of its own; its verdict lies in slot. */
static void trial_child(struct slot *slot, bool strict)
{
    enter();
    _exit(run_episode(slot, NULL, strict) ? EXIT_AGREED : EXIT_DIFFERS);
}

static void died(struct slot *slot, int status)
{
    struct disagreement *d = &slot->d;
    memset(d, 0, sizeof *d);
    d->step = slot->episode.n - 1;
    if (WIFSIGNALED(status))
        snprintf(d->what, sizeof d->what, "the process ended by signal %d", WTERMSIG(status));
    else
        snprintf(d->what, sizeof d->what, "the process ended with status %d", WEXITSTATUS(status));
}

bool trial(struct slot *slot, bool strict)
{
    int status = 0;
    pid_t pid;
    slot->d.step = -1;
    lend_files(slot);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        trial_child(slot, strict);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_AGREED)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_DIFFERS)
        died(slot, status);
    return false;
}

bool expect(const struct episode *e, uint32_t version, struct expectation *out)
{
    int status = 1;
    pid_t pid;
    if (!open_board())
        return false;
    memset(&board->expectation, 0, sizeof board->expectation);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        enter();
        model_version = version;
        _exit(model_expect(e, &board->expectation) ? 0 : 1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return false;
    *out = board->expectation;
    out->version = version;
    return true;
}

/* ---- workers ---- */

/* The next episode of this worker. False: there is none. */
static bool take(struct slot *slot, const struct options *o)
{
    uint64_t n;
    if (slot->chained == MAX_CHAIN || board->stop)
        return false;
    if (o->chained > 0 && slot->chained == o->chained)
        return false;
    n = o->chained > 0 ? o->chain[slot->chained]
                       : __atomic_fetch_add(&board->next, 1, __ATOMIC_RELAXED);
    if (o->chained == 0 && n >= board->until)
        return false;
    slot->number = slot->chain[slot->chained++] = n;
    return true;
}

static void worker(struct slot *slot, const struct options *o)
{
    static struct generator g;
    enter();
    slot->chained = 0;
    while (take(slot, o)) {
        generate_begin(&g, o->seed, slot->number, o->only, o->steps);
        alarm(EPISODE_SECONDS);
        bool same = run_episode(slot, &g, false);
        if (!same)
            _exit(EXIT_DIFFERS);
        if (run_is_child())
            _exit(EXIT_AGREED);
        slot->tally.episodes++;
        sys_changed();
        if (slot->stale || generate_leaves_traces(&g) || !sys_own_intact())
            _exit(EXIT_FRESH);
    }
    _exit(EXIT_AGREED);
}

static pid_t start(struct slot *slot, const struct options *o)
{
    pid_t pid;
    lend_files(slot);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        worker(slot, o);
    return pid;
}

static bool more_work(const struct options *o, double began)
{
    if (board->stop || o->chained > 0)
        return false;
    if (o->seconds > 0 && seconds() - began > o->seconds)
        return false;
    return board->next < board->until;
}

static void total(struct tally *t)
{
    memset(t, 0, sizeof *t);
    for (int i = 0; i <= MAX_JOBS; i++)
        cover_add(t, &board->slot[i].tally);
    t->cpu_us = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
}

/* ---- what was found ---- */

static struct {
    char key[32][160];
    int keys, shown;
    uint64_t again;
} found;

/* Findings with the same key are taken for one. */
static void key_of(const struct slot *slot, char *key, size_t size)
{
    const struct disagreement *d = &slot->d;
    const struct step *s = &slot->episode.step[d->step < 0 ? 0 : d->step];
    const char *kind = d->system < 0 && d->system > -4096 ? mw_errno_name((int)-d->system) : "ok";
    snprintf(key, size, "%s %s %s %s %x", step_name[s->kind], d->what, kind,
             mw_why_name(&d->why), s->kind == STEP_MREMAP ? s->flags & 7u : 0);
}

static bool is_new(const char *key)
{
    for (int i = 0; i < found.keys; i++)
        if (strcmp(found.key[i], key) == 0)
            return false;
    if (found.keys < 32)
        snprintf(found.key[found.keys++], sizeof found.key[0], "%s", key);
    return true;
}

static void write_program(const struct slot *slot, const struct options *o, const char *name,
                          uint64_t number)
{
    char path[512];
    if (o->no_emit)
        return;
    snprintf(path, sizeof path, "%s%sfindings-%s.c", o->emit ? o->emit : "", o->emit ? "/" : "",
             name);
    if (emit_program(slot, path, o->seed, number))
        say(o, "A program that shows it: %s\n", path);
    else
        say(o, "(no program could be written to %s)\n", path);
}

static void write_down(const struct slot *slot, const struct options *o, uint64_t number)
{
    char path[512];
    snprintf(path, sizeof path, "%llu-%llu", (unsigned long long)o->seed,
             (unsigned long long)number);
    write_program(slot, o, path, number);
    if (o->corpus) {
        snprintf(path, sizeof path, "%s/%llu-%llu.steps", o->corpus, (unsigned long long)o->seed,
                 (unsigned long long)number);
        if (!episode_save(&slot->episode, path))
            fprintf(stderr, "conform: can't write %s\n", path);
    }
}

/* ---- what shows only after other episodes ---- */

/* Runs a chain of episodes in a process of its own. True: the last one disagrees. */
static bool chain_differs(const struct options *o, const uint64_t *chain, int n)
{
    static struct options again;
    struct slot *mine = &board->slot[MAX_JOBS];
    int status = 0;
    pid_t pid;
    again = *o;
    again.chained = n;
    memcpy(again.chain, chain, (size_t)n * sizeof *chain);
    pid = start(mine, &again);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DIFFERS && mine->chained == n;
}

/* Leaves out the episodes that are not needed. The new length. */
static int shorten(const struct options *o, uint64_t *chain, int n)
{
    uint64_t less[MAX_CHAIN];
    for (int size = n / 2; size > 0; size /= 2)
        for (int from = n - 1 - size; from >= 0 && n > 1; from -= size) {
            int tail = n - from - size;
            memcpy(less, chain, (size_t)from * sizeof *less);
            memcpy(less + from, chain + from + size, (size_t)tail * sizeof *less);
            if (!chain_differs(o, less, n - size))
                continue;
            n -= size;
            memcpy(chain, less, (size_t)n * sizeof *less);
        }
    return n;
}

/* An episode that agrees when run alone, after those that its process ran before. */
static void try_chain(const struct slot *from, const struct options *o)
{
    uint64_t chain[MAX_CHAIN];
    int n = from->chained;
    bool again;
    memcpy(chain, from->chain, sizeof chain);
    again = n > 1 && chain_differs(o, chain, n);
    if (again)
        n = shorten(o, chain, n);
    say(o, "episode %llu disagreed (%s) but does not when run alone; after what its process "
           "ran before it does%s:\n--seed %llu --episode ",
        (unsigned long long)from->number, from->d.what, again ? "" : " not either",
        (unsigned long long)o->seed);
    for (int i = 0; i < n; i++)
        say(o, "%s%llu", i ? "," : "", (unsigned long long)chain[i]);
    say(o, "\n");
}

/* Shrinks, shows and writes down what `from` found. */
static void handle(const struct slot *from, const struct options *o)
{
    static struct slot *mine;
    char key[160];
    mine = &board->slot[MAX_JOBS];
    key_of(from, key, sizeof key);
    if (!is_new(key)) {
        found.again++;
        return;
    }
    mine->episode = from->episode;
    if (from->d.step >= 0)
        mine->episode.n = from->d.step + 1;
    mine->d = from->d;
    if (o->no_shrink) {
        /* as it is */
    } else if (trial(mine, false) && trial(mine, true)) {
        static struct slot kept;
        kept = *from;
        try_chain(&kept, o);
        mine->episode = kept.episode;
        mine->d = kept.d;
    } else {
        shrink(mine);
        key_of(mine, key, sizeof key);
        if (!is_new(key) && found.shown > 0) {
            found.again++;
            return;
        }
    }
    found.shown++;
    output_progress_clear(o);
    if (!o->quiet)
        show_disagreement(mine, o->seed, from->number);
    write_down(mine, o, from->number);
    output_finding(mine, from->number);
    if (found.shown >= o->findings)
        board->stop = true;
}

/* ---- the corpus ---- */

static int replay_corpus(const struct options *o)
{
    struct slot *mine = &board->slot[MAX_JOBS];
    DIR *dir = o->corpus ? opendir(o->corpus) : NULL;
    struct dirent *entry;
    int n = 0;
    if (o->corpus && dir == NULL) {
        fprintf(stderr, "conform: can't read %s\n", o->corpus);
        return -1;
    }
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[512];
        size_t len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 6, ".steps") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", o->corpus, entry->d_name);
        if (!episode_load(&mine->episode, path)) {
            fprintf(stderr, "conform: %s is no list of steps\n", path);
            continue;
        }
        n++;
        if (trial(mine, true))
            continue;
        found.shown++;
        say(o, "%s still disagrees: %s\n", path, mine->d.what);
        if (!o->quiet)
            show_disagreement(mine, o->seed, 0);
        entry->d_name[len - 6] = 0;
        write_program(mine, o, entry->d_name, 0);
        output_finding(mine, 0);
    }
    if (dir != NULL)
        closedir(dir);
    return n;
}

/* ---- watching ---- */

static void after_worker(struct slot *slot, int status, const struct options *o)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == EXIT_AGREED || code == EXIT_FRESH)
        return;
    if (code == EXIT_CANT) {
        fprintf(stderr, "conform: the tests can't be set up here (files, or the layout)\n");
        board->stop = true;
        found.shown++;
        return;
    }
    if (code != EXIT_DIFFERS)
        died(slot, status);
    handle(slot, o);
}

/* Until a child ends, or it is time to look after other things. */
static void wait_a_little(void)
{
    const struct timespec most = { .tv_nsec = 20000000 };
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* it waits, then, if it comes before us */
    if (sigtimedwait(&ends, NULL, &most) < 0 && errno != EAGAIN && errno != EINTR)
        usleep(2000);
}

static void watch(const struct options *o, double began)
{
    pid_t pid[MAX_JOBS] = { 0 };
    struct tally t;
    for (bool busy = true; busy;) {
        busy = false;
        for (int i = 0; i < o->jobs; i++) {
            int status;
            if (pid[i] > 0 && waitpid(pid[i], &status, WNOHANG) == pid[i]) {
                pid[i] = 0;
                after_worker(&board->slot[i], status, o);
            }
            if (pid[i] == 0 && more_work(o, began))
                pid[i] = start(&board->slot[i], o);
            busy = busy || pid[i] > 0;
        }
        if (o->seconds > 0 && seconds() - began > o->seconds)
            board->until = 0; /* workers end after their episode */
        if (output_progress_due(o, seconds() - began)) {
            total(&t);
            output_progress(o, &t, seconds() - began, found.shown);
        }
        if (busy)
            wait_a_little();
    }
}

static void run_all(const struct options *o, double began)
{
    if (o->chained > 0) {
        int status = 0;
        pid_t pid = start(&board->slot[0], o);
        if (pid > 0 && waitpid(pid, &status, 0) == pid)
            after_worker(&board->slot[0], status, o);
        return;
    }
    watch(o, began);
}

int work(const struct options *o)
{
    double began = seconds();
    struct tally t;
    if (!open_board()) {
        fprintf(stderr, "conform: no memory\n");
        return 2;
    }
    board->next = o->from;
    board->until = o->seconds > 0 && o->calls == 0
                       ? UINT64_MAX
                       : o->from + (o->calls * 5 / 4 + (uint64_t)o->steps - 1) / (uint64_t)o->steps + 1;
    if (o->huge_pages)
        sys_take_huge(RANDOM_HUGE_PAGES);
    if (o->huge_pages && sys.huge_pages == 0)
        say(o, "left out: huge pages, of which no pool is to be had\n");
    use_stack();
    sys_lower_lock_limit();
    if (replay_corpus(o) < 0)
        return 2;
    run_all(o, began);
    total(&t);
    output_progress_clear(o);
    output_end(o, &t, seconds() - began, found.shown, found.again);
    return found.shown > 0 ? 1 : 0;
}
