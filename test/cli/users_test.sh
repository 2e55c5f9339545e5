#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # inner shells expand
# Regions of other users, and a /dev/shm that is full. Both need root.
# shellcheck source=test/cli/lib.sh
# shellcheck source=test/cli/lib.sh
. "$(dirname "$0")/lib.sh"
if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
    echo "SKIP: needs root and setpriv"
    exit 77
fi
transcript

# The other user must be able to run the program, wherever it was built.
mkdir "$work/bin"
cp "$SHMS" "$work/bin/shms"
ldd "$SHMS" | sed -nE 's/.*(libshmstream[^ ]*) => ([^ ]+) .*/\2/p' | xargs -r cp -L -t "$work/bin"
chmod -R a+rX "$work"
root_shms=$SHMS
as_other() {
    echo '# as the other user:'
    SHMS=$work/other try "$@"
}
cat >"$work/other" <<END
#!/bin/sh
LD_LIBRARY_PATH=$work/bin exec setpriv --reuid 65534 --regid 65534 --clear-groups $work/bin/shms "\$@"
END
chmod +x "$work/other"

echo '# another user has the name'
try create --size 8 --mode 0600 "Global\\$id-private"
printf 12345678 | try write "Global\\$id-private"
as_other read "Global\\$id-private"
as_other create --size 8 --existing "Global\\$id-private"
printf x | as_other write --owner any --mode 0666 "Global\\$id-private"
as_other rm "Global\\$id-private"
as_other info "Global\\$id-private"

echo '# one that others may read'
try create --size 8 --mode 0644 "Global\\$id-read"
printf 12345678 | try write --mode 0644 "Global\\$id-read"
printf x | try write "Global\\$id-read"
as_other cat "Global\\$id-read"
as_other cat --owner any --mode 0644 "Global\\$id-read"
as_other cat --no-lock --owner any --mode 0666 "Global\\$id-read"
echo
printf x | as_other write --owner any --mode 0644 "Global\\$id-read"
as_other watch --owner any --mode 0644 "Global\\$id-read"
as_other rm "Global\\$id-read"

echo '# a dict that others may read'
try dict create --size 64K --mode 0644 "Global\\$id-dict"
try set --mode 0644 "Global\\$id-dict" key value
as_other get "Global\\$id-dict" key
as_other get --owner any --mode 0644 "Global\\$id-dict" key
echo
as_other keys --json --owner any --mode 0644 "Global\\$id-dict"
as_other changes --owner any --mode 0644 "Global\\$id-dict"
as_other changes --follow --timeout 60ms --owner any --mode 0644 "Global\\$id-dict"
as_other set --owner any --mode 0644 "Global\\$id-dict" key other
as_other add --owner any --mode 0644 "Global\\$id-dict" n
as_other lock --key key --owner any --mode 0644 "Global\\$id-dict" -- true
try get --mode 0644 "Global\\$id-dict" key
echo

echo '# one that all may use'
try create --size 8 --mode 0666 "Global\\$id-all"
as_other read "Global\\$id-all"
as_other read --owner root "Global\\$id-all"
printf abcdefgh | as_other write --owner 0 --mode 0666 "Global\\$id-all"
try read --mode 0666 "Global\\$id-all"
echo
as_other rm "Global\\$id-all"

echo '# one of the other user'
as_other create --size 8 "Global\\$id-other"
try read "Global\\$id-other"
printf y | try write --owner 65534 "Global\\$id-other"
try rm "Global\\$id-other"
as_other create --size 8 "$id-own"
try info "$id-own"
as_other rm "$id-own"

try read "Global\\$id-private"
echo

if unshare -m sh -c 'mount -t tmpfs -o size=256k none /dev/shm' 2>/dev/null; then
    echo '# a full /dev/shm' 
    export -f try
    unshare -m bash -c '
        mount -t tmpfs -o size=256k none /dev/shm
        try create --size 64K "$id-full"
        echo safe | try write --text "$id-full"
        try create --size 192K "$id-fuller"
        head -c 1M /dev/zero >/dev/shm/filler 2>/dev/null
        try create --size 1 "$id-fuller"
        try create --size 1 "Global\\$id-fuller"
        try read --text "$id-full"
        try ls | sed -E "s/ +[0-9]+[smhd] / AGE /"
        rm /dev/shm/filler
        try create --size 1 "$id-fuller"
        try rm "$id-full" "$id-fuller"
        ls -A /dev/shm /dev/shm/*
        echo "# another user made the place of the private names"
        chmod 1777 /dev/shm
        mkdir /dev/shm/shms-65534
        try create --size 1 --mode 0666 "Global\\$id-all"
        export SHMS=$work/other
        try create --size 1 "Global\\$id-own"
        try create --size 1 "$id"
        try info "$id"
        try ls --quiet
        try ls --quiet "Global\\$id-*"
        try read "Global\\$id-all"
        try sweep
        try rm "$id*"
        try rm --all --yes
        try ls "Global\\$id-own"'
else
    echo "not checked, no mount namespace: a full /dev/shm" >&2
    sed -n '/^# a full/,$p' "$here/users_test.expected"
fi
SHMS=$root_shms
finish
