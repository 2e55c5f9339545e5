# SPDX-License-Identifier: MIT
"""A browser as the host sees it: native messages, and a store of cookies with the extension's answers."""
import json
import queue
import subprocess
import struct
import threading

CHROMIUM = ["chrome-extension://nkidlogcadppgcmpcpppemfllimpaggn/"]
FIREFOX = ["/somewhere/shmstream.cookies.json", "cookies@shmstream.example"]
PATIENCE_S = 60
happened = threading.Condition()  # told after each message, and after each change of a jar that is watched


def tell_happened():
    with happened:
        happened.notify_all()


def cookie(name, value="", **more):
    return {"host": "example.com", "name": name, "value": value, "path": "/", "expires": 0, "secure": False,
            "http_only": False, "host_only": True, "same_site": "default", **more}


def key_of(c):
    return c.get("partition", ""), c["host"], c["host_only"], c["name"], c["path"]


class Host:
    """shms-cookie host, and the ends of its pipes."""

    def __init__(self, program, jar, words=CHROMIUM):
        self.process = subprocess.Popen([program, "host", "--jar", jar, "--", *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, message):
        self.send_bytes(json.dumps(message).encode())

    def send_bytes(self, data):
        self.process.stdin.write(struct.pack("=I", len(data)) + data)
        self.process.stdin.flush()

    def receive(self):
        head = self.process.stdout.read(4)
        if len(head) < 4:
            return None
        size, = struct.unpack("=I", head)
        assert size <= 1048576
        return json.loads(self.process.stdout.read(size))

    def end(self):
        """Standard input ends: the status and what was said."""
        self.process.stdin.close()
        words = self.process.stderr.read().decode()
        self.process.stdout.close()
        status = self.process.wait(PATIENCE_S)
        self.process.stderr.close()
        return status, words


class Browser:
    """Stores what it is told to, and tells what it stores, each a moment later, as a browser does."""

    def __init__(self, program, jar, cookies=(), words=CHROMIUM, wait_ready=True):
        self.host = Host(program, jar, words)
        self.store = {key_of(c): c for c in cookies}
        self.lock = threading.Lock()
        self.writes = []  # what the host wrote
        self.numbers = 0
        self.kept = threading.Condition()
        self.kept_number = 0
        self.alter = lambda c: c  # what the browser makes of a cookie that is set; None: it refuses
        self.equal = threading.Event()
        self.error = None
        self.outbox = queue.Queue()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.read_all, self.send_all)]
        for thread in self.threads:
            thread.start()
        if cookies:
            self.outbox.put({"type": "have", "cookies": list(cookies)})
        self.outbox.put({"type": "ready"})
        if wait_ready:
            assert self.equal.wait(PATIENCE_S), f"the host does not say equal: {self.host.process.poll()}, {self.last_words()}"

    def last_words(self):
        self.host.process.kill()
        return self.host.process.stderr.read().decode()

    def send_all(self):
        for message in iter(self.outbox.get, None):
            try:
                self.host.send(message)
            except (BrokenPipeError, ValueError):
                return
            tell_happened()

    def read_all(self):
        while (message := self.host.receive()) is not None:
            if message["type"] in ("write", "delete"):
                self.obey(message)
            elif message["type"] == "equal":
                self.equal.set()
            elif message["type"] == "error":
                self.error = message["text"]
            elif message["type"] == "kept":
                with self.kept:
                    self.kept_number = message["n"]
                    self.kept.notify_all()
            tell_happened()

    def obey(self, message):
        c = message["cookie"]
        with self.lock:
            self.writes.append(message)
            made = self.alter(c) if message["type"] == "write" else None
            if message["type"] == "delete":
                if self.store.get(key_of(c), c)["secure"] == c["secure"] and self.store.pop(key_of(c), None):
                    self.tell("gone", c)
            elif made:
                self.store[key_of(made)] = made
                self.tell("changed", made)
            self.tell("done", self.store.get(key_of(c)), about=c)

    def tell(self, kind, c, **more):
        self.numbers += 1
        self.outbox.put({"type": kind, "cookie": c, "n": self.numbers, **more})
        return self.numbers

    def set(self, c):
        """A page sets it."""
        with self.lock:
            self.store[key_of(c)] = c
            return self.tell("changed", c)

    def delete(self, c, **more):
        with self.lock:
            self.store.pop(key_of(c), None)
            return self.tell("gone", c, **more)

    def wait_kept(self, number):
        with self.kept:
            assert self.kept.wait_for(lambda: self.kept_number >= number, PATIENCE_S), "a change is not kept"

    def cookies(self):
        with self.lock:
            return dict(self.store)

    def end(self):
        self.outbox.put(None)
        self.threads[1].join(PATIENCE_S)
        self.host.process.stdin.close()
        self.threads[0].join(PATIENCE_S)
        words = self.host.process.stderr.read().decode()
        status = self.host.process.wait(PATIENCE_S)
        self.host.process.stdout.close()
        self.host.process.stderr.close()
        return status, words
