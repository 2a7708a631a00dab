"""Authenticates requests: finds the account of a request by its key or its address."""

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from fastapi import Request
from pydantic import SecretStr

from service.api.auth.account import Account, Now, StoreTimes, counted_refusals
from service.api.auth.charge import OpenUsage
from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore, answer_within, open_store
from service.api.auth.memory_store import MemoryStore
from service.api.auth.wrong_keys import WrongKeys
from service.api.requests.client_scope import CLIENT_NAME
from service.errors import ForbiddenError, KeyRequiredError, StartupError
from service.observability.clock import Clock
from service.observability.metrics import Metrics
from service.scheduling.limits import Client
from service.settings import Settings

_SCHEMES = ("bearer", "deepl-auth-key")
_SALT_BYTES = 16
_NAME_BYTES = 8
_IPV6_NETWORK_BITS = 64
"""Size of the network that a provider assigns to a customer, who may use any address in it."""


class ApiKeys:
    """The configured keys and those of a store; without either, access is open."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        configured: Mapping[str, ApiKey] | None = None,
        store: KeyStore | None = None,
        monthly_chars: int | None = None,
        times: StoreTimes | None = None,
        max_wrong_per_minute: int = 10,
        now: Now = lambda: datetime.now(UTC),
        clock: Clock = time.monotonic,
    ) -> None:
        """Require keys if there are any.

        Args:
            metrics: Counts rejected requests.
            configured: Keys outside the store, by digest.
            store: Further keys, and the usage of all keys; closed by `close`.
            monthly_chars: Quota of keys that have none of their own.
            times: Time limits around the store.
            max_wrong_per_minute: Wrong keys from one address until it has to wait.
            now: The time in UTC.
            clock: Monotonic, seconds.
        """
        self._metrics = metrics
        self._configured = configured or {}
        self._has_store = store is not None
        self._store: KeyStore = store or MemoryStore()
        self._monthly_chars = monthly_chars
        self._times = times or StoreTimes()
        self._now = now
        self._wrong_keys = WrongKeys(max_wrong_per_minute, clock)
        self._anonymous = AnonymousClients()
        self._open_usage = OpenUsage()

    @property
    def store(self) -> KeyStore:
        """Where keys, their usage and glossaries are kept; closed by `close`."""
        return self._store

    @property
    def are_required(self) -> bool:
        """Whether a request must carry a key."""
        return self._has_store or bool(self._configured)

    def names_account(self, request: Request) -> bool:
        """Whether the head of a request is enough to find its account."""
        return not self.are_required or bool(_key_in_header(request))

    async def account(
        self, request: Request, given: object = "", *, within_s: float | None = None
    ) -> Account:
        """Count a request and return its account; a key in the Authorization header wins.

        Args:
            request: May have an Authorization header.
            given: The key among the request's parameters, if any.
            within_s: Time of the request; the store has no more for an answer.

        Raises:
            KeyRequiredError: The request has no key, and one is required.
            ForbiddenError: The key is unknown, expired or revoked.
            WrongKeysError: Too many wrong keys came from the request's address.
            RateLimitedError: The key has used up its requests of this minute.
            KeyStoreError: The store does not answer.
        """
        key = None
        if self.are_required:
            with counted_refusals(self._metrics):
                secret = _key_in_header(request) or str(given or "")
                key = await self._key(secret, _address_of(request), within_s)
        account = Account(
            self._store,
            _client(key) if key else self._anonymous.client(request),
            self._metrics,
            self._now,
            key,
            times=self._times,
            open_usage=self._open_usage,
        )
        request.scope[CLIENT_NAME] = account.client.name
        account.limit_time(within_s)
        with counted_refusals(self._metrics):
            await account.count_request()
        return account

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def _key(self, secret: str, address: str, within_s: float | None) -> ApiKey:
        if not secret:
            raise KeyRequiredError("Please contact the server operator to get an API key")
        digest = digest_of(secret)
        self._wrong_keys.check(address, digest)
        key = self._configured.get(digest)
        if key is None and self._has_store:
            timeout_s = min(self._times.timeout_s, within_s or self._times.timeout_s)
            key = await answer_within(timeout_s, self._store.find(digest))
        if key is None or not key.is_valid(self._now()):
            self._wrong_keys.add_wrong(address, digest)
            raise ForbiddenError("Invalid API key")
        self._wrong_keys.add_right(address, digest)
        if key.monthly_chars is None:
            return replace(key, monthly_chars=self._monthly_chars)
        return key


class AnonymousClients:
    """Names clients without a key by a digest of their address, salted per process."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(_SALT_BYTES)

    def client(self, request: Request) -> Client:
        """The client at the other end of a request's connection."""
        digest = hashlib.blake2b(
            _address_of(request).encode(), key=self._salt, digest_size=_NAME_BYTES
        ).hexdigest()
        return Client(name=digest)


