# SPDX-License-Identifier: MIT
"""shmstream: memory that several processes share, as simple as a file.

    with Stream("visits", 4096) as s, s.locked(timeout=1.0) as section:
        s.pwrite(b"hello", 0)

Streams (bytes and a lock), channels (messages), dicts (records by key) and jars (HTTP cookies). A failure is an Error, which has the code
of the C library; a time that is over is a Timeout, and a TimeoutError. That an owner of the lock died is no failure
but a property of the section: `owner_died`. Times are in seconds; None is for ever.
"""
import collections.abc
import enum
import errno
import os

from . import _shmstream
from ._shmstream import MEMBERS_MAX, Section, __version__, unlink

__all__ = [
    "Change", "Channel", "Closed", "Code", "Denied", "Dict", "Died", "Error", "Exists", "KeyLock", "MEMBERS_MAX",
    "Message", "Missed", "NotFound", "Region", "Section", "Stream", "Timeout", "__version__", "regions", "unlink",
]

Code = enum.IntEnum("Code", {n.replace("SHMS_E_", "").replace("SHMS_", ""): v[0] for n, v in _shmstream.codes.items()})
Code.__doc__ = "The codes of the C library, without their SHMS_E_."


class Error(OSError):
    """A failure; `code` is one of Code."""

    def __init__(self, *args):
        super().__init__(*args)
        self.code = 0


class NotFound(Error, FileNotFoundError):
    """Nothing of that name."""


class Exists(Error, FileExistsError):
    """Something of that name exists already."""


class Denied(Error, PermissionError):
    """Permission denied, or the name is occupied by another file."""


class Timeout(Error, TimeoutError):
    """The time is over."""


class Closed(Error, EOFError):
    """The other side has closed, and all is received."""


class Died(Error):
    """The other side died without closing."""


class Missed(Error):
    """What came before has been overwritten."""


_errors = {
    None: Error, Code.NOT_FOUND: NotFound, Code.EXISTS: Exists, Code.DENIED: Denied, Code.TIMEOUT: Timeout,
    Code.CLOSED: Closed, Code.DIED: Died, Code.MISSED: Missed,
}
_shmstream._set_errors(_errors)


def __getattr__(name):
    """Jars are loaded when they are asked for: only they need libpsl."""
    if name in ("Cookie", "Jar", "Refused"):
        from . import jar
        return getattr(jar, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_CREATE = {"or_open": 0, "only": 1, "never": 2}
_OWNERS = {"self": 0, "root": 1, "any": 3}


def _choose(what, among, value):
    try:
        return among[value]
    except (KeyError, TypeError):
        raise ValueError(f"{what} is one of {', '.join(map(repr, among))}, not {value!r}") from None


def _owners(owners):
    """What the C half wants: a word, or the number of the user that is accepted."""
    if isinstance(owners, int) and not isinstance(owners, bool):
        return {"owners": 2, "owner_uid": owners}
    return {"owners": _choose("owners", _OWNERS, owners)}


class _Handle:
    def __enter__(self):
        if self.closed:
            raise ValueError("the handle is closed")
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}{' closed' if self.closed else ''}>"


class Stream(_Handle, _shmstream.Stream):
    """A stream. name None makes a region without a name; size 0 opens what is there.

    It supports the buffer protocol: memoryview(s) and numpy.frombuffer(s) are the memory itself.
    """

    def __init__(self, name, size=0, *, readonly=False, create="or_open", keep=False, atomic=False, mode=0,
                 max_size=0, owners="self", tasks=True, open_timeout=None, sparse=False):
        super().__init__(name, size, readonly=readonly, create=_choose("create", _CREATE, create), keep=keep,
                         atomic=atomic, mode=mode, max_size=max_size, tasks=tasks, open_timeout=open_timeout,
                         sparse=sparse, **_owners(owners))

    @classmethod
    def from_fd(cls, fd, *, readonly=False):
        """Join the region without a name that a descriptor stands for."""
        self = cls.__new__(cls)
        self._join(fd, readonly)
        return self

    def __reduce__(self):
        if self.closed or self.name is None:
            raise TypeError("only an open stream with a name can be pickled: it is opened again by its name")
        return _reopen, (type(self), self.name, (), {"readonly": self.readonly, "tasks": self.tasks})


