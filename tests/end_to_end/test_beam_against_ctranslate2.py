"""Our beam search against CTranslate2's, float32, on the same weights: another hand's reference."""

from pathlib import Path

import ctranslate2
import pytest
import torch

from benchmarks.contestants.ctranslate2_converter import convert
from bundle.reader import read_bundle
from model.training.checkpoint import load_checkpoint
from model.transformer import Transformer
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions, Hypothesis
from tests.end_to_end.copy_task import NUM_HELD_OUT, sentences

pytestmark = pytest.mark.slow

BEAM = 4
MAX_TOKENS = 64
NUM_SENTENCES = 60
HELD_OUT = sentences(NUM_HELD_OUT, seed=1)[:NUM_SENTENCES]

Scored = dict[tuple[int, ...], float]


def network_log_prob(model: Transformer, source: list[int], target_ids: tuple[int, ...]) -> float:
    """What torch says of a finished translation, nats."""
    ids = model.architecture
    labels = [*target_ids, ids.eos_id]
    source_ids = torch.tensor([source])
    decoder_input = torch.tensor([[ids.bos_id, *target_ids]])
    with torch.inference_mode():
        logits = model(source_ids, torch.ones_like(source_ids, dtype=torch.bool), decoder_input)
    return float(logits.log_softmax(-1)[0, range(len(labels)), labels].double().sum())


def finished(hypotheses: tuple[Hypothesis, ...]) -> Scored:
    return {h.target_ids: h.log_prob for h in hypotheses if h.has_ended}


def test_the_hypotheses_and_their_scores_are_the_same(
    copy_checkpoint: Path, copy_bundles: Path, tmp_path: Path
) -> None:
    bundle = read_bundle(copy_bundles / "fp32")
    sources = [bundle.tokenizer.encode_source(text, bundle.manifest.pairs[0]) for text in HELD_OUT]
    model = load_checkpoint(copy_checkpoint).model
    pieces = bundle.tokenizer.target_pieces(range(bundle.manifest.architecture.vocab_size))
    theirs = _translate_with_ctranslate2(model, pieces, sources, tmp_path / "model")
    # Their outputs are never empty, and without a penalty both rank by the plain sum.
    options = DecodeOptions(
        beam_size=BEAM,
        num_hypotheses=BEAM,
        length_penalty=0.0,
        min_target_tokens=1,
        max_target_tokens=MAX_TOKENS,
    )
    ours = decode_batch(open_sessions(bundle), sources, options)
    for source, mine, other in zip(sources, ours, theirs, strict=True):
        assert mine[0].target_ids == next(iter(other))
        common = finished(mine).keys() & other.keys()
        assert len(common) >= 2
        for target_ids in common:
            exact = network_log_prob(model, source, target_ids)
            assert finished(mine)[target_ids] == pytest.approx(exact, rel=1e-4, abs=1e-4)
            # CTranslate2's own float32 is up to 0.004 nats away from torch's.
            assert other[target_ids] == pytest.approx(exact, abs=1e-2)


def _translate_with_ctranslate2(
    model: Transformer, pieces: list[str], sources: list[list[int]], folder: Path
) -> list[Scored]:
    """The n-best lists, best first."""
    convert(model, pieces, folder)
    translator = ctranslate2.Translator(str(folder), compute_type="float32", intra_threads=1)
    ids = {piece: i for i, piece in enumerate(pieces)}
    results = translator.translate_batch(
        [[pieces[i] for i in source] for source in sources],
        beam_size=BEAM,
        num_hypotheses=BEAM,
        length_penalty=0,
        return_scores=True,
        max_decoding_length=MAX_TOKENS,
    )
    return [
        {
            tuple(ids[piece] for piece in hypothesis): score
            for hypothesis, score in zip(result.hypotheses, result.scores, strict=True)
        }
        for result in results
    ]
