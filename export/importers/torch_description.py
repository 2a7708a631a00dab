"""What a state dict of torch does not say itself: a TOML file beside it."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export.errors import ExportError

NAME = "model.toml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Tensors(_Part):
    """Names in the state dict."""

    transformer: str = "transformer"
    """The `nn.Transformer`, which both stacks are in; empty: they are at the top."""
    source_embedding: str
    target_embedding: str
    """The same name as the source's: the sides share vocabulary and embedding."""
    generator: str | None = None
    """The linear layer behind the decoder. None: the target's embedding, without a bias."""
    source_positions: str | None = None
    """A table, learnt or kept; None: sinusoids, sines and cosines in turns."""
    target_positions: str | None = None


class Vocabulary(_Part):
    """How texts of one side become ids, and ids become texts."""

    cut: Literal["characters", "words", "sentencepiece"]
    """Words are what is between white space."""
    pieces: Annotated[tuple[str, ...], Field(strict=False)] | str | None = None
    """In the order of their ids, or the name of a file with one in each line. None: those of the
    SentencePiece model."""
    model: str | None = None
    """Name of the SentencePiece model's file."""
    lower_case: bool = False
    replace: dict[str, str] = {}
    """Letters that stand for others before a text is cut."""


class Specials(_Part):
    """Pieces that are no text; both vocabularies have them."""

    unknown: str = "<unk>"
    padding: str = "<pad>"
    start: str = "<bos>"
    """The decoder's first input."""
    end: str = "<eos>"
    source_has_start: bool = True
    source_has_end: bool = True


class Description(_Part):
    """A state dict, described."""

    weights: str
    """Name of the file: `torch.save` or safetensors."""
    state: str | None = None
    """Where in a saved dictionary the state dict is; None: it is all there is."""
    num_heads: Annotated[int, Field(gt=0)]
    activation: str = "relu"
    norm_first: bool = False
    layer_norm_eps: Annotated[float, Field(gt=0)] = 1e-5
    embedding_scale: Literal["sqrt"] | float = "sqrt"
    """What embeddings are multiplied with; `sqrt`: the root of their width."""
    tensors: Tensors
    specials: Specials = Specials()
    source: Vocabulary
    target: Vocabulary | None = None
    """None: the source's."""


def read_description(path: Path) -> tuple[Description, str]:
    """A description, and its text.

    Raises:
        ExportError: It cannot be read; every field that is amiss is named.
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
