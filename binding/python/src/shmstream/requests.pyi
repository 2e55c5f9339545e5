# SPDX-License-Identifier: MIT
from typing import Any

import requests  # type: ignore[import]
import requests.adapters  # type: ignore[import]

from .jar import Jar, _Site

__all__ = ["Adapter", "Session"]

class Adapter(requests.adapters.HTTPAdapter):  # type: ignore[misc]
    jar: Jar
    site: _Site
    partition: str | None
    def __init__(self, jar: Jar, *, site: _Site = "same", partition: str | None = None, **options: Any) -> None: ...
    def send(self, request: Any, *args: Any, **kw: Any) -> Any: ...

class Session(requests.Session):  # type: ignore[misc]
    def __init__(self, jar: Jar, *, site: _Site = "same", partition: str | None = None) -> None: ...
