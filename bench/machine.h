/* SPDX-License-Identifier: MIT */
/* The facts that figures belong to, and the targets they are held against. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdio.h>

void machine_print(FILE *f);
void machine_json(FILE *f);
/** The targets as a JSON member, without a comma behind it. */
void targets_json(FILE *f);

#endif
