#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # inner shells expand
# What scripts use: lock --hold, run, resize, copy with -, watch --exec and --json.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

is_free() {
    "$SHMS" lock --timeout 0 "$id" -- true
}
# example WORD: the literal block with that word in shms(1), as a reader sees it
example() {
    sed -n '/^\.Bd/,/^\.Ed/p' "$SRC/doc/shms.1" |
        awk -v word="$1" '/^\.Bd/ { text = ""; next } /^\.Ed/ { if (index(text, word)) printf "%s", text; next } { text = text $0 "\n" }' |
        sed 's/\\e/\\/g; s/\\(dq/"/g; s/\\&//g'
}

echo '# the rest of a script is locked, and only that'
try create --size 64 "$id"
cat >"$work/script" <<'END'
"$SHMS" lock --hold $$ "$id" || exit
echo "held: $?"
"$SHMS" info "$id" | grep '^lock'
"$SHMS" lock --timeout 0 "$id" -- echo never
echo "=> $?"
"$SHMS" lock --hold $$ --timeout 10ms "$id" || exit
echo not reached
END
sh "$work/script" 2>&1
echo "=> $?"
until_true is_free
"$SHMS" lock --hold $$ "$id" 7>"$work/kept"
holder=$(field "$id" holder_pid)
ends_with_test "$holder"
readlink "/proc/$holder/fd/"{0,1,2} # none is kept open that somebody may read to its end
readlink "/proc/$holder/fd/"* | grep kept
kill "$holder"
until_true is_free
try info "$id" | grep -E '^(members|lock)'

echo '# as the page has it'
mkdir "$work/bin"
printf '#!/bin/bash\nexec "$SHMS" "${@//nightly/$id-nightly}"\n' >"$work/bin/shms"
printf '#!/bin/sh\necho report\nshms lock --timeout 0 nightly -- echo never\n' >"$work/bin/make-report"
chmod +x "$work/bin/"*
example '--hold $$' >"$work/example"
cat "$work/example"
PATH=$work/bin:$PATH sh "$work/example" 2>&1

echo '# shared, of a key, of a region of its own'
sh -c '"$SHMS" lock --shared --hold $$ "$id"; "$SHMS" lock --shared --timeout 0 "$id" -- echo both; "$SHMS" lock --timeout 0 "$id" -- true' 2>&1 | sed "s/$id/ID/"
until_true is_free
try dict create --size 16K "$id-dict"
sh -c '"$SHMS" lock --key job --hold $$ "$id-dict"; "$SHMS" lock --key job --timeout 0 "$id-dict" -- true; echo "=> $?"' 2>&1
key_is_free() {
    "$SHMS" lock --key job --timeout 0 "$id-dict" -- true
}
until_true key_is_free
sh -c '"$SHMS" lock --size 1 --hold $$ "$id-brief"; "$SHMS" info "$id-brief" | grep ^members'
is_gone() {
    ! "$SHMS" info "$id-brief" >"$work/.info"
}
until_true is_gone

echo '# a script that is killed; one whose holder is asked to end'
mkfifo "$work/go"
sh -c '"$SHMS" lock --hold $$ "$id"; echo >"$work/held"; read -r line <"$work/go"' &
script=$!
ends_with_test $script
until_true test -s "$work/held"
is_free || echo "=> $?"
kill -KILL $script
wait $script 2>/dev/null
until_true is_free
field "$id" owner_died
sh -c '"$SHMS" lock --hold $$ "$id"; kill -INT $("$SHMS" info --json "$id" | sed -E "s/.*holder_pid\": ([0-9]+).*/\1/")
    "$SHMS" lock --timeout 0 "$id" -- true; echo "interrupted: $?"
    kill $("$SHMS" info --json "$id" | sed -E "s/.*holder_pid\": ([0-9]+).*/\1/"); "$SHMS" lock "$id" -- echo released' 2>/dev/null
echo '# one that is killed while it waits leaves nobody waiting'
sh -c '"$SHMS" lock --hold $$ "$id"; echo >"$work/held2"; read -r line <"$work/go"' &
script=$!
ends_with_test $script
until_true test -s "$work/held2"
"$SHMS" lock --hold $$ "$id" &
waiter=$!
until_true field_is "$id" waiters 1
kill -KILL $waiter
wait $waiter 2>/dev/null
until_true field_is "$id" waiters 0
echo >"$work/go"
wait $script

echo '# a process that is none; a region that is none'
sh -c 'exit' &
none=$!
wait $none
try lock --hold $none "$id" | sed "s/$none/NONE/"
try lock --hold 0 "$id"
try lock --hold x "$id"
try lock --hold $$ "$id" -- true | sed "s/ $$ / PID /"
try lock --hold $$ "$id-none" | sed "s/ $$ / PID /"
try lock --hold 1

