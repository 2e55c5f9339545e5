#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # inner shells expand
# shms-cookie curl and lock, with curl and a web server.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cookie=$(dirname "$SHMS")/cookie/shms-cookie
[ -x "$cookie" ] || cookie=$(dirname "$SHMS")/shms-cookie # installed
[ -x "$cookie" ] || fail "no program $cookie"
for tool in curl python3; do
    command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
export cookie no_proxy='*' CURL_HOME=$work # no .curlrc of this machine
python3 "$SRC/test/cli/web_server.py" "$work" 2>"$work/server.log" &
ends_with_test $!
until_true test -s "$work/port"
web=http://127.0.0.1:$(cat "$work/port")
export web

# COMMAND ARGUMENT...: with this test's jar. Versions of curl differ in the order of cookies, in what they
# say, and in whether a path that no server named keeps its last slash.
try_cookie() {
    local status=0
    echo "\$ shms-cookie $*" | sed -e "s|$web|WEB|g" -e "s|$cookie|shms-cookie|"
    "$cookie" "$1" --jar "$id" "${@:2}" >"$work/.out" 2>"$work/.err" || status=$?
    case $1 in
    ls) sed 's| /first/ | /first |' "$work/.out" | sort ;;
    get) tr ';' '\n' <"$work/.out" | sed 's/^ //' | sort | paste -sd ' ' ;;
    *) cat "$work/.out" ;;
    esac
    grep -v '^curl: ' "$work/.err" | sed 's/^/! /'
    [ $status = 0 ] || echo "=> $status"
}
transcript

echo '# redirects, with what the first answer set'
try_cookie curl -- -sSL "$web/login"
try_cookie ls
try_cookie curl -- -sS "$web/home"
echo '# cookies by path, two transfers, --next, -q'
try_cookie curl -- -sS "$web/first/x" "$web/first/y" "$web/home"
try_cookie curl -- -q -sS "$web/first/z" --next -sS "$web/first/"
try_cookie curl -- -sS -b mine=1 "$web/home"
echo '# what another sets meanwhile stays; SameSite is what the server said'
"$cookie" curl --jar "$id" -- -sS -o "$work/slow.body" "$web/slow" &
client=$!
ends_with_test $client
until_true test -e "$work/slow"
echo 'lang=de; Path=/; Max-Age=600' | try_cookie set "$web/home"
# Not a word of a secret for those who list processes.
listed=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ')
[[ $listed == *"$web/slow"* ]] || fail 'curl is not among the processes'
[[ $listed != *s3cret* ]] || fail 'a secret is in a command line'
curl -sS -o "$work/body" "$web/go"
wait $client || fail "curl of /slow: $?"
try_cookie ls
try_cookie get "$web/home"
echo '# closed standard streams: no pipe with cookies gets their numbers'
"$cookie" curl --jar "$id" -- -sS -G --data-urlencode @- "$web/asked" <&- >"$work/body" 2>/dev/null
asked=$(sed 's/: .*//' "$work/body")
[[ $asked != *sid* ]] || fail "a server was sent the jar: $asked"
"$cookie" curl --jar "$id" -- -sS -o "$work/body" "$web/home" <&- >&- 2>&- || fail "all closed: $?"
echo '# what curl left behind, and no server named, stays'
try_cookie curl -- -sS --junk-session-cookies "$web/home"
try_cookie get "$web/home"
echo '# cookies of other hosts are none of a server that knows their names'
other=(--connect-to "::127.0.0.1:${web##*:}")
by_other() {
    "$cookie" curl --jar "$id" -- -sS "${other[@]}" "$@" >"$work/body" || fail "curl $*: $?"
    "$cookie" ls --jar "$id" | grep '^victim.example sid' | sort
}
printf '%s\n' 'sid=theirs; Path=/; SameSite=Strict' | "$cookie" set --jar "$id" http://victim.example/
path=$(printf '%01000d' 0)
printf 'sid=%04000d; Path=/%s; Max-Age=600\n' 0 "$path" | "$cookie" set --jar "$id" http://victim.example/
by_other -j http://evil.example/logout | sed "s/$path/LONG/"
"$cookie" rm --jar "$id" victim.example
by_other http://victim.example/login http://evil.example/logout
"$cookie" rm --jar "$id" victim.example
"$cookie" rm --jar "$id" evil.example
echo '# --next, also as a letter among others'
for next in --next -: -s: -sS:; do
    try_cookie curl -- -sS "$web/home" $next "$web/home"
