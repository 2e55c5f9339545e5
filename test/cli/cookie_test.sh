#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shms-cookie: each command, what is refused, and its manual page.
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cookie=$(dirname "$SHMS")/cookie/shms-cookie
[ -x "$cookie" ] || cookie=$(dirname "$SHMS")/shms-cookie # installed
[ -x "$cookie" ] || fail "no program $cookie"
https=https://www.example.com

# COMMAND ARGUMENT...: with this test's jar
try_cookie() {
    local status=0
    echo "\$ shms-cookie $*"
    "$cookie" "$1" --jar "$id" "${@:2}" >"$work/.out" 2>"$work/.err" || status=$?
    cat "$work/.out"
    sed 's/^/! /' "$work/.err"
    [ $status = 0 ] || echo "=> $status"
}
transcript

echo '# no jar yet'
try_cookie get $https/
try_cookie ls
echo '# set and get'
printf '%s\n' 'sid=31d4; Path=/; Secure; HttpOnly' 'Set-Cookie: lang=en; Domain=example.com; Max-Age=600' '' |
    try_cookie set $https/login
try_cookie get $https/
try_cookie get --api $https/
try_cookie get --site cross $https/
try_cookie get http://shop.example.com/login
try_cookie get https://example.org/
printf 'a=1\nb=2; Domain=com\nc=\x01\nd=4; SameSite=Strict\n' | try_cookie set $https/
printf 'x=\0y\n' | try_cookie set $https/
head -c 1048576 /dev/zero | tr '\0' a | try_cookie set $https/
try_cookie get $https/
echo '# ls and rm'
printf 't=\xc3\xa9"\tz; Path=/x\n' | try_cookie set http://127.0.0.1:80/
try_cookie ls www.example.com
try_cookie ls example.com
try_cookie ls --json 127.0.0.1
try_cookie rm www.example.com a
try_cookie rm www.example.com a
try_cookie rm example.com
try_cookie get $https/
try_cookie rm
try_cookie rm --all example.com
echo '# partitions'
echo 'p=1; Secure; Partitioned' | try_cookie set --partition https://top.example $https/
try_cookie get --partition https://top.example $https/
try_cookie get $https/
try_cookie ls www.example.com
try_cookie ls --json www.example.com
try_cookie get --partition '' $https/
try_cookie rm www.example.com p
try_cookie rm --partition https://top.example www.example.com
try_cookie rm --partition https://top.example www.example.com p
try_cookie ls www.example.com
echo 'p=1; Secure; Partitioned' | try_cookie set --partition https://top.example $https/
echo '# cookies.txt'
try_cookie export "$work/cookies.txt"
cat "$work/cookies.txt"
stat -c %a "$work/cookies.txt"
try_cookie rm --all
try_cookie ls
printf 'cut short' >>"$work/cookies.txt"
try_cookie import "$work/cookies.txt"
try_cookie get $https/
echo '{}' >"$work/other"
try_cookie import "$work/other"
head -c 1048576 /dev/zero | tr '\0' a >"$work/long"
try_cookie import "$work/long"
printf '.example.com\tTRUE\t/\tFALSE\t0\tlatin\t\xe9\xff\n.example.com\tTRUE\t/\tFALSE\t0\ta\ttab\tmore\n' >"$work/tabs"
printf 'example.com\tTRUE\t/\tFALSE\t0\tcut\tsho' >>"$work/tabs"
try_cookie import "$work/tabs"
try_cookie rm example.com latin
try_cookie import "$work/none"
try_cookie import "$work"
try_cookie export "$work/none/x"
echo '# bad words'
for url in www.example.com https:// https://user:s3cret@/ https://a:99999/ https://a:8x/ https://bücher.example/; do
    try_cookie get "$url"
done
"$cookie" get --jar "$id" $'https://b\xfccher.example/' 2>&1 # Latin-1
try_cookie ls 'a b'
try_cookie get
try_cookie get $https/ more
try_cookie get --json $https/
try_cookie get --site there $https/
try_cookie nonsense
"$SHMS" create --size 1 "$id-stream"
status=0
"$cookie" ls --jar "$id-stream" 2>&1 || status=$?
echo "=> $status"

# A jar of another user, for all to find: denied, and the message says what to do. Only root can act as another.
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups test -x "$cookie" 2>/dev/null; then
    echo 'a=1' | setpriv --reuid=65534 --clear-groups "$cookie" set --jar "Global\\$id-other" $https/ ||
        fail "another user's jar cannot be made"
    said=$("$cookie" ls --jar "Global\\$id-other" 2>&1) && fail "another user's jar was listed"
    setpriv --reuid=65534 --clear-groups "$SHMS" rm "Global\\$id-other"
    [[ $said == *"may be another user's"* ]] || fail "of another user's jar: $said"
