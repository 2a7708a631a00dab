"""Demands as requests make them, and requests that are over."""

import itertools

from service.api.auth.key_store import KeyStore
from service.api.auth.reservation import Delivery, Demand, Outcome

MONTH = "2026-01"
NOW_S = 1_769_860_800.0
LIFETIME_S = 90.0
_numbers = itertools.count()


def demand(
    num_chars: int,
    limit: int | None = None,
    *,
    own_id: str = "",
    key_id: str = "a",
    month: str = MONTH,
    fingerprint: str = "",
    remembered_s: float = 0.0,
) -> Demand:
    """A demand of a new attempt."""
    attempt = f"attempt-{next(_numbers)}"
    return Demand(
        id=own_id or attempt,
        attempt=attempt,
        key_id=key_id,
        month=month,
        num_chars=num_chars,
        limit=limit,
        lifetime_s=LIFETIME_S,
        fingerprint=fingerprint,
        remembered_s=remembered_s,
    )


def delivery(of: Demand, num_chars: int, *, is_last: bool = True) -> Delivery:
    """What the attempt of a demand has delivered."""
    return Delivery(
        id=of.id, attempt=of.attempt, key_id=of.key_id, num_chars=num_chars, is_last=is_last
    )


async def reserved(store: KeyStore, asked: Demand, now_s: float = NOW_S) -> tuple[Outcome, int]:
    granted = await store.reserve(asked, now_s)
    return granted.outcome, granted.used


async def pay(store: KeyStore, asked: Demand, now_s: float = NOW_S) -> Outcome:
    """A request that delivers all, if it may."""
    outcome, _ = await reserved(store, asked, now_s)
    if outcome == "granted":
        await store.deliver(delivery(asked, asked.num_chars), now_s)
    return outcome
