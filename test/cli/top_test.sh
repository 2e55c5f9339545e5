#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shms top without a terminal: lines and JSON, rates, order, what is refused, output that cannot be written.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript
once() { "$SHMS" top --once --interval 100ms "$@" </dev/null; }
# A line a region, without what differs from run to run.
plain() { sed -E 's/ +/ /g; s/^ //; s/ [0-9]+[smh] / AGE /; s/ [0-9.]+ (KiB|MiB) / MEMORY /; s/memory [0-9.]+ .iB/memory SUM/'; }

"$SHMS" create --size 4K "$id-a"
"$SHMS" create --size 2M "$id-b"
"$SHMS" create --size 4K "$id-held"
"$SHMS" create --size 4K "$id-died"
"$SHMS" lock "$id-held" -- cat "$work/never" &
ends_with_test $!
until_true field_is "$id-held" lock held
holder=$(field "$id-held" holder_pid)
"$SHMS" read --timeout forever "$id-held" >/dev/null &
ends_with_test $!
until_true field_is "$id-held" waiters 1
# shellcheck disable=SC2016 # the shell is to expand it
"$SHMS" lock "$id-died" -- sh -c 'kill -KILL $PPID'

echo '# lines'
once "$id*" | plain | sed "s/ $holder / PID /"
once --sort name "$id-a" "$id-b" | plain
once "$id-none" | plain
for order in users waiters memory age name; do
    echo "$order: $(once --sort $order "$id*" | sed -n 2p | sed 's/.* //')"
done
echo '# names'
try create --size 1 "$id-"$'\033[31mred\t'
once "$id-?\[*" "$id-?*red*" | plain
once --json "$id-?*red*" | grep -o '"name": "[^"]*"'
"$SHMS" rm "$id-*red*"

echo '# JSON'
once --json "$id-none"
once --json --sort name "$id-a" "$id-b" | sed -E 's/"(created|memory|uid)": "?[^,"]*"?/"\1": X/g'
once --json "$id*" | python3 -c 'import json, sys; print(sorted({type(r["rate"]).__name__ for r in json.load(sys.stdin)}))'

echo '# rates'
rate() { once --json "$1" | sed -nE 's/.*"rate": ([0-9.]+|null).*/\1/p'; }
has_rate() { rate "$1" | grep -q '[1-9]'; }
touch "$work/go"
(while [ -e "$work/go" ]; do echo x | "$SHMS" write "$id-a"; done) &
ends_with_test $!
until_true has_rate "$id-a"
first_is_a() { once "$id*" | sed -n 2p | grep -q " $id-a\$"; }
until_true first_is_a
rm "$work/go"
mkfifo "$work/messages"
"$SHMS" send --size 64K "$id-channel" <"$work/messages" &
ends_with_test $!
exec 4>"$work/messages"
until_true field_is "$id-channel" state live
(while echo x; do :; done >&4) 2>/dev/null &
ends_with_test $!
"$SHMS" recv "$id-channel" >/dev/null &
ends_with_test $!
until_true has_rate "$id-channel"
exec 4>&-
# A region that is made anew begins anew.
"$SHMS" top --json --interval 100ms "$id-b" </dev/null >"$work/anew" &
ends_with_test $!
until_true grep -q '"rate": 0.0' "$work/anew"
grep -q '"rate": null' "$work/anew" && fail "the first line has no rate"
"$SHMS" rm "$id-b"
"$SHMS" create --size 4K "$id-b"
until_true grep -q '"rate": null' "$work/anew"
[ "$("$SHMS" top --json --count 2 --interval 100ms "$id-b" </dev/null | grep -c '"rate": 0.0')" = 2 ] || fail "--count 2"

echo '# again and again, until it is ended'
"$SHMS" top --interval 100ms "$id-b" </dev/null >"$work/lines" &
pid=$!
ends_with_test $pid
has_three() { [ "$(grep -c "$id-b" "$work/lines")" -ge 3 ]; }
until_true has_three
kill -TERM $pid
wait $pid 2>/dev/null
echo "=> $?"

echo '# refused'
for words in '--interval 10ms' '--interval forever' '--interval 2h' '--sort size' '--count 0' '--once=1' '--nothing'; do
    # shellcheck disable=SC2086
    try top --once $words
done

echo '# output that cannot be written, or that nobody reads'
for words in --once '--once --json' '--count 2'; do
    # shellcheck disable=SC2086
    "$SHMS" top --interval 100ms $words "$id-b" </dev/null >/dev/full 2>"$work/errors" && fail "$words: no failure"
    # shellcheck disable=SC2086
    "$SHMS" top --interval 100ms $words "$id-b" </dev/null >&- 2>>"$work/errors" && fail "$words, closed: no failure"
    cat "$work/errors"
done
(
    "$SHMS" top --interval 100ms "$id-b" </dev/null 2>"$work/errors"
    echo "$?" >"$work/status"
) | head -n 1 >/dev/null
{ grep -qxE '1|141' "$work/status" && [ ! -s "$work/errors" ]; } || fail "a reader that went away: $(cat "$work/status" "$work/errors")"
finish
