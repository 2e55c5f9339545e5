/* SPDX-License-Identifier: MIT */
/*
 * Rollback: money moves from one account to another. Half-way it turns out that there is not enough; the
 * section is given up, and what it wrote is undone. Nobody sees the half.
 */
#include "shmstream.h"

#include <stdio.h>
#include <stdlib.h>

/* Gives a result through, or ends the program with its text. */
static int64_t check(const char *what, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, shms_strerror((int)result));
        exit(1);
    }
    return result;
}

/* Move an amount from account 0 to account 1. SHMS_E_RANGE: there is not enough. */
static int move(shms_stream *s, int64_t amount)
{
    int64_t money[2];
    check("lock", shms_stream_lock(s, -1));
    check("pread", shms_stream_pread(s, money, sizeof money, 0));
    money[0] -= amount;
    money[1] += amount;
    check("pwrite", shms_stream_pwrite(s, &money[1], sizeof money[1], sizeof money[0]));
    if (money[0] < 0) {
        check("rollback", shms_stream_rollback(s));
        return SHMS_E_RANGE;
    }
    check("pwrite", shms_stream_pwrite(s, &money[0], sizeof money[0], 0));
    return shms_stream_unlock(s);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "example-rollback";
    const shms_stream_options o = {.struct_size = sizeof o, .atomic = 1};
    const int64_t first[2] = {100, 0}, amounts[] = {60, 60, 40};
    int64_t money[2];
    shms_stream *s;
    check(name, shms_stream_open(name, sizeof money, &o, &s));
    check("pwrite", shms_stream_pwrite(s, first, sizeof first, 0));
    for (int i = 0; i < 3; i++) {
        int rc = move(s, amounts[i]);
        check("snapshot", shms_stream_snapshot(s, money, sizeof money, 0));
        printf("%lld: %s; the accounts have %lld and %lld\n", (long long)amounts[i],
               rc < 0 ? "not enough, rolled back" : "moved", (long long)money[0], (long long)money[1]);
    }
    shms_stream_close(s);
    return 0;
}
