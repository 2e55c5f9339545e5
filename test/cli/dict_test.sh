#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Dicts: get, set, del, add, keys, changes, the lock of a key, what info says, bad input.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

# A value of `get --json`: of NAME KEY FIELD
of() {
    "$SHMS" get --json "$1" "$2" | sed -nE 's/.*"'"$3"'": "?([^,"}]*).*/\1/p'
}
version_of() {
    of "$1" "$2" version
}
# A follower in the background, its lines in a file.
follower() {
    "$SHMS" changes --follow --since "$(field "${*: -1}" version)" "$@" >"$work/told" 2>"$work/errors" &
    follower=$!
    ends_with_test $follower
    until_true field_is "${*: -1}" members 1
}
# What it told, without the numbers, and how it ended.
told() {
    local status=0
    wait $follower || status=$?
    sed -E 's/^[0-9]+/N/' "$work/told"
    echo "=> $status"
}
# A command whose version differs from run to run.
quietly() {
    local status=0
    "$SHMS" "$@" 2>/dev/null || status=$?
    echo "=> $status"
}
is_absent() {
    ! "$SHMS" get "$1" "$2" >"$work/.value" 2>/dev/null
}
killed() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null
}

echo '# set, get, del'
try dict create --size 64K "$id"
try set "$id" colour blue
try get "$id" colour
echo
try set "$id" colour green
try get --json "$id" colour
try get "$id" shape
try del "$id" colour
try del "$id" colour
try get "$id" colour
try set "$id" 'a key' ''
try get "$id" 'a key'
try set "$id" minus -- -1
try get "$id" minus
echo
try del "$id" minus

try set "$id" minus ''
try set "$id" 'a key' </dev/null
try del "$id" 'a key' none minus
try del "$id" 'a key' ''
try del --if-version 1 "$id" 'a key' minus
if command -v script >/dev/null; then
    # shellcheck disable=SC2016 # the shell of the terminal is to expand it
    (printf 'typed\n\004' | script -qec '"$SHMS" set "$id" typed' /dev/null) | grep -o 'shms: set: .*[a-z]'
    try get "$id" typed
    try del "$id" typed
else
    echo "not checked, no script(1): a value from the terminal" >&2
    sed -n '/^shms: set: this reads/,/^# values/p' "${0%.sh}.expected" | sed '$d'
fi

echo '# values are bytes, from standard input'
head -c 5000 /dev/urandom >"$work/bytes"
"$SHMS" set "$id" bytes <"$work/bytes"
"$SHMS" get "$id" bytes | cmp - "$work/bytes" && echo equal
[ "$(of "$id" bytes value_hex)" = "$(od -An -v -tx1 "$work/bytes" | tr -d ' \n')" ] && echo equal
printf 'a\0b\n' | "$SHMS" set "$id" zero
"$SHMS" get "$id" zero | od -An -c
try get --json "$id" zero
head -c 10000 /dev/zero | try set "$id" bytes
"$SHMS" get "$id" bytes | cmp - "$work/bytes" && echo equal

echo '# only if'
try set --if-version absent "$id" lease mine
try set --if-version absent "$id" lease yours
version=$(version_of "$id" lease)
"$SHMS" set --if-version "$version" "$id" lease again || fail "set --if-version $version"
quietly set --if-version "$version" "$id" lease late
quietly del --if-version "$version" "$id" lease
try get "$id" lease
echo
"$SHMS" del --if-version "$(version_of "$id" lease)" "$id" lease || fail "del --if-version"
quietly set --if-version "$version" "$id" lease late

echo '# counters'
try add "$id" visits
try add "$id" visits 41
try add "$id" visits -- -2
try add --start 100 "$id" other 1
try get --number "$id" visits
try add "$id" bytes
try get --number "$id" bytes
try add "$id" visits 9223372036854775807
try add "$id" visits 1.5
try add "$id" visits ' 1'
try add "$id" visits -2

echo '# expiry'
try set --ttl 1ms "$id" short x
until_true is_absent "$id" short
quietly del "$id" short # else some later change would reclaim its memory, and be told
try set --ttl 1h "$id" long x
try get --json "$id" long | sed -E 's/"version": [0-9]+/"version": N/'
try set --ttl forever "$id" long x
try get --json "$id" long | sed -E 's/"version": [0-9]+/"version": N/'
try set --ttl 0 "$id" long x
try set --ttl 9999999d "$id" long x

echo '# keys'
"$SHMS" set "$id" $'line\nend \e[31m' ''
"$SHMS" set "$id" $'bad \xff' ''
try keys "$id" | LC_ALL=C sort
try keys --prefix l "$id" | LC_ALL=C sort
try keys --prefix none --json "$id"
try keys --prefix bad --json "$id" | sed -E 's/"version": [0-9]+/"version": N/'
try keys --prefix line --json "$id" | sed -E 's/"version": [0-9]+/"version": N/'

