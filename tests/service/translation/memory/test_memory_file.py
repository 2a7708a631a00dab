import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import MemoryShareError, StartupError
from service.translation.memory.memory_file import MAX_FUZZY_CHARS, MemoryFile, is_due
from service.translation.memory.schema import UNIT_BYTES
from service.translation.memory.unit import Space, Unit, canonical

EN_DE = Space.of("", "en", "de")
PLENTY = 1_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[MemoryFile]:
    with closing(MemoryFile(path, 1.0)) as memory:
        yield memory


def put(memory: MemoryFile, *pairs: tuple[str, str], space: Space = EN_DE, **given: float) -> None:
    units = [Unit(source=source, target=target) for source, target in pairs]
    memory.put(space, units, given.get("now_s", 0.0), int(given.get("max_units", PLENTY)))


def target(memory: MemoryFile, text: str, space: Space = EN_DE) -> str | None:
    (found,) = memory.find(space, [text])
    return None if found is None else found.target


def test_equal_source_is_found_without_regard_to_white_space(memory: MemoryFile) -> None:
    put(memory, ("The  caf\u00e9\u00a0is open.", "Das Café ist offen."))
    assert target(memory, "The cafe\u0301 is\topen.") == "Das Café ist offen."
    assert target(memory, "the café is open.") is None


def test_later_translation_replaces_the_earlier(memory: MemoryFile) -> None:
    put(memory, ("a", "1"), ("b", "2"))
    stored = memory.put(
        EN_DE, [Unit(source="a", target="3"), Unit(source="b", target="2")], 0.0, PLENTY
    )
    assert (stored.num_new, stored.num_replaced, stored.num_dropped) == (0, 1, 0)
    assert target(memory, "a") == "3"


def test_keys_and_directions_see_their_own_alone(memory: MemoryFile) -> None:
    put(memory, ("Hello there", "Hallo"), space=Space.of("k1", "en", "de"))
    for other in (EN_DE, Space.of("k2", "en", "de"), Space.of("k1", "de", "en")):
        assert target(memory, "Hello there", other) is None
        assert memory.suggest(other, "Hello thera") == []
    assert target(memory, "Hello there", Space.of("k1", "en-US", "de_DE")) == "Hallo"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("de-DE", "de"), ("de-AT", "de"), ("ger", "de"), ("pt", "pt"), ("pt-BR", "pt")],
)
def test_languages_are_the_same_however_they_are_spelt(code: str, expected: str) -> None:
    assert canonical(code) == canonical(expected)


@pytest.mark.parametrize("codes", [("pt-PT", "pt-BR"), ("zh-TW", "zh-CN"), ("en", "de")])
def test_regions_and_scripts_that_differ_in_writing_are_kept_apart(codes: tuple[str, str]) -> None:
    assert canonical(codes[0]) != canonical(codes[1])


def test_similar_sources_are_suggested_best_first(memory: MemoryFile) -> None:
    put(
        memory,
        ("Press the red button to stop.", "1"),
        ("Press the red button to start.", "2"),
        ("Press a red button to stop it now.", "3"),
        ("An entirely different sentence", "4"),
    )
    found = memory.suggest(EN_DE, "Press the red button to stop!")
    assert [each.translation for each in found] == ["1", "2", "3"][: len(found)]
    assert [each.score for each in found][:2] == [round(28 / 29, 4), round(26 / 30, 4)]
    assert all(0.75 <= each.score < 1 for each in found)


def test_equal_source_is_no_suggestion(memory: MemoryFile) -> None:
    put(memory, ("Press the button.", "1"))
    assert memory.suggest(EN_DE, "Press the  button.") == []


@pytest.mark.parametrize(
    "pair", [("OK!", "OK?"), ("我喜欢这本书。", "我喜欢那本书。"), ("a b c", "a b d")]
)
def test_short_texts_of_any_script_are_similar(memory: MemoryFile, pair: tuple[str, str]) -> None:
    put(memory, (pair[0], "x"))
    score = 1 - 1 / len(pair[0])
    found = memory.suggest(EN_DE, pair[1])
    assert [each.score for each in found] == ([round(score, 4)] if score >= 0.75 else [])


