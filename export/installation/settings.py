"""Where models are downloaded from, and where they are put: the environment of an installation."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bundle.folders import default_paths, installed_folder, is_bundle, split_paths
from export.errors import InstallError

PREFIX = "PELLUCID_INSTALL_"
_RECORDS = "v1/buckets/main/collections/translations-models-v2/records"


class InstallSettings(BaseSettings):
    """Settings of an installation; read where the command starts, then passed down."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        allow_inf_nan=False,
        frozen=True,
        use_attribute_docstrings=True,
    )

    firefox_index: str = f"https://firefox.settings.services.mozilla.com/{_RECORDS}"
    """Records of Firefox's models, or Mozilla's `models.json`: URL or file."""
    firefox_files: str | None = None
    """URL or folder of their files; default: as the index's server says."""
    opus_index: Annotated[str, Field(validation_alias="HF_ENDPOINT")] = "https://huggingface.co"
    """The Hugging Face hub, or a mirror of it."""
    argos_index: str = (
        "https://raw.githubusercontent.com/argosopentech/argospm-index/main/index.json"
    )
    """Index of Argos Translate's packages: URL or file."""
    timeout_s: PositiveFloat = 30.0
    """Seconds without a byte after which a transfer is given up."""
    bundles: Annotated[str, Field(validation_alias="PELLUCID_BUNDLES")] = ""
    """Where the service looks for bundles, if not in the data folder."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where bundles are looked for."""
        return split_paths(self.bundles) or default_paths()

    @property
    def folder(self) -> Path:
        """Where bundles are installed: the first place where they are looked for."""
        folders = [path for path in split_paths(self.bundles) if not is_bundle(path)]
        return folders[0] if folders else installed_folder()


def load_install_settings(environment: Mapping[str, str] = os.environ) -> InstallSettings:
    """Settings from the environment.

    Raises:
        InstallError: A value does not fit, or a variable is unknown.
    """
    known = sorted(v for v in _variables() if v.startswith(PREFIX))
    unknown = sorted(n for n in environment if n.startswith(PREFIX) and n not in known)
    faults = [f"unknown setting {name}: known are {', '.join(known)}" for name in unknown]
    try:
        settings = InstallSettings()
    except ValidationError as error:
        faults += [
            f"{PREFIX}{str(e['loc'][0]).upper()} is {e['input']!r}: {e['msg']}"
            for e in error.errors()
        ]
        raise InstallError("; ".join(faults)) from error
    if faults:
        raise InstallError("; ".join(faults))
    return settings


def _variables() -> list[str]:
    """The variables that are read: some settings have a name that others gave it."""
    fields = InstallSettings.model_fields.items()
    return [str(field.validation_alias or PREFIX + name.upper()) for name, field in fields]
