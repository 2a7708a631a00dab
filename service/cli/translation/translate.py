"""`pellucid translate`: translates lines of files or of standard input, or a document."""

import argparse
import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.heads import add_heads_argument
from service.cli.local import (
    add_engines_argument,
    add_model_arguments,
    line_request,
    local_settings,
    open_service,
    size_of,
)
from service.cli.paths import STANDARD_INPUT, STANDARD_OUTPUT, check_input, naming
from service.cli.translation.documents import add_document_arguments, check_lines, run_document
from service.cli.translation.doubt import (
    add_doubt_arguments,
    check_doubt_arguments,
    details_line,
    warnings_of,
)
from service.errors import InvalidRequestError, StartupError

if TYPE_CHECKING:
    from service.models.registry import Registry
    from service.translation.translator import Translator
    from service.translation.values import Translation

_EXAMPLES = """\
examples:
  echo 'The weather is nice today.' | pellucid translate --source en --target de
  pellucid translate --source en --target de --beam-size 4 book.txt > buch.txt
  pellucid translate --source en --target de --warn book.txt > buch.txt
  pellucid translate --source en --target de manual.html --output handbuch.html
  pellucid translate --source en --target de --without-heads cross:1:0 book.txt > buch.txt
  pellucid translate --source en --target de --ray corpus.txt > korpus.txt

Output has one line per input line, in order; blank lines stay blank. Text is UTF-8. Large files are
translated by one engine process per CPU; for a pipe, set their number with --engines. With
--output, a document keeps its layout and encoding; after an interruption, the same command resumes.
"""
_STANDARD_INPUT = Path("-")
_MIN_LINES_AHEAD = 256
_LINES_AHEAD_PER_ENGINE = 128
"""Lines translated concurrently: enough to fill the batches of all engines, in bounded memory."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `translate`."""
    parser = commands.add_parser(
        "translate",
        help="translate documents, or lines of files or standard input",
        description="Translate lines, or a document, without a server.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="files of lines, or with --output one document; - or none: lines of standard input",
    )
    add_model_arguments(parser)
    add_engines_argument(parser)
    _add_decoding(parser)
    add_heads_argument(parser)
    add_doubt_arguments(parser)
    add_document_arguments(parser)
    parser.add_argument(
        "--ray",
        action="store_true",
        help="use all machines of the Ray cluster of RAY_ADDRESS; without one, all CPUs of this "
        "machine",
    )
    parser.set_defaults(run=run)


def _add_decoding(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--beam-size",
        type=int,
        help="hypotheses kept; 1 is greedy search, the fastest [the bundle's default]",
    )
    parser.add_argument(
        "--length-penalty",
        type=float,
        help="of beam search; 0 favours short translations [the bundle's default]",
    )
    parser.add_argument(
        "--max-target-tokens", type=int, help="longest output of a sentence [the bundle's limit]"
    )
    parser.add_argument("--min-target-tokens", type=int, help="shortest output of a sentence [1]")
    parser.add_argument(
        "--max-length-factor", type=float, help="most output tokens for each source token [3]"
    )
    parser.add_argument(
        "--no-repeat-ngram-size",
        type=int,
        default=0,
        help="no n-gram of this size occurs twice; 0: no limit [0]",
    )
    parser.add_argument("--prefix", help="text that every translation must begin with")
    parser.add_argument(
        "--alternatives",
        type=int,
        default=0,
        help="further translations, on the same line after tabs [0]",
    )


def run(arguments: argparse.Namespace) -> int:
    """Translate everything; returns the exit code.

    Raises:
        StartupError: A file, a setting or a bundle cannot be used.
        ServiceError: A line cannot be translated; those before it are written.
    """
    if arguments.files == [_STANDARD_INPUT]:
        arguments.files = []
    for path in arguments.files:
        check_input(path)
    check_doubt_arguments(arguments)
    if arguments.output is not None:
        return run_document(arguments)
    check_lines(arguments)
    if arguments.ray:
        return _run_corpus(arguments)
    with open_service(arguments, size_of(arguments.files)) as (registry, translator):
        asyncio.run(_translate_all(translator, arguments, registry))
    return 0


def _run_corpus(arguments: argparse.Namespace) -> int:
    """Translate the lines of all files on a Ray cluster; returns the exit code.

    Raises:
        StartupError: A setting cannot be used, Ray is not installed, or there are no files.
        ServiceError: A line cannot be translated; those before it are written.
    """
    if not arguments.files:
        raise StartupError("give --ray files: other machines cannot read this one's standard input")
    try:
        from service.cluster.ray_data import translate_corpus
    except ModuleNotFoundError as error:
        raise StartupError(
            f"--ray needs {error.name}: in a checkout, pip install '.[ray]'"
        ) from error
    from tqdm import tqdm

    from service.cluster.corpus import CorpusWork

    files: list[Path] = [path.resolve() for path in arguments.files]
    settings = local_settings(arguments)
    work = CorpusWork(request=line_request(arguments), prefix=arguments.prefix)
    with tqdm(unit=" lines", file=sys.stderr, disable=_without_progress()) as progress:
        for lines in translate_corpus(files, settings, work):
            _write(lines)
            progress.update(lines.count(b"\n"))
    return 0


