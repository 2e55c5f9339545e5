#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh LANGUAGE: the program of doc/recipes.md in lua, ruby, php, perl, go or csharp, as it stands there but for the
# names. It counts, alone and beside others; it sends; it tells of an owner that was killed; it does not wait for ever.
# BUILD and SRC are set by CTest.
set -euo pipefail

language=$1
shms=$BUILD/tool/shms
visits=test-recipes-visits-$$ visitors=test-recipes-visitors-$$
tmp=$(mktemp -d)
beside=
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null || true; "$shms" rm "$visits" 2>/dev/null || true; rm -rf "$tmp"' EXIT
export LD_LIBRARY_PATH=$BUILD HOME=$tmp
fail() { echo "FAIL: $*"; cat "$tmp/log" 2>/dev/null || true; exit 1; }

# needs COMMAND...
needs() {
    local one
    for one in "$@"; do
        command -v "$one" >/dev/null || { echo "SKIP: no $one (ci/setup recipes)"; exit 77; }
    done
}

# page FENCE FILE: the block of that language
page() {
    local name
    awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```$/ { on = 0 } on' "$SRC/doc/recipes.md" |
        sed -E "s/(['\"])visits(['\"])/\1$visits\2/; s/(['\"])visitors(['\"])/\1$visitors\2/" >"$tmp/$2"
    for name in "$visits" "$visitors"; do
        grep -q "$name" "$tmp/$2" || fail "no program for $1 in doc/recipes.md"
    done
}

# The array `program` runs it.
program=()
make_program() {
    case $language in
    lua) needs luajit; page lua p.lua; program=(luajit "$tmp/p.lua") ;;
    ruby)
        needs ruby
        ruby -e "require 'fiddle'" 2>/dev/null || { echo "SKIP: no fiddle of Ruby"; exit 77; }
        page ruby p.rb
        program=(ruby "$tmp/p.rb")
        ;;
    php)
        needs php
        php -r 'exit(class_exists("FFI") ? 0 : 1);' || { echo "SKIP: no FFI of PHP (ci/setup recipes)"; exit 77; }
        page php p.php
        program=(php "$tmp/p.php")
        ;;
    perl)
        needs perl
        perl -MFFI::Platypus -e 1 2>/dev/null || { echo "SKIP: no FFI::Platypus (ci/setup recipes)"; exit 77; }
        page perl p.pl
        program=(perl "$tmp/p.pl")
        ;;
    go)
        needs go gcc
        page go p.go
        CGO_CFLAGS=-I$SRC/include CGO_LDFLAGS=-L$BUILD GO111MODULE=off GOFLAGS='' GOCACHE=$tmp/cache \
            go build -o "$tmp/p" "$tmp/p.go" >"$tmp/log" 2>&1 || fail "go build"
        program=("$tmp/p")
        ;;
    csharp)
        needs mcs mono
        page csharp p.cs
        mcs -out:"$tmp/p.exe" "$tmp/p.cs" >"$tmp/log" 2>&1 || fail "mcs"
        program=(mono "$tmp/p.exe")
        ;;
    *) fail "no language $language" ;;
    esac
}

# says TEXT: what the program prints
says() {
    local said
    said=$("${program[@]}" 2>"$tmp/log" | paste -sd,) || fail "it ends with $?"
    [ "$said" = "$1" ] || fail "it says '$said', not '$1'"
}

make_program
"$shms" create --size 4 "$visits"
says 'visit 1'
says 'visit 2'

# Several at once: none is lost.
pids=()
for i in 1 2 3 4 5 6; do
    "${program[@]}" >"$tmp/said$i" 2>&1 &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "one of six: $(cat "$tmp"/said?)"; done
[ "$(cat "$tmp"/said? | sort | paste -sd,)" = 'visit 3,visit 4,visit 5,visit 6,visit 7,visit 8' ] || fail "six: $(cat "$tmp"/said?)"

# A line through the channel. It is there before the sender begins: with its last handle it would be gone.
"$shms" recv --count 1 "$visitors" >"$tmp/received" &
beside=$!
until "$shms" ls --quiet 2>/dev/null | grep -qx "$visitors"; do :; done
says 'visit 9'
wait $beside || fail "shms recv"
beside=
[ "$(cat "$tmp/received")" = 'visit 9' ] || fail "received: $(cat "$tmp/received")"

# An owner is killed. That is told, once, and the lock is had.
# shellcheck disable=SC2016 # the inner shell's
{ "$shms" lock "$visits" -- sh -c 'kill -KILL $PPID'; } 2>/dev/null && fail "nobody died"
says 'the owner before died,visit 10'
says 'visit 11'

# Another process keeps the lock.
if "$shms" lock "$visits" -- "${program[@]}" >"$tmp/log" 2>&1; then fail "it has counted without the lock"; fi
grep -q 'timed out' "$tmp/log" || fail "it does not say that it timed out"
says 'visit 12'
"$shms" info "$visits" | grep -q 'members *0' || fail "it is still a member: $("$shms" info "$visits")"
echo "$language: as doc/recipes.md says"
