#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shms-cookie host, as a browser meets it. No browser is needed.  host_test.py SHMS-COOKIE SHMS"""
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
from browser_model import Browser, CHROMIUM, FIREFOX, Host, PATIENCE_S, cookie, happened, key_of, tell_happened

PROGRAM, SHMS = sys.argv[1:3]
FAR = 4102444800  # 2100: more than the 400 days that a jar allows


def until(look):
    with happened:
        assert happened.wait_for(look, PATIENCE_S), "waited in vain"


class HostTest(unittest.TestCase):
    count = 0

    def setUp(self):
        HostTest.count += 1
        self.jar = f"host-{os.getpid()}-{HostTest.count}"
        self.addCleanup(subprocess.run, [SHMS, "rm", self.jar], stderr=subprocess.DEVNULL)

    def until_jar(self, look):
        """until(), woken by each change of the jar, too."""
        watcher = subprocess.Popen([PROGRAM, "watch", "--jar", self.jar], stdout=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda: [tell_happened() for _ in watcher.stdout])
        reader.start()
        try:
            until(look)
        finally:
            watcher.kill()
            reader.join()
            watcher.stdout.close()
            watcher.wait()

    # ---- the jar from outside

    def run_cookie(self, *words, data=""):
        return subprocess.run([PROGRAM, words[0], "--jar", self.jar, *words[1:]], input=data, text=True,
                              capture_output=True, check=True).stdout

    def set_jar(self, *lines, url="https://example.com/", more=()):
        self.run_cookie("set", *more, url, data="\n".join(lines) + "\n")

    def in_jar(self):
        lines = self.run_cookie("ls", "--json").splitlines()
        return {key_of(c): c for c in map(json.loads, lines)}

    def wait_jar(self, *wanted):
        self.until_jar(lambda: self.in_jar() == {key_of(c): c for c in wanted})

    def browser(self, *cookies, **more):
        made = Browser(PROGRAM, self.jar, cookies, **more)
        self.addCleanup(lambda: made.host.process.poll() is None and made.host.process.kill())
        return made

    def wait_browser(self, browser, *wanted):
        wanted = {key_of(c): c for c in wanted}
        try:
            until(lambda: browser.cookies() == wanted)
        except AssertionError:
            self.assertEqual(browser.cookies(), wanted)

    def end(self, browser, words=""):
        status, said = browser.end()
        self.assertEqual((status, said), (0, words))

    # ---- the walk

    def test_walk_makes_both_equal_and_the_jar_wins(self):
        self.set_jar("jar=1", "both=jar", "same=1")
        b = self.browser(cookie("mine", "1"), cookie("both", "browser"), cookie("same", "1"))
        wanted = [cookie("jar", "1", secure=False), cookie("both", "jar"), cookie("same", "1"), cookie("mine", "1")]
        self.wait_browser(b, *wanted)
        self.wait_jar(*wanted)
        self.assertCountEqual([w["cookie"]["name"] for w in b.writes], ["jar", "both"])
        self.end(b)

    def test_walk_in_parts(self):
        many = [cookie(f"n{i}", "x" * 4000, host=f"h{i // 50}.example.com") for i in range(300)]
        b = self.browser(wait_ready=False)
        until(lambda: b.equal.is_set())
        self.end(b)
        h = Host(PROGRAM, self.jar)
        for i in range(0, 300, 50):
            h.send({"type": "have", "cookies": many[i:i + 50]})
        h.send({"type": "ready"})
        while h.receive()["type"] != "equal":
            pass
        self.wait_jar(*many)
        self.assertEqual(h.end(), (0, ""))
        c = self.browser()
        self.wait_browser(c, *many)
        self.end(c)

    # ---- what arrives as what it is

    KINDS = [
        cookie("plain", "1"), cookie("http_only", "1", http_only=True), cookie("secure", "1", secure=True),
        cookie("path", "1", path="/deep/er"), cookie("domain", "1", host_only=False),
        cookie("plain", "other", host_only=False), cookie("lax", "1", same_site="lax"),
        cookie("strict", "1", same_site="strict"), cookie("none", "1", same_site="none", secure=True),
        cookie("long", "1", expires=int(time.time()) + 86400), cookie("wide", "\u00e9\u20ac"),
        cookie("part", "1", partition="https://top.example", secure=True, same_site="none"),
        cookie("part", "2", secure=True, same_site="none"), cookie("__Host-x", "1", secure=True),
        cookie("here", "1", host="127.0.0.1"), cookie("six", "1", host="[::1]"),
    ]

    def test_all_kinds_from_one_browser_to_the_other(self):
        a, b = self.browser(), self.browser(words=FIREFOX)
        for c in self.KINDS:
            a.set(c)
        self.wait_browser(b, *self.KINDS)
        for c in self.KINDS:
            b.set({**c, "value": "new"})
        self.wait_browser(a, *({**c, "value": "new"} for c in self.KINDS))
        for c in self.KINDS:
            a.delete(c)
        self.wait_browser(b)
        self.wait_jar()
        self.end(a)
        self.end(b)

    def test_no_write_goes_back(self):
        a, b = self.browser(), self.browser()
        for c in self.KINDS:
            a.wait_kept(a.set(c))
        self.wait_browser(b, *self.KINDS)
        self.set_jar("last=1")
        self.wait_browser(a, *self.KINDS, cookie("last", "1"))  # what came before has been looked at
        self.assertEqual([w["cookie"]["name"] for w in a.writes], ["last"])
        self.end(a)
        self.end(b)

    def test_jar_changes_reach_the_browser(self):
        b = self.browser()
        self.set_jar("a=1; HttpOnly; SameSite=Strict; Domain=example.com; Path=/x")
        like = cookie("a", "1", http_only=True, same_site="strict", host_only=False, path="/x")
        self.wait_browser(b, like)
        self.set_jar("a=2; HttpOnly; SameSite=Strict; Domain=example.com; Path=/x")
        self.wait_browser(b, {**like, "value": "2"})
        self.set_jar("p=1; Secure; SameSite=None; Partitioned", more=["--partition", "https://top.example"])
        part = cookie("p", "1", secure=True, same_site="none", partition="https://top.example")
        self.wait_browser(b, {**like, "value": "2"}, part)
        self.run_cookie("rm", "--all")
        self.wait_browser(b)
        self.end(b)

    def test_expiry(self):
        b = self.browser()
        b.wait_kept(b.set(cookie("long", "1", expires=FAR)))
        until(lambda: next(iter(b.cookies().values()))["expires"] < FAR)  # the jar's 400 days came back
        self.assertLess(next(iter(self.in_jar().values()))["expires"], time.time() + 401 * 86400)
        b.set(cookie("over", "1", expires=1))
        b.wait_kept(b.delete(cookie("over", "1", expires=1)))
        self.assertEqual([c["name"] for c in self.in_jar().values()], ["long"])
        self.end(b)

    # ---- echoes, writes under way, a browser with a mind of its own

    def test_one_write_under_way_and_the_last_state_at_its_end(self):
        h = Host(PROGRAM, self.jar)
        h.send({"type": "ready"})
        self.assertEqual([h.receive()["type"] for _ in range(2)], ["hello", "equal"])
        self.set_jar("a=1")
        first = h.receive()
        self.assertEqual((first["type"], first["cookie"]), ("write", cookie("a", "1")))
        self.set_jar("a=2")
        self.set_jar("a=3")
        h.send({"type": "changed", "cookie": cookie("other"), "n": 1})  # answered behind all that came before
        self.assertEqual(h.receive(), {"type": "kept", "n": 1})
        h.send({"type": "changed", "cookie": cookie("a", "1")})  # the echo
        h.send({"type": "done", "about": first["cookie"], "cookie": cookie("a", "1")})
        self.assertEqual(h.receive()["cookie"], cookie("a", "3"))
        self.assertEqual(self.in_jar()[key_of(cookie("a"))]["value"], "3")
        h.send({"type": "done", "about": cookie("a", "3"), "cookie": cookie("a", "3")})
        self.set_jar("a=4")
        self.assertEqual(h.receive()["cookie"], cookie("a", "4"))
        h.send({"type": "changed", "cookie": cookie("a", "3"), "n": 2})  # an echo that is late
        self.assertEqual(h.receive(), {"type": "kept", "n": 2})
        self.assertEqual(self.in_jar()[key_of(cookie("a"))]["value"], "4")
        self.assertEqual(h.end(), (0, ""))

    def test_a_page_writes_while_a_write_is_under_way(self):
        h = Host(PROGRAM, self.jar)
        h.send({"type": "ready"})
        self.assertEqual([h.receive()["type"] for _ in range(2)], ["hello", "equal"])
        self.set_jar("a=jar")
        self.assertEqual(h.receive()["cookie"]["value"], "jar")
        h.send({"type": "changed", "cookie": cookie("a", "page")})
        h.send({"type": "changed", "cookie": cookie("a", "jar")})
        h.send({"type": "done", "about": cookie("a", "jar"), "cookie": cookie("a", "jar")})
        self.assertEqual(h.receive()["cookie"]["value"], "page")  # what the page wrote is not lost
        self.assertEqual(self.in_jar()[key_of(cookie("a"))]["value"], "page")
        self.set_jar("b=jar")
        self.assertEqual(h.receive()["cookie"]["value"], "jar")
        for value in ("jar", "page", "jar"):  # only the first one is the echo
            h.send({"type": "changed", "cookie": cookie("b", value)})
        h.send({"type": "done", "about": cookie("b", "jar"), "cookie": cookie("b", "jar"), "n": 1})
        self.assertEqual(h.receive(), {"type": "kept", "n": 1})
        self.assertEqual(self.in_jar()[key_of(cookie("b"))]["value"], "jar")
        h.end()

    def test_a_browser_that_refuses_or_alters_is_not_asked_for_ever(self):
        b = self.browser()
        b.alter = lambda c: None
        self.set_jar("a=1")
        until(lambda: b.writes)
        b.alter = lambda c: {**c, "same_site": "lax"}
        self.set_jar("b=1")
        until(lambda: cookie("b", "1", same_site="lax") in b.cookies().values())
        b.alter = lambda c: c
        self.set_jar("c=1")
        until(lambda: cookie("c", "1") in b.cookies().values())
        self.assertEqual([w["cookie"]["name"] for w in b.writes], ["a", "b", "c"])
        self.set_jar("a=2")  # another state is tried
        until(lambda: cookie("a", "2") in b.cookies().values())
        self.end(b)

    def test_what_a_browser_evicts_stays_in_the_jar(self):
        a, b = self.browser(), self.browser()
        a.set(cookie("a", "1"))
        self.wait_browser(b, cookie("a", "1"))
        a.wait_kept(a.delete(cookie("a", "1"), evicted=True))
        self.set_jar("b=1")
        self.wait_browser(a, cookie("b", "1"))
        self.wait_browser(b, cookie("a", "1"), cookie("b", "1"))
        self.wait_jar(cookie("a", "1"), cookie("b", "1"))
        self.end(a)
        self.end(b)

    def test_what_the_jar_refuses_stays_in_the_browser(self):
        b = self.browser(cookie("suffix", "1", host="co.uk", host_only=False))
        b.wait_kept(b.set(cookie("__Host-x", "1")))
        self.set_jar("a=1")
        until(lambda: cookie("a", "1") in b.cookies().values())
        self.wait_jar(cookie("a", "1"))
        self.assertEqual(len(b.cookies()), 3)
        status, words = b.end()
        self.assertEqual(status, 0)
        self.assertEqual(len(words.splitlines()), 2)
        self.assertIn("co.uk: a cookie of the browser was left out", words)

    # ---- hostile input

    def test_foreign_extensions_get_nothing(self):
        self.set_jar("secret=1")
        for words in ([], ["chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"], ["/x.json", "other@example"],
                      [CHROMIUM[0] + "x"], ["cookies@shmstream.example"]):
            h = Host(PROGRAM, self.jar, words)
            self.assertEqual(h.process.stdout.read(), b"")
            status, said = h.process.wait(PATIENCE_S), h.process.stderr.read().decode()
            self.assertEqual(status, 1)
            self.assertIn("not this program's extension", said)
            for pipe in (h.process.stdin, h.process.stdout, h.process.stderr):
                pipe.close()

    def test_hostile_messages_end_the_host_and_lose_nothing(self):
        good = json.dumps({"type": "changed", "cookie": cookie("kept", "1")}).encode()
        for data, said in ((struct.pack("=I", 1048577) + b"x", "longer than 1 MiB"),
                           (struct.pack("=I", 0xffffffff), "longer than 1 MiB"),
                           (struct.pack("=I", 100) + b"{}", "ends within a message"), (b"\1\0", "ends within a message"),
                           (struct.pack("=I", 4) + b"nope", "no JSON"), (struct.pack("=I", 0), "no JSON"),
                           (struct.pack("=I", 2) + b"[]", "no JSON object"),
                           (struct.pack("=I", 4) + b'"\xff\xfe"', "no JSON"),
                           (struct.pack("=I", 100000) + b"[" * 100000, "no JSON")):
            h = Host(PROGRAM, self.jar)
            h.send_bytes(good)
            h.process.stdin.write(data)
            status, words = h.end()
            self.assertEqual(status, 1)
            self.assertIn(said, words)
            self.wait_jar(cookie("kept", "1"))

    def test_strange_messages_are_passed_over(self):
        h = Host(PROGRAM, self.jar)
        strange = [{}, {"type": 7}, {"type": "x"}, {"type": "changed"}, {"type": "changed", "cookie": []},
                   {"type": "changed", "cookie": {**cookie("a"), "value": 7}},
                   {"type": "changed", "cookie": {**cookie("a"), "expires": -1}},
                   {"type": "changed", "cookie": {**cookie("a"), "same_site": "x"}},
                   {"type": "changed", "cookie": {**cookie("a"), "host": "a b"}},
                   {"type": "changed", "cookie": {**cookie("a"), "path": "x"}},
                   {"type": "changed", "cookie": {**cookie("a"), "name": "a\nb"}},
                   {"type": "done", "about": cookie("never"), "cookie": None}, {"type": "done", "cookie": None},
                   {"type": "have"}, {"type": "have", "cookies": [1, None, {}]},
                   {"type": "gone", "cookie": cookie("none")}, {"type": "ready"}, {"type": "ready"},
                   {"type": "changed", "cookie": {**cookie("far", "1"), "expires": 1e300}},
                   {"type": "changed", "cookie": cookie("__proto__", "1")}]
        for message in strange:
            h.send(message)
        status, words = h.end()
        self.assertEqual(status, 0)
        self.assertIn("passed over", words)
        self.assertEqual([c["name"] for c in self.in_jar().values()], ["far", "__proto__"])

    def test_a_browser_that_does_not_read(self):
        self.set_jar("b=1")
        h = Host(PROGRAM, self.jar)
        h.process.stdout.close()
        h.send({"type": "changed", "cookie": cookie("a", "1"), "n": 1})
        self.wait_jar(cookie("a", "1"), cookie("b", "1"))
        h.process.stdin.close()
        self.assertEqual(h.process.wait(PATIENCE_S), 1)
        h.process.stderr.close()

    def test_what_is_not_utf8_stays_in_the_jar(self):
        subprocess.run([PROGRAM, "set", "--jar", self.jar, "https://example.com/"], input=b"bad=\xff\xfe\nok=1\n", check=True)
        b = self.browser()
        self.wait_browser(b, cookie("ok", "1"))
        self.set_jar("more=1")
        self.wait_browser(b, cookie("ok", "1"), cookie("more", "1"))
        self.assertEqual(len(self.in_jar()), 3)
        self.end(b)

    def test_a_name_that_is_no_jar(self):
        subprocess.run([SHMS, "create", "--size", "64K", self.jar], check=True)
        h = Host(PROGRAM, self.jar)
        told = h.receive()
        status, words = h.end()
        self.assertEqual((told["type"], status), ("error", 125))
        self.assertIn(told["text"], words)

    def test_a_jar_that_is_removed_is_made_anew(self):
        sid = cookie("sid", "1")
        b = self.browser(sid)
        self.wait_jar(sid)
        subprocess.run([SHMS, "rm", self.jar], check=True)
        b.set(cookie("sid", "2"))
        self.set_jar("other=1")
        status, words = b.host.process.wait(PATIENCE_S), b.host.process.stderr.read().decode()
        self.assertEqual(status, 1)
        self.assertIn("removed", words)
        self.assertIn("removed", b.error)
        next_one = self.browser(*b.cookies().values())  # as the extension does
        self.wait_browser(next_one, cookie("sid", "2"), cookie("other", "1"))
        self.wait_jar(cookie("sid", "2"), cookie("other", "1"))
        self.end(next_one)

    # ---- kills and bursts

    def test_killed_hosts_lose_nothing_that_was_kept(self):
        other = self.browser()
        a = self.browser()
        draw = random.Random(1)
        wanted = {}
        for round_number in range(12):
            for i in range(20):
                c = cookie(f"n{i}", f"{round_number}")
                number = a.set(c)
                if i == draw.randrange(20):
                    break
            if round_number % 2:
                a.wait_kept(number)  # else it may be killed anywhere
            with a.kept:
                kept = a.kept_number
            a.host.process.kill()
            a.outbox.put(None)
            a.host.process.wait(PATIENCE_S)
            for thread in a.threads:
                thread.join(PATIENCE_S)
            jar = self.in_jar()
            if round_number % 2:
                self.assertEqual(kept, number)
                self.assertEqual(jar, a.cookies())
            store = a.cookies()
            for pipe in (a.host.process.stdin, a.host.process.stdout, a.host.process.stderr):
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
            a = self.browser(*store.values())
            self.until_jar(lambda: a.cookies() == self.in_jar() == other.cookies())
            self.assertEqual(set(a.cookies()), set(store) | set(wanted))
            wanted = a.cookies()
        self.end(a)
        self.end(other)

    def test_untold_changes_are_told_again_before_ready(self):
        self.set_jar("a=jar", "gone=jar")
        h = Host(PROGRAM, self.jar)
        h.send({"type": "have", "cookies": [cookie("a", "page")]})
        h.send({"type": "changed", "cookie": cookie("a", "page"), "n": 1})
        h.send({"type": "gone", "cookie": cookie("gone", "jar"), "n": 2})
        h.send({"type": "ready"})
        self.assertEqual([h.receive()["type"] for _ in range(4)], ["hello", "kept", "kept", "equal"])
        self.wait_jar(cookie("a", "page"))
        self.assertEqual(h.end(), (0, ""))

    def test_bursts_by_two_browsers_end_equal(self):
        a, b = self.browser(), self.browser(words=FIREFOX)
        draw = random.Random(2)

        def write(browser, name, round_number, seeds):
            for i in range(200):
                browser.set(cookie(f"n{seeds[i]}", f"{name}-{round_number}-{i}"))
                if i % 50 == 49:
                    browser.delete(cookie(f"n{seeds[i - 1]}"))

        for round_number in range(8):
            threads = [threading.Thread(target=write, args=(browser, name, round_number, [draw.randrange(5) for _ in range(200)]))
                       for browser, name in ((a, "A"), (b, "B"))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.until_jar(lambda: a.outbox.empty() and b.outbox.empty() and a.cookies() == b.cookies() == self.in_jar())
            # Stable: what is told and written now is nothing but this.
            last = cookie("last", f"{round_number}")
            a.wait_kept(a.set(last))
            self.until_jar(lambda: last in b.cookies().values() and a.cookies() == b.cookies() == self.in_jar())
        self.end(a)
        self.end(b)


class InstallTest(unittest.TestCase):
    def setUp(self):
        import tempfile
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name) / "it's a home"
        self.environment = {**os.environ, "HOME": str(self.home)}
        self.environment.pop("XDG_CONFIG_HOME", None)
        self.jar = f"host-{os.getpid()}-it's"

    def browser(self, *words, status=0):
        done = subprocess.run([PROGRAM, "browser", *words], env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def files(self):
        return sorted(str(f.relative_to(self.home)) for f in self.home.rglob("*") if f.is_file())

    def test_install_all_and_uninstall(self):
        said = self.browser("install", "all", "--jar", self.jar).splitlines()
        extension = pathlib.Path(said[-1])
        self.assertTrue((extension / "manifest.json").is_file())
        folders = {".config/chromium/NativeMessagingHosts": "allowed_origins", ".mozilla/native-messaging-hosts": "allowed_extensions"}
        self.assertEqual(self.files(), sorted(f"{f}/shmstream.cookies.{end}" for f in folders for end in ("json", "sh")))
        for folder, allowed in folders.items():
            manifest = json.loads((self.home / folder / "shmstream.cookies.json").read_text())
            self.assertEqual((manifest["name"], manifest["type"]), ("shmstream.cookies", "stdio"))
            self.assertEqual(manifest[allowed], [(CHROMIUM if allowed == "allowed_origins" else FIREFOX)[-1]])
            self.run_host(manifest["path"], CHROMIUM if allowed == "allowed_origins" else FIREFOX)
        self.browser("install", "all")  # again
        self.browser("uninstall", "all")
        self.assertEqual(self.files(), [])
        self.browser("uninstall", "all")  # again

    def run_host(self, path, words):
        """As the browser does: the jar of the installation answers."""
        self.addCleanup(subprocess.run, [SHMS, "rm", self.jar], stderr=subprocess.DEVNULL)
        self.assertTrue(os.path.isabs(path))
        done = subprocess.run([path, *words], input=b"", capture_output=True, check=True)
        self.assertEqual(json.loads(done.stdout[4:])["jar"], self.jar)

    def test_folders(self):
        profile = self.home / "profile"
        self.browser("install", "chromium", "--user-data-dir", str(profile))
        self.assertEqual(self.files(), [f"profile/NativeMessagingHosts/shmstream.cookies.{e}" for e in ("json", "sh")])
        self.browser("uninstall", "chromium", "--user-data-dir", str(profile))
        self.environment["XDG_CONFIG_HOME"] = str(self.home / "config")
        self.browser("install", "chromium", "--user")
        self.assertEqual(self.files(), [f"config/chromium/NativeMessagingHosts/shmstream.cookies.{e}" for e in ("json", "sh")])

    def test_a_folder_from_here(self):
        self.home.mkdir()
        subprocess.run([PROGRAM, "browser", "install", "chromium", "--user-data-dir", "profile"], cwd=self.home, check=True,
                       stdout=subprocess.DEVNULL)
        folder = self.home / "profile/NativeMessagingHosts"
        manifest = json.loads((folder / "shmstream.cookies.json").read_text())
        self.assertEqual(manifest["path"], str(folder / "shmstream.cookies.sh"))

    def test_links_in_the_way(self):
        folder = self.home / "profile/NativeMessagingHosts"
        folder.mkdir(parents=True)
        names = [f"shmstream.cookies.{end}{new}" for end in ("json", "sh") for new in ("", ".new")]
        for name in names:
            (self.home / name).write_text("precious")
            (folder / name).symlink_to(self.home / name)
        self.browser("install", "chromium", "--user-data-dir", str(self.home / "profile"))
        for name in names:
            self.assertEqual((self.home / name).read_text(), "precious")
        self.assertFalse((folder / "shmstream.cookies.json").is_symlink())
        self.browser("uninstall", "chromium", "--user-data-dir", str(self.home / "profile"))
        self.assertEqual((self.home / "shmstream.cookies.json").read_text(), "precious")

    def test_nobody_else_may_write(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.browser("install", "all", "--jar", self.jar)
        for path in self.home.rglob("*"):
            self.assertFalse(path.stat().st_mode & 0o022, path)

    def test_wrong_names(self):
        self.assertIn("no name of a jar", self.browser("install", "all", "--jar", "a\\b", status=2))
        self.environment["HOME"] = os.fsdecode(os.fsencode(self.home) + b"\xff")
        done = subprocess.run([PROGRAM, "browser", "install", "firefox"], env=self.environment, capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn(b"Success", done.stderr)

    def test_wrong_lines(self):
        for words in (["install", "opera"], ["remove", "all"], ["install", "firefox", "--user-data-dir", "x"],
                      ["install", "all", "--user", "--system"], ["install"], ["install", "all", "more"]):
            self.browser(*words, status=2)
        del self.environment["HOME"]
        self.assertIn("HOME", self.browser("install", "all", status=1))
        self.environment["HOME"] = "/proc/nothing"
        self.assertIn("/proc/nothing", self.browser("install", "firefox", status=1))

    def test_the_extension_has_the_id_that_the_host_wants(self):
        import base64
        import hashlib
        extension = pathlib.Path(self.browser("install", "all").splitlines()[-1])
        manifest = json.loads((extension / "manifest.json").read_text())
        digest = hashlib.sha256(base64.b64decode(manifest["key"])).hexdigest()[:32]
        self.assertEqual(CHROMIUM[0], f"chrome-extension://{''.join(chr(97 + int(c, 16)) for c in digest)}/")
        self.assertEqual(FIREFOX[1], manifest["browser_specific_settings"]["gecko"]["id"])


if __name__ == "__main__":
    signal.alarm(300)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
