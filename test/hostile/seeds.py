# SPDX-License-Identifier: MIT
# seeds.py SOURCE_DIR CORPUS: a small script for each call and each field, for the fuzzer to begin with.
# What calls and fields there are is read from the tables; fuzz.c's step() says how a script is read.
import os
import re
import sys

source, corpus = sys.argv[1:]


def table(file, begin):
    with open(os.path.join(source, file), encoding="ascii") as text:
        return text.read().split(begin, 1)[1].split("\n};", 1)[0]


CALLS = re.findall(r'\{"(\w+)"', table("calls.c", "} calls[] = {"))
FIELDS = len(re.findall(r"\b(?:SLOT_|READER_)?AT\(", table("meddle.c", "} places[] = {")))
HOWS = 51
CELL, SIZE, JOURNAL_USED, DIED = 0, 6, 15, 17  # rows of places[]


def call(name, handle=0, x=0, y=0):
    op = next(o for o in range(0x68, 0x100) if o % 3 == handle)
    return bytes([op, CALLS.index(name), x, y])


def meddle(field, how, number=7):
    return bytes([field, how]) + number.to_bytes(8 if how % 4 == 0 else 1, "big")


def record(where, how, number=7):
    return bytes([0x65, how, where]) + number.to_bytes(8 if how % 4 == 0 else 1, "big")


def inside(*pairs):
    """What is written at the first moments inside calls; read from the end backwards."""
    return b"".join(bytes([how, field]) for field, how in reversed(pairs))


def save(name, script):
    with open(os.path.join(corpus, name), "wb") as file:
        file.write(script)


os.makedirs(corpus, exist_ok=True)
for i, name in enumerate(CALLS):
    for handle in range(3):
        save(f"call-{name}-{handle}", call("lock", handle) + call(name, handle, 6, 2) + call("unlock", handle))
    for field in range(FIELDS):
        how = (field * 7 + i * 5) % HOWS
        save(f"field-{name}-{field}", meddle(field, how) + call(name, 0, 6, 2) + call(name, 1, 3, 4))
        save(f"inside-{name}-{field}",
             call("lock", 1) + call(name, 0, 4, 2) + inside((field, how), (field, how + 3), (CELL, how)))
for how in range(HOWS):
    for field, names in ((SIZE, ("pread", "write", "save", "resize")), (CELL, ("lock", "notify", "wait", "unlock"))):
        save(f"edge-{field}-{how}", meddle(field, how) + b"".join(call(n, 0, 8, 5) for n in names))
# A dead holder's journal: `how` words of hostile records, then each call that may come upon them.
for how in range(HOWS):
    for name in ("lock", "lock_shared", "snapshot", "open", "close", "wait"):
        journal = meddle(CELL, 9, 200) + meddle(JOURNAL_USED, 46 + how % 5) + meddle(DIED, how % 3 + 10)
        save(f"journal-{name}-{how}", journal + record(0, how) + record(1, how // 2) + call(name, how % 3, 6, 2))
        save(f"undone-{name}-{how}", call("lock", 1) + call("pwrite", 1, 3, 0) + record(how % 12, how) +
             meddle(CELL, 9, 200) + call(name, how % 3, 6, 2) + inside((0x70 + how % 12, how), (JOURNAL_USED, how)))
print(f"{len(os.listdir(corpus))} seeds: {len(CALLS)} calls, {FIELDS} fields")
