#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh BUILD_DIR [SECONDS]: hostile bytes (five fuzzers: all calls, the fast ones alone, the calls on a dict, what
# servers and files hand to a jar of cookies, and what a browser's extension tells the host) and, at the same time,
# hostile peers, for so long (default 300), in a build of its own.
# What breaks a promise is left in BUILD_DIR as all-crash-*, fast-crash-*, dict-crash-*, jar-crash-* or host-crash-*:
# run.sh BUILD_DIR replay FILE shows it again.
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
    case $1 in dict | jar | host) program=hostile_$1_fuzz ;; esac
    mkdir -p "$HOSTILE_DIR/$1"
    HOSTILE_CALLS=$1 HOSTILE_DIR=$HOSTILE_DIR/$1 "$build/$program" \
        -timeout=20 -max_len=400 -len_control=0 -artifact_prefix="$build/$1-" "${@:2}"
}

if [ "$seconds" = replay ]; then
    case ${3##*/} in fast-*) calls=fast ;; dict-*) calls=dict ;; jar-*) calls=jar ;; host-*) calls=host ;; *) calls=all ;; esac
    fuzz $calls "$3"
    exit
fi

# The corpus grows from run to run, and begins with seeds that are made here.
{
    for calls in all fast; do python3 "$here/seeds.py" "$here" "$build/corpus-$calls"; done
    python3 "$here/dict_seeds.py" "$here" "$build/corpus-dict"
    python3 "$here/jar_seeds.py" "$build/corpus-jar"
    python3 "$here/host_seeds.py" "$build/corpus-host"
} >"$build/seeds.log"
cat "$build/seeds.log"
"$build/hostile_peers" "$seconds" &
peers=$!
fuzz fast -max_len=64 -max_total_time="$seconds" "$build/corpus-fast" >"$build/fast.log" 2>&1 &
fast=$!
fuzz dict -max_total_time="$seconds" "$build/corpus-dict" >"$build/dict.log" 2>&1 &
dict=$!
fuzzers=(all fast dict)
others=()
for calls in jar host; do
    if [ -x "$build/hostile_${calls}_fuzz" ]; then
        fuzz $calls -max_len=5200 -max_total_time="$seconds" "$build/corpus-$calls" >"$build/$calls.log" 2>&1 &
        others+=($!)
        fuzzers+=("$calls")
    else
        echo "no hostile bytes for the $calls: libpsl, libidn2 or jansson is missing (ci/setup fuzz)"
    fi
done
status=0
fuzz all -max_total_time="$seconds" "$build/corpus-all" >"$build/all.log" 2>&1 || status=$?
wait $fast || status=$?
wait $dict || status=$?
for other in ${others[@]+"${others[@]}"}; do wait "$other" || status=$?; done
for calls in "${fuzzers[@]}"; do
    if ! grep -E '^hostile bytes' "$build/$calls.log"; then
        status=1
        tail -n 60 "$build/$calls.log"
    fi
done
wait $peers || status=$?
[ $status = 0 ] && echo "nobody hung, crashed, or was told what the header does not say"
exit $status
