# SPDX-License-Identifier: MIT
import asyncio
import unittest

import shmstream
from common import Case, Child, name
from shmstream import Code, aio


def run(test):
    """A test that is a coroutine; it ends in a minute."""
    def wrapped(self):
        async def bounded():
            await asyncio.wait_for(test(self), 60)
        asyncio.run(bounded())
    return wrapped


class Streams(Case):
    @run
    async def test_tasks_exclude_each_other(self):
        async with aio.Stream(name("tasks"), 4) as s, aio.Stream(name("tasks")) as other:
            async def count(of):
                for _ in range(50):
                    async with of.locked():
                        n = int.from_bytes(of.sync.pread(4, 0), "little")
                        await asyncio.sleep(0)  # others run, and do not get it
                        of.sync.pwrite((n + 1).to_bytes(4, "little"), 0)
            await asyncio.gather(*(count(s) for _ in range(4)), *(count(other) for _ in range(4)))
            self.assertEqual(int.from_bytes(s.sync.pread(4, 0), "little"), 400)

    @run
    async def test_the_loop_goes_on(self):
        code = "s = shmstream.Stream(sys.argv[1]); s.acquire(); here(); sys.stdin.read(); s.close()"
        async with aio.Stream(name("loop"), 8) as s:
            with Child(code, s.sync.name) as child:
                child.wait_here()
                with self.assertRaises(shmstream.Timeout):
                    async with s.locked(timeout=0.01):
                        pass
                waiting = asyncio.ensure_future(s.locked().__aenter__())
                while s._thread is None:
                    await asyncio.sleep(0.001)
                self.assertFalse(waiting.done())
                waiting.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await waiting
                child.process.stdin.close()
                async with s.locked(timeout=30):  # it was closed with the lock held: told, and got
                    pass
            async with s.locked(timeout=0):
                pass

    @run
    async def test_changes(self):
        async with aio.Stream(name("changes"), 8) as s:
            async def change():
                for _ in range(3):
                    async with s.locked():
                        s.sync.pwrite(b"x", 0)
                    await asyncio.sleep(0.01)
            task = asyncio.ensure_future(change())
            seen = []
            async for version in s.changes(0):
                seen.append(version)
                if version == 6:
                    break
            await task
            self.assertEqual(seen, sorted(set(seen)))
            with self.assertRaises(shmstream.Timeout):
                await s.wait(s.sync.version, 0.01)


class Channels(Case):
    @run
    async def test_messages(self):
        async with aio.Channel(name("messages"), 4096) as receiver, aio.Channel(name("messages"), 0, "send") as sender:
            async def send():
                for i in range(200):
                    await sender.send(b"%d" % i * 20)
                sender.sync.close()
            task = asyncio.ensure_future(send())
            got = [message async for message in receiver]
            await task
            self.assertEqual(got, [b"%d" % i * 20 for i in range(200)])
        async with aio.Channel(name("none"), 4096) as receiver, aio.Channel(name("none"), 0, "send"):
            with self.assertRaises(shmstream.Timeout) as caught:
                await receiver.recv(0.01)
            self.assertEqual(caught.exception.code, Code.TIMEOUT)


if __name__ == "__main__":
    unittest.main()
