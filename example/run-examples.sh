#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs every example and compares what it prints.
#     example/run-examples.sh [BUILD]      the build directory; $BUILD or ./build unless given
set -euo pipefail

build=${1:-${BUILD:-build}}
examples=$build/example
name=example-$$
tmp=$(mktemp -d)
mkfifo "$tmp/keys" "$tmp/screen"
failed=0
skipped=0
first=

clean_up() {
    [ -z "$first" ] || kill "$first" 2>/dev/null || true
    wait
    # What an example leaves if it is killed, for running too long.
    for source in "${0%/*}"/*.c; do
        "$build/tool/shms" rm "$name-$(basename "$source" .c)" >"$tmp/rm" 2>&1 || true
    done
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# differs WHAT: says whether $tmp/out is not what stdin says
differs() {
    if diff -u - "$tmp/out"; then
        echo "ok    $1"
    else
        echo "FAIL  $1"
        failed=1
    fi
}

is_built() {
    if [ ! -x "$examples/$1" ]; then
        echo "SKIP: $1 is not built (ci/setup names the packages it needs)"
        skipped=1
        return 1
    fi
}

# expect PROGRAM: runs it; its output must be stdin's
expect() {
    is_built "$1" || return 0
    timeout 30 "$examples/$1" "$name-$1" </dev/null >"$tmp/out" 2>"$tmp/err" || {
        echo "exit status $?" >>"$tmp/out"
        cat "$tmp/err"
    }
    differs "$1"
}

# start COMMAND...: runs it with pipes for a terminal: 3 its keys, 4 its screen
start() {
    timeout 30 "$@" <"$tmp/keys" >"$tmp/screen" &
    first=$!
    exec 3>"$tmp/keys" 4<"$tmp/screen"
}

# show N: waits for N lines of the screen
show() {
    for ((i = 0; i < $1; i++)); do
        if IFS= read -r line <&4; then
            echo "$line" >>"$tmp/out"
        fi
    done
}

# stop: ends the input, and waits for the end
stop() {
    exec 3>&-
    cat <&4 >>"$tmp/out"
    exec 4<&-
    wait "$first" || echo "exit status $?" >>"$tmp/out"
    first=
}

# say WORD: a second process writes it to the same stream
say() {
    timeout 30 "$examples/hello" "$name-hello" "$1" </dev/null
}

# Two processes meet: the first stays until the second is through.
hello() {
    if is_built hello; then
        : >"$tmp/out"
        start "$examples/hello" "$name-hello" one
        show 2
        say two >>"$tmp/out" || echo "exit status $?" >>"$tmp/out"
        stop
        differs hello
    fi
}

# A watcher sees each word that is said.
watch() {
    if is_built "$1"; then
        : >"$tmp/out"
        start "$examples/$1" "$name-hello"
        show 1
        for word in one two; do
            say "$word" >>"$tmp/said" || echo "exit status $?" >>"$tmp/out"
            show 1
        done
        stop
        differs "$1"
    fi
}

hello <<'END'
the stream is new: ""
wrote "one"
the stream was there: "one"
wrote "two"
END

expect channel_epoll <<END
received: one
received: two
received: three
the end: closed by the other side
END
expect channel_jobs <<END
done: job 2
done: job 3
done: job 1, which a worker died of
END
expect channel_request <<END
hello -> HELLO
END
expect channel_ticks <<END
the fast reader is at tick 1000
the slow one is at tick 1000: 1000 in all
END
expect dict_config <<END
reader: the motto is whole
watcher: colour was set
watcher: shape was deleted
watcher: end was set
END
expect dict_cache <<END
4 have the answer; it was computed 1 time
an hour later: nothing of that name
END
expect dict_rate <<END
one worker died after 3 requests; of the others' 10, 7 were allowed
another client: allowed
a minute later: allowed
END
expect dict_leader <<END
term 1
term 2: the leader before died
term 3: the leader before died
term 4
afterwards the office is free
END
# Not every system has libsoup 3; make test-all asks for it.
if [ -x "$examples/jar_soup" ]; then
    expect jar_soup <<END
/login was sent: nothing
in the jar: sid=31d4
/home was sent: sid=31d4; theme=dark
/home was sent: sid=31d4; lang=en
/logout was sent: sid=31d4; lang=en
in the jar: lang=en
END
fi
expect counter <<'END'
4 processes counted to 40000
END

expect repair <<'END'
locked: success; the pair is 0, 0
locked: the lock is yours; an earlier owner died or closed inside its section; the pair is 1, 0
repaired: the pair is 1, 1
locked: success; the pair is 1, 1
END

expect transfer <<'END'
0 + 0; moves -100
100 + -100; moves 30
100 + -100; moves 40
60 + -60; moves 0
END

for loop in watch_epoll watch_uv; do
    watch "$loop" <<'END'
watching
changed: "one"
changed: "two"
END
done

expect snapshot_reader <<'END'
counted to 100000, torn: 0
END

expect growing <<'END'
the other sees 1048576 bytes, and in them "far out"
the pointer is the same
END

expect stdio_file <<'END'
square: 1
square: 4
square: 9
END

expect fork_child <<'END'
child: unlocks: this handle does not hold the lock
child: tries to lock: timed out
child: reads: from the parent
parent: unlocks: success
END

expect readonly <<'END'
reads 64 bytes: look, do not touch
writes: the handle is read-only
the version has not moved
END

expect rollback <<'END'
60: moved; the accounts have 40 and 60
60: not enough, rolled back; the accounts have 40 and 60
40: moved; the accounts have 0 and 100
END

expect turns <<'END'
the ball was hit 10 times
END

expect init <<'END'
the table is full
the table is full
the table is full
END

expect tasks <<'END'
first: lock: success
second: lock: timed out
first: unlock
second: lock: success
second: unlock
END

expect members <<'END'
this process does not hold the lock
another process holds the lock
the other one is killed
this process does not hold the lock
END

expect pass_fd <<'END'
given: 4096 bytes
found: hello
END

[ "$failed" -eq 0 ] || exit 1
[ "$skipped" -eq 0 ] || exit 77
