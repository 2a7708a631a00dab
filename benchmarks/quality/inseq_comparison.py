"""Causes beside those of inseq: same weights, same method, the numbers and the time of both.

inseq (Sarti et al. 2023) explains models of Hugging Face in torch. The network of a bundle is
rebuilt from its dequantised weights and saved in that form; we run the graphs of the same network
in fp32, and those of the bundle as it is served. inseq shares out the distances of one kind of
token among themselves, so ours are divided alike before they are compared. It measures the last
layer of a stack behind the final norm, we measure it before, as every other layer: that layer has a
line of its own.

Both work on one sentence at a time, in turns within one run. Ratios of times are comparable;
seconds are not, on a machine that others use. It needs `pip install inseq==0.7.1`.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the packages are imported

import inseq
import numpy as np
import torch
from inseq.models import register_model_config
from numpy.typing import NDArray
from transformers import MarianTokenizer, PreTrainedModel

from benchmarks.contestants.transformers import load_network
from benchmarks.contestants.transformers_converter import convert_to_transformers
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import publish
from benchmarks.quality.doubt import JUDGED
from benchmarks.quality.faithfulness import rows_of
from bundle.reader import Bundle, read_bundle
from export.graphs.writer import write_graphs
from export.network import network_of
from export.recovery.network import network_of_bundle
from model.transformer import Transformer
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.cause_passes import occluded_log_probs, zeroed_distances
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.inspection import IdPair
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions

THRESHOLD = 1e-5
"""inseq takes a smaller distance for none."""
MAX_TOKENS = 48
"""Of a sentence on either side."""
Array = NDArray[np.float64]
Scores = dict[str, Array]
"""What is compared, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A text and the bundle's translation of it, as text and as ids."""

    source: str
    target: str
    ids: IdPair


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of both."""

    name: str
    """As inseq calls it."""
    options: dict[str, Any]
    """Of inseq."""
    ours: Callable[[Sessions, IdPair], Scores]
    theirs: Callable[[Any, IdPair], Scores]
    """Of an attribution of inseq, in the same shapes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """One sentence by one method, with one of our graphs."""

    ours_s: float
    theirs_s: float
    differences: dict[str, Array]
    """Absolute ones of all numbers, by part."""


def attention(sessions: Sessions, pair: IdPair) -> Scores:
    """Maps of all layers and heads, [layers, heads, query, key]."""
    (maps,) = attend(sessions, [pair[0]], [pair[1]], {"encoder", "decoder", "cross"})
    return {kind: np.asarray(getattr(maps, kind), np.float64) for kind in ("encoder", "cross")}


def value_zeroing(sessions: Sessions, pair: IdPair) -> Scores:
    """Shares of every layer, [token that is read, layer, token that is written]."""
    count = len(pair[0])
    encoder, decoder = zeroed_distances(sessions, *pair, (0, count + len(pair[1])))
    return _by_layer(
        {
            "encoder": _shares(encoder[:count]),
            "cross": _shares(decoder[:count]),
            "decoder": _shares(decoder[count:]),
        }
    )


def occlusion(sessions: Sessions, pair: IdPair) -> Scores:
    """Change of each target token's probability, shared out, [source but the end, target]."""
    whole, without = occluded_log_probs(sessions, *pair, (0, len(pair[0]) - 1))
    changes = np.abs(np.exp(whole, dtype=np.float64) - np.exp(without, dtype=np.float64))
    return {"source": changes / changes.sum(axis=0)}


def _inseqs_attention(found: Any, pair: IdPair) -> Scores:  # noqa: ANN401
    def ours(scores: Any) -> Array:  # noqa: ANN401 - [key, query, layers, heads]
        return np.asarray(np.nan_to_num(scores.numpy()).transpose(2, 3, 1, 0), np.float64)

    cross = ours(found.source_attributions)[:, :, : len(pair[1])]
    return {"encoder": ours(found.sequence_scores["encoder_self_attentions"]), "cross": cross}


