# SPDX-License-Identifier: MIT
"""The jar behind urllib and requests, against a server of the test."""
import http.cookiejar
import http.server
import os
import pickle
import tempfile
import threading
import unittest
import urllib.request

import shmstream
from common import Case, name

try:
    from shmstream.cookies import CookieJar
    from shmstream.jar import Cookie, Jar
except ImportError as e:
    raise unittest.SkipTest(str(e))

PAGES = {  # path: status, Set-Cookie lines, Location
    "/login": (302, ["sid=s3; HttpOnly; SameSite=Strict; Path=/", "lang=en; Path=/home; Max-Age=600"], "/home"),
    "/logout": (200, ["sid=; Path=/; Max-Age=0"], None),
    "/bad": (200, ["a=1; Domain=com", "__Host-b=2", "c=3"], None),
    "/deep/page": (200, ["deep=1"], None),
    "/bytes": (200, ["raw=\xff\xfe; Path=/"], None),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.sent.append((self.path, self.headers.get("Cookie")))
        status, cookies, location = PAGES.get(self.path, (200, [], None))
        self.send_response(status)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *words):
        pass


class Web(Case):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # they are waited for
        self.server.sent = []
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.jar = Jar(name("web"), keep=False)

    def tearDown(self):
        self.jar.close()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        super().tearDown()

    def sent(self):
        sent, self.server.sent = self.server.sent, []
        return sent

    def names(self):
        return [c.name for c in self.jar]


class Urllib(Web):
    def open(self, path, jar=None, headers=None):
        proxies = urllib.request.ProxyHandler({})
        opener = urllib.request.build_opener(proxies, urllib.request.HTTPCookieProcessor(
            CookieJar(self.jar) if jar is None else jar))
        opener.open(urllib.request.Request(self.url + path, headers=headers or {}), timeout=20).close()

    def test_redirects(self):
        self.open("/login")
        self.assertEqual(self.sent(), [("/login", None), ("/home", "lang=en; sid=s3")])
        self.open("/other")
        self.assertEqual(self.sent(), [("/other", "sid=s3")])
        self.open("/logout")
        self.assertEqual(self.names(), ["lang"])

    def test_the_rules_are_the_jars(self):
        self.open("/bad")
        self.open("/deep/page")
        self.open("/bytes")
        self.assertEqual(self.names(), ["c", "deep", "raw"])
        self.sent()
        self.open("/deep/")
        self.assertEqual(self.sent()[0][1], "deep=1; c=3; raw=\xff\xfe")  # the very bytes, as http.server has them
        self.open("/", headers={"Cookie": "mine=1"})
        self.assertEqual(self.sent()[0][1], "mine=1")

    def test_two_processes_share(self):
        web = name("web")
        with CookieJar(web) as mine:  # by name
            self.open("/login", mine)
        self.sent()
        pid = os.fork()
        if pid == 0:
            try:
                with CookieJar(web) as same:
                    self.open("/home", same)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        self.assertEqual(self.sent(), [("/home", "lang=en; sid=s3")])
        shmstream.unlink(web)  # one has opened it to keep it

    def test_another_site(self):
        self.jar.put(Cookie("127.0.0.1", "strict", "1", same_site="strict"))
        self.open("/", CookieJar(self.jar, site="cross"))
        self.assertEqual(self.sent(), [("/", None)])


