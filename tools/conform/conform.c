/* SPDX-License-Identifier: MIT */
/* conform.c - the command: options, and what is done with them. */
#include "conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

static const char help[] =
    "usage: mapwright conform [options]\n"
    "\n"
    "Makes memory-mapping calls on this system and in Mapwright, and compares results,\n"
    "errors, mappings, bytes, signals and counters with what Linux does.\n"
    "\n"
    "  --suite            the fixed scenarios instead of random calls\n"
    "  --calls N          random calls to compare [200000]\n"
    "  --time SECONDS     stop after that long\n"
    "  --seed S           where chance comes from [1]\n"
    "  --episode E,...    only this episode of the seed: a finding again; several run one\n"
    "                     after the other in one process, as they did when they were found\n"
    "  --from E           begin with this episode [0]\n"
    "  --steps K          steps of an episode, up to 320 [200]\n"
    "  --only CALL,...    of mmap, munmap, mprotect, mremap, brk, mlock, mlock2, munlock, mlockall,\n"
    "                     munlockall, madvise, msync, mincore, mseal, name, ftruncate, shmat, shmdt,\n"
    "                     process_madvise, remap_file_pages, pkey_alloc, pkey_free, pkey_mprotect,\n"
    "                     uffd_register, uffd_unregister, uffd_copy, uffd_zeropage, uffd_continue,\n"
    "                     uffd_poison, uffd_move, uffd_writeprotect\n"
    "  --linux X.Y        compare with that Linux [found out by trying]\n"
    "  --jobs N           processes at work [1]\n"
    "  --findings N       stop after so many different findings [1]\n"
    "  --corpus DIR       first repeat the findings kept there; keep new ones there\n"
    "  --emit DIR         where C programs that show a finding go [.]\n"
    "  --no-emit          write no C programs\n"
    "  --no-shrink        show a finding as it was met\n"
    "  --any-place        don't compare addresses that the system chooses\n"
    "  --same-layout      don't restart without address randomization\n"
    "  --coverage         which rules and reasons were exercised\n"
    "  --huge-pages       random calls with MAP_HUGETLB too: the system's pool is used\n"
    "  --check-table      the suite's expectations against the engine, at every version\n"
    "  --print-table      the suite's table anew, from what the engine says\n"
    "  --tap              results in the Test Anything Protocol\n"
    "  --junit FILE       and as JUnit XML\n"
    "  --json FILE        and as JSON (- for standard output)\n"
    "  --quiet            findings only by the exit code and files\n"
    "\n"
    "Exit code: 0 all agrees, 1 something differs, 2 the command line or the set-up.\n";

static bool any_place, same_layout;

static bool number(const char *text, uint64_t *out)
{
    char *end;
    if (text == NULL || *text < '0' || *text > '9')
        return false;
    *out = strtoull(text, &end, 0);
    return *end == 0;
}

static bool version_of(const char *text, uint32_t *out)
{
    unsigned major, minor;
    char after;
    if (text == NULL || sscanf(text, "%u.%u%c", &major, &minor, &after) != 2 || major > 99 ||
        minor > 999)
        return false;
    *out = MW_LINUX(major, minor);
    return true;
}

static bool only_of(const char *text, uint32_t *out)
{
    char list[512], *save = NULL;
    if (text == NULL || strlen(text) >= sizeof list)
        return false;
    strcpy(list, text);
    for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
        int kind = 0;
        while (kind < STEP_CALLS && strcmp(step_name[kind], name) != 0)
            kind++;
        if (kind == STEP_CALLS)
            return false;
        *out |= 1u << kind;
    }
    return *out != 0;
}

/* Episodes, separated by commas. */
static bool chain_of(const char *text, struct options *o)
{
    char *end;
    for (o->chained = 0; text != NULL && o->chained < MAX_CHAIN; text = end + 1) {
        if (*text < '0' || *text > '9')
            return false;
        o->chain[o->chained++] = strtoull(text, &end, 0);
        if (*end != ',')
            return *end == 0;
    }
    return false;
}

/* A word without a value. */
static bool plain_option(struct options *o, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } table[] = {
        { "--suite", &o->suite }, { "--huge-pages", &o->huge_pages },
        { "--tap", &o->tap },
        { "--quiet", &o->quiet },
        { "--coverage", &o->coverage },
        { "--no-emit", &o->no_emit },
        { "--no-shrink", &o->no_shrink },
        { "--any-place", &any_place },
        { "--same-layout", &same_layout },
        { "--check-table", &o->check_table },
        { "--print-table", &o->print_table },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return *table[i].flag = true;
    return false;
}

