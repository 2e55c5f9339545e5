# SPDX-License-Identifier: MIT
import http.cookiejar
from typing import TypeVar

from .jar import Jar, _Site

_T = TypeVar("_T")

__all__ = ["CookieJar"]

class CookieJar(http.cookiejar.CookieJar):
    jar: Jar
    site: _Site
    partition: str | None
    def __init__(self, jar: Jar | str = "cookies", *, site: _Site = "same", partition: str | None = None) -> None: ...
    def close(self) -> None: ...
    def __enter__(self: _T) -> _T: ...
    def __exit__(self, *exception: object) -> None: ...
