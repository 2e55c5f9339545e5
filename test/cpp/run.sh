#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: the C++ face. BUILD and SRC are set by CTest.
#   17 20       the tests, and those of jars, as C++17 and C++20, by each compiler that is here
#   address     the tests under ASan and UBSan, on the static library
#   32          the tests as a program of 32 bits
#   readme      the examples of binding/cpp/README.md, as they stand there
#   inline      a call of the face is a call of C: nothing else is called on the way
set -euo pipefail

work=$BUILD/test/cpp/$1
here=$SRC/test/cpp
warnings=(-Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror)
include=("-I$SRC/binding/cpp" "-I$SRC/include")
library=("-L$BUILD" -lshmstream "-Wl,-rpath,$BUILD" -pthread)

command -v g++ >/dev/null || { echo "SKIP: no g++ (ci/setup cpp)"; exit 77; }
rm -rf "$work"
mkdir -p "$work"

# Empty where there is no jar.
jar=$(find "$BUILD/src/jar" -name libshmstream-jar.a 2>/dev/null || true)

fail() {
    echo "FAIL  $*"
    exit 1
}

tests() { # standard
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        "$compiler" "-std=c++$1" "${warnings[@]}" -O1 "${include[@]}" "$here"/*.cpp "${library[@]}" -o "$work/$compiler"
        "$work/$compiler" || fail "$compiler"
        [ -n "$jar" ] || continue
        "$compiler" "-std=c++$1" "${warnings[@]}" -O1 "${include[@]}" "$here/jar/jar_test.cpp" "-L$(dirname "$jar")" \
            -lshmstream-jar "-Wl,-rpath,$(dirname "$jar")" "${library[@]}" -o "$work/$compiler-jar"
        "$work/$compiler-jar" || fail "$compiler: jars"
    done
}

address() {
    # leaks in a child that is killed or leaves by _Exit are none
    g++ -std=c++20 "${warnings[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all "${include[@]}" \
        "$here"/*.cpp "$BUILD/libshmstream.a" -pthread -o "$work/test"
    export ASAN_OPTIONS=detect_stack_use_after_return=1
    "$work/test"
    [ -n "$jar" ] || return 0
    # shellcheck disable=SC2046 # words
    g++ -std=c++20 "${warnings[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all "${include[@]}" \
        "$here/jar/jar_test.cpp" "$jar" "$BUILD/libshmstream.a" $(pkg-config --libs libpsl libidn2) -pthread -o "$work/jar"
    "$work/jar"
}

# Jars are left out: there is no libpsl of 32 bits.
bits32() {
    local compiler=i686-linux-gnu-g++
    command -v $compiler >/dev/null || { echo "SKIP: no $compiler (ci/setup cpp)"; exit 77; }
    cmake -S "$SRC" -B "$work/library" -DCMAKE_C_COMPILER=i686-linux-gnu-gcc -DCMAKE_SYSTEM_NAME=Linux \
        -DCMAKE_SYSTEM_PROCESSOR=i686 -DSHMS_JAR=OFF -DSHMS_TESTS=OFF >"$work/log"
    cmake --build "$work/library" -j2 --target shmstream_static >>"$work/log" || { cat "$work/log"; fail "the library"; }
    $compiler -std=c++17 "${warnings[@]}" -O1 "${include[@]}" "$here"/*.cpp "$work/library/libshmstream.a" -static -pthread \
        -o "$work/test"
    "$work/test"
}

readme() {
    export CPATH=$SRC/binding/cpp:$SRC/include LIBRARY_PATH=$BUILD:$BUILD/src/jar LD_LIBRARY_PATH=$BUILD:$BUILD/src/jar
    export PATH=$BUILD/tool:$PATH
    python3 "$SRC/test/binding/readme.py" "$SRC/binding/cpp/README.md" "$work" visits jobs cookies
}

# What the compiler makes of a call is one call of C, and one of what throws, out of the way.
inline_calls() {
    g++ -std=c++17 -O2 "${include[@]}" -c "$here/inline/calls.cpp" -o "$work/calls.o"
    objdump -d -r --no-show-raw-insn "$work/calls.o" | awk '
        /^[0-9a-f]+ <[a-z_]+>:$/ { name = $2 }
        /^[0-9a-f]+ <[^>]*[^a-z_>]/ { name = "" }
        /^	*.*R_X86_64_PLT32|R_AARCH64_(CALL|JUMP)26/ { if (name != "") print name, $NF }' >"$work/calls"
    cat "$work/calls"
    for pair in lock_forever:shms_stream_lock unlock_it:shms_stream_unlock read_some:shms_stream_pread \
        send_some:shms_channel_send get_version:shms_dict_version; do
        [ "$(grep "^<${pair%:*}>" "$work/calls" | grep -vc 'detail4fail')" = 1 ] || fail "$pair: more is called, or less"
        grep -q "^<${pair%:*}>: ${pair#*:}[-+]" "$work/calls" || fail "$pair: it is not called"
    done
}

case $1 in
17 | 20) tests "$1" ;;
address | readme) "$1" ;;
inline) inline_calls ;;
32) bits32 ;;
*) fail "no such step: $1" ;;
esac
