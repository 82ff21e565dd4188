"""Checks that a path read from an untrusted file stays in its directory."""

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any


def inside_directory(
    directory: str | Path, name: Any, source: str | Path
) -> Path:
    """Joins a directory and a relative path read from a file.

    Only the names are checked: links are followed, since the hubs' caches
    consist of links.

    Args:
        directory: The directory.
        name: The value in the file; should be a relative path with "/".
        source: The file, for the error message.

    Raises:
        ValueError: If the path leaves the directory, or is not a path.
    """
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    if (
        not parts
        or ".." in parts
        or "\0" in name
        or PurePosixPath(name).is_absolute()
        or PureWindowsPath(name).anchor
    ):
        raise ValueError(
            f"{source} names {name!r}, which leads out of {directory} or is "
            "not a file. Do not use the files it came with, or download them "
            "again from a source that you trust."
        )
    return Path(directory, *parts)
