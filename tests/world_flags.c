/* SPDX-License-Identifier: MIT */
/* world_flags.c - the letters of smaps' VmFlags line as MW_VM_ bits. */
#include "world.h"

#include <string.h>

static const struct {
    char letters[3];
    uint64_t bit;
} known[] = {
    { "rd", MW_VM_READ },      { "wr", MW_VM_WRITE },     { "ex", MW_VM_EXEC },
    { "sh", MW_VM_SHARED },    { "mr", MW_VM_MAYREAD },   { "mw", MW_VM_MAYWRITE },
    { "me", MW_VM_MAYEXEC },   { "ms", MW_VM_MAYSHARE },  { "gd", MW_VM_GROWSDOWN },
    { "lo", MW_VM_LOCKED },    { "lf", MW_VM_LOCKONFAULT },
    { "??", MW_VM_LOCKONFAULT }, /* up to 6.1, which has no letters for it */
    { "nr", MW_VM_NORESERVE },
    { "ac", MW_VM_ACCOUNT },   { "dc", MW_VM_DONTCOPY },  { "wf", MW_VM_WIPEONFORK },
    { "dd", MW_VM_DONTDUMP },  { "sr", MW_VM_SEQ_READ },  { "rr", MW_VM_RAND_READ },
    { "hg", MW_VM_HUGEPAGE },  { "nh", MW_VM_NOHUGEPAGE }, { "mg", MW_VM_MERGEABLE },
    { "sl", MW_VM_SEALED },    { "dp", MW_VM_DROPPABLE }, { "de", MW_VM_DONTEXPAND },
    { "um", MW_VM_UFFD_MISSING }, { "uw", MW_VM_UFFD_WP }, { "ui", MW_VM_UFFD_MINOR },
    { "pf", MW_VM_PFNMAP },    { "io", MW_VM_IO },        { "mm", MW_VM_MIXEDMAP },
};

uint64_t vm_flags_of_text(const char *line)
{
    uint64_t flags = 0;
    while (*line == ' ')
        line++;
    while (*line && *line != '\n') {
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (strncmp(line, known[i].letters, 2) == 0)
                flags |= known[i].bit;
        line += strcspn(line, " \n");
        while (*line == ' ')
            line++;
    }
    return flags;
}
