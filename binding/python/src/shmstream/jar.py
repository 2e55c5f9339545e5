# SPDX-License-Identifier: MIT
"""shmstream.jar: HTTP cookies that processes share.

    with Jar("cookies") as jar:
        refused = jar.set("https://example.com/login", "sid=31d4; Path=/; Secure")
        line = jar.get("https://example.com/")           # what goes behind "Cookie: "

For urllib there is shmstream.cookies, for requests shmstream.requests. This module needs libpsl and libidn2; a package
that was built without them has no jars, and importing this says so.
"""
import enum
import errno

import shmstream

try:
    from . import _jar
except ImportError as e:
    raise ImportError(f"shmstream was built without jars, or libpsl or libidn2 is not there: {e}") from e

__all__ = ["Cookie", "HostLock", "Jar", "Refused"]

_jar._set_errors(shmstream._errors)

_SITE = {"same": 0, "lax": 1, "lax_unsafe": 2, "cross": 3}
_SAME_SITE = (None, "none", "lax", "strict")
_SECURE, _HTTP_ONLY, _HOST_ONLY, _GONE = 1, 2, 4, 8


class Refused(enum.IntEnum):
    """Why the rules refused a cookie; `text` says it in words."""

    CONTROL = 1
    EMPTY = 2
    LONG = 3
    DOMAIN = 4
    SUFFIX = 5
    INSECURE = 6
    SHADOWS = 7
    HIDDEN = 8
    CROSS_SITE = 9
    PREFIX = 10
    UNWRITABLE = 11

    @property
    def text(self):
        return _jar._reason(int(self))


def _bytes(text):
    """UTF-8; what was no UTF-8 when it came is what it was."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


class Cookie:
    """A cookie. Its texts are str: UTF-8, and bytes that are none as surrogates (os.fsdecode() does the same).

    expires_ns is in nanoseconds since 1970, 0 with the session; `expires` is the same in seconds, or None. `created`
    and `changed` are versions of the jar: created gives the order of cookies.
    """

    __slots__ = ("host", "name", "value", "path", "partition", "secure", "http_only", "host_only", "gone", "same_site",
                 "expires_ns", "created_ns", "used_ns", "created", "changed")

    def __init__(self, host, name, value, *, path="/", partition=None, secure=False, http_only=False, host_only=True,
                 same_site=None, expires=None, expires_ns=0):
        if expires is not None:
            expires_ns = max(1, int(expires * 1000000000))  # 0 would be no expiry
        self.host = host
        self.name = name
        self.value = value
        self.path = path
        self.partition = partition
        self.secure = bool(secure)
        self.http_only = bool(http_only)
        self.host_only = bool(host_only)
        self.gone = False
        self.same_site = same_site
        self.expires_ns = expires_ns
        self.created_ns = self.used_ns = self.created = self.changed = 0

    @classmethod
    def _of(cls, host, name, value, path, partition, flags, same_site, expires_ns, created_ns, used_ns, created,
            changed):
        self = cls(host, name, value, path=path, partition=partition, secure=flags & _SECURE,
                   http_only=flags & _HTTP_ONLY, host_only=flags & _HOST_ONLY, expires_ns=expires_ns,
                   same_site=_SAME_SITE[same_site] if same_site < len(_SAME_SITE) else None)
        self.gone = bool(flags & _GONE)
        self.created_ns = created_ns
        self.used_ns = used_ns
        self.created = created
        self.changed = changed
        return self

    @property
    def expires(self):
        return self.expires_ns / 1000000000 if self.expires_ns else None

    @property
    def _flags(self):
        return _SECURE * self.secure | _HTTP_ONLY * self.http_only | _HOST_ONLY * self.host_only

    def __repr__(self):  # without the value: it is a secret
        return f"<Cookie {self.host} {self.name!r}{' gone' if self.gone else ''}>"


class HostLock(shmstream.KeyLock):
    """The lock of a host, while a with statement holds it."""


class Jar(shmstream._Handle, _jar.Jar):
    """A jar of cookies. It stays without members until it is unlinked, unless all said keep=False."""

    def __init__(self, name="cookies", *, readonly=False, create="or_open", keep=True, mode=0, max_size=0,
                 owners="self", host_cookies=0, jar_cookies=0, suffix_list=None, open_timeout=None):
        super().__init__(name, readonly=readonly, create=shmstream._choose("create", shmstream._CREATE, create),
                         keep=keep, mode=mode, max_size=max_size, host_cookies=host_cookies, jar_cookies=jar_cookies,
                         suffix_list=suffix_list, open_timeout=open_timeout, **shmstream._owners(owners))
        self._readonly = readonly

    def set(self, url, line, *, site="same", api=False, partition=None):
        """Take the value of a Set-Cookie header in: None, or why it was refused."""
        refused = self._set(url, bool(api), shmstream._choose("site", _SITE, site), partition, _bytes(line))
        return Refused(refused) if refused else None

    def get(self, url, *, site="same", api=False, partition=None):
        """The value of the Cookie header for a request; "" where there is none to send."""
        line = self._get(url, bool(api), shmstream._choose("site", _SITE, site), partition)
        return line.decode("utf-8", "surrogateescape")

    def each(self, host=None):
        """The cookies of a host, or of all: a list."""
        return [Cookie._of(*one) for one in self._each(host)]

    def __iter__(self):
        return iter(self.each())

    def put(self, cookie):
        """Put a Cookie in, past the rules that need a request: None, or why it was refused."""
        same_site = shmstream._choose("same_site", {w: i for i, w in enumerate(_SAME_SITE)}, cookie.same_site)
        refused = self._put(cookie.host, _bytes(cookie.name), _bytes(cookie.value), _bytes(cookie.path),
                            cookie.partition, cookie._flags, same_site, cookie.expires_ns)
        return Refused(refused) if refused else None

    def delete(self, host, name, path=None, *, partition=None):
        """Delete the cookies of that name, of a path or of all; NotFound where there is none."""
        self._delete(host, _bytes(name), _bytes(path), partition)

    def lock(self, host, timeout=None):
        """with jar.lock(host): one process logs in, or refreshes a token, for all."""
        return HostLock(self, host, timeout)

    def changes(self, since):
        """([Cookie...], since): what has changed; Missed where too much did."""
        told, since = self._changes(since)
        if told is None:
            missed = shmstream.Missed(errno.EIO, shmstream._shmstream.codes["SHMS_E_MISSED"][1])
            missed.code = shmstream.Code.MISSED
            missed.since = since
            raise missed
        return [Cookie._of(*one) for one in told], since

    def __reduce__(self):
        if self.closed:
            raise TypeError("a closed jar cannot be pickled")
        return shmstream._reopen, (type(self), self.name, (), {"readonly": self._readonly})
