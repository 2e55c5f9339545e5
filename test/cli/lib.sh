# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of the command line share.
#
# A test is a transcript: `try` notes a command, what it printed (standard error after "! ") and its status
# ("=> 1", unless 0), and at the end the transcript must be the file NAME_test.expected beside the test. To
# record those files anew:  SHMS_RECORD=1 SHMS=path/to/shms bash test/cli/NAME_test.sh
#
# Regions begin with $id, which is unique; `cleanup` ends what was started and removes what was made.

set -u
: "${SHMS:?the path of the shms program}"
[ -x "$SHMS" ] || { echo "FAILED: no program $SHMS" >&2; exit 1; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SRC=${SRC:-$here/../..}
id=cli-$$-t
work=$(mktemp -d)
mkfifo "$work/never" # nobody writes into it: its reader goes on until it is killed, or the test ends
export SHMS id work
started=()

cleanup() {
    local pid
    for pid in "${started[@]}"; do
        kill -KILL "$pid" 2>/dev/null
    done
    exec 5<>"$work/never" # what still reads there, or is about to, comes to its end with this process
    wait 2>/dev/null
    "$SHMS" ls --json | sed -nE 's/^ \{"name": "(.*'"$id"'.*)", "state": .*/\1/p' | sed -E 's/\\(["\])/\1/g' |
        while IFS= read -r name; do "$SHMS" rm "$name" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# Names the process to be ended with the test.
ends_with_test() {
    started+=("$1")
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Waits until the command succeeds; a minute is for machines that are very busy.
until_true() {
    local i
    for ((i = 0; i < 3000; i++)); do
        "$@" 2>/dev/null && return
        sleep 0.02
    done
    fail "waited in vain for: $*"
}

# A value of `info --json`: field NAME KEY
field() {
    "$SHMS" info --json "$1" 2>/dev/null | sed -nE 's/.*"'"$2"'": "?([^,"}]*).*/\1/p'
}

field_is() {
    [ "$(field "$1" "$2")" = "$3" ]
}

try() {
    local status=0
    echo "\$ shms $*"
    "$SHMS" "$@" >"$work/.out" 2>"$work/.err" || status=$?
    cat "$work/.out"
    sed 's/^/! /' "$work/.err"
    [ $status = 0 ] || echo "=> $status"
}

# From here on the output is the transcript.
transcript() {
    exec 3>&1 >"$work/.transcript"
}

# The transcript with what differs from run to run made equal, against what is expected.
finish() {
    local expected
    expected=$here/$(basename "$0" .sh).expected
    exec >&3
    sed -E -e "s|$work|DIR|g" -e "s/$id/ID/g" -e 's/process [0-9]+/process PID/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' -e "s/user $(id -u)\b/user UID/g" \
        "$work/.transcript" >"$work/.actual"
    if [ -n "${SHMS_RECORD:-}" ]; then
        cp "$work/.actual" "$expected"
        echo "recorded: $expected"
    else
        diff -u "$expected" "$work/.actual" || fail "the output above is not as expected"
    fi
}
