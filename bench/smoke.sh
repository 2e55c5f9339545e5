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

# Boost, concurrencykit, LMDB and SQLite, and what the jar needs, are looked for when the build is configured.
no_guests() { grep -v '^jar\|"jar\|Boost\|ck_ring\|LMDB\|SQLite'; }
no_guests > "$work/expected" <<'EOT'
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
channel-8 shmstream
channel-8 shmstream, copied out
channel-8 shmstream, without promises
channel-8 ck_ring
channel-8 Boost message_queue
channel-8 pipe
channel-8 Unix socket
channel-8 POSIX message queue
channel-64 shmstream
channel-64 shmstream, copied out
channel-64 shmstream, without promises
channel-64 ck_ring
channel-64 Boost message_queue
channel-64 pipe
channel-64 Unix socket
channel-64 POSIX message queue
channel-1K shmstream
channel-1K shmstream, copied out
channel-1K shmstream, without promises
channel-1K ck_ring
channel-1K Boost message_queue
channel-1K pipe
channel-1K Unix socket
channel-1K POSIX message queue
channel-64K shmstream
channel-64K shmstream, copied out
channel-64K shmstream, without promises
channel-64K ck_ring
channel-64K Boost message_queue
channel-64K pipe
channel-64K Unix socket
channel-2-2 shmstream
channel-2-2 ck_ring
channel-2-2 Boost message_queue
channel-4-4 shmstream
channel-4-4 ck_ring
channel-4-4 Boost message_queue
broadcast shmstream
broadcast shmstream, copied out
broadcast-4 shmstream
broadcast-4 shmstream, copied out
channel-ring shmstream
channel-ring a ring of 256 KiB
channel-ring a ring of 64 KiB
channel-ring a ring of 4 KiB
channel-spin shmstream
channel-spin a flag and 64 moving bytes
channel-sleep shmstream
channel-sleep bare futex
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
jar-get shmstream
jar-set shmstream
EOT

sed -n 's/.*"group": "\([^"]*\)", "name": "\([^"]*\)".*/\1 \2/p' "$work/json" > "$work/all"
no_guests < "$work/all" > "$work/lines"
diff -u "$work/expected" "$work/lines"
[ "$(grep '"met": ' "$work/json" | no_guests | wc -l)" = 25 ]
grep -q '^what it must reach' "$work/text"
[ "$(grep -c '^# ' "$work/table")" = "$(cut -d' ' -f1 "$work/all" | sort -u | wc -l)" ]
if command -v python3 >/dev/null; then
    python3 -m json.tool "$work/json" > "$work/pretty"
fi
echo "$(wc -l < "$work/lines") lines"
