#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# pascal_test.sh [STEP...]: the Pascal units for 64-bit Windows, under wine. ci/test-windows sets SRC, BUILD,
# WIN64 (where shmstream.dll is), WINE (how to start a program), WINEPREFIX. All steps, unless some are named:
#   unit         unit_test.pas, channel_test.pas, dict_test.pas
#   behaviour    behaviour.pas, with the old class's double and with ours: only [mend] lines differ, and all
#   two          peer.pas with the old class's double, with ours, and in C: one share, one lock, deaths
#   examples     the programs of example/pascal
# With SHMS_ANCESTOR_DIR, the folder of the true old unit, that unit takes part as well.
set -euo pipefail

work=$BUILD/windows/pascal
units=$BUILD/windows/rtl
here=$SRC/test/windows/pascal
both=$SRC/test/pascal
examples=$SRC/example/pascal
name=test-pascal-$$
source=/usr/share/fpcsrc/$(fpc -iV 2>/dev/null || true)
# shellcheck disable=SC2153 # it is set by who calls
read -r -a wine <<<"$WINE"

command -v ppcx64 >/dev/null || { echo "SKIP: no ppcx64 (ci/setup pascal)"; exit 77; }
[ -d "$source/rtl" ] || { echo "SKIP: no $source (ci/setup pascal)"; exit 77; }
tmp=$(mktemp -d)
rounds=2000
# shellcheck source=test/pascal/parties.sh
. "$both/parties.sh"

clean_up() {
    end_parties
    wait
    rm -rf "$tmp"
}
trap clean_up EXIT

# pascal FLAG...: the compiler without its configuration, which is for Linux
pascal() {
    ppcx64 -n -Twin64 -O2 "$@" >"$tmp/ppc" 2>&1 || { cat "$tmp/ppc"; fail "ppcx64 $*"; }
}

# The run-time library for win64, from its sources; once a build directory.
run_time_library() {
    local r=$source/rtl flags
    [ ! -e "$units/complete" ] || return 0
    mkdir -p "$units"
    flags=(-v0 "-FU$units" "-Fu$units" "-Fi$r/inc" "-Fi$r/x86_64" "-Fi$r/win" "-Fi$r/win64")
    pascal "${flags[@]}" -Us -Sg "$r/win64/system.pp"
    pascal "${flags[@]}" "$r/inc/uuchar.pp"
    pascal "${flags[@]}" "-Fi$r/objpas" "$r/objpas/objpas.pp"
    pascal "${flags[@]}" "-Fi$r/objpas/sysutils" "-Fi$r/objpas/classes" "-Fi$r/objpas" "-Fi$r/win/wininc" \
        "-Fu$r/x86_64" "-Fu$r/win/wininc" "-Fu$r/win" "-Fu$r/inc" "-Fu$r/objpas" "-Fu$r/win64" \
        "$r/win64/buildrtl.pp"
    : >"$units/complete"
}

# compile KIND SOURCE FLAG...: into $work/KIND
compile() {
    local kind=$1 program=$2
    shift 2
    mkdir -p "$work/$kind"
    pascal -v0 "-Fu$units" "-Fu$source/packages/fcl-base/src" "-FU$work/$kind" \
        "-o$work/$kind/$(basename "$program" .pas).exe" "$@" "$program"
}

# with_ours, with_double, with_true: compile SOURCE with one of the three classes; sets $exe
with_ours() {
    compile ours "$1" -MDelphiUnicode -dOURS "-Fu$SRC/binding/pascal" "-Fu$both"
    cp "$WIN64/shmstream.dll" "$work/ours/"
    exe=$work/ours/$(basename "$1" .pas).exe
}

with_double() {
    compile double "$1" -MDelphiUnicode "-Fu$here/old"
    exe=$work/double/$(basename "$1" .pas).exe
}

# That unit expects of Windows.pas one constant more, and the wide functions.
with_true() {
    compile true "$1" -MDelphiUnicode -Sm -dSECTION_MAP_EXECUTE:=8 -dCreateFileMapping:=CreateFileMappingW \
        "-Fu$SHMS_ANCESTOR_DIR"
    exe=$work/true/$(basename "$1" .pas).exe
}

unit() {
    local test
    for test in unit channel dict; do
        with_ours "$both/${test}_test.pas"
        "${wine[@]}" "$exe" "$name"
    done
}

transcript() { "${wine[@]}" "$exe" "$name" | tr -d '\r'; }

# What lies before a view is chance: whether a write there is an access violation, too.
without_chance() { grep -v '^\[mend 12\] a write before' "$1"; }

# same_as_old WHAT: its transcript is the old class's
same_as_old() {
    transcript >"$tmp/transcript" || fail "$1 ends badly"
    diff -u <(without_chance "$here/behaviour.old") <(without_chance "$tmp/transcript") || fail "$1"
    echo "ok    $1: $(wc -l <"$tmp/transcript") lines as recorded"
}

