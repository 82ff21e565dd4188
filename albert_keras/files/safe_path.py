"""Names that a file gives of others, which must be beside it."""

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any


def inside_directory(
    directory: str | Path, name: Any, source: str | Path
) -> Path:
    """The path of what a file names, within a directory.

    By the names alone: links are followed, since hubs' caches consist of
    them.

    Args:
        directory: The directory.
        name: What the file says, a relative path with "/".
        source: The file, for the message.

    Raises:
        ValueError: If it leads out of the directory, or is no path.
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
            "no file. Do not use what it came with, or fetch it again from "
            "where you trust."
        )
    return Path(directory, *parts)
