# SPDX-License-Identifier: MIT
"""shmstream.cookies: a jar that processes share, as an http.cookiejar.CookieJar.

    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar("cookies")))

Which cookies are sent and taken is decided by the jar (RFC 6265bis), not by a CookiePolicy. For requests use
shmstream.requests: it would copy this jar's cookies and match them by its own rules.
"""
import http.cookiejar

from .jar import Cookie, Jar

__all__ = ["CookieJar"]


def _attribute(cookie, name):
    """An attribute that http.cookiejar does not know, in whatever case its server wrote it: (it is there, value)."""
    for key, value in cookie._rest.items():
        if key.lower() == name:
            return True, value
    return False, None


def _from_std(cookie):
    http_only, _ = _attribute(cookie, "httponly")
    _, same_site = _attribute(cookie, "samesite")
    same_site = (same_site or "").lower()
    named = cookie.value is not None  # else a cookie without a name, as "Set-Cookie: value" makes it
    return Cookie(cookie.domain.lstrip("."), cookie.name if named else "", cookie.value if named else cookie.name,
                  path=cookie.path, secure=cookie.secure, http_only=http_only,
                  host_only=not cookie.domain.startswith("."), expires=cookie.expires,
                  same_site=same_site if same_site in ("none", "lax", "strict") else None)


def _to_std(cookie):
    # MozillaCookieJar looks for HTTPOnly in this spelling, when it saves.
    rest = {"HTTPOnly": None} if cookie.http_only else {}
    if cookie.same_site is not None:
        rest["SameSite"] = cookie.same_site.capitalize()
    name, value = (cookie.name, cookie.value) if cookie.name else (cookie.value, None)
    expires = None if cookie.expires is None else int(cookie.expires)
    return http.cookiejar.Cookie(
        0, name, value, None, False, ("" if cookie.host_only else ".") + cookie.host, not cookie.host_only,
        not cookie.host_only, cookie.path, True, cookie.secure, expires, expires is None, None, None, rest)


class CookieJar(http.cookiejar.CookieJar):
    """`jar` is an open Jar, or the name of one, which is opened here and closed by close().

    site and partition are those of all its requests, as in Jar.set(). Cookies of a partition are not told by iteration.
    """

    def __init__(self, jar="cookies", *, site="same", partition=None):
        super().__init__()
        self._opened = Jar(jar) if isinstance(jar, str) else None
        self.jar = jar if self._opened is None else self._opened  # one without cookies is false
        self.site = site
        self.partition = partition

    def close(self):
        if self._opened is not None:
            self._opened.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # Around a request. http.client has headers as Latin-1: each character is a byte.

    def add_cookie_header(self, request):
        line = self.jar.get(request.get_full_url(), site=self.site, partition=self.partition)
        if line and not request.has_header("Cookie"):
            request.add_unredirected_header("Cookie", line.encode("utf-8", "surrogateescape").decode("latin-1"))

    def extract_cookies(self, response, request):
        for line in response.info().get_all("Set-Cookie", ()):
            self.jar.set(request.get_full_url(), str(line).encode("latin-1", "replace"), site=self.site,
                         partition=self.partition)

    # Past a request.

    def set_cookie(self, cookie):
        """ValueError where the jar refuses it."""
        refused = self.jar.put(_from_std(cookie))
        if refused:
            raise ValueError(f"cookie {cookie.name!r} of {cookie.domain!r}: {refused.text}")

    def __iter__(self):
        return (_to_std(cookie) for cookie in self.jar if cookie.partition is None)

    def __len__(self):
        return sum(1 for _ in self)

    def clear(self, domain=None, path=None, name=None):
        """KeyError where there is none of them; the domain of a cookie that had one begins with its dot."""
        if name is not None and (domain is None or path is None) or path is not None and domain is None:
            raise ValueError("a name wants domain and path, and a path its domain")
        found = [c for c in (self.jar if domain is None else self.jar.each(domain.lstrip(".")))
                 if c.partition is None and (domain is None or c.host_only != domain.startswith("."))
                 and path in (None, c.path) and name in (None, c.name or c.value)]
        if domain is not None and not found:
            raise KeyError(domain if path is None else path if name is None else name)
        self._delete(found)

    def clear_session_cookies(self):
        self._delete([c for c in self.jar if c.partition is None and not c.expires_ns])

    def clear_expired_cookies(self):
        """The jar does so itself."""

    def _delete(self, cookies):
        for cookie in cookies:
            cookie.expires_ns = 1  # long over; Jar.delete() would take the host's and the domain's cookie of that name
            self.jar.put(cookie)

    def __repr__(self):  # without values: they are secrets
        return f"<CookieJar {'closed' if self.jar.closed else [c for c in self.jar if c.partition is None]}>"

    __str__ = __repr__
