/* SPDX-License-Identifier: MIT */
/* symbols.c - names to numbers; see symbols.h. `names` is in byte order. */
#include "symbols.h"

#include <string.h>

static const struct symbol {
    const char *name;
    uint64_t number;
} names[] = {
    {"AT_FDCWD", 0xffffffffffffff9c},
    {"CLOSE_RANGE_CLOEXEC", 4},
    {"CLOSE_RANGE_UNSHARE", 2},
    {"FD_CLOEXEC", 1},
    {"F_DUPFD", 0},
    {"F_DUPFD_CLOEXEC", 1030},
    {"F_GETFD", 1},
    {"F_SETFD", 2},
    {"MADV_COLD", 20},
    {"MADV_COLLAPSE", 25},
    {"MADV_DODUMP", 17},
    {"MADV_DOFORK", 11},
    {"MADV_DONTDUMP", 16},
    {"MADV_DONTFORK", 10},
    {"MADV_DONTNEED", 4},
    {"MADV_DONTNEED_LOCKED", 24},
    {"MADV_FREE", 8},
    {"MADV_GUARD_INSTALL", 102},
    {"MADV_GUARD_REMOVE", 103},
    {"MADV_HUGEPAGE", 14},
    {"MADV_HWPOISON", 100},
    {"MADV_KEEPONFORK", 19},
    {"MADV_MERGEABLE", 12},
    {"MADV_NOHUGEPAGE", 15},
    {"MADV_NORMAL", 0},
    {"MADV_PAGEOUT", 21},
    {"MADV_POPULATE_READ", 22},
    {"MADV_POPULATE_WRITE", 23},
    {"MADV_RANDOM", 1},
    {"MADV_REMOVE", 9},
    {"MADV_SEQUENTIAL", 2},
    {"MADV_SOFT_OFFLINE", 101},
    {"MADV_UNMERGEABLE", 13},
    {"MADV_WILLNEED", 3},
    {"MADV_WIPEONFORK", 18},
    {"MAP_32BIT", 0x40},
    {"MAP_ABOVE4G", 0x80},
    {"MAP_ANON", 0x20},
    {"MAP_ANONYMOUS", 0x20},
    {"MAP_DENYWRITE", 0x800},
    {"MAP_DROPPABLE", 8},
    {"MAP_EXECUTABLE", 0x1000},
    {"MAP_FILE", 0},
    {"MAP_FIXED", 0x10},
    {"MAP_FIXED_NOREPLACE", 0x100000},
    {"MAP_GROWSDOWN", 0x100},
    {"MAP_HUGETLB", 0x40000},
    {"MAP_HUGE_1GB", 0x78000000},
    {"MAP_HUGE_2MB", 0x54000000},
    {"MAP_HUGE_SHIFT", 26},
    {"MAP_LOCKED", 0x2000},
    {"MAP_NONBLOCK", 0x10000},
    {"MAP_NORESERVE", 0x4000},
    {"MAP_POPULATE", 0x8000},
    {"MAP_PRIVATE", 2},
    {"MAP_SHARED", 1},
    {"MAP_SHARED_VALIDATE", 3},
    {"MAP_STACK", 0x20000},
    {"MAP_SYNC", 0x80000},
    {"MAP_TYPE", 0xf},
    {"MAP_UNINITIALIZED", 0x4000000},
    {"MCL_CURRENT", 1},
    {"MCL_FUTURE", 2},
    {"MCL_ONFAULT", 4},
    {"MFD_ALLOW_SEALING", 2},
    {"MFD_CLOEXEC", 1},
    {"MFD_EXEC", 16},
    {"MFD_HUGETLB", 4},
    {"MFD_HUGE_SHIFT", 26},
    {"MFD_NOEXEC_SEAL", 8},
    {"MLOCK_ONFAULT", 1},
    {"MREMAP_DONTUNMAP", 4},
    {"MREMAP_FIXED", 2},
    {"MREMAP_MAYMOVE", 1},
    {"MS_ASYNC", 1},
    {"MS_INVALIDATE", 2},
    {"MS_SYNC", 4},
    {"NULL", 0},
    {"O_ACCMODE", 3},
    {"O_APPEND", 0x400},
    {"O_ASYNC", 0x2000},
    {"O_CLOEXEC", 0x80000},
    {"O_CREAT", 0x40},
    {"O_DIRECT", 0x4000},
    {"O_DIRECTORY", 0x10000},
    {"O_DSYNC", 0x1000},
    {"O_EXCL", 0x80},
    {"O_LARGEFILE", 0x8000},
    {"O_NOATIME", 0x40000},
    {"O_NOCTTY", 0x100},
    {"O_NOFOLLOW", 0x20000},
    {"O_NONBLOCK", 0x800},
    {"O_PATH", 0x200000},
    {"O_RDONLY", 0},
    {"O_RDWR", 2},
    {"O_SYNC", 0x101000},
    {"O_TMPFILE", 0x410000},
    {"O_TRUNC", 0x200},
    {"O_WRONLY", 1},
    {"PKEY_DISABLE_ACCESS", 1},
    {"PKEY_DISABLE_WRITE", 2},
    {"PROT_EXEC", 4},
    {"PROT_GROWSDOWN", 0x01000000},
    {"PROT_GROWSUP", 0x02000000},
    {"PROT_NONE", 0},
    {"PROT_READ", 1},
    {"PROT_SEM", 8},
    {"PROT_WRITE", 2},
    {"PR_SET_MM", 35},
    {"PR_SET_THP_DISABLE", 41},
    {"PR_SET_VMA", 0x53564d41},
    {"PR_SET_VMA_ANON_NAME", 0},
    {"RLIM64_INFINITY", 0xffffffffffffffff},
    {"RLIMIT_AS", 9},
    {"RLIMIT_CORE", 4},
    {"RLIMIT_CPU", 0},
    {"RLIMIT_DATA", 2},
    {"RLIMIT_FSIZE", 1},
    {"RLIMIT_LOCKS", 10},
    {"RLIMIT_MEMLOCK", 8},
    {"RLIMIT_MSGQUEUE", 12},
    {"RLIMIT_NICE", 13},
    {"RLIMIT_NOFILE", 7},
    {"RLIMIT_NPROC", 6},
    {"RLIMIT_RSS", 5},
    {"RLIMIT_RTPRIO", 14},
    {"RLIMIT_RTTIME", 15},
    {"RLIMIT_SIGPENDING", 11},
    {"RLIMIT_STACK", 3},
    {"RLIM_INFINITY", 0xffffffffffffffff},
    {"SHM_EXEC", 0x8000},
    {"SHM_RDONLY", 0x1000},
    {"SHM_REMAP", 0x4000},
    {"SHM_RND", 0x2000},
};

