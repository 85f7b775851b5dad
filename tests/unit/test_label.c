/* SPDX-License-Identifier: MIT */
/* test_label.c - what keeps mappings apart that the engine does not know of: labels, MERGE-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "mapwright/host.h"
#include "model.h"

enum { PAGE = 4096, SET_VMA = 0x53564d41, WATCHER = 77 };

#define AT(n) (UINT64_C(0x7f0000000000) + (uint64_t)(n) * PAGE)

struct bed {
    struct objects *objects;
    struct model *model;
};

static int make_bed(void **state)
{
    static struct bed bed;
    struct mw_config config;

    mw_config_init(&config, mw_host_port());
    config.linux_version = MW_LINUX(6, 18);
    bed.objects = objects_create();
    bed.model = model_create(bed.objects, &config);
    *state = &bed;
    return !bed.model ||
           mw_mmap(model_space(bed.model), AT(0), 8 * PAGE, MW_PROT_READ | MW_PROT_WRITE,
                   MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL) != (int64_t)AT(0);
}

static int drop_bed(void **state)
{
    struct bed *bed = *state;

    model_destroy(bed->model);
    objects_destroy(bed->objects);
    return 0;
}

/* The mappings as numbers of pages, in order of address. */
static void expect(struct model *model, const char *expected)
{
    char text[64] = "";
    struct mw_vma vma = { 0 };
    size_t at = 0;

    while (mw_find_vma(model_space(model), vma.end, &vma))
        at += (size_t)snprintf(text + at, sizeof text - at, "%u ",
                               (unsigned)((vma.end - vma.start) / PAGE));
    assert_string_equal(text, expected);
}

static enum model_kind call(struct model *model, struct event *event)
{
    struct model_answer answer;

    event->result_known = true;
    model_call(model, event, &answer);
    assert_true(answer.agrees);
    return answer.kind;
}

static enum model_kind name_it(struct model *model, uint64_t page, uint64_t n, const char *name)
{
    struct event event = { .call = CALL_PRCTL, .name = "prctl", .value_known = true,
                           .arg = { SET_VMA, 0, AT(page), n * PAGE } };

    snprintf(event.file.path, sizeof event.file.path, "%s", name);
    return call(model, &event);
}

static void uffd(struct model *model, uint64_t request, uint64_t a, uint64_t b, uint64_t c)
{
    struct event event = { .call = CALL_USERFAULTFD, .name = "ioctl", .value_known = true,
                           .arg = { 3, request, 0, a, b, c }, .file.ino = WATCHER };

    call(model, &event);
}

static void move(struct model *model, uint64_t page, uint64_t to)
{
    struct event event = { .call = CALL_MREMAP, .name = "mremap", .result = (int64_t)AT(to),
                           .arg = { AT(page), PAGE, PAGE, MW_MREMAP_MAYMOVE | MW_MREMAP_FIXED, AT(to) } };

    assert_int_equal(call(model, &event), MODEL_ANSWERED);
}

/* ---- tests ---------------------------------------------------------------------- */

static void equal_labels_merge(void **state)
{
    struct bed *bed = *state;

    assert_int_equal(name_it(bed->model, 1, 2, "one"), MODEL_ANSWERED);
    expect(bed->model, "1 2 5 ");
    name_it(bed->model, 3, 1, "two");
    expect(bed->model, "1 2 1 4 ");
    name_it(bed->model, 3, 1, "one");
    expect(bed->model, "1 3 4 ");
    name_it(bed->model, 1, 3, "");
    expect(bed->model, "8 ");
}

/* A label goes with its mapping: MERGE-8. */
static void labels_move_and_are_inherited(void **state)
{
    struct bed *bed = *state;
    struct model *child;

    name_it(bed->model, 0, 8, "all");
    name_it(bed->model, 2, 1, "one");
    move(bed->model, 2, 8);
    expect(bed->model, "2 5 1 ");
    move(bed->model, 0, 9);
    expect(bed->model, "1 5 1 1 ");
    name_it(bed->model, 8, 1, "all"); /* all untouched: what moved belongs where it is */
    expect(bed->model, "1 7 ");
    child = model_fork(bed->model);
    assert_non_null(child);
    expect(child, "1 7 ");
    name_it(child, 5, 1, "");
    expect(child, "1 2 1 4 ");
    model_destroy(child);
}

