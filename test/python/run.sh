#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: the Python extension. BUILD and SRC are set by CTest; PYTHON may name another interpreter.
#   test        the tests of binding/python, on the static library
#   wheel       a source package and, from it, a wheel; the README is done with the wheel, by each Python that takes it
#   versions    the tests with each other python3.x that is here and can build
#   address     the tests under ASan and UBSan
#   types       the stubs: mypy and stubtest agree to them
#   memcheck    tests under valgrind: no bad access, and no memory lost that the extension asked for
#   bench       a report: what calls cost beside the standard library's; SECONDS_EACH for one of them
set -euo pipefail

work=$BUILD/test/python/$1
here=$SRC/binding/python
python=${PYTHON:-}
if [ -z "$python" ]; then # apt-get's, for which ci/setup has installed the rest
    python=/usr/bin/python3
    [ -x $python ] || python=python3
fi
export PYTHONDONTWRITEBYTECODE=1

fail() {
    echo "FAIL  $*"
    exit 1
}

# can_build PYTHON
can_build() {
    "$1" -c 'import setuptools, sysconfig, os, sys
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' 2>"$work/why" >&2
}

# Empty where there is no jar.
jar=$(find "$BUILD/src/jar" -name libshmstream-jar.a 2>/dev/null || true)

# build PYTHON TO: with the static libraries
build() {
    rm -rf "$work/source-$2"
    cp -r "$here" "$work/source-$2" # setup.py leaves things beside itself
    (cd "$work/source-$2" && mkdir -p shmstream-c && ln -sfn "$SRC/include" shmstream-c/include &&
        SHMSTREAM_LIBRARY=$BUILD/libshmstream.a SHMSTREAM_JAR_LIBRARY=$jar "$1" setup.py -q build --build-base "$work/base-$2" \
            --build-lib "$work/$2" >"$work/log" 2>&1) || { cat "$work/log"; fail "$1 does not build it"; }
}

# tests PYTHON FROM
tests() {
    (cd "$here/tests" && PYTHONPATH=$work/$2 "$1" -X faulthandler -W error -W ignore::DeprecationWarning -m unittest discover \
        -s . 2>&1) || fail "$("$1" -V)"
}

# cpython PYTHON FROM: the interpreter's own tests of shared memory, where it ships them
cpython() {
    local status=0
    (cd "$here/tests" && PYTHONPATH=$work/$2 timeout 120 "$1" cpython_tests.py >"$work/cpython" 2>&1) || status=$?
    [ $status = 0 ] || [ $status = 77 ] || { cat "$work/cpython"; fail "CPython's own tests: $("$1" -V)"; }
    tail -n 1 "$work/cpython"
}

test_one() {
    build "$python" lib
    tests "$python" lib
    cpython "$python" lib
}

versions() {
    local one other some=
    build "$python" lib
    for one in "$HOME"/.pyenv/versions/3.*/bin/python3 /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9]; do
        [ -x "$one" ] || continue
        other=$("$one" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        case $other in 3.[0-8] | "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')") continue ;; esac
        case $other in
        3.9 | 3.10) # without the limited API
            can_build "$one" || continue
            build "$one" "lib$other"
            tests "$one" "lib$other"
            ;;
        *) tests "$one" lib ;; # the same binary
        esac
        case $other in 3.9 | 3.10) cpython "$one" "lib$other" ;; *) cpython "$one" lib ;; esac
        echo "ok    $other"
        some=yes
    done
    [ -n "$some" ] || echo "there is no other Python here"
}

# contents MODULE LIBRARIES: what it needs of the system, and what it shows to others
contents() {
    local file needed shown
    file=$(echo "$work/installed/shmstream/$1"*.so)
    needed=$(objdump -p "$file" | sed -n 's/^ *NEEDED *//p' |
        grep -vE "^(ld-linux.*|libc|libpthread$2)\.so\.[0-9]+\$" || true)
    [ -z "$needed" ] || fail "$1 needs $needed"
    shown=$(nm -D --defined-only "$file" | awk '{ print $3 }' | xargs)
    [ "$shown" = "PyInit_$1" ] || fail "$1 shows $shown"
}

