/* SPDX-License-Identifier: MIT */
/*
 * programs.c - programs that are hard to observe, one for each name:
 *
 *     programs NAME
 *
 * Each ends with status 0 when all went as it should for the program itself,
 * with 77 where this system lacks what it is about.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, CHILDREN = 100, THREADS = 6, ROUNDS = 150, MAPPINGS = 20000 };

static void *map(size_t size, int prot)
{
    return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void pause_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    while (nanosleep(&t, &t) != 0)
        continue;
}

/* ---- ends --------------------------------------------------------------------- */

static int exit_with_seven(void)
{
    return 7;
}

static int killed(void)
{
    return kill(getpid(), SIGKILL);
}

static int segfault(void)
{
    volatile char *page = map(PAGE, PROT_READ);
    *page = 1;
    return 1;
}

/* Says its process id, then makes calls for ever. */
static int go_on(void)
{
    printf("%d\n", (int)getpid());
    fflush(stdout);
    while (munmap(map(PAGE, PROT_READ), PAGE) == 0)
        pause_ms(10);
    return 1;
}

/* A shell's background jobs start with the signal ignored. */
static int endable(void)
{
    signal(SIGINT, SIG_DFL);
    return go_on();
}

static int stubborn(void)
{
    signal(SIGINT, SIG_IGN);
    return go_on();
}

/* ---- processes and threads ------------------------------------------------------- */

static int fork_children(void)
{
    int bad = 0, status;

    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0) {
            char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
            _exit(p == MAP_FAILED || munmap(p + PAGE, PAGE) != 0);
        }
    while (wait(&status) > 0)
        bad += status != 0;
    return bad;
}

static char churn_failed;

/* Maps, grows and unmaps; NULL: all of it worked. */
static void *churn(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
        if (p == MAP_FAILED)
            return &churn_failed;
        *p = 1;
        char *grown = mremap(p, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
        if (grown == MAP_FAILED || munmap(grown, 5 * PAGE) != 0)
            return &churn_failed;
    }
    return NULL;
}

static int threads(void)
{
    pthread_t thread[THREADS];
    void *failed;
    int bad = 0;

    for (int i = 0; i < THREADS; i++)
        bad += pthread_create(&thread[i], NULL, churn, NULL) != 0;
    for (int i = 0; i < THREADS && !bad; i++)
        bad += pthread_join(thread[i], &failed) != 0 || failed;
    return bad;
}

static void *churn_for_ever(void *arg)
{
    while (!churn(arg))
        continue;
    return arg;
}

static void *exec_true(void *arg)
{
    pause_ms(20);
    execlp("true", "true", (char *)NULL);
    exit(1);
    return arg;
}

/* The exec ends threads in the middle of their calls. */
static int exec_from_thread(void)
{
    pthread_t thread;

    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, churn_for_ever, NULL);
    if (pthread_create(&thread, NULL, exec_true, NULL) != 0)
        return 1;
    pthread_join(thread, NULL);
    return 1;
}

/* The parent is gone before the daemon's calls. It says on standard output when it is done. */
static int daemonise(void)
{
    if (fork() != 0)
        return 0;
    setsid();
    if (fork() != 0)
        _exit(0);
    pause_ms(200);
    char *p = map(3 * PAGE, PROT_READ);
    if (munmap(p + PAGE, PAGE) == 0 && write(STDOUT_FILENO, "daemon done\n", 12) == 12)
        _exit(0);
    _exit(1);
}

/* A task that is traced already can't ask for a tracer; it must be told so and go on. */
static int trace_me(void)
{
    errno = 0;
    long result = ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    munmap(map(PAGE, PROT_READ), PAGE);
    return !(result == -1 && errno == EPERM);
}

/* A child stops itself; the parent sees it stopped, and lets it go on. */
static int stop_and_continue(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        raise(SIGSTOP);
        munmap(map(PAGE, PROT_READ), PAGE);
        _exit(3);
    }
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
        return 1;
    pause_ms(50);
    if (waitpid(child, &status, WNOHANG) != 0) /* must still be stopped */
        return 1;
    kill(child, SIGCONT);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 1;
    return WEXITSTATUS(status) != 3;
}

/* ---- memory ------------------------------------------------------------------------ */

/* Neighbours differ in their rights, so that none merge. NULL: refused. */
static char *map_many(void)
{
    char *all = map((size_t)MAPPINGS * PAGE, PROT_READ);

    for (size_t i = 0; i < MAPPINGS; i += 2)
        if (mprotect(all + i * PAGE, PAGE, PROT_READ | PROT_WRITE) != 0)
            return NULL;
    return all;
}

static int many_mappings(void)
{
    char *all = map_many();

    return !all || munmap(all, (size_t)MAPPINGS * PAGE) != 0;
}

/*
 * Three neighbours are written to, the middle one last: it takes over the identity of the one
 * above it, and merges with that alone; in the order of addresses all three would be one. The calls
 * in between change nothing, and are so many that a large space is looked at in time.
 */
