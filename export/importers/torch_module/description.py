"""The description of a state dict of torch: `model.toml` beside it."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export.errors import ExportError

NAME = "model.toml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Tensors(_Part):
    """Names of tensors and modules in the state dict."""

    transformer: str = "transformer"
    """Name of the `nn.Transformer` of both stacks; empty: they are at the top."""
    source_embedding: str
    target_embedding: str
    """Equal to the source's where the sides share vocabulary and embedding."""
    generator: str | None = None
    """Linear layer behind the decoder; None: the target's embedding, without a bias."""
    source_positions: str | None = None
    """Table of positions; None: the paper's sinusoids, sines and cosines in turns."""
    target_positions: str | None = None


class Vocabulary(_Part):
    """Tokenisation of one side."""

    cut: Literal["characters", "words", "sentencepiece"]
    """Tokens of a text; words are separated by white space."""
    pieces: Annotated[tuple[str, ...], Field(strict=False)] | str | None = None
    """Pieces by id, or a file with one a line; None: those of the SentencePiece model."""
    model: str | None = None
    """File of the SentencePiece model."""
    lower_case: bool = False
    replace: dict[str, str] = {}
    """Letters that are replaced before a text is tokenised."""


class Specials(_Part):
    """Special pieces, which both vocabularies have."""

    unknown: str = "<unk>"
    padding: str = "<pad>"
    start: str = "<bos>"
    """The decoder's first input."""
    end: str = "<eos>"
    source_has_start: bool = True
    source_has_end: bool = True


class Description(_Part):
    """Description of a state dict."""

    weights: str
    """File of `torch.save` or safetensors."""
    state: str | None = None
    """Key of the state dict in the saved dictionary; None: it is the state dict itself."""
    num_heads: Annotated[int, Field(gt=0)]
    activation: str = "relu"
    norm_first: bool = False
    layer_norm_eps: Annotated[float, Field(gt=0)] = 1e-5
    embedding_scale: Literal["sqrt"] | float = "sqrt"
    """Factor of the embeddings; `sqrt`: the square root of their width."""
    tensors: Tensors
    specials: Specials = Specials()
    source: Vocabulary
    target: Vocabulary | None = None
    """None: the source's."""


def read_description(path: Path) -> tuple[Description, str]:
    """A description, and its text.

    Raises:
        ExportError: It cannot be read; with every wrong field.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return Description.model_validate(tomllib.loads(text)), text
    except OSError as error:
        raise ExportError(
            f"{path}: {error.strerror}; a state dict needs a description beside it"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ExportError(f"{path}: {'; '.join(faults)}") from error
