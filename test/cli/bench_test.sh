#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench prints a line a result, with a unit, and leaves nothing. No figure is judged.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript
"$SHMS" bench >"$work/out" &
pid=$!
ends_with_test $pid
wait $pid || fail "bench: $?"
sed -E 's/ +[0-9]+\.[0-9] (ns|us|GiB\/s)$/  FIGURE/' "$work/out"
"$SHMS" ls --json | grep -E "shms-(bench|echo)-$pid\"" && fail "bench left a region"
finish
