import pytest

from bundle.manifest import Architecture, CacheDtype, Shortlist
from bundle.tensors import (
    NUM_PLACES,
    GraphSpec,
    TensorSpec,
    attention_spec,
    beams_spec,
    candidates_spec,
    cross_key,
    cross_value,
    decoder_spec,
    encoder_spec,
    past_key,
    past_value,
    present_cross_key,
    present_cross_value,
    present_key,
    present_value,
    shortlist_spec,
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
SHORTLIST = Shortlist(num_common=20, num_own=5, max_source_tokens=20, num_pairs=1)
CACHES: tuple[CacheDtype, ...] = ("float32", "int8")
ENCODER, DECODER = encoder_spec(ARCHITECTURE, "int8"), decoder_spec(ARCHITECTURE, "int8")
CANDIDATES, ATTENTION = candidates_spec(100), attention_spec(ARCHITECTURE)
SHORT_DECODER = decoder_spec(ARCHITECTURE, "int8", SHORTLIST)
SHORTLISTING = shortlist_spec(ARCHITECTURE, SHORTLIST)
BEAMS = beams_spec(ARCHITECTURE, "int8")
SPECS = [ENCODER, DECODER, CANDIDATES, ATTENTION, SHORT_DECODER, SHORTLISTING, BEAMS]


def by_name(spec: GraphSpec) -> dict[str, TensorSpec]:
    return {tensor.name: tensor for tensor in (*spec.inputs, *spec.outputs)}


def shapes(spec: GraphSpec) -> dict[str, tuple[int | str, ...]]:
    return {name: tensor.shape for name, tensor in by_name(spec).items()}


@pytest.mark.parametrize("spec", SPECS)
def test_no_name_is_used_twice(spec: GraphSpec) -> None:
    names = [tensor.name for tensor in (*spec.inputs, *spec.outputs)]
    assert len(names) == len(set(names))


def test_what_the_encoder_gives_is_what_the_decoder_takes() -> None:
    given, taken = shapes(ENCODER), shapes(DECODER)
    for layer in range(2):
        for name in (cross_key(layer), cross_value(layer)):
            assert given[name] == ("batch", 4, "source", 8)
            assert taken[name] == ("rows", 4, "source", 8)
    assert cross_key(2) not in taken


def test_the_cache_goes_in_and_comes_out_in_the_same_shape() -> None:
    found = shapes(DECODER)
    pairs = [(past_key, present_key), (past_value, present_value)]
    cross_pairs = [(cross_key, present_cross_key), (cross_value, present_cross_value)]
    for layer in range(2):
        for past, present in pairs:
            assert found[past(layer)] == found[present(layer)] == ("rows", 4, "capacity", 8)
        for past, present in cross_pairs:
            assert found[past(layer)] == found[present(layer)] == ("rows", 4, "source", 8)


def test_beams_differ_from_decoder_and_candidates_in_the_source_alone() -> None:
    apart = shapes(DECODER) | shapes(CANDIDATES)
    found = shapes(BEAMS)
    assert found.pop("place_heads") == ("sentences", 4, NUM_PLACES)
    assert found.pop("row_heads") == ("rows", 4)
    assert apart.keys() - found.keys() == {"logits"}
    differ = {name for name, shape in found.items() if shape != apart[name]}
    assert differ == {"source_lengths"} | {name for name in apart if "cross" in name}
    assert all(found[name] == ("sentences", *apart[name][1:]) for name in differ)


@pytest.mark.parametrize("cache", CACHES)
def test_keys_and_values_and_nothing_else_have_the_dtype_of_the_cache(cache: CacheDtype) -> None:
    for spec in (encoder_spec(ARCHITECTURE, cache), decoder_spec(ARCHITECTURE, cache)):
        for name, tensor in by_name(spec).items():
            if "_key." in name or "_value." in name:
                assert tensor.dtype == cache
            else:
                assert tensor.dtype in ("int64", "int32") or name == "logits"


def test_logits_are_over_the_vocabulary() -> None:
    assert shapes(DECODER)["logits"] == ("rows", 100)


def test_a_decoder_takes_the_shortlist_that_was_prepared_and_is_else_the_same() -> None:
    given, taken, plain = by_name(SHORTLISTING), by_name(SHORT_DECODER), by_name(DECODER)
    prepared = {"shortlist_weights", "shortlist_scales", "shortlist_biases"}
    for name in prepared:
        assert given[name].dtype == taken[name].dtype
        assert given[name].shape == ("batch", *taken[name].shape[1:])
        assert taken[name].shape[0] == "rows"
        assert given[name].shape[-1] == SHORTLIST.num_own
    assert taken.keys() - plain.keys() == prepared | {"whole_vocabulary"}
    assert {name for name in plain if taken[name] != plain[name]} == {"logits"}


def test_candidates_are_chosen_from_what_the_decoder_gives() -> None:
    given, found = by_name(DECODER), by_name(CANDIDATES)
    assert found["logits"] == given["logits"]
    assert found["log_probs"].shape == ("rows", 100)
    assert found["top_log_probs"].shape == found["top_ids"].shape == ("rows", "candidates")


def test_attention_has_every_layer_and_head() -> None:
    found = shapes(ATTENTION)
    assert found["encoder_attention"] == ("batch", 3, 4, "source", "source")
    assert found["decoder_attention"] == ("batch", 2, 4, "target", "target")
    assert found["cross_attention"] == ("batch", 2, 4, "target", "source")


def test_ids_are_64_and_lengths_32_bits_wide() -> None:
    for spec in SPECS:
        for tensor in spec.inputs:
            if tensor.name.endswith("ids"):
                assert tensor.dtype == "int64"
            elif tensor.name.endswith(("lengths", "positions", "total")):
                assert (tensor.dtype, len(tensor.shape)) == ("int32", 1)
