"""A translator in this process, for commands that work without a server."""

import argparse
import asyncio
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.heads import heads_of
from service.settings import Settings, flag_of, load_settings

if TYPE_CHECKING:
    from service.models.registry import Registry
    from service.translation.translator import Translator
    from service.translation.values import TranslateRequest

_SETTINGS = {
    "bundles": "bundle folders, or folders of bundle folders, separated by ':'",
    "workers": "threads that decode, per bundle; by default one per CPU",
}
DETECTED = "auto"
"""Source language that is detected from the text."""
LARGE_BYTES = 65_536
"""From here on, starting engine processes takes less time than they save."""


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for languages and models."""
    parser.add_argument(
        "--source",
        default=DETECTED,
        metavar="LANGUAGE",
        help="language of the text, such as en; auto detects it, once for a document [auto]",
    )
    parser.add_argument(
        "--target",
        required=True,
        metavar="LANGUAGE",
        help="language to translate to, such as de",
    )
    for name, text in _SETTINGS.items():
        parser.add_argument(flag_of(name), default=None, help=text)


def add_engines_argument(parser: argparse.ArgumentParser) -> None:
    """The flag of commands whose work may be much."""
    parser.add_argument(
        "--engines",
        help="processes that decode; 0: threads of this one. By default one per CPU for at least "
        f"{LARGE_BYTES // 1024} KiB of files, as arguments or redirected; otherwise 0",
    )


def local_settings(arguments: argparse.Namespace, num_bytes: int = 0) -> Settings:
    """Settings from these flags and the environment.

    Args:
        arguments: Parsed flags.
        num_bytes: Size of the work, which decides whether engine processes are worth their start.

    Raises:
        StartupError: A setting cannot be used.
    """
    names = (*_SETTINGS, "engines")
    given = {name: getattr(arguments, name, None) for name in names}
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    settings = settings.for_one_program()
    return settings if num_bytes >= LARGE_BYTES else settings.with_threads()


def size_of(files: Sequence[Path]) -> int:
    """Bytes of the files, or without files of standard input; 0 for a pipe."""
    if files:
        return sum(path.stat().st_size for path in files)
    status = os.fstat(sys.stdin.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


@contextmanager
def open_translator(arguments: argparse.Namespace) -> Iterator["Translator"]:
    """A running translator, closed on exit.

    Raises:
        StartupError: A setting or a bundle cannot be used.
    """
    with open_service(arguments) as (_, translator):
        yield translator


@contextmanager
def open_service(
    arguments: argparse.Namespace, num_bytes: int = 0
) -> Iterator[tuple["Registry", "Translator"]]:
    """Running models and their translator, closed on exit.

    Args:
        arguments: Parsed flags.
        num_bytes: Size of the work, as for `local_settings`.

    Raises:
        StartupError: A setting or a bundle cannot be used.
        UnsupportedLanguageError: No bundles translate from `--source` to `--target`.
    """
    from service.server.in_process import load_languages, running_models

    with running_models(local_settings(arguments, num_bytes)) as running:
        registry, _ = running
        asyncio.run(load_languages(registry, arguments.source, arguments.target))
        yield running


def line_request(arguments: argparse.Namespace) -> "TranslateRequest":
    """The request of these flags, without texts and prefixes."""
    from service.translation.values import TranslateRequest

    return TranslateRequest(
        texts=(),
        source=arguments.source,
        target=arguments.target,
        beam_size=arguments.beam_size,
        length_penalty=arguments.length_penalty,
        max_target_tokens=arguments.max_target_tokens,
        min_target_tokens=arguments.min_target_tokens,
        max_length_factor=arguments.max_length_factor,
        no_repeat_ngram_size=arguments.no_repeat_ngram_size,
        num_alternatives=max(arguments.alternatives, 0),
        without_heads=heads_of(arguments),
        is_bounded=False,
    )
