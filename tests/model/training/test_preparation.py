from pathlib import Path

import numpy as np
import pytest

from model.config import parse_config
from model.data.batching import EncodedCorpus
from model.data.corpus import read_pairs
from model.data.held_out import HELD_OUT_NAME
from model.errors import CheckpointError, ConfigError, CorpusError
from model.training.checkpoint import AVERAGED_NAME
from model.training.preparation import CORPUS_NAME, COUNTS_NAME, check_start, prepare
from model.training.training_data import TrainingData
from tests.model.runs import both_ways, config_text, new_trainer, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def prepared(text: str, data: Path, out: Path, *, is_resumed: bool = False) -> TrainingData:
    return prepare(parse_config(text, where="test"), data, out, is_resumed=is_resumed)


def with_data(text: str, *lines: str) -> str:
    return text.replace("[data]", "\n".join(["[data]", *lines]))


def test_an_epoch_in_which_no_pair_is_short_enough_is_refused(data: Path, out: Path) -> None:
    text = config_text().replace("max_tokens = 64", "max_tokens = 2")
    with pytest.raises(CorpusError, match=r"data\.max_tokens"):
        new_trainer(text, data, out)


def test_development_pairs_that_are_too_long_are_left_out(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path)
    short = (data / "dev.tsv").read_text(encoding="utf-8")
    long = "the dog " * 60
    (data / "dev.tsv").write_text(f"{long}\t{long}\n{short}", encoding="utf-8")
    assert new_trainer(config_text(), data, out).run().step == 12


def test_sources_choose_and_weigh_the_pairs(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path, num_pairs=40)
    lines = (data / "train.tsv").read_text(encoding="utf-8").splitlines()
    names = ["twice", "never", "unnamed", "once"]
    text = "\n".join(line.replace("toy", names[i % 4]) for i, line in enumerate(lines))
    (data / "train.tsv").write_text(text, encoding="utf-8")
    sources = [("twice", 2.0), ("never", 0.0), ("once", 1.0)]
    listed = ", ".join(f'{{ name = "{name}", weight = {weight} }}' for name, weight in sources)
    config = parse_config(
        config_text().replace("max_tokens", f"sources = [{listed}]\nmax_tokens"), where="test"
    )
    found = prepare(config, data, out)
    assert found.num_pairs == {"twice": 10, "once": 10}
    assert sorted(found.corpus.weights.tolist()) == [1.0] * 10 + [2.0] * 10


def test_both_directions_see_every_pair_behind_the_piece_of_its_target(
    data: Path, out: Path
) -> None:
    one = prepared(config_text(), data, out).corpus
    prepared_both = prepared(both_ways(config_text()), data, out)
    both, tokenizer = prepared_both.corpus, prepared_both.tokenizer
    assert len(both) == 2 * len(one) == 240
    firsts = both.source_ids[both.source_starts[:-1]]
    tags = [tokenizer.piece_to_id(tag) for tag in (">>de<<", ">>en<<")]
    assert firsts.tolist() == [tags[0]] * 120 + [tags[1]] * 120
    begins, ends = both.source_starts[120], both.source_starts[121]
    assert (
        both.source_ids[begins + 1 : ends].tolist()
        == one.target_ids[: one.target_starts[1]].tolist()
    )
    sets = {each.name: each.pairs for each in prepared_both.validation}
    assert list(sets) == ["dev en-de", "dev de-en"]
    forward, backward = sets["dev en-de"][0], sets["dev de-en"][0]
    assert (forward.source, forward.prefix) == (backward.target, ">>de<<")
    assert (backward.source, backward.prefix) == (forward.target, ">>en<<")


def test_a_direction_without_a_piece_is_refused(data: Path, out: Path) -> None:
    text = both_ways(config_text()).replace('"de"', '"nl"')
    with pytest.raises(ConfigError, match="language_tags lacks >>nl<<"):
        parse_config(text, where="test")
    spelt = text.replace("[tokenizer]", '[tokenizer]\nlanguage_tags = [">>en<<", ">>nl<<"]')
    prepared(config_text(), data, out)
    with pytest.raises(ConfigError, match="the vocabulary has no piece >>nl<<"):
        prepared(spelt, data, out, is_resumed=True)


def test_held_out_pairs_lie_beside_the_run_and_are_not_trained_on(data: Path, out: Path) -> None:
    text = with_data(config_text(), 'sources = [{ name = "toy", held_out = 7 }]')
    text = text.replace("[training]", '[training]\nvalidation_sources = ["toy"]')
    first = prepared(text, data, out)
    held_out, _ = read_pairs(HELD_OUT_NAME, out)
    assert len(held_out) == 7
    assert first.num_pairs == {"toy": 113}
    assert [each.name for each in first.validation] == ["dev en-de", "toy en-de"]
    assert list(first.validation[1].pairs) == held_out[:4]
    again = prepared(text, data, out, is_resumed=True)
    assert again.validation == first.validation
    # A new run in the same folder takes nothing from it.
    prepared(config_text(), data, out)
    assert not (out / HELD_OUT_NAME).exists()


