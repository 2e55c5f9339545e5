# SPDX-License-Identifier: MIT
import os
import signal
import sys
import threading
import unittest
import unittest.mock

import shmstream
from common import Case, Child, name
from shmstream import Channel, Code


class Messages(Case):
    def test_to_the_end(self):
        code = """
c = shmstream.Channel(sys.argv[1], 0, "send")
c.send("one")
c.send(b"")
c.send_all([b"two", "three", bytearray(b"four")])
c.send(memoryview(b"x" * 50000), timeout=10)
c.close()
"""
        with Channel(name("jobs"), 1 << 16, "receive") as receiver:
            with Child(code, receiver.name):
                first = receiver.recv(10)
                rest = list(receiver)
            self.assertEqual([first] + rest, [b"one", b"", b"two", b"three", b"four", b"x" * 50000])
            self.assertIsInstance(self.fails(Code.CLOSED, receiver.recv, 0), EOFError)
            self.assertEqual(receiver.info()["received"], 6)

    def test_time_outs(self):
        with Channel(name("times"), 4096) as receiver, Channel(name("times"), 4096, "send") as sender:
            self.fails(Code.TIMEOUT, receiver.recv, 0)
            self.fails(Code.TIMEOUT, receiver.recv, 0.001)
            with self.assertRaises(TimeoutError):
                while True:
                    sender.send(b"a" * 500, 0)
            self.fails(Code.TIMEOUT, sender.send, b"a" * 500, timeout=0.001)
            self.fails(Code.RANGE, sender.send, b"a" * 5000)
            self.fails(Code.INVALID, receiver.send, b"a")
            self.assertEqual(receiver.recv(), b"a" * 500)

    def test_peek(self):
        with Channel(name("peek"), 4096) as receiver, Channel(name("peek"), 4096, "send") as sender:
            sender.send("job")
            with self.assertRaises(KeyError):
                with receiver.peek() as message:
                    raise KeyError
            with receiver.peek() as message:
                self.assertEqual((bytes(message), message.tries), (b"job", 1))
            message.release()  # once is enough
            self.fails(Code.TIMEOUT, receiver.recv, 0)

    def test_a_message_that_is_dropped_is_put_back(self):
        class Interrupted(shmstream.Message):
            tries = property(lambda self: 0, lambda self, tries: tries and 1 / 0)

        with Channel(name("drop"), 4096) as receiver, Channel(name("drop"), 4096, "send") as sender:
            sender.send("job")
            message = receiver.peek()
            self.fails(Code.INVALID, receiver.recv, 0)  # one at a time
            del message
            with unittest.mock.patch.object(shmstream, "Message", Interrupted), self.assertRaises(ZeroDivisionError):
                receiver.peek()
            message = receiver.peek()
            self.assertEqual((message.data, message.tries), (b"job", 2))
            message.release()

    def test_a_peek_that_is_interrupted_is_put_back(self):
        kept = []

        def interrupt(frame, event, _):
            if event == "line" and getattr(frame.f_locals.get("message"), "data", None):
                kept.append(frame.f_locals["message"])
                raise KeyboardInterrupt
            return interrupt
        with Channel(name("stop"), 4096) as receiver, Channel(name("stop"), 4096, "send") as sender:
            sender.send("job")
            with self.assertRaises(KeyboardInterrupt):
                sys.settrace(interrupt)
                try:
                    receiver.peek()
                finally:
                    sys.settrace(None)
            kept.clear()
            self.assertEqual(receiver.recv(0), b"job")

    def test_what_leaves_a_message_is_the_news(self):
        receiver = Channel(name("news"), 4096)
        with Channel(name("news"), 4096, "send") as sender:
            sender.send("job")
            with self.assertRaises(KeyError):
                with receiver.peek():
                    receiver.close()
                    raise KeyError("job")

    def test_a_child_may_leave_its_parents_message(self):
        with Channel(name("leave"), 4096) as receiver, Channel(name("leave"), 4096, "send") as sender:
            sender.send("job")
            child = 0
            try:
                with receiver.peek():
                    child = os.fork()
                    if child:
                        self.assertEqual(os.waitpid(child, 0)[1], 0)
            finally:
                if not child:
                    os._exit(sys.exc_info()[0] is not None)
            self.fails(Code.TIMEOUT, receiver.recv, 0)

    def test_broadcast_that_drops(self):
        options = {"kind": "broadcast", "slow": "drop"}
        with Channel(name("all"), 4096, **options) as one, Channel(name("all"), 4096, **options) as two, \
                Channel(name("all"), 4096, "send", **options) as sender:
            sender.send("news")
            self.assertEqual((one.recv(1), two.recv(1)), (b"news", b"news"))
            for _ in range(100):
                sender.send(b"n" * 100)
            self.fails(Code.MISSED, one.recv, 1)
            self.assertGreater(one.missed, 0)
            self.assertEqual(one.recv(1), b"n" * 100)

    def test_deaths(self):
        sending = "c = shmstream.Channel(sys.argv[1], 0, 'send'); c.send('job'); here(); signal.pause()"
        working = "c = shmstream.Channel(sys.argv[1]); m = c.peek(10); here(); signal.pause()"
        with Channel(name("deaths"), 4096) as receiver:
            with Child(sending, receiver.name) as sender, Child(working, receiver.name) as worker:
                sender.wait_here()
                worker.wait_here()
                worker.kill()
                with receiver.peek(10) as message:
                    self.assertEqual((message.data, message.tries), (b"job", 1))
                sender.kill()
                self.fails(Code.DIED, receiver.recv, 10)


