#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two machines share a dict through three servers; a server, a bridge and a link are cut in turn, while both write.
# A machine is a network and a mount namespace, with a /dev/shm of its own; the servers have a network of their own.
#     demo/machines.sh [BUILD]      as root; every figure is measured while it runs
set -euo pipefail
export LC_ALL=C
build=$(cd "${1:-${BUILD:-build}}" && pwd)
shms=$build/tool/shms bridge=$build/tool/bridge/shms-bridge peer=$build/test/bridge/peer
skip() { echo "SKIP: $*"; exit 77; }
for tool in nats-server ip unshare nsenter; do command -v $tool >/dev/null || skip "no $tool"; done
for program in "$bridge" "$peer"; do [ -x "$program" ] || skip "$program was not built"; done
unshare -mn true 2>/dev/null || skip "no namespaces may be made here"

tmp=$(mktemp -d)
mkfifo "$tmp/go"
declare -A server carrier space
clean_up() {
    kill -KILL "${carrier[@]}" "${server[@]}" "${space[@]}" 2>/dev/null || true
    wait 2>/dev/null
    rm -rf "$tmp"
}
trap clean_up EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
inside() { nsenter -m -n -t "${space[$1]}" -- "${@:2}"; }
seconds_since() { awk -v ns=$(($(date +%s%N) - $1)) 'BEGIN { printf "%.1f", ns / 1e9 }'; }

# ---- the world: servers s, machines 1 and 2

for n in s 1 2; do
    unshare -mn --propagation private sh -c 'mount -t tmpfs tmpfs /dev/shm && : >/dev/shm/up && exec sleep 600' &
    space[$n]=$!
done
for n in s 1 2; do
    until inside $n test -e /dev/shm/up 2>/dev/null; do sleep 0.05; done
    inside $n ip link set lo up
done
for n in 1 2; do
    inside s ip link add m$n type veth peer name eth0 netns "${space[$n]}"
    inside s ip address add 10.77.$n.1/24 dev m$n
    inside s ip link set m$n up
    inside $n ip address add 10.77.$n.2/24 dev eth0
    inside $n ip link set eth0 up
done
start_server() {
    cat >"$tmp/s$1.conf" <<END
server_name: s$1
listen: 0.0.0.0:422$1
jetstream { store_dir: "$tmp/store$1" }
cluster { name: demo, listen: 127.0.0.1:622$1, routes: [nats://127.0.0.1:6221, nats://127.0.0.1:6222, nats://127.0.0.1:6223] }
END
    nsenter -m -n -t "${space[s]}" -- nats-server -c "$tmp/s$1.conf" >>"$tmp/s$1.log" 2>&1 &
    server[$1]=$!
}
start_bridge() {
    printf '%s\n' "machine = $1" "dict shared replicas=3 size=4M max_size=64M" \
        "server = nats://10.77.$1.1:4221, nats://10.77.$1.1:4222, nats://10.77.$1.1:4223" >"$tmp/c$1"
    nsenter -m -n -t "${space[$1]}" -- "$bridge" run "$tmp/c$1" 2>>"$tmp/b$1.log" &
    carrier[$1]=$!
}
same() { cmp -s <(inside 1 "$peer" dump shared) <(inside 2 "$peer" dump shared); }
# wait_for SECONDS WHAT COMMAND...
wait_for() {
    local tries=$(($1 * 20)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $((tries--)) -gt 0 ] || { tail -n 5 "$tmp"/[bs]?.log >&2; inside 1 "$bridge" status; inside 2 "$bridge" status; fail "$what"; }
        sleep 0.05
    done
}
for n in 1 2 3; do start_server $n; done
start_bridge 1
start_bridge 2
wait_for 20 "no dict" inside 1 "$shms" info shared
wait_for 20 "no dict" inside 2 "$shms" info shared
inside 1 "$shms" set shared hello world
wait_for 30 "the servers do not begin" inside 2 "$shms" get shared hello

echo "Two machines, three servers: a change of machine 1, seen by a waiting program on machine 2"
inside 2 "$peer" delay shared 500 "${space[1]}" | sed 's/^bridge: /    /'

# ---- cuts

# cut WHAT SECONDS BEGIN END: both machines write all the time, until after the cut
cut() {
    local what=$1 duration=$2 begin_cut=$3 end_cut=$4 begun healed
    exec 6<>"$tmp/go" # the writers' input: they end with it
    inside 1 "$peer" burst shared a- 0 200 2 <"$tmp/go" >"$tmp/a" 6>&- &
    local a=$!
    inside 2 "$peer" burst shared b- 0 200 2 <"$tmp/go" >"$tmp/b" 6>&- &
    local b=$!
    cuts=$((cuts + 1))
    inside 2 "$peer" forward shared n$cuts 400 60 >/dev/null 6>&- &
    local watch=$!
    sleep 0.5
    $begin_cut
    inside 1 "$shms" set shared newer$cuts "machine 1"
    sleep 0.1
    inside 2 "$shms" set shared newer$cuts "machine 2"
    sleep "$duration"
    $end_cut 6>&-
    begun=$(date +%s%N)
    inside 1 "$peer" count shared n$cuts 400 1
    exec 6>&-
    wait $a $b || fail "a writer"
    wait_for 40 "not equal after: $what" same
    healed=$(seconds_since "$begun")
    wait $watch || fail "a step backwards: $what"
    cmp -s "$tmp/a" <(inside 2 "$peer" dump shared a-) || fail "changes of machine 1 were lost: $what"
    cmp -s "$tmp/b" <(inside 1 "$peer" dump shared b-) || fail "changes of machine 2 were lost: $what"
    [ "$(inside 1 "$shms" get shared newer$cuts)" = "machine 2" ] || fail "an older write won: $what"
    printf '    %-34s equal %4s s after its end, 0 changes lost, the newer write on both\n' "$what" "$healed"
}
cuts=0
stop() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null || true
}
kill_server() { stop "${server[$victim]}"; }
again_server() { start_server "$victim"; }
kill_bridge() { stop "${carrier[$victim]}"; }
again_bridge() { start_bridge "$victim"; }
link_down() { inside s ip link set m1 down; }
link_up() { inside s ip link set m1 up; }
kill_all() { for victim in 1 2 3; do kill_server; done; }
again_all() { for victim in 1 2 3; do start_server $victim; done; }

echo "Cuts, while both machines write without a pause of more than 2 ms:"
for victim in 1 2 3; do cut "server $victim killed for 2 s" 2 kill_server again_server; done
for victim in 1 2; do cut "bridge $victim killed for 1 s" 1 kill_bridge again_bridge; done
cut "all servers killed for 2 s" 2 kill_all again_all
cut "the link of machine 1 down for 10 s" 10 link_down link_up
echo "Both ends are equal: $(inside 1 "$peer" dump shared | wc -l) records."
