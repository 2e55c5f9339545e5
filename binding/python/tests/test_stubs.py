# SPDX-License-Identifier: MIT
"""The stubs say what there is: each name, each method, each code."""
import ast
import inspect
import pathlib
import unittest

import shmstream


def public(of):
    return {n for n in dir(of) if not n.startswith("_")}


class Stubs(unittest.TestCase):
    def test_stubs_are_the_module(self):
        tree = ast.parse(pathlib.Path(shmstream.__file__).with_suffix(".pyi").read_text())
        told = {n.name: n for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
        names = set(told) | {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
        self.assertEqual(set(shmstream.__all__) - names, set())
        for name in shmstream.__all__:
            thing = getattr(shmstream, name)
            if not inspect.isclass(thing) or issubclass(thing, Exception):
                continue
            if name == "Code":
                values = {n.targets[0].id: ast.literal_eval(n.value) for n in told[name].body}
                self.assertEqual(values, {c.name: int(c) for c in thing})
                continue
            members = {n.name for n in told[name].body if isinstance(n, ast.FunctionDef)}
            members |= {n.target.id for n in told[name].body if isinstance(n, ast.AnnAssign)}
            for base in told[name].bases:
                if isinstance(base, ast.Name) and base.id == "_Handle":
                    members |= {n.name for n in told["_Handle"].body}
            inherited = public(shmstream.Dict.__mro__[-2]) | {"keys", "pop", "popitem", "clear", "update", "setdefault"}
            self.assertEqual(public(thing) - members - (inherited if name == "Dict" else set()), set(), name)
            instance = {n for n in members if not n.startswith("_")} - public(thing)
            self.assertLessEqual(instance, {"data", "number", "tries", "role", "owner_died"}, name)

    def test_stubs_of_jars(self):
        try:
            from shmstream import jar
        except ImportError as e:
            self.skipTest(str(e))
        tree = ast.parse(pathlib.Path(jar.__file__).with_suffix(".pyi").read_text())
        told = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
        self.assertEqual(set(jar.__all__), set(told))
        handle = {"name", "closed", "close", "fileno", "version"}
        for name in ("Cookie", "Jar", "HostLock"):
            members = {n.name for n in told[name].body if isinstance(n, ast.FunctionDef)}
            members |= {n.target.id for n in told[name].body if isinstance(n, ast.AnnAssign)}
            self.assertEqual(public(getattr(jar, name)) - members - handle, set(), name)
        values = {n.targets[0].id: ast.literal_eval(n.value) for n in told["Refused"].body if isinstance(n, ast.Assign)}
        self.assertEqual(values, {r.name: int(r) for r in jar.Refused})
        self.assertEqual({w for w in public(shmstream.jar) if w in told}, set(told))


if __name__ == "__main__":
    unittest.main()
