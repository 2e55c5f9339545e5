# SPDX-License-Identifier: MIT
# host_seeds.py CORPUS: messages of the extension, right ones and odd ones, for the fuzzer to begin with. host_fuzz.c says
# what the first byte is.
import json
import os
import struct
import sys

corpus = sys.argv[1]
COOKIE = {"host": "www.example.com", "name": "n", "value": "1", "path": "/", "expires": 0, "secure": True, "http_only": False,
          "host_only": True, "same_site": "lax"}
OTHERS = [{"value": "2"}, {"host": "example.com", "host_only": False}, {"host": "co.uk", "host_only": False}, {"name": "__Host-a"},
          {"expires": 4000000000}, {"expires": 1}, {"expires": 1e300}, {"expires": -1}, {"path": "x"}, {"partition": "https://example.org"},
          {"same_site": "none", "secure": False}, {"same_site": "odd"}, {"host": None}, {"value": "a\x01b"}, {"value": "\u00e9"},
          {"host": "[::1]"}, {"name": "", "value": ""}, {"value": "x" * 5000}]


def save(name, messages):
    lines = [json.dumps(m) for m in messages]
    with open(os.path.join(corpus, name), "wb") as file:
        file.write(b"l" + "\n".join(lines).encode())
    with open(os.path.join(corpus, name + "-bytes"), "wb") as file:
        file.write(b"\0" + b"".join(struct.pack("=I", len(line)) + line.encode() for line in lines))


os.makedirs(corpus, exist_ok=True)
for i, other in enumerate(OTHERS):
    cookie = {**COOKIE, **other}
    save(f"changed-{i}", [{"type": "ready"}, {"type": "changed", "cookie": cookie, "n": 1}, {"type": "gone", "cookie": cookie, "n": 2}])
    save(f"have-{i}", [{"type": "have", "cookies": [COOKIE, cookie]}, {"type": "ready"},
                       {"type": "changed", "cookie": COOKIE, "n": 1}, {"type": "gone", "evicted": True, "cookie": COOKIE, "n": 2}])
    save(f"done-{i}", [{"type": "changed", "cookie": COOKIE}, {"type": "ready"}, {"type": "done", "about": COOKIE, "cookie": cookie},
                       {"type": "done", "about": cookie, "cookie": None}])
save("odd", [{}, {"type": 1}, {"type": "have", "cookies": {}}, {"type": "have"}, {"type": "changed"}, {"type": "done", "n": "x"}])
print(f"{len(os.listdir(corpus))} seeds: what the host is told")
