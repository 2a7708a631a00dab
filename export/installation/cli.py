"""`pellucid install`, `search`, `models` and `remove`."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.installation.installer import Installer
    from export.installation.offers import Offer
    from export.installation.settings import InstallSettings
    from export.installation.transfer import Transfers

_SOURCES = ("firefox", "opus", "argos")
_INDEXES = {"firefox": "firefox_index", "opus": "opus_index", "argos": "argos_index"}
"""The setting that `--index` stands for."""
_STANDARD_OUTPUT = "standard output"
_FAILED = 2
_NEEDS_IMPORT = "in a checkout, pip install '.[import]'"
_EXAMPLES = """\
examples:
  pellucid install en-fr de-en
  pellucid install en-pt --dry-run
  pellucid install en-pt --from argos
  pellucid install en-pt --index https://mirror.example/records.json
"""


def register_install(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `install` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "install",
        help="download a published model and make a bundle of it",
        description="Find the best published model of each pair, show its licence, download, "
        "check, import and verify it. `pellucid serve` finds it from then on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "pairs", nargs="+", metavar="PAIR", help="source and target, such as en-fr, or en:pt-br"
    )
    _add_index_arguments(parser)
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="default: the first folder of PELLUCID_BUNDLES, else the user's data folder",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="do not ask before two models are installed for a pair that only English connects",
    )
    parser.set_defaults(run=_run_install)


def register_search(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `search` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "search",
        help="list published models",
        description="List published models; `pellucid install` takes the first of a pair.",
    )
    parser.add_argument(
        "language",
        nargs="?",
        metavar="LANGUAGE",
        help="only models from or into this language [all]",
    )
    _add_index_arguments(parser)
    parser.set_defaults(run=_run_search)


def register_models(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "models",
        help="list installed models",
        description="List the bundles that `pellucid serve` finds.",
    )
    parser.set_defaults(run=_run_models)


def register_remove(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `remove` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "remove", help="remove an installed model", description="Remove installed bundles."
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="as `pellucid models` lists it")
    parser.set_defaults(run=_run_remove)


def _add_index_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="origin",
        choices=_SOURCES,
        help="default: the first of these that has the pair; with --index, firefox",
    )
    parser.add_argument(
        "--index", metavar="URL-or-file", help="index of a mirror, in the source's own format"
    )


def _run_install(arguments: argparse.Namespace) -> int:
    # Products of the verification are small: BLAS's threads would wait longer than they compute,
    # and take twice the CPU. NumPy is not imported yet.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return _reported("install", lambda: _install(arguments), arguments.into)


def _install(arguments: argparse.Namespace) -> int:
    from export.installation.installer import Installer
    from export.installation.offers import parse_pair
    from export.installation.selection import choose, open_sources

    settings, transfers, names = _open(arguments)
    pairs = [parse_pair(text) for text in arguments.pairs]
    sources = open_sources(settings, transfers, names)
    chosen: list[Offer] = []
    for pair in pairs:
        offers = choose(sources, pair)
        if len(offers) > 1 and not _agrees(str(pair), offers, arguments):
            return _FAILED
        chosen += [offer for offer in offers if offer not in chosen]
    for offer in chosen:
        print(_plan_of(offer))
    if arguments.dry_run:
        return 0
    folder = (arguments.into or settings.folder).absolute()
    installer = Installer(settings, transfers, folder)
    for offer in chosen:
        _install_one(installer, offer)
    _warn_if_not_found(folder, settings)
    return 0


def _install_one(installer: "Installer", offer: "Offer") -> None:
    if installer.is_installed(offer):
        print(f"{offer.pair}: installed already in {installer.place(offer)}")
    else:
        print(f"{offer.pair}: installed in {installer.install(offer)}")


def _agrees(pair: str, offers: "Sequence[Offer]", arguments: argparse.Namespace) -> bool:
    """Whether two models may stand for one that does not exist."""
    legs = " ".join(str(offer.pair) for offer in offers)
    message = f"no model translates {pair}; {' and '.join(legs.split())} do, through English"
    if arguments.yes or arguments.dry_run:
        print(message)
        return True
    if not sys.stdin.isatty():
        print(f"pellucid install: {message}: pellucid install {legs}", file=sys.stderr)
        return False
    try:
        answer = input(f"{message}. Install both? [y/N] ")
    except EOFError:  # Ctrl-D: no
        print()
        return False
    return answer.strip().lower() in ("y", "yes")


def _plan_of(offer: "Offer") -> str:
    from export.installation.progress import megabytes

    release = "" if offer.is_released else ", not released"
    licence = offer.licence or "not stated by the source: ask its publisher"
    return (
        f"{offer.pair}: {offer.model} {offer.version} from {offer.origin}{release}, "
        f"{megabytes(offer.size_bytes)} to download; licence: {licence}"
    )


def _warn_if_not_found(folder: Path, settings: "InstallSettings") -> None:
    looked = {path.resolve() for path in settings.paths}
    if folder.resolve() not in looked:
        print(
            f"`pellucid serve` does not look in {folder}: give it --bundles {folder}",
            file=sys.stderr,
        )


def _run_search(arguments: argparse.Namespace) -> int:
    return _reported("search", lambda: _search(arguments))


def _search(arguments: argparse.Namespace) -> int:
    from export.errors import InstallError
    from export.installation.selection import open_sources

    settings, transfers, names = _open(arguments)
    rows: list[tuple[str, ...]] = []
    failed: list[InstallError] = []
    sources = open_sources(settings, transfers, names)
    for source in sources:
        try:
            rows += _rows(source.offers(), arguments.language)
        except InstallError as error:
            failed.append(error)
    if len(failed) == len(sources):
        raise failed[0]
    for fault in failed:
        _complain("search", str(fault))
    if not rows:
        raise InstallError(f"no model translates from or into {arguments.language}")
    _print_table(("pair", "from", "model", "version", "download", "licence"), rows)
    return 0


def _rows(offers: "Iterable[Offer]", language: str | None) -> list[tuple[str, ...]]:
    from export.installation.progress import megabytes

    found = [offer for offer in offers if language is None or _is_of(offer, language)]
    found.sort(key=lambda o: (str(o.pair), not o.is_released, tuple(-part for part in o.rank)))
    return [
        (
            str(offer.pair),
            offer.origin,
            offer.model,
            offer.version,
            megabytes(offer.size_bytes),
            offer.licence or "not stated",
        )
        for offer in found
    ]


def _is_of(offer: "Offer", language: str) -> bool:
    """Whether a model translates a language, whichever way, as the service matches tags."""
    from bundle.languages import best_match

    return best_match(language, (offer.pair.source, offer.pair.target)) is not None


def _run_models(_arguments: argparse.Namespace) -> int:
    return _reported("models", _models)


def _models() -> int:
    from bundle.folders import is_embedded
    from export.installation.installed import installed_bundles
    from export.installation.progress import megabytes
    from export.installation.settings import load_install_settings

    rows = [
        (
            bundle.name,
            ", ".join(bundle.pairs) or "broken: no manifest that can be read",
            megabytes(bundle.size_bytes),
            bundle.licence,
            bundle.quality,
            "with the program" if is_embedded(bundle.folder) else str(bundle.folder.parent),
        )
        for bundle in installed_bundles(load_install_settings().paths)
    ]
    _print_table(("name", "pairs", "size", "licence", "quality", "where"), rows)
    return 0


def _run_remove(arguments: argparse.Namespace) -> int:
    return _reported("remove", lambda: _remove(arguments.names))


def _remove(names: Sequence[str]) -> int:
    from export.installation.installed import installed_bundles, remove_bundle
    from export.installation.settings import load_install_settings

    settings = load_install_settings()
    for name in names:
        print(f"{remove_bundle(installed_bundles(settings.paths), name)} is removed")
    return 0


def _open(
    arguments: argparse.Namespace,
) -> "tuple[InstallSettings, Transfers, tuple[str, ...]]":
    """Settings and transfers, and the names of the sources that are asked for."""
    from export.installation.settings import load_install_settings
    from export.installation.transfer import Transfers

    settings = load_install_settings()
    origin: str | None = arguments.origin
    if arguments.index:
        origin = origin or _SOURCES[0]
        settings = settings.model_copy(update={_INDEXES[origin]: arguments.index})
    return settings, Transfers(settings.timeout_s), (origin,) if origin else ()


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    padded = ([c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines)
    try:
        print("\n".join("  ".join(cells).rstrip() for cells in padded), flush=True)
    except OSError as error:  # a full disk, or a reader that has closed it, as with `| head`
        error.filename = _STANDARD_OUTPUT
        raise


def _reported(command: str, action: Callable[[], int], folder: Path | None = None) -> int:
    """The exit code of an action; an error is one line that says what to do."""
    from bundle.errors import BundleError
    from export.errors import ExportError
    from model.errors import ModelError

    try:
        return action()
    except (ExportError, ModelError, BundleError) as error:
        return _complain(command, str(error))
    except ModuleNotFoundError as error:
        return _complain(command, f"{error.name} is not installed: {_NEEDS_IMPORT}")
    except OSError as error:
        if error.filename == _STANDARD_OUTPUT:
            raise  # `pellucid` reports it, as it does for all commands
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            from export.installation.installer import describe_disk
            from export.installation.settings import load_install_settings

            return _complain(command, describe_disk(folder or load_install_settings().folder))
        return _complain(command, str(error))


def _complain(command: str, message: str) -> int:
    print(f"pellucid {command}: {' '.join(message.split())}", file=sys.stderr)
    return _FAILED