fi

echo '# a curl that is told the beginning of a dump as a value; one that is killed while it writes'
mkdir "$work/bin"
cat >"$work/bin/curl" <<'END'
#!/bin/bash
while [ $# -gt 0 ]; do
    case $1 in
    -b) given=$2 ;;
    -c) dump=$2 ;;
    -D) heads=$2 ;;
    esac
    shift
done
cat "$given" >/dev/null
head='# Netscape HTTP Cookie File'
cookie='\tFALSE\t/\tFALSE\t0'
if [ -n "${KILLED:-}" ]; then
    printf 'Set-Cookie: token=whole\r\n' >"$heads"
    printf "$head\n\nevil.example$cookie\ttoken\twho" >"$dump"
    kill -KILL $$
fi
printf "Set-Cookie: x=1$head\r\nSet-Cookie: sid=2\r\n" >"$heads"
printf "$head\n\nbank.example$cookie\tsid\t1\nevil.example$cookie\tsid\t2\nevil.example$cookie\tx\t1$head\n" >"$dump"
END
chmod +x "$work/bin/curl"
try_cookie rm --all
echo 'sid=1' | try_cookie set http://bank.example/
PATH=$work/bin:$PATH try_cookie curl -- http://evil.example/
try_cookie get http://bank.example/
try_cookie get http://evil.example/ | tr ';' '\n' | sed 's/^ //' | sort
KILLED=1 PATH=$work/bin:$PATH try_cookie curl -- http://evil.example/
try_cookie ls evil.example | sort
echo '# -q with other letters is the first word, too'
# shellcheck disable=SC2016 # the script expands
printf '#!/bin/sh\necho "$1"\n' >"$work/bin/curl"
for word in -q -qsS --disable -sS; do
    PATH=$work/bin:$PATH try_cookie curl -- $word http://evil.example/
done

echo '# times'
for time in 0x1 1e0 ' 1' . -1 .5 1d; do
    try_cookie lock --timeout "$time" example.com -- true
done
echo '# output that cannot be written'
for word in --help --version "ls --help" "ls --jar $id" "watch --jar $id"; do
    # shellcheck disable=SC2086 # two words
    "$cookie" $word 2>&1 >/dev/full | sed "s/^/$word: /"
done
echo "=> $("$cookie" --version >/dev/full 2>"$work/.err"; echo $?)"

echo '# watch'
try_cookie rm --all
echo 'a=1' | try_cookie set $https/
"$cookie" watch --jar "$id" >"$work/seen" &
ends_with_test $!
seen() { grep -qxF "$1" "$work/seen"; }
until_true seen 'set www.example.com a /'
echo 'b=2; Path=/x' | try_cookie set $https/
until_true seen 'set www.example.com b /x'
try_cookie rm www.example.com a
until_true seen 'gone www.example.com a /'
cat "$work/seen"

echo '# words that steer a terminal'
for steers in $'\033[31m' $'\302\2331m' $'\342\200\256x' $'\377x' $'ü\n'; do
    "$cookie" "$steers"
    "$cookie" ls --jar "$id" "$steers"
    "$cookie" ls "--$steers"
    "$cookie" export --jar "$id" "/none$steers/x"
    "$cookie" lock --jar "$id" example.com -- "$steers"
done 2>&1

echo '# output that cannot be written'
for words in --help --version 'ls --help' "ls --jar $id" "ls --json --jar $id"; do
    # shellcheck disable=SC2086
    "$cookie" $words >/dev/full 2>"$work/errors" && fail "$words: no failure"
    # shellcheck disable=SC2086
    "$cookie" $words >&- 2>>"$work/errors" && fail "$words, closed: no failure"
    cat "$work/errors"
done

echo '# help'
page=$SRC/doc/shms-cookie.1
"$cookie" --help
for command in $("$cookie" --help | sed -nE 's/^  ([a-z]+)  .*/\1/p'); do
    "$cookie" "$command" --help
    # Options by the help, and by the synopsis of the page.
    "$cookie" "$command" --help | sed -nE 's/^  --([a-z-]+) .*/\1/p' | grep -vx help | sort >"$work/helped"
    sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' "$page" |
        sed -n "/^\.Cm $command\$/,/^\.Nm/p" | sed -nE 's/^\.Op Fl -([a-z-]+).*/\1/p' | sort >"$work/paged"
    diff "$work/helped" "$work/paged" >&2 || fail "$command: options of help (<) and shms-cookie.1 (>) differ"
    grep -q "^\.Ss $command\$" "$page" || fail "shms-cookie.1 has no section $command"
done
finish
