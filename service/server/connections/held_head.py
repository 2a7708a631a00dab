"""Writes the head of a reply together with what follows it: one system call and packet, not two."""

import asyncio


class HeldHead:
    """What uvicorn's request writes to, in front of a connection's transport.

    uvicorn writes a head at once and alone; the start of a body, empty or not, always follows it,
    unless the request is HEAD.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._has_begun = False

    def write(self, data: bytes) -> None:
        """Hold a head back; write anything else, behind the head that is held."""
        if not self._has_begun and _is_final_head(data):
            self._has_begun = True
            self._head = data
            return
        head, self._head = self._head, None
        self._transport.write(data if head is None else head + data)

    def close(self) -> None:
        """Write what is held, and close."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write what is held."""
        if self._head is not None:
            head, self._head = self._head, None
            self._transport.write(head)

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._transport.is_closing()


def _is_final_head(data: bytes) -> bool:
    """Whether it is the head of a reply; that of `100 Continue` is followed by the request."""
    return data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1")