class Interface(Case):
    """What programs do with an http.cookiejar.CookieJar besides."""

    def test_cookies_of_the_library(self):
        with Jar(name("interface"), keep=False) as jar:
            std = CookieJar(jar)
            self.assertIsInstance(std, http.cookiejar.CookieJar)
            jar.set("https://a.example.com/", "host=1; Secure; HttpOnly; SameSite=None; Max-Age=600")
            jar.set("https://a.example.com/", "wide=2; Domain=example.com")
            jar.set("https://a.example.com/", "bare")
            jar.set("https://a.example.com/", "p=1; Secure; Partitioned", partition="https://top.test")
            found = {c.name: c for c in std}
            self.assertEqual((set(found), len(std)), ({"host", "wide", "bare"}, 3))
            host, wide, bare = found["host"], found["wide"], found["bare"]
            self.assertEqual((host.domain, host.domain_specified, host.secure, host.discard), ("a.example.com", False, True, False))
            self.assertTrue(host.has_nonstandard_attr("HTTPOnly"))
            self.assertEqual(host.get_nonstandard_attr("SameSite"), "None")
            self.assertEqual((wide.domain, wide.domain_initial_dot, wide.discard, wide.expires), (".example.com", True, True, None))
            self.assertIsNone(bare.value)
            before = {c.name: (c.host, c.value, c.path, c._flags, c.same_site) for c in jar if not c.partition}
            for cookie in found.values():
                std.set_cookie(cookie)
            after = {c.name: (c.host, c.value, c.path, c._flags, c.same_site) for c in jar if not c.partition}
            self.assertEqual(before, after)
            self.assertRaises(ValueError, std.set_cookie, http.cookiejar.Cookie(
                0, "a", "1", None, False, ".com", True, True, "/", True, False, None, True, None, None, {}))
            self.assertIn("wide", repr(std))

            self.assertRaises(KeyError, std.clear, "example.com")  # its domain has a dot
            self.assertRaises(ValueError, std.clear, None, "/")
            self.assertRaises(ValueError, std.clear, ".example.com", None, "wide")
            self.assertRaises(KeyError, std.clear, ".example.com", "/", "other")
            std.clear(".example.com", "/", "wide")
            std.clear_session_cookies()
            std.clear_expired_cookies()
            self.assertEqual([c.name for c in std], ["host"])
            std.clear()
            self.assertEqual((len(std), len(jar)), (0, 1))  # a partition's cookies are no business of it
            self.assertRaises(Exception, pickle.dumps, std)

    def test_one_of_two_by_a_name(self):
        with Jar(name("two"), keep=False) as jar:
            for line in ("n=host", "n=domain; Domain=a.example"):
                jar.set("https://a.example/", line)
            std = CookieJar(jar)
            std.clear(".a.example", "/", "n")
            self.assertEqual([c.value for c in jar], ["host"])
            std.clear("a.example", "/", "n")
            self.assertEqual(list(jar), [])

    def test_no_values_in_its_words(self):
        with Jar(name("words"), keep=False) as jar:
            std = CookieJar(jar)
            for line in ("sid=s3cret", "s3cret"):
                jar.set("https://a.example/", line)
            for words in (repr(std), str(std)):
                self.assertIn("sid", words)
                self.assertNotIn("s3cret", words)
        self.assertIn("closed", repr(std))

    def test_saved_by_the_library(self):
        with tempfile.TemporaryDirectory() as folder, Jar(name("saved"), keep=False) as jar:
            jar.set("https://a.example.com/", "host=1; Secure; HttpOnly; Max-Age=600")
            path = os.path.join(folder, "cookies.txt")
            mozilla = http.cookiejar.MozillaCookieJar(path)
            for cookie in CookieJar(jar):
                mozilla.set_cookie(cookie)
            mozilla.save()
            cookie, = jar
            if not hasattr(http.cookiejar, "HTTPONLY_PREFIX"):
                cookie.http_only = False  # before 3.10 the file does not say it
            jar.clear()
            self.assertEqual(jar.import_file(path), (1, 0))
            self.assertEqual(jar.each()[0]._flags, cookie._flags)  # HttpOnly among them
            jar.clear()
            mozilla = http.cookiejar.MozillaCookieJar(path)
            mozilla.load()
            for one in mozilla:
                CookieJar(jar).set_cookie(one)
            self.assertEqual(jar.each()[0]._flags, cookie._flags)

    def test_bad(self):
        self.assertRaises(TypeError, list, CookieJar(5))
        with Jar(name("bad"), keep=False) as jar:
            std = CookieJar(jar)
        self.assertRaises(ValueError, list, std)
        self.assertRaises(ValueError, std.add_cookie_header, urllib.request.Request("https://a.test/"))


try:
    import requests
    from shmstream.requests import Adapter, Session
except ImportError:
    requests = None


@unittest.skipUnless(requests, "no requests (ci/setup python)")
class Requests(Web):
    def session(self, **options):
        session = Session(self.jar, **options)
        session.trust_env = False  # no proxy
        return session

    def test_redirects(self):
        with self.session() as s:
            s.get(self.url + "/login", timeout=20)
            self.assertEqual(self.sent(), [("/login", None), ("/home", "lang=en; sid=s3")])
            s.post(self.url + "/other", data={"a": 1}, timeout=20)
            self.assertEqual(self.sent(), [("/other", "sid=s3")])
            self.assertEqual(len(s.cookies), 0)  # the jar has them
            s.get(self.url + "/logout", timeout=20)
            self.assertEqual(self.names(), ["lang"])

    def test_the_rules_are_the_jars(self):
        with self.session() as s:
            for page in ("/bad", "/deep/page", "/bytes"):
                s.get(self.url + page, timeout=20)
            self.assertEqual(self.names(), ["c", "deep", "raw"])
            self.sent()
            s.get(self.url + "/deep/", timeout=20, cookies={"mine": "1"})
            self.assertEqual(self.sent()[0][1], "deep=1; c=3; raw=\xff\xfe")

    def test_sessions_share(self):
        with self.session() as one, self.session() as other, self.session(site="cross") as foreign:
            one.get(self.url + "/login", timeout=20)
            self.sent()
            other.get(self.url + "/home", timeout=20)
            foreign.get(self.url + "/home", timeout=20)
            self.assertEqual(self.sent(), [("/home", "lang=en; sid=s3"), ("/home", None)])

    def test_one_adapter(self):
        with requests.Session() as s:
            s.trust_env = False
            s.mount(self.url, Adapter(self.jar, max_retries=1))
            s.get(self.url + "/login", timeout=20)
            self.assertEqual(self.sent()[1], ("/home", "lang=en; sid=s3"))


if __name__ == "__main__":
    unittest.main()
