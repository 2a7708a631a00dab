"""The methods that `Translator` and `Client` share: one text or several, plain or with details."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self, TypeVar, Unpack, cast, overload

from pellucid.attention import Attention
from pellucid.options import CallOptions, HeadIndices, TranslateOptions, check_options
from service.engine.ablation import canonical
from service.errors import InvalidRequestError
from service.inspection.values import AttentionRequest, AttentionSelection, ScoredPair, ScoreRequest
from service.text.detection import Detection
from service.translation.values import Translation

AUTO = "auto"
_Item = TypeVar("_Item")
Texts = list[str] | tuple[str, ...]
"""Several texts. A text alone is a sequence of texts, too, so the type names the classes."""


class BaseTranslator(ABC):
    """Translates, inspects and scores; safe between threads; a context manager."""

    def __init__(
        self, source: str | None, target: str | None, defaults: TranslateOptions | None = None
    ) -> None:
        """Keep the languages and options of calls that name none.

        Args:
            source: Language of the texts; None: detected.
            target: Language to translate to.
            defaults: Other options.

        Raises:
            TypeError: An option does not exist.
            InvalidRequestError: A number is none, or out of its range.
        """
        self._defaults = cast("CallOptions", dict(defaults or {}))
        check_options(self._defaults)
        if source is not None:
            self._defaults["source"] = source
        if target is not None:
            self._defaults["target"] = target

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End it; calls that wait fail with `ShuttingDownError`. May be called again."""

    @overload
    def translate(
        self,
        text: str,
        *,
        details: Literal[False] = False,
        **options: Unpack[CallOptions],
    ) -> str: ...

    @overload
    def translate(
        self, text: str, *, details: Literal[True], **options: Unpack[CallOptions]
    ) -> Translation: ...

    @overload
    def translate(
        self,
        text: Texts,
        *,
        details: Literal[False] = False,
        **options: Unpack[CallOptions],
    ) -> list[str]: ...

    @overload
    def translate(
        self, text: Texts, *, details: Literal[True], **options: Unpack[CallOptions]
    ) -> list[Translation]: ...

    def translate(
        self, text: str | Texts, *, details: bool = False, **options: Unpack[CallOptions]
    ) -> str | Translation | list[str] | list[Translation]:
        """Translate a text, or each text of a list.

        Args:
            text: A text of any length, or several.
            details: Whether to return everything that is known of the translation, not its text
                alone: sentences with offsets, tokens and scores, alternatives, detected language.
            options: See `CallOptions`.

        Raises:
            ServiceError: It cannot be translated; see `service.errors`.
        """
        check_options(options)
        merged: CallOptions = {**self._defaults, **options}
        translations = self._translate(_as_tuple(text), merged, with_details=details)
        if isinstance(text, str):
            return translations[0] if details else translations[0].text
        return translations if details else [translation.text for translation in translations]

    @overload
    def attention(
        self,
        text: str,
        translation: str | None = None,
        *,
        contrast: str | None = None,
        selection: AttentionSelection = ...,
        without_heads: Sequence[HeadIndices] = (),
        source: str | None = None,
        target: str | None = None,
    ) -> Attention: ...

    @overload
    def attention(
        self,
        text: Texts,
        translation: Texts | None = None,
        *,
        contrast: Texts | None = None,
        selection: AttentionSelection = ...,
        without_heads: Sequence[HeadIndices] = (),
        source: str | None = None,
        target: str | None = None,
    ) -> list[Attention]: ...

    def attention(
        self,
        text: str | Texts,
        translation: str | Texts | None = None,
        *,
        contrast: str | Texts | None = None,
        selection: AttentionSelection = AttentionSelection(),  # noqa: B008 - frozen
        without_heads: Sequence[HeadIndices] = (),
        source: str | None = None,
        target: str | None = None,
    ) -> Attention | list[Attention]:
        """Which tokens the model looked at, for a text or for each of a list.

        Args:
            text: A text, or several.
            translation: Inspected instead of the model's own, one for each text.
            contrast: Another translation of each text, to be compared with; then each text is one
                sentence.
            selection: Which maps; by default those of cross-attention, of all layers and heads.
            without_heads: Heads that the model does without, each (kind, layer, head).
            source: Language of the text; None: as given at construction. Not detected.
            target: Language of the translation; None: as given at construction.

        Raises:
            ServiceError: It cannot be inspected; see `service.errors`.
        """
        request = AttentionRequest(
            texts=_as_tuple(text),
            source=self._named("source", source),
            target=self._named("target", target),
            translations=None if translation is None else _as_tuple(translation),
            contrasts=None if contrast is None else _as_tuple(contrast),
            selection=selection,
            without_heads=canonical(without_heads),
        )
        found = self._attention(request) if request.texts else []
        return _like(text, found)

    @overload
    def score(
        self,
        text: str,
        translation: str,
        *,
        without_heads: Sequence[HeadIndices] = (),
        source: str | None = None,
        target: str | None = None,
    ) -> ScoredPair: ...

    @overload
    def score(
        self,
        text: Texts,
        translation: Texts,
        *,
        without_heads: Sequence[HeadIndices] = (),
        source: str | None = None,
        target: str | None = None,
    ) -> list[ScoredPair]: ...

    def score(
        self,
        text: str | Texts,
        translation: str | Texts,
        *,
        without_heads: Sequence[HeadIndices] = (),
        source: str | None = None,
        target: str | None = None,
    ) -> ScoredPair | list[ScoredPair]:
        """How likely a translation is: log-probabilities of its tokens, and their sum.

        Args:
            text: A text, or several.
            translation: One for each text.
            without_heads: Heads that the model does without, each (kind, layer, head).
            source: Language of the text; None: as given at construction. Not detected.
            target: Language of the translation; None: as given at construction.

        Raises:
            ServiceError: It cannot be scored; see `service.errors`.
        """
        texts, translations = _as_tuple(text), _as_tuple(translation)
        if len(texts) != len(translations):
            raise InvalidRequestError(
                f"{len(texts)} texts, but {len(translations)} translations: give one for each"
            )
        request = ScoreRequest(
            pairs=tuple(zip(texts, translations, strict=True)),
            source=self._named("source", source),
            target=self._named("target", target),
            without_heads=canonical(without_heads),
        )
        return _like(text, self._score(request) if request.pairs else [])

    @abstractmethod
    def detect(self, text: str) -> list[Detection]:
        """The languages that a text may be in, likeliest first; only those that are served."""

    @abstractmethod
    def _translate(
        self, texts: tuple[str, ...], options: CallOptions, *, with_details: bool
    ) -> list[Translation]:
        """One translation for each text."""

    @abstractmethod
    def _attention(self, request: AttentionRequest) -> list[Attention]:
        """The maps of each text, at least one."""

    @abstractmethod
    def _score(self, request: ScoreRequest) -> list[ScoredPair]:
        """The scores of each pair, at least one."""

    def _named(self, side: Literal["source", "target"], given: str | None) -> str:
        language = given or self._defaults.get(side)
        if language is None or language.lower() == AUTO:
            raise InvalidRequestError(f"the {side} language is missing: name it, {side}='en'")
        return language


def target_of(options: CallOptions) -> str:
    """The language to translate to.

    Raises:
        InvalidRequestError: There is none.
    """
    if target := options.get("target"):
        return target
    raise InvalidRequestError("the target language is missing: name it, target='de'")


def _as_tuple(text: str | Sequence[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _like(text: str | Texts, found: list[_Item]) -> _Item | list[_Item]:
    """A single result for a single text."""
    return found[0] if isinstance(text, str) else found