@pytest.mark.parametrize("text", ["", " ", "x" * (MAX_FUZZY_CHARS + 1)])
def test_nothing_is_suggested_for_what_is_no_sentence(memory: MemoryFile, text: str) -> None:
    put(memory, ("x" * MAX_FUZZY_CHARS, "y"))
    assert memory.suggest(EN_DE, text) == []


def test_one_changed_word_is_found_among_thousands(memory: MemoryFile) -> None:
    words = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("a", "el", "ion", "or", "ing", "ate")]
    choose = random.Random(1)
    sources = [" ".join(choose.choices(words, k=12)) for _ in range(3_000)]
    memory.put(EN_DE, [Unit(source=s, target=s.upper()) for s in sources], 0.0, 10_000)
    asked = choose.sample(sources, 100)
    found = 0
    for source in asked:
        changed = source.split()
        changed[choose.randrange(12)] = "button"
        suggested = memory.suggest(EN_DE, " ".join(changed))
        found += source.upper() in [each.translation for each in suggested]
    assert found == 100


def test_least_recently_used_are_removed(memory: MemoryFile) -> None:
    other = Space.of("", "en", "fr")
    put(memory, ("one", "1"), ("two", "2"), now_s=1.0)
    put(memory, ("three", "3"), space=other, now_s=2.0)
    memory.mark_used([each for each in memory.find(EN_DE, ["one"]) if each], now_s=3.0)
    put(memory, ("four", "4"), now_s=4.0, max_units=3)
    kept = [target(memory, "one"), target(memory, "two"), target(memory, "three", other)]
    assert kept == ["1", None, "3"]
    assert target(memory, "four") == "4"
    assert memory.suggest(EN_DE, "twoo") == []


def test_limit_is_of_each_key(memory: MemoryFile) -> None:
    put(memory, ("one", "1"), max_units=1)
    put(memory, ("two", "2"), space=Space.of("k1", "en", "de"), max_units=1)
    assert target(memory, "one") == "1"


def test_use_is_marked_once_an_hour(memory: MemoryFile) -> None:
    put(memory, ("one", "1"), now_s=10_000.0)
    (found,) = memory.find(EN_DE, ["one"])
    assert found is not None
    assert not is_due(found, 10_000.0 + 3_599)
    assert is_due(found, 10_000.0 + 3_601)


def test_everything_of_a_space_can_be_removed(memory: MemoryFile) -> None:
    put(memory, ("one thing", "1"), ("two things", "2"))
    put(memory, ("three", "3"), space=Space.of("k1", "en", "de"))
    assert memory.clear(EN_DE) == 2
    assert memory.suggest(EN_DE, "one things") == []
    assert [count for _, count in memory.spaces()] == [1]
    assert memory.spaces("") == []


def test_units_outlive_the_process(path: Path) -> None:
    with closing(MemoryFile(path, 1.0)) as memory:
        put(memory, ("one", "1"))
    with closing(MemoryFile(path, 1.0)) as memory:
        assert target(memory, "one") == "1"
        assert list(memory.units(EN_DE)) == [Unit(source="one", target="1")]


def test_failed_transaction_leaves_nothing(memory: MemoryFile) -> None:
    def broken() -> Iterator[Unit]:
        yield Unit(source="one", target="1")
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        memory.put(EN_DE, broken(), 0.0, PLENTY)
    assert target(memory, "one") is None
    put(memory, ("two", "2"))
    assert target(memory, "two") == "2"


