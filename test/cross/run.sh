#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: builds of several kinds share one region. BUILD and SRC are set by CTest.
#   build KIND     compile the library and mix.c for one kind: native, i686, musl, aarch64
#   count          all kinds at once, each counts under the lock; the sum must be exact
#   turns          all kinds at once wait for each other's notes, one after the other
#   kill           each kind in turn is killed holding the lock, half-way; each other kind recovers it
#   dict           all kinds at once in one dict: counters, values, key locks, changes; then each is killed with the lock
#                  of a key, and each other kind inherits it
# Each in a named region, and in an unnamed one; kill in an atomic one, too. A dict has a name.
set -euo pipefail

work=$BUILD/test/cross
kinds=(native i686 musl aarch64)
rounds=200000
turns=200
dict_rounds=20000
carried=9
name=${CROSS_NAME:-test-cross-$$}

fail() { echo "FAIL: $*"; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

# mix KIND ROLE [NUMBER...]
mix() {
    local kind=$1 role=$2 runner=()
    shift 2
    [ "$kind" != aarch64 ] || runner=(qemu-aarch64)
    ${prefix:-} "${runner[@]}" "$work/$kind/mix" "$role" "$name" "$@"
}

# start KIND ROLE [NUMBER...]: in the background, where it takes the place of the shell, so that clean_up ends it.
start() { local prefix=exec && mix "$@"; }

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
        -DCMAKE_EXE_LINKER_FLAGS="${flags[*]}" -DSHMS_WERROR="${WERROR:-OFF}" "${system[@]}"
    cmake --build "$work/$kind" -j2
    file=$(readelf -h "$work/$kind/mix" | sed -n 's/^ *\(Class\|Machine\): */ /p' | tr -d '\n')
    echo "$kind:$file"
}

# all ROLE [NUMBER...]: at once, in all kinds; INDEX among the numbers is each one's own.
all() {
    local i pids=()
    for i in "${!kinds[@]}"; do
        start "${kinds[i]}" "${@/INDEX/$i}" &
        pids+=($!)
    done
    for i in "${!kinds[@]}"; do
        wait "${pids[i]}" || fail "${kinds[i]}: $*"
    done
}

count() {
    local kind sum
    all count ${#kinds[@]} $rounds
    for kind in "${kinds[@]}"; do
        sum=$(mix "$kind" show)
        [ "$sum" = $((${#kinds[@]} * rounds)) ] || fail "$kind reads $sum"
    done
    echo "$region: ${#kinds[@]} kinds at once, $rounds rounds each: the sum is $sum"
}

take_turns() {
    all turns ${#kinds[@]} INDEX $turns
    echo "$region: ${#kinds[@]} kinds took $turns turns each"
}

kill_each() {
    local victim heir pid
    for victim in "${kinds[@]}"; do
        for heir in "${kinds[@]}"; do
            [ "$victim" != "$heir" ] || continue
            { mix "$victim" die & } 2>/dev/null
            pid=$!
            mix "$heir" await-holder
            mix "$heir" recover || fail "$heir after $victim"
            wait $pid 2>/dev/null && fail "$victim did not die"
            [ "$(mix "$victim" show)" = 0 ] || fail "$heir did not repair"
            echo "$region: $victim killed while holding the lock: $heir recovered"
        done
    done
}

in_dict() {
    local victim heir kind pid seen shown='' sums="$((${#kinds[@]} * dict_rounds)) $((${#kinds[@]} * dict_rounds / 16))"
    mix native dict-create
    all dict-count ${#kinds[@]} INDEX $dict_rounds
    for kind in "${kinds[@]}"; do
        seen=$(mix "$kind" dict-show)
        [ "${seen% *}" = "$sums" ] || fail "$kind reads $seen"
        [ "$seen" = "${shown:=$seen}" ] || fail "$kind reads $seen, others $shown"
    done
    echo "${#kinds[@]} kinds at once in a dict, $dict_rounds rounds each: $shown"
    for victim in "${kinds[@]}"; do
        for heir in "${kinds[@]}"; do
            [ "$victim" != "$heir" ] || continue
            { mix "$victim" dict-die & } 2>/dev/null
            pid=$!
            mix "$heir" dict-inherit || fail "$heir after $victim"
            wait $pid 2>/dev/null && fail "$victim did not die"
            echo "$victim killed with the lock of a key: $heir has it"
        done
    done
    mix native remove
}

clean_up() {
    local left
    left=$(jobs -p)
    # shellcheck disable=SC2086 # one word a job
    [ -z "$left" ] || kill $left 2>/dev/null || true
    [ "${name%%:*}" = fd ] || mix native remove 2>/dev/null || true
}

# in_named FUNCTION [WORD]: in a region that a kind makes by name
in_named() {
    region=${2:-named}
    mix native create "${@:2}"
    $1
    mix native remove
}

# in_unnamed STEP KIND: in one whose descriptor this script gets from a program of that kind, by exec
in_unnamed() {
    name=fd:$carried mix "$2" carry env CROSS_NAME=fd:$carried CROSS_MAKER="$2" bash "$0" "$1"
}

# run STEP FUNCTION: called once more by in_unnamed
run() {
    local kind
    if [ -n "${CROSS_MAKER:-}" ]; then
        region="unnamed, by $CROSS_MAKER"
        "$2"
        return
    fi
    in_named "$2"
    [ "$1" != kill ] || in_named "$2" atomic
    for kind in "${makers[@]}"; do
        in_unnamed "$1" "$kind"
    done
}

step=$1
[ "$step" = build ] || for kind in "${kinds[@]}"; do
    [ -x "$work/$kind/mix" ] || skip "$kind was not built"
done
trap clean_up EXIT
case $step in
build) build "$2" ;;
count) makers=(i686) && run count count ;;
turns) makers=(musl) && run turns take_turns ;;
kill) makers=(native aarch64) && run kill kill_each ;;
dict) in_dict ;;
*) fail "no such step: $step" ;;
esac