static bool number_option(struct options *o, const char *name, const char *value, bool *known)
{
    uint64_t v = 0;
    bool ok = number(value, &v);
    *known = true;
    if (strcmp(name, "--seed") == 0)
        o->seed = v;
    else if (strcmp(name, "--calls") == 0)
        o->calls = v, ok = ok && v > 0 && v < 1ull << 60;
    else if (strcmp(name, "--from") == 0)
        o->from = v;
    else if (strcmp(name, "--steps") == 0)
        o->steps = (int)v, ok = ok && v > 0 && v <= MAX_STEPS;
    else if (strcmp(name, "--jobs") == 0)
        o->jobs = (int)v, ok = ok && v > 0 && v <= 64;
    else if (strcmp(name, "--findings") == 0)
        o->findings = (int)v, ok = ok && v > 0 && v < 1000;
    else if (strcmp(name, "--time") == 0)
        o->seconds = (double)v, ok = ok && v > 0;
    else
        *known = false;
    return ok;
}

static bool text_option(struct options *o, const char *name, const char *value, bool *known)
{
    *known = true;
    if (strcmp(name, "--linux") == 0)
        return version_of(value, &o->version);
    if (strcmp(name, "--only") == 0)
        return only_of(value, &o->only);
    if (strcmp(name, "--episode") == 0)
        return chain_of(value, o);
    if (strcmp(name, "--corpus") == 0)
        o->corpus = value;
    else if (strcmp(name, "--emit") == 0)
        o->emit = value;
    else if (strcmp(name, "--junit") == 0)
        o->junit = value;
    else if (strcmp(name, "--json") == 0)
        o->json = value;
    else
        *known = false;
    return value != NULL;
}

/* -1: go on; else the exit code. */
static int parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool known, ok;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (plain_option(o, argv[i]))
            continue;
        ok = number_option(o, argv[i], value, &known);
        if (!known)
            ok = text_option(o, argv[i], value, &known);
        if (!known || !ok) {
            fprintf(stderr, known ? "conform: %s needs another value than '%s'\n"
                                  : "conform: no option '%s'\n",
                    argv[i], value ? value : "");
            fputs("`mapwright conform --help` lists the options.\n", stderr);
            return 2;
        }
        i++;
    }
    return -1;
}

/*
 * Runs the program again without address randomization, so that chosen
 * addresses repeat. Not where there is no vdso: an emulator, whose exec would
 * run this program outside of it.
 */
static void fix_layout(char **argv)
{
    int now = personality(0xffffffff);
    if (now != -1 && now & ADDR_NO_RANDOMIZE) {
        sys.fixed_layout = true;
        return;
    }
    if (now == -1 || same_layout || getauxval(AT_SYSINFO_EHDR) == 0)
        return;
    if (personality((unsigned long)now | ADDR_NO_RANDOMIZE) == -1)
        return;
    if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE))
        return;
    fflush(NULL);
    execv("/proc/self/exe", argv);
}

/* Of the random calls, what this system lacks or does not let this user have. */
static void say_left_out(void)
{
    const struct {
        bool there;
        const char *what;
    } kinds[] = {
        { sys.seal, "mseal" },
        { sys.watch, "userfaultfd" },
        { sys.segments, "shmat and shmdt" },
        { sys.thp_mode != MW_THP_NEVER, "transparent huge pages" },
        { sys.names, "names of memory" },
        { sys.advises, "process_madvise" },
        { sys.remaps, "remap_file_pages" },
        { sys.keys, "protection keys" },
    };
    const char *before = "left out:";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!kinds[i].there) {
            printf("%s %s", before, kinds[i].what);
            before = ",";
        }
    printf(*before == ',' ? "\n" : "");
}

static void introduce(const struct options *o, const char *doubt)
{
    static const char *const look[] = { "PROCMAP_QUERY", "/proc/self/maps", "probing" };
    struct utsname name;
    if (o->tap || o->quiet || uname(&name) != 0)
        return;
    printf("%s %s; compared with Linux %u.%u%s; layout by %s%s\n", name.sysname, name.release,
           model_version / 1000, model_version % 1000,
           o->version ? "" : " (as it behaves)", look[sys.look],
           sys.exact ? "" : "; chosen addresses are not compared");
    if (*doubt)
        printf("does not fit: %s\n", doubt);
    if (!o->suite)
        say_left_out();
}

int cmd_conform(int argc, char **argv)
{
    struct options o = { .seed = 1, .jobs = 1, .steps = 200, .findings = 1 };
    char doubt[1024] = "";
    int code = parse(&o, argc, argv);
    if (code >= 0)
        return code;
    if (o.calls == 0 && o.seconds <= 0)
        o.calls = 200000;
    fix_layout(argv - (strcmp(argv[0], "conform") == 0));
    sys_probe();
    model_version = o.version ? o.version : detect_version(doubt, sizeof doubt);
    sys.exact = !any_place && detect_placement();
    if (!o.print_table)
        introduce(&o, doubt);
    return o.suite || o.check_table || o.print_table ? suite_run(&o) : work(&o);
}
