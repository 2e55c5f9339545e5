#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh LIBRARY INCLUDE [FLAG...]: builds the addon into prebuilds/, by the C compiler alone.
#   LIBRARY  libshmstream.a, which becomes part of the addon
# JAR_LIBRARY: libshmstream-jar.a; then a second addon, with jars, which needs libpsl and libidn2. The first one is
#   loaded where these are not there.
#   INCLUDE  the folder of shmstream.h
# NODE_INCLUDE: the folder of node_api.h (/usr/include/node)
# Says which glibc each addon needs at least, where binutils are there to tell.
set -eu
cd "$(dirname "$0")"
library=$1 include=$2
shift 2
target=$(node -p "process.platform + '-' + process.arch")
case $("${CC:-cc}" -dumpmachine) in *musl*) libc=musl ;; *) libc=glibc ;; esac
mkdir -p "prebuilds/$target"
# addon NAME MORE...
addon() {
    name=$1
    shift
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -DSHMS_STATIC -O2 -fPIC -shared -fvisibility=hidden -pthread \
        -Wall -Wextra -Wshadow -Wconversion "-I$include" -isystem "${NODE_INCLUDE:-/usr/include/node}" src/*.c "$@" \
        -Wl,--exclude-libs,ALL -o "prebuilds/$target/$name.napi.$libc.node"
}

addon node src/jar/none.c "$library" "$@"
if [ -n "${JAR_LIBRARY:-}" ]; then
    # shellcheck disable=SC2046 # words
    addon jar src/jar/jar.c "$JAR_LIBRARY" "$library" "$@" $(pkg-config --cflags --libs libpsl libidn2)
fi
[ "$libc" = glibc ] && command -v objdump >/dev/null || exit 0
for file in "prebuilds/$target"/*.glibc.node; do
    least=$(objdump -T "$file" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -n 1)
    echo "$file: glibc $least or newer"
done
