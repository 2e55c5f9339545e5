# SPDX-License-Identifier: MIT
"""shmstream.aio: streams and channels for asyncio. The loop is never blocked.

    async with aio.Stream("visits", 4096) as s:
        async with s.locked(timeout=1.0) as section: ...
        async for version in s.changes(): ...

Tasks of one handle queue first come, first served. A lock is tried first; only if another process has it, a thread of
the handle waits for it.
"""
import asyncio
import collections
import contextlib
import errno
import threading

import shmstream

__all__ = ["Channel", "Stream"]

_LOOK = 1.0  # seconds: descriptors tell of everything but deaths


def _timeout():
    error = shmstream.Timeout(errno.ETIMEDOUT, "timed out")
    error.code = shmstream.Code.TIMEOUT
    return error


def _in_thread(call):
    """A future of what a call in a thread gives. The end of the program does not wait for the thread."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def tell(give, what):
        if not future.done():
            give(what)

    def run():
        try:
            told = future.set_result, call()
        except BaseException as e:
            told = future.set_exception, e
        with contextlib.suppress(RuntimeError):  # the loop is closed: a section that was got ends unused
            loop.call_soon_threadsafe(tell, *told)
    threading.Thread(target=run, name="shmstream", daemon=True).start()
    return future


class _Turns:
    """The tasks of a handle, first come, first served. A time-out or a cancelled task leaves no turn behind."""

    def __init__(self):
        self._taken = False
        self._waiting = collections.deque()

    async def take(self, clock):
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=clock.left())
        except asyncio.CancelledError:
            if not turn.cancel():  # it came at the same moment
                self.give()
            raise
        if turn.cancel():
            raise _timeout()

    def give(self):
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False


class _Descriptor:
    """The poll descriptor of a handle, for all tasks that wait for it: a loop has one reader for each descriptor."""

    def __init__(self, handle):
        self._handle = handle
        self._waiting = set()
        self._stop = None

    async def readable(self, timeout):
        """Until it is readable, for so long at most."""
        loop = asyncio.get_running_loop()
        if self._stop is None:
            fd = self._handle.fileno()
            loop.add_reader(fd, self._wake)
            self._stop = lambda: loop.remove_reader(fd)
        ready = loop.create_future()
        self._waiting.add(ready)
        try:
            await asyncio.wait([ready], timeout=timeout)
        finally:
            self._waiting.discard(ready)
            if not self._waiting:
                self.leave()

    def _wake(self):
        for ready in self._waiting:
            if not ready.done():
                ready.set_result(None)

    def leave(self):
        """Before the handle is closed: the number may be another's next. Those that wait look again."""
        if self._stop is not None:
            self._stop()
            self._stop = None
        self._wake()


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
        self._turns = _Turns()
        self._descriptor = _Descriptor(self.sync)
        self._threads = set()  # what waits for the lock; those that were given up, too

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        await self.close()

    async def close(self):
        self._descriptor.leave()
        given_up = [work for work in self._threads if work.given_up]
        if given_up:
            await asyncio.wait([work.future for work in given_up])
        self.sync.close()

    @contextlib.asynccontextmanager
    async def locked(self, timeout=None):
        """The exclusive lock, as a section. shmstream.Timeout if it is not got in time."""
        clock = _Clock(timeout)
        await self._turns.take(clock)
        try:
            section = await self._enter(clock)
            with contextlib.ExitStack() as stack:
                stack.push(section.__exit__)
                yield section
        finally:
            self._turns.give()

    async def _enter(self, clock):
        try:
            return self.sync.locked(0).__enter__()
        except shmstream.Timeout:
            if clock.left() == 0:
                raise
        work = _Wait(self.sync, clock.left())
        self._threads.add(work)
        work.future.add_done_callback(lambda _: self._threads.discard(work))
        try:
            return await asyncio.shield(work.future)
        except asyncio.CancelledError:
            work.give_up()
            with contextlib.suppress(asyncio.CancelledError):  # nothing depends on how long this waits
                await asyncio.wait([work.future])
            raise

    async def wait(self, seen, timeout=None):
        """Wait for another version than `seen`."""
        clock = _Clock(timeout)
        self.sync.fileno()  # from here on it tells of changes
        while True:
            try:
                return self.sync.wait(seen, 0)
            except shmstream.Timeout:
                if clock.left() == 0:
                    raise
            await self._descriptor.readable(clock.slice())

    async def changes(self, seen=None):
        """Each version that is seen to be new; several changes may be one."""
        seen = self.sync.version if seen is None else seen
        while True:
            seen = await self.wait(seen)
            yield seen


class _Wait:
    """A thread that waits for the lock, in slices, so that it ends soon when its task is cancelled."""

    def __init__(self, stream, timeout):
        self._stream = stream
        self._gate = threading.Lock()  # over the two below: what was got has one owner
        self._got = None
        self.given_up = False
        self.future = _in_thread(lambda: self._wait(timeout))

    def _wait(self, timeout):
        waited = 0.0
        while not self.given_up:
            part = 0.05 if timeout is None else min(0.05, timeout - waited)
            if part <= 0:
                raise _timeout()
            try:
                return self._keep(self._stream.locked(part).__enter__())
            except shmstream.Timeout:
                waited += part
        return None

    def _keep(self, section):
        with self._gate:
            if not self.given_up:
                self._got = section
                return section
        section.__exit__(None, None, None)
        return None

    def give_up(self):
        """What the thread gets, or has got, is given back; the task will not take it."""
        with self._gate:
            self.given_up = True
            section, self._got = self._got, None
        if section is not None:
            section.__exit__(None, None, None)


class Channel:
    """A shmstream.Channel for tasks; `sync` is that channel."""

    def __init__(self, *args, **options):
        self.sync = shmstream.Channel(*args, **options)
        self._turns = _Turns()
        self._descriptor = _Descriptor(self.sync)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        self._descriptor.leave()
        self.sync.close()

    async def send(self, data, timeout=None):
        await self._try(lambda: self.sync.send(data, 0), timeout)

    async def recv(self, timeout=None):
        return await self._try(lambda: self.sync.recv(0), timeout)

    async def _try(self, call, timeout):
        clock = _Clock(timeout)
        await self._turns.take(clock)
        try:
            while True:
                try:
                    return call()
                except shmstream.Timeout:
                    if clock.left() == 0:
                        raise
                await self._descriptor.readable(clock.slice())
        finally:
            self._turns.give()

    async def __aiter__(self):
        """All messages, until the senders have closed."""
        while True:
            try:
                message = await self.recv()
            except shmstream.Closed:
                return
            yield message
