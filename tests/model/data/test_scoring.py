from pathlib import Path

import numpy as np
import pytest
import torch
from sentencepiece import SentencePieceProcessor

from model.config import parse_config
from model.data.batching import EncodedCorpus, encode_corpus, make_batch
from model.data.corpus import SentencePair, read_pairs
from model.data.scoring import cross_entropies, dual_cross_entropies, likeliest
from model.data.tokenizer import load_tokenizer
from model.directions import Direction
from model.errors import ConfigError
from model.training.checkpoint import AVERAGED_NAME, load_checkpoint
from model.training.optimization.loss import batch_loss
from model.training.preparation import prepare
from model.transformer import Transformer
from tests.model.runs import both_ways, config_text, new_trainer, shift_task_text, write_shift_task

BOTH_WAYS = (
    Direction(source="en", target="de", prefix=">>de<<"),
    Direction(source="de", target="en", prefix=">>en<<", is_reversed=True),
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a model that has learned the shift task both ways."""
    data, out = (tmp_path_factory.mktemp(name) for name in ("data", "run"))
    new_trainer(shift_task_text(), write_shift_task(data), out).run()
    return out / AVERAGED_NAME


@pytest.fixture(scope="module")
def model(learned: Path) -> Transformer:
    return load_checkpoint(learned).model


@pytest.fixture(scope="module")
def tokenizer(learned: Path) -> SentencePieceProcessor:
    return load_tokenizer(load_checkpoint(learned).tokenizer_path)


PAIRS = [
    SentencePair(source, target, "toy", ">>de<<")
    for source, target in [("ba", "ce"), ("di fo", "fo gu"), ("mu", "ha ba lo"), ("ce di", "ba")]
]


def test_a_score_is_the_loss_of_the_pair_alone(
    model: Transformer, tokenizer: SentencePieceProcessor
) -> None:
    corpus = encode_corpus(PAIRS, [1.0] * len(PAIRS), tokenizer, max_tokens=64)
    ids = model.architecture
    with torch.inference_mode():
        alone = [
            float(
                batch_loss(
                    model,
                    make_batch(corpus, np.array([i]), pad_id=ids.pad_id, bos_id=ids.bos_id),
                    label_smoothing=0.0,
                )
            )
            for i in range(len(PAIRS))
        ]
    scores = cross_entropies(model, tokenizer, PAIRS)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx(alone, rel=1e-4, abs=1e-5)


def test_both_directions_are_a_mean_and_a_difference(
    model: Transformer, tokenizer: SentencePieceProcessor
) -> None:
    pairs = [SentencePair(pair.source, pair.target) for pair in PAIRS]
    there, back = (
        cross_entropies(model, tokenizer, [pair.towards(direction) for pair in pairs])
        for direction in BOTH_WAYS
    )
    dual = dual_cross_entropies(model, tokenizer, pairs, BOTH_WAYS)
    assert dual.tolist() == pytest.approx(((there + back) / 2 + abs(there - back)).tolist())
    one = dual_cross_entropies(model, tokenizer, pairs, BOTH_WAYS[:1])
    assert one.tolist() == pytest.approx(there.tolist())


@pytest.mark.parametrize(("share", "kept"), [(0.25, [1]), (0.5, [1, 3]), (0.9, [0, 1, 2, 3])])
def test_the_lowest_scores_are_kept_in_the_order_of_the_pairs(
    share: float, kept: list[int]
) -> None:
    scores = np.array([2.0, 0.5, 3.0, 1.0], dtype=np.float32)
    assert likeliest(PAIRS, scores, share) == [PAIRS[i] for i in kept]


def test_alike_scores_do_not_keep_more_than_the_share() -> None:
    assert likeliest(PAIRS, np.ones(4, dtype=np.float32), 0.5) == PAIRS[:2]


def sources_and_targets(
    corpus: EncodedCorpus, tokenizer: SentencePieceProcessor
) -> set[tuple[str, str]]:
    """Texts of a corpus, without prefix and end token."""
    sources = np.split(corpus.source_ids, corpus.source_starts[1:-1])
    targets = np.split(corpus.target_ids, corpus.target_starts[1:-1])
    return {
        (tokenizer.decode(source[1:-1].tolist()), tokenizer.decode(target[:-1].tolist()))
        for source, target in zip(sources, targets, strict=True)
    }


def noisy_config(keep_best: float) -> str:
    sources = f'sources = [{{ name = "toy" }}, {{ name = "noisy", keep_best = {keep_best} }}]'
    return both_ways(config_text()).replace("[data]", f"[data]\n{sources}")


def test_a_model_that_knows_the_language_finds_the_noise(learned: Path, tmp_path: Path) -> None:
    data = write_shift_task(tmp_path)
    pairs = list(dict.fromkeys(read_pairs("train.tsv", data)[0]))
    noisy, clean = pairs[:40], pairs[40:]
    others = [pair.target for pair in noisy[20:]]
    wrong = zip([pair.source for pair in noisy[20:]], others[1:] + others[:1], strict=True)
    rows = [(pair.source, pair.target, "toy") for pair in clean]
    rows += [(pair.source, pair.target, "noisy") for pair in noisy[:20]]
    rows += [(source, target, "noisy") for source, target in wrong]
    text = "".join("\t".join(row) + "\n" for row in rows)
    (data / "train.tsv").write_text(text, encoding="utf-8")
    (tmp_path / "out").mkdir()
    config = parse_config(noisy_config(0.5), where="test")
    prepared = prepare(config, data, tmp_path / "out", start=learned)
    assert prepared.num_pairs == {"toy": len(clean), "noisy": 20}
    kept = sources_and_targets(prepared.corpus, prepared.tokenizer)
    assert sum((pair.source, pair.target) in kept for pair in noisy[:20]) >= 18


def test_scoring_without_weights_is_refused(tmp_path: Path) -> None:
    data = write_shift_task(tmp_path)
    (tmp_path / "out").mkdir()
    config = parse_config(noisy_config(0.5), where="test")
    with pytest.raises(ConfigError, match="keep_best of noisy needs --from"):
        prepare(config, data, tmp_path / "out")
