"""Translations in this process, with the models on this machine."""

import os
import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from pellucid.attention import Attention
from pellucid.base import AUTO, BaseTranslator, target_of
from pellucid.event_loop import EventLoopThread
from pellucid.options import CallOptions, TranslateOptions
from service.engine.ablation import canonical
from service.inspection.values import AttentionRequest, ScoredPair, ScoreRequest
from service.settings import Settings, load_settings
from service.text.detection import Detection
from service.text.markup.passage import MarkupOptions
from service.text.masking.glossary import GlossaryEntry
from service.translation.values import TranslateRequest, Translation

if TYPE_CHECKING:
    from service.translation import translator

Folder = str | os.PathLike[str]


class Translator(BaseTranslator):
    """Translates, inspects and scores in this process; safe between threads.

    >>> with Translator("en", "de") as translator:
    ...     translator.translate("Good morning.")
    ...     translator.translate(["Thank you.", "The weather is nice."])
    'Guten Morgen.'
    ['Danke.', 'Das Wetter ist schön.']

    Without `source` the language of every text is detected:

    >>> with Translator(target="en") as translator:
    ...     translator.translate("Das Wetter ist heute sehr schön.")
    'The weather is very beautiful today.'

    Threads decode, so that a process starts in a second; for a long job on several CPUs, `engines`
    processes do. Close it, or use it as a context manager, to end them.
    """

    def __init__(
        self,
        source: str | None = None,
        target: str | None = None,
        *,
        bundles: Folder | Iterable[Folder] | None = None,
        engines: int = 0,
        threads: int | None = None,
        **defaults: Unpack[TranslateOptions],
    ) -> None:
        """Verify the models, and load those that the languages need; others at their first use.

        Args:
            source: Language of the texts, such as `en`; None: detected.
            target: Language to translate to; None: every call names one.
            bundles: Bundle folders, or folders of bundle folders; None: `PELLUCID_BUNDLES`, or
                the installed models and the embedded one.
            engines: Processes that decode; 0: threads of this one do.
            threads: Threads that decode, without `engines`; None: one per CPU.
            defaults: Options of translations that name none.

        Raises:
            StartupError: A model cannot be used, or a setting; the message says what to do.
            UnsupportedLanguageError: No models translate from `source` to `target`.
            TypeError: An option does not exist.
        """
        super().__init__(source, target, defaults)
        self._models = _Models(_settings(bundles, engines, threads), source, target)
        # Also when the last reference is gone, and when the interpreter ends.
        self._end = weakref.finalize(self, self._models.close)

    def close(self) -> None:
        """End all threads and processes; calls that wait fail with `ShuttingDownError`."""
        self._end()

    def detect(self, text: str) -> list[Detection]:
        """The languages of the models that a text may be in, likeliest first."""
        return self._models.loop.run(self._models.translator.detect(text))

    def _translate(
        self, texts: tuple[str, ...], options: CallOptions, *, with_details: bool
    ) -> list[Translation]:
        request = _request(texts, options, with_details=with_details)
        result = self._models.loop.run(self._models.translator.translate(request))
        return list(result.translations)

    def _attention(self, request: AttentionRequest) -> list[Attention]:
        pairs = self._models.loop.run(self._models.translator.attention(request))
        return [Attention(pair=pair, selection=request.selection) for pair in pairs]

    def _score(self, request: ScoreRequest) -> list[ScoredPair]:
        return self._models.loop.run(self._models.translator.score(request))


class _Models:
    """Running models with the event loop that they are used from."""

    loop: EventLoopThread
    translator: "translator.Translator"

    def __init__(self, settings: Settings, source: str | None, target: str | None) -> None:
        # Here, because it takes a second: `import pellucid` is fast.
        from service.server.in_process import load_languages, running_models

        with ExitStack() as stack:
            registry, self.translator = stack.enter_context(running_models(settings))
            self.loop = EventLoopThread()
            stack.callback(self.loop.close)
            if target is not None:
                self.loop.run(load_languages(registry, source or AUTO, target))
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End the event loop, then the models; those of a fork are the other process's."""
        if not self.loop.is_elsewhere:
            self._stack.close()


def _settings(
    bundles: Folder | Iterable[Folder] | None, engines: int, threads: int | None
) -> Settings:
    given: dict[str, object] = {"engines": engines}
    if threads is not None:
        given["workers"] = threads
    if bundles is not None:
        folders = [bundles] if isinstance(bundles, str | os.PathLike) else bundles
        given["bundles"] = tuple(Path(folder) for folder in folders)
    return load_settings(given).for_one_program()


def _request(
    texts: tuple[str, ...], options: CallOptions, *, with_details: bool
) -> TranslateRequest:
    glossary = options.get("glossary", {})
    return TranslateRequest(
        texts=texts,
        source=options.get("source", AUTO),
        target=target_of(options),
        markup=MarkupOptions() if options.get("html") else None,
        unwrap=options.get("unwrap", False),
        glossary=tuple(GlossaryEntry(source=s, target=t) for s, t in glossary.items()),
        with_alignment=options.get("alignment", False),
        beam_size=options.get("beam_size"),
        length_penalty=options.get("length_penalty"),
        max_target_tokens=options.get("max_target_tokens"),
        num_alternatives=options.get("alternatives", 0),
        with_search=with_details and options.get("search", False),
        without_heads=canonical(options.get("without_heads", ())),
        with_scores=with_details,
        with_doubt=with_details,
        with_suggestions=with_details,
        timeout_s=options.get("timeout_s"),
        is_bounded=False,
    )