behaviour() {
    local differ mend
    with_double "$both/behaviour.pas"
    same_as_old "the double"
    if [ -n "${SHMS_ANCESTOR_DIR:-}" ]; then
        with_true "$both/behaviour.pas"
        same_as_old "the true old class"
    fi
    with_ours "$both/behaviour.pas"
    transcript >"$tmp/ours" || fail "ours ends badly"
    differ=$(diff "$here/behaviour.old" "$tmp/ours" | grep '^>' || true)
    mend=$(grep '^\[mend' "$tmp/ours" | sed 's/^/> /')
    diff -u <(without_chance <(echo "$mend")) <(without_chance <(echo "$differ")) ||
        fail "other lines differ than those that are mended"
    diff -u <(without_chance "$both/behaviour.linux") <(without_chance "$tmp/ours") ||
        fail "Linux and Windows differ"
    echo "ok    ours: the same but for these, each a defect mended (< old, > ours)"
    diff "$here/behaviour.old" "$tmp/ours" | grep '^[<>]' || true
}

# ours_and_theirs OURS THEIRS NAME: what an array of ours and one with the old class do together
ours_and_theirs() {
    declare -n us=$1 them=$2
    for what in both_count see_each_other one_holds; do
        $what "$1" "$2" "$3-$1$what"
        $what "$2" "$1" "$3-$2$what"
    done
    # A holder of ours dies, and another of ours is there: it recovers, and then the old ones get it, too.
    start keeper "${us[@]}" "$3-d" stay
    hears keeper open
    start old "${them[@]}" "$3-d" stay
    hears old open
    start first "${us[@]}" "$3-d" die
    hears first held
    dies first
    is 'died, 1' "${us[@]}" "$3-d" try 60000
    is 'got it' "${them[@]}" "$3-d" try 60000
    # One of theirs dies: unknown, so it is a time-out.
    start first "${them[@]}" "$3-d" die
    hears first held
    dies first
    is 'timed out' "${us[@]}" "$3-d" try 50
    is 'timed out' "${them[@]}" "$3-d" try 50
    ends keeper 0
    ends old 0
    # Theirs releases what one of ours holds: others of ours stay out.
    start first "${us[@]}" "$3-r" hold
    hears first held
    is '' "${them[@]}" "$3-r" release
    is 'timed out' "${us[@]}" "$3-r" try 50
    ends first
    echo "ok    $1 and $2"
}

# shellcheck disable=SC2034 # arrays are used by name
two() {
    local pascal c double true_one
    with_ours "$both/peer.pas"
    pascal=("${wine[@]}" "$exe")
    x86_64-w64-mingw32-gcc -std=c11 -D__USE_MINGW_ANSI_STDIO -O2 -Wall -Wextra -Werror "-I$SRC/include" \
        "$both/peer.c" -o "$work/ours/peer_c.exe" "$WIN64/shmstream.dll"
    c=("${wine[@]}" "$work/ours/peer_c.exe")
    with_double "$both/peer.pas"
    double=("${wine[@]}" "$exe")
    one_dies pascal c "$name-1"
    one_dies c pascal "$name-2"
    both_count pascal c "$name-3"
    echo "ok    pascal and c"
    ours_and_theirs pascal double "$name"
    both_count double c "$name-4"
    one_holds c double "Global\\$name-5"
    echo "ok    c and double"
    for kind in "Local\\$name" "Global\\$name?" "$name*"; do
        see_each_other double pascal "$kind"
        echo "ok    a name like $kind"
    done
    if [ -n "${SHMS_ANCESTOR_DIR:-}" ]; then
        with_true "$both/peer.pas"
        true_one=("${wine[@]}" "$exe")
        ours_and_theirs pascal true_one "$name"
        ours_and_theirs c true_one "Global\\$name"
    fi
}

examples() {
    sed "s/Global.test/&-$$/" "$examples/usage.pas" >"$tmp/usage.pas"
    with_ours "$examples/usage.pas"
    with_ours "$tmp/usage.pas"
    start first "${wine[@]}" "$exe"
    hears first 'visit 1'
    is 'visit 2' "${wine[@]}" "$exe" </dev/null
    ends first
    echo "ok    usage"
    with_ours "$examples/cookie_put.pas"
    local put=("${wine[@]}" "$exe") list
    with_ours "$examples/cookie_list.pas"
    list=("${wine[@]}" "$exe")
    start first "${put[@]}" "$name" a=1 b=2
    hears first '2 cookies in the jar'
    start watcher "${list[@]}" "$name" 2
    hears watcher a=1
    hears watcher b=2
    hears watcher --
    is '3 cookies in the jar' "${put[@]}" "$name" b=3 c=4 </dev/null
    for line in a=1 b=3 c=4 --; do
        hears watcher "$line"
    done
    ends watcher
    ends first
    echo "ok    cookies"
}

rm -rf "$work"
mkdir -p "$work"
run_time_library
[ $# -gt 0 ] || set -- unit behaviour two examples
for step in "$@"; do
    case $step in
    unit | behaviour | two | examples) "$step" ;;
    *) fail "no such step: $step" ;;
    esac
done
