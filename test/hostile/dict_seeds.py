# SPDX-License-Identifier: MIT
# dict_seeds.py SOURCE_DIR CORPUS: a small script for each call on a dict and each word that decides, for the fuzzer
# to begin with. dict_fuzz.c's step() says how a script is read.
import os
import re
import sys

source, corpus = sys.argv[1:]
with open(os.path.join(source, "dict_calls.c"), encoding="ascii") as text:
    CALLS = re.findall(r'\{"(\w+)"', text.read().split("} calls[] = {", 1)[1].split("\n};", 1)[0])
HOWS = 33


def call(name, handle=0, x=0, y=4):
    op = next(o for o in range(0x78, 0x100) if o % 3 == handle)
    return bytes([op, CALLS.index(name), x, y])


def meddle(where, how, number=7):
    return bytes([0x11, where, how]) + number.to_bytes(2, "big")


def inside(*words):
    """What is written at the first moments inside calls; read from the end backwards."""
    return b"".join(bytes([where, how, 0x20]) for where, how in reversed(words))


def save(name, script):
    with open(os.path.join(corpus, name), "wb") as file:
        file.write(script)


os.makedirs(corpus, exist_ok=True)
for i, name in enumerate(CALLS):
    for handle in range(3):
        for x in range(12):
            save(f"call-{name}-{handle}-{x}", call("set", 0, x, x) + call(name, handle, x, x * 5) + call("del", 1, x))
    for where in range(256):
        how = (where * 7 + i * 5) % HOWS
        save(f"word-{name}-{where}", meddle(where, how) + call(name, where % 3, 1) + call("set", 0, 7, 5))
        save(f"inside-{name}-{where}", call(name, 0, 2, 4) + inside((where, how), (where, how + 3), (1, how)))
for how in range(HOWS):
    for where in range(1, 256, 4):
        save(f"edge-{how}-{where}", meddle(where, how) + b"".join(call(n, 0, 1, 5) for n in ("get", "set", "next", "add")))
print(f"{len(os.listdir(corpus))} seeds: {len(CALLS)} calls on a dict")
