"""Reservations of characters: what is held for a request, what of it was delivered. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

MAX_REMEMBERED = 4_096
"""Ended requests of a key that are remembered; the oldest make room."""
LATE_S = 86_400.0
"""Time for which an expired reservation still counts what is delivered late."""

Outcome = Literal["granted", "over_limit", "in_progress", "other_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Characters that a request asks for."""

    id: str
    """Of the reservation; the same for every attempt of a request that is repeated."""
    attempt: str
    """Unique for each attempt."""
    key_id: str
    month: str
    """Month that is charged, as in `2026-11`."""
    num_chars: int
    limit: int | None
    """Maximum characters of the month; None: no limit."""
    lifetime_s: float
    """Time after which the reservation expires unless something is delivered."""
    fingerprint: str = ""
    """Digest of the request, which every attempt must have."""
    remembered_s: float = 0.0
    """Time for which a repetition is recognised after the end; 0: not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Characters that an attempt has delivered so far."""

    id: str
    attempt: str
    key_id: str
    num_chars: int
    """All of the attempt, not only the latest, so that a repeated call counts once."""
    is_last: bool
    """Whether the reservation ends: what is still held is given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The answer to a demand."""

    outcome: Outcome
    used: int
    """Characters of the month before, held ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A reservation as stored. What is held and what was delivered are both in the usage."""

    attempt: str
    month: str
    fingerprint: str
    held: int
    delivered: int
    """The most that an attempt has delivered; no further attempt pays for it again."""
    is_open: bool
    """Whether an attempt is in progress."""
    ends_s: float
    """When an open one expires, or an ended one is forgotten; seconds since the epoch."""
    lifetime_s: float
    remembered_s: float


def refusal(stored: Reservation | None, demand: Demand) -> Outcome | None:
    """Why an attempt may not begin beside the stored one; None if it may."""
    if stored is None:
        return None
    if stored.fingerprint != demand.fingerprint:
        return "other_request"
    is_other = stored.is_open and stored.attempt != demand.attempt
    return "in_progress" if is_other else None


def begin(stored: Reservation | None, demand: Demand, now_s: float) -> Reservation:
    """The reservation of an attempt, holding what no earlier attempt has delivered."""
    delivered = stored.delivered if stored else 0
    return Reservation(
        attempt=demand.attempt,
        month=stored.month if stored else demand.month,
        fingerprint=demand.fingerprint,
        held=max(0, demand.num_chars - delivered),
        delivered=delivered,
        is_open=True,
        ends_s=now_s + demand.lifetime_s,
        lifetime_s=demand.lifetime_s,
        remembered_s=demand.remembered_s,
    )


def deliver(stored: Reservation, delivery: Delivery, now_s: float) -> tuple[Reservation, int]:
    """The reservation after a delivery, and the change of the usage.

    What was delivered beyond what is held, after the reservation expired, is added.
    """
    new = max(0, delivery.num_chars - stored.delivered)
    held = max(0, stored.held - new)
    change = max(0, new - stored.held)
    after = replace(stored, delivered=stored.delivered + new, held=held)
    if stored.attempt != delivery.attempt:  # a later attempt goes on
        return after, change
    if delivery.is_last:
        ends_s = now_s + stored.remembered_s
        return replace(after, held=0, is_open=False, ends_s=ends_s), change - held
    return replace(after, is_open=True, ends_s=now_s + stored.lifetime_s), change


def expire(stored: Reservation) -> tuple[Reservation, int]:
    """An open reservation whose time is over, and the change of the usage."""
    ends_s = stored.ends_s + max(LATE_S, stored.remembered_s)
    return replace(stored, held=0, is_open=False, ends_s=ends_s), -stored.held


def current(stored: Reservation | None, now_s: float) -> tuple[Reservation | None, int]:
    """What is left of a reservation now, and the change of the usage."""
    change = 0
    if stored is not None and stored.is_open and stored.ends_s <= now_s:
        stored, change = expire(stored)
    return (None if stored is not None and stored.ends_s <= now_s else stored), change
