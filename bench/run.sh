#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench/run.sh [BUILD [OUT]]: run the benchmark and write OUT/bench.txt, bench.json and bench.svg.
# BUILD is the build directory (build), OUT a directory (doc); both may come from the environment as well.
# Takes about two minutes. The machine should be doing nothing else.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-${BUILD:-build}}
out=${2:-${OUT:-doc}}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$build/bench/shms-bench" --json "$work/bench.json" --table "$work/table" | tee "$work/bench.txt"
if command -v gnuplot >/dev/null; then
    gnuplot -e "table='$work/table'; picture='$work/bench.svg'" "$here/plot.gp"
else
    echo "no picture: gnuplot is missing (ci/setup bench)"
fi

# Only a run that came through replaces what is there.
mkdir -p "$out"
for file in bench.txt bench.json bench.svg; do
    [ ! -f "$work/$file" ] || cp "$work/$file" "$out/$file"
done
echo "written: $out/bench.txt, $out/bench.json, $out/bench.svg"
