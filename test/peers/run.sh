#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# test/peers/run.sh [BUILD [RESULT]]: builds the peers' program below BUILD (build) and strikes all its blows, some
# minutes long. What it prints is written to RESULT too, if one is named and all went well.
# SHMS_PEERS_SHORT=1: a part, under a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build} result=${2:-}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
has_program() {
    cmake --build "$build" --target help >"$log" 2>&1 && grep -qw shms_peers "$log"
}

has_program || cmake -S . -B "$build" >/dev/null # what was missing may be there now
has_program || { echo "SKIP: no C++ compiler, Boost, LMDB or cmocka (ci/setup build test peers)"; exit 77; }
cmake --build "$build" --target shms_peers -j2 >"$log" 2>&1 || { cat "$log"; exit 1; }

"$build/test/peers/shms-peers" | tee "$log"
[ -z "$result" ] || { cp "$log" "$result"; chmod 644 "$result"; echo "written: $result"; }
