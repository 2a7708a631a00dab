"""Parameters of requests, field by field: the source of /openapi.json."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from service.engine.inspection import AttentionKind
from service.engine.search.options import MAX_BEAM_SIZE
from service.inspection.values import Method
from service.text.masking.glossary import Glossary, GlossaryEntry, GlossaryError

MAX_LENGTH_PENALTY = 10.0
"""Far beyond useful values; a larger power would overflow."""
MAX_LENGTH_FACTOR = 1000.0
"""Far beyond useful values."""
MAX_LIST_ITEMS = 10_000
"""Of a list of texts or pairs, whatever the settings say."""
MAX_INDICES = 100
"""More layers or heads than a network has."""
MAX_GLOSSARY_ENTRIES = 1000
"""Every sentence is searched for each of them."""


def _text_or_texts(value: object) -> object:
    texts = value if isinstance(value, list) else [value]
    if len(texts) > MAX_LIST_ITEMS:
        raise PydanticCustomError(
            "too_long", "a list may have {limit} texts", {"limit": MAX_LIST_ITEMS}
        )
    for text in texts:
        if not isinstance(text, str):
            raise PydanticCustomError("texts", "Input should be a text or a list of texts")
        if "\0" in text:
            raise PydanticCustomError("nul", "a text may not contain a NUL character")
    return value


def _known_format(value: str) -> str:
    if value not in ("text", "html"):
        raise PydanticCustomError("format", "{value} format is not supported", {"value": value})
    return value


def _plain(value: str) -> str:
    if value != "text":
        raise PydanticCustomError(
            "format",
            "{value} format cannot be inspected, because tags never reach the model: "
            "send the text without them",
            {"value": value},
        )
    return value


def _consistent(entries: "list[GlossaryTerm]") -> "list[GlossaryTerm]":
    try:
        Glossary([GlossaryEntry(source=e.source, target=e.target) for e in entries])
    except GlossaryError as error:
        raise PydanticCustomError("glossary", "{error}", {"error": str(error)}) from None
    return entries


def _options_of_flag(value: object) -> object:
    """`true` stands for the default options, `false` for None."""
    if isinstance(value, str):
        value = {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    if isinstance(value, bool):
        return {} if value else None
    return value


# Empty values count as absent and never get here; `min_length` is for readers of the schema.
Texts = Annotated[
    Annotated[str, Field(min_length=1)]
    | Annotated[list[str], Field(min_length=1, max_length=MAX_LIST_ITEMS, fail_fast=True)],
    BeforeValidator(_text_or_texts),
]
Text = Annotated[str, Field(min_length=1), BeforeValidator(_text_or_texts)]
TextList = Annotated[
    list[str],
    Field(min_length=1, max_length=MAX_LIST_ITEMS, fail_fast=True),
    BeforeValidator(_text_or_texts),
]
Prefixes = Annotated[
    str | Annotated[list[str], Field(max_length=MAX_LIST_ITEMS, fail_fast=True)],
    BeforeValidator(_text_or_texts),
]
HeadIndices = tuple[AttentionKind, NonNegativeInt, NonNegativeInt]
HeadList = Annotated[list[HeadIndices], Field(max_length=MAX_INDICES, fail_fast=True)]
Indices = Annotated[list[int], Field(max_length=MAX_INDICES, fail_fast=True)]
StoredGlossaryName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LanguageCode = Annotated[str, StringConstraints(to_lower=True, min_length=1, max_length=35)]
BeamSize = Annotated[int, Field(ge=1, le=MAX_BEAM_SIZE)]
LengthFactor = Annotated[float, Field(gt=0, le=MAX_LENGTH_FACTOR, allow_inf_nan=False)]
LengthPenalty = Annotated[float, Field(ge=0, le=MAX_LENGTH_PENALTY, allow_inf_nan=False)]


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class AttentionOptions(_Parameters):
    """Which attention maps are wanted."""

    kinds: Annotated[list[AttentionKind], Field(max_length=MAX_INDICES, fail_fast=True)] = ["cross"]
    """Any of `encoder`, `decoder`, `cross`."""
    layers: Indices | None = None
    """Indices from 0; all if absent."""
    heads: Indices | None = None
    """Indices from 0; all if absent."""
    reduce: Literal["none", "heads", "all"] = "none"
    """Mean over nothing, over heads, or over heads and layers."""
    words: bool = False
    """Between words, not between the model's pieces."""
    method: Method = "attention"
    """`attention`; or, instead of maps, what each token comes from: `rollout` (of attention),
    `value_zeroing`, `alti` or `occlusion`."""
    states: bool = False
    """With queries, keys, values, activations and residual norms of the encoder, of `layers` and
    `heads`."""


