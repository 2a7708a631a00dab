"""Who may translate, and how much: the keys that an operator gives out."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from fastapi import Request

from service.errors import ForbiddenError, KeyRequiredError, QuotaExceededError, StartupError
from service.settings import Settings

UNLIMITED_CHARS = 1_000_000_000_000
"""What DeepL's clients are told where there is no limit, as DeepL itself does."""
_SCHEMES = ("bearer", "deepl-auth-key")


class Account:
    """What was translated with one key this month; belongs to one event loop."""

    def __init__(self, max_chars: int | None, today: Callable[[], date]) -> None:
        self._max_chars = max_chars
        self._today = today
        self._month = today().replace(day=1)
        self._num_chars = 0

    @property
    def num_chars(self) -> int:
        """Characters since the month began, or the process if that was later."""
        month = self._today().replace(day=1)
        if month != self._month:
            self._month, self._num_chars = month, 0
        return self._num_chars

    @property
    def max_chars(self) -> int:
        """Characters that a month has."""
        return UNLIMITED_CHARS if self._max_chars is None else self._max_chars

    @contextmanager
    def charged(self, num_chars: int) -> Iterator[None]:
        """Count `num_chars`, unless what is done meanwhile fails.

        Raises:
            QuotaExceededError: The month does not have so many left.
        """
        if self.num_chars + num_chars > self.max_chars:
            left = max(0, self.max_chars - self.num_chars)
            raise QuotaExceededError(
                f"Slowdown: the key has {left} of {self.max_chars} characters left this month, "
                f"the request has {num_chars}"
            )
        self._num_chars += num_chars
        try:
            yield
        except BaseException:
            self._num_chars = max(0, self.num_chars - num_chars)
            raise


class ApiKeys:
    """Finds the account of a key; without keys, everybody has the same one."""

    def __init__(
        self,
        keys: Iterable[str] = (),
        *,
        max_chars: int | None = None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._everybody = Account(None, today)
        self._accounts = {_digest(key): Account(max_chars, today) for key in keys}

    @property
    def are_required(self) -> bool:
        """Whether a request must carry a key."""
        return bool(self._accounts)

    def account(self, request: Request, given: object = "") -> Account:
        """The account of a request; the key in its Authorization header counts first.

        Args:
            request: May have an Authorization header.
            given: The key among the parameters of the request, if there is one.

        Raises:
            KeyRequiredError: There is no key, and one is required.
            ForbiddenError: The key is none of ours.
        """
        if not self.are_required:
            return self._everybody
        key = _key_in_header(request) or str(given or "")
        if not key:
            raise KeyRequiredError("Please contact the server operator to get an API key")
        account = self._accounts.get(_digest(key))
        if account is None:
            raise ForbiddenError("Invalid API key")
        return account


def load_api_keys(settings: Settings) -> ApiKeys:
    """The keys of `settings` and of the file that they name.

    Raises:
        StartupError: The file cannot be read, or has no keys.
    """
    keys = [key.get_secret_value() for key in settings.api_keys]
    if settings.api_key_file is not None:
        keys += _keys_in_file(settings)
    return ApiKeys(keys, max_chars=settings.max_chars_per_key)


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


def _digest(key: str) -> bytes:
    """What a key is compared by: how long that takes says nothing about our keys."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
