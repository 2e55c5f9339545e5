#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # inner shells expand
# lock: exit statuses, signals, exclusion, a killed holder, a lock that leaves nothing.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript
try create --size 4096 "$id"

echo '# statuses'
try lock "$id" -- true
try lock "$id" -- sh -c 'echo out; exit 7'
try lock "$id" -- sh -c 'kill -KILL $$'
try lock "$id" -- "$work/none"
touch "$work/plain"
try lock "$id" -- "$work/plain"
try lock "$id-none" -- true
try lock "$id"
try lock

echo '# held, it is got by nobody else'
try lock "$id" -- "$SHMS" lock --timeout 0 "$id" -- echo never | sed "s|$SHMS|shms|"
try lock "$id" -- "$SHMS" read --timeout 50ms "$id" | sed "s|$SHMS|shms|"
try lock "$id" -- "$SHMS" read --text --no-lock "$id" | sed "s|$SHMS|shms|"
try lock "$id" -- sh -c 'printf inside | "$SHMS" write --text --no-lock "$id"'
try read --text "$id"
echo

echo '# signals go to the command, and its end is the end'
"$SHMS" lock "$id" -- sh -c 'trap "exit 3" TERM; cat "$work/never" & echo $$ >"$work/ready"; wait' &
pid=$!
ends_with_test $pid
until_true test -s "$work/ready"
ends_with_test "$(cat "$work/ready")"
kill -TERM $pid
wait $pid
echo "=> $?"
"$SHMS" lock "$id" -- sh -c 'echo $$ >"$work/ready2"; exec cat "$work/never"' &
pid=$!
ends_with_test $pid
until_true test -s "$work/ready2"
ends_with_test "$(cat "$work/ready2")"
field_is "$id" holder_pid $pid || fail "info does not show the holder"
kill -HUP $pid
wait $pid 2>/dev/null
echo "=> $?"
try lock --timeout 0 "$id" -- echo free again

echo '# the command gets the signals as they were'
try lock "$id" -- sh -c 'kill -TERM $$; echo not reached'

echo '# twenty at a time count'
printf 0 | try write --text "$id"
for _ in {1..20}; do
    for _ in {1..3}; do
        "$SHMS" lock "$id" -- sh -c '
            n=$("$SHMS" read --text --no-lock "$id")
            echo $((n + 1)) | "$SHMS" write --text --no-lock "$id"'
    done &
    ends_with_test $!
done
wait
try read --text "$id"

echo '# a holder that is killed'
"$SHMS" lock "$id" -- sh -c 'printf half | "$SHMS" write --no-lock "$id"; echo $$ >"$work/ready3"; exec cat "$work/never"' &
pid=$!
ends_with_test $pid
until_true test -s "$work/ready3"
child=$(cat "$work/ready3")
ends_with_test "$child"
kill -KILL $pid "$child"
wait $pid 2>/dev/null
field "$id" lock
try read --count 4 "$id"
echo
field "$id" lock
field "$id" owner_died
try lock "$id" -- sh -c 'echo "SHMS_OWNER_DIED=$SHMS_OWNER_DIED"'
printf whole | try write --text "$id"
try repaired "$id"
field "$id" owner_died
SHMS_OWNER_DIED=old try lock "$id" -- sh -c 'echo "SHMS_OWNER_DIED=${SHMS_OWNER_DIED-unset}"'
try repaired "$id"
try read --text "$id"
echo

echo '# a stopped holder keeps it'
"$SHMS" lock "$id" -- sh -c 'echo $$ >"$work/ready4"; exec cat "$work/never"' &
pid=$!
ends_with_test $pid
until_true test -s "$work/ready4"
ends_with_test "$(cat "$work/ready4")"
kill -STOP $pid
try lock --timeout 200ms "$id" -- echo robbed
kill -TERM $pid
kill -CONT $pid
wait $pid 2>/dev/null
echo "=> $?"

echo '# a message that nobody reads does not end shms while it holds the lock'
mkfifo "$work/unread"
# shellcheck disable=SC2094 # the end to read is closed again, and so the pipe broken
exec 8<>"$work/unread" 9>"$work/unread" 8<&-
died_of_message() {
    "$SHMS" "$@" -- "$work/none" 2>&9
    echo "=> $?"
}
died_of_message lock "$id"
field "$id" owner_died
"$SHMS" dict create --size 16K "$id-dict"
died_of_message lock --key job "$id-dict"
try lock --key job --timeout 0 "$id-dict" -- sh -c 'echo "died: ${SHMS_OWNER_DIED-not}"'
"$SHMS" create --size 1M --atomic "$id-large"
died_of_message run "$id-large"
echo '# nor does a limit of the size of files'
(ulimit -f 1 && exec "$SHMS" run "$id-large" -- true 2>"$work/limited")
echo "=> $?"
sed 's/^/! /' "$work/limited"
field "$id-large" lock
{ "$SHMS" lock "$id" -- sh -c 'kill -KILL $PPID'; } 2>/dev/null
"$SHMS" lock "$id" -- echo runs 2>&9
echo "=> $?"
exec 9>&-

echo '# nothing is left of a lock that made its region'
try lock --size 1 "$id-brief" -- "$SHMS" read --no-lock --count 0 "$id-brief" | sed "s|$SHMS|shms|"
try info "$id-brief"
finish
