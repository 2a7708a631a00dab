"""`pellucid translate FILE --output FILE`: translates a document and keeps its layout."""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.local import line_request, open_service
from service.cli.paths import check_output, naming
from service.cli.translation.file_names import check_suffix, read_file
from service.cli.translation.journal import Journal
from service.documents.errors import DocumentError
from service.documents.formats import FORMATS, WITHOUT_LINES, note_on
from service.errors import StartupError

if TYPE_CHECKING:
    from service.documents.document import ParsedFile
    from service.models.registry import Registry
    from service.translation.translator import Translator
    from service.translation.values import TranslateRequest

_JOURNAL_SUFFIX = ".journal"


def add_document_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for documents."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="translate one file as a document and keep its layout; a .pdf becomes a web page. "
        f"Formats: {', '.join(FORMATS)}",
    )
    parser.add_argument(
        "--unwrap",
        action="store_true",
        help="with --output: join the lines of paragraphs that are wrapped by hand",
    )
    parser.add_argument(
        "--columns",
        default="",
        metavar="NAMES",
        help="with --output, of a .csv or .tsv: columns to translate, by their names in the first "
        "row or numbers from 1, with commas between [all]",
    )


def check_lines(arguments: argparse.Namespace) -> None:
    """Refuses what only documents have, where lines are translated.

    Raises:
        StartupError: A flag or a file needs `--output`.
    """
    if arguments.unwrap or arguments.columns:
        raise StartupError("--unwrap and --columns apply to documents: add --output FILE")
    for path in arguments.files:
        if path.suffix.lower() in WITHOUT_LINES:
            raise StartupError(f"{path} has no lines of text: add --output FILE")


def run_document(arguments: argparse.Namespace) -> int:
    """Translate a document, or resume an interrupted run; returns the exit code.

    Raises:
        StartupError: A flag, the file, a setting or a bundle cannot be used.
        ServiceError: A part cannot be translated; the finished parts are in the journal.
    """
    source, output = _paths(arguments)
    with naming(source):
        data = source.read_bytes()
    try:
        document = read_file(source, data, arguments.columns)
        check_suffix(source, output)
        sizes = [len(string.text) for string in document.iter_strings()]
    except DocumentError as error:
        raise StartupError(f"{source}: {error}") from None
    journal_path = output.with_name(output.name + _JOURNAL_SUFFIX)
    try:
        with open_service(arguments, len(data)) as (registry, translator):
            options = _options(arguments)
            journal = Journal(journal_path, _work(data, (options, arguments.columns), registry))
            translated = asyncio.run(_translate(translator, document, sizes, options, journal))
    except DocumentError as error:  # found when it is written: another language than the file's
        raise StartupError(f"{source}: {error}") from None
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted: the same command resumes from {journal_path}\n")
        raise
    _replace(output, translated)
    if note := note_on(source.suffix.lower()):
        sys.stderr.write(f"{output}: {note}\n")
    journal.remove()
    return 0


def _paths(arguments: argparse.Namespace) -> tuple[Path, Path]:
    files: list[Path] = arguments.files
    output: Path = arguments.output
    if len(files) != 1:
        raise StartupError("--output takes exactly one file to translate")
    if arguments.prefix or arguments.alternatives:
        raise StartupError("--prefix and --alternatives apply to lines: omit them, or --output")
    check_output(output, "--output")
    if output.exists() and output.samefile(files[0]):
        raise StartupError("--output would overwrite the file to translate: name another")
    return files[0], output


def _options(arguments: argparse.Namespace) -> "TranslateRequest":
    return replace(line_request(arguments), unwrap=arguments.unwrap, with_scores=False)


def _work(data: bytes, options: object, registry: "Registry") -> str:
    """Identifies the work: a digest of file, options and models."""
    models = sorted(served.bundle.sha256 for served in registry.served)
    return hashlib.sha256(data + repr((options, models)).encode()).hexdigest()


async def _translate(
    translator: "Translator",
    document: "ParsedFile",
    sizes: Sequence[int],
    options: "TranslateRequest",
    journal: Journal,
) -> bytes:
    from tqdm import tqdm

    from service.documents.translation import translate_document

    with (
        journal,
        tqdm(
            total=sum(sizes),
            initial=sum(sizes[number] for number in journal.done),
            unit=" chars",
            unit_scale=True,
            file=sys.stderr,
            disable=None,
        ) as progress,
    ):

        def on_batch(new: Mapping[int, str]) -> None:
            journal.record(new)
            progress.update(sum(sizes[number] for number in new))

        return await translate_document(
            document, options, translator.translate, done=journal.done, on_batch=on_batch
        )


def _replace(path: Path, data: bytes) -> None:
    """Replace a file atomically."""
    staged = path.with_name(f"{path.name}.part")
    try:
        with naming(path):
            staged.write_bytes(data)
            staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
