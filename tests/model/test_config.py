import math
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from model.architecture import Architecture, AttentionScore, Positions
from model.config import parse_config, parse_recorded_config, read_config
from model.errors import ConfigError
from tests.model.networks import ARCHITECTURE, random_ids, random_network
from tests.model.runs import config_text

CONFIGS = Path(__file__).parents[2] / "model" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_committed_configuration_is_valid(path: Path) -> None:
    config = read_config(path)
    assert config.name == path.stem
    assert all(source.licence for source in config.data.sources)


def test_all_faults_are_reported_at_once() -> None:
    text = config_text(batch_tokens=0, optimizer="sgd", colour="red")
    text = text.replace("d_model = 16", 'd_model = "wide"').replace('name = "tiny"\n', "")
    with pytest.raises(ConfigError) as refused:
        parse_config(text, where="run.toml")
    told = str(refused.value)
    assert told.startswith("run.toml: ")
    for name in ("name", "batch_tokens", "optimizer", "colour", "architecture.d_model"):
        assert name in told
    assert len(refused.value.faults) == 5


@pytest.mark.parametrize("section", ["", "[data]", "[tokenizer]", "[architecture]", "[training]"])
def test_an_unknown_key_is_refused_in_every_section(section: str) -> None:
    if section:
        text = config_text().replace(section, f"{section}\nwhat_is_this = 1")
    else:
        text = f"what_is_this = 1\n{config_text()}"
    with pytest.raises(ConfigError, match=r"what_is_this: Extra inputs are not permitted"):
        parse_config(text, where="run.toml")


def test_a_run_must_end() -> None:
    text = config_text().replace("max_steps = 12\n", "")
    with pytest.raises(ConfigError, match="max_steps or max_minutes is needed"):
        parse_config(text, where="run.toml")


def test_a_corpus_longer_than_the_positions_is_refused() -> None:
    text = config_text().replace("max_tokens = 64", "max_tokens = 65")
    with pytest.raises(ConfigError, match=r"data\.max_tokens 65 is over .*max_positions 64"):
        parse_config(text, where="run.toml")


def test_an_architecture_that_does_not_fit_together_is_refused_with_the_other_faults() -> None:
    text = config_text(batch_tokens=0).replace("d_model = 16", "d_model = 15")
    with pytest.raises(ConfigError) as refused:
        parse_config(text, where="run.toml")
    told = str(refused.value)
    for fault in (
        "batch_tokens",
        "d_model 15 is not a multiple of num_heads",
        "d_model 15 is odd, but",
    ):
        assert fault in told


def test_ids_that_do_not_fit_16_bits_are_refused() -> None:
    text = config_text().replace("vocab_size = 420", "vocab_size = 65537")
    with pytest.raises(ConfigError, match=r"tokenizer\.vocab_size"):
        parse_config(text, where="run.toml")


@pytest.mark.parametrize(
    "values",
    [
        {"seed": -1},
        {"seed": 2**63},
        {"learning_rate": math.inf},
        {"matrix_learning_rate": math.inf},
    ],
)
def test_numbers_that_no_run_could_use_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"training\.{next(iter(values))}"):
        parse_config(config_text(**values), where="run.toml")


def test_a_source_is_not_weighed_without_bound() -> None:
    sources = '[data]\nsources = [{ name = "toy", weight = inf }]'
    with pytest.raises(ConfigError, match=r"data\.sources\.0\.weight"):
        parse_config(config_text().replace("[data]", sources), where="run.toml")


def test_only_held_out_pairs_are_scored_beside_the_development_set() -> None:
    text = config_text().replace("[training]", '[training]\nvalidation_sources = ["news"]')
    with pytest.raises(ConfigError, match=r"validation_sources: no held_out of news"):
        parse_config(text, where="run.toml")