static int write_in_order(void)
{
    static const int order[] = { 0, 2, 1 };
    char *all = map_many(), *row = all + 1000 * PAGE;
    int refused = !all || mprotect(row + PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) != 0;

    for (int i = 0; !refused && i < 3; i++) {
        row[order[i] * PAGE] = 1;
        for (int calls = 0; calls < 2 * MAPPINGS / 250; calls++)
            refused |= mprotect(all + PAGE, PAGE, PROT_READ);
    }
    return refused || mprotect(row + PAGE, PAGE, PROT_READ | PROT_WRITE) != 0;
}

static int failing_calls(void)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    munmap(p + PAGE, PAGE);
    int refused = mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT;
    refused &= mremap(p, PAGE, PAGE, MREMAP_FIXED, p + 8 * PAGE) == MAP_FAILED && errno == EINVAL;
    return !refused;
}

/*
 * Calls that not every Linux answers alike. What this one says to them is not
 * looked at, but for the first, without which there is nothing to see.
 */
static int version_dependent(void)
{
    enum { DROPPABLE = 0x08, NOREPLACE = 0x100000, DONTUNMAP = 4, RW = PROT_READ | PROT_WRITE };
    char *p = map(16 * PAGE, RW), *to = map(16 * PAGE, PROT_NONE);
    int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

    if (p == MAP_FAILED || to == MAP_FAILED)
        return 1;
    memset(p, 1, 16 * PAGE);
    /* two mappings at once, three times: the second makes the first ones neighbours again */
    mprotect(p + 2 * PAGE, PAGE, PROT_READ);
    for (int i = 0; i < 3; i++) {
        char *from = i % 2 ? to : p;
        if (mremap(from, 4 * PAGE, 4 * PAGE, fixed, i % 2 ? p : to) == MAP_FAILED)
            return 77; /* before 6.17 */
    }
    mremap(p + 8 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | DONTUNMAP, NULL);
    mremap(p + 8 * PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
    mmap(p + 12 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | NOREPLACE, -1, 0);
    mmap(NULL, PAGE, RW, DROPPABLE | MAP_ANONYMOUS, -1, 0);
    map((size_t)4 << 20, RW); /* a multiple of the huge page */
    return 0;
}

static int shared_memory(void)
{
    int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
    if (id < 0)
        return 77; /* no System V IPC here */
    char *p = shmat(id, NULL, 0);
    int bad = p == (void *)-1 || mprotect(p, PAGE, PROT_READ) != 0 || shmdt(p) != 0;
    shmctl(id, IPC_RMID, NULL);
    return bad;
}

/* mmap2 of the 32-bit table, from a 64-bit program. */
static int old_abi(void)
{
    enum { I386_MMAP2 = 192, WHERE = 0x20000000 };
    unsigned result;

    signal(SIGSEGV, SIG_DFL); /* what a kernel without this ABI answers with */
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(I386_MMAP2), "b"(WHERE), "c"(2 * PAGE), "d"(PROT_READ),
                       "S"(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED), "D"(-1)
                     : "memory");
    if (result == (unsigned)-ENOSYS)
        return 77;
    return result != WHERE || munmap((char *)(uintptr_t)WHERE + PAGE, PAGE) != 0;
}

/*
 * From now on mprotect answers EACCES without having been made: a result that
 * Linux itself would not give.
 */
static int falsified(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof steps / sizeof steps[0], steps };
    char *p = map(2 * PAGE, PROT_READ);

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        return 77; /* no seccomp here */
    return !(mprotect(p, PAGE, PROT_NONE) == -1 && errno == EACCES);
}

/* ---- input and output ---------------------------------------------------------------- */

static void print_signals(void)
{
    char line[256];
    FILE *in = fopen("/proc/self/status", "re");

    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
            fputs(line, stdout);
    if (in)
        fclose(in);
}

/* Copies its input to both outputs, and says what it was started with. */
static int echo(void)
{
    char line[256];

    while (fgets(line, sizeof line, stdin)) {
        fputs(line, stdout);
        fputs(line, stderr);
    }
    printf("descriptors:");
    for (int fd = 0; fd < 16; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf(" %d", fd);
    printf("\nno new privileges: %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    print_signals();
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} programs[] = {
    { "exit7", exit_with_seven },
    { "killed", killed },
    { "segfault", segfault },
    { "endable", endable },
    { "stubborn", stubborn },
    { "forks", fork_children },
    { "threads", threads },
    { "exec", exec_from_thread },
    { "daemon", daemonise },
    { "traceme", trace_me },
    { "stop", stop_and_continue },
    { "many", many_mappings },
    { "order", write_in_order },
    { "failing", failing_calls },
    { "versions", version_dependent },
    { "shmat", shared_memory },
    { "int80", old_abi },
    { "falsified", falsified },
    { "echo", echo },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (argc == 2 && strcmp(argv[1], programs[i].name) == 0)
            return programs[i].run();
    fputs("programs: which one?\n", stderr);
    return 2;
}