def test_a_resumed_run_reuses_its_prepared_data(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path)
    first = prepared(both_ways(config_text()), data, out)
    (data / "train.tsv").unlink()
    again = prepared(both_ways(config_text()), data, out, is_resumed=True)
    assert again.num_pairs == first.num_pairs
    for name in EncodedCorpus.__slots__:
        np.testing.assert_array_equal(getattr(again.corpus, name), getattr(first.corpus, name))
    (out / COUNTS_NAME).unlink()
    with pytest.raises(CorpusError, match=r"train\.tsv cannot be read"):
        prepared(both_ways(config_text()), data, out, is_resumed=True)


def test_development_pairs_are_not_trained_on(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path)
    leaked = (data / "dev.tsv").read_text(encoding="utf-8").splitlines(keepends=True)[:5]
    with (data / "train.tsv").open("a", encoding="utf-8") as file:
        file.writelines(leaked)
    assert prepared(config_text(), data, out).num_pairs == {"toy": 120}


def test_bad_pairs_are_left_out_where_that_is_asked_for(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path)
    with (data / "train.tsv").open("a", encoding="utf-8") as file:
        file.write("Copied\tCopied\ttoy\nSave %s\tSpeichern\ttoy\n")
    assert prepared(config_text(), data, out).num_pairs == {"toy": 122}
    text = with_data(config_text(), "is_filtered = true")
    assert prepared(text, data, out).num_pairs == {"toy": 120}


def test_variants_weigh_as_much_as_what_they_were_made_from(data: Path, out: Path) -> None:
    text = with_data(config_text(), 'sources = [{ name = "toy", weight = 0.5 }]')
    text = text.replace("[training]", "[augmentation]\nlower_case = 1.0\n[training]")
    both = prepared(both_ways(text), data, out)
    assert both.corpus.weights.tolist() == [0.5] * 480
    assert both.num_pairs == {"toy": 120}


def test_files_of_held_out_pairs_are_not_trained_on(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path)
    lines = (data / "train.tsv").read_text(encoding="utf-8").splitlines()
    source = lines[0].split("\t")[0]
    (data / "news.tsv").write_text(f"{source.rstrip('.')}!\tnothing like it\n", encoding="utf-8")
    same = sum(line.split("\t")[0] == source for line in lines)
    text = with_data(config_text(), 'held_out = ["news.tsv"]')
    assert prepared(text, data, out).num_pairs == {"toy": 120 - same}


def test_pairs_are_mended_where_that_is_asked_for(tmp_path: Path, out: Path) -> None:
    data = write_data(tmp_path)
    with (data / "train.tsv").open("a", encoding="utf-8") as file:
        file.write("?plural:Dogs\t?plural:Hunde\ttoy\n")
    text = with_data(config_text(), "is_cleaned = true")
    assert prepared(text, data, out).num_pairs == {"toy": 120}


def test_what_a_misspelt_source_leaves_out_is_reported(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path, num_pairs=12)
    with (data / "train.tsv").open("a", encoding="utf-8") as file:
        file.write("A lamp.\tEine Lampe.\tEuroparl\n")
    sources = 'sources = [{ name = "toy" }, { name = "europarl" }]'
    found = prepared(with_data(config_text(), sources), data, out)
    assert found.num_pairs == {"toy": 12}
    said = capsys.readouterr().out
    assert "left out, because data.sources does not name their source: 1 of Europarl\n" in said
    assert "data.sources names what no pair comes from: europarl\n" in said


def test_a_source_is_named_once(data: Path, out: Path) -> None:
    sources = 'sources = [{ name = "toy" }, { name = "toy", weight = 0.5 }]'
    with pytest.raises(ConfigError, match=r"data\.sources: toy is named 2 times"):
        prepared(with_data(config_text(), sources), data, out)


@pytest.mark.parametrize("lines", [[], ['held_out = ["dev.tsv"]']])
def test_training_text_that_is_all_held_out_is_refused(
    tmp_path: Path, out: Path, lines: list[str]
) -> None:
    data = write_data(tmp_path)
    (data / "train.tsv").write_bytes((data / "dev.tsv").read_bytes())
    with pytest.raises(CorpusError, match="share a side with a development or held-out pair"):
        prepared(with_data(config_text(), *lines), data, out)


@pytest.mark.parametrize("name", [CORPUS_NAME, COUNTS_NAME])
@pytest.mark.parametrize("share", [0.0, 0.9])
def test_broken_prepared_data_is_refused_with_the_remedy(
    data: Path, out: Path, name: str, share: float
) -> None:
    first = prepared(config_text(), data, out)
    content = (out / name).read_bytes()
    (out / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"remove corpus\.npz and pairs\.json, and --resume"):
        prepared(config_text(), data, out, is_resumed=True)
    for each in (CORPUS_NAME, COUNTS_NAME):
        (out / each).unlink()
    again = prepared(config_text(), data, out, is_resumed=True)
    for array in EncodedCorpus.__slots__:
        np.testing.assert_array_equal(getattr(again.corpus, array), getattr(first.corpus, array))


def test_initial_weights_of_another_network_are_refused(data: Path, tmp_path: Path) -> None:
    start = tmp_path / "first"
    start.mkdir()
    new_trainer(config_text(max_steps=1), data, start).run()
    config = parse_config(config_text().replace("d_ff = 32", "d_ff = 48"), where="test")
    with pytest.raises(CheckpointError, match=r"feed_forward\.inner\.weight: \[32, 16\]"):
        check_start(config, start / AVERAGED_NAME)
    with pytest.raises(CheckpointError, match=r"first is a folder: name averaged\.pt or best\.pt"):
        check_start(config, start)
