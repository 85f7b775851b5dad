/* SPDX-License-Identifier: MIT */
/*
 * random.c - a program that does nothing but memory calls, chosen at random in
 * a small arena, so that they meet each other's leavings. For `mapwright check`
 * to follow.
 *
 *     random SEED CALLS FILE
 *
 * The same seed makes the same calls. FILE is an ordinary file, open to writing.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    SOURCES = 40, TARGETS = 64, MOST_PAGES = 12, /* where calls begin, and how far they reach */
    HOLE = 4096, ARENA_AT = 1024,                /* free room around the arena, in pages */
    FILE_PAGES = 256
};

static uint64_t state;
static char *arena;
static int file, file_read_only, memfd;
static sigjmp_buf after_fault;

static unsigned below(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

static char *somewhere(void)
{
    return arena + (size_t)below(SOURCES) * PAGE;
}

static char *target(void)
{
    return arena + (size_t)below(TARGETS) * PAGE;
}

static size_t some_size(void)
{
    return (size_t)(below(MOST_PAGES) + 1) * PAGE;
}

static int some_prot(void)
{
    static const int prot[] = { PROT_NONE, PROT_READ, PROT_READ, PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC };
    return prot[below(sizeof prot / sizeof prot[0])];
}

/* ---- mmap, munmap, mprotect, brk --------------------------------------------- */

static void map_private(void)
{
    int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | (below(8) ? 0 : MAP_NORESERVE);
    mmap(somewhere(), some_size(), some_prot(), flags, -1, 0);
}

static void map_shared(void)
{
    mmap(somewhere(), some_size(), some_prot(), MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* The offset follows the address, so that neighbours can merge. */
static void map_file(void)
{
    char *at = somewhere();
    int fd = below(3) ? file : below(2) ? memfd : file_read_only;
    mmap(at, some_size(), some_prot(), MAP_FIXED | (below(2) ? MAP_SHARED : MAP_PRIVATE), fd,
         at - arena);
}

/* Where the kernel likes: a free hint is taken, anything else is searched for. */
static void map_anywhere(void)
{
    char *hint = below(2) ? somewhere() : NULL;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (hint && !below(3) ? MAP_FIXED_NOREPLACE : 0);
    mmap(hint, some_size(), some_prot(), flags, -1, 0);
}

static void unmap(void)
{
    munmap(somewhere(), some_size());
}

static void protect(void)
{
    mprotect(somewhere(), some_size(), some_prot());
}

static void move_break(void)
{
    if (!below(4))
        sbrk(((int)below(40) - 20) * (PAGE / 2));
}

/* ---- mremap --------------------------------------------------------------------- */

static void resize(void)
{
    mremap(somewhere(), some_size(), some_size(), below(2) ? MREMAP_MAYMOVE : 0);
}

static void move_fixed(void)
{
    size_t from = some_size(), to = below(3) ? from : some_size();
    mremap(somewhere(), from, to, MREMAP_MAYMOVE | MREMAP_FIXED, target());
}

static void move_and_keep(void)
{
    size_t size = some_size();
    int fixed = below(2) ? MREMAP_FIXED : 0;
    mremap(somewhere(), size, below(8) ? size : some_size(),
           MREMAP_MAYMOVE | MREMAP_DONTUNMAP | fixed, target());
}

/* Old size 0: a second mapping of the same shared pages. */
static void duplicate(void)
{
    mremap(somewhere(), 0, some_size(), MREMAP_MAYMOVE | (below(2) ? MREMAP_FIXED : 0), target());
}

/* A tail of fresh memory, written to or not, goes where it may merge or not. */
static void move_fresh_tail(void)
{
    char *at = somewhere();
    unsigned pages = below(MOST_PAGES) + 1, skip = below(pages);
    int prot = some_prot();

    mmap(at, (size_t)pages * PAGE, prot, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((prot & PROT_WRITE) && below(2))
        *(volatile char *)at = 1;
    mprotect(at + (size_t)pages * PAGE, PAGE, PROT_NONE);
    mremap(at + (size_t)skip * PAGE, (size_t)(pages - skip) * PAGE, (size_t)(pages - skip) * PAGE,
           MREMAP_MAYMOVE | MREMAP_FIXED, target());
}

/* What every kernel refuses, each for another reason. */
static void remap_badly(void)
{
    char *at = somewhere();
    switch (below(5)) {
    case 0: mremap(at + 1, PAGE, PAGE, MREMAP_MAYMOVE); break;
    case 1: mremap(at, PAGE, 0, MREMAP_MAYMOVE); break;
    case 2: mremap(at, PAGE, PAGE, 8); break;
    case 3: mremap(at, PAGE, PAGE, MREMAP_FIXED, target()); break;
    default: mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE); break;
    }
}

/* ---- locks and advice --------------------------------- */

static void lock(void)
{
    if (below(3))
        munlock(somewhere(), some_size());
    else
        mlock(somewhere(), some_size());
}

static void advise(void)
{
    static const int advice[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTNEED,
                                  MADV_DONTFORK, MADV_DOFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
                                  MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK,
                                  MADV_FREE, MADV_REMOVE, MADV_COLD, 22 /* POPULATE_READ */,
                                  23 /* POPULATE_WRITE */, 24 /* DONTNEED_LOCKED */,
                                  102 /* GUARD_INSTALL */, 103 /* GUARD_REMOVE */ };
    madvise(somewhere(), some_size(), advice[below(sizeof advice / sizeof advice[0])]);
}

/* The child ends or goes on with the same calls; the parent waits or does not. */
static void fork_at_times(void)
{
    if (below(10))
        return;
    pid_t child = fork();
    unsigned goes_on = below(2), waits = below(2);
    if (child == 0 && !goes_on)
        _exit(0);
    if (child > 0 && waits)
        waitpid(child, NULL, 0);
}

/* ---- touches: they decide which mappings share an identity ------------------------- */

static void on_fault(int sig)
{
    (void)sig;
    siglongjmp(after_fault, 1);
}

static void write_pages(void)
{
    char *at = somewhere();
    unsigned pages = below(4) + 1;

    if (sigsetjmp(after_fault, 1))
        return;
    for (unsigned i = 0; i < pages; i++)
        *(volatile char *)(at + (size_t)i * PAGE) = 1;
}

static void read_page(void)
{
    char *at = somewhere();

    if (!sigsetjmp(after_fault, 1))
        (void)*(volatile char *)at;
}

/* ---- the program ------------------------------------------------------------------- */

static void (*const kind[])(void) = {
    map_private, map_private, map_private, map_shared,    map_file,   map_anywhere,
    unmap,       protect,     protect,     move_break,    resize,     resize,
    move_fixed,  move_fixed,  duplicate,   move_and_keep, lock,       move_fresh_tail,
    remap_badly, advise,      write_pages, write_pages,   read_page,  fork_at_times,
};

static void prepare(const char *path)
{
    char *hole = mmap(NULL, (size_t)HOLE * PAGE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    file = open(path, O_RDWR);
    file_read_only = open(path, O_RDONLY);
    memfd = memfd_create("random", 0);
    if (hole == MAP_FAILED || file < 0 || file_read_only < 0 || memfd < 0 ||
        ftruncate(memfd, FILE_PAGES * PAGE) != 0) {
        perror("random");
        exit(3);
    }
    munmap(hole, (size_t)HOLE * PAGE);
    arena = hole + (size_t)ARENA_AT * PAGE;
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: random SEED CALLS FILE\n", stderr);
        return 2;
    }
    state = strtoull(argv[1], NULL, 0);
    unsigned long calls = strtoul(argv[2], NULL, 0);
    prepare(argv[3]);
    for (unsigned long i = 0; i < calls; i++)
        kind[below(sizeof kind / sizeof kind[0])]();
    return 0;
}