def load_api_keys(settings: Settings, metrics: Metrics) -> ApiKeys:
    """The keys of `settings`, of the key file and of the key store.

    Raises:
        StartupError: The file or the store cannot be read, the file has no keys, or a key is too
            short.
    """
    keys = [_configured(secret) for secret in _configured_secrets(settings)]
    address = settings.key_store
    timeout_s = settings.key_store_timeout_s
    return ApiKeys(
        metrics,
        configured={key.digest: key for key in keys},
        store=None
        if address is None
        else open_store(address.get_secret_value(), timeout_s=timeout_s),
        monthly_chars=settings.max_chars_per_key,
        times=StoreTimes(timeout_s=timeout_s, reservation_s=_reservation_s(settings)),
        max_wrong_per_minute=settings.max_wrong_keys_per_minute,
    )


def check_token(request: Request, token: SecretStr) -> None:
    """Require an operator's token.

    Raises:
        ForbiddenError: The request's Authorization header is not `Bearer` with the token.
    """
    scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
    # In constant time, and in bytes, because the header may contain any characters.
    is_equal = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    if scheme.lower() != "bearer" or not is_equal:
        raise ForbiddenError("Invalid token: send the header 'Authorization: Bearer TOKEN'")


def _configured(secret: str) -> ApiKey:
    return ApiKey(digest=digest_of(secret), name="configured", created=datetime.now(UTC))


def _configured_secrets(settings: Settings) -> list[str]:
    secrets = [secret.get_secret_value() for secret in settings.api_keys]
    _check_lengths("--api-keys", secrets, settings.min_key_chars)
    if settings.api_key_file is not None:
        in_file = _keys_in_file(settings)
        _check_lengths(f"--api-key-file: {settings.api_key_file}", in_file, settings.min_key_chars)
        secrets += in_file
    return secrets


def _check_lengths(origin: str, secrets: Sequence[str], min_chars: int) -> None:
    """Refuse short keys, which can be guessed; they are named by their number only."""
    short = [number for number, secret in enumerate(secrets, 1) if len(secret) < min_chars]
    if short:
        raise StartupError(
            f"{origin}: key {', '.join(map(str, short))} of {len(secrets)} has fewer than "
            f"{min_chars} characters: replace it by one that `pellucid keys generate` prints"
        )


def _reservation_s(settings: Settings) -> float:
    """The longest time between two deliveries of a request, and as long for the reply to leave."""
    return settings.deadline_ms / 1000 + settings.reply_timeout_s


def _keys_in_file(settings: Settings) -> list[str]:
    path = settings.api_key_file
    assert path is not None, "only called with a file"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"--api-key-file: {path} cannot be read: {error}") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:  # access would be open
        raise StartupError(f"--api-key-file: {path} has no keys: write one a line")
    return keys


def _key_in_header(request: Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").strip().partition(" ")
    return key.strip() if scheme.lower() in _SCHEMES else ""


def _client(key: ApiKey) -> Client:
    return Client(
        name=key.id, weight=key.weight, max_queued_jobs=key.max_queued_jobs, key_id=key.id
    )


def _address_of(request: Request) -> str:
    """The address at the other end, behind trusted proxies; of IPv6 its customer's network."""
    return _network_of(request.client.host if request.client else "")


@lru_cache(maxsize=1024)
def _network_of(host: str) -> str:
    """An IPv4 address itself; of an IPv6 address its customer's network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix domain socket has no address
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address.packed, _IPV6_NETWORK_BITS), strict=False))
