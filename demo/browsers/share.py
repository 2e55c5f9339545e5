#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Chromium, Firefox and curl share a login.   share.py BUILD FOLDER

What is seen is measured while it runs, and written to FOLDER/report.md, with pictures of both browsers before and after.
Fails where the jar and the browsers do not end equal.
"""
import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from drive import Chromium, Firefox, until

CHANGES, ROUNDS, BURST, BURST_COOKIES = 50, 8, 200, 5
# Set, and seen by a listener: the clock of the machine, so that two browsers can be compared.
LISTEN = """(window.seen = {}, api.cookies.onChanged.addListener(({ removed, cookie }) => {
    if (!removed) window.seen[cookie.value] = performance.timeOrigin + performance.now();
    window.last = performance.timeOrigin + performance.now(); }), 1)"""
SET_ONE = """(async () => { const now = performance.timeOrigin + performance.now();
    await api.cookies.set({ url: 'https://example.com/', name: 'timed', value: 'VALUE' });
    return now; })()"""
BURST_NOW = """(window.ended = null, (async () => {
    await Promise.all(Array.from({ length: COUNT }, (_, i) => api.cookies.set(
        { url: 'https://example.com/', name: 'burst' + i % NAMES, value: 'MARK' + i })));
    window.ended = performance.timeOrigin + performance.now(); })(), 1)"""


class Show:
    def __init__(self, build, folder):
        self.tools = pathlib.Path(build).resolve() / "tool"
        self.folder = folder and pathlib.Path(folder)
        self.jar = f"browsers-{os.getpid()}"
        self.lines = []

    def say(self, line=""):
        print(line, flush=True)
        self.lines.append(line)

    # ---- the parts

    def cookie(self, *words):
        return subprocess.run([self.tools / "cookie/shms-cookie", words[0], "--jar", self.jar, *words[1:]], check=True,
                              capture_output=True, text=True).stdout

    def in_jar(self):
        # As keyOf() in the extension has them. What is not ASCII is written byte by byte.
        found = {}
        for line in self.cookie("ls", "--json").splitlines():
            c = {k: v.encode("latin-1").decode() if isinstance(v, str) else v for k, v in json.loads(line).items()}
            found["\n".join([c.get("partition", ""), c["host"], json.dumps(c["host_only"]), c["name"], c["path"]])] = c
        return found

    def browser(self, kind):
        return kind(self.tools / "cookie/shms-cookie", self.tools / "share/shmstream/extension", self.jar)

    @contextlib.contextmanager
    def web(self):
        with tempfile.TemporaryDirectory() as folder:
            server = pathlib.Path(__file__).resolve().parents[2] / "test/cli/web_server.py"
            process = subprocess.Popen([sys.executable, server, folder], stderr=subprocess.DEVNULL)
            try:
                port = until("the server", lambda: (pathlib.Path(folder) / "port").exists() and (pathlib.Path(folder) / "port").read_text())
                yield f"http://127.0.0.1:{port}"
            finally:
                process.kill()
                process.wait()

    # ---- the story

    def login(self, web, chromium, firefox):
        for browser in (chromium, firefox):
            browser.visit(f"{web}/home")
            browser.picture(self.folder / f"before-{browser.kind}.png")
        chromium.visit(f"{web}/login")
        start = time.monotonic()
        until("the login in Firefox", lambda: any(c["name"] == "sid" for c in firefox.cookies().values()))
        self.say(f"- Login in Chromium, and Firefox has it: seen after {(time.monotonic() - start) * 1000:.0f} ms, looks included.")
        for browser in (chromium, firefox):
            browser.visit(f"{web}/home")
            browser.picture(self.folder / f"after-{browser.kind}.png")
            self.check(browser.kind, "sid=s3cret" in browser.run("document.body.innerText"))
        chromium.show_extension(self.folder / "extension.png", "127.0.0.1")
        start = time.monotonic()
        said = self.cookie("curl", "--", "-sS", f"{web}/home")
        self.say(f"- curl is logged in, too ({(time.monotonic() - start) * 1000:.0f} ms with its start): `{said.strip()}`")
        self.check("curl", "sid=s3cret" in said)
        self.cookie("curl", "--", "-sS", f"{web}/logout")
        until("the logout", lambda: not any(c["name"] == "sid" for b in (chromium, firefox) for c in b.cookies().values()))
        self.say("- Logout by curl: both browsers are logged out.")

    def delay(self, a, b, words):
        mark = f"{a.kind}{b.kind}{time.monotonic_ns()}-"
        b.extension(LISTEN)
        sent = {}
        for i in range(CHANGES):
            sent[f"{mark}{i}"] = a.extension(SET_ONE.replace("VALUE", f"{mark}{i}"))
            time.sleep(0.04)
        until("the last change", lambda: b.extension(f"window.seen['{mark}{CHANGES - 1}']"))
        seen = b.extension("window.seen")
        delays = sorted(seen[value] - at for value, at in sent.items() if value in seen)
        self.say(f"| {words} | {statistics.median(delays):.1f} ms | {delays[len(delays) * 9 // 10]:.1f} ms | {len(delays)} of {CHANGES} |")

    def bursts(self, a, b):
        times = []
        for browser in (a, b):
            browser.extension(LISTEN)
        for number in range(ROUNDS):
            for browser, mark in ((a, "a"), (b, "b")):
                browser.extension(BURST_NOW.replace("COUNT", str(BURST)).replace("NAMES", str(BURST_COOKIES)).replace("MARK", f"{mark}{number}-"))
            ended = [until("the burst", lambda browser=browser: browser.extension("window.ended")) for browser in (a, b)]
            until("equal browsers", lambda: a.cookies() == b.cookies() == self.in_jar())
            last = [browser.extension("window.last") for browser in (a, b)]
            time.sleep(0.2)  # and nothing comes any more
            self.check("stable", last == [browser.extension("window.last") for browser in (a, b)])
            times.append(max(max(last) - max(ended), 0))
        self.say(f"- {a.kind} and {b.kind}, {ROUNDS} rounds of {BURST} writes to {BURST_COOKIES} cookies by both at once: equal, and stable. "
                 f"From the last write to the last change: median {statistics.median(times):.0f} ms, most {max(times):.0f} ms.")

    def check(self, what, held):
        if not held:
            raise AssertionError(f"{what}: not as it must be")

    def run(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.say("# Browsers that share their cookies\n")
        version = [subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip() for program in ("chromium", "firefox-esr", "curl")]
        version[2] = " ".join(version[2].split()[:2])
        self.say(f"{', '.join(version)}, on {os.cpu_count()} processors, {platform.system()} {platform.release()}.\n")
        with self.web() as web, self.browser(Chromium) as one, self.browser(Chromium) as other, self.browser(Firefox) as firefox:
            for browser in (one, other, firefox):
                browser.wait_equal()
            self.login(web, one, firefox)
            self.say("\n| a change in one browser, seen in the other | median | 9 of 10 below | seen |\n|---|---|---|---|")
            self.delay(one, other, "Chromium to Chromium")
            self.delay(one, firefox, "Chromium to Firefox")
            self.delay(firefox, one, "Firefox to Chromium")
            self.say()
            self.bursts(one, other)
            self.bursts(one, firefox)
        self.say("\n| | Chromium | Firefox |\n|---|---|---|")
        self.lines.append("| the extension's page | ![](extension.png) | |")
        for when in ("before", "after"):
            self.lines.append(f"| {when} | ![](before-chromium.png) | ![](before-firefox.png) |".replace("before", when))
        (self.folder / "report.md").write_text("\n".join(self.lines) + "\n")
        print(f"\nThe report, with pictures: {self.folder / 'report.md'}")


def end_in_order(seconds):
    """However it is ended, and then at the latest: no browser stays behind."""
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(sign, lambda number, _: sys.exit(128 + number))
    signal.alarm(seconds)


def main():
    end_in_order(300)
    missing = [program for program in ("chromium", "firefox-esr", "curl") if not shutil.which(program)]
    if missing:
        print(f"SKIP: no {', '.join(missing)}")
        return 77
    show = Show(*sys.argv[1:3])
    try:
        show.run()
    finally:
        subprocess.run([show.tools / "shms", "rm", show.jar], stderr=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
