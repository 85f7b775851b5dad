/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - guest memory accesses for emulators: a software TLB, all inline.
 *
 *     struct mw_tlb *tlb = aligned_alloc(64, sizeof *tlb);   -- one for each virtual CPU
 *     mw_tlb_attach(tlb, space);
 *     mw_tlb_enter(tlb);
 *     r = mw_load32(tlb, addr, &value);                       -- and mw_store32, mw_fetch32, ...
 *     mw_tlb_leave(tlb);                                      -- around what blocks, and calls on the space
 *
 * A hit is one compare and the access itself: the tag holds the page, what may
 * be done there (a tag each for reading, writing, executing), and a stamp that a
 * change of the space takes away from all entries at once; the last byte's page
 * is compared with the first byte's entry, so that what crosses into another
 * page misses. Entries are for 4 KiB; pages of 2 MiB and more have a
 * second table, asked when the first one misses, with entries for 2 MiB.
 * Before both, one run is asked: a page that is being read or written from its
 * start on, or pages that lie side by side in host memory as in the guest's.
 *
 * What is promised about threads, and what the embedder has to do, stands in
 * reader.h: a TLB is a reader. Every access polls; a virtual CPU that computes
 * for long without one calls mw_tlb_poll.
 *
 * Conventions
 *   - Each access returns MW_FAULT_OK or what the guest is to be told; then
 *     nothing was read or written, and tlb->fault is the address to name (of
 *     an access across two pages, the first byte that can't be accessed).
 *   - Any address and any alignment will do; numbers are little endian in the
 *     guest's memory. An aligned number of 1 to 8 bytes is one access of the
 *     host where the compiler makes it one; for atomic ones see mw_tlb_host.
 *   - Needs GCC's or Clang's __atomic builtins.
 */
#ifndef MAPWRIGHT_TLB_H
#define MAPWRIGHT_TLB_H

#include <string.h>

#include "mapwright/reader.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__SANITIZE_THREAD__)
#define MW_TLB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MW_TLB_TSAN 1
#endif
#endif

#define MW_TLB_PAGE_SHIFT 12
#define MW_TLB_HUGE_SHIFT 21
#define MW_TLB_RUN 0x10000u    /* bytes that make a run worth it */
#define MW_TLB_ENTRIES 1024u /* of each table; a power of two */

/* Which tag of an entry an access is held against. */
enum mw_tlb_kind { MW_TLB_READ, MW_TLB_WRITE, MW_TLB_EXEC };

struct mw_tlb_entry {
    uint64_t tag;    /* address of the page | stamp; all ones: none, or not allowed */
    uint64_t addend; /* from the guest's address to the host's */
};
#define MW_TLB_ENTRY_SHIFT 4

struct mw_tlb {
    struct mw_reader reader;
    struct mw_run run; /* a page, or pages side by side, the last ones looked for: found without a table */
    uint64_t fault;    /* where the last access that failed did */
    bool huge_first; /* which table is asked first; */
    uint32_t turns;  /*   how often the other one had it */
    uint32_t misses;
    struct mw_tlb_entry page[3][MW_TLB_ENTRIES] __attribute__((aligned(64)));
    struct mw_tlb_entry huge[3][MW_TLB_ENTRIES];
};

/* Makes `tlb`, the caller's storage, an empty one for `space`, outside. As mw_reader_attach. */
static inline int mw_tlb_attach(struct mw_tlb *tlb, struct mw_space *space)
{
    memset(tlb, 0xff, sizeof *tlb);
    tlb->huge_first = false;
    tlb->run.bytes = tlb->misses = 0;
    return mw_reader_attach(space, &tlb->reader);
}

/* Ends it; as mw_reader_detach. */
static inline void mw_tlb_detach(struct mw_tlb *tlb) { mw_reader_detach(&tlb->reader); }

/* The others below are for a thread that is inside: between these two. */
static inline void mw_tlb_enter(struct mw_tlb *tlb) { mw_reader_enter(&tlb->reader); }
static inline void mw_tlb_leave(struct mw_tlb *tlb) { mw_reader_leave(&tlb->reader); }

/* ---- what is stale -------------------------------------------------------- */

/* Drops everything. O(1), but for each 4094th time. */
static inline void mw_tlb_flush(struct mw_tlb *tlb)
{
    __atomic_store_n(&tlb->reader.reach, 0, __ATOMIC_RELAXED);
    tlb->run.bytes = tlb->misses = 0;
    if (++tlb->reader.generation == 0xfff) { /* that stamp would make all ones of a page's tag */
        memset(tlb->page, 0xff, sizeof tlb->page);
        memset(tlb->huge, 0xff, sizeof tlb->huge);
        tlb->reader.generation = 1;
    }
    (void)mw_reader_take(&tlb->reader, NULL);
}

/* Drops what a table has of [start, last]. */
static inline void mw_tlb_drop(struct mw_tlb_entry *table, uint64_t start, uint64_t last, unsigned shift)
{
    uint64_t first = start >> shift, more = (last >> shift) - first;
    uint64_t n = more < MW_TLB_ENTRIES ? more + 1 : MW_TLB_ENTRIES;

    for (uint64_t i = 0; i < n; i++) {
        struct mw_tlb_entry *e = &table[(first + i) % MW_TLB_ENTRIES];

        if ((e->tag >> shift) - first <= more)
            e->tag = UINT64_MAX;
    }
}

/* Drops [start, end), in bytes. Takes no longer than the TLB is large. */
static inline void mw_tlb_flush_range(struct mw_tlb *tlb, uint64_t start, uint64_t end)
{
    if (start < tlb->run.start + tlb->run.bytes && end > tlb->run.start) {
        __atomic_store_n(&tlb->reader.reach, 0, __ATOMIC_RELAXED);
        tlb->run.bytes = 0;
    }
    for (unsigned kind = 0; kind < 3 && start < end; kind++) {
        mw_tlb_drop(tlb->page[kind], start, end - 1, MW_TLB_PAGE_SHIFT);
        mw_tlb_drop(tlb->huge[kind], start, end - 1, MW_TLB_HUGE_SHIFT);
    }
}

/*
 * Lets accesses of up to 16 bytes go by the run. A writer sets the stamp to 0
 * and then the reach: one that comes between is seen, and asked about next.
 */
static inline void mw_tlb_reach(struct mw_tlb *tlb)
{
    uint64_t reach = tlb->run.bytes > 15 ? tlb->run.bytes - 15 : 0;

    __atomic_store_n(&tlb->reader.reach, reach, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&tlb->reader.stamp, __ATOMIC_SEQ_CST) == 0)
        __atomic_store_n(&tlb->reader.reach, 0, __ATOMIC_RELAXED);
}

