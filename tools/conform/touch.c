/* SPDX-License-Identifier: MIT */
/* touch.c - accesses whose signals are caught. */
#include "touch.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

static sigjmp_buf fault_exit;
static volatile bool armed;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    bool unmapped, refused;
    (void)context;
    if (!armed) {
        signal(sig, SIG_DFL);
        return;
    }
    if (sig == SIGBUS)
        siglongjmp(fault_exit, info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR ? MET_BUS : MET_OTHER);
    /* SI_KERNEL: an address that is not canonical, of which the CPU tells no more */
    unmapped = info->si_code == SEGV_MAPERR || info->si_code == SI_KERNEL;
    /* a protection key is how memory for execution only refuses to be read */
    refused = info->si_code == SEGV_ACCERR || info->si_code == SEGV_PKUERR;
    siglongjmp(fault_exit, unmapped ? MET_MAPERR : refused ? MET_ACCERR : MET_OTHER);
}

void touch_catch(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_fault;
    sa.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigaltstack(&alternative, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
}

static bool keyed;

void touch_keeps_rights(bool keep) { keyed = keep; }

static uint32_t rights;

static void note_rights(void)
{
    uint32_t high;
    if (keyed)
        __asm__ volatile(".byte 0x0f, 0x01, 0xee" /* rdpkru */ : "=a"(rights), "=d"(high) : "c"(0));
}

static void give_rights(void)
{
    if (keyed)
        __asm__ volatile(".byte 0x0f, 0x01, 0xef" /* wrpkru */ : : "a"(rights), "c"(0), "d"(0) : "memory");
}

#define RAW_ACCESS \
    __attribute__((noinline, no_sanitize("address"), no_sanitize("undefined")))

RAW_ACCESS static uint32_t raw_load(uint64_t addr)
{
    return *(volatile uint32_t *)(uintptr_t)addr;
}

RAW_ACCESS static void raw_store(uint64_t addr, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)addr = value;
}

RAW_ACCESS static void raw_call(uint64_t addr)
{
    ((void (*)(void))(uintptr_t)addr)();
}

enum met touch_load(uint64_t addr, uint32_t *value)
{
    int how = sigsetjmp(fault_exit, 0);
    if (how == 0) {
        note_rights();
        armed = true;
        *value = raw_load(addr);
    }
    armed = false;
    if (how != 0)
        give_rights();
    return (enum met)how;
}

enum met touch_store(uint64_t addr, uint32_t value)
{
    int how = sigsetjmp(fault_exit, 0);
    if (how == 0) {
        note_rights();
        armed = true;
        raw_store(addr, value);
    }
    armed = false;
    if (how != 0)
        give_rights();
    return (enum met)how;
}

enum met touch_call(uint64_t addr)
{
    int how = sigsetjmp(fault_exit, 0);
    if (how == 0) {
        note_rights();
        armed = true;
        raw_call(addr);
    }
    armed = false;
    if (how != 0)
        give_rights();
    return (enum met)how;
}
