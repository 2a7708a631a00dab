"""`pellucid install` from a mirror on loopback, in the true format of every index."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bundle.reader import read_bundle
from export.installation.lock import installation_lock
from service.cli.main import main
from service.models.discovery import read_bundles
from service.settings import load_settings
from tests.export.importers.firefox.firefox_models import save_model
from tests.export.importers.test_without_torch import run as without_torch
from tests.export.installation.mirror import (
    RECORDS_PATH,
    Mirror,
    argos_zip,
    attachment_path,
    put_argos,
    put_firefox,
    put_hub,
    put_models_json,
    put_records,
    records_of,
)

COMMAND = "import sys; from service.cli.main import main; sys.exit(main())"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command ends that cannot do what it should."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    message = [line for line in lines if line.startswith("pellucid ")]
    assert len(message) == 1
    assert [line for line in lines if "Traceback" in line] == []
    return message[0]


def content_of(folder: Path) -> dict[str, bytes]:
    """All that a user sees in a folder of bundles."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }


def test_a_model_is_installed_where_the_service_looks(
    listed: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "en-de"]) == 0
    shown = capsys.readouterr().out
    assert "en-de: tiny 3.0 from firefox" in shown
    assert "licence: MPL-2.0" in shown
    manifest = read_bundle(folder / "en-de").manifest
    assert manifest.name == "en-de-firefox"
    assert manifest.precision == "int8"
    assert manifest.provenance.foreign is not None
    assert manifest.provenance.foreign.name == "firefox-tiny-3.0"
    assert folder / "en-de" in [b.path for b in read_bundles(load_settings().bundles)]
    assert sorted(path.name for path in folder.iterdir()) == [
        ".downloads",
        ".install.lock",
        "en-de",
    ]
    assert list((folder / ".downloads").iterdir()) == []
    assert listed.asked("/v1/") != []  # the server says where its attachments are


def test_what_is_installed_is_not_downloaded_again(
    listed: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "en-de"]) == 0
    before = content_of(folder)
    listed.requests.clear()
    assert main(["install", "en-de"]) == 0
    assert "installed already" in capsys.readouterr().out
    assert [r.path for r in listed.requests] == [RECORDS_PATH, "/v1/"]
    assert content_of(folder) == before


def test_a_dry_run_only_says_what_it_would_do(
    listed: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "en-de", "--dry-run"]) == 0
    assert "MB to download; licence: MPL-2.0" in capsys.readouterr().out
    assert [r.path for r in listed.requests] == [RECORDS_PATH, "/v1/"]
    assert not folder.exists()


def test_models_json_is_read_too(mirror: Mirror, folder: Path, small_model: Path) -> None:
    index = put_models_json(mirror, {"en-de": small_model})
    assert main(["install", "en-de", "--index", index]) == 0
    assert read_bundle(folder / "en-de").manifest.pairs[0].target == "de"