class GlossaryTerm(_Parameters):
    """A term and what it has to become."""

    source: str
    target: str


class DetectParameters(_Parameters):
    """What `POST /detect` takes. Unknown parameters are ignored."""

    q: Annotated[str, Field(min_length=1)]
    """A text."""
    api_key: Any = ""
    """A key, where the server asks for one; also as `Authorization: Bearer KEY`."""


class _TextParameters(_Parameters):
    q: Texts
    """A text, or (in JSON) a list of texts."""
    source: LanguageCode = "auto"
    """Language of the text; `auto`, or nothing: it is detected. Case does not matter."""
    target: LanguageCode
    """Language to translate to; case does not matter."""
    api_key: Any = ""
    """A key, where the server asks for one; also as `Authorization: Bearer KEY`."""
    deadline_ms: PositiveInt | None = None
    """Give up after this time with 504; the server's own limit is the most it grants."""

    @property
    def texts(self) -> tuple[str, ...]:
        """`q` as a list of texts."""
        return (self.q,) if isinstance(self.q, str) else tuple(self.q)

    @property
    def num_chars(self) -> int:
        """Characters of all texts."""
        return sum(map(len, self.texts))


class TranslateParameters(_TextParameters):
    """What `POST /translate` takes. Unknown parameters are ignored."""

    format: Annotated[str, AfterValidator(_known_format)] = "text"
    """`text` or `html`."""
    alternatives: Annotated[int, AfterValidator(lambda count: max(count, 0))] = 0
    """How many further translations to return; a negative number counts as 0."""
    unwrap: bool = False
    """Line breaks within a paragraph are only where the line was full, as in e-mail."""
    glossary: Annotated[
        list[GlossaryTerm],
        Field(max_length=MAX_GLOSSARY_ENTRIES, fail_fast=True),
        AfterValidator(_consistent),
        BeforeValidator(
            lambda terms: terms, json_schema_input_type=list[GlossaryTerm] | StoredGlossaryName
        ),
    ] = []
    """Terms and what they have to become (JSON only), or the name or id of a stored glossary."""
    glossary_name: SkipJsonSchema[StoredGlossaryName | None] = None
    """Of a stored glossary, if `glossary` was a string."""
    beam_size: BeamSize | None = None
    """Hypotheses that are kept alive; 1 is greedy search. The bundle's default if absent."""
    length_penalty: LengthPenalty | None = None
    """Alpha of Wu et al. (2016). The bundle's default if absent."""
    max_target_tokens: PositiveInt | None = None
    """Longest output of a sentence in tokens. The bundle's limit if absent."""
    max_length_factor: LengthFactor | None = None
    """Most output tokens for each source token, beside a few to spare. 3 if absent."""
    min_target_tokens: NonNegativeInt | None = None
    """Shortest output of a sentence in tokens. 1 if absent."""
    no_repeat_ngram_size: NonNegativeInt = 0
    """No sequence of so many tokens occurs twice in a sentence; 0: they may."""
    prefix: Prefixes | None = None
    """What the translation must begin with; a list beside a list `q`. With `alternatives`, they
    differ in what comes right after it."""
    details: bool = False
    """Adds `details`: each sentence with its confidence, doubtful words, checks, offsets, tokens,
    scores and how it ended."""
    alignment: bool = False
    """Adds `details` with the words of the source that each word of the translation came from."""
    stream: bool = False
    """Answer with `text/event-stream`: a few sentences at a time, when they are finished, in order;
    without `prefix`, `alternatives`, `attention` and `search`."""
    attention: Annotated[
        AttentionOptions | None,
        BeforeValidator(_options_of_flag, json_schema_input_type=bool | AttentionOptions),
    ] = None
    """Adds `details` with attention maps."""
    search: bool = False
    """Adds `details` with the search of each sentence: the candidates of every step, what became of
    them, and why it stopped."""
    without_heads: HeadList = []
    """Attention heads that the model does without, `[kind, layer, head]` each; JSON only, and
    without `stream`."""

    @property
    def prefixes(self) -> tuple[str, ...] | None:
        """`prefix` as a list."""
        return _as_tuple(self.prefix)

    @property
    def with_details(self) -> bool:
        """Whether anything was asked for that is said of single sentences."""
        return self.details or self.alignment or self.search or self.attention is not None

    @model_validator(mode="before")
    @classmethod
    def _with_glossary_name(cls, given: object) -> object:
        if isinstance(given, dict) and isinstance(named := given.get("glossary"), str):
            return {**given, "glossary": [], "glossary_name": named}
        return given

    @model_validator(mode="after")
    def _streams_only_sentences(self) -> Self:
        if self.stream and (self.alternatives or self.attention is not None or self.search):
            raise PydanticCustomError(
                "stream",
                "stream comes without alternatives, attention and search: leave one of them out",
            )
        if self.stream and self.without_heads:
            raise PydanticCustomError("stream", "stream comes without without_heads")
        return self