echo '# a section that writes nothing wakes nobody'
version=$(field "$id" version)
try lock "$id" -- true
try lock "$id" -- sh -c '"$SHMS" read --no-lock --count 0 "$id"'
sh -c '"$SHMS" lock --hold $$ "$id"'
until_true is_free
try wait --since "$version" --timeout 0 "$id"

echo '# run: the new contents, or the old ones'
try run "$id" -- cat
try create --size 16 --atomic "$id-a"
printf 41 | try write --text "$id-a"
increase='read -r n || :; echo $((n + 1))'
try run --text "$id-a" -- sh -c "$increase"
try read --text "$id-a"
version=$(field "$id-a" version)
try run --text "$id-a" -- sh -c 'echo half; exit 5'
try run --text "$id-a" -- sh -c 'echo half; kill -KILL $$'
try run --text "$id-a" -- echo 0123456789abcdef
try run --text "$id-a" -- "$work/none"
try run --text "$id-a" -- true
try read --text "$id-a"
try run "$id-a" -- printf 0123456789abcdef
try run "$id-a" -- true
try run "$id-a" -- printf AB
try run "$id-a" -- sh -c 'od -An -c; exit 1' # its output is not shown, so look at what it read:
try run "$id-a" -- sh -c 'cat >"$work/input"; exit 1'
cat "$work/input"
echo
[ "$(field "$id-a" version)" = $((version + 6)) ] || fail "failures are changes: $version, $(field "$id-a" version)"
try run "$id-a" -- "$SHMS" lock --timeout 0 "$id-a" -- true | sed "s|$SHMS|shms|"
try run "$id-none" -- true
try run "$id-a"
try run --timeout 0 "$id-dict" -- true
printf 0 | try write --text "$id-a"
for _ in {1..8}; do
    for _ in {1..5}; do "$SHMS" run --text "$id-a" -- sh -c "$increase"; done &
    ends_with_test $!
done
wait
try read --text "$id-a"
echo '# shms is killed meanwhile'
"$SHMS" run --text "$id-a" -- sh -c 'echo lost; echo $$ >"$work/inside"; exec cat "$work/never"' &
runner=$!
ends_with_test $runner
until_true test -s "$work/inside"
ends_with_test "$(cat "$work/inside")"
kill -KILL $runner "$(cat "$work/inside")"
{ wait $runner; } 2>/dev/null
try read --text "$id-a"

echo '# resize'
try create --size 4K --max-size 8K "$id-r"
printf abc | try write --offset 4093 "$id-r"
try resize "$id-r" 8K
field "$id-r" size
try read --offset 4090 --count 10 "$id-r" | tr '\0' 0
echo
try resize "$id-r" 4094
try resize "$id-r" 4096
try read --offset 4090 --count 6 "$id-r" | tr '\0' 0
echo
try resize "$id-r" 8193
try resize "$id-r" 0
try resize "$id-r" 1X
try resize "$id-r"
try resize "$id-none" 1
try resize "$id-dict" 1M
try lock "$id-r" -- "$SHMS" resize --timeout 0 "$id-r" 1 | sed "s|$SHMS|shms|"
field "$id-r" size

echo '# copy from standard input and to standard output'
printf 'by pipe' | try copy "$id" --from -
try copy "$id" --to - | tr '\0' .
echo
head -c 65 /dev/zero | try copy "$id" --from -
try copy "$id" --to - --from -
try copy "$id" --from - <&-
[ ! -e - ] || fail "there is a file -"

echo '# watch: JSON, and a line of the shell for each change'
try watch --json --text --since 0 --count 1 "$id" | sed -E 's/"(version|changes)": [0-9]+/"\1": N/g'
try watch --json --since 0 --count 1 "$id" | sed -E 's/"(version|changes)": [0-9]+/"\1": N/g'
printf x | "$SHMS" write "$id"
version=$(field "$id" version)
export version
try watch --since $((version - 4)) --count 1 --exec 'echo "$SHMS_NAME" $((SHMS_VERSION - version)) $SHMS_CHANGES; exit 6' "$id" |
    sed "s/--since [0-9]*/--since N/"
try watch --exec true --json "$id"
try watch --exec '' "$id"
"$SHMS" watch --count 3 --since "$version" --exec 'echo told; [ "$SHMS_CHANGES" = 1 ]' "$id" >"$work/told" &
watcher=$!
ends_with_test $watcher
told_is() {
    [ "$(wc -l <"$work/told")" = "$1" ]
}
for n in 1 2 3; do
    printf %s $n | "$SHMS" write "$id"
    until_true told_is $n
done
wait $watcher
echo "=> $?"
echo '# a signal reaches the line, and ends the watch'
"$SHMS" watch --since 0 --exec 'trap "echo trapped; exit 0" TERM; cat "$work/never" & echo ready; wait' "$id" >"$work/lines" &
watcher=$!
ends_with_test $watcher
until_true grep -q ready "$work/lines"
kill -TERM $watcher
wait $watcher 2>/dev/null
echo "=> $?"
cat "$work/lines"
finish
