#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh all | quarter | NAME...
# Plants each bug of this directory into a copy of the project and asks the tests that should notice. A bug is
# caught when one of them fails by an assertion or at its time limit; a patch that does not apply, does not
# compile, or that nothing catches is a failure.
# A patch begins with a line that says what breaks and what a user would suffer, and a line with the tests
# that should notice, the first one to be asked first. A line "# hangs" says that they can only do so by
# waiting in vain: then they are not waited for as long as usual. The context is one line (diff -U1), so that
# a patch survives changes nearby.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source_dir=${SRC:-$(cd "$here/../.." && pwd)}
jobs=${JOBS:-2}
work=$(mktemp -d "${TMPDIR:-/tmp}/shms-mutants-XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/tree build=$work/build log=$work/log
export TMPDIR=$work/tmp GIT_CEILING_DIRECTORIES=$work
mkdir "$tree" "$build" "$TMPDIR"
# One scene of the crash tests: where a shared byte has changed, and a sample.
export SHMS_CRASH_STRIDE=64 SHMS_CRASH_LONG_STRIDE=97 SHMS_CRASH_KILL_STRIDE=9973 SHMS_CRASH_TRIP_STRIDE=8

# ---- which

mapfile -t all < <(cd "$here" && printf '%s\n' *.patch | sed 's/\.patch$//' | LC_ALL=C sort)
chosen=()
case ${1:-all} in
all) chosen=("${all[@]}") ;;
quarter) for ((i = 2; i < ${#all[@]}; i += 4)); do chosen+=("${all[i]}"); done ;;
*) chosen=("$@") ;;
esac

# Seconds: for a test that ends by itself, and for one that will not. A busy machine needs more.
patience=${PATIENCE:-300} little_patience=${LITTLE_PATIENCE:-10}

# catchers MUTANT: the tests that should notice, best first.
catchers() { sed -n 's/^# caught-by: //p' "$here/$1.patch" | head -n 1; }
# target_of unit.lock_test: its target in CMake. crash.atomic_load is one scene of a program that has many.
target_of() {
    case $1 in
    crash.*) echo crash_O2 ;;
    *) printf '%s\n' "${1/./_}" ;;
    esac
}
# program_of unit.lock_test: its program, and a line for its argument
program_of() {
    case $1 in
    crash.*) printf '%s/test/crash/crash_O2\n%s\n' "$build" "$(tr _ ' ' <<<"${1#*.}")" ;;
    *) printf '%s/test/%s/%s\n' "$build" "${1%%.*}" "${1#*.}" ;;
    esac
}