/* Drops what calls have made stale. */
static __attribute__((noinline, unused)) void mw_tlb_sync(struct mw_tlb *tlb)
{
    struct mw_range ranges[MW_READER_RANGES];
    size_t n = mw_reader_take(&tlb->reader, ranges);

    if (n > MW_READER_RANGES)
        mw_tlb_flush(tlb);
    else
        while (n--)
            mw_tlb_flush_range(tlb, ranges[n].start, ranges[n].end);
    mw_tlb_reach(tlb);
}

static inline uint64_t mw_tlb_stamp(struct mw_tlb *tlb)
{
#if defined(__x86_64__) && !defined(MW_TLB_TSAN)
    /* loaded anew each time, as below, but GCC may make it an operand */
    __asm__ volatile("" : "+m"(tlb->reader.stamp));
    return tlb->reader.stamp;
#else
    return __atomic_load_n(&tlb->reader.stamp, __ATOMIC_RELAXED);
#endif
}

/* Ends what was given before: see mw_reader_poll. */
static inline void mw_tlb_poll(struct mw_tlb *tlb)
{
    if (mw_tlb_stamp(tlb) == 0)
        mw_tlb_sync(tlb);
}

/* ---- hits ----------------------------------------------------------------- */

static inline uint64_t mw_tlb_tag(uint64_t last, uint64_t stamp, unsigned shift)
{
    return (last >> shift << shift) | stamp;
}

