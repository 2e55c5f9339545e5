#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC1003 # backslashes are what is tested
# ctest: timeout=300
# Every bad input has a message of its own that says what was wrong and what to do, and nothing is lost by it.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
transcript
place=/dev/shm/shms-$(id -u)
try create --size 4096 "$id"
printf treasure | try write "$id"

echo '# names'
try read ''
try read 'Global\'
try read 'Local\'
try read 'a\b'
try read 'Global\a\b'
try read 'global\x'
try create --size 1 "$(printf '%0241d' 0)"
try create --size 1 "$(printf '%081d' 0 | tr 0 /)"
try create --size 1 "$(printf '\377')" 2>&1 | LC_ALL=C tr '\377' '?'
try read "$id-none"
try read "$(printf 'a\033[31mb')"
try rm '' "$id-none" 'a\b'
try info 'a\b'

echo '# sizes and other values'
try create "$id-2"
for size in 0 -1 '' 1KB 1.5K 1Kx x 5000000T 99999999999999999999; do
    try create --size "$size" "$id-2"
done
try create --size 4000000T "$id-2"
for size in 1k 1KiB 1K; do
    try create --size $size --existing "$id-3"
    field "$id-3" size
done
try rm "$id-3"
try create --size 2K --max-size 1K "$id-2"
try read --offset -1 "$id"
try read --count -1 "$id"
try read --count x "$id"
try watch --count 0 "$id"
try wait --since -1 "$id"
try wait --since x "$id"
for time in -1 '' x 1.2.3 5d 1e3 99999999h ms; do
    try read --timeout "$time" "$id"
done
for time in 0 1ms 1.5 2s .5m 1h forever; do
    try read --count 0 --timeout $time "$id"
done
for mode in 0 8 x 0777 0060 -1 99999; do
    try create --size 1 --mode "$mode" "$id-2"
done
for owner in nobody '' -1 4294967295 0x; do
    try read --owner "$owner" "$id"
done
try read --nonsense "$id"
try read -x "$id"
try read --timeout
try read
try read "$id" more
try ls more
try info --text "$id"

echo '# a region that is there'
try create --size 4096 "$id"
try create --existing --size 8192 "$id"

echo '# ranges'
try read --offset 4097 "$id"
try read --offset 4000 --count 97 "$id"
try read --offset 4611686018427387904 --count 4611686018427387904 "$id"
printf x | try write --offset 4096 "$id"

echo '# control files that are none'
try create --size 64 "$id-foreign"
head -c 20480 /dev/zero >"$place/$id-foreign.ctl"
try read "$id-foreign"
try info "$id-foreign"
"$SHMS" ls | grep -F "$id-foreign"
try create --existing --size 64 "$id-foreign"
try rm "$id-foreign"
try create --size 64 "$id-truncated"
truncate -s 100 "$place/$id-truncated.ctl"
try read "$id-truncated"
try rm "$id-truncated"
try create --size 64 "$id-older"
printf '\0\0\0\0' | dd of="$place/$id-older.ctl" bs=1 seek=8 conv=notrunc status=none
try read "$id-older"
try rm "$id-older"
try create --size 64 "$id-link"
rm "$place/$id-link.ctl"
ln -s /etc/passwd "$place/$id-link.ctl"
try read "$id-link"
try create --size 64 "$id-link"
rm "$place/$id-link.ctl"
try create --size 64 "$id-link"
try rm "$id-link"
find "$place" -name "$id-*"

echo '# more than 256 members'
for _ in {1..256}; do
    "$SHMS" wait "$id" &
    ends_with_test $!
done
until_true field_is "$id" members 256
try read --count 8 "$id"
kill "${started[@]}"
wait 2>/dev/null
try read --count 8 "$id"
echo

echo '# more than there is'
try create --size 1000T "$id-2"
"$SHMS" ls | grep -F "$id-2"
finish
