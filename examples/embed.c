/* SPDX-License-Identifier: MIT */
/* A guest's memory in thirty lines: map, write, grow by moving, read back. */
#include <mapwright/host.h>
#include <mapwright/mapwright.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    uint32_t rw = MW_PROT_READ | MW_PROT_WRITE, anon = MW_MAP_PRIVATE | MW_MAP_ANONYMOUS;
    void *ram = aligned_alloc(4096, 16 << 20); /* the guest's RAM */
    struct mw_config config;
    struct mw_space *space;
    struct mw_why why;
    char text[200];

    mw_config_init(&config, mw_host_port());
    if (mw_frames_create(mw_host_port(), ram, 16 << 20, 12, &config.frames) ||
        mw_space_create(&config, &space))
        return 1;
    mw_mmap(space, 0, 4096, MW_PROT_READ, anon, NULL, 0, NULL); /* in the way of growth */
    uint64_t a = (uint64_t)mw_mmap(space, 0, 8192, rw, anon, NULL, 0, NULL);
    mw_write(space, a + 4096, "moved, not copied", 18, NULL);
    uint64_t b = (uint64_t)mw_mremap(space, a, 8192, 1 << 20, MW_MREMAP_MAYMOVE, 0, NULL);
    mw_read(space, b + 4096, text, 18, NULL);
    printf("%s: from %#llx to %#llx\n", text, (unsigned long long)a, (unsigned long long)b);
    mw_mremap(space, a, 4096, 8192, MW_MREMAP_MAYMOVE, 0, &why); /* it is gone */
    mw_why_text(&why, text, sizeof text);
    printf("%s, rule %s: %s\n", mw_errno_name(why.err), mw_why_rule(&why), text);
    mw_space_destroy(space);
    mw_frames_destroy(config.frames);
    free(ram);
    return 0;
}