/* Where `n` bytes at `addr` are, 1 to 4096. False: the table, one of two, does not know. */
static inline __attribute__((always_inline)) bool
mw_tlb_look(struct mw_tlb *tlb, bool huge, uint64_t addr, size_t n, unsigned kind, unsigned char **host)
{
    unsigned shift = huge ? MW_TLB_HUGE_SHIFT : MW_TLB_PAGE_SHIFT;
    /* an offset in bytes, which takes no multiplication; each field by an address of its own */
    uint64_t at = addr >> (shift - MW_TLB_ENTRY_SHIFT) & (MW_TLB_ENTRIES - 1) << MW_TLB_ENTRY_SHIFT;
    const char *table = (const char *)(huge ? tlb->huge[kind] : tlb->page[kind]);
    uint64_t tag = mw_tlb_tag(addr + (n - 1), mw_tlb_stamp(tlb), shift);

    if (__builtin_expect(*(const uint64_t *)(table + at) != tag, 0))
        return false;
    *host = (unsigned char *)(uintptr_t)(addr + *(const uint64_t *)(table + 8 + at));
    return true;
}

/* The same of the run. */
static inline __attribute__((always_inline)) bool
mw_tlb_in_run(const struct mw_tlb *tlb, uint64_t addr, size_t n, unsigned kind, unsigned char **host)
{
    uint64_t offset = addr - tlb->run.start;

    if (kind == MW_TLB_EXEC || n > 16 || offset >= __atomic_load_n(&tlb->reader.reach, __ATOMIC_RELAXED))
        return false;
    *host = (unsigned char *)tlb->run.host + offset;
    return true;
}

/*
 * An access at the start of a page, that the table of pages knew, is perhaps one
 * of a row: the page is the run then, unless there is a longer one.
 */
static __attribute__((noinline, unused)) void mw_tlb_near(struct mw_tlb *tlb, uint64_t addr)
{
    uint64_t page = addr >> MW_TLB_PAGE_SHIFT, stamp = mw_tlb_stamp(tlb);
    const struct mw_tlb_entry *e = &tlb->page[MW_TLB_WRITE][page % MW_TLB_ENTRIES]; /* can be read too */

    if (tlb->run.bytes > 1u << MW_TLB_PAGE_SHIFT || stamp == 0 || e->tag != mw_tlb_tag(addr, stamp, MW_TLB_PAGE_SHIFT))
        return;
    __atomic_store_n(&tlb->reader.reach, 0, __ATOMIC_RELAXED);
    tlb->run.start = page << MW_TLB_PAGE_SHIFT;
    tlb->run.bytes = 1u << MW_TLB_PAGE_SHIFT;
    tlb->run.host = (void *)(uintptr_t)(tlb->run.start + e->addend);
    mw_tlb_reach(tlb);
}

static inline __attribute__((always_inline)) void mw_tlb_passed(struct mw_tlb *tlb, uint64_t addr)
{
    if (__builtin_expect((addr & ((1u << MW_TLB_PAGE_SHIFT) - 16)) == 0, 0))
        mw_tlb_near(tlb, addr);
}

/* Copies from the guest, or to it, what the run or the table that is asked first knows. */
static inline __attribute__((always_inline)) bool
mw_tlb_get(struct mw_tlb *tlb, uint64_t addr, void *to, size_t n, unsigned kind)
{
    unsigned char *host;

    if (__builtin_expect(mw_tlb_in_run(tlb, addr, n, kind, &host), 1)) {
        memcpy(to, host, n);
    } else if (tlb->huge_first) {
        if (!mw_tlb_look(tlb, true, addr, n, kind, &host))
            return false;
        memcpy(to, host, n);
    } else {
        if (!mw_tlb_look(tlb, false, addr, n, kind, &host))
            return false;
        memcpy(to, host, n);
        mw_tlb_passed(tlb, addr);
    }
    return true;
}

static inline __attribute__((always_inline)) bool
mw_tlb_put(struct mw_tlb *tlb, uint64_t addr, const void *from, size_t n)
{
    unsigned char *host;

    if (__builtin_expect(mw_tlb_in_run(tlb, addr, n, MW_TLB_WRITE, &host), 1)) {
        memcpy(host, from, n);
    } else if (tlb->huge_first) {
        if (!mw_tlb_look(tlb, true, addr, n, MW_TLB_WRITE, &host))
            return false;
        memcpy(host, from, n);
    } else {
        if (!mw_tlb_look(tlb, false, addr, n, MW_TLB_WRITE, &host))
            return false;
        memcpy(host, from, n);
        mw_tlb_passed(tlb, addr);
    }
    return true;
}

/* ---- misses --------------------------------------------------------------- */

/* The other table knows more often than not: it is asked first from now on. */
static inline void mw_tlb_turn(struct mw_tlb *tlb)
{
    if (++tlb->turns % 64 == 0)
        tlb->huge_first = !tlb->huge_first;
}

