"""What a key may do yet."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from service.api.auth.account import UNLIMITED_CHARS, Account
from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore, MemoryStore
from service.errors import QuotaExceededError
from service.observability.metrics import Metrics
from service.scheduling.limits import INTERNAL_CLIENT
from tests.service.api.auth.failing_store import FailingStore

JANUARY = datetime(2026, 1, 31, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


class _Calendar:
    def __init__(self) -> None:
        self.now = JANUARY

    def __call__(self) -> datetime:
        return self.now


def _account(
    monthly_chars: int | None = None,
    calendar: _Calendar | None = None,
    store: KeyStore | None = None,
) -> Account:
    key = ApiKey(digest=digest_of("k"), name="a", created=JANUARY, monthly_chars=monthly_chars)
    return Account(store or MemoryStore(), INTERNAL_CLIENT, Metrics(), calendar or _Calendar(), key)


async def _charge(account: Account, num_chars: int) -> None:
    async with account.charged(num_chars):
        pass


def test_what_failed_does_not_count() -> None:
    async def scenario() -> None:
        account = _account(10)
        with pytest.raises(ZeroDivisionError):
            async with account.charged(7):
                raise ZeroDivisionError
        assert await account.num_chars() == 0
        async with account.charged(10):
            assert await account.num_chars() == 10
        assert await account.num_chars() == 10

    asyncio.run(scenario())


def test_what_was_cancelled_does_not_count() -> None:
    async def work(account: Account, is_charged: asyncio.Event) -> None:
        async with account.charged(7):
            is_charged.set()
            await asyncio.Event().wait()

    async def scenario() -> None:
        account, is_charged = _account(10), asyncio.Event()
        task = asyncio.create_task(work(account, is_charged))
        await is_charged.wait()
        assert await account.num_chars() == 7
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await account.num_chars() == 0

    asyncio.run(scenario())


def test_work_that_goes_on_counts_already() -> None:
    async def scenario() -> None:
        account = _account(10)
        async with account.charged(6):
            with pytest.raises(QuotaExceededError, match="has 4 of 10 characters left"):
                await _charge(account, 5)
        assert await account.num_chars() == 6

    asyncio.run(scenario())


def test_new_month_begins_anew() -> None:
    async def scenario() -> None:
        calendar = _Calendar()
        account = _account(10, calendar)
        await _charge(account, 10)
        calendar.now = FEBRUARY
        assert await account.num_chars() == 0
        await _charge(account, 10)

    asyncio.run(scenario())


def test_refund_goes_to_the_month_that_was_charged() -> None:
    async def scenario() -> None:
        calendar = _Calendar()
        account = _account(10, calendar)
        async with AsyncExitStack() as stack:
            stack.enter_context(pytest.raises(ZeroDivisionError))
            await stack.enter_async_context(account.charged(10))
            calendar.now = FEBRUARY
            await _charge(account, 4)
            raise ZeroDivisionError
        assert await account.num_chars() == 4

    asyncio.run(scenario())


def test_refund_that_fails_hides_no_reason() -> None:
    class ChargesOnly(FailingStore):
        async def charge(self, key_id: str, month: str, num_chars: int, limit: int | None) -> int:
            return 0

    async def scenario() -> None:
        account = _account(10, store=ChargesOnly())
        with pytest.raises(ZeroDivisionError):
            async with account.charged(7):
                raise ZeroDivisionError

    asyncio.run(scenario())


def test_account_without_a_limit_says_what_deepl_says() -> None:
    async def scenario() -> None:
        unlimited = _account()
        async with unlimited.charged(10**9):
            assert unlimited.max_chars == UNLIMITED_CHARS

    asyncio.run(scenario())
