#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: builds of several kinds share one region. BUILD and SRC are set by CTest.
#   build KIND     compile the library and mix.c for one kind: native, i686, musl, aarch64
#   count          all kinds at once, each counts under the lock; the sum must be exact
#   kill           each kind in turn is killed holding the lock, half-way; each other kind recovers it
set -euo pipefail

work=$BUILD/test/cross
kinds=(native i686 musl aarch64)
rounds=200000
name=test-cross-$$

fail() { echo "FAIL: $*"; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

# mix KIND ROLE [NUMBER...]
mix() {
    local kind=$1 role=$2 runner=()
    shift 2
    [ "$kind" != aarch64 ] || runner=(qemu-aarch64)
    "${runner[@]}" "$work/$kind/mix" "$role" "$name" "$@"
}

# musl comes without the kernel's headers; these are the same for every C library.
kernel_headers() {
    local dir=$work/kernel-headers machine
    machine=/usr/include/$(gcc -print-multiarch)/asm
    [ -d "$machine" ] || machine=/usr/include/asm
    mkdir -p "$dir"
    ln -sfn /usr/include/linux "$dir/linux"
    ln -sfn /usr/include/asm-generic "$dir/asm-generic"
    ln -sfn "$machine" "$dir/asm"
    echo "$dir"
}

build() {
    local kind=$1 compiler flags=() system=()
    case $kind in
    native) compiler=cc ;;
    i686) compiler=i686-linux-gnu-gcc flags=(-static) system=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=i686) ;;
    musl) compiler=musl-gcc flags=(-static) ;;
    aarch64)
        compiler=aarch64-linux-gnu-gcc flags=(-static)
        system=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64)
        command -v qemu-aarch64 >/dev/null || skip "no qemu-aarch64 (ci/setup long)"
        ;;
    esac
    command -v $compiler >/dev/null || skip "no $compiler (ci/setup long)"
    if [ "$kind" = musl ]; then
        CFLAGS="-isystem $(kernel_headers)"
        export CFLAGS
    fi
    rm -rf "${work:?}/$kind"
    cmake -S "$SRC/test/cross" -B "$work/$kind" -DCMAKE_C_COMPILER=$compiler -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DCMAKE_EXE_LINKER_FLAGS="${flags[*]}" -DSHMS_WERROR=ON "${system[@]}"
    cmake --build "$work/$kind" -j2
    file=$(readelf -h "$work/$kind/mix" | sed -n 's/^ *\(Class\|Machine\): */ /p' | tr -d '\n')
    echo "$kind:$file"
}

count() {
    local kind pids=() sum
    mix native create
    for kind in "${kinds[@]}"; do
        mix "$kind" count ${#kinds[@]} $rounds &
        pids+=($!)
    done
    for kind in "${kinds[@]}"; do
        wait "${pids[0]}" || fail "$kind"
        pids=("${pids[@]:1}")
    done
    for kind in "${kinds[@]}"; do
        sum=$(mix "$kind" show)
        [ "$sum" = $((${#kinds[@]} * rounds)) ] || fail "$kind reads $sum"
    done
    echo "${#kinds[@]} kinds at once, $rounds rounds each: the sum is $sum"
}

kill_each() {
    local victim heir pid
    mix native create
    for victim in "${kinds[@]}"; do
        for heir in "${kinds[@]}"; do
            [ "$victim" != "$heir" ] || continue
            { mix "$victim" die & } 2>/dev/null
            pid=$!
            mix "$heir" await-holder
            mix "$heir" recover || fail "$heir after $victim"
            wait $pid 2>/dev/null && fail "$victim did not die"
            [ "$(mix "$victim" show)" = 0 ] || fail "$heir did not repair"
            echo "$victim killed while holding the lock: $heir recovered"
        done
    done
}

clean_up() {
    local left
    left=$(jobs -p)
    # shellcheck disable=SC2086 # one word a job
    [ -z "$left" ] || kill $left 2>/dev/null || true
    mix native remove 2>/dev/null || true
}

case $1 in
build) build "$2" ;;
count | kill)
    for kind in "${kinds[@]}"; do
        [ -x "$work/$kind/mix" ] || skip "$kind was not built"
    done
    trap clean_up EXIT
    if [ "$1" = count ]; then count; else kill_each; fi
    ;;
*) fail "no such step: $1" ;;
esac
