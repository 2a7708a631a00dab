"""`pellucid memory`: imports, exports, lists and clears the translation memory."""

import argparse
import json
import re
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import NotFoundError, ServiceError, StartupError
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from service.translation.memory.memory_file import MemoryFile, Stored
    from service.translation.memory.unit import Space

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]
    Work = Callable[[MemoryFile, argparse.Namespace, Settings], None]

_EXAMPLES = """\
examples:
  pellucid memory import product.tmx --source en --target de --memory memory.db
  PELLUCID_MEMORY=memory.db pellucid memory list
  pellucid memory export --source en --target de --key 1f2e3d4c5b6a > team.tmx

A server with the same --memory uses what is imported at once, without a restart.
"""
_UNITS_OF_A_TRANSACTION = 500
"""So few that other processes write in between."""
_TIMEOUT_S = 30.0
"""Time to wait for other processes that write."""


class _MemoryError(ServiceError):
    """The file does not answer."""


def register(commands: "Subparsers") -> None:
    """Add `memory` with its verbs."""
    parser = commands.add_parser(
        "memory",
        help="manage the translation memory",
        description="Import, export, list and clear translations that people have made.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    imported = _verb(verbs, "import", "store the sentences of a TMX file", _import)
    imported.add_argument("file", metavar="FILE", type=Path, help="a TMX file")
    _add_space(imported, is_required=True)
    exported = _verb(verbs, "export", "print the stored sentences as TMX", _export)
    _add_space(exported, is_required=True)
    listed = _verb(verbs, "list", "list how many sentences are stored", _list)
    listed.add_argument("--json", action="store_true", help="print one JSON object per line")
    _add_key(listed, "id of a key [all keys]")
    _add_space(_verb(verbs, "clear", "remove stored sentences", _clear), is_required=False)


def run(arguments: argparse.Namespace) -> int:
    """Run a verb; returns the exit code.

    Raises:
        StartupError: No memory is configured, or it cannot be opened.
        ServiceError: A file is no TMX, or the memory does not answer.
    """
    from service.translation.memory.memory_file import MemoryFile

    given = arguments.memory
    settings = load_settings({} if given is None else {"memory": given})
    path = settings.memory
    if path is None:
        raise StartupError("no translation memory: set --memory FILE or PELLUCID_MEMORY")
    if arguments.work is not _import and not path.exists():
        raise StartupError(f"--memory: {path} does not exist: `pellucid memory import` creates it")
    with closing(MemoryFile(path, _TIMEOUT_S)) as memory:
        try:
            arguments.work(memory, arguments, settings)
        except sqlite3.Error as error:
            raise _MemoryError(f"{path} does not answer: {error}") from error
    return 0


def _verb(verbs: "Subparsers", name: str, text: str, work: "Work") -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument("--memory", metavar="FILE", help="the memory (PELLUCID_MEMORY)")
    parser.set_defaults(run=run, work=work)
    return parser


def _add_space(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    every = "" if is_required else " [all]"
    parser.add_argument("--source", required=is_required, help=f"language, such as en{every}")
    parser.add_argument("--target", required=is_required, help=f"language, such as de{every}")
    _add_key(parser, "id of the key whose memory it is [of clients without a key]")


def _add_key(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--key", type=_key_id, metavar="ID", help=text)


def _import(memory: "MemoryFile", arguments: argparse.Namespace, settings: Settings) -> None:
    """Reads the file twice: one that is broken changes nothing."""
    from service.translation.memory.memory_file import Stored
    from service.translation.memory.tmx import Skipped, read_tmx

    languages = arguments.source, arguments.target
    if not sum(1 for _ in read_tmx(arguments.file, *languages, Skipped())):
        raise NotFoundError(
            f"{arguments.file} has no sentences from {arguments.source} to {arguments.target}"
        )
    skipped, stored = Skipped(), Stored()
    units = read_tmx(arguments.file, *languages, skipped)
    while batch := list(islice(units, _UNITS_OF_A_TRANSACTION)):
        stored += memory.put(_space(arguments), batch, time.time(), settings.max_memory_units)
    sys.stderr.write(_told(stored, skipped.num_other_languages, skipped.num_unusable))


def _told(stored: "Stored", num_other_languages: int, num_unusable: int) -> str:
    counts = {
        "new": stored.num_new,
        "replaced": stored.num_replaced,
        "in other languages": num_other_languages,
        "empty or too long": num_unusable,
        "least recently used removed": stored.num_dropped,
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items()) + "\n"


def _export(memory: "MemoryFile", arguments: argparse.Namespace, _: Settings) -> None:
    from service.translation.memory.tmx import write_tmx

    units = memory.units(_space(arguments))
    for line in write_tmx(units, arguments.source, arguments.target):
        sys.stdout.write(line)


def _list(memory: "MemoryFile", arguments: argparse.Namespace, _: Settings) -> None:
    for space, count in memory.spaces(arguments.key):
        if arguments.json:
            row = {"key": space.owner, "source": space.source, "target": space.target}
            sys.stdout.write(json.dumps({**row, "sentences": count}) + "\n")
        else:
            owner = space.owner or "-"
            sys.stdout.write(f"{owner:12}  {space.source:>8} -> {space.target:8}  {count:>9}\n")


def _clear(memory: "MemoryFile", arguments: argparse.Namespace, _: Settings) -> None:
    from service.translation.memory.unit import canonical

    wanted = [language and canonical(language) for language in (arguments.source, arguments.target)]
    count = sum(
        memory.clear(space)
        for space, _ in memory.spaces(arguments.key or "")
        if wanted[0] in (None, space.source) and wanted[1] in (None, space.target)
    )
    sys.stderr.write(f"{count} sentences removed\n")


def _space(arguments: argparse.Namespace) -> "Space":
    from service.translation.memory.unit import Space

    return Space.of(arguments.key or "", arguments.source, arguments.target)


def _key_id(given: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{12}", given):
        raise argparse.ArgumentTypeError(f"{given} is no id of a key: see `pellucid keys list`")
    return given
