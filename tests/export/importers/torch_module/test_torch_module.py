"""A state dict of `nn.Transformer` becomes a bundle that translates as torch does."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bundle.reader import read_bundle
from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.importers.importer import import_bundle
from export.importers.torch_module.reader import read
from tests.export.importers.imports import (
    assert_agrees,
    assert_asks_for_languages,
    assert_cut_short_is_refused,
    imported,
    origin,
    small_import,
)
from tests.export.importers.torch_module.torch_models import (
    PIECES,
    SOURCE_PIECES,
    SPECIALS,
    save_model,
)

VARIANTS: dict[str, dict[str, Any]] = {
    "as torch makes it": {},
    "normalised before, GELU": {"norm_first": True, "activation": "gelu"},
    "normalised before, nothing at the end": {
        "norm_first": True,
        "final_norms": False,
        "end_bias": 20,
        "spread": 1,
    },
    "nothing at the end, learnt positions": {"final_norms": False, "learnt": True},
    "one embedding, tied, narrow heads": {"is_shared": True, "is_tied": True, "nhead": 8},
    "no start before a source, embeddings as they are": {
        "settings": "embedding_scale = 1.0\nspecials.source_has_start = false",
        "layer_norm_eps": 1e-3,
        "num_encoder_layers": 1,
    },
}


_options = partial(small_import, "torch")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_translates_as_the_original(variant: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model", **VARIANTS[variant])
    options = _options(path, tmp_path / "out")
    manifest = imported(options, files={"model.pt", "model.toml"}, config="num_heads = ")
    assert len(origin(manifest).files) == 2
    assert_agrees(manifest, f"torch {torch.__version__}")


def test_each_letter_is_a_token_with_its_id(tmp_path: Path) -> None:
    more = "lower_case = true\nreplace = {'ō' = 'o'}\n"
    result = read(_options(save_model(tmp_path / "model", source=more), tmp_path / "out"))
    network = result.network
    models = (result.source.model, result.target.model)
    tokenizer = Tokenizer(*models, network.special_ids, network.architecture)
    text = "  Thē dōg, É."
    letters = text.replace("ō", "o").lower()
    wanted = [SOURCE_PIECES.index(c) if c in SOURCE_PIECES else 0 for c in letters]
    start, end = SPECIALS.index("<bos>"), SPECIALS.index("<eos>")
    assert tokenizer.encode_source(text, result.pairs[0]) == [start, *wanted, end]
    ids = tokenizer.encode_target(" der hund. ")
    assert ids == [*[PIECES.index(c) for c in " der hund. "], end]
    assert tokenizer.decode_target(ids) == " der hund. "


def test_words_are_numbered_in_a_file(tmp_path: Path) -> None:
    words = [*SPECIALS, *(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyzäöüß")]
    names = [*words, *(f"other{i}" for i in range(len(PIECES) - len(words)))]
    path = save_model(tmp_path / "model", is_shared=True)
    (path / "words.txt").write_text("".join(f"{n}\n" for n in names), encoding="utf-8")
    text = (path / "model.toml").read_text(encoding="utf-8")
    text = text.partition("[source]")[0] + '[source]\ncut = "words"\npieces = "words.txt"\n'
    (path / "model.toml").write_text(text, encoding="utf-8")
    manifest = import_bundle(_options(path, tmp_path / "out"))
    assert_agrees(manifest, f"torch {torch.__version__}")
    tokenizer = read_bundle(tmp_path / "out").tokenizer
    ids = tokenizer.encode_source(" wordc  worda nothing wordß", manifest.pairs[0])
    assert ids == [2, names.index("wordc"), names.index("worda"), 0, names.index("wordß"), 3]
    assert tokenizer.decode_target([names.index("wordb"), names.index("wordä"), 3]) == "wordb wordä"


def _with_state(path: Path, change: Any) -> None:  # noqa: ANN401
    content = torch.load(path / "model.pt", weights_only=True)
    change(content["model"])
    torch.save(content, path / "model.pt")


def test_all_missing_tensors_are_listed(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    gone = ["encoder.layers.1.norm1.bias", "decoder.layers.0.multihead_attn.in_proj_weight"]
    names = [f"transformer.{name}" for name in gone]

    def remove(state: dict[str, Any]) -> None:
        for name in names:
            del state[name]

    _with_state(path, remove)
    with pytest.raises(ExportError, match="missing: ") as refused:
        read(_options(path, tmp_path / "out"))
    assert all(name in str(refused.value) for name in names)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("num_heads = 2", "num_heads = 3", "32 wide is no multiple of 3 heads"),
        ("num_heads = 2", "", "num_heads: Field required"),
        ("activation = 'relu'", "activation = 'tanh'", "the activation 'tanh' is not supported"),
        ("state = ", "states = ", "states: Extra inputs are not permitted"),
        ('state = "model"', 'state = "net"', "model.pt has no 'net'"),
        ('weights = "model.pt"', 'weights = "gone.pt"', "gone.pt cannot be read"),
        ("source.weight", "embedding.weight", "missing: embedding.weight"),
        ('"<bos>", ', "", "the vocabulary has no <bos>"),
        ('"é"', '"a"', "the vocabulary has 'a' more than once"),
        (', "é"', "", "38 pieces of the source, but 39 rows in its embedding"),
        ("cut = 'characters'", "cut = 'sentencepiece'", "do not go together"),
        ("[tensors]", "[tensors]\ntransformer = 'net'", "no layers in net.encoder"),
        ("[tensors]", "[tensors", "model.toml cannot be read"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    old: str, new: str, reason: str, tmp_path: Path
) -> None:
    path = save_model(tmp_path / "model")
    text = (path / "model.toml").read_text(encoding="utf-8")
    assert old in text
    (path / "model.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ExportError, match=reason):
        import_bundle(_options(path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_state_dict_alone_lacks_its_description(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    (path / "model.toml").unlink()
    with pytest.raises(ExportError, match="a state dict needs a description beside it"):
        read(_options(path, tmp_path / "out"))


def test_a_whole_module_is_code_and_is_not_run(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    torch.save(torch.nn.Linear(2, 2), path / "model.pt")
    with pytest.raises(ExportError, match="code in a checkpoint is not run"):
        read(_options(path, tmp_path / "out"))


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model")
    assert_cut_short_is_refused(_options(path, tmp_path / "out"), "model.pt")


def test_missing_languages_are_asked_for(tmp_path: Path) -> None:
    options = _options(save_model(tmp_path / "model"), tmp_path / "out")
    assert_asks_for_languages(read, options)
