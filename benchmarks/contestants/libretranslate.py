"""LibreTranslate, in an environment of its own, serving the weights of a bundle."""

import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contestants.ctranslate2_converter import convert
from benchmarks.harness.server_process import HOST, free_port
from bundle.manifest import LanguagePair
from bundle.reader import Bundle
from bundle.tensors import SOURCE_TOKENIZER_NAME
from export.recovery.network import network_of_bundle
from model.training.checkpoint import load_weights
from model.transformer import Transformer

_ROOT = Path(__file__).parents[2]
_POSITIONS = 2048
"""More than CTranslate2's truncation at 1024 tokens, as with LibreTranslate's own models."""
_STARTING_S = 120.0
_POLL_S = 0.1


@contextmanager
def serving_libretranslate(python: Path, bundle: Bundle, *, threads: int = 2) -> Iterator[str]:
    """Start LibreTranslate, yield its address, and end it.

    Args:
        python: The interpreter of an environment with `libretranslate` and `sentencex`.
        bundle: Weights, first direction and beam size.
        threads: Threads that answer requests.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_packages(bundle, folder)
        url = f"http://{HOST}:{(port := free_port())}"
        module = [str(python), "-m", "benchmarks.contestants.libretranslate_launcher"]
        flags = ["--host", HOST, "--port", str(port), "--disable-web-ui"]
        flags += ["--threads", str(threads)]
        log = (folder / "log").open("w+", encoding="utf-8")
        with (
            log,
            subprocess.Popen(
                [*module, *flags],
                cwd=folder,
                env=_environment(folder, bundle),
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                _wait(process, url, folder / "log")
                yield url
            finally:
                process.kill()


def version_in(python: Path) -> str:
    """Version of LibreTranslate in the environment of `python`."""
    code = "from importlib.metadata import version; print(version('libretranslate'))"
    run = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def _environment(folder: Path, bundle: Bundle) -> dict[str, str]:
    return os.environ | {
        "HOME": str(folder),
        "PYTHONPATH": str(_ROOT),
        "ARGOS_PACKAGES_DIR": str(folder / "packages"),
        "ARGOS_BEAM_SIZE": str(bundle.manifest.decoding.beam_size),
    }


def _write_packages(bundle: Bundle, folder: Path) -> None:
    """Write packages for both directions: LibreTranslate needs two; the second is not measured."""
    pair = bundle.manifest.pairs[0]
    (folder / "db" / "prometheus").mkdir(parents=True)
    (folder / "packages").mkdir()
    there = folder / "packages" / f"{pair.source}_{pair.target}"
    _write_package(bundle, there, pair)
    back = folder / "packages" / f"{pair.target}_{pair.source}"
    shutil.copytree(there, back)
    _write_metadata(back, pair.target, pair.source)


def _write_package(bundle: Bundle, folder: Path, pair: LanguagePair) -> None:
    folder.mkdir()
    _write_metadata(folder, pair.source, pair.target)
    shutil.copy(bundle.path / SOURCE_TOKENIZER_NAME, folder / "sentencepiece.model")
    vocabulary = range(bundle.manifest.architecture.vocab_size)
    convert(_network(bundle), bundle.tokenizer.target_pieces(vocabulary), folder / "model")
    settings = folder / "model" / "config.json"
    config = json.loads(settings.read_bytes())
    # Sources end with the end token; LibreTranslate does not add one.
    config["add_source_eos"] = True
    if pair.source_prefix is not None:
        # It has no language prefix, but a token that begins every source.
        start = {"decoder_start_token": config["bos_token"]}
        config |= start | {"add_source_bos": True, "bos_token": pair.source_prefix}
    settings.write_text(json.dumps(config), encoding="utf-8")


def _write_metadata(folder: Path, source: str, target: str) -> None:
    names = {"from_code": source, "from_name": source, "to_code": target, "to_name": target}
    versions = {"package_version": "1.0", "argos_version": "1.0"}
    (folder / "metadata.json").write_text(json.dumps(names | versions), encoding="utf-8")
    (folder / "README.md").write_text("A bundle's weights.", encoding="utf-8")


def _network(bundle: Bundle) -> Transformer:
    """The network, with as many positions as LibreTranslate may use."""
    network = network_of_bundle(bundle)
    shape = dataclasses.replace(network.architecture, max_positions=_POSITIONS)
    longer = Transformer(shape).eval()
    load_weights(longer, dict(network.named_parameters()))
    return longer


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    until_s = time.monotonic() + _STARTING_S
    while not _is_ready(url):
        if process.poll() is not None or time.monotonic() > until_s:
            last_words = log.read_text(encoding="utf-8")[-1000:]
            raise SystemExit(f"LibreTranslate did not start: {last_words}")
        time.sleep(_POLL_S)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/languages", timeout=5) as reply:
            return bool(json.load(reply))
    except (urllib.error.URLError, OSError):
        return False
