"""What JoeyNMT's `config.yaml` says of a model and of its texts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export.errors import ExportError
from export.importers.activations import known_activation
from export.importers.yaml_files import parse_yaml

NAME = "config.yaml"
_DEEP = "xavier_normal"
"""The initialisation that brings the residuals of DeepNet with it (Wang et al. 2022)."""
_Positive = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Embeddings(_Section):
    """Of one side."""

    embedding_dim: _Positive = 64
    scale: bool = False
    """Times the root of the width."""


class Stack(_Section):
    """Encoder or decoder; defaults are JoeyNMT's."""

    type: str = "transformer"
    num_layers: _Positive = 4
    num_heads: _Positive = 8
    hidden_size: _Positive = 512
    ff_size: _Positive = 2048
    layer_norm: Literal["pre", "post"] | None = None
    """None: whatever the version of JoeyNMT took it for."""
    activation: str = "relu"
    alpha: Annotated[float, Field(gt=0)] = 1.0
    """What the input of a sub-layer counts for beside its output."""
    embeddings: Embeddings = Embeddings()


class Encoder(Stack):
    """Its own defaults."""

    type: str = "recurrent"
    num_layers: _Positive = 8
    num_heads: _Positive = 4


class Model(_Section):
    """The network."""

    initializer: str = ""
    tied_embeddings: bool = False
    tied_softmax: bool = False
    encoder: Encoder
    decoder: Stack

    def residual_factors(self) -> dict[str, float]:
        """What the input of each sub-layer is multiplied with before its output is added."""
        encoder, decoder = self.encoder.num_layers, self.decoder.num_layers
        if self.initializer != _DEEP:
            return {"encoder": self.encoder.alpha, "decoder": self.decoder.alpha}
        return {
            "encoder": 0.81 * (encoder**4 * decoder) ** (1 / 16),
            "decoder": (3 * decoder) ** (1 / 4),
        }


class Cutter(_Section):
    """What is behind the level `bpe`."""

    model_file: str | None = None
    pretokenizer: str = "none"


class Text(_Section):
    """How texts of one side become tokens."""

    lang: str | None = None
    level: str
    lowercase: bool = False
    normalize: bool = False
    voc_file: str | None = None
    tokenizer_type: str | None = None
    bpe_type: str | None = None
    """Its name in version 2.0."""
    tokenizer_cfg: Cutter = Cutter()


class Specials(_Section):
    """Pieces that are no text, and their ids in both vocabularies."""

    unk_token: str = "<unk>"
    pad_token: str = "<pad>"
    bos_token: str = "<s>"
    eos_token: str = "</s>"
    unk_id: int = 0
    pad_id: int = 1
    bos_id: int = 2
    eos_id: int = 3
    sep_token: str | None = None
    lang_tags: tuple[str, ...] = ()

    def ids(self) -> dict[str, int]:
        """By piece."""
        return {
            self.unk_token: self.unk_id,
            self.pad_token: self.pad_id,
            self.bos_token: self.bos_id,
            self.eos_token: self.eos_id,
        }


class Data(_Section):
    """Both sides' texts."""

    src: Text
    trg: Text
    special_symbols: Specials = Specials()


class Config(_Section):
    """As far as an import asks."""

    model: Model
    data: Data


def read_config(path: Path) -> tuple[Config, str]:
    """A configuration, and its text.

    Raises:
        ExportError: It cannot be read, or there are no graphs for what it says; with all reasons.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    content = parse_yaml(text, str(path))
    if not isinstance(content, Mapping):
        raise ExportError(f"{path} holds no sections")
    try:
        config = Config.model_validate({**content, "data": _data(content.get("data"))})
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ExportError(f"{path}: {'; '.join(wrong)}") from error
    faults = [*_network_faults(config.model), *_text_faults(config.data)]
    if faults:
        raise ExportError(f"{path} is not supported: {'; '.join(faults)}")
    return config, text


def _data(data: Any) -> Any:  # noqa: ANN401
    """With a section for each side, as there is since version 2."""
    if not isinstance(data, Mapping) or not isinstance(data.get("src"), str):
        return data
    common = {name: data[name] for name in ("level", "lowercase") if name in data}
    # Cutting words was not its business then: whoever had pieces wrote them into the text.
    sides = {
        side: {**common, "lang": data[side], "voc_file": data.get(f"{side}_vocab")}
        for side in ("src", "trg")
        if side in data
    }
    return {**data, **sides}


def _network_faults(model: Model) -> Iterator[str]:
    encoder, decoder = model.encoder, model.decoder
    for name, stack in (("encoder", encoder), ("decoder", decoder)):
        if stack.type != "transformer":
            yield f"the {name} is {stack.type}, not a transformer"
        try:
            known_activation(stack.activation)
        except ExportError as error:
            yield str(error)
        if stack.hidden_size % stack.num_heads:
            yield f"{name}: {stack.hidden_size} wide is no multiple of {stack.num_heads} heads"
        if stack.embeddings.embedding_dim != stack.hidden_size:
            yield f"{name}: embedding_dim is not hidden_size"
    for option in ("num_heads", "hidden_size", "ff_size", "activation", "layer_norm"):
        if getattr(encoder, option) != getattr(decoder, option):
            yield f"encoder and decoder differ in {option}"


def _text_faults(data: Data) -> Iterator[str]:
    specials = data.special_symbols
    if specials.sep_token is not None or specials.lang_tags:
        yield "special_symbols has sep_token or lang_tags: prompts are not supported"
    for side, text in (("src", data.src), ("trg", data.trg)):
        where = f"data.{side}"
        if text.level not in ("bpe", "char", "word"):
            yield f"{where}.level is {text.level!r}"
        kind = text.tokenizer_type or text.bpe_type or "sentencepiece"
        is_cut = kind == "sentencepiece" and text.tokenizer_cfg.model_file is not None
        if text.level == "bpe" and not is_cut:
            yield f"{where}: only pieces of SentencePiece with a model_file are supported"
        if text.tokenizer_cfg.pretokenizer != "none":
            yield f"{where}: a text would have to be cut by {text.tokenizer_cfg.pretokenizer} first"
        if text.normalize:
            yield f"{where}.normalize changes texts outside the model"