wheel() {
    cp -r "$here" "$work/source"
    (cd "$work/source" && ln -s "$SRC" repository &&
        sed -i "s,os.path.relpath(here.parent.parent\, here),'repository'," setup.py &&
        "$python" setup.py -q sdist -d "$work/dist") >"$work/log" 2>&1 || { cat "$work/log"; fail "no source package"; }
    tar -xzf "$work"/dist/shmstream-*.tar.gz -C "$work"
    (cd "$work"/shmstream-*/ && "$python" setup.py -q bdist_wheel -d "$work/dist") >"$work/log" 2>&1 ||
        { cat "$work/log"; fail "no wheel"; }
    ls "$work/dist"
    "$python" -m zipfile -e "$work"/dist/*.whl "$work/installed"
    # Only jars need more of the system than libc.
    contents _shmstream ''
    [ -z "$jar" ] || contents _jar '|libpsl|libidn2'
    export PYTHONPATH=$work/installed PATH=$BUILD/tool:$PATH
    mkdir -p "$work/bin"
    ln -s "$(command -v "$python")" "$work/bin/python3"
    PATH=$work/bin:$PATH python3 "$SRC/test/binding/readme.py" "$here/README.md" "$work/readme" visits jobs colours cookies
}

# sanitized MODULE SOURCE...: a module under ASan and UBSan
sanitized() {
    local flags module=$1
    shift
    flags=("-I$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')" "-I$SRC/include")
    for room in core stream channel dict port/linux; do flags+=("-I$SRC/src/$room" "$SRC/src/$room"/*.c); done
    gcc -shared -fPIC -g -O1 -std=gnu11 -Wall -Wextra -Wconversion -Wshadow -Werror -Wno-error=conversion \
        -fsanitize=address,undefined -fno-sanitize-recover=undefined -fvisibility=hidden -D_GNU_SOURCE \
        -D_FILE_OFFSET_BITS=64 -DSHMS_STATIC -DSHMS_BUILDING "${flags[@]}" "$@" -Wl,-z,nodelete \
        -o "$work/lib/shmstream/$module.so"
}

address() {
    mkdir -p "$work/lib/shmstream"
    cp "$here"/src/shmstream/* "$work/lib/shmstream"
    sanitized _shmstream "$here"/src/*.c
    # shellcheck disable=SC2046 # words
    [ -z "$jar" ] || sanitized _jar "$here"/src/face.c "$here"/src/jar/*.c "$SRC"/src/jar/*.c $(pkg-config --cflags --libs libpsl libidn2)
    export PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 # Python itself leaks at its end
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" tests "$python" lib
}

types() {
    build "$python" lib
    cp "$SRC/test/python/typed.py" "$SRC/test/python/stubtest.allow" "$work"
    # What the stubs ignore for newer versions of mypy is nothing to older ones.
    export MYPYPATH=lib
    (cd "$work" && mypy --strict --no-warn-unused-ignores --cache-dir cache typed.py &&
        sed -i 's/died: bool/died: str/' typed.py && ! mypy --cache-dir cache typed.py) ||
        fail "the stubs are not what programs are written by"
    (cd "$work/lib" && PYTHONPATH=. stubtest --allowlist ../stubtest.allow --ignore-unused-allowlist shmstream) ||
        fail "the stubs are not what there is"
}

# Children of fork are left out: CPython gives up locks of its own there.
memcheck() {
    build "$python" lib
    local one ours
    for one in test_channel test_dict test_compat ${jar:+test_jar.Rules test_jar.Bad test_jar.Files}; do
        (cd "$here/tests" && PYTHONMALLOC=malloc PYTHONPATH=$work/lib valgrind -q --child-silent-after-fork=yes \
            --suppressions=/usr/lib/valgrind/python3.supp --leak-check=full --show-leak-kinds=definite \
            --log-file="$work/log-%p" "$python" -m unittest "$one") || fail "$one under valgrind"
    done
    if grep -h -B 3 -A 12 'Invalid\|ninitialised' "$work"/log-*; then fail "a bad access"; fi
    # Stacks in which a file of the extension stands.
    ours=$(basename -a "$here"/src/*.c "$here"/src/*/*.c "$SRC"/src/*/*.c | sed 's/[.]/[.]/' | paste -sd '|')
    if awk -v ours="[(]($ours):" 'BEGIN { RS = "==[0-9]+== \n" } /definitely lost/ && $0 ~ ours { print; bad = 1 }
        END { exit !bad }' "$work"/log-*; then
        fail "memory is lost"
    fi
}

rm -rf "$work"
mkdir -p "$work"
command -v "$python" >/dev/null || { echo "SKIP: no python3 (ci/setup python)"; exit 77; }
can_build "$python" || { cat "$work/why"; echo "SKIP: no Python.h or setuptools (ci/setup python)"; exit 77; }
case $1 in
test) test_one ;;
wheel)
    "$python" -c 'import wheel' 2>"$work/why" || { echo "SKIP: no wheel (ci/setup python)"; exit 77; }
    wheel
    ;;
bench)
    build "$python" lib
    PYTHONPATH=$work/lib "$python" "$SRC/test/python/bench.py" "${SECONDS_EACH:-0.02}"
    ;;
types)
    command -v mypy >/dev/null || { echo "SKIP: no mypy (ci/setup python)"; exit 77; }
    types
    ;;
memcheck)
    [ -f /usr/lib/valgrind/python3.supp ] || { echo "SKIP: no valgrind (ci/setup python)"; exit 77; }
    memcheck
    ;;
versions | address) "$1" ;;
*) fail "no such step: $1" ;;
esac
