"""Connections to a server that are kept open and shared by threads; the standard library's HTTP."""

import http.client
import json
import math
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_LOST = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
"""What a kept connection ends with when the server has closed it meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """A reply, read to its end."""

    status: int
    headers: Mapping[str, str]
    """Headers by name in lower case."""
    body: bytes = field(repr=False)


class Connections:
    """Connections to one server; one for each request in flight, and idle ones for the next."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        """Open nothing yet.

        Args:
            url: `http://` or `https://`, host, and maybe port and path.
            timeout_s: Longest silence of the server.

        Raises:
            ValueError: It is no such address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address such as http://127.0.0.1:8000")
        self.url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._is_secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._timeout_s = timeout_s
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def post(
        self,
        path: str,
        content: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        within_s: float = math.inf,
    ) -> HttpReply:
        """Send JSON and read the reply.

        Args:
            path: Behind that of the address.
            content: Becomes the body.
            headers: Beside those of JSON.
            within_s: Longest silence, if that is less than of other requests.

        Raises:
            ConnectionError: The server cannot be reached, or it is closed.
            TimeoutError: It is silent for too long.
        """
        timeout_s = min(self._timeout_s, within_s)
        body = json.dumps(content).encode()
        sent = {"Content-Type": "application/json", **headers}
        while True:
            connection, is_kept = self._take(timeout_s)
            try:
                reply = self._exchange(connection, self._path + path, body, sent)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if is_kept and isinstance(error, _LOST):
                    continue
                raise self._unreachable(error, timeout_s) from error
            self._give_back(connection)
            return reply

    def close(self) -> None:
        """Close the idle connections, and each other one behind its reply."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> HttpReply:
        is_sent = _send(connection, path, body, headers)
        reply = connection.getresponse()
        names = {name.lower(): value for name, value in reply.getheaders()}
        read = HttpReply(status=reply.status, headers=names, body=reply.read())
        if not is_sent:
            connection.close()  # opened again by the next request
        return read

    def _take(self, timeout_s: float) -> tuple[http.client.HTTPConnection, bool]:
        """A connection that waits so long, and whether it was used before."""
        with self._lock:
            if self._is_closed:
                raise ConnectionError(f"the client of {self.url} is closed: create another")
            if self._idle:
                kept = self._idle.pop()
                kept.timeout = timeout_s  # counts where it has to be opened again
                if kept.sock is not None:
                    kept.sock.settimeout(timeout_s)
                return kept, True
        if self._is_secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout_s, context=context
            ), False
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s), False

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()

    def _unreachable(self, error: Exception, timeout_s: float) -> OSError:
        if isinstance(error, TimeoutError):
            return TimeoutError(f"{self.url} did not answer within {timeout_s:g} s")
        return ConnectionError(
            f"{self.url} cannot be reached: {str(error) or type(error).__name__}"
        )


def _send(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
) -> bool:
    """Send a request; whether the server took all of it.

    A server that refuses a large body replies to its beginning and reads no further.
    """
    try:
        connection.request("POST", path, body, dict(headers))
    except (ConnectionResetError, BrokenPipeError):
        if connection.sock is None:
            raise
        return False
    return True
