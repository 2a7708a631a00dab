"""What a key may do yet."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from service.api.auth.account import UNLIMITED_CHARS, Account, StoreTimes
from service.api.auth.key import ApiKey, digest_of
from service.api.auth.key_store import KeyStore
from service.api.auth.memory_store import MemoryStore
from service.api.auth.repetition import Repetition
from service.api.auth.reservation import Delivery, Demand, Granted
from service.errors import (
    KeyStoreError,
    QuotaExceededError,
    RepetitionInProgressError,
    RepetitionMismatchError,
)
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


def _repetition(fingerprint: str = "f", *, is_declared: bool = True) -> Repetition:
    return Repetition(
        id="id", fingerprint=fingerprint, remembered_s=3600.0, is_declared=is_declared
    )


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


async def _charge_file(
    account: Account, num_bytes: int, num_chars: int, repetition: Repetition | None = None
) -> None:
    charged = account.charged_file(num_bytes, repetition, lifetime_s=60.0)
    async with charged as charge_text:
        await charge_text(num_chars)


@pytest.mark.parametrize(("num_chars", "expected"), [(3, 5), (5, 5), (8, 8)])
def test_a_file_costs_its_bytes_or_its_text_if_that_is_more(num_chars: int, expected: int) -> None:
    async def scenario() -> None:
        account = _account(10)
        await _charge_file(account, 5, num_chars)
        assert await account.num_chars() == expected

    asyncio.run(scenario())


def test_a_file_whose_text_exceeds_the_quota_costs_nothing() -> None:
    async def scenario() -> None:
        account = _account(10)
        with pytest.raises(QuotaExceededError, match="has 5 of 10 characters left"):
            await _charge_file(account, 5, 11)
        assert await account.num_chars() == 0

    asyncio.run(scenario())


def test_a_file_that_is_sent_again_is_paid_for_once() -> None:
    async def scenario() -> None:
        account = _account(20)
        for _ in range(2):
            await _charge_file(account, 5, 12, _repetition())
        assert await account.num_chars() == 12

    asyncio.run(scenario())


class _GrantsOnly(FailingStore):
    async def reserve(self, demand: Demand, now_s: float) -> Granted:
        return Granted(outcome="granted", used=0)


def test_settlement_that_fails_hides_no_reason() -> None:
    async def scenario() -> None:
        account = _account(10, store=_GrantsOnly())
        with pytest.raises(ZeroDivisionError):
            async with account.charged(7):
                raise ZeroDivisionError

    asyncio.run(scenario())


def test_reply_that_cannot_be_paid_is_not_given() -> None:
    async def scenario() -> None:
        with pytest.raises(KeyStoreError):
            await _charge(_account(10, store=_GrantsOnly()), 7)

    asyncio.run(scenario())


def test_what_was_delivered_before_a_failure_counts() -> None:
    async def scenario() -> None:
        account = _account(10)
        charge = await account.reserve(8)
        charge.deliver(2)
        await charge.settle()
        charge.deliver(3)
        assert await account.num_chars() == 8
        await charge.release()
        await charge.release()
        assert await account.num_chars() == 3

    asyncio.run(scenario())


@pytest.mark.parametrize(("end", "num_chars"), [("release", 0), ("finish", 8)])
def test_end_of_a_charge_goes_on_although_its_request_is_cancelled(
    end: str, num_chars: int
) -> None:
    class Slow(MemoryStore):
        is_instant = False

        async def deliver(self, delivery: Delivery, now_s: float) -> None:
            is_asked.set()
            await may_answer.wait()
            await super().deliver(delivery, now_s)
            has_answered.set()

    is_asked, may_answer, has_answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def scenario() -> None:
        account = _account(10, store=Slow())
        charge = await account.reserve(8)
        ending = asyncio.create_task(getattr(charge, end)())
        await is_asked.wait()
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        may_answer.set()
        await has_answered.wait()
        assert await account.num_chars() == num_chars

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_attempts_of_a_declared_request_are_charged_once() -> None:
    async def scenario() -> None:
        account = _account(10)
        for _ in range(3):
            async with account.charged(6, _repetition()):
                with pytest.raises(RepetitionInProgressError):
                    await account.reserve(6, _repetition())
        with pytest.raises(RepetitionMismatchError):
            await account.reserve(6, _repetition("other"))
        assert await account.num_chars() == 6

    asyncio.run(scenario())


def test_equal_requests_are_charged_once_in_turn_and_twice_side_by_side() -> None:
    async def scenario() -> None:
        account = _account(20)
        equal = _repetition(is_declared=False)
        await _charge_twice(account, equal)
        assert await account.num_chars() == 6
        async with account.charged(6, equal), account.charged(6, equal):
            pass
        assert await account.num_chars() == 12

    async def _charge_twice(account: Account, equal: Repetition) -> None:
        for _ in range(2):
            async with account.charged(6, equal):
                pass

    asyncio.run(scenario())


def test_without_a_key_no_request_is_remembered() -> None:
    async def scenario() -> None:
        account = Account(MemoryStore(), INTERNAL_CLIENT, Metrics(), _Calendar())
        async with account.charged(6, _repetition()), account.charged(7, _repetition("other")):
            pass

    asyncio.run(scenario())


class _Hangs(MemoryStore):
    is_instant = False

    async def reserve(self, demand: Demand, now_s: float) -> Granted:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


def test_store_that_hangs_is_given_up() -> None:
    async def scenario() -> None:
        times = StoreTimes(timeout_s=0.01)
        key = ApiKey(digest=digest_of("k"), name="a", created=JANUARY)
        account = Account(_Hangs(), INTERNAL_CLIENT, Metrics(), _Calendar(), key, times=times)
        with pytest.raises(KeyStoreError):
            await account.reserve(1)

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_account_without_a_limit_says_what_deepl_says() -> None:
    async def scenario() -> None:
        unlimited = _account()
        async with unlimited.charged(10**9):
            assert unlimited.max_chars == UNLIMITED_CHARS

    asyncio.run(scenario())