def _inseqs_zeroing(found: Any, pair: IdPair) -> Scores:  # noqa: ANN401
    def ours(scores: Any) -> Array:  # noqa: ANN401 - [read, written, layers]
        return np.asarray(np.nan_to_num(scores.numpy()).transpose(0, 2, 1), np.float64)

    return _by_layer(
        {
            "encoder": ours(found.sequence_scores["encoder_self_scores"]),
            "cross": ours(found.source_attributions),
            "decoder": ours(found.target_attributions)[: len(pair[1])],
        }
    )


def _by_layer(scores: Scores) -> Scores:
    """The last layer apart from those below."""
    below = {name: values[:, :-1] for name, values in scores.items()}
    return below | {f"{name}, last layer": values[:, -1] for name, values in scores.items()}


def _inseqs_occlusion(found: Any, _: IdPair) -> Scores:  # noqa: ANN401
    changes = np.nan_to_num(found.source_attributions.numpy().astype(np.float64))[:-1]
    return {"source": changes / changes.sum(axis=0)}


METHODS = (
    Method(name="attention", options={}, ours=attention, theirs=_inseqs_attention),
    Method(
        name="value_zeroing",
        options={"attribute_target": True},
        ours=value_zeroing,
        theirs=_inseqs_zeroing,
    ),
    Method(
        name="occlusion",
        options={"attributed_fn": "probability"},
        ours=occlusion,
        theirs=_inseqs_occlusion,
    ),
)


def _shares(distances: NDArray[np.float32]) -> Array:
    """Of each output token among the tokens of one kind, as inseq divides them."""
    kept = np.where(distances < THRESHOLD, 0, distances).astype(np.float64)
    total = kept.sum(axis=0, keepdims=True)
    return np.asarray(kept / np.where(total > 0, total, 1))


def sentences(sessions: Sessions, count: int) -> list[Sentence]:
    """The first judged sources of the first direction, translated greedily."""
    bundle = sessions.bundle
    pair = bundle.manifest.pairs[0]
    found: list[Sentence] = []
    options = DecodeOptions(max_target_tokens=bundle.manifest.max_target_tokens)
    for row in rows_of(JUDGED):
        if row["source_language"] != pair.source or len(found) == count:
            continue
        source = tuple(bundle.tokenizer.encode_source(row["source"], pair))
        ((best, *_),) = decode_batch(sessions, [source], options)
        target = bundle.tokenizer.decode_target(best.target_ids)
        ids = source, tuple(bundle.tokenizer.encode_target(target))
        if max(map(len, ids)) <= MAX_TOKENS:
            prefix = f"{pair.source_prefix} " if pair.source_prefix else ""
            found.append(Sentence(source=prefix + row["source"], target=target, ids=ids))
    return found


def in_fp32(model: Transformer, bundle: Bundle, folder: Path) -> Sessions:
    """The graphs of a bundle's network without int8."""
    folder.mkdir()
    limits = {"max_source": MAX_TOKENS, "max_target": MAX_TOKENS}
    write_graphs(network_of(model, **limits), None, folder)
    manifest = bundle.manifest.model_copy(update={"precision": "fp32", "cache": "float32"})
    return open_sessions(
        Bundle(path=folder, manifest=manifest, loaded=[bundle.tokenizer], sha256="")
    )


def tokenizer_of(bundle: Bundle, folder: Path) -> MarianTokenizer:
    """The bundle's tokenizer as one of Hugging Face."""
    size = bundle.manifest.architecture.vocab_size
    pieces = bundle.tokenizer.target_pieces(range(size))
    file = folder / "vocab.json"
    file.write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}), encoding="utf-8")
    model = str(bundle.path / "source.spm")
    return MarianTokenizer(model, model, str(file))


def hugging_face(model: Transformer, folder: Path) -> PreTrainedModel:
    """The network as one of Hugging Face."""
    convert_to_transformers(model, folder, scale_in_weights=True)
    network: PreTrainedModel = load_network(folder, attn_implementation="eager")
    names = {"self_attention_module": "self_attn", "cross_attention_module": "encoder_attn"}
    kind = type(network).__name__
    register_model_config(kind, {**names, "value_vector": "value_states"}, overwrite=True)
    return network