def test_a_run_goes_on_with_another_budget_but_not_with_another_network() -> None:
    run = parse_config(config_text(), where="run.toml")
    longer = config_text(max_steps=99, validate_every=7, precision="bf16")
    assert parse_config(longer, where="run.toml").resumes(run)
    for other in (config_text(seed=2), config_text(batch_tokens=7), longer.replace("= 32", "= 48")):
        assert not parse_config(other, where="run.toml").resumes(run)


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"run\.toml: not TOML: .*line 1"):
        parse_config("name = tiny\n[data]", where="run.toml")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "run.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"run\.toml: "):
        read_config(tmp_path / "run.toml")


def test_the_vocabulary_decides_the_size_of_the_network() -> None:
    config = parse_config(config_text(), where="run.toml")
    architecture = config.architecture.with_vocabulary(321)
    assert (architecture.vocab_size, architecture.d_model, architecture.head_dim) == (321, 16, 8)


def test_an_architecture_that_cannot_be_says_everything_that_is_wrong() -> None:
    with pytest.raises(ConfigError) as refused:
        Architecture(
            vocab_size=0,
            d_model=15,
            num_heads=4,
            dropout=1.0,
            inner_dropout=-0.1,
            activation="tanh",  # type: ignore[arg-type]
        )
    assert refused.value.faults == (
        "vocab_size is 0, must be >= 1",
        "d_model 15 is not a multiple of num_heads 4",
        (
            "d_model 15 is odd, but sinusoidal positions fill its columns in pairs: make it even "
            "or choose other positions"
        ),
        "dropout is 1.0, must be in [0, 1)",
        "inner_dropout is -0.1, must be in [0, 1)",
        "activation is 'tanh', must be one of ('relu', 'gelu', 'swish')",
    )


@pytest.mark.parametrize("score", ["additive", "bilinear"])
def test_rotary_positions_need_pairs_of_channels_and_a_score_that_keeps_them_relative(
    score: AttentionScore,
) -> None:
    with pytest.raises(ConfigError) as refused:
        Architecture(
            vocab_size=9, d_model=6, num_heads=2, positions="rotary", attention_score=score
        )
    assert refused.value.faults == (
        (
            "heads are 3 wide (d_model 6 / num_heads 2), but rotary positions turn pairs of "
            "channels: make it even"
        ),
        (
            f"attention_score '{score}' makes rotary positions absolute: choose one of "
            "('scaled_dot', 'euclidean', 'cosine'), or relative positions"
        ),
    )


@pytest.mark.parametrize("positions", get_args(Positions))
def test_an_odd_width_is_refused_where_positions_come_in_pairs(positions: Positions) -> None:
    shape = replace(ARCHITECTURE, num_heads=3, d_model=18)
    if positions in ("sinusoidal", "rotary"):
        with pytest.raises(ConfigError, match=r"d_model 15.*pairs.* even"):
            replace(shape, d_model=15, positions=positions)
        return
    network = random_network(replace(shape, d_model=15, positions=positions))
    assert network(random_ids(2, 5), None, random_ids(2, 4)).isfinite().all()


def test_an_architecture_that_cannot_be_is_refused_before_anything_is_trained() -> None:
    text = config_text().replace("num_heads = 2", "num_heads = 3")
    with pytest.raises(ConfigError, match=r"architecture: .*16 is not a multiple of num_heads 3"):
        parse_config(text, where="run.toml")


def test_a_section_of_an_earlier_version_is_left_out_of_a_record_alone() -> None:
    text = config_text()
    guided = text.replace("[training]", "[alignment]\nweight = 0.05\nhead = 0\n[training]")
    recorded = parse_recorded_config(guided, where="averaged.pt")
    assert recorded == parse_config(text, where="run.toml")
    with pytest.raises(ConfigError, match=r"alignment: Extra inputs"):
        parse_config(guided, where="run.toml")
    with pytest.raises(ConfigError, match=r"colour: Extra inputs"):
        parse_recorded_config(f"colour = 3\n{guided}", where="averaged.pt")
