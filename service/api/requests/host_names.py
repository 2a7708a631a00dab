"""Which `Host` headers name this server; against DNS rebinding and addresses made from them.

A page of an attacker can let its own name point here, but neither an IP address, nor `localhost`,
nor a name without a dot: public names have one.
"""

import ipaddress
import re
from collections.abc import Collection

ANY_HOST = "*"
_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::\d{1,5})?"
)


def is_own_host(host: str, allowed: Collection[str]) -> bool:
    """Whether a `Host` header names this server.

    Args:
        host: Its value, with or without a port.
        allowed: Names in lower case, `.example.org` for all below one, `*` for any that is valid.
    """
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return False
    if found["v6"] is not None:
        return _is_address(found["v6"])
    name = found["name"]
    return (
        "." not in name
        or name.endswith(".localhost")
        or _is_address(name)
        or not {ANY_HOST, name}.isdisjoint(allowed)
        or any(name.endswith(each) for each in allowed if each.startswith("."))
    )


def is_own_origin(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Whether a request comes from a page of this server, an allowed one, or no page at all.

    Args:
        origin: The `Origin` header, which browsers send with whatever changes something.
        host: The `Host` header.
        allowed: Origins whose pages may call the API, `*` for any.
    """
    if origin is None or not {ANY_HOST, origin}.isdisjoint(allowed):
        return True
    return origin.partition("://")[2].lower() == host.lower()


def is_loopback(host: str) -> bool:
    """Whether a server that listens on `host` is reached from this machine alone."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
