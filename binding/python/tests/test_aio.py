# SPDX-License-Identifier: MIT
import asyncio
import os
import textwrap
import unittest
import unittest.mock

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
                while not s._threads:
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
    async def test_a_cancelled_wait_leaves_nothing_locked(self):
        async with aio.Stream(name("cancel"), 8) as s:
            with shmstream.Stream(s.sync.name) as other:
                for rest in range(30):
                    other.acquire()
                    waiting = asyncio.ensure_future(s.locked().__aenter__())
                    while not s._threads:
                        await asyncio.sleep(0)
                    other.release()
                    waiting.cancel()  # whenever the thread has it, or has told
                    await asyncio.sleep(0.0005 * (rest % 4))
                    waiting.cancel()
                    with self.assertRaises(asyncio.CancelledError):
                        await waiting
                    self.assertTrue(other.acquire(timeout=30), "the lock is free again")
                    other.release()

    @run
    async def test_each_task_is_told_at_once(self):
        async with aio.Stream(name("told"), 8) as s:
            loop = asyncio.get_running_loop()
            with unittest.mock.patch.object(aio, "_LOOK", 1000.0), shmstream.Stream(s.sync.name) as other:
                tasks = [asyncio.ensure_future(s.wait(s.sync.version)) for _ in range(3)]
                while len(s._descriptor._waiting) < 3:
                    await asyncio.sleep(0)
                with other.locked():
                    other.pwrite(b"x", 0)
                self.assertEqual(await asyncio.wait_for(asyncio.gather(*tasks), 20), [2, 2, 2])
            self.assertFalse(loop.remove_reader(s.sync.fileno()))

    @run
    async def test_close_lets_the_descriptor_go(self):
        s = aio.Stream(name("gone"), 8)
        waiting = asyncio.ensure_future(s.wait(s.sync.version))
        while not s._descriptor._waiting:
            await asyncio.sleep(0)
        fd = s.sync.fileno()
        await s.close()
        read, write = os.pipe()
        self.assertNotEqual(os.dup2(read, fd), -1)  # as the next to be opened
        told = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(fd, lambda: told.done() or told.set_result(True))
        with self.assertRaises(ValueError):
            await waiting
        os.write(write, b"x")
        self.assertTrue(await asyncio.wait_for(told, 30))
        asyncio.get_running_loop().remove_reader(fd)
        for one in (read, write, fd):
            os.close(one)

    @run
    async def test_a_turn_has_a_timeout(self):
        async with aio.Stream(name("turn"), 8) as s:
            async with s.locked():
                for timeout in (0, 0.01):
                    with self.assertRaises(shmstream.Timeout):
                        await s.locked(timeout).__aenter__()
                waiting = asyncio.ensure_future(s.locked().__aenter__())
                await asyncio.sleep(0)
                waiting.cancel()
            one, other = s.locked(0), s.locked()  # the one that was cancelled has no turn
            await one.__aenter__()
            waiting = asyncio.ensure_future(other.__aenter__())
            await asyncio.sleep(0)
            await one.__aexit__(None, None, None)  # it is the other's now, though it has not run yet
            with self.assertRaises(shmstream.Timeout):
                await asyncio.wait_for(s.locked(0.01).__aenter__(), 5)
            await waiting
            await other.__aexit__(None, None, None)

    def test_the_end_does_not_wait_for_a_lock(self):
        code = """
            import asyncio
            from shmstream import aio
            async def main():
                s = aio.Stream(sys.argv[1])
                globals()["task"] = asyncio.ensure_future(s.locked().__aenter__())
                while not s._threads:
                    await asyncio.sleep(0)
            asyncio.new_event_loop().run_until_complete(main())
            here()
        """
        with shmstream.Stream(name("end"), 8) as s, s.locked(), Child(textwrap.dedent(code), s.name) as child:
            child.wait_here()
            self.assertEqual(child.process.wait(30), 0)

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

    @run
    async def test_a_timeout_counts_behind_another_task(self):
        async with aio.Channel(name("behind"), 4096) as receiver, aio.Channel(name("behind"), 0, "send") as sender:
            first = asyncio.ensure_future(receiver.recv())
            await asyncio.sleep(0)
            for timeout in (0, 0.01):
                with self.assertRaises(shmstream.Timeout):
                    await receiver.recv(timeout)
            await sender.send("x")
            self.assertEqual(await first, b"x")


if __name__ == "__main__":
    unittest.main()
