/* SPDX-License-Identifier: MIT */
/*
 * input.h - a fuzzer's bytes as numbers, addresses and flags, and a main for
 * harnesses that are built without clang's fuzzer.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapwright/mapwright.h"

#define BASE 0x100000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
    const uint8_t *p;
    size_t left;
};

static inline uint64_t take(struct input *in, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0 && in->left > 0) {
        v = v << 8 | *in->p++;
        in->left--;
    }
    return v;
}

/* Mostly a page of the arena, at times any number. */
static inline uint64_t take_addr(struct input *in, uint64_t page)
{
    uint64_t b = take(in, 1);
    if (b < 200)
        return BASE + b % 64 * page;
    if (b < 210)
        return BASE + take(in, 2);
    if (b < 220)
        return 0 - take(in, 2);
    if (b < 230)
        return 0x7ffffffff000 - (take(in, 1) % 8) * page;
    return b < 240 ? take(in, 3) * page : take(in, 8);
}

static inline uint64_t take_len(struct input *in, uint64_t page)
{
    uint64_t b = take(in, 1);
    if (b < 220)
        return b % 24 * page + (b >= 200);
    return b < 240 ? 0 - take(in, 2) : take(in, 8);
}

static inline uint32_t take_mmap_flags(struct input *in)
{
    uint32_t b = (uint32_t)take(in, 1), flags = b & 1 ? MW_MAP_PRIVATE : MW_MAP_SHARED;
    if (b & 2 || b & 4)
        flags |= MW_MAP_ANONYMOUS;
    if (b & 8 || b & 16)
        flags |= MW_MAP_FIXED;
    if (b & 32)
        flags |= 1u << (take(in, 1) & 31);
    if ((b & 192) == 192)
        flags ^= (uint32_t)take(in, 4);
    return flags;
}

#ifndef WITH_LIBFUZZER

static uint64_t state;

static uint8_t random_byte(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint8_t)(state * 0x2545f4914f6cdd1dull >> 56);
}

static int run_file(const char *name)
{
    static uint8_t bytes[1 << 16];
    FILE *f = fopen(name, "rb");
    if (f == NULL) {
        perror(name);
        return 1;
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return LLVMFuzzerTestOneInput(bytes, n);
}

/* FILE...: each file is an input. --runs N --seed S: N random ones. */
int main(int argc, char **argv)
{
    static uint8_t bytes[2048];
    uint64_t runs = 2000, seed = 1;
    int files = 0;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else
            files++, run_file(argv[i]);
    for (uint64_t r = 0; files == 0 && r < runs; r++) {
        state = seed * 0x9e3779b97f4a7c15ull + r * 0xbf58476d1ce4e5b9ull + 1;
        for (int i = 0; i < 8; i++)
            random_byte();
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = random_byte();
        LLVMFuzzerTestOneInput(bytes, sizeof bytes);
    }
    printf("%llu inputs\n1 passed, 0 failed\n",
           (unsigned long long)(files ? (uint64_t)files : runs));
    return 0;
}

#endif

#endif