static inline void mw_tlb_enter_page(struct mw_tlb *tlb, uint64_t addr, const struct mw_translation *t)
{
    bool huge = t->shift >= MW_TLB_HUGE_SHIFT;
    unsigned shift = huge ? MW_TLB_HUGE_SHIFT : MW_TLB_PAGE_SHIFT;
    uint64_t tag = mw_tlb_tag(addr, tlb->reader.generation, shift);

    for (unsigned kind = 0; kind < 3; kind++) {
        struct mw_tlb_entry *e = &(huge ? tlb->huge : tlb->page)[kind][(addr >> shift) % MW_TLB_ENTRIES];

        e->tag = t->access >> kind & 1 ? tag : UINT64_MAX;
        e->addend = (uint64_t)(uintptr_t)t->host - addr;
    }
}

/* After a walk, now and then, for it takes longer: the run that `addr` is in, if it is worth it. */
static inline void mw_tlb_aim(struct mw_tlb *tlb, uint64_t addr)
{
    uint32_t n = ++tlb->misses;
    struct mw_run run;

    if (((n & (n - 1)) && n % 64) || !mw_reader_run(&tlb->reader, addr, &run) || run.bytes < MW_TLB_RUN)
        return;
    __atomic_store_n(&tlb->reader.reach, 0, __ATOMIC_RELAXED);
    tlb->run = run;
    mw_tlb_reach(tlb);
}

/* Asks both tables, walks, faults. What it gives lasts until the stamp is 0. */
static inline enum mw_fault_result mw_tlb_find(struct mw_tlb *tlb, uint64_t addr, enum mw_tlb_kind kind,
                                               unsigned char **host)
{
    struct mw_translation t;
    enum mw_fault_result r;

    if (mw_tlb_look(tlb, tlb->huge_first, addr, 1, kind, host))
        return MW_FAULT_OK;
    if (mw_tlb_look(tlb, !tlb->huge_first, addr, 1, kind, host)) {
        mw_tlb_turn(tlb);
        return MW_FAULT_OK;
    }
    r = mw_translate(&tlb->reader, addr, 1u << kind, &t);
    if (r == MW_FAULT_OK) {
        mw_tlb_enter_page(tlb, addr, &t);
        mw_tlb_aim(tlb, addr);
        *host = (unsigned char *)t.host;
    } else {
        tlb->fault = addr;
    }
    return r;
}

/* Both parts of an access, of which the second, on another page, may be empty. */
static inline enum mw_fault_result mw_tlb_parts(struct mw_tlb *tlb, uint64_t addr, size_t first, size_t n,
                                                enum mw_tlb_kind kind, unsigned char *part[2])
{
    enum mw_fault_result r;

    do { /* a fault for the second part may have ended the first one's translation */
        mw_tlb_poll(tlb);
        r = mw_tlb_find(tlb, addr, kind, &part[0]);
        if (r == MW_FAULT_OK && first < n)
            r = mw_tlb_find(tlb, addr + first, kind, &part[1]);
    } while (r == MW_FAULT_OK && first < n && mw_tlb_stamp(tlb) == 0);
    return r;
}

/* Exactly one of `to` and `from` is given. */
static __attribute__((noinline, unused)) enum mw_fault_result
mw_tlb_miss(struct mw_tlb *tlb, uint64_t addr, void *to, const void *from, size_t n, enum mw_tlb_kind kind)
{
    size_t room = (size_t)(-addr % (1u << MW_TLB_PAGE_SHIFT)), first = room && room < n ? room : n;
    unsigned char *part[2] = { NULL, NULL };
    enum mw_fault_result r = mw_tlb_parts(tlb, addr, first, n, kind, part);

    if (r != MW_FAULT_OK && to)
        memset(to, 0, n);
    if (r != MW_FAULT_OK)
        return r;
    memcpy(to ? to : part[0], to ? part[0] : from, first);
    if (first < n)
        memcpy(to ? (unsigned char *)to + first : part[1],
               to ? part[1] : (const unsigned char *)from + first, n - first);
    return r;
}

/* ---- accesses --------------------------------------------------------------- */

