"""Clients by address, of which nothing can be seen."""

import pytest
from fastapi import Request

from service.api.auth.api_keys import AnonymousClients


def _name(peers: AnonymousClients, host: str | None) -> str:
    address = None if host is None else (host, 1234)
    return peers.client(Request({"type": "http", "headers": [], "client": address})).name


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        (None, None, True),
        ("testclient", "other", False),
    ],
)
def test_one_party_has_one_name(first: str | None, second: str | None, is_one: bool) -> None:
    peers = AnonymousClients()
    assert (_name(peers, first) == _name(peers, second)) is is_one


def test_name_means_nothing_to_another_process() -> None:
    names = {_name(AnonymousClients(), "192.0.2.1") for _ in range(3)}
    assert len(names) == 3
    assert all(len(name) == 16 and "." not in name for name in names)
