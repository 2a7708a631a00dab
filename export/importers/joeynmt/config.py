"""Reads JoeyNMT's `config.yaml`, as far as an import needs it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export.errors import ExportError
from export.importers.files.text_file import read_text
from export.importers.files.yaml_text import parse_yaml
from export.importers.networks.activations import known_activation

NAME = "config.yaml"
_DEEP = "xavier_normal"
"""The initialisation that implies the residuals of DeepNet (Wang et al. 2022)."""
_Positive = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Embeddings(_Section):
    """Embeddings of one side."""

    embedding_dim: _Positive = 64
    scale: bool = False
    """Multiply by the square root of the width."""


class Stack(_Section):
    """Encoder or decoder, with JoeyNMT's defaults."""

    type: str = "transformer"
    num_layers: _Positive = 4
    num_heads: _Positive = 8
    hidden_size: _Positive = 512
    ff_size: _Positive = 2048
    layer_norm: Literal["pre", "post"] | None = None
    """None: the default of the version of JoeyNMT."""
    activation: str = "relu"
    alpha: Annotated[float, Field(gt=0)] = 1.0
    """Factor of a sub-layer's input in the residual."""
    embeddings: Embeddings = Embeddings()


class Encoder(Stack):
    """The encoder, with its own defaults."""

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
        """Factor of each sub-layer's input before its output is added, by stack."""
        encoder, decoder = self.encoder.num_layers, self.decoder.num_layers
        if self.initializer != _DEEP:
            return {"encoder": self.encoder.alpha, "decoder": self.decoder.alpha}
        return {
            "encoder": 0.81 * (encoder**4 * decoder) ** (1 / 16),
            "decoder": (3 * decoder) ** (1 / 4),
        }


class Subwords(_Section):
    """Tokenizer of the level `bpe`."""

    model_file: str | None = None
    pretokenizer: str = "none"


class Text(_Section):
    """Tokenisation of one side."""

    lang: str | None = None
    level: str
    lowercase: bool = False
    normalize: bool = False
    voc_file: str | None = None
    tokenizer_type: str | None = None
    bpe_type: str | None = None
    """The name of `tokenizer_type` in version 2.0."""
    tokenizer_cfg: Subwords = Subwords()


class Specials(_Section):
    """Special pieces, and their ids in both vocabularies."""

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
        """Ids by piece."""
        return {
            self.unk_token: self.unk_id,
            self.pad_token: self.pad_id,
            self.bos_token: self.bos_id,
            self.eos_token: self.eos_id,
        }


class Data(_Section):
    """Texts of both sides."""

    src: Text
    trg: Text
    special_symbols: Specials = Specials()


class Config(_Section):
    """The configuration, as far as an import needs it."""

    model: Model
    data: Data


def read_config(path: Path) -> tuple[Config, str]:
    """A configuration, and its text.

    Raises:
        ExportError: It cannot be read, or the graphs do not support it; with every reason.
    """
    text = read_text(path)
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
    """The section `data` with a section for each side, which exists since version 2."""
    if not isinstance(data, Mapping) or not isinstance(data.get("src"), str):
        return data
    common = {name: data[name] for name in ("level", "lowercase") if name in data}
    # Version 1 has no subwords of its own: the texts hold them.
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
