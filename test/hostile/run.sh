#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh BUILD_DIR [SECONDS]: hostile bytes (four fuzzers: all calls, the fast ones alone, the calls on a dict, and what
# servers and files hand to a jar of cookies) and, at the same time, hostile peers, for so long (default 300), in a build
# of its own.
# What breaks a promise is left in BUILD_DIR as all-crash-*, fast-crash-*, dict-crash-* or jar-crash-*: run.sh BUILD_DIR
# replay FILE shows it again.
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

# fuzz CALLS ARGUMENT...: all calls, only those that are quick, those on a dict, or a jar, in a world of their own.
fuzz() {
    local program=hostile_fuzz
    case $1 in dict | jar) program=hostile_$1_fuzz ;; esac
    mkdir -p "$HOSTILE_DIR/$1"
    HOSTILE_CALLS=$1 HOSTILE_DIR=$HOSTILE_DIR/$1 "$build/$program" \
        -timeout=20 -max_len=400 -len_control=0 -artifact_prefix="$build/$1-" "${@:2}"
}

if [ "$seconds" = replay ]; then
    case ${3##*/} in fast-*) calls=fast ;; dict-*) calls=dict ;; jar-*) calls=jar ;; *) calls=all ;; esac
    fuzz $calls "$3"
    exit
fi

# The corpus grows from run to run, and begins with seeds that are made here.
for calls in all fast; do
    python3 "$here/seeds.py" "$here" "$build/corpus-$calls" >"$build/seeds.log"
done
python3 "$here/dict_seeds.py" "$here" "$build/corpus-dict" >>"$build/seeds.log"
python3 "$here/jar_seeds.py" "$build/corpus-jar" >>"$build/seeds.log"
cat "$build/seeds.log"
"$build/hostile_peers" "$seconds" &
peers=$!
fuzz fast -max_len=64 -max_total_time="$seconds" "$build/corpus-fast" >"$build/fast.log" 2>&1 &
fast=$!
fuzz dict -max_total_time="$seconds" "$build/corpus-dict" >"$build/dict.log" 2>&1 &
dict=$!
fuzzers=(all fast dict jar)
if [ -x "$build/hostile_jar_fuzz" ]; then
    fuzz jar -max_len=5200 -max_total_time="$seconds" "$build/corpus-jar" >"$build/jar.log" 2>&1 &
    jar=$!
else
    echo "no hostile bytes for a jar: libpsl or libidn2 is missing (ci/setup fuzz)"
    fuzzers=(all fast dict)
    jar=
fi
status=0
fuzz all -max_total_time="$seconds" "$build/corpus-all" >"$build/all.log" 2>&1 || status=$?
wait $fast || status=$?
wait $dict || status=$?
[ -z "$jar" ] || wait "$jar" || status=$?
for calls in "${fuzzers[@]}"; do
    if ! grep -E '^hostile bytes' "$build/$calls.log"; then
        status=1
        tail -n 60 "$build/$calls.log"
    fi
done
wait $peers || status=$?
[ $status = 0 ] && echo "nobody hung, crashed, or was told what the header does not say"
exit $status
