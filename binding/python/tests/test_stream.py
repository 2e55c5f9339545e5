# SPDX-License-Identifier: MIT
import contextlib
import ctypes
import gc
import os
import pickle
import re
import signal
import sys
import textwrap
import threading
import time
import unittest

import shmstream
from common import ROOT, Case, Child, name
from shmstream import Code, Stream

HUGE = 1 << 80


class Codes(Case):
    def test_codes_are_the_headers(self):
        text = (ROOT / "include/shmstream.h").read_text()
        block = re.search(r"#define SHMS_CODES\(X\)(.*?)\n\n", text, re.S)[1]
        want = {n: (int(v), t) for n, v, t in re.findall(r'X\((\w+), (-?\d+), +"([^"]*)"\)', block)}
        self.assertGreater(len(want), 20)
        self.assertEqual(shmstream._shmstream.codes, want)
        for full, (value, _) in want.items():
            self.assertEqual(Code[full.replace("SHMS_E_", "").replace("SHMS_", "")], value)
        self.assertEqual(shmstream.__version__, re.search(r'VERSION_STRING "(.*)"', text)[1])

    def test_errors_are_the_built_in_ones(self):
        error = self.fails(Code.NOT_FOUND, Stream, name("none"))
        self.assertIsInstance(error, FileNotFoundError)
        self.assertEqual(error.filename, name("none"))
        with Stream(name("errors"), 8) as s:
            self.assertIsInstance(self.fails(Code.EXISTS, Stream, s.name, 8, create="only"), FileExistsError)
            s.acquire()
            self.assertIsInstance(self.fails(Code.TIMEOUT, Stream(s.name).locked(0).__enter__), TimeoutError)
            self.fails(Code.NOT_OWNER, Stream(s.name).release)

    def test_lives_with_its_readers(self):
        self.assertTrue(issubclass(shmstream.Denied, PermissionError))
        self.assertTrue(issubclass(shmstream.Closed, EOFError))


class Bytes(Case):
    def test_two_handles(self):
        with Stream(name("bytes"), 100) as s, Stream(name("bytes")) as other:
            self.assertEqual((s.existed, other.existed, s.size), (False, True, 100))
            with s.locked(1) as section:
                self.assertFalse(section.owner_died)
                self.assertEqual(s.pwrite(b"hello", 10), 5)
            self.assertEqual(other.snapshot(5, 10), b"hello")
            self.assertEqual(other.wait(0, 1), other.version)
            self.assertEqual((s.write(b"abc"), s.tell(), s.seek(1), s.read(2)), (3, 3, 1, b"bc"))
            self.assertEqual(len(s.read()), 97)
            self.assertEqual(s.read(10), b"")
            into = bytearray(5)
            self.assertEqual(other.snapshot_into(into, 10), 5)
            self.assertEqual(into, b"hello")
            self.assertEqual(other.pread(1000, 98), b"\0\0")
            self.assertEqual(len(other.snapshot()), 100)

    def test_unnamed(self):
        with Stream(None, 16) as s:
            s.pwrite(b"x", 0)
            fd = s.fd()
            with Stream.from_fd(fd) as other:
                self.assertEqual(other.pread(1, 0), b"x")
            os.close(fd)
            with self.assertRaises(TypeError):
                pickle.dumps(s)

    def test_resize_and_files(self):
        path = "/tmp/" + name("file")
        with Stream(name("size"), 10, max_size=100) as s:
            self.fails(Code.NOT_OWNER, s.resize, 20)
            with s.locked():
                s.resize(20)
            self.assertEqual(s.size, 20)
            s.pwrite(b"z", 19)
            self.assertEqual(s.save(path), 20)
            s.pwrite(b"\0", 19)
            self.assertEqual(s.load(path), 20)
            self.assertEqual(s.pread(1, 19), b"z")
            self.assertEqual(self.fails(Code.NOT_FOUND, s.save, "/nowhere/file").filename, "/nowhere/file")
        os.unlink(path)

    def test_no_view_while_a_thread_resizes(self):
        wrong, stop = [], threading.Event()
        with Stream(name("resized"), 1 << 12, max_size=1 << 25) as s, s.locked():
            def look():
                while not stop.is_set():
                    with contextlib.suppress(BufferError), memoryview(s) as view:
                        time.sleep(0.0005)
                        if len(view) != s.size:
                            wrong.append((len(view), s.size))
                    time.sleep(0.0005)
            looker = threading.Thread(target=look)
            looker.start()
            for i in range(200):
                time.sleep(0.0002)
                with contextlib.suppress(BufferError):
                    s.resize(1 << 25 if s.size == 1 << 12 else 1 << 12)
            stop.set()
            looker.join()
        self.assertEqual(wrong, [])

    def test_an_open_timeout_of_0_does_not_wait(self):
        def outlived():
            """Whether a patient snapshot still waits for the section when an impatient one has given up."""
            def wait(stream):
                with contextlib.suppress(shmstream.Timeout):
                    stream.snapshot()
            with Stream(name("at-once"), 8) as owner, Stream(owner.name, open_timeout=4) as patient, \
                    Stream(owner.name, open_timeout=0) as s:
                with owner.locked():
                    waiter = threading.Thread(target=wait, args=(patient,))
                    waiter.start()
                    self.fails(Code.TIMEOUT, s.snapshot)
                    outlived = waiter.is_alive()
                waiter.join()
                return outlived
        self.assertTrue(any(outlived() for _ in range(3)))

    def test_pickle_opens_by_name(self):
        with Stream(name("pickle"), 8) as s:
            with pickle.loads(pickle.dumps(s)) as other:
                s.pwrite(b"p", 0)
                self.assertEqual(other.pread(1, 0), b"p")

    def test_read_only(self):
        with Stream(name("ro"), 8) as s, Stream(name("ro"), readonly=True) as r:
            self.fails(Code.READ_ONLY, r.pwrite, b"x", 0)
            view = memoryview(r)
            self.assertTrue(view.readonly)
            with self.assertRaises(TypeError):
                view[0] = 1
            view.release()
            self.assertEqual(s.readonly, False)


