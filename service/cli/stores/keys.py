"""`pellucid keys`: creates, lists and revokes API keys, and prints their usage."""

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from service.cli.stores.arguments import stored_name
from service.cli.stores.tables import print_rows
from service.errors import NotFoundError, StartupError
from service.settings import load_settings

if TYPE_CHECKING:
    from service.api.auth.key import ApiKey
    from service.api.auth.key_store import KeyStore

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]
    Work = Callable[[KeyStore, argparse.Namespace], Coroutine[None, None, None]]

_EXAMPLES = """\
examples:
  pellucid keys add 'Translation team' --monthly-chars 2000000 --key-store keys.db
  PELLUCID_KEY_STORE=redis://10.0.0.5/0 pellucid keys list
  pellucid keys revoke 1f2e3d4c5b6a --key-store keys.db
  pellucid keys generate >> keys.txt    # for --api-key-file, without a store

A server with the same --key-store accepts or refuses the keys at once, without a restart.
"""
_COLUMNS = ("id", "name", "state", "expires", "monthly_chars", "requests_per_minute", "weight")


def register(commands: "Subparsers") -> None:
    """Add `keys` with its verbs."""
    parser = commands.add_parser(
        "keys",
        help="manage API keys",
        description="Create, list and revoke API keys, and print their usage.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_arguments(_verb(verbs, "add", "create a key and print it, once", _add))
    _with_json(_verb(verbs, "list", "list ids and limits of the keys", _list))
    _verb(verbs, "revoke", "revoke a key", _revoke).add_argument(
        "id", metavar="ID", help="as `pellucid keys list` prints it"
    )
    _add_generate(verbs)
    usage = _with_json(_verb(verbs, "usage", "print the characters translated in a month", _usage))
    usage.add_argument("id", metavar="ID", nargs="?", help="id of a key [all keys]")
    usage.add_argument(
        "--month", type=_month, default=f"{_now():%Y-%m}", help="as in 2026-11 [this month]"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run a verb; returns the exit code.

    Raises:
        StartupError: No store is configured, or it cannot be opened.
        ServiceError: The key does not exist, or the store does not answer.
    """
    from service.api.auth.key_store import open_store

    given = arguments.key_store
    address = load_settings({} if given is None else {"key_store": given}).key_store
    if address is None:
        raise StartupError("no key store: set --key-store FILE or PELLUCID_KEY_STORE")
    store = open_store(address.get_secret_value(), may_create=arguments.work is _add)
    asyncio.run(_worked(store, arguments))
    return 0


def generate(arguments: argparse.Namespace) -> int:
    """Print new keys, which are stored nowhere; returns the exit code."""
    from service.api.auth.key import new_secret

    sys.stdout.write("".join(f"{new_secret()}\n" for _ in range(arguments.number)))
    return 0


async def _worked(store: "KeyStore", arguments: argparse.Namespace) -> None:
    try:
        await arguments.work(store, arguments)
    finally:
        await store.close()


def _verb(verbs: "Subparsers", name: str, text: str, work: "Work") -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument(
        "--key-store", metavar="ADDRESS", help="a file or redis://... (PELLUCID_KEY_STORE)"
    )
    parser.set_defaults(run=run, work=work)
    return parser


def _add_generate(verbs: "Subparsers") -> None:
    text = "print new keys for --api-keys or --api-key-file; no store is used"
    parser = verbs.add_parser("generate", help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument(
        "number", type=_count, nargs="?", default=1, metavar="N", help="how many [1]"
    )
    parser.set_defaults(run=generate)


def _with_json(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    return parser


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", type=stored_name, metavar="NAME", help="name of the key's owner, for the list"
    )
    parser.add_argument(
        "--expires", type=_expiry, help="date such as 2027-01-31, or days such as 90d [never]"
    )
    parser.add_argument(
        "--monthly-chars", type=_count, metavar="N", help="maximum characters per month"
    )
    parser.add_argument(
        "--requests-per-minute", type=_count, metavar="N", help="maximum requests per minute"
    )
    parser.add_argument(
        "--max-queued-jobs", type=_count, metavar="N", help="maximum sentences in the queue"
    )
    parser.add_argument(
        "--weight", type=_weight, default=1.0, help="share of the queue relative to other keys [1]"
    )


async def _add(store: "KeyStore", arguments: argparse.Namespace) -> None:
    from service.api.auth.key import ApiKey, digest_of, new_secret

    secret = new_secret()
    key = ApiKey(
        digest=digest_of(secret),
        name=arguments.name,
        created=_now(),
        expires=arguments.expires,
        monthly_chars=arguments.monthly_chars,
        requests_per_minute=arguments.requests_per_minute,
        weight=arguments.weight,
        max_queued_jobs=arguments.max_queued_jobs,
    )
    await store.put(key)
    sys.stdout.write(secret + "\n")
    sys.stderr.write(f"id {key.id}; the key is shown only this once: only its digest is stored\n")


async def _list(store: "KeyStore", arguments: argparse.Namespace) -> None:
    now = _now()
    rows = [_described(key, now) for key in await store.keys()]
    print_rows(rows, _COLUMNS, as_json=arguments.json)


async def _revoke(store: "KeyStore", arguments: argparse.Namespace) -> None:
    (key,) = await _chosen(store, arguments.id)
    await store.put(replace(key, revoked=key.revoked or _now()))
    sys.stderr.write(f"{key.id} ({key.name}) is revoked\n")


async def _usage(store: "KeyStore", arguments: argparse.Namespace) -> None:
    rows: list[dict[str, object]] = [
        {
            "id": key.id,
            "name": key.name,
            "month": arguments.month,
            "chars": await store.num_chars(key.id, arguments.month, _now().timestamp()),
            "monthly_chars": key.monthly_chars,
        }
        for key in await _chosen(store, arguments.id)
    ]
    print_rows(rows, ("id", "name", "month", "chars", "monthly_chars"), as_json=arguments.json)


async def _chosen(store: "KeyStore", key_id: str | None) -> "list[ApiKey]":
    keys = await store.keys()
    chosen = [key for key in keys if key_id in (None, key.id)]
    if key_id is not None and not chosen:
        raise NotFoundError(f"there is no key {key_id}: `pellucid keys list` has their ids")
    return chosen


def _described(key: "ApiKey", now: datetime) -> dict[str, object]:
    state = "revoked" if key.revoked else "valid" if key.is_valid(now) else "expired"
    return {
        "id": key.id,
        "name": key.name,
        "state": state,
        "created": f"{key.created:%Y-%m-%d}",
        "expires": f"{key.expires:%Y-%m-%d}" if key.expires else None,
        "monthly_chars": key.monthly_chars,
        "requests_per_minute": key.requests_per_minute,
        "max_queued_jobs": key.max_queued_jobs,
        "weight": key.weight,
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _count(given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"{given} is not a whole number from 1")
    return int(given)


def _weight(given: str) -> float:
    if not re.fullmatch(r"\d{1,3}(\.\d+)?", given) or not 0.01 <= float(given) <= 100:
        raise argparse.ArgumentTypeError(f"{given} is not a number from 0.01 to 100")
    return float(given)


def _month(given: str) -> str:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", given):
        raise argparse.ArgumentTypeError(f"{given} is not a month such as 2026-11")
    return given


def _expiry(given: str) -> datetime:
    """The end of a day, in UTC."""
    if days := re.fullmatch(r"(\d{1,5})d", given):
        return _now() + timedelta(days=int(days[1]))
    try:
        day = datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{given} is neither a date such as 2027-01-31 nor days such as 90d"
        ) from None
    if day.date() == date.max:  # its end is no moment that Python can name
        raise argparse.ArgumentTypeError(f"{given} is too late: leave --expires out for never")
    return day + timedelta(days=1)