class Interpreter(Case):
    def test_threads_take_turns(self):
        with Channel(name("turns"), 1 << 16) as receiver, Channel(name("turns"), 0, "send") as sender:
            got = []
            def take():
                for _ in range(500):
                    got.append(receiver.recv(30))
            def give(who):
                for i in range(500):
                    sender.send(f"{who} {i}", 30)
            threads = [threading.Thread(target=take) for _ in range(4)]
            threads += [threading.Thread(target=give, args=(i,)) for i in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(sorted(got), sorted(f"{w} {i}".encode() for w in range(4) for i in range(500)))

    def test_a_thread_waits_for_its_turn_in_time(self):
        with Channel(name("queue"), 4096) as receiver, Channel(name("queue"), 0, "send") as sender:
            started = threading.Event()
            got = []
            def wait():
                started.set()
                got.append(receiver.recv(30))
            waiter = threading.Thread(target=wait)
            waiter.start()
            started.wait()
            self.fails(Code.TIMEOUT, receiver.recv, 0.05)
            sender.send("x")
            waiter.join()
            self.assertEqual(got, [b"x"])

    def test_a_signal_ends_a_wait(self):
        def alarm(*_):
            raise InterruptedError

        old = signal.signal(signal.SIGALRM, alarm)
        try:
            with Channel(name("signal"), 4096) as receiver, Channel(name("signal"), 0, "send") as sender:
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                with self.assertRaises(InterruptedError):
                    receiver.recv()
                again = []
                signal.signal(signal.SIGALRM, lambda *_: again.append(self.assertRaises(RuntimeError, receiver.recv, 0)))
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                self.fails(Code.TIMEOUT, receiver.recv, 0.3)  # its handler cannot use it meanwhile
                self.assertEqual(again, [None])
                sender.send("x")
                self.assertEqual(receiver.recv(1), b"x")
        finally:
            signal.signal(signal.SIGALRM, old)

    def test_fork(self):
        with Channel(name("fork"), 4096) as receiver, Channel(name("fork"), 0, "send") as sender:
            pid = os.fork()
            if pid == 0:
                sender.send("from the child")
                sender.close()
                os._exit(0)
            self.assertEqual(receiver.recv(10), b"from the child")
            self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_wrong_arguments(self):
        for bad in (-1, 1 << 80):
            with self.assertRaises(OverflowError):
                Channel(name("wrong"), bad)
        for bad in ({"role": "both"}, {"kind": "?"}, {"slow": None}):
            with self.assertRaises(ValueError):
                Channel(name("wrong"), 4096, **bad)
        self.fails(Code.NOT_FOUND, Channel, name("wrong"))
        self.fails(Code.INVALID, Channel, name("wrong"), 1 << 40)
        with Channel(name("wrong"), 4096, "send") as c:
            for bad in (5, None, ["x"]):
                with self.assertRaises(TypeError):
                    c.send(bad)
            with self.assertRaises(TypeError):
                c.send_all(["x", 5])
            with self.assertRaises(TypeError):
                c.send_all(5)
            c.send_all([])
            with self.assertRaises(ValueError):
                c.send("x", -1)
        for call in (c.recv, lambda: c.send("x"), c.fileno, c.info, c.peek):
            with self.assertRaises(ValueError):
                call()
        self.assertTrue(sys.getrefcount(c) > 0)


if __name__ == "__main__":
    unittest.main()
