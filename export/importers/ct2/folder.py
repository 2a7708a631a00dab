"""Reads the folder of a CTranslate2 model, alone or in a package of Argos Translate."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.importers.ct2.model_file import StoredModel, read_model_file
from export.importers.files.json_file import read_json_object

MODEL_NAME, CONFIG_NAME, PACKAGE_NAME = "model.bin", "config.json", "metadata.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Content of `config.json`; older files have it in the model itself."""

    unknown: str
    end: str
    source_start: str | None
    """Piece that CTranslate2 puts before every source."""
    source_end: str | None
    """Piece that it puts behind every source."""
    decoder_start: str | None
    """First input of the decoder; None: every request gives it."""
    layer_norm_eps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Content of the folder."""

    path: Path
    """Folder of the model itself."""
    root: Path
    """Folder of the package that it is in, else the same."""
    stored: StoredModel
    config: Config
    config_text: str
    package: Mapping[str, Any] = field(default_factory=dict)
    """Metadata of Argos Translate; empty outside a package."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that were read, without vocabularies."""
        names = (self.path / MODEL_NAME, self.path / CONFIG_NAME, self.root / PACKAGE_NAME)
        return tuple(file for file in names if file.is_file())


def open_folder(path: Path) -> Folder:
    """Read a model.

    Args:
        path: Its folder, its `model.bin`, or the unpacked package that its folder is in.

    Raises:
        ExportError: It is none of these, or broken.
    """
    root = path.parent if path.name == MODEL_NAME else path
    if not root.is_dir():
        raise ExportError(
            f"{path} is no folder with a {MODEL_NAME}; a package of Argos Translate is a zip file: "
            "unpack it first"
        )
    is_package = not (root / MODEL_NAME).is_file() and (root / "model" / MODEL_NAME).is_file()
    folder = root / "model" if is_package else root
    if not (folder / MODEL_NAME).is_file():
        raise ExportError(f"{root} has no {MODEL_NAME}")
    stored = read_model_file(folder / MODEL_NAME)
    content = _config_content(stored, folder / CONFIG_NAME)
    package = read_json_object(root / PACKAGE_NAME) if (root / PACKAGE_NAME).is_file() else {}
    return Folder(
        path=folder,
        root=root,
        stored=stored,
        config=_config(content),
        config_text=json.dumps(content, indent=2, ensure_ascii=False) + "\n",
        package=package,
    )


def _config_content(stored: StoredModel, path: Path) -> dict[str, Any]:
    if stored.version < 6:
        return _config_of_variables(stored)
    if not path.is_file():
        raise ExportError(f"{path.parent} has no {path.name}")
    return read_json_object(path)


def _config_of_variables(stored: StoredModel) -> dict[str, Any]:
    """The content of `config.json`, which exists since version 6, for older files."""
    start, end = stored.attribute("bos_token", "<s>"), stored.attribute("eos_token", "</s>")
    starts_with_start = stored.attribute("with_target_bos", 1)
    is_asked = stored.attribute("user_decoder_start_tokens", 0)
    return {
        "unk_token": stored.attribute("unk_token", "<unk>"),
        "bos_token": start,
        "eos_token": end,
        "add_source_bos": bool(stored.attribute("with_source_bos", 0)),
        "add_source_eos": bool(stored.attribute("with_source_eos", 0)),
        "decoder_start_token": None if is_asked else start if starts_with_start else end,
        "layer_norm_epsilon": None,
    }


def _config(content: Mapping[str, Any]) -> Config:
    start, end = content.get("bos_token", "<s>"), content.get("eos_token", "</s>")
    eps = content.get("layer_norm_epsilon")
    return Config(
        unknown=content.get("unk_token", "<unk>"),
        end=end,
        source_start=start if content.get("add_source_bos") else None,
        source_end=end if content.get("add_source_eos") else None,
        decoder_start=content.get("decoder_start_token"),
        layer_norm_eps=1e-5 if eps is None else float(eps),
    )
