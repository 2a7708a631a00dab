"""Downloads a checkpoint from the Hugging Face hub, where its name is given instead of a folder."""

import re
from pathlib import Path

from export.errors import ExportError

_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_WANTED = ["*.json", "*.spm", "*.safetensors", "pytorch_model.bin"]


def local_checkpoint(path: Path) -> Path:
    """`path` where it exists, else the folder that the repository of that name is downloaded to.

    Raises:
        ExportError: There is neither, or the hub cannot be reached.
    """
    if path.exists() or not _NAME.fullmatch(str(path)):
        return path
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise ExportError(
            f"{path} does not exist; to download a repository of that name takes huggingface_hub: "
            "pip install huggingface_hub"
        ) from error
    try:
        # The newest revision is what was asked for, and weights are read without running code.
        return Path(snapshot_download(str(path), allow_patterns=_WANTED))  # nosec B615
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).partition("\n")[0]
        raise ExportError(f"{path} does not exist and cannot be downloaded: {first}") from error
