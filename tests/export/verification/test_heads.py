"""What heads look at, against loops over the maps; what is lost, against a bundle without them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bundle.manifest import AlignmentHead, Manifest
from export.lexicon.ibm_model_1 import Lexicon
from export.sentences.development_set import DevelopmentPair, DevelopmentSet, held_out
from export.verification.alignment_head import Origins, best_head, wordless_ids
from export.verification.heads import (
    MAX_TRANSLATIONS,
    Looks,
    _agreement,
    _origins,
    affordable_sentences,
    attended,
    described,
    heads_of,
    look_of,
    measure_heads,
    name_of,
)
from export.verification.quality import translate
from service.engine.ablation import Head, bundle_without
from service.engine.graphs.sessions import Sessions, open_sessions
from tests.data.toy_language import sentence_pairs
from tests.service.engine.tiny import tiny, tiny_sessions


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "held-out.tsv"
    lines = [f"{source}\t{target}\n" for source, target in sentence_pairs(60, seed=3)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def text(file: Path) -> DevelopmentSet:
    found = held_out(tiny(), file)[0]
    assert len(found.pairs) > 40
    return found


@pytest.fixture(scope="module")
def origins(text: DevelopmentSet) -> Origins:
    return _origins(tiny_sessions(), text)


def weights(
    text: DevelopmentSet, kind: str, layer: int, head: int, of: dict[str, list[float]]
) -> None:
    """The weights of a self-attention, cell by cell."""
    for _, attention in attended(tiny_sessions(), text.pairs):
        maps = getattr(attention, kind)[layer, head]
        length = len(maps)
        for i in range(length):
            of["entropy"].append(-sum(p * math.log(p) for p in maps[i].tolist() if p > 1e-12))
            of["sink"].append(maps[i][length - 1 if kind == "encoder" else 0])
            of["current"].append(maps[i][i])
            if i > 0:
                of["previous"].append(maps[i][i - 1])
            if kind == "encoder" and i + 1 < length:
                of["following"].append(maps[i][i + 1])


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_shares_of_self_attention_are_means_over_rows(
    kind: str, text: DevelopmentSet, origins: Origins
) -> None:
    looks = look_of(tiny_sessions(), text.pairs, origins, kind)  # type: ignore[arg-type]
    of: dict[str, list[float]] = {
        name: [] for name in ("entropy", "sink", "current", "previous", "following")
    }
    weights(text, kind, 1, 2, of)
    for name, values in of.items():
        found = getattr(looks, name)[1, 2]
        assert math.isnan(found) if not values else found == pytest.approx(np.mean(values)), name
    assert np.isnan(looks.aligned).all()


def test_shares_of_cross_attention_are_relative_to_the_translated_token(
    text: DevelopmentSet, origins: Origins
) -> None:
    looks = look_of(tiny_sessions(), text.pairs, origins, "cross")
    layer, head = 1, 0
    at: dict[tuple[int, int], list[float]] = {(s, d): [] for s in (0, 1) for d in (-1, 0, 1)}
    for pair, attention in attended(tiny_sessions(), text.pairs):
        maps = attention.cross[layer, head]
        for place, origin in enumerate(origins.of(pair).tolist()):
            for (shift, step), found in at.items():
                if origin >= 0 and 0 <= origin + step < maps.shape[1]:
                    found.append(float(maps[place + shift][origin + step]))
    means = {key: float(np.mean(values)) for key, values in at.items()}
    shift = int(means[1, 0] > means[0, 0])
    assert looks.aligned[layer, head] == pytest.approx(means[shift, 0])
    assert looks.previous[layer, head] == pytest.approx(means[shift, -1])
    assert looks.following[layer, head] == pytest.approx(means[shift, 1])


def test_agreement_is_that_of_the_choice_of_a_head(text: DevelopmentSet, origins: Origins) -> None:
    seen = ((pair, a.cross) for pair, a in attended(tiny_sessions(), text.pairs))
    best = best_head(seen, origins)
    assert best is not None
    bundle = tiny()
    manifest = bundle.manifest.model_copy(update={"alignment_head": best})
    sessions = _with_manifest(tiny_sessions(), manifest)
    agreement = _agreement(sessions, text, origins)
    assert agreement is not None
    assert agreement == pytest.approx(best.agreement, abs=1e-4)


def test_losses_are_those_of_the_bundle_without_the_head(text: DevelopmentSet) -> None:
    from sacrebleu.metrics.bleu import BLEU

    head = AlignmentHead(layer=1, head=0)
    manifest = tiny().manifest.model_copy(update={"alignment_head": head})
    sessions = _with_manifest(tiny_sessions(), manifest)
    few = DevelopmentSet(name=text.name, pair=text.pair, pairs=text.pairs[:12])
    report = measure_heads(sessions, text, 12)
    assert [(h.kind, h.layer, h.head) for h in report.heads] == list(
        heads_of(manifest.architecture)
    )
    assert report.sentences == 12

    def bleu(variant: Sessions) -> float:
        return float(BLEU().corpus_score(translate(variant, few), [few.references]).score)

    assert report.bleu == pytest.approx(bleu(sessions), abs=0.01)
    for each in report.heads[::5]:
        left_out = (Head(each.kind, each.layer, each.head),)
        without = open_sessions(bundle_without(sessions.bundle, left_out))
        assert each.bleu_lost == pytest.approx(bleu(sessions) - bleu(without), abs=0.02)
    assert any(each.bleu_lost > 0 for each in report.heads)
    assert any(each.agreement_lost for each in report.heads)


def test_a_head_is_named_by_what_it_looks_at_most() -> None:
    zeros = np.zeros((1, 1))
    shares = {
        "entropy": zeros,
        "sink": zeros + 0.3,
        "current": zeros,
        "previous": zeros + 0.6,
        "following": zeros,
        "aligned": zeros * np.nan,
    }
    report = described(Head("encoder", 0, 0), Looks(**shares))
    assert (report.name, report.on_previous, report.on_aligned) == ("previous", 0.6, None)
    assert name_of({"sink": 0.39, "previous": None}) is None


def test_pieces_without_an_origin_do_not_count() -> None:
    pair = DevelopmentPair(source="", reference="", source_ids=(5, 6, 3), target_ids=(7, 8, 3))
    lexicon = Lexicon(
        source_ids=np.array([5]), target_ids=np.array([7]), probabilities=np.array([1.0])
    )
    found = Origins(lexicon, 10, wordless_ids(tiny_sessions())).of(pair)
    assert found.tolist() == [0, -1]


def _with_manifest(sessions: Sessions, manifest: Manifest) -> Sessions:
    return open_sessions(replace(sessions.bundle, manifest=manifest))


def test_an_export_translates_a_bounded_number_of_sentences() -> None:
    few = tiny().manifest.architecture
    many = few.model_copy(update={"num_heads": 64, "num_encoder_layers": 12})
    for architecture in (few, many):
        num_heads = len(list(heads_of(architecture)))
        for wanted in (1, 100, 10**6):
            found = affordable_sentences(architecture, wanted)
            assert found == wanted or (found + 1) * num_heads > MAX_TRANSLATIONS
            assert 1 <= found <= wanted
            assert found * num_heads <= MAX_TRANSLATIONS
