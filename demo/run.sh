#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demo: processes share cookies, pass a file, and survive a kill. Every figure is counted while it runs.
#     demo/run.sh [BUILD]      the build directory; $BUILD or ./build unless given
set -euo pipefail
export LC_ALL=C

build=${1:-${BUILD:-build}}
programs=$build/demo
shms=$build/tool/shms
visitors=200
at_once=16
file_mib=256
name=demo-$$
tmp=$(mktemp -d)
server=
sender=

clean_up() {
    for pid in $server $sender; do
        kill "$pid" 2>/dev/null || true
    done
    wait
    for part in cookies file cut jobs lock; do
        "$shms" rm "$name-$part" >"$tmp/rm" 2>&1 || true
    done
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

title() {
    printf '\n%s\n%s\n' "$1" "${1//?/=}"
}

for program in "$programs"/{cookie_server,cookie_client_curl,pass_send,pass_recv,killed_holder} "$shms" "$build/example/channel_jobs"; do
    [ -x "$program" ] || fail "$program is not built (ci/setup names the packages it needs)"
done
echo "shmstream demo: $(nproc) processors, Linux $(uname -r)"

# --------------------------------------------------------------- cookies
title "1. Sharing cookies"
cat <<END
A web server on this machine gives each visitor a cookie of its own. $visitors browsers
visit it, each a process, $at_once at a time. All are to share one set of cookies.
END
mkfifo "$tmp/port"
"$programs/cookie_server" 300 >"$tmp/port" &
server=$!
read -r port <"$tmp/port" || fail "the server did not start"
url=http://127.0.0.1:$port
export url

echo
echo "With a jar (libcurl, and shmstream/jar.h):"
browser=$programs/cookie_client_curl
seq "$visitors" | xargs -P "$at_once" -I{} "$browser" "$name-cookies" "$url" {} || fail "a browser failed"
in_jar=$("$browser" "$name-cookies" | wc -l)
known=$("$browser" "$name-cookies" "$url" count)
echo "  cookies in the jar at the end:                 $in_jar of $visitors"
echo "  sent to the server by one last browser, valid: $known of $visitors"
[ "$in_jar:$known" = "$visitors:$visitors" ] || fail "cookies were lost"

echo
echo "The same, and one browser of ten is killed (SIGKILL) at a random moment of its visit:"
export browser tmp jar_name=$name-cookies
# A visit takes some 10 to 50 ms where 16 run on two processors.
# shellcheck disable=SC2016  # the inner shell expands
seq $((2 * visitors + 1)) $((3 * visitors)) | xargs -P "$at_once" -I{} bash -c '
    [ $(({} % 10)) = 0 ] || exec "$browser" "$jar_name" "$url" {}
    status=0
    { timeout -s KILL "0.0$((RANDOM % 40 + 10))" "$browser" "$jar_name" "$url" {}; } 2>>"$tmp/says" || status=$?
    [ $status != 137 ] || echo {} >>"$tmp/killed"
    [ $status = 0 ] || [ $status = 137 ]' || fail "a browser failed: $(cat "$tmp/says")"
touch "$tmp/killed"
killed=$(wc -l <"$tmp/killed")
lost=$("$browser" "$name-cookies" "$url" lost)
known_all=$("$browser" "$name-cookies" "$url" count)
echo "  killed on their way:                           $killed of $((visitors / 10))"
echo "  sent to the server by one last browser, valid: $known_all, of these visits and those before"
echo "  cookies that a browser had shown, and lost:    $lost"
if [ "$lost" != 0 ] || [ "$known_all" -lt $((2 * visitors - killed)) ]; then fail "cookies were lost"; fi

echo
echo "With a cookie file (the curl program, -b jar -c jar), the same visits:"
export jar=$tmp/jar
touch "$jar"
# Other visitors than before. What fails here is no failure of ours, but told.
# shellcheck disable=SC2016  # the inner shell expands
seq $((visitors + 1)) $((2 * visitors)) | xargs -P "$at_once" -I{} sh -c '
    curl -sSf --noproxy "*" -b "$jar" -c "$jar" -o "$jar.1.{}" "$url/shelf/$(({} % 4))/visit/{}" \
        -o "$jar.2.{}" "$url/shelf/$(({} % 4))/hello/{}" 2>>"$jar.errors"' || true
refused=$(grep -c 'error: 400' "$jar.errors" || true)
in_file=$(grep -c '^127\.0\.0\.1' "$jar" || true)
known_file=$(curl -s --noproxy '*' -b "$jar" "$url/shelf/[0-3]/count" |
    awk '{ n += $1 } END { print n + 0 }') || known_file=0
echo "  cookies in the file at the end:                $in_file of $visitors"
echo "  sent to the server by one last curl, valid:    $known_file of $visitors"
echo "  requests refused, for a damaged cookie:        $refused"
echo "Each curl writes back what it read at its start, and so undoes what others wrote since."
if [ "$refused" -gt 0 ]; then
    echo "Some read the file while another wrote it, and sent the half of a cookie."
fi
kill "$server"
wait "$server" || true
server=

# ------------------------------------------------------------------ a file
title "2. Passing data"
# The system's own headers and documents: 64 MiB at most, as reading thousands of files takes long where
# the disk is slow; then over and over up to the size.
sources=()
for dir in /usr/include /usr/share/doc /usr/share/dict; do
    [ -d "$dir" ] && sources+=("$dir")
done
big=$tmp/big
find -L "${sources[@]}" -type f -exec cat {} + 2>"$tmp/find" | head -c 64M >"$big" || true
[ -s "$big" ] || fail "found no files to pass"
while [ "$(stat -c %s "$big")" -lt $((file_mib << 20)) ]; do
    cp "$big" "$tmp/part"
    cat "$tmp/part" >>"$big"
done
truncate -s "${file_mib}M" "$big"
cat <<END
A file of $file_mib MiB, made of this system's headers and documents over and over, flows from one
process to another, through a channel of 1 MiB. Who has to wait, sleeps.
END
"$programs/pass_send" "$name-file" "$big" &
sender=$!
sum_received=$("$programs/pass_recv" "$name-file" 2>"$tmp/speed" | sha256sum) ||
    fail "receiving: $(cat "$tmp/speed")"
wait "$sender" || fail "sending"
sender=
sum_sent=$(sha256sum <"$big")
speed=$(cat "$tmp/speed")
echo
echo "  SHA-256 of what was sent:     ${sum_sent%% *}"
echo "  SHA-256 of what was received: ${sum_received%% *}"
echo "  memory to memory:             $speed"
[ "$sum_sent" = "$sum_received" ] || fail "the file was changed on its way"

echo
echo "The same between two terminals, cut off by kill -9 half-way:"
"$shms" recv --raw "$name-cut" >"$tmp/cut" 2>"$tmp/cut-says" &
receiver=$!
mkfifo "$tmp/feed"
{ head -c 100M "$big"; exec sleep 20; } >"$tmp/feed" 2>"$tmp/fed" &
feeder=$!
"$shms" send --raw --wait-receiver "$name-cut" <"$tmp/feed" &
sender=$!
while [ "$(stat -c %s "$tmp/cut")" -lt $((100 << 20)) ]; do sleep 0.05; done
disown "$sender" "$feeder" # the shell need not tell of them
kill -KILL "$sender" "$feeder" 2>/dev/null || true
status=0
wait "$receiver" || status=$?
echo "  $(cat "$tmp/cut-says")"
echo "  exit status $status"
[ "$status" = 3 ] || fail "the receiver was not told"
sender=

echo
echo "A worker is killed while it does a job; the queue gives that job to another one:"
"$build/example/channel_jobs" "$name-jobs" | sed 's/^/  /'

# ----------------------------------------------------------- a killed holder
title "3. A killed holder"
cat <<END
A process is killed with SIGKILL while it holds the lock, half-way through writing.

END
"$programs/killed_holder" "$name-lock" | tee "$tmp/kill" || fail "the lock was not recovered"
recovery=$(sed -n 's/^From SIGKILL .*: //p' "$tmp/kill")

# ----------------------------------------------------------------- the sum
"$shms" rm "$name-cookies" || fail "cannot remove the jar"
if "$shms" ls | grep -F "$name"; then
    fail "a region was left behind"
fi
title "In short"
echo "cookies shared:  $known of $visitors with a jar, $known_file of $visitors with a cookie file; $lost lost by $killed kills"
echo "data passed:     $file_mib MiB through 1 MiB in $speed, SHA-256 equal on both sides"
echo "killed holder:   the next one had the lock $recovery after the kill, was told, and repaired"
