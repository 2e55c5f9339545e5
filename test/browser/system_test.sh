#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# system_test.sh SHMS-COOKIE: shms-cookie browser install|uninstall --system, in a mount namespace of its own: /etc and
# /usr/lib are in memory there, their other entries links to the real ones, and what is written vanishes with it.
set -euo pipefail
cookie=$(realpath "$1")
if [ "${2:-}" != inside ]; then
    [ "$(id -u)" = 0 ] || { echo "SKIP: not root"; exit 77; }
    # Mounted there inside, so that this folder is empty at the end.
    place=$(mktemp -d -p /tmp) # where any user comes
    trap 'rmdir "$place"' EXIT
    if ! unshare --mount mount -t tmpfs tmpfs "$place" 2>/dev/null; then
        echo "SKIP: no mount namespaces here"
        exit 77
    fi
    unshare --mount --propagation private bash "$0" "$cookie" inside "$place"
    exit
fi

place=$3
fail() { echo "FAILED: $*" >&2; exit 1; }

# in_memory FOLDER NAME...: a FOLDER whose entries are links to those of the real one, without these
in_memory() {
    local folder=$1 real=$place/real$1 shown=$place/shown$1 name
    mkdir -p "$real" "$shown"
    mount --bind "$folder" "$real"
    ln -s "$real"/* "$shown"
    for name in "${@:2}"; do rm -f "$shown/$name"; done
    mount --bind "$shown" "$folder"
}
mount -t tmpfs -o mode=755 tmpfs "$place"
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
in_memory /etc chromium
in_memory /usr/lib mozilla
if [ -e /etc/chromium ] || [ -e /usr/lib/mozilla ]; then fail "this would write outside"; fi

# A copy that every user can run.
mkdir -p "$place/tool/bin" "$place/tool/share/shmstream" "$place/lib" "$place/home"
cp "$cookie" "$place/tool/bin/shms-cookie"
ldd "$cookie" | awk '/libshmstream/ { print $3 }' | xargs -r cp -t "$place/lib"
touch "$place/tool/share/shmstream/extension"
export LD_LIBRARY_PATH=$place/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} HOME=$place/home
unset XDG_CONFIG_HOME
jar="it's a jar"
chromium=/etc/chromium/native-messaging-hosts/shmstream.cookies
firefox=/usr/lib/mozilla/native-messaging-hosts/shmstream.cookies
browser() { "$place/tool/bin/shms-cookie" browser "$@"; }
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"; }

# files: what lies in the folders, with mode and owner
files() { find /etc/chromium/ /usr/lib/mozilla/ "$HOME" -type f -printf '%p %m %u\n' | sort; }
none_but() { [ "$(files)" = "$1" ] || fail "expected: $1; there are: $(files)"; }

# answers MANIFEST KEY ORIGIN...: as the browser of any user runs the host, the jar is the installation's
answers() {
    local path
    for path in "$2" "${@: -1}"; do grep -qF "\"$path\"" "$1" || fail "$1 has no $path"; done
    path=$(as_nobody sed -n 's/.*"path": "\(.*\)",/\1/p' "$1")
    for who in env as_nobody; do
        $who "$path" "${@:3}" </dev/null | grep -aqF "\"$jar\"" || fail "$who $path: no host"
    done
}
chrome_id=$(sed -n 's/^#define CHROMIUM_ORIGIN "\(.*\)"/\1/p' "$SRC/tool/cookie/extension_id.h")

# The folders are for all users, whatever the mask.
said=$(umask 077 && browser install all --system --jar "$jar")
[ "${said##*$'\n'}" = "$place/tool/share/shmstream/extension" ] || fail "$said"
none_but "$(printf '%s\n' "$chromium.json 644 root" "$chromium.sh 755 root" "$firefox.json 644 root" "$firefox.sh 755 root")"
answers $chromium.json allowed_origins "$chrome_id"
answers $firefox.json allowed_extensions manifest.json cookies@shmstream.example
browser install all --system --jar "$jar" >/dev/null # again

# Another user can do neither, and is told where.
for what in install uninstall; do
    status=0
    said=$(as_nobody "$place/tool/bin/shms-cookie" browser $what all --system 2>&1) || status=$?
    [ $status = 1 ] || fail "$what by another user: status $status"
    [[ $said == *"/etc/chromium/native-messaging-hosts: Permission denied"*"/usr/lib/mozilla/"*denied* ]] || fail "$said"
done
answers $chromium.json allowed_origins "$chrome_id"

# One of them; what others put there stays.
touch "${firefox%/*}/other.json"
browser uninstall firefox --system >/dev/null
none_but "$(printf '%s\n' "$chromium.json 644 root" "$chromium.sh 755 root" "${firefox%/*}/other.json 644 root")"
browser uninstall all --system >/dev/null
browser uninstall all --system >/dev/null # again
none_but "${firefox%/*}/other.json 644 root"
echo "installed for all users, and gone again"
