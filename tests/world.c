/* SPDX-License-Identifier: MIT */
/* world.c - the steps of a scenario and how each is written to the log. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

void world_init(int argc, char **argv)
{
    (void)argc;
    int now = personality(0xffffffff);
    if (now >= 0 && (now & ADDR_NO_RANDOMIZE) == 0 &&
        personality((unsigned long)now | ADDR_NO_RANDOMIZE) >= 0)
        execv("/proc/self/exe", argv);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct session *session_at(int fd)
{
    void *p = mmap(NULL, sizeof(struct session), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

struct session *session_new(void)
{
    int fd = memfd_create("session", 0);
    if (fd < 0 || ftruncate(fd, sizeof(struct session)) != 0)
        return NULL;
    struct session *s = session_at(fd);
    if (s == NULL)
        return NULL;
    s->fd = fd;
#ifdef SANITIZED
    ssize_t n = readlink("/proc/self/exe", s->plain, sizeof s->plain - 8);
    if (n > 0)
        memcpy(s->plain + n, "_plain", 7);
#endif
    return s;
}

bool world_as_live(int argc, char **argv, struct session **out)
{
    if (argc != 3 || strcmp(argv[1], "--as-live") != 0)
        return false;
    *out = session_at(atoi(argv[2]));
    return *out != NULL;
}

void session_reset(struct session *s)
{
    for (int i = 0; i < 2; i++) {
        s->log[i].len = 0;
        s->log[i].text[0] = 0;
        s->log[i].skipped = false;
        s->log[i].finished = false;
    }
}

/* ---- the log ---- */

