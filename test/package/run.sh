#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: the installed package as a stranger meets it. BUILD and SRC are set by CTest.
# install: into a prefix that is then moved, so that whatever holds an absolute path breaks the steps after it.
set -euo pipefail

work=$BUILD/test/package
prefix=$work/moved
step=$1

fail() { echo "FAIL: $*"; exit 1; }

# Build and run the consumer; the arguments go to cmake.
consume() {
    rm -rf "${work:?}/$step"
    cmake -S "$SRC/test/package/consumer" -B "$work/$step" "$@"
    cmake --build "$work/$step" -j2
    ctest --test-dir "$work/$step" --output-on-failure
    local tests
    tests=$(ctest --test-dir "$work/$step" -N | sed -n 's/^Total Tests: //p')
    [ "$tests" = 6 ] || fail "$tests tests instead of the 6 of the consumer"
}

library() { find "$prefix" -name 'libshmstream.so.0' | head -n 1; }

case $step in
install)
    rm -rf "$work/first" "$prefix"
    cmake --install "$BUILD" --prefix "$work/first" >/dev/null
    mv "$work/first" "$prefix"
    "$prefix/bin/shms" --version
    ;;
destdir)
    rm -rf "$work/dest"
    make -C "$SRC" install BUILD="$work/destdir" DESTDIR="$work/dest" PREFIX=/usr >"$work/destdir.log" 2>&1 ||
        { cat "$work/destdir.log"; fail "make install"; }
    "$work/dest/usr/bin/shms" --version
    outside=$(find "$work/dest" -mindepth 1 -maxdepth 1 ! -name usr)
    [ -z "$outside" ] || fail "outside the prefix: $outside"
    ;;
find_package) consume -DHOW=find_package -DCMAKE_PREFIX_PATH="$prefix" ;;
fetch | subdirectory) consume -DHOW="$step" -DSHMS_SOURCE="$SRC" ;;
pkg_config)
    pc=$(find "$prefix" -name shmstream.pc | head -n 1)
    PKG_CONFIG_PATH=$(dirname "$pc")
    LD_LIBRARY_PATH=$(dirname "$(library)")
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
    mkdir -p "$work/pkg_config"
    for language in c99 c11 c++11; do
        compiler=cc source=consumer.c
        [ $language != c++11 ] || { compiler=c++ source=consumer.cpp; }
        # shellcheck disable=SC2046 # the words of pkg-config are meant to be split
        $compiler -std=$language -Wall -Wextra -Wpedantic -Werror -o "$work/pkg_config/$language" \
            "$SRC/test/package/consumer/$source" $(pkg-config --cflags --libs shmstream)
        "$work/pkg_config/$language"
        echo "$language: passed"
    done
    ;;
symbols)
    # Exactly the functions of the headers, each under the node of the release that its comment names.
    declared=$(awk '/^ \* Since: /{split($3, v, "."); node = v[1] "." v[2]}
        match($0, /^SHMS_API .*shms_[a-z_]*\(/) {
            name = substr($0, 1, RLENGTH - 1); sub(/.*[ *]/, "", name); print name "@@SHMSTREAM_" node
        }' "$prefix"/include/shmstream.h $(find "$prefix/include/shmstream" -name '*.h' 2>/dev/null) | sort)
    exported=$(nm -D --defined-only "$(library)" | awk '$2 != "A" {print $3}' | sort)
    diff <(echo "$declared") <(echo "$exported") || fail "header (<) and library (>) differ"
    # The loader belongs to libc: thread-local variables call into it.
    needed=$(readelf -d "$(library)" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^ld-linux' || true)
    [ "$needed" = libc.so.6 ] || fail "the library needs something else than libc: $needed"
    echo "$(echo "$exported" | wc -l) symbols, needs $needed"
    ;;
*) fail "no such step: $step" ;;
esac
