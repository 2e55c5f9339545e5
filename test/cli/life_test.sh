#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # inner shells expand
# ctest: serial
# create, ls, info, rm, sweep. Serial: sweep reclaims what other tests left lying for a moment.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

listed() {
    "$SHMS" ls | grep -F "$id" | sed -E 's/ +[0-9]+[smhd] / AGE /'
}

try create --size 4K "$id-b"
try create -s 1MiB --max-size 16M --mode 0640 --sparse "Global\\$id-a"
try create --size 100 "$id-ü \"quoted\" / %"
try create --existing --size 4096 "$id-b"
try create --size 4K "Local\\$id-b"
listed
try info "$id-b" | sed -E 's/^(memory +).*/\1SOME/; s/\([0-9]+s ago/(AGE ago/'
try info "Global\\$id-a" | sed -E 's/^(memory +).*/\1SOME/; s/\([0-9]+s ago/(AGE ago/'
try info --json "Local\\$id-b" | sed -E 's/("memory": )[0-9]+/\1SOME/; s/("uid": )[0-9]+/\1UID/'

echo '# JSON'
parse() {
    if command -v python3 >/dev/null; then
        python3 -c 'import json, sys; v = json.load(sys.stdin); v = v if isinstance(v, list) else [v]
print("\n".join(r["name"] for r in v if "'"$id"'" in r["name"] and type(r["size"]) is int))'
    elif command -v jq >/dev/null; then
        jq -r "(arrays // [.])[] | select(.name | contains(\"$id\")) | select(.size | type == \"number\").name"
    else
        echo "not checked, no python3 and no jq: that the JSON parses" >&2
        return 1
    fi
}
printf '%s\n' "Global\\$id-a" "$id-b" "$id-ü \"quoted\" / %" >"$work/names"
if "$SHMS" ls --json | parse >"$work/parsed"; then
    diff "$work/names" "$work/parsed" || fail "ls --json lists other names"
    [ "$("$SHMS" info --json "Global\\$id-a" | parse)" = "Global\\$id-a" ] || fail "info --json"
fi

try rm "$id-b" "$id-none" "$id-ü \"quoted\" / %"
try rm "$id-b"
try info "$id-b"
listed

echo '# a region whose only member was killed'
"$SHMS" lock --size 4096 "$id-dead" -- sh -c 'echo $$ >"$work/child"; exec cat "$work/never"' &
holder=$!
ends_with_test $holder
until_true test -s "$work/child"
ends_with_test "$(cat "$work/child")"
listed | sed "s/ $holder / PID /; s/  *PID/ PID/"
kill -KILL "$holder" "$(cat "$work/child")"
wait $holder 2>/dev/null
listed
"$SHMS" sweep | grep -F "$id" | sed -E 's/\(.*\)/(SIZE)/'
listed
"$SHMS" sweep | grep -F "$id"
echo '# a section that died half-way in a region that is kept'
examples=${BUILD:-$(dirname "$SHMS")/..}/example
{ "$examples/transfer" "$id-atomic" die >"$work/transfer"; } 2>/dev/null
field "$id-atomic" atomic
field "$id-atomic" rollback
"$SHMS" info "$id-atomic" | grep -E '^(lock|options)'
"$SHMS" sweep | grep -F "$id" | sed "s/$id/ID/"
field "$id-atomic" rollback
try info "$id-atomic" | grep -E '^(lock|options)'
"$SHMS" read --no-lock "$id-atomic" | od -An -td4
try rm "$id-atomic"

echo '# several may read at once'
try create --size 16 --atomic "$id-many"
try lock --shared "$id-many" -- "$SHMS" lock --shared --timeout 0 "$id-many" -- echo both | sed "s|$SHMS|shms|"
try lock --shared "$id-many" -- "$SHMS" read --timeout 0 --text "$id-many" | sed "s|$SHMS|shms|"
try lock --shared "$id-many" -- "$SHMS" lock --timeout 0 "$id-many" -- echo never 2>&1 | sed "s|$SHMS|shms|"
try lock "$id-many" -- "$SHMS" lock --shared --timeout 0 "$id-many" -- echo never 2>&1 | sed "s|$SHMS|shms|"
try rm "$id-many"
finish