static void put(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void vput(struct world *w, const char *fmt, va_list ap)
{
    struct world_log *l = w->log;
    size_t room = sizeof l->text - l->len;
    int n = vsnprintf(l->text + l->len, room, fmt, ap);
    if (n > 0)
        l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void put(struct world *w, const char *fmt, ...)
{
    va_list ap;
    if (w->quiet)
        return;
    va_start(ap, fmt);
    vput(w, fmt, ap);
    va_end(ap);
}

void say(struct world *w, const char *fmt, ...)
{
    va_list ap;
    if (w->quiet)
        return;
    va_start(ap, fmt);
    vput(w, fmt, ap);
    va_end(ap);
    put(w, "\n");
}

/* Ends a step's line; a world that is no longer sound says so. */
static void end_line(struct world *w)
{
    const char *what = w->quiet ? NULL : w->ops->sound(w);
    put(w, "%s%s\n", what ? " UNSOUND: " : "", what ? what : "");
}

uint64_t at(int64_t page)
{
    return ARENA + (uint64_t)page * PAGE;
}

static bool in_zone(uint64_t addr)
{
    return addr >= ARENA - ARENA_BEFORE && addr < ARENA + ARENA_AFTER;
}

static void put_addr(struct world *w, uint64_t addr)
{
    if (!in_zone(addr)) {
        put(w, "%#llx", (unsigned long long)addr);
        return;
    }
    int64_t byte = (int64_t)(addr - ARENA);
    int64_t unit = (int64_t)PAGE, page = byte >= 0 ? byte / unit : -((-byte + unit - 1) / unit);
    int64_t rest = byte - page * (int64_t)PAGE;
    if (page >= HEAP_PAGE)
        put(w, "h%lld", (long long)(page - HEAP_PAGE));
    else
        put(w, "@%lld", (long long)page);
    if (rest != 0)
        put(w, "+%lld", (long long)rest);
}

static void put_size(struct world *w, uint64_t size)
{
    if (size % PAGE == 0 && size / PAGE < 1000000)
        put(w, "%lldP", (long long)(size / PAGE));
    else
        put(w, "%#llx", (unsigned long long)size);
}

static const char *prot_name(uint32_t prot)
{
    static const char *const names[] = { "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx" };
    return prot < 8 ? names[prot] : "odd";
}

static void put_prot(struct world *w, uint32_t prot)
{
    if (prot < 8)
        put(w, "%s", prot_name(prot));
    else
        put(w, "%#x", prot);
}

static int64_t put_result(struct world *w, int64_t r)
{
    put(w, " = ");
    if (r < 0 && r > -4096) {
        put(w, "%s", mw_errno_name((int)-r));
        if (r == -MW_ENOSYS)
            w->log->skipped = true;
    } else if (r == 0) {
        put(w, "0");
    } else {
        put_addr(w, (uint64_t)r);
        w->last = (uint64_t)r;
    }
    end_line(w);
    return r;
}

/* ---- the calls ---- */

static void put_flags(struct world *w, uint32_t flags)
{
    static const struct { uint32_t bit; const char *name; } names[] = {
        { MW_MAP_FIXED, "FIXED" }, { MW_MAP_ANONYMOUS, "ANON" }, { MW_MAP_32BIT, "32BIT" },
        { MW_MAP_GROWSDOWN, "GROWSDOWN" }, { MW_MAP_LOCKED, "LOCKED" },
        { MW_MAP_NORESERVE, "NORESERVE" }, { MW_MAP_POPULATE, "POPULATE" },
        { MW_MAP_NONBLOCK, "NONBLOCK" }, { MW_MAP_STACK, "STACK" },
        { MW_MAP_FIXED_NOREPLACE, "NOREPLACE" },
    };
    static const char *const types[] = { "0", "SHARED", "PRIVATE", "VALIDATE" };
    uint32_t rest = flags & ~3u;
    put(w, "%s", types[flags & 3u]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (rest & names[i].bit) {
            put(w, "|%s", names[i].name);
            rest &= ~names[i].bit;
        }
    if (rest)
        put(w, "|%#x", rest);
}

int64_t do_mmap(struct world *w, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags,
                int file, uint64_t off)
{
    put(w, "mmap(");
    put_addr(w, addr);
    put(w, ", ");
    put_size(w, len);
    put(w, ", ");
    put_prot(w, prot);
    put(w, ", ");
    put_flags(w, flags);
    if (file != NO_FILE)
        put(w, ", f%d", file);
    if (off != 0) {
        put(w, ", ");
        put_size(w, off);
    }
    put(w, ")");
    return put_result(w, w->ops->mmap(w, addr, len, prot, flags, file, off));
}

static int64_t range_call(struct world *w, const char *name, uint64_t addr, uint64_t len)
{
    put(w, "%s(", name);
    put_addr(w, addr);
    put(w, ", ");
    put_size(w, len);
    return 0;
}

int64_t do_munmap(struct world *w, uint64_t addr, uint64_t len)
{
    range_call(w, "munmap", addr, len);
    put(w, ")");
    return put_result(w, w->ops->munmap(w, addr, len));
}

int64_t do_mprotect(struct world *w, uint64_t addr, uint64_t len, uint32_t prot)
{
    range_call(w, "mprotect", addr, len);
    put(w, ", ");
    put_prot(w, prot);
    put(w, ")");
    return put_result(w, w->ops->mprotect(w, addr, len, prot));
}

int64_t do_mremap(struct world *w, uint64_t old, uint64_t osz, uint64_t nsz, uint32_t flags,
                  uint64_t to)
{
    static const char *const names[] = { "0", "MAY", "FIXED", "MAY|FIXED",
                                         "DONTUNMAP", "MAY|DONTUNMAP", "FIXED|DONTUNMAP",
                                         "MAY|FIXED|DONTUNMAP" };
    range_call(w, "mremap", old, osz);
    put(w, ", ");
    put_size(w, nsz);
    if (flags < 8)
        put(w, ", %s, ", names[flags]);
    else
        put(w, ", %#x, ", flags);
    put_addr(w, to);
    put(w, ")");
    return put_result(w, w->ops->mremap(w, old, osz, nsz, flags, to));
}

void do_brk(struct world *w, uint64_t addr)
{
    put(w, "brk(");
    put_addr(w, addr);
    put(w, ") = ");
    put_addr(w, w->ops->brk(w, addr));
    end_line(w);
}

void mapped(struct world *w, int64_t page, int64_t n, uint32_t prot, uint32_t more_flags)
{
    do_mmap(w, at(page), (uint64_t)n * PAGE, prot, FIXED | more_flags, NO_FILE, 0);
}

void anon(struct world *w, int64_t page, int64_t n, uint32_t prot)
{
    mapped(w, page, n, prot, PRIV | ANON);
}

void shanon(struct world *w, int64_t page, int64_t n, uint32_t prot)
{
    mapped(w, page, n, prot, SHARED | ANON);
}

void filemap(struct world *w, int64_t page, int64_t n, uint32_t prot, uint32_t type, int file,
             int64_t pg)
{
    do_mmap(w, at(page), (uint64_t)n * PAGE, prot, FIXED | type, file, (uint64_t)pg * PAGE);
}

void unmap(struct world *w, int64_t page, int64_t n)
{
    do_munmap(w, at(page), (uint64_t)n * PAGE);
}

void protect(struct world *w, int64_t page, int64_t n, uint32_t prot)
{
    do_mprotect(w, at(page), (uint64_t)n * PAGE, prot);
}

int64_t key_protect(struct world *w, int64_t page, int64_t n, uint64_t prot, int32_t key)
{
    return do_pkey_mprotect(w, at(page), (uint64_t)n * PAGE, prot, key);
}

int64_t move(struct world *w, int64_t old, int64_t osz, int64_t nsz, uint32_t flags, int64_t to)
{
    return do_mremap(w, at(old), (uint64_t)osz * PAGE, (uint64_t)nsz * PAGE, flags, at(to));
}

void heap(struct world *w, int64_t pages)
{
    do_brk(w, at(HEAP_PAGE + pages));
}

/* A range, flags, and what the world says. */
static int64_t flag_call(struct world *w, const char *name, uint64_t addr, uint64_t len, uint64_t flags,
                         int64_t (*call)(struct world *, uint64_t, uint64_t, uint64_t))
{
    range_call(w, name, addr, len);
    put(w, ", %#llx)", (unsigned long long)flags);
    return put_result(w, call(w, addr, len, flags));
}

int64_t do_mlock2(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return flag_call(w, "mlock2", addr, len, flags, w->ops->mlock2);
}

int64_t do_madvise(struct world *w, uint64_t addr, uint64_t len, uint64_t advice)
{
    return flag_call(w, "madvise", addr, len, advice, w->ops->madvise);
}

int64_t do_process_madvise(struct world *w, const struct mw_iovec *ranges, uint64_t n, uint64_t advice,
                           uint64_t flags, bool self)
{
    put(w, "process_madvise(%s, %llu of", self ? "self" : "a child", (unsigned long long)n);
    for (uint64_t i = 0; i < n && i < 8; i++) {
        put(w, " ");
        put_addr(w, ranges[i].base);
        put(w, "+");
        put_size(w, ranges[i].length);
    }
    put(w, ", %#llx, %#llx)", (unsigned long long)advice, (unsigned long long)flags);
    return put_result(w, w->ops->process_madvise(w, ranges, n, advice, flags, self));
}

int64_t do_remap_file_pages(struct world *w, uint64_t addr, uint64_t size, uint64_t prot, uint64_t index,
                            uint64_t flags)
{
    range_call(w, "remap_file_pages", addr, size);
    put(w, ", %#llx, %#llx, %#llx)", (unsigned long long)prot, (unsigned long long)index,
        (unsigned long long)flags);
    return put_result(w, w->ops->remap_file_pages(w, addr, size, prot, index, flags));
}

int64_t do_msync(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return flag_call(w, "msync", addr, len, flags, w->ops->msync);
}

int64_t do_mseal(struct world *w, uint64_t addr, uint64_t len, uint64_t flags)
{
    return flag_call(w, "mseal", addr, len, flags, w->ops->mseal);
}

int64_t do_pkey_mprotect(struct world *w, uint64_t addr, uint64_t len, uint64_t prot, int32_t key)
{
    range_call(w, "pkey_mprotect", addr, len);
    put(w, ", %#llx, %d)", (unsigned long long)prot, key);
    return put_result(w, w->ops->pkey_mprotect(w, addr, len, prot, key));
}

int64_t do_pkey_alloc(struct world *w, uint64_t flags, uint64_t rights)
{
    put(w, "pkey_alloc(%#llx, %#llx)", (unsigned long long)flags, (unsigned long long)rights);
    return put_result(w, w->ops->pkey_alloc(w, flags, rights));
}

int64_t do_pkey_free(struct world *w, int32_t key)
{
    put(w, "pkey_free(%d)", key);
    return put_result(w, w->ops->pkey_free(w, key));
}

int64_t do_mlock(struct world *w, uint64_t addr, uint64_t len)
{
    range_call(w, "mlock", addr, len);
    put(w, ")");
    return put_result(w, w->ops->mlock(w, addr, len));
}

int64_t do_munlock(struct world *w, uint64_t addr, uint64_t len)
{
    range_call(w, "munlock", addr, len);
    put(w, ")");
    return put_result(w, w->ops->munlock(w, addr, len));
}

int64_t do_mincore(struct world *w, uint64_t addr, uint64_t len)
{
    unsigned char vec[64];
    memset(vec, 7, sizeof vec); /* 7: not written */
    range_call(w, "mincore", addr, len);
    int64_t r = w->ops->mincore(w, addr, len, vec);
    put(w, ") ");
    for (uint64_t i = 0; i < (len / PAGE < sizeof vec ? len / PAGE : sizeof vec); i++)
        put(w, "%u", vec[i]);
    return put_result(w, r);
}

int64_t lock_all(struct world *w, uint64_t flags)
{
    put(w, "mlockall(%#llx)", (unsigned long long)flags);
    return put_result(w, w->ops->mlockall(w, flags));
}

void unlock_all(struct world *w)
{
    put(w, "munlockall()");
    put_result(w, w->ops->munlockall(w));
}

void seal(struct world *w, int64_t page, int64_t n)
{
    do_mseal(w, at(page), (uint64_t)n * PAGE, 0);
}

int64_t advise(struct world *w, int64_t page, int64_t n, uint64_t advice)
{
    return do_madvise(w, at(page), (uint64_t)n * PAGE, advice);
}

int64_t remap(struct world *w, int64_t page, int64_t n, uint64_t index)
{
    return do_remap_file_pages(w, at(page), (uint64_t)n * PAGE, 0, index, 0);
}

int64_t lock(struct world *w, int64_t page, int64_t n)
{
    return do_mlock(w, at(page), (uint64_t)n * PAGE);
}

int64_t unlock(struct world *w, int64_t page, int64_t n)
{
    return do_munlock(w, at(page), (uint64_t)n * PAGE);
}

int file_of_bytes(struct world *w, enum file_kind kind, uint64_t bytes, uint32_t mode)
{
    int f = w->ops->file(w, kind, bytes, mode);
    put(w, "file f%d, kind %d, mode %u, ", f, (int)kind, mode);
    put_size(w, bytes);
    put(w, "\n");
    return f;
}

int file_of(struct world *w, enum file_kind kind, int64_t pages, uint32_t mode)
{
    return file_of_bytes(w, kind, (uint64_t)pages * PAGE, mode);
}

int64_t truncate_to(struct world *w, int file, uint64_t bytes)
{
    put(w, "truncate(f%d, ", file);
    put_size(w, bytes);
    put(w, ")");
    return put_result(w, w->ops->truncate(w, file, bytes));
}

static int new_segment(struct world *w, uint64_t bytes, uint32_t perm, bool is_huge)
{
    int seg = w->ops->segment(w, bytes, perm, is_huge);
    put(w, "segment s%d, %#o, %llu bytes%s\n", seg, perm, (unsigned long long)bytes, is_huge ? ", huge" : "");
    return seg;
}

int segment(struct world *w, uint64_t bytes, uint32_t perm)
{
    return new_segment(w, bytes, perm, false);
}

int huge_segment(struct world *w, uint64_t bytes)
{
    return new_segment(w, bytes, 0666, true);
}

int64_t do_shmat(struct world *w, int seg, uint64_t addr, uint64_t flags)
{
    put(w, "shmat(s%d, ", seg);
    put_addr(w, addr);
    put(w, ", %#llx)", (unsigned long long)flags);
    return put_result(w, w->ops->shmat(w, seg, addr, flags));
}

void attached(struct world *w, int seg)
{
    say(w, "attached s%d: %lld", seg, (long long)w->ops->attached(w, seg));
}

int64_t attach(struct world *w, int seg, int64_t page, uint64_t flags)
{
    int64_t r = do_shmat(w, seg, at(page), flags);
    attached(w, seg);
    return r;
}

int64_t do_shmdt(struct world *w, uint64_t addr)
{
    put(w, "shmdt(");
    put_addr(w, addr);
    put(w, ")");
    return put_result(w, w->ops->shmdt(w, addr));
}

void detach(struct world *w, int64_t page)
{
    do_shmdt(w, at(page));
    lay(w);
}

/* ---- accesses ---- */

static const char *access_name(enum access a)
{
    static const char *const names[] = { "ok", "MAPERR", "ACCERR", "BUS", "signal?" };
    return names[a];
}

void touch(struct world *w, int64_t page, int64_t n)
{
    put(w, "touch [%lld,%lld):", (long long)page, (long long)(page + n));
    for (int64_t i = page; i < page + n; i++)
        put(w, " %s", access_name(w->ops->store(w, at(i), (uint32_t)(i + 1))));
    end_line(w);
}

void store(struct world *w, int64_t page, uint32_t value)
{
    put(w, "store @%lld: %s", (long long)page, access_name(w->ops->store(w, at(page), value)));
    end_line(w);
}

void store_at(struct world *w, uint64_t addr, uint32_t value)
{
    put(w, "store ");
    put_addr(w, addr);
    put(w, ": %s", access_name(w->ops->store(w, addr, value)));
    end_line(w);
}

void execute(struct world *w, int64_t page)
{
    put(w, "execute @%lld: %s", (long long)page, access_name(w->ops->exec(w, at(page))));
    end_line(w);
}

void data_at(struct world *w, uint64_t addr, int64_t n)
{
    put(w, "data ");
    put_addr(w, addr);
    put(w, ":");
    for (int64_t i = 0; i < n; i++) {
        uint32_t value = 0;
        enum access a = w->ops->load(w, addr + (uint64_t)i * PAGE, &value);
        if (a == ACC_OK)
            put(w, " %u", value);
        else
            put(w, " %s", access_name(a));
    }
    end_line(w);
}

void data(struct world *w, int64_t page, int64_t n)
{
    data_at(w, at(page), n);
}

void copy_out(struct world *w, uint64_t addr, uint64_t len)
{
    put(w, "copy %llu bytes from ", (unsigned long long)len);
    put_addr(w, addr);
    put(w, ": %llu", (unsigned long long)w->ops->copy_out(w, addr, len));
    end_line(w);
}

void copy_in(struct world *w, uint64_t addr, uint64_t len)
{
    put(w, "copy %llu bytes to ", (unsigned long long)len);
    put_addr(w, addr);
    put(w, ": %llu", (unsigned long long)w->ops->copy_in(w, addr, len));
    end_line(w);
}

/* ---- looking ---- */

static void put_seen(struct world *w, const struct seen *v, uint64_t base, const char *lead)
{
    put(w, " %s[%lld,%lld)%s%c", lead, (long long)(int64_t)(v->start - base) / (long long)PAGE,
        (long long)(int64_t)(v->end - base) / (long long)PAGE, prot_name(v->prot),
        v->shared ? 's' : 'p');
    if (v->file == -1)
        return;
    put(w, "@%lld:", (long long)(v->offset / PAGE));
    if (v->file >= MAX_FILES)
        put(w, "s%d", v->file - MAX_FILES);
    else if (v->file >= 0)
        put(w, "f%d", v->file);
    else
        put(w, "%s", v->file == -2 ? "anon" : "other");
}

void lay(struct world *w)
{
    struct seen v;
    bool any = false;
    put(w, "layout:");
    for (uint64_t a = ARENA - ARENA_BEFORE; w->ops->next(w, a, &v); a = v.end) {
        if (v.start >= ARENA + ARENA_AFTER)
            break;
        if (v.start >= at(HEAP_PAGE))
            put_seen(w, &v, at(HEAP_PAGE), "h");
        else
            put_seen(w, &v, ARENA, "");
        any = true;
    }
    if (!any)
        put(w, " none");
    if (w->last != 0 && !in_zone(w->last) && w->ops->next(w, w->last, &v) && v.start <= w->last)
        put_seen(w, &v, w->last, "R=>");
    end_line(w);
}

void flags_of(struct world *w, int64_t page)
{
    static const struct { uint64_t bit; const char *name; } names[] = {
        { MW_VM_READ, "rd" }, { MW_VM_WRITE, "wr" }, { MW_VM_EXEC, "ex" }, { MW_VM_SHARED, "sh" },
        { MW_VM_MAYREAD, "mr" }, { MW_VM_MAYWRITE, "mw" }, { MW_VM_MAYEXEC, "me" },
        { MW_VM_MAYSHARE, "ms" }, { MW_VM_GROWSDOWN, "gd" }, { MW_VM_LOCKED, "lo" },
        { MW_VM_LOCKONFAULT, "lf" }, { MW_VM_NORESERVE, "nr" }, { MW_VM_ACCOUNT, "ac" },
        { MW_VM_DONTCOPY, "dc" }, { MW_VM_WIPEONFORK, "wf" }, { MW_VM_DONTDUMP, "dd" },
        { MW_VM_SEQ_READ, "sr" }, { MW_VM_RAND_READ, "rr" }, { MW_VM_HUGEPAGE, "hg" },
        { MW_VM_NOHUGEPAGE, "nh" }, { MW_VM_MERGEABLE, "mg" }, { MW_VM_SEALED, "sl" },
        { MW_VM_UFFD_MISSING, "um" }, { MW_VM_UFFD_WP, "uw" }, { MW_VM_UFFD_MINOR, "ui" },
        { MW_VM_DROPPABLE, "dp" },
    };
    uint64_t f = w->ops->flags(w, at(page));
    put(w, "flags @%lld:", (long long)page);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (f & names[i].bit)
            put(w, " %s", names[i].name);
    put(w, "\n");
}

void present(struct world *w, int64_t page, int64_t n)
{
    put(w, "present @%lld: ", (long long)page);
    for (int64_t i = page; i < page + n; i++)
        put(w, "%c", w->ops->present(w, at(i)) ? '1' : '0');
    put(w, "\n");
}

void count(struct world *w)
{
    struct counters c;
    w->ops->counters(w, &c);
    say(w, "counters: total%+lld data%+lld stack%+lld locked%+lld",
        (long long)(c.total - w->base.total), (long long)(c.data - w->base.data),
        (long long)(c.stack - w->base.stack), (long long)(c.locked - w->base.locked));
}

/* ---- huge pages ---- */

void huge(struct world *w)
{
    if (!w->ops->huge(w, 16))
        w->log->skipped = true;
    w->ops->huge_pool(w, &w->huge_unused, &w->huge_promised);
}

void huge_map(struct world *w, int64_t i, int64_t n, uint32_t prot, uint32_t flags)
{
    do_mmap(w, at(HUGE_PAGES(i)), (uint64_t)n * HUGE_PAGE, prot,
            ANON | FIXED | MW_MAP_HUGETLB | flags, NO_FILE, 0);
}

void huge_touch(struct world *w, int64_t i, int64_t n)
{
    for (int64_t k = i; k < i + n; k++)
        store(w, HUGE_PAGES(k) + 3, (uint32_t)k + 1);
}

void huge_data(struct world *w, int64_t i, int64_t n)
{
    for (int64_t k = i; k < i + n; k++)
        data(w, HUGE_PAGES(k) + 3, 1);
}

int64_t huge_move(struct world *w, int64_t old, int64_t osz, int64_t nsz, uint32_t flags, int64_t to)
{
    return do_mremap(w, at(HUGE_PAGES(old)), (uint64_t)osz * HUGE_PAGE, (uint64_t)nsz * HUGE_PAGE,
                     flags, at(HUGE_PAGES(to)));
}

void pool(struct world *w)
{
    int64_t unused, promised;
    w->ops->huge_pool(w, &unused, &promised);
    say(w, "huge pages: free%+lld promised%+lld", (long long)(unused - w->huge_unused),
        (long long)(promised - w->huge_promised));
}

void transparent(struct world *w)
{
    if (!w->ops->transparent(w))
        w->log->skipped = true;
}

void resident(struct world *w, int64_t page, int64_t n)
{
    static unsigned char vec[16384];
    int64_t r = w->ops->mincore(w, at(page), (uint64_t)n * PAGE, vec), there = 0, pages, whole;
    for (int64_t i = 0; r == 0 && i < n; i++)
        there += vec[i];
    w->ops->resident(w, &pages, &whole);
    say(w, "mincore @%lld+%lld: %lld, %lld pages; %lld resident, %lld huge", (long long)page, (long long)n,
        (long long)r, (long long)there, (long long)pages, (long long)whole);
}

/* ---- circumstances ---- */

void limit(struct world *w, enum mw_limit which, int64_t pages)
{
    static const char *const names[] = { "AS", "DATA", "MEMLOCK", "STACK" };
    struct counters c;
    int64_t from = 0;
    w->ops->counters(w, &c);
    if (which == MW_LIMIT_AS)
        from = c.total;
    else if (which == MW_LIMIT_DATA)
        from = c.data;
    say(w, "limit %s %+lldP", names[which], (long long)pages);
    w->ops->limit(w, which, (uint64_t)(from + pages) * PAGE);
}

void drop_privileges(struct world *w)
{
    say(w, "unprivileged");
    w->ops->drop(w);
}

void forked(struct world *w)
{
    say(w, "forked");
    w->ops->forked(w);
}

int64_t fill_map_count(struct world *w, int64_t page)
{
    int64_t n = 0;
    while (n < 200000 &&
           w->ops->mmap(w, at(page + n), PAGE, n & 1 ? RO : RW,
                        PRIV | ANON | FIXED | MW_MAP_NORESERVE, NO_FILE, 0) > 0)
        n++;
    say(w, "filled with %lld mappings", (long long)n);
    return n;
}

const char *session_difference(const struct session *s)
{
    static char text[16384];
    const char *a = s->log[WORLD_LIVE].text, *b = s->log[WORLD_ENGINE].text;
    size_t line = 0, i = 0;
    if (strcmp(a, b) == 0)
        return NULL;
    for (; a[i] == b[i]; i++)
        if (a[i] == '\n')
            line = i + 1;
    /* The steps up to the difference, then the line as each world wrote it. */
    size_t from = line > 6000 ? line - 6000 : 0;
    snprintf(text, sizeof text, "%s%.*s  kernel: %.*s\n  engine: %.*s\n", from ? "...\n" : "",
             (int)(line - from), a + from, (int)strcspn(a + line, "\n"), a + line,
             (int)strcspn(b + line, "\n"), b + line);
    return text;
}
