#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cli_test.sh: shms.exe under wine. ci/test-windows sets WIN64 (where it is) and WINE (how to start a program).
set -euo pipefail

# shellcheck disable=SC2153 # it is set by who calls
read -r -a wine <<<"$WINE"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
status=0
name=test-cli-$$

shms() { "${wine[@]}" "$WIN64/shms.exe" "$@"; }
# expect TEXT COMMAND...: what it prints, standard error too, must match the pattern; line ends are Windows' own.
expect() {
    local pattern=$1 got
    shift
    got=$({ "$@" 2>&1 || echo "=> $?"; } | tr -d '\r\0')
    # shellcheck disable=SC2053 # it is a pattern
    [[ $got == $pattern ]] && return
    printf 'FAILED: %s\n  expected %s\n  got      %s\n' "$*" "$pattern" "$got"
    status=1
}

expect 'shms 0.*' shms --version
expect '*while holding the lock*' shms --help
expect "shms: info: $name: nothing of that name*=> 1" shms info "$name"
expect '*lasts while somebody has it open*=> 1' shms create --size 10 "$name"
expect '*backslash*=> 1' shms info 'a\b'

# A region lives while a command holds its lock.
inner="$WIN64/shms.exe"
expect '*members   1*held by process*' shms lock --size 100 "$name" -- "$inner" info "$name"
expect "*100 B*live    stream  $name*" shms lock --size 100 "$name" -- "$inner" ls
expect '*"name": "中文 '"$name"'"*"size": 100*"lock": "held"*' \
    shms lock --size 100 "中文 $name" -- "$inner" info --json "中文 $name"
expect '*not got within 0 s: process*=> 124' shms lock --size 100 "$name" -- "$inner" lock --timeout 0 "$name" -- x
expect '=> 3' shms lock --size 100 "$name" -- cmd /c exit 3
expect '*=> 127' shms lock --size 100 "$name" -- no-such-command
expect '*--hold: not on this system*=> 125' shms lock --size 100 --hold 1 "$name"
expect '*: --strange: a "b*" c: unknown command*' shms lock --size 100 "$name" -- "$inner" '--strange: a "b\" c'

# A dict lives while a command holds the lock of a key of it.
dict=(shms lock --size 64K --key job "$name-d" -- "$inner")
expect '42' "${dict[@]}" add --start 40 "$name-d" visits 2
expect '*no record has the key*=> 1' "${dict[@]}" get "$name-d" 'ключ'
expect '*kind      dict*records   0*key locks 1*' "${dict[@]}" info "$name-d"
expect '*not got within 0 s*=> 124' "${dict[@]}" lock --key job --timeout 0 "$name-d" -- x
expect '*lasts while somebody has it open*=> 1' shms dict create --size 64K "$name-d"

# Bytes go in and come out as they are.
printf 'one\ntwo\r\n\x1a\x00end' >"$tmp/in"
"${wine[@]}" "$inner" lock --size 14 "$name" -- "$inner" wait --timeout 300s "$name" >"$tmp/holder" 2>&1 &
holder=$!
for ((i = 0; i < 600; i++)); do
    shms info "$name" >"$tmp/info" 2>&1 && break
    sleep 0.1
done
shms write --no-lock "$name" <"$tmp/in" || status=1
shms read --no-lock "$name" >"$tmp/out" || status=1
cmp "$tmp/in" "$tmp/out" || status=1
shms cat --no-lock "$name" "$name" >"$tmp/out" || status=1
cat "$tmp/in" "$tmp/in" | cmp - "$tmp/out" || status=1
expect '*nothing changed within*=> 124' shms wait --timeout 100ms "$name"
# Its holder is killed: whoever waits is told, and ends.
kill -9 "$holder"
wait "$holder" 2>/dev/null || true
expect '*half-written*one*' shms cat "$name"
for ((i = 0; i < 600; i++)); do
    shms info "$name" >"$tmp/info" 2>&1 || break
    sleep 0.1
done
expect '*nothing of that name*' shms info "$name"

[ $status = 0 ] && echo 'shms.exe does as it should'
exit $status
