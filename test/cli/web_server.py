#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""web_server.py FOLDER: a web server that logs in, out, and rotates a token. Writes its port to FOLDER/port.

    /login      sets sid and lang, and redirects to /home
    /home       what cookies were sent, sorted
    /logout     deletes sid
    /slow       writes FOLDER/slow, waits until /go is asked for, and sets slow=1
    /go         lets the /slow that waits go on
    /rotate     the next token, if the one sent is the last one; else 401. Writes each time a byte to FOLDER/rotated
    /first/...  sets a cookie for /first only
"""
import http.server
import os
import pathlib
import sys
import threading

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()
token = [0]
go = threading.Semaphore(0)


def rotate(sent):
    with lock:
        if f"token=t{token[0]}" not in sent:
            return 401, []
        token[0] += 1
        with open(folder / "rotated", "a") as file:
            file.write(".")
        return 200, [f"token=t{token[0]}; Path=/rotate"]


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, cookies, body, more=()):
        self.send_response(status)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        sent = sorted(self.headers.get("Cookie", "").split("; "))
        body = f"{self.path}: {' '.join(sent)}\n".encode()
        if self.path == "/login":
            cookies = ["sid=s3cret; Path=/; HttpOnly; SameSite=Strict", "lang=en; Path=/; Max-Age=600"]
            self.answer(302, cookies, b"", [("Location", "/home")])
        elif self.path == "/logout":
            self.answer(200, ["sid=; Path=/; Max-Age=0"], body)
        elif self.path == "/slow":
            (folder / "slow").touch()
            go.acquire(timeout=60)
            self.answer(200, ["slow=1; Path=/", "sid=new; Path=/; SameSite=lax"], body)
        elif self.path == "/go":
            go.release()
            self.answer(200, [], body)
        elif self.path == "/rotate":
            status, cookies = rotate(sent)
            self.answer(status, cookies, body)
        elif self.path.startswith("/first/"):
            self.answer(200, ["first=1"], body)
        elif self.path == "/home":
            self.answer(200, [], body)
        else:
            self.answer(404, [], body)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
(folder / "port.new").write_text(str(server.server_port))
os.rename(folder / "port.new", folder / "port")
server.serve_forever()
