# SPDX-License-Identifier: MIT
import pickle
import unittest

from common import Case, Child, name
from shmstream.compat import Lock, ShareableList, SharedMemory


class Compat(Case):
    def test_shared_memory(self):
        one = SharedMemory(name("memory"), True, 10)
        two = SharedMemory(name("memory"))
        one.buf[:3] = b"abc"
        self.assertEqual((bytes(two.buf[:3]), two.size), (b"abc", 10))
        three = pickle.loads(pickle.dumps(two))
        for m in (one, two, three):
            m.close()
            m.close()
        self.assertIsNone(one.buf)
        again = SharedMemory(name("memory"))  # it stays until it is unlinked
        self.assertEqual(bytes(again.buf[:3]), b"abc")
        with self.assertRaises(FileExistsError):
            SharedMemory(name("memory"), True, 10)
        again.unlink()
        with self.assertRaises(FileNotFoundError):
            again.unlink()
        with self.assertRaises(FileNotFoundError):
            SharedMemory(name("memory"))
        part = again.buf[1:]
        with self.assertRaises(BufferError):
            again.close()
        part.release()
        again.close()
        for bad in ((None,), (None, True), (None, True, -1)):
            with self.assertRaises(ValueError):
                SharedMemory(*bad)

    def test_shareable_list(self):
        values = [1, "two", 3.0, b"four", None, True]
        one = ShareableList(values, name=name("list"))
        two = ShareableList(name=name("list"))
        self.assertEqual((list(two), len(two), two.count(1), two.index("two")), (values, 6, 2, 1))
        two[1] = "2"
        self.assertEqual(one[1], "2")
        with self.assertRaises(ValueError):
            one[1] = "far too long"
        with self.assertRaises(IndexError):
            one[9]
        one.shm.unlink()
        for each in (one, two):
            each.shm.close()

    def test_lock(self):
        lock = Lock(name("lock"))
        with lock:
            other = pickle.loads(pickle.dumps(lock))
            self.assertFalse(other.acquire(False))
            self.assertFalse(other.acquire(timeout=-1))
        with self.assertRaises(ValueError):
            lock.release()
        for wrong in (5, b"name", []):
            self.assertRaises(TypeError, SharedMemory, wrong)
        with Child("from shmstream import compat; l = compat.Lock(sys.argv[1]); l.acquire(); here(); signal.pause()",
                   lock.name) as child:
            child.wait_here()
            self.assertFalse(lock.acquire(False))
            child.kill()
        self.assertTrue(lock.acquire(timeout=10))  # it died with it
        del lock, other


if __name__ == "__main__":
    unittest.main()
