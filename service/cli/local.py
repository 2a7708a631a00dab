"""A translator in this process, for commands that work without a server."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.settings import Settings, flag_of, load_settings

if TYPE_CHECKING:
    from service.models.registry import Registry
    from service.translation.translator import Translator
    from service.translation.values import TranslateRequest

_SETTINGS = {
    "bundles": "bundle folders, or folders of bundle folders, separated by ':'",
    "workers": "worker threads per bundle; by default one per CPU",
}


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for languages and models."""
    parser.add_argument("--source", required=True, help="language of the text, such as en")
    parser.add_argument("--target", required=True, help="language to translate to, such as de")
    for name, text in _SETTINGS.items():
        parser.add_argument(flag_of(name), default=None, help=text)


def local_settings(arguments: argparse.Namespace) -> Settings:
    """Settings from these flags and the environment.

    Raises:
        StartupError: A setting cannot be used.
    """
    given = {name: getattr(arguments, name) for name in _SETTINGS}
    return load_settings({name: value for name, value in given.items() if value is not None})


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
    arguments: argparse.Namespace,
) -> Iterator[tuple["Registry", "Translator"]]:
    """Running models and their translator, closed on exit.

    Raises:
        StartupError: A setting or a bundle cannot be used.
    """
    from service.observability.metrics import Metrics
    from service.server.app import create_translator, open_registry

    settings = local_settings(arguments)
    metrics = Metrics()
    registry = open_registry(settings, metrics)
    translator = create_translator(settings, registry, metrics)
    try:
        registry.start()
        yield registry, translator
    finally:
        translator.close()
        registry.close()


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
    )
