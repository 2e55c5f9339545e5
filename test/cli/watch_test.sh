#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC1003,SC2016 # a backslash is meant; inner shells expand
# watch and wait; two terminals that share a region.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

echo '# two terminals'
try create --size 4K "Global\\$id"
"$SHMS" watch --text --since 0 --count 3 "Global\\$id" >"$work/seen" &
watcher=$!
ends_with_test $watcher
lines_are() {
    [ "$(wc -l <"$work/seen")" = "$1" ]
}
lines=0
for text in hello wörld '"quoted" \'; do
    echo "$text" | try write --text "Global\\$id"
    # Each change has its line before the next one is made.
    until_true lines_are $((++lines))
done
wait $watcher
cat "$work/seen"
try read --text "Global\\$id"
try watch --since 0 --count 1 "Global\\$id"
try rm "Global\\$id"

echo '# wait'
try create --size 10 "$id"
try wait --timeout 10ms "$id"
try wait --since 0 --timeout 0 "$id"
try watch --timeout 10ms "$id"
printf x | try write "$id"
try wait --since 0 "$id"
"$SHMS" wait --since 2 "$id" >"$work/version" &
waiter=$!
ends_with_test $waiter
until_true field_is "$id" members 1
printf y | try write --no-lock "$id"
wait $waiter
cat "$work/version"

echo '# a version of before the region was made anew'
try watch --since 999 --count 1 "$id"
try watch --since 999 --count 1 --json "$id"
try watch --since 999 --count 1 --exec 'echo "$SHMS_CHANGES changes"' "$id"

echo '# who looks makes no change'
version=$(field "$id" version)
try read "$id" | tr '\0' 0
echo
try cat "$id" | tr '\0' 0
echo
try copy "$id" --to "$work/file"
field_is "$id" version "$version" || fail "a look was a change"

echo '# the last watcher that is interrupted takes the region with it'
"$SHMS" lock --size 10 "$id-brief" -- sh -c 'echo $$ >"$work/ready"; exec cat "$work/never"' &
holder=$!
ends_with_test $holder
until_true test -s "$work/ready"
ends_with_test "$(cat "$work/ready")"
"$SHMS" watch --since 0 "$id-brief" >/dev/null &
watcher=$!
ends_with_test $watcher
until_true field_is "$id-brief" members 2
kill -TERM $holder
wait $holder 2>/dev/null
field_is "$id-brief" members 1 || fail "the region does not live by its watcher"
kill -TERM $watcher
wait $watcher 2>/dev/null
echo "=> $?"
"$SHMS" ls | grep -F "$id-brief"

echo '# a reader of the lines that goes away'
(trap '' PIPE; "$SHMS" watch --since 0 "$id" 2>"$work/errors"; echo $? >"$work/status") | head -n 0 &
ended_after_change() {
    printf x | "$SHMS" write "$id"
    test -s "$work/status"
}
until_true ended_after_change
cat "$work/errors" "$work/status"
finish
