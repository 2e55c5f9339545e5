/* SPDX-License-Identifier: MIT */
#include "date.h"

#include <strings.h>

/* Parts in the order in which a token is tried for them; each is taken once. */
struct parts {
    bool has_time, has_day, has_month, has_year;
    int hour, minute, second, day, month, year;
};

static bool is_delimiter(char c)
{
    unsigned char b = (unsigned char)c;
    return b == 0x09 || (b >= 0x20 && b <= 0x2f) || (b >= 0x3b && b <= 0x40) || (b >= 0x5b && b <= 0x60) ||
           (b >= 0x7b && b <= 0x7e);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A number of `least` to `most` digits at *at, which moves behind it. */
static bool take_number(const char **at, const char *end, int least, int most, int *ret)
{
    int n = 0, digits = 0;
    const char *p = *at;
    for (; p < end && is_digit(*p) && digits <= most; p++, digits++)
        n = n * 10 + (*p - '0');
    if (digits < least || digits > most)
        return false;
    *at = p;
    *ret = n;
    return true;
}

static bool take_colon(const char **at, const char *end)
{
    return *at < end && *(*at)++ == ':';
}

/* What follows the digits of a part does not matter: take_number() sees to it that it is no digit. */
static bool take_time(const char *at, const char *end, struct parts *parts)
{
    int hour, minute, second;
    if (!take_number(&at, end, 1, 2, &hour) || !take_colon(&at, end) ||
        !take_number(&at, end, 1, 2, &minute) || !take_colon(&at, end) ||
        !take_number(&at, end, 1, 2, &second))
        return false;
    parts->hour = hour;
    parts->minute = minute;
    parts->second = second;
    return true;
}

static bool take_month(const char *at, const char *end, int *ret)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (end - at < 3)
        return false;
    for (int i = 0; i < 12; i++)
        if (strncasecmp(at, names + 3 * i, 3) == 0) {
            *ret = i + 1;
            return true;
        }
    return false;
}

static void take_token(const char *at, const char *end, struct parts *p)
{
    const char *start = at;
    if (!p->has_time && take_time(at, end, p))
        p->has_time = true;
    else if (!p->has_day && take_number(&at, end, 1, 2, &p->day))
        p->has_day = true;
    else if (!p->has_month && take_month(start, end, &p->month))
        p->has_month = true;
    else if (!p->has_year && take_number(&start, end, 2, 4, &p->year))
        p->has_year = true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool is_sound(const struct parts *p)
{
    return p->has_time && p->has_day && p->has_month && p->has_year && p->year >= 1601 && p->hour <= 23 &&
           p->minute <= 59 && p->second <= 59 && p->day >= 1 && p->day <= days_in(p->year, p->month);
}

/* Days from 1970 to the first of January of that year. */
static int64_t days_to(int year)
{
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

bool shms__date_parse(const char *text, size_t size, int64_t *ret_seconds)
{
    struct parts p = {0};
    const char *end = text + size;
    while (text < end) {
        const char *token = text;
        while (text < end && !is_delimiter(*text))
            text++;
        take_token(token, text, &p);
        text += text < end;
    }
    if (p.has_year && p.year >= 70 && p.year <= 99)
        p.year += 1900;
    else if (p.has_year && p.year <= 69)
        p.year += 2000;
    if (!is_sound(&p))
        return false;
    int64_t days = days_to(p.year) + p.day - 1;
    for (int month = 1; month < p.month; month++)
        days += days_in(p.year, month);
    *ret_seconds = ((days * 24 + p.hour) * 60 + p.minute) * 60 + p.second;
    return true;
}
