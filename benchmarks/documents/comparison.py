"""What translated documents keep, beside argos-translate-files with the same weights.

Both get the same ten documents of each format, and translations of the same running service:
Pellucid by `POST /translate_file`; argos-translate-files, which LibreTranslate uses, by an object
that asks `POST /translate`. docs/benchmarks.md says how to read the result.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.documents.content import Content
from benchmarks.documents.files import SUFFIXES, Sample, make_samples, program_versions
from benchmarks.documents.kept import Kept, kept_of, kept_of_pages
from benchmarks.documents.office_content import read_office
from benchmarks.documents.opening import opened
from benchmarks.documents.plain_content import read_pdf, read_subtitles, read_text
from benchmarks.documents.rows import print_rows, rows_of
from benchmarks.documents.service_client import ServiceClient
from benchmarks.documents.web_content import read_epub, read_html
from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.report import record
from benchmarks.harness.server_process import HOST, ServerProcess

_READERS: Mapping[str, Callable[[bytes], Content]] = {
    **dict.fromkeys((".docx", ".pptx", ".odt", ".odp"), read_office),
    ".epub": read_epub,
    ".html": read_html,
    ".srt": read_subtitles,
    ".txt": read_text,
    ".pdf": read_pdf,
}
_SOURCE, _TARGET = "en", "de"
_PACKAGES = (
    "python-docx", "python-pptx", "odfpy", "ebooklib", "pysubs2", "srt", "reportlab", "fpdf2",
    "pypdfium2", "onnxruntime",
)  # fmt: skip
_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Translate, compare and print; returns the exit code."""
    arguments = _parse()
    where = {"machine": machine(), "commit": commit(), "versions": versions(*_PACKAGES)}
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name)
        samples = [
            sample
            for sample in make_samples(_new(folder / "sources"))
            if arguments.format in (None, sample.path.suffix)
        ]
        with ServerProcess(str(arguments.bundle)) as server:
            url = f"http://{HOST}:{server.port}"
            client = ServiceClient(url, _SOURCE, _TARGET)
            outputs, errors = {"pellucid": _new(folder / "pellucid")}, {}
            errors["pellucid"] = _translated_by_us(client, samples, outputs["pellucid"])
            if arguments.libretranslate:
                peer, failed = _translated_by_peer(arguments.libretranslate, url, samples, folder)
                outputs[peer], errors[peer] = folder / "peer", failed
            kept = _compared(client, samples, outputs)
    rows = rows_of(kept)
    print_rows(rows)
    report = {
        **where,
        "programs": program_versions(),
        "bundle": arguments.bundle.name,
        "documents": [f"{sample.path.name}: {sample.maker}" for sample in samples],
        "rows": [asdict(row) for row in rows],
        "errors": errors,
    }
    record(report, arguments.json)
    return 0


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _translated_by_us(
    client: ServiceClient, samples: Sequence[Sample], folder: Path
) -> dict[str, str]:
    """Translate each file; returns what went wrong."""
    errors = {}
    for sample in samples:
        try:
            written = client.file(sample.path)
        except urllib.error.HTTPError as error:
            errors[sample.path.name] = error.read().decode()[:300]
        else:
            (folder / _name(sample, sample.path.suffix == ".pdf")).write_bytes(written)
    return errors


def _name(sample: Sample, becomes_page: bool = False) -> str:
    suffix = ".html" if becomes_page else sample.path.suffix
    return f"{sample.path.parent.name}-{sample.path.stem}{sample.path.suffix}{suffix}"


def _translated_by_peer(
    python: Path, url: str, samples: Sequence[Sample], folder: Path
) -> tuple[str, dict[str, str]]:
    """Translate each file; returns name and version, and what went wrong."""
    output = _new(folder / "peer")
    files = {str(sample.path): str(output / _name(sample)) for sample in samples}
    task = {"url": url, "source": _SOURCE, "target": _TARGET, "files": files}
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "HOME": str(folder)}
    done = subprocess.run(
        [str(python), "-m", "benchmarks.documents.argos_files"],
        input=json.dumps(task), text=True, stdout=subprocess.PIPE, check=True, env=environment,
        cwd=folder,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    errors = {Path(path).name: error for path, error in found["errors"].items()}
    return f"argos-translate-files {found['version']}", errors


def _compared(
    client: ServiceClient, samples: Sequence[Sample], outputs: Mapping[str, Path]
) -> dict[str, list[tuple[str, Kept]]]:
    """What each keeps, with the suffix of the document."""
    sources = [_READERS[sample.path.suffix](sample.path.read_bytes()) for sample in samples]
    expected = client.texts(_all_texts(samples, sources))
    kept: dict[str, list[tuple[str, Kept]]] = {}
    for contestant, folder in outputs.items():
        kept[contestant] = found = []
        for sample, before in zip(samples, sources, strict=True):
            after = _content_of(folder, sample)
            if sample.path.suffix == ".pdf":
                each = kept_of_pages(before, sample.paragraphs, after, expected)
            else:
                each = kept_of(before, after, expected, _TARGET)
            found += [(sample.path.suffix, one) for one in each]
        found += opened(folder)
    return kept


def _all_texts(samples: Sequence[Sample], sources: Sequence[Content]) -> Iterator[str]:
    for sample, content in zip(samples, sources, strict=True):
        if sample.path.suffix == ".pdf":
            yield from sample.paragraphs
        else:
            for texts in content.texts.values():
                yield from texts


def _content_of(folder: Path, sample: Sample) -> Content | None:
    """Content of a translation; None if there is none that can be read."""
    for becomes_page in (False, True):
        path = folder / _name(sample, becomes_page)
        if path.exists():
            try:
                return _READERS[path.suffix](path.read_bytes())
            except Exception as error:  # noqa: BLE001 - a file that cannot be read is a result
                print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
    return None


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"), metavar="FOLDER")
    parser.add_argument(
        "--libretranslate",
        type=Path,
        metavar="PYTHON",
        help="interpreter of an environment with libretranslate==1.9.6",
    )
    parser.add_argument("--format", choices=SUFFIXES, help="compare documents of this one alone")
    parser.add_argument("--folder", type=Path, help="keep all documents in this new folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.exit(main())
