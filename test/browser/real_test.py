#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The extension in Chromium and Firefox themselves.  real_test.py BUILD [FOLDER]

Each test begins with an empty jar and empty browsers; the browsers are started once.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "demo/browsers"))
from browser_model import cookie
from drive import Chromium, Firefox, until
from share import Show, end_in_order


def key(c):
    return "\n".join([c.get("partition", ""), c["host"], json.dumps(c["host_only"]), c["name"], c["path"]])


def by_key(*cookies):
    return {key(c): c for c in cookies}


HOUR = int(time.time()) + 3600
# The same name at several places: a deletion takes one.
KINDS = [
    cookie("plain", "1"), cookie("http_only", "1", http_only=True), cookie("secure", "1", secure=True),
    cookie("path", "1", path="/deep/er"), cookie("path", "2"), cookie("domain", "1", host_only=False),
    cookie("plain", "other", host_only=False), cookie("lax", "1", same_site="lax"),
    cookie("strict", "1", same_site="strict"), cookie("none", "1", same_site="none", secure=True),
    cookie("long", "1", expires=HOUR), cookie("wide", "\u00e9\u20ac"), cookie("__Host-x", "1", secure=True),
    cookie("plain", "below", host="www.example.com"), cookie("here", "1", host="127.0.0.1"), cookie("six", "1", host="[::1]"),
    cookie("part", "1", partition="https://top.example", secure=True, same_site="none"),
    cookie("part", "2", secure=True, same_site="none"),
]


class RealTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.show = Show(sys.argv[1], None)
        cls.addClassCleanup(subprocess.run, [cls.show.tools / "shms", "rm", cls.show.jar], stderr=subprocess.DEVNULL)
        cls.chromium = cls.enterClassContext(cls.show.browser(Chromium))
        cls.firefox = cls.enterClassContext(cls.show.browser(Firefox))
        cls.both = cls.chromium, cls.firefox
        for browser in cls.both:
            browser.wait_equal()

    def setUp(self):
        self.show.cookie("rm", "--all")
        self.wait_all({})

    def wait_all(self, wanted, browsers=None):
        try:
            until("equal cookies", lambda: self.show.in_jar() == wanted and all(b.cookies() == wanted for b in browsers or self.both), 20)
        except TimeoutError:
            self.assertEqual(self.show.in_jar(), wanted, "the jar")
            for browser in browsers or self.both:
                self.assertEqual(browser.cookies(), wanted, browser.kind)

    def put(self, browser, c, more=""):
        browser.extension("import('/cookie.js').then(({ toBrowser }) => { const c = toBrowser(" + json.dumps(c) +
                          "); delete c.storeId; return api.cookies.set({ ...c, " + more + " }); })")

    def test_all_kinds_from_each_browser_to_the_other(self):
        for browser in self.both:
            for c in KINDS:
                self.put(browser, c)
            self.wait_all(by_key(*KINDS))
            changed = [{**c, "value": "new"} for c in KINDS]
            for c in changed:
                self.put(browser, c)
            self.wait_all(by_key(*changed))
            left = by_key(*changed)
            for c in changed[::-1]:
                self.put(browser, c, "expirationDate: 1")
                del left[key(c)]
                if c["name"] in ("plain", "path", "part"):
                    self.wait_all(left)
            self.wait_all({})

    def test_from_the_jar_and_deleted_there(self):
        lines = ["a=1; HttpOnly; SameSite=Strict", "b=1; Domain=example.com; Max-Age=600", "c=1; Path=/x; Secure"]
        subprocess.run([self.show.tools / "cookie/shms-cookie", "set", "--jar", self.show.jar, "https://example.com/"],
                       input="\n".join(lines) + "\n", text=True, check=True)
        self.wait_all(self.show.in_jar())
        self.assertEqual(len(self.chromium.cookies()), 3)
        self.show.cookie("rm", "example.com", "a")
        self.wait_all(self.show.in_jar())
        self.assertEqual(len(self.firefox.cookies()), 2)

    def test_expiry_in_a_browser(self):
        self.put(self.chromium, cookie("short", "1", expires=int(time.time()) + 3))
        until("the cookie in Firefox", lambda: self.firefox.cookies())
        self.wait_all({})

    def test_a_site_that_is_off_and_on_again(self):
        one, other = cookie("a", "1"), cookie("b", "1", host="www.example.org")
        self.chromium.extension("api.runtime.sendMessage({ change: { off: ['example.org'] } })")
        self.chromium.wait_equal()
        for c in (one, other):
            self.put(self.chromium, c)
        self.wait_all(by_key(one), [self.firefox])
        mine = cookie("mine", "1", host="example.org")
        self.put(self.firefox, mine)
        until("the jar", lambda: self.show.in_jar() == by_key(one, mine))
        self.assertEqual(self.chromium.cookies(), by_key(one, other))
        self.chromium.extension("api.runtime.sendMessage({ change: { off: [] } })")
        self.wait_all(by_key(one, other, mine))

    def test_all_off_and_on_again(self):
        self.firefox.extension("api.runtime.sendMessage({ change: { on: false } })")
        self.put(self.firefox, cookie("f", "1"))
        self.put(self.chromium, cookie("c", "1"))
        self.wait_all(by_key(cookie("c", "1")), [self.chromium])
        self.assertEqual(self.firefox.cookies(), by_key(cookie("f", "1")))
        self.firefox.extension("api.runtime.sendMessage({ change: { on: true } })")
        self.wait_all(by_key(cookie("c", "1"), cookie("f", "1")))

    def hosts(self):
        """The processes that serve these browsers."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if self.show.jar.encode() in words and b"host" in words:
                found.append(int(folder.name))
        return found

    def test_killed_hosts_come_back_and_nothing_is_lost(self):
        self.put(self.chromium, cookie("before", "1"))
        self.wait_all(by_key(cookie("before", "1")))
        killed = self.hosts()
        self.assertEqual(len(killed), 2)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wanted = [cookie("before", "2"), cookie("f", "1"), cookie("c", "1")]
        self.put(self.chromium, wanted[0])
        self.put(self.firefox, wanted[1])
        self.put(self.chromium, wanted[2])
        self.wait_all(by_key(*wanted))

    def test_the_session_of_the_documents(self):
        """doc/cookies.md, From browsers, as it stands, but for the names of server and jar; the last line comes when you are logged in."""
        page = (pathlib.Path(__file__).resolve().parents[2] / "doc/cookies.md").read_text()
        lines = page.split("## From browsers")[1].split("```console\n")[1].split("```")[0]
        jar = self.show.jar + "-session"
        self.addCleanup(subprocess.run, [self.show.tools / "shms", "rm", jar])
        with self.show.web() as web, tempfile.TemporaryDirectory() as home:
            programs = pathlib.Path(home) / "programs"
            programs.mkdir()
            (programs / "shms-cookie").symlink_to(self.show.tools / "cookie/shms-cookie")
            (programs / "chromium").write_text(f'#!/bin/sh\nexec {shutil.which("chromium")} --headless=new --no-sandbox --disable-gpu '
                                               '--user-data-dir="$HOME/.config/chromium" '  # without a window it would take another one
                                               '--no-first-run --password-store=basic "$@"\n')
            (programs / "chromium").chmod(0o755)
            environment = {**os.environ, "HOME": home, "PATH": f"{programs}:{os.environ['PATH']}", "no_proxy": "*"}
            environment.pop("XDG_CONFIG_HOME", None)
            lines = [line.removeprefix("$ ").replace("https://example.com", web).replace("--jar web", f"--jar {jar}") for line in lines.splitlines()]
            watch = f"grep -qm 1 ' sid ' < <(shms-cookie watch --jar {jar})"
            script = "\n".join([*lines[:-1], watch, lines[-1], ""])
            shell = subprocess.Popen(["bash", "-c", script], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, start_new_session=True)
            try:
                self.assertIn(b"sid=s3cret", shell.stdout.readline())
            finally:
                os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()
                shell.stdout.close()

    def test_an_idle_browser_still_follows(self):
        self.firefox.be_idle()
        self.put(self.chromium, cookie("late", "1"))
        self.wait_all(by_key(cookie("late", "1")))


if __name__ == "__main__":
    end_in_order(280)
    for program in ("chromium", "firefox-esr"):
        if not shutil.which(program):
            print(f"SKIP: no {program}")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
