#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: the binding to Node. BUILD and SRC are set by CTest. Everything is done in a copy of binding/node.
#   build      the addon, by the C compiler alone
#   stream bad life channel dict jar
#              binding/node/test/STEP.test.js
#   package    npm pack, installed off-line into an empty folder, where no compiler is in PATH; the programs of the README run there
#   types      tsc over a sample that uses index.d.ts
#   bench      a report: what calls cost beside Node's own; SECONDS_EACH for one of them
#   address    the addon with AddressSanitizer, and all tests with that
set -euo pipefail

work=$BUILD/test/node
copy=$work/shmstream
export SHMS_HEADER=$SRC/include/shmstream.h

for command in node npm; do
    command -v $command >/dev/null || { echo "SKIP: no $command (ci/setup node)"; exit 77; }
done
export NODE_INCLUDE=${NODE_INCLUDE:-/usr/include/node}
[ -e "$NODE_INCLUDE/node_api.h" ] || { echo "SKIP: no node_api.h (ci/setup node)"; exit 77; }
tmp=$(mktemp -d)
beside=
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null || true; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }
# Empty where there is no jar.
JAR_LIBRARY=$(find "$BUILD/src/jar" -name libshmstream-jar.a 2>/dev/null || true)
export JAR_LIBRARY

# fresh FOLDER: a copy of the sources
fresh() {
    rm -rf "$1"
    mkdir -p "$1"
    cp -r "$SRC"/binding/node/. "$1"
    rm -rf "$1/prebuilds"
}

build() {
    fresh "$copy"
    sh "$copy/build.sh" "$BUILD/libshmstream.a" "$SRC/include" -Werror >"$tmp/told"
    cat "$tmp/told"
    ! command -v objdump >/dev/null || ! getconf GNU_LIBC_VERSION >/dev/null 2>&1 ||
        grep -Eq '/node\.napi\.glibc\.node: glibc 2\.[0-9]+ or newer$' "$tmp/told" || fail "it does not tell the least glibc"
}

# run_test FOLDER NAME [FLAG...]
run_test() {
    # The flag: transfer() of an ArrayBuffer, which later versions have without it.
    export NODE_PATH=/usr/share/nodejs # where Debian has tough-cookie
    local flags=(--expose-gc) transfer=--harmony-rab-gsab-transfer
    if node "$transfer" -e 0 2>/dev/null; then flags+=("$transfer"); fi
    node "${flags[@]}" "${@:3}" "$1/test/$2.test.js" >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "$2"; }
    grep -E '^(# (pass|skipped)|ℹ (pass|skipped)) ' "$tmp/out"
}

# example N: the Nth program of the README, with names of its own; and what it says
example() {
    awk -v n="$1" '/^```js$/ { i++; on = i == n; next } /^```$/ { on = 0 } on' "$copy/README.md" |
        sed -E "s/'(visits|jobs|work|config|cookies)'/'test-node-\\1-$$'/" >"$tmp/app/example$1.js"
    [ -s "$tmp/app/example$1.js" ] || fail "no program $1 in the README"
    (cd "$tmp/app" && PATH=$bare && exec node "example$1.js")
}

# only_node: PATH has node and npm, and no compiler
only_node() {
    local command
    mkdir "$tmp/bin"
    for command in node npm; do ln -s "$(readlink -f "$(command -v $command)")" "$tmp/bin/$command"; done
    bare=$tmp/bin
    for command in cc gcc g++ clang make python3 sh; do
        ! PATH=$bare command -v $command >/dev/null || fail "$command is in PATH"
    done
}

package() {
    local tarball
    export HOME=$tmp npm_config_cache=$tmp/cache npm_config_update_notifier=false
    (cd "$copy" && npm pack --silent --pack-destination "$tmp") >"$tmp/tarball"
    tarball=$tmp/$(cat "$tmp/tarball")
    only_node
    mkdir "$tmp/app"
    (cd "$tmp/app" && PATH=$bare && npm install --offline --no-audit --no-fund --silent --prefix . "$tarball")
    [ -e "$tmp/app/node_modules/shmstream/index.d.ts" ] || fail "no types in the package"
    [ ! -e "$tmp/app/node_modules/shmstream/test" ] || fail "tests in the package"

    for visit in 1 2 3; do
        [ "$(example 1)" = "visit $visit" ] || fail "the counter does not say: visit $visit"
    done
    (cd "$tmp/app" && node -e "require('shmstream').unlink('test-node-visits-$$')")
    example 2 >"$tmp/jobs" &
    beside=$!
    (cd "$tmp/app" && node -e "
        const look = () => require('shmstream').list().some((r) => r.name.endsWith('test-node-jobs-$$')) || setImmediate(look);
        look();")
    example 3
    wait $beside || fail "the receiver"
    beside=
    [ "$(paste -sd, "$tmp/jobs")" = 'job 1,job 2,job 3' ] || fail "the receiver says: $(cat "$tmp/jobs")"
    [ "$(example 4)" = 'job 1: done, job 2: done' ] || fail "the worker"
    [ "$(example 5)" = 'blue, 2 records' ] || fail "the dict"
    if [ -n "$JAR_LIBRARY" ]; then
        [ "$(example 6)" = 'sid=31d4' ] || fail "the jar"
        (cd "$tmp/app" && node -e "require('shmstream').unlink('test-node-cookies-$$')")
    fi
    # Where there is no libpsl the other addon is loaded.
    rm -f "$tmp"/app/node_modules/shmstream/prebuilds/*/jar.*
    (cd "$tmp/app" && node -e "
        const { Jar, list } = require('shmstream');
        list();
        require('assert').throws(() => new Jar('test-node-none-$$'), { code: 'ERR_SHMS_UNSUPPORTED' });")
    echo "${tarball##*/} runs"
}

types() {
    command -v tsc >/dev/null || { echo "SKIP: no tsc (ci/setup node)"; exit 77; }
    mkdir -p "$tmp/node_modules"
    ln -s "$copy" "$tmp/node_modules/shmstream"
    mkdir "$tmp/node_modules/@types"
    ln -s /usr/share/nodejs/@types/tough-cookie "$tmp/node_modules/@types/tough-cookie"
    cp "$copy/test/types/sample.ts" "$tmp"
    (cd "$tmp" && tsc --noEmit --strict --target es2022 --module commonjs --preserveSymlinks --typeRoots "$copy/test/types" --types node sample.ts)
}

bench() { NODE_PATH=$work node "$SRC/test/node/bench.js" "${SECONDS_EACH:-0.02}"; }

address() {
    local library
    library=$("${CC:-cc}" -print-file-name=libasan.so)
    [ -e "$library" ] || { echo "SKIP: no libasan.so"; exit 77; }
    fresh "$work/address"
    sh "$work/address/build.sh" "$BUILD/libshmstream.a" "$SRC/include" -g -fsanitize=address
    # Node itself frees little at its end.
    export ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 LD_PRELOAD=$library
    for test in stream bad life channel dict jar; do
        run_test "$work/address" $test
    done
}

case $1 in
build | package | types | bench | address) "$1" ;;
*) run_test "$copy" "$1" ;;
esac
