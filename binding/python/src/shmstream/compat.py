# SPDX-License-Identifier: MIT
"""shmstream.compat: in place of multiprocessing.shared_memory and multiprocessing.Lock, with a name and a lock that
outlives no process.

    from shmstream.compat import SharedMemory, ShareableList, Lock

What differs: no resource tracker runs, so `track` changes nothing; memory stays until unlink(), or until a reboot. The
names are those of shmstream, so that the standard library does not find them, nor the other way round. A ShareableList
locks each access. A Lock that a process died with is free for the next; only the process that has acquired it can
release it.
"""
import multiprocessing.shared_memory as _std
import secrets
import types

import shmstream

__all__ = ["Lock", "ShareableList", "SharedMemory"]


def _new_name():
    return "psm_" + secrets.token_hex(8)


class SharedMemory:
    """As multiprocessing.shared_memory.SharedMemory."""

    _stream = None
    _buf = None

    def __init__(self, name=None, create=False, size=0, *, track=True):
        if not size >= 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"'name' must be str, not {type(name).__name__}")
        self._name = _new_name() if name is None else name.lstrip("/")
        self._stream = shmstream.Stream(self._name, size if create else 0, create="only" if create else "never",
                                        keep=create)
        self._size = self._stream.size
        self._buf = memoryview(self._stream)

    def __del__(self):
        try:
            self.close()
        except BufferError:
            pass  # a view goes on; the memory is given back with it

    def __reduce__(self):
        return type(self), (self._name, False, self._size)

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, size={self.size})"

    @property
    def buf(self):
        return self._buf

    @property
    def name(self):
        return self._name

    @property
    def size(self):
        return self._size

    def close(self):
        if self._buf is not None:
            self._buf.release()
            self._buf = None
        if self._stream is not None:
            self._stream.close()

    def unlink(self):
        shmstream.unlink(self._name)


def _with_our_memory(function):
    """The standard library's function, but for the memory that it makes."""
    ours = types.FunctionType(function.__code__, {**function.__globals__, "SharedMemory": SharedMemory},
                              function.__name__, function.__defaults__, function.__closure__)
    ours.__kwdefaults__ = function.__kwdefaults__
    return ours


class ShareableList(_std.ShareableList):
    """As multiprocessing.shared_memory.ShareableList, but that each access is locked."""

    __init__ = _with_our_memory(_std.ShareableList.__init__)

    def __getitem__(self, position):
        with self.shm._stream.locked_shared():
            return super().__getitem__(position)

    def __setitem__(self, position, value):
        with self.shm._stream.locked():
            super().__setitem__(position, value)


class Lock:
    """As multiprocessing.Lock, but with a name, by which any process of the user can open it."""

    def __init__(self, name=None):
        self.name = _new_name() if name is None else name
        self._stream = shmstream.Stream(self.name, 1)

    def acquire(self, block=True, timeout=None):
        return self._stream.acquire(block, None if timeout is None else max(0, timeout))

    def release(self):
        try:
            self._stream.release()
        except shmstream.Error as e:
            if e.code != shmstream.Code.NOT_OWNER:
                raise
            raise ValueError("the lock is not held") from None

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exception):
        self.release()

    def __reduce__(self):
        return type(self), (self.name,)

    def __repr__(self):
        return f"<Lock {self.name!r}>"
