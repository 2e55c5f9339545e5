# SPDX-License-Identifier: MIT
"""Chromium and Firefox without a window, with the extension, each in a profile of its own.

Both are steered through what they have themselves: Chromium by its debugging pipe, Firefox by Marionette.
"""
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE_S = 60


def until(what, look, patience_s=PATIENCE_S):
    """What look() gives, as soon as it is true."""
    end = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience_s} s for {what}")
        time.sleep(0.002)


class Browser:
    def __init__(self, cookie_program, extension, jar):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="shms-browser-"))
        self.environment = {**os.environ, "HOME": str(self.home), "no_proxy": "*", "XDG_CONFIG_HOME": str(self.home / "config"),
                            "MOZ_HEADLESS": "1", "XDG_CACHE_HOME": str(self.home / "cache")}
        self.extension = str(extension)
        self.process = None
        subprocess.run([cookie_program, "browser", "install", self.kind, "--jar", jar, *self.install_options()],
                       env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def install_options(self):
        return []

    def spawn(self, words, **more):
        self.log = open(self.home / "log", "wb")
        self.process = subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True, **more)

    def kill(self):
        """With all processes that it started: they are in its session."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *wrong):
        self.kill()

    def wait_equal(self):
        """Until the extension says that browser and jar have been walked."""
        until(f"{self.kind}'s extension", self.is_equal)

    def is_equal(self):
        links = (self.ask_extension("runtime.sendMessage({})") or {}).get("links", [])
        return links and links[0]["equal"]


class Chromium(Browser):
    kind = "chromium"
    extension_id = "nkidlogcadppgcmpcpppemfllimpaggn"

    def install_options(self):
        return ["--user-data-dir", str(self.home / "profile")]

    def start(self):
        to_browser, self.commands = os.pipe()
        self.answers, from_browser = os.pipe()
        words = [shutil.which("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--no-default-browser-check", "--disable-dev-shm-usage", "--password-store=basic", "--no-proxy-server",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--remote-debugging-pipe", f"--user-data-dir={self.home}/profile",
                 f"--load-extension={self.extension}", "about:blank"]
        # The browser reads from 3 and writes to 4.
        shell = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self.spawn(["sh", "-c", shell, "sh", *words], pass_fds=(to_browser, from_browser))
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest = 0, b""
        self.page = self.attach("about:blank")

    def kill(self):
        super().kill()
        for fd in (getattr(self, "commands", None), getattr(self, "answers", None)):
            if fd is not None:
                os.close(fd)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.answers, 65536)
                if not more:
                    raise EOFError("chromium has ended: " + (self.home / "log").read_text(errors="replace")[-2000:])
                self.rest += more
            line, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def attach(self, url):
        target = self.call("Target.createTarget", url=url)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable", session)
        return session

    def evaluate(self, session, expression):
        result = self.call("Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    def visit(self, url):
        self.call("Page.navigate", self.page, url=url)
        until(url, lambda: self.run("document.readyState") == "complete" and self.run("location.href") != "about:blank")

    def run(self, expression):
        return self.evaluate(self.page, expression)

    def ask_extension(self, expression):
        if not hasattr(self, "inside"):
            self.inside = self.attach(f"chrome-extension://{self.extension_id}/page.html")
        try:
            return self.evaluate(self.inside, f"chrome.{expression}")
        except RuntimeError:
            self.call("Page.navigate", self.inside, url=f"chrome-extension://{self.extension_id}/page.html")
            return None

    def picture(self, path):
        data = self.call("Page.captureScreenshot", self.page)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
