# SPDX-License-Identifier: MIT
import collections.abc
import os
import pickle
import signal
import sys
import threading
import unittest

import shmstream
from common import Case, Child, name
from shmstream import Code, Dict


class Mapping(Case):
    def test_is_a_mapping(self):
        with Dict(name("dict"), 1 << 20) as d:
            self.assertIsInstance(d, collections.abc.MutableMapping)
            self.assertNotIn("colour", d)
            self.assertEqual((d.get("colour"), d.get("colour", 5)), (None, 5))
            with self.assertRaises(KeyError) as caught:
                d["colour"]
            self.assertEqual(caught.exception.args, ("colour",))
            with self.assertRaises(KeyError):
                del d["colour"]
            d["colour"] = "blue"
            d[b"a\0b"] = large = os.urandom(30000)
            d["empty"] = b""
            self.assertEqual((d["colour"], d["a\0b"], d[b"empty"], len(d)), (b"blue", large, b"", 3))
            want = {b"colour": b"blue", b"a\0b": large, b"empty": b""}
            self.assertEqual(dict(d), want)
            self.assertEqual(d, want)
            self.assertEqual(sorted(d.values()), sorted(want.values()))
            self.assertEqual(dict(d.items()), want)
            self.assertEqual(set(d.keys()), set(want))
            self.assertIn("empty", d)
            self.assertEqual((d.pop("empty"), d.pop("empty", None)), (b"", None))
            with self.assertRaises(KeyError):
                d.pop("empty")
            self.assertEqual((d.setdefault("colour", "red"), d.setdefault("shape", "round")), (b"blue", b"round"))
            d.update({"x": "1", "y": "2"})
            self.assertIn(d.popitem()[0], [b"colour", b"shape", b"x", b"y", b"a\0b"])
            d.clear()
            self.assertEqual((len(d), list(d)), (0, []))
            with self.assertRaises(KeyError):
                d.popitem()

    def test_conditions_and_counters(self):
        with Dict(name("conditions"), 1 << 16) as d:
            version = d.set("k", "1", if_version=-1)
            self.fails(Code.EXISTS, d.set, "k", "2", if_version=-1)
            self.fails(Code.CHANGED, d.set, "k", "2", if_version=version + 9)
            self.assertEqual(d.find("k"), (b"1", version, 0))
            self.assertGreater(d.set("k", "2", if_version=version), version)
            self.fails(Code.CHANGED, d.delete, "k", if_version=version)
            self.assertIsNone(d.find("none"))
            self.assertEqual((d.add("n"), d.add("n", 41), d.add("m", -1, 10)), (1, 42, 9))
            self.fails(Code.INVALID, d.add, "k")
            self.fails(Code.RANGE, d.add, "n", (1 << 63) - 1)
            d.set("t", "v", ttl=3600)
            self.assertGreater(d.find("t")[2], 0)
            for bad in (0, -1, float("nan")):
                with self.assertRaises(ValueError):
                    d.set("t", "v", ttl=bad)
            self.fails(Code.RANGE, d.set, "t", "v", ttl=1e300)

    def test_changes_and_waits(self):
        with Dict(name("changes"), 1 << 16) as d, Dict(name("changes")) as other:
            since = d.version
            self.fails(Code.TIMEOUT, d.wait, since, 0)
            setter = threading.Thread(target=lambda: other.set("k", "v"))
            setter.start()
            self.assertEqual(d.wait(0, 10, "k"), 1)
            setter.join()
            del other["k"]
            changes, now = d.changes(since)
            self.assertEqual([(c.key, c.gone) for c in changes], [(b"k", True)])
            self.assertEqual(now, d.version)
            for _ in range(2000):
                d.add("n")
            self.fails(Code.MISSED, d.changes, now)

    def test_locks_of_keys(self):
        code = "d = shmstream.Dict(sys.argv[1]); d.lock('job').__enter__(); here(); signal.pause()"
        with Dict(name("locks"), 1 << 16) as d, Dict(name("locks")) as other:
            with d.lock("job", 1) as lease:
                self.assertFalse(lease.owner_died)
                self.fails(Code.TIMEOUT, other.lock("job", 0.001).__enter__)
            with Child(code, d.name) as child:
                child.wait_here()
                child.kill()
            with other.lock("job", 10) as lease:
                self.assertTrue(lease.owner_died)

    def test_what_leaves_a_lock_is_the_news(self):
        d = Dict(name("news"), 1 << 16)
        with self.assertRaises(KeyError):
            with d.lock("job"):
                d.close()
                raise KeyError("job")

    def test_a_lock_that_is_interrupted_is_given_back(self):
        class Interrupted(shmstream.KeyLock):
            owner_died = property(lambda self: False, lambda self, died: self._held and signal.raise_signal(signal.SIGALRM))

        def alarm(*_):
            raise InterruptedError
        old = signal.signal(signal.SIGALRM, alarm)
        try:
            with Dict(name("interrupted"), 1 << 16) as d, Dict(name("interrupted")) as other:
                with self.assertRaises(InterruptedError):
                    Interrupted(d, "job", None).__enter__()
                with other.lock("job", 0) as lease:
                    with self.assertRaises(RuntimeError):
                        lease.__enter__()
                    self.fails(Code.TIMEOUT, d.lock("job", 0).__enter__)
        finally:
            signal.signal(signal.SIGALRM, old)

    def test_a_child_may_leave_its_parents_lock(self):
        with Dict(name("leave"), 1 << 16) as d:
            child = 0
            try:
                with d.lock("job"):
                    child = os.fork()
                    if child:
                        self.assertEqual(os.waitpid(child, 0)[1], 0)
                        with Dict(d.name) as other:
                            self.fails(Code.TIMEOUT, other.lock("job", 0).__enter__)
            finally:
                if not child:
                    os._exit(sys.exc_info()[0] is not None)

    def test_two_processes_with_four_threads(self):
        code = """
import threading
d = shmstream.Dict(sys.argv[1])
threads = [threading.Thread(target=lambda: [d.add("n") for _ in range(500)]) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""
        with Dict(name("crowd"), 1 << 16) as d:
            with Child(code, d.name), Child(code, d.name):
                pass
            self.assertEqual(d.add("n", 0), 4000)

    def test_one_of_many_pops(self):
        with Dict(name("pop"), 1 << 16) as d:
            got = []
            for i in range(100):
                d[f"k{i}"] = str(i)
            def pop():
                for i in range(100):
                    value = d.pop(f"k{i}", None)
                    if value is not None:
                        got.append(value)
            threads = [threading.Thread(target=pop) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(sorted(got), sorted(str(i).encode() for i in range(100)))

    def test_saved_and_pickled(self):
        path = "/tmp/" + name("saved")
        with Dict(name("saved"), 1 << 16) as d:
            d["k"] = "v"
            self.assertEqual(d.save(path), 1)
            with pickle.loads(pickle.dumps(d)) as other:
                self.assertEqual(other["k"], b"v")
            d.clear()
            self.assertEqual(d.load(path), 1)
            self.assertEqual(d["k"], b"v")
        os.unlink(path)


class Interpreter(Case):
    def test_a_signal_ends_a_wait(self):
        def alarm(*_):
            raise InterruptedError

        old = signal.signal(signal.SIGALRM, alarm)
        try:
            with Dict(name("signal"), 1 << 16) as d, Dict(name("signal")) as other, other.lock("k"):
                for call in (lambda: d.wait(d.version), d.lock("k").__enter__):
                    signal.setitimer(signal.ITIMER_REAL, 0.02)
                    with self.assertRaises(InterruptedError):
                        call()
        finally:
            signal.signal(signal.SIGALRM, old)

    def test_wrong_arguments(self):
        with Dict(name("wrong"), 1 << 16, key_max=16, value_max=64) as d:
            for bad in (5, None, ["k"], 1.5):
                for call in (lambda: d[bad], lambda: d.get(bad), lambda: bad in d, lambda: d.set(bad, "v"),
                             lambda: d.set("k", bad), lambda: d.pop(bad), lambda: d.add(bad), lambda: d.find(bad)):
                    with self.assertRaises(TypeError):
                        call()
            self.fails(Code.INVALID, d.set, "", "v")
            self.fails(Code.RANGE, d.set, "k" * 17, "v")
            self.fails(Code.RANGE, d.set, "k", "v" * 65)
            with self.assertRaises(UnicodeEncodeError):
                d["\ud800"]
            for call in (lambda: d.add("k", 1 << 80), lambda: d._next(-1), lambda: d._changes(1 << 64)):
                with self.assertRaises(OverflowError):
                    call()
            with self.assertRaises(TypeError):
                hash(d)
            walk = iter(d)
            d["k"] = "v"
            self.assertEqual(next(walk), b"k")
        with self.assertRaises(ValueError):
            next(walk)  # closed meanwhile
        for call in (lambda: d["k"], lambda: len(d), lambda: list(d), lambda: "k" in d, d.info, lambda: d.version):
            with self.assertRaises(ValueError):
                call()
        self.assertIsNone(shmstream.Dict.__hash__)


if __name__ == "__main__":
    unittest.main()
