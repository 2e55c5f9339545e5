# SPDX-License-Identifier: MIT
"""What a program may write under mypy --strict. It is not run."""
from shmstream import Channel, Dict, Jar, Missed, Stream, aio, compat, cookies, regions
from shmstream.requests import Session


def streams() -> None:
    with Stream("visits", 4096, atomic=True) as s:
        with s.locked(timeout=1.0) as section:
            died: bool = section.owner_died
            section.buf[0] += died
        version: int = s.wait(s.version, 0.5)
        text: bytes = s.snapshot(8, offset=8)
        s.pwrite(text, version % 8)


def channels() -> None:
    with Channel("jobs", 1 << 16, "send") as jobs:
        jobs.send("text")
        jobs.send_all([b"bytes", "text"], timeout=1)
    try:
        for message in Channel("jobs"):
            line: bytes = message
            print(line)
    except Missed as missed:
        print(missed.since)


def dicts() -> None:
    d = Dict("colours", 1 << 20)
    d["sky"] = b"blue"
    value: bytes = d["sky"]
    some: bytes | None = d.get("sea")
    for key, what in d.items():
        print(key.decode(), what, some, value)
    with d.lock("sky", timeout=1) as lock:
        print(lock.owner_died)


def jars() -> None:
    with Jar("cookies", keep=False, host_cookies=200) as jar:
        refused = jar.set("https://example.com/", b"a=1; Path=/", site="lax")
        if refused is not None:
            print(refused.text, refused.name)
        line: str = jar.get("https://example.com/", api=True)
        for cookie in jar:
            value: str = cookie.value
            print(line, value, cookie.expires)
        with jar.lock("example.com", timeout=1) as lock:
            print(lock.owner_died)
        print(len(cookies.CookieJar(jar, site="cross")), Session(jar).get("https://example.com/"))


async def tasks() -> None:
    async with aio.Stream("visits", 4096) as s:
        async with s.locked(timeout=1.0) as section:
            section.rollback()
        async for version in s.changes():
            print(version + 1)
    async for message in aio.Channel("jobs"):
        print(message.decode())


def drop_ins() -> None:
    memory = compat.SharedMemory(create=True, size=8)
    memory.buf[0] = 1
    with compat.Lock() as held:
        print(held, memory.name, [r.name for r in regions()])
