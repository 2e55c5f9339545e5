# SPDX-License-Identifier: MIT
import enum
from collections.abc import Buffer  # type: ignore[attr-defined]
from collections.abc import Iterator
from os import PathLike
from typing import Any, Literal

from . import KeyLock, _Create, _Handle, _Owners

_Site = Literal["same", "lax", "lax_unsafe", "cross"]
_SameSite = Literal["none", "lax", "strict"] | None
_Path = str | bytes | PathLike[Any]

__all__ = ["Cookie", "HostLock", "Jar", "Refused"]

class Refused(enum.IntEnum):
    CONTROL = 1
    EMPTY = 2
    LONG = 3
    DOMAIN = 4
    SUFFIX = 5
    INSECURE = 6
    SHADOWS = 7
    HIDDEN = 8
    CROSS_SITE = 9
    PREFIX = 10
    UNWRITABLE = 11
    @property
    def text(self) -> str: ...

class Cookie:
    host: str
    name: str
    value: str
    path: str
    partition: str | None
    secure: bool
    http_only: bool
    host_only: bool
    gone: bool
    same_site: _SameSite
    expires_ns: int
    created_ns: int
    used_ns: int
    created: int
    changed: int
    def __init__(
        self,
        host: str,
        name: str,
        value: str,
        *,
        path: str = "/",
        partition: str | None = None,
        secure: bool = False,
        http_only: bool = False,
        host_only: bool = True,
        same_site: _SameSite = None,
        expires: float | None = None,
        expires_ns: int = 0,
    ) -> None: ...
    @property
    def expires(self) -> float | None: ...

class HostLock(KeyLock):
    def __enter__(self) -> HostLock: ...

class Jar(_Handle):
    def __init__(
        self,
        name: str = "cookies",
        *,
        readonly: bool = False,
        create: _Create = "or_open",
        keep: bool = True,
        mode: int = 0,
        max_size: int = 0,
        owners: _Owners = "self",
        host_cookies: int = 0,
        jar_cookies: int = 0,
        suffix_list: _Path | None = None,
        open_timeout: float | None = None,
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    def set(
        self, url: str, line: str | Buffer, *, site: _Site = "same", api: bool = False, partition: str | None = None
    ) -> Refused | None: ...
    def get(
        self, url: str, *, site: _Site = "same", api: bool = False, partition: str | None = None
    ) -> str: ...
    def each(self, host: str | None = None) -> list[Cookie]: ...
    def __iter__(self) -> Iterator[Cookie]: ...
    def __len__(self) -> int: ...
    def put(self, cookie: Cookie) -> Refused | None: ...
    def delete(self, host: str, name: str, path: str | None = None, *, partition: str | None = None) -> None: ...
    def clear(self, host: str | None = None) -> int: ...
    def changes(self, since: int) -> tuple[list[Cookie], int]: ...
    def wait(self, seen: int, timeout: float | None = None) -> int: ...
    def lock(self, host: str, timeout: float | None = None) -> HostLock: ...
    def import_file(self, path: _Path, /) -> tuple[int, int]: ...
    def export_file(self, path: _Path, /) -> tuple[int, int]: ...
    def info(self) -> dict[str, int]: ...
