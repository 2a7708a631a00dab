"""Adds notes to the model card of a bundle: `python -m export.annotation`.

The card is made from the manifest. Results of an evaluation and known errors of the model are
found after the export; this adds them.
"""

import argparse
import sys
from pathlib import Path

from bundle.errors import BundleError
from bundle.manifest import MANIFEST_NAME
from bundle.reader import read_bundle
from bundle.tensors import MODEL_CARD_NAME
from export.publication.model_card import model_card
from export.publication.packing import file_entries


def annotate(folder: Path, notes: str) -> None:
    """Put `notes` behind the model card, in place of earlier ones.

    Args:
        folder: A bundle that no process is loading.
        notes: Markdown, its headings of the second level.

    Raises:
        BundleError: It is no valid bundle.
    """
    manifest = read_bundle(folder).manifest
    card = folder / MODEL_CARD_NAME
    card.write_text(f"{model_card(manifest)}\n{notes.strip()}\n", encoding="utf-8")
    files = {**manifest.files, **file_entries([card])}
    text = manifest.model_copy(update={"files": files}).model_dump_json(indent=2)
    staged = folder / f".{MANIFEST_NAME}"
    staged.write_text(text + "\n", encoding="utf-8")
    staged.replace(folder / MANIFEST_NAME)
    read_bundle(folder)


def main() -> int:
    """Annotate; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m export.annotation", description=__doc__)
    parser.add_argument("bundle", type=Path, help="its folder")
    parser.add_argument("notes", type=Path, help="Markdown for the end of the model card")
    arguments = parser.parse_args()
    try:
        annotate(arguments.bundle, arguments.notes.read_text(encoding="utf-8"))
    except (BundleError, OSError) as error:
        sys.stderr.write(f"export.annotation: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
