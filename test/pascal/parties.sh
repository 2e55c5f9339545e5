# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Tests with two parties, each an array that holds a command which speaks as peer.pas says. Sourced by run.sh
# and by the Windows tests; who sources it has set $tmp and $rounds.
declare -A keys screen party # of those that are running: a pipe to each, one from it, its process

fail() { echo "FAIL: $*"; exit 1; }

# start WHO COMMAND...: runs it beside; WHO is a name for the next three
start() {
    local who=$1 fd
    shift
    rm -f "$tmp/keys.$who" "$tmp/screen.$who"
    mkfifo "$tmp/keys.$who" "$tmp/screen.$who"
    # Without the ends of other parties' pipes, which would never end.
    (
        for fd in "${keys[@]}"; do exec {fd}>&-; done
        exec "$@" <"$tmp/keys.$who" >"$tmp/screen.$who"
    ) &
    party[$who]=$!
    exec {fd}>"$tmp/keys.$who"
    keys[$who]=$fd
    exec {fd}<"$tmp/screen.$who"
    screen[$who]=$fd
}

# hears WHO WORDS: what it says next must be that
hears() {
    local line=
    read -r -t 120 line <&"${screen[$1]}" || true
    line=${line%$'\r'}
    [ "$line" = "$2" ] || fail "$1 says '$line', not '$2'"
}

close_pipes() {
    local fd=${keys[$1]}
    exec {fd}>&-
    fd=${screen[$1]}
    exec {fd}<&-
    unset "keys[$1]" "screen[$1]" "party[$1]"
}

# ends WHO [WORDS]: its input ends; then it says WORDS, and ends well
ends() {
    local fd=${keys[$1]} pid=${party[$1]}
    exec {fd}>&-
    [ $# = 1 ] || hears "$1" "$2"
    wait "$pid" || fail "$1 ends with $?"
    close_pipes "$1"
}

# dies WHO: it is killed
dies() {
    local pid=${party[$1]}
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    close_pipes "$1"
}

# is WORDS COMMAND...: what the command says must be that
is() {
    local words=$1 said
    shift
    said=$("$@") || fail "$* ends with $?"
    said=${said%$'\r'}
    [ "$said" = "$words" ] || fail "$* says '$said', not '$words'"
}

# end_parties: for a trap
end_parties() {
    local who
    for who in "${!party[@]}"; do
        kill -KILL "${party[$who]}" 2>/dev/null || true
    done
}

# both_count A B NAME: they count at once, under one lock, in what A made
both_count() {
    declare -n a=$1 b=$2
    start first "${a[@]}" "$3" stay
    hears first open
    "${a[@]}" "$3" count "$rounds" &
    local one=$!
    "${b[@]}" "$3" count "$rounds" || fail "$2 counts"
    wait $one || fail "$1 counts"
    start second "${b[@]}" "$3" stay
    hears second open
    ends first $((2 * rounds))
    ends second $((2 * rounds))
}

# see_each_other A B NAME: what one writes the other reads
see_each_other() {
    declare -n a=$1 b=$2
    start first "${a[@]}" "$3" stay
    hears first open
    is '' "${b[@]}" "$3" put 12345678901
    is 12345678901 "${a[@]}" "$3" get
    is '' "${a[@]}" "$3" put 5
    is 5 "${b[@]}" "$3" get
    is 100 "${b[@]}" "$3" window 100
    is none "${b[@]}" "$3" window 8192
    ends first 0
}

# one_holds A B NAME: A holds the lock, and B times out; then B gets it
one_holds() {
    declare -n a=$1 b=$2
    start keeper "${b[@]}" "$3" stay
    hears keeper open
    start first "${a[@]}" "$3" hold
    hears first held
    is 'timed out' "${b[@]}" "$3" try 0
    is 'timed out' "${b[@]}" "$3" try 50
    ends first
    is 'got it' "${b[@]}" "$3" try 60000
    ends keeper 0
}

# one_dies A B NAME: A, which is ours, dies holding the lock; B, which is ours, gets it and is told
one_dies() {
    declare -n a=$1 b=$2
    start keeper "${b[@]}" "$3" stay
    hears keeper open
    start first "${a[@]}" "$3" die
    hears first held
    dies first
    is 'died, 1' "${b[@]}" "$3" try 60000
    is 'got it' "${b[@]}" "$3" try 60000
    ends keeper 0
}
