"""Who may translate: finds the account of a request by its key."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from fastapi import Request
from pydantic import SecretStr

from service.api.auth.account import Account, Now, counted_refusals
from service.api.auth.key import Key, digest_of
from service.api.auth.key_store import KeyStore, MemoryStore, open_store
from service.errors import ForbiddenError, KeyRequiredError, StartupError
from service.observability.metrics import Metrics
from service.scheduling.limits import Client
from service.settings import Settings

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


_SCHEMES = ("bearer", "deepl-auth-key")


class ApiKeys:
    """The keys of the configuration and those of a store; without either, everybody may."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        configured: Mapping[str, Key] | None = None,
        store: KeyStore | None = None,
        monthly_chars: int | None = None,
        now: Now = lambda: datetime.now(UTC),
    ) -> None:
        """Ask for keys if there are any.

        Args:
            metrics: Count who is turned away.
            configured: Keys that need not be looked up, by digest.
            store: Has further keys, and counts what all of them use; closed with this.
            monthly_chars: For keys of the store that have no quota of their own.
            now: The time in UTC.
        """
        self._metrics = metrics
        self._configured = configured or {}
        self._has_store = store is not None
        self._store: KeyStore = store or MemoryStore()
        self._monthly_chars = monthly_chars
        self._now = now
        self._peers = Peers()

    @property
    def are_required(self) -> bool:
        """Whether a request must carry a key."""
        return self._has_store or bool(self._configured)

    async def account(self, request: Request, given: object = "") -> Account:
        """The account of a request, which is counted; the key in its Authorization header wins.

        Args:
            request: May have an Authorization header.
            given: The key among the parameters of the request, if there is one.

        Raises:
            KeyRequiredError: There is no key, and one is required.
            ForbiddenError: The key is none of ours, or no longer.
            RateLimitedError: The key has made all its requests of this minute.
            KeyStoreError: Nobody knows.
        """
        if not self.are_required:
            return Account(self._store, self._peers.client(request), self._metrics, self._now)
        with counted_refusals(self._metrics):
            key = await self._key(_key_in_header(request) or str(given or ""))
            account = Account(self._store, _client(key), self._metrics, self._now, key)
            await account.count_request()
        return account

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def _key(self, secret: str) -> Key:
        if not secret:
            raise KeyRequiredError("Please contact the server operator to get an API key")
        digest = digest_of(secret)
        key = self._configured.get(digest) or await self._store.find(digest)
        if key is None or not key.is_valid(self._now()):
            raise ForbiddenError("Invalid API key")
        if key.monthly_chars is None:
            return replace(key, monthly_chars=self._monthly_chars)
        return key


def load_api_keys(settings: Settings, metrics: Metrics) -> ApiKeys:
    """The keys of `settings`, of the file and of the store that they name.

    Raises:
        StartupError: The file or the store cannot be read, or the file has no keys.
    """
    secrets = [secret.get_secret_value() for secret in settings.api_keys]
    if settings.api_key_file is not None:
        secrets += _keys_in_file(settings)
    keys = [_configured(secret) for secret in secrets]
    address = settings.key_store
    return ApiKeys(
        metrics,
        configured={key.digest: key for key in keys},
        store=None if address is None else open_store(address.get_secret_value()),
        monthly_chars=settings.max_chars_per_key,
    )


def _configured(secret: str) -> Key:
    return Key(digest=digest_of(secret), name="configured", created=datetime.now(UTC))


def _keys_in_file(settings: Settings) -> list[str]:
    path = settings.api_key_file
    assert path is not None, "called for nothing else"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"--api-key-file: {path} cannot be read: {error}") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:  # it would let everybody in
        raise StartupError(f"--api-key-file: {path} has no keys: write one a line")
    return keys


def _key_in_header(request: Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").strip().partition(" ")
    return key.strip() if scheme.lower() in _SCHEMES else ""


def _client(key: Key) -> Client:
    return Client(name=key.id, weight=key.weight, max_queued_jobs=key.max_queued_jobs)


def check_token(request: Request, token: SecretStr) -> None:
    """Let in who has the token.

    Raises:
        ForbiddenError: The request's Authorization header is not `Bearer` with the token.
    """
    scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
    # In bytes: whoever guesses may send any character. The time says nothing about ours.
    is_ours = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    if scheme.lower() != "bearer" or not is_ours:
        raise ForbiddenError("Invalid token: send the header 'Authorization: Bearer TOKEN'")
