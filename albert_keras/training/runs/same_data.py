"""Compares a resumed run's data with those that it was started with.

The data of a run are described by role, such as "corpus" or "train_file": a
dictionary with the `path`, and JSON values that identify the content.
"""

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20
_SHOWN_DIGITS = 12  # of a checksum
_SHOWN_DIFFERENCES = 3
_logger = logging.getLogger(__name__)


def describe_files(
    path: str | Path, files: Iterable[Path] | None = None
) -> dict[str, Any]:
    """Describes the content of a file or folder.

    Args:
        path: The file or folder.
        files: The files that count in a folder.

    Returns:
        `path`, `bytes` and `sha256`.
    """
    folder = Path(path)
    digest, size = hashlib.sha256(), 0
    for file in sorted(files) if files is not None else [folder]:
        if files is not None:
            digest.update(f"{file.relative_to(folder)}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest()}


def check_same_data(
    source: str | Path,
    earlier: dict[str, Any] | None,
    now: dict[str, Any],
) -> None:
    """Checks that a run has the data that it was started with.

    Args:
        source: The checkpoint, for the message.
        earlier: Descriptions by role that it was saved with; None or empty if
            an earlier version saved it, which only causes a warning.
        now: Descriptions by role. A role in only one of them is not compared.

    Raises:
        ValueError: If the content differs; names role, path and difference.
    """
    if now and not earlier:
        _logger.warning(
            "%s has no checksums of its data, since an earlier version saved "
            "it: whether the data are still the same is not checked.",
            source,
        )
    changed = []
    for role, description in now.items():
        before = (earlier or {}).get(role)
        if before is None:
            continue
        differences = [
            f"{name} {_show(before.get(name))} then, {_show(value)} now"
            for name, value in description.items()
            if name != "path" and before.get(name) != value
        ]
        if differences:
            changed.append(
                f"{role} {description['path']}: "
                f"{', '.join(differences[:_SHOWN_DIFFERENCES])}"
            )
    if changed:
        raise ValueError(
            f"{source} was trained on other data than this: "
            f"{'; '.join(changed)}. Resume with the data of the run, or start "
            "a new run with another `output_dir`."
        )


def _show(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {_show(v)}" for name, v in value.items())
    if isinstance(value, str):
        return value[:_SHOWN_DIGITS]
    return f"{value:,}" if isinstance(value, int) else str(value)
