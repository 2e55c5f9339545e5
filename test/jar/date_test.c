/* SPDX-License-Identifier: MIT */
/* date.c: dates of cookies as servers write them. */
#include "date.h"
#include "unit.h"

static void dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* -1: no date */
    } cases[] = {
        {"Wed, 21 Oct 2015 07:28:00 GMT", 1445412480},
        {"Wednesday, 21-Oct-15 07:28:00 GMT", 1445412480},
        {"Wed Oct 21 07:28:00 2015", 1445412480},
        {"21 oct 2015 7:28:0", 1445412480},
        {"2015 07:28:00 October 21st", 1445412480},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
        {"Mon, 01 Jan 1601 00:00:00 GMT", -11644473600},
        {"Wed, 01 Jan 70 00:00:00 GMT", 0},
        {"Tue, 01 Jan 69 00:00:00 GMT", 3124224000},
        {"10:00:00 Jan 5 2020 11:00:00", 1578218400}, /* the first time counts */
        {"Wed, 21 Oct 2015 07:28:00GMT", 1445412480},
        {"Wed, 21 Oct 2015", -1},
        {"07:28:00 GMT", -1},
        {"", -1},
        {"Wed, 32 Oct 2015 07:28:00 GMT", -1},
        {"Wed, 30 Feb 2016 07:28:00 GMT", -1},
        {"Thu, 29 Feb 2023 12:00:00 GMT", -1},
        {"Wed, 21 Oct 2015 24:00:00 GMT", -1},
        {"Wed, 21 Oct 2015 07:60:00 GMT", -1},
        {"Wed, 21 Oct 2015 07:28:60 GMT", -1},
        {"Wed, 21 Oct 1600 07:28:00 GMT", -1},
        {"Wed, 21 Oct 20155 07:28:00 GMT", -1},
        {"Wed, 21 Oct 2015 007:28:00 GMT", -1},
        {"Wed, 00 Oct 2015 07:28:00 GMT", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds = -1;
        bool found = shms__date_parse(cases[i].text, strlen(cases[i].text), &seconds);
        if (found != (cases[i].seconds != -1) || (found && seconds != cases[i].seconds))
            fail_msg("%s: %lld", cases[i].text, (long long)seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(dates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
