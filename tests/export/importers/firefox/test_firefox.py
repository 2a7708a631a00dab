"""A model of Firefox becomes a bundle that computes its formulas, in float32 and in int8."""

import gzip
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.manifest import Manifest, Precision
from bundle.reader import read_bundle
from export.errors import ExportError
from export.importers.firefox import lexicon
from export.importers.firefox.reader import read
from export.importers.importer import import_bundle, prepare_import
from export.importers.options import ImportOptions
from export.network import Network
from export.publication.staging import GraphVariant, open_staged
from export.quantization import Grid
from export.verification.forced_decoding import forced_logits
from export.verification.numpy_reference import NumpyReference
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_batch, decode_requests
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions
from tests.data.toy_language import sentence_pairs
from tests.export.importers.firefox.firefox_models import num_pieces, save_model
from tests.export.importers.imports import imported, origin, small_import
from tests.export.importers.marian.binary_models import float_item, intgemm8_item, text_item

MODEL_NAME = "model.ende.intgemm.alphas.bin"
LEXICON_NAME = "lex.50.50.ende.s2t.bin"
VARIANTS: dict[str, dict[str, Any]] = {
    "shared vocabulary": {},
    "split vocabularies": {"is_split": True},
    "gzipped": {"is_gzipped": True},
    "another shape": {"enc_depth": 1, "dec_depth": 3, "transformer_heads": 4},
    "float32": {"is_int8": False},
}

_options = partial(small_import, "firefox", precision="int8", sources=(), targets=())


def sessions_of(folder: Path, *, precision: Precision = "int8", **model: Any) -> Sessions:  # noqa: ANN401
    """Graphs of a model, before they are verified."""
    path = save_model(folder / "model", **model)
    job = prepare_import(*_read(path, folder / "out", precision))
    plan = job.model.plan if precision == "int8" else None
    shortlist: Any = job.model.shortlist
    return open_staged(job, GraphVariant(plan=plan, shortlist=shortlist), folder / "graphs")


def _read(path: Path, out: Path, precision: Precision = "int8") -> tuple[Any, ImportOptions]:
    options = replace(_options(path, out), precision=precision)
    return read(options), options


def sources(sessions: Sessions, count: int = 40) -> list[list[int]]:
    tokenizer, pair = sessions.bundle.tokenizer, sessions.bundle.manifest.pairs[0]
    ids = [tokenizer.encode_source(source, pair) for source, _ in sentence_pairs(count, seed=9)]
    return [source for source in ids if len(source) <= 40]


