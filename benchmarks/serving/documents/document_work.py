"""Reads and writes a document from standard input, with the imports of a document process.

Prints seconds of CPU and the peak of resident memory; started by `large_documents`.
"""

import json
import re
import sys
import tempfile
import time
from pathlib import Path

from service.documents.processes.child import reply_to
from service.documents.processes.strings_file import read_strings, translations_line

_MAX_MEMORY_BYTES = 201_326_592
_MAX_CPU_S = 60.0


def main() -> int:
    """Do it; returns the exit code."""
    bare_mib = _peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        found = _work(Path(folder), sys.argv[1], sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(found | {"bare_mib": bare_mib, "peak_mib": _peak_mib()}))
    return 0


def _peak_mib() -> float:
    """Of this program: `getrusage` counts what the process was before it."""
    match = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return round(int(match[1]) / 1024, 1) if match else 0.0


def _work(folder: Path, suffix: str, data: bytes) -> dict[str, object]:
    paths = {name: str(folder / name) for name in ("document", "strings", "result")}
    translated = folder / "translated"
    Path(paths["document"]).write_bytes(data)
    task = {**paths, "name": f"a{suffix}", "cpu_s": _MAX_CPU_S, "language": "de", "columns": ""}
    started_s = time.process_time()
    read = reply_to({**task, "task": "read", "memory_bytes": _MAX_MEMORY_BYTES})
    read_s = time.process_time() - started_s
    texts = [f"{each.text}." for each in read_strings(folder / "strings")]
    translated.write_bytes(translations_line(dict(enumerate(texts))))
    task |= {"task": "write", "memory_bytes": 2 * _MAX_MEMORY_BYTES}
    started_s = time.process_time()
    written = reply_to({**task, "translations": [str(translated)]})
    write_s = time.process_time() - started_s
    times = {"read_s": round(read_s, 2), "write_s": round(write_s, 2)}
    return {"strings": read.get("count", read), "result": written.get("count", written), **times}


if __name__ == "__main__":
    sys.exit(main())
