/* SPDX-License-Identifier: MIT */
/* test_linux.c - versions of Linux as text, and the ranges that neighbours make. */
#include "unit.h"

#include "linux.h"

static void reads_versions(void **state)
{
    (void)state;
    assert_int_equal(linux_of("6.18"), MW_LINUX(6, 18));
    assert_int_equal(linux_of("6.18.44-generic"), MW_LINUX(6, 18));
    assert_int_equal(linux_of("6.1-rc3"), MW_LINUX(6, 1));
    assert_int_equal(linux_of("2.6.32"), MW_LINUX(2, 6));
    static const char *const bad[] = { "", "6", "6.", ".1", "six", "6.x", "6.1x", " 6.1", "6. 1",
                                       "-6.1", "6.-1", "6.+1", "1234.1", "6.1234" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(linux_of(bad[i]), 0);
}

/* The list that a text is, once more as text; "none": it is no list. */
static const char *listed(const char *text)
{
    static char buf[256];
    struct linux_list list;

    if (!linux_parse_list("test", "--linux", text, &list))
        return "none";
    linux_range(&list, 0, list.n - 1, buf, sizeof buf);
    return buf;
}

static void reads_lists(void **state)
{
    (void)state;
    assert_string_equal(listed("5.4"), "5.4");
    assert_string_equal(listed("6.18.1,5.4,6.1,5.4"), "5.4, 6.1, 6.18");
    assert_string_equal(listed("4.20,5.19,6.19,3.19,2.6"), "2.6, 3.19, 4.20, 5.19, 6.19");
    assert_string_equal(listed("all"), "always");
    static const char *const bad[] = { "", ",", "5.4,", ",5.4", "5.4,,6.1", "all,5.4", "2.5", "2.7",
                                       "3.20", "4.21", "5.20", "6.20", "7.99", "8.0", "1.0" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(listed(bad[i]), "none");
}

static const char *range(const struct linux_list *list, size_t first, size_t last)
{
    static char buf[64];

    linux_range(list, first, last, buf, sizeof buf);
    return buf;
}

static void names_ranges(void **state)
{
    (void)state;
    struct linux_list list = {
        { MW_LINUX(2, 6), MW_LINUX(3, 0), MW_LINUX(4, 0), MW_LINUX(4, 14), MW_LINUX(4, 15),
          MW_LINUX(5, 0), MW_LINUX(6, 17), MW_LINUX(7, 0), MW_LINUX(7, 3) }, 9, true
    };
    assert_string_equal(range(&list, 0, 0), "before 3.0");
    assert_string_equal(range(&list, 0, 4), "before 5.0");
    assert_string_equal(range(&list, 1, 1), "3.0 to 3.19");
    assert_string_equal(range(&list, 2, 2), "4.0 to 4.13");
    assert_string_equal(range(&list, 3, 3), "4.14");
    assert_string_equal(range(&list, 3, 4), "4.14 to 4.20");
    assert_string_equal(range(&list, 5, 5), "5.0 to 6.16");
    assert_string_equal(range(&list, 6, 6), "6.17 to 6.19");
    assert_string_equal(range(&list, 7, 8), "since 7.0");
    assert_string_equal(range(&list, 8, 8), "since 7.3");
    assert_string_equal(range(&list, 0, 8), "always");
    list.all = false;
    assert_string_equal(range(&list, 0, 2), "2.6, 3.0, 4.0");
    char small[8];
    linux_range(&list, 0, 8, small, sizeof small);
    assert_string_equal(small, "2.6, 3.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_versions), cmocka_unit_test(reads_lists),
        cmocka_unit_test(names_ranges),
    };
    return cmocka_run_group_tests_name("linux", tests, NULL, NULL);
}