def test_files_that_are_whole_are_kept_where_the_index_has_no_sizes(
    mirror: Mirror, folder: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = put_models_json(mirror, {"en-de": small_model})
    first, *_, last = [path for path in mirror.resources if path.startswith("/bucket/models/")]
    mirror.resources[last].breaks_after = [0, 0, 0]
    refused(capsys, "install", "en-de", "--index", index)
    assert main(["install", "en-de", "--index", index]) == 0
    size_bytes = len(mirror.resources[first].content)
    assert [r.range_start for r in mirror.asked(first)] == [None, size_bytes]


def test_an_index_on_the_disk_needs_no_network(
    listed: Mirror, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = tmp_path / "mirror"
    for record in records_of(listed):
        path = local / record["attachment"]["location"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(listed.resources[attachment_path(record)].content)
    (local / "records.json").write_bytes(listed.resources[RECORDS_PATH].content)

    def no_network(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert main(["install", "en-de", "--index", str(local / "records.json")]) == 0
    assert (folder / "en-de").is_dir()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_package_of_argos_is_installed(
    mirror: Mirror, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")
    from tests.export.importers.ct2 import ct2_models

    package = ct2_models.save_package(tmp_path / "package")
    put_argos(mirror, argos_zip(package, "translate-en_de-1_9"), "en", "de")
    assert main(["install", "en-de", "--from", "argos"]) == 0
    assert "translate-en_de 1.9 from argos" in capsys.readouterr().out
    manifest = read_bundle(folder / "en-de").manifest
    assert manifest.provenance.foreign is not None
    assert manifest.provenance.foreign.kind == "ctranslate2"


def test_a_package_that_cannot_be_unpacked_is_not_kept(
    mirror: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_argos(mirror, b"no zip", "en", "de")
    message = refused(capsys, "install", "en-de", "--from", "argos")
    assert "the download is broken; try again" in message
    assert list(folder.rglob("*.zip")) == []


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")
@pytest.mark.filterwarnings("ignore:Moving the following attributes:UserWarning")
def test_a_repository_of_opus_is_installed(
    hub: Mirror, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    from tests.export.importers.hf_marian import hf_models

    model = hf_models.save_model(tmp_path / "model", max_position_embeddings=512)
    put_hub(hub, model, "Helsinki-NLP/opus-mt-en-de", "cc-by-4.0")
    assert main(["install", "en-de", "--from", "opus"]) == 0
    assert "opus-mt-en-de 01234567 from opus" in capsys.readouterr().out
    foreign = read_bundle(folder / "en-de").manifest.provenance.foreign
    assert foreign is not None
    assert foreign.licence == "cc-by-4.0"
    assert "cc-by-4.0" in (folder / "en-de" / "MODEL_CARD.md").read_text("utf-8")


def test_a_pickle_is_refused_before_it_is_downloaded_where_torch_is_missing(
    hub: Mirror, folder: Path, tmp_path: Path
) -> None:
    for name in ("pytorch_model.bin", "config.json", "source.spm", "target.spm", "vocab.json"):
        (tmp_path / "model" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_bytes(b"{}")
    put_hub(hub, tmp_path / "model", "Helsinki-NLP/opus-mt-en-de", "apache-2.0")
    ended = without_torch("install", "en-de", "--from", "opus")
    assert ended.returncode == 2
    assert "opus-mt-en-de is a pickle, which takes torch" in ended.stderr
    assert [request.path for request in hub.requests if "resolve" in request.path] == []
    assert not folder.exists()


def test_a_download_that_broke_off_is_resumed(listed: Mirror, folder: Path) -> None:
    model = next(r for r in records_of(listed) if r["fileType"] == "model")
    resource = listed.resources[attachment_path(model)]
    resource.breaks_after = [1000]
    assert main(["install", "en-de"]) == 0
    assert [r.range_start for r in listed.asked(attachment_path(model))] == [None, 1000]
    assert read_bundle(folder / "en-de").manifest.name == "en-de-firefox"


def test_the_next_command_goes_on_where_one_was_broken_off(
    listed: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = next(r for r in records_of(listed) if r["fileType"] == "model")
    resource = listed.resources[attachment_path(model)]
    resource.breaks_after = [1000, 0, 500]
    message = refused(capsys, "install", "en-de")
    assert "ended after 1,500 of" in message
    assert "run the same command again, which goes on from there" in message
    assert content_of(folder) == {}
    assert main(["install", "en-de"]) == 0
    starts = [r.range_start for r in listed.asked(attachment_path(model))]
    assert starts == [None, 1000, 1000, 1500]


def test_a_killed_installation_is_resumed_and_leaves_the_old_bundle(
    listed: Mirror, folder: Path, small_model: Path
) -> None:
    assert main(["install", "en-de"]) == 0
    before = content_of(folder)
    changed = shutil.copytree(small_model, folder.parent / "changed")
    (changed / "model.ende.intgemm.alphas.bin").unlink()
    save_model(folder.parent / "other", enc_depth=1, dec_depth=1, seed=1)
    shutil.copy(folder.parent / "other" / "model.ende.intgemm.alphas.bin", changed)
    records = put_firefox(listed, changed, "en-de", version="3.1")
    model = next(record for record in records if record["fileType"] == "model")
    resource = listed.resources[attachment_path(model)]
    resource.stalls_after = 2000
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "install", "en-de"],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert resource.stalled.wait(60)
    part = folder / ".downloads"
    while not any(path.stat().st_size for path in part.glob("*/*.zstd")):
        assert process.poll() is None
    process.kill()
    process.wait()
    resource.released.set()
    assert content_of(folder) == before
    assert main(["install", "en-de"]) == 0
    assert listed.asked(attachment_path(model))[-1].range_start is not None
    foreign = read_bundle(folder / "en-de").manifest.provenance.foreign
    assert foreign is not None
    assert foreign.name == "firefox-tiny-3.1"


def _wrong_hash(record: dict[str, object], _resource: object) -> None:
    attachment = record["attachment"]
    assert isinstance(attachment, dict)
    attachment["hash"] = "0" * 64


def _wrong_unpacked_hash(record: dict[str, object], _resource: object) -> None:
    record["decompressedHash"] = "0" * 64


def _wrong_size(record: dict[str, object], _resource: object) -> None:
    attachment = record["attachment"]
    assert isinstance(attachment, dict)
    attachment["size"] = int(attachment["size"]) + 1


def _wrong_unpacked_size(record: dict[str, object], _resource: object) -> None:
    record["decompressedSize"] = 1000


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_wrong_hash, "its sha256 is not that of the index"),
        (_wrong_unpacked_hash, "its sha256 is not that of the index"),
        (_wrong_size, "the server announces"),
        (_wrong_unpacked_size, "unpacks to more than 1,000 bytes"),
    ],
)
def test_a_file_that_is_not_the_index_s_leaves_the_old_bundle_as_it_was(
    spoil: object,
    reason: str,
    listed: Mirror,
    folder: Path,
    small_model: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(spoil)
    assert main(["install", "en-de"]) == 0
    before = content_of(folder)
    put_firefox(listed, small_model, "en-de", version="3.1")
    records = records_of(listed)
    spoil(next(r for r in records if r["fileType"] == "model" and r["version"] == "3.1"), None)
    put_records(listed, records)
    for record in records:  # so that it is not taken for the one that is installed
        if record["version"] == "3.1" and record["fileType"] == "vocab":
            record["decompressedHash"] = None
    put_records(listed, records)
    assert reason in refused(capsys, "install", "en-de")
    assert content_of(folder) == before
    assert read_bundle(folder / "en-de").manifest.name == "en-de-firefox"


def test_a_broken_model_is_refused_by_its_importer(
    mirror: Mirror,
    folder: Path,
    small_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = shutil.copytree(small_model, tmp_path / "broken")
    model = broken / "model.ende.intgemm.alphas.bin"
    model.write_bytes(model.read_bytes()[:-5000])
    put_firefox(mirror, broken, "en-de")
    assert "cut short" in refused(capsys, "install", "en-de")
    assert content_of(folder) == {}
    assert [path for path in folder.iterdir() if path.name.startswith(".install-")] == []


@pytest.mark.parametrize("size_kb", [20, 600])
def test_a_full_disk_is_one_message_and_leaves_nothing(
    size_kb: int, listed: Mirror, tmp_path: Path
) -> None:
    """The smaller disk is full during the download, the larger one during the import."""
    data = tmp_path / "small"
    data.mkdir()
    mounted = f"mount -t tmpfs -o size={size_kb}k none {data}"
    in_namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*in_namespace, mounted], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let a test mount a small disk")
    script = (
        f"{mounted} && {sys.executable} -c '{COMMAND}' install en-de; echo rc $?; "
        f"ls -A {data}/pellucid/bundles"
    )
    environment = {**os.environ, "XDG_DATA_HOME": str(data)}
    ended = subprocess.run(
        [*in_namespace, script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path(__file__).parents[3],
    )
    assert f"the disk of {data}/pellucid/bundles is full: make room" in ended.stderr
    assert ended.stdout.splitlines()[-3:] == ["rc 2", ".downloads", ".install.lock"]
    assert records_of(listed) != []


def test_two_installations_at_once_are_refused(
    listed: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with installation_lock(folder):
        message = refused(capsys, "install", "en-de")
    assert "another installation is at work" in message
    assert main(["install", "en-de"]) == 0
    assert records_of(listed) != []


def test_without_a_network_or_with_a_dead_proxy_there_is_one_message(
    mirror: Mirror,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nothing = f"http://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("PELLUCID_INSTALL_FIREFOX_INDEX", f"{nothing}/index")
    for host in ("127.0.0.1", "models.invalid"):
        message = refused(capsys, "install", "en-de")
        assert f"{host} cannot be reached" in message
        assert "check the network and https_proxy" in message
        monkeypatch.setenv("PELLUCID_INSTALL_FIREFOX_INDEX", "http://models.invalid/index")
        monkeypatch.setenv("http_proxy", nothing)
    assert mirror.requests == []
    assert not folder.exists()


def test_a_proxy_of_the_environment_is_used(
    listed: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = "http://models.invalid" + RECORDS_PATH
    root = {"capabilities": {"attachments": {"base_url": "http://cdn.invalid/attachments/"}}}
    listed.put("/v1/", root)
    monkeypatch.setenv("http_proxy", listed.url)
    assert main(["install", "en-de", "--index", index]) == 0
    assert (folder / "en-de").is_dir()


@pytest.mark.parametrize(
    ("origin", "content"),
    [
        ("firefox", []),
        ("firefox", {"data": [{"name": "model.ende.bin"}]}),
        ("firefox", {"data": 3}),
        ("firefox", {"models": {"en-de": [{"architecture": "tiny"}]}, "baseUrl": "x"}),
        ("firefox", b"<html>"),
        ("argos", {"data": []}),
        ("argos", [{"from_code": "en"}]),
        ("argos", [3]),
    ],
)
def test_an_index_of_another_schema_is_named(
    origin: str, content: object, mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.put("/index", content)
    index = f"{mirror.url}/index"
    message = refused(capsys, "install", "en-de", "--from", origin, "--index", index)
    assert index in message
    assert " is no JSON" in message or " is not " in message


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../evil"},
        {"name": ".hidden"},
        {"version": "new"},
        {"decompressedSize": 1 << 60},
        {"attachment": {"filename": "a", "location": "../../etc", "hash": "0" * 64, "size": 1}},
        {"attachment": {"filename": "a", "location": "a", "hash": "no", "size": 1}},
        {"attachment": {"filename": "a", "location": "a", "hash": "0" * 64, "size": 0}},
    ],
)
def test_a_field_that_cannot_be_is_refused(
    change: dict[str, object], listed: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = records_of(listed)
    records[0] |= change
    put_records(listed, records)
    assert "is not a list of Remote Settings records" in refused(capsys, "install", "en-de")
    assert not folder.exists()


def test_a_pair_without_a_model_is_offered_through_english(
    mirror: Mirror, folder: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_firefox(mirror, small_model, "de-en")
    put_firefox(mirror, small_model, "en-pt")
    message = refused(capsys, "install", "de-pt", "--from", "firefox")
    assert "no model translates de-pt; de-en and en-pt do, through English" in message
    assert message.endswith("pellucid install de-en en-pt")
    assert not folder.exists()
    assert main(["install", "de-pt", "--from", "firefox", "--yes"]) == 0
    names = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    assert sorted(names) == ["de-en", "en-pt"]


def test_a_question_without_an_answer_installs_nothing(
    mirror: Mirror, folder: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_firefox(mirror, small_model, "de-en")
    put_firefox(mirror, small_model, "en-pt")
    terminal = io.StringIO()  # at its end, as after Ctrl-D
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    assert main(["install", "de-pt", "--from", "firefox"]) == 2
    assert not folder.exists()


def test_a_pair_that_nothing_leads_to_is_refused(
    listed: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, "install", "de-pt", "--from", "firefox")
    assert "no model translates de-pt (firefox), and none de-en and en-pt" in message
    assert "is no pair of languages" in refused(capsys, "install", "german")
    assert records_of(listed) != []


def test_a_second_bundle_of_a_pair_is_refused(
    listed: Mirror, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "en-de"]) == 0
    (folder / "en-de").rename(folder / "my-own")
    message = refused(capsys, "install", "en-de")
    assert f"{folder / 'my-own'} translates en-de: `pellucid remove my-own`" in message
    assert records_of(listed) != []


def test_what_a_killed_installation_left_is_tidied_up(listed: Mirror, folder: Path) -> None:
    assert main(["install", "en-de"]) == 0
    before = content_of(folder)
    (folder / "en-de").rename(folder / ".en-de.replaced")  # killed between the two renames
    (folder / ".install-abc").mkdir()
    put_firefox(listed, Path(__file__).parent, "en-pt")
    records = [r for r in records_of(listed) if r["targetLanguage"] == "de"]
    put_records(listed, records)
    assert main(["install", "en-de"]) == 0
    assert content_of(folder).keys() == before.keys()
    assert not (folder / ".install-abc").exists()
    assert not (folder / ".en-de.replaced").exists()


def test_a_folder_of_bundles_that_is_set_is_where_models_are_put(
    listed: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_BUNDLES", str(tmp_path / "served"))
    assert main(["install", "en-de"]) == 0
    assert (tmp_path / "served" / "en-de").is_dir()
    assert records_of(listed) != []


def test_an_unknown_setting_is_refused(
    listed: Mirror, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PELLUCID_INSTALL_FIREFOX", "x")
    assert "unknown setting PELLUCID_INSTALL_FIREFOX" in refused(capsys, "install", "en-de")
    assert records_of(listed) != []


@pytest.mark.parametrize("name", ["OPUS_INDEX", "BUNDLES"])
def test_a_setting_that_has_another_name_is_refused_by_this_one(
    name: str,
    listed: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"PELLUCID_INSTALL_{name}", "x")
    message = refused(capsys, "install", "en-de")
    assert f"unknown setting PELLUCID_INSTALL_{name}: known are" in message
    assert name not in message.partition("known are")[2]
    assert listed.requests == []


@pytest.mark.parametrize("value", ["abc", "0", "inf"])
def test_a_value_that_does_not_fit_is_named(
    value: str,
    listed: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PELLUCID_INSTALL_TIMEOUT_S", value)
    message = refused(capsys, "install", "en-de")
    assert f"PELLUCID_INSTALL_TIMEOUT_S is '{value}': Input should be " in message
    assert listed.requests == []


def test_the_service_knows_the_settings_of_installations(mirror: Mirror) -> None:
    assert mirror.url
    assert load_settings().bundles


def test_json_of_the_index_is_as_mozilla_s(listed: Mirror) -> None:
    record = json.loads(listed.resources[RECORDS_PATH].content)["data"][0]
    assert {"fileType", "sourceLanguage", "attachment", "decompressedHash"} <= record.keys()
