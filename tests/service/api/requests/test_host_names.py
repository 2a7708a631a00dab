import pytest

from service.api.requests.host_names import is_loopback, is_own_host

NAMES = ("translate.example.org", ".internal.example")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LOCALHOST:8000", "localhost.", "app.localhost:1"),
        *("127.0.0.1", "127.0.0.1:8000", "192.168.1.7:80", "[::1]:8000", "[2001:db8::1]"),
        *("pellucid", "pellucid-1:8000", "my_host"),
        *("translate.example.org", "Translate.Example.org:443", "translate.example.org.:80"),
        *("a.internal.example", "a.b.internal.example:8000"),
    ],
)
def test_names_of_this_server(host: str) -> None:
    assert is_own_host(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("translate.example.org.evil.example", "eviltranslate.example.org", "internal.example"),
        *("eviI.internal.example.evil", "a..internal.example", ".internal.example"),
        *("", ":8000", "a b", "a@b", "user@localhost", 'x"/>', "x/y", "localhost:80:80"),
        *("[evil.example]", "[::1", "::1", "localhost:", "localhost:x", "localhost:123456"),
        *("bücher", "x\n", "1.2.3.4.5"),
    ],
)
def test_names_of_others(host: str) -> None:
    assert not is_own_host(host, NAMES)


def test_a_star_is_any_name_that_is_one() -> None:
    assert is_own_host("evil.example:8000", ("*",))
    assert not is_own_host('evil.example"/>', ("*",))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("box.example", False),
    ],
)
def test_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