def compared(
    sessions: dict[str, Sessions],
    network: PreTrainedModel,
    tokenizer: MarianTokenizer,
    given: Sequence[Sentence],
) -> dict[str, Any]:
    """Differences and times of every method."""
    found: dict[str, Any] = {}
    for method in METHODS:
        model = inseq.load_model(network, method.name, tokenizer=tokenizer)
        rows = [_row(sessions, model, method, sentence) for sentence in given]
        found[method.name] = {name: _summary([row[name] for row in rows]) for name in sessions}
        print(f"{method.name}: {found[method.name]}", file=sys.stderr, flush=True)
    return found


def _row(
    sessions: dict[str, Sessions],
    model: Any,  # noqa: ANN401 - inseq has no types
    method: Method,
    sentence: Sentence,
) -> dict[str, _Measured]:
    """Times and differences of one sentence by the name of our graphs."""
    for each in sessions.values():
        method.ours(each, sentence.ids)  # opens the graph
    began_s = time.perf_counter()
    output = model.attribute(
        sentence.source, sentence.target, show_progress=False, **method.options
    )
    theirs_s = time.perf_counter() - began_s
    attribution = output.sequence_attributions[0]
    _check_ids(attribution, sentence)
    expected = method.theirs(attribution, sentence.ids)
    row = {}
    for name, each in sessions.items():
        began_s = time.perf_counter()
        ours = method.ours(each, sentence.ids)
        ours_s = time.perf_counter() - began_s
        differences = {key: np.abs(ours[key] - expected[key]).ravel() for key in expected}
        row[name] = _Measured(ours_s=ours_s, theirs_s=theirs_s, differences=differences)
    return row


def _check_ids(attribution: Any, sentence: Sentence) -> None:  # noqa: ANN401
    """Both read the same tokens, or nothing else can be compared."""
    source = tuple(token.id for token in attribution.source)
    target = tuple(token.id for token in attribution.target[1:])
    if (source, target) != sentence.ids:
        raise ValueError(f"inseq cuts {sentence.source!r} into other tokens")


def _summary(rows: Sequence[_Measured]) -> dict[str, Any]:
    ratios = [row.theirs_s / row.ours_s for row in rows]
    differences = {
        part: np.concatenate([row.differences[part] for row in rows])
        for part in rows[0].differences
    }
    return {
        "differences": {
            part: {"numbers": d.size, "largest": _short(d.max()), "mean": _short(d.mean())}
            for part, d in differences.items()
        },
        "inseq_takes_times_as_long": round(median(ratios), 1),
        "range": [round(min(ratios), 1), round(max(ratios), 1)],
        "median_s": {
            "ours": round(median(row.ours_s for row in rows), 4),
            "inseq": round(median(row.theirs_s for row in rows), 3),
        },
    }


def _short(value: float) -> float:
    return float(f"{value:.2g}")


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    logging.getLogger("inseq").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # captum's, of every call
    torch.set_num_threads(1)  # as many as a session of ours
    bundle = read_bundle(arguments.bundle)
    model, served = network_of_bundle(bundle), open_sessions(bundle)
    given = sentences(served, arguments.sentences)
    with tempfile.TemporaryDirectory() as folder:
        network = hugging_face(model, Path(folder) / "hugging-face")
        tokenizer = tokenizer_of(bundle, Path(folder))
        sessions = {"fp32": in_fp32(model, bundle, Path(folder) / "fp32"), "served": served}
        methods = compared(sessions, network, tokenizer, given)
    result = {
        "machine": machine(),
        "versions": versions("inseq", "transformers", "torch", "onnxruntime"),
        "commit": commit(),
        "bundle": str(arguments.bundle),
        "sha256": bundle.sha256,
        "sentences": len(given),
        "tokens": [sum(len(ids) for ids in sentence.ids) for sentence in given],
        "methods": methods,
    }
    publish(result, arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.inseq_comparison", description=__doc__
    )
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--sentences", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
