# SPDX-License-Identifier: MIT
"""readme.py README WORK NAME...: do what a README of a binding says, as a reader would.

A block of code whose first line is a comment with a file's name becomes that file. Then each line of the console blocks
that begins with `$ ` is run, and must print what stands below it. The names of regions, NAME..., get the pid, so that
a reader's own are not touched.
"""
import os
import pathlib
import re
import subprocess
import sys


def main(readme, work, *names):
    text = pathlib.Path(readme).read_text()
    for name in names:
        text = re.sub(r'(["\s\'])%s(?=["\'\n])' % re.escape(name), r"\1test-%s-%d" % (name, os.getpid()), text)
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    for _, body in blocks:
        first = re.match(r"(?:#|//) ([\w-]+\.\w+)$", body.split("\n", 1)[0])
        if first:
            (work / first[1]).write_text(body)
    commands = 0
    for language, body in blocks:
        if language != "console":
            continue
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.M):
            got = subprocess.run(["bash", "-c", command], cwd=work, stdin=subprocess.DEVNULL, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            if got.returncode != 0 or got.stdout != expected:
                print(f"FAIL  $ {command}\n{got.stdout}(status {got.returncode}) instead of:\n{expected}")
                return 1
            commands += 1
    if commands == 0:
        print("FAIL  no command was found")
        return 1
    print(f"{readme}: {commands} commands do what it says")
    return 0


sys.exit(main(*sys.argv[1:]))
