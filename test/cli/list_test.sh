#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2034 # inner shells expand; `own` expands
# ls with columns, patterns and a total; rm with patterns and --all; which processes info shows.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

echo '# columns and patterns'
try create --size 4K "$id-web-1"
try create --size 64K --max-size 2M --mode 0640 "$id-web-2"
try create --size 16 "Global\\$id-web-3"
try create --size 16 "$id-w*"
try create --size 16 "$id-ü"
try dict create --size 64K "$id-dict"
try set "$id-dict" key value
try ls -q "$id-*"
try ls -q "$id-web-?" "Local\\$id-web-1" "Global\\$id*"
try ls -q -o size,max_size,mode,kind,name "$id-w?*"
try ls -q "$id-w*" # as info and rm: a region that is called so is meant
try ls -q "$id-w*" "$id-web-?"
try ls -q -o records,messages,name,members,holder,waiters "$id-dict" "$id-web-1"
try ls -o size,name,kind "$id-web-1" "$id-ü" | sed -E 's/ +/ /g'
"$SHMS" ls "$id-web-*" | sed -E "s/$id/ID/; s/ +[0-9]+[smhd] / AGE /; s/(memory|of|shm) [0-9.]+ .iB/\1 SOME/g"
total=$("$SHMS" ls "$id-web-*" | sed -nE 's/.*memory ([0-9]+) KiB.*/\1/p')
sum=$("$SHMS" ls -q -o memory "$id-web-*" | awk '{ n += $1 } END { print n / 1024 }')
[ "$total" = "$sum" ] || fail "the total is $total KiB, the sum $sum"
"$SHMS" ls --json "$id-web-1" | grep -c '"name"'
try ls "$id-none*" "$id-web-1" -q
try ls --json "$id-none"
try ls -q "$id-*ü" "$id**1" "?$id"

echo '# columns that are none'
try ls -o size,colour
try ls -o ''
try ls -o name,,size
try ls -q --json

echo '# info of several'
try info "$id-web-?" "$id-none" | grep -E '^\$|^!|^=|^name|^$'
"$SHMS" info --json "$id-web-*" "$id-dict" | grep -c '^{"name": .*}$'

echo '# who has it open'
try info "$id-web-1" | grep -A 1 ^members
mkfifo "$work/go"
# inner NAME WORD...: a lock in the background, until a line comes through the fifo
for how in '' --shared; do
    # shellcheck disable=SC2086
    "$SHMS" lock $how "$id-web-1" -- sh -c 'echo >"$work/held"; read -r line <"$work/go"' &
    holder=$!
    ends_with_test $holder
    until_true test -s "$work/held"
    "$SHMS" lock "$id-web-1" -- true &
    waiter=$!
    ends_with_test $waiter
    until_true field_is "$id-web-1" waiters 1
    "$SHMS" info "$id-web-1" | grep -A 2 ^members | sed -E "s/ $holder\b/ HOLDER/; s/ $waiter\b/ WAITER/" | sort
    "$SHMS" info --json "$id-web-1" | grep -o '"member_list": [^]]*]' | tr '{' '\n' | sort |
        sed -E "s/ $holder\b/ HOLDER/; s/ $waiter\b/ WAITER/; s/[], ]*$//"
    rm "$work/held"
    echo >"$work/go"
    wait $holder $waiter
done
version=$(field "$id-web-1" version)
try info "$id-web-1" >/dev/null
field_is "$id-web-1" version "$version" || fail "info is a change"

echo '# rm by patterns: one that is called so is meant alone'
try rm "$id-w*"
try ls -q "$id-*"
try rm "$id-web-*" "$id-none*"
try ls -q "$id-*" "Global\\$id*"
try rm "Global\\$id-*" "$id-?"
try ls -q "$id-*"

echo '# rm --all'
try rm
try rm --all "$id"
try rm --all </dev/null
try rm -a <&-
# A /dev/shm of its own, so that all is only what this test made. Here `own` is a shell in it.
namespace=(unshare --mount)
[ "$(id -u)" = 0 ] || namespace+=(--user --map-root-user)
if "${namespace[@]}" mount -t tmpfs tmpfs /dev/shm 2>/dev/null && command -v script >/dev/null; then
    cat >"$work/own.sh" <<'END'
mount -t tmpfs tmpfs /dev/shm
"$SHMS" rm --all --yes; echo "none: $?"
"$SHMS" create --size 4K a; "$SHMS" create --size 4K 'Global\b'
ask() {
    echo "$1" | script -qec '"$SHMS" rm --all' /dev/null | grep -o 'remove all .*]\|nothing is removed' | sed -E 's/[0-9]+ KiB/SOME/'
}
ask n; "$SHMS" ls -q
ask ''; "$SHMS" ls -q
ask y; "$SHMS" ls -q
"$SHMS" create --size 4K c; "$SHMS" rm -ay; "$SHMS" ls
END
    "${namespace[@]}" bash "$work/own.sh"
else
    echo "not checked, no mount namespace or no script(1): rm --all" >&2
    sed -n '/^none: 0/,$p' "${0%.sh}.expected"
fi
finish
