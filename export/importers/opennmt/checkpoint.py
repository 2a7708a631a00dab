"""Opens a checkpoint of OpenNMT-py without OpenNMT-py: options, tensors and pieces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.importers.files.checkpoint_file import checkpoint_file
from export.importers.files.pickle_stubs import stub_attributes
from export.importers.files.tensor_files import load_pickled, read_safetensors
from export.network import Float32, as_float32

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
PADDING = "<blank>"
_STUBS = (
    "argparse.Namespace",
    "functools.partial",
    "onmt.inputters.inputter.AlignField",
    "onmt.inputters.inputter.make_src",
    "onmt.inputters.inputter.make_tgt",
    "onmt.inputters.inputter.parse_align_idx",
    "onmt.inputters.text_dataset.TextMultiField",
    "onmt.inputters.text_dataset._feature_tokenize",
    "torchtext.data.field.Field",
    "torchtext.data.field.LabelField",
    "torchtext.data.field.RawField",
    "torchtext.data.utils._split_tokenizer",
    "torchtext.vocab.Vocab",
)
"""Classes of the vocabularies of versions before 3, and what their pickles name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Content of the file, and in version 3 perhaps of others beside it."""

    path: Path
    files: tuple[Path, ...]
    options: Mapping[str, Any]
    tensors: Mapping[str, Float32]
    """Those of the generator begin with `generator.`."""
    source_pieces: tuple[str, ...]
    target_pieces: tuple[str, ...]
    start: str
    """First input of the decoder."""


def open_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: Its file, or a folder with one.

    Raises:
        ExportError: It cannot be read, or is of another kind.
    """
    path = checkpoint_file(path, ".pt")
    content = load_pickled(path, _STUBS)
    if not isinstance(content, Mapping) or not {"vocab", "opt"} <= content.keys():
        raise ExportError(f"{path} is no checkpoint of OpenNMT-py: it has no vocab and opt")
    options, vocabularies = _options(content["opt"]), content["vocab"]
    source, target = (_pieces(path, vocabularies, side) for side in ("src", "tgt"))
    tensors, shards = _tensors(path, content)
    return Checkpoint(
        path=path,
        files=(path, *shards),
        options=options,
        tensors=tensors,
        source_pieces=source,
        target_pieces=target,
        start=_start(vocabularies, options),
    )


def _options(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else stub_attributes(found)


def _tensors(path: Path, content: Mapping[str, Any]) -> tuple[dict[str, Float32], tuple[Path, ...]]:
    """Tensors, and the other files that they were read from, if any."""
    if "model" not in content:
        shards = _shards(path)
        return {n: t for shard in shards for n, t in read_safetensors(shard).items()}, shards
    model, generator = content["model"], content.get("generator") or {}
    named = {**model, **{f"generator.{name}": value for name, value in generator.items()}}
    return as_float32(named), ()


def _shards(path: Path) -> tuple[Path, ...]:
    """Files of the weights beside a checkpoint: a single one, or numbered ones."""
    alone = path.with_suffix(".safetensors")
    found = [alone] if alone.is_file() else sorted(path.parent.glob(f"{path.stem}.*.safetensors"))
    if not found:
        raise ExportError(f"{path} holds no weights, and there is no {alone.name} beside it")
    return tuple(found)


def _pieces(path: Path, vocabularies: Any, side: str) -> tuple[str, ...]:  # noqa: ANN401
    """Pieces by id: lists in version 3, inside fields before it."""
    found = vocabularies.get(side) if isinstance(vocabularies, Mapping) else None
    features = vocabularies.get("src_feats") if isinstance(vocabularies, Mapping) else None
    fields: Sequence[Any] = stub_attributes(found).get("fields", [])
    if features or len(fields) > 1:
        raise ExportError(f"{path} is not supported: its words have features")
    if fields:
        found = stub_attributes(stub_attributes(fields[0][1]).get("vocab")).get("itos")
    if not isinstance(found, list):
        raise ExportError(f"{path} has no vocabulary {side!r} of a kind that is known")
    return tuple(map(str, found))


def _start(vocabularies: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    start = vocabularies.get("decoder_start_token") or options.get("decoder_start_token")
    return str(start or START)
