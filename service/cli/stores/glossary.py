"""`pellucid glossary`: adds, lists and removes the glossaries in a key store."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.stores.arguments import stored_name
from service.cli.stores.tables import print_rows
from service.errors import InvalidRequestError, NotFoundError, StartupError
from service.settings import load_settings
from service.text.masking.glossary import GlossaryError

if TYPE_CHECKING:
    from service.api.auth.key_store import KeyStore
    from service.api.glossaries.glossaries import Glossaries
    from service.api.glossaries.stored import Dictionary, GlossaryInfo

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_EXAMPLES = """\
examples:
  pellucid glossary add engines.tsv --name engines --source en --target de --key-store keys.db
  pellucid glossary add names.csv --name names --source en --target de --key 1f2e3d4c5b6a
  pellucid glossary list --json
  pellucid glossary remove engines

A line of a .tsv file is a term, a tab, its translation; of a .csv file a term, a comma, its
translation. Without --key all keys of the server may use the glossary, and none may change it.
Requests name it: {"q": ..., "glossary": "engines"}. Servers with the same --key-store know it at
once.
"""
_COLUMNS = ("id", "name", "key", "pairs", "entries", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """An open store, and its glossaries."""

    store: "KeyStore"
    glossaries: "Glossaries"


_Work = Callable[[_Stored, argparse.Namespace], Coroutine[None, None, None]]


def register(commands: "Subparsers") -> None:
    """Add `glossary` with its verbs."""
    parser = commands.add_parser(
        "glossary",
        help="manage stored glossaries",
        description="Add, list and remove the glossaries in a key store.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_arguments(_verb(verbs, "add", "store the terms of a file", _add))
    listed = _verb(verbs, "list", "list names and sizes of the glossaries", _list)
    listed.add_argument("--json", action="store_true", help="print one JSON object per line")
    removed = _verb(verbs, "remove", "remove a glossary", _remove)
    removed.add_argument("glossary", metavar="GLOSSARY", help="its name or id")


def run(arguments: argparse.Namespace) -> int:
    """Run a verb; returns the exit code.

    Raises:
        StartupError: No store is configured, or it or the file cannot be opened.
        ServiceError: A glossary cannot be used or does not exist, or the store does not answer.
    """
    from service.api.auth.key_store import DEFAULT_TIMEOUT_S, open_store
    from service.api.glossaries.glossaries import Glossaries, GlossaryLimits

    given = arguments.key_store
    settings = load_settings({} if given is None else {"key_store": given})
    if settings.key_store is None:
        raise StartupError("no key store: set --key-store FILE or PELLUCID_KEY_STORE")
    store = open_store(settings.key_store.get_secret_value(), may_create=arguments.work is _add)
    limits = GlossaryLimits(
        max_glossaries=settings.max_glossaries,
        max_bytes=settings.max_glossary_bytes,
        timeout_s=DEFAULT_TIMEOUT_S,
    )
    stored = _Stored(store=store, glossaries=Glossaries(store, limits))
    asyncio.run(_worked(stored, arguments))
    return 0


async def _worked(stored: _Stored, arguments: argparse.Namespace) -> None:
    try:
        await arguments.work(stored, arguments)
    finally:
        await stored.store.close()


def _verb(verbs: "Subparsers", name: str, text: str, work: _Work) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument(
        "--key-store", metavar="ADDRESS", help="a file or redis://... (PELLUCID_KEY_STORE)"
    )
    parser.add_argument("--key", metavar="ID", help="of the glossary's owner [all keys]")
    parser.set_defaults(run=run, work=work)
    return parser


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a .tsv or .csv file, UTF-8")
    parser.add_argument(
        "--name", type=stored_name, required=True, help="by which requests name the glossary"
    )
    parser.add_argument("--source", required=True, metavar="CODE", help="language of the terms")
    parser.add_argument("--target", required=True, metavar="CODE", help="of their translations")


async def _add(stored: _Stored, arguments: argparse.Namespace) -> None:
    owner = await _owner(stored, arguments)
    dictionary = _dictionary(arguments)
    known = [each for each in await _own(stored, owner) if each.name == arguments.name]
    if known:
        info = known[-1]
        await stored.glossaries.change(owner, info.id, lambda g: g.with_dictionary(dictionary))
        glossary_id = info.id
    else:
        created = await stored.glossaries.create(owner, arguments.name, [dictionary])
        glossary_id = created.id
    sys.stdout.write(glossary_id + "\n")
    sys.stderr.write(
        f"{len(dictionary.entries)} terms from {dictionary.source} to {dictionary.target} are in "
        f"{arguments.name}\n"
    )


async def _list(stored: _Stored, arguments: argparse.Namespace) -> None:
    if arguments.key is not None:
        owners = [await _owner(stored, arguments)]
    else:
        owners = ["", *(key.id for key in await stored.store.keys())]
    rows = [_described(info) for owner in owners for info in await _own(stored, owner)]
    print_rows(rows, _COLUMNS, as_json=arguments.json)


async def _remove(stored: _Stored, arguments: argparse.Namespace) -> None:
    owner = await _owner(stored, arguments)
    named = arguments.glossary
    found = [info for info in await _own(stored, owner) if named in (info.id, info.name)]
    if not found:
        raise NotFoundError(f"there is no glossary {named}: `pellucid glossary list` has them")
    if len(found) > 1:
        ids = ", ".join(info.id for info in found)
        raise InvalidRequestError(f"{len(found)} glossaries are named {named}: name an id: {ids}")
    await stored.glossaries.remove(owner, found[0].id)
    sys.stderr.write(f"{found[0].id} ({found[0].name}) is removed\n")


async def _own(stored: _Stored, owner: str) -> "list[GlossaryInfo]":
    return [info for info in await stored.glossaries.all(owner) if info.owner == owner]


async def _owner(stored: _Stored, arguments: argparse.Namespace) -> str:
    """The id that was given, if there is such a key; else empty, for all keys."""
    if arguments.key is None:
        return ""
    if arguments.key not in [key.id for key in await stored.store.keys()]:
        raise NotFoundError(f"there is no key {arguments.key}: `pellucid keys list` has their ids")
    return str(arguments.key)


def _dictionary(arguments: argparse.Namespace) -> "Dictionary":
    from service.api.glossaries.stored import Dictionary, base_of
    from service.api.glossaries.terms_file import read_terms

    path: Path = arguments.file
    try:
        text = path.read_text(encoding="utf-8-sig")
        terms = read_terms(text, "csv" if path.suffix.lower() == ".csv" else "tsv")
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{path} cannot be read: {error}") from error
    except GlossaryError as error:
        raise InvalidRequestError(f"{path}: {error}") from error
    source, target = (base_of(code) for code in (arguments.source, arguments.target))
    return Dictionary(source=source, target=target, entries=terms)


def _described(info: "GlossaryInfo") -> dict[str, object]:
    return {
        "id": info.id,
        "name": info.name,
        "key": info.owner or None,
        "pairs": " ".join(f"{each.source}-{each.target}" for each in info.dictionaries),
        "entries": sum(each.num_entries for each in info.dictionaries),
        "created": f"{info.created:%Y-%m-%d}",
    }
