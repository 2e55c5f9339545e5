# SPDX-License-Identifier: MIT
"""CPython's own tests of shared memory, on shmstream.compat; 77 where the interpreter does not ship them."""
import multiprocessing.shared_memory
import sys
import unittest

from shmstream import compat

try:
    from test import _test_multiprocessing as theirs
except ImportError:
    print("SKIP: this Python has no tests of its own")
    sys.exit(77)

multiprocessing.shared_memory.SharedMemory = compat.SharedMemory
multiprocessing.shared_memory.ShareableList = compat.ShareableList
theirs.shared_memory = multiprocessing.shared_memory

# What looks at things that are not there: a name that a patched private function makes, and the resource tracker in a
# process that imports the standard library's.
NOT_OURS = {
    "test_shared_memory_basics", "test_shared_memory_recreate", "test_shared_memory_tracking",
    "test_shared_memory_untracking",
}


class SharedMemory(theirs._TestSharedMemory, theirs.ProcessesMixin, unittest.TestCase):
    pass


class Result(unittest.TextTestResult):
    def named(self, pairs):
        return {test.id().rsplit(".", 1)[1] for test, _ in pairs}


result = unittest.TextTestRunner(resultclass=Result, verbosity=1).run(
    unittest.defaultTestLoader.loadTestsFromTestCase(SharedMemory))
bad = result.named(result.failures + result.errors)
print(f"{result.testsRun - len(bad)} of CPython's {result.testsRun} tests pass; not ours: {sorted(bad)}")
sys.exit(bool(bad - NOT_OURS))
