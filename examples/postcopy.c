/* SPDX-License-Identifier: MIT */
/*
 * Post-copy migration: a guest goes on in a new space at once, and each page is
 * fetched from the old one when it is first touched.
 */
#include <mapwright/host.h>
#include <mapwright/watch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define PAGES 1024u

static struct mw_space *space(struct mw_frames **frames, void *ram)
{
    struct mw_config config;
    struct mw_space *s = NULL;

    mw_config_init(&config, mw_host_port());
    if (mw_frames_create(mw_host_port(), ram, 8 << 20, 12, frames))
        return NULL;
    config.frames = *frames;
    return mw_space_create(&config, &s) ? NULL : s;
}

/* What the guest does at its new home: every access that meets a missing page is served. */
static unsigned touch(struct mw_space *here, struct mw_space *there, uint64_t addr)
{
    struct mw_watch_message m;
    unsigned char page[PAGE];

    if (mw_watch_fault(here, addr, MW_ACCESS_READ, &m) != MW_FAULT_WATCHED)
        return 0;
    mw_read(there, m.addr, page, PAGE, NULL);
    mw_watch_copy(m.watcher, m.addr, page, PAGE, 0, NULL);
    return 1;
}

int main(void)
{
    uint32_t rw = MW_PROT_READ | MW_PROT_WRITE, how = MW_MAP_PRIVATE | MW_MAP_ANONYMOUS;
    void *ram[2] = { aligned_alloc(PAGE, 8 << 20), aligned_alloc(PAGE, 8 << 20) };
    struct mw_frames *frames[2];
    struct mw_space *old = space(&frames[0], ram[0]), *now = space(&frames[1], ram[1]);
    struct mw_watcher *watcher;
    unsigned served = 0;

    if (!old || !now || mw_watch_create(now, 0, NULL, NULL, &watcher, NULL))
        return 1;
    uint64_t at = (uint64_t)mw_mmap(old, 0, PAGES * PAGE, rw, how, NULL, 0, NULL);
    for (uint32_t i = 0; i < PAGES; i++)
        mw_write(old, at + i * PAGE, &i, sizeof i, NULL);
    mw_mmap(now, at, PAGES * PAGE, rw, how | MW_MAP_FIXED, NULL, 0, NULL);
    mw_watch_register(watcher, at, PAGES * PAGE, MW_UFFD_MODE_MISSING, NULL, NULL);
    for (uint32_t i = 0, seen; i < 3000; i++) {
        uint64_t addr = at + (i * 7919u % PAGES / 3) * PAGE;

        served += touch(now, old, addr);
        if (mw_read(now, addr, &seen, sizeof seen, NULL) != sizeof seen || seen != (addr - at) / PAGE)
            return 1;
    }
    printf("3000 accesses, %u pages fetched of %u\n", served, PAGES);
    mw_space_destroy(now);
    mw_space_destroy(old);
    for (int i = 0; i < 2; i++) {
        mw_frames_destroy(frames[i]);
        free(ram[i]);
    }
    return 0;
}
