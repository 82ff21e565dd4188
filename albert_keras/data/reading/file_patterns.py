"""Finds the files that a path, a directory or a glob pattern names."""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path


def matching_files(pattern: str | Path) -> list[str]:
    """Returns the sorted paths of the files that a pattern matches.

    A path that exists is that path, whatever characters it contains. A
    directory stands for all files below it, except hidden ones; links to
    directories are followed, each directory once.

    Raises:
        ValueError: If a directory cannot be read.
    """
    base, names = _literal_part(str(Path(pattern)))
    if "**" in names:
        found = set(_recursive_matches(base, names))
    else:
        paths = _glob(base, names)
        found = {path for path in paths if os.path.isfile(path)}
        for path in filter(os.path.isdir, paths):
            found.update(_files_below(path))
    return sorted(found, key=lambda path: path.split(os.sep))


def _literal_part(pattern):
    """Splits a pattern into the longest path that exists and other names."""
    base, names = pattern, []
    while base and not os.path.lexists(base):
        base, name = os.path.split(base)
        names.insert(0, name)
    return base, names


def _glob(base, names):
    if not names:
        return [base]
    return glob.glob(os.path.join(glob.escape(base), *names))


def _recursive_matches(base, names):
    """Yields the files of a pattern with `**`."""
    first = names.index("**")
    expression = re.compile(
        "".join(
            "(?:[^/]+/)*" if name == "**" else _name_expression(name) + "/"
            for name in names[first:]
        )
    )
    for directory in _glob(base or os.curdir, names[:first]):
        if os.path.isdir(directory):
            for path in _files_below(directory):
                # A directory that matches stands for the files below it.
                if expression.match(os.path.relpath(path, directory) + "/"):
                    yield path


def _name_expression(name):
    """Returns the regular expression of one name of a glob pattern."""
    expression, position = "", 0
    while position < len(name):
        character = name[position]
        position += 1
        end = name.find("]", position + 1)
        if character in "*?":
            expression += "[^/]*" if character == "*" else "[^/]"
        elif character == "[" and end > 0:
            inside = name[position:end].replace("\\", r"\\")
            is_negated = inside.startswith("!")
            inside = re.sub(r"([\[^&~|])", r"\\\1", inside[is_negated:])
            expression += f"[{'^/' if is_negated else ''}{inside}]"
            position = end + 1
        else:
            expression += re.escape(character)
    return expression


def _files_below(directory: str) -> Iterator[str]:
    """Yields the files below a directory, except hidden ones.

    Directories come before links to directories: a file has its own path,
    rather than that of a link.
    """
    visited: set[tuple[int, int]] = set()
    directories, links = [directory], []
    while directories or links:
        current = directories.pop() if directories else links.pop(0)
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        for entry in _entries(current):
            path = entry.name
            if current != os.curdir:
                path = os.path.join(current, path)
            if entry.is_symlink() and os.path.isdir(path):
                links.append(path)
            elif entry.is_dir(follow_symlinks=False):
                directories.append(path)
            elif os.path.isfile(path):
                yield path


def _entries(directory):
    try:
        with os.scandir(directory) as entries:
            visible = [e for e in entries if not e.name.startswith(".")]
    except PermissionError as error:
        raise ValueError(
            f"{directory} cannot be read: {error}. Change its permissions, or "
            "pass the other files and directories by name."
        ) from error
    return sorted(visible, key=lambda entry: entry.name)
