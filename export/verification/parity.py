"""Proves that the fp32 graphs compute what the torch network computes."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from bundle.manifest import ParityReport
from export.errors import VerificationError
from export.verification.forced_decoding import forced_logits, largest_difference, logit_error
from model.greedy import greedy_translate, pad_sources
from model.transformer import AttentionMaps, DecoderLayer, Transformer
from service.engine.graphs.attention_pass import PairAttention, attend
from service.engine.graphs.encoder import encode
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions

MAX_ERROR = 1e-4
RAGGED_BATCH = 8
SINGLE_SENTENCES = 8
GREEDY_BATCH = 50

Ids = Sequence[Sequence[int]]


def measure_parity(
    model: Transformer, sessions: Sessions, sources: Ids, targets: Ids
) -> ParityReport:
    """Compare torch and onnxruntime on real sentences.

    Args:
        model: fp32, in evaluation mode.
        sessions: Of the fp32 graphs.
        sources: Source ids, end token included; all are also decoded greedily by both.
        targets: Target ids, end token included.
    """
    few = slice(0, SINGLE_SENTENCES)
    first, later = _step_errors(model, sessions, sources[few], targets[few])
    ragged = slice(0, RAGGED_BATCH)
    identical, agreement = _greedy_agreement(model, sessions, sources)
    whole, cached = _attention_errors(model, sessions, sources[ragged], targets[ragged])
    return ParityReport(
        encoder_max_error=_encoder_error(model, sessions, sources[ragged]),
        first_step_max_error=first,
        later_steps_max_error=later,
        ragged_batch_max_error=_ragged_error(model, sessions, sources[ragged], targets[ragged]),
        attention_max_error=whole,
        cached_attention_max_error=cached,
        sentences=len(sources),
        identical_sentences=identical,
        token_agreement=agreement,
    )


def check_parity(report: ParityReport) -> None:
    """Refuse graphs that differ.

    Raises:
        VerificationError: An error is over `MAX_ERROR`, or a greedy translation differs.
    """
    figures = report.model_dump()
    faults = [
        f"{name} {value:.2e} is over {MAX_ERROR:.0e}"
        for name, value in figures.items()
        if name.endswith("_error") and not value <= MAX_ERROR
    ]
    if report.identical_sentences < report.sentences:
        faults.append(
            f"{report.sentences - report.identical_sentences} of {report.sentences} greedy "
            "translations differ"
        )
    if faults:
        raise VerificationError(f"the graphs differ from the network: {'; '.join(faults)}")


@torch.inference_mode()
def _encoder_error(model: Transformer, sessions: Sessions, sources: Ids) -> float:
    worst = 0.0
    for group in encode(sessions, sources):
        ids, mask = pad_sources([sources[i] for i in group.indices], model.architecture.pad_id)
        memory = model.encode(ids, mask)
        for i, layer in enumerate(model.decoder.layers):
            assert isinstance(layer, DecoderLayer)
            wanted = layer.cross_attention.keys_and_values(memory)
            for have, want in zip(group.cross[2 * i : 2 * i + 2], wanted, strict=True):
                is_token = mask[:, None, :, None].numpy()
                error = largest_difference(have * is_token, want.numpy() * is_token)
                worst = max(worst, error)
    return worst


def _step_errors(
    model: Transformer, sessions: Sessions, sources: Ids, targets: Ids
) -> tuple[float, float]:
    first = later = 0.0
    for source, target in zip(sources, targets, strict=True):
        have = forced_logits(sessions, [source], [target])[0]
        want = _torch_logits(model, [source], [target])[0]
        first = max(first, logit_error(have[:1], want[:1]))
        later = max(later, logit_error(have[1:], want[1:]))
    return first, later


def _ragged_error(model: Transformer, sessions: Sessions, sources: Ids, targets: Ids) -> float:
    have = forced_logits(sessions, sources, targets)
    want = _torch_logits(model, sources, targets)
    return max(logit_error(h, w) for h, w in zip(have, want, strict=True))


@torch.inference_mode()
def _torch_logits(model: Transformer, sources: Ids, targets: Ids) -> list[NDArray[np.float32]]:
    source_ids, source_mask = pad_sources(sources, model.architecture.pad_id)
    logits = model(source_ids, source_mask, _decoder_input(model, targets)).numpy()
    return [logits[i, : len(target)] for i, target in enumerate(targets)]


def _decoder_input(model: Transformer, targets: Ids) -> torch.Tensor:
    ids = model.architecture
    return pad_sources([[ids.bos_id, *target[:-1]] for target in targets], ids.pad_id)[0]


@torch.inference_mode()
def _attention_errors(
    model: Transformer, sessions: Sessions, sources: Ids, targets: Ids
) -> tuple[float, float]:
    """Errors of the attention graph against one pass of the network, and against cached steps."""
    source_ids, source_mask = pad_sources(sources, model.architecture.pad_id)
    inputs = _decoder_input(model, targets)
    found = attend(sessions, sources, targets)
    errors = []
    for is_cached in (False, True):
        maps = model.attention_maps(source_ids, source_mask, inputs, is_cached=is_cached)
        wanted = [_expected(maps, i, len(sources[i]), t) for i, t in enumerate(targets)]
        errors.append(max(map(_attention_error, found, wanted)))
    return errors[0], errors[1]


def _attention_error(have: PairAttention, want: PairAttention) -> float:
    maps = [field.name for field in fields(PairAttention) if field.name != "log_probs"]
    errors = [largest_difference(getattr(have, name), getattr(want, name)) for name in maps]
    # Log-probabilities are as large as logits, and as exact.
    return max(*errors, logit_error(have.log_probs[:, None], want.log_probs[:, None]))


def _expected(
    maps: AttentionMaps, index: int, source: int, target_ids: Sequence[int]
) -> PairAttention:
    """Maps of one pair of a padded batch, without the padding."""
    target = len(target_ids)
    log_probs = maps.logits[index].log_softmax(-1)[range(target), list(target_ids)]
    return PairAttention(
        encoder=maps.encoder[:, index, :, :source, :source].numpy(),
        decoder=maps.decoder[:, index, :, :target, :target].numpy(),
        cross=maps.cross[:, index, :, :target, :source].numpy(),
        log_probs=log_probs.numpy(),
    )


def _greedy_agreement(model: Transformer, sessions: Sessions, sources: Ids) -> tuple[int, float]:
    longest = sessions.bundle.manifest.max_target_tokens
    options = DecodeOptions(max_target_tokens=longest, with_scores=False)
    have = [list(h[0].target_ids) for h in decode_batch(sessions, sources, options)]
    want = _torch_greedy(model, sources, longest)
    pairs = list(zip(have, want, strict=True))
    tokens = sum(max(len(h), len(w)) for h, w in pairs)
    same = sum(a == b for h, w in pairs for a, b in zip(h, w, strict=False))
    return sum(h == w for h, w in pairs), same / max(tokens, 1)


def _torch_greedy(model: Transformer, sources: Ids, max_tokens: int) -> list[list[int]]:
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    results: dict[int, list[int]] = {}
    for start in tqdm(range(0, len(order), GREEDY_BATCH), desc="torch", unit="batch"):
        group = order[start : start + GREEDY_BATCH]
        ids = greedy_translate(model, [sources[i] for i in group], max_tokens=max_tokens)
        results.update(zip(group, ids, strict=True))
    return [results[i] for i in range(len(sources))]
