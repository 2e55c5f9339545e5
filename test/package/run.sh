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
    (cd "$work/$step" && ctest --output-on-failure)
    local tests
    tests=$(cd "$work/$step" && ctest -N | sed -n 's/^Total Tests: //p')
    [ "$tests" = 8 ] || fail "$tests tests instead of the 8 of the consumer"
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
    outside=$(find "$work/dest" -mindepth 1 -maxdepth 1 ! -name usr)
    [ -z "$outside" ] || fail "outside the prefix: $outside"
    shms=$work/dest/usr/bin/shms
    LD_LIBRARY_PATH=$(dirname "$(find "$work/dest" -name libshmstream.so.0)") "$shms" --version
    # Below /usr the loader, the compiler and the linker look by themselves.
    ! readelf -d "$shms" | grep -E 'R(UN)?PATH' || fail "shms has a search path"
    PKG_CONFIG_LIBDIR=$(dirname "$(find "$work/dest" -name shmstream.pc)")
    export PKG_CONFIG_LIBDIR
    [ "$(pkg-config --variable=prefix shmstream)" = /usr ] || fail "shmstream.pc has no plain prefix"
    flags=$(pkg-config --cflags --libs shmstream | xargs)
    [ "$flags" = -lshmstream ] || fail "pkg-config names system paths: $flags"
    [ -f "$work/dest/usr/share/man/man3/shms_stream_open.3" ] || fail "no pages of functions"

    touch "$work/dest/usr/share/doc/shmstream/somebody-elses"
    make -C "$SRC" uninstall BUILD="$work/destdir" DESTDIR="$work/dest"
    left=$(cd "$work/dest" && find . ! -type d)
    [ "$left" = ./usr/share/doc/shmstream/somebody-elses ] || fail "after make uninstall: $left"
    ! make -C "$SRC" uninstall BUILD="$work/destdir" DESTDIR="$work/dest" 2>"$work/again" || fail "uninstalled twice"
    grep 'make install' "$work/again"
    ;;
embed)
    # What a project around this one may have asked for: files that are joined, and compiled only when linked.
    rm -rf "$work/embed"
    cmake -S "$SRC" -B "$work/embed" -DSHMS_TESTS=OFF -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 \
        -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-Bsymbolic
    cmake --build "$work/embed" -j2
    "$work/embed/tool/shms" --version
    for library in "$work/embed/libshmstream.a" "-L$work/embed -Wl,-rpath,$work/embed -lshmstream"; do
        # shellcheck disable=SC2086 # words
        cc -O2 -flto -o "$work/embed/consumer" "$SRC/test/package/consumer/consumer.c" "-I$SRC/include" $library
        "$work/embed/consumer"
    done
    ;;
find_package) consume -DHOW=find_package -DCMAKE_PREFIX_PATH="$prefix" ;;
fetch | subdirectory) consume -DHOW="$step" -DSHMS_SOURCE="$SRC" ;;
pkg_config)
    pc=$(find "$prefix" -name shmstream.pc | head -n 1)
    PKG_CONFIG_PATH=$(dirname "$pc")
    LD_LIBRARY_PATH=$(dirname "$(library)")
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
    mkdir -p "$work/pkg_config"
    for language in c99 c11 c++98 c++11 c++17; do
        compiler=cc source=consumer.c
        [ "${language#c++}" = $language ] || { compiler=c++ source=consumer.cpp; }
        [ $language != c++17 ] || source=face.cpp
        # shellcheck disable=SC2046 # the words of pkg-config are meant to be split
        $compiler -std=$language -Wall -Wextra -pedantic-errors -Werror -o "$work/pkg_config/$language" \
            "$SRC/test/package/consumer/$source" $(pkg-config --cflags --libs shmstream)
        "$work/pkg_config/$language"
        echo "$language: passed"
    done
    if [ -f "$PKG_CONFIG_PATH/shmstream-jar.pc" ]; then
        for static in "" --static; do
            # shellcheck disable=SC2046,SC2086 # as above
            cc -std=c99 -Wall -Wextra -Werror -o "$work/pkg_config/jar" "$SRC/test/package/consumer/jar.c" \
                $(pkg-config $static --cflags --libs shmstream-jar)
            "$work/pkg_config/jar"
        done
        echo "jar: passed"
    fi
    ;;
symbols)
    # Exactly the functions of the headers, each under the node of the release that its comment names.
    # shellcheck disable=SC2046 # words
    declared=$(awk '/^ \* Since: /{split($3, v, "."); node = v[1] "." v[2]}
        match($0, /^SHMS_API .*shms_[a-z_]*\(/) {
            name = substr($0, 1, RLENGTH - 1); sub(/.*[ *]/, "", name); print name "@@SHMSTREAM_" node
        }' "$prefix"/include/shmstream.h $(find "$prefix/include/shmstream" -name '*.h' 2>/dev/null) | sort)
    exported=$(nm -D --defined-only "$(library)" | awk '$2 != "A" {print $3}' | sort)
    jar=$(find "$prefix" -name 'libshmstream-jar.so.0' | head -n 1)
    exported_jar=$([ -z "$jar" ] || nm -D --defined-only "$jar" | awk '$2 != "A" {print $3}' | sed 's/@SHMSTREAM_JAR_/@SHMSTREAM_/')
    diff <(echo "$declared") <(printf '%s\n%s' "$exported" "${exported_jar:+$exported_jar$'\n'}" | sort) ||
        fail "headers (<) and libraries (>) differ"
    # None of them is called by way of a table, which the functions of another copy could get into.
    ! readelf -rW "$(library)" | grep 'shms_' || fail "the library calls whoever has these names"
    # The loader belongs to libc: thread-local variables call into it.
    needed=$(readelf -d "$(library)" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^ld-linux' || true)
    [ "$needed" = libc.so.6 ] || fail "the library needs something else than libc: $needed"
    echo "$(echo "$exported" | wc -l) symbols, needs $needed"
    ;;
*) fail "no such step: $step" ;;
esac
