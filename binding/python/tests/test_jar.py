# SPDX-License-Identifier: MIT
import os
import pickle
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import shmstream
from common import Case, Child, name
from shmstream import Code

try:
    from shmstream.jar import Cookie, Jar, Refused
except ImportError as e:
    raise unittest.SkipTest(str(e))

URL = "https://a.example.com/x/y"


class Rules(Case):
    def test_set_get_each_put_delete(self):
        with Jar(name("jar"), keep=False) as j:
            self.assertEqual((len(j), list(j), j.get(URL)), (0, [], ""))
            self.assertIsNone(j.set(URL, "sid=31d4; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"))
            self.assertIsNone(j.set(URL, b"wide=1; Domain=example.com"))
            self.assertEqual((j.get(URL), j.get("https://example.com/x/z")), ("wide=1; sid=31d4", "wide=1"))
            self.assertEqual((j.get("http://a.example.com/"), j.get(URL, api=True)), ("", "wide=1"))
            self.assertEqual(j.get(URL, site="cross"), "")
            sid, = j.each("A.example.com")
            self.assertEqual((sid.host, sid.name, sid.value, sid.path), ("a.example.com", "sid", "31d4", "/"))
            self.assertEqual((sid.secure, sid.http_only, sid.host_only, sid.same_site, sid.gone, sid.partition),
                             (True, True, True, "lax", False, None))
            self.assertAlmostEqual(sid.expires, time.time() + 60, delta=30)
            self.assertGreater(sid.created_ns, 0)
            wide, = j.each("example.com")
            self.assertEqual((wide.host_only, wide.expires, wide.expires_ns, wide.same_site), (False, None, 0, None))
            self.assertNotIn("31d4", repr(sid))
            sid.value = "next"
            self.assertIsNone(j.put(sid))
            self.assertEqual(j.each("a.example.com")[0].expires_ns, sid.expires_ns)
            self.assertIn("sid=next", j.get(URL))
            self.assertIsNone(j.put(Cookie("b.example", "n", "v", expires=time.time() + 60)))
            self.assertIsNone(j.put(Cookie("b.example", "n", "v", expires=0)))  # that is over
            self.assertEqual(j.each("b.example"), [])
            j.delete("a.example.com", "sid", "/")
            self.fails(Code.NOT_FOUND, j.delete, "a.example.com", "sid")
            self.assertEqual((j.clear("nobody.example"), j.clear(), len(j)), (0, 1, 0))
            self.assertEqual(j.info()["cookies"], 0)

    def test_refused(self):
        with Jar(name("refused"), keep=False) as j:
            for line, why in (("a=\0", Refused.CONTROL), ("a=b\r\nc", Refused.CONTROL), ("", Refused.EMPTY),
                              ("=", Refused.EMPTY), ("a=" + "b" * 5000, Refused.LONG), ("a=1; Domain=other.test", Refused.DOMAIN),
                              ("a=1; Domain=com", Refused.SUFFIX), ("__Host-a=1", Refused.PREFIX)):
                refused = j.set("https://example.com/", line)
                self.assertIs(refused, why)
                self.assertTrue(refused.text)
            self.assertIs(j.set("http://example.com/", "a=1; Secure"), Refused.INSECURE)
            self.assertIs(j.set(URL, "a=1; HttpOnly", api=True), Refused.HIDDEN)
            self.assertIs(j.set(URL, "a=1; SameSite=Lax", site="cross"), Refused.CROSS_SITE)
            self.assertIs(j.put(Cookie("co.uk", "a", "b", host_only=False)), Refused.SUFFIX)
            self.assertIs(j.put(Cookie("a.test", "a;b", "c")), Refused.UNWRITABLE)
            self.assertEqual(len(j), 0)

    def test_bytes_come_back(self):
        with Jar(name("bytes"), keep=False) as j:
            self.assertIsNone(j.set(URL, b"raw=\xff\xfe"))
            self.assertIsNone(j.set(URL, "text=\u00fc"))
            raw, text = j.each()
            self.assertEqual((raw.value, text.value), (os.fsdecode(b"\xff\xfe"), "\u00fc"))
            self.assertIsNone(j.put(raw))
            self.assertEqual(j.get(URL).encode("utf-8", "surrogateescape"), b"raw=\xff\xfe; text=\xc3\xbc")
            for i in range(5):  # more than the first room for a line
                self.assertIsNone(j.set(URL, f"c{i}={'v' * 3000}"))
            self.assertGreater(len(j.get(URL)), 15000)

    def test_partitions(self):
        with Jar(name("partition"), keep=False) as j:
            self.assertIsNone(j.set(URL, "p=1; Secure; Partitioned; Path=/", partition="https://top.test"))
            self.assertEqual((j.get(URL), j.get(URL, partition="https://top.test")), ("", "p=1"))
            self.assertEqual(j.each()[0].partition, "https://top.test")
            self.fails(Code.NOT_FOUND, j.delete, "a.example.com", "p")
            j.delete("a.example.com", "p", partition="https://top.test")


