"""Asking a server in another process, and waiting for what it says."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP reply; status 0 stands for no reply at all."""

    status: int
    text: str


def ask(url: str, fields: Mapping[str, object] | None = None, accept: str = "*/*") -> Reply:
    """GET `url`, or POST `fields` to it as JSON."""
    body = json.dumps(fields).encode() if fields is not None else None
    headers = {"Content-Type": "application/json", "Accept": accept}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return Reply(status=response.status, text=response.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(status=error.code, text=error.read().decode())
    except OSError as error:
        return Reply(status=0, text=str(error))


def wait_until(is_so: Callable[[], bool], what: str, *, timeout_s: float = 60) -> None:
    """Ask a foreign process again and again until it agrees."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)
