# SPDX-License-Identifier: MIT
"""As count.c."""
import struct
import sys

from shmstream import Channel, Dict, Stream

name, language, slot, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def get(stream, at):
    return struct.unpack("q", stream.pread(8, at))[0]


def put(stream, at, n):
    stream.pwrite(struct.pack("q", n), at)


with Stream(name + "-s") as s, Channel(name + "-c", role="send") as c, Dict(name + "-d") as d:
    print("open", flush=True)
    sys.stdin.readline()
    for _ in range(times):
        with s.locked():
            total, mine = get(s, 0), get(s, 8 * slot)
            d.add(language)
            d.add("all")
            put(s, 0, total + 1)
            put(s, 8 * slot, mine + 1)
        c.send(language)
