#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# read, write, cat, copy: the bytes that went in come out, and nothing moves where something does not fit.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

try create --size 16 "$id"
try create --size 4 "$id-2"
printf 'hello' | try write --text "$id"
try read --text "$id"
echo
printf 'XY' | try write --offset 3 "$id"
try read --count 6 "$id" | tr '\0' 0
echo
try read --offset 3 --count 2 "$id"
echo
try read --offset 16 "$id"
printf 'abcd' | try write "$id-2"
try cat "$id-2" "$id-2"
echo
try cat "$id-2" "$id-none" "$id-2"
printf '0123456789abcdef' | try write "$id"
try read "$id"
echo

echo '# more than fits'
before=$(field "$id" version)
printf '0123456789abcdef0' | try write "$id"
printf '0123456789abcdef' | try write --text "$id"
printf '23' | try write --offset 15 "$id"
printf 'x' | try write --offset 16 "$id"
printf '' | try write --text --offset 16 "$id"
printf 'x' | try write --offset 17 "$id"
try cat "$id"
echo
field_is "$id" version "$before" || fail "a write that did not fit counted as a change"
printf '' | try write --offset 16 "$id"
printf 'Z' | try write --offset 15 "$id"
try cat "$id"
echo

echo '# files'
try copy "$id" --to "$work/file"
cmp "$work/file" <("$SHMS" cat "$id")
printf 'fedcba98' >"$work/small"
try copy "$id" --from "$work/small"
try cat "$id"
echo
printf '0123456789abcdef0' >"$work/large"
try copy "$id" --from "$work/large"
try copy "$id" --from "$work/none"
try copy "$id" --from "$work"
try copy "$id" --to "$work/none/file"
try copy "$id"
try copy "$id" --from "$work/small" --to "$work/large"
try copy "$id" --to ''
try cat "$id"
echo

long=$(printf 'x%.0s' {1..300})
try copy "$id" --to "$work/$long" | sed -E 's/x{300}/LONG/'
try copy "$id" --from "$work/$long" | sed -E 's/x{300}/LONG/'
echo '# a large one, and a reader that goes away'
try create --size 3M "$id-large"
head -c 3M /dev/urandom >"$work/random"
try write "$id-large" <"$work/random"
cmp "$work/random" <("$SHMS" cat "$id-large")
try copy "$id-large" --to "$work/copy"
cmp "$work/random" "$work/copy"
"$SHMS" cat "$id-large" 2>"$work/errors" | head -c 1 >"$work/first"
cmp -n 1 "$work/first" "$work/random"
(trap '' PIPE; "$SHMS" cat "$id-large" 2>>"$work/errors"; echo $? >"$work/status") | head -c 1 >"$work/first"
cat "$work/errors" "$work/status"
"$SHMS" cat "$id-large" >/dev/full 2>"$work/errors" || cat "$work/errors"

echo '# a pipe that is read slowly: its writer holds no lock, and ends when it is told to'
mkfifo "$work/pipe"
"$SHMS" copy "$id-large" --to "$work/pipe" &
cmp "$work/random" "$work/pipe"
wait $!
echo "=> $?"
"$SHMS" copy "$id-large" --to "$work/pipe" &
writer=$!
ends_with_test $writer
exec 4<"$work/pipe"
head -c 1 <&4 >"$work/first"
try lock --timeout 0 "$id-large" -- echo 'the lock is free'
kill -TERM $writer
wait $writer 2>/dev/null
echo "=> $?"
exec 4<&-
field_is "$id-large" members 0 || fail "a reader stayed"
finish
