#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh STEP: two machines, each a mount namespace with a /dev/shm of its own, with a bridge each, and
# nats-servers on ports of chance. Nothing of it stays.
# shellcheck disable=SC2015,SC2317 # `fail` ends the script; functions are called by until_true and by their names
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$(cd "$here/../.." && pwd)/build}
bridge=${BRIDGE:-$BUILD/tool/bridge/shms-bridge} shms=$BUILD/tool/shms peer=$BUILD/test/bridge/peer
step=${1:?a step}

skip() { echo "SKIP: $*"; exit 77; }
fail() { echo "FAIL: $*" >&2; for log in "$work"/*.log; do echo "--- $log"; tail -n 15 "$log"; done >&2; exit 1; }
command -v nats-server >/dev/null || skip "no nats-server; ci/setup names the packages"
[ -x "$bridge" ] || skip "no shms-bridge was built"
unshare -m true 2>/dev/null || skip "no namespaces may be made here"
work=$(mktemp -d "${TMPDIR:-/tmp}/shms-bridge-XXXXXX")
mkfifo "$work/never" # nobody writes into it: its readers end with this script, or when they are killed
exec 5<>"$work/never"
declare -A server machine carrier other
end() {
    kill -CONT "${server[@]}" "${other[@]}" 2>/dev/null || true
    kill -KILL "${carrier[@]}" "${server[@]}" "${machine[@]}" "${other[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT

# ---- the world

# until_true SECONDS COMMAND...
until_true() {
    local tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $((tries--)) -gt 0 ] || return 1
        sleep 0.05
    done
}
listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# Nothing listens on these 16 yet.
free_ports() {
    local n
    port=$((20000 + RANDOM % 12000))
    for n in {0..15}; do ! listens $((port + n)) || return 1; done
}
until_true 10 free_ports
# start_server N [LINE...]: server N; the first start chooses its port
start_server() {
    local n=$1
    shift
    if [ ! -f "$work/server$n.conf" ]; then
        {
            echo "server_name: s$n"
            echo "listen: 127.0.0.1:$((port + n))"
            echo "jetstream { store_dir: \"$work/store$n\" }"
            printf '%s\n' "$@"
        } >"$work/server$n.conf"
    fi
    nats-server -c "$work/server$n.conf" >>"$work/server$n.log" 2>&1 &
    server[$n]=$!
    until_true 10 listens $((port + n)) || fail "server $n does not listen"
}
# stop PID...: by KILL, and gone
stop() {
    kill -KILL "$@"
    wait "$@" 2>/dev/null || true
}
start_machine() {
    # shellcheck disable=SC2016 # it is the inner shell's
    unshare -m --propagation private sh -c 'mount -t tmpfs -o size=$2 tmpfs /dev/shm && : >/dev/shm/ready &&
        exec cat "$1" 5>&-' sh "$work/never" "${2:-200m}" &
    machine[$1]=$!
    until_true 10 nsenter -m -t "${machine[$1]}" test -e /dev/shm/ready || skip "no tmpfs may be mounted here"
}
on() { nsenter -m -t "${machine[$1]}" -- "${@:2}"; }
# configure N [LINE...]: more lines, or a server of its own
configure() {
    local n=$1
    shift
    printf '%s\n' "machine = $n" "server = ${url:-nats://127.0.0.1:$port}" "dict d bucket=b size=4M max_size=64M $options" "$@" \
        >"$work/c$n"
}
options=
start_bridge() {
    nsenter -m -t "${machine[$1]}" -- "$bridge" run "$work/c$1" 2>>"$work/bridge$1.log" &
    carrier[$1]=$!
    until_true 10 on "$1" "$shms" info d || fail "bridge $1 makes no dict"
}
# two: two machines with a bridge each
two() {
    local n
    for n in 1 2; do
        start_machine $n
        configure $n
        start_bridge $n
    done
}
same() { cmp -s <(on 1 "$peer" dump d) <(on 2 "$peer" dump d); }
is() { [ "$(on "$1" "$shms" get d "$2" 2>/dev/null)" = "$3" ]; }
gone() { ! on "$1" "$shms" get d "$2" >/dev/null 2>&1; }
# both KEY VALUE
both() { is 1 "$1" "$2" && is 2 "$1" "$2"; }
quiet() { [ "$(on "$1" "$bridge" status --json | sed 's/.*"waiting":\([0-9]*\).*/\1/')" = 0 ]; }
figure() { on "$1" "$bridge" status --json | sed "s/.*\"$2\":\([0-9a-z]*\).*/\1/"; }
set_to() { on "$1" "$shms" set d "$2" "$3"; }
# Programs that change something until they are told: `... <"$work/go" &` between begin_going and end_going.
begin_going() { rm -f "$work/go" && mkfifo "$work/go" && exec 6<>"$work/go"; }
end_going() { exec 6>&-; }
# advances N: machine 2 has seen the number that machine 1 counts go on by N
number() { on 2 "$shms" get d n 2>/dev/null || echo 0; }
advances() {
    local goal=$(($(number) + $1))
    reached() { [ "$(number)" -ge "$goal" ]; }
    until_true 30 reached
}

# ---- steps

# Each mistake is named with its line.
step_config() {
    : >"$work/secret"
    chmod 644 "$work/secret"
    cat >"$work/c" <<END
server = http://x
machine = 0
dict
dict a bucket=b.c
dict a size=12X
serveur = nats://x
creds = $work/secret
channel c stream=s
dict "open
password = x
user = me
tls_ca = /none
dict e replicas=7
END
    local out status=0 n
    out=$("$bridge" check "$work/c" 2>&1) || status=$?
    [ $status = 1 ] || fail "status $status"
    for n in 1 2 3 4 5 6 7 8 9 10 12 13; do
        grep -q "^shms-bridge: $work/c:$n: " <<<"$out" || fail "nothing is said of line $n: $out"
    done
    grep -q "chmod 600" <<<"$out" || fail "$out"
    grep -q "user and password_file go together" <<<"$out" || fail "$out"
    printf '%s\n' '# a comment' 'server = nats://a:1, nats://b:2' 'machine = 7' '' 'dict "Global\x y" size=1M' >"$work/c"
    "$bridge" check "$work/c" | grep -q "machine 7, 2 servers, 1 dict$" || fail "a good one"
    ! "$bridge" check "$work/none" 2>/dev/null || fail "a file that is not there"
    out=$("$bridge" check "$work/"$'\e[m\302\233m\342\200\256\377' 2>&1) || true
    grep -qF "/?[m?m??: " <<<"$out" || fail "what steers a terminal is sent to it: $out"
    "$bridge" run 2>/dev/null || status=$?
    [ $status = 2 ] || fail "run without a file"
}

# Bursts on both machines end equal, and stay so; a number that counts up is never seen to go back.
step_carry() {
    start_server 0
    two
    set_to 1 colour blue
    until_true 10 is 2 colour blue || fail "a record does not arrive"
    on 2 "$shms" del d colour
    until_true 10 gone 1 colour || fail "a deletion does not arrive"
    on 2 "$peer" forward d n 1500 10 &
    local watch=$!
    on 1 "$peer" forward d n 1500 10 &
    local own=$!
    on 1 "$peer" burst d a- 3000 50 1 >"$work/a" &
    local a=$!
    on 2 "$peer" burst d b- 3000 50 1 >"$work/b" &
    local b=$!
    on 1 "$peer" burst d both- 2000 20 1 >/dev/null &
    local c=$!
    on 2 "$peer" burst d both- 2000 20 1 >/dev/null &
    local e=$!
    on 1 "$peer" count d n 1500 1
    wait $watch || fail "steps backwards"
    wait $own || fail "a machine's own echo took it back"
    wait $a $b $c $e || fail "a burst"
    until_true 10 same || fail "not equal after 10 s"
    # What was still under way comes before a change each way.
    set_to 1 there 1
    until_true 10 both there 1 || fail "no change goes there"
    set_to 2 back 1
    until_true 10 both back 1 || fail "no change comes back"
    same || fail "equal, but not for long"
    cmp "$work/a" <(on 2 "$peer" dump d a-) || fail "changes of machine 1 were lost"
    cmp "$work/b" <(on 1 "$peer" dump d b-) || fail "changes of machine 2 were lost"
    until_true 10 quiet 1 || fail "something waits for ever"
    on 1 "$bridge" status | grep -q "pushed" || fail "status"
    "$peer" bare "nats://127.0.0.1:$port" b 300
    on 2 "$peer" delay d 300 "${machine[1]}"
    # An expiry, and one that is over before it is seen elsewhere.
    on 1 "$shms" set --ttl 700ms d short x
    until_true 5 gone 2 short || fail "what expires"
    # A stop pushes what waits.
    set_to 1 last word
    kill -TERM "${carrier[1]}"
    wait "${carrier[1]}" || fail "the end of a bridge is status $?"
    until_true 10 is 2 last word || fail "the last change before the stop"
}

# A bridge is killed again and again while both machines write.
step_kill() {
    start_server 0
    two
    begin_going
    on 1 "$peer" burst d a- 0 60 1 <"$work/go" >"$work/a" 6>&- &
    local a=$!
    on 2 "$peer" burst d b- 0 60 1 <"$work/go" >"$work/b" 6>&- &
    local b=$!
    on 2 "$peer" forward d n 1000000000 20 6>&- &
    local watch=$!
    on 1 "$peer" count d n 0 1 <"$work/go" 6>&- &
    local counter=$! n
    for n in {1..16}; do
        advances $((1 + RANDOM % 100)) || fail "nothing is carried after kill $((n - 1))"
        stop "${carrier[$((n % 2 + 1))]}"
        start_bridge $((n % 2 + 1)) 6>&-
    done
    end_going
    wait $a $b $counter || fail "a burst"
    wait $watch || fail "steps backwards"
    until_true 10 same || fail "not equal after 10 s"
    cmp "$work/a" <(on 2 "$peer" dump d a-) || fail "changes of machine 1 were lost"
    cmp "$work/b" <(on 1 "$peer" dump d b-) || fail "changes of machine 2 were lost"
    # What changes while no bridge runs is known afterwards: also a deletion, and with more changes than are told.
    set_to 1 kept 1
    set_to 1 dropped 1
    until_true 10 both dropped 1 || fail "before the pause"
    stop "${carrier[1]}"
    on 1 "$shms" del d dropped
    on 1 "$peer" burst d c- 3000 500 0 >"$work/c"
    set_to 2 kept 2
    start_bridge 1
    until_true 10 same || fail "not equal after a pause"
    both kept 2 || fail "a change of the other machine during the pause"
    gone 2 dropped || fail "a deletion during the pause"
    cmp "$work/c" <(on 2 "$peer" dump d c-) || fail "changes during the pause"
}

# Three servers; each is killed in turn, then all of them at once.
step_servers() {
    local n routes="" c=$((port + 10))
    for n in 0 1 2; do routes+="nats://127.0.0.1:$((c + n)),"; done
    for n in 0 1 2; do
        start_server $n "cluster { name: c, listen: \"127.0.0.1:$((c + n))\", routes: [${routes%,}] }"
    done
    url="nats://127.0.0.1:$port, nats://127.0.0.1:$((port + 1)), nats://127.0.0.1:$((port + 2))"
    options="replicas=3"
    two
    set_to 1 first 1
    until_true 30 both first 1 || fail "the cluster does not begin"
    begin_going
    on 1 "$peer" burst d a- 0 60 2 <"$work/go" >"$work/a" 6>&- &
    local a=$!
    on 2 "$peer" burst d b- 0 60 2 <"$work/go" >"$work/b" 6>&- &
    local b=$!
    on 1 "$peer" count d n 0 2 <"$work/go" 6>&- &
    local counter=$!
    for n in 0 1 2; do
        advances 50 || fail "nothing is carried before server $n is killed"
        stop "${server[$n]}"
        advances 50 || fail "two servers of three carry nothing"
        start_server $n 6>&-
    done
    end_going
    wait $a $b $counter || fail "a burst"
    set_to 1 all 1
    until_true 20 both all 1 || fail "after each server was killed"
    for n in 0 1 2; do stop "${server[$n]}"; done
    set_to 1 away one
    set_to 2 away two
    for n in 0 1 2; do start_server $n; done
    until_true 30 both away two || fail "after all servers were killed"
    until_true 10 same || fail "not equal after 10 s"
    cmp "$work/a" <(on 2 "$peer" dump d a-) || fail "changes of machine 1 were lost"
    cmp "$work/b" <(on 1 "$peer" dump d b-) || fail "changes of machine 2 were lost"
}

# Machine 1 reaches its server through a relay, which is stopped, then killed; both go on to write.
step_cut() {
    start_server 0
    "$peer" relay $((port + 5)) "$port" &
    other[relay]=$!
    until_true 5 listens $((port + 5)) || fail "the relay"
    start_machine 1
    start_machine 2
    url=nats://127.0.0.1:$((port + 5)) configure 1
    configure 2
    start_bridge 1
    start_bridge 2
    local key
    for key in one two del1 del2 made; do set_to 1 $key 0; done
    for key in one two del1 del2 made; do until_true 10 both $key 0 || fail "before the cut"; done
    kill -STOP "${other[relay]}"
    set_to 1 one old
    set_to 2 two old
    on 1 "$shms" del d del1
    set_to 2 del2 old
    on 1 "$peer" burst d a- 3000 800 0 >"$work/a"
    on 2 "$peer" burst d b- 3000 800 0 >"$work/b"
    on 1 "$peer" burst d both- 500 20 1 >/dev/null &
    local c=$!
    on 2 "$peer" burst d both- 500 20 1 >/dev/null
    wait $c
    set_to 2 one new
    set_to 1 two new
    set_to 2 del1 again
    on 1 "$shms" del d del2
    stop "${other[relay]}"
    ! both one new || fail "the cut was none"
    "$peer" relay $((port + 5)) "$port" &
    other[relay]=$!
    until_true 10 same || fail "not equal within 10 s of healing"
    both one new || fail "an older write won"
    both two new || fail "an older write won"
    both del1 again || fail "an older deletion won"
    gone 1 del2 || fail "an older write won over a deletion"
    cmp "$work/a" <(on 2 "$peer" dump d a-) || fail "changes of machine 1 were lost"
    cmp "$work/b" <(on 1 "$peer" dump d b-) || fail "changes of machine 2 were lost"
}

# record SECONDS VALUE [MACHINE]: its bytes, written so long from now
record() {
    python3 -c 'import struct,sys,time
print((b"shb1" + bytes(4) + struct.pack("<QQQ", time.time_ns() + int(sys.argv[1]) * 10**9, int((sys.argv + [9])[3]), 0) + sys.argv[2].encode()).hex())' "$@"
}
put() { "$peer" put "nats://127.0.0.1:$port" "\$KV.b.$1" "$2" "${3:-0}"; }

# A bucket that others write into: nothing is overwritten that was newer, nothing hangs.
step_hostile() {
    start_server 0
    two
    set_to 1 good 1
    set_to 1 mine 1
    set_to 1 good2 1
    set_to 1 dead 1
    until_true 10 both dead 1 || fail "before"
    on 1 "$shms" del d dead
    until_true 10 gone 2 dead || fail "a deletion"
    put dead "$(record -1000 x)"
    put good 00ff00ff
    put good 73686231 900000
    put "=4" 00
    put "=ZZ" 00
    put "a.b.c" "$(record 0 x)"
    put "$(printf '=41%.0s' {1..900})" "$(record 0 x)"
    put mine "$(record -1000 old)"
    put far "$(record 90 x)"
    put mine "$(record 100000 x)"
    put large "$(record 0 x)" 200000
    put good2 "$(record 0 x 1)"
    put fine "$(record 0 yes)"
    until_true 10 both fine yes || fail "what is good does not arrive beside what is bad"
    both good 1 || fail "garbage was applied"
    both mine 1 || fail "an old stamp, or one far ahead, was applied"
    gone 1 dead && gone 2 dead || fail "an old record came back to life"
    gone 1 far && gone 2 far || fail "a clock 90 s ahead was believed"
    gone 1 large || fail "a value longer than the dict takes"
    counted() { [ "$(figure 1 ahead)" -ge 2 ] && [ "$(figure 1 foreign)" -ge 3 ]; }
    until_true 5 counted || fail "what is bad is not counted"
    grep -q "ahead of this one's clock" "$work/bridge1.log" || fail "nothing is said of the clock"
    grep -q "good2: another machine has this one's number" "$work/bridge1.log" || fail "nothing is said of a number given twice"
    set_to 2 mine 2
    set_to 2 still here
    until_true 10 is 1 still here || fail "it goes on no more"
    # A machine without anything gets what is good.
    stop "${carrier[1]}"
    on 1 "$shms" rm d >/dev/null
    start_bridge 1
    until_true 10 is 1 still here || fail "a new dict is not filled"
    is 1 good 1 || fail "garbage was not replaced"
    # The server forgets what it had acknowledged, as after a loss of power.
    stop "${server[0]}"
    cp -r "$work/store0" "$work/before"
    start_server 0
    set_to 1 forgotten 1
    until_true 10 is 2 forgotten 1 || fail "before the server forgets"
    stop "${server[0]}"
    rm -rf "$work/store0"
    mv "$work/before" "$work/store0"
    start_server 0
    set_to 2 another 1
    until_true 10 is 1 another 1 || fail "after the server forgot"
    stop "${carrier[2]}"
    on 2 "$shms" rm d >/dev/null
    start_bridge 2
    until_true 10 is 2 forgotten 1 || fail "what the server forgot was not put back"
    # The bucket is thrown away: the machines put back what they have.
    stop "${server[0]}"
    rm -rf "$work/store0"
    start_server 0
    set_to 1 after loss
    until_true 20 is 2 after loss || fail "after the bucket was lost"
    stop "${carrier[2]}"
    on 2 "$shms" rm d >/dev/null
    start_bridge 2
    until_true 20 is 2 good 1 || fail "what the living machines had was not put back"
}

# The second bridge of a dict is told who has it; a killed one's place is free.
step_twice() {
    start_server 0
    start_machine 1
    configure 1
    start_bridge 1
    until_true 10 quiet 1 || fail "status"
    local out status=0
    out=$(on 1 "$bridge" run "$work/c1" 2>&1) || status=$?
    [ $status = 1 ] && grep -q "process ${carrier[1]} ($work/c1) carries it already" <<<"$out" || fail "$status: $out"
    stop "${carrier[1]}"
    on 1 "$bridge" status | grep -q "no bridge runs" || fail "status of a dead one"
    start_bridge 1
    running() { [ "$(figure 1 running)" = true ] && [ "$(figure 1 pid)" = "${carrier[1]}" ]; }
    until_true 10 running || fail "a dead one's place is not free"
    # The dict is removed below it: it ends, and says so.
    on 1 "$shms" rm d >/dev/null
    status=0
    wait "${carrier[1]}" || status=$?
    [ $status = 1 ] && grep -q "made anew" "$work/bridge1.log" || fail "status $status of one whose dict was removed"
    # A server that stores nothing: changes wait, and arrive once there is one that does.
    stop "${server[0]}"
    sed -i.whole '/jetstream/d' "$work/server0.conf"
    start_server 0
    start_bridge 1
    until_true 10 grep -q "looked up.*tried again" "$work/bridge1.log" || fail "nothing is said of a server without JetStream"
    set_to 1 late 1
    waits() { ! quiet 1; }
    until_true 5 waits || fail "a change that nobody stored counts as pushed"
    mv "$work/server0.conf.whole" "$work/server0.conf"
    stop "${server[0]}"
    start_server 0
    until_true 10 quiet 1 || fail "a change that waited is not pushed"
    # No server: it waits, and ends when asked.
    stop "${server[0]}" "${carrier[1]}"
    start_bridge 1
    until_true 10 grep -q "tries on" "$work/bridge1.log" || fail "nothing is said of servers that are away"
    kill -TERM "${carrier[1]}"
    wait "${carrier[1]}" || fail "status $? at the end"
}

# Many keys from nothing, and a full /dev/shm.
step_many() {
    start_server 0
    options="max_size=1G"
    start_machine 1 400m
    start_machine 2 60m
    configure 1
    configure 2
    start_bridge 1
    on 1 "$peer" burst d k 120000 60000 0 >"$work/all"
    until_true 40 quiet 1 || fail "not pushed after 40 s"
    local begin=$SECONDS
    start_bridge 2
    until_true 40 same || fail "not equal after 40 s"
    cmp "$work/all" <(on 1 "$peer" dump d k) || fail "a machine that writes alone has what it did not write"
    echo "$(wc -l <"$work/all") keys from nothing in $((SECONDS - begin)) s"
    on 2 sh -c 'head -c 100000000 /dev/zero >/dev/shm/fill || true' 2>/dev/null
    on 1 "$peer" burst d more 20000 20000 0 >"$work/more"
    no_room() { [ "$(figure 2 full)" -gt 0 ]; }
    until_true 30 no_room || fail "a full /dev/shm was not noticed"
    on 2 rm /dev/shm/fill
    until_true 20 same || fail "not equal after there was room"
}

# Certificates and passwords: right, wrong, missing.
step_tls() {
    command -v openssl >/dev/null || skip "no openssl"
    (
        cd "$work"
        for name in ca other; do
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$name" \
                -keyout $name.key -out $name.pem
        done
        for name in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" -keyout $name.key -out $name.csr
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $name.pem \
                -extfile <(echo "subjectAltName=IP:127.0.0.1")
        done
        chmod 600 ./*.key
        echo secret >password
        echo wrong >wrong
        chmod 600 password wrong
    ) >/dev/null 2>&1
    start_server 0 "tls { cert_file: \"$work/server.pem\", key_file: \"$work/server.key\", ca_file: \"$work/ca.pem\", verify: true }" \
        'authorization { user: me, password: secret }'
    start_machine 1
    local right=("tls_ca = $work/ca.pem" "tls_cert = $work/client.pem" "tls_key = $work/client.key" "user = me" "password_file = $work/password")
    # refused LINE...: no bridge with these settings gets in, and it says why
    refused() {
        configure 1 "$@"
        : >"$work/bridge1.log"
        start_bridge 1
        until_true 10 grep -q "tries on: " "$work/bridge1.log" || fail "nothing is said with: $*"
        stop "${carrier[1]}"
    }
    refused "tls_ca = $work/other.pem" "${right[@]:1}"
    refused "tls_ca = $work/ca.pem" "${right[@]:3}"
    refused "${right[@]:0:4}" "password_file = $work/wrong"
    configure 1 "${right[@]}"
    start_bridge 1
    up() { [ "$(figure 1 connected)" = true ]; }
    until_true 10 up || fail "what is right is refused"
    ! tr '\0' ' ' <"/proc/${carrier[1]}/cmdline" | grep -q secret || fail "the password is in the list of processes"
}

# Each planted bug is caught by a step.
step_planted() {
    local patch by caught=0 all=0 root=${SRC:-$here/../..}
    for patch in "$here"/planted/${PLANTED:-*}.patch; do
        all=$((all + 1))
        rm -rf "$work/tree"
        mkdir -p "$work/tree"
        cp -r "$root/tool" "$work/tree/"
        git -C "$work/tree" apply --unsafe-paths --directory="$work/tree" "$patch" 2>/dev/null ||
            patch -s -p1 -d "$work/tree" <"$patch" || fail "$patch does not apply"
        # shellcheck disable=SC2046 # flags are words
        ${CC:-cc} -std=gnu11 -O1 -I"$root/include" "$work"/tree/tool/bridge/*.c "$work/tree/tool/linux/command.c" "$work/tree/tool/text.c" \
            -o "$work/planted" $(pkg-config --cflags --libs libnats) -L"$BUILD" -lshmstream -Wl,-rpath,"$BUILD" -pthread ||
            fail "$patch does not compile"
        by=$(sed -n 's/^# caught-by: //p' "$patch")
        BRIDGE=$work/planted timeout 60 bash "$here/run.sh" "$by" >"$work/planted.out" 2>&1 || true
        if grep -q '^FAIL: ' "$work/planted.out"; then
            echo "$(basename "$patch" .patch): $(grep -m 1 '^FAIL: ' "$work/planted.out")"
            caught=$((caught + 1))
        else
            echo "NOT CAUGHT by $by: $patch"
        fi
    done
    [ $caught = $all ] || fail "$caught of $all planted bugs caught"
}

"step_$step"
echo "bridge $step: passed"