done
echo '# deleted by a server'
try_cookie curl -- -sS "$web/logout"
try_cookie get "$web/home"
echo '# heads that go elsewhere: new cookies are seen, deletions are not'
try_cookie curl -- -sS -o "$work/body" -D "$work/heads" -L "$web/login"
try_cookie get "$web/home"
echo '# statuses'
try_cookie curl -- -sf "$web/nothing"
try_cookie curl -- --no-such-option
try_cookie curl -- -sS "$web/home" -o "$work/none/x"
try_cookie get "$web/home"
env PATH=/nowhere "$cookie" curl --jar "$id" -- "$web/home" 2>&1
echo "=> $?"
rm "$work/slow"
"$cookie" curl --jar "$id" -- -sS -o "$work/slow.body" "$web/slow" &
client=$!
ends_with_test $client
until_true test -e "$work/slow"
kill -TERM $client
wait $client
echo "=> $?"
curl -sS -o "$work/body" "$web/go"
try_cookie curl
printf 'tab=a\tb\n' | try_cookie set "$web/home"
try_cookie curl -- -sS -L "$web/login"
try_cookie get "$web/home"

echo '# lock'
host=127.0.0.1
try_cookie lock $host -- echo held
try_cookie lock $host -- sh -c 'exit 7'
try_cookie lock $host -- sh -c 'kill -KILL $$'
try_cookie lock $host -- "$work/none"
try_cookie lock $host
try_cookie lock 'a b' -- true
try_cookie lock --timeout soon $host -- true
try_cookie lock --timeout 0x10 $host -- true
try_cookie lock --timeout 1e3 $host -- true
try_cookie lock $host -- "$cookie" lock --jar "$id" --timeout 20ms $host -- echo never
try_cookie lock $host -- "$cookie" lock --jar "$id" --timeout 0 other.example -- echo another host
"$cookie" lock --jar "$id" $host -- sh -c 'echo $$ >"$work/held"; exec cat "$work/never"' &
holder=$!
ends_with_test $holder
until_true test -s "$work/held"
ends_with_test "$(cat "$work/held")"
kill -KILL $holder
wait $holder 2>/dev/null
try_cookie lock $host -- sh -c 'echo "died: $SHMS_OWNER_DIED"'
try_cookie lock $host -- sh -c 'echo "died: ${SHMS_OWNER_DIED-not}"'

echo '# eight clients refresh a token once'
echo 'token=t0; Path=/rotate' | try_cookie set "$web/rotate"
refresh() {
    local before
    before=$("$cookie" get --jar "$id" "$web/rotate")
    echo "$before" >"$work/seen.$1"
    until_true test -e "$work/all"
    before=$before "$cookie" lock --jar "$id" 127.0.0.1 -- sh -c '
        [ "$("$cookie" get --jar "$id" "$web/rotate")" != "$before" ] ||
            exec "$cookie" curl --jar "$id" -- -sSf -o /dev/null "$web/rotate"' || echo "=> $?"
}
clients=()
for client in {1..8}; do
    refresh "$client" &
    clients+=($!)
    ends_with_test $!
done
for client in {1..8}; do
    until_true test -s "$work/seen.$client"
done
touch "$work/all"
wait "${clients[@]}"
cat "$work"/seen.* | sort | uniq -c | sed 's/^ *//'
echo "rotated: $(cat "$work/rotated")"
try_cookie get "$web/rotate"
finish
