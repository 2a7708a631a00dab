from pathlib import Path

import pytest
import torch

from bundle.reader import Bundle
from export.calibration.activations import calibrate
from export.graphs.writer import write_graphs
from export.recovery.network import network_of_bundle
from model.greedy import greedy_translate
from model.transformer import Transformer
from tests.export.networks import KINDS, as_bundle, network, random_ids, random_transformer
from tests.service.tiny_models import tiny_bundle

CONFIG = """\
name = "random"
[data]
source_language = "en"
target_language = "de"
train = ["train.tsv"]
dev = "dev.tsv"
max_tokens = 24
[architecture]
{architecture}
[training]
max_steps = 1
"""


def exported(model: Transformer, folder: Path, *, is_int8: bool) -> Bundle:
    folder.mkdir()
    exportable = network(model)
    pairs = [(ids, ids) for ids in random_ids(8, seed=3)]
    plan = calibrate(exportable, pairs) if is_int8 else None
    write_graphs(exportable, plan, folder)
    bundle = as_bundle(exportable, plan, folder)
    shape = model.architecture
    names = (
        *("d_model", "d_ff", "num_heads", "num_encoder_layers", "num_decoder_layers"),
        *("activation", "norm_position", "positions", "scale_embedding", "tie_embeddings"),
    )
    lines = [f"{name} = {toml(getattr(shape, name))}" for name in names]
    text = CONFIG.format(architecture="\n".join(lines))
    provenance = bundle.manifest.provenance.model_copy(update={"training_config": text})
    manifest = bundle.manifest.model_copy(update={"provenance": provenance})
    return Bundle(path=folder, manifest=manifest, loaded=[bundle.tokenizer], sha256="")


def toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("is_int8", "tolerance"), [(False, 1e-6), (True, 0.005)])
def test_a_bundle_gives_its_network_back(
    tmp_path: Path, kind: str, is_int8: bool, tolerance: float
) -> None:
    model = random_transformer(**KINDS[kind])
    again = network_of_bundle(exported(model, tmp_path / "bundle", is_int8=is_int8))
    given = dict(model.named_parameters())
    for name, weights in again.named_parameters():
        wanted = given[name][: len(weights)]
        known = min(len(weights), 24) if "positions" in name else len(weights)
        error = (weights[:known] - wanted[:known]).abs().max() / wanted.abs().max()
        assert error <= tolerance, name


def test_the_network_of_a_bundle_translates_its_canary() -> None:
    bundle = tiny_bundle()
    canary = bundle.manifest.canary
    source = bundle.tokenizer.encode_source(canary.source_text, canary.pair)
    torch.set_num_threads(1)
    (target,) = greedy_translate(network_of_bundle(bundle), [source], max_tokens=40)
    assert tuple(target) == canary.target_ids
