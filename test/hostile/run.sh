#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh BUILD_DIR [SECONDS]: hostile bytes and, at the same time, hostile peers, for so long (default 300), in a build
# of its own.
# What breaks a promise is left in BUILD_DIR as crash-*: run.sh BUILD_DIR replay FILE shows it again.
set -euo pipefail

build=$1 seconds=${2:-300} here=$(cd "$(dirname "$0")" && pwd)
if ! command -v clang >/dev/null || ! command -v cmake >/dev/null || ! command -v python3 >/dev/null; then
    echo "SKIP: clang, cmake or python3 is missing (ci/setup fuzz)"
    exit 77
fi
cmake -S "$here" -B "$build" -DCMAKE_C_COMPILER=clang >/dev/null
cmake --build "$build" -j"$(nproc)" >"$build/build.log" || { cat "$build/build.log"; exit 1; }
build=$(cd "$build" && pwd)

# A private place on tmpfs instead of /dev/shm itself; scratch files beside it.
HOSTILE_DIR=$(mktemp -d /dev/shm/hostile.XXXXXX)
export HOSTILE_DIR TMPDIR=$HOSTILE_DIR
export ASAN_OPTIONS=abort_on_error=0:exitcode=99:detect_stack_use_after_return=1:handle_abort=1
export UBSAN_OPTIONS=print_stacktrace=1
trap 'rm -rf "$HOSTILE_DIR"' EXIT

fuzz=("$build/hostile_fuzz" -timeout=20 -max_len=400 -len_control=0 -artifact_prefix="$build/")
if [ "$seconds" = replay ]; then
    "${fuzz[@]}" "$3"
    exit
fi

"$build/hostile_peers" "$seconds" &
peers=$!
status=0
# The corpus grows from run to run, and begins with seeds that are made here.
python3 "$here/seeds.py" "$here" "$build/corpus"
"${fuzz[@]}" \
    -max_total_time="$seconds" -print_final_stats=1 "$build/corpus" >"$build/fuzz.log" 2>&1 || status=$?
if [ $status = 0 ]; then
    grep -E '^hostile bytes|average_exec_per_sec' "$build/fuzz.log"
else
    tail -n 60 "$build/fuzz.log"
fi
wait $peers || status=$?
[ $status = 0 ] && echo "nobody hung, crashed, or was told what the header does not say"
exit $status