class AttentionParameters(_TextParameters, AttentionOptions):
    """What `POST /attention` takes. Unknown parameters are ignored."""

    format: Annotated[str, AfterValidator(_plain)] = "text"
    """`text`; markup is refused, because the model never sees it."""
    translation: Texts | None = None
    """Inspect this translation instead of ours; a list beside a list `q`."""
    contrast: Texts | None = None
    """Another translation to compare with, token by token; a list beside a list `q`. Each text is
    then one sentence, and the reply JSON or npz."""
    without_heads: HeadList = []
    """Attention heads that the model does without, `[kind, layer, head]` each."""

    @property
    def contrasts(self) -> tuple[str, ...] | None:
        """`contrast` as a list."""
        return _as_tuple(self.contrast)

    @property
    def translations(self) -> tuple[str, ...] | None:
        """`translation` as a list."""
        return _as_tuple(self.translation)


class ScoredTexts(_Parameters):
    """A text and a translation of it."""

    source_text: str
    target_text: str


class ScoreParameters(_Parameters):
    """What `POST /score` takes. Unknown parameters are ignored."""

    pairs: Annotated[
        list[ScoredTexts], Field(min_length=1, max_length=MAX_LIST_ITEMS, fail_fast=True)
    ]
    """Texts with their translations, `{source_text, target_text}` each."""
    source: LanguageCode
    """Language of the texts; case does not matter."""
    target: LanguageCode
    """Language of the translations; case does not matter."""
    without_heads: HeadList = []
    """Attention heads that the model does without, `[kind, layer, head]` each."""
    api_key: Any = ""
    """A key, where the server asks for one; also as `Authorization: Bearer KEY`."""
    deadline_ms: PositiveInt | None = None
    """Give up after this time with 504; the server's own limit is the most it grants."""


class CompareParameters(_Parameters):
    """What `POST /compare` takes. Unknown parameters are ignored."""

    first: Text
    """A text."""
    second: Text
    """Another one, such as its translation with one word of the source changed."""
    api_key: Any = ""
    """A key, where the server asks for one; also as `Authorization: Bearer KEY`."""


def _as_tuple(value: str | list[str] | None) -> tuple[str, ...] | None:
    return (value,) if isinstance(value, str) else None if value is None else tuple(value)
