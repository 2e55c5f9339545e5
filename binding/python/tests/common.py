# SPDX-License-Identifier: MIT
"""What the tests share: names of their own, children, and that nothing is left."""
import os
import pathlib
import signal
import subprocess
import sys
import unittest

import shmstream

ROOT = pathlib.Path(__file__).resolve().parents[3]  # of the repository, where the tests are in one


def name(what):
    return f"test-py-{what}-{os.getpid()}"


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class Case(unittest.TestCase):
    """Each test leaves as many descriptors as it found, and no region."""

    def setUp(self):
        self.before = descriptors()

    def tearDown(self):
        self.assertEqual(descriptors(), self.before)
        mine = [r.name for r in shmstream.regions() if f"-{os.getpid()}" in r.name]
        self.assertEqual(mine, [])

    def fails(self, code, call, *args, **kw):
        """The call fails with a code."""
        with self.assertRaises(shmstream.Error) as caught:
            call(*args, **kw)
        self.assertEqual(caught.exception.code, code)
        return caught.exception


class Child:
    """Python code in a process of its own; it says that it has come to a point by `here()`."""

    def __init__(self, code, *args):
        prelude = "import os, signal, sys, time\nimport shmstream\n" \
                  "def here(): sys.stdout.write('.'); sys.stdout.flush()\n"
        self.process = subprocess.Popen([sys.executable, "-c", prelude + code, *map(str, args)],
                                        stdout=subprocess.PIPE, stdin=subprocess.PIPE)

    def __enter__(self):
        return self

    def wait_here(self):
        got = self.process.stdout.read(1)
        assert got == b".", "the child has failed"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