class Lock(Case):
    def test_acquire(self):
        with Stream(name("lock"), 8) as s, Stream(name("lock")) as other:
            self.assertTrue(s.acquire())
            self.assertFalse(other.acquire(False))
            self.assertFalse(other.acquire(timeout=0.001))
            self.assertFalse(s.acquire(block=False))  # tasks: it waits for itself
            s.release()
            self.assertTrue(other.acquire(True, 1))
            other.release()
            with s.locked_shared(), other.locked_shared(1):
                self.assertFalse(s.acquire(False))

    def test_exception_rolls_back(self):
        for atomic in (True, False):
            with Stream(name("rolls"), 8, atomic=atomic) as s:
                s.pwrite(b"a", 0)
                with self.assertRaises(KeyError):
                    with s.locked():
                        s.pwrite(b"b", 0)
                        raise KeyError
                self.assertEqual(s.pread(1, 0), b"a" if atomic else b"b")
                self.assertTrue(s.acquire(False))
                s.release()
        with Stream(name("rolls"), 8, atomic=True) as s:
            with s.locked() as section:
                s.pwrite(b"b", 0)
                section.rollback()
                self.assertTrue(s.acquire(False))
                s.release()
            self.assertEqual(s.pread(1, 0), b"\0")

    def test_owner_killed(self):
        with Stream(name("killed"), 8) as s:
            with Child("s = shmstream.Stream(sys.argv[1]); s.acquire(); here(); signal.pause()", s.name) as child:
                child.wait_here()
                self.assertFalse(s.acquire(timeout=0.001))
                child.kill()
            for _ in range(2):
                with s.locked(10) as section:
                    self.assertTrue(section.owner_died)
            self.fails(Code.CORRUPT, s.snapshot)
            with s.locked(10) as section:
                section.repaired()
                self.assertFalse(section.owner_died)
            with s.locked(10) as section:
                self.assertFalse(section.owner_died)

    def test_two_processes_with_four_threads(self):
        code = """
import threading
s = shmstream.Stream(sys.argv[1])
def count():
    for _ in range(500):
        with s.locked():
            s.pwrite((int.from_bytes(s.pread(4, 0), 'little') + 1).to_bytes(4, 'little'), 0)
threads = [threading.Thread(target=count) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
s.close()
"""
        with Stream(name("crowd"), 4) as s:
            with Child(code, s.name), Child(code, s.name):
                pass
            self.assertEqual(int.from_bytes(s.snapshot(4), "little"), 4000)
            members = [r.members for r in shmstream.regions() if r.name == s.name]
            self.assertEqual(members, [1])

    def test_snapshot_in_ones_own_section(self):
        with Stream(name("own"), 8) as s, s.locked():
            self.fails(Code.DEADLOCK, s.snapshot)

    def test_waits_inside_a_section(self):
        code = """
s = shmstream.Stream(sys.argv[1])
with s.locked(10):
    here()
    while s.pread(1, 0) != b'x':
        assert s.wait_locked(10)
    s.pwrite(b'y', 1)
"""
        with Stream(name("inside"), 8) as s:
            with Child(code, s.name) as child:
                child.wait_here()
                with s.locked(10):
                    s.pwrite(b"x", 0)
            self.assertEqual(s.pread(2, 0), b"xy")
            with s.locked() as section:
                self.assertFalse(s.wait_locked(0.001))
                s.pwrite(b"own", 0)  # what it writes itself is no news
                self.assertFalse(s.wait_locked(0.25))
                section.buf[0] = 1
                self.assertFalse(s.wait_locked(0.001))
                self.assertFalse(s.wait_locked(0.25))
            with s.locked():
                self.assertFalse(s.wait_locked(0.001))

    def test_threads_play_ball_inside_sections(self):
        with Stream(name("threads"), 8) as one, Stream(name("threads")) as two:
            def play(s, mine):
                with s.locked(30):
                    for i in range(mine, 400, 2):
                        while int.from_bytes(s.pread(4, 0), "little") != i:
                            self.assertTrue(s.wait_locked(30))
                        s.pwrite((i + 1).to_bytes(4, "little"), 0)
            second = threading.Thread(target=play, args=(two, 1))
            second.start()
            play(one, 0)
            second.join()
            self.assertEqual(one.pread(4, 0), (400).to_bytes(4, "little"))

    def test_no_news_is_lost_between_slices(self):
        code = """
s = shmstream.Stream(sys.argv[1])
for i in range(1, 31):
    with s.locked(10):
        here()
        while not [r for r in shmstream.regions() if r.name == s.name and r.waiters]:
            time.sleep(0.0001)  # the other one comes as soon as it may
        while s.pread(1, 0)[0] != i:
            assert s.wait_locked(10)
"""
        with Stream(name("news"), 8) as s:
            with Child(code, s.name) as child:
                for i in range(1, 31):
                    child.wait_here()
                    with s.locked(60):
                        s.pwrite(bytes([i]), 0)
            self.assertEqual(child.process.returncode, 0)


