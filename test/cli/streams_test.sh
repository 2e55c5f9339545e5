#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ctest: timeout=120
# Standard streams that are closed: who needs one is told, and no file of a region gets its number. And names
# that steer terminals: nothing of that comes out.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript

# closed REDIRECTION... -- ARGUMENT...: `try` with streams closed.
closed() {
    local how=() status=0
    while [ "$1" != -- ]; do
        how+=("$1")
        shift
    done
    shift
    echo "\$ shms $* ${how[*]}"
    case ${how[*]} in
    '<&-') "$SHMS" "$@" 2>"$work/.err" <&- ;;
    '>&-') "$SHMS" "$@" 2>"$work/.err" >&- ;;
    '2>&-') "$SHMS" "$@" 2>&- ;;
    '<&- >&-') "$SHMS" "$@" 2>"$work/.err" <&- >&- ;;
    '<&- >&- 2>&-') "$SHMS" "$@" <&- >&- 2>&- ;;
    esac || status=$?
    case ${how[*]} in
    *'2>&-'*) ;;
    *) sed 's/^/! /' "$work/.err" ;;
    esac
    [ $status = 0 ] || echo "=> $status"
}

try create --size 64 "$id"
printf treasure | try write "$id"

echo '# input'
closed '<&-' -- write "$id"
closed '<&-' -- read --count 8 "$id"
echo
closed '<&- >&-' -- write "$id"

echo '# output'
for words in "read $id" "cat --count 8 $id" "ls" "info $id" "--help" "--version" "lock --help"; do
    # shellcheck disable=SC2086
    closed '>&-' -- $words
done
closed '>&-' -- create --size 64 "$id-2"
closed '>&-' -- rm "$id-2"
closed '>&-' -- copy "$id" --to "$work/file"
cut -c1-8 "$work/file" | head -n 1 | tr -d '\0'

echo '# a watcher without output ends with the first change'
"$SHMS" watch "$id" >&- 2>"$work/watch" &
watcher=$!
ends_with_test $watcher
until_true field_is "$id" members 1
printf changed | try write "$id"
wait $watcher
echo "=> $?"
cat "$work/watch"

echo '# errors'
closed '2>&-' -- read "$id-none"
closed '2>&-' -- read --count 7 "$id"
echo
closed '<&- >&- 2>&-' -- read "$id"
closed '<&- >&- 2>&-' -- create --size 64 "$id-2"
closed '<&- >&- 2>&-' -- rm "$id-2"

echo '# a command run under the lock finds them closed, too'
closed '<&- >&-' -- lock "$id" -- sh -c "
    (cat) 2>/dev/null || echo 'not read' >&2
    (printf shown) 2>/dev/null || echo 'not written' >&2"
field "$id" state
try read --count 7 "$id"
echo

echo '# names that steer: C1, a lone byte, bidi, byte order mark'
for steers in '\302\233[31m' '\302\205' '\342\200\256' '\342\201\246' '\342\200\217' '\357\273\277'; do
    name=$id-$(printf '%b' "${steers//\\/\\0}")x
    try create --size 64 "$name" | sed 's/^\$.*/$ create/'
    "$SHMS" ls | grep -F "$id-" | sed -E 's/.* ([^ ]*)$/\1/'
    "$SHMS" info "$name" | head -n 1
    "$SHMS" info --json "$name" | grep -o '"name": "[^"]*"'
    "$SHMS" ls --json | grep -F "$id-" | grep -o '"name": "[^"]*"'
    try read --offset 100 "$name" | sed 's/^\$.*/$ read/'
    try rm "$name" | sed 's/^\$.*/$ rm/'
    try rm "$name" | sed 's/^\$.*/$ rm again/'
    try "$name" | sed 's/^\$.*/$ as a command/'
    try copy "$id" --to "$work/none$name/x" | sed 's/^\$.*/$ as a path/'
    try create --size "$name" x | sed 's/^\$.*/$ as a value/'
    try lock "$id" -- "$name" | sed 's/^\$.*/$ as a program/'
done
try rm "$id$(printf '\233x')" | LC_ALL=C sed 's/^\$.*/$ rm/'
echo '# and what is harmless stays'
try rm "$id-ü-日本-😀"

echo '# messages of many processes do not mix'
for _ in {1..60}; do "$SHMS" info "$id-none" 2>>"$work/messages" & done
wait
sort "$work/messages" | uniq -c | sed 's/^ *//'

try rm "$id"
finish
