#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# test/crash/run.sh [BUILD]: death at every instruction of every call, of the library as gcc and clang compile it
# at -O0, -O2 and -O3. Two programs run at a time. The strides of main.c may be set in the environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath -m "${1:-build}")/crash

[ "$(uname -m)" = x86_64 ] || { echo "SKIP: instructions are led on x86-64 only"; exit 77; }
for compiler in gcc clang; do
    cmake -S . -B "$build/$compiler" -DCMAKE_C_COMPILER=$compiler -DSHMS_INSTALL=OFF -DSHMS_TOOL=OFF >/dev/null
    cmake --build "$build/$compiler" --target crash_variants -j2 >/dev/null
done

programs=()
for level in 0 2 3; do
    programs+=("$build/gcc/test/crash/crash_O$level" "$build/clang/test/crash/crash_O$level")
done
status=0
printf '%s\n' "${programs[@]}" | xargs -P 2 -I{} sh -c '{} >{}.log 2>&1 || { echo "{}: exit status $?"; exit 1; }' ||
    status=1
for program in "${programs[@]}"; do
    cat "$program.log"
done
awk '
    /^sum, / {
        programs++
        for (i = 1; i <= NF; i++) {
            if ($(i + 1) == "points") points += $i
            if ($(i + 1) == "survivors") survivors += $i
            if ($(i + 1) == "next") lives += $i
            if ($(i + 1) == "real") kills += $i
            if ($(i + 1) == "broken") broken += $i
        }
    }
    END {
        printf "all %d programs: %d points judged by %d survivors and %d next openers, %d real kills, %d broken\n",
            programs, points, survivors, lives, kills, broken
    }' "${programs[@]/%/.log}"
exit $status
