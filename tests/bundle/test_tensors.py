import pytest

from bundle.manifest import Architecture
from bundle.tensors import (
    GraphSpec,
    attention_spec,
    cross_key,
    cross_value,
    decoder_spec,
    encoder_spec,
    past_key,
    past_value,
    present_key,
    present_value,
)

ARCHITECTURE = Architecture(
    vocab_size=100,
    d_model=32,
    d_ff=64,
    num_heads=4,
    num_encoder_layers=3,
    num_decoder_layers=2,
    activation="relu",
    norm_position="post",
    positions="sinusoidal",
    num_parameters=1,
)
SPECS = [encoder_spec(ARCHITECTURE), decoder_spec(ARCHITECTURE), attention_spec(ARCHITECTURE)]


def shapes(spec: GraphSpec) -> dict[str, tuple[int | str, ...]]:
    return {tensor.name: tensor.shape for tensor in (*spec.inputs, *spec.outputs)}


@pytest.mark.parametrize("spec", SPECS)
def test_no_name_is_used_twice(spec: GraphSpec) -> None:
    names = [tensor.name for tensor in (*spec.inputs, *spec.outputs)]
    assert len(names) == len(set(names))


def test_what_the_encoder_gives_is_what_the_decoder_takes() -> None:
    given = shapes(SPECS[0])
    taken = shapes(SPECS[1])
    for layer in range(2):
        for name in (cross_key(layer), cross_value(layer)):
            assert given[name] == ("batch", 4, "source", 8)
            assert taken[name] == ("rows", 4, "source", 8)
    assert cross_key(2) not in taken


def test_the_cache_goes_in_and_comes_out_in_the_same_shape() -> None:
    found = shapes(SPECS[1])
    for layer in range(2):
        pairs = [(past_key, present_key), (past_value, present_value)]
        for past, present in pairs:
            assert found[past(layer)] == found[present(layer)] == ("rows", 4, "capacity", 8)


def test_logits_are_over_the_vocabulary() -> None:
    assert shapes(SPECS[1])["logits"] == ("rows", 100)


def test_attention_has_every_layer_and_head() -> None:
    found = shapes(SPECS[2])
    assert found["encoder_attention"] == ("batch", 3, 4, "source", "source")
    assert found["decoder_attention"] == ("batch", 2, 4, "target", "target")
    assert found["cross_attention"] == ("batch", 2, 4, "target", "source")


def test_ids_are_64_and_lengths_32_bits_wide() -> None:
    for spec in SPECS:
        for tensor in spec.inputs:
            if tensor.name.endswith("ids"):
                assert tensor.dtype == "int64"
            elif len(tensor.shape) == 1:
                assert tensor.dtype == "int32"
