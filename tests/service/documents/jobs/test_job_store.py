"""Jobs as folders that replicas share."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from service.documents.jobs.job import FileJob, FileOptions
from service.documents.jobs.job_store import JobStore
from service.documents.jobs.replicas import Replica, is_abandoned
from service.scheduling.limits import Client
from service.text.masking.glossary import GlossaryEntry

ID = "0123456789abcdef" * 2
JOB = FileJob(
    id=ID,
    file_name=f"{ID}.a_de.txt",
    suffix=".txt",
    options=FileOptions(source="auto", target="de", beam_size=4),
    accepted_s=1.5,
    input_bytes=3,
    client=Client(name="k", weight=2.0),
)


def test_a_job_comes_back_as_it_was(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    store.create(JOB, b"abc")
    assert store.load(ID) == JOB
    assert store.input(ID).read_bytes() == b"abc"
    assert [*store.ids()] == [ID]
    assert (tmp_path / ID).stat().st_mode & 0o777 == 0o700
    store.close()


@pytest.mark.parametrize("job_id", ["", ".", "..", "../x", ".replicas", ID.upper(), ID + "\n"])
def test_only_ids_are_looked_for(tmp_path: Path, job_id: str) -> None:
    store = JobStore(tmp_path)
    store.create(JOB, b"abc")
    assert store.load(job_id) is None
    store.close()


def test_a_job_of_a_live_replica_cannot_be_claimed(tmp_path: Path) -> None:
    one, two = JobStore(tmp_path), JobStore(tmp_path)
    one.create(JOB, b"abc")
    assert two.claim(JOB) is None
    one.close()
    assert two.claim(JOB) == 2
    two.close()


def test_one_replica_alone_claims_a_job_and_the_former_owner_sees_it(tmp_path: Path) -> None:
    one, two, three = (JobStore(tmp_path) for _ in range(3))
    one.create(JOB, b"abc")
    one.close()
    assert [store.claim(JOB) for store in (two, three)] == [2, None]
    assert not one.save(JOB, 1)
    assert two.save(JOB, 2)
    two.close()
    three.close()


def test_a_claim_that_is_being_written_counts(tmp_path: Path) -> None:
    one, two = JobStore(tmp_path), JobStore(tmp_path)
    one.create(JOB, b"abc")
    one.close()
    owner = tmp_path / ID / "owner.2"
    owner.touch()
    two.replica.beat()
    assert two.claim(JOB) is None
    os.utime(owner, (0, 0))
    assert two.claim(JOB) == 3, "its replica died over it"
    two.close()


def test_a_replica_of_another_machine_lives_while_it_beats(tmp_path: Path) -> None:
    ours = Replica(tmp_path)
    theirs = tmp_path / ".replicas" / "theirs"
    theirs.write_text("another kernel", encoding="ascii")
    ours.beat()
    assert ours.is_alive("theirs")
    os.utime(theirs, (theirs.stat().st_mtime - 20,) * 2)
    assert not ours.is_alive("theirs")
    ours.remove_dead()
    assert not theirs.exists()
    assert ours.is_alive(ours.id)
    ours.close()


def test_a_folder_is_abandoned_once_its_replicas_are_dead(tmp_path: Path) -> None:
    assert not is_abandoned(tmp_path), "it may be about to begin"
    replica = Replica(tmp_path)
    assert not is_abandoned(tmp_path)
    (tmp_path / ".replicas" / "killed").touch()
    assert not is_abandoned(tmp_path)
    replica.close()
    assert is_abandoned(tmp_path)


def test_a_job_over_which_many_owners_die_is_given_up(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    store.create(JOB, b"abc")
    for number in range(1, 12):
        assert store.is_given_up(ID) == (number > 10)
        store.append(ID, number, b"")
    store.append(ID, 11, b"[[0],[1]]\n")
    assert not store.is_given_up(ID)
    store.close()


def test_what_was_left_half_made_goes_by_age(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    store.create(JOB, b"abc")
    for name in (f".{ID}", "f" * 32, "something-else"):
        (tmp_path / name).mkdir()
    store.remove_older(0)
    assert len([*tmp_path.iterdir()]) == 5
    store.remove_older(2**40)
    assert {path.name for path in tmp_path.iterdir()} == {".replicas", ID, "something-else"}
    store.close()


def test_a_glossary_is_kept_until_the_job_ends(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    entries = (GlossaryEntry(source="a", target="ä"), GlossaryEntry(source="b c", target="d"))
    without = replace(JOB, id="1" * 32)
    store.create(JOB, b"abc", entries)
    store.create(without, b"abc")
    assert store.glossary(ID) == entries
    assert store.glossary(without.id) == ()
    store.remove_work(ID)
    assert store.glossary(ID) == ()
    store.close()
