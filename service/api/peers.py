"""Who asks, where no keys say so: the address, made unrecognisable."""

import hashlib
import ipaddress
import secrets

from fastapi import Request

from service.scheduling.limits import Client

_SALT_BYTES = 16
_NAME_BYTES = 8
_IPV6_NETWORK_BITS = 64
"""What one customer of a provider has, and can choose his addresses from."""


class Peers:
    """Gives each address a name that means nothing outside this process."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(_SALT_BYTES)

    def client(self, request: Request) -> Client:
        """The client that a connection stands for."""
        host = request.client.host if request.client else ""
        digest = hashlib.blake2b(
            _party(host).encode(), key=self._salt, digest_size=_NAME_BYTES
        ).hexdigest()
        return Client(name=digest)


def _party(host: str) -> str:
    """Who stands behind an address: itself, or with IPv6 its network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a socket in the file system has none
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address.packed, _IPV6_NETWORK_BITS), strict=False))