class Sharing(Case):
    def test_changes_and_waits(self):
        with Jar(name("changes"), keep=False) as j, Jar(name("changes"), keep=False) as other:
            since = j.version
            self.fails(Code.TIMEOUT, j.wait, since, 0)
            self.fails(Code.TIMEOUT, j.wait, since, 0.01)
            setter = threading.Thread(target=lambda: other.set(URL, "a=1; Path=/"))
            setter.start()
            self.assertGreater(j.wait(since, 20), since)
            setter.join()
            changes, now = j.changes(since)
            self.assertEqual([(c.name, c.gone) for c in changes], [("a", False)])
            other.delete("a.example.com", "a")
            changes, now = j.changes(now)
            self.assertEqual([(c.name, c.gone) for c in changes], [("a", True)])
            self.assertEqual(now, j.version)
            self.assertGreaterEqual(j.fileno(), 0)
            for i in range(3000):
                j.put(Cookie(f"h{i % 7}.test", "a", str(i)))
            missed = self.fails(Code.MISSED, j.changes, now)
            self.assertEqual(missed.since, j.version)

    def test_a_killed_child_loses_no_cookie(self):
        code = "with shmstream.Jar(sys.argv[1]) as j:\n" \
               "    n = 0\n" \
               "    while True:\n" \
               "        j.set('https://example.com/', f'c{n % 100}={n}')\n" \
               "        n += 1\n" \
               "        if n == 200: here()\n"
        with Jar(name("killed"), keep=False) as j, Child(code, name("killed")) as child:
            child.wait_here()
            child.kill()
            self.assertEqual(len(j), 100)
            self.assertIsNone(j.set("https://example.com/", "last=1"))
            j.clear()
        shmstream.unlink(name("killed"))

    def test_locks_of_hosts(self):
        code = "j = shmstream.Jar(sys.argv[1])\nwith j.lock('Example.com'):\n    here()\n    sys.stdin.read()\n"
        with Jar(name("lock"), keep=False) as j:
            with j.lock("example.com", 0) as lock:
                self.assertFalse(lock.owner_died)
                self.fails(Code.DEADLOCK, j.lock("EXAMPLE.com", 1).__enter__)
            with Child(code, name("lock")) as child:
                child.wait_here()
                with self.assertRaises(TimeoutError):
                    j.lock("example.com", 0.05).__enter__()
                child.kill()
                with j.lock("example.com", 20) as lock:
                    self.assertTrue(lock.owner_died)
            self.fails(Code.NOT_OWNER, j._unlock, "example.com")
        shmstream.unlink(name("lock"))

    def test_a_signal_ends_a_wait(self):
        class Stop(Exception):
            pass

        def stop(number, frame):
            raise Stop

        old = signal.signal(signal.SIGALRM, stop)
        try:
            with Jar(name("signal"), keep=False) as j:
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                with self.assertRaises(Stop):
                    j.wait(j.version)
        finally:
            signal.signal(signal.SIGALRM, old)

    def test_fork_and_pickle(self):
        with Jar(name("fork"), keep=False) as j:
            pid = os.fork()
            if pid == 0:
                os._exit(0 if j.set(URL, "child=1") is None else 1)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            with pickle.loads(pickle.dumps(j)) as again:
                self.assertEqual([c.name for c in again], ["child"])
        self.assertRaises(TypeError, pickle.dumps, j)
        shmstream.unlink(name("fork"))

    def test_beside_a_stream(self):
        """Jars have a copy of the library of their own: both copies work in one process, in a child, too."""
        with shmstream.Stream(name("beside"), 64) as s, Jar(name("beside-jar"), keep=False) as j:
            with s.locked():
                j.set(URL, "a=1")
                pid = os.fork()
                if pid == 0:
                    ok = j.set(URL, "b=2") is None and not s.acquire(False)
                    os._exit(0 if ok else 1)
                self.assertEqual(os.waitpid(pid, 0)[1], 0)
            self.assertEqual(len(j), 2)
            kinds = {r.name: r.kind for r in shmstream.regions()}
            self.assertIn(name("beside-jar"), kinds)


