from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.contestants.interface import Contestant, EngineName, Request, Threads, open_engine
from model.architecture import NormPosition
from model.greedy import greedy_translate
from tests.export.networks import random_ids, random_transformer

# Their imports warn of what is none of our business.
pytestmark = pytest.mark.filterwarnings("ignore")
MAX_TOKENS = 12


def is_installed(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


needs_transformers = pytest.mark.skipif(
    not is_installed("transformers") or not is_installed("optimum.onnxruntime"),
    reason="transformers and Optimum come with the extra `benchmarks`",
)


@needs_transformers
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("engine", ["transformers", "optimum"])
def test_hugging_face_gives_the_translations_of_the_network(
    tmp_path: Path, norm: NormPosition, engine: EngineName
) -> None:
    from benchmarks.contestants.transformers_converter import (
        convert_to_optimum,
        convert_to_transformers,
    )

    model = random_transformer(norm_position=norm)
    convert_to_transformers(model, tmp_path / "transformers")
    if engine == "optimum":
        convert_to_optimum(tmp_path / "transformers", tmp_path / "optimum")
    contestant = Contestant(
        engine=engine,
        precision="float32",
        folder=tmp_path / engine,
        mode="batch",
        order="sorted",
    )
    sources = random_ids(8, seed=2)
    opened = open_engine(contestant, Threads(intra=1))
    requests = [Request(source_ids=tuple(s), max_target_tokens=MAX_TOKENS) for s in sources]
    targets = opened.translate(requests, batch=3, beam=1)
    torch.set_num_threads(1)
    wanted = [greedy_translate(model, [s], max_tokens=MAX_TOKENS)[0] for s in sources]
    assert [list(target) for target in targets] == wanted
    assert len(opened.translate(requests, batch=8, beam=4)) == len(sources)


@pytest.mark.skipif(not is_installed("transformers"), reason="transformers is not installed")
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_scale_in_the_weights_is_the_same_network(tmp_path: Path, norm: NormPosition) -> None:
    from benchmarks.contestants.transformers import load_network
    from benchmarks.contestants.transformers_converter import convert_to_transformers

    model = random_transformer(norm_position=norm, scale_embedding=True)
    convert_to_transformers(model, tmp_path / "outside")
    convert_to_transformers(model, tmp_path / "inside", scale_in_weights=True)
    source, target = torch.tensor([[5, 6, 7, 3]]), torch.tensor([[2, 8, 9]])
    networks: list[Any] = [load_network(tmp_path / name) for name in ("outside", "inside")]
    outside, inside = networks
    with torch.no_grad():
        logits = [
            each(input_ids=source, decoder_input_ids=target).logits for each in (outside, inside)
        ]
        embedded = inside(
            inputs_embeds=inside.get_input_embeddings()(source), decoder_input_ids=target
        ).logits
    torch.testing.assert_close(logits[1], logits[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(embedded, logits[0], atol=1e-5, rtol=0)


@needs_transformers
def test_separate_embeddings_are_refused(tmp_path: Path) -> None:
    from benchmarks.contestants.transformers_converter import convert_to_transformers

    with pytest.raises(ValueError, match="tied embeddings"):
        convert_to_transformers(random_transformer(tie_embeddings=False), tmp_path / "model")
