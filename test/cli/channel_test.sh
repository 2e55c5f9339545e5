#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# send and recv: two terminals, framings, the end, deaths, bad input.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

# A receiver in the background, its output in a file.
receiver() {
    "$SHMS" recv "$@" >"$work/got" 2>"$work/errors" &
    receiver=$!
    ends_with_test $receiver
    until_true field_is "${*: -1}" receivers 1
}
# What it printed, and how it ended.
received() {
    local status=0
    wait $receiver || status=$?
    cat "$work/got"
    sed "s/^/! /; s/$id/ID/g" "$work/errors"
    echo "=> $status"
}

echo '# lines'
receiver "$id"
printf 'one\n\nthree\nno end of line' | try send "$id"
received

echo '# nobody is there to receive'
printf 'one\ntwo\n' | try send "$id"
echo '# on a terminal, a channel that was made is told of'
if command -v script >/dev/null; then
    for command in 'recv --timeout 0' 'recv --timeout 0 --size 4K' 'send </dev/null'; do
        script -qec "\"\$SHMS\" ${command/ / \"\$id\" }" /dev/null </dev/null | tr -d '\r'
    done
else
    echo "not checked, no script(1): what is told on a terminal" >&2
    sed -n '/^# on a terminal/,/^# raw/p' "${0%.sh}.expected" | sed '1d;$d'
fi

echo '# both make it at once, of different sizes'
for i in {1..20}; do
    echo "$i" | "$SHMS" send --wait-receiver "$id" &
    sender=$!
    ends_with_test $sender
    "$SHMS" recv --size 64K --timeout 20s "$id" >"$work/got"
    wait $sender || fail "send, beside recv"
    [ "$(cat "$work/got")" = "$i" ] || fail "recv $i: $(cat "$work/got")"
done

echo '# raw: byte for byte'
head -c 3000000 /dev/urandom >"$work/bytes"
receiver --raw "$id"
"$SHMS" send --raw --wait-receiver "$id" <"$work/bytes"
wait $receiver
cmp "$work/bytes" "$work/got" && echo equal

echo '# length: zero bytes and line ends'
receiver --length "$id"
printf '\3\0\0\0a\nb\0\0\0\0\1\0\0\0\0' | try send --length "$id"
wait $receiver
od -An -c "$work/got"
printf '\3\0\0\0a' | try send --length "$id"
printf '\377\377\0\0' | try send --length --size 4K "$id"

echo '# count and time-outs'
receiver --count 2 "$id"
printf '1\n2\n' | "$SHMS" send "$id"
received
try recv --timeout 10ms "$id"
echo x | try send --wait-receiver --timeout 10ms "$id"

echo '# a broadcast'
receiver --broadcast --slow drop "$id"
echo hello | try send --broadcast --slow drop "$id"
received

echo '# a sender that is killed'
receiver "$id"
mkfifo "$work/fifo"
"$SHMS" send "$id" <"$work/fifo" &
sender=$!
ends_with_test $sender
exec 9>"$work/fifo"
echo half >&9
until_true grep -q half "$work/got"
kill -KILL $sender
received
exec 9>&-

echo '# what cannot be printed is another'"'"'s to have'
"$SHMS" send "$id" <"$work/fifo" 2>"$work/errors" >"$work/got" &
receiver=$! # of words about a sender, here
ends_with_test $receiver
exec 9>"$work/fifo"
printf 'one\ntwo\n' >&9
"$SHMS" recv --count 1 "$id" 2>&1 >/dev/full | sed "s/$id/ID/"
echo "=> ${PIPESTATUS[0]}"
try recv --count 2 "$id" | LC_ALL=C sort
echo '# what is left behind is told of'
exec 9>&-
received
receiver --count 1 "$id"
kill -STOP $receiver
printf 'one\ntwo\nthree\n' | try send "$id"
kill -CONT $receiver
received

echo '# what it says of itself'
receiver "$id"
"$SHMS" info "$id" | grep -E '^(kind|channel|ring|senders|receivers|messages)'
"$SHMS" info --json "$id" | grep -o '"kind": "channel"\|"channel": .*"senders_died": 0'
"$SHMS" ls | grep "$id" | grep -o 'live *channel'
: | try send "$id"
received

echo '# bad input'
try send
try recv --count 0 "$id"
try send --slow never "$id"
try send --slow drop "$id"
try recv --slow expel "$id"
try send "$id" <&-
echo x | try send --size 1K "$id"
try create --size 4096 "$id"
echo x | try send "$id"
try recv "$id"
try rm "$id"
receiver --size 4K "$id"
yes | tr -d '\n' | head -c 5000 | try send "$id"
received
finish
