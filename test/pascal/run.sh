#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: the Pascal unit on Linux. BUILD and SRC are set by CTest.
#   unit         unit_test.pas, in each language mode
#   channel      channel_test.pas, in each language mode
#   dict         dict_test.pas, in each language mode
#   behaviour    behaviour.pas, in each language mode: its transcript is behaviour.linux
#   two          peer.pas and peer.c: one region, one lock, deaths on both sides
#   examples     the programs of example/pascal
#   readme       the programs of binding/pascal/README.md, as they stand there
#   bench        a report: GetLock+ReleaseLock beside lock+unlock
set -euo pipefail

work=$BUILD/test/pascal/$1
here=$SRC/test/pascal
examples=$SRC/example/pascal
name=test-pascal-$1-$$
modes=(delphi DelphiUnicode objfpc)

command -v fpc >/dev/null || { echo "SKIP: no fpc (ci/setup pascal)"; exit 77; }
tmp=$(mktemp -d)
rounds=20000
# shellcheck source=test/pascal/parties.sh
. "$here/parties.sh"
trap 'end_parties; wait; rm -rf "$tmp"' EXIT

# compile MODE SOURCE FLAG...: warnings are errors, but for strings that change their kind with the mode
compile() {
    local mode=$1 source=$2 program=$work/$1/${2##*/}
    shift 2
    mkdir -p "$work/$mode"
    fpc "-M$mode" -O2 -vew -vm4104,4105 -Sew "-FU$work/$mode" "-Fu$SRC/binding/pascal" "-Fl$BUILD" \
        "-k-rpath=$BUILD" "-o${program%.pas}" "$@" "$source" >"$tmp/fpc" 2>&1 ||
        { cat "$tmp/fpc"; fail "$source in mode $mode"; }
}

in_c() {
    local source=$1
    shift
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror "-I$SRC/include" "$source" "$@"
}

# test_of CLASS: its program, in each mode
test_of() {
    for mode in "${modes[@]}"; do
        compile "$mode" "$here/$1_test.pas" "-Fu$here"
        "$work/$mode/$1_test" "$name" || fail "mode $mode"
    done
}

behaviour() {
    for mode in "${modes[@]}"; do
        compile "$mode" "$here/behaviour.pas" -dOURS
        "$work/$mode/behaviour" "$name" >"$tmp/transcript" || fail "mode $mode ends with $?"
        diff -u "$here/behaviour.linux" "$tmp/transcript" || fail "mode $mode"
    done
    echo "$(wc -l <"$here/behaviour.linux") lines in ${#modes[@]} modes"
}

two() {
    compile objfpc "$here/peer.pas" -dOURS
    in_c "$here/peer.c" -o "$work/peer_c" "-L$BUILD" -lshmstream "-Wl,-rpath,$BUILD"
    # shellcheck disable=SC2034 # used by name
    local pascal=("$work/objfpc/peer") c=("$work/peer_c")
    for what in both_count see_each_other one_holds one_dies; do
        $what pascal c "$name-1$what"
        $what c pascal "$name-2$what"
        $what pascal pascal "$name-3$what"
        echo "ok    $what"
    done
    see_each_other pascal c "Global\\$name?"
    echo "ok    a name in Chinese"
}

# The share of usage.pas has a fixed name: the test runs a copy with another.
usage() {
    sed "s/Global.test/&-$$/" "$examples/usage.pas" >"$tmp/usage.pas"
    for mode in "${modes[@]}"; do
        compile "$mode" "$examples/usage.pas"
        compile "$mode" "$tmp/usage.pas"
        start first "$work/$mode/usage"
        hears first 'visit 1'
        is 'visit 2' "$work/$mode/usage" </dev/null
        ends first
    done
    echo "ok    usage"
}

cookies() {
    compile delphi "$examples/cookie_put.pas"
    compile delphi "$examples/cookie_list.pas"
    local put=$work/delphi/cookie_put list=$work/delphi/cookie_list
    start first "$put" "$name" a=1 b=2
    hears first '2 cookies in the jar'
    start watcher "$list" "$name" 2
    hears watcher a=1
    hears watcher b=2
    hears watcher --
    "$put" "$name" "a=$(printf '%66000s' x)" </dev/null >"$tmp/out" 2>&1 && fail "a cookie that is too large"
    is '3 cookies in the jar' "$put" "$name" b=3 c=4 </dev/null
    hears watcher a=1
    hears watcher b=3
    hears watcher c=4
    hears watcher --
    ends watcher
    ends first
    "$list" "$name" >"$tmp/out" && fail "a jar that is gone is listed"
    [ "$(cat "$tmp/out")" = "$name: nothing of that name" ] || fail "$(cat "$tmp/out")"
    echo "ok    cookies"
}

readme() {
    command -v python3 >/dev/null || { echo "SKIP: no python3 (ci/setup python)"; exit 77; }
    mkdir -p "$work/prefix/share/shmstream"
    ln -s "$SRC/binding/pascal" "$work/prefix/share/shmstream/pascal"
    ln -s "$BUILD" "$work/prefix/lib"
    export PREFIX=$work/prefix LD_LIBRARY_PATH=$BUILD PATH=$BUILD/tool:$PATH
    python3 "$SRC/test/binding/readme.py" "$SRC/binding/pascal/README.md" "$work" visits jobs config
}

bench() {
    mkdir -p "$work"
    in_c "$here/bench_rounds.c" -c -o "$work/bench_rounds.o"
    compile objfpc "$here/bench.pas" "-Fo$work"
    "$work/objfpc/bench" "$name"
}

rm -rf "$work"
case $1 in
unit | channel | dict) test_of "$1" ;;
behaviour | two | readme | bench) "$1" ;;
examples) usage; cookies ;;
*) fail "no such step: $1" ;;
esac