def test_only_its_owner_reads_the_file(memory: MemoryFile, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_other_files_are_refused_and_not_changed(tmp_path: Path) -> None:
    other = tmp_path / "keys.db"
    with closing(sqlite3.connect(other)) as file:
        file.execute("CREATE TABLE keys (digest)")
    with pytest.raises(StartupError, match="no translation memory"):
        MemoryFile(other, 1.0)
    text = tmp_path / "text.db"
    text.write_text("no database, but long enough to be one " * 20)
    with pytest.raises(StartupError, match="cannot be used"):
        MemoryFile(text, 1.0)
    with pytest.raises(StartupError, match="cannot be used"):
        MemoryFile(tmp_path / "missing" / "memory.db", 1.0)
    with closing(sqlite3.connect(other)) as file:
        assert file.execute("SELECT name FROM sqlite_master").fetchall() == [("keys",)]


def test_file_of_a_later_version_is_refused(path: Path) -> None:
    MemoryFile(path, 1.0).close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(StartupError, match="later version"):
        MemoryFile(path, 1.0)


def test_several_open_a_new_file_and_write_at_once(path: Path) -> None:
    faults: list[Exception] = []
    ready = threading.Barrier(4)

    def write(name: str) -> None:
        try:
            ready.wait()
            with closing(MemoryFile(path, 30.0)) as memory:
                for number in range(20):
                    put(memory, (f"{name} {number}", name))
        except Exception as error:  # noqa: BLE001 - shown below
            faults.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with closing(MemoryFile(path, 1.0)) as memory:
        assert memory.spaces() == [(EN_DE, 80)]


def sizes(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as file:
        return dict(file.execute("SELECT owner, sum(size_bytes) FROM spaces GROUP BY owner"))


def test_bytes_of_each_key_are_counted(path: Path, memory: MemoryFile) -> None:
    mine, yours = Space.of("mine", "en", "de"), Space.of("yours", "en", "de")
    put(memory, ("one", "eins"), ("two", "zwei"), space=mine)
    put(memory, ("one", "Größe"), space=yours)
    assert sizes(path) == {"mine": 2 * UNIT_BYTES + 14, "yours": UNIT_BYTES + 10}
    put(memory, ("one", "eins eins"), space=mine)
    assert sizes(path)["mine"] == 2 * UNIT_BYTES + 19
    put(memory, ("three", "drei"), space=mine, now_s=1.0, max_units=1)
    assert sizes(path)["mine"] == UNIT_BYTES + 9
    memory.remove(mine, "three")
    memory.clear(yours)
    assert sizes(path) == {"mine": 0, "yours": 0}


def test_bytes_of_an_older_file_are_counted_once_it_is_opened(
    path: Path, memory: MemoryFile
) -> None:
    put(memory, ("one", "eins"), ("two", "zwei"))
    with closing(sqlite3.connect(path)) as file:
        for trigger in ("units_grow", "units_shrink", "units_change"):
            file.execute(f"DROP TRIGGER {trigger}")
        file.execute("ALTER TABLE spaces DROP COLUMN size_bytes")
    with closing(MemoryFile(path, 1.0)) as opened:
        assert sizes(path) == {"": 2 * UNIT_BYTES + 14}
        put(opened, ("three", "drei"))
    assert sizes(path) == {"": 3 * UNIT_BYTES + 23}


def test_a_key_has_its_share_of_what_others_leave(path: Path) -> None:
    mine, yours = Space.of("mine", "en", "de"), Space.of("yours", "en", "de")
    unit_bytes, max_units = UNIT_BYTES + 20, 1_000

    def units(count: int, name: str = "u") -> list[Unit]:
        return [Unit(source=f"{name} {n:08}", target="x" * 10) for n in range(count)]

    with closing(MemoryFile(path, 1.0, max_bytes=1_000 * unit_bytes)) as memory:
        memory.put(mine, units(400), 0.0, max_units, 0.5)
        memory.put(yours, units(300), 0.0, max_units, 0.5)
        with pytest.raises(MemoryShareError, match=r"168,420 bytes .* limit is 147,000, 0\.5 of"):
            memory.put(mine, units(401), 0.0, max_units, 0.5)
        assert memory.spaces() == [(mine, 400), (yours, 300)]
        shorter = [Unit(source=unit.source, target="y") for unit in units(10)]
        assert memory.put(mine, shorter, 0.0, max_units, 0.5).num_replaced == 10
        memory.clear(yours)
        assert memory.put(mine, units(401), 0.0, max_units, 0.5).num_new == 1
        memory.put(mine, units(600), 0.0, max_units)
        assert memory.put(mine, units(1, "v"), 1.0, 300, 0.5).num_dropped == 301