def _reopen(cls, name, args, options):
    return cls(name, *args, create="never", **options)


class Message:
    """A message of a channel, with a receiver that has not released it: use it as a context manager.

    The end of the with statement releases it. An exception puts it back: it is delivered again. So does the garbage
    collector with one that was not released.
    """

    def __init__(self, channel):
        self._channel = channel
        self._process = os.getpid()
        self.data = None
        self.number = self.tries = 0

    def __bytes__(self):
        return self.data

    def release(self):
        """Done with it."""
        self._end("_release")

    def abort(self):
        """Put it back, for this receiver or another."""
        self._end("_abort")

    def _end(self, how):
        channel, self._channel = self._channel, None
        if channel is not None:
            getattr(channel, how)()

    def _drop(self):
        """Whatever becomes of it. A child of fork does not hold what its parent holds."""
        try:
            if self.data is not None and self._process == os.getpid():
                self.abort()
        except (Error, RuntimeError, ValueError):
            pass

    def __enter__(self):
        return self

    def __exit__(self, kind, *exception):
        if kind is not None:  # that is the news, not what comes of it
            self._drop()
        elif self._process == os.getpid():
            self.release()

    def __del__(self):
        self._drop()


class Channel(_Handle, _shmstream.Channel):
    """A channel. role is "send", "receive" or "look"; size 0 opens what is there. Threads take turns."""

    _ROLE = {"look": 0, "send": 1, "receive": 2}
    _KIND = {"queue": 0, "broadcast": 1}
    _SLOW = {"block": 0, "drop": 1, "expel": 2}

    def __init__(self, name, size=0, role="receive", *, kind="queue", slow="block", history=0, one_sender=False,
                 one_receiver=False, create="or_open", keep=False, mode=0, owners="self", open_timeout=None):
        super().__init__(name, size, _choose("role", self._ROLE, role), kind=_choose("kind", self._KIND, kind),
                         slow=_choose("slow", self._SLOW, slow), history=history, one_sender=one_sender,
                         one_receiver=one_receiver, create=_choose("create", _CREATE, create), keep=keep, mode=mode,
                         open_timeout=open_timeout, **_owners(owners))
        self.role = role

    def peek(self, timeout=None):
        """The next message, to be released when it is done: `with channel.peek() as message: ...`"""
        message = Message(self)
        try:
            self._peek(message, timeout)
        except BaseException:  # a signal handler's, too, after it was got
            message._drop()
            raise
        return message

    @property
    def missed(self):
        """How many messages were overwritten before the last one, unread (after Missed)."""
        return self._last()[2]

    def __iter__(self):
        """All messages, until the senders have closed."""
        while True:
            try:
                message = self.recv()
            except Closed:
                return
            yield message


class Change:
    """A change of a dict: its key, its version, and whether the record is gone."""

    __slots__ = ("key", "version", "gone", "expired", "evicted")

    def __init__(self, key, version, flags):
        self.key = key
        self.version = version
        self.gone = bool(flags & 1)
        self.expired = bool(flags & 2)
        self.evicted = bool(flags & 4)

    def __repr__(self):
        return f"<Change {self.key!r} {self.version}{' gone' if self.gone else ''}>"


class KeyLock:
    """The lock of a key, while a with statement holds it."""

    def __init__(self, of, key, timeout):
        self._of = of
        self._key = key
        self._timeout = timeout
        self._held = False
        self.owner_died = False

    def __enter__(self):
        if self._held:
            raise RuntimeError("the lock is entered already")
        self._process = os.getpid()
        try:
            self.owner_died = self._of._lock(self._key, self._timeout, self)
        except BaseException:  # a signal handler's, too, after it was got
            self._drop()
            raise
        return self

    def _leave(self):
        held, self._held = self._held, False
        if held and self._process == os.getpid():  # a child of fork does not hold what its parent holds
            self._of._unlock(self._key)

    def _drop(self):
        try:
            self._leave()
        except (Error, ValueError):
            pass

    def __exit__(self, kind, *exception):
        self._leave() if kind is None else self._drop()  # an exception is the news, not what comes of it