class Interpreter(Case):
    """Threads, signals, fork, the collector."""

    def test_others_run_while_one_waits(self):
        with Stream(name("gil"), 8) as s, Stream(name("gil")) as other:
            s.acquire()
            got = []
            waiter = threading.Thread(target=lambda: got.append(other.acquire()))
            waiter.start()
            while other.closed or not [r for r in shmstream.regions() if r.name == s.name and r.waiters]:
                time.sleep(0.001)  # it is asleep; and this thread runs
            self.assertEqual(got, [])
            with self.assertRaises(RuntimeError):
                other.close()  # a thread waits inside
            s.release()
            waiter.join()
            self.assertEqual(got, [True])
            other.release()

    def test_a_signal_ends_a_wait(self):
        def alarm(*_):
            raise InterruptedError("rang")

        old = signal.signal(signal.SIGALRM, alarm)
        try:
            with Stream(name("signal"), 8) as s, Stream(name("signal")) as other:
                s.acquire()
                for call in (other.acquire, other.locked().__enter__, other.locked_shared().__enter__,
                             lambda: other.wait(other.version)):
                    signal.setitimer(signal.ITIMER_REAL, 0.02)
                    with self.assertRaises(InterruptedError):
                        call()
                s.release()
                self.assertTrue(other.acquire(False))  # nothing is left of the waits
                other.release()
        finally:
            signal.signal(signal.SIGALRM, old)

    def test_another_interpreter_is_refused(self):
        code = textwrap.dedent("""
            try:
                import _xxsubinterpreters as interpreters
            except ImportError:
                import _interpreters as interpreters
            other = interpreters.create()
            try:
                result = interpreters.run_string(other, f"import sys; sys.path = {sys.path}; import shmstream")
                assert result, "imported"
            except interpreters.RunFailedError as e:
                assert "ImportError" in str(e), e
            interpreters.destroy(other)
            try:
                shmstream.Stream("test-py-nowhere")
            except shmstream.NotFound:  # not one of the other's
                here()
        """).replace("except interpreters.RunFailedError", "except getattr(interpreters, 'RunFailedError', ())")
        with Child(code) as child:
            child.wait_here()

    def test_the_end_while_a_thread_waits(self):
        code = """
import threading
s = shmstream.Stream(sys.argv[1]); c = shmstream.Channel(sys.argv[2])
threading.Thread(target=s.acquire, daemon=True).start()
threading.Thread(target=c.recv, daemon=True).start()
here()
"""
        with Stream(name("end"), 8) as s, s.locked(), shmstream.Channel(name("ends"), 4096, "send") as c:
            with Child(code, s.name, c.name) as child:
                child.wait_here()
            self.assertEqual(child.process.returncode, 0)

    def test_fork_with_the_lock_held(self):
        with Stream(name("fork"), 8) as s:
            pid = None
            with s.locked():
                s.pwrite(b"p", 0)
                pid = os.fork()
                if pid == 0:
                    try:
                        status = 1
                        if not s.acquire(False) and s.pread(1, 0) == b"p":
                            s.release()
                    except shmstream.Error as e:
                        status = 0 if e.code == Code.NOT_OWNER else 2
                    os._exit(status)
                self.assertEqual(os.waitpid(pid, 0)[1], 0)
            self.assertTrue(s.acquire(False))
            s.release()

    def test_a_child_may_leave_its_parents_section(self):
        with Stream(name("leave"), 8) as s:
            parent = os.getpid()
            try:
                with s.locked():
                    if os.fork() != 0:
                        self.assertEqual(os.wait()[1], 0)
                        self.assertFalse(Stream(s.name).acquire(False))  # the parent still has it
            except shmstream.Error:
                if os.getpid() == parent:
                    raise
                os._exit(1)
            if os.getpid() != parent:
                os._exit(0)

    def test_fork_while_a_thread_waits(self):
        with Stream(name("busy"), 8) as s, Stream(name("busy")) as other:
            s.acquire()
            waiter = threading.Thread(target=lambda: other.acquire() and other.release())
            waiter.start()
            while not [r for r in shmstream.regions() if r.name == s.name and r.waiters]:
                time.sleep(0.001)
            pid = os.fork()
            if pid == 0:
                other.acquire(timeout=0.001)
                other.close()  # the thread that waits is the parent's
                os._exit(0)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            s.release()
            waiter.join()

    def test_views_keep_the_memory(self):
        s = Stream(name("views"), 8)
        view = memoryview(s)
        view[0] = 7
        with self.assertRaises(BufferError):
            s.close()
        s.acquire()
        with self.assertRaises(BufferError):
            s.resize(4)
        s.release()
        part = view[1:3]
        view.release()
        del view, s
        gc.collect()
        part[0] = 9  # the stream is open as long as there is a view
        self.assertEqual(bytes(part), b"\x09\0")
        part.release()

    def test_the_view_of_a_section_ends_with_it(self):
        with Stream(name("buf"), 8) as s:
            with s.locked() as section:
                view = section.buf
                view[0] = 3
            with self.assertRaises(ValueError):
                view[0]
            with self.assertRaises(ValueError):
                section.buf
            with s.locked() as section:
                array = (ctypes.c_char * 8).from_buffer(section.buf)
            self.assertTrue(s.acquire(False))
            s.release()
            with self.assertRaises(BufferError):
                s.close()
            array[0] = b"y"  # the memory is there as long as it is used
            del array, section
            gc.collect()

    def test_closed(self):
        s = Stream(name("closed"), 8)
        section = s.locked()
        s.close()
        s.close()
        self.assertTrue(s.closed)
        for call in (s.acquire, s.release, s.snapshot, lambda: memoryview(s), section.__enter__, s.fileno, s.read,
                     lambda: s.version, lambda: s.pwrite(b"", 0), lambda: s.wait(0), s.locked, s.notify, s.__enter__):
            with self.assertRaises(ValueError):
                call()
        blank = Stream.__new__(Stream)
        with self.assertRaises(ValueError):
            blank.acquire()
        self.assertIsNone(blank.name)
        with self.assertRaises(TypeError):
            shmstream.Section()

    def test_wrong_arguments(self):
        for size, error in ((-1, OverflowError), (HUGE, OverflowError), (1.5, TypeError), ("8", TypeError),
                            (None, TypeError)):
            with self.assertRaises(error):
                Stream(name("wrong"), size)
        self.fails(Code.INVALID, Stream, name("wrong"), (1 << 62) + 1)
        for bad in (5, b"x", ["x"]):
            with self.assertRaises(TypeError):
                Stream(bad, 8)
        for bad in ("a\0b", "\ud800"):
            with self.assertRaises(ValueError):
                Stream(bad, 8)
        for bad in ({"create": "maybe"}, {"owners": "them"}, {"owners": True}, {"create": []}, {"open_timeout": -1}):
            with self.assertRaises(ValueError):
                Stream(name("wrong"), 8, **bad)
        for bad in ({"mode": -1}, {"mode": 1 << 32}, {"max_size": HUGE}, {"owners": HUGE}):
            with self.assertRaises(OverflowError):
                Stream(name("wrong"), 8, **bad)
        with Stream(name("wrong"), 8) as s:
            for bad in (-1, float("nan"), -0.5):
                with self.assertRaises(ValueError):
                    s.acquire(timeout=bad)
            for bad in ("1", [], b""):
                with self.assertRaises(TypeError):
                    s.locked(bad)
            for good in (float("inf"), 1e300, HUGE, 0, True):
                self.assertTrue(s.acquire(timeout=good))
                s.release()
            with self.assertRaises(TypeError):
                s.acquire(1, 2, 3)
            with self.assertRaises(TypeError):
                s.acquire(nothing=1)
            with self.assertRaises(TypeError):
                s.acquire(True, block=True)
            for call in (lambda: s.pread(8, HUGE), lambda: s.pwrite(b"", -HUGE), lambda: s.seek(HUGE),
                         lambda: s.pread(HUGE, 0), lambda: s.wait(HUGE)):
                with self.assertRaises(OverflowError):
                    call()
            self.fails(Code.RANGE, s.pread, 8, -1)
            self.fails(Code.RANGE, s.pwrite, b"x", 8)
            self.assertEqual(s.pread(sys.maxsize, 0), bytes(8))
            with self.assertRaises(TypeError):
                s.pwrite("text", 0)

    def test_no_reference_is_lost(self):
        if not hasattr(sys, "getrefcount"):
            self.skipTest("no reference counts here")
        with Stream(name("refs"), 64) as s:
            data, timeout = b"x" * 8, 1.5

            def rounds(n):
                for _ in range(n):
                    with s.locked(timeout) as section:
                        s.pwrite(data, 0)
                        section.buf[0]
                    s.acquire(True, timeout)
                    s.release()
                    s.snapshot(8)
                    memoryview(s).release()
                    try:
                        s.release()
                    except shmstream.Error:
                        pass
                    try:
                        Stream(name("none"))
                    except shmstream.NotFound:
                        pass

            rounds(100)
            gc.collect()
            counted = [s, data, timeout, None, True, shmstream.Section, s.name, shmstream.Error]
            before = [sys.getrefcount(o) for o in counted], len(gc.get_objects())
            rounds(10000)
            gc.collect()
            after = [sys.getrefcount(o) for o in counted], len(gc.get_objects())
            for b, a in zip(before[0] + [before[1]], after[0] + [after[1]]):
                if b < 1 << 31:  # None is immortal since 3.12, and its count means nothing
                    self.assertLess(abs(a - b), 1000)


if __name__ == "__main__":
    unittest.main()
