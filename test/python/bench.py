# SPDX-License-Identifier: MIT
"""What calls from Python cost, beside what the standard library has for the same. A report: it asserts nothing.

Ours and theirs take turns in one run, and of each the best of ROUNDS counts, so that what else the machine does weighs
less. bench.py [SECONDS] is how long one measurement may take.
"""
import itertools
import multiprocessing as mp
import os
import sys
import tempfile
import time

import shmstream

try:
    import lmdb
except ImportError:
    lmdb = None

ROUNDS = 5
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 0.3


def name(what):
    return f"bench-py-{what}-{os.getpid()}"


def per_call(call, seconds):
    """Seconds that one call takes."""
    n = 1
    while True:
        start = time.perf_counter()
        for _ in range(n):
            call()
        took = time.perf_counter() - start
        if took > seconds / 4:
            return took / n
        n *= 2


def beside(what, ours, theirs, peer):
    pairs = [(per_call(ours, SECONDS / ROUNDS), per_call(theirs, SECONDS / ROUNDS)) for _ in range(ROUNDS)]
    mine, other = min(p[0] for p in pairs), min(p[1] for p in pairs)
    print(f"{what:28} {mine * 1e6:9.2f} us   {peer:24} {other * 1e6:9.2f} us   ratio {other / mine:7.1f}", flush=True)


def send_ours(name, size, count):
    with shmstream.Channel(name, 0, "send") as c:
        message = b"x" * size
        for _ in range(count):
            c.send(message)


def send_theirs(queue, size, count):
    message = b"x" * size
    for _ in range(count):
        queue.put(message)


def flow(size, count):
    """Seconds a message from one process to another: ours, and a Queue's."""
    fork = mp.get_context("fork")
    with shmstream.Channel(name("flow"), 4 << 20) as c:
        sender = fork.Process(target=send_ours, args=(c.name, size, count))
        sender.start()
        c.recv()
        start = time.perf_counter()
        for _ in range(count - 1):
            c.recv()
        ours = (time.perf_counter() - start) / (count - 1)
        sender.join()
    queue = fork.Queue()
    sender = fork.Process(target=send_theirs, args=(queue, size, count))
    sender.start()
    queue.get()
    start = time.perf_counter()
    for _ in range(count - 1):
        queue.get()
    theirs = (time.perf_counter() - start) / (count - 1)
    sender.join()
    return ours, theirs


def dict_beside_lmdb():
    """A thousand records in shared memory, without a sync."""
    keys = [b"key-%d" % i for i in range(1000)]
    with shmstream.Dict(name("lmdb"), 1 << 20) as d, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        with lmdb.open(folder, map_size=1 << 24, sync=False, writemap=True) as env:
            with env.begin(write=True) as t:
                for key in keys:
                    d[key] = b"v" * 100
                    t.put(key, b"v" * 100)
            turn = itertools.cycle(keys)

            def get_theirs():
                with env.begin() as t:
                    return t.get(next(turn))

            def set_theirs():
                with env.begin(write=True) as t:
                    t.put(next(turn), b"w" * 100)

            def set_ours():
                d[next(turn)] = b"w" * 100

            beside("get, 1000 keys of 100 B", lambda: d[next(turn)], get_theirs, "lmdb")
            beside("set", set_ours, set_theirs, "lmdb")


def main():
    print(f"Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    with shmstream.Stream(name("lock"), 64) as s:
        lock = mp.Lock()

        def ours():
            s.acquire()
            s.release()

        def theirs():
            lock.acquire()
            lock.release()

        beside("acquire and release", ours, theirs, "multiprocessing.Lock")

        def section():
            with s.locked():
                pass

        def with_lock():
            with lock:
                pass

        beside("with a section", section, with_lock, "multiprocessing.Lock")
    for size, count in ((64, 100000), (65536, 3000)):
        pairs = [flow(size, max(10, int(count * SECONDS))) for _ in range(3)]
        mine, other = min(p[0] for p in pairs), min(p[1] for p in pairs)
        print(f"{f'send and receive {size} B':28} {mine * 1e6:9.2f} us   {'multiprocessing.Queue':24} "
              f"{other * 1e6:9.2f} us   ratio {other / mine:7.1f}", flush=True)
    with shmstream.Dict(name("dict"), 1 << 20) as d, mp.Manager() as manager:
        managed = manager.dict()
        d["key"] = managed["key"] = b"v" * 64

        def set_ours():
            d["key"] = b"v" * 64

        def set_theirs():
            managed["key"] = b"v" * 64

        beside("get from a dict", lambda: d["key"], lambda: managed["key"], "Manager().dict")
        beside("set in a dict", set_ours, set_theirs, "Manager().dict")
    if lmdb:
        dict_beside_lmdb()
    else:
        print("no lmdb for this Python (python3-lmdb): left out")


if __name__ == "__main__":
    main()
