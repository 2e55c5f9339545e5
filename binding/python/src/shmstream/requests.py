# SPDX-License-Identifier: MIT
"""shmstream.requests: a session of requests with the cookies of a jar.

    with Jar("cookies") as jar, Session(jar) as session:
        session.get("https://example.com/")

`requests` copies the cookies of a session and matches them by rules of its own, so a jar has to be behind it: the
adapter puts the Cookie header in and takes Set-Cookie headers out, of each request and each redirect. The cookies of
session.cookies, and `cookies=` of a call, are not sent: set them in the jar.
"""
import http.cookiejar

import requests
import requests.adapters

__all__ = ["Adapter", "Session"]


class Adapter(requests.adapters.HTTPAdapter):
    """For Session.mount(). site and partition are those of all its requests, as in Jar.set()."""

    def __init__(self, jar, *, site="same", partition=None, **options):
        self.jar = jar
        self.site = site
        self.partition = partition
        super().__init__(**options)

    def __getstate__(self):
        return {**super().__getstate__(), "jar": self.jar, "site": self.site, "partition": self.partition}

    def send(self, request, *args, **kw):
        line = self.jar.get(request.url, site=self.site, partition=self.partition)
        request.headers.pop("Cookie", None)
        if line:
            request.headers["Cookie"] = line.encode("utf-8", "surrogateescape")
        response = super().send(request, *args, **kw)
        for line in response.raw.headers.getlist("Set-Cookie"):
            self.jar.set(request.url, line.encode("latin-1", "replace"), site=self.site, partition=self.partition)
        return response


class Session(requests.Session):
    """A session with a jar, which stays open when the session is closed."""

    def __init__(self, jar, *, site="same", partition=None):
        super().__init__()
        self.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))  # it keeps none itself
        for scheme in ("http://", "https://"):
            self.mount(scheme, Adapter(jar, site=site, partition=partition))