def targets(sessions: Sessions, count: int = 40) -> list[list[int]]:
    tokenizer = sessions.bundle.tokenizer
    return [tokenizer.encode_target(target)[-24:] for _, target in sentence_pairs(count, seed=9)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_computes_its_formulas(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    precision: Any = "fp32" if variant == "float32" else "int8"
    options = replace(_options(path, tmp_path / "out"), precision=precision)
    suffix = ".gz" if variant == "gzipped" else ""
    manifest = imported(options, files={MODEL_NAME + suffix}, config="dec-cell: ssru\n")
    assert manifest.parity.identical_sentences == manifest.parity.sentences >= 20
    errors = [v for n, v in manifest.parity.model_dump().items() if n.endswith("_error")]
    assert 0 < max(errors) <= 1e-4
    assert (manifest.architecture.decoder_cell, manifest.cache) == ("ssru", "float32")
    assert str(manifest.pairs[0]) == "en->de"
    assert (manifest.architecture.source_vocab_size is not None) == (
        variant == "split vocabularies"
    )


def test_its_card_has_licence_and_trained_alignment(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    manifest = import_bundle(options)
    assert origin(manifest).licence == "MPL-2.0"
    assert manifest.alignment_head is not None
    assert (manifest.alignment_head.layer, manifest.alignment_head.head) == (1, 0)
    card = (options.out / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "MPL-2.0" in card
    assert "Not measured: no development set was given." in card


def grids_of(sessions: Sessions, job_plan: dict[str, Grid], network: Network) -> dict[str, Grid]:
    """The grid of every layer's input."""
    from export.importers.firefox.activation_scales import tensor_readers

    shape = network.architecture
    readers = tensor_readers(shape.num_encoder_layers, shape.num_decoder_layers)
    readers["output_projection"] = ["output_projection"]
    return {
        layer: job_plan[tensor] if tensor in job_plan else job_plan[layer]
        for tensor, layers in readers.items()
        for layer in layers
    }


@pytest.mark.parametrize("is_shared", [True, False])
def test_int8_sums_exactly_what_is_stored(is_shared: bool, tmp_path: Path) -> None:
    """Differences are those of inputs that a rounding of float32 moves to the next step."""
    path = save_model(tmp_path / "model", is_split=not is_shared)
    job = prepare_import(*_read(path, tmp_path / "out"))
    assert job.model.plan is not None
    sessions = open_staged(job, GraphVariant(plan=job.model.plan), tmp_path / "graphs")
    grids = grids_of(sessions, job.model.plan.static, job.model.network)
    reference = NumpyReference(job.model.network, grids)
    errors = []
    for source, target in zip(sources(sessions), targets(sessions), strict=False):
        (have,) = forced_logits(sessions, [source], [target])
        want = reference.teacher_forced([source], [target]).logits[0]
        errors.append(np.abs(have - want)[:, : num_pieces()].max(axis=1))
    every = np.concatenate(errors)
    assert np.mean(every < 1e-4) > 0.8
    assert every.max() < 0.5
    plain = open_staged(job, GraphVariant(), tmp_path / "fp32")
    (rounded,), (exact,) = (
        forced_logits(s, sources(s)[:1], targets(s)[:1]) for s in (sessions, plain)
    )
    assert np.abs(rounded - exact)[:, : num_pieces()].max() > 10 * np.median(every)


def test_scales_that_differ_part_the_products(tmp_path: Path) -> None:
    path = save_model(tmp_path / "one")
    other = {"decoder_l1_rnn_Wf_QuantMultA": float_item("decoder_l1_rnn_Wf_QuantMultA", _one(12))}
    parted = save_model(tmp_path / "two", changes=other)
    plans = [read(_options(folder, tmp_path / "out")).plan for folder in (path, parted)]
    name = "decoder.layers.0.recurrence"
    assert plans[0] is not None
    assert plans[1] is not None
    assert f"{name}.inputs" in plans[0].static
    assert plans[1].static[f"{name}.forget"].scale == pytest.approx(1 / 12)
    assert plans[1].static[f"{name}.input"].scale == pytest.approx(1 / 17)
    manifest = import_bundle(_options(parted, tmp_path / "out"))
    assert f"{name}.forget" in manifest.quantization.static_tensors


def test_a_matrix_without_a_scale_has_its_rows_scaled(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", changes={"decoder_l1_ffn_W2_QuantMultA": None})
    manifest = import_bundle(_options(path, tmp_path / "out"))
    assert manifest.quantization.per_row_tensors == ("decoder.layers.0.feed_forward.outer",)


def test_a_scale_in_int8_is_what_its_weights_are(tmp_path: Path) -> None:
    """As `Wemb_QuantMultA` is stored because of its name: 127 / multiplier."""
    scale = intgemm8_item("none_QuantMultA", np.full((1, 1), 127, np.int8), (1, 1), 127 / 30)
    paths = [
        save_model(tmp_path / "float"),
        save_model(tmp_path / "int8", changes={"none_QuantMultA": scale}),
    ]
    found = [read(_options(path, tmp_path / "out")).plan for path in paths]
    scales = [plan.static["output_projection"].scale for plan in found if plan]
    assert scales[0] == pytest.approx(scales[1]) == pytest.approx(1 / 30)


def _one(value: float) -> NDArray[np.float64]:
    return np.full((1, 1), value)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    return sessions_of(tmp_path_factory.mktemp("firefox"), end_bias=4)


def _decoded(sessions: Sessions, slots: int, **options: Any) -> list[Any]:  # noqa: ANN401
    wanted = DecodeOptions(max_target_tokens=24, **options)
    return decode_batch(sessions, sources(sessions), wanted, num_slots=slots)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_company_changes_nothing(beam_size: int, sessions: Sessions) -> None:
    alone, together = (_decoded(sessions, n, beam_size=beam_size) for n in (beam_size, 32))
    assert alone == together


KINDS = (
    DecodeOptions(max_target_tokens=24),
    DecodeOptions(beam_size=4, num_hypotheses=4, max_target_tokens=24),
    DecodeOptions(max_target_tokens=24, with_scores=False),
    DecodeOptions(beam_size=8, num_hypotheses=5, max_target_tokens=12),
    DecodeOptions(min_target_tokens=9, no_repeat_ngram=2, max_target_tokens=24),
    DecodeOptions(prefix_ids=(30, 31), max_target_tokens=24),
    # What is dictated loops, so that they are decoded twice.
    DecodeOptions(prefix_ids=(30,) * 9, max_loop_tokens=4, max_target_tokens=24),
    DecodeOptions(beam_size=3, prefix_ids=(30,) * 9, max_loop_tokens=4, max_target_tokens=24),
)


@pytest.mark.parametrize("uses_beams", [True, False])
def test_every_kind_of_search_shares_a_batch(uses_beams: bool, sessions: Sessions) -> None:
    """Rows that come, fork, move and begin again leave no other row's state behind."""
    sessions = replace(sessions, uses_beams=uses_beams)
    every = sources(sessions)
    requests = [
        DecodeRequest(handle=i, source_ids=source, options=KINDS[i % len(KINDS)])
        for i, source in enumerate(every)
    ]
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=16)
    found = {
        finished.handle: finished.hypotheses
        for finished in decode_requests(decoder, requests, num_prefilled=4)
    }
    for request in requests:
        (alone,) = decode_batch(sessions, [request.source_ids], request.options, num_slots=8)
        assert found[request.handle] == alone


def test_states_follow_their_hypotheses(tmp_path: Path) -> None:
    """Every hypothesis of a beam has the score of the pass that is given its tokens."""
    sessions = sessions_of(tmp_path, precision="fp32", end_bias=4)
    hypotheses = _decoded(sessions, 16, beam_size=4, num_hypotheses=4, length_penalty=0.0)
    eos = sessions.bundle.manifest.special_ids.eos
    compared = 0
    for source, found in zip(sources(sessions), hypotheses, strict=True):
        ended = [h for h in found if h.has_ended]
        given = [(*h.target_ids, eos) for h in ended]
        if not given:
            continue
        passes = attend(sessions, [source] * len(given), given)
        for hypothesis, maps in zip(ended, passes, strict=True):
            assert hypothesis.score == pytest.approx(float(maps.log_probs.sum()), abs=1e-3)
            compared += 1
    assert compared >= 40


def test_decoder_maps_are_what_the_recurrence_remembers(tmp_path: Path) -> None:
    """Exactly: the shares, times what each token brought, sum to the state."""
    sessions = sessions_of(tmp_path, precision="fp32", end_bias=4)
    source, target = sources(sessions)[0], targets(sessions)[0]
    (maps,) = attend(sessions, [source], [target])
    np.testing.assert_allclose(maps.decoder.sum(axis=-1), 1, atol=1e-5)
    assert (np.triu(maps.decoder, k=1) == 0).all()
    assert (maps.decoder >= 0).all()
    keep, share = _written_out(sessions, tmp_path, target)
    np.testing.assert_allclose(maps.decoder[0], share, atol=1e-5)
    assert keep.min() > 0
    assert keep.max() < 1


def _written_out(
    sessions: Sessions, folder: Path, target: list[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gates of the first layer, and shares by the product of later gates, mean by head."""
    network = prepare_import(*_read(folder / "model", folder / "other", "fp32")).model.network
    weights, shape = network.weights, network.architecture
    ids = [network.special_ids.bos, *target[:-1]]
    rows = weights["target_embedding.weight"][ids] * network.embedding_scale
    rows = rows + network.target_positions[: len(ids)]
    name = "decoder.layers.0.recurrence.forget"
    keep = 1 / (1 + np.exp(-(rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])))
    shares = np.zeros((len(ids), len(ids), shape.d_model))
    for t in range(len(ids)):
        for j in range(t + 1):
            shares[t, j] = (1 - keep[j]) * keep[j + 1 : t + 1].prod(axis=0)
        shares[t, 0] += keep[: t + 1].prod(axis=0)
    by_head = shares.reshape(*shares.shape[:2], shape.num_heads, shape.head_dim).mean(axis=-1)
    return keep, by_head.transpose(2, 0, 1)


def test_a_shortlist_is_each_sentences_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "NUM_COMMON", 20)
    monkeypatch.setattr(lexicon, "NUM_OWN", 30)
    rows = {i: [i, (7 * i + 3) % num_pieces(), (11 * i) % num_pieces()] for i in range(2, 100)}
    sessions = sessions_of(tmp_path, lexicon=rows, end_bias=4)
    assert sessions.shortlist is not None
    every = sources(sessions)
    blocks = sessions.shortlist.blocks(every)
    assert 0 < len(blocks) < len(every)  # some suggest more than there is room for
    texts = _decoded(sessions, 32)
    free = decode_batch(
        replace(sessions, uses_shortlist=False), every, DecodeOptions(max_target_tokens=24)
    )
    for i, source in enumerate(every):
        suggested = {target for piece in source for target in rows.get(piece, [])}
        common = set(sessions.shortlist.shortlist.common.tolist())
        if i in blocks:
            assert set(texts[i][0].target_ids) <= suggested | common
        else:
            assert texts[i] == free[i]
    assert texts == _decoded(sessions, 1)
    assert texts != free


WRONG_LEXICONS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut short": (lambda data: data[:-5], "cut short: its header speaks of"),
    "text": (lambda _: b"the 1\n" * 20, "is no lexicon of a Firefox model in its binary form"),
    "a huge count": (
        lambda data: data[:32] + struct.pack("<Q", 2**60) + data[40:],
        "cut short: its header speaks of 1152921504606846976 rows",
    ),
    "rows in disorder": (
        lambda data: data[:56] + struct.pack("<Q", 2**40) + data[64:],
        "its rows do not follow each other",
    ),
}


@pytest.mark.parametrize("fault", WRONG_LEXICONS)
def test_a_wrong_lexicon_is_refused(fault: str, tmp_path: Path) -> None:
    change, reason = WRONG_LEXICONS[fault]
    path = save_model(tmp_path / "model", lexicon={3: [4, 5]})
    file = path / LEXICON_NAME
    file.write_bytes(change(file.read_bytes()))
    _assert_refused(path, tmp_path / "out", reason)


@pytest.mark.parametrize(("num_source", "target"), [(90, 5), (104, 200)])
def test_a_lexicon_of_another_vocabulary_is_refused(
    num_source: int, target: int, tmp_path: Path
) -> None:
    from tests.export.importers.firefox.firefox_models import lexicon_file

    path = save_model(tmp_path / "model", lexicon={})
    (path / LEXICON_NAME).write_bytes(lexicon_file({3: [target]}, num_source))
    _assert_refused(path, tmp_path / "out", "it belongs to another model")


def _with_number(offset: int, value: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:offset] + struct.pack("<Q", value) + data[offset + 8 :]


WRONG_MODELS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "is no model of Marian in its binary format, version 1"),
    "a text": (lambda _: b"x" * 400, "is no model of Marian in its binary format, version 1"),
    "version 2": (_with_number(0, 2), "is no model of Marian in its binary format, version 1"),
    "2^60 tensors": (_with_number(8, 2**60), "speaks of 1152921504606846976 tensors"),
    "no tensors": (_with_number(8, 0), "speaks of 0 tensors"),
    "a name of 2^60 bytes": (_with_number(16, 2**60), "the names would take 1152921504606846976"),
    "a name without end": (_with_number(16, 3), "a tensor's name has no end"),
    "packed for AVX2": (_with_number(24, 0x1801), "is of the type 0x1801, which may be packed"),
    "packed for AVX-512": (_with_number(24, 0x2801), "is of the type 0x2801, which may be packed"),
    "fbgemm in 16 bits": (_with_number(24, 0x0802), "is of the type 0x802, which may be packed"),
    "intgemm for SSSE3": (_with_number(24, 0xC101), "take the model in intgemm8"),
    "2^60 axes": (_with_number(32, 2**60), "has 1152921504606846976 axes"),
    "data of 2^62 bytes": (_with_number(40, 2**62), "would take 4611686018427387904 bytes"),
    "data too short": (_with_number(40, 256), "takes 6660 bytes, its header gives it 256"),
    "cut short": (lambda data: data[: len(data) * 2 // 3], "would take"),
    "cut within the header": (lambda data: data[:300], "speaks of"),
    "bytes behind": (lambda data: data + b"\0" * 16, "16 bytes follow"),
    "Zstandard": (lambda data: b"\x28\xb5\x2f\xfd" + data, "unpack it with zstd -d"),
    "half a gzip": (lambda data: gzip.compress(data)[:-400], "it may be cut short"),
}


@pytest.mark.parametrize("fault", WRONG_MODELS)
def test_a_file_that_lies_is_refused(fault: str, tmp_path: Path) -> None:
    change, reason = WRONG_MODELS[fault]
    path = save_model(tmp_path / "model")
    file = path / MODEL_NAME
    file.write_bytes(change(file.read_bytes()))
    _assert_refused(path, tmp_path / "out", reason)


def _assert_refused(path: Path, out: Path, reason: str) -> None:
    before = set(out.parent.iterdir())
    with pytest.raises(ExportError) as refused:
        import_bundle(_options(path, out))
    assert reason in str(refused.value)
    assert set(out.parent.iterdir()) == before


def test_no_byte_of_a_header_makes_the_reader_fail_otherwise(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    file, random = path / MODEL_NAME, np.random.default_rng(0)
    content = file.read_bytes()
    refused = 0
    for _ in range(300):
        broken = bytearray(content)
        for place in random.integers(0, 4096, 3):
            broken[place] = random.integers(256)
        file.write_bytes(bytes(broken))
        try:
            read(_options(path, tmp_path / "out"))
        except ExportError:
            refused += 1
    assert refused > 250


def _with_option(folder: Path, option: str, value: object) -> Path:
    """A model whose configuration has another value."""
    from tests.export.importers.firefox import firefox_models

    config = firefox_models.yaml_of(firefox_models.CONFIG | {option: value})
    changes = {"special:model.yml": text_item("special:model.yml", config)}
    return save_model(folder, changes=changes)


@pytest.mark.parametrize(
    ("option", "value", "supported"),
    [
        ("dec-cell", "gru", "'ssru'"),
        ("dec-cell", "sru", "'ssru'"),
        ("transformer-decoder-autoreg", "average-attention", "'rnn'"),
        ("transformer-preprocess", "n", "''"),
        ("transformer-ffn-activation", "swish", "'relu'"),
        ("transformer-tied-layers", [1, 1], "[]"),
        ("transformer-train-position-embeddings", True, "False"),
    ],
)
def test_unsupported_options_are_named(
    option: str, value: object, supported: str, tmp_path: Path
) -> None:
    path = _with_option(tmp_path / "changed", option, value)
    reason = f"is not supported: it has {option} {value!r} (only {supported})"
    _assert_refused(path, tmp_path / "out", reason)


def test_sizes_that_do_not_fit_are_named(tmp_path: Path) -> None:
    wide = _with_option(tmp_path / "wide", "dim-emb", "wide")
    _assert_refused(wide, tmp_path / "out", "is not supported: it has no dim-emb")
    seven = _with_option(tmp_path / "seven", "transformer-heads", 7)
    reason = "it has a dim-emb that is no multiple of transformer-heads"
    _assert_refused(seven, tmp_path / "out", reason)


def test_a_vocabulary_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    from tests.export.importers.spm_models import spm

    path = save_model(tmp_path / "model")
    (path / "vocab.ende.spm").write_bytes(spm(0))
    _assert_refused(path, tmp_path / "out", "Wemb is 104x64, not ")


def test_missing_tensors_and_multipliers_of_zero_are_refused(tmp_path: Path) -> None:
    gone = save_model(tmp_path / "gone", changes={"decoder_l1_rnn_bf": None})
    _assert_refused(gone, tmp_path / "out", "missing: decoder_l1_rnn_bf")
    name = "decoder_l1_rnn_W"
    zero = intgemm8_item(name, np.ones((64, 64), np.int8), (64, 64), 0.0)
    broken = save_model(tmp_path / "zero", changes={name: zero})
    _assert_refused(broken, tmp_path / "out", f"{name} has the multiplier 0.0")


def test_tensors_that_no_graph_reads_are_named(tmp_path: Path) -> None:
    name = "decoder_ff_logit_out_Wt"
    path = save_model(tmp_path / "model", changes={name: float_item(name, np.ones((104, 64)))})
    _assert_refused(path, tmp_path / "out", f"is not supported: {name} belong to parts")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / MODEL_NAME).unlink(), "has no model.*.bin"),
        (lambda folder: (folder / "vocab.ende.spm").unlink(), "has no vocab.*.spm, nor"),
        (
            lambda folder: (folder / "model.enfr.bin").write_bytes(b""),
            "has several files model.*.bin: model.ende.intgemm.alphas.bin, model.enfr.bin",
        ),
        (
            lambda folder: (folder / "vocab.ende.spm").write_bytes(b"\xff"),
            "no SentencePiece model",
        ),
    ],
)
def test_missing_files_are_named(
    change: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    path = save_model(tmp_path / "model")
    change(path)
    _assert_refused(path, tmp_path / "out", reason)


def test_languages_come_from_the_name_or_the_options(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / MODEL_NAME).rename(path / "model.bin")
    _assert_refused(path, tmp_path / "out", "--source says which: the checkpoint does not")
    manifest = import_bundle(_options(path, tmp_path / "out", sources=("pt-br",), targets=("en",)))
    assert str(manifest.pairs[0]) == "pt-br->en"


def test_unknown_is_never_written(tmp_path: Path) -> None:
    job = prepare_import(*_read(save_model(tmp_path / "model"), tmp_path / "out"))
    unknown = job.model.network.special_ids.unk
    assert job.model.network.weights["output_projection.bias"][unknown] < -1e8


def test_bundles_are_small_and_read_again(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    manifest: Manifest = import_bundle(options)
    sessions = open_sessions(read_bundle(options.out))
    assert sessions.bundle.manifest == manifest
    kept = (options.out / "weights.bin").stat().st_size
    assert kept < 2.0 * (options.path / MODEL_NAME).stat().st_size


def test_float32_takes_a_development_set_for_int8(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", is_int8=False)
    _assert_refused(path, tmp_path / "out", "int8 takes its scales from real sentences")