def _without_progress() -> bool | None:
    """True on a terminal that shows the lines themselves; None: as tqdm finds, on a terminal."""
    return True if sys.stdout.isatty() else None


def _write(lines: bytes) -> None:
    with naming(STANDARD_OUTPUT):
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()


def _lines_ahead(registry: "Registry") -> int:
    num_engines = max(model.scheduler.max_engines for model in registry.models)
    return max(_MIN_LINES_AHEAD, num_engines * _LINES_AHEAD_PER_ENGINE)


async def _translate_all(
    translator: "Translator", arguments: argparse.Namespace, registry: "Registry"
) -> None:
    from tqdm import tqdm

    def translate(line: bytes, number: int) -> Coroutine[None, None, _Result]:
        return _translate_line(translator, line, number, arguments)

    await translate(b"", 0)  # fails early if an option is invalid; the models are loaded then
    files: list[Path] = arguments.files
    is_known = bool(files) and all(path.is_file() for path in files)  # a pipe is read once
    total = sum(map(_num_lines, files)) if is_known else None
    with tqdm(total=total, unit=" lines", file=sys.stderr, disable=_without_progress()) as progress:
        pipeline = _Pipeline(_lines(files), translate, _lines_ahead(registry))
        async with aclosing(pipeline.results()) as results:
            async for result in results:
                _write(result.line)
                for warning in result.warnings:
                    tqdm.write(warning, file=sys.stderr)
                progress.update()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What one line of the input became."""

    line: bytes
    """With its line end."""
    warnings: tuple[str, ...] = ()


class _Pipeline:
    """Starts work for each line as it is read, and yields the results in the order of the lines."""

    def __init__(
        self,
        lines: Iterator[bytes],
        work: Callable[[bytes, int], Coroutine[None, None, _Result]],
        lines_ahead: int,
    ) -> None:
        self._lines = lines
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._running: asyncio.Queue[asyncio.Future[_Result] | None] = asyncio.Queue()
        self._window = threading.Semaphore(lines_ahead)

    async def results(self) -> AsyncGenerator[_Result, None]:
        """Yields each result as soon as it and all before it are ready."""
        # A daemon thread: reading from a terminal must block neither results nor exit.
        threading.Thread(target=self._read, daemon=True).start()
        try:
            while (result := await self._running.get()) is not None:
                yield await result
                self._window.release()
        finally:
            await self._cancel_rest()

    def _read(self) -> None:
        try:
            for number, line in enumerate(self._lines, start=1):
                self._window.acquire()
                self._loop.call_soon_threadsafe(self._start, line, number)
            self._loop.call_soon_threadsafe(self._running.put_nowait, None)
        except OSError as error:
            self._loop.call_soon_threadsafe(self._fail, error)
        except RuntimeError:  # the loop has ended with the output, which needs no more lines
            if not self._loop.is_closed():
                raise

    def _start(self, line: bytes, number: int) -> None:
        self._running.put_nowait(self._loop.create_task(self._work(line, number)))

    def _fail(self, error: OSError) -> None:
        failed: asyncio.Future[_Result] = self._loop.create_future()
        failed.set_exception(error)
        self._running.put_nowait(failed)

    async def _cancel_rest(self) -> None:
        while not self._running.empty():
            if result := self._running.get_nowait():
                result.cancel()
                await asyncio.gather(result, return_exceptions=True)


async def _translate_line(
    translator: "Translator", line: bytes, number: int, arguments: argparse.Namespace
) -> _Result:
    text = line.removesuffix(b"\n")
    try:
        request = replace(
            line_request(arguments),
            texts=(text.decode("utf-8"),),
            with_doubt=arguments.details or arguments.warn,
            with_suggestions=arguments.details,
            with_search=arguments.search,
        )
    except UnicodeDecodeError:
        raise InvalidRequestError(f"line {number} is not UTF-8") from None
    if arguments.prefix and text.strip():
        request = replace(request, prefixes=(arguments.prefix,))
    result = await translator.translate(request)
    (translation,) = result.translations
    return _Result(
        line=_written(translation, arguments) + line[len(text) :],
        warnings=tuple(warnings_of(translation, number)) if arguments.warn else (),
    )


def _written(translation: "Translation", arguments: argparse.Namespace) -> bytes:
    if arguments.details:
        return details_line(translation)
    return "\t".join((translation.text, *translation.alternatives)).encode()


def _lines(files: list[Path]) -> Iterator[bytes]:
    """Yields the lines of all files, line ends included."""
    for path in files:
        with naming(path), path.open("rb") as file:
            yield from file
    if not files:
        # Not `sys.stdin`: the interpreter locks it on exit, while a thread may be reading from it.
        with naming(STANDARD_INPUT), open(sys.stdin.fileno(), "rb", closefd=False) as file:
            yield from file


def _num_lines(path: Path) -> int:
    with naming(path), path.open("rb") as file:
        return sum(1 for _ in file)
