/* SPDX-License-Identifier: MIT */
/*
 * grow.c - a program that uses mremap in each of the usual ways: an array that
 * grows where it is or moves, a move to a chosen place, a shrink, and two calls
 * that Linux refuses. The demo checks it live, and its recorded log where
 * ptrace is refused. It prints nothing unless something is not as it should be.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static void expect(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "grow: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static unsigned char *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(p != MAP_FAILED, "mmap");
    return p;
}

/* Appends numbers; the array doubles when it is full, wherever it has to go. */
static uint32_t *append(uint32_t *array, size_t *room, size_t count, uint32_t number)
{
    if (count == *room) {
        void *grown = mremap(array, *room * sizeof *array, *room * 2 * sizeof *array,
                             MREMAP_MAYMOVE);
        expect(grown != MAP_FAILED, "mremap to grow");
        array = grown;
        *room *= 2;
    }
    array[count] = number;
    return array;
}

static void grow_an_array(void)
{
    size_t room = 4 * PAGE / sizeof(uint32_t);
    uint32_t *array = (uint32_t *)(void *)map(4 * PAGE);
    unsigned char *neighbour = map(2 * PAGE); /* directly below */
    neighbour[0] = 1;
    for (uint32_t i = 0; i < 100000; i++)
        array = append(array, &room, i, i);
    for (uint32_t i = 0; i < 100000; i++)
        expect(array[i] == i, "the array after growing");
    munmap(array, room * sizeof *array);
    munmap(neighbour, 2 * PAGE);
}

/* The tail of one mapping goes to the middle of a reserved range. */
static void move_to_a_place(void)
{
    unsigned char *place = mmap(NULL, 16 * PAGE, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    expect(place != MAP_FAILED, "mmap of a reserved range");
    unsigned char *from = map(6 * PAGE);
    memset(from, 7, 6 * PAGE);
    void *to = mremap(from + 2 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                      place + 8 * PAGE);
    expect(to == place + 8 * PAGE && place[8 * PAGE] == 7, "mremap to a place");
    munmap(from, 2 * PAGE);
    munmap(place, 16 * PAGE);
}

static void shrink(void)
{
    unsigned char *p = map(64 * PAGE);
    p[0] = 1;
    expect(mremap(p, 64 * PAGE, 16 * PAGE, 0) == p, "mremap to shrink");
    munmap(p, 16 * PAGE);
}

/* Two calls that fail, each for a reason that strerror does not tell. */
static void be_refused(void)
{
    unsigned char *p = map(4 * PAGE);
    munmap(p + 2 * PAGE, PAGE); /* a hole */
    void *r = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    expect(r == MAP_FAILED && errno == EFAULT, "mremap over a hole");
    r = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_FIXED, p + 16 * PAGE);
    expect(r == MAP_FAILED && errno == EINVAL, "MREMAP_FIXED without MAYMOVE");
    munmap(p, 4 * PAGE);
}

int main(void)
{
    grow_an_array();
    move_to_a_place();
    shrink();
    be_refused();
    return 0;
}