echo '# changes: of a new dict, from the beginning'
try dict create --size 16K --ring 16 --evict lru --cell 64 "$id-c"
"$SHMS" set "$id-c" one 1
"$SHMS" set "$id-c" two 2
"$SHMS" set "$id-c" one 11
"$SHMS" del "$id-c" two
try changes "$id-c"
try changes --since 3 --json "$id-c"
try changes --since 4 "$id-c"
"$SHMS" set --ttl 1ms "$id-c" short 3
until_true is_absent "$id-c" short
try del "$id-c" short
try changes --since 5 "$id-c"
for i in $(seq 30); do "$SHMS" set "$id-c" "many $i" ''; done
try changes --since 5 "$id-c"
try changes --since 5 --json "$id-c"
"$SHMS" changes "$id-c" | wc -l
for i in $(seq 5); do head -c 2000 /dev/zero | "$SHMS" set "$id-c" "large $i"; done
head -c 2000 /dev/zero | "$SHMS" set "$id-c" "large 6"
"$SHMS" changes "$id-c" | grep -c evicted >"$work/evicted"
[ "$(cat "$work/evicted")" -gt 0 ] && echo evicted

echo '# changes, followed: by what is set, deleted, and by who is killed'
follower "$id"
"$SHMS" set "$id" followed 1
until_true grep -q 'set followed' "$work/told" # else the change after it is told alone
"$SHMS" del "$id" followed
until_true grep -q 'deleted followed' "$work/told"
"$SHMS" set --ttl 1ms "$id" short x
until_true grep -q 'set short' "$work/told"
until_true is_absent "$id" short
quietly del "$id" short
until_true grep -q 'expired short' "$work/told"
mkfifo "$work/value"
"$SHMS" set "$id" never <"$work/value" &
writer=$!
ends_with_test $writer
exec 9>"$work/value"
until_true field_is "$id" members 2
killed $writer
exec 9>&-
"$SHMS" set "$id" last 1
until_true grep -q 'set last' "$work/told"
kill -TERM $follower
told
until_true field_is "$id" members 0
try changes --follow --timeout 10ms "$id"
follower --count 2 "$id"
for i in 1 2 3; do "$SHMS" set "$id" "followed $i" ''; done
told

echo '# the lock of a key'
# shellcheck disable=SC2016 # the command is to expand it
tell='echo died=$SHMS_OWNER_DIED'
mkfifo "$work/go"
# shellcheck disable=SC2016 # as above
"$SHMS" lock --key job "$id" -- sh -c 'echo locked >"$work/locked"; read -r line <"$work/go"' &
holder=$!
ends_with_test $holder
until_true test -s "$work/locked"
try lock --key job --timeout 10ms "$id" -- true
try lock --key other --timeout 10ms "$id" -- echo at once
field "$id" locks
killed $holder
try lock --key job "$id" -- sh -c "$tell"
echo x >"$work/go"
try lock --key job "$id" -- sh -c "$tell; exit 7"
try lock --key job --shared "$id" -- true
try lock --key job "$id" -- "$work/nothing"
try lock --size 16K --key job "$id-new" -- echo made
try info "$id-new"

echo '# what it says of itself'
try dict create --size 16K --max-size 1M --key-max 32 --value-max 1K --evict lru --ring 64 --cell 128 "$id-i"
"$SHMS" set "$id-i" key value
"$SHMS" info "$id-i" | grep -E '^(kind|records|cells|evict|key locks|changes|limits)'
"$SHMS" info --json "$id-i" | grep -o '"kind": "dict", "dict".*'
"$SHMS" ls | grep "$id-i" | grep -o 'kept *dict'

echo '# bad input'
try dict
try dict make "$id-b"
try dict create
try dict create "$id-b"
try dict create --size 1K "$id-b"
try dict create --size 16K --value-max 8K "$id-b"
try dict create --size 16K --max-size 1 "$id-b"
try dict create --size 16K --cell 100 "$id-b"
try dict create --size 16K --ring 1000 "$id-b"
try dict create --size 16K --ring 64K "$id-b"
try dict create --size 16K --evict some "$id-b"
try dict create --size 16K --key-max 1025 "$id-b"
try dict create --size 16K 'bad\name'
try dict create --size 16K "$id"
try dict create --size 16K --existing "$id"
try dict create --size 16K --existing --cell 512 "$id"
try get
try get "$id"
try get "$id" ''
try get "$id-none" key
try set "$id-none" key value
try keys "$id-none"
try get "$id" key extra
try dict create --size 16K --key-max 4 --value-max 8 "$id-b"
try get "$id-b" 12345
try set "$id-b" 1234 123456789
printf 123456789 | try set "$id-b" 1234
try set --if-version 0 "$id" key value
try del --if-version absent "$id" key
try changes --since -1 "$id"
try create --size 4096 "$id-s"
try get "$id-s" key
try changes "$id-s"
try recv "$id"
try wait --timeout 0 "$id"
try watch --count 1 "$id"
try dict create --size 16K --existing "$id-s"
finish