/* Linux's errno numbers from 1 on; "" where a number has none. */
static const char *const errnos[] = {
    "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF",
    "ECHILD", "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST",
    "EXDEV", "ENODEV", "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY",
    "ETXTBSY", "EFBIG", "ENOSPC", "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM",
    "ERANGE", "EDEADLK", "ENAMETOOLONG", "ENOLCK", "ENOSYS", "ENOTEMPTY", "ELOOP", "",
    "ENOMSG", "EIDRM", "ECHRNG", "EL2NSYNC", "EL3HLT", "EL3RST", "ELNRNG", "EUNATCH",
    "ENOCSI", "EL2HLT", "EBADE", "EBADR", "EXFULL", "ENOANO", "EBADRQC", "EBADSLT", "",
    "EBFONT", "ENOSTR", "ENODATA", "ETIME", "ENOSR", "ENONET", "ENOPKG", "EREMOTE",
    "ENOLINK", "EADV", "ESRMNT", "ECOMM", "EPROTO", "EMULTIHOP", "EDOTDOT", "EBADMSG",
    "EOVERFLOW", "ENOTUNIQ", "EBADFD", "EREMCHG", "ELIBACC", "ELIBBAD", "ELIBSCN",
    "ELIBMAX", "ELIBEXEC", "EILSEQ", "ERESTART", "ESTRPIPE", "EUSERS", "ENOTSOCK",
    "EDESTADDRREQ", "EMSGSIZE", "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT",
    "ESOCKTNOSUPPORT", "EOPNOTSUPP", "EPFNOSUPPORT", "EAFNOSUPPORT", "EADDRINUSE",
    "EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH", "ENETRESET", "ECONNABORTED",
    "ECONNRESET", "ENOBUFS", "EISCONN", "ENOTCONN", "ESHUTDOWN", "ETOOMANYREFS",
    "ETIMEDOUT", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "EALREADY", "EINPROGRESS",
    "ESTALE", "EUCLEAN", "ENOTNAM", "ENAVAIL", "EISNAM", "EREMOTEIO", "EDQUOT",
    "ENOMEDIUM", "EMEDIUMTYPE", "ECANCELED", "ENOKEY", "EKEYEXPIRED", "EKEYREVOKED",
    "EKEYREJECTED", "EOWNERDEAD", "ENOTRECOVERABLE", "ERFKILL", "EHWPOISON",
};

static const char *const signals[] = {
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
    "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
};

/* As strcmp, of a text and a string. */
static int compare(struct text t, const char *name)
{
    size_t n = strlen(name);
    int order = memcmp(t.s, name, t.n < n ? t.n : n);
    return order != 0 ? order : (t.n > n) - (t.n < n);
}

bool symbol_find(struct text name, uint64_t *out)
{
    size_t low = 0, high = sizeof names / sizeof names[0];
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare(name, names[mid].name);
        if (order == 0) {
            *out = names[mid].number;
            return true;
        }
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

int symbol_errno(struct text name)
{
    if (name.n == 0)
        return 0;
    for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++)
        if (text_is(name, errnos[i]))
            return (int)i + 1;
    return 0;
}

int symbol_signal(struct text name)
{
    if (name.n < 3 || memcmp(name.s, "SIG", 3) != 0)
        return 0;
    struct text bare = {name.s + 3, name.n - 3};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (text_is(bare, signals[i]))
            return (int)i + 1;
    return 0;
}
