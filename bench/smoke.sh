#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Smoke test of the benchmark: a quick run shows every line, each a positive number. No speed is asserted.
# ctest: serial
set -euo pipefail
build=${BUILD:-build}
program=$build/bench/shms-bench
[ -x "$program" ] || { echo "SKIP: $program is not built"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The program itself ends with 1 where a figure is not a positive number.
"$program" --quick --json "$work/json" --table "$work/table" > "$work/text"

# Boost and LMDB are looked for when the build is configured.
ours() { grep -vE 'Boost|LMDB'; }
ours > "$work/expected" <<'EOT'
limit-call getppid
limit-line round trip
uncontended bare CAS pair
uncontended shmstream, tasks
uncontended shmstream, lock+rollback
uncontended shmstream
uncontended pthread process-shared
uncontended pthread robust
uncontended sem_t
uncontended Boost interprocess_mutex
uncontended flock
uncontended fcntl (OFD)
record-64 shmstream
record-64 pthread process-shared
record-64 pthread robust
record-64 sem_t
record-64 Boost interprocess_mutex
record-64 flock
record-64 fcntl (OFD)
contended shmstream
contended pthread process-shared
contended pthread robust
contended sem_t
contended Boost interprocess_mutex
contended flock
contended fcntl (OFD)
contended-100ns shmstream
contended-100ns pthread process-shared
contended-100ns pthread robust
contended-100ns sem_t
contended-100ns Boost interprocess_mutex
contended-100ns flock
contended-100ns fcntl (OFD)
hand-off shmstream
hand-off pthread process-shared
hand-off pthread robust
hand-off sem_t
hand-off Boost interprocess_mutex
hand-off flock
hand-off fcntl (OFD)
shared shmstream
shared pthread rwlock
readers shmstream
readers shmstream, one process
readers pthread rwlock
readers pthread rwlock, one process
atomic-64 shmstream
atomic-64 shmstream, atomic
recovery shmstream
recovery pthread robust
recovery fcntl (OFD)
recovery-first shmstream
recovery-first pthread robust
recovery-first fcntl (OFD)
newcomer shmstream
newcomer pthread robust
newcomer fcntl (OFD)
write-64 shmstream
write-64 memcpy
read-64 shmstream
read-64 memcpy
write-1K shmstream
write-1K memcpy
read-1K shmstream
read-1K memcpy
write-64K shmstream
write-64K memcpy
read-64K shmstream
read-64K memcpy
write-1M shmstream
write-1M memcpy
read-1M shmstream
read-1M memcpy
snapshot shmstream
snapshot bare seqlock
snapshot bare seqlock, inlined
snapshot pthread mutex
snapshot pthread rwlock
snapshot-busy shmstream
snapshot-busy bare seqlock
snapshot-busy bare seqlock, inlined
snapshot-busy pthread mutex
snapshot-busy pthread rwlock
round-trip shmstream
round-trip bare futex
poll-round-trip shmstream
poll-round-trip eventfd
open shmstream
open shm_open+mmap+munmap+close
control shmstream
dict-get shmstream
dict-get LMDB
dict-get-two shmstream
dict-get-two shmstream, one process
dict-get-two LMDB
dict-set shmstream
dict-set LMDB
dict-5 shmstream
dict-5 LMDB
dict-50 shmstream
dict-50 LMDB
dict-50-four shmstream
dict-50-four LMDB
dict-stopped shmstream
dict-stopped shmstream, no writer
dict-large shmstream
dict-large LMDB
dict-memory shmstream
dict-memory LMDB
EOT

sed -n 's/.*"group": "\([^"]*\)", "name": "\([^"]*\)".*/\1 \2/p' "$work/json" | ours > "$work/lines"
diff -u "$work/expected" "$work/lines"
[ "$(grep -c '"met": ' "$work/json")" = "$(grep -q LMDB "$work/json" && echo 29 || echo 21)" ]
grep -q '^what it must reach' "$work/text"
[ "$(grep -c '^# ' "$work/table")" = "$(cut -d' ' -f1 "$work/lines" | sort -u | wc -l)" ]
if command -v python3 >/dev/null; then
    python3 -m json.tool "$work/json" > "$work/pretty"
fi
echo "$(wc -l < "$work/lines") lines"
