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
        self.unpacked = str(extension)
        self.process = None
        subprocess.run([cookie_program, "browser", "install", self.kind, "--jar", jar, *self.install_options()],
                       env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def install_options(self):
        return []

    def spawn(self, words, **more):
        self.log = open(self.home / "log", "wb")
        self.process = subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True, **more)

    def ended(self):
        raise EOFError(f"{self.kind} has ended; its last words: {(self.home / 'log').read_text(errors='replace')[-2000:]}")

    def kill(self):
        """With all processes that it started: they are in its session."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        for _ in range(100):
            shutil.rmtree(self.home, ignore_errors=True)
            if not self.home.exists():
                break
            time.sleep(0.02)  # one of its processes is still on its way out, and writes

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
        links = self.extension("api.runtime.sendMessage({})")["links"]
        return links and links[0]["equal"]

    def extension(self, expression):
        """The value of an expression in the extension's page; api is its interface to the browser."""
        return self.evaluate_inside(f"{{ const api = globalThis.browser ?? chrome; return await ({expression}); }}")

    def cookies(self):
        """All that the browser holds, as the jar has it, by key."""
        found = self.extension("import('/cookie.js').then(async ({ fromBrowser, isOver, keyOf }) => "
                               "(await api.cookies.getAll({ partitionKey: {} })).map(fromBrowser)"
                               ".filter((c) => !isOver(c)).map((c) => [keyOf(c), c]))")
        return dict(found)


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
                 "--window-size=640,400", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 # The tab with the extension's page is not the one in front.
                 "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
                 "--remote-debugging-pipe", f"--user-data-dir={self.home}/profile",
                 f"--load-extension={self.unpacked}", "about:blank"]
        # The browser reads from 3 and writes to 4. Other shells take no numbers above 9.
        shell = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self.spawn(["bash", "-c", shell, "bash", *words], pass_fds=(to_browser, from_browser))
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest = 0, b""
        self.page = self.attach("about:blank")
        self.enter_extension()

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
        try:
            os.write(self.commands, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            self.ended()
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.answers, 65536)
                if not more:
                    self.ended()
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

    def enter_extension(self):
        """Its page, in a tab of its own. The extension may not yet be there."""
        url = f"chrome-extension://{self.extension_id}/page.html"
        self.inside = self.attach(url)
        until("the extension", lambda: self.evaluate(self.inside, "Boolean(globalThis.chrome?.cookies)") or
              self.call("Page.navigate", self.inside, url=url) and False)

    def evaluate_inside(self, expression):
        return self.evaluate(self.inside, f"(async () => {expression})()")

    def picture(self, path, session=None):
        data = self.call("Page.captureScreenshot", session or self.page)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def show_extension(self, path, text):
        """A picture of the extension's page, as soon as it shows this text."""
        self.call("Page.reload", self.inside)
        until(text, lambda: text in (self.evaluate(self.inside, "document.body?.innerText") or ""))
        self.picture(path, self.inside)


class Firefox(Browser):
    kind = "firefox"
    extension_id = "cookies@shmstream.example"

    def start(self):
        profile = self.home / "profile"
        profile.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        wishes = {"marionette.port": port, "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
                  "extensions.autoDisableScopes": 0, "network.proxy.type": 0, "app.normandy.enabled": False,
                  "browser.aboutwelcome.enabled": False, "toolkit.telemetry.reportingpolicy.firstRun": False}
        (profile / "user.js").write_text("".join(f'user_pref("{k}", {json.dumps(v)});\n' for k, v in wishes.items()))
        self.spawn([shutil.which("firefox-esr") or shutil.which("firefox"), "--headless", "--marionette",
                    "--remote-allow-system-access", "--no-remote", "--width", "640", "--height", "400", "--profile", str(profile), "about:blank"])
        self.socket = until("Marionette", lambda: self.connect(port))
        self.stream = self.socket.makefile("rb")
        self.receive()  # a greeting
        self.number = 0
        self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self.call("WebDriver:SetTimeouts", script=PATIENCE_S * 1000)
        self.call("Addon:Install", path=os.path.realpath(self.unpacked), temporary=True)
        self.enter_extension()

    def connect(self, port):
        if self.process.poll() is not None:
            self.ended()
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        except ConnectionRefusedError:
            return None

    def kill(self):
        if hasattr(self, "socket"):
            self.stream.close()
            self.socket.close()
        super().kill()

    def receive(self):
        size = b""
        while (byte := self.stream.read(1)) != b":":
            size += byte
        return json.loads(self.stream.read(int(size)))

    def call(self, method, **params):
        self.number += 1
        message = json.dumps([0, self.number, method, params]).encode()
        self.socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, wrong, result = self.receive()
        if wrong:
            raise RuntimeError(f"{method}: {wrong}")
        return result

    def visit(self, url):
        self.call("WebDriver:Navigate", url=url)

    def run(self, expression):
        script = f"const done = arguments[0]; (async () => {expression})().then(done, (e) => done({{wrong: String(e)}}));"
        value = self.call("WebDriver:ExecuteAsyncScript", script=script, args=[])["value"]
        if isinstance(value, dict) and "wrong" in value:
            raise RuntimeError(value["wrong"])
        return value

    def enter_extension(self):
        """Its page, in a tab of its own."""
        self.call("Marionette:SetContext", value="chrome")
        host = self.run(f"WebExtensionPolicy.getByID({json.dumps(self.extension_id)}).mozExtensionHostname")
        self.call("Marionette:SetContext", value="content")
        self.first = self.call("WebDriver:GetWindowHandle")["value"]
        self.inside = self.call("WebDriver:NewWindow", type="tab", focus=False)["handle"]
        self.call("WebDriver:SwitchToWindow", handle=self.inside, focus=False)
        self.visit(f"moz-extension://{host}/page.html")
        self.call("WebDriver:SwitchToWindow", handle=self.first, focus=False)

    def be_idle(self):
        """What Firefox does when the background page had nothing to do for long: it ends it, or lets it be."""
        self.call("Marionette:SetContext", value="chrome")
        self.run(f"WebExtensionPolicy.getByID({json.dumps(self.extension_id)}).extension.terminateBackground()")
        self.call("Marionette:SetContext", value="content")

    def evaluate_inside(self, expression):
        self.call("WebDriver:SwitchToWindow", handle=self.inside, focus=False)
        try:
            return self.run(expression)
        finally:
            self.call("WebDriver:SwitchToWindow", handle=self.first, focus=False)

    def picture(self, path):
        data = self.call("WebDriver:TakeScreenshot", full=False)["value"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