tests=()
for mutant in "${chosen[@]}"; do
    [ -f "$here/$mutant.patch" ] || { echo "no such mutant: $mutant" >&2; exit 2; }
    read -ra its_tests <<<"$(catchers "$mutant")"
    [ ${#its_tests[@]} -gt 0 ] || { echo "$mutant: its patch names no test that catches it" >&2; exit 2; }
    tests+=("${its_tests[@]}")
done
mapfile -t tests < <(printf '%s\n' "${tests[@]}" | LC_ALL=C sort -u)

# ---- building and running

# A test of a broken library may leave regions and processes behind: it gets a /dev/shm and process ids of its
# own, which end with it. Where that is not allowed, its names are swept afterwards: they hold its process id.
apart=(unshare --mount --pid --fork --kill-child --mount-proc)
in_private='mount -t tmpfs -o mode=1777 tmpfs /dev/shm && "$@"; exit $?'
"${apart[@]}" sh -c "$in_private" sh true 2>/dev/null || apart=()

# run_test TEST LIMIT: what it says goes to the log, its status is given back; 137: time-out. (The shell
# tells of each process that was killed: that is for nobody.)
run_test() {
    local status=0 pid
    local -a program
    mapfile -t program < <(program_of "$1")
    if [ ${#apart[@]} -gt 0 ]; then
        timeout -s KILL "$2" "${apart[@]}" sh -c "$in_private" sh "${program[@]}" >"$log" 2>&1 \
            </dev/null || status=$?
        return $status
    fi
    # shellcheck disable=SC2016
    timeout -s KILL "$2" sh -c 'echo $$ >"$1" && shift && exec "$@"' sh "$work/pid" "${program[@]}" >"$log" 2>&1 \
        </dev/null || status=$?
    pid=$(<"$work/pid")
    rm -f /dev/shm/shms-"$(id -u)"/{unit,process-test,crash}-"$pid"* /dev/shm/shms.{unit,process-test}-"$pid"-*
    return $status
}

cp -R "$source_dir"/{CMakeLists.txt,ci,cmake,include,src,example,demo,bench,test} "$tree"
cmake -S "$tree" -B "$build" -DCMAKE_BUILD_TYPE=Debug -DSHMS_WERROR=OFF -DSHMS_TOOL=OFF -DSHMS_INSTALL=OFF \
    >"$log" 2>&1 || { cat "$log"; exit 1; }
targets=()
for name in "${tests[@]}"; do targets+=("$(target_of "$name")"); done
cmake --build "$build" -j"$jobs" --target "${targets[@]}" >"$log" 2>&1 || { cat "$log"; exit 1; }

# The control: nothing is broken yet, so all must pass.
for name in "${tests[@]}"; do
    run_test "$name" "$patience" 2>/dev/null && continue
    cat "$log"
    echo "$name fails although nothing is broken"
    exit 1
done
echo "nothing broken: ${#tests[@]} test programs pass"

# ---- the bugs

# how STATUS: in what way the last test failed.
how() {
    local failed
    failed=$(sed -n 's/^\[ *\(FAILED\|ERROR\) *\] \([a-z_0-9]*\)$/\2/p; s/^BROKEN \[\([a-z]*\)\].*/the invariant "\1"/p' \
        "$log" | head -n 1)
    case $1 in
    137) echo "time-out" ;;
    *) echo "${failed:-status $1}" ;;
    esac
}

declare -A count
missed=()
# give_up MUTANT WHAT
give_up() {
    echo "$1: $2"
    missed+=("$1")
}

# try MUTANT: with its patch applied.
try() {
    local name status limit=$patience
    local -a its_tests targets=()
    ! grep -qx '# hangs' "$here/$1.patch" || limit=$little_patience
    read -ra its_tests <<<"$(catchers "$1")"
    for name in "${its_tests[@]}"; do targets+=("$(target_of "$name")"); done
    if ! cmake --build "$build" -j"$jobs" --target "${targets[@]}" >"$log" 2>&1; then
        grep -m 3 'error' "$log" || true
        give_up "$1" "DOES NOT COMPILE"
        return
    fi
    for name in "${its_tests[@]}"; do
        status=0
        run_test "$name" "$limit" 2>/dev/null || status=$?
        case $status in
        0 | 77) continue ;;
        esac
        echo "$1: caught by $name ($(how $status))"
        count[$name]=$((${count[$name]:-0} + 1))
        return
    done
    give_up "$1" "NOT CAUGHT by ${its_tests[*]}"
}

for mutant in "${chosen[@]}"; do
    if git -C "$tree" apply "$here/$mutant.patch" 2>"$log"; then
        try "$mutant"
        git -C "$tree" apply -R "$here/$mutant.patch"
    else
        cat "$log"
        give_up "$mutant" "PATCH DOES NOT APPLY"
    fi
done

echo
for name in "${tests[@]}"; do
    [ -z "${count[$name]:-}" ] || printf '%4d by %s\n' "${count[$name]}" "$name"
done
echo "${#chosen[@]} mutants of ${#all[@]}, $((${#chosen[@]} - ${#missed[@]})) caught, $SECONDS s"
[ ${#missed[@]} = 0 ]