static void unknown_names_are_not_modelled(void **state)
{
    struct bed *bed = *state;
    struct event event = { .call = CALL_PRCTL, .name = "prctl",
                           .arg = { SET_VMA, 0, AT(0), PAGE } };

    assert_int_equal(call(bed->model, &event), MODEL_NOT_MODELLED);
    event.result = -MW_EINVAL; /* what a kernel without names says */
    event.value_known = true;
    assert_int_equal(call(bed->model, &event), MODEL_HARMLESS);
    expect(bed->model, "8 ");
}

static bool is_watched(struct model *model, uint64_t page)
{
    struct mw_vma vma;

    return mw_find_vma(model_space(model), AT(page), &vma) && vma.start <= AT(page) &&
           (vma.flags & MW_VM_UFFD);
}

static void watches(void **state)
{
    struct bed *bed = *state;
    struct model *child;

    uffd(bed->model, UFFDIO_API, UFFD_API, 0, 0);
    uffd(bed->model, UFFDIO_REGISTER, AT(1), 3 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
    expect(bed->model, "1 3 4 ");
    uffd(bed->model, UFFDIO_REGISTER, AT(2), PAGE, UFFDIO_REGISTER_MODE_WP);
    expect(bed->model, "1 1 1 1 4 ");
    uffd(bed->model, UFFDIO_REGISTER, AT(2), PAGE, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
    uffd(bed->model, UFFDIO_REGISTER, AT(1), 3 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
    expect(bed->model, "1 1 1 1 4 "); /* the second has more than was asked for */
    move(bed->model, 3, 16);
    assert_false(is_watched(bed->model, 16));
    child = model_fork(bed->model);
    assert_false(is_watched(child, 1));
    model_destroy(child);
    model_unwatch(bed->model, WATCHER);
    expect(bed->model, "3 4 1 ");
}

/* A watcher that asks for the events is not lost. */
static void watches_that_follow(void **state)
{
    struct bed *bed = *state;
    struct model *child;

    uffd(bed->model, UFFDIO_API, UFFD_API, UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_FORK, 0);
    uffd(bed->model, UFFDIO_REGISTER, AT(1), 3 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
    move(bed->model, 3, 16);
    assert_true(is_watched(bed->model, 16));
    child = model_fork(bed->model);
    assert_true(is_watched(child, 16));
    model_destroy(child);
    uffd(bed->model, UFFDIO_UNREGISTER, AT(0), 32 * PAGE, 0);
    assert_false(is_watched(bed->model, 16));
    expect(bed->model, "3 4 1 ");
}

/* There are 7 at a time; those that no mapping has are given again. */
static void labels_run_out(void **state)
{
    struct bed *bed = *state;
    struct event event = { .call = CALL_MBIND, .name = "mbind", .value_known = true,
                           .arg = { AT(0), PAGE, 2 } };

    for (event.value = 1; event.value < 100; event.value++)
        assert_int_equal(call(bed->model, &event), MODEL_FOLLOWED);
    mw_mmap(model_space(bed->model), AT(0), 32 * PAGE, MW_PROT_READ | MW_PROT_WRITE,
            MW_MAP_PRIVATE | MW_MAP_ANONYMOUS | MW_MAP_FIXED, NULL, 0, NULL);
    for (event.value = 1; call(bed->model, &event) == MODEL_FOLLOWED; event.value++)
        event.arg[0] += PAGE;
    assert_int_equal(event.value, 8);
    event.value = 0;
    event.arg[0] = AT(0);
    event.arg[1] = 32 * PAGE;
    event.arg[2] = 0;
    assert_int_equal(call(bed->model, &event), MODEL_FOLLOWED);
    expect(bed->model, "32 ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_bed, drop_bed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_labels_merge),
        TEST(labels_move_and_are_inherited),
        TEST(unknown_names_are_not_modelled),
        TEST(watches),
        TEST(watches_that_follow),
        TEST(labels_run_out),
    };

    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
