# SPDX-License-Identifier: MIT
"""shmstream.aio: streams and channels for asyncio. The loop is never blocked.

    async with aio.Stream("visits", 4096) as s:
        async with s.locked(timeout=1.0) as section: ...
        async for version in s.changes(): ...

Tasks of one handle queue first come, first served. A lock is tried first; only if another process has it, a thread of
the handle waits for it.
"""
import asyncio
import concurrent.futures
import contextlib
import errno

import shmstream

__all__ = ["Channel", "Stream"]

_LOOK = 1.0  # seconds: descriptors tell of everything but deaths


async def _readable(fd, timeout):
    """Until a descriptor is readable, for so long at most."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
    try:
        await asyncio.wait([ready], timeout=timeout)
    finally:
        loop.remove_reader(fd)


class _Clock:
    """What is left of a time-out, None for ever."""

    def __init__(self, timeout):
        self._loop = asyncio.get_running_loop()
        self._end = None if timeout is None else self._loop.time() + timeout

    def left(self):
        return None if self._end is None else max(0.0, self._end - self._loop.time())

    def slice(self):
        return _LOOK if self._end is None else min(_LOOK, self.left())


class Stream:
    """A shmstream.Stream for tasks; `sync` is that stream, for all that never waits."""

    def __init__(self, *args, **options):
        self.sync = shmstream.Stream(*args, tasks=True, **options)
        self._queue = asyncio.Lock()
        self._thread = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        await self.close()

    async def close(self):
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None
        self.sync.close()

    @contextlib.asynccontextmanager
    async def locked(self, timeout=None):
        """The exclusive lock, as a section. shmstream.Timeout if it is not got in time."""
        clock = _Clock(timeout)
        await self._first_in_queue(clock)
        try:
            section = await self._enter(clock)
            with contextlib.ExitStack() as stack:
                stack.push(section.__exit__)
                yield section
        finally:
            self._queue.release()

    async def _first_in_queue(self, clock):
        if not self._queue.locked():
            await self._queue.acquire()  # at once, also where the time-out is 0
            return
        try:
            await asyncio.wait_for(self._queue.acquire(), clock.left())
        except asyncio.TimeoutError:
            raise self._timeout() from None

    @staticmethod
    def _timeout():
        error = shmstream.Timeout(errno.ETIMEDOUT, "timed out")
        error.code = shmstream.Code.TIMEOUT
        return error

    async def _enter(self, clock):
        try:
            return self.sync.locked(0).__enter__()
        except shmstream.Timeout:
            if clock.left() == 0:
                raise
        if self._thread is None:
            self._thread = concurrent.futures.ThreadPoolExecutor(1, "shmstream")
        given_up = []
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._thread, self._wait, clock.left(), given_up)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            given_up.append(True)  # the thread sees it within a slice
            with contextlib.suppress(Exception):
                section = await asyncio.shield(work)
                if section is not None:
                    section.__exit__(None, None, None)
            raise

    def _wait(self, timeout, given_up):
        """In the thread: slices, so that a task that is cancelled does not leave it behind."""
        waited = 0.0
        while not given_up:
            part = 0.05 if timeout is None else min(0.05, timeout - waited)
            if part <= 0:
                raise self._timeout()
            try:
                return self.sync.locked(part).__enter__()
            except shmstream.Timeout:
                waited += part
        return None

    async def wait(self, seen, timeout=None):
        """Wait for another version than `seen`."""
        clock = _Clock(timeout)
        fd = self.sync.fileno()
        while True:
            try:
                return self.sync.wait(seen, 0)
            except shmstream.Timeout:
                if clock.left() == 0:
                    raise
            await _readable(fd, clock.slice())

    async def changes(self, seen=None):
        """Each version that is seen to be new; several changes may be one."""
        seen = self.sync.version if seen is None else seen
        while True:
            seen = await self.wait(seen)
            yield seen


class Channel:
    """A shmstream.Channel for tasks; `sync` is that channel."""

    def __init__(self, *args, **options):
        self.sync = shmstream.Channel(*args, **options)
        self._queue = asyncio.Lock()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        self.sync.close()

    async def send(self, data, timeout=None):
        await self._try(lambda: self.sync.send(data, 0), timeout)

    async def recv(self, timeout=None):
        return await self._try(lambda: self.sync.recv(0), timeout)

    async def _try(self, call, timeout):
        clock = _Clock(timeout)
        async with self._queue:
            while True:
                try:
                    return call()
                except shmstream.Timeout:
                    if clock.left() == 0:
                        raise
                await _readable(self.sync.fileno(), clock.slice())

    async def __aiter__(self):
        """All messages, until the senders have closed."""
        while True:
            try:
                message = await self.recv()
            except shmstream.Closed:
                return
            yield message