class Files(Case):
    def test_cookies_txt(self):
        with tempfile.TemporaryDirectory() as folder, Jar(name("files"), keep=False) as j:
            j.set(URL, "a=1; Path=/")
            j.set(URL, "tab=1\t2; Path=/")
            path = os.path.join(folder, "cookies.txt")
            self.assertEqual(j.export_file(path), (1, 1))
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            j.clear()
            self.assertEqual((j.import_file(path), j.get(URL)), ((1, 0), "a=1"))
            self.fails(Code.NOT_FOUND, j.import_file, path + "-")
            with open(path, "w") as file:
                file.write("no cookies\n")
            self.fails(Code.FORMAT, j.import_file, path)


class Bad(Case):
    def test_arguments(self):
        self.fails(Code.NOT_FOUND, Jar, name("none"), create="never")
        self.fails(Code.INVALID, Jar, "")
        self.fails(Code.INVALID, Jar, name("none"), max_size=4096)
        self.fails(Code.NOT_FOUND, Jar, name("none"), suffix_list="/no/such/list")
        for bad in ({"host_cookies": -1}, {"host_cookies": 1 << 70}, {"mode": 1 << 32}, {"max_size": -5}):
            self.assertRaises(OverflowError, Jar, name("none"), **bad)
        for bad in ((None,), (5,), (b"bytes",)):
            self.assertRaises(TypeError, Jar, *bad)
        self.assertRaises(ValueError, Jar, "nul\0")
        self.assertRaises(ValueError, Jar, name("none"), create="perhaps")
        with Jar(name("bad"), keep=False) as j:
            for url in ("", "a", "https://", "https:///x", "ftp://example.com/", "https://a b/", "https://a:70000/",
                        "mailto:x@example.com"):
                self.fails(Code.INVALID, j.get, url)
                self.fails(Code.INVALID, j.set, url, "a=1")
            for wrong in (None, 5, [], object()):
                self.assertRaises(TypeError, j.get, wrong)
                self.assertRaises(TypeError, j.set, URL, wrong)
                self.assertRaises(TypeError, j.delete, wrong, "a")
                self.assertRaises(TypeError, j.delete, "a.test", wrong)
            for wrong in ("1", [], object()):
                self.assertRaises(TypeError, j.wait, wrong)
                self.assertRaises(TypeError, j.changes, wrong)
            for wrong in (5, [], object()):
                self.assertRaises(TypeError, j.each, wrong)
                self.assertRaises(TypeError, j.clear, wrong)
                self.assertRaises(TypeError, j.delete, "a.test", "a", wrong)
                self.assertRaises(AttributeError, j.put, wrong)
                self.assertRaises(ValueError, j.get, URL, site=wrong)
            for text in ("https://a.test/\0", "\0"):
                self.assertRaises(ValueError, j.get, text)
                self.assertRaises(ValueError, j.each, text)
            for change in ({"name": "a\0"}, {"value": "\0"}, {"path": "/\0"}, {"host": "a\0.test"}, {"same_site": "odd"}):
                cookie = Cookie("a.test", "n", "v")
                for key, value in change.items():
                    setattr(cookie, key, value)
                self.assertRaises(ValueError, j.put, cookie)
            self.assertRaises(ValueError, j.delete, "a.test", "n", "/\0")
            cookie = Cookie("a.test", "n", "v", expires_ns=1 << 80)
            self.assertRaises(OverflowError, j.put, cookie)
            self.fails(Code.INVALID, j.put, Cookie("", "n", "v"))
            self.fails(Code.INVALID, j.put, Cookie("a b", "n", "v"))
            self.fails(Code.INVALID, j.changes, -1)
            self.assertRaises(OverflowError, j.changes, 1 << 80)
            self.assertRaises(ValueError, j.wait, 0, -1)
            self.assertRaises(ValueError, j.wait, 0, float("nan"))
            self.assertRaises(ValueError, j.lock("a.test", -1).__enter__)
            self.fails(Code.INVALID, j.get, URL, partition="")
            self.assertEqual(len(j), 0)
            self.assertRaises(RuntimeError, j.__init__, name("bad"))

    def test_closed(self):
        j = Jar(name("closed"), keep=False)
        j.close()
        j.close()
        self.assertTrue(j.closed)
        for call in (lambda: j.get(URL), lambda: j.set(URL, "a=1"), lambda: j.each(), lambda: len(j), j.info,
                     lambda: j.put(Cookie("a.test", "n", "v")), lambda: j.delete("a.test", "n"), j.clear, j.fileno,
                     lambda: j.changes(0), lambda: j.wait(0, 0), lambda: j.version, j.__enter__,
                     lambda: j.lock("a.test").__enter__(), lambda: j.import_file("x"), lambda: j.export_file("x"),
                     lambda: j._unlock("a.test")):
            self.assertRaises(ValueError, call)
        self.assertRaises(ValueError, Jar.__new__(Jar).each)

    def test_readonly(self):
        with Jar(name("readonly"), keep=False) as j, Jar(name("readonly"), readonly=True, keep=False) as look:
            j.set(URL, "a=1; Path=/")
            self.assertEqual(look.get(URL), "a=1")
            self.fails(Code.READ_ONLY, look.set, URL, "b=2")
            self.fails(Code.READ_ONLY, look.put, Cookie("a.test", "n", "v"))

    def test_close_refuses_while_a_thread_waits(self):
        def wait_for(handle, seen):
            try:
                handle.wait(seen, 20)
            except ValueError:
                pass  # it was closed before

        with Jar(name("busy"), keep=False) as j:
            for tries in range(1, 200):  # one of them comes while the thread is inside
                handle = Jar(name("busy"), keep=False)
                waiter = threading.Thread(target=wait_for, args=(handle, handle.version))
                waiter.start()
                time.sleep(0.0005 * tries)
                try:
                    handle.close()
                except RuntimeError:
                    break
                finally:
                    j.set(URL, f"a={tries}")
                    waiter.join()
            else:
                self.fail("closed under a waiter")
            handle.close()

    def test_without_the_extension(self):
        """What is not built says so, and streams work."""
        code = "import sys; sys.modules['shmstream._jar'] = None\nimport shmstream\nshmstream.Stream\n" \
               "try: shmstream.Jar\nexcept ImportError as e: print('libpsl' in str(e))"
        told = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(told, b"True\n")
        self.assertRaises(AttributeError, getattr, shmstream, "nothing")


if __name__ == "__main__":
    unittest.main()
