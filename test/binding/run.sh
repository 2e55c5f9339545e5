#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh: programs in C, C++, Python, Node, Pascal and Rust count at once in one stream, one dict and one channel,
# and one of them is killed meanwhile; each in turn. Languages that are not here are left out, and named. BUILD and
# SRC are set by CTest.
set -euo pipefail

work=$BUILD/test/binding
here=$SRC/test/binding
times=300
declare -A command
export LD_LIBRARY_PATH=$BUILD PYTHONDONTWRITEBYTECODE=1
tmp=$(mktemp -d)
# shellcheck source=test/pascal/parties.sh
. "$SRC/test/pascal/parties.sh"
trap 'end_parties; wait; rm -rf "$tmp"' EXIT

# quietly COMMAND...: what it says matters only if it fails
quietly() { "$@" >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "$*"; }; }

in_c() {
    quietly "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror "-I$SRC/include" "$here/$1.c" -o "$work/$1" "-L$BUILD" -lshmstream
}

cpp() {
    command -v g++ >/dev/null || return 0
    quietly g++ -std=c++17 -O1 -Wall -Werror "-I$SRC/binding/cpp" "-I$SRC/include" "$here/count.cpp" -o "$work/cpp" "-L$BUILD" -lshmstream
    command[cpp]=$work/cpp
}

python() {
    local python=/usr/bin/python3
    "$python" -c 'import setuptools, sysconfig, os, sys
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' 2>/dev/null || return 0
    cp -r "$SRC/binding/python" "$work/python"
    mkdir "$work/python/shmstream-c"
    ln -s "$SRC/include" "$work/python/shmstream-c/include"
    cd "$work/python"
    SHMSTREAM_LIBRARY=$BUILD/libshmstream.a quietly "$python" setup.py -q build --build-lib "$work/python-lib"
    cd "$work"
    command[python]="env PYTHONPATH=$work/python-lib $python $here/count.py"
}

node_js() {
    command -v node >/dev/null || return 0
    export NODE_INCLUDE=${NODE_INCLUDE:-/usr/include/node}
    [ -e "$NODE_INCLUDE/node_api.h" ] || return 0
    mkdir -p "$work/node_modules"
    cp -r "$SRC/binding/node" "$work/node_modules/shmstream"
    quietly sh "$work/node_modules/shmstream/build.sh" "$BUILD/libshmstream.a" "$SRC/include"
    command[node]="env NODE_PATH=$work/node_modules node $here/count.js"
}

pascal() {
    command -v fpc >/dev/null || return 0
    mkdir "$work/units"
    quietly fpc -Mobjfpc -v0 "-FU$work/units" "-Fu$SRC/binding/pascal" "-Fl$BUILD" "-o$work/pascal" "$here/count.pas"
    command[pascal]=$work/pascal
}

rust() {
    command -v cargo >/dev/null || return 0
    cp -r "$SRC/binding/rust" "$work/rust"
    mkdir -p "$work/rust/shmstream/examples"
    cp "$here/count.rs" "$work/rust/shmstream/examples"
    cd "$work/rust"
    SHMSTREAM_LIB_DIR=$BUILD CARGO_TARGET_DIR=$work/target quietly cargo build --offline --quiet -p shmstream --example count
    cd "$work"
    command[rust]=$work/target/debug/examples/count
}

# counted LANGUAGE: how often it has, by the dict
counted() { "$BUILD/tool/shms" add "$name-d" "$1" 0; }

# killed LANGUAGE: all count, and that one is killed in the middle
killed() {
    local victim=$1 language slot=0 fd
    name=test-binding-$victim-$$
    start tally "$work/tally" "$name" $times "$victim" "${languages[@]}"
    hears tally open
    for language in "${languages[@]}"; do
        slot=$((slot + 1)) many=$times
        [ "$language" != "$victim" ] || many=1000000000
        # shellcheck disable=SC2086 # words
        start "$language" ${command[$language]} "$name" "$language" $slot $many
    done
    for language in "${languages[@]}"; do hears "$language" open; done
    for language in "${languages[@]}"; do
        fd=${keys[$language]}
        echo go >&"$fd"
    done
    until [ "$(counted "$victim")" -ge 50 ]; do :; done
    dies "$victim"
    for language in "${languages[@]}"; do
        [ "$language" = "$victim" ] || ends "$language"
    done
    wait "${party[tally]}" || { cat <&"${screen[tally]}"; fail "$victim is killed"; }
    echo "ok    $victim is killed: $(grep "^$victim:" <&"${screen[tally]}")"
    close_pipes tally
}

rm -rf "$work"
mkdir -p "$work"
in_c tally
in_c count
command[c]=$work/count
cpp
python
node_js
pascal
rust
languages=()
for language in c cpp python node pascal rust; do
    if [ -n "${command[$language]:-}" ]; then
        languages+=("$language")
    else
        echo "left out: $language (ci/setup $language)"
    fi
done
[ ${#languages[@]} -gt 1 ] || { echo "SKIP: nothing but C (ci/setup cpp python node pascal rust)"; exit 77; }
for language in "${languages[@]}"; do killed "$language"; done