/* `n` bytes, 1 to 4096; fast where n is a constant. */
static inline __attribute__((always_inline)) enum mw_fault_result mw_load(struct mw_tlb *tlb, uint64_t addr,
                                                                          void *to, size_t n)
{
    return mw_tlb_get(tlb, addr, to, n, MW_TLB_READ) ? MW_FAULT_OK
                                                     : mw_tlb_miss(tlb, addr, to, NULL, n, MW_TLB_READ);
}

static inline __attribute__((always_inline)) enum mw_fault_result mw_store(struct mw_tlb *tlb, uint64_t addr,
                                                                           const void *from, size_t n)
{
    return mw_tlb_put(tlb, addr, from, n) ? MW_FAULT_OK : mw_tlb_miss(tlb, addr, NULL, from, n, MW_TLB_WRITE);
}

/* As mw_load, of code. */
static inline __attribute__((always_inline)) enum mw_fault_result mw_fetch(struct mw_tlb *tlb, uint64_t addr,
                                                                           void *to, size_t n)
{
    return mw_tlb_get(tlb, addr, to, n, MW_TLB_EXEC) ? MW_FAULT_OK
                                                     : mw_tlb_miss(tlb, addr, to, NULL, n, MW_TLB_EXEC);
}

/*
 * The host's address of `addr`, for atomic accesses and long copies: good to
 * the end of the 4 KiB page, until the next access, poll or leave.
 */
static inline enum mw_fault_result mw_tlb_host(struct mw_tlb *tlb, uint64_t addr, enum mw_tlb_kind kind,
                                               void **host)
{
    unsigned char *part[2] = { NULL, NULL };
    enum mw_fault_result r = MW_FAULT_OK;

    if (!mw_tlb_look(tlb, tlb->huge_first, addr, 1, kind, &part[0]))
        r = mw_tlb_parts(tlb, addr, 1, 1, kind, part);
    *host = part[0];
    return r;
}

static inline uint8_t mw_tlb_little8(uint8_t n) { return n; }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline uint16_t mw_tlb_little16(uint16_t n) { return n; }
static inline uint32_t mw_tlb_little32(uint32_t n) { return n; }
static inline uint64_t mw_tlb_little64(uint64_t n) { return n; }
#else
static inline uint16_t mw_tlb_little16(uint16_t n) { return __builtin_bswap16(n); }
static inline uint32_t mw_tlb_little32(uint32_t n) { return __builtin_bswap32(n); }
static inline uint64_t mw_tlb_little64(uint64_t n) { return __builtin_bswap64(n); }
#endif

/*
 * mw_load8 to mw_load64, mw_fetch8 to mw_fetch64: a number into `*value`, which
 * is set to 0 where that fails; mw_store8 to mw_store64. 16 bytes: mw_load and mw_store.
 * (What a miss fills in is a variable of its own, so that a hit's stays in a register.)
 */
#define MW_TLB_GET(name, bits, kind)                                                                 \
    static inline enum mw_fault_result name##bits(struct mw_tlb *tlb, uint64_t addr,                 \
                                                  uint##bits##_t *value)                             \
    {                                                                                                \
        uint##bits##_t n, missed;                                                                    \
        enum mw_fault_result r;                                                                      \
                                                                                                     \
        if (mw_tlb_get(tlb, addr, &n, sizeof n, kind)) {                                             \
            *value = mw_tlb_little##bits(n);                                                         \
            return MW_FAULT_OK;                                                                      \
        }                                                                                            \
        r = mw_tlb_miss(tlb, addr, &missed, NULL, sizeof missed, kind);                              \
        *value = mw_tlb_little##bits(missed);                                                        \
        return r;                                                                                    \
    }

#define MW_TLB_NUMBER(bits)                                                                          \
    MW_TLB_GET(mw_load, bits, MW_TLB_READ)                                                           \
    MW_TLB_GET(mw_fetch, bits, MW_TLB_EXEC)                                                          \
    static inline enum mw_fault_result mw_store##bits(struct mw_tlb *tlb, uint64_t addr,             \
                                                      uint##bits##_t value)                          \
    {                                                                                                \
        uint##bits##_t n = mw_tlb_little##bits(value);                                               \
                                                                                                     \
        return mw_store(tlb, addr, &n, sizeof n);                                                    \
    }

MW_TLB_NUMBER(8)
MW_TLB_NUMBER(16)
MW_TLB_NUMBER(32)
MW_TLB_NUMBER(64)
#undef MW_TLB_NUMBER
#undef MW_TLB_GET

#ifdef __cplusplus
}
#endif
#endif