class Dict(_Handle, _shmstream.Dict, collections.abc.MutableMapping):
    """A dict. Keys and values are bytes; str is taken, as UTF-8. size 0 opens what is there.

    Other processes change it at any time: len() is a moment's, and counts records that have expired.
    """

    _POLICY = {None: 0, "none": 1, "lru": 2}

    def __init__(self, name, size=0, *, readonly=False, create="or_open", keep=False, mode=0, max_size=0,
                 owners="self", cell_size=0, ring=0, policy=None, key_max=0, value_max=0, open_timeout=None):
        super().__init__(name, size, readonly=readonly, create=_choose("create", _CREATE, create), keep=keep,
                         mode=mode, max_size=max_size, cell_size=cell_size, ring=ring,
                         policy=_choose("policy", self._POLICY, policy), key_max=key_max, value_max=value_max,
                         open_timeout=open_timeout, **_owners(owners))
        self._readonly = readonly

    __hash__ = None  # as of every mapping that can be changed

    def __iter__(self):
        return (key for key, _ in self._walk())

    def _walk(self):
        cursor = 0
        while True:
            step = self._next(cursor)
            if step is None:
                return
            cursor, key, value = step
            yield key, value

    def items(self):
        return _Items(self)

    def values(self):
        return _Values(self)

    _absent = object()

    def pop(self, key, default=_absent):
        """Remove a key: of several processes that pop it, one gets the value."""
        while True:
            found = self.find(key)
            if found is None:
                if default is self._absent:
                    raise KeyError(key)
                return default
            try:
                self.delete(key, if_version=found[1])
                return found[0]
            except Error as e:
                if e.code not in (Code.CHANGED, Code.NOT_FOUND):
                    raise

    def popitem(self):
        for key in self:
            value = self.pop(key, None)
            if value is not None:
                return key, value
        raise KeyError("the dict is empty")

    def setdefault(self, key, default=b""):
        """The value of a key; `default` is set if there is none, by one process."""
        while True:
            value = self.get(key)
            if value is not None:
                return value
            try:
                self.set(key, default, if_version=-1)
            except Exists:
                continue
            return default.encode() if isinstance(default, str) else bytes(default)

    def clear(self):
        for key in self:
            self.pop(key, None)

    def lock(self, key, timeout=None):
        """with d.lock(key): a lease that one handle has at a time."""
        return KeyLock(self, key, timeout)

    def changes(self, since):
        """([Change...], since): of each key the last change, in order. Missed where too many came."""
        told, since = self._changes(since)
        if told is None:
            missed = Missed(errno.EIO, _shmstream.codes["SHMS_E_MISSED"][1])
            missed.code = Code.MISSED
            missed.since = since
            raise missed
        return [Change(*one) for one in told], since

    def __reduce__(self):
        if self.closed:
            raise TypeError("a closed dict cannot be pickled")
        return _reopen, (type(self), self.name, (), {"readonly": self._readonly})


class _Items(collections.abc.ItemsView):
    def __iter__(self):
        return self._mapping._walk()


class _Values(collections.abc.ValuesView):
    def __iter__(self):
        return (value for _, value in self._mapping._walk())


class Region:
    """What can be told about a region: a moment's numbers."""

    __slots__ = ("name", "kind", "state", "size", "max_size", "version", "members", "waiters", "locked", "keep")
    _KIND = ("stream", "channel", "dict")
    _STATE = ("live", "kept", "dead", "foreign")

    def __init__(self, name, kind, state, size, max_size, version, members, waiters, locked, keep):
        self.name = name
        self.kind = self._KIND[kind] if kind < len(self._KIND) else str(kind)
        self.state = self._STATE[state] if state < len(self._STATE) else str(state)
        self.size = size
        self.max_size = max_size
        self.version = version
        self.members = members
        self.waiters = waiters
        self.locked = bool(locked)
        self.keep = bool(keep)

    def __repr__(self):
        return f"<Region {self.name!r} {self.kind} {self.state}>"


def regions():
    """All regions that the calling user may look into."""
    return [Region(*one) for one in _shmstream._regions()]
